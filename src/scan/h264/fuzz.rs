//! What fuzzing asserts of access units, on any bytes.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::ParameterSetPlacement;
use crate::codec::h264::{NalHeader, NalUnitType, ParameterSets, PictureParameterSet, SequenceParameterSet};
use crate::codec::parameter_sets::SetPlace;
use crate::scan::{Count, Dropped, NalUnit, SourceRange};

use super::{AccessUnit, AccessUnitBuilder, AccessUnitOptions};

/// Splits `data` at three-byte start codes in the plainest way and builds access units, with and without dropping
/// leading pictures, with parameter sets in the sample entry and in band.
///
/// Every byte of every unit is in one access unit or counted as dropped, in order; parameter sets alone are in several,
/// and what that adds is counted too. With sets in band decoding can start at every IDR picture. A refused unit is refused
/// again, for it changed nothing; a second run gives the same; and where sets do not change, both placements give the same
/// pictures.
#[doc(hidden)]
pub fn fuzz_access_units(data: &[u8]) {
    let units = split(data);
    for drop_leading in [false, true] {
        let [out_of_band, in_band] =
            [ParameterSetPlacement::SampleEntry, ParameterSetPlacement::InBand].map(|parameter_sets| {
                let options = AccessUnitOptions { drop_leading, parameter_sets };
                let outcome = build(data, &units, options);
                assert_eq!(outcome, build(data, &units, options), "a second run differs");
                outcome
            });
        if out_of_band.error.is_none() {
            assert_eq!(out_of_band.repeated, Count::default());
            assert!(in_band.error.is_none(), "in band nothing is refused that the sample entry can hold");
            let without_sets = in_band.pictures.iter().map(|picture| picture.without_sets(data));
            assert!(without_sets.eq(out_of_band.pictures), "placement changes pictures");
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

/// An access unit that was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Picture {
    units: Vec<SourceRange>,
    /// Byte offset of its first slice.
    offset: u64,
    idr: bool,
}

impl Picture {
    fn new(unit: AccessUnit<'_>) -> Self {
        assert!(unit.units.iter().any(|slice| slice.offset == unit.offset), "it has its first slice");
        Self { units: unit.units.to_vec(), offset: unit.offset, idr: unit.idr }
    }

    fn without_sets(&self, data: &[u8]) -> Self {
        let units = self.units.iter().copied().filter(|&unit| !is_set(data, unit)).collect();
        Self { units, ..*self }
    }
}

/// Everything that one run gave.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    pictures: Vec<Picture>,
    dropped: Dropped,
    repeated: Count,
    /// What ended it early.
    error: Option<String>,
}

fn build(data: &[u8], units: &[SourceRange], options: AccessUnitOptions) -> Outcome {
    let mut builder = AccessUnitBuilder::new(options);
    let mut pictures = Vec::new();
    let mut error = None;
    for &range in units {
        let nal = NalUnit { offset: range.offset, len: range.len, head: bytes(data, range) };
        match builder.push(nal) {
            Ok(unit) => pictures.extend(unit.map(Picture::new)),
            Err(refused) => {
                assert!(refused.offset().is_some_and(|at| at >= range.offset && at <= range.end()));
                let again = builder.push(nal).map(|_| ()).expect_err("a refused unit is refused again");
                assert_eq!(refused.to_string(), again.to_string());
                error = Some(refused.to_string());
                break;
            }
        }
    }
    if error.is_none() {
        match builder.finish() {
            Ok(unit) => pictures.extend(unit.map(Picture::new)),
            Err(refused) => error = Some(refused.to_string()),
        }
    }
    assert!(pictures.first().is_none_or(|picture| picture.idr), "the first picture is an IDR picture");
    let outcome = Outcome { pictures, dropped: *builder.dropped(), repeated: builder.repeated(), error };
    assert_in_order(data, &outcome, options);
    if options.parameter_sets == ParameterSetPlacement::InBand {
        assert_decoding_can_start(data, units, &outcome.pictures);
    }
    if outcome.error.is_none() {
        assert_every_byte_is_kept_or_counted(units, &outcome);
        builder.parameter_sets().configuration().map_or_else(drop, |configuration| {
            assert!(!configuration.record().is_empty());
        });
    }
    outcome
}

fn bytes(data: &[u8], range: SourceRange) -> &[u8] {
    &data[range.offset as usize..range.end() as usize]
}

fn is_set(data: &[u8], unit: SourceRange) -> bool {
    matches!(bytes(data, unit)[0] & 31, 7 | 8 | 13)
}

/// Units ascend, and what does not is a set in band.
fn assert_in_order(data: &[u8], outcome: &Outcome, options: AccessUnitOptions) {
    let mut end = 0;
    for &unit in outcome.pictures.iter().flat_map(|picture| &picture.units) {
        let in_band = options.parameter_sets == ParameterSetPlacement::InBand;
        assert!(in_band || !is_set(data, unit), "the sample entry holds the sets");
        if unit.offset >= end {
            end = unit.end();
        } else {
            assert!(is_set(data, unit), "units are in order, each once");
        }
    }
}

fn assert_every_byte_is_kept_or_counted(units: &[SourceRange], outcome: &Outcome) {
    let len = |unit: &SourceRange| u64::from(unit.len);
    let pushed: u64 = units.iter().map(len).sum();
    let kept: u64 = outcome.pictures.iter().flat_map(|picture| &picture.units).map(len).sum();
    assert_eq!(kept + dropped_bytes(&outcome.dropped), pushed + outcome.repeated.bytes);
}

/// A decoder that knows nothing, and starts at any IDR access unit, has the sets of one that read all of the stream
/// when it comes to the first slice; also when a sequence parameter set makes it forget the picture parameter sets
/// that refer to it.
fn assert_decoding_can_start(data: &[u8], units: &[SourceRange], pictures: &[Picture]) {
    let mut reader = ParameterSets::new(ParameterSetPlacement::InBand);
    let mut units = units.iter();
    for picture in pictures {
        for &unit in units.by_ref().take_while(|unit| unit.offset < picture.offset) {
            if is_set(data, unit) {
                reader.insert(bytes(data, unit), unit.offset).expect("the builder took it");
            }
        }
        if picture.idr {
            let mut starter = Starter::default();
            let front = picture.units.iter().take_while(|unit| unit.offset != picture.offset);
            front.for_each(|&unit| starter.read(bytes(data, unit)));
            starter.assert_has_sets_of(&reader, data);
        }
    }
}

/// Sets of a decoder that starts somewhere, by id.
#[derive(Default)]
struct Starter<'a> {
    sps: BTreeMap<u8, &'a [u8]>,
    /// Behind the set that it refers to.
    pps: BTreeMap<u8, (u8, &'a [u8])>,
    extensions: BTreeSet<&'a [u8]>,
}

impl<'a> Starter<'a> {
    fn read(&mut self, nal: &'a [u8]) {
        match NalHeader::read(nal).expect("the builder took it").unit_type {
            NalUnitType::Sps => {
                let id = SequenceParameterSet::read(nal).expect("the builder took it").id;
                self.pps.retain(|_, &mut (sps_id, _)| sps_id != id);
                self.sps.insert(id, nal);
            }
            NalUnitType::Pps => {
                let set = PictureParameterSet::read(nal).expect("the builder took it");
                self.pps.insert(set.id, (set.sps_id, nal));
            }
            NalUnitType::SpsExtension => {
                self.extensions.insert(nal);
            }
            _ => {}
        }
    }

    fn assert_has_sets_of(&self, reader: &ParameterSets, data: &'a [u8]) {
        let nal = |place: SetPlace| bytes(data, SourceRange { offset: place.offset, len: place.len });
        assert!(
            self.sps
                .values()
                .copied()
                .eq(reader.in_force().filter(|set| !set.is_pps).map(|set| nal(set.place)))
        );
        assert!(
            self.pps
                .values()
                .map(|&(_, pps)| pps)
                .eq(reader.in_force().filter(|set| set.is_pps).map(|set| nal(set.place)))
        );
        let mut extensions = reader.in_force().filter_map(|set| set.extension);
        assert!(extensions.all(|extension| self.extensions.contains(nal(extension))));
    }
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
