//! H.265 through a segmenter: the bytes of the packager however the pictures come, CRA pictures with and without RASL
//! pictures, and what is refused.

use fragmint::codec::ParameterSetPlacement::{InBand, SampleEntry};
use fragmint::presentation::{PackagedTrack, Promise, merge};
use fragmint::segmenter::{Composition, SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::CompositionOffset;

mod drawn;
mod open_groups;
#[allow(dead_code, reason = "other tests need the rest of it")]
#[path = "../packaged/mod.rs"]
mod packaged;
mod units;

use packaged::{
    Packaged, assert_same_files, byte_stream, files_below, hevc, plain_config, segment, stream,
    with_manifests,
};
use units::*;

/// All units of a stream put together in packets in some way, segment by segment.
type Layout = fn(&[Vec<&[u8]>], &[usize]) -> Vec<Vec<Vec<u8>>>;

/// One picture a packet.
fn single(pictures: &[Vec<&[u8]>], cuts: &[usize]) -> Vec<Vec<Vec<u8>>> {
    runs(pictures.len(), cuts).map(|run| packets(&pictures[run])).collect()
}

/// Pictures of one segment, three a packet.
fn threes(pictures: &[Vec<&[u8]>], cuts: &[usize]) -> Vec<Vec<Vec<u8>>> {
    let join = |some: &[Vec<&[u8]>]| byte_stream(some.iter().flatten().copied());
    runs(pictures.len(), cuts).map(|run| pictures[run].chunks(3).map(join).collect()).collect()
}

/// What stands in front of a picture's slices in a packet of its own, unit by unit; start codes of three bytes.
fn apart(pictures: &[Vec<&[u8]>], cuts: &[usize]) -> Vec<Vec<Vec<u8>>> {
    let short = |unit: &[u8]| [&[0, 0, 1], unit].concat();
    let split = |picture: &Vec<&[u8]>| {
        let first = picture.iter().position(|unit| is_slice(unit)).unwrap();
        let mut packets: Vec<_> = picture[..first].iter().map(|unit| short(unit)).collect();
        packets.push(picture[first..].iter().flat_map(|unit| short(unit)).collect());
        packets
    };
    runs(pictures.len(), cuts).map(|run| pictures[run].iter().flat_map(split).collect()).collect()
}

/// Units in front of a picture at the end of the packet before, with zeros behind them; across cuts too.
fn early(pictures: &[Vec<&[u8]>], cuts: &[usize]) -> Vec<Vec<Vec<u8>>> {
    let first_slice = |picture: &[&[u8]]| picture.iter().position(|unit| is_slice(unit)).unwrap();
    let packet = |index: usize| {
        let own = &pictures[index];
        let own = &own[if index == 0 { 0 } else { first_slice(own) }..];
        let next = pictures.get(index + 1).map_or(&[][..], |next| &next[..first_slice(next)]);
        [byte_stream(own.iter().chain(next).copied()), vec![0, 0]].concat()
    };
    runs(pictures.len(), cuts).map(|run| run.map(packet).collect()).collect()
}

fn runs(len: usize, cuts: &[usize]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let starts: Vec<_> = std::iter::once(0).chain(cuts.iter().copied()).collect();
    let ends = cuts.iter().copied().chain([len]);
    starts.into_iter().zip(ends.collect::<Vec<_>>()).map(|(start, end)| start..end)
}

/// Segments handed over by pushing, or by reserving with so many bytes to spare; the track.
fn hand_over(
    config: SegmenterConfig,
    segments: &[Vec<Vec<u8>>],
    timing: SampleTiming,
    spare: Option<usize>,
) -> PackagedTrack {
    let mut segmenter = Segmenter::new(config).unwrap();
    for packets in segments {
        for packet in packets {
            match spare {
                None => segmenter.push(packet, timing).unwrap(),
                Some(spare) => {
                    let mut room = segmenter.reserve(packet.len() + spare).unwrap();
                    room[..packet.len()].copy_from_slice(packet);
                    room.commit(packet.len(), timing).unwrap()
                }
            };
        }
        segmenter.cut().unwrap().unwrap();
    }
    segmenter.finish().unwrap()
}

#[test]
fn any_packets_give_the_files_of_the_packager() {
    let streams = [
        ("closed", stream("h265-closed.h265"), 1, 3),
        ("slices", stream("h265-slices.h265"), 1, 3),
        ("delimiters", stream("h265-aud.h265"), 1, 3),
        ("HDR", stream("h265-hdr10.h265"), 1, 3),
        ("fields", stream("h265-fields.h265"), 1, 3),
        ("open", stream("h265-open.h265"), 3, 1),
        ("mixed", stream("h265-mixed.h265"), 2, 2),
        ("closed CRA pictures", closed_cras(), 1, 3),
        ("changing sets", changing(), 1, 6),
    ];
    for (name, stream, seconds, segments) in streams {
        let packaged = Packaged::new(&stream, seconds);
        assert_eq!(packaged.track().segments().len(), segments, "{name}");
        assert_eq!(placement(&packaged) == InBand, name == "changing sets");
        let pictures = access_units(&stream);
        assert_eq!(pictures.len(), packaged.samples().len(), "{name}");
        let layouts: [(Layout, Option<usize>, bool); 6] = [
            (single, None, false),
            (single, Some(5000), false),
            (single, Some(0), true),
            (threes, None, true),
            (apart, Some(1), false),
            (early, None, false),
        ];
        for (layout, spare, buffered) in layouts {
            let keep = tempfile::tempdir().unwrap();
            let config = packaged.config(keep.path(), hevc(placement(&packaged)));
            let config = SegmenterConfig { buffered, ..config };
            let track = hand_over(config, &layout(&pictures, &packaged.cuts()), packaged.timing(0), spare);
            assert_same_files(&with_manifests(keep.path(), track), &packaged.files);
        }
    }
}

#[test]
fn workers_on_any_ranges_write_what_one_writes() {
    let streams = [
        ("closed", stream("h265-closed.h265"), 1, true),
        ("mixed", stream("h265-mixed.h265"), 2, true),
        ("closed CRA pictures", closed_cras(), 1, true),
        ("changing sets", changing(), 1, false),
    ];
    for (name, stream, seconds, one_set) in streams {
        let packaged = Packaged::new(&stream, seconds);
        let (pictures, cuts) = (access_units(&stream), packaged.cuts());
        assert!(!cuts.is_empty(), "{name}");
        let sets: Vec<_> = pictures[0].iter().copied().filter(|unit| is_parameter_set(unit)).collect();
        for split in 0..1_u32 << cuts.len() {
            let inner = (0..cuts.len()).filter(|bound| split >> bound & 1 == 1).map(|bound| cuts[bound]);
            let bounds: Vec<_> = [0].into_iter().chain(inner).chain([pictures.len()]).collect();
            let keep = tempfile::tempdir().unwrap();
            let worker = |range: &[usize]| {
                let (first, end) = (range[0], range[1]);
                let config = packaged.config_from(keep.path(), hevc(placement(&packaged)), first);
                let mut packets = packets(&pictures[first..end]);
                if one_set && !pictures[first].iter().any(|unit| is_parameter_set(unit)) {
                    packets[0].splice(..0, byte_stream(sets.iter().copied()));
                }
                let cuts: Vec<_> = cuts.iter().filter(|&&cut| cut > first).map(|cut| cut - first).collect();
                segment(config, &packets, &cuts, |_| packaged.timing(0))
            };
            let parts = bounds.windows(2).map(worker).collect();
            let promise = Promise { segments: Some(cuts.len() as u64 + 1), ..Promise::default() };
            let track = merge(parts, &promise).unwrap();
            assert_same_files(&with_manifests(keep.path(), track), &packaged.files);
        }
    }
}

#[test]
fn a_published_init_segment_must_have_the_sets_of_hvc1_and_the_format_of_hev1() {
    let (closed, slices) = (stream("h265-closed.h265"), stream("h265-slices.h265"));
    for placement in [SampleEntry, InBand] {
        let keep = tempfile::tempdir().unwrap();
        let one = packets(&access_units(&closed));
        let track = segment(plain_config(&keep.path().join("one"), hevc(placement)), &one[..9], &[], |_| {
            SampleTiming::new(1000)
        });
        let init = std::fs::read(track.init_path()).unwrap();
        let entry_type = if placement == InBand { b"hev1" } else { b"hvc1" };
        assert!(init.windows(4).any(|name| name == entry_type));
        let worker = |name: &str, placement, published: &[u8]| {
            Segmenter::new(SegmenterConfig {
                write_init: false,
                published_init: Some(published.to_vec()),
                ..plain_config(&keep.path().join(name), hevc(placement))
            })
        };
        // The same sets, which need not come again where the init segment has them.
        let mut same = worker("same", placement, &init).unwrap();
        let pictures = access_units(&closed);
        let idr = places(&pictures, &IDR)[1];
        let bare = byte_stream(pictures[idr].iter().copied().filter(|unit| !is_parameter_set(unit)));
        let packet = if placement == InBand { &one[idr] } else { &bare };
        assert_eq!(same.push(packet, SampleTiming::new(1000)).unwrap(), 1);
        assert!(same.cut().unwrap().is_some());
        // Others.
        let others = packets(&access_units(&slices));
        let mut other = worker("other", placement, &init).unwrap();
        match placement {
            InBand => {
                other.push(&others[0], SampleTiming::new(1000)).unwrap();
                assert!(other.cut().unwrap().is_some());
            }
            SampleEntry => {
                let error = other.push(&others[0], SampleTiming::new(1000)).unwrap_err().to_string();
                assert!(error.contains("parameter set"), "{error}");
                assert!(other.cut().unwrap().is_none());
            }
        }
        let ten_bits = packets(&access_units(&stream("h265-main10.h265")));
        let mut other = worker("depth", placement, &init).unwrap();
        let refused =
            other.push(&ten_bits[0], SampleTiming::new(1000)).map(drop).and_then(|()| other.cut().map(drop));
        let error = refused.unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        assert!(files_below(&keep.path().join("depth")).is_empty());
        let turned = if placement == InBand { SampleEntry } else { InBand };
        let error = worker("turned", turned, &init).unwrap_err().to_string();
        assert!(error.contains("hev1") && error.contains("hvc1"), "{error}");
    }
}

#[test]
fn what_waits_for_a_picture_stops_the_end_and_goes_when_discarded() {
    let stream = stream("h265-closed.h265");
    let pictures = access_units(&stream);
    let packets = packets(&pictures);
    let sei = [0, 0, 0, 1, 39 << 1, 1, 5, 1, 0, 0x80];
    let keep = tempfile::tempdir().unwrap();
    let start = |name: &str| {
        let mut segmenter = Segmenter::new(plain_config(&keep.path().join(name), hevc(SampleEntry))).unwrap();
        segmenter.push(&packets[0], SampleTiming::new(1000)).unwrap();
        assert_eq!(segmenter.push(&sei, SampleTiming::new(0)).unwrap(), 0);
        segmenter
    };
    let error = start("waiting").finish().unwrap_err();
    assert!(error.to_string().contains("belong to a picture that has not come"), "{error}");
    assert_eq!(error.offset(), Some(packets[0].len() as u64 + 4));
    let mut segmenter = start("discarded");
    segmenter.cut().unwrap().unwrap();
    assert_eq!(segmenter.discard_pending(), 0);
    assert_eq!(segmenter.finish().unwrap().segments().len(), 1);
}

#[test]
fn times_that_the_caller_tells_give_the_bytes_of_the_bitstreams_order() {
    // Both have pictures that are decoded behind their IRAP picture and shown before it.
    for (name, leading) in [("h265-closed.h265", RADL), ("h265-mixed.h265", RASL)] {
        let stream = stream(name);
        let packaged = Packaged::new(&stream, 2);
        let (pictures, cuts) = (access_units(&stream), packaged.cuts());
        assert!(places(&pictures, &leading).len() > 1, "{name}");
        let offset = |index: usize| packaged.samples().get(index).composition_offset.0;
        assert!((0..pictures.len()).any(|index| offset(index) < 0), "{name}");
        let ticks = packaged.samples().duration_of(0);
        let pts = |index: usize| 7777 + index as i64 * i64::from(ticks) + i64::from(offset(index));
        for told in [Composition::PresentationTime(0), Composition::Offset(CompositionOffset(0))] {
            let timing = |index: usize| match told {
                Composition::Offset(_) => SampleTiming::new(ticks).offset(offset(index)),
                _ => SampleTiming::new(ticks).at(pts(index)),
            };
            let keep = tempfile::tempdir().unwrap();
            let config = packaged.config(keep.path(), hevc(SampleEntry));
            let track = segment(config, &packets(&pictures), &cuts, timing);
            assert_same_files(&with_manifests(keep.path(), track), &packaged.files);
        }
        // A leading picture shown behind its IRAP picture.
        let keep = tempfile::tempdir().unwrap();
        let mut segmenter = Segmenter::new(packaged.config(keep.path(), hevc(SampleEntry))).unwrap();
        let moved = places(&pictures, &leading)[0];
        for (index, packet) in packets(&pictures).iter().enumerate().take(moved + 2) {
            let late = if index == moved { 50 * i64::from(ticks) } else { 0 };
            segmenter.push(packet, SampleTiming::new(ticks).at(pts(index) + late)).unwrap();
            if cuts.contains(&(index + 1)) {
                segmenter.cut().unwrap().unwrap();
            }
        }
        assert!(segmenter.cut().unwrap_err().to_string().contains("which the bitstream puts before it"));
    }
}

#[test]
fn ends_of_sequence_and_bitstream_join_the_picture_in_front_also_in_packets_of_their_own() {
    let plain = stream("h265-closed.h265");
    let ends: [&[&[u8]]; 3] =
        [&[&END_OF_SEQUENCE], &[&END_OF_BITSTREAM], &[&END_OF_SEQUENCE, &END_OF_BITSTREAM]];
    for ends in ends {
        let stream = with_ends(&plain, ends);
        let packaged = Packaged::new(&stream, 1);
        let (pictures, cuts) = (access_units(&stream), packaged.cuts());
        // Each is at the end of the sample, with its length in front.
        let last = &packaged.files[&format!("{}/seg-00001.m4s", packaged.track().directory())];
        let tail: Vec<u8> = ends.iter().flat_map(|end| [&[0, 0, 0, 2], *end].concat()).collect();
        assert!(last.ends_with(&tail), "{ends:x?}");

        for together in [true, false] {
            let keep = tempfile::tempdir().unwrap();
            let mut segmenter = Segmenter::new(packaged.config(keep.path(), hevc(SampleEntry))).unwrap();
            for (index, picture) in pictures.iter().enumerate() {
                if cuts.contains(&index) {
                    segmenter.cut().unwrap().unwrap();
                }
                let is_end =
                    |unit: &&&[u8]| [&END_OF_SEQUENCE, &END_OF_BITSTREAM].iter().any(|end| *end == **unit);
                let own = picture.iter().filter(|unit| !is_end(unit)).copied();
                assert_eq!(segmenter.push(&byte_stream(own), packaged.timing(0)).unwrap(), 1);
                let ends: Vec<_> = picture.iter().filter(is_end).copied().collect();
                let packets = if together {
                    vec![byte_stream(ends)]
                } else {
                    ends.into_iter().map(|end| byte_stream([end])).collect()
                };
                for packet in packets.iter().filter(|packet| !packet.is_empty()) {
                    assert_eq!(segmenter.push(packet, SampleTiming::new(0)).unwrap(), 0);
                }
            }
            let track = segmenter.finish().unwrap();
            assert_same_files(&with_manifests(keep.path(), track), &packaged.files);
        }
    }
}

#[test]
fn an_end_of_sequence_behind_a_cut_is_refused_with_its_place() {
    let stream = stream("h265-closed.h265");
    let packets = packets(&access_units(&stream));
    let keep = tempfile::tempdir().unwrap();
    let mut segmenter = Segmenter::new(plain_config(keep.path(), hevc(SampleEntry))).unwrap();
    segmenter.push(&packets[0], SampleTiming::new(1000)).unwrap();
    segmenter.cut().unwrap().unwrap();
    let end = byte_stream([&END_OF_SEQUENCE[..]]);
    let said = ["belong to a picture of a segment that is cut", "H.265 7.4.2.4.4", "packet 2"];
    refused(&mut segmenter, keep.path(), &end, SampleTiming::new(1000), &said);
    segmenter.push(&packets[0], SampleTiming::new(1000).sync(true)).unwrap();
}

/// Sets of another level: the byte behind the profile, whose constraint flags are zeros with emulation prevention.
fn at_level(stream: &[u8], level_idc: u8) -> Vec<u8> {
    let mut stream = stream.to_vec();
    let ends: Vec<_> =
        (8..stream.len()).filter(|&at| stream[..at].ends_with(&[0x90, 0, 0, 3, 0, 0, 3, 0])).collect();
    assert_eq!(ends.len(), 2 * 3, "a VPS and an SPS in front of each IDR picture");
    ends.into_iter().for_each(|at| stream[at] = level_idc);
    stream
}

#[test]
fn the_codec_string_covers_sets_that_come_behind_the_init_segment() {
    let plain = stream("h265-closed.h265");
    let stream = [&plain[..], &at_level(&plain, 153)].concat();
    let packaged = Packaged::new(&stream, 1);
    let (pictures, cuts) = (access_units(&stream), packaged.cuts());
    assert_eq!(packaged.track().codec(), "hev1.1.6.L153.90");
    let keep = tempfile::tempdir().unwrap();
    let packets = packets(&pictures);
    let one = segment(packaged.config(keep.path(), hevc(InBand)), &packets, &cuts, |_| packaged.timing(0));
    assert_eq!(one.codec(), packaged.track().codec());
    // Of the parts of two workers, too, the last of which meets both levels.
    let keep = tempfile::tempdir().unwrap();
    let part = |range: std::ops::Range<usize>| {
        let inner: Vec<_> = cuts
            .iter()
            .filter(|cut| range.contains(cut) && **cut > range.start)
            .map(|cut| cut - range.start)
            .collect();
        let config = packaged.config_from(keep.path(), hevc(InBand), range.start);
        segment(config, &packets[range], &inner, |_| packaged.timing(0))
    };
    let parts = vec![part(0..cuts[0]), part(cuts[0]..packets.len())];
    assert_eq!(parts[0].codec(), "hev1.1.6.L60.90");
    let merged = merge(parts, &Promise::default()).unwrap();
    assert_eq!(merged.codec(), packaged.track().codec());
}
