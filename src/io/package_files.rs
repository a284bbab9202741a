//! A directory as the files of a package, for [`crate::verify`]: nothing outside of it is opened, whatever a manifest says.
//!
//! The kernel resolves a name below the directory where it can (`openat2`); elsewhere `walk` does, name by name, with the
//! same answers. Links may lead from one place in the directory to another. Pipes and devices are not waited for. What is
//! opened is read by position; a file that shrinks meanwhile is an error, and not a signal.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::directory::{Directory, Entry};
use super::{ReadAt, read_exact_at, retry};
use crate::error::{Error, ErrorKind, Result};
use crate::verify::files::{FileEntry, Files, OpenError};

mod walk;

/// The most entries that are listed, directories included: some weeks of segments.
const MAX_ENTRIES: usize = 1_000_000;

/// How deep directories may lie in each other to be listed, and how many a name may go down to be opened name by name:
/// each one costs a descriptor.
const MAX_DEPTH: usize = 64;

/// The longest name that is looked for, in bytes: longer ones are mostly `./` and `../`, and take memory to go through.
const MAX_NAME: usize = 64 * 1024;

/// Flags for a file: pipes and terminals are not waited for.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// The files below a directory.
#[derive(Debug)]
pub struct PackageFiles {
    directory: Directory,
    /// Whether the kernel is asked to stay below the directory; false in tests of the other way.
    asks_kernel: bool,
    max_entries: usize,
}

impl PackageFiles {
    /// Opens the directory at `path`, which may lead through symbolic links.
    ///
    /// # Errors
    /// `Io` if there is none or it may not be read.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { directory: Directory::open(path)?, asks_kernel: true, max_entries: MAX_ENTRIES })
    }

    /// Opens what `path` leads to, if that is in the directory.
    fn resolve(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        if self.asks_kernel {
            match open_beneath(&self.directory, path) {
                // No such call, one that is forbidden, a rename at the same time, or a path that is too long for one call.
                Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN | Errno::NAMETOOLONG) => {}
                answer => return answer,
            }
        }
        walk::open(&self.directory, path)
    }

    fn open_regular(&self, path: &str) -> Result<PackageFile, OpenError> {
        if path.len() > MAX_NAME || path.contains('\0') {
            return Err(OpenError::Missing);
        }
        let failed = |e: Errno| {
            OpenError::Failed(Error::io("open the file", e).in_file(&self.directory.path.join(path)))
        };
        let fd = match self.resolve(path) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG) => return Err(OpenError::Missing),
            Err(Errno::XDEV | Errno::LOOP) => return Err(OpenError::Outside),
            // A socket, or a device that is not there.
            Err(Errno::NXIO | Errno::NODEV) => return Err(OpenError::NotRegular),
            Err(e) => return Err(failed(e)),
        };
        let entry = Entry::of(&rustix::fs::fstat(&fd).map_err(failed)?);
        if entry.kind != FileType::RegularFile {
            return Err(OpenError::NotRegular);
        }
        Ok(PackageFile { file: fd.into(), len: entry.size })
    }

    /// Appends what is in `directory`, whose paths begin with `prefix`.
    fn list_below(&self, directory: &Directory, prefix: &str, depth: usize, list: &mut Listed) -> Result<()> {
        let failed = |e: Errno| Error::io("list the directory", e).in_file(&directory.path);
        for name in names(directory, list)? {
            let path = format!("{prefix}{name}");
            // What is gone by now was removed meanwhile.
            let Some(entry) = directory.look_at(&name).map_err(failed)? else { continue };
            match entry.kind {
                FileType::RegularFile => list.files.push(FileEntry { path, bytes: entry.size }),
                FileType::Symlink => {
                    // A link to a directory is not followed: its files have their paths already, or are not of the package.
                    if let Ok(file) = self.open_regular(&path) {
                        list.files.push(FileEntry { path, bytes: file.len });
                    }
                }
                FileType::Directory if depth == MAX_DEPTH => {
                    return Err(too_large("directories in each other", depth + 1, MAX_DEPTH)
                        .in_file(&directory.path.join(&name)));
                }
                FileType::Directory => match directory.child(&name) {
                    Ok(child) => self.list_below(&child, &format!("{path}/"), depth + 1, list)?,
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Err(e) => {
                        return Err(Error::io("list the directory", e).in_file(&directory.path.join(&name)));
                    }
                },
                _ => {}
            }
        }
        Ok(())
    }
}

impl Files for PackageFiles {
    fn open(&self, path: &str) -> Result<Box<dyn ReadAt + '_>, OpenError> {
        Ok(Box::new(self.open_regular(path)?))
    }

    /// Regular files, and links to such in the directory; neither pipes nor devices. `TooLarge` as well for directories that
    /// lie too deep in each other; `Conflict` for a name that is not UTF-8, which no manifest can say.
    fn list(&self) -> Result<Vec<FileEntry>> {
        let mut list = Listed { files: Vec::new(), left: self.max_entries, limit: self.max_entries };
        self.list_below(&self.directory, "", 0, &mut list)?;
        list.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(list.files)
    }
}

/// What was listed, and how much may follow.
struct Listed {
    files: Vec<FileEntry>,
    left: usize,
    limit: usize,
}

/// The names in `directory`, sorted, so that the first error is the same whatever the file system's order.
fn names(directory: &Directory, list: &mut Listed) -> Result<Vec<String>> {
    let failed = |e: Errno| Error::io("list the directory", e).in_file(&directory.path);
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&directory.fd).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        list.left = list.left.checked_sub(1).ok_or_else(|| {
            too_large("files and directories", list.limit.saturating_add(1), list.limit)
                .in_file(&directory.path)
        })?;
        names.push(name.to_vec());
    }
    names.sort_unstable();
    names.into_iter().map(|name| as_text(directory, name)).collect()
}

fn as_text(directory: &Directory, name: Vec<u8>) -> Result<String> {
    String::from_utf8(name).map_err(|e| {
        let what = format!("the name \"{}\" is not UTF-8", e.as_bytes().escape_ascii());
        Error::conflict(what, "no manifest can name such a file; rename or remove it")
            .in_file(&directory.path)
    })
}

fn too_large(what: &'static str, value: usize, limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge {
        what: format!("the number of {what}").into(),
        value: value as u64,
        limit: limit as u64,
        clause: "fragmint: what is listed at once",
        remedy: "name one playlist or MPD instead of the directory".into(),
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn open_beneath(directory: &Directory, path: &str) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    retry(|| rustix::fs::openat2(&directory.fd, path, FILE, Mode::empty(), resolve))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn open_beneath(_: &Directory, _: &str) -> rustix::io::Result<OwnedFd> {
    Err(Errno::NOSYS)
}

/// A file of the package.
#[derive(Debug)]
struct PackageFile {
    file: File,
    len: u64,
}

impl ReadAt for PackageFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let ended = |at, _| {
            let what = format!("it ends, {} bytes were there", self.len);
            Error::new(ErrorKind::Changed { what: what.into() }).at(at)
        };
        read_exact_at(&self.file, offset, buffer, ended, |e| Error::io("read the file", e))
    }
}

#[cfg(test)]
mod tests;
