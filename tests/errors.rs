//! What a person meets when something is wrong: one line that names the file, the place, the fault and the remedy; the
//! right exit code; and no trace in the output directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fragmint::scan::annexb::NalUnits;

/// A stream of one picture of 16x16, whose parameter sets have no VUI and so no frame rate.
const NO_FRAME_RATE: [u8; 24] = [
    // SPS: Baseline, level 1, order count type 2, 1x1 macroblocks, no cropping, no VUI.
    0, 0, 0, 1, 0x67, 0x42, 0x00, 0x0a, 0xdd, 0xc4, // PPS 0.
    0, 0, 1, 0x68, 0xce, 0x38, 0x80, // IDR slice of type 7 with two bytes that stand for its data.
    0, 0, 1, 0x65, 0x88, 0x84, 0x9f,
];

struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).expect("room for a small file");
        self.path(name)
    }

    fn command(&self, words: &[&Path], output: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
        command.arg("package").args(words).arg("-o").arg(output).stdin(Stdio::null());
        command
    }

    /// Packages `words` and expects an error of one line with every one of `parts`; nothing may be left.
    fn fails(&self, words: &[&Path], parts: &[&str]) {
        let output = self.path("out");
        check(&self.command(words, &output).output().expect("the command starts"), 1, parts);
        assert!(!output.exists(), "the output directory is there");
    }
}

fn check(run: &Output, code: i32, parts: &[&str]) {
    let text = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(code), "{text}");
    let line = text.strip_prefix("error: ").unwrap_or_else(|| panic!("no error: {text}"));
    assert_eq!(line.trim_end().lines().count(), 1, "{text}");
    for part in parts {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
    assert!(run.stdout.is_empty(), "{}", String::from_utf8_lossy(&run.stdout));
}

fn ladder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder").join(name)
}

/// The NAL units of one of the ladder's streams that `keep` keeps, each behind a start code.
fn filtered(name: &str, mut keep: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let stream = std::fs::read(ladder(name)).expect("the example ladder is in the repository");
    let mut kept = Vec::new();
    for unit in NalUnits::new(&stream).expect("a byte stream") {
        let unit = unit.expect("a sound stream").head;
        if keep(unit) {
            kept.extend([0, 0, 0, 1]);
            kept.extend(unit);
        }
    }
    kept
}

#[test]
fn an_empty_file() {
    let scene = Scene::new();
    scene.fails(&[&scene.file("empty.h264", b"")], &["empty.h264: ", "empty", "H.264"]);
}

#[test]
fn a_text_file() {
    let scene = Scene::new();
    scene.fails(&[&scene.file("notes.h264", b"just some words\n")], &["notes.h264: ", "text", "H.264"]);
}

#[test]
fn a_missing_file() {
    let scene = Scene::new();
    scene.fails(&[&scene.path("nowhere.h264")], &["nowhere.h264: ", "No such file", "check the path"]);
}

#[test]
fn a_stream_cut_off_in_a_slice_header() {
    let scene = Scene::new();
    // The last unit keeps its header byte and one more.
    let mut stream = filtered("720p.h264", |_| true);
    let last = stream.windows(3).rposition(|window| window == [0, 0, 1]).expect("a start code") + 3;
    stream.truncate(last + 2);
    let place = format!("cut.h264 @ {:#x}: ", last + 2);
    scene.fails(&[&scene.file("cut.h264", &stream)], &[&place, "runs past the end", "cut off"]);
}

#[test]
fn a_stream_without_a_sync_sample() {
    let scene = Scene::new();
    let stream = filtered("720p.h264", |unit| unit[0] & 0x1f != 5);
    let input = scene.file("tail.h264", &stream);
    scene.fails(&[&input], &["tail.h264: ", "no sync sample", "none of its 588 pictures"]);
    scene.fails(&[&input, Path::new("--drop-leading")], &["tail.h264", "no sync sample", "IDR"]);
}

#[test]
fn pictures_before_the_first_sync_sample() {
    let scene = Scene::new();
    let mut pictures = 0;
    let stream = filtered("720p.h264", |unit| {
        pictures += usize::from(matches!(unit[0] & 0x1f, 1 | 5));
        unit[0] & 0x1f != 5 || pictures > 1
    });
    let input = scene.file("middle.h264", &stream);
    scene.fails(&[&input], &["middle.h264 @ 0x", "49 pictures come before", "--drop-leading"]);
    let output = scene.path("out");
    let words: [&Path; 3] = [&input, Path::new("--drop-leading"), Path::new("--json")];
    let run = scene.command(&words, &output).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a report");
    assert_eq!(report["renditions"][0]["input"]["dropped"]["leading_pictures"]["units"], 49);
    assert_eq!(report["renditions"][0]["samples"], 550);
}

#[test]
fn key_frames_that_do_not_align() {
    let scene = Scene::new();
    // Without one picture that no other refers to, every later key frame is one frame early.
    let mut dropped = false;
    let stream = filtered("234p.h264", |unit| {
        let keep = dropped || unit[0] != 0x01;
        dropped |= !keep;
        keep
    });
    assert!(dropped, "the ladder has disposable pictures");
    let input = scene.file("early.h264", &stream);
    scene.fails(
        &[&ladder("720p.h264"), &input],
        &["do not align", "early.h264", "frame 100 (4.000 s)", "3.960 s", "in common: 0.000 s"],
    );
}

#[test]
fn ends_that_are_more_than_a_frame_apart() {
    let scene = Scene::new();
    let stream = filtered("234p.h264", |_| true);
    let idr: Vec<usize> = stream
        .windows(5)
        .enumerate()
        .filter(|(_, window)| window[..4] == [0, 0, 0, 1] && window[4] & 0x1f == 7)
        .map(|(at, _)| at)
        .collect();
    let shorter = &stream[..*idr.last().expect("several groups of pictures")];
    let input = scene.file("short.h264", shorter);
    scene.fails(
        &[&ladder("720p.h264"), &input],
        &["short.h264", "22.000 s", "24.000 s", "more than one frame"],
    );
}

#[test]
fn a_missing_frame_rate() {
    let scene = Scene::new();
    let input = scene.file("still.h264", &NO_FRAME_RATE);
    scene.fails(&[&input], &["still.h264: ", "frame rate", "--fps 25"]);
    // With the remedy it works.
    let output = scene.path("out");
    let run = scene.command(&[&input, Path::new("--fps=25"), Path::new("-q")], &output).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(output.join("fragmint.json").exists());
}

#[test]
fn a_socket() {
    let scene = Scene::new();
    let socket = scene.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("room for a socket");
    scene.fails(&[&socket], &["socket: ", "a socket", "write it to a file first"]);
}

#[test]
fn an_output_directory_that_cannot_be_written() {
    let scene = Scene::new();
    let obstacle = scene.file("file", b"");
    let run = scene.command(&[&ladder("234p.h264")], &obstacle.join("out")).output().unwrap();
    check(&run, 1, &["file/out", "cannot"]);
    // A directory of the system in which not even root can make one.
    let run = scene.command(&[&ladder("234p.h264")], Path::new("/proc/out")).output().unwrap();
    check(&run, 1, &["/proc/out", "cannot", "choose"]);
    let dangling = scene.path("dangling");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    let run = scene.command(&[&ladder("234p.h264")], &dangling).output().unwrap();
    check(&run, 1, &["dangling", "cannot", "symbolic link"]);
}

#[test]
fn an_output_directory_with_something_in_it() {
    let scene = Scene::new();
    let output = scene.path("out");
    std::fs::create_dir(&output).unwrap();
    std::fs::write(output.join("precious"), b"mine").unwrap();
    for force in [false, true] {
        let mut command = scene.command(&[&ladder("234p.h264")], &output);
        if force {
            command.arg("--force");
        }
        check(&command.output().unwrap(), 1, &["not empty", "precious"]);
        assert_eq!(std::fs::read(output.join("precious")).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(&output).unwrap().count(), 1);
    }
}

/// Copies of the ladder's streams with settings behind them.
fn word(stream: &str, settings: &str) -> PathBuf {
    PathBuf::from(format!("{},{settings}", ladder(stream).display()))
}

#[test]
fn settings_that_contradict_each_other_are_a_matter_of_words() {
    let scene = Scene::new();
    let output = scene.path("out");
    let cases: [(&[PathBuf], &[&str]); 6] = [
        (&[word("en.aac", "name=x"), word("en.aac", "name=x")], &["en.aac is given twice"]),
        (
            &[word("720p.h264", "name=Main"), word("360p.h264", "name=main")],
            &["720p.h264 (name=Main)", "360p.h264 (name=main)", "same name below video/"],
        ),
        (
            &[word("en.aac", "name=日本語"), word("de.aac", "name=日本語")],
            &["en.aac (name=日本語)", "de.aac (name=日本語)", "same name"],
        ),
        (
            &[word("en.aac", "default=yes"), word("de.aac", "default=yes")],
            &["de.aac: ", "en.aac", "default=yes"],
        ),
        (&[word("720p.h264", "default=yes")], &["720p.h264: ", "default=yes", "audio"]),
        (&[word("en.aac", "fps=25")], &["en.aac: ", "fps=", "leave it out"]),
    ];
    for (words, parts) in cases {
        let words: Vec<&Path> = words.iter().map(PathBuf::as_path).collect();
        check(&scene.command(&words, &output).output().unwrap(), 2, parts);
        assert!(!output.exists());
    }
}

/// The names of the directories in a directory, sorted.
fn directories(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).expect("the directory is there");
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn names_that_differ_on_disk_or_by_kind_may_stand_together() {
    let scene = Scene::new();
    let output = scene.path("out");
    let words = [
        word("720p.h264", "name=v1.1"),
        word("360p.h264", "name=v1-1"),
        word("en.aac", "name=v1.1"),
        word("en.aac", "name=日本語"),
        word("de.aac", "name=中文,lang=zh"),
    ];
    let words: Vec<&Path> = words.iter().map(PathBuf::as_path).collect();
    let run = scene.command(&words, &output).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(directories(&output.join("video")), ["v1-1", "v1.1"]);
    let audio = directories(&output.join("audio"));
    assert_eq!(audio.len(), 3, "{audio:?}");
    assert!(audio[0].starts_with("audio-") && audio[1] == "v1.1" && audio[2].starts_with("zh-"), "{audio:?}");
    let master = std::fs::read_to_string(output.join("master.m3u8")).unwrap();
    assert!(master.contains("NAME=\"日本語\"") && master.contains("NAME=\"中文\""), "{master}");
}

#[test]
fn a_value_that_the_standard_forbids() {
    let scene = Scene::new();
    let mut stream = NO_FRAME_RATE;
    stream[20] |= 0x80;
    let input = scene.file("damaged.h264", &stream);
    scene.fails(
        &[&input],
        &["damaged.h264 @ 0x14: forbidden_zero_bit is 1, must be 0", "; the stream is damaged there"],
    );
}

#[test]
fn an_incomplete_audio_frame() {
    let scene = Scene::new();
    let mut stream = std::fs::read(ladder("en.aac")).unwrap();
    stream.pop();
    scene.fails(&[&scene.file("cut.aac", &stream)], &["cut.aac @ 0x", "--drop-incomplete"]);
}

/// One of the AV1 streams, as it is: IVF.
fn av1(name: &str) -> Vec<u8> {
    let streams = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams");
    std::fs::read(streams.join(name)).expect("the stream is in the repository")
}

/// Offset and payload of each frame of an IVF file.
fn ivf_frames(ivf: &[u8]) -> Vec<(usize, &[u8])> {
    let (mut frames, mut at) = (Vec::new(), 32);
    while let Some((size, _)) = ivf[at..].split_first_chunk() {
        let end = at + 12 + u32::from_le_bytes(*size) as usize;
        frames.push((at, &ivf[at + 12..end]));
        at = end;
    }
    frames
}

/// The AV1 of an IVF file as a stream of OBUs.
fn obus(ivf: &[u8]) -> Vec<u8> {
    ivf_frames(ivf).into_iter().flat_map(|(_, payload)| payload.to_vec()).collect()
}

#[test]
fn an_incomplete_frame_of_ivf() {
    let scene = Scene::new();
    let mut ivf = av1("90p.ivf");
    let last = ivf_frames(&ivf).pop().expect("it has frames").0;
    ivf.pop();
    let input = scene.file("cut.ivf", &ivf);
    let place = format!("cut.ivf @ {last:#x}: the last frame has only ");
    scene.fails(&[&input], &[&place, "copy the file again", "--drop-incomplete"]);

    let words: [&Path; 3] = [&input, Path::new("--drop-incomplete"), Path::new("--json")];
    let run = scene.command(&words, &scene.path("out")).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a report");
    let rendition = &report["renditions"][0];
    assert_eq!(rendition["samples"], 199);
    assert_eq!(rendition["codec"].as_str().map(|codec| &codec[..7]), Some("av01.0."));
    let dropped = &rendition["input"]["dropped"]["incomplete_frames"];
    assert_eq!((&dropped["units"], &dropped["bytes"]), (&1.into(), &(ivf.len() - last).into()));
    let notice = report["notices"][0]["message"].as_str().expect("a notice");
    assert!(notice.contains("dropped at the end") && notice.contains("0.040 s"), "{notice}");
}

#[test]
fn an_incomplete_stream_of_obus() {
    let scene = Scene::new();
    let mut stream = obus(&av1("90p.ivf"));
    stream.pop();
    let input = scene.file("cut.obu", &stream);
    let words = [&input, Path::new("--fps=25")];
    scene.fails(&words, &["cut.obu @ 0x", "obu_size is ", "bytes follow (AV1 5.3.1)", "--drop-incomplete"]);
    let words: [&Path; 4] =
        [&input, Path::new("--fps=25"), Path::new("--drop-incomplete"), Path::new("--json")];
    let run = scene.command(&words, &scene.path("out")).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a report");
    assert_eq!(report["renditions"][0]["samples"], 199);
}

#[test]
fn an_obu_that_runs_past_its_ivf_frame() {
    let scene = Scene::new();
    let mut ivf = av1("90p.ivf");
    // A temporal delimiter and one frame, whose size has one byte.
    let frames = ivf_frames(&ivf);
    let one = |frame: &[u8]| frame[2] == 0x32 && frame[3] < 0x7f && frame.len() == 4 + usize::from(frame[3]);
    let at = frames.iter().find(|(_, frame)| one(frame)).expect("the stream has such a frame").0;
    ivf[at + 12 + 3] += 1;
    let place = format!("long.ivf @ {:#x}: obu_size is ", at + 12 + 2);
    scene.fails(
        &[&scene.file("long.ivf", &ivf)],
        &[&place, "in its IVF frame (AV1 5.3.1); the file is damaged"],
    );
}

#[test]
fn a_sequence_header_that_changes() {
    let scene = Scene::new();
    let ivf = [av1("90p.ivf"), av1("180p.ivf")[32..].to_vec()].concat();
    let second = av1("90p.ivf").len() + 12 + 2;
    let place = format!("both.ivf @ {second:#x}: ");
    scene.fails(&[&scene.file("both.ivf", &ivf)], &[&place, "sequence header"]);
}

#[test]
fn a_tile_list() {
    let scene = Scene::new();
    let mut stream = obus(&av1("90p.ivf"));
    let at = stream.len();
    stream.extend([8 << 3 | 2, 4, 0, 0, 0, 0]);
    let place = format!("tiles.obu @ {at:#x}: ");
    scene.fails(
        &[&scene.file("tiles.obu", &stream), Path::new("--fps=25")],
        &[&place, "a tile list OBU: not supported; AV1-ISOBMFF 2.4"],
    );
}

#[test]
fn other_av1_and_other_ivf() {
    let scene = Scene::new();
    let mut vp8 = av1("90p.ivf");
    vp8[8..12].copy_from_slice(b"VP80");
    scene.fails(&[&scene.file("vp8.ivf", &vp8)], &["vp8.ivf @ 0x8: VP8 in IVF: not supported; give AV1"]);
    // A temporal delimiter and a sequence header without size fields, behind the sizes of Annex B.
    let annex_b = [0x92, 1, 0x90, 1, 1, 0x10, 11, 0x08, 0, 0, 0, 2, 0xaf];
    scene.fails(
        &[&scene.file("b.obu", &annex_b)],
        &[
            "b.obu @ 0x0: temporal_unit_size is 146, but only 11 bytes follow (AV1 Annex B)",
            "--drop-incomplete",
        ],
    );
}

#[test]
fn video_of_two_codecs_that_is_not_the_same_content() {
    let scene = Scene::new();
    let av1 = scene.file("a.ivf", &av1("90p.ivf"));
    scene.fails(
        &[&ladder("234p.h264"), &ladder("en.aac"), &av1],
        &[
            "AV1 ends at 8.000 s, H.264 at 24.000 s",
            "further apart than a segment",
            "encode the same content",
        ],
    );
}

#[test]
fn av1_without_a_frame_rate() {
    let scene = Scene::new();
    let ivf = av1("90p.ivf");
    let stream = scene.file("a.obu", &obus(&ivf));
    scene
        .fails(&[&stream], &["a.obu: the stream does not say its frame rate", "sequence header", "--fps 25"]);

    // The fourth frame comes one unit of the time base late, with the fifth, whose sample begins behind a temporal delimiter.
    let ((at, _), (next, _)) = (ivf_frames(&ivf)[3], ivf_frames(&ivf)[4]);
    let mut late = ivf.clone();
    late[at + 4] += 1;
    let input = scene.file("late.ivf", &late);
    let place =
        format!("late.ivf @ {:#x}: the timestamp 4 is not behind that of the picture before, 4", next + 14);
    scene.fails(&[&input], &[&place, "IVF frame header", "fps=", "timecodes="]);
    // With a rate it works, and is told.
    let run = scene.command(&[&input, Path::new("--fps=25")], &scene.path("out")).output().unwrap();
    let text = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && text.contains("every picture lasts as long, 25 in a second"), "{text}");
}

#[test]
fn av1_that_starts_in_the_middle() {
    let scene = Scene::new();
    // The first frame, with its sequence header, is missing; the next key frame is the fifty-first.
    let ivf = av1("90p.ivf");
    let second = ivf_frames(&ivf)[1].0;
    let input = scene.file("middle.ivf", &[&ivf[..32], &ivf[second..]].concat());
    scene.fails(&[&input], &["middle.ivf @ 0x", "49 pictures come before", "AV1", "--drop-leading"]);
    let words: [&Path; 3] = [&input, Path::new("--drop-leading"), Path::new("--json")];
    let run = scene.command(&words, &scene.path("out")).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a report");
    assert_eq!(report["renditions"][0]["input"]["dropped"]["leading_pictures"]["units"], 49);
    assert_eq!(report["renditions"][0]["samples"], 150);
}
