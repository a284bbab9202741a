//! The segments of one track after each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{SEQUENCE_ORDER, TFDT_CONTINUITY, TRACK_DURATION, Track, minus, plus};
use crate::verify::findings::Findings;
use crate::verify::listing::{ListedSegment, Resource, Time};
use crate::verify::payload::SAMPLE_DURATION;

/// How many breaks of one rule in one track are named one by one: each lies in another file.
const NAMED: u64 = 8;

pub(super) fn check(track: Track, findings: &mut Findings) {
    check_decode_times(track, findings);
    check_sequence_numbers(track, findings);
    check_cut_short(track, findings);
}

/// The init segments of which no listed track has all segments: several share them, as periods do.
pub(super) fn shared<'a>(tracks: &[Track<'a>]) -> BTreeSet<&'a Resource> {
    let mut known = BTreeMap::new();
    let mut shared = BTreeSet::new();
    for listed in tracks.iter().map(|track| track.listed) {
        let Some(init) = &listed.init else { continue };
        let resource = |segment: Option<&'a ListedSegment>| segment.map(|segment| &segment.resource);
        let segments =
            (listed.segments.len(), resource(listed.segments.first()), resource(listed.segments.last()));
        if *known.entry(init).or_insert(segments) != segments {
            shared.insert(init);
        }
    }
    shared
}

/// Each segment starts where the one before it ends. What does not call itself CMAF may leave a gap that lengthens the last
/// sample (ISO/IEC 14496-12 8.8.12); up to another such sample nobody sees it.
fn check_decode_times(track: Track, findings: &mut Findings) {
    let mut end = None;
    let mut count = 0u64;
    let mut last = None;
    for (listed, facts) in track.segments() {
        let expected = end.filter(|_| !listed.discontinuity);
        end = facts.map(|facts| (facts.end(), i128::from(facts.sample_durations.1)));
        let (Some((expected, sample)), Some(facts)) = (expected, facts) else { continue };
        let apart = facts.start() - expected;
        if apart == 0 || (!track.is_cmaf() && apart.abs() <= sample) {
            continue;
        }
        count += 1;
        if count > NAMED {
            last = Some((listed, facts));
            continue;
        }
        let (what, ticks) = if apart > 0 { ("a gap", apart) } else { ("an overlap", -apart) };
        let which = track.header().filter(|header| !header.others.is_empty());
        let which = which.map_or_else(String::new, |header| format!("track {}: ", header.track_id));
        let message = format!(
            "{which}decode time {}, the segment before ends at {expected}: {what} of {ticks} ticks ({:.6} s)",
            facts.decode_time,
            track.time(ticks).seconds(),
        );
        findings.add(&TFDT_CONTINUITY, &listed.resource.path, Some(facts.offset), message);
    }
    if let Some((listed, facts)) = last {
        let message = format!(
            "this one and {} before it do not follow those before them either",
            count.saturating_sub(NAMED + 1)
        );
        findings.add(&TFDT_CONTINUITY, &listed.resource.path, Some(facts.offset), message);
    }
}

fn check_sequence_numbers(track: Track, findings: &mut Findings) {
    let mut before: Option<u32> = None;
    let mut count = 0;
    for (listed, facts) in track.segments() {
        let last = before.filter(|_| !listed.discontinuity);
        before = facts.map(|facts| facts.sequence_numbers.1);
        let (Some(last), Some(facts)) = (last, facts) else { continue };
        if facts.sequence_numbers.0 <= last && count < NAMED {
            count += 1;
            let message =
                format!("sequence number {}, behind {last} in the segment before", facts.sequence_numbers.0);
            findings.add(&SEQUENCE_ORDER, &listed.resource.path, Some(facts.offset), message);
        }
    }
}

/// Only the last sample of a track, or of a part of it, may be cut short.
fn check_cut_short(track: Track, findings: &mut Findings) {
    let mut segments = track.segments().peekable();
    let mut count = 0;
    while let Some((listed, facts)) = segments.next() {
        let is_followed = segments.peek().is_some_and(|(next, _)| !next.discontinuity);
        if is_followed && count < NAMED && facts.is_some_and(|facts| facts.is_cut_short) {
            count += 1;
            let message =
                "its last sample lasts less than what is in it, and it is not the last of the track";
            findings.add(&SAMPLE_DURATION, &listed.resource.path, None, message);
        }
    }
}

/// `mehd` against what is there, which of several tracks is the longest. A manifest may list a later part of a track: only one
/// from the start of it can tell.
pub(super) fn check_duration(track: Track, findings: &mut Findings) {
    let is_shorter = |a: Track<'_>, b: Track<'_>| a.duration().compare(b.duration()).is_lt();
    let is_complete = track.multiplexed().all(Track::is_complete);
    let track = track.multiplexed().reduce(|a, b| if is_shorter(a, b) { b } else { a }).unwrap_or(track);
    let Some(header) = track.header() else { return };
    let Some((duration, timescale)) = header.fragment_duration.filter(|&(duration, _)| duration > 0) else {
        return;
    };
    let is_whole = is_complete && !track.is_interrupted() && !track.listed.is_live;
    if !is_whole || track.first().is_none_or(|first| first.sequence_numbers.0 > 1) {
        return;
    }
    check_stated(track, Time::new(duration.into(), timescale.into()), track.duration(), findings);
}

/// `mehd` of an init segment that several parts of a track have, `parts` of one track: it goes for all of them.
pub(super) fn check_shared_duration(parts: &[Track], findings: &mut Findings) {
    let Some(&first) = parts.first() else { return };
    let is_whole = |track: &Track| {
        let is_alone = track.header().is_some_and(|header| header.others.is_empty());
        is_alone && track.is_complete() && !track.is_interrupted() && !track.listed.is_live
    };
    let Some((duration, timescale)) = first.header().and_then(|header| header.fragment_duration) else {
        return;
    };
    let is_from_start = first.first().is_some_and(|first| first.sequence_numbers.0 <= 1);
    if duration == 0 || !is_from_start || !parts.iter().all(is_whole) {
        return;
    }
    let sum = parts
        .iter()
        .try_fold(Time::new(0, first.duration().timescale), |sum, part| plus(sum, part.duration()));
    if let Some(sum) = sum {
        check_stated(first, Time::new(duration.into(), timescale.into()), sum, findings);
    }
}

/// `stated` against `sum`, with what an edit list cuts off at the start or without it.
fn check_stated(track: Track, stated: Time, sum: Time, findings: &mut Findings) {
    let tick = Time::new(1, stated.timescale);
    let presented = minus(sum, track.time(track.edit()));
    if !stated.is_within(tick, sum) && !presented.is_some_and(|presented| stated.is_within(tick, presented)) {
        let message = format!(
            "fragment_duration is {:.6} s, the segments of {} last {:.6} s",
            stated.seconds(),
            track.name(),
            sum.seconds()
        );
        let file = track.listed.init.as_ref().map_or(track.listed.file.as_str(), |init| init.path.as_str());
        findings.add(&TRACK_DURATION, file, None, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::verify::tracks::testing::*;

    #[test]
    fn a_gap_once_is_one_finding() {
        let mut package = Package::of([video()]);
        assert_eq!(package.rules(), [""; 0]);
        for segment in package.facts(0).into_iter().skip(3) {
            segment.decode_time += 10;
        }
        let found = package.check();
        assert_eq!(ids(&found), ["tfdt-continuity"]);
        assert_eq!(found[0].file, "video/4.m4s");
        assert!(found[0].message.ends_with("a gap of 10 ticks (0.010000 s)"), "{}", found[0].message);
        package.tracks[0].0.segments[3].discontinuity = true;
        assert_eq!(package.rules(), [""; 0]);
    }

    #[test]
    fn a_gap_of_a_sample_is_allowed_where_it_is_not_cmaf() {
        let mut package = Package::of([video()]);
        package.tracks[0].1.header.as_mut().unwrap().brands.clear();
        for segment in package.facts(0).into_iter().skip(3) {
            segment.decode_time += 40;
        }
        assert_eq!(package.rules(), [""; 0]);
        package.facts(0)[5].decode_time -= 41;
        assert_eq!(package.rules(), ["tfdt-continuity"]);
    }

    #[test]
    fn drift_is_named_a_few_times() {
        let mut package = Package::of([long_video(1000)]);
        for (index, segment) in package.facts(0).into_iter().enumerate() {
            segment.decode_time += index as u64;
        }
        let found = package.check();
        assert_eq!(found.len(), 9);
        assert!(found[8].message.starts_with("this one and 990 before it"), "{}", found[8].message);
    }

    #[test]
    fn long_tracks_beside_each_other_are_quick() {
        // Where each pair went through all segments for each segment, this would take hours.
        let long = |mut made: Made| {
            let (listed, facts) = long_video(50_000);
            (made.0.segments, made.1.segments) = (listed.segments, facts.segments);
            made
        };
        let mut package = Package::hls([long(audio()), long(audio()), long(video())]);
        package.listing.switching_sets = vec![vec![0, 1]];
        package.listing.min_buffer_time = Some(crate::verify::listing::Time::new(2, 1));
        package.tracks[0].0.claims.bandwidth = Some(4000);
        package.listing.variants[0].claims.bandwidth = Some(8000);
        assert_eq!(package.rules(), [""; 0]);
    }

    #[test]
    fn unread_and_foreign_segments_are_passed_over() {
        let mut package = Package::of([video()]);
        package.tracks[0].1.segments[2] = None;
        package.facts(0).into_iter().skip(2).for_each(|segment| segment.decode_time += 1);
        assert_eq!(package.rules(), [""; 0]);
        let mut package = Package::of([video()]);
        package.tracks[0].0.segments[2].init = Some(resource("other.mp4"));
        package.facts(0)[2].decode_time = 5;
        assert_eq!(package.rules(), [""; 0]);
    }

    #[test]
    fn sequence_numbers_rise() {
        let mut package = Package::of([video()]);
        package.facts(0)[1].sequence_numbers = (3, 3);
        package.facts(0)[2].sequence_numbers = (2, 2);
        assert_eq!(package.rules(), ["sequence-order"]);
    }

    #[test]
    fn mehd_gives_the_whole_track() {
        let mut package = Package::of([video()]);
        let mut with = |duration, timescale| {
            package.tracks[0].1.header.as_mut().unwrap().fragment_duration = Some((duration, timescale));
            package.rules()
        };
        assert_eq!(with(12_000, 1000), [""; 0]);
        assert_eq!(with(0, 1000), [""; 0]);
        assert_eq!(with(12, 1), [""; 0]);
        assert_eq!(with(12_002, 1000), ["track-duration"]);
        assert_eq!(with(u64::MAX, 1), ["track-duration"]);
    }
}
