//! The streams read in the plainest way, to compare a package with.

use std::fs;
use std::path::Path;

use crate::package::{Kind, Track};

/// What must come out of a stream, unit for unit: NAL units or OBUs other than those that samples do without, or AAC frames.
pub fn units(track: &Track) -> Vec<Vec<u8>> {
    match (track.kind, is_av1(track)) {
        (Kind::Video, false) => {
            nal_units(&read(track)).into_iter().filter(|unit| !matches!(unit[0] & 31, 7..=12)).collect()
        }
        (Kind::Video, true) => {
            let units = obus(&av1(track)).expect("the stream is sound");
            units.into_iter().filter(|obu| obu_type(obu) != TEMPORAL_DELIMITER).collect()
        }
        (Kind::Audio, _) => adts_frames(&read(track)),
    }
}

/// Whether a video is AV1.
pub fn is_av1(track: &Track) -> bool {
    track.source.extension().is_some_and(|extension| extension == "ivf" || extension == "obu")
}

/// The NAL units of one `nal_unit_type`, each content once, in order of first appearance.
pub fn parameter_sets(track: &Track, nal_unit_type: u8) -> Vec<Vec<u8>> {
    let stream = read(track);
    let mut sets = Vec::new();
    for unit in nal_units(&stream) {
        if unit[0] & 31 == nal_unit_type && !sets.contains(&unit) {
            sets.push(unit);
        }
    }
    sets
}

/// The first sequence header of an AV1 stream.
pub fn sequence_header(track: &Track) -> Vec<u8> {
    let units = obus(&av1(track)).expect("the stream is sound");
    units.into_iter().find(|obu| obu_type(obu) == SEQUENCE_HEADER).expect("a stream has a sequence header")
}

/// Codec string of a stream: `avc1.` and the three bytes behind the first SPS's header, `mp4a.40.` and the object type, or
/// `av01.` with profile, level, tier and bit depth, which is 8 here.
pub fn codec_string(track: &Track) -> String {
    match (track.kind, is_av1(track)) {
        (Kind::Video, false) => {
            let sps = &parameter_sets(track, 7)[0];
            format!("avc1.{:02x}{:02x}{:02x}", sps[1], sps[2], sps[3])
        }
        (Kind::Video, true) => {
            let header = sequence_header(track);
            // One byte of OBU header, one of size; then seq_profile, five flags and counts, operating_point_idc, seq_level_idx.
            assert_eq!(header[2] & 0x1f, 0, "no still picture, no timing_info, no initial_display_delay");
            assert!(header[5] >> 3 <= 7, "a level that has no tier");
            format!("av01.{}.{:02}M.08", header[2] >> 5, header[5] >> 3)
        }
        (Kind::Audio, _) => format!("mp4a.40.{}", (read(track)[2] >> 6) + 1),
    }
}

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;

fn obu_type(obu: &[u8]) -> u8 {
    obu[0] >> 3 & 15
}

/// OBUs that follow each other; `None` where a size does not fit.
pub fn obus(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut obus = Vec::new();
    while let Some(&header) = bytes.first() {
        // obu_extension_flag, and obu_has_size_field, which is 1.
        let mut at = 1 + usize::from(header >> 2 & 1);
        let mut size = 0;
        for shift in (0..).step_by(7).take_while(|_| header & 2 != 0) {
            let byte = *bytes.get(at)?;
            size |= usize::from(byte & 0x7f) << shift;
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (obu, rest) = bytes.split_at_checked(at + size)?;
        obus.push(obu.to_vec());
        bytes = rest;
    }
    Some(obus)
}

/// What the frames of an IVF file hold.
pub fn ivf_payload(file: &Path) -> Vec<u8> {
    let ivf = fs::read(file).expect("the stream is in the repository");
    let (mut payload, mut frames) = (Vec::new(), &ivf[32..]);
    while let Some((size, _)) = frames.split_first_chunk() {
        let end = 12 + u32::from_le_bytes(*size) as usize;
        payload.extend_from_slice(&frames[12..end]);
        frames = &frames[end..];
    }
    payload
}

fn av1(track: &Track) -> Vec<u8> {
    if track.source.extension().is_some_and(|extension| extension == "ivf") {
        ivf_payload(&track.source)
    } else {
        read(track)
    }
}

fn read(track: &Track) -> Vec<u8> {
    fs::read(&track.source).expect("the streams are in the repository")
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
