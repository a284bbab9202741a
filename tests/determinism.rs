//! The same bytes every time: whatever the number of threads, the I/O way, whether files are read back, and whether the run was
//! killed in between. Only what the receipt says of hashes depends on `--hash`. (Build profiles: `scripts/determinism.sh`.)

#[path = "faulted/mod.rs"]
#[allow(dead_code, reason = "tests/faults.rs needs the rest")]
mod faulted;

use std::path::Path;

use faulted::tree::Tree;
use faulted::{Bench, Ended, RECEIPT, Running, WAYS, repeated};
use rustix::process::Signal;
use serde_json::Value;

/// H.264 in three sizes with two languages, H.265 beside it.
fn bench() -> Bench {
    let streams = ["720p.h264", "360p.h264", "234p.h264", "360p.h265", "en.aac", "de.aac"];
    Bench::new(&streams.map(|name| (name, repeated(name, 1))), &["--segment-duration", "2", "--quiet"])
}

/// Packages with these words, and gives what is in the directory.
fn package(bench: &Bench, words: &[&str]) -> Tree {
    let output = bench.fresh("out");
    let ended = Ended::of(bench.package(&output, words).output().expect("the command starts"));
    assert!(ended.succeeded(), "{words:?}: {ended:?}");
    Tree::read(&output).expect("a package is there")
}

/// The receipt without what `--hash` decides.
fn without_hashes(tree: &Tree) -> Value {
    let mut receipt: Value =
        serde_json::from_slice(&tree.file(RECEIPT).expect("it is complete").bytes).unwrap();
    if let Some(options) = receipt["options"].as_object_mut() {
        options.remove("hash");
    }
    for file in receipt["files"].as_array_mut().expect("it lists files") {
        file.as_object_mut().expect("it tells of each").remove("hash");
    }
    receipt
}

#[test]
fn threads_ways_and_verification_do_not_change_a_byte() {
    let bench = bench();
    for way in WAYS {
        for threads in ["1", "2", "3", "8"] {
            for verify in [&[][..], &["--no-verify"]] {
                let words = [&["--io", way, "--threads", threads][..], verify].concat();
                let differences = package(&bench, &words).differences(&bench.reference);
                assert!(differences.is_empty(), "{words:?}: {differences:#?}");
            }
        }
    }
}

#[test]
fn hashes_change_the_receipt_alone_and_in_it_nothing_else() {
    let bench = bench();
    let expected = without_hashes(&bench.reference);
    for hash in ["none", "xxh3-128", "sha256"] {
        let tree = package(&bench, &["--hash", hash]);
        let differs: Vec<_> = bench
            .reference
            .files()
            .filter(|(path, file)| tree.file(path).is_none_or(|found| found.bytes != file.bytes))
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(differs, if hash == "xxh3-128" { vec![] } else { vec![RECEIPT] }, "{hash}");
        assert_eq!(tree.files().count(), bench.reference.files().count(), "{hash}");
        assert_eq!(without_hashes(&tree), expected, "{hash}");
        hashes_are_true(&tree, hash);
    }
}

/// Every file has the hash that the receipt tells, by an implementation of our own tests.
fn hashes_are_true(tree: &Tree, kind: &str) {
    use sha2::{Digest as _, Sha256};
    let receipt: Value = serde_json::from_slice(&tree.file(RECEIPT).unwrap().bytes).unwrap();
    assert_eq!(receipt["options"]["hash"], kind);
    for file in receipt["files"].as_array().unwrap() {
        let bytes = &tree.file(file["path"].as_str().unwrap()).expect("it is there").bytes;
        assert_eq!(file["bytes"], bytes.len() as u64);
        let expected = match kind {
            "sha256" => {
                Some(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            "xxh3-128" => Some(format!("{:032x}", twox_hash::XxHash3_128::oneshot(bytes))),
            _ => None,
        };
        assert_eq!(file["hash"].as_str(), expected.as_deref(), "{file}");
    }
}

#[test]
fn a_run_that_was_killed_and_went_on_gives_the_same_bytes() {
    let bench = bench();
    let segments = bench.published(".m4s");
    for way in WAYS {
        for threads in ["1", "3"] {
            let words = ["--io", way, "--threads", threads];
            let output = bench.fresh("out");
            let left = killed_half_way(&bench, &output, &words, &segments);
            let resumed = [&words[..], &["--resume"]].concat();
            let ended = Ended::of(bench.package(&output, &resumed).output().expect("the command starts"));
            assert!(ended.succeeded(), "{words:?}: {ended:?}");
            let tree = Tree::read(&output).unwrap();
            let differences = tree.differences(&bench.reference);
            assert!(differences.is_empty(), "{words:?}: {differences:#?}");
            let stayed = |path: &&String| left.file(path).is_some() && left.file(path) == tree.file(path);
            assert!(
                segments.iter().filter(stayed).count() >= 3,
                "{words:?}: whole segments stay as they are"
            );
        }
    }
}

#[test]
fn a_run_of_several_periods_that_was_killed_goes_on_likewise() {
    let stream = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams/changes.h264");
    let changing = std::fs::read(stream).expect("a stream").repeat(20);
    let sound = repeated("en.aac", 6);
    let bench = Bench::new(
        &[("changes.h264", changing), ("en.aac", sound)],
        &["--segment-duration", "2", "--on-change", "new-period", "--quiet"],
    );
    // Each copy changes twice, and back at its end.
    assert_eq!(bench.published("init-60.mp4").len(), 1);
    assert!(bench.published("init-61.mp4").is_empty());
    let segments = bench.published(".m4s");
    for way in WAYS {
        let output = bench.fresh("out");
        let left = killed_half_way(&bench, &output, &["--io", way], &segments);
        let ended = bench.package(&output, &["--io", way, "--resume"]).output().expect("the command starts");
        let ended = Ended::of(ended);
        assert!(ended.succeeded(), "{way}: {ended:?}");
        let tree = Tree::read(&output).unwrap();
        let differences = tree.differences(&bench.reference);
        assert!(differences.is_empty(), "{way}: {differences:#?}");
        let stayed = |path: &&String| left.file(path).is_some() && left.file(path) == tree.file(path);
        assert!(segments.iter().filter(stayed).count() >= 3, "{way}: whole segments stay as they are");
    }
}

/// What a run left that was killed when it had some segments.
fn killed_half_way(bench: &Bench, output: &Path, words: &[&str], segments: &[String]) -> Tree {
    for _ in 0..50 {
        let mut run = Running::start(bench.package(&bench.fresh("out"), words));
        let there = || segments.iter().filter(|path| output.join(path).exists()).count();
        let stopped = run.stop_when(|| there() >= 3);
        run.send(Signal::KILL);
        run.wait();
        let tree = Tree::read(output).unwrap_or_default();
        if stopped && !tree.has(RECEIPT) {
            return tree;
        }
    }
    panic!("{words:?}: no run was met half way");
}
