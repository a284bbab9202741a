//! Faults that need mounts, tracing or many runs, against the built command. It is no test of `cargo test`: the scripts
//! `machine-faults.sh` and `kill-resume.sh` start it. What this machine cannot do is told loudly and counted, and is no failure.

mod calls;
mod disks;
mod kills;
mod report;

#[path = "../faulted/mod.rs"]
#[allow(dead_code, reason = "tests/faults.rs needs the rest")]
mod faulted;

use std::process::ExitCode;

use report::Report;

const USAGE: &str =
    "usage: machine faults|kills [--quick] [--count N] [--seed N] [--directory DIR] [--record FILE]";

/// What is asked for.
#[derive(Debug, Default)]
pub struct Settings {
    /// The first and the last place of each fault, fewer sizes of disks.
    pub quick: bool,
    /// Kills.
    pub count: Option<u64>,
    pub seed: Option<u64>,
    /// Where the packages that are killed are written, in place of memory.
    pub directory: Option<String>,
    pub record: Option<String>,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let mut settings = Settings::default();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|number| number.parse().ok());
        match word.as_str() {
            "--quick" => settings.quick = true,
            "--count" => settings.count = number(),
            "--seed" => settings.seed = number(),
            "--directory" => settings.directory = words.next(),
            "--record" => settings.record = words.next(),
            _ => return usage(),
        }
    }
    let mut report = Report::default();
    match what.as_str() {
        "faults" => {
            disks::run(&settings, &mut report);
            calls::run(&settings, &mut report);
        }
        "kills" => kills::run(&settings, &mut report),
        _ => return usage(),
    }
    report.end(&settings)
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
