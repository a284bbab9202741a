//! The index of a file ► the byte ranges and times of its subsegments (`sidx`, ISO/IEC 14496-12 8.16.3), and where the init
//! part of a file without one ends (4.2).

use crate::boxes::FourCc;
use crate::boxes::reader::Boxes;
use crate::error::Result;
use crate::io::ReadAt;

const CLAUSE: &str = "ISO/IEC 14496-12 8.16.3";

/// A box header, a full box header, the fixed fields of version 1 and 65,535 references.
const MAX_SIDX: u64 = 16 + 4 + 28 + 12 * 65_535;
/// How deep an index of indexes may go.
const MAX_DEPTH: usize = 4;
/// How many boxes are passed over to find a `moov`.
const MAX_BOXES: usize = 64;

/// One subsegment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subsegment {
    /// Bytes in the file, the end behind them.
    pub range: (u64, u64),
    /// Earliest presentation time in ticks.
    pub start: u64,
    /// `subsegment_duration` in ticks.
    pub duration: u64,
    /// Ticks per second, not 0.
    pub timescale: u64,
}

/// Why there is no index.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// There is none in the range that the MPD gives; what is there.
    Missing(String),
    /// It breaks its rules, at a byte of the file.
    Malformed(u64, String),
    /// There would be too many subsegments.
    TooMany,
}

/// The subsegments of the index in bytes `range` of a file, in order. `take` is asked whether so many more may be read.
pub(super) fn read(
    source: &dyn ReadAt,
    range: (u64, u64),
    take: &mut dyn FnMut(u64) -> bool,
) -> Result<Vec<Subsegment>, Broken> {
    let (mut at, end) = range;
    if end > source.len() {
        return Err(Broken::Missing(format!("the file has {} bytes", source.len())));
    }
    for _ in 0..MAX_BOXES {
        let Some((kind, size)) = header_at(source, at)? else { break };
        if kind.0 == *b"sidx" {
            if at.checked_add(size).is_none_or(|sidx_end| sidx_end > end) {
                return Err(Broken::Missing(format!(
                    "'sidx' at {at} has {size} bytes and goes on behind it"
                )));
            }
            let mut found = Vec::new();
            append(source, at, 0, take, &mut found)?;
            return Ok(found);
        }
        if at == range.0 && size >= end - at {
            return Err(Broken::Missing(format!("'{kind}' is there")));
        }
        match at.checked_add(size) {
            Some(next) if next < end => at = next,
            _ => break,
        }
    }
    Err(Broken::Missing("no 'sidx' is there".to_owned()))
}

/// Type and size of the box at `at`; `None` where the file ends or no box can be. A size of 0 goes on to the end.
fn header_at(source: &dyn ReadAt, at: u64) -> Result<Option<(FourCc, u64)>, Broken> {
    let left = source.len().saturating_sub(at);
    if left < 8 {
        return Ok(None);
    }
    let mut header = [0; 16];
    let len = left.min(16) as usize;
    source
        .read_at(at, &mut header[..len])
        .map_err(|error| Broken::Malformed(at, error.kind().to_string()))?;
    let [s0, s1, s2, s3, k0, k1, k2, k3, large @ ..] = header;
    let size = match u32::from_be_bytes([s0, s1, s2, s3]) {
        0 => left,
        1 if len == 16 => u64::from_be_bytes(large),
        size => u64::from(size),
    };
    Ok((size >= 8).then_some((FourCc([k0, k1, k2, k3]), size)))
}

/// Appends what the `sidx` at `at` refers to, and what those refer to that it refers to.
fn append(
    source: &dyn ReadAt,
    at: u64,
    depth: usize,
    take: &mut dyn FnMut(u64) -> bool,
    found: &mut Vec<Subsegment>,
) -> Result<(), Broken> {
    let malformed = |message: String| Broken::Malformed(at, message);
    let (sidx, end) = read_box(source, at, take)?;
    let mut start = sidx.earliest_presentation_time;
    let mut position = end.checked_add(sidx.first_offset);
    for Reference { is_index, size, duration } in sidx.references {
        let begin = position.ok_or_else(|| malformed("references go beyond 64 bits".to_owned()))?;
        let end = begin.checked_add(size).filter(|&end| end <= source.len()).ok_or_else(|| {
            let (end, len) = (begin.saturating_add(size), source.len());
            malformed(format!("it refers to bytes {begin} to {end}, the file has {len}"))
        })?;
        if size == 0 {
            return Err(malformed("a referenced_size is 0".to_owned()));
        }
        if is_index && depth + 1 >= MAX_DEPTH {
            return Err(malformed(format!("it refers to indexes more than {MAX_DEPTH} deep")));
        }
        if is_index {
            append(source, begin, depth + 1, take, found)?;
        } else {
            found.push(Subsegment { range: (begin, end), start, duration, timescale: sidx.timescale });
        }
        start = start.checked_add(duration).ok_or_else(|| malformed("times go beyond 64 bits".to_owned()))?;
        position = Some(end);
    }
    Ok(())
}

/// A `sidx`.
struct Sidx {
    timescale: u64,
    earliest_presentation_time: u64,
    first_offset: u64,
    references: Vec<Reference>,
}

/// One of its references.
struct Reference {
    /// `reference_type`: to another `sidx`, not to media.
    is_index: bool,
    /// `referenced_size`.
    size: u64,
    /// `subsegment_duration` in ticks.
    duration: u64,
}

/// The `sidx` at `at`, and where it ends.
fn read_box(source: &dyn ReadAt, at: u64, take: &mut dyn FnMut(u64) -> bool) -> Result<(Sidx, u64), Broken> {
    let malformed = |message: String| Broken::Malformed(at, message);
    let (kind, size) = header_at(source, at)?
        .ok_or_else(|| malformed("an index is referred to, no box is there".to_owned()))?;
    if kind.0 != *b"sidx" {
        return Err(malformed(format!("an index is referred to, '{kind}' is there")));
    }
    let end = at.checked_add(size).filter(|&end| size <= MAX_SIDX && end <= source.len());
    let end = end.ok_or_else(|| malformed(format!("'sidx' has size {size}")))?;
    if !take(1 + size / 12) {
        return Err(Broken::TooMany);
    }
    let mut bytes = vec![0; size as usize];
    source.read_at(at, &mut bytes).map_err(|error| malformed(error.kind().to_string()))?;
    let sidx = fields(&bytes).map_err(|error| malformed(error.kind().to_string()))?;
    if sidx.timescale == 0 {
        return Err(malformed("timescale is 0".to_owned()));
    }
    if sidx.references.is_empty() {
        return Err(malformed("reference_count is 0".to_owned()));
    }
    Ok((sidx, end))
}

fn fields(bytes: &[u8]) -> Result<Sidx> {
    let sidx = Boxes::of_file(bytes).one(b"sidx", CLAUSE)?;
    let (version, mut body) = sidx.full(1, CLAUSE)?;
    body.u32("reference_ID")?;
    let timescale = u64::from(body.u32("timescale")?);
    let (earliest_presentation_time, first_offset) = if version == 0 {
        (u64::from(body.u32("earliest_presentation_time")?), u64::from(body.u32("first_offset")?))
    } else {
        (body.u64("earliest_presentation_time")?, body.u64("first_offset")?)
    };
    body.u16("reserved")?;
    let mut references = Vec::new();
    for _ in 0..body.u16("reference_count")? {
        let size = body.u32("referenced_size")?;
        let duration = u64::from(body.u32("subsegment_duration")?);
        body.u32("SAP")?;
        references.push(Reference {
            is_index: size >> 31 == 1,
            size: u64::from(size & 0x7fff_ffff),
            duration,
        });
    }
    Ok(Sidx { timescale, earliest_presentation_time, first_offset, references })
}

/// Where the `moov` of a file ends; `None` if there is none among the first boxes.
pub(super) fn init_end(source: &dyn ReadAt) -> Option<u64> {
    let mut at = 0u64;
    for _ in 0..MAX_BOXES {
        let (kind, size) = header_at(source, at).ok()??;
        at = at.checked_add(size).filter(|&end| end <= source.len())?;
        match &kind.0 {
            b"moov" => return Some(at),
            b"moof" | b"mdat" => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A `sidx` of version 0 or 1 with references of (is an index, bytes, ticks).
    pub fn sidx(version: u8, start: u64, first: u64, references: &[(bool, u32, u32)]) -> Vec<u8> {
        let mut body = b"sidx".to_vec();
        body.extend([version, 0, 0, 0, 0, 0, 0, 1]);
        body.extend(1000u32.to_be_bytes());
        for field in [start, first] {
            let bytes = field.to_be_bytes();
            body.extend(if version == 0 { &bytes[4..] } else { &bytes[..] });
        }
        body.extend((references.len() as u32).to_be_bytes());
        for &(is_index, bytes, ticks) in references {
            body.extend((u32::from(is_index) << 31 | bytes).to_be_bytes());
            body.extend(ticks.to_be_bytes());
            body.extend([0x90, 0, 0, 0]);
        }
        let mut whole = (body.len() as u32 + 4).to_be_bytes().to_vec();
        whole.extend(body);
        whole
    }

    fn read_all(bytes: &[u8], range: (u64, u64)) -> Result<Vec<(u64, u64, u64, u64)>, Broken> {
        let found = read(&bytes, range, &mut |_| true)?;
        Ok(found.iter().map(|one| (one.range.0, one.range.1, one.start, one.duration)).collect())
    }

    #[test]
    fn subsegments_follow_the_index_and_each_other() {
        for version in [0, 1] {
            let mut file = sidx(version, 500, 4, &[(false, 10, 2000), (false, 20, 1000)]);
            let end = file.len() as u64;
            file.extend([0; 34]);
            let expected = vec![(end + 4, end + 14, 500, 2000), (end + 14, end + 34, 2500, 1000)];
            assert_eq!(read_all(&file, (0, end)), Ok(expected));
        }
    }

    #[test]
    fn indexes_of_indexes_are_followed() {
        let inner = sidx(0, 2000, 0, &[(false, 5, 1000)]);
        let outer = sidx(0, 0, 0, &[(false, 7, 2000), (true, inner.len() as u32 + 5, 1000)]);
        let mut file = outer.clone();
        file.extend([0; 7]);
        file.extend(&inner);
        file.extend([0; 5]);
        let (at, end) = (outer.len() as u64, file.len() as u64);
        let expected = vec![(at, at + 7, 0, 2000), (end - 5, end, 2000, 1000)];
        assert_eq!(read_all(&file, (0, at)), Ok(expected));
    }

    #[test]
    fn broken_indexes_are_refused() {
        let good = sidx(0, 0, 0, &[(false, 10, 1000)]);
        let len = good.len() as u64;
        let mut file = good.clone();
        file.extend([0; 10]);
        assert!(read_all(&file, (0, len)).is_ok());
        assert!(matches!(read_all(&file, (0, len - 1)), Err(Broken::Missing(_))));
        assert!(matches!(read_all(&file, (0, len + 11)), Err(Broken::Missing(_))));
        assert!(matches!(read_all(&file, (1, len)), Err(Broken::Missing(_))));
        assert!(matches!(read_all(&file[..file.len() - 1], (0, len)), Err(Broken::Malformed(0, _))));
        for (at, value) in [(12, 2u8), (19, 0), (31, 9), (35, 0)] {
            let mut broken = file.clone();
            // The version, the timescale's last byte, the count of references, the size of one.
            broken[if at == 12 { 8 } else { at }] = value;
            if at == 19 {
                broken[18] = 0;
            }
            assert!(matches!(read_all(&broken, (0, len)), Err(Broken::Malformed(0, _))), "{at}");
        }
        let endless = sidx(0, 0, 0, &[(true, 44, 1)]).repeat(MAX_DEPTH + 2);
        assert!(matches!(read_all(&endless, (0, 44)), Err(Broken::Malformed(..))));
        assert_eq!(read(&file.as_slice(), (0, len), &mut |_| false), Err(Broken::TooMany));
    }

    #[test]
    fn the_init_part_ends_with_moov() {
        let file = b"\0\0\0\x08ftyp\0\0\0\x0cmoov....\0\0\0\x08moof";
        assert_eq!(init_end(&file.as_slice()), Some(20));
        assert_eq!(init_end(&&file[..18]), None);
        assert_eq!(init_end(&&file[20..]), None);
        assert_eq!(init_end(&[0u8; 4].as_slice()), None);
    }
}
