//! Bit rates of a track for `btrt` and `esds` (ISO/IEC 14496-12 8.5.2, 14496-1 7.2.6.6): facts of all its samples.

use crate::time::Timescale;
use crate::track::Sample;
use crate::track::header::BitRate;

impl BitRate {
    /// Of a whole track: the largest sample, the most bits in any one second of decode time, and the average.
    ///
    /// A second is a window that starts at a sample's decode time and takes every sample that is decoded within it. Rates
    /// beyond 32 bits are given as the largest.
    pub fn of(samples: impl Iterator<Item = Sample> + Clone, timescale: Timescale) -> Self {
        let second = u64::from(timescale.get());
        let (mut leaving, mut first_time) = (samples.clone(), 0u64);
        let (mut time, mut window, mut max, mut total, mut largest) = (0u64, 0u64, 0u64, 0u64, 0u32);
        for sample in samples {
            while time - first_time >= second {
                let first = leaving.next().expect("what was taken is in front of the window's end");
                window -= u64::from(first.size);
                first_time += u64::from(first.duration);
            }
            window += u64::from(sample.size);
            total += u64::from(sample.size);
            max = max.max(window);
            largest = largest.max(sample.size);
            time += u64::from(sample.duration);
        }
        let average = u128::from(total) * 8 * u128::from(second) / u128::from(time.max(1));
        let saturate = |bits: u128| u32::try_from(bits).unwrap_or(u32::MAX);
        // A track shorter than a second has a higher average than its one window.
        let average = saturate(average);
        Self { buffer_size: largest, max: saturate(u128::from(max) * 8).max(average), average }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::time::CompositionOffset;
    use crate::track::SampleFlags;

    fn samples(sizes: &[u32], duration: u32) -> impl Iterator<Item = Sample> + Clone {
        let sample = move |&size: &u32| Sample {
            duration,
            composition_offset: CompositionOffset(0),
            flags: SampleFlags::SYNC,
            size,
        };
        sizes.iter().map(sample)
    }

    #[test]
    fn the_peak_is_the_heaviest_second() {
        let timescale = Timescale::new(NonZeroU32::new(10).unwrap());
        // Two samples a second; the heaviest pair is 30 + 40 bytes.
        let rate = BitRate::of(samples(&[10, 30, 40, 10, 10], 5), timescale);
        assert_eq!((rate.buffer_size, rate.max, rate.average), (40, 70 * 8, 100 * 8 * 10 / 25));
    }

    #[test]
    fn a_track_under_a_second_peaks_at_its_average() {
        let timescale = Timescale::new(NonZeroU32::new(10).unwrap());
        let rate = BitRate::of(samples(&[10, 10], 1), timescale);
        assert_eq!((rate.max, rate.average), (800, 800));
    }
}
