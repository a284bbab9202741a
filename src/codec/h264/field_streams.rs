//! For tests: whole streams with field pictures, which decoders take. 32x32 luma samples, I pictures of I_PCM macroblocks,
//! P and B pictures of skipped ones, and with each picture what the standard says of it, worked by hand from H.264 8.2.1
//! (counts) and 3.36, 3.37 (pairs).
//!
//! It names `super::testing` and `super::OrderCountType` alone, so that a test outside of the crate can have it as a module
//! too.

use super::OrderCountType;
use super::testing::{BitWriter, Macroblocks, Order, Pps, Slice, Sps, pic_struct_sei};

/// A stream with one set of each kind.
#[derive(Clone, Debug)]
pub(crate) struct FieldStream {
    /// What is in it.
    pub(crate) name: &'static str,
    pub(crate) sps: Sps,
    pub(crate) pps: Pps,
    /// Frames and fields in decoding order.
    pub(crate) pictures: Vec<Picture>,
}

/// A frame or field.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// Its slices.
    pub(crate) slices: Vec<Slice>,
    /// `pic_struct` of the SEI message in front of it.
    pub(crate) pic_struct: Option<u8>,
    /// `PicOrderCnt`; 0 where the picture has operation 5, as after its decoding.
    pub(crate) count: i32,
    /// The second field of the frame that the picture before it begins.
    pub(crate) second_field: bool,
    /// IDR, or with operation 5: later pictures are presented later, whatever their count.
    pub(crate) epoch_start: bool,
}

/// A frame, a pair of fields, or a field without the other one: what one sample holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodedFrame {
    /// Where it begins in the byte stream: the start code of its first unit; 0 for the first of all, whose
    /// parameter sets stand in front of it.
    pub(crate) offset: usize,
    /// How many access units it is made of: 1 or 2.
    pub(crate) pictures: usize,
    /// Its place in presentation order, from 0.
    pub(crate) rank: usize,
}

impl FieldStream {
    /// The byte stream (Annex B), and its frames in decoding order.
    pub(crate) fn write(&self) -> (Vec<u8>, Vec<CodedFrame>) {
        let mut bytes = Vec::new();
        push(&mut bytes, &self.sps.nal());
        push(&mut bytes, &self.pps.nal());
        let mut frames: Vec<CodedFrame> = Vec::new();
        let mut keys: Vec<(usize, i32)> = Vec::new();
        let mut epoch = 0;
        for picture in &self.pictures {
            epoch += usize::from(picture.epoch_start);
            match (frames.last_mut(), keys.last_mut()) {
                (Some(frame), Some(key)) if picture.second_field => {
                    frame.pictures += 1;
                    key.1 = key.1.min(picture.count);
                }
                _ => {
                    let offset = if frames.is_empty() { 0 } else { bytes.len() };
                    frames.push(CodedFrame { offset, pictures: 1, rank: 0 });
                    keys.push((epoch, picture.count));
                }
            }
            picture.pic_struct.iter().for_each(|&code| push(&mut bytes, &pic_struct_sei(code)));
            picture.slices.iter().for_each(|slice| push(&mut bytes, &slice.nal()));
        }
        for (frame, key) in frames.iter_mut().zip(&keys) {
            frame.rank = keys.iter().filter(|other| other < &key).count();
        }
        (bytes, frames)
    }

    /// A stream with this type of order counts, whose frames have field macroblocks where `mb_adaptive`.
    fn new(name: &'static str, order: OrderCountType, mb_adaptive: bool) -> Self {
        let sps = Sps {
            order,
            mb_adaptive,
            frame_mbs_only: false,
            size_minus1: (1, 0),
            vui: Some(vui(false)),
            ..Default::default()
        };
        Self {
            name,
            sps,
            pps: Pps { bottom_field_pic_order: true, ..Default::default() },
            pictures: Vec::new(),
        }
    }

    /// Adds a picture with this count.
    fn picture(&mut self, slice: Slice, count: i32) -> &mut Self {
        let frame = slice.field_pic != Some(true);
        let macroblocks = if frame { 4 } else { 2 };
        let sample = 40 + 8 * (self.pictures.len() as u8 % 24);
        let epoch_start = slice.unit_type == 5 || slice.marking.contains(&vec![5]);
        let macroblocks = match slice.slice_type % 5 {
            // Pairs of frame and of field macroblocks by turns.
            2 if frame && self.sps.mb_adaptive => {
                Macroblocks::PcmPairs(macroblocks, sample, self.pictures.len().is_multiple_of(2))
            }
            2 => Macroblocks::Pcm(macroblocks, sample),
            _ => Macroblocks::Skipped(macroblocks),
        };
        let slice = Slice { field_pic: Some(!frame), macroblocks: Some(macroblocks), ..slice };
        let slices = vec![slice];
        self.pictures.push(Picture { slices, pic_struct: None, count, second_field: false, epoch_start });
        self
    }

    /// Adds the second field of the last one's frame.
    fn second(&mut self, slice: Slice, count: i32) -> &mut Self {
        self.picture(slice, count).pictures.last_mut().expect("it was just added").second_field = true;
        self
    }

    /// Gives the picture added last this `pic_struct`.
    fn shown(&mut self, pic_struct: u8) -> &mut Self {
        self.pictures.last_mut().expect("a picture was added").pic_struct = Some(pic_struct);
        self
    }

    /// Makes two slices of a macroblock each of every field.
    fn in_two_slices(&mut self) -> &mut Self {
        let fields = |slice: &Slice| slice.field_pic == Some(true);
        for picture in self.pictures.iter_mut().filter(|picture| fields(&picture.slices[0])) {
            let slice = |first_mb| {
                let slice = picture.slices[0].clone();
                let macroblocks = slice.macroblocks.map(|macroblocks| match macroblocks {
                    Macroblocks::Skipped(_) => Macroblocks::Skipped(1),
                    Macroblocks::Pcm(_, sample) | Macroblocks::PcmPairs(_, sample, _) => {
                        Macroblocks::Pcm(1, sample + first_mb as u8)
                    }
                });
                Slice { first_mb, macroblocks, ..slice }
            };
            picture.slices = vec![slice(0), slice(1)];
        }
        self
    }
}

fn push(bytes: &mut Vec<u8>, nal: &[u8]) {
    bytes.extend([0, 0, 0, 1]);
    bytes.extend(nal);
}

/// 25 frames a second, and how far decoders have to reorder: two frames.
fn vui(pic_struct_present: bool) -> BitWriter {
    let mut w = BitWriter::default();
    w.u(0, 4).flag(true).u(1, 32).u(50, 32).flag(true).u(0, 2).flag(pic_struct_present);
    w.flag(true).flag(true).ue(0).ue(0).ue(10).ue(10).ue(2).ue(4);
    w
}

fn top(slice: Slice) -> Slice {
    slice.field(false)
}

fn bottom(slice: Slice) -> Slice {
    slice.field(true)
}

/// A frame whose bottom field comes one count later.
fn frame(slice: Slice) -> Slice {
    let order = match slice.order {
        Order::Lsb(lsb, bits, _) => Order::Lsb(lsb, bits, Some(1)),
        Order::Delta(first, _) => Order::Delta(first, Some(0)),
        Order::Absent => Order::Absent,
    };
    Slice { order, ..slice }
}

fn intra(slice: Slice) -> Slice {
    Slice { slice_type: 7, ..slice }
}

/// `memory_management_control_operation` 5.
fn reset(slice: Slice) -> Slice {
    Slice { marking: vec![vec![5]], ..slice }
}

fn idr(idr_pic_id: u32) -> Slice {
    Slice { idr_pic_id, ..Slice::idr() }
}

const LSB: OrderCountType = OrderCountType::Lsb { log2_max_lsb: 4 };

/// All of them.
pub(crate) fn streams() -> Vec<FieldStream> {
    vec![
        frames_and_pairs(),
        idr_fields(),
        bottom_fields_first(),
        unpaired_fields(),
        field_macroblocks(),
        operation_five_in_a_first_field(),
        operation_five_in_frames(),
        cycle_of_offsets(),
        decode_order(),
        two_slices_a_field(),
        film(),
    ]
}

/// Field pairs and frames by turns, both as references and not, B pictures among them.
fn frames_and_pairs() -> FieldStream {
    let mut stream = FieldStream::new("frames and field pairs", LSB, false);
    stream
        .picture(top(idr(0)), 0)
        .second(bottom(Slice::p(0, 1)), 1)
        .picture(top(Slice::p(1, 8)), 8)
        .second(bottom(Slice::p(1, 9)), 9)
        // From 9, which is the last reference, until the next one.
        .picture(top(Slice::b(2, 4)), 4)
        .second(bottom(Slice::b(2, 5)), 5)
        .picture(frame(Slice::b(2, 2)), 2)
        .picture(frame(Slice::b(2, 6)), 6)
        // A fall of 9 wraps: 16.
        .picture(frame(intra(Slice::p(2, 0))), 16)
        // A rise of 12 from low bits 0, beyond half the range, falls: 12.
        .picture(top(Slice::b(3, 12)), 12)
        .second(bottom(Slice::b(3, 13)), 13)
        .picture(frame(Slice::b(3, 14)), 14)
        .picture(frame(Slice::p(3, 4)), 20)
        .picture(frame(idr(1)), 0)
        .picture(top(intra(Slice::p(1, 4))), 4)
        .second(bottom(intra(Slice::p(1, 5))), 5)
        .picture(top(Slice { slice_type: 0, ..Slice::b(2, 2) }), 2)
        .second(bottom(Slice { slice_type: 0, ..Slice::b(2, 3) }), 3);
    stream
}

/// An IDR picture as a field, its frame's second field a P or I field; two of them behind each other.
fn idr_fields() -> FieldStream {
    let mut stream = FieldStream::new("IDR fields with a second field that is not IDR", LSB, false);
    stream
        .picture(top(idr(0)), 0)
        .second(bottom(Slice::p(0, 1)), 1)
        .picture(top(idr(1)), 0)
        .second(bottom(intra(Slice::p(0, 1))), 1)
        .picture(top(Slice::p(1, 2)), 2)
        .second(bottom(Slice::p(1, 3)), 3)
        .picture(bottom(idr(0)), 0)
        .second(top(Slice::p(0, 1)), 1)
        .picture(bottom(Slice::p(1, 2)), 2)
        .second(top(Slice::p(1, 3)), 3);
    stream
}

/// Bottom fields in front, in pairs of references and of others.
fn bottom_fields_first() -> FieldStream {
    let mut stream = FieldStream::new("bottom fields first", LSB, false);
    stream
        .picture(bottom(idr(0)), 0)
        .second(top(Slice::p(0, 1)), 1)
        .picture(bottom(Slice::p(1, 6)), 6)
        .second(top(Slice::p(1, 7)), 7)
        .picture(bottom(Slice::b(2, 2)), 2)
        .second(top(Slice::b(2, 3)), 3)
        // The field that is presented first may be decoded second.
        .picture(top(Slice::b(2, 5)), 5)
        .second(bottom(Slice::b(2, 4)), 4)
        .picture(bottom(Slice::p(2, 8)), 8)
        .second(top(Slice::p(2, 9)), 9);
    stream
}

/// Fields without the other field of their frame, references and not. FFmpeg decodes them and shows none.
fn unpaired_fields() -> FieldStream {
    let mut stream = FieldStream::new("unpaired fields", LSB, false);
    stream
        .picture(top(idr(0)), 0)
        .second(bottom(Slice::p(0, 1)), 1)
        // The next field has the same parity.
        .picture(top(Slice::p(1, 4)), 4)
        .picture(top(Slice::p(2, 6)), 6)
        .second(bottom(Slice::p(2, 7)), 7)
        // A frame follows.
        .picture(bottom(Slice { slice_type: 0, ..Slice::b(3, 8) }), 8)
        .picture(frame(Slice::p(3, 10)), 10)
        // Opposite parity, but another frame_num, and not a reference.
        .picture(top(Slice::p(4, 12)), 12)
        .picture(bottom(Slice { slice_type: 0, ..Slice::b(5, 14) }), 14)
        // Opposite parity, but an IDR picture.
        .picture(top(idr(1)), 0)
        .second(bottom(Slice::p(0, 1)), 1)
        .picture(frame(Slice::p(1, 2)), 2);
    stream
}

/// Frames with field macroblocks between field pairs.
fn field_macroblocks() -> FieldStream {
    let mut stream = FieldStream::new("frames with field macroblocks and field pairs", LSB, true);
    stream
        .picture(frame(idr(0)), 0)
        .picture(frame(Slice::p(1, 4)), 4)
        .picture(frame(Slice::b(2, 2)), 2)
        .picture(top(intra(Slice::p(2, 6))), 6)
        .second(bottom(Slice::p(2, 7)), 7)
        .picture(frame(intra(Slice::p(3, 10))), 10)
        .picture(top(Slice::b(4, 8)), 8)
        .second(bottom(Slice::b(4, 9)), 9)
        .picture(frame(Slice::p(4, 12)), 12);
    stream
}

/// In a first field of a pair; FFmpeg does not show the bottom field near the end, which is unpaired.
fn operation_five_in_a_first_field() -> FieldStream {
    let mut stream = FieldStream::new("operation 5 in a first field", LSB, false);
    stream
        .picture(top(idr(0)), 0)
        .second(bottom(Slice::p(0, 1)), 1)
        .picture(top(Slice::p(1, 6)), 6)
        .second(bottom(Slice::p(1, 7)), 7)
        // Its own count, 10, becomes 0, and so do frame_num and what the second field counts from.
        .picture(top(reset(intra(Slice::p(2, 10)))), 0)
        .second(bottom(Slice::p(0, 1)), 1)
        .picture(top(Slice::p(1, 6)), 6)
        .second(bottom(Slice::p(1, 7)), 7)
        .picture(top(Slice::b(2, 4)), 4)
        .second(bottom(Slice::b(2, 5)), 5)
        // A bottom field leaves 0 too. It has frame_num 0 anyway, and an unpaired field follows.
        .picture(bottom(reset(intra(Slice::p(2, 3)))), 0)
        .picture(bottom(Slice::p(1, 2)), 2)
        .second(top(Slice::p(1, 3)), 3);
    stream
}

fn operation_five_in_frames() -> FieldStream {
    let mut stream = FieldStream::new("operation 5 in frames", LSB, false);
    let bottom_first = |slice: Slice, lsb| Slice { order: Order::Lsb(lsb, 4, Some(-2)), ..slice };
    stream
        .picture(frame(idr(0)), 0)
        .picture(top(Slice::p(1, 6)), 6)
        .second(bottom(Slice::p(1, 7)), 7)
        // Top at 10, bottom at 11: 0 and 1.
        .picture(frame(reset(intra(Slice::p(2, 10)))), 0)
        .picture(top(Slice::p(1, 6)), 6)
        .second(bottom(Slice::p(1, 7)), 7)
        .picture(frame(Slice::b(2, 2)), 2)
        // Top at 12, bottom at 10: 2 and 0. What follows counts from the top field: 10 is a rise of 8, which stays.
        .picture(bottom_first(reset(intra(Slice::p(2, 12))), 12), 0)
        .picture(top(Slice::p(1, 10)), 10)
        .second(bottom(Slice::p(1, 11)), 11);
    stream
}

/// Order count type 1.
fn cycle_of_offsets() -> FieldStream {
    let order = OrderCountType::Cycle {
        delta_always_zero: false,
        offset_for_non_ref_pic: -2,
        offset_for_top_to_bottom_field: 1,
        offsets_for_ref_frames: vec![4],
    };
    let mut stream = FieldStream::new("a cycle of offsets", order, false);
    let delta = |slice: Slice, delta| Slice { order: Order::Delta(delta, None), ..slice };
    let p = |frame_num| delta(Slice::p(frame_num, 0), 0);
    let b = |frame_num| delta(Slice::b(frame_num, 0), 0);
    stream
        .picture(top(delta(idr(0), 0)), 0)
        // The bottom field one later than the top field.
        .second(bottom(p(0)), 1)
        // Frame 1 is expected at 4, and comes later by its delta.
        .picture(top(delta(p(1), 2)), 6)
        .second(bottom(delta(p(1), 2)), 7)
        // Non-reference pictures with frame_num 2: at 4, minus 2.
        .picture(top(b(2)), 2)
        .second(bottom(b(2)), 3)
        .picture(frame(delta(b(2), 2)), 4)
        .picture(frame(p(2)), 8)
        // Operation 5 at 12: 0. Then frame 0 at 0, its bottom field at 1, and frame 1 at 4.
        .picture(top(reset(intra(p(3)))), 0)
        .second(bottom(p(0)), 1)
        .picture(frame(p(1)), 4);
    stream
}

/// Order count type 2, with a wrap of `frame_num`.
fn decode_order() -> FieldStream {
    let mut stream = FieldStream::new("decode order", OrderCountType::DecodeOrder, false);
    let absent = |slice: Slice| Slice { order: Order::Absent, ..slice };
    let p = |frame_num| absent(Slice::p(frame_num, 0));
    // Twice frame_num, and the same for both fields.
    stream.picture(top(absent(idr(0))), 0).second(bottom(p(0)), 0);
    for frame_num in 1..=8 {
        let count = 2 * frame_num as i32;
        stream.picture(top(p(frame_num)), count).second(bottom(p(frame_num)), count);
    }
    let alone = |frame_num| Slice { ref_idc: 0, ..p(frame_num) };
    for frame_num in 9..=16 {
        let count = 2 * frame_num as i32;
        // A non-reference picture: one below.
        stream
            .picture(top(alone(frame_num % 16)), count - 1)
            .second(bottom(alone(frame_num % 16)), count - 1);
        stream.picture(frame(p(frame_num % 16)), count);
    }
    // Operation 5: 0 for both fields, then 2.
    stream.picture(top(reset(intra(p(1)))), 0).second(bottom(p(0)), 0);
    stream.picture(frame(p(1)), 2);
    stream
}

/// Frames shown for three and two fields by turns, then a pair of fields, each shown once (Table D-1).
fn film() -> FieldStream {
    let mut stream = FieldStream::new("film in fields, told by pic_struct", LSB, false);
    stream.sps.vui = Some(vui(true));
    let bottom_first = |slice: Slice, lsb| Slice { order: Order::Lsb(lsb, 4, Some(-1)), ..slice };
    stream
        // Top, bottom, top.
        .picture(frame(idr(0)), 0)
        .shown(5)
        // Bottom at 3, top at 4.
        .picture(bottom_first(Slice::p(1, 4), 4), 3)
        .shown(4)
        // Bottom at 5, top at 6, bottom.
        .picture(bottom_first(Slice::p(2, 6), 6), 5)
        .shown(6)
        .picture(frame(Slice::p(3, 8)), 8)
        .shown(3)
        .picture(top(Slice::p(4, 10)), 10)
        .shown(1)
        .second(bottom(Slice::p(4, 11)), 11)
        .shown(2);
    stream
}

fn two_slices_a_field() -> FieldStream {
    let mut stream = FieldStream { name: "two slices a field", ..frames_and_pairs() };
    stream.in_two_slices();
    stream
}
