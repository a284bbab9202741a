//! Opus: a packet is one sample, which lasts as long as its first bytes say.

use super::{Parsed, ParsedSample};
use crate::codec::RandomAccess;
use crate::codec::opus::{self, OpusConfig};
use crate::error::{Error, Result};
use crate::scan::SourceRange;
use crate::track::{SampleFlags, sample_too_large};

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
        let len = u32::try_from(packet.len()).map_err(|_| sample_too_large(packet.len() as u64))?;
        parsed.list.push_source(SourceRange { offset: 0, len });
        parsed.coded_duration = Some(duration);
        parsed.samples.push(ParsedSample {
            size: u64::from(len),
            flags: SampleFlags::SYNC,
            order: None,
            random_access: RandomAccess::Sync,
            place: self.position,
        });
        self.position += u64::from(len);
        Ok(())
    }
}
