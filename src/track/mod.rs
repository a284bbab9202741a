//! A track: samples with time and flags, and where their bytes lie in the source. No payload is held.
//!
//! [`timeline`] turns picture order counts into times, [`header`] makes the init segment, [`published`] reads one.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::scan::SourceRange;
use crate::time::CompositionOffset;

mod bit_rate;
mod compatible;
pub mod header;
pub mod published;
pub(crate) mod random_access;
pub mod timeline;

/// `sample_flags` (ISO/IEC 14496-12 8.8.3.1): what a reader may know of a sample without decoding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SampleFlags(u32);

impl SampleFlags {
    /// A sync sample: `sample_depends_on` 2 (on no other), `sample_is_non_sync_sample` 0.
    pub const SYNC: Self = Self(0x0200_0000);
    /// Depends on no other sample, though decoding cannot start here: `sample_depends_on` 2, non-sync.
    pub const INTRA: Self = Self(0x0201_0000);
    /// Depends on others: `sample_depends_on` 1, non-sync.
    pub const INTER: Self = Self(0x0101_0000);

    /// The flags of a picture, by what its bitstream proves: whether decoding can start at it (`sync`), whether it is decoded
    /// without any other (`intra`), and whether others may need it (`reference`).
    #[must_use]
    pub const fn of_picture(sync: bool, intra: bool, reference: bool) -> Self {
        let flags = match (sync, intra) {
            (true, _) => Self::SYNC,
            (false, true) => Self::INTRA,
            (false, false) => Self::INTER,
        };
        if reference { flags } else { flags.disposable() }
    }

    /// The same with `sample_is_depended_on` 2: no other sample needs this one.
    #[must_use]
    pub const fn disposable(self) -> Self {
        Self(self.0 | 0x0080_0000)
    }

    /// The same of a picture that decoding cannot start at after all.
    #[must_use]
    pub const fn without_sync(self) -> Self {
        Self(self.0 | 0x0001_0000)
    }

    /// The field's value.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether decoding can start here: `sample_is_non_sync_sample` is 0.
    pub const fn is_sync(self) -> bool {
        self.0 & 0x0001_0000 == 0
    }
}

/// One sample: its time, flags and size, and which source ranges make it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Duration in ticks of the track's timescale, above 0.
    pub duration: u32,
    /// Presentation minus decode time.
    pub composition_offset: CompositionOffset,
    /// What a reader may know without decoding it.
    pub flags: SampleFlags,
    /// Bytes in the segment, length prefixes included.
    pub size: u32,
    /// Its payload: indices into the track's source ranges.
    pub ranges: Range<u32>,
}

/// How the source ranges of a sample stand in the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Each range is one NAL unit and gets a four-byte length in front (ISO/IEC 14496-15, `lengthSizeMinusOne` 3).
    LengthPrefixed,
    /// The ranges follow each other as they are.
    Raw,
}

impl Framing {
    /// Bytes in front of each range.
    pub const fn prefix_len(self) -> u32 {
        match self {
            Self::LengthPrefixed => 4,
            Self::Raw => 0,
        }
    }
}

/// The samples of a track in decode order, and the source ranges that hold their payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    /// How ranges stand in the segment.
    pub framing: Framing,
    /// In decode order; each names a run of `ranges`.
    pub samples: Vec<Sample>,
    /// In output order.
    pub ranges: Vec<SourceRange>,
}

impl Samples {
    /// No samples yet.
    pub const fn new(framing: Framing) -> Self {
        Self { framing, samples: Vec::new(), ranges: Vec::new() }
    }

    /// Appends a sample made of `ranges`, presented when it is decoded.
    ///
    /// # Errors
    /// When its size (`trun.sample_size`), or the number of all ranges, is beyond 32 bits; nothing is appended then.
    pub fn push(&mut self, ranges: &[SourceRange], flags: SampleFlags, duration: u32) -> Result<()> {
        let prefix = u64::from(self.framing.prefix_len());
        let size: u64 = ranges.iter().map(|range| u64::from(range.len) + prefix).sum();
        let size = u32::try_from(size).map_err(|_| sample_too_large(size))?;
        let index =
            |len: usize| u32::try_from(len).map_err(|_| too_large("the number of coded units", len as u64));
        let start = index(self.ranges.len())?;
        let end = index(self.ranges.len() + ranges.len())?;
        self.ranges.extend_from_slice(ranges);
        self.samples.push(Sample {
            duration,
            composition_offset: CompositionOffset(0),
            flags,
            size,
            ranges: start..end,
        });
        Ok(())
    }
}

/// Decode time of each sample, from the first.
pub(crate) fn decode_times(samples: &[Sample]) -> Vec<u64> {
    let next = |time: &mut u64, sample: &Sample| {
        let start = *time;
        *time += u64::from(sample.duration);
        Some(start)
    };
    samples.iter().scan(0, next).collect()
}

/// A sample whose size is beyond 32 bits.
pub(crate) fn sample_too_large(bytes: u64) -> Error {
    too_large("the size of a sample in bytes", bytes)
}

fn too_large(what: &'static str, value: u64) -> Error {
    Error::new(ErrorKind::TooLarge {
        what: what.into(),
        value,
        limit: u64::from(u32::MAX),
        clause: "ISO/IEC 14496-12 8.8.8",
        remedy: "split the stream".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_what_a_picture_proves() {
        // sample_depends_on, sample_is_depended_on, sample_is_non_sync_sample: ISO/IEC 14496-12 8.8.3.1, 8.6.4.3.
        for (sync, intra, reference, bits) in [
            (true, true, true, 0x0200_0000),
            (true, true, false, 0x0280_0000),
            (false, true, true, 0x0201_0000),
            (false, true, false, 0x0281_0000),
            (false, false, true, 0x0101_0000),
            (false, false, false, 0x0181_0000),
        ] {
            let flags = SampleFlags::of_picture(sync, intra, reference);
            assert_eq!((flags.bits(), flags.is_sync()), (bits, sync));
        }
    }

    #[test]
    fn samples_name_their_ranges_and_count_length_prefixes() {
        let ranges = [10, 20, 30].map(|len| SourceRange { offset: u64::from(len), len });
        for (framing, sizes) in [(Framing::LengthPrefixed, [38, 34]), (Framing::Raw, [30, 30])] {
            let mut samples = Samples::new(framing);
            samples.push(&ranges[..2], SampleFlags::SYNC, 5).unwrap();
            samples.push(&ranges[2..], SampleFlags::INTER, 6).unwrap();
            let told: Vec<_> =
                samples.samples.iter().map(|s| (s.size, s.duration, s.ranges.clone())).collect();
            assert_eq!(told, [(sizes[0], 5, 0..2), (sizes[1], 6, 2..3)]);
            assert_eq!(samples.ranges, ranges);
        }
    }

    #[test]
    fn a_sample_beyond_32_bits_is_refused_and_leaves_nothing() {
        let mut samples = Samples::new(Framing::LengthPrefixed);
        let largest = SourceRange { offset: 0, len: u32::MAX - 4 };
        samples.push(&[largest], SampleFlags::SYNC, 1).unwrap();
        let before = samples.clone();
        let error = samples.push(&[SourceRange { len: u32::MAX - 3, ..largest }], SampleFlags::SYNC, 1);
        assert!(error.unwrap_err().to_string().contains("is 4294967296, the limit is 4294967295"));
        assert_eq!(samples, before);
    }
}
