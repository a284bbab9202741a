//! Drives the reader of VP9 over an IVF file of any length in bounded memory: packet after packet, of each the superframe index at
//! its end and the first bytes of its frames. The result does not depend on windows.

use std::fmt;

use super::{ReadAt, SlidingWindow};
use crate::codec::vp9::{HEAD_LEN, MAX_FRAMES, SuperframeIndex, TAIL_LEN, frames_of};
use crate::error::Result;
use crate::scan::ivf::{self, CadenceWatch, IvfCodec, IvfFrame, IvfHeader, IvfReport, Unreadable};
use crate::scan::vp9::{Frame, Packet};
use crate::scan::{Count, SourceRange};

/// What [`read_ivf`] may do.
#[derive(Clone, Copy)]
pub struct Vp9Options<'a> {
    /// Leave out and count a last IVF frame that is not all there, instead of refusing the stream.
    pub drop_incomplete: bool,
    /// Bytes read at once, at least 128 (less is taken as 128).
    pub window_size: usize,
    /// Called with the number of bytes just finished. The calls add up to the length of the source.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl Default for Vp9Options<'_> {
    /// An incomplete end is an error; windows of 256 KiB.
    fn default() -> Self {
        Self { drop_incomplete: false, window_size: 256 << 10, progress: None }
    }
}

impl fmt::Debug for Vp9Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vp9Options")
            .field("drop_incomplete", &self.drop_incomplete)
            .field("window_size", &self.window_size)
            .field("progress", &self.progress.map(|_| ".."))
            .finish()
    }
}

/// Calls `each` with every packet of the VP9 in an IVF file, in order; it says whether the packet shows a frame, whose timestamp
/// is that of the packet: others have none that counts.
///
/// # Errors
/// Where the source cannot be read or has changed, what [`ivf`] refuses, a superframe index that does not fit its packet, with
/// the offset; and the error of `each`.
pub fn read_ivf<S, F>(source: &S, options: &Vp9Options<'_>, mut each: F) -> Result<IvfReport>
where
    S: ReadAt + ?Sized,
    F: FnMut(Packet<'_>) -> Result<bool>,
{
    let len = source.len();
    let mut window = SlidingWindow::new(source, len, options.window_size.max(HEAD_LEN));
    let header = IvfHeader::read_of(window.read(0, ivf::HEADER_LEN)?, IvfCodec::Vp9)?;
    let (mut frames, mut incomplete_frames) = (Count::default(), Count::default());
    let mut watch = CadenceWatch::default();
    let mut heads = Vec::with_capacity(MAX_FRAMES * HEAD_LEN);
    let (mut offset, mut told) = (ivf::HEADER_LEN as u64, 0);
    while offset < len {
        let frame = match ivf::read_frame(offset, len, window.read(offset, ivf::FRAME_HEADER_LEN)?) {
            Ok(frame) => frame,
            Err(Unreadable::Incomplete(_)) if options.drop_incomplete => {
                incomplete_frames.add(len - offset);
                break;
            }
            Err(Unreadable::Incomplete(error) | Unreadable::Broken(error)) => return Err(error),
        };
        let IvfFrame { payload, timestamp } = frame;
        if with_packet(&mut window, payload, &mut heads, &mut each)? {
            watch.push(timestamp, payload.offset);
        }
        frames.add(u64::from(payload.len));
        offset = payload.end();
        if let Some(progress) = options.progress.filter(|_| offset - told >= 1 << 20) {
            progress(offset - told);
            told = offset;
        }
    }
    if let Some(progress) = options.progress {
        progress(len - told);
    }
    Ok(IvfReport { header, frames, incomplete_frames, cadence: watch.cadence() })
}

/// Calls `each` with the packet of these bytes; `heads` is memory that is used again.
fn with_packet<S: ReadAt + ?Sized>(
    window: &mut SlidingWindow<'_, S>,
    range: SourceRange,
    heads: &mut Vec<u8>,
    each: &mut impl FnMut(Packet<'_>) -> Result<bool>,
) -> Result<bool> {
    // A packet that fits is read whole, and none of its parts needs another reading.
    window.read(range.offset, window.size.min(range.len as usize))?;
    let tail = range.len.min(TAIL_LEN as u32);
    let tail = window.read(range.end() - u64::from(tail), tail as usize)?;
    let index = SuperframeIndex::read(tail, range.len.into()).map_err(|error| error.shift(range.offset))?;
    let index_len = index.as_ref().map_or(0, SuperframeIndex::byte_len);
    heads.clear();
    let mut places = Vec::with_capacity(MAX_FRAMES);
    for place in frames_of(index.as_ref(), range.len) {
        let (offset, len) = (range.offset + u64::from(place.start), place.end - place.start);
        let start = heads.len();
        heads.extend_from_slice(window.read(offset, len.min(HEAD_LEN as u32) as usize)?);
        places.push((offset, len, start..heads.len()));
    }
    let frame =
        |(offset, len, head): (u64, u32, std::ops::Range<usize>)| Frame { offset, len, head: &heads[head] };
    let frames: Vec<_> = places.into_iter().map(frame).collect();
    each(Packet { range, frames: &frames, index_len })
}

/// Asserts that reading does not depend on the window, and that every byte is counted once and handed out in order. The first
/// two bytes choose options and the window's size, the rest is IVF.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_vp9_ivf(data: &[u8]) {
    let [choice, window, file @ ..] = data else { return };
    let drop_incomplete = choice & 1 == 1;
    let small = Vp9Options { drop_incomplete, window_size: usize::from(*window), progress: None };
    let (packets, result) = kept(file, &small);
    let (others, other) = kept(file, &Vp9Options { window_size: 1 << 20, ..small });
    assert_eq!((&packets, &result), (&others, &other));
    let mut end = 0;
    for (range, index_len, frames) in &packets {
        assert!(range.offset >= end && !frames.is_empty());
        end = range.offset;
        for (offset, len, head) in frames {
            assert_eq!((*offset, head.len()), (end, HEAD_LEN.min(*len as usize)));
            assert_eq!(&file[*offset as usize..][..head.len()], head);
            end += u64::from(*len);
        }
        end += u64::from(*index_len);
        assert_eq!(end, range.end());
    }
    if let Ok(report) = result {
        let payload: u64 = packets.iter().map(|(range, ..)| u64::from(range.len)).sum();
        assert_eq!(payload, report.frames.bytes);
        let framing = ivf::HEADER_LEN as u64 + report.frames.units * ivf::FRAME_HEADER_LEN as u64;
        assert_eq!(framing + payload + report.incomplete_frames.bytes, file.len() as u64);
    }
}

/// Range, index length, and the frames with their heads.
#[cfg(any(test, fuzzing))]
type Kept = (SourceRange, u32, Vec<(u64, u32, Vec<u8>)>);

/// Packets as they are handed out, two frames in one said not to be shown; and the report.
#[cfg(any(test, fuzzing))]
fn kept(file: &[u8], options: &Vp9Options<'_>) -> (Vec<Kept>, std::result::Result<IvfReport, String>) {
    let mut packets = Vec::new();
    let result = read_ivf(file, options, |packet| {
        let frames = packet.frames.iter().map(|frame| (frame.offset, frame.len, frame.head.to_vec()));
        packets.push((packet.range, packet.index_len, frames.collect()));
        Ok(packet.frames.len() != 2)
    });
    (packets, result.map_err(|error| error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;

    use super::super::tests::Counting;
    use super::*;
    use crate::codec::vp9::testing::{self, Frame as Written, ivf};
    use crate::scan::ivf::Cadence;

    fn file() -> Vec<u8> {
        let key = Written::key().with_payload(700, 1).bytes();
        let hidden = Written::inter(2).hidden().with_payload(90, 2).bytes();
        let shown = Written::inter(1).bytes();
        let superframe = testing::packet(&[hidden.clone(), hidden.clone(), shown.clone()]);
        ivf(&[(0, key), (7, testing::packet(&[hidden.clone(), hidden])), (4, superframe), (8, shown)])
    }

    #[test]
    fn packets_do_not_depend_on_windows() {
        let file = file();
        let (packets, report) = kept(&file, &Vp9Options::default());
        let report = report.unwrap();
        // The timestamp of the packet that shows nothing does not count.
        assert_eq!((report.cadence.clone(), report.frames.units), (Cadence::Constant(4), 4));
        let sizes: Vec<_> = packets.iter().map(|(_, index, frames)| (*index, frames.len())).collect();
        assert_eq!(sizes, [(0, 1), (4, 2), (5, 3), (0, 1)]);
        for (range, index, frames) in &packets {
            let mut end = range.offset;
            for (offset, len, head) in frames {
                assert_eq!((*offset, head.len()), (end, HEAD_LEN.min(*len as usize)));
                assert_eq!(head[..], file[*offset as usize..][..head.len()]);
                end += u64::from(*len);
            }
            assert_eq!(end + u64::from(*index), range.end());
        }
        for window_size in [0, 129, 200, 700, 1000] {
            let options = Vp9Options { window_size, ..Vp9Options::default() };
            assert_eq!(kept(&file, &options), (packets.clone(), Ok(report.clone())), "{window_size}");
        }
    }

    #[test]
    fn an_incomplete_end_is_dropped_and_counted_when_asked() {
        let file = file();
        let cut = &file[..file.len() - 1];
        let (_, refused) = kept(cut, &Vp9Options::default());
        assert!(refused.unwrap_err().contains("--drop-incomplete"));
        let (packets, report) = kept(cut, &Vp9Options { drop_incomplete: true, ..Vp9Options::default() });
        assert_eq!((packets.len(), report.unwrap().incomplete_frames.units), (3, 1));
    }

    #[test]
    fn payload_is_left_alone_and_progress_adds_up() {
        let key = Written::key().with_payload(2 << 20, 1).bytes();
        let source = Counting(ivf(&[(0, key.clone()), (1, key)]), AtomicU64::new(0));
        let told = AtomicU64::new(0);
        let progress = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        let options = Vp9Options { window_size: 1 << 10, progress: Some(&progress), ..Vp9Options::default() };
        read_ivf(&source, &options, |_| Ok(true)).unwrap();
        assert!(source.1.into_inner() < 20 << 10);
        assert_eq!(told.into_inner(), source.0.len() as u64);
    }

    proptest! {
        #[test]
        fn packets_of_any_file_do_not_depend_on_windows(choice: u8, window: u8, cut in 0..400_usize, at in any::<prop::sample::Index>(), damage: u8) {
            let mut data = [vec![choice, window], file()].concat();
            data.truncate(data.len() - cut);
            fuzz_vp9_ivf(&data);
            let at = at.index(data.len());
            data[at] ^= damage;
            fuzz_vp9_ivf(&data);
        }
    }

    #[test]
    fn an_index_that_does_not_fit_is_refused_with_its_place() {
        let (_, refused) = kept(&ivf(&[(0, vec![0x82, 1, 0xc0, 3, 0xc0])]), &Vp9Options::default());
        assert!(refused.unwrap_err().contains("@ 0x2e: the frames of the superframe have 3 bytes"));
    }
}
