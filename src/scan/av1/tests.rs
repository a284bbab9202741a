//! Temporal units of hand-made streams.

use super::*;
use crate::codec::av1::testing::{DELIMITER, Frame, Sequence, in_layer, obu, show_existing, without_size};
use crate::codec::{ContentLight, MasteringDisplay};
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
            let index = |stored: &StoredObu| {
                let offset = stored.range.end() - stored.source_len();
                let is_it = |index: &usize| self.offsets[*index] == offset && !self.obus[*index].is_empty();
                let index = (0..self.obus.len()).find(is_it).expect("a unit starts where one was pushed");
                assert_eq!(self.obus[index].len() as u64, stored.source_len());
                index
            };
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

/// A delimiter, a sequence header with these operating points, and a key frame of the base layer. Then `rest`.
fn scalable(points: &[u32], rest: &[Vec<u8>]) -> Stream {
    let points = points.iter().map(|&idc| (idc, 4, false, None)).collect();
    let header = Sequence { points, ..Sequence::default() }.obu();
    let start = [DELIMITER.to_vec(), header, in_layer(&Frame::key().obu(), 0, 0)];
    Stream::new(start.into_iter().chain(rest.iter().cloned()))
}

#[test]
fn the_layers_of_one_time_are_one_unit() {
    let (inter, disposable) = (Frame::inter(2).obu(), Frame::inter(0).obu());
    let delimiter = DELIMITER.to_vec();
    let rest = [
        in_layer(&inter, 0, 1), // 3
        delimiter.clone(),
        in_layer(&disposable, 1, 0), // 5
        in_layer(&Frame::inter(8).hidden().obu(), 1, 1),
        in_layer(&show_existing(3), 1, 1), // 7
        delimiter.clone(),
        in_layer(&disposable, 0, 0), // 9
        in_layer(&disposable, 0, 1),
        delimiter,
        in_layer(&inter, 0, 1), // 12: a layer may be alone
    ];
    let units = scalable(&[0x303, 0x103], &rest).units();
    let disposable = (vec![9, 10], [false, false, false]);
    // The second layer of a sync sample leans on the first one's key frame, and on nothing in front of it.
    assert_eq!(units[..2], [(vec![2, 3], [true, false, true]), (vec![5, 6, 7], INTER)].map(with_header(1)));
    assert_eq!(units[2..], [disposable, (vec![12], INTER)]);
}

/// Of the first unit, which has the sequence header in front.
fn with_header(index: usize) -> impl Fn(Unit) -> Unit {
    move |(units, facts)| if units[0] == 2 { ([vec![index], units].concat(), facts) } else { (units, facts) }
}

#[test]
fn layers_come_in_order_with_one_shown_frame_each() {
    let layer = |obu: &[u8], spatial_id| in_layer(obu, 0, spatial_id);
    let (inter, hidden) = (Frame::inter(2).obu(), Frame::inter(4).hidden().obu());
    let refused = |rest: &[Vec<u8>], index, said| scalable(&[0x301], rest).refused(index, said);
    refused(&[layer(&inter, 1), layer(&inter, 1)], 4, "a second frame of spatial layer 1");
    refused(&[layer(&inter, 0)], 3, "shows a second frame (");
    refused(&[layer(&inter, 1), layer(&hidden, 0)], 4, "spatial layer 0 stands behind one of layer 1");
    let unit = |obus: &[Vec<u8>]| [&[DELIMITER.to_vec()], obus].concat();
    refused(
        &unit(&[layer(&hidden, 0), layer(&inter, 1)]),
        5,
        "spatial layer 0 of a temporal unit shows no frame",
    );
    refused(&unit(&[layer(&inter, 0), layer(&hidden, 1)]), 4, "shows no frame");
    // Without operating points there are no layers to tell apart.
    scalable(&[0], &[layer(&inter, 1)]).refused(3, "shows a second frame (");
}

#[test]
fn what_the_preferred_operating_point_drops_stays_and_counts_for_nothing() {
    let inter = Frame::inter(0).obu();
    let rest = [
        in_layer(&Frame::inter(0xff).obu(), 0, 1), // 3: fills slots of other decoders
        DELIMITER.to_vec(),
        in_layer(&inter, 0, 0), // 5
        in_layer(&inter, 1, 1),
        DELIMITER.to_vec(),
        in_layer(&inter, 1, 0), // 8: a temporal layer that is dropped
    ];
    // Its reference slots are those of the base layer, and a unit that shows nothing to its decoders is none.
    let stream = scalable(&[0x101, 0x303], &rest);
    let units = Stream::new(&stream.obus[..7]).units();
    assert_eq!(units, [(vec![1, 2, 3], SYNC), (vec![5, 6], [false, false, false])]);
    stream.refused(8, "a temporal unit shows no frame");
    // A frame without an extension header belongs to every point.
    let stream = scalable(&[0x201, 0x301], &[]);
    let bare = [DELIMITER, &stream.obus[1], &Frame::key().obu(), DELIMITER, &inter];
    assert_eq!(Stream::new(bare).units().len(), 2);
}

#[test]
fn tile_lists_are_refused() {
    Stream::started([&obu(8, &[0; 5])]).refused(3, "a tile list OBU");
    let temporal = scalable(&[0x103, 0x101], &[DELIMITER.to_vec(), in_layer(&Frame::inter(1).obu(), 1, 0)]);
    assert_eq!(temporal.units().len(), 2);
}

#[test]
fn an_obu_without_a_size_is_given_one() {
    let sized = [DELIMITER.to_vec(), Sequence::default().obu(), Frame::key().obu()];
    let layered = in_layer(&obu(5, &[9, 0x80]), 1, 0);
    let units = [&sized[..], &[layered, DELIMITER.to_vec(), obu(9, &[]), Frame::inter(1).obu()]].concat();
    let bare = Stream::new(units.iter().map(|obu| without_size(obu)));
    assert_eq!(bare.units(), Stream::new(&units).units());
    let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions::default());
    let mut written = Vec::new();
    let mut write = |unit: Option<TemporalUnit<'_>>| {
        for StoredObu { range, header } in unit.into_iter().flat_map(|unit| unit.units) {
            header.expect("none has a size").write(range.len, &mut written);
            let source = bare.obus.concat();
            written.extend(&source[range.offset as usize - 100..][..range.len as usize]);
        }
    };
    for (bytes, &offset) in bare.obus.iter().zip(&bare.offsets) {
        write(builder.push(Obu { offset, len: bytes.len() as u64, head: bytes }).unwrap());
    }
    write(builder.finish().unwrap());
    let kept: Vec<_> = units.iter().filter(|obu| *obu != DELIMITER).cloned().collect();
    assert_eq!(written, kept.concat());
    let mut long = Frame::inter(1).obu();
    long[1] += 1;
    Stream::started([DELIMITER, &long]).refused(4, "obu_size is");
}

/// Metadata OBUs of light levels, and of a mastering display of this highest luminance in cd/m².
fn light(max_content: u8) -> Vec<u8> {
    obu(5, &[1, 0, max_content, 0, 1, 0x80])
}

fn display(luminance: u8) -> Vec<u8> {
    let point = [0x40, 0, 0x50, 0];
    obu(5, &[&[2], &point.repeat(4)[..], &[0, 0, luminance, 0], &[0, 0, 0, 1], &[0x80, 0]].concat())
}

/// What a stream of these OBUs says of the first sample's light and display, what `configOBUs` has of them, and which OBU differs.
fn hdr(obus: &[Vec<u8>], drop_leading: bool) -> (Option<u16>, Option<u32>, Vec<u8>, Option<usize>) {
    let stream = Stream::new(obus);
    let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions { drop_leading });
    for (bytes, &offset) in stream.obus.iter().zip(&stream.offsets) {
        builder.push(Obu { offset, len: bytes.len() as u64, head: bytes }).unwrap();
    }
    builder.finish().unwrap();
    let configuration = builder.configuration().unwrap();
    let format = configuration.video_format();
    let record = configuration.record();
    let header_len = Sequence::default().obu().len();
    let changes =
        builder.hdr_changes().map(|at| stream.offsets.iter().position(|&offset| offset == at).unwrap());
    (
        format.content_light.map(|ContentLight { max_content, .. }| max_content),
        format.mastering_display.map(|MasteringDisplay { max_luminance, .. }| max_luminance),
        record[4 + header_len..].to_vec(),
        changes,
    )
}

#[test]
fn metadata_of_the_first_sample_is_that_of_the_track() {
    let [delimiter, header, key] = [DELIMITER.to_vec(), Sequence::default().obu(), Frame::key().obu()];
    let first = [delimiter.clone(), header.clone(), light(7), display(200), key.clone()];
    let trimmed = |obu: Vec<u8>| [&[0x2a, obu[1] - 1], &obu[2..obu.len() - 1]].concat();
    let obus = [light(7), trimmed(display(200))].concat();
    let next = |obus: &[Vec<u8>]| {
        [&first[..], std::slice::from_ref(&delimiter), obus, &[Frame::inter(1).obu()]].concat()
    };
    let known = (Some(7), Some(2_000_000), obus.clone());
    let found = |changes| (known.0, known.1, known.2.clone(), changes);
    // The same once more, and metadata of other kinds, changes nothing; anything else is told, and changes nothing either.
    assert_eq!(hdr(&next(&[display(200), light(7), obu(5, &[4, 0xb5, 1, 0x80])]), false), found(None));
    assert_eq!(hdr(&next(&[light(7), display(201), light(8)]), false), found(Some(7)));
    assert_eq!(hdr(&[&first[..4], &[light(9), key.clone()]].concat(), false), found(Some(4)));
    // What leading units say goes with them.
    let leading = [&[delimiter.clone(), light(1), Frame::inter(1).obu()], &first[..]].concat();
    assert_eq!(hdr(&leading, true), found(None));
    // What the first sample does not say is not known.
    let late = [delimiter.clone(), header, key, delimiter, light(3), Frame::inter(1).obu()];
    assert_eq!(hdr(&late, false), (None, None, Vec::new(), Some(4)));
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
        kinds in proptest::collection::vec(0usize..12, 0..12), at in 0usize..200, value: u8,
    ) {
        let hidden = Frame::inter(2).hidden().obu();
        let choices: [Vec<u8>; 12] = [
            in_layer(&Frame::inter(1).obu(), 0, 1), in_layer(&hidden, 1, 1), light(3),
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
