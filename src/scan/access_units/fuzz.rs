//! What fuzzing asserts of access units, on any bytes.

use super::{AccessUnit, AccessUnitBuilder, AccessUnitOptions, Event, NalCodec, Role, Splitter};
use crate::codec::ParameterSetPlacement;
use crate::scan::{Count, Dropped, NalUnit, SourceRange};

/// Checks that decoding can start at these pictures, whose units are ranges of the data.
pub(in crate::scan) type CheckStarts = fn(&[u8], &[SourceRange], &[Picture]);

/// Splits `data` at three-byte start codes in the plainest way and builds access units, with and without dropping
/// leading pictures, with parameter sets in the sample entry and in band.
///
/// Every byte of every unit is in one access unit or counted as dropped, in order; parameter sets alone are in several,
/// and what that adds is counted too. With sets in band `check_starts` tells whether decoding can start where it may. A refused unit is refused
/// again, for it changed nothing; a second run gives the same; and where sets do not change, both placements give the same
/// pictures.
pub(in crate::scan) fn fuzz_access_units<C: NalCodec>(data: &[u8], check_starts: CheckStarts) {
    let units = split(data);
    for drop_leading in [false, true] {
        let [out_of_band, in_band] =
            [ParameterSetPlacement::SampleEntry, ParameterSetPlacement::InBand].map(|parameter_sets| {
                let options = AccessUnitOptions { drop_leading, parameter_sets };
                let outcome = build::<C>(data, &units, options, check_starts);
                let second = build::<C>(data, &units, options, check_starts);
                assert_eq!(outcome, second, "a second run differs");
                split_into_parts::<C>(data, &units, options, &outcome);
                outcome
            });
        if out_of_band.error.is_none() {
            assert_eq!(out_of_band.repeated, Count::default());
            assert!(in_band.error.is_none(), "in band nothing is refused that the sample entry can hold");
            let without_sets = in_band.pictures.iter().map(|picture| picture.without_sets::<C>(data));
            assert!(without_sets.eq(out_of_band.pictures), "placement changes pictures");
        }
    }
}

/// NAL units of `data`, found one byte after the other.
pub(in crate::scan) fn split(data: &[u8]) -> Vec<SourceRange> {
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
pub(in crate::scan) struct Picture {
    pub units: Vec<SourceRange>,
    /// Byte offset of its first slice.
    pub offset: u64,
    /// Decoding may start at it.
    pub may_start: bool,
}

impl Picture {
    fn new(unit: AccessUnit<'_>) -> Self {
        assert!(unit.units.iter().any(|slice| slice.offset == unit.offset), "it has its first slice");
        Self { units: unit.units.to_vec(), offset: unit.offset, may_start: unit.random_access.may_start() }
    }

    fn without_sets<C: NalCodec>(&self, data: &[u8]) -> Self {
        let units = self.units.iter().copied().filter(|&unit| !is_set::<C>(data, unit)).collect();
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

fn build<C: NalCodec>(
    data: &[u8],
    units: &[SourceRange],
    options: AccessUnitOptions,
    check_starts: CheckStarts,
) -> Outcome {
    let mut builder = AccessUnitBuilder::<C>::new(options);
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
    assert!(pictures.first().is_none_or(|picture| picture.may_start), "decoding starts at the first picture");
    let outcome = Outcome { pictures, dropped: *builder.dropped(), repeated: builder.repeated(), error };
    assert_in_order::<C>(data, &outcome, options);
    if options.parameter_sets == ParameterSetPlacement::InBand {
        check_starts(data, units, &outcome.pictures);
    }
    if outcome.error.is_none() {
        assert_every_byte_is_kept_or_counted(units, &outcome);
        // Where there is one; what it says is fuzzed where it is made.
        builder.configuration().map_or_else(drop, drop);
    }
    outcome
}

/// The same by a splitter: where it gives one part it is the same; of several, each starts with a picture that decoding may start at,
/// and none refuses what one builder takes.
fn split_into_parts<C: NalCodec>(
    data: &[u8],
    units: &[SourceRange],
    options: AccessUnitOptions,
    whole: &Outcome,
) {
    let mut splitter = Splitter::new(AccessUnitBuilder::<C>::new(options));
    let (mut pictures, mut starts): (Vec<Picture>, _) = (Vec::new(), vec![0]);
    let mut take = |event: Event<'_, C>| {
        match event {
            Event::Unit(unit) => pictures.push(Picture::new(unit)),
            Event::Ended(ended, _) => {
                ended.configuration().map_or_else(drop, drop);
                starts.push(pictures.len());
            }
        }
        Ok(())
    };
    let mut push = |&range: &SourceRange| {
        let nal = NalUnit { offset: range.offset, len: range.len, head: bytes(data, range) };
        splitter.push(nal, &mut take)
    };
    let result = units.iter().try_for_each(&mut push).and_then(|()| splitter.finish(&mut take));
    // A part ends only when a picture of the next has come, which is given out behind.
    let firsts = starts.iter().filter_map(|&first| pictures.get(first));
    assert!(firsts.clone().all(|picture| picture.may_start), "a part starts where decoding may");
    let builder = match result {
        Ok(builder) => builder,
        Err(error) => {
            assert!(whole.error.is_some(), "{error}: one builder takes it");
            return;
        }
    };
    assert_eq!(firsts.count(), starts.len(), "every part has a picture");
    let outcome =
        Outcome { pictures, dropped: *builder.dropped(), repeated: builder.repeated(), error: None };
    assert_in_order::<C>(data, &outcome, options);
    assert_every_byte_is_kept_or_counted(units, &outcome);
    if whole.error.is_none() {
        assert_eq!(outcome, *whole, "what one builder takes is one part");
    }
}

pub(in crate::scan) fn bytes(data: &[u8], range: SourceRange) -> &[u8] {
    &data[range.offset as usize..range.end() as usize]
}

fn is_set<C: NalCodec>(data: &[u8], unit: SourceRange) -> bool {
    let role = C::role(bytes(data, unit)).expect("the builder took it");
    matches!(role, Role::ParameterSet | Role::PictureParameterSet)
}

/// Units ascend, and what does not is a set in band.
fn assert_in_order<C: NalCodec>(data: &[u8], outcome: &Outcome, options: AccessUnitOptions) {
    let mut end = 0;
    for &unit in outcome.pictures.iter().flat_map(|picture| &picture.units) {
        let in_band = options.parameter_sets == ParameterSetPlacement::InBand;
        assert!(in_band || !is_set::<C>(data, unit), "the sample entry holds the sets");
        if unit.offset >= end {
            end = unit.end();
        } else {
            assert!(is_set::<C>(data, unit), "units are in order, each once");
        }
    }
}

fn assert_every_byte_is_kept_or_counted(units: &[SourceRange], outcome: &Outcome) {
    let len = |unit: &SourceRange| u64::from(unit.len);
    let pushed: u64 = units.iter().map(len).sum();
    let kept: u64 = outcome.pictures.iter().flat_map(|picture| &picture.units).map(len).sum();
    assert_eq!(kept + dropped_bytes(&outcome.dropped), pushed + outcome.repeated.bytes);
}

fn dropped_bytes(dropped: &Dropped) -> u64 {
    let Dropped {
        access_unit_delimiters,
        filler,
        ends_of_sequence,
        ends_of_stream,
        parameter_sets,
        leading_pictures,
        skipped_pictures,
        ..
    } = dropped;
    [
        access_unit_delimiters,
        filler,
        ends_of_sequence,
        ends_of_stream,
        parameter_sets,
        leading_pictures,
        skipped_pictures,
    ]
    .iter()
    .map(|count| count.bytes)
    .sum()
}
