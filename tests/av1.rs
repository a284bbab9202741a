//! One AV1 stream in every form that it comes in gives the same package, byte for byte: IVF, low-overhead OBUs, and the
//! length-delimited format of Annex B, with size fields in its OBUs and without. FFmpeg reads what this makes of a stream, as the
//! same pictures, and says what the init segment of high dynamic range holds.

#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "end_to_end/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;

use fragmint::codec::av1::Obus;
use fragmint::codec::{Colour, ContentLight, MasteringDisplay};
use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig, VideoConfig};
use fragmint::time::Timescale;

/// Offset and OBUs of each temporal unit, delimiter first.
type Units = Vec<Vec<Vec<u8>>>;

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory"))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a file is written");
        path
    }

    /// Packages a file as 25 pictures a second, in segments of a second or two.
    fn package(&self, input: &Path, options: &[&str]) -> (tools::Said, PathBuf) {
        let out =
            self.0.path().join(format!("{}{}.out", input.file_name().unwrap().display(), options.concat()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
        command.arg("package").arg(input).args(["--fps=25", "--json", "-o"]).arg(&out).args(options);
        (tools::run(&mut command), out)
    }

    /// Every file of the package, but for the receipt, which tells the input.
    fn files(&self, input: &Path, options: &[&str]) -> BTreeMap<PathBuf, Vec<u8>> {
        let (said, out) = self.package(input, options);
        assert_eq!(said.code, Some(0), "{}: {}", input.display(), said.stderr);
        let mut files = BTreeMap::new();
        let mut directories = vec![out.clone()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    directories.push(path);
                } else if !path.ends_with("fragmint.json") {
                    let bytes = std::fs::read(&path).expect("a file");
                    files.insert(path.strip_prefix(&out).unwrap().to_owned(), bytes);
                }
            }
        }
        assert!(
            files.keys().filter(|name| name.extension().is_some_and(|e| e == "m4s")).count() > 1,
            "{files:?}"
        );
        files
    }
}

fn stream(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams").join(name)
}

/// The temporal units of low-overhead OBUs.
fn units(stream: &[u8]) -> Units {
    let mut units = Units::new();
    for obu in Obus::of_stream(stream) {
        let bytes = stream[obu.expect("a sound stream").whole].to_vec();
        if bytes == [0x12, 0] {
            units.push(Vec::new());
        }
        units.last_mut().expect("a delimiter comes first").push(bytes);
    }
    units
}

/// The low-overhead OBUs of an IVF file.
fn low_overhead(ivf: &[u8]) -> Vec<u8> {
    let (mut stream, mut at) = (Vec::new(), 32);
    while let Some((size, _)) = ivf[at..].split_first_chunk() {
        let end = at + 12 + u32::from_le_bytes(*size) as usize;
        stream.extend_from_slice(&ivf[at + 12..end]);
        at = end;
    }
    stream
}

/// `leb128()` in at least so many bytes (AV1 4.10.5).
fn leb128(mut value: usize, least: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let goes_on = value >= 0x80 || bytes.len() + 1 < least;
        bytes.push((value & 0x7f) as u8 | u8::from(goes_on) << 7);
        value >>= 7;
        if !goes_on {
            return bytes;
        }
    }
}

fn with_length(bytes: &[u8], least: usize) -> Vec<u8> {
    [&leb128(bytes.len(), least), bytes].concat()
}

/// An OBU without its size field: header, extension where it has one, payload.
fn without_size(obu: &[u8]) -> Vec<u8> {
    let header_len = 1 + usize::from(obu[0] >> 2 & 1);
    let size_len = 1 + obu[header_len..].iter().position(|byte| byte & 0x80 == 0).expect("a size");
    [&[obu[0] & !2], &obu[1..header_len], &obu[header_len + size_len..]].concat()
}

/// The length-delimited format (AV1 Annex B), each length in at least so many bytes. A frame unit ends with its frame.
fn annex_b(units: &Units, sized: bool, least: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    for unit in units {
        let mut frames = vec![Vec::new()];
        for obu in unit {
            let bytes = if sized { obu.clone() } else { without_size(obu) };
            // A frame, or a header that shows another again.
            let ends = matches!(obu[0] >> 3 & 15, 3 | 6);
            frames.last_mut().unwrap().extend(with_length(&bytes, least));
            frames.extend(ends.then(Vec::new));
        }
        frames.retain(|frame| !frame.is_empty());
        let frames: Vec<u8> = frames.iter().flat_map(|frame| with_length(frame, least)).collect();
        stream.extend(with_length(&frames, least));
    }
    stream
}

/// IVF of these frames, with their timestamps, at 25 units a second.
fn ivf<'a>(frames: impl Iterator<Item = (u64, &'a [u8])>) -> Vec<u8> {
    let mut file = b"DKIF\0\0\x20\0AV01\x40\x01\xb4\0\x19\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for (timestamp, bytes) in frames {
        file.extend((bytes.len() as u32).to_le_bytes());
        file.extend(timestamp.to_le_bytes());
        file.extend(bytes);
    }
    file
}

/// Hashes of the decoded pictures, by FFmpeg, which may not complain.
fn pictures(input: &Path) -> Vec<String> {
    let said = decode(input, &["-xerror"]);
    assert!(said.code == Some(0) && said.stderr.is_empty(), "{}: {}", input.display(), said.stderr);
    hashes(&said)
}

/// The same of a length-delimited stream. FFmpeg 5.1 takes the end of such a file for an error, and loses the last temporal unit of
/// all but short ones.
fn most_pictures(annex_b: &Path) -> Vec<String> {
    hashes(&decode(annex_b, &["-f", "av1"]))
}

fn decode(input: &Path, options: &[&str]) -> tools::Said {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-nostdin", "-v", "error"]).args(options).arg("-i").arg(input);
    tools::run(ffmpeg.args(["-map", "0:v:0", "-vsync", "passthrough", "-f", "framemd5", "-"]))
}

fn hashes(said: &tools::Said) -> Vec<String> {
    let lines = said.stdout.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn every_form_of_a_stream_gives_the_same_package() {
    for name in ["180p.ivf", "90p.ivf", "hdr10.obu"] {
        let scene = Scene::new();
        let source = std::fs::read(stream(name)).unwrap();
        let obus = if name.ends_with("ivf") { low_overhead(&source) } else { source };
        let units = units(&obus);
        let short = if name == "hdr10.obu" { &["--segment-duration=0.16"][..] } else { &[] };
        let expected = scene.files(&scene.file("section-5.obu", &obus), short);

        let whole: Vec<Vec<u8>> = units.iter().map(|unit| unit.concat()).collect();
        let timed = || (0_u64..).zip(whole.iter().map(Vec::as_slice));
        // The last OBU of an IVF frame may end with it; and a frame without a delimiter belongs to the unit before.
        let bare_ends = units.iter().map(|unit| {
            let (last, others) = unit.split_last().unwrap();
            [others.concat(), without_size(last)].concat()
        });
        let bare_ends: Vec<Vec<u8>> = bare_ends.collect();
        let apart =
            (0_u64..).zip(&units).flat_map(|(time, unit)| unit.iter().map(move |obu| (time, obu.as_slice())));
        for (form, bytes) in [
            ("annex-b.obu", annex_b(&units, false, 1)),
            ("annex-b-with-sizes.obu", annex_b(&units, true, 1)),
            ("annex-b-long-lengths.obu", annex_b(&units, false, 5)),
            ("whole.ivf", ivf(timed())),
            ("bare-ends.ivf", ivf((0_u64..).zip(bare_ends.iter().map(Vec::as_slice)))),
            ("an-obu-a-frame.ivf", ivf(apart)),
        ] {
            let input = scene.file(form, &bytes);
            for io in ["--io=gather", "--io=mapped"] {
                let files = scene.files(&input, &[short, &[io]].concat());
                assert!(files.keys().eq(expected.keys()), "{name} as {form}, {io}");
                for (file, bytes) in &files {
                    assert!(*bytes == expected[file], "{name} as {form}, {io}: {} differs", file.display());
                }
            }
        }

        // Another program takes it for the same stream, and what the package shows are its pictures.
        let decoded = pictures(&scene.0.path().join("section-5.obu"));
        assert_eq!(decoded.len(), units.len());
        for form in ["annex-b.obu", "annex-b-with-sizes.obu"] {
            let found = most_pictures(&scene.0.path().join(form));
            assert!(
                found.len() + 1 >= decoded.len() && decoded.starts_with(&found),
                "{name} as {form}: {found:?}"
            );
        }
        let segments = expected.iter().filter(|(name, _)| {
            name.extension().is_some_and(|extension| extension == "m4s" || extension == "mp4")
        });
        // "init.mp4" stands in front of "seg-00001.m4s".
        let all = scene.file("all.mp4", &segments.flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>());
        assert_eq!(pictures(&all), decoded);
    }
}

#[test]
fn frames_of_one_unit_at_two_times_are_refused() {
    let scene = Scene::new();
    let units = units(&low_overhead(&std::fs::read(stream("180p.ivf")).unwrap()));
    let obus = units.iter().flatten().map(Vec::as_slice);
    let input = scene.file("apart.ivf", &ivf((0_u64..).zip(obus)));
    let (said, _) = scene.package(&input, &[]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains("timestamp 1 continues the temporal unit at 0x2c"), "{}", said.stderr);
}

/// The box of this type, header and body, somewhere in `file`.
fn box_of<'a>(file: &'a [u8], kind: &[u8; 4]) -> &'a [u8] {
    let at = file.windows(4).position(|window| window == kind).expect("it has the box") - 4;
    let (size, _) = file[at..].split_first_chunk().expect("a size");
    &file[at..][..u32::from_be_bytes(*size) as usize]
}

#[test]
fn metadata_of_high_dynamic_range_is_in_the_init_segment() {
    let scene = Scene::new();
    let files = scene.files(&stream("hdr10.obu"), &["--segment-duration=0.16"]);
    let init = files.iter().find(|(name, _)| name.ends_with("init.mp4")).expect("an init segment").1;

    // FFmpeg's muxer puts the same OBUs into `av1C`, and its reader of ours finds what the encoder was given.
    let muxed = scene.0.path().join("ffmpeg.mp4");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(stream("hdr10.obu")).args(["-c", "copy"]).arg(&muxed);
    assert_eq!(tools::run(&mut ffmpeg).code, Some(0));
    let muxed = std::fs::read(muxed).unwrap();
    let record = box_of(init, b"av1C");
    assert_eq!(record, box_of(&muxed, b"av1C"));
    assert_eq!(record.iter().filter(|&&byte| byte == 0x2a).count(), 2, "two metadata OBUs: {record:02x?}");

    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-show_entries", "stream_side_data", "-of", "default=nw=1"]);
    let said = tools::run(ffprobe.arg(scene.file("init.mp4", init)));
    for line in [
        "red_x=34000/50000",
        "red_y=16000/50000",
        "green_x=13250/50000",
        "green_y=34500/50000",
        "blue_x=7500/50000",
        "blue_y=3000/50000",
        "white_point_x=15635/50000",
        "white_point_y=16450/50000",
        "min_luminance=1/10000",
        "max_luminance=10000000/10000",
        "max_content=1000",
        "max_average=400",
    ] {
        assert!(said.stdout.lines().any(|said| said == line), "{line}: {}{}", said.stdout, said.stderr);
    }
    let playlist = files.iter().find(|(name, _)| name.ends_with("master.m3u8")).expect("a playlist").1;
    assert!(String::from_utf8_lossy(playlist).contains("VIDEO-RANGE=PQ"));
}

#[test]
fn metadata_that_changes_is_told() {
    let scene = Scene::new();
    let mut obus = std::fs::read(stream("hdr10.obu")).unwrap();
    let (said, _) = scene.package(&scene.file("same.obu", &obus), &[]);
    assert!(!said.stdout.contains("metadata OBUs tell"), "{}", said.stdout);
    // The highest content light level of the second key frame.
    let light = [0x2a, 6, 1, 3, 0xe8];
    let at = obus.windows(5).rposition(|window| window == light).expect("light levels");
    assert_ne!(obus.windows(5).position(|window| window == light), Some(at), "both key frames have them");
    obus[at + 4] ^= 1;
    let (said, _) = scene.package(&scene.file("other.obu", &obus), &[]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let told = format!("metadata OBUs tell another mastering display or light level from {at:#x} on");
    assert!(said.stdout.contains(&told), "{}", said.stdout);
}

/// What a segmenter makes of packets: its init segment.
fn init_of(packets: &Units, video: VideoConfig) -> Vec<u8> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let timescale = Timescale::new(NonZeroU32::new(25_000).expect("above 0"));
    let config = SegmenterConfig::new(directory.path(), "video", CodecConfig::Av1 { video }, timescale);
    let mut segmenter = Segmenter::new(config).expect("a sound configuration");
    for packet in packets {
        segmenter.push(&packet.concat(), SampleTiming::new(1000)).expect("a sound packet");
    }
    segmenter.cut().expect("a segment");
    std::fs::read(directory.path().join("video/init.mp4")).expect("an init segment")
}

#[test]
fn packets_give_the_same_metadata_and_settings_win() {
    let scene = Scene::new();
    let packets = units(&std::fs::read(stream("hdr10.obu")).unwrap());
    let files = scene.files(&stream("hdr10.obu"), &["--segment-duration=0.16"]);
    let packaged = files.iter().find(|(name, _)| name.ends_with("init.mp4")).expect("an init segment").1;
    let init = init_of(&packets, VideoConfig::default());
    for kind in [b"av1C", b"mdcv", b"clli", b"colr"] {
        assert_eq!(box_of(&init, kind), box_of(packaged, kind), "{}", kind.escape_ascii());
    }
    let display = MasteringDisplay {
        primaries: [(8500, 39_850), (6550, 2300), (35_400, 14_600)],
        white_point: (15_635, 16_450),
        max_luminance: 40_000_000,
        min_luminance: 50,
    };
    let light = ContentLight { max_content: 900, max_picture_average: 300 };
    let video = VideoConfig {
        mastering_display: Some(display),
        content_light: Some(light),
        ..VideoConfig::default()
    };
    let init = init_of(&packets, video);
    assert_eq!(box_of(&init, b"clli")[8..], [3, 0x84, 1, 0x2c]);
    assert_eq!(box_of(&init, b"mdcv")[8..12], [0x21, 0x34, 0x9b, 0xaa]);
    assert_eq!(box_of(&init, b"av1C"), box_of(packaged, b"av1C"));
}

#[test]
fn a_worker_whose_stream_has_no_metadata_joins_a_track_that_has() {
    let packets = units(&std::fs::read(stream("hdr10.obu")).unwrap());
    let init = init_of(&packets, VideoConfig::default());
    let without_metadata = |unit: &Vec<Vec<u8>>| -> Vec<Vec<u8>> {
        unit.iter().filter(|obu| obu[0] >> 3 & 15 != 5).cloned().collect()
    };
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let join = |packets: &Units| {
        let timescale = Timescale::new(NonZeroU32::new(25_000).expect("above 0"));
        let config = SegmenterConfig::new(directory.path(), "video", CodecConfig::av1(), timescale);
        let config = SegmenterConfig { write_init: false, published_init: Some(init.clone()), ..config };
        let mut segmenter = Segmenter::new(config).expect("a sound configuration");
        for packet in packets {
            segmenter.push(&packet.concat(), SampleTiming::new(1000)).expect("a sound packet");
        }
        segmenter.cut().map(|_| ()).map_err(|error| error.to_string())
    };
    let bare: Units = packets.iter().map(without_metadata).collect();
    assert!(bare.concat().len() + 4 == packets.concat().len(), "two key frames had two each");
    join(&bare).expect("it plays with the init segment");
    // Another sequence header does not: level 2.1 in the place of 2.0.
    let mut other = bare;
    other.iter_mut().flatten().filter(|obu| obu[0] == 0x0a).for_each(|obu| obu[5] |= 8);
    let error = join(&other).unwrap_err();
    assert!(error.contains("the codec configuration differs"), "{error}");
}

#[test]
fn a_packet_of_annex_b_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let timescale = Timescale::new(NonZeroU32::new(25_000).expect("above 0"));
    let config = SegmenterConfig::new(directory.path(), "video", CodecConfig::av1(), timescale);
    let mut segmenter = Segmenter::new(config).expect("a sound configuration");
    let packets = units(&std::fs::read(stream("hdr10.obu")).unwrap());
    for sized in [false, true] {
        let packet = annex_b(&packets[..1].to_vec(), sized, 1);
        let error = segmenter.push(&packet, SampleTiming::new(1000)).unwrap_err().to_string();
        assert!(
            error.contains("length-delimited format (AV1 Annex B): not supported; push low-overhead"),
            "{error}"
        );
    }
    // It left nothing behind.
    segmenter.push(&packets[0].concat(), SampleTiming::new(1000)).expect("a sound packet");
}

#[test]
fn a_colour_that_the_sequence_header_contradicts_is_refused_by_the_segmenter() {
    let packets = units(&std::fs::read(stream("hdr10.obu")).unwrap());
    let pq = Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false };
    for (colour, taken) in
        [(pq, true), (Colour { full_range: true, ..pq }, false), (Colour { transfer: 18, ..pq }, false)]
    {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
        let timescale = Timescale::new(NonZeroU32::new(25_000).expect("above 0"));
        let codec =
            CodecConfig::Av1 { video: VideoConfig { colour: Some(colour), ..VideoConfig::default() } };
        let config = SegmenterConfig::new(directory.path(), "video", codec, timescale);
        let mut segmenter = Segmenter::new(config).expect("a sound configuration");
        match segmenter.push(&packets[0].concat(), SampleTiming::new(1000)) {
            Ok(_) => assert!(taken, "{colour:?}"),
            Err(error) => {
                let error = error.to_string();
                let said = "the sequence header says 9/16/9 in limited range, and AV1 lets";
                assert!(!taken && error.contains(said), "{error}");
            }
        }
    }
}
