//! Each system call of the output fails once: nothing is left behind, nothing is consumed, and the call made again gives
//! the files that it would have given.

use std::collections::BTreeSet;
use std::path::Path;

use super::calls::{Call, Given, assert_files, files_in};
use super::drawn::avc_config;
use super::model::Model;
use super::streams::{Choices, Draft, Kind, Sets, Step, lay_out, stream};
use crate::codec::ParameterSetPlacement;
use crate::codec::h264::testing::Pps;
use crate::io::fault;
use crate::segmenter::{SampleTiming, Segmenter, SegmenterConfig};

/// A stream of three segments, pushed and committed in turn; the hints are too small, so that files and headers grow.
fn calls() -> Vec<Call> {
    let drafts = |payload: u16| -> Vec<Draft> {
        (0..4)
            .map(|n| Draft { rank: [0, 3, 1, 2][n], kind: Kind::P, slices: 1, around: 0, payload })
            .collect()
    };
    let pictures = stream(&[drafts(30_000), drafts(100), drafts(3000)], Sets::default());
    let steps = lay_out(&pictures, &[4, 8], false, &mut Choices::new(vec![3, 1, 4, 2]));
    let timing = SampleTiming::new(1001);
    let mut calls = Vec::new();
    for (step, commit) in steps.into_iter().zip([false, true].into_iter().cycle()) {
        calls.push(match step {
            Step::Cut => Call::Cut,
            Step::Packet(packet, _) if commit => {
                Call::Commit { max: packet.len() + 50_000, used: packet.len(), packet, timing }
            }
            Step::Packet(packet, _) => Call::Push(packet, timing),
        });
    }
    calls
}

fn config(output: &Path, buffered: bool) -> SegmenterConfig {
    let mut config = avc_config(output, ParameterSetPlacement::SampleEntry);
    config.directory = "video/360p".to_owned();
    (config.buffered, config.expected_samples, config.expected_bytes) = (buffered, 1, 10);
    config
}

/// Every name below a directory.
fn tree(path: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            names.extend(tree(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        }
        names.insert(name);
    }
    names
}

/// What a caller sees of a segmenter.
fn state(segmenter: &Segmenter, directory: &Path) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        segmenter.segments().to_vec(),
        segmenter.pending_duration(),
        segmenter.starts_with_sync(),
        segmenter.dropped(),
        files_in(directory).into_iter().map(|(name, bytes)| (name, bytes.len())).collect::<Vec<_>>(),
    )
}

/// Makes every call, once more where it fails, and compares with the model; whether anything failed.
fn run(output: &Path, buffered: bool, calls: &[Call]) -> bool {
    let before = tree(output);
    let config = config(output, buffered);
    let directory = output.join(&config.directory);
    let mut failed = false;
    let mut segmenter = Segmenter::new(config.clone()).unwrap_or_else(|_| {
        failed = true;
        assert_eq!(tree(output), before, "a construction that fails leaves nothing");
        Segmenter::new(config.clone()).expect("nothing fails twice")
    });
    let mut model = Model::new(config).unwrap();
    for call in calls {
        let before = state(&segmenter, &directory);
        let given = call.on(&mut segmenter).unwrap_or_else(|error| {
            failed = true;
            assert!(matches!(error.kind(), crate::ErrorKind::Io { .. }), "{error}");
            assert_eq!(state(&segmenter, &directory), before, "{error}");
            call.on(&mut segmenter).expect("nothing fails twice")
        });
        assert_eq!(given, call.on_model(&mut model).unwrap());
        if matches!(given, Given::Segment(_)) {
            assert_files(&directory, model.files());
        }
    }
    // It ends the segmenter, so there is no second try.
    let published = model.files().clone();
    match segmenter.finish() {
        Ok(track) => {
            assert_eq!(track.segments(), model.finish().unwrap().segments);
            assert_files(&directory, model.files());
        }
        Err(_) => {
            failed = true;
            assert_files(&directory, &published);
        }
    }
    failed
}

#[test]
fn whatever_system_call_fails_nothing_is_lost_or_left_behind() {
    let calls = calls();
    for buffered in [false, true] {
        let mut failures = 0;
        for nth in 0.. {
            let output = tempfile::tempdir().unwrap();
            fault::fail_nth(nth);
            failures += u32::from(run(output.path(), buffered, &calls));
            let fired = fault::fired();
            fault::reset();
            if !fired {
                break;
            }
        }
        // Construction; then for each of three segments making, filling and naming its file.
        assert!(failures > 9, "{failures} calls failed");
    }
}

#[test]
fn a_segmenter_that_is_dropped_after_a_failure_leaves_what_it_published() {
    let calls = calls();
    for buffered in [false, true] {
        for nth in 0.. {
            let output = tempfile::tempdir().unwrap();
            let config = config(output.path(), buffered);
            let directory = output.path().join(&config.directory);
            fault::fail_nth(nth);
            let mut model = Model::new(config.clone()).unwrap();
            if let Ok(mut segmenter) = Segmenter::new(config) {
                let failing = calls.iter().find(|call| {
                    let failed = call.on(&mut segmenter).is_err();
                    if !failed {
                        call.on_model(&mut model).unwrap();
                    }
                    failed
                });
                drop(segmenter);
                assert!(failing.is_some() || !model.files().is_empty());
            }
            assert_files(&directory, model.files());
            if model.files().is_empty() {
                assert_eq!(tree(output.path()), BTreeSet::new(), "directories that it made go too");
            }
            let fired = fault::fired();
            fault::reset();
            if !fired {
                break;
            }
        }
    }
}

#[test]
fn an_init_segment_that_cannot_be_taken_back_counts_as_written() {
    let calls = calls();
    let cut = calls.iter().position(|call| matches!(call, Call::Cut)).unwrap();
    for buffered in [false, true] {
        let output = tempfile::tempdir().unwrap();
        let config = config(output.path(), buffered);
        let directory = output.path().join(&config.directory);
        let mut model = Model::new(config.clone()).unwrap();
        let mut segmenter = Segmenter::new(config).unwrap();
        for call in &calls[..cut] {
            call.on(&mut segmenter).unwrap();
            call.on_model(&mut model).unwrap();
        }
        // The init segment is linked, the segment is not, and then the former is not removed.
        fault::fail_at_then(fault::Operation::Link, 1, fault::Operation::Remove);
        assert!(segmenter.cut().is_err());
        assert_eq!(files_in(&directory).into_keys().collect::<Vec<_>>(), ["init.mp4"]);
        // A parameter set that it does not have comes too late.
        let late = [&b"\0\0\0\x01"[..], &Pps { id: 9, ..Pps::default() }.nal()].concat();
        let error = segmenter.push(&late, SampleTiming::new(1001)).unwrap_err().to_string();
        assert!(error.contains("is new"), "{error}");
        for call in &calls[cut..] {
            call.on(&mut segmenter).unwrap();
            call.on_model(&mut model).unwrap();
        }
        assert_files(&directory, model.files());
    }
}

#[test]
fn a_file_that_is_made_under_a_reserved_name_goes_with_its_directory() {
    let keep = tempfile::tempdir().unwrap();
    for buffered in [false, true] {
        fault::fail_at(fault::Operation::UnnamedFile, 0);
        let mut segmenter = Segmenter::new(config(&keep.path().join("out"), buffered)).unwrap();
        let calls = calls();
        let packet = calls.iter().find_map(|call| match call {
            Call::Push(packet, _) => Some(packet),
            _ => None,
        });
        segmenter.push(packet.unwrap(), SampleTiming::new(1000)).unwrap();
        assert!(fault::fired());
        assert!(tree(keep.path()).iter().any(|path| path.ends_with(".part")), "{:?}", tree(keep.path()));
        drop(segmenter);
        assert!(tree(keep.path()).is_empty(), "{:?}", tree(keep.path()));
    }
}

#[test]
fn files_and_directories_of_others_stay() {
    let output = tempfile::tempdir().unwrap();
    let directory = output.path().join("video");
    std::fs::create_dir(&directory).unwrap();
    drop(Segmenter::new(config(output.path(), false)).unwrap());
    assert_eq!(tree(output.path()), BTreeSet::from(["video".to_owned()]), "it was there before");

    let mut segmenter = Segmenter::new(config(output.path(), false)).unwrap();
    let other = directory.join("360p/seg-00001.m4s");
    std::fs::write(&other, b"somebody's").unwrap();
    for call in calls().iter().take_while(|call| **call != Call::Cut) {
        call.on(&mut segmenter).unwrap();
    }
    let error = segmenter.cut().unwrap_err();
    assert!(error.to_string().contains("seg-00001.m4s"), "{error}");
    assert_eq!(std::fs::read(&other).unwrap(), b"somebody's");
    std::fs::remove_file(&other).unwrap();
    assert!(segmenter.cut().unwrap().is_some());
}
