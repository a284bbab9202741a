//! A stream that is read once, in order ► an unnamed file that can be read by position.
//!
//! The file never has a name, or where the file system has no unnamed files loses it before the first byte is written: whatever
//! ends the process, nothing of it is left. Memory is one buffer, however long the stream is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::directory::BASE;
use super::fault::{self, Operation};
use super::{fill, retry};
use crate::error::{Error, Result};
use crate::hash::{ContentHash, ContentHasher};

/// Bytes that are read at a time; a pipe gives 64 KiB at most unless somebody made it larger.
const BUFFER: usize = 256 * 1024;

/// How long to wait where somebody made the stream one that does not wait by itself.
const PAUSE: Duration = Duration::from_millis(5);

/// How many names to try where another process has the first.
const ATTEMPTS: u32 = 100;

/// Reads `stream` to its end into an unnamed file on the file system of `directory`, and tells `progress` of bytes. Gives the file
/// and the hash of what is in it.
///
/// # Errors
/// `Io` of the stream, with `name` and the byte it ended at; `Io` of the file, with the path of the directory.
pub(super) fn spool(
    stream: &mut impl Read,
    name: &Path,
    directory: &Path,
    progress: &dyn Fn(u64),
) -> Result<(File, ContentHash)> {
    let file = make(directory).map_err(|e| refused("make a temporary file", e, directory))?;
    let mut buffer = vec![0; BUFFER];
    let mut len = 0;
    let mut hasher = ContentHasher::default();
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok((file, hasher.finish())),
            Ok(read) => {
                fault::check(Operation::Write)
                    .and_then(|()| fill::write_all_at(&file, &buffer[..read], len))
                    .map_err(|e| refused("write a temporary file", e, directory))?;
                hasher.update(&buffer[..read]);
                len += read as u64;
                progress(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) => return Err(Error::io("read the input", error).at(len).in_file(name)),
        }
    }
}

/// An empty file without a name.
fn make(path: &Path) -> Result<File, Errno> {
    let directory = rustix::fs::open(path, BASE, Mode::empty())?;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let open = |name: &str, more| {
        fault::check(Operation::CreateFile)?;
        retry(|| rustix::fs::openat(&directory, name, flags | more, mode))
    };
    let unnamed = fault::check(Operation::UnnamedFile)
        .map_err(|_| Errno::OPNOTSUPP)
        .and_then(|()| open(".", OFlags::TMPFILE));
    match unnamed {
        // What file systems and kernels without unnamed files say.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {}
        answer => return Ok(File::from(answer?)),
    }
    let process = rustix::process::getpid().as_raw_nonzero();
    let mut attempt = 0;
    loop {
        let name = format!(".fragmint-{process}-{attempt}.tmp");
        match open(&name, OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW) {
            Err(Errno::EXIST) if attempt < ATTEMPTS => attempt += 1,
            Err(e) => return Err(e),
            Ok(file) => {
                rustix::fs::unlinkat(&directory, &name, AtFlags::empty())?;
                return Ok(File::from(file));
            }
        }
    }
}

/// The error of a system call on the temporary file, with what a person can do about it.
fn refused(action: &'static str, source: Errno, directory: &Path) -> Error {
    let source = io::Error::from(source);
    let remedy = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "an input that is no file is kept here: free some space, or set TMPDIR to a directory on another disk"
        }
        io::ErrorKind::FileTooLarge => "raise the limit for the size of a file (ulimit -f)",
        _ => "an input that is no file is kept here: set TMPDIR to a directory that can be written",
    };
    Error::io(action, io::Error::new(source.kind(), format!("{source}; {remedy}"))).in_file(directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::super::ReadAt as _;
    use super::super::input::Input;
    use super::*;

    /// Gives `left` bytes in small pieces, interrupted and made to wait in between, and then ends or fails.
    struct Stream {
        left: usize,
        given: usize,
        reads: usize,
        fails: bool,
    }

    impl Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            match self.reads % 5 {
                1 => return Err(io::ErrorKind::Interrupted.into()),
                2 => return Err(io::ErrorKind::WouldBlock.into()),
                _ if self.left == 0 && self.fails => return Err(Errno::IO.into()),
                _ => {}
            }
            let now = self.left.min(70_001).min(buffer.len());
            for (place, byte) in buffer[..now].iter_mut().enumerate() {
                *byte = byte_at(self.given + place);
            }
            self.left -= now;
            self.given += now;
            Ok(now)
        }
    }

    fn byte_at(place: usize) -> u8 {
        (place / 251 + place % 251) as u8
    }

    fn stream(left: usize, fails: bool) -> Stream {
        Stream { left, given: 0, reads: 0, fails }
    }

    fn spooled(stream: &mut Stream, directory: &Path) -> Result<(Input, u64)> {
        let told = std::cell::Cell::new(0);
        let progress = |bytes| told.set(told.get() + bytes);
        let input = Input::spool(stream, Path::new("standard input"), directory, &progress)?;
        Ok((input, told.get()))
    }

    fn is_empty(directory: &Path) -> bool {
        std::fs::read_dir(directory).unwrap().next().is_none()
    }

    #[test]
    fn every_byte_of_a_stream_is_in_the_file_and_the_file_has_no_name() {
        let directory = tempfile::tempdir().unwrap();
        for unnamed in [true, false] {
            if !unnamed {
                fault::fail_at(Operation::UnnamedFile, 0);
            }
            let (input, told) = spooled(&mut stream(1_000_003, false), directory.path()).unwrap();
            assert_eq!(fault::fired(), !unnamed);
            fault::reset();
            assert_eq!((input.len(), told), (1_000_003, 1_000_003));
            let mut bytes = vec![0; 1_000_003];
            input.read_at(0, &mut bytes).unwrap();
            assert!(bytes.iter().enumerate().all(|(place, &byte)| byte == byte_at(place)));
            assert_eq!(input.path(), Path::new("standard input"));
            input.check_unchanged().unwrap();
            assert!(is_empty(directory.path()));
            let device = std::fs::metadata(directory.path()).unwrap().dev();
            assert_eq!(input.identity().id.device, device);
        }
    }

    #[test]
    fn an_empty_stream_is_an_empty_input() {
        let directory = tempfile::tempdir().unwrap();
        assert!(spooled(&mut stream(0, false), directory.path()).unwrap().0.is_empty());
    }

    #[test]
    fn a_stream_that_fails_is_named_with_the_byte_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let error = spooled(&mut stream(300_000, true), directory.path()).unwrap_err().to_string();
        assert!(error.starts_with("standard input @ 0x493e0: cannot read the input"), "{error}");
        assert!(is_empty(directory.path()));
    }

    #[test]
    fn a_full_disk_is_an_error_with_its_place_and_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        fault::fail_at(Operation::Write, 2);
        let error = spooled(&mut stream(300_000, false), directory.path()).unwrap_err();
        fault::reset();
        assert_eq!(error.path(), Some(directory.path()));
        assert!(
            error.to_string().contains("No space left") && error.to_string().contains("TMPDIR"),
            "{error}"
        );
        assert!(is_empty(directory.path()));
    }

    #[test]
    fn a_directory_that_cannot_hold_it_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let error = spooled(&mut stream(1, false), &missing).unwrap_err();
        assert_eq!(error.path(), Some(&*missing));
        assert!(error.to_string().contains("cannot make a temporary file"), "{error}");
    }

    #[test]
    fn a_name_that_another_process_has_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let theirs = directory.path().join(format!(".fragmint-{}-0.tmp", std::process::id()));
        std::fs::write(&theirs, "theirs").unwrap();
        fault::fail_at(Operation::UnnamedFile, 0);
        let answer = spooled(&mut stream(10, false), directory.path());
        fault::reset();
        assert_eq!(answer.unwrap().0.len(), 10);
        assert_eq!(std::fs::read(&theirs).unwrap(), b"theirs");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
