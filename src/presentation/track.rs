//! A finished track: where its files are, what it shows or sounds like, its segments in order. It may be the whole of a
//! rendition or the part that one worker made: it starts at any number and time, and [`merge`](super::merge()) joins the parts.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BitRate, Change, Segment, bit_rate};
use crate::codec::{AudioConfiguration, ScanType, VideoFormat, aac};
use crate::error::{Error, Result};
use crate::time::{FrameRate, Ticks, Timescale};
use crate::track::header::SampleEntry;

/// What a track shows or sounds like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Pictures.
    Video {
        /// Size, sample shape and colour. A width and height of 0 are not known.
        format: VideoFormat,
        /// Frames per second, two fields counting as one, the highest where it varies; `None` when it is not known.
        frame_rate: Option<FrameRate>,
        /// Whether they are fields; `None` when that is not known.
        scan: Option<ScanType>,
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
    /// What a track with this sample entry shows or sounds like.
    pub fn of(entry: &SampleEntry) -> Self {
        match *entry {
            SampleEntry::Avc { format, frame_rate, scan, .. }
            | SampleEntry::Hevc { format, frame_rate, scan, .. } => Self::Video { format, frame_rate, scan },
            // AV1 and VP9 code no fields.
            SampleEntry::Av1 { format, frame_rate, .. } | SampleEntry::Vp9 { format, frame_rate, .. } => {
                Self::Video { format, frame_rate, scan: Some(ScanType::Progressive) }
            }
            SampleEntry::Audio(AudioConfiguration { channels, sample_rate, .. }) => {
                Self::Audio { channels, sample_rate }
            }
        }
    }

    /// Whether it is video.
    pub const fn is_video(&self) -> bool {
        matches!(self, Self::Video { .. })
    }
}

/// A track whose segments have been written: what the manifest writers take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagedTrack {
    pub(super) directory: String,
    pub(super) init: String,
    pub(super) codec: String,
    pub(super) media: Media,
    pub(super) timescale: Timescale,
    /// Not copied with the track: a long one has many.
    pub(super) segments: Arc<Vec<Segment>>,
    pub(super) total_bytes: u64,
    pub(super) duration: Ticks,
    pub(super) sample_entry: Option<SampleEntry>,
    pub(super) init_path: PathBuf,
    pub(super) wrote_init: bool,
    pub(super) language: Option<String>,
    pub(super) name: Option<String>,
    pub(super) role: Option<String>,
    pub(super) default: bool,
    pub(super) average_frame_rate: Option<FrameRate>,
    /// Discontinuities, in order.
    pub(super) changes: Vec<Change>,
}

impl PackagedTrack {
    /// A track in `directory` (`video/1080p-6000k`, relative to the multivariant playlist), with its init segment in
    /// `init.mp4` there; no language, name or role. Segments are in order, from any number and time on; there may be none.
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
        check_codec_string(&codec)?;
        let (total_bytes, duration) = check_segments(&directory, &segments)?;
        let init = "init.mp4".to_owned();
        let init_path = PathBuf::from(format!("{directory}/{init}"));
        Ok(Self {
            directory,
            init,
            codec,
            media,
            timescale,
            segments: Arc::new(segments),
            total_bytes,
            duration,
            sample_entry: None,
            init_path,
            wrote_init: true,
            language: None,
            name: None,
            role: None,
            default: false,
            average_frame_rate: None,
            changes: Vec::new(),
        })
    }

    /// The same with the sample entry that its init segment is made with, whoever writes it. Without one, only the codec
    /// string tells whether another part of the track fits it.
    #[must_use]
    pub fn with_sample_entry(self, entry: SampleEntry) -> Self {
        Self { sample_entry: Some(entry), ..self }
    }

    /// The same with its init segment in this file, for whoever opens it.
    #[must_use]
    pub fn with_init_path(self, path: impl Into<PathBuf>) -> Self {
        Self { init_path: path.into(), ..self }
    }

    /// The same as a part whose init segment somebody else writes.
    #[must_use]
    pub fn without_init(self) -> Self {
        Self { wrote_init: false, ..self }
    }

    /// The same with the BCP 47 tag of its language; `None` when nobody said.
    #[must_use]
    pub fn with_language(self, language: Option<String>) -> Self {
        Self { language, ..self }
    }

    /// The same with the name that a viewer chooses it by; `None` when nobody gave one.
    #[must_use]
    pub fn with_name(self, name: Option<String>) -> Self {
        Self { name, ..self }
    }

    /// The same with what it is for, in the words of DASH (`urn:mpeg:dash:role:2011`): `main`, `description` …
    #[must_use]
    pub fn with_role(self, role: Option<String>) -> Self {
        Self { role, ..self }
    }

    /// The same as the one of its kind to play when the viewer has not chosen, or not.
    #[must_use]
    pub fn with_default(self, default: bool) -> Self {
        Self { default, ..self }
    }

    /// The same with the average of its frame rate, where that varies; `None` where it does not, or is not known.
    #[must_use]
    pub fn with_average_frame_rate(self, average_frame_rate: Option<FrameRate>) -> Self {
        Self { average_frame_rate, ..self }
    }

    /// Where its files are, relative to the multivariant playlist, without a slash at the end.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// Where its init segment is, relative to its media playlist.
    pub fn init(&self) -> &str {
        &self.init
    }

    /// Where its init segment is, for whoever opens it: `init.mp4` in [`PackagedTrack::directory`] unless its writer said more
    /// ([`PackagedTrack::with_init_path`]).
    pub fn init_path(&self) -> &Path {
        &self.init_path
    }

    /// Whether its writer wrote the init segment too.
    pub fn wrote_init(&self) -> bool {
        self.wrote_init
    }

    /// The sample entry that its init segment is made with; `None` where its writer told the codec string alone.
    pub fn sample_entry(&self) -> Option<&SampleEntry> {
        self.sample_entry.as_ref()
    }

    /// What its sample entry says of sound; `None` for video, and where its writer told the codec string alone.
    pub fn audio_configuration(&self) -> Option<&AudioConfiguration> {
        self.sample_entry.as_ref().and_then(SampleEntry::audio)
    }

    /// BCP 47 tag of the language; `None` when nobody said.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// The name that a viewer chooses it by; `None` when nobody gave one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it is for, in the words of DASH (`urn:mpeg:dash:role:2011`): `main`, `description` …
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// What somebody said that it is: language, in which case does not count (BCP 47 2.1.1), name, role.
    pub(super) fn labels(&self) -> (Option<String>, Option<&str>, Option<&str>) {
        (self.language().map(str::to_ascii_lowercase), self.name(), self.role())
    }

    /// Whether it is the one of its kind to play when the viewer has not chosen.
    pub fn is_default(&self) -> bool {
        self.default
    }

    /// The average of its frame rate where that varies; `None` where it does not, or is not known.
    pub fn average_frame_rate(&self) -> Option<FrameRate> {
        self.average_frame_rate
    }

    /// The codec string (RFC 6381), such as `avc1.64001f`.
    pub fn codec(&self) -> &str {
        &self.codec
    }

    /// What its codec string starts with, the same wherever parameter sets are kept: `avc` for `avc1` and `avc3`, `hvc` for
    /// `hvc1` and `hev1`, else the type of the sample entry.
    pub fn codec_family(&self) -> &str {
        codec_family(&self.codec)
    }

    /// What it has in common with the video that a player may switch to; `None` for audio.
    pub(crate) fn video_set(&self) -> Option<String> {
        match &self.media {
            Media::Video { format, .. } => Some(video_set(&self.codec, format)),
            Media::Audio { .. } => None,
        }
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

    /// What is decoded at its start and not presented: the edit list in its init segment begins behind it. 0 for video.
    pub fn priming(&self) -> Ticks {
        Ticks(self.audio_configuration().map_or(0, |audio| audio.priming.into()))
    }

    /// When a segment of it is presented: its decode times less the [priming](Self::priming), without what lies before 0. Empty for a
    /// segment that has nothing but priming.
    pub fn presented(&self, segment: &Segment) -> Range<u64> {
        let start = segment.base_decode_time.0;
        let presented = |time: u64| time.saturating_sub(self.priming().0);
        // Its end is within 64 bits (`PackagedTrack::new`).
        presented(start)..presented(start + segment.duration.0)
    }

    /// From the first sample that is presented to the end of the last segment.
    pub fn presented_duration(&self) -> Ticks {
        let ends = self.segments.first().zip(self.segments.last());
        Ticks(ends.map_or(0, |(first, last)| self.presented(last).end - self.presented(first).start))
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

    /// Whether segments are presented from the same times on as those of another audio track, with ends at most one frame apart.
    pub(super) fn lines_up_with(&self, other: &Self) -> bool {
        let Media::Audio { sample_rate, .. } = self.media else { return false };
        // Both in units of a second divided by both timescales.
        let apart = |own: u64, others: u64| {
            let scale = |ticks: u64, timescale: Timescale| u128::from(ticks) * u128::from(timescale.get());
            scale(own, other.timescale).abs_diff(scale(others, self.timescale))
        };
        // Where nobody said more than the codec string, it is taken for AAC.
        let frame = |track: &Self| {
            track.audio_configuration().map_or(aac::SAMPLES_PER_FRAME, AudioConfiguration::longest_frame)
        };
        let frame = u128::from(frame(self).max(frame(other)))
            * u128::from(self.timescale.get())
            * u128::from(other.timescale.get());
        let start = |track: &Self, segment: &Segment| track.presented(segment).start;
        // The apart of 64-bit times below 2^96, times 32 bits: within 128.
        self.segments.len() == other.segments.len()
            && self
                .segments
                .iter()
                .zip(other.segments())
                .all(|(a, b)| apart(start(self, a), start(other, b)) == 0)
            && apart(self.presented_duration().0, other.presented_duration().0) * u128::from(sample_rate)
                <= frame
    }

    /// The peak segment bit rate (RFC 8216 4.1) for a target duration in seconds; zero without segments.
    pub fn peak_bit_rate(&self, target_duration: u64) -> BitRate {
        bit_rate::peak(&self.segments, target_duration, self.timescale)
    }
}

/// Refuses what cannot stand in CODECS.
pub(super) fn check_codec_string(codec: &str) -> Result<()> {
    let in_codec = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',');
    if codec.is_empty() || !codec.bytes().all(in_codec) {
        return Err(Error::conflict(
            format!("'{}' is not a codec string", codec.escape_default()),
            "give one such as avc1.64001f or mp4a.40.2",
        ));
    }
    Ok(())
}

/// What the video of a switching set has in common: family of the codec, and dynamic range.
pub(crate) fn video_set(codec: &str, format: &VideoFormat) -> String {
    format!("{} {}", codec_family(codec), format.video_range())
}

/// [`PackagedTrack::codec_family`] of a codec string.
pub(crate) fn codec_family(codec: &str) -> &str {
    match codec.split('.').next().unwrap_or_default() {
        "avc1" | "avc3" => "avc",
        "hvc1" | "hev1" => "hvc",
        other => other,
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
pub(crate) fn check_path(what: &str, path: &str) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, segment, timescale, track};
    use super::*;
    use crate::codec::flac::FlacConfig;

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
    fn tracks_line_up_as_they_are_presented() {
        let with = |audio: AudioConfiguration, first: u64, last: u64| {
            let segments = vec![segment(1, first, 0), segment(2, last, first)];
            let track = PackagedTrack::new(
                "audio/en",
                "x",
                super::super::testing::AUDIO,
                timescale(48_000),
                segments,
            );
            track.unwrap().with_sample_entry(SampleEntry::Audio(audio))
        };
        let aac = |priming, first, last| {
            let config = aac::AacConfig::new(aac::AudioObjectType::LowComplexity, 3, 2).unwrap();
            with(config.primed_configuration(priming), first, last)
        };
        assert!(aac(0, 96_256, 96_256).lines_up_with(&aac(0, 96_256, 95_232)));
        assert!(!aac(0, 96_256, 96_256).lines_up_with(&aac(0, 96_256, 95_231)), "more than a frame apart");
        // Two frames more, of which two are not presented.
        assert!(aac(2048, 96_256, 96_256).lines_up_with(&aac(0, 94_208, 96_256)));
        assert!(!aac(1024, 96_256, 96_256).lines_up_with(&aac(0, 96_256, 95_232)));
        // Blocks of 4608.
        let mut block = [0; 34];
        block[..18].copy_from_slice(b"\x12\0\x12\0\0\0\0\0\0\0\x0b\xb8\x02\xf0\0\0\0\0");
        let flac = |last| with(FlacConfig::read(&block).unwrap().configuration(), 96_768, last);
        assert!(flac(96_000).lines_up_with(&flac(91_392)) && !flac(96_000).lines_up_with(&flac(91_391)));
        assert_eq!(flac(96_000).presented(&flac(96_000).segments()[1]), 96_768..192_768);
        assert_eq!(aac(1024, 96_256, 96_256).presented(&segment(1, 96_256, 0)), 0..95_232);
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
    fn the_init_segment_is_in_the_directory_unless_its_writer_says_more() {
        let track = track("audio/en", "mp4a.40.2", vec![segment(7, 4, 100)]).unwrap();
        assert_eq!((track.init_path(), track.wrote_init()), (Path::new("audio/en/init.mp4"), true));
        let track = track.with_init_path("/out/audio/en/init.mp4").without_init();
        assert_eq!((track.init_path(), track.wrote_init()), (Path::new("/out/audio/en/init.mp4"), false));
    }
}
