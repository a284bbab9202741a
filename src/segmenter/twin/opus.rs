//! Opus: any calls answer as the model does, whose samples are as the packager's.

use proptest::prelude::*;

use super::calls::{Both, Call};
use super::drawn::{choices, hand_over, timescale, ways};
use crate::codec::opus::{OpusConfig, packet_duration};
use crate::segmenter::{CodecConfig, SampleTiming, SegmenterConfig};

/// A packet, and what it is given more or less than it lasts.
fn packet() -> impl Strategy<Value = (Vec<u8>, i64)> {
    let toc = prop_oneof![6 => Just(0xfcu8), 2 => any::<u8>(), 1 => Just(b'O')];
    let rest = prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..40),
        1 => Just(b"ggS".to_vec()),
        1 => Just(b"pusTags".to_vec()),
    ];
    let off = prop_oneof![20 => Just(0i64), 1 => -960..0i64, 1 => 1..100i64];
    (toc, rest, off).prop_map(|(toc, rest, off)| ([&[toc][..], &rest].concat(), off))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_answer_as_the_model_does(
        packets in prop::collection::vec((packet(), 0..12u8), 0..25),
        shortest in prop::sample::select(&[120u32, 480, 960][..]),
        ways in ways(), mut choices in choices(), finish in any::<bool>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let opus = OpusConfig::new(2, 312).unwrap().with_shortest_packet(shortest).unwrap();
        let config = SegmenterConfig::new(directory.path(), "audio/en", CodecConfig::Opus(opus), timescale(48_000));
        let mut both = Both::new(&ways.apply(config)).expect("a sound configuration");
        for ((packet, off), then) in packets {
            let coded = i64::from(packet_duration(&packet).unwrap_or(960));
            let timing = SampleTiming::new((coded + off).max(0) as u32);
            for call in hand_over(packet, timing, &mut choices) {
                both.call(&call);
            }
            match then {
                0 | 1 => _ = both.call(&Call::Cut),
                2 => _ = both.call(&Call::Discard),
                _ => {}
            }
        }
        if finish {
            both.finish();
        }
    }
}
