//! Every parameter set of a stream, by id: its bytes for the sample entry, its meaning for slice segment headers, and
//! which sequence parameter sets pictures really used.
//!
//! `hvc1` keeps parameter sets in the sample entry alone, one per id for the whole track (ISO/IEC 14496-15), so a set
//! that is sent again must be the same. With `hev1` they stay in the samples and may change. The pictures must keep one
//! format either way.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::codec::ScanType;
use crate::codec::parameter_sets::{
    Keeping, ParameterSetPlacement, ParameterSetStore, SetInForce, SetMap, Used, Version, trim_zeros,
};
use crate::error::{Error, Result};

use super::{
    HevcConfiguration, NalHeader, NalUnitType, Parallelism, PictureParameterSet, ProfileTierLevel,
    SequenceParameterSet, Timing, VideoParameterSet,
};

/// The rule of which sets are in use.
const CLAUSE: &str = "H.265 7.4.2.4.2";

/// The parameter sets that have come so far.
#[derive(Clone, Debug)]
pub struct ParameterSets {
    keeping: Keeping,
    vps: SetMap<VideoParameterSet>,
    sps: SetMap<SequenceParameterSet>,
    pps: SetMap<PictureParameterSet>,
    /// Of every sequence parameter set that came, replaced ones too.
    demands: BTreeSet<Demand>,
    /// Of every picture parameter set that came, replaced ones too.
    parallelism: BTreeSet<Parallelism>,
    /// With the timing of each, or of its video parameter set.
    used: Used<SequenceParameterSet, Active, Timing>,
}

/// A sequence parameter set in use, and the video parameter set that it builds on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Active {
    sps_id: u8,
    sps_offset: u64,
    vps_offset: u64,
}

/// What a sequence parameter set asks of decoders, and says for the configuration record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Demand {
    pub(super) profile_tier_level: ProfileTierLevel,
    pub(super) progressive: bool,
    pub(super) interlaced: bool,
    pub(super) min_spatial_segmentation_idc: u16,
    pub(super) max_sub_layers: u8,
    pub(super) temporal_id_nesting: bool,
}

impl Demand {
    fn of(sps: &SequenceParameterSet) -> Self {
        Self {
            profile_tier_level: sps.profile_tier_level,
            progressive: sps.scan() == Some(ScanType::Progressive),
            interlaced: sps.scan() == Some(ScanType::Interlaced),
            min_spatial_segmentation_idc: sps.vui.min_spatial_segmentation_idc,
            max_sub_layers: sps.max_sub_layers,
            temporal_id_nesting: sps.temporal_id_nesting,
        }
    }
}

impl Default for ParameterSets {
    fn default() -> Self {
        Self::new(ParameterSetPlacement::default())
    }
}

impl ParameterSets {
    /// The sets that a slice segment with this `slice_pic_parameter_set_id` is read with; an error when one has not come.
    pub fn for_slice(&self, pps_id: u8) -> Result<(&PictureParameterSet, &SequenceParameterSet)> {
        let (pps, sps) = self.referred(pps_id)?;
        Ok((pps, &sps.value))
    }

    fn referred(&self, pps_id: u8) -> Result<(&PictureParameterSet, &Version<SequenceParameterSet>)> {
        let pps = &self.pps.needed(pps_id, None, CLAUSE)?.value;
        let sps = self.sps.needed(pps.sps_id, Some(("picture parameter set", pps_id)), CLAUSE)?;
        Ok((pps, sps))
    }

    /// The sets in use where a picture has this `slice_pic_parameter_set_id`.
    fn used_by(&self, pps_id: u8) -> Result<(Active, &SequenceParameterSet, &VideoParameterSet)> {
        let (&PictureParameterSet { sps_id, .. }, sps) = self.referred(pps_id)?;
        let vps = self.vps.needed(sps.value.vps_id, Some(("sequence parameter set", sps_id)), CLAUSE)?;
        let active = Active { sps_id, sps_offset: sps.offset, vps_offset: vps.offset };
        Ok((active, &sps.value, &vps.value))
    }

    /// What the sample entry of the whole track says: every set that came, and the format of the pictures. An error
    /// when a kind of set has not come, or when one record cannot describe all.
    pub fn configuration(&self) -> Result<HevcConfiguration> {
        HevcConfiguration::new(self)
    }

    /// Video parameter sets as they first came, in id order.
    pub(super) fn first_vps(&self) -> impl Iterator<Item = &Version<VideoParameterSet>> {
        self.vps.first()
    }

    /// Sequence parameter sets as they first came, in id order.
    pub(super) fn first_sps(&self) -> impl Iterator<Item = &Version<SequenceParameterSet>> {
        self.sps.first()
    }

    /// Picture parameter sets as they first came, in id order.
    pub(super) fn first_pps(&self) -> impl Iterator<Item = &Version<PictureParameterSet>> {
        self.pps.first()
    }

    /// What every sequence parameter set that came asks of decoders.
    pub(super) fn demands(&self) -> &BTreeSet<Demand> {
        &self.demands
    }

    /// How decoders may share the work, after every picture parameter set that came.
    pub(super) fn parallelism(&self) -> &BTreeSet<Parallelism> {
        &self.parallelism
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
    type Configuration = HevcConfiguration;

    fn new(placement: ParameterSetPlacement) -> Self {
        Self {
            keeping: Keeping::new(placement),
            vps: SetMap::new("video parameter set"),
            sps: SetMap::new("sequence parameter set"),
            pps: SetMap::new("picture parameter set"),
            demands: BTreeSet::new(),
            parallelism: BTreeSet::new(),
            used: Used::default(),
        }
    }

    fn placement(&self) -> ParameterSetPlacement {
        self.keeping.placement()
    }

    /// Takes in a video, sequence or picture parameter set of the base layer.
    ///
    /// A set that came before under the same id must have the same bytes; another is
    /// [`ErrorKind::ParameterSetChanged`](crate::error::ErrorKind::ParameterSetChanged), but replaces it where sets are
    /// kept in band.
    fn insert(&mut self, nal: &[u8], offset: u64) -> Result<()> {
        let nal = trim_zeros(nal);
        let moved = |error: Error| error.shift(offset);
        let header = NalHeader::read(nal).map_err(moved)?;
        let came = self.keeping.came(nal, offset)?;
        match header.unit_type {
            _ if header.layer_id != 0 => Err(Error::unsupported(
                format!("a parameter set of layer {}", header.layer_id),
                "pass those of the base layer (nuh_layer_id 0)",
            )
            .at(offset)),
            NalUnitType::VPS => {
                let set = VideoParameterSet::read(nal).map_err(moved)?;
                self.vps.store(set.id, came, set)
            }
            NalUnitType::SPS => {
                let set = SequenceParameterSet::read(nal).map_err(moved)?;
                let demand = Demand::of(&set);
                self.sps.store(set.id, came, set)?;
                self.demands.insert(demand);
                Ok(())
            }
            NalUnitType::PPS => {
                let set = PictureParameterSet::read(nal).map_err(moved)?;
                self.pps.store(set.id, came, set)?;
                self.parallelism.insert(set.parallelism);
                Ok(())
            }
            _ => Err(Error::malformed(
                "this NAL unit holds no parameter set",
                "H.265 Table 7-1",
                "pass nal_unit_type 32, 33 or 34",
            )
            .at(offset)),
        }
    }

    fn is_repetition(&self, nal: &[u8]) -> bool {
        // In band, the place of the last one matters too.
        let nal = trim_zeros(nal);
        self.keeping.is_in_sample_entry()
            && (self.vps.has_first(nal) || self.sps.has_first(nal) || self.pps.has_first(nal))
    }

    fn has(&self, pps_id: u8) -> bool {
        self.for_slice(pps_id).is_ok()
    }

    fn is_active(&self, pps_id: u8) -> bool {
        self.used_by(pps_id).is_ok_and(|(active, ..)| self.used.active() == Some(active))
            && !self.pps.is_inherited(pps_id)
    }

    /// `starts_sequence` says that it is an IRAP picture with `NoRaslOutputFlag` 1
    /// ([`OrderCounter::starts_sequence`](super::OrderCounter::starts_sequence)). The sequence parameter set, and the video
    /// parameter set that it refers to, may change at such a picture only (7.4.2.4.2), and not to another picture format:
    /// the sample entry describes one.
    fn activate(&mut self, pps_id: u8, starts_sequence: bool, offset: u64) -> Result<()> {
        let (next, sps, vps) = self.used_by(pps_id).map_err(|error| error.at(offset))?;
        match self.used.active() {
            Some(active) if active == next => {
                self.parallelism.extend(self.pps.keep_inherited(pps_id).map(|pps| pps.parallelism));
                return Ok(());
            }
            Some(active) if !starts_sequence => return Err(changed_within_sequence(active, next).at(offset)),
            _ => {}
        }
        let (sps, timing, vps_id) = (sps.clone(), sps.vui.timing.or(vps.timing), sps.vps_id);
        self.used.activate(next, sps, timing, offset)?;
        self.parallelism.extend(self.pps.keep_inherited(pps_id).map(|pps| pps.parallelism));
        self.demands.extend(self.sps.keep_inherited(next.sps_id).map(Demand::of));
        self.vps.keep_inherited(vps_id);
        Ok(())
    }

    fn close(&mut self) {
        self.keeping.close();
    }

    fn picture_size(&self) -> Option<(u16, u16)> {
        self.used.picture_size()
    }

    fn in_force(&self) -> impl Iterator<Item = SetInForce> {
        let of = |place, refers_to, is_pps| SetInForce { place, refers_to, extension: None, is_pps };
        let vps = self.vps.in_force().map(move |(_, _, place)| of(place, None, false));
        let sps =
            self.sps.in_force().map(move |(_, sps, place)| of(place, self.vps.place(sps.vps_id), false));
        let pps = self.pps.in_force().map(move |(_, pps, place)| of(place, self.sps.place(pps.sps_id), true));
        vps.chain(sps).chain(pps)
    }

    fn sent_at(&self, offset: u64) -> Option<&Arc<[u8]>> {
        self.vps.sent_at(offset).or_else(|| self.sps.sent_at(offset)).or_else(|| self.pps.sent_at(offset))
    }

    fn renewed(&self) -> Self {
        Self {
            vps: self.vps.renewed(),
            sps: self.sps.renewed(),
            pps: self.pps.renewed(),
            ..Self::new(self.placement())
        }
    }
}

fn changed_within_sequence(active: Active, next: Active) -> Error {
    let what = if active.sps_id != next.sps_id {
        format!(
            "a picture that does not start a coded video sequence changes from sequence parameter set {} to {}",
            active.sps_id, next.sps_id
        )
    } else {
        let kind = if active.sps_offset != next.sps_offset { "sequence" } else { "video" };
        format!(
            "the {kind} parameter set in use has changed in front of a picture that does not start a coded video sequence"
        )
    };
    Error::malformed(what, CLAUSE, "the stream is damaged or lacks an IDR picture here")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Pps, Slice, Sps, Vps, vui_aspect, vui_fields};
    use super::super::{OrderCounter, SliceHeader};
    use super::*;
    use crate::codec::parameter_sets::MAX_SET_LEN;
    use crate::codec::parameter_sets::SetPlace;
    use crate::error::ErrorKind;

    fn bytes(sets: &ParameterSets) -> Vec<(usize, u64)> {
        sets.first_sps().map(|set| (set.bytes.len(), set.offset)).collect()
    }

    #[test]
    fn set_sent_again_with_the_same_bytes_is_one_set() {
        let mut sets = ParameterSets::default();
        let mut nal = Sps::default().nal();
        sets.insert(&nal, 4).unwrap();
        nal.extend([0, 0, 0]);
        assert!(sets.is_repetition(&nal) && !sets.is_repetition(&Pps::default().nal()));
        sets.insert(&nal, 400).unwrap();
        assert_eq!(bytes(&sets), [(nal.len() - 3, 4)]);
        assert_eq!(sets.sent_at(400).map(|set| &set[..]), Some(&nal[..nal.len() - 3]));
        assert_eq!(sets.sent_at(4), None);
    }

    #[test]
    fn set_sent_again_with_other_bytes_is_refused_and_both_places_named() {
        let mut sets = ParameterSets::default();
        let first = [Vps::default().nal(), Sps::default().nal(), Pps::default().nal()];
        for (nal, offset) in first.iter().zip([4, 0x20, 0x40]) {
            sets.insert(nal, offset).unwrap();
        }
        let others = [
            (Vps { timing: Some((1, 25)), ..Default::default() }.nal(), "video parameter set", 4),
            (Sps { log2_max_lsb: 8, ..Default::default() }.nal(), "sequence parameter set", 0x20),
            (Pps { qp: 1, ..Default::default() }.nal(), "picture parameter set", 0x40),
        ];
        for (nal, kind, at) in others {
            let error = sets.insert(&nal, 0x1000).unwrap_err();
            assert!(error.to_string().starts_with(&format!("@ 0x1000: {kind} 0")), "{error}");
            assert!(
                matches!(error.kind(), ErrorKind::ParameterSetChanged { kind: k, id: 0, first, second: 0x1000 }
                    if *k == kind && *first == at),
                "{error}"
            );
        }
        let kept = sets.first_vps().map(|set| &*set.bytes).chain(sets.first_sps().map(|set| &*set.bytes));
        assert!(kept.chain(sets.first_pps().map(|set| &*set.bytes)).eq(first.iter().map(Vec::as_slice)));
    }

    #[test]
    fn closed_sets_take_no_new_id() {
        let mut sets = ParameterSets::default();
        sets.insert(&Sps::default().nal(), 4).unwrap();
        sets.close();
        sets.insert(&Sps::default().nal(), 40).unwrap();
        let error = sets.insert(&Sps { id: 1, ..Default::default() }.nal(), 80).unwrap_err().to_string();
        assert!(error.contains("sequence parameter set 1 is new"), "{error}");
        let mut sets = ParameterSets::new(ParameterSetPlacement::InBand);
        sets.close();
        sets.insert(&Sps::default().nal(), 4).unwrap();
    }

    #[test]
    fn sets_may_come_in_any_order() {
        let mut sets = ParameterSets::default();
        sets.insert(&Pps { sps_id: 5, ..Default::default() }.nal(), 0).unwrap();
        let error = sets.for_slice(0).unwrap_err().to_string();
        assert!(error.contains("sequence parameter set 5 by picture parameter set 0"), "{error}");
        sets.insert(&Sps { id: 5, vps_id: 7, ..Default::default() }.nal(), 20).unwrap();
        assert_eq!(sets.for_slice(0).unwrap().1.id, 5);
        let error = sets.activate(0, true, 30).unwrap_err().to_string();
        assert!(error.contains("video parameter set 7 by sequence parameter set 5"), "{error}");
        assert!(!sets.is_active(0));
        sets.insert(&Vps { id: 7, ..Default::default() }.nal(), 40).unwrap();
        sets.activate(0, true, 50).unwrap();
        assert!(sets.is_active(0));
        assert_eq!(sets.picture_size(), Some((64, 48)));
    }

    #[test]
    fn what_is_no_set_of_the_base_layer_is_refused() {
        let mut sets = ParameterSets::default();
        let error = sets.insert(&Slice::idr().nal(), 7).unwrap_err();
        assert!(error.to_string().contains("holds no parameter set"), "{error}");
        let mut nal = Sps::default().nal();
        nal[1] |= 1 << 3;
        let error = sets.insert(&nal, 7).unwrap_err();
        assert!(error.to_string().contains("parameter set of layer 1: not supported"), "{error}");
        assert_eq!(error.offset(), Some(7));
        let mut nal = Sps::default().nal();
        nal.resize(MAX_SET_LEN + 1, 0xff);
        let error = sets.insert(&nal, 7).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { value: 65536, limit: 65535, .. }), "{error}");
        let nal = Sps { chroma: (4, 8, 8), ..Default::default() }.nal();
        let inside = SequenceParameterSet::read(&nal).unwrap_err().offset().unwrap();
        assert_eq!(sets.insert(&nal, 0x100).unwrap_err().offset(), Some(0x100 + inside));
    }

    /// Two sequence parameter sets, 0 and 1, of one video parameter set, with a picture parameter set each.
    fn two(first: &Sps, second: &Sps) -> ParameterSets {
        let mut sets = ParameterSets::default();
        sets.insert(&Vps::default().nal(), 0).unwrap();
        sets.insert(&first.nal(), 20).unwrap();
        sets.insert(&Sps { id: 1, ..second.clone() }.nal(), 50).unwrap();
        sets.insert(&Pps::default().nal(), 100).unwrap();
        sets.insert(&Pps { id: 1, sps_id: 1, ..Default::default() }.nal(), 150).unwrap();
        sets
    }

    #[test]
    fn format_may_not_change_between_sets_in_use() {
        let first = Sps::default();
        let changes: [(Sps, &str); 5] = [
            (Sps { size: (80, 48), ..first.clone() }, "resolution changes from 64x48"),
            (Sps { window: Some([0, 1, 0, 0]), ..first.clone() }, "to 62x48 (coded 64x48)"),
            (Sps { chroma: (1, 10, 10), ..first.clone() }, "sample format changes"),
            (Sps { vui: Some(vui_aspect(4, 3)), ..first.clone() }, "aspect ratio changes"),
            (Sps { vui: Some(vui_fields()), ..first.clone() }, "between frames and fields"),
        ];
        for (second, message) in changes {
            let mut sets = two(&first, &second);
            sets.activate(0, true, 200).unwrap();
            let error = sets.activate(1, true, 300).unwrap_err();
            assert!(error.to_string().starts_with("@ 0x12c: "), "{error}");
            assert!(error.to_string().contains(message), "{error}");
            assert!(sets.is_active(0) && !sets.is_active(1));
        }
    }

    #[test]
    fn sequence_set_changes_where_a_sequence_starts_only() {
        let mut sets = two(&Sps::default(), &Sps { log2_max_lsb: 8, ..Default::default() });
        sets.activate(0, true, 200).unwrap();
        sets.activate(0, false, 250).unwrap();
        let error = sets.activate(1, false, 300).unwrap_err().to_string();
        assert!(error.contains("changes from sequence parameter set 0 to 1"), "{error}");
        sets.activate(1, true, 400).unwrap();
        assert!(sets.is_active(1) && !sets.is_active(0));
        sets.activate(0, true, 500).unwrap();
        assert_eq!(sets.first_used().map(|sps| sps.log2_max_lsb), Some(4));
    }

    #[test]
    fn a_cra_picture_changes_sets_only_where_it_starts_a_sequence() {
        let mut sets = two(&Sps::default(), &Sps { max_sub_layers: 2, ..Default::default() });
        let mut counter = OrderCounter::default();
        let mut next = |sets: &mut ParameterSets, pps_id| {
            let slice = SliceHeader::read(&Slice { pps_id, ..Slice::cra(4) }.nal(), sets).unwrap();
            sets.activate(pps_id as u8, counter.starts_sequence(&slice), 0)?;
            counter.next(&slice, sets.for_slice(slice.pps_id).unwrap().1)
        };
        assert!(next(&mut sets, 0).unwrap().epoch_start);
        assert!(
            next(&mut sets, 1).unwrap_err().to_string().contains("does not start a coded video sequence")
        );
        assert!(!next(&mut sets, 0).unwrap().epoch_start);
    }

    #[test]
    fn sets_in_band_may_change_and_the_record_keeps_the_first_and_covers_all() {
        let mut sets = ParameterSets::new(ParameterSetPlacement::InBand);
        let (vps, sps, pps) = (Vps::default(), Sps::default(), Pps::default());
        for (nal, offset) in [(vps.nal(), 5), (sps.nal(), 10), (pps.nal(), 30)] {
            sets.insert(&nal, offset).unwrap();
        }
        sets.activate(0, true, 50).unwrap();
        let other = Pps { extra_slice_header_bits: 2, ..pps.clone() };
        sets.insert(&other.nal(), 100).unwrap();
        assert_eq!(sets.for_slice(0).unwrap().0.num_extra_slice_header_bits, 2);
        sets.activate(0, false, 120).unwrap();
        let mut higher = sps.clone();
        higher.profile.level_idc = 153;
        sets.insert(&higher.nal(), 200).unwrap();
        let error = sets.activate(0, false, 220).unwrap_err().to_string();
        assert!(error.contains("the sequence parameter set in use has changed"), "{error}");
        sets.activate(0, true, 220).unwrap();
        sets.insert(&higher.nal(), 300).unwrap();
        sets.activate(0, false, 320).unwrap();
        let timed = Vps { timing: Some((1, 25)), ..vps.clone() };
        sets.insert(&timed.nal(), 400).unwrap();
        let error = sets.activate(0, false, 420).unwrap_err().to_string();
        assert!(error.contains("the video parameter set in use has changed"), "{error}");
        sets.activate(0, true, 420).unwrap();

        let configuration = sets.configuration().unwrap();
        assert_eq!(configuration.codec_string(), "hev1.1.6.L153.90");
        let record = configuration.record();
        for nal in [vps.nal(), sps.nal(), pps.nal()] {
            assert!(record.windows(nal.len()).any(|w| w == nal), "{record:02x?}");
        }
        let place = |offset, nal: Vec<u8>| SetPlace { offset, len: nal.len() as u32 };
        let (vps, sps, pps) = (place(400, timed.nal()), place(300, higher.nal()), place(100, other.nal()));
        let of = |place, refers_to, is_pps| SetInForce { place, refers_to, extension: None, is_pps };
        let in_force: Vec<_> = sets.in_force().collect();
        assert_eq!(in_force, [of(vps, None, false), of(sps, Some(vps), false), of(pps, Some(sps), true)]);
    }
}
