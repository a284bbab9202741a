//! The checksums that frames of sound carry: remainders of a division, most significant bit first, from 0.

/// Remainders of each byte by x^8 + x^2 + x + 1 (RFC 9639 9.1.8).
const CRC_8: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u8;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 0x80 == 0 { rest << 1 } else { rest << 1 ^ 0x07 };
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
};

/// Remainders of each byte by x^16 + x^15 + x^2 + 1 (RFC 9639 9.3, ETSI TS 102 366 4.4.5).
const CRC_16: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 0x8000 == 0 { rest << 1 } else { rest << 1 ^ 0x8005 };
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
};

/// The remainder of 8 bits of `bytes`.
pub(super) fn crc_8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |rest, byte| CRC_8[usize::from(rest ^ byte)])
}

/// The remainder of 16 bits of `bytes` behind what `rest` is of: 0 of bytes that end with theirs.
pub(super) fn crc_16(rest: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(rest, |rest, byte| rest << 8 ^ CRC_16[usize::from((rest >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check values of the catalogue of parametrised CRC algorithms: CRC-8/SMBUS and CRC-16/UMTS of the digits 1 to 9.
    #[test]
    fn digits_have_the_published_remainders() {
        assert_eq!(crc_8(b"123456789"), 0xf4);
        assert_eq!(crc_16(0, b"123456789"), 0xfee8);
        assert_eq!(crc_16(crc_16(0, b"1234"), b"56789\xfe\xe8"), 0);
    }
}
