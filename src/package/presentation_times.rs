//! When each picture of a track is presented, where something other than a constant frame rate says so: a timecode file, or the
//! timestamps of an IVF file. Exact numbers in units of their own ► ticks of the timescale of the switching set.
//!
//! Each instant is rounded to the nearest tick by itself, so nothing adds up. The timescale is chosen so that nothing is rounded
//! where 32 bits can say it; otherwise it is a multiple of 90000.

use std::num::NonZeroU32;

use crate::error::{Error, ErrorKind, Result};
use crate::time::{FrameRate, Timescale, gcd};

/// Ticks per second where no timescale says all instants exactly.
pub(super) const VARIABLE: u32 = 90_000;

/// The largest timescale that is taken for being exact: 100 ns. In finer ones a picture that lasts long, or is presented late,
/// would not fit the 32 bits of its duration or composition offset.
const FINEST: u64 = 10_000_000;

/// The instants at which the pictures of a track are presented, in the order of presentation, and where the last one ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PresentationTimes {
    /// Units per second, as a reduced fraction.
    units: (u64, u64),
    /// In units from the first picture on; rising; one more than there are pictures, and two at least.
    instants: Vec<u64>,
    /// What the timescale has to be a multiple of.
    timescale: NonZeroU32,
    /// When the first picture is presented by the clock that the instants were told by, in units.
    start: i128,
    /// How many pictures in front of the first were left out, in units.
    lead: u64,
}

/// An instant that is not behind the one before, or too close to it: the index of the picture in the order of presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotRising(pub usize);

impl PresentationTimes {
    /// Of instants in units of which there are `units.0` in `units.1` seconds, both below 2³² or the second 1, those of the pictures and one behind: where the last ends.
    ///
    /// # Errors
    /// The first that is not behind the one before, or that is so close to it that they may become one tick.
    ///
    /// # Panics
    /// For fewer than two instants, and units of 0.
    pub fn new(units: (u64, u64), instants: &[i64]) -> std::result::Result<Self, NotRising> {
        let divisor = gcd(units.0, units.1);
        let units = (units.0 / divisor, units.1 / divisor);
        assert!(units.0 > 0 && units.1 > 0, "a second has units");
        let (&first, [_, ..]) = instants.split_first().expect("there is a picture") else {
            panic!("the last picture ends")
        };
        let timescale = exact_timescale(units.0);
        let coarse = timescale.is_none();
        let timescale = timescale.or(NonZeroU32::new(VARIABLE)).expect("it is above 0");
        let is_behind = |pair: &[i64]| {
            let step = i128::from(pair[1]) - i128::from(pair[0]);
            // Instants that are a tick apart at least are so when they are rounded.
            let per_unit = i128::from(units.1) * i128::from(timescale.get());
            let is_tick = || step.checked_mul(per_unit).is_none_or(|ticks| ticks >= i128::from(units.0));
            step > 0 && (!coarse || is_tick())
        };
        if let Some(index) = instants.windows(2).position(|pair| !is_behind(pair)) {
            return Err(NotRising(index + 1));
        }
        // Rising, so that differences are those of two 64-bit numbers.
        let from_first = |&instant: &i64| instant.abs_diff(first);
        let instants = instants.iter().map(from_first).collect();
        Ok(Self { units, instants, timescale, start: first.into(), lead: 0 })
    }

    /// The same without the first `count` pictures.
    ///
    /// # Panics
    /// Where none is left.
    pub fn without_lead(mut self, count: usize) -> Self {
        self.instants.drain(..count);
        let (first, rest) = (self.instants[0], self.instants.len());
        assert!(rest > 1, "a picture is left");
        self.instants.iter_mut().for_each(|instant| *instant -= first);
        self.start += i128::from(first);
        self.lead += first;
        self
    }

    /// How many pictures there are.
    #[cfg(any(test, fuzzing))]
    pub fn len(&self) -> usize {
        self.instants.len() - 1
    }

    /// What the timescale of the track has to be a multiple of.
    pub fn timescale(&self) -> Timescale {
        Timescale::new(self.timescale)
    }

    /// Whether every instant is a whole tick of its timescale whatever it is.
    pub fn is_exact(&self) -> bool {
        u64::from(self.timescale.get()).is_multiple_of(self.units.0)
    }

    /// How long the pictures are presented, in ticks of `timescale`, in the order of presentation. They add up to the
    /// rounded end, and any first of them to a rounded instant.
    ///
    /// # Errors
    /// For one beyond 32 bits.
    pub fn durations(&self, timescale: Timescale) -> Result<Vec<u32>> {
        let mut before = 0;
        self.instants[1..]
            .iter()
            .zip(1usize..)
            .map(|(&instant, number)| {
                let ticks = self.ticks(instant, timescale);
                let duration = ticks - std::mem::replace(&mut before, ticks);
                u32::try_from(duration).ok().filter(|&duration| duration > 0).ok_or_else(|| {
                    Error::new(ErrorKind::TooLarge {
                        what: format!(
                            "the duration of picture {number} in the order of presentation in ticks of 1/{timescale} s"
                        )
                        .into(),
                        value: u64::try_from(duration).unwrap_or(u64::MAX),
                        limit: u64::from(u32::MAX),
                        clause: "ISO/IEC 14496-12 8.8.8",
                        remedy: "check the times".into(),
                    })
                })
            })
            .collect()
    }

    /// How long the pictures in front of the first were, in ticks of `timescale`; saturating.
    pub fn lead(&self, timescale: Timescale) -> u64 {
        u64::try_from(self.ticks(self.lead, timescale)).unwrap_or(u64::MAX)
    }

    /// When the first picture is presented by the clock that the instants were told by, in nanoseconds, to nearest.
    pub fn start_nanoseconds(&self) -> i128 {
        const SECOND: i128 = 1_000_000_000;
        let numerator = i128::from(self.units.0);
        let scaled = self.start.saturating_mul(i128::from(self.units.1));
        let (whole, rest) = (scaled.div_euclid(numerator), scaled.rem_euclid(numerator));
        whole.saturating_mul(SECOND).saturating_add((2 * rest * SECOND + numerator) / (2 * numerator))
    }

    /// To nearest, half up.
    fn ticks(&self, instant: u64, timescale: Timescale) -> u128 {
        let (numerator, ticks) = (u128::from(self.units.0), u128::from(timescale.get()));
        // Both are 32 bits at most where the other is above 1, so that no product passes 128 bits.
        let scaled = u128::from(instant) * u128::from(self.units.1);
        let (whole, rest) = (scaled / numerator, scaled % numerator);
        whole * ticks + (2 * rest * ticks + numerator) / (2 * numerator)
    }
}

/// The timescale that counts units of which there are `numerator` in so many whole seconds: times the smallest power of ten that
/// makes it at least 10,000, as of frame rates. `None` where it would be too fine.
fn exact_timescale(numerator: u64) -> Option<NonZeroU32> {
    let mut ticks = numerator;
    while ticks < 10_000 {
        ticks *= 10;
    }
    NonZeroU32::new(u32::try_from(ticks).ok().filter(|_| ticks <= FINEST)?)
}

/// The rate of the shortest of `durations`, in ticks of `timescale`: the highest. `None` where that is no frame rate.
pub(super) fn highest_rate(durations: impl Iterator<Item = u32>, timescale: Timescale) -> Option<FrameRate> {
    FrameRate::new(u64::from(timescale.get()), u64::from(durations.min()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn timescale(ticks: u32) -> Timescale {
        Timescale::new(NonZeroU32::new(ticks).unwrap())
    }

    #[test]
    fn milliseconds_are_exact_and_start_at_zero() {
        let times = PresentationTimes::new((1000, 1), &[40, 80, 120, 200]).unwrap();
        assert_eq!((times.len(), times.timescale(), times.is_exact()), (3, timescale(10_000), true));
        assert_eq!(times.durations(timescale(10_000)).unwrap(), [400, 400, 800]);
        assert_eq!(times.durations(timescale(90_000)).unwrap(), [3600, 3600, 7200]);
        assert_eq!(times.start_nanoseconds(), 40_000_000);
    }

    #[test]
    fn fractions_keep_their_numerator_and_fine_units_are_rounded() {
        // Units of 1001/30000 s.
        let ntsc = PresentationTimes::new((30_000, 1001), &[0, 1, 3]).unwrap();
        assert_eq!(ntsc.timescale(), timescale(30_000));
        assert_eq!(ntsc.durations(timescale(30_000)).unwrap(), [1001, 2002]);
        // Thirds of a second in nanoseconds are no multiple of 1/90000 s: each is rounded by itself.
        let thirds = [0, 333_333_333, 666_666_667, 1_000_000_000];
        let fine = PresentationTimes::new((1_000_000_000, 1), &thirds).unwrap();
        assert_eq!((fine.timescale(), fine.is_exact()), (timescale(90_000), false));
        assert_eq!(fine.durations(timescale(90_000)).unwrap(), [30_000; 3]);
    }

    #[test]
    fn what_does_not_rise_by_a_tick_is_named() {
        let refused = |units, instants: &[i64]| PresentationTimes::new(units, instants).unwrap_err().0;
        assert_eq!(refused((1000, 1), &[0, 40, 40]), 2);
        assert_eq!(refused((1000, 1), &[0, -1, 40]), 1);
        assert_eq!(refused((1000, 1), &[i64::MAX, i64::MIN]), 1);
        // A tick of 1/90000 s is 11111.1 ns.
        assert_eq!(refused((1_000_000_000, 1), &[0, 11_112, 22_223]), 2);
        assert!(PresentationTimes::new((1000, 1), &[i64::MIN, i64::MAX]).is_ok());
    }

    #[test]
    fn pictures_that_were_dropped_in_front_are_told() {
        let times = PresentationTimes::new((1000, 1), &[-40, 0, 40, 120]).unwrap().without_lead(2);
        assert_eq!(times.durations(timescale(1000)).unwrap(), [80]);
        assert_eq!((times.lead(timescale(1000)), times.start_nanoseconds()), (80, 40_000_000));
    }

    #[test]
    fn a_picture_that_lasts_too_long_is_refused_with_its_number() {
        let times = PresentationTimes::new((1, 1), &[0, 1, 1_000_000]).unwrap();
        let error = times.durations(timescale(10_000)).unwrap_err().to_string();
        assert!(error.contains("picture 2 in the order of presentation"), "{error}");
        let most = PresentationTimes::new((1, 1), &[0, i64::MAX]).unwrap();
        assert!(most.durations(timescale(u32::MAX)).is_err());
    }

    #[test]
    fn the_shortest_picture_makes_the_highest_rate() {
        let of = |durations: &[u32], ticks| highest_rate(durations.iter().copied(), timescale(ticks));
        assert_eq!(of(&[34, 33, 33], 1000), FrameRate::new(1000, 33));
        assert_eq!(of(&[1001, 2002], 30_000), FrameRate::new(30_000, 1001));
        assert_eq!(of(&[1], 1000), None);
        assert_eq!(of(&[], 1000), None);
    }

    proptest! {
        #[test]
        fn every_instant_is_within_half_a_tick_and_nothing_adds_up(
            start in -1_000_000_000_000i64..1_000_000_000_000,
            steps in proptest::collection::vec(11_112i64..2_000_000_000, 1..200),
            factor in 1u32..50,
        ) {
            let mut instants = vec![start];
            for step in steps {
                instants.push(instants[instants.len() - 1] + step);
            }
            let times = PresentationTimes::new((1_000_000_000, 1), &instants).unwrap();
            let scale = 90_000 * factor;
            let durations = times.durations(timescale(scale)).unwrap();
            prop_assert_eq!(durations.len(), instants.len() - 1);
            let mut sum = 0i128;
            for (duration, instant) in durations.iter().zip(&instants[1..]) {
                prop_assert!(*duration > 0);
                sum += i128::from(*duration);
                // |sum / scale - instant| <= 1/2 tick, in units of 1 / (scale × 10⁹) s.
                let exact = i128::from(instant - start) * i128::from(scale);
                prop_assert!(2 * (sum * 1_000_000_000 - exact).abs() <= 1_000_000_000);
            }
        }

        #[test]
        fn what_is_left_after_a_lead_keeps_its_instants(
            steps in proptest::collection::vec(1i64..1000, 2..50), lead in 0usize..49,
        ) {
            let lead = lead.min(steps.len() - 1);
            let mut instants = vec![7];
            for &step in &steps {
                instants.push(instants[instants.len() - 1] + step);
            }
            let times = PresentationTimes::new((1000, 1), &instants).unwrap().without_lead(lead);
            let expected: Vec<u32> = steps[lead..].iter().map(|&step| step as u32).collect();
            prop_assert_eq!(times.durations(timescale(1000)).unwrap(), expected);
            prop_assert_eq!(times.lead(timescale(1000)) as i64, steps[..lead].iter().sum::<i64>());
        }
    }
}
