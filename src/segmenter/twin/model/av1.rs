//! AV1 packets ► temporal units. What is in a unit is asked of the lower layer; its bytes are taken here.

use crate::codec::av1::Obus;
use crate::scan::av1::{Obu, TemporalUnit, TemporalUnitBuilder, TemporalUnitOptions};
use crate::segmenter::VideoConfig;
use crate::track::SampleFlags;
use crate::track::header::SampleEntry;

use super::avc::Picture;
use super::{Answer, Refusal};

#[derive(Clone, Debug, Default)]
pub(super) struct Av1 {
    builder: TemporalUnitBuilder,
}

impl Av1 {
    pub(super) fn new(drop_leading: bool) -> Self {
        Self { builder: TemporalUnitBuilder::new(TemporalUnitOptions { drop_leading }) }
    }

    pub(super) fn packet(&mut self, packet: &[u8]) -> Answer<Vec<Picture>> {
        if packet.is_empty() {
            return Err(Refusal::of("is empty"));
        }
        let mut pictures = Vec::new();
        let mut take = |unit: TemporalUnit<'_>| {
            let bytes = unit.units.iter().flat_map(|obu| {
                let mut bytes = Vec::new();
                if let Some(header) = obu.header {
                    header.write(obu.range.len, &mut bytes);
                }
                bytes.extend_from_slice(&packet[obu.range.offset as usize..][..obu.range.len as usize]);
                bytes
            });
            let flags = match (unit.sync, unit.intra) {
                (true, _) => SampleFlags::SYNC,
                (false, true) => SampleFlags::INTRA,
                (false, false) => SampleFlags::INTER,
            };
            let flags = if unit.reference { flags } else { flags.disposable() };
            pictures.push(Picture { units: vec![bytes.collect()], flags, order: None });
        };
        for obu in Obus::of_packet(packet) {
            let whole = obu?.whole;
            let (offset, head) = (whole.start as u64, &packet[whole]);
            if let Some(unit) = self.builder.push(Obu { offset, len: head.len() as u64, head })? {
                take(unit);
            }
        }
        if let Some(unit) = self.builder.flush()? {
            take(unit);
        }
        Ok(pictures)
    }

    pub(super) fn dropped(&self) -> crate::scan::Dropped {
        *self.builder.dropped()
    }

    pub(super) fn picture_size(&self) -> Option<(u16, u16)> {
        let format = self.builder.configuration().ok()?.video_format();
        Some((format.width, format.height))
    }

    pub(super) fn sample_entry(&self, video: &VideoConfig) -> Answer<SampleEntry> {
        let configuration = self.builder.configuration()?;
        let said = configuration.bitstream_rate().ok().flatten().map(|said| said.rate);
        Ok(SampleEntry::Av1 {
            format: super::with_settings(configuration.video_format(), video),
            frame_rate: video.frame_rate.or(said),
            configuration_record: configuration.record(),
        })
    }
}
