//! AV1: a packet is one temporal unit of low-overhead OBUs, which is one sample. Several units in a packet, each behind
//! its temporal delimiter, are as many samples.

use super::{Parsed, ParsedSample};
use crate::codec::RandomAccess;
use crate::codec::av1::{Av1Configuration, Obus};
use crate::error::Result;
use crate::scan::av1::{Obu, TemporalUnit, TemporalUnitBuilder, TemporalUnitOptions};
use crate::scan::{Dropped, SourceRange};
use crate::track::SampleFlags;

#[derive(Clone, Debug)]
pub(in crate::segmenter) struct Av1Packets {
    builder: TemporalUnitBuilder,
    /// Bytes of the packets before.
    position: u64,
}

impl Av1Packets {
    pub(super) fn new(drop_leading: bool) -> Self {
        let builder = TemporalUnitBuilder::new(TemporalUnitOptions { drop_leading });
        Self { builder, position: 0 }
    }

    pub(super) fn read(&mut self, packet: &[u8], parsed: &mut Parsed) -> Result<()> {
        let base = self.position;
        if packet.is_empty() {
            return Err(super::empty("one temporal unit").at(base));
        }
        self.builder.start_packet();
        for obu in Obus::of_packet(packet) {
            let whole = obu.map_err(|error| error.shift(base))?.whole;
            let (offset, head) = (base + whole.start as u64, &packet[whole]);
            if let Some(unit) = self.builder.push(Obu { offset, len: head.len() as u64, head })? {
                write_sample(&unit, base, parsed);
            }
        }
        if let Some(unit) = self.builder.flush()? {
            write_sample(&unit, base, parsed);
        }
        self.position = base + packet.len() as u64;
        Ok(())
    }

    pub(super) fn dropped(&self) -> Dropped {
        *self.builder.dropped()
    }

    /// What the sequence header says, once it has come.
    pub(in crate::segmenter) fn configuration(&self) -> Result<Av1Configuration> {
        self.builder.configuration()
    }

    /// Size of the pictures; `None` as long as no sequence header has come.
    pub(super) fn picture_size(&self) -> Option<(u16, u16)> {
        self.builder.sequence().map(|sequence| (sequence.max_frame_width, sequence.max_frame_height))
    }
}

/// Writes the OBUs of a temporal unit, neighbours as one range.
fn write_sample(unit: &TemporalUnit<'_>, base: u64, parsed: &mut Parsed) {
    let start = parsed.list.len();
    let mut open: Option<SourceRange> = None;
    for &obu in unit.units {
        let obu = SourceRange { offset: obu.offset - base, len: obu.len };
        open = match open {
            Some(run) if run.end() == obu.offset && run.len.checked_add(obu.len).is_some() => {
                Some(SourceRange { offset: run.offset, len: run.len + obu.len })
            }
            Some(run) => {
                parsed.list.push_source(run);
                Some(obu)
            }
            None => Some(obu),
        };
    }
    open.into_iter().for_each(|run| parsed.list.push_source(run));
    let size = parsed.list.len() - start;
    let flags = SampleFlags::of_picture(unit.sync, unit.intra, unit.reference);
    parsed.samples.push(ParsedSample {
        size,
        flags,
        order: None,
        random_access: if unit.sync { RandomAccess::Sync } else { RandomAccess::No },
        place: unit.offset,
    });
}
