//! `sbgp` and `sgpd` of roll groups in a `traf` ► the roll distance of each of its samples (ISO/IEC 14496-12 8.9.2 to 8.9.4).

use std::ops::Range;

use super::moof::Place;
use super::{Notes, SEGMENT_BOX_ORDER, SEGMENT_ROLL_GROUP};
use crate::boxes::reader::BoxRef;
use crate::verify::header::{RollGroups, roll};

/// Indices from here on are of groups in the same `traf`, from 1 (8.9.4).
const OF_FRAGMENT: u32 = 0x1_0000;

/// Reads them in a `traf` of the samples with these indices, and appends what they say of them to `rolls`.
pub(super) fn read(
    traf: &BoxRef<'_>,
    at: Place,
    samples: Range<usize>,
    notes: &mut Notes<'_>,
    rolls: &mut Vec<(usize, Option<i16>)>,
) {
    let mut own = RollGroups::default();
    let mut sbgp = None;
    let mut boxes = traf.boxes();
    // Where each kind stands, in the order of CMAF.
    let mut last = 0;
    while let Ok(Some(next)) = boxes.next() {
        let place = match &next.kind.0 {
            b"trun" => 1,
            b"sbgp" => 2,
            b"sgpd" => 3,
            _ => continue,
        };
        if place < last && notes.cmaf {
            let message = format!("'{}' stands behind {}", next.kind, ["", "trun", "sbgp", "sgpd"][last]);
            notes.warn(&SEGMENT_BOX_ORDER, at.of(next.offset), message);
        }
        last = place.max(last);
        match &next.kind.0 {
            b"sgpd" if roll::is_roll(&next) => match roll::read(&next) {
                Ok(read) => own = read,
                Err(fault) => notes.add(&SEGMENT_ROLL_GROUP, at.of(next.offset), fault),
            },
            b"sbgp" if roll::is_roll(&next) => match sbgp {
                Some(_) => at.duplicate(&next, notes),
                None => sbgp = Some(next),
            },
            _ => {}
        }
    }
    let told = sbgp.map_or(Ok(Vec::new()), |sbgp| runs(&sbgp).map_err(|fault| (at.of(sbgp.offset), fault)));
    let runs = told.unwrap_or_else(|(offset, fault)| {
        notes.add(&SEGMENT_ROLL_GROUP, offset, fault);
        Vec::new()
    });
    let groups = Groups { own, of_track: &notes.header.rolls };
    let mut end = samples.start;
    let mut fault = None;
    for (count, index) in runs {
        let distance = groups.distance(index);
        if distance.is_none() && index != 0 {
            fault = fault.or(Some(format!("sbgp names group {index:#x}, which no sgpd has")));
        }
        end = end.saturating_add(count as usize);
        if end > samples.end {
            fault = fault.or(Some(format!("sbgp is of more samples than the {} in its traf", samples.len())));
            end = samples.end;
        }
        rolls.push((end, distance));
    }
    rolls.push((samples.end, groups.default()));
    if let Some(fault) = fault {
        notes.add(&SEGMENT_ROLL_GROUP, at.of(traf.offset), fault);
    }
}

struct Groups<'a> {
    own: RollGroups,
    of_track: &'a RollGroups,
}

impl Groups<'_> {
    /// Of `group_description_index`; `None` in no group, or in one that is not there.
    fn distance(&self, index: u32) -> Option<i16> {
        let (groups, index) = match index.checked_sub(OF_FRAGMENT) {
            Some(index) => (&self.own, index),
            None => (self.of_track, index),
        };
        groups.distances.get(usize::try_from(index.checked_sub(1)?).ok()?).copied()
    }

    /// Of samples that `sbgp` does not count.
    fn default(&self) -> Option<i16> {
        let of_fragment = self.own.default.checked_add(OF_FRAGMENT).filter(|_| self.own.default > 0);
        self.distance(of_fragment.unwrap_or(self.of_track.default))
    }
}

/// `sample_count` and `group_description_index` of `sbgp`.
fn runs(sbgp: &BoxRef<'_>) -> Result<Vec<(u32, u32)>, String> {
    let read = || -> crate::Result<Result<Vec<(u32, u32)>, String>> {
        let mut body = sbgp.fields("ISO/IEC 14496-12 8.9.2");
        let version = body.u32("version and flags")? >> 24;
        body.u32("grouping_type")?;
        match version {
            0 => {}
            1 => drop(body.u32("grouping_type_parameter")?),
            _ => return Ok(Err(format!("version {version} of sbgp is not known"))),
        }
        let count = body.u32("entry_count")?;
        let mut runs = Vec::new();
        for _ in 0..count {
            runs.push((body.u32("sample_count")?, body.u32("group_description_index")?));
        }
        match body.rest().len() {
            0 => Ok(Ok(runs)),
            rest => Ok(Err(format!("{rest} bytes behind the last entry of sbgp"))),
        }
    };
    read().map_err(|error| error.kind().to_string())?
}
