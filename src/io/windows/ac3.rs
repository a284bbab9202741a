//! Drives the reader of AC-3 and E-AC-3 over a source of any length in bounded memory: from syncframe to syncframe, of each the
//! header alone. The result does not depend on windows.

use std::fmt;

use super::{ReadAt, SlidingWindow};
use crate::error::Result;
use crate::scan::SourceRange;
use crate::scan::ac3::{Ac3Report, SyncframeWalk, UNIT_HEAD_LEN};

/// What [`read_ac3`] may do.
#[derive(Clone, Copy)]
pub struct Ac3Options<'a> {
    /// Leave out and count a last access unit that is not all there, instead of refusing the stream.
    pub drop_incomplete: bool,
    /// Bytes read at once, at least 160 (less is taken as 160).
    pub window_size: usize,
    /// Called with the number of bytes just finished. The calls add up to the length of the source.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl Default for Ac3Options<'_> {
    /// An incomplete access unit is an error; windows of 256 KiB.
    fn default() -> Self {
        Self { drop_incomplete: false, window_size: 256 << 10, progress: None }
    }
}

impl fmt::Debug for Ac3Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ac3Options")
            .field("drop_incomplete", &self.drop_incomplete)
            .field("window_size", &self.window_size)
            .field("progress", &self.progress.map(|_| ".."))
            .finish()
    }
}

/// Calls `each` with every access unit of a stream of AC-3 or E-AC-3, in order: the ranges of its syncframes, those that touch as
/// one. Each lasts [`crate::codec::ac3::SAMPLES_PER_ACCESS_UNIT`] samples.
///
/// # Errors
/// Where the source cannot be read or has changed; what [`crate::scan::ac3`] refuses, with the offset; and the error of `each`.
pub fn read_ac3<S, F>(source: &S, options: &Ac3Options<'_>, mut each: F) -> Result<Ac3Report>
where
    S: ReadAt + ?Sized,
    F: FnMut(&[SourceRange]) -> Result<()>,
{
    let len = source.len();
    let mut window = SlidingWindow::new(source, len, options.window_size.max(UNIT_HEAD_LEN));
    let mut walk = SyncframeWalk::new(options.drop_incomplete);
    let (mut offset, mut told) = (0, 0);
    while offset < len {
        let (next, unit) = walk.step(offset, len, window.read(offset, UNIT_HEAD_LEN)?)?;
        if let Some(unit) = unit {
            each(unit)?;
        }
        offset = next;
        if let Some(progress) = options.progress.filter(|_| offset - told >= 1 << 20 || offset == len) {
            progress(offset - told);
            told = offset;
        }
    }
    let (last, report) = walk.finish()?;
    if !last.is_empty() {
        each(&last)?;
    }
    Ok(report)
}

/// Asserts that access units do not depend on the window, are those that a slow reader of the whole stream finds, and that every
/// byte of the stream is counted once. The first byte chooses options and the window's size.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_ac3(data: &[u8]) {
    use crate::scan::ac3::testing::slow_twin;
    let [choice, stream @ ..] = data else { return };
    let read = |drop_incomplete, window_size| {
        let mut units: Vec<Vec<SourceRange>> = Vec::new();
        let options = Ac3Options { drop_incomplete, window_size, progress: None };
        let result = read_ac3(stream, &options, |unit| {
            units.push(unit.to_vec());
            Ok(())
        });
        (units, result.map_err(|error| error.to_string()))
    };
    let drop_incomplete = choice & 1 == 1;
    let (units, result) = read(drop_incomplete, usize::from(choice >> 1) + 120);
    assert_eq!((units.clone(), result.clone()), read(drop_incomplete, 1 << 20));
    if let Ok(report) = &result {
        let left_out = report.id3_tags.bytes + report.incomplete_frames.bytes;
        assert_eq!(report.access_units.bytes + left_out, stream.len() as u64);
        assert_eq!(report.access_units.units, units.len() as u64);
        let bytes: u64 = units.iter().flatten().map(|range| u64::from(range.len)).sum();
        assert_eq!(report.access_units.bytes, bytes);
    }
    let joined = |unit: &Vec<(u64, u32)>| {
        let mut ranges: Vec<SourceRange> = Vec::new();
        for &(offset, len) in unit {
            match ranges.last_mut() {
                Some(last) if last.end() == offset => last.len += len,
                _ => ranges.push(SourceRange { offset, len }),
            }
        }
        ranges
    };
    let twin = slow_twin(stream);
    let whole = read(false, 1 << 20);
    assert_eq!(whole.1.is_ok(), twin.is_some(), "{:?}", whole.1);
    if let (Some(twin), (units, Ok(report))) = (twin, whole) {
        assert_eq!(units, twin.iter().map(joined).collect::<Vec<_>>());
        assert_eq!(report.syncframes, twin.iter().map(|unit| unit.len() as u64).sum::<u64>());
        // As a packet, each access unit says what the stream says.
        for unit in &units {
            let bytes: Vec<u8> = unit
                .iter()
                .flat_map(|range| &stream[range.offset as usize..range.end() as usize])
                .copied()
                .collect();
            let told = crate::scan::ac3::read_access_unit(&bytes).expect("an access unit of the stream");
            assert!(report.config.describes(&told), "{told:?}");
        }
    }
}

#[cfg(test)]
mod tests;
