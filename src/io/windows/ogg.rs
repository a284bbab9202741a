//! Drives the reader of Ogg Opus over a source of any length in bounded memory: page after page, each of which is checked whole
//! before a packet of it is handed out. The result does not depend on windows.

use std::fmt;

use super::{ReadAt, SlidingWindow};
use crate::error::Result;
use crate::scan::ogg::{MAX_PAGE_LEN, OggOpusReport, OpusPacket, OpusWalk};

/// What [`read_ogg_opus`] may do.
#[derive(Clone, Copy)]
pub struct OggOptions<'a> {
    /// Leave out and count what is incomplete at the end, a page or a packet, instead of refusing the stream.
    pub drop_incomplete: bool,
    /// Bytes read at once, at least those of the largest page, 65,307 (less is taken as that).
    pub window_size: usize,
    /// Called with the number of bytes just finished. The calls add up to the length of the source.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl Default for OggOptions<'_> {
    /// An incomplete end is an error; windows of 1 MiB.
    fn default() -> Self {
        Self { drop_incomplete: false, window_size: 1 << 20, progress: None }
    }
}

impl fmt::Debug for OggOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OggOptions")
            .field("drop_incomplete", &self.drop_incomplete)
            .field("window_size", &self.window_size)
            .field("progress", &self.progress.map(|_| ".."))
            .finish()
    }
}

/// Calls `each` with every packet of sound of an Ogg Opus file, in order.
///
/// # Errors
/// Where the source cannot be read or has changed; what [`crate::scan::ogg`] refuses, with the offset; and the error of `each`.
pub fn read_ogg_opus<S, F>(source: &S, options: &OggOptions<'_>, mut each: F) -> Result<OggOpusReport>
where
    S: ReadAt + ?Sized,
    F: FnMut(OpusPacket<'_>) -> Result<()>,
{
    let len = source.len();
    let mut window = SlidingWindow::new(source, len, options.window_size.max(MAX_PAGE_LEN));
    let mut walk = OpusWalk::new(options.drop_incomplete);
    let (mut offset, mut told) = (0, 0);
    while offset < len {
        offset = walk.step(offset, len, window.read(offset, MAX_PAGE_LEN)?, &mut each)?;
        if let Some(progress) = options.progress.filter(|_| offset - told >= 1 << 20 || offset == len) {
            progress(offset - told);
            told = offset;
        }
    }
    walk.finish()
}

/// Asserts that packets equal those of the slow reader and do not depend on the window, and that every byte of the stream is
/// counted once. The first byte chooses options and the window's size, and whether checksums are put right first.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_ogg(data: &[u8]) {
    use crate::scan::ogg::testing::{repair, slow_twin};

    let [choice, stream @ ..] = data else { return };
    let drop_incomplete = choice & 1 == 1;
    let mut stream = stream.to_vec();
    if choice & 2 == 2 {
        repair(&mut stream);
    }
    let read = |window_size| {
        let mut packets = Vec::new();
        let options = OggOptions { drop_incomplete, window_size, progress: None };
        let result = read_ogg_opus(&stream[..], &options, |packet| {
            let bytes =
                |range: &crate::scan::SourceRange| &stream[range.offset as usize..range.end() as usize];
            packets.push((packet.ranges.iter().map(bytes).collect::<Vec<_>>().concat(), packet.duration));
            Ok(())
        });
        (
            packets,
            result.map_err(|error| {
                (error.offset().expect("errors of the stream have a place"), error.to_string())
            }),
        )
    };
    let (packets, result) = read(usize::from(choice >> 2) << 11);
    assert_eq!((packets.clone(), result.clone()), read(1 << 20));
    let twin = slow_twin(&stream, drop_incomplete);
    assert_eq!(result.clone().map(|_| packets.clone()).map_err(|_| ()), twin);
    if let Ok(report) = result {
        let headers = report.pages.bytes + report.head_bytes + report.comment_headers.bytes;
        let left_out = report.trimmed_packets.bytes + report.incomplete_packets.bytes;
        assert_eq!(headers + report.packets.bytes + left_out, stream.len() as u64);
        assert_eq!(report.packets.units, packets.len() as u64);
        assert_eq!(report.duration, packets.iter().map(|(_, duration)| u64::from(*duration)).sum::<u64>());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::ogg::testing::{CONTINUED, ENDS, Pages};

    /// A packet: its configuration (the upper bits of the TOC byte), and its bytes.
    fn packet() -> impl Strategy<Value = (u8, usize)> {
        let len = prop_oneof![6 => 1..60usize, 2 => prop::sample::select(&[254, 255, 256, 510][..]), 1 => 500..70_000usize];
        (0..32u8, len)
    }

    /// A stream of these packets on pages of so many lacing values, which ends `trimmed` samples early.
    fn stream(packets: &[(u8, usize)], page_len: usize, trimmed: i64) -> Vec<u8> {
        let mut pages = Pages::new();
        let mut segments = Vec::new();
        for (number, &(configuration, len)) in packets.iter().enumerate() {
            let toc = configuration << 3;
            let duration = crate::codec::opus::packet_duration(&[toc]).unwrap();
            let body: Vec<u8> =
                std::iter::once(toc).chain(std::iter::repeat_n(number as u8, len - 1)).collect();
            let last = if len % 255 == 0 { Some((Vec::new(), Some(duration))) } else { None };
            let chunks =
                body.chunks(255).map(|chunk| (chunk.to_vec(), (chunk.len() < 255).then_some(duration)));
            segments.extend(chunks.chain(last));
        }
        let (mut granule, mut is_open) = (0, false);
        let count = segments.len().div_ceil(page_len);
        for (number, page) in segments.chunks(page_len).enumerate() {
            let ends = number + 1 == count;
            let flags = if is_open { CONTINUED } else { 0 } | if ends { ENDS } else { 0 };
            granule += page.iter().filter_map(|(_, duration)| *duration).map(i64::from).sum::<i64>();
            is_open = page.last().is_some_and(|(_, duration)| duration.is_none());
            let told = match page.iter().any(|(_, duration)| duration.is_some()) {
                true => granule - if ends { trimmed } else { 0 },
                false => -1,
            };
            let lacing: Vec<u8> = page.iter().map(|(bytes, _)| bytes.len() as u8).collect();
            let body: Vec<u8> = page.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            pages.page(flags, told, &lacing, &body);
        }
        pages.bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn packets_equal_those_of_the_slow_reader(
            choice: u8,
            packets in prop::collection::vec(packet(), 1..40),
            page_len in prop_oneof![Just(255usize), 1..30usize],
            trimmed in prop_oneof![Just(0i64), 0..7000i64],
            cut in prop_oneof![Just(0usize), 1..300usize],
            damage in prop::option::of((any::<prop::sample::Index>(), 1u8..)),
        ) {
            let mut data = [&[choice][..], &stream(&packets, page_len, trimmed)].concat();
            data.truncate(data.len().saturating_sub(cut).max(1));
            if let Some((at, bits)) = damage {
                let at = at.index(data.len());
                data[at] ^= bits;
            }
            fuzz_ogg(&data);
        }

        #[test]
        fn a_sound_stream_is_read_to_its_last_packet(
            packets in prop::collection::vec(packet(), 2..30),
            page_len in 1..256usize,
            window_size in 0..300_000usize,
        ) {
            let stream = stream(&packets, page_len, 0);
            let options = OggOptions { window_size, ..OggOptions::default() };
            let mut lens = Vec::new();
            let report = read_ogg_opus(&stream[..], &options, |packet| {
                lens.push(packet.ranges.iter().map(|range| range.len as usize).sum::<usize>());
                Ok(())
            });
            let duration: u64 = packets
                .iter()
                .map(|(configuration, _)| u64::from(crate::codec::opus::packet_duration(&[configuration << 3]).unwrap()))
                .sum();
            prop_assume!(duration > 312);
            prop_assert_eq!(report.unwrap().duration, duration);
            prop_assert_eq!(lens, packets.iter().map(|&(_, len)| len).collect::<Vec<_>>());
        }
    }

    proptest! {
        #[test]
        fn damaged_copies_of_a_real_file_are_read_as_by_the_slow_reader(
            choice: u8,
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..4),
            in_headers: bool,
        ) {
            // What FFmpeg wrote; the edits are anywhere, or in the first pages.
            let mut data = [&[choice][..], include_bytes!("../../../tests/streams/opus.opus")].concat();
            for (at, value, kind) in edits {
                let at = at.index(if in_headers { data.len().min(400) } else { data.len() });
                match kind {
                    0 => data[at] = value,
                    1 => data[at] ^= 1 << (value & 7),
                    2 => data.truncate(at.max(1)),
                    _ => drop(data.splice(at..at, std::iter::repeat_n(value, usize::from(value & 3)))),
                }
            }
            fuzz_ogg(&data);
        }
    }

    #[test]
    fn a_page_is_not_handed_out_before_its_end_is_checked() {
        let mut pages = Pages::new();
        pages.packets(ENDS, 1920, &[3, 200]);
        let last = pages.bytes.len() - 1;
        pages.bytes[last] ^= 1;
        let mut packets = 0;
        let result = read_ogg_opus(&pages.bytes[..], &OggOptions::default(), |_| {
            packets += 1;
            Ok(())
        });
        assert!(result.is_err() && packets == 0);
    }

    #[test]
    fn progress_adds_up_and_the_callers_error_ends_it() {
        let stream = stream(&[(31, 60_000); 70], 255, 0);
        let done = std::sync::atomic::AtomicU64::new(0);
        let progress = |bytes| {
            done.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        };
        let options = OggOptions { progress: Some(&progress), ..OggOptions::default() };
        read_ogg_opus(&stream[..], &options, |_| Ok(())).unwrap();
        assert_eq!(done.into_inner(), stream.len() as u64);
        let error = read_ogg_opus(&stream[..], &OggOptions::default(), |_| {
            Err(crate::error::Error::unsupported("it", "stop"))
        });
        assert!(error.unwrap_err().to_string().contains("it: not supported; stop"));
    }
}
