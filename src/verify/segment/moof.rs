//! A `moof` box ► the samples of its track and where their bytes are (ISO/IEC 14496-12 8.8.4 to 8.8.8).

use std::ops::Range;

use super::traf::{self, Run};
use super::window::TopLevel;
use super::{
    Notes, SEGMENT_BOX_DUPLICATE, SEGMENT_BOX_MISSING, SEGMENT_BOX_ORDER, SEGMENT_BOX_SIZE,
    SEGMENT_BOX_TRAILING, SEGMENT_BOX_VERSION, SEGMENT_TRACK_ID, SEGMENT_TRACKS, Sample, Segment,
};
use crate::boxes::reader::{Body, BoxRef, Boxes};

const MFHD: &str = "ISO/IEC 14496-12 8.8.5";

/// What a `moof` says of the track.
pub(super) struct Moof {
    /// Where it starts in the file.
    pub offset: u64,
    /// `sequence_number`; 0 without an `mfhd`.
    pub sequence_number: u32,
    /// `baseMediaDecodeTime`.
    pub base_decode_time: Option<u64>,
    /// Its samples of the track, by index.
    pub samples: Range<usize>,
    /// Where its samples lie, of any track.
    pub runs: Vec<Run>,
    /// The first `base_data_offset` of a `tfhd`, which counts in a file that nobody knows.
    pub base_data_offset: Option<u64>,
    /// Some `trun` has version 0.
    pub has_version_0: bool,
}

impl Moof {
    /// Finds the samples of a `moof` with `base_data_offset`: it counts from the start of this file, or else of one in which
    /// the `moof` stood at that offset.
    pub fn rebase(&mut self, payload: &Range<u64>, samples: &mut [Sample]) {
        let Some(base) = self.base_data_offset else { return };
        let inside =
            |run: &Run| run.start >= i128::from(payload.start) && run.end() <= i128::from(payload.end);
        if self.runs.iter().all(inside) {
            return;
        }
        let shift = i128::from(self.offset) - i128::from(base);
        self.runs.iter_mut().for_each(|run| run.start += shift);
        for sample in &mut samples[self.samples.clone()] {
            let offset = i128::from(sample.offset) + shift;
            sample.offset = u64::try_from(offset).unwrap_or(u64::MAX);
        }
    }
}

/// Reads the body of a `moof`; the samples of the track are appended to those of `segment`. `None` without any `traf` that can be read.
pub(super) fn read(
    bytes: &[u8],
    top_level: &TopLevel,
    notes: &mut Notes<'_>,
    segment: &mut Segment,
) -> Option<Moof> {
    let start = segment.samples.len();
    let mut moof = Moof {
        offset: top_level.offset,
        sequence_number: 0,
        base_decode_time: None,
        samples: start..start,
        runs: Vec::new(),
        base_data_offset: None,
        has_version_0: false,
    };
    let at = Place { body: top_level.body, moof: top_level.offset };
    let own = own_track(bytes, at, notes);
    let (mut mfhd, mut trafs) = (None, 0_u32);
    let mut boxes = Boxes::of_file(bytes);
    while let Some(next) = at.next(&mut boxes, notes) {
        if bytes.get(next.offset as usize..).is_some_and(|rest| rest.starts_with(&[0; 4])) {
            let message = format!("box '{}' within moof has size 0", next.kind);
            notes.add(&SEGMENT_BOX_SIZE, at.of(next.offset), message);
        }
        match &next.kind.0 {
            b"mfhd" if mfhd.is_some() => at.duplicate(&next, notes),
            b"mfhd" => {
                if trafs > 0 {
                    let offset = at.of(next.offset);
                    notes.add_of_cmaf(&SEGMENT_BOX_ORDER, offset, "mfhd stands behind traf");
                }
                mfhd = Some(sequence_number(&next, at, notes));
            }
            b"traf" => {
                trafs += 1;
                let is_own = traf::track_id(&next).is_some_and(|id| Some(id) == own);
                traf::read(&next, at, is_own, notes, &mut moof, segment);
            }
            _ => {}
        }
    }
    match mfhd {
        Some(number) => moof.sequence_number = number.unwrap_or(0),
        None => notes.add(&SEGMENT_BOX_MISSING, top_level.offset, "moof has no mfhd"),
    }
    if trafs == 0 {
        notes.add(&SEGMENT_BOX_MISSING, top_level.offset, "moof has no traf");
        return None;
    }
    if trafs > 1 && notes.cmaf {
        notes.add(&SEGMENT_TRACKS, top_level.offset, format!("moof has {trafs} traf boxes"));
    }
    Some(moof)
}

/// The `track_ID` by which samples are taken: that of the track, or else of the first `traf`. Where the init segment has more tracks
/// there need be no `traf` of this one, and each is to be of one of them.
fn own_track(bytes: &[u8], at: Place, notes: &mut Notes<'_>) -> Option<u32> {
    let (wanted, others) = (notes.header.track_id, &notes.header.others);
    let (mut has_own, mut unknown) = (false, None);
    let mut boxes = Boxes::of_file(bytes);
    while let Ok(Some(next)) = boxes.next() {
        let id = if next.kind.0 == *b"traf" { traf::track_id(&next) } else { None };
        let is_known = id.is_none_or(|id| id == wanted || others.iter().any(|other| other.0 == id));
        has_own |= id == Some(wanted);
        unknown = unknown.or(id.filter(|_| !is_known).map(|id| (id, next.offset)));
    }
    let is_alone = others.is_empty();
    if let Some((id, offset)) = unknown.filter(|_| !is_alone || !has_own) {
        let mut ids: Vec<_> = others.iter().map(|other| other.0).chain([wanted]).collect();
        ids.sort_unstable();
        let ids = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("track_ID is {id}, the init segment has {ids}");
        notes.add(&SEGMENT_TRACK_ID, at.of(offset), message);
        if is_alone {
            return Some(id);
        }
    }
    has_own.then_some(wanted)
}

/// `sequence_number` (ISO/IEC 14496-12 8.8.5).
fn sequence_number(mfhd: &BoxRef<'_>, at: Place, notes: &mut Notes<'_>) -> Option<u32> {
    let (_, mut body) = at.full(mfhd, 0, MFHD, notes)?;
    let number = at.read(body.u32("sequence_number"), notes)?;
    at.end(mfhd, &body, notes);
    Some(number)
}

/// Where the bytes of a `moof` are in the file: offsets of the reader count from the start of its body.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Start of the body.
    pub body: u64,
    /// Start of the box.
    pub moof: u64,
}

impl Place {
    /// The offset in the file of one in the body.
    pub fn of(self, offset: u64) -> u64 {
        self.body.saturating_add(offset)
    }

    /// The next box; `None` at the end or where what comes is none, which is noted.
    pub fn next<'a>(self, boxes: &mut Boxes<'a>, notes: &mut Notes<'_>) -> Option<BoxRef<'a>> {
        self.read(boxes.next(), notes).flatten()
    }

    /// What was read, or a note of why it was not.
    pub fn read<T>(self, read: crate::Result<T>, notes: &mut Notes<'_>) -> Option<T> {
        read.map_err(|error| notes.misread(&error, self.body)).ok()
    }

    /// A second box where one may be.
    pub fn duplicate(self, second: &BoxRef<'_>, notes: &mut Notes<'_>) {
        let message = format!("there is a second box '{}'", second.kind);
        notes.add(&SEGMENT_BOX_DUPLICATE, self.of(second.offset), message);
    }

    /// Version and flags of a `FullBox` as one number, and the fields behind them; `None` with a later version than
    /// `max_version`, which is noted.
    pub fn full<'a>(
        self,
        full: &BoxRef<'a>,
        max_version: u8,
        clause: &'static str,
        notes: &mut Notes<'_>,
    ) -> Option<(u32, Body<'a>)> {
        let mut body = full.fields(clause);
        let word = self.read(body.u32("version and flags"), notes)?;
        let version = word >> 24;
        if version > u32::from(max_version) {
            let message = format!("version {version} of '{}' is not known", full.kind);
            notes.add(&SEGMENT_BOX_VERSION, self.of(full.offset), message);
            return None;
        }
        Some((word, body))
    }

    /// Notes what is left behind the last field.
    pub fn end(self, full: &BoxRef<'_>, body: &Body<'_>, notes: &mut Notes<'_>) {
        let left = body.rest().len();
        if left > 0 {
            let message = format!("'{}' has {left} bytes behind its last field", full.kind);
            notes.add(&SEGMENT_BOX_TRAILING, self.of(body.offset()), message);
        }
    }
}
