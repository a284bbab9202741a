//! A published file against its piece list and its source, byte by byte, through two bounded windows.
//!
//! It shares no code with the ways that fill: it walks the list piece by piece and reads both files again, so that what
//! a way got wrong, or a disk lost, is found.

use std::fs::File;

use super::directory::{Directory, Entry};
use super::{ReadAt, retry};
use crate::error::{Error, Result};
use crate::fragment::{Piece, PieceList};

/// Bytes of each window: both stay in the second-level cache.
const WINDOW: usize = 128 * 1024;

/// Says whether the file `name` in `directory` has the size and the bytes that the list and the source give it.
///
/// # Errors
/// `Io` with the path of the file, and the offset where it differs; `Changed` or `Io` of the source.
pub fn verify_published(
    directory: &Directory,
    name: &str,
    list: &PieceList,
    source: &(impl ReadAt + ?Sized),
) -> Result<()> {
    let named = |error: Error| error.in_file(&directory.path.join(name));
    let file = directory.open_file(name).map_err(|e| named(Error::io("open the published file", e)))?;
    let stat = rustix::fs::fstat(&file).map_err(|e| named(Error::io("ask for the size", e)))?;
    let found = Entry::of(&stat).size;
    if found != list.len() {
        return Err(named(differs(format!("it has {found} bytes, {} were written", list.len()))));
    }
    let mut published = Window::new(Output { file, len: found });
    let mut source = Window::new(source);
    let mut position = 0;
    for piece in list.pieces() {
        match piece {
            Piece::Literal(range) => compare_made(&mut published, &mut position, list.literal(range)),
            Piece::Length(length) => compare_made(&mut published, &mut position, &length.to_be_bytes()),
            Piece::Source(range) => {
                let (mut offset, mut left) = (range.offset, range.len as usize);
                let mut compared = Ok(());
                while left > 0 && compared.is_ok() {
                    let expected = source.bytes(offset, left)?;
                    (offset, left) = (offset + expected.len() as u64, left - expected.len());
                    compared = compare_made(&mut published, &mut position, expected);
                }
                compared
            }
        }
        .map_err(named)?;
    }
    Ok(())
}

/// Compares the bytes from `position` on with `expected`, and goes past them.
fn compare_made(published: &mut Window<Output>, position: &mut u64, mut expected: &[u8]) -> Result<()> {
    while !expected.is_empty() {
        let found = published.bytes(*position, expected.len())?;
        let (now, later) = expected.split_at(found.len());
        if found != now {
            let same = found.iter().zip(now).take_while(|(a, b)| a == b).count() as u64;
            return Err(differs("it is not what was written from here on".to_owned()).at(*position + same));
        }
        *position += found.len() as u64;
        expected = later;
    }
    Ok(())
}

fn differs(what: String) -> Error {
    let what = format!("{what}; the disk or another program changed it, run again");
    Error::io("verify the published file", std::io::Error::new(std::io::ErrorKind::InvalidData, what))
}

/// The published file.
struct Output {
    file: File,
    len: u64,
}

impl ReadAt for Output {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            match retry(|| rustix::io::pread(&self.file, &mut *buffer, offset)) {
                Ok(0) => return Err(differs(format!("it ends, {} bytes were written", self.len)).at(offset)),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(e) => return Err(Error::io("read the published file back", e).at(offset)),
            }
        }
        Ok(())
    }
}

/// Some bytes of a source that is mostly read forwards.
struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: u64,
}

impl<R: ReadAt> Window<R> {
    fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0 }
    }

    /// The bytes at `offset`: at least one, at most `limit`, which is not zero.
    fn bytes(&mut self, offset: u64, limit: usize) -> Result<&[u8]> {
        let inside = offset.checked_sub(self.start).filter(|inside| *inside < self.buffer.len() as u64);
        if inside.is_none() {
            // At least one, so that a range behind the end is the source's error.
            let rest = self.source.len().saturating_sub(offset).clamp(1, WINDOW as u64);
            self.buffer.resize(rest as usize, 0);
            self.start = offset;
            if let Err(error) = self.source.read_at(offset, &mut self.buffer) {
                self.buffer.clear();
                return Err(error);
            }
        }
        let bytes = &self.buffer[(offset - self.start) as usize..];
        Ok(&bytes[..bytes.len().min(limit)])
    }
}
