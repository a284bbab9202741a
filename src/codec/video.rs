//! What the headers of a video track say together, whatever its codec.

use super::av1::Av1Configuration;
use super::h264::AvcConfiguration;
use super::h265::HevcConfiguration;
use super::vp9::Vp9Configuration;
use super::{BitstreamRate, Colour, ParameterSetPlacement, ScanType, VideoFormat};
use crate::error::Result;
use crate::time::FrameRate;

/// The configuration of a video track, by codec.
#[derive(Clone, Debug, PartialEq)]
pub enum VideoConfiguration {
    /// H.264.
    Avc(AvcConfiguration),
    /// H.265.
    Hevc(HevcConfiguration),
    /// AV1.
    Av1(Av1Configuration),
    /// VP9.
    Vp9(Vp9Configuration),
}

impl VideoConfiguration {
    /// RFC 6381 codec string.
    pub fn codec_string(&self) -> String {
        match self {
            Self::Avc(configuration) => configuration.codec_string(),
            Self::Hevc(configuration) => configuration.codec_string(),
            Self::Av1(configuration) => configuration.codec_string(),
            Self::Vp9(configuration) => configuration.codec_string(),
        }
    }

    /// Type of the sample entry.
    pub fn entry_type(&self) -> &'static str {
        match (self, self.placement()) {
            (Self::Avc(_), ParameterSetPlacement::SampleEntry) => "avc1",
            (Self::Avc(_), ParameterSetPlacement::InBand) => "avc3",
            (Self::Hevc(_), ParameterSetPlacement::SampleEntry) => "hvc1",
            (Self::Hevc(_), ParameterSetPlacement::InBand) => "hev1",
            (Self::Av1(_), _) => "av01",
            (Self::Vp9(_), _) => "vp09",
        }
    }

    /// Where its parameter sets are. AV1 and VP9 have none: what stands for them is in the sample entry and in the samples.
    pub fn placement(&self) -> ParameterSetPlacement {
        match self {
            Self::Avc(configuration) => configuration.placement(),
            Self::Hevc(configuration) => configuration.placement(),
            Self::Av1(_) | Self::Vp9(_) => ParameterSetPlacement::SampleEntry,
        }
    }

    /// The codec's configuration record: the body of `avcC`, `hvcC` or `av1C`, or of `vpcC` behind its version and
    /// flags.
    pub fn record(&self) -> Vec<u8> {
        match self {
            Self::Avc(configuration) => configuration.record(),
            Self::Hevc(configuration) => configuration.record(),
            Self::Av1(configuration) => configuration.record(),
            Self::Vp9(configuration) => configuration.record(),
        }
    }

    /// Size, sample shape and colour of the pictures.
    pub fn video_format(&self) -> VideoFormat {
        match self {
            Self::Avc(configuration) => configuration.video_format(),
            Self::Hevc(configuration) => configuration.video_format(),
            Self::Av1(configuration) => configuration.video_format(),
            Self::Vp9(configuration) => configuration.video_format(),
        }
    }

    /// [`Self::video_format`] as the bitstream says it, whatever [`Self::described`] put in its place.
    pub(crate) fn coded_format(&self) -> VideoFormat {
        match self {
            Self::Vp9(configuration) => configuration.clone().with_coded_colour().video_format(),
            other => other.video_format(),
        }
    }

    /// Whether a sample entry may say this colour, whatever the bitstream says. H.264 and H.265 have no rule, and that of the sample
    /// entry takes precedence (ISO/IEC 14496-12 12.1.5, not opened); VP9 says next to nothing of it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) for AV1 whose sequence header says another.
    pub(crate) fn check_colour(&self, given: Colour) -> Result<()> {
        match self {
            Self::Av1(configuration) => configuration.check_colour(given),
            Self::Avc(_) | Self::Hevc(_) | Self::Vp9(_) => Ok(()),
        }
    }

    /// Whether pictures are fields; `None` when that is not known.
    pub fn scan(&self) -> Option<ScanType> {
        match self {
            Self::Avc(configuration) => configuration.scan(),
            Self::Hevc(configuration) => configuration.scan(),
            // They code no fields.
            Self::Av1(_) | Self::Vp9(_) => Some(ScanType::Progressive),
        }
    }

    /// Frames per second by the bitstream's timing fields; `None` where it has none. Where [`Self::is_field_coded`] there are twice
    /// as many pictures.
    ///
    /// # Errors
    /// Where they contradict each other, or make no sense.
    pub fn bitstream_rate(&self) -> Result<Option<BitstreamRate>> {
        let pictures = match self {
            Self::Avc(configuration) => configuration.bitstream_rate(),
            Self::Hevc(configuration) => configuration.bitstream_rate(),
            Self::Av1(configuration) => configuration.bitstream_rate(),
            // It has no timing fields.
            Self::Vp9(_) => Ok(None),
        };
        let frames = |told: BitstreamRate| match self.is_field_coded() {
            true => told.rate.halved().map(|rate| BitstreamRate { rate, ..told }),
            false => Some(told),
        };
        Ok(pictures?.and_then(frames))
    }

    /// The same with what is known of the track beside its headers, which the configuration of VP9 tells: colour, and the rates
    /// that its level depends on.
    #[must_use]
    pub fn described(
        self,
        format: &VideoFormat,
        frame_rate: Option<FrameRate>,
        average_bit_rate: Option<u32>,
    ) -> Self {
        match self {
            Self::Vp9(configuration) => {
                Self::Vp9(configuration.with_format(format).with_rates(frame_rate, average_bit_rate))
            }
            other => other,
        }
    }

    /// Whether each field is a picture and a sample of its own (H.265 `field_seq_flag`), so that there are two a frame.
    pub fn is_field_coded(&self) -> bool {
        matches!(self, Self::Hevc(configuration) if configuration.is_field_coded())
    }
}

impl From<AvcConfiguration> for VideoConfiguration {
    fn from(configuration: AvcConfiguration) -> Self {
        Self::Avc(configuration)
    }
}

impl From<HevcConfiguration> for VideoConfiguration {
    fn from(configuration: HevcConfiguration) -> Self {
        Self::Hevc(configuration)
    }
}

impl From<Av1Configuration> for VideoConfiguration {
    fn from(configuration: Av1Configuration) -> Self {
        Self::Av1(configuration)
    }
}

impl From<Vp9Configuration> for VideoConfiguration {
    fn from(configuration: Vp9Configuration) -> Self {
        Self::Vp9(configuration)
    }
}
