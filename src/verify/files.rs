//! Where the files of a package come from, and what of them is a file of it.

#[cfg(test)]
pub(in crate::verify) mod broken;

use crate::error::Error;
use crate::io::ReadAt;

use super::rules::declare_rules;

declare_rules! {
    FILE_MISSING: Error "file-missing", "RFC 8216 3, ISO/IEC 23009-1 5.3.9 (not opened)",
        "every file that a manifest names is there";
    FILE_OUTSIDE: Error "file-outside", "fragmint: a package is one directory",
        "no name leads out of the directory, through .. or a link";
    FILE_UNREADABLE: Error "file-unreadable", "fragmint: every byte is read",
        "every file that a manifest names can be read";
    FILE_ELSEWHERE: Warning "file-elsewhere", "fragmint: a package is one directory",
        "every file lies in the package: what another host serves is not checked";
    FILE_REPEATED: Warning "file-repeated", "fragmint: what is read is bounded",
        "manifests name no byte of a file more than a few times: more than 16 times the bytes of a file are not read of it";
    PLAYLIST_UNNAMED: Warning "playlist-unnamed", "fragmint: a player finds media playlists by a multivariant one",
        "where there is a multivariant playlist, each media playlist in the directory is named by one";
}

/// The files of one package, named by paths relative to its directory, with `/` between the names.
pub trait Files: Sync {
    /// Opens a regular file. `path` may be anything that a manifest says: nothing outside of the directory is opened.
    ///
    /// # Errors
    /// Which of the four it is.
    fn open(&self, path: &str) -> Result<Box<dyn ReadAt + '_>, OpenError>;

    /// The paths and sizes of all files, sorted by path.
    ///
    /// # Errors
    /// `Io` if a directory cannot be read, `TooLarge` if there are more than can be listed.
    fn list(&self) -> crate::Result<Vec<FileEntry>>;
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Path relative to the directory.
    pub path: String,
    /// Size.
    pub bytes: u64,
}

/// Why a file cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// There is none of that name.
    Missing,
    /// The name leads out of the directory.
    Outside,
    /// It is no regular file.
    NotRegular,
    /// The system refuses.
    Failed(Error),
}
