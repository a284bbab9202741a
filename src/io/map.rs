//! The mappings, and all the unsafe code of `io`. An input is mapped to be read, an output to be filled.
//!
//! What a mapping can do to a program that a buffer cannot: a load or a store behind the end of its file, or a store that
//! finds no space on the disk, is SIGBUS. So:
//!
//! - [`InputMap`] lends bytes while a lease keeps everybody else from writing to the file, and no longer; `lease` says what is
//!   left. Without one it is named as the source of `pwritev` alone, where a truncated file is an error (EFAULT) that the kernel
//!   reports.
//! - [`OutputMap`] is of a file that nobody else has a name for or was told of, whose space is allocated before it is mapped.
//! - [`GrowingMap`] is of such a file too; it is larger than the file, allocates space itself, and lends nothing behind that.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::{Advice, MmapMut, MmapOptions, MmapRaw, UncheckedAdvice};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::fault::{self, Operation};
use super::lease::{Held, Lent};
use super::{require_below_limit, retry};

/// A fault on a file's page maps the neighbours that are in the page cache too, within an aligned window of this size
/// (Linux `fault_around_bytes`, 64 KiB by default).
const FAULT_AROUND: usize = 64 << 10;

/// Bytes that are populated ahead of a copy: large enough for few system calls, small enough that the zeroed pages are still
/// in the second-level cache when they are filled.
pub(super) const POPULATE_STEP: usize = 512 * 1024;

/// Some of the bytes that one gathered write takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gathered<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// Bytes of the mapped input.
    Source {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
}

/// How much of an input may stay mapped once its pages were made present: what its page tables (8 bytes for each 4 KiB) are
/// worth. What lies behind is read, and mapped for each gathered write alone.
const KEPT: u64 = 4 << 30;

/// Granule of what stays mapped: bytes of a part of a scan.
const GRANULE: usize = 1 << 20;

/// A read-only mapping of an input.
#[derive(Debug)]
pub(super) struct InputMap {
    map: MmapRaw,
    /// Whether the pages of each [`GRANULE`] were made present, and stay.
    present: Vec<AtomicBool>,
    /// Some of it was not in the page cache when it was wanted: what is not present yet is read, in order, which is faster.
    cold: AtomicBool,
}

impl InputMap {
    /// Maps the first `size` bytes of `file`.
    ///
    /// # Errors
    /// Where the file has no bytes, the address space cannot hold it, or the file system does not map.
    pub(super) fn new(file: &File, size: u64) -> io::Result<Self> {
        let len = usize::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        if len == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let map = MmapOptions::new().len(len).map_raw_read_only(file)?;
        let granules = usize::try_from(size.min(KEPT)).map_or(0, |kept| kept.div_ceil(GRANULE));
        Ok(Self {
            map,
            present: (0..granules).map(|_| AtomicBool::new(false)).collect(),
            cold: AtomicBool::new(false),
        })
    }

    /// Where these bytes are in the mapping, unless they are behind [`KEPT`].
    pub(super) fn kept(&self, offset: u64, len: u64) -> Option<Range<usize>> {
        self.inside(offset, len).filter(|range| range.end as u64 <= KEPT)
    }

    /// The bytes of a range that is [`Self::kept`], which `held` keeps as they are; `None` where they cannot be lent, or had better
    /// be read: where the file ends before the mapping by now, or they are not in the page cache.
    ///
    /// # Panics
    /// For a range that is not in the mapping.
    pub(super) fn lend<'a>(&'a self, held: Held<'a>, range: Range<usize>) -> Option<Lent<'a>> {
        assert!(range.start <= range.end && range.end <= self.map.len(), "`kept` gave the range");
        if held.file_len() < self.map.len() as u64 {
            return None;
        }
        if !self.is_present(&range) {
            // Page faults alone read ahead too little, and advice to do so fills the page cache with small folios.
            if self.cold.load(Ordering::Relaxed) || held.would_wait(range.end as u64) {
                self.cold.store(true, Ordering::Relaxed);
                return None;
            }
            self.map.advise_range(Advice::PopulateRead, range.start, range.len()).ok()?;
            for granule in range.start.div_ceil(GRANULE)..range.end / GRANULE {
                self.present[granule].store(true, Ordering::Relaxed);
            }
            if range.end == self.map.len() && range.start.is_multiple_of(GRANULE) {
                self.present[range.end.div_ceil(GRANULE) - 1].store(true, Ordering::Relaxed);
            }
        }
        // SAFETY: the range is inside the mapping (asserted above), which lives as long as the borrow of `self`. A load from it finds a
        // byte of the file: it is as long as the mapping (compared above, under the lease), and `Lent` keeps the lease for as long
        // as it lends the slice. While there is a lease nobody has the file open for writing, so nobody shortens it or changes a
        // byte, and the slice is of memory that does not change. `lease` says what no lease keeps away.
        let bytes = unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(range.start), range.len()) };
        Some(Lent::by_lease(bytes, held))
    }

    /// Whether all pages of `range` were made present, and stay.
    fn is_present(&self, range: &Range<usize>) -> bool {
        let granules = self.present.get(range.start / GRANULE..range.end.div_ceil(GRANULE));
        granules.is_some_and(|granules| granules.iter().all(|present| present.load(Ordering::Relaxed)))
    }

    /// Writes all of `parts`, in order, to `file` from `offset` on. A short write goes on exactly where it stopped.
    ///
    /// Pages of the mapping that were touched are let go again unless they were lent before, so what is resident beyond
    /// [`KEPT`] does not grow with the input.
    ///
    /// # Errors
    /// `FAULT` if the input is shorter than its mapping by now (or a source range is outside of it); otherwise what the
    /// output's file system says.
    pub(super) fn write_gathered(
        &self,
        parts: &[Gathered<'_>],
        file: &File,
        offset: u64,
    ) -> Result<(), Errno> {
        let mut slices = Vec::with_capacity(parts.len());
        let mut touched: Option<Range<usize>> = None;
        let mut bytes = 0_usize;
        for part in parts {
            slices.push(match *part {
                Gathered::Bytes(bytes) => IoSlice::new(bytes),
                Gathered::Source { offset, len } => {
                    let range = self.inside(offset, len).ok_or(Errno::FAULT)?;
                    touched = Some(
                        touched.map_or(range.clone(), |t| t.start.min(range.start)..t.end.max(range.end)),
                    );
                    bytes = bytes.saturating_add(range.len());
                    self.io_slice(range)
                }
            });
        }
        let touched = touched.filter(|range| !self.is_present(range));
        if let Some(range) = touched.clone().filter(|range| range.len() <= bytes.saturating_mul(2)) {
            // One call instead of a fault for each 64 KiB: 0.25 s of CPU instead of 0.28 for 512 MiB whose page cache is in
            // small folios (2 cores EPYC, Linux 6.18, ext4). What cannot be populated is left to `pwritev` to report.
            let _ = self.map.advise_range(Advice::PopulateRead, range.start, range.len());
        }
        write_slices(&mut slices, offset, |slices, offset| rustix::io::pwritev(file, slices, offset))?;
        if let Some(range) = touched {
            self.release(range);
        }
        Ok(())
    }

    fn inside(&self, offset: u64, len: u64) -> Option<Range<usize>> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        (end <= self.map.len()).then_some(start..end)
    }

    /// `range` as the kernel is told of it. Private, and its result never leaves [`Self::write_gathered`].
    fn io_slice(&self, range: Range<usize>) -> IoSlice<'_> {
        assert!(range.start <= range.end && range.end <= self.map.len(), "`inside` checked the range");
        // SAFETY: the range is inside the mapping (asserted above), which lives as long as the borrow of `self`. The bytes
        // may change or vanish under it, since others may write to or truncate the file; that is why no code of this process
        // loads through the slice: it is only ever an element of the vector that `pwritev` reads inside the kernel, where a
        // vanished page is EFAULT.
        let bytes = unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(range.start), range.len()) };
        IoSlice::new(bytes)
    }

    /// Drops the page table entries of `range` and of what the kernel mapped around it; the pages stay in the page cache.
    fn release(&self, range: Range<usize>) {
        let start = range.start - range.start % FAULT_AROUND;
        let end = range.end.next_multiple_of(FAULT_AROUND).min(self.map.len());
        // SAFETY: MADV_DONTNEED on a shared mapping of a file discards no data: the next access reads the same page of the
        // file again. The mapping is read-only, so there is nothing unwritten in it either.
        let released =
            unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        // Advice that is not taken costs memory that the kernel can reclaim, nothing else.
        drop(released);
    }
}

/// Asks for, or gives up, the lease on an open file; or asks which there is (fcntl(2), "Leases").
///
/// # Errors
/// What the kernel says.
pub(super) fn lease(file: &File, request: LeaseRequest) -> Result<libc::c_int, Errno> {
    let (command, argument) = match request {
        LeaseRequest::Signal(signal) => (F_SETSIG, signal),
        LeaseRequest::Take => (libc::F_SETLEASE, libc::F_RDLCK),
        LeaseRequest::Leave => (libc::F_SETLEASE, libc::F_UNLCK),
        LeaseRequest::Ask => (libc::F_GETLEASE, 0),
    };
    // SAFETY: the descriptor is open as long as the borrow of `file`, and these commands take an integer and touch no memory of
    // this process.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, argument) } {
        -1 => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)),
        answer => Ok(answer),
    }
}

/// Of linux/fcntl.h (asm-generic); `libc` does not have it.
const F_SETSIG: libc::c_int = 10;

/// What [`lease`] asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum LeaseRequest {
    /// The signal that says that somebody waits.
    Signal(libc::c_int),
    /// A read lease.
    Take,
    /// No lease.
    Leave,
    /// Which there is, or is to be.
    Ask,
}

/// Writes all of `slices` by `write`, which may write less than it is given, from `offset` on.
pub(super) fn write_slices(
    mut slices: &mut [IoSlice<'_>],
    mut offset: u64,
    mut write: impl FnMut(&[IoSlice<'_>], u64) -> Result<usize, Errno>,
) -> Result<(), Errno> {
    require_below_limit(slices.iter().fold(offset, |end, slice| end.saturating_add(slice.len() as u64)))?;
    // Empty slices in front would look like a write that makes no progress.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match retry(|| write(slices, offset))? {
            0 => return Err(Errno::IO),
            written => {
                IoSlice::advance_slices(&mut slices, written);
                offset += written as u64;
            }
        }
    }
    Ok(())
}

/// A writable shared mapping of an output file, populated in steps ahead of the copy.
#[derive(Debug)]
pub(super) struct OutputMap {
    map: MmapMut,
}

impl OutputMap {
    /// Maps the first `len` bytes of `file` and asks for huge pages.
    ///
    /// The file must be `len` bytes long with all its space allocated (`fallocate`), and nobody else may shorten it while
    /// the mapping lives; the segment file, which nothing else has the name of, keeps both.
    ///
    /// # Errors
    /// What `mmap` says.
    pub(super) fn new(file: &File, len: usize) -> io::Result<Self> {
        // SAFETY: memmap2 asks that the file is not changed from elsewhere while mapped. It is a temporary file that this
        // process made (O_TMPFILE, or O_EXCL under a reserved name) and of which no other handle is given out.
        let map = unsafe { MmapOptions::new().len(len).map_mut(file)? };
        // Where huge pages are not to be had the mapping works as well, only slower.
        drop(map.advise(Advice::HugePage));
        Ok(Self { map })
    }

    /// Makes the pages of `range` present and writable, then lends them.
    ///
    /// # Errors
    /// `NOSPC` on a full disk: there `MADV_POPULATE_WRITE` says EFAULT.
    pub(super) fn populated(&mut self, range: Range<usize>) -> Result<&mut [u8], Errno> {
        populate_answer(self.map.advise_range(Advice::PopulateWrite, range.start, range.len()))?;
        Ok(&mut self.map[range])
    }

    /// Lets filled pages go, so that what is resident does not grow with the segment.
    pub(super) fn release(&mut self, range: Range<usize>) {
        // SAFETY: MADV_DONTNEED on a shared mapping of a file discards no data: dirty pages stay in the page cache and are
        // written back. `&mut self` says that no slice into the mapping is alive.
        let released =
            unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
        // As above: advice only.
        drop(released);
    }
}

/// Bytes that filled pages of a [`GrowingMap`] may take before they are let go.
const RESIDENT: usize = 8 << 20;

/// What a window covers at first: more than nearly every segment has. It is address space and takes no memory.
const WINDOW: usize = if cfg!(target_pointer_width = "64") { 1 << 30 } else { 64 << 20 };

/// Smallest file that huge pages are asked for. It gets none, but folios as large as it is: on ext4 a segment of 1 MB takes
/// 0.8 ms and not 3.2, and one of 33 kB has one page fault and not 23 (`perf/record/epyc-2core/2026-11-22-segmenter`).
pub(super) const HUGE_FOLIOS: usize = 32 << 10;

/// A writable shared mapping that is larger than its file: a window under which the file grows, so that addresses stay.
///
/// Invariant: the first `allocated` bytes of the file exist, have their space, and are inside the window. Slices are lent of
/// those alone.
#[derive(Debug)]
pub(super) struct GrowingMap {
    file: Arc<File>,
    window: MmapRaw,
    allocated: usize,
    /// Bytes from the start that were made present once.
    populated: usize,
    /// Bytes from the start that were let go.
    released: usize,
    huge: bool,
}

impl GrowingMap {
    /// Maps a window over the empty `file`, which nobody else may shorten while the mapping lives: it has no name yet, or a
    /// reserved one, and whoever shares the handle leaves its size alone.
    ///
    /// `huge`: whether it is going to be large enough for huge pages.
    ///
    /// # Errors
    /// Where the file system does not map, or the address space has no such window.
    pub(super) fn new(file: Arc<File>, huge: bool) -> io::Result<Self> {
        let window = Self::map(&file, WINDOW)?;
        let mut map = Self { file, window, allocated: 0, populated: 0, released: 0, huge: false };
        if huge {
            map.ask_for_huge_pages();
        }
        Ok(map)
    }

    fn map(file: &File, len: usize) -> io::Result<MmapRaw> {
        fault::check(Operation::Map)?;
        MmapOptions::new().len(len).map_raw(file)
    }

    fn ask_for_huge_pages(&mut self) {
        self.huge = true;
        // Where huge pages are not to be had the mapping works as well, only slower.
        drop(self.window.advise(Advice::HugePage));
    }

    /// Bytes that may be lent.
    pub(super) fn allocated(&self) -> usize {
        self.allocated
    }

    /// Makes sure that the window covers `end` bytes. Addresses change if it did not, which `&mut self` allows.
    ///
    /// # Errors
    /// As [`Self::new`]; the mapping is as it was.
    pub(super) fn widen(&mut self, end: usize) -> io::Result<()> {
        if end > self.window.len() {
            let len = end.checked_next_power_of_two().ok_or(io::ErrorKind::OutOfMemory)?;
            // The same bytes of the same file, so the invariant holds for the new window too.
            self.window = Self::map(&self.file, len)?;
            self.released = 0;
            if self.huge {
                self.ask_for_huge_pages();
            }
        }
        Ok(())
    }

    /// Allocates the file's first `end` bytes at least, and `wish` if that is to be had.
    ///
    /// # Errors
    /// What `fallocate` says of `end`; a limit on the size of files is an error and no signal. Nothing is lost.
    pub(super) fn allocate(&mut self, end: usize, wish: usize) -> Result<(), Errno> {
        if end > self.window.len() {
            return Err(Errno::NOMEM);
        }
        require_below_limit(end as u64)?;
        let wish = wish.min(self.window.len());
        let wish = if require_below_limit(wish as u64).is_ok() { wish } else { end };
        match self.allocate_exactly(wish) {
            Err(errno) if wish > end && !matches!(errno, Errno::OPNOTSUPP | Errno::NOSYS) => {
                self.allocate_exactly(end)?;
            }
            answer => answer?,
        }
        if !self.huge && self.allocated >= HUGE_FOLIOS {
            self.ask_for_huge_pages();
        }
        Ok(())
    }

    fn allocate_exactly(&mut self, end: usize) -> Result<(), Errno> {
        let (start, flags) = (self.allocated, FallocateFlags::empty());
        if end > start {
            fault::check(Operation::Allocate)?;
            retry(|| rustix::fs::fallocate(&self.file, flags, start as u64, (end - start) as u64))?;
            self.allocated = end;
        }
        Ok(())
    }

    /// Makes the pages up to `end` present, and some more; each once.
    ///
    /// # Errors
    /// `NOSPC` on a full disk; the content is as it was.
    pub(super) fn populate(&mut self, end: usize) -> Result<(), Errno> {
        assert!(end <= self.allocated, "allocated before");
        if end > self.populated {
            let ahead = end.checked_next_multiple_of(POPULATE_STEP).unwrap_or(end).min(self.allocated);
            fault::check(Operation::Grow)?;
            populate(&self.window, self.populated..ahead)?;
            self.populated = ahead;
        }
        Ok(())
    }

    /// Makes pages present again that may have been let go. They come one by one where that fails.
    pub(super) fn revisit(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.allocated, "allocated before");
        if range.start < self.released {
            let _ = populate(&self.window, range);
        }
    }

    /// Bytes of the file.
    ///
    /// # Panics
    /// For a range that is not allocated.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.allocated, "allocated before");
        // SAFETY: the invariant: the range is within the allocated bytes (asserted above), and these are inside the window,
        // which lives as long as the borrow of `self`. A load from them finds a page of the file: the file is at least as
        // long, since only `trim` shortens it (which lowers `allocated` first and takes `&mut self`) and nobody else has a
        // name for it. Nobody writes to it but through `bytes_mut`, which takes `&mut self`; `new` asks for that.
        unsafe { std::slice::from_raw_parts(self.window.as_ptr().add(range.start), range.len()) }
    }

    /// Bytes of the file, to be changed.
    ///
    /// # Panics
    /// For a range that is not allocated.
    pub(super) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.allocated, "allocated before");
        // SAFETY: as in `bytes`; the space of the range is allocated, so a store finds it. `&mut self` makes it the only
        // slice into the mapping.
        unsafe { std::slice::from_raw_parts_mut(self.window.as_mut_ptr().add(range.start), range.len()) }
    }

    /// Says that the bytes before `end` are filled: once they are many, their pages are let go.
    pub(super) fn filled(&mut self, end: usize) {
        let end = (end - end % FAULT_AROUND).min(self.allocated);
        if end >= self.released.saturating_add(RESIDENT) {
            self.release(self.released..end);
            self.released = end;
        }
    }

    /// Lets the pages of `range` go, so that what is resident does not grow with the file.
    pub(super) fn release(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.allocated, "allocated before");
        // SAFETY: MADV_DONTNEED on a shared mapping of a file discards no data: dirty pages stay in the page cache and are
        // written back. `&mut self` says that no slice into the mapping is alive.
        let released = unsafe {
            self.window.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len())
        };
        // Advice only.
        drop(released);
    }

    /// Gives the file `len` bytes, which are allocated.
    ///
    /// # Errors
    /// What `ftruncate` says; then the file may be longer.
    pub(super) fn trim(&mut self, len: usize) -> Result<(), Errno> {
        assert!(len <= self.allocated, "allocated before");
        self.allocated = len;
        self.populated = self.populated.min(len);
        self.released = self.released.min(len);
        fault::check(Operation::Trim)?;
        retry(|| rustix::fs::ftruncate(&self.file, len as u64))
    }
}

/// Makes pages present and writable.
///
/// # Errors
/// `NOSPC` on a full disk: there `MADV_POPULATE_WRITE` says EFAULT.
fn populate(map: &MmapRaw, range: Range<usize>) -> Result<(), Errno> {
    populate_answer(map.advise_range(Advice::PopulateWrite, range.start, range.len()))
}

fn populate_answer(answer: io::Result<()>) -> Result<(), Errno> {
    let Err(e) = answer else { return Ok(()) };
    match Errno::from_io_error(&e) {
        Some(Errno::FAULT) => Err(Errno::NOSPC),
        // Before Linux 5.14 there is no such advice: pages come one by one, in space that is allocated.
        Some(Errno::INVAL | Errno::NOSYS) => Ok(()),
        Some(errno) => Err(errno),
        None => Err(Errno::IO),
    }
}

#[cfg(test)]
mod tests;
