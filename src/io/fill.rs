//! A piece list ► bytes in a file, in the two ways. Both walk the list with one [`Cursor`], hold memory that does not
//! depend on the segment, and move a payload byte once.
//!
//! - [`gather`]: `pwritev` of literals, lengths and ranges of the input's mapping.
//! - [`read_into`]: copies out of the input's mapping where that is lent, else `preadv`, straight to the final place in a mapping
//!   of the output (or in a bounded window, where the input cannot be mapped). For `preadv` neighbouring ranges are one read: a
//!   four-byte start code between two NAL units is read along with them, into the place of the four-byte length, and then
//!   overwritten by it.

use std::fs::File;
use std::io::IoSliceMut;
use std::ops::Range;

use rustix::io::Errno;

use super::input::Input;
use super::map::{Gathered, OutputMap, POPULATE_STEP};
use super::{refused, require_below_limit, retry};
use crate::error::Result;
use crate::fragment::{Piece, PieceList};

/// Slices in one vectored call; of more, Linux takes the first 1024 (`UIO_MAXIOV`).
pub(super) const SLICES: usize = 1024;

/// Bytes in one gathered write: what of the input is mapped in at a time, per thread.
const GATHER_BYTES: u64 = 8 << 20;

/// The largest gap between two ranges of the source that is read along rather than skipped: about where the copy of the gap
/// costs as much as another system call.
const MAX_GAP: u64 = 4096;

/// Bytes of gaps that one read may throw away.
const SINK: usize = 4 * MAX_GAP as usize;

/// A position in a piece list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    list: &'a PieceList,
    index: usize,
    /// Bytes of the current piece that were taken.
    taken: u64,
}

/// Bytes that belong together: a piece, or some of one.
#[derive(Clone, Debug)]
pub(super) enum Part<'a> {
    Literal(&'a [u8]),
    /// Some of a length on the wire.
    Length([u8; 4], Range<usize>),
    Source {
        offset: u64,
        len: u64,
    },
}

impl<'a> Cursor<'a> {
    pub(super) fn new(list: &'a PieceList) -> Self {
        Self { list, index: 0, taken: 0 }
    }

    /// The next part, at most `limit` bytes of it; `None` at the end of the list or for a limit of zero.
    pub(super) fn next(&mut self, limit: u64) -> Option<Part<'a>> {
        loop {
            let piece = self.list.pieces().get(self.index)?;
            let whole = match piece {
                Piece::Literal(range) => u64::from(range.end - range.start),
                Piece::Length(_) => 4,
                Piece::Source(range) => u64::from(range.len),
            };
            if self.taken == whole {
                self.index += 1;
                self.taken = 0;
                continue;
            }
            if limit == 0 {
                return None;
            }
            let len = limit.min(whole - self.taken);
            let part = match piece {
                Piece::Literal(range) => Part::Literal(&self.list.literal(range)[span(self.taken, len)]),
                Piece::Length(length) => Part::Length(length.to_be_bytes(), span(self.taken, len)),
                Piece::Source(range) => Part::Source { offset: range.offset + self.taken, len },
            };
            self.taken += len;
            return Some(part);
        }
    }
}

/// Some of a piece in memory, which is therefore smaller than the address space.
fn span(start: u64, len: u64) -> Range<usize> {
    start as usize..(start + len) as usize
}

/// Writes the list to the empty `file`, payload out of the mapping of `input`; through a bounded window if it has none.
///
/// # Errors
/// `Changed` or `Io` with the path of the input, or `Io` of the output without a path.
pub(super) fn gather(list: &PieceList, input: &Input, file: &File) -> Result<()> {
    let mut cursor = Cursor::new(list);
    let mut position = 0;
    let mut parts = Vec::new();
    // The lengths of a batch, on the wire: the kernel reads them from here, so they may not move while it does.
    let mut lengths = Vec::new();
    loop {
        parts.clear();
        lengths.clear();
        let mut bytes = 0;
        while parts.len() < SLICES {
            let Some(part) = cursor.next(GATHER_BYTES - bytes) else { break };
            bytes += match &part {
                Part::Literal(literal) => literal.len() as u64,
                Part::Length(wire, range) => {
                    lengths.extend_from_slice(&wire[range.clone()]);
                    range.len() as u64
                }
                Part::Source { len, .. } => *len,
            };
            parts.push(part);
        }
        if parts.is_empty() {
            return Ok(());
        }
        let mut unused = lengths.as_slice();
        let gathered: Vec<_> = parts
            .iter()
            .map(|part| match part {
                Part::Literal(literal) => Gathered::Bytes(literal),
                Part::Length(_, range) => {
                    let (length, rest) = unused.split_at(range.len());
                    unused = rest;
                    Gathered::Bytes(length)
                }
                Part::Source { offset, len } => Gathered::Source { offset: *offset, len: *len },
            })
            .collect();
        if !input.write_gathered(&gathered, file, position)? {
            return write_through_window(list, input, file);
        }
        position += bytes;
    }
}

/// Writes the list to the empty `file` through one bounded window of memory.
fn write_through_window(list: &PieceList, input: &Input, file: &File) -> Result<()> {
    let mut window = vec![0; POPULATE_STEP];
    let mut reader = Reader::new(input);
    let mut cursor = Cursor::new(list);
    let mut position = 0;
    while position < list.len() {
        let len = (list.len() - position).min(window.len() as u64) as usize;
        reader.fill(&mut cursor, &mut window[..len])?;
        write_all_at(file, &window[..len], position).map_err(|e| refused("write the file", e))?;
        position += len as u64;
    }
    Ok(())
}

/// Writes all of `bytes` at `position`.
pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut position: u64) -> Result<(), Errno> {
    require_below_limit(position.saturating_add(bytes.len() as u64))?;
    while !bytes.is_empty() {
        match retry(|| rustix::io::pwrite(file, bytes, position))? {
            0 => return Err(Errno::IO),
            written => {
                bytes = &bytes[written..];
                position += written as u64;
            }
        }
    }
    Ok(())
}

/// Fills the mapping of an output with the list, whose length is `len`, step by step.
///
/// # Errors
/// `Changed` or `Io` with the path of the input, or `Io` of the output without a path.
pub(super) fn read_into(list: &PieceList, input: &Input, map: &mut OutputMap, len: usize) -> Result<()> {
    let mut reader = Reader::new(input);
    let mut cursor = Cursor::new(list);
    let mut released = 0;
    for start in (0..len).step_by(POPULATE_STEP) {
        let end = len.min(start + POPULATE_STEP);
        let window = map.populated(start..end).map_err(|e| refused("write the file", e))?;
        reader.fill(&mut cursor, window)?;
        if (end - released) as u64 >= GATHER_BYTES {
            map.release(released..end);
            released = end;
        }
    }
    Ok(())
}

/// Bytes of the source and the place in the window that they go to.
#[derive(Clone, Copy, Debug)]
struct Read {
    offset: u64,
    place: usize,
    len: usize,
}

/// Where the next bytes of one read go.
#[derive(Clone, Debug)]
enum Target {
    Window(Range<usize>),
    /// Thrown away.
    Sink(usize),
}

/// Fills windows with consecutive bytes of a list.
struct Reader<'a> {
    input: &'a Input,
    reads: Vec<Read>,
    targets: Vec<Target>,
    sink: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(input: &'a Input) -> Self {
        Self { input, reads: Vec::new(), targets: Vec::new(), sink: vec![0; SINK] }
    }

    /// Fills `window` with the next bytes of the list, of which there must be as many.
    fn fill(&mut self, cursor: &mut Cursor<'_>, window: &mut [u8]) -> Result<()> {
        let start = *cursor;
        self.reads.clear();
        walk(cursor, window.len(), |place, part| {
            if let Part::Source { offset, len } = part {
                self.reads.push(Read { offset, place, len: len as usize });
            }
        });
        if !self.copy_lent(window) {
            let mut first = 0;
            while first < self.reads.len() {
                first = self.read_run(first, window)?;
            }
        }
        // After the reads, since these put what lies between two ranges of the source where a length belongs.
        walk(&mut start.clone(), window.len(), |place, part| match part {
            Part::Literal(bytes) => window[place..place + bytes.len()].copy_from_slice(bytes),
            Part::Length(wire, range) => {
                window[place..place + range.len()].copy_from_slice(&wire[range]);
            }
            Part::Source { .. } => {}
        });
        Ok(())
    }

    /// Copies all reads out of the input's mapping, if their bytes can be had so. They must follow each other with little
    /// between them, or most of what would be made present is not wanted.
    fn copy_lent(&self, window: &mut [u8]) -> bool {
        let Some(first) = self.reads.first() else { return true };
        let start = first.offset;
        let end = self.reads.iter().map(|read| read.offset + read.len as u64).max().unwrap_or(start);
        let is_near = end - start <= 2 * window.len() as u64;
        let is_forward = is_near && self.reads.is_sorted_by_key(|read| read.offset);
        let Some(lent) = is_forward.then(|| super::ReadAt::lend(self.input, start, end - start)).flatten()
        else {
            return false;
        };
        for read in &self.reads {
            let from = (read.offset - start) as usize;
            window[read.place..read.place + read.len].copy_from_slice(&lent[from..from + read.len]);
        }
        true
    }

    /// Reads `reads[first]` and as many of its successors as one call can take; returns the first that it did not.
    fn read_run(&mut self, first: usize, window: &mut [u8]) -> Result<usize> {
        let Read { offset, place, len } = self.reads[first];
        let mut next = first + 1;
        let mut source_end = offset + len as u64;
        let mut open = place..place + len;
        let mut sunk = 0;
        self.targets.clear();
        while let Some(read) = self.reads.get(next) {
            let Some(gap) = read.offset.checked_sub(source_end).filter(|gap| *gap <= MAX_GAP) else { break };
            let gap = gap as usize;
            // The end of the source's gap falls into the window's gap, which is written afterwards; what does not fit into it
            // comes first and is thrown away, and what of the window's gap is left over is skipped.
            let kept = gap.min(read.place - open.end);
            let extra = gap - kept;
            if self.targets.len() + 3 > SLICES || sunk + extra > SINK {
                break;
            }
            if extra > 0 || read.place - kept != open.end {
                self.targets.push(Target::Window(open));
                open = read.place - kept..read.place;
            }
            if extra > 0 {
                self.targets.push(Target::Sink(extra));
                sunk += extra;
            }
            open.end = read.place + read.len;
            source_end = read.offset + read.len as u64;
            next += 1;
        }
        self.targets.push(Target::Window(open));
        self.read_targets(offset, window)?;
        Ok(next)
    }

    fn read_targets(&mut self, offset: u64, window: &mut [u8]) -> Result<()> {
        let mut slices = Vec::with_capacity(self.targets.len());
        let mut window = window;
        let mut position = 0;
        let mut sink = self.sink.as_mut_slice();
        for target in &self.targets {
            slices.push(IoSliceMut::new(match target {
                Target::Window(range) => {
                    let (_, rest) = window.split_at_mut(range.start - position);
                    let (place, rest) = rest.split_at_mut(range.len());
                    window = rest;
                    position = range.end;
                    place
                }
                Target::Sink(len) => {
                    let (place, rest) = sink.split_at_mut(*len);
                    sink = rest;
                    place
                }
            }));
        }
        self.input.read_vectored_at(offset, &mut slices)
    }
}

/// Calls `visit` with the parts of the next `len` bytes and the place of each.
pub(super) fn walk<'a>(cursor: &mut Cursor<'a>, len: usize, mut visit: impl FnMut(usize, Part<'a>)) {
    let mut place = 0;
    while let Some(part) = cursor.next((len - place) as u64) {
        let bytes = match &part {
            Part::Literal(bytes) => bytes.len(),
            Part::Length(_, range) => range.len(),
            Part::Source { len, .. } => *len as usize,
        };
        visit(place, part);
        place += bytes;
    }
}
