//! The receipt (`fragmint.json`) against the files: sizes, hashes, and files that nobody names.
//!
//! The hash of a file is what finds damage of payload that no syntax shows. It is no proof against somebody who writes
//! receipts too. A receipt is believed in nothing: what it names is opened as what a manifest names, below the directory
//! alone, once each; a hash is made of files that have the size it says. Receipts without hashes are compared as far as they go.

mod format;

#[cfg(test)]
pub(in crate::verify) mod broken;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use self::format::{ListedFile, Receipt};
use super::files::{FILE_OUTSIDE, FILE_UNREADABLE, OpenError};
use super::findings::Findings;
use super::listing::Resource;
use super::rules::{Rule, declare_rules};
use super::{Files, read_small};
use crate::hash::{FileHasher, HashAlgorithm};
use crate::io::ReadAt;
use crate::io::publish::{JOURNAL, RECEIPT};

declare_rules! {
    UNFINISHED: Error "unfinished", "fragmint: docs/report.md",
        "the run that wrote the directory has ended: it left no fragmint.journal";
    RECEIPT_SYNTAX: Error "receipt-syntax", "fragmint: docs/report.md",
        "a receipt is JSON as fragmint writes it";
    RECEIPT_PATH: Error "receipt-path", "fragmint: docs/report.md",
        "the receipt names files below its directory by plain relative paths, each file once";
    RECEIPT_FILE: Error "receipt-file", "fragmint: docs/report.md",
        "every file that the receipt lists is there";
    RECEIPT_BYTES: Error "receipt-bytes", "fragmint: docs/report.md",
        "every file has the size that the receipt says";
    RECEIPT_HASH: Error "receipt-hash", "fragmint: docs/report.md",
        "every file holds the bytes that the receipt has the hash of";
    RECEIPT_HASH_UNKNOWN: Warning "receipt-hash-unknown", "fragmint: docs/report.md",
        "the hashes of the receipt are by a function that is known";
    RECEIPT_TRACK: Error "receipt-track", "fragmint: docs/report.md",
        "the segments that the receipt lists are as many and as long as it says of their track";
    RECEIPT_MANIFEST: Warning "receipt-manifest", "fragmint: docs/report.md",
        "every file that a manifest names stands in the receipt";
    RECEIPT_UNLISTED: Warning "receipt-unlisted", "fragmint: docs/report.md",
        "the directory holds nothing but the receipt and what it lists";
    FILES_UNNAMED: Warning "files-unnamed", "fragmint: a player finds files by manifests alone",
        "every segment and manifest in the directory is named by a manifest, where there is no receipt";
}

/// Bytes of the window that files are hashed through: it stays in the second-level cache.
const WINDOW: usize = 128 * 1024;

/// How many findings have a file of their own; further ones are counted at the receipt.
const MAX_PLACES: usize = 1000;

/// How many characters of a text of the receipt are repeated.
const MAX_QUOTED: usize = 200;

/// What files were compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// There is no receipt.
    Nothing,
    /// Sizes alone: the receipt does not have a hash of each file, or by a function that is not known.
    Sizes,
    /// Every byte.
    Hashes,
}

/// Checks the receipt, if there is one, and says what of it there was to compare with. `named` are the files that manifests
/// name, sorted; `live` are segments of those that go on: what has slid out of a list lies beside them.
pub(super) fn check(
    files: &dyn Files,
    named: &[String],
    live: &BTreeSet<&str>,
    findings: &mut Findings,
) -> Compared {
    let mut there = Vec::new();
    let mut total = 0u64;
    match files.list() {
        Ok(entries) => {
            total = entries.iter().fold(0, |total, entry| total.saturating_add(entry.bytes));
            there.extend(entries.into_iter().map(|entry| entry.path));
        }
        Err(error) => findings.add(&FILE_UNREADABLE, ".", None, error.kind().to_string()),
    }
    if !matches!(files.open(JOURNAL), Err(OpenError::Missing)) {
        let message = "a run is writing the directory, or one was interrupted: it may not be complete";
        findings.add(&UNFINISHED, JOURNAL, None, message);
    }
    let mut places = Places { findings, left: MAX_PLACES };
    match read(files, places.findings) {
        Some(receipt) => Comparison { files, there: &there, total, named }.run(&receipt, &mut places),
        None => {
            let live: BTreeSet<_> = live.iter().map(|path| directory_and_extension(path)).collect();
            let unnamed = there.iter().filter(|path| is_media_or_manifest(path) && !holds(named, path));
            for path in unnamed.filter(|path| !live.contains(&directory_and_extension(path))) {
                places.add(&FILES_UNNAMED, path, None, "no manifest names it".to_owned());
            }
            Compared::Nothing
        }
    }
}

/// What files of one track have in common.
fn directory_and_extension(path: &str) -> (&str, Option<&str>) {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    (directory, name.rsplit_once('.').map(|(_, extension)| extension))
}

/// The receipt; `None` without one, or with a finding.
fn read(files: &dyn Files, findings: &mut Findings) -> Option<Receipt> {
    let source = match files.open(RECEIPT) {
        Ok(source) => source,
        Err(OpenError::Missing) => return None,
        Err(OpenError::Outside) => {
            findings.add(&FILE_OUTSIDE, RECEIPT, None, "the link leads out of the directory");
            return None;
        }
        Err(OpenError::NotRegular) => {
            findings.add(&FILE_UNREADABLE, RECEIPT, None, "it is no regular file");
            return None;
        }
        Err(OpenError::Failed(error)) => {
            findings.add(&FILE_UNREADABLE, RECEIPT, None, error.kind().to_string());
            return None;
        }
    };
    let whole = Resource { path: RECEIPT.to_owned(), range: None };
    let bytes = read_small(RECEIPT, &*source, &whole, findings)?;
    match serde_json::from_slice(&bytes) {
        Ok(receipt) => Some(receipt),
        Err(error) => {
            let offset = offset_of(&bytes, error.line(), error.column());
            findings.add(&RECEIPT_SYNTAX, RECEIPT, offset, shortened(&error.to_string()));
            None
        }
    }
}

/// The byte offset of a line and a column, both counted from 1.
fn offset_of(text: &[u8], line: usize, column: usize) -> Option<u64> {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(before) => memchr::memchr_iter(b'\n', text).nth(before)? + 1,
    };
    Some((start as u64).saturating_add(column.saturating_sub(1) as u64))
}

/// What a receipt is compared with.
struct Comparison<'a> {
    files: &'a dyn Files,
    /// Paths of the files in the directory, sorted.
    there: &'a [String],
    /// Their bytes.
    total: u64,
    named: &'a [String],
}

impl Comparison<'_> {
    fn run(&self, receipt: &Receipt, places: &mut Places<'_>) -> Compared {
        let algorithm = hash_algorithm(receipt, places.findings);
        check_tracks(receipt, places.findings);
        let listed = by_path(receipt, places.findings);
        let wanted = self.wanted(&listed, algorithm, places.findings);
        let broken: Vec<_> = wanted
            .into_par_iter()
            .map_init(Vec::new, |buffer, wanted| {
                let broken = self.compare(&wanted, buffer).err()?;
                Some((wanted.file.path.as_str(), broken))
            })
            .collect();
        for (path, Broken { rule, offset, message }) in broken.into_iter().flatten() {
            places.add(rule, path, offset, message);
        }
        for path in self.named.iter().filter(|path| is_plain(path) && !listed.contains_key(path.as_str())) {
            places.add(&RECEIPT_MANIFEST, path, None, "a manifest names it, the receipt does not".to_owned());
        }
        for path in self.there {
            let is_known = listed.contains_key(path.as_str())
                || [RECEIPT, JOURNAL].contains(&path.as_str())
                || holds(self.named, path);
            if !is_known {
                places.add(&RECEIPT_UNLISTED, path, None, "the receipt does not list it".to_owned());
            }
        }
        let is_hashed = algorithm.is_some() && receipt.files.0.iter().all(|file| file.hash.is_some());
        if is_hashed { Compared::Hashes } else { Compared::Sizes }
    }

    /// The files to look at, and by which function. A file that is listed by a path through a linked directory may have been
    /// named by many: of these no more is read than the directory has bytes.
    fn wanted<'r>(
        &self,
        listed: &BTreeMap<&'r str, &'r ListedFile>,
        algorithm: Option<HashAlgorithm>,
        findings: &mut Findings,
    ) -> Vec<Wanted<'r>> {
        let mut left = self.total;
        let mut wanted = Vec::with_capacity(listed.len());
        for file in listed.values() {
            let hash = match (algorithm, file.hash.as_deref()) {
                (None, _) => Hash::Unknown,
                (Some(_), None) => {
                    let message = format!("{} has no hash, and others have", quoted(&file.path));
                    findings.add(&RECEIPT_SYNTAX, RECEIPT, None, message);
                    Hash::Unknown
                }
                (Some(algorithm), Some(expected)) if holds(self.there, &file.path) => {
                    Hash::Of(algorithm, expected)
                }
                (Some(algorithm), Some(expected)) => match left.checked_sub(file.bytes) {
                    Some(less) => {
                        left = less;
                        Hash::Of(algorithm, expected)
                    }
                    None => Hash::NotRead,
                },
            };
            wanted.push(Wanted { file, hash });
        }
        wanted
    }

    /// Compares a file with what is listed of it.
    fn compare(&self, wanted: &Wanted<'_>, buffer: &mut Vec<u8>) -> Result<(), Broken> {
        let Wanted { file, hash } = wanted;
        let source = self.files.open(&file.path).map_err(|error| match error {
            OpenError::Missing => Broken::new(&RECEIPT_FILE, "the receipt lists it, and it is not there"),
            OpenError::NotRegular => Broken::new(&RECEIPT_FILE, "it is no regular file"),
            OpenError::Outside => {
                Broken::new(&RECEIPT_PATH, "a link leads out of the directory; it was not opened")
            }
            OpenError::Failed(error) => Broken::new(&FILE_UNREADABLE, error.kind().to_string()),
        })?;
        if source.len() != file.bytes {
            let message = format!("it has {} bytes, the receipt says {}", source.len(), file.bytes);
            return Err(Broken::new(&RECEIPT_BYTES, message));
        }
        let (algorithm, expected) = match hash {
            Hash::Of(algorithm, expected) => (*algorithm, *expected),
            Hash::Unknown => return Ok(()),
            Hash::NotRead => {
                let message = "it is one of so many names through links that its bytes were not compared";
                return Err(Broken::new(&RECEIPT_PATH, message));
            }
        };
        let found = hash_of(&*source, algorithm, buffer).map_err(|error| Broken {
            rule: &FILE_UNREADABLE,
            offset: error.offset(),
            message: error.kind().to_string(),
        })?;
        if !found.eq_ignore_ascii_case(expected) {
            let message = format!(
                "its bytes are not those that were written: their {} is {found}, the receipt says {}",
                algorithm.name(),
                quoted(expected)
            );
            return Err(Broken::new(&RECEIPT_HASH, message));
        }
        Ok(())
    }
}

/// A file to look at.
struct Wanted<'r> {
    file: &'r ListedFile,
    hash: Hash<'r>,
}

/// What its bytes are compared with.
enum Hash<'r> {
    /// Function and value.
    Of(HashAlgorithm, &'r str),
    /// There is nothing to compare with.
    Unknown,
    /// There is, but too much was read already.
    NotRead,
}

/// What is wrong with one file.
struct Broken {
    rule: &'static Rule,
    offset: Option<u64>,
    message: String,
}

impl Broken {
    fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self { rule, offset: None, message: message.into() }
    }
}

/// Notes findings at the files that they are about, and when those are many, at the receipt.
struct Places<'f> {
    findings: &'f mut Findings,
    left: usize,
}

impl Places<'_> {
    fn add(&mut self, rule: &Rule, path: &str, offset: Option<u64>, message: String) {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                self.findings.add(rule, path, offset, message);
            }
            None => self.findings.add(rule, RECEIPT, None, format!("{}: {message}", quoted(path))),
        }
    }
}

/// By which function the files are hashed; `None` where hashes cannot be compared.
fn hash_algorithm(receipt: &Receipt, findings: &mut Findings) -> Option<HashAlgorithm> {
    let message = match receipt.options.as_ref().and_then(|options| options.hash.as_deref()) {
        Some("none") => return None,
        Some(name) => match HashAlgorithm::by_name(name) {
            Some(algorithm) => return Some(algorithm),
            None => format!(
                "fragmint {} hashed by {}, which is not known here",
                quoted(&receipt.fragmint),
                quoted(name)
            ),
        },
        None if receipt.files.0.iter().all(|file| file.hash.is_none()) => return None,
        None => "files have hashes, and options.hash does not say by which function".to_owned(),
    };
    findings.add(&RECEIPT_HASH_UNKNOWN, RECEIPT, None, format!("{message}: they were not compared"));
    None
}

/// The listed files that may be looked for, by path.
fn by_path<'r>(receipt: &'r Receipt, findings: &mut Findings) -> BTreeMap<&'r str, &'r ListedFile> {
    let mut listed = BTreeMap::new();
    for file in &receipt.files.0 {
        if !is_plain(&file.path) {
            let message =
                format!("{} is no path inside the directory; it was not opened", quoted(&file.path));
            findings.add(&RECEIPT_PATH, RECEIPT, None, message);
        } else if listed.insert(file.path.as_str(), file).is_some() {
            let message = format!("{} is listed twice", quoted(&file.path));
            findings.add(&RECEIPT_PATH, RECEIPT, None, message);
        }
    }
    listed
}

/// What the receipt says of its tracks against what it says of their segments: the files with a duration.
fn check_tracks(receipt: &Receipt, findings: &mut Findings) {
    let mut segments: BTreeMap<&str, (u64, u128)> = BTreeMap::new();
    for file in &receipt.files.0 {
        if let Some(duration) = file.duration {
            let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
            let (count, sum) = segments.entry(directory).or_default();
            *count += 1;
            *sum = sum.saturating_add(u128::from(duration));
        }
    }
    for track in &receipt.tracks.0 {
        let (count, sum) = segments.get(track.directory.as_str()).copied().unwrap_or_default();
        let name = quoted(&track.directory);
        if count != track.segments {
            let message = format!("{name} has {} segments as a track, {count} are listed", track.segments);
            findings.add(&RECEIPT_TRACK, RECEIPT, None, message);
        } else if sum != u128::from(track.duration) {
            let message =
                format!("{name} lasts {} ticks as a track, its segments {sum} together", track.duration);
            findings.add(&RECEIPT_TRACK, RECEIPT, None, message);
        }
    }
    for track in &receipt.tracks.0 {
        segments.remove(track.directory.as_str());
    }
    for (directory, (count, _)) in segments {
        let message = format!("{count} segments are listed in {}, which is no track", quoted(directory));
        findings.add(&RECEIPT_TRACK, RECEIPT, None, message);
    }
}

/// The hash of a whole file, in hexadecimal digits.
fn hash_of(
    source: &dyn ReadAt,
    algorithm: HashAlgorithm,
    buffer: &mut Vec<u8>,
) -> crate::error::Result<String> {
    let mut hasher = FileHasher::new(algorithm);
    let mut offset = 0;
    while offset < source.len() {
        let len = (source.len() - offset).min(WINDOW as u64);
        buffer.resize(len as usize, 0);
        source.read_at(offset, buffer)?;
        hasher.update(buffer);
        offset += len;
    }
    Ok(hasher.finish())
}

/// Whether `path` is relative, of names with `/` between them: no empty ones, no `.`, no `..`.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | "..")) && !path.contains('\0')
}

fn is_media_or_manifest(path: &str) -> bool {
    [".m4s", ".mp4", ".m3u8", ".mpd"].iter().any(|extension| path.ends_with(extension))
}

/// Whether a sorted list has `path`.
fn holds(sorted: &[String], path: &str) -> bool {
    sorted.binary_search_by(|other| other.as_str().cmp(path)).is_ok()
}

/// A text of the receipt in quotes, escaped, and not too long.
fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
