//! What is in a directory: every file with its size, hash, inode and time of change, every directory.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A directory by the paths below it, with `/` between the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, Entry>);

/// What stands under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Its time of change says nothing: making and removing a file in it sets it.
    Directory {
        inode: u64,
    },
    File(File),
    /// A link or worse.
    Other,
}

/// A regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub inode: u64,
    /// Seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    pub bytes: Vec<u8>,
}

impl Tree {
    /// `None` where there is no directory.
    pub fn read(root: &Path) -> Option<Self> {
        let mut tree = BTreeMap::new();
        read_into(&mut tree, root, "").ok()?;
        Some(Self(tree))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub fn file(&self, path: &str) -> Option<&File> {
        match self.0.get(path) {
            Some(Entry::File(file)) => Some(file),
            _ => None,
        }
    }

    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    pub fn files(&self) -> impl Iterator<Item = (&String, &File)> {
        self.0.iter().filter_map(|(path, entry)| match entry {
            Entry::File(file) => Some((path, file)),
            _ => None,
        })
    }

    /// How the bytes of the files differ from those of `expected`, which has every file; nothing where they do not.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut problems = Vec::new();
        for (path, file) in self.files() {
            match expected.file(path) {
                None => problems.push(format!("{path} should not be there")),
                Some(other) if other.bytes != file.bytes => {
                    let at = file.bytes.iter().zip(&other.bytes).position(|(a, b)| a != b);
                    let (found, wanted) = (file.bytes.len(), other.bytes.len());
                    problems.push(format!("{path} has {found} bytes of {wanted}, differs at {at:?}"));
                }
                Some(_) => {}
            }
        }
        let missing = expected.files().filter(|(path, _)| self.file(path).is_none());
        problems.extend(missing.map(|(path, _)| format!("{path} is missing")));
        problems
    }

    /// One hash over paths and bytes of all files, in path order.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (path, file) in self.files() {
            hash.update(path.as_bytes());
            hash.update([0]);
            hash.update((file.bytes.len() as u64).to_be_bytes());
            hash.update(&file.bytes);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn read_into(tree: &mut BTreeMap<String, Entry>, directory: &Path, prefix: &str) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let metadata = entry.path().symlink_metadata()?;
        let found = if metadata.is_dir() {
            read_into(tree, &entry.path(), &format!("{name}/"))?;
            Entry::Directory { inode: metadata.ino() }
        } else if metadata.is_file() {
            let modified = (metadata.mtime(), metadata.mtime_nsec());
            Entry::File(File { inode: metadata.ino(), modified, bytes: std::fs::read(entry.path())? })
        } else {
            Entry::Other
        };
        tree.insert(name, found);
    }
    Ok(())
}
