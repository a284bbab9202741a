//! Sequence parameter set (H.264 7.3.2.1.1) ► the numbers that slice headers, order counts, the configuration record
//! and the sample entry depend on.

use crate::bits::BitReader;
use crate::codec::VideoFormat;
use crate::codec::picture_format::{ChromaFormat, PictureFormat, SequenceSet, crop};
use crate::error::{Error, Result};

use super::{Vui, se_in, u_u8, ue_u8};

/// A sequence parameter set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceParameterSet {
    /// `seq_parameter_set_id`, 0..=31.
    pub id: u8,
    /// `profile_idc` (A.2).
    pub profile_idc: u8,
    /// The byte behind it: `constraint_set0_flag` is the highest bit.
    pub constraint_flags: u8,
    /// `level_idc`: ten times the level; 9, or 11 with `constraint_set3_flag`, is level 1b (A.3).
    pub level_idc: u8,
    /// Chroma sampling and bit depths.
    pub chroma: ChromaFormat,
    /// `log2_max_frame_num_minus4 + 4`, 4..=16: bits of `frame_num`.
    pub log2_max_frame_num: u8,
    /// How order counts are coded.
    pub order: OrderCountType,
    /// `max_num_ref_frames`, 0..=16.
    pub max_num_ref_frames: u8,
    /// `PicWidthInMbs`, 1..=4095.
    pub width_in_mbs: u16,
    /// `FrameHeightInMbs`, 1..=4095.
    pub height_in_mbs: u16,
    /// `frame_mbs_only_flag`: there are no field pictures and no field macroblocks.
    pub frame_mbs_only: bool,
    /// `mb_adaptive_frame_field_flag`.
    pub mb_adaptive_frame_field: bool,
    /// Luma samples cut off on the left, right, top and bottom.
    pub crop: [u16; 4],
    /// Aspect ratio, colour and timing.
    pub vui: Vui,
}

/// `pic_order_cnt_type` with its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCountType {
    /// 0: the low bits are in the slice header.
    Lsb {
        /// `log2_max_pic_order_cnt_lsb_minus4 + 4`, 4..=16.
        log2_max_lsb: u8,
    },
    /// 1: counts follow a cycle of offsets, with a delta in the slice header.
    Cycle {
        /// `delta_pic_order_always_zero_flag`.
        delta_always_zero: bool,
        /// `offset_for_non_ref_pic`.
        offset_for_non_ref_pic: i32,
        /// `offset_for_top_to_bottom_field`.
        offset_for_top_to_bottom_field: i32,
        /// `offset_for_ref_frame[i]`, at most 255 of them.
        offsets_for_ref_frames: Vec<i32>,
    },
    /// 2: presentation order is decode order.
    DecodeOrder,
}

/// Profiles whose sets code chroma format and bit depths (7.3.2.1.1).
const PROFILES_WITH_CHROMA_FORMAT: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// What holds for the others: 4:2:0 in 8 bits.
const INFERRED_CHROMA: ChromaFormat =
    ChromaFormat { idc: 1, separate_colour_planes: false, luma_bits: 8, chroma_bits: 8 };

/// Macroblocks a side: the sample entry holds 16-bit sizes (ISO/IEC 14496-12 12.1.3). Levels end at 1055 (A.3.1).
const MAX_SIDE_IN_MBS: u32 = 4095;

const CLAUSE: &str = "H.264 7.4.2.1.1";

impl SequenceParameterSet {
    /// Reads the set in `nal`, a whole NAL unit. Offsets of errors count from its header byte.
    pub fn read(nal: &[u8]) -> Result<Self> {
        let payload = nal.get(1..).unwrap_or_default();
        let mut r = BitReader::new(payload, CLAUSE);
        Self::read_data(&mut r).map_err(|error| error.shift(1))
    }

    /// Size, sample shape and colour of the pictures as shown.
    pub fn video_format(&self) -> VideoFormat {
        self.picture_format().video_format()
    }

    /// Luma samples across and down that are coded, before cropping.
    pub fn coded_size(&self) -> (u16, u16) {
        (self.width_in_mbs * 16, self.height_in_mbs * 16)
    }

    /// Luma samples across and down that are shown.
    pub fn cropped_size(&self) -> (u16, u16) {
        self.picture_format().cropped_size()
    }

    fn read_data(r: &mut BitReader<'_>) -> Result<Self> {
        let profile_idc = u_u8(r, 8, "profile_idc")?;
        let constraint_flags = u_u8(r, 8, "constraint_set0_flag")?;
        let level_idc = u_u8(r, 8, "level_idc")?;
        let id = ue_u8(r, 31, "seq_parameter_set_id", "0..=31")?;
        let chroma = if PROFILES_WITH_CHROMA_FORMAT.contains(&profile_idc) {
            read_chroma_format(r)?
        } else {
            INFERRED_CHROMA
        };
        let log2_max_frame_num = 4 + ue_u8(r, 12, "log2_max_frame_num_minus4", "0..=12")?;
        let order = read_order_count_type(r)?;
        let max_num_ref_frames = ue_u8(r, 16, "max_num_ref_frames", "0..=16")?;
        r.flag("gaps_in_frame_num_value_allowed_flag")?;
        let width_in_mbs = 1 + r.ue_max(MAX_SIDE_IN_MBS - 1, "pic_width_in_mbs_minus1", "0..=4094")?;
        let height_at = r.byte_offset();
        let map_units = r.ue("pic_height_in_map_units_minus1")?;
        let frame_mbs_only = r.flag("frame_mbs_only_flag")?;
        let fields = if frame_mbs_only { 1 } else { 2 };
        if map_units >= MAX_SIDE_IN_MBS / fields {
            let allowed = if frame_mbs_only { "0..=4094" } else { "0..=2046" };
            return Err(Error::out_of_range(
                "pic_height_in_map_units_minus1",
                map_units,
                allowed,
                r.clause(),
            )
            .at(height_at));
        }
        let side = |mbs: u32| u16::try_from(mbs).expect("checked against MAX_SIDE_IN_MBS");
        let (width_in_mbs, height_in_mbs) = (side(width_in_mbs), side((map_units + 1) * fields));
        let mb_adaptive_frame_field = !frame_mbs_only && r.flag("mb_adaptive_frame_field_flag")?;
        r.flag("direct_8x8_inference_flag")?;
        let crop = if r.flag("frame_cropping_flag")? {
            let (unit_x, unit_y) = chroma.crop_unit();
            read_crop(r, (width_in_mbs * 16, height_in_mbs * 16), (unit_x, unit_y * u64::from(fields)))?
        } else {
            [0; 4]
        };
        let vui = if r.flag("vui_parameters_present_flag")? { Vui::read(r)? } else { Vui::default() };
        Ok(Self {
            id,
            profile_idc,
            constraint_flags,
            level_idc,
            chroma,
            log2_max_frame_num,
            order,
            max_num_ref_frames,
            width_in_mbs,
            height_in_mbs,
            frame_mbs_only,
            mb_adaptive_frame_field,
            crop,
            vui,
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
            field_seq: false,
        }
    }
}

fn read_chroma_format(r: &mut BitReader<'_>) -> Result<ChromaFormat> {
    let idc = ue_u8(r, 3, "chroma_format_idc", "0..=3")?;
    let separate_colour_planes = idc == 3 && r.flag("separate_colour_plane_flag")?;
    let luma_bits = 8 + ue_u8(r, 6, "bit_depth_luma_minus8", "0..=6")?;
    let chroma_bits = 8 + ue_u8(r, 6, "bit_depth_chroma_minus8", "0..=6")?;
    r.flag("qpprime_y_zero_transform_bypass_flag")?;
    if r.flag("seq_scaling_matrix_present_flag")? {
        let lists = if idc == 3 { 12 } else { 8 };
        for list in 0..lists {
            if r.flag("seq_scaling_list_present_flag")? {
                skip_scaling_list(r, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Ok(ChromaFormat { idc, separate_colour_planes, luma_bits, chroma_bits })
}

/// `scaling_list()` (7.3.2.1.1.1): a scale of 0 ends the list early.
fn skip_scaling_list(r: &mut BitReader<'_>, size: usize) -> Result<()> {
    let mut scale = 8;
    for _ in 0..size {
        let delta = se_in(r, (-128, 127), "delta_scale", "-128..=127")?;
        scale = (scale + delta + 256) % 256;
        if scale == 0 {
            break;
        }
    }
    Ok(())
}

fn read_order_count_type(r: &mut BitReader<'_>) -> Result<OrderCountType> {
    Ok(match r.ue_max(2, "pic_order_cnt_type", "0..=2")? {
        0 => OrderCountType::Lsb {
            log2_max_lsb: 4 + ue_u8(r, 12, "log2_max_pic_order_cnt_lsb_minus4", "0..=12")?,
        },
        1 => {
            let delta_always_zero = r.flag("delta_pic_order_always_zero_flag")?;
            let offset_for_non_ref_pic = r.se("offset_for_non_ref_pic")?;
            let offset_for_top_to_bottom_field = r.se("offset_for_top_to_bottom_field")?;
            let cycle = r.ue_max(255, "num_ref_frames_in_pic_order_cnt_cycle", "0..=255")?;
            let offsets_for_ref_frames =
                (0..cycle).map(|_| r.se("offset_for_ref_frame")).collect::<Result<_>>()?;
            OrderCountType::Cycle {
                delta_always_zero,
                offset_for_non_ref_pic,
                offset_for_top_to_bottom_field,
                offsets_for_ref_frames,
            }
        }
        _ => OrderCountType::DecodeOrder,
    })
}

/// Left, right, top, bottom in luma samples.
fn read_crop(r: &mut BitReader<'_>, size: (u16, u16), unit: (u64, u64)) -> Result<[u16; 4]> {
    let start = r.byte_offset();
    let window = [
        r.ue("frame_crop_left_offset")?,
        r.ue("frame_crop_right_offset")?,
        r.ue("frame_crop_top_offset")?,
        r.ue("frame_crop_bottom_offset")?,
    ];
    crop(window, size, unit, CLAUSE).map_err(|error| error.at(start))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, BitWriter};
    use super::*;
    use crate::codec::h264::{CpbDpbDelayLengths, Timing};
    use crate::codec::{Colour, SampleAspectRatio};

    /// libx264 core 164 r3095 in FFmpeg 5.1.9: `testsrc2=s=322x182:r=30000/1001`, `setsar=4/3`, yuv420p, BT.709,
    /// `nal-hrd=vbr`. Expected values below from FFmpeg's `trace_headers`.
    const X264_HIGH_HRD: &[u8] = &[
        0x67, 0x64, 0x00, 0x14, 0xac, 0xd9, 0x41, 0x51, 0x9e, 0x22, 0x6c, 0x39, 0xa8, 0x08, 0x08, 0x0a, 0x00,
        0x00, 0x07, 0xd2, 0x00, 0x01, 0xd4, 0xc0, 0xc0, 0x80, 0x01, 0xe8, 0x48, 0x00, 0x3d, 0x09, 0x49, 0x86,
        0x00, 0xf1, 0x42, 0x99, 0x60,
    ];

    /// The same encoder: 322x182 yuv422p10le, full range, 25 frames a second.
    const X264_HIGH_422: &[u8] = &[
        0x67, 0x7a, 0x00, 0x0d, 0xb6, 0xcd, 0x94, 0x15, 0x19, 0xe2, 0x22, 0xf0, 0x16, 0xc8, 0x00, 0x00, 0x03,
        0x00, 0x08, 0x00, 0x00, 0x03, 0x01, 0x90, 0x78, 0xa1, 0x4c, 0xb0,
    ];

    /// The same encoder: 322x180 yuv444p.
    const X264_HIGH_444: &[u8] = &[
        0x67, 0xf4, 0x00, 0x0d, 0x91, 0x9b, 0x28, 0x2a, 0x33, 0xc7, 0xc6, 0xe0, 0x22, 0x00, 0x00, 0x03, 0x00,
        0x02, 0x00, 0x00, 0x03, 0x00, 0x64, 0x1e, 0x28, 0x53, 0x2c,
    ];

    /// The same encoder: 320x180 grey.
    const X264_GREY: &[u8] = &[
        0x67, 0x64, 0x00, 0x0c, 0xf3, 0x65, 0x05, 0x06, 0x7e, 0x37, 0x01, 0x6c, 0x80, 0x00, 0x00, 0x03, 0x00,
        0x80, 0x00, 0x00, 0x19, 0x07, 0x8a, 0x14, 0xcb,
    ];

    #[test]
    fn set_of_a_real_encoder_reads_as_ffmpeg_reads_it() {
        let sps = SequenceParameterSet::read(X264_HIGH_HRD).unwrap();
        let expected = SequenceParameterSet {
            id: 0,
            profile_idc: 100,
            constraint_flags: 0,
            level_idc: 20,
            chroma: ChromaFormat { idc: 1, separate_colour_planes: false, luma_bits: 8, chroma_bits: 8 },
            log2_max_frame_num: 4,
            order: OrderCountType::Lsb { log2_max_lsb: 6 },
            max_num_ref_frames: 4,
            width_in_mbs: 21,
            height_in_mbs: 12,
            frame_mbs_only: true,
            mb_adaptive_frame_field: false,
            crop: [0, 14, 0, 10],
            vui: Vui {
                sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 4, vertical: 3 }),
                colour: Some(Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false }),
                timing: Some(Timing { num_units_in_tick: 1001, time_scale: 60_000, fixed_frame_rate: false }),
                cpb_dpb_delays: Some(CpbDpbDelayLengths { cpb_removal_delay: 13, dpb_output_delay: 7 }),
                pic_struct_present: false,
            },
        };
        assert_eq!(sps, expected);
        assert_eq!(sps.cropped_size(), (322, 182));
    }

    #[test]
    fn sizes_of_real_encoders_come_out_in_every_chroma_format() {
        let facts = |bytes| {
            let sps = SequenceParameterSet::read(bytes).unwrap();
            (sps.chroma.idc, sps.chroma.luma_bits, sps.cropped_size())
        };
        assert_eq!(facts(X264_HIGH_422), (2, 10, (322, 182)));
        assert_eq!(facts(X264_HIGH_444), (3, 8, (322, 180)));
        assert_eq!(facts(X264_GREY), (0, 8, (320, 180)));
        let full = SequenceParameterSet::read(X264_HIGH_422).unwrap().vui.colour;
        assert_eq!(full, Some(Colour { primaries: 2, transfer: 2, matrix: 2, full_range: true }));
    }

    #[test]
    fn crop_units_follow_chroma_format_and_fields() {
        let crop = |idc: u32, separate: bool, frame_mbs_only: bool| {
            let sps = testing::Sps {
                profile_idc: 244,
                chroma: (idc, 8, 8),
                separate_colour_planes: separate,
                frame_mbs_only,
                crop: Some([1, 2, 1, 2]),
                ..Default::default()
            };
            SequenceParameterSet::read(&sps.nal()).unwrap().crop
        };
        assert_eq!(crop(0, false, true), [1, 2, 1, 2]);
        assert_eq!(crop(1, false, true), [2, 4, 2, 4]);
        assert_eq!(crop(2, false, true), [2, 4, 1, 2]);
        assert_eq!(crop(3, false, true), [1, 2, 1, 2]);
        assert_eq!(crop(3, true, true), [1, 2, 1, 2]);
        assert_eq!(crop(1, false, false), [2, 4, 4, 8]);
        assert_eq!(crop(0, false, false), [1, 2, 2, 4]);
    }

    #[test]
    fn fields_double_the_height() {
        let sps = testing::Sps { frame_mbs_only: false, ..Default::default() };
        let sps = SequenceParameterSet::read(&sps.nal()).unwrap();
        assert_eq!((sps.coded_size(), sps.mb_adaptive_frame_field), ((64, 96), true));
    }

    #[test]
    fn crop_that_leaves_nothing_is_refused() {
        for crop in [[16, 16, 0, 0], [0, 0, 12, 12], [u32::MAX - 1, u32::MAX - 1, 0, 0]] {
            let nal = testing::Sps { crop: Some(crop), ..Default::default() }.nal();
            assert!(SequenceParameterSet::read(&nal).unwrap_err().to_string().contains("nothing remains"));
        }
        let nal = testing::Sps { crop: Some([15, 16, 11, 12]), ..Default::default() }.nal();
        assert_eq!(SequenceParameterSet::read(&nal).unwrap().cropped_size(), (2, 2));
    }

    #[test]
    fn order_count_cycle_is_read_whole() {
        let order = OrderCountType::Cycle {
            delta_always_zero: true,
            offset_for_non_ref_pic: -3,
            offset_for_top_to_bottom_field: 1,
            offsets_for_ref_frames: vec![2, 4, i32::MAX, -i32::MAX],
        };
        let nal = testing::Sps { order: order.clone(), ..Default::default() }.nal();
        assert_eq!(SequenceParameterSet::read(&nal).unwrap().order, order);
    }

    #[test]
    fn scaling_lists_are_read_past() {
        let mut w = BitWriter::default();
        w.u(100, 8).u(0, 8).u(40, 8).ue(3).ue(1).ue(0).ue(0).flag(false).flag(true);
        w.flag(true).se(-8); // list 0: scale 0 at once, the default list
        w.flag(false);
        w.flag(true); // list 2: 16 scales
        (0..16).for_each(|_| {
            w.se(1);
        });
        w.flag(true).se(2).se(-10); // list 3: 10, then 0 for the rest
        w.flag(false).flag(false);
        w.flag(true); // list 6: 64 scales, one of which wraps through 256
        w.se(127).se(127);
        (0..62).for_each(|_| {
            w.se(0);
        });
        w.flag(false);
        w.ue(0).ue(2).ue(1).flag(false).ue(9).ue(4).flag(true).flag(true).flag(false).flag(false);
        let sps = SequenceParameterSet::read(&w.nal(0x67)).unwrap();
        assert_eq!((sps.id, sps.coded_size()), (3, (160, 80)));
        assert_eq!(sps.order, OrderCountType::DecodeOrder);
    }

    #[test]
    fn values_out_of_range_name_element_value_and_byte() {
        let broken: [(testing::Sps, &str); 8] = [
            (testing::Sps { id: 32, ..Default::default() }, "seq_parameter_set_id is 32, must be 0..=31"),
            (
                testing::Sps { profile_idc: 100, chroma: (4, 8, 8), ..Default::default() },
                "chroma_format_idc is 4, must be 0..=3",
            ),
            (
                testing::Sps { profile_idc: 100, chroma: (1, 15, 8), ..Default::default() },
                "bit_depth_luma_minus8 is 7, must be 0..=6",
            ),
            (
                testing::Sps { profile_idc: 100, chroma: (1, 8, 15), ..Default::default() },
                "bit_depth_chroma_minus8 is 7, must be 0..=6",
            ),
            (
                testing::Sps { log2_max_frame_num: 17, ..Default::default() },
                "log2_max_frame_num_minus4 is 13, must be 0..=12",
            ),
            (
                testing::Sps { max_num_ref_frames: 17, ..Default::default() },
                "max_num_ref_frames is 17, must be 0..=16",
            ),
            (
                testing::Sps { size_minus1: (4095, 0), ..Default::default() },
                "pic_width_in_mbs_minus1 is 4095, must be 0..=4094",
            ),
            (
                testing::Sps { size_minus1: (0, 2047), frame_mbs_only: false, ..Default::default() },
                "pic_height_in_map_units_minus1 is 2047, must be 0..=2046",
            ),
        ];
        for (sps, message) in broken {
            let error = SequenceParameterSet::read(&sps.nal()).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.offset().is_some_and(|at| at >= 4), "{error}");
        }
    }

    #[test]
    fn set_cut_off_anywhere_is_an_error() {
        // The last byte holds only the last bits of the VUI and the trailing bits, so each cut loses an element.
        for len in 1..X264_HIGH_HRD.len() {
            let error = SequenceParameterSet::read(&X264_HIGH_HRD[..len]).unwrap_err();
            assert!(error.to_string().contains("runs past the end"), "{len}: {error}");
            assert_eq!(error.offset(), Some(len as u64));
        }
    }
}
