//! Real faults against the built command: whatever fails, and whenever, the run ends with one line and its exit code, and leaves
//! the directory as it was, or a complete package. No root is needed; what needs mounts or tracing is in `tests/machine`.
//!
//! Faults that must come at a stage come while the process is stopped there. That it was there is looked at afterwards; a run
//! that got past it is tried again.

#[path = "faulted/mod.rs"]
#[allow(dead_code, reason = "tests/machine needs the rest")]
mod faulted;

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;

use faulted::tree::Tree;
use faulted::{Bench, Ended, JOURNAL, RECEIPT, Running, WAYS, binary, has, is_root, open_to_all, repeated};

/// How often a run is started again that was not at its stage when it was stopped.
const ATTEMPTS: usize = 100;

/// Many small tracks: 68 segments to be met between, and 19 manifests, so that a run is met between these too.
static BENCH: LazyLock<Bench> = LazyLock::new(many_small);

fn many_small() -> Bench {
    let names: Vec<_> = (1..=16).map(|number| format!("{number:02}.aac")).collect();
    let audio = names.iter().map(|name| (name.as_str(), repeated("de.aac", 1)));
    let streams: Vec<_> = [("234p.h264", repeated("234p.h264", 1))].into_iter().chain(audio).collect();
    Bench::new(&streams, &["--segment-duration", "6", "--quiet", "--threads", "1"])
}

/// What a run has done when something happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The journal is there.
    Claim,
    /// An init segment is there, and not yet the last segment.
    Init,
    FirstSegment,
    /// Half of the segments are there.
    LaterSegment,
    /// A manifest is there, and not yet the last one, behind which the files are looked at again.
    Manifests,
}

impl Stage {
    /// The file whose appearance begins it, and the one whose appearance ends it.
    fn files(self) -> (String, String) {
        let (segments, manifests) = (BENCH.published(".m4s"), BENCH.published(".m3u8"));
        let last = segments[segments.len() - 1].clone();
        match self {
            Self::Claim => (JOURNAL.to_owned(), last),
            Self::Init => (BENCH.published("init.mp4")[0].clone(), last),
            Self::FirstSegment => (segments[0].clone(), last),
            Self::LaterSegment => (segments[segments.len() / 2].clone(), last),
            Self::Manifests => (manifests[0].clone(), manifests[manifests.len() - 1].clone()),
        }
    }
}

/// What happens, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    InputTruncated,
    /// One byte, the size as before.
    InputRewritten,
    /// It grows.
    InputExtended,
    /// Its name is gone; the file is open.
    InputRemoved,
    /// Another file gets its name.
    InputReplaced,
    OutputRemoved,
    OutputRenamed,
    /// A file of somebody else takes the name of the last file of this kind.
    Obstacle(&'static str),
    /// A published segment is removed, or changed.
    SegmentRemoved,
    SegmentReplaced,
}

impl Fault {
    /// The directory that has to be there for it.
    fn place(self, output: &Path) -> PathBuf {
        match self {
            Obstacle(kind) => {
                output.join(obstacle(kind)).parent().expect("it is below the output").to_owned()
            }
            _ => output.to_owned(),
        }
    }
}

/// How it has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Exit code 1, this in the line, and nothing of the run left.
    Error(&'static str),
    /// Nothing is lost: a complete package.
    Complete,
}

use End::{Complete, Error};
use Fault::*;
use Stage::{Claim, FirstSegment, Init, LaterSegment, Manifests};

const CHANGED: &str = "the file changed while it was read";
const OTHERS: &str = "by somebody else during the run";
const IN_THE_WAY: &str = "fragmint replaces no file that it did not write";

/// Each is run in both ways.
const MATRIX: &[(Fault, Stage, End)] = &[
    (InputTruncated, Claim, Error(CHANGED)),
    (InputTruncated, FirstSegment, Error(CHANGED)),
    (InputTruncated, LaterSegment, Error(CHANGED)),
    // Every segment is there and compared: the input is not needed any more.
    (InputTruncated, Manifests, Complete),
    (InputRewritten, Claim, Error(CHANGED)),
    (InputRewritten, FirstSegment, Error(CHANGED)),
    (InputRewritten, LaterSegment, Error(CHANGED)),
    (InputRewritten, Manifests, Complete),
    (InputExtended, LaterSegment, Error(CHANGED)),
    // An open file lasts without its name.
    (InputRemoved, Claim, Complete),
    (InputRemoved, LaterSegment, Complete),
    (InputReplaced, FirstSegment, Complete),
    (OutputRemoved, Claim, Error("No such file or directory")),
    (OutputRemoved, Init, Error("No such file or directory")),
    (OutputRemoved, LaterSegment, Error("No such file or directory")),
    (OutputRemoved, Manifests, Error("")),
    // The directory is open too: the package is where it went.
    (OutputRenamed, Claim, Complete),
    (OutputRenamed, LaterSegment, Complete),
    (Obstacle(".m4s"), Claim, Error(IN_THE_WAY)),
    (Obstacle(".m4s"), FirstSegment, Error(IN_THE_WAY)),
    (Obstacle(".m3u8"), Claim, Error(IN_THE_WAY)),
    (Obstacle(".m3u8"), LaterSegment, Error(IN_THE_WAY)),
    (Obstacle(".mpd"), FirstSegment, Error(IN_THE_WAY)),
    (Obstacle(RECEIPT), FirstSegment, Error(IN_THE_WAY)),
    (Obstacle(RECEIPT), Manifests, Error(IN_THE_WAY)),
    (SegmentRemoved, LaterSegment, Error(OTHERS)),
    (SegmentReplaced, LaterSegment, Error(OTHERS)),
    (SegmentRemoved, Manifests, Error(OTHERS)),
];

#[test]
fn whatever_happens_beside_a_run_ends_as_the_matrix_says() {
    let mut problems = Vec::new();
    for way in WAYS {
        for case in MATRIX {
            let found = run_case(way, case);
            problems.extend(found.into_iter().map(|problem| format!("{way} {case:?}: {problem}")));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// One cell: what is wrong with it.
fn run_case(way: &str, &(fault, stage, end): &(Fault, Stage, End)) -> Vec<String> {
    let (begin, last) = stage.files();
    for _ in 0..ATTEMPTS {
        // Inputs of its own, for they are changed.
        let inputs = inputs_again();
        let (output, renamed) = (BENCH.fresh("out"), BENCH.fresh("renamed"));
        let mut run = Running::start(BENCH.package(&output, &["--io", way]));
        let is_there = || output.join(&begin).exists() && fault.place(&output).is_dir();
        if !run.stop_when(is_there) || output.join(&last).exists() {
            continue;
        }
        apply(fault, &output, &renamed);
        run.go_on();
        let ended = run.wait();
        drop(inputs);
        return judge(fault, end, &ended, if fault == OutputRenamed { &renamed } else { &output });
    }
    vec![format!("not stopped at the stage in {ATTEMPTS} runs")]
}

/// Writes the inputs anew when it is dropped.
fn inputs_again() -> impl Drop {
    struct Again(Vec<Vec<u8>>);
    impl Drop for Again {
        fn drop(&mut self) {
            for (path, bytes) in BENCH.inputs.iter().zip(&self.0) {
                if fs::read(path).ok().as_ref() != Some(bytes) {
                    let _ = fs::remove_file(path);
                    fs::write(path, bytes).expect("it is ours");
                }
            }
        }
    }
    Again(BENCH.inputs.iter().map(|path| fs::read(path).expect("it is there")).collect())
}

fn apply(fault: Fault, output: &Path, renamed: &Path) {
    let input = &BENCH.inputs[1];
    let open = || fs::File::options().write(true).open(input).expect("the input is there");
    match fault {
        InputTruncated => open().set_len(1000).expect("it is ours"),
        InputRewritten => {
            let mut file = open();
            file.seek(SeekFrom::Start(5000)).and_then(|_| file.write_all(b"x")).expect("it is ours");
        }
        InputExtended => {
            let mut file = open();
            file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(b"more")).expect("it is ours");
        }
        InputRemoved => fs::remove_file(input).expect("it is ours"),
        InputReplaced => {
            fs::write(BENCH.path("other"), b"another file").expect("it is ours");
            fs::rename(BENCH.path("other"), input).expect("it is ours");
        }
        OutputRemoved => fs::remove_dir_all(output).expect("it is ours"),
        OutputRenamed => fs::rename(output, renamed).expect("it is ours"),
        Obstacle(kind) => fs::write(output.join(obstacle(kind)), b"of somebody else").expect("it is free"),
        SegmentRemoved => fs::remove_file(output.join(first_segment())).expect("it is there"),
        SegmentReplaced => {
            fs::write(BENCH.path("other"), b"another file").expect("it is ours");
            fs::rename(BENCH.path("other"), output.join(first_segment())).expect("it is ours");
        }
    }
}

fn first_segment() -> String {
    BENCH.published(".m4s")[0].clone()
}

/// The last file of a kind.
fn obstacle(kind: &'static str) -> String {
    BENCH.published(kind).pop().unwrap_or_else(|| kind.to_owned())
}

fn judge(fault: Fault, end: End, ended: &Ended, output: &Path) -> Vec<String> {
    match end {
        Complete if !ended.succeeded() => vec![format!("{ended:?}")],
        Complete => BENCH.complete(output),
        Error(part) => {
            let mut problems = ended.problems(1, part);
            let theirs = match fault {
                Obstacle(kind) => Some((obstacle(kind), "of somebody else")),
                SegmentReplaced => Some((first_segment(), "another file")),
                _ => None,
            };
            let Some((path, bytes)) = theirs else {
                problems.extend(BENCH.taken_back(output, None));
                return problems;
            };
            let left: Vec<_> = Tree::read(output)
                .map(|tree| tree.files().map(|(path, file)| (path.clone(), file.bytes.clone())).collect())
                .unwrap_or_default();
            if left != [(path, bytes.as_bytes().to_vec())] {
                let names: Vec<_> = left.iter().map(|(path, _)| path).collect();
                problems.push(format!("not the other's file alone is left: {names:?}"));
            }
            problems
        }
    }
}

// ---------------------------------------------------------------------------------------------- limits of the process

/// One segment a track: then an init segment is longer than a playlist, and segments have many sizes.
fn small() -> Bench {
    let streams = [("360p.h264", repeated("360p.h264", 1)), ("en.aac", repeated("en.aac", 1))];
    Bench::new(&streams, &["--segment-duration", "4", "--quiet", "--threads", "1"])
}

/// `prlimit` of util-linux, which every Debian has.
fn limited(bench: &Bench, limit: &str, output: &Path, way: &str) -> Ended {
    let command = bench.package_behind(&["prlimit", limit], output, &["--io", way]).output();
    Ended::of(command.expect("prlimit is here"))
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_at_whichever_file_meets_it() {
    let bench = small();
    let largest = |part: &str| {
        let size = |path: &String| bench.reference.file(path).map_or(0, |file| file.bytes.len());
        bench.files_with(part).iter().map(size).max().expect("there is one")
    };
    let first = bench.reference.file(&bench.files_with(".m4s")[0]).expect("it is there").bytes.len();
    for way in WAYS {
        // Of a package with several tracks the journal is longer than any init segment.
        for (limit, part) in
            [(0, JOURNAL), (100, JOURNAL), (first - 1, "seg-00001.m4s"), (largest(".m4s") - 1, ".m4s")]
        {
            let output = bench.fresh("out");
            let ended = limited(&bench, &format!("--fsize={limit}:{limit}"), &output, way);
            let mut problems = ended.problems(1, "File too large");
            problems.extend(ended.problems(1, part));
            problems.extend(ended.problems(1, "ulimit -f"));
            problems.extend(bench.taken_back(&output, None));
            assert!(problems.is_empty(), "{way} {limit}: {problems:#?}");
        }
        let output = bench.fresh("out");
        // Room for the receipt and the journal too.
        let ended = limited(&bench, &format!("--fsize={0}:{0}", largest(".m4s") + 65_536), &output, way);
        assert!(ended.succeeded() && bench.complete(&output).is_empty(), "{way}: {ended:?}");
    }
}

#[test]
fn too_few_descriptors_are_an_error_at_every_number() {
    let bench = small();
    for way in WAYS {
        let mut ends = (0, 0);
        // With fewer the loader of programs finds no library.
        for limit in 4..=24 {
            let output = bench.fresh("out");
            let ended = limited(&bench, &format!("--nofile={limit}:{limit}"), &output, way);
            let problems = if ended.succeeded() {
                ends.0 += 1;
                bench.complete(&output)
            } else {
                ends.1 += 1;
                let mut problems = ended.problems(1, "Too many open files");
                problems.extend(bench.taken_back(&output, None));
                problems
            };
            assert!(problems.is_empty(), "{way}, {limit} descriptors: {problems:#?} {ended:?}");
        }
        assert!(ends.0 > 5 && ends.1 > 5, "{way}: the limits do not meet the run: {ends:?}");
    }
}

/// Where the allocator finds no memory, Rust ends the process, as a kill does; so what is left must be what a kill may leave.
#[test]
fn too_little_address_space_leaves_whole_files_and_no_manifest() {
    // Of its own: those of the matrix change meanwhile.
    let bench = &many_small();
    for way in WAYS {
        let (mut complete, mut failed) = (0, 0);
        for mebibytes in (8..=64).step_by(8) {
            let output = bench.fresh("little-memory");
            let ended = limited(bench, &format!("--as={0}:{0}", mebibytes << 20), &output, way);
            let problems = if ended.succeeded() {
                complete += 1;
                bench.complete(&output)
            } else {
                failed += 1;
                faulted::aftermath::kept(&output, None, &bench.reference)
            };
            assert!(problems.is_empty(), "{way}, {mebibytes} MiB: {problems:#?} {ended:?}");
        }
        // 64 MiB are enough though the inputs alone are mapped with more than 12.
        assert!(complete > 0 && failed > 0, "{way}: the limits do not meet the run: {complete}, {failed}");
    }
}

#[test]
fn threads_that_cannot_be_started_are_an_error() {
    if !is_root() {
        eprintln!(
            "NOT CHECKED: a limit on processes counts all that this user has; only root can take another user"
        );
        return;
    }
    let Some(others) = Others::new() else { return };
    let output = others.output("out");
    let mut command = others.bench.package_behind(&["prlimit", "--nproc=1:1"], &output, &[]);
    command.uid(NOBODY).gid(NOBODY);
    let ended = Ended::of(command.output().expect("prlimit is here"));
    let mut problems = ended.problems(1, "cannot start the threads");
    problems.extend(others.bench.taken_back(&output, None));
    assert!(problems.is_empty(), "{problems:#?}");
}

// ------------------------------------------------------------------------------------------------ permissions, paths

/// The user of whom everybody is another.
const NOBODY: u32 = 65534;

/// Runs of a user who may not do everything.
struct Others {
    bench: Bench,
}

impl Others {
    /// `None`, and a loud word, where that user cannot start the command.
    fn new() -> Option<Self> {
        let bench = small();
        open_to_all(bench.directory.path());
        let mut command = std::process::Command::new(binary());
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        if !command.status().is_ok_and(|status| status.success()) {
            eprintln!("NOT CHECKED: user {NOBODY} cannot start {}", binary().display());
            return None;
        }
        Some(Self { bench })
    }

    /// A path in a directory that belongs to that user.
    fn output(&self, name: &str) -> std::path::PathBuf {
        let parent = self.bench.path("theirs");
        if !parent.exists() {
            fs::create_dir(&parent).expect("it is ours");
        }
        if is_root() {
            std::os::unix::fs::chown(&parent, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        parent.join(name)
    }

    fn run(&self, output: &Path, way: &str) -> Ended {
        let mut command = self.bench.package(output, &["--io", way]);
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Ended::of(command.output().expect("the command starts"))
    }
}

#[test]
fn a_directory_that_may_not_be_written_is_an_error_and_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(others) = Others::new() else { return };
    let output = others.output("out");
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    for way in WAYS {
        // The directory itself, and its parent where it is not there.
        for (made, refused) in [(true, &*output), (false, others.bench.path("theirs").as_path())] {
            if made {
                fs::create_dir(&output).expect("it is free");
            }
            mode(refused, 0o555);
            let before = Tree::read(&output);
            let ended = others.run(&output, way);
            let mut problems = ended.problems(1, "Permission denied");
            problems.extend(ended.problems(1, "choose an output directory that you may write to"));
            problems.extend(others.bench.taken_back(&output, before.as_ref()));
            mode(refused, 0o755);
            assert!(problems.is_empty(), "{way} {made}: {problems:#?}");
            if made {
                fs::remove_dir(&output).expect("it is empty");
            }
        }
    }
}

#[test]
fn a_file_where_a_directory_has_to_be_is_named_and_stays() {
    let bench = small();
    let file = bench.path("file");
    fs::write(&file, "mine").unwrap();
    for way in WAYS {
        for output in [file.clone(), file.join("out"), file.join("a/b")] {
            let ended = Ended::of(bench.package(&output, &["--io", way]).output().unwrap());
            let problems = ended.problems(1, "a file is where a directory has to be");
            assert!(problems.is_empty(), "{way} {}: {problems:#?}", output.display());
            assert_eq!(fs::read(&file).unwrap(), b"mine");
        }
    }
}

#[test]
fn what_was_there_before_is_not_touched_by_a_run_that_fails() {
    let bench = small();
    for way in WAYS {
        // A directory of somebody else: refused before anything is written.
        let output = bench.fresh("out");
        fs::create_dir(&output).unwrap();
        fs::write(output.join("notes.txt"), "mine").unwrap();
        let before = Tree::read(&output);
        let ended = Ended::of(bench.package(&output, &["--io", way]).output().unwrap());
        let mut problems = ended.problems(1, "the directory is not empty");
        problems.extend(bench.taken_back(&output, before.as_ref()));
        assert!(problems.is_empty(), "{way}: {problems:#?}");

        // Beside an old package that is replaced: the old one is gone by then, the notes are not.
        let output = bench.fresh("out");
        assert!(bench.package(&output, &[]).status().unwrap().success());
        fs::write(output.join("notes.txt"), "mine").unwrap();
        fs::write(output.join("video/notes.txt"), "mine").unwrap();
        let largest = bench.reference.files().map(|(_, file)| file.bytes.len()).max().unwrap() - 1;
        let front = format!("--fsize={largest}:{largest}");
        let mut command = bench.package_behind(&["prlimit", &front], &output, &["--io", way, "--force"]);
        let ended = Ended::of(command.output().unwrap());
        let problems = ended.problems(1, "File too large");
        assert!(problems.is_empty(), "{way}: {problems:#?}");
        let left = Tree::read(&output).unwrap();
        let names: Vec<_> = left.files().map(|(path, file)| (path.as_str(), &file.bytes[..])).collect();
        assert_eq!(names, [("notes.txt", &b"mine"[..]), ("video/notes.txt", b"mine")], "{way}");
    }
}

// --------------------------------------------------------------------------------------------------- closed streams

#[test]
fn closed_standard_streams_do_not_get_into_files() {
    let bench = small();
    for way in WAYS {
        for closed in [">&-", "<&-", "2>&-", "<&- >&- 2>&-"] {
            let output = bench.fresh("out");
            let script = format!("exec \"$@\" {closed}");
            let mut command = bench.package_behind(&["sh", "-c", &script, "sh"], &output, &["--io", way]);
            let ended = Ended::of(command.output().expect("sh is here"));
            assert!(ended.succeeded(), "{closed}: {ended:?}");
            assert_eq!(bench.complete(&output), Vec::<String>::new(), "{way} {closed}");
        }
    }
}

#[test]
fn prlimit_and_sh_are_here() {
    assert!(has("prlimit"), "these tests set limits by prlimit of util-linux");
}
