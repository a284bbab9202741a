//! What the command says, and how it ends: report and rules as text and as JSON, exit codes, targets that cannot be read.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::{Verdict, verify};
use crate::damage;
use crate::package::Package;

/// Names of the members of an object.
fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_report_has_the_fields_that_are_documented() {
    let copy = Package::ladder().copy();
    damage::a_second_late(&copy);
    let report = Verdict::of(&copy.root).report;
    let top =
        ["fragmint", "target", "manifests", "tracks", "receipt", "files", "bytes", "not_checked", "findings"];
    assert_eq!(names(&report), top.into());
    let track = ["name", "codec", "segments", "samples", "timescale", "duration", "bytes"];
    let finding = ["rule", "severity", "clause", "file", "message"];
    for each in report["tracks"].as_array().expect("tracks") {
        assert_eq!(names(each), track.into());
    }
    for each in report["findings"].as_array().expect("findings") {
        let found = names(each);
        assert!(finding.iter().all(|name| found.contains(name)), "{found:?}");
        let optional = ["offset", "more"];
        assert!(found.iter().all(|name| finding.contains(name) || optional.contains(name)), "{found:?}");
    }
    assert_eq!(report["fragmint"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["target"], copy.root.display().to_string());
    assert_eq!(report["manifests"], serde_json::json!(["master.m3u8", "manifest.mpd"]));
    let documented = fs::read_to_string(crate::package::repository("docs/verify.md")).expect("the chapter");
    for name in top.iter().chain(&track).chain(&finding).chain(&["offset", "more"]) {
        assert!(documented.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

#[test]
fn rules_are_listed_once_as_text_and_as_json() {
    let said = verify(&["--rules", "--json"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let rules: Vec<Value> = serde_json::from_str(&said.stdout).expect("a list");
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), rules.len(), "each once");
    assert_eq!(rules.len(), fragmint::verify::rules().count());
    for rule in &rules {
        assert_eq!(names(rule), ["id", "severity", "clause", "unverified", "text"].into());
        assert!(["error", "warning"].contains(&rule["severity"].as_str().expect("a severity")));
    }
    let text = verify(&["--rules"]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    assert!(!said.stdout.contains("not opened"), "it is a member of its own");
    let (listed, note) = text.stdout.split_once("\n\n").expect("a note");
    assert!(note.starts_with("* "), "{note}");
    let heads: Vec<&str> = listed.lines().filter(|line| !line.starts_with(' ')).collect();
    let listed: Vec<&str> = heads.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(listed, rules.iter().filter_map(|rule| rule["id"].as_str()).collect::<Vec<_>>());
}

#[test]
fn text_groups_findings_by_file_and_ends_with_a_verdict() {
    let copy = Package::ladder().copy();
    damage::segment_missing(&copy);
    let said = verify(&[&copy.root]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(1), ""));
    let lines: Vec<&str> = said.stdout.lines().collect();
    let files: Vec<&str> = lines.iter().copied().filter(|line| line.ends_with("seg-00003.m4s")).collect();
    assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), files.len(), "{files:?}");
    assert!(lines.iter().any(|line| line.starts_with("  error    file-missing: ")), "{}", said.stdout);
    assert!(
        lines.iter().any(|line| line.starts_with("track ") && line.ends_with(" size")),
        "{}",
        said.stdout
    );
    let last = lines.last().expect("a verdict");
    assert!(last.contains(" errors") && last.contains(" tracks, "), "{last}");
    let quiet = verify(&[copy.root.as_os_str(), OsStr::new("--quiet")]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(1), ""));
    assert!(said.stdout.starts_with(&quiet.stdout) && !quiet.stdout.contains("\ntrack "), "{}", quiet.stdout);
    let sound = verify(&[Package::ladder().root.as_os_str(), OsStr::new("--quiet")]);
    assert_eq!((sound.code, sound.stdout.as_str(), sound.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn warnings_alone_end_with_0_and_with_strict_with_1() {
    let copy = Package::ladder().copy();
    fs::write(copy.root.join("video/left-behind.mp4"), b"nobody names it").expect("it can be written");
    let verdict = Verdict::of(&copy.root);
    assert_eq!(verdict.code, Some(0), "{:#?}", verdict.lines());
    let severities: Vec<_> = verdict.findings().iter().map(|finding| &finding["severity"]).collect();
    assert_eq!(severities, ["warning"], "{:#?}", verdict.lines());
    let strict = verify(&[copy.root.as_os_str(), OsStr::new("--strict")]);
    assert_eq!((strict.code, strict.stderr.as_str()), (Some(1), ""));
    assert!(
        strict.stdout.lines().last().is_some_and(|line| line.starts_with("1 warning: ")),
        "{}",
        strict.stdout
    );
}

/// The command fails with 1 and one line on standard error that has these words.
fn refused(path: &Path, words: &str) {
    for options in [&[][..], &["--json"], &["--quiet"]] {
        let options = options.iter().map(OsStr::new);
        let said = verify(&options.chain([path.as_os_str()]).collect::<Vec<_>>());
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{}", path.display());
        assert!(said.stderr.starts_with("error: ") && said.stderr.contains(words), "{}", said.stderr);
        assert_eq!(said.stderr.matches('\n').count(), 1, "{}", said.stderr);
    }
}

#[test]
fn what_cannot_be_verified_is_an_error_of_one_line() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let inside = |name: &str| directory.path().join(name);
    refused(&inside("missing"), "cannot open the package");
    refused(directory.path(), "neither a playlist (.m3u8) nor an MPD (.mpd)");
    fs::write(inside("init.mp4"), b"no manifest").expect("it can be written");
    refused(directory.path(), "neither a playlist (.m3u8) nor an MPD (.mpd)");
    refused(Path::new("/dev/null"), "neither a directory nor a file");
    assert_eq!(verify::<&str>(&[]).code, Some(2));
    assert_eq!(verify(&["out", "--nonsense"]).code, Some(2));
}

#[test]
fn files_that_are_no_manifests_are_findings() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, bytes) in [
        ("empty.m3u8", &b""[..]),
        ("empty.mpd", b""),
        ("noise.m3u8", &[0xff; 1000]),
        ("noise.mpd", &[0xff; 1000]),
        ("page.m3u8", b"<html>\n</html>\n"),
        ("page.mpd", b"<html>\n</html>\n"),
        ("init.mp4", b"\0\0\0\x08ftyp"),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, bytes).expect("it can be written");
        let verdict = Verdict::of(&path);
        assert_eq!(verdict.code, Some(1), "{name}");
        let expected = if name.ends_with(".mpd") { "mpd-syntax" } else { "hls-syntax" };
        assert!(verdict.rules().contains(expected), "{name}: {:#?}", verdict.lines());
    }
}
