//! The output directory of a run: claimed before the first file, complete after the last, and as it was if the run fails.
//!
//! A claim ([`Claim`]) refuses a directory with something in it, or removes what an old run wrote (`old_run`), or goes on with
//! a run that was killed. The journal names every file that is to come; segments and init segments appear whole, manifests when
//! all of those are there, the receipt last, and the journal goes. A run that is dropped unfinished takes back what it made, and
//! nothing else. A killed or suspended one leaves whole files and the journal.

mod claim;
mod journal;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::check::read_back;
pub use super::check::{Output, ReadBack};
use super::directory::Directory;
use super::input::{FileId, Input};
use super::output_directory::{is_missing, make_top};
use super::refused;
use super::segment_file::{Published, SegmentFile, publish_bytes, replace_bytes, sync};
use super::way::{FileSystem, Way};
use crate::error::{Error, Result};
use crate::fragment::PieceList;
use claim::{Found, Planned, examine, planned};

pub use claim::{Claim, Existing};
pub use journal::{JOURNAL, RECEIPT, Settings, WrittenFile, WrittenFiles};
pub(super) use journal::{REMEDY, read_list};

/// Whether the file is a playlist or an MPD: published last and removed first.
pub fn is_manifest(path: &str) -> bool {
    [".m3u8", ".mpd"].iter().any(|extension| path.ends_with(extension))
}

/// Sorts paths in the order in which files are to go: manifests before what they name, those that name others, which lie
/// nearest to the top, before these.
pub(super) fn removal_rank(path: &str) -> (bool, usize) {
    (!is_manifest(path), path.matches('/').count())
}

/// A run that has the output directory for itself.
///
/// Files may be published from several threads. Dropping it before [`Run::finish`] removes the files and directories that it
/// made.
#[derive(Debug)]
pub struct Run {
    top: Directory,
    /// The directories of the files, by path; a parent sorts before its children.
    directories: BTreeMap<String, Directory>,
    /// Those that this run made, be they open or not.
    made: BTreeSet<String>,
    /// The output directory and its parents, as far as this run made them, outermost first.
    made_outside: Vec<PathBuf>,
    files: Planned,
    /// Files that are to be there before the first manifest, and are not.
    missing: AtomicUsize,
    /// They were there, as they were published, when the first manifest came.
    looked_again: AtomicBool,
    origin: Origin,
    /// The journal, if this run made it and nothing else needs it.
    journal: Option<FileId>,
    receipt: Option<FileId>,
    /// Everything stays as it is.
    ended: bool,
}

/// What a run found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Nothing that it can use.
    New,
    /// Files of a run that was killed.
    Killed,
    /// A package with these files, complete: nothing may change.
    Finished,
}

/// A planned file that is there.
#[derive(Clone, Copy, Debug)]
struct Placed {
    bytes: u64,
    id: FileId,
    /// It was there before this run.
    kept: bool,
}

/// What [`Run::keep`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The file is there and is what it has to be. With its hash, if that was asked for.
    Whole(Option<String>),
    /// It has to be written.
    Missing,
}

impl Run {
    /// Takes the directory for a run that is going to write the claim's files, and nothing else; makes it if it is not there.
    ///
    /// # Errors
    /// `Conflict` if the directory has something in it that is in the way, or if another run has it, or if the run that is to
    /// go on was another one: nothing was changed then. `Io` if it cannot be made or written; what is left of an old run is still
    /// known as such.
    pub fn claim(claim: Claim<'_>) -> Result<Self> {
        let path = claim.path;
        let planned = planned(&claim.files).map_err(|e| e.in_file(path))?;
        let (mut top, made_outside) = make_top(path)?;
        top.durable = claim.durable;
        let mut run = Self {
            top,
            directories: BTreeMap::new(),
            made: BTreeSet::new(),
            made_outside,
            missing: AtomicUsize::new(planned.keys().filter(|path| !is_manifest(path)).count()),
            looked_again: AtomicBool::new(false),
            files: planned,
            origin: Origin::New,
            journal: None,
            receipt: None,
            ended: false,
        };
        // Held until the run ends, however it ends. Where directories cannot be locked the journal alone keeps others out.
        if rustix::fs::flock(&run.top.fd, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
        {
            run.made_outside.clear();
            return Err(at_work(path));
        }
        run.begin(claim)?;
        Ok(run)
    }

    /// Makes the directory what the first file needs: a journal that names everything, nothing else of an old run.
    fn begin(&mut self, claim: Claim<'_>) -> Result<()> {
        let top = &self.top;
        let found = examine(top, &claim, &self.files)?;
        let Claim { settings, files, .. } = claim;
        let mut journal = WrittenFiles { settings, files, replaces: Vec::new() };
        match found {
            Found::Nothing => {
                self.journal = Some(publish_bytes(top, JOURNAL, &journal.to_json()?)?.id);
                top.sync_if_durable()?;
            }
            Found::Old(old) => {
                journal.replaces = old.paths().cloned().collect();
                // From here on this journal names what is left of the old run, whatever happens.
                let id = replace_bytes(top, JOURNAL, &journal.to_json()?)?;
                top.sync_if_durable()?;
                old.remove()?;
                self.journal = Some(id);
            }
            Found::Killed(old) => {
                self.origin = Origin::Killed;
                // The run that made it need not have been a durable one.
                self.sync_kept(top, JOURNAL).map_err(|e| {
                    refused("put the journal on the disk", e).in_file(&top.path.join(JOURNAL))
                })?;
                old.remove()?;
            }
            Found::Finished => self.origin = Origin::Finished,
        }
        self.make_directories()
    }

    /// Says whether [`Run::claim`] would take the directory as it is now, and changes nothing. Whether it can be made or
    /// written only a claim shows. A claim without files only asks whether there is something in the way of any.
    ///
    /// # Errors
    /// Those of [`Run::claim`] but for that.
    pub fn check_claim(claim: &Claim<'_>) -> Result<()> {
        let planned = planned(&claim.files).map_err(|e| e.in_file(claim.path))?;
        if is_missing(claim.path) {
            return Ok(());
        }
        let top = Directory::open(claim.path)?;
        // Shared, and for an instant: other looks are not in the way.
        if rustix::fs::flock(&top.fd, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK) {
            return Err(at_work(claim.path));
        }
        examine(&top, claim, &planned).map(drop)
    }

    /// Where a file of the run is.
    pub fn path_of(&self, path: &str) -> PathBuf {
        self.top.path.join(path)
    }

    /// The file system that holds the directory.
    pub fn file_system(&self) -> FileSystem {
        FileSystem::of(&self.top.fd)
    }

    /// Looks whether a planned file is there from the run that this one goes on with, whole: it is compared with what it
    /// would be made from, byte by byte, and then stays as it is. One that differs is removed.
    ///
    /// # Errors
    /// `Conflict` if this is a finished package and the file is missing or differs; `Changed` or `Io`.
    pub fn keep(&self, path: &str, list: &PieceList, input: &Input, how: ReadBack) -> Result<Kept> {
        self.keep_if_same(path, list, input, how)
    }

    /// [`Run::keep`] for a small file.
    ///
    /// # Errors
    /// As [`Run::keep`].
    pub fn keep_bytes(&self, path: &str, bytes: &[u8]) -> Result<Kept> {
        self.keep_if_same(path, &literal(bytes), &[][..], ReadBack { compare: true, hash: None })
    }

    fn keep_if_same(
        &self,
        path: &str,
        list: &PieceList,
        source: &(impl super::ReadAt + ?Sized),
        how: ReadBack,
    ) -> Result<Kept> {
        if self.origin == Origin::New {
            return Ok(Kept::Missing);
        }
        let (directory, name, slot) = self.planned(path)?;
        let in_file = |e: Error| e.in_file(&directory.path.join(name));
        let found = directory.look_at(name).map_err(|e| in_file(refused("look at the file", e)))?;
        let found = found.filter(|entry| entry.size == list.len());
        if let Some(entry) = found {
            let how = ReadBack { compare: true, ..how };
            if let Ok(hash) = read_back(directory, name, list, source, how)? {
                self.sync_kept(directory, name)
                    .map_err(|e| in_file(refused("put the file on the disk", e)))?;
                self.place(path, slot, Placed { bytes: entry.size, id: entry.id, kept: true })?;
                return Ok(Kept::Whole(hash));
            }
        }
        if self.origin == Origin::Finished {
            let what = "the directory holds a finished package, and this file is not what these inputs and options make";
            let remedy = "use --force to replace the package, or choose another output directory";
            return Err(in_file(Error::conflict(what, remedy)));
        }
        directory.remove_file(name).map_err(|e| in_file(refused("remove a file that is not whole", e)))?;
        Ok(Kept::Missing)
    }

    /// The run that made the file need not have been a durable one.
    fn sync_kept(&self, directory: &Directory, name: &str) -> rustix::io::Result<()> {
        if self.top.durable { sync(&directory.open_file(name)?) } else { Ok(()) }
    }

    /// Publishes a segment.
    ///
    /// # Errors
    /// `Conflict` if the path was not planned or is there already; else as [`SegmentFile::fill`] and [`SegmentFile::publish`].
    pub fn write_segment(&self, path: &str, list: &PieceList, input: &Input, way: Way) -> Result<Published> {
        self.publish(path, |file| file.fill(list, input, way))
    }

    /// Publishes a small file: an init segment, or a manifest once everything that is no manifest is there.
    ///
    /// # Errors
    /// As [`Run::write_segment`]; `Conflict` for a manifest that comes too early, or when the first one comes and a file
    /// is not what was published any more.
    pub fn publish_bytes(&self, path: &str, bytes: &[u8]) -> Result<Published> {
        let missing = self.missing.load(Ordering::Acquire);
        if is_manifest(path) && missing > 0 {
            let what = format!("a manifest is to be published while {missing} segments are missing");
            return Err(Error::conflict(what, "publish them first").in_file(&self.top.path.join(path)));
        }
        if is_manifest(path) && !self.looked_again.load(Ordering::Acquire) {
            self.look_again()?;
            self.sync_directories()?;
            self.looked_again.store(true, Ordering::Release);
        }
        let published = self.publish(path, |file| file.write_bytes(bytes))?;
        if is_manifest(path) {
            // The next manifest may name it.
            self.parent(path).0.sync_if_durable()?;
        }
        Ok(published)
    }

    /// Reads a published file back, compares it with what it was made from, byte by byte, and hashes it, as far as `how`
    /// asks for either. Gives the hash.
    ///
    /// # Errors
    /// `Io` with the path of the file, and the offset where it differs; `Changed` or `Io` of the source.
    pub fn read_back(
        &self,
        path: &str,
        list: &PieceList,
        input: &Input,
        how: ReadBack,
    ) -> Result<Option<String>> {
        self.read_back_from(path, list, input, how)
    }

    /// Reads a small published file back and compares it.
    ///
    /// # Errors
    /// As [`Run::read_back`].
    pub fn verify_bytes(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.read_back_from(path, &literal(bytes), &[][..], ReadBack { compare: true, hash: None }).map(drop)
    }

    fn read_back_from(
        &self,
        path: &str,
        list: &PieceList,
        source: &(impl super::ReadAt + ?Sized),
        how: ReadBack,
    ) -> Result<Option<String>> {
        let (directory, name, _) = self.planned(path)?;
        let result = read_back(directory, name, list, source, how)?;
        result.map_err(|differs| differs.in_file(&directory.path.join(name)))
    }

    /// Opens a published file for whoever reads its boxes.
    ///
    /// # Errors
    /// `Io` if it cannot be opened.
    pub fn open(&self, path: &str) -> Result<Output> {
        let (directory, name, _) = self.planned(path)?;
        Output::open(directory, name)
    }

    /// Ends the run: publishes the receipt, whose `files` are those of [`WrittenFiles`], and removes the journal.
    ///
    /// # Errors
    /// `Conflict` if a planned file was not published, or is not what was published any more, or if a finished package has
    /// another receipt; `Io`. Then the run is taken back, unless only the flush after the last file failed: then the package is
    /// complete, and may not be on the medium.
    pub fn finish(mut self, receipt: &[u8]) -> Result<()> {
        if let Some((path, _)) = self.files.iter().find(|(_, placed)| placed.get().is_none()) {
            let what = "the file was planned and is not there at the end of the run";
            return Err(
                Error::conflict(what, "publish every planned file").in_file(&self.top.path.join(path))
            );
        }
        self.look_again()?;
        if self.origin == Origin::Finished {
            self.ended = true;
            self.require_receipt(receipt)?;
            self.sync_kept(&self.top, RECEIPT)
                .map_err(|e| refused("put the receipt on the disk", e).in_file(&self.top.path))?;
            return self.sync_directories();
        }
        self.sync_directories()?;
        self.receipt = Some(publish_bytes(&self.top, RECEIPT, receipt)?.id);
        self.sync_directories()?;
        self.top
            .remove_file(JOURNAL)
            .map_err(|e| refused("remove the journal", e).in_file(&self.top.path.join(JOURNAL)))?;
        self.ended = true;
        self.sync_directories()
    }

    /// Ends the run before its time: whole files and the journal stay, for a run that goes on. Manifests go.
    pub fn suspend(mut self) {
        self.ended = true;
        // Nobody is left to be told; the run that goes on removes them first.
        let _ = self.remove_own(is_manifest);
    }

    /// The receipt of a finished package has to be this one.
    fn require_receipt(&self, receipt: &[u8]) -> Result<()> {
        let how = ReadBack { compare: true, hash: None };
        let same = read_back(&self.top, RECEIPT, &literal(receipt), &[][..], how)?;
        same.map(drop).map_err(|_| {
            let what =
                "the directory holds a finished package of other inputs or options, or of another version";
            let remedy = "use --force to replace it, or choose another output directory";
            Error::conflict(what, remedy).in_file(&self.top.path)
        })
    }

    fn publish(
        &self,
        path: &str,
        fill: impl FnOnce(&mut SegmentFile<&Directory, &str>) -> Result<()>,
    ) -> Result<Published> {
        let (directory, name, slot) = self.planned(path)?;
        let mut file = SegmentFile::create(directory, name)?;
        fill(&mut file)?;
        let published = file.publish()?;
        self.place(path, slot, Placed { bytes: published.bytes, id: published.id, kept: false })?;
        Ok(published)
    }

    /// Notes that a planned file is there.
    fn place(&self, path: &str, slot: &OnceLock<Placed>, placed: Placed) -> Result<()> {
        // Only one file can have been linked under the name, but a kept one can be kept twice.
        if slot.set(placed).is_err() {
            let what = "the file was published before";
            return Err(Error::conflict(what, "publish each file once").in_file(&self.top.path.join(path)));
        }
        if !is_manifest(path) {
            self.missing.fetch_sub(1, Ordering::AcqRel);
        }
        Ok(())
    }

    fn planned<'a>(&'a self, path: &'a str) -> Result<(&'a Directory, &'a str, &'a OnceLock<Placed>)> {
        let Some(slot) = self.files.get(path) else {
            let what = "the file is not among those that the run planned to write";
            return Err(Error::conflict(what, "name it in the claim").in_file(&self.top.path.join(path)));
        };
        let (directory, name) = self.parent(path);
        Ok((directory, name, slot))
    }

    fn parent<'a>(&'a self, path: &'a str) -> (&'a Directory, &'a str) {
        match path.rsplit_once('/') {
            Some((parent, name)) => (self.directories.get(parent).unwrap_or(&self.top), name),
            None => (&self.top, path),
        }
    }

    /// Looks whether every published file is still there under its name, the same and as long: nothing keeps others from
    /// the directory.
    fn look_again(&self) -> Result<()> {
        for (path, placed) in self.files.iter().filter_map(|(path, slot)| Some((path, slot.get()?))) {
            let in_file = |error: Error| error.in_file(&self.top.path.join(path));
            let what = match self.top.look_at(path) {
                Ok(Some(entry)) if entry.id != placed.id => "another file has its name".to_owned(),
                Ok(Some(entry)) if entry.size != placed.bytes => {
                    format!("it has {} bytes, {} were published", entry.size, placed.bytes)
                }
                Ok(Some(_)) => continue,
                Ok(None) | Err(Errno::NOTDIR | Errno::LOOP) => "it is gone".to_owned(),
                Err(e) => return Err(in_file(refused("look at the published file", e))),
            };
            let what = format!("the file was changed by somebody else during the run: {what}");
            let remedy = "run again, and let nothing else write to the output directory";
            return Err(in_file(Error::conflict(what, remedy)));
        }
        Ok(())
    }

    /// Puts the names of all files, and of the directories that were made, on the medium, if that is asked for.
    fn sync_directories(&self) -> Result<()> {
        if !self.top.durable {
            return Ok(());
        }
        for directory in self.directories.values().rev().chain([&self.top]) {
            directory.sync_if_durable()?;
        }
        for path in self.made_outside.iter().rev().filter_map(|path| path.parent()) {
            Directory { durable: true, ..Directory::open(path)? }.sync_if_durable()?;
        }
        Ok(())
    }

    fn make_directories(&mut self) -> Result<()> {
        let failed = |path: PathBuf| move |e| refused("make the directory", e).in_file(&path);
        for file in self.files.keys() {
            for (end, _) in file.match_indices('/') {
                let path = &file[..end];
                if self.directories.contains_key(path) {
                    continue;
                }
                let (parent, name) = self.parent(path);
                let made = parent.make_child(name).map_err(failed(self.top.path.join(path)))?;
                let child = parent.child(name);
                // Noted before anything can fail, so that it is taken back.
                if made {
                    self.made.insert(path.to_owned());
                }
                let child = child.map_err(failed(self.top.path.join(path)))?;
                self.directories.insert(path.to_owned(), child);
            }
        }
        Ok(())
    }

    /// Removes what this run made and nothing else. What cannot be removed stays named by the journal.
    fn take_back(&self) -> rustix::io::Result<()> {
        if let Some(id) = self.receipt {
            self.top.remove_own(RECEIPT, id)?;
        }
        self.remove_own(is_manifest)?;
        self.remove_own(|path| !is_manifest(path))?;
        if self.origin == Origin::Killed {
            // What the killed run made stays, and its journal with it.
            return Ok(());
        }
        for path in self.made.iter().rev() {
            let (directory, name) = self.parent(path);
            directory.remove_empty_child(name)?;
        }
        if let Some(id) = self.journal {
            self.top.remove_own(JOURNAL, id)?;
        }
        for path in self.made_outside.iter().rev() {
            rustix::fs::rmdir(path)?;
        }
        Ok(())
    }

    /// Removes the files that this run published, of those with such a path.
    fn remove_own(&self, which: impl Fn(&str) -> bool) -> rustix::io::Result<()> {
        let placed = self.files.iter().filter_map(|(path, slot)| Some((path, slot.get()?)));
        let mut own: Vec<_> = placed.filter(|(path, placed)| !placed.kept && which(path)).collect();
        own.sort_by_key(|(path, _)| removal_rank(path));
        for (path, placed) in own {
            let (directory, name) = self.parent(path);
            directory.remove_own(name, placed.id)?;
        }
        Ok(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.ended {
            // The error that ended the run is on its way to the user; this one would hide it.
            let _ = self.take_back();
        }
        // Closing does not unlock as long as a child process that is being started has a copy of the descriptor.
        let _ = rustix::fs::flock(&self.top.fd, FlockOperation::Unlock);
    }
}

/// The refusal of a directory that another run has.
fn at_work(path: &Path) -> Error {
    let what = "another run of fragmint is writing to the directory";
    Error::conflict(what, "wait for it, or choose another directory").in_file(path)
}

/// A piece list of these bytes.
fn literal(bytes: &[u8]) -> PieceList {
    let mut list = PieceList::default();
    list.push_literal(bytes);
    list
}

#[cfg(test)]
mod tests;
