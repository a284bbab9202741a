//! What is drawn at random: streams, their layout in packets, options, calls.

use std::num::NonZeroU32;
use std::path::Path;

use proptest::prelude::*;

use super::calls::Call;
use super::streams::{Choices, Draft, Kind, Picture, Sets, Step, stream};
use crate::codec::ParameterSetPlacement;
use crate::codec::aac::{AacConfig, AudioObjectType};
use crate::codec::flac::FlacConfig;
use crate::scan::flac::testing::stream_info;
use crate::segmenter::{CodecConfig, SampleTiming, SegmenterConfig, VideoConfig};
use crate::time::{DecodeTime, Timescale};

/// Duration of a picture where all are equal.
pub(super) const DURATION: u32 = 1001;

pub(super) fn draft() -> impl Strategy<Value = Draft> {
    let kind = prop_oneof![
        4 => Just(Kind::P),
        1 => Just(Kind::I),
        1 => Just(Kind::ReferenceB),
        2 => Just(Kind::DisposableB),
        1 => Just(Kind::DisposableP),
        1 => Just(Kind::Reset),
    ];
    let payload = prop_oneof![20 => 0..200_u16, 1 => 4000..9000_u16];
    // Few pictures have anything around them.
    let around = prop_oneof![2 => Just(0_u16), 1 => any::<u16>()];
    (any::<u8>(), kind, 0..3_u8, around, payload).prop_map(|(rank, kind, slices, around, payload)| Draft {
        rank,
        kind,
        slices,
        around,
        payload,
    })
}

/// Groups of pictures; most are presented from their IDR picture on.
pub(super) fn groups() -> impl Strategy<Value = Vec<Vec<Draft>>> {
    let group =
        (prop::collection::vec(draft(), 1..7), prop::bool::weighted(0.8)).prop_map(|(mut group, first)| {
            group[0].kind = Kind::P;
            if first {
                group[0].rank = 0;
            }
            group
        });
    prop::collection::vec(group, 1..5)
}

/// Parameter sets that an entry of this kind can hold.
pub(super) fn sets(placement: ParameterSetPlacement) -> impl Strategy<Value = Sets> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(move |(change, unused, repeat)| Sets {
        change: change && placement == ParameterSetPlacement::InBand,
        unused,
        repeat,
    })
}

pub(super) fn placement() -> impl Strategy<Value = ParameterSetPlacement> {
    prop_oneof![Just(ParameterSetPlacement::SampleEntry), Just(ParameterSetPlacement::InBand)]
}

/// A stream, where it may be cut, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) placement: ParameterSetPlacement,
    pub(super) pictures: Vec<Picture>,
    /// Indices of pictures that segments start with, but the first.
    pub(super) cuts: Vec<usize>,
}

pub(super) fn drawn() -> impl Strategy<Value = Drawn> {
    placement().prop_flat_map(|placement| (Just(placement), sets(placement), groups(), any::<u8>())).prop_map(
        |(placement, sets, groups, cut)| {
            let pictures = stream(&groups, sets);
            let syncs = pictures.iter().enumerate().skip(1).filter(|(_, picture)| picture.idr);
            let cuts = syncs.zip(0..).filter(|(_, n)| cut >> n & 1 == 0).map(|((at, _), _)| at).collect();
            Drawn { placement, pictures, cuts }
        },
    )
}

pub(super) fn choices() -> impl Strategy<Value = Choices> {
    prop::collection::vec(any::<u8>(), 0..64).prop_map(Choices::new)
}

/// Options that change no byte.
#[derive(Clone, Debug)]
pub(super) struct Ways {
    expected_samples: u32,
    expected_bytes: u64,
    buffered: bool,
}

pub(super) fn ways() -> impl Strategy<Value = Ways> {
    let samples = prop_oneof![Just(0_u32), 1..8_u32, Just(10_000)];
    let bytes = prop_oneof![Just(0_u64), 1..4000_u64, Just(20_000_000)];
    (samples, bytes, any::<bool>()).prop_map(|(expected_samples, expected_bytes, buffered)| Ways {
        expected_samples,
        expected_bytes,
        buffered,
    })
}

impl Ways {
    pub(super) fn apply(&self, config: SegmenterConfig) -> SegmenterConfig {
        let Self { expected_samples, expected_bytes, buffered } = *self;
        SegmenterConfig { expected_samples, expected_bytes, buffered, ..config }
    }
}

pub(super) fn timescale(ticks: u32) -> Timescale {
    Timescale::new(NonZeroU32::new(ticks).unwrap())
}

/// An H.264 track in `directory`.
pub(super) fn avc_config(directory: &Path, parameter_sets: ParameterSetPlacement) -> SegmenterConfig {
    let codec =
        CodecConfig::Avc { parameter_sets, known_parameter_sets: Vec::new(), video: VideoConfig::default() };
    let mut config = SegmenterConfig::new(directory, "video", codec, timescale(30_000));
    config.first_base_decode_time = DecodeTime(90_000);
    config
}

pub(super) fn aac_config(directory: &Path) -> SegmenterConfig {
    let aac = AacConfig::new(AudioObjectType::LowComplexity, 3, 2).unwrap();
    SegmenterConfig::new(directory, "audio/en", CodecConfig::Aac(aac), timescale(48_000))
}

/// FLAC of 44.1 kHz, mono, 8 bits, in blocks of up to 64.
pub(super) fn flac_config(directory: &Path) -> SegmenterConfig {
    let flac = FlacConfig::read(&stream_info(64, 0)).unwrap();
    SegmenterConfig::new(directory, "audio/en", CodecConfig::Flac(flac), timescale(44_100))
}

/// Calls that hand over `packet`: pushed, or written into a reservation, with others abandoned in front of it.
pub(super) fn hand_over(packet: Vec<u8>, timing: SampleTiming, choices: &mut Choices) -> Vec<Call> {
    let mut calls = Vec::new();
    if choices.below(5) == 4 {
        let max = [0, 1, 100, 5000, 300_000][usize::from(choices.below(5))];
        let byte = [0x00, 0x01, 0xff][usize::from(choices.below(3))];
        calls.push(if choices.below(4) == 3 { Call::Forget(max, byte) } else { Call::Abandon(max, byte) });
    }
    let len = packet.len();
    calls.push(match choices.below(5) {
        0 | 1 => Call::Push(packet, timing),
        2 => Call::Commit { max: len, packet, used: len, timing },
        3 => Call::Commit { max: len + 1, packet, used: len, timing },
        _ => Call::Commit { max: len + 70_000, packet, used: len, timing },
    });
    calls
}

/// Calls for steps of a layout, each sample with `timing` of its index.
pub(super) fn calls_of(
    steps: Vec<Step>,
    choices: &mut Choices,
    timing: impl Fn(usize) -> SampleTiming,
) -> Vec<Call> {
    let mut index = 0;
    let mut calls = Vec::new();
    for step in steps {
        match step {
            Step::Cut => calls.push(Call::Cut),
            Step::Packet(packet, pictures) => {
                calls.extend(hand_over(packet, timing(index), choices));
                index += pictures;
            }
        }
    }
    calls
}
