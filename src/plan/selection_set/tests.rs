use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

fn timescale(n: u32) -> Timescale {
    Timescale::new(NonZeroU32::new(n).unwrap())
}

/// A rendition of 25 frames a second with sync samples every so many frames, in ticks of `scale`.
struct Stream {
    scale: u32,
    sync_times: Vec<Ticks>,
    end: u64,
}

impl Stream {
    fn new(scale: u32, group: usize, frames: u64) -> Self {
        Self::with_sync(scale, (0..frames).step_by(group), frames)
    }

    fn with_sync(scale: u32, frames: impl IntoIterator<Item = u64>, end: u64) -> Self {
        let frame = u64::from(scale / 25);
        let sync_times = frames.into_iter().map(|n| Ticks(n * frame)).collect();
        Self { scale, sync_times, end: end * frame }
    }

    fn times<'a>(&'a self, name: &'a str) -> RenditionTimes<'a> {
        let frame_duration = Ticks(u64::from(self.scale / 25));
        RenditionTimes {
            name,
            sync_times: &self.sync_times,
            sync_frames: &[],
            frame_duration,
            end: Ticks(self.end),
        }
    }
}

/// Plans sets of one rendition each, `H.264` first; gives the starts in seconds, and the notices.
fn plan(streams: &[Stream], target: &str) -> Result<(Vec<Vec<f64>>, Vec<String>)> {
    let names = ["H.264", "AV1", "H.265"];
    let renditions: Vec<_> = streams.iter().zip(names).map(|(stream, name)| [stream.times(name)]).collect();
    let sets: Vec<_> = renditions
        .iter()
        .zip(streams)
        .map(|(renditions, stream)| SwitchingSetTimes {
            name: renditions[0].name,
            timescale: timescale(stream.scale),
            renditions,
        })
        .collect();
    let planned = plan_selection_cuts(&sets, target.parse().unwrap())?;
    let seconds = |cuts: &Cuts| cuts.starts.iter().map(|&t| cuts.timescale.seconds(t)).collect();
    Ok((planned.sets.iter().map(seconds).collect(), planned.notices))
}

#[test]
fn sets_with_equal_groups_are_cut_as_each_by_itself() {
    let (starts, notices) = plan(&[Stream::new(25_000, 50, 600), Stream::new(90_000, 50, 600)], "4").unwrap();
    assert_eq!(starts, vec![vec![0.0, 4.0, 8.0, 12.0, 16.0, 20.0]; 2]);
    assert_eq!(notices, [""; 0]);
}

#[test]
fn sets_that_would_be_cut_apart_are_cut_where_both_can_be() {
    // Groups of 1 s and of 2 s: by itself, the first is cut every 3 s and the second every 2 s, the earlier of two as near.
    let streams = || [Stream::new(25_000, 25, 600), Stream::new(15_000, 50, 600)];
    let (starts, notices) = plan(&streams(), "3").unwrap();
    assert_eq!(starts[1], (0..12).map(|n| f64::from(2 * n)).collect::<Vec<_>>());
    assert_eq!(starts[0], starts[1], "cut as the second can be, not every 3 s");
    assert_eq!(notices, [""; 0]);
}

#[test]
fn sets_with_little_in_common_are_cut_each_by_itself_and_that_is_told() {
    // Instants in common every 12 s would make segments of three targets.
    let (starts, notices) =
        plan(&[Stream::new(25_000, 75, 1200), Stream::new(25_000, 100, 1200)], "4").unwrap();
    assert_eq!(starts[0][..3], [0.0, 3.0, 6.0]);
    assert_eq!(starts[1][..3], [0.0, 4.0, 8.0]);
    let [notice] = &notices[..] else { panic!("{notices:?}") };
    for part in ["H.264 and AV1 are cut each by itself", "key frames do not align", "audio follows H.264"] {
        assert!(notice.contains(part), "{notice}");
    }
}

#[test]
fn a_set_with_long_groups_does_not_make_long_segments_of_the_others() {
    // Within a set this makes segments of 10 s: there a player has to be able to switch.
    let (starts, notices) =
        plan(&[Stream::new(25_000, 50, 1500), Stream::new(25_000, 250, 1500)], "4").unwrap();
    assert_eq!(starts[0][..3], [0.0, 4.0, 8.0]);
    assert_eq!(starts[1][..3], [0.0, 10.0, 20.0]);
    assert!(notices[0].contains("would make long segments of H.264"), "{notices:?}");
    // Where each has them anyway, they are shared.
    let (starts, notices) =
        plan(&[Stream::new(25_000, 250, 1500), Stream::new(50_000, 250, 1500)], "4").unwrap();
    assert_eq!(starts[0], starts[1]);
    assert_eq!(notices, [""; 0]);
}

#[test]
fn timescales_without_a_common_one_are_no_error() {
    // 25 * 11_930_449 and 25 * 11_930_450: the least common multiple passes 32 bits.
    let streams = [Stream::new(298_261_225, 50, 200), Stream::new(298_261_250, 50, 200)];
    let (starts, notices) = plan(&streams, "4").unwrap();
    assert_eq!(starts, vec![vec![0.0, 4.0]; 2]);
    assert!(notices[0].contains("no 32-bit timescale"), "{notices:?}");
}

#[test]
fn ends_of_sets_may_be_a_segment_apart_with_a_notice() {
    let ends = |a, b| plan(&[Stream::new(25_000, 50, a), Stream::new(50_000, 50, b)], "4");
    // One frame.
    assert_eq!(ends(600, 599).unwrap().1, [""; 0]);
    let expected = ["AV1 ends at 23.920 s, H.264 at 24.000 s: what one shows last is missing in the other"];
    assert_eq!(ends(600, 598).unwrap().1, expected);
    // 4 s, a whole segment, and a frame more.
    assert_eq!(ends(600, 500).unwrap().1.len(), 1);
    let error = ends(600, 499).unwrap_err();
    assert!(matches!(error.kind(), crate::ErrorKind::NotAligned { .. }), "{error}");
    assert!(
        error.to_string().contains("AV1 ends at 19.960 s, H.264 at 24.000 s: further apart than"),
        "{error}"
    );
}

#[test]
fn renditions_of_one_set_that_do_not_align_stay_an_error() {
    let (two, odd) = (Stream::new(25_000, 50, 1500), Stream::new(25_000, 51, 1500));
    let other = Stream::new(25_000, 50, 1500);
    let (first, second) = ([other.times("av1")], [two.times("a.h264"), odd.times("b.h264")]);
    let sets = [("AV1", &first[..]), ("H.264", &second[..])].map(|(name, renditions)| SwitchingSetTimes {
        name,
        timescale: timescale(25_000),
        renditions,
    });
    let error = plan_selection_cuts(&sets, "4".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("'b.h264' has none at frame 100 (4.000 s) of 'a.h264'"), "{error}");
}

proptest! {
    /// Whatever the groups are: every cut is a sync time of its set, and either all sets are cut at the same instants, or
    /// each as by itself.
    #[test]
    fn cuts_are_in_common_or_each_sets_own(
        sync in prop::collection::vec(prop::collection::btree_set(1u64..500, 0..60), 2..4),
        scales in prop::collection::vec(prop::sample::select(vec![25_000u32, 50_000, 15_000, 90_000]), 3),
        target in 1u64..60,
    ) {
        let streams: Vec<_> = sync
            .iter()
            .zip(&scales)
            .map(|(sync, &scale)| Stream::with_sync(scale, [0].into_iter().chain(sync.iter().copied()), 500))
            .collect();
        let target = format!("{}/10", target);
        let (starts, notices) = plan(&streams, &target).unwrap();
        let mut alone = Vec::new();
        for (stream, starts) in streams.iter().zip(&starts) {
            let seconds = |t: &Ticks| timescale(stream.scale).seconds(*t);
            prop_assert!(starts.iter().all(|s| stream.sync_times.iter().any(|t| seconds(t) == *s)));
            let cuts = plan_cuts(&[stream.times("a")], timescale(stream.scale), target.parse().unwrap()).unwrap();
            alone.push(cuts.starts.iter().map(seconds).collect::<Vec<_>>());
        }
        if notices.is_empty() {
            prop_assert!(starts.windows(2).all(|pair| pair[0] == pair[1]));
        } else {
            prop_assert_eq!(starts, alone);
        }
    }
}
