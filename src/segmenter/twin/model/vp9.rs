//! VP9 packets ► superframes. What a frame says is asked of the lower layer; the bytes of samples are put together here, out of all
//! packets so far.

use crate::codec::vp9::{SuperframeIndex, TAIL_LEN, frames_of};
use crate::scan::SourceRange;
use crate::scan::vp9::{Frame, Packet, SuperframeBuilder, SuperframeOptions};
use crate::segmenter::VideoConfig;
use crate::track::SampleFlags;
use crate::track::header::SampleEntry;

use super::avc::Picture;
use super::{Answer, Refusal};

#[derive(Clone, Debug, Default)]
pub(super) struct Vp9 {
    builder: SuperframeBuilder,
    stream: Vec<u8>,
}

impl Vp9 {
    pub(super) fn new(drop_leading: bool) -> Self {
        let options = SuperframeOptions { drop_leading, drop_incomplete: false };
        Self { builder: SuperframeBuilder::new(options), stream: Vec::new() }
    }

    pub(super) fn packet(&mut self, packet: &[u8]) -> Answer<Vec<Picture>> {
        if packet.is_empty() {
            return Err(Refusal::of("is empty"));
        }
        let range = SourceRange { offset: self.stream.len() as u64, len: packet.len() as u32 };
        let tail = &packet[packet.len().saturating_sub(TAIL_LEN)..];
        let index = SuperframeIndex::read(tail, range.len.into())?;
        let frame = |place: std::ops::Range<u32>| Frame {
            offset: range.offset + u64::from(place.start),
            len: place.end - place.start,
            head: &packet[place.start as usize..place.end as usize],
        };
        let frames: Vec<_> = frames_of(index.as_ref(), range.len).map(frame).collect();
        let index_len = index.map_or(0, |index| index.byte_len());
        let given = self.builder.push(Packet { range, frames: &frames, index_len })?;
        self.stream.extend(packet);
        let Some(superframe) = given else { return Ok(Vec::new()) };
        let part = |part: &SourceRange| &self.stream[part.offset as usize..part.end() as usize];
        let mut bytes: Vec<u8> = superframe.parts.iter().flat_map(part).copied().collect();
        bytes.extend(superframe.index);
        let flags = match (superframe.sync, superframe.intra) {
            (true, _) => SampleFlags::SYNC,
            (false, true) => SampleFlags::INTRA,
            (false, false) => SampleFlags::INTER,
        };
        let flags = if superframe.reference { flags } else { flags.disposable() };
        Ok(vec![Picture { units: vec![bytes], flags, order: None }])
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.builder.waiting().is_empty()
    }

    pub(super) fn discard_waiting(&mut self) {
        self.builder.discard_waiting();
    }

    pub(super) fn close(&mut self) {
        self.builder.close_size();
    }

    pub(super) fn dropped(&self) -> crate::scan::Dropped {
        *self.builder.dropped()
    }

    pub(super) fn picture_size(&self) -> Option<(u16, u16)> {
        self.builder.size()
    }

    pub(super) fn sample_entry(&self, video: &VideoConfig, bit_rate: Option<u32>) -> Answer<SampleEntry> {
        let configuration = self.builder.configuration()?.without_hidden_frames();
        let format = super::with_settings(configuration.video_format(), video);
        let configuration = configuration.with_format(&format).with_rates(video.frame_rate, bit_rate);
        let configuration_record = configuration.record();
        Ok(SampleEntry::Vp9 { format, frame_rate: video.frame_rate, configuration_record })
    }
}
