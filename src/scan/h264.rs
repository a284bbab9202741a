//! H.264 for [`access_units`]: what its NAL units are for (7.4.1.2.3, 7.4.1.2.4). Clauses are those of
//! the 08/2021 edition.

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_access_units;

use super::access_units::{self, NalCodec, Role, Rules};
use crate::codec::h264::{
    AvcConfiguration, NalHeader, NalUnitType, OrderCounter, ParameterSets, SliceHeader, read_pic_struct,
};
use crate::codec::sei::HdrMetadata;
use crate::codec::{PictureOrder, RandomAccess};
use crate::error::Result;

pub use access_units::{AccessUnit, AccessUnitOptions};

/// Groups NAL units of H.264 into access units.
pub type AccessUnitBuilder = access_units::AccessUnitBuilder<H264>;

/// H.264 (ITU-T H.264, ISO/IEC 14496-10).
#[derive(Clone, Copy, Debug, Default)]
pub struct H264;

impl NalCodec for H264 {
    type Sets = ParameterSets;
    type Slice = SliceHeader;
    type Counter = OrderCounter;

    const RULES: Rules = Rules {
        codec: "H.264",
        first: "an IDR picture (H.264 7.4.1.2.2)",
        start: "an IDR picture",
        start_clause: "H.264 7.4.1.2.2",
        start_remedy: "encode it with IDR pictures (closed groups of pictures); recovery points are not enough",
        unit_order: "H.264 7.4.1.2.3",
        first_slice: "H.264 7.4.1.2.4",
    };

    const FRONT_STARTS_UNIT: bool = false;

    const HEADER_LEN: usize = 1;

    fn role(head: &[u8]) -> Result<Role> {
        Ok(match NalHeader::read(head)?.unit_type {
            NalUnitType::Slice | NalUnitType::IdrSlice | NalUnitType::PartitionA => Role::Slice,
            NalUnitType::PartitionBC => Role::SliceData,
            NalUnitType::Sps | NalUnitType::SpsExtension => Role::ParameterSet,
            NalUnitType::Pps => Role::PictureParameterSet,
            NalUnitType::AccessUnitDelimiter => Role::Delimiter,
            // An IDR picture follows, which says the same.
            NalUnitType::EndOfSequence => Role::EndOfSequence { stays: false },
            NalUnitType::EndOfStream => Role::EndOfStream { stays: false },
            NalUnitType::Filler => Role::Filler,
            NalUnitType::Sei => Role::Sei,
            NalUnitType::Leading(_) => Role::Front,
            NalUnitType::Trailing(_) => Role::Behind,
        })
    }

    fn read_slice(head: &[u8], sets: &ParameterSets) -> Result<SliceHeader> {
        SliceHeader::read(head, sets)
    }

    fn read_slice_without_parameter_sets(head: &[u8]) -> Result<SliceHeader> {
        SliceHeader::read_without_parameter_sets(head)
    }

    fn next_order(
        counter: &mut OrderCounter,
        slice: &SliceHeader,
        sets: &ParameterSets,
    ) -> Result<PictureOrder> {
        let (_, sps) = sets.for_slice(slice.start.pps_id)?;
        counter.next(slice, sps)
    }

    fn random_access(slice: &SliceHeader, _: PictureOrder, _: &OrderCounter) -> RandomAccess {
        if slice.idr { RandomAccess::Sync } else { RandomAccess::No }
    }

    fn end_of_sequence(_: &mut OrderCounter) {}

    fn is_undecodable(_: RandomAccess, _: &OrderCounter) -> bool {
        false
    }

    fn is_reference(slice: &SliceHeader, _: &ParameterSets) -> bool {
        slice.reference
    }

    fn field_count(slice: &SliceHeader, picture_timing: &[u8], sets: &ParameterSets) -> u8 {
        let usual = if slice.field.is_some() { 1 } else { 2 };
        if picture_timing.is_empty() {
            return usual;
        }
        // One that cannot be read tells nothing; it stays in the sample.
        let sps = sets.for_slice(slice.start.pps_id).ok();
        let told = sps.and_then(|(_, sps)| read_pic_struct(picture_timing, sps).ok().flatten());
        told.map_or(usual, |pic_struct| pic_struct.field_count())
    }

    fn configuration(sets: &ParameterSets, hdr: &HdrMetadata) -> Result<AvcConfiguration> {
        sets.configuration().map(|configuration| configuration.with_hdr(hdr))
    }
}

impl access_units::Slice for SliceHeader {
    fn pps_id(&self) -> u8 {
        self.start.pps_id
    }

    fn starts_picture(&self) -> bool {
        true
    }

    fn is_field(&self) -> bool {
        self.field.is_some()
    }

    fn starts_new_picture(&self, first: &Self) -> bool {
        self.starts_new_picture(first)
    }

    fn is_second_field_of(&self, first: &Self) -> bool {
        self.is_second_field_of(first)
    }

    fn is_redundant(&self) -> bool {
        self.redundant_pic_cnt > 0
    }

    fn is_intra(&self) -> Option<bool> {
        Some(self.start.slice_type.is_intra())
    }

    fn is_random_access(&self) -> bool {
        self.idr
    }

    fn contradiction(&self, first: &Self, _: &Self) -> Option<(&'static str, &'static str)> {
        (self.resets_order != first.resets_order).then_some((
            "slices of one picture disagree on memory_management_control_operation 5",
            "H.264 7.4.3.3",
        ))
    }
}
