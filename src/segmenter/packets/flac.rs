//! FLAC: a packet is one frame, which is one sample.

use super::Parsed;
use crate::codec::flac::{Crc16, FlacConfig, FrameHeader};
use crate::error::{Error, Result};

#[derive(Clone, Debug)]
pub(in crate::segmenter) struct FlacPackets {
    config: FlacConfig,
    /// Bytes of the packets before.
    position: u64,
}

impl FlacPackets {
    pub(super) fn new(config: FlacConfig) -> Self {
        Self { config, position: 0 }
    }

    pub(super) fn read(&mut self, packet: &[u8], parsed: &mut Parsed) -> Result<()> {
        if packet.is_empty() {
            return Err(super::empty("one frame").at(self.position));
        }
        let header = self.check(packet).map_err(|error| error.at(self.position))?;
        self.position = parsed.push_sound(packet, header.block_size, self.position)?;
        Ok(())
    }

    /// The header of a packet that is one whole frame of the stream that was configured.
    fn check(&self, packet: &[u8]) -> Result<FrameHeader> {
        let Ok(header) = FrameHeader::read(packet, &self.config) else {
            let remedy = match packet.starts_with(b"fLaC") {
                true => "leave marker and metadata out: STREAMINFO is in the configuration",
                false => "push one whole frame a packet",
            };
            return Err(Error::malformed(
                "the packet does not begin with a frame header",
                "RFC 9639 9.1",
                remedy,
            ));
        };
        if !header.has_format_of(&self.config) || header.block_size > self.config.max_block_size().into() {
            return Err(Error::conflict(
                format!(
                    "the configuration says {}, blocks of up to {}, but the packet is {header}, a block of {}",
                    self.config,
                    self.config.max_block_size(),
                    header.block_size
                ),
                "give the STREAMINFO of the encoder that makes the packets",
            ));
        }
        let mut crc = Crc16::default();
        crc.add(packet);
        if !crc.agrees() {
            return Err(Error::malformed(
                "the CRC-16 at the end of the packet does not agree with it",
                "RFC 9639 9.3",
                "push one whole frame a packet",
            ));
        }
        Ok(header)
    }
}
