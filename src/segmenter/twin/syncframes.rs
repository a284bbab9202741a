//! Access units of AC-3 and E-AC-3 as packets: whole ones, and such as the configuration does not describe.

use std::path::Path;

use proptest::prelude::*;

use super::calls::{Both, Call};
use super::drawn::{Ways, choices, hand_over, timescale, ways};
use super::layouts::{assert_same_files, segments};
use crate::codec::ac3::Ac3Config;
use crate::codec::eac3::testing::Frame;
use crate::scan::SourceRange;
use crate::scan::ac3::{Configuration, read_access_unit};
use crate::segmenter::{CodecConfig, SampleTiming, SegmenterConfig};
use crate::time::DecodeTime;
use crate::track::{Framing, SampleFlags, Samples};

const UNIT: u32 = 1536;

/// AC-3 of two channels at 48 kHz, of one of the bit rates.
fn ac3(code: u8) -> Vec<u8> {
    let code = code % 38;
    let mut frame = vec![0x0b, 0x77, 0, 0, code, 0x40, 0x40, 0x00];
    frame.resize(2 * 2 * [32, 40, 48, 56, 64, 80, 96][usize::from(code / 2 % 7)], 0x55);
    frame[4] = code / 2 % 7 * 2;
    frame
}

/// 7.1 in halves of an access unit, whose frames are so much longer than they have to be.
fn eac3(more: u8) -> Vec<u8> {
    let halves = [Frame::PLAIN, Frame::REAR].map(|frame| frame.blocks(2));
    let longer = halves.map(|frame| Frame { size: frame.size + 2 * u32::from(more), ..frame });
    longer.iter().chain(&halves).flat_map(Frame::bytes).collect()
}

fn codec(enhanced: bool) -> CodecConfig {
    match read_access_unit(&eac3(0)).unwrap() {
        Configuration::Eac3(config) if enhanced => CodecConfig::Eac3(config),
        _ => CodecConfig::Ac3(Ac3Config::read(&ac3(0)).unwrap()),
    }
}

fn config(directory: &Path, enhanced: bool) -> SegmenterConfig {
    SegmenterConfig::new(directory, "audio/en", codec(enhanced), timescale(48_000))
}

fn both(directory: &Path, enhanced: bool, ways: &Ways) -> Both {
    Both::new(&ways.apply(config(directory, enhanced))).expect("a sound configuration")
}

proptest! {
    #[test]
    fn any_way_to_hand_over_access_units_gives_the_planned_files(
        enhanced: bool,
        units in prop::collection::vec(any::<u8>(), 1..20),
        cuts in prop::collection::btree_set(1..20_usize, 0..5),
        mut choices in choices(), ways in ways(),
    ) {
        let packets: Vec<Vec<u8>> = units.iter().map(|&unit| if enhanced { eac3(unit) } else { ac3(unit) }).collect();
        let cuts: Vec<usize> = cuts.into_iter().filter(|&cut| cut < packets.len()).collect();
        let mut track = Samples::new(Framing::Raw);
        let source = packets.concat();
        let mut offset = 0;
        for packet in &packets {
            let len = packet.len() as u32;
            track.push(&[SourceRange { offset, len }], SampleFlags::SYNC, UNIT).unwrap();
            offset += u64::from(len);
        }
        let directory = tempfile::tempdir().unwrap();
        let mut both = both(directory.path(), enhanced, &ways);
        for (index, packet) in packets.iter().enumerate() {
            if cuts.contains(&index) {
                both.call(&Call::Cut);
            }
            for call in hand_over(packet.clone(), SampleTiming::new(UNIT), &mut choices) {
                prop_assert!(both.call(&call), "refused: {call:?}");
            }
        }
        let mut files = both.finish().expect("a sound stream");
        prop_assert!(files.remove("init.mp4").is_some());
        assert_same_files(&files, &segments(&source, &track, &cuts, DecodeTime(0)));
    }

    #[test]
    fn damaged_access_units_are_refused_or_taken_alike(
        enhanced: bool,
        packets in prop::collection::vec((any::<bool>(), any::<u8>(), 0..400_usize, 0..9_u8), 1..12),
        ways in ways(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut both = both(directory.path(), enhanced, &ways);
        for (is_enhanced, unit, place, bit) in packets {
            let mut packet = if is_enhanced { eac3(unit % 20) } else { ac3(unit) };
            match packet.get_mut(place % 12) {
                Some(byte) if bit < 8 => *byte ^= 1 << bit,
                _ => packet.truncate(place),
            }
            both.call(&Call::Push(packet, SampleTiming::new(UNIT)));
        }
        both.finish();
    }
}

#[test]
fn an_access_unit_of_another_configuration_is_refused_at_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let mut both = Both::new(&config(directory.path(), true)).unwrap();
    assert!(both.call(&Call::Push(eac3(0), SampleTiming::new(UNIT))));
    let plain = Call::Push(Frame::PLAIN.bytes(), SampleTiming::new(UNIT));
    assert!(!both.call(&plain) && !both.call(&Call::Push(ac3(0), SampleTiming::new(UNIT))));
    assert!(both.call(&Call::Push(eac3(9), SampleTiming::new(UNIT))));
    assert!(both.finish().is_some());
}

#[test]
fn an_access_unit_is_not_given_more_than_it_lasts_and_less_only_at_the_end() {
    for enhanced in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut both = Both::new(&config(directory.path(), enhanced)).unwrap();
        let unit = if enhanced { eac3(0) } else { ac3(0) };
        let mut push = |ticks| both.call(&Call::Push(unit.clone(), SampleTiming::new(ticks)));
        // What the blocks of one syncframe last, and what they last at another rate.
        assert!(!push(UNIT + 1) && !push(1672));
        assert!(push(UNIT) && push(256));
        assert!(!push(UNIT) && !push(256));
        assert!(both.finish().is_some());
    }
}
