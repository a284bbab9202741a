//! One file of a package: filled under no name, and then under its name whole, or not at all.
//!
//! The file is made by `O_TMPFILE` and appears by `linkat`, so a killed process leaves nothing of it; where the file system
//! has no unnamed files, it is made under a reserved name and renamed. Neither replaces a file. Unless the directory is a durable
//! one, nothing is flushed to the disk: a file that is published survives the end of the process, not the loss of power.

use std::borrow::Borrow;
use std::fs::File;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::directory::{Directory, Entry};
use super::fault::{self, Operation};
use super::fill;
use super::input::{FileId, Input};
use super::map::OutputMap;
use super::way::{FileSystem, Way};
use super::{refused, require_below_limit, retry};
use crate::error::{Error, Result};
use crate::fragment::{Piece, PieceList};

/// What was published, and how it was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Bytes of the file.
    pub bytes: u64,
    /// The way that was taken. It is [`Way::Gather`] in spite of the caller's wish where a mapping could end in a signal.
    pub way: Way,
    /// Which file it is.
    pub id: FileId,
}

/// A file that is being made. It borrows or owns the directory and the name, as its user needs.
#[derive(Debug)]
pub struct SegmentFile<D: Borrow<Directory>, N: AsRef<str>> {
    directory: D,
    name: N,
    file: Arc<File>,
    /// Whether it stands in the directory under its [`partial_name`], to be renamed or removed.
    partial: bool,
    /// Bytes it must have to be published.
    len: u64,
    way: Way,
    /// It has its name, and must not be changed any more.
    published: Option<Published>,
}

/// The reserved name of a file that is being made where there are no unnamed files.
pub(super) fn partial_name(name: &str) -> String {
    format!(".{name}.part")
}

impl<D: Borrow<Directory>, N: AsRef<str>> SegmentFile<D, N> {
    /// Makes an empty file that is to be called `name` in `directory`.
    ///
    /// # Errors
    /// `Io` if the directory cannot be written.
    pub fn create(directory: D, name: N) -> Result<Self> {
        let (base, text): (&Directory, &str) = (directory.borrow(), name.as_ref());
        let make = |name: &str, flags| {
            let flags = OFlags::RDWR | OFlags::CLOEXEC | flags;
            fault::check(Operation::CreateFile)?;
            retry(|| rustix::fs::openat(&base.fd, name, flags, Mode::from_raw_mode(0o666)))
        };
        let unnamed = if base.unnamed_files && fault::check(Operation::UnnamedFile).is_ok() {
            make(".", OFlags::TMPFILE)
        } else {
            Err(Errno::OPNOTSUPP)
        };
        let (made, partial) = match unnamed {
            // What file systems and kernels without unnamed files say.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                (make(&partial_name(text), OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW), true)
            }
            answer => (answer, false),
        };
        // In a directory that was removed an unnamed file is not permitted.
        let gone = |e| if e == Errno::PERM && base.is_removed() { Errno::NOENT } else { e };
        let fd = made.map_err(|e| refused("make the file", gone(e)).in_file(&base.path.join(text)))?;
        let file = Arc::new(File::from(fd));
        Ok(Self { directory, name, file, partial, len: 0, way: Way::Gather, published: None })
    }

    /// The open file. Whoever fills it by this says so by [`Self::filled`].
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The file has `len` bytes, which came in by `way`: it may be published.
    pub(super) fn filled(&mut self, len: u64, way: Way) {
        (self.len, self.way) = (len, way);
    }

    /// An error once the file has its name.
    pub(super) fn require_unpublished(&self) -> Result<()> {
        match self.published {
            None => Ok(()),
            Some(_) => {
                let remedy = "make another file for what is to follow";
                Err(self.named(Error::conflict("the file is published and cannot be changed", remedy)))
            }
        }
    }

    /// Fills the file with a piece list, payload from `input`.
    ///
    /// # Errors
    /// `Changed` or `Io` of the input, `Io` of the output; each with its path. The file cannot be used any more.
    pub fn fill(&mut self, list: &PieceList, input: &Input, way: Way) -> Result<()> {
        self.require_unpublished()?;
        for piece in list.pieces() {
            if let Piece::Source(range) = piece {
                input.require_inside(range.offset, u64::from(range.len))?;
            }
        }
        require_below_limit(list.len()).map_err(|e| self.named(refused("write the file", e)))?;
        let filled = match way {
            Way::Mapped => self.fill_mapped(list, input),
            Way::Gather => self.fill_gathered(list, input),
        };
        filled.map_err(|e| self.named(e))?;
        // A page that lost its end to a truncation reads as zeros, without a fault.
        input.check_unchanged()?;
        self.len = list.len();
        Ok(())
    }

    fn fill_gathered(&mut self, list: &PieceList, input: &Input) -> Result<()> {
        self.way = Way::Gather;
        // Where a write reserves space for each block by itself: 0.17 s of CPU instead of 0.20 to 0.28 for 456 MB (2 cores EPYC,
        // Linux 6.18), and a full disk is an error before the first byte.
        if !list.is_empty() && FileSystem::of(&self.file).gains_by_allocation() {
            // Its length stays 0: how far it got is still seen when it is published.
            self.allocate(list.len(), FallocateFlags::KEEP_SIZE)?;
        }
        fill::gather(list, input, &self.file)
    }

    /// Sets the file's space aside; `false` where the file system cannot.
    fn allocate(&self, len: u64, flags: FallocateFlags) -> Result<bool> {
        let allocated = fault::check(Operation::Allocate)
            .and_then(|()| retry(|| rustix::fs::fallocate(&self.file, flags, 0, len)));
        match allocated {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
            Err(e) => Err(refused("allocate the file", e)),
        }
    }

    fn fill_mapped(&mut self, list: &PieceList, input: &Input) -> Result<()> {
        let Ok(len) = usize::try_from(list.len()) else { return self.fill_gathered(list, input) };
        if len == 0 || FileSystem::of(&self.file).can_fault_when_full() {
            return self.fill_gathered(list, input);
        }
        // Before a store may touch it, all space is there, and a full disk is an error.
        if !self.allocate(list.len(), FallocateFlags::empty())? {
            return self.fill_gathered(list, input);
        }
        // A file system that does not map (some network and user-space ones).
        let Ok(mut map) = OutputMap::new(&self.file, len) else { return self.fill_gathered(list, input) };
        self.way = Way::Mapped;
        fill::read_into(list, input, &mut map, len)
    }

    /// Fills the file with bytes.
    ///
    /// # Errors
    /// `Io` with the path of the file.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.require_unpublished()?;
        fault::check(Operation::Write)
            .and_then(|()| fill::write_all_at(&self.file, bytes, 0))
            .map_err(|e| self.named(refused("write the file", e)))?;
        self.len = bytes.len() as u64;
        Ok(())
    }

    /// Puts the file under its name. May be called again: after an error it tries again, after success it changes nothing.
    ///
    /// # Errors
    /// `Io` if a file of that name exists, which stays as it is, or if the file system refuses.
    pub fn publish(&mut self) -> Result<Published> {
        self.publish_by(|file| if file.partial { file.rename() } else { file.link(file.name.as_ref()) })
    }

    /// As [`Self::publish`], in the place of whatever file has the name: one or the other is there at any time.
    fn replace(&mut self) -> Result<Published> {
        self.publish_by(Self::rename_over)
    }

    fn publish_by(&mut self, put: impl FnOnce(&mut Self) -> rustix::io::Result<()>) -> Result<Published> {
        if let Some(published) = self.published {
            return Ok(published);
        }
        let stat = rustix::fs::fstat(&self.file).map_err(|e| self.named(refused("ask for the size", e)))?;
        let found = Entry::of(&stat);
        if found.size != self.len {
            let what = format!("it has {} bytes instead of {}", found.size, self.len);
            return Err(self.named(Error::io("publish the file", std::io::Error::other(what))));
        }
        if self.directory.borrow().durable {
            sync(&self.file).map_err(|e| self.named(refused("put the file on the disk", e)))?;
        }
        put(self).map_err(|e| self.named(refused("publish the file", e)))?;
        let published = Published { bytes: self.len, way: self.way, id: found.id };
        self.published = Some(published);
        Ok(published)
    }

    fn link(&self, name: &str) -> rustix::io::Result<()> {
        use std::os::fd::AsRawFd as _;
        let unnamed = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let directory = &self.directory.borrow().fd;
        fault::check(Operation::Link)?;
        match rustix::fs::linkat(CWD, unnamed, directory, name, AtFlags::SYMLINK_FOLLOW) {
            // Where /proc is not mounted; allowed to root, and on newer kernels to whoever opened the file.
            Err(Errno::NOENT) => rustix::fs::linkat(&self.file, "", directory, name, AtFlags::EMPTY_PATH),
            answer => answer,
        }
    }

    fn rename(&mut self) -> rustix::io::Result<()> {
        let (directory, name) = (&self.directory.borrow().fd, self.name.as_ref());
        fault::check(Operation::Link)?;
        match rustix::fs::renameat_with(
            directory,
            partial_name(name),
            directory,
            name,
            RenameFlags::NOREPLACE,
        ) {
            Err(Errno::INVAL | Errno::NOSYS) => self.link_partial(),
            answer => answer.map(|()| self.partial = false),
        }
    }

    fn rename_over(&mut self) -> rustix::io::Result<()> {
        let partial = partial_name(self.name.as_ref());
        if !self.partial {
            self.link(&partial)?;
            self.partial = true;
        }
        let directory = &self.directory.borrow().fd;
        fault::check(Operation::Link)?;
        rustix::fs::renameat(directory, &partial, directory, self.name.as_ref())?;
        self.partial = false;
        Ok(())
    }

    /// For file systems whose rename can only replace. A reserved name that cannot be removed here is left to the drop: the
    /// file is there under its name.
    fn link_partial(&mut self) -> rustix::io::Result<()> {
        let directory = self.directory.borrow();
        let partial = partial_name(self.name.as_ref());
        rustix::fs::linkat(&directory.fd, &partial, &directory.fd, self.name.as_ref(), AtFlags::empty())?;
        self.partial = directory.remove_file(&partial).is_err();
        Ok(())
    }

    /// An error of the output gets the path of the output; one of the input has a path already.
    pub(super) fn named(&self, error: Error) -> Error {
        error.in_file(&self.directory.borrow().path.join(self.name.as_ref()))
    }
}

impl<D: Borrow<Directory>, N: AsRef<str>> Drop for SegmentFile<D, N> {
    fn drop(&mut self) {
        if self.partial {
            // There is nobody to tell, and a leftover is cleared by the next run.
            let _ = self.directory.borrow().remove_file(&partial_name(self.name.as_ref()));
        }
    }
}

/// Puts a file on the medium.
pub(super) fn sync(file: &File) -> rustix::io::Result<()> {
    fault::check(Operation::Sync)?;
    retry(|| rustix::fs::fsync(file))
}

/// Puts a small file in the place of `name`, whatever file that is: one or the other is there at any time.
///
/// # Errors
/// As [`publish_bytes`]; then the old one is there.
pub(super) fn replace_bytes(directory: &Directory, name: &str, bytes: &[u8]) -> Result<FileId> {
    let partial = partial_name(name);
    let named = |e| refused("remove a partial file", e).in_file(&directory.path.join(name));
    // Left by a process that was killed here.
    directory.remove_file(&partial).map_err(named)?;
    let mut file = SegmentFile::create(directory, name)?;
    file.write_bytes(bytes)?;
    Ok(file.replace()?.id)
}

/// Publishes a small file whole: an init segment, a playlist.
///
/// # Errors
/// As [`SegmentFile::create`], [`SegmentFile::write_bytes`] and [`SegmentFile::publish`].
pub fn publish_bytes(directory: &Directory, name: &str, bytes: &[u8]) -> Result<Published> {
    let mut file = SegmentFile::create(directory, name)?;
    file.write_bytes(bytes)?;
    file.publish()
}

#[cfg(test)]
mod tests;
