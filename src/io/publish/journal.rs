//! The lists that a run leaves in its directory: the journal before its first file, the receipt after its last.
//!
//! The journal names every file that is to come and what they follow from, so that a run that was killed can go on, and the
//! files of an older run that it replaces, so that whatever stops it nothing is left that no list names.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::io::directory::Directory;

/// Name of the receipt: what a finished run wrote.
pub const RECEIPT: &str = "fragmint.json";

/// Name of the journal: what a run that is not finished is going to write.
pub const JOURNAL: &str = "fragmint.journal";

/// The largest receipt or journal that is read: millions of files.
const MAX_LIST: u64 = 256 << 20;

/// What to do when a list cannot be believed.
pub(in crate::io) const REMEDY: &str =
    "nothing was removed; choose another output directory, or clear this one by hand";

/// What the bytes of a package follow from, by names that people know: inputs, options, version. A run goes on only with the
/// same.
pub type Settings = BTreeMap<String, String>;

/// One file of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Relative to the output directory, with `/` between the names.
    pub path: String,
    /// Size; not in a journal for files whose size is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Of a media segment, in ticks of its track; in a receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// Hash of the content in hexadecimal digits; in a receipt, if it was not left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

impl WrittenFile {
    /// A file of which path and size are known.
    pub fn new(path: String, bytes: u64) -> Self {
        Self { path, bytes: Some(bytes), ..Self::default() }
    }
}

/// A journal, or the part of a receipt that says which files are a run's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFiles {
    /// What the files follow from; of a journal.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
    /// In the order of the plan.
    pub files: Vec<WrittenFile>,
    /// Paths of an older run's files, which go before the first of these comes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
}

impl WrittenFiles {
    /// The list's bytes.
    ///
    /// # Errors
    /// `TooLarge` for one that could not be read again.
    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self).expect("strings and numbers always serialise");
        text.push(b'\n');
        if text.len() as u64 > MAX_LIST {
            return Err(Error::new(ErrorKind::TooLarge {
                what: "the list of the files to be written, in bytes,".into(),
                value: text.len() as u64,
                limit: MAX_LIST,
                clause: "fragmint: docs/report.md",
                remedy: "use longer segments, or package the inputs in several directories".into(),
            }));
        }
        Ok(text)
    }

    /// Whether both are lists of the same files with the same sizes.
    pub(super) fn has_files(&self, files: &[WrittenFile]) -> bool {
        let facts = |file: &WrittenFile| (file.path.clone(), file.bytes);
        let sorted = |files: &[WrittenFile]| {
            let mut files: Vec<_> = files.iter().map(facts).collect();
            files.sort_unstable();
            files
        };
        sorted(&self.files) == sorted(files)
    }

    /// What differs first between these settings and `settings`, in words.
    pub(super) fn difference(&self, settings: &Settings) -> Option<String> {
        let names = self.settings.keys().chain(settings.keys());
        let differing: Option<&String> =
            names.filter(|name| self.settings.get(*name) != settings.get(*name)).min();
        let told = |settings: &Settings, name: &String| {
            settings.get(name).map_or_else(|| "absent".to_owned(), |value| format!("{value:?}"))
        };
        differing
            .map(|name| format!("{name} was {}, is {}", told(&self.settings, name), told(settings, name)))
    }
}

/// The list `name` in a directory; `None` if there is none.
///
/// # Errors
/// `Conflict` if it is damaged or no regular file, `Io` if it cannot be read.
pub(in crate::io) fn read_list(top: &Directory, name: &str) -> Result<Option<WrittenFiles>> {
    let path = top.path().join(name);
    let damaged = |what: String, path: &Path| {
        Error::conflict(format!("the old run's list is damaged: {what}"), REMEDY).in_file(path)
    };
    let file = match top.open_file(name) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::ISDIR | Errno::INVAL | Errno::NXIO) => {
            return Err(damaged("it is not a regular file".to_owned(), &path));
        }
        Err(e) => return Err(Error::io("open the old run's list", e).in_file(&path)),
    };
    let mut text = Vec::new();
    file.take(MAX_LIST + 1)
        .read_to_end(&mut text)
        .map_err(|e| Error::io("read the old run's list", e).in_file(&path))?;
    if text.len() as u64 > MAX_LIST {
        return Err(damaged(format!("it has more than {MAX_LIST} bytes"), &path));
    }
    serde_json::from_slice(&text).map(Some).map_err(|e| damaged(e.to_string(), &path))
}
