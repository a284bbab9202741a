//! Packets of Opus.

use super::{Answer, Pending, Refusal, avc};
use crate::codec::opus::{OpusConfig, packet_duration};
use crate::track::SampleFlags;

/// The sample that a packet is, given so many ticks.
pub(super) fn packet(
    packet: &[u8],
    config: &OpusConfig,
    has_ended: bool,
    duration: u32,
) -> Answer<Vec<avc::Picture>> {
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
    if duration == 0 {
        return Err(Refusal::of("lasts 0 ticks"));
    }
    if has_ended {
        return Err(Refusal::of("was given less than it lasts"));
    }
    if duration > coded {
        return Err(Refusal::of("the packet lasts"));
    }
    Ok(vec![avc::Picture { units: vec![packet.to_vec()], flags: SampleFlags::SYNC, order: None }])
}

/// Whether a sample was given less than it lasts.
pub(super) fn is_shortened(sample: &Pending) -> bool {
    packet_duration(&sample.units[0]).is_ok_and(|coded| sample.duration < coded)
}
