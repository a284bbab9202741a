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
        if kind.is_irap() {
            after.in_sequence = true;
            after.rasl_decodable = !epoch_start;
        }
        let lsb = i64::from(slice.pic_order_cnt_lsb);
        let msb = if epoch_start { 0 } else { self.msb(lsb, 1 << sps.log2_max_lsb) };
        let count = i32::try_from(msb + lsb).map_err(|_| {
            let allowed = "within 32 bits, with its sign";
            Error::out_of_range("PicOrderCntVal", msb + lsb, allowed, "H.265 8.3.1")
        })?;
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
