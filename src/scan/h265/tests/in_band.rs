//! Streams whose parameter sets stay in the access units.

use super::*;

fn options(drop_leading: bool) -> AccessUnitOptions {
    AccessUnitOptions { drop_leading, parameter_sets: ParameterSetPlacement::InBand }
}

/// The pictures of `nals` with parameter sets in band, and what was repeated; nothing is dropped.
fn in_band<T: AsRef<[u8]>>(nals: impl IntoIterator<Item = T>) -> (Vec<Vec<usize>>, Count) {
    let mut builder = AccessUnitBuilder::new(options(false));
    let seen = Stream::new(nals).run_builder(&mut builder).unwrap();
    assert_eq!(*builder.dropped(), Dropped::default());
    (seen.into_iter().map(|seen| seen.units).collect(), builder.repeated())
}

#[test]
fn sets_in_band_stay_and_change() {
    let [vps, sps, pps] = default_sets();
    let changed = Pps { extra_slice_header_bits: 2, ..Default::default() }.nal();
    let p = Slice { extra_bits: 2, ..Slice::p(8) }.nal();
    let nals: [&[u8]; 9] =
        [&vps, &sps, &pps, &Slice::idr().nal(), &pps, &Slice::p(4).nal(), &changed, SEI, &p];
    let (pictures, repeated) = in_band(nals);
    assert_eq!(pictures, [vec![0, 1, 2, 3], vec![4, 5], vec![6, 7, 8]]);
    assert_eq!(repeated, Count::default());
}

#[test]
fn every_irap_picture_without_sets_gets_all_that_hold_in_order() {
    let [vps, sps, pps] = default_sets();
    let (vps2, sps1) =
        (Vps { id: 2, ..Default::default() }.nal(), Sps { id: 1, vps_id: 2, ..Default::default() }.nal());
    let pps1 = Pps { id: 1, sps_id: 1, ..Default::default() }.nal();
    for irap in [Slice::idr(), Slice::irap(20, 0), Slice::irap(16, 12), Slice::cra(12)] {
        // Sets may come in any order.
        let nals: [&[u8]; 10] = [
            &pps1,
            &sps1,
            &vps2,
            &pps,
            &sps,
            &vps,
            &Slice::idr().nal(), // 6
            &Slice::p(7).nal(),
            SEI,
            &irap.nal(), // 9
        ];
        let (pictures, repeated) = in_band(nals);
        // Video, sequence, picture parameter sets, each in id order.
        let all = [5, 2, 4, 1, 3, 0];
        assert_eq!(pictures[2], [&all[..], &[8, 9]].concat(), "{}", irap.unit_type);
        // A decoder may read a set by those in front of it, so what stands too early is given again.
        assert_eq!(pictures[0], [0, 1, 2, 3, 4, 5, 4, 1, 3, 0, 6]);
        assert_eq!(repeated.units, 6 + 4);
    }
}

#[test]
fn sets_that_an_irap_picture_has_are_not_put_there_again() {
    let [vps, sps, pps] = default_sets();
    let nals: [&[u8]; 12] = [
        &vps,
        &sps,
        &pps,
        &Slice::idr().nal(), // 3
        &vps,
        &sps,
        &pps,
        &Slice::cra(4).nal(), // 7
        SEI,
        &pps,
        SEI,
        &Slice::cra(8).nal(), // 11
    ];
    let (pictures, repeated) = in_band(nals);
    assert_eq!(pictures, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![4, 5, 8, 9, 10, 11]]);
    assert_eq!(repeated.units, 2);
}

#[test]
fn sets_that_come_behind_those_that_build_on_them_are_followed_by_these() {
    let [vps, sps, pps] = default_sets();
    let idr = Slice::idr().nal();
    // A decoder may forget what refers to a set that comes again.
    let late_vps: [&[u8]; 6] = [&vps, &sps, &pps, &idr, &vps, &idr];
    let (pictures, repeated) = in_band(late_vps);
    assert_eq!(pictures[1], [4, 1, 2, 5]);
    assert_eq!(repeated.units, 2);
    let late_sps: [&[u8]; 7] = [&vps, &sps, &pps, &idr, &pps, &sps, &idr];
    assert_eq!(in_band(late_sps).0[1], [0, 4, 5, 4, 6]);
    let all_backwards: [&[u8]; 8] = [&vps, &sps, &pps, &idr, &pps, &sps, &vps, &idr];
    assert_eq!(in_band(all_backwards).0[1], [4, 5, 6, 5, 4, 7]);
}

#[test]
fn changed_sets_hold_where_a_sequence_starts() {
    let [vps, sps, pps] = default_sets();
    let mut higher = Sps { log2_max_lsb: 8, ..Default::default() };
    higher.profile.level_idc = 120;
    let timed = Vps { timing: Some((1, 25)), ..Default::default() }.nal();
    let idr = Slice::idr().nal();
    let wide = |slice: Slice| Slice { lsb: (slice.lsb.0, 8), ..slice }.nal();
    let nals: [&[u8]; 9] =
        [&vps, &sps, &pps, &idr, &timed, &higher.nal(), &idr, &wide(Slice::p(200)), &wide(Slice::cra(220))];
    let (pictures, _) = in_band(nals);
    assert_eq!(pictures, [vec![0, 1, 2, 3], vec![4, 5, 2, 6], vec![7], vec![4, 5, 2, 8]]);
    // At a CRA picture within a sequence they may not change.
    for changed in [&timed, &higher.nal()] {
        let stream = Stream::new([&vps, &sps, &pps, &idr, changed, &wide(Slice::cra(8))]);
        let error = stream.run_builder(&mut AccessUnitBuilder::new(options(false))).unwrap_err();
        assert!(error.to_string().contains("does not start a coded video sequence"), "{error}");
        assert_eq!(error.offset(), Some(stream.offsets[5]));
    }
}

#[test]
fn sets_in_front_of_a_dropped_rasl_picture_are_kept_for_those_behind_it() {
    let [vps, sps, pps] = default_sets();
    let changed = Pps { extra_slice_header_bits: 2, ..Default::default() }.nal();
    let with_changed = |slice: Slice| Slice { extra_bits: 2, ..slice }.nal();
    let nals: [&[u8]; 10] = [
        &vps,
        &sps,
        &pps,
        &Slice::cra(8).nal(), // 3
        SEI,
        &changed,
        &with_changed(Slice::b(8, 5)), // dropped with the SEI message
        SUFFIX_SEI,
        &with_changed(Slice::b(9, 6)),
        &with_changed(Slice::p(12)),
    ];
    let stream = Stream::new(nals);
    let mut builder = AccessUnitBuilder::new(options(true));
    let seen = stream.run_builder(&mut builder).unwrap();
    assert_eq!(
        seen.iter().map(|seen| seen.units.clone()).collect::<Vec<_>>(),
        [vec![0, 1, 2, 3], vec![5, 9]]
    );
    let skipped = builder.dropped().skipped_pictures;
    assert_eq!((skipped.units, skipped.bytes), (2, stream.bytes(&[4, 6, 7, 8])));
    assert_eq!(builder.dropped().parameter_sets, Count::default());
}

#[test]
fn sets_of_higher_layers_are_no_sets_of_the_base_layer() {
    let [vps, sps, pps] = default_sets();
    let layer_sps = unit(33, 1);
    let nals: [&[u8]; 6] = [&vps, &sps, &pps, &Slice::idr().nal(), &layer_sps, &Slice::cra(4).nal()];
    assert_eq!(in_band(nals).0, [vec![0, 1, 2, 3, 4], vec![0, 1, 2, 5]]);
}

#[test]
fn sets_that_dropped_rasl_pictures_replaced_are_dropped_with_them() {
    let [vps, sps, pps] = default_sets();
    let rasl = Slice::b(8, 5).nal();
    let [first, second] = [1, 2].map(|qp| Pps { qp, ..Default::default() }.nal());
    let nals: [&[u8]; 10] =
        [&vps, &sps, &pps, &Slice::cra(8).nal(), &first, &rasl, &second, &rasl, &rasl, &Slice::p(12).nal()];
    let stream = Stream::new(nals);
    let mut builder = AccessUnitBuilder::new(options(true));
    let seen = stream.run_builder(&mut builder).unwrap();
    assert_eq!(seen[1].units, [6, 9]);
    let skipped = builder.dropped().skipped_pictures;
    assert_eq!((skipped.units, skipped.bytes), (3, stream.bytes(&[4, 5, 7, 8])));
}
