//! AV1 as a packager needs it: sequence header ► `av1C`, codec string, picture format and frame rate; frame headers ►
//! which frames are shown, which can start decoding, which no other needs. Nothing behind a frame header is read.
//!
//! [`Obus`] finds the units of a buffer, [`SequenceHeader`] reads the whole of a sequence header, [`FrameHeader`] the
//! start of a frame's, [`read_hdr`] what metadata says of high dynamic range, and [`Av1Configuration`] is what a sample entry says of
//! a track.
//!
//! Clauses are those of the AV1 Bitstream & Decoding Process Specification, version 1.0.0 with Errata 1, as its public
//! sources number them, and of the AV1 Codec ISO Media File Format Binding 1.3.0 (AV1-ISOBMFF).

mod configuration;
mod frame;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod metadata;
mod obu;
mod sequence;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing builds fewer streams than tests"))]
pub(crate) mod testing;

pub use configuration::Av1Configuration;
pub(crate) use configuration::without_metadata;
pub use frame::{CodedFrame, FrameHeader, FrameSize, FrameType};
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_obus;
pub use metadata::read_hdr;
pub use obu::{Obu, ObuHeader, ObuKind, Obus, SizedHeader};
pub(crate) use obu::{cut_off, read_leb128, without_size};
pub use sequence::{
    ColorConfig, DecoderModelInfo, FrameIdLengths, OperatingPoint, SequenceHeader, TimingInfo,
};

use crate::bits::BitReader;
use crate::error::Result;

/// `f(n)` of at most eight bits.
fn u_u8(r: &mut BitReader<'_>, bits: u8, element: &'static str) -> Result<u8> {
    debug_assert!(bits <= 8, "f(n) is read into 8 bits");
    Ok((r.u(bits, element)? & 0xff) as u8)
}
