//! Access units of hand-made streams.

mod fields;
mod in_band;
mod parts;

use super::*;
use crate::codec::ParameterSetPlacement;
use crate::codec::h264::testing::{Order, Pps, Slice, Sps};
use crate::error::Error;
use crate::scan::access_units::fuzz::split;
use crate::scan::{Count, Dropped, NalUnit, SourceRange};
use proptest::prelude::*;

const AUD: &[u8] = &[0x09, 0xf0];
const FILLER: &[u8] = &[0x0c, 0xff, 0xff, 0x80];
const SEI: &[u8] = &[0x06, 0x05, 0x01, 0x42, 0x80];
const END_OF_SEQUENCE: &[u8] = &[0x0a];
const END_OF_STREAM: &[u8] = &[0x0b];
const PREFIX: &[u8] = &[0x6e, 0x40, 0x80];

/// What one access unit is: indices of its units in the stream, and whether it is IDR.
type Picture = (Vec<usize>, bool);

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

    /// Default parameter sets, then `rest`.
    fn with_sets<T: AsRef<[u8]>>(rest: impl IntoIterator<Item = T>) -> Self {
        let sets = [Sps::default().nal(), Pps::default().nal()];
        Self::new(sets.into_iter().chain(rest.into_iter().map(|nal| nal.as_ref().to_vec())))
    }

    fn index(&self, unit: &SourceRange) -> usize {
        let index = self.offsets.binary_search(&unit.offset).expect("a unit starts where one was pushed");
        assert_eq!(unit.len as usize, self.nals[index].len());
        index
    }

    fn run(&self, drop_leading: bool) -> Result<(Vec<Picture>, Vec<PictureOrder>, Dropped)> {
        self.run_with(AccessUnitOptions { drop_leading, ..Default::default() })
    }

    fn run_with(&self, options: AccessUnitOptions) -> Result<(Vec<Picture>, Vec<PictureOrder>, Dropped)> {
        self.run_builder(&mut AccessUnitBuilder::new(options))
    }

    fn run_builder(
        &self,
        builder: &mut AccessUnitBuilder,
    ) -> Result<(Vec<Picture>, Vec<PictureOrder>, Dropped)> {
        let (mut pictures, mut orders) = (Vec::new(), Vec::new());
        let mut take = |unit: Option<AccessUnit<'_>>| {
            if let Some(unit) = unit {
                pictures.push((
                    unit.units.iter().map(|range| self.index(range)).collect(),
                    unit.random_access == RandomAccess::Sync,
                ));
                orders.push(unit.order);
            }
        };
        for (nal, &offset) in self.nals.iter().zip(&self.offsets) {
            take(builder.push(NalUnit { offset, len: nal.len() as u32, head: nal })?);
        }
        take(builder.finish()?);
        assert!(builder.finish()?.is_none());
        Ok((pictures, orders, *builder.dropped()))
    }

    fn pictures(&self) -> Vec<Vec<usize>> {
        self.run(false).unwrap().0.into_iter().map(|(units, _)| units).collect()
    }

    fn error(&self, drop_leading: bool) -> Error {
        self.run(drop_leading).map(|_| ()).unwrap_err()
    }
}

/// A slice of the same picture from another macroblock on.
fn part(slice: &Slice, first_mb: u32) -> Vec<u8> {
    Slice { first_mb, ..slice.clone() }.nal()
}

#[test]
fn pictures_without_delimiters_are_told_apart_by_their_slices() {
    let stream = Stream::with_sets([Slice::idr().nal(), Slice::p(1, 4).nal(), Slice::b(2, 2).nal()]);
    let (pictures, orders, dropped) = stream.run(false).unwrap();
    assert_eq!(pictures, [(vec![2], true), (vec![3], false), (vec![4], false)]);
    assert_eq!(orders.iter().map(|order| order.count).collect::<Vec<_>>(), [0, 4, 2]);
    assert_eq!(dropped.parameter_sets.units, 2);
    assert_eq!(dropped.parameter_sets.bytes, (stream.nals[0].len() + stream.nals[1].len()) as u64);
}

#[test]
fn slices_of_a_picture_stay_together_in_any_order() {
    let (idr, p) = (Slice::idr(), Slice::p(1, 4));
    let nals = [part(&idr, 0), part(&idr, 4), part(&idr, 8), part(&p, 8), part(&p, 0), part(&p, 4)];
    assert_eq!(Stream::with_sets(nals).pictures(), [vec![2, 3, 4], vec![5, 6, 7]]);
}

#[test]
fn intra_needs_every_slice_and_reference_follows_nal_ref_idc() {
    let mixed = Slice::p(1, 4);
    let nals = [
        Slice::idr().nal(),
        Slice { slice_type: 2, ..mixed.clone() }.nal(),
        part(&mixed, 6),
        Slice { slice_type: 4, ..Slice::b(2, 2) }.nal(),
    ];
    let stream = Stream::with_sets(nals);
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    let mut facts = Vec::new();
    for (nal, &offset) in stream.nals.iter().zip(&stream.offsets) {
        let nal = NalUnit { offset, len: nal.len() as u32, head: nal };
        facts.extend(builder.push(nal).unwrap().map(|unit| (unit.offset, unit.intra, unit.reference)));
    }
    facts.extend(builder.finish().unwrap().map(|unit| (unit.offset, unit.intra, unit.reference)));
    let at = |index: usize| stream.offsets[index];
    assert_eq!(facts, [(at(2), true, true), (at(3), false, true), (at(5), true, false)]);
}

#[test]
fn what_stands_in_front_of_a_picture_belongs_to_it() {
    let nals = [AUD, &Slice::idr().nal(), SEI, SEI, &Slice::p(1, 4).nal(), AUD, SEI, &Slice::p(2, 8).nal()];
    let stream = Stream::with_sets(nals);
    let (pictures, _, dropped) = stream.run(false).unwrap();
    assert_eq!(pictures, [(vec![3], true), (vec![4, 5, 6], false), (vec![8, 9], false)]);
    assert_eq!((dropped.access_unit_delimiters.units, dropped.access_unit_delimiters.bytes), (2, 4));
}

#[test]
fn a_delimiter_or_an_end_starts_a_picture_even_where_slices_say_nothing() {
    // Another slice of the same picture by its header; only the unit between tells.
    let idr = Slice::idr();
    for (unit, count) in [(AUD, (1, 0, 0)), (END_OF_SEQUENCE, (0, 1, 0)), (END_OF_STREAM, (0, 0, 1))] {
        let (pictures, _, dropped) =
            Stream::with_sets([&part(&idr, 0), unit, &part(&idr, 6)]).run(false).unwrap();
        assert_eq!(pictures, [(vec![2], true), (vec![4], true)]);
        let counts = (
            dropped.access_unit_delimiters.units,
            dropped.ends_of_sequence.units,
            dropped.ends_of_stream.units,
        );
        assert_eq!(counts, count);
    }
}

#[test]
fn prefix_units_between_slices_do_not_end_the_picture() {
    let (idr, p) = (Slice::idr(), Slice::p(1, 4));
    let extension = [0x74, 0x40, 0x80, 0x11]; // type 20
    let nals = [
        PREFIX,
        &part(&idr, 0),
        &extension,
        PREFIX,
        &part(&idr, 6),
        &extension,
        PREFIX,
        &part(&p, 0),
        PREFIX,
        &part(&p, 6),
    ];
    let expected = [vec![2, 3, 4, 5, 6, 7], vec![8, 9, 10, 11]];
    assert_eq!(Stream::with_sets(nals).pictures(), expected);
}

#[test]
fn redundant_slices_belong_to_the_primary_picture() {
    let pps = Pps { redundant_pic_cnt: true, ..Default::default() };
    let count = |slice: Slice, count| Slice { redundant_pic_cnt: Some(count), ..slice };
    let nals = [
        Sps::default().nal(),
        pps.nal(),
        count(Slice::idr(), 0).nal(),
        count(Slice::idr(), 1).nal(),
        count(Slice { first_mb: 6, ..Slice::idr() }, 1).nal(),
        count(Slice::p(1, 4), 0).nal(),
        count(Slice::p(1, 4), 1).nal(),
        // A redundant slice may be predicted where the primary is intra; the picture is as intra as its primary.
        count(Slice { slice_type: 2, ..Slice::p(2, 8) }, 0).nal(),
        count(Slice::p(2, 8), 1).nal(),
    ];
    let stream = Stream::new(nals);
    assert_eq!(stream.pictures(), [vec![2, 3, 4], vec![5, 6], vec![7, 8]]);
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    for (nal, &offset) in stream.nals.iter().zip(&stream.offsets) {
        builder.push(NalUnit { offset, len: nal.len() as u32, head: nal }).unwrap();
    }
    assert!(builder.finish().unwrap().unwrap().intra);
}

#[test]
fn redundant_slice_or_partition_without_its_picture_is_refused() {
    let pps = Pps { redundant_pic_cnt: true, ..Default::default() };
    let redundant = Slice { redundant_pic_cnt: Some(1), ..Slice::idr() }.nal();
    let stream = Stream::new([Sps::default().nal(), pps.nal(), redundant]);
    assert!(stream.error(false).to_string().contains("without its primary"), "{}", stream.error(false));
    let stream = Stream::with_sets([&Slice::idr().nal()[..], AUD, &[0x63, 0x80, 0x01]]);
    assert!(stream.error(false).to_string().contains("without its partition A"));
    assert_eq!(stream.error(false).offset(), Some(stream.offsets[4]));
}

#[test]
fn data_partitions_belong_to_one_picture() {
    let a = |slice: &Slice| Slice { unit_type: 2, ..slice.clone() }.nal();
    let (b, c) = ([0x43, 0x80, 0x01], [0x44, 0x80, 0x01]);
    let (p1, p2) = (Slice::p(1, 4), Slice { first_mb: 6, ..Slice::p(1, 4) });
    let nals: [&[u8]; 7] = [&Slice::idr().nal(), &a(&p1), &b, &c, &a(&p2), &b, &a(&Slice::p(2, 8))];
    assert_eq!(Stream::with_sets(nals).pictures(), [vec![2], vec![3, 4, 5, 6, 7], vec![8]]);
}

#[test]
fn units_of_other_types_stay_where_they_are() {
    for unit_type in [0u8, 19, 20, 21, 22, 23, 24, 30, 31] {
        let unit = [0x60 | unit_type, 0x11];
        let idr = Slice::idr();
        let nals: [&[u8]; 6] = [&part(&idr, 0), &unit, &part(&idr, 6), &unit, &Slice::p(1, 4).nal(), &unit];
        assert_eq!(Stream::with_sets(nals).pictures(), [vec![2, 3, 4, 5], vec![6, 7]], "{unit_type}");
        // Behind a unit that stands in front of the next picture it does too.
        let nals: [&[u8]; 4] = [&part(&idr, 0), SEI, &unit, &Slice::p(1, 4).nal()];
        assert_eq!(Stream::with_sets(nals).pictures(), [vec![2], vec![3, 4, 5]], "{unit_type}");
    }
    for unit_type in [6u8, 14, 15, 16, 17, 18] {
        let unit = [0x60 | unit_type, 0x11];
        let nals: [&[u8]; 3] = [&Slice::idr().nal(), &unit, &Slice::p(1, 4).nal()];
        assert_eq!(Stream::with_sets(nals).pictures(), [vec![2], vec![3, 4]], "{unit_type}");
    }
}

#[test]
fn filler_is_dropped_wherever_it_stands() {
    let idr = Slice::idr();
    let nals = [FILLER, &part(&idr, 0), FILLER, &part(&idr, 6), FILLER, &Slice::p(1, 4).nal(), FILLER];
    let (pictures, _, dropped) = Stream::with_sets(nals).run(false).unwrap();
    assert_eq!(pictures, [(vec![3, 5], true), (vec![7], false)]);
    assert_eq!((dropped.filler.units, dropped.filler.bytes), (4, 16));
}

#[test]
fn units_behind_the_last_picture_join_it() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let nals: [&[u8]; 8] =
        [&Slice::idr().nal(), END_OF_SEQUENCE, AUD, &sps, &pps, SEI, &[0x78, 1], END_OF_STREAM];
    let (pictures, _, dropped) = Stream::with_sets(nals).run(false).unwrap();
    assert_eq!(pictures, [(vec![2, 7, 8], true)]);
    assert_eq!(dropped.parameter_sets.units, 4);
    assert_eq!(dropped.ends_of_stream.units, 1);
}

#[test]
fn one_picture_streams_joined_are_two_pictures() {
    let one = [Sps::default().nal(), Pps::default().nal(), part(&Slice::idr(), 0), part(&Slice::idr(), 6)];
    let stream = Stream::new([&one[..], &one[..]].concat());
    assert_eq!(stream.run(false).unwrap().0, [(vec![2, 3], true), (vec![6, 7], true)]);
    let stream = Stream::with_sets([&one[2..], &one[2..]].concat());
    assert_eq!(stream.pictures(), [vec![2, 3], vec![4, 5]]);
}

#[test]
fn colour_planes_that_start_at_the_same_macroblock_are_one_picture() {
    let sps = Sps { profile_idc: 244, chroma: (3, 8, 8), separate_colour_planes: true, ..Default::default() };
    let plane = |slice: Slice, plane| Slice { colour_plane_id: Some(plane), ..slice }.nal();
    let nals = [
        sps.nal(),
        Pps::default().nal(),
        plane(Slice::idr(), 0),
        plane(Slice::idr(), 1),
        plane(Slice::idr(), 2),
        plane(Slice::idr(), 0),
    ];
    assert_eq!(Stream::new(nals).pictures(), [vec![2, 3, 4], vec![5]]);
}

#[test]
fn operation_five_starts_an_epoch() {
    let reset = Slice { marking: vec![vec![5]], ..Slice::p(2, 8) };
    let nals =
        [Slice::idr().nal(), Slice::p(1, 4).nal(), part(&reset, 0), part(&reset, 6), Slice::p(1, 2).nal()];
    let (_, orders, _) = Stream::with_sets(nals).run(false).unwrap();
    let orders: Vec<_> = orders.iter().map(|order| (order.count, order.epoch_start)).collect();
    assert_eq!(orders, [(0, true), (4, false), (0, true), (2, false)]);
    let nals = [Slice::idr().nal(), part(&reset, 0), part(&Slice::p(2, 8), 6)];
    let stream = Stream::with_sets(nals);
    assert!(stream.error(false).to_string().contains("disagree on memory_management_control_operation 5"));
    assert_eq!(stream.error(false).offset(), Some(stream.offsets[4]));
}

#[test]
fn leading_pictures_are_refused_or_dropped_whole_and_counted() {
    let nals = [
        SEI,
        &part(&Slice::p(3, 6), 0),
        SEI,
        &part(&Slice::p(3, 6), 6),
        &Slice::b(4, 4).nal(),
        SEI,
        &Slice::idr().nal(),
        &Slice::p(1, 4).nal(),
    ];
    let stream = Stream::with_sets(nals);
    let error = stream.error(false);
    assert!(error.to_string().contains("--drop-leading"), "{error}");
    assert_eq!(error.offset(), Some(stream.offsets[3]));
    let (pictures, orders, dropped) = stream.run(true).unwrap();
    assert_eq!(pictures, [(vec![7, 8], true), (vec![9], false)]);
    assert_eq!(orders.iter().map(|order| order.count).collect::<Vec<_>>(), [0, 4]);
    let bytes = [2, 3, 4, 5, 6].map(|index: usize| stream.nals[index].len() as u64);
    assert_eq!((dropped.leading_pictures.units, dropped.leading_pictures.bytes), (2, bytes.iter().sum()));
}

#[test]
fn leading_pictures_may_lack_their_parameter_sets() {
    let (sps, pps) = (Sps::default().nal(), Pps::default().nal());
    let nals: [&[u8]; 8] = [
        &[0x43, 0x80, 0x01], // the rest of a picture
        &part(&Slice::p(3, 6), 0),
        &part(&Slice::p(3, 6), 6),
        &Slice::p(4, 8).nal(),
        &sps,
        &pps,
        &Slice::idr().nal(),
        &Slice::p(1, 4).nal(),
    ];
    let stream = Stream::new(nals);
    let (pictures, _, dropped) = stream.run(true).unwrap();
    assert_eq!(pictures, [(vec![6], true), (vec![7], false)]);
    let bytes: usize = stream.nals[..4].iter().map(Vec::len).sum();
    assert_eq!((dropped.leading_pictures.units, dropped.leading_pictures.bytes), (2, bytes as u64));
}

#[test]
fn stream_without_an_idr_picture_has_no_sync_sample() {
    let intra = Slice { slice_type: 2, ..Slice::p(0, 0) };
    let stream = Stream::with_sets([intra.nal(), Slice::p(1, 4).nal()]);
    let error = stream.error(true).to_string();
    assert!(error.contains("no sync sample: none of its 2 pictures"), "{error}");
    assert!(stream.error(false).to_string().contains("does not start with an IDR picture"));
}

#[test]
fn stream_without_a_picture_is_refused() {
    for stream in [Stream::new([[]; 0]), Stream::with_sets([AUD, SEI])] {
        assert!(stream.error(false).to_string().contains("no coded picture"));
    }
}

#[test]
fn damaged_units_are_refused_at_their_place() {
    let idr = Slice::idr().nal();
    let cut = &idr[..2];
    let missing = Slice { pps_id: 9, ..Slice::p(1, 4) }.nal();
    let cases: [(&[u8], &str); 5] = [
        (&[], "no NAL unit behind it"),
        (&[0x80 | 0x65, 0x88], "forbidden_zero_bit is 1"),
        (&[0x05, 0x88], "nal_ref_idc of an IDR picture is 0"),
        (cut, "runs past the end"),
        (&missing, "picture parameter set 9, which has not come"),
    ];
    for (nal, message) in cases {
        let stream = Stream::with_sets([&idr[..], nal]);
        let error = stream.error(false);
        assert!(error.to_string().contains(message), "{error}");
        let at = stream.offsets[3];
        assert!(error.offset().is_some_and(|offset| offset >= at && offset <= at + 2), "{error}");
    }
}

#[test]
fn changed_parameter_set_and_changed_resolution_are_refused() {
    let other = Pps { qp: 3, ..Default::default() }.nal();
    let stream = Stream::with_sets([&Slice::idr().nal(), &other]);
    assert!(stream.error(false).to_string().contains("picture parameter set 0 differs"));
    let sps = Sps { id: 1, size_minus1: (9, 9), ..Default::default() }.nal();
    let pps = Pps { id: 1, sps_id: 1, ..Default::default() }.nal();
    let next = Slice { pps_id: 1, idr_pic_id: 1, ..Slice::idr() }.nal();
    let stream = Stream::with_sets([&Slice::idr().nal(), &sps, &pps, &next]);
    let error = stream.error(false);
    assert!(error.to_string().contains("resolution changes from 64x48"), "{error}");
    assert_eq!(error.offset(), Some(stream.offsets[5]));
    // Sets that no picture uses may say what they like.
    assert!(Stream::with_sets([&Slice::idr().nal(), &sps, &pps]).run(false).is_ok());
}

#[test]
fn set_that_is_longer_than_what_is_seen_of_it_is_refused() {
    let mut pps = Pps::default().nal();
    pps.resize(65_534, 0xff);
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    let error = builder.push(NalUnit { offset: 7, len: 70_000, head: &pps }).unwrap_err();
    assert!(error.to_string().starts_with("@ 0x7: a parameter set's length is 70000"), "{error}");
    assert_eq!(*builder.dropped(), Dropped::default());
}

#[test]
fn long_units_need_only_their_first_bytes() {
    let idr = Slice::idr().nal();
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    for (nal, offset) in [(Sps::default().nal(), 4), (Pps::default().nal(), 40)] {
        builder.push(NalUnit { offset, len: nal.len() as u32, head: &nal }).unwrap();
    }
    builder.push(NalUnit { offset: 1 << 40, len: u32::MAX, head: &idr }).unwrap();
    let unit = builder.finish().unwrap().unwrap();
    assert_eq!(unit.units, [SourceRange { offset: 1 << 40, len: u32::MAX }]);
}

/// Units to build streams from: some of everything.
fn pieces() -> Vec<Vec<u8>> {
    let p = Slice { order: Order::Lsb(9, 4, None), ..Slice::p(5, 9) };
    vec![
        Sps::default().nal(),
        Pps::default().nal(),
        Pps { id: 1, redundant_pic_cnt: true, ..Default::default() }.nal(),
        Slice::idr().nal(),
        part(&Slice::idr(), 6),
        part(&p, 0),
        part(&p, 6),
        Slice::b(6, 3).nal(),
        Slice { marking: vec![vec![5]], ..Slice::p(7, 12) }.nal(),
        Slice { pps_id: 1, redundant_pic_cnt: Some(1), ..Slice::p(5, 9) }.nal(),
        vec![0x43, 0x80, 0x01],
        AUD.to_vec(),
        SEI.to_vec(),
        FILLER.to_vec(),
        END_OF_SEQUENCE.to_vec(),
        END_OF_STREAM.to_vec(),
        PREFIX.to_vec(),
        vec![0x74, 0x40, 0x80, 0x11],
        vec![0x78, 0x01],
        vec![0x6d, 0xd0],
    ]
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
        let start = if started { &pieces()[..4] } else { &[] };
        let data = joined(start.iter().chain(&picks));
        prop_assert_eq!(split(&data).len(), start.len() + picks.len());
        fuzz_access_units(&data);
    }

    #[test]
    fn any_bytes_are_grouped_or_refused(data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..200)) {
        fuzz_access_units(&data);
    }
}
