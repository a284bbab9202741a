//! Bit rates as exact fractions, and the peak of a list of segments as HLS defines it (RFC 8216 4.1): the
//! largest bit rate of any run of contiguous segments that lasts between 0.5 and 1.5 target durations.
//! Draft 22 of the second edition lets a run last half a second more, which is not followed here.

use std::cmp::Ordering;

use crate::presentation::Segment;
use crate::time::{Ticks, Timescale, gcd};

/// Bits per second, exact: `whole + remainder / divisor`, the fraction below 1 and reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitRate {
    whole: u128,
    remainder: u64,
    divisor: u64,
}

impl BitRate {
    /// No bits.
    pub const ZERO: Self = Self { whole: 0, remainder: 0, divisor: 1 };

    /// `bytes` in `duration`; zero where there is no duration.
    pub fn new(bytes: u64, duration: Ticks, timescale: Timescale) -> Self {
        if duration.0 == 0 {
            return Self::ZERO;
        }
        let bits = u128::from(bytes) * 8 * u128::from(timescale.get());
        let remainder = u64::try_from(bits % u128::from(duration.0)).expect("below a 64-bit divisor");
        let common = gcd(remainder, duration.0);
        Self {
            whole: bits / u128::from(duration.0),
            remainder: remainder / common,
            divisor: duration.0 / common,
        }
    }

    /// Whole bits per second, rounded up; `u64::MAX` where there are more.
    pub fn ceil(self) -> u64 {
        self.ceil_of_sum(Self::ZERO)
    }

    /// The exact sum of two rates, rounded up once; `u64::MAX` where it is more.
    pub fn ceil_of_sum(self, other: Self) -> u64 {
        // Both fractions are below 1. The first passes what the second leaves to the next whole number, when
        // r1/d1 > (d2 - r2)/d2: two 64-bit factors on either side.
        let left = u128::from(self.remainder) * u128::from(other.divisor);
        let right = u128::from(other.divisor - other.remainder) * u128::from(self.divisor);
        let fraction = match (self.remainder, other.remainder) {
            (0, 0) => 0,
            _ => 1 + u128::from(left > right),
        };
        u64::try_from(self.whole + other.whole + fraction).unwrap_or(u64::MAX)
    }
}

impl Ord for BitRate {
    fn cmp(&self, other: &Self) -> Ordering {
        let fraction = |a: &Self, b: &Self| u128::from(a.remainder) * u128::from(b.divisor);
        self.whole.cmp(&other.whole).then_with(|| fraction(self, other).cmp(&fraction(other, self)))
    }
}

impl PartialOrd for BitRate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The peak segment bit rate (RFC 8216 4.1) for a target duration in seconds; that of all segments together if no run
/// lasts 0.5 to 1.5 of it. Looks at each run that is not too long, so time goes with the number of segments times how
/// many fit 1.5 target durations: one or two where the target is what the segments were cut by.
///
/// Bytes and ticks of all segments together must fit 64 bits.
pub(super) fn peak(segments: &[Segment], target_duration: u64, timescale: Timescale) -> BitRate {
    // Twice the bounds, in ticks: whole numbers.
    let shortest = u128::from(target_duration) * u128::from(timescale.get());
    let longest = 3 * shortest;
    let mut best: Option<Run> = None;
    for first in 0..segments.len() {
        let mut run = Run::default();
        for segment in &segments[first..] {
            run.bytes += segment.bytes;
            run.ticks += segment.duration.0;
            let twice = 2 * u128::from(run.ticks);
            if twice > longest {
                break;
            }
            if twice >= shortest && best.is_none_or(|best| run.is_denser_than(best)) {
                best = Some(run);
            }
        }
    }
    let run = best.unwrap_or_else(|| Run {
        bytes: segments.iter().map(|segment| segment.bytes).sum(),
        ticks: segments.iter().map(|segment| segment.duration.0).sum(),
    });
    BitRate::new(run.bytes, Ticks(run.ticks), timescale)
}

/// Contiguous segments.
#[derive(Clone, Copy, Default)]
struct Run {
    bytes: u64,
    ticks: u64,
}

impl Run {
    fn is_denser_than(self, other: Self) -> bool {
        u128::from(self.bytes) * u128::from(other.ticks) > u128::from(other.bytes) * u128::from(self.ticks)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::time::DecodeTime;

    fn timescale(n: u32) -> Timescale {
        Timescale::new(NonZeroU32::new(n).unwrap())
    }

    fn segments(sizes: &[(u64, u64)]) -> Vec<Segment> {
        // Numbers and times play no part.
        let number = NonZeroU32::MIN;
        let of = |&(bytes, ticks)| Segment::new(number, bytes, Ticks(ticks), DecodeTime(0));
        sizes.iter().map(of).collect()
    }

    /// Peak of segments given as bytes and milliseconds.
    fn peak_of(sizes: &[(u64, u64)], target_duration: u64) -> u64 {
        peak(&segments(sizes), target_duration, timescale(1000)).ceil()
    }

    #[test]
    fn peaks_worked_by_hand() {
        // 4 s segments, target 4: only single segments last 2 to 6 s. 5000 bytes in 4 s are 10,000 bit/s.
        assert_eq!(peak_of(&[(1000, 4000), (5000, 4000), (2000, 4000)], 4), 10_000);
        // 2 s segments, target 4: one (2 s), two (4 s) or three (6 s); the densest single one is 4000 bytes in 2 s.
        assert_eq!(peak_of(&[(1000, 2000), (4000, 2000), (3000, 2000)], 4), 16_000);
        // 1.9 s is too short for a target of 4 alone, so the dense one counts with a neighbour:
        // 1000 + 4000 in 3.8 s are 10,526.3; 4000 + 3000 in 3.8 s are 14,736.8; all three in 5.7 s 11,228.07.
        assert_eq!(peak_of(&[(1000, 1900), (4000, 1900), (3000, 1900)], 4), 14_737);
        // A short dense last segment counts with the one before: 1000 + 600 in 4.5 s are 2844.4, 1000 in 4 s 2000.
        assert_eq!(peak_of(&[(1000, 4000), (1000, 4000), (600, 500)], 4), 2845);
        // A run of exactly 1.5 targets counts: 2400 bytes in 6 s. A millisecond more, and 1500 in 5 s are the most.
        assert_eq!(peak_of(&[(900, 1000), (600, 4000), (900, 1000)], 4), 3200);
        assert_eq!(peak_of(&[(900, 1000), (600, 4000), (900, 1001)], 4), 2400);
        // No run lasts 2 to 6 s: all of it, 8800 bits in 8 s.
        assert_eq!(peak_of(&[(1000, 7000), (100, 1000)], 4), 1100);
        assert_eq!(peak_of(&[(100, 500)], 4), 1600);
        assert_eq!(peak_of(&[], 4), 0);
    }

    #[test]
    fn both_bounds_belong_to_the_window() {
        // Alone 2 s, exactly half of 4.
        assert_eq!(peak_of(&[(4000, 2000), (1, 6000)], 4), 16_000);
        // One millisecond less: alone too short, with its neighbour 7.999 s too long; the neighbour itself, 6 s, counts.
        assert_eq!(peak_of(&[(4000, 1999), (3, 6000)], 4), 4);
    }

    #[test]
    fn a_sum_is_rounded_up_once() {
        let rate = |bytes, ticks, scale| BitRate::new(bytes, Ticks(ticks), timescale(scale));
        // 8/3 + 8/6 is exactly 4, though each rounds up: 3 + 2.
        assert_eq!(rate(1, 3, 1).ceil_of_sum(rate(1, 6, 1)), 4);
        // 8/3 + 8/7 = 3.81; 8/3 + 8/5 = 4.27.
        assert_eq!(rate(1, 3, 1).ceil_of_sum(rate(1, 7, 1)), 4);
        assert_eq!(rate(1, 3, 1).ceil_of_sum(rate(1, 5, 1)), 5);
        assert_eq!((rate(1, 3, 1).ceil(), rate(1, 8, 1).ceil(), rate(0, 8, 1).ceil()), (3, 1, 0));
        assert_eq!(rate(u64::MAX, 1, u32::MAX).ceil_of_sum(rate(u64::MAX, u64::MAX, u32::MAX)), u64::MAX);
        assert_eq!(rate(1, 0, 1), BitRate::ZERO);
    }

    #[test]
    fn rates_compare_by_value_across_timescales() {
        let rate = |bytes, ticks, scale| BitRate::new(bytes, Ticks(ticks), timescale(scale));
        assert_eq!(rate(1001, 90_000, 90_000), rate(1001, 48_000, 48_000));
        assert!(rate(1000, 30_001, 30_000) < rate(1000, 48_001, 48_000));
        assert!(rate(10, 9, 1) > rate(10, 10, 1));
    }

    /// The definition by the letter: every pair of ends.
    fn quadratic_peak(sizes: &[(u64, u64)], target_duration: u64) -> u64 {
        let mut rates = Vec::new();
        for first in 0..sizes.len() {
            for end in first + 1..=sizes.len() {
                let bytes: u64 = sizes[first..end].iter().map(|s| s.0).sum();
                let ticks: u64 = sizes[first..end].iter().map(|s| s.1).sum();
                if (500 * target_duration..=1500 * target_duration).contains(&ticks) {
                    rates.push((bytes * 8000).div_ceil(ticks));
                }
            }
        }
        let all = |part: fn(&(u64, u64)) -> u64| sizes.iter().map(part).sum::<u64>();
        rates.into_iter().max().unwrap_or_else(|| (all(|s| s.0) * 8000).div_ceil(all(|s| s.1).max(1)))
    }

    proptest! {
        #[test]
        fn peak_equals_its_quadratic_twin(
            sizes in prop::collection::vec((0u64..1_000_000, 1u64..3000), 0..40),
            target_duration in 1u64..12,
        ) {
            prop_assert_eq!(peak_of(&sizes, target_duration), quadratic_peak(&sizes, target_duration));
        }

        #[test]
        fn sums_equal_plain_fractions(a in (0u64..1 << 40, 1u64..1 << 30), b in (0u64..1 << 40, 1u64..1 << 30)) {
            let rate = |(bytes, ticks)| BitRate::new(bytes, Ticks(ticks), timescale(3));
            let whole = |(bytes, ticks): (u64, u64)| (u128::from(bytes) * 24, u128::from(ticks));
            let ((n1, d1), (n2, d2)) = (whole(a), whole(b));
            prop_assert_eq!(u128::from(rate(a).ceil_of_sum(rate(b))), (n1 * d2 + n2 * d1).div_ceil(d1 * d2));
            prop_assert_eq!(rate(a).cmp(&rate(b)), (n1 * d2).cmp(&(n2 * d1)));
        }
    }
}
