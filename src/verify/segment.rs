//! A media segment ► its chunks and samples, and what is wrong with them (ISO/IEC 14496-12 8.8, 23000-19 7.3 to 7.5).
//!
//! The boxes of the segment are walked by position; a `moof` is read whole, the payload of `mdat` never, so that a sound
//! segment of one chunk costs one read of a few kilobytes. Where CMAF asks for more than ISO/IEC 14496-12 and the track does
//! not claim CMAF by a brand, what is broken is a warning, or nothing where players do not mind.

use std::ops::Range;

use super::files::FILE_UNREADABLE;
use super::findings::Findings;
use super::header::Header;
use super::rules::{Rule, Severity, declare_rules};
use crate::boxes::FourCc;
use crate::io::ReadAt;

#[cfg(test)]
pub(in crate::verify) mod broken;
mod chunk;
mod groups;
mod moof;
mod samples;
#[cfg(test)]
mod tests;
mod traf;
mod window;

use chunk::Chunks;
use window::TopLevel;
pub(in crate::verify) use window::Window;

declare_rules! {
    SEGMENT_BOX_SIZE: Error "segment-box-size", "ISO/IEC 14496-12 4.2",
        "the boxes of a segment fill it, those in a box fill that, and fields stand inside of their box";
    SEGMENT_LIMIT: Warning "segment-limit", "fragmint: memory is bounded",
        "a segment has at most 4,194,304 samples, and no more than bytes, and a moof at most 64 MiB: more is not read";
    SEGMENT_BRAND: Warning "segment-brand", "ISO/IEC 14496-12 8.16.2 (not opened)",
        "a styp box is made of a major brand, a minor version and compatible brands, and lists the major one among these";
    SEGMENT_BOX_MISSING: Error "segment-box-missing", "ISO/IEC 23000-19 7.3.2.3 (not opened)",
        "a segment has chunks of moof and mdat, with mfhd, traf, tfhd, tfdt and trun in the moof";
    SEGMENT_BOX_DUPLICATE: Error "segment-box-duplicate", "ISO/IEC 14496-12 8.8",
        "mfhd stands once in a moof, tfhd and tfdt once in a traf";
    SEGMENT_BOX_ORDER: Error "segment-box-order", "ISO/IEC 23000-19 7.3.1, ISO/IEC 14496-12 8.8.12 (not opened)",
        "mfhd stands in front of traf, and tfhd, tfdt, trun, sbgp and sgpd in this order";
    SEGMENT_BOX_VERSION: Error "segment-box-version", "ISO/IEC 14496-12 8.8",
        "the versions of mfhd, tfhd, tfdt and trun are known";
    SEGMENT_BOX_TRAILING: Error "segment-box-trailing", "ISO/IEC 14496-12 8.8",
        "mfhd, tfhd, tfdt and trun end with their last field or row";
    SEGMENT_MDAT: Error "segment-mdat", "ISO/IEC 23000-19 7.5.19 (not opened)",
        "each mdat stands right behind the moof that describes it";
    SEGMENT_TRACKS: Error "segment-tracks", "ISO/IEC 23000-19 7.3.1 (not opened)",
        "a moof has one traf";
    SEGMENT_TRACK_ID: Error "segment-track-id", "ISO/IEC 23000-19 7.5.16 (not opened)",
        "the track_ID of a traf is that of a track of the init segment";
    SEGMENT_BASE: Error "segment-base", "ISO/IEC 23000-19 7.5.16, draft-pantos-hls-rfc8216bis 3.1.2",
        "places count from the moof: default-base-is-moof is set, and there is no base-data-offset";
    SEGMENT_DATA_OFFSET: Error "segment-data-offset", "ISO/IEC 14496-12 8.8.8, ISO/IEC 23000-19 7.5.17 (not opened)",
        "the samples of a chunk lie in the payload of its mdat, and trun says where";
    SEGMENT_PAYLOAD: Error "segment-payload", "ISO/IEC 23000-19 7.3.2.3 (not opened)",
        "the samples of a chunk fill its mdat, without gap, overlap or rest";
    SEGMENT_EMPTY: Error "segment-empty", "ISO/IEC 23000-19 7.3.2.3 (not opened)",
        "there are samples, and they have bytes";
    SEGMENT_SEQUENCE: Warning "segment-sequence", "ISO/IEC 14496-12 8.8.5",
        "sequence numbers rise from chunk to chunk";
    SEGMENT_DECODE_TIME: Error "segment-decode-time", "ISO/IEC 23000-19 7.3.2.2 (not opened)",
        "each chunk of a segment starts at the decode time where the one before it ends";
    SEGMENT_DURATION: Error "segment-duration", "ISO/IEC 14496-12 8.6.1.2",
        "samples have a duration: 0 is at most that of the last one";
    SEGMENT_COMPOSITION: Error "segment-composition", "ISO/IEC 23000-19 7.5.17 (not opened)",
        "composition times are not negative, no two are equal, and by trun version 1 the earliest is the tfdt";
    SEGMENT_SPACING: Warning "segment-spacing", "fragmint: pictures are shown for as long as their samples last",
        "where all samples of a segment last equally long, their composition times are as far apart";
    SEGMENT_TRUN: Error "segment-trun", "ISO/IEC 23000-19 7.7.3 (not opened)",
        "with brand cmf2, trun has version 1 for video, and nothing of samples is left to trex";
    SEGMENT_SYNC: Error "segment-sync", "ISO/IEC 23000-19 7.3.2.4 (not opened)",
        "a segment starts with a sync sample";
    SEGMENT_SYNC_TABLE: Warning "segment-sync-table", "ISO/IEC 23000-19 7.5.17 (not opened)",
        "where samples are not sync samples, the init segment has an stss box, which is empty";
    SEGMENT_ROLL_GROUP: Error "segment-roll-group", "ISO/IEC 14496-12 8.9.2, 8.9.4, 10.1 (not opened)",
        "sbgp of roll groups names groups that are there, in the init segment or in its traf, of no more samples than the traf has";
    SEGMENT_PRE_ROLL: Warning "segment-pre-roll", "Encapsulation of Opus in ISO BMFF 4.3.6.2 (not opened)",
        "each sample of Opus is in a roll group, whose distance is 80 ms";
    SEGMENT_FLAGS: Error "segment-flags", "ISO/IEC 14496-12 8.8.3.1",
        "the flags of a sample agree: no sync sample depends on others";
}

/// A media segment without its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Brands of `styp`, major first; none without one.
    pub brands: Vec<FourCc>,
    /// In file order.
    pub chunks: Vec<Chunk>,
    /// Of all chunks, in decode order.
    pub samples: Vec<Sample>,
    /// Roll groups of the samples, one run behind the other: the index behind a run, and `roll_distance`; `None` in no group.
    pub rolls: Vec<(usize, Option<i16>)>,
    /// Bytes of the segment.
    pub len: u64,
}

impl Segment {
    /// `roll_distance` of the group that a sample is in; `None` in no group.
    pub fn roll_distance(&self, index: usize) -> Option<i16> {
        let run = self.rolls.partition_point(|(end, _)| *end <= index);
        self.rolls.get(run).and_then(|(_, distance)| *distance)
    }
}

/// A `moof` and its `mdat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Offset of the `moof` in the file.
    pub offset: u64,
    /// `sequence_number` of `mfhd`.
    pub sequence_number: u32,
    /// `baseMediaDecodeTime`.
    pub base_decode_time: u64,
    /// Its samples, by index into those of the segment.
    pub samples: Range<usize>,
    /// Payload of its `mdat` in the file.
    pub payload: Range<u64>,
}

/// One sample, with every default applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// `sample_size`.
    pub size: u32,
    /// `sample_duration` in ticks.
    pub duration: u32,
    /// `sample_composition_time_offset` in ticks.
    pub composition_offset: i64,
    /// `sample_flags`.
    pub flags: u32,
}

impl Sample {
    /// Whether it is a sync sample by its flags (`sample_is_non_sync_sample` is 0).
    pub fn is_sync(&self) -> bool {
        self.flags & 0x0001_0000 == 0
    }
}

/// Reads the part `range` of a file as one media segment of the track of `header`; `None` if it has no samples of it: it is so
/// broken, which is in `findings` then, or those of other tracks of the init segment alone. Offsets are those in the file. The
/// payload is not read.
pub fn read(
    file: &str,
    source: &dyn ReadAt,
    range: Range<u64>,
    header: &Header,
    findings: &mut Findings,
) -> Option<Segment> {
    let end = range.end.min(source.len());
    let mut segment = Segment { len: end.saturating_sub(range.start), ..Segment::default() };
    let mut notes = Notes {
        file,
        findings,
        header,
        cmaf: header.brands.iter().any(is_cmaf),
        is_whole_file: range == (0..source.len()),
        end,
        samples_left: segment.len.min(traf::MAX_SAMPLES),
    };
    let mut window = Window::new(source, end);
    let mut chunks = Chunks::default();
    let mut position = range.start;
    while position < end {
        let Some(top_level) = notes.top_level(&mut window, position) else { break };
        match &top_level.kind.0 {
            b"styp" => notes.styp(&mut window, &top_level, &mut segment),
            b"moof" => chunks.moof(&mut window, &top_level, &mut notes, &mut segment),
            b"mdat" => chunks.mdat(&top_level, &mut notes, &mut segment),
            _ => chunks.other(),
        }
        position = top_level.end;
    }
    chunks.finish(&mut notes, &mut segment, range.start, position >= end);
    if segment.samples.is_empty() {
        return None;
    }
    samples::check(&segment, chunks.facts(), &mut notes);
    Some(segment)
}

/// Whether `segment` is of CMAF by its brands or those of its init segment, which should have a sync sample table and has none.
pub(in crate::verify) fn lacks_sync_table(segment: &Segment, header: &Header) -> bool {
    !header.has_sync_table
        && header.brands.iter().chain(&segment.brands).any(is_cmaf)
        && segment.samples.iter().any(|sample| !sample.is_sync())
}

/// Notes at the init segment `init` that `segment` [lacks its sync sample table](lacks_sync_table).
pub(in crate::verify) fn add_sync_table(init: &str, segment: &str, findings: &mut Findings) {
    let message = format!(
        "there is no stss, and samples that are no sync samples are in its segments, first in {segment}"
    );
    findings.add(&SEGMENT_SYNC_TABLE, init, None, message);
}

/// Notes at the init segment `init` that samples of Opus are not told to need others in front of them, first in `segment`.
pub(in crate::verify) fn add_pre_roll(init: &str, segment: &str, findings: &mut Findings) {
    let message = format!("there are samples of Opus in no roll group of 80 ms, first in {segment}");
    findings.add(&SEGMENT_PRE_ROLL, init, None, message);
}

/// The structural brands of CMAF tracks, segments, fragments and chunks.
pub(in crate::verify) fn is_cmaf(brand: &FourCc) -> bool {
    matches!(&brand.0, b"cmfc" | b"cmf2" | b"cmfs" | b"cmff" | b"cmfl" | b"cmfr")
}

/// Where findings go, and what decides how much they matter.
struct Notes<'a> {
    file: &'a str,
    findings: &'a mut Findings,
    header: &'a Header,
    /// The track or the segment claims CMAF by a brand.
    cmaf: bool,
    /// The segment is a file, not a part of one.
    is_whole_file: bool,
    /// Where it ends in the file.
    end: u64,
    /// How many more samples are read, of whatever track: a `trun` of a few bytes may count millions.
    samples_left: u64,
}

impl Notes<'_> {
    /// `rule` is broken at `offset`. A sample may lie behind the end, by a wrong `data_offset`: that is no place to look at.
    fn add(&mut self, rule: &Rule, offset: u64, message: impl Into<String>) {
        let offset = (offset <= self.end).then_some(offset);
        self.findings.add(rule, self.file, offset, message);
    }

    /// The same, as a warning.
    fn warn(&mut self, rule: &Rule, offset: u64, message: impl Into<String>) {
        let &Rule { id, clause, unverified, text, .. } = rule;
        self.add(&Rule { id, severity: Severity::Warning, clause, unverified, text }, offset, message);
    }

    /// The same, as a warning where CMAF is not claimed.
    fn add_of_cmaf(&mut self, rule: &Rule, offset: u64, message: impl Into<String>) {
        if self.cmaf { self.add(rule, offset, message) } else { self.warn(rule, offset, message) }
    }

    /// The bytes cannot be read: `error` says why.
    fn unreadable(&mut self, error: &crate::Error) {
        self.findings.add(&FILE_UNREADABLE, self.file, error.offset(), error.kind().to_string());
    }

    /// What the reader of boxes says, of bytes that start at `base`.
    fn misread(&mut self, error: &crate::Error, base: u64) {
        let offset = base.saturating_add(error.offset().unwrap_or(0));
        self.add(&SEGMENT_BOX_SIZE, offset, error.kind().to_string());
    }

    /// The box at `position`, in front of the end; `None` if nothing can be read from there on.
    fn top_level(&mut self, window: &mut Window<'_>, position: u64) -> Option<TopLevel> {
        let (top_level, fault) = match window.top_level(position) {
            Ok(read) => read,
            Err(error) => {
                self.unreadable(&error);
                return None;
            }
        };
        if let Some(fault) = fault {
            self.add(&SEGMENT_BOX_SIZE, position, fault);
        }
        top_level
    }

    /// A segment type box (ISO/IEC 14496-12 8.16.2).
    fn styp(&mut self, window: &mut Window<'_>, top_level: &TopLevel, segment: &mut Segment) {
        // More brands than any file has.
        const MOST: u64 = 4096;
        let len = top_level.end - top_level.body;
        if len < 8 || !len.is_multiple_of(4) || len > MOST {
            let message = format!("styp has {len} bytes, which is not 8 and 4 for each compatible brand");
            return self.add(&SEGMENT_BRAND, top_level.offset, message);
        }
        let bytes = match window.bytes(top_level.body, len as usize) {
            Ok(bytes) => bytes,
            Err(error) => return self.unreadable(&error),
        };
        let mut brands = bytes.as_chunks().0.iter().map(|&brand| FourCc(brand));
        let major = brands.next();
        let compatible: Vec<_> = brands.skip(1).collect();
        self.cmaf |= major.iter().chain(&compatible).any(is_cmaf);
        if let Some(major) = major.filter(|major| !compatible.contains(major)) {
            let message = format!("the major brand '{major}' is not among the compatible brands");
            self.add(&SEGMENT_BRAND, top_level.offset, message);
        }
        if segment.brands.is_empty() {
            segment.brands.extend(major);
            segment.brands.extend(compatible);
        }
    }
}
