//! Slice header (H.264 7.3.3), from its start through `dec_ref_pic_marking()`: which picture a slice belongs to, where
//! that picture stands in order, whether it needs others, and which two fields are one frame.
//!
//! 3.36 and 3.37, on field pairs, were read in a transcription of the 08/2021 edition (earlier ones number them 3.30 and
//! 3.31); of 7.4.3, what `frame_num` is behind operation 5 is as decoders quote it.

use crate::bits::BitReader;
use crate::error::{Error, Result};

use super::{
    NalHeader, NalUnitType, OrderCountType, ParameterSets, PictureParameterSet, SequenceParameterSet, u_u8,
    ue_u8,
};

/// Parity of a field: which lines of the frame it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The first line and every other one after it.
    Top,
    /// The second line and every other one after it.
    Bottom,
}

/// `slice_type` (Table 7-6); the types from 5 on say no more of one slice than those below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceType {
    /// Predicted from one picture at a time.
    P,
    /// Predicted from two.
    B,
    /// Predicted from no other picture.
    I,
    /// Switching P.
    Sp,
    /// Switching I.
    Si,
}

impl SliceType {
    /// Predicted from no other picture.
    pub const fn is_intra(self) -> bool {
        matches!(self, Self::I | Self::Si)
    }
}

/// The elements of a slice header that can be read without parameter sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceStart {
    /// `first_mb_in_slice`.
    pub first_mb: u32,
    /// `slice_type`.
    pub slice_type: SliceType,
    /// `pic_parameter_set_id`.
    pub pps_id: u8,
}

impl SliceStart {
    fn read(r: &mut BitReader<'_>, nal: NalHeader) -> Result<Self> {
        let first_mb = r.ue("first_mb_in_slice")?;
        let type_at = r.byte_offset();
        let slice_type = r.ue_max(9, "slice_type", "0..=9")?;
        let kind = match slice_type % 5 {
            0 => SliceType::P,
            1 => SliceType::B,
            2 => SliceType::I,
            3 => SliceType::Sp,
            _ => SliceType::Si,
        };
        if nal.unit_type == NalUnitType::IdrSlice && !kind.is_intra() {
            return Err(Error::out_of_range(
                "slice_type of an IDR picture",
                slice_type,
                "2, 4, 7 or 9",
                r.clause(),
            )
            .at(type_at));
        }
        let pps_id = ue_u8(r, 255, "pic_parameter_set_id", "0..=255")?;
        Ok(Self { first_mb, slice_type: kind, pps_id })
    }
}

/// What a slice header says of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceHeader {
    /// First macroblock, type and picture parameter set.
    pub start: SliceStart,
    /// `IdrPicFlag`.
    pub idr: bool,
    /// `nal_ref_idc` is not 0.
    pub reference: bool,
    /// `colour_plane_id`, 0..=2; 0 where planes are not coded separately.
    pub colour_plane_id: u8,
    /// `frame_num` as coded.
    pub frame_num: u32,
    /// `field_pic_flag` and `bottom_field_flag`: which field the picture is; `None` for a frame.
    pub field: Option<Field>,
    /// `idr_pic_id`; 0 outside IDR pictures.
    pub idr_pic_id: u16,
    /// The order count elements.
    pub order: OrderSyntax,
    /// `redundant_pic_cnt`, 0..=127; 0 is the primary coded picture.
    pub redundant_pic_cnt: u8,
    /// `memory_management_control_operation` 5 is present: order counts and `frame_num` start anew behind the picture.
    pub resets_order: bool,
}

/// The order count elements of a slice header; 0 where not present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderSyntax {
    /// `pic_order_cnt_lsb`.
    pub lsb: u32,
    /// `delta_pic_order_cnt_bottom`.
    pub delta_bottom: i32,
    /// `delta_pic_order_cnt[0]` and `[1]`.
    pub delta: [i32; 2],
}

const CLAUSE: &str = "H.264 7.4.3";

impl SliceHeader {
    /// Reads the header of the slice in `nal`, which begins with the NAL unit's header byte and holds at least the
    /// slice header, with the parameter sets that have come so far. Offsets of errors count from the header byte.
    pub fn read(nal: &[u8], sets: &ParameterSets) -> Result<Self> {
        let header = NalHeader::read(nal)?;
        let mut r = BitReader::new(nal.get(1..).unwrap_or_default(), CLAUSE);
        let start = SliceStart::read(&mut r, header).map_err(|error| error.shift(1))?;
        let (pps, sps) = sets.for_slice(start.pps_id).map_err(|error| error.at(0))?;
        Self::read_rest(&mut r, header, start, pps, sps).map_err(|error| error.shift(1))
    }

    /// What can be told of a slice whose parameter sets have not come: it knows pictures apart only by what stands in
    /// front of `frame_num`, and takes every picture for a frame.
    pub fn read_without_parameter_sets(nal: &[u8]) -> Result<Self> {
        let header = NalHeader::read(nal)?;
        let mut r = BitReader::new(nal.get(1..).unwrap_or_default(), CLAUSE);
        SliceStart::read(&mut r, header).map(|start| Self::new(header, start)).map_err(|error| error.shift(1))
    }

    /// Whether this slice of a primary coded picture belongs to another picture than `first`, the first slice of the
    /// primary coded picture before it (7.4.1.2.4).
    ///
    /// Beyond the standard, a slice that starts at the same macroblock as `first` belongs to another picture: a stream
    /// of one IDR picture joined to itself differs in nothing else.
    pub fn starts_new_picture(&self, first: &SliceHeader) -> bool {
        self.frame_num != first.frame_num
            || self.start.pps_id != first.start.pps_id
            || self.field != first.field
            || self.reference != first.reference
            || self.order != first.order
            || self.idr != first.idr
            || self.idr_pic_id != first.idr_pic_id
            || (self.start.first_mb, self.colour_plane_id) == (first.start.first_mb, first.colour_plane_id)
    }

    /// Whether the field picture that starts with this slice is the second field of the frame whose first field is
    /// `first`: the header of the picture directly before it in decoding order, which is not a second field itself.
    /// Frames never are. Where it is not, each field is a frame with one field missing (a non-paired field).
    ///
    /// A complementary reference field pair is two reference fields with one `frame_num`, of which the second is neither
    /// IDR nor has operation 5; a complementary non-reference field pair is two non-reference fields of opposite parity
    /// with one `frame_num`, of which the first is not in a pair yet (3.37, 3.36). So only the first field of a frame can be
    /// an IDR picture, and a reference and a non-reference field are never a frame.
    ///
    /// A first field with operation 5 counts as having `frame_num` 0 afterwards (7.4.3): its second field has 0.
    ///
    /// The reference decoder (JM, `store_picture_in_dpb`) pairs by parity, `frame_num` and reference alike. FFmpeg
    /// (`h264_field_start`) pairs by parity and `frame_num` alone: two IDR fields, or a second field with operation 5, make
    /// one frame there, and a second field that is a reference where the first is not, or the other way round, is dropped as
    /// unsupported.
    pub fn is_second_field_of(&self, first: &SliceHeader) -> bool {
        let opposite = matches!(
            (first.field, self.field),
            (Some(Field::Top), Some(Field::Bottom)) | (Some(Field::Bottom), Some(Field::Top))
        );
        let frame_num = if first.resets_order { 0 } else { first.frame_num };
        opposite
            && self.frame_num == frame_num
            && self.reference == first.reference
            && !self.idr
            && !self.resets_order
    }

    fn new(nal: NalHeader, start: SliceStart) -> Self {
        Self {
            start,
            idr: nal.unit_type == NalUnitType::IdrSlice,
            reference: nal.is_reference(),
            colour_plane_id: 0,
            frame_num: 0,
            field: None,
            idr_pic_id: 0,
            order: OrderSyntax::default(),
            redundant_pic_cnt: 0,
            resets_order: false,
        }
    }

    fn read_rest(
        r: &mut BitReader<'_>,
        nal: NalHeader,
        start: SliceStart,
        pps: &PictureParameterSet,
        sps: &SequenceParameterSet,
    ) -> Result<Self> {
        let mut header = Self::new(nal, start);
        if sps.chroma.separate_colour_planes {
            let at = r.byte_offset();
            header.colour_plane_id = u_u8(r, 2, "colour_plane_id")?;
            if header.colour_plane_id > 2 {
                return Err(Error::out_of_range("colour_plane_id", 3, "0..=2", CLAUSE).at(at));
            }
        }
        header.frame_num = r.u(sps.log2_max_frame_num, "frame_num")?;
        if !sps.frame_mbs_only && r.flag("field_pic_flag")? {
            let bottom = r.flag("bottom_field_flag")?;
            header.field = Some(if bottom { Field::Bottom } else { Field::Top });
        }
        let is_field = header.field.is_some();
        check_first_mb(start.first_mb, is_field, sps)?;
        if header.idr {
            let idr_pic_id = r.ue_max(65535, "idr_pic_id", "0..=65535")?;
            header.idr_pic_id = u16::try_from(idr_pic_id).expect("ue_max keeps it within 65535");
        }
        header.order = read_order(r, is_field, pps, sps)?;
        if pps.redundant_pic_cnt_present {
            header.redundant_pic_cnt = ue_u8(r, 127, "redundant_pic_cnt", "0..=127")?;
        }
        skip_references(r, start.slice_type, is_field, pps, sps)?;
        if header.reference {
            header.resets_order = read_marking(r, header.idr)?;
        }
        Ok(header)
    }
}

fn check_first_mb(first_mb: u32, is_field: bool, sps: &SequenceParameterSet) -> Result<()> {
    let mbs = u32::from(sps.width_in_mbs) * u32::from(sps.height_in_mbs);
    // A field has half the macroblocks of its frame; with MbaffFrameFlag, which only frames have, the address counts
    // pairs of them (7.4.3).
    let end = if is_field || sps.mb_adaptive_frame_field { mbs / 2 } else { mbs };
    if first_mb >= end {
        let what = format!("first_mb_in_slice is {first_mb}, the picture ends at {}", end.saturating_sub(1));
        return Err(Error::malformed(what, CLAUSE, "the stream is damaged here").at(0));
    }
    Ok(())
}

fn read_order(
    r: &mut BitReader<'_>,
    is_field: bool,
    pps: &PictureParameterSet,
    sps: &SequenceParameterSet,
) -> Result<OrderSyntax> {
    let mut order = OrderSyntax::default();
    let bottom = pps.bottom_field_pic_order_in_frame_present && !is_field;
    match sps.order {
        OrderCountType::Lsb { log2_max_lsb } => {
            order.lsb = r.u(log2_max_lsb, "pic_order_cnt_lsb")?;
            if bottom {
                order.delta_bottom = r.se("delta_pic_order_cnt_bottom")?;
            }
        }
        OrderCountType::Cycle { delta_always_zero: false, .. } => {
            order.delta[0] = r.se("delta_pic_order_cnt[0]")?;
            if bottom {
                order.delta[1] = r.se("delta_pic_order_cnt[1]")?;
            }
        }
        OrderCountType::Cycle { .. } | OrderCountType::DecodeOrder => {}
    }
    Ok(order)
}

/// Everything about reference lists: counts, modifications and weights.
fn skip_references(
    r: &mut BitReader<'_>,
    slice_type: SliceType,
    is_field: bool,
    pps: &PictureParameterSet,
    sps: &SequenceParameterSet,
) -> Result<()> {
    if slice_type == SliceType::B {
        r.flag("direct_spatial_mv_pred_flag")?;
    }
    let lists = match slice_type {
        SliceType::I | SliceType::Si => return Ok(()),
        SliceType::P | SliceType::Sp => 1,
        SliceType::B => 2,
    };
    let mut counts_minus1 = pps.num_ref_idx_default_minus1;
    if r.flag("num_ref_idx_active_override_flag")? {
        let elements = ["num_ref_idx_l0_active_minus1", "num_ref_idx_l1_active_minus1"];
        let (max, allowed) = if is_field { (31, "0..=31 in a field") } else { (15, "0..=15 in a frame") };
        for (count, element) in counts_minus1.iter_mut().zip(elements).take(lists) {
            *count = ue_u8(r, max, element, allowed)?;
        }
    }
    for _ in 0..lists {
        skip_list_modification(r)?;
    }
    let weighted = if lists == 1 { pps.weighted_pred } else { pps.weighted_bipred_idc == 1 };
    if weighted {
        skip_weights(r, &counts_minus1[..lists], sps.chroma.array_type() != 0)?;
    }
    Ok(())
}

/// One list of `ref_pic_list_modification()` (7.3.3.1). Each round reads a bit at least, so the data bounds the loop.
fn skip_list_modification(r: &mut BitReader<'_>) -> Result<()> {
    if !r.flag("ref_pic_list_modification_flag")? {
        return Ok(());
    }
    loop {
        match r.ue_max(3, "modification_of_pic_nums_idc", "0..=3")? {
            0 | 1 => r.ue("abs_diff_pic_num_minus1")?,
            2 => r.ue("long_term_pic_num")?,
            _ => return Ok(()),
        };
    }
}

/// `pred_weight_table()` (7.3.3.2).
fn skip_weights(r: &mut BitReader<'_>, counts_minus1: &[u8], chroma: bool) -> Result<()> {
    r.ue_max(7, "luma_log2_weight_denom", "0..=7")?;
    if chroma {
        r.ue_max(7, "chroma_log2_weight_denom", "0..=7")?;
    }
    for &count_minus1 in counts_minus1 {
        for _ in 0..=count_minus1 {
            if r.flag("luma_weight_flag")? {
                r.se("luma_weight")?;
                r.se("luma_offset")?;
            }
            if chroma && r.flag("chroma_weight_flag")? {
                for _ in 0..2 {
                    r.se("chroma_weight")?;
                    r.se("chroma_offset")?;
                }
            }
        }
    }
    Ok(())
}

/// `dec_ref_pic_marking()` (7.3.3.3): whether operation 5 is among them. The data bounds the loop here too.
fn read_marking(r: &mut BitReader<'_>, idr: bool) -> Result<bool> {
    if idr {
        r.flag("no_output_of_prior_pics_flag")?;
        r.flag("long_term_reference_flag")?;
        return Ok(false);
    }
    if !r.flag("adaptive_ref_pic_marking_mode_flag")? {
        return Ok(false);
    }
    let mut resets_order = false;
    loop {
        let operation = r.ue_max(6, "memory_management_control_operation", "0..=6")?;
        if matches!(operation, 1 | 3) {
            r.ue("difference_of_pic_nums_minus1")?;
        }
        if operation == 2 {
            r.ue("long_term_pic_num")?;
        }
        if matches!(operation, 3 | 6) {
            r.ue("long_term_frame_idx")?;
        }
        if operation == 4 {
            r.ue("max_long_term_frame_idx_plus1")?;
        }
        resets_order |= operation == 5;
        if operation == 0 {
            return Ok(resets_order);
        }
    }
}

#[cfg(test)]
mod tests;
