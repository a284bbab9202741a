//! The output directory of a run: claimed before the first file, complete after the last, and as it was if the run fails.
//!
//! A claim refuses a directory with something in it, or with `--force` removes what an old run wrote (`old_run`). Then the
//! journal names every file that is to come; segments and init segments appear whole, manifests when all of those are
//! there, the receipt last, and the journal goes. A run that is dropped unfinished takes back what it made, and nothing
//! else. A killed one leaves whole files and the journal.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{FileType, FlockOperation};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::check::verify_published;
use super::directory::Directory;
use super::input::{FileId, Identity, Input};
use super::old_run::{OldRun, is_plain_path, own_names};
use super::output_directory::{is_missing, make_top};
use super::refused;
use super::segment_file::{Published, SegmentFile, publish_bytes};
use super::way::{FileSystem, Way};
use crate::error::{Error, Result};
use crate::fragment::PieceList;

/// Name of the receipt: what a finished run wrote.
pub const RECEIPT: &str = "fragmint.json";

/// Name of the journal: what a run that is not finished is going to write.
pub const JOURNAL: &str = "fragmint.journal";

/// The part of a receipt or journal that says which files are a run's. A receipt has more beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFiles {
    /// In the order of their paths.
    pub files: Vec<WrittenFile>,
}

/// One file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Relative to the output directory, with `/` between the names.
    pub path: String,
    /// Size; not in a journal for files whose size is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Whether the file is a playlist or an MPD: published last and removed first.
pub fn is_manifest(path: &str) -> bool {
    [".m3u8", ".mpd"].iter().any(|extension| path.ends_with(extension))
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
    /// Those of them that this run made.
    made: HashSet<String>,
    /// The output directory and its parents, as far as this run made them, outermost first.
    made_outside: Vec<PathBuf>,
    files: BTreeMap<String, OnceLock<Published>>,
    /// Files that are to be there before the first manifest, and are not.
    missing: AtomicUsize,
    /// They were there, as they were published, when the first manifest came.
    looked_again: AtomicBool,
    journal: Option<FileId>,
    receipt: Option<FileId>,
    finished: bool,
}

impl Run {
    /// Takes the directory for a run that is going to write `files`, and nothing else; makes it if it is not there.
    ///
    /// With `force`, removes what an old run wrote there: its manifests first, its receipt last. `inputs` are never removed.
    ///
    /// # Errors
    /// `Conflict` if the directory has something in it that is in the way, or if another run has it: nothing was changed then.
    /// `Io` if it cannot be made or written; what is left of an old run is still known as such.
    pub fn claim(path: &Path, force: bool, files: Vec<WrittenFile>, inputs: &[Identity]) -> Result<Self> {
        let planned = planned(&files).map_err(|e| e.in_file(path))?;
        let (top, made_outside) = make_top(path)?;
        let mut run = Self {
            top,
            directories: BTreeMap::new(),
            made: HashSet::new(),
            made_outside,
            missing: AtomicUsize::new(planned.keys().filter(|path| !is_manifest(path)).count()),
            looked_again: AtomicBool::new(false),
            files: planned,
            journal: None,
            receipt: None,
            finished: false,
        };
        // Held until the run ends, however it ends. Where directories cannot be locked the journal alone keeps others out.
        if rustix::fs::flock(&run.top.fd, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
        {
            run.made_outside.clear();
            let what = "another run of fragmint is writing to the directory";
            return Err(Error::conflict(what, "wait for it, or choose another directory").in_file(path));
        }
        if let Some(old) = find_old_run(&run.top, force, &run.files, inputs)? {
            old.remove()?;
        }
        run.write_journal(&WrittenFiles { files })?;
        run.make_directories()?;
        Ok(run)
    }

    /// Says whether [`Run::claim`] would take the directory as it is now, and changes nothing. Whether it can be made or
    /// written, and whether another run is at work there, only a claim shows.
    ///
    /// # Errors
    /// Those of [`Run::claim`] but for that.
    pub fn check_claim(path: &Path, force: bool, files: &[WrittenFile], inputs: &[Identity]) -> Result<()> {
        let planned = planned(files).map_err(|e| e.in_file(path))?;
        if is_missing(path) {
            return Ok(());
        }
        find_old_run(&Directory::open(path)?, force, &planned, inputs).map(drop)
    }

    /// The file system that holds the directory.
    pub fn file_system(&self) -> FileSystem {
        FileSystem::of(&self.top.fd)
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
            self.looked_again.store(true, Ordering::Release);
        }
        self.publish(path, |file| file.write_bytes(bytes))
    }

    /// Reads a published file back and compares it with what it was made from, byte by byte.
    ///
    /// # Errors
    /// As [`verify_published`].
    pub fn verify(&self, path: &str, list: &PieceList, input: &Input) -> Result<()> {
        let (directory, name, _) = self.planned(path)?;
        verify_published(directory, name, list, input)
    }

    /// Reads a small published file back and compares it.
    ///
    /// # Errors
    /// As [`verify_published`].
    pub fn verify_bytes(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let (directory, name, _) = self.planned(path)?;
        let mut list = PieceList::default();
        list.push_literal(bytes);
        verify_published(directory, name, &list, &[][..])
    }

    /// Ends the run: publishes the receipt, whose `files` are those of [`WrittenFiles`], and removes the journal.
    ///
    /// # Errors
    /// `Conflict` if a planned file was not published, or is not what was published any more; `Io`. Then the run is taken
    /// back.
    pub fn finish(mut self, receipt: &[u8]) -> Result<()> {
        if let Some((path, _)) = self.files.iter().find(|(_, published)| published.get().is_none()) {
            let what = "the file was planned and is not there at the end of the run";
            return Err(
                Error::conflict(what, "publish every planned file").in_file(&self.top.path.join(path))
            );
        }
        self.look_again()?;
        self.receipt = Some(publish_bytes(&self.top, RECEIPT, receipt)?.id);
        self.top
            .remove_file(JOURNAL)
            .map_err(|e| refused("remove the journal", e).in_file(&self.top.path.join(JOURNAL)))?;
        self.finished = true;
        Ok(())
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
        // Only one file can have been linked under the name, so the slot is empty.
        if slot.set(published).is_ok() && !is_manifest(path) {
            self.missing.fetch_sub(1, Ordering::AcqRel);
        }
        Ok(published)
    }

    fn planned<'a>(&'a self, path: &'a str) -> Result<(&'a Directory, &'a str, &'a OnceLock<Published>)> {
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
        for (path, published) in self.files.iter().filter_map(|(path, slot)| Some((path, slot.get()?))) {
            let in_file = |error: Error| error.in_file(&self.top.path.join(path));
            let what = match self.top.look_at(path) {
                Ok(Some(entry)) if entry.id != published.id => "another file has its name".to_owned(),
                Ok(Some(entry)) if entry.size != published.bytes => {
                    format!("it has {} bytes, {} were published", entry.size, published.bytes)
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

    fn write_journal(&mut self, files: &WrittenFiles) -> Result<()> {
        let path = || self.top.path.join(JOURNAL);
        let mut text = serde_json::to_vec_pretty(files)
            .map_err(|e| Error::io("write the journal", std::io::Error::other(e)).in_file(&path()))?;
        text.push(b'\n');
        let published = publish_bytes(&self.top, JOURNAL, &text)?;
        self.journal = Some(published.id);
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
        let published = self.files.iter().filter_map(|(path, slot)| Some((path, slot.get()?.id)));
        let (manifests, others): (Vec<_>, Vec<_>) = published.partition(|(path, _)| is_manifest(path));
        for (path, id) in manifests.into_iter().chain(others) {
            let (directory, name) = self.parent(path);
            directory.remove_own(name, id)?;
        }
        for path in self.directories.keys().rev().filter(|path| self.made.contains(*path)) {
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
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.finished {
            // The error that ended the run is on its way to the user; this one would hide it.
            let _ = self.take_back();
        }
        // Closing does not unlock as long as a child process that is being started has a copy of the descriptor.
        let _ = rustix::fs::flock(&self.top.fd, FlockOperation::Unlock);
    }
}

/// Checks the paths of a plan.
fn planned(files: &[WrittenFile]) -> Result<BTreeMap<String, OnceLock<Published>>> {
    let mut planned = BTreeMap::new();
    for WrittenFile { path, .. } in files {
        if !is_plain_path(path) || own_names().contains(path) {
            let what = format!("{path:?} cannot be the path of an output file");
            return Err(Error::conflict(what, "name it otherwise"));
        }
        if planned.insert(path.clone(), OnceLock::new()).is_some() {
            let what = format!("two outputs are called {path:?}");
            return Err(Error::conflict(what, "give one of them another name"));
        }
    }
    let inside = |path: &String| {
        path.match_indices('/').find(|(end, _)| planned.contains_key(&path[..*end])).map(|(end, _)| end)
    };
    if let Some((path, end)) = planned.keys().find_map(|path| Some((path, inside(path)?))) {
        let what = format!("{:?} is to be a file and, for {path:?}, a directory", &path[..end]);
        return Err(Error::conflict(what, "give one of them another name"));
    }
    Ok(planned)
}

/// What has to be removed from `top` before `files` can be written; an error if something is in the way, or may not be
/// removed.
fn find_old_run<'d>(
    top: &'d Directory,
    force: bool,
    files: &BTreeMap<String, OnceLock<Published>>,
    inputs: &[Identity],
) -> Result<Option<OldRun<'d>>> {
    let conflict = |what: String, remedy| Err(Error::conflict(what, remedy).in_file(&top.path));
    let names = top.names().map_err(|e| refused("read the output directory", e).in_file(&top.path))?;
    let has = |name: &str| names.iter().any(|n| n == name);
    if names.is_empty() {
        return Ok(None);
    }
    if !own_names().iter().any(|name| has(name)) {
        let what = format!("the directory is not empty, and no run of fragmint wrote {:?} in it", names[0]);
        return conflict(what, "choose another output directory");
    }
    if !force {
        let what = if has(RECEIPT) {
            "the directory holds a finished package"
        } else {
            "the directory holds what an interrupted run left"
        };
        return conflict(what.to_owned(), "use --force to replace it, or choose another output directory");
    }
    let ids = inputs.iter().map(|input| input.id).collect();
    let old = OldRun::find(top, &ids)?;
    for path in files.keys() {
        if let Some(obstacle) = find_obstacle(top, path, &old)? {
            let what = format!("{obstacle:?} is in the way, and the old run did not write it");
            return conflict(what, "nothing was removed; move it away, or choose another output directory");
        }
    }
    Ok(Some(old))
}

/// What in the directory keeps `path` from being made, once the old run is removed.
fn find_obstacle(top: &Directory, path: &str, old: &OldRun<'_>) -> Result<Option<String>> {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    for end in ends {
        let prefix = &path[..end];
        // Every directory in front of it was looked at before, and is no link.
        let found = top
            .look_at(prefix)
            .map_err(|e| refused("look at the directory", e).in_file(&top.path.join(prefix)))?;
        match found {
            None => return Ok(None),
            Some(_) if old.removes(prefix) => return Ok(None),
            Some(entry) if entry.kind == FileType::Directory && end < path.len() => {}
            Some(_) => return Ok(Some(prefix.to_owned())),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
