//! Slice headers of hand-made slices.

use super::super::testing::{BitWriter, Order, Pps, Slice, Sps};
use super::*;
use crate::codec::ParameterSetStore;

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
        field: None,
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
    let sps = Sps { profile_idc: 244, chroma: (3, 8, 8), separate_colour_planes: true, ..Default::default() };
    let slice = |plane| Slice { colour_plane_id: Some(plane), ..Slice::p(5, 9) };
    let header = read(&slice(2), &sps, &Pps::default()).unwrap();
    assert_eq!((header.colour_plane_id, header.frame_num, header.order.lsb), (2, 5, 9));
    assert!(read(&slice(3), &sps, &Pps::default()).unwrap_err().to_string().contains("colour_plane_id is 3"));
}

/// A set that allows field pictures.
fn with_fields() -> Sps {
    Sps { frame_mbs_only: false, ..Default::default() }
}

#[test]
fn frames_and_fields_of_either_parity_are_read() {
    let header = |slice: Slice| read(&slice, &with_fields(), &Pps::default()).unwrap();
    let frame = header(Slice { field_pic: Some(false), ..Slice::p(5, 9) });
    assert_eq!((frame.field, frame.frame_num, frame.order.lsb), (None, 5, 9));
    let top = header(Slice::p(5, 9).field(false));
    assert_eq!((top.field, top.frame_num, top.order.lsb), (Some(Field::Top), 5, 9));
    let bottom = header(Slice::idr().field(true));
    assert_eq!((bottom.field, bottom.idr), (Some(Field::Bottom), true));
}

#[test]
fn elements_of_the_other_field_are_in_frames_alone() {
    let pps = Pps { bottom_field_pic_order: true, ..Default::default() };
    // Operation 5 behind the order count shows that no more and no fewer bits were read than there are.
    let slice = |order| Slice { order, marking: vec![vec![5]], field_pic: Some(false), ..Slice::default() };
    let (frame, field) = (slice(Order::Lsb(5, 4, Some(-2))), slice(Order::Lsb(5, 4, None)).field(true));
    for (slice, delta_bottom) in [(frame, -2), (field, 0)] {
        let header = read(&slice, &with_fields(), &pps).unwrap();
        assert_eq!(header.order, OrderSyntax { lsb: 5, delta_bottom, delta: [0, 0] });
        assert!(header.resets_order);
    }
    let order = OrderCountType::Cycle {
        delta_always_zero: false,
        offset_for_non_ref_pic: 0,
        offset_for_top_to_bottom_field: 0,
        offsets_for_ref_frames: vec![1],
    };
    let sps = Sps { order, ..with_fields() };
    let (frame, field) = (slice(Order::Delta(3, Some(4))), slice(Order::Delta(3, None)).field(true));
    for (slice, delta) in [(frame, [3, 4]), (field, [3, 0])] {
        let header = read(&slice, &sps, &pps).unwrap();
        assert_eq!((header.order.delta, header.resets_order), (delta, true));
    }
}

#[test]
fn fields_have_twice_the_references_of_frames() {
    let pps = Pps { weighted_pred: true, ..Default::default() };
    let slice = |references: u32| {
        let mut weights = BitWriter::default();
        weights.ue(0).ue(0);
        (0..references).for_each(|_| {
            weights.flag(false).flag(false);
        });
        Slice {
            num_ref_idx_minus1: Some((references - 1, 0)),
            weights: Some(weights),
            marking: vec![vec![5]],
            field_pic: Some(false),
            ..Slice::p(5, 9)
        }
    };
    for (slice, refused) in [(slice(16), None), (slice(17), Some("is 16, must be 0..=15 in a frame"))] {
        check_references(&slice, &pps, refused);
    }
    for (slice, refused) in [(slice(32), None), (slice(33), Some("is 32, must be 0..=31 in a field"))] {
        check_references(&slice.field(false), &pps, refused);
    }
}

fn check_references(slice: &Slice, pps: &Pps, refused: Option<&str>) {
    match (read(slice, &with_fields(), pps), refused) {
        (Ok(header), None) => assert!(header.resets_order),
        (Err(error), Some(message)) => assert!(error.to_string().contains(message), "{error}"),
        (result, _) => panic!("{result:?}"),
    }
}

#[test]
fn slice_that_starts_behind_the_picture_is_refused() {
    // 4 by 3 macroblocks; with field macroblocks 4 by 6, counted in pairs; 4 by 3 in a field of those, whether or not
    // frames have field macroblocks; 4 by 6 in a frame that has none.
    let no_pairs = Sps { mb_adaptive: false, ..with_fields() };
    let slice = |first_mb, field_pic| Slice { first_mb, field_pic, ..Slice::default() };
    for (sps, field_pic, end) in [
        (Sps::default(), None, 11),
        (with_fields(), Some(false), 11),
        (with_fields(), Some(true), 11),
        (no_pairs.clone(), Some(true), 11),
        (no_pairs, Some(false), 23),
    ] {
        assert!(read(&slice(end, field_pic), &sps, &Pps::default()).is_ok());
        let error = read(&slice(end + 1, field_pic), &sps, &Pps::default()).unwrap_err().to_string();
        let message = format!("first_mb_in_slice is {}, the picture ends at {end}", end + 1);
        assert!(error.contains(&message), "{error}");
    }
}

#[test]
fn another_parity_or_a_frame_is_another_picture() {
    let header = |slice: Slice| read(&slice, &with_fields(), &Pps::default()).unwrap();
    let base = Slice { field_pic: Some(false), ..Slice::p(2, 4) };
    let pictures = [base.clone(), base.clone().field(false), base.field(true)];
    for (first, i) in pictures.iter().zip(0..) {
        for (next, j) in pictures.iter().zip(0..) {
            let next = Slice { first_mb: 6, ..next.clone() };
            assert_eq!(header(next).starts_new_picture(&header(first.clone())), i != j, "{i} {j}");
        }
    }
}

/// Whether `second` is the second field of the frame of `first`.
fn pair(first: &Slice, second: &Slice) -> bool {
    let header = |slice: &Slice| read(slice, &with_fields(), &Pps::default()).unwrap();
    header(second).is_second_field_of(&header(first))
}

#[test]
fn fields_of_opposite_parity_with_one_frame_num_are_a_frame() {
    let (top, bottom) = (Slice::p(3, 4).field(false), Slice::p(3, 5).field(true));
    assert!(pair(&top, &bottom));
    assert!(pair(&bottom, &top));
    assert!(!pair(&top, &top));
    assert!(!pair(&bottom, &bottom));
    assert!(!pair(&top, &Slice { frame_num: 4, ..bottom.clone() }));
    let frame = Slice { field_pic: Some(false), ..Slice::p(3, 5) };
    assert!(!pair(&top, &frame));
    assert!(!pair(&frame, &bottom));
    assert!(!pair(&frame, &frame));
}

#[test]
fn both_fields_are_references_or_neither_is() {
    let (reference, other) = (Slice::p(3, 4).field(false), Slice::b(3, 4).field(false));
    let bottom = |slice: &Slice| slice.clone().field(true);
    assert!(pair(&reference, &Slice { ref_idc: 1, slice_type: 2, ..bottom(&reference) }));
    assert!(pair(&other, &Slice { slice_type: 0, ..bottom(&other) }));
    assert!(!pair(&reference, &bottom(&other)));
    assert!(!pair(&other, &bottom(&reference)));
}

#[test]
fn only_the_first_field_of_a_frame_is_an_idr_picture() {
    let (idr, p) = (Slice::idr().field(false), Slice::p(0, 1).field(true));
    assert!(pair(&idr, &p));
    assert!(pair(&idr, &Slice { slice_type: 2, ..p.clone() }));
    assert!(!pair(&idr, &Slice::idr().field(true)));
    assert!(!pair(&p, &idr));
}

#[test]
fn operation_five_is_in_a_first_field_only_whose_frame_num_then_is_zero() {
    let reset = |slice: Slice| Slice { marking: vec![vec![5]], ..slice };
    let (first, second) = (Slice::p(3, 4).field(false), Slice::p(3, 5).field(true));
    assert!(!pair(&first, &reset(second.clone())));
    assert!(!pair(&reset(first.clone()), &second));
    let at_zero = Slice { frame_num: 0, ..second };
    assert!(pair(&reset(first.clone()), &at_zero));
    assert!(!pair(&first, &at_zero));
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
