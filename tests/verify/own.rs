//! What fragmint packages is sound: by the directory, and by each manifest alone.

use std::fs;
use std::path::PathBuf;

use fragmint::scan::annexb::NalUnits;
use serde_json::Value;

use crate::command::{Verdict, verify};
use crate::hand_made::h264::field_streams;
use crate::package::{Package, first_groups, scratch};

/// Nothing is found by any way in, and everything there was looked at.
fn assert_sound(package: &Package) {
    let verdict = Verdict::of(&package.root);
    assert_eq!((verdict.code, verdict.lines()), (Some(0), Vec::new()));
    let files = package.files();
    let of = |extension: &str| {
        files
            .iter()
            .filter(|file| file.extension().is_some_and(|found| found == extension))
            .collect::<Vec<_>>()
    };
    let bytes = |path: &&PathBuf| fs::metadata(package.root.join(path)).expect("a file").len();
    let tracks = verdict.report["tracks"].as_array().expect("a list of tracks");
    assert_eq!(tracks.len(), of("mp4").len(), "a track for each init segment: {tracks:?}");
    assert_eq!(verdict.sum("segments"), of("m4s").len() as u64);
    assert_eq!(verdict.report["bytes"], of("m4s").iter().map(bytes).sum::<u64>());
    assert_eq!(verdict.report["files"], files.len() as u64 - 1, "all but the receipt");
    assert_eq!(verdict.report["receipt"], true);
    assert_eq!(verdict.report["not_checked"], Value::Array(Vec::new()));
    for manifest in [of("m3u8"), of("mpd")].concat() {
        let verdict = Verdict::of(&package.root.join(manifest));
        assert_eq!((verdict.code, verdict.lines()), (Some(0), Vec::new()), "{}", manifest.display());
        assert!(verdict.sum("samples") > 0, "{}", manifest.display());
        assert_eq!(verdict.report["receipt"], false, "{}", manifest.display());
    }
    let said = verify(&[package.root.as_os_str(), "--strict".as_ref()]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let last = said.stdout.lines().last().expect("a verdict");
    assert!(last.starts_with("sound: ") && last.ends_with(", nothing found"), "{last}");
}

/// A test for each line: what these inputs make with these options is sound.
macro_rules! sound {
    ($($name:ident: [$($input:expr),+] [$($option:expr),*];)*) => {
        $(#[test] fn $name() {
            let inputs = [$(String::from($input)),+];
            let package = Package::make(stringify!($name), &inputs, &[$($option),*]);
            assert_sound(&package);
        })*
    };
}

fn ladder(file: &str) -> String {
    format!("examples/ladder/{file}")
}

fn stream(file: &str) -> String {
    format!("tests/streams/{file}")
}

sound! {
    h264_of_two_seconds: [ladder("360p.h264"), ladder("234p.h264"), ladder("en.aac,lang=en")] ["--segment-duration", "2"];
    h264_of_six_seconds: [ladder("360p.h264"), ladder("en.aac")] ["--segment-duration", "6"];
    h264_alone: [ladder("234p.h264")] [];
    h264_of_another_rate: [ladder("234p.h264")] ["--fps", "30000/1001"];
    h265: [ladder("360p.h265"), ladder("234p.h265"), ladder("de.aac,lang=de")] [];
    mixed: [ladder("360p.h264"), ladder("234p.h264"), ladder("360p.h265"), ladder("en.aac"), ladder("de.aac,lang=de")] [];
    no_hls: [ladder("360p.h264"), ladder("en.aac")] ["--no-hls"];
    no_dash: [ladder("360p.h264"), ladder("en.aac")] ["--no-dash"];
    audio_alone: [ladder("en.aac,lang=en"), ladder("de.aac,lang=de")] [];
    one_sound: [ladder("en.aac")] ["--segment-duration", "1"];
    av1: [stream("180p.ivf"), stream("90p.ivf")] ["--segment-duration", "2"];
    h265_422: [stream("h265-422.h265")] ["--segment-duration", "1"];
    h265_aud: [stream("h265-aud.h265")] ["--segment-duration", "1"];
    h265_closed: [stream("h265-closed.h265")] ["--segment-duration", "1"];
    h265_cropped: [stream("h265-cropped.h265")] ["--segment-duration", "1"];
    h265_fields: [stream("h265-fields.h265")] ["--segment-duration", "1"];
    h265_hdr10: [stream("h265-hdr10.h265")] ["--segment-duration", "1"];
    h265_main10: [stream("h265-main10.h265")] ["--segment-duration", "1"];
    h265_mixed: [stream("h265-mixed.h265")] ["--segment-duration", "2"];
    h265_open: [stream("h265-open.h265")] ["--segment-duration", "3"];
    h265_slices: [stream("h265-slices.h265")] ["--segment-duration", "1"];
}

#[test]
fn the_ladder() {
    assert_sound(Package::ladder());
}

#[test]
fn three_codecs_beside_each_other() {
    let streams = scratch("three-codecs-streams");
    let cut = |file| first_groups(file, 4, &streams).display().to_string();
    let inputs = [cut("234p.h264"), cut("234p.h265"), stream("180p.ivf")];
    assert_sound(&Package::make("three-codecs", &inputs, &["--segment-duration", "2"]));
}

#[test]
fn parameter_sets_that_change() {
    let directory = scratch("changing-sets-stream");
    let stream = fs::read(first_groups("234p.h264", 4, &directory)).expect("a stream");
    let units = NalUnits::new(&stream).expect("a byte stream").map(|unit| unit.expect("a sound stream"));
    let mut changed = stream.clone();
    // From the third on, sequence parameter sets have a higher level_idc, the byte behind header, profile and constraints.
    for unit in units.filter(|unit| unit.head[0] & 0x1f == 7).skip(2) {
        changed[usize::try_from(unit.offset).expect("in memory") + 3] = 40;
    }
    assert_ne!(changed, stream);
    let path = directory.join("changed.h264");
    fs::write(&path, changed).expect("it can be written");
    let package = Package::make("changing-sets", &[path.display().to_string()], &["--segment-duration", "2"]);
    let codec = &Verdict::of(&package.root).report["tracks"][0]["codec"];
    assert!(codec.as_str().is_some_and(|codec| codec.starts_with("avc3.")), "{codec}");
    assert_sound(&package);
}

#[test]
fn fields_of_h264() {
    let directory = scratch("fields-streams");
    for (index, stream) in field_streams::streams().iter().enumerate() {
        println!("{}", stream.name);
        let path = directory.join(format!("{index}.h264"));
        fs::write(&path, stream.write().0).expect("it can be written");
        assert_sound(&Package::make(&format!("fields-{index}"), &[path.display().to_string()], &[]));
    }
}

#[test]
fn threads_change_nothing() {
    let report = |threads: &str| {
        let root = Package::ladder().root.as_os_str();
        verify(&[root, "--json".as_ref(), "--threads".as_ref(), threads.as_ref()]).stdout
    };
    assert_eq!(report("1"), report("4"));
}
