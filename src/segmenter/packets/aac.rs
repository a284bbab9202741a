//! AAC: a packet is one raw access unit, which is one sample.

use super::Parsed;
use crate::codec::aac::SAMPLES_PER_FRAME;
use crate::error::{Error, Result};
use crate::scan::adts::AdtsHeader;

#[derive(Clone, Debug, Default)]
pub(in crate::segmenter) struct AacPackets {
    /// Bytes of the packets before.
    position: u64,
}

impl AacPackets {
    pub(super) fn read(&mut self, packet: &[u8], parsed: &mut Parsed) -> Result<()> {
        if packet.is_empty() {
            return Err(super::empty("one raw_data_block").at(self.position));
        }
        // A raw_data_block cannot begin so: its first three bits, id_syn_ele, would say that it ends there.
        if let Some(header) = AdtsHeader::read(packet) {
            return Err(Error::malformed(
                "the packet begins with an ADTS header",
                "ISO/IEC 14496-12: a sample is one access unit, whose configuration is in the sample entry",
                format!("leave its first {} bytes out", header.framing_len()),
            )
            .at(self.position));
        }
        self.position = parsed.push_sound(packet, SAMPLES_PER_FRAME, self.position)?;
        Ok(())
    }
}
