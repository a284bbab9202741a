//! `fragmint verify` from outside: packages of fragmint are sound by each of their manifests, packages that were damaged on purpose
//! are not and the rules that say so are known, hostile ones lead nowhere, and packages of FFmpeg have nothing but what
//! docs/verify.md tells of them.
//!
//! FFmpeg is needed (`scripts/setup-tests.sh`); without it tests fail, they are never skipped.

mod command;
mod damage;
mod damaged;
mod foreign;
#[allow(dead_code, reason = "other tests need the rest of it")]
#[path = "../hand_made/mod.rs"]
mod hand_made;
mod hostile;
mod own;
mod package;
#[allow(dead_code, reason = "other tests need the rest of it")]
#[path = "../end_to_end/tools.rs"]
mod tools;
#[allow(dead_code, reason = "other tests need the rest of it")]
#[path = "../end_to_end/wire.rs"]
mod wire;
mod words;
