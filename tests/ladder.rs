//! Packages of several codecs through the command: H.264 beside AV1 and H.265, with audio to choose from; read back from
//! the report, by `m3u8-rs` and by `roxmltree`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fragmint::scan::annexb::NalUnits;
use m3u8_rs::MasterPlaylist;
use serde_json::Value;

/// Both streams have groups of 50 pictures, 25 a second.
const GROUP: usize = 50;

struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    fn output(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    /// One of the ladder's streams, its first groups alone.
    fn h264(&self, name: &str, groups: usize) -> String {
        let stream = std::fs::read(repository("examples/ladder").join(name)).expect("the ladder is there");
        let mut kept = Vec::new();
        let mut pictures = 0;
        for unit in NalUnits::new(&stream).expect("a byte stream") {
            let unit = unit.expect("a sound stream").head;
            // first_mb_in_slice 0, one bit, starts a picture.
            pictures += usize::from(matches!(unit[0] & 0x1f, 1 | 5) && unit[1] & 0x80 != 0);
            if pictures > groups * GROUP {
                break;
            }
            kept.extend([0, 0, 0, 1]);
            kept.extend(unit);
        }
        let path = self.directory.path().join(name);
        std::fs::write(&path, kept).expect("room for a small file");
        path.display().to_string()
    }

    fn run(&self, words: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
        command.arg("package").args(words).arg("--json").arg("-o").arg(self.output());
        command.stdin(Stdio::null()).output().expect("the command starts")
    }

    /// The report of a package that succeeds.
    fn package(&self, words: &[&str]) -> Value {
        let run = self.run(words);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        serde_json::from_slice(&run.stdout).expect("a report")
    }

    fn fails(&self, words: &[&str], code: i32, parts: &[&str]) {
        let run = self.run(words);
        let text = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{text}");
        parts.iter().for_each(|part| assert!(text.contains(part), "'{part}' is not in: {text}"));
        assert!(!self.output().exists());
    }

    fn master(&self) -> MasterPlaylist {
        let bytes = std::fs::read(self.output().join("master.m3u8")).expect("a multivariant playlist");
        m3u8_rs::parse_master_playlist_res(&bytes).expect("a playlist that parses")
    }
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn av1(name: &str) -> String {
    repository("tests/streams").join(name).display().to_string()
}

fn aac(name: &str, settings: &str) -> String {
    format!("{},{settings}", repository("examples/ladder").join(name).display())
}

/// Where each segment of a rendition starts, in seconds.
fn starts(report: &Value, rendition: usize) -> Vec<f64> {
    let rendition = &report["renditions"][rendition];
    let timescale = rendition["timescale"].as_f64().unwrap();
    let segments = rendition["segments"].as_array().unwrap();
    segments.iter().map(|segment| segment["start"].as_f64().unwrap() / timescale).collect()
}

fn messages(report: &Value) -> Vec<String> {
    let notices = report["notices"].as_array().unwrap();
    notices
        .iter()
        .map(|n| format!("{}: {}", n["about"].as_str().unwrap(), n["message"].as_str().unwrap()))
        .collect()
}

#[test]
fn each_codec_is_a_switching_set_with_variants_of_its_own() {
    let scene = Scene::new();
    let (low, high) = (scene.h264("234p.h264", 4), scene.h264("360p.h264", 4));
    let words = [
        av1("180p.ivf"),
        high,
        av1("90p.ivf"),
        low,
        aac("en.aac", "lang=en,name=English"),
        aac("de.aac", "lang=de,name=Deutsch"),
    ];
    let report = scene.package(&words.each_ref().map(String::as_str));
    assert_eq!(report["switching_sets"], serde_json::json!([[0, 2], [1, 3], [4], [5]]));
    for video in 0..4 {
        assert_eq!(starts(&report, video), [0.0, 4.0], "{video}");
    }
    let directory = |n: usize| report["renditions"][n]["directory"].as_str().unwrap().to_owned();
    for (n, end) in ["k-av1", "k-h264", "k-av1", "k-h264"].iter().enumerate() {
        assert!(directory(n).starts_with("video/") && directory(n).ends_with(end), "{}", directory(n));
    }
    assert_eq!([directory(4), directory(5)], ["audio/English", "audio/Deutsch"]);
    assert!(!messages(&report).iter().any(|m| m.starts_with("video")), "{:?}", messages(&report));

    let master = scene.master();
    let uri = |n: usize| format!("{}/playlist.m3u8", directory(n));
    let uris: Vec<_> = master.variants.iter().map(|v| v.uri.clone()).collect();
    assert_eq!(uris, [uri(3), uri(1), uri(2), uri(0)], "H.264 first, each codec by bandwidth");
    for variant in &master.variants {
        assert_eq!(variant.audio.as_deref(), Some("audio"));
        let playlist = std::fs::read(scene.output().join(&variant.uri)).unwrap();
        let playlist = m3u8_rs::parse_media_playlist_res(&playlist).expect("a playlist that parses");
        assert_eq!(playlist.segments.len(), 2);
        let codec = variant.codecs.as_deref().unwrap();
        let family = if variant.uri.contains("-av1/") { "av01." } else { "avc1." };
        assert!(codec.starts_with(family) && codec.ends_with(",mp4a.40.2"), "{codec}");
    }
    assert_eq!(master.alternatives.len(), 2);
}

#[test]
fn the_order_of_the_inputs_does_not_change_the_multivariant_playlist_of_two_codecs() {
    let of = |swap: bool| {
        let scene = Scene::new();
        let mut words = [scene.h264("234p.h264", 4), av1("90p.ivf"), aac("en.aac", "lang=en")];
        if swap {
            words.swap(0, 1);
        }
        scene.package(&words.each_ref().map(String::as_str));
        std::fs::read_to_string(scene.output().join("master.m3u8")).unwrap()
    };
    assert_eq!(of(false), of(true));
}

#[test]
fn sets_of_different_timescales_are_cut_at_the_same_instants() {
    let scene = Scene::new();
    let words = [scene.h264("234p.h264", 2), format!("{},fps=50", av1("90p.ivf"))];
    let report = scene.package(&[&words[0], &words[1], "--segment-duration", "2"]);
    let timescale = |n: usize| report["renditions"][n]["timescale"].as_u64().unwrap();
    assert_eq!([timescale(0), timescale(1)], [25_000, 50_000]);
    assert_eq!([starts(&report, 0), starts(&report, 1)], [[0.0, 2.0], [0.0, 2.0]]);
    let master = scene.master();
    assert!(master.alternatives.is_empty() && master.variants.iter().all(|variant| variant.audio.is_none()));
}

#[test]
fn sets_that_share_no_key_frames_are_cut_each_by_itself_and_audio_follows_the_first() {
    let scene = Scene::new();
    // 24 a second: groups of 2.083 s.
    let words = [format!("{},fps=24", av1("90p.ivf")), scene.h264("234p.h264", 4), aac("en.aac", "lang=en")];
    let report = scene.package(&words.each_ref().map(String::as_str));
    assert_eq!(starts(&report, 0), [0.0, 100.0 / 24.0]);
    assert_eq!(starts(&report, 1), [0.0, 4.0]);
    // The first AAC frame at or behind 4.1667 s: of 1024 samples at 48 kHz, number 196.
    assert_eq!(starts(&report, 2)[1], 196.0 * 1024.0 / 48_000.0);
    let messages = messages(&report);
    for part in ["AV1 and H.264 are cut each by itself", "H.264 ends at 8.000 s, AV1 at 8.333 s"] {
        assert!(messages.iter().any(|m| m.starts_with("video: ") && m.contains(part)), "{messages:?}");
    }
}

#[test]
fn renditions_of_one_codec_have_to_align_beside_another_codec_too() {
    let scene = Scene::new();
    let words = [scene.h264("234p.h264", 4), av1("90p.ivf"), format!("{},fps=24", av1("180p.ivf"))];
    let parts = ["90p.ivf' ends at 8.000 s", "180p.ivf' at 8.333 s", "more than one frame apart"];
    scene.fails(&words.each_ref().map(String::as_str), 1, &parts);
}

#[test]
fn the_same_given_name_in_two_codecs_is_one_name_in_two_directories() {
    let scene = Scene::new();
    let words =
        [format!("{},name=Main", scene.h264("234p.h264", 4)), format!("{},name=Main", av1("90p.ivf"))];
    let report = scene.package(&words.each_ref().map(String::as_str));
    let directory = |n: usize| report["renditions"][n]["directory"].clone();
    assert_eq!([directory(0), directory(1)], ["video/Main-h264", "video/Main-av1"]);
}

#[test]
fn audio_of_one_language_at_two_bit_rates_is_a_switching_set() {
    let scene = Scene::new();
    // The same sound twice, which nothing tells from two bit rates of it.
    let copy = scene.directory.path().join("copy.aac");
    std::fs::copy(repository("examples/ladder/en.aac"), &copy).unwrap();
    let words = [scene.h264("234p.h264", 4), aac("en.aac", "lang=en"), format!("{},lang=en", copy.display())];
    let report = scene.package(&words.each_ref().map(String::as_str));
    assert_eq!(report["switching_sets"], serde_json::json!([[0], [1, 2]]));
}

#[test]
fn a_description_is_not_the_default() {
    let scene = Scene::new();
    let video = scene.h264("234p.h264", 4);
    let described = aac("en.aac", "lang=en,role=description,name=Described");
    let words = [video.as_str(), &described, &aac("de.aac", "lang=de")];
    scene.package(&words);
    let master = scene.master();
    let default: Vec<_> = master.alternatives.iter().map(|a| (a.name.as_str(), a.default)).collect();
    assert_eq!(default, [("Described", false), ("de", true)]);
    let asked = format!("{described},default=yes");
    Scene::new().fails(&[&video, &asked], 2, &["en.aac: ", "default=yes", "description", "leave it out"]);
}

#[test]
fn without_hls_there_are_no_playlists() {
    let scene = Scene::new();
    let video = scene.h264("234p.h264", 4);
    let report = scene.package(&[&video, "--no-hls"]);
    let receipt = std::fs::read_to_string(scene.output().join("fragmint.json")).unwrap();
    assert!(!receipt.contains("m3u8") && !scene.output().join("master.m3u8").exists(), "{receipt}");
    let files = serde_json::from_str::<Value>(&receipt).unwrap()["files"].as_array().unwrap().len() as u64;
    assert_eq!(report["files"], files + 1);
    let run = scene.run(&[&video, "--force"]);
    assert!(run.status.success() && scene.output().join("master.m3u8").exists());
}

#[test]
fn h265_stands_beside_h264_in_both_manifests() {
    let scene = Scene::new();
    let ladder = |name: &str| repository("examples/ladder").join(name).display().to_string();
    let videos = ["720p.h264", "360p.h264", "360p.h265", "234p.h265"].map(ladder);
    let sound = aac("en.aac", "lang=en");
    let words: Vec<&str> = videos.iter().chain([&sound]).map(String::as_str).collect();
    let report = scene.package(&words);
    assert_eq!(report["switching_sets"], serde_json::json!([[0, 1], [2, 3], [4]]));
    // 24 s of equal groups: all four cut alike.
    let first = starts(&report, 0);
    assert_eq!(first, [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]);
    (1..4).for_each(|rendition| assert_eq!(starts(&report, rendition), first));

    let master = std::fs::read(scene.output().join("master.m3u8")).expect("a playlist");
    let (_, master) = m3u8_rs::parse_master_playlist(&master).expect("m3u8-rs reads it");
    let codecs: Vec<_> = master.variants.iter().map(|variant| variant.codecs.as_deref().unwrap()).collect();
    assert_eq!(codecs.iter().filter(|codecs| codecs.starts_with("avc1.")).count(), 2, "{codecs:?}");
    assert_eq!(codecs.iter().filter(|codecs| codecs.starts_with("hvc1.1.6.L")).count(), 2, "{codecs:?}");
    assert!(codecs.iter().all(|codecs| codecs.ends_with(",mp4a.40.2")), "{codecs:?}");

    let text = std::fs::read_to_string(scene.output().join("manifest.mpd")).expect("a manifest");
    assert!(!text.contains("adaptation-set-switching"), "nobody switches between codecs");
    let mpd = roxmltree::Document::parse(&text).expect("roxmltree reads it");
    let named = |node: roxmltree::Node<'_, '_>, name| node.tag_name().name() == name;
    let sets: Vec<usize> = mpd
        .descendants()
        .filter(|node| named(*node, "AdaptationSet"))
        .map(|set| set.children().filter(|node| named(*node, "Representation")).count())
        .collect();
    assert_eq!(sets, [2, 2, 1]);
}

#[test]
fn one_named_sound_at_two_bit_rates_is_a_set_with_the_rate_in_its_directories() {
    let scene = Scene::new();
    let sound = |name| aac(name, "lang=en,name=English");
    let words = [scene.h264("234p.h264", 2), sound("en.aac"), sound("de.aac")];
    let report = scene.package(&words.each_ref().map(String::as_str));
    assert_eq!(report["switching_sets"], serde_json::json!([[0], [1, 2]]));
    let directory = |n: usize| report["renditions"][n]["directory"].as_str().unwrap();
    assert_eq!([directory(1), directory(2)], ["audio/English-99k", "audio/English-66k"]);
}
