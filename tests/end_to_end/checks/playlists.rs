//! Playlists, read by `m3u8-rs` and by npm's `hls-parser` in strict mode, against the segments they name.

use std::fs;
use std::path::Path;

use m3u8_rs::{MasterPlaylist, MediaPlaylist, MediaPlaylistType};

use super::{Parsed, Problems, each_track};
use crate::package::{FRAME_RATE, Kind, Package, Track};
use crate::{source, tools};

/// One segment of a track by its own bytes.
struct Facts {
    /// Times in microseconds, exact in the mind, rounded to nearest here.
    start: i64,
    end: i64,
    bytes: u64,
}

impl Facts {
    fn of(package: &Package, track: &Track) -> Result<Vec<Self>, Problems> {
        let Parsed { init, segments } = Parsed::read(package, track)?;
        let microseconds = |ticks: u64| {
            let timescale = u128::from(init.timescale());
            ((u128::from(ticks) * 2_000_000 + timescale) / (2 * timescale)) as i64
        };
        let (mut time, mut facts) = (0, Vec::new());
        for (segment, path) in segments.iter().zip(package.segments(track)) {
            let bytes = fs::metadata(path).map_err(|error| vec![error.to_string()])?.len();
            let end = time + segment.duration();
            facts.push(Self { start: microseconds(time), end: microseconds(end), bytes });
            time = end;
        }
        Ok(facts)
    }
}

// --------------------------------------------------------------------------------------------------------- m3u8-rs

/// Both kinds of playlist, as `m3u8-rs` reads them.
pub fn m3u8_rs(package: &Package) -> Problems {
    let mut problems = each_track(package, None, |track| match read_media(&package.playlist(track)) {
        Ok(playlist) => media(package, track, &playlist),
        Err(text) => vec![text],
    });
    match read_master(package) {
        Ok(playlist) => problems.extend(master(package, &playlist)),
        Err(text) => problems.push(text),
    }
    problems
}

pub(super) fn read_media(path: &Path) -> Result<MediaPlaylist, String> {
    let text = fs::read(path).map_err(|error| error.to_string())?;
    m3u8_rs::parse_media_playlist_res(&text).map_err(|_| "the media playlist does not parse".to_owned())
}

pub(super) fn read_master(package: &Package) -> Result<MasterPlaylist, String> {
    let text = fs::read(package.root.join("master.m3u8")).map_err(|error| error.to_string())?;
    m3u8_rs::parse_master_playlist_res(&text).map_err(|_| "the master playlist does not parse".to_owned())
}

fn media(package: &Package, track: &Track, playlist: &MediaPlaylist) -> Problems {
    let mut problems = Problems::new();
    let mut expect = |holds: bool, text: String| {
        if !holds {
            problems.push(format!("playlist.m3u8: {text}"));
        }
    };
    // EXT-X-MAP in a playlist of media segments needs version 6 (RFC 8216, 7).
    expect(playlist.version.is_some_and(|version| version >= 6), format!("version {:?}", playlist.version));
    expect(playlist.playlist_type == Some(MediaPlaylistType::Vod), "the type is not VOD".into());
    expect(playlist.end_list, "no EXT-X-ENDLIST".into());
    expect(playlist.unknown_tags.is_empty(), format!("unknown tags {:?}", playlist.unknown_tags));
    let map = playlist.segments.first().and_then(|segment| segment.map.as_ref());
    expect(map.is_some_and(|map| map.uri == "init.mp4"), "EXT-X-MAP is not init.mp4".into());

    let named: Vec<_> = playlist.segments.iter().map(|segment| segment.uri.clone()).collect();
    let name =
        |path: &std::path::PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let there: Vec<_> = package.segments(track).iter().map(name).collect();
    expect(named == there, format!("names {named:?}, there are {there:?}"));
    // One target duration for all playlists, which no EXTINF exceeds once rounded (RFC 8216, 4.3.3.1).
    let all = package.tracks.iter().filter_map(|track| read_media(&package.playlist(track)).ok());
    let longest =
        all.flat_map(|playlist| playlist.segments).map(|segment| segment.duration).fold(0.0, f32::max);
    expect(
        playlist.target_duration == longest.round() as u64,
        format!("the target duration is {}, the longest EXTINF {longest}", playlist.target_duration),
    );
    match Facts::of(package, track) {
        Ok(facts) => {
            for (facts, segment) in facts.iter().zip(&playlist.segments) {
                let (seconds, said) = ((facts.end - facts.start) as f64 / 1e6, f64::from(segment.duration));
                // `m3u8-rs` keeps an f32; the last microsecond is `hls_parser`'s.
                expect(
                    (seconds - said).abs() < 5e-6,
                    format!("{} lasts {seconds} s, not {said}", segment.uri),
                );
            }
        }
        Err(of_facts) => problems.extend(of_facts),
    }
    problems
}

fn master(package: &Package, playlist: &MasterPlaylist) -> Problems {
    let mut problems = Problems::new();
    let mut expect = |holds: bool, text: String| {
        if !holds {
            problems.push(format!("master.m3u8: {text}"));
        }
    };
    expect(playlist.independent_segments, "no EXT-X-INDEPENDENT-SEGMENTS".into());
    expect(playlist.unknown_tags.is_empty(), format!("unknown tags {:?}", playlist.unknown_tags));
    expect(
        playlist.variants.len() == package.of_kind(Kind::Video).count(),
        "not one variant for each video".into(),
    );
    expect(
        playlist.alternatives.len() == package.of_kind(Kind::Audio).count(),
        "not one rendition for each audio".into(),
    );

    let groups: Vec<_> = playlist.alternatives.iter().map(|media| Some(&media.group_id)).collect();
    let defaults = playlist.alternatives.iter().filter(|media| media.default).count();
    expect(defaults == 1, format!("{defaults} default renditions"));
    for media in &playlist.alternatives {
        expect(
            media.channels.as_deref() == Some("2"),
            format!("{} has CHANNELS {:?}", media.name, media.channels),
        );
        expect(media.autoselect, format!("{} is not AUTOSELECT", media.name));
    }
    let audio: Vec<_> = package.of_kind(Kind::Audio).filter_map(|track| Rates::of(package, track)).collect();
    for (track, variant) in package.of_kind(Kind::Video).zip(&playlist.variants) {
        let uri = &variant.uri;
        expect(
            groups.contains(&variant.audio.as_ref()),
            format!("{uri}: AUDIO {:?} is no group", variant.audio),
        );
        let frame_rate = variant.frame_rate.unwrap_or(0.0);
        expect(frame_rate == FRAME_RATE as f64, format!("{uri}: FRAME-RATE {frame_rate}"));
        let attributes = variant.other_attributes.clone().unwrap_or_default();
        let range = attributes.get("VIDEO-RANGE").map(ToString::to_string).unwrap_or_default();
        expect(range == "SDR", format!("{uri}: VIDEO-RANGE {range:?}"));

        let mut codecs: Vec<_> =
            variant.codecs.as_deref().unwrap_or("").split(',').map(str::to_owned).collect();
        let mut expected: Vec<_> = [track]
            .into_iter()
            .chain(package.of_kind(Kind::Audio).take(1))
            .map(source::codec_string)
            .collect();
        // Behind `avc1.` stands a number in hexadecimal (RFC 6381 3.3), which has letters of either case.
        codecs.sort();
        expected.sort();
        expect(
            codecs.join(",").eq_ignore_ascii_case(&expected.join(",")),
            format!("{uri}: CODECS {codecs:?}, the streams are {expected:?}"),
        );

        let Some(video) = Rates::of(package, track) else { continue };
        let (peak, average) = video.with_greatest_of(&audio);
        expect(
            near(variant.bandwidth, peak),
            format!("{uri}: BANDWIDTH {}, the peak is {peak}", variant.bandwidth),
        );
        let said = variant.average_bandwidth.unwrap_or(0);
        expect(near(said, average), format!("{uri}: AVERAGE-BANDWIDTH {said}, it is {average}"));
    }
    problems
}

/// Bit rates of a track from the sizes of its segments.
struct Rates {
    peak: f64,
    average: f64,
}

impl Rates {
    /// The peak as RFC 8216 4.1 has it: over every run of segments that lasts 0.5 to 1.5 target durations.
    fn of(package: &Package, track: &Track) -> Option<Self> {
        let facts = Facts::of(package, track).ok()?;
        let target = read_media(&package.playlist(track)).ok()?.target_duration as f64;
        let rate = |run: &[Facts]| {
            let (first, last) = (run.first()?, run.last()?);
            let seconds = (last.end - first.start) as f64 / 1e6;
            Some((run.iter().map(|facts| facts.bytes as f64 * 8.0).sum::<f64>() / seconds, seconds))
        };
        let runs = (0..facts.len()).flat_map(|a| (a + 1..=facts.len()).map(move |b| (a, b)));
        let rated = runs.filter_map(|(a, b)| rate(&facts[a..b]));
        let peaks = rated
            .filter(|(_, seconds)| (0.5 * target..=1.5 * target).contains(seconds))
            .map(|(rate, _)| rate);
        let (average, _) = rate(&facts)?;
        Some(Self { peak: peaks.fold(0.0, f64::max), average })
    }

    /// This video together with the audio of the highest rate.
    fn with_greatest_of(&self, audio: &[Self]) -> (f64, f64) {
        let greatest = |of: fn(&Self) -> f64| audio.iter().map(of).fold(0.0, f64::max);
        (self.peak + greatest(|rates| rates.peak), self.average + greatest(|rates| rates.average))
    }
}

/// Equal but for how the last bit is rounded.
fn near(said: u64, exact: f64) -> bool {
    (said as f64 - exact).abs() <= 2.0
}

// ------------------------------------------------------------------------------------------------------ hls-parser

/// Both kinds of playlist, as npm's `hls-parser` reads them in strict mode; EXTINF to the microsecond.
pub fn hls_parser(package: &Package) -> Problems {
    let answer = tools::node("parse.mjs", &[&package.root.to_string_lossy()]);
    let mut problems = tools::problems(&answer);
    problems.extend(each_track(package, None, |track| {
        let playlist = &answer["playlists"][format!("{}/playlist.m3u8", track.name)];
        let Some(segments) = playlist["segments"].as_array() else {
            return vec!["is not in the master playlist".into()];
        };
        match Facts::of(package, track) {
            Ok(facts) => extinf(&facts, segments),
            Err(problems) => problems,
        }
    }));
    problems
}

fn extinf(facts: &[Facts], segments: &[serde_json::Value]) -> Problems {
    let mut problems = Problems::new();
    if facts.len() != segments.len() {
        problems.push(format!("{} segments are named, there are {}", segments.len(), facts.len()));
    }
    let mut sum = 0;
    for (facts, segment) in facts.iter().zip(segments) {
        sum += (segment["duration"].as_f64().unwrap_or(0.0) * 1e6).round() as i64;
        // The sums are the rounded end times, so that roundings never add up; a half may be rounded either way.
        if (sum - facts.end).abs() > 1 {
            problems.push(format!(
                "the EXTINF up to {} sum to {sum} µs, it ends at {} µs",
                segment["uri"], facts.end
            ));
            break;
        }
    }
    problems
}
