//! NAL units in stream order ► access units of H.264 or H.265, each of which becomes one sample.
//!
//! A state machine that is pushed one NAL unit after the other and holds only ranges. What samples do not carry is
//! dropped and counted: access unit delimiters, filler data, H.264's ends of sequence and stream, and the parameter sets
//! that the sample entry holds. Everything else stays, in order, whatever its type. Parameter sets kept in band stay too,
//! and every access unit that decoding may start at is given those that hold and that it lacks.
//!
//! What a codec's NAL units mean is [`NalCodec`]'s: [`H264`](super::h264::H264) and [`H265`](super::h265::H265).
//!
//! A unit that can only stand in front of a picture (SEI, prefix NAL units …) starts an access unit by the standards'
//! letter, but prefix NAL units of H.264 stand between the slices of one picture too (G.7.4.1.2.3, H.7.4.1.2.3). Such units
//! are held until the next slice says which picture it belongs to.
//!
//! The two fields of an H.264 frame, each of which is a picture and an access unit to the standard, are one sample
//! (ISO/IEC 14496-15 5.2.2, of the 2010 edition), and one [`AccessUnit`] here.

mod codec;
#[cfg(any(test, fuzzing))]
pub(in crate::scan) mod fuzz;
mod in_band;
mod part;
mod picture;

pub use crate::codec::ParameterSetStore;
pub use codec::{NalCodec, Role, Rules, Slice};
pub use part::{Change, Event, Splitter};
pub use picture::AccessUnit;
use picture::{Given, Held, Picture, SliceCounts};

use std::sync::Arc;

use crate::codec::parameter_sets::too_long;
use crate::codec::sei::{self, HdrMetadata};
use crate::codec::{ParameterSetPlacement, PictureOrder, RandomAccess};
use crate::error::{Error, ErrorKind, Result};

use super::{Count, Dropped, NalUnit, SourceRange};

/// How to group NAL units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessUnitOptions {
    /// Drop and count pictures that cannot be decoded, instead of refusing them: those before the first that decoding can
    /// start with, and RASL pictures whose CRA or BLA picture starts a sequence.
    pub drop_leading: bool,
    /// Where parameter sets go. In the sample entry alone, one that changes is an error.
    pub parameter_sets: ParameterSetPlacement,
}

/// Groups NAL units into access units.
///
/// Between access units a clone costs next to nothing: it shares the parameter sets until one of the two takes in another.
#[derive(Clone, Debug)]
pub struct AccessUnitBuilder<C: NalCodec> {
    drop_leading: bool,
    sets: Arc<C::Sets>,
    counter: C::Counter,
    hdr: HdrMetadata,
    /// Where an SEI message says otherwise than `hdr`.
    hdr_changes: Option<u64>,
    /// Payload of the picture timing SEI message for the next picture; empty without one.
    picture_timing: Vec<u8>,
    dropped: Dropped,
    repeated: Count,
    slices: SliceCounts,
    /// The picture that slices are being added to.
    picture: Option<Picture<C::Slice>>,
    /// Units of `picture`, …
    units: Vec<SourceRange>,
    /// … units that belong to it or to the next one, which the next slice decides, …
    held: Vec<Held>,
    /// … and those of the access unit last given out.
    done: Vec<SourceRange>,
    /// Sets that `picture` was given, and those that the one last given out was, behind where they were sent.
    opened_with: Vec<(u64, Arc<[u8]>)>,
    done_with: Vec<(u64, Arc<[u8]>)>,
    /// Units that join the access unit last given out, and where that was asked for, what has to be known of it.
    joined: Vec<SourceRange>,
    given: Option<Given<C::Slice>>,
    /// Where the first unit that waits for a picture stood, be it held or dropped.
    waiting: Option<u64>,
    /// A unit that stands in front of a picture has come since the last slice.
    in_front: bool,
    /// A delimiter or an end has come since the last slice: the next one starts a picture.
    boundary: bool,
    /// An end of sequence has come since the last slice: the next one starts no second field.
    ended: bool,
    /// A picture has come that decoding can start with.
    seen_start: bool,
    finished: bool,
    /// The builder may be split, …
    keeps_before: bool,
    /// … into what was known before the coming access unit, …
    before: Option<Box<part::Before<C::Sets>>>,
    /// … and it was, for this.
    after: Option<Change>,
}

impl<C: NalCodec> AccessUnitBuilder<C> {
    /// Starts a stream.
    pub fn new(options: AccessUnitOptions) -> Self {
        let AccessUnitOptions { drop_leading, parameter_sets } = options;
        Self::with_parameter_sets(drop_leading, C::Sets::new(parameter_sets))
    }

    /// Starts a stream whose pictures may use `sets`, as if these had come in front of it.
    pub fn with_parameter_sets(drop_leading: bool, sets: C::Sets) -> Self {
        Self {
            drop_leading,
            sets: Arc::new(sets),
            counter: C::Counter::default(),
            hdr: HdrMetadata::default(),
            hdr_changes: None,
            picture_timing: Vec::new(),
            dropped: Dropped::default(),
            repeated: Count::default(),
            slices: SliceCounts::default(),
            picture: None,
            units: Vec::new(),
            held: Vec::new(),
            done: Vec::new(),
            opened_with: Vec::new(),
            done_with: Vec::new(),
            joined: Vec::new(),
            given: None,
            waiting: None,
            in_front: false,
            boundary: false,
            ended: false,
            seen_start: false,
            finished: false,
            keeps_before: false,
            before: None,
            after: None,
        }
    }

    /// Takes the next NAL unit; gives the access unit that it shows to be complete, which is not the one it belongs to.
    ///
    /// Errors have the byte offset in the source; after one the builder is as before. They are: a unit without a
    /// header (a start code with only zeros behind it is what overwritten data looks like), a header or parameter set that
    /// breaks a rule or is cut off, a parameter set that is missing, or that changes where the sample entry holds it
    /// ([`ErrorKind::ParameterSetChanged`](crate::error::ErrorKind)), a picture format that changes, and pictures that cannot be
    /// decoded: those before the first that decoding can start with, and RASL pictures that have lost what they lean on.
    pub fn push(&mut self, nal: NalUnit<'_>) -> Result<Option<AccessUnit<'_>>> {
        debug_assert!(!self.finished, "the stream was finished");
        let role = C::role(nal.head).map_err(|error| error.shift(nal.offset))?;
        let bytes = u64::from(nal.len);
        match role {
            Role::Slice => return self.slice(nal),
            Role::SliceData => self.join(nal, "a slice data partition B or C without its partition A")?,
            Role::ParameterSet | Role::PictureParameterSet => self.parameter_set(nal, role)?,
            Role::Delimiter => {
                self.dropped.access_unit_delimiters.add(bytes);
                self.waiting.get_or_insert(nal.offset);
                (self.in_front, self.boundary) = (true, true);
            }
            Role::EndOfSequence { stays } | Role::EndOfStream { stays } => {
                match role {
                    _ if stays => self.add_behind(nal, role),
                    Role::EndOfSequence { .. } => self.dropped.ends_of_sequence.add(bytes),
                    _ => self.dropped.ends_of_stream.add(bytes),
                }
                C::end_of_sequence(&mut self.counter);
                // Behind one that stays an end of the stream may stand, or that of a higher layer, in the same access unit.
                self.in_front |= !stays;
                (self.boundary, self.ended) = (true, true);
            }
            Role::Filler => self.dropped.filler.add(bytes),
            Role::Sei | Role::Front => {
                if role == Role::Sei {
                    self.read_sei(nal);
                }
                self.waiting.get_or_insert(nal.offset);
                self.hold(nal, role);
                self.in_front = true;
            }
            Role::Behind => self.add_behind(nal, role),
        }
        Ok(None)
    }

    /// Ends a packet that holds whole access units, and gives the last of them: the next slice has to start another one.
    /// `None` for a packet without a slice.
    ///
    /// Units that wait for a picture go on to do so. Those that can only stand behind one belong to the access unit given
    /// out last, though they come in a later packet: see [`Self::joined`].
    pub fn end_packet(&mut self) -> Option<AccessUnit<'_>> {
        if let Some(picture) = &self.picture {
            self.given = Some(picture.given());
        }
        let (picture, order) = self.take_picture()?;
        Some(self.access_unit(picture, order))
    }

    /// Starts a packet: forgets what was given out before.
    pub fn start_packet(&mut self) {
        self.done.clear();
        self.done_with.clear();
        self.joined.clear();
    }

    /// Units of the access unit last given out.
    pub(crate) fn given_units(&self) -> &[SourceRange] {
        &self.done
    }

    /// A set that the access unit last given out was given, as it held then: it was last sent at `offset`.
    pub(crate) fn given_set(&self, offset: u64) -> Option<&[u8]> {
        self.done_with.iter().find(|(sent_at, _)| *sent_at == offset).map(|(_, set)| &set[..])
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
        self.picture_timing.clear();
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
                C::RULES.unit_order,
                format!("give an {} byte stream (Annex B) with at least one picture", C::RULES.codec),
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
        if !self.seen_start {
            let pictures = self.dropped.leading_pictures.units;
            return Err(Error::malformed(
                format!(
                    "the stream has no sync sample: none of its {pictures} pictures is {}",
                    C::RULES.start
                ),
                C::RULES.start_clause,
                C::RULES.start_remedy,
            ));
        }
        Ok(last.map(|(picture, order)| self.access_unit(picture, order)))
    }

    /// The parameter sets that have come so far; all of the track once it is finished.
    pub fn parameter_sets(&self) -> &C::Sets {
        &self.sets
    }

    /// What the sample entry says: parameter sets and SEI messages that have come so far.
    ///
    /// # Errors
    /// Where no picture used a parameter set, or the configuration record cannot hold them.
    pub fn configuration(&self) -> Result<<C::Sets as ParameterSetStore>::Configuration> {
        C::configuration(&self.sets, &self.hdr)
    }

    /// Where an SEI message told another mastering display, light level or transfer than the first, which the sample entry
    /// tells.
    pub fn hdr_changes(&self) -> Option<u64> {
        self.hdr_changes
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
        self.slices.short_last()
    }

    fn slice(&mut self, nal: NalUnit<'_>) -> Result<Option<AccessUnit<'_>>> {
        let slice = self.read_slice(nal)?;
        if slice.is_redundant() {
            self.join(nal, "a slice of a redundant coded picture without its primary coded picture")?;
            return Ok(None);
        }
        self.check_given(&slice, nal.offset)?;
        let boundary = self.boundary || (C::FRONT_STARTS_UNIT && self.in_front);
        if let Some(picture) = &mut self.picture
            && !boundary
            && !slice.starts_new_picture(&picture.current())
        {
            // Of one that is dropped it may not be known what its slices say, and does not matter.
            if picture.order.is_some()
                && let Some((what, clause)) = slice.contradiction(&picture.current(), &picture.last)
            {
                return Err(Error::malformed(what, clause, "the stream is damaged here").at(nal.offset));
            }
            picture.last = slice;
            picture.intra &= slice.is_intra().unwrap_or(true);
            picture.slices += 1;
            self.join(nal, "a slice")?;
            return Ok(None);
        }
        if !slice.starts_picture() {
            // What is left of a picture whose start is missing.
            self.join_nothing(nal, "a slice of a picture whose first slice has not come")?;
            return Ok(None);
        }
        if self.second_field(&slice, nal)? {
            return Ok(None);
        }
        let opened = self.open(&slice, nal.offset)?;
        let complete = self.take_picture();
        self.picture = Some(opened);
        let starts = slice.is_random_access();
        self.seen_start |= starts;
        if starts && opened.order.is_some() && self.sets.placement() == ParameterSetPlacement::InBand {
            self.open_with_all_sets();
        }
        self.note_field(&slice);
        self.add(nal);
        Ok(complete.map(|(picture, order)| self.access_unit(picture, order)))
    }

    /// Tells the parameter sets of the first field.
    fn note_field(&mut self, slice: &C::Slice) {
        if slice.is_field() && !self.sets.has_field_pictures() {
            Arc::make_mut(&mut self.sets).note_field_picture();
        }
    }

    /// Takes in the parameter set `nal`, and holds it for its picture where the track keeps it in band.
    fn parameter_set(&mut self, nal: NalUnit<'_>, role: Role) -> Result<()> {
        let bytes = u64::from(nal.len);
        if nal.head.len() as u64 != bytes {
            return Err(too_long(bytes).at(nal.offset));
        }
        // One that the sample entry has already changes nothing, and need not be read again.
        if !self.sets.is_repetition(nal.head) {
            self.keep_before();
            Arc::make_mut(&mut self.sets).insert(nal.head, nal.offset)?;
        }
        self.waiting.get_or_insert(nal.offset);
        match self.sets.placement() {
            ParameterSetPlacement::SampleEntry => self.dropped.parameter_sets.add(bytes),
            ParameterSetPlacement::InBand => self.hold(nal, role),
        }
        self.in_front = true;
        Ok(())
    }

    /// Notes what the SEI messages in `nal` say that a sample entry or a clock needs. They stay in the sample whatever they
    /// say, so one that cannot be read is nobody's error.
    fn read_sei(&mut self, nal: NalUnit<'_>) {
        for message in sei::messages(nal.head, C::HEADER_LEN).map_while(Result::ok) {
            let mut said = HdrMetadata::default();
            if message.payload_type == sei::PICTURE_TIMING {
                self.picture_timing.clear();
                self.picture_timing.extend_from_slice(&message.payload);
            } else if matches!(said.read(&message), Ok(true)) {
                self.keep_before();
                self.note_said(&said);
                if !self.hdr.take_in(&said) {
                    self.hdr_changes.get_or_insert(nal.offset);
                }
            }
        }
    }

    /// # Errors
    /// For a slice of a picture, or of the other field of a frame, that an earlier packet began.
    fn check_given(&self, slice: &C::Slice, offset: u64) -> Result<()> {
        let given = self.given.filter(|_| self.picture.is_none() && !self.ended);
        let Some(Given { slice: given, lacks_field, .. }) = given else { return Ok(()) };
        let what = if !self.boundary && !slice.starts_new_picture(&given) {
            let kind = if given.is_random_access() { C::RULES.start } else { "a picture" };
            format!("a slice of {kind} that an earlier packet began")
        } else if lacks_field && slice.is_second_field_of(&given) {
            "the second field of a frame whose first field an earlier packet has".to_owned()
        } else {
            return Ok(());
        };
        let remedy = "push all slices of a picture, and both fields of a frame, in one packet";
        Err(Error::malformed(what, C::RULES.first_slice, remedy).at(offset))
    }

    fn read_slice(&self, nal: NalUnit<'_>) -> Result<C::Slice> {
        let result = C::read_slice(nal.head, &self.sets);
        if self.seen_start {
            return result.map_err(|error| error.shift(nal.offset));
        }
        // A stream that starts in the middle may lack the parameter sets of its first pictures.
        let start =
            C::read_slice_without_parameter_sets(nal.head).map_err(|error| error.shift(nal.offset))?;
        if !start.is_random_access() {
            self.check_after(nal.offset)?;
        }
        if start.is_random_access() || (self.drop_leading && self.sets.has(start.pps_id())) {
            return result.map_err(|error| error.shift(nal.offset));
        }
        if self.drop_leading {
            return Ok(start);
        }
        let first = C::RULES.first;
        Err(Error::new(ErrorKind::LeadingPictures { first, pictures: None }).at(nal.offset))
    }

    /// The picture that starts with `slice`. Either both the counter and the sets move on, or neither does.
    fn open(&mut self, slice: &C::Slice, offset: u64) -> Result<Picture<C::Slice>> {
        let mut picture = Picture {
            first: *slice,
            second: None,
            last: *slice,
            offset,
            random_access: RandomAccess::No,
            intra: slice.is_intra().unwrap_or(true),
            reference: C::is_reference(slice, &self.sets),
            slices: 1,
            fields: 2,
            order: None,
        };
        if !slice.is_random_access() && !self.seen_start {
            return Ok(picture);
        }
        let mut counter = self.counter;
        let order = C::next_order(&mut counter, slice, &self.sets).map_err(|error| error.at(offset))?;
        picture.random_access = C::random_access(slice, order, &counter);
        if C::is_undecodable(picture.random_access, &counter) {
            if self.drop_leading {
                self.counter = counter;
                return Ok(picture);
            }
            return Err(Error::malformed(
                "a RASL picture whose CRA or BLA picture starts the stream or a sequence: what it leans on is not there",
                "H.265 8.1.3",
                "cut the stream elsewhere, or drop such pictures, which no decoder shows (--drop-leading, drop_leading)",
            )
            .at(offset));
        }
        if !self.sets.is_active(slice.pps_id()) {
            let starts_sequence = picture.random_access == RandomAccess::Sync;
            Arc::make_mut(&mut self.sets).activate(slice.pps_id(), starts_sequence, offset)?;
        }
        picture.fields = self.fields(slice);
        picture.order = Some(order);
        self.counter = counter;
        Ok(picture)
    }

    /// Joins `slice` to the open picture, where it starts the second field of it.
    fn second_field(&mut self, slice: &C::Slice, nal: NalUnit<'_>) -> Result<bool> {
        let is_pair = |picture: &&Picture<C::Slice>| {
            picture.second.is_none() && !self.ended && slice.is_second_field_of(&picture.first)
        };
        let Some(mut picture) = self.picture.as_ref().filter(is_pair).copied() else { return Ok(false) };
        if let Some(first) = picture.order {
            let mut counter = self.counter;
            let order =
                C::next_order(&mut counter, slice, &self.sets).map_err(|error| error.at(nal.offset))?;
            if !self.sets.is_active(slice.pps_id()) {
                Arc::make_mut(&mut self.sets).activate(slice.pps_id(), false, nal.offset)?;
            }
            picture.order = Some(PictureOrder::of_pair(first, order));
            picture.fields = picture.fields.saturating_add(self.fields(slice));
            self.counter = counter;
        }
        (picture.second, picture.last) = (Some(*slice), *slice);
        picture.intra &= slice.is_intra().unwrap_or(true);
        picture.reference |= C::is_reference(slice, &self.sets);
        picture.slices += 1;
        self.picture = Some(picture);
        self.add(nal);
        Ok(true)
    }

    /// For how many fields the picture, or field, that starts with `slice` is shown.
    fn fields(&self, slice: &C::Slice) -> u8 {
        C::field_count(slice, &self.picture_timing, &self.sets)
    }

    /// Adds a slice to the picture that is open; without one it is an error, which says `what` came.
    fn join(&mut self, nal: NalUnit<'_>, what: &'static str) -> Result<()> {
        if self.picture.is_some() && !self.boundary {
            self.add(nal);
            return Ok(());
        }
        self.join_nothing(nal, what)
    }

    /// A slice without a picture that it could join is an error, which says `what` came. Ahead of the first picture that
    /// decoding can start with it is what remains of a picture whose start is missing, and dropped with the others when asked.
    fn join_nothing(&mut self, nal: NalUnit<'_>, what: &'static str) -> Result<()> {
        if self.drop_leading && !self.seen_start && self.after.is_none() {
            self.dropped.leading_pictures.bytes += u64::from(nal.len);
            return Ok(());
        }
        Err(Error::malformed(what, C::RULES.first_slice, "the stream lacks data here").at(nal.offset))
    }

    /// Appends a slice, and what was held for it, to the open picture.
    fn add(&mut self, nal: NalUnit<'_>) {
        if self.picture.is_some_and(|picture| picture.order.is_none() && picture.is_skipped()) {
            self.skip_held();
        } else {
            self.units.extend(self.held.drain(..).map(|unit| unit.range));
        }
        self.units.push(nal.range());
        self.waiting = self.held.first().map(|unit| unit.range.offset);
        self.picture_timing.clear();
        self.before = None;
        (self.in_front, self.boundary, self.ended) = (false, false, false);
    }

    /// Appends a unit that stands behind a slice to the picture that is open, or was given out; where units stand between that
    /// can only be in front of the next picture, it belongs to that one.
    fn add_behind(&mut self, nal: NalUnit<'_>, role: Role) {
        if self.picture.is_some() && !self.in_front {
            self.units.push(nal.range());
        } else if let Some(given) = self.given.filter(|_| !self.in_front) {
            match given.dropped {
                Some(skipped) => self.dropped_count(skipped).bytes += u64::from(nal.len),
                None => self.joined.push(nal.range()),
            }
        } else {
            self.waiting.get_or_insert(nal.offset);
            self.hold(nal, role);
        }
    }

    /// Keeps a unit until the next slice says where it belongs.
    fn hold(&mut self, nal: NalUnit<'_>, role: Role) {
        self.held.push(Held { range: nal.range(), role });
    }

    /// Closes the open picture, and moves its units to `done`. A picture that cannot be decoded is dropped and counted.
    fn take_picture(&mut self) -> Option<(Picture<C::Slice>, PictureOrder)> {
        let picture = self.picture.take()?;
        self.done_with = std::mem::take(&mut self.opened_with);
        std::mem::swap(&mut self.units, &mut self.done);
        self.units.clear();
        if picture.order.is_some() {
            self.slices.add(picture.slices);
        } else {
            let bytes = self.done.iter().map(|unit| u64::from(unit.len)).sum();
            self.dropped_count(picture.is_skipped()).add(bytes);
        }
        picture.order.map(|order| (picture, order))
    }

    /// Pictures that were dropped because decoders skip them, or because decoding cannot start with them.
    fn dropped_count(&mut self, skipped: bool) -> &mut Count {
        if skipped { &mut self.dropped.skipped_pictures } else { &mut self.dropped.leading_pictures }
    }

    fn access_unit(&self, picture: Picture<C::Slice>, order: PictureOrder) -> AccessUnit<'_> {
        AccessUnit {
            units: &self.done,
            offset: picture.offset,
            random_access: picture.random_access,
            intra: picture.intra,
            reference: picture.reference,
            order,
            fields: picture.fields,
        }
    }
}
