//! What a manifest says of a presentation, in one form for HLS and MPD: the files of each track, their times, and what is
//! claimed of them. Nothing is checked against the files here.

use std::ops::Range;

/// One manifest: a multivariant playlist with its media playlists, a media playlist alone, or an MPD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Path of the manifest.
    pub file: String,
    /// Every track that it names.
    pub tracks: Vec<ListedTrack>,
    /// Tracks that a player may switch between, by index into `tracks`: the renditions of the variants of HLS that have one codec
    /// family, the representations of an adaptation set.
    pub switching_sets: Vec<Vec<usize>>,
    /// HLS: the variants, in order. Empty for an MPD.
    pub variants: Vec<Variant>,
    /// Length of the whole presentation where the manifest states it (`mediaPresentationDuration`).
    pub duration: Option<Time>,
    /// MPD: `minBufferTime`, which `@bandwidth` means something by.
    pub min_buffer_time: Option<Time>,
    /// What of it is left out, and why: segments that are encrypted as a whole, or no fragmented MP4.
    pub not_checked: Vec<&'static str>,
}

/// One track: a media playlist, or a representation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedTrack {
    /// What to call it: path of the media playlist, or `Representation` with its id.
    pub name: String,
    /// Path of the manifest that lists its segments.
    pub file: String,
    /// Byte offset of its first line or element in that.
    pub offset: Option<u64>,
    /// The init segment; `None` if none is named.
    pub init: Option<Resource>,
    /// In the order of presentation.
    pub segments: Vec<ListedSegment>,
    /// What is claimed of it alone.
    pub claims: Claims,
    /// HLS: `EXT-X-TARGETDURATION` in seconds.
    pub target_duration: Option<u64>,
    /// MPD: `@presentationTimeOffset` on the timescale of the track.
    pub presentation_time_offset: Option<Time>,
    /// MPD: the period that it is in, from 0. HLS: 0.
    pub period: usize,
    /// MPD: when its period starts in the presentation; `None` where that is not known.
    pub period_start: Option<Time>,
    /// MPD: how long its period lasts, where there are several and that is known.
    pub period_duration: Option<Time>,
    /// More segments may come: a playlist without `EXT-X-ENDLIST`, a dynamic MPD.
    pub is_live: bool,
}

/// A segment as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSegment {
    /// Where its bytes are.
    pub resource: Resource,
    /// Its duration as it is listed, and how exact that is.
    pub duration: ListedDuration,
    /// MPD: its start on the media timeline (`S@t`, or what numbers and `@duration` make of it).
    pub start: Option<Time>,
    /// Byte offset of its line or element in the manifest.
    pub offset: u64,
    /// It follows an `EXT-X-DISCONTINUITY`, or is the first of a later period.
    pub discontinuity: bool,
    /// The init segment where it is another than the track's (`EXT-X-MAP` once more).
    pub init: Option<Resource>,
}

/// A duration in a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedDuration {
    /// Decimal seconds with so many digits behind the point: a rounded figure (`EXTINF`).
    Rounded {
        /// The figure.
        time: Time,
        /// One unit of the last digit.
        unit: Time,
    },
    /// Ticks (`S@d`).
    Exact(Time),
    /// A nominal duration of all segments, from which each may differ by half (`SegmentTemplate@duration`).
    Nominal(Time),
}

/// Bytes: a file, or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// Path relative to the directory; not looked at yet, it may lead out of it. Empty where there is nothing to read: a segment
    /// that is elsewhere, encrypted as a whole or a gap keeps its place in the list so.
    pub path: String,
    /// The part of the file; `None` is all of it.
    pub range: Option<(u64, u64)>,
}

impl Resource {
    /// The part of a file of `len` bytes; `None` if it goes past the end. As `start..end`.
    pub fn range_in(&self, len: u64) -> Option<Range<u64>> {
        match self.range {
            None => Some(0..len),
            Some((start, end)) => (start <= end && end <= len).then_some(start..end),
        }
    }
}

/// A time of a manifest: ticks of a timescale; may be negative (`S@t` less an offset).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Ticks.
    pub ticks: i128,
    /// Ticks per second, not 0.
    pub timescale: u64,
}

impl Time {
    /// `ticks` of `timescale`; a timescale of 0 counts as 1.
    pub fn new(ticks: i128, timescale: u64) -> Self {
        Self { ticks, timescale: timescale.max(1) }
    }

    /// Seconds, for printing.
    pub fn seconds(self) -> f64 {
        self.ticks as f64 / self.timescale as f64
    }

    /// This less `other`, in ticks of both timescales multiplied; `None` where that does not fit.
    fn difference(self, other: Self) -> Option<i128> {
        let own = self.ticks.checked_mul(i128::from(other.timescale))?;
        own.checked_sub(other.ticks.checked_mul(i128::from(self.timescale))?)
    }

    /// How they compare, exactly.
    pub fn compare(self, other: Self) -> std::cmp::Ordering {
        match self.difference(other) {
            Some(difference) => difference.cmp(&0),
            None => self.seconds().total_cmp(&other.seconds()),
        }
    }

    /// Whether they are at most `limit` apart.
    pub fn is_within(self, limit: Self, other: Self) -> bool {
        let apart = self.difference(other).map(i128::unsigned_abs);
        let product = i128::from(self.timescale).checked_mul(i128::from(other.timescale));
        let apart = apart.and_then(|apart| apart.checked_mul(u128::from(limit.timescale)));
        let allowed = product.and_then(|product| limit.ticks.checked_mul(product));
        match (apart, allowed) {
            (Some(apart), Some(allowed)) => i128::try_from(apart).is_ok_and(|apart| apart <= allowed),
            _ => (self.seconds() - other.seconds()).abs() <= limit.seconds(),
        }
    }
}

/// What is claimed of a track, or of a variant. What is not said is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Byte offset of the claims in `file` of the listing (HLS: `EXT-X-STREAM-INF`; MPD: the representation).
    pub offset: Option<u64>,
    /// RFC 6381 codec strings.
    pub codecs: Vec<String>,
    /// `BANDWIDTH` or `@bandwidth`, bit/s.
    pub bandwidth: Option<u64>,
    /// `AVERAGE-BANDWIDTH`, bit/s.
    pub average_bandwidth: Option<u64>,
    /// Width and height.
    pub size: Option<(u64, u64)>,
    /// Pictures per second.
    pub frame_rate: Option<ListedFrameRate>,
    /// `VIDEO-RANGE`: `SDR`, `HLG`, `PQ`.
    pub video_range: Option<String>,
    /// `CHANNELS`, or the value of the channel configuration where its scheme counts channels.
    pub channels: Option<u64>,
    /// Channel locations of AC-3 and E-AC-3, by the scheme of Dolby: bits as in [`crate::verify::header::Dolby`].
    pub locations: Option<u16>,
    /// The number of objects of joint object coding: `CHANNELS` with `/JOC`, or `EC3_ExtensionComplexityIndex`.
    pub joc: Option<u64>,
    /// `@audioSamplingRate`.
    pub sample_rate: Option<u64>,
    /// `video`, `audio` …: `@contentType`, else the first half of `@mimeType`.
    pub content_type: Option<String>,
    /// The first half of `@mimeType`.
    pub mime_type: Option<String>,
    /// `@startWithSAP`.
    pub start_with_sap: Option<u64>,
    /// `@segmentAlignment` of its adaptation set, or `EXT-X-INDEPENDENT-SEGMENTS` for a variant.
    pub aligned: bool,
}

/// A frame rate as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedFrameRate {
    /// A fraction.
    Exact(u64, u64),
    /// A decimal rounded to thousandths (`FRAME-RATE`), in thousandths.
    Thousandths(u64),
}

/// A variant of a multivariant playlist: what its claims are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// `EXT-X-STREAM-INF`.
    pub claims: Claims,
    /// The track of its URI, by index into [`Listing::tracks`].
    pub track: usize,
    /// The tracks of its `AUDIO` group; one of them plays with it.
    pub audio: Vec<usize>,
    /// The tracks of its `SUBTITLES` group.
    pub subtitles: Vec<usize>,
}
