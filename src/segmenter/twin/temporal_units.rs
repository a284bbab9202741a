//! AV1: one stream in any packets gives the planned files, and any calls the model's.

use std::path::Path;

use proptest::prelude::*;

use super::calls::Both;
use super::drawn::{calls_of, choices, timescale, ways};
use super::layouts::{assert_same_files, segments};
use super::sequences::{calls, run};
use super::streams::{Choices, Step};
use crate::codec::av1::testing::{DELIMITER, Frame, Sequence, obu, show_existing, without_size};
use crate::scan::av1::{Obu, TemporalUnitBuilder, TemporalUnitOptions};
use crate::segmenter::{CodecConfig, SampleTiming, SegmenterConfig};
use crate::time::DecodeTime;
use crate::track::header::{SampleEntry, TrackHeader, write_init_segment};
use crate::track::{Framing, SampleFlags, Samples};

/// OBUs of a temporal unit, without its delimiter.
fn unit(kind: u8, around: u8, payload: usize) -> Vec<Vec<u8>> {
    let mut obus = Vec::new();
    if kind == 0 {
        obus.push(Sequence::default().obu());
    }
    // Light levels, metadata that nobody here knows stays, padding goes.
    obus.extend((around & 4 != 0).then(|| obu(5, &[1, 0, 7, 0, around >> 7, 0x80])));
    obus.extend((around & 1 != 0).then(|| obu(5, &[31, 1, 2, 0x80])));
    obus.extend((around & 2 != 0).then(|| obu(15, &[9, 9, 0x80])));
    let frame = |frame: Frame| obu(6, &[&frame.payload()[..], &vec![0xa5; payload]].concat());
    match kind {
        0 => obus.push(frame(Frame::key())),
        1 => obus.extend([frame(Frame::inter(2).hidden()), frame(Frame::inter(4))]),
        2 => obus.push(frame(Frame::inter(0))),
        3 => obus.push(frame(Frame { kind: 2, ..Frame::inter(8) })),
        4 => obus.extend([frame(Frame::inter(16).hidden()), show_existing(4)]),
        _ => obus.push(frame(Frame::inter(1))),
    }
    obus
}

/// Units, the first of them a key frame with a sequence header.
fn units() -> impl Strategy<Value = Vec<(u8, Vec<Vec<u8>>)>> {
    prop::collection::vec((0..7_u8, any::<u8>(), 0..300_usize), 1..14).prop_map(|mut drawn| {
        drawn[0].0 = 0;
        drawn.into_iter().map(|(kind, around, payload)| (kind, unit(kind, around, payload))).collect()
    })
}

/// Packets of units with a cut in front of some. Only a delimiter tells two units in one packet apart; the last OBU of a packet
/// may lack its size.
fn lay_out(units: &[(u8, Vec<Vec<u8>>)], cuts: &[usize], choices: &mut Choices) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    // Nothing joins a packet whose last OBU ends with it.
    let mut ends = false;
    for (index, (_, obus)) in units.iter().enumerate() {
        if cuts.contains(&index) {
            steps.push(Step::Cut);
        }
        let joins = !ends && choices.below(3) == 1;
        ends = choices.below(4) == 1;
        let (last, others) = obus.split_last().expect("a unit has a frame");
        let last = if ends { without_size(last) } else { last.clone() };
        let bytes = [others.concat(), last].concat();
        match steps.last_mut() {
            Some(Step::Packet(packet, count)) if joins => {
                packet.extend_from_slice(DELIMITER);
                packet.extend(bytes);
                *count += 1;
            }
            _ => {
                let delimiter = if choices.below(2) == 0 { DELIMITER } else { &[] };
                steps.push(Step::Packet([delimiter, &bytes].concat(), 1));
            }
        }
    }
    steps
}

fn config(directory: &Path) -> SegmenterConfig {
    SegmenterConfig::new(directory, "video", CodecConfig::av1(), timescale(30_000))
}

/// What the packager writes of the stream.
fn planned(units: &[(u8, Vec<Vec<u8>>)], cuts: &[usize]) -> super::layouts::Files {
    let mut source = Vec::new();
    let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions::default());
    let mut track = Samples::new(Framing::Raw);
    for (_, obus) in units {
        for obu in std::iter::once(DELIMITER).chain(obus.iter().map(Vec::as_slice)) {
            let place = Obu { offset: source.len() as u64, len: obu.len() as u64, head: obu };
            source.extend_from_slice(obu);
            assert!(builder.push(place).unwrap().is_none(), "each unit is flushed");
        }
        let unit = builder.flush().unwrap().unwrap();
        let flags = SampleFlags::of_picture(unit.sync, unit.intra, unit.reference);
        track.push_obus(unit.units, flags, 1001).unwrap();
    }
    let configuration = builder.configuration().unwrap();
    let header = TrackHeader {
        timescale: timescale(30_000),
        entry: SampleEntry::Av1 {
            format: configuration.video_format(),
            frame_rate: None,
            configuration_record: configuration.record(),
        },
        language: None,
        role: None,
        duration: None,
        bit_rate: None,
    };
    let mut files = segments(&source, &track, cuts, DecodeTime(0));
    files.insert("init.mp4".to_owned(), write_init_segment(&header).unwrap());
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_packets_of_temporal_units_give_the_planned_files(
        units in units(), cut in any::<u16>(), mut choices in choices(), ways in ways(),
    ) {
        let syncs = (1..units.len()).filter(|&index| units[index].0 == 0);
        let cuts: Vec<usize> = syncs.filter(|index| cut >> index & 1 == 0).collect();
        let directory = tempfile::tempdir().unwrap();
        let mut both = Both::new(&ways.apply(config(directory.path()))).expect("a sound configuration");
        let steps = lay_out(&units, &cuts, &mut choices);
        for call in calls_of(steps, &mut choices, |_| SampleTiming::new(1001)) {
            prop_assert!(both.call(&call), "refused: {call:?}");
        }
        assert_same_files(&both.finish().expect("a sound stream"), &planned(&units, &cuts));
    }

    #[test]
    fn any_calls_on_temporal_units_answer_as_the_model_does(
        units in units(), told in 0..3_u8, mut choices in choices(), ways in ways(), finish in any::<bool>(),
        drop_leading in any::<bool>(), skip in 0..2_usize,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let config = SegmenterConfig { drop_leading, ..ways.apply(config(directory.path())) };
        let steps = lay_out(&units[skip.min(units.len() - 1)..], &[], &mut choices);
        run(&config, &calls(steps, told, &mut choices), finish);
    }
}
