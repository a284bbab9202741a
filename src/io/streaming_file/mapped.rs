//! Payload in a mapping: bytes arrive at their final place.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use rustix::io::Errno;

use super::in_place::place;
use super::{Expectation, Place};
use crate::fragment::PieceList;
use crate::io::fault::{self, Operation};
use crate::io::fill::{Cursor, Part, walk};
use crate::io::map::{GrowingMap, HUGE_FOLIOS, POPULATE_STEP};

/// Most that is allocated before it is needed.
const MAX_OPTIMISM: usize = 16 << 20;

/// Least that is allocated at a time.
const MIN_ALLOCATION: usize = 64 << 10;

/// Allocated at first beyond what is expected, beside a sixteenth of that: what is not used is zeroed and trimmed for nothing.
const SLACK: u64 = 8 << 10;

/// A file that is mapped while it grows.
#[derive(Debug)]
pub(super) struct Mapped {
    map: GrowingMap,
    /// What to allocate first.
    first: usize,
}

impl Mapped {
    /// Maps the empty `file`; `None` where its file system does not map or cannot set space aside.
    pub(super) fn new(file: &Arc<File>, expected: Expectation) -> Option<Self> {
        let whole = expected.header.saturating_add(expected.payload);
        let with_slack = whole.saturating_add(whole / 16).saturating_add(SLACK);
        let first = with_slack.min(MAX_OPTIMISM as u64) as usize;
        let map = GrowingMap::new(Arc::clone(file), whole >= HUGE_FOLIOS as u64).ok()?;
        let mut mapped = Self { map, first };
        match mapped.allocate(1) {
            // A full disk is told of when bytes come that find no place.
            Ok(()) | Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO | Errno::INTR) => Some(mapped),
            // No file system that sets space aside.
            Err(_) => None,
        }
    }

    /// Whether the window can be made large enough for `end` bytes.
    pub(super) fn widen(&mut self, end: usize) -> bool {
        self.map.widen(end).is_ok()
    }

    fn allocate(&mut self, end: usize) -> Result<(), Errno> {
        let allocated = self.map.allocated();
        if end <= allocated {
            return Ok(());
        }
        let step = allocated.clamp(MIN_ALLOCATION, MAX_OPTIMISM);
        let wish = if allocated == 0 { self.first } else { allocated.saturating_add(step) };
        self.map.widen(end).map_err(|_| Errno::NOMEM)?;
        self.map.allocate(end, wish.max(end))
    }

    /// Copies the list to `at`.
    pub(super) fn append(&mut self, list: &PieceList, packet: &[u8], at: Place) -> Result<(), Errno> {
        self.allocate(at.end)?;
        let mut cursor = Cursor::new(list);
        let mut start = at.start;
        while start < at.end {
            let end = at.end.min((start + 1).next_multiple_of(POPULATE_STEP));
            self.map.populate(end)?;
            let window = self.map.bytes_mut(start..end);
            walk(&mut cursor, window.len(), |place, part| match part {
                Part::Literal(bytes) => window[place..place + bytes.len()].copy_from_slice(bytes),
                Part::Length(wire, range) => {
                    window[place..place + range.len()].copy_from_slice(&wire[range]);
                }
                Part::Source { offset, len } => {
                    let source = &packet[offset as usize..(offset + len) as usize];
                    window[place..place + source.len()].copy_from_slice(source);
                }
            });
            start = end;
        }
        self.map.filled(at.end);
        Ok(())
    }

    /// Makes sure that `range` can be lent. No more of it is made present than an append would.
    pub(super) fn reserve(&mut self, range: Range<usize>) -> Result<(), Errno> {
        self.allocate(range.end)?;
        self.map.populate(range.end.min(range.start.saturating_add(POPULATE_STEP)))
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.map.bytes(range)
    }

    pub(super) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        self.map.bytes_mut(range)
    }

    /// Places the list at `at`, out of the packet at `packet`. Everything that can fail comes before the first byte moves.
    pub(super) fn commit(&mut self, list: &PieceList, at: Place, packet: Range<usize>) -> Result<u64, Errno> {
        self.allocate(at.end)?;
        self.map.populate(at.end)?;
        let first = at.start.min(packet.start);
        let bytes = self.map.bytes_mut(first..at.end.max(packet.end));
        Ok(place(list, bytes, at.start - first, packet.start - first))
    }

    /// Says that nothing before `end` is going to be stored to soon.
    pub(super) fn filled(&mut self, end: usize) {
        self.map.filled(end);
    }

    /// Moves `payload` so that it begins at `to`. Everything that can fail comes before the first byte moves.
    pub(super) fn slide(&mut self, payload: Range<usize>, to: usize) -> Result<(), Errno> {
        let (from, len) = (payload.start, payload.len());
        let end = to.checked_add(len).ok_or(Errno::FBIG)?;
        self.allocate(end)?;
        self.map.populate(end)?;
        fault::check(Operation::Slide)?;
        let mut moved = 0;
        while moved < len {
            // To the right the end comes first, to the left the start: no step covers what has not moved.
            let step = POPULATE_STEP.min(len - moved);
            let at = if to > from { len - moved - step } else { moved };
            let (source, destination) = (from + at, to + at);
            let both = source.min(destination)..source.max(destination) + step;
            self.map.revisit(both.clone());
            let offset = both.start;
            self.map
                .bytes_mut(both.clone())
                .copy_within(source - offset..source - offset + step, destination - offset);
            if end > MAX_OPTIMISM {
                self.map.release(both);
            }
            moved += step;
        }
        Ok(())
    }

    pub(super) fn write_header(&mut self, header: &[u8]) -> Result<(), Errno> {
        self.allocate(header.len())?;
        self.map.populate(header.len())?;
        self.map.bytes_mut(0..header.len()).copy_from_slice(header);
        Ok(())
    }

    pub(super) fn trim(&mut self, len: usize) -> Result<(), Errno> {
        self.allocate(len)?;
        self.map.trim(len)
    }
}
