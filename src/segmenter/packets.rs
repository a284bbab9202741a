//! A packet ► the samples in it, and their bytes as a piece list over the packet. One reader for each kind of packet.

use super::config::CodecConfig;
use crate::codec::{PictureOrder, RandomAccess, VideoConfiguration};
use crate::error::{Error, Result};
use crate::fragment::{Piece, PieceList};
use crate::scan::ac3::Configuration;
use crate::scan::h264::H264;
use crate::scan::h265::H265;
use crate::scan::{Dropped, SourceRange};
use crate::track::published::PublishedInit;
use crate::track::{SampleFlags, sample_too_large};

mod aac;
mod ac3;
mod av1;
mod flac;
mod nal;
mod opus;
mod vp9;

/// What one packet gives. The memory is used again from packet to packet.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// The bytes of all samples, sources being ranges of the packet.
    pub(super) list: PieceList,
    /// Bytes at the front of the list that join the last sample of an earlier packet.
    pub(super) joined: u64,
    /// Where the first of them stood in the stream of all packets, and the clause that says what they belong to.
    pub(super) joined_from: Option<(u64, &'static str)>,
    /// In decode order.
    pub(super) samples: Vec<ParsedSample>,
    /// Ticks that the bitstream says each sample lasts, for codecs whose timescale is known by it.
    pub(super) coded_duration: Option<u32>,
    /// End of the last source in the list.
    source_end: u64,
}

impl Parsed {
    /// How much further on the first source stands in the list than in the packet.
    pub(super) fn lead(&self) -> Option<i64> {
        let mut end = 0;
        for piece in self.list.pieces() {
            match piece {
                Piece::Literal(range) => end += i64::from(range.end - range.start),
                Piece::Length(_) => end += 4,
                Piece::Source(range) => return Some(end.saturating_sub_unsigned(range.offset)),
            }
        }
        None
    }

    /// Takes a packet of sound, whole, as one sample that lasts `coded_duration` samples of one channel, and stood at `place` in the
    /// stream of all packets. Gives where the next one stands.
    fn push_sound(&mut self, packet: &[u8], coded_duration: u32, place: u64) -> Result<u64> {
        let len = u32::try_from(packet.len()).map_err(|_| sample_too_large(packet.len() as u64))?;
        self.list.push_source(SourceRange { offset: 0, len });
        self.coded_duration = Some(coded_duration);
        self.samples.push(ParsedSample {
            size: u64::from(len),
            flags: SampleFlags::SYNC,
            order: None,
            random_access: RandomAccess::Sync,
            place,
        });
        Ok(place + u64::from(len))
    }

    fn clear(&mut self) {
        self.list.clear();
        self.joined = 0;
        self.joined_from = None;
        self.samples.clear();
        self.coded_duration = None;
        self.source_end = 0;
    }
}

/// A sample without its times.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParsedSample {
    pub(super) size: u64,
    pub(super) flags: SampleFlags,
    /// `None` where pictures are presented in decode order.
    pub(super) order: Option<PictureOrder>,
    /// How decoding may start at it: a sync sample may turn out to be none.
    pub(super) random_access: RandomAccess,
    /// Where it stood in the stream of all packets.
    pub(super) place: u64,
}

fn empty(content: &str) -> Error {
    Error::conflict("the packet is empty", format!("push {content} a packet, or nothing"))
}

/// Reads packets of one codec.
#[derive(Clone, Debug)]
pub(super) enum Packets {
    Avc(nal::NalPackets<H264>),
    Hevc(nal::NalPackets<H265>),
    Av1(av1::Av1Packets),
    Vp9(vp9::Vp9Packets),
    Aac(aac::AacPackets),
    Opus(opus::OpusPackets),
    Ac3(ac3::Ac3Packets),
    Flac(flac::FlacPackets),
}

impl Packets {
    pub(super) fn new(
        codec: &CodecConfig,
        drop_leading: bool,
        published: Option<&PublishedInit>,
    ) -> Result<Self> {
        // One of another codec is refused when the track is described.
        let sets = published.and_then(PublishedInit::parameter_sets);
        match codec {
            CodecConfig::Avc { parameter_sets, known_parameter_sets, .. } => {
                nal::NalPackets::new(*parameter_sets, known_parameter_sets, sets.as_deref(), drop_leading)
                    .map(Self::Avc)
            }
            CodecConfig::Hevc { parameter_sets, known_parameter_sets, .. } => {
                nal::NalPackets::new(*parameter_sets, known_parameter_sets, sets.as_deref(), drop_leading)
                    .map(Self::Hevc)
            }
            CodecConfig::Av1 { .. } => Ok(Self::Av1(av1::Av1Packets::new(drop_leading))),
            CodecConfig::Vp9 { .. } => Ok(Self::Vp9(vp9::Vp9Packets::new(drop_leading, published))),
            CodecConfig::Aac(_) => Ok(Self::Aac(aac::AacPackets::default())),
            CodecConfig::Opus(config) => Ok(Self::Opus(opus::OpusPackets::new(config))),
            CodecConfig::Ac3(config) => Ok(Self::Ac3(ac3::Ac3Packets::new(Configuration::Ac3(*config)))),
            CodecConfig::Eac3(config) => {
                Ok(Self::Ac3(ac3::Ac3Packets::new(Configuration::Eac3(config.clone()))))
            }
            CodecConfig::Flac(config) => Ok(Self::Flac(flac::FlacPackets::new(*config))),
        }
    }

    /// Reads the next packet into `parsed`. Places in errors count from the first byte of the first packet.
    ///
    /// # Errors
    /// Where the packet cannot be made into samples. The state is of no use then: the caller keeps a clone, which costs
    /// next to nothing.
    pub(super) fn read(&mut self, packet: &[u8], parsed: &mut Parsed) -> Result<()> {
        parsed.clear();
        match self {
            Self::Avc(packets) => packets.read(packet, parsed),
            Self::Hevc(packets) => packets.read(packet, parsed),
            Self::Av1(packets) => packets.read(packet, parsed),
            Self::Vp9(packets) => packets.read(packet, parsed),
            Self::Aac(packets) => packets.read(packet, parsed),
            Self::Opus(packets) => packets.read(packet, parsed),
            Self::Ac3(packets) => packets.read(packet, parsed),
            Self::Flac(packets) => packets.read(packet, parsed),
        }
    }

    /// Bytes that the header of a segment with so many samples usually has: in each row of `trun` size, flags and composition
    /// offset, as far as they differ from sample to sample, and the boxes around it.
    pub(super) fn usual_header_len(&self, samples: u32) -> u64 {
        let (boxes, row) = match self {
            Self::Avc(_) | Self::Hevc(_) => (136, 12),
            Self::Av1(_) | Self::Vp9(_) => (136, 8),
            Self::Aac(_) | Self::Ac3(_) | Self::Flac(_) => (140, 4),
            Self::Opus(_) => (168, 4),
        };
        boxes + row * u64::from(samples)
    }

    /// Size of the pictures in luma samples; `None` for audio, and as long as none has come.
    pub(super) fn picture_size(&self) -> Option<(u16, u16)> {
        match self {
            Self::Avc(packets) => packets.picture_size(),
            Self::Hevc(packets) => packets.picture_size(),
            Self::Av1(packets) => packets.picture_size(),
            Self::Aac(_) | Self::Opus(_) | Self::Ac3(_) | Self::Flac(_) => None,
            Self::Vp9(packets) => packets.picture_size(),
        }
    }

    /// Bytes that stand in front of the next packet's in its first sample, unless that is given parameter sets.
    pub(super) fn held_len(&self) -> u64 {
        match self {
            Self::Avc(packets) => packets.held_len(),
            Self::Hevc(packets) => packets.held_len(),
            Self::Av1(_) | Self::Aac(_) | Self::Opus(_) | Self::Ac3(_) | Self::Flac(_) => 0,
            Self::Vp9(packets) => packets.held_len(),
        }
    }

    /// What the bitstream says of a video track.
    ///
    /// # Errors
    /// Where it has not told enough yet.
    ///
    /// # Panics
    /// Of audio, which says nothing.
    pub(super) fn video_configuration(&self) -> Result<VideoConfiguration> {
        match self {
            Self::Avc(packets) => packets.configuration(),
            Self::Hevc(packets) => packets.configuration(),
            Self::Av1(packets) => packets.configuration().map(Into::into),
            Self::Aac(_) | Self::Opus(_) | Self::Ac3(_) | Self::Flac(_) => {
                unreachable!("audio is described by its configuration")
            }
            Self::Vp9(packets) => packets.configuration().map(Into::into),
        }
    }

    /// Drops what waits for a picture.
    pub(super) fn discard_waiting(&mut self) {
        match self {
            Self::Avc(packets) => packets.discard_waiting(),
            Self::Hevc(packets) => packets.discard_waiting(),
            Self::Av1(_) | Self::Aac(_) | Self::Opus(_) | Self::Ac3(_) | Self::Flac(_) => {}
            Self::Vp9(packets) => packets.discard_waiting(),
        }
    }

    /// # Errors
    /// When something waits for a picture.
    pub(super) fn check_nothing_waits(&self) -> Result<()> {
        match self {
            Self::Avc(packets) => packets.check_nothing_waits(),
            Self::Hevc(packets) => packets.check_nothing_waits(),
            Self::Av1(_) | Self::Aac(_) | Self::Opus(_) | Self::Ac3(_) | Self::Flac(_) => Ok(()),
            Self::Vp9(packets) => packets.check_nothing_waits(),
        }
    }

    /// The init segment is written: from now on the configuration cannot grow.
    pub(super) fn close_configuration(&mut self) {
        match self {
            Self::Avc(packets) => packets.close_configuration(),
            Self::Hevc(packets) => packets.close_configuration(),
            Self::Av1(_) | Self::Aac(_) | Self::Opus(_) | Self::Ac3(_) | Self::Flac(_) => {}
            Self::Vp9(packets) => packets.close_configuration(),
        }
    }

    /// What samples do not hold of the packets.
    pub(super) fn dropped(&self) -> Dropped {
        match self {
            Self::Avc(packets) => packets.dropped(),
            Self::Hevc(packets) => packets.dropped(),
            Self::Vp9(packets) => packets.dropped(),
            Self::Av1(packets) => packets.dropped(),
            Self::Aac(_) | Self::Opus(_) | Self::Ac3(_) | Self::Flac(_) => Dropped::default(),
        }
    }
}
