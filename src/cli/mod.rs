//! The command line: words in, one call of the library, one line about what went wrong, exit code.
//!
//! Exit codes: 0 done, 1 the input or the work failed or `verify` found something, 2 the words on the command line are wrong, 128
//! and the number of the signal that interrupted it (130, 143). The only place with colour, a progress bar or a terminal's width.

mod args;
mod completions;
mod input_arg;
mod interruption;
mod man;
mod package;
mod plan;
mod play;
mod progress;
mod streams;
mod table;
mod timecodes;
mod verify;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};

use fragmint::{Error, ErrorKind, Result};

use args::Command;

/// Exit code where the words on the command line are wrong, which clap uses too.
const USAGE: u8 = 2;

/// Runs the command named by the process's arguments.
pub fn run() -> ExitCode {
    interruption::survive_file_size_limit();
    let words: Vec<_> = std::env::args_os().collect();
    let command = match args::parse(words.iter().cloned()) {
        Ok(command) => command,
        Err(answer) => return print_answer(&answer, words.get(1)),
    };
    let done = |()| ExitCode::SUCCESS;
    let result = match &command {
        Command::Package(args) => package::run(args).map(done),
        Command::Play(args) => play::run(args).map(done),
        Command::Verify(args) => verify::run(args),
        Command::Completions(args) => completions::run(args).map(done),
        Command::Man(args) => man::run(args).map(done),
    };
    match result {
        Ok(code) => code,
        Err(error) => match error.kind() {
            ErrorKind::Interrupted => interruption::end_of_run(),
            kind => {
                print_error(&error);
                let is_usage = matches!(kind, ErrorKind::Usage { .. });
                if is_usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
            }
        },
    }
}

/// Prints what clap answers in the place of a command: help and version as they are, an error as one line.
fn print_answer(answer: &clap::Error, first_word: Option<&OsString>) -> ExitCode {
    if matches!(answer.kind(), DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand) {
        // A closed pipe behind it is nobody's error.
        let _ = answer.print();
    } else {
        print_error(&usage_error(&answer.render().to_string(), first_word));
    }
    ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(USAGE))
}

/// Clap's error as one line that ends with where to read on, in the place of its usage lines.
fn usage_error(rendered: &str, first_word: Option<&OsString>) -> String {
    let text = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let end = ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|tail| text.rfind(tail)).min();
    let mut line = String::new();
    for paragraph in text[..end.unwrap_or(text.len())].split("\n\n") {
        for (index, part) in paragraph.lines().map(str::trim).enumerate() {
            let joint = match index {
                0 if line.is_empty() => "",
                0 => "; ",
                _ if line.ends_with(':') || part.starts_with('[') => " ",
                _ => ", ",
            };
            line.extend([joint, part]);
        }
    }
    let definition = args::definition();
    let command = first_word.and_then(|word| definition.find_subcommand(word));
    let command = command.map_or(String::new(), |command| format!("{} ", command.get_name()));
    line + &format!("; see 'fragmint {command}--help'")
}

/// The threads that were asked for, or one for each processor that this process may use: those that it is bound to
/// (`taskset`, cpusets), and no more than the CPU quota of its control group allows, rounded down, at least one.
fn pool(threads: Option<u16>) -> Result<rayon::ThreadPool> {
    // Not left to rayon, whose default an environment variable changes.
    let usable = || std::thread::available_parallelism().map_or(1, usize::from);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.map_or_else(usable, usize::from))
        .build()
        .map_err(|error| Error::io("start the threads", std::io::Error::other(error)))
}

/// `value` as indented JSON with a line feed at the end.
fn json(value: &impl serde::Serialize) -> Result<String> {
    let json = serde_json::to_string_pretty(value);
    json.map(|json| json + "\n").map_err(|error| Error::io("make the report", std::io::Error::other(error)))
}

/// Prints to stdout. A reader that went away has seen enough; a full disk has lost what somebody wanted.
///
/// # Errors
/// `Io` that says what `action` could not be done.
fn print(bytes: &[u8], action: &'static str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let printed = stdout.write_all(bytes).and_then(|()| stdout.flush());
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io(action, error)),
        _ => Ok(()),
    }
}

/// One line on stderr: `error: a.h264 @ 0x1f40: what is wrong; what to do`.
fn print_error(error: &dyn Display) {
    print_labelled("error", AnsiColor::Red, error);
}

/// One line on stderr about something the user should know though the work goes on.
pub(crate) fn print_notice(notice: &dyn Display) {
    print_labelled("notice", AnsiColor::Yellow, notice);
}

fn print_labelled(label: &str, colour: AnsiColor, text: &dyn Display) {
    let style = Style::new().bold().fg_color(Some(colour.into()));
    print_to_person(&format!("{style}{label}:{style:#} {}", one_line(&text.to_string())));
}

/// A line on stderr. anstream drops the colour where that is no terminal or `NO_COLOR` is set. Where it cannot be written
/// there is nobody to tell: the exit code has to do.
fn print_to_person(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// `text` with control characters escaped: a file's name must neither break the line nor steer the terminal.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_several_paragraphs_becomes_one_line() {
        let usage = |text| usage_error(text, Some(&"play".into()));
        assert_eq!(
            usage(
                "error: these are missing:\n  --a <A>\n  <B>\n\nUsage: x\n\nFor more information, try y.\n"
            ),
            "these are missing: --a <A>, <B>; see 'fragmint play --help'"
        );
        assert_eq!(
            usage(
                "error: not 'x'\n  [possible values: a, b]\n\n  tip: 'a'\n\nFor more information, try y.\n"
            ),
            "not 'x' [possible values: a, b]; tip: 'a'; see 'fragmint play --help'"
        );
        assert_eq!(usage_error("odd", None), "odd; see 'fragmint --help'");
    }

    #[test]
    fn a_message_stays_on_one_line_and_sends_no_escape_sequence() {
        assert_eq!(one_line("a\nb\u{1b}[31m é.h264: x"), "a\\nb\\u{1b}[31m é.h264: x");
    }
}
