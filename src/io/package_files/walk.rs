//! A path ► an open file below a directory, name by name, where the kernel does not do it in one call.
//!
//! Every name is opened relative to the directory before it and never through a link; a link is read, and the names in it
//! are gone through in its place. The directories passed are kept open, so that `..` goes back to where the way came from,
//! whatever is renamed meanwhile, and never above the first one. The answers are those of `openat2` with `RESOLVE_BENEATH`.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::super::directory::{BASE, Directory};
use super::super::retry;
use super::{FILE, MAX_DEPTH};

/// How many links one path may lead through, as in Linux (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// Opens the file or directory that `path` leads to.
///
/// # Errors
/// `XDEV` if it leads out of `top`, `LOOP` after too many links, `NAMETOOLONG` for too many directories; as `openat`.
pub(super) fn open(top: &Directory, path: &str) -> rustix::io::Result<OwnedFd> {
    if path.is_empty() {
        return Err(Errno::NOENT);
    }
    let mut way = Way { top, passed: Vec::new(), names: VecDeque::new(), links: 0 };
    way.insert(path.as_bytes())?;
    while let Some(name) = way.names.pop_front() {
        let is_last = way.names.is_empty();
        match &name[..] {
            b"." => {}
            b".." => drop(way.passed.pop().ok_or(Errno::XDEV)?),
            _ => {
                let flags = if is_last { FILE } else { BASE };
                match retry(|| {
                    rustix::fs::openat(way.at(), &name[..], flags | OFlags::NOFOLLOW, Mode::empty())
                }) {
                    Ok(fd) if is_last => return Ok(fd),
                    Ok(fd) if way.passed.len() < MAX_DEPTH => way.passed.push(fd),
                    Ok(_) => return Err(Errno::NAMETOOLONG),
                    Err(refusal @ (Errno::LOOP | Errno::NOTDIR)) => way.follow(&name, refusal)?,
                    Err(e) => return Err(e),
                }
            }
        }
    }
    // It ends at a directory that was passed.
    retry(|| rustix::fs::openat(way.at(), ".", FILE, Mode::empty()))
}

/// How far a path was gone.
struct Way<'t> {
    top: &'t Directory,
    /// The directories below the top that lead here.
    passed: Vec<OwnedFd>,
    /// What is still to be gone through.
    names: VecDeque<Vec<u8>>,
    links: usize,
}

impl Way<'_> {
    fn at(&self) -> BorrowedFd<'_> {
        self.passed.last().unwrap_or(&self.top.fd).as_fd()
    }

    /// Puts the names of `path` in front. A slash at its end asks for a directory: a `.` in it.
    fn insert(&mut self, path: &[u8]) -> rustix::io::Result<()> {
        if path.starts_with(b"/") {
            return Err(Errno::XDEV);
        }
        if path.ends_with(b"/") {
            self.names.push_front(b".".to_vec());
        }
        for name in path.rsplit(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            self.names.push_front(name.to_vec());
        }
        Ok(())
    }

    /// Goes on where the link `name` leads; `refusal` if it is none.
    fn follow(&mut self, name: &[u8], refusal: Errno) -> rustix::io::Result<()> {
        let target = match rustix::fs::readlinkat(self.at(), name, Vec::new()) {
            Ok(target) => target,
            // No link.
            Err(Errno::INVAL) => return Err(refusal),
            Err(e) => return Err(e),
        };
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        self.insert(target.as_bytes())
    }
}
