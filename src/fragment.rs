//! Samples ► the piece list of a media segment: `styp moof{mfhd, traf{tfhd, tfdt, trun}} mdat` as an ordered list of
//! header bytes, NAL unit lengths and ranges of the source. Pure: nothing is read and no payload is touched.
//!
//! Whatever fills, checks or compares a segment interprets this list, so equal lists give equal files.

use std::ops::Range;

use crate::scan::SourceRange;

/// One piece of a segment, in file order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes made here (boxes): a range of the list's literals.
    Literal(Range<u32>),
    /// A NAL unit's four-byte big-endian length.
    Length(u32),
    /// Bytes of the source, unchanged.
    Source(SourceRange),
}

/// A whole segment as a list of pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceList {
    literals: Vec<u8>,
    pieces: Vec<Piece>,
    len: u64,
}

impl PieceList {
    /// The pieces in file order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The bytes that [`Piece::Literal`] names.
    pub fn literal(&self, range: &Range<u32>) -> &[u8] {
        &self.literals[range.start as usize..range.end as usize]
    }

    /// Bytes of the segment.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the segment has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends bytes made here.
    pub fn push_literal(&mut self, bytes: &[u8]) {
        let start = self.literals.len() as u32;
        self.literals.extend_from_slice(bytes);
        self.pieces.push(Piece::Literal(start..self.literals.len() as u32));
        self.len += bytes.len() as u64;
    }

    /// Appends the length of the NAL unit that follows.
    pub fn push_length(&mut self, length: u32) {
        self.pieces.push(Piece::Length(length));
        self.len += 4;
    }

    /// Appends bytes of the source.
    pub fn push_source(&mut self, range: SourceRange) {
        self.pieces.push(Piece::Source(range));
        self.len += u64::from(range.len);
    }
}
