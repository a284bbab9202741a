//! Uncompressed header of a frame (VP9 6.2) ► whether it is shown, what it needs, which reference slots it fills, and its size
//! and format where it tells them. It is read to its end, so that a header that is cut off is found.

use crate::bits::BitReader;
use crate::error::{Error, Result};

const CLAUSE: &str = "VP9 6.2";
const REMEDY: &str = "the stream is damaged here";

/// Bytes of a frame that hold its whole uncompressed header, whatever stands in it.
pub const HEAD_LEN: usize = 128;

/// Width and height in samples, each 1 to 65536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSize {
    /// Luma samples a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Pixels a line as the frame is to be shown.
    pub render_width: u32,
    /// Lines as it is to be shown.
    pub render_height: u32,
}

/// `color_config()` (6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColorConfig {
    /// 8, 10 or 12 bits a sample.
    pub bit_depth: u8,
    /// `color_space`: 0 unknown, 1 BT.601, 2 BT.709, 3 SMPTE 170, 4 SMPTE 240, 5 BT.2020, 7 RGB.
    pub color_space: u8,
    /// `color_range`: the whole range of values is used.
    pub full_range: bool,
    /// Chroma has half as many samples a line.
    pub subsampling_x: bool,
    /// Chroma has half as many lines.
    pub subsampling_y: bool,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A key frame: it needs nothing, and resets all state.
    Key(ColorConfig),
    /// An intra-only frame: it needs no other picture. `None` in profile 0, where it is of 8 bits in 4:2:0.
    IntraOnly(Option<ColorConfig>),
    /// It needs the pictures in these slots.
    Inter([u8; 3]),
}

/// What the header of a frame to decode says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodedFrame {
    /// `Profile`, 0..=3.
    pub profile: u8,
    /// Key frame, intra-only or inter.
    pub kind: FrameKind,
    /// `show_frame`.
    pub show_frame: bool,
    /// `error_resilient_mode`: it is decoded without the state that other frames left, apart from their pictures.
    pub error_resilient: bool,
    /// The probabilities that it starts with are defaults: nothing that other frames left in them counts.
    pub resets_context: bool,
    /// `refresh_frame_flags`: the reference slots that it fills, slot 0 the lowest bit.
    pub refresh_frame_flags: u8,
    /// `refresh_frame_context`: its probabilities are kept for other frames.
    pub refresh_frame_context: bool,
    /// Its size; `None` where it is that of a frame in front of the first key frame, which nobody has seen.
    pub size: Option<FrameSize>,
    /// Bytes of both headers; `None` where the size is not known, on which the end of the first depends.
    pub header_len: Option<u32>,
}

/// An uncompressed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameHeader {
    /// `show_existing_frame`: a frame that was decoded before is shown.
    ShowExisting {
        /// `Profile`, 0..=3.
        profile: u8,
        /// `frame_to_show_map_idx`, 0..=7: its slot.
        slot: u8,
    },
    /// A frame to decode.
    Coded(CodedFrame),
}

/// Sizes of the pictures in the reference slots; `None` before the first key frame, which fills all of them.
pub type References = Option<[FrameSize; 8]>;

impl FrameHeader {
    /// Reads the header at the start of a frame of `frame_len` bytes; `head` is all of it, or at least [`HEAD_LEN`] bytes. Offsets
    /// of errors count from its first byte.
    ///
    /// # Errors
    /// For a header that is cut off or breaks a rule, and one whose compressed header passes the end of the frame.
    pub fn read(head: &[u8], frame_len: u32, references: &References) -> Result<Self> {
        let mut r = BitReader::without_emulation_prevention(head, CLAUSE);
        let marker = r.u(2, "frame_marker")?;
        if marker != 2 {
            return Err(Error::out_of_range("frame_marker", marker, "2", CLAUSE).at(0));
        }
        let (low, high) = (r.flag("profile_low_bit")?, r.flag("profile_high_bit")?);
        let profile = u8::from(high) << 1 | u8::from(low);
        if profile == 3 {
            reserved_zero(&mut r)?;
        }
        if r.flag("show_existing_frame")? {
            return Ok(Self::ShowExisting { profile, slot: slot(&mut r, "frame_to_show_map_idx")? });
        }
        let frame = CodedFrame::read(&mut r, profile, references)?;
        if let Some(len) = frame.header_len
            && len > frame_len
        {
            let what = format!("the headers of the frame have {len} bytes, the frame {frame_len}");
            return Err(Error::malformed(what, CLAUSE, REMEDY).at(0));
        }
        Ok(Self::Coded(frame))
    }

    /// `Profile`, 0..=3.
    pub fn profile(&self) -> u8 {
        match self {
            Self::ShowExisting { profile, .. } => *profile,
            Self::Coded(frame) => frame.profile,
        }
    }

    /// Whether it shows a picture.
    pub fn shows(&self) -> bool {
        match self {
            Self::ShowExisting { .. } => true,
            Self::Coded(frame) => frame.show_frame,
        }
    }
}

fn slot(r: &mut BitReader<'_>, element: &'static str) -> Result<u8> {
    Ok((r.u(3, element)? & 7) as u8)
}

fn reserved_zero(r: &mut BitReader<'_>) -> Result<()> {
    let at = r.byte_offset();
    match r.flag("reserved_zero")? {
        false => Ok(()),
        true => Err(Error::out_of_range("reserved_zero", 1, "0", CLAUSE).at(at)),
    }
}

impl CodedFrame {
    /// From `frame_type` on.
    fn read(r: &mut BitReader<'_>, profile: u8, references: &References) -> Result<Self> {
        let is_key = !r.flag("frame_type")?;
        let show_frame = r.flag("show_frame")?;
        let error_resilient = r.flag("error_resilient_mode")?;
        let mut reset_frame_context = 0;
        let (kind, refresh_frame_flags, size) = if is_key {
            frame_sync_code(r)?;
            let color = ColorConfig::read(r, profile)?;
            (FrameKind::Key(color), 0xff, Some(FrameSize::read(r)?))
        } else {
            let intra_only = !show_frame && r.flag("intra_only")?;
            if !error_resilient {
                reset_frame_context = r.u(2, "reset_frame_context")?;
            }
            if intra_only {
                frame_sync_code(r)?;
                let color = if profile > 0 { Some(ColorConfig::read(r, profile)?) } else { None };
                let flags = refresh_frame_flags(r)?;
                (FrameKind::IntraOnly(color), flags, Some(FrameSize::read(r)?))
            } else {
                let flags = refresh_frame_flags(r)?;
                let mut slots = [0; 3];
                for named in &mut slots {
                    *named = slot(r, "ref_frame_idx")?;
                    r.flag("ref_frame_sign_bias")?;
                }
                let size = FrameSize::read_with_references(r, slots, references)?;
                if size.is_some() {
                    r.flag("allow_high_precision_mv")?;
                    read_interpolation_filter(r)?;
                }
                (FrameKind::Inter(slots), flags, size)
            }
        };
        let mut frame = Self {
            profile,
            kind,
            show_frame,
            error_resilient,
            resets_context: is_key || error_resilient,
            refresh_frame_flags,
            refresh_frame_context: false,
            size,
            header_len: None,
        };
        if let Some(size) = size {
            frame.read_rest(r, size, reset_frame_context)?;
        }
        Ok(frame)
    }

    /// From `refresh_frame_context` on.
    fn read_rest(&mut self, r: &mut BitReader<'_>, size: FrameSize, reset_frame_context: u32) -> Result<()> {
        if !self.error_resilient {
            self.refresh_frame_context = r.flag("refresh_frame_context")?;
            r.flag("frame_parallel_decoding_mode")?;
        }
        let context = r.u(2, "frame_context_idx")?;
        // An intra frame is decoded with context 0, whatever it names (7.2): that is the default if all are reset, or the one it
        // names is.
        let is_intra = matches!(self.kind, FrameKind::IntraOnly(_));
        self.resets_context |=
            is_intra && (reset_frame_context == 3 || (reset_frame_context, context) == (2, 0));
        read_loop_filter(r)?;
        read_quantization(r)?;
        read_segmentation(r)?;
        read_tile_info(r, size.width)?;
        let at = r.byte_offset();
        let compressed = r.u(16, "header_size_in_bytes")?;
        if compressed == 0 {
            return Err(Error::out_of_range("header_size_in_bytes", 0, "above 0", CLAUSE).at(at));
        }
        // The head that it was read out of is short.
        self.header_len = Some(r.bytes_read() as u32 + compressed);
        Ok(())
    }

    /// Its color configuration where it has one.
    pub fn color(&self) -> Option<ColorConfig> {
        match self.kind {
            FrameKind::Key(color) => Some(color),
            FrameKind::IntraOnly(color) => color,
            FrameKind::Inter(_) => None,
        }
    }
}

fn frame_sync_code(r: &mut BitReader<'_>) -> Result<()> {
    let at = r.byte_offset();
    let code = r.u(24, "frame_sync_code")?;
    if code != 0x49_8342 {
        return Err(Error::malformed(
            format!("frame_sync_code is {code:#08x}, must be 0x498342"),
            CLAUSE,
            REMEDY,
        )
        .at(at));
    }
    Ok(())
}

fn refresh_frame_flags(r: &mut BitReader<'_>) -> Result<u8> {
    Ok((r.u(8, "refresh_frame_flags")? & 0xff) as u8)
}

impl ColorConfig {
    /// RGB (`CS_RGB`).
    pub const RGB: u8 = 7;

    fn read(r: &mut BitReader<'_>, profile: u8) -> Result<Self> {
        let bit_depth = match profile >= 2 {
            false => 8,
            true if r.flag("ten_or_twelve_bit")? => 12,
            true => 10,
        };
        let at = r.byte_offset();
        let color_space = (r.u(3, "color_space")? & 7) as u8;
        let is_rgb = color_space == Self::RGB;
        if color_space == 6 {
            return Err(
                Error::out_of_range("color_space", 6, "another value than the reserved 6", CLAUSE).at(at)
            );
        }
        let full_range = is_rgb || r.flag("color_range")?;
        // Profiles 1 and 3 are for all but 4:2:0, the others for that alone.
        let (subsampling_x, subsampling_y) = if profile & 1 == 0 {
            if is_rgb {
                let what = format!("RGB in profile {profile}, which is of 4:2:0");
                return Err(Error::malformed(what, CLAUSE, REMEDY).at(at));
            }
            (true, true)
        } else {
            let subsampling = match is_rgb {
                true => (false, false),
                false => (r.flag("subsampling_x")?, r.flag("subsampling_y")?),
            };
            reserved_zero(r)?;
            if subsampling == (true, true) {
                let what = format!("4:2:0 in profile {profile}, which is for other formats");
                return Err(Error::malformed(what, CLAUSE, REMEDY).at(at));
            }
            subsampling
        };
        Ok(Self { bit_depth, color_space, full_range, subsampling_x, subsampling_y })
    }
}

impl FrameSize {
    /// `frame_size()` and `render_size()`.
    fn read(r: &mut BitReader<'_>) -> Result<Self> {
        let width = r.u(16, "frame_width_minus_1")? + 1;
        let height = r.u(16, "frame_height_minus_1")? + 1;
        Self { width, height, render_width: width, render_height: height }.read_render_size(r)
    }

    fn read_render_size(self, r: &mut BitReader<'_>) -> Result<Self> {
        if !r.flag("render_and_frame_size_different")? {
            return Ok(Self { render_width: self.width, render_height: self.height, ..self });
        }
        let render_width = r.u(16, "render_width_minus_1")? + 1;
        let render_height = r.u(16, "render_height_minus_1")? + 1;
        Ok(Self { render_width, render_height, ..self })
    }

    /// `frame_size_with_refs()`; `None` where the size is that of a frame that nobody has seen.
    fn read_with_references(
        r: &mut BitReader<'_>,
        slots: [u8; 3],
        references: &References,
    ) -> Result<Option<Self>> {
        let at = r.byte_offset();
        for slot in slots {
            if r.flag("found_ref")? {
                let Some(references) = references else { return Ok(None) };
                return references[usize::from(slot)].read_render_size(r).map(Some);
            }
        }
        let size = Self::read(r)?;
        // What the size was coded for may have been other references than these: decoders check.
        let Some(references) = references else { return Ok(Some(size)) };
        if slots.iter().any(|&slot| size.can_be_predicted_from(&references[usize::from(slot)])) {
            return Ok(Some(size));
        }
        let what = format!(
            "the frame is {}x{}, and none of its references can be scaled to that",
            size.width, size.height
        );
        Err(Error::malformed(what, "VP9 7.2.5", REMEDY).at(at))
    }

    /// References are at most twice as large in each direction, and at least a sixteenth.
    fn can_be_predicted_from(&self, reference: &Self) -> bool {
        let fits = |own: u32, other: u32| 2 * own >= other && own <= 16 * other;
        fits(self.width, reference.width) && fits(self.height, reference.height)
    }
}

fn read_interpolation_filter(r: &mut BitReader<'_>) -> Result<()> {
    if !r.flag("is_filter_switchable")? {
        r.u(2, "raw_interpolation_filter")?;
    }
    Ok(())
}

/// `loop_filter_params()` (6.2.8).
fn read_loop_filter(r: &mut BitReader<'_>) -> Result<()> {
    r.u(6, "loop_filter_level")?;
    r.u(3, "loop_filter_sharpness")?;
    if r.flag("loop_filter_delta_enabled")? && r.flag("loop_filter_delta_update")? {
        // Four for references, two for modes.
        for _ in 0..6 {
            if r.flag("update_delta")? {
                r.u(7, "loop_filter_delta")?;
            }
        }
    }
    Ok(())
}

/// `quantization_params()` (6.2.9).
fn read_quantization(r: &mut BitReader<'_>) -> Result<()> {
    r.u(8, "base_q_idx")?;
    for _ in 0..3 {
        if r.flag("delta_coded")? {
            r.u(5, "delta_q")?;
        }
    }
    Ok(())
}

/// `segmentation_params()` (6.2.11).
fn read_segmentation(r: &mut BitReader<'_>) -> Result<()> {
    if !r.flag("segmentation_enabled")? {
        return Ok(());
    }
    if r.flag("segmentation_update_map")? {
        read_probabilities(r, 7)?;
        if r.flag("segmentation_temporal_update")? {
            read_probabilities(r, 3)?;
        }
    }
    if r.flag("segmentation_update_data")? {
        r.flag("segmentation_abs_or_delta_update")?;
        // Value and sign of quantizer and loop filter, a reference frame, and a skip without a value.
        const FEATURE_BITS: [u8; 4] = [8 + 1, 6 + 1, 2, 0];
        for bits in [FEATURE_BITS; 8].into_iter().flatten() {
            if r.flag("feature_enabled")? {
                r.u(bits, "feature_value")?;
            }
        }
    }
    Ok(())
}

fn read_probabilities(r: &mut BitReader<'_>, count: usize) -> Result<()> {
    for _ in 0..count {
        if r.flag("prob_coded")? {
            r.u(8, "prob")?;
        }
    }
    Ok(())
}

/// `tile_info()` (6.2.13).
fn read_tile_info(r: &mut BitReader<'_>, width: u32) -> Result<()> {
    const MIN_TILE_WIDTH_B64: u32 = 4;
    const MAX_TILE_WIDTH_B64: u32 = 64;
    let columns = width.div_ceil(64);
    let mut tile_cols_log2 = 0;
    while MAX_TILE_WIDTH_B64 << tile_cols_log2 < columns {
        tile_cols_log2 += 1;
    }
    while columns >> (tile_cols_log2 + 1) >= MIN_TILE_WIDTH_B64 && r.flag("increment_tile_cols_log2")? {
        tile_cols_log2 += 1;
    }
    if r.flag("tile_rows_log2")? {
        r.flag("increment_tile_rows_log2")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Frame, show_existing};
    use super::*;

    fn coded(frame: &Frame) -> CodedFrame {
        let bytes = frame.bytes();
        match FrameHeader::read(&bytes, bytes.len() as u32, &None).unwrap() {
            FrameHeader::Coded(frame) => frame,
            shown => panic!("{shown:?}"),
        }
    }

    #[test]
    fn headers_of_libvpx_are_read_to_their_end() {
        // The first frames that libvpx 1.12 wrote by way of FFmpeg 5.1 for testsrc2 at 192x108 (`-auto-alt-ref 1 -lag-in-frames 16`), up
        // to the compressed header; a key frame, then a hidden one.
        let key = [
            0x82, 0x49, 0x83, 0x42, 0x00, 0x0b, 0xf0, 0x06, 0xb6, 0x04, 0x38, 0x24, 0x1c, 0x18, 0x7c, 0x00,
            0x06, 0xd0, 0x6f, 0xb0, 0xfe, 0x7f, 0x97, 0xf8,
        ];
        let FrameHeader::Coded(frame) = FrameHeader::read(&key, 2497, &None).unwrap() else { panic!() };
        let size = FrameSize { width: 192, height: 108, render_width: 192, render_height: 108 };
        assert_eq!((frame.profile, frame.show_frame, frame.size), (0, true, Some(size)));
        let plain = ColorConfig {
            bit_depth: 8,
            color_space: 0,
            full_range: false,
            subsampling_x: true,
            subsampling_y: true,
        };
        assert_eq!((frame.color(), frame.refresh_frame_flags), (Some(plain), 0xff));
        let hidden =
            [0x84, 0x00, 0x80, 0x49, 0x7a, 0x50, 0xa5, 0xc0, 0x00, 0x4e, 0x68, 0x33, 0x07, 0xe5, 0xfe, 0xbf];
        let FrameHeader::Coded(frame) = FrameHeader::read(&hidden, 954, &Some([size; 8])).unwrap() else {
            panic!()
        };
        assert_eq!((frame.show_frame, frame.size, frame.refresh_frame_context), (false, Some(size), true));
        assert!(matches!(frame.kind, FrameKind::Inter(_)));
        // Without the key frame it is known to be hidden, and no more.
        let FrameHeader::Coded(frame) = FrameHeader::read(&hidden, 954, &None).unwrap() else { panic!() };
        assert_eq!((frame.show_frame, frame.size, frame.header_len), (false, None, None));
    }

    #[test]
    fn formats_of_all_profiles_are_read() {
        for (profile, depth, space, (x, y)) in [
            (0, 8, 2, (true, true)),
            (1, 8, 1, (true, false)),
            (1, 8, 7, (false, false)),
            (2, 10, 5, (true, true)),
            (2, 12, 0, (true, true)),
            (3, 12, 5, (false, false)),
            (3, 10, 4, (false, true)),
        ] {
            let color = ColorConfig {
                bit_depth: depth,
                color_space: space,
                full_range: space == 7,
                subsampling_x: x,
                subsampling_y: y,
            };
            let frame = coded(&Frame { profile, color, ..Frame::key() });
            assert_eq!((frame.profile, frame.color()), (profile, Some(color)));
            if profile > 0 {
                let frame = coded(&Frame { profile, color, ..Frame::intra_only(4) });
                assert_eq!((frame.color(), frame.refresh_frame_flags), (Some(color), 4));
            }
        }
        assert_eq!(coded(&Frame::intra_only(1)).kind, FrameKind::IntraOnly(None));
    }

    #[test]
    fn a_shown_frame_is_named_by_its_slot() {
        for profile in 0..4 {
            let bytes = show_existing(profile, 5);
            let header = FrameHeader::read(&bytes, bytes.len() as u32, &None).unwrap();
            assert_eq!(header, FrameHeader::ShowExisting { profile, slot: 5 });
        }
    }

    #[test]
    fn contexts_are_reset_by_what_resets_them_all() {
        let intra = |reset, context| coded(&Frame { reset, context, ..Frame::intra_only(1) }).resets_context;
        assert_eq!(
            [intra(0, 0), intra(1, 0), intra(2, 0), intra(2, 1), intra(3, 1)],
            [false, false, true, false, true]
        );
        assert!(coded(&Frame { error_resilient: true, ..Frame::intra_only(1) }).resets_context);
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_its_place() {
        let key = Frame::key().bytes();
        let changed = |at: usize, byte: u8| {
            let mut bytes = key.clone();
            bytes[at] = byte;
            bytes
        };
        let size = FrameSize { width: 64, height: 48, render_width: 64, render_height: 48 };
        for (bytes, offset, part) in [
            (changed(0, 0xc2), 0, "frame_marker is 3, must be 2"),
            (vec![0xb8], 0, "reserved_zero is 1"),
            (changed(2, 0x84), 1, "frame_sync_code is 0x498442"),
            (changed(4, 0xc0), 4, "color_space is 6"),
            (changed(4, 0xe0), 4, "RGB in profile 0"),
            (key[..8].to_vec(), 8, "frame_height_minus_1"),
            (Frame { compressed: 0, ..Frame::key() }.bytes(), 12, "header_size_in_bytes is 0"),
            (Frame { size: Some((400, 300)), ..Frame::inter(1) }.bytes(), 3, "the frame is 400x300"),
        ] {
            let references = Some([FrameSize { width: 16, height: 16, ..size }; 8]);
            let error = FrameHeader::read(&bytes, bytes.len() as u32, &references).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.offset(), Some(offset), "{error}");
        }
        let error = FrameHeader::read(&key, 14, &None).unwrap_err();
        assert!(error.to_string().contains("the frame 14"), "{error}");
    }

    #[test]
    fn the_longest_header_fits_its_head() {
        let frame = Frame { size: Some((65_536, 65_536)), everything: true, ..Frame::inter(0xff) };
        assert!(frame.header_bytes().len() <= HEAD_LEN, "{}", frame.header_bytes().len());
        let references =
            Some([FrameSize { width: 65_536, height: 65_536, render_width: 1, render_height: 1 }; 8]);
        let bytes = frame.bytes();
        let FrameHeader::Coded(read) =
            FrameHeader::read(&bytes[..HEAD_LEN.min(bytes.len())], bytes.len() as u32, &references).unwrap()
        else {
            panic!()
        };
        assert_eq!(read.header_len, Some(frame.header_bytes().len() as u32 + 1));
    }
}
