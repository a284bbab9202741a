//! Native FLAC in windows: what is held is less than two frames, of which none takes more than twice its samples uncompressed, and a
//! window.

use std::fmt;

use super::SlidingWindow;
use crate::codec::flac::{FlacConfig, FrameHeader};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::scan::flac::{BLOCK_HEAD_LEN, Event, FlacFrame, FlacReport, FrameWalk, MARKER, MetadataWalk, Way};
use crate::scan::{Count, adts};

/// What [`read_flac`] may do.
#[derive(Clone, Copy)]
pub struct FlacOptions<'a> {
    /// Leave out and count a last frame that is not all there, and take a stream with fewer samples than STREAMINFO says, instead of
    /// refusing them.
    pub drop_incomplete: bool,
    /// Bytes read at once, at least 1 (0 is taken as 1); within a frame that takes more, as many as there are of it.
    pub window_size: usize,
    /// Called with the number of bytes just finished. The calls add up to the length of the source.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl Default for FlacOptions<'_> {
    /// An incomplete stream is an error; windows of 256 KiB.
    fn default() -> Self {
        Self { drop_incomplete: false, window_size: 256 << 10, progress: None }
    }
}

impl fmt::Debug for FlacOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlacOptions")
            .field("drop_incomplete", &self.drop_incomplete)
            .field("window_size", &self.window_size)
            .field("progress", &self.progress.map(|_| ".."))
            .finish()
    }
}

/// Collects every frame of a native FLAC stream, in order: `each` puts it into what `collection` makes. ID3 tags may stand in front.
///
/// The stream is read once where its checksums alone tell its frames, and again, into a new collection, where they leave a
/// doubt: by the bits of each frame, which takes several times as long. So a stream that does not tell its number of samples is read.
///
/// # Errors
/// Where the source cannot be read or has changed; what [`scan::flac`](crate::scan::flac) refuses, with the offset; and the error of
/// `each`.
pub fn read_flac<S, C, M, F>(
    source: &S,
    options: &FlacOptions<'_>,
    collection: M,
    mut each: F,
) -> Result<(C, FlacReport)>
where
    S: ReadAt + ?Sized,
    M: Fn() -> C,
    F: FnMut(&mut C, FlacFrame) -> Result<()>,
{
    let front = Front::read(source)?;
    let mut reader = Reader { source, options, front, told: 0 };
    if reader.front.config.total_samples() > 0 {
        let mut found = collection();
        if let Some(report) = reader.walk(Way::Checksums, |frame| each(&mut found, frame))? {
            return Ok((found, report));
        }
    }
    let mut found = collection();
    let report = reader.walk(Way::Bits, |frame| each(&mut found, frame))?;
    Ok((found, report.expect("bits leave no doubt")))
}

/// What stands in front of the frames.
struct Front {
    config: FlacConfig,
    /// The first frame.
    start: u64,
    head: Vec<u8>,
    id3_tags: Count,
    metadata_blocks: Count,
}

impl Front {
    fn read<S: ReadAt + ?Sized>(source: &S) -> Result<Self> {
        let len = source.len();
        let mut window = SlidingWindow::new(source, len, 64);
        let (mut start, id3_tags) = behind_tags(&mut window, len)?;
        if window.read(start, MARKER.len())? != MARKER {
            let what = "no FLAC marker (fLaC) at the start of the stream";
            return Err(Error::malformed(what, "RFC 9639 6", "give a native FLAC stream").at(start));
        }
        start += MARKER.len() as u64;
        let mut metadata = MetadataWalk::default();
        loop {
            let block = metadata.step(start, len, window.read(start, BLOCK_HEAD_LEN)?)?;
            start = block.end;
            if block.is_last {
                break;
            }
        }
        let config = metadata.config().expect("the first block is STREAMINFO, or an error");
        let head = window.read(start, FrameHeader::MAX_LEN)?.to_vec();
        Ok(Self { config, start, head, id3_tags, metadata_blocks: metadata.left_out })
    }
}

struct Reader<'a, S: ?Sized> {
    source: &'a S,
    options: &'a FlacOptions<'a>,
    front: Front,
    /// Bytes that were told as finished.
    told: u64,
}

impl<S: ReadAt + ?Sized> Reader<'_, S> {
    /// Walks the frames; `None` where checksums alone do not tell them.
    fn walk(
        &mut self,
        way: Way,
        mut each: impl FnMut(FlacFrame) -> Result<()>,
    ) -> Result<Option<FlacReport>> {
        let len = self.source.len();
        let Front { config, start, ref head, id3_tags, metadata_blocks } = self.front;
        let mut walk = FrameWalk::new(way, config, start, head, len, self.options.drop_incomplete)?;
        let (mut start, mut held) = (start, Vec::new());
        loop {
            match walk.next(start, &held)? {
                Event::Frame(frame) => each(frame)?,
                Event::End => break,
                Event::Doubt => return Ok(None),
                Event::More => {
                    // It moves on within what is held.
                    held.drain(..(walk.position() - start) as usize);
                    start = walk.position();
                    let (from, old) = (start + held.len() as u64, held.len());
                    let left = usize::try_from(len - from).unwrap_or(usize::MAX);
                    // Each time the frame is followed from its start again: as much again keeps that linear.
                    let more = self.options.window_size.max(1).max(old);
                    held.resize(old + left.min(more), 0);
                    self.source.read_at(from, &mut held[old..])?;
                    self.tell(start, 1 << 20);
                }
            }
        }
        let report = walk.finish(metadata_blocks, id3_tags)?;
        if report.is_some() {
            self.tell(len, 0);
        }
        Ok(report)
    }

    /// Tells that all in front of `position` is finished, if that is as much more.
    fn tell(&mut self, position: u64, least: u64) {
        let more = position.saturating_sub(self.told);
        if let Some(progress) = self.options.progress.filter(|_| more > 0 && more >= least) {
            progress(more);
            self.told = position;
        }
    }
}

/// Where the stream begins, and the tags in front of it.
fn behind_tags<S: ReadAt + ?Sized>(front: &mut SlidingWindow<'_, S>, len: u64) -> Result<(u64, Count)> {
    let (mut offset, mut tags) = (0, Count::default());
    while let Some(tag) = adts::tag_len(front.read(offset, adts::UNIT_HEAD_LEN)?, len - offset) {
        adts::check_tag(tag, len - offset).map_err(|error| error.at(offset))?;
        tags.add(tag);
        offset += tag;
    }
    Ok((offset, tags))
}

/// Asserts that frames do not depend on the window, follow each other, have checksums that agree, and that every byte of the stream is
/// counted once. The first byte chooses options and the window's size.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_flac(data: &[u8]) {
    use crate::codec::flac::Crc16;
    let [choice, stream @ ..] = data else { return };
    let read = |window_size| {
        let done = std::sync::atomic::AtomicU64::new(0);
        let progress = |bytes| {
            done.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        };
        let options =
            FlacOptions { drop_incomplete: choice & 1 == 1, window_size, progress: Some(&progress) };
        let result = read_flac(stream, &options, Vec::new, |frames, frame| {
            frames.push(frame);
            Ok(())
        });
        assert!(result.is_err() || done.into_inner() == stream.len() as u64);
        result.map_err(|error| (error.offset(), error.to_string()))
    };
    let result = read(usize::from(choice >> 1));
    assert_eq!(result, read(1 << 20));
    // What checksums tell is what bits tell.
    let by_bits = Front::read(stream).and_then(|front| {
        let options = FlacOptions { drop_incomplete: choice & 1 == 1, ..FlacOptions::default() };
        let mut frames = Vec::new();
        let mut reader = Reader { source: stream, options: &options, front, told: 0 };
        let report = reader.walk(Way::Bits, |frame| {
            frames.push(frame);
            Ok(())
        })?;
        Ok((frames, report.expect("bits leave no doubt")))
    });
    // A payload that no subframes are may have checksums all the same: it is for a decoder to refuse.
    assert!(by_bits.is_err() || by_bits.ok() == result.clone().ok());
    let Ok((frames, report)) = result else { return };
    for (index, frame) in frames.iter().enumerate() {
        let bytes = &stream[frame.range.offset as usize..frame.range.end() as usize];
        let mut crc = Crc16::default();
        crc.add(bytes);
        assert!(bytes.starts_with(&[0xff]) && crc.agrees() && frame.block_size > 0, "{frame:?}");
        assert!(index == 0 || frames[index - 1].range.end() == frame.range.offset);
    }
    let left_out = report.metadata_blocks.bytes + report.id3_tags.bytes + report.incomplete_frames.bytes;
    assert_eq!(42 + report.frames.bytes + left_out, stream.len() as u64);
    assert_eq!(report.frames.units, frames.len() as u64);
    assert_eq!(report.samples, frames.iter().map(|frame| u64::from(frame.block_size)).sum::<u64>());
}

#[cfg(test)]
mod tests;
