//! What a sequence parameter set of H.264 or H.265 says of the pictures, which a sample entry describes one format of:
//! size, cropping, sample format, shape and colour.

use super::{Colour, SampleAspectRatio, VideoFormat};
use crate::error::{Error, Result};

/// Chroma sampling and bit depths (H.264 7.4.2.1.1, H.265 7.4.3.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChromaFormat {
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub idc: u8,
    /// `separate_colour_plane_flag`.
    pub separate_colour_planes: bool,
    /// Bits of a luma sample: 8..=14 in H.264, 8..=16 in H.265.
    pub luma_bits: u8,
    /// Bits of a chroma sample, in the same range.
    pub chroma_bits: u8,
}

impl ChromaFormat {
    /// `ChromaArrayType`: 0 where there is no chroma or each plane is coded on its own.
    pub const fn array_type(self) -> u8 {
        if self.separate_colour_planes { 0 } else { self.idc }
    }

    /// Luma samples across and down that go with one of chroma: `CropUnitX` and `CropUnitY` for frames only (H.264
    /// equations 7-19 to 7-22), `SubWidthC` and `SubHeightC` (H.265 Table 6-1).
    pub(super) const fn crop_unit(self) -> (u64, u64) {
        match self.idc {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        }
    }
}

/// A sequence parameter set of either codec.
pub(crate) trait SequenceSet {
    /// Its id.
    fn id(&self) -> u8;

    /// What it says of the pictures.
    fn picture_format(&self) -> PictureFormat;
}

/// What the sample entry describes, and all pictures of a track have alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PictureFormat {
    /// Luma samples across and down, before cropping.
    pub(super) coded_size: (u16, u16),
    /// Luma samples cut off on the left, right, top and bottom; something remains.
    pub(super) crop: [u16; 4],
    pub(super) chroma: ChromaFormat,
    pub(super) sample_aspect_ratio: Option<SampleAspectRatio>,
    pub(super) colour: Option<Colour>,
    /// Every picture is a field (H.265 `field_seq_flag`).
    pub(super) field_seq: bool,
}

impl PictureFormat {
    /// Luma samples across and down that are shown.
    pub(crate) fn cropped_size(&self) -> (u16, u16) {
        let ((width, height), [left, right, top, bottom]) = (self.coded_size, self.crop);
        (width - left - right, height - top - bottom)
    }

    /// Size, sample shape and colour of the pictures as shown. Light levels are in SEI messages, if anywhere.
    pub(super) fn video_format(&self) -> VideoFormat {
        let (width, height) = self.cropped_size();
        VideoFormat {
            sample_aspect_ratio: self.sample_aspect_ratio,
            colour: self.colour,
            ..VideoFormat::of_size(width, height)
        }
    }

    /// What of pictures of `next` does not fit the sample entry made for those of this.
    pub(super) fn difference(&self, next: &Self) -> Option<String> {
        let size = |format: &Self| {
            let ((coded_width, coded_height), (width, height)) = (format.coded_size, format.cropped_size());
            format!("{width}x{height} (coded {coded_width}x{coded_height})")
        };
        let what = if (self.coded_size, self.crop) != (next.coded_size, next.crop) {
            format!("the resolution changes from {} to {}", size(self), size(next))
        } else if self.chroma != next.chroma {
            format!("the sample format changes from {:?} to {:?}", self.chroma, next.chroma)
        } else if self.sample_aspect_ratio != next.sample_aspect_ratio {
            "the sample aspect ratio changes".to_owned()
        } else if self.colour != next.colour {
            "the colour description changes".to_owned()
        } else if self.field_seq != next.field_seq {
            "the coding changes between frames and fields".to_owned()
        } else {
            return None;
        };
        Some(what)
    }
}

/// The sample format of `first` and of all `sets`.
///
/// # Errors
/// Where they differ: the configuration record has room for one.
pub(super) fn common_chroma<'a, S: SequenceSet + 'a>(
    first: &S,
    mut sets: impl Iterator<Item = &'a S>,
) -> Result<ChromaFormat> {
    let chroma = first.picture_format().chroma;
    match sets.find(|sps| sps.picture_format().chroma != chroma) {
        None => Ok(chroma),
        Some(other) => Err(Error::unsupported(
            format!(
                "sequence parameter sets {} and {} have different sample formats, and one configuration record \
                 holds one",
                first.id(),
                other.id()
            ),
            "remove the set that no picture uses",
        )),
    }
}

/// Left, right, top and bottom in luma samples of a cropping `window` in steps of `unit`.
///
/// # Errors
/// Where nothing of `width` and `height` remains, against the codec's `clause`.
pub(super) fn crop(
    window: [u32; 4],
    (width, height): (u16, u16),
    unit: (u64, u64),
    clause: &'static str,
) -> Result<[u16; 4]> {
    let [left, right, top, bottom] = window.map(u64::from);
    let [left, right, top, bottom] = [left * unit.0, right * unit.0, top * unit.1, bottom * unit.1];
    if left + right >= u64::from(width) || top + bottom >= u64::from(height) {
        let what = format!(
            "cropping takes {left} + {right} of {width} columns and {top} + {bottom} of {height} lines, nothing remains"
        );
        return Err(Error::malformed(what, clause, "the parameter set is damaged"));
    }
    let fits = |samples: u64| u16::try_from(samples).expect("less than a side, which fits 16 bits");
    Ok([left, right, top, bottom].map(fits))
}
