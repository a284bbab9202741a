//! Segments by hand, each rule broken once, and damage at random.

use proptest::prelude::*;

use super::super::header::{Entry, RollGroups, SampleDefaults};
use super::*;
use crate::verify::testing::{Break, HEVC, LARGE, SMALL, SOUND, package};

/// What an init segment of a video track would say.
pub(super) fn header(brands: &[&[u8; 4]]) -> Header {
    Header {
        handler: FourCc(*b"vide"),
        track_id: 1,
        timescale: 25000,
        brands: brands.iter().map(|brand| FourCc(**brand)).collect(),
        defaults: SampleDefaults::default(),
        edit_media_time: None,
        empty_edit: None,
        fragment_duration: None,
        has_sync_table: true,
        rolls: RollGroups::default(),
        entry: Entry {
            format: FourCc(*b"avc1"),
            configuration: None,
            codec: None,
            size: None,
            channels: None,
            sample_rate: None,
            colour: None,
            pre_skip: None,
            dolby: None,
            is_encrypted: false,
        },
        others: Vec::new(),
    }
}

/// A box.
fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, &body].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

const SYNC: u32 = 0x0200_0000;
const OTHER: u32 = 0x0101_0000;

/// The parts of a chunk.
#[derive(Clone)]
struct Parts {
    mfhd: Vec<u8>,
    tfhd: Vec<u8>,
    tfdt: Vec<u8>,
    trun: Vec<u8>,
    payload: usize,
}

impl Parts {
    /// Chunk `number` with three samples of 4, 2 and 3 bytes and 1000 ticks: the second is shown last.
    fn new(number: u32) -> Self {
        Self {
            mfhd: words(&[0, number]),
            tfhd: words(&[0x02_0020, 1, OTHER]),
            tfdt: words(&[0, 3000 * (number - 1)]),
            trun: Self::trun(
                0x0100_0f05 & !0x400,
                &[SYNC, 1000, 4, 0, 1000, 2, 1000, 1000, 3, -1000_i32 as u32],
            ),
            payload: 9,
        }
    }

    /// A `trun` body with `data_offset` to be filled in, behind the word and the count.
    fn trun(word: u32, rest: &[u32]) -> Vec<u8> {
        words(&[&[word, 3, 0], rest].concat())
    }

    /// `moof` and `mdat`.
    fn bytes(&self) -> Vec<u8> {
        let moof = |trun: &[u8]| {
            let traf = boxed(
                b"traf",
                &[&boxed(b"tfhd", &[&self.tfhd]), &boxed(b"tfdt", &[&self.tfdt]), &boxed(b"trun", &[trun])],
            );
            boxed(b"moof", &[&boxed(b"mfhd", &[&self.mfhd]), &traf])
        };
        let len = moof(&self.trun).len() as u32 + 8;
        let mut trun = self.trun.clone();
        if trun[3] & 1 != 0 {
            trun[8..12].copy_from_slice(&len.to_be_bytes());
        }
        [moof(&trun), boxed(b"mdat", &[&vec![0xaa; self.payload]])].concat()
    }
}

fn read_of(bytes: &[u8], header: &Header) -> (Option<Segment>, Vec<(&'static str, Severity)>) {
    let mut findings = Findings::default();
    let segment = read("a.m4s", &bytes, 0..bytes.len() as u64, header, &mut findings);
    let told = findings.as_slice().iter().map(|finding| (finding.rule.id, finding.rule.severity)).collect();
    (segment, told)
}

/// Ids of what is found with brands `cmfc` and `cmf2`.
fn ids(bytes: &[u8]) -> Vec<&'static str> {
    read_of(bytes, &header(&[b"cmfc", b"cmf2"])).1.into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_sample_behind_the_end_is_no_place() {
    let mut parts = Parts::new(1);
    // The duration of the first sample; behind it, in the bytes, data_offset.
    parts.trun[16..20].fill(0);
    let mut bytes = parts.bytes();
    let offsets = |bytes: &[u8]| {
        let mut findings = Findings::default();
        read("a.m4s", &bytes, 0..bytes.len() as u64, &header(&[b"cmfc", b"cmf2"]), &mut findings);
        let durations = findings.into_vec().into_iter().filter(|found| found.rule.id == "segment-duration");
        durations.map(|found| found.offset).collect::<Vec<_>>()
    };
    assert_eq!(offsets(&bytes), [Some(bytes.len() as u64 - 9)]);
    let at = bytes.windows(4).position(|kind| kind == b"trun").unwrap() + 12;
    bytes[at..at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
    assert_eq!(offsets(&bytes), [None]);
}

#[test]
fn a_chunk_is_its_samples_with_their_places() {
    let bytes = [boxed(b"styp", &[b"cmfs\0\0\0\0cmfscmff"]), Parts::new(1).bytes()].concat();
    let (segment, found) = read_of(&bytes, &header(&[b"cmfc", b"cmf2"]));
    assert_eq!(found, []);
    let segment = segment.unwrap();
    assert_eq!(segment.len, bytes.len() as u64);
    assert_eq!(segment.brands, [b"cmfs", b"cmfs", b"cmff"].map(|brand| FourCc(*brand)));
    let payload = bytes.len() as u64 - 9..bytes.len() as u64;
    let chunk = &segment.chunks[0];
    assert_eq!((chunk.offset, chunk.sequence_number, chunk.base_decode_time), (24, 1, 0));
    assert_eq!((chunk.samples.clone(), chunk.payload.clone()), (0..3, payload.clone()));
    let rows: Vec<_> = segment
        .samples
        .iter()
        .map(|s| (s.offset - payload.start, s.size, s.duration, s.composition_offset, s.flags))
        .collect();
    assert_eq!(rows, [(0, 4, 1000, 0, SYNC), (4, 2, 1000, 1000, OTHER), (6, 3, 1000, -1000, OTHER)]);
}

#[test]
fn the_sample_package_is_sound() {
    let package = package();
    for directory in [LARGE, SMALL, HEVC, SOUND] {
        let header = sample_header(directory);
        for (path, bytes) in package.0.iter().filter(|(path, _)| path.starts_with(directory)) {
            if path.ends_with(".m4s") {
                let (segment, found) = read_of(bytes, &header);
                assert_eq!(found, [], "{path}");
                assert!(segment.unwrap().samples.len() > 10, "{path}");
            }
        }
    }
}

/// The header of a track of the sample package.
fn sample_header(directory: &str) -> Header {
    let mut header = header(&[b"cmfc", b"cmf2"]);
    if directory == SOUND {
        header.handler = FourCc(*b"soun");
    }
    header
}

#[test]
fn each_rule_is_named_once_broken() {
    let broken: &[Break] = broken::BROKEN;
    let listed: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    let edited: Vec<_> = broken.iter().map(|(id, _)| *id).collect();
    assert_eq!(edited, listed);
    let sound = package();
    for (id, edit) in broken {
        let mut edited = sound.clone();
        edit(&mut edited);
        let mut found = Vec::new();
        for (path, bytes) in &edited.0 {
            if path.ends_with(".m4s") && sound.0[path] != *bytes {
                let header = sample_header(path.rsplit_once('/').unwrap().0);
                found.extend(read_of(bytes, &header).1);
            }
        }
        if *id == SEGMENT_SYNC_TABLE.id {
            // The edit is one of the init segment, which is read elsewhere, and found there.
            let path = format!("{LARGE}/seg-00003.m4s");
            let header = sample_header(LARGE);
            let segment = read_of(&edited.0[&path], &header).0.unwrap();
            assert!(!lacks_sync_table(&segment, &header));
            assert!(lacks_sync_table(&segment, &Header { has_sync_table: false, ..header }));
            continue;
        }
        if *id == SEGMENT_PRE_ROLL.id {
            // So is this; what is looked for is in the samples.
            continue;
        }
        assert!(found.iter().any(|(found, _)| found == id), "{id}: {found:?}");
    }
}

#[test]
fn what_only_cmaf_asks_for_is_a_warning_elsewhere() {
    let old = Parts { tfhd: words(&[0x20, 1, OTHER]), ..Parts::new(1) };
    let plain = header(&[b"iso6"]);
    assert_eq!(read_of(&old.bytes(), &plain).1, [("segment-base", Severity::Warning)]);
    assert_eq!(ids(&old.bytes()), ["segment-base"]);
    let with_styp = [boxed(b"styp", &[b"cmfs\0\0\0\0cmfs"]), old.bytes()].concat();
    assert_eq!(read_of(&with_styp, &plain).1, [("segment-base", Severity::Error)]);
    let free = Parts::new(1).bytes();
    let at = free.len() - 17;
    let free = [&free[..at], &boxed(b"emsg", &[]), &free[at..]].concat();
    assert_eq!(ids(&free), ["segment-mdat", "segment-data-offset"]);
    assert_eq!(read_of(&free, &plain).1, [("segment-data-offset", Severity::Error)]);
}

#[test]
fn a_base_data_offset_counts_in_this_file_or_in_one_that_is_gone() {
    let plain = header(&[]);
    for base in [0, 5000] {
        let parts = Parts { tfhd: words(&[0x21, 1, 0, base, OTHER]), ..Parts::new(1) };
        let (segment, found) = read_of(&parts.bytes(), &plain);
        assert_eq!(found, [("segment-base", Severity::Warning)]);
        let segment = segment.unwrap();
        assert_eq!(segment.samples[0].offset, segment.chunks[0].payload.start);
    }
}

#[test]
fn chunks_follow_each_other_with_other_boxes_in_front() {
    let chunk =
        |number| [boxed(b"prft", &[&[0; 20]]), boxed(b"emsg", &[]), Parts::new(number).bytes()].concat();
    let bytes =
        [boxed(b"styp", &[b"cmfl\0\0\0\0cmfl"]), boxed(b"sidx", &[]), chunk(1), chunk(2), chunk(3)].concat();
    let (segment, found) = read_of(&bytes, &header(&[b"cmfc"]));
    assert_eq!(found, []);
    let segment = segment.unwrap();
    let times: Vec<_> =
        segment.chunks.iter().map(|chunk| (chunk.base_decode_time, chunk.samples.clone())).collect();
    assert_eq!(times, [(0, 0..3), (3000, 3..6), (6000, 6..9)]);
    assert_eq!(ids(&[chunk(1), chunk(3)].concat()), ["segment-decode-time"]);
    assert_eq!(
        ids(&[chunk(2), chunk(1)].concat()),
        ["segment-decode-time", "segment-sequence", "segment-composition"]
    );
}

#[test]
fn a_part_of_a_file_is_read_with_the_offsets_of_the_file() {
    let chunk = Parts::new(1).bytes();
    let file = [&[0xff; 100][..], &chunk, &[0xff; 100]].concat();
    let mut findings = Findings::default();
    let range = 100..100 + chunk.len() as u64;
    let segment = read("a", &file.as_slice(), range.clone(), &header(&[b"cmfc"]), &mut findings).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!((segment.chunks[0].offset, segment.chunks[0].payload.end), (100, range.end));
    assert_eq!(segment.samples[0].offset, range.end - 9);
    let cut = read("a", &file.as_slice(), 100..range.end - 1, &header(&[b"cmfc"]), &mut findings);
    assert_eq!(cut.unwrap().samples.len(), 3);
    assert_eq!(findings.as_slice()[0].rule.id, "segment-box-size");
    assert_eq!(findings.len(), 1);
}

#[test]
fn sizes_of_64_bits_and_to_the_end_are_read() {
    let parts = Parts::new(1);
    let bytes = parts.bytes();
    let mdat = bytes.len() - 17;
    let mut to_end = bytes.clone();
    to_end[mdat..mdat + 4].fill(0);
    assert_eq!(ids(&to_end), [""; 0]);
    let mut long = bytes[..mdat].to_vec();
    long.extend(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x19");
    long.extend([0xaa; 9]);
    let at = long.windows(4).position(|w| w == b"trun").unwrap() + 12;
    long[at + 3] += 8;
    assert_eq!(ids(&long), [""; 0]);
    long[mdat + 15] = 15;
    assert_eq!(ids(&long), ["segment-box-size"]);
}

#[test]
fn defaults_come_from_tfhd_else_from_trex() {
    // Two runs; the second follows the first.
    let trun = |word, rest: &[u32]| boxed(b"trun", &[&words(&[&[word], rest].concat())]);
    let runs = [trun(1, &[2, 0]), trun(0, &[1])].concat();
    let traf = |tfhd: &[u32]| {
        boxed(b"traf", &[&boxed(b"tfhd", &[&words(tfhd)]), &boxed(b"tfdt", &[&words(&[0, 0])]), &runs])
    };
    let moof = |tfhd: &[u32]| boxed(b"moof", &[&boxed(b"mfhd", &[&words(&[0, 1])]), &traf(tfhd)]);
    for (tfhd, size, expected) in [
        (&[0x02_0000, 1][..], 4, (10, 4, SYNC)),
        (&[0x02_003a, 1, 1, 20, 5, 0x0200_0100], 5, (20, 5, 0x0200_0100)),
    ] {
        let mut bytes = moof(tfhd);
        let len = bytes.len() as u32 + 8;
        let at = bytes.windows(4).position(|window| window == b"trun").unwrap() + 12;
        bytes[at..at + 4].copy_from_slice(&len.to_be_bytes());
        bytes.extend(boxed(b"mdat", &[&vec![0; 3 * size]]));
        let defaults = SampleDefaults { duration: 10, size: 4, flags: SYNC };
        let (segment, found) = read_of(&bytes, &Header { defaults, ..header(&[b"iso6"]) });
        assert_eq!(found, []);
        let samples = segment.unwrap().samples;
        assert!(samples.iter().all(|s| (s.duration, s.size as usize, s.flags) == expected), "{samples:?}");
        assert_eq!(samples[2].offset, u64::from(len) + 2 * size as u64);
        let told = read_of(&bytes, &Header { defaults, ..header(&[b"cmf2"]) }).1;
        // The version twice, and duration, size and flags of both runs where they are left to trex; data_offset once.
        let trun = told.iter().filter(|(id, _)| *id == "segment-trun").count();
        assert_eq!(trun, if tfhd.len() == 2 { 8 } else { 2 }, "{told:?}");
        assert_eq!(told.iter().filter(|(id, _)| *id == "segment-data-offset").count(), 1);
    }
}

#[test]
fn tracks_beside_each_other_fill_one_mdat() {
    let traf = |id: u32, offset: u32| {
        let tfhd = boxed(b"tfhd", &[&words(&[0x02_0038, id, 10, 4, SYNC])]);
        let trun = boxed(b"trun", &[&words(&[0x0100_0001, 2, offset])]);
        boxed(b"traf", &[&tfhd, &boxed(b"tfdt", &[&words(&[0, id])]), &trun])
    };
    let moof = |a, b| boxed(b"moof", &[&boxed(b"mfhd", &[&words(&[0, 1])]), &traf(2, a), &traf(1, b)]);
    let start = moof(0, 0).len() as u32 + 8;
    let bytes = [moof(start, start + 8), boxed(b"mdat", &[&[0; 16]])].concat();
    let (segment, found) = read_of(&bytes, &header(&[b"iso6"]));
    assert_eq!(found, []);
    let segment = segment.unwrap();
    assert_eq!((segment.samples.len(), segment.chunks[0].base_decode_time), (2, 1));
    assert_eq!(segment.samples[0].offset, u64::from(start) + 8);
    assert_eq!(read_of(&bytes, &header(&[b"cmfc"])).1, [("segment-tracks", Severity::Error)]);
    let overlapping = [moof(start, start + 4), boxed(b"mdat", &[&[0; 16]])].concat();
    assert_eq!(read_of(&overlapping, &header(&[b"iso6"])).1, [("segment-payload", Severity::Warning)]);
}

/// Forty bytes of a `traf` could count a million samples each, again and again.
#[test]
fn samples_that_no_byte_stands_for_are_not_counted_up() {
    let traf = |id: u32, count: u32| {
        let tfhd = boxed(b"tfhd", &[&words(&[0x02_0038, id, 10, 0, SYNC])]);
        boxed(b"traf", &[&tfhd, &boxed(b"tfdt", &[&words(&[0, 0])]), &boxed(b"trun", &[&words(&[0, count])])])
    };
    let others: Vec<u8> = (0..2000).flat_map(|_| traf(2, 1 << 20)).collect();
    let moof = boxed(b"moof", &[&boxed(b"mfhd", &[&words(&[0, 1])]), &others, &traf(1, 3)]);
    let bytes = [moof, boxed(b"mdat", &[&[0; 4]])].concat();
    let mut findings = Findings::default();
    let segment = read("a", &bytes.as_slice(), 0..bytes.len() as u64, &header(&[]), &mut findings);
    let limits = findings.as_slice().iter().find(|finding| finding.rule.id == "segment-limit").unwrap();
    assert!(limits.message.contains("1048576 samples"), "{limits}");
    assert_eq!(segment.unwrap().samples.len(), 3, "of the track itself");
}

#[test]
fn samples_of_other_tracks_are_bounded_too() {
    // Of each a million samples are counted, in rows without columns: read one by one, this would take hours.
    let tfhd = boxed(b"tfhd", &[&words(&[0x02_0038, 7, 10, 0, SYNC])]);
    let trun = boxed(b"trun", &[&words(&[0x0100_0000, 1 << 20])]);
    let other = boxed(b"traf", &[&tfhd, &boxed(b"tfdt", &[&words(&[0, 0])]), &trun]);
    let moof = boxed(b"moof", &[&boxed(b"mfhd", &[&words(&[0, 1])]), &other.repeat(20_000)]);
    let bytes = [moof, boxed(b"mdat", &[])].concat();
    for others in [vec![], vec![(7, SampleDefaults::default())]] {
        let found = read_of(&bytes, &Header { others, track_id: 8, ..header(&[]) }).1;
        assert!(found.iter().any(|(id, _)| *id == "segment-limit"), "{found:?}");
    }
}

#[test]
fn what_is_no_box_ends_the_segment() {
    let chunk = Parts::new(1).bytes();
    for (tail, said) in
        [(&b"\0\0"[..], 1), (b"\0\0\0\x07free", 1), (b"\0\0\0\x01free\0\0", 1), (b"\0\0\0\x08free", 0)]
    {
        let (segment, found) = read_of(&[&chunk, tail].concat(), &header(&[b"cmfc"]));
        assert!(segment.is_some());
        assert_eq!(found, vec![("segment-box-size", Severity::Error); said]);
    }
    assert_eq!(ids(&[]), ["segment-box-missing"]);
    assert_eq!(ids(b"\0\0\0\x08moof"), ["segment-box-missing"; 2]);
    // Size 0 means the end of the file, and nothing within a box goes on to there.
    let mut endless = chunk;
    endless[24..28].fill(0);
    assert_eq!(ids(&endless), ["segment-box-size"]);
}

#[test]
fn times_and_flags_of_samples_agree() {
    let trun = |rows: &[u32]| Parts { trun: Parts::trun(0x0100_0b05, rows), ..Parts::new(1) }.bytes();
    let sound = [SYNC, 1000, 4, 0, 1000, 2, 1000, 1000, 3, -1000_i32 as u32];
    assert_eq!(ids(&trun(&sound)), [""; 0]);
    for (index, value, expected) in [
        (0, OTHER, &["segment-sync"][..]),
        (0, 0x0100_0000, &["segment-flags"]),
        // The third is then shown with the first.
        (1, 0, &["segment-duration", "segment-composition"]),
        // The last duration is the one that may be 0.
        (7, 0, &["segment-duration"]),
        (6, 0, &["segment-composition"]),
    ] {
        let mut rows = sound;
        rows[index] = value;
        assert_eq!(ids(&trun(&rows)), expected, "{index}");
    }
    let mut rows = sound;
    rows[7] = 0;
    let parts = trun(&rows);
    assert_eq!(read_of(&parts, &header(&[])).1, [("segment-duration", Severity::Warning)]);
    // Version 0: no offset is negative, and the earliest need not be the tfdt.
    let later = [SYNC, 1000, 4, 1000, 1000, 2, 2000, 1000, 3, 0x8000_0000];
    let parts = Parts { trun: Parts::trun(0xb05, &later), ..Parts::new(1) };
    let spacing = ("segment-spacing", Severity::Warning);
    assert_eq!(read_of(&parts.bytes(), &header(&[b"cmfc"])).1, [spacing]);
    assert_eq!(read_of(&parts.bytes(), &header(&[b"cmf2"])).1, [("segment-trun", Severity::Error), spacing]);
    // A picture half of its duration late; of samples that last differently nobody can tell.
    rows = sound;
    rows[3] = 500;
    rows[6] = 1500;
    assert_eq!(read_of(&trun(&rows), &header(&[])).1, [spacing]);
    rows[1] = 1001;
    assert_eq!(read_of(&trun(&rows), &header(&[])).1, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_neither_panics_nor_gives_places_that_a_reader_cannot_bound(
        edits in prop::collection::vec((0_usize..400, any::<u8>()), 1..6),
        cut in 0_usize..1000,
    ) {
        let mut bytes = [Parts::new(1).bytes(), Parts::new(2).bytes()].concat();
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(cut.max(1));
        for brands in [&[][..], &[b"cmfc", b"cmf2"]] {
            let (segment, found) = read_of(&bytes, &header(brands));
            let Some(segment) = segment else {
                prop_assert!(!found.is_empty());
                continue;
            };
            let mut next = 0;
            for chunk in &segment.chunks {
                prop_assert!(chunk.samples.start == next && chunk.samples.end <= segment.samples.len());
                prop_assert!(chunk.payload.start <= chunk.payload.end && chunk.payload.end <= bytes.len() as u64);
                next = chunk.samples.end;
            }
            prop_assert_eq!(next, segment.samples.len());
        }
    }
}
