//! Packets of Opus, and how long those of sound last.

use super::{Answer, Refusal, avc};
use crate::codec::flac::FrameHeader;
use crate::codec::opus::{OpusConfig, packet_duration};
use crate::segmenter::CodecConfig;
use crate::track::SampleFlags;

/// The sample that a packet is.
pub(super) fn packet(packet: &[u8], config: &OpusConfig) -> Answer<Vec<avc::Picture>> {
    if packet.is_empty() {
        return Err(Refusal::of("empty"));
    }
    if packet.starts_with(b"OpusHead") || packet.starts_with(b"OpusTags") || packet.starts_with(b"OggS") {
        return Err(Refusal::of("an Ogg page or a header"));
    }
    let coded = packet_duration(packet)?;
    if coded < config.shortest_packet() {
        return Err(Refusal::of("the configuration says"));
    }
    Ok(vec![avc::Picture { units: vec![packet.to_vec()], flags: SampleFlags::SYNC, order: None }])
}

/// Samples of one channel in a packet of sound that is sound; `None` of pictures.
pub(super) fn coded_duration(codec: &CodecConfig, packet: &[u8]) -> Option<u32> {
    match codec {
        CodecConfig::Avc { .. }
        | CodecConfig::Hevc { .. }
        | CodecConfig::Av1 { .. }
        | CodecConfig::Vp9 { .. } => None,
        CodecConfig::Aac(_) => Some(1024),
        CodecConfig::Opus(_) => packet_duration(packet).ok(),
        CodecConfig::Ac3(_) | CodecConfig::Eac3(_) => Some(6 * 256),
        CodecConfig::Flac(config) => FrameHeader::read(packet, config).ok().map(|header| header.block_size),
    }
}
