//! Bit reader over the RBSP of an H.264 NAL unit: drops emulation prevention bytes as it goes (7.3.1, 7.4.1),
//! reads fixed-length and Exp-Golomb codes (7.2, 9.1). Every read names its syntax element, which labels the error.
//!
//! It borrows the NAL unit, copies nothing, and never reads past it. [`BitReader::without_emulation_prevention`] reads
//! formats that have no such bytes, as the OBUs of AV1.

use crate::error::{Error, Result};

/// Reads the bits of a NAL unit's payload in order.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    /// NAL unit bytes, emulation prevention included.
    bytes: &'a [u8],
    /// Index in `bytes` of the byte that holds the next bit.
    byte: usize,
    /// Bits of that byte already read, 0..=7.
    bit: u8,
    /// Zero bytes in a row just before `byte`.
    zeros: u8,
    /// Whether a 3 behind two zero bytes is dropped.
    emulation_prevention: bool,
    /// Standard and clause that defines the syntax being read.
    clause: &'static str,
}

impl<'a> BitReader<'a> {
    /// Reads `bytes`, the payload of a NAL unit behind its header; `clause` is cited when it ends early.
    pub fn new(bytes: &'a [u8], clause: &'static str) -> Self {
        let mut reader = Self { bytes, byte: 0, bit: 0, zeros: 0, emulation_prevention: true, clause };
        reader.skip_emulation_prevention();
        reader
    }

    /// Reads `bytes` as they are; `clause` is cited when they end early.
    pub fn without_emulation_prevention(bytes: &'a [u8], clause: &'static str) -> Self {
        Self { bytes, byte: 0, bit: 0, zeros: 0, emulation_prevention: false, clause }
    }

    /// Index in the NAL payload of the byte that holds the next bit: where an error is.
    pub fn byte_offset(&self) -> u64 {
        self.byte as u64
    }

    /// Number of bytes of which at least one bit was read.
    pub fn bytes_read(&self) -> u64 {
        self.byte as u64 + u64::from(self.bit > 0)
    }

    /// The clause cited in errors.
    pub fn clause(&self) -> &'static str {
        self.clause
    }

    /// `u(1)` as a flag.
    pub fn flag(&mut self, element: &'static str) -> Result<bool> {
        let &byte = self
            .bytes
            .get(self.byte)
            .ok_or_else(|| Error::truncated(element, self.clause).at(self.byte as u64))?;
        let value = byte >> (7 - self.bit) & 1 == 1;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.byte += 1;
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
            self.skip_emulation_prevention();
        }
        Ok(value)
    }

    /// `u(n)`, 0 to 32 bits.
    pub fn u(&mut self, bits: u8, element: &'static str) -> Result<u32> {
        debug_assert!(bits <= 32, "u(n) is read into 32 bits");
        let mut value = 0u32;
        for _ in 0..bits {
            value = value << 1 | u32::from(self.flag(element)?);
        }
        Ok(value)
    }

    /// `ue(v)`: 0..=2^32 - 2 (9.1).
    pub fn ue(&mut self, element: &'static str) -> Result<u32> {
        let start = self.byte as u64;
        let mut leading_zeros = 0u8;
        while !self.flag(element)? {
            leading_zeros += 1;
            if leading_zeros == 32 {
                return Err(Error::malformed(
                    format!("{element} has an Exp-Golomb code of over 31 leading zeros"),
                    self.clause,
                    "the stream is damaged here",
                )
                .at(start));
            }
        }
        let suffix = self.u(leading_zeros, element)?;
        Ok((1u32 << leading_zeros) - 1 + suffix)
    }

    /// `ue(v)` that must lie in `0..=max`; `allowed` says so in the error.
    pub fn ue_max(&mut self, max: u32, element: &'static str, allowed: &'static str) -> Result<u32> {
        let start = self.byte as u64;
        let value = self.ue(element)?;
        if value > max {
            return Err(Error::out_of_range(element, value, allowed, self.clause).at(start));
        }
        Ok(value)
    }

    /// `se(v)`: the signed mapping of 9.1.1.
    pub fn se(&mut self, element: &'static str) -> Result<i32> {
        let code = i64::from(self.ue(element)?);
        let magnitude = (code + 1) / 2;
        let value = if code % 2 == 1 { magnitude } else { -magnitude };
        // The largest code is 2^32 - 2, so the magnitude is at most 2^31 - 1.
        Ok(i32::try_from(value).expect("se(v) of a 32-bit code fits 32 bits"))
    }

    /// Steps over an `emulation_prevention_three_byte` where one stands at the next byte.
    fn skip_emulation_prevention(&mut self) {
        if self.emulation_prevention && self.zeros >= 2 && self.bytes.get(self.byte) == Some(&3) {
            self.byte += 1;
            self.zeros = 0;
        }
        self.zeros = self.zeros.min(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_table_of_exp_golomb_codes() {
        // H.264 Table 9-2: 1, 010, 011, 00100, 00101 are 0, 1, 2, 3, 4; se(v) 0, 1, -1, 2, -2 (Table 9-3).
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut r = BitReader::new(&bytes, "9.1");
        let unsigned: Vec<u32> = (0..5).map(|_| r.ue("codeNum").unwrap()).collect();
        assert_eq!(unsigned, [0, 1, 2, 3, 4]);
        let mut r = BitReader::new(&bytes, "9.1");
        let signed: Vec<i32> = (0..5).map(|_| r.se("codeNum").unwrap()).collect();
        assert_eq!(signed, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn drops_emulation_prevention_bytes_only_behind_two_zeros() {
        // 00 00 03 01 | 00 03 02 | 00 00 03 00 00 03 03
        let bytes = [0, 0, 3, 1, 0, 3, 2, 0, 0, 3, 0, 0, 3, 3];
        let mut r = BitReader::new(&bytes, "7.3.1");
        let read: Vec<u32> = std::iter::from_fn(|| r.u(8, "rbsp_byte").ok()).collect();
        assert_eq!(read, [0, 0, 1, 0, 3, 2, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn bytes_without_emulation_prevention_are_read_as_they_are() {
        let bytes = [0, 0, 3, 1, 0, 0, 3];
        let mut r = BitReader::without_emulation_prevention(&bytes, "5.5");
        let read: Vec<u32> = std::iter::from_fn(|| r.u(8, "f(8)").ok()).collect();
        assert_eq!(read, [0, 0, 3, 1, 0, 0, 3]);
    }

    #[test]
    fn ends_with_an_error_that_names_the_element_and_offset() {
        let mut r = BitReader::new(&[0xff], "7.3.2.1");
        r.u(8, "profile_idc").unwrap();
        let error = r.flag("constraint_set0_flag").unwrap_err();
        assert_eq!(error.offset(), Some(1));
        assert!(error.to_string().contains("constraint_set0_flag"));
    }

    #[test]
    fn the_longest_codes_are_read_and_longer_ones_refused() {
        // 31 zeros, a one, 31 ones: 2^32 - 2, whose signed value is -(2^31 - 1). An ff in place of the first 00 00 03 is not needed.
        let mut bits = vec![false; 31];
        bits.extend([true; 32]);
        let mut raw: Vec<u8> = bits
            .chunks(8)
            .map(|c| c.iter().enumerate().fold(0, |b, (i, &x)| b | u8::from(x) << (7 - i)))
            .collect();
        assert_eq!(BitReader::new(&raw, "9.1").ue("codeNum").unwrap(), u32::MAX - 1);
        assert_eq!(BitReader::new(&raw, "9.1").se("codeNum").unwrap(), -(i32::MAX));
        raw.insert(0, 0);
        assert!(BitReader::new(&raw, "9.1").ue("codeNum").is_err());
    }
}
