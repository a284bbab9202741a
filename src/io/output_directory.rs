//! A directory for output, made with its parents as far as they are missing, and removed again as far as nothing came into
//! it. Several workers may make the same one at the same time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::directory::Directory;
use super::fault::{self, Operation};
use super::input::FileId;
use super::old_run::is_plain_path;
use super::refused;
use crate::error::{Error, ErrorKind, Result};

/// How often the path is made again when another worker, whose work failed, removes its empty directories meanwhile.
const ATTEMPTS: usize = 100;

/// An output directory. Dropping it removes what it made and is empty.
#[derive(Debug)]
pub(crate) struct OutputDirectory {
    directory: Arc<Directory>,
    /// The root and its parents, as far as they were made here, outermost first.
    made_outside: Vec<PathBuf>,
    /// Directories below the root that were made here, by parent and name, outermost first.
    made: Vec<(Arc<Directory>, String)>,
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
        let mut output = Self { directory: Arc::new(top), made_outside, made: Vec::new() };
        for name in relative.split('/').filter(|name| !name.is_empty()) {
            output.enter(name)?;
        }
        Ok(output)
    }

    /// The directory, to make files in.
    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Removes a published file, if its name still stands for the file that was published; says whether it did.
    ///
    /// # Errors
    /// `Io` if the file is there and cannot be removed.
    pub(crate) fn remove_published(&self, name: &str, id: FileId) -> Result<bool> {
        self.directory
            .remove_own(name, id)
            .map_err(|e| refused("remove the file", e).in_file(&self.directory.path.join(name)))
    }

    /// Goes to the child `name`, which is made if it is missing.
    fn enter(&mut self, name: &str) -> Result<()> {
        let parent = Arc::clone(&self.directory);
        let failed = |e: Errno| refused("make the directory", e).in_file(&parent.path.join(name));
        if parent.make_child(name).map_err(failed)? {
            // Noted before anything can fail, so that it is removed.
            self.made.push((Arc::clone(&parent), name.to_owned()));
        }
        self.directory = Arc::new(parent.child(name).map_err(failed)?);
        Ok(())
    }
}

impl Drop for OutputDirectory {
    fn drop(&mut self) {
        // What has something in it stays; so does what cannot be removed, which is empty and harmless.
        for (parent, name) in self.made.iter().rev() {
            let _ = parent.remove_empty_child(name);
        }
        for path in self.made_outside.iter().rev() {
            let _ = rustix::fs::rmdir(path);
        }
    }
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
