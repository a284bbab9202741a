//! Samples of `fLaC`: one frame each (RFC 9639 9; Encapsulation of FLAC in ISO BMFF 3.3.3, 3.3.4), with both of its checksums.

use super::crc::crc_8;
use super::sound::{self, Decoded};
use super::{Look, Placed, SAMPLE_CHECKSUM, SAMPLE_CONFIGURATION, SAMPLE_FRAMES, SAMPLE_SYNTAX, Stop};
use crate::verify::header::Header;

/// More bytes than the header of a frame has: 4, 7 of the coded number, 2 and 2 of block size and rate, the checksum.
const HEAD: u64 = 16;

/// Looks into each sample; `record` is the body of `dfLa`. Whether that can be read.
pub(super) fn check(record: &[u8], header: &Header, look: &mut Look<'_>) -> bool {
    let Some(told) = StreamInfo::read(record) else { return false };
    let samples = look.samples();
    let mut head = Vec::new();
    for (at, placed) in samples.iter().enumerate() {
        let is_last = at + 1 == samples.len();
        if sample(placed, told, is_last, header, look, &mut head).is_err() {
            break;
        }
    }
    true
}

/// The metadata block STREAMINFO (RFC 9639 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StreamInfo {
    most_samples: u32,
    /// Bytes of the largest frame; 0 where that is not known.
    most_bytes: u32,
    rate: u32,
    channels: u8,
    bits: u8,
}

impl StreamInfo {
    /// Reads it behind version, flags and the header of its block.
    fn read(record: &[u8]) -> Option<Self> {
        let block = record.get(8..8 + 34)?;
        let rate = u32::from_be_bytes([0, block[10], block[11], block[12]]) >> 4;
        (rate > 0).then_some(Self {
            most_samples: u16::from_be_bytes([block[2], block[3]]).into(),
            most_bytes: u32::from_be_bytes([0, block[7], block[8], block[9]]),
            rate,
            channels: (block[12] >> 1 & 7) + 1,
            bits: ((block[12] & 1) << 4 | block[13] >> 4) + 1,
        })
    }
}

fn sample(
    placed: &Placed,
    told: StreamInfo,
    is_last: bool,
    header: &Header,
    look: &mut Look<'_>,
    head: &mut Vec<u8>,
) -> Result<(), Stop> {
    let (index, offset, size) = (placed.index, placed.place.start, u64::from(placed.sample.size));
    look.read(offset, size.min(HEAD) as usize, head)?;
    let frame = match FrameHeader::read(head) {
        Ok(frame) => frame,
        Err(fault) => {
            look.add(&SAMPLE_SYNTAX, offset, format!("sample {index}: {fault}"));
            return Ok(());
        }
    };
    if frame.checksum != crc_8(&head[..frame.len - 1]) {
        look.add(
            &SAMPLE_CHECKSUM,
            offset,
            format!("the checksum of the frame header of sample {index} does not hold"),
        );
        return Ok(());
    }
    if sound::remainder(look, offset, size)? != 0 {
        let message = format!("the checksum of the frame in sample {index} does not hold");
        look.add(&SAMPLE_CHECKSUM, offset, message);
    }
    if told.most_bytes > 0 && placed.sample.size > told.most_bytes {
        let message =
            format!("sample {index} has {size} bytes, by STREAMINFO a frame has at most {}", told.most_bytes);
        look.add(&SAMPLE_FRAMES, offset, message);
    }
    let rate = frame.rate.unwrap_or(told.rate);
    let found = (rate, frame.channels, frame.bits.unwrap_or(told.bits));
    if found != (told.rate, told.channels, told.bits) {
        let message = format!(
            "the frame in sample {index} has {} Hz, {} channels, {} bits, STREAMINFO {} Hz, {} channels, {} bits",
            found.0, found.1, found.2, told.rate, told.channels, told.bits
        );
        look.add(&SAMPLE_CONFIGURATION, offset, message);
    } else if frame.samples > told.most_samples {
        let message = format!(
            "the block of sample {index} has {} samples, by STREAMINFO there are at most {}",
            frame.samples, told.most_samples
        );
        look.add(&SAMPLE_CONFIGURATION, offset, message);
    }
    sound::judge(placed, Decoded { samples: frame.samples, rate }, is_last, header, look);
    Ok(())
}

/// The header of a frame; what STREAMINFO tells in its place is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameHeader {
    samples: u32,
    rate: Option<u32>,
    channels: u8,
    bits: Option<u8>,
    /// Its last byte.
    checksum: u8,
    /// Bytes of it.
    len: usize,
}

impl FrameHeader {
    fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        const END: &str = "the sample ends within a frame header";
        let &[sync, strategy, sizes, layout] = bytes.first_chunk().ok_or(END)?;
        if (sync, strategy & 0xfe) != (0xff, 0xf8) {
            return Err("the sample does not start with the sync code of a frame");
        }
        let mut at = 4 + coded_len(*bytes.get(4).ok_or(END)?)?;
        let mut field = |len: usize| -> Result<u32, &'static str> {
            let field = bytes.get(at..at + len).ok_or(END)?;
            at += len;
            Ok(field.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
        };
        let samples = match sizes >> 4 {
            0 => return Err("the block size of a frame is reserved"),
            1 => 192,
            code @ 2..=5 => 144 << code,
            6 => field(1)? + 1,
            7 => field(2)? + 1,
            code => 1 << code,
        };
        let rate = match sizes & 15 {
            0 => None,
            12 => Some(field(1)? * 1000),
            13 => Some(field(2)?),
            14 => Some(field(2)? * 10),
            15 => return Err("the sample rate of a frame is forbidden"),
            code => Some(RATES[usize::from(code) - 1]),
        };
        let channels = match layout >> 4 {
            code @ 0..=7 => code + 1,
            8..=10 => 2,
            _ => return Err("the channels of a frame are reserved"),
        };
        let bits = match layout >> 1 & 7 {
            0 => None,
            3 => return Err("the bit depth of a frame is reserved"),
            code => Some([8, 12, 0, 16, 20, 24, 32][usize::from(code) - 1]),
        };
        if layout & 1 != 0 {
            return Err("a reserved bit of a frame header is set");
        }
        let checksum = field(1)? as u8;
        Ok(Self { samples, rate, channels, bits, checksum, len: at })
    }
}

/// Sample rates by code, from 1 (RFC 9639 9.1.2).
const RATES: [u32; 11] =
    [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

/// Bytes of a coded number that starts with `first` (RFC 9639 9.1.5).
fn coded_len(first: u8) -> Result<usize, &'static str> {
    match first.leading_ones() {
        0 => Ok(1),
        len @ 2..=7 => Ok(len as usize),
        _ => Err("the coded number of a frame is malformed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first frame of a sine of 48 kHz, 16 bits, two channels: `ffmpeg -f lavfi -i sine=r=48000 -ac 2 -c:a
    /// flac a.mp4` of FFmpeg 5.1.
    #[test]
    fn a_frame_header_of_ffmpeg_is_read() {
        let header = [0xff, 0xf8, 0x5a, 0x88, 0x00, 0x37];
        let read = FrameHeader::read(&header).unwrap();
        assert_eq!(
            read,
            FrameHeader {
                samples: 4608,
                rate: Some(48_000),
                channels: 2,
                bits: Some(16),
                checksum: 0x37,
                len: 6
            }
        );
        assert_eq!(crc_8(&header[..5]), 0x37);
    }

    #[test]
    fn what_is_reserved_is_refused() {
        for (at, byte) in [
            (0, 0xfe),
            (1, 0xfa),
            (2, 0x0a),
            (2, 0x5f),
            (3, 0xb8),
            (3, 0x86),
            (3, 0x89),
            (4, 0xff),
            (4, 0x80),
        ] {
            let mut header = [0xff, 0xf8, 0x5a, 0x88, 0x00, 0x37, 0, 0, 0, 0, 0, 0, 0];
            assert!(FrameHeader::read(&header).is_ok());
            header[at] = byte;
            assert!(FrameHeader::read(&header).is_err(), "{at} {byte:#x}");
        }
        for len in 0..6 {
            assert!(FrameHeader::read(&[0xff, 0xf8, 0x5a, 0x88, 0x00, 0x37][..len]).is_err());
        }
    }

    #[test]
    fn sizes_and_rates_may_stand_behind_the_number() {
        let read =
            FrameHeader::read(&[0xff, 0xf9, 0x7e, 0x18, 0xc2, 0x80, 0x03, 0xff, 0x22, 0x56, 0x00]).unwrap();
        assert_eq!((read.samples, read.rate, read.len), (1024, Some(87_900), 11));
        let read = FrameHeader::read(&[0xff, 0xf9, 0x6c, 0x18, 0x01, 0x0f, 0x60, 0x00]).unwrap();
        assert_eq!((read.samples, read.rate, read.len), (16, Some(96_000), 8));
    }
}
