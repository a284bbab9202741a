//! AC-3 and E-AC-3: a packet is one access unit, which is one sample. Its syncframes are held against the configuration.

use super::{Parsed, ParsedSample};
use crate::codec::RandomAccess;
use crate::codec::ac3::SAMPLES_PER_ACCESS_UNIT;
use crate::error::{Error, Result};
use crate::scan::SourceRange;
use crate::scan::ac3::{Configuration, read_access_unit};
use crate::track::{SampleFlags, sample_too_large};

#[derive(Clone, Debug)]
pub(in crate::segmenter) struct Ac3Packets {
    config: Configuration,
    /// Bytes of the packets before.
    position: u64,
}

impl Ac3Packets {
    pub(super) fn new(config: Configuration) -> Self {
        Self { config, position: 0 }
    }

    pub(super) fn read(&mut self, packet: &[u8], parsed: &mut Parsed) -> Result<()> {
        let told = read_access_unit(packet).map_err(|error| error.shift(self.position))?;
        if !self.config.describes(&told) {
            let what = format!("the configuration says {}, the packet {told}", self.config);
            let remedy =
                "configure the track by its first access unit; what changes behind it is another track";
            return Err(Error::conflict(what, remedy).at(self.position));
        }
        let len = u32::try_from(packet.len()).map_err(|_| sample_too_large(packet.len() as u64))?;
        parsed.list.push_source(SourceRange { offset: 0, len });
        parsed.coded_duration = Some(SAMPLES_PER_ACCESS_UNIT);
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
