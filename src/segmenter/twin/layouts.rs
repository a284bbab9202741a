//! One stream, in any packets and handed over in any way, gives the files of the model and of the packager's planned way.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::calls::{Both, Call, assert_same_bytes};
use super::drawn::{
    DURATION, Drawn, aac_config, avc_config, calls_of, choices, drawn, flac_config, hand_over, timescale,
    ways,
};
use super::model::Model;
use super::streams::{Choices, Draft, Step, lay_out, stream};
use super::units::{LSB_BITS, sps};
use crate::codec::RandomAccess;
use crate::codec::h264::testing::{BitWriter, Order, Pps, Slice, Sps};
use crate::fragment::Fragment;
use crate::scan::SourceRange;
use crate::scan::annexb::NalUnits;
use crate::scan::flac::testing::{frame, header, verbatim};
use crate::scan::h264::{AccessUnit, AccessUnitBuilder, AccessUnitOptions};
use crate::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
use crate::time::{DecodeTime, FrameRate};
use crate::track::header::{SampleEntry, TrackHeader, write_init_segment};
use crate::track::timeline::{self, Orders};
use crate::track::{Framing, SampleFlags, Samples};

pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// What the packager writes of a stream, and the composition offset of each sample.
pub(super) fn planned(drawn: &Drawn, start: DecodeTime) -> (Files, Vec<i32>) {
    let mut source = Vec::new();
    for nal in drawn.pictures.iter().flat_map(|picture| picture.front.iter().chain(&picture.body)) {
        source.extend([0, 0, 1]);
        source.extend(nal);
    }
    let options = AccessUnitOptions { parameter_sets: drawn.placement, ..Default::default() };
    let mut builder = AccessUnitBuilder::new(options);
    let mut samples = Samples::new(Framing::LengthPrefixed);
    let mut orders = Orders::default();
    let mut take = |unit: AccessUnit<'_>| {
        orders.push(unit.order);
        let flags = match (unit.random_access == RandomAccess::Sync, unit.intra) {
            (true, _) => SampleFlags::SYNC,
            (_, true) => SampleFlags::INTRA,
            _ => SampleFlags::INTER,
        };
        let flags = if unit.reference { flags } else { flags.disposable() };
        samples.push(unit.units, flags, DURATION).unwrap();
    };
    for nal in NalUnits::new(&source).unwrap() {
        builder.push(nal.unwrap()).unwrap().into_iter().for_each(&mut take);
    }
    builder.finish().unwrap().into_iter().for_each(&mut take);
    let offsets = timeline::composition_offsets(orders, |_| DURATION, |_| 0).unwrap();
    samples.set_composition_offsets(offsets.clone());
    let configuration = builder.parameter_sets().configuration().unwrap();
    let header = TrackHeader {
        timescale: timescale(30_000),
        entry: SampleEntry::Avc {
            parameter_sets: drawn.placement,
            format: configuration.video_format(),
            frame_rate: None,
            scan: configuration.scan(),
            configuration_record: configuration.record(),
        },
        language: None,
        role: None,
        duration: None,
        bit_rate: None,
    };
    let mut files = segments(&source, &samples, &drawn.cuts, start);
    files.insert("init.mp4".to_owned(), write_init_segment(&header).unwrap());
    (files, offsets.iter().map(|offset| offset.0).collect())
}

pub(super) fn segments(source: &[u8], track: &Samples, cuts: &[usize], mut start: DecodeTime) -> Files {
    let mut files = Files::new();
    let ends = cuts.iter().copied().chain([track.len()]);
    let mut first = 0;
    for (end, number) in ends.zip(1..) {
        let number = NonZeroU32::new(number).unwrap();
        let fragment = Fragment::new(number, start, track.run(first..end)).unwrap();
        let mut bytes = Vec::new();
        fragment.piece_list().unwrap().write_to(source, &mut bytes).unwrap();
        files.insert(format!("seg-{number:05}.m4s"), bytes);
        start = start.checked_add(fragment.header().duration()).unwrap();
        first = end;
    }
    files
}

pub(super) fn assert_same_files(found: &Files, expected: &Files) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in found {
        assert_same_bytes(name, bytes, &expected[name]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    /// Says, where the others fail, whether it is the model that is wrong.
    #[test]
    fn the_model_gives_the_planned_files(drawn in drawn(), mut choices in choices()) {
        let config = avc_config("out".as_ref(), drawn.placement);
        let mut model = Model::new(config.clone()).unwrap();
        for step in lay_out(&drawn.pictures, &drawn.cuts, true, &mut choices) {
            match step {
                Step::Packet(packet, pictures) => {
                    prop_assert_eq!(model.push(&packet, SampleTiming::new(DURATION)), Ok(pictures));
                }
                Step::Cut => prop_assert!(model.cut().unwrap().is_some()),
            }
        }
        let (expected, _) = planned(&drawn, config.first_base_decode_time);
        assert_same_files(&model.finish().unwrap().files, &expected);
    }

    #[test]
    fn any_packets_of_a_stream_give_the_planned_files(
        drawn in drawn(), mut choices in choices(), ways in ways(), told in 0..3_u8, bias in -100_000..100_000_i64,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let config = ways.apply(avc_config(directory.path(), drawn.placement));
        let start = config.first_base_decode_time;
        let (expected, offsets) = planned(&drawn, start);

        let steps = lay_out(&drawn.pictures, &drawn.cuts, told == 0, &mut choices);
        let calls = calls_of(steps, &mut choices, |index| {
            let timing = SampleTiming::new(DURATION);
            let Some(&offset) = offsets.get(index) else { return timing };
            match told {
                0 => timing,
                1 => {
                    let decode_time = (start.0 + u64::from(DURATION) * index as u64) as i64;
                    timing.at(decode_time + i64::from(offset) + bias)
                }
                _ => timing.offset(offset),
            }
        });
        let mut both = Both::new(&config).expect("a sound configuration");
        for call in &calls {
            prop_assert!(both.call(call), "refused: {call:?}");
        }
        assert_same_files(&both.finish().expect("a sound stream"), &expected);
    }

    #[test]
    fn any_way_to_hand_over_audio_gives_the_planned_files(
        packets in prop::collection::vec((0..240_u8, prop::collection::vec(any::<u8>(), 0..60)), 1..30),
        cuts in prop::collection::btree_set(1..30_usize, 0..5),
        mut choices in choices(), ways in ways(),
    ) {
        // The first byte of raw data is an element's id, and never that of an ADTS header.
        let packets: Vec<Vec<u8>> = packets.into_iter().map(|(first, rest)| [&[first][..], &rest].concat()).collect();
        let cuts: Vec<usize> = cuts.into_iter().filter(|&cut| cut < packets.len()).collect();
        let mut track = Samples::new(Framing::Raw);
        let source = packets.concat();
        let mut offset = 0;
        for packet in &packets {
            let len = packet.len() as u32;
            track.push(&[SourceRange { offset, len }], SampleFlags::SYNC, 1024).unwrap();
            offset += u64::from(len);
        }
        let directory = tempfile::tempdir().unwrap();
        let config = ways.apply(aac_config(directory.path()));
        let mut both = Both::new(&config).expect("a sound configuration");
        for (index, packet) in packets.iter().enumerate() {
            if cuts.contains(&index) {
                both.call(&Call::Cut);
            }
            for call in hand_over(packet.clone(), SampleTiming::new(1024), &mut choices) {
                prop_assert!(both.call(&call), "refused: {call:?}");
            }
        }
        let mut files = both.finish().expect("a sound stream");
        prop_assert!(files.remove("init.mp4").is_some());
        assert_same_files(&files, &segments(&source, &track, &cuts, DecodeTime(0)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn primed_aac_and_flac_are_written_as_the_model_has_them(
        payloads in prop::collection::vec((1u16..65, any::<u8>(), any::<bool>()), 1..20),
        cuts in prop::collection::btree_set(1..20_usize, 0..4),
        is_flac: bool, mut choices in choices(), ways in ways(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let config = if is_flac {
            flac_config(directory.path())
        } else {
            SegmenterConfig { priming: 2112, ..aac_config(directory.path()) }
        };
        let mut both = Both::new(&ways.apply(config)).expect("a sound configuration");
        let mut taken = 0;
        for (index, (size, byte, is_damaged)) in payloads.into_iter().enumerate() {
            if cuts.contains(&index) {
                both.call(&Call::Cut);
            }
            let mut packet = frame(&header(false, index as u32, size), &verbatim(&vec![byte; size.into()]));
            if !is_flac {
                // No header of ADTS.
                packet[0] = 0;
            } else if is_damaged {
                packet[usize::from(size) + 3] ^= 1 + byte % 255;
            }
            let duration = if is_flac { size.into() } else { 1024 };
            for call in hand_over(packet, SampleTiming::new(duration), &mut choices) {
                let is_taken = both.call(&call);
                prop_assert!(is_taken || (is_flac && is_damaged), "refused: {call:?}");
            }
            taken += usize::from(!is_damaged || !is_flac);
        }
        let files = both.finish();
        prop_assert_eq!(files.is_some(), taken > 0 || is_flac);
        let files = files.unwrap_or_default();
        let init = &files["init.mp4"];
        let has = |file: &[u8], name: &[u8]| memchr::memmem::find(file, name).is_some();
        prop_assert_eq!((has(init, b"edts"), has(init, b"roll"), has(init, b"dfLa")), (!is_flac, !is_flac, is_flac));
        prop_assert!(files.iter().all(|(name, file)| name == "init.mp4" || has(file, b"sbgp") != is_flac));
    }
}

#[test]
fn sound_is_not_given_more_than_it_lasts_and_less_only_at_the_end() {
    for is_flac in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (config, coded) =
            if is_flac { (flac_config(directory.path()), 40) } else { (aac_config(directory.path()), 1024) };
        let mut both = Both::new(&config).expect("a sound configuration");
        let packet = |index, ticks| {
            let frame = frame(&header(false, index, 40), &verbatim(&[7; 40]));
            Call::Push(if is_flac { frame } else { vec![0x21, 0x10] }, SampleTiming::new(ticks))
        };
        assert!(!both.call(&packet(0, coded + 1)) && !both.call(&packet(0, 2 * coded)));
        assert!(both.call(&packet(0, coded)) && both.call(&packet(1, coded - 1)));
        assert!(!both.call(&packet(2, coded)) && !both.call(&packet(2, 1)));
        both.call(&Call::Discard);
        assert!(both.call(&packet(0, coded)));
        assert!(both.finish().is_some());
    }
}

#[test]
fn priming_is_for_aac() {
    let directory = tempfile::tempdir().unwrap();
    let config = SegmenterConfig { priming: 1024, ..flac_config(directory.path()) };
    let error = Segmenter::new(config).expect_err("FLAC has none").to_string();
    assert!(error.contains("priming is 1024"), "{error}");
}

/// Without choices every unit has a start code of four bytes, and every access unit is a packet that is pushed: the
/// plainest stream, which has to work before any other is worth looking at.
#[test]
fn one_access_unit_a_packet() {
    let directory = tempfile::tempdir().unwrap();
    let drafts = vec![vec![Draft::default(); 4]; 2];
    let drawn =
        Drawn { placement: Default::default(), pictures: stream(&drafts, Default::default()), cuts: vec![4] };
    let config = avc_config(directory.path(), drawn.placement);
    let mut choices = Choices::new(Vec::new());
    let steps = lay_out(&drawn.pictures, &drawn.cuts, false, &mut choices);
    let mut both = Both::new(&config).unwrap();
    for call in calls_of(steps, &mut choices, |_| SampleTiming::new(DURATION).sync(true)) {
        // The hint is wrong for every picture but the first of each group.
        both.call(&call);
    }
    assert_eq!(both.finish().map(|files| files.len()), Some(3));
}

/// The brand of a profile with a limit on the frame rate is proven by whoever says the rate of the whole track.
#[test]
fn durations_prove_no_brand() {
    let colour = || {
        let mut vui = BitWriter::default();
        // video_signal_type: not full range, BT.709 three times.
        vui.flag(false)
            .flag(false)
            .flag(true)
            .u(5, 3)
            .flag(false)
            .flag(true)
            .u(1, 8)
            .u(1, 8)
            .u(1, 8)
            .flag(false);
        vui
    };
    let (mut timed, mut untimed) = (colour(), colour());
    timed.flag(true).u(1001, 32).u(60_000, 32).flag(true).u(0, 4);
    untimed.flag(false).u(0, 4);
    for (vui, said, proven) in
        [(untimed.clone(), None, false), (untimed, FrameRate::new(30_000, 1001), true), (timed, None, true)]
    {
        let directory = tempfile::tempdir().unwrap();
        let mut config = avc_config(directory.path(), Default::default());
        let CodecConfig::Avc { video, .. } = &mut config.codec else { unreachable!() };
        video.frame_rate = said;
        let mut packet = Vec::new();
        let idr = Slice { order: Order::Lsb(0, LSB_BITS, None), ..Slice::idr() };
        for nal in [Sps { vui: Some(vui), ..sps(0) }.nal(), Pps::default().nal(), idr.nal()] {
            Choices::new(Vec::new()).add(&mut packet, &nal);
        }
        let mut both = Both::new(&config).unwrap();
        assert!(both.call(&Call::Push(packet, SampleTiming::new(DURATION))));
        let files = both.finish().unwrap();
        assert_eq!(files["init.mp4"].windows(4).any(|brand| brand == b"cfhd"), proven);
    }
}
