//! Sequence parameter set (H.265 7.3.2.2) ► the numbers that slice segment headers, order counts, the configuration
//! record and the sample entry depend on. Its extensions, whose flags are read, change none of them and are not read.

use crate::bits::BitReader;
use crate::codec::{ScanType, VideoFormat};
use crate::error::{Error, Result};

use super::reference_sets::skip_reference_sets;
use super::vps::read_max_sub_layers_minus1;
use super::{
    HEADER_LEN, ProfileTierLevel, Vui, payload, skip_scaling_lists, skip_sub_layer_ordering, u_u8, ue_u8,
};

/// A sequence parameter set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceParameterSet {
    /// `sps_seq_parameter_set_id`, 0..=15.
    pub id: u8,
    /// `sps_video_parameter_set_id`, 0..=15: the set it builds on.
    pub vps_id: u8,
    /// `sps_max_sub_layers_minus1 + 1`, 1..=7.
    pub max_sub_layers: u8,
    /// `sps_temporal_id_nesting_flag`.
    pub temporal_id_nesting: bool,
    /// What it asks of decoders.
    pub profile_tier_level: ProfileTierLevel,
    /// Chroma sampling and bit depths.
    pub chroma: ChromaFormat,
    /// `pic_width_in_luma_samples`, 1..=65535: before cropping.
    pub width: u16,
    /// `pic_height_in_luma_samples`, 1..=65535: before cropping.
    pub height: u16,
    /// Luma samples outside the conformance window on the left, right, top and bottom.
    pub crop: [u16; 4],
    /// `log2_max_pic_order_cnt_lsb_minus4 + 4`, 4..=16.
    pub log2_max_lsb: u8,
    /// `MinCbLog2SizeY`, 3..=6.
    pub log2_min_coding_block: u8,
    /// `CtbLog2SizeY`, 4..=6.
    pub log2_coding_tree_block: u8,
    /// Aspect ratio, colour, fields and timing.
    pub vui: Vui,
    /// The eight bits behind `sps_extension_present_flag`: `sps_range_extension_flag` is the highest; 0 without.
    pub extension_flags: u8,
}

/// Chroma sampling and bit depths (7.4.3.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChromaFormat {
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub idc: u8,
    /// `separate_colour_plane_flag`.
    pub separate_colour_planes: bool,
    /// Bits of a luma sample, 8..=16.
    pub luma_bits: u8,
    /// Bits of a chroma sample, 8..=16.
    pub chroma_bits: u8,
}

impl ChromaFormat {
    /// `SubWidthC` and `SubHeightC` (Table 6-1).
    const fn crop_unit(self) -> (u64, u64) {
        match self.idc {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        }
    }
}

const CLAUSE: &str = "H.265 7.4.3.2.1";

impl SequenceParameterSet {
    /// Reads the set in `nal`, a whole NAL unit. Offsets of errors count from its first header byte.
    pub fn read(nal: &[u8]) -> Result<Self> {
        Self::read_data(&mut payload(nal, CLAUSE)).map_err(|error| error.shift(HEADER_LEN as u64))
    }

    /// Size, sample shape and colour of the pictures as shown.
    pub fn video_format(&self) -> VideoFormat {
        let (width, height) = self.cropped_size();
        // Light levels are in SEI messages, if anywhere.
        VideoFormat {
            sample_aspect_ratio: self.vui.sample_aspect_ratio,
            colour: self.vui.colour,
            ..VideoFormat::of_size(width, height)
        }
    }

    /// Luma samples across and down that are coded, before cropping.
    pub fn coded_size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// Luma samples across and down that are shown.
    pub fn cropped_size(&self) -> (u16, u16) {
        let [left, right, top, bottom] = self.crop;
        (self.width - left - right, self.height - top - bottom)
    }

    /// `PicSizeInCtbsY`.
    pub fn coding_tree_blocks(&self) -> u32 {
        let blocks = |side: u16| u32::from(side).div_ceil(1 << self.log2_coding_tree_block);
        // At least 16 samples a side: at most 4096 blocks a side.
        blocks(self.width) * blocks(self.height)
    }

    /// How the pictures were taken: what the source flags say (7.4.4), where `field_seq_flag` does not contradict it.
    pub fn scan(&self) -> Option<ScanType> {
        match (self.profile_tier_level.source_scan(), self.vui.field_seq) {
            (Some(ScanType::Progressive), true) => None,
            (_, true) => Some(ScanType::Interlaced),
            (scan, false) => scan,
        }
    }

    fn read_data(r: &mut BitReader<'_>) -> Result<Self> {
        let vps_id = u_u8(r, 4, "sps_video_parameter_set_id")?;
        let max_sub_layers_minus1 = read_max_sub_layers_minus1(r, "sps_max_sub_layers_minus1")?;
        let temporal_id_nesting = r.flag("sps_temporal_id_nesting_flag")?;
        let profile_tier_level = ProfileTierLevel::read(r, max_sub_layers_minus1)?;
        let id = ue_u8(r, 15, "sps_seq_parameter_set_id", "0..=15")?;
        let idc = ue_u8(r, 3, "chroma_format_idc", "0..=3")?;
        let separate_colour_planes = idc == 3 && r.flag("separate_colour_plane_flag")?;
        let size_at = r.byte_offset();
        let (width, height) =
            (read_side(r, "pic_width_in_luma_samples")?, read_side(r, "pic_height_in_luma_samples")?);
        let crop_at = r.byte_offset();
        let window = if r.flag("conformance_window_flag")? { read_window(r)? } else { [0; 4] };
        let luma_bits = 8 + ue_u8(r, 8, "bit_depth_luma_minus8", "0..=8")?;
        let chroma_bits = 8 + ue_u8(r, 8, "bit_depth_chroma_minus8", "0..=8")?;
        let chroma = ChromaFormat { idc, separate_colour_planes, luma_bits, chroma_bits };
        let crop = crop(window, (width, height), chroma.crop_unit()).map_err(|error| error.at(crop_at))?;
        let log2_max_lsb = 4 + ue_u8(r, 12, "log2_max_pic_order_cnt_lsb_minus4", "0..=12")?;
        skip_sub_layer_ordering(r, max_sub_layers_minus1)?;
        let (log2_min_coding_block, log2_coding_tree_block) = read_block_sizes(r)?;
        check_size((width, height), log2_min_coding_block).map_err(|error| error.at(size_at))?;
        skip_coding_tools(r, log2_max_lsb)?;
        let vui = if r.flag("vui_parameters_present_flag")? {
            Vui::read(r, max_sub_layers_minus1)?
        } else {
            Vui::default()
        };
        let extended = r.flag("sps_extension_present_flag")?;
        let extension_flags = if extended { u_u8(r, 8, "sps_range_extension_flag")? } else { 0 };
        Ok(Self {
            id,
            vps_id,
            max_sub_layers: max_sub_layers_minus1 + 1,
            temporal_id_nesting,
            profile_tier_level,
            chroma,
            width,
            height,
            crop,
            log2_max_lsb,
            log2_min_coding_block,
            log2_coding_tree_block,
            vui,
            extension_flags,
        })
    }
}

/// Samples a side: the sample entry holds 16-bit sizes (ISO/IEC 14496-12 12.1.3). Levels end far below (A.4.1).
fn read_side(r: &mut BitReader<'_>, element: &'static str) -> Result<u16> {
    let at = r.byte_offset();
    let side = r.ue(element)?;
    u16::try_from(side)
        .ok()
        .filter(|&side| side > 0)
        .ok_or_else(|| Error::out_of_range(element, side, "1..=65535", CLAUSE).at(at))
}

fn check_size((width, height): (u16, u16), log2_min_coding_block: u8) -> Result<()> {
    let block = 1u16 << log2_min_coding_block;
    if width % block == 0 && height % block == 0 {
        return Ok(());
    }
    let what = format!(
        "pictures of {width}x{height} do not consist of whole coding blocks of {block} samples a side"
    );
    Err(Error::malformed(what, CLAUSE, "the parameter set is damaged"))
}

/// Offsets of the conformance window in chroma units.
fn read_window(r: &mut BitReader<'_>) -> Result<[u32; 4]> {
    Ok([
        r.ue("conf_win_left_offset")?,
        r.ue("conf_win_right_offset")?,
        r.ue("conf_win_top_offset")?,
        r.ue("conf_win_bottom_offset")?,
    ])
}

/// Left, right, top, bottom in luma samples; something must remain.
fn crop(window: [u32; 4], (width, height): (u16, u16), unit: (u64, u64)) -> Result<[u16; 4]> {
    let [left, right, top, bottom] = window.map(u64::from);
    let [left, right, top, bottom] = [left * unit.0, right * unit.0, top * unit.1, bottom * unit.1];
    if left + right >= u64::from(width) || top + bottom >= u64::from(height) {
        let what = format!(
            "cropping takes {left} + {right} of {width} columns and {top} + {bottom} of {height} lines, nothing remains"
        );
        return Err(Error::malformed(what, CLAUSE, "the parameter set is damaged"));
    }
    let fits = |samples: u64| u16::try_from(samples).expect("less than a side, which fits 16 bits");
    Ok([left, right, top, bottom].map(fits))
}

/// `MinCbLog2SizeY` and `CtbLog2SizeY`; every profile has the latter in 4..=6 (A.3).
fn read_block_sizes(r: &mut BitReader<'_>) -> Result<(u8, u8)> {
    let min = 3 + ue_u8(r, 3, "log2_min_luma_coding_block_size_minus3", "0..=3")?;
    let at = r.byte_offset();
    let tree = min + ue_u8(r, 3, "log2_diff_max_min_luma_coding_block_size", "0..=3")?;
    if !(4..=6).contains(&tree) {
        return Err(Error::out_of_range("CtbLog2SizeY", tree, "4..=6", "H.265 A.3").at(at));
    }
    Ok((min, tree))
}

/// From the transform block sizes to what stands in front of `vui_parameters_present_flag`.
fn skip_coding_tools(r: &mut BitReader<'_>, log2_max_lsb: u8) -> Result<()> {
    r.ue("log2_min_luma_transform_block_size_minus2")?;
    r.ue("log2_diff_max_min_luma_transform_block_size")?;
    r.ue("max_transform_hierarchy_depth_inter")?;
    r.ue("max_transform_hierarchy_depth_intra")?;
    if r.flag("scaling_list_enabled_flag")? && r.flag("sps_scaling_list_data_present_flag")? {
        skip_scaling_lists(r)?;
    }
    r.flag("amp_enabled_flag")?;
    r.flag("sample_adaptive_offset_enabled_flag")?;
    if r.flag("pcm_enabled_flag")? {
        r.u(4, "pcm_sample_bit_depth_luma_minus1")?;
        r.u(4, "pcm_sample_bit_depth_chroma_minus1")?;
        r.ue("log2_min_pcm_luma_coding_block_size_minus3")?;
        r.ue("log2_diff_max_min_pcm_luma_coding_block_size")?;
        r.flag("pcm_loop_filter_disabled_flag")?;
    }
    skip_reference_sets(r)?;
    if r.flag("long_term_ref_pics_present_flag")? {
        for _ in 0..r.ue_max(32, "num_long_term_ref_pics_sps", "0..=32")? {
            r.u(log2_max_lsb, "lt_ref_pic_poc_lsb_sps")?;
            r.flag("used_by_curr_pic_lt_sps_flag")?;
        }
    }
    r.flag("sps_temporal_mvp_enabled_flag")?;
    r.flag("strong_intra_smoothing_enabled_flag")?;
    Ok(())
}
