//! In which order files go, and what a kill leaves under reserved names.

use super::resume::kill;
use super::*;
use crate::io::fault::{self, Operation};

#[test]
fn without_unnamed_files_a_kill_at_the_journal_leaves_nothing_that_force_does_not_know() {
    let place = Place::new();
    place.package(false).unwrap();
    let mut top = Directory::open(&place.out()).unwrap();
    top.unnamed_files = false;
    for operation in [Operation::Write, Operation::Link] {
        fault::fail_at(operation, 0);
        replace_bytes(&top, JOURNAL, b"{}").unwrap_err();
        fault::reset();
        assert_eq!(place.tree(), PACKAGE);
    }
    // The file that is being made has the one name that the next run clears, and no other.
    place.leave(".fragmint.journal.part");
    place.leave("..fragmint.journal.part.part");
    replace_bytes(&top, JOURNAL, b"{}").unwrap();
    assert_eq!(std::fs::read(place.out().join(JOURNAL)).unwrap(), b"{}");
    assert!(!place.out().join(".fragmint.journal.part").exists());
}

#[test]
fn a_manifest_goes_before_those_that_it_names() {
    let place = Place::new();
    let playlists = ["audio/b/playlist.m3u8", "master.m3u8", "video/a/playlist.m3u8", "manifest.mpd"];
    place.leave_receipt(&playlists);
    playlists.iter().for_each(|path| place.leave(path));
    let top = Directory::open(&place.out()).unwrap();
    let old = OldRun::find(&top, &HashSet::new()).unwrap();
    let order = ["manifest.mpd", "master.m3u8", "audio/b/playlist.m3u8", "video/a/playlist.m3u8"];
    assert_eq!(old.order(), order);

    // The run that is taken back stops where a file cannot be removed: no manifest names what is gone.
    let files = [&["video/a/init.mp4"], &playlists[..]].concat();
    let order = [&order[..], &["video/a/init.mp4"]].concat();
    for removed in 0..order.len() {
        let place = Place::new();
        let run = claim(&place.out(), false, plan(&files), &[]).unwrap();
        files.iter().for_each(|path| assert!(run.publish_bytes(path, b"").is_ok()));
        fault::fail_at(Operation::Remove, removed as u64);
        drop(run);
        fault::reset();
        let expected: HashSet<_> = order[removed..].iter().map(|path| (*path).to_owned()).collect();
        let left = place.tree().into_iter().filter(|path| !path.ends_with('/') && path != JOURNAL);
        assert_eq!(left.collect::<HashSet<_>>(), expected);
    }
}

#[test]
fn what_was_being_made_of_the_lists_goes_with_the_old_run() {
    let settings = SETTINGS;
    for resume in [false, true] {
        let place = Place::new();
        kill(place.claim(false).unwrap());
        place.leave(".fragmint.json.part");
        place.leave(".fragmint.journal.part");
        let run = if resume { place.resume(&settings) } else { place.claim(true) }.unwrap();
        write_all(&run, &place.input).unwrap();
        run.finish(&receipt()).unwrap();
        assert_eq!(place.tree(), PACKAGE);
    }
}
