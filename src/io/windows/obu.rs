//! Drives the readers of AV1 over a source of any length in bounded memory: OBU after OBU, of each the first bytes alone,
//! never a whole temporal unit.
//!
//! [`read_obus`] walks a low-overhead stream, [`read_length_delimited`] one of Annex B, [`read_ivf`] the frames of an IVF file and
//! the OBUs within each. What makes a temporal unit is said by temporal delimiters, in all; IVF adds timestamps. The result
//! does not depend on windows.

mod length_delimited;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use length_delimited::fuzz_length_delimited;
pub use length_delimited::{LengthDelimitedReport, read_length_delimited};

use std::fmt;
use std::ops::Range;

use super::{HEAD_SIZE, ReadAt, SlidingWindow};
use crate::codec::av1::{ObuHeader, ObuKind, without_size};
use crate::error::{Error, ErrorKind, Result};
use crate::scan::Count;
use crate::scan::av1::Obu;
use crate::scan::ivf::{self, CadenceWatch, IvfHeader, IvfReport, Unreadable};

/// What [`read_obus`], [`read_length_delimited`] and [`read_ivf`] may do.
#[derive(Clone, Copy)]
pub struct ObuOptions<'a> {
    /// Leave out and count a last IVF frame or temporal unit that is not all there, instead of refusing the stream.
    pub drop_incomplete: bool,
    /// Most bytes of [`Obu::head`], at least 32 (less is taken as 32).
    pub head_size: usize,
    /// Bytes read at once, at least `head_size` (less is taken as that).
    pub window_size: usize,
    /// Called with the number of bytes just finished. The calls add up to the length of the source.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl Default for ObuOptions<'_> {
    /// An incomplete end is an error; heads of 64 KiB, windows of 1 MiB.
    fn default() -> Self {
        Self { drop_incomplete: false, head_size: HEAD_SIZE, window_size: 1 << 20, progress: None }
    }
}

impl fmt::Debug for ObuOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObuOptions")
            .field("drop_incomplete", &self.drop_incomplete)
            .field("head_size", &self.head_size)
            .field("window_size", &self.window_size)
            .field("progress", &self.progress.map(|_| ".."))
            .finish()
    }
}

/// What a low-overhead stream consisted of. Both add up to the length of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObuReport {
    /// OBUs, with headers and size fields.
    pub obus: Count,
    /// The incomplete last temporal unit, left out; at most one.
    pub incomplete_units: Count,
}

/// Calls `each` with every OBU of a low-overhead stream (AV1 5.2), in order.
///
/// # Errors
/// Where the source cannot be read or has changed; for an OBU without a size field, one that breaks a rule in its header
/// and one that runs past the end of the source, with the offset; and the error of `each`.
pub fn read_obus<S, F>(source: &S, options: &ObuOptions<'_>, mut each: F) -> Result<ObuReport>
where
    S: ReadAt + ?Sized,
    F: FnMut(Obu<'_>) -> Result<()>,
{
    let mut reader = ObuReader::new(source, options);
    let len = source.len();
    let end = if options.drop_incomplete { end_of_whole_units(source)? } else { len };
    reader.read(0..end, End::Source, |obu, _| each(obu))?;
    reader.finished(len);
    let mut incomplete_units = Count::default();
    if end < len {
        incomplete_units.add(len - end);
    }
    Ok(ObuReport { obus: reader.obus, incomplete_units })
}

/// Calls `each` with every OBU of the AV1 in an IVF file, in order. The last of an IVF frame may lack the size field: it ends
/// with the frame. An IVF frame without a temporal delimiter continues the temporal unit of the one before.
///
/// # Errors
/// Those of [`read_obus`]; what [`ivf`] refuses; an OBU that runs past the end of its IVF frame; and an IVF frame that
/// continues a temporal unit with another timestamp.
pub fn read_ivf<S, F>(source: &S, options: &ObuOptions<'_>, mut each: F) -> Result<IvfReport>
where
    S: ReadAt + ?Sized,
    F: FnMut(Obu<'_>) -> Result<()>,
{
    let mut reader = ObuReader::new(source, options);
    let len = source.len();
    let header = IvfHeader::read(reader.window.read(0, ivf::HEADER_LEN)?)?;
    let (mut frames, mut incomplete_frames) = (Count::default(), Count::default());
    let mut watch = CadenceWatch::default();
    // Timestamp of the temporal unit, and where it begins.
    let mut unit = None;
    let mut offset = ivf::HEADER_LEN as u64;
    while offset < len {
        let frame = match ivf::read_frame(offset, len, reader.window.read(offset, ivf::FRAME_HEADER_LEN)?) {
            Ok(frame) => frame,
            Err(Unreadable::Incomplete(_)) if options.drop_incomplete => {
                incomplete_frames.add(len - offset);
                break;
            }
            Err(Unreadable::Incomplete(error) | Unreadable::Broken(error)) => return Err(error),
        };
        let payload = frame.payload;
        reader.read(payload.offset..payload.end(), End::IvfFrame, |obu, is_delimiter| {
            // The first unit begins without a delimiter, if need be.
            if is_delimiter || unit.is_none() {
                watch.push(frame.timestamp, obu.offset);
                unit = Some((frame.timestamp, obu.offset));
            } else if let Some((timestamp, start)) = unit.filter(|unit| unit.0 != frame.timestamp) {
                return Err(two_timestamps(timestamp, start, frame.timestamp).at(obu.offset));
            }
            each(obu)
        })?;
        frames.add(u64::from(payload.len));
        offset = payload.end();
    }
    reader.finished(len);
    Ok(IvfReport { header, frames, incomplete_frames, cadence: watch.cadence() })
}

fn two_timestamps(timestamp: i64, start: u64, other: i64) -> Error {
    Error::malformed(
        format!(
            "the IVF frame with the timestamp {other} continues the temporal unit at {start:#x}, whose timestamp is {timestamp}"
        ),
        "IVF frame header",
        "write the file again with a temporal delimiter at the start of every frame, as encoders do",
    )
}

/// Where the last temporal unit that is all there ends: the end of the source, or the last temporal delimiter in front of
/// an OBU that runs past it. What else is wrong is left to the reading that follows.
fn end_of_whole_units<S: ReadAt + ?Sized>(source: &S) -> Result<u64> {
    // Headers are all that is looked at.
    let options = ObuOptions { window_size: 4 << 10, head_size: 0, ..ObuOptions::default() };
    let mut reader = ObuReader::new(source, &options);
    let (len, mut offset, mut last_delimiter) = (source.len(), 0, 0);
    while offset < len {
        match reader.place(offset, len, End::Source) {
            Ok(place) => {
                if place.is_delimiter {
                    last_delimiter = offset;
                }
                offset += place.len;
            }
            Err(Unread::Incomplete(_)) => return Ok(last_delimiter),
            Err(Unread::Failed(_)) => break,
        }
    }
    Ok(len)
}

/// What an OBU must not run past.
#[derive(Clone, Copy)]
enum End {
    Source,
    IvfFrame,
}

impl End {
    /// The error of the OBU at `offset` that ends beyond.
    fn passed(self, what: String, offset: u64) -> Error {
        let (what, remedy) = match self {
            Self::Source => {
                (what, "copy the file again, or drop the incomplete temporal unit with --drop-incomplete")
            }
            Self::IvfFrame => {
                (what + " in its IVF frame", "the file is damaged there: encode or extract it again")
            }
        };
        Error::malformed(what, "AV1 5.3.1", remedy).at(offset)
    }
}

/// Why there is no OBU.
enum Unread {
    /// It ends beyond the range: the error to give where it may not be dropped.
    Incomplete(Error),
    /// Everything else.
    Failed(Error),
}

/// Where an OBU lies, and whether it is a temporal delimiter.
#[derive(Clone, Copy)]
struct Place {
    len: u64,
    is_delimiter: bool,
}

struct ObuReader<'a, S: ?Sized> {
    window: SlidingWindow<'a, S>,
    head_size: usize,
    progress: Option<&'a (dyn Fn(u64) + Sync)>,
    /// Up to where progress was told.
    told: u64,
    obus: Count,
}

impl<'a, S: ReadAt + ?Sized> ObuReader<'a, S> {
    fn new(source: &'a S, options: &ObuOptions<'a>) -> Self {
        let head_size = options.head_size.max(ivf::HEADER_LEN);
        let window = SlidingWindow::new(source, source.len(), options.window_size.max(head_size));
        Self { window, head_size, progress: options.progress, told: 0, obus: Count::default() }
    }

    /// Hands out the OBUs that fill `range`, and which of them are temporal delimiters.
    fn read(
        &mut self,
        range: Range<u64>,
        end: End,
        mut each: impl FnMut(Obu<'_>, bool) -> Result<()>,
    ) -> Result<()> {
        let mut offset = range.start;
        while offset < range.end {
            let place = self.place(offset, range.end, end).map_err(|unread| match unread {
                Unread::Incomplete(error) | Unread::Failed(error) => error,
            })?;
            self.hand_out(offset, place, &mut |obu| each(obu, place.is_delimiter))?;
            offset += place.len;
        }
        Ok(())
    }

    /// Hands out the OBU at `offset`.
    fn hand_out(
        &mut self,
        offset: u64,
        place: Place,
        each: &mut impl FnMut(Obu<'_>) -> Result<()>,
    ) -> Result<()> {
        let count = usize::try_from(place.len).map_or(self.head_size, |len| len.min(self.head_size));
        let head = self.window.read(offset, count)?;
        each(Obu { offset, len: place.len, head })?;
        self.obus.add(place.len);
        let end = offset + place.len;
        if end - self.told >= 1 << 20 {
            self.finished(end);
        }
        Ok(())
    }

    /// Reads the header and the size of the OBU at `offset`, which is to end by `limit`.
    fn place(&mut self, offset: u64, limit: u64, end: End) -> Result<Place, Unread> {
        let left = limit - offset;
        let count = usize::try_from(left).map_or(ObuHeader::MAX_LEN, |left| left.min(ObuHeader::MAX_LEN));
        let bytes = self.window.read(offset, count).map_err(Unread::Failed)?;
        let header = ObuHeader::read(bytes).map_err(|error| match error.kind() {
            ErrorKind::Truncated { .. } => {
                Unread::Incomplete(end.passed(format!("an OBU has only {left} bytes of its header"), offset))
            }
            _ => Unread::Failed(error.shift(offset)),
        })?;
        let len = match (header.whole_len(), end) {
            (Some(len), _) => len,
            (None, End::IvfFrame) => left,
            (None, End::Source) => return Err(Unread::Failed(without_size().at(offset))),
        };
        if len > left {
            let (size, there) = (len - u64::from(header.len), left - u64::from(header.len));
            let what = format!("obu_size is {size}, but only {there} bytes follow");
            return Err(Unread::Incomplete(end.passed(what, offset)));
        }
        Ok(Place { len, is_delimiter: header.kind == ObuKind::TemporalDelimiter })
    }

    fn finished(&mut self, offset: u64) {
        if let Some(progress) = self.progress {
            progress(offset - self.told);
        }
        self.told = offset;
    }
}

/// Asserts that neither reader depends on the window, and that every byte is counted once and handed out in order. The first
/// two bytes choose options and the window's size; the rest is read as IVF where it begins so, and as OBUs.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_ivf(data: &[u8]) {
    let [choice, window, stream @ ..] = data else { return };
    let drop_incomplete = choice & 1 == 1;
    let [small, large] = drawn_options(*choice, *window);

    let (obus, result) = kept(|each| read_obus(stream, &small, each));
    let (others, other) = kept(|each| read_obus(stream, &large, each));
    assert_eq!((&obus, &result), (&others, &other));
    check_obus(stream, &obus);
    if let Ok(report) = result {
        assert_eq!(report.obus.units, obus.len() as u64);
        assert_eq!(report.obus.bytes + report.incomplete_units.bytes, stream.len() as u64);
        assert!(drop_incomplete || report.incomplete_units == Count::default());
    }

    let (obus, result) = kept(|each| read_ivf(stream, &small, each));
    let (others, other) = kept(|each| read_ivf(stream, &large, each));
    assert_eq!((&obus, &result), (&others, &other));
    check_obus(stream, &obus);
    if let Ok(report) = result {
        let payload: u64 = obus.iter().map(|(_, len, _)| *len).sum();
        assert_eq!(payload, report.frames.bytes);
        let framing = ivf::HEADER_LEN as u64 + report.frames.units * ivf::FRAME_HEADER_LEN as u64;
        assert_eq!(framing + report.frames.bytes + report.incomplete_frames.bytes, stream.len() as u64);
    }
}

/// An OBU as a driver hands it out, kept.
#[cfg(any(test, fuzzing))]
type KeptObu = (u64, u64, Vec<u8>);

#[cfg(any(test, fuzzing))]
fn kept<R>(
    read: impl FnOnce(&mut dyn FnMut(Obu<'_>) -> Result<()>) -> Result<R>,
) -> (Vec<KeptObu>, std::result::Result<R, String>) {
    let mut obus = Vec::new();
    let result = read(&mut |obu| {
        obus.push((obu.offset, obu.len, obu.head.to_vec()));
        Ok(())
    });
    (obus, result.map_err(|error| error.to_string()))
}

/// Options by a byte, with a window of so many bytes and with a large one.
#[cfg(any(test, fuzzing))]
fn drawn_options(choice: u8, window: u8) -> [ObuOptions<'static>; 2] {
    [usize::from(window), 1 << 20].map(|window_size| ObuOptions {
        drop_incomplete: choice & 1 == 1,
        head_size: usize::from(choice >> 1),
        window_size,
        progress: None,
    })
}

/// Each begins behind the one before, with its own bytes.
#[cfg(any(test, fuzzing))]
fn check_obus(stream: &[u8], obus: &[KeptObu]) {
    let mut end = 0;
    for (offset, len, head) in obus {
        assert!(*offset >= end && !head.is_empty() && head.len() as u64 <= *len);
        assert_eq!(&stream[*offset as usize..][..head.len()], head);
        end = offset + len;
    }
    assert!(end <= stream.len() as u64);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;

    use super::super::tests::Counting;
    use super::*;
    use crate::scan::ivf::Cadence;

    /// An OBU with this type and so many bytes of payload.
    fn obu(kind: u8, len: usize) -> Vec<u8> {
        assert!(len < 1 << 14, "a size of two bytes");
        let mut obu = vec![kind << 3 | 2, len as u8 | 0x80, (len >> 7) as u8];
        obu.extend((0..len).map(|i| i as u8));
        obu
    }

    const DELIMITER: [u8; 2] = [0x12, 0];

    /// A temporal unit: delimiter, and a frame of so many bytes.
    fn unit(len: usize) -> Vec<u8> {
        [&DELIMITER[..], &obu(6, len)].concat()
    }

    fn ivf(frames: &[(i64, Vec<u8>)]) -> Vec<u8> {
        let mut file = b"DKIF\0\0\x20\0AV01\x40\0\x30\0\x19\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        for (timestamp, payload) in frames {
            file.extend((payload.len() as u32).to_le_bytes());
            file.extend(timestamp.to_le_bytes());
            file.extend(payload);
        }
        file
    }

    const STRICT: ObuOptions<'_> =
        ObuOptions { drop_incomplete: false, head_size: 64 << 10, window_size: 1 << 20, progress: None };

    /// Places of the OBUs.
    fn places(obus: &[KeptObu]) -> Vec<(u64, u64)> {
        obus.iter().map(|(offset, len, _)| (*offset, *len)).collect()
    }

    #[test]
    fn obus_of_a_stream_and_of_ivf_frames_are_the_same() {
        let units = [unit(5), unit(300), unit(1)];
        let stream = units.concat();
        let (obus, report) = kept(|each| read_obus(&stream[..], &STRICT, each));
        assert_eq!(places(&obus), [(0, 2), (2, 8), (10, 2), (12, 303), (315, 2), (317, 4)]);
        assert_eq!(report.unwrap().obus, Count { units: 6, bytes: 321 });

        let file = ivf(&[(0, units[0].clone()), (2, units[1].clone()), (4, units[2].clone())]);
        let (in_ivf, report) = kept(|each| read_ivf(&file[..], &STRICT, each));
        assert_eq!(places(&in_ivf)[..3], [(44, 2), (46, 8), (66, 2)]);
        let bytes = |obus: &[KeptObu]| obus.iter().map(|obu| obu.2.clone()).collect::<Vec<_>>();
        assert_eq!(bytes(&in_ivf), bytes(&obus));
        let report = report.unwrap();
        assert_eq!((report.frames, report.cadence), (Count { units: 3, bytes: 321 }, Cadence::Constant(2)));
        assert_eq!((report.header.rate, report.header.scale), (25, 1));
    }

    #[test]
    fn heads_are_whole_or_as_long_as_asked_and_no_more_is_read() {
        let source = Counting([unit(9000), unit(20)].concat(), AtomicU64::new(0));
        let told = AtomicU64::new(0);
        let progress = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        let options = ObuOptions { head_size: 64, window_size: 64, progress: Some(&progress), ..STRICT };
        let (obus, report) = kept(|each| read_obus(&source, &options, each));
        report.unwrap();
        let heads: Vec<_> = obus.iter().map(|obu| obu.2.len()).collect();
        assert_eq!(heads, [2, 64, 2, 23]);
        assert!(source.1.into_inner() < 300, "payload is left alone");
        assert_eq!(told.into_inner(), source.0.len() as u64);
    }

    #[test]
    fn obus_that_are_not_all_there_are_refused_with_their_place() {
        let whole = unit(300);
        let too_long = [&DELIMITER[..], &[0x32, 0x80, 0x80, 0x80, 0x80, 0x10]].concat();
        for (stream, offset, part) in [
            (&whole[..304], 2, "obu_size is 300, but only 299 bytes follow (AV1 5.3.1); copy the file again"),
            (&whole[..4], 2, "an OBU has only 2 bytes of its header"),
            (&[0x12, 0, 0x30, 1], 2, "no size field"),
            (&[0x12, 0, 0xb2, 1, 0], 2, "obu_forbidden_bit is 1"),
            (&too_long, 3, "obu_size is 4294967296"),
        ] {
            let error = read_obus(stream, &STRICT, |_| Ok(())).unwrap_err();
            assert_eq!(error.offset(), Some(offset), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
        // The same within a frame of IVF, whatever stands behind the frame.
        let file = ivf(&[(0, whole[..304].to_vec()), (1, unit(300))]);
        let error = read_ivf(&file[..], &STRICT, |_| Ok(())).unwrap_err();
        assert_eq!(error.offset(), Some(46));
        assert!(error.to_string().contains("only 299 bytes follow in its IVF frame"), "{error}");
    }

    #[test]
    fn an_incomplete_end_is_dropped_and_counted_when_asked() {
        let drop = ObuOptions { drop_incomplete: true, ..STRICT };
        // The whole temporal unit goes, with the OBUs in front of the one that is cut off.
        let stream = [unit(5), DELIMITER.to_vec(), obu(5, 4), obu(6, 50)].concat();
        for cut in [1, 50, 51, 52] {
            let cut = &stream[..stream.len() - cut];
            assert!(read_obus(cut, &STRICT, |_| Ok(())).is_err());
            let (obus, report) = kept(|each| read_obus(cut, &drop, each));
            assert_eq!(places(&obus), [(0, 2), (2, 8)]);
            let left_out = Count { units: 1, bytes: cut.len() as u64 - 10 };
            assert_eq!(
                report.unwrap(),
                ObuReport { obus: Count { units: 2, bytes: 10 }, incomplete_units: left_out }
            );
        }
        let file = ivf(&[(0, unit(5)), (1, unit(50))]);
        for (len, left_out) in [(file.len() - 1, 66), (62, 8), (60, 6)] {
            let cut = &file[..len];
            assert!(read_ivf(cut, &STRICT, |_| Ok(())).is_err());
            let (obus, report) = kept(|each| read_ivf(cut, &drop, each));
            assert_eq!(places(&obus), [(44, 2), (46, 8)]);
            assert_eq!(report.unwrap().incomplete_frames, Count { units: 1, bytes: left_out });
        }
    }

    #[test]
    fn ivf_frames_of_one_temporal_unit_have_one_timestamp() {
        let parts = [(7, unit(5)), (7, obu(6, 4)), (8, unit(3))];
        let report = read_ivf(&ivf(&parts)[..], &STRICT, |_| Ok(())).unwrap();
        assert_eq!((report.frames.units, report.cadence), (3, Cadence::Constant(1)));
        let parts = [(7, unit(5)), (8, obu(6, 4))];
        let error = read_ivf(&ivf(&parts)[..], &STRICT, |_| Ok(())).unwrap_err();
        assert_eq!(error.offset(), Some(66));
        assert!(error.to_string().contains("timestamp 8 continues the temporal unit at 0x2c"), "{error}");
    }

    #[test]
    fn a_source_that_shrinks_is_an_error_and_the_callers_error_ends_the_reading() {
        struct Shrunk(Vec<u8>);
        impl ReadAt for Shrunk {
            fn len(&self) -> u64 {
                self.0.len() as u64 + 1
            }
            fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
                self.0.read_at(offset, buffer)
            }
        }
        let error = read_obus(&Shrunk(unit(5)), &STRICT, |_| Ok(())).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
        let error = read_ivf(&Shrunk(ivf(&[])), &STRICT, |_| Ok(())).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
        let stop = |obu: Obu<'_>| Err(Error::unsupported("it", "stop").at(obu.offset));
        assert_eq!(read_obus(&unit(5)[..], &STRICT, stop).unwrap_err().offset(), Some(0));
    }

    proptest! {
        #[test]
        fn obus_do_not_depend_on_windows(
            choice: u8,
            window: u8,
            units in prop::collection::vec((0u8..200, 0i64..3, any::<bool>()), 1..20),
            cut in 0usize..60,
            damage: u8,
        ) {
            let frames = units.iter().map(|&(len, timestamp, whole)| {
                (timestamp, if whole { unit(len.into()) } else { obu(6, len.into()) })
            });
            let frames: Vec<_> = frames.collect();
            let stream = frames.iter().flat_map(|frame| frame.1.clone()).collect::<Vec<_>>();
            for stream in [stream, ivf(&frames)] {
                let mut data = [vec![choice, window], stream].concat();
                data.truncate(data.len().saturating_sub(cut).max(2));
                fuzz_ivf(&data);
                // Damage in the middle: refused or read, but never a panic, and the same for every window.
                let middle = data.len() / 2;
                data[middle] ^= damage;
                fuzz_ivf(&data);
                let _ = crate::scan::detect(&data[2..]);
            }
        }
    }
}
