//! The sample package, broken for each rule of segments.

use super::super::testing::{Break, LARGE, Memory, SOUND};

fn third(directory: &str) -> String {
    format!("{directory}/seg-00003.m4s")
}

const TRAF: &[&[u8; 4]] = &[b"moof", b"traf"];
const TFHD: &[&[u8; 4]] = &[b"moof", b"traf", b"tfhd"];
const TFDT: &[&[u8; 4]] = &[b"moof", b"traf", b"tfdt"];
const TRUN: &[&[u8; 4]] = &[b"moof", b"traf", b"trun"];

/// Overwrites bytes of a box of the third segment of video.
fn patch(files: &mut Memory, types: &[&[u8; 4]], at: usize, with: &[u8]) {
    files.patch(&third(LARGE), types, at, with);
}

/// Overwrites fields of the first sample of the third segment of video: size, flags, composition offset.
fn first_row(files: &mut Memory, at: usize, with: &[u8]) {
    let word = files.find_box(&third(LARGE), TRUN).start + 8;
    // Behind the count stands data_offset alone.
    assert_eq!(files.bytes(&third(LARGE))[word..word + 4], [1, 0, 0x0e, 1]);
    patch(files, TRUN, 20 + at, with);
}

/// Replaces bytes of a box of the third segment of video, counted from its start, and gives all around it the new size.
fn splice(files: &mut Memory, types: &[&[u8; 4]], at: std::ops::Range<usize>, with: &[u8]) {
    let path = third(LARGE);
    let holders: Vec<_> = (1..=types.len()).map(|len| files.find_box(&path, &types[..len])).collect();
    let bytes = files.bytes(&path);
    let start = holders.last().unwrap().start;
    for holder in &holders {
        let size = (holder.len() + with.len() - at.len()) as u32;
        bytes[holder.start..holder.start + 4].copy_from_slice(&size.to_be_bytes());
    }
    bytes.splice(start + at.start..start + at.end, with.iter().copied());
}

/// The first chunk of the third segment once more, behind it, with another sequence number and decode time.
fn repeat(files: &mut Memory, sequence_number: u32, decode_time: Option<u64>) {
    let path = third(LARGE);
    let mut copy = Memory::default();
    copy.0.insert(path.clone(), files.0[&path].clone());
    copy.patch(&path, &[b"moof", b"mfhd"], 12, &sequence_number.to_be_bytes());
    if let Some(time) = decode_time {
        copy.patch(&path, TFDT, 12, &time.to_be_bytes());
    }
    let copy = copy.0.remove(&path).unwrap();
    files.bytes(&path).extend(copy);
}

/// Each rule with an edit that breaks it.
pub(in crate::verify) const BROKEN: &[Break] = &[
    ("segment-box-size", |files| {
        let path = third(LARGE);
        let len = files.bytes(&path).len();
        files.bytes(&path).truncate(len * 2 / 3);
    }),
    ("segment-limit", |files| {
        // No column, so that the number of samples is not bound by the size of the box.
        splice(files, TRUN, 8..16, &[1, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff]);
    }),
    ("segment-brand", |files| {
        let path = third(LARGE);
        files.bytes(&path).splice(0..0, *b"\0\0\0\x14stypmsdh\0\0\0\0msix");
    }),
    ("segment-box-missing", |files| patch(files, &[b"moof"], 4, b"mooX")),
    ("segment-box-duplicate", |files| {
        splice(files, TRAF, 8..8, b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\0\0\0");
        splice(files, TRAF, 8..8, b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\0\0\0");
    }),
    ("segment-box-order", |files| {
        let path = third(LARGE);
        let (tfdt, trun) = (files.find_box(&path, TFDT), files.find_box(&path, TRUN));
        assert_eq!(tfdt.end, trun.start);
        files.bytes(&path)[tfdt.start..trun.end].rotate_left(tfdt.len());
    }),
    ("segment-box-version", |files| patch(files, TFDT, 8, &[9])),
    ("segment-box-trailing", |files| {
        let at = files.find_box(&third(LARGE), TRUN).start + 12;
        let bytes = files.bytes(&third(LARGE));
        let count = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&(count - 1).to_be_bytes());
    }),
    ("segment-mdat", |files| {
        let at = files.find_box(&third(LARGE), &[b"moof"]).end;
        files.bytes(&third(LARGE)).splice(at..at, *b"\0\0\0\x08free");
    }),
    ("segment-tracks", |files| {
        let traf = files.find_box(&third(LARGE), TRAF);
        let traf = files.bytes(&third(LARGE))[traf].to_vec();
        let end = files.find_box(&third(LARGE), &[b"moof"]).len();
        splice(files, &[b"moof"], end..end, &traf);
    }),
    ("segment-track-id", |files| patch(files, TFHD, 15, &[7])),
    ("segment-base", |files| patch(files, TFHD, 9, &[0])),
    ("segment-data-offset", |files| patch(files, TRUN, 16, &[0, 0, 0, 9])),
    ("segment-payload", |files| {
        let mdat = files.find_box(&third(LARGE), &[b"mdat"]);
        let size = mdat.len() as u32 + 5;
        patch(files, &[b"mdat"], 0, &size.to_be_bytes());
        files.bytes(&third(LARGE)).extend([0; 5]);
    }),
    ("segment-empty", |files| {
        splice(files, TRUN, 8..16, &[1, 0, 0, 1, 0, 0, 0, 0]);
    }),
    ("segment-sequence", |files| repeat(files, 3, None)),
    ("segment-decode-time", |files| repeat(files, 4, Some(1))),
    ("segment-duration", |files| {
        // The default duration of audio, which tfhd tells for all samples.
        files.patch(&third(SOUND), TFHD, 20, &[0; 4]);
    }),
    ("segment-composition", |files| {
        first_row(files, 8, &[0, 0, 0, 1]);
    }),
    ("segment-spacing", |files| first_row(files, 12 + 8, &1500_u32.to_be_bytes())),
    ("segment-trun", |files| patch(files, TRUN, 8, &[0])),
    ("segment-sync", |files| first_row(files, 4, &[1, 1, 0, 0])),
    ("segment-sync-table", |files| {
        files.patch(
            &format!("{LARGE}/init.mp4"),
            &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stss"],
            4,
            b"free",
        );
    }),
    ("segment-roll-group", |files| {
        let end = files.find_box(&third(LARGE), TRAF).len();
        splice(files, TRAF, end..end, b"\0\0\0\x1csbgp\0\0\0\0roll\0\0\0\x01\0\0\0\x01\0\0\0\x01");
    }),
    ("segment-pre-roll", |files| {
        // Opus, with what esds has behind its fields.
        let init = format!("{SOUND}/init.mp4");
        let entry: &[&[u8; 4]] = &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a"];
        let esds = [entry, &[b"esds"]].concat();
        files.patch(&init, &esds, 4, b"dOps\0\x02\x01\x38\0\0\xbb\x80\0\0\0");
        files.patch(&init, entry, 4, b"Opus");
    }),
    ("segment-flags", |files| first_row(files, 4, &[1, 0, 0, 0])),
];
