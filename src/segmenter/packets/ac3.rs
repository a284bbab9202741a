//! AC-3 and E-AC-3: a packet is one access unit, which is one sample. Its syncframes are held against the configuration.

use super::Parsed;
use crate::codec::ac3::SAMPLES_PER_ACCESS_UNIT;
use crate::error::{Error, Result};
use crate::scan::ac3::{Configuration, read_access_unit};

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
        self.position = parsed.push_sound(packet, SAMPLES_PER_ACCESS_UNIT, self.position)?;
        Ok(())
    }
}
