//! Sequence header ► `AV1CodecConfigurationRecord` (the body of `av1C`, AV1-ISOBMFF 2.3), codec string (AV1-ISOBMFF 5),
//! picture format, frame rate.

use std::sync::Arc;

use crate::codec::{BitstreamRate, SampleAspectRatio, VideoFormat};
use crate::error::Result;
use crate::time::gcd;

use super::obu::write_size;
use super::{ColorConfig, FrameSize, OperatingPoint, SequenceHeader};

/// What the sample entry says of an AV1 track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Av1Configuration {
    sequence: Arc<SequenceHeader>,
    /// Payload of the sequence header OBU.
    payload: Arc<[u8]>,
    /// Size of the frame that the track starts with.
    first_frame: Option<FrameSize>,
}

impl Av1Configuration {
    /// The configuration of a track whose one sequence header has this payload, and that starts with a frame of this
    /// size where it is known.
    pub fn read(payload: &[u8], first_frame: Option<FrameSize>) -> Result<Self> {
        let sequence = SequenceHeader::read(payload)?;
        Ok(Self::new(Arc::new(sequence), payload.into(), first_frame))
    }

    pub(crate) fn new(
        sequence: Arc<SequenceHeader>,
        payload: Arc<[u8]>,
        first_frame: Option<FrameSize>,
    ) -> Self {
        Self { sequence, payload, first_frame }
    }

    /// The `AV1CodecConfigurationRecord`; its `configOBUs` are the sequence header alone, with a size field.
    ///
    /// `initial_presentation_delay_present` is 0: the delay counts samples and follows from a decoder model of the whole
    /// track (AV1-ISOBMFF 2.3.4), which `initial_display_delay_minus_1` of the sequence header does not tell.
    pub fn record(&self) -> Vec<u8> {
        let (color, point) = (self.color(), self.operating_point());
        let mut record = vec![
            1 << 7 | 1,                                   // marker, version
            self.sequence.profile << 5 | point.level_idx, // seq_profile, seq_level_idx_0
            u8::from(point.high_tier) << 7                   // seq_tier_0
                | u8::from(color.bit_depth > 8) << 6         // high_bitdepth
                | u8::from(color.bit_depth == 12) << 5       // twelve_bit
                | u8::from(color.mono_chrome) << 4           // monochrome
                | u8::from(color.subsampling_x) << 3         // chroma_subsampling_x
                | u8::from(color.subsampling_y) << 2         // chroma_subsampling_y
                | color.chroma_sample_position, // chroma_sample_position
            0, // reserved, initial_presentation_delay_present, reserved
        ];
        const SEQUENCE_HEADER_WITH_SIZE: u8 = 1 << 3 | 1 << 1;
        record.push(SEQUENCE_HEADER_WITH_SIZE);
        let size = u32::try_from(self.payload.len())
            .expect("the header was read whole, from an OBU of a 32-bit size");
        write_size(&mut record, size);
        record.extend(&self.payload[..]);
        record
    }

    /// The `codecs` parameter: `av01.P.LLT.DD`, and `.M.CCC.cp.tc.mc.F` where that part is not its default
    /// `.0.110.01.01.01.0`. Colour that the sequence header does not describe is given as the default.
    pub fn codec_string(&self) -> String {
        const DEFAULTS: &str = ".0.110.01.01.01.0";
        let (color, point) = (self.color(), self.operating_point());
        let tier = if point.high_tier { 'H' } else { 'M' };
        let (primaries, transfer, matrix) =
            color.description.map_or((1, 1, 1), |c| (c.primaries, c.transfer, c.matrix));
        let optional = format!(
            ".{}.{}{}{}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
            u8::from(color.mono_chrome),
            u8::from(color.subsampling_x),
            u8::from(color.subsampling_y),
            color.chroma_sample_position,
            u8::from(color.full_range),
        );
        let optional = if optional == DEFAULTS { "" } else { &optional };
        let (profile, level, depth) = (self.sequence.profile, point.level_idx, color.bit_depth);
        format!("av01.{profile}.{level:02}{tier}.{depth:02}{optional}")
    }

    /// Size, sample shape and colour of the pictures. The size is that of the largest frame that the sequence header
    /// allows, and the sample shape stretches it to that which the first frame is to be rendered at (AV1-ISOBMFF 2.2.4):
    /// `None` where that changes no proportion.
    pub fn video_format(&self) -> VideoFormat {
        let (width, height) = (self.sequence.max_frame_width, self.sequence.max_frame_height);
        VideoFormat {
            width,
            height,
            sample_aspect_ratio: self
                .first_frame
                .and_then(|frame| sample_aspect_ratio((width, height), frame)),
            colour: self.color().description,
            // In metadata OBUs, if anywhere.
            mastering_display: None,
            content_light: None,
        }
    }

    /// The frame rate that the timing info gives for pictures at equal intervals; `None` where it gives none. One that
    /// cannot be is an error: the caller has to say.
    pub fn bitstream_rate(&self) -> Result<Option<BitstreamRate>> {
        self.sequence.bitstream_rate()
    }

    /// The sequence header.
    pub fn sequence(&self) -> &SequenceHeader {
        &self.sequence
    }

    fn color(&self) -> &ColorConfig {
        &self.sequence.color
    }

    /// The preferred operating point: there is at least one.
    fn operating_point(&self) -> OperatingPoint {
        self.sequence.operating_points[0]
    }
}

/// `RenderWidth × max height : max width × RenderHeight`, reduced; where a number passes 16 bits both lose their last
/// bits.
fn sample_aspect_ratio((width, height): (u16, u16), frame: FrameSize) -> Option<SampleAspectRatio> {
    let mut horizontal = u64::from(frame.render_width) * u64::from(height);
    let mut vertical = u64::from(width) * u64::from(frame.render_height);
    if horizontal == vertical {
        return None;
    }
    let divisor = gcd(horizontal, vertical).max(1);
    (horizontal, vertical) = (horizontal / divisor, vertical / divisor);
    while horizontal.max(vertical) > u64::from(u16::MAX) {
        (horizontal, vertical) = (horizontal >> 1, vertical >> 1);
    }
    let side = |value: u64| u16::try_from(value.max(1)).expect("shifted to 16 bits");
    Some(SampleAspectRatio { horizontal: side(horizontal), vertical: side(vertical) })
}
