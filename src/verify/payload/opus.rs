//! Samples of `Opus`: a packet for each stream, all but the last with their lengths in them (RFC 6716 3, appendix B;
//! Encapsulation of Opus in ISO BMFF 4.3.3, 4.3.4).

use super::sound::{self, Decoded};
use super::{Look, Placed, SAMPLE_FRAMES, SAMPLE_SYNTAX, Stop};
use crate::verify::header::Header;

/// What Opus is decoded at.
const RATE: u32 = 48_000;
/// The longest packet: 120 ms.
const LONGEST: u32 = RATE / 1000 * 120;
/// What has to be decoded in front of a sample for it to be right: 80 ms (RFC 7845 4.6).
const PRE_ROLL: u32 = RATE / 1000 * 80;
/// The longest frame in bytes.
const LONGEST_FRAME: usize = 1275;
/// More bytes than a packet has: 48 frames, their lengths, and padding as long.
const MOST_BYTES: u64 = 1 << 17;

/// Looks into each sample; `record` is the body of `dOps`. Whether that can be read.
pub(super) fn check(record: &[u8], header: &Header, look: &mut Look<'_>) -> bool {
    // ChannelMappingFamily, and StreamCount behind it.
    let streams = match (record.get(10), record.get(11)) {
        (Some(0), _) => 1,
        (Some(_), Some(&streams)) if streams > 0 => streams,
        _ => return false,
    };
    let samples = look.samples();
    let mut bytes = Vec::new();
    for (at, placed) in samples.iter().enumerate() {
        let is_last = at + 1 == samples.len();
        if sample(placed, streams, is_last, header, look, &mut bytes).is_err() {
            break;
        }
    }
    true
}

fn sample(
    placed: &Placed,
    streams: u8,
    is_last: bool,
    header: &Header,
    look: &mut Look<'_>,
    bytes: &mut Vec<u8>,
) -> Result<(), Stop> {
    let (index, offset) = (placed.index, placed.place.start);
    let size = u64::from(placed.sample.size);
    if size > MOST_BYTES * u64::from(streams) {
        let message =
            format!("sample {index} has {size} bytes, more than {streams} packets of Opus can have");
        look.add(&SAMPLE_FRAMES, offset, message);
        return Ok(());
    }
    look.read(offset, size as usize, bytes)?;
    let (mut rest, mut samples) = (bytes.as_slice(), None);
    for stream in 1..=streams {
        let packet = match Packet::read(rest, stream < streams) {
            Ok(packet) => packet,
            Err(fault) => {
                let message = format!("sample {index}, packet of stream {stream}: {fault}");
                look.add(&SAMPLE_SYNTAX, offset, message);
                return Ok(());
            }
        };
        if samples.is_some_and(|samples| samples != packet.samples) {
            let message = format!("the packets of sample {index} last differently");
            look.add(&SAMPLE_FRAMES, offset, message);
            return Ok(());
        }
        samples = Some(packet.samples);
        rest = rest.get(packet.len..).unwrap_or_default();
    }
    let decoded = Decoded { samples: samples.unwrap_or(0), rate: RATE };
    sound::judge(placed, decoded, is_last, header, look);
    let distance =
        look.segment.roll_distance(index).map_or(0, |distance| u32::from(distance.min(0).unsigned_abs()));
    look.looked.lacks_pre_roll |= distance * decoded.samples < PRE_ROLL;
    Ok(())
}

/// A packet of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packet {
    /// How long its frames last together, at 48 kHz.
    samples: u32,
    /// Bytes.
    len: usize,
}

impl Packet {
    /// Reads a packet that tells how long it is (`is_delimited`), or that goes to the end of `bytes`.
    fn read(bytes: &[u8], is_delimited: bool) -> Result<Self, &'static str> {
        let &toc = bytes.first().ok_or("there is no TOC byte")?;
        let mut at = 1;
        let (count, is_vbr, padding) = match toc & 3 {
            0 => (1, false, 0),
            1 => (2, false, 0),
            2 => (2, true, 0),
            _ => {
                let &byte = bytes.get(at).ok_or("there is no count of frames")?;
                at += 1;
                let padding = if byte & 0x40 == 0 { 0 } else { padding(bytes, &mut at)? };
                (usize::from(byte & 0x3f), byte & 0x80 != 0, padding)
            }
        };
        let samples = frame_samples(toc >> 3) * count as u32;
        if samples == 0 {
            return Err("there is no frame in it");
        }
        if samples > LONGEST {
            return Err("its frames last more than 120 ms");
        }
        let told = if is_vbr { count - 1 + usize::from(is_delimited) } else { usize::from(is_delimited) };
        let mut sum = 0;
        for _ in 0..told {
            sum += frame_len(bytes, &mut at)?;
        }
        let left = bytes.len().checked_sub(at + padding).ok_or("its padding runs past the end")?;
        let frames = match (is_vbr, is_delimited) {
            (true, true) => sum,
            (false, true) => sum * count,
            (true, false) => {
                let last = left.checked_sub(sum).ok_or("its frames run past the end")?;
                if last > LONGEST_FRAME {
                    return Err("its last frame is longer than 1275 bytes");
                }
                left
            }
            (false, false) if left % count != 0 => {
                return Err("its bytes are no multiple of the number of its frames, which are equally long");
            }
            (false, false) if left / count > LONGEST_FRAME => {
                return Err("its frames are longer than 1275 bytes");
            }
            (false, false) => left,
        };
        if frames > left {
            return Err("its frames run past the end");
        }
        Ok(Self { samples, len: at + frames + padding })
    }
}

/// How long a frame of a configuration lasts at 48 kHz (RFC 6716 table 2).
fn frame_samples(config: u8) -> u32 {
    match config {
        0..12 => [480, 960, 1920, 2880][usize::from(config & 3)],
        12..16 => [480, 960][usize::from(config & 1)],
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    }
}

/// A length of one or two bytes (RFC 6716 3.2.1).
fn frame_len(bytes: &[u8], at: &mut usize) -> Result<usize, &'static str> {
    const MISSING: &str = "it ends within the lengths of its frames";
    let first = usize::from(*bytes.get(*at).ok_or(MISSING)?);
    *at += 1;
    if first < 252 {
        return Ok(first);
    }
    let second = usize::from(*bytes.get(*at).ok_or(MISSING)?);
    *at += 1;
    Ok(first + 4 * second)
}

/// The length of the padding: 255 stands for 254 and another byte (RFC 6716 3.2.5).
fn padding(bytes: &[u8], at: &mut usize) -> Result<usize, &'static str> {
    let mut padding = 0;
    loop {
        let byte = usize::from(*bytes.get(*at).ok_or("it ends within the length of its padding")?);
        *at += 1;
        if byte < 255 {
            return Ok(padding + byte);
        }
        padding += 254;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toc_bytes_tell_durations() {
        // SILK 10 to 60 ms, hybrid 10 and 20 ms, CELT 2.5 to 20 ms (RFC 6716 table 2).
        for (config, samples) in
            [(0, 480), (3, 2880), (11, 2880), (12, 480), (15, 960), (16, 120), (19, 960), (31, 960)]
        {
            assert_eq!(Packet::read(&[config << 3, 0], false), Ok(Packet { samples, len: 2 }), "{config}");
        }
    }

    #[test]
    fn packets_of_each_code_are_walked() {
        let read = |bytes: &[u8]| Packet::read(bytes, false).map(|packet| packet.samples);
        let celt = 31 << 3;
        assert_eq!(read(&[celt | 1, 1, 2]), Ok(1920));
        assert!(read(&[celt | 1, 1, 2, 3]).is_err(), "two frames of one length");
        assert_eq!(read(&[celt | 2, 1, 2, 3, 4]), Ok(1920));
        assert!(read(&[celt | 2, 3, 2]).is_err());
        assert!(read(&[celt | 2]).is_err());
        assert_eq!(read(&[celt | 3, 3, 1, 2, 3]), Ok(2880));
        assert!(read(&[celt | 3, 3, 1, 2]).is_err());
        assert!(read(&[celt | 3, 0]).is_err(), "no frame");
        assert_eq!(read(&[celt | 3, 6, 0, 0, 0, 0, 0, 0]), Ok(5760));
        assert!(read(&[celt | 3, 7]).is_err(), "140 ms");
        assert_eq!(read(&[celt | 3, 0x82, 1, 1, 9, 9]), Ok(1920));
        assert_eq!(read(&[celt | 3, 0x42, 2, 1, 2, 0, 0]), Ok(1920), "padding");
        assert!(read(&[celt | 3, 0x42, 5, 1, 2, 0, 0]).is_err());
        assert!(read(&[]).is_err());
        assert!(read(&[&[celt][..], &[0; 1276]].concat()).is_err());
        assert_eq!(read(&[&[celt][..], &[0; 1275]].concat()), Ok(960));
    }

    #[test]
    fn a_delimited_packet_leaves_the_rest() {
        let len = |bytes: &[u8]| Packet::read(bytes, true).map(|packet| packet.len);
        let celt = 31 << 3;
        assert_eq!(len(&[celt, 2, 1, 1, 9, 9, 9]), Ok(4));
        assert_eq!(len(&[celt | 1, 1, 1, 1, 9]), Ok(4));
        assert_eq!(len(&[celt | 2, 1, 2, 1, 1, 1, 9]), Ok(6));
        assert_eq!(len(&[celt | 3, 0x41, 1, 1, 7, 0, 9]), Ok(6));
        assert!(len(&[celt, 2, 1]).is_err());
    }
}
