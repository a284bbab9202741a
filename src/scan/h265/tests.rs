//! Access units of hand-made streams.

mod in_band;
mod packets;
mod random_access;

use super::*;
use crate::codec::ParameterSetPlacement;
use crate::codec::h265::testing::{Pps, Slice, Sps, Vps, vui_fields};
use crate::error::Error;
use crate::scan::access_units::fuzz::split;
use crate::scan::{Count, Dropped, NalUnit, SourceRange};
use proptest::prelude::*;

const AUD: &[u8] = &[70, 1, 0x50];
const END_OF_SEQUENCE: &[u8] = &[72, 1];
const END_OF_BITSTREAM: &[u8] = &[74, 1];
const FILLER: &[u8] = &[76, 1, 0xff, 0x80];
const SEI: &[u8] = &[78, 1, 0x05, 0x01, 0x42, 0x80];
const SUFFIX_SEI: &[u8] = &[80, 1, 0x84, 0x01, 0x42, 0x80];

/// A unit of this type and layer that says nothing.
fn unit(unit_type: u8, layer: u8) -> Vec<u8> {
    vec![unit_type << 1 | layer >> 5, layer << 3 | 1, 0x11]
}

/// One access unit, its units by their index in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    units: Vec<usize>,
    access: RandomAccess,
    count: i32,
    epoch_start: bool,
    intra: bool,
    reference: bool,
    fields: u8,
}

/// NAL units laid one after the other, each behind a three-byte start code.
struct Stream {
    nals: Vec<Vec<u8>>,
    offsets: Vec<u64>,
}

impl Stream {
    fn new<T: AsRef<[u8]>>(nals: impl IntoIterator<Item = T>) -> Self {
        let nals: Vec<Vec<u8>> = nals.into_iter().map(|nal| nal.as_ref().to_vec()).collect();
        let offsets = nals
            .iter()
            .scan(0, |end, nal| {
                let offset = *end + 3;
                *end = offset + nal.len() as u64;
                Some(offset)
            })
            .collect();
        Self { nals, offsets }
    }

    /// Default parameter sets, which are the units 0 to 2, then `rest`.
    fn with_sets<T: AsRef<[u8]>>(rest: impl IntoIterator<Item = T>) -> Self {
        let rest: Vec<Vec<u8>> = rest.into_iter().map(|nal| nal.as_ref().to_vec()).collect();
        Self::new(default_sets().into_iter().chain(rest))
    }

    fn nal(&self, index: usize) -> NalUnit<'_> {
        let nal = &self.nals[index];
        NalUnit { offset: self.offsets[index], len: nal.len() as u32, head: nal }
    }

    fn index(&self, unit: SourceRange) -> usize {
        let index = self.offsets.binary_search(&unit.offset).expect("a unit starts where one was pushed");
        assert_eq!(unit.len as usize, self.nals[index].len());
        index
    }

    fn seen(&self, unit: AccessUnit<'_>) -> Seen {
        Seen {
            units: unit.units.iter().map(|&range| self.index(range)).collect(),
            access: unit.random_access,
            count: unit.order.count,
            epoch_start: unit.order.epoch_start,
            intra: unit.intra,
            reference: unit.reference,
            fields: unit.fields,
        }
    }

    fn run_builder(&self, builder: &mut AccessUnitBuilder) -> Result<Vec<Seen>> {
        let mut seen = Vec::new();
        for index in 0..self.nals.len() {
            seen.extend(builder.push(self.nal(index))?.map(|unit| self.seen(unit)));
        }
        seen.extend(builder.finish()?.map(|unit| self.seen(unit)));
        assert!(builder.finish()?.is_none());
        Ok(seen)
    }

    fn run(&self, drop_leading: bool) -> Result<(Vec<Seen>, Dropped)> {
        let mut builder =
            AccessUnitBuilder::new(AccessUnitOptions { drop_leading, ..AccessUnitOptions::default() });
        let seen = self.run_builder(&mut builder)?;
        Ok((seen, *builder.dropped()))
    }

    fn pictures(&self) -> Vec<Vec<usize>> {
        self.run(false).unwrap().0.into_iter().map(|seen| seen.units).collect()
    }

    fn error(&self, drop_leading: bool) -> Error {
        self.run(drop_leading).map(|_| ()).unwrap_err()
    }

    /// Bytes of the units of these indices.
    fn bytes(&self, indices: &[usize]) -> u64 {
        indices.iter().map(|&index| self.nals[index].len() as u64).sum()
    }
}

fn default_sets() -> [Vec<u8>; 3] {
    [Vps::default().nal(), Sps::default().nal(), Pps::default().nal()]
}

#[test]
fn pictures_are_told_apart_by_their_first_slice_segments() {
    let (idr, p) = (Slice::idr(), Slice::p(4));
    let segments = |slice: &Slice| [slice.nal(), slice.next_segment(4).nal(), slice.next_segment(8).nal()];
    // The last one has nothing but its first slice segment to tell it from the one before.
    let stream = Stream::with_sets([segments(&idr), segments(&p), segments(&idr), segments(&idr)].concat());
    let (seen, dropped) = stream.run(false).unwrap();
    let units: Vec<_> = seen.iter().map(|seen| seen.units.clone()).collect();
    assert_eq!(units, [vec![3, 4, 5], vec![6, 7, 8], vec![9, 10, 11], vec![12, 13, 14]]);
    assert_eq!((dropped.parameter_sets.units, dropped.parameter_sets.bytes), (3, stream.bytes(&[0, 1, 2])));
}

#[test]
fn units_that_start_an_access_unit_belong_to_the_picture_behind_them() {
    // 7.4.2.4.4: prefix SEI, reserved 41 to 44, unspecified 48 to 55.
    for unit_type in [39].into_iter().chain(41..=44).chain(48..=55) {
        let (front, behind) = (unit(unit_type, 0), unit(40, 0));
        let nals = [&Slice::idr().nal(), &behind, &front, &Slice::p(4).nal(), &front, &behind];
        assert_eq!(Stream::with_sets(nals).pictures(), [vec![3, 4], vec![5, 6, 7, 8]], "{unit_type}");
        // What stands behind such a unit belongs with it, whatever it is.
        let nals = [&Slice::idr().nal(), &front, &behind, &Slice::p(4).nal()];
        assert_eq!(Stream::with_sets(nals).pictures(), [vec![3], vec![4, 5, 6]], "{unit_type}");
    }
}

#[test]
fn units_that_start_no_access_unit_stay_with_the_picture_in_front_of_them() {
    // 7.4.2.4.4: suffix SEI, reserved 45 to 47, unspecified 56 to 63; and the reserved VCL units that decoders ignore.
    for unit_type in [40].into_iter().chain(45..=47).chain(56..=63).chain([10, 15, 22, 23, 24, 31]) {
        let unit = unit(unit_type, 0);
        let nals = [
            &Slice::idr().nal(),
            &unit,
            &Slice::idr().next_segment(4).nal(),
            &unit,
            &Slice::p(4).nal(),
            &unit,
            &unit,
        ];
        assert_eq!(Stream::with_sets(nals).pictures(), [vec![3, 4, 5, 6], vec![7, 8, 9]], "{unit_type}");
    }
}

#[test]
fn units_of_higher_layers_stay_with_the_picture_in_front_of_them_whatever_they_are() {
    for unit_type in 0..=63 {
        for layer in [1, 33, 63] {
            let unit = unit(unit_type, layer);
            let nals = [&Slice::idr().nal(), &unit, &Slice::p(4).nal(), &unit];
            let (seen, dropped) = Stream::with_sets(nals).run(false).unwrap();
            let units: Vec<_> = seen.iter().map(|seen| seen.units.clone()).collect();
            assert_eq!(units, [vec![3, 4], vec![5, 6]], "{unit_type} of layer {layer}");
            assert_eq!(dropped.parameter_sets.units, 3);
        }
    }
}

#[test]
fn delimiters_filler_and_parameter_sets_are_dropped_and_counted() {
    let [vps, sps, pps] = default_sets();
    let nals = [
        AUD,
        &Slice::idr().nal(),
        FILLER,
        SUFFIX_SEI,
        AUD,
        &vps,
        &sps,
        &pps,
        SEI,
        &Slice::p(4).nal(),
        FILLER,
        &Slice::p(4).next_segment(6).nal(),
    ];
    let stream = Stream::with_sets(nals);
    let (seen, dropped) = stream.run(false).unwrap();
    let units: Vec<_> = seen.iter().map(|seen| seen.units.clone()).collect();
    assert_eq!(units, [vec![4, 6], vec![11, 12, 14]]);
    assert_eq!((dropped.access_unit_delimiters.units, dropped.access_unit_delimiters.bytes), (2, 6));
    assert_eq!((dropped.filler.units, dropped.filler.bytes), (2, 8));
    let sets = stream.bytes(&[0, 1, 2, 8, 9, 10]);
    assert_eq!((dropped.parameter_sets.units, dropped.parameter_sets.bytes), (6, sets));
}

#[test]
fn parameter_sets_and_delimiters_end_the_picture_for_what_follows_them() {
    let [vps, sps, pps] = default_sets();
    for front in [AUD, &vps, &sps, &pps] {
        let nals = [&Slice::idr().nal(), front, SUFFIX_SEI, &Slice::p(4).nal()];
        assert_eq!(Stream::with_sets(nals).pictures(), [vec![3], vec![5, 6]]);
    }
}

#[test]
fn ends_of_sequence_and_bitstream_stay_behind_their_picture() {
    let layer_end = unit(36, 1);
    let nals = [
        &Slice::idr().nal(),
        SUFFIX_SEI,
        END_OF_SEQUENCE,
        &layer_end,
        END_OF_BITSTREAM,
        SEI,
        &Slice::idr().nal(),
        END_OF_BITSTREAM,
        &Slice::idr().nal(),
        END_OF_SEQUENCE,
        END_OF_BITSTREAM,
    ];
    let (seen, dropped) = Stream::with_sets(nals).run(false).unwrap();
    let units: Vec<_> = seen.iter().map(|seen| seen.units.clone()).collect();
    assert_eq!(units, [vec![3, 4, 5, 6, 7], vec![8, 9, 10], vec![11, 12, 13]]);
    assert_eq!((dropped.ends_of_sequence.units, dropped.ends_of_stream.units), (0, 0));
}

#[test]
fn slice_segment_behind_a_delimiter_or_an_end_has_lost_its_first() {
    for unit in [AUD, END_OF_SEQUENCE, END_OF_BITSTREAM] {
        let nals = [&Slice::idr().nal(), unit, &Slice::idr().next_segment(6).nal()];
        let stream = Stream::with_sets(nals);
        let error = stream.error(false);
        assert!(error.to_string().contains("a picture whose first slice has not come"), "{error}");
        assert_eq!(error.offset(), Some(stream.offsets[5]));
    }
}

#[test]
fn picture_timing_tells_for_how_long_a_picture_is_shown() {
    // payloadType 1, payloadSize 1, pic_struct in the four highest bits.
    let timing = |code: u8| vec![39 << 1, 1, 1, 1, code << 4, 0x80];
    let sps = Sps { vui: Some(vui_fields()), ..Sps::default() };
    let sets = [Vps::default().nal(), sps.nal(), Pps::default().nal()];
    let pictures = [timing(7), Slice::idr().nal(), Slice::p(4).nal(), timing(5), Slice::p(6).nal()];
    let stream = Stream::new(sets.into_iter().chain(pictures));
    let (seen, _) = stream.run(false).unwrap();
    assert_eq!(seen.iter().map(|seen| seen.fields).collect::<Vec<_>>(), [4, 2, 6]);
}

#[test]
fn slice_segment_behind_a_unit_that_starts_an_access_unit_has_lost_its_first() {
    let idr = Slice::idr();
    for front in [
        Vps::default().nal(),
        Sps::default().nal(),
        Pps::default().nal(),
        unit(39, 0),
        unit(41, 0),
        unit(48, 0),
    ] {
        let stream = Stream::with_sets([idr.nal(), front, idr.next_segment(4).nal()]);
        let error = stream.error(false).to_string();
        assert!(error.contains("whose first slice has not come") && error.contains("7.4.2.4.5"), "{error}");
    }
}

#[test]
fn lost_first_slice_segment_is_refused() {
    let (idr, p) = (Slice::idr(), Slice::p(4));
    let other_layer = Slice { temporal_id: 1, ..Slice::p(4) };
    let other_type = Slice { unit_type: 0, ..Slice::p(4) };
    let other_set = Slice { pps_id: 1, ..Slice::p(4) };
    let cases = [
        (&idr, p.next_segment(6)),
        (&p, Slice::p(5).next_segment(6)),
        (&p, other_layer.next_segment(6)),
        (&p, other_type.next_segment(6)),
        (&p, other_set.next_segment(6)),
        // Nothing but the address tells these: it would not grow.
        (&idr, idr.next_segment(4)),
        (&idr, idr.next_segment(2)),
        (&p, p.next_segment(4)),
    ];
    for (first, lost) in cases {
        let nals = [
            Pps { id: 1, ..Default::default() }.nal(),
            Slice::idr().nal(),
            first.nal(),
            first.next_segment(4).nal(),
            lost.nal(),
        ];
        let stream = Stream::with_sets(nals);
        let error = stream.error(false);
        assert!(error.to_string().contains("the first one of the second is missing"), "{lost:?}: {error}");
        assert_eq!(error.offset(), Some(stream.offsets[7]));
    }
}

#[test]
fn dependent_slice_segments_belong_to_the_slice_in_front() {
    let pps = Pps { dependent_slice_segments: true, ..Default::default() };
    let dependent =
        |slice: &Slice, address| Slice { dependent: Some(true), ..slice.next_segment(address) }.nal();
    let slice =
        |slice: &Slice, address| Slice { dependent: Some(false), ..slice.next_segment(address) }.nal();
    let (idr, p) = (Slice::idr(), Slice { slice_type: 2, ..Slice::p(4) });
    let nals = [
        Vps::default().nal(),
        Sps::default().nal(),
        pps.nal(),
        idr.nal(),
        dependent(&idr, 3),
        slice(&idr, 5),
        dependent(&idr, 9),
        p.nal(),
        dependent(&p, 3),
    ];
    let (seen, _) = Stream::new(&nals).run(false).unwrap();
    let facts: Vec<_> = seen.into_iter().map(|seen| (seen.units, seen.intra)).collect();
    // A dependent slice segment does not say its type, which is that of the slice in front.
    assert_eq!(facts, [(vec![3, 4, 5, 6], true), (vec![7, 8], true)]);
    // The first of the next picture is lost, and what is left has no count to tell.
    let stream = Stream::new(nals.iter().chain(&[dependent(&p, 3)]));
    let error = stream.error(false);
    assert!(error.to_string().contains("the first one of the second is missing"), "{error}");
}

#[test]
fn addresses_of_slice_segments_in_tiles_need_not_grow() {
    // Two columns of two blocks: the second tile begins at block 2, the first goes on to block 9.
    let pps = Pps { tiles: Some((vec![1], vec![])), ..Default::default() };
    let idr = Slice::idr();
    let nals = [
        Vps::default().nal(),
        Sps::default().nal(),
        pps.nal(),
        idr.nal(),
        idr.next_segment(8).nal(),
        idr.next_segment(2).nal(),
    ];
    assert_eq!(Stream::new(&nals).pictures(), [vec![3, 4, 5]]);
    let stream = Stream::new(nals.iter().chain(&[idr.next_segment(2).nal()]));
    assert!(stream.error(false).to_string().contains("the first one of the second is missing"));
}

#[test]
fn intra_needs_every_slice() {
    let mixed = Slice { slice_type: 2, ..Slice::p(4) };
    let nals = [
        Slice::idr().nal(),
        mixed.nal(),
        Slice { slice_type: 1, ..mixed.next_segment(6) }.nal(),
        Slice { slice_type: 2, ..Slice::p(5) }.nal(),
        Slice::b(1, 6).nal(),
    ];
    let (seen, _) = Stream::with_sets(nals).run(false).unwrap();
    assert_eq!(seen.iter().map(|seen| seen.intra).collect::<Vec<_>>(), [true, false, true, false]);
}

#[test]
fn no_picture_needs_a_sub_layer_non_reference_picture_of_the_highest_sub_layer() {
    let layered = [
        Vps { max_sub_layers: 3, ..Default::default() }.nal(),
        Sps { max_sub_layers: 3, ..Default::default() }.nal(),
        Pps::default().nal(),
    ];
    let is_reference = |sets: &[Vec<u8>], unit_type, temporal_id| {
        let picture = Slice { temporal_id, ..Slice::b(unit_type, 4) };
        let nals = [sets, &[Slice::idr().nal(), picture.nal()]].concat();
        Stream::new(nals).run(false).unwrap().0[1].reference
    };
    // TSA_N and STSA_N have a TemporalId above 0; the reserved ones are non-reference too, but are no slices.
    for (unit_type, non_reference) in [(0, true), (1, false), (6, true), (7, false)] {
        assert_eq!(is_reference(&default_sets(), unit_type, 0), !non_reference, "{unit_type}");
        for temporal_id in 0..3 {
            let expected = !(non_reference && temporal_id == 2);
            assert_eq!(is_reference(&layered, unit_type, temporal_id), expected, "{unit_type} {temporal_id}");
        }
    }
    for (unit_type, non_reference) in [(2, true), (3, false), (4, true), (5, false)] {
        for temporal_id in 1..3 {
            let expected = !(non_reference && temporal_id == 2);
            assert_eq!(is_reference(&layered, unit_type, temporal_id), expected, "{unit_type} {temporal_id}");
        }
    }
}

#[test]
fn units_behind_the_last_picture_join_it_except_parameter_sets() {
    let [vps, sps, pps] = default_sets();
    let nals = [&Slice::idr().nal(), SUFFIX_SEI, AUD, &vps, &sps, &pps, SEI, &unit(48, 0)];
    let (seen, dropped) = Stream::with_sets(nals).run(false).unwrap();
    assert_eq!(seen[0].units, [3, 4, 9, 10]);
    assert_eq!((dropped.parameter_sets.units, dropped.access_unit_delimiters.units), (6, 1));
}

#[test]
fn stream_without_a_picture_is_refused() {
    for stream in [Stream::new([[]; 0]), Stream::with_sets([AUD, SEI, END_OF_SEQUENCE])] {
        assert!(stream.error(false).to_string().contains("no coded picture (H.265 7.4.2.4.4)"));
    }
}

#[test]
fn damaged_units_are_refused_at_their_place_and_change_nothing() {
    let idr = Slice::idr().nal();
    let missing = Slice { pps_id: 9, ..Slice::p(4) }.nal();
    let no_vps = [
        Sps { id: 1, vps_id: 5, ..Default::default() }.nal(),
        Pps { id: 1, sps_id: 1, ..Default::default() }.nal(),
    ];
    let on_other = Slice { pps_id: 1, ..Slice::idr() }.nal();
    let cases: [(&[u8], &str); 7] = [
        (&[], "no NAL unit behind it"),
        (&[0x80 | 40, 1, 0x80], "forbidden_zero_bit is 1"),
        (&[40], "runs past the end"),
        (&[40, 0, 0x80], "nuh_temporal_id_plus1"),
        (&idr[..2], "runs past the end"),
        (&missing, "picture parameter set 9, which has not come"),
        (&on_other, "video parameter set 5 by sequence parameter set 1"),
    ];
    for (damaged, message) in cases {
        let good = [&no_vps[0][..], &no_vps[1], &idr, SUFFIX_SEI, SEI, &Slice::p(4).nal()];
        let stream = Stream::with_sets(good.iter().chain(&[damaged]));
        let (last, mut builder) =
            (stream.nals.len() - 1, AccessUnitBuilder::new(AccessUnitOptions::default()));
        let mut seen = Vec::new();
        for index in 0..last {
            // A damaged unit between any two leaves no trace.
            if index > 2 {
                let early = NalUnit { offset: stream.offsets[index], ..stream.nal(last) };
                builder.push(early).map(|_| ()).unwrap_err();
            }
            seen.extend(builder.push(stream.nal(index)).unwrap().map(|unit| stream.seen(unit)));
        }
        let error = builder.push(stream.nal(last)).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        let at = stream.offsets[last];
        assert!(error.offset().is_some_and(|offset| offset >= at && offset <= at + 3), "{error}");
        seen.extend(builder.finish().unwrap().map(|unit| stream.seen(unit)));
        assert_eq!(seen, Stream::with_sets(good).run(false).unwrap().0);
    }
}

#[test]
fn changed_parameter_set_and_changed_resolution_are_refused() {
    let changed = [
        Vps { timing: Some((1, 25)), ..Default::default() }.nal(),
        Sps { log2_max_lsb: 8, ..Default::default() }.nal(),
        Pps { qp: 1, ..Default::default() }.nal(),
    ];
    for (set, kind) in changed.iter().zip(["video", "sequence", "picture"]) {
        let stream = Stream::with_sets([&Slice::idr().nal(), set]);
        let error = stream.error(false);
        assert!(error.to_string().contains(&format!("{kind} parameter set 0 differs")), "{error}");
        assert_eq!(error.offset(), Some(stream.offsets[4]));
    }
    let other = [
        Sps { id: 1, size: (80, 48), ..Default::default() }.nal(),
        Pps { id: 1, sps_id: 1, ..Default::default() }.nal(),
        Slice { pps_id: 1, ..Slice::idr() }.nal(),
    ];
    let stream = Stream::with_sets([&[Slice::idr().nal()], &other[..]].concat());
    let error = stream.error(false);
    assert!(error.to_string().contains("resolution changes from 64x48"), "{error}");
    assert_eq!(error.offset(), Some(stream.offsets[6]));
    // Sets that no picture uses may say what they like.
    assert!(Stream::with_sets([&[Slice::idr().nal()], &other[..2]].concat()).run(false).is_ok());
}

/// Units to build streams from: some of everything.
fn pieces() -> Vec<Vec<u8>> {
    let slices = [
        Slice::idr(),
        Slice::irap(20, 0),
        Slice::irap(16, 5),
        Slice::cra(4),
        Slice::cra(12),
        Slice::idr().next_segment(6),
        Slice::p(9),
        Slice::p(9).next_segment(6),
        Slice { temporal_id: 1, ..Slice::b(2, 2) },
        Slice::b(0, 7),
        Slice::b(6, 11),
        Slice::b(8, 10),
        Slice::b(9, 3),
        Slice { pps_id: 1, dependent: Some(true), ..Slice::p(9).next_segment(6) },
        Slice { pps_id: 1, ..Slice::cra(8) },
    ];
    let units = [AUD, SEI, SUFFIX_SEI, FILLER, END_OF_SEQUENCE, END_OF_BITSTREAM];
    let sets = [
        Vps::default().nal(),
        Sps::default().nal(),
        Pps::default().nal(),
        Pps { id: 1, dependent_slice_segments: true, ..Default::default() }.nal(),
        Pps { qp: 5, ..Default::default() }.nal(),
        Sps { id: 1, ..Default::default() }.nal(),
        Vps { timing: Some((1, 25)), ..Default::default() }.nal(),
    ];
    let others = [unit(41, 0), unit(48, 0), unit(45, 0), unit(33, 1), unit(19, 1), unit(22, 0)];
    let slices = slices.iter().map(Slice::nal);
    sets.into_iter().chain(slices).chain(units.map(<[u8]>::to_vec)).chain(others).collect()
}

/// A stream of these units behind three-byte start codes.
fn joined<'a>(nals: impl Iterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    nals.flat_map(|nal| [&[0, 0, 1], &nal[..]].concat()).collect()
}

proptest! {
    #[test]
    fn any_sequence_of_units_keeps_or_counts_every_byte(
        picks in proptest::collection::vec(prop::sample::select(pieces()), 0..40), started in any::<bool>(),
    ) {
        let start = if started { &pieces()[..8] } else { &[] };
        let data = joined(start.iter().chain(&picks));
        prop_assert_eq!(split(&data).len(), start.len() + picks.len());
        fuzz_access_units(&data);
    }

    #[test]
    fn any_bytes_are_grouped_or_refused(data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..200)) {
        fuzz_access_units(&data);
    }
}
