//! Cutting several switching sets of video that stand side by side, one for each codec and dynamic range: a selection set. A player takes
//! one of them and stays there, but audio is cut beside only one, so they are cut at the same instants where they can be.
//!
//! Each set is planned by itself, and that has to work ([`plan_cuts`]). The instants that all renditions of all sets share
//! are taken instead where they serve as well: where they align by the same rule, and no set gets a segment of more than
//! one and a half targets that is longer than any it has by itself. Otherwise each set keeps its own cuts, with a notice.
//!
//! Ends of the sets may lie further apart than those of renditions, for nobody switches across them: up to the longest
//! segment, with a notice where it is more than a frame. That is the limit of CMAF for the durations of a selection set
//! and of a presentation (ISO/IEC 23000-19 7.3.5 and 7.3.6, not opened: as digests of them say).

use super::switching_set::Set;
use super::{Cuts, RenditionTimes, SegmentDuration, plan_cuts};
use crate::error::{Error, Result};
use crate::time::{Ticks, Timescale, gcd};

/// One switching set, with what messages call it.
#[derive(Clone, Copy, Debug)]
pub struct SwitchingSetTimes<'a> {
    /// What messages call it, such as `H.264`.
    pub name: &'a str,
    /// Of all its times.
    pub timescale: Timescale,
    /// Its renditions; at least one.
    pub renditions: &'a [RenditionTimes<'a>],
}

/// Where the switching sets of a selection set are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionCuts {
    /// The cuts of each set, in the order given, in its own timescale.
    pub sets: Vec<Cuts>,
    /// What a person should know of the sets together: ends that are more than a frame apart, cuts that are not in common.
    pub notices: Vec<String>,
}

/// Plans the segments of switching sets that stand side by side.
///
/// # Errors
/// Those of [`plan_cuts`] for each set, and [`ErrorKind::NotAligned`](crate::ErrorKind::NotAligned) when two sets end
/// further apart than the longest segment.
pub fn plan_selection_cuts(sets: &[SwitchingSetTimes<'_>], target: SegmentDuration) -> Result<SelectionCuts> {
    let own = sets
        .iter()
        .map(|set| plan_cuts(set.renditions, set.timescale, target))
        .collect::<Result<Vec<_>>>()?;
    let mut notices = check_ends(sets, &own)?;
    if sets.len() < 2 {
        return Ok(SelectionCuts { sets: own, notices });
    }
    let common = common_cuts(sets, &own, target);
    let sets = common.unwrap_or_else(|reason| {
        let names: Vec<_> = sets.iter().map(|set| set.name).collect();
        notices.push(format!(
            "{} are cut each by itself, not at the same instants ({reason}); audio follows {}",
            names.join(" and "),
            names[0]
        ));
        own
    });
    Ok(SelectionCuts { sets, notices })
}

/// The cuts that all sets share, or why they are not taken.
fn common_cuts(
    sets: &[SwitchingSetTimes<'_>],
    own: &[Cuts],
    target: SegmentDuration,
) -> Result<Vec<Cuts>, String> {
    let too_fine = || "no 32-bit timescale counts the times of all".to_owned();
    let timescale = common_timescale(sets).ok_or_else(too_fine)?;
    let scaled = sets.iter().map(|set| Scaled::of(set, timescale)).collect::<Option<Vec<_>>>();
    let scaled = scaled.ok_or_else(too_fine)?;
    let all: Vec<_> = scaled.iter().flat_map(Scaled::renditions).collect();
    // The remedy of the error is for renditions that players switch between.
    let not_aligned = |error: Error| match error.kind() {
        crate::ErrorKind::NotAligned { what, .. } => what.to_string(),
        other => other.to_string(),
    };
    let starts = Set::new(&all, timescale, target).and_then(|set| set.starts()).map_err(not_aligned)?;
    sets.iter()
        .zip(own)
        .zip(&scaled)
        .map(|((times, own), scaled)| {
            // A cut in common is a sync time of every rendition, so it is a whole number of the set's ticks.
            let starts: Vec<_> = starts.iter().map(|start| Ticks(start.0 / scaled.factor)).collect();
            if makes_longer(&starts, own, target) {
                return Err(format!("the key frames in common would make long segments of {}", times.name));
            }
            let set = Set::new(times.renditions, times.timescale, target).map_err(|e| e.to_string())?;
            let end_notices = set.check_ends().map_err(|e| e.to_string())?;
            Ok(set.cuts(starts, end_notices))
        })
        .collect()
}

/// Whether cuts at `starts` give a segment of more than one and a half targets that is longer than any by `own` cuts.
fn makes_longer(starts: &[Ticks], own: &Cuts, target: SegmentDuration) -> bool {
    let longest = longest_segment(starts, own.end);
    // 64-bit ticks, 32-bit fractions.
    let twice = 2 * u128::from(longest.0) * u128::from(target.denominator());
    let is_long = twice > 3 * u128::from(own.timescale.get()) * u128::from(target.numerator());
    is_long && longest > longest_segment(&own.starts, own.end)
}

fn longest_segment(starts: &[Ticks], end: Ticks) -> Ticks {
    let ends = starts.iter().skip(1).copied().chain([end]);
    // In a set that ends before others, a last cut in common is still a sync time, and so in front of the end.
    Ticks(starts.iter().zip(ends).map(|(start, end)| end.0.saturating_sub(start.0)).max().unwrap_or(0))
}

/// The least common multiple of the timescales.
fn common_timescale(sets: &[SwitchingSetTimes<'_>]) -> Option<Timescale> {
    let multiple = sets.iter().try_fold(1u64, |multiple, set| {
        let ticks = u64::from(set.timescale.get());
        Some(multiple / gcd(multiple, ticks) * ticks).filter(|&ticks| ticks <= u64::from(u32::MAX))
    })?;
    std::num::NonZeroU32::new(u32::try_from(multiple).ok()?).map(Timescale::new)
}

/// A switching set with its times in another timescale.
struct Scaled<'a> {
    set: &'a SwitchingSetTimes<'a>,
    factor: u64,
    sync_times: Vec<Vec<Ticks>>,
}

impl<'a> Scaled<'a> {
    /// `None` where a time does not fit 64 bits.
    fn of(set: &'a SwitchingSetTimes<'a>, timescale: Timescale) -> Option<Self> {
        let factor = u64::from(timescale.get() / set.timescale.get());
        set.renditions.iter().try_for_each(|r| r.end.0.checked_mul(factor).map(drop))?;
        // Sync times lie in front of the end.
        let scale = |r: &RenditionTimes<'_>| r.sync_times.iter().map(|time| Ticks(time.0 * factor)).collect();
        Some(Self { set, factor, sync_times: set.renditions.iter().map(scale).collect() })
    }

    fn renditions(&self) -> impl Iterator<Item = RenditionTimes<'_>> {
        self.set.renditions.iter().zip(&self.sync_times).map(|(rendition, sync_times)| RenditionTimes {
            name: rendition.name,
            sync_times,
            sync_frames: rendition.sync_frames,
            frame_duration: Ticks(rendition.frame_duration.0.saturating_mul(self.factor)),
            end: Ticks(rendition.end.0 * self.factor),
        })
    }
}

/// Compares the ends of the sets with the last of them.
fn check_ends(sets: &[SwitchingSetTimes<'_>], own: &[Cuts]) -> Result<Vec<String>> {
    let is_later =
        |&a: &usize, &b: &usize| end(&own[a], own[b].timescale).cmp(&end(&own[b], own[a].timescale));
    let Some(last) = (0..own.len()).rev().max_by(is_later) else { return Ok(Vec::new()) };
    let mut notices = Vec::new();
    for other in (0..own.len()).filter(|&other| other != last) {
        let (late, early) = (&own[last], &own[other]);
        // In units of a second divided by both timescales.
        let apart = end(late, early.timescale) - end(early, late.timescale);
        let frame = |index: usize, by: &Cuts| {
            let longest = sets[index].renditions.iter().map(|r| r.frame_duration.0).max().unwrap_or(0);
            u128::from(longest) * u128::from(by.timescale.get())
        };
        let segment = |cuts: &Cuts, by: &Cuts| {
            u128::from(longest_segment(&cuts.starts, cuts.end).0) * u128::from(by.timescale.get())
        };
        let what = || {
            format!(
                "{} ends at {:.3} s, {} at {:.3} s",
                sets[other].name,
                early.timescale.seconds(early.end),
                sets[last].name,
                late.timescale.seconds(late.end)
            )
        };
        if apart > segment(late, early).max(segment(early, late)) {
            return Err(Error::not_aligned(
                format!("{}: further apart than a segment is long", what()),
                "encode the same content in all codecs",
            ));
        }
        if apart > frame(last, early).max(frame(other, late)) {
            notices.push(format!("{}: what one shows last is missing in the other", what()));
        }
    }
    Ok(notices)
}

/// The end of `cuts` in its ticks, times the ticks of `by`.
fn end(cuts: &Cuts, by: Timescale) -> u128 {
    u128::from(cuts.end.0) * u128::from(by.get())
}

#[cfg(test)]
mod tests;
