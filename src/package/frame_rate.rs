//! The clock of a video input: the caller's frame rate, else the timestamps of its file where they are not constant, as they are,
//! else the bitstream's frame rate, else what constant timestamps show, else an error. Never a guess; what contradicts the
//! clock that is used is told.

use super::presentation_times::{NotRising, PresentationTimes};
use super::report::Notice;
use super::{InputRequest, Request};
use crate::codec::{BitstreamRate, VideoConfiguration};
use crate::error::{Error, Result};
use crate::scan::ivf::{Cadence, IvfHeader};
use crate::time::FrameRate;

/// Timestamps of the file around a bitstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// Has their time base.
    pub header: IvfHeader,
    /// How they go up.
    pub cadence: Cadence,
}

impl Timestamps {
    /// The rate that constant timestamps show.
    fn rate(&self) -> Option<FrameRate> {
        match self.cadence {
            Cadence::Constant(step) => self.header.frame_rate(step),
            Cadence::Unknown | Cadence::Variable { .. } => None,
        }
    }
}

/// What an input says of its frame rate.
pub(super) struct Stated {
    /// The bitstream's timing fields; an error where they make no sense.
    pub bitstream: Result<Option<BitstreamRate>>,
    /// The syntax element whose 0 keeps a rate in the bitstream from being a promise.
    pub promise: &'static str,
    /// Where the bitstream would have said it: for the error.
    pub place: &'static str,
    /// The file's timestamps, where it has some.
    pub timestamps: Option<Timestamps>,
}

impl Stated {
    /// Of pictures with this configuration, in a file with these timestamps.
    pub fn of(configuration: &VideoConfiguration, timestamps: Option<Timestamps>) -> Self {
        let (promise, place) = match configuration {
            VideoConfiguration::Avc(_) => ("fixed_frame_rate_flag", "no timing in its VUI parameters"),
            VideoConfiguration::Hevc(_) => {
                ("fixed_pic_rate_general_flag", "no timing in its VUI parameters or video parameter set")
            }
            VideoConfiguration::Av1(_) => {
                ("equal_picture_interval", "no equal_picture_interval in its sequence header")
            }
            // It has no place for one.
            VideoConfiguration::Vp9(_) => ("", "VP9 has no field for it"),
        };
        Self { bitstream: configuration.bitstream_rate(), promise, place, timestamps }
    }
}

/// What makes the times of a track.
#[derive(Debug)]
pub(super) enum Clock {
    /// Every frame lasts as long.
    Rate(FrameRate),
    /// Each picture has an instant.
    Times(PresentationTimes),
}

/// The pictures of a track, as far as timestamps have to fit them.
pub(super) struct Counted<'a> {
    /// How many there are.
    pub pictures: usize,
    /// How many in front of the first were dropped.
    pub lead: usize,
    /// Byte offset of the one with this index.
    pub offset_of: &'a dyn Fn(usize) -> u64,
}

/// Settles the clock of `input`, which states this and has these pictures.
pub(super) fn clock(
    request: &Request,
    input: &InputRequest,
    stated: Stated,
    counted: &Counted<'_>,
    notices: &mut Vec<Notice>,
) -> Result<Clock> {
    let mut tell = |message: String| notices.push(Notice::about(&input.path, message));
    let is_given = input.frame_rate.or(request.frame_rate).is_some();
    let Some(Timestamps { header, cadence: Cadence::Variable { timestamps, .. } }) =
        stated.timestamps.as_ref().filter(|timestamps| !is_given && timestamps.has_time_base())
    else {
        return frame_rate(request, input, stated, notices).map(Clock::Rate);
    };
    let told = stated.bitstream.as_ref().ok().copied().flatten();
    if told.is_some_and(|told| are_rounded(timestamps, header, told.rate)) {
        return frame_rate(request, input, stated, notices).map(Clock::Rate);
    }
    let times = times(header, timestamps, counted).map_err(|error| error.in_file(&input.path))?;
    let but = told.map_or(String::new(), |told| {
        format!("; the stream says {} frames per second, which is not used", told.rate)
    });
    let how = if times.is_exact() {
        "as they are"
    } else {
        "each to the nearest 1/90000 s, since their unit is finer"
    };
    tell(format!(
        "the frame rate is variable: pictures are presented by the timestamps of the IVF file, {how}{but}"
    ));
    Ok(Clock::Times(times))
}

impl Timestamps {
    /// Whether timestamps say a time.
    const fn has_time_base(&self) -> bool {
        self.header.rate > 0 && self.header.scale > 0
    }
}

/// Whether timestamps are those of a constant rate, rounded to their unit up or down.
fn are_rounded(timestamps: &[i64], header: &IvfHeader, rate: FrameRate) -> bool {
    let Some(&first) = timestamps.first() else { return false };
    // Units of the time base that a picture lasts, as a fraction.
    let numerator = i128::from(header.rate) * i128::from(rate.denominator());
    let denominator = i128::from(header.scale) * i128::from(rate.numerator());
    timestamps.iter().zip(0i128..).all(|(&timestamp, index)| {
        let passed = i128::from(timestamp) - i128::from(first);
        let (passed, expected) = (passed.checked_mul(denominator), index.checked_mul(numerator));
        // The first may be rounded too.
        passed.zip(expected).is_some_and(|(passed, expected)| (passed - expected).abs() < denominator)
    })
}

/// The instants that timestamps say; the last picture lasts as long as the one before.
fn times(header: &IvfHeader, timestamps: &[i64], counted: &Counted<'_>) -> Result<PresentationTimes> {
    let &Counted { pictures, lead, offset_of } = counted;
    if timestamps.len() != pictures + lead || pictures == 0 {
        let what =
            format!("the IVF file has {} timestamps for {} pictures", timestamps.len(), pictures + lead);
        return Err(Error::conflict(what, GIVE));
    }
    let refuse = |index: usize| {
        let (before, timestamp) = (timestamps[index - 1], timestamps[index]);
        let what = format!("the timestamp {timestamp} is not behind that of the picture before, {before}");
        let remedy =
            "give the frame rate if it is constant in truth (fps=), or each picture's time (timecodes=)";
        Error::malformed(what, "IVF frame header", remedy).at(offset_of(index.saturating_sub(lead)))
    };
    let [.., before, last] = *timestamps else {
        return Err(Error::conflict("one timestamp says no duration", GIVE));
    };
    let end = last.checked_sub(before).and_then(|step| last.checked_add(step));
    let end = end.ok_or_else(|| Error::conflict("the timestamps of the IVF file pass 64 bits", GIVE))?;
    if last <= before {
        return Err(refuse(timestamps.len() - 1));
    }
    let units = (u64::from(header.rate), u64::from(header.scale));
    let times = PresentationTimes::new(units, &[timestamps, &[end]].concat());
    times
        .map(|times| times.without_lead(lead))
        .map_err(|NotRising(index)| refuse(index.min(timestamps.len() - 1)))
}

const GIVE: &str = "give it: fps=25 behind a comma, or --fps 25 for all inputs";

/// Settles the rate of `input`, which states this.
fn frame_rate(
    request: &Request,
    input: &InputRequest,
    stated: Stated,
    notices: &mut Vec<Notice>,
) -> Result<FrameRate> {
    let Stated { bitstream, promise, place, timestamps } = stated;
    let mut tell = |message: String| notices.push(Notice::about(&input.path, message));
    let given = input.frame_rate.or(request.frame_rate);
    let told = match bitstream {
        // Timing fields that make no sense do no harm to a caller who knows better.
        Err(_) if given.is_some() => None,
        told => told.map_err(|error| error.in_file(&input.path))?,
    };
    let shown = timestamps.as_ref().and_then(Timestamps::rate);
    let rate = match (given, told, shown) {
        (Some(given), told, _) => {
            if let Some(told) = told.filter(|told| told.rate != given) {
                tell(format!("the frame rate given, {given}, is used; the stream says {}", told.rate));
            }
            given
        }
        (None, Some(told), _) => {
            if !told.fixed {
                tell(format!(
                    "{} frames per second, as the stream says without promising that it is constant ({promise} 0)",
                    told.rate
                ));
            }
            told.rate
        }
        (None, None, Some(shown)) => shown,
        (None, None, None) => return Err(not_stated(place, timestamps).in_file(&input.path)),
    };
    match timestamps.as_ref().map(|timestamps| &timestamps.cadence) {
        Some(Cadence::Variable { offset, before, timestamp, .. }) => tell(format!(
            "every picture lasts as long, {rate} in a second, but the timestamps of the IVF file are not constant: \
             {timestamp} comes behind {before} at {offset:#x}"
        )),
        _ => {
            if let Some(shown) = shown.filter(|&shown| shown != rate) {
                tell(format!(
                    "{rate} frames per second are used; the timestamps of the IVF file say {shown}"
                ));
            }
        }
    }
    Ok(rate)
}

/// The rate of fields.
///
/// # Errors
/// Where it is too high.
pub(super) fn field_rate(frames: FrameRate) -> Result<FrameRate> {
    frames.doubled().ok_or_else(|| {
        Error::unsupported(format!("fields of {frames} frames per second"), "check the frame rate")
    })
}

fn not_stated(place: &str, timestamps: Option<Timestamps>) -> Error {
    let what = format!("the stream does not say its frame rate ({place})");
    match timestamps.map(|timestamps| timestamps.cadence) {
        None => Error::conflict(what, GIVE),
        // Those that are not constant say times, unless the file has no time base.
        Some(_) => Error::conflict(format!("{what}, nor do the timestamps of its IVF file show one"), GIVE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::ivf::CadenceWatch;

    fn rate(numerator: u64, denominator: u64) -> FrameRate {
        FrameRate::new(numerator, denominator).unwrap()
    }

    /// Timestamps in units of 1/30000 s.
    fn timestamps(cadence: Cadence) -> Option<Timestamps> {
        let header = IvfHeader { width: 0, height: 0, rate: 30_000, scale: 1 };
        Some(Timestamps { header, cadence })
    }

    fn variable(timestamps: &[i64]) -> Cadence {
        let watched = timestamps.iter().zip((0x40..).step_by(0x20));
        watched
            .fold(CadenceWatch::default(), |mut watch, (&timestamp, offset)| {
                watch.push(timestamp, offset);
                watch
            })
            .cadence()
    }

    /// Where pictures are: at 0, 0x100, …
    fn settle_clock(
        given: Option<FrameRate>,
        told: Option<BitstreamRate>,
        timestamps: Option<Timestamps>,
        (pictures, lead): (usize, usize),
    ) -> (Result<Clock>, Vec<String>) {
        let mut notices = Vec::new();
        let request = Request::new(Vec::new(), "out");
        let input = InputRequest { frame_rate: given, ..InputRequest::new("v.ivf") };
        let stated = Stated { bitstream: Ok(told), promise: "flag", place: "no timing", timestamps };
        let counted = Counted { pictures, lead, offset_of: &|index| 0x100 * index as u64 };
        let settled = clock(&request, &input, stated, &counted, &mut notices);
        (settled, notices.into_iter().map(|notice| notice.message).collect())
    }

    /// The rate, or the error; and the notices.
    fn settle(
        given: Option<FrameRate>,
        told: Option<BitstreamRate>,
        timestamps: Option<Timestamps>,
    ) -> (std::result::Result<FrameRate, String>, Vec<String>) {
        let (settled, notices) = settle_clock(given, told, timestamps, (3, 0));
        let rate = settled.map(|clock| match clock {
            Clock::Rate(rate) => rate,
            Clock::Times(times) => panic!("{times:?}"),
        });
        (rate.map_err(|error| error.to_string()), notices)
    }

    #[test]
    fn the_caller_comes_before_the_bitstream_and_that_before_timestamps() {
        let told = Some(BitstreamRate { rate: rate(50, 1), fixed: true });
        let shown = timestamps(Cadence::Constant(1001));
        assert_eq!(settle(None, None, shown.clone()), (Ok(rate(30_000, 1001)), vec![]));
        let (settled, notices) = settle(None, told, shown.clone());
        assert_eq!(settled, Ok(rate(50, 1)));
        assert_eq!(notices, ["50 frames per second are used; the timestamps of the IVF file say 30000/1001"]);
        let (settled, notices) = settle(Some(rate(25, 1)), told, shown);
        assert_eq!(settled, Ok(rate(25, 1)));
        assert_eq!(notices.len(), 2, "{notices:?}");
        assert!(notices[0].starts_with("the frame rate given, 25, is used; the stream says 50"));
        // What agrees is not worth a word.
        let same = timestamps(Cadence::Constant(600));
        assert_eq!(settle(Some(rate(50, 1)), told, same), (Ok(rate(50, 1)), vec![]));
    }

    #[test]
    fn a_rate_without_a_promise_is_told() {
        let told = Some(BitstreamRate { rate: rate(50, 1), fixed: false });
        let (settled, notices) = settle(None, told, None);
        assert_eq!(settled, Ok(rate(50, 1)));
        assert!(notices[0].contains("without promising that it is constant (flag 0)"), "{notices:?}");
    }

    #[test]
    fn timestamps_that_are_not_constant_are_the_times() {
        let shown = timestamps(variable(&[1000, 2001, 4003]));
        let told = Some(BitstreamRate { rate: rate(25, 1), fixed: true });
        for (told, says) in [(None, ""), (told, "; the stream says 25 frames per second, which is not used")]
        {
            let (settled, notices) = settle_clock(None, told, shown.clone(), (3, 0));
            let Ok(Clock::Times(times)) = settled else { panic!("{settled:?}") };
            let scale = times.timescale();
            assert_eq!((scale.get(), times.start_nanoseconds()), (30_000, 33_333_333));
            // The last lasts as long as the one before.
            assert_eq!(times.durations(scale).unwrap(), [1001, 2002, 2002]);
            let expected = "the frame rate is variable: pictures are presented by the timestamps of the IVF file, as they are";
            assert_eq!(notices, [format!("{expected}{says}")]);
        }
        // The caller knows better.
        let (settled, notices) = settle(Some(rate(30, 1)), None, shown.clone());
        assert_eq!(settled, Ok(rate(30, 1)));
        assert!(notices[0].contains("not constant: 4003 comes behind 2001 at 0x80"), "{notices:?}");
        // Pictures that were dropped in front had timestamps too.
        let (settled, _) = settle_clock(None, None, shown.clone(), (2, 1));
        let Ok(Clock::Times(times)) = settled else { panic!("{settled:?}") };
        assert_eq!(times.lead(times.timescale()), 1001);
        let (settled, _) = settle_clock(None, None, shown, (2, 0));
        assert!(settled.unwrap_err().to_string().contains("has 3 timestamps for 2 pictures"));
    }

    #[test]
    fn timestamps_that_do_not_rise_are_refused_where_they_stand() {
        for (timestamps_, index, part) in [
            (&[0, 40, 40, 80][..], 2, "the timestamp 40 is not behind that of the picture before, 40"),
            (&[0, 40, 30, 80], 2, "the timestamp 30 is not behind that of the picture before, 40"),
            (&[0, 40, 90, 80], 3, "the timestamp 80 is not behind that of the picture before, 90"),
            (&[i64::MIN, 0, i64::MAX, 0], 3, "is not behind"),
        ] {
            let shown = timestamps(variable(timestamps_));
            let error = settle_clock(None, None, shown.clone(), (4, 0)).0.unwrap_err();
            assert_eq!(error.offset(), Some(0x100 * index));
            assert!(error.to_string().contains(part), "{error}");
            assert!(settle(Some(rate(25, 1)), None, shown).0.is_ok());
        }
    }

    #[test]
    fn timestamps_that_round_the_rate_of_the_stream_are_that_rate() {
        let header = IvfHeader { width: 0, height: 0, rate: 1000, scale: 1 };
        let told = Some(BitstreamRate { rate: rate(30, 1), fixed: true });
        // Rounded to nearest, down, and up.
        for stamps in [[0, 33, 67, 100], [0, 33, 66, 100], [0, 34, 67, 100], [500, 533, 567, 600]] {
            let shown = Timestamps { header, cadence: variable(&stamps) };
            let (settled, notices) = settle(None, told, Some(shown));
            assert_eq!(settled, Ok(rate(30, 1)));
            assert!(notices[0].contains("timestamps of the IVF file are not constant"), "{notices:?}");
        }
        let shown = Timestamps { header, cadence: variable(&[0, 33, 68, 100]) };
        assert!(matches!(settle_clock(None, told, Some(shown), (4, 0)).0, Ok(Clock::Times(_))));
    }

    #[test]
    fn units_too_fine_for_a_timescale_are_rounded_and_that_is_told() {
        let header = IvfHeader { width: 0, height: 0, rate: 1_000_000_000, scale: 1 };
        let shown = Timestamps { header, cadence: variable(&[0, 33_366_667, 100_000_000]) };
        let (settled, notices) = settle_clock(None, None, Some(shown), (3, 0));
        let Ok(Clock::Times(times)) = settled else { panic!("{settled:?}") };
        assert_eq!(times.durations(times.timescale()).unwrap(), [3003, 5997, 5997]);
        assert!(notices[0].contains("each to the nearest 1/90000 s"), "{notices:?}");
    }

    #[test]
    fn without_any_word_packaging_stops() {
        let (settled, _) = settle(None, None, None);
        assert!(settled.unwrap_err().contains("does not say its frame rate (no timing); give it: fps=25"));
        // One frame; a time base of 0; steps longer than a number can say.
        let nothing = Timestamps {
            header: IvfHeader { width: 0, height: 0, rate: 0, scale: 0 },
            cadence: Cadence::Constant(1),
        };
        let no_base = Timestamps { cadence: variable(&[0, 1, 3]), ..nothing.clone() };
        for timestamps in [
            timestamps(Cadence::Unknown),
            Some(nothing),
            Some(no_base),
            timestamps(Cadence::Constant(u64::MAX)),
        ] {
            let (settled, _) = settle(None, None, timestamps);
            assert!(settled.unwrap_err().contains("nor do the timestamps of its IVF file show one; give it"));
        }
    }
}
