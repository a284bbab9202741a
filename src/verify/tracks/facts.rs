//! What is kept of segments and tracks when their samples are gone.

use std::borrow::Cow;

use crate::verify::header::Header;
use crate::verify::listing::{ListedSegment, ListedTrack, Time};
use crate::verify::segment::{Segment, lacks_sync_table};

/// What is kept of a media segment when its samples are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct SegmentFacts {
    /// Bytes.
    pub bytes: u64,
    /// Offset of the first `moof` in the file.
    pub offset: u64,
    /// `sequence_number` of each chunk's `mfhd` rises; the first and the last.
    pub sequence_numbers: (u32, u32),
    /// Decode time of the first sample.
    pub decode_time: u64,
    /// Sum of the sample durations.
    pub duration: u64,
    /// The least composition time.
    pub earliest_presentation: i128,
    /// The largest composition time with the duration of that sample.
    pub presentation_end: i128,
    /// Count of samples.
    pub samples: u64,
    /// The first sample is a sync sample by its flags.
    pub starts_with_sync: bool,
    /// Durations of its samples: the shortest and the longest.
    pub sample_durations: (u32, u32),
    /// Its init segment should have a sync sample table, and has none.
    pub lacks_sync_table: bool,
    /// Its last sample lasts less than what is in it decodes to.
    pub is_cut_short: bool,
    /// Samples of Opus are in no roll group of 80 ms.
    pub lacks_pre_roll: bool,
}

impl SegmentFacts {
    /// What is kept of `segment`, which was read by `header`; `None` for one without samples.
    pub(in crate::verify) fn of(segment: &Segment, header: &Header) -> Option<Self> {
        let (first, last) = (segment.chunks.first()?, segment.chunks.last()?);
        let durations = || segment.samples.iter().map(|sample| sample.duration);
        let mut facts = Self {
            bytes: segment.len,
            offset: first.offset,
            sequence_numbers: (first.sequence_number, last.sequence_number),
            decode_time: first.base_decode_time,
            duration: durations().map(u64::from).fold(0, u64::saturating_add),
            earliest_presentation: i128::MAX,
            presentation_end: i128::MIN,
            samples: segment.samples.len() as u64,
            starts_with_sync: segment.samples.first()?.is_sync(),
            sample_durations: (durations().min()?, durations().max()?),
            lacks_sync_table: lacks_sync_table(segment, header),
            is_cut_short: false,
            lacks_pre_roll: false,
        };
        for chunk in &segment.chunks {
            let mut time = i128::from(chunk.base_decode_time);
            for sample in segment.samples.get(chunk.samples.clone())? {
                // 64-bit numbers and sums of less than 2^64 32-bit ones.
                let composition = time + i128::from(sample.composition_offset);
                time += i128::from(sample.duration);
                facts.earliest_presentation = facts.earliest_presentation.min(composition);
                facts.presentation_end =
                    facts.presentation_end.max(composition + i128::from(sample.duration));
            }
        }
        Some(facts)
    }

    /// Decode time of the first sample.
    pub(super) fn start(&self) -> i128 {
        self.decode_time.into()
    }

    /// Decode time at which the last sample ends.
    pub(super) fn end(&self) -> i128 {
        self.start() + i128::from(self.duration)
    }
}

/// A track of a listing with what was read of it. `segments` has an entry for each listed segment, `None` where it could not
/// be read, or has no sample of the track.
#[derive(Clone, Debug, Default)]
pub(in crate::verify) struct TrackFacts {
    pub header: Option<Header>,
    pub segments: Vec<Option<SegmentFacts>>,
    /// The other tracks in the same files, where they are multiplexed: this one is video then, if there is any.
    pub others: Vec<TrackFacts>,
}

impl TrackFacts {
    /// What was read of a listed segment, by its index.
    pub(in crate::verify) fn segment(&self, index: usize) -> Option<&SegmentFacts> {
        self.segments.get(index)?.as_ref()
    }
}

/// A listed track beside its facts.
#[derive(Clone, Copy)]
pub(in crate::verify) struct Track<'a> {
    pub listed: &'a ListedTrack,
    pub facts: &'a TrackFacts,
    /// Shortest and longest duration of a sample in ticks; `None` without samples.
    pub sample_durations: Option<(u32, u32)>,
    /// The longest segment in ticks, and the sum of all: each is asked for once for every other track.
    longest: u64,
    sum: u64,
}

impl<'a> Track<'a> {
    pub(super) fn new(listed: &'a ListedTrack, facts: &'a TrackFacts) -> Self {
        let mut track = Self { listed, facts, sample_durations: None, longest: 0, sum: 0 };
        for (_, facts) in track.read() {
            let (shortest, longest) = facts.sample_durations;
            let so_far = track.sample_durations.unwrap_or(facts.sample_durations);
            track.sample_durations = Some((so_far.0.min(shortest), so_far.1.max(longest)));
            track.longest = track.longest.max(facts.duration);
            track.sum = track.sum.saturating_add(facts.duration);
        }
        track
    }

    /// A part of a track, with what is listed of all of it: of its segments nothing is asked but the durations of samples.
    pub(super) fn of_part(listed: &'a ListedTrack, facts: &'a TrackFacts) -> Self {
        let durations = facts.segments.iter().flatten().map(|segment| segment.sample_durations);
        let sample_durations = durations.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Self { listed, facts, sample_durations, longest: 0, sum: 0 }
    }

    /// The tracks in the files of this one: itself, and others that are multiplexed with it.
    pub(super) fn multiplexed(self) -> impl Iterator<Item = Self> {
        let others = self.facts.others.iter().map(move |facts| Self::new(self.listed, facts));
        std::iter::once(self).chain(others)
    }

    /// Their headers.
    pub(super) fn headers(self) -> impl Iterator<Item = Option<&'a Header>> {
        std::iter::once(self.facts).chain(&self.facts.others).map(|facts| facts.header.as_ref())
    }

    /// What to call it: as it is listed, with its `track_ID` where others are in the same files.
    pub(super) fn name(self) -> Cow<'a, str> {
        match self.header().filter(|header| !header.others.is_empty()) {
            Some(header) => Cow::Owned(format!("{} (track {})", self.listed.name, header.track_id)),
            None => Cow::Borrowed(&self.listed.name),
        }
    }

    pub(super) fn header(self) -> Option<&'a Header> {
        self.facts.header.as_ref()
    }

    /// Ticks of the track as a time.
    pub(super) fn time(self, ticks: i128) -> Time {
        Time::new(ticks, self.timescale())
    }

    /// Ticks per second; 1 without a header.
    pub(super) fn timescale(self) -> u64 {
        self.header().map_or(1, |header| header.timescale.into())
    }

    /// `media_time` of the edit list, in ticks; 0 without one.
    pub(super) fn edit(self) -> i128 {
        self.header().and_then(|header| header.edit_media_time).unwrap_or(0).into()
    }

    /// The span of an empty edit in front.
    pub(super) fn empty_edit(self) -> Option<Time> {
        let (duration, timescale) = self.header()?.empty_edit?;
        Some(Time::new(duration.into(), timescale.into()))
    }

    /// Each listed segment with its facts, where it was read on the timescale of the track: by its init segment.
    pub(super) fn segments(self) -> impl Iterator<Item = (&'a ListedSegment, Option<&'a SegmentFacts>)> {
        self.listed.segments.iter().zip(&self.facts.segments).map(move |(listed, facts)| {
            let is_own = listed.init.is_none() || listed.init == self.listed.init;
            (listed, facts.as_ref().filter(|_| is_own && self.facts.header.is_some()))
        })
    }

    /// The segments that were read.
    pub(super) fn read(self) -> impl Iterator<Item = (&'a ListedSegment, &'a SegmentFacts)> {
        self.segments().filter_map(|(listed, facts)| Some((listed, facts?)))
    }

    /// Duration in ticks of a segment, of which the index and the facts are given: of several tracks in it the longest.
    pub(super) fn longest_of(self, index: usize, facts: &SegmentFacts) -> u64 {
        let others = self.facts.others.iter().filter_map(|other| {
            let (header, facts) = (other.header.as_ref()?, other.segment(index)?);
            let ticks =
                u128::from(facts.duration) * u128::from(self.timescale()) / u128::from(header.timescale);
            Some(u64::try_from(ticks).unwrap_or(u64::MAX))
        });
        others.fold(facts.duration, u64::max)
    }

    /// The first listed segment, if it was read.
    pub(super) fn first(self) -> Option<&'a SegmentFacts> {
        self.segments().next()?.1
    }

    /// The last listed segment, if it was read.
    pub(super) fn last(self) -> Option<&'a SegmentFacts> {
        self.segments().last()?.1
    }

    /// Every listed segment was read.
    pub(super) fn is_complete(self) -> bool {
        !self.listed.segments.is_empty()
            && self.facts.segments.len() == self.listed.segments.len()
            && self.segments().all(|(_, facts)| facts.is_some())
    }

    /// The list starts where the track does: the fragments of a window into it have higher numbers.
    pub(super) fn is_from_start(self) -> bool {
        self.first().is_some_and(|first| first.sequence_numbers.0 <= 1)
    }

    /// There is a discontinuity behind its start.
    pub(super) fn is_interrupted(self) -> bool {
        self.listed.segments.iter().skip(1).any(|segment| segment.discontinuity)
    }

    pub(super) fn is_video(self) -> bool {
        self.header().is_some_and(|header| header.handler.0 == *b"vide")
    }

    pub(super) fn is_audio(self) -> bool {
        self.header().is_some_and(|header| header.handler.0 == *b"soun")
    }

    /// It has a structural brand of CMAF.
    pub(super) fn is_cmaf(self) -> bool {
        self.header()
            .is_some_and(|header| header.brands.iter().any(|brand| matches!(&brand.0, b"cmfc" | b"cmf2")))
    }

    /// The longest sample; 0 without samples.
    pub(super) fn longest_sample(self) -> Time {
        self.time(self.sample_durations.map_or(0, |(_, longest)| longest.into()))
    }

    /// The longest segment; 0 without segments.
    pub(super) fn longest_segment(self) -> Time {
        self.time(self.longest.into())
    }

    /// Sum of the durations of its segments.
    pub(super) fn duration(self) -> Time {
        self.time(self.sum.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::segment::{Chunk, Sample};

    #[test]
    fn facts_of_two_chunks_are_worked_by_hand() {
        let sample = |duration, composition_offset, flags| Sample {
            offset: 0,
            size: 1,
            duration,
            composition_offset,
            flags,
        };
        let chunk = |offset, sequence_number, base_decode_time, samples| Chunk {
            offset,
            sequence_number,
            base_decode_time,
            samples,
            payload: 0..0,
        };
        let header = crate::verify::tracks::testing::video().1.header.unwrap();
        let mut segment = Segment {
            brands: Vec::new(),
            chunks: vec![chunk(24, 7, 100, 0..2), chunk(90, 8, 130, 2..3)],
            samples: vec![sample(10, 5, 0), sample(20, 30, 0x1_0000), sample(4, -3, 0x1_0000)],
            rolls: Vec::new(),
            len: 400,
        };
        let facts = SegmentFacts::of(&segment, &header).unwrap();
        assert_eq!(
            facts,
            SegmentFacts {
                bytes: 400,
                offset: 24,
                sequence_numbers: (7, 8),
                decode_time: 100,
                duration: 34,
                earliest_presentation: 105,
                presentation_end: 160,
                samples: 3,
                starts_with_sync: true,
                sample_durations: (4, 20),
                lacks_sync_table: false,
                is_cut_short: false,
                lacks_pre_roll: false,
            }
        );
        segment.samples.clear();
        assert_eq!(SegmentFacts::of(&segment, &header), None);
    }
}
