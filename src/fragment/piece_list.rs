//! A segment as a list: bytes made here, NAL unit lengths, ranges of the source. [`PieceList::write_to`] says what it
//! means.

use std::ops::Range;

use crate::codec::av1::SizedHeader;
use crate::error::{Error, ErrorKind, Result};
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

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.literals.clear();
        self.pieces.clear();
        self.len = 0;
    }

    /// Makes room for `pieces` more pieces.
    pub(super) fn reserve(&mut self, pieces: usize) {
        self.pieces.reserve_exact(pieces);
    }

    /// Appends bytes made here.
    ///
    /// # Panics
    /// When the list's literals pass 4 GiB together.
    pub fn push_literal(&mut self, bytes: &[u8]) {
        let start = self.literals.len();
        self.literals.extend_from_slice(bytes);
        self.end_literal(start);
    }

    /// Appends the bytes that `write` appends; nothing where it fails, if it then leaves its buffer as it was.
    pub(super) fn push_literal_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let start = self.literals.len();
        write(&mut self.literals)?;
        self.end_literal(start);
        Ok(())
    }

    /// Makes a piece of the literals from `start` on.
    fn end_literal(&mut self, start: usize) {
        let position =
            |at: usize| u32::try_from(at).expect("literals are headers, which data_offset keeps below 2 GiB");
        self.pieces.push(Piece::Literal(position(start)..position(self.literals.len())));
        self.len += (self.literals.len() - start) as u64;
    }

    /// Appends the length of the NAL unit that follows.
    pub fn push_length(&mut self, length: u32) {
        self.pieces.push(Piece::Length(length));
        self.len += 4;
    }

    /// Appends the header of an OBU whose payload of `size` bytes follows.
    ///
    /// # Panics
    /// When the list's literals pass 4 GiB together.
    pub fn push_obu_header(&mut self, header: SizedHeader, size: u32) {
        let start = self.literals.len();
        header.write(size, &mut self.literals);
        self.end_literal(start);
    }

    /// Appends bytes of the source.
    pub fn push_source(&mut self, range: SourceRange) {
        self.pieces.push(Piece::Source(range));
        self.len += u64::from(range.len);
    }

    /// Appends the segment's bytes to `out`, taking payload from `source`: what a list means, in the plainest way.
    ///
    /// # Errors
    /// When the source ends before a range does; `out` is as it was.
    pub fn write_to(&self, source: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        self.append_to(source, out).inspect_err(|_| out.truncate(start))
    }

    fn append_to(&self, source: &[u8], out: &mut Vec<u8>) -> Result<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(range) => out.extend_from_slice(self.literal(range)),
                Piece::Length(length) => out.extend_from_slice(&length.to_be_bytes()),
                Piece::Source(range) => out.extend_from_slice(bytes_of(source, *range)?),
            }
        }
        Ok(())
    }
}

fn bytes_of(source: &[u8], range: SourceRange) -> Result<&[u8]> {
    let start = usize::try_from(range.offset).ok();
    let end = start.and_then(|start| start.checked_add(usize::try_from(range.len).ok()?));
    start.zip(end).and_then(|(start, end)| source.get(start..end)).ok_or_else(|| {
        let what = format!("{} bytes are asked for, the source has {}", range.len, source.len());
        Error::new(ErrorKind::Changed { what: what.into() }).at(range.offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other() {
        let mut list = PieceList::default();
        list.push_literal(b"head");
        list.push_length(3);
        list.push_source(SourceRange { offset: 2, len: 3 });
        list.push_literal(b"tail");
        let mut out = Vec::new();
        list.write_to(b"abcdef", &mut out).unwrap();
        assert_eq!((out.as_slice(), list.len()), (b"head\0\0\0\x03cdetail".as_slice(), 15));
    }

    #[test]
    fn a_source_that_is_too_short_is_an_error_and_writes_nothing() {
        let mut list = PieceList::default();
        list.push_literal(b"head");
        list.push_source(SourceRange { offset: 90, len: 11 });
        let mut out = b"kept".to_vec();
        let error = list.write_to(&[0; 100], &mut out).unwrap_err();
        assert_eq!((error.offset(), out.as_slice()), (Some(90), b"kept".as_slice()));
        let mut list = PieceList::default();
        list.push_source(SourceRange { offset: u64::MAX, len: 7 });
        assert!(list.write_to(&[0; 100], &mut out).is_err());
    }
}
