//! What a durable run flushes, and before what.

use super::resume::{finished_as_planned, write_missing};
use super::*;
use crate::io::fault::{self, Operation};

impl Place {
    fn claim_durable(&self, existing: Existing) -> Result<Run> {
        let identity = [self.input.identity()];
        Run::claim(Claim { existing, durable: true, ..to_claim(&self.out(), plan(&FILES), &identity) })
    }
}

#[test]
fn a_durable_run_flushes_each_file_and_the_directories_before_somebody_names_them() {
    // Journal and its name; init and media segments; 4 directories, the top and its parent; 3 manifests and their
    // names; the directories in front of the receipt, the receipt, the directories behind it, and behind the journal.
    const BEFORE_END: u64 = 2 + 3 + 6 + 3 * 2 + 6 + 1 + 6;
    for nth in 0..=BEFORE_END + 6 {
        let place = Place::new();
        fault::fail_at(Operation::Sync, nth);
        let done = place.claim_durable(Existing::Refuse).and_then(|run| {
            write_all(&run, &place.input)?;
            run.finish(&receipt())
        });
        let fired = fault::fired();
        fault::reset();
        assert_eq!((done.is_err(), fired), (nth < BEFORE_END + 6, nth < BEFORE_END + 6), "{nth}: {done:?}");
        assert_eq!(place.out().exists(), nth >= BEFORE_END, "{nth}");
    }
}

#[test]
fn a_durable_run_forgets_old_manifests_before_it_removes_what_they_name() {
    let place = Place::new();
    place.package(false).unwrap();
    // The journal, its name, then the directories without manifests.
    fault::fail_at(Operation::Sync, 2);
    place.claim_durable(Existing::Replace).unwrap_err();
    fault::reset();
    let left: Vec<_> = place.tree().into_iter().filter(|path| !path.ends_with('/')).collect();
    assert_eq!(left, ["audio/b/init.mp4", JOURNAL, "video/a/init.mp4", "video/a/seg-00001.m4s"]);
}

#[test]
fn a_finished_package_becomes_durable_by_going_on_with_it() {
    let place = Place::new();
    let receipt = finished_as_planned(&place);
    // 6 files, the receipt, 4 directories and the top.
    for nth in 0..=12 {
        fault::fail_at(Operation::Sync, nth);
        let done = place.claim_durable(Existing::Resume).and_then(|run| {
            write_missing(&run, &place.input)?;
            run.finish(&receipt)
        });
        fault::reset();
        assert_eq!(done.is_err(), nth < 12, "{nth}: {done:?}");
        assert_eq!(place.tree(), PACKAGE);
    }
}
