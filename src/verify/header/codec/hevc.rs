//! `hvcC`: HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1), its codec string (E.3), and the size of the pictures
//! from the sequence parameter sets in it (H.265 7.3.2.2, 7.4.3.2.1).

use super::super::INIT_PARAMETER_SETS;
use super::super::check::Check;
use super::{Facts, Sampling, cropped};
use crate::bits::BitReader;
use crate::boxes::FourCc;
use crate::boxes::reader::BoxRef;
use crate::error::{Error, Result};

const CLAUSE: &str = "ISO/IEC 14496-15 8.3.3.1";
const SPS_CLAUSE: &str = "H.265 7.3.2.2";

/// `nal_unit_type`.
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;

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
    let profile = body.u8("general_profile_idc")?;
    let compatibility = body.u32("general_profile_compatibility_flags")?;
    let constraints: [u8; 6] = body.array("general_constraint_indicator_flags")?;
    let level = body.u8("general_level_idc")?;
    if matches!(&format.0, b"hvc1" | b"hev1") {
        facts.codec = Some(codec_string(format, profile, compatibility, constraints, level));
    }
    body.take(3, "min_spatial_segmentation_idc and parallelismType")?;
    let sampling = body.array("chromaFormat, bitDepthLumaMinus8 and bitDepthChromaMinus8")?;
    body.take(2, "avgFrameRate")?;
    if body.u8("lengthSizeMinusOne")? & 3 == 2 {
        check.config(record, "lengthSizeMinusOne is 2: lengths have 1, 2 or 4 bytes");
    }
    let mut counts = [0u32; 3];
    let mut are_complete = true;
    for _ in 0..body.u8("numOfArrays")? {
        let head = body.u8("array_completeness and NAL_unit_type")?;
        let nal_unit_type = head & 0x3f;
        let count = body.u16("numNalus")?;
        if let VPS..=PPS = nal_unit_type {
            are_complete &= head & 0x80 != 0;
            counts[usize::from(nal_unit_type - VPS)] += u32::from(count);
        }
        for _ in 0..count {
            let len = body.u16("nalUnitLength")?;
            let nal = body.take(len.into(), "nalUnit")?.rest();
            read_nal(record, nal, nal_unit_type, facts)?;
        }
    }
    if format.0 == *b"hvc1" {
        facts.check_sampling(check, record, sampling);
    }
    if !body.rest().is_empty() {
        check.config(record, format_args!("{} bytes behind the arrays", body.rest().len()));
    }
    if format.0 == *b"hvc1" {
        if counts.contains(&0) {
            let [vps, sps, pps] = counts;
            let message =
                format!("{vps} video, {sps} sequence and {pps} picture parameter sets, 'hvc1' has all here");
            check.config(record, message);
        } else if !are_complete {
            let message = "array_completeness of parameter sets is 0, which is 1 for 'hvc1'";
            check.add(&INIT_PARAMETER_SETS, record.offset, message);
        }
    }
    Ok(())
}

/// `hvc1.1.6.L93.B0`: profile, compatibility flags in reverse as hexadecimal, tier and level, constraint bytes without zeros
/// at the end.
fn codec_string(format: FourCc, profile: u8, compatibility: u32, constraints: [u8; 6], level: u8) -> String {
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let mut string =
        format!("{format}.{space}{}.{:X}.{tier}{level}", profile & 0x1f, compatibility.reverse_bits());
    let kept = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..kept] {
        string.push_str(&format!(".{byte:X}"));
    }
    string
}

/// Checks the type of a NAL unit, and takes the size from a sequence parameter set of the base layer.
fn read_nal(record: &BoxRef<'_>, nal: &[u8], nal_unit_type: u8, facts: &mut Facts) -> Result<()> {
    let malformed = |what: String| Error::malformed(what, CLAUSE, "the file is damaged").at(record.offset);
    let &[first, second, ref payload @ ..] = nal else {
        return Err(malformed("a NAL unit of less than two bytes".to_owned()));
    };
    let found = first >> 1 & 0x3f;
    if found != nal_unit_type {
        return Err(malformed(format!("a NAL unit of type {found} in the array of type {nal_unit_type}")));
    }
    let layer = (first & 1) << 5 | second >> 3;
    if found != SPS || layer != 0 {
        return Ok(());
    }
    let (sampling, size) = picture_size(payload)
        .map_err(|error| malformed(format!("sequence parameter set: {}", error.kind())))?;
    let nothing = || malformed("the conformance window leaves nothing of the pictures".to_owned());
    facts.sizes.push(size.ok_or_else(nothing)?);
    facts.formats.push(sampling);
    Ok(())
}

/// How the pictures are sampled, and their width and height in the conformance window; no size where that is empty.
fn picture_size(payload: &[u8]) -> Result<(Sampling, Option<(u32, u32)>)> {
    let mut r = BitReader::new(payload, SPS_CLAUSE);
    r.u(4, "sps_video_parameter_set_id")?;
    let sub_layers = r.u(3, "sps_max_sub_layers_minus1")?;
    r.flag("sps_temporal_id_nesting_flag")?;
    skip_profile_tier_level(&mut r, sub_layers)?;
    r.ue_max(15, "sps_seq_parameter_set_id", "0..=15")?;
    let chroma_format = r.ue_max(3, "chroma_format_idc", "0..=3")?;
    if chroma_format == 3 {
        r.flag("separate_colour_plane_flag")?;
    }
    let (width, height) = (r.ue("pic_width_in_luma_samples")?, r.ue("pic_height_in_luma_samples")?);
    let (unit_x, unit_y) = match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let mut window = [0; 4];
    if r.flag("conformance_window_flag")? {
        for offset in &mut window {
            *offset = r.ue("conf_win_offset")?;
        }
    }
    let [left, right, top, bottom] = window;
    let depths = [r.ue("bit_depth_luma_minus8")?, r.ue("bit_depth_chroma_minus8")?];
    let size = cropped(width, unit_x, left, right).zip(cropped(height, unit_y, top, bottom));
    Ok((Sampling { chroma_format, depths }, size))
}

/// `profile_tier_level(1, sub_layers)` (7.3.3).
fn skip_profile_tier_level(r: &mut BitReader<'_>, sub_layers: u32) -> Result<()> {
    const PROFILE_BITS: [u8; 3] = [32, 32, 24];
    let skip_profile = |r: &mut BitReader<'_>| -> Result<()> {
        PROFILE_BITS.iter().try_for_each(|&bits| r.u(bits, "profile").map(drop))
    };
    skip_profile(r)?;
    r.u(8, "general_level_idc")?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((r.flag("sub_layer_profile_present_flag")?, r.flag("sub_layer_level_present_flag")?));
    }
    if sub_layers > 0 {
        for _ in sub_layers..8 {
            r.u(2, "reserved_zero_2bits")?;
        }
    }
    for (has_profile, has_level) in present {
        if has_profile {
            skip_profile(r)?;
        }
        if has_level {
            r.u(8, "sub_layer_level_idc")?;
        }
    }
    Ok(())
}
