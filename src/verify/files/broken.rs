//! What breaks each rule about files.

use std::fmt::Write as _;

use crate::verify::testing::{Break, LARGE, SMALL};

/// One for each rule.
pub(in crate::verify) const BROKEN: &[Break] = &[
    ("file-missing", |files| {
        files.0.remove(&format!("{SMALL}/seg-00002.m4s"));
    }),
    ("file-outside", |files| {
        files.replace(&format!("{SMALL}/playlist.m3u8"), "seg-00002.m4s", "../../../seg-00002.m4s");
    }),
    ("file-unreadable", |files| {
        // A free box that makes it longer than any init segment that is read.
        let free = vec![0; 65 << 20];
        let size = u32::try_from(free.len() + 8).unwrap();
        let bytes = files.bytes(&format!("{LARGE}/init.mp4"));
        bytes.extend([&size.to_be_bytes()[..], b"free", &free].concat());
    }),
    ("file-elsewhere", |files| {
        files.replace(
            &format!("{SMALL}/playlist.m3u8"),
            "seg-00002.m4s",
            "https://example.com/seg-00002.m4s",
        );
    }),
    ("file-repeated", |files| {
        let len = files.bytes(&format!("{SMALL}/seg-00001.m4s")).len();
        let ranges = (0..40).fold(String::new(), |mut text, start| {
            let len = len - start;
            write!(text, "#EXTINF:2.0,\n#EXT-X-BYTERANGE:{len}@{start}\nseg-00001.m4s\n").unwrap();
            text
        });
        files.replace(&format!("{SMALL}/playlist.m3u8"), "#EXT-X-ENDLIST", &(ranges + "#EXT-X-ENDLIST"));
    }),
    ("playlist-unnamed", |files| files.replace("master.m3u8", SMALL, LARGE)),
];
