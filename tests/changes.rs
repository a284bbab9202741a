//! Streams of `tests/streams` that change in the middle, packaged by the command: what the playlists and the MPD say, and, judged by
//! FFmpeg, that every period shows the pictures of its part of the source with nothing but its own init segment.

#[allow(dead_code)]
#[path = "end_to_end/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fragmint::ErrorKind;
use fragmint::codec::ParameterSetPlacement;
use fragmint::manifest::hls::{target_duration, write_media};
use fragmint::presentation::{OnChange, PackagedTrack, Presentation};
use fragmint::scan::annexb::NalUnits;
use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::Timescale;
use m3u8_rs::MediaPlaylist;
use tools::Said;

const SOUND: &str = "examples/ladder/en.aac";

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn stream(name: &str) -> PathBuf {
    source("tests/streams").join(name)
}

/// What the command says to these inputs, and where the package is.
fn package(inputs: &[&Path], options: &[&str]) -> (Said, tempfile::TempDir) {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    command.arg("package").args(inputs).args(options);
    if !options.contains(&"--segment-duration") {
        command.args(["--segment-duration", "2"]);
    }
    (tools::run(command.arg("-o").arg(root.path().join("out"))), root)
}

fn packaged(inputs: &[&Path], options: &[&str]) -> (Said, tempfile::TempDir) {
    let (said, root) = package(inputs, options);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    (said, root)
}

fn refused(inputs: &[&Path], options: &[&str], parts: &[&str]) {
    let (said, root) = package(inputs, options);
    assert_ne!(said.code, Some(0));
    for part in parts {
        assert!(said.stderr.contains(part), "{part:?}: {}", said.stderr);
    }
    assert!(!root.path().join("out/master.m3u8").exists());
}

/// What `fragmint verify` says of a package, or a playlist in it.
fn verified(target: &Path, options: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    tools::run(command.arg("verify").args(options).arg(target))
}

/// The directory of the track whose name starts like this.
fn track(root: &Path, kind: &str, start: &str) -> PathBuf {
    let all = fs::read_dir(root.join("out").join(kind)).expect("a directory of tracks");
    let mut named = all.map(|entry| entry.expect("it can be read").path());
    named
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)))
        .expect(start)
}

fn playlist(track: &Path) -> MediaPlaylist {
    let text = fs::read(track.join("playlist.m3u8")).expect("a track has a playlist");
    let (rest, playlist) = m3u8_rs::parse_media_playlist(&text).expect("it parses");
    assert!(rest.is_empty());
    playlist
}

/// Each period of a playlist: its init segment, and the segments behind it.
fn periods(track: &Path) -> Vec<(String, Vec<PathBuf>)> {
    let mut periods: Vec<(String, Vec<PathBuf>)> = Vec::new();
    for segment in playlist(track).segments {
        assert_eq!(segment.discontinuity, !periods.is_empty() && segment.map.is_some());
        if let Some(map) = &segment.map {
            periods.push((map.uri.clone(), Vec::new()));
        }
        periods.last_mut().expect("a map comes first").1.push(track.join(segment.uri));
    }
    periods
}

/// FFmpeg's name for files read as if they were one.
fn concatenated(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    format!("concat:{}", names.join("|"))
}

/// Hashes of the decoded pictures of `input`.
fn decode(input: &str) -> Vec<String> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-nostdin", "-v", "error", "-xerror", "-i", input, "-map", "0:v:0"]);
    let said = tools::run(ffmpeg.args([
        "-vsync",
        "passthrough",
        "-autoscale",
        "0",
        "-f",
        "framehash",
        "-hash",
        "md5",
        "-",
    ]));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{input}");
    let hashes = said.stdout.lines().filter(|line| !line.starts_with('#'));
    hashes.map(|line| line.rsplit(',').next().expect("a hash").trim().to_owned()).collect()
}

/// Decodes each period by itself and compares all with the source; gives how many pictures each has.
fn compare(track: &Path, source: &Path) -> Vec<usize> {
    let parts: Vec<_> = periods(track)
        .into_iter()
        .map(|(init, segments)| decode(&concatenated(&[&[track.join(init)], &segments[..]].concat())))
        .collect();
    assert_eq!(parts.concat(), decode(&source.display().to_string()), "{}", track.display());
    parts.iter().map(Vec::len).collect()
}

fn inits(track: &Path) -> Vec<(String, usize)> {
    periods(track).into_iter().map(|(init, segments)| (init, segments.len())).collect()
}

fn texts(inits: &[(&str, usize)]) -> Vec<(String, usize)> {
    inits.iter().map(|&(init, segments)| (init.to_owned(), segments)).collect()
}

#[test]
fn a_stream_that_changes_has_a_period_for_each_part() {
    let (changing, steady, sound) = (stream("changes.h264"), stream("changes-not.h264"), source(SOUND));
    let (said, root) = packaged(&[&changing, &steady, &sound], &["--on-change", "new-period"]);
    for part in ["sequence parameter set 0 changes", "picture 50", "picture 100"] {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    let root = root.path();
    let [changed, unchanged] = ["90p", "54p"].map(|name| track(root, "video", name));
    let audio = track(root, "audio", "");
    assert_eq!(inits(&changed), texts(&[("init.mp4", 1), ("init-2.mp4", 1), ("init-3.mp4", 1)]));
    assert_eq!(inits(&unchanged), texts(&[("init.mp4", 1), ("init.mp4", 1), ("init.mp4", 1)]));
    // The sound goes on for 24 s.
    assert_eq!(inits(&audio), texts(&[("init.mp4", 1), ("init.mp4", 1), ("init.mp4", 10)]));
    assert_eq!(compare(&changed, &changing), [50, 50, 50]);
    assert_eq!(compare(&unchanged, &steady), [50, 50, 50]);

    let master = fs::read_to_string(root.join("out/master.m3u8")).expect("a package has one");
    assert!(
        master.contains(r#"CODECS="avc1.4D400B,avc1.64000B,avc1.64000A,mp4a.40.2",RESOLUTION=160x90,"#),
        "{master}"
    );

    let mpd = fs::read_to_string(root.join("out/manifest.mpd")).expect("a package has one");
    let mpd = roxmltree::Document::parse(&mpd).expect("it is XML");
    let all = |name: &'static str| mpd.descendants().filter(move |node| node.has_tag_name(name));
    let periods: Vec<_> = all("Period")
        .map(|period| [period.attribute("start").unwrap(), period.attribute("duration").unwrap()])
        .collect();
    assert_eq!(periods, [["PT0S", "PT2S"], ["PT2S", "PT2S"], ["PT4S", "PT20.021334S"]]);
    let of = |representation: &str, attribute: &str| -> Vec<String> {
        all("SegmentTemplate")
            .filter(|template| template.parent().unwrap().attribute("id").unwrap().contains(representation))
            .map(|template| template.attribute(attribute).unwrap_or("none").to_owned())
            .collect()
    };
    let numbers = of("video/90p", "startNumber");
    assert_eq!(numbers, ["1", "2", "3"]);
    assert_eq!(of("video/90p", "presentationTimeOffset"), ["none", "50000", "100000"]);
    // The first sample behind 2 s, and behind 4 s, is 256, and 512, ticks late.
    assert_eq!(of("audio/", "presentationTimeOffset"), ["none", "96000", "192000"]);
    let starts: Vec<_> = all("S").filter_map(|s| s.attribute("t")).collect();
    assert_eq!(starts, ["0", "0", "0", "50000", "50000", "96256", "100000", "100000", "192512"]);
    let names = of("video/90p", "initialization");
    assert!(names[1].ends_with("/init-2.mp4") && names[2].ends_with("/init-3.mp4"), "{names:?}");
    // Nothing is wrong with the whole, and with its playlists by themselves. Sound that is longer than the pictures is told.
    for target in ["out", "out/master.m3u8"] {
        let said = verified(&root.join(target), &[]);
        assert_eq!(said.code, Some(0), "{target}: {}", said.stdout);
    }
}

/// The first `count` frames of the ADTS file `SOUND`.
fn sound(root: &Path, count: usize) -> PathBuf {
    let bytes = fs::read(source(SOUND)).expect("the ladder is committed");
    let mut end = 0;
    for _ in 0..count {
        let header = &bytes[end..end + 6];
        end += usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
    }
    let path = root.join(format!("{count}.aac"));
    fs::write(&path, &bytes[..end]).expect("a small file");
    path
}

#[test]
fn several_periods_are_a_package_that_nothing_is_found_in() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    // 6 s, and 4 s, at 48 kHz.
    let [six, four] = [282, 188].map(|count| sound(scratch.path(), count));
    let [h264, steady, h265] = ["changes.h264", "changes-not.h264", "changes.h265"].map(stream);
    let cases: [&[&Path]; 5] = [
        &[&h264],
        &[&h264, &six],
        &[&h264, &steady, &six],
        &[&h265, &four],
        // Sound that ends with the second period, and within a segment of the end of the last.
        &[&h264, &steady, &six, &four],
    ];
    for inputs in cases {
        for options in [&[][..], &["--parameter-sets", "in-band"], &["--segment-duration", "1"]] {
            let options = [options, &["--on-change", "new-period"]].concat();
            let (_, root) = packaged(inputs, &options);
            let said = verified(&root.path().join("out"), &["--strict"]);
            assert_eq!(said.code, Some(0), "{inputs:?} {options:?}: {}", said.stdout);
        }
    }
}

#[test]
fn sound_that_ends_within_a_period_is_no_error() {
    let [h264, opus, flac] = ["changes.h264", "opus.opus", "fixed.flac"].map(stream);
    let (_, root) = packaged(&[&h264, &opus, &flac, &source(SOUND)], &["--on-change", "new-period"]);
    let said = verified(&root.path().join("out"), &[]);
    assert_eq!(said.code, Some(0), "{}", said.stdout);
    assert!(!said.stdout.contains("error"), "{}", said.stdout);
}

#[test]
fn blocks_of_sound_that_last_two_seconds_start_periods_late() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let long = scratch.path().join("long.flac");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=duration=9:sample_rate=16000"]);
    let said = tools::run(ffmpeg.args(["-c:a", "flac", "-frame_size", "32768"]).arg(&long));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let options = ["--on-change", "new-period", "--segment-duration", "4"];
    let (_, root) = packaged(&[&stream("changes.h265"), &long], &options);
    assert_eq!(periods(&track(root.path(), "audio", "")).len(), 2);
}

#[test]
fn the_report_has_every_period() {
    let (h264, sound) = (stream("changes.h264"), source(SOUND));
    let (said, _root) = packaged(&[&h264, &sound], &["--on-change", "new-period", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    let periods = |rendition: usize| report["renditions"][rendition]["periods"].clone();
    let video = |first: u32, init: &str, codec: &str, width: u32, height: u32| serde_json::json!({"first_segment": first, "init": init, "codec": codec, "width": width, "height": height});
    let first = video(1, "init.mp4", "avc1.4D400B", 160, 90);
    let second = video(2, "init-2.mp4", "avc1.64000B", 160, 90);
    assert_eq!([&periods(0)[0], &periods(0)[1]], [&first, &second]);
    assert_eq!(periods(0)[2]["init"], "init-3.mp4");
    assert_ne!(periods(0)[2]["height"], 90);
    let sound = serde_json::json!({"first_segment": 3, "init": "init.mp4", "codec": "mp4a.40.2"});
    assert_eq!((periods(1)[2].clone(), periods(1).as_array().map(Vec::len)), (sound, Some(3)));
}

#[test]
fn in_band_only_another_format_starts_a_period() {
    let changing = stream("changes.h264");
    let (_, root) = packaged(&[&changing], &["--on-change", "new-period", "--parameter-sets", "in-band"]);
    let track = track(root.path(), "video", "90p");
    assert_eq!(inits(&track), texts(&[("init.mp4", 2), ("init-2.mp4", 1)]));
    assert_eq!(compare(&track, &changing), [100, 50]);
}

#[test]
fn h265_changes_likewise() {
    let changing = stream("changes.h265");
    for options in
        [&["--on-change", "new-period"][..], &["--on-change", "new-period", "--parameter-sets", "in-band"]]
    {
        let (_, root) = packaged(&[&changing], options);
        let track = track(root.path(), "video", "90p");
        assert_eq!(inits(&track), texts(&[("init.mp4", 1), ("init-2.mp4", 1)]));
        assert_eq!(compare(&track, &changing), [50, 50]);
    }
}

#[test]
fn what_is_not_allowed_is_refused_with_both_places_and_the_remedy() {
    let changing = stream("changes.h264");
    refused(
        &[&changing],
        &["--parameter-sets", "sample-entry"],
        &[
            "changes.h264 @ 0x1069",
            "sequence parameter set 0 differs",
            "at 0x4;",
            "--parameter-sets in-band",
            "--on-change new-period",
        ],
    );
    for options in [&[][..], &["--parameter-sets", "in-band"]] {
        refused(
            &[&changing],
            options,
            &["@ 0x2353", "resolution changes", "at 0x2c on", "--on-change new-period"],
        );
    }
    // At 24 frames a second the other rendition has no key frame where this one changes.
    let slower = PathBuf::from(format!("{},fps=24", stream("changes-not.h264").display()));
    refused(
        &[&changing, &slower],
        &["--on-change", "new-period"],
        &[
            "at 2.000 s",
            "changes-not.h264' has no key frame",
            "frame 25 (1.042 s) and frame 50 (2.083 s)",
            "in common: 0.000 s",
        ],
    );
}

#[test]
fn a_change_in_front_of_no_key_frame_is_refused() {
    let (_scratch, middle) = edited(&stream("changes.h264"), |units| {
        // The first key frame of the second part.
        let key = (0..units.len()).filter(|&n| units[n][0] & 31 == 5).nth(2).expect("six key frames");
        [&units[..key], &units[key + 1..]].concat()
    });
    refused(
        &[&middle],
        &["--on-change", "new-period"],
        &[
            "sequence parameter set 0 changes at 0x106b",
            "since 0x4",
            "is not an IDR picture",
            "--parameter-sets in-band",
        ],
    );
}

#[test]
fn an_interrupted_run_goes_on_and_a_finished_one_is_the_same_again() {
    let (changing, sound) = (stream("changes.h264"), source(SOUND));
    let options = ["--on-change", "new-period"];
    let (_, root) = packaged(&[&changing, &sound], &options);
    let receipt = fs::read_to_string(root.path().join("out/fragmint.json")).expect("a receipt");
    for part in ["init-2.mp4", "init-3.mp4", r#""on_change": "new-period""#] {
        assert!(receipt.contains(part), "{part}");
    }
    let mut again = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    again.arg("package").args([&changing, &sound]).args(["--segment-duration", "2"]).args(options);
    let said = tools::run(again.arg("--resume").arg("-o").arg(root.path().join("out")));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let (_, other) = packaged(&[&changing, &sound], &["--on-change", "new-period", "--threads", "1"]);
    assert_eq!(receipt, fs::read_to_string(other.path().join("out/fragmint.json")).expect("a receipt"));
    // Of another option it is another package.
    let mut other_way = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    other_way.arg("package").args([&changing, &sound]).args([
        "--segment-duration",
        "2",
        "--parameter-sets",
        "in-band",
    ]);
    let said = tools::run(other_way.args(options).arg("--resume").arg("-o").arg(root.path().join("out")));
    assert_ne!(said.code, Some(0));
    assert!(said.stderr.contains("other inputs or options"), "{}", said.stderr);
}

/// Pushes the pictures of `stream` one by one, and cuts where one asks for it; gives the track and how often
/// one did. With `reserve` packets go through reservations.
fn segmented(
    output: &Path,
    stream: &Path,
    codec: CodecConfig,
    reserve: bool,
) -> fragmint::Result<(PackagedTrack, usize)> {
    let timescale = Timescale::new(25_000.try_into().unwrap());
    let mut config = SegmenterConfig::new(output, "video/90p", codec, timescale);
    config.on_change = OnChange::NewPeriod;
    let mut segmenter = Segmenter::new(config)?;
    let mut asked = 0;
    for packet in &packets(stream) {
        let timing = SampleTiming::new(1000);
        let taken = if reserve {
            let mut place = segmenter.reserve(packet.len())?;
            place.copy_from_slice(packet);
            place.commit(packet.len(), timing)
        } else {
            segmenter.push(packet, timing)
        };
        let Err(error) = taken else { continue };
        let ErrorKind::CutFirst { .. } = error.kind() else { return Err(error) };
        asked += 1;
        // It is refused again as long as nothing is cut, and nothing has changed.
        let (pending, dropped) = (segmenter.pending_duration(), segmenter.dropped());
        assert!(matches!(segmenter.push(packet, timing).unwrap_err().kind(), ErrorKind::CutFirst { .. }));
        assert_eq!((segmenter.pending_duration(), segmenter.dropped()), (pending, dropped));
        assert!(segmenter.cut()?.is_some());
        let kept = segmenter.take_refused();
        assert_eq!(kept.as_deref(), reserve.then_some(&packet[..]));
        segmenter.push(packet, timing)?;
    }
    Ok((segmenter.finish()?, asked))
}

/// The access units of a stream with one slice a picture, as an encoder gives them.
fn packets(stream: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(stream).expect("a stream");
    let is_h265 = stream.extension().is_some_and(|name| name == "h265");
    let mut packets = vec![Vec::new()];
    for unit in NalUnits::new(&bytes).expect("an Annex B stream") {
        let unit = unit.expect("it is whole").head;
        let packet = packets.last_mut().expect("there is one");
        packet.extend([&[0, 0, 0, 1], unit].concat());
        let is_slice = if is_h265 { unit[0] >> 1 < 32 } else { matches!(unit[0] & 31, 1 | 5) };
        if is_slice {
            packets.push(Vec::new());
        }
    }
    packets.pop();
    packets
}

#[test]
fn a_segmenter_starts_periods_where_packets_change_once_it_is_cut() {
    let in_band = |codec: CodecConfig| match codec {
        CodecConfig::Avc { known_parameter_sets, video, .. } => {
            CodecConfig::Avc { parameter_sets: ParameterSetPlacement::InBand, known_parameter_sets, video }
        }
        other => other,
    };
    let cases = [
        ("changes.h264", CodecConfig::avc(), &[][..], 3),
        (
            "changes.h264",
            in_band(CodecConfig::avc()),
            &["--parameter-sets", "in-band", "--segment-duration", "4"],
            2,
        ),
        ("changes.h265", CodecConfig::hevc(), &[], 2),
    ];
    for (name, codec, options, periods) in cases {
        let stream = stream(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
        let default = if options.is_empty() { &["--segment-duration", "2"][..] } else { &[] };
        command.arg("package").arg(&stream).args(["--on-change", "new-period"]).args(default).args(options);
        let said = tools::run(command.arg("-o").arg(root.path().join("out")));
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let packaged = track(root.path(), "video", "90p");
        for reserve in [false, true] {
            let output = root.path().join(format!("segmenter-{reserve}"));
            let (track, asked) = segmented(&output, &stream, codec.clone(), reserve).unwrap();
            assert_eq!((asked, track.changes().len()), (periods - 1, periods - 1), "{name}");
            let own = output.join("video/90p");
            for segment in track.segments() {
                assert!(
                    fs::read(&segment.path).unwrap() == fs::read(packaged.join(&segment.uri)).unwrap(),
                    "{name}"
                );
            }
            let target = target_duration(&Presentation::new(vec![track.clone()], vec![]).unwrap());
            let text = write_media(&track, target).unwrap();
            assert_eq!(text, fs::read_to_string(packaged.join("playlist.m3u8")).unwrap());
            fs::write(own.join("playlist.m3u8"), text).unwrap();
            assert_eq!(compare(&own, &stream).len(), periods);
            let paths = track.changes().iter().map(|change| &change.init_path);
            assert!(std::iter::once(&track.init_path().to_owned()).chain(paths).all(|path| path.exists()));
        }
    }
}

#[test]
fn a_segmenter_forgets_a_period_with_what_is_discarded_and_takes_no_change_within_a_packet() {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let timescale = Timescale::new(25_000.try_into().unwrap());
    let mut config = SegmenterConfig::new(root.path(), "video", CodecConfig::avc(), timescale);
    config.on_change = OnChange::NewPeriod;
    let (packets, timing) = (packets(&stream("changes.h264")), SampleTiming::new(1000));
    let push = |segmenter: &mut Segmenter, range: std::ops::Range<usize>| {
        for packet in &packets[range] {
            segmenter.push(packet, timing).unwrap();
        }
    };
    let mut segmenter = Segmenter::new(config.clone()).unwrap();
    push(&mut segmenter, 0..25);
    segmenter.cut().unwrap();
    // The second part begins, and goes again; then the first goes on.
    segmenter.push(&packets[50], timing).unwrap();
    assert_eq!(segmenter.discard_pending(), 1);
    push(&mut segmenter, 25..50);
    segmenter.cut().unwrap();
    assert!(!root.path().join("video/init-2.mp4").exists());
    // One packet with the end of one part and the start of the other.
    let error = segmenter.push(&[&packets[25][..], &packets[50]].concat(), timing).unwrap_err().to_string();
    assert!(error.contains("within a packet") && error.contains("packets of their own"), "{error}");
    push(&mut segmenter, 50..75);
    let track = segmenter.finish().unwrap();
    assert_eq!(
        track.changes().iter().map(|change| (change.first, &*change.init)).collect::<Vec<_>>(),
        [(2, "init-2.mp4")]
    );

    let error = Segmenter::new(SegmenterConfig { write_init: false, ..config }).unwrap_err().to_string();
    assert!(error.contains("new periods are asked for"), "{error}");
}

/// A file of the NAL units that `edit` makes of those of `path`.
fn edited(path: &Path, edit: impl FnOnce(Vec<Vec<u8>>) -> Vec<Vec<u8>>) -> (tempfile::TempDir, PathBuf) {
    let bytes = fs::read(path).expect("a stream");
    let units = NalUnits::new(&bytes)
        .expect("an Annex B stream")
        .map(|unit| unit.expect("it is whole").head.to_vec());
    let units: Vec<Vec<u8>> = units.collect();
    let edited: Vec<u8> = edit(units).iter().flat_map(|unit| [&[0, 0, 0, 1], &unit[..]].concat()).collect();
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let file = root.path().join("middle.h264");
    fs::write(&file, edited).expect("a small file");
    (root, file)
}
