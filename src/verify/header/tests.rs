//! Init segments of the sample package, and what becomes of damaged ones.

use super::*;
use crate::verify::testing::{HEVC, LARGE, SMALL, SOUND, package};

fn read_package(directory: &str) -> (Option<Header>, Findings) {
    let mut findings = Findings::default();
    let bytes = &package().0[&format!("{directory}/init.mp4")];
    let header = read("init.mp4", bytes, &mut findings);
    (header, findings)
}

#[test]
fn the_sample_package_is_sound() {
    for directory in [LARGE, SMALL, HEVC, SOUND] {
        let (header, findings) = read_package(directory);
        assert_eq!(findings.as_slice(), [], "{directory}");
        assert!(header.is_some());
    }
}
