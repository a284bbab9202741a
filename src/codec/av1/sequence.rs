//! Sequence header OBU (AV1 5.5) ► the facts that frame headers, the configuration record and the sample entry depend on.
//! All of it is read and checked, its trailing bits too: a header that does not parse is an error and never a guess.

use crate::bits::BitReader;
use crate::codec::{BitstreamRate, Colour, timed_rate};
use crate::error::{Error, ErrorKind, Result};

use super::{ObuHeader, u_u8};

/// A sequence header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceHeader {
    /// `seq_profile`, 0..=2 (Main, High, Professional).
    pub profile: u8,
    /// `still_picture`: the coded video sequence has one frame.
    pub still_picture: bool,
    /// `reduced_still_picture_header`.
    pub reduced_still_picture_header: bool,
    /// `timing_info()`, where it is there.
    pub timing: Option<TimingInfo>,
    /// `decoder_model_info()`, where it is there.
    pub decoder_model: Option<DecoderModelInfo>,
    /// Operating points, 1 to 32, the preferred one first.
    pub operating_points: Vec<OperatingPoint>,
    /// `frame_width_bits_minus_1 + 1`, 1..=16.
    pub frame_width_bits: u8,
    /// `frame_height_bits_minus_1 + 1`, 1..=16.
    pub frame_height_bits: u8,
    /// `max_frame_width_minus_1 + 1`.
    pub max_frame_width: u16,
    /// `max_frame_height_minus_1 + 1`.
    pub max_frame_height: u16,
    /// Lengths of frame ids, where frames have them (`frame_id_numbers_present_flag`).
    pub frame_ids: Option<FrameIdLengths>,
    /// `seq_force_screen_content_tools`; `None`: each frame selects.
    pub force_screen_content_tools: Option<bool>,
    /// `seq_force_integer_mv`; `None`: each frame selects.
    pub force_integer_mv: Option<bool>,
    /// `OrderHintBits`, 0..=8; 0 without order hints (`enable_order_hint`).
    pub order_hint_bits: u8,
    /// `enable_superres`.
    pub enable_superres: bool,
    /// Sample format and colour.
    pub color: ColorConfig,
    /// `film_grain_params_present`.
    pub film_grain_params_present: bool,
}

/// `timing_info()` (5.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimingInfo {
    /// `num_units_in_display_tick`.
    pub num_units_in_display_tick: u32,
    /// `time_scale`.
    pub time_scale: u32,
    /// `num_ticks_per_picture_minus_1 + 1`; `None` without `equal_picture_interval`.
    pub num_ticks_per_picture: Option<u32>,
}

/// `decoder_model_info()` (5.5.4): lengths of fields elsewhere, 1 to 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderModelInfo {
    /// `buffer_delay_length_minus_1 + 1`.
    pub buffer_delay_length: u8,
    /// `buffer_removal_time_length_minus_1 + 1`.
    pub buffer_removal_time_length: u8,
    /// `frame_presentation_time_length_minus_1 + 1`.
    pub frame_presentation_time_length: u8,
}

/// An operating point: layers that are decoded together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatingPoint {
    /// `operating_point_idc`: bits 0 to 7 are temporal layers, bits 8 to 11 spatial ones; 0: the stream is not scalable.
    pub idc: u16,
    /// `seq_level_idx`, 0..=31 (Annex A.3): 8 is level 4.0, 31 no level.
    pub level_idx: u8,
    /// `seq_tier`: High tier.
    pub high_tier: bool,
    /// `decoder_model_present_for_this_op`.
    pub decoder_model_present: bool,
    /// `initial_display_delay_minus_1 + 1`, 1..=16, where it is there.
    pub initial_display_delay: Option<u8>,
}

/// Lengths of frame ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameIdLengths {
    /// `delta_frame_id_length_minus_2 + 2`.
    pub delta: u8,
    /// `idLen`, up to 16.
    pub id: u8,
}

/// `color_config()` (5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColorConfig {
    /// `BitDepth`: 8, 10 or 12.
    pub bit_depth: u8,
    /// `mono_chrome`.
    pub mono_chrome: bool,
    /// `subsampling_x`.
    pub subsampling_x: bool,
    /// `subsampling_y`.
    pub subsampling_y: bool,
    /// `chroma_sample_position`: 0 unknown, 1 vertical, 2 collocated, 3 reserved.
    pub chroma_sample_position: u8,
    /// `color_range`: full range.
    pub full_range: bool,
    /// Code points with the range; `None` without `color_description_present_flag`.
    pub description: Option<Colour>,
}

impl SequenceHeader {
    /// Reads the payload of a sequence header OBU, which must end with its trailing bits. Offsets of errors count from
    /// the payload.
    pub fn read(payload: &[u8]) -> Result<Self> {
        let mut r = BitReader::without_emulation_prevention(payload, "AV1 5.5.1");
        let sequence = Self::read_fields(&mut r)?;
        read_trailing_bits(&mut r, payload.len())?;
        Ok(sequence)
    }

    /// The frame rate of a stream with pictures at equal intervals (`equal_picture_interval`, 6.4.3); `None` where the
    /// header has none. A rate of zero or above
    /// [`FrameRate::MAX`](crate::time::FrameRate::MAX) is an error: the caller has to say.
    pub fn bitstream_rate(&self) -> Result<Option<BitstreamRate>> {
        let Some(TimingInfo {
            num_units_in_display_tick: units,
            time_scale,
            num_ticks_per_picture: Some(ticks),
        }) = self.timing
        else {
            return Ok(None);
        };
        let rate = timed_rate(time_scale, u64::from(units) * u64::from(ticks), "AV1 6.4.3", || {
            format!("the timing info gives {time_scale}/({units} × {ticks}) frames")
        })?;
        Ok(Some(BitstreamRate { rate, fixed: true }))
    }

    fn read_fields(r: &mut BitReader<'_>) -> Result<Self> {
        let at = r.byte_offset();
        let profile = u_u8(r, 3, "seq_profile")?;
        if profile > 2 {
            return Err(Error::out_of_range("seq_profile", profile, "0..=2", "AV1 6.4.1").at(at));
        }
        let still_picture = r.flag("still_picture")?;
        let reduced = r.flag("reduced_still_picture_header")?;
        if reduced && !still_picture {
            let rule = "1 with reduced_still_picture_header";
            return Err(Error::out_of_range("still_picture", 0, rule, "AV1 6.4.1").at(at));
        }
        let (timing, decoder_model, operating_points) = if reduced {
            (None, None, vec![OperatingPoint::read_reduced(r)?])
        } else {
            read_timing_and_points(r)?
        };
        let frame_width_bits = 1 + u_u8(r, 4, "frame_width_bits_minus_1")?;
        let frame_height_bits = 1 + u_u8(r, 4, "frame_height_bits_minus_1")?;
        let max_frame_width = read_side(r, frame_width_bits, "max_frame_width_minus_1")?;
        let max_frame_height = read_side(r, frame_height_bits, "max_frame_height_minus_1")?;
        let frame_ids = if !reduced && r.flag("frame_id_numbers_present_flag")? {
            Some(FrameIdLengths::read(r)?)
        } else {
            None
        };
        for element in ["use_128x128_superblock", "enable_filter_intra", "enable_intra_edge_filter"] {
            r.flag(element)?;
        }
        let tools = if reduced { Tools::REDUCED } else { Tools::read(r)? };
        let enable_superres = r.flag("enable_superres")?;
        r.flag("enable_cdef")?;
        r.flag("enable_restoration")?;
        let color = ColorConfig::read(r, profile)?;
        let film_grain_params_present = r.flag("film_grain_params_present")?;
        Ok(Self {
            profile,
            still_picture,
            reduced_still_picture_header: reduced,
            timing,
            decoder_model,
            operating_points,
            frame_width_bits,
            frame_height_bits,
            max_frame_width,
            max_frame_height,
            frame_ids,
            force_screen_content_tools: tools.force_screen_content_tools,
            force_integer_mv: tools.force_integer_mv,
            order_hint_bits: tools.order_hint_bits,
            enable_superres,
            color,
            film_grain_params_present,
        })
    }
}

type TimingAndPoints = (Option<TimingInfo>, Option<DecoderModelInfo>, Vec<OperatingPoint>);

fn read_timing_and_points(r: &mut BitReader<'_>) -> Result<TimingAndPoints> {
    let (mut timing, mut decoder_model) = (None, None);
    if r.flag("timing_info_present_flag")? {
        timing = Some(TimingInfo::read(r)?);
        if r.flag("decoder_model_info_present_flag")? {
            decoder_model = Some(DecoderModelInfo::read(r)?);
        }
    }
    let initial_display_delays = r.flag("initial_display_delay_present_flag")?;
    let count = 1 + r.u(5, "operating_points_cnt_minus_1")?;
    let mut points: Vec<OperatingPoint> = Vec::new();
    for _ in 0..count {
        let at = r.byte_offset();
        let point = OperatingPoint::read(r, decoder_model.as_ref(), initial_display_delays)?;
        if points.iter().any(|other| other.idc == point.idc) {
            let rule = "different for each operating point";
            return Err(Error::out_of_range("operating_point_idc", point.idc, rule, "AV1 6.4.1").at(at));
        }
        points.push(point);
    }
    Ok((timing, decoder_model, points))
}

/// A side of the largest frame. The sample entry holds 16 bits (ISO/IEC 14496-12 12.1.3), of 65536 one too few.
fn read_side(r: &mut BitReader<'_>, bits: u8, element: &'static str) -> Result<u16> {
    let at = r.byte_offset();
    let side = 1 + r.u(bits, element)?;
    u16::try_from(side).map_err(|_| {
        Error::new(ErrorKind::TooLarge {
            what: format!("{element} + 1").into(),
            value: u64::from(side),
            limit: u64::from(u16::MAX),
            clause: "ISO/IEC 14496-12 12.1.3",
            remedy: "encode smaller pictures".into(),
        })
        .at(at)
    })
}

/// `trailing_bits()` (5.3.4): a one, then zeros up to the end.
fn read_trailing_bits(r: &mut BitReader<'_>, len: usize) -> Result<()> {
    let at = r.byte_offset();
    if !r.flag("trailing_one_bit")? {
        return Err(Error::out_of_range("trailing_one_bit", 0, "1", "AV1 6.2.4").at(at));
    }
    while r.byte_offset() < len as u64 {
        let at = r.byte_offset();
        if r.flag("trailing_zero_bit")? {
            return Err(Error::out_of_range("trailing_zero_bit", 1, "0", "AV1 6.2.4").at(at));
        }
    }
    Ok(())
}

impl TimingInfo {
    fn read(r: &mut BitReader<'_>) -> Result<Self> {
        let num_units_in_display_tick = r.u(32, "num_units_in_display_tick")?;
        let time_scale = r.u(32, "time_scale")?;
        let num_ticks_per_picture =
            if r.flag("equal_picture_interval")? { Some(read_ticks_per_picture(r)?) } else { None };
        Ok(Self { num_units_in_display_tick, time_scale, num_ticks_per_picture })
    }
}

/// `num_ticks_per_picture_minus_1` as `uvlc()` (4.10.3), plus 1. The code has 32 zeros or more where its value is
/// 2^32 - 1, which 6.4.3 forbids.
fn read_ticks_per_picture(r: &mut BitReader<'_>) -> Result<u32> {
    const ELEMENT: &str = "num_ticks_per_picture_minus_1";
    let at = r.byte_offset();
    let mut zeros = 0u8;
    while !r.flag(ELEMENT)? {
        zeros += 1;
        if zeros == 32 {
            return Err(Error::out_of_range(ELEMENT, u32::MAX, "0..=4294967294", "AV1 6.4.3").at(at));
        }
    }
    let value = r.u(zeros, ELEMENT)?;
    // 31 digits at most behind the one: 2^32 - 1 at most.
    Ok((1 << zeros) + value)
}

impl DecoderModelInfo {
    fn read(r: &mut BitReader<'_>) -> Result<Self> {
        let buffer_delay_length = 1 + u_u8(r, 5, "buffer_delay_length_minus_1")?;
        r.u(32, "num_units_in_decoding_tick")?;
        Ok(Self {
            buffer_delay_length,
            buffer_removal_time_length: 1 + u_u8(r, 5, "buffer_removal_time_length_minus_1")?,
            frame_presentation_time_length: 1 + u_u8(r, 5, "frame_presentation_time_length_minus_1")?,
        })
    }
}

impl OperatingPoint {
    fn read_reduced(r: &mut BitReader<'_>) -> Result<Self> {
        Ok(Self {
            idc: 0,
            level_idx: u_u8(r, 5, "seq_level_idx")?,
            high_tier: false,
            decoder_model_present: false,
            initial_display_delay: None,
        })
    }

    fn read(r: &mut BitReader<'_>, model: Option<&DecoderModelInfo>, delays: bool) -> Result<Self> {
        let idc = u16::try_from(r.u(12, "operating_point_idc")?).expect("12 bits fit 16");
        let level_idx = u_u8(r, 5, "seq_level_idx")?;
        let high_tier = level_idx > 7 && r.flag("seq_tier")?;
        let mut decoder_model_present = false;
        if let Some(model) = model {
            decoder_model_present = r.flag("decoder_model_present_for_this_op")?;
            if decoder_model_present {
                // operating_parameters_info() (5.5.5)
                r.u(model.buffer_delay_length, "decoder_buffer_delay")?;
                r.u(model.buffer_delay_length, "encoder_buffer_delay")?;
                r.flag("low_delay_mode_flag")?;
            }
        }
        let delayed = delays && r.flag("initial_display_delay_present_for_this_op")?;
        let initial_display_delay =
            if delayed { Some(1 + u_u8(r, 4, "initial_display_delay_minus_1")?) } else { None };
        Ok(Self { idc, level_idx, high_tier, decoder_model_present, initial_display_delay })
    }

    /// Number of spatial layers that it decodes; 0 in a stream that is not scalable.
    pub fn spatial_layers(&self) -> u32 {
        (self.idc >> 8).count_ones()
    }

    /// Whether its decoders look at units with this header, and do not drop them (5.3.1).
    pub fn decodes(&self, obu: &ObuHeader) -> bool {
        !obu.has_extension || self.includes(obu.temporal_id, obu.spatial_id)
    }

    /// Whether it decodes units of these layers (5.9.2: `inTemporalLayer`, `inSpatialLayer`).
    pub(super) fn includes(&self, temporal_id: u8, spatial_id: u8) -> bool {
        self.idc == 0 || (self.idc >> temporal_id & 1 == 1 && self.idc >> (spatial_id + 8) & 1 == 1)
    }
}

impl FrameIdLengths {
    fn read(r: &mut BitReader<'_>) -> Result<Self> {
        let at = r.byte_offset();
        let delta = 2 + u_u8(r, 4, "delta_frame_id_length_minus_2")?;
        let id = delta + 1 + u_u8(r, 3, "additional_frame_id_length_minus_1")?;
        if id > 16 {
            return Err(Error::out_of_range("the length of frame ids", id, "up to 16", "AV1 6.8.2").at(at));
        }
        Ok(Self { delta, id })
    }
}

/// Coding tools that frame headers depend on.
struct Tools {
    force_screen_content_tools: Option<bool>,
    force_integer_mv: Option<bool>,
    order_hint_bits: u8,
}

impl Tools {
    const REDUCED: Self =
        Self { force_screen_content_tools: None, force_integer_mv: None, order_hint_bits: 0 };

    fn read(r: &mut BitReader<'_>) -> Result<Self> {
        for element in [
            "enable_interintra_compound",
            "enable_masked_compound",
            "enable_warped_motion",
            "enable_dual_filter",
        ] {
            r.flag(element)?;
        }
        let enable_order_hint = r.flag("enable_order_hint")?;
        if enable_order_hint {
            r.flag("enable_jnt_comp")?;
            r.flag("enable_ref_frame_mvs")?;
        }
        let force_screen_content_tools = match r.flag("seq_choose_screen_content_tools")? {
            true => None,
            false => Some(r.flag("seq_force_screen_content_tools")?),
        };
        let force_integer_mv =
            if force_screen_content_tools == Some(false) || r.flag("seq_choose_integer_mv")? {
                None
            } else {
                Some(r.flag("seq_force_integer_mv")?)
            };
        let order_hint_bits = if enable_order_hint { 1 + u_u8(r, 3, "order_hint_bits_minus_1")? } else { 0 };
        Ok(Self { force_screen_content_tools, force_integer_mv, order_hint_bits })
    }
}

/// `subsampling_x` and `subsampling_y`, which only 12 bits code.
fn read_subsampling(r: &mut BitReader<'_>, profile: u8, bit_depth: u8) -> Result<(bool, bool)> {
    Ok(match profile {
        0 => (true, true),
        1 => (false, false),
        _ if bit_depth == 12 => {
            let x = r.flag("subsampling_x")?;
            (x, x && r.flag("subsampling_y")?)
        }
        _ => (true, false),
    })
}

const DAMAGED: &str = "the sequence header is damaged or breaks the standard";

impl ColorConfig {
    fn read(r: &mut BitReader<'_>, profile: u8) -> Result<Self> {
        // Code points of ITU-T H.273 as 6.4.2 names them.
        const CP_BT_709: u8 = 1;
        const TC_SRGB: u8 = 13;
        const MC_IDENTITY: u8 = 0;
        let high_bitdepth = r.flag("high_bitdepth")?;
        let bit_depth = match (high_bitdepth, profile == 2 && high_bitdepth && r.flag("twelve_bit")?) {
            (_, true) => 12,
            (true, false) => 10,
            (false, false) => 8,
        };
        let mono_chrome = profile != 1 && r.flag("mono_chrome")?;
        let matrix_at = r.byte_offset();
        let points = match r.flag("color_description_present_flag")? {
            true => Some((
                u_u8(r, 8, "color_primaries")?,
                u_u8(r, 8, "transfer_characteristics")?,
                u_u8(r, 8, "matrix_coefficients")?,
            )),
            false => None,
        };
        let rgb = !mono_chrome && points == Some((CP_BT_709, TC_SRGB, MC_IDENTITY));
        if rgb && !(profile == 1 || bit_depth == 12) {
            let what = format!("seq_profile {profile} at {bit_depth} bits with sRGB, which is 4:4:4");
            return Err(Error::malformed(what, "AV1 6.4.1", DAMAGED).at(matrix_at));
        }
        let full_range = rgb || r.flag("color_range")?;
        let (subsampling_x, subsampling_y) = match mono_chrome {
            true => (true, true),
            false if rgb => (false, false),
            false => read_subsampling(r, profile, bit_depth)?,
        };
        if let Some((_, _, MC_IDENTITY)) = points
            && (subsampling_x || subsampling_y)
        {
            let what = "matrix_coefficients is 0 (identity) with subsampled chroma";
            return Err(Error::malformed(what, "AV1 6.4.2", DAMAGED).at(matrix_at));
        }
        let mut chroma_sample_position = 0;
        if !mono_chrome {
            if subsampling_x && subsampling_y {
                chroma_sample_position = u_u8(r, 2, "chroma_sample_position")?;
            }
            r.flag("separate_uv_delta_q")?;
        }
        let description =
            points.map(|(primaries, transfer, matrix)| Colour { primaries, transfer, matrix, full_range });
        Ok(Self {
            bit_depth,
            mono_chrome,
            subsampling_x,
            subsampling_y,
            chroma_sample_position,
            full_range,
            description,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Sequence;
    use super::*;

    /// Everything that may be there.
    fn full() -> Sequence {
        Sequence {
            timing: Some((1001, 60_000, Some(1))),
            decoder_model: Some((19, 9, 4)),
            points: vec![(0x103, 9, true, Some(9)), (0x101, 4, false, None)],
            frame_ids: Some((12, 0)),
            superres: true,
            profile: 2,
            depth: (true, true),
            subsampling: (true, true),
            chroma_sample_position: 1,
            colour: Some((9, 16, 9)),
            ..Sequence::default()
        }
    }

    #[test]
    fn every_field_is_read() {
        let sequence = SequenceHeader::read(&full().payload()).unwrap();
        let point = |idc, level_idx, high_tier, initial_display_delay| OperatingPoint {
            idc,
            level_idx,
            high_tier,
            decoder_model_present: true,
            initial_display_delay,
        };
        let expected = SequenceHeader {
            profile: 2,
            still_picture: false,
            reduced_still_picture_header: false,
            timing: Some(TimingInfo {
                num_units_in_display_tick: 1001,
                time_scale: 60_000,
                num_ticks_per_picture: Some(2),
            }),
            decoder_model: Some(DecoderModelInfo {
                buffer_delay_length: 20,
                buffer_removal_time_length: 10,
                frame_presentation_time_length: 5,
            }),
            operating_points: vec![point(0x103, 9, true, Some(10)), point(0x101, 4, false, None)],
            frame_width_bits: 16,
            frame_height_bits: 16,
            max_frame_width: 64,
            max_frame_height: 48,
            frame_ids: Some(FrameIdLengths { delta: 14, id: 15 }),
            force_screen_content_tools: Some(true),
            force_integer_mv: Some(false),
            order_hint_bits: 7,
            enable_superres: true,
            color: ColorConfig {
                bit_depth: 12,
                mono_chrome: false,
                subsampling_x: true,
                subsampling_y: true,
                chroma_sample_position: 1,
                full_range: false,
                description: Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false }),
            },
            film_grain_params_present: false,
        };
        assert_eq!(sequence, expected);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let still = Sequence { still: (true, true), ..Sequence::default() };
        for sequence in [Sequence::default(), full(), still] {
            let payload = sequence.payload();
            assert!(SequenceHeader::read(&payload).is_ok());
            for len in 0..payload.len() {
                let error = SequenceHeader::read(&payload[..len]).unwrap_err();
                assert!(error.offset().is_some_and(|at| at <= len as u64), "{len}: {error}");
            }
        }
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        let refused = |change: fn(&mut Sequence), said: &str| {
            let mut sequence = full();
            change(&mut sequence);
            let error = SequenceHeader::read(&sequence.payload()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        };
        refused(|s| s.still = (false, true), "still_picture is 0");
        refused(|s| s.points[1].0 = 0x103, "operating_point_idc is 259");
        refused(|s| s.frame_ids = Some((13, 1)), "the length of frame ids is 17");
        refused(|s| s.size.0 = 65_536, "is 65536, the limit is 65535");
        refused(|s| s.colour = Some((9, 16, 0)), "identity");
        refused(|s| (s.profile, s.depth, s.colour) = (0, (false, false), Some((1, 13, 0))), "sRGB");
        let error = SequenceHeader::read(&[0x60, 0, 0]).unwrap_err();
        assert!(error.to_string().starts_with("@ 0x0: seq_profile is 3, must be 0..=2"), "{error}");
    }

    #[test]
    fn trailing_bits_are_a_one_and_zeros() {
        let payload = Sequence::default().payload();
        assert!(SequenceHeader::read(&[&payload[..], &[0, 0]].concat()).is_ok());
        let error = SequenceHeader::read(&[&payload[..], &[0, 1]].concat()).unwrap_err();
        assert!(error.to_string().contains("trailing_zero_bit is 1"), "{error}");
        let mut without = payload;
        let last = without.last_mut().unwrap();
        *last &= *last - 1;
        let error = SequenceHeader::read(&without).unwrap_err();
        assert!(error.to_string().contains("trailing_one_bit"), "{error}");
    }

    #[test]
    fn reduced_still_picture_header_leaves_most_out() {
        let still = Sequence { still: (true, true), ..Sequence::default() };
        let sequence = SequenceHeader::read(&still.payload()).unwrap();
        assert!(sequence.still_picture && sequence.reduced_still_picture_header);
        assert_eq!((sequence.order_hint_bits, sequence.frame_ids), (0, None));
        assert_eq!((sequence.force_screen_content_tools, sequence.force_integer_mv), (None, None));
    }
}
