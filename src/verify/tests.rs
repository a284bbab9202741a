//! Verification as a whole, over a package in memory: each rule is broken once, and the package as it is breaks none.

use std::collections::BTreeSet;

use super::testing::{Break, Memory, package};
use super::*;

/// What breaks each rule: the lists of the modules.
fn breaks() -> Vec<Break> {
    [
        files::broken::BROKEN,
        hls::broken::BROKEN,
        mpd::broken::BROKEN,
        header::broken::BROKEN,
        segment::broken::BROKEN,
        payload::broken::BROKEN,
        tracks::broken::BROKEN,
        receipt::broken::BROKEN,
    ]
    .concat()
}

fn found(files: &Memory) -> Report {
    verify(files, "memory", None, &|_| {}).unwrap()
}

#[test]
fn a_sound_package_breaks_no_rule() {
    let report = found(&package());
    assert_eq!(report.findings, []);
    assert_eq!(report.not_checked, [""; 0]);
    assert!(report.receipt && report.manifests.len() == 2, "{report:?}");
    assert_eq!(report.tracks.len(), 4);
    assert!(report.tracks.iter().all(|track| track.segments == 12 && track.codec.is_some()), "{report:?}");
}

#[test]
fn an_init_segment_without_sync_table_is_one_finding() {
    let mut files = package();
    segment::broken::BROKEN.iter().find(|(id, _)| *id == "segment-sync-table").unwrap().1(&mut files);
    let report = found(&files);
    let of_rule = report.findings.iter().filter(|finding| finding.rule.id == "segment-sync-table");
    let places: Vec<_> = of_rule.map(|finding| (finding.file.as_str(), finding.more)).collect();
    assert_eq!(places, [("video/large/init.mp4", 0)], "of 12 segments in two manifests");
}

#[test]
fn every_rule_is_broken_by_something() {
    let broken: BTreeSet<_> = breaks().into_iter().map(|(id, _)| id).collect();
    let all: BTreeSet<_> = rules().map(|rule| rule.id).collect();
    assert_eq!(broken, all);
}

#[test]
fn what_breaks_a_rule_is_found_by_it() {
    let mut missed = Vec::new();
    for (id, break_it) in breaks() {
        let mut files = package();
        break_it(&mut files);
        let report = found(&files);
        let finding = report.findings.iter().find(|finding| finding.rule.id == id);
        if finding.is_none_or(|finding| finding.message.is_empty() || finding.file.is_empty()) {
            let told: BTreeSet<_> = report.findings.iter().map(|finding| finding.rule.id).collect();
            missed.push(format!("{id}: {told:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
