//! Time: each segment starts where the one before it ended, with a sync sample, and every sample is on the grid of frames.

use super::{Parsed, Problems, each_track};
use crate::package::{FRAME_RATE, Kind, Package, Track};
use crate::segment::Segment;
use crate::source;

/// Samples in an AAC frame.
const AAC_FRAME: u64 = 1024;

/// Decode and presentation times within each track, and segment boundaries across the renditions.
pub fn check(package: &Package) -> Problems {
    let mut problems = each_track(package, None, |track| match Parsed::read(package, track) {
        Ok(parsed) => in_track(track, &parsed),
        Err(problems) => problems,
    });
    problems.extend(across_renditions(package));
    problems
}

fn in_track(track: &Track, Parsed { init, segments }: &Parsed) -> Problems {
    let mut problems = Problems::new();
    let mut expected_start = 0;
    let mut presentation_times = Vec::new();
    for (number, segment) in (1..).zip(segments) {
        if segment.decode_time != expected_start {
            problems
                .push(format!("segment {number}: tfdt {}, expected {expected_start}", segment.decode_time));
        }
        problems.extend(first_sync(track.kind, segment).map(|text| format!("segment {number}: {text}")));
        let times = presented(segment);
        if times.iter().min() != Some(&i128::from(segment.decode_time)) {
            problems.push(format!("segment {number}: the earliest presentation time is not its tfdt"));
        }
        presentation_times.extend(times);
        expected_start = segment.decode_time + segment.duration();
    }
    presentation_times.sort_unstable();

    let (step, count) = match track.kind {
        Kind::Video => (init.timescale() / FRAME_RATE, track.frames),
        Kind::Audio => (AAC_FRAME, source::units(track).len()),
    };
    if presentation_times.len() != count {
        problems.push(format!("{} samples, the source has {count}", presentation_times.len()));
    }
    let grid = (0..).map(|i| i * i128::from(step));
    if let Some((i, (time, on_grid))) =
        presentation_times.iter().zip(grid).enumerate().find(|(_, (a, b))| *a != b)
    {
        problems.push(format!("sample {i} is presented at {time}, not {on_grid}"));
    }
    if expected_start != step * count as u64 {
        problems.push(format!("ends at {expected_start}, not {}", step * count as u64));
    }
    problems
}

fn presented(segment: &Segment) -> Vec<i128> {
    let mut decode_time = i128::from(segment.decode_time);
    let mut times = Vec::new();
    for sample in &segment.samples {
        times.push(decode_time + i128::from(sample.composition_offset));
        decode_time += i128::from(sample.duration);
    }
    times
}

/// A segment starts with a sync sample. Video has one every two seconds, in audio each sample is one.
fn first_sync(kind: Kind, segment: &Segment) -> impl Iterator<Item = String> {
    let every = match kind {
        Kind::Video => 2 * FRAME_RATE as usize,
        Kind::Audio => 1,
    };
    let wrong = segment.samples.iter().enumerate().find(|(i, sample)| sample.is_sync() != (i % every == 0));
    wrong.map(|(i, sample)| format!("sample {i} has the flags {:#010x}", sample.flags)).into_iter()
}

/// The renditions of a switching set are cut at the same instants (ISO/IEC 23000-19 7.3.4.1).
fn across_renditions(package: &Package) -> Problems {
    let mut problems = Problems::new();
    let mut first: Option<(&str, Vec<u64>)> = None;
    for track in package.of_kind(Kind::Video) {
        let Ok(parsed) = Parsed::read(package, track) else { continue };
        let starts: Vec<_> = parsed.segments.iter().map(|segment| segment.decode_time).collect();
        match &first {
            None => first = Some((&track.name, starts)),
            Some((name, of_first)) if *of_first != starts => {
                problems.push(format!("{} is cut at {starts:?}, {name} at {of_first:?}", track.name));
            }
            Some(_) => {}
        }
    }
    problems
}
