//! The tracks of a switching set beside each other. Each is compared with the first of its set.
//!
//! Times may be compared by decode time or by presentation time, with the edit list: either way a player may switch. What is
//! of the last segment may differ by one sample, as the ends of encodings do, and every segment of audio, whose frames
//! do not end together.

use super::{
    SET_ALIGNED, SET_CODEC, SET_MEDIA, SET_SEGMENTS, SET_START, SET_TIMESCALE, SET_UNALIGNED, SegmentFacts,
    Track, later, plus, rounding,
};
use crate::verify::findings::Findings;
use crate::verify::header::Entry;
use crate::verify::listing::{Listing, Time};

pub(super) fn check(listing: &Listing, tracks: &[Track], findings: &mut Findings) {
    for set in &listing.switching_sets {
        let mut set = set.iter().filter_map(|&index| tracks.get(index)).copied();
        // Without a header there is nothing to compare by.
        let Some(first) = set.find(|track| track.header().is_some()) else { continue };
        for track in set.filter(|track| track.header().is_some()) {
            let pair = Pair { listing, first, track };
            if pair.check_media(findings) {
                pair.check_times(findings);
            }
        }
    }
}

/// What a codec string starts with where another sample entry holds the same codec.
pub(super) fn family(entry: &Entry) -> [u8; 4] {
    match &entry.format.0 {
        b"avc3" => *b"avc1",
        b"hev1" | b"dvh1" | b"dvhe" => *b"hvc1",
        b"vvi1" => *b"vvc1",
        format => *format,
    }
}

struct Pair<'a> {
    listing: &'a Listing,
    first: Track<'a>,
    track: Track<'a>,
}

impl Pair<'_> {
    fn names(&self) -> (&str, &str) {
        (&self.track.listed.name, &self.first.listed.name)
    }

    fn add(&self, rule: &crate::verify::Rule, message: String, findings: &mut Findings) {
        findings.add(rule, &self.listing.file, self.track.listed.claims.offset, message);
    }

    /// Whether they can be compared further.
    fn check_media(&self, findings: &mut Findings) -> bool {
        let (Some(first), Some(own)) = (self.first.header(), self.track.header()) else { return false };
        let (name, other) = self.names();
        if first.handler != own.handler {
            let message = format!("{name} is {}, {other} in its set is {}", own.handler, first.handler);
            self.add(&SET_MEDIA, message, findings);
            return false;
        }
        if family(&first.entry) != family(&own.entry) {
            let (format, other_format) = (own.entry.format, first.entry.format);
            let message = format!("{name} is {format}, {other} in its set is {other_format}");
            self.add(&SET_CODEC, message, findings);
        }
        if first.timescale != own.timescale {
            let message = format!(
                "the timescale of {name} is {}, that of {other} in its set {}",
                own.timescale, first.timescale
            );
            self.add(&SET_TIMESCALE, message, findings);
        }
        true
    }

    fn check_times(&self, findings: &mut Findings) {
        if self.first.listed.is_live || self.track.listed.is_live {
            // Lists of what is there now need not start or end together.
            return;
        }
        self.check_start(findings);
        let is_claimed = self.first.listed.claims.aligned && self.track.listed.claims.aligned;
        let is_required = is_claimed || (self.first.is_cmaf() && self.track.is_cmaf());
        let (name, other) = self.names();
        let (count, expected) = (self.track.listed.segments.len(), self.first.listed.segments.len());
        if count != expected {
            let message = format!("{name} has {count} segments, {other} in its set has {expected}");
            let rule = if is_required { &SET_SEGMENTS } else { &SET_UNALIGNED };
            self.add(rule, message, findings);
        }
        let mut pairs = self.track.segments().zip(self.first.segments()).enumerate();
        let differs = pairs.find_map(|(index, ((listed, own), (_, first)))| {
            let is_last = index + 1 == count || index + 1 == expected;
            (!self.is_aligned(own?, first?, is_last)).then_some((index, listed, own?, first?))
        });
        if let Some((index, listed, own, first)) = differs {
            let rule = if is_required { &SET_ALIGNED } else { &SET_UNALIGNED };
            let message = format!(
                "segment {} of {name} ({}) is from {:.6} to {:.6} s, that of {other} from {:.6} to {:.6} s",
                index + 1,
                listed.resource.path,
                self.track.time(own.start()).seconds(),
                self.track.time(own.end()).seconds(),
                self.first.time(first.start()).seconds(),
                self.first.time(first.end()).seconds()
            );
            self.add(rule, message, findings);
        }
    }

    /// The least figure by which times may differ.
    fn limit(&self) -> Time {
        let tick = rounding(self.first.timescale(), self.track.timescale());
        if self.track.is_audio() { self.with_sample(tick) } else { tick }
    }

    fn with_sample(&self, limit: Time) -> Time {
        let sample = later(self.first.longest_sample(), self.track.longest_sample());
        plus(limit, sample).unwrap_or(limit)
    }

    fn check_start(&self, findings: &mut Findings) {
        let (Some(first), Some(own)) = (self.first.first(), self.track.first()) else { return };
        let is_equal = |first_ticks, own_ticks| {
            self.first.time(first_ticks).is_within(self.limit(), self.track.time(own_ticks))
        };
        let (a, b) = (first.earliest_presentation, own.earliest_presentation);
        let is_cmaf = self.first.is_cmaf() && self.track.is_cmaf();
        if is_equal(a, b)
            || is_equal(a - self.first.edit(), b - self.track.edit())
            // Edit lists of several entries are FFmpeg's for HLS: they put the tracks where they belong.
            || (!is_cmaf && is_equal(first.start(), own.start()))
        {
            return;
        }
        let (name, other) = self.names();
        let message = format!(
            "{name} starts at {:.6} s, {other} in its set at {:.6} s",
            self.track.time(b).seconds(),
            self.first.time(a).seconds()
        );
        self.add(&SET_START, message, findings);
    }

    fn is_aligned(&self, own: &SegmentFacts, first: &SegmentFacts, is_last: bool) -> bool {
        let limit = self.limit();
        let end_limit = if is_last { self.with_sample(limit) } else { limit };
        let spans = |track: Track, facts: &SegmentFacts| {
            let presented =
                (facts.earliest_presentation - track.edit(), facts.presentation_end - track.edit());
            [(facts.start(), facts.end()), presented].map(|(start, end)| (track.time(start), track.time(end)))
        };
        spans(self.track, own)
            .iter()
            .zip(spans(self.first, first))
            .any(|(own, first)| own.0.is_within(limit, first.0) && own.1.is_within(end_limit, first.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::FourCc;
    use crate::verify::listing::ListedDuration;
    use crate::verify::tracks::testing::*;

    fn set() -> Package {
        let mut package = Package::of([video(), video()]);
        package.listing.switching_sets = vec![vec![0, 1]];
        package
    }

    #[test]
    fn a_set_is_of_one_medium_codec_and_timescale() {
        let mut package = set();
        assert_eq!(package.rules(), [""; 0]);
        package.header(1).entry.format = FourCc(*b"avc3");
        assert_eq!(package.rules(), [""; 0]);
        package.header(1).entry.format = FourCc(*b"hvc1");
        assert_eq!(package.rules(), ["set-codec"]);
        let mut package = Package::of([video(), audio()]);
        package.listing.switching_sets = vec![vec![0, 1, 7]];
        assert_eq!(package.rules(), ["set-media"]);
    }

    #[test]
    fn other_timescales_are_compared_exactly() {
        let mut package = set();
        package.header(1).timescale = 3000;
        for segment in package.facts(1) {
            segment.decode_time *= 3;
            segment.duration *= 3;
            segment.earliest_presentation *= 3;
            segment.presentation_end *= 3;
            segment.sample_durations = (120, 120);
        }
        assert_eq!(package.rules(), ["set-timescale"]);
    }

    #[test]
    fn segments_are_aligned() {
        let mut package = set();
        package.truncate(1, 5);
        assert_eq!(package.rules(), ["set-segments"]);
        let mut package = set();
        package.facts(1)[1].duration -= 40;
        package.facts(1)[1].presentation_end -= 40;
        package.facts(1)[2].duration += 40;
        package.facts(1)[2].decode_time -= 40;
        package.facts(1)[2].earliest_presentation -= 40;
        let found = package.check();
        assert_eq!(ids(&found), ["set-aligned"], "once");
        assert!(found[0].message.starts_with("segment 2 of video (video/2.m4s)"), "{}", found[0].message);
        for index in [0, 1] {
            package.header(index).brands.clear();
        }
        assert_eq!(package.rules(), ["set-unaligned"]);
        for index in [0, 1] {
            package.tracks[index].0.claims.aligned = true;
        }
        assert_eq!(package.rules(), ["set-aligned"]);
    }

    #[test]
    fn ends_and_audio_may_differ_by_a_sample() {
        let mut package = set();
        package.facts(1)[5].duration -= 40;
        package.facts(1)[5].presentation_end -= 40;
        assert_eq!(package.rules(), [""; 0]);
        package.facts(1)[5].duration -= 1;
        package.facts(1)[5].presentation_end -= 1;
        package.tracks[1].0.segments[5].duration = ListedDuration::Exact(Time::new(1959, 1000));
        assert_eq!(package.rules(), ["set-aligned"]);
        let mut package = Package::of([audio(), audio()]);
        package.listing.switching_sets = vec![vec![0, 1]];
        package.shift(1, 40);
        assert_eq!(package.rules(), [""; 0]);
    }

    #[test]
    fn sets_start_at_one_presentation_time() {
        let mut package = set();
        let first = &mut package.facts(1)[0];
        first.earliest_presentation += 80;
        assert_eq!(package.rules(), ["set-start"], "the decode times are aligned");
        package.header(1).edit_media_time = Some(80);
        assert_eq!(package.rules(), [""; 0]);
        package.header(1).edit_media_time = None;
        package.header(0).brands.clear();
        assert_eq!(package.rules(), [""; 0], "not CMAF");
    }
}
