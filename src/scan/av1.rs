//! OBUs in stream order ► temporal units (AV1 7.5), each of which becomes one sample (AV1-ISOBMFF 2.4).
//!
//! A state machine that is pushed one OBU after the other and holds only ranges. What samples should not carry is dropped
//! and counted: temporal delimiters, padding, redundant frame headers. Everything else stays, in order and byte for
//! byte, whatever its type; the sequence header too, without which decoding cannot start at a sample.
//!
//! A temporal unit ends where the next temporal delimiter comes, or where its packet ends: [`TemporalUnitBuilder::flush`].
//! What a unit lacks shows only then, so a delimiter may be refused for what came in front of it.

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_temporal_units;

use std::sync::Arc;

use crate::codec::av1::{
    Av1Configuration, CodedFrame, FrameHeader, FrameSize, FrameType, ObuHeader, ObuKind, SequenceHeader,
    cut_off, without_size,
};
use crate::error::{Error, ErrorKind, Result};

use super::{Dropped, SourceRange};

/// One open bitstream unit of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// Its header byte, counted from the start of the source.
    pub offset: u64,
    /// Bytes of the whole unit, header and size field included.
    pub len: u64,
    /// Its first bytes: all of them, or at least 64 KiB.
    pub head: &'a [u8],
}

/// The frames that are shown at one time, with all that belongs to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemporalUnit<'a> {
    /// Its OBUs in stream order, whole, without those that samples do not carry.
    pub units: &'a [SourceRange],
    /// Byte offset of its first frame header.
    pub offset: u64,
    /// It has a sequence header, and then a shown key frame as its first frame: decoding can start here.
    pub sync: bool,
    /// Every frame in it is a key frame or intra-only: it needs no other unit. A frame that is shown again does.
    pub intra: bool,
    /// Other units may need it: a frame in it fills a reference slot.
    pub reference: bool,
    /// Number of frames that it shows: always 1, as layers that are shown together are refused.
    pub shown_frames: u32,
}

/// How to group OBUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TemporalUnitOptions {
    /// Drop and count temporal units before the first that decoding can start at, instead of refusing them.
    pub drop_leading: bool,
}

/// Groups OBUs into temporal units. Between two units a clone costs a few small copies: the sequence header is shared.
#[derive(Clone, Debug, Default)]
pub struct TemporalUnitBuilder {
    drop_leading: bool,
    sequence: Option<Sequence>,
    /// Size of the first frame of the track.
    first_frame: Option<FrameSize>,
    slots: Slots,
    dropped: Dropped,
    /// The unit that OBUs are being added to.
    open: OpenUnit,
    /// Its OBUs, …
    units: Vec<SourceRange>,
    /// … and those of the unit last given out.
    done: Vec<SourceRange>,
    seen_sync: bool,
    finished: bool,
}

/// The one sequence header of the track.
#[derive(Clone, Debug)]
struct Sequence {
    header: Arc<SequenceHeader>,
    /// Without the zero bytes that may stand behind its trailing bits.
    payload: Arc<[u8]>,
    offset: u64,
}

/// What the reference slots hold, as far as showing it again depends on it.
#[derive(Clone, Copy, Debug, Default)]
struct Slots([Option<StoredFrame>; 8]);

#[derive(Clone, Copy, Debug)]
struct StoredFrame {
    frame_type: FrameType,
    showable: bool,
}

impl Slots {
    fn refresh(&mut self, flags: u8, frame: Option<StoredFrame>) {
        for (slot, stored) in self.0.iter_mut().enumerate() {
            if flags >> slot & 1 == 1 {
                *stored = frame;
            }
        }
    }
}

/// A temporal unit that is not complete.
#[derive(Clone, Copy, Debug, Default)]
struct OpenUnit {
    /// A sequence header stands in it, and no frame in front of that.
    starts_with_sequence: bool,
    first: Option<FirstFrame>,
    shown_frames: u32,
    /// A frame that is not intra, or shown again.
    needs_others: bool,
    reference: bool,
    tiles: Tiles,
    /// Where an OBU without a size field stands, which must be the last of the packet.
    unsized_at: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct FirstFrame {
    offset: u64,
    /// A key frame that is shown.
    key: bool,
    size: Option<FrameSize>,
}

/// Where tile groups may stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tiles {
    /// No frame is open.
    #[default]
    None,
    /// A frame header came at this offset, and nothing of its tiles.
    Due(u64),
    /// At least one tile group of the open frame came.
    Some,
    /// The frames cannot be decoded and are not looked into.
    Any,
}

/// An OBU from behind its header on.
#[derive(Clone, Copy)]
struct Payload<'a> {
    bytes: &'a [u8],
    /// Counted from the start of the source.
    offset: u64,
    header: ObuHeader,
}

impl TemporalUnitBuilder {
    /// Starts a stream.
    pub fn new(options: TemporalUnitOptions) -> Self {
        Self { drop_leading: options.drop_leading, ..Self::default() }
    }

    /// Takes the next OBU; gives the temporal unit that it shows to be complete, which is not the one it belongs to.
    ///
    /// An OBU without a size field must be the last before [`flush`](Self::flush): of its packet, whose end is its own.
    ///
    /// Errors have the byte offset in the source; after one the builder is as before. They are: a header, sequence
    /// header or frame header that breaks a rule or is cut off, a size field that does not fit the unit, a sequence header
    /// that differs from the first ([`ErrorKind::ParameterSetChanged`]), a unit without a shown frame or with two, frame
    /// headers and tiles without each other, spatial layers, tile lists, and units before the first sync sample.
    pub fn push(&mut self, obu: Obu<'_>) -> Result<Option<TemporalUnit<'_>>> {
        debug_assert!(!self.finished, "the stream was finished");
        self.take(obu).map_err(|error| error.at(obu.offset))
    }

    /// Starts a packet: forgets the unit that was given out before, so that a clone of the builder has nothing to copy.
    pub fn start_packet(&mut self) {
        self.done.clear();
    }

    /// Ends the temporal unit that is open, at the end of its packet, and gives it; `None` where nothing of it was kept.
    /// The stream goes on. Errors are those of [`push`](Self::push) about whole units.
    pub fn flush(&mut self) -> Result<Option<TemporalUnit<'_>>> {
        self.complete()
    }

    /// Ends the stream and gives its last temporal unit. A second call gives `None`.
    ///
    /// A stream without a frame, or without a sync sample, is an error.
    pub fn finish(&mut self) -> Result<Option<TemporalUnit<'_>>> {
        if self.finished {
            return Ok(None);
        }
        if let Some(at) = self.open.unsized_at {
            return Err(without_size().at(at));
        }
        let last = self.close()?;
        self.finished = true;
        if !self.seen_sync {
            let pictures = self.dropped.leading_pictures.units;
            let (what, remedy) = if pictures == 0 {
                ("the stream has no frame".to_owned(), "give an AV1 stream with at least one frame")
            } else {
                let what = format!(
                    "the stream has no sync sample: none of its {pictures} temporal units has a sequence header and a \
                     shown key frame behind it"
                );
                (what, "encode it with shown key frames and a sequence header in front of each")
            };
            return Err(Error::malformed(what, "AV1 7.5", remedy));
        }
        Ok(last.map(|unit| self.temporal_unit(unit)))
    }

    /// The sequence header, once it has come.
    pub fn sequence(&self) -> Option<&SequenceHeader> {
        self.sequence.as_ref().map(|sequence| &*sequence.header)
    }

    /// What the sample entry says of the track, once the sequence header has come. The sample aspect ratio is known
    /// with the first sync sample.
    pub fn configuration(&self) -> Result<Av1Configuration> {
        let Some(Sequence { header, payload, .. }) = &self.sequence else {
            let remedy = "give a stream that has one in front of its first key frame";
            return Err(Error::malformed("the stream has no sequence header", "AV1 7.5", remedy));
        };
        Ok(Av1Configuration::new(Arc::clone(header), Arc::clone(payload), self.first_frame))
    }

    /// What was left out so far.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    fn take(&mut self, obu: Obu<'_>) -> Result<Option<TemporalUnit<'_>>> {
        let header = ObuHeader::read(obu.head).map_err(|error| error.shift(obu.offset))?;
        let start = usize::from(header.len);
        let payload_len = obu.len.saturating_sub(u64::from(header.len));
        if let Some(size) = header.size
            && u64::from(size) != payload_len
        {
            return Err(cut_off(size, payload_len));
        }
        if let Some(at) = self.open.unsized_at {
            return Err(without_size().at(at));
        }
        let len = u32::try_from(obu.len).map_err(|_| {
            Error::unsupported(format!("an OBU of {} bytes", obu.len), "encode it with smaller frames")
        })?;
        if header.spatial_id > 0 {
            return Err(spatial_layers(format!("an OBU of spatial layer {}", header.spatial_id)));
        }
        let payload = Payload { bytes: &obu.head[start..], offset: obu.offset + start as u64, header };
        match header.kind {
            ObuKind::TemporalDelimiter => {
                let complete = self.close()?;
                self.dropped.temporal_delimiters.add(obu.len);
                self.note_size(&header, obu.offset);
                return Ok(complete.map(|unit| self.temporal_unit(unit)));
            }
            ObuKind::Padding => self.dropped.padding_obus.add(obu.len),
            ObuKind::RedundantFrameHeader => {
                self.check_open_frame("a redundant frame header")?;
                self.dropped.redundant_frame_headers.add(obu.len);
            }
            ObuKind::TileList => {
                let remedy = "AV1-ISOBMFF 2.4 has no place for large scale tile streams: encode without";
                return Err(Error::unsupported("a tile list OBU", remedy));
            }
            kind => {
                match kind {
                    ObuKind::SequenceHeader => {
                        if payload.bytes.len() as u64 != payload_len {
                            let what = format!("a sequence header of {payload_len} bytes");
                            return Err(Error::unsupported(what, "remove the padding behind it"));
                        }
                        self.take_sequence(payload, obu.offset)?;
                    }
                    ObuKind::FrameHeader | ObuKind::Frame => {
                        self.check_tiles_came()?;
                        self.take_frame(payload, obu.offset)?;
                    }
                    ObuKind::TileGroup => self.take_tiles()?,
                    _ => {}
                }
                self.units.push(SourceRange { offset: obu.offset, len });
            }
        }
        self.note_size(&header, obu.offset);
        Ok(None)
    }

    fn note_size(&mut self, header: &ObuHeader, offset: u64) {
        if header.size.is_none() {
            self.open.unsized_at = Some(offset);
        }
    }

    /// Keeps the first sequence header; any other must be the same. Zero bytes behind the trailing bits count for nothing
    /// (6.2.1).
    fn take_sequence(&mut self, payload: Payload<'_>, offset: u64) -> Result<()> {
        let read = |bytes| SequenceHeader::read(bytes).map_err(|error| error.shift(payload.offset));
        let trimmed = payload.bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let bytes = &payload.bytes[..trimmed];
        match &self.sequence {
            Some(first) if *first.payload != *bytes => {
                // Damage is told as what it is.
                read(bytes)?;
                let (first, second) = (first.offset, offset);
                let kind = ErrorKind::ParameterSetChanged { kind: "sequence header", id: 0, first, second };
                return Err(Error::new(kind));
            }
            Some(_) => {}
            None => {
                let header = read(bytes)?;
                if let Some(point) = header.operating_points.iter().find(|point| point.spatial_layers() > 1) {
                    let layers = point.spatial_layers();
                    return Err(spatial_layers(format!("an operating point with {layers} spatial layers")));
                }
                self.sequence = Some(Sequence { header: Arc::new(header), payload: bytes.into(), offset });
            }
        }
        self.open.starts_with_sequence |= self.open.first.is_none();
        Ok(())
    }

    fn take_frame(&mut self, payload: Payload<'_>, offset: u64) -> Result<()> {
        let leading = || {
            let first = "a sequence header and a shown key frame (AV1 7.6.2)";
            Error::new(ErrorKind::LeadingPictures { first, pictures: None })
        };
        let header = match &self.sequence {
            Some(sequence) => FrameHeader::read(payload.bytes, &payload.header, &sequence.header)
                .map_err(|error| error.shift(payload.offset))?,
            // A stream that starts in the middle lacks it.
            None if self.drop_leading => {
                self.open.first.get_or_insert(FirstFrame { offset, key: false, size: None });
                self.open.tiles = Tiles::Any;
                return Ok(());
            }
            None => return Err(leading()),
        };
        let key = matches!(
            header,
            FrameHeader::Coded(CodedFrame { frame_type: FrameType::Key, show_frame: true, .. })
        );
        let starts = self.open.first.is_none() && self.open.starts_with_sequence && key;
        if !self.seen_sync && self.open.first.is_none() && !starts && !self.drop_leading {
            return Err(leading());
        }
        let (mut unit, mut slots) = (self.open, self.slots);
        // What a leading unit refers to may be missing.
        let known = self.seen_sync || unit.is_sync() || starts;
        let shown = match header {
            FrameHeader::ShowExisting { slot } => {
                unit.show_existing(&mut slots, slot, known)?;
                true
            }
            FrameHeader::Coded(frame) => {
                unit.add(&mut slots, &frame);
                unit.tiles = match payload.header.kind {
                    ObuKind::FrameHeader => Tiles::Due(offset),
                    _ => Tiles::None,
                };
                frame.show_frame
            }
        };
        unit.shown_frames += u32::from(shown);
        if unit.shown_frames > 1 {
            let what = "a temporal unit shows a second frame";
            let remedy = "the stream lacks a temporal delimiter here, or the end of a packet";
            return Err(Error::malformed(what, "AV1 7.5", remedy));
        }
        let size = if let FrameHeader::Coded(frame) = header { frame.size } else { None };
        unit.first.get_or_insert(FirstFrame { offset, key, size });
        (self.open, self.slots) = (unit, slots);
        Ok(())
    }

    fn take_tiles(&mut self) -> Result<()> {
        self.check_open_frame("a tile group")?;
        if self.open.tiles != Tiles::Any {
            self.open.tiles = Tiles::Some;
        }
        Ok(())
    }

    /// What belongs to a frame header needs one in front of it. A stream that starts in the middle may lack it.
    fn check_open_frame(&self, what: &'static str) -> Result<()> {
        let dropped = self.drop_leading && !self.seen_sync && self.open.first.is_none();
        if self.open.tiles == Tiles::None && !dropped {
            let what = format!("{what} without its frame header");
            return Err(Error::malformed(what, "AV1 6.8.1", "the stream lacks data here"));
        }
        Ok(())
    }

    fn check_tiles_came(&self) -> Result<()> {
        match self.open.tiles {
            Tiles::Due(offset) => {
                let what = "a frame header without its tile groups";
                Err(Error::malformed(what, "AV1 7.5", "the stream lacks data behind it").at(offset))
            }
            _ => Ok(()),
        }
    }

    fn complete(&mut self) -> Result<Option<TemporalUnit<'_>>> {
        Ok(self.close()?.map(|unit| self.temporal_unit(unit)))
    }

    /// Closes the open unit, and moves its OBUs to `done`. A leading unit is dropped and counted.
    fn close(&mut self) -> Result<Option<OpenUnit>> {
        let unit = self.open;
        let Some(first_obu) = self.units.first() else {
            // At most delimiters and padding.
            self.open = OpenUnit::default();
            return Ok(None);
        };
        self.check_tiles_came()?;
        let sync = unit.is_sync();
        let leading = !self.seen_sync && !sync;
        if leading && !self.drop_leading {
            // A unit with a frame was refused when the frame came.
            return Err(no_shown_frame(first_obu.offset));
        }
        if !leading && unit.shown_frames == 0 {
            return Err(no_shown_frame(first_obu.offset));
        }
        std::mem::swap(&mut self.units, &mut self.done);
        self.units.clear();
        self.open = OpenUnit::default();
        if leading {
            let bytes = self.done.iter().map(|unit| u64::from(unit.len)).sum();
            self.dropped.leading_pictures.add(bytes);
            return Ok(None);
        }
        if !self.seen_sync {
            self.seen_sync = true;
            self.first_frame = unit.first.and_then(|frame| frame.size);
        }
        Ok(Some(unit))
    }

    fn temporal_unit(&self, unit: OpenUnit) -> TemporalUnit<'_> {
        TemporalUnit {
            units: &self.done,
            offset: unit.first.map_or(0, |frame| frame.offset),
            sync: unit.is_sync(),
            intra: !unit.needs_others,
            reference: unit.reference,
            shown_frames: unit.shown_frames,
        }
    }
}

impl OpenUnit {
    fn is_sync(&self) -> bool {
        self.starts_with_sequence && self.first.is_some_and(|frame| frame.key)
    }

    fn add(&mut self, slots: &mut Slots, frame: &CodedFrame) {
        self.needs_others |= !frame.frame_type.is_intra();
        self.reference |= frame.refresh_frame_flags != 0;
        let stored = StoredFrame { frame_type: frame.frame_type, showable: frame.showable_frame };
        slots.refresh(frame.refresh_frame_flags, Some(stored));
    }

    /// 6.8.2: only a frame with `showable_frame` may be shown again, and a key frame once. A key frame that is shown this
    /// way fills every slot (5.9.2).
    fn show_existing(&mut self, slots: &mut Slots, slot: u8, known: bool) -> Result<()> {
        let stored = slots.0[usize::from(slot)];
        if known && !stored.is_some_and(|frame| frame.showable) {
            let what = format!(
                "frame_to_show_map_idx is {slot}, whose frame is not there to be shown (showable_frame 0)"
            );
            return Err(Error::malformed(
                what,
                "AV1 6.8.2",
                "the stream is damaged or lacks data before this",
            ));
        }
        self.needs_others = true;
        if let Some(frame @ StoredFrame { frame_type: FrameType::Key, .. }) = stored {
            self.reference = true;
            slots.refresh(0xff, Some(StoredFrame { showable: false, ..frame }));
        }
        self.tiles = Tiles::None;
        Ok(())
    }
}

fn no_shown_frame(offset: u64) -> Error {
    let what = "a temporal unit shows no frame";
    Error::malformed(what, "AV1 7.5", "the stream lacks data here, or frames are packed one by one")
        .at(offset)
}

fn spatial_layers(what: String) -> Error {
    Error::unsupported(what, "encode without spatial layers, a stream for each size")
}
