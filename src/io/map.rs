//! The two mappings, and all the unsafe code. An input is mapped to be read by the kernel only; an output is mapped to be
//! filled.
//!
//! What a mapping can do to a program that a buffer cannot: a load or a store behind the end of its file, or a store that
//! finds no space on the disk, is SIGBUS. So:
//!
//! - [`InputMap`] hands out no bytes. It is named as the source of `pwritev`, where a truncated file is an error (EFAULT)
//!   that the kernel reports.
//! - [`OutputMap`] is of a file that nobody else has a name for or was told of, whose space is allocated before it is mapped.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;

use memmap2::{Advice, MmapMut, MmapOptions, MmapRaw, UncheckedAdvice};
use rustix::io::Errno;

use super::retry;

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

/// A read-only mapping of an input, as a source for `pwritev` and nothing else.
#[derive(Debug)]
pub(super) struct InputMap {
    map: MmapRaw,
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
        Ok(Self { map: MmapOptions::new().len(len).map_raw_read_only(file)? })
    }

    /// Writes all of `parts`, in order, to `file` from `offset` on. A short write goes on exactly where it stopped.
    ///
    /// Pages of the mapping that were touched are let go again, so what is resident does not grow with the input.
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

/// Writes all of `slices` by `write`, which may write less than it is given, from `offset` on.
fn write_slices(
    mut slices: &mut [IoSlice<'_>],
    mut offset: u64,
    mut write: impl FnMut(&[IoSlice<'_>], u64) -> Result<usize, Errno>,
) -> Result<(), Errno> {
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
        match self.map.advise_range(Advice::PopulateWrite, range.start, range.len()) {
            Ok(()) => {}
            Err(e) => match Errno::from_io_error(&e) {
                Some(Errno::FAULT) => return Err(Errno::NOSPC),
                // Before Linux 5.14 there is no such advice: pages come one by one, in space that is allocated.
                Some(Errno::INVAL | Errno::NOSYS) => {}
                Some(errno) => return Err(errno),
                None => return Err(Errno::IO),
            },
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_or_interrupted_write_goes_on_exactly_where_it_stopped() {
        let bytes: Vec<u8> = (0..=255).collect();
        for most in 1..40 {
            let cuts = [0, 0, 1, 1, 20, 100, 101, 256, 256];
            let mut slices: Vec<_> =
                cuts.windows(2).map(|cut| IoSlice::new(&bytes[cut[0]..cut[1]])).collect();
            let mut written: Vec<u8> = Vec::new();
            let mut calls = 0;
            write_slices(&mut slices, 7, |slices, offset| {
                calls += 1;
                if calls % 3 == 0 {
                    return Err(Errno::INTR);
                }
                assert_eq!(offset, 7 + written.len() as u64);
                let before = written.len();
                written.extend(slices.iter().flat_map(|slice| slice.iter()).take(most));
                Ok(written.len() - before)
            })
            .expect("every call makes progress");
            assert_eq!(written, bytes);
        }
    }

    #[test]
    fn a_write_that_makes_no_progress_is_an_error() {
        let mut slices = [IoSlice::new(b"x")];
        assert_eq!(write_slices(&mut slices, 0, |_, _| Ok(0)), Err(Errno::IO));
    }

    #[test]
    fn a_range_outside_of_the_mapping_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        let map = InputMap::new(&file, 10).unwrap();
        for (offset, len) in [(0, 11), (10, 1), (u64::MAX, 1), (1, u64::MAX)] {
            let parts = [Gathered::Source { offset, len }];
            assert_eq!(map.write_gathered(&parts, &file, 0), Err(Errno::FAULT));
        }
    }
}
