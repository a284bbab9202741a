//! NAL units with hand-made headers.

use crate::codec::h264::OrderCountType;
use crate::codec::h264::testing::{Order, Pps, Slice, Sps};

pub(crate) const AUD: &[u8] = &[0x09, 0xf0];
pub(crate) const SEI: &[u8] = &[0x06, 0x05, 0x01, 0x42, 0x80];
pub(crate) const FILLER: &[u8] = &[0x0c, 0xff, 0xff, 0x80];
/// A prefix NAL unit: it stands in front of slices, also between them.
pub(crate) const PREFIX: &[u8] = &[0x6e, 0x40, 0x80];
/// A slice extension: it stands behind the slices of its picture.
pub(crate) const EXTENSION: &[u8] = &[0x74, 0x40, 0x80, 0x11];
pub(crate) const END_OF_SEQUENCE: &[u8] = &[0x0a];

/// Bits of `pic_order_cnt_lsb`.
pub(crate) const LSB_BITS: u8 = 8;

/// A sequence parameter set with these many bits of order count.
pub(crate) fn sps(id: u32) -> Sps {
    Sps { id, order: OrderCountType::Lsb { log2_max_lsb: LSB_BITS }, ..Default::default() }
}

/// Some of everything: 32 units to put packets together from.
pub(crate) fn units() -> Vec<Vec<u8>> {
    let order = |lsb| Order::Lsb(lsb, LSB_BITS, None);
    let idr = |idr_pic_id| Slice { idr_pic_id, order: order(0), ..Slice::idr() };
    let p = |frame_num, lsb| Slice { order: order(lsb), ..Slice::p(frame_num, 0) };
    let b = |frame_num, lsb| Slice { order: order(lsb), ..Slice::b(frame_num, 0) };
    let long = |slice: Slice| [slice.nal(), vec![0xcc; 700]].concat();
    vec![
        sps(0).nal(),
        Pps::default().nal(),
        idr(0).nal(),
        p(1, 8).nal(),
        b(2, 4).nal(),
        b(2, 6).nal(),
        idr(1).nal(),
        Slice { first_mb: 4, ..idr(0) }.nal(),
        Slice { first_mb: 4, ..p(1, 8) }.nal(),
        p(2, 250).nal(),
        long(p(2, 12)),
        long(idr(2)),
        Slice { slice_type: 2, ..p(3, 14) }.nal(),
        Slice { marking: vec![vec![5]], ..p(4, 40) }.nal(),
        Pps { qp: 1, ..Default::default() }.nal(),
        Pps { qp: 2, ..Default::default() }.nal(),
        Pps { id: 1, ..Default::default() }.nal(),
        Pps { id: 2, sps_id: 1, ..Default::default() }.nal(),
        sps(1).nal(),
        Sps { level_idc: 31, ..sps(0) }.nal(),
        Sps { size_minus1: (9, 9), ..sps(1) }.nal(),
        Slice { pps_id: 1, ..idr(3) }.nal(),
        Slice { pps_id: 2, ..idr(3) }.nal(),
        Slice { pps_id: 1, ..p(5, 16) }.nal(),
        AUD.to_vec(),
        SEI.to_vec(),
        PREFIX.to_vec(),
        EXTENSION.to_vec(),
        FILLER.to_vec(),
        END_OF_SEQUENCE.to_vec(),
        vec![0x0b],
        vec![0x43, 0x80, 0x01],
    ]
}
