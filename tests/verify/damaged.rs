//! Each damage of a package without a receipt is noticed, by the rules that are about it; damage of payload that is still a
//! possible picture by the receipt alone.

use crate::command::{Verdict, verify};
use crate::damage::{self, Damage};
use crate::package::Package;

/// What was found in a package that is damaged.
fn damaged(copy: &Package, damage: Damage) -> Verdict {
    damage(copy);
    Verdict::of(&copy.root)
}

/// A test for each line: after the damage these rules are named, and the exit code is 1.
macro_rules! noticed {
    ($($damage:ident: $($rule:literal),+;)*) => {
        $(#[test] fn $damage() {
            let copy = Package::ladder().copy_without_receipt();
            let verdict = damaged(&copy, damage::$damage);
            println!("{:#?}", verdict.lines());
            assert_eq!(verdict.code, Some(1));
            let rules = verdict.rules();
            let blind: Vec<&str> = [$($rule),+].into_iter().filter(|rule| !rules.contains(rule)).collect();
            assert!(blind.is_empty(), "not noticed by {blind:?}, but by {rules:?}");
        })*
    };
}

noticed! {
    a_second_late: "tfdt-continuity";
    a_second_early: "tfdt-continuity";
    sound_drifts: "tfdt-continuity";
    all_ten_seconds_late: "hls-time-zero", "mpd-segment-start";
    composition_offsets_zero: "sample-order";
    moof_of_unknown_type: "segment-box-missing";
    moof_too_large: "segment-box-size";
    data_offset_too_large: "segment-data-offset";
    last_sample_not_counted: "segment-box-trailing", "segment-payload", "tfdt-continuity";
    init_without_configuration: "init-config";
    segment_missing: "file-missing";
    segments_swapped: "tfdt-continuity", "sequence-order", "mpd-segment-start";
    segment_cut_off: "segment-box-size";
    init_of_another_track: "codecs", "resolution", "sample-syntax";
    durations_longer: "hls-target-duration", "hls-extinf-duration", "mpd-segment-duration", "mpd-segment-start";
    codec_strings_wrong: "codecs";
    payload_garbled: "nal-lengths";
}

#[test]
fn payload_that_is_still_a_picture_is_noticed_by_the_receipt() {
    let without = damaged(&Package::ladder().copy_without_receipt(), damage::one_byte_of_a_message);
    assert_eq!((without.code, without.lines()), (Some(0), Vec::new()), "nothing tells without it");
    let with = damaged(&Package::ladder().copy(), damage::one_byte_of_a_message);
    assert_eq!(with.code, Some(1));
    let expected: Vec<_> = Package::ladder().tracks("video").iter().map(|_| "receipt-hash").collect();
    let found: Vec<_> =
        with.findings().iter().map(|finding| finding["rule"].as_str().unwrap_or("?")).collect();
    assert_eq!(found, expected, "{:#?}", with.lines());
}

#[test]
fn without_a_receipt_it_is_told_that_payload_was_not_compared() {
    let copy = Package::ladder().copy_without_receipt();
    let said = verify(&[&copy.root]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    assert!(said.stdout.contains("\nnot checked: whether payload is what was packaged"), "{}", said.stdout);
    assert!(said.stdout.contains("\nsound as far as it was checked: "), "{}", said.stdout);
}

#[test]
fn a_receipt_without_hashes_is_told_of_too() {
    let package = Package::make("no-hashes", &["examples/ladder/234p.h264".to_owned()], &["--hash", "none"]);
    let verdict = Verdict::of(&package.root);
    assert_eq!((verdict.code, verdict.lines()), (Some(0), Vec::new()));
    assert_eq!(verdict.report["receipt"], true);
    let said = verify(&[&package.root]).stdout;
    assert!(said.contains("\nnot checked: payload by its hash"), "{said}");
    assert!(said.contains("\nsound as far as it was checked: "), "{said}");
}
