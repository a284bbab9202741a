//! What fuzzing asserts of access units of H.264, on any bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::H264;
use crate::codec::h264::{NalHeader, NalUnitType, ParameterSets, PictureParameterSet, SequenceParameterSet};
use crate::codec::parameter_sets::SetPlace;
use crate::codec::{ParameterSetPlacement, ParameterSetStore};
use crate::scan::SourceRange;
use crate::scan::access_units::fuzz::{self, Picture, bytes};

/// As for every codec, and that decoding can start at every IDR picture where parameter sets are in band.
#[doc(hidden)]
pub fn fuzz_access_units(data: &[u8]) {
    fuzz::fuzz_access_units::<H264>(data, assert_decoding_can_start);
}

/// A decoder that knows nothing, and starts at any IDR access unit, has the sets of one that read all of the stream
/// when it comes to the first slice; also when a sequence parameter set makes it forget the picture parameter sets
/// that refer to it.
fn assert_decoding_can_start(data: &[u8], units: &[SourceRange], pictures: &[Picture]) {
    let mut reader = ParameterSets::new(ParameterSetPlacement::InBand);
    let mut units = units.iter();
    for picture in pictures {
        for &unit in units.by_ref().take_while(|unit| unit.offset < picture.offset) {
            if matches!(bytes(data, unit)[0] & 31, 7 | 8 | 13) {
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
