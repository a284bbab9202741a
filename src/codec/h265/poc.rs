//! Slice segment headers in decode order ► picture order counts (H.265 8.3.1), and which pictures start a coded video
//! sequence.
//!
//! A picture that decoding can start at (IRAP) has `NoRaslOutputFlag` 1 when it is IDR or BLA, the first of the stream, or
//! the first behind an end of sequence (8.1.3): counts start anew there, and its RASL pictures refer to what is not there.
//! Whether a decoder would start anew at another one (`HandleCraAsBlaFlag`) is not for the stream to say.

use crate::codec::PictureOrder;
use crate::error::{Error, Result};

use super::{SequenceParameterSet, SliceHeader};

/// Derives order counts; what it holds is what one picture leaves behind for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCounter {
    /// `PicOrderCntMsb` and `slice_pic_order_cnt_lsb` of `prevTid0Pic`.
    previous_msb: i64,
    previous_lsb: i64,
    /// An IRAP picture has come since the start or the last end of sequence.
    in_sequence: bool,
    /// The last IRAP picture did not start a coded video sequence, so that its RASL pictures have their references.
    rasl_decodable: bool,
    /// Count of the last IRAP picture, where that is a CRA picture.
    cra: Option<i32>,
}

impl OrderCounter {
    /// The order of the next picture in decode order, from its first slice segment header. When it fails, the counter is
    /// as before.
    ///
    /// Pictures in front of the first IRAP picture count from 0 on and start no epoch. Counts beyond 32 bits, which 8.3.1
    /// forbids, are an error.
    pub fn next(&mut self, slice: &SliceHeader, sps: &SequenceParameterSet) -> Result<PictureOrder> {
        let kind = slice.unit_type;
        let mut after = *self;
        let epoch_start = self.starts_sequence(slice);
        let lsb = i64::from(slice.pic_order_cnt_lsb);
        let msb = if epoch_start { 0 } else { self.msb(lsb, 1 << sps.log2_max_lsb) };
        let count = i32::try_from(msb + lsb).map_err(|_| {
            let allowed = "within 32 bits, with its sign";
            Error::out_of_range("PicOrderCntVal", msb + lsb, allowed, "H.265 8.3.1")
        })?;
        if kind.is_irap() {
            after.in_sequence = true;
            after.rasl_decodable = !epoch_start;
            after.cra = kind.is_cra().then_some(count);
        }
        let leading = kind.is_rasl() || kind.is_radl();
        if slice.temporal_id == 0 && !leading && !kind.is_sub_layer_non_reference() {
            (after.previous_msb, after.previous_lsb) = (msb, lsb);
        }
        *self = after;
        Ok(PictureOrder { count, epoch_start })
    }

    /// Notes an end of sequence: the next IRAP picture starts a coded video sequence.
    pub fn end_of_sequence(&mut self) {
        self.in_sequence = false;
    }

    /// Whether this picture, were it the next one, is an IRAP picture that starts a coded video sequence.
    pub fn starts_sequence(&self, slice: &SliceHeader) -> bool {
        let kind = slice.unit_type;
        kind.is_irap() && (kind.is_idr() || kind.is_bla() || !self.in_sequence)
    }

    /// Whether RASL pictures of the last IRAP picture cannot be decoded: it started a coded video sequence, or none has
    /// come.
    pub fn skips_rasl(&self) -> bool {
        !self.rasl_decodable
    }

    /// Whether the picture that `slice` starts, and that [`Self::next`] has gone past and given this order, leans on pictures in
    /// front of the last CRA picture, as far as can be told: it is a RASL picture, or is presented before the CRA picture
    /// without being called a leading picture. 7.4.2.2 forbids the latter, but x265 with temporal sub-layers writes it.
    pub fn leans_across_cra(&self, slice: &SliceHeader, order: PictureOrder) -> bool {
        let kind = slice.unit_type;
        let unnamed = || !kind.is_irap() && !kind.is_radl() && self.cra.is_some_and(|cra| order.count < cra);
        kind.is_rasl() || unnamed()
    }

    /// `PicOrderCntMsb` (8-1).
    fn msb(&self, lsb: i64, max_lsb: i64) -> i64 {
        if lsb < self.previous_lsb && self.previous_lsb - lsb >= max_lsb / 2 {
            self.previous_msb + max_lsb
        } else if lsb > self.previous_lsb && lsb - self.previous_lsb > max_lsb / 2 {
            self.previous_msb - max_lsb
        } else {
            self.previous_msb
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Pps, Slice, Sps};
    use super::super::{ParameterSets, SliceHeader};
    use super::*;
    use crate::codec::ParameterSetStore;

    /// What comes in decode order.
    enum Step {
        Picture(Slice),
        EndOfSequence,
    }

    /// Count, start of an epoch, and whether RASL pictures are skipped from here, of each picture; 4 bits of order count.
    fn orders(steps: impl IntoIterator<Item = Step>) -> Vec<(i32, bool, bool)> {
        let mut sets = ParameterSets::default();
        sets.insert(&Sps::default().nal(), 0).unwrap();
        sets.insert(&Pps::default().nal(), 100).unwrap();
        let sps = SequenceParameterSet::read(&Sps::default().nal()).unwrap();
        let mut counter = OrderCounter::default();
        let mut orders = Vec::new();
        for step in steps {
            match step {
                Step::EndOfSequence => counter.end_of_sequence(),
                Step::Picture(slice) => {
                    let header = SliceHeader::read(&slice.nal(), &sets).unwrap();
                    let starts = counter.starts_sequence(&header);
                    let order = counter.next(&header, &sps).unwrap();
                    assert_eq!(order.epoch_start, starts);
                    orders.push((order.count, order.epoch_start, counter.skips_rasl()));
                }
            }
        }
        orders
    }

    fn counts(slices: impl IntoIterator<Item = Slice>) -> Vec<i32> {
        orders(slices.into_iter().map(Step::Picture)).into_iter().map(|(count, ..)| count).collect()
    }

    #[test]
    fn low_bits_wrap_upwards_through_reference_pictures() {
        let slices = [Slice::idr()].into_iter().chain([4, 8, 12, 0, 4].map(Slice::p));
        assert_eq!(counts(slices), [0, 4, 8, 12, 16, 20]);
    }

    #[test]
    fn low_bits_wrap_downwards_for_a_picture_presented_before_its_reference() {
        // P at 18 (low bits 2), then B at 14: twelve up would be more than half the range.
        let slices = [Slice::idr(), Slice::p(6), Slice::p(12), Slice::p(2), Slice::b(0, 14)];
        assert_eq!(counts(slices), [0, 6, 12, 18, 14]);
    }

    #[test]
    fn half_the_range_wraps_upwards_but_not_downwards() {
        // Equation 8-1: a fall of exactly half the range wraps, a rise of exactly half does not.
        assert_eq!(counts([Slice::idr(), Slice::p(8), Slice::p(0)]), [0, 8, 16]);
        assert_eq!(counts([Slice::idr(), Slice::p(9)]), [0, -7]);
    }

    #[test]
    fn only_reference_pictures_of_the_lowest_sub_layer_that_do_not_lead_move_the_base() {
        // From 7, 5 is a small step back; from 14 it would be a fall of more than half the range, a wrap to 21.
        for unit_type in [0, 2, 4, 6, 7, 8, 9] {
            let slices = [Slice::idr(), Slice::p(7), Slice::b(unit_type, 14), Slice::b(1, 5)];
            assert_eq!(counts(slices), [0, 7, 14, 5], "{unit_type}");
        }
        let higher = Slice { temporal_id: 1, ..Slice::b(1, 14) };
        assert_eq!(counts([Slice::idr(), Slice::p(7), higher, Slice::b(1, 5)]), [0, 7, 14, 5]);
        for unit_type in [1, 3, 5] {
            let slices = [Slice::idr(), Slice::p(7), Slice::b(unit_type, 14), Slice::b(1, 5)];
            assert_eq!(counts(slices), [0, 7, 14, 21], "{unit_type}");
        }
    }

    #[test]
    fn idr_and_bla_pictures_start_anew_and_skip_rasl() {
        for unit_type in [16, 17, 18] {
            let slices = [
                Slice::idr(),
                Slice::p(12),
                Slice::p(4), // 20
                Slice::irap(unit_type, 10),
                Slice::b(6, 8), // RADL: before it
                Slice::p(2),    // 18: from 10, a fall of half the range
                Slice::irap(20, 0),
                Slice::p(3),
            ];
            let expected = [
                (0, true, true),
                (-4, false, true),
                (4, false, true),
                (10, true, true),
                (8, false, true),
                (18, false, true),
                (0, true, true),
                (3, false, true),
            ];
            assert_eq!(orders(slices.map(Step::Picture)), expected, "{unit_type}");
        }
    }

    #[test]
    fn cra_picture_within_a_sequence_goes_on_counting_and_its_rasl_pictures_can_be_decoded() {
        let slices = [
            Slice::idr(),
            Slice::p(7),
            Slice::p(14),
            Slice::cra(4),  // 20
            Slice::b(9, 1), // RASL at 17
            Slice::b(8, 15),
            Slice::p(9),
        ];
        let expected = [
            (0, true, true),
            (7, false, true),
            (14, false, true),
            (20, false, false),
            (17, false, false),
            (15, false, false),
            (25, false, false),
        ];
        assert_eq!(orders(slices.map(Step::Picture)), expected);
    }

    #[test]
    fn cra_picture_at_the_start_or_behind_an_end_of_sequence_starts_one() {
        let steps = [
            Step::Picture(Slice::cra(12)),
            Step::Picture(Slice::b(8, 10)),
            Step::Picture(Slice::p(0)),
            Step::Picture(Slice::cra(4)),
            Step::EndOfSequence,
            Step::Picture(Slice::cra(4)),
            Step::Picture(Slice::cra(8)),
        ];
        let expected = [
            (12, true, true),
            (10, false, true),
            (16, false, true),
            (20, false, false),
            (4, true, true),
            (8, false, false),
        ];
        assert_eq!(orders(steps), expected);
    }

    #[test]
    fn pictures_in_front_of_the_first_that_decoding_can_start_at_start_nothing() {
        let slices = [Slice::p(3), Slice::b(8, 2), Slice::p(5), Slice::cra(6), Slice::cra(7)];
        let expected =
            [(3, false, true), (2, false, true), (5, false, true), (6, true, true), (7, false, false)];
        assert_eq!(orders(slices.map(Step::Picture)), expected);
    }

    #[test]
    fn counts_beyond_32_bits_are_refused_and_change_nothing() {
        let mut sets = ParameterSets::default();
        let sps = Sps { log2_max_lsb: 16, ..Default::default() };
        sets.insert(&sps.nal(), 0).unwrap();
        sets.insert(&Pps::default().nal(), 100).unwrap();
        let sps = SequenceParameterSet::read(&sps.nal()).unwrap();
        let header =
            |lsb| SliceHeader::read(&Slice { lsb: (lsb, 16), ..Slice::default() }.nal(), &sets).unwrap();
        let mut counter = OrderCounter { previous_msb: (1 << 31) - (1 << 16), ..Default::default() };
        assert_eq!(counter.next(&header(32768), &sps).unwrap().count, i32::MAX - 32767);
        let before = counter;
        let error = counter.next(&header(0), &sps).unwrap_err();
        assert!(error.to_string().contains("PicOrderCntVal is 2147483648"), "{error}");
        assert_eq!(counter, before);
    }
}
