//! Packages of hand-made streams, through the library as it is used, read back from the files.

mod advice;
mod choices;
mod timing;
mod verification;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use mp4_atom::{Any, Avcc, Codec, DecodeMaybe};
use proptest::prelude::*;

use super::{InputRequest, Report, Request, run};
use crate::codec::h264::testing::{Pps, Slice, Sps, vui_timing};
use crate::plan::SegmentDuration;
use crate::scan::annexb::NalUnits;

/// 25 pictures a second.
fn sps(level_idc: u32) -> Vec<u8> {
    Sps { level_idc, vui: Some(vui_timing(1, 50, true)), ..Default::default() }.nal()
}

fn pps(qp: i32) -> Vec<u8> {
    Pps { qp, ..Default::default() }.nal()
}

/// A closed group of 25 pictures, one second, behind `front`.
fn group(index: u32, front: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let idr = Slice { idr_pic_id: index % 2, data: index, ..Slice::idr() }.nal();
    let others = (1..25).map(|n| Slice { data: 100 * index + n, ..Slice::p(n % 16, 2 * n % 16) }.nal());
    front.iter().cloned().chain([idr]).chain(others).collect()
}

fn stream(nals: &[Vec<u8>]) -> Vec<u8> {
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1], &nal[..]].concat()).collect()
}

/// The NAL units of each segment of a track, and its sample entry.
struct Track {
    entry: Codec,
    segments: Vec<Vec<Vec<u8>>>,
}

impl Track {
    fn read(directory: &Path) -> Self {
        let boxes = |file: &str| {
            let bytes = fs::read(directory.join(file)).unwrap();
            let mut left = bytes.as_slice();
            std::iter::from_fn(move || Any::decode_maybe(&mut left).unwrap()).collect::<Vec<_>>()
        };
        let [Any::Ftyp(_), Any::Moov(moov)] = &boxes("init.mp4")[..] else { panic!("an init segment") };
        let entry = moov.trak[0].mdia.minf.stbl.stsd.codecs[0].clone();
        let names = (1..).map(|number| format!("seg-{number:05}.m4s"));
        let segments = names.take_while(|name| directory.join(name).exists()).map(|name| {
            let [Any::Styp(_), Any::Moof(_), Any::Mdat(mdat)] = &boxes(&name)[..] else {
                panic!("a media segment")
            };
            length_prefixed(&mdat.data)
        });
        Self { entry, segments: segments.collect() }
    }
}

fn length_prefixed(mut data: &[u8]) -> Vec<Vec<u8>> {
    let mut nals = Vec::new();
    while let Some((len, rest)) = data.split_first_chunk() {
        let (nal, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        nals.push(nal.to_vec());
        data = rest;
    }
    nals
}

/// Packages streams into a temporary directory with segments of about a second; gives the report and each track, and
/// checks that progress ends at the size of the inputs.
fn package(streams: &[Vec<u8>]) -> (Report, Vec<Track>) {
    let directory = tempfile::tempdir().unwrap();
    let inputs = streams.iter().enumerate().map(|(index, bytes)| {
        let path = directory.path().join(format!("{index}.h264"));
        fs::write(&path, bytes).unwrap();
        InputRequest { name: Some(index.to_string()), ..InputRequest::new(path) }
    });
    let request = Request {
        segment_duration: SegmentDuration::new(1, 1).unwrap(),
        ..Request::new(inputs.collect(), directory.path().join("out"))
    };
    let read = AtomicU64::new(0);
    let progress = |bytes| {
        read.fetch_add(bytes, Ordering::Relaxed);
    };
    let plan = run::plan(&request, &progress).unwrap();
    assert_eq!(read.into_inner(), streams.iter().map(|stream| stream.len() as u64).sum::<u64>());
    let report = run::write(&request, &plan, &|_| ()).unwrap();
    let tracks =
        report.renditions.iter().map(|rendition| Track::read(&request.output.join(&rendition.directory)));
    let tracks = tracks.collect();
    (report, tracks)
}

fn sets_of(avcc: &Avcc) -> [&Vec<Vec<u8>>; 2] {
    [&avcc.sequence_parameter_sets, &avcc.picture_parameter_sets]
}

#[test]
fn stream_whose_parameter_sets_change_is_avc3_with_all_its_units() {
    let first = group(0, &[sps(30), pps(0)]);
    let changed = [group(1, &[]), vec![pps(7)], group(2, &[sps(31)])].concat();
    let nals = [first.clone(), changed].concat();
    let bytes = stream(&nals);
    let (report, tracks) = package(std::slice::from_ref(&bytes));

    let rendition = &report.renditions[0];
    assert_eq!(rendition.codec, "avc3.4D001F");
    assert_eq!(rendition.input.dropped.parameter_sets.units, 0);
    assert_eq!(rendition.input.repeated_parameter_sets.units, 3);
    let places: Vec<_> =
        NalUnits::new(&bytes).unwrap().map(|nal| nal.unwrap()).filter(|nal| nal.head[0] == 0x68).collect();
    let message = format!(
        "picture parameter set 0 at {:#x} differs from the one at {:#x}: the track is avc3",
        places[1].offset, places[0].offset
    );
    assert!(report.notices.iter().any(|notice| notice.message.starts_with(&message)), "{report:?}");

    let [track] = &tracks[..] else { panic!("one track") };
    let Codec::Avc3(entry) = &track.entry else { panic!("{:?}", track.entry) };
    assert_eq!(sets_of(&entry.avcc), [&vec![sps(30)], &vec![pps(0)]], "the record holds what came first");
    assert_eq!(entry.avcc.avc_level_indication, 31);
    let [one, two, three] = &track.segments[..] else { panic!("{} segments", track.segments.len()) };
    assert_eq!(*one, first);
    assert_eq!(*two, group(1, &[sps(30), pps(0)]), "the second group gets the sets of the first");
    // Its picture parameter set came in front of its sequence parameter set, which made decoders forget it.
    assert_eq!(*three, group(2, &[pps(7), sps(31), pps(7)]));
}

#[test]
fn other_renditions_of_the_switching_set_stay_avc1() {
    let plain = [group(0, &[sps(30), pps(0)]), group(1, &[sps(30), pps(0)])].concat();
    let changing = [group(0, &[sps(30), pps(0)]), group(1, &[pps(7)])].concat();
    let (report, tracks) = package(&[stream(&plain), stream(&changing)]);
    assert_eq!(report.switching_sets, [[0, 1]]);
    let codecs: Vec<_> = report.renditions.iter().map(|rendition| rendition.codec.as_str()).collect();
    assert_eq!(codecs, ["avc1.4D001E", "avc3.4D001E"]);
    assert!(matches!(tracks[0].entry, Codec::Avc1(_)));
    assert_eq!(tracks[0].segments, [group(0, &[]), group(1, &[])]);
    assert_eq!(tracks[1].segments, [group(0, &[sps(30), pps(0)]), group(1, &[sps(30), pps(7)])]);
    let about: Vec<_> = report.notices.iter().map(|notice| &notice.about).collect();
    assert_eq!(about, [&report.renditions[1].input.path]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_segment_can_be_read_alone_and_no_unit_is_lost(
        fronts in proptest::collection::vec(
            proptest::collection::vec(prop::sample::select(vec![sps(30), sps(31), pps(0), pps(7)]), 0..4), 1..5),
    ) {
        let groups = fronts.iter().enumerate().map(|(index, front)| group(index as u32 + 1, front));
        let nals: Vec<_> = group(0, &[sps(30), pps(0)]).into_iter().chain(groups.flatten()).collect();
        let (_, tracks) = package(&[stream(&nals)]);
        let slices = |nals: &[Vec<u8>]| nals.iter().filter(|nal| nal[0] & 31 < 6).cloned().collect::<Vec<_>>();
        prop_assert_eq!(slices(&tracks[0].segments.concat()), slices(&nals));
        if matches!(tracks[0].entry, Codec::Avc1(_)) {
            return Ok(());
        }
        // The sets that held at each IDR picture, in the order that decoders need, are the last of their kind in its segment.
        let mut held = [sps(30), pps(0)];
        for (front, segment) in std::iter::once(&vec![]).chain(&fronts).zip(&tracks[0].segments) {
            front.iter().for_each(|set| held[usize::from(set[0] == 0x68)].clone_from(set));
            let front: Vec<_> = segment.iter().take_while(|nal| nal[0] & 31 != 5).collect();
            let last = |header| front.iter().rposition(|nal| nal[0] == header).unwrap();
            prop_assert_eq!([front[last(0x67)], front[last(0x68)]], [&held[0], &held[1]]);
            prop_assert!(last(0x67) < last(0x68));
        }
    }
}
