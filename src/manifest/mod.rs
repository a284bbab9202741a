//! Manifests, one kind a file: a presentation ► the text that a player starts from. Pure: values in, text out.

pub mod dash;
pub mod hls;
