//! `BANDWIDTH`, `AVERAGE-BANDWIDTH` and `@bandwidth` against the bytes of the segments. Integers only.
//!
//! HLS: the peak segment bit rate of a playlist is the largest bit rate of any contiguous set of segments whose duration is
//! between 0.5 and 1.5 target durations (RFC 8216 4.3.4.2).
//!
//! MPD: a player starts at any segment, on a channel of `@bandwidth`, and plays once `minBufferTime` is over (ISO/IEC
//! 23009-1 5.3.5.2, not opened). How bytes lie within a segment is not known here, so only what is certain counts: a
//! segment has to be there as a whole when it ends.

use std::collections::VecDeque;

use super::{HLS_AVERAGE_BANDWIDTH, HLS_BANDWIDTH, HLS_BANDWIDTH_HIGH, MPD_BANDWIDTH, Track};
use crate::verify::findings::Findings;
use crate::verify::listing::{Listing, Time, Variant};
use crate::verify::rules::{Rule, Severity};

pub(super) fn check(listing: &Listing, tracks: &[Track], findings: &mut Findings) {
    if !listing.variants.is_empty() {
        let rates: Vec<_> = tracks.iter().map(|&track| Rates::of(track)).collect();
        for variant in &listing.variants {
            check_variant(listing, variant, tracks, &rates, findings);
        }
    }
    for &track in tracks {
        check_representation(listing, track, findings);
    }
}

/// Bit rates of a track in bit/s, rounded up; 0 where they are not known.
#[derive(Clone, Copy, Default)]
struct Rates {
    peak: u64,
    average: u64,
}

impl Rates {
    fn of(track: Track) -> Self {
        if !track.is_complete() {
            return Self::default();
        }
        let Some(sums) = Sums::of(track) else { return Self::default() };
        let longest = track.longest_segment();
        let nearest = (longest.ticks.unsigned_abs() + u128::from(longest.timescale) / 2)
            / u128::from(longest.timescale);
        let target = track.listed.target_duration.map_or(nearest, u128::from).max(1);
        let average = sums.average().unwrap_or(0);
        let peak = sums.peak(target).unwrap_or(0);
        let rate = |rate: i128| u64::try_from(rate).unwrap_or(u64::MAX);
        Self {
            peak: rate(if peak == 0 { average } else { peak }),
            // Of what is there now nobody can tell the average of all.
            average: if track.listed.is_live { 0 } else { rate(average) },
        }
    }
}

/// Bits times the timescale, and ticks, before each segment and behind the last.
struct Sums {
    before: Vec<(i128, i128)>,
    timescale: i128,
}

impl Sums {
    /// `None` where they do not fit.
    fn of(track: Track) -> Option<Self> {
        let timescale = i128::from(track.timescale());
        let mut sum = (0i128, 0i128);
        let mut before = vec![sum];
        for (index, (_, facts)) in track.segments().enumerate() {
            let Some(facts) = facts else { continue };
            let bits = i128::from(facts.bytes).checked_mul(8 * timescale)?;
            sum = (sum.0.checked_add(bits)?, sum.1.checked_add(track.longest_of(index, facts).into())?);
            before.push(sum);
        }
        Some(Self { before, timescale })
    }

    /// Bit rate of all, rounded up; `None` without a duration.
    fn average(&self) -> Option<i128> {
        let &(bits, ticks) = self.before.last()?;
        (ticks > 0).then(|| ceil(bits, ticks))
    }

    /// The largest bit rate of segments that last between half and one and a half times `target` seconds, rounded up; 0 if none
    /// do. `None` where the numbers do not fit.
    fn peak(&self, target: u128) -> Option<i128> {
        let target = i128::try_from(target).ok()?.checked_mul(self.timescale)?;
        let mut rate = 0;
        // Each round finds the run that exceeds the rate by most, and takes its rate: Dinkelbach's way, which
        // needs a handful of rounds.
        while let Some((from, to)) = self.exceeding(rate, target)? {
            let (from, to) = (self.before[from], self.before[to]);
            rate = ceil(to.0 - from.0, to.1 - from.1);
        }
        Some(rate)
    }

    /// The run of segments whose bits exceed `rate` by most, if any do. `None` where the numbers do not fit.
    fn exceeding(&self, rate: i128, target: i128) -> Option<Option<(usize, usize)>> {
        // Starts that are far enough before the end, each lower than all behind it.
        let mut starts: VecDeque<(usize, i128)> = VecDeque::new();
        let mut next = 0;
        let mut best: Option<(i128, (usize, usize))> = None;
        for (end, &(bits, ticks)) in self.before.iter().enumerate() {
            let twice = |start: usize| (ticks - self.before[start].1).checked_mul(2);
            while next < end && twice(next)? >= target {
                let (bits, ticks) = self.before[next];
                let value = bits.checked_sub(rate.checked_mul(ticks)?)?;
                while starts.back().is_some_and(|&(_, behind)| behind >= value) {
                    starts.pop_back();
                }
                starts.push_back((next, value));
                next += 1;
            }
            let limit = target.checked_mul(3)?;
            while let Some(&(start, _)) = starts.front() {
                if twice(start)? <= limit {
                    break;
                }
                starts.pop_front();
            }
            if let Some(&(start, value)) = starts.front() {
                let more = bits.checked_sub(rate.checked_mul(ticks)?)?.checked_sub(value)?;
                if more > best.map_or(0, |(most, _)| most) {
                    best = Some((more, (start, end)));
                }
            }
        }
        Some(best.map(|(_, run)| run))
    }

    /// The first run, by its segments from 0, whose bits do not arrive at `rate` within `buffer` and its duration. `None` where
    /// there is none, or the numbers do not fit.
    fn starving(&self, rate: u64, buffer: Time) -> Option<(usize, usize)> {
        let rate = i128::from(rate);
        // Bits times both timescales.
        let scale = i128::from(buffer.timescale);
        let size = rate.checked_mul(buffer.ticks)?.checked_mul(self.timescale)?;
        let mut lowest: Option<(usize, i128)> = None;
        for (index, &(bits, ticks)) in self.before.iter().enumerate() {
            let value = bits.checked_sub(rate.checked_mul(ticks)?)?;
            if let Some((from, least)) = lowest
                && value.checked_sub(least)?.checked_mul(scale)? > size
            {
                return Some((from, index - 1));
            }
            if lowest.is_none_or(|(_, least)| value < least) {
                lowest = Some((index, value));
            }
        }
        None
    }
}

/// Of numbers of which the second is above 0 and the first not below.
fn ceil(a: i128, b: i128) -> i128 {
    a / b + i128::from(a % b != 0)
}

/// A variant's own track, and the largest of each group that plays with it. Each was rounded up once.
///
/// Subtitles belong to what plays together, and are next to nothing: where they alone make the difference, as in what Shaka
/// Packager writes, no player runs dry, so that it is a warning.
fn check_variant(
    listing: &Listing,
    variant: &Variant,
    tracks: &[Track],
    rates: &[Rates],
    findings: &mut Findings,
) {
    let sums = |rate: fn(&Rates) -> u64| {
        let rates_of =
            |group: &[usize]| group.iter().filter_map(|&index| rates.get(index)).map(rate).max().unwrap_or(0);
        let own = rates_of(&[variant.track]);
        let audio = rates_of(&variant.audio);
        // Where the variant is sound alone, its group is what plays in its place.
        let is_audio = tracks.get(variant.track).is_some_and(|track| track.is_audio());
        let played = if is_audio { own.max(audio) } else { own.saturating_add(audio) };
        (played, played.saturating_add(rates_of(&variant.subtitles)))
    };
    let roundings = 1 + u64::from(!variant.audio.is_empty()) + u64::from(!variant.subtitles.is_empty());
    let claims = &variant.claims;
    let is_less = |claimed: u64, sum: u64| claimed.saturating_add(roundings) < sum;
    let ((played, peak), (_, average)) = (sums(|rates| rates.peak), sums(|rates| rates.average));
    if let Some(claimed) = claims.bandwidth.filter(|&claimed| is_less(claimed, peak)) {
        let message = format!(
            "BANDWIDTH is {claimed} bit/s, the peak segment bit rates of what plays together add up to {peak}"
        );
        let severity = if is_less(claimed, played) { HLS_BANDWIDTH.severity } else { Severity::Warning };
        findings.add(&Rule { severity, ..HLS_BANDWIDTH }, &listing.file, claims.offset, message);
    }
    // The average of a playlist that goes on is not known, and then nor is the peak to come.
    let members = std::iter::once(&variant.track).chain(&variant.audio).chain(&variant.subtitles);
    let is_known =
        members.map(|&index| rates.get(index)).all(|rates| rates.is_some_and(|rates| rates.average > 0));
    if let Some(claimed) = claims.bandwidth.filter(|&claimed| is_known && claimed / 2 > peak) {
        let message = format!(
            "BANDWIDTH is {claimed} bit/s, more than twice the peak segment bit rates of what plays together, {peak}"
        );
        findings.add(&HLS_BANDWIDTH_HIGH, &listing.file, claims.offset, message);
    }
    if let Some(claimed) = claims.average_bandwidth.filter(|&claimed| is_less(claimed, average)) {
        let message = format!(
            "AVERAGE-BANDWIDTH is {claimed} bit/s, the averages of what plays together add up to {average}"
        );
        findings.add(&HLS_AVERAGE_BANDWIDTH, &listing.file, claims.offset, message);
    }
}

fn check_representation(listing: &Listing, track: Track, findings: &mut Findings) {
    let claims = &track.listed.claims;
    let (Some(claimed), Some(buffer)) = (claims.bandwidth, listing.min_buffer_time) else { return };
    if !track.is_complete() || buffer.ticks < 0 {
        return;
    }
    let Some(sums) = Sums::of(track) else { return };
    // A rate is rounded to a whole number.
    if let Some((from, to)) = sums.starving(claimed.saturating_add(1), buffer) {
        let average = sums.average().unwrap_or(0);
        let message = format!(
            "@bandwidth is {claimed} bit/s: who buffers for {} s and starts at segment {} runs dry in segment {}; the \
             average is {average} bit/s",
            buffer.seconds(),
            from + 1,
            to + 1,
        );
        findings.add(&MPD_BANDWIDTH, &listing.file, claims.offset, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tracks::testing::*;
    use proptest::prelude::*;

    fn sums(segments: &[(u64, u64)]) -> Sums {
        let mut package = Package::of([long_video(segments.len())]);
        for (facts, &(bytes, duration)) in package.facts(0).into_iter().zip(segments) {
            facts.bytes = bytes;
            facts.duration = duration;
        }
        let (listed, facts) = &package.tracks[0];
        Sums::of(Track::new(listed, facts)).unwrap()
    }

    fn slow_peak(segments: &[(u64, u64)], target: u64) -> i128 {
        let mut peak = 0;
        for from in 0..segments.len() {
            for to in from..segments.len() {
                let run = &segments[from..=to];
                let ticks: u64 = run.iter().map(|run| run.1).sum();
                if ticks > 0 && (target * 500..=target * 1500).contains(&ticks) {
                    peak = peak.max((run.iter().map(|run| run.0).sum::<u64>() * 8000).div_ceil(ticks));
                }
            }
        }
        peak.into()
    }

    fn slow_starving(segments: &[(u64, u64)], rate: u64, buffer: u64) -> bool {
        (0..segments.len()).any(|from| {
            (from..segments.len()).any(|to| {
                let bits: u64 = segments[from..=to].iter().map(|run| run.0 * 8000).sum();
                let ticks: u64 = segments[from..=to].iter().map(|run| run.1).sum();
                bits > rate * (buffer + ticks)
            })
        })
    }

    proptest! {
        #[test]
        fn peak_and_buffer_equal_their_slow_twins(
            segments in proptest::collection::vec((0u64..5000, 0u64..4000), 1..24),
            (target, rate, buffer) in (1u64..6, 1u64..40_000, 0u64..6000),
        ) {
            let sums = sums(&segments);
            prop_assert_eq!(sums.peak(target.into()), Some(slow_peak(&segments, target)));
            let run = sums.starving(rate, Time::new(buffer.into(), 1000));
            prop_assert_eq!(run.is_some(), slow_starving(&segments, rate, buffer));
        }
    }

    #[test]
    fn bandwidth_is_the_sum_of_peaks() {
        let mut package = Package::hls([video(), audio()]);
        package.facts(0)[2].bytes = 2000;
        let mut with = |bandwidth, average| {
            package.listing.variants[0].claims.bandwidth = Some(bandwidth);
            package.listing.variants[0].claims.average_bandwidth = Some(average);
            package.rules()
        };
        // 2000 and 1000 bytes in 2 s; on average 7000 and 6000 in 12 s.
        assert_eq!(with(12_000, 8667), [""; 0]);
        assert_eq!(with(11_997, 8667), ["hls-bandwidth"]);
        assert_eq!(with(12_000, 8660), ["hls-average-bandwidth"]);
    }

    #[test]
    fn what_subtitles_alone_add_is_a_warning() {
        let mut package = Package::hls([video(), audio()]);
        let variant = &mut package.listing.variants[0];
        (variant.subtitles, variant.audio) = (vec![1], Vec::new());
        let mut with = |bandwidth| {
            package.listing.variants[0].claims.bandwidth = Some(bandwidth);
            package.check().iter().map(|found| (found.rule.id, found.rule.severity)).collect::<Vec<_>>()
        };
        assert_eq!(with(8000), []);
        assert_eq!(with(4000), [("hls-bandwidth", Severity::Warning)]);
        assert_eq!(with(3997), [("hls-bandwidth", Severity::Error)]);
    }

    #[test]
    fn sound_in_its_own_group_counts_once() {
        let mut package = Package::hls([audio(), audio()]);
        package.listing.variants[0].audio = vec![0, 1];
        package.listing.variants[0].claims.bandwidth = Some(4000);
        assert_eq!(package.rules(), [""; 0]);
    }

    #[test]
    fn sound_that_goes_on_behind_the_pictures_in_a_segment_counts_as_its_duration() {
        let mut package = Package::hls([video()]);
        let mut with = |bandwidth| {
            package.listing.variants[0].claims.bandwidth = Some(bandwidth);
            package.rules()
        };
        assert_eq!(with(4000), [""; 0]);
        let last = &mut package.facts(0)[5];
        (last.duration, last.presentation_end) = (500, 10_500);
        package.tracks[0].0.segments[5].duration =
            crate::verify::listing::ListedDuration::Exact(Time::new(500, 1000));
        assert_eq!(package.rules(), ["hls-bandwidth"]);
        let (_, mut sound) = audio();
        sound.header.as_mut().unwrap().timescale = 48_000;
        for (index, segment) in sound.segments.iter_mut().flatten().enumerate() {
            (segment.decode_time, segment.duration) = (96_000 * index as u64, 96_000);
        }
        package.tracks[0].1.others = vec![sound];
        assert_eq!(package.rules(), [""; 0]);
    }

    #[test]
    fn a_representation_does_not_run_dry() {
        let mut package = Package::of([video()]);
        package.listing.min_buffer_time = Some(Time::new(2, 1));
        package.facts(0)[2].bytes = 2000;
        let mut with = |bandwidth| {
            package.tracks[0].0.claims.bandwidth = Some(bandwidth);
            package.check()
        };
        // 16,000 bits within the 2 s of the buffer and the 2 s of the segment.
        assert!(with(4000).is_empty() && with(3999).is_empty());
        let found = with(3998);
        assert_eq!(ids(&found), ["mpd-bandwidth"]);
        assert!(
            found[0].message.contains("starts at segment 1 runs dry in segment 3"),
            "{}",
            found[0].message
        );
        assert!(with(u64::MAX).is_empty());
    }

    #[test]
    fn many_segments_are_quick() {
        let segments: Vec<_> = (0..200_000).map(|index| (index % 7 * 1000, index % 3)).collect();
        let sums = sums(&segments);
        assert!(sums.peak(10).is_some_and(|peak| peak > 0));
        assert_eq!(sums.starving(u64::MAX / 4, Time::new(1, 1)), None);
    }
}
