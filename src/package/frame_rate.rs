//! The frame rate of a video input: the caller's, else the bitstream's, else what constant timestamps of its file show,
//! else an error. Never a guess; what contradicts the rate that is used is told.

use super::report::Notice;
use super::{InputRequest, Request};
use crate::codec::{BitstreamRate, VideoConfiguration};
use crate::error::{Error, Result};
use crate::scan::ivf::{Cadence, IvfHeader};
use crate::time::FrameRate;

/// Timestamps of the file around a bitstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Settles the rate of `input`, which states this.
pub(super) fn frame_rate(
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
    match timestamps.map(|timestamps| timestamps.cadence) {
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
    const GIVE: &str = "give it: fps=25 behind a comma, or --fps 25 for all inputs";
    let what = format!("the stream does not say its frame rate ({place})");
    match timestamps.map(|timestamps| timestamps.cadence) {
        None => Error::conflict(what, GIVE),
        Some(Cadence::Variable { offset, before, timestamp, step }) => {
            let usual = if step == 0 { String::new() } else { format!(", {step} apart until there") };
            Error::conflict(
                format!(
                    "{what}, and the timestamps of its IVF file are not constant: {timestamp} comes behind {before} \
                     at {offset:#x}{usual}"
                ),
                "variable frame rates are not supported yet; if it is constant in truth, give it: fps=25 behind a comma, \
                 or --fps 25 for all inputs",
            )
        }
        Some(Cadence::Unknown | Cadence::Constant(_)) => {
            Error::conflict(format!("{what}, nor do the timestamps of its IVF file show one"), GIVE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(numerator: u64, denominator: u64) -> FrameRate {
        FrameRate::new(numerator, denominator).unwrap()
    }

    /// Timestamps in units of 1/30000 s.
    fn timestamps(cadence: Cadence) -> Option<Timestamps> {
        let header = IvfHeader { width: 0, height: 0, rate: 30_000, scale: 1 };
        Some(Timestamps { header, cadence })
    }

    const VARIABLE: Cadence = Cadence::Variable { offset: 0x80, before: 33, timestamp: 67, step: 33 };

    /// The rate, or the error; and the notices.
    fn settle(
        given: Option<FrameRate>,
        told: Option<BitstreamRate>,
        timestamps: Option<Timestamps>,
    ) -> (std::result::Result<FrameRate, String>, Vec<String>) {
        let mut notices = Vec::new();
        let request = Request::new(Vec::new(), "out");
        let input = InputRequest { frame_rate: given, ..InputRequest::new("v.ivf") };
        let stated = Stated { bitstream: Ok(told), promise: "flag", place: "no timing", timestamps };
        let settled = frame_rate(&request, &input, stated, &mut notices);
        (
            settled.map_err(|error| error.to_string()),
            notices.into_iter().map(|notice| notice.message).collect(),
        )
    }

    #[test]
    fn the_caller_comes_before_the_bitstream_and_that_before_timestamps() {
        let told = Some(BitstreamRate { rate: rate(50, 1), fixed: true });
        let shown = timestamps(Cadence::Constant(1001));
        assert_eq!(settle(None, None, shown), (Ok(rate(30_000, 1001)), vec![]));
        let (settled, notices) = settle(None, told, shown);
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
    fn timestamps_that_are_not_constant_give_no_rate_and_are_told_beside_another() {
        let (settled, _) = settle(None, None, timestamps(VARIABLE));
        let error = settled.unwrap_err();
        for part in
            ["(no timing)", "not constant: 67 comes behind 33 at 0x80, 33 apart until there", "fps=25"]
        {
            assert!(error.contains(part), "{error}");
        }
        let (settled, notices) = settle(Some(rate(30, 1)), None, timestamps(VARIABLE));
        assert_eq!(settled, Ok(rate(30, 1)));
        assert!(notices[0].contains("67 comes behind 33 at 0x80"), "{notices:?}");
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
        for timestamps in
            [timestamps(Cadence::Unknown), Some(nothing), timestamps(Cadence::Constant(u64::MAX))]
        {
            let (settled, _) = settle(None, None, timestamps);
            assert!(settled.unwrap_err().contains("nor do the timestamps of its IVF file show one; give it"));
        }
    }
}
