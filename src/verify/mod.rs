//! What is on disk ► what is wrong with it: a package in HLS or DASH, of fragmint or of somebody else, without its sources.
//!
//! Everything is read by readers of its own, which share nothing with the code that writes, and every finding is a rule with an
//! id, a clause and a severity ([`rules()`]). Pure over [`Files`]: a directory ([`crate::io::package_files`]), or memory.
//!
//! | module | idea |
//! |---|---|
//! | [`mod@rules`] | what may be wrong, as one list |
//! | [`findings`] | what was found, in order and bounded |
//! | [`files`] | where files come from |
//! | `budget` | how often a file is read |
//! | [`listing`] | what a manifest says, HLS and MPD in one form |
//! | `hls`, `mpd` | manifests ► listings |
//! | `uri` | references in manifests ► paths |
//! | [`header`] | an init segment ► its facts |
//! | [`segment`] | a media segment ► its chunks and samples |
//! | `payload` | the samples against the coded pictures and frames in them |
//! | `tracks` | segments after each other, tracks beside each other, and what manifests say of them |
//! | `receipt` | the receipt against the files |

mod budget;
pub mod files;
pub mod findings;
#[cfg(any(test, fuzzing))]
mod fuzz;
pub mod header;
mod hls;
pub mod listing;
mod mpd;
mod payload;
mod receipt;
pub mod report;
pub mod rules;
pub mod segment;
#[cfg(any(test, fuzzing))]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tracks;
mod uri;

pub use files::Files;
pub use findings::Finding;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_verify;
pub use report::Report;
pub use rules::{Rule, Severity, rules};

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::io::ReadAt;
use budget::Budget;
use files::{FILE_MISSING, FILE_OUTSIDE, FILE_UNREADABLE, OpenError, PLAYLIST_UNNAMED};
use findings::Findings;
use header::Header;
use listing::{ListedSegment, ListedTrack, Listing, Resource};
use receipt::Compared;
use report::TrackReport;
use tracks::{SegmentFacts, TrackFacts};

/// The largest init segment, playlist, MPD or receipt that is read: far more than any is.
const MAX_SMALL_FILE: u64 = 64 << 20;

/// How many segments are listed before no further manifest is read: many manifests may name the same long playlists.
const MAX_LISTED: usize = 1 << 21;
/// What is said then.
const UNLISTED: &str = "manifests behind the one with which more than 2,097,152 segments were listed";

/// Verifies the package in `files`: by the manifest `only`, or by every manifest that is there and by the receipt. `target`
/// is what the report calls it. `progress` is told of bytes of segments.
///
/// Segments are read on all threads of the current rayon pool; the report does not depend on how many there are.
///
/// # Errors
/// `Io` if the directory cannot be listed; `Conflict` if there is no manifest in it. What is wrong with a file is a finding.
pub fn verify(
    files: &dyn Files,
    target: &str,
    only: Option<&str>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report> {
    let mut findings = Findings::default();
    let listings = match only {
        Some(manifest) => read_manifest(files, manifest, &mut findings).into_iter().collect(),
        None => read_manifests(files, MAX_LISTED, &mut findings)?,
    };
    let mut media = Media::read(files, &listings, progress, &mut findings);
    media.not_checked.extend(listings.iter().flat_map(|listing| &listing.not_checked));
    let mut reports: Vec<TrackReport> = Vec::new();
    let mut reported = BTreeSet::new();
    for listing in &listings {
        let facts: Vec<_> = listing.tracks.iter().map(|track| media.facts(track)).collect();
        let parts = tracks::parts::split(listing, |track| media.facts(track));
        tracks::check_all(listing, &facts, &parts, &mut findings);
        for (track, facts) in listing.tracks.iter().zip(&facts) {
            // The same files in several manifests are one track. One without files is its name alone.
            if track.segments.is_empty() || reported.insert(resources(track)) {
                reports.push(track_report(track, facts));
            }
        }
    }
    tracks::check_together(&listings, &mut findings);
    let named = named(&listings);
    let compared = match only {
        None => receipt::check(files, &named, &live_segments(&listings), &mut findings),
        Some(_) => Compared::Nothing,
    };
    if compared == Compared::Sizes {
        media.not_checked.insert("payload by its hash: the receipt has none that can be compared");
    }
    findings.distinct();
    Ok(Report {
        fragmint: env!("CARGO_PKG_VERSION"),
        target: target.to_owned(),
        manifests: listings.iter().map(|listing| listing.file.clone()).collect(),
        tracks: reports,
        receipt: compared != Compared::Nothing,
        files: named.len() as u64,
        bytes: media.bytes(),
        not_checked: media.not_checked.iter().map(|&reason| reason.to_owned()).collect(),
        findings: findings.into_vec(),
    })
}

/// The manifests of a directory: every MPD, and every playlist that no other playlist names, up to about `most` segments.
fn read_manifests(files: &dyn Files, most: usize, findings: &mut Findings) -> Result<Vec<Listing>> {
    let paths: Vec<_> = files.list()?.into_iter().map(|entry| entry.path).collect();
    let of = |extension: &str| paths.iter().filter(|path| path.ends_with(extension)).collect::<Vec<_>>();
    let playlists = of(".m3u8");
    let mpds = of(".mpd");
    if playlists.is_empty() && mpds.is_empty() {
        let remedy = "name the directory of a package, a playlist or an MPD";
        return Err(Error::conflict(
            "there is neither a playlist (.m3u8) nor an MPD (.mpd) in the directory",
            remedy,
        ));
    }
    // Those near the top first: a multivariant playlist stands above or beside what it names.
    let mut order = playlists;
    order.sort_by_key(|path| (path.matches('/').count(), path.as_str()));
    let mut listings: Vec<Listing> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut alone = Vec::new();
    let mut listed = 0;
    for path in order {
        if listed > most {
            break;
        }
        if seen.contains(path.as_str()) {
            continue;
        }
        let mut found = Findings::default();
        let listing = hls::read(files, path, &mut found);
        listed += listing.as_ref().map_or(0, segments_of);
        let is_multivariant =
            listing.as_ref().is_some_and(|listing| listing.tracks.iter().any(|t| t.file != *path));
        if let (true, Some(listing)) = (is_multivariant, &listing) {
            seen.extend(listing.tracks.iter().map(|track| track.file.clone()));
        }
        alone.push((path, listing, found));
    }
    for (path, listing, found) in alone {
        if !seen.contains(path.as_str()) {
            findings.append(found);
            let is_media =
                listing.as_ref().is_some_and(|listing| listing.tracks.iter().any(|t| t.file == *path));
            if is_media && !seen.is_empty() {
                let message = "no multivariant playlist names it, and one is there";
                findings.add(&PLAYLIST_UNNAMED, path, None, message);
            }
            listings.extend(listing);
        }
    }
    for path in mpds {
        if listed > most {
            break;
        }
        let listing = mpd::read(files, path, findings);
        listed += listing.as_ref().map_or(0, segments_of);
        listings.extend(listing);
    }
    if let (true, Some(last)) = (listed > most, listings.last_mut()) {
        last.not_checked.push(UNLISTED);
    }
    Ok(listings)
}

fn segments_of(listing: &Listing) -> usize {
    listing.tracks.iter().map(|track| track.segments.len()).sum()
}

/// The manifest `path`, by its extension: an MPD, or else a playlist.
fn read_manifest(files: &dyn Files, path: &str, findings: &mut Findings) -> Option<Listing> {
    if path.ends_with(".mpd") { mpd::read(files, path, findings) } else { hls::read(files, path, findings) }
}

/// The files that the listings name, manifests included, sorted.
fn named(listings: &[Listing]) -> Vec<String> {
    let mut named = BTreeSet::new();
    for listing in listings {
        named.insert(listing.file.clone());
        for track in &listing.tracks {
            named.insert(track.file.clone());
            named.extend(track.init.iter().map(|init| init.path.clone()));
            for segment in &track.segments {
                named.extend(
                    [Some(&segment.resource), segment.init.as_ref()]
                        .into_iter()
                        .flatten()
                        .filter(|r| !r.path.is_empty())
                        .map(|r| r.path.clone()),
                );
            }
        }
    }
    named.into_iter().collect()
}

/// Paths of the segments of live tracks.
fn live_segments(listings: &[Listing]) -> BTreeSet<&str> {
    let tracks = listings.iter().flat_map(|listing| &listing.tracks).filter(|track| track.is_live);
    tracks.flat_map(|track| &track.segments).map(|segment| segment.resource.path.as_str()).collect()
}

/// The init and media segments of a track.
fn resources(track: &ListedTrack) -> Vec<(Option<&Resource>, &Resource)> {
    track.segments.iter().map(|s| (s.init.as_ref().or(track.init.as_ref()), &s.resource)).collect()
}

/// Of tracks in the same files one report: what is of each is put together, times are those of the first.
fn track_report(track: &ListedTrack, facts: &TrackFacts) -> TrackReport {
    let header = facts.header.as_ref();
    let all: Vec<_> = std::iter::once(facts).chain(&facts.others).collect();
    let codecs: Vec<_> =
        all.iter().filter_map(|facts| facts.header.as_ref()?.entry.codec.as_deref()).collect();
    // Of whichever track has samples in it.
    let segments =
        || (0..track.segments.len()).filter_map(|at| all.iter().find_map(|facts| facts.segment(at)));
    TrackReport {
        name: track.name.clone(),
        codec: (!codecs.is_empty()).then(|| codecs.join(",")),
        segments: segments().count() as u64,
        samples: all.iter().flat_map(|facts| facts.segments.iter().flatten()).map(|s| s.samples).sum(),
        timescale: header.map_or(0, |header| header.timescale),
        duration: facts.segments.iter().flatten().map(|s| s.duration).fold(0, u64::saturating_add),
        bytes: segments().map(|segment| segment.bytes).fold(0, u64::saturating_add),
    }
}

/// A segment is read with an init segment.
type SegmentKey = (Resource, Resource);

/// What was read of the files that listings name, each once: for each track of an init segment, in its order.
struct Media {
    headers: BTreeMap<Resource, Vec<Header>>,
    segments: BTreeMap<SegmentKey, Vec<Option<SegmentFacts>>>,
    not_checked: BTreeSet<&'static str>,
}

impl Media {
    fn read(
        files: &dyn Files,
        listings: &[Listing],
        progress: &(dyn Fn(u64) + Sync),
        findings: &mut Findings,
    ) -> Self {
        let (inits, mut wanted) = wanted(listings);
        let mut budget =
            Budget::new(files, inits.iter().copied().chain(wanted.iter().map(|(_, resource)| resource)));
        let mut headers = BTreeMap::new();
        for init in inits {
            if budget.takes(init, findings) {
                headers.insert(init.clone(), read_headers(files, init, findings));
            }
        }
        wanted.retain(|(_, resource)| budget.takes(resource, findings));
        // One by one: a thread that has no more would look on otherwise while another has several before it.
        let read = wanted.par_iter().with_max_len(1).map(|(init, resource)| {
            let mut found = Findings::default();
            let headers = headers.get(init).map_or(&[][..], Vec::as_slice);
            let segment = read_segment(files, headers, resource, &mut found);
            progress(bytes_of(&segment.0));
            (segment, found)
        });
        let read: Vec<_> = read.collect();
        let mut media = Self { headers, segments: BTreeMap::new(), not_checked: BTreeSet::new() };
        let (mut without_sync_table, mut without_pre_roll) = (BTreeSet::new(), BTreeSet::new());
        for (key, ((facts, not_checked), found)) in wanted.into_iter().zip(read) {
            findings.append(found);
            if facts.iter().flatten().any(|facts| facts.lacks_sync_table)
                && without_sync_table.insert(key.0.clone())
            {
                segment::add_sync_table(&key.0.path, &key.1.path, findings);
            }
            if facts.iter().flatten().any(|facts| facts.lacks_pre_roll)
                && without_pre_roll.insert(key.0.clone())
            {
                segment::add_pre_roll(&key.0.path, &key.1.path, findings);
            }
            media.not_checked.extend(not_checked);
            media.segments.insert(key, facts);
        }
        media
    }

    /// What is known of the first track in the files of a listed one, and with it of the others.
    fn facts(&self, track: &ListedTrack) -> TrackFacts {
        let headers =
            track.init.as_ref().and_then(|init| self.headers.get(init)).map_or(&[][..], Vec::as_slice);
        let of = |index: usize| {
            let read = |segment| self.segments.get(&segment_key(track, segment)?)?.get(index)?.clone();
            TrackFacts {
                header: headers.get(index).cloned(),
                segments: track.segments.iter().map(read).collect(),
                others: Vec::new(),
            }
        };
        TrackFacts { others: (1..headers.len()).map(of).collect(), ..of(0) }
    }

    fn bytes(&self) -> u64 {
        self.segments.values().map(|facts| bytes_of(facts)).fold(0, u64::saturating_add)
    }
}

/// The init segments of the listings, and their segments, each once and in order.
fn wanted(listings: &[Listing]) -> (Vec<&Resource>, Vec<SegmentKey>) {
    let (mut inits, mut segments) = (Vec::new(), Vec::new());
    let (mut seen_inits, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for track in listings.iter().flat_map(|listing| &listing.tracks) {
        let own = track.init.iter().chain(track.segments.iter().filter_map(|segment| segment.init.as_ref()));
        inits.extend(own.filter(|&init| seen_inits.insert(init)));
        let keys = track.segments.iter().filter_map(|segment| segment_key(track, segment));
        segments.extend(keys.filter(|key| seen.insert(key.clone())));
    }
    (inits, segments)
}

/// Bytes of a segment; 0 if nothing could be read of it.
fn bytes_of(facts: &[Option<SegmentFacts>]) -> u64 {
    facts.iter().flatten().next().map_or(0, |facts| facts.bytes)
}

/// By which init segment a segment is read; `None` without one, or with nothing to read.
fn segment_key(track: &ListedTrack, segment: &ListedSegment) -> Option<SegmentKey> {
    let init = segment.init.as_ref().or(track.init.as_ref())?;
    (!segment.resource.path.is_empty()).then(|| (init.clone(), segment.resource.clone()))
}

fn read_headers(files: &dyn Files, resource: &Resource, findings: &mut Findings) -> Vec<Header> {
    let bytes = open(files, &resource.path, findings)
        .and_then(|source| read_small(&resource.path, &*source, resource, findings));
    bytes.map_or(Vec::new(), |bytes| header::read_tracks(&resource.path, &bytes, findings))
}

/// What is kept of a segment for each track of its init segment, and what of it could not be checked. Without such tracks a
/// segment that cannot be opened is still a finding.
fn read_segment(
    files: &dyn Files,
    headers: &[Header],
    resource: &Resource,
    findings: &mut Findings,
) -> (Vec<Option<SegmentFacts>>, Vec<&'static str>) {
    let Some(source) = open(files, &resource.path, findings).filter(|_| !headers.is_empty()) else {
        return Default::default();
    };
    let Some(range) = resource.range_in(source.len()) else {
        cut_off(&resource.path, resource, source.len(), findings);
        return Default::default();
    };
    let mut not_checked = Vec::new();
    let read = headers.iter().map(|header| {
        let mut found = Findings::default();
        let segment = segment::read(&resource.path, &*source, range.clone(), header, &mut found);
        let facts = segment.and_then(|segment| {
            let looked = payload::check(&resource.path, &*source, header, &segment, &mut found);
            not_checked.extend(looked.not_checked);
            let facts = SegmentFacts::of(&segment, header)?;
            let payload::Looked { is_cut_short, lacks_pre_roll, .. } = looked;
            Some(SegmentFacts { is_cut_short, lacks_pre_roll, ..facts })
        });
        findings.merge(found);
        facts
    });
    (read.collect(), not_checked)
}

/// Opens a file that a manifest names; a finding if that cannot be.
fn open<'f>(files: &'f dyn Files, path: &str, findings: &mut Findings) -> Option<Box<dyn ReadAt + 'f>> {
    let (rule, message) = match files.open(path) {
        Ok(source) => return Some(source),
        Err(OpenError::Missing) => {
            (&FILE_MISSING, "a manifest names the file, and it is not there".to_owned())
        }
        Err(OpenError::Outside) => {
            (&FILE_OUTSIDE, "the name leads out of the directory; it was not opened".to_owned())
        }
        Err(OpenError::NotRegular) => (&FILE_UNREADABLE, "it is no regular file".to_owned()),
        Err(OpenError::Failed(error)) => (&FILE_UNREADABLE, error.kind().to_string()),
    };
    findings.add(rule, path, None, message);
    None
}

/// All bytes of a resource of bounded size; a finding if they cannot be read.
fn read_small(
    path: &str,
    source: &dyn ReadAt,
    resource: &Resource,
    findings: &mut Findings,
) -> Option<Vec<u8>> {
    let Some(range) = resource.range_in(source.len()) else {
        cut_off(path, resource, source.len(), findings);
        return None;
    };
    let len = range.end - range.start;
    if len > MAX_SMALL_FILE {
        let message = format!("{len} bytes, more than {MAX_SMALL_FILE} are not read");
        findings.add(&FILE_UNREADABLE, path, None, message);
        return None;
    }
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    match source.read_at(range.start, &mut bytes) {
        Ok(()) => Some(bytes),
        Err(error) => {
            findings.add(&FILE_UNREADABLE, path, error.offset(), error.kind().to_string());
            None
        }
    }
}

fn cut_off(path: &str, resource: &Resource, len: u64, findings: &mut Findings) {
    if let Some((start, end)) = resource.range {
        let message = format!("the manifest names its bytes {start} to {end}, it has {len}");
        findings.add(&FILE_MISSING, path, None, message);
    }
}
