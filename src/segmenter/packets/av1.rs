//! AV1: a packet is one temporal unit of low-overhead OBUs, which is one sample. Several units in a packet, each behind
//! its temporal delimiter, are as many samples. The last OBU may lack a size field, and is given one.

use super::{Parsed, ParsedSample};
use crate::codec::RandomAccess;
use crate::codec::av1::{Av1Configuration, Obus};
use crate::error::{Error, Result};
use crate::scan::av1::{
    Obu, StoredObu, TemporalUnit, TemporalUnitBuilder, TemporalUnitOptions, is_length_delimited,
};
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
        self.read_units(packet, parsed)
            .map_err(|error| if is_length_delimited(packet) { length_delimited().at(base) } else { error })?;
        self.position = base + packet.len() as u64;
        Ok(())
    }

    fn read_units(&mut self, packet: &[u8], parsed: &mut Parsed) -> Result<()> {
        let base = self.position;
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

fn length_delimited() -> Error {
    let remedy =
        "push low-overhead OBUs, each with its size field: libaom's encoder gives them without --annexb=1";
    Error::unsupported("a packet in the length-delimited format (AV1 Annex B)", remedy)
}

/// Writes the OBUs of a temporal unit, neighbours as one range.
fn write_sample(unit: &TemporalUnit<'_>, base: u64, parsed: &mut Parsed) {
    let start = parsed.list.len();
    let mut open: Option<SourceRange> = None;
    for &StoredObu { range, header } in unit.units {
        let obu = SourceRange { offset: range.offset - base, len: range.len };
        if let Some(header) = header {
            open.take().into_iter().for_each(|run| parsed.list.push_source(run));
            parsed.list.push_obu_header(header, range.len);
        }
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
    // The payload of an OBU may be nothing.
    open.into_iter().filter(|run| run.len > 0).for_each(|run| parsed.list.push_source(run));
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
