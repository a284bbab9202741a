//! `avcC`: AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.2.4.1), and the size of the pictures from the sequence
//! parameter sets in it (H.264 7.3.2.1.1, 7.4.2.1.1).

use super::super::INIT_PROFILE;
use super::super::check::Check;
use super::{Facts, Sampling, cropped};
use crate::bits::BitReader;
use crate::boxes::FourCc;
use crate::boxes::reader::{Body, BoxRef};
use crate::error::Result;

const CLAUSE: &str = "ISO/IEC 14496-15 5.2.4.1";
const SPS_CLAUSE: &str = "H.264 7.3.2.1.1";

/// `nal_unit_type`.
const SPS: u8 = 7;
const PPS: u8 = 8;
const SPS_EXTENSION: u8 = 13;

pub(super) fn read(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    format: FourCc,
    facts: &mut Facts,
) -> Result<()> {
    let mut body = record.fields(CLAUSE);
    let version = body.u8("configurationVersion")?;
    if version != 1 {
        check.config(record, format_args!("configurationVersion is {version}, not 1"));
        return Ok(());
    }
    let profile = body.u8("AVCProfileIndication")?;
    let [compatibility, level] = body.array("profile_compatibility and AVCLevelIndication")?;
    if format.0.starts_with(b"avc") {
        facts.codec = Some(format!("{format}.{profile:02X}{compatibility:02X}{level:02X}"));
    }
    if body.u8("lengthSizeMinusOne")? & 3 == 2 {
        check.config(record, "lengthSizeMinusOne is 2: lengths have 1, 2 or 4 bytes");
    }
    // Of the others the record has to cover parameter sets that are elsewhere.
    let is_whole = matches!(&format.0, b"avc1" | b"avc2");
    let sps_count = body.u8("numOfSequenceParameterSets")? & 0x1f;
    for _ in 0..sps_count {
        if let Some(nal) = read_nal(check, record, &mut body, SPS)? {
            match picture_size(nal) {
                Ok((sampling, Some(size))) => {
                    facts.sizes.push(size);
                    facts.formats.push(sampling);
                    let own = nal
                        .get(1..4)
                        .filter(|&own| is_whole && sps_count == 1 && own != [profile, compatibility, level]);
                    if let Some(own) = own {
                        let message = format!(
                            "profile, constraints and level are {profile:02X}{compatibility:02X}{level:02X}, those of the \
                             sequence parameter set {:02X}{:02X}{:02X}",
                            own[0], own[1], own[2]
                        );
                        check.add(&INIT_PROFILE, record.offset, message);
                    }
                }
                Ok((_, None)) => check.config(record, "cropping leaves nothing of the pictures"),
                Err(error) => check.config(record, format_args!("sequence parameter set: {}", error.kind())),
            }
        }
    }
    let pps_count = body.u8("numOfPictureParameterSets")?;
    for _ in 0..pps_count {
        read_nal(check, record, &mut body, PPS)?;
    }
    if is_whole && (sps_count == 0 || pps_count == 0) {
        let message =
            format!("{sps_count} sequence and {pps_count} picture parameter sets, '{format}' has all here");
        check.config(record, message);
    }
    // Baseline, main and extended profile end here.
    if !matches!(profile, 66 | 77 | 88) && !body.rest().is_empty() {
        let told = body.array("chroma_format, bit_depth_luma_minus8, bit_depth_chroma_minus8")?;
        if is_whole {
            facts.check_sampling(check, record, told);
        }
        for _ in 0..body.u8("numOfSequenceParameterSetExt")? {
            read_nal(check, record, &mut body, SPS_EXTENSION)?;
        }
    }
    if !body.rest().is_empty() {
        check.config(record, format_args!("{} bytes behind the parameter sets", body.rest().len()));
    }
    Ok(())
}

/// A parameter set with its length; `None` if it is not of the type.
fn read_nal<'a>(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    body: &mut Body<'a>,
    nal_unit_type: u8,
) -> Result<Option<&'a [u8]>> {
    let len = body.u16("parameterSetLength")?;
    let nal = body.take(len.into(), "parameterSetNALUnit")?.rest();
    let found = nal.first().map(|byte| byte & 0x1f);
    if found == Some(nal_unit_type) {
        return Ok(Some(nal));
    }
    let found = found.map_or("nothing".to_owned(), |found| format!("type {found}"));
    check.config(record, format_args!("a NAL unit of {found} in place of type {nal_unit_type}"));
    Ok(None)
}

/// How the pictures are sampled, and their width and height after cropping, of a NAL unit with a sequence parameter set; no size
/// where cropping leaves nothing.
fn picture_size(nal: &[u8]) -> Result<(Sampling, Option<(u32, u32)>)> {
    let mut r = BitReader::new(nal.get(1..).unwrap_or_default(), SPS_CLAUSE);
    let profile = r.u(8, "profile_idc")?;
    r.u(16, "constraint flags and level_idc")?;
    r.ue_max(31, "seq_parameter_set_id", "0..=31")?;
    let mut chroma_format = 1;
    let mut sampling = Sampling { chroma_format, depths: [0, 0] };
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma_format = r.ue_max(3, "chroma_format_idc", "0..=3")?;
        sampling.chroma_format = chroma_format;
        if chroma_format == 3 && r.flag("separate_colour_plane_flag")? {
            chroma_format = 0;
        }
        sampling.depths = [r.ue("bit_depth_luma_minus8")?, r.ue("bit_depth_chroma_minus8")?];
        r.flag("qpprime_y_zero_transform_bypass_flag")?;
        if r.flag("seq_scaling_matrix_present_flag")? {
            skip_scaling_lists(&mut r, if chroma_format == 3 { 12 } else { 8 })?;
        }
    }
    r.ue("log2_max_frame_num_minus4")?;
    match r.ue_max(2, "pic_order_cnt_type", "0..=2")? {
        0 => drop(r.ue("log2_max_pic_order_cnt_lsb_minus4")?),
        1 => {
            r.flag("delta_pic_order_always_zero_flag")?;
            r.se("offset_for_non_ref_pic")?;
            r.se("offset_for_top_to_bottom_field")?;
            for _ in 0..r.ue_max(255, "num_ref_frames_in_pic_order_cnt_cycle", "0..=255")? {
                r.se("offset_for_ref_frame")?;
            }
        }
        _ => {}
    }
    r.ue("max_num_ref_frames")?;
    r.flag("gaps_in_frame_num_value_allowed_flag")?;
    let width = r.ue("pic_width_in_mbs_minus1")?.saturating_add(1).saturating_mul(16);
    let map_units = r.ue("pic_height_in_map_units_minus1")?.saturating_add(1);
    let frame_mbs_only = r.flag("frame_mbs_only_flag")?;
    let fields = if frame_mbs_only { 1 } else { 2 };
    if !frame_mbs_only {
        r.flag("mb_adaptive_frame_field_flag")?;
    }
    let height = map_units.saturating_mul(16 * fields);
    r.flag("direct_8x8_inference_flag")?;
    if !r.flag("frame_cropping_flag")? {
        return Ok((sampling, Some((width, height))));
    }
    let (unit_x, unit_y) = match chroma_format {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let (left, right) = (r.ue("frame_crop_left_offset")?, r.ue("frame_crop_right_offset")?);
    let (top, bottom) = (r.ue("frame_crop_top_offset")?, r.ue("frame_crop_bottom_offset")?);
    Ok((sampling, cropped(width, unit_x, left, right).zip(cropped(height, unit_y, top, bottom))))
}

/// Scaling lists: six of 16 values, the others of 64 (7.3.2.1.1.1).
fn skip_scaling_lists(r: &mut BitReader<'_>, count: u32) -> Result<()> {
    for list in 0..count {
        if !r.flag("seq_scaling_list_present_flag")? {
            continue;
        }
        let (mut last, mut next) = (8i32, 8i32);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                let delta = r.se("delta_scale")?;
                next = last.wrapping_add(delta).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Ok(())
}
