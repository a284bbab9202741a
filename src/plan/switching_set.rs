//! Cutting a switching set: an instant can start a segment where *every* rendition has a sync sample; the next cut is
//! the one of these nearest to the previous cut plus the target, the earlier of two as near. The end of the set counts
//! as such an instant, so a cut that would leave a needless remainder is not made.
//!
//! Extra sync samples of one rendition (scene changes) do no harm, and long groups of pictures give long segments.
//! Two things are refused as not aligned:
//! - the cut in common lies more than half a target farther from the wanted instant than the cut that each of the
//!   renditions would have by itself;
//! - the renditions share nothing but their start, though one of them has somewhere to cut, and a single segment would
//!   be longer than one and a half targets.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::plan::SegmentDuration;
use crate::time::{Ticks, Timescale};

/// When segments could start in one rendition. All times are in the switching set's timescale: of a sync sample, the
/// earliest presentation time from it on, which is its own (SAP type 1) or one of a picture behind it (SAP type 2).
#[derive(Clone, Copy, Debug)]
pub struct RenditionTimes<'a> {
    /// What messages call it.
    pub name: &'a str,
    /// Its samples of SAP type 1 or 2, ascending; the first is where the rendition starts.
    pub sync_times: &'a [Ticks],
    /// The index of each of these samples, for messages; empty where every frame lasts `frame_duration`, which tells it.
    pub sync_frames: &'a [u64],
    /// Duration of one frame, of the last where they differ: what two ends may differ by.
    pub frame_duration: Ticks,
    /// Where its last sample ends; after the last sync time.
    pub end: Ticks,
}

/// Where a switching set is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cuts {
    /// Of all times here.
    pub timescale: Timescale,
    /// Earliest presentation time of each segment, ascending; never empty: the first is the start of the set.
    pub starts: Vec<Ticks>,
    /// Where the longest rendition ends.
    pub end: Ticks,
    /// What a person should know, one line each: ends that differ by up to one frame, segments of more than one and a half
    /// targets, renditions that can be cut but nowhere together.
    pub notices: Vec<String>,
}

/// Plans the segments of the renditions of one switching set.
///
/// # Errors
/// [`ErrorKind::NotAligned`](crate::ErrorKind::NotAligned) when starts differ, ends differ by more than one frame, or
/// sync samples do not coincide as described at the head of this module; it names rendition, frame, time and the
/// nearest instants in common. [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) for an empty set, or times that do
/// not ascend.
pub fn plan_cuts(
    renditions: &[RenditionTimes],
    timescale: Timescale,
    target: SegmentDuration,
) -> Result<Cuts> {
    let set = Set::new(renditions, timescale, target)?;
    let end_notices = set.check_ends()?;
    let starts = set.starts()?;
    Ok(set.cuts(starts, end_notices))
}

/// The renditions with what they have in common.
pub(super) struct Set<'a> {
    renditions: &'a [RenditionTimes<'a>],
    timescale: Timescale,
    target: SegmentDuration,
    start: Ticks,
    end: Ticks,
    /// Sync times of every rendition, the start among them.
    common: Cow<'a, [Ticks]>,
}

impl<'a> Set<'a> {
    pub(super) fn new(
        renditions: &'a [RenditionTimes<'a>],
        timescale: Timescale,
        target: SegmentDuration,
    ) -> Result<Self> {
        renditions.iter().try_for_each(check_times)?;
        let Some(first) = renditions.first() else {
            return Err(Error::conflict("a switching set without renditions", "give at least one"));
        };
        let start = first.sync_times[0];
        if let Some(other) = renditions.iter().find(|r| r.sync_times[0] != start) {
            let seconds = |t| timescale.seconds(t);
            return Err(Error::not_aligned(
                format!(
                    "'{}' starts at {:.3} s and '{}' at {:.3} s",
                    first.name,
                    seconds(start),
                    other.name,
                    seconds(other.sync_times[0])
                ),
                "encode the renditions from the same first picture",
            ));
        }
        // Those of a rendition by itself are not copied: where every sample is a sync sample they are long.
        let common = renditions[1..].iter().fold(Cow::Borrowed(first.sync_times), |common, r| {
            let mut others = r.sync_times.iter().peekable();
            let is_shared = |time: &&Ticks| {
                while others.next_if(|&other| other < *time).is_some() {}
                others.peek() == Some(time)
            };
            Cow::Owned(common.iter().filter(is_shared).copied().collect())
        });
        let end = renditions.iter().map(|r| r.end).max().unwrap_or(first.end);
        Ok(Self { renditions, timescale, target, start, end, common })
    }

    /// The rule by the letter, wherever the renditions end.
    pub(super) fn starts(&self) -> Result<Vec<Ticks>> {
        let mut starts = vec![self.start];
        let mut previous = self.start;
        loop {
            let cut = self.wish(previous).nearest(&self.common, previous, self.end);
            self.check_alignment(previous, cut)?;
            if cut == self.end {
                return Ok(starts);
            }
            starts.push(cut);
            previous = cut;
        }
    }

    /// Cuts at `starts`, with what there is to say of them behind what there is to say of the ends.
    pub(super) fn cuts(&self, starts: Vec<Ticks>, mut notices: Vec<String>) -> Cuts {
        notices.extend(self.long_segments(&starts));
        notices.extend((starts.len() == 1 && self.nothing_in_common()).then(|| self.single_segment()));
        Cuts { timescale: self.timescale, starts, end: self.end, notices }
    }

    /// Ends may differ by the longer of the two frames: a notice. By more: an error.
    pub(super) fn check_ends(&self) -> Result<Vec<String>> {
        let Some(longest) = self.renditions.iter().find(|r| r.end == self.end) else {
            return Ok(Vec::new());
        };
        let mut notices = Vec::new();
        for rendition in self.renditions.iter().filter(|r| r.end != self.end) {
            let missing = self.end.0 - rendition.end.0;
            let frame = longest.frame_duration.max(rendition.frame_duration);
            let what = format!(
                "'{}' ends at {} s, '{}' at {} s",
                rendition.name,
                self.seconds(rendition.end),
                longest.name,
                self.seconds(longest.end)
            );
            if missing > frame.0 {
                return Err(Error::not_aligned(
                    format!("{what}: more than one frame apart"),
                    "encode the renditions to the same last picture",
                ));
            }
            notices.push(format!("{what}: its last segment is shorter by up to one frame"));
        }
        Ok(notices)
    }

    /// Whether several renditions share their start alone, although one of them has somewhere to cut.
    fn nothing_in_common(&self) -> bool {
        self.renditions.len() > 1
            && self.common.len() == 1
            && self.renditions.iter().any(|r| r.sync_times.len() > 1)
    }

    fn single_segment(&self) -> String {
        let length = self.seconds(Ticks(self.end.0 - self.start.0));
        format!("the renditions share no key frame but the first: all {length} s are one segment")
    }

    /// What there is to say of segments that last more than one and a half targets.
    fn long_segments(&self, starts: &[Ticks]) -> Option<String> {
        let ends = starts.iter().skip(1).copied().chain([self.end]);
        let durations = starts.iter().zip(ends).map(|(start, end)| end.0 - start.0);
        let Wish { target, denominator, .. } = self.wish(Ticks(0));
        let is_long = |duration: &u64| 2 * u128::from(*duration) * denominator > 3 * target;
        let long: Vec<_> = durations.filter(is_long).collect();
        let longest = long.iter().max()?;
        let whose = if self.renditions.len() > 1 { "the renditions share" } else { "the stream has" };
        Some(format!(
            "segments of more than one and a half times the target: {} of {}, the longest {} s where {} s were asked for; \
             {whose} no key frame to cut at sooner",
            long.len(),
            starts.len(),
            self.seconds(Ticks(*longest)),
            self.target
        ))
    }

    fn wish(&self, previous: Ticks) -> Wish {
        Wish::new(previous, self.timescale, self.target)
    }

    /// Whether `cut`, the nearest in common after `previous`, is what the renditions allow by themselves.
    fn check_alignment(&self, previous: Ticks, cut: Ticks) -> Result<()> {
        if self.renditions.len() == 1 {
            return Ok(());
        }
        let wish = self.wish(previous);
        let own_cut = |r: &RenditionTimes| wish.nearest(r.sync_times, previous, self.end);
        let worst = self.renditions.iter().map(|r| wish.distance(own_cut(r))).max().unwrap_or(0);
        let too_long = self.nothing_in_common() && wish.distance(cut) > wish.half_target();
        if !too_long && wish.distance(cut) <= worst + wish.half_target() {
            return Ok(());
        }
        Err(self.not_aligned(&wish, previous))
    }

    /// The error for sync samples that do not coincide near `wish`: which one, and which rendition lacks it.
    fn not_aligned(&self, wish: &Wish, previous: Ticks) -> Error {
        let alone = |r: &RenditionTimes| wish.nearest_sync(r.sync_times, previous);
        let (present, time) = self
            .renditions
            .iter()
            .filter_map(|r| alone(r).map(|time| (r, time)))
            .min_by_key(|&(_, time)| wish.distance(time))
            .expect("an unaligned set has a sync sample that is not in common");
        let lacking = self
            .renditions
            .iter()
            .find(|r| r.sync_times.binary_search(&time).is_err())
            .expect("a sync sample nearer than all in common is lacking somewhere");
        let nearest = match alone(lacking) {
            Some(nearest) => format!("its nearest is {}", self.frame(lacking, nearest)),
            None => "it has none after its start".to_owned(),
        };
        let after = self.common.partition_point(|&t| t <= time);
        let common = match (self.common[..after].last(), self.common.get(after)) {
            (Some(&before), Some(&after)) => {
                format!("{} s and {} s", self.seconds(before), self.seconds(after))
            }
            (Some(&before), None) => format!("{} s, and none later", self.seconds(before)),
            (None, Some(&after)) => format!("{} s", self.seconds(after)),
            (None, None) => "none".to_owned(),
        };
        Error::not_aligned(
            format!(
                "key frames do not align: '{}' has none at {} of '{}', {nearest}; nearest instants in common: {common}",
                lacking.name,
                self.frame(present, time),
                present.name,
            ),
            "encode the renditions with key frames at the same times (a fixed group of pictures, no scene-cut key frames)",
        )
    }

    fn frame(&self, rendition: &RenditionTimes, time: Ticks) -> String {
        let told = rendition.sync_times.binary_search(&time).ok();
        let frame = match told.and_then(|index| rendition.sync_frames.get(index)) {
            Some(&frame) => frame,
            None => (time.0 - self.start.0) / rendition.frame_duration.0.max(1),
        };
        format!("frame {frame} ({} s)", self.seconds(time))
    }

    fn seconds(&self, time: Ticks) -> String {
        format!("{:.3}", self.timescale.seconds(time))
    }
}

fn check_times(rendition: &RenditionTimes) -> Result<()> {
    let invalid = |what: String| Error::conflict(what, "give the times of sync samples in ascending order");
    let Some(&last) = rendition.sync_times.last() else {
        return Err(invalid(format!("'{}' has no sync sample", rendition.name)));
    };
    if !rendition.sync_times.is_sorted_by(|a, b| a < b) || last >= rendition.end {
        return Err(invalid(format!("the sync times of '{}' do not ascend to its end", rendition.name)));
    }
    Ok(())
}

/// The instant wanted for the next cut: the previous one plus the target. Everything is in ticks times the target's
/// denominator, which makes the wish a whole number. 64-bit times, 32-bit denominators: 97 bits at most.
struct Wish {
    instant: u128,
    target: u128,
    denominator: u128,
}

impl Wish {
    fn new(previous: Ticks, timescale: Timescale, target: SegmentDuration) -> Self {
        let denominator = u128::from(target.denominator());
        let target = u128::from(timescale.get()) * u128::from(target.numerator());
        Self { instant: u128::from(previous.0) * denominator + target, target, denominator }
    }

    /// From the wish to `time`. Doubled, as is [`Wish::half_target`], so that half a target is whole.
    fn distance(&self, time: Ticks) -> u128 {
        2 * (u128::from(time.0) * self.denominator).abs_diff(self.instant)
    }

    fn half_target(&self) -> u128 {
        self.target
    }

    /// The one of `times` after `previous` that is nearest to the wish, the earlier of two as near.
    fn nearest_sync(&self, times: &[Ticks], previous: Ticks) -> Option<Ticks> {
        let after = &times[times.partition_point(|&t| t <= previous)..];
        let late = after.partition_point(|&t| u128::from(t.0) * self.denominator < self.instant);
        let around = &after[late.saturating_sub(1)..after.len().min(late + 1)];
        around.iter().copied().min_by_key(|&t| self.distance(t))
    }

    /// The same with `end`, which lies behind all of `times`, among them.
    fn nearest(&self, times: &[Ticks], previous: Ticks, end: Ticks) -> Ticks {
        self.nearest_sync(times, previous).filter(|&t| self.distance(t) <= self.distance(end)).unwrap_or(end)
    }
}

#[cfg(test)]
mod tests;
