use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::time::FrameRate;

const MILLISECONDS: u32 = 1000;

fn timescale(n: u32) -> Timescale {
    Timescale::new(NonZeroU32::new(n).unwrap())
}

fn ticks(times: impl IntoIterator<Item = u64>) -> Vec<Ticks> {
    times.into_iter().map(Ticks).collect()
}

/// A rendition with a 40 ms frame and times in milliseconds.
fn rendition<'a>(name: &'a str, sync_times: &'a [Ticks], end: u64) -> RenditionTimes<'a> {
    RenditionTimes { name, sync_times, sync_frames: &[], frame_duration: Ticks(40), end: Ticks(end) }
}

fn plan(renditions: &[RenditionTimes], target: &str) -> Result<Cuts> {
    plan_cuts(renditions, timescale(MILLISECONDS), target.parse().unwrap())
}

fn starts_of_one(sync: &[u64], end: u64, target: &str) -> Vec<u64> {
    let sync = ticks(sync.iter().copied());
    plan(&[rendition("a", &sync, end)], target).unwrap().starts.iter().map(|t| t.0).collect()
}

fn every(step: usize, end: u64) -> Vec<u64> {
    (0..end).step_by(step).collect()
}

#[test]
fn two_second_groups_are_cut_nearest_to_each_target() {
    let sync = every(2000, 24_000);
    for (target, starts) in [
        ("4", every(4000, 24_000)),
        // 3 s lies between 2 and 4: the earlier of two as near, every time.
        ("3", every(2000, 24_000)),
        // 5 s between 4 and 6: the same.
        ("5", every(4000, 24_000)),
        ("6", every(6000, 24_000)),
        ("3.001", every(4000, 24_000)),
        ("1", every(2000, 24_000)),
        ("0.01", every(2000, 24_000)),
        ("24", vec![0]),
        ("3600", vec![0]),
    ] {
        assert_eq!(starts_of_one(&sync, 24_000, target), starts, "target {target}");
    }
}

#[test]
fn the_end_counts_as_a_candidate_so_that_no_needless_remainder_is_cut_off() {
    let sync = every(2000, 25_500);
    // From 20 s, 25 s is wanted: the end at 25.5 s is nearer than 24 s.
    assert_eq!(starts_of_one(&sync, 25_500, "5").last(), Some(&20_000));
    // An end as far from the wish as a sync sample: the earlier, the sync sample, is taken.
    assert_eq!(starts_of_one(&[0, 4000], 6000, "5"), [0, 4000]);
    assert_eq!(starts_of_one(&[0, 4000], 5999, "5"), [0]);
}

#[test]
fn extra_key_frames_of_one_rendition_do_no_harm() {
    let regular = ticks(every(2000, 24_000));
    let mut with_scene_cuts = ticks(every(2000, 24_000).into_iter().chain([3320, 3960, 11_000]));
    with_scene_cuts.sort();
    for pair in [[&regular, &with_scene_cuts], [&with_scene_cuts, &regular]] {
        let cuts = plan(&[rendition("a", pair[0], 24_000), rendition("b", pair[1], 24_000)], "4").unwrap();
        assert_eq!(cuts.starts, ticks(every(4000, 24_000)));
        assert!(cuts.notices.is_empty());
    }
}

#[test]
fn groups_of_two_and_two_point_one_seconds_are_refused_with_both_sides_named() {
    let (two, more) = (ticks(every(2000, 60_000)), ticks(every(2100, 60_000)));
    let error = plan(&[rendition("1080p", &two, 60_000), rendition("720p", &more, 60_000)], "4").unwrap_err();
    assert_eq!(
        error.to_string(),
        "key frames do not align: '720p' has none at frame 100 (4.000 s) of '1080p', its nearest is frame 105 \
         (4.200 s); nearest instants in common: 0.000 s and 42.000 s; encode the renditions with key frames at the \
         same times (a fixed group of pictures, no scene-cut key frames)"
    );
}

#[test]
fn long_groups_that_only_nearly_coincide_are_refused_too() {
    let (ten, more) = (ticks(every(10_000, 90_000)), ticks(every(10_040, 90_000)));
    let error = plan(&[rendition("a", &ten, 90_000), rendition("b", &more, 90_000)], "4").unwrap_err();
    assert!(error.to_string().contains("0.000 s, and none later"), "{error}");
}

#[test]
fn a_rendition_that_loses_step_later_is_refused_where_it_does() {
    let steady = ticks(every(2000, 24_000));
    let shifted = ticks((0..=4).map(|n| n * 2000).chain((0..7).map(|n| 9320 + n * 2000)));
    let error = plan(&[rendition("a", &steady, 24_000), rendition("b", &shifted, 24_000)], "4").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("'b' has none at frame 300 (12.000 s) of 'a'"), "{text}");
    assert!(text.contains("frame 283 (11.320 s)"), "{text}");
    assert!(text.contains("8.000 s, and none later"), "{text}");
}

#[test]
fn groups_of_one_rendition_that_are_multiples_of_the_other_make_long_segments() {
    let (two, ten) = (ticks(every(2000, 60_000)), ticks(every(10_000, 60_000)));
    let cuts = plan(&[rendition("a", &two, 60_000), rendition("b", &ten, 60_000)], "4").unwrap();
    assert_eq!(cuts.starts, ticks(every(10_000, 60_000)));
}

#[test]
fn a_stream_with_one_sync_sample_is_one_segment_alone_and_refused_beside_others() {
    assert_eq!(starts_of_one(&[0], 68_000, "4"), [0]);
    let (two, single) = (ticks(every(2000, 68_000)), ticks([0]));
    let error = plan(&[rendition("a", &two, 68_000), rendition("b", &single, 68_000)], "4").unwrap_err();
    assert!(
        error.to_string().contains("'b' has none at frame 100 (4.000 s) of 'a', it has none after its start")
    );
    // Two of them can be cut nowhere: one segment.
    let cuts = plan(&[rendition("a", &single, 68_000), rendition("b", &single, 68_000)], "4").unwrap();
    assert_eq!(cuts.starts, ticks([0]));
    // Where one segment is near enough to the target, nothing is lost.
    let cuts = plan(&[rendition("a", &two[..3], 6000), rendition("b", &single, 6000)], "4").unwrap();
    assert_eq!(cuts.starts, ticks([0]));
}

#[test]
fn long_segments_are_told_once_for_the_set() {
    let notices = |sync: &[u64], end, renditions| {
        let sync = ticks(sync.iter().copied());
        plan(&vec![rendition("a", &sync, end); renditions], "4").unwrap().notices
    };
    assert_eq!(
        notices(&[0, 6001, 10_001, 16_041], 20_041, 1),
        [
            "segments of more than one and a half times the target: 2 of 4, the longest 6.040 s where 4 s were \
          asked for; the stream has no key frame to cut at sooner"
        ]
    );
    assert_eq!(
        notices(&[0], 68_000, 2),
        [
            "segments of more than one and a half times the target: 1 of 1, the longest 68.000 s where 4 s were \
          asked for; the renditions share no key frame to cut at sooner"
        ]
    );
    assert_eq!(notices(&[0, 6000, 12_000], 13_000, 2), [""; 0]);
}

#[test]
fn renditions_that_share_their_start_alone_are_told() {
    let (some, other, single) = (ticks([0, 2000, 4000]), ticks([0, 2040, 4040]), ticks([0]));
    let expected = ["the renditions share no key frame but the first: all 5.000 s are one segment"];
    for pair in [[&some, &other], [&single, &some]] {
        let set = pair.map(|sync| rendition("a", sync, 5000));
        assert_eq!(plan(&set, "4").unwrap().notices, expected);
    }
    assert_eq!(plan(&[rendition("a", &single, 5000); 2], "4").unwrap().notices, [""; 0]);
}

#[test]
fn ends_may_differ_by_one_frame_and_no_more() {
    let sync = ticks([0, 4000]);
    let set = |end| [rendition("1080p", &sync, 8000), rendition("720p", &sync, end)];
    let cuts = plan(&set(7960), "4").unwrap();
    assert_eq!(cuts.end, Ticks(8000));
    assert_eq!(
        cuts.notices,
        ["'720p' ends at 7.960 s, '1080p' at 8.000 s: its last segment is shorter by up to one frame"]
    );
    let error = plan(&set(7959), "4").unwrap_err().to_string();
    assert!(
        error.contains("'720p' ends at 7.959 s, '1080p' at 8.000 s: more than one frame apart"),
        "{error}"
    );
}

#[test]
fn starts_must_be_equal() {
    let (zero, later) = (ticks([0, 4000]), ticks([40, 4000]));
    let error = plan(&[rendition("a", &zero, 8000), rendition("b", &later, 8000)], "4").unwrap_err();
    assert!(error.to_string().contains("'a' starts at 0.000 s and 'b' at 0.040 s"), "{error}");
}

#[test]
fn senseless_times_are_errors() {
    let times = [ticks([]), ticks([0, 0]), ticks([4, 0]), ticks([0, 8000]), ticks([0, 9000])];
    for sync in &times {
        assert!(plan(&[rendition("a", sync, 8000)], "4").is_err(), "{sync:?}");
    }
    assert!(plan(&[], "4").is_err());
}

#[test]
fn ntsc_rates_do_not_drift_over_hours() {
    for (numerator, frames) in [(30_000, 60), (24_000, 48), (60_000, 120)] {
        let rate = FrameRate::new(numerator, 1001).unwrap();
        let scale = Timescale::for_frame_rates([rate]).unwrap();
        let frame = u64::from(rate.frame_duration(scale).unwrap());
        // Groups of 2.002 s through ten hours: a target of 4.004 s, like one of 4 s, cuts at every second group.
        let sync = ticks((0..18_000).map(|n| n * frames * frame));
        let end = Ticks(18_000 * frames * frame);
        let set = [RenditionTimes {
            name: "a",
            sync_times: &sync,
            sync_frames: &[],
            frame_duration: Ticks(frame),
            end,
        }];
        let expected: Vec<Ticks> = sync.iter().copied().step_by(2).collect();
        for target in ["4.004", "1001/250", "4"] {
            let cuts = plan_cuts(&set, scale, target.parse().unwrap()).unwrap();
            assert_eq!(cuts.starts, expected, "{numerator}/1001 at {target}");
        }
    }
}

#[test]
fn the_largest_times_do_not_overflow() {
    let sync = [Ticks(0), Ticks(u64::MAX / 2), Ticks(u64::MAX - 1)];
    let set = [RenditionTimes {
        name: "a",
        sync_times: &sync,
        sync_frames: &[],
        frame_duration: Ticks(0),
        end: Ticks(u64::MAX),
    }; 2];
    let target = SegmentDuration::new(u64::from(u32::MAX), u64::from(u32::MAX) - 1).unwrap();
    let cuts = plan_cuts(&set, timescale(u32::MAX), target).unwrap();
    assert_eq!(cuts.starts, sync);
}

/// The rule by the letter: all instants that every rendition has, and the end; the nearest after the last cut.
fn obvious_starts(renditions: &[Vec<Ticks>], end: u64, target_ms: u64) -> Vec<Ticks> {
    let mut starts = vec![Ticks(0)];
    loop {
        let previous = *starts.last().unwrap();
        let common = renditions[0].iter().filter(|t| renditions.iter().all(|r| r.contains(t)));
        let mut candidates: Vec<Ticks> = common.copied().filter(|&t| t > previous).collect();
        candidates.push(Ticks(end));
        let wish = previous.0 + target_ms;
        let cut = *candidates.iter().min_by_key(|t| (t.0.abs_diff(wish), t.0)).unwrap();
        if cut.0 == end {
            return starts;
        }
        starts.push(cut);
    }
}

proptest! {
    #[test]
    fn planned_cuts_follow_the_rule_by_the_letter(
        common in prop::collection::btree_set(1u64..300, 0..40),
        extra in prop::collection::vec(prop::collection::btree_set(1u64..300, 0..20), 1..4),
        target in 1u64..80,
    ) {
        let end = 300 * 40;
        let sync: Vec<Vec<Ticks>> = extra
            .iter()
            .map(|extra| ticks([0].into_iter().chain(common.union(extra).map(|&frame| frame * 40))))
            .collect();
        let set: Vec<_> = sync.iter().map(|sync| rendition("r", sync, end)).collect();
        let target_ms = target * 100;
        let duration = SegmentDuration::new(target_ms, 1000).unwrap();
        match plan_cuts(&set, timescale(MILLISECONDS), duration) {
            Ok(cuts) => prop_assert_eq!(cuts.starts, obvious_starts(&sync, end, target_ms)),
            Err(error) => {
                // Only a set, and only where some cut in common is more than half a target off its wish.
                prop_assert!(sync.len() > 1, "{}", error);
                let starts = obvious_starts(&sync, end, target_ms);
                let cuts = starts.iter().skip(1).copied().chain([Ticks(end)]);
                let off = |(start, cut): (&Ticks, Ticks)| 2 * cut.0.abs_diff(start.0 + target_ms) > target_ms;
                prop_assert!(starts.iter().zip(cuts).any(off), "{}", error);
            }
        }
    }
}
