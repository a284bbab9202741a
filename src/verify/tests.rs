//! Verification as a whole, over a package in memory: each rule is broken once, and the package as it is breaks none.

use std::collections::BTreeSet;

use super::testing::{Break, Memory, package};
use super::*;

mod multiplexed;

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

/// Without the receipt: a window that slid leaves segments behind, and they may be asked for yet.
#[test]
fn what_slid_out_of_a_live_list_is_no_stray_file() {
    let mut files = package();
    files.0.remove("fragmint.json");
    files.0.retain(|path, _| !path.ends_with(".mpd") && path != "master.m3u8");
    let playlist = "video/large/playlist.m3u8";
    files.replace(playlist, "#EXTINF:2.000000,\nseg-00001.m4s\n", "");
    let unnamed = |files: &Memory| {
        let report = found(files);
        let of_rule = report.findings.into_iter().filter(|finding| finding.rule.id == "files-unnamed");
        of_rule.map(|finding| finding.file).collect::<Vec<_>>()
    };
    assert_eq!(unnamed(&files), ["video/large/seg-00001.m4s"]);
    files.replace(playlist, "#EXT-X-ENDLIST\n", "");
    assert_eq!(unnamed(&files), [""; 0]);
    files.0.insert("video/stray.m4s".to_owned(), Vec::new());
    assert_eq!(unnamed(&files), ["video/stray.m4s"]);
}

#[test]
fn so_many_segments_are_listed_and_no_more() {
    let mut findings = Findings::default();
    let all = read_manifests(&package(), 1000, &mut findings).unwrap();
    assert_eq!((all.len(), all[1].not_checked.len()), (2, 0));
    let first = read_manifests(&package(), 10, &mut findings).unwrap();
    assert_eq!((first.len(), &first[0].not_checked[..]), (1, &[UNLISTED][..]));
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
