//! Order counts ► composition offsets. Pictures are presented in the order of their epochs, and within an epoch in the
//! order of their counts; each lasts as long as every other, so only ranks matter and gaps between counts create no time.
//!
//! Decode times are the presentation times of the group of pictures, sorted: the decode time of sample `k` is `k` frame
//! durations, and in every group that starts with an epoch the earliest presentation time is its first decode time. The
//! offset is presentation minus decode time, negative where a picture waits in the decoder for one that precedes it.

use std::ops::Range;

use crate::codec::PictureOrder;
use crate::error::{Error, ErrorKind, Result};
use crate::time::CompositionOffset;

/// The presentation order of pictures in decode order: four bytes each, and four for each epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    counts: Vec<i32>,
    /// Indices of the pictures that say that an epoch starts with them, ascending.
    starts: Vec<u32>,
}

impl Orders {
    /// Appends the next picture.
    ///
    /// # Panics
    /// When there are 2³² already.
    pub fn push(&mut self, order: PictureOrder) {
        if order.epoch_start {
            self.starts.push(u32::try_from(self.counts.len()).expect("a track has fewer pictures than 2^32"));
        }
        self.counts.push(order.count);
    }

    /// Takes it from the picture of this index that an epoch starts with it.
    pub fn clear_epoch_start(&mut self, index: usize) {
        if let Ok(place) = self.starts.binary_search_by(|&start| (start as usize).cmp(&index)) {
            self.starts.remove(place);
        }
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.starts.clear();
    }

    /// The pictures' counts, each with its index.
    pub(crate) fn counts(&self, indices: Range<usize>) -> impl Iterator<Item = (i32, usize)> {
        self.counts[indices.clone()].iter().copied().zip(indices)
    }

    /// Runs of pictures that are presented before all behind them, by index.
    pub(crate) fn epochs(&self) -> impl Iterator<Item = Range<usize>> {
        epochs(&self.starts, self.counts.len())
    }
}

impl FromIterator<PictureOrder> for Orders {
    fn from_iter<I: IntoIterator<Item = PictureOrder>>(pictures: I) -> Self {
        let mut orders = Self::default();
        pictures.into_iter().for_each(|order| orders.push(order));
        orders
    }
}

/// The first picture starts an epoch whether it says so or not.
fn epochs(starts: &[u32], len: usize) -> impl Iterator<Item = Range<usize>> {
    let later = starts.iter().map(|&start| start as usize).filter(|&start| start > 0);
    let begin = (len > 0).then_some(0);
    begin.into_iter().chain(later.clone()).zip(later.chain([len])).map(|(start, end)| start..end)
}

/// Composition offsets of the samples with these `orders` and these durations, in ticks, both in decode order. Every
/// picture is presented at a decode time of its epoch, so each lasts as long as the one that was decoded in its turn.
///
/// # Errors
/// Two pictures of one epoch with the same count, with the places of both, which `offset_of` gives (byte offset of the sample
/// with this index); an offset beyond 32 bits.
pub fn composition_offsets(
    orders: Orders,
    duration_of: impl Fn(usize) -> u32,
    offset_of: impl Fn(usize) -> u64,
) -> Result<Vec<CompositionOffset>> {
    let Orders { mut counts, starts } = orders;
    let mut sorted = SortedEpoch::default();
    for epoch in epochs(&starts, counts.len()) {
        let pictures = &mut counts[epoch.clone()];
        // In order already, as without B pictures: every offset is 0, and equal counts cannot hide.
        if pictures.is_sorted_by(|a, b| a < b) {
            pictures.fill(0);
            continue;
        }
        sorted.fill(pictures, |index| duration_of(epoch.start + index));
        sorted.write_offsets(pictures, |index| offset_of(epoch.start + index))?;
    }
    // The same memory: no second list of a whole track.
    Ok(counts.into_iter().map(CompositionOffset).collect())
}

/// The pictures of an epoch in the order of presentation. Its memory is used again for the next epoch.
#[derive(Default)]
struct SortedEpoch {
    /// Count and index in the epoch.
    by_count: Vec<(i32, u32)>,
    /// From the first picture on, in decode order.
    decode_times: Vec<u64>,
}

impl SortedEpoch {
    fn fill(&mut self, counts: &[i32], duration_of: impl Fn(usize) -> u32) {
        sort_by_count(counts, &mut self.by_count);
        self.decode_times.clear();
        let mut time = 0_u64;
        self.decode_times.extend((0..counts.len()).map(|index| {
            let begin = time;
            time += u64::from(duration_of(index));
            begin
        }));
    }

    /// Puts the composition offset of each picture in the place of its count.
    fn write_offsets(&self, counts: &mut [i32], offset_of: impl Fn(usize) -> u64) -> Result<()> {
        let mut before: Option<(i32, u32)> = None;
        for (rank, &(count, index)) in self.by_count.iter().enumerate() {
            let (index, presented) = (index as usize, self.decode_times[rank]);
            let ticks = i128::from(presented) - i128::from(self.decode_times[index]);
            counts[index] = offset(rank.abs_diff(index), ticks).map_err(|e| e.at(offset_of(index)))?;
            if let Some((_, first)) = before.filter(|before| before.0 == count) {
                return Err(same_count(count, offset_of(first as usize), offset_of(index)));
            }
            before = Some((count, index as u32));
        }
        Ok(())
    }
}

/// Fills `by_count` with the counts of an epoch in order, each with the index of its picture in the epoch.
fn sort_by_count(counts: &[i32], by_count: &mut Vec<(i32, u32)>) {
    by_count.clear();
    by_count.extend(counts.iter().copied().zip(0..));
    by_count.sort_unstable();
}

/// Durations in decode order of pictures that are `shown` for different times, by index: decode times are presentation
/// times in order, so the sample that is decoded in the turn of another lasts as long as that one is shown.
pub fn decode_durations(orders: &Orders, shown: impl Fn(usize) -> u32) -> Vec<u32> {
    let mut durations = Vec::with_capacity(orders.counts.len());
    let mut by_count = Vec::new();
    for epoch in orders.epochs() {
        sort_by_count(&orders.counts[epoch.clone()], &mut by_count);
        durations.extend(by_count.iter().map(|&(_, index)| shown(epoch.start + index as usize)));
    }
    durations
}

/// Checks that the pictures from each of `starts` on, where an epoch starts but counts go on, are presented behind all before
/// (H.265 7.4.2.2, of CRA pictures).
///
/// # Errors
/// Names the first that is not.
pub fn check_epochs(orders: &Orders, starts: &[usize], offset_of: impl Fn(usize) -> u64) -> Result<()> {
    if starts.is_empty() {
        return Ok(());
    }
    let mut starts = starts.iter().copied().peekable();
    let mut highest = None;
    for epoch in orders.epochs() {
        let goes_on = starts.next_if_eq(&epoch.start).is_some();
        let lowest = orders.counts(epoch.clone()).min();
        if let (true, Some((before, earlier)), Some((count, index))) = (goes_on, highest, lowest)
            && count <= before
        {
            let what = format!(
                "a picture from the CRA picture at {:#x} on has picture order count {count}, not behind {before} of the picture \
                 in front of it at {:#x}",
                offset_of(epoch.start),
                offset_of(earlier)
            );
            return Err(
                Error::malformed(what, "H.265 7.4.2.2", "the stream is damaged here").at(offset_of(index))
            );
        }
        highest = orders.counts(epoch).max();
    }
    Ok(())
}

/// Presentation minus decode time of a sample that is presented `frames` earlier or later than it is decoded.
fn offset(frames: usize, ticks: i128) -> Result<i32> {
    i32::try_from(ticks).map_err(|_| {
        Error::new(ErrorKind::TooLarge {
            what: format!("the distance of {frames} frames between decoding and presentation").into(),
            value: u64::try_from(ticks.unsigned_abs()).unwrap_or(u64::MAX),
            limit: i32::MAX as u64,
            clause: "ISO/IEC 14496-12 8.8.8",
            remedy: "the stream's picture order counts are damaged, or durations are too long".into(),
        })
    })
}

fn same_count(count: i32, first: u64, second: u64) -> Error {
    Error::malformed(
        format!("two pictures, here and at {first:#x}, have the same picture order count {count}"),
        "H.264 8.2.1, H.265 8.3.1",
        "the stream is damaged, or parts of two streams were joined without an IDR picture between them",
    )
    .at(second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn orders(counts: &[(i32, bool)]) -> Orders {
        counts.iter().map(|&(count, epoch_start)| PictureOrder { count, epoch_start }).collect()
    }

    /// Offsets in frames.
    fn frames(counts: &[(i32, bool)]) -> Vec<i32> {
        let offsets = composition_offsets(orders(counts), |_| 1001, |_| 0).unwrap();
        offsets.iter().map(|offset| offset.0 / 1001).collect()
    }

    #[test]
    fn pictures_in_order_have_no_offset() {
        assert_eq!(frames(&[(0, true), (2, false), (4, false), (0, true), (2, false)]), [0; 5]);
        assert!(frames(&[]).is_empty());
    }

    #[test]
    fn reordered_pictures_have_signed_offsets() {
        // I0 P3 B1 B2 is presented I B B P.
        assert_eq!(frames(&[(0, true), (6, false), (2, false), (4, false)]), [0, 2, -1, -1]);
    }

    #[test]
    fn gaps_between_counts_create_no_time() {
        assert_eq!(frames(&[(0, true), (1000, false), (7, false)]), [0, 1, -1]);
    }

    #[test]
    fn epochs_do_not_mix() {
        // The second epoch starts with the picture that resets the counts; one behind it is presented before it.
        assert_eq!(frames(&[(0, true), (8, false), (4, false), (0, true), (-4, false)]), [0, 1, -1, 1, -1]);
    }

    #[test]
    fn offsets_are_in_ticks() {
        let offsets = composition_offsets(orders(&[(0, true), (4, false), (2, false)]), |_| 1001, |_| 0);
        assert_eq!(offsets.unwrap(), [0, 1001, -1001].map(CompositionOffset));
    }

    #[test]
    fn equal_counts_in_one_epoch_name_both_pictures() {
        let error = composition_offsets(
            orders(&[(0, true), (4, false), (2, false), (4, false)]),
            |_| 1001,
            |index| 0x100 * index as u64,
        )
        .unwrap_err();
        assert_eq!(error.offset(), Some(0x300));
        assert!(error.to_string().contains("at 0x100, have the same picture order count 4"), "{error}");
        // Also where every count but the equal ones rises.
        assert!(composition_offsets(orders(&[(0, true), (0, false)]), |_| 1001, |_| 0).is_err());
    }

    #[test]
    fn offset_beyond_32_bits_is_refused() {
        let counts = orders(&[(2, true), (0, false), (1, false)]);
        let fits = i32::MAX as u32 / 2;
        assert!(composition_offsets(counts.clone(), |_| fits, |_| 0).is_ok());
        let error = composition_offsets(counts, |_| fits + 1, |_| 9).unwrap_err();
        assert!(error.to_string().contains("2 frames between decoding and presentation"), "{error}");
        assert_eq!(error.offset(), Some(9));
    }

    #[test]
    fn an_epoch_start_that_is_none_joins_its_pictures_to_those_before() {
        let mut orders = orders(&[(0, false), (8, false), (4, true), (2, false), (0, true)]);
        assert!(orders.epochs().eq([0..2, 2..4, 4..5]));
        orders.clear_epoch_start(2);
        orders.clear_epoch_start(3);
        assert!(orders.epochs().eq([0..4, 4..5]));
        orders.clear();
        assert!(orders.is_empty() && orders.epochs().next().is_none());
    }

    #[test]
    fn offsets_take_the_memory_of_the_counts() {
        let orders = orders(&[(0, true), (6, false), (2, false), (4, false)]);
        let memory = orders.counts.as_ptr().addr();
        let offsets = composition_offsets(orders, |_| 1001, |_| 0).unwrap();
        assert_eq!(offsets.as_ptr().addr(), memory);
    }

    /// Groups of pictures, each with different counts in any order.
    fn groups() -> impl Strategy<Value = Vec<Vec<i32>>> {
        let group = proptest::collection::hash_set(-50i32..50, 1..12);
        let shuffled = group.prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle();
        proptest::collection::vec(shuffled, 0..6)
    }

    #[test]
    fn samples_last_as_long_as_the_picture_presented_in_their_turn() {
        // I0 P3 B1 B2, shown for 3, 2, 1 and 4: presented I B B P at 0, 3, 4 and 8. The sample decoded second lasts as long as
        // the picture presented second.
        let orders = orders(&[(0, true), (6, false), (2, false), (4, false), (0, true), (1, false)]);
        let shown = [3, 2, 1, 4, 5, 6];
        let durations = decode_durations(&orders, |index| shown[index]);
        assert_eq!(durations, [3, 1, 4, 2, 5, 6]);
        // Decoded at 0, 3, 4, 8, 10, 15; presented at 0, 8, 3, 4, 10, 15.
        let offsets = composition_offsets(orders, |index| durations[index], |_| 0).unwrap();
        assert_eq!(offsets, [0, 5, -1, -4, 0, 0].map(CompositionOffset));
        assert!(decode_durations(&Orders::default(), |_| 1).is_empty());
    }

    /// CRA pictures of H.265 that start an epoch whose counts go on.
    fn checked(counts: &[(i32, bool)], starts: &[usize]) -> Result<()> {
        check_epochs(&orders(counts), starts, |index| 0x100 * index as u64)
    }

    #[test]
    fn pictures_from_a_cra_picture_on_are_presented_behind_all_before() {
        // One that can be decoded leads the CRA picture, but stands behind those before.
        let counts = [(0, true), (8, false), (4, false), (16, true), (12, false), (20, false), (24, true)];
        checked(&counts, &[3, 6]).unwrap();
        // An IDR picture starts counts anew, and CRA pictures behind it go on from there.
        checked(&[(0, true), (8, false), (0, true), (4, false), (6, true)], &[4]).unwrap();
        checked(&[], &[]).unwrap();
        checked(&[(4, true)], &[0]).unwrap();
    }

    #[test]
    fn picture_that_goes_back_across_a_cra_picture_is_named_with_what_it_goes_back_behind() {
        let counts = [(0, true), (8, false), (4, false), (16, true), (7, false), (6, false)];
        let error = checked(&counts, &[3]).unwrap_err();
        assert_eq!(error.offset(), Some(0x500));
        let message = "from the CRA picture at 0x300 on has picture order count 6, not behind 8 of the picture in front of it at 0x100";
        assert!(error.to_string().contains(message), "{error}");
        // Where counts do not go on it is another sequence.
        checked(&counts, &[]).unwrap();
        // The same count is not behind either.
        assert!(checked(&[(0, true), (8, false), (8, true)], &[2]).is_err());
        // Only the epoch before counts.
        assert!(checked(&[(0, true), (40, false), (0, true), (8, true), (7, false)], &[3]).is_ok());
        assert!(
            checked(&[(0, true), (40, false), (0, true), (8, true), (9, true), (7, false)], &[3, 4]).is_err()
        );
    }

    proptest! {
        #[test]
        fn pictures_tile_the_time_line_in_the_order_of_presentation(
            groups in groups(), shown in proptest::collection::vec(1u32..7, 72),
        ) {
            let counts: Vec<(i32, bool)> = groups
                .iter()
                .flat_map(|group| group.iter().enumerate().map(|(i, &count)| (count, i == 0)))
                .collect();
            let orders = orders(&counts);
            let durations = decode_durations(&orders, |index| shown[index]);
            let decode_times: Vec<u64> = durations
                .iter()
                .scan(0, |time, &duration| Some(std::mem::replace(time, *time + u64::from(duration))))
                .collect();
            let end: u64 = durations.iter().map(|&duration| u64::from(duration)).sum();
            prop_assert_eq!(end, shown[..counts.len()].iter().map(|&shown| u64::from(shown)).sum::<u64>());

            let offsets = composition_offsets(orders, |index| durations[index], |_| 0).unwrap();
            let presented = |index: usize| decode_times[index] as i64 + i64::from(offsets[index].0);
            // The slow twin of the order: by group, then by count.
            let mut turns: Vec<(usize, i32, usize)> = Vec::new();
            for (group, members) in groups.iter().enumerate() {
                turns.extend(members.iter().map(|&count| (group, count, 0)));
            }
            turns.iter_mut().enumerate().for_each(|(index, turn)| turn.2 = index);
            turns.sort_unstable();
            let mut time = 0;
            for (_, _, index) in turns {
                prop_assert_eq!(presented(index), time);
                time += i64::from(shown[index]);
            }
            prop_assert_eq!(time, end as i64);
        }

        #[test]
        fn presentation_is_a_permutation_that_sorts_counts_and_starts_every_group_at_its_decode_time(
            groups in groups(),
        ) {
            let counts: Vec<(i32, bool)> = groups
                .iter()
                .flat_map(|group| group.iter().enumerate().map(|(i, &count)| (count, i == 0)))
                .collect();
            let presented: Vec<i64> =
                frames(&counts).iter().zip(0i64..).map(|(&offset, k)| k + i64::from(offset)).collect();
            let mut start = 0usize;
            for group in &groups {
                let times = &presented[start..start + group.len()];
                prop_assert_eq!(times.iter().min(), Some(&(start as i64)));
                // The slow twin: a picture's rank is the number of pictures with smaller counts.
                for (&time, &count) in times.iter().zip(group) {
                    let rank = group.iter().filter(|&&other| other < count).count();
                    prop_assert_eq!(time, (start + rank) as i64);
                }
                start += group.len();
            }
            let mut sorted = presented;
            sorted.sort_unstable();
            prop_assert!(sorted.iter().copied().eq(0..counts.len() as i64));
        }
    }
}
