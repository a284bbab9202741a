//! What fuzzing asserts of temporal units, on any bytes.

use crate::codec::av1::Obus;
use crate::scan::Dropped;

use super::{Obu, SourceRange, StoredObu, TemporalUnit, TemporalUnitBuilder, TemporalUnitOptions};

/// Groups `data`, one packet, into temporal units, with and without dropping leading ones.
///
/// Ranges ascend and lie inside; every byte of every OBU is in one unit or counted as dropped. A refused OBU is refused
/// again, for it changed nothing, and a second run gives the same.
#[doc(hidden)]
pub fn fuzz_temporal_units(data: &[u8]) {
    for drop_leading in [false, true] {
        let outcome = build(data, drop_leading);
        assert_eq!(outcome, build(data, drop_leading), "a second run differs");
        let obus = outcome.units.iter().flatten();
        let ranges: Vec<SourceRange> = obus.clone().map(|obu| obu.range).collect();
        assert!(ranges.windows(2).all(|pair| pair[0].end() <= pair[1].offset), "in order, each once");
        assert!(ranges.last().is_none_or(|last| last.end() <= data.len() as u64));
        if outcome.error.is_none() {
            let kept: u64 = obus.map(StoredObu::source_len).sum();
            assert_eq!(kept + dropped_bytes(&outcome.dropped), data.len() as u64);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    units: Vec<Vec<StoredObu>>,
    dropped: Dropped,
    error: Option<String>,
}

fn build(data: &[u8], drop_leading: bool) -> Outcome {
    let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions { drop_leading });
    let mut units = Vec::new();
    let mut error = None;
    let mut take = |unit: Option<TemporalUnit<'_>>| {
        if let Some(unit) = unit {
            assert!((1..=4).contains(&unit.shown_frames) && !unit.units.is_empty());
            let has_frame = |obu: &StoredObu| {
                let header_len = obu.header.map_or(0, |header| header.unsized_len().into());
                obu.range.offset == unit.offset + header_len
            };
            assert!(unit.units.iter().any(has_frame), "it has its first frame");
            assert!(unit.sync || !units.is_empty(), "the first unit is a sync sample");
            units.push(unit.units.to_vec());
        }
    };
    for obu in Obus::of_packet(data) {
        let obu = match obu {
            Ok(obu) => {
                Obu { offset: obu.whole.start as u64, len: obu.whole.len() as u64, head: &data[obu.whole] }
            }
            Err(refused) => {
                error = Some(refused.to_string());
                break;
            }
        };
        match builder.push(obu) {
            Ok(unit) => take(unit),
            Err(refused) => {
                assert!(refused.offset().is_some_and(|at| at <= obu.offset + obu.len));
                let again = builder.push(obu).map(|_| ()).expect_err("a refused OBU is refused again");
                assert_eq!(refused.to_string(), again.to_string());
                error = Some(refused.to_string());
                break;
            }
        }
    }
    if error.is_none() {
        let flushed = builder.flush().map(&mut take);
        error = flushed.and_then(|()| builder.finish().map(&mut take)).err().map(|error| error.to_string());
    }
    if !units.is_empty() {
        let configuration = builder.configuration().expect("a sync sample has a sequence header");
        assert!(configuration.record().len() > 4);
    }
    Outcome { units, dropped: *builder.dropped(), error }
}

fn dropped_bytes(dropped: &Dropped) -> u64 {
    let Dropped { temporal_delimiters, padding_obus, redundant_frame_headers, leading_pictures, .. } =
        dropped;
    [temporal_delimiters, padding_obus, redundant_frame_headers, leading_pictures]
        .iter()
        .map(|count| count.bytes)
        .sum()
}
