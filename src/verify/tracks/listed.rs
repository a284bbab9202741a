//! The times that a manifest lists for segments, against those of the media.
//!
//! `S@t` and `S@d` are on the media timeline, but packagers take the edit list off them: FFmpeg and Shaka Packager write
//! `tfdt` less `media_time`, at least 0, so that the first segment is shorter by the priming. Both ways are right here. So
//! is an edit list that puts the track off by less than a segment, which only files that are not CMAF have.

use super::{
    HLS_EXTINF_DURATION, MPD_NOMINAL_DURATION, MPD_SEGMENT_DURATION, MPD_SEGMENT_START, SegmentFacts, Track,
    minus, plus, rounding,
};
use crate::verify::findings::Findings;
use crate::verify::listing::{ListedDuration, ListedSegment, Time};

/// A tenth of a second: a longer sample allows no more for the bounds of a segment than this.
const LONGEST_SAMPLE: Time = Time { ticks: 1, timescale: 10 };

pub(super) fn check(track: Track, findings: &mut Findings) {
    let mut apart_before = None;
    let shift = shift(track);
    let mut is_nominal_named = false;
    let mut is_first = true;
    let mut segments = track.segments().peekable();
    while let Some((listed, facts)) = segments.next() {
        let next = segments.peek();
        let is_last = next.is_none_or(|(next, _)| next.discontinuity);
        let next = next.filter(|(next, _)| !next.discontinuity).and_then(|(_, facts)| *facts);
        is_first |= listed.discontinuity;
        let Some(facts) = facts else { continue };
        let place = Place { track, listed, facts, next, shift, is_first, is_last };
        is_first = false;
        match listed.duration {
            ListedDuration::Rounded { time, unit } => place.check_rounded(time, unit, findings),
            ListedDuration::Exact(time) => {
                place.check_exact(time, findings);
                place.check_start(&mut apart_before, findings);
            }
            ListedDuration::Nominal(time) => {
                if !is_nominal_named {
                    is_nominal_named = place.check_nominal(time, findings);
                }
            }
        }
    }
}

/// Ticks that an empty edit puts the track later by, as far as the first segment tells.
fn shift(track: Track) -> i128 {
    let own = track.timescale();
    let first = track.segments().next();
    let Some((listed, Some(facts))) = first.filter(|_| !track.is_cmaf() && track.edit() == 0) else {
        return 0;
    };
    let Some(start) = listed.start.filter(|start| start.timescale == own) else { return 0 };
    let shift = start.ticks.saturating_sub(facts.earliest_presentation);
    let longest = track.longest_segment();
    let is_told = |told| track.time(shift).is_within(longest, told);
    let is_edit =
        shift.unsigned_abs() < longest.ticks.unsigned_abs() || track.empty_edit().is_some_and(is_told);
    if is_edit { shift } else { 0 }
}

/// A segment in its track.
struct Place<'a> {
    track: Track<'a>,
    listed: &'a ListedSegment,
    facts: &'a SegmentFacts,
    /// The segment behind it.
    next: Option<&'a SegmentFacts>,
    /// See [`shift`].
    shift: i128,
    /// It is the first of the track, or of a part of it.
    is_first: bool,
    is_last: bool,
}

impl Place<'_> {
    fn duration(&self) -> Time {
        self.track.time(self.facts.duration.into())
    }

    /// The bounds of a segment may be taken from any of its last pictures, from the next segment, and less the priming. FFmpeg
    /// shortens the last frame of sound in the media alone, so that the longest sample of the track counts, not of the segment.
    fn check_rounded(&self, time: Time, unit: Time, findings: &mut Findings) {
        let reordered = (self.facts.presentation_end - self.facts.end()).max(0);
        let priming = if self.is_first { self.track.edit().max(0) } else { 0 };
        let slack = self.track.time(reordered.max(priming));
        let sample = self.track.longest_sample();
        let sample = if sample.compare(LONGEST_SAMPLE).is_gt() { LONGEST_SAMPLE } else { sample };
        let limit = plus(slack, sample).and_then(|limit| plus(limit, unit)).unwrap_or(slack);
        if !time.is_within(limit, self.duration()) {
            let message = format!(
                "EXTINF is {:.6} s, the samples of {} last {:.6} s",
                time.seconds(),
                self.listed.resource.path,
                self.duration().seconds()
            );
            findings.add(&HLS_EXTINF_DURATION, &self.track.listed.file, Some(self.listed.offset), message);
        }
    }

    fn check_exact(&self, time: Time, findings: &mut Findings) {
        let facts = self.facts;
        let limit = rounding(time.timescale, self.track.timescale());
        let to_next = self.next.map_or(i128::from(facts.duration), |next| next.start() - facts.start());
        let presented = facts.presentation_end - facts.earliest_presentation;
        let edit = if self.is_first { self.track.edit() } else { 0 };
        let primed = i128::from(facts.duration) - edit;
        // What is in front of the edit is not presented, be it priming or pictures.
        let edited = facts.presentation_end - facts.earliest_presentation.max(facts.start() + edit);
        let ways = [facts.duration.into(), to_next, presented, primed, edited];
        if !ways.iter().any(|&ticks| time.is_within(limit, self.track.time(ticks))) {
            let message = format!(
                "S@d is {} of {} a second ({:.6} s), the samples of {} last {:.6} s",
                time.ticks,
                time.timescale,
                time.seconds(),
                self.listed.resource.path,
                self.duration().seconds()
            );
            findings.add(&MPD_SEGMENT_DURATION, &self.track.listed.file, Some(self.listed.offset), message);
        }
    }

    /// The starts that a manifest may tell: decode or presentation time, with the edit list or without.
    fn starts(&self) -> [Time; 5] {
        let (decode, presentation) = (self.facts.start(), self.facts.earliest_presentation);
        let edited = |ticks: i128| (ticks - self.track.edit()).max(0);
        [decode, presentation, edited(decode), edited(presentation), presentation + self.shift]
            .map(|ticks| self.track.time(ticks))
    }

    /// Names a start that is wrong by another amount than the one before.
    fn check_start(&self, apart_before: &mut Option<Time>, findings: &mut Findings) {
        let Some(start) = self.listed.start else { return };
        let limit = rounding(start.timescale, self.track.timescale());
        let starts = self.starts();
        if starts.iter().any(|&time| start.is_within(limit, time)) {
            *apart_before = None;
            return;
        }
        let apart = minus(starts[0], start);
        let is_same = matches!((apart, *apart_before), (Some(a), Some(b)) if a.is_within(limit, b));
        *apart_before = apart;
        if !is_same {
            let message = format!(
                "S@t is {} of {} a second ({:.6} s), {} starts at {:.6} s",
                start.ticks,
                start.timescale,
                start.seconds(),
                self.listed.resource.path,
                starts[0].seconds()
            );
            findings.add(&MPD_SEGMENT_START, &self.track.listed.file, Some(self.listed.offset), message);
        }
    }

    /// Whether it was named.
    fn check_nominal(&self, nominal: Time, findings: &mut Findings) -> bool {
        let half = Time::new(nominal.ticks, nominal.timescale.saturating_mul(2));
        let duration = self.duration();
        let is_off = !duration.is_within(half, nominal);
        let message = if is_off && !(self.is_last && duration.compare(nominal).is_lt()) {
            format!("lasts {:.6} s", duration.seconds())
        } else if let Some(start) = self.listed.start.filter(|start| !self.is_near(*start, half)) {
            let found = self.starts()[0].seconds();
            format!("starts at {found:.6} s instead of {:.6} s", start.seconds())
        } else {
            return false;
        };
        let message = format!(
            "by a duration of {:.6} s a segment, {} {message}",
            nominal.seconds(),
            self.listed.resource.path
        );
        findings.add(&MPD_NOMINAL_DURATION, &self.track.listed.file, Some(self.listed.offset), message);
        true
    }

    /// Whether a start is near one of the segment's, with the offset of the presentation or without.
    fn is_near(&self, start: Time, limit: Time) -> bool {
        let offset = self.track.listed.presentation_time_offset.unwrap_or(Time::new(0, 1));
        let shifted = plus(start, offset).unwrap_or(start);
        self.starts().iter().any(|&time| time.is_within(limit, start) || time.is_within(limit, shifted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tracks::testing::*;

    fn exact(package: &mut Package, timescale: u64) {
        for segment in &mut package.tracks[0].0.segments {
            let seconds = segment.start.unwrap().ticks / 1000;
            segment.start = Some(Time::new(seconds * i128::from(timescale), timescale));
            segment.duration = ListedDuration::Exact(Time::new(2 * i128::from(timescale), timescale));
        }
    }

    #[test]
    fn an_extinf_is_within_its_rounding_and_a_sample() {
        let mut package = Package::of([video()]);
        let mut with = |ticks| {
            package.tracks[0].0.segments[1].duration =
                ListedDuration::Rounded { time: Time::new(ticks, 1000), unit: Time::new(1, 1000) };
            package.check()
        };
        assert!(with(2000).is_empty() && with(2041).is_empty() && with(1959).is_empty());
        let found = with(2042);
        assert_eq!(ids(&found), ["hls-extinf-duration"]);
        assert_eq!((found[0].file.as_str(), found[0].offset), ("video.m3u8", Some(101)));
        assert_eq!(ids(&with(2500)), ["hls-extinf-duration"]);
        assert_eq!(ids(&with(i128::MAX)), ["hls-extinf-duration"]);
    }

    #[test]
    fn a_last_sample_may_be_cut_short_in_the_media_alone() {
        let mut package = Package::of([video()]);
        let last = package.facts(0).pop().unwrap();
        (last.duration, last.presentation_end, last.sample_durations) = (10, 10_010, (10, 10));
        let mut with = |ticks| {
            package.tracks[0].0.segments[5].duration =
                ListedDuration::Rounded { time: Time::new(ticks, 1000), unit: Time::new(1, 1000) };
            package.rules()
        };
        assert_eq!(with(40), [""; 0]);
        assert_eq!(with(51), [""; 0]);
        assert_eq!(with(52), ["hls-extinf-duration"]);
    }

    #[test]
    fn exact_times_are_exact() {
        let mut package = Package::of([video()]);
        exact(&mut package, 1000);
        assert_eq!(package.rules(), [""; 0]);
        package.tracks[0].0.segments[1].duration = ListedDuration::Exact(Time::new(2001, 1000));
        assert_eq!(package.rules(), ["mpd-segment-duration"]);
        exact(&mut package, 7);
        assert_eq!(package.rules(), [""; 0]);
        package.tracks[0].0.segments.iter_mut().skip(2).for_each(|segment| {
            segment.start = segment.start.map(|start| Time::new(start.ticks + 2, 7));
        });
        let found = package.check();
        assert_eq!(ids(&found), ["mpd-segment-start"], "once, where it begins");
        assert_eq!(found[0].offset, Some(102));
    }

    #[test]
    fn priming_may_be_taken_off() {
        let mut package = Package::of([video()]);
        exact(&mut package, 1000);
        package.tracks[0].1.header.as_mut().unwrap().edit_media_time = Some(40);
        let segments = &mut package.tracks[0].0.segments;
        segments[0].duration = ListedDuration::Exact(Time::new(1960, 1000));
        for segment in segments.iter_mut().skip(1) {
            segment.start = segment.start.map(|start| Time::new(start.ticks - 40, 1000));
        }
        assert_eq!(package.rules(), [""; 0]);
        package.tracks[0].0.segments[1].duration = ListedDuration::Exact(Time::new(1960, 1000));
        assert_eq!(package.rules(), ["mpd-segment-duration"]);
    }

    #[test]
    fn an_empty_edit_moves_the_whole_track() {
        let mut package = Package::of([video()]);
        package.header(0).brands.clear();
        exact(&mut package, 1000);
        let mut with = |from: usize, ticks: i128| {
            package.tracks[0].0.segments.iter_mut().skip(from).for_each(|segment| {
                segment.start = segment.start.map(|start| Time::new(start.ticks + ticks, 1000));
            });
            package.rules()
        };
        assert_eq!(with(0, 23), [""; 0]);
        assert_eq!(with(3, 1), ["mpd-segment-start"]);
        assert_eq!(with(0, 5000), ["mpd-segment-start"; 2]);
    }

    #[test]
    fn an_empty_edit_may_be_longer_than_a_segment() {
        let mut package = Package::of([video()]);
        package.header(0).brands.clear();
        exact(&mut package, 1000);
        for segment in &mut package.tracks[0].0.segments {
            segment.start = segment.start.map(|start| Time::new(start.ticks + 5000, 1000));
        }
        package.header(0).empty_edit = Some((50, 10));
        assert_eq!(package.rules(), [""; 0]);
        package.header(0).empty_edit = Some((20, 10));
        assert_eq!(package.rules(), ["mpd-segment-start"]);
    }

    #[test]
    fn pictures_in_front_of_the_edit_are_not_presented() {
        let mut package = Package::of([video()]);
        package.header(0).brands.clear();
        exact(&mut package, 1000);
        // Composition is two pictures late, and the first 1.3 s are cut away.
        for segment in package.facts(0) {
            segment.earliest_presentation += 80;
            segment.presentation_end += 80;
        }
        package.header(0).edit_media_time = Some(1380);
        let segments = &mut package.tracks[0].0.segments;
        segments[0].duration = ListedDuration::Exact(Time::new(700, 1000));
        for segment in segments.iter_mut().skip(1) {
            segment.start = segment.start.map(|start| Time::new(start.ticks - 1300, 1000));
        }
        assert_eq!(package.rules(), [""; 0]);
        package.tracks[0].0.segments[0].duration = ListedDuration::Exact(Time::new(800, 1000));
        assert_eq!(package.rules(), ["mpd-segment-duration"]);
    }

    #[test]
    fn a_nominal_duration_may_be_off_by_half() {
        let mut package = Package::of([video()]);
        let mut with = |ticks: i128| {
            for (index, segment) in package.tracks[0].0.segments.iter_mut().enumerate() {
                segment.duration = ListedDuration::Nominal(Time::new(ticks, 1000));
                segment.start = Some(Time::new(ticks * index as i128, 1000));
            }
            package.rules()
        };
        assert_eq!(with(2000), [""; 0]);
        assert_eq!(with(1900), [""; 0]);
        // The fifth one starts at 8 s instead of 6.8 s.
        assert_eq!(with(1700), ["mpd-nominal-duration"]);
        assert_eq!(with(1300), ["mpd-nominal-duration"]);
        assert_eq!(with(5000), ["mpd-nominal-duration"]);
    }
}
