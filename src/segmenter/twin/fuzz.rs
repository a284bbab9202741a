//! Any bytes as calls on a segmenter and its model.

use std::path::Path;

use super::calls::{Both, Call};
use super::units::units;
use crate::codec::ParameterSetPlacement;
use crate::codec::aac::{AacConfig, AudioObjectType};
use crate::io::scratch::Scratch;
use crate::segmenter::{CodecConfig, Composition, SampleTiming, SegmenterConfig, VideoConfig};
use crate::time::{CompositionOffset, DecodeTime, Timescale};

/// Reads `data` as options and calls, and asserts that segmenter and model answer alike and leave the same files.
///
/// The first two bytes are options. Then each byte is one thing to do: a code below 32 appends the unit of this number to
/// the packet that is being put together, the others end the packet, cut, or make one of the odd calls (see `Reader::call`).
pub fn fuzz_calls(data: &[u8]) {
    let mut reader = Reader { data, packet: Vec::new(), index: 0, usual: 1000, told: 0 };
    let directory = Scratch::new();
    let Some(mut both) = Both::new(&reader.config(&directory.0)) else { return };
    let units = units();
    // Each call costs system calls: what is behind these finds no more.
    for _ in 0..300 {
        let Some(code) = reader.byte() else { break };
        if let Some(call) = reader.call(code, &units) {
            both.call(&call);
        }
    }
    if reader.told & 4 == 0 {
        both.finish();
    }
}

struct Reader<'a> {
    data: &'a [u8],
    packet: Vec<u8>,
    /// Samples so far, about, for presentation times.
    index: i64,
    /// Ticks that most samples are given: those of an access unit of AAC.
    usual: u32,
    /// How the track is told its times, and whether it is finished.
    told: u8,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.data.split_first()?;
        self.data = rest;
        Some(byte)
    }

    fn config(&mut self, directory: &Path) -> SegmenterConfig {
        let [options, more] = [self.byte().unwrap_or(0), self.byte().unwrap_or(0)];
        let set = |bit: u8| options >> bit & 1 == 1;
        let codec = if set(0) {
            CodecConfig::Aac(
                AacConfig::new(AudioObjectType::LowComplexity, 3, 2).expect("a sound configuration"),
            )
        } else {
            CodecConfig::Avc {
                parameter_sets: if set(1) {
                    ParameterSetPlacement::InBand
                } else {
                    ParameterSetPlacement::SampleEntry
                },
                known_parameter_sets: if set(2) { units()[..2].to_vec() } else { Vec::new() },
                video: VideoConfig::default(),
            }
        };
        let ticks = std::num::NonZeroU32::new(48_000).expect("not 0");
        let mut config = SegmenterConfig::new(directory, "track", codec, Timescale::new(ticks));
        (config.drop_leading, config.write_init) = (set(3), !set(4));
        (config.buffered, config.content_hash) = (set(5), set(6));
        config.first_base_decode_time = DecodeTime(if set(7) { 1 << 40 } else { 0 });
        self.told = more;
        self.usual = if set(0) { 1024 } else { 1000 };
        config.expected_samples = u32::from(more >> 3 & 7);
        config.expected_bytes = u64::from(more >> 6) * 1000;
        config
    }

    /// What a code and the bytes behind it ask for.
    fn call(&mut self, code: u8, units: &[Vec<u8>]) -> Option<Call> {
        match code {
            0..32 => {
                let start_code: &[u8] = if code.is_multiple_of(3) { &[0, 0, 1] } else { &[0, 0, 0, 1] };
                self.packet.extend_from_slice(start_code);
                self.packet.extend_from_slice(&units[usize::from(code)]);
                None
            }
            32..96 => Some(Call::Push(std::mem::take(&mut self.packet), self.timing(code))),
            96..144 => {
                let packet = std::mem::take(&mut self.packet);
                let more = usize::from(code >> 2 & 3) * 33;
                let used = packet.len() + usize::from(code & 3 == 3) * 40;
                Some(Call::Commit { max: packet.len() + more, used, packet, timing: self.timing(code) })
            }
            144..176 => Some(Call::Cut),
            176..184 => Some(Call::Discard),
            184..192 => {
                let max = usize::from(self.byte()?) << (code & 7);
                let abandon = if code & 4 == 0 { Call::Abandon } else { Call::Forget };
                Some(abandon(max, code & 1))
            }
            192..208 => {
                let zeros = usize::from(code & 15);
                self.packet.resize(self.packet.len() + zeros, 0);
                None
            }
            208..224 => {
                let cut = usize::from(code & 15);
                self.packet.truncate(self.packet.len().saturating_sub(cut));
                None
            }
            224.. => {
                let raw = self.data.len().min(usize::from(code & 31));
                self.packet.extend_from_slice(&self.data[..raw]);
                self.data = &self.data[raw..];
                None
            }
        }
    }

    fn timing(&mut self, code: u8) -> SampleTiming {
        // Odd times are told by a byte of their own.
        let odd = if code & 0x0f == 0x0f { self.byte().unwrap_or(0) } else { 0 };
        self.index += 1;
        let shift = [0, 1000, -1000, 500, i64::MAX, i64::MIN, 1 << 32, -7][usize::from(odd & 7)];
        let composition = match (self.told & 3) ^ (odd >> 6) {
            1 => Composition::PresentationTime((1000 * self.index).saturating_add(shift)),
            2 => Composition::Offset(CompositionOffset(shift.clamp(-5000, 1 << 31) as i32)),
            _ => Composition::BitstreamOrder,
        };
        let duration = [self.usual, 500, 0, u32::MAX][usize::from(odd >> 3 & 3)];
        let sync = (odd & 0x20 != 0).then_some(odd & 1 == 1);
        SampleTiming { duration, composition, sync }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fuzz_calls;

    /// Mostly calls that are taken.
    fn codes() -> impl Strategy<Value = Vec<u8>> {
        let code =
            prop_oneof![12 => 0..32_u8, 6 => 32..47_u8, 3 => 96..98_u8, 2 => 144..146_u8, 2 => any::<u8>()];
        prop::collection::vec(code, 0..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn any_calls_are_answered_as_the_model_does(options in any::<[u8; 2]>(), codes in codes(), sets in any::<bool>()) {
            let start: &[u8] = if sets { &[0, 1, 2, 32] } else { &[] };
            fuzz_calls(&[&options[..], start, &codes].concat());
        }
    }
}
