//! The length of a segment as a person asks for it: an exact fraction of seconds, above 0 and up to an hour.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::time::{Ticks, Timescale, gcd};

/// A target duration in seconds, above 0 and up to [`SegmentDuration::MAX_SECONDS`], as a reduced fraction of 32-bit
/// numbers. Reads `4`, `2.5`, `2.002` and `1001/500`, each by the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentDuration {
    numerator: u32,
    denominator: u32,
}

impl SegmentDuration {
    /// The longest duration taken, in seconds.
    pub const MAX_SECONDS: u32 = 3600;

    /// Four seconds.
    pub const DEFAULT: Self = Self { numerator: 4, denominator: 1 };

    /// `numerator / denominator` seconds, reduced. `None` when it is zero, above an hour, or does not fit 32 bits.
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        let divisor = gcd(numerator, denominator);
        let numerator = u32::try_from(numerator / divisor).ok().filter(|&n| n > 0)?;
        let denominator = u32::try_from(denominator / divisor).ok().filter(|&n| n > 0)?;
        let within = u64::from(numerator) <= u64::from(Self::MAX_SECONDS) * u64::from(denominator);
        within.then_some(Self { numerator, denominator })
    }

    /// Numerator of the reduced fraction, in seconds.
    pub const fn numerator(self) -> u32 {
        self.numerator
    }

    /// Denominator of the reduced fraction.
    pub const fn denominator(self) -> u32 {
        self.denominator
    }

    /// Whether `ticks` are more than one and a half times as long.
    pub fn is_exceeded_by_half(self, ticks: Ticks, timescale: Timescale) -> bool {
        let longest = 3 * u128::from(self.numerator) * u128::from(timescale.get());
        2 * u128::from(ticks.0) * u128::from(self.denominator) > longest
    }

    /// Seconds, for printing.
    pub fn seconds(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }
}

impl Default for SegmentDuration {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for SegmentDuration {
    /// As [`SegmentDuration::from_str`] reads it: `4`, or `1001/500`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

impl FromStr for SegmentDuration {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::conflict(
                format!("'{text}' is not a segment duration"),
                "give seconds above 0 and up to 3600, such as 4, 2.5 or 1001/500",
            )
        };
        parse_fraction(text).and_then(|(n, d)| Self::new(n, d)).ok_or_else(invalid)
    }
}

/// `1001/500`, `2.002` or `4` as numerator and denominator.
fn parse_fraction(text: &str) -> Option<(u64, u64)> {
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<u64>().ok()).flatten();
    if let Some((numerator, denominator)) = text.split_once('/') {
        return Some((digits(numerator)?, digits(denominator)?));
    }
    let Some((whole, decimals)) = text.split_once('.') else {
        return Some((digits(text)?, 1));
    };
    let denominator = 10u64.pow(u32::try_from(decimals.len()).ok().filter(|&places| places <= 9)?);
    let numerator = digits(whole)?.checked_mul(denominator)?.checked_add(digits(decimals)?)?;
    Some((numerator, denominator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_by_the_letter() {
        for (text, numerator, denominator) in [
            ("4", 4, 1),
            ("2.5", 5, 2),
            ("2.002", 1001, 500),
            ("1001/500", 1001, 500),
            ("0.040", 1, 25),
            ("3600", 3600, 1),
            ("3600.000", 3600, 1),
        ] {
            let duration: SegmentDuration = text.parse().unwrap();
            assert_eq!((duration.numerator(), duration.denominator()), (numerator, denominator), "{text}");
            assert_eq!(duration.to_string().parse::<SegmentDuration>().unwrap(), duration);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "0",
            "0.0",
            "-4",
            "+4",
            "4s",
            "1e1",
            "NaN",
            "inf",
            "4.",
            ".5",
            "4/0",
            "0/4",
            "/",
            "1/2/3",
            "3600.1",
            "3601",
            " 4",
            "2.0000000001",
            "99999999999999999999",
            "1/99999999999",
        ] {
            let error = text.parse::<SegmentDuration>().unwrap_err().to_string();
            assert!(error.contains("1001/500"), "{text}: {error}");
        }
    }
}
