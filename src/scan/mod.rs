//! Elementary byte formats, found in bytes and borrowed from them: where coded units lie, and which make one sample.
//!
//! [`annexb`] finds NAL units, [`access_units`] groups them as [`h264`] and [`h265`] say, [`adts`] finds AAC
//! frames, [`ac3`] those of AC-3 and E-AC-3, [`mod@flac`] those of FLAC, [`ogg`] packets of Opus, [`ivf`] the frames of an IVF file; [`av1`] groups OBUs into
//! temporal units, [`vp9`] frames into superframes, and [`detect`] tells which of these a file is.

pub mod ac3;
pub mod access_units;
pub mod adts;
pub mod annexb;
pub mod av1;
mod detect;
pub mod flac;
pub mod h264;
pub mod h265;
pub mod ivf;
pub mod ogg;
#[doc(hidden)]
pub mod simd;
pub mod vp9;

pub use detect::{ElementaryFormat, detect};

/// Bytes of a source: a file, or a buffer of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceRange {
    /// First byte, counted from the start of the source.
    pub offset: u64,
    /// Number of bytes.
    pub len: u32,
}

impl SourceRange {
    /// Offset of the byte behind the range.
    pub fn end(self) -> u64 {
        self.offset + u64::from(self.len)
    }
}

/// One NAL unit of a byte stream, from its header byte to its last byte that is not a trailing zero. The start code
/// belongs to no unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalUnit<'a> {
    /// Its header byte, counted from the start of the source.
    pub offset: u64,
    /// Bytes of the whole unit, emulation prevention included.
    pub len: u32,
    /// Its first bytes: all of them, or at least 64 KiB.
    pub head: &'a [u8],
}

impl NalUnit<'_> {
    /// The bytes of the source that it takes.
    pub const fn range(&self) -> SourceRange {
        SourceRange { offset: self.offset, len: self.len }
    }
}

/// What a scan left out of the samples, by kind: the whole list. Everything else of the input is in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Dropped {
    /// Access unit delimiters (H.264 7.3.2.4, H.265 7.3.2.5): samples need none.
    pub access_unit_delimiters: Count,
    /// Filler data NAL units (H.264 7.3.2.7, H.265 7.3.2.8).
    pub filler: Count,
    /// End of sequence NAL units of H.264 (7.3.2.5).
    pub ends_of_sequence: Count,
    /// End of stream NAL units of H.264 (7.3.2.6).
    pub ends_of_stream: Count,
    /// Parameter sets that the sample entry holds; where they stay in band, those behind the last picture.
    pub parameter_sets: Count,
    /// Zero bytes around NAL units that belong to no start code (H.264 B.1: `leading_zero_8bits`, `trailing_zero_8bits`).
    pub zero_bytes: Count,
    /// Coded pictures before the first one that decoding can start with; dropped only when asked.
    pub leading_pictures: Count,
    /// RASL pictures of H.265 that lean on pictures in front of a CRA or BLA picture that starts a sequence, which no decoder
    /// shows (H.265 8.1.3); dropped only when asked.
    pub skipped_pictures: Count,
    /// Temporal delimiter OBUs (AV1 5.6): samples should have none (AV1-ISOBMFF 2.4).
    pub temporal_delimiters: Count,
    /// Padding OBUs (AV1 5.7), likewise.
    pub padding_obus: Count,
    /// Redundant frame header OBUs (AV1 5.9.1), likewise.
    pub redundant_frame_headers: Count,
    /// Superframe indexes of VP9 packets that were put together: their sample has one of its own (VP9 Annex B).
    pub superframe_indexes: Count,
    /// VP9 frames behind the last that is shown; dropped only when asked.
    pub hidden_frames: Count,
    /// ID3 tags in front of or between frames of ADTS, AC-3 or E-AC-3, or around a FLAC stream.
    pub id3_tags: Count,
    /// Metadata blocks of FLAC but STREAMINFO: comments, pictures, seek tables, padding.
    pub metadata_blocks: Count,
    /// Bytes of an incomplete last ADTS or FLAC frame, access unit of AC-3 or E-AC-3, IVF frame, AV1 temporal unit, or Ogg page or packet;
    /// dropped only when asked.
    pub incomplete_frames: Count,
    /// Comment headers of Ogg Opus (`OpusTags`, RFC 7845 5.2): titles and the like.
    pub comment_headers: Count,
    /// Opus packets behind the end that the last granule position of their file tells (RFC 7845 4.4).
    pub trimmed_packets: Count,
}

/// How many of a kind, and how many bytes of the input they took (without start codes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// Number of units.
    pub units: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Count {
    /// Counts one unit of `bytes` bytes.
    pub fn add(&mut self, bytes: u64) {
        self.units += 1;
        self.bytes += bytes;
    }
}
