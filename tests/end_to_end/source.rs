//! The ladder's streams read in the plainest way, to compare a package with.

use std::fs;

use crate::package::{Kind, Track};

/// What must come out of a stream, unit for unit: NAL units other than those that samples do without, or AAC frames.
pub fn units(track: &Track) -> Vec<Vec<u8>> {
    let stream = fs::read(&track.source).expect("the ladder is in the repository");
    match track.kind {
        Kind::Video => {
            nal_units(&stream).into_iter().filter(|unit| !matches!(unit[0] & 31, 7..=12)).collect()
        }
        Kind::Audio => adts_frames(&stream),
    }
}

/// The NAL units of one `nal_unit_type`, each content once, in order of first appearance.
pub fn parameter_sets(track: &Track, nal_unit_type: u8) -> Vec<Vec<u8>> {
    let stream = fs::read(&track.source).expect("the ladder is in the repository");
    let mut sets = Vec::new();
    for unit in nal_units(&stream) {
        if unit[0] & 31 == nal_unit_type && !sets.contains(&unit) {
            sets.push(unit);
        }
    }
    sets
}

/// Codec string of a stream: `avc1.` and the three bytes behind the first SPS's header, or `mp4a.40.` and the object type.
pub fn codec_string(track: &Track) -> String {
    match track.kind {
        Kind::Video => {
            let sps = &parameter_sets(track, 7)[0];
            format!("avc1.{:02x}{:02x}{:02x}", sps[1], sps[2], sps[3])
        }
        Kind::Audio => {
            let stream = fs::read(&track.source).expect("the ladder is in the repository");
            format!("mp4a.40.{}", (stream[2] >> 6) + 1)
        }
    }
}

fn nal_units(stream: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> = (3..=stream.len()).filter(|&i| stream[i - 3..i] == [0, 0, 1]).collect();
    let mut units = Vec::new();
    for (i, &start) in starts.iter().enumerate() {
        let mut end = starts.get(i + 1).map_or(stream.len(), |next| next - 3);
        while end > start && stream[end - 1] == 0 {
            end -= 1;
        }
        units.push(stream[start..end].to_vec());
    }
    units
}

fn adts_frames(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let [_, has_no_crc, _, b, c, d, ..] = *stream {
        let length = usize::from(b & 3) << 11 | usize::from(c) << 3 | usize::from(d) >> 5;
        let header = if has_no_crc & 1 == 1 { 7 } else { 9 };
        frames.push(stream[header..length].to_vec());
        stream = &stream[length..];
    }
    frames
}
