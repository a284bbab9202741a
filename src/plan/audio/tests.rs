use std::iter::{RepeatN, repeat_n};
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

fn timescale(n: u32) -> Timescale {
    Timescale::new(NonZeroU32::new(n).unwrap())
}

/// AAC: 1024 ticks a frame.
fn aac(rate: u32, samples: usize) -> AudioTimes<RepeatN<u32>> {
    AudioTimes { timescale: timescale(rate), durations: repeat_n(1024, samples), priming: Ticks(0) }
}

fn video(scale: u32, starts: &[u64], end: u64) -> Cuts {
    Cuts {
        timescale: timescale(scale),
        starts: starts.iter().copied().map(Ticks).collect(),
        end: Ticks(end),
        notices: Vec::new(),
    }
}

fn target(text: &str) -> SegmentDuration {
    text.parse().unwrap()
}

#[test]
fn audio_is_cut_before_the_first_sample_at_or_after_the_video_boundary() {
    // At 48 kHz 4 s are 187.5 frames, 8 s are 375 exactly.
    let cuts = video(25_000, &[0, 100_000, 200_000], 300_000);
    assert_eq!(plan_audio_cuts(&aac(48_000, 563), Some(&cuts), target("4")).unwrap(), [0, 188, 375]);
    // A video that starts at 1 s plays from there: boundaries count from its start.
    let late = video(25_000, &[25_000, 125_000, 225_000], 325_000);
    assert_eq!(plan_audio_cuts(&aac(48_000, 563), Some(&late), target("4")).unwrap(), [0, 188, 375]);
}

#[test]
fn priming_moves_the_cut_by_the_samples_that_are_skipped() {
    let cuts = video(25_000, &[0, 100_000], 200_000);
    let primed = |priming| AudioTimes { priming: Ticks(priming), ..aac(48_000, 377) };
    // 187.5 frames after one skipped frame: 188.5.
    assert_eq!(plan_audio_cuts(&primed(1024), Some(&cuts), target("4")).unwrap(), [0, 189]);
    // Half a frame skipped makes it whole.
    assert_eq!(plan_audio_cuts(&primed(512), Some(&cuts), target("4")).unwrap(), [0, 188]);
    assert_eq!(plan_audio_cuts(&primed(513), Some(&cuts), target("4")).unwrap(), [0, 189]);
    // Alone, the skipped samples open the first segment and make none of their own.
    assert_eq!(plan_audio_cuts(&primed(1024), None, target("4")).unwrap(), [0, 189]);
}

#[test]
fn audio_past_the_video_goes_on_by_the_target_or_joins_the_last_segment() {
    let cuts = video(1000, &[0, 4000], 8000);
    let frames = |milliseconds: usize| milliseconds * 48 / 1024;
    // Whole frames at 8 s and 10 s (375, 468.75): with 469 frames 2.005 s remain, with 468 1.984 s.
    assert_eq!(plan_audio_cuts(&aac(48_000, 468), Some(&cuts), target("4")).unwrap(), [0, 188]);
    assert_eq!(plan_audio_cuts(&aac(48_000, 469), Some(&cuts), target("4")).unwrap(), [0, 188, 375]);
    // 20 s: boundaries at 8, 12, 16.
    let planned = plan_audio_cuts(&aac(48_000, frames(20_000)), Some(&cuts), target("4")).unwrap();
    assert_eq!(planned, [0, 188, 375, 563, 750]);
}

#[test]
fn audio_that_ends_early_has_fewer_segments_and_no_empty_ones() {
    let cuts = video(1000, &[0, 4000, 8000, 12_000], 16_000);
    assert_eq!(plan_audio_cuts(&aac(48_000, 376), Some(&cuts), target("4")).unwrap(), [0, 188, 375]);
    assert_eq!(plan_audio_cuts(&aac(48_000, 375), Some(&cuts), target("4")).unwrap(), [0, 188]);
    assert_eq!(plan_audio_cuts(&aac(48_000, 1), Some(&cuts), target("4")).unwrap(), [0]);
    assert!(plan_audio_cuts(&aac(48_000, 0), Some(&cuts), target("4")).is_err());
}

#[test]
fn boundaries_closer_than_a_sample_make_one_cut() {
    let cuts = video(1000, &[0, 5, 10, 15, 20, 25, 30], 64);
    assert_eq!(plan_audio_cuts(&aac(48_000, 3), Some(&cuts), target("0.005")).unwrap(), [0, 1, 2]);
}

#[test]
fn audio_alone_is_cut_at_multiples_of_the_target() {
    // 44.1 kHz: 4 s are 172.27 frames; 10 s are 430.66.
    let at = |n: u64, seconds: u64| (n * seconds * 44_100).div_ceil(1024);
    let planned = plan_audio_cuts(&aac(44_100, 4307), None, target("4")).unwrap();
    assert_eq!(planned, (0..25).map(|n| at(n, 4)).collect::<Vec<_>>());
    // Half a target or less at the end joins: 517 frames are 12.0047 s, 603 are 14.0016 s, 602 are 13.978 s.
    let count = |samples| plan_audio_cuts(&aac(44_100, samples), None, target("4")).unwrap().len();
    assert_eq!((count(517), count(602), count(603)), (3, 3, 4));
    assert_eq!(count(1), 1);
}

#[test]
fn a_remainder_of_exactly_half_a_target_joins() {
    let planned = |samples| plan_audio_cuts(&aac(1024, samples), None, target("4")).unwrap();
    assert_eq!(planned(10), [0, 4]);
    assert_eq!(planned(11), [0, 4, 8]);
}

#[test]
fn a_target_far_below_a_sample_takes_a_step_for_each_sample() {
    let tiny = SegmentDuration::new(1, u64::from(u32::MAX)).unwrap();
    assert_eq!(plan_audio_cuts(&aac(48_000, 1000), None, tiny).unwrap(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn samples_of_different_durations_are_cut_where_they_start() {
    // FLAC of 4096 and 1000 ticks in turn, at 1000 ticks a second; 4.096 and 5.096 s: boundaries at 4 and 8 s.
    let durations = [4096, 1000].into_iter().cycle().take(6);
    let audio = AudioTimes { timescale: timescale(1000), durations, priming: Ticks(0) };
    // Starts: 0, 4.096, 5.096, 9.192, 10.192, 14.288; the end is 15.288.
    assert_eq!(plan_audio_cuts(&audio, None, target("4")).unwrap(), [0, 1, 3, 5]);
    let cuts = video(1000, &[0, 5096, 9193], 15_288);
    assert_eq!(plan_audio_cuts(&audio, Some(&cuts), target("4")).unwrap(), [0, 2, 4]);
}

#[test]
fn lengths_past_exact_arithmetic_are_refused() {
    let primed = AudioTimes { priming: Ticks(1 << 62), ..aac(48_000, 1) };
    assert!(plan_audio_cuts(&primed, None, target("4")).is_err());
    let cuts = video(1000, &[0], u64::MAX);
    assert!(plan_audio_cuts(&aac(48_000, 1), Some(&cuts), target("4")).is_err());
    let long = video(u32::MAX, &[0, (1 << 62) - 2], (1 << 62) - 1);
    let fine = SegmentDuration::new(u64::from(u32::MAX), u64::from(u32::MAX) - 1).unwrap();
    assert_eq!(plan_audio_cuts(&aac(u32::MAX, 2), Some(&long), fine).unwrap(), [0]);
}

proptest! {
    /// Ten hours and more of 4.004 s video segments at the NTSC rates: each audio segment starts less than one sample
    /// after its video boundary, whatever the sampling rate.
    #[test]
    fn audio_stays_within_one_sample_of_the_video(
        scale in prop::sample::select(vec![24_000u32, 30_000, 60_000]),
        rate in prop::sample::select(vec![44_100u32, 48_000, 22_050, 96_000]),
        hours in 1u64..15,
    ) {
        let step = 1001 * u64::from(scale) / 250;
        let segments = hours * 900;
        let starts: Vec<u64> = (0..segments).map(|n| n * step).collect();
        let cuts = video(scale, &starts, segments * step);
        let samples = (segments * step * u64::from(rate)).div_ceil(1024 * u64::from(scale));
        let samples = usize::try_from(samples).unwrap();
        let planned = plan_audio_cuts(&aac(rate, samples), Some(&cuts), target("4.004")).unwrap();
        prop_assert_eq!(planned.len(), starts.len());
        for (&sample, &start) in planned.iter().zip(&starts) {
            let (audio, video) = (u128::from(sample) * 1024 * u128::from(scale), u128::from(start) * u128::from(rate));
            prop_assert!(audio >= video && audio - video < 1024 * u128::from(scale));
        }
    }
}
