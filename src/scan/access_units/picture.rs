//! What is known of a picture while its slices come, and when its packet has ended.

use super::Role;
use crate::codec::{PictureOrder, RandomAccess};
use crate::scan::SourceRange;

/// One coded picture, or the two fields of a frame, with everything that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessUnit<'a> {
    /// Its NAL units in stream order, without those that samples do not carry. With parameter sets in band, one that decoding
    /// may start at has all sets that hold in front of its first slice: those that it lacks are ranges further up in the stream.
    pub units: &'a [SourceRange],
    /// Byte offset of its first slice.
    pub offset: u64,
    /// How decoding may start here.
    pub random_access: RandomAccess,
    /// Every slice of the primary coded picture is I or SI: it needs no other picture.
    pub intra: bool,
    /// Other pictures may need it.
    pub reference: bool,
    /// Where it stands in presentation order.
    pub order: PictureOrder,
    /// For how many fields it is shown: 2 for a frame, unless a picture timing SEI message says otherwise (`pic_struct`), 1 for a
    /// field without the other one.
    pub fields: u8,
}

/// A unit that waits for its picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) range: SourceRange,
    pub(super) role: Role,
}

impl Held {
    pub(super) fn is_parameter_set(&self) -> bool {
        matches!(self.role, Role::ParameterSet | Role::PictureParameterSet)
    }
}

/// A picture, or field pair, whose slices are coming.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture<S> {
    /// Its first slice, …
    pub(super) first: S,
    /// … that of its second field, where that has begun, …
    pub(super) second: Option<S>,
    /// … and the last slice that has come.
    pub(super) last: S,
    pub(super) offset: u64,
    pub(super) random_access: RandomAccess,
    pub(super) intra: bool,
    pub(super) reference: bool,
    pub(super) slices: u64,
    pub(super) fields: u8,
    /// `None` for one that is dropped.
    pub(super) order: Option<PictureOrder>,
}

/// The picture that a packet ended with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<S> {
    /// First slice of its last field or frame.
    pub(super) slice: S,
    /// It is a field that another one could join.
    pub(super) lacks_field: bool,
    /// It was dropped and not given out, and whether decoders skip it.
    pub(super) dropped: Option<bool>,
}

impl<S: Copy> Picture<S> {
    /// What is known of it when its packet ends.
    pub(super) fn given(&self) -> Given<S> {
        let dropped = self.order.is_none().then(|| self.is_skipped());
        Given { slice: self.current(), lacks_field: self.second.is_none(), dropped }
    }

    /// Decoders do not show it, since what it leans on is not there.
    pub(super) fn is_skipped(&self) -> bool {
        self.random_access == RandomAccess::Rasl
    }

    /// The first slice of the field, or frame, that slices are coming of.
    pub(super) fn current(&self) -> S {
        self.second.unwrap_or(self.first)
    }
}

/// How many slices pictures have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SliceCounts {
    /// Of every picture but the last, as long as they are equal.
    before: Option<u64>,
    differ: bool,
    last: Option<u64>,
}

impl SliceCounts {
    pub(super) fn add(&mut self, slices: u64) {
        if let Some(last) = self.last.replace(slices) {
            self.differ |= self.before.is_some_and(|before| before != last);
            self.before = Some(last);
        }
    }
    /// Slices of the last picture and of each one before it, where those have all the same number and the last has fewer.
    pub(super) fn short_last(&self) -> Option<(u64, u64)> {
        self.last.zip(self.before).filter(|(last, before)| !self.differ && last < before)
    }
}
