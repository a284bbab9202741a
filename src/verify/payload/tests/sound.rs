//! Samples of Opus, FLAC, AC-3, E-AC-3 and VP9 that FFmpeg 5.1 made of silence and of a black picture, and damage of them.

use super::*;
use crate::verify::header::RollGroups;

/// Bytes of hexadecimal digits.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// A codec with samples of it.
struct Made {
    entry: &'static [u8; 4],
    configuration: (&'static [u8; 4], &'static str),
    timescale: u32,
    duration: u32,
    samples: [&'static str; 2],
}

/// `ffmpeg -f lavfi -i anullsrc=r=48000:cl=mono -c:a flac -frame_size 1152 a.mp4`
const FLAC: Made = Made {
    entry: b"fLaC",
    configuration: (
        b"dfLa",
        "00000000800000220480048000000b00000b0bb800f00000384054a0397ad63b7b1272f5ac87fa2ddde1",
    ),
    timescale: 48_000,
    duration: 1152,
    samples: ["fff83a08004400000009aa", "fff83a08014300000065d2"],
};

/// `ffmpeg -f lavfi -i anullsrc=r=48000:cl=mono -c:a ac3 -b:a 32k a.mp4`
const AC3: Made = Made {
    entry: b"ac-3",
    configuration: (b"dac3", "100800"),
    timescale: 48_000,
    duration: 1536,
    samples: [AC3_FRAME; 2],
};
const AC3_FRAME: &str = "0b7796b900402f842903fe757cf9f3e7cf9f3e7cf9f3e7cf9f3e7cf9f3e7cf8cbfba90000036b5ad6b5ad6b5ad6b5a94000000dad6b5ad\
     6b5ad6b5ad6a500000036b5ad6b5ad6b5ad6b5a94000000dad6b5ad6b5ad6b5ad6a500000036b5ad6b5ad6b5ad6b5a94000000dad6b5ad\
     6b5ad6b5ad6a40000000000000000000b2b0";

/// The same with `-c:a eac3`.
const EAC3: Made = Made {
    entry: b"ec-3",
    configuration: (b"dec3", "0100200200"),
    timescale: 48_000,
    duration: 1536,
    samples: [EAC3_FRAME; 2],
};
const EAC3_FRAME: &str = "0b77003f3287c00000075001ff3abe7cf9f3e7cf9f3e7cf9f3e7cf9f3e7cf9f3e7c00000dad6b5ad6b5ad6b5ad6a400001b5ad6b5ad6b5\
     ad6b5ad48000036b5ad6b5ad6b5ad6b5a9000006d6b5ad6b5ad6b5ad6b5200000dad6b5ad6b5ad6b5ad6a400001b5ad6b5ad6b5ad6b5ad\
     48000000000000000000000000000000c921";

/// `ffmpeg -f lavfi -i anullsrc=r=48000:cl=mono -c:a libopus -b:a 6k a.mp4`
const OPUS: Made = Made {
    entry: b"Opus",
    configuration: (b"dOps", "000101380000bb80000000"),
    timescale: 48_000,
    duration: 960,
    samples: ["080be63b23ab60", "0808acb30ec6"],
};

/// `ffmpeg -f lavfi -i anullsrc=r=48000:cl=5.1 -c:a libopus -b:a 64k -mapping_family 1 a.mp4`: four streams.
const OPUS_SURROUND: Made = Made {
    entry: b"Opus",
    configuration: (b"dOps", "000601380000bb800000010402000401020305"),
    timescale: 48_000,
    duration: 960,
    samples: ["fc02fffefc02fffe78180be65b71a0d739aec5dcfb931c94ccb8aededbdf6219bf0098fffe"; 2],
};

/// `ffmpeg -f lavfi -i color=black:s=16x16:r=25 -c:v libvpx-vp9 a.mp4`
const VP9: Made = Made {
    entry: b"vp09",
    configuration: (b"vpcC", "01000000000a820202020000"),
    timescale: 25,
    duration: 1,
    samples: ["824983420000f000f60038241c184a00003060000010bffffd488c00", "860040929c00500000032000004240"],
};

impl Made {
    fn header(&self) -> Header {
        let (_, mut header, _) = third(SOUND);
        let (kind, record) = self.configuration;
        header.entry.format = FourCc(*self.entry);
        header.entry.configuration = Some((FourCc(*kind), hex(record)));
        header.entry.size = (self.entry == b"vp09").then_some((16, 16));
        header.timescale = self.timescale;
        header.rolls = RollGroups { distances: vec![-4], default: 0 };
        header
    }

    fn samples(&self) -> Vec<(bool, Vec<u8>)> {
        let is_sync = |index| index == 0 || self.entry != b"vp09";
        self.samples.iter().enumerate().map(|(index, sample)| (is_sync(index), hex(sample))).collect()
    }

    /// The ids of what is found after an edit, with what the look came to.
    fn found(
        &self,
        edit: impl FnOnce(&mut Header, &mut u32, &mut Vec<(bool, Vec<u8>)>),
    ) -> (Looked, Vec<&'static str>) {
        let (mut header, mut duration, mut samples) = (self.header(), self.duration, self.samples());
        edit(&mut header, &mut duration, &mut samples);
        let (looked, found) = found_in_samples(&header, duration, &samples);
        (looked, found.iter().map(|finding| finding.rule.id).collect())
    }

    /// The ids after an edit of the second sample.
    fn damaged(&self, edit: impl FnOnce(&mut Vec<u8>)) -> Vec<&'static str> {
        self.found(|_, _, samples| edit(&mut samples[1].1)).1
    }
}

const ALL: [&Made; 6] = [&FLAC, &AC3, &EAC3, &OPUS, &OPUS_SURROUND, &VP9];

#[test]
fn what_ffmpeg_made_is_sound() {
    for made in ALL {
        assert_eq!(made.found(|_, _, _| ()), (Looked::default(), vec![]), "{}", FourCc(*made.entry));
    }
}

#[test]
fn durations_are_those_of_the_payload_but_at_the_end() {
    for made in &ALL[..5] {
        let longer = made.found(|_, duration, _| *duration += 1);
        assert_eq!(longer, (Looked::default(), vec!["sample-duration"; 2]));
        let (looked, found) = made.found(|_, duration, _| *duration -= 1);
        assert_eq!((looked.is_cut_short, found), (true, vec!["sample-duration"]), "the first one");
        // On a coarse timescale a tick is what they may differ by.
        let coarse = made.found(|header, duration, _| {
            *duration = *duration * 1000 / header.timescale;
            header.timescale = 1000;
        });
        assert_eq!(coarse.1, [""; 0]);
    }
}

#[test]
fn every_sample_of_sound_is_a_sync_sample() {
    for made in &ALL[..5] {
        assert_eq!(made.found(|_, _, samples| samples[1].0 = false).1, ["sample-sync"]);
    }
    assert_eq!(VP9.found(|_, _, samples| samples[1].0 = true).1, ["sample-sync"]);
    assert_eq!(VP9.found(|_, _, samples| samples[0].0 = false).1, ["sample-sync"]);
}

#[test]
fn a_changed_byte_breaks_a_checksum() {
    for made in [&FLAC, &AC3, &EAC3] {
        let len = made.samples()[1].1.len();
        for at in [len - 1, len - 2, len / 2 + 1] {
            assert_eq!(made.damaged(|sample| sample[at] ^= 0x10), ["sample-checksum"], "{at}");
        }
        assert!(!made.damaged(|sample| sample.truncate(len - 1)).is_empty());
        assert!(!made.damaged(|sample| sample.push(0)).is_empty());
    }
    // The number of the frame, which the checksum of its header covers.
    assert_eq!(FLAC.damaged(|sample| sample[4] = 2), ["sample-checksum"]);
}

#[test]
fn frames_are_of_their_configuration() {
    let told = |made: &Made, at: usize, byte: u8| {
        made.found(|header, _, _| header.entry.configuration.as_mut().unwrap().1[at] = byte).1
    };
    // STREAMINFO of two channels, of 48001 Hz, of blocks that are smaller.
    assert_eq!(told(&FLAC, 20, 0x02), ["sample-configuration"; 2]);
    assert_eq!(told(&FLAC, 19, 0xb9), ["sample-configuration"; 2]);
    assert_eq!(told(&FLAC, 10, 0x03), ["sample-configuration"; 2]);
    assert_eq!(told(&AC3, 1, 0x0c), ["sample-configuration"; 2]);
    assert_eq!(told(&EAC3, 3, 0x0e), ["sample-configuration"; 2]);
    // Ten bits; full range.
    assert_eq!(told(&VP9, 6, 0xa2), ["sample-configuration"]);
    assert_eq!(told(&VP9, 6, 0x83), ["sample-configuration"]);
    let larger = VP9.found(|header, _, _| header.entry.size = Some((32, 16)));
    assert_eq!(larger.1, ["sample-configuration"]);
}

#[test]
fn what_is_in_a_sample_fills_it() {
    let twice = |sample: &mut Vec<u8>| sample.extend_from_within(..);
    assert_eq!(FLAC.damaged(twice), ["sample-frames"]);
    assert_eq!(AC3.damaged(twice), ["sample-frames"]);
    assert_eq!(EAC3.damaged(twice), ["sample-frames"]);
    assert_eq!(AC3.damaged(|sample| sample[0] = 0), ["sample-syntax"]);
    assert_eq!(AC3.damaged(|sample| sample.truncate(100)), ["sample-frames"]);
    // Four packets, of which one is longer than the sample, and of which one lasts 10 ms.
    assert_eq!(OPUS_SURROUND.damaged(|sample| sample[1] = 99), ["sample-syntax"]);
    assert_eq!(OPUS_SURROUND.damaged(|sample| sample[0] = 0xf0), ["sample-frames"]);
    let delimited = OPUS_SURROUND.found(|header, _, _| {
        header.entry.configuration.as_mut().unwrap().1[11] = 9;
    });
    assert_eq!(delimited.1, ["sample-syntax"; 2], "more streams than packets");
}

#[test]
fn a_sample_of_vp9_shows_one_frame() {
    // The second frame hidden, and again with the first: a superframe.
    assert_eq!(VP9.damaged(|sample| sample[0] = 0x84), ["sample-picture"]);
    let join = |hidden: bool| {
        VP9.damaged(|sample| {
            let mut first = sample.clone();
            if hidden {
                first[0] = 0x84;
            }
            let len = sample.len() as u8;
            *sample = [&first[..], sample, &[0xc1, len, len, 0xc1]].concat();
        })
    };
    assert_eq!(join(true), [""; 0]);
    assert_eq!(join(false), ["sample-picture"]);
    let wrong = VP9.damaged(|sample| {
        let len = sample.len() as u8;
        sample.extend([0xc0, len - 1, 0xc0]);
    });
    assert_eq!(wrong, ["sample-frames"]);
    assert_eq!(VP9.damaged(|sample| sample[0] = 0x46), ["sample-syntax"]);
}

#[test]
fn opus_needs_what_is_in_front_of_it() {
    let with = |distances: Vec<i16>| {
        let (looked, found) = OPUS.found(|header, _, _| header.rolls.distances = distances);
        assert_eq!(found, [""; 0]);
        looked.lacks_pre_roll
    };
    assert!(!with(vec![-4]) && !with(vec![-5]));
    assert!(with(vec![-3]) && with(vec![4]) && with(vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_of_sound_never_panics(
        made in 0..ALL.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        record in any::<bool>(),
        len in any::<prop::sample::Index>(),
    ) {
        let (mut header, duration, mut samples) = (ALL[made].header(), ALL[made].duration, ALL[made].samples());
        for (at, value) in edits {
            let bytes = if record { &mut header.entry.configuration.as_mut().unwrap().1 } else { &mut samples[1].1 };
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let kept = len.index(samples[0].1.len()) + 1;
        samples[0].1.truncate(kept);
        found_in_samples(&header, duration, &samples);
    }
}
