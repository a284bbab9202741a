//! Chunks: each `moof` with the `mdat` behind it (ISO/IEC 23000-19 7.3.2.3), and whether the samples fill the payload.

use std::ops::Range;

use super::moof::{self, Moof};
use super::traf::Run;
use super::window::{TopLevel, Window};
use super::{
    Chunk, Notes, SEGMENT_BOX_MISSING, SEGMENT_DATA_OFFSET, SEGMENT_DECODE_TIME, SEGMENT_EMPTY,
    SEGMENT_LIMIT, SEGMENT_MDAT, SEGMENT_PAYLOAD, SEGMENT_SEQUENCE, Segment,
};

/// The largest `moof` that is read.
const MAX_MOOF: u64 = 64 << 20;

/// Joins the boxes of a segment to chunks, as they come.
#[derive(Default)]
pub(super) struct Chunks {
    /// A `moof` whose `mdat` has not come.
    pending: Option<Moof>,
    /// Nothing stands behind that `moof` yet.
    is_adjacent: bool,
    /// Some `moof` or `mdat` was there.
    seen: bool,
    /// Decode time where the last chunk ends, and its sequence number.
    last: Option<(u64, u32)>,
    facts: Facts,
}

/// What the samples do not tell.
#[derive(Clone, Copy, Default)]
pub(super) struct Facts {
    /// Some `trun` has version 0: composition offsets cannot be negative.
    pub has_version_0: bool,
}

impl Chunks {
    /// What the samples do not tell.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// A `moof` box.
    pub fn moof(
        &mut self,
        window: &mut Window<'_>,
        top_level: &TopLevel,
        notes: &mut Notes<'_>,
        segment: &mut Segment,
    ) {
        self.without_mdat(notes, segment);
        (self.seen, self.is_adjacent) = (true, true);
        let len = top_level.end - top_level.body;
        if top_level.is_cut {
            return;
        }
        if len > MAX_MOOF {
            return notes.add(&SEGMENT_LIMIT, top_level.offset, format!("moof has {len} bytes"));
        }
        match window.bytes(top_level.body, len as usize) {
            Ok(bytes) => self.pending = moof::read(bytes, top_level, notes, segment),
            Err(error) => notes.unreadable(&error),
        }
    }

    /// An `mdat` box.
    pub fn mdat(&mut self, top_level: &TopLevel, notes: &mut Notes<'_>, segment: &mut Segment) {
        let Some(moof) = self.pending.take() else {
            match (self.seen, self.is_adjacent) {
                (false, _) => {
                    let message = "mdat has no moof in front of it, which would describe it";
                    notes.add(&SEGMENT_BOX_MISSING, top_level.offset, message);
                }
                // The moof in front could not be read.
                (true, true) => {}
                (true, false) => {
                    let message = "mdat does not stand behind a moof that describes it";
                    notes.add_of_cmaf(&SEGMENT_MDAT, top_level.offset, message);
                }
            }
            (self.seen, self.is_adjacent) = (true, false);
            return;
        };
        if !self.is_adjacent && notes.cmaf {
            let message = format!("other boxes stand between the moof at {:#x} and its mdat", moof.offset);
            notes.add(&SEGMENT_MDAT, top_level.offset, message);
        }
        self.is_adjacent = false;
        let payload = top_level.body..top_level.end;
        self.close(moof, payload, top_level.is_cut, notes, segment);
    }

    /// Another box.
    pub fn other(&mut self) {
        self.is_adjacent = false;
    }

    /// The end of the segment, which starts at `start`; with `is_whole` what is missing is, else that is where a box is broken,
    /// which was told.
    pub fn finish(&mut self, notes: &mut Notes<'_>, segment: &mut Segment, start: u64, is_whole: bool) {
        match self.pending.take() {
            Some(moof) if !is_whole => self.close(moof, 0..0, true, notes, segment),
            pending => {
                self.pending = pending;
                self.without_mdat(notes, segment);
            }
        }
        if !self.seen && is_whole {
            notes.add(&SEGMENT_BOX_MISSING, start, "the segment has no moof");
        }
    }

    fn without_mdat(&mut self, notes: &mut Notes<'_>, segment: &mut Segment) {
        let Some(moof) = self.pending.take() else { return };
        let message = "moof has no mdat behind it, in which its samples are";
        notes.add(&SEGMENT_BOX_MISSING, moof.offset, message);
        self.close(moof, 0..0, true, notes, segment);
    }

    /// Notes a chunk whose samples are in the segment already: those of the track, if there are any, and of the payload those of
    /// every track. Nothing is said of the payload where `is_cut`.
    fn close(
        &mut self,
        mut moof: Moof,
        payload: Range<u64>,
        is_cut: bool,
        notes: &mut Notes<'_>,
        segment: &mut Segment,
    ) {
        let is_multiplexed = !notes.header.others.is_empty();
        if moof.samples.is_empty() && !(is_multiplexed && moof.runs.iter().any(|run| run.len > 0)) {
            return notes.add_of_cmaf(&SEGMENT_EMPTY, moof.offset, "a chunk has no sample");
        }
        moof.rebase(&payload, &mut segment.samples);
        if !is_cut {
            check_payload(&mut moof.runs, &payload, notes);
        }
        if moof.samples.is_empty() {
            return;
        }
        let base_decode_time = self.times(&moof, notes, segment);
        self.facts.has_version_0 |= moof.has_version_0;
        segment.chunks.push(Chunk {
            offset: moof.offset,
            sequence_number: moof.sequence_number,
            base_decode_time,
            samples: moof.samples,
            payload,
        });
    }

    /// Decode time and sequence number against those of the chunk before.
    fn times(&mut self, moof: &Moof, notes: &mut Notes<'_>, segment: &Segment) -> u64 {
        let base = moof.base_decode_time.or(self.last.map(|(end, _)| end)).unwrap_or(0);
        if let Some((end, sequence_number)) = self.last {
            if end != base {
                let message = format!("tfdt is {base}, and the chunk before it ends at {end}");
                notes.add_of_cmaf(&SEGMENT_DECODE_TIME, moof.offset, message);
            }
            if moof.sequence_number <= sequence_number {
                let message = format!("sequence_number {} follows {sequence_number}", moof.sequence_number);
                notes.add(&SEGMENT_SEQUENCE, moof.offset, message);
            }
        }
        let durations = segment.samples[moof.samples.clone()].iter().map(|sample| u64::from(sample.duration));
        let end = durations.fold(base, u64::saturating_add);
        self.last = Some((end, moof.sequence_number));
        base
    }
}

/// Whether the samples of `runs` fill the payload.
fn check_payload(runs: &mut [Run], payload: &Range<u64>, notes: &mut Notes<'_>) {
    let (start, end) = (i128::from(payload.start), i128::from(payload.end));
    let outside = runs.iter().find(|run| run.len > 0 && (run.start < start || run.end() > end));
    if let Some(run) = outside {
        let message = format!(
            "samples lie from {} to {}, the payload of mdat from {start} to {end}",
            run.start,
            run.end(),
        );
        return notes.add(&SEGMENT_DATA_OFFSET, run.offset, message);
    }
    runs.sort_by_key(|run| (run.start, run.len));
    let mut filled = start;
    for run in runs.iter().filter(|run| run.len > 0) {
        if run.start != filled {
            let message = match run.start > filled {
                true => format!("bytes {filled} to {} of mdat belong to no sample", run.start),
                false => format!("samples overlap from {} to {filled}", run.start),
            };
            return notes.add_of_cmaf(&SEGMENT_PAYLOAD, run.offset, message);
        }
        filled = run.end();
    }
    if filled != end {
        let message = format!("the last {} bytes of mdat belong to no sample", end - filled);
        notes.add_of_cmaf(&SEGMENT_PAYLOAD, payload.start, message);
    }
}
