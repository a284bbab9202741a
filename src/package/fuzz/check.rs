//! What has to hold after a run, whatever was in the output directory before it.

use std::collections::BTreeSet;

use super::place::{Entry, Place, Tree};
use crate::error::{Error, ErrorKind};
use crate::io::publish::{Existing, JOURNAL, RECEIPT, WrittenFiles, is_manifest};
use crate::package::Report;

/// The reserved name of a file that is being made.
pub(super) fn partial(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((parent, name)) => format!("{parent}/.{name}.part"),
        None => format!(".{path}.part"),
    }
}

/// The output directory before and after a run.
pub(super) struct Step<'p> {
    pub(super) place: &'p Place,
    pub(super) existing: Existing,
    pub(super) before: Tree,
    pub(super) after: Tree,
}

impl Step<'_> {
    /// What holds of any run, and what else of this one.
    pub(super) fn check(&self, result: &Result<Report, Error>) {
        self.others_are_untouched();
        match result {
            Ok(report) => self.check_success(report),
            Err(error) => self.check_failure(error),
        }
        let refused = self.must_be_refused();
        assert!(!refused || result.is_err(), "it was to be refused");
        if self.must_succeed() {
            assert!(!refused);
            assert!(result.is_ok(), "{:?} was to go well: {}", self.existing, result.as_ref().unwrap_err());
        }
    }

    fn is_unchanged(&self) -> bool {
        self.before == self.after
    }

    /// What no list of a run names stays as it is, and so do directories that lead to none of that.
    fn others_are_untouched(&self) {
        let listed = listed(&self.before);
        let own = |path: &String| {
            let whole = listed.contains(path) || [RECEIPT, JOURNAL].contains(&path.as_str());
            whole || listed.iter().chain(&lists()).any(|listed| *path == partial(listed))
        };
        let leads = |directory: &str| {
            let prefix = format!("{directory}/");
            listed.iter().chain(self.place.expected.keys()).any(|path| path.starts_with(&prefix))
        };
        for (path, entry) in &self.before {
            let stays = match entry {
                Entry::Directory { .. } => !leads(path),
                _ => !own(path),
            };
            assert!(!stays || self.after.get(path) == Some(entry), "{path:?} is of others");
        }
    }

    fn check_success(&self, report: &Report) {
        for (path, bytes) in &self.place.expected {
            assert!(holds(&self.after, path, bytes), "{path} is not as it has to be");
        }
        let mut kept = 0;
        for (path, bytes) in &self.place.expected {
            if self.existing == Existing::Resume && path != RECEIPT && holds(&self.before, path, bytes) {
                let again = is_manifest(path) && self.before.contains_key(JOURNAL);
                kept += u64::from(!again);
                assert!(again || self.before.get(path) == self.after.get(path), "{path} was made again");
            }
        }
        assert_eq!(report.kept, kept);
        assert!(!self.after.contains_key(JOURNAL));
        if self.is_unchanged() {
            assert_eq!(self.existing, Existing::Resume);
            return;
        }
        for path in listed(&self.before).iter().chain(&lists()) {
            assert!(!self.after.contains_key(&partial(path)), "{} is left", partial(path));
        }
        for path in self.after.keys().filter(|path| !matches!(self.after[*path], Entry::Directory { .. })) {
            let known = self.place.expected.contains_key(path) || self.before.contains_key(path);
            assert!(known, "{path:?} was not there, and is not of the plan");
        }
    }

    fn check_failure(&self, error: &Error) {
        let kind = matches!(
            error.kind(),
            ErrorKind::Conflict { .. } | ErrorKind::Io { .. } | ErrorKind::Changed { .. }
        );
        assert!(kind, "{error}");
        if self.is_unchanged() {
            return;
        }
        assert!(self.existing != Existing::Refuse, "a run was refused and changed something: {error}");
        let planned = || self.place.expected.keys().filter(|path| *path != RECEIPT);
        let left = planned().find(|path| is_manifest(path) && self.after.contains_key(*path));
        for path in planned().filter(|path| !is_manifest(path)) {
            let same = self.before.get(path) == self.after.get(path);
            assert!(left.is_none() || same, "{left:?} is left, and {path} is another: {error}");
            let whole = holds(&self.before, path, &self.place.expected[path]);
            assert!(self.existing != Existing::Resume || !whole || same, "{path} was whole: {error}");
        }
        // What is left of an old run is still known as such.
        let known = listed(&self.after);
        for path in listed(&self.before) {
            let left = matches!(self.after.get(&path), Some(Entry::File { .. }));
            assert!(!left || known.contains(&path), "no list names {path:?} any more: {error}");
        }
    }

    /// Whether the directory is empty or not there.
    fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// Whether the directory may not be touched, or was another run's, or a list in it names what must not be believed.
    fn must_be_refused(&self) -> bool {
        let is_known =
            |path: &String| self.before.contains_key(path) || self.before.contains_key(&partial(path));
        let known = lists().iter().any(is_known);
        let foreign = listed(&self.before).iter().any(|path| !self.may_be_removed(path));
        let another = match self.existing {
            Existing::Refuse => true,
            Existing::Replace => false,
            Existing::Resume => self.before.contains_key(JOURNAL) && !self.is_same_run(),
        };
        !self.is_empty() && (another || !known || foreign)
    }

    /// Whether nothing is in the way of the run.
    fn must_succeed(&self) -> bool {
        let goes_on = match self.existing {
            Existing::Refuse => return self.is_empty(),
            Existing::Replace => true,
            Existing::Resume => self.is_same_run() || !self.before.contains_key(JOURNAL),
        };
        self.is_empty() || self.is_finished() || (goes_on && self.is_removable())
    }

    /// Whether the journal is of a run with the same files and settings.
    fn is_same_run(&self) -> bool {
        let facts = |list: WrittenFiles| {
            let mut files: Vec<_> = list.files.into_iter().map(|file| (file.path, file.bytes)).collect();
            files.sort_unstable();
            (list.settings, files)
        };
        let own = serde_json::from_slice(&self.place.journal).expect("a list");
        read(&self.before, JOURNAL).flatten().is_some_and(|found| facts(found) == facts(own))
    }

    /// Whether the very package is there, complete.
    fn is_finished(&self) -> bool {
        self.existing == Existing::Resume
            && !self.before.contains_key(JOURNAL)
            && self.place.expected.iter().all(|(path, bytes)| holds(&self.before, path, bytes))
    }

    /// Whether there is an old run, all of which may be removed, and nothing else where files of the plan come.
    fn is_removable(&self) -> bool {
        let is_file = |path: &String| matches!(self.before.get(path), None | Some(Entry::File { .. }));
        let own: Vec<_> = lists().into_iter().flat_map(|path| [partial(&path), path]).collect();
        // A receipt alone is not gone on with, unless it is of this package.
        let receipt_alone = self.existing == Existing::Resume
            && self.before.contains_key(RECEIPT)
            && !self.before.contains_key(JOURNAL);
        let readable = [RECEIPT, JOURNAL].iter().all(|name| read(&self.before, name) != Some(None));
        let listed = listed(&self.before);
        own.iter().all(is_file)
            && own.iter().any(|path| self.before.contains_key(path))
            && readable
            && !receipt_alone
            && listed.iter().all(|path| self.may_be_removed(path))
            && self.place.expected.keys().all(|path| path == RECEIPT || self.is_free(path, &listed))
    }

    /// Whether a file can be made at `path` when what is `listed` is gone.
    fn is_free(&self, path: &str, listed: &BTreeSet<String>) -> bool {
        let is_directory = |path: &str| matches!(self.before.get(path), None | Some(Entry::Directory { .. }));
        let no_obstacle = |parent: &str| listed.contains(parent) || is_directory(parent);
        listed.contains(path) || (!self.before.contains_key(path) && ancestors(path).all(no_obstacle))
    }

    /// Whether a path of a list may be removed: it is plain, and it and its reserved name are regular files, if they are there, and
    /// no inputs.
    fn may_be_removed(&self, path: &str) -> bool {
        let plain = path
            .split('/')
            .all(|name| !["", ".", ".."].contains(&name) && !name.contains('\0') && name.len() < 200);
        let directories = ancestors(path)
            .all(|parent| matches!(self.before.get(parent), None | Some(Entry::Directory { .. })));
        let files = [path.to_owned(), partial(path)].iter().all(|path| match self.before.get(path) {
            None => true,
            Some(Entry::File { inode, .. }) => *inode != self.place.input,
            Some(_) => false,
        });
        plain && directories && files
    }
}

/// Whether a regular file with these bytes is at `path`.
fn holds(tree: &Tree, path: &str, bytes: &[u8]) -> bool {
    matches!(tree.get(path), Some(Entry::File { bytes: found, .. }) if found == bytes)
}

fn lists() -> [String; 2] {
    [RECEIPT.to_owned(), JOURNAL.to_owned()]
}

fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// A list of the directory; `Some(None)` if it is there and none that can be read.
fn read(tree: &Tree, name: &str) -> Option<Option<WrittenFiles>> {
    match tree.get(name)? {
        Entry::File { bytes, .. } => Some(serde_json::from_slice(bytes).ok()),
        _ => Some(None),
    }
}

/// The paths that the lists of the directory name, but for the lists themselves.
fn listed(tree: &Tree) -> BTreeSet<String> {
    let lists = [RECEIPT, JOURNAL].into_iter().filter_map(|name| read(tree, name).flatten());
    let paths = lists.flat_map(|list| list.files.into_iter().map(|file| file.path).chain(list.replaces));
    paths.filter(|path| ![RECEIPT, JOURNAL].contains(&path.as_str())).collect()
}
