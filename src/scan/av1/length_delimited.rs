//! AV1 in the length-delimited format (AV1 Annex B), told by its bytes: sizes within sizes around a temporal delimiter.

use crate::codec::av1::{ObuHeader, ObuKind, read_leb128};

/// Whether `bytes`, which may be cut off anywhere, begin with a temporal unit of the length-delimited format: its size, that of
/// its first frame unit, a temporal delimiter and another OBU, each within the one around it. A low-overhead stream or packet
/// never begins so: its first byte would be a size that what follows does not fit.
pub fn starts_length_delimited(bytes: &[u8]) -> bool {
    first_unit(bytes).is_some()
}

/// Whether `packet` is temporal units of the length-delimited format, whole.
pub fn is_length_delimited(packet: &[u8]) -> bool {
    let mut rest = packet;
    while let Some(len) = first_unit(rest) {
        match usize::try_from(len).ok().and_then(|len| rest.get(len..)) {
            Some([]) => return true,
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    false
}

/// Bytes of the temporal unit that `bytes` begin with, its size field included.
fn first_unit(bytes: &[u8]) -> Option<u64> {
    let mut at = Cursor { rest: bytes, left: u64::MAX };
    let unit = at.size()?;
    let len = u64::MAX - at.left + unit;
    at.left = unit;
    let frame = at.size()?;
    let behind_frame = at.left.checked_sub(frame)?;
    at.left = frame;
    let delimiter = at.obu()?;
    if delimiter.kind != ObuKind::TemporalDelimiter {
        return None;
    }
    if at.left == 0 {
        // It may have a frame unit to itself.
        at.left = behind_frame;
        let frame = at.size().filter(|&frame| frame <= at.left)?;
        at.left = frame;
    }
    let second = at.obu()?;
    let reserved = matches!(second.kind, ObuKind::Reserved(_) | ObuKind::TemporalDelimiter);
    (!reserved).then_some(len)
}

/// Bytes to read, and how many of them belong to what is being read.
struct Cursor<'a> {
    rest: &'a [u8],
    left: u64,
}

impl Cursor<'_> {
    fn skip(&mut self, count: u64) -> Option<()> {
        self.left = self.left.checked_sub(count)?;
        // A head may be cut off within an OBU; what would follow is not there then.
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.rest = self.rest.get(count..).unwrap_or_default();
        Some(())
    }

    /// A size above 0.
    fn size(&mut self) -> Option<u64> {
        let (size, len) = read_leb128(self.rest, "size").ok()?;
        self.skip(len.into())?;
        Some(size.into()).filter(|&size| size > 0)
    }

    /// The header of an OBU whose length stands in front, and steps over it.
    fn obu(&mut self) -> Option<ObuHeader> {
        let length = self.size()?;
        let header = ObuHeader::read(self.rest).ok()?;
        let fits = header.whole_len().map_or(u64::from(header.len) <= length, |whole| whole == length);
        // obu_reserved_1bit is 0, and a delimiter has no payload.
        let payload = length.checked_sub(header.len.into())?;
        let sound =
            fits && self.rest[0] & 1 == 0 && (header.kind != ObuKind::TemporalDelimiter || payload == 0);
        self.skip(length)?;
        sound.then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::detect;
    use super::*;
    use crate::codec::av1::testing::{DELIMITER, Frame, Sequence, length_delimited, show_existing};
    use crate::scan::ElementaryFormat;

    // The start of FFmpeg 5.1's `-f lavfi -i testsrc2=size=64x48 -c:v libaom-av1 -f obu`, put into the length-delimited format by
    // hand: without and with size fields.
    const WITHOUT: [u8; 19] =
        [18, 17, 1, 0x10, 11, 0x08, 0, 0, 0, 2, 0xaf, 0xf7, 0x9b, 0x5f, 0x20, 0x08, 2, 0x30, 0];
    const WITH: [u8; 18] = [0x92, 1, 0x90, 1, 2, 0x12, 0, 12, 0x0a, 10, 0, 0, 0, 2, 0xaf, 0xf7, 0x9b, 0x5f];

    #[test]
    fn streams_are_known_by_sizes_around_their_first_delimiter() {
        for head in [&WITHOUT[..], &WITH, &[12, 2, 1, 0x10, 8, 7, 0x08, 0, 0, 0, 2, 0xaf, 0xf7]] {
            assert!(starts_length_delimited(head), "{head:02x?}");
            assert_eq!(detect::detect(head).unwrap(), ElementaryFormat::Av1AnnexB);
        }
        for (at, value) in
            [(0, 17), (0, 0), (1, 18), (1, 0), (2, 2), (3, 0x18), (4, 16), (4, 0), (5, 0x10), (5, 0x09)]
        {
            let mut other = WITHOUT;
            other[at] = value;
            assert!(!starts_length_delimited(&other), "byte {at} is {value}");
        }
        let mut inconsistent = WITH;
        inconsistent[9] = 9;
        assert!(!starts_length_delimited(&inconsistent));
    }

    #[test]
    fn packets_are_known_by_units_that_fill_them() {
        let unit = [DELIMITER.to_vec(), Sequence::default().obu(), Frame::key().obu()];
        let shown = [DELIMITER.to_vec(), show_existing(1)];
        let packet = length_delimited(&[unit.to_vec(), shown.to_vec()], false);
        assert!(is_length_delimited(&packet));
        assert!(!is_length_delimited(&packet[..packet.len() - 1]));
        assert!(!is_length_delimited(&[]));
        for low_overhead in [unit.concat(), shown.concat(), unit[1..].concat(), Frame::inter(1).obu()] {
            assert!(!starts_length_delimited(&low_overhead) && !is_length_delimited(&low_overhead));
        }
    }
}
