//! Short-term reference picture sets of a sequence parameter set (H.265 7.3.7, 7.4.8), to reach what stands behind them:
//! how long one is depends on how many pictures the one before it has.

use crate::bits::BitReader;
use crate::error::{Error, Result};

use super::ue_u8;

/// A decoded picture buffer has room for 16 pictures at most (A.4.2).
const MAX_PICTURES: u8 = 16;

/// Order count differences of one set: those before the picture, from the nearest on, then those behind it likewise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ReferenceSet {
    before: Vec<i64>,
    behind: Vec<i64>,
}

/// Reads `num_short_term_ref_pic_sets` and every `st_ref_pic_set( i )` past.
pub(super) fn skip_reference_sets(r: &mut BitReader<'_>) -> Result<()> {
    let count = ue_u8(r, 64, "num_short_term_ref_pic_sets", "0..=64")?;
    let mut previous = None;
    for _ in 0..count {
        let predicted = match &previous {
            Some(set) if r.flag("inter_ref_pic_set_prediction_flag")? => Some(set),
            _ => None,
        };
        previous = Some(match predicted {
            Some(set) => read_predicted(r, set)?,
            None => read_explicit(r)?,
        });
    }
    Ok(())
}

fn read_explicit(r: &mut BitReader<'_>) -> Result<ReferenceSet> {
    let before = ue_u8(r, MAX_PICTURES, "num_negative_pics", "0..=16")?;
    let behind = ue_u8(r, MAX_PICTURES - before, "num_positive_pics", "0..=16, with num_negative_pics")?;
    let mut deltas = |count: u8, sign: i64, element: &'static str, used: &'static str| {
        let mut delta = 0;
        (0..count)
            .map(|_| {
                delta += sign * (i64::from(r.ue(element)?) + 1);
                r.flag(used)?;
                Ok(delta)
            })
            .collect::<Result<Vec<_>>>()
    };
    Ok(ReferenceSet {
        before: deltas(before, -1, "delta_poc_s0_minus1", "used_by_curr_pic_s0_flag")?,
        behind: deltas(behind, 1, "delta_poc_s1_minus1", "used_by_curr_pic_s1_flag")?,
    })
}

/// A set given as the one before it, moved (7-61, 7-62).
fn read_predicted(r: &mut BitReader<'_>, from: &ReferenceSet) -> Result<ReferenceSet> {
    let start = r.byte_offset();
    let negative = r.flag("delta_rps_sign")?;
    let distance = i64::from(r.ue_max(32767, "abs_delta_rps_minus1", "0..=32767")?) + 1;
    let moved_by = if negative { -distance } else { distance };
    // The picture that the other set is of comes last.
    let references = from.before.iter().chain(&from.behind).copied().chain([0]);
    let mut kept = Vec::new();
    for delta in references {
        let used = r.flag("used_by_curr_pic_flag")?;
        if used || r.flag("use_delta_flag")? {
            kept.push(delta + moved_by);
        }
    }
    // What comes to stand at the picture itself is no reference.
    let (mut before, mut behind): (Vec<_>, Vec<_>) =
        kept.into_iter().filter(|&delta| delta != 0).partition(|&delta| delta < 0);
    before.sort_unstable_by_key(|&delta| -delta);
    behind.sort_unstable();
    let pictures = before.len() + behind.len();
    if pictures > usize::from(MAX_PICTURES) {
        let element = "NumDeltaPocs";
        return Err(Error::out_of_range(element, pictures as i64, "0..=16", r.clause()).at(start));
    }
    Ok(ReferenceSet { before, behind })
}
