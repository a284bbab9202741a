//! Opus: a packet is one sample, which lasts as long as its first bytes say.

use super::Parsed;
use crate::codec::opus::{self, OpusConfig};
use crate::error::{Error, Result};

#[derive(Clone, Debug)]
pub(in crate::segmenter) struct OpusPackets {
    /// Samples in the shortest packet that the configuration allows.
    shortest: u32,
    /// Bytes of the packets before.
    position: u64,
}

impl OpusPackets {
    pub(super) fn new(config: &OpusConfig) -> Self {
        Self { shortest: config.shortest_packet(), position: 0 }
    }

    pub(super) fn read(&mut self, packet: &[u8], parsed: &mut Parsed) -> Result<()> {
        if packet.is_empty() {
            return Err(super::empty("one Opus").at(self.position));
        }
        // None of these is a packet: their first two bytes would say more than 120 ms (RFC 7845 5.1).
        if [&b"OggS"[..], b"OpusHead", b"OpusTags"].iter().any(|magic| packet.starts_with(magic)) {
            let what = "the packet is an Ogg page or a header of Ogg Opus";
            let remedy = "push packets alone; the header is for OpusConfig::read_head";
            return Err(Error::conflict(what, remedy).at(self.position));
        }
        let duration = opus::packet_duration(packet).map_err(|error| error.at(self.position))?;
        if duration < self.shortest {
            return Err(Error::conflict(
                format!(
                    "the packet has {duration} samples, the configuration says {} at least",
                    self.shortest
                ),
                "tell the shortest with OpusConfig::with_shortest_packet: the roll distance follows from it",
            )
            .at(self.position));
        }
        self.position = parsed.push_sound(packet, duration, self.position)?;
        Ok(())
    }
}
