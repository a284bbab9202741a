//! In which order files go, and what a kill leaves under reserved names.

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
