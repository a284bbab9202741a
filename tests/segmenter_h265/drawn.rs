//! Packets drawn at random, refused and discarded ones among them.

use fragmint::segmenter::{Segmenter, SegmenterConfig};
use proptest::prelude::*;

use crate::packaged::{Packaged, assert_same_files, hevc, stream, units, with_manifests};
use crate::units::*;

/// Where packets end and how they are handed over, drawn at random.
#[derive(Clone, Debug)]
struct Drawn {
    choices: Vec<u8>,
    at: usize,
}

impl Drawn {
    /// One in so many, more seldom the later a choice is made than there are choices.
    fn one_in(&mut self, many: u8) -> bool {
        let choice = self.choices[self.at % self.choices.len()];
        self.at += 1;
        choice.is_multiple_of(many)
    }
}

/// Packets of the units of all pictures; `true` for those in front of which a segment is cut. No slices of one picture are in
/// two packets, none of two segments in one.
fn drawn_packets(pictures: &[Vec<&[u8]>], cuts: &[usize], drawn: &mut Drawn) -> Vec<(Vec<u8>, bool)> {
    let mut packets: Vec<(Vec<u8>, bool)> = vec![(Vec::new(), false)];
    for (index, picture) in pictures.iter().enumerate() {
        let first = picture.iter().position(|unit| is_slice(unit)).unwrap();
        let last = picture.iter().rposition(|unit| is_slice(unit)).unwrap();
        let is_cut = cuts.contains(&index);
        let mut ended = false;
        for (at, unit) in picture.iter().enumerate() {
            let in_picture = at > first && at <= last;
            let must_end = is_cut && at == first && !ended;
            if must_end || (!in_picture && drawn.one_in(3)) {
                (at <= first).then(|| ended = true);
                packets.push((Vec::new(), false));
            }
            let (packet, cut) = packets.last_mut().unwrap();
            *cut |= is_cut && at == first;
            packet.extend(if drawn.one_in(2) { &[0, 0, 1][..] } else { &[0, 0, 0, 1] });
            packet.extend(*unit);
            if drawn.one_in(7) {
                packet.extend([0, 0, 0]);
            }
        }
    }
    packets.retain(|(packet, _)| !packet.is_empty());
    packets
}

/// Packets that are refused whatever came before.
fn garbage(packet: &[u8]) -> [Vec<u8>; 4] {
    // A reserved bit; a slice of a picture parameter set that has not come; half a header; a start code and nothing.
    let slice = [0, 0, 1, 1 << 1, 1, 0x80, 0x80, 0x01, 0xff];
    [
        [packet, &[0, 0, 1, 0x80, 1, 0x80]].concat(),
        [packet, &slice].concat(),
        [packet, &[0, 0, 1, 0x02]].concat(),
        vec![0, 0, 1],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn drawn_packets_with_refused_and_discarded_ones_among_them_give_the_files_of_the_packager(
        which in 0..4_usize, choices in prop::collection::vec(any::<u8>(), 300..900), buffered in any::<bool>(),
    ) {
        let stream = match which {
            0 => with_ends(&stream("h265-slices.h265"), &[&END_OF_SEQUENCE, &END_OF_BITSTREAM]),
            1 => stream("h265-mixed.h265"),
            2 => closed_cras(),
            _ => changing(),
        };
        let packaged = Packaged::new(&stream, if which == 1 { 2 } else { 1 });
        let mut drawn = Drawn { choices, at: 0 };
        let packets = drawn_packets(&access_units(&stream), &packaged.cuts(), &mut drawn);
        let keep = tempfile::tempdir().unwrap();
        let config = packaged.config(keep.path(), hevc(placement(&packaged)));
        let mut segmenter = Segmenter::new(SegmenterConfig { buffered, ..config }).unwrap();
        let timing = packaged.timing(0);
        // What came since the last cut: it is discarded now and then, and comes again.
        let mut since_cut: Vec<&Vec<u8>> = Vec::new();
        let hand_over = |segmenter: &mut Segmenter, packet: &[u8], reserve: bool| {
            if !reserve {
                return segmenter.push(packet, timing);
            }
            let mut room = segmenter.reserve(packet.len() + 9)?;
            room[..packet.len()].copy_from_slice(packet);
            room.commit(packet.len(), timing)
        };
        let mut waits_at_cut = false;
        for (packet, cut) in &packets {
            if *cut {
                segmenter.cut().unwrap().unwrap();
                waits_at_cut = since_cut.last().is_some_and(|last| {
                    let units = units(last);
                    units.last().is_some_and(|unit| matches!(unit_type(unit), 32..=35 | 39))
                });
                since_cut.clear();
            }
            if drawn.one_in(9) {
                for garbage in garbage(packet) {
                    prop_assert!(hand_over(&mut segmenter, &garbage, drawn.one_in(2)).is_err());
                }
            }
            // What waited at the cut would be dropped for good.
            if drawn.one_in(40) && !waits_at_cut {
                segmenter.discard_pending();
                for packet in &since_cut {
                    hand_over(&mut segmenter, packet, drawn.one_in(2)).unwrap();
                }
            }
            hand_over(&mut segmenter, packet, drawn.one_in(2)).unwrap();
            since_cut.push(packet);
        }
        let track = segmenter.finish().unwrap();
        assert_same_files(&with_manifests(keep.path(), track), &packaged.files);
    }
}
