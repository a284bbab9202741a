//! A run that was killed, and the one that goes on.

use super::*;

/// As by SIGKILL: the lock goes, nothing is taken back.
pub(super) fn kill(run: Run) {
    rustix::fs::flock(&run.top.fd, FlockOperation::Unlock).unwrap();
    std::mem::forget(run);
}

fn inode(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).unwrap().ino()
}

/// Goes on with whatever is there; gives how many files were kept.
pub(super) fn write_missing(run: &Run, input: &Input) -> Result<usize> {
    let mut kept = 0;
    let mut small = |path: &str, bytes: &[u8]| {
        match run.keep_bytes(path, bytes)? {
            Kept::Whole(_) => kept += 1,
            Kept::Missing => drop(run.publish_bytes(path, bytes)?),
        }
        Ok::<_, Error>(())
    };
    small("video/a/init.mp4", b"init")?;
    small("audio/b/init.mp4", b"init")?;
    let segments = match run.keep("video/a/seg-00001.m4s", &segment(), input, COMPARE)? {
        Kept::Whole(_) => 1,
        Kept::Missing => {
            run.write_segment("video/a/seg-00001.m4s", &segment(), input, Way::Gather).map(|_| 0)?
        }
    };
    small("video/a/playlist.m3u8", b"#EXTM3U")?;
    small("manifest.mpd", b"<MPD/>")?;
    small("master.m3u8", b"#EXTM3U")?;
    Ok(kept + segments)
}

#[test]
fn a_killed_run_goes_on_with_its_whole_files_as_they_are() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    write_media(&run, &place.input).unwrap();
    run.publish_bytes("master.m3u8", b"#EXTM3U").unwrap();
    kill(run);
    // One of the files did not get to the disk as it was, and one was being made.
    std::fs::write(place.out().join("audio/b/init.mp4"), b"wrong").unwrap();
    place.leave("video/a/.playlist.m3u8.part");
    let (segment, init) = (place.out().join("video/a/seg-00001.m4s"), place.out().join("audio/b/init.mp4"));
    let segment_before = inode(&segment);
    let run = place.resume(&SETTINGS).unwrap();
    assert!(!place.out().join("master.m3u8").exists(), "manifests go first");
    assert_eq!(write_missing(&run, &place.input).unwrap(), 2);
    run.finish(&receipt()).unwrap();
    assert_eq!(place.tree(), PACKAGE);
    assert_eq!(inode(&segment), segment_before);
    assert_eq!(std::fs::read(init).unwrap(), b"init");
}

/// A package whose receipt tells sizes no more than the plan does; gives the receipt.
pub(super) fn finished_as_planned(place: &Place) -> Vec<u8> {
    place.package(false).unwrap();
    let mut list: WrittenFiles = serde_json::from_slice(&receipt()).unwrap();
    list.files.iter_mut().for_each(|file| file.bytes = None);
    let receipt = serde_json::to_vec(&list).unwrap();
    std::fs::write(place.out().join(RECEIPT), &receipt).unwrap();
    receipt
}

#[test]
fn a_finished_package_is_gone_on_with_only_if_it_is_this_one() {
    let place = Place::new();
    let receipt = finished_as_planned(&place);
    let before = inode(&place.out().join("master.m3u8"));
    let run = place.resume(&SETTINGS).unwrap();
    assert_eq!(write_missing(&run, &place.input).unwrap(), FILES.len());
    run.finish(&receipt).unwrap();
    assert_eq!(
        (place.tree(), inode(&place.out().join("master.m3u8"))),
        (PACKAGE.map(str::to_owned).to_vec(), before)
    );

    // Another receipt, another file: nothing changes.
    let run = place.resume(&SETTINGS).unwrap();
    write_missing(&run, &place.input).unwrap();
    assert!(run.finish(b"{}").unwrap_err().to_string().contains("of other inputs or options"));
    let out = place.out();
    let other = Claim { existing: Existing::Resume, ..to_claim(&out, plan(&["x"]), &[]) };
    assert!(Run::claim(other).unwrap_err().to_string().contains("of other inputs or options"));
    std::fs::write(place.out().join("video/a/init.mp4"), b"inix").unwrap();
    let run = place.resume(&SETTINGS).unwrap();
    let error = write_missing(&run, &place.input).unwrap_err().to_string();
    assert!(error.contains("init.mp4: the directory holds a finished package"), "{error}");
    drop(run);
    assert_eq!(place.tree(), PACKAGE);
    assert_eq!(std::fs::read(place.out().join("video/a/init.mp4")).unwrap(), b"inix");
}

#[test]
fn only_the_same_run_goes_on() {
    let place = Place::new();
    kill(place.claim(false).unwrap());
    let before = place.tree();
    for (settings, told) in [
        (&[("fragmint", "2"), ("option hash", "none")][..], "fragmint was \"1\", is \"2\""),
        (&[("fragmint", "1")], "option hash was \"none\", is absent"),
        (&[("fragmint", "1"), ("option hash", "none"), ("x", "y")], "x was absent, is \"y\""),
    ] {
        let error = place.resume(settings).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("--force"), "{error}");
        assert_eq!(place.tree(), before);
    }
    let out = place.out();
    let other = Claim { existing: Existing::Resume, ..to_claim(&out, plan(&["x"]), &[]) };
    let error = Run::claim(other.clone()).unwrap_err().to_string();
    assert!(error.contains("was going to write other files"), "{error}");
    // A claim without files asks only whether there is something.
    Run::check_claim(&Claim { files: Vec::new(), ..to_claim(&out, Vec::new(), &[]) }).unwrap_err();
    Run::check_claim(&Claim { files: Vec::new(), ..other }).unwrap();
    std::fs::write(place.out().join(JOURNAL), b"{\"files\":[]}").unwrap();
    let error = place.resume(&SETTINGS).unwrap_err().to_string();
    assert!(error.contains("does not tell its options"), "{error}");
}

#[test]
fn resume_begins_where_there_is_nothing_and_refuses_what_is_not_ours() {
    let place = Place::new();
    let run = place.resume(&SETTINGS).unwrap();
    assert_eq!(write_missing(&run, &place.input).unwrap(), 0);
    run.finish(&receipt()).unwrap();
    let place = Place::new();
    place.leave(".fragmint.journal.part");
    let run = place.resume(&SETTINGS).unwrap();
    write_all(&run, &place.input).unwrap();
    run.finish(&receipt()).unwrap();
    assert_eq!(place.tree(), PACKAGE);
    let place = Place::new();
    place.leave("theirs");
    assert!(place.resume(&SETTINGS).unwrap_err().to_string().contains("no run of fragmint wrote"));
}

#[test]
fn a_run_that_goes_on_and_fails_leaves_what_was_there() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    run.publish_bytes("video/a/init.mp4", b"init").unwrap();
    kill(run);
    let before = place.tree();
    let run = place.resume(&SETTINGS).unwrap();
    write_missing(&run, &place.input).unwrap();
    drop(run);
    assert_eq!(place.tree(), before);
}

#[test]
fn a_suspended_run_leaves_whole_files_and_the_journal_but_no_manifest() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    write_all(&run, &place.input).unwrap();
    run.suspend();
    let left = place.tree();
    assert!(
        left.iter().any(|path| path == JOURNAL) && !left.iter().any(|path| is_manifest(path)),
        "{left:?}"
    );
    let run = place.resume(&SETTINGS).unwrap();
    assert_eq!(write_missing(&run, &place.input).unwrap(), 3);
    run.finish(&receipt()).unwrap();
    assert_eq!(place.tree(), PACKAGE);
}

#[test]
fn what_force_was_about_to_replace_goes_when_the_run_goes_on() {
    let place = Place::new();
    place.package(false).unwrap();
    let list = WrittenFiles {
        settings: SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        files: plan(&FILES),
        replaces: vec!["video/old/init.mp4".to_owned(), "video/a/init.mp4".to_owned()],
    };
    place.leave("video/old/init.mp4");
    std::fs::write(place.out().join(JOURNAL), list.to_json().unwrap()).unwrap();
    let run = place.resume(&SETTINGS).unwrap();
    assert!(!place.out().join(RECEIPT).exists() && !place.out().join("video/old").exists());
    // The old file of the same name has the same bytes.
    assert_eq!(write_missing(&run, &place.input).unwrap(), 3);
    run.finish(&receipt()).unwrap();
    assert_eq!(place.tree(), PACKAGE);
}
