//! What fuzzing asserts of access units, on any bytes.

use crate::codec::h264::ParameterSetPlacement;
use crate::scan::{Dropped, NalUnit, SourceRange};

use super::{AccessUnitBuilder, AccessUnitOptions};

/// Splits `data` at three-byte start codes in the plainest way and builds access units, with and without dropping
/// leading pictures, with parameter sets in the sample entry and in band. Every byte of every unit is in one access unit
/// or counted as dropped, in order, sets repeated in band aside; a refused unit is refused again, for it changed
/// nothing; and a second run gives the same.
#[doc(hidden)]
pub fn fuzz_access_units(data: &[u8]) {
    let units = split(data);
    for parameter_sets in [ParameterSetPlacement::SampleEntry, ParameterSetPlacement::InBand] {
        for drop_leading in [false, true] {
            let options = AccessUnitOptions { drop_leading, parameter_sets };
            let outcome = build(data, &units, options);
            assert_eq!(outcome, build(data, &units, options), "a second run differs");
        }
    }
}

/// NAL units of `data`, found one byte after the other.
pub(super) fn split(data: &[u8]) -> Vec<SourceRange> {
    let starts: Vec<usize> =
        data.windows(3).enumerate().filter(|(_, w)| w == &[0, 0, 1]).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    starts
        .iter()
        .map(|start| start + 3)
        .zip(ends)
        .map(|(start, end)| {
            let unit = &data[start..end];
            let len = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            SourceRange { offset: start as u64, len: u32::try_from(len).expect("fuzz inputs are small") }
        })
        .collect()
}

/// Everything that one run gave: units of all access units, what was dropped, and the error that ended it.
type Outcome = (Vec<SourceRange>, Dropped, Option<String>);

fn build(data: &[u8], units: &[SourceRange], options: AccessUnitOptions) -> Outcome {
    let mut builder = AccessUnitBuilder::new(options);
    let mut kept = Vec::new();
    let mut pushed = 0;
    for &range in units {
        let head = &data[range.offset as usize..range.end() as usize];
        let nal = NalUnit { offset: range.offset, len: range.len, head };
        match builder.push(nal) {
            Ok(Some(unit)) => {
                assert!(!kept.is_empty() || unit.idr, "the first picture is an IDR picture");
                assert!(unit.units.iter().any(|slice| slice.offset == unit.offset), "it has its first slice");
                kept.extend_from_slice(unit.units);
            }
            Ok(None) => {}
            Err(error) => {
                assert!(error.offset().is_some_and(|at| at >= range.offset && at <= range.end()));
                let again = builder.push(nal).map(|_| ()).expect_err("a refused unit is refused again");
                assert_eq!(error.to_string(), again.to_string());
                return (kept, *builder.dropped(), Some(error.to_string()));
            }
        }
        pushed += u64::from(range.len);
    }
    let error = match builder.finish() {
        Ok(Some(unit)) => {
            kept.extend_from_slice(unit.units);
            None
        }
        Ok(None) => unreachable!("finish was called once"),
        Err(error) => Some(error.to_string()),
    };
    let dropped = *builder.dropped();
    if error.is_none() {
        let in_band = options.parameter_sets == ParameterSetPlacement::InBand;
        let set_in_band =
            |unit: &SourceRange| in_band && matches!(data[unit.offset as usize] & 31, 7 | 8 | 13);
        let mut once = kept.clone();
        // A set may stand again in front of each IDR picture; its first place is as good as the others.
        once.sort_by_key(|unit| unit.offset);
        once.dedup();
        let sets = once.iter().filter(|unit| set_in_band(unit)).count();
        kept.retain(|unit| !set_in_band(unit));
        assert!(kept.is_sorted_by(|a, b| a.end() <= b.offset), "units are in order, each once");
        assert_eq!(kept.len() + sets, once.len(), "only sets are repeated");
        let bytes: u64 = once.iter().map(|unit| u64::from(unit.len)).sum();
        // Sets between leading pictures count as dropped with them, and come back in front of the IDR picture.
        let came_back = in_band && dropped.leading_pictures.bytes > 0;
        assert!(came_back || bytes + dropped_bytes(&dropped) == pushed, "every byte is kept or counted");
        assert!(bytes + dropped_bytes(&dropped) >= pushed, "no byte is lost");
        builder.parameter_sets().configuration().map_or_else(drop, |configuration| {
            assert!(!configuration.record().is_empty());
        });
    }
    (kept, dropped, error)
}

fn dropped_bytes(dropped: &Dropped) -> u64 {
    let Dropped {
        access_unit_delimiters,
        filler,
        ends_of_sequence,
        ends_of_stream,
        parameter_sets,
        leading_pictures,
        ..
    } = dropped;
    [access_unit_delimiters, filler, ends_of_sequence, ends_of_stream, parameter_sets, leading_pictures]
        .iter()
        .map(|count| count.bytes)
        .sum()
}
