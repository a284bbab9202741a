//! VP9 as a packager needs it: uncompressed headers of frames ► which are shown, which can start decoding, which no other
//! needs; superframe indexes; `vpcC`, codec string and level. Compressed headers and tiles are not read.
//!
//! [`frames_of`] takes a packet apart, [`FrameHeader`] reads the header of one frame, [`SuperframeIndex`] tells what stands at
//! the end of several, and [`Vp9Configuration`] is what a sample entry says of a track.
//!
//! Clauses of the VP9 Bitstream & Decoding Process Specification 0.6 are as other projects cite them: its text was not opened. The
//! VP Codec ISO Media File Format Binding 1.1 (VP9-ISOBMFF) was.

mod configuration;
mod header;
mod level;
mod superframe;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing builds fewer streams than tests"))]
pub(crate) mod testing;

pub use configuration::{Vp9Configuration, Vp9Record};
pub use header::{CodedFrame, ColorConfig, FrameHeader, FrameKind, FrameSize, HEAD_LEN, References};
pub use level::{LevelFacts, level};
pub use superframe::{MAX_FRAMES, SuperframeIndex, TAIL_LEN, frames_of};
