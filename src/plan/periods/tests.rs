use std::num::NonZeroU32;

use super::*;

fn timescale(n: u32) -> Timescale {
    Timescale::new(NonZeroU32::new(n).unwrap())
}

/// Sync times in seconds, with the end last, in ticks of `scale`.
struct Stream {
    scale: u32,
    sync_times: Vec<Ticks>,
    end: Ticks,
}

fn stream(scale: u32, seconds: &[u64]) -> Stream {
    let ticks = |second: &u64| Ticks(second * u64::from(scale));
    let (end, sync) = seconds.split_last().unwrap();
    Stream { scale, sync_times: sync.iter().map(ticks).collect(), end: ticks(end) }
}

/// Starts of each set in seconds, with segments of four seconds.
fn plan(streams: &[Stream], boundaries: &[(u64, u32)]) -> Result<(Vec<Vec<f64>>, Vec<String>)> {
    let names = ["a", "b"];
    let renditions: Vec<_> = streams
        .iter()
        .zip(names)
        .map(|(stream, name)| {
            let frame_duration = Ticks(u64::from(stream.scale / 25));
            [RenditionTimes {
                name,
                sync_times: &stream.sync_times,
                sync_frames: &[],
                frame_duration,
                end: stream.end,
            }]
        })
        .collect();
    let sets: Vec<_> = renditions
        .iter()
        .zip(streams)
        .map(|(renditions, stream)| SwitchingSetTimes {
            name: renditions[0].name,
            timescale: timescale(stream.scale),
            renditions,
        })
        .collect();
    let boundaries: Vec<_> =
        boundaries.iter().map(|&(ticks, scale)| ExactTime::new(Ticks(ticks), timescale(scale))).collect();
    let SelectionCuts { sets, notices } = plan_period_cuts(&sets, &boundaries, "4".parse().unwrap())?;
    let seconds = |cuts: &Cuts| cuts.starts.iter().map(|&t| cuts.timescale.seconds(t)).collect();
    let all = sets.iter().flat_map(|cuts| cuts.notices.clone()).chain(notices.clone()).collect();
    Ok((sets.iter().map(seconds).collect(), all))
}

#[test]
fn a_boundary_is_a_cut_and_the_target_counts_from_it() {
    let seconds: Vec<_> = (0..=15).collect();
    let streams = || [stream(25_000, &seconds), stream(90_000, &seconds)];
    let (starts, notices) = plan(&streams(), &[(5, 1), (18, 3)]).unwrap();
    assert_eq!(starts, vec![vec![0.0, 4.0, 5.0, 6.0, 10.0, 14.0]; 2]);
    assert_eq!(notices, [""; 0]);
    let (starts, _) = plan(&streams(), &[]).unwrap();
    assert_eq!(starts, vec![vec![0.0, 4.0, 8.0, 12.0]; 2]);
}

#[test]
fn what_is_told_of_one_period_says_which() {
    let (starts, notices) = plan(&[stream(25_000, &[0, 4, 8, 16])], &[(4, 1)]).unwrap();
    assert_eq!(starts, [[0.0, 4.0, 8.0]]);
    assert!(notices[0].starts_with("period 2: segments of more than"), "{notices:?}");
}

#[test]
fn every_rendition_needs_a_key_frame_at_a_boundary() {
    let streams = [stream(25_000, &[0, 2, 4, 6, 8]), stream(90_000, &[0, 2, 5, 6, 8])];
    let error = plan(&streams, &[(4, 1)]).unwrap_err().to_string();
    for part in [
        "4.000 s, where 'b' has no key frame",
        "frame 50 (2.000 s) and frame 125 (5.000 s)",
        "common: 2.000 s and 6.000 s",
    ] {
        assert!(error.contains(part), "{error}");
    }
    // No tick of 1/25 s.
    let error = plan(&[stream(25, &[0, 2, 4])], &[(60_001, 30_000)]).unwrap_err().to_string();
    assert!(error.contains("2.000 s, where 'a' has no key frame"), "{error}");
    // Behind the end of the second.
    let streams = [stream(25_000, &[0, 2, 4, 6]), stream(90_000, &[0, 2, 3])];
    let error = plan(&streams, &[(4, 1)]).unwrap_err().to_string();
    assert!(
        error.contains("its nearest is frame 50 (2.000 s); nearest instants in common: 2.000 s"),
        "{error}"
    );
}
