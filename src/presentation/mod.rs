//! What a package holds, as the manifests describe it: segments, the tracks they make up, the presentation of all
//! tracks. Values only: an encoder that writes its own segments builds them too, and nothing here touches a file.
//!
//! [`merge()`] joins what several workers made of one rendition, [`check_alignment`] tells whether renditions switch.

mod alignment;
mod bit_rate;
mod change;
mod choices;
mod merge;
pub mod names;
mod segment;
mod track;

pub use alignment::{Alignment, AlignmentOptions, AudioDifference, Difference, Verdict, check_alignment};
pub use bit_rate::BitRate;
pub(crate) use change::init_name;
pub use change::{Change, OnChange, Period};
pub(crate) use choices::{Encoding, encoding};
pub use merge::{Promise, merge};
pub use segment::Segment;
pub use track::{Media, PackagedTrack};
pub(crate) use track::{check_path, codec_family, video_set};

pub use crate::time::ExactTime;

use crate::error::{Error, Result};

/// The role (`urn:mpeg:dash:role:2011`) of sound that tells what the picture shows.
pub(crate) const DESCRIPTION: &str = "description";

/// Everything that plays together: video, a switching set for each codec and dynamic range, and audio to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presentation {
    video: Vec<PackagedTrack>,
    audio: Vec<PackagedTrack>,
}

impl Presentation {
    /// A presentation of tracks in the order given.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when there is no track, a track without segments, one that
    /// is in the wrong list, two in one directory (upper and lower case do not count), or a track that lacks a discontinuity of
    /// the others.
    pub fn new(video: Vec<PackagedTrack>, audio: Vec<PackagedTrack>) -> Result<Self> {
        if video.is_empty() && audio.is_empty() {
            return Err(Error::conflict("a presentation without tracks", "give at least one"));
        }
        let mut directories = std::collections::HashSet::new();
        let expected =
            video.iter().map(|track| (track, true)).chain(audio.iter().map(|track| (track, false)));
        for (track, is_video) in expected {
            let refuse =
                |what, remedy| Err(Error::conflict(format!("{}: {what}", track.directory()), remedy));
            if track.segments().is_empty() {
                return refuse("a track without segments", "leave it out");
            }
            if track.media().is_video() != is_video {
                return refuse("video among audio, or audio among video", "put it in the other list");
            }
            if !directories.insert(track.directory().to_ascii_lowercase()) {
                return refuse("the directory of two tracks", "give each its own");
            }
        }
        change::check_periods(&video, &audio)?;
        Ok(Self { video, audio })
    }

    /// The video renditions.
    pub fn video(&self) -> &[PackagedTrack] {
        &self.video
    }

    /// The audio renditions.
    pub fn audio(&self) -> &[PackagedTrack] {
        &self.audio
    }

    /// Whether this is audio alone, the same sound at several bit rates as far as can be told: nobody gave a track language,
    /// name or role or made it the default, codec family, sample rate and channels are equal, segments start together, and
    /// ends are at most one frame of AAC apart. A player may then switch between the tracks; otherwise each is a choice of
    /// its own.
    pub fn is_audio_ladder(&self) -> bool {
        let Some((first, others)) = self.audio.split_first() else { return false };
        self.video.is_empty()
            && !is_labelled(first)
            && !first.is_default()
            && others.iter().all(|other| is_same_sound(first, other))
    }

    /// Tracks that a player may switch between, in sets. Video by codec family and dynamic range, for a decoder
    /// and a display are set up for one (CMAF asks one colour of a set: ISO/IEC 23000-19 B.2.4, not opened). Audio that is
    /// one sound at several bit rates: somebody gave all of them the same language, name and role and made none the default,
    /// they have one codec family, sample rate and count of channels, and line up as the tracks of a switching set must
    /// (ISO/IEC 23000-19 7.3.4, not opened: as digests of it say). Unlabelled audio is that where there is nothing else
    /// ([`Presentation::is_audio_ladder`]); beside video it may be two languages, so each is a choice of its own.
    ///
    /// Sets stand as their first tracks do, video first.
    pub fn switching_sets(&self) -> Vec<Vec<&PackagedTrack>> {
        let mut sets: Vec<Vec<&PackagedTrack>> = Vec::new();
        for track in &self.video {
            let is_same = |set: &&mut Vec<&PackagedTrack>| set[0].video_set() == track.video_set();
            match sets.iter_mut().find(is_same) {
                Some(set) => set.push(track),
                None => sets.push(vec![track]),
            }
        }
        if self.is_audio_ladder() {
            sets.push(self.audio.iter().collect());
            return sets;
        }
        let video = sets.len();
        for track in &self.audio {
            // With all of the set: ends that are a frame away from the first may be two away from each other.
            let is_same = |set: &&mut Vec<&PackagedTrack>| {
                is_labelled(set[0]) && set.iter().all(|other| is_same_sound(other, track))
            };
            match sets[video..].iter_mut().find(is_same) {
                Some(set) => set.push(track),
                None => sets.push(vec![track]),
            }
        }
        sets
    }

    /// All tracks, video first.
    pub fn tracks(&self) -> impl Iterator<Item = &PackagedTrack> {
        self.video.iter().chain(&self.audio)
    }
}

/// Whether somebody said what the track is.
fn is_labelled(track: &PackagedTrack) -> bool {
    track.language().is_some() || track.name().is_some() || track.role().is_some()
}

/// Whether two audio tracks differ in their bit rate alone, as far as can be told.
fn is_same_sound(one: &PackagedTrack, other: &PackagedTrack) -> bool {
    one.labels() == other.labels()
        && encoding(one).2 == encoding(other).2
        && !one.is_default()
        && !other.is_default()
        && one.codec_family() == other.codec_family()
        && one.media() == other.media()
        && one.lines_up_with(other)
}

/// Tracks and segments for the tests of this module.
#[cfg(test)]
mod testing {
    use std::num::NonZeroU32;

    use super::*;
    use crate::time::{DecodeTime, Ticks, Timescale};

    pub fn segment(number: u32, duration: u64, start: u64) -> Segment {
        Segment::new(NonZeroU32::new(number).unwrap(), 1000, Ticks(duration), DecodeTime(start))
    }

    pub fn timescale(ticks_per_second: u32) -> Timescale {
        Timescale::new(NonZeroU32::new(ticks_per_second).unwrap())
    }

    pub const AUDIO: Media = Media::Audio { channels: 2, sample_rate: 48_000 };

    pub fn track(directory: &str, codec: &str, segments: Vec<Segment>) -> Result<PackagedTrack> {
        PackagedTrack::new(directory, codec, AUDIO, timescale(1000), segments)
    }

    pub fn refused<T: std::fmt::Debug>(result: Result<T>, part: &str) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{AUDIO, refused, segment, timescale, track};
    use super::*;
    use crate::codec::VideoFormat;

    #[test]
    fn audio_that_lines_up_and_nobody_labelled_is_a_ladder() {
        let ladder = |video: bool, tracks: [PackagedTrack; 2]| {
            let picture = Media::Video { format: VideoFormat::of_size(1, 1), frame_rate: None, scan: None };
            let segments = vec![segment(1, 1, 0)];
            let video = video
                .then(|| PackagedTrack::new("v", "avc1.4D001E", picture, timescale(1), segments).unwrap());
            Presentation::new(video.into_iter().collect(), tracks.into()).unwrap().is_audio_ladder()
        };
        let of = |directory: &str, ends: [u64; 2]| {
            let segments = vec![segment(1, ends[0], 0), segment(2, ends[1] - ends[0], ends[0])];
            track(directory, "mp4a.40.2", segments).unwrap()
        };
        let (a, b) = (of("a", [4000, 5500]), of("b", [4000, 5500]));
        assert!(ladder(false, [a.clone(), b.clone()]));
        assert!(!ladder(true, [a.clone(), b.clone()]), "beside video each is a choice");
        // A frame lasts 21.3 ms.
        assert!(ladder(false, [a.clone(), of("b", [4000, 5521])]));
        assert!(!ladder(false, [a.clone(), of("b", [4000, 5522])]));
        assert!(!ladder(false, [of("b", [4000, 5522]), a.clone()]));
        assert!(!ladder(false, [a.clone(), of("b", [4001, 5500])]));
        assert!(!ladder(false, [a.clone(), track("b", "mp4a.40.2", vec![segment(1, 5500, 0)]).unwrap()]));
        for media in [
            Media::Audio { channels: 1, sample_rate: 48_000 },
            Media::Audio { channels: 2, sample_rate: 44_100 },
        ] {
            let other =
                PackagedTrack::new("b", "mp4a.40.2", media, timescale(1000), b.segments().to_vec()).unwrap();
            assert!(!ladder(false, [a.clone(), other]));
        }
        assert!(!ladder(false, [a.clone(), b.clone().with_default(true)]));
        assert!(!ladder(false, [a.clone(), b.clone().with_role(Some("main".to_owned()))]));
        // The same times in other ticks.
        let finer = vec![segment(1, 8000, 0), segment(2, 3000, 8000)];
        let finer = PackagedTrack::new("c", "mp4a.40.2", AUDIO, timescale(2000), finer).unwrap();
        assert!(ladder(false, [a, finer]));
    }

    /// Directories of each switching set.
    fn sets(video: Vec<PackagedTrack>, audio: Vec<PackagedTrack>) -> Vec<Vec<String>> {
        let presentation = Presentation::new(video, audio).unwrap();
        let names = |set: Vec<&PackagedTrack>| set.iter().map(|t| t.directory().to_owned()).collect();
        presentation.switching_sets().into_iter().map(names).collect()
    }

    #[test]
    fn video_is_a_switching_set_for_each_codec_family() {
        let video = |directory: &str, codec: &str| {
            let media = Media::Video { format: VideoFormat::of_size(1, 1), frame_rate: None, scan: None };
            PackagedTrack::new(directory, codec, media, timescale(1), vec![segment(1, 1, 0)]).unwrap()
        };
        let video = vec![
            video("a", "hev1.1.6.L93.B0"),
            video("b", "avc3.64001f"),
            video("c", "hvc1.1.6.L63.B0"),
            video("d", "av01.0.00M.08"),
            video("e", "avc1.4D001E"),
        ];
        assert_eq!(sets(video, vec![]), [vec!["a", "c"], vec!["b", "e"], vec!["d"]]);
    }

    #[test]
    fn audio_of_one_label_that_lines_up_is_a_switching_set_beside_video_too() {
        let of = |directory: &str, codec: &str, ends: [u64; 2]| {
            let segments = vec![segment(1, ends[0], 0), segment(2, ends[1] - ends[0], ends[0])];
            track(directory, codec, segments).unwrap()
        };
        let aac = |directory: &str| of(directory, "mp4a.40.2", [4000, 5500]);
        let in_language = |track: PackagedTrack, tag: &str| track.with_language(Some(tag.to_owned()));
        let en = |directory: &str| in_language(aac(directory), "en");
        let beside = |audio: Vec<PackagedTrack>| {
            let media = Media::Video { format: VideoFormat::of_size(1, 1), frame_rate: None, scan: None };
            let video = PackagedTrack::new("v", "avc1.4D001E", media, timescale(1), vec![segment(1, 1, 0)]);
            sets(vec![video.unwrap()], audio)[1..].to_vec()
        };
        let en_upper = in_language(aac("b"), "EN");
        assert_eq!(beside(vec![en("a"), in_language(aac("x"), "de"), en_upper]), [vec!["a", "b"], vec!["x"]]);
        assert_eq!(sets(vec![], vec![en("a"), en("b"), aac("c")]), [vec!["a", "b"], vec!["c"]]);
        assert_eq!(beside(vec![aac("a"), aac("b")]), [["a"], ["b"]], "nobody said that they are one sound");
        let other = |track: PackagedTrack| assert_eq!(beside(vec![en("a"), track]), [["a"], ["b"]]);
        other(en("b").with_default(true));
        other(en("b").with_role(Some("commentary".to_owned())));
        other(en("b").with_name(Some("English".to_owned())));
        other(in_language(of("b", "ac-3", [4000, 5500]), "en"));
        other(in_language(of("b", "mp4a.40.2", [4001, 5500]), "en"));
        // Each ends a frame of 21.3 ms behind the one before, the last two behind the first.
        let ends = |directory: &str, end| in_language(of(directory, "mp4a.40.2", [4000, end]), "en");
        let stairs = vec![ends("a", 5500), ends("b", 5521), ends("c", 5542)];
        assert_eq!(beside(stairs), [vec!["a", "b"], vec!["c"]]);
    }

    #[test]
    fn a_presentation_has_tracks_with_segments_each_in_its_place() {
        let good = track("audio/en", "mp4a.40.2", vec![segment(1, 4, 0)]).unwrap();
        let twin = track("audio/EN", "mp4a.40.2", vec![segment(1, 4, 0)]).unwrap();
        let empty = track("audio/de", "mp4a.40.2", vec![]).unwrap();
        assert!(Presentation::new(vec![], vec![good.clone()]).is_ok());
        refused(Presentation::new(vec![], vec![]), "without tracks");
        refused(Presentation::new(vec![good.clone()], vec![]), "audio among video");
        refused(Presentation::new(vec![], vec![empty]), "without segments");
        refused(Presentation::new(vec![], vec![good, twin]), "the directory of two tracks");
    }
}
