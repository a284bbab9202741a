//! Cutting video whose tracks change: where one does, another period starts, for which every rendition of every switching set
//! has to be cut. Each period is planned by itself ([`plan_selection_cuts`]), as if it were all there is.

use super::{Cuts, RenditionTimes, SegmentDuration, SelectionCuts, SwitchingSetTimes, plan_selection_cuts};
use crate::error::{Error, ErrorKind, Result};
use crate::time::{ExactTime, Ticks, Timescale};

/// Plans the segments of switching sets that stand side by side, all of which are cut at `boundaries`, ascending, too.
///
/// # Errors
/// Those of [`plan_selection_cuts`] for each period, and [`ErrorKind::NotAligned`](crate::ErrorKind::NotAligned) when a
/// rendition has no sync sample at a boundary, with its nearest and those that all have in common.
pub fn plan_period_cuts(
    sets: &[SwitchingSetTimes<'_>],
    boundaries: &[ExactTime],
    target: SegmentDuration,
) -> Result<SelectionCuts> {
    if boundaries.is_empty() || sets.is_empty() {
        return plan_selection_cuts(sets, target);
    }
    for &boundary in boundaries {
        check_boundary(sets, boundary)?;
    }
    let mut planned: Option<SelectionCuts> = None;
    for period in 0..=boundaries.len() {
        let (start, end) =
            (period.checked_sub(1).map(|index| boundaries[index]), boundaries.get(period).copied());
        let cuts = plan_period(sets, start, end, target).map_err(|error| within(error, start))?;
        let about = |message: String| format!("period {}: {message}", period + 1);
        let SelectionCuts { sets: all, notices } = planned.get_or_insert_with(|| SelectionCuts {
            sets: sets.iter().map(|set| empty(set.timescale)).collect(),
            notices: Vec::new(),
        });
        notices.extend(cuts.notices.into_iter().map(about));
        for (all, own) in all.iter_mut().zip(cuts.sets) {
            all.starts.extend(own.starts);
            all.end = own.end;
            all.notices.extend(own.notices.into_iter().map(about));
        }
    }
    Ok(planned.expect("there are two periods at least"))
}

/// An error of a period behind the first, which counts frames from its start.
fn within(error: Error, start: Option<ExactTime>) -> Error {
    match (error.kind(), start) {
        (ErrorKind::NotAligned { what, remedy }, Some(ExactTime { ticks, timescale })) => {
            let what = format!(
                "in the period from {:.3} s on, frames counted from there: {what}",
                timescale.seconds(ticks)
            );
            Error::not_aligned(what, remedy.clone())
        }
        _ => error,
    }
}

fn empty(timescale: Timescale) -> Cuts {
    Cuts { timescale, starts: Vec::new(), end: Ticks(0), notices: Vec::new() }
}

/// Plans what lies between two boundaries, each of which every rendition has a sync sample at.
fn plan_period(
    sets: &[SwitchingSetTimes<'_>],
    start: Option<ExactTime>,
    end: Option<ExactTime>,
    target: SegmentDuration,
) -> Result<SelectionCuts> {
    let parts: Vec<Vec<RenditionTimes<'_>>> = sets
        .iter()
        .map(|set| {
            let ticks = |instant: ExactTime| exact(instant, set.timescale).expect("check_boundary found it");
            let (start, end) = (start.map(ticks), end.map(ticks));
            set.renditions.iter().map(|rendition| part(rendition, start, end)).collect()
        })
        .collect();
    let part_sets: Vec<_> =
        sets.iter().zip(&parts).map(|(set, renditions)| SwitchingSetTimes { renditions, ..*set }).collect();
    plan_selection_cuts(&part_sets, target)
}

fn part<'a>(rendition: &RenditionTimes<'a>, start: Option<Ticks>, end: Option<Ticks>) -> RenditionTimes<'a> {
    let times = rendition.sync_times;
    let index = |at: Ticks| times.partition_point(|&time| time < at);
    let (first, behind) = (start.map_or(0, index), end.map_or(times.len(), index));
    RenditionTimes { sync_times: &times[first..behind], end: end.unwrap_or(rendition.end), ..*rendition }
}

/// `instant` in ticks; `None` where it is no whole number of them.
fn exact(instant: ExactTime, timescale: Timescale) -> Option<Ticks> {
    let ticks = u128::from(instant.ticks.0) * u128::from(timescale.get());
    let scale = u128::from(instant.timescale.get());
    u64::try_from(ticks / scale).ok().filter(|_| ticks % scale == 0).map(Ticks)
}

/// Checks that every rendition can be cut there.
fn check_boundary(sets: &[SwitchingSetTimes<'_>], boundary: ExactTime) -> Result<()> {
    for set in sets {
        let at = exact(boundary, set.timescale);
        for rendition in set.renditions {
            if at.is_some_and(|at| rendition.sync_times.binary_search(&at).is_ok()) {
                continue;
            }
            let seconds = boundary.timescale.seconds(boundary.ticks);
            let frame = rendition.frame_duration.0.max(1);
            let own =
                |time: Ticks| format!("frame {} ({:.3} s)", time.0 / frame, set.timescale.seconds(time));
            let nearest = around(rendition.sync_times.iter().copied(), |&time| {
                ExactTime::new(time, set.timescale).is_before(boundary)
            });
            let nearest: Vec<_> = nearest.into_iter().flatten().map(own).collect();
            let common: Vec<_> = around(common(sets).into_iter(), |time| time.is_before(boundary))
                .into_iter()
                .flatten()
                .map(|time| format!("{:.3} s", time.timescale.seconds(time.ticks)))
                .collect();
            return Err(Error::not_aligned(
                format!(
                    "a new period starts at {seconds:.3} s, where '{}' has no key frame: its nearest is {}; nearest instants in \
                     common: {}",
                    rendition.name,
                    nearest.join(" and "),
                    if common.is_empty() { "none".to_owned() } else { common.join(" and ") },
                ),
                "encode all renditions with a key frame where one changes, or keep parameter sets in band (--parameter-sets in-band)",
            ));
        }
    }
    Ok(())
}

/// The last of `times` that is before something, and the first that is not.
fn around<T>(times: impl Iterator<Item = T>, is_before: impl Fn(&T) -> bool) -> [Option<T>; 2] {
    let mut last = None;
    for time in times {
        if !is_before(&time) {
            return [last, Some(time)];
        }
        last = Some(time);
    }
    [last, None]
}

/// When every rendition has a sync sample.
fn common(sets: &[SwitchingSetTimes<'_>]) -> Vec<ExactTime> {
    let Some(first) = sets.first().and_then(|set| Some((set.timescale, set.renditions.first()?))) else {
        return Vec::new();
    };
    let all_have = |&instant: &ExactTime| {
        sets.iter().all(|set| {
            exact(instant, set.timescale).is_some_and(|at| {
                set.renditions.iter().all(|rendition| rendition.sync_times.binary_search(&at).is_ok())
            })
        })
    };
    first.1.sync_times.iter().map(|&time| ExactTime::new(time, first.0)).filter(all_have).collect()
}

#[cfg(test)]
mod tests;
