//! Fields: the two of a frame are one sample.

use super::*;
use crate::codec::h264::field_streams::{FieldStream, streams};
use crate::codec::h264::testing::{BitWriter, pic_struct_sei};

/// What it is, units behind the opening pair, and how many of them each frame has.
type PairCase = (&'static str, Vec<Vec<u8>>, &'static [usize]);

/// Pictures as [`Stream::run`] gives them, with how many fields each is shown for and whether it is a reference.
fn with_fields(stream: &Stream, drop_leading: bool) -> Result<Vec<(Vec<usize>, u8, bool)>> {
    let mut builder =
        AccessUnitBuilder::new(AccessUnitOptions { drop_leading, ..AccessUnitOptions::default() });
    let mut seen = Vec::new();
    for (nal, &offset) in stream.nals.iter().zip(&stream.offsets) {
        let unit = builder.push(NalUnit { offset, len: nal.len() as u32, head: nal })?;
        seen.extend(unit.map(|unit| facts(stream, unit)));
    }
    seen.extend(builder.finish()?.map(|unit| facts(stream, unit)));
    Ok(seen)
}

fn facts(stream: &Stream, unit: AccessUnit<'_>) -> (Vec<usize>, u8, bool) {
    (unit.units.iter().map(|range| stream.index(range)).collect(), unit.fields, unit.reference)
}

/// Sequence and picture parameter sets of streams with fields.
fn sets() -> [Vec<u8>; 2] {
    [Sps { frame_mbs_only: false, size_minus1: (1, 0), ..Default::default() }.nal(), Pps::default().nal()]
}

fn stream<T: AsRef<[u8]>>(rest: impl IntoIterator<Item = T>) -> Stream {
    let rest: Vec<Vec<u8>> = rest.into_iter().map(|nal| nal.as_ref().to_vec()).collect();
    Stream::new(sets().into_iter().chain(rest))
}

fn top(slice: Slice) -> Slice {
    slice.field(false)
}

fn bottom(slice: Slice) -> Slice {
    slice.field(true)
}

/// An IDR field and the P field of the same frame.
fn opening() -> [Vec<u8>; 2] {
    [top(Slice::idr()).nal(), bottom(Slice::p(0, 1)).nal()]
}

/// Frames of a stream by hand: units of each, counted from 0, with how many fields it is shown for.
fn frames_of(stream: &FieldStream) -> Vec<(Vec<usize>, u8)> {
    let mut index = 2;
    let mut frames: Vec<(Vec<usize>, u8)> = Vec::new();
    for picture in &stream.pictures {
        let units = picture.slices.len() + usize::from(picture.pic_struct.is_some());
        let usual = if picture.slices[0].field_pic == Some(true) { 1 } else { 2 };
        // Table D-1: one field, two fields, three, two frames, three frames.
        let shown = match picture.pic_struct {
            None => usual,
            Some(1 | 2) => 1,
            Some(0 | 3 | 4) => 2,
            Some(5 | 6) => 3,
            Some(7) => 4,
            Some(8) => 6,
            Some(other) => panic!("pic_struct {other}"),
        };
        match frames.last_mut() {
            Some((all, fields)) if picture.second_field => {
                all.extend(index..index + units);
                *fields += shown;
            }
            _ => frames.push(((index..index + units).collect(), shown)),
        }
        index += units;
    }
    frames
}

#[test]
fn both_fields_of_a_frame_are_one_access_unit() {
    for coded in streams() {
        let (bytes, frames) = coded.write();
        let nals = split(&bytes);
        let stream = Stream::new(nals.iter().map(|unit| &bytes[unit.offset as usize..unit.end() as usize]));
        let seen = with_fields(&stream, false).unwrap();
        let (_, orders, _) = stream.run(false).unwrap();
        let units: Vec<_> = seen.into_iter().map(|(units, fields, _)| (units, fields)).collect();
        assert_eq!(units, frames_of(&coded), "{}", coded.name);

        // Ranks of the presentation order.
        let mut epoch = 0;
        let keys: Vec<_> = orders
            .iter()
            .map(|order| {
                epoch += usize::from(order.epoch_start);
                (epoch, order.count)
            })
            .collect();
        let ranks: Vec<usize> =
            keys.iter().map(|key| keys.iter().filter(|other| *other < key).count()).collect();
        assert_eq!(ranks, frames.iter().map(|frame| frame.rank).collect::<Vec<_>>(), "{}", coded.name);
    }
}

#[test]
fn what_stands_between_two_fields_stays_in_order() {
    let [first, second] = opening();
    let pps = Pps::default().nal();
    let nals: [&[u8]; 8] = [&first, AUD, &pps, SEI, PREFIX, &second, SEI, &top(Slice::p(1, 4)).nal()];
    let seen = with_fields(&stream(nals), false).unwrap();
    assert_eq!(seen, [(vec![2, 5, 6, 7], 2, true), (vec![8, 9], 1, true)]);
    let (_, _, dropped) = stream(nals).run(false).unwrap();
    assert_eq!((dropped.access_unit_delimiters.units, dropped.parameter_sets.units), (1, 3));
    // In band the set stays there, too.
    let in_band =
        AccessUnitOptions { parameter_sets: ParameterSetPlacement::InBand, ..AccessUnitOptions::default() };
    let (pictures, ..) = stream(nals).run_with(in_band).unwrap();
    assert_eq!(pictures, [(vec![0, 1, 2, 4, 5, 6, 7], true), (vec![8, 9], false)]);
}

#[test]
fn field_pairs_only_with_the_other_field_of_its_frame() {
    let cases: [PairCase; 5] = [
        ("same parity", vec![top(Slice::p(1, 4)).nal(), top(Slice::p(1, 6)).nal()], &[1, 1]),
        ("another frame", vec![top(Slice::p(1, 4)).nal(), bottom(Slice::p(2, 5)).nal()], &[1, 1]),
        (
            "a frame behind",
            vec![top(Slice::p(1, 4)).nal(), Slice { field_pic: Some(false), ..Slice::p(2, 8) }.nal()],
            &[1, 1],
        ),
        (
            "an end of sequence between",
            vec![top(Slice::p(1, 4)).nal(), END_OF_SEQUENCE.to_vec(), bottom(Slice::p(1, 5)).nal()],
            &[1, 1],
        ),
        (
            "a third field",
            vec![top(Slice::p(1, 4)).nal(), bottom(Slice::p(1, 5)).nal(), top(Slice::p(2, 6)).nal()],
            &[2, 1],
        ),
    ];
    for (name, nals, expected) in cases {
        let stream = stream(opening().into_iter().chain(nals));
        let seen = with_fields(&stream, false).unwrap();
        assert_eq!(seen[0].0, [2, 3], "{name}");
        let fields: Vec<usize> = seen[1..].iter().map(|(units, ..)| units.len()).collect();
        assert_eq!(fields, expected, "{name}");
    }
}

#[test]
fn a_pair_is_a_reference_as_both_of_its_fields_are() {
    let nals = [top(Slice::b(1, 4)).nal(), bottom(Slice::b(1, 5)).nal()];
    let seen = with_fields(&stream(opening().into_iter().chain(nals)), false).unwrap();
    assert_eq!(seen, [(vec![2, 3], 2, true), (vec![4, 5], 2, false)]);
}

#[test]
fn second_field_in_a_later_packet_is_refused() {
    let [first, second] = opening();
    let pushed = |stream: &Stream, builder: &mut AccessUnitBuilder, index: usize| {
        let nal = &stream.nals[index];
        builder.push(NalUnit { offset: stream.offsets[index], len: nal.len() as u32, head: nal }).map(|_| ())
    };
    let whole = stream([&first[..], SEI, &second, &top(Slice::p(1, 4)).nal()]);
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    (0..3).for_each(|index| pushed(&whole, &mut builder, index).unwrap());
    assert_eq!(builder.end_packet().unwrap().fields, 1);
    builder.start_packet();
    pushed(&whole, &mut builder, 3).unwrap();
    let error = pushed(&whole, &mut builder, 4).unwrap_err();
    assert!(
        error.to_string().contains("the second field of a frame whose first field an earlier packet"),
        "{error}"
    );
    assert_eq!(error.offset(), Some(whole.offsets[4]));
    // Another frame's may come.
    pushed(&whole, &mut builder, 5).unwrap();
    assert_eq!(builder.end_packet().unwrap().units.len(), 2);

    // Behind a whole frame, a field of the other parity is no second one; behind an end of sequence neither.
    let whole = stream([
        &first[..],
        &second,
        &bottom(Slice::p(1, 5)).nal(),
        END_OF_SEQUENCE,
        &top(Slice::idr()).nal(),
    ]);
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    (0..4).for_each(|index| pushed(&whole, &mut builder, index).unwrap());
    assert_eq!(builder.end_packet().unwrap().fields, 2);
    for range in [4..5, 5..7] {
        builder.start_packet();
        range.for_each(|index| pushed(&whole, &mut builder, index).unwrap());
        assert_eq!(builder.end_packet().unwrap().fields, 1);
    }
}

#[test]
fn refused_second_field_leaves_the_first_as_it_was() {
    let [first, second] = opening();
    // A picture parameter set of another sequence parameter set, which may not change within a sequence.
    let other = [
        Sps { id: 1, frame_mbs_only: false, size_minus1: (1, 0), ..Default::default() }.nal(),
        Pps { id: 1, sps_id: 1, ..Default::default() }.nal(),
    ];
    let wrong = Slice { pps_id: 1, ..bottom(Slice::p(0, 1)) }.nal();
    let stream = stream([&other[0], &other[1], &first, &wrong, &second]);
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    for (index, (nal, &offset)) in stream.nals.iter().zip(&stream.offsets).enumerate() {
        let pushed = builder.push(NalUnit { offset, len: nal.len() as u32, head: nal }).map(|_| ());
        assert_eq!(pushed.is_err(), index == 5, "{pushed:?}");
    }
    let unit = builder.finish().unwrap().unwrap();
    assert_eq!(facts(&stream, unit), (vec![4, 6], 2, true));
}

/// Sets whose pictures may say by SEI messages how long they are shown.
fn timed_sets() -> [Vec<u8>; 2] {
    let mut vui = BitWriter::default();
    vui.u(0, 4).flag(true).u(1, 32).u(50, 32).flag(true).u(0, 2).flag(true).flag(false);
    [Sps { vui: Some(vui), ..Default::default() }.nal(), Pps::default().nal()]
}

#[test]
fn picture_timing_counts_for_the_picture_behind_it_alone() {
    let [sps, pps] = timed_sets();
    let nals: [&[u8]; 9] = [
        &sps,
        &pps,
        &pic_struct_sei(5),
        &Slice::idr().nal(), // 3
        &pic_struct_sei(7),
        &pic_struct_sei(8), // the last one says it
        &Slice::p(1, 4).nal(),
        SEI,
        &Slice::p(2, 8).nal(),
    ];
    let seen = with_fields(&Stream::new(nals), false).unwrap();
    assert_eq!(seen.iter().map(|(_, fields, _)| *fields).collect::<Vec<_>>(), [3, 6, 2]);
    // One between the slices of a picture is no later picture's.
    let idr = Slice::idr();
    let nals: [&[u8]; 6] =
        [&sps, &pps, &part(&idr, 0), &pic_struct_sei(5), &part(&idr, 6), &Slice::p(1, 4).nal()];
    let seen = with_fields(&Stream::new(nals), false).unwrap();
    assert_eq!(seen, [(vec![2, 3, 4], 2, true), (vec![5], 2, true)]);
}

#[test]
fn picture_timing_of_a_dropped_picture_is_dropped_with_it() {
    let [sps, pps] = timed_sets();
    let nals: [&[u8]; 5] = [&sps, &pps, &pic_struct_sei(5), &Slice::p(3, 6).nal(), &Slice::idr().nal()];
    let seen = with_fields(&Stream::new(nals), true).unwrap();
    assert_eq!(seen, [(vec![4], 2, true)]);
    // That of what waits and is discarded, too.
    let stream = Stream::new([&sps, &pps, &pic_struct_sei(5), &Slice::idr().nal()]);
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    for (index, (nal, &offset)) in stream.nals.iter().zip(&stream.offsets).enumerate() {
        if index == 3 {
            builder.discard_waiting();
        }
        builder.push(NalUnit { offset, len: nal.len() as u32, head: nal }).unwrap();
    }
    assert_eq!(builder.finish().unwrap().unwrap().fields, 2);
}

#[test]
fn units_behind_a_dropped_picture_in_a_later_packet_are_dropped_with_it() {
    let stream = Stream::with_sets([&Slice::p(3, 6).nal()[..], &[0x78, 1], &Slice::idr().nal(), &[0x78, 1]]);
    let mut builder =
        AccessUnitBuilder::new(AccessUnitOptions { drop_leading: true, ..AccessUnitOptions::default() });
    let mut joined = Vec::new();
    for (nal, &offset) in stream.nals.iter().zip(&stream.offsets) {
        builder.start_packet();
        builder.push(NalUnit { offset, len: nal.len() as u32, head: nal }).unwrap();
        builder.end_packet();
        joined.extend(builder.joined().iter().map(|unit| stream.index(unit)));
    }
    assert_eq!(joined, [5]);
    let bytes = (stream.nals[2].len() + stream.nals[3].len()) as u64;
    let dropped = builder.dropped().leading_pictures;
    assert_eq!((dropped.units, dropped.bytes), (1, bytes));
}
