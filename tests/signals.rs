//! SIGINT and SIGTERM to the built command, at stages and at instants drawn at random: one line, exit code 130 or 143, whole
//! segments and the journal, no manifest; and `--resume` goes on from there. A run that was done by then is complete.

#[path = "faulted/mod.rs"]
#[allow(dead_code, reason = "tests/faults.rs needs the rest")]
mod faulted;

use std::path::Path;
use std::time::{Duration, Instant};

use faulted::aftermath::{is_manifest, is_temporary, kept};
use faulted::tree::Tree;
use faulted::{Bench, Ended, JOURNAL, RECEIPT, Random, Running, WAYS, repeated};
use rustix::process::Signal;

const SIGNALS: [(Signal, i32); 2] = [(Signal::INT, 130), (Signal::TERM, 143)];

fn bench() -> Bench {
    let streams = ["360p.h264", "234p.h264", "en.aac"].map(|name| (name, repeated(name, 3)));
    Bench::new(&streams, &["--segment-duration", "2", "--quiet", "--threads", "1"])
}

/// What is wrong with how a run ended that got a signal, and with what it left; then it is gone on with.
fn judge(bench: &Bench, output: &Path, ended: &Ended, code: i32, way: &str) -> Vec<String> {
    if ended.succeeded() {
        return bench.complete(output);
    }
    let mut problems = ended.problems(code, "");
    problems.extend(kept(output, None, &bench.reference));
    let before = Tree::read(output);
    let more: &[&str] = if before.is_some() { &["--io", way, "--resume"] } else { &["--io", way] };
    let resumed = Ended::of(bench.package(output, more).output().expect("the command starts"));
    problems.extend((!resumed.succeeded()).then(|| format!("cannot go on: {resumed:?}")));
    problems.extend(bench.complete(output));
    let now = Tree::read(output).unwrap_or_default();
    for (path, file) in before.iter().flat_map(Tree::files).filter(|(path, _)| *path != JOURNAL) {
        if now.file(path) != Some(file) {
            problems.push(format!("{path} was whole and is another file now"));
        }
    }
    problems
}

#[test]
fn a_signal_at_a_stage_ends_the_run_between_two_files() {
    let bench = bench();
    let (segments, manifests) = (bench.published(".m4s"), bench.published(".m3u8"));
    let last = &segments[segments.len() - 1];
    let stages = [
        (JOURNAL, last.as_str()),
        (&segments[0], last),
        (&segments[segments.len() / 2], last),
        (&manifests[0], RECEIPT),
    ];
    for way in WAYS {
        for (signal, code) in SIGNALS {
            for (begin, end) in stages {
                let (output, ended) = stopped(&bench, way, begin, end, |run| run.send(signal));
                // In front of the last segment there is something left to be stopped.
                assert!(end == RECEIPT || !ended.succeeded(), "{way} {code} at {begin}: {ended:?}");
                let problems = judge(&bench, &output, &ended, code, way);
                assert!(problems.is_empty(), "{way} {code} at {begin}: {problems:#?}");
            }
        }
    }
}

/// Stops a run between two files, does something to it, and lets it go on to its end.
fn stopped(
    bench: &Bench,
    way: &str,
    begin: &str,
    end: &str,
    act: impl Fn(&Running),
) -> (std::path::PathBuf, Ended) {
    for _ in 0..40 {
        let output = bench.fresh("out");
        let mut run = Running::start(bench.package(&output, &["--io", way]));
        if run.stop_when(|| output.join(begin).exists()) && !output.join(end).exists() {
            act(&run);
            run.go_on();
            return (output, run.wait());
        }
    }
    panic!("{way}: no run was met between {begin} and {end}");
}

#[test]
fn a_signal_at_any_instant_leaves_what_can_be_gone_on_with() {
    const SEED: u64 = 7;
    let bench = bench();
    let mut random = Random(SEED);
    for way in WAYS {
        let start = Instant::now();
        assert!(bench.package(&bench.fresh("out"), &["--io", way]).status().unwrap().success());
        let duration = start.elapsed();
        for number in 0..20 {
            let (signal, code) = SIGNALS[number % 2];
            let output = bench.fresh("out");
            let run = Running::start(bench.package(&output, &["--io", way]));
            // Not before the command watches for signals: until then the system ends it.
            let at = Duration::from_millis(5).max(random.share(duration));
            std::thread::sleep(at);
            run.send(signal);
            let ended = run.wait();
            let is_early = ended.signal == Some(signal.as_raw()) && !output.exists();
            let problems = judge(&bench, &output, &ended, code, way);
            assert!(is_early || problems.is_empty(), "{way}, seed {SEED}, {number}: {problems:#?}");
        }
    }
}

#[test]
fn a_second_signal_ends_the_run_at_once_as_a_kill_does() {
    let bench = bench();
    let segments = bench.published(".m4s");
    for way in WAYS {
        for (signal, code) in SIGNALS {
            let twice = |run: &Running| {
                run.send(signal);
                run.send(signal);
            };
            let last = &segments[segments.len() - 1];
            let (output, ended) = stopped(&bench, way, &segments[1], last, twice);
            assert_eq!(ended.code, Some(code), "{ended:?}");
            let tree = Tree::read(&output).expect("it had begun");
            let wrong: Vec<_> = tree.names().filter(|path| is_manifest(path) || is_temporary(path)).collect();
            assert!(wrong.is_empty() && tree.has(JOURNAL), "{way} {code}: {wrong:?}");
        }
    }
}
