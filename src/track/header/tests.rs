//! Init segments as bytes, as trees of boxes, and as an independent reader sees them.

mod opus;

use std::num::NonZeroU32;

use mp4_atom::{Codec, Decode, DecodeMaybe};

use super::*;
use crate::codec::Colour;
use crate::codec::aac::{AacConfig, AudioObjectType};
use crate::codec::sei::{self, HdrMetadata};

/// x264's record of a 320x180 clip.
const AVCC: &[u8] = b"\x01\x64\x00\x0c\xff\xe1\x00\x1c\
    \x67\x64\x00\x0c\xac\xd9\x41\x41\x9f\x9f\x0e\x6a\x02\x02\x02\x80\x00\x00\x03\x00\x80\x00\x00\x19\x07\x8a\x14\xcb\
    \x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\
    \xfd\xf8\xf8\x00";

const SQUARE_BT709: VideoFormat = VideoFormat {
    width: 320,
    height: 180,
    sample_aspect_ratio: None,
    colour: Some(Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false }),
    mastering_display: None,
    content_light: None,
    preferred_transfer: None,
};

fn video(format: VideoFormat) -> TrackHeader {
    TrackHeader {
        timescale: Timescale::new(NonZeroU32::new(25_000).unwrap()),
        entry: SampleEntry::Avc {
            parameter_sets: ParameterSetPlacement::SampleEntry,
            format,
            frame_rate: FrameRate::new(25, 1),
            scan: Some(ScanType::Progressive),
            configuration_record: AVCC.to_vec(),
        },
        language: None,
        role: None,
        duration: None,
        bit_rate: None,
    }
}

fn audio() -> TrackHeader {
    TrackHeader {
        timescale: Timescale::new(NonZeroU32::new(48_000).unwrap()),
        entry: SampleEntry::Audio(
            AacConfig::new(AudioObjectType::LowComplexity, 3, 2).unwrap().configuration(),
        ),
        language: Some("de-CH".into()),
        role: Some("main".into()),
        duration: Some(Ticks(1 << 33)),
        bit_rate: Some(BitRate { buffer_size: 6144, max: 130_000, average: 128_000 }),
    }
}

/// `name(child child …)` of every box, by sizes alone.
fn tree(mut bytes: &[u8]) -> String {
    const CONTAINERS: [&str; 9] = ["moov", "trak", "mdia", "minf", "dinf", "stbl", "mvex", "udta", "dref"];
    let mut names = Vec::new();
    while !bytes.is_empty() {
        let size = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        let name = str::from_utf8(&bytes[4..8]).unwrap();
        let body = match name {
            "dref" => &bytes[16..size],
            _ => &bytes[8..size],
        };
        names.push(match CONTAINERS.contains(&name) {
            true => format!("{name}({})", tree(body)),
            false => name.to_owned(),
        });
        bytes = &bytes[size..];
    }
    names.join(" ")
}

#[test]
fn boxes_stand_in_the_order_of_cmaf() {
    // ISO/IEC 23000-19 7.3.1.
    assert_eq!(
        tree(&write_init_segment(&video(SQUARE_BT709)).unwrap()),
        "ftyp moov(mvhd trak(tkhd mdia(mdhd hdlr minf(vmhd dinf(dref(url )) stbl(stsd stts stsc stsz stco stss)))) \
         mvex(trex))"
    );
    assert_eq!(
        tree(&write_init_segment(&audio()).unwrap()),
        "ftyp moov(mvhd trak(tkhd mdia(mdhd hdlr elng minf(smhd dinf(dref(url )) stbl(stsd stts stsc stsz stco))) \
         udta(kind)) mvex(mehd trex))"
    );
}

/// `ftyp` and `moov` as an independent reader sees them.
fn read_back(header: &TrackHeader) -> (mp4_atom::Ftyp, mp4_atom::Moov) {
    let init = write_init_segment(header).unwrap();
    let mut buf = init.as_slice();
    let read = (mp4_atom::Ftyp::decode(&mut buf).unwrap(), mp4_atom::Moov::decode(&mut buf).unwrap());
    assert!(mp4_atom::Any::decode_maybe(&mut buf).unwrap().is_none(), "nothing follows moov");
    read
}

#[test]
fn an_independent_reader_finds_the_video_track() {
    let format = VideoFormat {
        sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 4, vertical: 3 }),
        ..SQUARE_BT709
    };
    let mut header = video(format);
    header.bit_rate = Some(BitRate { buffer_size: 1, max: 2, average: 3 });
    let (ftyp, moov) = read_back(&header);
    let brands: Vec<String> = ftyp.compatible_brands.iter().map(ToString::to_string).collect();
    assert_eq!(brands.join(" "), "iso6 mp42 cmfc cmf2 cfsd cfhd chdf");
    assert_eq!((moov.mvhd.timescale, moov.mvhd.duration, moov.mvhd.next_track_id), (25_000, 0, 2));
    let [trak] = moov.trak.as_slice() else { panic!("one track") };
    let shown = (trak.tkhd.width.integer(), trak.tkhd.height.integer());
    assert_eq!((trak.tkhd.track_id, shown, trak.tkhd.enabled), (1, (427, 180), true));
    assert_eq!((trak.mdia.mdhd.timescale, trak.mdia.mdhd.language.as_str()), (25_000, "und"));
    let stbl = &trak.mdia.minf.stbl;
    assert!(stbl.stss.as_ref().is_some_and(|stss| stss.entries.is_empty()));
    let [Codec::Avc1(avc1)] = stbl.stsd.codecs.as_slice() else { panic!("one avc1 entry") };
    assert_eq!((avc1.visual.width, avc1.visual.height), (320, 180));
    assert_eq!((avc1.avcc.avc_profile_indication, avc1.avcc.avc_level_indication), (100, 12));
    let pasp = avc1.pasp.as_ref().unwrap();
    assert_eq!((pasp.h_spacing, pasp.v_spacing), (4, 3));
    let btrt = avc1.btrt.as_ref().unwrap();
    assert_eq!((btrt.buffer_size_db, btrt.max_bitrate, btrt.avg_bitrate), (1, 2, 3));
    let nclx = mp4_atom::Colr::Nclx {
        colour_primaries: 1,
        transfer_characteristics: 1,
        matrix_coefficients: 1,
        full_range_flag: false,
    };
    assert_eq!(avc1.colr, Some(nclx));
    let mvex = moov.mvex.as_ref().unwrap();
    assert_eq!((mvex.mehd.is_none(), mvex.trex[0].default_sample_description_index), (true, 1));
}

/// Libaom's 8-bit stream: its record as in `codec::av1`.
fn av1(format: VideoFormat) -> TrackHeader {
    let configuration_record = b"\x81\x00\x0c\x00\x0a\x0a\x00\x00\x00\x03\x37\xf8\xe6\xd7\xc8\x02".to_vec();
    let entry = SampleEntry::Av1 { format, frame_rate: FrameRate::new(25, 1), configuration_record };
    TrackHeader { entry, ..video(format) }
}

#[test]
fn an_independent_reader_finds_the_av1_track() {
    let format = VideoFormat {
        width: 128,
        height: 72,
        sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 3, vertical: 2 }),
        ..SQUARE_BT709
    };
    let (ftyp, moov) = read_back(&av1(format));
    let brands: Vec<String> = ftyp.compatible_brands.iter().map(ToString::to_string).collect();
    assert_eq!(brands.join(" "), "iso6 mp42 cmfc cmf2 av01");
    let trak = &moov.trak[0];
    assert_eq!((trak.tkhd.width.integer(), trak.tkhd.height.integer()), (192, 72));
    let [Codec::Av01(av01)] = trak.mdia.minf.stbl.stsd.codecs.as_slice() else { panic!("one av01 entry") };
    assert_eq!((av01.visual.width, av01.visual.height), (128, 72));
    let record = &av01.av1c;
    assert_eq!((record.seq_profile, record.high_bitdepth, record.monochrome), (0, false, false));
    assert_eq!((record.chroma_subsampling_x, record.chroma_subsampling_y), (true, true));
    assert_eq!(record.initial_presentation_delay, None);
    assert_eq!(record.config_obus, b"\x0a\x0a\x00\x00\x00\x03\x37\xf8\xe6\xd7\xc8\x02");
    assert!(av01.colr.is_some());
    assert_eq!(av01.pasp.as_ref().map(|pasp| (pasp.h_spacing, pasp.v_spacing)), Some((3, 2)));
}

fn vp9(format: VideoFormat) -> TrackHeader {
    let configuration_record = vec![0, 10, 0x82, 1, 1, 1, 0, 0];
    let entry = SampleEntry::Vp9 { format, frame_rate: FrameRate::new(25, 1), configuration_record };
    TrackHeader { entry, ..video(format) }
}

#[test]
fn an_independent_reader_finds_the_vp9_track() {
    let ratio = SampleAspectRatio { horizontal: 4, vertical: 3 };
    let format = VideoFormat { width: 64, height: 48, sample_aspect_ratio: Some(ratio), ..SQUARE_BT709 };
    let (ftyp, moov) = read_back(&vp9(format));
    let brands: Vec<String> = ftyp.compatible_brands.iter().map(ToString::to_string).collect();
    assert_eq!(brands.join(" "), "iso6 mp42 cmfc cmf2");
    let [Codec::Vp09(entry)] = moov.trak[0].mdia.minf.stbl.stsd.codecs.as_slice() else {
        panic!("one vp09 entry")
    };
    assert_eq!((entry.visual.width, entry.visual.height), (64, 48));
    let record = &entry.vpcc;
    assert_eq!((record.profile, record.level, record.bit_depth), (0, 10, 8));
    assert_eq!((record.chroma_subsampling, record.video_full_range_flag), (1, false));
    assert_eq!(
        (record.color_primaries, record.transfer_characteristics, record.matrix_coefficients),
        (1, 1, 1)
    );
}

#[test]
#[rustfmt::skip]
fn the_entry_of_vp9_is_written_as_ffmpeg_writes_it() {
    // FFmpeg 5.1: `-f lavfi -i testsrc2=size=64x48:rate=25:duration=1 -pix_fmt yuv420p -c:v libvpx-vp9 -error-resilient 1 -b:v 60k -f ivf
    // x.ivf`, then `-i x.ivf -c copy -f mp4`: the sample entry, whole. Its `btrt` is put behind ours as given.
    let ffmpeg = [
        b"\0\0\0\x7evp09\0\0\0\0\0\0\0\x01".as_slice(),
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\0\x40\0\x30\0\x48\0\0\0\x48\0\0\0\0\0\0\0\x01",
        &[0; 32],
        b"\0\x18\xff\xff",
        b"\0\0\0\x14vpcC\x01\0\0\0\0\x0a\x82\x02\x02\x02\0\0",
        b"\0\0\0\x14btrt\0\0\0\0\0\0\x78\xb8\0\0\x78\xb8",
    ].concat();
    let format = VideoFormat::of_size(64, 48);
    let entry = SampleEntry::Vp9 { format, frame_rate: None, configuration_record: vec![0, 10, 0x82, 2, 2, 2, 0, 0] };
    let rate = BitRate { buffer_size: 0, max: 0x78b8, average: 0x78b8 };
    let stsd = entry.sample_description(Some(rate)).unwrap();
    assert_eq!(stsd[16..], ffmpeg);
}

#[test]
#[rustfmt::skip]
fn hdr_metadata_of_vp9_has_boxes_of_its_own() {
    // The layout of VP9-ISOBMFF for BT.2020 primaries, D65, 1000 and 0.005 cd/m²: FFprobe 5.1 reads these two boxes in a `vp09` entry as
    // red 46399/65536 19137/65536, green 11141/65536 52232/65536, blue 8585/65536 3015/65536, white 20493/65536 21561/65536,
    // min 82/16384, max 256000/256, and MaxCLL 1000, MaxFALL 400.
    let display = MasteringDisplay {
        primaries: [(8500, 39_850), (6550, 2300), (35_400, 14_600)],
        white_point: (15_635, 16_450),
        max_luminance: 10_000_000,
        min_luminance: 50,
    };
    let light = ContentLight { max_content: 1000, max_picture_average: 400 };
    let format = VideoFormat { mastering_display: Some(display), content_light: Some(light), ..SQUARE_BT709 };
    let stsd = vp9(format).entry.sample_description(None).unwrap();
    let boxes = [
        b"\0\0\0\x24SmDm\0\0\0\0".as_slice(),
        b"\xb5\x3f\x4a\xc1\x2b\x85\xcc\x08\x21\x89\x0b\xc7", // red, green, blue
        b"\x50\x0d\x54\x39",                                     // white
        b"\0\x03\xe8\0\0\0\0\x52",                           // 1000.0, 82/16384
        b"\0\0\0\x10CoLL\0\0\0\0\x03\xe8\x01\x90",
        b"\0\0\0\x13colrnclx\0\x01\0\x01\0\x01\0",
    ].concat();
    assert_eq!(stsd[16 + 86 + 20..], boxes);
    // 1.0 has no 0.16, and luminances that have no 32 bits are the highest.
    let most = MasteringDisplay { primaries: [(50_000, 0); 3], min_luminance: u32::MAX, ..display };
    assert_eq!((smdm(&most).primary_chromaticity[0][0].get(), smdm(&most).luminance_min.get()), (0xffff, u32::MAX));
}

#[test]
#[rustfmt::skip]
fn hdr_metadata_is_written_as_ffmpeg_writes_it() {
    // FFmpeg 5.1.9, `-c copy` of an MP4 file whose values its ffprobe names: red 0.68 0.32, green 0.265 0.69, blue
    // 0.15 0.06, white 0.3127 0.329, 0.005 to 1000 cd/m²; MaxCLL 1000, MaxFALL 400.
    let ffmpeg = [
        b"\0\0\0\x13colrnclx\0\x09\0\x10\0\x09\0".as_slice(),
        b"\0\0\0\x0cclli\x03\xe8\x01\x90",
        b"\0\0\0\x20mdcv\x33\xc2\x86\xc4\x1d\x4c\x0b\xb8\x84\xd0\x3e\x80\x3d\x13\x40\x42",
        b"\0\x98\x96\x80\0\0\0\x32",
        b"\0\0\0\x10pasp\0\0\0\x04\0\0\0\x03",
    ].concat(); // FFmpeg's pasp is 1:1
    let format = VideoFormat {
        sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 4, vertical: 3 }),
        colour: Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false }),
        mastering_display: Some(MasteringDisplay {
            primaries: [(13_250, 34_500), (7500, 3000), (34_000, 16_000)],
            white_point: (15_635, 16_450),
            max_luminance: 10_000_000,
            min_luminance: 50,
        }),
        content_light: Some(ContentLight { max_content: 1000, max_picture_average: 400 }),
        ..SQUARE_BT709
    };
    for header in [video(format), av1(format)] {
        let init = write_init_segment(&header).unwrap();
        let at = init.windows(4).position(|name| name == b"colr").unwrap() - 4;
        assert_eq!(init[at..at + ffmpeg.len()], ffmpeg);
    }
}

#[test]
#[rustfmt::skip]
fn hdr_metadata_of_sei_is_written_as_ffmpeg_writes_it() {
    // x265 3.5, `hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400`;
    // then what FFmpeg 5.1.9 writes of it with `-c copy -movflags +write_colr`. Its ffprobe names the same red, green and
    // blue in the frames of the stream and in the file: `mdcv` keeps the order of the SEI message.
    let sei: [&[u8]; 2] = [
        b"\x4e\x01\x90\x04\x03\xe8\x01\x90\x80",
        b"\x4e\x01\x89\x18\x33\xc2\x86\xc4\x1d\x4c\x0b\xb8\x84\xd0\x3e\x80\x3d\x13\x40\x42\
            \x00\x98\x96\x80\x00\x00\x03\x00\x01\x80",
    ];
    let ffmpeg = [
        b"\0\0\0\x13colrnclx\0\x09\0\x10\0\x09\0".as_slice(),
        b"\0\0\0\x0cclli\x03\xe8\x01\x90",
        b"\0\0\0\x20mdcv\x33\xc2\x86\xc4\x1d\x4c\x0b\xb8\x84\xd0\x3e\x80\x3d\x13\x40\x42",
        b"\0\x98\x96\x80\0\0\0\x01",
    ].concat();
    let mut hdr = HdrMetadata::default();
    for message in sei.iter().flat_map(|unit| sei::messages(unit, 2)) {
        assert!(hdr.read(&message.unwrap()).unwrap());
    }
    let format = VideoFormat {
        colour: Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false }),
        mastering_display: hdr.mastering_display,
        content_light: hdr.content_light,
        ..SQUARE_BT709
    };
    let init = write_init_segment(&video(format)).unwrap();
    let at = init.windows(4).position(|name| name == b"colr").unwrap() - 4;
    assert_eq!(init[at..at + ffmpeg.len()], ffmpeg);
}

#[test]
fn avc3_differs_in_the_type_of_the_entry_alone() {
    let with = |parameter_sets| {
        let mut header = video(SQUARE_BT709);
        let SampleEntry::Avc { parameter_sets: place, .. } = &mut header.entry else { panic!() };
        *place = parameter_sets;
        header
    };
    let (_, moov) = read_back(&with(ParameterSetPlacement::InBand));
    let [Codec::Avc3(_)] = moov.trak[0].mdia.minf.stbl.stsd.codecs.as_slice() else { panic!() };
    let [avc1, avc3] = [ParameterSetPlacement::SampleEntry, ParameterSetPlacement::InBand]
        .map(|place| write_init_segment(&with(place)).unwrap());
    let differ: Vec<_> = avc1.iter().zip(&avc3).filter(|(a, b)| a != b).map(|(&a, &b)| (a, b)).collect();
    assert_eq!((differ, avc1.len()), (vec![(b'1', b'3')], avc3.len()));
}

#[test]
fn an_independent_reader_finds_the_audio_track() {
    // The strict reader knows no `elng`.
    let (ftyp, moov) = read_back(&TrackHeader { language: None, ..audio() });
    let brands: Vec<String> = ftyp.compatible_brands.iter().map(ToString::to_string).collect();
    assert_eq!(brands.join(" "), "iso6 mp42 cmfc cmfa caac");
    let trak = &moov.trak[0];
    assert_eq!((trak.mdia.mdhd.timescale, trak.mdia.mdhd.language.as_str()), (48_000, "und"));
    let [Codec::Mp4a(mp4a)] = trak.mdia.minf.stbl.stsd.codecs.as_slice() else { panic!("one mp4a entry") };
    assert_eq!((mp4a.audio.channel_count, mp4a.audio.sample_rate.integer()), (2, 48_000));
    let es = &mp4a.esds.es_desc;
    assert_eq!(es.es_id, 0);
    let config = &es.dec_config;
    assert_eq!((config.object_type_indication, config.stream_type), (0x40, 5));
    assert_eq!((config.max_bitrate, config.avg_bitrate), (130_000, 128_000));
    assert_eq!(u32::from(config.buffer_size_db), 6144);
    let specific = config.dec_specific.as_ref().unwrap();
    assert_eq!((specific.profile, specific.freq_index, specific.chan_conf), (2, 3, 2));
    assert_eq!(moov.mvex.as_ref().unwrap().mehd.as_ref().unwrap().fragment_duration, 1 << 33);
}

#[test]
fn square_samples_and_unknown_colour_have_no_box() {
    let format = VideoFormat {
        sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 3, vertical: 3 }),
        colour: None,
        ..SQUARE_BT709
    };
    let (_, moov) = read_back(&video(format));
    let [Codec::Avc1(avc1)] = moov.trak[0].mdia.minf.stbl.stsd.codecs.as_slice() else { panic!() };
    assert_eq!((avc1.pasp.is_none(), avc1.colr.is_none(), avc1.btrt.is_none()), (true, true, true));
}

#[test]
fn the_language_of_mdhd_is_the_terminological_code() {
    let packed = |tag: &str| packed_language(Some(tag));
    for (tag, code) in
        [("de", "deu"), ("fr-CA", "fra"), ("zh-Hant-TW", "zho"), ("EN", "eng"), ("nl", "nld"), ("haw", "haw")]
    {
        assert_eq!(packed(tag), PackedLanguage::new(code).unwrap(), "{tag}");
    }
    for tag in ["x-private", "i-klingon", "und", "q", ""] {
        assert_eq!(packed(tag), PackedLanguage::UNDETERMINED, "{tag}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |header: &TrackHeader, said: &str| {
        let error = write_init_segment(header).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    };
    let wide = Some(SampleAspectRatio { horizontal: 60_000, vertical: 1 });
    refused(&video(VideoFormat { sample_aspect_ratio: wide, ..SQUARE_BT709 }), "19200000 pixels wide");
    let narrow = Some(SampleAspectRatio { horizontal: 1, vertical: 60_000 });
    refused(&video(VideoFormat { sample_aspect_ratio: narrow, ..SQUARE_BT709 }), "0 pixels wide");
    let nothing = Some(SampleAspectRatio { horizontal: 1, vertical: 0 });
    refused(&video(VideoFormat { sample_aspect_ratio: nothing, ..SQUARE_BT709 }), "1:0");
    refused(&TrackHeader { language: Some("d\0".into()), ..audio() }, "language");
    refused(&TrackHeader { role: Some(String::new()), ..audio() }, "role");
    let bit_rate = Some(BitRate { buffer_size: 1 << 24, max: 0, average: 0 });
    refused(&TrackHeader { bit_rate, ..audio() }, "the limit is 16777215");
    let cut_off = SampleEntry::Avc {
        parameter_sets: ParameterSetPlacement::SampleEntry,
        format: SQUARE_BT709,
        frame_rate: None,
        scan: Some(ScanType::Progressive),
        configuration_record: vec![1, 100, 0],
    };
    refused(&TrackHeader { entry: cut_off, ..audio() }, "AVCLevelIndication");
    let mut cut_off = av1(SQUARE_BT709);
    let SampleEntry::Av1 { configuration_record, .. } = &mut cut_off.entry else { panic!() };
    configuration_record.truncate(3);
    refused(&cut_off, "initial_presentation_delay_present");
}
