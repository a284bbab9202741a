//! The two checksums of a FLAC frame: CRC-8 of its header (RFC 9639 9.1.8), CRC-16 of all of it (9.3). Both take the most
//! significant bit first and start at 0, so a range with its checksum behind it has the checksum 0.

/// x^8 + x^2 + x + 1.
const POLYNOMIAL_8: u8 = 0x07;
/// x^16 + x^15 + x^2 + 1.
const POLYNOMIAL_16: u16 = 0x8005;

/// Row `n` has the checksums of each byte with `n` zero bytes behind it: eight bytes are looked up at once.
static CRC_16: [[u16; 256]; 8] = {
    let mut rows = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 != 0 { POLYNOMIAL_16 } else { 0 };
            bit += 1;
        }
        rows[0][byte] = crc;
        byte += 1;
    }
    let mut row = 1;
    while row < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before: u16 = rows[row - 1][byte];
            rows[row][byte] = before << 8 ^ rows[0][(before >> 8) as usize];
            byte += 1;
        }
        row += 1;
    }
    rows
};

/// CRC-8 of a few bytes.
pub(super) fn crc_8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| crc << 1 ^ if crc & 0x80 != 0 { POLYNOMIAL_8 } else { 0 })
    })
}

/// CRC-16 of the bytes that were added so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crc16(u16);

impl Crc16 {
    /// Takes in `bytes`.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let eight = bytes.chunks_exact(8);
        let rest = eight.remainder();
        let mut crc = self.0;
        for b in eight {
            let front = crc ^ u16::from_be_bytes([b[0], b[1]]);
            let [high, low] = front.to_be_bytes();
            crc = CRC_16[7][usize::from(high)]
                ^ CRC_16[6][usize::from(low)]
                ^ CRC_16[5][usize::from(b[2])]
                ^ CRC_16[4][usize::from(b[3])]
                ^ CRC_16[3][usize::from(b[4])]
                ^ CRC_16[2][usize::from(b[5])]
                ^ CRC_16[1][usize::from(b[6])]
                ^ CRC_16[0][usize::from(b[7])];
        }
        for byte in rest {
            crc = crc << 8 ^ CRC_16[0][usize::from((crc >> 8) as u8 ^ byte)];
        }
        self.0 = crc;
    }

    /// Whether the last two bytes are the checksum of those in front of them.
    pub(crate) fn agrees(self) -> bool {
        self.0 == 0
    }

    /// The two bytes that make it agree.
    #[cfg(test)]
    pub(crate) fn bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

/// CRC-8 for streams made by hand.
#[cfg(test)]
pub(crate) fn header_checksum(bytes: &[u8]) -> u8 {
    crc_8(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bit by bit.
    fn slow(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0, |crc: u16, &byte| {
            (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
                if crc & 0x8000 != 0 { crc << 1 ^ POLYNOMIAL_16 } else { crc << 1 }
            })
        })
    }

    #[test]
    fn check_values_are_those_of_the_catalogues() {
        // CRC-8/SMBUS and CRC-16/UMTS over "123456789" in Greg Cook's catalogue of CRC algorithms.
        assert_eq!(crc_8(b"123456789"), 0xf4);
        let mut crc = Crc16::default();
        crc.add(b"123456789");
        assert_eq!((crc.0, slow(b"123456789")), (0xfee8, 0xfee8));
    }

    proptest! {
        #[test]
        fn eight_at_once_equal_bit_by_bit_wherever_they_are_split(
            bytes in prop::collection::vec(any::<u8>(), 0..100),
            split in 0usize..100,
        ) {
            let (front, back) = bytes.split_at(split.min(bytes.len()));
            let mut crc = Crc16::default();
            crc.add(front);
            crc.add(back);
            prop_assert_eq!(crc.0, slow(&bytes));
            crc.add(&crc.bytes());
            prop_assert!(crc.agrees());
        }
    }
}
