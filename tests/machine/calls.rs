//! Each system call of the way to the disk fails once, by strace: the first, a middle and the last one of each kind that is about
//! the output or an input. A call that may fail without harm leaves a complete package; any other is an error.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Settings;
use crate::faulted::aftermath;
use crate::faulted::tree::Tree;
use crate::faulted::{Bench, Ended, Running, WAYS, has, repeated};
use crate::report::{Report, code, message};

/// A system call, and how it fails.
const CALLS: &[(&str, &str)] = &[
    ("openat", "EIO"),
    ("openat", "ENOSPC"),
    ("mkdir", "ENOSPC"),
    ("mkdirat", "ENOSPC"),
    ("flock", "EIO"),
    ("getdents64", "EIO"),
    ("newfstatat", "EIO"),
    ("fstat", "EIO"),
    ("statx", "EIO"),
    ("fstatfs", "EIO"),
    ("fallocate", "ENOSPC"),
    ("fallocate", "EIO"),
    ("ftruncate", "EIO"),
    ("mmap", "ENOMEM"),
    ("madvise", "EIO"),
    ("pread64", "EIO"),
    ("preadv", "EIO"),
    ("read", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("pwrite64", "EIO"),
    ("pwritev", "ENOSPC"),
    ("pwritev", "EIO"),
    ("fsync", "EIO"),
    ("fdatasync", "EIO"),
    ("syncfs", "EIO"),
    ("linkat", "ENOSPC"),
    ("linkat", "EIO"),
    ("rename", "EIO"),
    ("renameat", "EIO"),
    ("renameat2", "EIO"),
    ("unlinkat", "EIO"),
    ("rmdir", "EIO"),
];

/// Calls whose failure loses nothing: a mapping that is not there is gone around, a lock where there are none, advice.
const HARMLESS: [&str; 6] = ["mmap", "madvise", "flock", "fstatfs", "statx", "newfstatat"];

/// Calls that are made in a directory of which nothing is to be left: they, failing, leave what the journal names.
const REMOVING: [&str; 4] = ["unlinkat", "rmdir", "rename", "renameat2"];

/// How a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Fresh,
    Force,
    Durable,
    Resume,
}

impl Mode {
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Fresh => &[],
            Self::Force => &["--force"],
            Self::Durable => &["--durable"],
            Self::Resume => &["--resume"],
        }
    }
}

/// A traced call.
struct Traced {
    thread: String,
    call: String,
    /// Counted for each thread by itself, from one, as strace does.
    number: usize,
    line: String,
    /// It names the directory of the test, or populates a mapping.
    about_us: bool,
}

pub fn run(settings: &Settings, report: &mut Report) {
    if !has("strace")
        || !Command::new("strace").args(["-qq", "-o/dev/null", "true"]).status().is_ok_and(|s| s.success())
    {
        report.not_checked("system calls that fail: strace is not here, or may not trace".to_owned());
        return;
    }
    let streams = [("234p.h264", repeated("234p.h264", 2)), ("en.aac", repeated("en.aac", 2))];
    let bench = Bench::new(&streams, &["--segment-duration", "2", "--quiet", "--threads", "1"]);
    let help =
        Command::new(crate::faulted::binary()).args(["package", "--help"]).output().expect("it starts");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for mode in [Mode::Fresh, Mode::Force, Mode::Durable, Mode::Resume] {
        if !mode.words().iter().all(|word| help.contains(word)) {
            report
                .not_checked(format!("system calls that fail with {mode:?}: the command has no such option"));
            continue;
        }
        for way in WAYS {
            one_mode(settings, report, &bench, mode, way);
        }
    }
}

fn one_mode(settings: &Settings, report: &mut Report, bench: &Bench, mode: Mode, way: &str) {
    let Some(output) = prepare(bench, mode, way) else {
        report.problem(format!("{mode:?}, {way}: no run could be stopped half way"));
        return;
    };
    let (ended, traced) = trace(bench, &output, mode, way, "trace=file,desc,memory", None);
    let mut problems = bench.complete(&output);
    problems.extend((!ended.succeeded()).then(|| format!("{ended:?}")));
    if mode == Mode::Durable {
        problems.extend(durable_order(bench, &traced));
    }
    report.row(&["nothing", "-", way, &format!("{mode:?}"), &code(&ended), "-"], problems);
    let mut kinds: Vec<&str> = CALLS.iter().map(|(call, _)| *call).collect();
    kinds.dedup();
    for kind in kinds {
        let numbers = numbers(&traced, kind);
        for number in chosen(&numbers, settings.quick) {
            for (_, errno) in CALLS.iter().filter(|(call, _)| *call == kind) {
                inject(report, bench, mode, way, kind, errno, (number, numbers.len()));
            }
        }
    }
}

/// What is wrong with the order of a run with `--durable`: each file is flushed before it is named, and every directory before the
/// first manifest is.
fn durable_order(bench: &Bench, traced: &[Traced]) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut flushed, mut directories, mut manifests) = (false, std::collections::BTreeSet::new(), 0);
    for traced in traced {
        let flushes_file = traced.line.contains("/#");
        match traced.call.as_str() {
            "fsync" | "fdatasync" if flushes_file => flushed = true,
            "fsync" => drop(directories.insert(traced.line.clone())),
            "linkat" => {
                let is_manifest = [".m3u8\"", ".mpd\""].iter().any(|end| traced.line.contains(end));
                manifests += u64::from(is_manifest);
                let all = bench.reference.names().filter(|name| bench.reference.file(name).is_none()).count();
                if is_manifest && manifests == 1 && directories.len() <= all {
                    problems.push(format!(
                        "{} directories of {all} are flushed: {directories:?}",
                        directories.len()
                    ));
                }
                if !flushed {
                    problems.push(format!("not flushed before it is named: {}", traced.line));
                }
                flushed = false;
            }
            _ => {}
        }
    }
    problems.extend((manifests == 0).then(|| "no manifest was named".to_owned()));
    problems
}

/// The numbers of the calls of this kind in the thread that makes most of them. The same number would hit other threads too, first
/// of all the one that loads the program, so those are left out that it reaches.
fn numbers(traced: &[Traced], kind: &str) -> Vec<usize> {
    let of_kind = || traced.iter().filter(|traced| traced.call == kind);
    let count = |thread: &str| of_kind().filter(|traced| traced.thread == thread && traced.about_us).count();
    let Some(busiest) = of_kind().map(|traced| traced.thread.as_str()).max_by_key(|thread| count(thread))
    else {
        return Vec::new();
    };
    let elsewhere = of_kind().filter(|traced| traced.thread != busiest).map(|traced| traced.number).max();
    let ours = of_kind().filter(|traced| traced.thread == busiest && traced.about_us);
    ours.map(|traced| traced.number).filter(|&number| Some(number) > elsewhere).collect()
}

/// The first, a middle and the last; of few runs, the first and the last.
fn chosen(numbers: &[usize], quick: bool) -> Vec<usize> {
    let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else { return Vec::new() };
    let mut chosen = if quick { vec![first, last] } else { vec![first, numbers[numbers.len() / 2], last] };
    chosen.dedup();
    chosen
}

fn inject(
    report: &mut Report,
    bench: &Bench,
    mode: Mode,
    way: &str,
    call: &str,
    errno: &str,
    (number, of): (usize, usize),
) {
    let Some(output) = prepare(bench, mode, way) else { return };
    let injection = format!("inject={call}:error={errno}:when={number}");
    let (ended, traced) = trace(bench, &output, mode, way, &format!("trace={call}"), Some(&injection));
    let hit: Vec<_> =
        traced.iter().filter(|traced| traced.about_us && traced.line.contains("(INJECTED)")).collect();
    if hit.is_empty() {
        report.not_checked(format!("{call} {number} of {mode:?}, {way}: the run took another course"));
        return;
    }
    let mut problems = aftermath::problems(&output, None, &bench.reference);
    if ended.succeeded() {
        problems.extend(bench.complete(&output));
        if !HARMLESS.contains(&call) && !REMOVING.contains(&call) && call != "openat" {
            problems.push(format!("the error is lost: {}", hit[0].line));
        }
    } else {
        problems.extend(ended.problems(1, ""));
        let is_kept = REMOVING.contains(&call) || mode == Mode::Resume;
        // The directory of a finished run could not be flushed: it is complete, and the error tells what is not known.
        let is_done = call == "fsync" && bench.complete(&output).is_empty();
        if !is_kept && !is_done && mode != Mode::Force {
            problems.extend(bench.taken_back(&output, None));
        }
    }
    // Whatever is left, the next run can go on with it.
    problems.extend(again(bench, &output));
    let stage = format!("{mode:?}, {number} (of {of})");
    let said = message(&ended, bench, &output);
    report.row(&[&format!("{call} {errno}"), "-", way, &stage, &code(&ended), &said], problems);
}

/// A run with `--force` over what is left must succeed.
fn again(bench: &Bench, output: &Path) -> Vec<String> {
    let ended = Ended::of(bench.package(output, &["--force"]).output().expect("it starts"));
    let mut problems = bench.complete(output);
    problems.extend((!ended.succeeded()).then(|| format!("a run with --force over it fails: {ended:?}")));
    problems
}

/// The directory as a run of this mode finds it.
fn prepare(bench: &Bench, mode: Mode, way: &str) -> Option<std::path::PathBuf> {
    let output = bench.fresh("out");
    match mode {
        Mode::Fresh | Mode::Durable => Some(output),
        Mode::Force => {
            let status = bench.package(&output, &[]).status().expect("it starts");
            status.success().then_some(output)
        }
        Mode::Resume => {
            // One killed run for all, so that all that go on with it make the same calls.
            let template = bench.path(&format!("killed-{way}"));
            if !template.exists() {
                killed(bench, way, &template)?;
            }
            copy(&template, &output).expect("the directory is ours");
            Some(output)
        }
    }
}

/// A directory that a run left which was killed when it had three segments.
fn killed(bench: &Bench, way: &str, output: &Path) -> Option<()> {
    let segments = bench.published(".m4s");
    for _ in 0..50 {
        let _ = fs::remove_dir_all(output);
        let mut run = Running::start(bench.package(output, &["--io", way]));
        let stopped = run.stop_when(|| output.join(&segments[2]).exists());
        run.send(rustix::process::Signal::KILL);
        run.wait();
        if stopped && !Tree::read(output)?.names().any(|name| aftermath::is_manifest(name)) {
            return Some(());
        }
    }
    None
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() { copy(&from, &to)? } else { fs::copy(from, to).map(|_| ())? }
    }
    Ok(())
}

/// Runs behind strace; gives the calls that are about this directory, or populate a mapping.
fn trace(
    bench: &Bench,
    output: &Path,
    mode: Mode,
    way: &str,
    what: &str,
    injection: Option<&str>,
) -> (Ended, Vec<Traced>) {
    let log = bench.path("strace.log");
    let log_word = format!("-o{}", log.display());
    let mut front = vec!["strace", "-f", "-y", "-qq", &log_word, "-e", what];
    front.extend(injection.into_iter().flat_map(|injection| ["-e", injection]));
    let mut more = vec!["--io", way];
    more.extend(mode.words());
    let ended = Ended::of(bench.package_behind(&front, output, &more).output().expect("strace starts"));
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let place = bench.directory.path().to_string_lossy().into_owned();
    let mut counts = std::collections::BTreeMap::new();
    let mut traced = Vec::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if rest.contains(" resumed>") {
            continue;
        }
        let number = counts.entry((thread.to_owned(), call.to_owned())).or_insert(0);
        *number += 1;
        let about_us = (rest.contains(&place) && call != "execve") || rest.contains("MADV_POPULATE");
        let line = rest.replace(&place, "…");
        let (thread, call) = (thread.to_owned(), call.to_owned());
        traced.push(Traced { thread, call, number: *number, line, about_us });
    }
    (ended, traced)
}
