//! NAL units in stream order ► access units (H.264 7.4.1.2.3, 7.4.1.2.4), each of which becomes one sample.
//!
//! A state machine that is pushed one NAL unit after the other and holds only ranges. What samples do not carry is
//! dropped and counted: access unit delimiters, filler data, ends of sequence and stream, and the parameter sets that the
//! sample entry holds. Everything else stays, in order, whatever its type. Parameter sets kept in band stay too, and
//! every IDR access unit is given those that hold and that it lacks, so that decoding can start there.
//! Clauses are those of the 08/2021 edition of H.264.
//!
//! A unit that can only stand in front of a picture (SEI, prefix NAL units …) starts an access unit by the standard's
//! letter, but prefix NAL units stand between the slices of one picture too (G.7.4.1.2.3, H.7.4.1.2.3). Such units are
//! held until the next slice says which picture it belongs to.

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_access_units;

use std::sync::Arc;

use crate::codec::h264::{NalHeader, NalUnitType, OrderCounter, ParameterSets, SliceHeader};
use crate::codec::parameter_sets::{SetPlace, too_long};
use crate::codec::{ParameterSetPlacement, PictureOrder};
use crate::error::{Error, ErrorKind, Result};

use super::{Count, Dropped, NalUnit, SourceRange};

/// One coded picture with everything that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessUnit<'a> {
    /// Its NAL units in stream order, without those that samples do not carry. An IDR access unit with parameter sets in
    /// band has all sets that hold in front of its first slice: those that it lacks are ranges further up in the stream.
    pub units: &'a [SourceRange],
    /// Byte offset of its first slice.
    pub offset: u64,
    /// An IDR picture: decoding can start here.
    pub idr: bool,
    /// Every slice of the primary coded picture is I or SI: it needs no other picture.
    pub intra: bool,
    /// Other pictures may need it (`nal_ref_idc` is not 0).
    pub reference: bool,
    /// Where it stands in presentation order.
    pub order: PictureOrder,
}

/// How to group NAL units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessUnitOptions {
    /// Drop and count pictures before the first IDR picture, instead of refusing them.
    pub drop_leading: bool,
    /// Where parameter sets go. In the sample entry alone, one that changes is an error.
    pub parameter_sets: ParameterSetPlacement,
}

/// Groups NAL units into access units.
///
/// Between access units a clone costs next to nothing: it shares the parameter sets until one of the two takes in another.
#[derive(Clone, Debug, Default)]
pub struct AccessUnitBuilder {
    drop_leading: bool,
    sets: Arc<ParameterSets>,
    counter: OrderCounter,
    dropped: Dropped,
    repeated: Count,
    slices: SliceCounts,
    /// The picture that slices are being added to.
    picture: Option<Picture>,
    /// Units of `picture`, …
    units: Vec<SourceRange>,
    /// … units that belong to it or to the next one, which the next slice decides, …
    held: Vec<Held>,
    /// … and those of the access unit last given out.
    done: Vec<SourceRange>,
    /// Sets that held when `picture` was opened with all of them, and when the one last given out was.
    opened_with: Option<Arc<ParameterSets>>,
    done_with: Option<Arc<ParameterSets>>,
    /// Units that join the access unit last given out, and first slice of that one, where it was asked for.
    joined: Vec<SourceRange>,
    given: Option<SliceHeader>,
    /// Where the first unit that waits for a picture stood, be it held or dropped.
    waiting: Option<u64>,
    /// A unit that stands in front of a picture has come since the last slice.
    in_front: bool,
    /// A delimiter or an end has come since the last slice: the next one starts a picture.
    boundary: bool,
    seen_idr: bool,
    finished: bool,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    range: SourceRange,
    unit_type: NalUnitType,
}

impl Held {
    fn is_parameter_set(&self) -> bool {
        matches!(self.unit_type, NalUnitType::Sps | NalUnitType::SpsExtension | NalUnitType::Pps)
    }
}

#[derive(Clone, Copy, Debug)]
struct Picture {
    /// Header of its first slice.
    first: SliceHeader,
    offset: u64,
    intra: bool,
    /// Of its primary coded picture.
    slices: u64,
    /// `None` for a picture in front of the first IDR picture, which is dropped.
    order: Option<PictureOrder>,
}

/// How many slices pictures have.
#[derive(Clone, Copy, Debug, Default)]
struct SliceCounts {
    /// Of every picture but the last, as long as they are equal.
    before: Option<u64>,
    differ: bool,
    last: Option<u64>,
}

impl SliceCounts {
    fn add(&mut self, slices: u64) {
        if let Some(last) = self.last.replace(slices) {
            self.differ |= self.before.is_some_and(|before| before != last);
            self.before = Some(last);
        }
    }
}

impl AccessUnitBuilder {
    /// Starts a stream.
    pub fn new(options: AccessUnitOptions) -> Self {
        let AccessUnitOptions { drop_leading, parameter_sets } = options;
        Self { drop_leading, sets: Arc::new(ParameterSets::new(parameter_sets)), ..Self::default() }
    }

    /// Starts a stream whose pictures may use `sets`, as if these had come in front of it.
    pub fn with_parameter_sets(drop_leading: bool, sets: ParameterSets) -> Self {
        Self { drop_leading, sets: Arc::new(sets), ..Self::default() }
    }

    /// Takes the next NAL unit; gives the access unit that it shows to be complete, which is not the one it belongs to.
    ///
    /// Errors have the byte offset in the source; after one the builder is as before. They are: a unit without a
    /// header byte (7.3.1 reads one, and a start code with only zeros behind it is what overwritten data looks like), a
    /// header or parameter set that breaks a rule or is cut off, a parameter set that is missing, or that changes where the
    /// sample entry holds it ([`ErrorKind::ParameterSetChanged`](crate::error::ErrorKind)), field pictures, a picture
    /// format that changes, and pictures before the first IDR picture.
    pub fn push(&mut self, nal: NalUnit<'_>) -> Result<Option<AccessUnit<'_>>> {
        debug_assert!(!self.finished, "the stream was finished");
        let header = NalHeader::read(nal.head).map_err(|error| error.shift(nal.offset))?;
        let bytes = u64::from(nal.len);
        match header.unit_type {
            NalUnitType::Slice | NalUnitType::IdrSlice | NalUnitType::PartitionA => return self.slice(nal),
            NalUnitType::PartitionBC => {
                self.join(nal, "a slice data partition B or C without its partition A")?;
            }
            NalUnitType::Sps | NalUnitType::Pps | NalUnitType::SpsExtension => {
                if nal.head.len() as u64 != bytes {
                    return Err(too_long(bytes).at(nal.offset));
                }
                // One that the sample entry has already changes nothing, and need not be read again.
                if !self.sets.is_repetition(nal.head) {
                    Arc::make_mut(&mut self.sets).insert(nal.head, nal.offset)?;
                }
                self.waiting.get_or_insert(nal.offset);
                match self.sets.placement() {
                    ParameterSetPlacement::SampleEntry => self.dropped.parameter_sets.add(bytes),
                    ParameterSetPlacement::InBand => self.hold(nal, header),
                }
                self.in_front = true;
            }
            NalUnitType::AccessUnitDelimiter => {
                self.dropped.access_unit_delimiters.add(bytes);
                self.waiting.get_or_insert(nal.offset);
                self.end_picture();
            }
            NalUnitType::EndOfSequence => {
                self.dropped.ends_of_sequence.add(bytes);
                self.end_picture();
            }
            NalUnitType::EndOfStream => {
                self.dropped.ends_of_stream.add(bytes);
                self.end_picture();
            }
            NalUnitType::Filler => self.dropped.filler.add(bytes),
            NalUnitType::Sei | NalUnitType::Leading(_) => {
                self.waiting.get_or_insert(nal.offset);
                self.hold(nal, header);
                self.in_front = true;
            }
            NalUnitType::Trailing(_) => {
                if self.picture.is_some() && !self.in_front {
                    self.units.push(nal.range());
                } else if self.given.is_some() && !self.in_front {
                    self.joined.push(nal.range());
                } else {
                    self.waiting.get_or_insert(nal.offset);
                    self.hold(nal, header);
                }
            }
        }
        Ok(None)
    }

    /// Ends a packet that holds whole access units, and gives the last of them: the next slice has to start another one.
    /// `None` for a packet without a slice.
    ///
    /// Units that wait for a picture go on to do so. Those that can only stand behind one belong to the access unit given
    /// out last, though they come in a later packet: see [`Self::joined`].
    pub fn end_packet(&mut self) -> Option<AccessUnit<'_>> {
        self.given = self.picture.as_ref().map_or(self.given, |picture| Some(picture.first));
        let (picture, order) = self.take_picture()?;
        Some(self.access_unit(picture, order))
    }

    /// Starts a packet: forgets what was given out before.
    pub fn start_packet(&mut self) {
        self.done.clear();
        self.done_with = None;
        self.joined.clear();
    }

    /// Units of the access unit last given out.
    pub(crate) fn given_units(&self) -> &[SourceRange] {
        &self.done
    }

    /// A set that the access unit last given out was given, as it held then: it was last sent at `offset`.
    pub(crate) fn given_set(&self, offset: u64) -> Option<&[u8]> {
        self.done_with.as_ref()?.sent_at(offset)
    }

    /// Units of this packet that belong to the access unit given out last before it.
    pub fn joined(&self) -> &[SourceRange] {
        &self.joined
    }

    /// Units that wait for the next picture and go into its sample.
    pub fn held(&self) -> impl ExactSizeIterator<Item = SourceRange> {
        self.held.iter().map(|unit| unit.range)
    }

    /// Where the first of the units stood that wait for a picture, those included that samples do not carry.
    pub fn waiting(&self) -> Option<u64> {
        self.waiting
    }

    /// Drops what waits for a picture.
    pub fn discard_waiting(&mut self) {
        self.waiting = None;
        self.held.clear();
    }

    /// From now on a parameter set that has not come yet is an error: the sample entry is written.
    pub fn close_parameter_sets(&mut self) {
        Arc::make_mut(&mut self.sets).close();
    }

    /// Ends the stream and gives its last access unit, with all units behind its last slice but parameter sets: no picture
    /// follows that could use them, and a set cannot stand behind the picture in an access unit (7.4.1.2.3). They are
    /// counted as dropped. A second call gives `None`.
    ///
    /// A stream without a coded picture, or without an IDR picture, is an error.
    pub fn finish(&mut self) -> Result<Option<AccessUnit<'_>>> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(None);
        }
        if self.picture.is_none() {
            return Err(Error::malformed(
                "the stream has no coded picture",
                "H.264 7.4.1.2.3",
                "give an H.264 byte stream (Annex B) with at least one picture",
            ));
        }
        for unit in self.held.drain(..) {
            if unit.is_parameter_set() {
                self.dropped.parameter_sets.add(u64::from(unit.range.len));
            } else {
                self.units.push(unit.range);
            }
        }
        let last = self.take_picture();
        if !self.seen_idr {
            let pictures = self.dropped.leading_pictures.units;
            return Err(Error::malformed(
                format!("the stream has no sync sample: none of its {pictures} pictures is an IDR picture"),
                "H.264 7.4.1.2.2",
                "encode it with IDR pictures (closed groups of pictures); recovery points are not enough",
            ));
        }
        Ok(last.map(|(picture, order)| self.access_unit(picture, order)))
    }

    /// The parameter sets that have come so far; all of the track once it is finished.
    pub fn parameter_sets(&self) -> &ParameterSets {
        &self.sets
    }

    /// What was left out so far.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// Parameter sets that IDR access units were given because they lacked them; nothing else of the stream is in two
    /// access units.
    pub fn repeated(&self) -> Count {
        self.repeated
    }

    /// Once finished: slices of the last picture and of each one before it, where those have all the same number and the last
    /// has fewer. Nothing in the data proves that a slice is missing, but an encoder that divides every picture alike
    /// does not stop with the last.
    pub fn short_last_picture(&self) -> Option<(u64, u64)> {
        let SliceCounts { before, differ, last } = self.slices;
        last.zip(before).filter(|(last, before)| !differ && last < before)
    }

    fn slice(&mut self, nal: NalUnit<'_>) -> Result<Option<AccessUnit<'_>>> {
        let header = self.read_slice(nal)?;
        if header.redundant_pic_cnt > 0 {
            self.join(nal, "a slice of a redundant coded picture without its primary coded picture")?;
            return Ok(None);
        }
        if let Some(given) = self
            .given
            .filter(|given| self.picture.is_none() && !self.boundary && !header.starts_new_picture(given))
        {
            let kind = if given.idr { "an IDR picture" } else { "a picture" };
            return Err(Error::malformed(
                format!("a slice of {kind} that an earlier packet began"),
                "H.264 7.4.1.2.4",
                "push all slices of a picture in one packet",
            )
            .at(nal.offset));
        }
        if let Some(picture) = &mut self.picture
            && !self.boundary
            && !header.starts_new_picture(&picture.first)
        {
            if header.resets_order != picture.first.resets_order {
                return Err(Error::malformed(
                    "slices of one picture disagree on memory_management_control_operation 5",
                    "H.264 7.4.3.3",
                    "the stream is damaged here",
                )
                .at(nal.offset));
            }
            picture.intra &= header.start.slice_type.is_intra();
            picture.slices += 1;
            self.join(nal, "a slice")?;
            return Ok(None);
        }

        let leading = !header.idr && !self.seen_idr;
        let order = if leading { None } else { Some(self.order(&header, nal.offset)?) };
        let complete = self.take_picture();
        self.picture = Some(Picture {
            first: header,
            offset: nal.offset,
            intra: header.start.slice_type.is_intra(),
            slices: 1,
            order,
        });
        self.seen_idr |= header.idr;
        if header.idr && self.sets.placement() == ParameterSetPlacement::InBand {
            self.open_with_all_sets();
        }
        self.add(nal);
        Ok(complete.map(|(picture, order)| self.access_unit(picture, order)))
    }

    fn read_slice(&self, nal: NalUnit<'_>) -> Result<SliceHeader> {
        let result = SliceHeader::read(nal.head, &self.sets);
        if self.seen_idr {
            return result.map_err(|error| error.shift(nal.offset));
        }
        // A stream that starts in the middle may lack the parameter sets of its first pictures.
        let start =
            SliceHeader::read_without_parameter_sets(nal.head).map_err(|error| error.shift(nal.offset))?;
        if start.idr || (self.drop_leading && self.sets.for_slice(start.start.pps_id).is_ok()) {
            return result.map_err(|error| error.shift(nal.offset));
        }
        if self.drop_leading {
            return Ok(start);
        }
        Err(Error::new(ErrorKind::LeadingPictures {
            first: "an IDR picture (H.264 7.4.1.2.2)",
            pictures: None,
        })
        .at(nal.offset))
    }

    /// Order of the picture that starts with this slice. Either both the counter and the sets move on, or neither does.
    fn order(&mut self, header: &SliceHeader, offset: u64) -> Result<PictureOrder> {
        let mut counter = self.counter;
        let (_, sps) = self.sets.for_slice(header.start.pps_id).map_err(|error| error.at(offset))?;
        let order = counter.next(header, sps).map_err(|error| error.at(offset))?;
        if !self.sets.is_active(header.start.pps_id) {
            Arc::make_mut(&mut self.sets).activate(header.start.pps_id, header.idr, offset)?;
        }
        self.counter = counter;
        Ok(order)
    }

    /// Adds a slice to the picture that is open; without one it is an error, which says `what` came. Ahead of the first
    /// IDR picture it is what remains of a picture whose start is missing, and dropped with the others when asked.
    fn join(&mut self, nal: NalUnit<'_>, what: &'static str) -> Result<()> {
        if self.picture.is_some() && !self.boundary {
            self.add(nal);
            return Ok(());
        }
        if self.drop_leading && !self.seen_idr {
            self.dropped.leading_pictures.bytes += u64::from(nal.len);
            return Ok(());
        }
        Err(Error::malformed(what, "H.264 7.4.1.2.5", "the stream lacks data here").at(nal.offset))
    }

    /// Appends a slice, and what was held for it, to the open picture.
    fn add(&mut self, nal: NalUnit<'_>) {
        self.units.extend(self.held.drain(..).map(|unit| unit.range));
        self.units.push(nal.range());
        (self.waiting, self.in_front, self.boundary) = (None, false, false);
    }

    /// Keeps a unit until the next slice says where it belongs.
    fn hold(&mut self, nal: NalUnit<'_>, header: NalHeader) {
        self.held.push(Held { range: nal.range(), unit_type: header.unit_type });
    }

    /// Opens an IDR access unit with every set that holds: missing sequence parameter sets stand in front of all, missing
    /// picture parameter sets behind the last sequence parameter set held for it.
    ///
    /// The order matters. A decoder reads a picture parameter set by its sequence parameter set, and may forget it when that
    /// one changes, as FFmpeg's does: one that stands ahead of its sequence parameter set counts as missing. An extension
    /// stands directly behind its set (7.4.1.2.3), which is therefore repeated with it.
    fn open_with_all_sets(&mut self) {
        // All that came since the last slice is held, in order: what was last sent before that is missing.
        let held_from = self.held.first().map_or(u64::MAX, |unit| unit.range.offset);
        let is_sps = |unit: &Held| matches!(unit.unit_type, NalUnitType::Sps | NalUnitType::SpsExtension);
        let sps_end = self.held.iter().rposition(is_sps).map_or(0, |last| last + 1);

        let sps_end_offset = self.held.get(sps_end).map_or(u64::MAX, |unit| unit.range.offset);
        let missing = |place: &SetPlace| place.offset < held_from;
        let (mut front, mut behind): (Vec<SetPlace>, Vec<SetPlace>) = (Vec::new(), Vec::new());
        for set in self.sets.in_force() {
            // What stands behind a set that it refers to is read by that one.
            let repeated_late = set.refers_to.is_some_and(|other| behind.contains(&other));
            let comes_late =
                set.refers_to.is_some_and(|other| !missing(&other) && set.place.offset < other.offset);
            let too_early = comes_late || (repeated_late && set.place.offset < sps_end_offset);
            match (missing(&set.place), set.extension.filter(missing)) {
                (true, extension) if !set.is_pps && !too_early => {
                    front.extend([Some(set.place), extension].into_iter().flatten());
                }
                (false, None) if !too_early => {}
                (_, extension) => behind.extend([Some(set.place), extension].into_iter().flatten()),
            }
        }

        for set in front.iter().chain(&behind) {
            self.repeated.add(u64::from(set.len));
        }
        if front.len() + behind.len() > 0 {
            self.opened_with = Some(Arc::clone(&self.sets));
        }
        let range = |set: SetPlace| SourceRange { offset: set.offset, len: set.len };
        self.units.extend(front.into_iter().map(range));
        self.units.extend(self.held.drain(..sps_end).map(|unit| unit.range));
        self.units.extend(behind.into_iter().map(range));
    }

    fn end_picture(&mut self) {
        (self.in_front, self.boundary) = (true, true);
    }

    /// Closes the open picture, and moves its units to `done`. A leading picture is dropped and counted.
    fn take_picture(&mut self) -> Option<(Picture, PictureOrder)> {
        let picture = self.picture.take()?;
        self.done_with = self.opened_with.take();
        std::mem::swap(&mut self.units, &mut self.done);
        self.units.clear();
        if picture.order.is_some() {
            self.slices.add(picture.slices);
        } else {
            let bytes = self.done.iter().map(|unit| u64::from(unit.len)).sum();
            self.dropped.leading_pictures.add(bytes);
        }
        picture.order.map(|order| (picture, order))
    }

    fn access_unit(&self, picture: Picture, order: PictureOrder) -> AccessUnit<'_> {
        AccessUnit {
            units: &self.done,
            offset: picture.offset,
            idr: picture.first.idr,
            intra: picture.intra,
            reference: picture.first.reference,
            order,
        }
    }
}
