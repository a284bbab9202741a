//! Start of a frame header (AV1 5.9.2, in frame header and frame OBUs) ► whether the frame is shown, what it needs and
//! which reference slots it fills. Of intra frames the size is read too; nothing behind it.

use crate::bits::BitReader;
use crate::error::{Error, Result};

use super::{ObuHeader, ObuKind, SequenceHeader, u_u8};

/// `frame_type` (6.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// 0: needs no other frame; shown, it resets all state.
    Key,
    /// 1: needs other frames.
    Inter,
    /// 2: needs no other frame, and leaves at least one reference slot as it is.
    IntraOnly,
    /// 3: needs other frames, and fills every reference slot.
    Switch,
}

impl FrameType {
    /// `FrameIsIntra`.
    pub const fn is_intra(self) -> bool {
        matches!(self, Self::Key | Self::IntraOnly)
    }
}

/// A frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameHeader {
    /// `show_existing_frame`: a frame that was decoded before is shown. A key frame then fills every reference slot.
    ShowExisting {
        /// `frame_to_show_map_idx`, 0..=7: its reference slot.
        slot: u8,
    },
    /// A frame to decode.
    Coded(CodedFrame),
}

/// What the header of a frame to decode says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodedFrame {
    /// `frame_type`.
    pub frame_type: FrameType,
    /// `show_frame`: it is shown at once.
    pub show_frame: bool,
    /// `showable_frame`: it may be shown later.
    pub showable_frame: bool,
    /// `refresh_frame_flags`: the reference slots that it fills, slot 0 the lowest bit. With none, no frame needs it.
    pub refresh_frame_flags: u8,
    /// Its size; `None` for frames that may take it from others.
    pub size: Option<FrameSize>,
}

/// Size of a frame (5.9.5, 5.9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSize {
    /// `UpscaledWidth`.
    pub width: u32,
    /// `FrameHeight`.
    pub height: u32,
    /// `RenderWidth`.
    pub render_width: u32,
    /// `RenderHeight`.
    pub render_height: u32,
}

const ALL_FRAMES: u8 = 0xff;

impl FrameHeader {
    /// Reads the header at the start of `payload`, of an OBU with this header. Offsets of errors count from the payload.
    pub fn read(payload: &[u8], obu: &ObuHeader, sequence: &SequenceHeader) -> Result<Self> {
        let mut r = BitReader::without_emulation_prevention(payload, "AV1 5.9.2");
        if sequence.reduced_still_picture_header {
            return CodedFrame::read_rest(&mut r, obu, sequence, FrameType::Key, (true, false), true)
                .map(Self::Coded);
        }
        if r.flag("show_existing_frame")? {
            if obu.kind == ObuKind::Frame {
                let rule = "0 in a frame OBU";
                return Err(Error::out_of_range("show_existing_frame", 1, rule, "AV1 6.8.2").at(0));
            }
            let slot = u_u8(&mut r, 3, "frame_to_show_map_idx")?;
            read_temporal_point_info(&mut r, sequence)?;
            if let Some(ids) = sequence.frame_ids {
                r.u(ids.id, "display_frame_id")?;
            }
            return Ok(Self::ShowExisting { slot });
        }
        let frame_type = match u_u8(&mut r, 2, "frame_type")? {
            0 => FrameType::Key,
            1 => FrameType::Inter,
            2 => FrameType::IntraOnly,
            _ => FrameType::Switch,
        };
        let show_frame = r.flag("show_frame")?;
        let showable_frame = if show_frame {
            read_temporal_point_info(&mut r, sequence)?;
            frame_type != FrameType::Key
        } else {
            r.flag("showable_frame")?
        };
        let resets = frame_type == FrameType::Switch || (frame_type == FrameType::Key && show_frame);
        let error_resilient_mode = resets || r.flag("error_resilient_mode")?;
        let shown = (show_frame, showable_frame);
        CodedFrame::read_rest(&mut r, obu, sequence, frame_type, shown, error_resilient_mode).map(Self::Coded)
    }
}

/// `temporal_point_info()` (5.9.31) where the sequence header asks for it.
fn read_temporal_point_info(r: &mut BitReader<'_>, sequence: &SequenceHeader) -> Result<()> {
    let equal_picture_interval = sequence.timing.is_some_and(|timing| timing.num_ticks_per_picture.is_some());
    if let Some(model) = sequence.decoder_model
        && !equal_picture_interval
    {
        r.u(model.frame_presentation_time_length, "frame_presentation_time")?;
    }
    Ok(())
}

impl CodedFrame {
    /// From `disable_cdf_update` on.
    fn read_rest(
        r: &mut BitReader<'_>,
        obu: &ObuHeader,
        sequence: &SequenceHeader,
        frame_type: FrameType,
        (show_frame, showable_frame): (bool, bool),
        error_resilient_mode: bool,
    ) -> Result<Self> {
        r.flag("disable_cdf_update")?;
        let allow_screen_content_tools = match sequence.force_screen_content_tools {
            Some(forced) => forced,
            None => r.flag("allow_screen_content_tools")?,
        };
        if allow_screen_content_tools && sequence.force_integer_mv.is_none() {
            r.flag("force_integer_mv")?;
        }
        if let Some(ids) = sequence.frame_ids {
            r.u(ids.id, "current_frame_id")?;
        }
        let frame_size_override_flag = match frame_type {
            FrameType::Switch => true,
            _ if sequence.reduced_still_picture_header => false,
            _ => r.flag("frame_size_override_flag")?,
        };
        r.u(sequence.order_hint_bits, "order_hint")?;
        if !frame_type.is_intra() && !error_resilient_mode {
            r.u(3, "primary_ref_frame")?;
        }
        read_buffer_removal_times(r, obu, sequence)?;
        let refresh_frame_flags =
            if frame_type == FrameType::Switch || (frame_type == FrameType::Key && show_frame) {
                ALL_FRAMES
            } else {
                let at = r.byte_offset();
                let flags = u_u8(r, 8, "refresh_frame_flags")?;
                if frame_type == FrameType::IntraOnly && flags == ALL_FRAMES {
                    let rule = "less than 255 in an intra-only frame";
                    return Err(Error::out_of_range("refresh_frame_flags", flags, rule, "AV1 6.8.2").at(at));
                }
                flags
            };
        let some_frames_stay = !frame_type.is_intra() || refresh_frame_flags != ALL_FRAMES;
        if some_frames_stay && error_resilient_mode && sequence.order_hint_bits > 0 {
            for _ in 0..8 {
                r.u(sequence.order_hint_bits, "ref_order_hint")?;
            }
        }
        let size = match frame_type.is_intra() {
            true => Some(FrameSize::read(r, sequence, frame_size_override_flag)?),
            false => None,
        };
        Ok(Self { frame_type, show_frame, showable_frame, refresh_frame_flags, size })
    }
}

fn read_buffer_removal_times(
    r: &mut BitReader<'_>,
    obu: &ObuHeader,
    sequence: &SequenceHeader,
) -> Result<()> {
    let Some(model) = sequence.decoder_model else { return Ok(()) };
    if r.flag("buffer_removal_time_present_flag")? {
        for point in &sequence.operating_points {
            if point.decoder_model_present && point.includes(obu.temporal_id, obu.spatial_id) {
                r.u(model.buffer_removal_time_length, "buffer_removal_time")?;
            }
        }
    }
    Ok(())
}

impl FrameSize {
    /// `frame_size()` and `render_size()` (5.9.5, 5.9.8, 5.9.6). A frame larger than the sequence header allows is an
    /// error (6.8.4).
    fn read(r: &mut BitReader<'_>, sequence: &SequenceHeader, overridden: bool) -> Result<Self> {
        let (max_width, max_height) =
            (u32::from(sequence.max_frame_width), u32::from(sequence.max_frame_height));
        let (mut width, mut height) = (max_width, max_height);
        if overridden {
            let at = r.byte_offset();
            width = 1 + r.u(sequence.frame_width_bits, "frame_width_minus_1")?;
            height = 1 + r.u(sequence.frame_height_bits, "frame_height_minus_1")?;
            if width > max_width || height > max_height {
                let what = format!(
                    "a frame is {width}x{height}, larger than the {max_width}x{max_height} of the sequence header"
                );
                return Err(Error::malformed(what, "AV1 6.8.4", "the stream is damaged here").at(at));
            }
        }
        if sequence.enable_superres && r.flag("use_superres")? {
            r.u(3, "coded_denom")?;
        }
        let (mut render_width, mut render_height) = (width, height);
        if r.flag("render_and_frame_size_different")? {
            render_width = 1 + r.u(16, "render_width_minus_1")?;
            render_height = 1 + r.u(16, "render_height_minus_1")?;
        }
        Ok(Self { width, height, render_width, render_height })
    }
}
