//! What a segmenter is told before the first packet, and with each packet.

use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::codec::aac::AacConfig;
use crate::codec::ac3::Ac3Config;
use crate::codec::eac3::Eac3Config;
use crate::codec::flac::FlacConfig;
use crate::codec::opus::OpusConfig;
use crate::codec::{AudioConfiguration, ParameterSetPlacement};
use crate::codec::{Colour, ContentLight, MasteringDisplay};
use crate::presentation::OnChange;
use crate::time::{CompositionOffset, DecodeTime, FrameRate, Ticks, Timescale};
use crate::track::header::BitRate;

/// One track and where it goes. [`SegmenterConfig::new`] gives every option its default.
#[derive(Clone, Debug)]
pub struct SegmenterConfig {
    /// Directory of the presentation: playlists go there. Made if it is not there.
    pub output: PathBuf,
    /// Directory of the track's files below `output`, such as `video/720p`: letters, digits, `-`, `.`, `_`, `~` between
    /// slashes, as it stands in playlists. Made if it is not there.
    pub directory: String,
    /// Codec and format.
    pub codec: CodecConfig,
    /// Ticks a second of all times. For audio it must be the sampling rate.
    pub timescale: Timescale,
    /// Number of the first segment. Default 1.
    pub first_segment_index: NonZeroU32,
    /// Decode time of the first sample, ticks. Default 0.
    pub first_base_decode_time: DecodeTime,
    /// Whether `init.mp4` is written, at the first cut. Default true; of several workers on one track one does.
    pub write_init: bool,
    /// The init segment that another worker wrote: what this one encodes must fit it. Codec and timescale are compared at the
    /// start, parameter sets with each packet, all else at the first cut. Only without `write_init`.
    pub published_init: Option<Vec<u8>>,
    /// Drop, and count, pictures in front of the first that decoding can start with, instead of refusing them.
    pub drop_leading: bool,
    /// What to do where parameter sets in the sample entry, or the format of the pictures, change: by default an error that names both
    /// places. Several workers on one track cannot start periods: this takes `write_init`.
    pub on_change: OnChange,
    /// Samples that a segment is expected to have: a hint for the room reserved for the header, 0 where nothing is known.
    pub expected_samples: u32,
    /// Bytes that a segment is expected to have: a hint for the space allocated at once, 0 where nothing is known.
    pub expected_bytes: u64,
    /// Samples of one channel at the start of an AAC track that prime the decoder and are not presented: 1024 for FFmpeg's encoder.
    /// Times count from the first sample all the same. Default 0; an error for other codecs.
    pub priming: u32,
    /// Language as a BCP 47 tag, such as `en` or `pt-BR`.
    pub language: Option<String>,
    /// What the track is for, in the DASH role scheme (`urn:mpeg:dash:role:2011`): `main`, `commentary` …
    pub role: Option<String>,
    /// Duration of the whole track as it is presented, without priming, for the init segment, where it is known in advance.
    pub duration: Option<Ticks>,
    /// Bit rates of the whole track for the init segment, where they are known in advance.
    pub bit_rate: Option<BitRate>,
    /// Whether segments get a content hash, for which their bytes are read once more. Default true.
    pub content_hash: bool,
    /// Never map the segment file: packets go through a buffer of their size. Default false. The bytes are the same.
    pub buffered: bool,
}

impl SegmenterConfig {
    /// A track in `directory` below `output` with every option at its default.
    pub fn new(
        output: impl Into<PathBuf>,
        directory: impl Into<String>,
        codec: CodecConfig,
        timescale: Timescale,
    ) -> Self {
        Self {
            output: output.into(),
            directory: directory.into(),
            codec,
            timescale,
            first_segment_index: NonZeroU32::MIN,
            first_base_decode_time: DecodeTime(0),
            write_init: true,
            published_init: None,
            drop_leading: false,
            on_change: OnChange::Error,
            expected_samples: 0,
            expected_bytes: 0,
            priming: 0,
            language: None,
            role: None,
            duration: None,
            bit_rate: None,
            content_hash: true,
            buffered: false,
        }
    }

    /// What its sample entry says; `None` for video.
    pub(super) fn audio(&self) -> Option<AudioConfiguration> {
        match &self.codec {
            CodecConfig::Aac(config) => Some(config.primed_configuration(self.priming)),
            codec => codec.audio(),
        }
    }
}

/// Codec of a track, and what is known of its format.
///
/// Packets of sound last as long as they say, and the duration given with each is checked; that of the track's last sample may be
/// less, which ends the sound within it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CodecConfig {
    /// H.264 in Annex B packets.
    Avc {
        /// `avc1`, or `avc3` with parameter sets in the segments.
        parameter_sets: ParameterSetPlacement,
        /// Parameter sets known in advance: NAL units without start codes.
        known_parameter_sets: Vec<Vec<u8>>,
        /// What is known of the pictures.
        video: VideoConfig,
    },
    /// H.265 in Annex B packets.
    Hevc {
        /// `hvc1`, or `hev1` with parameter sets in the segments.
        parameter_sets: ParameterSetPlacement,
        /// Parameter sets known in advance: NAL units without start codes.
        known_parameter_sets: Vec<Vec<u8>>,
        /// What is known of the pictures.
        video: VideoConfig,
    },
    /// AV1 in temporal units of low-overhead OBUs (AV1 5.2, Section 5). Packets in the length-delimited format of Annex B are refused.
    Av1 {
        /// What is known of the pictures.
        video: VideoConfig,
    },
    /// VP9 in frames or superframes.
    ///
    /// The level in `vpcC` is the least that size, and frame rate and bit rate where they are given, allow: hidden frames are not
    /// known in advance. Frames may change their size up to the largest of the first segment; a width and height given here
    /// are those of the first packet.
    Vp9 {
        /// What is known of the pictures.
        video: VideoConfig,
    },
    /// AAC in raw access units, without ADTS headers. Each lasts 1024 ticks.
    Aac(AacConfig),
    /// Opus in raw packets, without Ogg pages. Each lasts as many ticks as it has samples at 48 kHz.
    Opus(OpusConfig),
    /// AC-3: a syncframe a packet, which lasts 1536 ticks.
    Ac3(Ac3Config),
    /// E-AC-3 in access units: the syncframes of six blocks of each substream. Each lasts 1536 ticks.
    Eac3(Eac3Config),
    /// FLAC in frames; each lasts as many ticks as it has samples of one channel. Numbers in the frames may be any: workers on one
    /// rendition start each at their own.
    Flac(FlacConfig),
}

impl CodecConfig {
    /// H.264 as `avc1`, all else from the bitstream.
    pub fn avc() -> Self {
        Self::Avc {
            parameter_sets: ParameterSetPlacement::SampleEntry,
            known_parameter_sets: Vec::new(),
            video: VideoConfig::default(),
        }
    }

    /// H.265 as `hvc1`, all else from the bitstream.
    pub fn hevc() -> Self {
        Self::Hevc {
            parameter_sets: ParameterSetPlacement::SampleEntry,
            known_parameter_sets: Vec::new(),
            video: VideoConfig::default(),
        }
    }

    /// AV1, all else from the bitstream.
    pub fn av1() -> Self {
        Self::Av1 { video: VideoConfig::default() }
    }

    /// VP9, all else from the bitstream.
    pub fn vp9() -> Self {
        Self::Vp9 { video: VideoConfig::default() }
    }

    /// Type of the sample entry.
    pub(super) fn entry_type(&self) -> &'static [u8; 4] {
        match self {
            Self::Avc { parameter_sets, .. } => parameter_sets.avc_entry_type(),
            Self::Hevc { parameter_sets, .. } => parameter_sets.hevc_entry_type(),
            Self::Av1 { .. } => b"av01",
            Self::Vp9 { .. } => b"vp09",
            Self::Aac(_) => b"mp4a",
            Self::Opus(_) => b"Opus",
            Self::Ac3(_) => b"ac-3",
            Self::Eac3(_) => b"ec-3",
            Self::Flac(_) => b"fLaC",
        }
    }

    /// What its sample entry says; `None` for video.
    pub(super) fn audio(&self) -> Option<AudioConfiguration> {
        match self {
            Self::Aac(config) => Some(config.configuration()),
            Self::Opus(config) => Some(config.configuration()),
            Self::Ac3(config) => Some(config.configuration()),
            Self::Eac3(config) => Some(config.configuration()),
            Self::Flac(config) => Some(config.configuration()),
            _ => None,
        }
    }

    /// What is known of the pictures; `None` for audio.
    pub(super) fn video(&self) -> Option<&VideoConfig> {
        match self {
            Self::Avc { video, .. }
            | Self::Hevc { video, .. }
            | Self::Av1 { video }
            | Self::Vp9 { video } => Some(video),
            Self::Aac(_) | Self::Opus(_) | Self::Ac3(_) | Self::Eac3(_) | Self::Flac(_) => None,
        }
    }
}

/// What is known of the pictures beside the bitstream. Size, frame rate and colour are taken from there where they are absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VideoConfig {
    /// Luma samples a line after cropping; another in the bitstream is an error.
    pub width: Option<u16>,
    /// Lines after cropping; another in the bitstream is an error.
    pub height: Option<u16>,
    /// Frames per second, two fields counting as one: it proves the media profile, and stands in manifests. It is not used for
    /// times.
    pub frame_rate: Option<FrameRate>,
    /// Meaning of the sample values; wins over the bitstream's. Of AV1, another than in its sequence header is an error.
    pub colour: Option<Colour>,
    /// Colour volume of the mastering display, for `mdcv` (VP9: `SmDm`); wins over that of SEI messages, and over that of AV1 metadata in the first
    /// temporal unit.
    pub mastering_display: Option<MasteringDisplay>,
    /// Content light levels, for `clli` (VP9: `CoLL`), likewise.
    pub content_light: Option<ContentLight>,
}

/// Time of the samples in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleTiming {
    /// Duration of each, in ticks of the timescale, above 0.
    pub duration: u32,
    /// When the picture is shown.
    pub composition: Composition,
    /// What the caller knows of the sample: `Some(true)` for a sync sample. It is checked against the bitstream and never
    /// wins.
    pub sync: Option<bool>,
}

impl SampleTiming {
    /// `duration` ticks, presented in the order that the bitstream gives.
    pub const fn new(duration: u32) -> Self {
        Self { duration, composition: Composition::BitstreamOrder, sync: None }
    }

    /// The same, presented at `pts` ticks.
    #[must_use]
    pub const fn at(self, pts: i64) -> Self {
        Self { composition: Composition::PresentationTime(pts), ..self }
    }

    /// The same, presented `offset` ticks after it is decoded.
    #[must_use]
    pub const fn offset(self, offset: i32) -> Self {
        Self { composition: Composition::Offset(CompositionOffset(offset)), ..self }
    }

    /// The same, with what the caller knows of it.
    #[must_use]
    pub const fn sync(self, sync: bool) -> Self {
        Self { sync: Some(sync), ..self }
    }
}

/// How a sample's presentation time is told. One track is told it in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Composition {
    /// By the picture order counts in the bitstream.
    #[default]
    BitstreamOrder,
    /// Presentation time in ticks on a time line of the caller's: a constant bias against decode time is removed.
    PresentationTime(i64),
    /// Presentation minus decode time. The smallest presentation time of a segment must be its first decode time.
    Offset(CompositionOffset),
}
