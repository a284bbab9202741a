//! An input file: a regular file that is read by position, from several threads, and must stay as it was when opened.
//!
//! Pipes, sockets, devices and directories are refused before they are opened, so that nothing waits for a writer; what such a
//! stream gives can be kept in a file that has no name ([`Input::spool`]). Its bytes are lent out of a mapping while a lease
//! keeps the file as it is (`lease`), and are read by bounded `pread`s where there is none: a file that shrinks is an error
//! and no signal.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::lease::{Lease, Lent};
use super::map::{Gathered, InputMap};
use super::{ReadAt, read_exact_at, refused, retry, spool};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::ContentHash;

/// Which file it is, on this machine: no two files have the same at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Device number of the file system.
    pub device: u64,
    /// Inode number on it.
    pub inode: u64,
}

/// What of a file must not change while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which file it is.
    pub id: FileId,
    /// Bytes.
    pub size: u64,
    /// Time of the last change of its content: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// Time of the last change of content or attributes, which nobody can set.
    pub changed: (i64, i64),
}

impl Identity {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            id: FileId { device: metadata.dev(), inode: metadata.ino() },
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// An open input file.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    file: File,
    identity: Identity,
    /// Of a stream that was spooled: there is no file whose identity could tell it again.
    content: Option<ContentHash>,
    /// None where the file has no bytes or its file system cannot map it: then it is read instead.
    map: Option<InputMap>,
    /// None where there are no leases.
    lease: Option<Arc<Lease>>,
}

impl Input {
    /// Opens a regular file.
    ///
    /// # Errors
    /// `Io` if it cannot be opened; `Unsupported` for anything that cannot be read by position: a pipe, a socket, a device, a
    /// directory. Never waits.
    pub fn open(path: &Path) -> Result<Self> {
        let name = |error: Error| error.in_file(path);
        // Opening a pipe can wait for its writer and opening a device can have effects, so what it is comes first.
        let metadata = std::fs::metadata(path).map_err(|e| name(not_opened(e)))?;
        require_regular(&metadata).map_err(name)?;
        let file = File::options()
            .read(true)
            .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
            .open(path)
            .map_err(|e| name(not_opened(e)))?;
        // The name may lead elsewhere by now.
        Self::from_file(file, path)
    }

    /// An open regular file, which is called `name` in messages and reports. It is read from its first byte, wherever its
    /// handle stands.
    ///
    /// # Errors
    /// `Unsupported` if it is no regular file.
    pub fn from_file(file: File, name: &Path) -> Result<Self> {
        let named = |error: Error| error.in_file(name);
        let metadata = file.metadata().map_err(|e| named(Error::io("ask for the size of the input", e)))?;
        require_regular(&metadata).map_err(named)?;
        let identity = Identity::of(&metadata);
        let map = InputMap::new(&file, identity.size).ok();
        let lease = Lease::of(&file).map(Arc::new);
        Ok(Self { path: name.to_path_buf(), file, identity, content: None, map, lease })
    }

    /// Reads `stream` to its end into a file without a name, on the file system of `directory`, and takes that for the input. The
    /// file is gone with the last handle of it, however the process ends. `name` is what messages and reports call
    /// it; `progress` is told of bytes. Memory is bounded; whether the stream ever ends is the caller's affair.
    ///
    /// # Errors
    /// `Io` of the stream, with `name` and the byte where it failed; `Io` of the file, such as a full disk, with the path of the
    /// directory.
    pub fn spool(
        mut stream: impl io::Read,
        name: &Path,
        directory: &Path,
        progress: &dyn Fn(u64),
    ) -> Result<Self> {
        let (file, content) = spool::spool(&mut stream, name, directory, progress)?;
        Ok(Self { content: Some(content), ..Self::from_file(file, name)? })
    }

    /// Another handle of the same file, with the identity that it had when it was opened.
    ///
    /// # Errors
    /// `Io` if there are no more handles.
    pub fn try_clone(&self) -> Result<Self> {
        let file = self
            .file
            .try_clone()
            .map_err(|e| Error::io("open the input once more", e).in_file(&self.path))?;
        let map = InputMap::new(&file, self.identity.size).ok();
        // The handles are of one open file, which has one lease.
        let lease = self.lease.clone();
        Ok(Self { path: self.path.clone(), file, identity: self.identity, content: self.content, map, lease })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which file it is, its size and its time of change when it was opened.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// What tells whether another run has the same input: size, inode and times of a file, which change when somebody writes
    /// to it; size and hash of a stream that was spooled.
    pub fn fingerprint(&self) -> String {
        let Identity { id, size, modified, changed } = self.identity;
        match self.content {
            Some(hash) => format!("{size} bytes, xxh3-128 {hash}"),
            None => format!(
                "{size} bytes, inode {}, modified {}.{:09}, changed {}.{:09}",
                id.inode, modified.0, modified.1, changed.0, changed.1
            ),
        }
    }

    /// Says whether size and time of change are still what they were when the file was opened.
    ///
    /// # Errors
    /// `Changed`, naming expected and found.
    pub fn check_unchanged(&self) -> Result<()> {
        let metadata = self
            .file
            .metadata()
            .map_err(|e| Error::io("ask for the size of the input", e).in_file(&self.path))?;
        let now = Identity::of(&metadata);
        if now.size != self.identity.size {
            return Err(self.changed(format!("it had {} bytes, now it has {}", self.identity.size, now.size)));
        }
        if now.modified != self.identity.modified {
            let (seconds, nanoseconds) = self.identity.modified;
            let (now_seconds, now_nanoseconds) = now.modified;
            return Err(self.changed(format!(
                "it was last written at {seconds}.{nanoseconds:09} (seconds since 1970), now at \
                 {now_seconds}.{now_nanoseconds:09}"
            )));
        }
        Ok(())
    }

    /// Fills the buffers in turn from `offset`.
    pub(super) fn read_vectored_at(&self, mut offset: u64, mut buffers: &mut [IoSliceMut<'_>]) -> Result<()> {
        let mut left: u64 = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        while left > 0 {
            match retry(|| rustix::io::preadv(&self.file, buffers, offset)) {
                Ok(0) => return Err(self.ended(offset, left)),
                Ok(read) => {
                    IoSliceMut::advance_slices(&mut buffers, read);
                    offset += read as u64;
                    left -= read as u64;
                }
                Err(e) => return Err(self.unreadable(e).at(offset)),
            }
        }
        Ok(())
    }

    /// Writes `parts` to `file` from `file_offset` on, payload straight out of the mapping. `false` if there is no mapping.
    ///
    /// # Errors
    /// Of the input: with its path. Of the output: without one.
    pub(super) fn write_gathered(
        &self,
        parts: &[Gathered<'_>],
        file: &File,
        file_offset: u64,
    ) -> Result<bool> {
        let Some(map) = &self.map else { return Ok(false) };
        match map.write_gathered(parts, file, file_offset) {
            Ok(()) => Ok(true),
            // The only memory of ours that can fault is the mapping: the file was truncated, or its disk failed.
            Err(Errno::FAULT) => {
                self.check_unchanged()?;
                Err(self.unreadable(Errno::IO))
            }
            Err(e) => Err(refused("write the file", e)),
        }
    }

    /// Without the mapping, as on a file system that cannot map.
    #[cfg(test)]
    pub(super) fn without_map(mut self) -> Self {
        self.map = None;
        self
    }

    /// Says whether the file has these bytes.
    ///
    /// # Errors
    /// `Changed`, naming expected and found.
    pub(super) fn require_inside(&self, offset: u64, len: u64) -> Result<()> {
        match offset.checked_add(len) {
            Some(end) if end <= self.identity.size => Ok(()),
            _ => Err(self
                .changed(format!("{len} bytes are asked for, the file has {} in all", self.identity.size))
                .at(offset)),
        }
    }

    fn ended(&self, offset: u64, expected: u64) -> Error {
        let found = self.file.metadata().map_or(offset, |metadata| metadata.size());
        self.changed(format!(
            "{expected} bytes are expected here, the file had {} bytes and now has {found}",
            self.identity.size
        ))
        .at(offset)
    }

    fn unreadable(&self, source: Errno) -> Error {
        Error::io("read the input", source).in_file(&self.path)
    }

    fn changed(&self, what: String) -> Error {
        Error::new(ErrorKind::Changed { what: what.into() }).in_file(&self.path)
    }
}

impl ReadAt for Input {
    fn len(&self) -> u64 {
        self.identity.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.require_inside(offset, buffer.len() as u64)?;
        read_exact_at(&self.file, offset, buffer, |at, left| self.ended(at, left), |e| self.unreadable(e))
    }

    fn lend(&self, offset: u64, len: u64) -> Option<Lent<'_>> {
        // Looked at first, since a lease costs system calls.
        let map = self.map.as_ref()?;
        let range = map.kept(offset, len)?;
        map.lend(self.lease.as_ref()?.hold()?, range)
    }
}

/// The error of an input that cannot be opened, with what a person can do about it where that is known.
fn not_opened(source: io::Error) -> Error {
    let remedy = match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "check the path",
        io::ErrorKind::PermissionDenied => "change the permissions of the file or of a directory above it",
        _ => return Error::io("open the input", source),
    };
    Error::io("open the input", io::Error::new(source.kind(), format!("{source}; {remedy}")))
}

fn require_regular(metadata: &std::fs::Metadata) -> Result<()> {
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => {
            return Err(Error::unsupported("the input is a directory", "name the files in it"));
        }
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() => "a character device",
        () if kind.is_block_device() => "a block device",
        () => "not a regular file",
    };
    Err(Error::unsupported(
        format!("the input is {what}, and an input is read more than once, by position"),
        "write it to a file first, or spool it (Input::spool)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_by_position_and_not_past_the_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"0123456789").unwrap();
        let input = Input::open(file.path()).unwrap();
        let mut buffer = [0; 4];
        input.read_at(6, &mut buffer).unwrap();
        assert_eq!((&buffer, input.len()), (b"6789", 10));
        let error = input.read_at(7, &mut buffer).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
        assert!(input.read_at(u64::MAX, &mut buffer).is_err());
    }

    #[test]
    fn vectored_reads_fill_the_buffers_in_turn() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"0123456789").unwrap();
        let input = Input::open(file.path()).unwrap();
        let (mut a, mut b, mut c) = ([0; 3], [0; 0], [0; 4]);
        let slices = &mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b), IoSliceMut::new(&mut c)];
        input.read_vectored_at(2, slices).unwrap();
        assert_eq!((&a, &c), (b"234", b"5678"));
    }

    #[test]
    fn a_pipe_is_refused_at_once_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        // On a thread, so that an open that waits for a writer fails the test instead of hanging it.
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(Input::open(&path).map(drop)));
        let answer = receiver.recv_timeout(std::time::Duration::from_secs(10)).expect("open does not wait");
        let error = answer.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("not supported; write it to a file first"), "{error}");
        assert!(error.to_string().contains("a pipe"), "{error}");
    }

    #[test]
    fn devices_sockets_and_directories_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, word) in [
            (Path::new("/dev/null"), "character device"),
            (&socket, "a socket"),
            (directory.path(), "a directory"),
        ] {
            let error = Input::open(path).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Input::open(Path::new("no/such/file.h264")).unwrap_err();
        assert!(error.to_string().starts_with("no/such/file.h264: cannot open the input"), "{error}");
    }

    #[test]
    fn a_change_of_size_or_time_is_noticed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"0123456789").unwrap();
        let input = Input::open(file.path()).unwrap();
        input.check_unchanged().unwrap();
        file.as_file().set_len(4).unwrap();
        let error = input.check_unchanged().unwrap_err().to_string();
        assert!(error.contains("it had 10 bytes, now it has 4"), "{error}");
        let mut buffer = [0; 8];
        let error = input.read_at(2, &mut buffer).unwrap_err();
        assert!(error.to_string().contains("had 10 bytes and now has 4"), "{error}");
        file.as_file().set_len(10).unwrap();
        file.as_file().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let error = input.check_unchanged().unwrap_err().to_string();
        assert!(error.contains("now at 0.000000000"), "{error}");
    }

    #[test]
    fn an_empty_file_opens() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let input = Input::open(file.path()).unwrap();
        assert!(input.is_empty());
        input.read_at(0, &mut []).unwrap();
    }
}
