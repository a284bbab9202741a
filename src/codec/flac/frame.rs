//! The header of a FLAC frame (RFC 9639 9.1, read in its last draft): everything that it says, and its checksum.

use std::fmt;

use super::FlacConfig;
use super::checksum::crc_8;

/// What the first bytes of a frame say. Rate and bits per sample that it leaves to STREAMINFO are those of STREAMINFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The blocking strategy bit: block sizes vary, and [`FrameHeader::number`] counts samples; frames otherwise.
    pub has_variable_blocks: bool,
    /// Samples of each channel, 1..=65536.
    pub block_size: u32,
    /// Samples per second and channel.
    pub sample_rate: u32,
    /// Channels, 1..=8.
    pub channels: u8,
    /// Bits of a sample.
    pub bits_per_sample: u8,
    /// The coded number: which frame, or which sample is its first.
    pub number: u64,
    /// Bytes of the header, its checksum included, 6..=16.
    pub len: u8,
}

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHeader {
    /// The bytes end in what may be one.
    CutOff,
    /// There is none: no sync code, a reserved value, or another checksum.
    NotOne,
}

impl FrameHeader {
    /// Most bytes of a header.
    pub const MAX_LEN: usize = 16;

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    /// Where there is none, or not all of it.
    pub fn read(bytes: &[u8], stream: &FlacConfig) -> Result<Self, NoHeader> {
        let mut fields = Fields { bytes, at: 0 };
        // Fifteen bits of sync code, and the blocking strategy.
        if fields.byte()? != 0xff {
            return Err(NoHeader::NotOne);
        }
        let has_variable_blocks = match fields.byte()? {
            0xf8 => false,
            0xf9 => true,
            _ => return Err(NoHeader::NotOne),
        };
        let (sizes, format) = (fields.byte()?, fields.byte()?);
        let (block_code, rate_code) = (sizes >> 4, sizes & 0x0f);
        let channels = match format >> 4 {
            independent @ 0..=7 => independent + 1,
            // Left and side, side and right, mid and side.
            8..=10 => 2,
            _ => return Err(NoHeader::NotOne),
        };
        let bits_per_sample = match format >> 1 & 7 {
            0 => stream.bits_per_sample(),
            1 => 8,
            2 => 12,
            4 => 16,
            5 => 20,
            6 => 24,
            7 => 32,
            _ => return Err(NoHeader::NotOne),
        };
        if format & 1 != 0 || block_code == 0 || rate_code == 15 {
            return Err(NoHeader::NotOne);
        }
        let number = fields.coded_number(if has_variable_blocks { 7 } else { 6 })?;
        let block_size = match block_code {
            1 => 192,
            2..=5 => 144 << block_code,
            6 => u32::from(fields.byte()?) + 1,
            7 => u32::from(fields.half()?) + 1,
            _ => 1 << block_code,
        };
        let sample_rate = match rate_code {
            0 => stream.sample_rate(),
            1..=11 => SAMPLE_RATES[usize::from(rate_code - 1)],
            12 => u32::from(fields.byte()?) * 1000,
            13 => fields.half()?.into(),
            _ => u32::from(fields.half()?) * 10,
        };
        fields.byte()?;
        if crc_8(&bytes[..fields.at]) != 0 {
            return Err(NoHeader::NotOne);
        }
        let len = fields.at as u8;
        Ok(Self { has_variable_blocks, block_size, sample_rate, channels, bits_per_sample, number, len })
    }

    /// Whether rate, channels and bits per sample are those of the stream.
    pub fn has_format_of(&self, stream: &FlacConfig) -> bool {
        (self.sample_rate, self.channels, self.bits_per_sample)
            == (stream.sample_rate(), stream.channels(), stream.bits_per_sample())
    }

    /// The coded number of the frame behind it.
    pub fn next_number(&self) -> u64 {
        self.number + if self.has_variable_blocks { u64::from(self.block_size) } else { 1 }
    }
}

impl fmt::Display for FrameHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_format(f, self.sample_rate, self.channels, self.bits_per_sample)
    }
}

pub(super) fn write_format(f: &mut fmt::Formatter<'_>, rate: u32, channels: u8, bits: u8) -> fmt::Result {
    let plural = if channels == 1 { "" } else { "s" };
    write!(f, "FLAC, {rate} Hz, {channels} channel{plural}, {bits} bits")
}

/// RFC 9639 Table 16 (9.1.2), from 1 on.
const SAMPLE_RATES: [u32; 11] =
    [88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn byte(&mut self) -> Result<u8, NoHeader> {
        let byte = self.bytes.get(self.at).ok_or(NoHeader::CutOff)?;
        self.at += 1;
        Ok(*byte)
    }

    fn half(&mut self) -> Result<u16, NoHeader> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// A number in the manner of UTF-8, in at most `most` bytes (RFC 9639 9.1.5).
    fn coded_number(&mut self, most: u32) -> Result<u64, NoHeader> {
        let first = self.byte()?;
        let len = match first.leading_ones() {
            0 => return Ok(first.into()),
            len if len == 1 || len > most => return Err(NoHeader::NotOne),
            len => len,
        };
        let mut number = u64::from(first) & ((1 << (7 - len)) - 1);
        for _ in 1..len {
            let byte = self.byte()?;
            if byte >> 6 != 0b10 {
                return Err(NoHeader::NotOne);
            }
            number = number << 6 | u64::from(byte & 0x3f);
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::flac::checksum::header_checksum;

    /// 44.1 kHz, stereo, 16 bits, blocks of 4608, as FFmpeg 5.1 encodes.
    fn stream() -> FlacConfig {
        let mut block = [0; 34];
        block[..18].copy_from_slice(b"\x12\0\x12\0\0\x03\x05\0\x05\x14\x0a\xc4\x42\xf0\0\0\xac\x44");
        FlacConfig::read(&block).unwrap()
    }

    fn header(fields: &[u8]) -> Result<FrameHeader, NoHeader> {
        let bytes = [fields, &[header_checksum(fields)]].concat();
        let read = FrameHeader::read(&bytes, &stream());
        for len in 0..bytes.len() {
            let cut = FrameHeader::read(&bytes[..len], &stream());
            assert!(cut == Err(NoHeader::CutOff) || cut == read && read == Err(NoHeader::NotOne), "{len}");
        }
        for bit in 0..8 * bytes.len() {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(FrameHeader::read(&wrong, &stream()).is_err(), "bit {bit} is checked");
        }
        read
    }

    #[test]
    fn a_real_header_is_read_with_its_own_checksum() {
        // Frames 0 and 3 of FFmpeg 5.1's `-f lavfi -i sine=f=440:r=44100:d=1 -ac 2 -c:a flac -sample_fmt s16`, and frame 0 of
        // `-i sine=f=440:r=96000:d=1 -ac 2 -c:a flac -sample_fmt s32 -bits_per_raw_sample 24`.
        for (bytes, block_size, sample_rate, bits_per_sample, number) in [
            ([0xff, 0xf8, 0x59, 0x88, 0x00, 0x8a, 0x4e, 0x00], 4608, 44_100, 16, 0),
            ([0xff, 0xf8, 0x59, 0x88, 0x03, 0x83, 0x4e, 0xfa], 4608, 44_100, 16, 3),
            ([0xff, 0xf8, 0xdb, 0x8c, 0x00, 0x03, 0x4e, 0x00], 8192, 96_000, 24, 0),
        ] {
            let expected = FrameHeader {
                has_variable_blocks: false,
                block_size,
                sample_rate,
                channels: 2,
                bits_per_sample,
                number,
                len: 6,
            };
            assert_eq!(FrameHeader::read(&bytes, &stream()), Ok(expected));
            assert_eq!(expected.has_format_of(&stream()), sample_rate == 44_100);
        }
    }

    #[test]
    fn block_sizes_are_those_of_the_table() {
        let block_size = |code: u8, behind: &[u8]| {
            header(&[&[0xff, 0xf8, code << 4 | 9, 0x18, 0], behind].concat()).map(|header| header.block_size)
        };
        assert_eq!(block_size(0, &[]), Err(NoHeader::NotOne));
        let sizes: Vec<_> = (1..16)
            .map(|code| {
                block_size(
                    code,
                    [&[][..], &[0], &[0, 0]][match code {
                        6 => 1,
                        7 => 2,
                        _ => 0,
                    }],
                )
                .unwrap()
            })
            .collect();
        assert_eq!(
            sizes,
            [192, 576, 1152, 2304, 4608, 1, 1, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768]
        );
        assert_eq!((block_size(6, &[255]), block_size(7, &[0xff, 0xff])), (Ok(256), Ok(65_536)));
    }

    #[test]
    fn rates_are_those_of_the_table_or_stand_behind_the_number() {
        let rate = |code: u8, behind: &[u8]| {
            header(&[&[0xff, 0xf8, 0x50 | code, 0x18, 0], behind].concat()).map(|header| header.sample_rate)
        };
        let rates: Vec<_> = (0..12).map(|code| rate(code, &[]).unwrap()).collect();
        assert_eq!(
            rates,
            [44_100, 88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
        );
        assert_eq!(rate(12, &[37]), Ok(37_000));
        assert_eq!((rate(13, &[0xac, 0x44]), rate(14, &[0xac, 0x44])), (Ok(44_100), Ok(441_000)));
        assert_eq!(rate(15, &[]), Err(NoHeader::NotOne));
    }

    #[test]
    fn channels_and_bits_are_those_of_the_tables() {
        let format = |byte: u8| header(&[0xff, 0xf8, 0x59, byte, 0]).map(|h| (h.channels, h.bits_per_sample));
        let channels: Vec<_> = (0..11).map(|code| format(code << 4 | 8).unwrap().0).collect();
        assert_eq!(channels, [1, 2, 3, 4, 5, 6, 7, 8, 2, 2, 2]);
        let bits: Vec<_> = [0, 1, 2, 4, 5, 6, 7].map(|code| format(0x10 | code << 1).unwrap().1).into();
        assert_eq!(bits, [16, 8, 12, 16, 20, 24, 32]);
        for reserved in [0xb0, 0xf0, 0x16, 0x19] {
            assert_eq!(format(reserved), Err(NoHeader::NotOne), "{reserved:02x}");
        }
    }

    #[test]
    fn numbers_are_coded_in_the_manner_of_utf_8() {
        let number = |strategy: u8, coded: &[u8]| {
            header(&[&[0xff, strategy, 0x59, 0x18], coded].concat()).map(|h| (h.number, h.next_number()))
        };
        assert_eq!(number(0xf8, &[0x7f]), Ok((0x7f, 0x80)));
        assert_eq!(number(0xf8, &[0xc2, 0x80]), Ok((0x80, 0x81)));
        assert_eq!(number(0xf8, &[0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]), Ok(((1 << 31) - 1, 1 << 31)));
        assert_eq!(number(0xf8, &[0xfe, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]), Err(NoHeader::NotOne));
        let all = (1 << 36) - 1;
        assert_eq!(number(0xf9, &[0xfe, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]), Ok((all, all + 4608)));
        for bad in [&[0x80][..], &[0xc2, 0x40], &[0xff, 0xbf]] {
            assert_eq!(number(0xf9, bad), Err(NoHeader::NotOne), "{bad:02x?}");
        }
    }
}
