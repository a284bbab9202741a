//! Slice header (H.264 7.3.3), from its start through `dec_ref_pic_marking()`: which picture a slice belongs to, where
//! that picture stands in order, whether it needs others.

use crate::bits::BitReader;
use crate::error::{Error, Result};

use super::{
    NalHeader, NalUnitType, OrderCountType, ParameterSets, PictureParameterSet, SequenceParameterSet, u_u8,
    ue_u8,
};

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
    ///
    /// A field picture is an error: one field is not a sample of its own, and pairing them is not done here.
    pub fn read(nal: &[u8], sets: &ParameterSets) -> Result<Self> {
        let header = NalHeader::read(nal)?;
        let mut r = BitReader::new(nal.get(1..).unwrap_or_default(), CLAUSE);
        let start = SliceStart::read(&mut r, header).map_err(|error| error.shift(1))?;
        let (pps, sps) = sets.for_slice(start.pps_id).map_err(|error| error.at(0))?;
        Self::read_rest(&mut r, header, start, pps, sps).map_err(|error| error.shift(1))
    }

    /// What can be told of a slice whose parameter sets have not come: it knows pictures apart only by what stands in
    /// front of `frame_num`.
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
            || self.reference != first.reference
            || self.order != first.order
            || self.idr != first.idr
            || self.idr_pic_id != first.idr_pic_id
            || (self.start.first_mb, self.colour_plane_id) == (first.start.first_mb, first.colour_plane_id)
    }

    fn new(nal: NalHeader, start: SliceStart) -> Self {
        Self {
            start,
            idr: nal.unit_type == NalUnitType::IdrSlice,
            reference: nal.is_reference(),
            colour_plane_id: 0,
            frame_num: 0,
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
        if !sps.frame_mbs_only {
            let at = r.byte_offset();
            if r.flag("field_pic_flag")? {
                return Err(Error::unsupported(
                    "a field picture: its two fields share one sample, and fragmint does not pair fields",
                    "encode the video as frames (progressive, or frames with field macroblocks)",
                )
                .at(at));
            }
        }
        check_first_mb(start.first_mb, sps)?;
        if header.idr {
            let idr_pic_id = r.ue_max(65535, "idr_pic_id", "0..=65535")?;
            header.idr_pic_id = u16::try_from(idr_pic_id).expect("ue_max keeps it within 65535");
        }
        header.order = read_order(r, pps, sps)?;
        if pps.redundant_pic_cnt_present {
            header.redundant_pic_cnt = ue_u8(r, 127, "redundant_pic_cnt", "0..=127")?;
        }
        skip_references(r, start.slice_type, pps, sps)?;
        if header.reference {
            header.resets_order = read_marking(r, header.idr)?;
        }
        Ok(header)
    }
}

fn check_first_mb(first_mb: u32, sps: &SequenceParameterSet) -> Result<()> {
    let mbs = u32::from(sps.width_in_mbs) * u32::from(sps.height_in_mbs);
    // With MbaffFrameFlag the address counts pairs of macroblocks (7.4.3).
    let end = if sps.mb_adaptive_frame_field { mbs / 2 } else { mbs };
    if first_mb >= end {
        let what = format!("first_mb_in_slice is {first_mb}, the picture ends at {}", end.saturating_sub(1));
        return Err(Error::malformed(what, CLAUSE, "the stream is damaged here").at(0));
    }
    Ok(())
}

fn read_order(
    r: &mut BitReader<'_>,
    pps: &PictureParameterSet,
    sps: &SequenceParameterSet,
) -> Result<OrderSyntax> {
    let mut order = OrderSyntax::default();
    let bottom = pps.bottom_field_pic_order_in_frame_present;
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
        for (count, element) in counts_minus1.iter_mut().zip(elements).take(lists) {
            // 0..=31 is for fields, which do not come this far.
            *count = ue_u8(r, 15, element, "0..=15")?;
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
mod tests {
    use super::super::testing::{BitWriter, Order, Pps, Slice, Sps};
    use super::*;

    fn sets(sps: &Sps, pps: &Pps) -> ParameterSets {
        let mut sets = ParameterSets::default();
        sets.insert(&sps.nal(), 0).unwrap();
        sets.insert(&pps.nal(), 100).unwrap();
        sets
    }

    fn read(slice: &Slice, sps: &Sps, pps: &Pps) -> Result<SliceHeader> {
        SliceHeader::read(&slice.nal(), &sets(sps, pps))
    }

    fn read_default(slice: &Slice) -> Result<SliceHeader> {
        read(slice, &Sps::default(), &Pps::default())
    }

    #[test]
    fn idr_slice_is_read() {
        let header =
            read_default(&Slice { idr_pic_id: 65535, first_mb: 3, slice_type: 2, ..Slice::idr() }).unwrap();
        let expected = SliceHeader {
            start: SliceStart { first_mb: 3, slice_type: SliceType::I, pps_id: 0 },
            idr: true,
            reference: true,
            colour_plane_id: 0,
            frame_num: 0,
            idr_pic_id: 65535,
            order: OrderSyntax::default(),
            redundant_pic_cnt: 0,
            resets_order: false,
        };
        assert_eq!(header, expected);
    }

    #[test]
    fn slice_types_from_five_on_are_those_below() {
        for (code, slice_type) in
            [(0, SliceType::P), (1, SliceType::B), (2, SliceType::I), (3, SliceType::Sp), (4, SliceType::Si)]
        {
            for slice_type_code in [code, code + 5] {
                let slice = Slice { slice_type: slice_type_code, ..Slice::default() };
                assert_eq!(read_default(&slice).unwrap().start.slice_type, slice_type);
            }
        }
        let error = read_default(&Slice { slice_type: 10, ..Slice::default() }).unwrap_err().to_string();
        assert!(error.contains("slice_type is 10, must be 0..=9"), "{error}");
    }

    #[test]
    fn idr_picture_with_a_predicted_slice_is_refused() {
        let error = read_default(&Slice { slice_type: 0, ..Slice::idr() }).unwrap_err().to_string();
        assert!(error.contains("slice_type of an IDR picture is 0, must be 2, 4, 7 or 9"), "{error}");
    }

    #[test]
    fn separate_colour_planes_have_an_id() {
        let sps =
            Sps { profile_idc: 244, chroma: (3, 8, 8), separate_colour_planes: true, ..Default::default() };
        let slice = |plane| Slice { colour_plane_id: Some(plane), ..Slice::p(5, 9) };
        let header = read(&slice(2), &sps, &Pps::default()).unwrap();
        assert_eq!((header.colour_plane_id, header.frame_num, header.order.lsb), (2, 5, 9));
        assert!(
            read(&slice(3), &sps, &Pps::default()).unwrap_err().to_string().contains("colour_plane_id is 3")
        );
    }

    #[test]
    fn field_pictures_are_refused_and_frames_with_field_macroblocks_read() {
        let sps = Sps { frame_mbs_only: false, ..Default::default() };
        let slice = |field| Slice { field_pic: Some(field), ..Slice::p(5, 9) };
        assert_eq!(read(&slice(false), &sps, &Pps::default()).unwrap().order.lsb, 9);
        let error = read(&slice(true), &sps, &Pps::default()).unwrap_err();
        assert!(matches!(error.kind(), crate::error::ErrorKind::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("field"), "{error}");
    }

    #[test]
    fn slice_that_starts_behind_the_picture_is_refused() {
        // 4 by 3 macroblocks; with field macroblocks 4 by 6, counted in pairs.
        let fields = Sps { frame_mbs_only: false, ..Default::default() };
        let slice = |first_mb, field_pic| Slice { first_mb, field_pic, ..Slice::default() };
        for (sps, field_pic) in [(Sps::default(), None), (fields, Some(false))] {
            assert!(read(&slice(11, field_pic), &sps, &Pps::default()).is_ok());
            let error = read(&slice(12, field_pic), &sps, &Pps::default()).unwrap_err().to_string();
            assert!(error.contains("first_mb_in_slice is 12, the picture ends at 11"), "{error}");
        }
    }

    #[test]
    fn order_elements_follow_the_parameter_sets() {
        let bottom = Pps { bottom_field_pic_order: true, ..Default::default() };
        let slice = |order| Slice { order, ..Slice::default() };
        let header = read(
            &slice(Order::Lsb(0x1234, 16, Some(-7))),
            &Sps { order: OrderCountType::Lsb { log2_max_lsb: 16 }, ..Default::default() },
            &bottom,
        )
        .unwrap();
        assert_eq!(header.order, OrderSyntax { lsb: 0x1234, delta_bottom: -7, delta: [0, 0] });
        let cycle = |delta_always_zero| Sps {
            order: OrderCountType::Cycle {
                delta_always_zero,
                offset_for_non_ref_pic: 0,
                offset_for_top_to_bottom_field: 0,
                offsets_for_ref_frames: vec![1],
            },
            ..Default::default()
        };
        let header = read(&slice(Order::Delta(-3, Some(4))), &cycle(false), &bottom).unwrap();
        assert_eq!(header.order.delta, [-3, 4]);
        let header = read(&slice(Order::Delta(-3, None)), &cycle(false), &Pps::default()).unwrap();
        assert_eq!(header.order.delta, [-3, 0]);
        // Operation 5 behind them shows that no more bits were read than there are.
        let reset = Slice { marking: vec![vec![5]], ..slice(Order::Absent) };
        assert!(read(&reset, &cycle(true), &bottom).unwrap().resets_order);
    }

    /// A slice with everything that can stand in front of `dec_ref_pic_marking()`, and operation 5 in that.
    fn full_slice(chroma: bool, slice_type: u32) -> Slice {
        let mut modification = BitWriter::default();
        modification.flag(true).ue(0).ue(4).ue(1).ue(0).ue(2).ue(9).ue(3);
        let mut weights = BitWriter::default();
        weights.ue(5);
        if chroma {
            weights.ue(7);
        }
        // Three references in list 0, two in list 1.
        let references = if slice_type == 1 { 5 } else { 3 };
        for i in 0..references {
            weights.flag(i != 1);
            if i != 1 {
                weights.se(-128).se(127);
            }
            if chroma {
                weights.flag(i == 1);
                if i == 1 {
                    weights.se(1).se(2).se(-3).se(-4);
                }
            }
        }
        Slice {
            slice_type,
            redundant_pic_cnt: Some(2),
            list_modification: Some(modification),
            weights: Some(weights),
            marking: vec![vec![1, 3], vec![2, 0], vec![3, 1, 0], vec![4, 2], vec![6, 1], vec![5]],
            ..Slice::p(7, 3)
        }
    }

    #[test]
    fn operation_five_is_found_behind_lists_and_weights() {
        let pps = Pps {
            redundant_pic_cnt: true,
            weighted_pred: true,
            weighted_bipred_idc: 1,
            num_ref_idx_minus1: (2, 1),
            ..Default::default()
        };
        let grey = Sps { profile_idc: 100, chroma: (0, 8, 8), ..Default::default() };
        for (sps, chroma) in [(Sps::default(), true), (grey, false)] {
            for slice_type in [0, 1, 3] {
                let header = read(&full_slice(chroma, slice_type), &sps, &pps).unwrap();
                assert!(header.resets_order);
                assert_eq!((header.redundant_pic_cnt, header.frame_num), (2, 7));
            }
        }
        let without = Slice { marking: vec![vec![1, 3], vec![4, 0]], ..Slice::p(7, 3) };
        assert!(!read_default(&without).unwrap().resets_order);
    }

    #[test]
    fn header_cut_off_anywhere_is_an_error_at_its_end() {
        let pps = Pps {
            redundant_pic_cnt: true,
            weighted_pred: true,
            num_ref_idx_minus1: (2, 0),
            ..Default::default()
        };
        let nal = full_slice(true, 0).nal();
        // slice_qp_delta, 16 bits of data and the trailing bits follow the header.
        for len in 1..nal.len() - 3 {
            let error = SliceHeader::read(&nal[..len], &sets(&Sps::default(), &pps)).unwrap_err();
            assert!(error.to_string().contains("runs past the end"), "{len}: {error}");
            assert_eq!(error.offset(), Some(len as u64));
        }
    }

    #[test]
    fn each_difference_of_the_standard_and_a_repeated_start_mean_a_new_picture() {
        let pps = Pps { bottom_field_pic_order: true, ..Default::default() };
        let mut sets = sets(&Sps::default(), &pps);
        sets.insert(&Pps { id: 1, ..pps }.nal(), 200).unwrap();
        let header = |slice: &Slice| SliceHeader::read(&slice.nal(), &sets).unwrap();
        let order = |lsb, bottom| Order::Lsb(lsb, 4, Some(bottom));
        let base = Slice { order: order(4, 0), ..Slice::p(2, 4) };
        let first = header(&base);
        let next = Slice { first_mb: 6, ..base.clone() };
        assert!(!header(&next).starts_new_picture(&first));
        assert!(!header(&Slice { ref_idc: 1, slice_type: 2, ..next.clone() }).starts_new_picture(&first));
        let different = [
            Slice { frame_num: 3, ..next.clone() },
            Slice { pps_id: 1, ..next.clone() },
            Slice { ref_idc: 0, ..next.clone() },
            Slice { order: order(6, 0), ..next.clone() },
            Slice { order: order(4, 1), ..next.clone() },
            Slice { unit_type: 5, slice_type: 2, ..next.clone() },
            base.clone(),
        ];
        for slice in different {
            assert!(header(&slice).starts_new_picture(&first), "{slice:?}");
        }
        let idr = Slice { order: order(0, 0), ..Slice::idr() };
        let second = Slice { first_mb: 6, ..idr.clone() };
        assert!(!header(&second).starts_new_picture(&header(&idr)));
        assert!(header(&Slice { idr_pic_id: 1, ..second }).starts_new_picture(&header(&idr)));
    }
}
