//! What a segmenter refuses before it has cost anything, what it forgets, and that workers write what one writes.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use fragmint::codec::ParameterSetPlacement;
use fragmint::codec::aac::{AacConfig, AudioObjectType};
use fragmint::codec::{ContentLight, MasteringDisplay};
use fragmint::presentation::{Promise, merge};
use fragmint::scan::annexb::NalUnits;
use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig, VideoConfig};
use fragmint::time::{DecodeTime, Timescale};

fn example(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder").join(name)).unwrap()
}

/// The first pictures of an example stream up to the second IDR picture, with their parameter sets: one packet.
fn first_group(stream: &[u8]) -> &[u8] {
    let mut end = 0;
    let mut others = false;
    for unit in NalUnits::new(stream).unwrap().map(Result::unwrap) {
        match unit.head[0] & 0x1f {
            5 if others => break,
            1 => others = true,
            _ => {}
        }
        if matches!(unit.head[0] & 0x1f, 1 | 5) {
            end = unit.offset + u64::from(unit.len);
        }
    }
    &stream[..end as usize]
}

fn parameter_sets(stream: &[u8]) -> Vec<Vec<u8>> {
    let units = NalUnits::new(stream).unwrap().map(Result::unwrap);
    units.filter(|unit| matches!(unit.head[0] & 0x1f, 7 | 8)).take(2).map(|unit| unit.head.to_vec()).collect()
}

fn timescale(ticks: u32) -> Timescale {
    Timescale::new(NonZeroU32::new(ticks).unwrap())
}

fn config(output: &Path, codec: CodecConfig) -> SegmenterConfig {
    SegmenterConfig::new(output, "track", codec, timescale(25_000))
}

fn stereo() -> AacConfig {
    AacConfig::new(AudioObjectType::LowComplexity, 3, 2).unwrap()
}

/// A finished track; the path of its init segment.
fn published(output: &Path) -> PathBuf {
    let mut segmenter = Segmenter::new(config(output, CodecConfig::avc())).unwrap();
    segmenter.push(first_group(&example("234p.h264")), SampleTiming::new(1000)).unwrap();
    segmenter.finish().unwrap().init_path().to_path_buf()
}

#[test]
fn what_is_wrong_from_the_start_is_refused_at_the_start_and_makes_no_directory() {
    let keep = tempfile::tempdir().unwrap();
    let init = std::fs::read(published(keep.path())).unwrap();
    let output = keep.path().join("never");
    let worker = |codec| SegmenterConfig {
        write_init: false,
        published_init: Some(init.clone()),
        ..config(&output, codec)
    };
    let avc3 = CodecConfig::Avc {
        parameter_sets: ParameterSetPlacement::InBand,
        known_parameter_sets: Vec::new(),
        video: VideoConfig::default(),
    };
    let avc = || config(&output, CodecConfig::avc());
    let cut_off = CodecConfig::Avc {
        parameter_sets: ParameterSetPlacement::SampleEntry,
        known_parameter_sets: vec![vec![0x67, 100, 0]],
        video: VideoConfig::default(),
    };
    for (config, said) in [
        (worker(CodecConfig::av1()), "the track is av01, the published init segment avc1"),
        (worker(avc3), "the track is avc3, the published init segment avc1"),
        (worker(CodecConfig::Aac(stereo())), "the timescale is 25000, the sampling rate 48000"),
        (
            SegmenterConfig { timescale: timescale(90_000), ..worker(CodecConfig::avc()) },
            "timescale is 90000",
        ),
        (SegmenterConfig { write_init: true, ..worker(CodecConfig::avc()) }, "and another is to be written"),
        (SegmenterConfig { published_init: Some(init[..99].to_vec()), ..worker(CodecConfig::avc()) }, "@ 0x"),
        (SegmenterConfig { language: Some("e\"x".into()), ..avc() }, "the language is 'e\\\"x'"),
        (SegmenterConfig { language: Some(String::new()), ..avc() }, "the language is ''"),
        (SegmenterConfig { role: Some("bad\0".into()), ..avc() }, "the role is 'bad\\u{0}'"),
        (SegmenterConfig { directory: "../out".into(), ..avc() }, "the directory of a track is '../out'"),
        (SegmenterConfig { directory: "a b".into(), ..avc() }, "the directory of a track is 'a b'"),
        (config(&output, cut_off), "H.264"),
    ] {
        let error = Segmenter::new(config).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains('\n'), "{said}: {error}");
    }
    assert!(!output.exists());
}

#[test]
fn an_init_segment_that_is_owed_and_cannot_be_made_is_an_error() {
    let stream = example("234p.h264");
    let sets = parameter_sets(&stream);
    let track = |known: &[Vec<u8>], write_init| {
        let output = tempfile::tempdir().unwrap();
        let codec = CodecConfig::Avc {
            parameter_sets: ParameterSetPlacement::SampleEntry,
            known_parameter_sets: known.to_vec(),
            video: VideoConfig::default(),
        };
        let config = SegmenterConfig { write_init, ..config(output.path(), codec) };
        Segmenter::new(config)
            .unwrap()
            .finish()
            .map(|track| (track.segments().len(), track.init_path().exists()))
    };
    let refused = |known: &[Vec<u8>], said: &str| {
        let error = track(known, true).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    };
    refused(&[], "no sequence parameter set has come");
    refused(&sets[..1], "no picture parameter set has come");
    assert_eq!(track(&sets, true).unwrap(), (0, true));
    assert_eq!(track(&[], false).unwrap(), (0, false));

    let output = tempfile::tempdir().unwrap();
    let av1 = Segmenter::new(config(output.path(), CodecConfig::av1())).unwrap();
    assert!(av1.finish().unwrap_err().to_string().contains("no sequence header"));
    let sound =
        SegmenterConfig { timescale: timescale(48_000), ..config(output.path(), CodecConfig::Aac(stereo())) };
    assert!(Segmenter::new(sound).unwrap().finish().unwrap().init_path().exists());
}

#[test]
fn parameter_sets_that_are_discarded_with_their_pictures_are_forgotten() {
    let keep = tempfile::tempdir().unwrap();
    let (first, second) = (example("360p.h264"), example("234p.h264"));
    let output = keep.path().join("discarded");
    let mut segmenter = Segmenter::new(config(&output, CodecConfig::avc())).unwrap();
    let samples = segmenter.push(first_group(&first), SampleTiming::new(1000)).unwrap();
    assert_eq!((samples > 1, segmenter.discard_pending()), (true, samples));
    segmenter.push(first_group(&second), SampleTiming::new(1000)).unwrap();
    let track = segmenter.finish().unwrap();
    let alone = published(&keep.path().join("alone"));
    assert!(std::fs::read(track.init_path()).unwrap() == std::fs::read(alone).unwrap());
}

#[test]
fn hdr_metadata_of_the_configuration_stands_in_the_init_segment() {
    let keep = tempfile::tempdir().unwrap();
    // The display and light levels that HDR10 examples usually have.
    let video = VideoConfig {
        mastering_display: Some(MasteringDisplay {
            primaries: [(13_250, 34_500), (7_500, 3_000), (34_000, 16_000)],
            white_point: (15_635, 16_450),
            max_luminance: 10_000_000,
            min_luminance: 1,
        }),
        content_light: Some(ContentLight { max_content: 1000, max_picture_average: 400 }),
        ..VideoConfig::default()
    };
    let codec = CodecConfig::Avc {
        parameter_sets: ParameterSetPlacement::SampleEntry,
        known_parameter_sets: parameter_sets(&example("234p.h264")),
        video,
    };
    let track = Segmenter::new(config(keep.path(), codec)).unwrap().finish().unwrap();
    let init = std::fs::read(track.init_path()).unwrap();
    let has = |bytes: &[u8]| init.windows(bytes.len()).filter(|window| *window == bytes).count() == 1;
    // 14496-12: green, blue, red, white, then the highest and the lowest luminance.
    assert!(has(b"\0\0\0\x20mdcv\x33\xc2\x86\xc4\x1d\x4c\x0b\xb8\x84\xd0\x3e\x80\x3d\x13\x40\x42\0\x98\x96\x80\0\0\0\x01"));
    assert!(has(b"\0\0\0\x0cclli\x03\xe8\x01\x90"));
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Writes segments of packets by one worker, and by workers for every way to split them: the files are the same, and merged
/// they are the same track.
fn assert_any_split(codec: &CodecConfig, timescale: Timescale, duration: u32, segments: &[Vec<&[u8]>]) {
    let write = |output: &Path, bounds: &[usize]| {
        let worker = |range: &[usize]| {
            let (first, end) = (range[0], range[1]);
            let before: usize = segments[..first].iter().map(Vec::len).sum();
            let config = SegmenterConfig {
                first_segment_index: NonZeroU32::new(first as u32 + 1).unwrap(),
                first_base_decode_time: DecodeTime(before as u64 * u64::from(duration)),
                // Whoever has the last segments.
                write_init: end == segments.len(),
                ..SegmenterConfig::new(output, "track", codec.clone(), timescale)
            };
            let mut segmenter = Segmenter::new(config).unwrap();
            for segment in &segments[first..end] {
                for packet in segment {
                    assert_eq!(segmenter.push(packet, SampleTiming::new(duration)).unwrap(), 1);
                }
                segmenter.cut().unwrap().unwrap();
            }
            segmenter.finish().unwrap()
        };
        let parts = bounds.windows(2).map(worker).collect();
        let promise = Promise { segments: Some(segments.len() as u64), ..Promise::default() };
        let track = merge(parts, &promise).unwrap();
        let listed: Vec<_> = track
            .segments()
            .iter()
            .map(|s| (s.number, s.bytes, s.base_decode_time, s.content_hash))
            .collect();
        (files(&output.join("track")), listed, track.codec().to_owned(), *track.media())
    };
    let keep = tempfile::tempdir().unwrap();
    let one = write(&keep.path().join("one"), &[0, segments.len()]);
    assert_eq!(one.0.len(), segments.len() + 1);
    for split in 1..1_u32 << (segments.len() - 1) {
        let inner = (1..segments.len()).filter(|bound| split >> (bound - 1) & 1 == 1);
        let bounds: Vec<_> = [0].into_iter().chain(inner).chain([segments.len()]).collect();
        assert!(write(&keep.path().join(split.to_string()), &bounds) == one, "split at {bounds:?}");
    }
}

#[test]
fn workers_on_sound_write_what_one_writes_for_every_split() {
    let frames: Vec<Vec<u8>> = (0..40_u8).map(|i| vec![0x21 + i % 3; 3 + usize::from(i)]).collect();
    let segments: Vec<Vec<&[u8]>> = [0..3, 3..20, 20..21, 21..38, 38..40]
        .map(|range| frames[range].iter().map(Vec::as_slice).collect())
        .into();
    assert_any_split(&CodecConfig::Aac(stereo()), timescale(48_000), 1024, &segments);
}

#[test]
fn workers_on_av1_write_what_one_writes_for_every_split() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams/90p.ivf");
    let ivf = std::fs::read(path).unwrap();
    let mut packets = Vec::new();
    let mut rest = &ivf[32..];
    while let Some((header, behind)) = rest.split_first_chunk::<12>() {
        let size = u32::from_le_bytes(*header.first_chunk().unwrap()) as usize;
        packets.push(&behind[..size]);
        rest = &behind[size..];
    }
    // A hint that it is a sync sample is refused where it is none.
    let keep = tempfile::tempdir().unwrap();
    let mut probe = Segmenter::new(config(keep.path(), CodecConfig::av1())).unwrap();
    let mut segments: Vec<Vec<&[u8]>> = Vec::new();
    for packet in packets {
        match probe.push(packet, SampleTiming::new(1000).sync(true)) {
            Ok(_) => segments.push(vec![packet]),
            Err(_) => {
                probe.push(packet, SampleTiming::new(1000)).unwrap();
                segments.last_mut().unwrap().push(packet);
            }
        }
    }
    assert!((3..9).contains(&segments.len()), "{} groups", segments.len());
    assert_any_split(&CodecConfig::av1(), timescale(25_000), 1000, &segments);
}
