//! What a package holds, as the manifests describe it: segments, the tracks they make up, the presentation of all
//! tracks. Values only: an encoder that writes its own segments builds them too, and nothing here touches a file.

mod bit_rate;
pub mod names;

use std::num::NonZeroU32;
use std::path::PathBuf;

pub use bit_rate::BitRate;

use crate::codec::{Colour, aac};
use crate::error::{Error, Result};
use crate::hash::ContentHash;
use crate::time::{DecodeTime, FrameRate, Ticks, Timescale};

/// One media segment that has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number in the track, from 1.
    pub number: NonZeroU32,
    /// Where it is, relative to its media playlist.
    pub uri: String,
    /// Where its file is, for whoever opens it; [`Segment::new`] knows no more than `uri`.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// The sum of its samples' durations, in ticks of the track's timescale; above 0.
    pub duration: Ticks,
    /// Decode time of its first sample, in ticks.
    pub base_decode_time: DecodeTime,
    /// Hash of the file; `None` where it was not made.
    pub content_hash: Option<ContentHash>,
}

impl Segment {
    /// A segment in the file that its number names: `seg-00001.m4s`, with more digits past 99999.
    pub fn new(number: NonZeroU32, bytes: u64, duration: Ticks, base_decode_time: DecodeTime) -> Self {
        let uri = format!("seg-{number:05}.m4s");
        let path = PathBuf::from(&uri);
        Self { number, uri, path, bytes, duration, base_decode_time, content_hash: None }
    }
}

/// What a track shows or sounds like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Pictures.
    Video {
        /// Width as shown, in square pixels.
        width: u32,
        /// Height as shown, in square pixels.
        height: u32,
        /// Pictures per second, the highest where it varies; `None` when it is not known.
        frame_rate: Option<FrameRate>,
        /// Meaning of the sample values; `None` when the bitstream does not say.
        colour: Option<Colour>,
    },
    /// Sound.
    Audio {
        /// Channels, independent of each other or not, low-frequency ones counted.
        channels: u16,
        /// Samples per second and channel.
        sample_rate: u32,
    },
}

impl Media {
    /// Whether it is video.
    pub const fn is_video(&self) -> bool {
        matches!(self, Self::Video { .. })
    }
}

/// A track whose segments have been written: what the manifest writers take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagedTrack {
    directory: String,
    init: String,
    codec: String,
    media: Media,
    timescale: Timescale,
    segments: Vec<Segment>,
    total_bytes: u64,
    duration: Ticks,
    /// BCP 47 tag of the language; `None` when nobody said.
    pub language: Option<String>,
    /// The name that a viewer chooses it by; `None` when nobody gave one.
    pub name: Option<String>,
    /// What the track is for, in the words of DASH (`urn:mpeg:dash:role:2011`): `main`, `description` …
    pub role: Option<String>,
    /// Whether it is the one of its kind to play when the viewer has not chosen.
    pub default: bool,
}

impl PackagedTrack {
    /// A track in `directory` (`video/1080p-6000k`, relative to the multivariant playlist), with its init segment in
    /// `init.mp4` there; no language, name or role. Segments are in order; there may be none yet.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when the directory or a segment's URI would need escaping in
    /// a URL or leaves the place it is relative to, when the codec string is none (RFC 6381), and when segments are not
    /// consecutive: numbers one apart, each base decode time the end of the segment before.
    pub fn new(
        directory: impl Into<String>,
        codec: impl Into<String>,
        media: Media,
        timescale: Timescale,
        segments: Vec<Segment>,
    ) -> Result<Self> {
        let (directory, codec) = (directory.into(), codec.into());
        check_path("the directory of a track", &directory)?;
        let in_codec = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',');
        if codec.is_empty() || !codec.bytes().all(in_codec) {
            return Err(Error::conflict(
                format!("'{}' is not a codec string", codec.escape_default()),
                "give one such as avc1.64001f or mp4a.40.2",
            ));
        }
        let (total_bytes, duration) = check_segments(&directory, &segments)?;
        Ok(Self {
            directory,
            init: "init.mp4".to_owned(),
            codec,
            media,
            timescale,
            segments,
            total_bytes,
            duration,
            language: None,
            name: None,
            role: None,
            default: false,
        })
    }

    /// Where its files are, relative to the multivariant playlist, without a slash at the end.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// Where its init segment is, relative to its media playlist.
    pub fn init(&self) -> &str {
        &self.init
    }

    /// The codec string (RFC 6381), such as `avc1.64001f`.
    pub fn codec(&self) -> &str {
        &self.codec
    }

    /// What it shows or sounds like.
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// Of all its times.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    /// Its segments in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Bytes of all segments; the init segment does not count.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// From the first sample's decode time to the end of the last segment.
    pub fn duration(&self) -> Ticks {
        self.duration
    }

    /// Duration of each segment in microseconds, as playlists print it: the differences of rounded times since the
    /// start of the track, so that their sum is the rounded duration of the track and no error adds up.
    pub fn rounded_durations(&self) -> impl Iterator<Item = u64> + '_ {
        let start = self.segments.first().map_or(0, |segment| segment.base_decode_time.0);
        self.segments.iter().map(move |segment| {
            let begin = segment.base_decode_time.0 - start;
            let at = |ticks| self.timescale.microseconds_nearest(Ticks(ticks));
            at(begin + segment.duration.0) - at(begin)
        })
    }

    /// Bits of all segments over the duration; zero without segments.
    pub fn average_bit_rate(&self) -> BitRate {
        BitRate::new(self.total_bytes, self.duration, self.timescale)
    }

    /// Whether segments start at the same times as those of another audio track, with ends at most one frame apart.
    fn lines_up_with(&self, other: &Self) -> bool {
        let Media::Audio { sample_rate, .. } = self.media else { return false };
        // Both in units of a second divided by both timescales.
        let apart = |own: u64, others: u64| {
            let scale = |ticks: u64, timescale: Timescale| u128::from(ticks) * u128::from(timescale.get());
            scale(own, other.timescale).abs_diff(scale(others, self.timescale))
        };
        let frame = u128::from(aac::SAMPLES_PER_FRAME)
            * u128::from(self.timescale.get())
            * u128::from(other.timescale.get());
        let start = |segment: &Segment| segment.base_decode_time.0;
        // The apart of 64-bit times below 2^96, times 32 bits: within 128.
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|(a, b)| apart(start(a), start(b)) == 0)
            && apart(self.duration.0, other.duration.0) * u128::from(sample_rate) <= frame
    }

    /// The peak segment bit rate (RFC 8216 4.1) for a target duration in seconds; zero without segments.
    pub fn peak_bit_rate(&self, target_duration: u64) -> BitRate {
        bit_rate::peak(&self.segments, target_duration, self.timescale)
    }
}

/// Checks that segments follow each other; their bytes and duration together.
fn check_segments(directory: &str, segments: &[Segment]) -> Result<(u64, Ticks)> {
    let broken =
        |what: String| Error::conflict(format!("{directory}: {what}"), "give all its segments in order");
    let mut previous: Option<&Segment> = None;
    let (mut bytes, mut duration) = (0u64, Ticks(0));
    for segment in segments {
        check_path("the URI of a segment", &segment.uri)?;
        let number = segment.number;
        if let Some(last) = previous {
            if last.number.checked_add(1) != Some(number) {
                return Err(broken(format!("segment {number} follows segment {}", last.number)));
            }
            if last.base_decode_time.checked_add(last.duration) != Some(segment.base_decode_time) {
                return Err(broken(format!(
                    "segment {number} starts at {} ticks, but segment {} starts at {} and lasts {}",
                    segment.base_decode_time.0, last.number, last.base_decode_time.0, last.duration.0
                )));
            }
        }
        if segment.duration == Ticks(0) {
            return Err(broken(format!("segment {number} has no duration")));
        }
        let sums = (bytes.checked_add(segment.bytes), segment.base_decode_time.checked_add(segment.duration));
        let (Some(sum), Some(_)) = sums else {
            return Err(broken(format!("bytes or time pass 64 bits at segment {number}")));
        };
        // Within 64 bits, as the end of the last segment is.
        (bytes, duration) = (sum, Ticks(duration.0 + segment.duration.0));
        previous = Some(segment);
    }
    Ok((bytes, duration))
}

/// Refuses a relative path that would mean something else as a URL: only unreserved characters (RFC 3986 2.3) between
/// slashes, and no empty, `.` or `..` segment.
fn check_path(what: &str, path: &str) -> Result<()> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let sound = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(unreserved);
    if path.split('/').all(sound) {
        return Ok(());
    }
    Err(Error::conflict(
        format!("{what} is '{}'", path.escape_default()),
        "give a relative path of letters, digits, '-', '.', '_' and '~'",
    ))
}

/// Everything that plays together: one switching set of video, and audio to choose from.
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
    /// is in the wrong list, or two in one directory (upper and lower case do not count).
    pub fn new(video: Vec<PackagedTrack>, audio: Vec<PackagedTrack>) -> Result<Self> {
        if video.is_empty() && audio.is_empty() {
            return Err(Error::conflict("a presentation without tracks", "give at least one"));
        }
        let mut directories = std::collections::HashSet::new();
        let expected =
            video.iter().map(|track| (track, true)).chain(audio.iter().map(|track| (track, false)));
        for (track, is_video) in expected {
            let refuse = |what, remedy| Err(Error::conflict(format!("{}: {what}", track.directory), remedy));
            if track.segments.is_empty() {
                return refuse("a track without segments", "leave it out");
            }
            if track.media.is_video() != is_video {
                return refuse("video among audio, or audio among video", "put it in the other list");
            }
            if !directories.insert(track.directory.to_ascii_lowercase()) {
                return refuse("the directory of two tracks", "give each its own");
            }
        }
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
    /// name or role or made it the default, sample rate and channels are equal, segments start together, and ends are at
    /// most one frame of AAC apart. A player may then switch between the tracks; otherwise each is a choice of its own.
    pub fn is_audio_ladder(&self) -> bool {
        let unlabelled =
            |t: &PackagedTrack| t.language.is_none() && t.name.is_none() && t.role.is_none() && !t.default;
        let Some((first, others)) = self.audio.split_first() else { return false };
        self.video.is_empty()
            && self.audio.iter().all(unlabelled)
            && others.iter().all(|other| first.media == other.media && first.lines_up_with(other))
    }

    /// All tracks, video first.
    pub fn tracks(&self) -> impl Iterator<Item = &PackagedTrack> {
        self.video.iter().chain(&self.audio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: u32, duration: u64, start: u64) -> Segment {
        Segment::new(NonZeroU32::new(number).unwrap(), 1000, Ticks(duration), DecodeTime(start))
    }

    const AUDIO: Media = Media::Audio { channels: 2, sample_rate: 48_000 };

    fn track(directory: &str, codec: &str, segments: Vec<Segment>) -> Result<PackagedTrack> {
        PackagedTrack::new(directory, codec, AUDIO, Timescale::new(NonZeroU32::new(1000).unwrap()), segments)
    }

    fn refused<T: std::fmt::Debug>(result: Result<T>, part: &str) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn segment_files_are_named_by_number() {
        assert_eq!(segment(1, 1, 0).uri, "seg-00001.m4s");
        assert_eq!(segment(123_456, 1, 0).uri, "seg-123456.m4s");
    }

    #[test]
    fn totals_cover_all_segments() {
        let track =
            track("audio/en", "mp4a.40.2", vec![segment(3, 4000, 8000), segment(4, 1500, 12_000)]).unwrap();
        assert_eq!((track.total_bytes(), track.duration()), (2000, Ticks(5500)));
        // 16000 bits in 5.5 s are 2909.09.
        assert_eq!(track.average_bit_rate().ceil(), 2910);
    }

    #[test]
    fn segments_must_follow_each_other() {
        let of = |segments| track("a", "mp4a.40.2", segments);
        refused(of(vec![segment(1, 4, 0), segment(3, 4, 4)]), "segment 3 follows segment 1");
        refused(
            of(vec![segment(1, 4, 0), segment(2, 4, 5)]),
            "segment 2 starts at 5 ticks, but segment 1 starts at 0 and lasts 4",
        );
        refused(of(vec![segment(1, 0, 0)]), "segment 1 has no duration");
        refused(of(vec![segment(1, u64::MAX, 1)]), "64 bits");
        assert!(of(vec![]).is_ok());
    }

    #[test]
    fn paths_that_need_escaping_or_lead_elsewhere_are_refused() {
        for path in
            ["", "/a", "a/", "a//b", ".", "a/..", "a b", "a?b", "a%20b", "http://x", "é", "a\"b", "a\nb"]
        {
            refused(track(path, "mp4a.40.2", vec![]), "relative path");
            let mut odd = segment(1, 4, 0);
            odd.uri = path.to_owned();
            refused(track("a", "mp4a.40.2", vec![odd]), "relative path");
        }
        for codec in ["", "a,b", "a\"b", "a b", "é"] {
            refused(track("a", codec, vec![]), "codec string");
        }
    }

    #[test]
    fn audio_that_lines_up_and_nobody_labelled_is_a_ladder() {
        let ladder = |video: bool, tracks: [PackagedTrack; 2]| {
            let picture = Media::Video { width: 1, height: 1, frame_rate: None, colour: None };
            let timescale = Timescale::new(NonZeroU32::MIN);
            let segments = vec![segment(1, 1, 0)];
            let video =
                video.then(|| PackagedTrack::new("v", "avc1.4D001E", picture, timescale, segments).unwrap());
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
            assert!(!ladder(false, [a.clone(), PackagedTrack { media, ..b.clone() }]));
        }
        assert!(!ladder(false, [a.clone(), PackagedTrack { default: true, ..b.clone() }]));
        assert!(!ladder(false, [a.clone(), PackagedTrack { role: Some("main".to_owned()), ..b.clone() }]));
        // The same times in other ticks.
        let finer = vec![segment(1, 8000, 0), segment(2, 3000, 8000)];
        let timescale = Timescale::new(NonZeroU32::new(2000).unwrap());
        let finer = PackagedTrack::new("c", "mp4a.40.2", AUDIO, timescale, finer).unwrap();
        assert!(ladder(false, [a, finer]));
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
