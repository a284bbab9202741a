//! Native FLAC ► its metadata, and where each frame lies (RFC 9639 6, 8 and 9, read in its last draft). Pure; the driver is
//! [`crate::io::windows::flac`].
//!
//! A frame does not say where it ends. It ends where its CRC-16 agrees and the next frame begins: a header whose CRC-8 agrees, with
//! the next number and the format of the stream. Payload may be made to look like all of that. So where checksums alone do not come
//! out at the end of the stream with as many samples as STREAMINFO says, the bits of each frame are followed to its end, which nothing
//! in them can hide. Anything that is not a frame is an error: what a search for the next one would skip is lost.

mod walk;

use super::{Count, SourceRange};
use crate::codec::flac::{FlacConfig, STREAMINFO_LEN};
use crate::error::{Error, Result};

pub(crate) use walk::{Event, FrameWalk, Way};

/// What a stream begins with.
pub(crate) const MARKER: &[u8; 4] = b"fLaC";
/// Bytes of a metadata block's header.
const BLOCK_HEADER_LEN: usize = 4;
/// Bytes that are enough to read the block at a place.
pub(crate) const BLOCK_HEAD_LEN: usize = BLOCK_HEADER_LEN + STREAMINFO_LEN;

/// One frame: a sample of the track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlacFrame {
    /// Its bytes, header and checksum included.
    pub range: SourceRange,
    /// Samples of each channel in it.
    pub block_size: u32,
}

/// What a stream consisted of. Marker and STREAMINFO (42 bytes), other metadata, frames, tags and the incomplete frame add up to the
/// length of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlacReport {
    /// STREAMINFO; without number and hash of the samples where the end of the stream is missing.
    pub config: FlacConfig,
    /// Frames, and their bytes.
    pub frames: Count,
    /// Samples of one channel in all frames.
    pub samples: u64,
    /// Samples that STREAMINFO tells of and no frame has; 0 unless incomplete streams are taken.
    pub missing_samples: u64,
    /// Number of the first frame, or of its first sample: above 0 where something in front of it is missing.
    pub first_number: u64,
    /// Metadata blocks but STREAMINFO, left out.
    pub metadata_blocks: Count,
    /// ID3 tags in front of the stream and behind it, left out.
    pub id3_tags: Count,
    /// The incomplete last frame, left out; at most one.
    pub incomplete_frames: Count,
}

/// Steps through the metadata blocks of a stream.
#[derive(Debug, Default)]
pub(crate) struct MetadataWalk {
    config: Option<FlacConfig>,
    pub(crate) left_out: Count,
}

/// What a metadata block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where what follows stands.
    pub(crate) end: u64,
    /// Frames follow.
    pub(crate) is_last: bool,
}

impl MetadataWalk {
    /// Reads the block at `offset` of a source of `source_len` bytes: `bytes` are those from there on, [`BLOCK_HEAD_LEN`] or up to
    /// the end of the source.
    pub(crate) fn step(&mut self, offset: u64, source_len: u64, bytes: &[u8]) -> Result<Block> {
        const CLAUSE: &str = "RFC 9639 8.1";
        const INVALID: u8 = 127;
        let cut_off = |what: String| {
            Error::malformed(what, CLAUSE, "the file is cut off: copy it again, or encode the audio again")
                .at(offset)
        };
        let Some((&[head, a, b, c], data)) = bytes.split_first_chunk::<BLOCK_HEADER_LEN>() else {
            return Err(cut_off("the metadata ends in the header of a block".into()));
        };
        let (kind, len) = (head & 0x7f, u32::from_be_bytes([0, a, b, c]));
        let end = offset + BLOCK_HEADER_LEN as u64 + u64::from(len);
        if kind == INVALID {
            return Err(Error::out_of_range("metadata block type", kind, "0..=126", CLAUSE).at(offset));
        }
        match (kind, &self.config) {
            (0, None) => {
                let data_offset = offset + BLOCK_HEADER_LEN as u64;
                let data = data.get(..len as usize).filter(|_| len as usize <= STREAMINFO_LEN);
                let data = match data {
                    Some(data) => data,
                    None if len as usize == STREAMINFO_LEN => {
                        return Err(cut_off("STREAMINFO is not all there".into()));
                    }
                    None => {
                        return Err(Error::out_of_range("length of STREAMINFO", len, "34", CLAUSE).at(offset));
                    }
                };
                self.config = Some(FlacConfig::read(data).map_err(|error| error.shift(data_offset))?);
            }
            (0, Some(_)) => {
                let what = "a second STREAMINFO block";
                return Err(Error::malformed(what, CLAUSE, "encode the audio again as one stream").at(offset));
            }
            (_, None) => {
                let what = format!("the first metadata block is of type {kind}, must be 0 (STREAMINFO)");
                return Err(Error::malformed(what, CLAUSE, "encode the audio again").at(offset));
            }
            (_, Some(_)) if end > source_len => {
                return Err(cut_off(format!("a metadata block of {len} bytes passes the end of the file")));
            }
            (_, Some(_)) => self.left_out.add(end - offset),
        }
        Ok(Block { end, is_last: head & 0x80 != 0 })
    }

    /// What STREAMINFO said.
    pub(crate) fn config(&self) -> Option<FlacConfig> {
        self.config
    }
}

#[cfg(test)]
pub(crate) mod testing;
