//! Payload by `pwrite`: a packet is lent memory, and its pieces are written to their final place from there.

use std::fs::File;
use std::io::IoSlice;
use std::ops::Range;

use memmap2::MmapMut;
use rustix::io::Errno;

use crate::fragment::PieceList;
use crate::io::fault::{self, Operation};
use crate::io::fill::{Cursor, Part, SLICES, write_all_at};
use crate::io::map::write_slices;
use crate::io::retry;

/// Bytes that a slide moves at a time.
const CHUNK: u64 = 256 << 10;

/// The memory of a file that is written.
#[derive(Debug, Default)]
pub(super) struct Buffered {
    /// What is lent. Anonymous memory of which only the pages that were written to exist: a reservation is often much
    /// larger than its packet.
    packet: Option<MmapMut>,
    slide: Option<Slide>,
}

/// A slide that is under way. It goes on where it stopped, since a write that failed may have destroyed its own source.
#[derive(Debug)]
struct Slide {
    from: u64,
    to: u64,
    /// What of the payload has not been read yet.
    rest: Range<u64>,
    /// What of it was read and not yet written whole.
    chunk: Vec<u8>,
    /// Where in the payload that belongs.
    at: u64,
}

impl Buffered {
    /// Makes sure that `max` bytes can be lent.
    pub(super) fn reserve(&mut self, max: usize) -> Result<(), Errno> {
        if max > 0 && self.packet.as_ref().is_none_or(|packet| packet.len() < max) {
            fault::check(Operation::Map)?;
            self.packet = None;
            self.packet = Some(MmapMut::map_anon(max).map_err(|_| Errno::NOMEM)?);
        }
        Ok(())
    }

    pub(super) fn bytes(&self, max: usize) -> &[u8] {
        self.packet.as_deref().map_or(&[], |packet| &packet[..max])
    }

    pub(super) fn bytes_mut(&mut self, max: usize) -> &mut [u8] {
        self.packet.as_deref_mut().map_or(&mut [], |packet| &mut packet[..max])
    }

    /// Brings a slide to its end; says where the payload begins then, if there was one.
    pub(super) fn settle(&mut self, file: &File) -> Result<Option<u64>, Errno> {
        let Some(slide) = &mut self.slide else { return Ok(None) };
        slide.run(file)?;
        let to = slide.to;
        self.slide = None;
        Ok(Some(to))
    }

    /// Moves the payload, whose place is `payload`, so that it begins at `to`. On an error the slide may be under way.
    pub(super) fn slide(&mut self, file: &File, payload: Range<u64>, to: u64) -> Result<(), Errno> {
        // The file grows before anything moves, so that a full disk, the likeliest failure, leaves the payload where it was.
        let new_end = payload.end.saturating_add(to.saturating_sub(payload.start));
        let mut end = payload.end;
        while end < new_end {
            let step = CHUNK.min(new_end - end);
            fault::check(Operation::Write)?;
            write_all_at(file, &vec![0; step as usize], end)?;
            end += step;
        }
        let rest = 0..payload.end - payload.start;
        self.slide = Some(Slide { from: payload.start, to, rest, chunk: Vec::new(), at: 0 });
        self.settle(file).map(drop)
    }
}

impl Slide {
    fn run(&mut self, file: &File) -> Result<(), Errno> {
        loop {
            if self.chunk.is_empty() && !self.read(file)? {
                return Ok(());
            }
            fault::check(Operation::Slide)?;
            write_all_at(file, &self.chunk, self.to + self.at)?;
            self.chunk.clear();
        }
    }

    /// Takes the next chunk into memory; `false` if there is none.
    ///
    /// To the right the end comes first, to the left the start: a chunk's destination then covers nothing of the rest.
    fn read(&mut self, file: &File) -> Result<bool, Errno> {
        let len = CHUNK.min(self.rest.end - self.rest.start);
        if len == 0 {
            return Ok(false);
        }
        let at = if self.to > self.from { self.rest.end - len } else { self.rest.start };
        fault::check(Operation::Slide)?;
        self.chunk.resize(len as usize, 0);
        read_exactly_at(file, &mut self.chunk, self.from + at).inspect_err(|_| self.chunk.clear())?;
        self.at = at;
        if self.to > self.from {
            self.rest.end = at;
        } else {
            self.rest.start = at + len;
        }
        Ok(true)
    }
}

/// Fills `bytes` from `position`.
pub(super) fn read_exactly_at(file: &File, mut bytes: &mut [u8], mut position: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let read = retry(|| rustix::io::pread(file, &mut *bytes, position))?;
        if read == 0 {
            return Err(Errno::IO);
        }
        bytes = &mut bytes[read..];
        position += read as u64;
    }
    Ok(())
}

/// Writes the list at `position`, sources out of `packet`, which has them all.
pub(super) fn write_list(file: &File, list: &PieceList, packet: &[u8], position: u64) -> Result<(), Errno> {
    let mut cursor = Cursor::new(list);
    let mut position = position;
    loop {
        let mut parts = Vec::new();
        while parts.len() < SLICES {
            let Some(part) = cursor.next(u64::MAX) else { break };
            parts.push(part);
        }
        if parts.is_empty() {
            return Ok(());
        }
        let mut bytes = 0;
        let mut slices: Vec<_> = parts
            .iter()
            .map(|part| {
                let slice = match part {
                    Part::Literal(literal) => literal,
                    Part::Length(wire, range) => &wire[range.clone()],
                    Part::Source { offset, len } => &packet[*offset as usize..(offset + len) as usize],
                };
                bytes += slice.len() as u64;
                IoSlice::new(slice)
            })
            .collect();
        fault::check(Operation::Write)?;
        write_slices(&mut slices, position, |slices, offset| rustix::io::pwritev(file, slices, offset))?;
        position += bytes;
    }
}
