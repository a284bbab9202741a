//! An open directory. Files are made, named, looked at and removed relative to it and never through a symbolic link, so
//! that nothing that happens to the path meanwhile leads elsewhere.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::fault::{self, Operation};
use super::input::FileId;
use super::{refused, retry};
use crate::error::Result;

/// An open directory and the path to name it by.
#[derive(Debug)]
pub struct Directory {
    pub(super) fd: OwnedFd,
    pub(super) path: PathBuf,
    /// Whether files are made without a name first; false where the file system cannot (and in tests of that).
    pub(super) unnamed_files: bool,
    /// Whether a file is put on the medium before it gets its name.
    pub(super) durable: bool,
}

/// Flags for a directory that is the base of other calls.
pub(super) const BASE: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Directory {
    /// Opens the directory at `path`, which may lead through symbolic links.
    ///
    /// # Errors
    /// `Io` if there is none or it may not be read.
    pub fn open(path: &Path) -> Result<Self> {
        match rustix::fs::open(path, BASE, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: path.to_path_buf(), unnamed_files: true, durable: false }),
            Err(e) => Err(refused("open the directory", e).in_file(path)),
        }
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory `name` in this one, if that is a directory and not a link to one.
    pub(super) fn child(&self, name: &str) -> rustix::io::Result<Self> {
        let fd = rustix::fs::openat(&self.fd, name, BASE | OFlags::NOFOLLOW, Mode::empty())?;
        let (unnamed_files, durable) = (self.unnamed_files, self.durable);
        Ok(Self { fd, path: self.path.join(name), unnamed_files, durable })
    }

    /// Whether `name` in this directory stands for `child` still.
    pub(super) fn is_child(&self, name: &str, child: &Self) -> rustix::io::Result<bool> {
        let own = Entry::of(&rustix::fs::fstat(&child.fd)?);
        Ok(self.look_at(name)?.is_some_and(|found| found.id == own.id))
    }

    /// Whether it has no name any more.
    pub(super) fn is_removed(&self) -> bool {
        rustix::fs::fstat(&self.fd).is_ok_and(|stat| stat.st_nlink == 0)
    }

    /// Whether `path` leads to this directory still.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let id = |stat: Stat| Entry::of(&stat).id;
        let own = rustix::fs::fstat(&self.fd).map(id);
        own.is_ok() && own == rustix::fs::stat(path).map(id)
    }

    /// Makes the directory `name`; `false` if something of that name is there.
    pub(super) fn make_child(&self, name: &str) -> rustix::io::Result<bool> {
        fault::check(Operation::CreateDirectory)?;
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// What `name` is, itself and not what it links to; `None` if there is nothing.
    pub(super) fn look_at(&self, name: &str) -> rustix::io::Result<Option<Entry>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Entry::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Removes the file `name`; `false` if there is none.
    pub(super) fn remove_file(&self, name: &str) -> rustix::io::Result<bool> {
        gone(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()))
    }

    /// Removes the file `name` if it is still the one that was published; says whether it did.
    pub(super) fn remove_own(&self, name: &str, id: FileId) -> rustix::io::Result<bool> {
        match self.look_at(name)? {
            Some(entry) if entry.id == id => {
                fault::check(Operation::Remove)?;
                self.remove_file(name)
            }
            _ => Ok(false),
        }
    }

    /// Removes the directory `name` if it is empty.
    pub(super) fn remove_empty_child(&self, name: &str) -> rustix::io::Result<bool> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            // A mount point is busy; it stays, as a directory with other files in it does.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY) => Ok(false),
            answer => gone(answer),
        }
    }

    /// Opens the regular file `name` to read it: no link, and without waiting for anything.
    pub(super) fn open_file(&self, name: &str) -> rustix::io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = retry(|| rustix::fs::openat(&self.fd, name, flags, Mode::empty()))?;
        match Entry::of(&rustix::fs::fstat(&fd)?).kind {
            FileType::RegularFile => Ok(fd.into()),
            FileType::Directory => Err(Errno::ISDIR),
            _ => Err(Errno::INVAL),
        }
    }

    /// Puts the names in it on the medium.
    pub(super) fn sync(&self) -> rustix::io::Result<()> {
        fault::check(Operation::Sync)?;
        retry(|| rustix::fs::fsync(&self.fd))
    }

    /// [`Self::sync`], if the directory is a durable one.
    ///
    /// # Errors
    /// `Io` with the path of the directory.
    pub(super) fn sync_if_durable(&self) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        self.sync().map_err(|e| refused("put the directory on the disk", e).in_file(&self.path))
    }

    /// The names in it, sorted, without `.` and `..`. Names that are not UTF-8 are shown with replacement characters.
    pub(super) fn names(&self) -> rustix::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: FileType,
    pub(super) id: FileId,
    pub(super) size: u64,
}

impl Entry {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            id: FileId { device: stat.st_dev, inode: stat.st_ino },
            size: u64::try_from(stat.st_size).unwrap_or(0),
        }
    }
}

fn gone(answer: rustix::io::Result<()>) -> rustix::io::Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(e) => Err(e),
    }
}
