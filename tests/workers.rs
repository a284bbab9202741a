//! `examples/workers.rs`: however many workers share a rendition, the files are those of one, and they play.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[path = "../examples/workers.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod workers;

#[path = "end_to_end/tools.rs"]
#[allow(dead_code, reason = "this test needs a part of it")]
mod tools;

fn encode(workers: u32) -> tempfile::TempDir {
    let ladder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder");
    let output = tempfile::tempdir().unwrap();
    workers::encode(&ladder, output.path(), workers).unwrap();
    output
}

/// Every file below `root` with its bytes.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

#[test]
fn workers_write_the_bytes_of_one() {
    let alone = files(encode(1).path());
    assert_eq!(alone.len(), 12 + 3, "segments of two seconds, an init segment, two playlists");
    // Three segments each; five workers get 3, 3, 3, 3 and none; twelve one each.
    for workers in [4, 5, 12] {
        let shared = files(encode(workers).path());
        assert!(shared.keys().eq(alone.keys()), "{workers}: {:?}", shared.keys());
        for (file, bytes) in &shared {
            assert!(*bytes == alone[file], "{workers} workers: {} differs", file.display());
        }
    }
}

#[test]
fn merged_playlists_list_every_segment_once() {
    let output = encode(4);
    let master = std::fs::read(output.path().join("master.m3u8")).unwrap();
    let (_, master) = m3u8_rs::parse_master_playlist(&master).unwrap();
    let [variant] = master.variants.as_slice() else { panic!("{master:?}") };
    assert_eq!(variant.uri, "video/720p/playlist.m3u8");
    let resolution = variant.resolution.unwrap();
    assert_eq!((resolution.width, resolution.height, variant.frame_rate), (1280, 720, Some(25.0)));

    let media = std::fs::read(output.path().join(&variant.uri)).unwrap();
    let (_, media) = m3u8_rs::parse_media_playlist(&media).unwrap();
    let listed: Vec<_> =
        media.segments.iter().map(|segment| (segment.uri.as_str(), segment.duration)).collect();
    let names: Vec<String> = (1..=12).map(|number| format!("seg-{number:05}.m4s")).collect();
    let expected: Vec<_> = names.iter().map(|name| (name.as_str(), 2.0)).collect();
    assert_eq!(listed, expected);
    assert!(media.end_list);
}

#[test]
fn merged_workers_play_with_every_picture() {
    let output = encode(4);
    let answer =
        tools::node("play.mjs", &[&output.path().to_string_lossy(), "--frames", "600", "--rate", "2"]);
    assert_eq!(tools::problems(&answer), Vec::<String>::new());
}
