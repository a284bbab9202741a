//! Every parameter set of a stream, by id: its bytes for the sample entry, its meaning for slice headers, and which
//! sequence parameter sets pictures really used.
//!
//! `avc1` keeps parameter sets in the sample entry alone, one per id for the whole track (ISO/IEC 14496-15), so a set
//! that is sent again must be the same. With `avc3` they stay in the samples and may change. The pictures must keep one
//! format either way.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::bits::BitReader;
use crate::codec::parameter_sets::{
    Keeping, ParameterSetPlacement, ParameterSetStore, SetInForce, SetMap, Used, Version, trim_zeros,
};
use crate::error::{Error, Result};

use super::{AvcConfiguration, NalHeader, NalUnitType, PictureParameterSet, SequenceParameterSet, Timing};

/// The rule of which sets are in use.
const CLAUSE: &str = "H.264 7.4.1.2.1";

/// The parameter sets that have come so far.
#[derive(Clone, Debug)]
pub struct ParameterSets {
    keeping: Keeping,
    sps: SetMap<SequenceParameterSet>,
    pps: SetMap<PictureParameterSet>,
    sps_extensions: SetMap<()>,
    /// Of every sequence parameter set that came, replaced ones too.
    demands: BTreeSet<Demand>,
    used: Used<SequenceParameterSet, Active, Timing>,
    /// A picture was a field.
    field_pictures: bool,
}

/// A sequence parameter set in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Active {
    id: u8,
    offset: u64,
}

/// What a sequence parameter set asks of decoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Demand {
    pub(super) profile_idc: u8,
    pub(super) constraint_flags: u8,
    pub(super) level_idc: u8,
    pub(super) frame_mbs_only: bool,
}

impl Demand {
    fn of(sps: &SequenceParameterSet) -> Self {
        Self {
            profile_idc: sps.profile_idc,
            constraint_flags: sps.constraint_flags,
            level_idc: sps.level_idc,
            frame_mbs_only: sps.frame_mbs_only,
        }
    }
}

impl Default for ParameterSets {
    fn default() -> Self {
        Self::new(ParameterSetPlacement::default())
    }
}

impl ParameterSets {
    /// The sets that a slice with this `pic_parameter_set_id` is read with; an error when one has not come.
    pub fn for_slice(&self, pps_id: u8) -> Result<(&PictureParameterSet, &SequenceParameterSet)> {
        let (pps, sps) = self.referred(pps_id)?;
        Ok((pps, &sps.value))
    }

    fn referred(&self, pps_id: u8) -> Result<(&PictureParameterSet, &Version<SequenceParameterSet>)> {
        let pps = &self.pps.needed(pps_id, None, CLAUSE)?.value;
        let sps = self.sps.needed(pps.sps_id, Some(("picture parameter set", pps_id)), CLAUSE)?;
        Ok((pps, sps))
    }

    /// What is in use where a picture has this `pic_parameter_set_id`.
    fn used_by(&self, pps_id: u8) -> Result<(Active, &SequenceParameterSet)> {
        let (pps, sps) = self.referred(pps_id)?;
        Ok((Active { id: pps.sps_id, offset: sps.offset }, &sps.value))
    }

    /// What the sample entry of the whole track says: every set that came, and the format of the pictures. An error
    /// when no picture used a set, or when the record cannot hold them.
    pub fn configuration(&self) -> Result<AvcConfiguration> {
        AvcConfiguration::new(self)
    }

    /// Sequence parameter sets as they first came, in id order.
    pub(super) fn first_sps(&self) -> impl Iterator<Item = &Version<SequenceParameterSet>> {
        self.sps.first()
    }

    /// Picture parameter sets as they first came, in id order.
    pub(super) fn first_pps(&self) -> impl Iterator<Item = &Version<PictureParameterSet>> {
        self.pps.first()
    }

    /// Sequence parameter set extensions as they first came, in id order.
    pub(super) fn first_sps_extensions(&self) -> impl Iterator<Item = &Version<()>> {
        self.sps_extensions.first()
    }

    /// What every sequence parameter set that came asks of decoders.
    pub(super) fn demands(&self) -> &BTreeSet<Demand> {
        &self.demands
    }

    /// The sequence parameter set of the first picture.
    pub(super) fn first_used(&self) -> Option<&SequenceParameterSet> {
        self.used.first()
    }

    /// Timing of every sequence parameter set that pictures used.
    pub(super) fn timings(&self) -> impl Iterator<Item = &Option<Timing>> {
        self.used.timings()
    }
}

impl ParameterSetStore for ParameterSets {
    type Configuration = AvcConfiguration;

    fn new(placement: ParameterSetPlacement) -> Self {
        Self {
            keeping: Keeping::new(placement),
            sps: SetMap::new("sequence parameter set"),
            pps: SetMap::new("picture parameter set"),
            sps_extensions: SetMap::new("sequence parameter set extension"),
            demands: BTreeSet::new(),
            used: Used::default(),
            field_pictures: false,
        }
    }

    fn placement(&self) -> ParameterSetPlacement {
        self.keeping.placement()
    }

    /// Takes in a sequence parameter set, its extension, or a picture parameter set.
    ///
    /// A set that came before under the same id must have the same bytes; another is
    /// [`ErrorKind::ParameterSetChanged`](crate::ErrorKind::ParameterSetChanged), but replaces it where sets are kept in
    /// band.
    fn insert(&mut self, nal: &[u8], offset: u64) -> Result<()> {
        let nal = trim_zeros(nal);
        let moved = |error: Error| error.shift(offset);
        let unit_type = NalHeader::read(nal).map_err(moved)?.unit_type;
        let came = self.keeping.came(nal, offset)?;
        match unit_type {
            NalUnitType::Sps => {
                let set = SequenceParameterSet::read(nal).map_err(moved)?;
                let demand = Demand::of(&set);
                self.sps.store(set.id, came, set)?;
                self.demands.insert(demand);
                Ok(())
            }
            NalUnitType::Pps => {
                let set = PictureParameterSet::read(nal).map_err(moved)?;
                self.pps.store(set.id, came, set)
            }
            NalUnitType::SpsExtension => {
                let mut r = BitReader::new(&nal[1..], "H.264 7.4.2.1.2");
                let id = super::ue_u8(&mut r, 31, "seq_parameter_set_id", "0..=31")
                    .map_err(|error| error.shift(1).shift(offset))?;
                self.sps_extensions.store(id, came, ())
            }
            _ => Err(Error::malformed(
                "this NAL unit holds no parameter set",
                "H.264 Table 7-1",
                "pass nal_unit_type 7, 8 or 13",
            )
            .at(offset)),
        }
    }

    fn is_repetition(&self, nal: &[u8]) -> bool {
        // In band, the place of the last one matters too.
        let nal = trim_zeros(nal);
        self.keeping.is_in_sample_entry()
            && (self.sps.has_first(nal) || self.pps.has_first(nal) || self.sps_extensions.has_first(nal))
    }

    fn has(&self, pps_id: u8) -> bool {
        self.for_slice(pps_id).is_ok()
    }

    fn is_active(&self, pps_id: u8) -> bool {
        self.used_by(pps_id).is_ok_and(|(active, _)| self.used.active() == Some(active))
            && !self.pps.is_inherited(pps_id)
    }

    /// The sequence parameter set may change at an IDR picture only (7.4.1.2.1), and not to another picture format:
    /// the sample entry describes one.
    fn activate(&mut self, pps_id: u8, idr: bool, offset: u64) -> Result<()> {
        let (next, sps) = self.used_by(pps_id).map_err(|error| error.at(offset))?;
        match self.used.active() {
            Some(active) if active == next => {
                self.pps.keep_inherited(pps_id);
                return Ok(());
            }
            Some(active) if !idr => return Err(changed_within_sequence(active, next).at(offset)),
            _ => {}
        }
        let (sps, timing) = (sps.clone(), sps.vui.timing);
        self.used.activate(next, sps, timing, offset)?;
        self.pps.keep_inherited(pps_id);
        self.demands.extend(self.sps.keep_inherited(next.id).map(Demand::of));
        self.sps_extensions.keep_inherited(next.id);
        Ok(())
    }

    /// Field macroblocks in a frame prove nothing: encoders use them on progressive pictures too.
    fn note_field_picture(&mut self) {
        self.field_pictures = true;
    }

    fn has_field_pictures(&self) -> bool {
        self.field_pictures
    }

    fn close(&mut self) {
        self.keeping.close();
    }

    fn picture_size(&self) -> Option<(u16, u16)> {
        self.used.picture_size()
    }

    fn in_force(&self) -> impl Iterator<Item = SetInForce> {
        let sps = self.sps.in_force().map(|(id, _, place)| SetInForce {
            place,
            refers_to: None,
            extension: self.sps_extensions.place(id),
            is_pps: false,
        });
        let pps = self.pps.in_force().map(|(_, pps, place)| SetInForce {
            place,
            refers_to: self.sps.place(pps.sps_id),
            extension: None,
            is_pps: true,
        });
        sps.chain(pps)
    }

    fn sent_at(&self, offset: u64) -> Option<&Arc<[u8]>> {
        self.sps
            .sent_at(offset)
            .or_else(|| self.pps.sent_at(offset))
            .or_else(|| self.sps_extensions.sent_at(offset))
    }

    fn renewed(&self) -> Self {
        Self {
            sps: self.sps.renewed(),
            pps: self.pps.renewed(),
            sps_extensions: self.sps_extensions.renewed(),
            ..Self::new(self.placement())
        }
    }
}

fn changed_within_sequence(active: Active, next: Active) -> Error {
    let (active, next) = (active.id, next.id);
    let what = if active == next {
        format!("sequence parameter set {next} has changed in front of a picture that is not IDR")
    } else {
        format!("a picture that is not IDR changes from sequence parameter set {active} to {next}")
    };
    Error::malformed(what, CLAUSE, "the stream is damaged or lacks an IDR picture here")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Pps, Sps, vui_aspect};
    use super::*;
    use crate::codec::parameter_sets::MAX_SET_LEN;
    use crate::codec::parameter_sets::SetPlace;
    use crate::error::ErrorKind;

    #[test]
    fn set_sent_again_with_the_same_bytes_is_one_set() {
        let mut sets = ParameterSets::default();
        let mut nal = Sps::default().nal();
        sets.insert(&nal, 4).unwrap();
        nal.extend([0, 0, 0]);
        sets.insert(&nal, 400).unwrap();
        assert_eq!(
            sets.first_sps().map(|set| (set.bytes.len(), set.offset)).collect::<Vec<_>>(),
            [(nal.len() - 3, 4)]
        );
    }

    #[test]
    fn set_sent_again_with_other_bytes_is_refused_and_both_places_named() {
        let mut sets = ParameterSets::default();
        sets.insert(&Sps::default().nal(), 0x4).unwrap();
        sets.insert(&Pps::default().nal(), 0x20).unwrap();
        let error = sets.insert(&Sps { level_idc: 31, ..Default::default() }.nal(), 0x1000).unwrap_err();
        assert!(error.to_string().starts_with("@ 0x1000: sequence parameter set 0"), "{error}");
        assert!(error.to_string().contains("at 0x4;"), "{error}");
        let kind = "sequence parameter set";
        assert!(
            matches!(error.kind(), ErrorKind::ParameterSetChanged { kind: k, id: 0, first: 4, second: 0x1000 } if *k == kind)
        );
        let error = sets.insert(&Pps { qp: 1, ..Default::default() }.nal(), 0x1020).unwrap_err();
        assert!(error.to_string().starts_with("@ 0x1020: picture parameter set 0"), "{error}");
        assert!(error.to_string().contains("at 0x20;"), "{error}");
        let first = SequenceParameterSet::read(&Sps::default().nal()).unwrap();
        assert_eq!(sets.first_sps().map(|set| &set.value).collect::<Vec<_>>(), [&first]);
    }

    #[test]
    fn picture_set_may_come_before_its_sequence_set() {
        let mut sets = ParameterSets::default();
        sets.insert(&Pps { sps_id: 5, ..Default::default() }.nal(), 0).unwrap();
        let error = sets.for_slice(0).unwrap_err().to_string();
        assert!(error.contains("sequence parameter set 5 by picture parameter set 0"), "{error}");
        sets.insert(&Sps { id: 5, ..Default::default() }.nal(), 20).unwrap();
        assert_eq!(sets.for_slice(0).unwrap().1.id, 5);
        assert!(sets.for_slice(1).unwrap_err().to_string().contains("picture parameter set 1, which"));
    }

    #[test]
    fn set_that_the_record_cannot_hold_is_refused() {
        let mut nal = Sps::default().nal();
        nal.resize(MAX_SET_LEN, 0xff);
        assert!(ParameterSets::default().insert(&nal, 0).is_ok());
        nal.push(0xff);
        let error = ParameterSets::default().insert(&nal, 7).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { value: 65536, limit: 65535, .. }), "{error}");
    }

    #[test]
    fn errors_inside_a_set_give_the_byte_in_the_source() {
        let nal = Sps { max_num_ref_frames: 20, ..Default::default() }.nal();
        let inside = SequenceParameterSet::read(&nal).unwrap_err().offset().unwrap();
        let error = ParameterSets::default().insert(&nal, 0x100).unwrap_err();
        assert_eq!(error.offset(), Some(0x100 + inside));
        let error = ParameterSets::default().insert(&[0x6d], 0x100).unwrap_err();
        assert_eq!(error.offset(), Some(0x101));
    }

    /// Two sequence parameter sets, 0 and 1, with a picture parameter set each.
    fn two(first: &Sps, second: &Sps) -> ParameterSets {
        let mut sets = ParameterSets::default();
        sets.insert(&first.nal(), 0).unwrap();
        sets.insert(&Sps { id: 1, ..second.clone() }.nal(), 50).unwrap();
        sets.insert(&Pps::default().nal(), 100).unwrap();
        sets.insert(&Pps { id: 1, sps_id: 1, ..Default::default() }.nal(), 150).unwrap();
        sets
    }

    #[test]
    fn format_may_not_change_between_sets_in_use() {
        let first = Sps { profile_idc: 100, ..Default::default() };
        let changes: [(Sps, &str); 4] = [
            (Sps { size_minus1: (3, 3), ..first.clone() }, "resolution changes from 64x48"),
            (Sps { crop: Some([0, 1, 0, 0]), ..first.clone() }, "to 62x48 (coded 64x48)"),
            (Sps { chroma: (1, 10, 10), ..first.clone() }, "sample format changes"),
            (Sps { vui: Some(vui_aspect(4, 3)), ..first.clone() }, "aspect ratio changes"),
        ];
        for (second, message) in changes {
            let mut sets = two(&first, &second);
            sets.activate(0, true, 200).unwrap();
            let error = sets.activate(1, true, 300).unwrap_err();
            assert!(error.to_string().starts_with("@ 0x12c: "), "{error}");
            assert!(error.to_string().contains(message), "{error}");
            assert_eq!(sets.used.active(), Some(Active { id: 0, offset: 0 }));
        }
    }

    #[test]
    fn sequence_set_changes_at_idr_pictures_only() {
        let mut sets = two(&Sps::default(), &Sps { level_idc: 31, ..Default::default() });
        sets.activate(0, true, 200).unwrap();
        let error = sets.activate(1, false, 300).unwrap_err();
        assert!(error.to_string().contains("not IDR changes from sequence parameter set 0 to 1"), "{error}");
        sets.activate(1, true, 400).unwrap();
        assert_eq!(sets.used.active(), Some(Active { id: 1, offset: 50 }));
        sets.activate(0, true, 500).unwrap();
        assert_eq!(sets.first_used().map(|sps| sps.level_idc), Some(30));
    }

    #[test]
    fn sets_in_band_may_change_and_the_record_keeps_the_first_and_covers_all() {
        let mut sets = ParameterSets::new(ParameterSetPlacement::InBand);
        let (sps, pps) = (Sps::default(), Pps::default());
        sets.insert(&sps.nal(), 10).unwrap();
        sets.insert(&pps.nal(), 30).unwrap();
        sets.activate(0, true, 50).unwrap();
        let other = Pps { num_ref_idx_minus1: (2, 0), ..pps.clone() };
        sets.insert(&other.nal(), 100).unwrap();
        assert_eq!(sets.for_slice(0).unwrap().0.num_ref_idx_default_minus1, [2, 0]);
        sets.activate(0, false, 120).unwrap();
        // The sequence parameter set in use may change in front of an IDR picture only.
        let higher = Sps { level_idc: 51, ..sps.clone() };
        sets.insert(&higher.nal(), 200).unwrap();
        assert!(sets.activate(0, false, 220).unwrap_err().to_string().contains("set 0 has changed"));
        sets.activate(0, true, 220).unwrap();
        sets.insert(&higher.nal(), 300).unwrap();
        sets.activate(0, false, 320).unwrap();
        let configuration = sets.configuration().unwrap();
        assert_eq!(configuration.codec_string(), "avc3.4D0033");
        let record = configuration.record();
        assert!(record.windows(sps.nal().len()).any(|w| w == sps.nal()), "{record:02x?}");
        assert!(record.ends_with(&pps.nal()), "{record:02x?}");
        let place = |offset, nal: Vec<u8>| SetPlace { offset, len: nal.len() as u32 };
        let (sps_place, pps_place) = (place(300, higher.nal()), place(100, other.nal()));
        let of = |place, refers_to, is_pps| SetInForce { place, refers_to, extension: None, is_pps };
        let in_force: Vec<_> = sets.in_force().collect();
        assert_eq!(in_force, [of(sps_place, None, false), of(pps_place, Some(sps_place), true)]);
    }

    #[test]
    fn what_replaced_sets_asked_for_is_still_declared() {
        // Interlaced and High first, progressive and Main after: the track is neither progressive nor Main.
        let mut sets = ParameterSets::new(ParameterSetPlacement::InBand);
        let interlaced =
            Sps { profile_idc: 100, frame_mbs_only: false, size_minus1: (3, 0), ..Default::default() };
        sets.insert(&interlaced.nal(), 10).unwrap();
        sets.insert(&Pps::default().nal(), 30).unwrap();
        sets.activate(0, true, 50).unwrap();
        sets.insert(&Sps { size_minus1: (3, 1), ..Default::default() }.nal(), 100).unwrap();
        sets.activate(0, true, 150).unwrap();
        let configuration = sets.configuration().unwrap();
        assert_eq!(configuration.scan(), None);
        assert_eq!(configuration.codec_string(), "avc3.64001E");
    }

    #[test]
    fn format_may_not_change_in_band_either() {
        let mut sets = ParameterSets::new(ParameterSetPlacement::InBand);
        sets.insert(&Sps::default().nal(), 10).unwrap();
        sets.insert(&Pps::default().nal(), 30).unwrap();
        sets.activate(0, true, 50).unwrap();
        sets.insert(&Sps { size_minus1: (5, 5), ..Default::default() }.nal(), 100).unwrap();
        assert!(sets.activate(0, true, 120).unwrap_err().to_string().contains("resolution changes"));
    }
}
