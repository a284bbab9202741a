//! Sequence parameter set (H.265 7.3.2.2) ► the numbers that slice segment headers, order counts, the configuration
//! record and the sample entry depend on. Its extensions, whose flags are read, change none of them and are not read.

use crate::bits::BitReader;
use crate::codec::picture_format::{ChromaFormat, PictureFormat, SequenceSet, crop};
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

const CLAUSE: &str = "H.265 7.4.3.2.1";

impl SequenceParameterSet {
    /// Reads the set in `nal`, a whole NAL unit. Offsets of errors count from its first header byte.
    pub fn read(nal: &[u8]) -> Result<Self> {
        Self::read_data(&mut payload(nal, CLAUSE)).map_err(|error| error.shift(HEADER_LEN as u64))
    }

    /// Size, sample shape and colour of the pictures as shown.
    pub fn video_format(&self) -> VideoFormat {
        self.picture_format().video_format()
    }

    /// Luma samples across and down that are coded, before cropping.
    pub fn coded_size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// Luma samples across and down that are shown.
    pub fn cropped_size(&self) -> (u16, u16) {
        self.picture_format().cropped_size()
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
        let crop =
            crop(window, (width, height), chroma.crop_unit(), CLAUSE).map_err(|error| error.at(crop_at))?;
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

impl SequenceSet for SequenceParameterSet {
    fn id(&self) -> u8 {
        self.id
    }

    fn picture_format(&self) -> PictureFormat {
        PictureFormat {
            coded_size: self.coded_size(),
            crop: self.crop,
            chroma: self.chroma,
            sample_aspect_ratio: self.vui.sample_aspect_ratio,
            colour: self.vui.colour,
            field_seq: self.vui.field_seq,
        }
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

#[cfg(test)]
mod tests {
    use super::super::Timing;
    use super::super::testing::{self, BitWriter, Profile};
    use super::*;
    use crate::codec::{Colour, SampleAspectRatio};

    /// x265 3.5 (build 199) in FFmpeg 5.1.9: `testsrc2=s=1920x1080:r=30000/1001`, preset ultrafast, `sar=4:3`, `hrd=1`,
    /// `scaling-list=default`. Expected values below from FFmpeg's `trace_headers`.
    const X265_1080P_HRD: &[u8] = &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00,
        0x78, 0xa0, 0x03, 0xc0, 0x80, 0x11, 0x07, 0xcb, 0x96, 0x56, 0x54, 0xa4, 0xe1, 0x78, 0x73, 0x40, 0x40,
        0x00, 0x00, 0xfa, 0x40, 0x00, 0x1d, 0x4c, 0x18, 0x27, 0x25, 0x9b, 0x80, 0x03, 0xd0, 0x90, 0x00, 0x7a,
        0x12, 0x20,
    ];

    /// The same encoder: 320x180 in 4:4:4 with 12 bits, High tier.
    const X265_444_12: &[u8] = &[
        0x42, 0x01, 0x01, 0x24, 0x08, 0x00, 0x00, 0x03, 0x00, 0x98, 0x08, 0x00, 0x00, 0x03, 0x00, 0x00, 0x78,
        0x90, 0x01, 0x41, 0x01, 0x83, 0xe3, 0x4a, 0x52, 0xca, 0xca, 0x94, 0x98, 0x5e, 0x02, 0xd0, 0x10, 0x00,
        0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01, 0x90, 0x80,
    ];

    /// The same encoder: 320x180 with two temporal sub-layers.
    const X265_SUB_LAYERS: &[u8] = &[
        0x42, 0x01, 0x02, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00,
        0x3c, 0x00, 0x00, 0xa0, 0x0a, 0x08, 0x0b, 0x9f, 0x79, 0x65, 0x66, 0x2b, 0x34, 0x92, 0x65, 0x78, 0x0b,
        0x40, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x06, 0x42,
    ];

    #[test]
    fn set_of_a_real_encoder_reads_as_ffmpeg_reads_it() {
        let sps = SequenceParameterSet::read(X265_1080P_HRD).unwrap();
        let expected = SequenceParameterSet {
            id: 0,
            vps_id: 0,
            max_sub_layers: 1,
            temporal_id_nesting: true,
            profile_tier_level: ProfileTierLevel {
                profile_space: 0,
                high_tier: false,
                profile_idc: 1,
                compatibility_flags: 0x6000_0000,
                constraint_flags: 0x9000_0000_0000,
                level_idc: 120,
            },
            chroma: ChromaFormat { idc: 1, separate_colour_planes: false, luma_bits: 8, chroma_bits: 8 },
            width: 1920,
            height: 1088,
            crop: [0, 0, 0, 8],
            log2_max_lsb: 8,
            log2_min_coding_block: 4,
            log2_coding_tree_block: 5,
            vui: Vui {
                sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 4, vertical: 3 }),
                timing: Some(Timing { num_units_in_tick: 1001, time_scale: 30_000, fixed_ticks: Some(1) }),
                ..Vui::default()
            },
            extension_flags: 0,
        };
        assert_eq!(sps, expected);
        assert_eq!((sps.cropped_size(), sps.coding_tree_blocks()), ((1920, 1080), 60 * 34));
        assert_eq!(sps.scan(), Some(ScanType::Progressive));
    }

    #[test]
    fn formats_of_real_encoders_come_out() {
        let facts = |bytes| {
            let sps = SequenceParameterSet::read(bytes).unwrap();
            (sps.chroma.idc, sps.chroma.luma_bits, sps.cropped_size(), sps.max_sub_layers)
        };
        assert_eq!(facts(X265_444_12), (3, 12, (320, 180), 1));
        assert_eq!(facts(X265_SUB_LAYERS), (1, 8, (320, 180), 2));
    }

    #[test]
    fn set_cut_off_anywhere_is_an_error() {
        // The last byte of these holds flags in front of the trailing bits, so that each cut loses an element.
        for set in [X265_1080P_HRD, X265_SUB_LAYERS] {
            for len in 2..set.len() {
                let error = SequenceParameterSet::read(&set[..len]).unwrap_err();
                assert!(error.to_string().contains("runs past the end"), "{len}: {error}");
                assert_eq!(error.offset(), Some(len as u64));
            }
        }
    }

    fn read(sps: &testing::Sps) -> Result<SequenceParameterSet> {
        SequenceParameterSet::read(&sps.nal())
    }

    #[test]
    fn crop_units_follow_the_chroma_format() {
        let crop = |idc: u32, separate: bool| {
            let sps = testing::Sps {
                chroma: (idc, 8, 8),
                separate_colour_planes: separate,
                window: Some([1, 2, 3, 4]),
                ..Default::default()
            };
            read(&sps).unwrap().crop
        };
        assert_eq!(crop(0, false), [1, 2, 3, 4]);
        assert_eq!(crop(1, false), [2, 4, 6, 8]);
        assert_eq!(crop(2, false), [2, 4, 3, 4]);
        assert_eq!(crop(3, false), [1, 2, 3, 4]);
        assert_eq!(crop(3, true), [1, 2, 3, 4]);
    }

    #[test]
    fn crop_that_leaves_nothing_is_refused() {
        for window in [[16, 16, 0, 0], [0, 0, 12, 12], [u32::MAX - 1, u32::MAX - 1, 0, 0]] {
            let error = read(&testing::Sps { window: Some(window), ..Default::default() }).unwrap_err();
            assert!(error.to_string().contains("nothing remains"), "{error}");
        }
        let sps = testing::Sps { window: Some([15, 16, 11, 12]), ..Default::default() };
        assert_eq!(read(&sps).unwrap().cropped_size(), (2, 2));
    }

    #[test]
    fn everything_in_front_of_vui_is_read_past() {
        let mut reference_sets = BitWriter::default();
        reference_sets.ue(2).ue(1).ue(1).ue(0).flag(true).ue(0).flag(true);
        reference_sets.flag(true).flag(true).ue(0); // one back: -2, and itself at -1; the one at 1 comes to stand at 0
        reference_sets.flag(true).flag(false).flag(true).flag(true);
        let mut scaling_lists = BitWriter::default();
        for _ in 0..20 {
            scaling_lists.flag(false).ue(0);
        }
        let sps = testing::Sps {
            id: 15,
            vps_id: 15,
            max_sub_layers: 7,
            scaling_lists: Some(scaling_lists),
            pcm: true,
            reference_sets: Some(reference_sets),
            long_term: Some(vec![0xffff; 32]),
            log2_max_lsb: 16,
            log2_blocks: (6, 6),
            size: (128, 64),
            vui: Some(testing::vui_timing(1, 50)),
            extension_flags: Some(0x81),
            ..Default::default()
        };
        let sps = read(&sps).unwrap();
        assert_eq!((sps.id, sps.vps_id, sps.max_sub_layers, sps.log2_max_lsb), (15, 15, 7, 16));
        assert_eq!((sps.coding_tree_blocks(), sps.extension_flags), (2, 0x81));
        assert_eq!(sps.vui.timing, Some(Timing { num_units_in_tick: 1, time_scale: 50, fixed_ticks: None }));
    }

    #[test]
    fn fields_and_source_flags_tell_the_scan() {
        let scan = |constraints: u64, fields: bool| {
            let profile = Profile { constraints: constraints << 44, ..Default::default() };
            let vui = fields.then(testing::vui_fields);
            read(&testing::Sps { profile, vui, ..Default::default() }).unwrap().scan()
        };
        assert_eq!(scan(0b1000, false), Some(ScanType::Progressive));
        assert_eq!(scan(0b0100, false), Some(ScanType::Interlaced));
        assert_eq!(scan(0b0000, true), Some(ScanType::Interlaced));
        assert_eq!(scan(0b1000, true), None);
        assert_eq!(scan(0b1100, false), None);
    }

    #[test]
    fn sample_shape_is_that_of_vui() {
        let vui = Some(testing::vui_aspect(855, 857));
        let format = read(&testing::Sps { vui, ..Default::default() }).unwrap().video_format();
        let sample_aspect_ratio = Some(SampleAspectRatio { horizontal: 855, vertical: 857 });
        assert_eq!(format, VideoFormat { sample_aspect_ratio, ..VideoFormat::of_size(64, 48) });
    }

    #[test]
    fn colour_is_that_of_vui() {
        let mut vui = BitWriter::default();
        vui.u(0, 2).flag(true).u(5, 3).flag(true).flag(true).u(9, 8).u(18, 8).u(9, 8).u(0, 7);
        let format = read(&testing::Sps { vui: Some(vui), ..Default::default() }).unwrap().video_format();
        let colour = Colour { primaries: 9, transfer: 18, matrix: 9, full_range: true };
        let expected = VideoFormat { colour: Some(colour), ..VideoFormat::of_size(64, 48) };
        assert_eq!(format, expected);
    }

    #[test]
    fn values_out_of_range_name_element_value_and_byte() {
        let sps = testing::Sps::default;
        let broken: [(testing::Sps, &str); 11] = [
            (testing::Sps { id: 16, ..sps() }, "sps_seq_parameter_set_id is 16, must be 0..=15"),
            (testing::Sps { max_sub_layers: 8, ..sps() }, "sps_max_sub_layers_minus1 is 7, must be 0..=6"),
            (testing::Sps { chroma: (4, 8, 8), ..sps() }, "chroma_format_idc is 4, must be 0..=3"),
            (testing::Sps { chroma: (1, 17, 8), ..sps() }, "bit_depth_luma_minus8 is 9, must be 0..=8"),
            (testing::Sps { chroma: (1, 8, 17), ..sps() }, "bit_depth_chroma_minus8 is 9, must be 0..=8"),
            (testing::Sps { size: (0, 48), ..sps() }, "pic_width_in_luma_samples is 0, must be 1..=65535"),
            (testing::Sps { size: (64, 65536), ..sps() }, "pic_height_in_luma_samples is 65536"),
            (testing::Sps { size: (68, 48), ..sps() }, "68x48 do not consist of whole coding blocks of 8"),
            (testing::Sps { log2_max_lsb: 17, ..sps() }, "log2_max_pic_order_cnt_lsb_minus4 is 13"),
            (testing::Sps { log2_blocks: (3, 3), ..sps() }, "CtbLog2SizeY is 3, must be 4..=6"),
            (testing::Sps { log2_blocks: (4, 7), ..sps() }, "CtbLog2SizeY is 7, must be 4..=6"),
        ];
        for (sps, message) in broken {
            let error = read(&sps).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.offset().is_some_and(|at| at >= 2), "{error}");
        }
    }
}
