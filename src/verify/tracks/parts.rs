//! Playlists whose init segment changes on the way ► their parts, each of which has one: like periods of an MPD, they are checked one by
//! one, and what is claimed of all of them holds for some (RFC 8216 4.3.2.3, 4.3.2.5).

use std::collections::BTreeSet;

use super::{HLS_DISCONTINUITIES, HLS_MAP_CHANGE, Track, TrackFacts, bandwidth, claims, later, plus};
use crate::verify::findings::Findings;
use crate::verify::header::Header;
use crate::verify::listing::{ListedDuration, ListedSegment, ListedTrack, Listing, Resource, Time};
use crate::verify::rules::{Rule, Severity};

/// A part of a listing: of each track the segments from one change of the init segment or discontinuity to the next.
pub(in crate::verify) struct Part {
    pub listing: Listing,
    /// What was read of its tracks.
    pub facts: Vec<TrackFacts>,
}

impl Part {
    pub(super) fn tracks(&self) -> Vec<Track<'_>> {
        self.listing.tracks.iter().zip(&self.facts).map(|(listed, facts)| Track::new(listed, facts)).collect()
    }
}

/// The parts of a listing; none where no track changes its init segment. `facts` tells what was read of a track.
///
/// Where the tracks have different numbers of parts nobody can tell which belong together: each track is a listing then.
pub(in crate::verify) fn split(listing: &Listing, facts: impl Fn(&ListedTrack) -> TrackFacts) -> Vec<Part> {
    let changes = |track: &ListedTrack| track.segments.iter().any(|one| is_foreign(track, one));
    if !listing.tracks.iter().any(changes) {
        return Vec::new();
    }
    let tracks: Vec<Vec<ListedTrack>> = listing.tracks.iter().map(parts_of).collect();
    let count = tracks.first().map_or(0, Vec::len);
    // What is claimed, and the whole, are looked at elsewhere.
    let bare = |tracks: Vec<ListedTrack>| Listing {
        file: listing.file.clone(),
        tracks: tracks.into_iter().map(|track| ListedTrack { claims: Default::default(), ..track }).collect(),
        ..Listing::default()
    };
    let listings: Vec<Listing> = if tracks.iter().all(|parts| parts.len() == count) {
        let part = |index: usize| {
            let variants = listing
                .variants
                .iter()
                .cloned()
                .map(|variant| crate::verify::listing::Variant { claims: Default::default(), ..variant });
            Listing {
                switching_sets: listing.switching_sets.clone(),
                variants: if index == 0 { variants.collect() } else { Vec::new() },
                ..bare(tracks.iter().map(|parts| parts[index].clone()).collect())
            }
        };
        (0..count).map(part).collect()
    } else {
        tracks.into_iter().flatten().map(|part| bare(vec![part])).collect()
    };
    let read = |listing: Listing| Part { facts: listing.tracks.iter().map(&facts).collect(), listing };
    listings.into_iter().map(read).collect()
}

/// Whether a segment goes with another init segment than the first of its track.
fn is_foreign(track: &ListedTrack, segment: &ListedSegment) -> bool {
    segment.init.is_some() && segment.init != track.init
}

/// The init segment of a segment.
fn init_of<'a>(track: &'a ListedTrack, segment: &'a ListedSegment) -> Option<&'a Resource> {
    segment.init.as_ref().or(track.init.as_ref())
}

/// The parts of a track, as tracks: each with its init segment, and the segments after it up to a change.
fn parts_of(track: &ListedTrack) -> Vec<ListedTrack> {
    let mut parts: Vec<ListedTrack> = Vec::new();
    for segment in &track.segments {
        let init = init_of(track, segment);
        let is_new = segment.discontinuity || parts.last().is_none_or(|part| part.init.as_ref() != init);
        if is_new {
            let init = init.cloned();
            parts.push(ListedTrack { init, segments: Vec::new(), ..track.clone() });
        }
        if let Some(part) = parts.last_mut() {
            part.segments.push(ListedSegment { init: None, discontinuity: false, ..segment.clone() });
        }
    }
    let count = parts.len();
    for (index, part) in parts.iter_mut().enumerate().filter(|_| count > 1) {
        part.name = format!("{} (part {})", track.name, index + 1);
    }
    parts
}

/// The tracks of a listing as one, over all parts: for the bit rates, where each part has one timescale.
fn joined(listing: &Listing, parts: &[Part]) -> Option<(Listing, Vec<TrackFacts>)> {
    let of = |index: usize| -> Option<TrackFacts> {
        let first = parts.first()?.facts.get(index)?;
        let timescale = first.header.as_ref()?.timescale;
        let mut whole = TrackFacts { header: first.header.clone(), ..TrackFacts::default() };
        for part in parts {
            let facts = part.facts.get(index)?;
            if facts.header.as_ref()?.timescale != timescale || !facts.others.is_empty() {
                return None;
            }
            whole.segments.extend(facts.segments.iter().cloned());
        }
        Some(whole)
    };
    let facts = (0..listing.tracks.len()).map(of).collect::<Option<Vec<_>>>()?;
    let mut listing = listing.clone();
    for segment in listing.tracks.iter_mut().flat_map(|track| &mut track.segments) {
        segment.init = None;
    }
    Some((listing, facts))
}

/// Checks what the parts are together.
pub(super) fn check(listing: &Listing, parts: &[Part], findings: &mut Findings) {
    check_changes(listing, parts, findings);
    let are_beside = parts.iter().all(|part| part.facts.len() == listing.tracks.len());
    if !are_beside {
        return;
    }
    if let Some((whole, facts)) = joined(listing, parts) {
        let tracks: Vec<_> =
            whole.tracks.iter().zip(&facts).map(|(listed, facts)| Track::new(listed, facts)).collect();
        bandwidth::check(&whole, &tracks, findings);
    }
    // What is claimed of the whole: that of no part is wrong.
    let of_parts: Vec<Vec<Track>> = parts.iter().map(|part| beside(listing, part)).collect();
    claims::check_codecs_of(listing, &of_parts, findings);
    let mut common: Option<Findings> = None;
    for tracks in &of_parts {
        let mut found = Findings::default();
        claims::check_others(listing, tracks, &mut found);
        match &mut common {
            None => common = Some(found),
            Some(common) => common.retain_common(&found),
        }
    }
    findings.append(common.unwrap_or_default());
}

/// The tracks of a part as the listing claims them.
fn beside<'a>(listing: &'a Listing, part: &'a Part) -> Vec<Track<'a>> {
    listing.tracks.iter().zip(&part.facts).map(|(listed, facts)| Track::of_part(listed, facts)).collect()
}

/// Where an init segment is another one without a discontinuity, it says the same: else decoders do not start anew.
fn check_changes(listing: &Listing, parts: &[Part], findings: &mut Findings) {
    let headers: Vec<(&Resource, &Header)> = parts
        .iter()
        .flat_map(|part| part.listing.tracks.iter().zip(&part.facts))
        .filter_map(|(track, facts)| Some((track.init.as_ref()?, facts.header.as_ref()?)))
        .collect();
    let header = |init| headers.iter().find(|(other, _)| Some(*other) == init).map(|(_, header)| *header);
    for track in &listing.tracks {
        for pair in track.segments.windows(2).filter(|pair| !pair[1].discontinuity) {
            let [before, after] = [&pair[0], &pair[1]].map(|segment| init_of(track, segment));
            let (Some(old), Some(new)) = (header(before), header(after)) else { continue };
            let is_other_track = (old.handler, old.track_id, old.timescale)
                != (new.handler, new.track_id, new.timescale)
                || old.entry.format != new.entry.format;
            if before == after || !is_other_track && old.entry == new.entry {
                continue;
            }
            let path = after.map_or("", |init| &init.path);
            let message = format!(
                "{path} says another thing than the init segment before it, and there is no EXT-X-DISCONTINUITY"
            );
            // Encoding parameters alone: a recommendation.
            let &Rule { id, clause, unverified, text, severity } = &HLS_MAP_CHANGE;
            let severity = if is_other_track { severity } else { Severity::Warning };
            let rule = Rule { id, severity, clause, unverified, text };
            findings.add(&rule, &track.file, Some(pair[1].offset), message);
        }
    }
}

/// The media playlists of a presentation have discontinuities at the same times, to within a sample; one that ends sooner has those
/// before its end.
pub(super) fn check_discontinuities(listing: &Listing, tracks: &[Track], findings: &mut Findings) {
    if listing.variants.is_empty() {
        return;
    }
    let played: Vec<_> = tracks
        .iter()
        .filter(|track| !track.listed.is_live && (track.is_video() || track.is_audio()))
        .map(|track| (track, times(track.listed)))
        .collect();
    // The first of those that have the most.
    let Some((first, (expected, _))) = played.iter().rev().max_by_key(|(_, (times, _))| times.len()) else {
        return;
    };
    let mut named = BTreeSet::new();
    for (track, (own, end)) in &played {
        let limit = later(first.longest_sample(), track.longest_sample());
        // Each EXTINF is rounded.
        let limit = plus(limit, Time::new(1 + track.listed.segments.len() as i128, 1000)).unwrap_or(limit);
        let has_ended = |at: &Time| plus(*at, limit).is_none_or(|at| !at.compare(*end).is_lt());
        let message = if !expected.get(own.len()).is_none_or(has_ended) {
            format!(
                "there are {} discontinuities, in {} there are {}",
                own.len(),
                first.listed.file,
                expected.len()
            )
        } else if let Some((own, other)) =
            own.iter().zip(expected).find(|(own, other)| !own.is_within(limit, **other))
        {
            format!(
                "a discontinuity is at {:.6} s, in {} it is at {:.6} s",
                own.seconds(),
                first.listed.file,
                other.seconds()
            )
        } else {
            continue;
        };
        if named.insert(&track.listed.file) {
            findings.add(&HLS_DISCONTINUITIES, &track.listed.file, None, message);
        }
    }
}

/// When the discontinuities of a playlist are, and its end, by the durations that it lists.
fn times(track: &ListedTrack) -> (Vec<Time>, Time) {
    let mut sum = Time::new(0, 1);
    let mut times = Vec::new();
    for (index, segment) in track.segments.iter().enumerate() {
        if segment.discontinuity && index > 0 {
            times.push(sum);
        }
        if let ListedDuration::Rounded { time, .. } = segment.duration {
            sum = plus(sum, time).unwrap_or(sum);
        }
    }
    (times, sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tracks::testing::*;

    /// The second half of a track has another init segment behind a discontinuity.
    fn changed(package: &mut Package, track: usize) {
        let made = &mut package.tracks[track];
        let init = resource(&format!("{}/init-2.mp4", made.0.name));
        for (index, segment) in made.0.segments.iter_mut().enumerate().skip(3) {
            segment.init = Some(init.clone());
            segment.discontinuity = index == 3;
        }
    }

    /// What is found of a package in parts, each with the facts of its segments and the header `second` in the second.
    fn found(package: &Package, second: impl Fn(&mut Header)) -> Vec<&'static str> {
        let listing = package.listing();
        let facts = |track: &ListedTrack| {
            let index = listing.tracks.iter().position(|one| track.name.starts_with(&one.name)).unwrap();
            let whole = &package.tracks[index].1;
            let at = |segment: &ListedSegment| {
                listing.tracks[index].segments.iter().position(|one| one.resource == segment.resource)
            };
            let segments =
                track.segments.iter().map(|one| whole.segments[at(one).unwrap()].clone()).collect();
            let mut header = whole.header.clone();
            if track.init != listing.tracks[index].init {
                header.as_mut().map(&second);
            }
            TrackFacts { header, segments, others: Vec::new() }
        };
        let parts = split(&listing, facts);
        let whole: Vec<_> = listing.tracks.iter().map(facts).collect();
        let mut findings = Findings::default();
        super::super::check_all(&listing, &whole, &parts, &mut findings);
        let mut found = ids(&findings.into_vec());
        found.sort_unstable();
        found
    }

    fn package() -> Package {
        let mut package = Package::hls([video(), audio()]);
        changed(&mut package, 0);
        changed(&mut package, 1);
        package
    }

    #[test]
    fn parts_are_checked_one_by_one() {
        let mut package = package();
        package.listing.variants[0].claims.size = Some((640, 360));
        let size = |header: &mut Header| {
            if header.entry.size.is_some() {
                header.entry.size = Some((640, 360));
            }
        };
        assert_eq!(found(&package, size), [""; 0], "the size of the second part");
        assert_eq!(found(&package, |_| ()), ["resolution"], "of no part");
        package.facts(0)[4].decode_time += 10;
        assert!(found(&package, size).contains(&"tfdt-continuity"));
        // Decode times may start anew at a discontinuity.
        let mut package = self::package();
        for track in 0..2 {
            for segment in package.facts(track).into_iter().skip(3) {
                segment.decode_time -= 6000;
                segment.earliest_presentation -= 6000;
                segment.presentation_end -= 6000;
            }
        }
        assert_eq!(found(&package, |_| ()), [""; 0]);
    }

    #[test]
    fn codecs_are_those_of_all_parts() {
        let mut package = package();
        let other = |header: &mut Header| {
            if header.entry.size.is_some() {
                header.entry.codec = Some("avc1.640028".to_owned());
            }
        };
        let mut with = |codecs: &[&str]| {
            package.listing.variants[0].claims.codecs =
                codecs.iter().map(|&codec| codec.to_owned()).collect();
            found(&package, other)
        };
        assert_eq!(with(&["avc1.64001F", "avc1.640028", "mp4a.40.2"]), [""; 0]);
        assert_eq!(with(&["avc1.64001F", "mp4a.40.2"]), ["codecs"]);
    }

    #[test]
    fn bit_rates_are_those_of_all_parts() {
        let mut package = package();
        package.listing.variants[0].claims.bandwidth = Some(8000);
        assert_eq!(found(&package, |_| ()), [""; 0]);
        package.facts(0)[4].bytes = 2000;
        assert_eq!(found(&package, |_| ()), ["hls-bandwidth"]);
    }

    #[test]
    fn a_change_without_a_discontinuity_says_the_same() {
        let mut package = package();
        for made in &mut package.tracks {
            made.0.segments[3].discontinuity = false;
        }
        assert_eq!(found(&package, |_| ()), [""; 0]);
        let size = |header: &mut Header| header.entry.size = Some((640, 360));
        assert_eq!(found(&package, size), ["hls-map-change"; 2]);
        assert_eq!(found(&package, |header| header.track_id = 9), ["hls-map-change"; 2]);
    }

    #[test]
    fn playlists_have_their_discontinuities_together() {
        let mut package = package();
        assert_eq!(found(&package, |_| ()), [""; 0]);
        package.tracks[1].0.segments[3].discontinuity = false;
        package.tracks[1].0.segments[4].discontinuity = true;
        for segment in &mut package.tracks[1].0.segments {
            segment.init = None;
        }
        assert_eq!(found(&package, |_| ()), ["hls-discontinuities"]);
        package.tracks[1].0.segments[4].discontinuity = false;
        assert_eq!(found(&package, |_| ()), ["hls-discontinuities"]);
        // It ends where the others have their discontinuity; the order of the tracks does not matter.
        package.truncate(1, 3);
        assert_eq!(found(&package, |_| ()), [""; 0]);
        package.listing.tracks.reverse();
        package.tracks.reverse();
        assert_eq!(found(&package, |_| ()), [""; 0]);
    }

    #[test]
    fn a_duration_is_that_of_all_parts_with_the_init_segment() {
        let mut package = package();
        for segment in &mut package.tracks[1].0.segments {
            segment.init = None;
        }
        let mut with = |ticks| {
            package.header(1).fragment_duration = Some((ticks, 1000));
            found(&package, |_| ())
        };
        assert_eq!(with(12_000), [""; 0]);
        assert_eq!(with(6000), ["track-duration"], "of one part");
    }
}
