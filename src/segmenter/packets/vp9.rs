//! VP9: a packet is a frame or a superframe. One that shows a frame is a sample; one that shows none is kept, since the packet is
//! the caller's and goes, and stands in front of the next that does, with an index behind both.

use std::sync::Arc;

use super::{Parsed, ParsedSample};
use crate::codec::RandomAccess;
use crate::codec::vp9::{SuperframeIndex, TAIL_LEN, Vp9Configuration, frames_of};
use crate::error::{Error, Result};
use crate::scan::vp9::{Frame, Packet, SuperframeBuilder, SuperframeOptions};
use crate::scan::{Dropped, SourceRange};
use crate::track::SampleFlags;
use crate::track::published::PublishedInit;

#[derive(Clone, Debug)]
pub(in crate::segmenter) struct Vp9Packets {
    builder: SuperframeBuilder,
    /// Bytes of the packets before.
    position: u64,
    /// What waits for a shown frame, with its place in the stream.
    held: Vec<(SourceRange, Arc<[u8]>)>,
}

impl Vp9Packets {
    /// `published` is an init segment that is written already, whose size no frame may pass.
    pub(super) fn new(drop_leading: bool, published: Option<&PublishedInit>) -> Self {
        let mut builder = SuperframeBuilder::new(SuperframeOptions { drop_leading, drop_incomplete: false });
        if let Some(size) = published.and_then(PublishedInit::size) {
            builder.set_size(size);
        }
        Self { builder, position: 0, held: Vec::new() }
    }

    pub(super) fn read(&mut self, packet: &[u8], parsed: &mut Parsed) -> Result<()> {
        let base = self.position;
        if packet.is_empty() {
            return Err(super::empty("one frame or superframe").at(base));
        }
        let len = u32::try_from(packet.len()).map_err(|_| {
            Error::unsupported(format!("a packet of {} bytes", packet.len()), "encode smaller frames")
                .at(base)
        })?;
        let tail = &packet[packet.len().saturating_sub(TAIL_LEN)..];
        let index = SuperframeIndex::read(tail, len.into()).map_err(|error| error.shift(base))?;
        let frame = |place: std::ops::Range<u32>| Frame {
            offset: base + u64::from(place.start),
            len: place.end - place.start,
            head: &packet[place.start as usize..place.end as usize],
        };
        let frames: Vec<_> = frames_of(index.as_ref(), len).map(frame).collect();
        let index_len = index.as_ref().map_or(0, SuperframeIndex::byte_len);
        let range = SourceRange { offset: base, len };
        if let Some(superframe) = self.builder.push(Packet { range, frames: &frames, index_len })? {
            for part in superframe.parts {
                match part.offset.checked_sub(base) {
                    Some(offset) => parsed.list.push_source(SourceRange { offset, len: part.len }),
                    None => parsed.list.push_literal(find(&self.held, *part)),
                }
            }
            if !superframe.index.is_empty() {
                parsed.list.push_literal(superframe.index);
            }
            parsed.samples.push(ParsedSample {
                size: parsed.list.len(),
                flags: SampleFlags::of_picture(superframe.sync, superframe.intra, superframe.reference),
                order: None,
                random_access: if superframe.sync { RandomAccess::Sync } else { RandomAccess::No },
                place: superframe.offset,
            });
        }
        self.keep_waiting(packet);
        self.position = base + u64::from(len);
        Ok(())
    }

    /// Keeps what goes on waiting, now that the packet goes.
    fn keep_waiting(&mut self, packet: &[u8]) {
        let before = std::mem::take(&mut self.held);
        let bytes_of = |range: SourceRange| match range.offset.checked_sub(self.position) {
            Some(start) => packet[start as usize..][..range.len as usize].into(),
            None => Arc::clone(find(&before, range)),
        };
        self.held = self.builder.waiting().iter().map(|&range| (range, bytes_of(range))).collect();
    }

    pub(super) fn held_len(&self) -> u64 {
        self.held.iter().map(|(range, _)| u64::from(range.len)).sum()
    }

    pub(super) fn discard_waiting(&mut self) {
        self.held.clear();
        self.builder.discard_waiting();
    }

    pub(super) fn check_nothing_waits(&self) -> Result<()> {
        self.builder.check_nothing_waits(
            "push the frame that is shown, or discard them before the end (discard_pending)",
        )
    }

    pub(super) fn close_configuration(&mut self) {
        self.builder.close_size();
    }

    pub(super) fn dropped(&self) -> Dropped {
        *self.builder.dropped()
    }

    /// What the frames say, once a key frame has come.
    pub(super) fn configuration(&self) -> Result<Vp9Configuration> {
        self.builder.configuration().map(Vp9Configuration::without_hidden_frames)
    }

    /// Highest width and height of the frames; `None` as long as none has come.
    pub(super) fn picture_size(&self) -> Option<(u16, u16)> {
        self.builder.size()
    }
}

/// The bytes of a part that was kept.
fn find(held: &[(SourceRange, Arc<[u8]>)], part: SourceRange) -> &Arc<[u8]> {
    let kept = held.iter().find(|(range, _)| *range == part);
    &kept.expect("what waits came with this packet or was kept").1
}
