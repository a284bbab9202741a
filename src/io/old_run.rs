//! What `--force` may remove: exactly the files that the receipt or the journal of an old run names, and directories that
//! become empty by it.
//!
//! Both are files that anybody may have written, so they are believed in nothing: a path must be relative and without `..`, no
//! part of it may be a symbolic link, it must lead to a regular file, and never to an input. Everything is looked at before
//! the first file is removed; one path that breaks a rule, and nothing is.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rustix::fs::FileType;
use rustix::io::Errno;

use super::directory::Directory;
use super::input::FileId;
use super::publish::{JOURNAL, RECEIPT, REMEDY, is_manifest, read_list, removal_rank};
use super::refused;
use super::segment_file::partial_name;
use crate::error::{Error, Result};

/// The checked list of what is to be removed.
#[derive(Debug)]
pub(super) struct OldRun<'d> {
    top: &'d Directory,
    /// Below the top, by path, each behind its parent.
    directories: BTreeMap<String, Directory>,
    /// Paths of files that are there.
    files: BTreeSet<String>,
}

impl<'d> OldRun<'d> {
    /// Reads the lists of the old run in `top` and looks at everything that they name.
    ///
    /// # Errors
    /// `Conflict` with what forbids it; then `--force` cannot help.
    pub(super) fn find(top: &'d Directory, inputs: &HashSet<FileId>) -> Result<Self> {
        let mut run = Self { top, directories: BTreeMap::new(), files: BTreeSet::new() };
        for list in [RECEIPT, JOURNAL] {
            let Some(files) = read_list(top, list)? else { continue };
            for path in files.files.iter().map(|file| &file.path).chain(&files.replaces) {
                if ![RECEIPT, JOURNAL].contains(&path.as_str()) {
                    run.add(list, path, inputs)?;
                }
            }
        }
        Ok(run)
    }

    /// Whether `path` will be removed.
    pub(super) fn removes(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    /// Forgets the files that are not to be `removed`.
    pub(super) fn retain(&mut self, removed: impl Fn(&str) -> bool) {
        self.files.retain(|path| removed(path));
    }

    /// Removes the receipt, for a directory with one is complete; then the manifests, the other files, and the directories
    /// that are empty by now. A journal has to name all of them meanwhile, so that it can be done again where it was broken off.
    pub(super) fn remove(self) -> Result<()> {
        let failed =
            |path: &str, e| refused("remove a file of the old run", e).in_file(&self.top.path.join(path));
        for name in [RECEIPT.to_owned(), partial_name(RECEIPT), partial_name(JOURNAL)] {
            self.top.remove_file(&name).map_err(|e| failed(&name, e))?;
        }
        let order = self.order();
        let (manifests, others) = order.split_at(order.partition_point(|path| is_manifest(path)));
        let remove = |path: &str| {
            let (directory, name) = self.parent(path);
            directory.remove_file(name).map_err(|e| failed(path, e))
        };
        manifests.iter().try_for_each(|path| remove(path).map(drop))?;
        // A manifest that comes back with the power must not name what is gone.
        for directory in self.directories.values().chain([self.top]) {
            directory.sync_if_durable()?;
        }
        others.iter().try_for_each(|path| remove(path).map(drop))?;
        for path in self.directories.keys().rev() {
            let (directory, name) = self.parent(path);
            directory.remove_empty_child(name).map_err(|e| {
                refused("remove a directory of the old run", e).in_file(&self.top.path.join(path))
            })?;
        }
        Ok(())
    }

    /// The paths of the files, sorted.
    pub(super) fn paths(&self) -> impl Iterator<Item = &String> {
        self.files.iter()
    }

    /// The files in the order of their removal.
    pub(super) fn order(&self) -> Vec<&str> {
        let mut order: Vec<_> = self.files.iter().map(String::as_str).collect();
        order.sort_by_key(|path| removal_rank(path));
        order
    }

    fn parent<'a>(&'a self, path: &'a str) -> (&'a Directory, &'a str) {
        match path.rsplit_once('/') {
            Some((parent, name)) => (self.directories.get(parent).unwrap_or(self.top), name),
            None => (self.top, path),
        }
    }

    fn add(&mut self, list: &str, path: &str, inputs: &HashSet<FileId>) -> Result<()> {
        let refuse = |what: &str| {
            let what = format!("{list} names {path:?}, {what}");
            Err(Error::conflict(what, REMEDY).in_file(&self.top.path))
        };
        if !is_plain_path(path) {
            return refuse("which is no path inside the directory");
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self.open_parents(parent) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return refuse("which leads through something that is no directory, such as a link");
            }
            Err(e) => return Err(refused("look at the old run", e).in_file(&self.top.path.join(path))),
        }
        for name in [name.to_owned(), partial_name(name)] {
            let found = self.parent(path).0.look_at(&name);
            let found =
                found.map_err(|e| refused("look at the old run", e).in_file(&self.top.path.join(path)))?;
            match found {
                None => {}
                Some(entry) if entry.kind != FileType::RegularFile => {
                    return refuse("which is not a regular file");
                }
                Some(entry) if inputs.contains(&entry.id) => return refuse("which is an input of this run"),
                Some(_) if parent.is_empty() => drop(self.files.insert(name)),
                Some(_) => drop(self.files.insert(format!("{parent}/{name}"))),
            }
        }
        Ok(())
    }

    /// Opens the directories on the way to `path`; `false` if one is missing.
    fn open_parents(&mut self, path: &str) -> rustix::io::Result<bool> {
        if path.is_empty() || self.directories.contains_key(path) {
            return Ok(true);
        }
        let mut end = 0;
        for name in path.split('/') {
            let start = end;
            end += name.len();
            if !self.directories.contains_key(&path[..end]) {
                let parent = if start == 0 { self.top } else { &self.directories[&path[..start - 1]] };
                match parent.child(name) {
                    Ok(child) => drop(self.directories.insert(path[..end].to_owned(), child)),
                    Err(Errno::NOENT) => return Ok(false),
                    Err(e) => return Err(e),
                }
            }
            end += 1;
        }
        Ok(true)
    }
}

/// The names in the output directory that are an old run's lists, whole or being made.
pub(super) fn own_names() -> [String; 4] {
    // The journal is the very last: with it alone, the directory is still known as an old run's.
    [partial_name(RECEIPT), partial_name(JOURNAL), RECEIPT.to_owned(), JOURNAL.to_owned()]
}

/// Whether `path` is relative, and names with `/` between them: no empty ones, no `.`, no `..`.
pub(super) fn is_plain_path(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0'))
}
