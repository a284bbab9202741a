//! Finished renditions ► whether a player may switch between them: as many segments in each, and each segment boundary at
//! the same time, compared as fractions of a second whatever the timescales. Audio is compared by its whole length alone,
//! for its frames seldom end where a picture does, without the priming that nobody hears.

use std::fmt;

use super::PackagedTrack;
use crate::error::{Error, Result};
use crate::time::{ExactTime, Ticks, Timescale};

/// How far renditions may be apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlignmentOptions {
    /// How far boundaries of segments may be apart; none by default.
    pub tolerance: ExactTime,
    /// Differences of length between audio and video beyond this get [`Verdict::Warn`]; `None`: none does.
    pub audio_warn: Option<ExactTime>,
    /// Differences of length between audio and video beyond this are an error; `None`: none is.
    pub audio_error: Option<ExactTime>,
}

impl Default for AlignmentOptions {
    fn default() -> Self {
        Self { tolerance: ExactTime::ZERO, audio_warn: None, audio_error: None }
    }
}

/// What was found of renditions that line up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// Of each audio track, in the order given.
    pub audio: Vec<AudioDifference>,
}

/// How much longer or shorter than the video an audio track is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioDifference {
    /// Directory of the audio track.
    pub directory: String,
    /// Its [presented duration](PackagedTrack::presented_duration) less that of the first video rendition.
    pub difference: Difference,
    /// Whether somebody should look at it.
    pub verdict: Verdict,
}

/// What a difference within the limit amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// More than [`AlignmentOptions::audio_warn`].
    Warn,
}

/// One time less another, exact: a fraction of a second with its sign. Printed as `+1/48000 s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The first time is before the second.
    pub is_negative: bool,
    /// Of the reduced fraction; below 2^96.
    pub numerator: u128,
    /// Of the reduced fraction; above 0.
    pub denominator: u64,
}

impl Difference {
    /// `own` less `other`.
    pub fn between(own: ExactTime, other: ExactTime) -> Self {
        // In units of a second divided by both timescales: 64 bits times 32.
        let scale = |time: ExactTime, by: Timescale| u128::from(time.ticks.0) * u128::from(by.get());
        let (a, b) = (scale(own, other.timescale), scale(other, own.timescale));
        let denominator = u64::from(own.timescale.get()) * u64::from(other.timescale.get());
        let numerator = a.abs_diff(b);
        let mut divisors = (numerator, u128::from(denominator));
        while divisors.1 != 0 {
            divisors = (divisors.1, divisors.0 % divisors.1);
        }
        // At most the denominator, which is above 0.
        let common = divisors.0;
        Self {
            is_negative: a < b,
            numerator: numerator / common,
            denominator: u64::try_from(u128::from(denominator) / common)
                .expect("a divisor makes it no larger"),
        }
    }

    /// Whether it is more than `limit`, whatever its sign.
    pub fn exceeds(&self, limit: ExactTime) -> bool {
        // 96 bits times 32 against 64 times 64.
        let left = self.numerator * u128::from(limit.timescale.get());
        left > u128::from(limit.ticks.0) * u128::from(self.denominator)
    }

    /// Seconds, for printing.
    pub fn seconds(&self) -> f64 {
        let seconds = self.numerator as f64 / self.denominator as f64;
        if self.is_negative { -seconds } else { seconds }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (self.is_negative, self.numerator) {
            (_, 0) => "",
            (true, _) => "-",
            (false, _) => "+",
        };
        match self.denominator {
            1 => write!(f, "{sign}{} s", self.numerator),
            denominator => write!(f, "{sign}{}/{denominator} s", self.numerator),
        }
    }
}

/// Compares the renditions of a switching set, `video`, with the first of them, and `audio` with its duration.
///
/// Boundary 0 is the start of the first segment, boundary `n` the end of the `n`th.
///
/// # Errors
/// [`ErrorKind::NotAligned`](crate::ErrorKind::NotAligned) that names the rendition, where one has another count of segments,
/// a boundary beyond the tolerance (with its number and the difference), or audio a difference beyond its limit;
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when there is no video rendition, or a track without segments.
pub fn check_alignment(
    video: &[&PackagedTrack],
    audio: &[&PackagedTrack],
    options: &AlignmentOptions,
) -> Result<Alignment> {
    let Some((first, others)) = video.split_first() else {
        return Err(Error::conflict("0 renditions to compare", "give at least one video rendition"));
    };
    if let Some(empty) = video.iter().chain(audio).find(|track| track.segments().is_empty()) {
        let what = format!("{}: 0 segments to compare", empty.directory());
        return Err(Error::conflict(what, "leave the track out"));
    }
    for other in others {
        check_rendition(other, first, options.tolerance)?;
    }
    let audio = audio.iter().map(|track| compare_audio(track, first, options)).collect::<Result<_>>()?;
    Ok(Alignment { audio })
}

/// Starts of all segments, and the end of the last.
fn boundaries(track: &PackagedTrack) -> impl Iterator<Item = ExactTime> + '_ {
    // A track's times are within 64 bits.
    let end = track.segments().last().map(|last| last.base_decode_time.0 + last.duration.0);
    let starts = track.segments().iter().map(|segment| segment.base_decode_time.0);
    starts.chain(end).map(|ticks| ExactTime::new(Ticks(ticks), track.timescale()))
}

fn check_rendition(track: &PackagedTrack, first: &PackagedTrack, tolerance: ExactTime) -> Result<()> {
    let (count, expected) = (track.segments().len(), first.segments().len());
    if count != expected {
        return Err(Error::not_aligned(
            format!("{} has {count} segments, but {} has {expected}", track.directory(), first.directory()),
            "cut all renditions at the same times",
        ));
    }
    let firsts =
        |track: &PackagedTrack| track.changes().iter().map(|change| change.first).collect::<Vec<_>>();
    if let Some(at) =
        firsts(track).iter().zip(firsts(first)).position(|(own, other)| *own != other).or_else(|| {
            let (own, other) = (track.changes().len(), first.changes().len());
            (own != other).then(|| own.min(other))
        })
    {
        let place = |track: &PackagedTrack| match track.changes().get(at) {
            Some(change) => format!("at segment {}", track.segments()[change.first].number),
            None => "nowhere".to_owned(),
        };
        return Err(Error::not_aligned(
            format!(
                "{} has its discontinuity {} {}, {} {}",
                track.directory(),
                at + 1,
                place(track),
                first.directory(),
                place(first)
            ),
            "give all renditions the same discontinuities (with_discontinuities_of)",
        ));
    }
    for (number, (own, other)) in boundaries(track).zip(boundaries(first)).enumerate() {
        let difference = Difference::between(own, other);
        if difference.exceeds(tolerance) {
            let at = |time: ExactTime| format!("{}/{} s", time.ticks.0, time.timescale);
            let place = match track.segments().get(number) {
                Some(segment) => format!("the start of segment {}", segment.number),
                None => "the end".to_owned(),
            };
            return Err(Error::not_aligned(
                format!(
                    "{}: boundary {number}, {place}, is at {}, but at {} in {}: a difference of {difference} ({:+.6} s)",
                    track.directory(),
                    at(own),
                    at(other),
                    first.directory(),
                    difference.seconds()
                ),
                "cut all renditions at the same times",
            ));
        }
    }
    Ok(())
}

fn compare_audio(
    track: &PackagedTrack,
    video: &PackagedTrack,
    options: &AlignmentOptions,
) -> Result<AudioDifference> {
    let duration = |track: &PackagedTrack| ExactTime::new(track.presented_duration(), track.timescale());
    let difference = Difference::between(duration(track), duration(video));
    let beyond = |limit: Option<ExactTime>| limit.filter(|&limit| difference.exceeds(limit));
    if let Some(limit) = beyond(options.audio_error) {
        return Err(Error::not_aligned(
            format!(
                "{} lasts {}/{} s, but {} {}/{} s: a difference of {difference} ({:+.6} s), the limit is {}/{} s",
                track.directory(),
                track.presented_duration().0,
                track.timescale(),
                video.directory(),
                video.presented_duration().0,
                video.timescale(),
                difference.seconds(),
                limit.ticks.0,
                limit.timescale
            ),
            "give audio and video of one length, or raise the limit",
        ));
    }
    let verdict = if beyond(options.audio_warn).is_some() { Verdict::Warn } else { Verdict::Ok };
    Ok(AudioDifference { directory: track.directory().to_owned(), difference, verdict })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::super::testing::{segment, timescale};
    use super::super::{Media, Segment};
    use super::*;
    use crate::codec::VideoFormat;
    use crate::codec::aac::{AacConfig, AudioObjectType};
    use crate::error::ErrorKind;
    use crate::track::header::SampleEntry;

    /// A track in `directory` with segments from `start` on.
    fn track(directory: &str, scale: u32, start: u64, durations: &[u64]) -> PackagedTrack {
        let media = Media::Video { format: VideoFormat::of_size(16, 16), frame_rate: None, scan: None };
        let mut time = start;
        let segments: Vec<Segment> = durations
            .iter()
            .zip(1..)
            .map(|(&ticks, number)| {
                time += ticks;
                segment(number, ticks, time - ticks)
            })
            .collect();
        PackagedTrack::new(directory, "avc1.4D001E", media, timescale(scale), segments).unwrap()
    }

    fn time(ticks: u64, scale: u32) -> ExactTime {
        ExactTime::new(Ticks(ticks), timescale(scale))
    }

    fn within(tolerance: ExactTime) -> AlignmentOptions {
        AlignmentOptions { tolerance, ..Default::default() }
    }

    #[track_caller]
    fn not_aligned(result: Result<Alignment>, said: &[&str]) {
        let error = result.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotAligned { .. }), "{error:?}");
        let text = error.to_string();
        assert!(!text.contains('\n') && said.iter().all(|part| text.contains(part)), "{text}");
    }

    #[test]
    fn equal_times_in_different_ticks_line_up() {
        // 4.004 s and 2.002 s; from 1 s on.
        let a = track("a", 30_000, 30_000, &[120_120, 60_060]);
        let b = track("b", 90_000, 90_000, &[360_360, 180_180]);
        let alignment = check_alignment(&[&a, &b], &[], &AlignmentOptions::default()).unwrap();
        assert!(alignment.audio.is_empty());
    }

    #[test]
    fn a_boundary_beyond_the_tolerance_is_named() {
        let a = track("video/a", 25_000, 0, &[50_000; 3]);
        let b = track("video/b", 30_000, 0, &[60_000, 60_001, 59_999]);
        let exact = check_alignment(&[&a, &b], &[], &AlignmentOptions::default());
        let said =
            ["video/b: boundary 2, the start of segment 3", "120001/30000 s", "+1/30000 s", "100000/25000 s"];
        not_aligned(exact, &said);
        assert!(check_alignment(&[&a, &b], &[], &within(time(1, 30_000))).is_ok(), "the bound belongs to it");
        not_aligned(check_alignment(&[&a, &b], &[], &within(time(1, 30_001))), &["boundary 2"]);
        // Later and earlier are told apart.
        not_aligned(
            check_alignment(&[&b, &a], &[], &AlignmentOptions::default()),
            &["video/a", "-1/30000 s"],
        );
        let late = track("video/c", 25_000, 1, &[50_000; 3]);
        not_aligned(
            check_alignment(&[&a, &late], &[], &AlignmentOptions::default()),
            &["boundary 0, the start"],
        );
        let long = track("video/d", 25_000, 0, &[50_000, 50_000, 50_001]);
        not_aligned(
            check_alignment(&[&a, &a, &long], &[], &AlignmentOptions::default()),
            &["boundary 3, the end"],
        );
    }

    #[test]
    fn counts_of_segments_are_equal() {
        let (a, b) = (track("a", 1, 0, &[2, 2]), track("b", 1, 0, &[2, 1, 1]));
        let result = check_alignment(&[&a, &b], &[], &within(time(100, 1)));
        not_aligned(result, &["b has 3 segments, but a has 2"]);
    }

    #[test]
    fn priming_does_not_make_audio_longer() {
        let video = track("video", 25_000, 0, &[50_000; 2]);
        let aac = AacConfig::new(AudioObjectType::LowComplexity, 3, 2).unwrap();
        let entry = SampleEntry::Audio(aac.primed_configuration(2112));
        let audio = track("audio", 48_000, 0, &[96_000 + 2112, 96_000]).with_sample_entry(entry);
        let found = check_alignment(&[&video], &[&audio], &AlignmentOptions::default()).unwrap().audio;
        assert_eq!(found[0].difference.to_string(), "0 s");
    }

    #[test]
    fn audio_is_ok_or_warned_of_or_refused() {
        // Audio starts elsewhere, which plays no part.
        let (video, audio) =
            (track("video", 25_000, 0, &[50_000; 2]), track("audio", 48_000, 99, &[192_480]));
        let check = |audio_warn, audio_error| {
            let options = AlignmentOptions { audio_warn, audio_error, ..Default::default() };
            check_alignment(&[&video], &[&audio], &options)
        };
        let found = |result: Result<Alignment>| {
            let found = result.unwrap().audio.remove(0);
            (found.directory, found.difference.to_string(), found.verdict)
        };
        let expected = |verdict| ("audio".to_owned(), "+1/100 s".to_owned(), verdict);
        let limit = |ticks| Some(time(ticks, 1000));
        assert_eq!(found(check(None, None)), expected(Verdict::Ok));
        assert_eq!(found(check(limit(10), limit(10))), expected(Verdict::Ok));
        assert_eq!(found(check(limit(9), limit(10))), expected(Verdict::Warn));
        not_aligned(check(limit(9), limit(9)), &["audio lasts 192480/48000 s", "+1/100 s", "9/1000 s"]);
        let shorter = track("short", 48_000, 0, &[191_999]);
        let difference = check_alignment(&[&video], &[&shorter], &AlignmentOptions::default()).unwrap();
        assert_eq!(difference.audio[0].difference.to_string(), "-1/48000 s");
    }

    #[test]
    fn nothing_to_compare_is_an_error() {
        let (some, none) = (track("some", 1, 0, &[1]), track("none", 1, 0, &[]));
        let options = AlignmentOptions::default();
        for (video, audio, said) in [
            (vec![], vec![], "0 renditions"),
            (vec![], vec![&some], "0 renditions"),
            (vec![&some, &none], vec![], "none: 0 segments"),
            (vec![&some], vec![&none], "none: 0 segments"),
        ] {
            let error = check_alignment(&video, &audio, &options).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Conflict { .. }) && error.to_string().contains(said));
        }
    }

    /// The product of any numbers, in digits of 32 bits from the lowest up.
    fn product(factors: &[u64]) -> Vec<u64> {
        let mut digits = vec![1u64];
        for half in factors.iter().map(|&factor| [factor & 0xffff_ffff, factor >> 32]) {
            let mut sum = vec![0u64; digits.len() + 4];
            for (shift, &by) in half.iter().enumerate() {
                for (at, &digit) in digits.iter().enumerate() {
                    add(&mut sum, at + shift, digit * by);
                }
            }
            digits = sum;
        }
        digits
    }

    /// Adds `value` at the digit `at`; there are digits enough.
    fn add(digits: &mut [u64], mut at: usize, value: u64) {
        let mut carry = value;
        while carry != 0 {
            let sum = digits[at] + (carry & 0xffff_ffff);
            digits[at] = sum & 0xffff_ffff;
            carry = (carry >> 32) + (sum >> 32);
            at += 1;
        }
    }

    fn sum(a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut digits = vec![0; a.len().max(b.len()) + 1];
        for number in [a, b] {
            for (at, &digit) in number.iter().enumerate() {
                add(&mut digits, at, digit);
            }
        }
        digits
    }

    fn compare(a: &[u64], b: &[u64]) -> Ordering {
        let digit = |number: &[u64], at: usize| number.get(at).copied().unwrap_or(0);
        (0..a.len().max(b.len()))
            .rev()
            .map(|at| digit(a, at).cmp(&digit(b, at)))
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// `|a - b| > limit` by numbers without bounds: one of the times is beyond the other and the limit together.
    fn is_apart(a: ExactTime, b: ExactTime, limit: ExactTime) -> bool {
        let scale = |time: ExactTime| u64::from(time.timescale.get());
        // In units of a second divided by all three timescales.
        let a_units = product(&[a.ticks.0, scale(b), scale(limit)]);
        let b_units = product(&[b.ticks.0, scale(a), scale(limit)]);
        let limit_units = product(&[limit.ticks.0, scale(a), scale(b)]);
        let beyond = |x: &[u64], y: &[u64]| compare(x, &sum(y, &limit_units)).is_gt();
        beyond(&a_units, &b_units) || beyond(&b_units, &a_units)
    }

    /// Any time, often a small or a whole one.
    fn times() -> impl Strategy<Value = ExactTime> {
        let ticks = prop_oneof![any::<u64>(), 0u64..5, Just(u64::MAX), 0u64..10_000_000];
        let scale = prop_oneof![1u32.., 1u32..5, Just(u32::MAX), Just(25_000), Just(48_000)];
        (ticks, scale).prop_map(|(ticks, scale)| time(ticks, scale))
    }

    proptest! {
        #[test]
        fn differences_equal_those_of_numbers_without_bounds(a in times(), b in times(), limit in times()) {
            let difference = Difference::between(a, b);
            prop_assert_eq!(difference.exceeds(limit), is_apart(a, b, limit));
            prop_assert_eq!(Difference::between(b, a).numerator, difference.numerator);
            let scale = |time: ExactTime| u64::from(time.timescale.get());
            let order = compare(&product(&[a.ticks.0, scale(b)]), &product(&[b.ticks.0, scale(a)]));
            prop_assert_eq!((difference.is_negative, difference.numerator == 0), (order.is_lt(), order.is_eq()));
            // The difference itself is never beyond itself, and one unit less is.
            if let (Ok(ticks), Ok(scale)) = (u64::try_from(difference.numerator), u32::try_from(difference.denominator)) {
                prop_assert!(!difference.exceeds(time(ticks, scale)));
                prop_assert!(ticks == 0 || difference.exceeds(time(ticks - 1, scale)));
            }
        }

        #[test]
        fn renditions_line_up_where_each_boundary_does(
            cuts in prop::collection::vec((1u64..200_000, 0u64..3), 1..10),
            scales in (1u32..100_000, 1u32..8),
            tolerance in times(),
        ) {
            let (scale, factor) = scales;
            let a: Vec<_> = cuts.iter().map(|cut| cut.0).collect();
            let b: Vec<_> = cuts.iter().map(|cut| cut.0 * u64::from(factor) + cut.1 / 2).collect();
            let (a, b) = (track("a", scale, 0, &a), track("b", scale * factor, 0, &b));
            let aligned = boundaries(&a).zip(boundaries(&b)).all(|(a, b)| !is_apart(a, b, tolerance));
            let result = check_alignment(&[&a, &b], &[], &within(tolerance));
            prop_assert_eq!(result.is_ok(), aligned);
            if let Err(error) = result {
                let place = boundaries(&a).zip(boundaries(&b)).position(|(a, b)| is_apart(a, b, tolerance)).unwrap();
                prop_assert!(error.to_string().starts_with(&format!("b: boundary {place}, ")), "{}", error);
            }
            let exact = check_alignment(&[&b, &a], &[], &AlignmentOptions::default()).is_ok();
            prop_assert_eq!(exact, cuts.iter().all(|cut| cut.1 / 2 == 0));
        }
    }
}
