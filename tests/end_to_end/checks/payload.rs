//! Bytes: every coded unit of the source is in the samples, byte for byte and in order, and nothing else is.

use super::{Parsed, Problems, each_track};
use crate::package::{Kind, Package, Track};
use crate::segment::Segment;
use crate::source;

/// NAL units or OBUs of video samples, frames of audio samples.
pub fn check(package: &Package) -> Problems {
    each_track(package, None, |track| {
        let found = Parsed::read(package, track).and_then(|parsed| packaged(track, &parsed.segments));
        match found {
            Ok(found) => difference(&found, &source::units(track)).into_iter().collect(),
            Err(problems) => problems,
        }
    })
}

fn difference(found: &[Vec<u8>], expected: &[Vec<u8>]) -> Option<String> {
    if found == expected {
        return None;
    }
    let first = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
    Some(format!("coded unit {first} differs; {} units, the source has {}", found.len(), expected.len()))
}

fn packaged(track: &Track, segments: &[Segment]) -> Result<Vec<Vec<u8>>, Problems> {
    let mut units = Vec::new();
    for (number, segment) in (1..).zip(segments) {
        for sample in segment.payloads().map_err(|text| vec![format!("segment {number}: {text}")])? {
            match track.kind {
                Kind::Audio => units.push(sample.to_vec()),
                Kind::Video => {
                    let split =
                        if source::is_av1(track) { source::obus(sample) } else { split_lengths(sample) };
                    let wrong = || vec![format!("segment {number}: lengths do not fill a sample")];
                    units.extend(split.ok_or_else(wrong)?);
                }
            }
        }
    }
    Ok(units)
}

/// NAL units behind four-byte lengths; `None` where the lengths do not add up.
fn split_lengths(mut sample: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut units = Vec::new();
    while !sample.is_empty() {
        let (length, rest) = sample.split_first_chunk()?;
        let (unit, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        units.push(unit.to_vec());
        sample = rest;
    }
    Some(units)
}
