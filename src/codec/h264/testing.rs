//! For tests: builders of parameter sets and slices that spell the syntax a second time, from the tables of H.264 7.3, so
//! that the readers are not tested against themselves.
//!
//! It names nothing of the crate but `super::OrderCountType` and the bit writer two levels up, so that a test outside of the
//! crate can have it as a module too.

pub(crate) use super::super::testing::BitWriter;

use super::OrderCountType;

/// A sequence parameter set; the default is Main profile, 64×48, order count type 0 with 4-bit counters.
#[derive(Clone, Debug)]
pub(crate) struct Sps {
    pub(crate) id: u32,
    pub(crate) profile_idc: u32,
    pub(crate) constraint_flags: u32,
    pub(crate) level_idc: u32,
    /// Written for the profiles that have it: `chroma_format_idc`, luma and chroma bit depth.
    pub(crate) chroma: (u32, u32, u32),
    pub(crate) separate_colour_planes: bool,
    pub(crate) log2_max_frame_num: u32,
    pub(crate) order: OrderCountType,
    pub(crate) max_num_ref_frames: u32,
    /// `pic_width_in_mbs_minus1`, `pic_height_in_map_units_minus1`.
    pub(crate) size_minus1: (u32, u32),
    pub(crate) frame_mbs_only: bool,
    /// `mb_adaptive_frame_field_flag`, written where `frame_mbs_only` is not.
    pub(crate) mb_adaptive: bool,
    /// Left, right, top, bottom, in crop units.
    pub(crate) crop: Option<[u32; 4]>,
    /// Bits of `vui_parameters()`.
    pub(crate) vui: Option<BitWriter>,
}

impl Default for Sps {
    fn default() -> Self {
        Self {
            id: 0,
            profile_idc: 77,
            constraint_flags: 0,
            level_idc: 30,
            chroma: (1, 8, 8),
            separate_colour_planes: false,
            log2_max_frame_num: 4,
            order: OrderCountType::Lsb { log2_max_lsb: 4 },
            max_num_ref_frames: 2,
            size_minus1: (3, 2),
            frame_mbs_only: true,
            mb_adaptive: true,
            crop: None,
            vui: None,
        }
    }
}

impl Sps {
    pub(crate) fn nal(&self) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.u(self.profile_idc, 8).u(self.constraint_flags, 8).u(self.level_idc, 8).ue(self.id);
        if ![66, 77, 88].contains(&self.profile_idc) {
            let (format, luma, chroma) = self.chroma;
            w.ue(format);
            if format == 3 {
                w.flag(self.separate_colour_planes);
            }
            w.ue(luma - 8).ue(chroma - 8).flag(false).flag(false);
        }
        w.ue(self.log2_max_frame_num - 4);
        match &self.order {
            OrderCountType::Lsb { log2_max_lsb } => {
                w.ue(0).ue(u32::from(*log2_max_lsb) - 4);
            }
            OrderCountType::Cycle {
                delta_always_zero,
                offset_for_non_ref_pic,
                offset_for_top_to_bottom_field,
                offsets_for_ref_frames,
            } => {
                w.ue(1).flag(*delta_always_zero);
                w.se(*offset_for_non_ref_pic).se(*offset_for_top_to_bottom_field);
                w.ue(offsets_for_ref_frames.len() as u32);
                for &offset in offsets_for_ref_frames {
                    w.se(offset);
                }
            }
            OrderCountType::DecodeOrder => {
                w.ue(2);
            }
        }
        w.ue(self.max_num_ref_frames).flag(false);
        w.ue(self.size_minus1.0).ue(self.size_minus1.1).flag(self.frame_mbs_only);
        if !self.frame_mbs_only {
            w.flag(self.mb_adaptive);
        }
        w.flag(true).flag(self.crop.is_some());
        for offset in self.crop.into_iter().flatten() {
            w.ue(offset);
        }
        w.flag(self.vui.is_some());
        if let Some(vui) = &self.vui {
            w.append(vui);
        }
        w.nal(0x67)
    }
}

/// `vui_parameters()` with nothing but timing.
pub(crate) fn vui_timing(num_units_in_tick: u32, time_scale: u32, fixed: bool) -> BitWriter {
    let mut w = BitWriter::default();
    w.u(0, 4).flag(true).u(num_units_in_tick, 32).u(time_scale, 32).flag(fixed).u(0, 4);
    w
}

/// `vui_parameters()` with nothing but an extended sample aspect ratio.
pub(crate) fn vui_aspect(width: u32, height: u32) -> BitWriter {
    let mut w = BitWriter::default();
    w.flag(true).u(255, 8).u(width, 16).u(height, 16).u(0, 8);
    w
}

/// A picture timing SEI message with `pic_struct` alone (D.1.3), no clock timestamps, for a set without delays.
pub(crate) fn pic_struct_sei(code: u8) -> Vec<u8> {
    // Table D-1, NumClockTS: as many flags, 0 each, then what rounds the payload up to a byte (D.1.1).
    let flags = match code {
        0..=2 => 1,
        3 | 4 | 7 => 2,
        _ => 3,
    };
    let mut w = BitWriter::default();
    w.u(1, 8).u(1, 8).u(u32::from(code), 4).u(0, flags).flag(true).align();
    w.nal(0x06)
}

/// A picture parameter set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pps {
    pub(crate) id: u32,
    pub(crate) sps_id: u32,
    pub(crate) bottom_field_pic_order: bool,
    pub(crate) redundant_pic_cnt: bool,
    pub(crate) weighted_pred: bool,
    pub(crate) weighted_bipred_idc: u32,
    /// `num_slice_groups_minus1` and all behind it up to the reference index counts, when not a single group.
    pub(crate) slice_groups: Option<BitWriter>,
    /// `num_ref_idx_l0_default_active_minus1` and of list 1.
    pub(crate) num_ref_idx_minus1: (u32, u32),
    /// `pic_init_qp_minus26`: something to differ in.
    pub(crate) qp: i32,
}

impl Pps {
    pub(crate) fn nal(&self) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.ue(self.id).ue(self.sps_id).flag(false).flag(self.bottom_field_pic_order);
        match &self.slice_groups {
            Some(groups) => w.append(groups),
            None => w.ue(0),
        };
        w.ue(self.num_ref_idx_minus1.0).ue(self.num_ref_idx_minus1.1);
        w.flag(self.weighted_pred).u(self.weighted_bipred_idc, 2);
        w.se(self.qp).se(0).se(0).flag(false).flag(false).flag(self.redundant_pic_cnt);
        w.nal(0x68)
    }
}

/// A slice for the default [`Sps`] and [`Pps`]; `order` must suit the sequence parameter set.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) ref_idc: u8,
    /// 1, 2 or 5.
    pub(crate) unit_type: u8,
    pub(crate) first_mb: u32,
    /// 0 P, 1 B, 2 I, 3 SP, 4 SI, or the same plus 5.
    pub(crate) slice_type: u32,
    pub(crate) pps_id: u32,
    pub(crate) colour_plane_id: Option<u32>,
    pub(crate) frame_num: u32,
    pub(crate) frame_num_bits: u8,
    /// `field_pic_flag` of a stream that may have fields.
    pub(crate) field_pic: Option<bool>,
    /// `bottom_field_flag` of a field.
    pub(crate) bottom_field: bool,
    pub(crate) idr_pic_id: u32,
    pub(crate) order: Order,
    pub(crate) redundant_pic_cnt: Option<u32>,
    /// `num_ref_idx_l0_active_minus1` and, of a B slice, that of list 1, when they are overridden.
    pub(crate) num_ref_idx_minus1: Option<(u32, u32)>,
    /// `ref_pic_list_modification_flag_l0` and what follows, when there is one.
    pub(crate) list_modification: Option<BitWriter>,
    /// `pred_weight_table()`.
    pub(crate) weights: Option<BitWriter>,
    /// Operations of `dec_ref_pic_marking()` with their arguments.
    pub(crate) marking: Vec<Vec<u32>>,
    /// Slice data stands for itself: something to tell slices apart by, where there are no macroblocks.
    pub(crate) data: u32,
    /// Slice data that a decoder takes.
    pub(crate) macroblocks: Option<Macroblocks>,
}

/// Slice data (7.3.4) in CAVLC, for 4:2:0 in eight bits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Macroblocks {
    /// So many macroblocks `I_PCM` of an I slice, every sample of them this one.
    Pcm(u32, u8),
    /// The same in a frame with `MbaffFrameFlag`: each pair of them in frame (`false`) or field macroblocks.
    PcmPairs(u32, u8, bool),
    /// So many skipped macroblocks of a P or B slice.
    Skipped(u32),
}

impl Macroblocks {
    fn write(self, w: &mut BitWriter) {
        /// `mb_type` of `I_PCM` in an I slice (Table 7-11).
        const I_PCM: u32 = 25;
        let (count, sample, field_pairs) = match self {
            Self::Pcm(count, sample) => (count, sample, None),
            Self::PcmPairs(count, sample, fields) => (count, sample, Some(fields)),
            Self::Skipped(count) => {
                w.ue(count); // mb_skip_run
                return;
            }
        };
        for mb in 0..count {
            if let Some(fields) = field_pairs.filter(|_| mb % 2 == 0) {
                w.flag(fields); // mb_field_decoding_flag
            }
            w.ue(I_PCM).align();
            for _ in 0..16 * 16 + 2 * 8 * 8 {
                w.u(u32::from(sample), 8);
            }
        }
    }
}

/// The order count elements of a slice header.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// `pic_order_cnt_lsb`, its number of bits, `delta_pic_order_cnt_bottom` where present.
    Lsb(u32, u8, Option<i32>),
    /// `delta_pic_order_cnt[0]`, and `[1]` where present.
    Delta(i32, Option<i32>),
    /// None.
    Absent,
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            ref_idc: 2,
            unit_type: 1,
            first_mb: 0,
            slice_type: 0,
            pps_id: 0,
            colour_plane_id: None,
            frame_num: 0,
            frame_num_bits: 4,
            field_pic: None,
            bottom_field: false,
            idr_pic_id: 0,
            order: Order::Lsb(0, 4, None),
            redundant_pic_cnt: None,
            num_ref_idx_minus1: None,
            list_modification: None,
            weights: None,
            marking: Vec::new(),
            data: 0xabcd,
            macroblocks: None,
        }
    }
}

impl Slice {
    /// An IDR picture's I slice.
    pub(crate) fn idr() -> Self {
        Self { ref_idc: 3, unit_type: 5, slice_type: 7, ..Self::default() }
    }

    /// A P slice with `frame_num` and `pic_order_cnt_lsb`.
    pub(crate) fn p(frame_num: u32, lsb: u32) -> Self {
        Self { frame_num, order: Order::Lsb(lsb, 4, None), ..Self::default() }
    }

    /// A non-reference B slice with `frame_num` and `pic_order_cnt_lsb`.
    pub(crate) fn b(frame_num: u32, lsb: u32) -> Self {
        Self { ref_idc: 0, slice_type: 1, ..Self::p(frame_num, lsb) }
    }

    /// The same slice of a field of this parity.
    pub(crate) fn field(self, bottom_field: bool) -> Self {
        Self { field_pic: Some(true), bottom_field, ..self }
    }

    pub(crate) fn nal(&self) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.ue(self.first_mb).ue(self.slice_type).ue(self.pps_id);
        if let Some(plane) = self.colour_plane_id {
            w.u(plane, 2);
        }
        w.u(self.frame_num, self.frame_num_bits);
        if let Some(field) = self.field_pic {
            w.flag(field);
            if field {
                w.flag(self.bottom_field);
            }
        }
        if self.unit_type == 5 {
            w.ue(self.idr_pic_id);
        }
        match self.order {
            Order::Lsb(lsb, bits, bottom) => {
                w.u(lsb, bits);
                bottom.map(|delta| w.se(delta));
            }
            Order::Delta(first, second) => {
                w.se(first);
                second.map(|delta| w.se(delta));
            }
            Order::Absent => {}
        }
        if let Some(count) = self.redundant_pic_cnt {
            w.ue(count);
        }
        self.references(&mut w);
        w.se(0); // slice_qp_delta
        match self.macroblocks {
            Some(macroblocks) => macroblocks.write(&mut w),
            None => {
                w.u(self.data, 16);
            }
        }
        w.nal(self.ref_idc << 5 | self.unit_type)
    }

    fn references(&self, w: &mut BitWriter) {
        let kind = self.slice_type % 5;
        if kind == 1 {
            w.flag(true); // direct_spatial_mv_pred_flag
        }
        if matches!(kind, 0 | 1 | 3) {
            w.flag(self.num_ref_idx_minus1.is_some()); // num_ref_idx_active_override_flag
            if let Some((list0, list1)) = self.num_ref_idx_minus1 {
                w.ue(list0);
                if kind == 1 {
                    w.ue(list1);
                }
            }
            match &self.list_modification {
                Some(bits) => w.append(bits),
                None => w.flag(false),
            };
        }
        if kind == 1 {
            w.flag(false); // ref_pic_list_modification_flag_l1
        }
        if let Some(weights) = &self.weights {
            w.append(weights);
        }
        if self.ref_idc != 0 && self.unit_type == 5 {
            w.flag(false).flag(false);
        } else if self.ref_idc != 0 {
            w.flag(!self.marking.is_empty());
            for operation in &self.marking {
                for &value in operation {
                    w.ue(value);
                }
            }
            if !self.marking.is_empty() {
                w.ue(0);
            }
        }
    }
}
