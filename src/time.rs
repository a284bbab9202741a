//! Time as integers: spans and instants in ticks of a timescale, frame rates as fractions.
//!
//! Conversion goes once through `u128` with the rounding in the function's name. Floating point is for printing only.

use std::fmt;
use std::num::NonZeroU32;

use crate::error::{Error, Result};

/// Ticks per second of a track (`mdhd.timescale`, ISO/IEC 14496-12 8.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timescale(NonZeroU32);

/// A span of time, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticks(pub u64);

/// An instant on the decoding time line (`tfdt.baseMediaDecodeTime`), in ticks from the start of the track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DecodeTime(pub u64);

/// Composition (presentation) time minus decode time, in ticks; signed as in `trun` version 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CompositionOffset(pub i32);

impl Timescale {
    /// A timescale of `ticks_per_second`.
    pub const fn new(ticks_per_second: NonZeroU32) -> Self {
        Self(ticks_per_second)
    }

    /// Ticks per second.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The timescale that counts frames of every rate in `rates` in whole ticks: the least common multiple of the
    /// numerators, times the smallest power of ten that makes it at least 10,000 (25 → 25000, 30000/1001 → 30000).
    /// `None` without rates, or when no `u32` does.
    pub fn for_frame_rates(rates: impl IntoIterator<Item = FrameRate>) -> Option<Self> {
        Self::multiple_of(rates.into_iter().map(FrameRate::ticking))
    }

    /// The timescale that has whole ticks for those of all `timescales`: their least common multiple, times the smallest power of
    /// ten that makes it at least 10,000. `None` without timescales, or when no `u32` does.
    pub fn multiple_of(timescales: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut timescales = timescales.into_iter();
        let first = u64::from(timescales.next()?.get());
        let mut ticks = timescales.try_fold(first, |acc, timescale| {
            let n = u64::from(timescale.get());
            (acc / gcd(acc, n)).checked_mul(n).filter(|&lcm| lcm <= u64::from(u32::MAX))
        })?;
        while ticks < 10_000 {
            ticks *= 10;
        }
        NonZeroU32::new(u32::try_from(ticks).ok()?).map(Self)
    }

    /// `ticks` of this timescale as seconds, for printing.
    pub fn seconds(self, ticks: Ticks) -> f64 {
        ticks.0 as f64 / f64::from(self.get())
    }

    /// `ticks` in microseconds, rounded to nearest, half up.
    /// Saturates where the result passes `u64`: 584 thousand years.
    pub fn microseconds_nearest(self, ticks: Ticks) -> u64 {
        let ticks_per_second = u128::from(self.get());
        let rounded = (u128::from(ticks.0) * 1_000_000 + ticks_per_second / 2) / ticks_per_second;
        u64::try_from(rounded).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Timescale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl DecodeTime {
    /// The instant `span` later; `None` past the end of the 64-bit time line.
    pub fn checked_add(self, span: Ticks) -> Option<Self> {
        self.0.checked_add(span.0).map(Self)
    }
}

impl Ticks {
    /// The sum of two spans; `None` past 64 bits.
    pub fn checked_add(self, other: Ticks) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

/// Pictures per second as a reduced fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    numerator: NonZeroU32,
    denominator: NonZeroU32,
}

impl FrameRate {
    /// The highest rate taken, in pictures per second. H.264 level limits (Table A-6) end at 300.
    pub const MAX: u32 = 300;

    /// Twice the rate: that of fields, of which a frame has two. `None` where that does not fit or is above
    /// [`FrameRate::MAX`].
    pub fn doubled(self) -> Option<Self> {
        Self::new(2 * u64::from(self.numerator()), u64::from(self.denominator()))
    }

    /// Half the rate: that of frames of which each field is counted. `None` where that does not fit.
    pub fn halved(self) -> Option<Self> {
        Self::new(u64::from(self.numerator()), 2 * u64::from(self.denominator()))
    }

    /// `numerator / denominator`, reduced. `None` when it is zero, above [`FrameRate::MAX`], or does not fit.
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        let divisor = gcd(numerator, denominator.max(1));
        if numerator == 0 || denominator == 0 || numerator / u64::from(Self::MAX) > denominator {
            return None;
        }
        let rate = Self {
            numerator: NonZeroU32::new(u32::try_from(numerator / divisor).ok()?)?,
            denominator: NonZeroU32::new(u32::try_from(denominator / divisor).ok()?)?,
        };
        (u64::from(rate.numerator()) <= u64::from(Self::MAX) * u64::from(rate.denominator())).then_some(rate)
    }

    /// Reads `25`, `12.5` or `30000/1001`. A decimal close to an NTSC rate (29.97, 23.976, 59.94 …) is refused, since
    /// taking it by the letter drifts a frame in minutes: such rates are written as fractions.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::conflict(
                format!("'{text}' is not a frame rate"),
                "give a number or a fraction above 0 and up to 300, such as 25 or 30000/1001",
            )
        };
        let digits = |s: &str| {
            s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<u64>().ok()).flatten().ok_or_else(invalid)
        };
        if let Some((numerator, denominator)) = text.split_once('/') {
            return Self::new(digits(numerator)?, digits(denominator)?).ok_or_else(invalid);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let places = u32::try_from(fraction.len()).ok().filter(|&n| n <= 6).ok_or_else(invalid)?;
        let denominator = 10u64.pow(places);
        let whole = digits(whole)?.checked_mul(denominator).ok_or_else(invalid)?;
        let fraction = if fraction.is_empty() { 0 } else { digits(fraction)? };
        let rate = whole.checked_add(fraction).and_then(|n| Self::new(n, denominator)).ok_or_else(invalid)?;
        match rate.nearby_ntsc() {
            Some(ntsc) => Err(Error::conflict(
                format!("frame rate {text} is close to {ntsc} but not equal to it"),
                format!(
                    "write the fraction: {ntsc} for the NTSC rate, {}/{} for the number itself",
                    rate.numerator, rate.denominator
                ),
            )),
            None => Ok(rate),
        }
    }

    /// The rate `n × 1000/1001` that this one is within 0.01 of, without being it or a whole number.
    fn nearby_ntsc(self) -> Option<Self> {
        if self.denominator.get() == 1 {
            return None;
        }
        let nearest = (u64::from(self.numerator.get()) * 2 / u64::from(self.denominator.get())).div_ceil(2);
        let ntsc = Self::new(nearest * 1000, 1001)?;
        (ntsc != self && (ntsc.hertz() - self.hertz()).abs() < 0.01).then_some(ntsc)
    }

    /// Numerator of the reduced fraction.
    pub const fn numerator(self) -> u32 {
        self.numerator.get()
    }

    /// Denominator of the reduced fraction.
    pub const fn denominator(self) -> u32 {
        self.denominator.get()
    }

    /// The timescale of its numerator: a picture lasts as many ticks as its denominator says.
    pub const fn ticking(self) -> Timescale {
        Timescale(self.numerator)
    }

    /// Duration of one picture in ticks of `timescale`; `None` when it is no whole number of them.
    pub fn frame_duration(self, timescale: Timescale) -> Option<u32> {
        let product = u64::from(timescale.get()) * u64::from(self.denominator());
        let whole = product.is_multiple_of(u64::from(self.numerator()));
        whole.then(|| u32::try_from(product / u64::from(self.numerator())).ok()).flatten()
    }

    /// Pictures per second, for printing.
    pub fn hertz(self) -> f64 {
        f64::from(self.numerator()) / f64::from(self.denominator())
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator() {
            1 => write!(f, "{}", self.numerator()),
            denominator => write!(f, "{}/{denominator}", self.numerator()),
        }
    }
}

/// Greatest common divisor; 1 for two zeros, so that one may divide by it.
pub(crate) fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// A span of time, or an instant, exact: ticks of a timescale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactTime {
    /// How many ticks.
    pub ticks: Ticks,
    /// Of which there are so many a second.
    pub timescale: Timescale,
}

impl ExactTime {
    /// No time.
    pub const ZERO: Self = Self { ticks: Ticks(0), timescale: Timescale::new(NonZeroU32::MIN) };

    /// `ticks` of `timescale`.
    pub const fn new(ticks: Ticks, timescale: Timescale) -> Self {
        Self { ticks, timescale }
    }

    /// Whether it is earlier than `other`.
    pub(crate) fn is_before(self, other: Self) -> bool {
        self.scaled(other) < other.scaled(self)
    }

    /// Whether both are the same instant.
    pub(crate) fn is_at(self, other: Self) -> bool {
        self.scaled(other) == other.scaled(self)
    }

    /// In units of a second divided by both timescales.
    fn scaled(self, other: Self) -> u128 {
        u128::from(self.ticks.0) * u128::from(other.timescale.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(numerator: u64, denominator: u64) -> FrameRate {
        FrameRate::new(numerator, denominator).unwrap()
    }

    #[test]
    fn timescale_follows_the_numerator() {
        let of = |rates: &[FrameRate]| Timescale::for_frame_rates(rates.iter().copied()).map(Timescale::get);
        assert_eq!(of(&[rate(25, 1)]), Some(25_000));
        assert_eq!(of(&[rate(30_000, 1001)]), Some(30_000));
        assert_eq!(of(&[rate(24_000, 1001)]), Some(24_000));
        assert_eq!(of(&[rate(60, 1)]), Some(60_000));
        assert_eq!(of(&[rate(30_000, 1001), rate(60_000, 1001)]), Some(60_000));
        assert_eq!(of(&[rate(25, 1), rate(30, 1)]), Some(15_000));
        assert_eq!(of(&[]), None);
        let scales = [90_000, 24_000].map(|n| Timescale(NonZeroU32::new(n).unwrap()));
        assert_eq!(Timescale::multiple_of(scales).map(Timescale::get), Some(360_000));
        assert_eq!(of(&[rate(4_294_967_291, 4_294_967_290), rate(4_294_967_279, 4_294_967_278)]), None);
    }

    #[test]
    fn frame_durations_are_exact() {
        let timescale = |n| Timescale::new(NonZeroU32::new(n).unwrap());
        assert_eq!(rate(30_000, 1001).frame_duration(timescale(30_000)), Some(1001));
        assert_eq!(rate(25, 1).frame_duration(timescale(25_000)), Some(1000));
        assert_eq!(rate(30_000, 1001).frame_duration(timescale(25_000)), None);
    }

    #[test]
    fn frame_rates_are_read_by_the_letter_or_refused() {
        assert_eq!(FrameRate::parse("25").unwrap(), rate(25, 1));
        assert_eq!(FrameRate::parse("12.5").unwrap(), rate(25, 2));
        assert_eq!(FrameRate::parse("60000/1001").unwrap(), rate(60_000, 1001));
        for ntsc in ["29.97", "23.976", "23.98", "59.94", "119.88", "47.952"] {
            let error = FrameRate::parse(ntsc).unwrap_err().to_string();
            assert!(error.contains("/1001"), "{ntsc}: {error}");
        }
        for bad in
            ["", "0", "-25", "25/0", "301", "1e3", "NaN", "25fps", "1/", "/1", "+25", "99999999999999999999"]
        {
            assert!(FrameRate::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn microseconds_are_rounded_to_nearest_half_up() {
        let timescale = |n| Timescale::new(NonZeroU32::new(n).unwrap());
        assert_eq!(timescale(30_000).microseconds_nearest(Ticks(1001)), 33_367);
        assert_eq!(timescale(2_000_000).microseconds_nearest(Ticks(1)), 1);
        assert_eq!(timescale(1).microseconds_nearest(Ticks(u64::MAX)), u64::MAX);
    }
}
