//! Streams whose parameter sets stay in the access units.

use super::*;

const IN_BAND: AccessUnitOptions =
    AccessUnitOptions { drop_leading: false, parameter_sets: ParameterSetPlacement::InBand };

/// The pictures of `nals` with parameter sets in band, and what was repeated; nothing is dropped.
fn in_band<T: AsRef<[u8]>>(nals: impl IntoIterator<Item = T>) -> (Vec<Vec<usize>>, Count) {
    let stream = Stream::new(nals);
    let mut builder = AccessUnitBuilder::new(IN_BAND);
    let (pictures, _, dropped) = stream.run_builder(&mut builder).unwrap();
    assert_eq!(dropped, Dropped::default());
    (pictures.into_iter().map(|(units, _)| units).collect(), builder.repeated())
}

fn idr(idr_pic_id: u32) -> Vec<u8> {
    Slice { idr_pic_id, ..Slice::idr() }.nal()
}

#[test]
fn sets_in_band_stay_and_change() {
    let changed = Pps { num_ref_idx_minus1: (0, 1), qp: 3, ..Default::default() }.nal();
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let nals: [&[u8]; 8] =
        [&sps, &pps, &idr(0), &pps, &Slice::p(1, 4).nal(), &changed, SEI, &Slice::p(2, 8).nal()];
    let (pictures, repeated) = in_band(nals);
    assert_eq!(pictures, [vec![0, 1, 2], vec![3, 4], vec![5, 6, 7]]);
    assert_eq!(repeated, Count::default());
}

#[test]
fn slices_are_read_with_the_set_that_holds_where_they_stand() {
    // Redundant slices show it: a header has redundant_pic_cnt only with the changed set.
    let changed = Pps { redundant_pic_cnt: true, ..Default::default() }.nal();
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let count = |count| Slice { redundant_pic_cnt: Some(count), ..Slice::p(1, 4) }.nal();
    let nals: [&[u8]; 8] = [&sps, &pps, &idr(0), &changed, &count(0), &count(1), &pps, &Slice::p(2, 8).nal()];
    assert_eq!(in_band(nals).0, [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]]);
}

#[test]
fn idr_picture_without_sets_gets_all_that_hold() {
    let pps = |id, sps_id, qp| Pps { id, sps_id, qp, ..Default::default() }.nal();
    let (sps, sps3) = (Sps::default().nal(), Sps { id: 3, ..Default::default() }.nal());
    let nals: [&[u8]; 11] = [
        &sps3,
        &pps(7, 3, 0),
        &sps,
        &pps(0, 0, 0),
        &idr(0), // 4
        &pps(0, 0, 1),
        &Slice::p(1, 4).nal(), // 6
        SEI,
        PREFIX,
        &idr(1), // 9
        &idr(0),
    ];
    let (pictures, repeated) = in_band(nals);
    // In id order, sequence parameter sets first, the changed set as it is now, in front of all that was there.
    let all = [2, 0, 5, 1];
    assert_eq!(pictures[2], [&all[..], &[7, 8, 9]].concat());
    assert_eq!(pictures[3], [&all[..], &[10]].concat());
    let bytes: usize = all.iter().map(|&index: &usize| nals[index].len()).sum();
    assert_eq!((repeated.units, repeated.bytes), (8, 2 * bytes as u64));
}

#[test]
fn sets_that_an_idr_picture_has_are_not_put_there_again() {
    let pps = |id, qp| Pps { id, qp, ..Default::default() }.nal();
    let sps = Sps::default().nal();
    let nals: [&[u8]; 9] =
        [&sps, &pps(0, 0), &pps(1, 0), &idr(0), SEI, &pps(1, 5), &idr(1), &pps(2, 0), &idr(0)];
    let (pictures, repeated) = in_band(nals);
    assert_eq!(pictures[1], [0, 1, 4, 5, 6]);
    assert_eq!(pictures[2], [0, 1, 5, 7, 8]);
    assert_eq!(repeated.units, 2 + 3);
}

#[test]
fn picture_sets_stand_behind_the_sequence_sets_of_their_access_unit() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let changed = Sps { level_idc: 31, ..Default::default() }.nal();
    let pps1 = Pps { id: 1, ..Default::default() }.nal();
    let nals: [&[u8]; 12] = [
        &sps,
        &pps,
        &pps1,
        &idr(0), // 3
        SEI,
        &changed,
        &pps1,
        &idr(1), // 7: one set of the two that a decoder forgets with the old sequence parameter set
        &pps,
        &sps,
        SEI,
        &idr(0), // 11: one stands too early
    ];
    let (pictures, repeated) = in_band(nals);
    assert_eq!(pictures[1], [4, 5, 1, 6, 7]);
    assert_eq!(pictures[2], [8, 9, 8, 6, 10, 11]);
    assert_eq!(repeated.units, 3);
}

#[test]
fn extensions_stand_directly_behind_their_sets() {
    let (sps, sps1) = (Sps::default().nal(), Sps { id: 1, ..Default::default() }.nal());
    let (extension, pps): (&[u8], _) = (&[0x6d, 0xd0], Pps::default().nal());
    let nals: [&[u8]; 9] = [&sps1, &sps, extension, &pps, &idr(0), &idr(1), &sps, SEI, &idr(0)];
    let (pictures, _) = in_band(nals);
    assert_eq!(pictures[1], [1, 2, 0, 3, 5]);
    assert_eq!(pictures[2], [0, 6, 6, 2, 3, 7, 8]);
}

#[test]
fn sets_in_band_behind_the_last_picture_are_dropped_and_counted() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let nals: [&[u8]; 7] = [&sps, &pps, &idr(0), SEI, &pps, END_OF_STREAM, &sps];
    let (pictures, _, dropped) = Stream::new(nals).run_with(IN_BAND).unwrap();
    assert_eq!(pictures, [(vec![0, 1, 2, 3], true)]);
    let parameter_sets = Count { units: 2, bytes: (sps.len() + pps.len()) as u64 };
    let ends_of_stream = Count { units: 1, bytes: 1 };
    assert_eq!(dropped, Dropped { parameter_sets, ends_of_stream, ..Dropped::default() });
}

#[test]
fn sets_that_came_with_dropped_pictures_are_not_lost() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let nals: [&[u8]; 5] = [&sps, &pps, &Slice::p(1, 4).nal(), SEI, &idr(0)];
    let stream = Stream::new(nals);
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions { drop_leading: true, ..IN_BAND });
    let (pictures, _, dropped) = stream.run_builder(&mut builder).unwrap();
    assert_eq!(pictures, [(vec![0, 1, 3, 4], true)]);
    assert_eq!(dropped.leading_pictures.bytes, nals[..3].iter().map(|nal| nal.len() as u64).sum::<u64>());
    assert_eq!(builder.repeated().units, 2);
}

#[test]
fn sequence_set_in_use_changes_in_front_of_idr_pictures_only() {
    let changed = Sps { level_idc: 31, ..Default::default() }.nal();
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let stream = Stream::new([&sps, &pps, &idr(0), &changed, &Slice::p(1, 4).nal()]);
    let error = stream.run_with(IN_BAND).unwrap_err();
    assert!(error.to_string().contains("set 0 has changed in front of a picture that is not IDR"), "{error}");
    assert_eq!(error.offset(), Some(stream.offsets[4]));
    let smaller = Sps { size_minus1: (2, 2), ..Default::default() }.nal();
    let error = Stream::new([&sps, &pps, &idr(0), &smaller, &idr(1)]).run_with(IN_BAND).unwrap_err();
    assert!(error.to_string().contains("resolution changes from 64x48"), "{error}");
}

/// The same with parameter sets that change, and IDR pictures more often.
fn pieces_with_changes() -> Vec<Vec<u8>> {
    let changes = [
        Sps { level_idc: 31, ..Default::default() }.nal(),
        Sps { id: 1, ..Default::default() }.nal(),
        Pps { num_ref_idx_minus1: (1, 0), ..Default::default() }.nal(),
        Pps { id: 1, sps_id: 1, ..Default::default() }.nal(),
        vec![0x6d, 0xe8],
        idr(1),
        Slice { pps_id: 1, ..Slice::idr() }.nal(),
    ];
    [&pieces()[..], &changes].concat()
}

#[test]
fn a_picture_set_comes_again_behind_its_sequence_set_that_comes_again_for_its_extension() {
    // The extension of SPS 0 came long ago; SPS 0 changes, PPS 0 follows it, and SPS 1 ends the run of SPSs.
    let units: [&[u8]; 6] = [
        &[109, 232],
        &[65, 235, 35, 87, 155],
        &[103, 77, 0, 31, 246, 35, 200],
        &[104, 202, 142, 32],
        &[103, 77, 0, 30, 93, 136, 242],
        &[101, 136, 132, 13, 94, 108],
    ];
    let units: Vec<Vec<u8>> = units.iter().map(|unit| unit.to_vec()).collect();
    fuzz_access_units(&joined(pieces()[..4].iter().chain(&units)));
}

proptest! {
    #[test]
    fn sets_that_change_keep_every_idr_picture_decodable(
        picks in proptest::collection::vec(prop::sample::select(pieces_with_changes()), 0..40),
    ) {
        fuzz_access_units(&joined(pieces()[..4].iter().chain(&picks)));
    }
}
