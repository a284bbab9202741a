//! Temporal units of hand-made streams.

use super::*;
use crate::codec::av1::testing::{DELIMITER, Frame, Sequence, obu, show_existing};
use crate::scan::Count;
use proptest::prelude::*;

/// `flush`, where it stands in a stream instead of an OBU.
const FLUSH: &[u8] = &[];

/// What one temporal unit is: indices of its OBUs in the stream, and whether it is a sync sample, intra, a reference.
type Unit = (Vec<usize>, [bool; 3]);

/// OBUs one after the other.
struct Stream {
    obus: Vec<Vec<u8>>,
    offsets: Vec<u64>,
}

impl Stream {
    fn new<T: AsRef<[u8]>>(obus: impl IntoIterator<Item = T>) -> Self {
        let obus: Vec<Vec<u8>> = obus.into_iter().map(|obu| obu.as_ref().to_vec()).collect();
        let offsets = obus
            .iter()
            .scan(100, |end, obu| {
                let offset = *end;
                *end += obu.len() as u64;
                Some(offset)
            })
            .collect();
        Self { obus, offsets }
    }

    /// A delimiter, the default sequence header and a key frame: indices 0 to 2. Then `rest`.
    fn started<T: AsRef<[u8]>>(rest: impl IntoIterator<Item = T>) -> Self {
        let start = [DELIMITER.to_vec(), Sequence::default().obu(), Frame::key().obu()];
        Self::new(start.into_iter().chain(rest.into_iter().map(|obu| obu.as_ref().to_vec())))
    }

    fn run(&self, drop_leading: bool) -> Result<(Vec<Unit>, Dropped)> {
        let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions { drop_leading });
        let mut units = Vec::new();
        let mut take = |unit: Option<TemporalUnit<'_>>| {
            let unit = unit?;
            let index = |range: &SourceRange| {
                let is_it =
                    |index: &usize| self.offsets[*index] == range.offset && !self.obus[*index].is_empty();
                let index = (0..self.obus.len()).find(is_it).expect("a unit starts where one was pushed");
                assert_eq!(self.obus[index].len() as u32, range.len);
                index
            };
            assert_eq!(unit.shown_frames, 1);
            units.push((unit.units.iter().map(index).collect(), [unit.sync, unit.intra, unit.reference]));
            Some(())
        };
        for (bytes, &offset) in self.obus.iter().zip(&self.offsets) {
            if bytes.is_empty() {
                take(builder.flush()?);
            } else {
                take(builder.push(Obu { offset, len: bytes.len() as u64, head: bytes })?);
            }
        }
        take(builder.finish()?);
        assert!(builder.finish()?.is_none());
        Ok((units, *builder.dropped()))
    }

    fn units(&self) -> Vec<Unit> {
        self.run(false).unwrap().0
    }

    /// The error, and the index of the OBU that it is about.
    fn error(&self, drop_leading: bool) -> (String, Option<usize>) {
        let error = self.run(drop_leading).map(|_| ()).unwrap_err();
        let index = error.offset().map(|at| self.offsets.partition_point(|&offset| offset <= at) - 1);
        (error.to_string(), index)
    }

    fn refused(&self, index: usize, said: &str) {
        let (error, at) = self.error(false);
        assert!(error.contains(said) && at == Some(index), "{error}, OBU {at:?}");
    }
}

const SYNC: [bool; 3] = [true, true, true];
const INTER: [bool; 3] = [false, false, true];

#[test]
fn a_delimiter_shows_the_unit_in_front_of_it_complete() {
    let stream = Stream::started([DELIMITER, &Frame::inter(1).obu(), DELIMITER, &Frame::inter(0).obu()]);
    let (units, dropped) = stream.run(false).unwrap();
    let disposable = [false, false, false];
    assert_eq!(units, [(vec![1, 2], SYNC), (vec![4], INTER), (vec![6], disposable)]);
    assert_eq!(dropped.temporal_delimiters, Count { units: 3, bytes: 6 });
}

#[test]
fn packets_need_no_delimiters() {
    let stream = Stream::started([FLUSH, FLUSH, &Frame::inter(1).obu(), FLUSH, DELIMITER, FLUSH]);
    assert_eq!(stream.units(), [(vec![1, 2], SYNC), (vec![5], INTER)]);
}

#[test]
fn hidden_frames_stand_in_the_unit_of_the_one_that_is_shown() {
    let hidden = Frame::inter(4).hidden().obu();
    let rest = [DELIMITER, &hidden, &Frame::inter(0).obu(), DELIMITER, &show_existing(2), DELIMITER];
    let units = Stream::started(rest).units();
    // The frame shown again fills no slot, and needs the unit that it came in.
    assert_eq!(units[1..], [(vec![4, 5], INTER), (vec![7], [false, false, false])]);
}

#[test]
fn a_hidden_key_frame_shown_later_is_no_sync_sample_but_resets_the_slots() {
    let key = Frame { refresh: 8, ..Frame::key() }.hidden().obu();
    let header = Sequence::default().obu();
    let rest: [&[u8]; 6] = [DELIMITER, &header, &key, &Frame::inter(0).obu(), DELIMITER, &show_existing(3)];
    let units = Stream::started(rest).units();
    assert_eq!(units[1..], [(vec![4, 5, 6], INTER), (vec![8], INTER)]);
    // Every slot then has that key frame, which was shown.
    let again = Stream::started(rest.iter().copied().chain([DELIMITER, &show_existing(0)]));
    again.refused(10, "frame_to_show_map_idx is 0");
}

#[test]
fn a_frame_that_may_not_be_shown_again_is_refused() {
    let hidden = Frame { showable: false, ..Frame::inter(1).hidden() }.obu();
    let rest = [DELIMITER, &hidden, &Frame::inter(0).obu(), DELIMITER, &show_existing(0)];
    Stream::started(rest).refused(7, "showable_frame 0");
    Stream::started([DELIMITER, &show_existing(5)]).refused(4, "frame_to_show_map_idx is 5");
}

#[test]
fn intra_only_and_sync_are_not_the_same() {
    let intra = Frame { kind: 2, refresh: 1, ..Frame::inter(1) }.obu();
    let (header, key) = (Sequence::default().obu(), Frame::key().obu());
    let rest: [&[u8]; 9] = [DELIMITER, &intra, DELIMITER, &key, DELIMITER, &header, &key, DELIMITER, &intra];
    let facts: Vec<[bool; 3]> = Stream::started(rest).units().into_iter().map(|unit| unit.1).collect();
    // A key frame without a sequence header in its unit is no place to start.
    let intra = [false, true, true];
    assert_eq!(facts, [SYNC, intra, intra, SYNC, intra]);
}

#[test]
fn what_samples_do_not_carry_is_counted_and_all_else_stays() {
    let (frame, tiles) = (Frame::inter(1), obu(4, &[1, 2]));
    let rest: [&[u8]; 9] = [
        DELIMITER,
        &obu(5, &[9, 9, 0x80]), // metadata, 4
        &obu(9, &[1]),          // reserved
        &frame.header_obu(),    // 6
        &tiles,
        &obu(7, &frame.payload()),
        &tiles, // 9
        &obu(15, &[0x80]),
        &obu(5, &[9, 0x80]), // 11
    ];
    let (units, dropped) = Stream::started(rest).run(false).unwrap();
    assert_eq!(units[1], (vec![4, 5, 6, 7, 9, 11], INTER));
    assert_eq!(dropped.padding_obus, Count { units: 1, bytes: 3 });
    assert_eq!(dropped.redundant_frame_headers.units, 1);
    let nothing_else = Dropped {
        padding_obus: dropped.padding_obus,
        redundant_frame_headers: dropped.redundant_frame_headers,
        temporal_delimiters: Count { units: 2, bytes: 4 },
        ..Dropped::default()
    };
    assert_eq!(dropped, nothing_else);
}

#[test]
fn one_frame_is_shown_in_each_unit() {
    let inter = Frame::inter(1);
    Stream::started([&inter.obu()]).refused(3, "shows a second frame");
    let hidden = inter.clone().hidden().obu();
    Stream::started([DELIMITER, &hidden, DELIMITER]).refused(4, "shows no frame");
    Stream::started([DELIMITER, &hidden, FLUSH]).refused(4, "shows no frame");
    Stream::started([DELIMITER, &hidden]).refused(4, "shows no frame");
    Stream::started([DELIMITER, &obu(5, &[1, 0x80]), DELIMITER]).refused(4, "shows no frame");
}

#[test]
fn frame_headers_and_tiles_come_together() {
    let (header, tiles) = (Frame::inter(1).header_obu(), obu(4, &[1]));
    assert_eq!(Stream::started([DELIMITER, &header, &tiles, &tiles]).units().len(), 2);
    Stream::started([DELIMITER, &header, DELIMITER]).refused(4, "without its tile groups");
    Stream::started([DELIMITER, &header, &header]).refused(4, "without its tile groups");
    Stream::started([DELIMITER, &tiles]).refused(4, "a tile group without its frame header");
    Stream::started([DELIMITER, &obu(7, &[0])]).refused(4, "a redundant frame header without");
    let tiles_of_none = [DELIMITER, &Frame::inter(2).obu(), DELIMITER, &show_existing(1), &tiles];
    Stream::started(tiles_of_none).refused(7, "a tile group without its frame header");
}

#[test]
fn the_sequence_header_stays_as_it_was() {
    let (same, key) = (Sequence::default(), Frame::key().obu());
    let padded = obu(1, &[same.payload(), vec![0, 0]].concat());
    assert_eq!(Stream::started([DELIMITER, &padded, &key]).units()[1], (vec![4, 5], SYNC));
    let other = Sequence { size: (32, 32), ..same }.obu();
    let stream = Stream::started([DELIMITER, &other, &key]);
    let error = stream.run(false).unwrap_err();
    let first = stream.offsets[1];
    assert!(
        matches!(error.kind(), ErrorKind::ParameterSetChanged { kind: "sequence header", id: 0, first: at, .. } if *at == first)
    );
    assert!(!error.to_string().contains("avc"), "{error}");
    stream.refused(4, "sequence header");
    Stream::started([DELIMITER, &obu(1, &[0xe0])]).refused(4, "seq_profile is 7");
}

#[test]
fn leading_units_are_refused_or_dropped_and_counted() {
    let (inter, header) = (Frame::inter(1).obu(), Sequence::default().obu());
    let (key, shown_again, tiles) = (Frame::key().obu(), show_existing(3), obu(4, &[1]));
    let open: [&[u8]; 13] = [
        &tiles,
        DELIMITER,
        &inter, // without any sequence header
        DELIMITER,
        &header,
        &inter,
        DELIMITER,
        &shown_again,
        DELIMITER,
        &key, // without a sequence header in its unit
        DELIMITER,
        &header,
        &key,
    ];
    let (units, dropped) = Stream::new(open).run(true).unwrap();
    assert_eq!(units, [(vec![11, 12], SYNC)]);
    let bytes: usize = [0, 2, 4, 5, 7, 9].iter().map(|&index: &usize| open[index].len()).sum();
    assert_eq!(dropped.leading_pictures, Count { units: 5, bytes: bytes as u64 });
    for start in [1, 3, 6, 8] {
        let error = Stream::new(&open[start..]).run(false).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::LeadingPictures { pictures: None, .. }),
            "{start}: {error}"
        );
    }
    let (error, _) = Stream::new(&open[..8]).error(true);
    assert!(error.contains("none of its 4 temporal units"), "{error}");
    assert!(Stream::new([DELIMITER]).error(true).0.contains("no frame"));
}

#[test]
fn layers_and_tile_lists_are_refused() {
    let two =
        Sequence { points: vec![(0x301, 4, false, None), (0x101, 4, false, None)], ..Default::default() };
    Stream::new([DELIMITER, &two.obu()]).refused(1, "2 spatial layers: not supported");
    // Temporal layers are no reason.
    let temporal = Sequence { points: vec![(0x103, 4, false, None), (0x101, 4, false, None)], ..two };
    assert_eq!(Stream::new([DELIMITER, &temporal.obu(), &Frame::key().obu()]).units().len(), 1);
    let mut layered = Frame::inter(1).obu();
    layered[0] |= 4;
    layered.insert(1, 1 << 3);
    Stream::started([DELIMITER, &layered]).refused(4, "an OBU of spatial layer 1");
    Stream::started([&obu(8, &[0; 5])]).refused(3, "a tile list OBU");
}

#[test]
fn only_the_last_obu_of_a_packet_may_lack_its_size() {
    let mut bare = Frame::inter(1).obu();
    bare[0] &= !2;
    bare.remove(1);
    let stream = Stream::started([DELIMITER, &bare, FLUSH, DELIMITER, &bare, FLUSH]);
    assert_eq!(stream.units()[1..], [(vec![4], INTER), (vec![7], INTER)]);
    Stream::started([DELIMITER, &bare, DELIMITER]).refused(4, "obu_has_size_field 0");
    Stream::started([DELIMITER, &bare]).refused(4, "obu_has_size_field 0");
    let mut long = Frame::inter(1).obu();
    long[1] += 1;
    Stream::started([DELIMITER, &long]).refused(4, "obu_size is");
}

#[test]
fn the_first_frame_gives_the_sample_aspect_ratio() {
    let key = Frame { render: Some((96, 48)), ..Frame::key() }.obu();
    let header = Sequence::default().obu();
    let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions::default());
    assert!(builder.configuration().unwrap_err().to_string().contains("no sequence header"));
    for (bytes, offset) in [(&header, 0), (&key, 100)] {
        assert!(builder.push(Obu { offset, len: bytes.len() as u64, head: bytes }).unwrap().is_none());
    }
    let before = builder.clone();
    assert!(builder.flush().unwrap().is_some_and(|unit| unit.sync && unit.offset == 100));
    assert_eq!(before.configuration().unwrap().video_format().sample_aspect_ratio, None);
    let format = builder.configuration().unwrap().video_format();
    assert_eq!((format.width, format.height, format.display_size()), (64, 48, (96, 48)));
    assert_eq!(builder.sequence().unwrap().max_frame_width, 64);
}

proptest! {
    #[test]
    fn any_bytes_are_grouped_or_refused(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz_temporal_units(&data);
    }

    #[test]
    fn any_mix_of_units_is_grouped_or_refused(
        kinds in proptest::collection::vec(0usize..9, 0..12), at in 0usize..200, value: u8,
    ) {
        let hidden = Frame::inter(2).hidden().obu();
        let choices: [Vec<u8>; 9] = [
            DELIMITER.to_vec(), DELIMITER.to_vec(), Sequence::default().obu(), Frame::key().obu(),
            Frame::inter(1).obu(), hidden, show_existing(1), obu(4, &[1]), Frame::inter(4).header_obu(),
        ];
        let start = [DELIMITER.to_vec(), Sequence::default().obu(), Frame::key().obu()].concat();
        let mut data: Vec<u8> = kinds.iter().flat_map(|&kind| choices[kind].clone()).collect();
        fuzz_temporal_units(&data);
        data.splice(0..0, start);
        fuzz_temporal_units(&data);
        if let Some(byte) = data.get_mut(at) {
            *byte = value;
        }
        fuzz_temporal_units(&data);
    }
}
