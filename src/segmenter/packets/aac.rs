//! AAC: a packet is one raw access unit, which is one sample.

use super::{Parsed, ParsedSample};
use crate::codec::RandomAccess;
use crate::codec::aac::SAMPLES_PER_FRAME;
use crate::error::{Error, Result};
use crate::scan::SourceRange;
use crate::scan::adts::AdtsHeader;
use crate::track::{SampleFlags, sample_too_large};

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
        let len = u32::try_from(packet.len()).map_err(|_| sample_too_large(packet.len() as u64))?;
        parsed.list.push_source(SourceRange { offset: 0, len });
        parsed.coded_duration = Some(SAMPLES_PER_FRAME);
        let (size, place) = (u64::from(len), self.position);
        parsed.samples.push(ParsedSample {
            size,
            flags: SampleFlags::SYNC,
            order: None,
            random_access: RandomAccess::Sync,
            place,
        });
        self.position += u64::from(len);
        Ok(())
    }
}
