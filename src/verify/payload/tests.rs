//! Samples of the sample package, damaged, and by hand.

use proptest::prelude::*;

use super::*;

mod sound;
use crate::boxes::FourCc;
use crate::codec::av1::testing::{DELIMITER, Frame, Sequence, show_existing};
use crate::verify::testing::{HEVC, LARGE, Memory, SMALL, SOUND, package};
use crate::verify::{Finding, header, segment};

/// The header of a track of the sample package, which may be broken.
fn header_of(files: &Memory, directory: &str) -> Header {
    let init = format!("{directory}/init.mp4");
    header::read(&init, &files.0[&init], &mut Findings::default()).expect("the init segment can be read")
}

/// What is wrong with a segment, its boxes included, and why its samples were not looked into.
fn found_in(bytes: &[u8], header: &Header) -> (Vec<Finding>, Option<&'static str>) {
    let mut findings = Findings::default();
    let range = 0..bytes.len() as u64;
    let segment = segment::read("a.m4s", &bytes, range, header, &mut findings);
    let reason =
        segment.and_then(|segment| check("a.m4s", &bytes, header, &segment, &mut findings).not_checked);
    (findings.into_vec(), reason)
}

fn ids(bytes: &[u8], header: &Header) -> Vec<&'static str> {
    found_in(bytes, header).0.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn the_sample_package_is_sound() {
    let package = package();
    for directory in [LARGE, SMALL, HEVC, SOUND] {
        let header = header_of(&package, directory);
        for (path, bytes) in &package.0 {
            if path.starts_with(directory) && path.ends_with(".m4s") {
                assert_eq!(found_in(bytes, &header), (Vec::new(), None), "{path}");
            }
        }
    }
}

#[test]
fn each_rule_is_named_once_broken() {
    let listed: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(broken::BROKEN.iter().map(|(id, _)| *id).collect::<Vec<_>>(), listed);
    let sound = package();
    for (id, edit) in broken::BROKEN {
        let mut edited = sound.clone();
        edit(&mut edited);
        let changed =
            edited.0.iter().filter(|(path, bytes)| path.ends_with(".m4s") && sound.0[*path] != **bytes);
        let found: Vec<_> = changed
            .flat_map(|(path, bytes)| ids(bytes, &header_of(&edited, path.rsplit_once('/').unwrap().0)))
            .collect();
        assert!(found.contains(id), "{id}: {found:?}");
    }
}

/// The third segment of a track with its header.
fn third(directory: &str) -> (Vec<u8>, Header, Segment) {
    let package = package();
    let header = header_of(&package, directory);
    let bytes = package.0[&format!("{directory}/seg-00003.m4s")].clone();
    let range = 0..bytes.len() as u64;
    let segment = segment::read("a", &bytes.as_slice(), range, &header, &mut Findings::default()).unwrap();
    (bytes, header, segment)
}

#[test]
fn a_segment_may_start_anywhere() {
    for directory in [LARGE, HEVC] {
        let (bytes, header, segment) = third(directory);
        for first in [1, 2, 5, 11] {
            let mut part = segment.clone();
            let skipped = part.samples.drain(..first).map(|sample| u64::from(sample.duration)).sum::<u64>();
            part.chunks[0].base_decode_time += skipped;
            part.chunks[0].samples.end -= first;
            let mut findings = Findings::default();
            check("a", &bytes.as_slice(), &header, &part, &mut findings);
            assert_eq!(findings.as_slice(), [], "{directory} from {first}");
        }
    }
}

#[test]
fn a_start_code_where_a_length_belongs_is_named() {
    let (mut bytes, header, segment) = third(LARGE);
    let at = segment.samples[0].offset as usize;
    bytes[at..at + 4].copy_from_slice(&[0, 0, 0, 1]);
    let (found, _) = found_in(&bytes, &header);
    let lengths = found.iter().find(|finding| finding.rule.id == "nal-lengths").unwrap();
    assert!(
        lengths.message.ends_with("the sample starts with a start code, where a length belongs"),
        "{lengths}"
    );
}

#[test]
fn where_places_are_wrong_nothing_is_looked_into() {
    let (mut bytes, header, segment) = third(LARGE);
    let at = bytes.windows(4).position(|window| window == b"trun").unwrap() + 12;
    // data_offset counts past the first eight bytes of the payload.
    bytes[at + 3] += 8;
    assert_eq!(ids(&bytes, &header), ["segment-data-offset"]);
    let mut over = segment.clone();
    over.samples.iter_mut().for_each(|sample| sample.offset = segment.samples[0].offset);
    let (bytes, ..) = third(LARGE);
    let mut findings = Findings::default();
    check("a", &bytes.as_slice(), &header, &over, &mut findings);
    // The first sample alone is read as it is; the others, cut off or not, would be the same bytes again.
    assert_eq!(findings.as_slice(), []);
}

#[test]
fn lengths_that_make_no_sense_end_the_look_into_a_segment() {
    let (mut bytes, header, segment) = third(LARGE);
    for sample in &segment.samples {
        let at = sample.offset as usize;
        bytes[at..at + 4].fill(0xff);
    }
    assert_eq!(ids(&bytes, &header), ["nal-lengths"; 4]);
}

#[test]
fn two_pictures_in_a_sample_are_told() {
    let (bytes, header, mut segment) = third(LARGE);
    let second = segment.samples.remove(1);
    segment.samples[0].size += second.size;
    segment.chunks[0].samples.end -= 1;
    let mut findings = Findings::default();
    check("a", &bytes.as_slice(), &header, &segment, &mut findings);
    assert!(
        findings.as_slice().iter().any(|finding| finding.message == "sample 0 holds more than one picture")
    );
}

#[test]
fn marks_of_sync_samples_agree_with_pictures() {
    for (brands, severity) in [(&[b"iso6"][..], Severity::Warning), (&[b"cmfc"], Severity::Error)] {
        let (bytes, mut header, mut segment) = third(LARGE);
        header.brands = brands.iter().map(|brand| FourCc(**brand)).collect();
        segment.brands.clear();
        segment.samples[0].flags |= 0x0001_0000;
        segment.samples[3].flags &= !0x0001_0000;
        let mut findings = Findings::default();
        check("a", &bytes.as_slice(), &header, &segment, &mut findings);
        let told: Vec<_> = findings
            .as_slice()
            .iter()
            .map(|finding| (finding.rule.id, finding.rule.severity, finding.offset))
            .collect();
        // A picture that needs others is no place to start at, whatever is claimed.
        let expected = [(0, severity), (3, Severity::Error)]
            .map(|(index, severity)| ("sample-sync", severity, Some(segment.samples[index].offset)));
        assert_eq!(told, expected);
    }
}

#[test]
fn what_cannot_be_looked_into_is_said() {
    let (bytes, header, _) = third(LARGE);
    for (format, is_encrypted, said) in [
        (*b"avc1", true, "encrypted"),
        (*b"vp08", false, "codec is not known"),
        (*b"vp09", false, "configuration"),
        (*b"Opus", false, "configuration"),
        (*b"hvc1", false, "configuration"),
    ] {
        let mut other = header.clone();
        other.entry.format = FourCc(format);
        other.entry.is_encrypted = is_encrypted;
        let (found, reason) = found_in(&bytes, &other);
        assert!(found.is_empty() && reason.unwrap().contains(said), "{found:?} {reason:?}");
    }
}

#[test]
fn frames_of_aac_have_no_headers() {
    let (mut bytes, header, segment) = third(SOUND);
    let at = segment.samples[0].offset as usize;
    bytes[at..at + 2].copy_from_slice(&[0xff, 0xf1]);
    assert_eq!(ids(&bytes, &header), ["sample-syntax"]);
    // MPEG-1 audio, which mp4a may be too.
    bytes[at..at + 2].copy_from_slice(&[0xff, 0xfb]);
    assert_eq!(ids(&bytes, &header), [""; 0]);
}

/// What is found in samples of AV1 with these bytes; those with `true` are marked as sync samples.
fn found_in_av1(samples: &[(bool, Vec<u8>)]) -> Vec<(&'static str, Severity)> {
    let (_, mut header, _) = third(LARGE);
    header.entry.format = FourCc(*b"av01");
    header.entry.configuration =
        Some((FourCc(*b"av1C"), [&[0x81, 0, 0x0c, 0][..], &Sequence::default().obu()].concat()));
    let (looked, found) = found_in_samples(&header, 1, samples);
    assert_eq!(looked, Looked::default());
    found.iter().map(|finding| (finding.rule.id, finding.rule.severity)).collect()
}

/// What is found in samples with these bytes, each of which lasts so many ticks; those with `true` are marked as sync samples.
fn found_in_samples(header: &Header, duration: u32, samples: &[(bool, Vec<u8>)]) -> (Looked, Vec<Finding>) {
    let mut segment = Segment::default();
    let mut bytes = Vec::new();
    for (is_sync, sample) in samples {
        segment.samples.push(Sample {
            offset: bytes.len() as u64,
            size: sample.len() as u32,
            duration,
            composition_offset: 0,
            flags: if *is_sync { 0 } else { 0x0001_0000 },
        });
        bytes.extend(sample);
    }
    segment.chunks.push(segment::Chunk {
        offset: 0,
        sequence_number: 1,
        base_decode_time: 0,
        samples: 0..samples.len(),
        payload: 0..bytes.len() as u64,
    });
    segment.rolls = header.rolls.distances.iter().map(|&distance| (samples.len(), Some(distance))).collect();
    let mut findings = Findings::default();
    let looked = check("a", &bytes.as_slice(), header, &segment, &mut findings);
    (looked, findings.into_vec())
}

#[test]
fn samples_of_av1_are_walked_and_their_marks_agree() {
    let key = [Sequence::default().obu(), Frame::key().obu()].concat();
    let inter = Frame::inter(1).obu();
    let error = |id| vec![(id, Severity::Error)];
    assert_eq!(found_in_av1(&[(true, key.clone()), (false, inter.clone()), (false, show_existing(0))]), []);
    // Without a size the last OBU goes on to the end.
    let mut without_size = inter.clone();
    without_size[0] &= !2;
    without_size.remove(1);
    assert_eq!(found_in_av1(&[(true, key.clone()), (false, without_size)]), []);
    assert_eq!(found_in_av1(&[(true, Frame::key().obu())]), error("sample-sync"));
    assert_eq!(found_in_av1(&[(true, inter.clone())]), error("sample-sync"));
    assert_eq!(found_in_av1(&[(false, key.clone())]), error("sample-sync"));
    assert_eq!(found_in_av1(&[(false, Frame::inter(1).hidden().obu())]), error("sample-picture"));
    assert_eq!(found_in_av1(&[(true, [&key[..], &[0x12, 9]].concat())]), error("obu-sizes"));
    assert_eq!(found_in_av1(&[(true, [&key[..], &[0x92]].concat())]), error("obu-sizes"));
    assert_eq!(
        found_in_av1(&[(true, [DELIMITER, &key].concat()), (false, [DELIMITER, &inter].concat())]),
        [("sample-in-band", Severity::Warning)]
    );
    // Padding, a redundant frame header; a tile list, which is forbidden.
    for (obu, severity) in [(0x7a, Severity::Warning), (0x3a, Severity::Warning), (0x42, Severity::Error)] {
        let sample = [&key[..], &[obu, 1, 0x80], &[obu, 1, 0x80]].concat();
        assert_eq!(found_in_av1(&[(true, sample)]), [("sample-in-band", severity)], "{obu:#x}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in any::<prop::sample::Index>(),
        hevc in any::<bool>(),
        cuts in any::<bool>(),
    ) {
        let (mut bytes, header, segment) = third(if hevc { HEVC } else { LARGE });
        for (at, value) in edits {
            // Near the start of a sample, where headers are.
            let sample = segment.samples[at.index(segment.samples.len())];
            let offset = sample.offset as usize + at.index(12.min(sample.size as usize));
            bytes[offset] = value;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        let (found, _) = found_in(&bytes, &header);
        prop_assert!(!cuts || !found.is_empty());
    }
}
