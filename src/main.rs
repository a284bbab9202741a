//! The command `fragmint`: parse, call the library, exit code. Everything is in [`cli`].
#![deny(unsafe_code)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
