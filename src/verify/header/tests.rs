//! Init segments of the sample package, broken rule by rule, damaged at random, and what stands in one that says much.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::broken::BROKEN;
use super::*;
use crate::verify::testing::{HEVC, LARGE, Memory, SMALL, SOUND, package};

fn read_all(files: &Memory) -> (Vec<Option<Header>>, Findings) {
    let mut findings = Findings::default();
    let headers = [LARGE, SMALL, HEVC, SOUND].map(|directory| {
        let path = format!("{directory}/init.mp4");
        read(&path, &files.0[&path], &mut findings)
    });
    (headers.into(), findings)
}

#[test]
fn the_sample_package_is_sound() {
    let (headers, findings) = read_all(&package());
    assert_eq!(findings.as_slice(), []);
    let headers: Vec<_> = headers.into_iter().flatten().collect();
    let said: Vec<_> = headers
        .iter()
        .map(|header| (header.handler.to_string(), header.entry.format.to_string(), header.entry.size))
        .collect();
    let of = |handler: &str, format: &str, size| (handler.to_owned(), format.to_owned(), size);
    let expected = [
        of("vide", "avc1", Some((640, 360))),
        of("vide", "avc1", Some((416, 234))),
        of("vide", "hvc1", Some((416, 234))),
        of("soun", "mp4a", None),
    ];
    assert_eq!(said, expected);
    for header in &headers {
        let codec = header.entry.codec.as_deref().unwrap();
        assert!(is_claimed(codec), "{codec}");
        assert_eq!((header.track_id, header.defaults), (1, SampleDefaults::default()));
        assert_eq!(header.has_sync_table, header.handler.0 == *b"vide");
        assert!(header.fragment_duration.is_some() && header.edit_media_time.is_none());
        assert!(header.brands.contains(&FourCc(*b"cmfc")) && !header.entry.is_encrypted);
    }
    assert_eq!(
        (headers[3].entry.channels, headers[3].entry.sample_rate),
        (Some(2), Some(headers[3].timescale))
    );
}

/// Whether the MPD of the sample package claims a codec string.
fn is_claimed(codec: &str) -> bool {
    let files = package();
    let mpd = String::from_utf8(files.0["manifest.mpd"].clone()).unwrap();
    mpd.contains(&format!("codecs=\"{codec}\""))
}

#[test]
fn each_rule_is_named_when_it_is_broken() {
    // What cannot be broken alone.
    let companions = |rule: &str| match rule {
        "init-box-size" => Some("init-box-missing"),
        "init-box-duplicate" | "init-edit-list" | "init-roll-group" => Some("init-box-order"),
        "init-tracks" => Some("init-trex"),
        "init-size" => Some("init-display-size"),
        "init-channels" | "init-priming" => Some("init-config"),
        _ => None,
    };
    for (rule, break_it) in BROKEN {
        let mut files = package();
        break_it(&mut files);
        let (_, findings) = read_all(&files);
        let found: BTreeSet<_> = findings.as_slice().iter().map(|finding| finding.rule.id).collect();
        let expected: BTreeSet<_> = companions(rule).into_iter().chain([*rule]).collect();
        assert_eq!(found, expected, "{rule}: {:#?}", findings.as_slice());
    }
    let all: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(BROKEN.iter().map(|(rule, _)| *rule).collect::<BTreeSet<_>>(), all);
}

#[test]
fn what_segments_need_is_told_in_spite_of_faults() {
    for (rule, break_it) in BROKEN {
        let mut files = package();
        break_it(&mut files);
        let lost = read_all(&files).0.iter().filter(|header| header.is_none()).count();
        let expected = matches!(*rule, "init-format" | "init-box-size" | "init-limit" | "init-timescale");
        assert_eq!(lost, usize::from(expected), "{rule}");
    }
}

#[test]
fn what_cmaf_alone_asks_for_is_not_asked_without_its_brands() {
    let mut files = package();
    let path = format!("{LARGE}/init.mp4");
    let ftyp = files.find_box(&path, &[b"ftyp"]);
    for at in (16..ftyp.len()).step_by(4).chain([8]) {
        files.patch(&path, &[b"ftyp"], at, b"iso6");
    }
    for (rule, break_it) in BROKEN {
        if matches!(*rule, "init-edit-list" | "init-box-order") {
            let mut files = files.clone();
            break_it(&mut files);
            assert_eq!(read_all(&files).1.as_slice(), [], "{rule}");
        }
    }
    BROKEN.iter().find(|(rule, _)| *rule == "init-edit-list").unwrap().1(&mut files);
    let header = read_all(&files).0[0].clone().unwrap();
    assert_eq!(header.edit_media_time, Some(1024));
}

#[test]
fn sizes_of_h265_pictures_are_known_too() {
    let mut files = package();
    let types = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"];
    files.patch(&format!("{HEVC}/init.mp4"), &types, 32, &[0, 9]);
    let (_, findings) = read_all(&files);
    let sizes: Vec<_> =
        findings.as_slice().iter().filter(|finding| finding.rule.id == INIT_SIZE.id).collect();
    assert_eq!(sizes.len(), 1);
    assert!(sizes[0].message.contains("says 9x234, its configuration pictures of 416x234"), "{}", sizes[0]);
}

#[test]
fn many_boxes_cost_no_more_than_their_bytes() {
    let mut bytes = package().0[&format!("{LARGE}/init.mp4")].clone();
    for kind in [b"ftyp", b"moov", b"free"] {
        let one = [b"\0\0\0\x08", &kind[..]].concat();
        bytes.extend(one.repeat(1 << 18));
    }
    let mut findings = Findings::default();
    assert!(read("init.mp4", &bytes, &mut findings).is_some());
    assert!(findings.len() < 100, "{}", findings.len());
}

#[test]
fn an_encrypted_entry_has_its_original_format() {
    let mut files = package();
    let path = format!("{SOUND}/init.mp4");
    let types = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a"];
    let sinf = b"\0\0\0\x14sinf\0\0\0\x0cfrmamp4a";
    let boxes: Vec<_> = (1..=types.len()).map(|depth| files.find_box(&path, &types[..depth])).collect();
    let file = files.bytes(&path);
    for range in &boxes {
        let size = (range.len() + sinf.len()) as u32;
        file[range.start..range.start + 4].copy_from_slice(&size.to_be_bytes());
    }
    file[boxes[6].start + 4..boxes[6].start + 8].copy_from_slice(b"enca");
    file.splice(boxes[6].end..boxes[6].end, *sinf);
    let (headers, findings) = read_all(&files);
    assert_eq!(findings.as_slice(), []);
    let entry = &headers[3].as_ref().unwrap().entry;
    assert!(entry.is_encrypted);
    assert_eq!((entry.format.0, entry.codec.as_deref()), (*b"mp4a", Some("mp4a.40.2")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_neither_panics_nor_hangs(
        directory in prop::sample::select(vec![LARGE, HEVC, SOUND]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        len in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = package().0[&format!("{directory}/init.mp4")].clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(len.index(bytes.len()));
        }
        let mut findings = Findings::default();
        let header = read("init.mp4", &bytes, &mut findings);
        prop_assert!(header.is_some() || !findings.is_empty());
        prop_assert!(header.is_none_or(|header| header.timescale != 0));
    }
}
