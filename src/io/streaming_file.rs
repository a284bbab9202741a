//! A segment file that is filled while its samples arrive: payload first, header last.
//!
//! The payload starts where the header is expected to end. If the header comes out as long as that, which is what happens in
//! video once the number of samples repeats, no payload byte moves again; otherwise the payload slides once.
//!
//! Two backings give the same bytes. In the mapped one (`mapped`) a packet is lent a part of the file itself, at its final
//! place, and is turned into its pieces there (`in_place`). The buffered one (`buffered`) lends memory and writes; it is
//! taken where a mapping could end in a signal or is not to be had, and holds a packet, never a segment.
//!
//! Whatever fails leaves the payload as it was, and may be tried again.

use std::ops::Range;
use std::sync::Arc;

use rustix::io::Errno;

use super::directory::Directory;
use super::fault::{self, Operation};
use super::input::FileId;
use super::refused;
use super::segment_file::SegmentFile;
use super::way::{FileSystem, Way};
use crate::error::{Error, ErrorKind, Result};
use crate::fragment::{Piece, PieceList};
use crate::hash::{ContentHash, ContentHasher};

use buffered::Buffered;
use mapped::Mapped;

mod buffered;
mod in_place;
mod mapped;

/// The longest header that room is left for; a hint beyond it is no use.
const MAX_EXPECTED_HEADER: u64 = 1 << 20;

/// Most bytes of the payload that a reservation may cover.
const MAX_COVERED: u64 = 64;

/// Bytes that are hashed at a time.
const HASH_STEP: u64 = 128 << 10;

/// What a file is expected to hold, in bytes. A hint: wrong ones cost time, no correctness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expectation {
    /// What stands in front of the payload.
    pub header: u64,
    /// Payload.
    pub payload: u64,
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublishedStream {
    /// Bytes of the file.
    pub bytes: u64,
    /// Which file it is.
    pub id: FileId,
    /// Hash of the whole file, if it was asked for.
    pub hash: Option<ContentHash>,
    /// Payload bytes that moved because the header was not as long as expected.
    pub slid: u64,
    /// How the payload came in: [`Way::Gather`] is by writing.
    pub way: Way,
}

/// A segment file that is filled while its samples arrive.
#[derive(Debug)]
pub(crate) struct StreamingFile {
    file: SegmentFile<Arc<Directory>, String>,
    backing: Backing,
    /// Where the payload begins.
    start: u64,
    /// Bytes of payload.
    payload: u64,
    /// What is lent.
    reserved: Option<Reserved>,
    /// The last bytes of the payload, where what is lent covers them.
    covered: Vec<u8>,
    slid: u64,
    published: Option<PublishedStream>,
}

#[derive(Debug)]
enum Backing {
    Mapped(Mapped),
    Buffered(Buffered),
}

/// What is lent of the file: its first byte, and its size.
#[derive(Clone, Copy, Debug)]
struct Reserved {
    at: usize,
    max: usize,
}

/// Where in the file a list goes: its first byte and the one behind it.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    end: usize,
}

impl StreamingFile {
    /// Makes a file that is to be called `name` in `directory`, where nothing of it is seen yet. `buffered`: it is never
    /// mapped.
    ///
    /// # Errors
    /// `Io` if the directory cannot be written.
    pub(crate) fn create(
        directory: Arc<Directory>,
        name: String,
        expected: Expectation,
        buffered: bool,
    ) -> Result<Self> {
        let file = SegmentFile::create(directory, name)?;
        let start = expected.header.min(MAX_EXPECTED_HEADER);
        let mapped = if buffered || FileSystem::of(file.file()).can_fault_when_full() {
            None
        } else {
            Mapped::new(file.file(), Expectation { header: start, ..expected })
        };
        let backing = mapped.map_or_else(|| Backing::Buffered(Buffered::default()), Backing::Mapped);
        Ok(Self {
            file,
            backing,
            start,
            payload: 0,
            reserved: None,
            covered: Vec::new(),
            slid: 0,
            published: None,
        })
    }

    /// Bytes of payload so far.
    pub(crate) fn payload_len(&self) -> u64 {
        self.payload
    }

    /// Appends a list whose sources are ranges of `packet`: one copy, to its place in the file. A reservation ends.
    ///
    /// # Errors
    /// `Changed` for a source that is not in the packet, `Io` of the output. The payload is as it was.
    pub(crate) fn append(&mut self, list: &PieceList, packet: &[u8]) -> Result<()> {
        self.abandon();
        self.ready()?;
        require_sources(list, packet.len() as u64, false).map_err(|e| self.file.named(e))?;
        let place = self.room_for(list.len())?;
        let done = match &mut self.backing {
            Backing::Mapped(mapped) => mapped.append(list, packet, place),
            Backing::Buffered(_) => buffered::write_list(self.file.file(), list, packet, place.start as u64),
        };
        done.map_err(|e| self.refused("write the file", e))?;
        self.payload += list.len();
        Ok(())
    }

    /// Lends `max` bytes for a packet. They begin `lead` bytes behind the payload's end, or before it where that is negative:
    /// the caller expects the packet to get so many bytes in front, or to lose so many at its front. Where it does, nothing
    /// moves at the commit. What the bytes hold is left over from something else; the payload that they cover is kept
    /// aside and comes back. A reservation that there was ends.
    ///
    /// # Errors
    /// `TooLarge` for more than a sample can have; `Io` of the output. Nothing is lent then.
    pub(crate) fn reserve(&mut self, lead: i64, max: usize) -> Result<()> {
        self.abandon();
        self.ready()?;
        let asked = lead.max(0).unsigned_abs().saturating_add(max as u64);
        if asked > u64::from(u32::MAX) {
            return Err(self.file.named(Error::new(ErrorKind::TooLarge {
                what: "the size of the reservation".into(),
                value: asked,
                limit: u64::from(u32::MAX),
                clause: "ISO/IEC 14496-12 8.8.8, 32 bits of sample_size",
                remedy: "reserve for one sample at a time".into(),
            })));
        }
        let place = self.room_for(asked)?;
        let covered = lead.min(0).unsigned_abs().min(MAX_COVERED).min(place.start as u64) as usize;
        let at = if lead < 0 { place.start - covered } else { place.end - max };
        let lent = at..at + max;
        let done = match &mut self.backing {
            Backing::Mapped(mapped) => mapped.reserve(lent.start..lent.end.max(place.start)).map(|()| {
                // In front of the payload there is only room for the header.
                let first = at.max(self.start as usize).min(place.start);
                self.covered.extend_from_slice(mapped.bytes(first..place.start));
            }),
            Backing::Buffered(buffered) => buffered.reserve(max),
        };
        done.map_err(|e| self.refused("make room for a packet", e))?;
        self.reserved = Some(Reserved { at, max });
        Ok(())
    }

    /// What is lent; nothing if nothing is.
    pub(crate) fn reserved(&self) -> &[u8] {
        let range = self.reserved_range();
        match &self.backing {
            _ if range.is_empty() => &[],
            Backing::Mapped(mapped) => mapped.bytes(range),
            Backing::Buffered(buffered) => buffered.bytes(range.len()),
        }
    }

    /// What is lent, to be written; nothing if nothing is.
    pub(crate) fn reserved_mut(&mut self) -> &mut [u8] {
        let range = self.reserved_range();
        match &mut self.backing {
            _ if range.is_empty() => &mut [],
            Backing::Mapped(mapped) => mapped.bytes_mut(range),
            Backing::Buffered(buffered) => buffered.bytes_mut(range.len()),
        }
    }

    /// Appends a list whose sources are ranges of the packet in the first `used` reserved bytes; they must be ascending and
    /// must not overlap. Returns payload bytes that had to be copied: of a mapping, those that were not at their place.
    ///
    /// # Errors
    /// `Conflict` if fewer than `used` bytes are reserved or the ranges are otherwise, `Changed` for one that is not in the packet, `Io` of the
    /// output. Payload, packet and reservation are as they were.
    pub(crate) fn commit(&mut self, list: &PieceList, used: usize) -> Result<u64> {
        self.ready()?;
        let Reserved { at, max } = self.reserved.unwrap_or(Reserved { at: 0, max: 0 });
        if used > max {
            let what = format!("{used} bytes of a reservation are used, it has {max}");
            let remedy = "reserve as much as the packet can have";
            return Err(self.file.named(Error::conflict(what, remedy)));
        }
        require_sources(list, used as u64, true).map_err(|e| self.file.named(e))?;
        let place = self.place(list.len())?;
        let done = match &mut self.backing {
            Backing::Mapped(mapped) => mapped.commit(list, place, at..at + used),
            Backing::Buffered(buffered) => {
                let position = place.start as u64;
                buffered::write_list(self.file.file(), list, buffered.bytes(used), position)
                    .map(|()| list.len())
            }
        };
        let moved = done.map_err(|e| self.refused("write the file", e))?;
        self.abandon();
        self.payload += list.len();
        if let Backing::Mapped(mapped) = &mut self.backing {
            // Behind the last store: one to pages that were let go would bring them back for good.
            mapped.filled(place.end);
        }
        Ok(moved)
    }

    /// Ends a reservation without a packet.
    pub(crate) fn abandon(&mut self) {
        self.reserved = None;
        if let Backing::Mapped(mapped) = &mut self.backing
            && !self.covered.is_empty()
        {
            let end = (self.start + self.payload) as usize;
            mapped.bytes_mut(end - self.covered.len()..end).copy_from_slice(&self.covered);
        }
        self.covered.clear();
    }

    /// Puts `header` in front of the payload, `hash`es the file if asked, and gives it its name. A reservation ends.
    ///
    /// After an error it may be called again, also with more payload and another header in between; after success it
    /// changes nothing and says the same.
    ///
    /// # Errors
    /// `Io` of the output, or if a file of that name exists, which stays as it is.
    pub(crate) fn publish(&mut self, header: &[u8], hash: bool) -> Result<PublishedStream> {
        if let Some(published) = self.published {
            return Ok(published);
        }
        self.abandon();
        self.ready()?;
        self.slide_to(header.len() as u64)?;
        let total = self.place(0)?.end;
        self.put_header(header).map_err(|e| self.refused("write the file", e))?;
        self.trim(total).map_err(|e| self.refused("trim the file", e))?;
        let hash =
            if hash { Some(self.hash().map_err(|e| self.refused("read the file back", e))?) } else { None };
        let way = match self.backing {
            Backing::Mapped(_) => Way::Mapped,
            Backing::Buffered(_) => Way::Gather,
        };
        self.file.filled(total as u64, way);
        let file = self.file.publish()?;
        let published = PublishedStream { bytes: file.bytes, id: file.id, hash, slid: self.slid, way };
        // Others may find and shorten the file from here on, so it must not be mapped any more.
        self.backing = Backing::Buffered(Buffered::default());
        self.published = Some(published);
        Ok(published)
    }

    /// Where the payload is one piece and may be added to.
    fn ready(&mut self) -> Result<()> {
        self.file.require_unpublished()?;
        if let Backing::Buffered(buffered) = &mut self.backing {
            match buffered.settle(self.file.file()) {
                Ok(None) => {}
                Ok(Some(start)) => {
                    self.start = start;
                    self.slid += self.payload;
                }
                Err(e) => return Err(self.refused("move the payload behind its header", e)),
            }
        }
        Ok(())
    }

    /// The place of the next `len` bytes.
    fn place(&self, len: u64) -> Result<Place> {
        let end_of = |len: u64| {
            let end = self.start.checked_add(self.payload)?.checked_add(len)?;
            usize::try_from(end).ok().filter(|end| isize::try_from(*end).is_ok())
        };
        match end_of(0).zip(end_of(len)) {
            Some((start, end)) => Ok(Place { start, end }),
            None => Err(self.refused("grow the file", Errno::FBIG)),
        }
    }

    /// As [`Self::place`]. A mapping that cannot be made as large is given up for writing.
    fn room_for(&mut self, len: u64) -> Result<Place> {
        let place = self.place(len)?;
        if let Backing::Mapped(mapped) = &mut self.backing
            && !mapped.widen(place.end)
        {
            self.backing = Backing::Buffered(Buffered::default());
        }
        Ok(place)
    }

    fn reserved_range(&self) -> Range<usize> {
        self.reserved.map_or(0..0, |Reserved { at, max }| at..at + max)
    }

    fn slide_to(&mut self, to: u64) -> Result<()> {
        if to == self.start || self.payload == 0 {
            self.start = to;
            return Ok(());
        }
        self.room_for(to.saturating_sub(self.start))?;
        let payload = self.start..self.start + self.payload;
        let done = match &mut self.backing {
            Backing::Mapped(mapped) => {
                mapped.slide(payload.start as usize..payload.end as usize, to as usize)
            }
            Backing::Buffered(buffered) => buffered.slide(self.file.file(), payload, to),
        };
        done.map_err(|e| self.refused("move the payload behind its header", e))?;
        self.start = to;
        self.slid += self.payload;
        Ok(())
    }

    fn put_header(&mut self, header: &[u8]) -> Result<(), Errno> {
        match &mut self.backing {
            Backing::Mapped(mapped) => mapped.write_header(header),
            Backing::Buffered(_) => {
                fault::check(Operation::Write)?;
                super::fill::write_all_at(self.file.file(), header, 0)
            }
        }
    }

    fn trim(&mut self, len: usize) -> Result<(), Errno> {
        match &mut self.backing {
            Backing::Mapped(mapped) => mapped.trim(len),
            Backing::Buffered(_) => {
                fault::check(Operation::Trim)?;
                super::retry(|| rustix::fs::ftruncate(self.file.file(), len as u64))
            }
        }
    }

    fn hash(&self) -> Result<ContentHash, Errno> {
        let mut hasher = ContentHasher::default();
        let total = self.start + self.payload;
        let mut bytes = vec![0; HASH_STEP.min(total) as usize];
        let mut position = 0;
        while position < total {
            let step = &mut bytes[..HASH_STEP.min(total - position) as usize];
            fault::check(Operation::Read)?;
            buffered::read_exactly_at(self.file.file(), step, position)?;
            hasher.update(step);
            position += step.len() as u64;
        }
        Ok(hasher.finish())
    }

    fn refused(&self, action: &'static str, errno: Errno) -> Error {
        self.file.named(refused(action, errno))
    }
}

/// Whether the sources of the list are in a packet of `len` bytes and, if asked, `ordered`.
fn require_sources(list: &PieceList, len: u64, ordered: bool) -> Result<()> {
    let mut last = 0;
    for piece in list.pieces() {
        let Piece::Source(range) = piece else { continue };
        let Some(end) = range.offset.checked_add(u64::from(range.len)).filter(|end| *end <= len) else {
            let what = format!("{} bytes are asked for, the packet has {len}", range.len);
            return Err(Error::new(ErrorKind::Changed { what: what.into() }).at(range.offset));
        };
        if ordered && range.offset < last {
            let what =
                format!("a range of the packet begins at {}, the one before ends at {last}", range.offset);
            return Err(Error::conflict(what, "name each byte of a reserved packet once, in its order"));
        }
        last = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
