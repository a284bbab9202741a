//! The length-delimited format (AV1 Annex B): temporal units of frame units of OBUs, each with its length in front.
//!
//! Which OBUs share a frame unit changes nothing in a sample and is not looked at.

use super::{ObuOptions, ObuReader, Place};
use crate::codec::av1::{ObuHeader, ObuKind, read_leb128};
use crate::error::{Error, ErrorKind, Result};
use crate::io::ReadAt;
use crate::scan::Count;
use crate::scan::av1::Obu;

const CLAUSE: &str = "AV1 Annex B";

/// What a length-delimited stream consisted of. The bytes add up to the length of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthDelimitedReport {
    /// OBUs, with headers and the size fields that they have.
    pub obus: Count,
    /// The lengths in front of temporal units, frame units and OBUs.
    pub lengths: Count,
    /// The incomplete last temporal unit, left out; at most one.
    pub incomplete_units: Count,
}

/// Calls `each` with every OBU of a length-delimited stream, in order. Those without a size field end where their length says.
///
/// # Errors
/// Where the source cannot be read or has changed; for a length of 0 or one that breaks AV1 4.10.5, a temporal unit that runs past
/// the end of the source, a frame unit or OBU that runs past what it is in, an `obu_size` that its length contradicts, a temporal
/// delimiter that is missing at the start of a temporal unit or stands elsewhere, all with the offset; and the error of `each`.
pub fn read_length_delimited<S, F>(
    source: &S,
    options: &ObuOptions<'_>,
    mut each: F,
) -> Result<LengthDelimitedReport>
where
    S: ReadAt + ?Sized,
    F: FnMut(Obu<'_>) -> Result<()>,
{
    let len = source.len();
    let mut reader = Reader { obus: ObuReader::new(source, options), lengths: Count::default() };
    let (mut offset, mut incomplete_units) = (0, Count::default());
    while offset < len {
        let unit = match reader.temporal_unit(offset, len)? {
            Ok(unit) => unit,
            Err(_) if options.drop_incomplete => {
                incomplete_units.add(len - offset);
                break;
            }
            Err(incomplete) => return Err(incomplete),
        };
        reader.read_unit(unit, &mut each)?;
        offset = unit.end;
    }
    reader.obus.finished(len);
    Ok(LengthDelimitedReport { obus: reader.obus.obus, lengths: reader.lengths, incomplete_units })
}

/// Bytes behind a length.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
}

struct Reader<'a, S: ?Sized> {
    obus: ObuReader<'a, S>,
    lengths: Count,
}

impl<S: ReadAt + ?Sized> Reader<'_, S> {
    /// The temporal unit at `offset`, or the error of one that is not all there.
    fn temporal_unit(&mut self, offset: u64, len: u64) -> Result<Result<Span>> {
        const ELEMENT: &str = "temporal_unit_size";
        const REMEDY: &str =
            "copy the file again, or drop the incomplete temporal unit with --drop-incomplete";
        let (size, start) = match self.length(offset, len, ELEMENT) {
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::Truncated { .. }) => {
                let what = "the stream ends within a temporal_unit_size";
                return Ok(Err(Error::malformed(what, CLAUSE, REMEDY).at(offset)));
            }
            Err(error) => return Err(error),
        };
        if size > len - start {
            let what = format!("{ELEMENT} is {size}, but only {} bytes follow", len - start);
            return Ok(Err(Error::malformed(what, CLAUSE, REMEDY).at(offset)));
        }
        self.lengths.add(start - offset);
        Ok(Ok(Span { start, end: start + size }))
    }

    /// Hands out the OBUs of a temporal unit.
    fn read_unit(&mut self, unit: Span, each: &mut impl FnMut(Obu<'_>) -> Result<()>) -> Result<()> {
        let mut at = unit.start;
        let mut first = true;
        while at < unit.end {
            let frame = self.span(at, unit.end, "frame_unit_size", "temporal unit")?;
            at = frame.start;
            while at < frame.end {
                let obu = self.span(at, frame.end, "obu_length", "frame unit")?;
                let place = self.place(obu)?;
                match (first, place.is_delimiter) {
                    (true, false) => {
                        return Err(misplaced("a temporal unit has no temporal delimiter in front", obu));
                    }
                    (false, true) => {
                        return Err(misplaced("a temporal delimiter stands within a temporal unit", obu));
                    }
                    _ => {}
                }
                first = false;
                self.obus.hand_out(obu.start, place, each)?;
                at = obu.end;
            }
        }
        Ok(())
    }

    /// What the length at `offset` is of, which must end within `limit`.
    fn span(&mut self, offset: u64, limit: u64, element: &'static str, within: &str) -> Result<Span> {
        let (size, start) = self.length(offset, limit, element)?;
        if size > limit - start {
            let what =
                format!("{element} is {size}, but only {} bytes of the {within} follow", limit - start);
            return Err(Error::malformed(what, CLAUSE, "the stream is damaged here").at(offset));
        }
        self.lengths.add(start - offset);
        Ok(Span { start, end: start + size })
    }

    /// The length at `offset`, above 0, and where it ends, which is by `limit`.
    fn length(&mut self, offset: u64, limit: u64, element: &'static str) -> Result<(u64, u64)> {
        let count = (limit - offset).min(8) as usize;
        let bytes = self.obus.window.read(offset, count)?;
        let (size, len) = read_leb128(bytes, element).map_err(|error| error.shift(offset))?;
        if size == 0 {
            return Err(Error::out_of_range(element, 0, "above 0", CLAUSE).at(offset));
        }
        Ok((size.into(), offset + u64::from(len)))
    }

    /// Reads the header of an OBU.
    fn place(&mut self, obu: Span) -> Result<Place> {
        let len = obu.end - obu.start;
        let count = len.min(ObuHeader::MAX_LEN as u64) as usize;
        let bytes = self.obus.window.read(obu.start, count)?;
        let header = ObuHeader::read(bytes).map_err(|error| error.shift(obu.start))?;
        if let (Some(size), Some(whole)) = (header.size, header.whole_len())
            && whole != len
        {
            let left = len - u64::from(header.len);
            let what = format!("obu_size is {size}, and obu_length {len} leaves {left}");
            return Err(Error::malformed(what, CLAUSE, "the stream is damaged here").at(obu.start));
        }
        Ok(Place { len, is_delimiter: header.kind == ObuKind::TemporalDelimiter })
    }
}

fn misplaced(what: &'static str, obu: Span) -> Error {
    Error::malformed(what, CLAUSE, "the stream is damaged here, or its lengths are").at(obu.start)
}

/// Asserts that the reader does not depend on the window, and that every byte is counted once and handed out in order. The first
/// two bytes choose options and the window's size.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_length_delimited(data: &[u8]) {
    use super::{check_obus, drawn_options, kept};
    let [choice, window, stream @ ..] = data else { return };
    let drop_incomplete = choice & 1 == 1;
    let [small, large] = drawn_options(*choice, *window);
    let (obus, result) = kept(|each| read_length_delimited(stream, &small, each));
    let (others, other) = kept(|each| read_length_delimited(stream, &large, each));
    assert_eq!((&obus, &result), (&others, &other));
    check_obus(stream, &obus);
    if let Ok(report) = result {
        assert_eq!(report.obus.units, obus.len() as u64);
        let bytes = report.obus.bytes + report.lengths.bytes + report.incomplete_units.bytes;
        assert_eq!(bytes, stream.len() as u64);
        assert!(drop_incomplete || report.incomplete_units == Count::default());
        assert!(obus.first().is_none_or(|obu| obu.2[0] >> 3 & 15 == 2), "the first is a delimiter");
        check_samples(stream, drop_incomplete);
    }
}

/// The low-overhead stream of the same OBUs, sizes written where they were not, has the same samples, or none.
#[cfg(any(test, fuzzing))]
fn check_samples(stream: &[u8], drop_incomplete: bool) {
    use crate::codec::av1::SizedHeader;
    let options = ObuOptions { drop_incomplete, ..ObuOptions::default() };
    let mut low_overhead = Vec::new();
    let samples = samples_of(stream, |each| {
        let convert = |obu: Obu<'_>| {
            let header = ObuHeader::read(obu.head)?;
            match (header.size, SizedHeader::new(obu.head)) {
                (None, Some(sized)) => {
                    let payload = &obu.head[usize::from(header.len)..];
                    sized.write(payload.len() as u32, &mut low_overhead);
                    low_overhead.extend_from_slice(payload);
                }
                _ => low_overhead.extend_from_slice(obu.head),
            }
            each(obu)
        };
        read_length_delimited(stream, &options, convert).map(|_| ())
    });
    if let Ok(samples) = samples {
        let others =
            samples_of(&low_overhead, |each| super::read_obus(&low_overhead[..], &options, each).map(|_| ()));
        assert_eq!(Ok(samples), others.map_err(|error| error.to_string()));
    }
}

/// The bytes and facts of each sample of a stream that `read` reads.
#[cfg(any(test, fuzzing))]
fn samples_of(
    stream: &[u8],
    read: impl FnOnce(&mut dyn FnMut(Obu<'_>) -> Result<()>) -> Result<()>,
) -> Result<Vec<(Vec<u8>, bool, bool)>> {
    use crate::scan::av1::{TemporalUnit, TemporalUnitBuilder, TemporalUnitOptions};
    let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions { drop_leading: true });
    let mut samples = Vec::new();
    let mut take = |unit: Option<TemporalUnit<'_>>| {
        let Some(unit) = unit else { return };
        let mut bytes = Vec::new();
        for obu in unit.units {
            if let Some(header) = obu.header {
                header.write(obu.range.len, &mut bytes);
            }
            bytes.extend_from_slice(&stream[obu.range.offset as usize..][..obu.range.len as usize]);
        }
        assert_eq!(bytes.len() as u64, unit.units.iter().map(|obu| obu.stored_len()).sum::<u64>());
        samples.push((bytes, unit.sync, unit.reference));
    };
    read(&mut |obu| {
        take(builder.push(obu)?);
        Ok(())
    })?;
    take(builder.finish()?);
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::super::{KeptObu, kept, read_obus};
    use super::*;
    use crate::codec::av1::testing::{
        DELIMITER, Frame, Sequence, length_delimited, show_existing, without_size,
    };
    use proptest::prelude::*;

    const STRICT: ObuOptions<'_> =
        ObuOptions { drop_incomplete: false, head_size: 64 << 10, window_size: 1 << 20, progress: None };

    /// Two temporal units, of a key frame, and of a hidden frame and one that is shown.
    fn units() -> Vec<Vec<Vec<u8>>> {
        let key = [DELIMITER.to_vec(), Sequence::default().obu(), Frame::key().obu()];
        let shown = [DELIMITER.to_vec(), Frame::inter(4).hidden().obu(), show_existing(2)];
        vec![key.to_vec(), shown.to_vec()]
    }

    fn bytes_of(obus: &[KeptObu]) -> Vec<Vec<u8>> {
        obus.iter().map(|obu| obu.2.clone()).collect()
    }

    #[test]
    fn obus_are_those_of_the_low_overhead_stream() {
        let (obus, report) = kept(|each| read_obus(&units().concat().concat()[..], &STRICT, each));
        assert_eq!(report.unwrap().obus.units, 6);
        let obus = bytes_of(&obus);
        let stream = length_delimited(&units(), true);
        let (found, report) = kept(|each| read_length_delimited(&stream[..], &STRICT, each));
        assert_eq!(bytes_of(&found), obus);
        // Two temporal units, three frame units, six OBUs, with lengths of a byte each.
        let (report, all) = (report.unwrap(), Count { units: 6, bytes: obus.concat().len() as u64 });
        assert_eq!((report.lengths, report.obus), (Count { units: 11, bytes: 11 }, all));

        let stream = length_delimited(&units(), false);
        let (found, report) = kept(|each| read_length_delimited(&stream[..], &STRICT, each));
        report.unwrap();
        assert_eq!(bytes_of(&found), obus.iter().map(|obu| without_size(obu)).collect::<Vec<_>>());
    }

    #[test]
    fn lengths_may_take_more_bytes_than_they_need() {
        let stream = [0x87, 0x80, 0, 0x85, 0, 0x82, 0x80, 0, 0x12, 0];
        let (found, report) = kept(|each| read_length_delimited(&stream[..], &STRICT, each));
        assert_eq!((found.len(), report.unwrap().lengths), (1, Count { units: 3, bytes: 8 }));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        for (stream, offset, part) in [
            (&[0][..], 0, "temporal_unit_size is 0, must be above 0"),
            (
                &[5, 4, 1, 0x10, 1],
                0,
                "temporal_unit_size is 5, but only 4 bytes follow (AV1 Annex B); copy the file",
            ),
            (&[0x80], 0, "the stream ends within a temporal_unit_size"),
            (&[3, 3, 1, 0x10], 1, "frame_unit_size is 3, but only 2 bytes of the temporal unit follow"),
            (&[3, 0, 1, 0x10], 1, "frame_unit_size is 0"),
            (&[3, 2, 2, 0x10], 2, "obu_length is 2, but only 1 bytes of the frame unit follow"),
            (&[4, 3, 0, 1, 0x10], 2, "obu_length is 0"),
            (&[1, 0x80, 0x10], 2, "frame_unit_size runs past"),
            (&[3, 2, 1, 0x0a], 4, "obu_size runs past"),
            (&[4, 3, 2, 0x12, 1], 3, "obu_size is 1, and obu_length 2 leaves 0"),
            (&[3, 2, 1, 0x18], 3, "a temporal unit has no temporal delimiter in front"),
            (&[5, 4, 1, 0x10, 1, 0x10], 5, "a temporal delimiter stands within a temporal unit"),
            (&[3, 2, 1, 0x90], 3, "obu_forbidden_bit is 1"),
        ] {
            let error = read_length_delimited(stream, &STRICT, |_| Ok(())).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.offset(), Some(offset), "{error}");
        }
    }

    #[test]
    fn an_incomplete_unit_is_dropped_and_counted_when_asked() {
        let drop = ObuOptions { drop_incomplete: true, ..STRICT };
        let stream = length_delimited(&units(), false);
        let first = length_delimited(&units()[..1], false).len();
        for len in first + 1..stream.len() {
            assert!(read_length_delimited(&stream[..len], &STRICT, |_| Ok(())).is_err());
            let (obus, report) = kept(|each| read_length_delimited(&stream[..len], &drop, each));
            let left_out = Count { units: 1, bytes: (len - first) as u64 };
            assert_eq!((obus.len(), report.unwrap().incomplete_units), (3, left_out));
        }
    }

    proptest! {
        #[test]
        fn obus_do_not_depend_on_windows(
            choice: u8, window: u8, with_sizes: bool, repeat in 1_usize..12, cut in 0_usize..40, at: u16, damage: u8,
        ) {
            let stream = length_delimited(&vec![units(); repeat].concat(), with_sizes);
            let mut data = [vec![choice, window], stream].concat();
            fuzz_length_delimited(&data);
            data.truncate(data.len().saturating_sub(cut).max(2));
            fuzz_length_delimited(&data);
            let at = usize::from(at) % data.len();
            data[at] ^= damage;
            fuzz_length_delimited(&data);
        }
    }
}
