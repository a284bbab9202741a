//! Samples of `ac-3` and `ec-3`: syncframes that fill them, with their checksums, against `dac3` and `dec3` (ETSI TS 102 366 4.3,
//! 4.4, E.1.2, E.1.3, F.3, F.5).

use super::sound::{self, Decoded};
use super::{Look, Placed, SAMPLE_CHECKSUM, SAMPLE_CONFIGURATION, SAMPLE_FRAMES, SAMPLE_SYNTAX, Stop};
use crate::bits::BitReader;
use crate::verify::header::Header;

/// More bytes than the fields that are read of a syncframe take.
const HEAD: u64 = 16;
/// Samples of a block, for each channel.
const BLOCK: u32 = 256;
/// Blocks of a sample.
const BLOCKS: u32 = 6;
/// Sampling rates by `fscod`.
const RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// Bit rates of AC-3 by `frmsizecod / 2`, kbit/s (table 4.13).
const BIT_RATES: [u32; 19] =
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];

/// What a syncframe and a configuration both tell of a substream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    fscod: u32,
    bsid: u32,
    acmod: u32,
    lfeon: u32,
    /// AC-3: `bsmod` and `bit_rate_code`.
    of_ac3: Option<(u32, u32)>,
}

/// Which part of a sample a syncframe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Of an independent substream with this number; AC-3 has one, 0.
    Independent(u32),
    /// Of a substream that adds to the independent one in front.
    Dependent,
}

/// A syncframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Syncframe {
    part: Part,
    told: Told,
    rate: u32,
    blocks: u32,
    /// Bytes.
    len: u64,
}

/// Looks into each sample; `record` is the body of `dac3`, or of `dec3` (`is_enhanced`). Whether that can be read.
pub(super) fn check(record: &[u8], is_enhanced: bool, header: &Header, look: &mut Look<'_>) -> bool {
    let read =
        if is_enhanced { configured_eac3(record) } else { configured_ac3(record).map(|told| vec![told]) };
    let Ok(configured) = read else { return false };
    let samples = look.samples();
    let mut walk = Walk { configured, is_enhanced, header, head: Vec::new() };
    for (at, placed) in samples.iter().enumerate() {
        if walk.sample(placed, at + 1 == samples.len(), look).is_err() {
            break;
        }
    }
    true
}

fn configured_ac3(record: &[u8]) -> crate::Result<Told> {
    let mut r = BitReader::without_emulation_prevention(record, "ETSI TS 102 366 F.4");
    let (fscod, bsid, bsmod) = (r.u(2, "fscod")?, r.u(5, "bsid")?, r.u(3, "bsmod")?);
    let (acmod, lfeon) = (r.u(3, "acmod")?, r.u(1, "lfeon")?);
    Ok(Told { fscod, bsid, acmod, lfeon, of_ac3: Some((bsmod, r.u(5, "bit_rate_code")?)) })
}

/// The independent substreams of `dec3`.
fn configured_eac3(record: &[u8]) -> crate::Result<Vec<Told>> {
    let mut r = BitReader::without_emulation_prevention(record, "ETSI TS 102 366 F.6");
    r.u(13, "data_rate")?;
    let count = r.u(3, "num_ind_sub")? + 1;
    let mut substreams = Vec::new();
    for _ in 0..count {
        let (fscod, bsid) = (r.u(2, "fscod")?, r.u(5, "bsid")?);
        r.u(5, "reserved, asvc and bsmod")?;
        let (acmod, lfeon) = (r.u(3, "acmod")?, r.u(1, "lfeon")?);
        r.u(3, "reserved")?;
        let dependent = r.u(4, "num_dep_sub")?;
        r.u(if dependent > 0 { 9 } else { 1 }, "chan_loc")?;
        substreams.push(Told { fscod, bsid, acmod, lfeon, of_ac3: None });
    }
    Ok(substreams)
}

struct Walk<'a> {
    configured: Vec<Told>,
    is_enhanced: bool,
    header: &'a Header,
    head: Vec<u8>,
}

impl Walk<'_> {
    fn sample(&mut self, placed: &Placed, is_last: bool, look: &mut Look<'_>) -> Result<(), Stop> {
        let (mut at, end) = (placed.place.start, placed.place.end);
        let index = placed.index;
        // Blocks of each independent substream so far, and the rate.
        let (mut blocks, mut rate) = ([0u32; 8], 0);
        while at < end {
            look.read(at, (end - at).min(HEAD) as usize, &mut self.head)?;
            let frame = match Syncframe::read(&self.head, self.is_enhanced) {
                Ok(frame) => frame,
                Err(fault) => {
                    look.add(&SAMPLE_SYNTAX, at, format!("sample {index}: {fault}"));
                    return Ok(());
                }
            };
            if frame.len > end - at {
                let message = format!(
                    "a syncframe of sample {index} has {} bytes, and {} are left of the sample",
                    frame.len,
                    end - at
                );
                look.add(&SAMPLE_FRAMES, at, message);
                return Ok(());
            }
            // Everything behind the word that it starts with.
            if sound::remainder(look, at + 2, frame.len - 2)? != 0 {
                let message = format!("the checksum of a syncframe of sample {index} does not hold");
                look.add(&SAMPLE_CHECKSUM, at, message);
            }
            if let Part::Independent(substream) = frame.part {
                let so_far = &mut blocks[substream as usize & 7];
                if *so_far == 0 {
                    self.compare(index, at, substream, frame.told, look);
                }
                *so_far += frame.blocks;
                rate = frame.rate;
            } else if at == placed.place.start {
                let message = format!("sample {index} starts with a dependent substream");
                look.add(&SAMPLE_FRAMES, at, message);
            }
            at += frame.len;
        }
        self.judge(placed, blocks, rate, is_last, look);
        Ok(())
    }

    /// The first syncframe of an independent substream in a sample against the configuration.
    fn compare(&self, index: usize, at: u64, substream: u32, found: Told, look: &mut Look<'_>) {
        match self.configured.get(substream as usize) {
            None => {
                let message =
                    format!("sample {index} has substream {substream}, which the configuration has not");
                look.add(&SAMPLE_CONFIGURATION, at, message);
            }
            Some(told) if *told != found => {
                let message = format!("a syncframe of sample {index} says {found}, the configuration {told}");
                look.add(&SAMPLE_CONFIGURATION, at, message);
            }
            Some(_) => {}
        }
    }

    fn judge(&self, placed: &Placed, blocks: [u32; 8], rate: u32, is_last: bool, look: &mut Look<'_>) {
        let wanted = self.configured.len().min(8);
        if blocks[..wanted].iter().any(|&count| count != BLOCKS) {
            let counts: Vec<_> = blocks[..wanted].iter().map(u32::to_string).collect();
            let message = format!(
                "sample {} has {} blocks of its independent substreams, not {BLOCKS} of each",
                placed.index,
                counts.join(", ")
            );
            look.add(&SAMPLE_FRAMES, placed.place.start, message);
        }
        if blocks[0] > 0 {
            let decoded = Decoded { samples: blocks[0] * BLOCK, rate };
            sound::judge(placed, decoded, is_last, self.header, look);
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { fscod, bsid, acmod, lfeon, of_ac3 } = self;
        write!(f, "fscod {fscod}, bsid {bsid}, acmod {acmod}, lfeon {lfeon}")?;
        match of_ac3 {
            Some((bsmod, bit_rate_code)) => write!(f, ", bsmod {bsmod}, bit_rate_code {bit_rate_code}"),
            None => Ok(()),
        }
    }
}

impl Syncframe {
    fn read(bytes: &[u8], is_enhanced: bool) -> Result<Self, String> {
        const CLAUSE: &str = "ETSI TS 102 366";
        if !bytes.starts_with(&[0x0b, 0x77]) {
            return Err("no syncframe starts where one should".to_owned());
        }
        // bsid stands at one place in both, and tells which it is.
        let bsid = bytes.get(5).ok_or("the sample ends within a syncframe")? >> 3;
        let is_known = if is_enhanced { (11..=16).contains(&bsid) || bsid <= 8 } else { bsid <= 8 };
        if !is_known {
            return Err(format!("bsid of a syncframe is {bsid}"));
        }
        let mut r = BitReader::without_emulation_prevention(&bytes[2..], CLAUSE);
        let read = if bsid <= 8 { Self::ac3(&mut r, is_enhanced) } else { Self::eac3(&mut r) };
        read.map_err(|error| error.kind().to_string())?
    }

    /// Fields of AC-3 behind `syncword` (4.3.1, 4.3.2).
    fn ac3(r: &mut BitReader<'_>, is_enhanced: bool) -> crate::Result<Result<Self, String>> {
        r.u(16, "crc1")?;
        let (fscod, frmsizecod) = (r.u(2, "fscod")?, r.u(6, "frmsizecod")?);
        let (bsid, bsmod, acmod) = (r.u(5, "bsid")?, r.u(3, "bsmod")?, r.u(3, "acmod")?);
        if acmod & 1 == 1 && acmod != 1 {
            r.u(2, "cmixlev")?;
        }
        if acmod & 4 == 4 {
            r.u(2, "surmixlev")?;
        }
        if acmod == 2 {
            r.u(2, "dsurmod")?;
        }
        let lfeon = r.u(1, "lfeon")?;
        let (rate, bit_rate) = (RATES.get(fscod as usize), BIT_RATES.get(frmsizecod as usize / 2));
        let (Some(&rate), Some(&bit_rate)) = (rate, bit_rate) else {
            return Ok(Err(format!("fscod {fscod} and frmsizecod {frmsizecod} of a syncframe are reserved")));
        };
        // 1536 samples in words of 16 bits; at 44.1 kHz the lowest bit adds one.
        let words = bit_rate * 1000 * 96 / rate + if fscod == 1 { frmsizecod & 1 } else { 0 };
        let of_ac3 = (!is_enhanced).then_some((bsmod, frmsizecod / 2));
        let told = Told { fscod, bsid, acmod, lfeon, of_ac3 };
        let len = u64::from(words) * 2;
        Ok(Ok(Self { part: Part::Independent(0), told, rate, blocks: BLOCKS, len }))
    }

    /// Fields of E-AC-3 behind `syncword` (E.1.2.2).
    fn eac3(r: &mut BitReader<'_>) -> crate::Result<Result<Self, String>> {
        let (strmtyp, substream, frmsiz) = (r.u(2, "strmtyp")?, r.u(3, "substreamid")?, r.u(11, "frmsiz")?);
        let fscod = r.u(2, "fscod")?;
        let (rate, blocks) = match RATES.get(fscod as usize) {
            Some(&rate) => (rate, [1, 2, 3, BLOCKS][r.u(2, "numblkscod")? as usize]),
            None => match RATES.get(r.u(2, "fscod2")? as usize) {
                Some(rate) => (rate / 2, BLOCKS),
                None => return Ok(Err("fscod2 of a syncframe is 3, which is reserved".to_owned())),
            },
        };
        let (acmod, lfeon, bsid) = (r.u(3, "acmod")?, r.u(1, "lfeon")?, r.u(5, "bsid")?);
        let part = match strmtyp {
            // Type 2 stands for AC-3 that was converted.
            0 | 2 => Part::Independent(substream),
            1 => Part::Dependent,
            _ => return Ok(Err("strmtyp of a syncframe is 3, which is reserved".to_owned())),
        };
        let told = Told { fscod, bsid, acmod, lfeon, of_ac3: None };
        let len = u64::from(frmsiz + 1) * 2;
        if len < 8 {
            return Ok(Err(format!("a syncframe has {len} bytes")));
        }
        Ok(Ok(Self { part, told, rate, blocks, len }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts of the first syncframes of `ffmpeg -f lavfi -i sine=r=48000 -ac 2 -c:a ac3`, and of noise in 5.1 with `-c:a eac3`, with the
    /// bodies of the boxes that FFmpeg 5.1 made of them.
    #[test]
    fn syncframes_of_ffmpeg_agree_with_its_configurations() {
        let frame = Syncframe::read(&[0x0b, 0x77, 0xfe, 0x95, 0x14, 0x40, 0x43, 0xe1], false).unwrap();
        assert_eq!((frame.rate, frame.blocks, frame.len), (48_000, 6, 768));
        assert_eq!(frame.told, configured_ac3(&[0x10, 0x11, 0x40]).unwrap());
        let frame = Syncframe::read(&[0x0b, 0x77, 0x03, 0x7f, 0x3f, 0x87, 0xc0, 0x00], true).unwrap();
        assert_eq!(
            (frame.part, frame.rate, frame.blocks, frame.len),
            (Part::Independent(0), 48_000, 6, 1792)
        );
        assert_eq!(configured_eac3(&[0x0e, 0x00, 0x20, 0x0f, 0x00]).unwrap(), [frame.told]);
    }

    /// Words of table 4.13 (5.13 of A/52): 32 and 640 kbit/s at each rate.
    #[test]
    fn frame_sizes_are_those_of_the_table() {
        for (code, words) in [
            (0x00, 64),
            (0x40, 69),
            (0x41, 70),
            (0x80, 96),
            (0x25, 1280),
            (0x64, 1393),
            (0x65, 1394),
            (0xa4, 1920),
            (0x54, 417),
        ] {
            let frame = Syncframe::read(&[0x0b, 0x77, 0, 0, code, 0x40, 0x40, 0], false).unwrap();
            assert_eq!(frame.len, words * 2, "{code:#x}");
        }
    }

    #[test]
    fn what_is_reserved_is_refused() {
        for bytes in [
            [0x0b, 0x78, 0, 0, 0x00, 0x40, 0x40, 0],
            [0x0b, 0x77, 0, 0, 0xc0, 0x40, 0x40, 0],
            [0x0b, 0x77, 0, 0, 0x26, 0x40, 0x40, 0],
            [0x0b, 0x77, 0, 0, 0x00, 0x80, 0x40, 0],
        ] {
            assert!(Syncframe::read(&bytes, false).is_err(), "{bytes:x?}");
        }
        let enhanced = [0x0b, 0x77, 0x03, 0x7f, 0x3f, 0x87, 0xc0, 0x00];
        for (at, byte) in [(2, 0xc3), (4, 0xff), (5, 0xff)] {
            let mut bytes = enhanced;
            bytes[at] = byte;
            assert!(Syncframe::read(&bytes, true).is_err(), "{at}");
        }
        assert!(Syncframe::read(&enhanced, false).is_err());
        for len in 0..6 {
            assert!(Syncframe::read(&enhanced[..len], true).is_err());
        }
    }
}
