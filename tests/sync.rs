//! Sound and picture stay together, measured by decoding: a picture flashes and the sound clicks at the same known instants, and
//! in the packaged segments both are where they were, the flash to the picture, the click to the sample.
//!
//! What is measured is the init segment with the segments behind it, decoded by FFmpeg with the times that it gives each decoded
//! frame (`ashowinfo`, `showinfo`, `-copyts`, as it would otherwise move the whole file to start at 0). Its HLS and DASH
//! demuxers read the same boxes, but start the clock anew with whatever comes first, so they would hide what is looked for.
//! FFmpeg honours the edit list; where composition offsets are negative it presents the whole track later by the lowest of them
//! (`dts_shift` in its `mov.c`), which players do not, so that much is taken off its times, as the `trun` boxes say it.

use std::path::{Path, PathBuf};
use std::process::Command;

use mp4_atom::{Any, ReadFrom as _};

#[allow(dead_code, reason = "other tests need the rest of it")]
#[path = "end_to_end/tools.rs"]
mod tools;

/// Flashes, by picture at 25 a second: the first group, both sides of a cut (pictures 100 and 150 are key frames), near the end.
const FLASHES: [u64; 6] = [13, 60, 99, 100, 150, 237];
const PICTURES: u64 = 250;
/// Samples of sound at 48 kHz a picture lasts.
const PER_PICTURE: u64 = 1920;
const RATE: u64 = 48_000;

fn ffmpeg(words: &[&str], output: &Path) {
    let said = tools::run(Command::new("ffmpeg").args(["-v", "error", "-y"]).args(words).arg(output));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{words:?}");
}

/// A sum of `eq(variable,instant)`.
fn at(variable: &str, instants: impl Iterator<Item = u64>) -> String {
    instants.map(|instant| format!("eq({variable}\\,{instant})")).collect::<Vec<_>>().join("+")
}

/// Black pictures with white ones among them, in this codec.
fn flashes(directory: &Path, name: &str, codec: &[&str]) -> PathBuf {
    let white = at("N", FLASHES.into_iter());
    let source =
        format!("color=black:size=128x72:rate=25:duration=10,geq=lum='16+219*({white})':cb=128:cr=128");
    let path = directory.join(name);
    ffmpeg(&[&["-f", "lavfi", "-i", source.as_str()][..], codec].concat(), &path);
    path
}

/// Silence with single samples among it, in this codec.
fn clicks(directory: &Path, name: &str, codec: &[&str]) -> PathBuf {
    let loud = at("n", FLASHES.into_iter().map(|picture| picture * PER_PICTURE));
    let source = format!("aevalsrc=exprs='0.9*({loud})':s=48000:d=10");
    let path = directory.join(name);
    ffmpeg(&[&["-f", "lavfi", "-i", source.as_str()][..], codec].concat(), &path);
    path
}

/// The init segment and the segments of the only track of a kind, in one file.
fn whole(output: &Path, kind: &str) -> PathBuf {
    let mut tracks = std::fs::read_dir(output.join(kind)).unwrap();
    let track = tracks.next().expect("a track").unwrap().path();
    assert!(tracks.next().is_none());
    let mut segments: Vec<_> =
        std::fs::read_dir(&track).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "m4s"));
    segments.sort();
    assert!(segments.len() > 1, "a cut to be in sync behind");
    let mut bytes = std::fs::read(track.join("init.mp4")).unwrap();
    segments.iter().for_each(|path| bytes.extend(std::fs::read(path).unwrap()));
    let path = output.join(format!("{kind}.mp4"));
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The lowest composition offset of a file, at most 0, in ticks.
fn lowest_offset(path: &Path) -> i64 {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut lowest = 0;
    while !rest.is_empty() {
        if let Any::Moof(moof) = Any::read_from(&mut rest).unwrap() {
            let runs = moof.traf.iter().flat_map(|traf| &traf.trun);
            let offsets = runs.flat_map(|run| &run.samples).filter_map(|entry| entry.cts);
            lowest = offsets.fold(lowest, i64::min);
        }
    }
    lowest
}

/// The number behind `key:` in a line of `showinfo` or `ashowinfo`.
fn field(line: &str, key: &str) -> Option<i64> {
    let value = line.split(&format!(" {key}:")).nth(1)?.trim_start();
    let end = value.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(value.len());
    value[..end].parse().ok()
}

/// Presentation times of the white pictures, in pictures, and how many pictures there are.
fn flashes_of(path: &Path) -> (Vec<i64>, usize) {
    let decode =
        ["-hide_banner", "-copyts", "-i", path.to_str().unwrap(), "-vf", "showinfo", "-f", "null", "-"];
    let said = tools::run(Command::new("ffmpeg").args(decode));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let shift = lowest_offset(path);
    // 25 pictures a second have a timescale of 25000.
    let pictures = said.stderr.lines().filter_map(|line| Some((field(line, "pts")?, line)));
    let pictures: Vec<_> = pictures
        .map(|(pts, line)| {
            let mean =
                line.split("mean:[").nth(1).expect("showinfo tells the mean").split_whitespace().next();
            let ticks = pts + shift;
            assert_eq!(ticks % 1000, 0, "{line}");
            (ticks / 1000, mean.unwrap().parse::<u32>().unwrap())
        })
        .collect();
    let white = pictures.iter().filter(|(_, luma)| *luma > 128).map(|(picture, _)| *picture);
    (white.collect(), pictures.len())
}

/// Presentation times of the clicks, in samples: the loudest sample around each.
fn clicks_of(path: &Path) -> Vec<i64> {
    let pcm = path.with_extension("f32");
    let input = path.to_str().unwrap();
    let decode = [
        "-hide_banner",
        "-y",
        "-copyts",
        "-i",
        input,
        "-af",
        "aformat=channel_layouts=mono,ashowinfo",
        "-f",
        "f32le",
    ];
    let said = tools::run(Command::new("ffmpeg").args(decode).arg(&pcm));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let bytes = std::fs::read(&pcm).unwrap();
    let samples: Vec<f32> =
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    // The instant of each sample, by the time of its frame.
    let frames =
        said.stderr.lines().filter_map(|line| Some((field(line, "pts")?, field(line, "nb_samples")?)));
    let instants: Vec<i64> = frames.flat_map(|(pts, count)| pts..pts + count).collect();
    assert_eq!(instants.len(), samples.len());
    let loud = samples.iter().map(|sample| sample.abs()).fold(0.0, f32::max) / 2.0;
    let mut found: Vec<(i64, f32)> = Vec::new();
    for (&instant, sample) in instants.iter().zip(&samples).filter(|(_, sample)| sample.abs() > loud) {
        // Lossy codecs ring around a click: the loudest of what is close together is it.
        match found.last_mut().filter(|(other, _)| instant - *other < PER_PICTURE as i64 / 2) {
            Some(last) if sample.abs() <= last.1 => {}
            Some(last) => *last = (instant, sample.abs()),
            None => found.push((instant, sample.abs())),
        }
    }
    found.into_iter().map(|(instant, _)| instant).collect()
}

/// Packages video with sound that was given these settings, and checks that flashes are where they were, and clicks `late`
/// samples behind them.
fn check(video: &[&str], (name, codec, settings, late): Sound) {
    let directory = tempfile::tempdir().unwrap();
    let pictures = flashes(directory.path(), "flash", video);
    let sound = clicks(directory.path(), name, codec);
    let output = directory.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    command.args(["package", "-q", "--fps", "25", "--segment-duration", "2", "-o"]).arg(&output);
    let said = tools::run(command.arg(pictures).arg(format!("{}{settings}", sound.display())));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));

    let instants = FLASHES.map(|picture| picture as i64);
    assert_eq!(flashes_of(&whole(&output, "video")), (instants.to_vec(), PICTURES as usize));
    assert_eq!(PER_PICTURE * 25, RATE);
    let expected = instants.map(|picture| picture * PER_PICTURE as i64 + late);
    assert_eq!(clicks_of(&whole(&output, "audio")), expected, "{name}{settings}");
    if name.ends_with("ac3") {
        // As late as in the encoder's file, which nothing of ours has touched: what these decode late, they decode late anywhere.
        assert_eq!(clicks_of(&sound), expected, "{name} itself");
    }
}

const H264: [&str; 14] = [
    "-c:v",
    "libx264",
    "-bf",
    "2",
    "-g",
    "50",
    "-keyint_min",
    "50",
    "-sc_threshold",
    "0",
    "-crf",
    "10",
    "-f",
    "h264",
];

/// A form of sound: what FFmpeg makes it with, the settings behind its name, and by how many samples it comes out late.
type Sound = (&'static str, &'static [&'static str], &'static str, i64);

/// FFmpeg's encoder needs 1024 samples in front of the first, which ADTS cannot tell: without a word, sound is later by as many.
const AAC: Sound = ("click.aac", &["-c:a", "aac", "-b:a", "192k", "-f", "adts"], "", 1024);
/// With a word it is not.
const AAC_PRIMED: Sound = ("click.aac", &["-c:a", "aac", "-b:a", "192k", "-f", "adts"], ",priming=1024", 0);
/// Ogg Opus tells what to skip (RFC 7845 5.1, pre-skip).
const OPUS: Sound = ("click.opus", &["-c:a", "libopus", "-b:a", "192k", "-f", "ogg"], "", 0);
/// Lossless, and without delay.
const FLAC: Sound = ("click.flac", &["-c:a", "flac", "-f", "flac"], "", 0);
/// FFmpeg's encoders delay by a block of 256 samples, which neither format tells: FFmpeg decodes the files as late.
const AC3: Sound = ("click.ac3", &["-c:a", "ac3", "-b:a", "192k", "-f", "ac3"], "", 256);
const EAC3: Sound = ("click.eac3", &["-c:a", "eac3", "-b:a", "192k", "-f", "eac3"], "", 256);

#[test]
fn aac_whose_priming_nobody_told_is_late_by_exactly_that() {
    check(&H264, AAC);
}

#[test]
fn aac_whose_priming_was_told_clicks_where_it_did() {
    check(&H264, AAC_PRIMED);
}

#[test]
fn opus_clicks_where_it_did() {
    check(&H264, OPUS);
}

#[test]
fn flac_clicks_where_it_did() {
    check(&H264, FLAC);
}

#[test]
fn ac3_clicks_where_its_file_does() {
    check(&H264, AC3);
}

#[test]
fn eac3_clicks_where_its_file_does() {
    check(&H264, EAC3);
}

/// Video in H.265 with B pictures in pyramids.
#[test]
fn h265_flashes_where_it_did() {
    let h265 = [
        "-c:v",
        "libx265",
        "-x265-params",
        "keyint=50:min-keyint=50:scenecut=0:open-gop=0:bframes=4:crf=10:log-level=none",
        "-f",
        "hevc",
    ];
    check(&h265, AAC);
}

/// Decoding with a clock of its own: the pictures of a film at a variable rate flash at the times of its timecodes.
#[test]
fn a_variable_rate_flashes_at_its_timecodes() {
    let directory = tempfile::tempdir().unwrap();
    let pictures = flashes(directory.path(), "flash", &H264);
    // 40 ms, or 80 ms for every third picture.
    let mut text = String::from("# timecode format v2\n");
    let (mut time, mut times) = (0, Vec::new());
    for picture in 0..=PICTURES as i64 {
        times.push(time);
        text += &format!("{}\n", time * 40);
        time += if picture % 3 == 2 { 2 } else { 1 };
    }
    let timecodes = directory.path().join("times, in ms.txt");
    std::fs::write(&timecodes, text).unwrap();
    let output = directory.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    command.args(["package", "-q", "--segment-duration", "2", "-o"]).arg(&output);
    let timecodes = timecodes.to_str().unwrap().replace(',', "\\,");
    let said = tools::run(command.arg(format!("{},timecodes={timecodes}", pictures.display())));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    // 1/90000 s: 3600 ticks are 40 ms.
    let path = whole(&output, "video");
    let decode = [
        "-hide_banner",
        "-copyts",
        "-i",
        path.to_str().unwrap(),
        "-vf",
        "showinfo",
        "-vsync",
        "0",
        "-f",
        "null",
        "-",
    ];
    let said = tools::run(Command::new("ffmpeg").args(decode));
    let shift = lowest_offset(&path);
    let found: Vec<_> =
        said.stderr.lines().filter_map(|line| field(line, "pts")).map(|pts| pts + shift).collect();
    let expected: Vec<_> = times[..PICTURES as usize].iter().map(|time| time * 3600).collect();
    assert_eq!(found, expected);
}
