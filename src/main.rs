//! The command: parse, call the library, exit code.
fn main() {}
