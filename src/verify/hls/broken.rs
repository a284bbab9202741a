//! One way to break each rule of playlists in the sample package.

use crate::verify::testing::{Break, LARGE, Memory, SMALL};

const MULTIVARIANT: &str = "master.m3u8";

/// Edits the media playlist of the large video.
fn media(files: &mut Memory, from: &str, to: &str) {
    files.replace(&format!("{LARGE}/playlist.m3u8"), from, to);
}

fn multivariant(files: &mut Memory, from: &str, to: &str) {
    files.replace(MULTIVARIANT, from, to);
}

/// The breaks, by the rule that has to notice them.
pub(in crate::verify) const BROKEN: &[Break] = &[
    ("hls-syntax", |files| {
        files.bytes(MULTIVARIANT).splice(..0, *b"\xef\xbb\xbf");
    }),
    ("hls-version", |files| media(files, "VERSION:6", "VERSION:5")),
    ("hls-attribute", |files| multivariant(files, "BANDWIDTH=365072", "BANDWIDTH=\"365072\"")),
    ("hls-variables", |files| {
        multivariant(files, "VERSION:6\n", "VERSION:8\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n");
    }),
    ("hls-target-duration", |files| media(files, "DURATION:2", "DURATION:1")),
    ("hls-extinf", |files| media(files, "#EXTINF:2.000000,\nseg-00003", "seg-00003")),
    ("hls-byte-range", |files| {
        media(files, "seg-00003", "#EXT-X-BYTERANGE:100\nseg-00003");
    }),
    ("hls-map", |files| media(files, "#EXT-X-MAP:URI=\"init.mp4\"\n", "")),
    ("hls-media-sequence", |files| media(files, "SEQUENCE:1", "SEQUENCE:one")),
    ("hls-playlist-type", |files| media(files, "TYPE:VOD", "TYPE:FILM")),
    ("hls-end", |files| media(files, "#EXT-X-ENDLIST\n", "")),
    ("hls-empty", |files| {
        let text = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n";
        *files.bytes(&format!("{SMALL}/playlist.m3u8")) = text.to_vec();
    }),
    ("hls-group", |files| multivariant(files, "AUDIO=\"audio\"", "AUDIO=\"sound\"")),
    ("hls-bandwidth-missing", |files| multivariant(files, ":BANDWIDTH=365072,AVERAGE", ":AVERAGE")),
    ("hls-codecs-missing", |files| multivariant(files, "CODECS=\"avc1.64001E,mp4a.40.2\",", "")),
];
