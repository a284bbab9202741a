//! What fuzzing asserts of access units of H.265, on any bytes.

use std::collections::BTreeMap;

use super::H265;
use crate::codec::h265::{
    NalHeader, NalUnitType, ParameterSets, PictureParameterSet, SequenceParameterSet, VideoParameterSet,
};
use crate::codec::{ParameterSetPlacement, ParameterSetStore};
use crate::scan::SourceRange;
use crate::scan::access_units::fuzz::{self, Picture, bytes};

/// As for every codec, and that decoding can start at every IRAP picture where parameter sets are in band.
#[doc(hidden)]
pub fn fuzz_access_units(data: &[u8]) {
    fuzz::fuzz_access_units::<H265>(data, assert_decoding_can_start);
}

/// A decoder that knows nothing, and starts at any IRAP picture, has the sets of one that read all of the stream when it comes
/// to the first slice; also when a set makes it forget those that refer to it.
fn assert_decoding_can_start(data: &[u8], units: &[SourceRange], pictures: &[Picture]) {
    let mut reader = ParameterSets::new(ParameterSetPlacement::InBand);
    let mut units = units.iter();
    for picture in pictures {
        for &unit in units.by_ref().take_while(|unit| unit.offset < picture.offset) {
            if is_base_set(bytes(data, unit)) {
                reader.insert(bytes(data, unit), unit.offset).expect("the builder took it");
            }
        }
        if picture.may_start {
            let mut starter = Starter::default();
            let front = picture.units.iter().take_while(|unit| unit.offset != picture.offset);
            front.for_each(|&unit| starter.read(bytes(data, unit)));
            starter.assert_has_sets_of(&reader, data);
        }
    }
}

fn is_base_set(nal: &[u8]) -> bool {
    let header = NalHeader::read(nal).expect("the builder took it");
    header.layer_id == 0 && matches!(header.unit_type, NalUnitType::VPS | NalUnitType::SPS | NalUnitType::PPS)
}

/// Sets of a decoder that starts somewhere, by id; those that refer to others behind the id of these.
#[derive(Default)]
struct Starter<'a> {
    vps: BTreeMap<u8, &'a [u8]>,
    sps: BTreeMap<u8, (u8, &'a [u8])>,
    pps: BTreeMap<u8, (u8, &'a [u8])>,
}

impl<'a> Starter<'a> {
    fn read(&mut self, nal: &'a [u8]) {
        if !is_base_set(nal) {
            return;
        }
        match NalHeader::read(nal).expect("the builder took it").unit_type {
            NalUnitType::VPS => {
                let id = VideoParameterSet::read(nal).expect("the builder took it").id;
                self.sps.retain(|_, &mut (vps_id, _)| vps_id != id);
                self.vps.insert(id, nal);
            }
            NalUnitType::SPS => {
                let set = SequenceParameterSet::read(nal).expect("the builder took it");
                self.pps.retain(|_, &mut (sps_id, _)| sps_id != set.id);
                self.sps.insert(set.id, (set.vps_id, nal));
            }
            _ => {
                let set = PictureParameterSet::read(nal).expect("the builder took it");
                self.pps.insert(set.id, (set.sps_id, nal));
            }
        }
    }

    fn assert_has_sets_of(&self, reader: &ParameterSets, data: &'a [u8]) {
        let vps = self.vps.values().copied();
        let sps = self.sps.values().map(|&(_, sps)| sps);
        let pps = self.pps.values().map(|&(_, pps)| pps);
        let in_force = reader
            .in_force()
            .map(|set| bytes(data, SourceRange { offset: set.place.offset, len: set.place.len }));
        assert!(vps.chain(sps).chain(pps).eq(in_force));
    }
}
