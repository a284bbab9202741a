//! Manifests, one kind a file: a presentation ► the text that a player starts from. Pure: values in, text out.

pub mod dash;
#[cfg(any(test, fuzzing))]
mod fuzz;
pub mod hls;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_manifests;
