//! That a reservation is the segment file itself: what is written into it is seen through the open file, and how many bytes
//! move afterwards, by the shape of the packet.

use std::num::NonZeroU32;
use std::path::Path;

use fragmint::scan::annexb::NalUnits;
use fragmint::scan::h264::{AccessUnitBuilder, AccessUnitOptions};
use fragmint::segmenter::{CodecConfig, Effort, SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::Timescale;

/// The access units of an example stream, as NAL units; parameter sets are in front of the first.
fn access_units() -> Vec<Vec<Vec<u8>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder/234p.h264");
    let stream = std::fs::read(path).unwrap();
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    let (mut sets, mut units) = (Vec::new(), Vec::new());
    let mut add = |ranges: &[fragmint::scan::SourceRange]| {
        let bytes = ranges.iter().map(|range| stream[range.offset as usize..range.end() as usize].to_vec());
        units.push(bytes.collect::<Vec<_>>());
    };
    for unit in NalUnits::new(&stream).unwrap() {
        let unit = unit.unwrap();
        if matches!(unit.head[0] & 0x1f, 7 | 8) && sets.len() < 2 {
            sets.push(unit.head.to_vec());
        }
        if let Some(access_unit) = builder.push(unit).unwrap() {
            add(access_unit.units);
        }
    }
    add(builder.finish().unwrap().unwrap().units);
    units[0].splice(0..0, sets);
    units
}

/// How packets are made of access units.
#[derive(Clone, Copy)]
struct Shape {
    /// Bytes of the first start code, and of the others.
    start_codes: (usize, usize),
    delimiter: bool,
}

fn packet(units: &[Vec<u8>], shape: Shape) -> Vec<u8> {
    let delimiter: &[&[u8]] = if shape.delimiter { &[&[9, 0xf0]] } else { &[] };
    let mut packet = Vec::new();
    for unit in delimiter.iter().copied().chain(units.iter().map(Vec::as_slice)) {
        let (first, other) = shape.start_codes;
        let zeros = if packet.is_empty() { first - 1 } else { other - 1 };
        packet.extend(std::iter::repeat_n(0, zeros));
        packet.push(1);
        packet.extend(unit);
    }
    packet
}

/// A directory whose files are mapped: tmpfs, for on some file systems (overlayfs, btrfs) they are not.
fn output() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

fn segmenter(output: &Path) -> Segmenter {
    let timescale = Timescale::new(NonZeroU32::new(25_000).unwrap());
    Segmenter::new(SegmenterConfig::new(output, "video", CodecConfig::avc(), timescale)).unwrap()
}

/// Writes the access units through reservations; what moved, and the bytes of the segment.
fn reserve_all(units: &[Vec<Vec<u8>>], shape: Shape) -> (Effort, Vec<u8>) {
    let output = output();
    let mut segmenter = segmenter(output.path());
    for unit in units {
        let packet = packet(unit, shape);
        let mut room = segmenter.reserve(packet.len() + 1000).unwrap();
        room[..packet.len()].copy_from_slice(&packet);
        room.commit(packet.len(), SampleTiming::new(1000)).unwrap();
    }
    let segment = segmenter.cut().unwrap().unwrap();
    (segmenter.effort(), std::fs::read(segment.path).unwrap())
}

#[test]
fn bytes_move_as_little_as_the_shape_of_the_packets_allows() {
    let units = access_units();
    let sizes: Vec<u64> =
        units.iter().map(|units| units.iter().map(|unit| unit.len() as u64).sum()).collect();
    let four = Shape { start_codes: (4, 4), delimiter: false };
    let (effort, expected) = reserve_all(&units, four);
    assert_eq!((effort.copied_bytes, effort.payload_bytes > 50_000), (0, true));
    // The sets that the first packet begins with are not in its sample, so that its picture moves.
    assert!(effort.moved_bytes <= sizes[0], "{effort:?}");

    let known = units[0][..2].to_vec();
    let without_sets: Vec<_> =
        units.iter().enumerate().map(|(i, units)| units[if i == 0 { 2 } else { 0 }..].to_vec()).collect();
    let codec = |known_parameter_sets| CodecConfig::Avc {
        parameter_sets: Default::default(),
        known_parameter_sets,
        video: Default::default(),
    };
    let output = output();
    let timescale = Timescale::new(NonZeroU32::new(25_000).unwrap());
    let config = SegmenterConfig::new(output.path(), "video", codec(known), timescale);
    let mut segmenter = Segmenter::new(config).unwrap();
    for unit in &without_sets {
        let packet = packet(unit, four);
        let mut room = segmenter.reserve(packet.len()).unwrap();
        room.copy_from_slice(&packet);
        room.commit(packet.len(), SampleTiming::new(1000)).unwrap();
    }
    let segment = segmenter.cut().unwrap().unwrap();
    assert!(std::fs::read(segment.path).unwrap() == expected, "the same with sets known in advance");
    assert_eq!(segmenter.effort().moved_bytes, 0, "four-byte start codes: nothing moves");

    // What stands in front of every packet alike is learned from the first ones.
    let learned: u64 = sizes[..3].iter().sum();
    for (name, start_codes, delimiter) in
        [("three bytes in front", (3, 4), false), ("delimiters", (4, 4), true), ("both", (3, 3), true)]
    {
        let (effort, bytes) = reserve_all(&units, Shape { start_codes, delimiter });
        assert!(bytes == expected, "{name}: the same segment");
        let further = effort.moved_bytes.saturating_sub(learned);
        assert!(further * 10 < effort.payload_bytes, "{name}: {effort:?}");
        assert!(effort.moved_bytes > 0, "{name}: the first packet was not expected to be so");
    }
}

#[test]
fn a_pattern_in_a_reservation_is_seen_through_the_open_file() {
    let output = output();
    let directory = output.path().canonicalize().unwrap();
    let mut segmenter = segmenter(output.path());
    let units = access_units();
    segmenter
        .push(&packet(&units[0], Shape { start_codes: (4, 4), delimiter: false }), SampleTiming::new(1000))
        .unwrap();
    let mut room = segmenter.reserve(4096).unwrap();
    let pattern: Vec<u8> = (0..4096_u32).map(|i| (i * 7 % 251) as u8).collect();
    room.copy_from_slice(&pattern);

    let mut seen = 0;
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        let Ok(target) = std::fs::read_link(&path) else { continue };
        let file_of_ours = target.starts_with(directory.join("video")) && target != directory.join("video");
        if let Some(bytes) = file_of_ours.then(|| std::fs::read(&path).unwrap()) {
            seen += bytes.windows(pattern.len()).filter(|window| *window == pattern).count();
        }
    }
    assert_eq!(seen, 1, "in the one file that is being filled");
    drop(room);
    drop(segmenter);
    assert_eq!(std::fs::read_dir(output.path()).unwrap().count(), 0);
}
