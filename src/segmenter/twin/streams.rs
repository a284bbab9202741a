//! Streams to call segmenters with: pictures with hand-made headers, and the ways to lay them out in packets.

use super::units::{AUD, EXTENSION, FILLER, LSB_BITS, PREFIX, SEI, sps};
use crate::codec::h264::testing::{Order, Pps, Slice};

/// One picture and what stands around it, in stream order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    pub(crate) front: Vec<Vec<u8>>,
    /// Slices, with what stands between and behind them.
    pub(crate) body: Vec<Vec<u8>>,
    pub(crate) idr: bool,
}

/// What is drawn of one picture; everything that keeps a stream sound follows from its neighbours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// Pictures of a group are presented in the order of these.
    pub(crate) rank: u8,
    pub(crate) kind: Kind,
    pub(crate) slices: u8,
    /// Bits: what stands around the picture.
    pub(crate) around: u16,
    /// Bytes behind each slice header.
    pub(crate) payload: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Kind {
    #[default]
    P,
    /// Intra, though not IDR.
    I,
    /// Bidirectional, and others refer to it.
    ReferenceB,
    DisposableB,
    DisposableP,
    /// `memory_management_control_operation` 5: an epoch starts.
    Reset,
}

/// Parameter sets of a stream, and how they change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sets {
    /// Each group of pictures has another picture parameter set 0.
    pub(crate) change: bool,
    /// A set that no picture uses comes with the first group.
    pub(crate) unused: bool,
    /// Every group begins with its sets.
    pub(crate) repeat: bool,
}

impl Sets {
    fn of_group(self, group: usize) -> Vec<Vec<u8>> {
        if group > 0 && !self.repeat && !self.change {
            return Vec::new();
        }
        let qp = if self.change { group as i32 % 7 } else { 0 };
        let mut sets = vec![sps(0).nal(), Pps { qp, ..Default::default() }.nal()];
        if self.unused && (group == 0 || self.repeat) {
            sets.push(Pps { id: 3, ..Default::default() }.nal());
        }
        sets
    }
}

/// Groups of pictures, each of which starts with an IDR picture, as a stream.
pub(crate) fn stream(groups: &[Vec<Draft>], sets: Sets) -> Vec<Picture> {
    let mut pictures = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let mut frame_num = 0;
        let mut start = 0;
        for (index, draft) in group.iter().enumerate() {
            if draft.kind == Kind::Reset {
                (start, frame_num) = (index, 0);
            }
            let behind = &group[start + 1..];
            let len = 1 + behind.iter().position(|next| next.kind == Kind::Reset).unwrap_or(behind.len());
            let epoch = &group[start..start + len];
            let place = |wanted: usize| {
                let key = (epoch[wanted].rank, wanted);
                epoch.iter().enumerate().filter(|(at, other)| (other.rank, *at) < key).count() as i32
            };
            let count = 2 * (place(index - start) - place(0));
            let mut picture = Picture { idr: index == 0, ..Default::default() };
            picture.front = front(draft, if index == 0 { sets.of_group(number) } else { Vec::new() });
            let slice = slice(draft, index == 0, number as u32 % 2, frame_num, count);
            let parts = 1 + u32::from(draft.slices % 3);
            for part in 0..parts {
                if part > 0 && draft.around & 0x80 != 0 {
                    picture.body.push(PREFIX.to_vec());
                }
                let mut nal = Slice { first_mb: 4 * part, ..slice.clone() }.nal();
                nal.extend((0..draft.payload).map(|at| 0x80 | (at as u8 ^ index as u8 ^ part as u8)));
                picture.body.push(nal);
                if draft.around & 0x100 != 0 {
                    picture.body.push(FILLER.to_vec());
                }
            }
            if draft.around & 0x40 != 0 {
                picture.body.push(EXTENSION.to_vec());
            }
            if slice.ref_idc > 0 {
                frame_num = (frame_num + 1) % 16;
            }
            if draft.kind == Kind::Reset {
                frame_num = 1;
            }
            pictures.push(picture);
        }
    }
    pictures
}

fn front(draft: &Draft, sets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut front = Vec::new();
    let mut add = |bit: u16, nal: &[u8]| front.extend((draft.around & bit != 0).then(|| nal.to_vec()));
    add(0x01, AUD);
    add(0x02, SEI);
    let mut behind = Vec::new();
    let mut add = |bit: u16, nal: &[u8]| behind.extend((draft.around & bit != 0).then(|| nal.to_vec()));
    add(0x04, SEI);
    add(0x08, PREFIX);
    add(0x10, FILLER);
    front.into_iter().chain(sets).chain(behind).collect()
}

fn slice(draft: &Draft, idr: bool, idr_pic_id: u32, frame_num: u32, count: i32) -> Slice {
    let lsb = count.rem_euclid(1 << LSB_BITS) as u32;
    let order = |lsb| Order::Lsb(lsb, LSB_BITS, None);
    if idr {
        return Slice { idr_pic_id, order: order(0), ..Slice::idr() };
    }
    let base = Slice { frame_num, order: order(lsb), ..Slice::default() };
    match draft.kind {
        Kind::P => base,
        Kind::I => Slice { slice_type: 2, ..base },
        Kind::ReferenceB => Slice { slice_type: 1, ref_idc: 1, ..base },
        Kind::DisposableB => Slice { slice_type: 1, ref_idc: 0, ..base },
        Kind::DisposableP => Slice { ref_idc: 0, ..base },
        // Its own count does not matter: it is 0 afterwards.
        Kind::Reset => Slice { marking: vec![vec![5]], frame_num: 5, order: order(60), ..base },
    }
}

/// What is told to a segmenter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A packet, and how many pictures it has.
    Packet(Vec<u8>, usize),
    Cut,
}

/// Choices that are made one after the other, from the start again when they end: a layout of packets.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    choices: Vec<u8>,
    at: usize,
}

impl Choices {
    pub(crate) fn new(choices: Vec<u8>) -> Self {
        Self { choices, at: 0 }
    }

    /// One of `0..n`; 0 where there are no choices, which is the plainest.
    pub(crate) fn below(&mut self, n: u8) -> u8 {
        if self.choices.is_empty() {
            return 0;
        }
        self.at += 1;
        self.choices[(self.at - 1) % self.choices.len()] % n
    }

    /// Appends a unit behind a start code of three or more bytes.
    pub(crate) fn add(&mut self, packet: &mut Vec<u8>, nal: &[u8]) {
        let zeros = [3, 2, 3, 2, 3, 4, 3, 9][usize::from(self.below(8))];
        packet.resize(packet.len() + zeros, 0);
        packet.push(1);
        packet.extend_from_slice(nal);
    }
}

/// Lays pictures out in packets, with a cut in front of each picture in `cuts`. Packets have one picture each, or several
/// where they may be joined.
pub(crate) fn lay_out(pictures: &[Picture], cuts: &[usize], join: bool, choices: &mut Choices) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut packet = Vec::new();
    let mut count = 0;
    for (index, picture) in pictures.iter().enumerate() {
        let cut = cuts.contains(&index);
        if cut || !join || choices.below(3) != 1 {
            end_packet(&mut packet, &mut count, &mut steps, choices);
        }
        if cut {
            steps.push(Step::Cut);
        }
        for nal in &picture.front {
            choices.add(&mut packet, nal);
            // A packet of their own for units in front of a picture.
            if count == 0 && choices.below(6) == 5 {
                end_packet(&mut packet, &mut count, &mut steps, choices);
            }
        }
        for nal in &picture.body {
            choices.add(&mut packet, nal);
        }
        count += 1;
    }
    end_packet(&mut packet, &mut count, &mut steps, choices);
    steps
}

fn end_packet(packet: &mut Vec<u8>, count: &mut usize, steps: &mut Vec<Step>, choices: &mut Choices) {
    if packet.is_empty() {
        return;
    }
    let zeros = [0, 0, 0, 1, 7][usize::from(choices.below(5))];
    packet.resize(packet.len() + zeros, 0);
    steps.push(Step::Packet(std::mem::take(packet), std::mem::take(count)));
}
