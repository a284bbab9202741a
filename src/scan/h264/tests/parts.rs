//! Streams that are split where their parameter sets change.

use super::*;
use crate::scan::access_units::{Event, Splitter};

/// A part: its pictures by the indices of their units, and the bytes of its sets in the configuration record.
type Part = (Vec<Vec<usize>>, Vec<u8>);

/// Splits `nals` wherever a push tells a change.
fn parts<T: AsRef<[u8]>>(
    placement: ParameterSetPlacement,
    nals: impl IntoIterator<Item = T>,
) -> Result<Vec<Part>> {
    let stream = Stream::new(nals);
    let options = AccessUnitOptions { drop_leading: false, parameter_sets: placement };
    let (mut splitter, mut pictures) = (Splitter::new(AccessUnitBuilder::new(options)), vec![Vec::new()]);
    let mut configurations = Vec::new();
    let mut take = |event: Event<'_, H264>| {
        match event {
            Event::Unit(unit) => {
                let indices = unit.units.iter().map(|range| stream.index(range)).collect::<Vec<_>>();
                pictures.last_mut().unwrap().push(indices);
            }
            Event::Ended(ended, _) => {
                configurations.push(ended.configuration()?.record());
                pictures.push(Vec::new());
            }
        }
        Ok(())
    };
    for (nal, &offset) in stream.nals.iter().zip(&stream.offsets) {
        splitter.push(NalUnit { offset, len: nal.len() as u32, head: nal }, &mut take)?;
    }
    let last = splitter.finish(&mut take)?;
    configurations.push(last.configuration()?.record());
    Ok(pictures.into_iter().zip(configurations).collect())
}

/// The record of a part with these sets alone.
fn record(nals: &[&[u8]]) -> Vec<u8> {
    let idr = Slice::idr().nal();
    let all = nals.iter().copied().chain([&idr[..]]);
    parts(ParameterSetPlacement::SampleEntry, all).unwrap().remove(0).1
}

fn idr(pps_id: u32) -> Vec<u8> {
    Slice { pps_id, ..Slice::idr() }.nal()
}

const IN_ENTRY: ParameterSetPlacement = ParameterSetPlacement::SampleEntry;

#[test]
fn a_changed_set_starts_a_part_with_all_that_stands_in_front_of_it() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let (sps2, pps2) =
        (Sps { level_idc: 31, ..Default::default() }.nal(), Pps { qp: 3, ..Default::default() }.nal());
    // Units of a picture to come stand in front of the set, and behind it.
    let p = Slice::p(1, 4).nal();
    let nals: [&[u8]; 12] = [&sps, &pps, &idr(0), &p, AUD, SEI, &sps2, &pps2, SEI, &idr(0), &p, SEI];
    let parts = parts(IN_ENTRY, nals).unwrap();
    assert_eq!(parts[0], (vec![vec![2], vec![3]], record(&[&sps, &pps])));
    assert_eq!(parts[1], (vec![vec![5, 8, 9], vec![10, 11]], record(&[&sps2, &pps2])));
}

#[test]
fn a_set_that_is_not_sent_again_is_of_the_part_that_uses_it() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let unused = Pps { id: 1, qp: 1, ..Default::default() }.nal();
    let used = Pps { id: 2, qp: 2, ..Default::default() }.nal();
    let sps2 = Sps { level_idc: 31, ..Default::default() }.nal();
    let later = Slice { pps_id: 2, ..Slice::p(1, 4) }.nal();
    let nals: [&[u8]; 8] = [&sps, &pps, &unused, &used, &idr(0), &sps2, &idr(0), &later];
    let parts = parts(IN_ENTRY, nals).unwrap();
    assert_eq!(parts[0].1, record(&[&sps, &pps, &unused, &used]));
    assert_eq!(parts[1].1, record(&[&sps2, &pps, &used]));
}

#[test]
fn a_new_id_of_the_same_format_starts_no_part_and_one_of_another_does() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let of = |sps: Sps| [Sps { id: 1, ..sps }.nal(), Pps { id: 1, sps_id: 1, ..Default::default() }.nal()];
    let run = |other: &[Vec<u8>; 2], placement| {
        let nals: [&[u8]; 7] = [&sps, &pps, &idr(0), &other[0], &other[1], &idr(1), &idr(0)];
        parts(placement, nals).unwrap()
    };
    let same = of(Sps { level_idc: 31, ..Default::default() });
    assert_eq!(run(&same, IN_ENTRY).len(), 1);
    // The part in front does not know of it, and it goes back where the format does.
    let other = of(Sps { size_minus1: (3, 3), ..Default::default() });
    let found: Vec<_> = run(&other, IN_ENTRY).into_iter().map(|part| part.1).collect();
    let first = record(&[&sps, &pps]);
    assert_eq!((found.len(), &found[0], &found[2]), (3, &first, &first));
    let holds = |record: &[u8], nal: &[u8]| record.windows(nal.len()).any(|window| window == nal);
    assert!(holds(&found[1], &other[0]) && holds(&found[1], &other[1]) && !holds(&found[1], &pps));
    // In band the parts are the same, and each opens with every set that holds.
    let in_band = run(&other, ParameterSetPlacement::InBand);
    let pictures: Vec<_> = in_band.iter().map(|part| part.0.clone()).collect();
    assert_eq!(pictures, [vec![vec![0, 1, 2]], vec![vec![0, 3, 1, 4, 5]], vec![vec![0, 3, 1, 4, 6]]]);
}

#[test]
fn a_set_that_changes_before_the_first_picture_starts_no_part() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let sps2 = Sps { level_idc: 31, ..Default::default() }.nal();
    let nals: [&[u8]; 5] = [&sps, &pps, &sps2, &pps, &idr(0)];
    assert_eq!(parts(IN_ENTRY, nals).unwrap(), [(vec![vec![4]], record(&[&sps2, &pps]))]);
}

#[test]
fn a_change_in_front_of_a_picture_that_is_not_idr_is_refused_with_both_places() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let pps2 = Pps { qp: 3, ..Default::default() }.nal();
    let nals: [&[u8]; 6] = [&sps, &pps, &idr(0), &pps2, &Slice::p(1, 4).nal(), &idr(0)];
    let offsets = Stream::new(nals).offsets;
    let error = parts(IN_ENTRY, nals).unwrap_err();
    assert_eq!(error.offset(), Some(offsets[4]));
    let error = error.to_string();
    for part in [
        "picture parameter set 0 changes",
        &format!("at {:#x}", offsets[3]),
        &format!("since {:#x}", offsets[1]),
        "is not an IDR picture",
        "--parameter-sets in-band",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

proptest! {
    /// No unit is lost or in two places, however sets and pictures follow each other.
    #[test]
    fn units_are_in_one_part_each(draw in prop::collection::vec((0u32..8, 0usize..4), 1..40)) {
        let levels = [30, 31, 32, 40];
        let mut nals = vec![Sps::default().nal(), Pps::default().nal(), idr(0)];
        for (kind, which) in draw {
            match kind {
                0 => nals.push(Sps { level_idc: levels[which], ..Default::default() }.nal()),
                1 => nals.push(Pps { qp: which as i32, ..Default::default() }.nal()),
                2 => nals.push(SEI.to_vec()),
                _ => nals.push(Slice { idr_pic_id: which as u32, ..Slice::idr() }.nal()),
            }
        }
        let kept: Vec<_> = (0..nals.len()).filter(|&n| !matches!(nals[n][0] & 31, 7 | 8)).collect();
        let parts = parts(IN_ENTRY, &nals).unwrap();
        prop_assert!(parts.iter().all(|part| !part.0.is_empty()));
        let found: Vec<usize> = parts.iter().flat_map(|part| part.0.iter().flatten().copied()).collect();
        prop_assert_eq!(found, kept);
        // A part has the sets that its pictures were coded with: those that came last.
        let mut at = 0;
        for (pictures, record) in &parts {
            let last = *pictures.last().unwrap().last().unwrap();
            let first_slice = *pictures[0].iter().find(|&&n| nals[n][0] & 31 == 5).unwrap();
            for kind in [7, 8] {
                let set = nals[..first_slice].iter().rev().find(|nal| nal[0] & 31 == kind).unwrap();
                prop_assert!(record.windows(set.len()).any(|window| window == &set[..]));
            }
            prop_assert!(last >= at);
            at = last;
        }
    }
}
