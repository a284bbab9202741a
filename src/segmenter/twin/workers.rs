//! Several workers on one rendition, each on a range of its segments, write the files that one worker writes.

use std::num::NonZeroU32;
use std::path::Path;

use proptest::prelude::*;

use super::calls::{Call, assert_files, files_in};
use super::drawn::{DURATION, Drawn, avc_config, calls_of, choices, drawn, hand_over, ways};
use super::layouts::planned;
use super::streams::{Choices, Step, lay_out};
use super::units::{LSB_BITS, sps};
use crate::codec::ParameterSetPlacement;
use crate::codec::h264::testing::{Order, Pps, Slice};
use crate::presentation::{PackagedTrack, Promise, merge};
use crate::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
use crate::time::{DecodeTime, Ticks};

/// Segments of a stream, as ranges of its pictures.
fn segments(drawn: &Drawn) -> Vec<std::ops::Range<usize>> {
    let starts = std::iter::once(0).chain(drawn.cuts.iter().copied());
    let ends = drawn.cuts.iter().copied().chain([drawn.pictures.len()]);
    starts.zip(ends).map(|(start, end)| start..end).collect()
}

/// Parameter sets in front of the first picture: what workers are told that start behind it.
fn known(drawn: &Drawn) -> Vec<Vec<u8>> {
    drawn.pictures[0].front.iter().filter(|nal| matches!(nal[0] & 31, 7 | 8)).cloned().collect()
}

/// The configuration of the worker whose range starts with this segment.
fn worker(directory: &Path, drawn: &Drawn, first: usize, start: usize) -> SegmenterConfig {
    let mut config = avc_config(directory, drawn.placement);
    config.first_segment_index = NonZeroU32::new(1 + first as u32).unwrap();
    config.first_base_decode_time.0 += start as u64 * u64::from(DURATION);
    let CodecConfig::Avc { known_parameter_sets, .. } = &mut config.codec else { unreachable!() };
    *known_parameter_sets = known(drawn);
    config
}

/// Encodes a range of segments; `lost` pictures behind it are pushed and discarded, since the range was shortened.
fn work(
    config: SegmenterConfig,
    drawn: &Drawn,
    range: &[std::ops::Range<usize>],
    lost: usize,
    choices: &mut Choices,
) -> crate::Result<PackagedTrack> {
    let mut segmenter = Segmenter::new(config)?;
    let (start, end) = (range[0].start, range[range.len() - 1].end);
    let cuts: Vec<usize> = range[1..].iter().map(|segment| segment.start - start).collect();
    let steps = lay_out(&drawn.pictures[start..end], &cuts, true, choices);
    let timing = SampleTiming::new(DURATION);
    for call in calls_of(steps, choices, |_| timing) {
        call.on(&mut segmenter)?;
    }
    let behind = &drawn.pictures[end..drawn.pictures.len().min(end + lost)];
    if !behind.is_empty() {
        segmenter.cut()?;
        for step in lay_out(behind, &[], true, choices) {
            let Step::Packet(packet, _) = step else { unreachable!("nothing is cut") };
            for call in hand_over(packet, timing, choices) {
                call.on(&mut segmenter)?;
            }
        }
        assert_eq!(segmenter.discard_pending(), behind.len());
    }
    segmenter.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn workers_write_what_one_worker_writes(
        drawn in drawn(), split in any::<u8>(), init in any::<prop::sample::Index>(), backwards in any::<bool>(),
        give_init in any::<bool>(), lost in prop_oneof![Just(0), 1..4_usize], ways in ways(), mut choices in choices(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let all = segments(&drawn);
        let start = avc_config(directory.path(), drawn.placement).first_base_decode_time;
        let (expected, _) = planned(&drawn, start);

        // A worker starts with each segment whose bit is set.
        let firsts: Vec<usize> = (0..all.len()).filter(|&n| n == 0 || split >> (n % 8) & 1 == 1).collect();
        let ends = firsts.iter().skip(1).copied().chain([all.len()]);
        let mut ranges: Vec<_> = firsts.iter().copied().zip(ends).collect();
        if backwards {
            ranges.reverse();
        }
        // The one that writes the init segment comes first, so that the others may be given it.
        let init = init.index(ranges.len());
        ranges.swap(0, init);
        let mut parts = Vec::new();
        for (index, (first, end)) in ranges.into_iter().enumerate() {
            let mut config = ways.apply(worker(directory.path(), &drawn, first, all[first].start));
            config.write_init = index == 0;
            if index > 0 && give_init {
                config.published_init = Some(std::fs::read(directory.path().join("video/init.mp4")).unwrap());
            }
            let lost = if end < all.len() { lost } else { 0 };
            parts.push(work(config, &drawn, &all[first..end], lost, &mut choices).unwrap());
        }
        assert_files(&directory.path().join("video"), &expected);

        let promise = Promise {
            first_base_decode_time: start,
            segments: Some(all.len() as u64),
            duration: Some(Ticks(drawn.pictures.len() as u64 * u64::from(DURATION))),
            ..Promise::default()
        };
        let merged = merge(parts, &promise).unwrap();
        let alone = tempfile::tempdir().unwrap();
        let track = work(worker(alone.path(), &drawn, 0, 0), &drawn, &all, 0, &mut choices).unwrap();
        let content = |track: &PackagedTrack| {
            let segment = |segment: &crate::presentation::Segment| {
                (segment.number, segment.uri.clone(), segment.bytes, segment.base_decode_time, segment.content_hash)
            };
            let segments: Vec<_> = track.segments().iter().map(segment).collect();
            (segments, track.codec().to_owned(), *track.media(), track.total_bytes(), track.duration())
        };
        prop_assert_eq!(content(&merged), content(&track));
    }
}

/// A packet of one IDR picture with a picture parameter set that has this much to differ in.
fn idr(qp: i32) -> Vec<u8> {
    let order = Order::Lsb(0, LSB_BITS, None);
    let nals = [sps(0).nal(), Pps { qp, ..Default::default() }.nal(), Slice { order, ..Slice::idr() }.nal()];
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1], &nal[..]].concat()).collect()
}

fn other_worker(directory: &Path, placement: ParameterSetPlacement, init: Option<Vec<u8>>) -> Segmenter {
    let mut config = avc_config(directory, placement);
    config.first_segment_index = NonZeroU32::new(2).unwrap();
    config.first_base_decode_time.0 += u64::from(DURATION);
    (config.write_init, config.published_init) = (false, init);
    Segmenter::new(config).unwrap()
}

fn first_worker(directory: &Path, placement: ParameterSetPlacement) -> PackagedTrack {
    let mut first = Segmenter::new(avc_config(directory, placement)).unwrap();
    first.push(&idr(0), SampleTiming::new(DURATION)).unwrap();
    first.finish().unwrap()
}

fn promise() -> Promise {
    Promise { first_base_decode_time: DecodeTime(90_000), ..Promise::default() }
}

#[test]
fn encoders_that_chose_different_sets_merge_in_band_alone() {
    for given in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let first = first_worker(directory.path(), ParameterSetPlacement::InBand);
        let init = given.then(|| std::fs::read(directory.path().join("video/init.mp4")).unwrap());
        let mut second = other_worker(directory.path(), ParameterSetPlacement::InBand, init);
        second.push(&idr(3), SampleTiming::new(DURATION)).unwrap();
        let merged = merge(vec![second.finish().unwrap(), first], &promise()).unwrap();
        assert_eq!(merged.segments().len(), 2);
        let bytes = std::fs::read(directory.path().join("video/seg-00002.m4s")).unwrap();
        let set = Pps { qp: 3, ..Default::default() }.nal();
        assert_eq!(bytes.windows(set.len()).filter(|window| window == &set).count(), 1);
        let old = Pps { qp: 0, ..Default::default() }.nal();
        assert_eq!(bytes.windows(old.len()).filter(|window| window == &old).count(), 0);
    }

    let directory = tempfile::tempdir().unwrap();
    let first = first_worker(directory.path(), ParameterSetPlacement::SampleEntry);
    let mut second = other_worker(directory.path(), ParameterSetPlacement::SampleEntry, None);
    second.push(&idr(3), SampleTiming::new(DURATION)).unwrap();
    let error = merge(vec![first, second.finish().unwrap()], &promise()).unwrap_err();
    assert!(error.to_string().contains("parameter set"), "{error}");
}

#[test]
fn a_worker_that_is_given_the_init_segment_is_refused_before_it_publishes() {
    let directory = tempfile::tempdir().unwrap();
    first_worker(directory.path(), ParameterSetPlacement::SampleEntry);
    let before = files_in(&directory.path().join("video"));
    let init = Some(before["init.mp4"].clone());
    let mut second = other_worker(directory.path(), ParameterSetPlacement::SampleEntry, init);
    let pushed = Call::Push(idr(3), SampleTiming::new(DURATION)).on(&mut second);
    let refused = pushed.and_then(|_| Call::Cut.on(&mut second)).unwrap_err();
    assert!(refused.to_string().contains("parameter set"), "{refused}");
    drop(second);
    assert_files(&directory.path().join("video"), &before);
}

#[test]
fn segmenters_may_work_on_other_threads() {
    fn is_send<T: Send>() {}
    is_send::<Segmenter>();
    is_send::<PackagedTrack>();
}
