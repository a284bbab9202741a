//! What was tried and what came of it: a table with a row a run, what is wrong, and what could not be tried.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::Settings;
use crate::faulted::{Bench, Ended};

/// Rows of one table, and beside it what failed and what was not checked.
#[derive(Debug, Default)]
pub struct Report {
    head: &'static str,
    rows: Vec<String>,
    problems: Vec<String>,
    unchecked: Vec<String>,
    notes: Vec<String>,
}

impl Report {
    /// Begins the table: names of columns with tabulators between them.
    pub fn columns(&mut self, head: &'static str) {
        self.head = head;
    }

    /// A run: its columns, and what is wrong with it.
    pub fn row<S: AsRef<str>>(&mut self, columns: &[S], problems: Vec<String>) {
        let row = columns.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("\t");
        for problem in problems {
            eprintln!("FAILED: {row}: {problem}");
            self.problems.push(format!("{row}: {problem}"));
        }
        self.rows.push(row);
    }

    /// Something of which there is no row.
    pub fn problem(&mut self, problem: String) {
        eprintln!("FAILED: {problem}");
        self.problems.push(problem);
    }

    /// A part that cannot be checked here.
    pub fn not_checked(&mut self, part: String) {
        eprintln!("NOT CHECKED: {part}");
        self.unchecked.push(part);
    }

    /// A line above the table.
    pub fn note(&mut self, note: String) {
        println!("{note}");
        self.notes.push(note);
    }

    /// Prints the table and the counts, and writes them where the settings say.
    pub fn end(self, settings: &Settings) -> ExitCode {
        let mut text = String::new();
        for note in &self.notes {
            let _ = writeln!(text, "# {note}");
        }
        for part in &self.unchecked {
            let _ = writeln!(text, "# NOT CHECKED: {part}");
        }
        for problem in &self.problems {
            let _ = writeln!(text, "# FAILED: {problem}");
        }
        let _ = writeln!(text, "{}", self.head);
        for row in &self.rows {
            let _ = writeln!(text, "{row}");
        }
        print!("{text}");
        let (runs, failed, unchecked) = (self.rows.len(), self.problems.len(), self.unchecked.len());
        println!("{runs} runs, {failed} failed, {unchecked} parts not checked");
        if let Some(path) = &settings.record
            && let Err(error) = std::fs::write(path, text)
        {
            eprintln!("FAILED: {path}: {error}");
            return ExitCode::FAILURE;
        }
        if self.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The exit code, or the signal.
pub fn code(ended: &Ended) -> String {
    match (ended.code, ended.signal) {
        (Some(code), _) => code.to_string(),
        (None, signal) => format!("signal {signal:?}"),
    }
}

/// What the run said, without paths of this machine.
pub fn message(ended: &Ended, bench: &Bench, output: &std::path::Path) -> String {
    let mut text = ended.stderr.trim_end().replace(['\n', '\t'], " ");
    for path in [output, bench.directory.path()] {
        text = text.replace(&*path.to_string_lossy(), "…");
    }
    if text.is_empty() { "-".to_owned() } else { text }
}
