//! Presentations by hand: tracks of six segments of 2 s, 25 samples a second of 40 ticks, 1000 bytes each.

use super::{SegmentFacts, TrackFacts, check_all};
use crate::boxes::FourCc;
use crate::verify::Finding;
use crate::verify::findings::Findings;
use crate::verify::header::{Entry, Header, RollGroups, SampleDefaults};
use crate::verify::listing::{ListedDuration, ListedSegment, ListedTrack, Listing, Resource, Time, Variant};

pub(super) type Made = (ListedTrack, TrackFacts);

/// A listing whose tracks are beside it with their facts.
pub(super) struct Package {
    pub listing: Listing,
    pub tracks: Vec<Made>,
}

impl Package {
    pub(super) fn of<const N: usize>(tracks: [Made; N]) -> Self {
        Self { listing: Listing { file: "manifest".to_owned(), ..Listing::default() }, tracks: tracks.into() }
    }

    /// The first track as a variant, the others as its sound.
    pub(super) fn hls<const N: usize>(tracks: [Made; N]) -> Self {
        let mut package = Self::of(tracks);
        package.listing.variants = vec![Variant { track: 0, audio: (1..N).collect(), ..Variant::default() }];
        package
    }

    pub(super) fn listing(&self) -> Listing {
        Listing { tracks: self.tracks.iter().map(|track| track.0.clone()).collect(), ..self.listing.clone() }
    }

    pub(super) fn check(&self) -> Vec<Finding> {
        let facts: Vec<_> = self.tracks.iter().map(|track| track.1.clone()).collect();
        let mut findings = Findings::default();
        check_all(&self.listing(), &facts, &[], &mut findings);
        findings.into_vec()
    }

    /// The ids of what is found, sorted.
    pub(super) fn rules(&self) -> Vec<&'static str> {
        let mut rules = ids(&self.check());
        rules.sort_unstable();
        rules
    }

    pub(super) fn header(&mut self, track: usize) -> &mut Header {
        self.tracks[track].1.header.as_mut().unwrap()
    }

    /// The segments of a track that were read.
    pub(super) fn facts(&mut self, track: usize) -> Vec<&mut SegmentFacts> {
        self.tracks[track].1.segments.iter_mut().flatten().collect()
    }

    /// Moves a track by so many ticks.
    pub(super) fn shift(&mut self, track: usize, ticks: u64) {
        for segment in self.facts(track) {
            segment.decode_time += ticks;
            segment.earliest_presentation += i128::from(ticks);
            segment.presentation_end += i128::from(ticks);
        }
    }

    /// Leaves so many segments of a track.
    pub(super) fn truncate(&mut self, track: usize, count: usize) {
        self.tracks[track].0.segments.truncate(count);
        self.tracks[track].1.segments.truncate(count);
    }
}

pub(super) fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.rule.id).collect()
}

pub(super) fn resource(path: &str) -> Resource {
    Resource { path: path.to_owned(), range: None }
}

pub(super) fn video() -> Made {
    long_video(6)
}

pub(super) fn long_video(segments: usize) -> Made {
    let entry = Entry {
        format: FourCc(*b"avc1"),
        configuration: None,
        codec: Some("avc1.64001F".to_owned()),
        size: Some((1280, 720)),
        channels: None,
        sample_rate: None,
        colour: Some([1; 3]),
        pre_skip: None,
        dolby: None,
        is_encrypted: false,
    };
    track("video", *b"vide", entry, segments)
}

pub(super) fn audio() -> Made {
    let entry = Entry {
        format: FourCc(*b"mp4a"),
        configuration: None,
        codec: Some("mp4a.40.2".to_owned()),
        size: None,
        channels: Some(2),
        sample_rate: Some(48_000),
        colour: None,
        pre_skip: None,
        dolby: None,
        is_encrypted: false,
    };
    track("audio", *b"soun", entry, 6)
}

fn track(name: &str, handler: [u8; 4], entry: Entry, segments: usize) -> Made {
    let header = Header {
        handler: FourCc(handler),
        track_id: 1,
        timescale: 1000,
        brands: vec![FourCc(*b"iso6"), FourCc(*b"cmfc")],
        defaults: SampleDefaults::default(),
        edit_media_time: None,
        empty_edit: None,
        fragment_duration: None,
        has_sync_table: true,
        rolls: RollGroups::default(),
        entry,
        others: Vec::new(),
    };
    let listed = |index: usize| ListedSegment {
        resource: resource(&format!("{name}/{}.m4s", index + 1)),
        duration: ListedDuration::Rounded { time: Time::new(2, 1), unit: Time::new(1, 1_000_000) },
        start: Some(Time::new(2000 * index as i128, 1000)),
        offset: 100 + index as u64,
        discontinuity: false,
        init: None,
    };
    let facts = |index: usize| SegmentFacts {
        bytes: 1000,
        offset: 24,
        sequence_numbers: (index as u32 + 1, index as u32 + 1),
        decode_time: 2000 * index as u64,
        duration: 2000,
        earliest_presentation: 2000 * index as i128,
        presentation_end: 2000 * index as i128 + 2000,
        samples: 50,
        starts_with_sync: true,
        sample_durations: (40, 40),
        lacks_sync_table: false,
        is_cut_short: false,
        lacks_pre_roll: false,
    };
    let track = ListedTrack {
        name: name.to_owned(),
        file: format!("{name}.m3u8"),
        init: Some(resource(&format!("{name}/init.mp4"))),
        period_start: Some(Time::new(0, 1)),
        segments: (0..segments).map(listed).collect(),
        ..ListedTrack::default()
    };
    let facts = (0..segments).map(|index| Some(facts(index))).collect();
    (track, TrackFacts { header: Some(header), segments: facts, others: Vec::new() })
}
