//! The subframes of a FLAC frame, as far as it takes to know where they end (RFC 9639 9.2, read in its last draft): nothing of them is decoded.

use super::FrameHeader;

/// Why the length of a frame is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoLength {
    /// It does not end within the bytes.
    CutOff,
    /// This has a value that is reserved.
    Damaged(&'static str),
}

/// Bytes of the frame at the start of `bytes`, which begins with `header`: header, subframes, padding to a byte, CRC-16.
pub(crate) fn frame_len(bytes: &[u8], header: &FrameHeader) -> Result<usize, NoLength> {
    const CRC_16_LEN: usize = 2;
    let mut bits = Bits { bytes, at: 8 * usize::from(header.len) };
    // The channel that holds a difference takes a bit more: of left and side, side and right, mid and side.
    let side = match bytes.get(3).map(|format| format >> 4) {
        Some(8 | 10) => Some(1),
        Some(9) => Some(0),
        _ => None,
    };
    for channel in 0..header.channels {
        let wider = if side == Some(channel) { 1 } else { 0 };
        bits.subframe(header.block_size as usize, usize::from(header.bits_per_sample) + wider)?;
    }
    let len = bits.at.div_ceil(8) + CRC_16_LEN;
    if len > bytes.len() { Err(NoLength::CutOff) } else { Ok(len) }
}

/// What is left of a frame. `at` never passes the end of the bytes.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next 56 bits or more at the top of a word, zeros behind the end.
    fn word(&self) -> u64 {
        let from = self.at / 8;
        let word = match self.bytes.get(from..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => {
                let mut bytes = [0; 8];
                let rest = &self.bytes[from.min(self.bytes.len())..];
                bytes[..rest.len()].copy_from_slice(rest);
                u64::from_be_bytes(bytes)
            }
        };
        word << (self.at % 8)
    }

    fn skip(&mut self, bits: usize) -> Result<(), NoLength> {
        // Below 2^16 samples of 33 bits each, behind less than the length of a slice in bits.
        self.at =
            self.at.checked_add(bits).filter(|&at| at <= 8 * self.bytes.len()).ok_or(NoLength::CutOff)?;
        Ok(())
    }

    /// 1..=32 bits.
    fn take(&mut self, bits: usize) -> Result<u32, NoLength> {
        let value = (self.word() >> (64 - bits)) as u32;
        self.skip(bits)?;
        Ok(value)
    }

    /// Zeros in front of the next one, which is taken too.
    fn unary(&mut self) -> Result<usize, NoLength> {
        let mut zeros = 0;
        loop {
            let word = self.word();
            if word != 0 {
                let here = word.leading_zeros() as usize;
                self.skip(here + 1)?;
                return Ok(zeros + here);
            }
            let here = 64 - self.at % 8;
            self.skip(here)?;
            zeros += here;
        }
    }

    fn subframe(&mut self, block_size: usize, bits_per_sample: usize) -> Result<(), NoLength> {
        const RESERVED: NoLength = NoLength::Damaged("the type of a subframe");
        let head = self.take(8)?;
        if head & 0x80 != 0 {
            return Err(RESERVED);
        }
        // Wasted bits of each sample, which are left out.
        let wasted = if head & 1 == 1 { self.unary()? + 1 } else { 0 };
        let bits = bits_per_sample.checked_sub(wasted).filter(|&bits| bits > 0);
        let bits = bits.ok_or(NoLength::Damaged("the number of wasted bits"))?;
        let order = match head >> 1 {
            // Constant, verbatim.
            0 => return self.skip(bits),
            1 => return self.skip(bits * block_size),
            kind @ 8..=12 => kind as usize - 8,
            kind @ 32..=63 => kind as usize - 31,
            _ => return Err(RESERVED),
        };
        self.skip(order * bits)?;
        if head >> 1 >= 32 {
            let precision = match self.take(4)? as usize {
                15 => return Err(NoLength::Damaged("the precision of predictor coefficients")),
                below => below + 1,
            };
            self.skip(5 + order * precision)?;
        }
        self.residual(block_size, order)
    }

    fn residual(&mut self, block_size: usize, order: usize) -> Result<(), NoLength> {
        let parameter_bits = match self.take(2)? {
            0 => 4,
            1 => 5,
            _ => return Err(NoLength::Damaged("the coding method of a residual")),
        };
        let partition_order = self.take(4)?;
        let partition = block_size >> partition_order;
        if partition << partition_order != block_size || partition < order {
            return Err(NoLength::Damaged("the partition order"));
        }
        let escape = (1 << parameter_bits) - 1;
        for index in 0..1usize << partition_order {
            let samples = if index == 0 { partition - order } else { partition };
            let parameter = self.take(parameter_bits)?;
            if parameter == escape {
                let bits = self.take(5)? as usize;
                self.skip(samples * bits)?;
                continue;
            }
            for _ in 0..samples {
                self.unary()?;
                self.skip(parameter as usize)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::flac::FlacConfig;

    /// A frame of mono, 8 bits, 16 samples: its header, and these bits of a subframe, spaces aside.
    fn len_of(subframe: &str) -> Result<usize, NoLength> {
        let digits: Vec<u8> = subframe.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
        let payload =
            digits.chunks(8).map(|bits| (0..8).fold(0, |byte, i| byte << 1 | bits.get(i).unwrap_or(&0)));
        let mut header = vec![0xff, 0xf8, 0x69, 0x02, 0, 15];
        header.push(crate::codec::flac::header_checksum(&header));
        let bytes: Vec<u8> = header.into_iter().chain(payload).chain([0, 0]).collect();
        let mut block = [0; 34];
        block[..18].copy_from_slice(b"\0\x10\0\x10\0\0\0\0\0\0\x0a\xc4\x40\x70\0\0\0\x10");
        let config = FlacConfig::read(&block).unwrap();
        let header = FrameHeader::read(&bytes, &config).unwrap();
        let len = frame_len(&bytes, &header);
        assert!(len.is_err() || len == Ok(bytes.len()), "{len:?} of {}", bytes.len());
        for cut in 7..len.unwrap_or(0) {
            assert_eq!(frame_len(&bytes[..cut], &header), Err(NoLength::CutOff));
        }
        len
    }

    #[test]
    fn every_kind_of_subframe_has_its_length() {
        let (bytes, words) = ("01011010".repeat(16), "0 000001 0");
        // Constant; verbatim; verbatim with three wasted bits.
        assert_eq!(len_of("0 000000 0 01011010"), Ok(7 + 2 + 2));
        assert_eq!(len_of(&format!("{words} {bytes}")), Ok(7 + 1 + 16 + 2));
        assert_eq!(len_of(&format!("0 000001 1 001 {}", "01011".repeat(16))), Ok(7 + 1 + 11 + 2));
        // Fixed of order 2, one partition of parameter 1: each residual a unary number and a bit.
        let rice = format!("{}{}", "001 0".repeat(13), "1 1");
        assert_eq!(
            len_of(&format!("0 001010 0 01011010 01011010 00 0000 0001 {rice}")),
            Ok(7 + 1 + 2 + 8 + 2)
        );
        // Linear of order 1, precision 4, 5 bits shift; two partitions of 7 and 8 in escapes of 3 and 0 bits.
        let escaped = format!("01 0001 11111 00011 {} 11111 00000", "101".repeat(7));
        assert_eq!(len_of(&format!("0 100000 0 01011010 0011 00000 0101 {escaped}")), Ok(7 + 1 + 1 + 8 + 2));
    }

    #[test]
    fn a_long_unary_number_goes_over_words() {
        let zeros = "0".repeat(200);
        let rice = format!("{zeros}1 {}", "1".repeat(15));
        assert_eq!(
            len_of(&format!("0 001000 0 00 0000 0000 {rice}")),
            Ok(7 + 1 + (10 + 201 + 15usize).div_ceil(8) + 2)
        );
    }

    #[test]
    fn reserved_values_are_damage() {
        for (subframe, what) in [
            ("1 000000 0 01011010", "type"),
            ("0 000010 0 01011010", "type"),
            ("0 001101 0 01011010", "type"),
            ("0 000000 1 0000000 1 01011010", "wasted"),
            ("0 100000 0 01011010 1111 00000", "precision"),
            ("0 001000 0 10 0000 0000", "coding method"),
            ("0 001000 0 00 0101 0000", "partition order"),
            ("0 001100 0 01011010 01011010 01011010 01011010 00 0011 0000", "partition order"),
        ] {
            assert!(
                matches!(len_of(subframe), Err(NoLength::Damaged(found)) if found.contains(what)),
                "{subframe}"
            );
        }
    }
}
