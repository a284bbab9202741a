use proptest::prelude::*;

use super::*;
use crate::codec::aac::{AacConfig, AudioObjectType};
use crate::codec::opus::OpusConfig;
use crate::codec::{AudioConfiguration, ParameterSetPlacement, ScanType, VideoFormat};
use crate::track::header::{TrackHeader, write_init_segment};

// FFmpeg 5.1.9, `-movflags +frag_keyframe+empty_moov+default_base_moof`: `ftyp` and `moov` (its `udta` taken out) of 64x48
// `testsrc` pictures at 25 a second by libx264 core 164, of a sine by FFmpeg's own AAC encoder at 48 kHz, and of the same
// pictures by libaom 3.6.0 (`+delay_moov`, without which its `av1C` is empty) and by libx265 3.5 (`-tag:v hvc1`, `info=0`).

const FFMPEG_AVC: &str = "\
    0000001c6674797069736f350000020069736f3569736f366d7034310000028c6d6f6f760000006c6d76686400000000000000000000\
    0000000003e8000000000001000001000000000000000000000000010000000000000000000000000000000100000000000000000000\
    000000004000000000000000000000000000000000000000000000000000000000000002000001f07472616b0000005c746b68640000\
    000300000000000000000000000100000000000000000000000000000000000000000000000000010000000000000000000000000000\
    000100000000000000000000000000004000000000400000003000000000018c6d646961000000206d64686400000000000000000000\
    0000000032000000000055c400000000002d68646c72000000000000000076696465000000000000000000000000566964656f48616e\
    646c657200000001376d696e6600000014766d68640000000100000000000000000000002464696e660000001c647265660000000000\
    0000010000000c75726c2000000001000000f77374626c000000ab7374736400000000000000010000009b6176633100000000000000\
    0100000000000000000000000000000000004000300048000000480000000000000001154c61766335392e33372e313030206c696278\
    323634000000000000000000000018ffff00000035617663430164000affe100186764000aacd9447b011000000300100000030320f1\
    22596001000668ebe3cb22c0fdf8f8000000001070617370000000010000000100000010737474730000000000000000000000107374\
    73630000000000000000000000147374737a000000000000000000000000000000107374636f0000000000000000000000286d766578\
    0000002074726578000000000000000100000001000000000000000000000000";

const FFMPEG_HEVC: &str = "\
    0000001c6674797069736f350000020069736f3569736f366d703431000002d66d6f6f760000006c6d76686400000000000000000000\
    0000000003e8000000000001000001000000000000000000000000010000000000000000000000000000000100000000000000000000\
    0000000040000000000000000000000000000000000000000000000000000000000000020000023a7472616b0000005c746b68640000\
    000300000000000000000000000100000000000000000000000000000000000000000000000000010000000000000000000000000000\
    00010000000000000000000000000000400000000040000000300000000001d66d646961000000206d64686400000000000000000000\
    0000000032000000000055c400000000002d68646c72000000000000000076696465000000000000000000000000566964656f48616e\
    646c657200000001816d696e6600000014766d68640000000100000000000000000000002464696e660000001c647265660000000000\
    0000010000000c75726c2000000001000001417374626c000000f5737473640000000000000001000000e56876633100000000000000\
    0100000000000000000000000000000000004000300048000000480000000000000001154c61766335392e33372e313030206c696278\
    323635000000000000000000000018ffff00000075687663430101600000009000000000001ef000fcfdf8f800000f03a00001001840\
    010c01ffff01600000030090000003000003001e959809a10001002942010101600000030090000003000003001ea02083165959ae4c\
    af016808000003000800000300c840a2000100064401c173d0890000000a6669656c0100000000107061737000000001000000010000\
    001073747473000000000000000000000010737473630000000000000000000000147374737a00000000000000000000000000000010\
    7374636f0000000000000000000000286d7665780000002074726578000000000000000100000001000000000000000000000000";

const FFMPEG_AAC: &str = "\
    0000001c6674797069736f350000020069736f3569736f366d7034310000025b6d6f6f760000006c6d76686400000000000000000000\
    0000000003e8000000000001000001000000000000000000000000010000000000000000000000000000000100000000000000000000\
    000000004000000000000000000000000000000000000000000000000000000000000002000001bf7472616b0000005c746b68640000\
    000300000000000000000000000100000000000000000000000000000000000000010100000000010000000000000000000000000000\
    000100000000000000000000000000004000000000000000000000000000015b6d646961000000206d64686400000000000000000000\
    00000000bb800000000055c400000000002d68646c720000000000000000736f756e000000000000000000000000536f756e6448616e\
    646c657200000001066d696e6600000010736d686400000000000000000000002464696e660000001c64726566000000000000000100\
    00000c75726c2000000001000000ca7374626c0000007e7374736400000000000000010000006e6d7034610000000000000001000000\
    00000000000002001000000000bb80000000000036657364730000000003808080250001000480808017401500000000010d8800010d\
    880580808005118856e50006808080010200000014627472740000000000010d8800010d880000001073747473000000000000000000\
    000010737473630000000000000000000000147374737a000000000000000000000000000000107374636f0000000000000000000000\
    286d7665780000002074726578000000000000000100000001000000000000000000000000";

const FFMPEG_AV1: &str = "\
    000000206674797069736f350000020069736f3569736f36617630316d7034310000029d6d6f6f760000006c6d766864000000000000\
    000000000000000003e80000000000010000010000000000000000000000000100000000000000000000000000000001000000000000\
    00000000000000004000000000000000000000000000000000000000000000000000000000000002000002017472616b0000005c746b\
    686400000003000000000000000000000001000000000000000000000000000000000000000000000000000100000000000000000000\
    000000000001000000000000000000000000000040000000004000000030000000000024656474730000001c656c7374000000000000\
    0001000000000000000000010000000001796d646961000000206d646864000000000000000000000000000032000000000055c40000\
    0000002d68646c72000000000000000076696465000000000000000000000000566964656f48616e646c657200000001246d696e6600\
    000014766d68640000000100000000000000000000002464696e660000001c6472656600000000000000010000000c75726c20000000\
    01000000e47374626c000000987374736400000000000000010000008861763031000000000000000100000000000000000000000000\
    000000004000300048000000480000000000000001184c61766335392e33372e313030206c6962616f6d2d6176310000000000000000\
    18ffff000000186176314381000c000a0a00000002aff79b5f20080000000a6669656c01000000001070617370000000010000000100\
    00001073747473000000000000000000000010737473630000000000000000000000147374737a000000000000000000000000000000\
    107374636f0000000000000000000000286d7665780000002074726578000000000000000100000001000000000000000000000000";

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn timescale(ticks_per_second: u32) -> Timescale {
    Timescale::new(NonZeroU32::new(ticks_per_second).unwrap())
}

/// A sample entry with what FFmpeg's init segment says.
fn avc(parameter_sets: ParameterSetPlacement) -> SampleEntry {
    let init = PublishedInit::read(&bytes(FFMPEG_AVC)).unwrap();
    SampleEntry::Avc {
        parameter_sets,
        format: VideoFormat::of_size(64, 48),
        frame_rate: None,
        scan: Some(ScanType::Progressive),
        configuration_record: init.configuration().to_vec(),
    }
}

/// The same of H.265.
fn hevc(parameter_sets: ParameterSetPlacement) -> SampleEntry {
    let init = PublishedInit::read(&bytes(FFMPEG_HEVC)).unwrap();
    SampleEntry::Hevc {
        parameter_sets,
        format: VideoFormat::of_size(64, 48),
        frame_rate: None,
        scan: Some(ScanType::Progressive),
        configuration_record: init.configuration().to_vec(),
    }
}

fn aac(channels: u16, sample_rate: u32, audio_specific_config: &[u8]) -> SampleEntry {
    SampleEntry::Audio(AudioConfiguration {
        channels,
        sample_rate,
        entry_sample_rate: sample_rate,
        configuration_record: audio_specific_config.to_vec(),
        ..AacConfig::new(AudioObjectType::LowComplexity, 3, 2).unwrap().configuration()
    })
}

fn ours(entry: SampleEntry, ticks_per_second: u32) -> Vec<u8> {
    let header = TrackHeader {
        timescale: timescale(ticks_per_second),
        entry,
        language: Some("de".into()),
        role: Some("main".into()),
        duration: None,
        bit_rate: None,
    };
    write_init_segment(&header).unwrap()
}

/// Refused, with both sides named.
#[track_caller]
fn refused(init: &PublishedInit, entry: &SampleEntry, ticks_per_second: u32, said: &[&str]) {
    let error = init.check(entry, timescale(ticks_per_second)).unwrap_err().to_string();
    assert!(said.iter().all(|part| error.contains(part)) && !error.contains('\n'), "{error}");
}

#[test]
fn pictures_of_ffmpeg_are_read() {
    let init = PublishedInit::read(&bytes(FFMPEG_AVC)).unwrap();
    assert_eq!((init.timescale(), init.entry_type()), (timescale(12_800), FourCc(*b"avc1")));
    assert_eq!((init.size(), init.channels(), init.sample_rate()), (Some((64, 48)), None, None));
    let sets = init.parameter_sets().unwrap();
    assert_eq!(sets.iter().map(|set| set[0]).collect::<Vec<_>>(), [0x67, 0x68]);
    init.check(&avc(ParameterSetPlacement::SampleEntry), timescale(12_800)).unwrap();
}

#[test]
fn pictures_of_h265_are_read() {
    let init = PublishedInit::read(&bytes(FFMPEG_HEVC)).unwrap();
    assert_eq!((init.timescale(), init.entry_type()), (timescale(12_800), FourCc(*b"hvc1")));
    assert_eq!((init.size(), init.channels(), init.sample_rate()), (Some((64, 48)), None, None));
    // 7.3.1.2: VPS, SPS, PPS of layer 0.
    let sets = init.parameter_sets().unwrap();
    assert_eq!(sets.iter().map(|set| &set[..2]).collect::<Vec<_>>(), [[0x40, 1], [0x42, 1], [0x44, 1]]);
    init.check(&hevc(ParameterSetPlacement::SampleEntry), timescale(12_800)).unwrap();
    let (sets_in_band, codec) =
        (hevc(ParameterSetPlacement::InBand), avc(ParameterSetPlacement::SampleEntry));
    refused(&init, &sets_in_band, 12_800, &["hev1 (64x48)", "hvc1 (64x48)"]);
    refused(&init, &codec, 12_800, &["avc1 (64x48)", "hvc1 (64x48)"]);
}

#[test]
fn other_pictures_of_h265_are_refused_by_what_differs() {
    let published = |placement| PublishedInit::read(&ours(hevc(placement), 25_000)).unwrap();
    let (hvc1, hev1) =
        (published(ParameterSetPlacement::SampleEntry), published(ParameterSetPlacement::InBand));
    let (out_of_band, in_band) =
        (hevc(ParameterSetPlacement::SampleEntry), hevc(ParameterSetPlacement::InBand));
    hvc1.check(&out_of_band, timescale(25_000)).unwrap();
    hev1.check(&in_band, timescale(25_000)).unwrap();
    refused(&hev1, &out_of_band, 25_000, &["hvc1 (64x48)", "hev1 (64x48)"]);
    // 14496-15 8.3.3.1.2: the tier is a bit of the second byte, the level the thirteenth.
    let level = |level| with_record(&out_of_band, |record| record[12] = level);
    refused(&hvc1, &level(60), 25_000, &["general_level_idc 60", "general_level_idc 30"]);
    PublishedInit::read(&ours(level(60), 25_000)).unwrap().check(&out_of_band, timescale(25_000)).unwrap();
    refused(
        &hvc1,
        &with_record(&out_of_band, |record| record[1] |= 0x20),
        25_000,
        &["high tier", "main tier"],
    );
    hev1.check(&with_record(&in_band, |record| record[12] = 60), timescale(25_000)).unwrap();
    // The last byte of each set.
    for (kind, last) in [("video", [0x98, 0x09]), ("sequence", [0xd0, 0x89]), ("picture", [0xd0, 0x89])] {
        let at = |record: &[u8]| match kind {
            "sequence" => record.windows(6).position(|w| w == [0xc8, 0x40, 0xa2, 0, 1, 0]).unwrap(),
            _ => record.windows(2).rposition(|w| w == last).unwrap() + 1,
        };
        let other = |record: &mut Vec<u8>| {
            let at = at(record);
            record[at] ^= 0x20;
        };
        refused(
            &hvc1,
            &with_record(&out_of_band, other),
            25_000,
            &[kind, "parameter set", "the init segment"],
        );
        hev1.check(&with_record(&in_band, other), timescale(25_000)).unwrap();
    }
    let lengths = with_record(&in_band, |record| record[21] = record[21] & !3 | 1);
    refused(&hev1, &lengths, 25_000, &["lengths of 2 bytes", "lengths of 4 bytes"]);
    let depth = with_record(&in_band, |record| record[17] |= 2);
    refused(&hev1, &depth, 25_000, &["in 10 and 8 bits", "in 8 and 8 bits"]);
    let cut = with_record(&in_band, |record| record.truncate(30));
    assert!(hev1.check(&cut, timescale(25_000)).is_err());
}

#[test]
fn sound_of_ffmpeg_is_read() {
    let init = PublishedInit::read(&bytes(FFMPEG_AAC)).unwrap();
    assert_eq!((init.timescale(), init.entry_type()), (timescale(48_000), FourCc(*b"mp4a")));
    assert_eq!(
        (init.size(), init.channels(), init.sample_rate()),
        (None, Some(2), Some(48_000)),
        "FFmpeg says 2 of mono"
    );
    assert_eq!(init.configuration(), [0x11, 0x88, 0x56, 0xe5, 0]);
    assert_eq!(init.parameter_sets(), None);
    init.check(&aac(1, 48_000, &[0x11, 0x88, 0x56, 0xe5, 0]), timescale(48_000)).unwrap();
    refused(
        &init,
        &aac(1, 48_000, &[0x11, 0x88]),
        48_000,
        &["channels: 1, 48000 Hz), 2 bytes 1188", "5 bytes 118856e500"],
    );
}

#[test]
fn pictures_of_av1_are_read() {
    let init = PublishedInit::read(&bytes(FFMPEG_AV1)).unwrap();
    assert_eq!((init.entry_type(), init.size()), (FourCc(*b"av01"), Some((64, 48))));
    // Marker and version, then profile 0.
    assert_eq!(init.configuration()[..2], [0x81, 0]);
    refused(&init, &avc(ParameterSetPlacement::SampleEntry), 12_800, &["avc1 (64x48)", "av01 (64x48)"]);
}

#[test]
fn what_we_write_is_what_we_read() {
    for placement in [ParameterSetPlacement::SampleEntry, ParameterSetPlacement::InBand] {
        let init = PublishedInit::read(&ours(avc(placement), 25_000)).unwrap();
        assert_eq!((init.timescale(), init.size()), (timescale(25_000), Some((64, 48))));
        assert_eq!(init.entry_type().0, *placement.avc_entry_type());
        init.check(&avc(placement), timescale(25_000)).unwrap();
        refused(&init, &avc(placement), 30_000, &["30000", "25000"]);
    }
    let stereo = aac(2, 96_000, &[0x10, 0x10]);
    let init = PublishedInit::read(&ours(stereo.clone(), 96_000)).unwrap();
    // 96,000 Hz does not fit the sample entry.
    assert_eq!((init.channels(), init.sample_rate()), (Some(2), None));
    init.check(&stereo, timescale(96_000)).unwrap();
    let both = ["channels: 1", "channels: 2"];
    refused(&init, &aac(1, 96_000, &[0x10, 0x08]), 96_000, &both);
    let init = PublishedInit::read(&ours(aac(2, 48_000, &[0x11, 0x90]), 48_000)).unwrap();
    refused(&init, &aac(2, 44_100, &[0x12, 0x10]), 48_000, &["44100 Hz", "48000 Hz"]);
}

#[test]
fn sound_begins_where_the_init_segment_says_and_rolls_no_further() {
    let opus = |shortest| {
        let config = OpusConfig::new(2, 312).unwrap().with_shortest_packet(shortest).unwrap();
        SampleEntry::Audio(config.configuration())
    };
    let init = PublishedInit::read(&ours(opus(960), 48_000)).unwrap();
    for fits in [960, 1920, 5760] {
        init.check(&opus(fits), timescale(48_000)).unwrap();
    }
    refused(
        &init,
        &opus(480),
        48_000,
        &["roll distance of this one is -8, of the init segment -4", "shortest"],
    );
    let primed = |priming| {
        SampleEntry::Audio(
            AacConfig::new(AudioObjectType::LowComplexity, 3, 2).unwrap().primed_configuration(priming),
        )
    };
    for (one, other) in [(0, 1024), (1024, 0), (1024, 2112)] {
        let init = PublishedInit::read(&ours(primed(one), 48_000)).unwrap();
        init.check(&primed(one), timescale(48_000)).unwrap();
        let said = [format!("{other} samples that prime"), format!("init segment {one}")];
        refused(&init, &primed(other), 48_000, &[&said[0], &said[1]]);
    }
    // As if the group were another: no sample could be in it.
    let mut bytes = ours(opus(960), 48_000);
    let at = bytes.windows(8).position(|window| window == b"sgpd\x01\0\0\0").unwrap();
    bytes[at + 8..at + 12].copy_from_slice(b"prol");
    refused(&PublishedInit::read(&bytes).unwrap(), &opus(960), 48_000, &["-4", "init segment none"]);
}

/// The entry with another record.
fn with_record(entry: &SampleEntry, change: impl FnOnce(&mut Vec<u8>)) -> SampleEntry {
    let mut entry = entry.clone();
    if let SampleEntry::Avc { configuration_record, .. } | SampleEntry::Hevc { configuration_record, .. } =
        &mut entry
    {
        change(configuration_record);
    }
    entry
}

#[test]
fn other_pictures_are_refused_by_what_differs() {
    let published = |placement| PublishedInit::read(&ours(avc(placement), 25_000)).unwrap();
    let (avc1, avc3) =
        (published(ParameterSetPlacement::SampleEntry), published(ParameterSetPlacement::InBand));
    let (out_of_band, in_band) =
        (avc(ParameterSetPlacement::SampleEntry), avc(ParameterSetPlacement::InBand));
    refused(&avc1, &in_band, 25_000, &["avc3 (64x48)", "avc1 (64x48)"]);
    let mut wide = out_of_band.clone();
    if let SampleEntry::Avc { format, .. } = &mut wide {
        format.width = 72;
    }
    refused(&avc1, &wide, 25_000, &["avc1 (72x48)", "avc1 (64x48)"]);
    refused(
        &avc1,
        &with_record(&out_of_band, |record| record[3] = 11),
        25_000,
        &["profile_idc 100 with level_idc 11", "profile_idc 100 with level_idc 10"],
    );
    refused(
        &avc1,
        &with_record(&out_of_band, |record| record[1] = 110),
        25_000,
        &["profile_idc 110", "profile_idc 100"],
    );
    // Level 1b is above level 1; a lower one will do.
    refused(
        &avc1,
        &with_record(&out_of_band, |record| record[3] = 9),
        25_000,
        &["level_idc 9", "level_idc 10"],
    );
    let higher =
        PublishedInit::read(&ours(with_record(&out_of_band, |record| record[3] = 31), 25_000)).unwrap();
    higher.check(&out_of_band, timescale(25_000)).unwrap();
    // The sixth byte of the sequence parameter set.
    let other_sps = |record: &mut Vec<u8>| record[8 + 5] ^= 1;
    refused(
        &avc1,
        &with_record(&out_of_band, other_sps),
        25_000,
        &["sequence parameter set", "differs from byte 5 on"],
    );
    avc3.check(&with_record(&in_band, other_sps), timescale(25_000)).unwrap();
    let lengths = with_record(&in_band, |record| record[4] = 0xfd);
    refused(&avc3, &lengths, 25_000, &["lengths of 2 bytes", "lengths of 4 bytes"]);
    // chroma_format, bit_depth_luma_minus8, bit_depth_chroma_minus8, number of extensions.
    let depth = with_record(&in_band, |record| *record.iter_mut().nth_back(2).unwrap() |= 2);
    refused(&avc3, &depth, 25_000, &["in 10 and 8 bits", "in 8 and 8 bits"]);
    let cut = with_record(&in_band, |record| record.truncate(9));
    assert!(avc3.check(&cut, timescale(25_000)).is_err());
}

#[test]
fn zeros_behind_a_set_do_not_count() {
    let plain = avc(ParameterSetPlacement::SampleEntry);
    let init = PublishedInit::read(&ours(plain.clone(), 25_000)).unwrap();
    let padded = with_record(&plain, |record| {
        let len = record[7];
        record[7] += 2;
        record.splice(8 + usize::from(len)..8 + usize::from(len), [0, 0]);
    });
    init.check(&padded, timescale(25_000)).unwrap();
    PublishedInit::read(&ours(padded, 25_000)).unwrap().check(&plain, timescale(25_000)).unwrap();
}

#[test]
fn what_is_no_init_segment_of_one_track_is_refused() {
    let init = ours(avc(ParameterSetPlacement::SampleEntry), 25_000);
    let says = |bytes: &[u8], said: &str| {
        let error = PublishedInit::read(bytes).unwrap_err();
        assert!(error.to_string().contains(said) && error.offset().is_some(), "{error}");
    };
    says(b"", "no box 'moov'");
    says(&[&init[..], b"\0\0\0\x08moof"].concat(), "holds media");
    says(&[&init[..], &init[..]].concat(), "second box 'moov'");
    let renamed = |from: &[u8; 4], to: &[u8; 4]| {
        let mut init = init.clone();
        let at = init.windows(4).rposition(|kind| kind == from).unwrap();
        init[at..at + 4].copy_from_slice(to);
        init
    };
    says(&renamed(b"avc1", b"vvc1"), "'vvc1'");
    says(&renamed(b"avcC", b"free"), "no box 'avcC'");
    says(&renamed(b"mdhd", b"free"), "no box 'mdhd'");
    says(&renamed(b"mvex", b"trak"), "second box 'trak'");
    let at = |kind: &[u8]| init.windows(4).rposition(|name| name == kind).unwrap();
    let mut zero = init.clone();
    zero[at(b"mdhd") + 16..at(b"mdhd") + 20].fill(0);
    says(&zero, "timescale is 0");
    let mut two = init.clone();
    two[at(b"stsd") + 11] = 2;
    says(&two, "2 sample entries");
}

#[test]
fn neither_cuts_nor_single_changes_panic() {
    for init in [FFMPEG_AVC, FFMPEG_HEVC, FFMPEG_AAC, FFMPEG_AV1].map(bytes) {
        let whole = PublishedInit::read(&init).unwrap();
        for len in 0..init.len() {
            assert!(PublishedInit::read(&init[..len]).is_err(), "{len}");
        }
        let mut changed = init.clone();
        for at in 0..init.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, init[at] ^ 1, init[at].wrapping_add(8)] {
                changed[at] = value;
                match PublishedInit::read(&changed) {
                    Ok(read) => assert!(read.configuration().len() <= init.len()),
                    Err(error) => {
                        assert!(error.offset().is_some_and(|at| at <= init.len() as u64), "{error}");
                    }
                }
            }
            changed[at] = init[at];
        }
        assert_eq!(PublishedInit::read(&changed).unwrap(), whole);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let _ = PublishedInit::read(&bytes);
        let mut init = ours(avc(ParameterSetPlacement::SampleEntry), 25_000);
        for (at, value) in changes {
            let at = at.index(init.len());
            init[at] = value;
        }
        if let Ok(read) = PublishedInit::read(&init) {
            let _ = read.check(&avc(ParameterSetPlacement::SampleEntry), timescale(25_000));
        }
    }
}
