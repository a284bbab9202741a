//! `SegmentTimeline`, or `@duration` and the length of the period ► the numbers and times of segments (ISO/IEC 23009-1
//! 5.3.9.2.2, 5.3.9.6). The offset of the presentation is not taken off the times.

use super::report::{Reporter, not_a};
use super::value::NANOS;
use super::xml::Element;
use super::{MPD_ATTRIBUTE, MPD_TIMELINE, MPD_TIMELINE_GAP};
use crate::verify::listing::{ListedDuration, Time};

/// A segment before it has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// What `$Number$` is.
    pub number: u64,
    /// What `$Time$` is.
    pub time: u64,
    /// On the media timeline.
    pub start: Time,
    /// How long.
    pub duration: ListedDuration,
    /// Of the element that says so.
    pub offset: u64,
}

/// What times are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// `@timescale`, not 0.
    pub timescale: u64,
    /// `@presentationTimeOffset` in ticks.
    pub offset: u64,
    /// `@startNumber`.
    pub start_number: u64,
    /// `@endNumber`.
    pub end_number: Option<u64>,
    /// Duration of the period in nanoseconds.
    pub period: Option<i128>,
}

impl Scale {
    fn time(&self, ticks: u64) -> Time {
        Time::new(i128::from(ticks), self.timescale)
    }

    /// Where the period ends on the media timeline.
    fn end(&self) -> Option<u64> {
        let ticks = self.period?.checked_mul(i128::from(self.timescale))?.div_euclid(i128::from(NANOS));
        u64::try_from(ticks).ok()?.checked_add(self.offset)
    }
}

/// The segments of a `SegmentTimeline`.
pub(super) fn timeline(report: &mut Reporter<'_>, element: &Element<'_>, scale: &Scale) -> Vec<Step> {
    let entries: Vec<_> = element.all("S").collect();
    let mut steps = Vec::new();
    let mut walk = Walk { number: scale.start_number, expected: Some(0), is_first: true };
    for (index, &entry) in entries.iter().enumerate() {
        if !report.take_segments(entry, 1) {
            break;
        }
        let Some((start, duration)) = walk.begin(report, entry) else { continue };
        let next = entries.get(index + 1).copied();
        let Some((count, is_open)) = count(report, entry, next, (start, duration), scale) else { continue };
        if !report.take_segments(entry, count) {
            break;
        }
        let end = count.checked_mul(duration).and_then(|span| span.checked_add(start));
        let last = walk.number.checked_add(count);
        let (Some(end), Some(last)) = (end, last) else {
            report.add(
                &MPD_TIMELINE,
                entry,
                "times or numbers of its segments do not fit 64 bits".to_owned(),
            );
            break;
        };
        // Neither product exceeds the end.
        steps.extend((0..count).map(|index| Step {
            number: walk.number + index,
            time: start + index * duration,
            start: scale.time(start + index * duration),
            duration: ListedDuration::Exact(scale.time(duration)),
            offset: entry.offset,
        }));
        walk.number = last;
        // One that repeats up to the next may end behind its start.
        walk.expected = (!is_open).then_some(end);
    }
    steps
}

/// Where a timeline has come to.
struct Walk {
    number: u64,
    /// Where the next segment starts if it does not say.
    expected: Option<u64>,
    is_first: bool,
}

impl Walk {
    /// Start and duration of the first segment of an `S`; `None` if it has none.
    fn begin(&mut self, report: &mut Reporter<'_>, entry: &Element<'_>) -> Option<(u64, u64)> {
        let told = report.number(entry, "t", u64::MAX);
        if let Some(number) = report.number(entry, "n", u64::MAX) {
            self.number = number;
        }
        if let (Some(told), Some(expected), false) = (told, self.expected, self.is_first) {
            if told < expected {
                let message = format!("S@t is {told}, and the segment before it ends at {expected}");
                report.add(&MPD_TIMELINE, entry, message);
            } else if told > expected {
                let message =
                    format!("S@t is {told}, the segment before it ends at {expected}: nothing is in between");
                report.add(&MPD_TIMELINE_GAP, entry, message);
            }
        }
        self.is_first = false;
        let start = told.or(self.expected);
        self.expected = start;
        match (entry.get("d"), report.number(entry, "d", u64::MAX)) {
            (None, _) => report.add(&MPD_TIMELINE, entry, "S has no @d".to_owned()),
            (_, Some(0)) => report.add(&MPD_TIMELINE, entry, "S@d is 0".to_owned()),
            (_, Some(duration)) => return Some((start?, duration)),
            (_, None) => {}
        }
        None
    }
}

/// How many segments an `S` of `(start, duration)` makes, and whether what follows bounds them.
fn count(
    report: &mut Reporter<'_>,
    entry: &Element<'_>,
    next: Option<&Element<'_>>,
    (start, duration): (u64, u64),
    scale: &Scale,
) -> Option<(u64, bool)> {
    let repeat = match entry.get("r") {
        None => 0,
        Some(text) => match text.trim().parse::<i64>() {
            Ok(repeat) => repeat,
            Err(_) => {
                report.add(&MPD_TIMELINE, entry, not_a(entry, "r", text, "a whole number of 64 bits"));
                return None;
            }
        },
    };
    if let Ok(repeat) = u64::try_from(repeat) {
        return Some((repeat.saturating_add(1), false));
    }
    let end = match next {
        Some(next) => match next.get("t") {
            Some(text) => text.trim().parse().ok()?,
            None => {
                let message = format!("S@r is {repeat}, and the next S has no @t to repeat it up to");
                report.add(&MPD_TIMELINE, entry, message);
                return None;
            }
        },
        // Where nobody knows when the period ends, one is there for sure.
        None => scale.end().unwrap_or(start.saturating_add(duration)),
    };
    if end <= start {
        let message = format!("S@r is {repeat}: repeated up to {end}, and it starts at {start}");
        report.add(&MPD_TIMELINE, entry, message);
        return None;
    }
    Some(((end - start).div_ceil(duration), true))
}

/// Segments of one nominal duration: as many as `count` says, else up to `@endNumber` or the end of the period. None where
/// nobody knows how many there are.
pub(super) fn constant(
    report: &mut Reporter<'_>,
    element: &Element<'_>,
    duration: u64,
    scale: &Scale,
    count: Option<u64>,
) -> Vec<Step> {
    let first = scale.start_number;
    let count = match (count, scale.end_number) {
        (Some(count), _) => count,
        (None, Some(end)) if end < first => {
            let message = format!("@endNumber is {end}, and the first number is {first}");
            report.add(&MPD_ATTRIBUTE, element, message);
            return Vec::new();
        }
        (None, Some(end)) => (end - first).saturating_add(1),
        (None, None) => match scale.period.and_then(|period| count_in(period, duration, scale.timescale)) {
            Some(count) => count,
            None => return Vec::new(),
        },
    };
    if !report.take_segments(element, count) {
        return Vec::new();
    }
    let step = |index: u64| {
        let time = index.checked_mul(duration)?;
        Some(Step {
            number: first.checked_add(index)?,
            time,
            start: scale.time(time.checked_add(scale.offset)?),
            duration: ListedDuration::Nominal(scale.time(duration)),
            offset: element.offset,
        })
    };
    let steps: Option<Vec<_>> = (0..count).map(step).collect();
    steps.unwrap_or_else(|| {
        let message = "times or numbers of its segments do not fit 64 bits".to_owned();
        report.add(&MPD_ATTRIBUTE, element, message);
        Vec::new()
    })
}

/// How many segments of `duration` ticks a period of so many nanoseconds has: the last may be shorter.
fn count_in(period: i128, duration: u64, timescale: u64) -> Option<u64> {
    let ticks = u128::try_from(period).ok()?.checked_mul(u128::from(timescale))?;
    let one = u128::from(duration).checked_mul(u128::from(NANOS))?;
    Some(u64::try_from(ticks.div_ceil(one)).unwrap_or(u64::MAX))
}

/// Whether the last of `count` segments is there only because durations are nominal and times rounded: less than half of it
/// lies in the period.
pub(super) fn is_last_in_doubt(count: usize, duration: u64, scale: &Scale) -> bool {
    let doubt = || {
        let ticks = u128::try_from(scale.period?).ok()?.checked_mul(u128::from(scale.timescale))?;
        let before = (count as u128).checked_sub(1)?.checked_mul(u128::from(duration))?;
        let before = before.checked_mul(u128::from(NANOS))?;
        let half = u128::from(duration).checked_mul(u128::from(NANOS / 2))?;
        Some(count > 1 && ticks < before.checked_add(half)?)
    };
    scale.end_number.is_none() && doubt().unwrap_or(false)
}
