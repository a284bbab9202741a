//! A directory for output, made with its parents as far as they are missing, and removed again as far as nothing came into
//! it. Several workers may have the same one at the same time: each holds a shared lock on the directories that lead to
//! its files, and only who can get the lock alone removes a directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::directory::Directory;
use super::fault::{self, Operation};
use super::input::FileId;
use super::old_run::is_plain_path;
use super::refused;
use crate::error::{Error, ErrorKind, Result};

/// How often the path is made again when another worker, whose work failed, removes its empty directories meanwhile.
const ATTEMPTS: usize = 100;

/// How long a lock is waited for that somebody holds alone: who removes a directory has it for an instant, a run of the
/// packager until it ends.
const PATIENCE: Duration = Duration::from_millis(500);

/// An output directory. Dropping it removes what it made and is empty.
#[derive(Debug)]
pub(crate) struct OutputDirectory {
    /// The root and the directories below it down to the one for output.
    held: Vec<Arc<Directory>>,
    /// The root and its parents, as far as they were made here, outermost first.
    made_outside: Vec<PathBuf>,
    /// Directories below the root that were made here: place in `held`, and name; outermost first.
    made: Vec<(usize, String)>,
}

impl OutputDirectory {
    /// Opens `root`, and below it the directory `relative` (names with `/` between them; none is the root itself). Makes what
    /// of them is missing. The root's path may lead through symbolic links; below it none is followed.
    ///
    /// # Errors
    /// `Conflict` for a relative path with `..`, an absolute one and the like; `Io` if a directory cannot be made or opened.
    /// Then nothing that was made is left.
    pub(crate) fn create(root: &Path, relative: &str) -> Result<Self> {
        if !relative.is_empty() && !is_plain_path(relative) {
            let what = format!("{relative:?} cannot be the path of an output directory");
            let remedy = "name directories below the output directory, with / between them";
            return Err(Error::conflict(what, remedy).in_file(root));
        }
        let mut attempt = 1;
        loop {
            match Self::enter_all(root, relative) {
                Err(error) if is_not_found(&error) && attempt < ATTEMPTS => attempt += 1,
                answer => return answer,
            }
        }
    }

    fn enter_all(root: &Path, relative: &str) -> Result<Self> {
        let (top, made_outside) = make_top(root)?;
        let mut output = Self { held: vec![Arc::new(top)], made_outside, made: Vec::new() };
        let top = output.directory();
        hold(top).map_err(|e| e.in_file(root))?;
        // Another worker may have removed it between the opening and the lock.
        if !top.is_at(root) {
            return Err(refused("open the output directory", Errno::NOENT).in_file(root));
        }
        for name in relative.split('/').filter(|name| !name.is_empty()) {
            output.enter(name)?;
        }
        Ok(output)
    }

    /// The directory, to make files in.
    pub(crate) fn directory(&self) -> &Arc<Directory> {
        self.held.last().expect("the root is held")
    }

    /// Removes a published file, if its name still stands for the file that was published; says whether it did.
    ///
    /// # Errors
    /// `Io` if the file is there and cannot be removed.
    pub(crate) fn remove_published(&self, name: &str, id: FileId) -> Result<bool> {
        let directory = self.directory();
        directory
            .remove_own(name, id)
            .map_err(|e| refused("remove the file", e).in_file(&directory.path.join(name)))
    }

    /// Goes to the child `name`, which is made if it is missing.
    fn enter(&mut self, name: &str) -> Result<()> {
        let parent = Arc::clone(self.directory());
        let failed = |e: Errno| refused("make the directory", e).in_file(&parent.path.join(name));
        let made = parent.make_child(name).map_err(failed)?;
        let child = parent.child(name).map_err(|e| {
            if made {
                let _ = parent.remove_empty_child(name);
            }
            failed(e)
        })?;
        self.held.push(Arc::new(child));
        if made {
            self.made.push((self.held.len() - 1, name.to_owned()));
        }
        let child = self.directory();
        hold(child).map_err(|e| e.in_file(&child.path))?;
        if !parent.is_child(name, child).map_err(failed)? {
            return Err(failed(Errno::NOENT));
        }
        Ok(())
    }
}

impl Drop for OutputDirectory {
    fn drop(&mut self) {
        // What has something in it stays, and what another worker holds; so does what cannot be removed, which is harmless.
        for (index, name) in self.made.iter().rev() {
            let (parent, child) = (&self.held[index - 1], &self.held[*index]);
            if hold_alone(child) && parent.is_child(name, child).unwrap_or(false) {
                let _ = parent.remove_empty_child(name);
            }
        }
        let root = self.made_outside.last();
        if root.is_some_and(|root| hold_alone(&self.held[0]) && self.held[0].is_at(root)) {
            for path in self.made_outside.iter().rev() {
                let _ = rustix::fs::rmdir(path);
            }
        }
    }
}

/// Shares the lock of a directory until its handle is closed. Where directories cannot be locked nobody holds one.
///
/// # Errors
/// `Conflict` if somebody has it alone, and keeps it.
fn hold(directory: &Directory) -> Result<()> {
    const PAUSE: Duration = Duration::from_millis(5);
    let mut left = PATIENCE;
    while rustix::fs::flock(&directory.fd, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK) {
        left = left.checked_sub(PAUSE).ok_or_else(|| {
            Error::conflict(
                "another run of fragmint has the directory for itself",
                "wait for it, or choose another directory",
            )
        })?;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Gives the shared lock back, and says whether nobody else has it.
fn hold_alone(directory: &Directory) -> bool {
    rustix::fs::flock(&directory.fd, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK)
}

/// Makes the directory and its parents as far as they are missing; says which those were, outermost first.
pub(super) fn make_top(path: &Path) -> Result<(Directory, Vec<PathBuf>)> {
    let absolute =
        std::path::absolute(path).map_err(|e| refused("find the output directory", e).in_file(path))?;
    let missing: Vec<_> = absolute.ancestors().take_while(|path| is_missing(path)).collect();
    let mut made = Vec::new();
    let make = || -> Result<Directory> {
        for directory in missing.into_iter().rev() {
            match make_directory(directory) {
                Ok(()) => made.push(directory.to_path_buf()),
                Err(Errno::EXIST) => {}
                Err(e) => return Err(refused("make the output directory", e).in_file(directory)),
            }
        }
        Directory::open(path)
    };
    match make() {
        Ok(directory) => Ok((directory, made)),
        Err(error) => {
            for directory in made.iter().rev() {
                let _ = std::fs::remove_dir(directory);
            }
            Err(error)
        }
    }
}

fn make_directory(path: &Path) -> Result<(), Errno> {
    fault::check(Operation::CreateDirectory)?;
    rustix::fs::mkdir(path, rustix::fs::Mode::from_raw_mode(0o777))
}

fn is_not_found(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

pub(super) fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests;
