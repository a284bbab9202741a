//! OBUs in stream order ► temporal units (AV1 7.5), each of which becomes one sample (AV1-ISOBMFF 2.4).
//!
//! A state machine that is pushed one OBU after the other and holds only ranges. What samples should not carry is dropped
//! and counted: temporal delimiters, padding, redundant frame headers. Everything else stays, in order and byte for
//! byte, whatever its type; the sequence header too, without which decoding cannot start at a sample. An OBU without a size
//! field is given one, so that a stream has the same samples whichever way its OBUs were packed.
//!
//! Spatial layers stay together: the frames of all of them are one temporal unit, of one time. What the preferred operating point
//! drops stays in the samples, and counts for nothing else.
//!
//! A temporal unit ends where the next temporal delimiter comes, or where its packet ends: [`TemporalUnitBuilder::flush`].
//! What a unit lacks shows only then, so a delimiter may be refused for what came in front of it.

#[cfg(any(test, fuzzing))]
mod fuzz;
mod length_delimited;
mod open_unit;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_temporal_units;
pub use length_delimited::{is_length_delimited, starts_length_delimited};

use std::sync::Arc;

use crate::codec::av1::{
    Av1Configuration, CodedFrame, FrameHeader, FrameSize, FrameType, ObuHeader, ObuKind, SequenceHeader,
    SizedHeader, cut_off, read_hdr,
};
use crate::codec::sei::HdrMetadata;
use crate::error::{Error, ErrorKind, Result};

use super::{Dropped, SourceRange};
use open_unit::{FirstFrame, OpenUnit, Slots, Tiles, no_shown_frame};

/// One open bitstream unit of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// Its header byte, counted from the start of the source.
    pub offset: u64,
    /// Bytes of the whole unit, header and size field included. One without a size field ends where its reader says.
    pub len: u64,
    /// Its first bytes: all of them, or at least 64 KiB.
    pub head: &'a [u8],
}

/// One OBU of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredObu {
    /// All of it; its payload alone where `header` is written in front.
    pub range: SourceRange,
    /// What is written in the place of a header without a size field.
    pub header: Option<SizedHeader>,
}

impl StoredObu {
    /// Bytes in the sample.
    pub fn stored_len(&self) -> u64 {
        u64::from(self.range.len) + u64::from(self.header.map_or(0, |header| header.len(self.range.len)))
    }

    /// Bytes in the source.
    pub fn source_len(&self) -> u64 {
        u64::from(self.range.len) + u64::from(self.header.map_or(0, SizedHeader::unsized_len))
    }
}

/// The frames that are shown at one time, with all that belongs to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemporalUnit<'a> {
    /// Its OBUs in stream order, without those that samples do not carry.
    pub units: &'a [StoredObu],
    /// Byte offset of its first frame header.
    pub offset: u64,
    /// It has a sequence header, and then a shown key frame as its first frame: decoding can start here.
    pub sync: bool,
    /// Every frame in it is a key frame or intra-only: it needs no other unit. A frame that is shown again does.
    pub intra: bool,
    /// Other units may need it: a frame in it fills a reference slot, of whatever layer.
    pub reference: bool,
    /// Number of frames that it shows: 1, or one for each spatial layer in it.
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
    units: Vec<StoredObu>,
    /// … and those of the unit last given out.
    done: Vec<StoredObu>,
    /// What metadata of the open unit says.
    said: Vec<Metadata>,
    /// What that of the first sample said, and its OBUs with their sizes.
    hdr: HdrMetadata,
    hdr_obus: Arc<[u8]>,
    /// Where a metadata OBU says otherwise.
    hdr_changes: Option<u64>,
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

/// A metadata OBU that is about high dynamic range.
#[derive(Clone, Debug)]
struct Metadata {
    offset: u64,
    said: HdrMetadata,
    /// As `configOBUs` have it; empty where it is too long to be looked at whole.
    obu: Vec<u8>,
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
    /// An OBU without a size field ends where it is said to: with its packet, or by the length that Annex B puts in front.
    ///
    /// Errors have the byte offset in the source; after one the builder is as before. They are: a header, sequence
    /// header or frame header that breaks a rule or is cut off, a size field that does not fit the unit, a sequence header
    /// that differs from the first ([`ErrorKind::ParameterSetChanged`]), a unit without a shown frame or with two of one spatial
    /// layer, layers out of order, frame headers and tiles without each other, tile lists, and units before the first sync sample.
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

    /// What the sample entry says of the track, once the sequence header has come. The sample aspect ratio and metadata of high
    /// dynamic range are known with the first sync sample.
    pub fn configuration(&self) -> Result<Av1Configuration> {
        let Some(Sequence { header, payload, .. }) = &self.sequence else {
            let remedy = "give a stream that has one in front of its first key frame";
            return Err(Error::malformed("the stream has no sequence header", "AV1 7.5", remedy));
        };
        let configuration = Av1Configuration::new(Arc::clone(header), Arc::clone(payload), self.first_frame);
        Ok(configuration.with_hdr(self.hdr, Arc::clone(&self.hdr_obus)))
    }

    /// Where metadata says something of the mastering display or of light levels that the first sample does not, by the offset
    /// of its OBU; the first such.
    pub fn hdr_changes(&self) -> Option<u64> {
        self.hdr_changes
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
        let stored = stored(&obu, &header)?;
        let payload = Payload { bytes: &obu.head[start..], offset: obu.offset + start as u64, header };
        match header.kind {
            ObuKind::TemporalDelimiter => {
                let complete = self.close()?;
                self.dropped.temporal_delimiters.add(obu.len);
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
                    ObuKind::Metadata => self.take_metadata(&obu, &payload),
                    _ => {}
                }
                self.units.push(stored);
            }
        }
        Ok(None)
    }

    /// Keeps the first sequence header; any other must be the same. Zero bytes behind the trailing bits count for nothing
    /// (6.2.1).
    fn take_sequence(&mut self, payload: Payload<'_>, offset: u64) -> Result<()> {
        let read = |bytes| SequenceHeader::read(bytes).map_err(|error| error.shift(payload.offset));
        let bytes = without_zeros(payload.bytes);
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
        let (header, layer) = match &self.sequence {
            Some(sequence) => {
                let header = FrameHeader::read(payload.bytes, &payload.header, &sequence.header)
                    .map_err(|error| error.shift(payload.offset))?;
                (header, decoded_layer(&sequence.header, &payload.header))
            }
            // A stream that starts in the middle lacks it.
            None if self.drop_leading => {
                self.open.first.get_or_insert(FirstFrame { offset, key: false, size: None });
                self.open.tiles = Tiles::Any;
                return Ok(());
            }
            None => return Err(leading()),
        };
        let shown_key = matches!(
            header,
            FrameHeader::Coded(CodedFrame { frame_type: FrameType::Key, show_frame: true, .. })
        );
        let key = shown_key && layer.is_some();
        let starts = self.open.first.is_none() && self.open.starts_with_sequence && key;
        if !self.seen_sync && self.open.first.is_none() && !starts && !self.drop_leading {
            return Err(leading());
        }
        let (mut unit, mut slots) = (self.open, self.slots);
        // What a leading unit refers to may be missing.
        let known = self.seen_sync || unit.is_sync() || starts;
        let (shown, size) = match header {
            FrameHeader::ShowExisting { .. } => (true, None),
            FrameHeader::Coded(frame) => (frame.show_frame, frame.size),
        };
        if let Some(layer) = layer {
            match header {
                FrameHeader::ShowExisting { slot } => unit.show_existing(&mut slots, slot, known)?,
                FrameHeader::Coded(frame) => unit.add(&mut slots, &frame),
            }
            unit.enter_layer(layer, shown)?;
        }
        unit.tiles = match (header, payload.header.kind) {
            (FrameHeader::Coded(_), ObuKind::FrameHeader) => Tiles::Due(offset),
            _ => Tiles::None,
        };
        unit.first.get_or_insert(FirstFrame { offset, key, size });
        (self.open, self.slots) = (unit, slots);
        Ok(())
    }

    /// Notes what metadata says of high dynamic range. It stays in the sample whatever it says, so one that cannot be read is
    /// nobody's error.
    fn take_metadata(&mut self, obu: &Obu<'_>, payload: &Payload<'_>) {
        let said = read_hdr(payload.bytes).unwrap_or_default();
        if said.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        if obu.head.len() as u64 == obu.len
            && let Some(header) = SizedHeader::new(obu.head)
        {
            let content = without_zeros(payload.bytes);
            let size =
                u32::try_from(content.len()).expect("heads are a part of an OBU, whose length was checked");
            header.write(size, &mut bytes);
            bytes.extend_from_slice(content);
        }
        self.said.push(Metadata { offset: obu.offset, said, obu: bytes });
    }

    /// Settles what the metadata of a sample says: the first one's is that of the track.
    fn settle_metadata(&mut self, is_first: bool) {
        let mut obus = Vec::new();
        for Metadata { offset, said, obu } in self.said.drain(..) {
            let known = self.hdr;
            let same = self.hdr.take_in(&said);
            if is_first && self.hdr != known {
                obus.extend(obu);
            } else if !same || self.hdr != known {
                self.hdr = known;
                self.hdr_changes.get_or_insert(offset);
            }
        }
        if is_first {
            self.hdr_obus = obus.into();
        }
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
            return Err(no_shown_frame(first_obu.range.offset));
        }
        if !leading {
            unit.check_shown(first_obu.range.offset)?;
        }
        std::mem::swap(&mut self.units, &mut self.done);
        self.units.clear();
        self.open = OpenUnit::default();
        if leading {
            let bytes = self.done.iter().map(StoredObu::source_len).sum();
            self.dropped.leading_pictures.add(bytes);
            self.said.clear();
            return Ok(None);
        }
        self.settle_metadata(!self.seen_sync);
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
            shown_frames: unit.shown_frames(),
        }
    }
}

/// How the OBU stands in a sample.
fn stored(obu: &Obu<'_>, header: &ObuHeader) -> Result<StoredObu> {
    let len = u32::try_from(obu.len).map_err(|_| {
        Error::unsupported(format!("an OBU of {} bytes", obu.len), "encode it with smaller frames")
    })?;
    let whole = SourceRange { offset: obu.offset, len };
    Ok(match header.size {
        Some(_) => StoredObu { range: whole, header: None },
        None => {
            let skipped = u32::from(header.len);
            let payload = SourceRange { offset: obu.offset + u64::from(skipped), len: len - skipped };
            StoredObu { range: payload, header: SizedHeader::new(obu.head) }
        }
    })
}

/// The spatial layer of a frame with this header, which is 0 in a stream that is not scalable; `None` where decoders of the preferred
/// operating point drop it (5.3.1).
fn decoded_layer(sequence: &SequenceHeader, obu: &ObuHeader) -> Option<u8> {
    let point = sequence.operating_points.first()?;
    point.decodes(obu).then_some(if point.idc == 0 { 0 } else { obu.spatial_id })
}

/// A payload without the zero bytes behind its trailing bits.
fn without_zeros(payload: &[u8]) -> &[u8] {
    let len = payload.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &payload[..len]
}
