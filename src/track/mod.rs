//! A track: samples with time and flags, and where their bytes lie in the source. No payload is held.
//!
//! [`timeline`] turns picture order counts into times, [`header`] makes the init segment, [`published`] reads one.

use crate::error::{Error, ErrorKind};
use crate::time::CompositionOffset;

mod bit_rate;
mod compatible;
pub mod header;
pub mod published;
pub(crate) mod random_access;
mod samples;
mod source_ranges;
pub mod timeline;

pub use samples::{Framing, SampleRun, Samples};
pub use source_ranges::SourceRangeRun;

/// `sample_flags` (ISO/IEC 14496-12 8.8.3.1): what a reader may know of a sample without decoding it. The lower half of the
/// field, `sample_degradation_priority`, is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SampleFlags(u16);

impl SampleFlags {
    /// A sync sample: `sample_depends_on` 2 (on no other), `sample_is_non_sync_sample` 0.
    pub const SYNC: Self = Self(0x0200);
    /// Depends on no other sample, though decoding cannot start here: `sample_depends_on` 2, non-sync.
    pub const INTRA: Self = Self(0x0201);
    /// Depends on others: `sample_depends_on` 1, non-sync.
    pub const INTER: Self = Self(0x0101);

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
        Self(self.0 | 0x0080)
    }

    /// The same of a picture that decoding cannot start at after all.
    #[must_use]
    pub const fn without_sync(self) -> Self {
        Self(self.0 | 0x0001)
    }

    /// The field's value.
    pub const fn bits(self) -> u32 {
        (self.0 as u32) << 16
    }

    /// Whether decoding can start here: `sample_is_non_sync_sample` is 0.
    pub const fn is_sync(self) -> bool {
        self.0 & 0x0001 == 0
    }
}

/// One sample: its time, flags and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Duration in ticks of the track's timescale, above 0.
    pub duration: u32,
    /// Presentation minus decode time.
    pub composition_offset: CompositionOffset,
    /// What a reader may know without decoding it.
    pub flags: SampleFlags,
    /// Bytes in the segment, length prefixes included.
    pub size: u32,
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
}
