//! H.264 (ITU-T H.264, ISO/IEC 14496-10) as a packager needs it: parameter sets ► `avcC`, codec string, picture format
//! and frame rate; slice headers ► picture boundaries, sync and order facts. Nothing behind a slice header is read.
//!
//! [`ParameterSets`] keeps every set by id and knows which sequence parameter sets pictures used;
//! [`AvcConfiguration`] is what they say together. [`SliceHeader`] tells where a picture starts and which fields are one
//! frame, [`OrderCounter`] where it stands in presentation order, [`PicStruct`] for how long it is shown. Elements that none of these depends on are read past without a range check.
//! Clauses are those of the 08/2021 edition.

mod configuration;
#[cfg(test)]
pub(crate) mod field_streams;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod parameter_sets;
mod picture_timing;
mod poc;
mod pps;
mod record;
mod slice;
mod sps;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing builds fewer streams than tests"))]
pub(crate) mod testing;
pub(in crate::codec) mod vui;

pub use super::picture_format::ChromaFormat;
pub use configuration::AvcConfiguration;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_parameter_sets;
pub use parameter_sets::ParameterSets;
pub use picture_timing::{PicStruct, read_pic_struct};
pub use poc::OrderCounter;
pub use pps::PictureParameterSet;
pub use record::{AvcRecord, covering_codec_string};
pub use slice::{Field, OrderSyntax, SliceHeader, SliceStart, SliceType};
pub use sps::{OrderCountType, SequenceParameterSet};
pub use vui::{CpbDpbDelayLengths, Timing, Vui};

use crate::bits::BitReader;
use crate::error::{Error, Result};

/// First byte of a NAL unit (7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalHeader {
    /// `nal_ref_idc`, 0..=3; 0 says that no other picture refers to this one.
    pub ref_idc: u8,
    /// `nal_unit_type`.
    pub unit_type: NalUnitType,
}

impl NalHeader {
    /// Reads the header of `nal`. Without a first byte, or with `forbidden_zero_bit` set, it is an error: a start code
    /// with only zeros behind it is what data overwritten with zeros looks like.
    pub fn read(nal: &[u8]) -> Result<Self> {
        let &byte = nal.first().ok_or_else(|| {
            Error::malformed(
                "a start code has no NAL unit behind it",
                "H.264 7.3.1",
                "the stream is damaged or cut off here",
            )
            .at(0)
        })?;
        if byte & 0x80 != 0 {
            return Err(Error::out_of_range("forbidden_zero_bit", 1, "0", "H.264 7.4.1").at(0));
        }
        let header = Self { ref_idc: byte >> 5, unit_type: NalUnitType::from_code(byte & 0x1f) };
        if header.unit_type == NalUnitType::IdrSlice && header.ref_idc == 0 {
            return Err(Error::out_of_range("nal_ref_idc of an IDR picture", 0, "1..=3", "H.264 7.4.1").at(0));
        }
        Ok(header)
    }

    /// Whether other pictures may refer to this one.
    pub const fn is_reference(self) -> bool {
        self.ref_idc != 0
    }
}

/// `nal_unit_type` (Table 7-1), as far as a packager tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NalUnitType {
    /// 1: coded slice of a non-IDR picture.
    Slice,
    /// 2: coded slice data partition A, which has the slice header.
    PartitionA,
    /// 3 and 4: coded slice data partitions B and C, which follow their A.
    PartitionBC,
    /// 5: coded slice of an IDR picture.
    IdrSlice,
    /// 6: supplemental enhancement information.
    Sei,
    /// 7: sequence parameter set.
    Sps,
    /// 8: picture parameter set.
    Pps,
    /// 9: access unit delimiter.
    AccessUnitDelimiter,
    /// 10: end of sequence.
    EndOfSequence,
    /// 11: end of stream.
    EndOfStream,
    /// 12: filler data.
    Filler,
    /// 13: sequence parameter set extension.
    SpsExtension,
    /// 14 to 18: prefix NAL unit, subset sequence parameter set, depth parameter set, reserved. They stand in front of
    /// what they belong to.
    Leading(u8),
    /// 0 and 19 to 31: auxiliary slices, slice extensions, reserved and unspecified. They stand behind the slices of
    /// the picture that they belong to.
    Trailing(u8),
}

impl NalUnitType {
    /// The type with this code, 0..=31.
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Slice,
            2 => Self::PartitionA,
            3 | 4 => Self::PartitionBC,
            5 => Self::IdrSlice,
            6 => Self::Sei,
            7 => Self::Sps,
            8 => Self::Pps,
            9 => Self::AccessUnitDelimiter,
            10 => Self::EndOfSequence,
            11 => Self::EndOfStream,
            12 => Self::Filler,
            13 => Self::SpsExtension,
            14..=18 => Self::Leading(code),
            _ => Self::Trailing(code),
        }
    }
}

/// `se(v)` that must lie in `min..=max`; `allowed` says so in the error.
fn se_in(
    r: &mut BitReader<'_>,
    (min, max): (i32, i32),
    element: &'static str,
    allowed: &'static str,
) -> Result<i32> {
    let start = r.byte_offset();
    let value = r.se(element)?;
    if value < min || value > max {
        return Err(Error::out_of_range(element, value, allowed, r.clause()).at(start));
    }
    Ok(value)
}

/// `ue(v)` in `0..=max`, where `max` fits eight bits.
pub(in crate::codec) fn ue_u8(
    r: &mut BitReader<'_>,
    max: u8,
    element: &'static str,
    allowed: &'static str,
) -> Result<u8> {
    let value = r.ue_max(u32::from(max), element, allowed)?;
    Ok(u8::try_from(value).expect("ue_max keeps it within the u8 given"))
}

/// `u(n)` of at most eight bits.
pub(in crate::codec) fn u_u8(r: &mut BitReader<'_>, bits: u8, element: &'static str) -> Result<u8> {
    debug_assert!(bits <= 8, "u(n) is read into 8 bits");
    Ok((r.u(bits, element)? & 0xff) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_byte_is_reference_and_type() {
        assert_eq!(NalHeader::read(&[0x67]).unwrap(), NalHeader { ref_idc: 3, unit_type: NalUnitType::Sps });
        assert_eq!(
            NalHeader::read(&[0x01]).unwrap(),
            NalHeader { ref_idc: 0, unit_type: NalUnitType::Slice }
        );
        assert_eq!(NalHeader::read(&[0x0e]).unwrap().unit_type, NalUnitType::Leading(14));
        assert_eq!(NalHeader::read(&[0x14]).unwrap().unit_type, NalUnitType::Trailing(20));
    }

    #[test]
    fn headers_that_the_standard_forbids_are_refused() {
        for (nal, word) in
            [(&[][..], "no NAL unit"), (&[0xe5][..], "forbidden_zero_bit"), (&[0x05][..], "nal_ref_idc")]
        {
            let error = NalHeader::read(nal).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert_eq!(error.offset(), Some(0));
        }
    }
}
