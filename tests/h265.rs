//! The H.265 streams of `tests/streams` and of `examples/ladder`, packaged by the command and judged by FFmpeg: the same pictures at
//! the times of their grid, a sample for each, and every segment decodable with nothing but its init segment.
//!
//! The same checks run on H.264 and on damaged copies, to show that they can fail.

#[allow(dead_code)]
#[path = "end_to_end/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tools::Said;

/// What the checks found wrong, one line each.
type Problems = Vec<String>;

/// A stream: its file below the repository, its pictures, and how many of them there are in a second.
#[derive(Clone, Copy)]
struct Stream {
    file: &'static str,
    pictures: usize,
    rate: i64,
}

impl Stream {
    const fn new(file: &'static str, pictures: usize, rate: i64) -> Self {
        Self { file, pictures, rate }
    }

    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.file)
    }
}

/// The one video track of a package.
struct Packaged {
    stream: Stream,
    track: PathBuf,
    _root: tempfile::TempDir,
}

/// What the command says to these streams, and where the package is.
fn run(streams: &[Stream], options: &[&str]) -> (Said, tempfile::TempDir) {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    command.arg("package").args(streams.iter().map(Stream::path)).args(options);
    (tools::run(command.arg("-o").arg(root.path().join("out"))), root)
}

impl Packaged {
    fn make(stream: Stream, options: &[&str]) -> Self {
        let (said, root) = run(&[stream], options);
        assert_eq!(said.code, Some(0), "{}: {}", stream.file, said.stderr);
        let [track] = &tracks(root.path())[..] else { panic!("one video is one variant") };
        Self { stream, track: track.clone(), _root: root }
    }

    fn init(&self) -> PathBuf {
        self.track.join("init.mp4")
    }

    fn segments(&self) -> Vec<PathBuf> {
        let name = |number| self.track.join(format!("seg-{number:05}.m4s"));
        (1..).map(name).take_while(|path| path.is_file()).collect()
    }

    fn whole(&self) -> String {
        concatenated(&[&[self.init()], &self.segments()[..]].concat())
    }
}

/// The directories of a package's variants, in the order of the master playlist.
fn tracks(root: &Path) -> Vec<PathBuf> {
    let text = fs::read(root.join("out/master.m3u8")).expect("a package has a master playlist");
    let (_, master) = m3u8_rs::parse_master_playlist(&text).expect("the master playlist parses");
    let directory = |uri: &str| root.join("out").join(uri).parent().expect("in a directory").to_owned();
    master.variants.iter().map(|variant| directory(&variant.uri)).collect()
}

/// FFmpeg's name for files read as if they were one.
fn concatenated(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    format!("concat:{}", names.join("|"))
}

// ----------------------------------------------------------------------------------------------------------- checks

/// Decoded pictures: when each is shown, in ticks of `timescale` a second, and a hash.
struct Pictures {
    timescale: i64,
    times: Vec<i64>,
    hashes: Vec<String>,
}

impl Pictures {
    /// Decodes `input`; what the decoder complains of is an error.
    fn decode(input: &str) -> Result<Self, String> {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-hide_banner", "-nostdin", "-v", "error", "-xerror", "-copyts", "-i", input]);
        ffmpeg.args([
            "-map",
            "0:v:0",
            "-vsync",
            "passthrough",
            "-enc_time_base",
            "-1",
            "-f",
            "framemd5",
            "-",
        ]);
        let said = tools::run(&mut ffmpeg);
        if said.code != Some(0) || !said.stderr.is_empty() {
            return Err(format!("FFmpeg: {}", said.stderr));
        }
        let mut pictures = Self { timescale: 0, times: Vec::new(), hashes: Vec::new() };
        for line in said.stdout.lines() {
            if let Some(time_base) = line.strip_prefix("#tb 0: 1/") {
                pictures.timescale = time_base.trim().parse().expect("a timescale");
            }
            let columns: Vec<_> = line.split(',').map(str::trim).collect();
            // Stream, decode time, presentation time, duration, size, hash; comments start with #.
            if let (false, [_, _, time, _, _, hash]) = (line.starts_with('#'), &columns[..]) {
                pictures.times.push(time.parse().unwrap_or(i64::MIN));
                pictures.hashes.push((*hash).to_owned());
            }
        }
        Ok(pictures)
    }
}

/// All checks.
fn check(packaged: &Packaged, tag: &str) -> Problems {
    [pictures(packaged), alone(packaged), description(packaged, tag)].concat()
}

/// Init segment and segments together show the stream's pictures, one after the other with nothing between.
fn pictures(packaged: &Packaged) -> Problems {
    let source =
        Pictures::decode(&packaged.stream.path().display().to_string()).expect("the stream is sound");
    let found = match Pictures::decode(&packaged.whole()) {
        Ok(found) => found,
        Err(text) => return vec![text],
    };
    let mut problems = Problems::new();
    if source.hashes.len() != packaged.stream.pictures {
        problems.push(format!("the stream has {} pictures", source.hashes.len()));
    }
    if found.hashes != source.hashes {
        let same = found.hashes.iter().zip(&source.hashes).take_while(|(a, b)| a == b).count();
        problems.push(format!("picture {same} differs; {} pictures", found.hashes.len()));
    }
    let step = found.timescale / packaged.stream.rate;
    // Counted from the first: FFmpeg shows all pictures late by the largest negative composition offset.
    let on_grid = (0..).map(|i| found.times.first().unwrap_or(&0) + i * step);
    if let Some((time, grid)) = found.times.iter().zip(on_grid).find(|(time, grid)| *time != grid) {
        problems.push(format!("a picture is shown at {time}, not {grid}"));
    }
    problems
}

/// Init segment and one segment show that segment's pictures.
fn alone(packaged: &Packaged) -> Problems {
    let source =
        Pictures::decode(&packaged.stream.path().display().to_string()).expect("the stream is sound");
    let (mut hashes, mut problems) = (Vec::new(), Problems::new());
    for segment in packaged.segments() {
        match Pictures::decode(&concatenated(&[packaged.init(), segment.clone()])) {
            Ok(pictures) => hashes.extend(pictures.hashes),
            Err(text) => problems.push(format!("{} alone: {text}", segment.display())),
        }
    }
    if hashes != source.hashes {
        problems.push(format!("alone, the segments show {} pictures, or others", hashes.len()));
    }
    problems
}

/// The sample entry has the type `tag`, there is a sample for each picture, and what FFmpeg sees of the format in the package it
/// sees in the stream too.
fn description(packaged: &Packaged, tag: &str) -> Problems {
    const SAME: [&str; 12] = [
        "codec_name",
        "profile",
        "level",
        "width",
        "height",
        "pix_fmt",
        "color_range",
        "color_space",
        "color_transfer",
        "color_primaries",
        "chroma_location",
        "sample_aspect_ratio",
    ];
    let (source, found) = (probe(&packaged.stream.path().display().to_string()), probe(&packaged.whole()));
    let mut problems = Problems::new();
    let mut expect = |name: &str, expected: &Value| {
        if found[name] != *expected {
            problems.push(format!("{name} is {}, expected {expected}", found[name]));
        }
    };
    expect("codec_tag_string", &tag.into());
    expect("nb_read_packets", &packaged.stream.pictures.to_string().into());
    for name in SAME {
        expect(name, &source[name]);
    }
    problems
}

/// The video as ffprobe describes it, with its packets counted.
fn probe(input: &str) -> Value {
    ffprobe(&["-count_packets", "-show_streams", "-select_streams", "v:0", input])["streams"][0].clone()
}

fn ffprobe(arguments: &[&str]) -> Value {
    let said = tools::run(Command::new("ffprobe").args(["-v", "error", "-of", "json"]).args(arguments));
    serde_json::from_str(&said.stdout).expect("ffprobe prints JSON")
}

// ------------------------------------------------------------------------------------------------------------ tests

/// A test for each stream: so many pictures, and pictures a second, packaged in segments of about so many seconds, so many of
/// these; and everything is as it was.
macro_rules! packages {
    ($($name:ident: $file:literal, $pictures:literal, $rate:literal, $seconds:literal, $segments:literal;)*) => {
        mod packages {
            use super::*;
            $(#[test] fn $name() {
                let stream = Stream::new(concat!("tests/streams/", $file), $pictures, $rate);
                let packaged = Packaged::make(stream, &["--segment-duration", $seconds]);
                assert_eq!(check(&packaged, "hvc1"), Problems::new());
                assert_eq!(packaged.segments().len(), $segments);
            })*
        }
    };
}

packages! {
    closed_groups_with_radl_pictures: "h265-closed.h265", 75, 25, "1", 3;
    slices: "h265-slices.h265", 75, 25, "1", 3;
    access_unit_delimiters: "h265-aud.h265", 75, 25, "1", 3;
    main10: "h265-main10.h265", 75, 25, "1", 3;
    hdr10: "h265-hdr10.h265", 75, 25, "1", 3;
    fields: "h265-fields.h265", 150, 50, "1", 3;
    chroma_422_in_10_bits: "h265-422.h265", 75, 25, "1", 3;
    a_size_that_is_cropped: "h265-cropped.h265", 75, 25, "1", 3;
    rasl_pictures_inside_of_segments: "h265-mixed.h265", 100, 25, "2", 2;
}

#[test]
fn hdr10_keeps_mastering_display_and_light_level_in_every_segment() {
    let packaged =
        Packaged::make(Stream::new("tests/streams/h265-hdr10.h265", 75, 25), &["--segment-duration", "1"]);
    let description = probe(&packaged.whole());
    assert_eq!(description["color_transfer"], "smpte2084");
    assert_eq!(description["color_primaries"], "bt2020");
    assert_eq!(description["color_space"], "bt2020nc");
    for segment in packaged.segments() {
        let input = concatenated(&[packaged.init(), segment]);
        let first = ffprobe(&["-show_frames", "-read_intervals", "%+#1", "-select_streams", "v:0", &input]);
        let side_data =
            first["frames"][0]["side_data_list"].as_array().expect("a picture with side data").iter();
        let of_type = |name: &str| {
            side_data.clone().find(|data| data["side_data_type"] == name).cloned().unwrap_or_default()
        };
        let mastering = of_type("Mastering display metadata");
        assert_eq!(mastering["red_x"], "34000/50000");
        assert_eq!(mastering["blue_y"], "3000/50000");
        assert_eq!(mastering["max_luminance"], "10000000/10000");
        let light = of_type("Content light level metadata");
        assert_eq!((light["max_content"].as_u64(), light["max_average"].as_u64()), (Some(1000), Some(400)));
    }
}

#[test]
fn cuts_in_front_of_rasl_pictures_are_refused() {
    let (said, root) =
        run(&[Stream::new("tests/streams/h265-open.h265", 75, 25)], &["--segment-duration", "1"]);
    assert_ne!(said.code, Some(0));
    assert!(said.stderr.contains("RASL"), "{}", said.stderr);
    assert!(said.stderr.contains("CRA"), "{}", said.stderr);
    assert!(!root.path().join("out/master.m3u8").exists(), "nothing is published");
}

#[test]
fn renditions_of_a_ladder_are_cut_at_the_same_instants() {
    let ladder =
        ["examples/ladder/360p.h265", "examples/ladder/234p.h265"].map(|file| Stream::new(file, 600, 25));
    let (said, root) = run(&ladder, &[]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let durations = |track: PathBuf| {
        let text = fs::read(track.join("playlist.m3u8")).expect("a variant has a playlist");
        let (_, playlist) = m3u8_rs::parse_media_playlist(&text).expect("the playlist parses");
        playlist.segments.iter().map(|segment| segment.duration).collect::<Vec<_>>()
    };
    let [one, other] = &tracks(root.path()).into_iter().map(durations).collect::<Vec<_>>()[..] else {
        panic!("two renditions")
    };
    assert_eq!(one, other);
    assert_eq!(*one, [4.0; 6]);
}

// -------------------------------------------------------------------------------------------- the checks themselves

const H264: Stream = Stream::new("examples/ladder/234p.h264", 600, 25);

#[test]
fn h264_passes_the_same_checks() {
    assert_eq!(check(&Packaged::make(H264, &[]), "avc1"), Problems::new());
}

#[test]
fn each_check_notices_what_it_is_there_for() {
    let packaged = Packaged::make(H264, &[]);
    assert_ne!(description(&packaged, "hvc1"), Problems::new(), "another sample entry");

    let segments = packaged.segments();
    let bytes = fs::read(&segments[1]).expect("it can be read");
    let mut garbled = bytes.clone();
    let middle = garbled.len() / 2;
    garbled[middle..middle + 3000].iter_mut().for_each(|byte| *byte ^= 0xa5);
    fs::write(&segments[1], garbled).expect("it can be written");
    assert_ne!(pictures(&packaged), Problems::new(), "garbled pictures");
    assert_ne!(alone(&packaged), Problems::new(), "garbled pictures alone");

    fs::write(&segments[1], fs::read(&segments[2]).expect("it can be read")).expect("it can be written");
    assert_ne!(pictures(&packaged), Problems::new(), "a segment twice");
    assert_ne!(alone(&packaged), Problems::new(), "a segment twice, alone");

    fs::write(&segments[1], &bytes[..bytes.len() / 2]).expect("it can be written");
    assert_ne!(description(&packaged, "avc1"), Problems::new(), "half a segment");
}

#[test]
fn a_frame_rate_counts_frames_where_each_field_is_a_picture() {
    for options in [&["--segment-duration", "1"][..], &["--segment-duration", "1", "--fps", "25"]] {
        let (said, output) = run(&[Stream::new("tests/streams/h265-fields.h265", 150, 50)], options);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(!said.stderr.contains("is used; the stream says"), "{}", said.stderr);
        let mpd = std::fs::read_to_string(output.path().join("out/manifest.mpd")).expect("a manifest");
        assert!(mpd.contains("frameRate=\"25\"") && mpd.contains("scanType=\"interlaced\""), "{mpd}");
        // 150 fields, 50 a second.
        assert!(mpd.contains("mediaPresentationDuration=\"PT3S\""), "{mpd}");
        let master = std::fs::read_to_string(output.path().join("out/master.m3u8")).expect("a playlist");
        assert!(master.contains("FRAME-RATE=25.000"), "{master}");
    }
}
