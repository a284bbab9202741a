//! Superframes of written and of real streams.

use proptest::prelude::*;

use super::*;
use crate::codec::vp9::testing::{Frame as Written, packet, show_existing};
use crate::codec::vp9::{TAIL_LEN, frames_of};
use crate::scan::Count;

/// Packets one behind the other, with four bytes in front of each that are of no packet, as IVF has more.
#[derive(Clone, Debug, PartialEq)]
struct Built {
    source: Vec<u8>,
    /// Bytes, sync, intra, reference.
    samples: Vec<(Vec<u8>, bool, bool, bool)>,
    dropped: Dropped,
}

fn build(packets: &[Vec<u8>], options: SuperframeOptions) -> Result<(Built, SuperframeBuilder)> {
    let mut source = Vec::new();
    let mut builder = SuperframeBuilder::new(options);
    let mut samples = Vec::new();
    for packet in packets {
        source.extend([0xee; 4]);
        let range = SourceRange { offset: source.len() as u64, len: packet.len() as u32 };
        source.extend(packet);
        let tail = &packet[packet.len().saturating_sub(TAIL_LEN)..];
        let index = SuperframeIndex::read(tail, range.len.into())?;
        let frame = |place: std::ops::Range<u32>| Frame {
            offset: range.offset + u64::from(place.start),
            len: place.end - place.start,
            head: &packet[place.start as usize..place.end as usize],
        };
        let frames: Vec<_> = frames_of(index.as_ref(), range.len).map(frame).collect();
        let index_len = index.map_or(0, |index| index.byte_len());
        if let Some(given) = builder.push(Packet { range, frames: &frames, index_len })? {
            let part = |part: &SourceRange| source[part.offset as usize..part.end() as usize].to_vec();
            let bytes = [given.parts.iter().flat_map(part).collect(), given.index.to_vec()].concat();
            samples.push((bytes, given.sync, given.intra, given.reference));
        }
    }
    builder.finish()?;
    let dropped = *builder.dropped();
    Ok((Built { source, samples, dropped }, builder))
}

const STRICT: SuperframeOptions = SuperframeOptions { drop_leading: false, drop_incomplete: false };

fn built(packets: &[Vec<u8>]) -> Built {
    build(packets, STRICT).unwrap().0
}

fn refusal(packets: &[Vec<u8>]) -> (Option<u64>, String) {
    let error = build(packets, STRICT).unwrap_err();
    (error.offset(), error.to_string())
}

fn key() -> Vec<u8> {
    Written::key().bytes()
}

fn inter(refresh: u8) -> Vec<u8> {
    Written::inter(refresh).bytes()
}

fn hidden(len: usize) -> Vec<u8> {
    Written::inter(4).hidden().with_payload(len, 3).bytes()
}

#[test]
fn packets_that_show_a_frame_are_samples_as_they_are() {
    let packets =
        [key(), packet(&[hidden(400), inter(1)]), inter(2), show_existing(0, 3), packet(&[inter(1)])];
    let samples: Vec<_> = built(&packets).samples.into_iter().map(|sample| sample.0).collect();
    assert_eq!(samples, packets);
}

#[test]
fn hidden_frames_of_their_own_are_put_together_with_the_next_shown_one() {
    let whole = [
        key(),
        packet(&[hidden(400), hidden(9), inter(1)]),
        inter(1),
        packet(&[hidden(70_000), show_existing(0, 2)]),
    ];
    let apart = [
        key(),
        packet(&[hidden(400), hidden(9)]),
        inter(1),
        inter(1),
        hidden(70_000),
        packet(&[show_existing(0, 2)]),
    ];
    let (whole, apart) = (built(&whole), built(&apart));
    assert_eq!(whole.samples, apart.samples);
    assert_eq!(whole.dropped, Dropped::default());
    // That of the two hidden frames.
    let superframe_indexes = Count { units: 1, bytes: 6 };
    assert_eq!(apart.dropped, Dropped { superframe_indexes, ..Dropped::default() });
}

#[test]
fn decoding_starts_at_superframes_that_begin_with_a_key_frame() {
    let hidden_key = Written::key().hidden().bytes();
    let packets = [
        packet(&[hidden_key.clone(), inter(1)]),
        inter(1),
        hidden_key,
        show_existing(0, 0),
        key(),
        hidden(9),
        key(),
    ];
    let sync: Vec<_> = built(&packets).samples.iter().map(|sample| sample.1).collect();
    // What is decoded in front of the last key frame needs others.
    assert_eq!(sync, [true, false, true, true, false]);
}

#[test]
fn flags_say_what_headers_prove() {
    let intra = Written { reset: 2, ..Written::intra_only(4) };
    let error_resilient = |frame: Written| Written { error_resilient: true, ..frame }.bytes();
    let from_4 = Written { references: [2, 2, 2], ..Written::inter(0) };
    let packets = [
        key(),
        packet(&[intra.clone().bytes(), show_existing(0, 2)]),
        packet(&[intra.clone().bytes(), inter(1)]),
        packet(&[intra.bytes(), error_resilient(from_4.clone())]),
        packet(&[Written::intra_only(4).bytes(), show_existing(0, 2)]),
        error_resilient(Written::inter(0)),
        error_resilient(Written::inter(1)),
        Written { refresh_context: false, ..from_4.clone() }.bytes(),
        from_4.bytes(),
        show_existing(0, 1),
    ];
    let flags: Vec<_> =
        built(&packets).samples.iter().map(|&(_, _, intra, reference)| (intra, reference)).collect();
    let expected = [
        (true, true),   // the key frame
        (true, true),   // intra-only with the defaults of context 0, shown
        (false, true),  // with a frame that needs others
        (true, true),   // with one that needs it alone
        (false, true),  // intra-only with probabilities of others
        (false, false), // no slot, no context
        (false, true),  // a slot
        (false, true),  // motion vectors
        (false, true),  // a context
        (false, true),  // shown again
    ];
    assert_eq!(flags, expected);
}

#[test]
fn frames_may_change_their_size_and_the_track_has_the_largest() {
    let packets = [
        Written::key().of_size(64, 48).bytes(),
        Written { render: Some((64, 48)), ..Written::inter(1) }.of_size(32, 24).bytes(),
        Written::inter(1).of_size(96, 40).bytes(),
    ];
    let (built, builder) = build(&packets, STRICT).unwrap();
    assert_eq!(built.samples.len(), 3);
    assert_eq!(builder.size(), Some((96, 48)));
    let change = builder.size_change().unwrap();
    assert_eq!((change.first, change.other), ((64, 48), (32, 24)));
    assert_eq!(change.offset, 8 + packets[0].len() as u64);
    let format = builder.configuration().unwrap().video_format();
    assert_eq!((format.width, format.height, format.sample_aspect_ratio), (96, 48, None));
    // Once an init segment says so, no frame may be larger.
    let (_, mut builder) = build(&packets[..1], STRICT).unwrap();
    builder.finished = false;
    builder.close_size();
    let frame = Written::inter(1).of_size(65, 48).bytes();
    let range = SourceRange { offset: 100, len: frame.len() as u32 };
    let frames = [Frame { offset: 100, len: range.len, head: &frame }];
    let error = builder.push(Packet { range, frames: &frames, index_len: 0 }).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a frame is 65x48, but the init segment says that none is larger than 64x48"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_a_sample_is_refused_with_its_place() {
    let format = |profile, bit_depth| {
        let color = ColorConfig { bit_depth, ..Written::key().color };
        Written { profile, color, ..Written::key() }.bytes()
    };
    let second = (4 + key().len() + 4) as u64;
    for (packets, offset, part) in [
        (vec![key(), packet(&[inter(1), inter(1)])], second, "shows 2 frames, as spatial layers do"),
        (vec![key(), hidden(9)], second, "are not shown, and none follows that is"),
        (vec![key(), format(2, 10)], second, "a vp09 sample entry holds one"),
        (
            vec![format(2, 10), format(2, 12)],
            4 + format(2, 10).len() as u64 + 4,
            "a vp09 sample entry holds one",
        ),
        (vec![inter(1), key()], 4, "key frame"),
        (vec![key(), vec![0x42]], second, "frame_marker is 1"),
    ] {
        let (found, line) = refusal(&packets);
        assert_eq!(found, Some(offset), "{line}");
        assert!(line.contains(part), "{line}");
    }
    let nine = [vec![key()], vec![hidden(9); 8], vec![inter(1)]].concat();
    assert!(refusal(&nine).1.contains("9 frames up to here belong to one shown frame"));
    assert_eq!(built(&[vec![key()], vec![hidden(9); 7], vec![inter(1)]].concat()).samples.len(), 2);
    assert!(refusal(&[]).1.contains("shows no frame"));
    let odd = ColorConfig { subsampling_x: false, ..Written::key().color };
    let odd = Written { profile: 1, color: odd, ..Written::key() }.bytes();
    assert!(refusal(&[odd]).1.contains("4:4:0"));
    assert!(refusal(&[Written::key().of_size(65_536, 4).bytes()]).1.contains("frames of 65536x4"));
}

#[test]
fn what_stands_in_front_and_behind_is_dropped_and_counted_when_asked() {
    let packets =
        [inter(1), packet(&[hidden(9), inter(1)]), hidden(5), key(), inter(1), hidden(7), hidden(8)];
    let options = SuperframeOptions { drop_leading: true, drop_incomplete: true };
    let (built, _) = build(&packets, options).unwrap();
    assert_eq!(built.samples.iter().map(|sample| sample.0.clone()).collect::<Vec<_>>(), packets[3..5]);
    let bytes = |packets: &[Vec<u8>]| packets.iter().map(|packet| packet.len() as u64).sum();
    let dropped = Dropped {
        leading_pictures: Count { units: 2, bytes: bytes(&packets[..3]) },
        hidden_frames: Count { units: 2, bytes: bytes(&packets[5..]) },
        ..Dropped::default()
    };
    assert_eq!(built.dropped, dropped);
}

/// Frames of a kind, and whether the packet ends behind them.
fn drawn() -> impl Strategy<Value = Vec<(u8, usize, bool)>> {
    prop::collection::vec((0..6_u8, 0..300_usize, any::<bool>()), 1..30)
}

fn frame_of(kind: u8, len: usize) -> Vec<u8> {
    match kind {
        0 => Written::key().with_payload(len, 1).bytes(),
        1 | 2 => hidden(len),
        3 => show_existing(0, 1),
        4 => Written { reset: 3, ..Written::intra_only(2) }.with_payload(len, 2).bytes(),
        _ => Written::inter(1).with_payload(len, 4).bytes(),
    }
}

proptest! {
    /// The slow twin: all frames up to one that is shown, with an index written in the plainest way, wherever packets end.
    #[test]
    fn samples_do_not_depend_on_packets(drawn in drawn()) {
        let mut expected = vec![key()];
        let mut packets = vec![key()];
        let mut open: Vec<Vec<u8>> = Vec::new();
        let mut of_packet: Vec<Vec<u8>> = Vec::new();
        for (kind, len, ends) in drawn {
            let frame = frame_of(kind, len);
            let shown = !matches!(kind, 1 | 2 | 4);
            if !shown && open.len() == 7 {
                continue;
            }
            open.push(frame.clone());
            of_packet.push(frame);
            if shown {
                let mut sample = open.concat();
                if open.len() > 1 {
                    let bytes_each = if open.iter().any(|frame| frame.len() > 255) { 2 } else { 1 };
                    let marker = 0xc0 | (bytes_each as u8 - 1) << 3 | (open.len() as u8 - 1);
                    sample.push(marker);
                    open.iter().for_each(|frame| sample.extend(&(frame.len() as u32).to_le_bytes()[..bytes_each]));
                    sample.push(marker);
                }
                expected.push(sample);
                open.clear();
            }
            if shown || ends {
                packets.push(packet(&of_packet));
                of_packet.clear();
            }
        }
        let options = SuperframeOptions { drop_incomplete: true, ..STRICT };
        let (built, _) = build(&packets, options).unwrap();
        let samples: Vec<_> = built.samples.into_iter().map(|sample| sample.0).collect();
        prop_assert_eq!(samples, expected);
    }

    #[test]
    fn the_fuzz_body_holds(drawn in drawn(), at in any::<prop::sample::Index>(), damage: u8) {
        let mut data = Vec::new();
        let mut frames = vec![key()];
        for (kind, len, ends) in drawn {
            if ends || frames.len() == 8 {
                let packet = packet(&std::mem::take(&mut frames));
                data.extend((packet.len() as u16).to_le_bytes());
                data.extend(packet);
            }
            frames.push(frame_of(kind, len));
        }
        fuzz_superframes(&data);
        if !data.is_empty() {
            let at = at.index(data.len());
            data[at] ^= damage;
            fuzz_superframes(&data);
        }
    }
}
