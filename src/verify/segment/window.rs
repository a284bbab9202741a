//! Bytes of a source by position, through one buffer that is used again, and the boxes that a segment is made of.

use crate::boxes::FourCc;
use crate::error::Result;
use crate::io::ReadAt;

/// Bytes that are read at once: `styp`, the `moof` of an ordinary segment and the header of its `mdat`.
const WINDOW: u64 = 8 << 10;

/// A buffer over a source, which ends at `end`.
pub(in crate::verify) struct Window<'a> {
    source: &'a dyn ReadAt,
    end: u64,
    /// Where `bytes` start in the source.
    start: u64,
    bytes: Vec<u8>,
}

/// A box that is not within another.
#[derive(Clone, Copy, Debug)]
pub(in crate::verify) struct TopLevel {
    pub kind: FourCc,
    /// Where it starts in the source.
    pub offset: u64,
    /// Where its body starts.
    pub body: u64,
    /// Where it ends: by its size, or with the source if that is sooner.
    pub end: u64,
    /// The source ends before it does.
    pub is_cut: bool,
}

impl<'a> Window<'a> {
    /// Reads from `source`, up to `end`, which it has.
    pub fn new(source: &'a dyn ReadAt, end: u64) -> Self {
        Self { source, end, start: 0, bytes: Vec::new() }
    }

    /// `len` bytes from `offset`, which lie in front of the end.
    pub fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let held = |window: &Self| {
            let at = usize::try_from(offset.checked_sub(window.start)?).ok()?;
            Some(at..at.checked_add(len).filter(|&end| end <= window.bytes.len())?)
        };
        if let Some(range) = held(self) {
            return Ok(&self.bytes[range]);
        }
        let ahead = WINDOW.max(len as u64).min(self.end.saturating_sub(offset)).max(len as u64);
        self.start = offset;
        // Nothing is held if the read fails.
        self.bytes.clear();
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(usize::try_from(ahead).unwrap_or(len), 0);
        self.source.read_at(offset, &mut bytes)?;
        self.bytes = bytes;
        Ok(&self.bytes[..len])
    }

    /// The box at `position`, in front of the end, and what is wrong with its size; no box if it cannot be told where the
    /// next one starts.
    pub fn top_level(&mut self, position: u64) -> Result<(Option<TopLevel>, Option<String>)> {
        let left = self.end.saturating_sub(position);
        let head: [u8; 16] = {
            let mut head = [0; 16];
            let len = left.min(16) as usize;
            head[..len].copy_from_slice(self.bytes(position, len)?);
            head
        };
        if left < 8 {
            return Ok((None, Some(format!("{left} bytes are left, too few for a box"))));
        }
        let [size, kind, ..] = head.as_chunks::<4>().0 else { return Ok((None, None)) };
        let kind = FourCc(*kind);
        let (header, size) = match u32::from_be_bytes(*size) {
            0 => (8, left),
            1 if left < 16 => return Ok((None, Some(format!("box '{kind}' ends within its size")))),
            1 => (16, u64::from_be_bytes(*head.last_chunk().expect("8 bytes of 16"))),
            size => (8, u64::from(size)),
        };
        if size < header {
            let fault = format!("box '{kind}' has size {size}, which is less than its header");
            return Ok((None, Some(fault)));
        }
        let fault =
            (size > left).then(|| format!("box '{kind}' has size {size}, of {left} bytes that there are"));
        let top_level = TopLevel {
            kind,
            offset: position,
            body: position + header,
            end: position + size.min(left),
            is_cut: size > left,
        };
        Ok((Some(top_level), fault))
    }
}
