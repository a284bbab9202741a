//! A way to break each rule of init segments in the sample package.

use crate::verify::testing::{Break, HEVC, LARGE, Memory, SOUND};

/// Boxes on the way to a sample table.
const STBL: [&[u8; 4]; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

/// An `edts` with an `elst` of one edit from media time 1024.
const EDIT_LIST: &[u8] = b"\0\0\0\x24edts\0\0\0\x1celst\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x04\0\0\x01\0\0";

fn init(directory: &str) -> String {
    format!("{directory}/init.mp4")
}

/// Overwrites bytes of a box of the large video.
fn patch(files: &mut Memory, types: &[&[u8; 4]], at: usize, with: &[u8]) {
    files.patch(&init(LARGE), types, at, with);
}

/// The same below `stbl`.
fn patch_table(files: &mut Memory, types: &[&[u8; 4]], at: usize, with: &[u8]) {
    patch(files, &[&STBL[..], types].concat(), at, with);
}

/// Appends bytes to a box, which grows with what holds it.
fn append(files: &mut Memory, types: &[&[u8; 4]], bytes: &[u8]) {
    let path = init(LARGE);
    let boxes: Vec<_> = (1..=types.len()).map(|depth| files.find_box(&path, &types[..depth])).collect();
    let file = files.bytes(&path);
    for range in &boxes {
        let size = (range.len() + bytes.len()) as u32;
        file[range.start..range.start + 4].copy_from_slice(&size.to_be_bytes());
    }
    let end = boxes.last().unwrap().end;
    file.splice(end..end, bytes.iter().copied());
}

/// Makes every brand another.
fn rebrand(files: &mut Memory, brand: &[u8; 4]) {
    let ftyp = files.find_box(&init(LARGE), &[b"ftyp"]);
    for at in (16..ftyp.len()).step_by(4).chain([8]) {
        patch(files, &[b"ftyp"], at, brand);
    }
}

/// Makes the sound Opus of so many channels and samples of PreSkip, with what esds has behind that.
fn make_opus(files: &mut Memory, channels: u8, pre_skip: u16) {
    let path = init(SOUND);
    let entry = [&STBL[..], &[b"stsd", b"mp4a"]].concat();
    let esds = [&entry[..], &[b"esds"]].concat();
    let [high, low] = pre_skip.to_be_bytes();
    files.patch(&path, &esds, 8, &[0, channels, high, low, 0, 0, 0xbb, 0x80, 0, 0, 0]);
    files.patch(&path, &esds, 4, b"dOps");
    files.patch(&path, &entry, 4, b"Opus");
}

/// What breaks each rule.
pub(in crate::verify) const BROKEN: &[Break] = &[
    ("init-format", |files| files.bytes(&init(LARGE))[..4].copy_from_slice(b"\x1a\x45\xdf\xa3")),
    ("init-box-size", |files| patch(files, &[b"moov", b"trak", b"tkhd"], 0, b"\0\xff\xff\xff")),
    ("init-box-missing", |files| patch(files, &[b"moov", b"mvex"], 4, b"free")),
    ("init-box-duplicate", |files| patch_table(files, &[b"stss"], 4, b"stts")),
    ("init-box-order", |files| {
        patch_table(files, &[b"stts"], 4, b"xxxx");
        patch_table(files, &[b"stsc"], 4, b"stts");
        patch_table(files, &[b"xxxx"], 4, b"stsc");
    }),
    ("init-box-version", |files| patch(files, &[b"moov", b"mvhd"], 8, &[9])),
    ("init-box-flags", |files| patch(files, &[b"moov", b"trak", b"mdia", b"mdhd"], 11, &[1])),
    ("init-box-trailing", |files| append(files, &[b"moov", b"mvhd"], &[0; 4])),
    ("init-brand", |files| drop(files.bytes(&init(LARGE)).splice(..0, *b"\0\0\0\x08free"))),
    ("init-brand-version", |files| rebrand(files, b"mp42")),
    ("init-media", |files| files.bytes(&init(LARGE)).extend(b"\0\0\0\x08mdat")),
    ("init-tracks", |files| patch(files, &[b"moov", b"trak", b"tkhd"], 20, &[0; 4])),
    ("init-limit", |files| {
        rebrand(files, b"iso6");
        append(files, &[b"moov"], &b"\0\0\0\x08trak".repeat(15));
    }),
    ("init-track-enabled", |files| patch(files, &[b"moov", b"trak", b"tkhd"], 11, &[2])),
    ("init-tables", |files| patch_table(files, &[b"stts"], 12, &[0, 0, 0, 1])),
    ("init-trex", |files| patch(files, &[b"moov", b"mvex", b"trex"], 12, &[0, 0, 0, 7])),
    ("init-edit-list", |files| append(files, &[b"moov", b"trak"], EDIT_LIST)),
    ("init-priming", |files| make_opus(files, 2, 312)),
    ("init-roll-group", |files| {
        // In front of the distance stand version 0 and no length.
        append(files, &STBL, b"\0\0\0\x16sgpd\0\0\0\0roll\0\0\0\x01\xff\xfc");
    }),
    ("init-duration", |files| patch(files, &[b"moov", b"mvhd"], 24, &[0, 0, 0, 1])),
    ("init-matrix", |files| patch(files, &[b"moov", b"mvhd"], 28, &[0, 2, 0, 0])),
    ("init-timescale", |files| patch(files, &[b"moov", b"trak", b"mdia", b"mdhd"], 20, &[0; 4])),
    ("init-handler", |files| patch(files, &[b"moov", b"trak", b"mdia", b"hdlr"], 16, b"soun")),
    ("init-data-reference", |files| {
        let types = [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref", b"url "];
        patch(files, &types, 11, &[0]);
    }),
    ("init-entry", |files| patch_table(files, &[b"stsd"], 12, &[0, 0, 0, 2])),
    ("init-encryption", |files| patch_table(files, &[b"stsd", b"avc1"], 4, b"encv")),
    ("init-config", |files| patch_table(files, &[b"stsd", b"avc1", b"avcC"], 4, b"xvcC")),
    ("init-profile", |files| {
        // The level of the sequence parameter set behind the head of the record.
        files.patch(
            &format!("{LARGE}/init.mp4"),
            &[&STBL[..], &[b"stsd", b"avc1", b"avcC"]].concat(),
            19,
            &[51],
        );
    }),
    ("init-parameter-sets", |files| {
        let types = [&STBL[..], &[b"stsd", b"hvc1", b"hvcC"]].concat();
        files.patch(&init(HEVC), &types, 8 + 23, &[0x20]);
    }),
    ("init-size", |files| patch_table(files, &[b"stsd", b"avc1"], 32, &[0, 9])),
    ("init-display-size", |files| patch(files, &[b"moov", b"trak", b"tkhd"], 84, &[0, 1, 0, 0])),
    ("init-channels", |files| make_opus(files, 7, 0)),
];
