//! What grouping NAL units into access units needs to know of a codec.

use std::fmt::Debug;

use crate::codec::sei::HdrMetadata;
use crate::codec::{ParameterSetStore, PictureOrder, RandomAccess};
use crate::error::Result;

/// A codec whose streams are NAL units.
pub trait NalCodec: Clone + Debug + Default {
    /// Its parameter sets.
    type Sets: ParameterSetStore;
    /// What its slice headers say.
    type Slice: Slice;
    /// Derives where pictures stand in presentation order.
    type Counter: Copy + Debug + Default;

    /// How errors speak of it.
    const RULES: Rules;

    /// What the unit that begins with `head` is for.
    ///
    /// # Errors
    /// For a header that breaks a rule.
    fn role(head: &[u8]) -> Result<Role>;

    /// Whether a unit that can only stand in front of a picture ends the one before, so that no slice of that may follow. Not in
    /// H.264, where prefix NAL units stand between slices.
    const FRONT_STARTS_UNIT: bool;

    /// Bytes of a NAL unit's header.
    const HEADER_LEN: usize;

    /// Reads the header of a slice with the parameter sets that have come so far.
    ///
    /// # Errors
    /// For one that breaks a rule or is cut off, or whose parameter sets have not come; offsets count from the unit's first byte.
    fn read_slice(head: &[u8], sets: &Self::Sets) -> Result<Self::Slice>;

    /// What can be told of a slice whose parameter sets have not come.
    ///
    /// # Errors
    /// As [`Self::read_slice`].
    fn read_slice_without_parameter_sets(head: &[u8]) -> Result<Self::Slice>;

    /// Order of the picture, or field, that starts with `slice`.
    ///
    /// # Errors
    /// Where it cannot be told; the counter is as before then.
    fn next_order(
        counter: &mut Self::Counter,
        slice: &Self::Slice,
        sets: &Self::Sets,
    ) -> Result<PictureOrder>;

    /// How decoding may start at the picture with this first slice and this order, `counter` having gone past it.
    fn random_access(slice: &Self::Slice, order: PictureOrder, counter: &Self::Counter) -> RandomAccess;

    /// An end of sequence has come.
    fn end_of_sequence(counter: &mut Self::Counter);

    /// Whether a picture with this access leans on pictures that the stream does not have, so that it cannot be decoded.
    fn is_undecodable(access: RandomAccess, counter: &Self::Counter) -> bool;

    /// Whether other pictures may need the one that `slice` is of.
    fn is_reference(slice: &Self::Slice, sets: &Self::Sets) -> bool;

    /// How many fields the picture or field that starts with `slice` is shown for; `picture_timing` is the payload of the SEI
    /// message in front of it, without emulation prevention, empty where there is none.
    fn field_count(slice: &Self::Slice, picture_timing: &[u8], sets: &Self::Sets) -> u8;

    /// What the sample entry says, with what SEI messages told.
    ///
    /// # Errors
    /// Where no picture used a parameter set, or the configuration record cannot hold them.
    fn configuration(
        sets: &Self::Sets,
        hdr: &HdrMetadata,
    ) -> Result<<Self::Sets as ParameterSetStore>::Configuration>;
}

/// What a NAL unit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A slice, or slice segment, of a picture.
    Slice,
    /// Data of a slice that has come: H.264's slice data partitions B and C.
    SliceData,
    /// A picture parameter set.
    PictureParameterSet,
    /// Any other parameter set.
    ParameterSet,
    /// An access unit delimiter.
    Delimiter,
    /// An end of sequence. H.265's stays in the sample: order counts and RASL pictures behind it depend on it.
    EndOfSequence {
        /// Whether it stays.
        stays: bool,
    },
    /// An end of the stream, likewise.
    EndOfStream {
        /// Whether it stays.
        stays: bool,
    },
    /// Filler data.
    Filler,
    /// Supplemental enhancement information in front of a picture.
    Sei,
    /// Anything else that can only stand in front of what it belongs to.
    Front,
    /// Anything else: it stands behind a slice of the picture that it belongs to.
    Behind,
}

/// What errors name.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The codec.
    pub codec: &'static str,
    /// What decoding can start with, and the clause.
    pub first: &'static str,
    /// The same without the clause, …
    pub start: &'static str,
    /// … and the clause alone.
    pub start_clause: &'static str,
    /// How to encode a stream that has some.
    pub start_remedy: &'static str,
    /// The clause on the order of NAL units.
    pub unit_order: &'static str,
    /// The clause on the first slice of a picture.
    pub first_slice: &'static str,
}

/// What grouping needs to know of a slice.
pub trait Slice: Copy + Debug {
    /// `pic_parameter_set_id`.
    fn pps_id(&self) -> u8;

    /// Whether it can be the first slice of a picture.
    fn starts_picture(&self) -> bool;

    /// Whether its picture is a field of a frame that is one sample.
    fn is_field(&self) -> bool;

    /// Whether the slice belongs to another picture, or field, than `first`, the first slice of the one before.
    fn starts_new_picture(&self, first: &Self) -> bool;

    /// Whether the slice, which starts a picture, starts the other field of the frame whose first field starts with `first`.
    fn is_second_field_of(&self, first: &Self) -> bool;

    /// Whether it is a slice of a redundant coded picture.
    fn is_redundant(&self) -> bool;

    /// Whether it is predicted from no other picture; a slice segment that does not say is as the one before.
    fn is_intra(&self) -> Option<bool>;

    /// Whether decoding may start at its picture, as far as the slice tells: RASL pictures behind it are another matter.
    fn is_random_access(&self) -> bool;

    /// What the slice says otherwise than `first`, of whose picture it is, or than `before`, the slice in front of it: the
    /// rule's words and clause.
    fn contradiction(&self, first: &Self, before: &Self) -> Option<(&'static str, &'static str)>;
}
