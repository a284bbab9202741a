//! The built command with inputs that are no files: standard input, pipes, devices. What comes out is what a file gives, and
//! nothing of the copies is left.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const VIDEO: &str = "234p.h264";
const AUDIO: &str = "en.aac";

fn ladder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder").join(name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A directory to work in, with an empty one for temporary files.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("tmp")).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `fragmint package` with `inputs` into the directory `out`.
    fn package<S: AsRef<std::ffi::OsStr>>(&self, inputs: &[S], out: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
        command.arg("package").args(inputs).arg("-o").arg(self.path(out)).stdin(Stdio::null());
        command.current_dir(self.directory.path()).env("TMPDIR", self.path("tmp"));
        command
    }

    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    /// Every file that the package of the files themselves has.
    fn expected(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let output = self.package(&[ladder(VIDEO), ladder(AUDIO)], "expected").output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        self.files("expected")
    }

    /// Every file, of the receipt without what it says of the inputs: a stream has no name, and may have settings.
    fn files(&self, out: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let root = self.path(out);
        let mut found = BTreeMap::new();
        let mut waiting = vec![root.clone()];
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    found.insert(path.strip_prefix(&root).unwrap().to_owned(), std::fs::read(&path).unwrap());
                }
            }
        }
        let receipt = found.get_mut(Path::new("fragmint.json")).expect("a package has a receipt");
        let mut list: serde_json::Value = serde_json::from_slice(receipt).unwrap();
        assert!(list["inputs"].as_array().is_some_and(|inputs| !inputs.is_empty()));
        list["inputs"].take();
        *receipt = list.to_string().into_bytes();
        found
    }

    fn leaves_nothing_temporary(&self) {
        assert_eq!(std::fs::read_dir(self.path("tmp")).unwrap().count(), 0);
    }
}

/// Runs `command` with `bytes` on its standard input.
fn fed(command: &mut Command, bytes: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that refuses its words reads nothing.
    let _ = stdin.write_all(bytes);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn refusal(output: &Output) -> (Option<i32>, String) {
    let stderr = text(&output.stderr);
    assert_eq!(stderr.matches('\n').count(), 1, "{stderr}");
    (output.status.code(), stderr)
}

#[test]
fn standard_input_gives_the_bytes_that_the_file_gives() {
    let place = Place::new();
    let expected = place.expected();
    let bytes = std::fs::read(ladder(VIDEO)).unwrap();
    for (index, word) in ["-", "-,fps=25", "/dev/stdin"].into_iter().enumerate() {
        let out = format!("out{index}");
        let mut command = place.package(&[PathBuf::from(word), ladder(AUDIO)], &out);
        let output = fed(&mut command, &bytes);
        assert!(output.status.success(), "{word}: {}", text(&output.stderr));
        assert!(place.files(&out) == expected, "{word}");
    }
    place.leaves_nothing_temporary();
}

#[test]
fn named_pipes_are_read_together_whatever_their_writer_begins_with() {
    let place = Place::new();
    let expected = place.expected();
    let (video, audio) = (place.fifo("v"), place.fifo("a"));
    let writer = {
        let (video, audio) = (video.clone(), audio.clone());
        // As a program with two outputs does: the second is opened while the first is still to be written.
        std::thread::spawn(move || {
            let mut sound = File::options().write(true).open(audio).unwrap();
            let mut pictures = File::options().write(true).open(video).unwrap();
            sound.write_all(&std::fs::read(ladder(AUDIO)).unwrap()).unwrap();
            pictures.write_all(&std::fs::read(ladder(VIDEO)).unwrap()).unwrap();
        })
    };
    let output = place.package(&[video, audio], "out").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    writer.join().unwrap();
    assert!(place.files("out") == expected);
    place.leaves_nothing_temporary();
}

#[test]
fn a_process_substitution_of_bash_is_an_input() {
    let place = Place::new();
    let expected = place.expected();
    let script = r#""$0" package <(cat "$1") <(cat "$2") -o out"#;
    let words = [Path::new(env!("CARGO_BIN_EXE_fragmint")), &ladder(VIDEO), &ladder(AUDIO)];
    let mut bash = Command::new("bash");
    let output = bash.args(["-c", script]).args(words).current_dir(place.directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(place.files("out") == expected);
}

#[test]
fn a_file_on_standard_input_is_read_from_where_it_stands() {
    let place = Place::new();
    let expected = place.expected();
    let inputs = [PathBuf::from("-"), ladder(AUDIO)];
    let output = place.package(&inputs, "whole").stdin(File::open(ladder(VIDEO)).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(place.files("whole") == expected);

    let path = place.path("behind");
    let mut file = File::options().create_new(true).read(true).write(true).open(path).unwrap();
    file.write_all(b"what somebody else has read").unwrap();
    let start = file.stream_position().unwrap();
    file.write_all(&std::fs::read(ladder(VIDEO)).unwrap()).unwrap();
    file.seek(SeekFrom::Start(start)).unwrap();
    let output = place.package(&inputs, "rest").stdin(file).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(place.files("rest") == expected);
    place.leaves_nothing_temporary();
}

#[test]
fn streams_are_kept_beside_the_output_where_tmpdir_is_not_set() {
    let place = Place::new();
    let mut command = place.package(&["-"], "out/a/b");
    let output = fed(command.env_remove("TMPDIR"), &std::fs::read(ladder(VIDEO)).unwrap());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut left: Vec<_> =
        std::fs::read_dir(place.directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["out", "tmp"]);
    // Nor can it be kept where TMPDIR says what is not there.
    let mut command = place.package(&["-"], "other");
    let missing = place.path("missing");
    let (code, stderr) = refusal(&fed(command.env("TMPDIR", &missing), b"\0\0\0\x01"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains(missing.to_str().unwrap()) && stderr.contains("set TMPDIR"), "{stderr}");
}

#[test]
fn an_empty_stream_is_an_error_that_names_it() {
    let place = Place::new();
    let (code, stderr) = refusal(&fed(&mut place.package(&["-"], "out"), b""));
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: standard input"), "{stderr}");
    let (code, stderr) = refusal(&place.package(&["/dev/null"], "out").output().unwrap());
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: /dev/null"), "{stderr}");
    assert!(!place.path("out").exists());
    place.leaves_nothing_temporary();
}

#[test]
fn a_damaged_stream_is_told_of_by_its_name_and_offset() {
    let place = Place::new();
    let (code, stderr) = refusal(&fed(&mut place.package(&["-"], "out"), b"neither video nor sound"));
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: standard input"), "{stderr}");
    assert!(!place.path("out").exists());
}

#[test]
fn a_stream_given_twice_is_a_usage_error() {
    let place = Place::new();
    for words in [["-", "-"], ["-", "-,lang=en"], ["-", "/dev/stdin"]] {
        let (code, stderr) = refusal(&fed(&mut place.package(&words, "out"), b"x"));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("given twice"), "{stderr}");
    }
    let pipe = place.fifo("pipe");
    let other = place.path("other");
    std::os::unix::fs::symlink(&pipe, &other).unwrap();
    let (code, stderr) = refusal(&place.package(&[pipe, other], "out").output().unwrap());
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("are the same stream"), "{stderr}");
}

#[test]
fn a_terminal_is_a_usage_error_that_says_what_to_do() {
    let place = Place::new();
    // The controlling side of a pseudo terminal counts as one.
    let terminal = || File::options().read(true).write(true).open("/dev/ptmx").unwrap();
    let (code, stderr) = refusal(&place.package(&["-"], "out").stdin(terminal()).output().unwrap());
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: standard input: it is a terminal"), "{stderr}");
    assert!(stderr.contains("encoder | fragmint package - -o out"), "{stderr}");
    let (code, stderr) = refusal(&place.package(&["/dev/ptmx"], "out").output().unwrap());
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: /dev/ptmx: it is a terminal"), "{stderr}");
}

#[test]
fn what_would_fail_anyway_fails_before_a_stream_is_read() {
    let place = Place::new();
    // Nobody ever writes to the pipe: reading it would never end.
    let pipe = place.fifo("pipe");
    let missing = place.path("missing.aac");
    let (code, stderr) = refusal(&place.package(&[&pipe, &missing], "out").output().unwrap());
    assert_eq!(code, Some(1));
    assert!(stderr.contains("missing.aac: cannot open the input"), "{stderr}");
    std::fs::create_dir(place.path("full")).unwrap();
    std::fs::write(place.path("full/theirs"), "").unwrap();
    let (code, stderr) = refusal(&place.package(&[&pipe], "full").output().unwrap());
    assert_eq!(code, Some(1));
    assert!(stderr.contains("full"), "{stderr}");
}

#[test]
fn a_stream_that_never_ends_stops_at_the_limit_and_leaves_nothing() {
    let place = Place::new();
    let script = r#"ulimit -f 2048; exec "$0" package /dev/zero -o out"#;
    let mut bash = Command::new("bash");
    bash.args(["-c", script, env!("CARGO_BIN_EXE_fragmint")]).env("TMPDIR", place.path("tmp"));
    let (code, stderr) = refusal(&bash.current_dir(place.directory.path()).output().unwrap());
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("tmp: cannot write a temporary file") && stderr.contains("ulimit -f"),
        "{stderr}"
    );
    assert!(!place.path("out").exists());
    place.leaves_nothing_temporary();
}

#[test]
fn a_directory_is_refused_also_on_standard_input() {
    let place = Place::new();
    let directory = File::open(place.directory.path()).unwrap();
    let (code, stderr) = refusal(&place.package(&["-"], "out").stdin(directory).output().unwrap());
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: standard input: the input is a directory"), "{stderr}");
}

#[test]
fn a_dry_run_of_a_stream_writes_nothing() {
    let place = Place::new();
    let bytes = std::fs::read(ladder(VIDEO)).unwrap();
    let output = fed(place.package(&["-"], "out").arg("--dry-run"), &bytes);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("from standard input"), "{}", text(&output.stdout));
    assert!(!place.path("out").exists());
    place.leaves_nothing_temporary();
}
