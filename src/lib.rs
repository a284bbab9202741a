//! fragmint turns encoded elementary streams into CMAF segments with HLS playlists.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod bits;
pub mod boxes;
pub mod bytes;
pub mod codec;
pub mod error;
pub mod fragment;
pub mod io;
pub mod manifest;
pub mod package;
pub mod plan;
pub mod presentation;
pub mod scan;
pub mod time;
pub mod track;

pub use error::{Error, ErrorKind, Result};
