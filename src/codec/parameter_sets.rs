//! Parameter sets of H.264 and H.265 by id: what came first, what holds now, where each was last sent, what
//! pictures used. What a set says
//! is the codec's; that a sample entry holds one set for each id for the whole track is the same for both
//! (ISO/IEC 14496-15).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use super::VideoConfiguration;
use super::picture_format::SequenceSet;
use crate::error::{Error, ErrorKind, Result};

/// Where the parameter sets of a track are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ParameterSetPlacement {
    /// In the sample entry alone (`avc1`, `hvc1`): one set for each id.
    #[default]
    SampleEntry,
    /// In the samples too (`avc3`, `hev1`): a set may change under its id, as the stream has it.
    InBand,
}

impl ParameterSetPlacement {
    /// Type of the sample entry of H.264, which the codec string starts with too.
    pub const fn avc_entry_type(self) -> &'static [u8; 4] {
        match self {
            Self::SampleEntry => b"avc1",
            Self::InBand => b"avc3",
        }
    }

    /// Type of the sample entry of H.265, likewise.
    pub const fn hevc_entry_type(self) -> &'static [u8; 4] {
        match self {
            Self::SampleEntry => b"hvc1",
            Self::InBand => b"hev1",
        }
    }
}

/// The parameter sets of a stream.
pub trait ParameterSetStore: Clone + Debug + Default {
    /// What they say together.
    type Configuration: Into<VideoConfiguration>;

    /// No sets yet, for a track that keeps them there.
    fn new(placement: ParameterSetPlacement) -> Self;

    /// Where the track keeps them.
    fn placement(&self) -> ParameterSetPlacement;

    /// Takes in a set; `nal` is the whole NAL unit, `offset` its place in the source.
    ///
    /// # Errors
    /// For a set that breaks a rule, or that changes where the sample entry holds it; nothing is taken in then.
    fn insert(&mut self, nal: &[u8], offset: u64) -> Result<()>;

    /// Whether taking in this set changes nothing.
    fn is_repetition(&self, nal: &[u8]) -> bool;

    /// Whether the sets of this `pic_parameter_set_id` have come.
    fn has(&self, pps_id: u8) -> bool;

    /// Whether pictures use the sets of this `pic_parameter_set_id` already.
    fn is_active(&self, pps_id: u8) -> bool;

    /// Notes that a picture at `offset` uses this `pic_parameter_set_id`; the sequence parameter set may change where a
    /// sequence starts.
    ///
    /// # Errors
    /// Where it may not; nothing is noted then.
    fn activate(&mut self, pps_id: u8, starts_sequence: bool, offset: u64) -> Result<()>;

    /// A field was coded as a picture.
    fn note_field_picture(&mut self) {}

    /// Whether that was noted.
    fn has_field_pictures(&self) -> bool {
        false
    }

    /// From now on a set that has not come yet is refused where the sample entry alone holds sets: it is written.
    fn close(&mut self);

    /// Size of the pictures after cropping, luma samples; `None` as long as none has come.
    fn picture_size(&self) -> Option<(u16, u16)>;

    /// The sets that hold now, each behind those that it refers to.
    fn in_force(&self) -> impl Iterator<Item = SetInForce>;

    /// The bytes of the set that holds now and was last sent at `offset`.
    fn sent_at(&self, offset: u64) -> Option<&Arc<[u8]>>;

    /// The sets that hold now, as what comes before another sample entry: each counts as one of that only once it is sent again
    /// or a picture uses it, and any may come under its id before.
    fn renewed(&self) -> Self;
}

/// Parameter sets of one kind, by id.
#[derive(Clone, Debug)]
pub(crate) struct SetMap<T> {
    /// What errors call a set of them.
    kind: &'static str,
    by_id: BTreeMap<u8, Stored<T>>,
}

/// What came under one id.
#[derive(Clone, Debug)]
struct Stored<T> {
    first: Version<T>,
    /// The one that holds now, where that is not the first.
    replaced_by: Option<Version<T>>,
    /// Where the one that holds now was last sent.
    last: u64,
    /// It came before the sample entry that is collected for, and nothing has asked for it since.
    inherited: bool,
}

/// A set as it came.
#[derive(Clone, Debug)]
pub(crate) struct Version<T> {
    /// The NAL unit, trailing zeros trimmed; shared with the access units that are given it.
    pub(crate) bytes: Arc<[u8]>,
    /// Where it stood in the source.
    pub(crate) offset: u64,
    pub(crate) value: T,
}

impl<T> Stored<T> {
    fn current(&self) -> &Version<T> {
        self.replaced_by.as_ref().unwrap_or(&self.first)
    }

    fn place(&self) -> SetPlace {
        let len = u32::try_from(self.current().bytes.len());
        SetPlace { offset: self.last, len: len.expect("a stored set has at most MAX_SET_LEN bytes") }
    }
}

impl<T> SetMap<T> {
    /// No sets yet of this `kind`.
    pub(crate) fn new(kind: &'static str) -> Self {
        Self { kind, by_id: BTreeMap::new() }
    }

    /// Takes in a set.
    ///
    /// # Errors
    /// Where the track keeps sets in the sample entry alone and another came under the same id; where a new id comes when
    /// the sample entry is written. Nothing is taken in then.
    pub(crate) fn store(&mut self, id: u8, came: Came<'_>, value: T) -> Result<()> {
        let Self { kind, by_id } = self;
        let Came { nal, offset, keeping: Keeping { placement, closed } } = came;
        let version = || Version { bytes: nal.into(), offset, value };
        let Some(stored) = by_id.get_mut(&id) else {
            if closed {
                return Err(Error::new(ErrorKind::ParameterSetNew { kind, id, at: offset }).at(offset));
            }
            by_id.insert(id, Stored { first: version(), replaced_by: None, last: offset, inherited: false });
            return Ok(());
        };
        if std::mem::take(&mut stored.inherited) && *stored.first.bytes != *nal {
            stored.first = version();
        } else if *stored.current().bytes != *nal {
            if placement == ParameterSetPlacement::SampleEntry {
                let first = stored.first.offset;
                return Err(
                    Error::new(ErrorKind::ParameterSetChanged { kind, id, first, second: offset }).at(offset)
                );
            }
            stored.replaced_by = Some(version());
        }
        stored.last = offset;
        Ok(())
    }

    /// The set that holds now under `id`, for a slice that refers to it, or does so `by` a set of another kind and id.
    ///
    /// # Errors
    /// Where none has come, against the codec's `clause`.
    pub(crate) fn needed(
        &self,
        id: u8,
        by: Option<(&'static str, u8)>,
        clause: &'static str,
    ) -> Result<&Version<T>> {
        self.by_id.get(&id).map(Stored::current).ok_or_else(|| {
            let by = by.map_or(String::new(), |(kind, id)| format!(" by {kind} {id}"));
            Error::malformed(
                format!("the slice refers to {} {id}{by}, which has not come", self.kind),
                clause,
                "the stream starts in the middle or lacks data; parameter sets must come before the slices that use them",
            )
        })
    }

    /// The sets as they first came, in id order.
    pub(crate) fn first(&self) -> impl Iterator<Item = &Version<T>> {
        self.by_id.values().filter(|stored| !stored.inherited).map(|stored| &stored.first)
    }

    /// The sets that hold now, for [`ParameterSetStore::renewed`].
    pub(crate) fn renewed(&self) -> Self
    where
        T: Clone,
    {
        let renewed = |stored: &Stored<T>| Stored {
            first: stored.current().clone(),
            replaced_by: None,
            last: stored.last,
            inherited: true,
        };
        Self { kind: self.kind, by_id: self.by_id.iter().map(|(&id, set)| (id, renewed(set))).collect() }
    }

    /// Whether the set under `id` belongs to what came before the sample entry that is collected for.
    pub(crate) fn is_inherited(&self, id: u8) -> bool {
        self.by_id.get(&id).is_some_and(|stored| stored.inherited)
    }

    /// Makes the set under `id` one of the sample entry; gives it if it was not.
    pub(crate) fn keep_inherited(&mut self, id: u8) -> Option<&T> {
        let stored = self.by_id.get_mut(&id).filter(|stored| stored.inherited)?;
        stored.inherited = false;
        Some(&stored.first.value)
    }

    /// Whether a set first came with these bytes.
    pub(crate) fn has_first(&self, nal: &[u8]) -> bool {
        self.first().any(|version| *version.bytes == *nal)
    }

    /// The sets that hold now, by id, with where they were last sent.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = (u8, &T, SetPlace)> {
        self.by_id.iter().map(|(&id, stored)| (id, &stored.current().value, stored.place()))
    }

    /// Where the set that holds now under `id` was last sent.
    pub(crate) fn place(&self, id: u8) -> Option<SetPlace> {
        self.by_id.get(&id).map(Stored::place)
    }

    /// The bytes of the set that holds now and was last sent at `offset`.
    pub(crate) fn sent_at(&self, offset: u64) -> Option<&Arc<[u8]>> {
        let stored = self.by_id.values().find(|stored| stored.last == offset)?;
        Some(&stored.current().bytes)
    }
}

/// Where a set that holds now was last sent: its NAL unit in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetPlace {
    /// Byte offset of its header byte.
    pub offset: u64,
    /// Bytes, at most 65535.
    pub len: u32,
}

/// A set that holds now, as one of all that a picture may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetInForce {
    /// Where it was last sent.
    pub place: SetPlace,
    /// The set of another kind that it refers to, where that has come.
    pub refers_to: Option<SetPlace>,
    /// What stands directly behind it and is repeated with it: the extension of a sequence parameter set (H.264 7.4.1.2.3).
    pub extension: Option<SetPlace>,
    /// Whether it is a picture parameter set, which no other set refers to.
    pub is_pps: bool,
}

/// `sequenceParameterSetLength`, `pictureParameterSetLength` and `nalUnitLength` have 16 bits (ISO/IEC 14496-15
/// 5.3.3.1.2, 8.3.3.1.2).
pub(crate) const MAX_SET_LEN: usize = 65535;

/// A set whose length does not fit the configuration record.
pub(crate) fn too_long(len: u64) -> Error {
    Error::new(ErrorKind::TooLarge {
        what: "a parameter set's length".into(),
        value: len,
        limit: MAX_SET_LEN as u64,
        clause: "ISO/IEC 14496-15 5.3.3.1.2",
        remedy: "the stream is damaged here".into(),
    })
}

/// A track without any parameter set of this `kind`, which the codec's `clause` asks for.
pub(crate) fn none_came(kind: &str, clause: &'static str) -> Error {
    Error::malformed(
        format!("no {kind} parameter set has come"),
        clause,
        "give a stream with at least one coded picture, or its parameter sets",
    )
}

/// `nal` without the zero bytes behind it, which no NAL unit ends with (H.264 7.4.1, H.265 7.4.2.1).
pub(crate) fn trim_zeros(nal: &[u8]) -> &[u8] {
    let len = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &nal[..len]
}

/// How a track keeps its sets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keeping {
    placement: ParameterSetPlacement,
    /// The sample entry is written: no set may come that it does not have.
    closed: bool,
}

impl Keeping {
    /// There, with the sample entry still open.
    pub(crate) fn new(placement: ParameterSetPlacement) -> Self {
        Self { placement, closed: false }
    }

    pub(crate) fn placement(self) -> ParameterSetPlacement {
        self.placement
    }

    /// Refuses sets that have not come yet from now on, where the sample entry alone holds sets.
    pub(crate) fn close(&mut self) {
        self.closed = self.is_in_sample_entry();
    }

    /// Whether the sample entry alone holds sets.
    pub(crate) fn is_in_sample_entry(self) -> bool {
        self.placement == ParameterSetPlacement::SampleEntry
    }

    /// A set that came at `offset` in the source: `nal` without trailing zeros.
    ///
    /// # Errors
    /// Where its length does not fit the configuration record.
    pub(crate) fn came(self, nal: &[u8], offset: u64) -> Result<Came<'_>> {
        if nal.len() > MAX_SET_LEN {
            return Err(too_long(nal.len() as u64).at(offset));
        }
        Ok(Came { nal, offset, keeping: self })
    }
}

/// A set that came, where, and for what track.
#[derive(Clone, Copy)]
pub(crate) struct Came<'a> {
    /// The NAL unit, trailing zeros trimmed, at most [`MAX_SET_LEN`] bytes.
    nal: &'a [u8],
    offset: u64,
    keeping: Keeping,
}

/// The sequence parameter sets that pictures used. `A` tells the sets in use at a time from others, `T` is the timing that
/// they give.
#[derive(Clone, Debug)]
pub(crate) struct Used<S, A, T> {
    /// That of the first picture, and where that picture was.
    first: Option<(S, u64)>,
    /// Of every one.
    timings: BTreeSet<Option<T>>,
    /// In use now.
    active: Option<A>,
}

impl<S, A, T> Default for Used<S, A, T> {
    fn default() -> Self {
        Self { first: None, timings: BTreeSet::new(), active: None }
    }
}

impl<S: SequenceSet, A: Copy + PartialEq, T: Ord> Used<S, A, T> {
    /// What is in use now.
    pub(crate) fn active(&self) -> Option<A> {
        self.active
    }

    /// The sequence parameter set of the first picture.
    pub(crate) fn first(&self) -> Option<&S> {
        self.first.as_ref().map(|(sps, _)| sps)
    }

    /// Timing of every sequence parameter set that pictures used.
    pub(crate) fn timings(&self) -> impl Iterator<Item = &Option<T>> {
        self.timings.iter()
    }

    /// Size of the pictures after cropping, luma samples; `None` as long as none has come.
    pub(crate) fn picture_size(&self) -> Option<(u16, u16)> {
        self.first().map(|sps| sps.picture_format().cropped_size())
    }

    /// Notes that pictures from `offset` on use `sps`, with this `timing`.
    ///
    /// # Errors
    /// Where their format is not that of the first picture: the sample entry describes one. Nothing is noted then.
    pub(crate) fn activate(&mut self, active: A, sps: S, timing: Option<T>, offset: u64) -> Result<()> {
        if let Some((first, at)) = &self.first
            && let Some(what) = first.picture_format().difference(&sps.picture_format())
        {
            let kind = ErrorKind::PictureFormatChanged { what: what.into(), first: *at, second: offset };
            return Err(Error::new(kind).at(offset));
        }
        self.timings.insert(timing);
        self.first.get_or_insert((sps, offset));
        self.active = Some(active);
        Ok(())
    }
}
