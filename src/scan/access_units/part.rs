//! A stream whose parameter sets change ► parts that are streams of their own: each with its own sample entry, from a picture
//! on that decoding may start at.
//!
//! [`AccessUnitBuilder::push`] refuses what the sample entry of a part cannot hold and is as before. The [`Splitter`]
//! then ends the part in front of the access unit that was coming, moves everything that waits for its picture to the
//! next part, and pushes the refused unit again. Changed sets that no picture follows start no part.

use std::sync::Arc;

use super::{AccessUnit, AccessUnitBuilder, NalCodec, NalUnit, ParameterSetStore};
use crate::codec::sei::HdrMetadata;
use crate::error::{Error, ErrorKind, Result, Text};
use crate::scan::Count;

/// A change that the sample entry of what comes before cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of what, as messages say it.
    pub what: String,
    /// Byte offset of what held before: a parameter set, or the first picture.
    pub first: u64,
    /// Byte offset of what differs from it.
    pub second: u64,
}

impl Change {
    /// The change that an error tells of; `None` for other errors.
    pub fn of(error: &ErrorKind) -> Option<Self> {
        match *error {
            ErrorKind::ParameterSetChanged { kind, id, first, second } => {
                Some(Self { what: format!("{kind} {id} changes"), first, second })
            }
            // The init segment holds from its first byte on.
            ErrorKind::ParameterSetNew { kind, id, at } => {
                Some(Self { what: format!("{kind} {id} is new"), first: 0, second: at })
            }
            ErrorKind::PictureFormatChanged { ref what, first, second } => {
                Some(Self { what: what.to_string(), first, second })
            }
            _ => None,
        }
    }
}

/// What was known before the first unit came that waits for a picture: that belongs to the part in front of it, whatever the
/// units say.
#[derive(Clone, Debug)]
pub(super) struct Before<S> {
    sets: Arc<S>,
    hdr: HdrMetadata,
    hdr_changes: Option<u64>,
    /// What SEI messages among the units say.
    said: HdrMetadata,
}

impl<C: NalCodec> AccessUnitBuilder<C> {
    /// From now on the builder can be split in front of any access unit.
    pub(crate) fn allow_parts(&mut self) {
        self.keeps_before = true;
    }

    /// Keeps what is known so far, ahead of what the coming unit adds to it for its picture.
    pub(super) fn keep_before(&mut self) {
        if self.keeps_before && self.before.is_none() {
            self.before = Some(Box::new(Before {
                sets: Arc::clone(&self.sets),
                hdr: self.hdr,
                hdr_changes: self.hdr_changes,
                said: HdrMetadata::default(),
            }));
        }
    }

    /// Notes what an SEI message says for the coming picture.
    pub(super) fn note_said(&mut self, said: &HdrMetadata) {
        if let Some(before) = &mut self.before {
            // Messages that contradict each other are told with the first picture that they are about.
            let _ = before.said.take_in(said);
        }
    }

    /// Ends a part in front of the access unit that is coming, which `change` forbids it, and begins the next with what waits for
    /// that one. Gives the builder of the part that ended, to be finished. The first picture of the part that begins has to be
    /// one that decoding may start at.
    ///
    /// Nothing ended where no such picture had come yet: then the part begins anew.
    pub(crate) fn split(&mut self, change: Change) -> Self {
        // Of the parameter sets that hold the part that begins has those that it sends or uses.
        let mut next = Self::with_parameter_sets(self.drop_leading, self.sets.renewed());
        next.allow_parts();
        let mut ended = std::mem::replace(self, next);
        if ended.has_started() {
            self.after = Some(change);
        } else {
            // What was dropped in front is counted.
            ended.take_picture();
            (self.after, self.hdr, self.hdr_changes) = (ended.after.take(), ended.hdr, ended.hdr_changes);
        }
        // Units behind the last picture given out are still of that one.
        self.given = ended.given;
        self.held = std::mem::take(&mut ended.held);
        self.picture_timing = std::mem::take(&mut ended.picture_timing);
        self.waiting = ended.waiting.take();
        self.in_front = std::mem::take(&mut ended.in_front);
        self.boundary = std::mem::take(&mut ended.boundary);
        if let Some(before) = ended.before.take() {
            if ended.has_started() {
                self.hdr = before.said;
            }
            (ended.sets, ended.hdr, ended.hdr_changes) = (before.sets, before.hdr, before.hdr_changes);
        }
        (self.dropped, self.repeated) = (ended.dropped, ended.repeated);
        ended
    }

    /// Takes back what `next`, split off, has that no picture came for.
    fn rejoin(&mut self, next: &mut Self) {
        self.held = std::mem::take(&mut next.held);
        (self.dropped, self.repeated) = (next.dropped, next.repeated);
    }

    /// Whether a picture has come that decoding can start with.
    fn has_started(&self) -> bool {
        self.seen_start
    }

    /// The error for a picture at `offset` that decoding cannot start at, where the part has to begin with one.
    pub(super) fn check_after(&self, offset: u64) -> Result<()> {
        let Some(Change { what, first, second }) = &self.after else { return Ok(()) };
        let start = C::RULES.start;
        let what: Text = format!(
            "{what} at {second:#x}, from what holds since {first:#x}, and the picture behind it is not {start}: no period can start \
             with it"
        )
        .into();
        let remedy = "keep parameter sets in band (--parameter-sets in-band), or encode with a key frame where they change";
        Err(Error::unsupported(what, remedy).at(offset))
    }
}

/// What a [`Splitter`] gives, in stream order.
pub enum Event<'a, C: NalCodec> {
    /// An access unit of the part that is open.
    Unit(AccessUnit<'a>),
    /// The part ended, for this; all its access units were given.
    Ended(&'a AccessUnitBuilder<C>, Change),
}

impl Count {
    /// Adds what came between two states of another count.
    fn add_difference(&mut self, before: Self, after: Self) {
        self.units += after.units - before.units;
        self.bytes += after.bytes - before.bytes;
    }
}

/// Groups NAL units into access units, and these into parts.
#[derive(Debug)]
pub struct Splitter<C: NalCodec> {
    builder: AccessUnitBuilder<C>,
    /// The part in front, for as long as no picture has come of the next, and what ended it.
    ended: Option<Box<(AccessUnitBuilder<C>, Change)>>,
}

impl<C: NalCodec> Splitter<C> {
    /// Starts a stream.
    pub fn new(mut builder: AccessUnitBuilder<C>) -> Self {
        builder.allow_parts();
        Self { builder, ended: None }
    }

    /// Takes the next NAL unit, and tells of what is complete by it.
    ///
    /// # Errors
    /// Those of [`AccessUnitBuilder::push`] but for changes, where the part can end; `Unsupported` where the picture behind a
    /// change is none that decoding may start at; those of `take`.
    pub fn push(
        &mut self,
        nal: NalUnit<'_>,
        take: &mut impl FnMut(Event<'_, C>) -> Result<()>,
    ) -> Result<()> {
        match self.builder.push(nal) {
            Ok(Some(unit)) => return take(Event::Unit(unit)),
            Ok(None) => {}
            Err(error) => {
                let change = Change::of(error.kind()).ok_or(error)?;
                let ended = self.builder.split(change.clone());
                if ended.has_started() {
                    self.ended = Some(Box::new((ended, change)));
                }
                // What was in front is in the other part, so it completes nothing.
                self.builder.push(nal)?;
            }
        }
        if self.ended.is_some() && self.builder.has_started() {
            self.end_part(take)?;
        }
        Ok(())
    }

    fn end_part(&mut self, take: &mut impl FnMut(Event<'_, C>) -> Result<()>) -> Result<()> {
        let Some(ended) = self.ended.take() else { return Ok(()) };
        let (mut ended, change) = *ended;
        let before = ended.dropped;
        if let Some(unit) = ended.finish()? {
            take(Event::Unit(unit))?;
        }
        // Its last picture may be one that is dropped, which shows only now.
        let (counted, after) = (&mut self.builder.dropped, ended.dropped);
        counted.leading_pictures.add_difference(before.leading_pictures, after.leading_pictures);
        counted.skipped_pictures.add_difference(before.skipped_pictures, after.skipped_pictures);
        take(Event::Ended(&ended, change))
    }

    /// Ends the stream with the last access unit; gives the builder of the last part, which counts for all.
    ///
    /// # Errors
    /// Those of [`AccessUnitBuilder::finish`], and of `take`.
    pub fn finish(
        mut self,
        take: &mut impl FnMut(Event<'_, C>) -> Result<()>,
    ) -> Result<AccessUnitBuilder<C>> {
        if let Some(ended) = self.ended.take() {
            // No picture came behind the change.
            let next = &mut self.builder;
            let (mut ended, _) = *ended;
            ended.rejoin(next);
            self.builder = ended;
        }
        if let Some(unit) = self.builder.finish()? {
            take(Event::Unit(unit))?;
        }
        Ok(self.builder)
    }
}
