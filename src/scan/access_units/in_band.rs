//! Parameter sets kept in band: what an access unit lacks that decoding may start at.

use std::sync::Arc;

use super::{AccessUnitBuilder, Held, NalCodec, ParameterSetStore, Role};
use crate::codec::parameter_sets::SetPlace;
use crate::scan::SourceRange;

impl<C: NalCodec> AccessUnitBuilder<C> {
    /// Opens an access unit that decoding may start at with every set that holds: missing sets that others refer to stand in
    /// front of all, missing picture parameter sets behind the last of those held for it.
    ///
    /// The order matters. A decoder reads a picture parameter set by its sequence parameter set, and may forget it when that
    /// one changes, as FFmpeg's does: one that stands ahead of its sequence parameter set counts as missing. An extension
    /// stands directly behind its set (7.4.1.2.3), which is therefore repeated with it.
    pub(super) fn open_with_all_sets(&mut self) {
        // All that came since the last slice is held, in order: what was last sent before that is missing.
        let held_from = self.held.first().map_or(u64::MAX, |unit| unit.range.offset);
        let is_sps = |unit: &Held| unit.role == Role::ParameterSet;
        let sps_end = self.held.iter().rposition(is_sps).map_or(0, |last| last + 1);

        let sps_end_offset = self.held.get(sps_end).map_or(u64::MAX, |unit| unit.range.offset);
        let missing = |place: &SetPlace| place.offset < held_from;
        let (mut front, mut behind): (Vec<SetPlace>, Vec<SetPlace>) = (Vec::new(), Vec::new());
        for set in self.sets.in_force() {
            // What stands behind a set that it refers to is read by that one.
            let repeated_late = set.refers_to.is_some_and(|other| behind.contains(&other));
            let comes_late =
                set.refers_to.is_some_and(|other| !missing(&other) && set.place.offset < other.offset);
            let too_early = comes_late || (repeated_late && set.place.offset < sps_end_offset);
            match (missing(&set.place), set.extension.filter(missing)) {
                (true, extension) if !set.is_pps && !too_early => {
                    front.extend([Some(set.place), extension].into_iter().flatten());
                }
                (false, None) if !too_early => {}
                (_, extension) => behind.extend([Some(set.place), extension].into_iter().flatten()),
            }
        }

        self.opened_with.clear();
        for set in front.iter().chain(&behind) {
            self.repeated.add(u64::from(set.len));
            let bytes = self.sets.sent_at(set.offset).expect("a set in force was sent there");
            self.opened_with.push((set.offset, Arc::clone(bytes)));
        }
        let range = |set: SetPlace| SourceRange { offset: set.offset, len: set.len };
        self.units.extend(front.into_iter().map(range));
        self.units.extend(self.held.drain(..sps_end).map(|unit| unit.range));
        self.units.extend(behind.into_iter().map(range));
    }
    /// Drops what was held for a RASL picture with it, but for the sets that hold from there on: pictures behind it may need
    /// them, so they go on waiting.
    pub(super) fn skip_held(&mut self) {
        if self.in_front {
            let goes =
                |unit: &mut Held| !unit.is_parameter_set() || self.sets.sent_at(unit.range.offset).is_none();
            self.units.extend(self.held.extract_if(.., goes).map(|unit| unit.range));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::ParameterSetPlacement;
    use crate::codec::h265::testing::{Pps, Slice, Sps, Vps};
    use crate::scan::NalUnit;
    use crate::scan::access_units::AccessUnitOptions;
    use crate::scan::h265::H265;

    #[test]
    fn giving_sets_shares_their_bytes_and_not_the_store() {
        // A store that is shared is copied whole when the next set comes, which made streams of sets and IDR pictures quadratic.
        let parameter_sets = ParameterSetPlacement::InBand;
        let options = AccessUnitOptions { parameter_sets, ..AccessUnitOptions::default() };
        let mut builder = AccessUnitBuilder::<H265>::new(options);
        let nals = [Vps::default().nal(), Sps::default().nal(), Pps::default().nal()];
        let idr = Slice::idr().nal();
        for (nal, offset) in nals.iter().chain([&idr, &idr, &idr]).zip((0..).step_by(100)) {
            builder.push(NalUnit { offset, len: nal.len() as u32, head: nal }).unwrap();
            assert!(Arc::get_mut(&mut builder.sets).is_some());
        }
        assert_eq!(builder.repeated().units, 6);
        assert_eq!(builder.given_set(100), Some(&nals[1][..]));
    }
}
