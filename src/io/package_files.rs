//! A directory as the files of a package, for [`crate::verify`]: nothing outside of it is opened, whatever a manifest says.

use std::path::Path;

use super::ReadAt;
use super::directory::Directory;
use crate::error::{Error, Result};
use crate::verify::files::{FileEntry, Files, OpenError};

/// The files below a directory.
#[derive(Debug)]
pub struct PackageFiles {
    directory: Directory,
}

impl PackageFiles {
    /// Opens the directory at `path`, which may lead through symbolic links.
    ///
    /// # Errors
    /// `Io` if there is none or it may not be read.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { directory: Directory::open(path)? })
    }
}

impl Files for PackageFiles {
    fn open(&self, path: &str) -> Result<Box<dyn ReadAt + '_>, OpenError> {
        let _ = path;
        Err(OpenError::Missing)
    }

    fn list(&self) -> Result<Vec<FileEntry>> {
        Err(Error::conflict("not listed", "").in_file(self.directory.path()))
    }
}
