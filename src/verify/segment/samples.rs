//! What has to hold of the samples of a segment: durations, composition times, and which are sync samples.

use super::chunk::Facts;
use super::{
    Chunk, Notes, SEGMENT_COMPOSITION, SEGMENT_DURATION, SEGMENT_EMPTY, SEGMENT_FLAGS, SEGMENT_SPACING,
    SEGMENT_SYNC, Segment,
};

/// Checks the samples, of which there are some.
pub(super) fn check(segment: &Segment, facts: Facts, notes: &mut Notes<'_>) {
    let Some(chunk) = segment.chunks.first() else { return };
    check_fields(segment, notes);
    if segment.samples.first().is_some_and(|first| !first.is_sync()) {
        let message = "the first sample is not a sync sample: decoding cannot start at the segment";
        notes.add_of_cmaf(&SEGMENT_SYNC, chunk.offset, message);
    }
    check_composition(segment, facts, notes);
}

/// Each sample by itself.
fn check_fields(segment: &Segment, notes: &mut Notes<'_>) {
    let is_media = matches!(&notes.header.handler.0, b"vide" | b"soun");
    let last = segment.samples.len() - 1;
    for (index, sample) in segment.samples.iter().enumerate() {
        if sample.duration == 0 {
            let message = format!("sample {index} has duration 0");
            if index == last {
                notes.warn(&SEGMENT_DURATION, sample.offset, message);
            } else {
                notes.add(&SEGMENT_DURATION, sample.offset, message);
            }
        }
        if sample.size == 0 && is_media {
            notes.warn(&SEGMENT_EMPTY, sample.offset, format!("sample {index} has no bytes"));
        }
        // sample_depends_on 1: it depends on others.
        if sample.is_sync() && sample.flags >> 24 & 3 == 1 {
            let message = format!(
                "sample {index} is a sync sample and depends on others (sample_flags {:#010x})",
                sample.flags
            );
            notes.add(&SEGMENT_FLAGS, sample.offset, message);
        }
    }
}

fn check_composition(segment: &Segment, facts: Facts, notes: &mut Notes<'_>) {
    let Some(first) = segment.chunks.first() else { return };
    let is_video = notes.header.handler.0 == *b"vide";
    if !is_video && segment.samples.iter().all(|sample| sample.composition_offset == 0) {
        return;
    }
    let mut times = composition_times(segment);
    times.sort_unstable();
    let Some(&(earliest, index)) = times.first() else { return };
    let offset = segment.samples.get(index).map_or(first.offset, |sample| sample.offset);
    if earliest < 0 {
        let message = format!("composition time {earliest} of sample {index} is negative");
        notes.add_of_cmaf(&SEGMENT_COMPOSITION, offset, message);
    }
    let base = i128::from(first.base_decode_time);
    if notes.cmaf && !facts.has_version_0 && earliest != base {
        let message = format!("the earliest composition time is {earliest}, tfdt is {base}");
        notes.add(&SEGMENT_COMPOSITION, offset, message);
    }
    let equal = times.windows(2).find(|pair| pair[0].0 == pair[1].0);
    if let (true, Some(&[(time, one), (_, other)])) = (is_video, equal) {
        let message = format!("samples {one} and {other} have one composition time, {time}");
        notes.add(&SEGMENT_COMPOSITION, offset, message);
    } else if is_video {
        check_spacing(segment, &times, notes);
    }
}

/// Composition times, sorted, of samples that all last equally long: those of a constant frame rate.
fn check_spacing(segment: &Segment, times: &[(i128, usize)], notes: &mut Notes<'_>) {
    let mut durations = segment.samples.iter().map(|sample| sample.duration);
    let Some(duration) = durations.next() else { return };
    // A gap between chunks is told by itself.
    let is_gap = |pair: &[Chunk]| {
        let ticks = u64::from(duration).saturating_mul(pair[0].samples.len() as u64);
        pair[0].base_decode_time.checked_add(ticks) != Some(pair[1].base_decode_time)
    };
    if durations.any(|other| other != duration) || segment.chunks.windows(2).any(is_gap) {
        return;
    }
    let apart = |pair: &&[(i128, usize)]| pair[1].0 - pair[0].0;
    if let Some(pair) = times.windows(2).find(|pair| apart(pair) != i128::from(duration)) {
        let (one, other) = (pair[0].1, pair[1].1);
        let offset = segment.samples.get(other).map_or(0, |sample| sample.offset);
        let message = format!(
            "sample {other} is shown {} ticks after sample {one}, and each lasts {duration}",
            apart(&pair)
        );
        notes.add(&SEGMENT_SPACING, offset, message);
    }
}

/// Composition times in ticks with the indices of the samples, in decode order.
fn composition_times(segment: &Segment) -> Vec<(i128, usize)> {
    let mut times = Vec::with_capacity(segment.samples.len());
    for chunk in &segment.chunks {
        let mut decode_time = i128::from(chunk.base_decode_time);
        for index in chunk.samples.clone() {
            let Some(sample) = segment.samples.get(index) else { return times };
            times.push((decode_time + i128::from(sample.composition_offset), index));
            decode_time += i128::from(sample.duration);
        }
    }
    times
}
