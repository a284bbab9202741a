//! CRA pictures with RASL pictures behind them: when they are sync samples, and what is refused.

use std::path::Path;

use fragmint::codec::ParameterSetPlacement::SampleEntry;
use fragmint::segmenter::{SampleTiming, Segmenter, SegmenterConfig};

use crate::packaged::{byte_stream, hevc, plain_config, stream};
use crate::units::*;

/// Flags of the samples of a segment that `trun` gives flags each.
fn sample_flags(segment: &[u8]) -> Vec<u32> {
    let at = segment.windows(4).position(|name| name == b"trun").unwrap();
    let word = |index: usize| u32::from_be_bytes(segment[at + 4 + 4 * index..][..4].try_into().unwrap());
    let (flags, count) = (word(0) & 0xff_ffff, word(1) as usize);
    // 14496-12 8.8.8: data offset, first sample flags; duration, size, flags, composition offset of each sample.
    let bit = |bit: u32| usize::from(flags & bit != 0);
    assert_eq!(bit(0x400), 1, "flags of each sample");
    let (start, row) = (2 + bit(1) + bit(4), bit(0x100) + bit(0x200) + bit(0x400) + bit(0x800));
    let column = bit(0x100) + bit(0x200);
    (0..count).map(|sample| word(start + row * sample + column)).collect()
}

#[test]
fn a_cra_picture_is_a_sync_sample_unless_rasl_pictures_follow() {
    const SYNC: u32 = 0x0200_0000;
    const INTRA_BUT_NOT_SYNC: u32 = 0x0201_0000;
    for (stream, expected) in [(stream("h265-open.h265"), INTRA_BUT_NOT_SYNC), (closed_cras(), SYNC)] {
        let keep = tempfile::tempdir().unwrap();
        let pictures = access_units(&stream);
        let mut segmenter = Segmenter::new(plain_config(keep.path(), hevc(SampleEntry))).unwrap();
        for packet in packets(&pictures) {
            segmenter.push(&packet, SampleTiming::new(1000)).unwrap();
        }
        let segment = segmenter.cut().unwrap().unwrap();
        let flags = sample_flags(&std::fs::read(segment.path).unwrap());
        let cras = places(&pictures, &[CRA]);
        assert_eq!((flags.len(), flags[0], cras.len()), (pictures.len(), SYNC, 2));
        for (index, &flags) in flags.iter().enumerate().skip(1) {
            let expected = if cras.contains(&index) { expected } else { flags & !SYNC | 0x0001_0000 };
            assert_eq!(flags, expected, "{index}: {flags:#x}");
        }
    }
}

/// A segmenter with the pictures up to a CRA picture which RASL pictures follow, the first cut in front of it; the packets, and
/// where that is.
fn up_to_open_cra(output: &Path) -> (Segmenter, Vec<Vec<u8>>, usize) {
    let stream = stream("h265-open.h265");
    let pictures = access_units(&stream);
    let cra = places(&pictures, &[CRA])[0];
    assert!(RASL.contains(&type_of(&pictures[cra + 1])));
    let packets = packets(&pictures);
    let mut segmenter = Segmenter::new(plain_config(output, hevc(SampleEntry))).unwrap();
    for packet in &packets[..cra] {
        segmenter.push(packet, SampleTiming::new(1000)).unwrap();
    }
    segmenter.cut().unwrap().unwrap();
    (segmenter, packets, cra)
}

#[test]
fn a_segment_cannot_start_with_a_cra_picture_that_rasl_pictures_follow() {
    let keep = tempfile::tempdir().unwrap();
    let (mut segmenter, packets, cra) = up_to_open_cra(keep.path());
    segmenter.push(&packets[cra], SampleTiming::new(1000)).unwrap();
    assert!(segmenter.starts_with_sync());
    segmenter.push(&packets[cra + 1], SampleTiming::new(1000)).unwrap();
    assert!(!segmenter.starts_with_sync());
    let before = state(&segmenter, keep.path());
    for _ in 0..2 {
        let error = segmenter.cut().unwrap_err().to_string();
        assert!(error.contains("sync sample"), "{error}");
        assert_eq!(state(&segmenter, keep.path()), before);
    }
    // Discarded, it is none that waits for anything.
    assert_eq!(segmenter.discard_pending(), 2);
    segmenter.push(&packets[0], SampleTiming::new(1000)).unwrap();
    assert!(segmenter.starts_with_sync());
    segmenter.finish().unwrap();
}

#[test]
fn rasl_pictures_come_too_late_for_a_cra_picture_that_is_cut_as_a_sync_sample() {
    let keep = tempfile::tempdir().unwrap();
    let (mut segmenter, packets, cra) = up_to_open_cra(keep.path());
    segmenter.push(&packets[cra], SampleTiming::new(1000)).unwrap();
    segmenter.cut().unwrap().unwrap();
    let rasl = &packets[cra + 1];
    let said = ["RASL picture of the CRA picture at", "cut as a sync sample", "7.4.2.2"];
    refused(&mut segmenter, keep.path(), rasl, SampleTiming::new(1000), &said);
    let both = [&rasl[..], &packets[cra + 2]].concat();
    refused(&mut segmenter, keep.path(), &both, SampleTiming::new(1000), &said);
    // What is discarded takes nothing back of what is published.
    segmenter.push(&packets[0], SampleTiming::new(1000)).unwrap();
    segmenter.discard_pending();
    refused(&mut segmenter, keep.path(), rasl, SampleTiming::new(1000), &said);
    // Behind the next IDR picture there is nothing to be late for, though this one's reference pictures are others.
    segmenter.push(&packets[0], SampleTiming::new(1000)).unwrap();
    assert!(segmenter.starts_with_sync());
    segmenter.finish().unwrap();
}

#[test]
fn hints_are_checked_as_soon_as_the_bitstream_tells() {
    let wrong = ["the caller called a sync sample", "correct the hint"];
    let keep = tempfile::tempdir().unwrap();
    let (mut segmenter, packets, cra) = up_to_open_cra(keep.path());
    let hinted = |sync| SampleTiming::new(1000).sync(sync);
    refused(&mut segmenter, keep.path(), &packets[0], hinted(false), &["the bitstream says a sync sample"]);
    // In one packet it shows at once.
    let both = [&packets[cra][..], &packets[cra + 1]].concat();
    refused(&mut segmenter, keep.path(), &both, hinted(true), &wrong);
    assert_eq!(segmenter.push(&both, hinted(false)).unwrap(), 2);
    segmenter.discard_pending();
    // In several, at the RASL picture, each time that it comes.
    segmenter.push(&packets[cra], hinted(true)).unwrap();
    refused(&mut segmenter, keep.path(), &packets[cra + 1], SampleTiming::new(1000), &wrong);
    segmenter.discard_pending();
    segmenter.push(&packets[cra], hinted(false)).unwrap();
    segmenter.push(&packets[cra + 1], hinted(false)).unwrap();
    assert!(!segmenter.starts_with_sync());
}

#[test]
fn rasl_pictures_of_a_cra_picture_that_starts_the_stream_are_refused_or_dropped() {
    let stream = stream("h265-open.h265");
    let pictures = access_units(&stream);
    let cra = places(&pictures, &[CRA])[0];
    let rasl = pictures[cra..].iter().skip(1).take_while(|picture| RASL.contains(&type_of(picture))).count();
    let packets = packets(&pictures[cra..]);
    assert!(rasl >= 2);

    let keep = tempfile::tempdir().unwrap();
    let mut segmenter = Segmenter::new(plain_config(keep.path(), hevc(SampleEntry))).unwrap();
    segmenter.push(&packets[0], SampleTiming::new(1000).sync(true)).unwrap();
    let said = ["a RASL picture whose CRA or BLA picture starts", "8.1.3"];
    refused(&mut segmenter, keep.path(), &packets[1], SampleTiming::new(1000), &said);
    let both = [&packets[rasl][..], &packets[rasl + 1]].concat();
    refused(&mut segmenter, keep.path(), &both, SampleTiming::new(1000), &said);
    segmenter.push(&packets[rasl + 1], SampleTiming::new(1000)).unwrap();

    let keep = tempfile::tempdir().unwrap();
    let config = SegmenterConfig { drop_leading: true, ..plain_config(keep.path(), hevc(SampleEntry)) };
    let mut segmenter = Segmenter::new(config).unwrap();
    // A picture that nothing starts with, in front.
    assert_eq!(
        segmenter.push(&byte_stream(pictures[cra - 1].iter().copied()), SampleTiming::new(1000)).unwrap(),
        0
    );
    assert_eq!(segmenter.push(&packets[0], SampleTiming::new(1000).sync(true)).unwrap(), 1);
    for packet in &packets[1..=rasl] {
        assert_eq!(segmenter.push(packet, SampleTiming::new(1000)).unwrap(), 0);
    }
    let dropped = segmenter.dropped();
    assert_eq!((dropped.skipped_pictures.units, dropped.leading_pictures.units), (rasl as u64, 1));
    assert_eq!(segmenter.push(&packets[rasl + 1], SampleTiming::new(1000)).unwrap(), 1);
    assert!(segmenter.starts_with_sync(), "what is dropped does not make it another sample");
    assert_eq!(segmenter.finish().unwrap().duration().0, 2000);
}

#[test]
fn a_cra_picture_behind_an_end_of_sequence_is_a_sync_sample_whatever_follows() {
    let stream = stream("h265-open.h265");
    let pictures = access_units(&stream);
    let cra = places(&pictures, &[CRA])[0];
    let packets = packets(&pictures);
    let keep = tempfile::tempdir().unwrap();
    let mut segmenter = Segmenter::new(plain_config(keep.path(), hevc(SampleEntry))).unwrap();
    for packet in &packets[..cra] {
        segmenter.push(packet, SampleTiming::new(1000)).unwrap();
    }
    segmenter.push(&byte_stream([&END_OF_SEQUENCE[..]]), SampleTiming::new(1000)).unwrap();
    segmenter.cut().unwrap().unwrap();
    segmenter.push(&packets[cra], SampleTiming::new(1000).sync(true)).unwrap();
    refused(&mut segmenter, keep.path(), &packets[cra + 1], SampleTiming::new(1000), &["8.1.3"]);
    segmenter.cut().unwrap().unwrap();
    // Dropped with what was cut, the end has not come.
    let mut segmenter = Segmenter::new(plain_config(&keep.path().join("again"), hevc(SampleEntry))).unwrap();
    segmenter.push(&packets[0], SampleTiming::new(1000)).unwrap();
    segmenter.cut().unwrap().unwrap();
    segmenter.push(&packets[1], SampleTiming::new(1000)).unwrap();
    segmenter.push(&byte_stream([&END_OF_SEQUENCE[..]]), SampleTiming::new(1000)).unwrap();
    segmenter.discard_pending();
    segmenter.push(&packets[cra], SampleTiming::new(1000)).unwrap();
    segmenter.push(&packets[cra + 1], SampleTiming::new(1000)).unwrap();
    assert!(!segmenter.starts_with_sync());
}
