//! Pictures and sound: FFmpeg decodes the package to the same frames as the source, at the times of the frame grid.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::{Problems, each_track};
use crate::package::{FRAME_RATE, Kind, Package, Track};
use crate::tools;

/// One decoded frame: presentation time in ticks of the track's timescale, and a hash.
#[derive(Clone, Debug, PartialEq)]
struct Frame {
    time: i64,
    hash: String,
}

/// All frames of a stream, ticks a second, and what the decoder complained of.
#[derive(Clone)]
struct Decoded {
    frames: Vec<Frame>,
    timescale: i64,
    complaints: String,
}

/// Init and all segments of each video track, as one stream.
pub fn pictures(package: &Package) -> Problems {
    each_track(package, Some(Kind::Video), |track| whole(package, track))
}

/// Init and all segments of each audio track, as one stream.
pub fn sound(package: &Package) -> Problems {
    each_track(package, Some(Kind::Audio), |track| whole(package, track))
}

/// Init and one segment alone, for each video segment: decoding can start anywhere.
pub fn alone(package: &Package) -> Problems {
    each_track(package, Some(Kind::Video), |track| {
        let source = source(track);
        let mut expected = source.frames.iter();
        let mut problems = Problems::new();
        for segment in package.segments(track) {
            let decoded = decode(Kind::Video, &[package.init(track), segment.clone()]);
            let same = decoded
                .frames
                .iter()
                .all(|frame| expected.next().is_some_and(|other| other.hash == frame.hash));
            if !same || !decoded.complaints.is_empty() || decoded.frames.is_empty() {
                let name = segment.file_name().unwrap_or_default().display();
                problems.push(format!(
                    "{name} alone does not decode to its part of the source. {}",
                    decoded.complaints
                ));
            }
        }
        if expected.next().is_some() {
            problems.push("the segments do not decode to all frames".to_owned());
        }
        problems
    })
}

fn whole(package: &Package, track: &Track) -> Problems {
    let files: Vec<_> = [package.init(track)].into_iter().chain(package.segments(track)).collect();
    let (decoded, source) = (decode(track.kind, &files), source(track));
    let mut problems = Problems::new();
    if decoded.complaints != source.complaints {
        problems.push(format!("FFmpeg: {}", decoded.complaints));
    }
    let hashes = |of: &Decoded| of.frames.iter().map(|frame| frame.hash.clone()).collect::<Vec<_>>();
    let (found, expected) = (hashes(&decoded), hashes(&source));
    if found != expected {
        let first = found.iter().zip(&expected).take_while(|(a, b)| a == b).count();
        problems.push(format!(
            "frame {first} differs; {} frames, the source has {}",
            found.len(),
            expected.len()
        ));
    }
    let step = match track.kind {
        Kind::Video => decoded.timescale / FRAME_RATE as i64,
        Kind::Audio => 1024,
    };
    // Counted from the first: FFmpeg shows all pictures late by the largest negative composition offset.
    let start = decoded.frames.first().map_or(0, |frame| frame.time);
    let on_grid = (0..).map(|i| start + i * step);
    let off_grid = decoded.frames.iter().zip(on_grid).find(|(frame, time)| frame.time != *time);
    problems.extend(off_grid.map(|(frame, time)| format!("a frame is shown at {}, not {time}", frame.time)));
    problems
}

/// The decoded source, once for all tests.
fn source(track: &Track) -> Decoded {
    static DECODED: Mutex<Option<HashMap<PathBuf, Decoded>>> = Mutex::new(None);
    let mut decoded = DECODED.lock().unwrap_or_else(PoisonError::into_inner);
    let decoded = decoded.get_or_insert_default();
    decoded
        .entry(track.source.clone())
        .or_insert_with(|| decode(track.kind, std::slice::from_ref(&track.source)))
        .clone()
}

/// Decodes files put behind each other.
fn decode(kind: Kind, files: &[PathBuf]) -> Decoded {
    let input = match files {
        [one] => one.display().to_string(),
        many => concatenated(many),
    };
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-nostdin", "-v", "error", "-copyts", "-i"]).arg(input);
    match kind {
        Kind::Video => ffmpeg.args(["-map", "0:v:0", "-vsync", "passthrough"]),
        // The decoder's own floating point samples, not rounded.
        Kind::Audio => ffmpeg.args(["-map", "0:a:0", "-c:a", "pcm_f32le"]),
    };
    let said = tools::run(ffmpeg.args(["-enc_time_base", "-1", "-f", "framemd5", "-"]));
    let mut decoded = Decoded { frames: Vec::new(), timescale: 0, complaints: said.stderr };
    for line in said.stdout.lines() {
        if let Some(time_base) = line.strip_prefix("#tb 0: 1/") {
            decoded.timescale = time_base.trim().parse().expect("a timescale");
        }
        let columns: Vec<_> = line.split(',').map(str::trim).collect();
        // Stream, decode time, presentation time, duration, size, hash; comments start with #.
        if let (false, [_, _, time, _, _, hash]) = (line.starts_with('#'), &columns[..]) {
            decoded.frames.push(Frame { time: time.parse().unwrap_or(i64::MIN), hash: (*hash).to_owned() });
        }
    }
    decoded
}

/// FFmpeg's name for files read as if they were one.
fn concatenated(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    format!("concat:{}", names.join("|"))
}
