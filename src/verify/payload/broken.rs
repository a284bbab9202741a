//! The sample package, broken for each rule of samples.

use super::super::testing::{Break, LARGE, Memory, SMALL, SOUND};

const TRUN: &[&[u8; 4]] = &[b"moof", b"traf", b"trun"];

fn third(directory: &str) -> String {
    format!("{directory}/seg-00003.m4s")
}

/// Where the `trun` of the third segment of video has its first row: size, flags and composition offset of each sample.
fn rows(files: &Memory) -> usize {
    let start = files.find_box(&third(LARGE), TRUN).start;
    assert_eq!(files.0[&third(LARGE)][start + 8..start + 12], [1, 0, 0x0e, 1]);
    start + 20
}

/// Overwrites bytes of the first slice of the third segment of video, which is of an IDR picture: 0 is its NAL unit header.
fn slice(files: &mut Memory, at: usize, with: &[u8]) {
    let mut position = files.find_box(&third(LARGE), &[b"mdat"]).start + 8;
    let bytes = files.bytes(&third(LARGE));
    while bytes[position + 4] & 0x1f != 5 {
        let len = u32::from_be_bytes(bytes[position..position + 4].try_into().unwrap());
        position += 4 + len as usize;
    }
    bytes[position + 4 + at..position + 4 + at + with.len()].copy_from_slice(with);
}

/// Makes the sound AC-3 of 48 kHz and one channel, with what esds has behind that, and overwrites the start of the first sample of the
/// third segment, whose other bytes are another frame's.
fn make_ac3(files: &mut Memory, with: &[u8]) {
    let init = format!("{SOUND}/init.mp4");
    let entry: &[&[u8; 4]] = &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a"];
    files.patch(&init, &[entry, &[b"esds"]].concat(), 4, b"dac3\x10\x08\0");
    files.patch(&init, entry, 4, b"ac-3");
    files.patch(&third(SOUND), &[b"mdat"], 8, with);
    // The first row of trun has the size: that of the syncframe, and what is left is in the second.
    let trun = files.find_box(&third(SOUND), TRUN).start;
    let bytes = files.bytes(&third(SOUND));
    assert_eq!(bytes[trun + 8..trun + 12], [1, 0, 2, 1]);
    let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let both = word(bytes, trun + 20) + word(bytes, trun + 24);
    bytes[trun + 20..trun + 24].copy_from_slice(&128u32.to_be_bytes());
    bytes[trun + 24..trun + 28].copy_from_slice(&(both - 128).to_be_bytes());
}

/// Each rule with an edit that breaks it.
pub(in crate::verify) const BROKEN: &[Break] = &[
    ("nal-lengths", |files| files.patch(&third(LARGE), &[b"mdat"], 8, &[0xff; 4])),
    ("obu-sizes", |files| {
        // Made a track of AV1, whose sample starts with a temporal delimiter that is longer.
        let init = format!("{SMALL}/init.mp4");
        let entry: &[&[u8; 4]] = &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"];
        files.patch(&init, &[entry, &[b"avcC"]].concat(), 4, b"av1C\x81\0\x0c\0");
        files.patch(&init, entry, 4, b"av01");
        files.patch(&third(SMALL), &[b"mdat"], 8, &[0x12, 0xff, 0xff, 0xff, 0x7f]);
    }),
    // forbidden_zero_bit.
    ("sample-syntax", |files| slice(files, 0, &[0xe5])),
    ("sample-picture", |files| {
        let rows = rows(files);
        let start = files.find_box(&third(LARGE), &[b"mdat"]).start + 8;
        let bytes = files.bytes(&third(LARGE));
        let word =
            |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (mut at, end) = (start, start + word(bytes, rows));
        while at < end {
            // Filler data, all of it.
            bytes[at + 4] = 12;
            at += 4 + word(bytes, at);
        }
    }),
    ("sample-sync", |files| {
        let flags = rows(files) + 4;
        files.bytes(&third(LARGE))[flags..flags + 4].copy_from_slice(&[1, 1, 0, 0]);
    }),
    ("sample-order", |files| {
        let trun = files.find_box(&third(LARGE), TRUN);
        let rows = rows(files);
        for row in files.bytes(&third(LARGE))[rows..trun.end].chunks_mut(12) {
            row[8..].fill(0);
        }
    }),
    // first_mb_in_slice 0, slice_type 7, pic_parameter_set_id 1.
    ("sample-parameter-sets", |files| slice(files, 1, &[0x88, 0x40])),
    // A picture parameter set.
    ("sample-in-band", |files| slice(files, 0, &[0x68])),
    // 640 kbit/s, which has 2560 bytes.
    ("sample-frames", |files| make_ac3(files, &[0x0b, 0x77, 0, 0, 0x25, 0x40, 0x2f, 0x84])),
    // 1536 samples in the place of 1024.
    ("sample-duration", |files| make_ac3(files, &[0x0b, 0x77, 0, 0, 0, 0x40, 0x2f, 0x84])),
    // Five channels, and one in dac3.
    ("sample-configuration", |files| make_ac3(files, &[0x0b, 0x77, 0, 0, 0, 0x40, 0xef, 0x84])),
    ("sample-checksum", |files| make_ac3(files, &[0x0b, 0x77, 0, 0, 0, 0x40, 0x2f, 0x84])),
];
