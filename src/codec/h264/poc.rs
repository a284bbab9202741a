//! Slice headers in decode order ► picture order counts (H.264 8.2.1), all three types, for frames and fields.
//!
//! The count of a frame is the smaller one of its two fields' counts; that of two field pictures which are one frame is
//! [`PictureOrder::of_pair`]. A picture that resets the counts (`memory_management_control_operation` 5) starts an epoch
//! with count 0: the standard has it presented after all before it, and counts those behind it from there.

use crate::codec::PictureOrder;
use crate::error::{Error, Result};

use super::{Field, OrderCountType, SequenceParameterSet, SliceHeader};

/// Derives order counts; what it holds is what one picture leaves behind for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCounter {
    /// `prevPicOrderCntMsb` and `prevPicOrderCntLsb`, for type 0.
    previous_msb: i64,
    previous_lsb: i64,
    /// `prevFrameNumOffset` and `prevFrameNum`, for types 1 and 2.
    previous_frame_num_offset: i64,
    previous_frame_num: u32,
}

/// `TopFieldOrderCnt` and `BottomFieldOrderCnt`: both of a frame, one of a field.
struct FieldCounts {
    top: Option<i64>,
    bottom: Option<i64>,
}

impl FieldCounts {
    /// Counts of a picture whose top field stands at `top`, and its bottom field at `bottom`: those that it has.
    fn of(field: Option<Field>, top: i64, bottom: i64) -> Self {
        Self {
            top: (field != Some(Field::Bottom)).then_some(top),
            bottom: (field != Some(Field::Top)).then_some(bottom),
        }
    }
}

impl OrderCounter {
    /// The order of the next frame or field in decode order, from the first slice header of its primary coded picture.
    /// Both fields of a frame are pictures of their own here. When it fails, the counter is as before.
    ///
    /// Counts beyond 32 bits, which 8.2.1 forbids, are an error.
    pub fn next(&mut self, slice: &SliceHeader, sps: &SequenceParameterSet) -> Result<PictureOrder> {
        let mut after = if slice.idr { Self::default() } else { *self };
        let counts = match &sps.order {
            OrderCountType::Lsb { log2_max_lsb } => after.lsb_counts(slice, 1 << log2_max_lsb)?,
            OrderCountType::Cycle {
                offset_for_non_ref_pic,
                offset_for_top_to_bottom_field,
                offsets_for_ref_frames,
                ..
            } => {
                let frame_num = after.absolute_frame_num(slice, sps)?;
                let expected = expected_count(
                    frame_num,
                    slice.reference,
                    *offset_for_non_ref_pic,
                    offsets_for_ref_frames,
                );
                // delta[1] is of frames alone, so equations 8-9 and 8-10 are one.
                let top = expected + i64::from(slice.order.delta[0]);
                let bottom =
                    top + i64::from(*offset_for_top_to_bottom_field) + i64::from(slice.order.delta[1]);
                FieldCounts::of(slice.field, top, bottom)
            }
            OrderCountType::DecodeOrder => {
                let count = 2 * after.absolute_frame_num(slice, sps)? - i64::from(!slice.reference);
                FieldCounts::of(slice.field, count, count)
            }
        };
        let top = counts.top.map(|top| in_range("TopFieldOrderCnt", top)).transpose()?;
        let bottom = counts.bottom.map(|bottom| in_range("BottomFieldOrderCnt", bottom)).transpose()?;
        let mut count = top.into_iter().chain(bottom).min().expect("a picture has a field");
        if slice.resets_order {
            // 8.2.1, tempPicOrderCnt: the picture's own counts move so that the smaller one is 0. The next picture builds
            // on the top field's, or on 0 behind a bottom field (8.2.1.1).
            let top = top.map_or(0, |top| i64::from(top) - i64::from(count));
            after = Self { previous_lsb: top, ..Self::default() };
            count = 0;
        }
        *self = after;
        Ok(PictureOrder { count, epoch_start: slice.idr || slice.resets_order })
    }

    /// Type 0 (8.2.1.1).
    fn lsb_counts(&mut self, slice: &SliceHeader, max_lsb: i64) -> Result<FieldCounts> {
        let lsb = i64::from(slice.order.lsb);
        let msb = if lsb < self.previous_lsb && self.previous_lsb - lsb >= max_lsb / 2 {
            self.previous_msb + max_lsb
        } else if lsb > self.previous_lsb && lsb - self.previous_lsb > max_lsb / 2 {
            self.previous_msb - max_lsb
        } else {
            self.previous_msb
        };
        let msb = i64::from(in_range("PicOrderCntMsb", msb)?);
        if slice.reference {
            (self.previous_msb, self.previous_lsb) = (msb, lsb);
        }
        // The delta is of frames alone, so that it is 0 in equation 8-5 for fields.
        let top = msb + lsb;
        Ok(FieldCounts::of(slice.field, top, top + i64::from(slice.order.delta_bottom)))
    }

    /// `FrameNumOffset + frame_num` (8.2.1.2, 8.2.1.3). A gap in `frame_num` needs no care: the frames inferred in it
    /// wrap where the next picture would.
    fn absolute_frame_num(&mut self, slice: &SliceHeader, sps: &SequenceParameterSet) -> Result<i64> {
        if self.previous_frame_num > slice.frame_num {
            self.previous_frame_num_offset += 1 << sps.log2_max_frame_num;
        }
        in_range("FrameNumOffset", self.previous_frame_num_offset)?;
        self.previous_frame_num = slice.frame_num;
        Ok(self.previous_frame_num_offset + i64::from(slice.frame_num))
    }
}

/// `expectedPicOrderCnt` of type 1 (8.2.1.2). `frame_num` is below 2^32 and a cycle's sum below its length times 2^31,
/// so the product below stays within 2^63.
fn expected_count(frame_num: i64, reference: bool, offset_for_non_ref_pic: i32, cycle: &[i32]) -> i64 {
    // absFrameNum is 0 without a cycle, and that of a non-reference picture is the one before it.
    let frame_num = if cycle.is_empty() { 0 } else { frame_num };
    let frame_num = if reference { frame_num } else { (frame_num - 1).max(0) };
    let mut expected = 0;
    if frame_num > 0 {
        let length = cycle.len() as i64;
        let sum = |offsets: &[i32]| offsets.iter().map(|&offset| i64::from(offset)).sum::<i64>();
        let (cycles, within) = ((frame_num - 1) / length, (frame_num - 1) % length);
        expected = cycles * sum(cycle) + sum(&cycle[..=within as usize]);
    }
    if reference { expected } else { expected + i64::from(offset_for_non_ref_pic) }
}

fn in_range(element: &'static str, value: i64) -> Result<i32> {
    i32::try_from(value)
        .map_err(|_| Error::out_of_range(element, value, "within 32 bits, with its sign", "H.264 8.2.1"))
}

#[cfg(test)]
mod tests {
    use super::super::field_streams::{FieldStream, streams};
    use super::super::testing::{self, Order, Slice};
    use super::super::{ParameterSets, SliceHeader};
    use super::*;
    use crate::codec::ParameterSetStore;

    /// Counts of `slices` in decode order, with `sps`; `true` marks the start of an epoch.
    fn counts(sps: &testing::Sps, pps: &testing::Pps, slices: &[Slice]) -> Vec<(i32, bool)> {
        let mut sets = ParameterSets::default();
        sets.insert(&sps.nal(), 0).unwrap();
        sets.insert(&pps.nal(), 100).unwrap();
        let sps = SequenceParameterSet::read(&sps.nal()).unwrap();
        let mut counter = OrderCounter::default();
        slices
            .iter()
            .map(|slice| {
                let header = SliceHeader::read(&slice.nal(), &sets).unwrap();
                let order = counter.next(&header, &sps).unwrap();
                (order.count, order.epoch_start)
            })
            .collect()
    }

    fn lsb_counts(slices: &[Slice]) -> Vec<(i32, bool)> {
        counts(&testing::Sps::default(), &testing::Pps::default(), slices)
    }

    fn only_counts(of: Vec<(i32, bool)>) -> Vec<i32> {
        of.into_iter().map(|(count, _)| count).collect()
    }

    #[test]
    fn low_bits_wrap_upwards_through_reference_pictures() {
        // 4 bits: I0 P4 P8 P12 P0(16) P4(20)
        let mut slices = vec![Slice::idr()];
        slices.extend([4, 8, 12, 0, 4].iter().zip(1..).map(|(&lsb, frame_num)| Slice::p(frame_num, lsb)));
        assert_eq!(only_counts(lsb_counts(&slices)), [0, 4, 8, 12, 16, 20]);
    }

    #[test]
    fn low_bits_wrap_downwards_for_a_picture_presented_before_its_reference() {
        // P at 18 (low bits 2), then B at 14: twelve up would be more than half the range.
        let slices = [Slice::idr(), Slice::p(1, 6), Slice::p(2, 12), Slice::p(3, 2), Slice::b(4, 14)];
        assert_eq!(only_counts(lsb_counts(&slices)), [0, 6, 12, 18, 14]);
    }

    #[test]
    fn half_the_range_wraps_upwards_but_not_downwards() {
        // Equation 8-3: a fall of exactly half the range wraps, a rise of exactly half does not.
        assert_eq!(only_counts(lsb_counts(&[Slice::idr(), Slice::p(1, 8), Slice::p(2, 0)])), [0, 8, 16]);
        assert_eq!(only_counts(lsb_counts(&[Slice::idr(), Slice::p(1, 9)])), [0, -7]);
    }

    #[test]
    fn non_reference_pictures_do_not_move_the_base() {
        // Seen from P at 4, B at 10 and then P at 15 are upwards; were B the base, nothing would change; were it P at
        // 15, B at 6 would wrap.
        let slices = [Slice::idr(), Slice::p(1, 7), Slice::b(2, 14), Slice::p(2, 0), Slice::b(3, 1)];
        assert_eq!(only_counts(lsb_counts(&slices)), [0, 7, 14, 0, 1]);
    }

    #[test]
    fn an_idr_picture_starts_from_zero_whatever_came_before() {
        let second = Slice { idr_pic_id: 1, ..Slice::idr() };
        let slices = [Slice::idr(), Slice::p(1, 12), Slice::p(2, 0), second, Slice::p(1, 4)];
        assert_eq!(lsb_counts(&slices), [(0, true), (12 - 16, false), (0, false), (0, true), (4, false)]);
    }

    #[test]
    fn the_earlier_field_counts() {
        let pps = testing::Pps { bottom_field_pic_order: true, ..Default::default() };
        let order = |lsb, bottom| Order::Lsb(lsb, 4, Some(bottom));
        let slices = [
            Slice { order: order(0, 1), ..Slice::idr() },
            Slice { order: order(5, -1), frame_num: 1, ..Slice::default() },
        ];
        assert_eq!(only_counts(counts(&testing::Sps::default(), &pps, &slices)), [0, 4]);
    }

    #[test]
    fn operation_five_starts_an_epoch_and_later_counts_start_there() {
        let pps = testing::Pps { bottom_field_pic_order: true, ..Default::default() };
        let order = |lsb, bottom| Order::Lsb(lsb, 4, Some(bottom));
        let slices = [
            Slice { order: order(0, 0), ..Slice::idr() },
            Slice { order: order(4, 0), frame_num: 1, ..Slice::default() },
            // Fields at 10 and 7: moved by 7, the top field is at 3, which is the new base.
            Slice { order: order(10, -3), frame_num: 2, marking: vec![vec![5]], ..Slice::default() },
            // From 3 that is upwards; from 0 it would be downwards, to -6.
            Slice { order: order(10, 0), frame_num: 1, ref_idc: 0, ..Slice::default() },
            Slice { order: order(12, 0), frame_num: 1, ref_idc: 0, ..Slice::default() },
            Slice { order: order(5, 0), frame_num: 1, ..Slice::default() },
        ];
        let expected = [(0, true), (4, false), (0, true), (10, false), (-4, false), (5, false)];
        assert_eq!(counts(&testing::Sps::default(), &pps, &slices), expected);
    }

    fn cycle(offset_for_non_ref_pic: i32, top_to_bottom: i32, offsets: &[i32]) -> testing::Sps {
        let order = OrderCountType::Cycle {
            delta_always_zero: false,
            offset_for_non_ref_pic,
            offset_for_top_to_bottom_field: top_to_bottom,
            offsets_for_ref_frames: offsets.to_vec(),
        };
        testing::Sps { order, ..Default::default() }
    }

    fn delta(frame_num: u32, ref_idc: u8, delta: i32) -> Slice {
        Slice { frame_num, ref_idc, order: Order::Delta(delta, None), ..Slice::default() }
    }

    #[test]
    fn cycles_of_offsets_repeat_and_non_reference_pictures_stand_beside_the_frame_before() {
        // Cycle 2, 6: frame numbers 1, 2, 3, 4 are expected at 2, 8, 10, 16. A non-reference picture with frame
        // number n builds on n - 1, minus 3.
        let idr = Slice { order: Order::Delta(0, None), ..Slice::idr() };
        let slices = [
            idr,
            delta(1, 1, 0),
            delta(2, 1, 0),
            delta(3, 0, 0),
            delta(3, 1, 0),
            delta(4, 1, 0),
            delta(5, 0, 7),
        ];
        let sps = cycle(-3, 0, &[2, 6]);
        let expected = [0, 2, 8, 8 - 3, 10, 16, 16 - 3 + 7];
        assert_eq!(only_counts(counts(&sps, &testing::Pps::default(), &slices)), expected);
    }

    #[test]
    fn cycles_go_on_over_a_wrap_of_frame_num_and_over_gaps() {
        // 4 bits of frame_num, one offset of 2: the count is twice the frame number, wraps unrolled.
        let idr = Slice { order: Order::Delta(0, None), ..Slice::idr() };
        let slices = [idr, delta(9, 1, 0), delta(15, 1, 0), delta(0, 1, 0), delta(14, 1, 0), delta(3, 1, 0)];
        let expected = [0, 18, 30, 32, 60, 70];
        assert_eq!(only_counts(counts(&cycle(0, 0, &[2]), &testing::Pps::default(), &slices)), expected);
    }

    #[test]
    fn an_empty_cycle_leaves_only_the_deltas() {
        let idr = Slice { order: Order::Delta(0, None), ..Slice::idr() };
        let slices = [idr, delta(1, 1, 5), delta(2, 0, 9)];
        assert_eq!(only_counts(counts(&cycle(-2, 0, &[]), &testing::Pps::default(), &slices)), [0, 5, 7]);
    }

    #[test]
    fn bottom_fields_of_a_cycle_have_their_own_offset_and_delta() {
        let pps = testing::Pps { bottom_field_pic_order: true, ..Default::default() };
        let order = |a, b| Order::Delta(a, Some(b));
        let slices = [
            Slice { order: order(0, 1), ..Slice::idr() },
            Slice { order: order(0, -3), frame_num: 1, ..Slice::default() },
        ];
        // Bottom is top - 1 + delta: 0 and 0, then 4 and 0.
        assert_eq!(only_counts(counts(&cycle(0, -1, &[4]), &pps, &slices)), [0, 0]);
    }

    #[test]
    fn operation_five_restarts_frame_numbers_too() {
        let idr = Slice { order: Order::Delta(0, None), ..Slice::idr() };
        let reset = Slice { marking: vec![vec![5]], ..delta(2, 1, 0) };
        let slices = [idr, delta(15, 1, 0), reset, delta(1, 1, 0)];
        let expected = [(0, true), (30, false), (0, true), (2, false)];
        assert_eq!(counts(&cycle(0, 0, &[2]), &testing::Pps::default(), &slices), expected);
    }

    #[test]
    fn decode_order_counts_twice_the_frame_number() {
        let sps = testing::Sps { order: OrderCountType::DecodeOrder, ..Default::default() };
        let slice =
            |frame_num, ref_idc| Slice { frame_num, ref_idc, order: Order::Absent, ..Slice::default() };
        let idr = Slice { order: Order::Absent, ..Slice::idr() };
        let slices = [idr, slice(1, 1), slice(2, 0), slice(2, 1), slice(14, 1), slice(15, 0), slice(0, 1)];
        let expected = [0, 2, 3, 4, 28, 29, 32];
        assert_eq!(only_counts(counts(&sps, &testing::Pps::default(), &slices)), expected);
    }

    fn field_counts(order: OrderCountType, slices: &[Slice]) -> Vec<(i32, bool)> {
        let sps = testing::Sps { order, frame_mbs_only: false, ..Default::default() };
        counts(&sps, &testing::Pps::default(), slices)
    }

    fn top(slice: Slice) -> Slice {
        slice.field(false)
    }

    fn bottom(slice: Slice) -> Slice {
        slice.field(true)
    }

    fn frame(slice: Slice) -> Slice {
        Slice { field_pic: Some(false), ..slice }
    }

    const LSB: OrderCountType = OrderCountType::Lsb { log2_max_lsb: 4 };

    #[test]
    fn each_field_has_its_own_count_and_is_a_base_when_it_is_a_reference() {
        let slices = [
            top(Slice::idr()),
            bottom(Slice::p(0, 1)),
            // Seven up from 1, one up from 8.
            top(Slice::p(1, 8)),
            bottom(Slice::p(1, 9)),
            // Five and four down from 9; not the base of what follows.
            top(Slice::b(2, 4)),
            bottom(Slice::b(2, 5)),
            // Nine down from 9 wraps to 16; bottom field first, then a frame with both at 20.
            bottom(Slice::p(2, 0)),
            top(Slice::p(2, 1)),
            frame(Slice::p(3, 4)),
        ];
        assert_eq!(only_counts(field_counts(LSB, &slices)), [0, 1, 8, 9, 4, 5, 16, 17, 20]);
    }

    #[test]
    fn the_second_field_is_the_base_of_the_next_picture() {
        // From 8 a fall of 8 wraps; from 7, where the first field is, it would not.
        let slices = [top(Slice::idr()), bottom(Slice::p(0, 1)), top(Slice::p(1, 7)), bottom(Slice::p(1, 8))];
        let next = top(Slice::p(2, 0));
        let slices: Vec<Slice> = slices.into_iter().chain([next]).collect();
        assert_eq!(only_counts(field_counts(LSB, &slices)), [0, 1, 7, 8, 16]);
    }

    #[test]
    fn operation_five_in_a_field_leaves_zero_to_the_next_picture() {
        let reset = |slice: Slice| Slice { marking: vec![vec![5]], ..slice };
        let first = [top(Slice::idr()), bottom(Slice::p(0, 1)), frame(Slice::p(1, 6))];
        let behind = |slices: Vec<Slice>| {
            let all: Vec<Slice> = first.iter().cloned().chain(slices).collect();
            field_counts(LSB, &all).split_off(first.len())
        };
        // The second field has frame_num 0 and counts from 0: 1 is up, 9 is down to -7.
        let pair = |lsb| vec![reset(top(Slice::p(2, 10))), bottom(Slice::p(0, lsb))];
        assert_eq!(behind(pair(1)), [(0, true), (1, false)]);
        assert_eq!(behind(pair(9)), [(0, true), (-7, false)]);
        // A bottom field too: were its low bits the base, 9 would stay. Then eight down from there wraps.
        let alone = vec![reset(bottom(Slice::p(2, 10))), frame(Slice::p(1, 9)), frame(Slice::p(2, 1))];
        assert_eq!(behind(alone), [(0, true), (-7, false), (1, false)]);
    }

    #[test]
    fn bottom_fields_of_a_cycle_stand_behind_the_top_fields_by_the_offset() {
        let order = cycle(-3, 1, &[4]).order;
        let field = |frame_num, ref_idc, value| top(delta(frame_num, ref_idc, value));
        let slices = [
            top(Slice { order: Order::Delta(0, None), ..Slice::idr() }),
            // Frame 0 is expected at 0, frame 1 at 4; a bottom field one later, and moved by delta[0] as a top field is.
            bottom(field(0, 1, 0)),
            field(1, 1, 0),
            bottom(field(1, 1, 2)),
            // Non-reference fields build on frame 1 at 4, minus 3.
            field(2, 0, 0),
            bottom(field(2, 0, 7)),
        ];
        assert_eq!(only_counts(field_counts(order, &slices)), [0, 1, 4, 4 + 1 + 2, 1, 1 + 1 + 7]);
    }

    #[test]
    fn both_fields_of_a_frame_have_one_count_in_decode_order() {
        let slice =
            |frame_num, ref_idc| Slice { frame_num, ref_idc, order: Order::Absent, ..Slice::default() };
        let idr = Slice { order: Order::Absent, ..Slice::idr() };
        let reset = Slice { marking: vec![vec![5]], ..slice(15, 1) };
        let slices = [
            top(idr),
            bottom(slice(0, 1)),
            top(slice(1, 1)),
            bottom(slice(1, 1)),
            top(slice(2, 0)),
            bottom(slice(2, 0)),
            frame(slice(2, 1)),
            // Operation 5: frame numbers start anew, with 0 for the second field.
            top(reset),
            bottom(slice(0, 1)),
            top(slice(1, 1)),
        ];
        let counts = field_counts(OrderCountType::DecodeOrder, &slices);
        assert_eq!(only_counts(counts), [0, 0, 2, 2, 3, 3, 4, 0, 0, 2]);
    }

    #[test]
    fn a_pair_stands_where_its_earlier_field_does_in_the_epoch_of_the_first() {
        let order = |count, epoch_start| PictureOrder { count, epoch_start };
        assert_eq!(PictureOrder::of_pair(order(0, true), order(1, false)), order(0, true));
        assert_eq!(PictureOrder::of_pair(order(0, true), order(-1, false)), order(-1, true));
        assert_eq!(PictureOrder::of_pair(order(9, false), order(8, false)), order(8, false));
    }

    /// Whether frames of these orders are presented as the stream says.
    fn check_ranks(stream: &FieldStream, orders: &[PictureOrder]) {
        let (bytes, frames) = stream.write();
        let mut epoch = 0;
        let keys: Vec<(usize, i32)> = orders
            .iter()
            .map(|order| {
                epoch += usize::from(order.epoch_start);
                (epoch, order.count)
            })
            .collect();
        let ranks: Vec<usize> =
            keys.iter().map(|key| keys.iter().filter(|other| *other < key).count()).collect();
        assert_eq!(frames.iter().map(|frame| frame.rank).collect::<Vec<_>>(), ranks, "{}", stream.name);
        assert!(frames.iter().all(|frame| bytes[frame.offset..].starts_with(&[0, 0, 0, 1])));
    }

    #[test]
    fn whole_streams_of_fields_are_paired_and_counted_as_worked_by_hand() {
        for stream in streams() {
            let mut sets = ParameterSets::default();
            sets.insert(&stream.sps.nal(), 0).unwrap();
            sets.insert(&stream.pps.nal(), 100).unwrap();
            let sps = SequenceParameterSet::read(&stream.sps.nal()).unwrap();
            let mut counter = OrderCounter::default();
            let mut previous: Option<(SliceHeader, bool)> = None;
            let mut orders: Vec<PictureOrder> = Vec::new();
            for (picture, number) in stream.pictures.iter().zip(0..) {
                let place = format!("picture {number} of {}", stream.name);
                let headers: Vec<SliceHeader> = picture
                    .slices
                    .iter()
                    .map(|slice| SliceHeader::read(&slice.nal(), &sets).unwrap())
                    .collect();
                let first = headers[0];
                assert!(!headers[1..].iter().any(|header| header.starts_new_picture(&first)), "{place}");
                let second_field =
                    previous.is_some_and(|(before, second)| !second && first.is_second_field_of(&before));
                assert_eq!(second_field, picture.second_field, "{place}");
                assert!(previous.is_none_or(|(before, _)| first.starts_new_picture(&before)), "{place}");
                let expected = PictureOrder { count: picture.count, epoch_start: picture.epoch_start };
                assert_eq!(counter.next(&first, &sps).unwrap(), expected, "{place}");
                match orders.last_mut().filter(|_| second_field) {
                    Some(order) => *order = PictureOrder::of_pair(*order, expected),
                    None => orders.push(expected),
                }
                previous = Some((first, second_field));
            }
            check_ranks(&stream, &orders);
        }
    }

    #[test]
    fn counts_beyond_32_bits_are_refused_and_change_nothing() {
        let sps = cycle(0, i32::MAX, &[i32::MAX]);
        let mut sets = ParameterSets::default();
        sets.insert(&sps.nal(), 0).unwrap();
        sets.insert(&testing::Pps::default().nal(), 100).unwrap();
        let sps = SequenceParameterSet::read(&sps.nal()).unwrap();
        let mut counter = OrderCounter::default();
        let before = counter;
        let header = SliceHeader::read(&delta(1, 1, 1).nal(), &sets).unwrap();
        let error = counter.next(&header, &sps).unwrap_err();
        assert!(error.to_string().contains("TopFieldOrderCnt is 2147483648"), "{error}");
        assert_eq!(counter, before);
    }
}
