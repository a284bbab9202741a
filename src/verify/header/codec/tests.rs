//! Configurations as bytes, and codec strings that agree or do not.

use super::super::check::Check;
use super::super::codecs_agree;
use super::{Dolby, Facts, Sound, read};
use crate::boxes::FourCc;
use crate::boxes::reader::Boxes;
use crate::verify::findings::Findings;

fn bytes(hex: &str) -> Vec<u8> {
    let hex: Vec<_> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// What a box with this body says in an entry of `format`, and what is wrong with it.
fn facts(format: &[u8; 4], kind: &[u8; 4], body: &[u8]) -> (Facts, Vec<String>) {
    let mut file = (8 + body.len() as u32).to_be_bytes().to_vec();
    file.extend(kind);
    file.extend(body);
    let mut findings = Findings::default();
    let mut check = Check { file: "init.mp4", findings: &mut findings, is_cmaf: true };
    let record = Boxes::of_file(&file).next().unwrap().unwrap();
    let facts = read(&mut check, &record, FourCc(*format));
    (facts, findings.as_slice().iter().map(|finding| finding.message.clone()).collect())
}

fn codec(format: &[u8; 4], kind: &[u8; 4], hex: &str) -> String {
    let (facts, wrong) = facts(format, kind, &bytes(hex));
    assert_eq!(wrong, Vec::<String>::new(), "{hex}");
    facts.codec.unwrap()
}

/// Of x264, 320x180 pictures in 320x192 coded ones, 4:2:0: made by FFmpeg 5.1.
const AVCC: &str = "0164000cffe1001a6764000cacd941419f9f011000000300100000030320f1429960010006
    68ebe3cb22c0fdf8f800";

#[test]
fn avcc_tells_profile_and_size() {
    let (found, wrong) = facts(b"avc1", b"avcC", &bytes(AVCC));
    assert_eq!((found.codec.as_deref(), wrong.len()), (Some("avc1.64000C"), 0));
    assert_eq!(found.sizes, [(320, 180)]);
    assert!(codec(b"avc3", b"avcC", AVCC).starts_with("avc3."));
}

#[test]
fn avcc_is_walked_to_its_end() {
    let sound = bytes(AVCC);
    let wrong = |at: usize, byte: u8| {
        let mut record = sound.clone();
        record[at] = byte;
        facts(b"avc1", b"avcC", &record).1.join("; ")
    };
    assert!(wrong(0, 2).contains("configurationVersion is 2"));
    assert!(wrong(4, 0xfe).contains("lengthSizeMinusOne is 2"));
    assert!(wrong(5, 0xe0).contains("0 sequence"));
    assert!(wrong(7, 0xff).contains("parameterSetNALUnit runs past the end"));
    assert!(wrong(8, 0x68).contains("type 8 in place of type 7"));
    assert!(wrong(sound.len() - 1, 1).contains("runs past the end"));
    assert!(wrong(3, 0x33).contains("640033, those of the sequence parameter set 64000C"));
    assert!(wrong(sound.len() - 4, 0xfe).contains("chroma format 2 in 8 and 8 bits, its sequence"));
    assert!(wrong(sound.len() - 3, 0xfa).contains("in 10 and 8 bits"));
    let mut higher = sound.clone();
    higher[3] = 0x33;
    assert!(facts(b"avc3", b"avcC", &higher).1.is_empty(), "for parameter sets in samples");
    assert!(facts(b"avc1", b"avcC", &[&sound[..], &[0]].concat()).1.join("").contains("1 bytes behind"));
    for len in 0..sound.len() - 4 {
        assert!(!facts(b"avc1", b"avcC", &sound[..len]).1.is_empty(), "{len}");
    }
    // Without the fields of high profiles, as older writers leave them out.
    assert!(facts(b"avc1", b"avcC", &sound[..sound.len() - 4]).1.is_empty());
}

#[test]
fn hvcc_tells_profile_tier_level_and_constraints() {
    // No parameter sets: only hev1 may have them elsewhere.
    let record = |profile: &str| format!("01{profile}f000fcfdf8f800000f00");
    assert_eq!(codec(b"hev1", b"hvcC", &record("0160000000b0000000000078")), "hev1.1.6.L120.B0");
    assert_eq!(codec(b"hev1", b"hvcC", &record("22200000009000000000005d")), "hev1.2.4.H93.90");
    assert_eq!(codec(b"hev1", b"hvcC", &record("81000000010000000100005d")), "hev1.B1.80000000.L93.0.0.0.1");
    let (_, wrong) = facts(b"hvc1", b"hvcC", &bytes(&record("0160000000b0000000000078")));
    assert!(wrong.join("").contains("0 video, 0 sequence"));
}

#[test]
fn av1c_tells_its_sequence_header_too() {
    // As FFmpeg 5.1.9 wrote them of 128x72 pictures of SVT-AV1 and libaom; the last has no sequence header.
    for (hex, string) in [
        ("81000c000a0a0000000337f8e7dfc802", "av01.0.00M.08"),
        ("81004c000a0d0000000337f8e7dfca84880482", "av01.0.00M.10.0.110.09.16.09.0"),
        ("81000c000a0d0000000337f8e6d7c8808080c2", "av01.0.00M.08.0.110.01.01.01.1"),
        ("81001c000a0a0000000337f8e6d7c950", "av01.0.00M.08.1.110.01.01.01.1"),
        ("812000000a0a2000000337f8e6d7c810", "av01.1.00M.08.0.000.01.01.01.0"),
        ("812000000a0d2000000337f8e6d7c9010d0020", "av01.1.00M.08.0.000.01.13.00.1"),
        ("814048000a0a4000000337f8e6d7ca04", "av01.2.00M.10.0.100.01.01.01.0"),
        ("810d8c00", "av01.0.13H.08"),
    ] {
        assert_eq!(codec(b"av01", b"av1C", hex), string);
    }
    let (found, _) = facts(b"av01", b"av1C", &bytes("81000c000a0a0000000337f8e7dfc802"));
    assert_eq!(found.sizes, [(128, 72)]);
    let wrong = |hex: &str| facts(b"av01", b"av1C", &bytes(hex)).1.join("");
    assert!(wrong("81004c000a0a0000000337f8e7dfc802").contains("different things"));
    assert!(wrong("01000c00").contains("marker and version"));
    assert!(wrong("81000c000a0b0000000337f8e7dfc802").contains("obu runs past"));
    assert!(wrong("81000c000affffffffffffffffff7f").contains("more than 8 bytes"));
}

#[test]
fn vpcc_has_a_short_and_a_long_form() {
    assert_eq!(codec(b"vp09", b"vpcC", "01000000000b82010101 0000"), "vp09.00.11.08");
    assert_eq!(codec(b"vp09", b"vpcC", "01000000000b82020202 0000"), "vp09.00.11.08.01.02.02.02.00");
    assert_eq!(codec(b"vp09", b"vpcC", "01000000020ba2091009 0000"), "vp09.02.11.10.01.09.16.09.00");
    assert!(facts(b"vp09", b"vpcC", &bytes("00000000000b82010101 0000")).1.join("").contains("version is 0"));
}

/// An `esds` around an AudioSpecificConfig.
fn esds(object_type: u8, config: &[u8]) -> Vec<u8> {
    let len = config.len() as u8;
    let mut out = vec![0, 0, 0, 0, 3, 3 + 2 + 13 + 2 + len + 3, 0, 1, 0, 4, 13 + 2 + len, object_type, 0x15];
    out.extend([0; 11]);
    out.extend([5, len]);
    out.extend(config);
    out.extend([6, 1, 2]);
    out
}

#[test]
fn esds_tells_object_type_channels_and_rate() {
    for (config, string, channels, rate) in [
        // AAC-LC stereo 48 kHz; 5.1; mono 24 kHz, where nobody says whether there is SBR.
        (&[0x11, 0x90][..], "mp4a.40.2", Some(2), Some(48_000)),
        (&[0x11, 0xb0], "mp4a.40.2", Some(6), Some(48_000)),
        (&[0x13, 0x08], "mp4a.40.2", None, None),
        // The same with an extension that says that there is none, and one that says that there is.
        (&[0x13, 0x08, 0x56, 0xe5, 0x00], "mp4a.40.2", Some(1), Some(24_000)),
        (&[0x13, 0x08, 0x56, 0xe5, 0x98], "mp4a.40.2", Some(1), None),
        // SBR, and PS of one channel, told in front: 24 to 48 kHz.
        (&[0x2b, 0x11, 0x88, 0x00], "mp4a.40.5", Some(2), None),
        (&[0xeb, 0x09, 0x88, 0x00], "mp4a.40.29", None, None),
        // Escape: USAC is 42.
        (&[0xf9, 0x46, 0x40], "mp4a.40.42", Some(2), Some(48_000)),
    ] {
        let (found, wrong) = facts(b"mp4a", b"esds", &esds(0x40, config));
        assert_eq!(wrong, Vec::<String>::new(), "{config:x?}");
        assert_eq!(
            (found.codec.unwrap().as_str(), found.channels, found.sample_rate),
            (string, channels, rate)
        );
    }
    assert_eq!(facts(b"mp4a", b"esds", &esds(0x6b, &[])).0.codec.as_deref(), Some("mp4a.6B"));
    let sound = esds(0x40, &[0x11, 0x90]);
    for len in 0..sound.len() {
        assert!(!facts(b"mp4a", b"esds", &sound[..len]).1.is_empty(), "{len}");
    }
    let reserved = facts(b"mp4a", b"esds", &esds(0x40, &[0x16, 0x90])).1.join("");
    assert!(reserved.contains("samplingFrequencyIndex is 13"), "{reserved}");
}

#[test]
fn opus_and_flac_tell_their_sound() {
    let opus = bytes("00020138 0000bb80 0000 00");
    let sound = |channels, sample_rate, bits| Some(Sound { channels, sample_rate, bits });
    assert_eq!(
        facts(b"Opus", b"dOps", &opus),
        (
            Facts {
                codec: Some("opus".into()),
                channels: Some(2),
                sample_rate: Some(48_000),
                sound: sound(2, 48_000, Some(16)),
                pre_skip: Some(312),
                ..Facts::default()
            },
            Vec::new()
        )
    );
    assert!(!facts(b"Opus", b"dOps", &opus[..10]).1.is_empty());
    let flac =
        bytes("00000000 80000022 10001000 000000 000000 0bb802f0 00000000 00000000000000000000000000000000");
    let (found, wrong) = facts(b"fLaC", b"dfLa", &flac);
    assert_eq!((found.sound, wrong.len()), (sound(2, 48_000, Some(16)), 0), "{wrong:?}");
    let mut open = flac.clone();
    open[4] = 0;
    assert!(facts(b"fLaC", b"dfLa", &open).1.join("").contains("no block is marked"));
    let mut small = flac.clone();
    small[8..12].copy_from_slice(&[0, 8, 0, 8]);
    assert!(facts(b"fLaC", b"dfLa", &small).1.join("").contains("blocks of 8 to 8"));
}

#[test]
fn opus_maps_its_channels_to_streams() {
    // 5.1 of `ffmpeg -f lavfi -i anullsrc=cl=5.1 -c:a libopus -mapping_family 1 a.mp4` (FFmpeg 5.1).
    let surround = bytes("000601380000bb800000010402000401020305");
    let (found, wrong) = facts(b"Opus", b"dOps", &surround);
    assert_eq!((found.channels, found.pre_skip, wrong.len()), (Some(6), Some(312), 0));
    for (at, byte, said) in [
        (0, 1, "Version is 1"),
        (1, 0, "OutputChannelCount is 0"),
        (1, 9, "runs past the end"),
        (11, 0, "StreamCount is 0"),
        (12, 5, "CoupledCount 5"),
        (13, 6, "ChannelMapping has 6, of 6"),
    ] {
        let mut record = surround.clone();
        record[at] = byte;
        assert!(facts(b"Opus", b"dOps", &record).1.join("").contains(said), "{said}");
    }
    assert!(facts(b"Opus", b"dOps", &bytes("00030138 0000bb80 0000 00")).1.join("").contains("family 0"));
}

#[test]
fn dolby_tells_channels_and_objects() {
    let of = |entry: &[u8; 4], kind: &[u8; 4], hex: &str| facts(entry, kind, &bytes(hex));
    // 48 kHz, bsid 8, acmod 7 with LFE; E-AC-3 of the same.
    let (found, wrong) = of(b"ac-3", b"dac3", "103dc0");
    assert_eq!((found.channels, found.sample_rate, wrong.len()), (Some(6), Some(48_000), 0));
    assert_eq!(found.dolby, Some(Dolby { locations: Some(0xf801), joc: None }));
    assert!(of(b"ac-3", b"dac3", "d03dc0").1.join("").contains("reserved"));
    assert!(of(b"ac-3", b"dac3", "203dc0").1.join("").contains("bsid is 16"));
    assert!(of(b"ac-3", b"dac3", "103dc000").1.join("").contains("1 bytes behind"));
    let (found, wrong) = of(b"ec-3", b"dec3", "0c00200f00");
    assert_eq!((found.channels, found.sample_rate, wrong.len()), (Some(6), Some(48_000), 0));
    assert_eq!(found.dolby, Some(Dolby { locations: Some(0xf801), joc: None }));
    // Sixteen objects (ETSI TS 103 420): a reserved byte with the flag, and the index.
    let (found, wrong) = of(b"ec-3", b"dec3", "0c00200f000110");
    assert_eq!((found.dolby.and_then(|dolby| dolby.joc), wrong.len()), (Some(16), 0));
    assert!(of(b"ec-3", b"dec3", "0c00200f000111").1.join("").contains("complexity_index_type_a is 17"));
    assert!(of(b"ec-3", b"dec3", "0c00200f00000000").1.join("").contains("3 bytes behind"));
    // A dependent substream adds channels that are not counted.
    let (found, wrong) = of(b"ec-3", b"dec3", "0c00200f0200");
    assert_eq!((found.channels, found.dolby, wrong.len()), (None, Some(Dolby::default()), 0));
}

#[test]
fn vpcc_agrees_with_itself() {
    let wrong = |hex: &str| facts(b"vp09", b"vpcC", &bytes(hex)).1.join("");
    assert!(wrong("01000000010b82010101 0000").contains("profile 1 has no 8 bits"));
    assert!(wrong("01000000000ba2010101 0000").contains("profile 0 has no 10 bits"));
    assert!(wrong("01000000000b82010100 0000").contains("(RGB)"));
    assert!(wrong("01000000000c82010101 0000").contains("no level 12"));
    assert!(wrong("01000001000b82010101 0000").contains("flags are"));
    assert!(wrong("01000000000b82010101 000100").contains("codecInitializationDataSize is 1"));
}

#[test]
fn codec_strings_agree_in_what_they_say() {
    for (claimed, found, agree) in [
        ("avc1.64001f", "avc1.64001F", true),
        ("avc9.64001F", "avc1.64001F", false),
        ("avc1.4D001F", "avc1.64001F", false),
        ("avc1", "avc1.64001F", false),
        ("hvc1", "hvc1.1.6.L93.B0", true),
        ("hvc1.1.6.L93.B0.0.0", "hvc1.1.6.L93.B0", true),
        ("hvc1.1.6.L93", "hvc1.1.6.L93.B0", false),
        ("hev1.1.6.L93.B0", "hvc1.1.6.L93.B0", false),
        ("mp4a.40.02", "mp4a.40.2", true),
        ("mp4a.40.5", "mp4a.40.2", true),
        ("mp4a.40.2", "mp4a.40.29", true),
        ("mp4a.40.42", "mp4a.40.2", false),
        ("mp4a.40", "mp4a.40.2", false),
        ("mp4a.40.34", "mp4a.6B", true),
        ("Opus", "opus", true),
        ("fLaC", "flac", true),
        ("stpp.ttml.im1t", "stpp", true),
        ("ec-3", "ac-3", false),
        ("av01.0.04M.10", "av01.0.04M.10.0.110.09.16.09.0", true),
        ("av01.0.04M.08.0.110.01.01.01.0", "av01.0.04M.08", true),
        ("av01.0.04M.08.0.110.02.02.02.0", "av01.0.04M.08", true),
        ("av01.0.04M.08.0.110.09.16.09.0", "av01.0.04M.08", false),
        ("av01.0.05M.08", "av01.0.04M.08", false),
        ("av01", "av01.0.04M.08", false),
        ("vp09.00.11.08", "vp09.00.11.08.01.02.02.02.00", true),
        ("vp09.00.11.08.01.01.01.01.00", "vp09.00.11.08.01.02.02.02.00", true),
        ("vp09.00.21.08", "vp09.00.11.08", false),
        ("", "avc1.64001F", false),
    ] {
        assert_eq!(codecs_agree(claimed, found), agree, "{claimed} {found}");
    }
}
