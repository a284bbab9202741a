//! `manifest.mpd`, read by npm's `mpd-parser` and by FFmpeg's demuxer, against the segments it names and the playlists beside it.
//!
//! Clauses of ISO/IEC 23009-1 were not opened; what `bandwidth` and `minBufferTime` promise together is as DASH-IF's guidelines
//! put it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::playlists::{read_master, read_media};
use super::{Parsed, Problems, each_track};
use crate::package::{FRAME_RATE, Kind, Package, Track};
use crate::segment::{Init, Segment};
use crate::{source, tools};

/// One segment of a track by its own bytes, times in ticks.
struct Facts {
    timescale: u64,
    /// What `tfdt` says.
    start: u64,
    duration: u64,
    bytes: u64,
}

impl Facts {
    fn of(package: &Package, track: &Track) -> Result<Vec<Self>, Problems> {
        let Parsed { init, segments } = Parsed::read(package, track)?;
        let files = package.segments(track).into_iter();
        let facts = |(segment, path): (&Segment, PathBuf)| Self {
            timescale: init.timescale(),
            start: segment.decode_time,
            duration: segment.duration(),
            bytes: fs::metadata(path).expect("it was parsed").len(),
        };
        Ok(segments.iter().zip(files).map(facts).collect())
    }

    fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / self.timescale as f64
    }
}

/// Less than a tick of any timescale here, more than what a sum of seconds in floating point is off by.
const TOLERANCE: f64 = 1e-8;

// ------------------------------------------------------------------------------------------------------- mpd-parser

/// The whole manifest as `mpd-parser` reads it.
pub fn mpd_parser(package: &Package) -> Problems {
    let answer = tools::node("parse-mpd.mjs", &[&package.root.to_string_lossy()]);
    let mut problems = tools::problems(&answer);
    if !problems.is_empty() {
        return problems;
    }
    let found = answer["tracks"].as_array().map_or(0, Vec::len);
    if found != package.tracks.len() {
        problems.push(format!("{found} representations, the package has {} tracks", package.tracks.len()));
    }
    problems.extend(presentation(package, &answer));
    problems.extend(each_track(package, None, |track| match representation(&answer, track) {
        Some(found) => {
            let mut problems = attributes(package, track, found);
            problems.extend(segments(package, track, found, answer["minBufferTime"].as_f64().unwrap_or(0.0)));
            problems
        }
        None => vec!["is not in manifest.mpd".to_owned()],
    }));
    problems
}

/// The representation whose segments lie in the track's directory.
fn representation<'a>(answer: &'a Value, track: &Track) -> Option<&'a Value> {
    let of_track = |found: &&Value| {
        let uri = found["segments"][0]["uri"].as_str().unwrap_or("");
        uri.rsplit_once('/').is_some_and(|(directory, _)| directory == track.name)
    };
    answer["tracks"].as_array()?.iter().find(of_track)
}

fn presentation(package: &Package, answer: &Value) -> Problems {
    let mut problems = Problems::new();
    if answer["type"] != "static" {
        problems.push(format!("type is {}", answer["type"]));
    }
    let last = package.tracks.iter().filter_map(|track| Facts::of(package, track).ok()?.pop());
    let longest = last.map(|facts| facts.seconds(facts.start + facts.duration)).fold(0.0, f64::max);
    let said = answer["seconds"].as_f64().unwrap_or(0.0);
    // The text has microseconds.
    if (said - longest).abs() > 1e-6 {
        problems.push(format!("mediaPresentationDuration is {said} s, the longest track lasts {longest} s"));
    }
    problems
}

fn attributes(package: &Package, track: &Track, found: &Value) -> Problems {
    let mut problems = Problems::new();
    let mut expect = |name: &str, expected: Value| {
        if found[name] != expected {
            problems.push(format!("{name} is {}, expected {expected}", found[name]));
        }
    };
    // Letter for letter what the playlists say of this codec.
    let codec = source::codec_string(track);
    let variants = read_master(package).map_or_else(|_| Vec::new(), |master| master.variants);
    let mut in_playlist =
        variants.iter().filter_map(|variant| variant.codecs.as_deref()).flat_map(|codecs| codecs.split(','));
    expect("codecs", in_playlist.find(|name| name.eq_ignore_ascii_case(&codec)).unwrap_or(&codec).into());
    match track.kind {
        Kind::Video => {
            expect("mimeType", "video/mp4".into());
            expect("frameRate", FRAME_RATE.into());
            if let Ok(init) = Init::read(&package.init(track)) {
                let tkhd = &init.moov.trak[0].tkhd;
                expect("width", tkhd.width.integer().into());
                expect("height", tkhd.height.integer().into());
            }
        }
        Kind::Audio => {
            expect("mimeType", "audio/mp4".into());
            let language = track.source.file_stem().unwrap_or_default().to_string_lossy();
            expect("language", (*language).into());
        }
    }
    problems
}

fn segments(package: &Package, track: &Track, found: &Value, min_buffer_time: f64) -> Problems {
    let facts = match Facts::of(package, track) {
        Ok(facts) => facts,
        Err(problems) => return problems,
    };
    let listed: Vec<_> = found["segments"].as_array().into_iter().flatten().collect();
    let mut problems = Problems::new();
    let in_playlist = read_media(&package.playlist(track)).map_or(0, |playlist| playlist.segments.len());
    if listed.len() != facts.len() || listed.len() != in_playlist {
        let (listed, there) = (listed.len(), facts.len());
        problems.push(format!(
            "{listed} segments are named, there are {there}, the playlist names {in_playlist}"
        ));
    }
    // A URI that is as expected is there: `Facts` come from the file of that name.
    for (number, (segment, facts)) in (1..).zip(listed.iter().zip(&facts)) {
        let mut expect = |holds: bool, text: String| {
            if !holds {
                problems.push(format!("segment {number}: {text}"));
            }
        };
        let (uri, init) = (&segment["uri"], &segment["map"]);
        expect(*uri == format!("{}/seg-{number:05}.m4s", track.name), format!("is {uri}"));
        expect(*init == format!("{}/init.mp4", track.name), format!("has the init segment {init}"));
        for (name, ticks) in [("time", facts.start), ("duration", facts.duration)] {
            let (said, is) = (segment[name].as_f64().unwrap_or(-1.0), facts.seconds(ticks));
            expect((said - is).abs() < TOLERANCE, format!("{name} is {said} s, by its boxes {is} s"));
        }
    }
    problems.extend(starves(&facts, found["bandwidth"].as_f64().unwrap_or(0.0), min_buffer_time));
    problems
}

/// A reader that starts at any segment, gets `bandwidth` bits a second and waits for `min_buffer_time` seconds has each
/// segment whole before it is due.
fn starves(facts: &[Facts], bandwidth: f64, min_buffer_time: f64) -> Option<String> {
    for (i, first) in facts.iter().enumerate() {
        let mut bits = 0.0;
        for due in &facts[i..] {
            bits += due.bytes as f64 * 8.0;
            let seconds = min_buffer_time + due.seconds(due.start.saturating_sub(first.start));
            if bits > bandwidth * seconds + 1.0 {
                return Some(format!(
                    "bandwidth {bandwidth}: from segment {} on {bits} bits are due after {seconds} s",
                    i + 1
                ));
            }
        }
    }
    None
}

// ----------------------------------------------------------------------------------------------------------- FFmpeg

/// FFmpeg reads the manifest, which has to be well-formed XML for that, and opens each track.
pub fn ffmpeg(package: &Package) -> Problems {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-show_entries", "stream=codec_type,width,height", "-of", "json"]);
    let said = tools::run(ffprobe.arg(package.root.join("manifest.mpd")));
    if said.code != Some(0) || !said.stderr.is_empty() {
        return vec![format!("FFmpeg: {}", said.stderr)];
    }
    let answer: Value = serde_json::from_str(&said.stdout).expect("ffprobe prints JSON");
    let all = answer["streams"].as_array().expect("a list of streams");
    let mut found: Vec<_> =
        all.iter().map(|stream| (stream["codec_type"].as_str(), stream["height"].as_u64())).collect();
    let expected = |track: &Track| match track.kind {
        Kind::Video => {
            let stem = track.source.file_stem().unwrap_or_default().to_string_lossy();
            (Some("video"), stem.strip_suffix('p').and_then(|height| height.parse().ok()))
        }
        Kind::Audio => (Some("audio"), None),
    };
    let mut expected: Vec<_> = package.tracks.iter().map(expected).collect();
    found.sort_unstable();
    expected.sort_unstable();
    if found == expected {
        return Problems::new();
    }
    vec![format!("FFmpeg sees {found:?}, the package has {expected:?}")]
}
