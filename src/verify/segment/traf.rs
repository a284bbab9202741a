//! A `traf` box ► samples: `tfhd`, `tfdt` and each `trun` (ISO/IEC 14496-12 8.8.6 to 8.8.8, 8.8.12).

use super::groups;
use super::moof::{Moof, Place};
use super::{
    Notes, SEGMENT_BASE, SEGMENT_BOX_MISSING, SEGMENT_BOX_ORDER, SEGMENT_BOX_SIZE, SEGMENT_BOX_TRAILING,
    SEGMENT_DATA_OFFSET, SEGMENT_LIMIT, SEGMENT_TRUN, Sample, Segment,
};
use crate::boxes::reader::{Body, BoxRef};
use crate::verify::header::SampleDefaults;

const TFHD: &str = "ISO/IEC 14496-12 8.8.7";
const TRUN: &str = "ISO/IEC 14496-12 8.8.8";
const TFDT: &str = "ISO/IEC 14496-12 8.8.12";

/// The most samples of a segment, of all tracks.
pub(super) const MAX_SAMPLES: u64 = 1 << 22;

/// The bytes of the samples of one `trun`, which lie one behind the other.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Offset of the `trun` in the file.
    pub offset: u64,
    /// Where the first sample starts in the file; anywhere, since it is read from it.
    pub start: i128,
    /// Bytes.
    pub len: u64,
}

impl Run {
    /// Where the last sample ends.
    pub fn end(&self) -> i128 {
        self.start + i128::from(self.len)
    }
}

/// `tfhd`.
#[derive(Clone, Copy, Debug, Default)]
struct Tfhd {
    flags: u32,
    base_data_offset: Option<u64>,
    defaults: SampleDefaults,
}

const DURATION: u32 = 0x08;
const SIZE: u32 = 0x10;
const FLAGS: u32 = 0x20;
const DURATION_IS_EMPTY: u32 = 0x01_0000;
const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;

/// `track_ID` of the `tfhd` of a `traf`.
pub(super) fn track_id(traf: &BoxRef<'_>) -> Option<u32> {
    let mut boxes = traf.boxes();
    while let Ok(Some(next)) = boxes.next() {
        if next.kind.0 == *b"tfhd" {
            let mut body = next.fields(TFHD);
            return body.u32("version and flags").and_then(|_| body.u32("track_ID")).ok();
        }
    }
    None
}

/// Reads a `traf`: its runs go into `moof`; its samples and times too if it is that of the track (`is_own`).
pub(super) fn read(
    traf: &BoxRef<'_>,
    at: Place,
    is_own: bool,
    notes: &mut Notes<'_>,
    moof: &mut Moof,
    segment: &mut Segment,
) {
    let samples = &mut segment.samples;
    let offset = at.of(traf.offset);
    let (tfhd, decode_time, truns) = heads(traf, at, notes);
    let Some(tfhd) = tfhd else {
        return notes.add(&SEGMENT_BOX_MISSING, offset, "traf has no tfhd that can be read");
    };
    if decode_time.is_none() {
        notes.add(&SEGMENT_BOX_MISSING, offset, "traf has no tfdt that can be read");
    }
    if truns == 0 && (notes.cmaf || tfhd.flags & DURATION_IS_EMPTY == 0) {
        notes.add(&SEGMENT_BOX_MISSING, offset, "traf has no trun");
    }
    check_base(&tfhd, offset, notes);
    let base = match (tfhd.base_data_offset, moof.runs.last()) {
        (Some(base), _) => base.into(),
        // Without either flag the data of a later track follow those of the track in front (8.8.7).
        (None, Some(last)) if tfhd.flags & DEFAULT_BASE_IS_MOOF == 0 => last.end(),
        (None, _) => at.moof.into(),
    };
    let start = samples.len();
    let mut runs = Runs { tfhd, is_own, base, next: base, version_0: false };
    let mut boxes = traf.boxes();
    while let Ok(Some(next)) = boxes.next() {
        if next.kind.0 == *b"trun" && runs.read(&next, at, notes, moof, samples).is_none() {
            break;
        }
    }
    moof.base_data_offset = moof.base_data_offset.or(tfhd.base_data_offset);
    if !is_own {
        return samples.truncate(start);
    }
    moof.base_decode_time = moof.base_decode_time.or(decode_time);
    moof.has_version_0 |= runs.version_0;
    moof.samples.end = samples.len();
    groups::read(traf, at, start..samples.len(), notes, &mut segment.rolls);
}

/// `tfhd`, `tfdt` and the number of `trun` boxes, with notes of what is wrong with their order.
fn heads(traf: &BoxRef<'_>, at: Place, notes: &mut Notes<'_>) -> (Option<Tfhd>, Option<u64>, u32) {
    let (mut tfhd, mut tfdt, mut truns) = (None, None, 0);
    let mut boxes = traf.boxes();
    while let Some(next) = at.next(&mut boxes, notes) {
        let offset = at.of(next.offset);
        match &next.kind.0 {
            b"tfhd" if tfhd.is_some() => at.duplicate(&next, notes),
            b"tfdt" if tfdt.is_some() => at.duplicate(&next, notes),
            b"tfhd" => {
                if tfdt.is_some() || truns > 0 {
                    notes.add_of_cmaf(&SEGMENT_BOX_ORDER, offset, "tfhd stands behind tfdt or trun");
                }
                tfhd = Some(read_tfhd(&next, at, notes));
            }
            b"tfdt" => {
                if truns > 0 {
                    notes.add(&SEGMENT_BOX_ORDER, offset, "tfdt stands behind trun");
                }
                tfdt = Some(read_tfdt(&next, at, notes));
            }
            b"trun" => truns += 1,
            _ => {}
        }
    }
    (tfhd.flatten(), tfdt.flatten(), truns)
}

fn read_tfhd(tfhd: &BoxRef<'_>, at: Place, notes: &mut Notes<'_>) -> Option<Tfhd> {
    let (word, mut body) = at.full(tfhd, 0, TFHD, notes)?;
    let header = notes.header;
    let read = |body: &mut Body<'_>| -> crate::Result<Tfhd> {
        let defaults = header.defaults_of(body.u32("track_ID")?);
        let base_data_offset = (word & 1 != 0).then(|| body.u64("base_data_offset")).transpose()?;
        if word & 2 != 0 {
            body.u32("sample_description_index")?;
        }
        let mut field = |flag: u32, element, default| match word & flag {
            0 => Ok(default),
            _ => body.u32(element),
        };
        let defaults = SampleDefaults {
            duration: field(DURATION, "default_sample_duration", defaults.duration)?,
            size: field(SIZE, "default_sample_size", defaults.size)?,
            flags: field(FLAGS, "default_sample_flags", defaults.flags)?,
        };
        Ok(Tfhd { flags: word & 0xff_ffff, base_data_offset, defaults })
    };
    let read = at.read(read(&mut body), notes)?;
    at.end(tfhd, &body, notes);
    Some(read)
}

fn read_tfdt(tfdt: &BoxRef<'_>, at: Place, notes: &mut Notes<'_>) -> Option<u64> {
    const FIELD: &str = "baseMediaDecodeTime";
    let (word, mut body) = at.full(tfdt, 1, TFDT, notes)?;
    let time = match word >> 24 {
        0 => body.u32(FIELD).map(u64::from),
        _ => body.u64(FIELD),
    };
    let time = at.read(time, notes)?;
    at.end(tfdt, &body, notes);
    Some(time)
}

fn check_base(tfhd: &Tfhd, offset: u64, notes: &mut Notes<'_>) {
    if let Some(base) = tfhd.base_data_offset {
        let message = format!("tfhd has a base_data_offset, {base}, and counts from there");
        notes.add_of_cmaf(&SEGMENT_BASE, offset, message);
    } else if tfhd.flags & DEFAULT_BASE_IS_MOOF == 0 {
        let message = "default-base-is-moof is not set in tfhd";
        notes.add_of_cmaf(&SEGMENT_BASE, offset, message);
    }
}

/// The `trun` boxes of a `traf`, one after the other.
struct Runs {
    tfhd: Tfhd,
    /// They are of the track that is read.
    is_own: bool,
    /// What `data_offset` counts from.
    base: i128,
    /// Where the next run starts if it does not say so.
    next: i128,
    version_0: bool,
}

const RUN_DATA_OFFSET: u32 = 0x001;
const RUN_FIRST_FLAGS: u32 = 0x004;
const RUN_DURATION: u32 = 0x100;
const RUN_SIZE: u32 = 0x200;
const RUN_FLAGS: u32 = 0x400;
const RUN_COMPOSITION: u32 = 0x800;

impl Runs {
    /// Appends the samples of a `trun`; `None` if what follows it cannot be placed.
    fn read(
        &mut self,
        trun: &BoxRef<'_>,
        at: Place,
        notes: &mut Notes<'_>,
        moof: &mut Moof,
        samples: &mut Vec<Sample>,
    ) -> Option<()> {
        let (word, mut body) = at.full(trun, 1, TRUN, notes)?;
        let count = at.read(body.u32("sample_count"), notes)? as usize;
        let offset = at.of(trun.offset);
        if word & RUN_DATA_OFFSET != 0 {
            let data_offset = at.read(body.u32("data_offset"), notes)? as i32;
            self.next = self.base + i128::from(data_offset);
        } else if notes.cmaf {
            notes.add(&SEGMENT_DATA_OFFSET, offset, "trun has no data_offset");
        }
        let first_flags = match word & RUN_FIRST_FLAGS {
            0 => None,
            _ => Some(at.read(body.u32("first_sample_flags"), notes)?),
        };
        self.version_0 |= word >> 24 == 0;
        if self.is_own {
            self.check_brand(word, count, offset, notes);
        }
        let width = 4 * (word & 0xf00).count_ones() as usize;
        let fitting = body.rest().len().checked_div(width).unwrap_or(count);
        if fitting < count {
            let message = format!("trun has {count} samples, and place for {fitting}");
            notes.add(&SEGMENT_BOX_SIZE, offset, message);
            return None;
        }
        let Some(left) = notes.samples_left.checked_sub(count as u64) else {
            notes.add(&SEGMENT_LIMIT, offset, format!("trun has {count} samples"));
            return None;
        };
        notes.samples_left = left;
        let rows = body.take(width * count, "rows").ok()?;
        let start = self.next;
        self.rows(word, first_flags, rows.rest(), count, samples);
        let len = u64::try_from(self.next - start).unwrap_or(u64::MAX);
        moof.runs.push(Run { offset, start, len });
        let left = body.rest().len();
        if left > 0 {
            let message = format!("trun has {left} bytes behind the rows of its {count} samples");
            notes.add(&SEGMENT_BOX_TRAILING, at.of(body.offset()), message);
        }
        Some(())
    }

    /// Appends `count` samples from the bytes of their rows.
    fn rows(
        &mut self,
        word: u32,
        first_flags: Option<u32>,
        rows: &[u8],
        count: usize,
        samples: &mut Vec<Sample>,
    ) {
        let defaults = self.tfhd.defaults;
        let mut fields = rows.as_chunks::<4>().0.iter().map(|&field| u32::from_be_bytes(field));
        let mut field = |flag: u32, default: u32| match word & flag {
            0 => default,
            _ => fields.next().unwrap_or(default),
        };
        let mut first_flags = first_flags;
        samples.reserve(count);
        for _ in 0..count {
            let duration = field(RUN_DURATION, defaults.duration);
            let size = field(RUN_SIZE, defaults.size);
            let flags = field(RUN_FLAGS, first_flags.take().unwrap_or(defaults.flags));
            let composition = field(RUN_COMPOSITION, 0);
            let composition_offset = match word >> 24 {
                0 => i64::from(composition),
                _ => i64::from(composition as i32),
            };
            // Out of range it lies in no payload, which is noted.
            let offset = u64::try_from(self.next).unwrap_or(u64::MAX);
            samples.push(Sample { offset, size, duration, composition_offset, flags });
            self.next += i128::from(size);
        }
    }

    /// What `cmf2` asks for (ISO/IEC 23000-19 7.7.3).
    fn check_brand(&self, word: u32, count: usize, offset: u64, notes: &mut Notes<'_>) {
        if !notes.header.brands.iter().any(|brand| brand.0 == *b"cmf2") {
            return;
        }
        // A part of a file may be one of a track file, where version 0 is allowed.
        if word >> 24 == 0 && notes.is_whole_file && notes.header.handler.0 == *b"vide" {
            notes.add(&SEGMENT_TRUN, offset, "trun of video has version 0");
        }
        let has_all_flags = word & RUN_FIRST_FLAGS != 0 && count == 1;
        let inherited = [
            (self.tfhd.flags & DURATION == 0 && word & RUN_DURATION == 0, "duration"),
            (self.tfhd.flags & SIZE == 0 && word & RUN_SIZE == 0, "size"),
            (self.tfhd.flags & FLAGS == 0 && word & RUN_FLAGS == 0 && !has_all_flags, "flags"),
        ];
        for (_, what) in inherited.iter().filter(|(is_inherited, _)| *is_inherited && count > 0) {
            notes.add(
                &SEGMENT_TRUN,
                offset,
                format!("the {what} of samples stand neither in tfhd nor in trun"),
            );
        }
    }
}
