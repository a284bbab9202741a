//! Any sequence of calls, wrong ones among them: the model's answers and the model's files.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::calls::{Both, Call};
use super::drawn::{Drawn, aac_config, avc_config, choices, drawn, hand_over, ways};
use super::layouts::planned;
use super::streams::{Choices, Step, lay_out};
use super::units::{AUD, END_OF_SEQUENCE, EXTENSION, SEI};
use crate::codec::h264::testing::{Pps, Slice};
use crate::segmenter::{CodecConfig, Composition, SampleTiming, SegmenterConfig};
use crate::time::{CompositionOffset, DecodeTime};

/// A packet that is damaged in one of many ways, or is something else.
fn garbage(packet: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    let at = usize::from(choices.below(255)) * packet.len() / 256;
    match choices.below(9) {
        0 => bytes.clear(),
        1 => bytes = vec![0; 9],
        2 => bytes.insert(0, 0x47),
        3 => bytes.truncate(at),
        4 => bytes.extend([0, 0, 1]),
        5 => bytes.extend([0, 0, 1, 0x80 | 0x65, 0x88]),
        6 => bytes.splice(..0, [0, 0, 0, 1, 0x05, 0x88]).for_each(drop),
        7 => bytes.extend([&[0, 0, 1][..], &Slice { pps_id: 9, ..Slice::p(1, 4) }.nal()].concat()),
        _ => bytes.extend([0, 0, 1, 0x43, 0x80]),
    }
    bytes
}

/// Units that stand in a packet of their own.
fn units_alone(choices: &mut Choices) -> Vec<u8> {
    let changed = Pps { qp: 9, ..Default::default() }.nal();
    let new = Pps { id: 5, ..Default::default() }.nal();
    let all: [&[u8]; 6] = [AUD, SEI, &changed, &new, EXTENSION, END_OF_SEQUENCE];
    let mut packet = Vec::new();
    for _ in 0..=choices.below(2) {
        let unit = all[usize::from(choices.below(6))];
        choices.add(&mut packet, unit);
    }
    packet
}

/// How one sample is told: mostly as all others are.
fn timing(told: u8, index: i64, choices: &mut Choices) -> SampleTiming {
    let duration = [1000, 1000, 1000, 500, 2000, 0, u32::MAX][usize::from(choices.below(7))];
    let duration = if choices.below(4) == 3 { duration } else { 1000 };
    let shift = [0, 0, 0, 0, 0, 0, 1000, -500][usize::from(choices.below(8))];
    let composition = match if choices.below(16) == 15 { choices.below(3) } else { told } {
        0 => Composition::BitstreamOrder,
        1 => Composition::PresentationTime(7000 + 1000 * index + shift),
        _ => Composition::Offset(CompositionOffset(shift as i32)),
    };
    let sync = match choices.below(24) {
        22 => Some(true),
        23 => Some(false),
        _ => None,
    };
    SampleTiming { duration, composition, sync }
}

/// The stream's steps with wrong and odd calls among them.
pub(super) fn calls(steps: Vec<Step>, told: u8, choices: &mut Choices) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut index = 0;
    for step in steps {
        let time = timing(told, index, choices);
        match choices.below(20) {
            13 => calls.push(Call::Cut),
            14 => calls.push(Call::Discard),
            15 => calls.extend(hand_over(units_alone(choices), time, choices)),
            16 => calls.push(Call::Abandon(usize::from(choices.below(90)), 0)),
            _ => {}
        }
        match step {
            Step::Cut => calls.push(Call::Cut),
            Step::Packet(packet, pictures) => {
                match choices.below(12) {
                    8 => calls.extend(hand_over(garbage(&packet, choices), time, choices)),
                    9 => {
                        let max = packet.len();
                        calls.push(Call::Commit { max, packet: packet.clone(), used: max + 1, timing: time });
                    }
                    10 => calls.push(Call::Push(packet.clone(), SampleTiming { duration: 0, ..time })),
                    // The packet gets lost.
                    11 => continue,
                    _ => {}
                }
                calls.extend(hand_over(packet, time, choices));
                index += pictures as i64;
            }
        }
    }
    calls
}

pub(super) fn run(config: &SegmenterConfig, calls: &[Call], finish: bool) {
    let Some(mut both) = Both::new(config) else { return };
    for call in calls {
        both.call(call);
    }
    if finish {
        both.finish();
    }
}

/// Options that change what is written or taken.
fn change(mut config: SegmenterConfig, drawn: &Drawn, options: u16) -> SegmenterConfig {
    if options & 1 != 0 {
        // The name gets another digit, or the numbers end.
        let first = if options & 0x8000 == 0 { 99_998 } else { u32::MAX - 1 };
        config.first_segment_index = NonZeroU32::new(first).unwrap();
    }
    if options & 2 != 0 {
        // Beyond 32 bits, or near the end of 64.
        let start = if options & 0x200 == 0 { u64::from(u32::MAX) + 5 } else { u64::MAX - 9000 };
        config.first_base_decode_time = DecodeTime(start);
    }
    config.drop_leading = options & 4 != 0;
    config.write_init = options & 8 == 0;
    config.content_hash = options & 16 == 0;
    if options & 32 != 0 {
        config.language = Some("de".to_owned());
        config.role = Some("main".to_owned());
    }
    if let CodecConfig::Avc { known_parameter_sets, video, .. } = &mut config.codec {
        if options & 64 != 0 {
            let front = drawn.pictures[0].front.iter();
            known_parameter_sets.extend(front.filter(|nal| matches!(nal[0] & 31, 7 | 8)).cloned());
        }
        if options & 128 != 0 {
            (video.width, video.height) = (Some(64), Some(48));
        }
        if options & 0x1800 == 0x1800 {
            let (files, _) = planned(drawn, DecodeTime(0));
            (config.write_init, config.published_init) =
                (options & 0x6000 == 0, files.get("init.mp4").cloned());
        }
        if options & 0x700 == 0x700 {
            video.width = Some(65);
        }
    }
    config
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 240, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_on_video_answer_as_the_model_does(
        drawn in drawn(), told in 0..3_u8, options in any::<u16>(), ways in ways(), mut choices in choices(),
        skip in prop_oneof![4 => Just(0), 1 => 0..5_usize], finish in any::<bool>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let config = change(ways.apply(avc_config(directory.path(), drawn.placement)), &drawn, options);
        let steps = lay_out(&drawn.pictures, &drawn.cuts, choices.below(2) == 1, &mut choices);
        let calls = calls(steps.into_iter().skip(skip).collect(), told, &mut choices);
        run(&config, &calls, finish);
    }

    #[test]
    fn any_calls_on_audio_answer_as_the_model_does(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..12),
        told in 0..3_u8, ways in ways(), mut choices in choices(), finish in any::<bool>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let steps = packets.into_iter().map(|packet| Step::Packet(packet, 1)).collect();
        let mut calls = calls(steps, told, &mut choices);
        for call in &mut calls {
            // Most last as long as an access unit does.
            if let Call::Push(_, timing) | Call::Commit { timing, .. } = call && timing.duration == 1000 {
                timing.duration = 1024;
            }
        }
        run(&ways.apply(aac_config(directory.path())), &calls, finish);
    }
}
