//! Whether a run may have a directory as it is: empty, with an older run in it, or with one that was killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::FileType;

use super::journal::{JOURNAL, RECEIPT, Settings, WrittenFile, read_list};
use super::{Placed, is_manifest};
use crate::error::{Error, Result};
use crate::io::directory::Directory;
use crate::io::input::Identity;
use crate::io::old_run::{OldRun, is_plain_path, own_names};
use crate::io::refused;

/// What a run wants of the output directory.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// The directory.
    pub path: &'a Path,
    /// What to do with what is in it.
    pub existing: Existing,
    /// Every file that the run is going to write, and no other.
    pub files: Vec<WrittenFile>,
    /// What they follow from.
    pub settings: Settings,
    /// Files that are never removed, whatever an old list says.
    pub inputs: &'a [Identity],
    /// Put files and directories on the medium before a manifest names them.
    pub durable: bool,
}

/// What to do with an output directory that is not empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone.
    #[default]
    Refuse,
    /// Remove the older run in it, finished or not.
    Replace,
    /// Go on with the run that was killed in it; files that are whole stay as they are.
    Resume,
}

/// What is in the directory.
pub(super) enum Found<'d> {
    Nothing,
    /// An older run, to be removed.
    Old(OldRun<'d>),
    /// A killed run of the same settings and files, of which the files here are to be removed.
    Killed(OldRun<'d>),
    /// A finished run with files of these names and sizes.
    Finished,
}

pub(super) type Planned = BTreeMap<String, OnceLock<Placed>>;

/// Checks the paths of a plan.
pub(super) fn planned(files: &[WrittenFile]) -> Result<Planned> {
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

/// What is in `top`, as far as the claim may have it. Changes nothing.
///
/// # Errors
/// `Conflict` if something is in the way, or may not be removed; `Io`.
pub(super) fn examine<'d>(top: &'d Directory, claim: &Claim<'_>, planned: &Planned) -> Result<Found<'d>> {
    let conflict = |what: String, remedy| Err(Error::conflict(what, remedy).in_file(top.path()));
    let names = top.names().map_err(|e| refused("read the output directory", e).in_file(top.path()))?;
    let has = |name: &str| names.iter().any(|n| n == name);
    if names.is_empty() {
        return Ok(Found::Nothing);
    }
    if !own_names().iter().any(|name| has(name)) {
        let what = format!("the directory is not empty, and no run of fragmint wrote {:?} in it", names[0]);
        return conflict(what, "choose another output directory");
    }
    match claim.existing {
        Existing::Refuse if has(JOURNAL) || !has(RECEIPT) => conflict(
            "the directory holds what an interrupted run left".to_owned(),
            "use --resume to go on with it, --force to replace it, or choose another output directory",
        ),
        Existing::Refuse => conflict(
            "the directory holds a finished package".to_owned(),
            "use --force to replace it, or choose another output directory",
        ),
        Existing::Replace => {
            let old = find_old(top, claim, planned, |_| true)?;
            Ok(Found::Old(old))
        }
        Existing::Resume if has(JOURNAL) => {
            require_same_run(top, claim)?;
            // Files that may be whole stay until they are looked at.
            let removed = |path: &str| is_manifest(path) || !planned.contains_key(path);
            Ok(Found::Killed(find_old(top, claim, planned, removed)?))
        }
        Existing::Resume if has(RECEIPT) => {
            let list = read_list(top, RECEIPT)?.unwrap_or_default();
            if claim.files.is_empty() || list.has_files(&claim.files) {
                return Ok(Found::Finished);
            }
            conflict(
                "the directory holds a finished package of other inputs or options".to_owned(),
                "use --force to replace it, or choose another output directory",
            )
        }
        // Killed before its journal was there, so nothing else is.
        Existing::Resume => Ok(Found::Old(find_old(top, claim, planned, |_| true)?)),
    }
}

/// Says whether the journal in `top` is of a run with the claim's settings and files.
fn require_same_run(top: &Directory, claim: &Claim<'_>) -> Result<()> {
    // A claim without files only asks whether there is something to go on with.
    if claim.files.is_empty() {
        return Ok(());
    }
    let journal = read_list(top, JOURNAL)?.unwrap_or_default();
    let remedy = "go on with the same inputs and options, or use --force to start again";
    let refuse = |what: String| Err(Error::conflict(what, remedy).in_file(top.path()));
    if journal.settings.is_empty() {
        return refuse("the interrupted run left a journal that does not tell its options".to_owned());
    }
    if let Some(difference) = journal.difference(&claim.settings) {
        return refuse(format!("the interrupted run was another one: {difference}"));
    }
    if !journal.has_files(&claim.files) {
        return refuse("the interrupted run was going to write other files".to_owned());
    }
    Ok(())
}

/// The files of old runs in `top` that are to be `removed`; an error if something is in the way of the plan.
fn find_old<'d>(
    top: &'d Directory,
    claim: &Claim<'_>,
    planned: &Planned,
    removed: impl Fn(&str) -> bool,
) -> Result<OldRun<'d>> {
    let ids = claim.inputs.iter().map(|input| input.id).collect();
    let mut old = OldRun::find(top, &ids)?;
    for path in planned.keys() {
        if let Some(obstacle) = find_obstacle(top, path, &old)? {
            let what = format!("{obstacle:?} is in the way, and the old run did not write it");
            let remedy = "nothing was removed; move it away, or choose another output directory";
            return Err(Error::conflict(what, remedy).in_file(top.path()));
        }
    }
    old.retain(removed);
    Ok(old)
}

/// What in the directory keeps `path` from being made, once the old run is removed.
fn find_obstacle(top: &Directory, path: &str, old: &OldRun<'_>) -> Result<Option<String>> {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    for end in ends {
        let prefix = &path[..end];
        // Every directory in front of it was looked at before, and is no link.
        let found = top
            .look_at(prefix)
            .map_err(|e| refused("look at the directory", e).in_file(&top.path().join(prefix)))?;
        match found {
            None => return Ok(None),
            Some(_) if old.removes(prefix) => return Ok(None),
            Some(entry) if entry.kind == FileType::Directory && end < path.len() => {}
            Some(_) => return Ok(Some(prefix.to_owned())),
        }
    }
    Ok(None)
}
