//! Where the tracks of a presentation lie on the time lines of its Periods, and the spans that the MPD tells.
//!
//! # The zero of the first Period
//! Each track's `presentationTimeOffset` is the same instant in its own ticks, so tracks stay where they are to each other. Only
//! multiples of a second divided by the greatest common divisor of all timescales are whole ticks of each; the last one
//! that no track starts before is taken. Tracks that start together at such an instant start at 0 in the Period.
//!
//! # Priming
//! Times of the MPD are those of the presentation, behind the edit list (ISO/IEC 23009-1 7.2.1, not opened; the DASH-IF restricted
//! timing model 4.4.1 and 9 speak of presentation times throughout). So a segment starts at `tfdt` less the priming of its track, and
//! the first one, of which the priming itself is not presented, at 0 and is as much shorter: [`PackagedTrack::presented`]. Shaka
//! Packager counts so too (`Fragmenter::AddSample`: what is in front of 0 is left out of earliest time and duration). Players set
//! the time stamp offset to `Period@start` less `presentationTimeOffset`, and the browser applies the edit list.
//!
//! # Later Periods
//! Where tracks change, another Period starts at the first picture behind: at its exact time, rounded up to a microsecond in the MPD.
//! `presentationTimeOffset` is the same instant in ticks of each track, rounded down: sound, whose ticks need not meet it, is
//! shown less than a tick late. Were it a whole tick of all tracks, it would lie before the end of the Period in front, whose
//! last picture players would cut off.
//!
//! # The length of the last Period
//! To the end of the track that lasts longest: "the duration of a CMAF presentation shall be the duration of its longest
//! CMAF track" (ISO/IEC 23000-19 7.3.6, not opened, as the DASH-IF conformance software quotes it).
//!
//! What lies behind the end of a Period is not presented (DASH-IF restricted timing model 9.3): players drop segments that
//! start there and have the browser drop each frame that ends past it. So with the end of the shortest track, which 9.2.1
//! there asks for, Shaka Player 5.2.12 decoded 712 of 720 pictures, and with that of the video (as Shaka Packager has it)
//! it and dash.js 5.2.1 played 0.01 to 0.1 s of the last 0.4 s of sound. With that of the longest both played everything,
//! and ended: their SegmentTimeline tells them where each track does. For the same reason spans are rounded up.

use crate::presentation::{ExactTime, PackagedTrack, Period, Presentation, Segment};
use crate::time::{Timescale, gcd};

const MICROSECONDS: u128 = 1_000_000;

/// A span in microseconds, as `xs:duration` prints it: `PT4.010667S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Microseconds(pub(super) u128);

impl Microseconds {
    /// `ticks`, rounded up.
    pub(super) fn ceil(ticks: u128, timescale: Timescale) -> Self {
        // Sums of two 64-bit numbers of ticks, times 20 bits.
        Self((ticks * MICROSECONDS).div_ceil(u128::from(timescale.get())))
    }
}

impl std::fmt::Display for Microseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, rest) = (self.0 / MICROSECONDS, self.0 % MICROSECONDS);
        write!(f, "PT{seconds}")?;
        if rest > 0 {
            write!(f, ".{}", format!("{rest:06}").trim_end_matches('0'))?;
        }
        f.write_str("S")
    }
}

/// The time line of the Period.
pub(super) struct Timing {
    /// Its zero, in seconds divided by `unit`.
    zero: u64,
    /// Divides every timescale.
    unit: u32,
    /// From zero to the end of the track that ends last.
    pub(super) duration: Microseconds,
    /// The longest segment of any track.
    pub(super) longest_segment: Microseconds,
    /// Where the Period starts whose tracks are looked at, in the time of the tracks; `None` for the first.
    period: Option<ExactTime>,
}

impl Timing {
    /// Of the tracks of a presentation, of which each has a segment ([`Presentation::new`]).
    pub(super) fn new(presentation: &Presentation) -> Self {
        let unit = presentation.tracks().fold(0, |unit, track| gcd(unit, track.timescale().get().into()));
        let unit = u32::try_from(unit).expect("divides a 32-bit timescale");
        let zero = presentation.tracks().map(|track| {
            let zero = u128::from(start(track)) * u128::from(unit) / u128::from(track.timescale().get());
            u64::try_from(zero).expect("the unit is at most the timescale")
        });
        let zero = zero.min().unwrap_or(0);
        let nothing = Microseconds(0);
        let mut timing = Self { zero, unit, duration: nothing, longest_segment: nothing, period: None };
        for track in presentation.tracks() {
            let begin = u128::from(start(track) - timing.offset(track));
            let end = Microseconds::ceil(begin + u128::from(track.presented_duration().0), track.timescale());
            timing.duration = timing.duration.max(end);
            let longest = track.segments().iter().map(|segment| presented_duration(track, segment)).max();
            let longest = Microseconds::ceil(longest.unwrap_or(0).into(), track.timescale());
            timing.longest_segment = timing.longest_segment.max(longest);
        }
        timing
    }

    /// The same for the tracks of one of the Periods.
    pub(super) fn within(&self, period: &Period) -> Self {
        Self { period: period.start, ..*self }
    }

    /// `Period@start`: the first starts at the zero of the time line.
    pub(super) fn start_of(&self, period: &Period) -> Microseconds {
        let Some(ExactTime { ticks, timescale }) = period.start else { return Microseconds(0) };
        // The timescale is one of those that the unit divides.
        let zero = self.zero * u64::from(timescale.get() / self.unit);
        Microseconds::ceil(ticks.0.saturating_sub(zero).into(), timescale)
    }

    /// `presentationTimeOffset`: the zero of the Period in ticks of a track, at most where it starts.
    pub(super) fn offset(&self, track: &PackagedTrack) -> u64 {
        if let Some(ExactTime { ticks, timescale }) = self.period {
            let instant = u128::from(ticks.0) * u128::from(track.timescale().get());
            let instant = u64::try_from(instant / u128::from(timescale.get()));
            return instant.expect("a track starts then or later, which is 64 bits");
        }
        // Below the start of the track, which is 64 bits.
        self.zero * u64::from(track.timescale().get() / self.unit)
    }
}

fn start(track: &PackagedTrack) -> u64 {
    track.segments().first().map_or(0, |segment| track.presented(segment).start)
}

/// Ticks for which a segment is presented.
pub(super) fn presented_duration(track: &PackagedTrack, segment: &Segment) -> u64 {
    let presented = track.presented(segment);
    presented.end - presented.start
}

/// Whether segments of the tracks start together, each at the same time as its counterparts; ends may differ.
pub(super) fn start_together(tracks: &[&PackagedTrack]) -> bool {
    let Some((first, others)) = tracks.split_first() else { return true };
    others.iter().all(|other| {
        let scaled = |ticks: u64, timescale: Timescale| u128::from(ticks) * u128::from(timescale.get());
        first.segments().len() == other.segments().len()
            && first.segments().iter().zip(other.segments()).all(|(a, b)| {
                scaled(first.presented(a).start, other.timescale())
                    == scaled(other.presented(b).start, first.timescale())
            })
    })
}
