//! What is said of a track of sound, whatever its codec: what its sample entry holds, its codec string, which of its samples are
//! presented, and what its channels are. The modules of the codecs make it out of headers.

use std::num::NonZeroI16;

/// The codec of a track of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AudioCodec {
    /// AAC (ISO/IEC 14496-3).
    Aac,
    /// Opus (RFC 6716).
    Opus,
    /// AC-3 (ETSI TS 102 366).
    Ac3,
    /// E-AC-3 (ETSI TS 102 366 Annex E).
    Eac3,
    /// FLAC (RFC 9639).
    Flac,
}

impl AudioCodec {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Aac, Self::Opus, Self::Ac3, Self::Eac3, Self::Flac];

    /// Type of the sample entry.
    pub const fn entry_type(self) -> &'static [u8; 4] {
        match self {
            Self::Aac => b"mp4a",
            Self::Opus => b"Opus",
            Self::Ac3 => b"ac-3",
            Self::Eac3 => b"ec-3",
            Self::Flac => b"fLaC",
        }
    }

    /// Type of the box in the sample entry that configures the decoder.
    pub const fn configuration_box(self) -> &'static [u8; 4] {
        match self {
            Self::Aac => b"esds",
            Self::Opus => b"dOps",
            Self::Ac3 => b"dac3",
            Self::Eac3 => b"dec3",
            Self::Flac => b"dfLa",
        }
    }

    /// Whether that box is a FullBox: version and flags, both 0, stand in front of its fields.
    pub const fn has_full_box(self) -> bool {
        matches!(self, Self::Aac | Self::Flac)
    }

    /// The codec of a sample entry; `None` where it is none of these.
    pub fn of_entry_type(entry_type: &[u8; 4]) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.entry_type() == entry_type)
    }
}

/// The configuration of a track of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioConfiguration {
    /// Its codec.
    pub codec: AudioCodec,
    /// RFC 6381 codec string, such as `mp4a.40.2` or `opus`.
    pub codec_string: String,
    /// Number of channels: `channelcount` of the sample entry.
    pub channels: u16,
    /// Samples per second and channel, as a decoder gives them: the timescale of the track.
    pub sample_rate: u32,
    /// `samplerate` of the sample entry in Hz: the rate where it fits 16 bits. FLAC beyond has another there.
    pub entry_sample_rate: u32,
    /// `samplesize` of the sample entry, bits: 16, but the real ones of FLAC.
    pub sample_size: u16,
    /// What configures the decoder: `AudioSpecificConfig` of AAC, else the fields of [`AudioCodec::configuration_box`], without
    /// version and flags where it is a FullBox.
    pub configuration_record: Vec<u8>,
    /// Samples at the start that prime the decoder and are not presented, at `sample_rate`: `media_time` of the edit list. 0:
    /// none, and no edit list.
    pub priming: u32,
    /// `roll_distance` of the roll group that every sample is in (ISO/IEC 14496-12 10.1): how many samples in front of one have to be
    /// decoded to decode it correctly, negative. `None`: no such group.
    pub roll_distance: Option<NonZeroI16>,
    /// What the channels are, for codecs whose manifests tell more than their number.
    pub dolby: Option<DolbyChannels>,
}

impl AudioConfiguration {
    /// Most samples of one channel in a sample of the track: how far apart two tracks may end that were made of the same sound.
    pub fn longest_frame(&self) -> u32 {
        match self.codec {
            AudioCodec::Aac => super::aac::SAMPLES_PER_FRAME,
            // RFC 6716 3.2.5 (not opened): 120 ms at 48 kHz.
            AudioCodec::Opus => 5760,
            // ETSI TS 102 366 4.1 and E.1.3.1.7 (not opened): six blocks of 256.
            AudioCodec::Ac3 | AudioCodec::Eac3 => 1536,
            // The maximum block size of STREAMINFO, behind the header of the block and the minimum (RFC 9639 8.2, not opened).
            AudioCodec::Flac => match *self.configuration_record.as_slice() {
                [_, _, _, _, _, _, high, low, ..] => u16::from_be_bytes([high, low]).into(),
                _ => 65_535,
            },
        }
    }
}

/// The channels of AC-3 and E-AC-3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DolbyChannels {
    /// Channel locations, most significant bit first: left, centre, right, left surround, right surround, Lc/Rc, Lrs/Rrs, Cs, Ts,
    /// Lsd/Rsd, Lw/Rw, Lvh/Rvh, Cvh, Lts/Rts, LFE2, LFE (ETSI TS 102 366 E.1.3.1.8, `chanmap`).
    pub channel_map: u16,
    /// `complexity_index_type_a` of joint object coding: the number of objects; `None` without objects.
    pub joc_complexity: Option<u8>,
}
