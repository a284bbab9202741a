//! The command line: words in, one call of the library, one line about what went wrong, exit code.
//!
//! Exit codes: 0 done, 1 the input or the work failed, 2 the words on the command line are wrong. The only place
//! with colour, a progress bar or a terminal's width.

mod args;
mod input_arg;
mod package;
mod plan;
mod play;
mod progress;
mod table;

use std::fmt::Display;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use fragmint::ErrorKind;

use args::Command;

/// Exit code where the words on the command line are wrong, which clap uses too.
const USAGE: u8 = 2;

/// Runs the command named by the process's arguments.
pub fn run() -> ExitCode {
    let command = match args::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => {
            // Help and version come this way too, with exit code 0; a closed pipe behind them is nobody's error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    let result = match &command {
        Command::Package(args) => package::run(args),
        Command::Play(args) => play::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            match error.kind() {
                ErrorKind::Usage { .. } => ExitCode::from(USAGE),
                _ => ExitCode::FAILURE,
            }
        }
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

/// anstream drops the colour where stderr is no terminal or `NO_COLOR` is set.
fn print_labelled(label: &str, colour: AnsiColor, text: &dyn Display) {
    let style = Style::new().bold().fg_color(Some(colour.into()));
    anstream::eprintln!("{style}{label}:{style:#} {}", one_line(&text.to_string()));
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
    fn a_message_stays_on_one_line_and_sends_no_escape_sequence() {
        assert_eq!(one_line("a\nb\u{1b}[31m é.h264: x"), "a\\nb\\u{1b}[31m é.h264: x");
    }
}
