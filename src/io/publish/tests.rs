use std::collections::HashSet;
use std::os::unix::fs::symlink;

use super::*;
use crate::error::ErrorKind;
use crate::io::input::Identity;
use crate::io::old_run::OldRun;
use crate::scan::SourceRange;

mod durable;
mod removal;
mod resume;

/// A place for an output directory, and one input.
struct Place {
    directory: tempfile::TempDir,
    input: Input,
}

const FILES: [&str; 6] = [
    "master.m3u8",
    "manifest.mpd",
    "video/a/init.mp4",
    "video/a/seg-00001.m4s",
    "video/a/playlist.m3u8",
    "audio/b/init.mp4",
];

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("input.h264");
        std::fs::write(&path, b"payload").unwrap();
        Self { input: Input::open(&path).unwrap(), directory }
    }

    fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    fn claim(&self, force: bool) -> Result<Run> {
        claim(&self.out(), force, plan(&FILES), &[self.input.identity()])
    }

    fn resume(&self, settings: &[(&str, &str)]) -> Result<Run> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings = settings.iter().map(own).collect();
        Run::claim(Claim {
            settings,
            existing: Existing::Resume,
            ..to_claim(&self.out(), plan(&FILES), &[self.input.identity()])
        })
    }

    fn refusal(&self, force: bool) -> String {
        let error = self.claim(force).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Conflict { .. }), "{error}");
        assert!(error.to_string().starts_with(&*self.out().to_string_lossy()), "{error}");
        error.to_string()
    }

    /// Everything in the output directory, directories with a slash behind them.
    fn tree(&self) -> Vec<String> {
        tree(&self.out())
    }

    /// Leaves a receipt that names `files`, none of which it makes.
    fn leave_receipt(&self, files: &[&str]) {
        std::fs::create_dir_all(self.out()).unwrap();
        let text =
            serde_json::to_vec(&WrittenFiles { files: plan(files), ..WrittenFiles::default() }).unwrap();
        std::fs::write(self.out().join(RECEIPT), text).unwrap();
    }

    fn leave(&self, path: &str) {
        let path = self.out().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"left").unwrap();
    }

    fn package(&self, force: bool) -> Result<()> {
        let run = self.claim(force)?;
        write_all(&run, &self.input)?;
        run.finish(&receipt())
    }
}

fn to_claim<'a>(path: &'a Path, files: Vec<WrittenFile>, inputs: &'a [Identity]) -> Claim<'a> {
    let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Claim { path, existing: Existing::Refuse, files, settings, inputs, durable: false }
}

const SETTINGS: [(&str, &str); 2] = [("fragmint", "1"), ("option hash", "none")];

fn claim(path: &Path, force: bool, files: Vec<WrittenFile>, inputs: &[Identity]) -> Result<Run> {
    let existing = if force { Existing::Replace } else { Existing::Refuse };
    Run::claim(Claim { existing, ..to_claim(path, files, inputs) })
}

fn tree(directory: &Path) -> Vec<String> {
    fn walk(directory: &Path, prefix: &str, names: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                names.push(format!("{name}/"));
                walk(&entry.path(), &format!("{name}/"), names);
            } else {
                names.push(name);
            }
        }
    }
    let mut names = Vec::new();
    walk(directory, "", &mut names);
    names.sort();
    names
}

fn plan(files: &[&str]) -> Vec<WrittenFile> {
    files.iter().map(|path| WrittenFile { path: (*path).to_owned(), ..WrittenFile::default() }).collect()
}

const COMPARE: ReadBack = ReadBack { compare: true, hash: None };

fn segment() -> PieceList {
    let mut list = PieceList::default();
    list.push_literal(b"moof");
    list.push_length(7);
    list.push_source(SourceRange { offset: 0, len: 7 });
    list
}

fn write_media(run: &Run, input: &Input) -> Result<()> {
    run.publish_bytes("video/a/init.mp4", b"init")?;
    run.publish_bytes("audio/b/init.mp4", b"init")?;
    run.write_segment("video/a/seg-00001.m4s", &segment(), input, Way::Gather)?;
    run.read_back("video/a/seg-00001.m4s", &segment(), input, COMPARE)?;
    run.verify_bytes("video/a/init.mp4", b"init")
}

fn write_all(run: &Run, input: &Input) -> Result<()> {
    write_media(run, input)?;
    run.publish_bytes("video/a/playlist.m3u8", b"#EXTM3U")?;
    run.publish_bytes("manifest.mpd", b"<MPD/>")?;
    run.publish_bytes("master.m3u8", b"#EXTM3U")?;
    Ok(())
}

fn receipt() -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "fragmint": "more than the files",
        "files": FILES.map(|path| serde_json::json!({ "path": path, "bytes": 4 })),
    }))
    .unwrap()
}

const PACKAGE: [&str; 11] = [
    "audio/",
    "audio/b/",
    "audio/b/init.mp4",
    "fragmint.json",
    "manifest.mpd",
    "master.m3u8",
    "video/",
    "video/a/",
    "video/a/init.mp4",
    "video/a/playlist.m3u8",
    "video/a/seg-00001.m4s",
];

#[test]
fn a_finished_run_leaves_its_files_and_the_receipt() {
    let place = Place::new();
    place.package(false).unwrap();
    assert_eq!(place.tree(), PACKAGE);
    assert_eq!(std::fs::read(place.out().join("video/a/seg-00001.m4s")).unwrap(), b"moof\0\0\0\x07payload");
    assert_eq!(std::fs::read(place.out().join(RECEIPT)).unwrap(), receipt());
}

#[test]
fn an_empty_directory_and_one_behind_a_link_may_be_claimed() {
    let place = Place::new();
    std::fs::create_dir(place.directory.path().join("real")).unwrap();
    symlink("real", place.out()).unwrap();
    place.package(false).unwrap();
    assert_eq!(place.tree(), PACKAGE);
}

#[test]
fn the_journal_names_every_file_before_the_first() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    let journal = std::fs::read(place.out().join(JOURNAL)).unwrap();
    let list: WrittenFiles = serde_json::from_slice(&journal).unwrap();
    assert_eq!(list.files, plan(&FILES));
    drop(run);
    let run = place.claim(false).unwrap();
    assert_eq!(std::fs::read(place.out().join(JOURNAL)).unwrap(), journal, "the same bytes every time");
    drop(run);
}

#[test]
fn a_failed_run_removes_what_it_made_and_nothing_else() {
    let place = Place::new();
    let out = place.out().join("deep/er");
    let run = claim(&out, false, plan(&FILES), &[]).unwrap();
    write_all(&run, &place.input).unwrap();
    drop(run);
    assert_eq!(tree(place.directory.path()), ["input.h264"]);

    std::fs::create_dir_all(&out).unwrap();
    let run = claim(&out, false, plan(&FILES), &[]).unwrap();
    write_media(&run, &place.input).unwrap();
    // Others' files stay: a new one, and one that took the place of the run's.
    std::fs::write(out.join("video/a/notes"), b"theirs").unwrap();
    std::fs::write(out.join("audio/b/other"), b"theirs").unwrap();
    std::fs::rename(out.join("audio/b/other"), out.join("audio/b/init.mp4")).unwrap();
    drop(run);
    let left = ["audio/", "audio/b/", "audio/b/init.mp4", "video/", "video/a/", "video/a/notes"];
    assert_eq!(tree(&out), left);
}

#[test]
fn a_run_that_misses_a_file_does_not_finish() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    write_media(&run, &place.input).unwrap();
    run.publish_bytes("manifest.mpd", b"<MPD/>").unwrap();
    let error = run.finish(&receipt()).unwrap_err();
    assert!(error.to_string().contains("master.m3u8"), "{error}");
    assert!(!place.out().exists());
}

#[test]
fn a_manifest_waits_for_everything_that_is_none() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    run.publish_bytes("video/a/init.mp4", b"init").unwrap();
    let error = run.publish_bytes("master.m3u8", b"#EXTM3U").unwrap_err();
    assert!(error.to_string().contains("2 segments are missing"), "{error}");
    run.publish_bytes("audio/b/init.mp4", b"init").unwrap();
    run.write_segment("video/a/seg-00001.m4s", &segment(), &place.input, Way::Mapped).unwrap();
    run.publish_bytes("master.m3u8", b"#EXTM3U").unwrap();
}

#[test]
fn no_manifest_names_a_file_that_is_no_longer_what_was_published() {
    type Meddling = fn(&Path);
    let remove: Meddling = |path| std::fs::remove_file(path).unwrap();
    let truncate: Meddling = |path| std::fs::write(path, b"").unwrap();
    let replace: Meddling = |path| {
        std::fs::copy(path, path.with_extension("new")).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    };
    let remove_directory: Meddling = |path| std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    for (meddle, part) in [
        (remove, "it is gone"),
        (truncate, "it has 0 bytes, 15 were published"),
        (replace, "another file has its name"),
        (remove_directory, "it is gone"),
    ] {
        let segment = "video/a/seg-00001.m4s";
        let place = Place::new();
        let run = place.claim(false).unwrap();
        write_media(&run, &place.input).unwrap();
        meddle(&place.out().join(segment));
        let error = run.publish_bytes("master.m3u8", b"#EXTM3U").unwrap_err().to_string();
        assert!(error.contains(part) && !place.out().join("master.m3u8").exists(), "{error}");

        let place = Place::new();
        let run = place.claim(false).unwrap();
        write_all(&run, &place.input).unwrap();
        meddle(&place.out().join(segment));
        let error = run.finish(&receipt()).unwrap_err().to_string();
        assert!(error.contains(part) && !place.out().join(RECEIPT).exists(), "{error}");
    }
}

#[test]
fn a_file_is_published_once_and_only_if_planned() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    run.publish_bytes("video/a/init.mp4", b"init").unwrap();
    assert!(run.publish_bytes("video/a/init.mp4", b"again").is_err());
    let error = run.publish_bytes("video/a/other.mp4", b"").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Conflict { .. }), "{error}");
}

#[test]
fn paths_that_cannot_be_output_files_are_refused_before_anything_is_made() {
    let place = Place::new();
    for files in [
        &["../x"][..],
        &["/x"],
        &["a//b"],
        &["a/./b"],
        &["a/../b"],
        &[""],
        &["a\0b"],
        &[RECEIPT],
        &[JOURNAL],
        &["a", "a"],
        &["a", "a-b", "a/b"],
    ] {
        let error = claim(&place.out(), false, plan(files), &[]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Conflict { .. }), "{files:?}: {error}");
        assert!(!place.out().exists());
    }
}

#[test]
fn segments_may_be_published_from_several_threads() {
    let place = Place::new();
    let names: Vec<_> = (0..200).map(|i| format!("video/{}/seg-{i:05}.m4s", i % 3)).collect();
    let files = names.iter().map(|path| WrittenFile::new(path.clone(), 15)).collect();
    let run = claim(&place.out(), false, files, &[]).unwrap();
    std::thread::scope(|scope| {
        for share in names.chunks(50) {
            let (run, input) = (&run, &place.input);
            scope.spawn(move || {
                for name in share {
                    run.write_segment(name, &segment(), input, Way::Mapped).unwrap();
                    run.read_back(name, &segment(), input, COMPARE).unwrap();
                }
            });
        }
    });
    run.finish(b"{\"files\":[]}").unwrap();
    assert_eq!(place.tree().iter().filter(|name| name.ends_with("m4s")).count(), 200);
}

#[test]
fn what_is_in_the_directory_is_refused_by_name() {
    let place = Place::new();
    place.package(false).unwrap();
    let refusal = place.refusal(false);
    assert!(refusal.contains("holds a finished package; use --force to replace it"), "{refusal}");
    std::fs::rename(place.out().join(RECEIPT), place.out().join(JOURNAL)).unwrap();
    let refusal = place.refusal(false);
    assert!(
        refusal.contains("what an interrupted run left; use --resume to go on with it, --force"),
        "{refusal}"
    );
    std::fs::remove_file(place.out().join(JOURNAL)).unwrap();
    for force in [false, true] {
        let refusal = place.refusal(force);
        assert!(refusal.ends_with("wrote \"audio\" in it; choose another output directory"), "{refusal}");
    }
    assert_eq!(place.tree().len(), PACKAGE.len() - 1);
}

#[test]
fn a_second_run_is_refused_while_the_first_works() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    for force in [false, true] {
        let refusal = place.refusal(force);
        assert!(refusal.contains("another run of fragmint is writing"), "{refusal}");
    }
    let look = || Run::check_claim(&to_claim(&place.out(), plan(&FILES), &[])).unwrap_err().to_string();
    assert!(look().contains("another run of fragmint is writing"), "{}", look());
    write_all(&run, &place.input).unwrap();
    run.finish(&receipt()).unwrap();
    assert_eq!(place.tree(), PACKAGE);
}

#[test]
fn of_many_claims_at_once_one_is_granted() {
    let place = Place::new();
    for _ in 0..30 {
        std::fs::create_dir_all(place.out()).unwrap();
        let start = std::sync::Barrier::new(4);
        let runs: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        place.claim(true)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(runs.iter().filter(|run| run.is_ok()).count(), 1);
    }
}

#[test]
fn without_locks_the_journal_keeps_a_second_run_out() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    rustix::fs::flock(&run.top.fd, FlockOperation::Unlock).unwrap();
    assert!(place.refusal(false).contains("interrupted run"));
    let error = publish_bytes(&run.top, JOURNAL, b"{}").unwrap_err();
    assert!(error.to_string().contains("File exists"), "{error}");
}

#[test]
fn force_replaces_a_finished_package_and_keeps_others_files() {
    let place = Place::new();
    place.package(false).unwrap();
    place.leave("notes.txt");
    place.leave("video/a/poster.jpg");
    place.package(true).unwrap();
    let mut expected = PACKAGE.map(str::to_owned).to_vec();
    expected.extend(["notes.txt".to_owned(), "video/a/poster.jpg".to_owned()]);
    expected.sort();
    assert_eq!(place.tree(), expected);
}

#[test]
fn force_clears_what_a_killed_run_left() {
    let place = Place::new();
    let run = place.claim(false).unwrap();
    run.publish_bytes("video/a/init.mp4", b"init").unwrap();
    // As by SIGKILL: the lock goes, nothing is taken back. A file that was being made where there are no unnamed files:
    rustix::fs::flock(&run.top.fd, FlockOperation::Unlock).unwrap();
    std::mem::forget(run);
    place.leave("video/a/.seg-00001.m4s.part");
    place.leave(".fragmint.journal.part");
    assert!(place.refusal(false).contains("interrupted run"));
    drop(claim(&place.out(), true, plan(&["x.mp4"]), &[]).unwrap());
    assert_eq!(place.tree(), [""; 0]);
}

#[test]
fn a_lone_unfinished_journal_is_known_as_ours() {
    let place = Place::new();
    place.leave(".fragmint.journal.part");
    assert!(place.refusal(false).contains("interrupted run"));
    place.package(true).unwrap();
    assert_eq!(place.tree(), PACKAGE);
}

#[test]
fn force_names_the_old_files_in_its_journal_and_removes_the_receipt_and_manifests_first() {
    let place = Place::new();
    place.package(false).unwrap();
    let top = Directory::open(&place.out()).unwrap();
    let old = OldRun::find(&top, &HashSet::new()).unwrap();
    let order = old.order();
    let manifests: Vec<_> = order.iter().copied().take_while(|path| is_manifest(path)).collect();
    assert_eq!(manifests, ["manifest.mpd", "master.m3u8", "video/a/playlist.m3u8"]);
    assert_eq!(order.len(), FILES.len());

    // Broken off at the first manifest: a directory that cannot be removed as a file.
    drop(old);
    let mut run = place.claim(true).unwrap();
    let journal: WrittenFiles =
        serde_json::from_slice(&std::fs::read(place.out().join(JOURNAL)).unwrap()).unwrap();
    let mut expected = FILES.map(str::to_owned);
    expected.sort();
    assert_eq!((&journal.files, &journal.replaces[..]), (&plan(&FILES), &expected[..]));
    assert!(!place.out().join(RECEIPT).exists());
    run.ended = true;
    drop(run);
    // What a killed removal leaves is known by the next run.
    place.leave("video/a/seg-00001.m4s");
    drop(claim(&place.out(), true, plan(&["x.mp4"]), &[]).unwrap());
    assert_eq!(place.tree(), [""; 0]);
}

/// Says that a forced claim is refused and that neither the output directory nor anything beside it has changed.
fn expect_untouched(place: &Place, word: &str) {
    let before = tree(place.directory.path());
    let refusal = place.refusal(true);
    assert!(refusal.contains(word), "{refusal}");
    assert!(refusal.contains("nothing was removed"), "{refusal}");
    assert_eq!(tree(place.directory.path()), before);
}

#[test]
fn force_believes_no_path_that_leads_outside() {
    for path in ["../x", "/etc/hostname", "a/../../x", "./x", "a//x", "", "..", "a/..", "x\0"] {
        let place = Place::new();
        std::fs::write(place.directory.path().join("x"), b"theirs").unwrap();
        place.leave("kept");
        place.leave("a/kept");
        place.leave_receipt(&["kept", path]);
        expect_untouched(&place, "no path inside the directory");
    }
}

#[test]
fn force_goes_through_no_link_and_removes_none() {
    let place = Place::new();
    std::fs::create_dir(place.directory.path().join("theirs")).unwrap();
    std::fs::write(place.directory.path().join("theirs/x"), b"theirs").unwrap();
    place.leave("kept");
    place.leave("a/kept");
    symlink("../theirs", place.out().join("link")).unwrap();
    symlink("../../theirs", place.out().join("a/link")).unwrap();
    symlink("kept", place.out().join("file-link")).unwrap();
    for path in ["link/x", "a/link/x", "kept/x"] {
        place.leave_receipt(&["kept", path]);
        expect_untouched(&place, "leads through");
    }
    for path in ["link", "file-link", "a"] {
        place.leave_receipt(&["kept", path]);
        expect_untouched(&place, "not a regular file");
    }
}

#[test]
fn force_never_removes_an_input() {
    let place = Place::new();
    std::fs::create_dir(place.out()).unwrap();
    std::fs::hard_link(place.input.path(), place.out().join("input.h264")).unwrap();
    place.leave("kept");
    place.leave_receipt(&["kept", "input.h264"]);
    expect_untouched(&place, "an input of this run");
}

#[test]
fn force_does_not_touch_a_directory_in_which_something_is_in_the_way() {
    for (obstacle, named) in [
        ("master.m3u8", "\"master.m3u8\""),
        ("video", "\"video\""),
        ("video/a/init.mp4/x", "\"video/a/init.mp4\""),
    ] {
        let place = Place::new();
        place.leave("kept");
        place.leave(obstacle);
        place.leave_receipt(&["kept"]);
        expect_untouched(&place, &format!("{named} is in the way"));
    }
    let place = Place::new();
    place.leave("kept");
    symlink("elsewhere", place.out().join("video")).unwrap();
    place.leave_receipt(&["kept"]);
    expect_untouched(&place, "\"video\" is in the way");
}

#[test]
fn a_damaged_list_is_refused() {
    let place = Place::new();
    place.leave("kept");
    for text in ["", "{}", "[]", "{\"files\":[{}]}", "{\"files\":[{\"path\":7}]}", "{\"files\""] {
        std::fs::write(place.out().join(RECEIPT), text).unwrap();
        expect_untouched(&place, "the old run's list is damaged");
    }
    std::fs::remove_file(place.out().join(RECEIPT)).unwrap();
    symlink("kept", place.out().join(RECEIPT)).unwrap();
    expect_untouched(&place, "not a regular file");
    std::fs::remove_file(place.out().join(RECEIPT)).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, place.out().join(RECEIPT), mode).unwrap();
    expect_untouched(&place, "not a regular file");
}

#[test]
fn files_that_the_old_run_did_not_get_to_are_no_error() {
    let place = Place::new();
    place.leave("video/a/seg-00001.m4s");
    place.leave_receipt(&["video/a/seg-00001.m4s", "video/a/seg-00002.m4s", "audio/b/c/d.mp4"]);
    place.package(true).unwrap();
    assert_eq!(place.tree(), PACKAGE);
}

#[test]
fn a_directory_that_cannot_be_is_an_error_with_a_remedy() {
    let place = Place::new();
    for path in [place.input.path().to_path_buf(), place.input.path().join("below")] {
        let error = claim(&path, false, plan(&FILES), &[]).unwrap_err().to_string();
        assert!(error.contains("Not a directory"), "{error}");
        assert!(error.contains("choose another output directory"), "{error}");
    }
    let error = claim(Path::new("/proc/fragmint/out"), false, plan(&FILES), &[]).unwrap_err().to_string();
    assert!(error.starts_with("/proc/fragmint: cannot make the output directory"), "{error}");
    assert_eq!(tree(place.directory.path()), ["input.h264"]);
}
