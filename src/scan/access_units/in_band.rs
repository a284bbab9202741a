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

        for set in front.iter().chain(&behind) {
            self.repeated.add(u64::from(set.len));
        }
        if front.len() + behind.len() > 0 {
            self.opened_with = Some(Arc::clone(&self.sets));
        }
        let range = |set: SetPlace| SourceRange { offset: set.offset, len: set.len };
        self.units.extend(front.into_iter().map(range));
        self.units.extend(self.held.drain(..sps_end).map(|unit| unit.range));
        self.units.extend(behind.into_iter().map(range));
    }
}
