//! Boxes of the ISO base media file format (ISO/IEC 14496-12), written. Plain values in, bytes out.
//!
//! [`BoxWriter`] nests and sizes boxes, [`brand`] decides which brands a file may claim, [`moov`] and
//! [`sample_entry`] hold the layouts of an init segment, [`moof`] those of a media segment. Which boxes stand in an
//! init segment is told in [`crate::track::header`]. A fixed layout is a `Pod` struct in the standard's field order;
//! `reader` reads sizes and types alone.
//!
//! Clauses of 14496-12 were read in the edition of 2012, 12.1.4 to 12.2.3 in that of 2015; 8.4.6, 8.10.4,
//! 12.1.2 and 12.1.3 are as other projects quote them. ISO/IEC 23000-19 was not opened: its clauses, of the
//! 2020 edition, are as DASH-IF's conformance checklist quotes them.

use std::fmt;

use bytemuck::{Pod, Zeroable};

pub mod brand;
pub mod moof;
pub mod moov;
pub(crate) mod reader;
pub mod sample_entry;
mod writer;

pub use writer::{BoxWriter, Slot};

/// A box type, brand or handler type: four characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

/// `track_ID` of the one track that a CMAF file holds (ISO/IEC 23000-19 7.3.2.1: exactly one `trak`).
pub const TRACK_ID: u32 = 1;

#[cfg(test)]
mod testing {
    use super::BoxWriter;

    /// The bytes that `body` writes.
    pub fn written(body: impl FnOnce(&mut BoxWriter<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        body(&mut w);
        w.finish().unwrap();
        out
    }
}
