//! Drives the scans over a source of any length in bounded memory: window after window is lent by it, or read into the same buffers.
//!
//! [`scan_nal_units`] cuts a window into parts that are searched on all threads of the current rayon pool while the units of the window
//! before are handed out in order. [`read_adts`] steps from frame to frame, [`obu`], [`ogg`] and [`vp9`] do likewise. Windows, parts and threads change no result.

pub mod ac3;
pub mod flac;
pub mod obu;
pub mod ogg;
pub mod vp9;

use std::fmt;
#[cfg(any(test, fuzzing))]
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::ReadAt;
use crate::error::Result;
use crate::scan::adts::{AdtsReport, FrameWalk};
use crate::scan::annexb::{PartScan, ScanReport, UnitJoiner};
use crate::scan::{ElementaryFormat, NalUnit, SourceRange, adts, detect};

/// Most parts in a window: a bound on what windows take where many inputs are read at once.
const MOST_PARTS: usize = 8;

/// First bytes of a NAL unit that are handed out with it, and of a source that its format is told by.
const HEAD_SIZE: usize = 64 << 10;

/// How a source is cut for [`scan_nal_units`]; none of it changes the units found.
#[derive(Clone, Copy)]
pub struct ScanOptions<'a> {
    /// Bytes of a part, which one thread searches: 1..=2^30, values beyond are taken as the nearest. For each
    /// thread, up to eight, two parts of a source that does not lend its bytes are held in memory, and of any source the places of
    /// their start codes: half of that again at most, where these are as dense as can be.
    pub part_size: usize,
    /// Most bytes of [`NalUnit::head`].
    pub head_size: usize,
    /// Called with the number of bytes that a thread has just finished. The calls add up to the length of the source.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl Default for ScanOptions<'_> {
    /// Parts of 1 MiB: small enough to be in cache still when they are searched, large enough that handing work to threads
    /// costs nothing. Heads of 64 KiB.
    fn default() -> Self {
        Self { part_size: 1 << 20, head_size: HEAD_SIZE, progress: None }
    }
}

impl fmt::Debug for ScanOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanOptions")
            .field("part_size", &self.part_size)
            .field("head_size", &self.head_size)
            .field("progress", &self.progress.map(|_| ".."))
            .finish()
    }
}

/// Calls `each` with every NAL unit of an Annex B byte stream, in order.
///
/// # Errors
/// Where the source cannot be read or has changed; where the stream does not begin with a start code, has an empty unit,
/// or one of more than `u32::MAX` bytes (with the offset); and the error of `each`. Units in front of an error in the
/// stream have been handed out.
///
/// `each` must not wait for long: the bytes of its window are borrowed, and whoever wants to write to their file waits for it.
pub fn scan_nal_units<S, F>(source: &S, options: &ScanOptions<'_>, mut each: F) -> Result<ScanReport>
where
    S: ReadAt + ?Sized,
    F: FnMut(NalUnit<'_>) -> Result<()>,
{
    let reader = PartReader {
        source,
        len: source.len(),
        part_size: options.part_size.clamp(1, PartScan::MAX_LEN),
        parts: rayon::current_num_threads().clamp(1, MOST_PARTS),
        progress: options.progress,
    };
    let mut joiner = UnitJoiner::new(options.head_size);
    let (mut window, mut ahead) = (Window::default(), Window::default());
    reader.fill(&mut window, 0)?;
    while window.len > 0 {
        let (mut joined, mut read) = (Ok(()), Ok(()));
        let next = window.start + window.len as u64;
        // In place: `each` need not be `Send`, since it stays on this thread.
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| read = reader.fill(&mut ahead, next));
            joined = reader.with_bytes(&mut window, |bytes, parts| joiner.join(bytes, parts, &mut each));
        });
        joined?;
        read?;
        std::mem::swap(&mut window, &mut ahead);
    }
    joiner.finish(&mut each)
}

/// Some parts of the source that lie one behind the other.
#[derive(Default)]
struct Window {
    start: u64,
    len: usize,
    parts: Vec<PartScan>,
    /// Used again from window to window.
    buffer: Vec<u8>,
    /// The buffer has the bytes of this window.
    is_read: bool,
}

/// Goes through windows of up to `parts` parts.
struct PartReader<'a, S: ?Sized> {
    source: &'a S,
    len: u64,
    part_size: usize,
    parts: usize,
    progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl<S: ReadAt + ?Sized> PartReader<'_, S> {
    /// Moves `window` to `start` and searches its parts. At the end of the source the window is empty.
    fn fill(&self, window: &mut Window, start: u64) -> Result<()> {
        let left = usize::try_from(self.len - start).unwrap_or(usize::MAX);
        window.start = start;
        window.len = self.part_size.saturating_mul(self.parts).min(left);
        window.parts.resize_with(window.len.div_ceil(self.part_size), PartScan::default);
        let Window { len, parts, buffer, is_read, .. } = window;
        // One byte tells for all: mostly the source lends its bytes or does not.
        *is_read = *len > 0 && self.source.lend(start, 1).is_none();
        if *is_read {
            buffer.resize(*len, 0);
            let parts = buffer.par_chunks_mut(self.part_size).zip(parts).enumerate();
            return parts.try_for_each(|(index, (bytes, found))| {
                self.source.read_at(start + (index * self.part_size) as u64, bytes)?;
                found.scan(bytes);
                self.tell(bytes.len());
                Ok(())
            });
        }
        parts.par_iter_mut().enumerate().try_for_each(|(index, found)| {
            let from = index * self.part_size;
            let (offset, len) = (start + from as u64, self.part_size.min(*len - from));
            match self.source.lend(offset, len as u64) {
                Some(bytes) => found.scan(&bytes),
                // Somebody wants to write to it, or it is at the end of what is lent.
                None => {
                    let mut bytes = vec![0; len];
                    self.source.read_at(offset, &mut bytes)?;
                    found.scan(&bytes);
                }
            }
            // When nothing is borrowed any more: it may wait, for a terminal for example.
            self.tell(len);
            Ok(())
        })
    }

    fn tell(&self, bytes: usize) {
        if let Some(progress) = self.progress {
            progress(bytes as u64);
        }
    }

    /// Lets `work` see the bytes of a window that was searched.
    fn with_bytes<F>(&self, window: &mut Window, work: F) -> Result<()>
    where
        F: FnOnce(&[u8], &[PartScan]) -> Result<()>,
    {
        let Window { start, len, parts, buffer, is_read } = window;
        if !*is_read {
            if let Some(bytes) = self.source.lend(*start, *len as u64) {
                return work(&bytes, parts);
            }
            buffer.resize(*len, 0);
            self.source.read_at(*start, buffer)?;
        }
        work(buffer, parts)
    }
}

/// What [`read_adts`] may do.
#[derive(Clone, Copy)]
pub struct AdtsOptions<'a> {
    /// Leave out and count a last frame that is not all there, instead of refusing the stream.
    pub drop_incomplete: bool,
    /// Bytes read at once, at least 16 (less is taken as 16).
    pub window_size: usize,
    /// Called with the number of bytes just finished. The calls add up to the length of the source.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl Default for AdtsOptions<'_> {
    /// An incomplete frame is an error; windows of 256 KiB.
    fn default() -> Self {
        Self { drop_incomplete: false, window_size: 256 << 10, progress: None }
    }
}

impl fmt::Debug for AdtsOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdtsOptions")
            .field("drop_incomplete", &self.drop_incomplete)
            .field("window_size", &self.window_size)
            .field("progress", &self.progress.map(|_| ".."))
            .finish()
    }
}

/// Calls `each` with the payload of every frame of an ADTS stream, in order: one `raw_data_block` of
/// [`crate::codec::aac::SAMPLES_PER_FRAME`] samples, without header and CRC.
///
/// # Errors
/// Where the source cannot be read or has changed; what [`adts`] refuses, with the offset; and the error of `each`.
pub fn read_adts<S, F>(source: &S, options: &AdtsOptions<'_>, mut each: F) -> Result<AdtsReport>
where
    S: ReadAt + ?Sized,
    F: FnMut(SourceRange) -> Result<()>,
{
    let len = source.len();
    let mut window = SlidingWindow::new(source, len, options.window_size.max(adts::UNIT_HEAD_LEN));
    let mut walk = FrameWalk::new(options.drop_incomplete);
    let (mut offset, mut told) = (0, 0);
    while offset < len {
        let step = walk.step(offset, len, window.read(offset, adts::UNIT_HEAD_LEN)?)?;
        if let Some(payload) = step.payload {
            each(payload)?;
        }
        offset = step.end;
        if let Some(progress) = options.progress.filter(|_| offset - told >= 1 << 20 || offset == len) {
            progress(offset - told);
            told = offset;
        }
    }
    walk.finish()
}

/// Tells which elementary stream a source is, from its first bytes; tags in front do not hide it.
///
/// # Errors
/// Where the source cannot be read, and where it is none of [`ElementaryFormat`]: what it looks like, and what to do.
pub fn detect_format<S: ReadAt + ?Sized>(source: &S) -> Result<ElementaryFormat> {
    let len = source.len();
    let mut window = SlidingWindow::new(source, len, HEAD_SIZE);
    let mut offset = 0;
    while let Some(tag) = adts::tag_len(window.read(offset, adts::UNIT_HEAD_LEN)?, len - offset) {
        if tag >= len - offset {
            break;
        }
        offset += tag;
    }
    detect(window.read(offset, HEAD_SIZE)?)
}

/// A buffer that holds the bytes of a source around the place that was asked for last.
struct SlidingWindow<'a, S: ?Sized> {
    source: &'a S,
    len: u64,
    size: usize,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a, S: ReadAt + ?Sized> SlidingWindow<'a, S> {
    fn new(source: &'a S, len: u64, size: usize) -> Self {
        Self { source, len, size, start: 0, bytes: Vec::new() }
    }

    /// The `count` bytes from `offset`, which is inside the source or its end; fewer where the source ends before that.
    /// `count` is at most the window's size.
    fn read(&mut self, offset: u64, count: usize) -> Result<&[u8]> {
        let left = self.len - offset;
        let count = usize::try_from(left).map_or(count, |left| left.min(count));
        let held = self.start..self.start + self.bytes.len() as u64;
        if !held.contains(&offset) || held.end - offset < count as u64 {
            self.bytes.resize(usize::try_from(left).map_or(self.size, |left| left.min(self.size)), 0);
            self.start = offset;
            self.source.read_at(offset, &mut self.bytes)?;
        }
        // The window holds `offset` now, so the difference is below its size.
        let from = (offset - self.start) as usize;
        Ok(&self.bytes[from..from + count])
    }
}

/// A NAL unit as the driver hands it out, kept.
#[cfg(any(test, fuzzing))]
type KeptUnit = (u64, u32, Vec<u8>);

/// A source that does not lend its bytes, or only some of the times that it is asked to.
#[cfg(any(test, fuzzing))]
struct Reluctant<'a> {
    bytes: &'a [u8],
    /// It lends unless the number of times it was asked is a multiple of this one.
    refuses: u64,
    asked: AtomicU64,
}

#[cfg(any(test, fuzzing))]
impl ReadAt for Reluctant<'_> {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.bytes.read_at(offset, buffer)
    }

    fn lend(&self, offset: u64, len: u64) -> Option<super::Lent<'_>> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        if asked.is_multiple_of(self.refuses) { None } else { self.bytes.lend(offset, len) }
    }
}

/// The units of `stream`, whether it lends its bytes or not, and the report or the offset of the error behind them.
#[cfg(any(test, fuzzing))]
fn kept_units(
    stream: &[u8],
    part_size: usize,
    head_size: usize,
) -> (Vec<KeptUnit>, std::result::Result<ScanReport, u64>) {
    let lent = kept_units_of(stream, part_size, head_size);
    for refuses in 1..4 {
        let reluctant = Reluctant { bytes: stream, refuses, asked: AtomicU64::new(0) };
        assert_eq!(lent, kept_units_of(&reluctant, part_size, head_size), "refuses each {refuses}th time");
    }
    lent
}

#[cfg(any(test, fuzzing))]
fn kept_units_of<S: ReadAt + ?Sized>(
    stream: &S,
    part_size: usize,
    head_size: usize,
) -> (Vec<KeptUnit>, std::result::Result<ScanReport, u64>) {
    let mut units = Vec::new();
    let done = AtomicU64::new(0);
    let progress = |bytes| {
        done.fetch_add(bytes, Ordering::Relaxed);
    };
    let options = ScanOptions { part_size, head_size, progress: Some(&progress) };
    let result = scan_nal_units(stream, &options, |unit| {
        units.push((unit.offset, unit.len, unit.head.to_vec()));
        Ok(())
    });
    if result.is_ok() {
        assert_eq!(done.into_inner(), stream.len(), "progress adds up to the source");
    }
    (units, result.map_err(|error| error.offset().expect("errors of the stream have a place")))
}

/// Asserts that the driver finds what the slow reader of the syntax finds, whatever the parts, and that every byte of the
/// stream is counted once. The first two bytes choose part and head size.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_scan(data: &[u8]) {
    let [part_size, head_size, stream @ ..] = data else { return };
    let (part_size, head_size) = (usize::from(*part_size) + 1, usize::from(*head_size));
    let (twin, twin_error) = crate::scan::annexb::slow_twin(stream);
    let (units, result) = kept_units(stream, part_size, head_size);
    let expected: Vec<KeptUnit> = twin
        .iter()
        .map(|unit| {
            let head = &stream[unit.clone()];
            (unit.start as u64, unit.len() as u32, head[..head.len().min(head_size)].to_vec())
        })
        .collect();
    assert_eq!(units, expected);
    match result {
        Ok(report) => {
            assert_eq!(twin_error, None);
            assert_eq!(report.units, units.len() as u64);
            assert_eq!(report.start_codes.units, report.units);
            assert_eq!(
                report.unit_bytes + report.start_codes.bytes + report.zero_bytes.bytes,
                stream.len() as u64
            );
            let (_, whole) = kept_units(stream, PartScan::MAX_LEN, head_size);
            assert_eq!(whole, Ok(ScanReport { parts: 1, ..report }));
        }
        Err(offset) => assert_eq!(twin_error.map(|at| at as u64), Some(offset)),
    }
}

/// Asserts that frames do not depend on the window, lie behind headers that say their length, and that every byte of the
/// stream is counted once. The first byte chooses options and the window's size.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_adts(data: &[u8]) {
    let [choice, stream @ ..] = data else { return };
    let read = |window_size| {
        let mut payloads = Vec::new();
        let options = AdtsOptions { drop_incomplete: choice & 1 == 1, window_size, progress: None };
        let result = read_adts(stream, &options, |payload| {
            payloads.push(payload);
            Ok(())
        });
        (payloads, result.map_err(|error| error.to_string()))
    };
    let (payloads, result) = read(usize::from(choice >> 1));
    assert_eq!((payloads.clone(), result.clone()), read(1 << 20));
    let mut end = 0;
    for payload in &payloads {
        let bytes = |from: u64, to: u64| &stream[from as usize..to as usize];
        let header = bytes(end, payload.offset);
        let plain = header.len() >= 7 && frame_of(&header[header.len() - 7..]) == Some((7, payload.len));
        let with_crc = header.len() >= 9 && frame_of(&header[header.len() - 9..]) == Some((9, payload.len));
        assert!(payload.len > 0 && (plain || with_crc), "{payload:?}");
        end = payload.end();
    }
    if let Ok(report) = result {
        let left_out = report.id3_tags.bytes + report.incomplete_frames.bytes;
        assert_eq!(report.frames.bytes + report.framing_bytes + left_out, stream.len() as u64);
        assert_eq!(report.frames.units, payloads.len() as u64);
    }
}

/// Header and payload length of the ADTS frame that begins with `header`, read bit by bit.
#[cfg(any(test, fuzzing))]
fn frame_of(header: &[u8]) -> Option<(u32, u32)> {
    let bits = |from: usize, count: usize| {
        (from..from + count).fold(0u32, |value, i| value << 1 | u32::from(header[i / 8] >> (7 - i % 8) & 1))
    };
    let framing = if bits(15, 1) == 1 { 7 } else { 9 };
    (bits(0, 12) == 0xfff && bits(13, 2) == 0).then(|| (framing, bits(30, 13).wrapping_sub(framing)))
}

#[cfg(test)]
mod tests;
