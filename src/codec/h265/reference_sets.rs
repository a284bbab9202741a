//! Short-term reference picture sets of a sequence parameter set (H.265 7.3.7, 7.4.8), to reach what stands behind them:
//! how long one is depends on how many pictures the one before it has.

use crate::bits::BitReader;
use crate::error::{Error, Result};

use super::ue_u8;

/// A decoded picture buffer has room for 16 pictures at most, the current one among them (A.4.2).
const MAX_PICTURES: u8 = 15;

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
    let before = ue_u8(r, MAX_PICTURES, "num_negative_pics", "0..=15")?;
    let behind = ue_u8(r, MAX_PICTURES - before, "num_positive_pics", "0..=15, with num_negative_pics")?;
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
        return Err(Error::out_of_range(element, pictures as i64, "0..=15", r.clause()).at(start));
    }
    Ok(ReferenceSet { before, behind })
}

#[cfg(test)]
mod tests {
    use super::super::testing::BitWriter;
    use super::*;

    /// `st_ref_pic_set()` given as the one before: sign and distance, then a 1 for each picture that stays, used, a 2 for
    /// one that stays, unused, and a 0 for one that goes.
    fn predicted(w: &mut BitWriter, delta_rps: i32, references: &[u8]) {
        w.flag(delta_rps < 0).ue(delta_rps.unsigned_abs() - 1);
        for &reference in references {
            w.flag(reference == 1);
            if reference != 1 {
                w.flag(reference == 2);
            }
        }
    }

    fn set(before: &[i64], behind: &[i64]) -> ReferenceSet {
        ReferenceSet { before: before.to_vec(), behind: behind.to_vec() }
    }

    fn read(from: &ReferenceSet, delta_rps: i32, references: &[u8]) -> ReferenceSet {
        let mut w = BitWriter::default();
        predicted(&mut w, delta_rps, references);
        let bytes = w.finish();
        read_predicted(&mut BitReader::new(&bytes, "H.265 7.4.8"), from).unwrap()
    }

    #[test]
    fn predicted_sets_are_the_ones_before_moved() {
        // The first pictures of the group of eight of HM's random access configuration, whose file lists each set both
        // whole and as its difference from the one before.
        let eighth = set(&[-8, -10, -12, -16], &[]);
        let fourth = read(&eighth, 4, &[1, 1, 0, 0, 1]);
        assert_eq!(fourth, set(&[-4, -6], &[4]));
        let second = read(&fourth, 2, &[1, 1, 1, 1]);
        assert_eq!(second, set(&[-2, -4], &[2, 6]));
        assert_eq!(read(&second, 1, &[1, 0, 1, 1, 1]), set(&[-1], &[1, 3, 7]));
        // Backwards, with an unused one kept.
        assert_eq!(read(&second, -3, &[1, 2, 1, 1, 1]), set(&[-1, -3, -5, -7], &[3]));
    }

    #[test]
    fn a_picture_that_comes_to_stand_at_the_picture_itself_is_none() {
        assert_eq!(read(&set(&[-4, -6], &[4]), 4, &[1, 1, 1, 1]), set(&[-2], &[4, 8]));
    }

    #[test]
    fn what_stands_behind_the_sets_is_found() {
        let mut w = BitWriter::default();
        w.ue(4);
        w.ue(4).ue(0).ue(7).flag(true).ue(1).flag(true).ue(1).flag(true).ue(3).flag(false);
        w.flag(true);
        predicted(&mut w, 4, &[1, 1, 0, 0, 1]); // three pictures: four references in the next one
        w.flag(true);
        predicted(&mut w, 2, &[1, 1, 1, 1]);
        w.flag(false).ue(1).ue(1).ue(0).flag(true).ue(0).flag(true);
        w.u(0xabcd, 16);
        let bytes = w.finish();
        let mut r = BitReader::new(&bytes, "H.265 7.4.8");
        skip_reference_sets(&mut r).unwrap();
        assert_eq!(r.u(16, "data").unwrap(), 0xabcd);
    }

    #[test]
    fn sets_with_too_many_pictures_are_refused() {
        let sets = |write: &dyn Fn(&mut BitWriter)| {
            let mut w = BitWriter::default();
            write(&mut w);
            let bytes = w.finish();
            skip_reference_sets(&mut BitReader::new(&bytes, "H.265 7.4.8")).unwrap_err().to_string()
        };
        let error = sets(&|w| {
            w.ue(65);
        });
        assert!(error.contains("num_short_term_ref_pic_sets is 65, must be 0..=64"), "{error}");
        let error = sets(&|w| {
            w.ue(1).ue(16);
        });
        assert!(error.contains("num_negative_pics is 16"), "{error}");
        let error = sets(&|w| {
            w.ue(1).ue(9).ue(7);
        });
        assert!(error.contains("num_positive_pics is 7"), "{error}");
        // Fifteen pictures and the one that they belong to are one too many.
        let error = sets(&|w| {
            w.ue(2).ue(15).ue(0);
            (0..15).for_each(|_| {
                w.ue(0).flag(true);
            });
            w.flag(true);
            predicted(w, -1, &[1; 16]);
        });
        assert!(error.contains("NumDeltaPocs is 16, must be 0..=15"), "{error}");
    }
}
