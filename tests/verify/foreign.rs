//! What FFmpeg writes, copied out of a package of fragmint, has the findings that docs/verify.md explains, and no others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::command::Verdict;
use crate::package::{Package, repository, scratch};
use crate::tools;

/// Tracks as FFmpeg's streams 0 to 3, each one fragmented file with exact times: two sizes of H.264, sound, H.265.
fn sources() -> &'static [PathBuf] {
    static SOURCES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let directory = scratch("ffmpeg-sources");
        let ladder = Package::ladder();
        let hevc = Package::make("ffmpeg-h265", &["examples/ladder/234p.h265".to_owned()], &[]);
        let tracks =
            [&ladder.tracks("video")[..2], &ladder.tracks("audio")[..1], &hevc.tracks("video")].concat();
        let joined = tracks.iter().enumerate().map(|(index, track)| {
            let mut bytes = fs::read(track.join("init.mp4")).expect("an init segment");
            for number in 1.. {
                let Ok(segment) = fs::read(track.join(format!("seg-{number:05}.m4s"))) else { break };
                bytes.extend(segment);
            }
            let path = directory.join(format!("{index}.mp4"));
            fs::write(&path, bytes).expect("it can be written");
            path
        });
        joined.collect()
    })
}

/// Streams that FFmpeg encodes as 4 to 9: Opus, AC-3, E-AC-3 with six channels, FLAC of 48 and of 96 kHz, VP9.
fn encoded() -> &'static [PathBuf] {
    static ENCODED: OnceLock<Vec<PathBuf>> = OnceLock::new();
    const SINE: &str = "sine=440:duration=24:sample_rate=48000";
    const FAST: &str = "sine=440:duration=24:sample_rate=96000";
    const WAYS: [(&str, &str, &[&str]); 6] = [
        ("opus", SINE, &["-c:a", "libopus", "-ac", "2"]),
        ("ac3", SINE, &["-c:a", "ac3", "-ac", "2"]),
        ("eac3", SINE, &["-c:a", "eac3", "-ac", "6"]),
        ("flac", SINE, &["-c:a", "flac", "-ac", "2"]),
        ("flac96", FAST, &["-c:a", "flac"]),
        (
            "vp9",
            "testsrc2=s=320x180:r=25:d=24",
            &["-c:v", "libvpx-vp9", "-b:v", "100k", "-g", "50", "-deadline", "realtime", "-cpu-used", "8"],
        ),
    ];
    ENCODED.get_or_init(|| {
        let directory = scratch("ffmpeg-encoded");
        let encode = |(name, filter, words): (&str, &str, &[&str])| {
            let path = directory.join(format!("{name}.mp4"));
            let mut ffmpeg = Command::new("ffmpeg");
            ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", filter]).args(words);
            let said = tools::run(ffmpeg.args(["-strict", "-2"]).arg(&path));
            assert_eq!(said.code, Some(0), "{name}: {}", said.stderr);
            path
        };
        WAYS.map(encode).into()
    })
}

/// A way to have FFmpeg package its streams.
struct Way {
    name: &'static str,
    /// The manifest to go by.
    manifest: &'static str,
    /// Segments of all tracks that it names.
    segments: u64,
    /// Which streams, and the rest of the words behind the inputs but for `-c copy`.
    streams: &'static [&'static str],
    words: &'static [&'static str],
    /// Rules that may be named, and no others: by the manifest, and by the whole directory besides.
    rules: &'static [&'static str],
    of_directory: &'static [&'static str],
}

impl Way {
    /// Packages, and gives the manifest.
    fn make(&self) -> PathBuf {
        let directory = scratch(&format!("ffmpeg-{}", self.name));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.current_dir(&directory).args(["-nostdin", "-v", "error"]);
        for source in sources() {
            ffmpeg.arg("-i").arg(source);
        }
        if self.streams.iter().any(|stream| *stream > "3") {
            for source in encoded() {
                ffmpeg.arg("-i").arg(source);
            }
        }
        for stream in self.streams {
            ffmpeg.args(["-map", stream]);
        }
        let said = tools::run(ffmpeg.args(["-c", "copy", "-strict", "-2"]).args(self.words));
        assert_eq!(said.code, Some(0), "{}: {}", self.name, said.stderr);
        directory.join(self.manifest)
    }

    fn check(&self) {
        let manifest = self.make();
        let verdict = self.assert_nothing_else(&manifest, self.rules);
        let all = [self.rules, self.of_directory].concat();
        self.assert_nothing_else(manifest.parent().expect("a directory"), &all);
        assert_explained(&all);
        assert_eq!(verdict.sum("segments"), self.segments, "{}", self.name);
        // A frame of FLAC lasts a tenth of a second.
        assert!(verdict.sum("samples") >= 240, "{}: {}", self.name, verdict.report["tracks"]);
    }

    fn assert_nothing_else(&self, package: &Path, rules: &[&str]) -> Verdict {
        let verdict = Verdict::of(package);
        let others: Vec<_> = verdict.rules().into_iter().filter(|rule| !rules.contains(rule)).collect();
        assert!(others.is_empty(), "{}: {others:?}: {:#?}", self.name, verdict.lines());
        assert_eq!(verdict.report["not_checked"], serde_json::json!([]), "{}", self.name);
        verdict
    }
}

/// The chapter names the rules in its section on other packagers.
fn assert_explained(rules: &[&str]) {
    let chapter = fs::read_to_string(repository("docs/verify.md")).expect("the chapter");
    let (_, section) = chapter.split_once("\n## What it says of other packagers").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    for rule in rules {
        assert!(section.contains(&format!("`{rule}`")), "{rule} is not explained");
    }
}

macro_rules! ways {
    ($($name:ident: $manifest:literal $segments:literal [$($stream:literal)+] [$($word:literal)+] [$($rule:literal)*] [$($other:literal)*];)*) => {
        $(#[test] fn $name() {
            let way = Way {
                name: stringify!($name),
                manifest: $manifest,
                segments: $segments,
                streams: &[$($stream),+],
                words: &[$($word),+],
                rules: &[$($rule),*],
                of_directory: &[$($other),*],
            };
            way.check();
        })*
    };
}

// Sound is cut by itself, so it has a seventh segment.
ways! {
    hls: "master.m3u8" 19 ["0" "1" "2"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-master_pl_name" "master.m3u8"
        "-var_stream_map" "v:0,agroup:a v:1,agroup:a a:0,agroup:a,language:en"
        "-hls_segment_filename" "%v/seg-%d.m4s" "%v/index.m3u8"
    ] ["hls-codecs-missing"] [];
    hls_media_playlist: "index.m3u8" 6 ["0"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "index.m3u8"
    ] [] [];
    hls_byte_ranges: "index.m3u8" 6 ["0"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-hls_flags" "single_file" "index.m3u8"
    ] [] [];
    hls_multiplexed: "master.m3u8" 6 ["0" "2"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-master_pl_name" "master.m3u8"
        "index.m3u8"
    ] ["hls-codecs-missing"] [];
    hls_multiplexed_byte_ranges: "index.m3u8" 6 ["0" "2"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-hls_flags" "single_file" "index.m3u8"
    ] [] [];
    hls_multiplexed_in_moofs_of_their_own: "index.m3u8" 6 ["0" "2"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod"
        "-hls_segment_options" "movflags=+frag_custom+dash+delay_moov+separate_moof" "index.m3u8"
    ] [] [];
    hls_multiplexed_with_two_sounds: "index.m3u8" 6 ["0" "2" "2"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "index.m3u8"
    ] [] [];
    hls_h265: "master.m3u8" 6 ["3"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-master_pl_name" "master.m3u8"
        "-tag:v" "hvc1" "index.m3u8"
    ] ["codecs"] [];
    dash_timeline: "manifest.mpd" 19 ["0" "1" "2"] [
        "-f" "dash" "-seg_duration" "4" "-use_timeline" "1" "-adaptation_sets" "id=0,streams=v id=1,streams=a" "manifest.mpd"
    ] [] [];
    dash_number: "manifest.mpd" 18 ["0" "1" "2"] [
        "-f" "dash" "-seg_duration" "4" "-use_timeline" "0" "-adaptation_sets" "id=0,streams=v id=1,streams=a" "manifest.mpd"
    ] [] ["files-unnamed"];
    dash_segment_list: "manifest.mpd" 19 ["0" "1" "2"] [
        "-f" "dash" "-seg_duration" "4" "-use_template" "0" "-adaptation_sets" "id=0,streams=v id=1,streams=a" "manifest.mpd"
    ] [] [];
    dash_byte_ranges: "manifest.mpd" 19 ["0" "1" "2"] [
        "-f" "dash" "-seg_duration" "4" "-single_file" "1" "-adaptation_sets" "id=0,streams=v id=1,streams=a" "manifest.mpd"
    ] [] [];
    dash_with_playlists: "manifest.mpd" 19 ["0" "1" "2"] [
        "-f" "dash" "-seg_duration" "4" "-hls_playlist" "1" "-adaptation_sets" "id=0,streams=v id=1,streams=a" "manifest.mpd"
    ] [] ["hls-bandwidth"];
    dash_chunks: "manifest.mpd" 19 ["0" "1" "2"] [
        "-f" "dash" "-seg_duration" "4" "-streaming" "1" "-frag_type" "duration" "-frag_duration" "1"
        "-adaptation_sets" "id=0,streams=v id=1,streams=a" "manifest.mpd"
    ] [] [];
    dash_h265: "manifest.mpd" 6 ["3"] ["-f" "dash" "-seg_duration" "4" "manifest.mpd"] [] [];
    hls_opus: "master.m3u8" 7 ["4"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-master_pl_name" "master.m3u8"
        "index.m3u8"
    ] ["hls-codecs-missing" "init-priming" "segment-pre-roll"] [];
    dash_opus: "manifest.mpd" 7 ["4"] [
        "-f" "dash" "-dash_segment_type" "mp4" "-seg_duration" "4" "manifest.mpd"
    ] ["segment-pre-roll"] [];
    hls_ac3: "master.m3u8" 6 ["5"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-master_pl_name" "master.m3u8"
        "index.m3u8"
    ] [] [];
    dash_ac3: "manifest.mpd" 6 ["5"] [
        "-f" "dash" "-dash_segment_type" "mp4" "-seg_duration" "4" "manifest.mpd"
    ] [] [];
    hls_eac3: "master.m3u8" 6 ["6"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-master_pl_name" "master.m3u8"
        "index.m3u8"
    ] [] [];
    dash_eac3: "manifest.mpd" 6 ["6"] [
        "-f" "dash" "-dash_segment_type" "mp4" "-seg_duration" "4" "manifest.mpd"
    ] [] [];
    hls_flac: "master.m3u8" 6 ["7"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-master_pl_name" "master.m3u8"
        "index.m3u8"
    ] ["hls-codecs-missing"] [];
    dash_flac: "manifest.mpd" 6 ["7"] [
        "-f" "dash" "-dash_segment_type" "mp4" "-seg_duration" "4" "manifest.mpd"
    ] [] [];
    hls_flac_of_96_khz: "master.m3u8" 6 ["8"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-master_pl_name" "master.m3u8"
        "index.m3u8"
    ] ["hls-codecs-missing" "init-channels"] [];
    dash_flac_of_96_khz: "manifest.mpd" 6 ["8"] [
        "-f" "dash" "-dash_segment_type" "mp4" "-seg_duration" "4" "manifest.mpd"
    ] ["init-channels"] [];
    hls_vp9: "master.m3u8" 6 ["9"] [
        "-f" "hls" "-hls_time" "4" "-hls_segment_type" "fmp4" "-hls_playlist_type" "vod" "-master_pl_name" "master.m3u8"
        "index.m3u8"
    ] ["hls-bandwidth" "hls-codecs-missing"] [];
    dash_vp9: "manifest.mpd" 6 ["9"] [
        "-f" "dash" "-dash_segment_type" "mp4" "-seg_duration" "4" "manifest.mpd"
    ] [] [];
}

#[test]
fn damage_of_it_is_noticed() {
    let way = Way {
        name: "damaged",
        manifest: "manifest.mpd",
        segments: 6,
        streams: &["0"],
        words: &["-f", "dash", "-seg_duration", "4", "manifest.mpd"],
        rules: &[],
        of_directory: &[],
    };
    let manifest = way.make();
    let segment = |number| manifest.with_file_name(format!("chunk-stream0-{number:05}.m4s"));
    let read = |number| fs::read(segment(number)).expect("a segment");
    let write = |number, bytes: &[u8]| fs::write(segment(number), bytes).expect("it can be written");
    let (third, fourth) = (read(3), read(4));
    write(3, &fourth);
    write(4, &third);
    let swapped = Verdict::of(&manifest);
    assert!(swapped.code == Some(1) && swapped.rules().contains("tfdt-continuity"), "{:#?}", swapped.lines());
    write(3, &third[..third.len() / 2]);
    write(4, &fourth);
    let cut_off = Verdict::of(&manifest);
    assert!(
        cut_off.code == Some(1) && cut_off.rules().contains("segment-box-size"),
        "{:#?}",
        cut_off.lines()
    );
}
