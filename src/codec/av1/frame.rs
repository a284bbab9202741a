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

#[cfg(test)]
mod tests {
    use super::super::testing::{Frame, Sequence};
    use super::*;
    use crate::codec::h264::testing::BitWriter;

    const FRAME: ObuHeader = ObuHeader {
        kind: ObuKind::Frame,
        has_extension: false,
        temporal_id: 0,
        spatial_id: 0,
        size: None,
        len: 1,
    };
    const HEADER: ObuHeader = ObuHeader { kind: ObuKind::FrameHeader, ..FRAME };

    fn sequence(sequence: &Sequence) -> SequenceHeader {
        SequenceHeader::read(&sequence.payload()).unwrap()
    }

    fn coded(payload: &[u8], obu: &ObuHeader, sequence: &SequenceHeader) -> CodedFrame {
        match FrameHeader::read(payload, obu, sequence).unwrap() {
            FrameHeader::Coded(frame) => frame,
            FrameHeader::ShowExisting { slot } => panic!("shows slot {slot}"),
        }
    }

    #[test]
    fn types_are_told_apart_and_say_what_they_refresh() {
        let sequence = sequence(&Sequence::default());
        let facts = |frame: Frame| {
            let frame = coded(&frame.payload(), &FRAME, &sequence);
            (frame.frame_type, frame.show_frame, frame.showable_frame, frame.refresh_frame_flags)
        };
        assert_eq!(facts(Frame::key()), (FrameType::Key, true, false, 0xff));
        assert_eq!(
            facts(Frame { refresh: 0x10, ..Frame::key() }.hidden()),
            (FrameType::Key, false, true, 0x10)
        );
        assert_eq!(facts(Frame::inter(0x81)), (FrameType::Inter, true, true, 0x81));
        assert_eq!(facts(Frame { kind: 2, ..Frame::inter(3) }), (FrameType::IntraOnly, true, true, 3));
        assert_eq!(facts(Frame { kind: 3, ..Frame::inter(0) }), (FrameType::Switch, true, true, 0xff));
        let all = Frame { kind: 2, ..Frame::inter(0xff) }.payload();
        let error = FrameHeader::read(&all, &FRAME, &sequence).unwrap_err();
        assert!(error.to_string().contains("refresh_frame_flags is 255"), "{error}");
    }

    #[test]
    fn every_truncation_is_an_error() {
        let sequence = sequence(&Sequence::default());
        let rendered = Frame { render: Some((96, 48)), ..Frame::key() };
        for frame in [rendered, Frame::inter(3), Frame { kind: 2, ..Frame::inter(3) }] {
            let payload = frame.payload();
            assert!(FrameHeader::read(&payload, &FRAME, &sequence).is_ok());
            for len in 0..payload.len() - 1 {
                assert!(FrameHeader::read(&payload[..len], &FRAME, &sequence).is_err(), "{len}");
            }
        }
    }

    #[test]
    fn a_frame_is_shown_again_by_a_frame_header_alone() {
        let sequence = sequence(&Sequence::default());
        let payload = [0x80 | 5 << 4 | 8];
        assert_eq!(
            FrameHeader::read(&payload, &HEADER, &sequence).unwrap(),
            FrameHeader::ShowExisting { slot: 5 }
        );
        let error = FrameHeader::read(&payload, &FRAME, &sequence).unwrap_err();
        assert!(error.to_string().contains("show_existing_frame is 1, must be 0 in a frame OBU"), "{error}");
    }

    /// With frame ids of 15 bits, presentation times of 5 and removal times of 10 bits, and two operating points.
    fn modelled() -> SequenceHeader {
        sequence(&Sequence {
            timing: Some((1, 50, None)),
            decoder_model: Some((19, 9, 4)),
            points: vec![(0x103, 4, false, None), (0x101, 4, false, None)],
            frame_ids: Some((12, 0)),
            superres: true,
            ..Sequence::default()
        })
    }

    #[test]
    fn fields_that_the_sequence_header_asks_for_are_read_past() {
        let sequence = modelled();
        // 5.9.2 by hand, for a hidden key frame that is error resilient.
        let key = |temporal_id: u8| {
            let mut w = BitWriter::default();
            w.flag(false).u(0, 2).flag(false).flag(true); // show_existing_frame, KEY_FRAME, show_frame, showable_frame
            w.flag(true).flag(false); // error_resilient_mode, disable_cdf_update
            w.u(0x5555, 15).flag(true).u(3, 7); // current_frame_id, frame_size_override_flag, order_hint
            w.flag(true).u(0x2aa, 10); // buffer_removal_time_present_flag, the time of point 0
            if temporal_id == 0 {
                w.u(0x155, 10); // point 1 has no temporal layer 1
            }
            w.u(0x0f, 8); // refresh_frame_flags
            for slot in 0..8 {
                w.u(slot, 7); // ref_order_hint
            }
            w.u(31, 16).u(23, 16).flag(true).u(4, 3); // 32x24, use_superres, coded_denom
            w.flag(true).u(99, 16).u(49, 16); // rendered at 100x50
            w.finish_obu()
        };
        for temporal_id in [0, 1] {
            let frame = coded(&key(temporal_id), &ObuHeader { temporal_id, ..FRAME }, &sequence);
            let size = FrameSize { width: 32, height: 24, render_width: 100, render_height: 50 };
            assert_eq!((frame.refresh_frame_flags, frame.size), (0x0f, Some(size)));
        }
    }

    #[test]
    fn presentation_times_stand_where_a_frame_is_shown() {
        let sequence = modelled();
        let mut w = BitWriter::default();
        w.flag(false).u(1, 2).flag(true).u(17, 5); // shown inter frame, frame_presentation_time
        w.flag(false).flag(false).u(1, 15).flag(false).u(9, 7); // …, current_frame_id, …, order_hint
        w.u(2, 3).flag(false).u(0xa5, 8); // primary_ref_frame, no removal times, refresh_frame_flags
        assert_eq!(coded(&w.finish_obu(), &FRAME, &sequence).refresh_frame_flags, 0xa5);
        let mut w = BitWriter::default();
        w.flag(true).u(6, 3).u(17, 5).u(1, 15); // shown again: frame_presentation_time, display_frame_id
        let again = w.finish_obu();
        let read = |payload| FrameHeader::read(payload, &HEADER, &sequence);
        assert_eq!(read(&again[..]).unwrap(), FrameHeader::ShowExisting { slot: 6 });
        assert!(read(&again[..2]).unwrap_err().to_string().contains("display_frame_id"));
    }

    #[test]
    fn a_still_picture_is_one_shown_key_frame() {
        let still = sequence(&Sequence { still: (true, true), ..Sequence::default() });
        let mut w = BitWriter::default();
        w.flag(false).flag(true).flag(false).flag(false); // disable_cdf_update, screen content, integer mv, render size
        let frame = coded(&w.finish_obu(), &FRAME, &still);
        assert_eq!(
            (frame.frame_type, frame.show_frame, frame.refresh_frame_flags),
            (FrameType::Key, true, 0xff)
        );
        assert_eq!(frame.size.map(|size| (size.render_width, size.render_height)), Some((64, 48)));
    }

    #[test]
    fn a_frame_larger_than_the_sequence_header_says_is_refused() {
        let sequence = sequence(&Sequence::default());
        let mut w = BitWriter::default();
        w.flag(false).u(0, 2).flag(true).flag(false).flag(true).u(0, 7).u(64, 16).u(0, 16).flag(false);
        let error = FrameHeader::read(&w.finish_obu(), &FRAME, &sequence).unwrap_err();
        assert!(error.to_string().contains("a frame is 65x1, larger than the 64x48"), "{error}");
    }
}
