//! A track: samples with time and flags, and where their bytes lie in the source. No payload is held.
//!
//! [`timeline`] turns picture order counts into times, [`header`] makes the init segment.

use std::ops::Range;

use crate::scan::SourceRange;
use crate::time::CompositionOffset;

mod bit_rate;
pub mod header;
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

    /// The same with `sample_is_depended_on` 2: no other sample needs this one.
    #[must_use]
    pub const fn disposable(self) -> Self {
        Self(self.0 | 0x0080_0000)
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
