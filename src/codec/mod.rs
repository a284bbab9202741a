//! Codecs, one a module: headers ► configuration record, codec string, and the facts about a picture or frame that
//! the rest needs (is it a sync sample, where is it in presentation order). No module here knows of files or boxes.

pub mod aac;
pub mod ac3;
mod audio;
pub mod av1;
pub(crate) mod colour_text;
pub mod eac3;
pub mod flac;
pub mod h264;
pub mod h265;
pub mod opus;
pub(crate) mod parameter_sets;
pub(crate) mod picture_format;
pub(crate) mod record;
pub mod sei;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing builds fewer streams than tests"))]
pub(crate) mod testing;
mod video;
pub mod vp9;

pub use audio::{AudioCodec, AudioConfiguration, DolbyChannels};
pub use parameter_sets::{ParameterSetPlacement, ParameterSetStore};
pub use video::VideoConfiguration;

use std::fmt;

use crate::error::{Error, Result};
use crate::time::{FrameRate, gcd};
use sei::HdrMetadata;

/// Where a picture stands in presentation order, as its bitstream says it.
///
/// Counts order the pictures of one epoch and mean nothing across epochs; gaps between them create no time. Every
/// picture of an epoch is presented before every picture of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PictureOrder {
    /// Picture order count: only its rank within the epoch counts.
    pub count: i32,
    /// The picture starts an epoch: an IDR picture, or one that resets the counts (H.264
    /// `memory_management_control_operation` 5; H.265 `NoRaslOutputFlag` 1).
    pub epoch_start: bool,
}

impl PictureOrder {
    /// The order of a frame from those of its two fields, in decoding order: the smaller count (H.264 8.2.1,
    /// `PicOrderCnt` of a complementary field pair), and the epoch that the first field is of. A second field never starts
    /// one: with an IDR picture or operation 5 in it, it is not of the same frame.
    pub fn of_pair(first: Self, second: Self) -> Self {
        debug_assert!(!second.epoch_start, "a second field is neither IDR nor resets the counts");
        Self { count: first.count.min(second.count), epoch_start: first.epoch_start }
    }
}

/// How decoding may start at a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RandomAccess {
    /// Decoding starts there, and every picture behind it is decodable: a sync sample (SAP type 1 or 2).
    Sync,
    /// A CRA picture of H.265: a sync sample unless RASL pictures follow it, which lean on pictures in front of it.
    UnlessRaslFollows,
    /// A RASL picture of H.265, or one that ought to be called so: not decodable where decoding starts at its CRA picture.
    Rasl,
    /// Decoding does not start there.
    #[default]
    No,
}

impl RandomAccess {
    /// Whether it is a sync sample as long as no RASL picture has followed.
    pub const fn may_start(self) -> bool {
        matches!(self, Self::Sync | Self::UnlessRaslFollows)
    }
}

/// What a video bitstream says about its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// Luma samples a line, after cropping.
    pub width: u16,
    /// Lines, after cropping.
    pub height: u16,
    /// Shape of a sample; `None` when the bitstream does not say.
    pub sample_aspect_ratio: Option<SampleAspectRatio>,
    /// Meaning of the sample values; `None` when the bitstream does not say.
    pub colour: Option<Colour>,
    /// Colour volume of the mastering display, where it is known.
    pub mastering_display: Option<MasteringDisplay>,
    /// Content light levels, where they are known.
    pub content_light: Option<ContentLight>,
    /// `preferred_transfer_characteristics` of an alternative transfer characteristics SEI message (H.264 D.2.33,
    /// H.265 D.3.38), such as 18 for HLG pictures that are coded for players of standard range; `None` without one.
    pub preferred_transfer: Option<u8>,
}

impl VideoFormat {
    /// Pictures of this size, of which nothing else is known.
    pub const fn of_size(width: u16, height: u16) -> Self {
        Self {
            width,
            height,
            sample_aspect_ratio: None,
            colour: None,
            mastering_display: None,
            content_light: None,
            preferred_transfer: None,
        }
    }

    /// The same with what SEI messages say.
    pub(crate) fn with_hdr(self, hdr: &HdrMetadata) -> Self {
        Self {
            mastering_display: hdr.mastering_display,
            content_light: hdr.content_light,
            preferred_transfer: hdr.preferred_transfer,
            ..self
        }
    }

    /// How bright the pictures are meant, by `transfer_characteristics`: 16 is PQ, 18 HLG, anything else and the unknown is
    /// standard. Where SEI messages prefer other ones, the video is encoded with those, and what its parameter sets say is what
    /// older decoders may take it for (H.265 D.3.38, not opened), so they decide; 2, "unspecified", does not.
    pub fn video_range(&self) -> VideoRange {
        let told = self.preferred_transfer.filter(|&transfer| transfer != 2);
        match told.or(self.colour.map(|colour| colour.transfer)) {
            Some(16) => VideoRange::Pq,
            Some(18) => VideoRange::Hlg,
            _ => VideoRange::Sdr,
        }
    }

    /// Size of the picture as shown, in square pixels: the width stretched by the sample aspect ratio, to nearest.
    pub fn display_size(&self) -> (u32, u32) {
        let width = u64::from(self.width);
        let shown = match self.sample_aspect_ratio {
            Some(SampleAspectRatio { horizontal, vertical }) => {
                let (h, v) = (u64::from(horizontal), u64::from(vertical));
                (2 * width * h + v) / (2 * v)
            }
            None => width,
        };
        // A 16-bit width times a 16-bit ratio stays within 32 bits.
        (u32::try_from(shown).unwrap_or(u32::MAX), u32::from(self.height))
    }
}

/// Dynamic range of pictures. Printed as HLS has it (`VIDEO-RANGE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoRange {
    /// Standard.
    Sdr,
    /// Hybrid log-gamma.
    Hlg,
    /// Perceptual quantization.
    Pq,
}

impl fmt::Display for VideoRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sdr => "SDR",
            Self::Hlg => "HLG",
            Self::Pq => "PQ",
        })
    }
}

/// How the pictures of a track were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScanType {
    /// Whole pictures.
    Progressive,
    /// Fields, each of every other line.
    Interlaced,
}

/// Width to height of a sample (H.264 E.2.1 `sar_width`, `sar_height`); both above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleAspectRatio {
    /// Relative width.
    pub horizontal: u16,
    /// Relative height.
    pub vertical: u16,
}

impl SampleAspectRatio {
    /// That of pictures which are coded in one size and to be shown in another, each width and height, reduced; where a number
    /// passes 16 bits both lose their last bits. `None` where samples are square.
    fn of_render_size(
        (width, height): (u32, u32),
        (render_width, render_height): (u32, u32),
    ) -> Option<Self> {
        let mut horizontal = u64::from(render_width) * u64::from(height);
        let mut vertical = u64::from(width) * u64::from(render_height);
        if horizontal == vertical {
            return None;
        }
        let divisor = gcd(horizontal, vertical).max(1);
        (horizontal, vertical) = (horizontal / divisor, vertical / divisor);
        while horizontal.max(vertical) > u64::from(u16::MAX) {
            (horizontal, vertical) = (horizontal >> 1, vertical >> 1);
        }
        let side = |value: u64| u16::try_from(value.max(1)).expect("shifted to 16 bits");
        Some(Self { horizontal: side(horizontal), vertical: side(vertical) })
    }
}

/// Coding-independent code points (ITU-T H.273), as in VUI and in the `nclx` colour box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// `colour_primaries`.
    pub primaries: u8,
    /// `transfer_characteristics`.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
    /// `video_full_range_flag`.
    pub full_range: bool,
}

/// Colour volume of the display that content was mastered on (SMPTE ST 2086), in the units of `mdcv`
/// (ISO/IEC 14496-12) and of H.264 D.2.29.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasteringDisplay {
    /// CIE 1931 x and y of green, blue and red, in this order, in steps of 0.00002: 0..=50000.
    pub primaries: [(u16, u16); 3],
    /// CIE 1931 x and y of white, in steps of 0.00002: 0..=50000.
    pub white_point: (u16, u16),
    /// Highest luminance in steps of 0.0001 cd/m².
    pub max_luminance: u32,
    /// Lowest luminance in steps of 0.0001 cd/m².
    pub min_luminance: u32,
}

/// Light levels of content (CTA-861.3), for `clli`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentLight {
    /// `max_content_light_level`, cd/m²; 0 where it is not known.
    pub max_content: u16,
    /// `max_pic_average_light_level`, cd/m²; 0 where it is not known.
    pub max_picture_average: u16,
}

/// Frame rate that the bitstream's timing fields give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitstreamRate {
    /// The rate.
    pub rate: FrameRate,
    /// `fixed_frame_rate_flag`: 0 is what x264 writes for constant rates too, and worth a notice.
    pub fixed: bool,
}

impl BitstreamRate {
    /// The rate of a track whose `sets`, so called, have these timings: `rate` is what one says, `is_fixed` whether every
    /// picture lasts as long. `None` where none has any.
    ///
    /// # Errors
    /// Where a timing gives no rate, or they give several: the caller has to say.
    fn agreed<T>(
        sets: &str,
        timings: &[Option<T>],
        rate: impl Fn(&T) -> Result<FrameRate>,
        is_fixed: impl Fn(&T) -> bool,
    ) -> Result<Option<Self>> {
        let mut rates = timings.iter().map(|timing| timing.as_ref().map(&rate).transpose());
        let Some(first) = rates.next().transpose()? else { return Ok(None) };
        for other in rates {
            let other = other?;
            if other != first {
                let say =
                    |rate: Option<FrameRate>| rate.map_or("nothing".to_owned(), |rate| rate.to_string());
                let (first, other) = (say(first), say(other));
                return Err(Error::conflict(
                    format!("{sets} disagree on the frame rate: one says {first}, another {other}"),
                    RATE_REMEDY,
                ));
            }
        }
        let fixed = timings.iter().flatten().all(is_fixed);
        Ok(first.map(|rate| Self { rate, fixed }))
    }
}

/// What to do about timing fields that give no rate.
const RATE_REMEDY: &str = "give the frame rate (fps=)";

/// `time_scale / units` a second; `say` is what gives it, in the words of an error.
///
/// # Errors
/// For a rate of zero or above [`FrameRate::MAX`], against the codec's `clause`.
fn timed_rate(
    time_scale: u32,
    units: u64,
    clause: &'static str,
    say: impl FnOnce() -> String,
) -> Result<FrameRate> {
    FrameRate::new(u64::from(time_scale), units).ok_or_else(|| {
        let what = format!("{} a second, which is not above 0 and up to {}", say(), FrameRate::MAX);
        Error::malformed(what, clause, RATE_REMEDY)
    })
}
