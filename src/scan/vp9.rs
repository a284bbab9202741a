//! VP9 packets ► superframes with one shown frame, each of which becomes one sample (VP9-ISOBMFF, "Video Samples").
//!
//! A state machine that is pushed one packet after the other (a frame, or a superframe with its index) and holds only ranges.
//! A packet that shows a frame is a sample as it is. One that shows none (an alternate reference that was packed alone) waits, and goes
//! with the next that does: their frames follow each other, and a new index stands behind them in place of their own, which
//! are dropped and counted.

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_superframes;

use crate::codec::vp9::{
    CodedFrame, ColorConfig, FrameHeader, FrameKind, FrameSize, MAX_FRAMES, References, SuperframeIndex,
    Vp9Configuration,
};
use crate::error::{Error, ErrorKind, Result};

use super::{Dropped, SourceRange};

/// One frame of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its first byte, counted from the start of the source.
    pub offset: u64,
    /// Its bytes, above 0.
    pub len: u32,
    /// Its first bytes: all of them, or at least [`HEAD_LEN`](crate::codec::vp9::HEAD_LEN).
    pub head: &'a [u8],
}

/// What an encoder or a container gives at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// All its bytes, index included.
    pub range: SourceRange,
    /// The frames that it begins with, one behind the other; at least one.
    pub frames: &'a [Frame<'a>],
    /// Bytes of the superframe index behind them; 0 without one.
    pub index_len: u32,
}

/// Frames that are decoded together, of which one is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superframe<'a> {
    /// Its bytes in stream order.
    pub parts: &'a [SourceRange],
    /// Bytes that follow them: the superframe index of packets that were put together, otherwise nothing.
    pub index: &'a [u8],
    /// Byte offset of its first frame.
    pub offset: u64,
    /// Its first frame is a key frame, shown or not: decoding can start here.
    pub sync: bool,
    /// It needs no other superframe: its frames are intra and start with default probabilities, or need only such in it.
    pub intra: bool,
    /// Other superframes may need it.
    pub reference: bool,
}

/// How to group frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SuperframeOptions {
    /// Drop and count superframes before the first that decoding can start at, instead of refusing them.
    pub drop_leading: bool,
    /// Drop and count hidden frames behind the last that is shown, instead of refusing them.
    pub drop_incomplete: bool,
}

/// Where a stream has a frame of another size than its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeChange {
    /// Byte offset of the frame.
    pub offset: u64,
    /// Width and height of the first frame, …
    pub first: (u32, u32),
    /// … and of this one.
    pub other: (u32, u32),
}

/// Groups frames into superframes. A clone costs a few small copies.
#[derive(Clone, Debug, Default)]
pub struct SuperframeBuilder {
    options: SuperframeOptions,
    state: State,
    /// Frames of packets that wait for one that is shown, …
    waiting: Vec<SourceRange>,
    /// … the size of each of these frames, …
    sizes: Vec<u32>,
    /// … and what was given out last.
    given: Vec<SourceRange>,
    index: Vec<u8>,
    dropped: Dropped,
    finished: bool,
}

/// What frames leave behind for others.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    references: References,
    format: Option<Format>,
    /// Highest width and height, …
    most: (u16, u16),
    /// … which may not grow beyond this any more.
    limit: Option<(u16, u16)>,
    first: Option<(u32, u32)>,
    largest: Option<FrameSize>,
    size_change: Option<SizeChange>,
    open: OpenSuperframe,
    /// Luma samples decoded, and pictures shown.
    decoded: (u64, u64),
    seen_sync: bool,
}

/// The one format of the track, and where it was told.
#[derive(Clone, Copy, Debug)]
struct Format {
    profile: u8,
    color: ColorConfig,
    offset: u64,
}

/// A superframe that is not complete.
#[derive(Clone, Copy, Debug, Default)]
struct OpenSuperframe {
    /// Where its first frame stands.
    first: Option<u64>,
    starts_with_key: bool,
    needs_others: bool,
    reference: bool,
    /// Slots that a frame of it filled that needs nothing in front of it.
    filled: u8,
    luma_samples: u64,
}

impl SuperframeBuilder {
    /// Starts a stream.
    pub fn new(options: SuperframeOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Takes the next packet; gives the superframe that it completes, unless it shows no frame and waits, or is dropped.
    ///
    /// Errors have the byte offset in the source; after one the builder is as before. They are: a header that breaks a rule or is
    /// cut off, another profile or format than that of the track, a frame beyond the size that was closed, a packet that shows two
    /// frames, more than eight frames in a superframe, and superframes before the first sync sample.
    pub fn push(&mut self, packet: Packet<'_>) -> Result<Option<Superframe<'_>>> {
        debug_assert!(!self.finished, "the stream was finished");
        let mut state = self.state;
        let starts = self.drops_waiting(&packet, &state);
        if starts {
            state.open = OpenSuperframe::default();
        }
        let count = packet.frames.len() + if starts { 0 } else { self.sizes.len() };
        if count > MAX_FRAMES {
            let what = format!(
                "{count} frames up to here belong to one shown frame, a superframe has at most {MAX_FRAMES}"
            );
            let remedy = "encode it with fewer hidden frames";
            return Err(Error::malformed(what, "VP9 Annex B", remedy).at(packet.range.offset));
        }
        let mut shown = 0;
        for frame in packet.frames {
            let read = FrameHeader::read(frame.head, frame.len, &state.references);
            let header = read.map_err(|error| error.shift(frame.offset))?;
            state.take(&header, frame.offset).map_err(|error| error.at(frame.offset))?;
            shown += u32::from(header.shows());
        }
        if shown > 1 {
            let what = format!("a superframe that shows {shown} frames, as spatial layers do");
            let remedy = "encode it without spatial layers, or give a packet for each shown frame";
            return Err(Error::unsupported(what, remedy).at(packet.range.offset));
        }
        let is_leading = shown == 1 && !state.seen_sync && !state.open.starts_with_key;
        if is_leading && !self.options.drop_leading {
            let first = "a key frame (VP9 7.2)";
            let at = state.open.first.unwrap_or(packet.range.offset);
            return Err(Error::new(ErrorKind::LeadingPictures { first, pictures: None }).at(at));
        }
        self.settle(state, packet, starts, shown == 1, is_leading);
        Ok((shown == 1 && !is_leading).then(|| self.given_superframe()))
    }

    /// Whether what waits cannot be decoded, and the packet can start the stream without it.
    fn drops_waiting(&self, packet: &Packet<'_>, state: &State) -> bool {
        let is_key = packet.frames.first().is_some_and(|frame| {
            let header = FrameHeader::read(frame.head, frame.len, &state.references);
            matches!(header, Ok(FrameHeader::Coded(CodedFrame { kind: FrameKind::Key(_), .. })))
        });
        let waits_in_vain = !self.waiting.is_empty() && !state.seen_sync && !state.open.starts_with_key;
        self.options.drop_leading && waits_in_vain && is_key
    }

    /// Takes a packet that nothing is wrong with; `state` is that behind it.
    fn settle(
        &mut self,
        mut state: State,
        packet: Packet<'_>,
        starts: bool,
        completes: bool,
        is_leading: bool,
    ) {
        self.given.clear();
        self.index.clear();
        if starts {
            self.dropped.leading_pictures.bytes += bytes_of(&self.waiting);
            self.waiting.clear();
            self.sizes.clear();
        }
        // A packet is not put together with others, or keeps no index of its own.
        let alone = completes && self.waiting.is_empty();
        let kept = if alone { packet.range.len } else { packet.range.len - packet.index_len };
        self.waiting.push(SourceRange { len: kept, ..packet.range });
        self.sizes.extend(packet.frames.iter().map(|frame| frame.len));
        if !alone && packet.index_len > 0 {
            self.dropped.superframe_indexes.add(packet.index_len.into());
        }
        if completes {
            std::mem::swap(&mut self.given, &mut self.waiting);
            if is_leading {
                self.dropped.leading_pictures.add(bytes_of(&self.given));
                state.open = OpenSuperframe::default();
            } else {
                state.seen_sync = true;
                state.decoded.0 = state.decoded.0.saturating_add(state.open.luma_samples);
                state.decoded.1 += 1;
                if !alone {
                    SuperframeIndex::of(&self.sizes).write(&mut self.index);
                }
            }
            self.sizes.clear();
        }
        self.state = state;
    }

    /// What the last packet completed. The next one opens another.
    fn given_superframe(&mut self) -> Superframe<'_> {
        let open = std::mem::take(&mut self.state.open);
        Superframe {
            parts: &self.given,
            index: &self.index,
            offset: open.first.unwrap_or(self.given[0].offset),
            sync: open.starts_with_key,
            intra: !open.needs_others,
            reference: open.reference,
        }
    }

    /// Ends the stream.
    ///
    /// A stream without a shown frame, or without a sync sample, is an error, and so are hidden frames behind the last that is
    /// shown unless they may be dropped. A second call does nothing.
    pub fn finish(&mut self) -> Result<()> {
        if self.finished {
            return Ok(());
        }
        if !self.options.drop_incomplete {
            self.check_nothing_waits("drop them with --drop-incomplete")?;
        }
        if !self.state.seen_sync {
            let pictures = self.dropped.leading_pictures.units;
            let (what, remedy) = match pictures {
                0 => (
                    "the stream shows no frame".to_owned(),
                    "give a VP9 stream with at least one shown frame",
                ),
                _ => {
                    let what = format!(
                        "the stream has no sync sample: none of its {pictures} superframes starts with a key frame"
                    );
                    (what, "encode it with key frames")
                }
            };
            return Err(Error::malformed(what, "VP9 7.2", remedy));
        }
        self.finished = true;
        self.drop_waiting();
        Ok(())
    }

    /// # Errors
    /// When hidden frames wait for one that is shown; `remedy` says what to do.
    pub(crate) fn check_nothing_waits(&self, remedy: &'static str) -> Result<()> {
        let Some(first) = self.waiting.first() else { return Ok(()) };
        let what = "the frames from here on are not shown, and none follows that is";
        Err(Error::malformed(what, "VP9-ISOBMFF, Video Samples", remedy).at(first.offset))
    }

    /// Drops and counts hidden frames that wait for one that is shown.
    fn drop_waiting(&mut self) {
        self.dropped.hidden_frames.units += self.sizes.len() as u64;
        self.dropped.hidden_frames.bytes += bytes_of(&self.waiting);
        self.discard_waiting();
    }

    /// What waits for a frame that is shown.
    pub(crate) fn waiting(&self) -> &[SourceRange] {
        &self.waiting
    }

    /// Forgets hidden frames that wait for one that is shown, as if they had not come.
    pub(crate) fn discard_waiting(&mut self) {
        self.waiting.clear();
        self.sizes.clear();
        self.state.open = OpenSuperframe::default();
    }

    /// The size that an init segment which is published says; no frame may pass it.
    pub(crate) fn set_size(&mut self, most: (u16, u16)) {
        (self.state.most, self.state.limit) = (most, Some(most));
    }

    /// From now on a frame beyond the highest width and height so far is an error: they are in an init segment.
    pub(crate) fn close_size(&mut self) {
        self.state.limit = Some(self.state.most);
    }

    /// Highest width and height of the frames so far; `None` as long as none has come.
    pub fn size(&self) -> Option<(u16, u16)> {
        self.state.largest.map(|_| self.state.most)
    }

    /// The first frame of another size than the stream's first, if one has come.
    pub fn size_change(&self) -> Option<SizeChange> {
        self.state.size_change
    }

    /// What the sample entry says of the track, once a key frame has come.
    ///
    /// # Errors
    /// As long as none has.
    pub fn configuration(&self) -> Result<Vp9Configuration> {
        let (Some(format), Some(largest)) = (self.state.format, self.state.largest) else {
            let remedy = "give a stream that starts with one";
            return Err(Error::malformed("the stream has no key frame", "VP9 7.2", remedy));
        };
        let State { most, decoded, .. } = self.state;
        Ok(Vp9Configuration::new(format.profile, format.color, most, largest, Some(decoded)))
    }

    /// What was left out so far.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

fn bytes_of(ranges: &[SourceRange]) -> u64 {
    ranges.iter().map(|range| u64::from(range.len)).sum()
}

impl State {
    /// Takes the frame at `offset`.
    fn take(&mut self, header: &FrameHeader, offset: u64) -> Result<()> {
        if let Some(format) = self.format.filter(|format| format.profile != header.profile()) {
            return Err(changed(&format, offset));
        }
        let is_first = self.open.first.is_none();
        self.open.first.get_or_insert(offset);
        match header {
            FrameHeader::ShowExisting { slot, .. } => {
                self.open.needs_others |= self.open.filled >> slot & 1 == 0;
                // What is decoded next depends on whether a frame was shown in front of it (7.2: LastShowFrame).
                self.open.reference = true;
                Ok(())
            }
            FrameHeader::Coded(frame) => {
                self.open.starts_with_key |= is_first && matches!(frame.kind, FrameKind::Key(_));
                self.take_format(frame, offset)?;
                self.take_size(frame, offset)?;
                self.open.add(frame);
                Ok(())
            }
        }
    }

    fn take_format(&mut self, frame: &CodedFrame, offset: u64) -> Result<()> {
        let Some(color) = frame.color() else { return Ok(()) };
        match &self.format {
            Some(format) if format.color != color => return Err(changed(format, offset)),
            Some(_) => {}
            None if (color.subsampling_x, color.subsampling_y) == (false, true) => {
                return Err(Error::unsupported(
                    "VP9 in 4:4:0, which vpcC has no value for",
                    "encode it in 4:2:0, 4:2:2 or 4:4:4",
                ));
            }
            None => self.format = Some(Format { profile: frame.profile, color, offset }),
        }
        Ok(())
    }

    fn take_size(&mut self, frame: &CodedFrame, offset: u64) -> Result<()> {
        let Some(size) = frame.size else { return Ok(()) };
        let (Ok(width), Ok(height)) = (u16::try_from(size.width), u16::try_from(size.height)) else {
            let what = format!("frames of {}x{}", size.width, size.height);
            return Err(Error::unsupported(
                what,
                "a sample entry holds up to 65535 of each: scale them down",
            ));
        };
        let most = (self.most.0.max(width), self.most.1.max(height));
        if let Some(limit) = self.limit.filter(|&limit| limit != most) {
            return Err(Error::conflict(
                format!(
                    "a frame is {width}x{height}, but the init segment says that none is larger than {}x{}",
                    limit.0, limit.1
                ),
                "start with the largest size, or start another track",
            ));
        }
        self.most = most;
        let samples = |size: &FrameSize| u64::from(size.width) * u64::from(size.height);
        if self.largest.is_none_or(|largest| samples(&largest) < samples(&size)) {
            self.largest = Some(size);
        }
        self.open.luma_samples = self.open.luma_samples.saturating_add(samples(&size));
        let (first, other) =
            (*self.first.get_or_insert((size.width, size.height)), (size.width, size.height));
        if first != other {
            self.size_change.get_or_insert(SizeChange { offset, first, other });
        }
        match (&mut self.references, frame.kind) {
            (references, FrameKind::Key(_)) => *references = Some([size; 8]),
            (Some(references), _) => {
                for (slot, reference) in references.iter_mut().enumerate() {
                    if frame.refresh_frame_flags >> slot & 1 == 1 {
                        *reference = size;
                    }
                }
            }
            (None, _) => {}
        }
        Ok(())
    }
}

impl OpenSuperframe {
    fn add(&mut self, frame: &CodedFrame) {
        let stands_alone = match frame.kind {
            FrameKind::Key(_) => true,
            FrameKind::IntraOnly(_) => frame.resets_context,
            // Without the mode it takes motion vectors and probabilities from the frame before.
            FrameKind::Inter(slots) => {
                frame.error_resilient && slots.iter().all(|slot| self.filled >> slot & 1 == 1)
            }
        };
        self.needs_others |= !stands_alone;
        if stands_alone {
            self.filled |= frame.refresh_frame_flags;
        }
        // A frame that fills no slot may still be needed: the next takes motion vectors from it unless that is in error resilient
        // mode, which encoders have in all frames or in none.
        self.reference |=
            frame.refresh_frame_flags != 0 || frame.refresh_frame_context || !frame.error_resilient;
    }
}

fn changed(format: &Format, second: u64) -> Error {
    let kind = "color configuration";
    Error::new(ErrorKind::ParameterSetChanged { kind, id: 0, first: format.offset, second })
}
