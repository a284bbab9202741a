//! AC-3 (ETSI TS 102 366 clause 4, ATSC A/52 5): the header of a syncframe, of AC-3 and of E-AC-3 alike, and what headers of AC-3
//! say together ► `AC3SpecificBox` (annex F), codec string, channels and sampling rate. No audio is decoded.
//!
//! TS 102 366 was not opened: clauses and syntax are as FFmpeg, L-SMASH, Shaka Packager and GPAC have them.

use std::fmt;

use super::eac3;
use super::{AudioCodec, AudioConfiguration, DolbyChannels};
use crate::bits::BitReader;
use crate::error::{Error, Result};

/// Audio samples of one channel in an audio block.
pub const SAMPLES_PER_BLOCK: u32 = 256;

/// Audio blocks of each substream in an access unit: a syncframe of AC-3 has so many, those of E-AC-3 have 1, 2, 3 or 6.
pub const BLOCKS: u8 = 6;

/// Audio samples of one channel in an access unit.
pub const SAMPLES_PER_ACCESS_UNIT: u32 = BLOCKS as u32 * SAMPLES_PER_BLOCK;

/// Bytes of a syncframe that its size can be read from.
pub const SIZE_LEN: usize = 6;

/// Bytes of a syncframe that hold all that [`Syncframe::read`] looks at: the longest header of E-AC-3 takes 132.
pub const HEADER_LEN: usize = 160;

const CLAUSE: &str = "ETSI TS 102 366 4.3";

/// The syncword, 0x0B77.
const SYNCWORD: [u8; 2] = [0x0b, 0x77];

/// By `fscod`, Hz (Table 4.1); 3 is reserved, or says that E-AC-3 has half of one of them.
pub(super) const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// By `frmsizecod` / 2, kbit/s (Table 4.13).
const BIT_RATES: [u16; 19] =
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];

/// What a syncframe is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamType {
    /// AC-3: alone, or independent substream 0 of an E-AC-3 stream.
    Ac3,
    /// An independent substream of E-AC-3 (`strmtyp` 0, or 2 where it was made from AC-3).
    Independent,
    /// A dependent substream of E-AC-3 (`strmtyp` 1): more channels of the independent one in front of it.
    Dependent,
}

/// The header of a syncframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Syncframe {
    /// What it is of.
    pub stream_type: StreamType,
    /// `substreamid`, 0..=7; 0 of AC-3.
    pub substream_id: u8,
    /// Bytes of the whole frame, from the syncword on: up to 4096.
    pub size: u16,
    /// `fscod`, 0..=3.
    pub fscod: u8,
    /// Samples per second: what `fscod`, or `fscod2` where that is 3, says.
    pub sample_rate: u32,
    /// Audio blocks: 1, 2, 3 or 6.
    pub blocks: u8,
    /// `bsid`: 0..=8 of AC-3, 11..=16 of E-AC-3.
    pub bsid: u8,
    /// `bsmod`, 0..=7: the kind of service; `None` where a frame of E-AC-3 does not tell.
    pub bsmod: Option<u8>,
    /// `acmod`, 0..=7: full-bandwidth channels.
    pub acmod: u8,
    /// `lfeon`: there is a low-frequency channel too.
    pub lfeon: bool,
    /// `frmsizecod` / 2 of AC-3, 0..=18: `bit_rate_code` of its box. `None` of E-AC-3.
    pub bit_rate_code: Option<u8>,
    /// Locations of its channels, as [`DolbyChannels::channel_map`] has them: `chanmap` where it is there, else by `acmod` and
    /// `lfeon`.
    pub channel_map: u16,
    /// `complexity_index_type_a` of joint object coding (ETSI TS 103 420 8.3); `None` without.
    pub joc_complexity: Option<u8>,
}

impl Syncframe {
    /// Size in bytes of the syncframe that starts with `bytes`: at least [`SIZE_LEN`], fewer are no syncframe. `None` where
    /// there is no syncword.
    ///
    /// # Errors
    /// For reserved values that leave the size unknown, with the offset in `bytes`.
    pub fn read_size(bytes: &[u8]) -> Result<Option<u16>> {
        let Some(bytes) = bytes.first_chunk::<SIZE_LEN>().filter(|bytes| bytes.starts_with(&SYNCWORD)) else {
            return Ok(None);
        };
        let bsid = bytes[5] >> 3;
        match bsid {
            0..=8 => {
                let (fscod, frmsizecod) = (bytes[4] >> 6, bytes[4] & 0x3f);
                frame_words(fscod, frmsizecod).map(|words| Some(2 * words)).map_err(|error| error.at(4))
            }
            11..=16 => Ok(Some(2 * ((u16::from(bytes[2] & 7) << 8 | u16::from(bytes[3])) + 1))),
            _ => Err(Error::unsupported(
                format!("a syncframe with bsid {bsid} (AC-3 has 0 to 8, E-AC-3 11 to 16)"),
                "encode the audio again as AC-3 or E-AC-3",
            )
            .at(5)),
        }
    }

    /// Reads the header of the syncframe that `bytes` start with: the whole of it, or its first [`HEADER_LEN`] bytes.
    ///
    /// # Errors
    /// Where there is no syncword, for reserved values, and where the header ends behind `bytes`; with the offset in `bytes`.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let Some(size) = Self::read_size(bytes)? else {
            let what = "no syncword of AC-3 (0x0b77)";
            return Err(Error::malformed(
                what,
                "ETSI TS 102 366 4.3.1",
                "give a syncframe of AC-3 or E-AC-3",
            )
            .at(0));
        };
        let bytes = &bytes[..bytes.len().min(usize::from(size))];
        if bytes.get(5).is_some_and(|byte| byte >> 3 > 10) {
            return eac3::read_syncframe(bytes, size);
        }
        let mut r = BitReader::without_emulation_prevention(bytes, CLAUSE);
        r.u(32, "syncword and crc1")?;
        let fscod = r.u(2, "fscod")? as u8;
        let frmsizecod = r.u(6, "frmsizecod")? as u8;
        let bsid = r.u(5, "bsid")? as u8;
        let bsmod = r.u(3, "bsmod")? as u8;
        let acmod = r.u(3, "acmod")? as u8;
        if acmod & 1 == 1 && acmod != 1 {
            r.u(2, "cmixlev")?;
        }
        if acmod & 4 != 0 {
            r.u(2, "surmixlev")?;
        }
        if acmod == 2 {
            r.u(2, "dsurmod")?;
        }
        let lfeon = r.flag("lfeon")?;
        Ok(Self {
            stream_type: StreamType::Ac3,
            substream_id: 0,
            size,
            fscod,
            sample_rate: SAMPLE_RATES[usize::from(fscod)],
            blocks: BLOCKS,
            bsid,
            bsmod: Some(bsmod),
            acmod,
            lfeon,
            bit_rate_code: Some(frmsizecod >> 1),
            channel_map: channel_map(acmod, lfeon),
            joc_complexity: None,
        })
    }
}

/// Words of 16 bits in a syncframe (Table 4.13): as many as 1536 samples take at the bit rate. At 44.1 kHz that is no whole number,
/// and odd codes have one more.
fn frame_words(fscod: u8, frmsizecod: u8) -> Result<u16> {
    const TABLE: &str = "ETSI TS 102 366 Table 4.13";
    let Some(&rate) = BIT_RATES.get(usize::from(frmsizecod >> 1)) else {
        return Err(Error::out_of_range("frmsizecod", frmsizecod, "0..=37", TABLE));
    };
    match fscod {
        0 => Ok(2 * rate),
        1 => Ok((u32::from(rate) * 320 / 147) as u16 + u16::from(frmsizecod & 1)),
        2 => Ok(3 * rate),
        _ => Err(Error::out_of_range("fscod", fscod, "0..=2", "ETSI TS 102 366 Table 4.1")),
    }
}

/// Locations of the channels that `acmod` (Table 4.3) and `lfeon` say. The two of 1+1 are taken for left and right, a single
/// surround channel for centre surround.
pub(super) fn channel_map(acmod: u8, lfeon: bool) -> u16 {
    const MAPS: [u16; 8] = [0xa000, 0x4000, 0xa000, 0xe000, 0xa100, 0xe100, 0xb800, 0xf800];
    MAPS[usize::from(acmod & 7)] | u16::from(lfeon)
}

/// Channels at these locations: some are pairs (ETSI TS 102 366 Table E.1.4).
pub fn channel_count(channel_map: u16) -> u16 {
    /// Lc/Rc, Lrs/Rrs, Lsd/Rsd, Lw/Rw, Lvh/Rvh, Lts/Rts.
    const PAIRS: u16 = 0x0674;
    (channel_map.count_ones() + (channel_map & PAIRS).count_ones()) as u16
}

/// What a decoder of AC-3 has to know before the first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ac3Config {
    fscod: u8,
    bsid: u8,
    bsmod: u8,
    acmod: u8,
    lfeon: bool,
    bit_rate_code: u8,
}

impl Ac3Config {
    /// What a syncframe of AC-3 says.
    ///
    /// # Errors
    /// For one of E-AC-3, and for values beyond the ranges of [`Syncframe`].
    pub fn of(frame: &Syncframe) -> Result<Self> {
        let (Some(bsmod), Some(bit_rate_code)) = (frame.bsmod, frame.bit_rate_code) else {
            return Err(Error::conflict("the syncframe is one of E-AC-3", "configure the track as E-AC-3"));
        };
        let Syncframe { fscod, bsid, acmod, lfeon, .. } = *frame;
        for (element, value, max, allowed) in [
            ("fscod", fscod, 2, "0..=2"),
            ("bsid", bsid, 8, "0..=8"),
            ("bsmod", bsmod, 7, "0..=7"),
            ("acmod", acmod, 7, "0..=7"),
            ("bit_rate_code", bit_rate_code, 18, "0..=18"),
        ] {
            if value > max {
                return Err(Error::out_of_range(element, value, allowed, CLAUSE));
            }
        }
        Ok(Self { fscod, bsid, bsmod, acmod, lfeon, bit_rate_code })
    }

    /// Reads it from the first syncframe of a stream.
    ///
    /// # Errors
    /// Those of [`Syncframe::read`] and [`Ac3Config::of`].
    pub fn read(frame: &[u8]) -> Result<Self> {
        Self::of(&Syncframe::read(frame)?)
    }

    /// Samples per second and channel.
    pub fn sample_rate(&self) -> u32 {
        SAMPLE_RATES[usize::from(self.fscod)]
    }

    /// Channels, 1..=6.
    pub fn channels(&self) -> u16 {
        channel_count(self.channel_map())
    }

    /// Nominal bit rate, kbit/s: the highest of the stream.
    pub fn bit_rate(&self) -> u16 {
        BIT_RATES[usize::from(self.bit_rate_code)]
    }

    fn channel_map(&self) -> u16 {
        channel_map(self.acmod, self.lfeon)
    }

    /// The same with the bit rate of `other`, if that is higher: the box has one for the stream.
    #[must_use]
    pub(crate) fn with_bit_rate_of(self, other: &Self) -> Self {
        Self { bit_rate_code: self.bit_rate_code.max(other.bit_rate_code), ..self }
    }

    /// Whether it also describes frames that have `other`: all but the bit rate is the same.
    pub fn describes(&self, other: &Self) -> bool {
        *self == Self { bit_rate_code: self.bit_rate_code, ..*other }
    }

    /// The fields of `AC3SpecificBox` (ETSI TS 102 366 F.4).
    pub fn record(&self) -> [u8; 3] {
        let bits = u32::from(self.fscod) << 22
            | u32::from(self.bsid) << 17
            | u32::from(self.bsmod) << 14
            | u32::from(self.acmod) << 11
            | u32::from(self.lfeon) << 10
            | u32::from(self.bit_rate_code) << 5; // and 5 reserved bits
        let [_, record @ ..] = bits.to_be_bytes();
        record
    }

    /// What is said of a track, of which nobody knows how much of it primes the decoder.
    ///
    /// `channelcount` of the sample entry is the real number: readers are to ignore it (F.3), and other writers have 2 there or
    /// the real one.
    pub fn configuration(&self) -> AudioConfiguration {
        AudioConfiguration {
            codec: AudioCodec::Ac3,
            codec_string: "ac-3".to_owned(),
            channels: self.channels(),
            sample_rate: self.sample_rate(),
            entry_sample_rate: self.sample_rate(),
            sample_size: 16,
            configuration_record: self.record().to_vec(),
            priming: 0,
            roll_distance: None,
            dolby: Some(DolbyChannels { channel_map: self.channel_map(), joc_complexity: None }),
        }
    }
}

impl fmt::Display for Ac3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bsid, bsmod, acmod, .. } = self;
        let lfe = u8::from(self.lfeon);
        write!(f, "AC-3, {} Hz, acmod {acmod}, lfeon {lfe}, bsid {bsid}, bsmod {bsmod}", self.sample_rate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of FFmpeg 5.1's `-c:a ac3 -ar RATE -ac CHANNELS -b:a RATE`, the size of that file's first frame in bytes, and
    /// the three bytes of `dac3` when its mp4 muxer copies it.
    const FFMPEG: [([u8; 8], u16, [u8; 3], u16); 5] = [
        ([0x0b, 0x77, 0x16, 0xd5, 0x08, 0x40, 0x2f, 0x84], 256, [0x10, 0x08, 0x80], 1),
        ([0x0b, 0x77, 0xf1, 0xa1, 0x14, 0x40, 0x43, 0xe1], 768, [0x10, 0x11, 0x40], 2),
        ([0x0b, 0x77, 0x4b, 0x2f, 0x1e, 0x40, 0xeb, 0xf8], 1792, [0x10, 0x3d, 0xe0], 6),
        ([0x0b, 0x77, 0x63, 0x17, 0x54, 0x40, 0x43, 0xe1], 834, [0x50, 0x11, 0x40], 2),
        ([0x0b, 0x77, 0x71, 0xe0, 0x9c, 0x40, 0xeb, 0xf8], 2304, [0x90, 0x3d, 0xc0], 6),
    ];

    #[test]
    fn records_equal_those_that_ffmpeg_writes() {
        for (frame, size, record, channels) in FFMPEG {
            let header = Syncframe::read(&frame).unwrap();
            let config = Ac3Config::of(&header).unwrap();
            assert_eq!((header.size, config.record(), config.channels()), (size, record, channels));
            let configuration = config.configuration();
            assert_eq!(configuration.codec_string, "ac-3");
            assert_eq!(configuration.configuration_record, record);
            assert!(config.describes(&config));
        }
        let [mono, .., surround] = FFMPEG.map(|(frame, ..)| Ac3Config::read(&frame).unwrap());
        assert_eq!((mono.sample_rate(), mono.bit_rate()), (48_000, 64));
        assert_eq!((surround.sample_rate(), surround.bit_rate()), (32_000, 384));
        assert_eq!(surround.configuration().dolby.unwrap().channel_map, 0xf801);
        assert_eq!(surround.to_string(), "AC-3, 32000 Hz, acmod 7, lfeon 1, bsid 8, bsmod 0");
        assert!(!mono.describes(&surround));
    }

    #[test]
    fn sizes_are_those_of_the_table() {
        // Some of Table 4.13, as ATSC A/52 5.18 prints it: words by frmsizecod at 32, 44.1 and 48 kHz.
        for (frmsizecod, words) in
            [(0, [96, 69, 64]), (1, [96, 70, 64]), (21, [576, 418, 384]), (37, [1920, 1394, 1280])]
        {
            assert_eq!([2, 1, 0].map(|fscod| frame_words(fscod, frmsizecod).unwrap()), words, "{frmsizecod}");
        }
        assert!(frame_words(0, 38).unwrap_err().to_string().contains("frmsizecod is 38"));
        assert!(frame_words(3, 0).unwrap_err().to_string().contains("fscod is 3"));
    }

    #[test]
    fn where_lfeon_stands_depends_on_acmod() {
        // fscod 0, frmsizecod 0, bsid 8; acmod, the mixing levels it has, lfeon.
        for (bytes, acmod, channels, map) in [
            ([0b0000_0000u8, 0b0000_0000], 0, 2, 0xa000),
            ([0b0001_0000, 0b0000_0000], 0, 3, 0xa001),
            ([0b0011_0000, 0b0000_0000], 1, 2, 0x4001),
            ([0b0100_0100, 0b0000_0000], 2, 3, 0xa001),
            ([0b0110_0100, 0b0000_0000], 3, 4, 0xe001),
            ([0b1000_0100, 0b0000_0000], 4, 4, 0xa101),
            ([0b1010_0001, 0b0000_0000], 5, 5, 0xe101),
            ([0b1100_0100, 0b0000_0000], 6, 5, 0xb801),
            ([0b1110_0001, 0b0000_0000], 7, 6, 0xf801),
        ] {
            let frame = [0x0b, 0x77, 0, 0, 0, 0x40, bytes[0], bytes[1]];
            let header = Syncframe::read(&frame).unwrap();
            assert_eq!((header.acmod, header.lfeon), (acmod, map & 1 == 1));
            assert_eq!((header.channel_map, channel_count(header.channel_map)), (map, channels));
        }
    }

    #[test]
    fn pairs_count_twice() {
        for (map, channels) in [(0xfa01, 8), (0xf811, 8), (0xf881, 7), (0xffff, 22), (0, 0)] {
            assert_eq!(channel_count(map), channels, "{map:04x}");
        }
    }

    #[test]
    fn refuses_what_is_no_syncframe_or_reserved() {
        let [(frame, ..), ..] = FFMPEG;
        let refusal = |at: usize, value: u8| {
            let mut frame = frame;
            frame[at] = value;
            let error = Syncframe::read(&frame).unwrap_err();
            (error.offset(), error.to_string())
        };
        assert!(refusal(1, 0x78).1.contains("no syncword"));
        assert!(refusal(4, 0xc8).1.contains("fscod is 3"));
        assert!(refusal(4, 0x26).1.contains("frmsizecod is 38"));
        for bsid in [9u8, 10, 17, 31] {
            let (offset, line) = refusal(5, bsid << 3);
            assert!(offset == Some(5) && line.contains(&format!("bsid {bsid} ")), "{line}");
        }
        for len in 0..7 {
            assert!(Syncframe::read(&frame[..len]).is_err());
        }
        let enhanced = Syncframe { bit_rate_code: None, ..Syncframe::read(&frame).unwrap() };
        assert!(Ac3Config::of(&enhanced).unwrap_err().to_string().contains("E-AC-3"));
        let reserved = Syncframe { bsid: 9, ..Syncframe::read(&frame).unwrap() };
        assert!(Ac3Config::of(&reserved).is_err());
    }
}
