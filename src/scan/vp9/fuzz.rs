//! What fuzzing asserts of superframes, on any bytes.

use crate::codec::vp9::{MAX_FRAMES, SuperframeIndex, TAIL_LEN, Vp9Record, frames_of};
use crate::scan::Dropped;

use super::{Frame, Packet, SourceRange, SuperframeBuilder, SuperframeOptions};

/// Groups the packets in `data`, each behind its length in two bytes (little-endian), into superframes, in all ways that what
/// does not fit may be dropped.
///
/// Parts ascend and lie inside; every byte of every packet is in one superframe or counted as dropped; a superframe that was put
/// together is read back as such, and shows one frame. A refused packet is refused again, for it changed nothing, and a second
/// run gives the same.
#[doc(hidden)]
pub fn fuzz_superframes(data: &[u8]) {
    for (drop_leading, drop_incomplete) in [(false, false), (false, true), (true, false), (true, true)] {
        let options = SuperframeOptions { drop_leading, drop_incomplete };
        let outcome = build(data, options);
        assert_eq!(outcome, build(data, options), "a second run differs");
        let parts: Vec<SourceRange> =
            outcome.superframes.iter().flat_map(|(parts, _)| parts.clone()).collect();
        assert!(parts.windows(2).all(|pair| pair[0].end() <= pair[1].offset), "in order, each once");
        assert!(parts.last().is_none_or(|last| last.end() <= data.len() as u64));
        for (parts, index) in &outcome.superframes {
            check_superframe(data, parts, index);
        }
        if outcome.error.is_none() {
            let kept: u64 = parts.iter().map(|part| u64::from(part.len)).sum();
            assert_eq!(kept + dropped_bytes(&outcome.dropped), outcome.taken);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    superframes: Vec<(Vec<SourceRange>, Vec<u8>)>,
    dropped: Dropped,
    /// Bytes of the packets.
    taken: u64,
    error: Option<String>,
}

fn packets(data: &[u8]) -> impl Iterator<Item = SourceRange> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let len = u16::from_le_bytes(*data.get(at..)?.first_chunk()?);
        let len = usize::from(len).min(data.len() - at - 2);
        let offset = at as u64 + 2;
        at += 2 + len;
        Some(SourceRange { offset, len: len as u32 })
    })
    .filter(|range| range.len > 0)
}

fn bytes(data: &[u8], range: SourceRange) -> &[u8] {
    &data[range.offset as usize..][..range.len as usize]
}

fn tail(packet: &[u8]) -> &[u8] {
    &packet[packet.len().saturating_sub(TAIL_LEN)..]
}

fn build(data: &[u8], options: SuperframeOptions) -> Outcome {
    let mut builder = SuperframeBuilder::new(options);
    let (mut superframes, mut taken, mut error) = (Vec::new(), 0, None);
    for range in packets(data) {
        let packet = bytes(data, range);
        let index = match SuperframeIndex::read(tail(packet), range.len.into()) {
            Ok(index) => index,
            Err(refused) => {
                assert!(refused.offset().is_some_and(|at| at < range.len.into()));
                error = Some(refused.to_string());
                break;
            }
        };
        let places = frames_of(index.as_ref(), range.len);
        let frame = |place: std::ops::Range<u32>| Frame {
            offset: range.offset + u64::from(place.start),
            len: place.end - place.start,
            head: &packet[place.start as usize..place.end as usize],
        };
        let frames: Vec<_> = places.map(frame).collect();
        let index_len = index.as_ref().map_or(0, SuperframeIndex::byte_len);
        let packet = Packet { range, frames: &frames, index_len };
        match builder.push(packet) {
            Ok(given) => {
                taken += u64::from(range.len);
                if let Some(superframe) = given {
                    assert!(superframe.sync || !superframes.is_empty(), "the first is a sync sample");
                    superframes.push((superframe.parts.to_vec(), superframe.index.to_vec()));
                }
            }
            Err(refused) => {
                assert!(refused.offset().is_some_and(|at| at <= range.end()));
                let again = builder.push(packet).map(|_| ()).expect_err("a refused packet is refused again");
                assert_eq!(refused.to_string(), again.to_string());
                error = Some(refused.to_string());
                break;
            }
        }
    }
    if error.is_none() {
        error = builder.finish().err().map(|error| error.to_string());
    }
    if !superframes.is_empty() {
        let record = builder.configuration().expect("a sync sample has a key frame").record();
        let record = Vp9Record::read(&record).expect("it was written here");
        assert!(record.profile < 4 && (10..=62).contains(&record.level) && record.chroma_subsampling < 4);
    }
    Outcome { superframes, dropped: *builder.dropped(), taken, error }
}

/// Its bytes, index included, are as many frames as its index says, and one without are one packet.
fn check_superframe(data: &[u8], parts: &[SourceRange], index: &[u8]) {
    assert_eq!(index.is_empty(), parts.len() == 1, "what is one packet keeps what it had");
    let whole: Vec<u8> = parts.iter().flat_map(|&part| bytes(data, part)).chain(index).copied().collect();
    let read = SuperframeIndex::read(tail(&whole), whole.len() as u64).expect("it fits");
    assert!(
        read.is_some_and(|read| read.sizes().len() <= MAX_FRAMES && read.byte_len() as usize == index.len())
            || index.is_empty()
    );
}

fn dropped_bytes(dropped: &Dropped) -> u64 {
    let Dropped { superframe_indexes, hidden_frames, leading_pictures, .. } = dropped;
    [superframe_indexes, hidden_frames, leading_pictures].iter().map(|count| count.bytes).sum()
}
