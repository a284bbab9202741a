//! For tests: builders of parameter sets and slice segments that spell the syntax a second time, from the tables of H.265
//! 7.3, so that the readers are not tested against themselves.

pub(crate) use crate::codec::testing::BitWriter;

/// A NAL unit of the base layer.
pub(crate) fn nal(unit_type: u8, temporal_id: u8, w: &mut BitWriter) -> Vec<u8> {
    let mut nal = vec![unit_type << 1, temporal_id + 1];
    nal.extend(w.finish());
    nal
}

/// The general part of `profile_tier_level()`; the default is Main, Main tier, level 3, progressive frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) space: u32,
    pub(crate) high_tier: bool,
    pub(crate) idc: u32,
    pub(crate) compatibility: u32,
    /// 48 bits.
    pub(crate) constraints: u64,
    pub(crate) level_idc: u32,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            space: 0,
            high_tier: false,
            idc: 1,
            compatibility: 0x6000_0000,
            constraints: 0x9000_0000_0000,
            level_idc: 90,
        }
    }
}

impl Profile {
    /// With every other sub-layer's profile and level, where there are several.
    pub(crate) fn write(&self, w: &mut BitWriter, max_sub_layers: u32) {
        w.u(self.space, 2).flag(self.high_tier).u(self.idc, 5).u(self.compatibility, 32);
        w.u((self.constraints >> 16) as u32, 32).u(self.constraints as u32 & 0xffff, 16);
        w.u(self.level_idc, 8);
        if max_sub_layers > 1 {
            for i in 1..max_sub_layers {
                w.flag(i % 2 == 1).flag(i % 3 == 1);
            }
            for _ in max_sub_layers - 1..8 {
                w.u(0, 2);
            }
            for i in 1..max_sub_layers {
                if i % 2 == 1 {
                    w.u(0x22, 8).u(0x2000_0000, 32).u(0x9000_0000, 32).u(0, 16);
                }
                if i % 3 == 1 {
                    w.u(60, 8);
                }
            }
        }
    }
}

/// Picture buffer elements, for each sub-layer where `all`.
fn sub_layer_ordering(w: &mut BitWriter, max_sub_layers: u32, all: bool) {
    w.flag(all);
    for _ in 0..if all { max_sub_layers } else { 1 } {
        w.ue(4).ue(2).ue(0);
    }
}

/// A video parameter set.
#[derive(Clone, Debug)]
pub(crate) struct Vps {
    pub(crate) id: u32,
    pub(crate) max_sub_layers: u32,
    pub(crate) profile: Profile,
    /// `vps_num_units_in_tick`, `vps_time_scale`.
    pub(crate) timing: Option<(u32, u32)>,
    /// `vps_num_hrd_parameters` and all of them, behind `timing`.
    pub(crate) hrd: Option<BitWriter>,
}

impl Default for Vps {
    fn default() -> Self {
        Self { id: 0, max_sub_layers: 1, profile: Profile::default(), timing: None, hrd: None }
    }
}

impl Vps {
    pub(crate) fn nal(&self) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.u(self.id, 4).u(3, 2).u(0, 6).u(self.max_sub_layers - 1, 3).flag(true).u(0xffff, 16);
        self.profile.write(&mut w, self.max_sub_layers);
        sub_layer_ordering(&mut w, self.max_sub_layers, true);
        w.u(0, 6).ue(0).flag(self.timing.is_some());
        if let Some((units, scale)) = self.timing {
            w.u(units, 32).u(scale, 32).flag(true).ue(0);
            match &self.hrd {
                Some(hrd) => w.append(hrd),
                None => w.ue(0),
            };
        }
        w.flag(false);
        nal(32, 0, &mut w)
    }
}

/// A sequence parameter set; the default is Main profile, 64×48 in blocks of 16, with 4-bit order counts.
#[derive(Clone, Debug)]
pub(crate) struct Sps {
    pub(crate) id: u32,
    pub(crate) vps_id: u32,
    pub(crate) max_sub_layers: u32,
    pub(crate) temporal_id_nesting: bool,
    pub(crate) profile: Profile,
    /// `chroma_format_idc`, luma and chroma bit depth.
    pub(crate) chroma: (u32, u32, u32),
    pub(crate) separate_colour_planes: bool,
    pub(crate) size: (u32, u32),
    /// Left, right, top, bottom, in chroma units.
    pub(crate) window: Option<[u32; 4]>,
    pub(crate) log2_max_lsb: u32,
    /// `MinCbLog2SizeY`, `CtbLog2SizeY`.
    pub(crate) log2_blocks: (u32, u32),
    /// `scaling_list_data()`.
    pub(crate) scaling_lists: Option<BitWriter>,
    pub(crate) pcm: bool,
    /// `num_short_term_ref_pic_sets` and the sets.
    pub(crate) reference_sets: Option<BitWriter>,
    /// `lt_ref_pic_poc_lsb_sps` of each.
    pub(crate) long_term: Option<Vec<u32>>,
    /// Bits of `vui_parameters()`.
    pub(crate) vui: Option<BitWriter>,
    /// The flags of extensions.
    pub(crate) extension_flags: Option<u32>,
}

impl Default for Sps {
    fn default() -> Self {
        Self {
            id: 0,
            vps_id: 0,
            max_sub_layers: 1,
            temporal_id_nesting: true,
            profile: Profile::default(),
            chroma: (1, 8, 8),
            separate_colour_planes: false,
            size: (64, 48),
            window: None,
            log2_max_lsb: 4,
            log2_blocks: (3, 4),
            scaling_lists: None,
            pcm: false,
            reference_sets: None,
            long_term: None,
            vui: None,
            extension_flags: None,
        }
    }
}

impl Sps {
    pub(crate) fn nal(&self) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.u(self.vps_id, 4).u(self.max_sub_layers - 1, 3).flag(self.temporal_id_nesting);
        self.profile.write(&mut w, self.max_sub_layers);
        let (format, luma, chroma) = self.chroma;
        w.ue(self.id).ue(format);
        if format == 3 {
            w.flag(self.separate_colour_planes);
        }
        w.ue(self.size.0).ue(self.size.1).flag(self.window.is_some());
        for offset in self.window.into_iter().flatten() {
            w.ue(offset);
        }
        w.ue(luma - 8).ue(chroma - 8).ue(self.log2_max_lsb - 4);
        sub_layer_ordering(&mut w, self.max_sub_layers, false);
        w.ue(self.log2_blocks.0 - 3).ue(self.log2_blocks.1 - self.log2_blocks.0);
        w.ue(0).ue(2).ue(0).ue(0).flag(self.scaling_lists.is_some());
        if let Some(lists) = &self.scaling_lists {
            w.flag(true).append(lists);
        }
        w.flag(false).flag(true).flag(self.pcm);
        if self.pcm {
            w.u(7, 4).u(7, 4).ue(0).ue(1).flag(true);
        }
        match &self.reference_sets {
            Some(sets) => w.append(sets),
            None => w.ue(0),
        };
        w.flag(self.long_term.is_some());
        if let Some(lsbs) = &self.long_term {
            w.ue(lsbs.len() as u32);
            for &lsb in lsbs {
                w.u(lsb, self.log2_max_lsb as u8).flag(true);
            }
        }
        w.flag(true).flag(true).flag(self.vui.is_some());
        if let Some(vui) = &self.vui {
            w.append(vui);
        }
        w.flag(self.extension_flags.is_some());
        if let Some(flags) = self.extension_flags {
            w.u(flags, 8);
        }
        nal(33, 0, &mut w)
    }
}

/// `vui_parameters()` with nothing but timing.
pub(crate) fn vui_timing(num_units_in_tick: u32, time_scale: u32) -> BitWriter {
    let mut w = BitWriter::default();
    w.u(0, 8).flag(true).u(num_units_in_tick, 32).u(time_scale, 32).flag(false).flag(false).flag(false);
    w
}

/// `vui_parameters()` with timing and HRD parameters that fix a picture's ticks.
pub(crate) fn vui_fixed_timing(num_units_in_tick: u32, time_scale: u32, ticks: u32) -> BitWriter {
    let mut w = BitWriter::default();
    w.u(0, 8).flag(true).u(num_units_in_tick, 32).u(time_scale, 32).flag(false).flag(true);
    w.flag(false).flag(false).flag(true).ue(ticks - 1).ue(0).flag(false);
    w
}

/// `vui_parameters()` with nothing but an extended sample aspect ratio.
pub(crate) fn vui_aspect(width: u32, height: u32) -> BitWriter {
    let mut w = BitWriter::default();
    w.flag(true).u(255, 8).u(width, 16).u(height, 16).u(0, 9);
    w
}

/// `vui_parameters()` with nothing but `field_seq_flag` and `frame_field_info_present_flag`.
pub(crate) fn vui_fields() -> BitWriter {
    let mut w = BitWriter::default();
    w.u(0, 5).flag(true).flag(true).u(0, 3);
    w
}

/// `vui_parameters()` with nothing but `min_spatial_segmentation_idc`.
pub(crate) fn vui_segmentation(min_spatial_segmentation_idc: u32) -> BitWriter {
    let mut w = BitWriter::default();
    w.u(0, 9).flag(true).u(0, 3).ue(min_spatial_segmentation_idc).ue(2).ue(1).ue(15).ue(15);
    w
}

/// A picture parameter set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pps {
    pub(crate) id: u32,
    pub(crate) sps_id: u32,
    pub(crate) dependent_slice_segments: bool,
    pub(crate) output_flag_present: bool,
    pub(crate) extra_slice_header_bits: u32,
    /// `init_qp_minus26`: something to differ in.
    pub(crate) qp: i32,
    pub(crate) qp_delta: bool,
    /// Widths and heights of tiles but the last, less one.
    pub(crate) tiles: Option<(Vec<u32>, Vec<u32>)>,
    pub(crate) entropy_coding_sync: bool,
    pub(crate) deblocking: bool,
    /// `scaling_list_data()`.
    pub(crate) scaling_lists: Option<BitWriter>,
    /// The flags of extensions.
    pub(crate) extension_flags: Option<u32>,
}

impl Pps {
    pub(crate) fn nal(&self) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.ue(self.id).ue(self.sps_id).flag(self.dependent_slice_segments).flag(self.output_flag_present);
        w.u(self.extra_slice_header_bits, 3).flag(true).flag(false).ue(2).ue(0).se(self.qp);
        w.flag(false).flag(false).flag(self.qp_delta);
        if self.qp_delta {
            w.ue(1);
        }
        w.se(-3).se(3).flag(false).flag(true).flag(false).flag(false);
        w.flag(self.tiles.is_some()).flag(self.entropy_coding_sync);
        if let Some((columns, rows)) = &self.tiles {
            w.ue(columns.len() as u32).ue(rows.len() as u32).flag(false);
            for &size in columns.iter().chain(rows) {
                w.ue(size);
            }
            w.flag(true);
        }
        w.flag(true).flag(self.deblocking);
        if self.deblocking {
            w.flag(true).flag(false).se(-2).se(1);
        }
        w.flag(self.scaling_lists.is_some());
        if let Some(lists) = &self.scaling_lists {
            w.append(lists);
        }
        w.flag(false).ue(0).flag(false).flag(self.extension_flags.is_some());
        if let Some(flags) = self.extension_flags {
            w.u(flags, 8);
        }
        nal(34, 0, &mut w)
    }
}

/// A slice segment for the default [`Sps`] and [`Pps`].
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// `nal_unit_type`.
    pub(crate) unit_type: u8,
    pub(crate) temporal_id: u8,
    /// `slice_segment_address`, and its number of bits; `None` in the first slice segment of a picture.
    pub(crate) address: Option<(u32, u8)>,
    pub(crate) no_output_of_prior_pics: bool,
    pub(crate) pps_id: u32,
    /// `dependent_slice_segment_flag`, where the picture parameter set has it and it is not the first.
    pub(crate) dependent: Option<bool>,
    pub(crate) extra_bits: u8,
    /// 0 B, 1 P, 2 I.
    pub(crate) slice_type: u32,
    pub(crate) output: Option<bool>,
    pub(crate) colour_plane_id: Option<u32>,
    /// `slice_pic_order_cnt_lsb` and its number of bits; not written in IDR pictures.
    pub(crate) lsb: (u32, u8),
    /// Slice data stands for itself: something to tell slices apart by.
    pub(crate) data: u32,
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            unit_type: 1,
            temporal_id: 0,
            address: None,
            no_output_of_prior_pics: false,
            pps_id: 0,
            dependent: None,
            extra_bits: 0,
            slice_type: 1,
            output: None,
            colour_plane_id: None,
            lsb: (0, 4),
            data: 0xabcd,
        }
    }
}

impl Slice {
    /// The I slice of a picture of this type, with `slice_pic_order_cnt_lsb` where it is not IDR.
    pub(crate) fn irap(unit_type: u8, lsb: u32) -> Self {
        Self { unit_type, slice_type: 2, lsb: (lsb, 4), ..Self::default() }
    }

    /// An IDR picture that may have decodable leading pictures.
    pub(crate) fn idr() -> Self {
        Self::irap(19, 0)
    }

    /// A CRA picture.
    pub(crate) fn cra(lsb: u32) -> Self {
        Self::irap(21, lsb)
    }

    /// A P slice of a trailing reference picture.
    pub(crate) fn p(lsb: u32) -> Self {
        Self { lsb: (lsb, 4), ..Self::default() }
    }

    /// A B slice of a picture of this type: 0 for a trailing one that none refers to, 6 RADL, 8 RASL …
    pub(crate) fn b(unit_type: u8, lsb: u32) -> Self {
        Self { unit_type, slice_type: 0, lsb: (lsb, 4), ..Self::default() }
    }

    /// A further slice segment of the same picture, at this coding tree block of the default [`Sps`], which has 12.
    pub(crate) fn next_segment(&self, address: u32) -> Self {
        Self { address: Some((address, 4)), ..self.clone() }
    }

    pub(crate) fn nal(&self) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.flag(self.address.is_none());
        if (16..=23).contains(&self.unit_type) {
            w.flag(self.no_output_of_prior_pics);
        }
        w.ue(self.pps_id);
        if let Some((address, bits)) = self.address {
            self.dependent.map(|dependent| w.flag(dependent));
            w.u(address, bits);
        }
        if self.dependent != Some(true) {
            w.u(u32::MAX, self.extra_bits).ue(self.slice_type);
            self.output.map(|output| w.flag(output));
            self.colour_plane_id.map(|plane| w.u(plane, 2));
            if !(19..=20).contains(&self.unit_type) {
                w.u(self.lsb.0, self.lsb.1);
            }
        }
        w.u(self.data, 16);
        nal(self.unit_type, self.temporal_id, &mut w)
    }
}
