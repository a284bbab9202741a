//! A published file against its piece list and its source, byte by byte, through bounded windows; and its hash, on the way.
//!
//! It shares no code with the ways that fill: it walks the list piece by piece, reads the published file again and takes the
//! source anew, so that what a way got wrong, or a disk lost, is found.

use std::fs::File;

use super::directory::{Directory, Entry};
use super::{Lent, ReadAt, read_exact_at};
use crate::error::{Error, Result};
use crate::fragment::{Piece, PieceList};
use crate::hash::{FileHasher, HashAlgorithm};

/// Bytes of each window that is read: it stays in the second-level cache.
const WINDOW: usize = 128 * 1024;

/// What to do with a published file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadBack {
    /// Compare it with the list and the source.
    pub compare: bool,
    /// Hash it.
    pub hash: Option<HashAlgorithm>,
}

/// Reads the file `name` in `directory`, compares it with the list and the source, and hashes it, as far as `how` asks for
/// either. The inner error says where the file is not what they give it.
///
/// # Errors
/// `Io` of the file, with its path; `Changed` or `Io` of the source.
pub fn read_back(
    directory: &Directory,
    name: &str,
    list: &PieceList,
    source: &(impl ReadAt + ?Sized),
    how: ReadBack,
) -> Result<Result<Option<String>>> {
    if how == ReadBack::default() {
        return Ok(Ok(None));
    }
    let output = Output::open(directory, name)?;
    let in_file = |error: Error| error.in_file(&directory.path.join(name));
    if how.compare && output.len() != list.len() {
        let what = format!("it has {} bytes, {} were written", output.len(), list.len());
        return Ok(Err(differs(what)));
    }
    let mut published = Window { hasher: how.hash.map(FileHasher::new), ..Window::new(output) };
    if how.compare {
        if let Some(offset) = first_difference(&mut published, list, source).map_err(in_file)? {
            return Ok(Err(differs("it is not what was written from here on".to_owned()).at(offset)));
        }
    } else {
        published.read_all().map_err(in_file)?;
    }
    Ok(Ok(published.hasher.map(FileHasher::finish)))
}

/// Offset of the first byte that differs; an error of the source has its path already.
fn first_difference(
    published: &mut Window<Output>,
    list: &PieceList,
    source: &(impl ReadAt + ?Sized),
) -> Result<Option<u64>> {
    let mut source = Source { lent: None, window: Window::new(source) };
    let mut position = 0;
    for piece in list.pieces() {
        let difference = match piece {
            Piece::Literal(range) => differs_from(published, &mut position, list.literal(range))?,
            Piece::Length(length) => differs_from(published, &mut position, &length.to_be_bytes())?,
            Piece::Source(range) => {
                let (mut offset, mut left) = (range.offset, range.len as usize);
                let mut difference = None;
                while left > 0 && difference.is_none() {
                    let expected = source.bytes(offset, left)?;
                    (offset, left) = (offset + expected.len() as u64, left - expected.len());
                    difference = differs_from(published, &mut position, expected)?;
                }
                difference
            }
        };
        if difference.is_some() {
            return Ok(difference);
        }
    }
    Ok(None)
}

fn differs(what: String) -> Error {
    let what = format!("{what}; the disk or another program changed it, run again");
    Error::io("verify the published file", std::io::Error::new(std::io::ErrorKind::InvalidData, what))
}

/// A published file, open.
#[derive(Debug)]
pub struct Output {
    file: File,
    len: u64,
}

impl Output {
    /// Opens the file `name` in `directory`: no link, and without waiting for anything.
    ///
    /// # Errors
    /// `Io` with the path of the file.
    pub(super) fn open(directory: &Directory, name: &str) -> Result<Self> {
        let named = |action, e| Error::io(action, e).in_file(&directory.path.join(name));
        let file = directory.open_file(name).map_err(|e| named("open the published file", e))?;
        let stat = rustix::fs::fstat(&file).map_err(|e| named("ask for the size", e))?;
        Ok(Self { file, len: Entry::of(&stat).size })
    }
}

impl ReadAt for Output {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let ended = |at, _| differs(format!("it ends, it had {} bytes", self.len)).at(at);
        read_exact_at(&self.file, offset, buffer, ended, |e| Error::io("read the published file back", e))
    }
}

/// Compares the bytes from `position` on with `expected`, and goes past them. Gives the offset of a difference.
fn differs_from(
    published: &mut Window<Output>,
    position: &mut u64,
    mut expected: &[u8],
) -> Result<Option<u64>> {
    while !expected.is_empty() {
        let found = published.bytes(*position, expected.len())?;
        let (now, later) = expected.split_at(found.len());
        if found != now {
            let same = found.iter().zip(now).take_while(|(a, b)| a == b).count() as u64;
            return Ok(Some(*position + same));
        }
        *position += found.len() as u64;
        expected = later;
    }
    Ok(None)
}

/// Bytes of a source that are borrowed at once: few enough that nobody who wants to write to it waits long.
const LENT: u64 = 1 << 20;

/// A source that is mostly read forwards: borrowed where it lends its bytes, and read otherwise.
struct Source<'a, R: ?Sized> {
    /// What is borrowed, and the offset of its first byte.
    lent: Option<(u64, Lent<'a>)>,
    window: Window<&'a R>,
}

impl<R: ReadAt + ?Sized> Source<'_, R> {
    /// The bytes at `offset`: at least one, at most `limit`, which is not zero.
    fn bytes(&mut self, offset: u64, limit: usize) -> Result<&[u8]> {
        let is_inside = |(start, bytes): &(u64, Lent<'_>)| {
            offset.checked_sub(*start).is_some_and(|inside| inside < bytes.len() as u64)
        };
        // Asked once for each window: where nothing is lent, the question costs system calls.
        let is_read = self.window.holds(offset);
        if !is_read && !self.lent.as_ref().is_some_and(is_inside) {
            // Before it borrows again, so that others come in between.
            self.lent = None;
            let source = self.window.source;
            let len = source.len().saturating_sub(offset).min(LENT);
            self.lent = source.lend(offset, len).filter(|lent| !lent.is_empty()).map(|lent| (offset, lent));
        }
        match &self.lent {
            Some((start, lent)) if !is_read => {
                let bytes = &lent[(offset - start) as usize..];
                Ok(&bytes[..bytes.len().min(limit)])
            }
            _ => self.window.bytes(offset, limit),
        }
    }
}

/// Some bytes of a file that is mostly read forwards.
struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: u64,
    /// Takes in what is read: all of the source, if that is read forwards without gaps.
    hasher: Option<FileHasher>,
}

impl<R: ReadAt> Window<R> {
    fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0, hasher: None }
    }

    fn holds(&self, offset: u64) -> bool {
        offset.checked_sub(self.start).is_some_and(|inside| inside < self.buffer.len() as u64)
    }

    /// The bytes at `offset`: at least one, at most `limit`, which is not zero.
    fn bytes(&mut self, offset: u64, limit: usize) -> Result<&[u8]> {
        if !self.holds(offset) {
            // At least one, so that a range behind the end is the source's error.
            let rest = self.source.len().saturating_sub(offset).clamp(1, WINDOW as u64);
            self.buffer.resize(rest as usize, 0);
            self.start = offset;
            if let Err(error) = self.source.read_at(offset, &mut self.buffer) {
                self.buffer.clear();
                return Err(error);
            }
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&self.buffer);
            }
        }
        let bytes = &self.buffer[(offset - self.start) as usize..];
        Ok(&bytes[..bytes.len().min(limit)])
    }

    fn read_all(&mut self) -> Result<()> {
        let mut position = 0;
        while position < self.source.len() {
            position += self.bytes(position, WINDOW)?.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A source that lends nothing, and counts how often it is asked to.
    struct Asked(Vec<u8>, AtomicU64);

    impl ReadAt for Asked {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
            self.0.read_at(offset, buffer)
        }

        fn lend(&self, _offset: u64, _len: u64) -> Option<Lent<'_>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            None
        }
    }

    #[test]
    fn a_source_that_does_not_lend_is_asked_once_for_each_window() {
        let bytes: Vec<u8> = (0..2 * WINDOW).map(|n| (n % 251) as u8).collect();
        let asked = Asked(bytes, AtomicU64::new(0));
        let mut source = Source { lent: None, window: Window::new(&asked) };
        let mut offset = 0;
        while offset < asked.len() {
            let found = source.bytes(offset, 100).unwrap();
            assert_eq!(found, &asked.0[offset as usize..][..found.len()]);
            offset += found.len() as u64;
        }
        assert_eq!(asked.1.load(Ordering::Relaxed), 2);
    }
}
