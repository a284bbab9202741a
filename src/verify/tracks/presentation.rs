//! Where the tracks of a presentation start and end: beside each other within a period, and the last ones in the whole.

use std::collections::BTreeMap;

use super::{
    HLS_TIME_ZERO, MPD_PERIOD_BOUNDS, PRESENTATION_DURATION, PRESENTATION_END, PRESENTATION_START,
    PRESENTATION_TOO_LONG, Track, later, minus, plus,
};
use crate::verify::findings::Findings;
use crate::verify::listing::{Listing, Time};

/// `mediaPresentationDuration` is rounded to this at the best.
const MICROSECOND: Time = Time { ticks: 1, timescale: 1_000_000 };

pub(super) fn check(listing: &Listing, tracks: &[Track], findings: &mut Findings) {
    let is_live = tracks.iter().any(|track| track.listed.is_live);
    check_duration(listing, tracks, is_live, findings);
    let mut periods: BTreeMap<usize, Vec<Track>> = BTreeMap::new();
    for &track in tracks.iter().filter(|track| track.is_video() || track.is_audio()) {
        periods.entry(track.listed.period).or_default().push(track);
    }
    let last = periods.keys().next_back().copied();
    for played in periods.values() {
        if !is_live {
            check_end(listing, played, findings);
            let is_last = played.iter().all(|track| Some(track.listed.period) == last);
            check_bounds(listing, played, is_last, findings);
        }
        // Windows into tracks start with any of their segments.
        if played.iter().all(|track| track.is_from_start()) {
            check_start(listing, played, findings);
            if !listing.variants.is_empty() {
                check_time_zero(listing, played, is_live, findings);
            }
        }
    }
}

/// The ends of a track in the presentation, as [`ends`] has them in its period.
fn ends_in_presentation(track: Track) -> Option<(Time, Time)> {
    let (least, largest) = ends(track)?;
    let start = track.listed.period_start?;
    Some((plus(start, least)?, plus(start, largest)?))
}

/// The ends of a track that a player may see, from the start of its period: the least and the largest.
fn ends(track: Track) -> Option<(Time, Time)> {
    let last = track.last()?;
    if track.is_interrupted() {
        return Some((track.duration(), track.duration()));
    }
    let offset = track.listed.presentation_time_offset.unwrap_or(Time::new(0, 1));
    let edit = track.edit().max(0);
    let least = minus(track.time(last.end().min(last.presentation_end) - edit), offset)?;
    let largest = minus(track.time(last.end().max(last.presentation_end)), offset)?;
    Some((least, largest))
}

fn check_duration(listing: &Listing, tracks: &[Track], is_live: bool, findings: &mut Findings) {
    let Some(stated) = listing.duration.filter(|_| !is_live) else { return };
    check_reach(listing, tracks, stated, findings);
    let end = |track: &Track| Some((ends_in_presentation(*track)?.1, track.longest_segment()));
    let known: Vec<_> = tracks.iter().map(end).collect();
    // A track of which nothing is known may be the longest.
    let Some(known) = known.into_iter().collect::<Option<Vec<_>>>() else { return };
    let Some((end, segment)) = known.into_iter().reduce(|a, b| (later(a.0, b.0), later(a.1, b.1))) else {
        return;
    };
    if plus(end, segment).is_some_and(|limit| limit.compare(stated).is_lt()) {
        let message = format!(
            "the presentation is to last {:.6} s, its longest track ends at {:.6} s",
            stated.seconds(),
            end.seconds()
        );
        findings.add(&PRESENTATION_TOO_LONG, &listing.file, None, message);
    }
}

/// Whether `stated` reaches the end of each track of the last period, to within a sample: the one that ends last is named. The
/// tracks of other periods end with these.
fn check_reach(listing: &Listing, tracks: &[Track], stated: Time, findings: &mut Findings) {
    let last = tracks.iter().map(|track| track.listed.period).max();
    let cut = tracks.iter().filter(|track| Some(track.listed.period) == last).filter_map(|&track| {
        let reached = plus(plus(stated, track.longest_sample())?, MICROSECOND)?;
        let (least, _) = ends_in_presentation(track)?;
        reached.compare(least).is_lt().then_some((track, least))
    });
    if let Some((track, end)) = cut.reduce(|a, b| if a.1.compare(b.1).is_lt() { b } else { a }) {
        let message = format!(
            "the presentation is to last {:.6} s, {} ends at {:.6} s: what is behind is not played",
            stated.seconds(),
            track.name(),
            end.seconds()
        );
        findings.add(&PRESENTATION_DURATION, &listing.file, track.listed.claims.offset, message);
    }
}

/// The times at which a track may be said to start: by decode time, by presentation time, and by that with the edit list.
fn starts(track: Track) -> Option<[Time; 3]> {
    let first = track.first()?;
    let offset = track.listed.presentation_time_offset.unwrap_or(Time::new(0, 1));
    let presented = first.earliest_presentation;
    let [decode, presentation, edited] =
        [first.start(), presented, presented - track.edit()].map(|ticks| minus(track.time(ticks), offset));
    Some([decode?, presentation?, edited?])
}

fn check_start(listing: &Listing, played: &[Track], findings: &mut Findings) {
    let Some(video) = played.iter().copied().find(|track| track.is_video()) else { return };
    let Some(zero) = starts(video) else { return };
    for audio in played.iter().copied().filter(|track| track.is_audio()) {
        let Some(start) = starts(audio) else { continue };
        let limit = later(video.longest_sample(), audio.longest_sample());
        if zero.iter().zip(start).any(|(zero, start)| zero.is_within(limit, start)) {
            continue;
        }
        let message = format!(
            "{} starts at {:.6} s, {} at {:.6} s",
            audio.name(),
            start[1].seconds(),
            video.name(),
            zero[1].seconds()
        );
        findings.add(&PRESENTATION_START, &listing.file, audio.listed.claims.offset, message);
    }
}

fn check_end(listing: &Listing, played: &[Track], findings: &mut Findings) {
    let known = played.iter().filter_map(|&track| Some((track, ends(track)?.1)));
    let Some((longest, end)) = known.reduce(|a, b| if a.1.compare(b.1).is_lt() { b } else { a }) else {
        return;
    };
    if longest.is_interrupted() {
        return;
    }
    for track in played.iter().copied().filter(|track| !track.is_interrupted()) {
        let Some((_, own)) = ends(track) else { continue };
        let limit = later(longest.longest_segment(), track.longest_segment());
        if !own.is_within(limit, end) {
            let message = format!(
                "{} ends at {:.6} s, {} at {:.6} s",
                track.name(),
                own.seconds(),
                longest.name(),
                end.seconds()
            );
            findings.add(&PRESENTATION_END, &listing.file, track.listed.claims.offset, message);
        }
    }
}

/// Of several periods each is filled by its tracks: neither a gap at an end of it, nor what is not played. A player may begin with the
/// first track of a period, which is therefore looked at before the others: one finding says it of all. Nothing is behind the last
/// period: its tracks end together to within a segment, as those of a presentation do.
fn check_bounds(listing: &Listing, played: &[Track], is_last: bool, findings: &mut Findings) {
    let sample = played.iter().map(|track| track.longest_sample()).reduce(later);
    let Some(limit) = sample.and_then(|sample| plus(sample, Time::new(1, 1000))) else { return };
    let segment = played.iter().map(|track| track.longest_segment()).reduce(later);
    let end_limit = segment.filter(|_| is_last).map_or(limit, |segment| later(segment, limit));
    for &track in played {
        let Some(duration) = track.listed.period_duration else { continue };
        let (Some(starts), Some((least, largest))) = (starts(track), ends(track)) else { continue };
        let zero = Time::new(0, 1);
        let edited = starts[2];
        let message = if !starts.iter().any(|start| zero.is_within(limit, *start)) {
            format!("{} starts {:.6} s behind the start of its period", track.name(), edited.seconds())
        } else if !(duration.is_within(end_limit, least) || duration.is_within(end_limit, largest))
            && (duration.compare(least).is_lt() || duration.compare(largest).is_gt())
        {
            format!(
                "{} ends {:.6} s behind the start of its period, which lasts {:.6} s",
                track.name(),
                largest.seconds(),
                duration.seconds()
            )
        } else {
            continue;
        };
        return findings.add(&MPD_PERIOD_BOUNDS, &listing.file, track.listed.claims.offset, message);
    }
}

/// Playlists have no offset: tracks meet by their decode times, and a CMAF presentation starts at 0.
fn check_time_zero(listing: &Listing, played: &[Track], is_live: bool, findings: &mut Findings) {
    let start = |track: Track| Some(track.time(track.first()?.start()));
    let known = played.iter().filter_map(|&track| Some((track, start(track)?)));
    let Some((earliest, zero)) = known.reduce(|a, b| if b.1.compare(a.1).is_lt() { b } else { a }) else {
        return;
    };
    for track in played.iter().copied() {
        let Some(own) = start(track) else { continue };
        let limit = later(earliest.longest_segment(), track.longest_segment());
        if !own.is_within(limit, zero) {
            let message = format!(
                "its first decode time is {:.6} s, that of {} {:.6} s",
                own.seconds(),
                earliest.name(),
                zero.seconds()
            );
            findings.add(&HLS_TIME_ZERO, &track.listed.file, track.listed.offset, message);
        }
    }
    let is_cmaf = played.iter().all(|track| track.is_cmaf());
    if is_cmaf && !is_live && zero.compare(earliest.longest_segment()).is_gt() {
        let message = format!("the presentation starts at {:.6} s instead of 0", zero.seconds());
        findings.add(&HLS_TIME_ZERO, &listing.file, None, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tracks::testing::*;

    #[test]
    fn a_duration_reaches_the_last_sample() {
        let mut package = Package::of([video(), audio()]);
        let mut with = |ticks| {
            package.listing.duration = Some(Time::new(ticks, 1000));
            package.rules()
        };
        assert_eq!(with(12_000), [""; 0]);
        assert_eq!(with(11_960), [""; 0], "audio ends within a sample");
        assert_eq!(with(11_959), ["presentation-duration"]);
        assert_eq!(with(13_900), [""; 0]);
        assert_eq!(with(14_100), ["presentation-too-long"]);
        assert_eq!(with(i128::MAX), ["presentation-too-long"]);
    }

    /// Two periods that share an init segment: the second has the segments behind those of the first.
    #[test]
    fn periods_follow_each_other() {
        let mut package = Package::of([video(), video()]);
        package.header(0).fragment_duration = Some((12_000, 1000));
        package.header(1).fragment_duration = Some((12_000, 1000));
        package.truncate(0, 2);
        let (second, facts) = &mut package.tracks[1];
        second.segments.drain(..2);
        facts.segments.drain(..2);
        second.period = 1;
        second.presentation_time_offset = Some(Time::new(4000, 1000));
        let mut with = |start: Option<i128>, duration| {
            package.tracks[1].0.period_start = start.map(|start| Time::new(start, 1));
            package.listing.duration = Some(Time::new(duration, 1));
            package.rules()
        };
        assert_eq!(with(Some(4), 12), [""; 0]);
        assert_eq!(with(Some(4), 11), ["presentation-duration"]);
        assert_eq!(with(Some(4), 15), ["presentation-too-long"]);
        assert_eq!(with(Some(7), 15), [""; 0]);
        assert_eq!(with(None, 15), [""; 0], "nobody knows where it ends");
    }

    #[test]
    fn tracks_start_together_in_some_way() {
        let mut package = Package::of([video(), audio()]);
        package.facts(0).into_iter().for_each(|segment| {
            segment.earliest_presentation += 80;
            segment.presentation_end += 80;
        });
        assert_eq!(package.rules(), [""; 0], "the decode times are equal");
        package.shift(1, 100);
        assert_eq!(package.rules(), [""; 0], "the presentation times are near");
        package.shift(1, 100);
        assert_eq!(package.rules(), ["presentation-start"]);
        package.tracks[1].1.header.as_mut().unwrap().edit_media_time = Some(120);
        assert_eq!(package.rules(), [""; 0]);
    }

    #[test]
    fn tracks_end_together() {
        let mut package = Package::of([video(), audio()]);
        package.truncate(1, 5);
        assert_eq!(package.rules(), [""; 0]);
        package.truncate(1, 4);
        assert_eq!(package.rules(), ["presentation-end"]);
    }

    #[test]
    fn playlists_have_one_time_zero() {
        let mut package = Package::hls([video(), audio()]);
        assert_eq!(package.rules(), [""; 0]);
        package.shift(1, 2100);
        assert_eq!(package.rules(), ["hls-time-zero", "presentation-end", "presentation-start"]);
        package.shift(0, 2100);
        let found = package.check();
        assert_eq!(ids(&found), ["hls-time-zero"]);
        assert_eq!(found[0].message, "the presentation starts at 2.100000 s instead of 0");
        for (track, facts) in &mut package.tracks {
            facts.header.as_mut().unwrap().brands.clear();
            track.is_live = false;
        }
        assert_eq!(package.rules(), [""; 0]);
        package.shift(1, 2100);
        assert_eq!(package.rules(), ["hls-time-zero", "presentation-end", "presentation-start"]);
        package.facts(1)[0].sequence_numbers.0 = 2;
        assert_eq!(package.rules(), ["presentation-end"], "a window");
    }
}
