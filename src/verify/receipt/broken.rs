//! What breaks each rule of the receipt.

use serde_json::{Value, json};

use crate::hash::{FileHasher, HashAlgorithm};
use crate::io::publish::{JOURNAL, RECEIPT};
use crate::verify::testing::{Break, LARGE, Memory, SMALL};

/// By the rule that has to notice it.
pub(in crate::verify) const BROKEN: &[Break] = &[
    ("unfinished", |files| drop(files.0.insert(JOURNAL.to_owned(), b"{ \"files\": [] }\n".to_vec()))),
    ("receipt-syntax", |files| {
        let receipt = receipt(files, HashAlgorithm::Xxh3).to_string();
        files.0.insert(RECEIPT.to_owned(), receipt.as_bytes()[..receipt.len() - 1].to_vec());
    }),
    ("receipt-path", |files| {
        edit(files, |receipt| receipt["files"][0]["path"] = json!("video/../../secret"))
    }),
    ("receipt-file", |files| {
        edit(files, |_| {});
        files.0.remove(&format!("{SMALL}/seg-00002.m4s"));
    }),
    ("receipt-bytes", |files| {
        edit(files, |_| {});
        files.bytes(&format!("{LARGE}/seg-00001.m4s")).push(0);
    }),
    ("receipt-hash", |files| {
        edit(files, |_| {});
        let segment = files.bytes(&format!("{LARGE}/seg-00001.m4s"));
        let last = segment.len() - 1;
        segment[last] ^= 1;
    }),
    ("receipt-hash-unknown", |files| edit(files, |receipt| receipt["options"]["hash"] = json!("md5"))),
    ("receipt-track", |files| edit(files, |receipt| receipt["tracks"][0]["duration"] = json!(1))),
    ("receipt-manifest", |files| {
        edit(files, |receipt| {
            let master = |file: &Value| file["path"] == "master.m3u8";
            receipt["files"].as_array_mut().unwrap().retain(|file| !master(file));
        });
    }),
    ("receipt-unlisted", |files| {
        edit(files, |_| {});
        files.0.insert("video/notes.txt".to_owned(), b"x".to_vec());
    }),
    ("files-unnamed", |files| {
        files.0.remove(RECEIPT);
        files.0.insert(format!("{SMALL}/seg-99999.m4s"), b"x".to_vec());
    }),
];

/// Ticks of each segment in [`receipt`].
const DURATION: u64 = 1000;

/// The receipt of the other files.
pub(super) fn receipt(files: &Memory, algorithm: HashAlgorithm) -> Value {
    let mut listed = Vec::new();
    let mut tracks = std::collections::BTreeMap::<&str, u64>::new();
    for (path, bytes) in files.0.iter().filter(|(path, _)| *path != RECEIPT) {
        let mut hasher = FileHasher::new(algorithm);
        hasher.update(bytes);
        let mut file = json!({ "path": path, "bytes": bytes.len(), "hash": hasher.finish() });
        if let Some((directory, _)) = path.rsplit_once('/').filter(|_| path.ends_with(".m4s")) {
            *tracks.entry(directory).or_default() += 1;
            file["duration"] = json!(DURATION);
        }
        listed.push(file);
    }
    let track = |(input, (directory, segments)): (usize, (&str, u64))| {
        json!({
            "directory": directory, "input": input, "codec": "avc1.64001F", "timescale": DURATION,
            "duration": segments * DURATION, "samples": segments, "segments": segments
        })
    };
    json!({
        "fragmint": env!("CARGO_PKG_VERSION"),
        "inputs": [{ "name": "720p.h264", "bytes": 123 }],
        "options": { "segment_duration": "2", "frame_rate": null, "hls": true, "hash": algorithm.name() },
        "tracks": tracks.into_iter().enumerate().map(track).collect::<Vec<_>>(),
        "files": listed
    })
}

/// Writes the receipt of the files as they are, and changes it.
pub(super) fn edit(files: &mut Memory, change: impl FnOnce(&mut Value)) {
    let mut receipt = receipt(files, HashAlgorithm::Xxh3);
    change(&mut receipt);
    files.0.insert(RECEIPT.to_owned(), receipt.to_string().into_bytes());
}
