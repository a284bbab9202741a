//! Header of a NAL unit (H.265 7.3.1.2) ► type, layer, temporal sub-layer; what the types mean (Table 7-1).

use crate::error::{Error, Result};

/// First two bytes of a NAL unit (7.3.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalHeader {
    /// `nal_unit_type`.
    pub unit_type: NalUnitType,
    /// `nuh_layer_id`, 0..=63: 0 is the base layer, 63 is reserved.
    pub layer_id: u8,
    /// `TemporalId`, 0..=6.
    pub temporal_id: u8,
}

impl NalHeader {
    /// Reads the header of `nal`.
    ///
    /// # Errors
    /// Without both bytes (a start code with only zeros behind it is what data overwritten with zeros looks like); with
    /// `forbidden_zero_bit` set, with `nuh_temporal_id_plus1` 0, or above 1 where a picture that decoding can start at
    /// is in the lowest sub-layer by rule (7.4.2.2).
    pub fn read(nal: &[u8]) -> Result<Self> {
        let Some(&first) = nal.first() else {
            return Err(Error::malformed(
                "a start code has no NAL unit behind it",
                "H.265 7.3.1.2",
                "the stream is damaged or cut off here",
            )
            .at(0));
        };
        if first & 0x80 != 0 {
            return Err(Error::out_of_range("forbidden_zero_bit", 1, "0", "H.265 7.4.2.2").at(0));
        }
        let &second =
            nal.get(1).ok_or_else(|| Error::truncated("nuh_temporal_id_plus1", "H.265 7.3.1.2").at(1))?;
        let temporal_id = (second & 7)
            .checked_sub(1)
            .ok_or_else(|| Error::out_of_range("nuh_temporal_id_plus1", 0, "1..=7", "H.265 7.4.2.2").at(1))?;
        let unit_type = NalUnitType::from_code(first >> 1);
        if unit_type.is_irap() && temporal_id != 0 {
            let element = "TemporalId of an IRAP picture";
            return Err(Error::out_of_range(element, temporal_id, "0", "H.265 7.4.2.2").at(1));
        }
        Ok(Self { unit_type, layer_id: (first & 1) << 5 | second >> 3, temporal_id })
    }
}

/// `nal_unit_type`, 0..=63 (Table 7-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NalUnitType(u8);

impl NalUnitType {
    /// Trailing picture, sub-layer non-reference.
    pub const TRAIL_N: Self = Self(0);
    /// Trailing picture.
    pub const TRAIL_R: Self = Self(1);
    /// Temporal sub-layer access picture, sub-layer non-reference.
    pub const TSA_N: Self = Self(2);
    /// Temporal sub-layer access picture.
    pub const TSA_R: Self = Self(3);
    /// Step-wise temporal sub-layer access picture, sub-layer non-reference.
    pub const STSA_N: Self = Self(4);
    /// Step-wise temporal sub-layer access picture.
    pub const STSA_R: Self = Self(5);
    /// Random access decodable leading picture, sub-layer non-reference.
    pub const RADL_N: Self = Self(6);
    /// Random access decodable leading picture.
    pub const RADL_R: Self = Self(7);
    /// Random access skipped leading picture, sub-layer non-reference.
    pub const RASL_N: Self = Self(8);
    /// Random access skipped leading picture.
    pub const RASL_R: Self = Self(9);
    /// Broken link access picture that may have leading pictures.
    pub const BLA_W_LP: Self = Self(16);
    /// Broken link access picture that may have decodable leading pictures.
    pub const BLA_W_RADL: Self = Self(17);
    /// Broken link access picture without leading pictures.
    pub const BLA_N_LP: Self = Self(18);
    /// Instantaneous decoding refresh picture that may have decodable leading pictures.
    pub const IDR_W_RADL: Self = Self(19);
    /// Instantaneous decoding refresh picture without leading pictures.
    pub const IDR_N_LP: Self = Self(20);
    /// Clean random access picture.
    pub const CRA: Self = Self(21);
    /// Video parameter set.
    pub const VPS: Self = Self(32);
    /// Sequence parameter set.
    pub const SPS: Self = Self(33);
    /// Picture parameter set.
    pub const PPS: Self = Self(34);
    /// Access unit delimiter.
    pub const ACCESS_UNIT_DELIMITER: Self = Self(35);
    /// End of sequence.
    pub const END_OF_SEQUENCE: Self = Self(36);
    /// End of bitstream.
    pub const END_OF_BITSTREAM: Self = Self(37);
    /// Filler data.
    pub const FILLER: Self = Self(38);
    /// Supplemental enhancement information in front of the picture.
    pub const PREFIX_SEI: Self = Self(39);
    /// Supplemental enhancement information behind the picture.
    pub const SUFFIX_SEI: Self = Self(40);

    /// The type with this code; bits above the sixth do not count.
    pub const fn from_code(code: u8) -> Self {
        Self(code & 0x3f)
    }

    /// The code, 0..=63.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Coded slice segment of a picture of a type that the standard defines. The reserved types among 0..=31 are none:
    /// decoders ignore them (7.4.2.2), so they hold nothing that a picture needs.
    pub const fn is_slice(self) -> bool {
        matches!(self.0, 0..=9 | 16..=21)
    }

    /// Intra random access point, reserved ones among them.
    pub const fn is_irap(self) -> bool {
        matches!(self.0, 16..=23)
    }

    /// Instantaneous decoding refresh.
    pub const fn is_idr(self) -> bool {
        matches!(self.0, 19 | 20)
    }

    /// Broken link access.
    pub const fn is_bla(self) -> bool {
        matches!(self.0, 16..=18)
    }

    /// Clean random access.
    pub const fn is_cra(self) -> bool {
        self.0 == Self::CRA.0
    }

    /// Leading picture that cannot be decoded when decoding starts at its IRAP picture.
    pub const fn is_rasl(self) -> bool {
        matches!(self.0, 8 | 9)
    }

    /// Leading picture that can be decoded when decoding starts at its IRAP picture.
    pub const fn is_radl(self) -> bool {
        matches!(self.0, 6 | 7)
    }

    /// Picture that no other one of its sub-layer refers to.
    pub const fn is_sub_layer_non_reference(self) -> bool {
        self.0 <= 14 && self.0.is_multiple_of(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_type_layer_and_sub_layer() {
        // The headers that x265 writes: VPS, SPS, PPS, prefix SEI, IDR_W_RADL, TRAIL_R.
        for (bytes, code) in [
            ([0x40, 0x01], 32),
            ([0x42, 0x01], 33),
            ([0x44, 0x01], 34),
            ([0x4e, 0x01], 39),
            ([0x26, 0x01], 19),
            ([0x02, 0x01], 1),
        ] {
            let expected = NalHeader { unit_type: NalUnitType::from_code(code), layer_id: 0, temporal_id: 0 };
            assert_eq!(NalHeader::read(&bytes).unwrap(), expected);
        }
        let header = NalHeader::read(&[0x01, 0b1010_1011]).unwrap();
        assert_eq!(
            header,
            NalHeader { unit_type: NalUnitType::TRAIL_N, layer_id: 0b11_0101, temporal_id: 2 }
        );
    }

    #[test]
    fn headers_that_the_standard_forbids_are_refused() {
        for (nal, word, at) in [
            (&[][..], "no NAL unit", 0),
            (&[0xc0, 0x01][..], "forbidden_zero_bit is 1", 0),
            (&[0x40][..], "nuh_temporal_id_plus1 runs past the end", 1),
            (&[0x40, 0xf8][..], "nuh_temporal_id_plus1 is 0", 1),
            (&[0x26, 0x02][..], "TemporalId of an IRAP picture is 1", 1),
        ] {
            let error = NalHeader::read(nal).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert_eq!(error.offset(), Some(at));
        }
    }

    /// Codes for which `is` holds.
    fn codes(is: impl Fn(NalUnitType) -> bool) -> Vec<u8> {
        (0..64).filter(|&code| is(NalUnitType::from_code(code))).collect()
    }

    #[test]
    fn types_are_those_of_the_table() {
        assert_eq!(codes(NalUnitType::is_slice), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 18, 19, 20, 21]);
        assert_eq!(codes(NalUnitType::is_irap), [16, 17, 18, 19, 20, 21, 22, 23]);
        assert_eq!(codes(NalUnitType::is_bla), [16, 17, 18]);
        assert_eq!(codes(NalUnitType::is_idr), [19, 20]);
        assert_eq!(codes(NalUnitType::is_cra), [21]);
        assert_eq!(codes(NalUnitType::is_rasl), [8, 9]);
        assert_eq!(codes(NalUnitType::is_radl), [6, 7]);
        assert_eq!(codes(NalUnitType::is_sub_layer_non_reference), [0, 2, 4, 6, 8, 10, 12, 14]);
    }
}
