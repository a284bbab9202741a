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
            let bytes = |range: &crate::scan::SourceRange| &stream[range.offset as usize..range.end() as usize];
            packets.push((packet.ranges.iter().map(bytes).collect::<Vec<_>>().concat(), packet.duration));
            Ok(())
        });
        (packets, result.map_err(|error| (error.offset().expect("errors of the stream have a place"), error.to_string())))
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
