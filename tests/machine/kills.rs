//! Runs that are killed at instants drawn at random over their whole length, and gone on with by `--resume`: the package must be
//! that of a run that nobody disturbed, and whole segments must stay the files that they are.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::Settings;
use crate::faulted::aftermath::{is_manifest, is_temporary, missing_from_manifests};
use crate::faulted::tree::Tree;
use crate::faulted::{Bench, Ended, JOURNAL, RECEIPT, Random, Running, WAYS, repeated};
use crate::report::{Report, code};

const COUNT: u64 = 200;
const SEED: u64 = 20_261_123;

/// The journal that is to replace the one of the old package.
const REPLACING: &str = ".fragmint.journal.part";

/// What is tried between the kill and the going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Nothing,
    /// Another process, while the first one has the directory.
    SecondProcess,
    /// One byte of an input; size and time of change as they were.
    OtherInput,
    OtherOption,
    /// The run that goes on is killed too.
    KilledAgain,
}

/// One kill.
#[derive(Clone, Copy, Debug)]
struct Kill {
    way: &'static str,
    threads: &'static str,
    /// Over an older package of other segments.
    force: bool,
    between: Between,
    /// The instant counts from the journal's appearance, else from the start.
    writing: bool,
    at: Duration,
    of: Duration,
}

impl Kill {
    fn words(&self) -> Vec<&'static str> {
        vec!["--io", self.way, "--threads", self.threads]
    }
}

/// What the kill came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// It ended the run, and the run was gone on with.
    Killed,
    /// It ended the run, which could not be gone on with.
    Refused,
    /// The run was over.
    Over,
}

struct Place {
    bench: Bench,
    output: PathBuf,
    /// What stands in the directory before a run with `--force`.
    old: Tree,
    /// What stands there before this run: that, or nothing.
    here: Tree,
}

pub fn run(settings: &Settings, report: &mut Report) {
    report.columns(
        "way\tthreads\tforce\tbetween\tcounted from\tkilled at ms\tof ms\tleft\tkept\tmissing bytes\tnew bytes\tresumed",
    );
    let help = std::process::Command::new(crate::faulted::binary()).args(["package", "--help"]).output();
    if !String::from_utf8_lossy(&help.expect("it starts").stdout).contains("--resume") {
        report.not_checked("kills: the command has no --resume".to_owned());
        return;
    }
    let mut place = Place::new(settings);
    let mut random = Random(settings.seed.unwrap_or(SEED));
    let count = settings.count.unwrap_or(COUNT);
    report.note(format!("{count} kills, seed {}", random.0));
    let durations = durations(&place, report);
    let mut durations: Vec<_> = durations.iter().chain(&durations).copied().collect();
    let (mut killed, mut tried) = (0, 0);
    while killed < count && tried < count * 4 {
        let case = tried as usize;
        tried += 1;
        // Three of four fall into the writing, which has lengths of its own.
        let writing = case % 4 != case / 4 % 4;
        let of = durations[case % 4 + if writing { 4 } else { 0 }];
        let kill = Kill {
            way: WAYS[case % 2],
            threads: ["1", "2"][case / 2 % 2],
            force: case % 5 == 4,
            between: match case % 11 {
                1 => Between::SecondProcess,
                3 => Between::OtherInput,
                5 => Between::OtherOption,
                2 | 6 | 9 => Between::KilledAgain,
                _ => Between::Nothing,
            },
            writing,
            at: random.share(of),
            of,
        };
        let met = one(&mut place, report, &mut random, kill);
        killed += u64::from(met == Met::Killed);
        // Runs are as fast as the machine has time for them: the instants follow.
        durations[case % 4 + if writing { 4 } else { 0 }] =
            of.mul_f64(if met == Met::Over { 0.9 } else { 1.02 });
    }
    if killed < count {
        report.problem(format!("{killed} kills met a run, of {tried}"));
    }
    report.note(format!("{killed} runs were killed before their end, of {tried} that were started"));
}

impl Place {
    fn new(settings: &Settings) -> Self {
        let times = if settings.quick { 2 } else { 8 };
        let streams = ["720p.h264", "360p.h264", "234p.h264", "en.aac", "de.aac"];
        let streams = streams.map(|name| (name, repeated(name, times)));
        let options = ["--segment-duration", "2", "--quiet"];
        let bench = match &settings.directory {
            Some(directory) => {
                let directory = tempfile::tempdir_in(directory).expect("the directory can be written");
                Bench::new_in(directory, &streams, &options)
            }
            None => Bench::new(&streams, &options),
        };
        let output = bench.fresh("out");
        let mut command = old_package(&bench, &output);
        assert!(command.status().expect("it starts").success());
        let old = Tree::read(&output).expect("it was just written");
        Self { bench, output, old, here: Tree::default() }
    }
}

/// The same inputs, cut otherwise: most names are the same, no segment is.
fn old_package(bench: &Bench, output: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(crate::faulted::binary());
    command.arg("package").args(&bench.inputs).arg("-o").arg(output);
    command.args(["--segment-duration", "6", "--quiet", "--force"]);
    command
}

/// How long a run takes, by way and threads: the median of five.
fn durations(place: &Place, report: &mut Report) -> [Duration; 4] {
    let bytes: usize = place.bench.reference.files().map(|(_, file)| file.bytes.len()).sum();
    let files = place.bench.reference.files().count();
    report.note(format!("the package: {files} files, {bytes} bytes"));
    [0, 1, 2, 3].map(|case| {
        let (way, threads) = (WAYS[case % 2], ["1", "2"][case / 2]);
        let mut measured: Vec<_> = (0..5)
            .map(|_| {
                let mut command =
                    place.bench.package(&place.bench.fresh("out"), &["--io", way, "--threads", threads]);
                let start = Instant::now();
                assert!(command.status().expect("it starts").success());
                start.elapsed()
            })
            .collect();
        measured.sort_unstable();
        report.note(format!("{way}, {threads} threads: {} ms undisturbed", measured[2].as_millis()));
        measured[2]
    })
}

/// One kill and what follows.
fn one(place: &mut Place, report: &mut Report, random: &mut Random, kill: Kill) -> Met {
    let _ = fs::remove_dir_all(&place.output);
    if kill.force {
        assert!(old_package(&place.bench, &place.output).status().expect("it starts").success());
    }
    place.here = Tree::read(&place.output).unwrap_or_default();
    let (bench, output) = (&place.bench, &place.output);
    let mut problems = Vec::new();
    let mut words = kill.words();
    words.extend(kill.force.then_some("--force"));
    let command = bench.package(output, &words);
    let mut killed = match kill.writing {
        true => Killed::after_journal(command, kill.at, output),
        false => Killed::after(command, kill.at),
    };
    if kill.between == Between::SecondProcess {
        problems.extend(killed.second_process(bench, output));
    }
    let met = killed.kill();
    problems.extend(place.left(kill.force));
    let mut before = Tree::read(output).unwrap_or_default();
    let has_journal = before.has(JOURNAL);
    match kill.between {
        Between::OtherInput if has_journal => {
            problems.extend(place.other_input(&kill));
            // Its time of the last status change cannot be put back, so this run cannot be gone on with.
            let again = Ended::of(bench.package(output, &["--force"]).output().expect("it starts"));
            problems.extend((!again.succeeded()).then(|| format!("--force after it: {again:?}")));
            problems.extend(bench.complete(output));
            report.row(&place.columns(&kill, &before, "-"), problems);
            return if met { Met::Refused } else { Met::Over };
        }
        Between::OtherOption if has_journal => problems.extend(place.other_option(&kill)),
        Between::KilledAgain if has_journal => {
            let mut words = kill.words();
            words.push("--resume");
            Killed::after(bench.package(output, &words), random.share(kill.of)).kill();
            problems.extend(place.left(kill.force));
            let now = Tree::read(output).unwrap_or_default();
            problems.extend(place.kept(&before, &now));
            before = now;
        }
        _ => {}
    }
    let code = place.resume(&kill, &before, &mut problems);
    report.row(&place.columns(&kill, &before, &code), problems);
    if met { Met::Killed } else { Met::Over }
}

/// A run that is stopped at its instant, and killed then.
struct Killed {
    run: Running,
}

impl Killed {
    fn after(command: std::process::Command, at: Duration) -> Self {
        let start = Instant::now();
        let run = Running::start(command);
        std::thread::sleep(at.saturating_sub(start.elapsed()));
        Self { run }
    }

    /// The same, counted from the instant at which the journal of this run is there: most of a run reads, and has nothing to lose.
    fn after_journal(command: std::process::Command, at: Duration, output: &Path) -> Self {
        let mut run = Running::start(command);
        // As it is stopped there for a moment, that is the instant to count from.
        if run.stop_when(|| output.join(JOURNAL).exists()) {
            run.go_on();
            std::thread::sleep(at);
        }
        Self { run }
    }

    /// Another process is refused while this one is there.
    fn second_process(&mut self, bench: &Bench, output: &Path) -> Vec<String> {
        if !self.run.stop_when(|| true) || !output.join(JOURNAL).exists() {
            return Vec::new();
        }
        let before = Tree::read(output);
        let mut problems = Vec::new();
        for word in ["--force", "--resume"] {
            let second = Ended::of(bench.package(output, &[word]).output().expect("it starts"));
            problems.extend(second.problems(1, "another run of fragmint"));
        }
        problems.extend(
            (Tree::read(output) != before).then(|| "the second process changed something".to_owned()),
        );
        problems
    }

    /// Whether it was there still.
    fn kill(self) -> bool {
        self.run.send(Signal::KILL);
        self.run.wait().signal == Some(Signal::KILL.as_raw())
    }
}

impl Place {
    /// What is wrong with what a kill left: temporary files, files that are not whole, manifests that name such.
    fn left(&self, force: bool) -> Vec<String> {
        let Some(tree) = Tree::read(&self.output) else { return Vec::new() };
        let reference = &self.bench.reference;
        let mut problems = Vec::new();
        for (path, file) in tree.files() {
            let is = |whole: &Tree| whole.file(path).is_some_and(|whole| whole.bytes == file.bytes);
            if path == REPLACING && force {
                // No file appears in the place of another without a name of its own for a moment. It is gone in the end.
            } else if is_temporary(path) {
                problems.push(format!("{path} is left"));
            } else if path != JOURNAL && path != RECEIPT && !is(reference) && !(force && is(&self.old)) {
                problems.push(format!("{path} is not whole"));
            }
        }
        problems.extend(missing_from_manifests(&tree));
        let is_complete = |whole: &Tree| whole.files().all(|(path, _)| tree.has(path));
        if tree.has(RECEIPT) && !is_complete(reference) && !(force && is_complete(&self.old)) {
            problems.push("a receipt is there without all files".to_owned());
        }
        if !tree.has(RECEIPT) && !tree.has(JOURNAL) && tree.files().next().is_some() {
            problems.push("files are left and nothing names them".to_owned());
        }
        problems
    }

    /// Whole files of the package that are other files now.
    fn kept(&self, before: &Tree, now: &Tree) -> Vec<String> {
        let whole = self.whole(before);
        let moved = whole.into_iter().filter(|path| {
            let same = |tree: &Tree| tree.file(path).map(|file| (file.inode, file.modified));
            same(before) != same(now)
        });
        moved.map(|path| format!("{path} was whole and is another file now")).collect()
    }

    /// Segments and init segments of the package in `tree`. What the old package has too is none of the new one's.
    fn whole(&self, tree: &Tree) -> Vec<String> {
        let is_old = |path: &String| tree.file(path) == self.here.file(path);
        let media = self.bench.reference.files().filter(|(path, _)| !is_manifest(path) && *path != RECEIPT);
        let there = media.filter(|(path, file)| {
            tree.file(path).is_some_and(|found| found.bytes == file.bytes) && !is_old(path)
        });
        there.map(|(path, _)| path.clone()).collect()
    }

    fn bytes_of(&self, mut counts: impl FnMut(&str) -> bool) -> usize {
        let media = self.bench.reference.files().filter(|(path, _)| !is_manifest(path) && *path != RECEIPT);
        media.filter(|(path, _)| counts(path)).map(|(_, file)| file.bytes.len()).sum()
    }

    /// Goes on with what is left, and looks at all that was promised of it.
    fn resume(&self, kill: &Kill, before: &Tree, problems: &mut Vec<String>) -> String {
        let (bench, output) = (&self.bench, &self.output);
        let mut words = kill.words();
        // Killed before anything was written there is nothing to go on with; killed before the old package was touched, that
        // one is replaced.
        let untouched = !before.has(JOURNAL) && self.whole(before).len() < bench.files_with(".m4s").len();
        words.push(if untouched && kill.force { "--force" } else { "--resume" });
        let ended = Ended::of(bench.package(output, &words).output().expect("it starts"));
        let mut said = format!("{} {}", words[words.len() - 1], code(&ended));
        if !ended.succeeded() && untouched {
            problems.extend(ended.problems(1, ""));
            let ended = Ended::of(bench.package(output, &kill.words()).output().expect("it starts"));
            problems.extend((!ended.succeeded()).then(|| format!("{ended:?}")));
            said += ", run anew";
        } else if !ended.succeeded() {
            problems.push(format!("{ended:?}"));
        }
        problems.extend(bench.complete(output));
        let now = Tree::read(output).unwrap_or_default();
        problems.extend(self.kept(before, &now));
        let (missing, new) = self.amounts(before);
        let tracks = bench.files_with("init.mp4");
        let largest = |init: &String| {
            let directory = init.trim_end_matches("init.mp4");
            let sizes = bench.reference.files().filter(|(path, _)| path.starts_with(directory));
            sizes.map(|(_, file)| file.bytes.len()).max().unwrap_or(0)
        };
        if new > missing + tracks.iter().map(largest).sum::<usize>() {
            problems.push(format!("{new} bytes were written, {missing} were missing"));
        }
        let left = now.names().find(|path| is_temporary(path) || *path == JOURNAL);
        problems.extend(left.map(|path| format!("{path} is left at the end")));
        said
    }

    /// Bytes of the media that were missing before, and of those that are other files now.
    fn amounts(&self, before: &Tree) -> (usize, usize) {
        let now = Tree::read(&self.output).unwrap_or_default();
        let whole = self.whole(before);
        let missing = self.bytes_of(|path| !whole.iter().any(|there| there == path));
        let inode = |tree: &Tree, path: &str| tree.file(path).map(|file| file.inode);
        (missing, self.bytes_of(|path| inode(before, path) != inode(&now, path)))
    }

    /// Going on with an input that is another by one byte is refused, and changes nothing.
    fn other_input(&self, kill: &Kill) -> Vec<String> {
        let input = &self.bench.inputs[0];
        let swap = || {
            let mut file = fs::File::options().read(true).write(true).open(input).expect("it is ours");
            let modified = file.metadata().and_then(|metadata| metadata.modified()).expect("it has a time");
            let mut byte = [0];
            file.seek(SeekFrom::Start(100_000)).and_then(|_| file.read_exact(&mut byte)).expect("it is ours");
            let other = [byte[0] ^ 1];
            file.seek(SeekFrom::Start(100_000)).and_then(|_| file.write_all(&other)).expect("it is ours");
            file.set_modified(modified).expect("it is ours");
        };
        swap();
        let problems = self.refused(kill, &[]);
        swap();
        problems
    }

    /// Going on with other options is refused, and changes nothing.
    fn other_option(&self, kill: &Kill) -> Vec<String> {
        let others: [&[&str]; 3] = [&["--no-dash"], &["--hash", "sha256"], &["--no-hls"]];
        others.iter().flat_map(|other| self.refused(kill, other)).collect()
    }

    fn refused(&self, kill: &Kill, other: &[&str]) -> Vec<String> {
        let before = Tree::read(&self.output);
        let mut words = kill.words();
        words.push("--resume");
        words.extend(other);
        let ended = Ended::of(self.bench.package(&self.output, &words).output().expect("it starts"));
        let mut problems = ended.problems(1, "");
        problems.extend(
            (Tree::read(&self.output) != before)
                .then(|| "a run that is refused changed something".to_owned()),
        );
        problems.into_iter().map(|problem| format!("{other:?}: {problem}")).collect()
    }

    fn columns(&self, kill: &Kill, before: &Tree, resumed: &str) -> [String; 12] {
        let (missing, new) = self.amounts(before);
        let segments = before.names().filter(|path| path.ends_with(".m4s")).count();
        let left = match (before.has(RECEIPT), before.has(JOURNAL)) {
            (true, false) if kill.force && !self.whole(before).is_empty() => "complete".to_owned(),
            (true, false) => "a package".to_owned(),
            (true, true) => "all, and the journal".to_owned(),
            (false, true) if before.names().any(|path| is_manifest(path)) => "manifests".to_owned(),
            (false, true) => format!("{segments} segments"),
            (false, false) => "nothing".to_owned(),
        };
        let milliseconds = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
        [
            kill.way.to_owned(),
            kill.threads.to_owned(),
            if kill.force { "yes" } else { "no" }.to_owned(),
            format!("{:?}", kill.between),
            if kill.writing { "journal" } else { "start" }.to_owned(),
            milliseconds(kill.at),
            milliseconds(kill.of),
            left,
            self.whole(before).len().to_string(),
            missing.to_string(),
            new.to_string(),
            resumed.to_owned(),
        ]
    }
}
