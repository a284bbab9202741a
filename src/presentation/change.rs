//! What a track becomes from a segment on: a discontinuity, behind which its init segment may be another.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::track::check_codec_string;
use super::{ExactTime, Media, PackagedTrack, Presentation, Segment, check_path};
use crate::error::{Error, Result};
use crate::time::Ticks;
use crate::track::header::SampleEntry;

/// What to do where a track changes so that its sample entry no longer describes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnChange {
    /// Refuse it.
    #[default]
    Error,
    /// Start a new period: another init segment, with a discontinuity in every playlist and a Period in the MPD.
    NewPeriod,
}

/// A discontinuity of a track, and what holds from there on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Index of the first segment behind it, in the track's list; above 0.
    pub first: usize,
    /// Where the init segment is that holds from here on, relative to the media playlist; the same as before where the track
    /// itself did not change.
    pub init: String,
    /// The same for whoever opens it.
    pub init_path: PathBuf,
    /// The codec string (RFC 6381).
    pub codec: String,
    /// What it shows or sounds like.
    pub media: Media,
    /// The sample entry, where its writer told it.
    pub sample_entry: Option<SampleEntry>,
}

/// Name of the init segment of a period, of those of a track that have one of their own, from 1: `init.mp4`, `init-2.mp4` …
pub(crate) fn init_name(number: usize) -> String {
    match number {
        ..=1 => "init.mp4".to_owned(),
        number => format!("init-{number}.mp4"),
    }
}

impl PackagedTrack {
    /// The same with discontinuities at these segments.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when they do not ascend from above 0 to the last segment, when an init
    /// segment's URI would need escaping, a codec string is none, or sound becomes video.
    pub fn with_changes(self, changes: Vec<Change>) -> Result<Self> {
        let refuse =
            |what: String, remedy| Err(Error::conflict(format!("{}: {what}", self.directory()), remedy));
        let mut previous = 0;
        for change in &changes {
            let Change { first, init, codec, media, .. } = change;
            if *first <= previous || *first >= self.segments().len() {
                let what = format!(
                    "a discontinuity at segment {first} of {}, counted from 0",
                    self.segments().len()
                );
                return refuse(what, "give those between segments, in order");
            }
            check_path("the URI of an init segment", init)?;
            check_codec_string(codec)?;
            if media.is_video() != self.media().is_video() {
                return refuse(
                    "sound becomes video, or video sound".to_owned(),
                    "put them into tracks of their own",
                );
            }
            previous = *first;
        }
        Ok(Self { changes, ..self })
    }

    /// The same with discontinuities where `other` has some, at the first segment that does not start before; the track itself
    /// goes on as it was there. It has to be cut there: sound before the first sample that starts at or after it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when no segment starts within a second behind one of them although the
    /// track goes on, or one segment is the first behind two.
    pub fn with_discontinuities_of(self, other: &Self) -> Result<Self> {
        let mut firsts = Vec::with_capacity(other.changes.len());
        for change in &other.changes {
            let at = other.segment_start(change.first);
            let Some(first) = self.first_behind(at)? else { break };
            firsts.push(first);
        }
        self.with_discontinuities(firsts)
    }

    /// The same with discontinuities at these segments, by index in the list, with all else as it was.
    ///
    /// # Errors
    /// Those of [`PackagedTrack::with_changes`].
    pub fn with_discontinuities(self, firsts: impl IntoIterator<Item = usize>) -> Result<Self> {
        let unchanged = |first| Change {
            first,
            init: self.init.clone(),
            init_path: self.init_path.clone(),
            codec: self.codec.clone(),
            media: self.media,
            sample_entry: self.sample_entry.clone(),
        };
        let changes = firsts.into_iter().map(unchanged).collect();
        self.with_changes(changes)
    }

    /// Its discontinuities in order, with what holds behind each.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The change that the segment of this index starts with, if one does.
    pub(crate) fn change_at(&self, index: usize) -> Option<&Change> {
        let found = self.changes.binary_search_by_key(&index, |change| change.first).ok()?;
        Some(&self.changes[found])
    }

    /// Every codec string that a decoder of it has to know, each once.
    pub fn codecs(&self) -> Vec<&str> {
        let mut codecs = vec![self.codec()];
        for change in &self.changes {
            if !codecs.contains(&&*change.codec) {
                codecs.push(&change.codec);
            }
        }
        codecs
    }

    /// What it shows or sounds like in each of its periods.
    pub(crate) fn all_media(&self) -> impl Iterator<Item = &Media> {
        std::iter::once(&self.media).chain(self.changes.iter().map(|change| &change.media))
    }

    /// Its parts between discontinuities, each a track of its own.
    pub fn periods(&self) -> Vec<Self> {
        let firsts = std::iter::once(0).chain(self.changes.iter().map(|change| change.first));
        let ends = self.changes.iter().map(|change| change.first).chain([self.segments.len()]);
        let described = std::iter::once(None).chain(self.changes.iter().map(Some));
        firsts.zip(ends).zip(described).map(|((first, end), change)| self.part(first..end, change)).collect()
    }

    fn part(&self, segments: Range<usize>, change: Option<&Change>) -> Self {
        let segments = self.segments[segments].to_vec();
        let own = Self {
            total_bytes: segments.iter().map(|segment| segment.bytes).sum(),
            // Within 64 bits, as those of the whole track are.
            duration: Ticks(segments.iter().map(|segment| segment.duration.0).sum()),
            segments: Arc::new(segments),
            changes: Vec::new(),
            ..self.clone()
        };
        match change.cloned() {
            None => own,
            Some(Change { init, init_path, codec, media, sample_entry, .. }) => {
                Self { init, init_path, codec, media, sample_entry, ..own }
            }
        }
    }

    /// Start of a segment on the time line of the presentation, where what is decoded and not presented at the start of the track
    /// does not count.
    pub(super) fn segment_start(&self, index: usize) -> ExactTime {
        ExactTime::new(Ticks(self.presented(&self.segments[index]).start), self.timescale)
    }

    /// Whether `later`, in ticks of the track, is behind `instant` by a second at most, or by its longest sample: a block of FLAC at a
    /// low rate lasts longer.
    fn is_close(&self, instant: ExactTime, later: ExactTime) -> bool {
        let [one, own] = [instant.timescale, later.timescale].map(|scale| u128::from(scale.get()));
        let longest = self.audio_configuration().map_or(0, |audio| audio.longest_frame().into());
        let (instant, later) = (u128::from(instant.ticks.0) * own, u128::from(later.ticks.0) * one);
        later.checked_sub(instant).is_some_and(|apart| apart <= one * own.max(longest))
    }

    /// The first segment that starts at or after `instant`; `None` where the track has ended by then.
    fn first_behind(&self, instant: ExactTime) -> Result<Option<usize>> {
        let start = |segment: &Segment| ExactTime::new(Ticks(self.presented(segment).start), self.timescale);
        let first = self.segments.partition_point(|segment| start(segment).is_before(instant));
        if first == self.segments.len() {
            let end = self.segments.last().map_or(0, |last| self.presented(last).end);
            let end = ExactTime::new(Ticks(end), self.timescale);
            return if self.is_close(instant, end) || end.is_before(instant) {
                Ok(None)
            } else {
                Err(self.not_cut_at(instant))
            };
        }
        if self.is_close(instant, self.segment_start(first)) {
            Ok(Some(first))
        } else {
            Err(self.not_cut_at(instant))
        }
    }

    fn not_cut_at(&self, instant: ExactTime) -> Error {
        Error::conflict(
            format!(
                "{}: no segment starts at {:.3} s, where other tracks have a discontinuity",
                self.directory,
                instant.timescale.seconds(instant.ticks)
            ),
            "cut every track there: sound before the first sample that starts at or after it",
        )
    }
}

/// Checks that every track of a presentation has the discontinuities that the others have, as long as it lasts.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict), which names the two tracks, or the track and the time.
pub(super) fn check_periods(video: &[PackagedTrack], audio: &[PackagedTrack]) -> Result<()> {
    let tracks = || video.iter().chain(audio);
    let Some(reference) = tracks().rev().max_by_key(|track| track.changes.len()) else { return Ok(()) };
    if reference.changes.is_empty() {
        return Ok(());
    }
    for track in tracks() {
        let refuse = |what: String| {
            let what = format!("{}: {what} {}", track.directory, reference.directory);
            let remedy = "give every track the discontinuities of the others (with_discontinuities_of)";
            Err(Error::conflict(what, remedy))
        };
        let is_video = track.media.is_video();
        if is_video && track.changes.len() != reference.changes.len() {
            let (own, others) = (track.changes.len(), reference.changes.len());
            return refuse(format!("{own} discontinuities, {others} in"));
        }
        for (index, change) in reference.changes.iter().enumerate() {
            let at = reference.segment_start(change.first);
            let own = track.changes.get(index).map(|change| change.first);
            let fits = match own {
                Some(first) if is_video && reference.media.is_video() => track.segment_start(first).is_at(at),
                own => track.first_behind(at)? == own,
            };
            if !fits {
                let seconds = at.timescale.seconds(at.ticks);
                return refuse(format!("no discontinuity at {seconds:.6} s, where there is one in"));
            }
        }
    }
    Ok(())
}

/// A part of a presentation during which no track changes.
#[derive(Clone, Debug)]
pub struct Period {
    /// Where it starts in the time of the tracks; `None` for the first, which starts with them.
    pub start: Option<ExactTime>,
    /// The parts of the tracks that lie in it; a track that has ended by then has none.
    pub presentation: Presentation,
}

impl Presentation {
    /// What lies between the discontinuities of its tracks; itself where there are none.
    pub fn periods(&self) -> Vec<Period> {
        // All video has every one of them, so the first track does wherever one does; sound alone may end sooner.
        let Some(reference) = self.tracks().max_by_key(|track| (track.changes.len(), track.media.is_video()))
        else {
            return Vec::new();
        };
        let starts = reference.changes.iter().map(|change| Some(reference.segment_start(change.first)));
        let parts = |tracks: &[PackagedTrack]| tracks.iter().map(PackagedTrack::periods).collect::<Vec<_>>();
        let (video, audio) = (parts(&self.video), parts(&self.audio));
        let of = |tracks: &[Vec<PackagedTrack>], index: usize| {
            tracks.iter().filter_map(|parts| parts.get(index).cloned()).collect()
        };
        std::iter::once(None)
            .chain(starts)
            .enumerate()
            .map(|(index, start)| {
                let presentation = Self { video: of(&video, index), audio: of(&audio, index) };
                Period { start, presentation }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
