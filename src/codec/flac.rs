//! FLAC: STREAMINFO and the headers of frames ► `dfLa`, codec string, channels and sampling rate (RFC 9639 8.2 and 9.1;
//! "Encapsulation of FLAC in ISO Base Media File Format", `doc/isoflac.txt` of the FLAC project). No audio is decoded, so the MD5
//! of the samples in STREAMINFO is handed on and not checked.
//!
//! RFC 9639 itself was not opened: its numbers are those of its last draft. The encapsulation was.

mod checksum;
mod frame;
mod subframes;

use std::fmt;

use super::{AudioCodec, AudioConfiguration};
use crate::error::{Error, Result};

pub(crate) use checksum::Crc16;
#[cfg(test)]
pub(crate) use checksum::header_checksum;
pub use frame::{FrameHeader, NoHeader};
pub(crate) use subframes::{NoLength, frame_len};

/// Bytes of the STREAMINFO block, without its header.
pub const STREAMINFO_LEN: usize = 34;

/// RFC 6381 codec string: the type of the sample entry, in the case that it is registered in (MP4RA), in which values count (RFC
/// 6381 3.3). Safari takes no other (WebKit pull request 16956); Chromium takes this and `flac`, which FFmpeg 5.1 writes into MPDs;
/// hls.js and Shaka Player turn it into what the browser takes.
pub const CODEC_STRING: &str = "fLaC";

const CLAUSE: &str = "RFC 9639 8.2";

/// What STREAMINFO says of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlacConfig {
    /// The block as it stands in the stream.
    block: [u8; STREAMINFO_LEN],
    max_block_size: u16,
    sample_rate: u32,
    channels: u8,
    bits_per_sample: u8,
    total_samples: u64,
}

impl FlacConfig {
    /// Reads the data of a STREAMINFO metadata block.
    ///
    /// # Errors
    /// For another length than [`STREAMINFO_LEN`], block sizes below 16 or in the wrong order, a sampling rate of 0 (no audio), and
    /// fewer than 4 bits a sample, with the offset in the block.
    pub fn read(block: &[u8]) -> Result<Self> {
        let Ok(block) = <[u8; STREAMINFO_LEN]>::try_from(block) else {
            return Err(Error::out_of_range("length of STREAMINFO", block.len(), "34", CLAUSE));
        };
        let half = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
        let (min_block_size, max_block_size) = (half(0), half(2));
        if min_block_size < 16 {
            return Err(Error::out_of_range("minimum block size", min_block_size, "16..=65535", CLAUSE).at(0));
        }
        if max_block_size < min_block_size {
            let what = format!(
                "the maximum block size is {max_block_size}, but the minimum block size is {min_block_size}"
            );
            return Err(Error::malformed(what, CLAUSE, "encode the audio again").at(2));
        }
        // 20 bits sampling rate, 3 bits channels - 1, 5 bits bits per sample - 1, 36 bits total samples.
        let packed = block[10..18].iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        let field = |at: u32, bits: u32| packed >> (64 - at - bits) & ((1 << bits) - 1);
        // All within the bits of their fields.
        let config = Self {
            block,
            max_block_size,
            sample_rate: field(0, 20) as u32,
            channels: field(20, 3) as u8 + 1,
            bits_per_sample: field(23, 5) as u8 + 1,
            total_samples: field(28, 36),
        };
        if config.sample_rate == 0 {
            return Err(Error::unsupported(
                "a sampling rate of 0 in STREAMINFO (the stream is not audio)",
                "give a stream with audio",
            )
            .at(10));
        }
        if config.bits_per_sample < 4 {
            let bits = config.bits_per_sample;
            return Err(Error::out_of_range("bits per sample", bits, "4..=32", CLAUSE).at(12));
        }
        Ok(config)
    }

    /// Samples per second and channel, 1..=1048575.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Channels, 1..=8.
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// Bits of a sample, 4..=32.
    pub fn bits_per_sample(&self) -> u8 {
        self.bits_per_sample
    }

    /// Most samples of one channel in a frame, 16..=65535.
    pub fn max_block_size(&self) -> u16 {
        self.max_block_size
    }

    /// Samples of one channel in the stream; 0 where they were not known when it was written.
    pub fn total_samples(&self) -> u64 {
        self.total_samples
    }

    /// The same for a stream of which only the first samples are there: nobody knows their number any more, or their MD5.
    #[must_use]
    pub fn cut_off(&self) -> Self {
        let mut block = self.block;
        block[13] &= 0xf0;
        block[14..].fill(0);
        Self { block, total_samples: 0, ..*self }
    }

    /// Most bytes that a frame may take here: twice what its samples take uncompressed, and 1 KiB. An encoder writes
    /// samples as they are where it cannot make them smaller; the format has no bound.
    pub(crate) fn max_frame_len(&self) -> u64 {
        let bits =
            u64::from(self.max_block_size) * u64::from(self.channels) * u64::from(self.bits_per_sample);
        2 * bits.div_ceil(8) + 1024
    }

    /// What `dfLa` holds behind version and flags (isoflac 3.3.2): STREAMINFO as the only, and so the last, metadata block. The
    /// others help nobody to decode, and a picture among them would be loaded with every init segment.
    pub fn specific_box(&self) -> Vec<u8> {
        // LastMetadataBlockFlag 1, BlockType 0; Length in 24 bits.
        let mut record = vec![0x80, 0, 0, STREAMINFO_LEN as u8];
        record.extend(self.block);
        record
    }

    /// What is said of a track.
    pub fn configuration(&self) -> AudioConfiguration {
        AudioConfiguration {
            codec: AudioCodec::Flac,
            codec_string: CODEC_STRING.to_owned(),
            channels: self.channels.into(),
            sample_rate: self.sample_rate,
            entry_sample_rate: entry_sample_rate(self.sample_rate),
            sample_size: self.bits_per_sample.into(),
            configuration_record: self.specific_box(),
            // Every frame stands for itself (isoflac 3.3.6).
            priming: 0,
            roll_distance: None,
            dolby: None,
        }
    }
}

impl fmt::Display for FlacConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        frame::write_format(f, self.sample_rate, self.channels, self.bits_per_sample)
    }
}

/// `samplerate` of the sample entry: the rate where it fits 16 bits; else the rate halved until it does, 48000 for 96000 and
/// 192000; and 65535 for one that cannot be halved so far (isoflac 3.3.1). FFmpeg writes 0 for all of those.
fn entry_sample_rate(rate: u32) -> u32 {
    const MOST: u32 = 0xffff;
    let mut entry = rate;
    while entry > MOST && entry.is_multiple_of(2) {
        entry /= 2;
    }
    entry.min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// STREAMINFO of FFmpeg 5.1's `-f lavfi -i sine=f=440:r=44100:d=1 -ac 2 -c:a flac -sample_fmt s16`.
    const STEREO_16: &str = "1200 1200 000305 000514 0ac442f00000ac44 b48e1dd0c193fdd40c05f288d60157a3";
    /// Of `-i sine=f=440:r=96000:d=1 -ac 2 -c:a flac -sample_fmt s32 -bits_per_raw_sample 24`.
    const STEREO_24: &str = "2000 2000 0019a1 002357 1770037000017700 28b7e9cafbfe9e3f5ff1589f721f0b82";
    /// Of `-i sine=f=440:r=192000:d=0.3 -ac 1 -c:a flac -sample_fmt s32 -bits_per_raw_sample 24`.
    const MONO_24: &str = "4000 4000 000897 001067 2ee001700000e100 4a1adf51be813c83f2082ec70db39d54";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|b| b.is_ascii_hexdigit()).collect();
        let digit = |b: u8| char::from(b).to_digit(16).unwrap() as u8;
        digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    fn read(hex: &str) -> FlacConfig {
        FlacConfig::read(&bytes(hex)).unwrap()
    }

    #[test]
    fn reads_what_ffmpeg_encoded() {
        for (hex, rate, channels, bits, total, said) in [
            (STEREO_16, 44_100, 2, 16, 44_100, "FLAC, 44100 Hz, 2 channels, 16 bits"),
            (STEREO_24, 96_000, 2, 24, 96_000, "FLAC, 96000 Hz, 2 channels, 24 bits"),
            (MONO_24, 192_000, 1, 24, 57_600, "FLAC, 192000 Hz, 1 channel, 24 bits"),
        ] {
            let config = read(hex);
            assert_eq!(
                (config.sample_rate(), config.channels(), config.bits_per_sample()),
                (rate, channels, bits)
            );
            assert_eq!((config.total_samples(), config.to_string().as_str()), (total, said));
        }
    }

    #[test]
    fn the_specific_box_is_the_one_that_ffmpeg_writes() {
        // `dfLa` behind version and flags of FFmpeg 5.1's `-i a.flac -c:a copy -strict -2 a.mp4`, for the three streams.
        for (hex, golden) in [
            (STEREO_16, "80000022 12001200000305000514 0ac442f00000ac44 b48e1dd0c193fdd40c05f288d60157a3"),
            (STEREO_24, "80000022 200020000019a1002357 1770037000017700 28b7e9cafbfe9e3f5ff1589f721f0b82"),
            (MONO_24, "80000022 40004000000897001067 2ee001700000e100 4a1adf51be813c83f2082ec70db39d54"),
        ] {
            let audio = read(hex).configuration();
            assert_eq!(audio.configuration_record, bytes(golden));
            assert_eq!((audio.codec_string.as_str(), audio.priming, audio.roll_distance), ("fLaC", 0, None));
        }
        assert_eq!(read(STEREO_24).configuration().sample_size, 24);
    }

    #[test]
    fn a_rate_beyond_16_bits_is_halved_in_the_entry() {
        for (rate, entry) in [
            (8000, 8000),
            (65_535, 65_535),
            (88_200, 44_100),
            (96_000, 48_000),
            (192_000, 48_000),
            (352_800, 44_100),
            (655_350, 65_535),
            (65_537, 65_535),
        ] {
            assert_eq!(entry_sample_rate(rate), entry, "{rate}");
        }
    }

    #[test]
    fn a_stream_that_is_cut_off_tells_neither_samples_nor_their_hash() {
        let whole = read(STEREO_24);
        let cut = whole.cut_off();
        assert_eq!(FlacConfig::read(&cut.block).unwrap(), cut);
        assert_eq!((cut.total_samples(), &cut.block[14..]), (0, &[0; 20][..]));
        assert_eq!(
            (cut.sample_rate(), cut.bits_per_sample(), &cut.block[..13]),
            (96_000, 24, &whole.block[..13])
        );
    }

    #[test]
    fn refuses_what_no_stream_may_say_with_its_place() {
        let of = |at: usize, value: u8| {
            let mut block = bytes(STEREO_16);
            block[at] = value;
            let error = FlacConfig::read(&block).unwrap_err();
            (error.offset(), error.to_string())
        };
        assert!(matches!(of(0, 0x13), (Some(2), line) if line.contains("maximum block size is 4608")));
        let mut small = bytes(STEREO_16);
        small[..4].copy_from_slice(&[0, 15, 0, 15]);
        assert!(FlacConfig::read(&small).unwrap_err().to_string().contains("minimum block size is 15"));
        let mut silent = bytes(STEREO_16);
        silent[10..13].copy_from_slice(&[0, 0, 2]);
        assert!(FlacConfig::read(&silent).unwrap_err().to_string().contains("not audio"));
        // Bits per sample - 1 is 0b00010 then.
        let mut thin = bytes(STEREO_16);
        (thin[12], thin[13]) = (0x42, 0x20);
        let error = FlacConfig::read(&thin).unwrap_err();
        assert!(error.offset() == Some(12) && error.to_string().contains("bits per sample is 3"), "{error}");
        assert!(FlacConfig::read(&[0; 33]).is_err() && FlacConfig::read(&[1; 35]).is_err());
    }
}
