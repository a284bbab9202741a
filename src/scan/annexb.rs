//! Annex B byte stream ► NAL units (H.264 B.1; H.265 B.2, as other projects quote it, has the same syntax).
//! Pure; copies no payload.
//!
//! [`NalUnits`] walks one whole buffer. A long source is read in parts: `PartScan` finds the start codes of one part and
//! knows nothing of its neighbours, `UnitJoiner` takes the parts in order and makes units of them, so that the parts can
//! be searched at the same time and the result does not depend on where the source was cut.
//!
//! A unit ends where its trailing zero bytes begin, and the first zero of a four-byte start code belongs to neither side.
//! The inside of a unit is not judged: a `00 00 02` there, which H.264 7.4.1 forbids, is passed on as it is.

use std::ops::Range;

use super::simd::{Block, Blocks, START_CODE};
use super::{Count, NalUnit};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of a start code with the `zero_byte` in front.
pub(crate) const LONG_START_CODE_LEN: u64 = 4;
const CLAUSE: &str = "H.264 B.1";

/// Where start codes, `00 00 01`, begin in a buffer: offsets in rising order.
///
/// ```
/// use fragmint::scan::annexb::StartCodes;
///
/// assert!(StartCodes::new(&[0, 0, 0, 1, 0x67, 0, 0, 3, 1, 0, 0, 1, 0x68]).eq([1, 9]));
/// ```
#[derive(Clone, Debug)]
pub struct StartCodes<'a> {
    blocks: Blocks<'a>,
    block: Block,
}

impl<'a> StartCodes<'a> {
    /// Those in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { blocks: Blocks::new(bytes), block: Block::default() }
    }
}

impl Iterator for StartCodes<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        loop {
            if let Some(at) = self.block.next() {
                return Some(at);
            }
            self.block = self.blocks.next()?;
        }
    }
}

/// The NAL units of one whole buffer, such as an encoder's packet: [`NalUnit::head`] is all of the unit.
///
/// After an error there are no more items.
#[derive(Debug)]
pub struct NalUnits<'a> {
    bytes: &'a [u8],
    start_codes: StartCodes<'a>,
    /// Where the next unit's header byte lies.
    unit: Option<usize>,
}

impl<'a> NalUnits<'a> {
    /// Starts at the first start code of `bytes`.
    ///
    /// # Errors
    /// Without a start code, or with anything but zeros in front of the first one.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut start_codes = StartCodes::new(bytes);
        let first = start_codes.next();
        let Some(nonzero) = bytes.iter().position(|&b| b != 0) else {
            return Err(no_start_code(bytes.len() as u64));
        };
        match first.map(|at| at + START_CODE.len()) {
            Some(unit) if unit == nonzero + 1 => Ok(Self { bytes, start_codes, unit: Some(unit) }),
            _ => Err(no_start_code_at(nonzero as u64)),
        }
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = Result<NalUnit<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = self.unit?;
        let next = self.start_codes.next();
        let head = &self.bytes[start..next.unwrap_or(self.bytes.len())];
        let head = &head[..head.len() - trailing_zeros(head)];
        self.unit = next.map(|at| at + START_CODE.len());
        let unit =
            unit_len(start as u64, head.len() as u64).map(|len| NalUnit { offset: start as u64, len, head });
        if unit.is_err() {
            self.unit = None;
        }
        Some(unit)
    }
}

/// Where start codes lie in one part of a byte stream, as far as the part's own bytes tell.
#[derive(Debug, Default)]
pub(crate) struct PartScan {
    len: usize,
    /// Zeros at the very start, none or one, if behind them stands a `01` that ends a start code with the zeros in front of
    /// the part.
    border: Option<usize>,
    /// Those that lie in the part: 16 bytes for 64 of the part at most, however dense they are.
    start_codes: Vec<Block>,
}

impl PartScan {
    /// The longest part.
    pub(crate) const MAX_LEN: usize = 1 << 30;

    /// Searches `part`, which is at most [`Self::MAX_LEN`] bytes; what was found before is forgotten.
    pub(crate) fn scan(&mut self, part: &[u8]) {
        debug_assert!(part.len() <= Self::MAX_LEN, "the caller cuts parts to at most MAX_LEN");
        self.len = part.len();
        self.border = match part {
            [1, ..] => Some(0),
            [0, 1, ..] => Some(1),
            _ => None,
        };
        self.start_codes.clear();
        self.start_codes.extend(Blocks::new(part));
    }
}

/// Zeros at the end of `bytes`.
#[inline]
fn trailing_zeros(bytes: &[u8]) -> usize {
    // Mostly there is none, or the one that makes a start code of three bytes one of four. Which of them nothing predicts:
    // no branch.
    if let [.., before, last] = *bytes
        && before | last != 0
    {
        return usize::from(last == 0);
    }
    bytes.iter().rev().position(|&b| b != 0).unwrap_or(bytes.len())
}

/// What a byte stream consisted of. `unit_bytes + start_codes.bytes + zero_bytes.bytes` is the length of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScanReport {
    /// Parts that the source was cut into, to be searched at the same time.
    pub parts: u64,
    /// NAL units.
    pub units: u64,
    /// Bytes of all NAL units.
    pub unit_bytes: u64,
    /// Start codes, of three and four bytes.
    pub start_codes: Count,
    /// Runs of zero bytes that belong neither to a start code nor to a unit (`leading_zero_8bits`,
    /// `trailing_zero_8bits`).
    pub zero_bytes: Count,
}

/// Makes NAL units of parts that come in order, each seamlessly behind the one before.
///
/// It keeps nothing of a unit but its first `head_size` bytes, and those only of the one unit that is still open.
#[derive(Debug)]
pub(crate) struct UnitJoiner {
    head_size: usize,
    /// Bytes of the windows taken so far.
    position: u64,
    /// Zero bytes directly before `position`.
    zeros: u64,
    /// Where the open unit's header byte lies in the source.
    unit: Option<u64>,
    /// The open unit's first bytes, as far as they lie in earlier windows.
    head: Vec<u8>,
    report: ScanReport,
}

impl UnitJoiner {
    /// A joiner at the start of a source; units come with their first `head_size` bytes.
    pub(crate) fn new(head_size: usize) -> Self {
        Self { head_size, position: 0, zeros: 0, unit: None, head: Vec::new(), report: ScanReport::default() }
    }

    /// Takes the next window of the source: its bytes, and the scans of the parts that it consists of. Calls `each` with
    /// every unit that ends in it.
    pub(crate) fn join<F>(&mut self, window: &[u8], parts: &[PartScan], each: &mut F) -> Result<()>
    where
        F: FnMut(NalUnit<'_>) -> Result<()>,
    {
        debug_assert_eq!(window.len(), parts.iter().map(|part| part.len).sum::<usize>());
        let mut part_start = 0;
        for part in parts {
            if self.unit.is_none() {
                self.expect_start_code(window, part_start..part_start + part.len)?;
            }
            if let Some(zeros) = part.border {
                let gap_len = self.zeros_before(window, part_start) + zeros as u64 + 1;
                if gap_len >= START_CODE.len() as u64 {
                    self.start_unit(part_start + zeros + 1, gap_len, window, each)?;
                }
            }
            for at in part.start_codes.iter().copied().flatten() {
                let gap_len = self.zeros_before(window, part_start + at) + START_CODE.len() as u64;
                self.start_unit(part_start + at + START_CODE.len(), gap_len, window, each)?;
            }
            part_start += part.len;
            self.report.parts += 1;
        }
        self.keep_head(window);
        self.zeros = self.zeros_before(window, window.len());
        self.position += window.len() as u64;
        Ok(())
    }

    /// Ends the source.
    pub(crate) fn finish<F>(mut self, each: &mut F) -> Result<ScanReport>
    where
        F: FnMut(NalUnit<'_>) -> Result<()>,
    {
        if self.unit.is_none() {
            return Err(no_start_code(self.position));
        }
        self.end_unit(self.position - self.zeros, &[], each)?;
        if self.zeros > 0 {
            self.report.zero_bytes.add(self.zeros);
        }
        Ok(self.report)
    }

    /// Before the first unit: the first byte of the part that is not zero must end a start code. Said as soon as it is
    /// seen, so that a large file of another kind is not read to its end.
    fn expect_start_code(&self, window: &[u8], part: Range<usize>) -> Result<()> {
        let Some(zeros) = window[part.clone()].iter().position(|&b| b != 0) else { return Ok(()) };
        let at = part.start + zeros;
        if window[at] == 1 && self.zeros_before(window, at) >= 2 {
            return Ok(());
        }
        Err(no_start_code_at(self.position + at as u64))
    }

    /// Zero bytes directly before byte `at` of the window. Behind a start code they are counted back to its `01` at most:
    /// the work stays linear.
    #[inline]
    fn zeros_before(&self, window: &[u8], at: usize) -> u64 {
        let zeros = trailing_zeros(&window[..at]);
        zeros as u64 + if zeros == at { self.zeros } else { 0 }
    }

    /// A unit begins at byte `at` of the window, behind `gap_len` bytes that end with a start code.
    fn start_unit<F>(&mut self, at: usize, gap_len: u64, window: &[u8], each: &mut F) -> Result<()>
    where
        F: FnMut(NalUnit<'_>) -> Result<()>,
    {
        let unit = self.position + at as u64;
        self.end_unit(unit - gap_len, window, each)?;
        self.count_gap(gap_len);
        self.unit = Some(unit);
        self.head.clear();
        Ok(())
    }

    /// The open unit, if there is one, ends at `end` in the source.
    fn end_unit<F>(&mut self, end: u64, window: &[u8], each: &mut F) -> Result<()>
    where
        F: FnMut(NalUnit<'_>) -> Result<()>,
    {
        let Some(offset) = self.unit else { return Ok(()) };
        // A source may change between search and join: zeros in the place of a start code are counted back to in front of the unit.
        let len = unit_len(offset, end.saturating_sub(offset))?;
        self.report.units += 1;
        self.report.unit_bytes += u64::from(len);
        let head_len = usize::try_from(len).map_or(self.head_size, |len| len.min(self.head_size));
        let head = match offset.checked_sub(self.position) {
            // The unit begins and ends in the window, which is in memory: no cut.
            Some(from) => &window[from as usize..][..head_len],
            None => {
                self.keep_head(window);
                &self.head[..head_len]
            }
        };
        each(NalUnit { offset, len, head })
    }

    /// Copies what is still missing of the open unit's head out of the window, before the window goes.
    fn keep_head(&mut self, window: &[u8]) {
        let Some(offset) = self.unit else { return };
        let missing = self.head_size - self.head.len();
        // A head that is not complete reaches to the start of the window, or the unit begins in the window.
        let from = (offset + self.head.len() as u64).saturating_sub(self.position) as usize;
        if let Some(rest) = window.get(from..) {
            self.head.extend_from_slice(&rest[..rest.len().min(missing)]);
        }
    }

    fn count_gap(&mut self, gap_len: u64) {
        let start_code = gap_len.min(LONG_START_CODE_LEN);
        self.report.start_codes.add(start_code);
        if gap_len > start_code {
            self.report.zero_bytes.add(gap_len - start_code);
        }
    }
}

/// The length of the unit at `offset`, if it can have that length.
#[inline]
fn unit_len(offset: u64, len: u64) -> Result<u32> {
    match u32::try_from(len) {
        Ok(len) if len > 0 => Ok(len),
        _ => Err(impossible_len(offset, len)),
    }
}

/// An empty unit is an error and not skipped: H.264 7.3.1 has at least the header byte, a length-prefixed sample with a
/// zero length makes players stop, and where a stream has one, bytes were lost.
#[cold]
fn impossible_len(offset: u64, len: u64) -> Error {
    let start_code = offset - START_CODE.len() as u64;
    if len == 0 {
        return Error::malformed(
            "no NAL unit follows the start code",
            CLAUSE,
            "the stream is cut off or damaged there: write it again",
        )
        .at(start_code);
    }
    Error::new(ErrorKind::TooLarge {
        what: "the size of a NAL unit".into(),
        value: len,
        limit: u64::from(u32::MAX),
        clause: "ISO/IEC 14496-15, lengthSizeMinusOne",
        remedy: "the input is no H.264 byte stream behind this place, or is damaged".into(),
    })
    .at(offset)
}

fn no_start_code_at(offset: u64) -> Error {
    Error::malformed(
        "the stream does not begin with a start code 00 00 01",
        CLAUSE,
        "give an Annex B byte stream; from MP4: ffmpeg -i in.mp4 -c copy -bsf:v h264_mp4toannexb out.h264",
    )
    .at(offset)
}

fn no_start_code(len: u64) -> Error {
    let what = match len {
        0 => "the stream is empty".into(),
        _ => format!("the stream has no start code: all its {len} bytes are zero"),
    };
    Error::malformed(what, CLAUSE, "give an Annex B byte stream with coded pictures").at(0)
}

/// The slow, obvious reader that the fast ones are compared with: the syntax of H.264 B.1, one byte after the other.
/// Gives the units, or the units in front of an error and its offset.
#[cfg(any(test, fuzzing))]
pub(crate) fn slow_twin(bytes: &[u8]) -> (Vec<std::ops::Range<usize>>, Option<usize>) {
    let mut units = Vec::new();
    let mut at = 0;
    loop {
        let zeros = bytes[at..].iter().take_while(|&&b| b == 0).count();
        at += zeros;
        match bytes.get(at) {
            None if units.is_empty() => return (units, Some(0)),
            None => return (units, None),
            Some(1) if zeros >= 2 => at += 1,
            Some(_) => return (units, Some(at)),
        }
        let start = at;
        while !ends_before(&bytes[at..]) {
            at += 1;
        }
        if at == start {
            return (units, Some(start - 3));
        }
        units.push(start..at);
    }
}

/// Whether a NAL unit ends before `rest`: nothing but zeros up to the end or to a start code.
#[cfg(any(test, fuzzing))]
fn ends_before(rest: &[u8]) -> bool {
    let zeros = rest.iter().take_while(|&&b| b == 0).count();
    zeros == rest.len() || (zeros >= 2 && rest[zeros] == 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(bytes: &[u8]) -> Vec<(u64, &[u8])> {
        NalUnits::new(bytes)
            .unwrap()
            .map(|unit| unit.unwrap())
            .inspect(|unit| assert_eq!(unit.len as usize, unit.head.len()))
            .map(|unit| (unit.offset, unit.head))
            .collect()
    }

    /// What [`NalUnits`] gives, in the form of the twin's answer.
    fn fast(bytes: &[u8]) -> (Vec<std::ops::Range<usize>>, Option<usize>) {
        let mut units = Vec::new();
        let offset =
            |error: Error| Some(error.offset().expect("every error of this module has a place") as usize);
        let walk = match NalUnits::new(bytes) {
            Ok(walk) => walk,
            Err(error) => return (units, offset(error)),
        };
        for unit in walk {
            match unit {
                Ok(unit) => units.push(unit.offset as usize..unit.offset as usize + unit.len as usize),
                Err(error) => return (units, offset(error)),
            }
        }
        (units, None)
    }

    #[test]
    fn three_and_four_byte_start_codes_mix_and_zeros_around_belong_to_nobody() {
        // leading_zero_8bits 00 | 00 00 00 01 | 67 42 | 00 00 01 | 68 ce | trailing 00 00, 00 00 00 01 | 65 88 | 00
        let bytes = [0, 0, 0, 0, 1, 0x67, 0x42, 0, 0, 1, 0x68, 0xce, 0, 0, 0, 0, 0, 1, 0x65, 0x88, 0];
        assert_eq!(units(&bytes), [(5, &[0x67, 0x42][..]), (10, &[0x68, 0xce]), (18, &[0x65, 0x88])]);
    }

    #[test]
    fn zeros_inside_a_unit_and_emulation_prevention_stay() {
        let bytes = [0, 0, 1, 0x65, 0, 0, 3, 1, 0, 0, 2, 0, 0, 0, 9];
        assert_eq!(units(&bytes), [(3, &bytes[3..])]);
    }

    #[test]
    fn an_empty_unit_is_an_error_at_its_start_code() {
        for (bytes, at) in [
            (&[0, 0, 1, 0, 0, 1, 0x65][..], 0),
            (&[0, 0, 1, 0x65, 0, 0, 1], 4),
            (&[0, 0, 1, 0x65, 0, 0, 0, 1, 0, 0, 0], 5),
        ] {
            let error = NalUnits::new(bytes).unwrap().find_map(Result::err).unwrap();
            assert_eq!(error.offset(), Some(at), "{bytes:02x?}");
        }
    }

    #[test]
    fn what_stands_before_the_first_start_code_must_be_zero() {
        for (bytes, at) in [
            (&[][..], 0),
            (&[0, 0, 0], 0),
            (&[1], 0),
            (&[0, 1, 0x65], 1),
            (&[0, 0, 2, 0, 0, 1, 0x65], 2),
            (&[0x47, 0, 0, 1, 0x65], 0),
        ] {
            assert_eq!(NalUnits::new(bytes).unwrap_err().offset(), Some(at), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_unit_longer_than_its_length_field_is_an_error_and_the_longest_is_not() {
        let end_at = |end| {
            let mut joiner = UnitJoiner { position: end, unit: Some(4), ..UnitJoiner::new(0) };
            joiner.report.units = 7;
            joiner.finish(&mut |_| Ok(()))
        };
        let longest = 4 + u64::from(u32::MAX);
        assert_eq!(end_at(longest).unwrap().unit_bytes, u64::from(u32::MAX));
        let error = end_at(longest + 1).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { value: 0x1_0000_0000, .. }), "{error}");
        assert_eq!(error.offset(), Some(4));
    }

    #[test]
    fn bytes_that_changed_since_they_were_searched_are_an_error() {
        let searched = [0, 0, 1, 0x65, 0x80, 0, 0, 1, 0x65, 0x80];
        let mut part = PartScan::default();
        part.scan(&searched);
        // It shows at the end, and at the second start code.
        for kept in [5, 0] {
            let mut now = searched;
            now[kept..].fill(0);
            let mut joiner = UnitJoiner::new(8);
            let joined = joiner.join(&now, std::slice::from_ref(&part), &mut |_| Ok(()));
            let error = joined.and_then(|()| joiner.finish(&mut |_| Ok(()))).unwrap_err();
            assert!(error.to_string().contains("no NAL unit follows the start code"), "{error}");
        }
    }

    #[test]
    fn equals_the_twin_for_every_short_stream() {
        const BYTES: [u8; 3] = [0, 1, 0x65];
        for len in 0..=9u32 {
            for number in 0..3u32.pow(len) {
                let stream: Vec<u8> = (0..len).map(|i| BYTES[(number / 3u32.pow(i) % 3) as usize]).collect();
                assert_eq!(fast(&stream), slow_twin(&stream), "{stream:02x?}");
            }
        }
    }

    proptest! {
        #[test]
        fn equals_the_twin_at_every_alignment(
            stream in prop::collection::vec(prop::sample::select(&[0u8, 0, 0, 1, 2, 3, 0x65][..]), 0..200),
            around in 0usize..64,
        ) {
            let mut buffer = vec![1; around];
            buffer.extend([0, 0, 1]);
            buffer.extend(&stream);
            buffer.extend([1, 0, 0, 1]);
            let inside = &buffer[around..around + 3 + stream.len()];
            prop_assert_eq!(fast(inside), slow_twin(inside));
            prop_assert_eq!(fast(&stream), slow_twin(&stream));
        }
    }
}
