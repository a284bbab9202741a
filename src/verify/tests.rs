//! Verification as a whole, over a package in memory: each rule is broken once, and the package as it is breaks none.

use super::testing::{Break, HEVC, LARGE, SMALL, SOUND, package};

/// What breaks each rule: the lists of the modules.
fn breaks() -> Vec<Break> {
    Vec::new()
}

#[test]
fn the_sample_package_has_what_the_breaks_rely_on() {
    let package = package();
    for directory in [LARGE, SMALL, HEVC, SOUND] {
        for file in ["init.mp4", "seg-00003.m4s", "playlist.m3u8"] {
            assert!(
                package.0.contains_key(&format!("{directory}/{file}")),
                "{directory}/{file}: {:?}",
                package.0.keys()
            );
        }
    }
    let mut edited = package.clone();
    edited.replace(&format!("{LARGE}/playlist.m3u8"), "#EXTINF:2.", "#EXTINF:3.");
    edited.patch(&format!("{LARGE}/seg-00003.m4s"), &[b"moof", b"traf", b"tfdt"], 4, b"xxxx");
    edited.bytes("master.m3u8").clear();
    let changed = package.0.iter().filter(|(path, bytes)| edited.0[*path] != **bytes).count();
    assert_eq!((changed, breaks().len()), (3, 0));
}
