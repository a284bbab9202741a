//! AAC: what a stream's headers say ► `AudioSpecificConfig`, codec string, channels and sampling rate
//! (ISO/IEC 14496-3 1.6.2.1, RFC 6381 3.3). No audio is decoded.
//!
//! ISO/IEC 14496-3 and 23000-19 were not opened: their clauses, of the 2009 and 2020 editions, are as other
//! projects quote them.

use std::fmt;
use std::num::NonZeroI16;

use super::{AudioCodec, AudioConfiguration};
use crate::error::{Error, Result};

/// Audio samples of one channel in a frame (`frameLengthFlag` 0; ADTS has no other).
pub const SAMPLES_PER_FRAME: u32 = 1024;

/// `objectTypeIndication` of MPEG-4 audio in `esds` (ISO/IEC 14496-1 Table 5) and in codec strings.
pub const OBJECT_TYPE_INDICATION: u8 = 0x40;

/// `samplingFrequencyIndex` ► Hz, ISO/IEC 14496-3 Table 1.18. 13 and 14 are reserved, 15 escapes to an explicit rate.
const SAMPLING_FREQUENCIES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// `audioObjectType` (ISO/IEC 14496-3 Table 1.17), as far as ADTS can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioObjectType {
    /// AAC Main.
    Main = 1,
    /// AAC LC (low complexity): what every player decodes.
    LowComplexity = 2,
    /// AAC SSR (scalable sampling rate).
    ScalableSamplingRate = 3,
    /// AAC LTP (long term prediction).
    LongTermPrediction = 4,
}

/// What a decoder has to know before the first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AacConfig {
    object_type: AudioObjectType,
    sampling_frequency_index: u8,
    channel_configuration: u8,
}

impl AacConfig {
    /// A configuration of header fields: `sampling_frequency_index` 0..=12, `channel_configuration` 1..=7.
    ///
    /// # Errors
    /// For other values. Channel configuration 0 is valid in a stream, but puts the channels into a program config element
    /// among the coded data, which would have to be moved into the configuration.
    pub fn new(
        object_type: AudioObjectType,
        sampling_frequency_index: u8,
        channel_configuration: u8,
    ) -> Result<Self> {
        if usize::from(sampling_frequency_index) >= SAMPLING_FREQUENCIES.len() {
            return Err(Error::out_of_range(
                "sampling_frequency_index",
                sampling_frequency_index,
                "0..=12",
                "ISO/IEC 14496-3 Table 1.18",
            ));
        }
        match channel_configuration {
            1..=7 => Ok(Self { object_type, sampling_frequency_index, channel_configuration }),
            0 => Err(Error::unsupported(
                "channel_configuration 0 (the channels are described in a program config element among the coded data)",
                "encode the audio again with one of the channel layouts mono, stereo, 3.0, 4.0, 5.0, 5.1 or 7.1",
            )),
            other => Err(Error::out_of_range(
                "channel_configuration",
                other,
                "1..=7",
                "ISO/IEC 14496-3 Table 1.19",
            )),
        }
    }

    /// The object type.
    pub fn object_type(&self) -> AudioObjectType {
        self.object_type
    }

    /// Audio samples a second, 7350..=96000. Twice that is heard where the stream has implicit SBR.
    pub fn sample_rate(&self) -> u32 {
        SAMPLING_FREQUENCIES[usize::from(self.sampling_frequency_index)]
    }

    /// Channels, 1..=8. One with implicit parametric stereo is heard as two.
    pub fn channels(&self) -> u16 {
        match self.channel_configuration {
            7 => 8,
            n => u16::from(n),
        }
    }

    /// `AudioSpecificConfig` (ISO/IEC 14496-3 1.6.2.1) with `GASpecificConfig`: the decoder specific info of `esds`.
    ///
    /// SBR is not signalled: ADTS cannot tell whether there is any.
    pub fn audio_specific_config(&self) -> [u8; 2] {
        let bits = (self.object_type as u16) << 11 // audioObjectType, 5 bits
            | u16::from(self.sampling_frequency_index) << 7 // samplingFrequencyIndex, 4 bits
            | u16::from(self.channel_configuration) << 3; // channelConfiguration, 4 bits
        // GASpecificConfig, 3 bits: frameLengthFlag 0 (1024), dependsOnCoreCoder 0, extensionFlag 0.
        bits.to_be_bytes()
    }

    /// The `CODECS` entry (RFC 6381 3.3): `mp4a`, object type indication 40 (MPEG-4 audio), audio object type.
    pub fn codec_string(&self) -> String {
        format!("mp4a.40.{}", self.object_type as u8)
    }

    /// What is said of a track, of which nobody knows how much of it primes the decoder.
    pub fn configuration(&self) -> AudioConfiguration {
        AudioConfiguration {
            codec: AudioCodec::Aac,
            codec_string: self.codec_string(),
            channels: self.channels(),
            sample_rate: self.sample_rate(),
            entry_sample_rate: self.sample_rate(),
            sample_size: 16,
            configuration_record: self.audio_specific_config().to_vec(),
            priming: 0,
            roll_distance: None,
            dolby: None,
        }
    }

    /// The same of a track whose first `priming` samples are not presented. Where there are some, every sample is in a roll group of
    /// distance -1, as FFmpeg and Apple write it (ISO/IEC 14496-12 10.1, not opened; FFmpeg 5.1 in files without fragments): a frame
    /// overlaps the one in front of it, so sound is right from the second on.
    pub fn primed_configuration(&self, priming: u32) -> AudioConfiguration {
        let roll_distance = if priming > 0 { NonZeroI16::new(-1) } else { None };
        AudioConfiguration { priming, roll_distance, ..self.configuration() }
    }

    /// Whether the low sampling rate suggests SBR (HE-AAC) that ADTS does not tell of: an LC core at 24 kHz or less. Players
    /// then find it while decoding, but the codec string says plain LC.
    pub fn may_have_implicit_sbr(&self) -> bool {
        self.object_type == AudioObjectType::LowComplexity && self.sample_rate() <= 24_000
    }

    /// Whether the stream is within the CMAF AAC core media profile, brand `caac`: LC, at most two channels and 48 kHz
    /// (ISO/IEC 23000-19 10.4).
    pub fn is_aac_core(&self) -> bool {
        self.object_type == AudioObjectType::LowComplexity
            && self.channels() <= 2
            && self.sample_rate() <= 48_000
    }
}

impl fmt::Display for AudioObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Main => "AAC Main",
            Self::LowComplexity => "AAC LC",
            Self::ScalableSamplingRate => "AAC SSR",
            Self::LongTermPrediction => "AAC LTP",
        })
    }
}

impl fmt::Display for AacConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} Hz, {} channel", self.object_type, self.sample_rate(), self.channels())?;
        f.write_str(if self.channels() == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lc(sampling_frequency_index: u8, channel_configuration: u8) -> AacConfig {
        AacConfig::new(AudioObjectType::LowComplexity, sampling_frequency_index, channel_configuration)
            .unwrap()
    }

    #[test]
    fn audio_specific_config_equals_the_one_that_ffmpeg_writes() {
        // FFmpeg 5.1, `-c:a aac -ar RATE -ac CHANNELS`, ADTS to MP4 with `-bsf:a aac_adtstoasc`: the esds payload.
        for (index, rate, configuration, channels, golden) in [
            (4, 44_100, 1, 1, [0x12, 0x08]),
            (4, 44_100, 2, 2, [0x12, 0x10]),
            (4, 44_100, 6, 6, [0x12, 0x30]),
            (4, 44_100, 7, 8, [0x12, 0x38]),
            (3, 48_000, 2, 2, [0x11, 0x90]),
            (3, 48_000, 7, 8, [0x11, 0xb8]),
            (7, 22_050, 1, 1, [0x13, 0x88]),
        ] {
            let config = lc(index, configuration);
            assert_eq!((config.sample_rate(), config.channels()), (rate, channels));
            assert_eq!(config.audio_specific_config(), golden);
            assert_eq!(config.codec_string(), "mp4a.40.2");
        }
    }

    #[test]
    fn the_object_type_stands_in_codec_string_and_configuration() {
        let main = AacConfig::new(AudioObjectType::Main, 3, 2).unwrap();
        assert_eq!((main.codec_string().as_str(), main.audio_specific_config()), ("mp4a.40.1", [0x09, 0x90]));
        assert!(!main.is_aac_core());
    }

    #[test]
    fn only_lc_in_stereo_up_to_48_khz_is_aac_core() {
        assert!(lc(3, 2).is_aac_core() && lc(12, 1).is_aac_core());
        assert!(!lc(3, 3).is_aac_core());
        assert!(!lc(2, 2).is_aac_core());
    }

    #[test]
    fn sbr_is_suspected_up_to_24_khz() {
        assert!(lc(6, 2).may_have_implicit_sbr() && lc(7, 2).may_have_implicit_sbr());
        assert!(!lc(5, 2).may_have_implicit_sbr());
    }

    #[test]
    fn refuses_reserved_rates_and_channels_in_band() {
        for index in 13..=15 {
            assert!(AacConfig::new(AudioObjectType::LowComplexity, index, 2).is_err());
        }
        let error = AacConfig::new(AudioObjectType::LowComplexity, 4, 0).unwrap_err();
        assert!(error.to_string().contains("program config element"), "{error}");
        assert!(AacConfig::new(AudioObjectType::LowComplexity, 4, 8).is_err());
    }
}
