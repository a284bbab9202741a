//! H.265 for [`access_units`]: what its NAL units are for (7.4.2.4.4, 7.4.2.4.5), and which pictures
//! decoding may start at.
//!
//! Units of higher layers (`nuh_layer_id` above 0) never start an access unit (F.7.4.2.4.4): they stay in that of the base
//! layer's picture in front of them. An end of sequence stays in its sample, since order counts and RASL pictures behind it
//! depend on it. Each field of a stream that codes fields is a picture and a sample of its own.

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_access_units;

use super::access_units::{self, NalCodec, Role, Rules};
use crate::codec::h265::{
    HevcConfiguration, NalHeader, NalUnitType, OrderCounter, ParameterSets, SequenceParameterSet,
    SliceHeader, SliceType, ticks_shown,
};
use crate::codec::sei::{self, HdrMetadata};
use crate::codec::{PictureOrder, RandomAccess};
use crate::error::Result;

pub use access_units::{AccessUnit, AccessUnitOptions};

/// Groups NAL units of H.265 into access units.
pub type AccessUnitBuilder = access_units::AccessUnitBuilder<H265>;

/// H.265 (ITU-T H.265, ISO/IEC 23008-2).
#[derive(Clone, Copy, Debug, Default)]
pub struct H265;

impl NalCodec for H265 {
    type Sets = ParameterSets;
    type Slice = SliceHeader;
    type Counter = OrderCounter;

    const RULES: Rules = Rules {
        codec: "H.265",
        first: "an IRAP picture (IDR, BLA or CRA; H.265 7.4.2.2)",
        start: "an IRAP picture",
        start_clause: "H.265 7.4.2.2",
        start_remedy: "encode it with IDR or CRA pictures; intra refresh and recovery points are not enough",
        unit_order: "H.265 7.4.2.4.4",
        first_slice: "H.265 7.4.2.4.5",
    };

    const FRONT_STARTS_UNIT: bool = true;

    const HEADER_LEN: usize = 2;

    fn role(head: &[u8]) -> Result<Role> {
        let header = NalHeader::read(head)?;
        if header.layer_id > 0 {
            return Ok(Role::Behind);
        }
        Ok(match header.unit_type {
            unit_type if unit_type.is_slice() => Role::Slice,
            NalUnitType::VPS | NalUnitType::SPS => Role::ParameterSet,
            NalUnitType::PPS => Role::PictureParameterSet,
            NalUnitType::ACCESS_UNIT_DELIMITER => Role::Delimiter,
            NalUnitType::END_OF_SEQUENCE => Role::EndOfSequence { stays: true },
            NalUnitType::END_OF_BITSTREAM => Role::EndOfStream { stays: true },
            NalUnitType::FILLER => Role::Filler,
            NalUnitType::PREFIX_SEI => Role::Sei,
            // 7.4.2.4.4: RSV_NVCL41 to 44 and UNSPEC48 to 55 start an access unit.
            unit_type if matches!(unit_type.code(), 41..=44 | 48..=55) => Role::Front,
            _ => Role::Behind,
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
        let (_, sps) = sets.for_slice(slice.pps_id)?;
        counter.next(slice, sps)
    }

    fn random_access(slice: &SliceHeader, order: PictureOrder, counter: &OrderCounter) -> RandomAccess {
        match slice.unit_type {
            _ if counter.leans_across_cra(slice, order) => RandomAccess::Rasl,
            // RASL pictures that follow one that starts a sequence are refused or dropped.
            unit_type if unit_type.is_cra() && !counter.skips_rasl() => RandomAccess::UnlessRaslFollows,
            unit_type if unit_type.is_irap() => RandomAccess::Sync,
            _ => RandomAccess::No,
        }
    }

    fn end_of_sequence(counter: &mut OrderCounter) {
        counter.end_of_sequence();
    }

    fn is_undecodable(access: RandomAccess, counter: &OrderCounter) -> bool {
        access == RandomAccess::Rasl && counter.skips_rasl()
    }

    /// A sub-layer non-reference picture may still be needed by pictures of higher sub-layers, of which there are none behind
    /// the last (7.4.2.2).
    fn is_reference(slice: &SliceHeader, sets: &ParameterSets) -> bool {
        let is_highest = |sps: &SequenceParameterSet| slice.temporal_id + 1 == sps.max_sub_layers;
        let needed_by_none = slice.unit_type.is_sub_layer_non_reference()
            && sets.for_slice(slice.pps_id).is_ok_and(|(_, sps)| is_highest(sps));
        !needed_by_none
    }

    fn field_count(slice: &SliceHeader, picture_timing: &[u8], sets: &ParameterSets) -> u8 {
        // A picture lasts one clock tick, which the frame rate is made of, unless it says otherwise: in fields, two a tick.
        const TICK: u8 = 2;
        if picture_timing.is_empty() {
            return TICK;
        }
        let sps = sets.for_slice(slice.pps_id).ok();
        TICK * sps.map_or(1, |(_, sps)| ticks_shown(picture_timing, sps))
    }

    fn configuration(sets: &ParameterSets, hdr: &HdrMetadata) -> Result<HevcConfiguration> {
        // nal_unit_type 39, nuh_layer_id 0, nuh_temporal_id_plus1 1 (7.3.1.2).
        const PREFIX_SEI: [u8; 2] = [39 << 1, 1];
        let units = sei::hdr_sei_units(&PREFIX_SEI, hdr);
        sets.configuration().map(|configuration| configuration.with_hdr(hdr).with_sei(units))
    }
}

impl access_units::Slice for SliceHeader {
    fn pps_id(&self) -> u8 {
        self.pps_id
    }

    fn starts_picture(&self) -> bool {
        self.first_slice_segment_in_pic
    }

    fn is_field(&self) -> bool {
        false
    }

    fn starts_new_picture(&self, _: &Self) -> bool {
        self.first_slice_segment_in_pic
    }

    fn is_second_field_of(&self, _: &Self) -> bool {
        false
    }

    fn is_redundant(&self) -> bool {
        false
    }

    fn is_intra(&self) -> Option<bool> {
        self.slice_type.map(|slice_type| slice_type == SliceType::I)
    }

    fn is_random_access(&self) -> bool {
        self.unit_type.is_irap()
    }

    fn contradiction(&self, first: &Self, before: &Self) -> Option<(&'static str, &'static str)> {
        const LOST: &str = "slice segments that follow each other are of two pictures, and the first one of the second is missing";
        if self.unit_type != first.unit_type || self.temporal_id != first.temporal_id {
            return Some((LOST, "H.265 7.4.2.2"));
        }
        let same_count = self.dependent || self.pic_order_cnt_lsb == first.pic_order_cnt_lsb;
        if self.pps_id != first.pps_id || !same_count {
            return Some((LOST, "H.265 7.4.7.1"));
        }
        // Slice segments come in the order of decoding, which tiles alone make another than that of addresses.
        let goes_on = if self.tiles {
            self.segment_address != before.segment_address
        } else {
            self.segment_address > before.segment_address
        };
        let same_plane = self.colour_plane_id == before.colour_plane_id;
        (same_plane && !goes_on).then_some((LOST, "H.265 7.4.2.4.5"))
    }
}
