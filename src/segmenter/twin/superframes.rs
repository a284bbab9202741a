//! VP9: one stream in any packets, hidden frames alone or not, gives the planned files, and any calls the model's.

use std::path::Path;

use proptest::prelude::*;

use super::calls::Both;
use super::drawn::{calls_of, choices, timescale, ways};
use super::layouts::{Files, assert_same_files, segments};
use super::sequences::{calls, run};
use super::streams::{Choices, Step};
use crate::codec::vp9::testing::{Frame, packet, show_existing};
use crate::segmenter::{CodecConfig, SampleTiming, SegmenterConfig};
use crate::time::DecodeTime;
use crate::track::header::{SampleEntry, TrackHeader, write_init_segment};
use crate::track::{Framing, SampleFlags, Samples};

/// Frames of a superframe, the last of which is shown, and what its sample says.
fn frames(kind: u8, payload: usize) -> (Vec<Vec<u8>>, SampleFlags) {
    let hidden = |fill| Frame::inter(4).hidden().with_payload(payload, fill).bytes();
    let shown = Frame::inter(1).with_payload(payload / 3, 9).bytes();
    let key = Frame::key().with_payload(payload, 1);
    let intra = Frame { reset: 3, ..Frame::intra_only(2) };
    match kind {
        0 => (vec![key.bytes()], SampleFlags::SYNC),
        1 => (vec![key.hidden().bytes(), shown], SampleFlags::SYNC),
        2 => (vec![hidden(1), hidden(2), hidden(3), shown], SampleFlags::INTER),
        3 => (vec![hidden(1), show_existing(0, 2)], SampleFlags::INTER),
        4 => (vec![intra.with_payload(payload, 4).bytes(), show_existing(0, 1)], SampleFlags::INTRA),
        5 => {
            let frame = Frame { error_resilient: true, ..Frame::inter(0) };
            (vec![frame.bytes()], SampleFlags::INTER.disposable())
        }
        _ => (vec![shown], SampleFlags::INTER),
    }
}

type Drawn = Vec<(u8, Vec<Vec<u8>>)>;

/// Superframes, the first of them a key frame.
fn superframes() -> impl Strategy<Value = Drawn> {
    prop::collection::vec((0..8_u8, 0..300_usize), 1..14).prop_map(|mut drawn| {
        drawn[0].0 = 0;
        drawn.into_iter().map(|(kind, payload)| (kind, frames(kind, payload).0)).collect()
    })
}

/// Each superframe in one packet, or hidden frames in packets of their own.
fn lay_out(superframes: &Drawn, cuts: &[usize], choices: &mut Choices) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (index, (_, frames)) in superframes.iter().enumerate() {
        if cuts.contains(&index) {
            steps.push(Step::Cut);
        }
        let mut start = 0;
        for end in 1..frames.len() {
            if choices.below(3) == 1 {
                steps.push(Step::Packet(packet(&frames[start..end]), 0));
                start = end;
            }
        }
        steps.push(Step::Packet(packet(&frames[start..]), 1));
    }
    steps
}

fn config(directory: &Path) -> SegmenterConfig {
    SegmenterConfig::new(directory, "video", CodecConfig::vp9(), timescale(30_000))
}

/// What the packager writes of the stream whose packets are whole superframes, byte by byte of the standard's table.
fn planned(superframes: &Drawn, cuts: &[usize]) -> Files {
    let mut source = Vec::new();
    let mut track = Samples::new(Framing::Raw);
    for (kind, frames_of) in superframes {
        let bytes = packet(frames_of);
        let range = crate::scan::SourceRange { offset: source.len() as u64, len: bytes.len() as u32 };
        source.extend(bytes);
        track.push(&[range], frames(*kind, 0).1, 1001).unwrap();
    }
    let colour = crate::codec::Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false };
    let header = TrackHeader {
        timescale: timescale(30_000),
        entry: SampleEntry::Vp9 {
            format: crate::codec::VideoFormat {
                colour: Some(colour),
                ..crate::codec::VideoFormat::of_size(64, 48)
            },
            frame_rate: None,
            configuration_record: vec![0, 10, 0x82, 1, 1, 1, 0, 0],
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
    fn any_packets_of_superframes_give_the_planned_files(
        superframes in superframes(), cut in any::<u16>(), mut choices in choices(), ways in ways(),
    ) {
        let syncs = (1..superframes.len()).filter(|&index| superframes[index].0 <= 1);
        let cuts: Vec<usize> = syncs.filter(|index| cut >> index & 1 == 0).collect();
        let directory = tempfile::tempdir().unwrap();
        let mut both = Both::new(&ways.apply(config(directory.path()))).expect("a sound configuration");
        let steps = lay_out(&superframes, &cuts, &mut choices);
        for call in calls_of(steps, &mut choices, |_| SampleTiming::new(1001)) {
            prop_assert!(both.call(&call), "refused: {call:?}");
        }
        assert_same_files(&both.finish().expect("a sound stream"), &planned(&superframes, &cuts));
    }

    #[test]
    fn any_calls_on_superframes_answer_as_the_model_does(
        superframes in superframes(), told in 0..3_u8, mut choices in choices(), ways in ways(), finish in any::<bool>(),
        drop_leading in any::<bool>(), skip in 0..2_usize,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let config = SegmenterConfig { drop_leading, ..ways.apply(config(directory.path())) };
        let rest = superframes[skip.min(superframes.len() - 1)..].to_vec();
        let steps = lay_out(&rest, &[], &mut choices);
        run(&config, &calls(steps, told, &mut choices), finish);
    }
}
