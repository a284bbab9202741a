//! `av1C`: AV1CodecConfigurationRecord (AV1-ISOBMFF 2.3), its codec string (section 5), with the sequence header in it (AV1 5.5)
//! where there is one.

use super::super::check::Check;
use super::Facts;
use crate::bits::BitReader;
use crate::boxes::FourCc;
use crate::boxes::reader::{Body, BoxRef};
use crate::error::{Error, Result};

const CLAUSE: &str = "AV1-ISOBMFF 2.3.3";
const SEQUENCE_CLAUSE: &str = "AV1 5.5";

/// What the codec string is made of.
struct Sequence {
    profile: u32,
    level: u32,
    high_tier: bool,
    size: (u32, u32),
    color: Color,
}

/// `color_config`.
#[derive(Clone, Copy)]
struct Color {
    bit_depth: u8,
    mono_chrome: bool,
    subsampling: (bool, bool),
    chroma_sample_position: u32,
    /// Primaries, transfer and matrix where they are told.
    description: Option<(u32, u32, u32)>,
    full_range: bool,
}

pub(super) fn read(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    format: FourCc,
    facts: &mut Facts,
) -> Result<()> {
    let mut body = record.fields(CLAUSE);
    let head = body.u8("marker and version")?;
    if head != 0x81 {
        check.config(record, format_args!("marker and version are {head:#04x}, not 0x81"));
        return Ok(());
    }
    let point = body.u8("seq_profile and seq_level_idx_0")?;
    let flags = body.u8("seq_tier_0 to chroma_sample_position")?;
    body.u8("initial_presentation_delay")?;
    let is_set = |bit: u8| flags >> bit & 1 == 1;
    let told = Sequence {
        profile: u32::from(point >> 5),
        level: u32::from(point & 0x1f),
        high_tier: is_set(7),
        size: (0, 0),
        color: Color {
            bit_depth: bit_depth(is_set(6), is_set(5)),
            mono_chrome: is_set(4),
            subsampling: (is_set(3), is_set(2)),
            chroma_sample_position: u32::from(flags & 3),
            description: None,
            full_range: false,
        },
    };
    let sequence = find_sequence(check, record, &mut body)?;
    if let Some(sequence) = &sequence {
        facts.sizes.push(sequence.size);
        let of = |s: &Sequence| {
            let c = s.color;
            (s.profile, s.level, s.high_tier, c.bit_depth, c.mono_chrome, c.subsampling)
        };
        if of(sequence) != of(&told) {
            check.config(record, "its fields and the sequence header in it say different things");
        }
    }
    if format.0 == *b"av01" {
        facts.codec = Some(codec_string(&told, sequence.map_or(told.color, |sequence| sequence.color)));
    }
    Ok(())
}

fn bit_depth(high: bool, twelve: bool) -> u8 {
    match (high, twelve) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    }
}

/// `av01.P.LLT.DD`, and the rest where it has not its default.
fn codec_string(told: &Sequence, color: Color) -> String {
    let (primaries, transfer, matrix) = color.description.unwrap_or((1, 1, 1));
    let optional = format!(
        ".{}.{}{}{}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
        u8::from(color.mono_chrome),
        u8::from(color.subsampling.0),
        u8::from(color.subsampling.1),
        color.chroma_sample_position,
        u8::from(color.full_range)
    );
    let optional = if optional == ".0.110.01.01.01.0" { "" } else { &optional };
    let tier = if told.high_tier { 'H' } else { 'M' };
    format!("av01.{}.{:02}{tier}.{:02}{optional}", told.profile, told.level, color.bit_depth)
}

/// Walks `configOBUs` ► the sequence header.
fn find_sequence(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    body: &mut Body<'_>,
) -> Result<Option<Sequence>> {
    const OBU_SEQUENCE_HEADER: u8 = 1;
    let mut found = None;
    while !body.rest().is_empty() {
        let head = body.u8("obu_header")?;
        if head & 0x80 != 0 {
            check.config(record, "obu_forbidden_bit is 1 in configOBUs");
            return Ok(found);
        }
        if head & 4 != 0 {
            body.u8("obu_extension_header")?;
        }
        if head & 2 == 0 {
            check.config(record, "obu_has_size_field is 0 in configOBUs");
            return Ok(found);
        }
        let len = leb128(body)?;
        let payload = body.take(len, "obu")?.rest();
        if head >> 3 & 0xf == OBU_SEQUENCE_HEADER {
            if found.is_some() {
                check.config(record, "there is a second sequence header in configOBUs");
                return Ok(found);
            }
            found = Some(read_sequence(payload)?);
        }
    }
    Ok(found)
}

fn leb128(body: &mut Body<'_>) -> Result<usize> {
    let offset = body.offset();
    let mut value = 0u64;
    for index in 0..8 {
        let byte = body.u8("obu_size")?;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return usize::try_from(value).map_err(|_| Error::truncated("obu", CLAUSE).at(offset));
        }
    }
    Err(Error::malformed("obu_size has more than 8 bytes", CLAUSE, "the file is damaged").at(offset))
}

/// `sequence_header_obu` as far as the colours (AV1 5.5.1).
fn read_sequence(payload: &[u8]) -> Result<Sequence> {
    let mut r = BitReader::without_emulation_prevention(payload, SEQUENCE_CLAUSE);
    let profile = r.u(3, "seq_profile")?;
    r.flag("still_picture")?;
    let reduced = r.flag("reduced_still_picture_header")?;
    let (level, high_tier) =
        if reduced { (r.u(5, "seq_level_idx")?, false) } else { read_operating_points(&mut r)? };
    let width_bits = r.u(4, "frame_width_bits_minus_1")? as u8 + 1;
    let height_bits = r.u(4, "frame_height_bits_minus_1")? as u8 + 1;
    let width = r.u(width_bits, "max_frame_width_minus_1")? + 1;
    let height = r.u(height_bits, "max_frame_height_minus_1")? + 1;
    if !reduced && r.flag("frame_id_numbers_present_flag")? {
        r.u(7, "delta_frame_id_length and additional_frame_id_length")?;
    }
    r.u(3, "use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter")?;
    if !reduced {
        skip_tools(&mut r)?;
    }
    r.u(3, "enable_superres, enable_cdef, enable_restoration")?;
    let color = read_color(&mut r, profile)?;
    Ok(Sequence { profile, level, high_tier, size: (width, height), color })
}

/// Timing and operating points ► level and tier of the first.
fn read_operating_points(r: &mut BitReader<'_>) -> Result<(u32, bool)> {
    let mut delay_bits = None;
    if r.flag("timing_info_present_flag")? {
        r.u(32, "num_units_in_display_tick")?;
        r.u(32, "time_scale")?;
        if r.flag("equal_picture_interval")? {
            r.ue("num_ticks_per_picture_minus_1")?;
        }
        if r.flag("decoder_model_info_present_flag")? {
            delay_bits = Some(r.u(5, "buffer_delay_length_minus_1")? as u8 + 1);
            r.u(32, "num_units_in_decoding_tick")?;
            r.u(10, "buffer_removal_time_length and frame_presentation_time_length")?;
        }
    }
    let has_display_delay = r.flag("initial_display_delay_present_flag")?;
    let mut first = None;
    for _ in 0..=r.u(5, "operating_points_cnt_minus_1")? {
        r.u(12, "operating_point_idc")?;
        let level = r.u(5, "seq_level_idx")?;
        let high_tier = level > 7 && r.flag("seq_tier")?;
        if let Some(bits) = delay_bits
            && r.flag("decoder_model_present_for_this_op")?
        {
            r.u(bits, "decoder_buffer_delay")?;
            r.u(bits, "encoder_buffer_delay")?;
            r.flag("low_delay_mode_flag")?;
        }
        if has_display_delay && r.flag("initial_display_delay_present_for_this_op")? {
            r.u(4, "initial_display_delay_minus_1")?;
        }
        first = first.or(Some((level, high_tier)));
    }
    Ok(first.unwrap_or_default())
}

/// Tools that a whole sequence header tells between the superblocks and `enable_superres`.
fn skip_tools(r: &mut BitReader<'_>) -> Result<()> {
    r.u(4, "enable_interintra_compound to enable_dual_filter")?;
    let has_order_hint = r.flag("enable_order_hint")?;
    if has_order_hint {
        r.u(2, "enable_jnt_comp and enable_ref_frame_mvs")?;
    }
    let choose = r.flag("seq_choose_screen_content_tools")?;
    let screen_content = choose || r.flag("seq_force_screen_content_tools")?;
    if screen_content && !r.flag("seq_choose_integer_mv")? {
        r.flag("seq_force_integer_mv")?;
    }
    if has_order_hint {
        r.u(3, "order_hint_bits_minus_1")?;
    }
    Ok(())
}

/// `color_config` (AV1 5.5.2).
fn read_color(r: &mut BitReader<'_>, profile: u32) -> Result<Color> {
    let high = r.flag("high_bitdepth")?;
    let twelve = profile == 2 && high && r.flag("twelve_bit")?;
    let mono_chrome = profile != 1 && r.flag("mono_chrome")?;
    let description = match r.flag("color_description_present_flag")? {
        true => Some((
            r.u(8, "color_primaries")?,
            r.u(8, "transfer_characteristics")?,
            r.u(8, "matrix_coefficients")?,
        )),
        false => None,
    };
    let mut color = Color {
        bit_depth: bit_depth(high, twelve),
        mono_chrome,
        subsampling: (true, true),
        chroma_sample_position: 0,
        description,
        full_range: true,
    };
    if mono_chrome {
        color.full_range = r.flag("color_range")?;
        return Ok(color);
    }
    // sRGB: BT.709 primaries, the transfer of IEC 61966-2-1, and no matrix.
    if description == Some((1, 13, 0)) {
        color.subsampling = (false, false);
        return Ok(color);
    }
    color.full_range = r.flag("color_range")?;
    color.subsampling = match profile {
        0 => (true, true),
        1 => (false, false),
        _ if twelve => {
            let x = r.flag("subsampling_x")?;
            (x, x && r.flag("subsampling_y")?)
        }
        _ => (true, false),
    };
    if color.subsampling == (true, true) {
        color.chroma_sample_position = r.u(2, "chroma_sample_position")?;
    }
    Ok(color)
}
