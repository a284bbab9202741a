//! Everything that touches files: inputs, the segment file, publishing. The only module below the command line and the
//! running of a package that does.
//!
//! | module | idea |
//! |---|---|
//! | [`input`] | a regular file that is read by position and must not change |
//! | `lease` | what keeps an input as it is while its mapping is loaded from |
//! | `spool` | a stream ► an unnamed file that is read so |
//! | `map` | the mappings and what may be done with them: all the unsafe code of `io` |
//! | `fill` | a piece list ► bytes in a file: gathered, or read into a mapping |
//! | [`segment_file`] | one file that appears under its name whole or not at all |
//! | `streaming_file` | the same, filled while its samples arrive, its header last |
//! | [`way`] | which of the two ways a file system's record asks for |
//! | [`check`] | a published file against its piece list and its source |
//! | [`package_files`] | a directory ► the files that `verify` reads |
//! | [`publish`] | the output directory of a run: journal, files, receipt, and what an error takes back |
//! | `old_run` | what `--force` may remove |
//! | `output_directory` | a directory made with its parents, and removed again if nothing came into it |
//! | `fault` | tests let any one system call of the output fail |
//! | [`directory`] | an open directory; names are resolved against it, never through a link |

use std::io;

pub mod windows;

use crate::error::{Error, ErrorKind, Result};

pub mod check;
#[cfg(test)]
mod child;
pub mod directory;
pub(crate) mod fault;
mod fill;
pub mod input;
mod lease;
mod map;
mod old_run;
pub(crate) mod output_directory;
pub mod package_files;
pub mod publish;
#[cfg(any(test, fuzzing))]
pub(crate) mod scratch;
pub mod segment_file;
mod spool;
pub(crate) mod streaming_file;
pub mod way;

pub use lease::Lent;

/// An error of a system call on the output, with what a person can do about it where that is known.
fn refused(action: impl Into<crate::error::Text>, source: impl Into<io::Error>) -> Error {
    let source = source.into();
    let remedy = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or choose an output directory on another disk"
        }
        io::ErrorKind::NotFound => {
            "check the path and where its symbolic links lead, or choose another directory"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "choose an output directory on a file system that can be written"
        }
        io::ErrorKind::PermissionDenied => {
            "choose an output directory that you may write to, or change its permissions"
        }
        io::ErrorKind::FileTooLarge => {
            "raise the limit for the size of a file (ulimit -f), or choose another file system"
        }
        io::ErrorKind::NotADirectory => {
            "a file is where a directory has to be; choose another output directory"
        }
        io::ErrorKind::AlreadyExists => {
            "fragmint replaces no file that it did not write; choose another directory, or remove the file"
        }
        _ => return Error::io(action, source),
    };
    Error::io(action, io::Error::new(source.kind(), format!("{source}; {remedy}")))
}

/// An error where a file of `end` bytes passes the process's limit on the size of files: to a call that does, the kernel
/// sends a signal that ends the process beside the error.
fn require_below_limit(end: u64) -> rustix::io::Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    if limit.is_some_and(|limit| end > limit) { Err(rustix::io::Errno::FBIG) } else { Ok(()) }
}

/// Repeats a system call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            answer => return answer,
        }
    }
}

/// Fills `buffer` with the bytes of a file from `offset` on. `ended` makes the error of a file that ends before that, at the
/// offset where it does, with so many bytes missing; `failed` that of the system.
fn read_exact_at(
    file: &std::fs::File,
    mut offset: u64,
    mut buffer: &mut [u8],
    ended: impl Fn(u64, u64) -> Error,
    failed: impl Fn(rustix::io::Errno) -> Error,
) -> Result<()> {
    while !buffer.is_empty() {
        let read = fault::check(fault::Operation::Read)
            .and_then(|()| retry(|| rustix::io::pread(file, &mut *buffer, offset)));
        match read {
            Ok(0) => return Err(ended(offset, buffer.len() as u64)),
            Ok(read) => {
                buffer = &mut buffer[read..];
                offset = offset.saturating_add(read as u64);
            }
            Err(e) => return Err(failed(e).at(offset)),
        }
    }
    Ok(())
}

/// A source of bytes that is read by position, from several threads.
pub trait ReadAt: Sync {
    /// Bytes of the source.
    fn len(&self) -> u64;

    /// Whether the source has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset`. A source that ends before that has changed while it was read, which is an error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// The bytes themselves, where they can be had without a copy; [`Self::read_at`] gives the same, or says what is wrong.
    fn lend(&self, offset: u64, len: u64) -> Option<Lent<'_>> {
        let _ = (offset, len);
        None
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let source =
            start.checked_add(buffer.len()).and_then(|end| self.get(start..end)).ok_or_else(|| {
                let what =
                    format!("{} bytes are asked for, the source has {}", buffer.len(), <[u8]>::len(self));
                Error::new(ErrorKind::Changed { what: what.into() }).at(offset)
            })?;
        buffer.copy_from_slice(source);
        Ok(())
    }

    fn lend(&self, offset: u64, len: u64) -> Option<Lent<'_>> {
        let start = usize::try_from(offset).ok()?;
        self.get(start..start.checked_add(usize::try_from(len).ok()?)?).map(Lent::from)
    }
}

impl<R: ReadAt + ?Sized> ReadAt for &R {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        (**self).read_at(offset, buffer)
    }

    fn lend(&self, offset: u64, len: u64) -> Option<Lent<'_>> {
        (**self).lend(offset, len)
    }
}
