//! `examples/live.rs` ships each segment while the encoder goes on: none waits for the end.

use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../examples/live.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod live;

/// Pictures that are encoded after a cut before the test looks whether the segment has arrived.
const LATER: u32 = 10;

#[test]
fn segments_arrive_before_the_next_is_encoded() {
    let ladder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder");
    let output = tempfile::tempdir().unwrap();
    let origin = output.path().join("origin");
    let arrived = |directory: &str, number: u32| {
        let file = origin.join(directory).join(format!("seg-{number:05}.m4s"));
        // The encoder stands still meanwhile: what arrives now did not wait for it to end.
        let start = Instant::now();
        while !file.exists() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(file.exists(), "{} has not arrived", file.display());
        assert!(file.with_file_name("init.mp4").exists(), "it arrived before its init segment");
    };
    let mut waits = 0;
    live::run(&ladder, output.path(), |picture| {
        if picture > 50 && picture % 50 == LATER {
            arrived("video/360p", picture / 50);
            arrived("audio/en", picture / 50);
            waits += 1;
        }
    })
    .unwrap();
    assert_eq!(waits, 11, "all but the last of twelve segments were cut, shipped and waited for");

    for directory in ["video/360p", "audio/en"] {
        let names = |root: &str| {
            let directory = output.path().join(root).join(directory);
            let mut names: Vec<_> =
                std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names("origin").len(), 12 + 1, "{directory}: segments and an init segment");
        assert_eq!(names("origin"), names("encoder"), "{directory}");
    }
}
