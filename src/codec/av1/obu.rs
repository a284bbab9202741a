//! Open bitstream units of the low-overhead format (AV1 5.2, 5.3): headers, sizes, and where each unit lies in a
//! buffer. Payloads are not read, and types that the standard reserves are units like any other.

use std::num::NonZeroU16;
use std::ops::Range;

use crate::error::{Error, Result};

/// `obu_type` (6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObuKind {
    /// 1: sequence header.
    SequenceHeader,
    /// 2: temporal delimiter, which starts a temporal unit.
    TemporalDelimiter,
    /// 3: frame header; tile groups follow it unless it shows a frame that was decoded before.
    FrameHeader,
    /// 4: tile group.
    TileGroup,
    /// 5: metadata.
    Metadata,
    /// 6: frame header with all its tiles.
    Frame,
    /// 7: copy of a frame header.
    RedundantFrameHeader,
    /// 8: tile list, of large scale tile decoding.
    TileList,
    /// 15: padding.
    Padding,
    /// 0 and 9 to 14: for later editions; decoders skip them.
    Reserved(u8),
}

impl ObuKind {
    /// The type with this code, 0..=15.
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::SequenceHeader,
            2 => Self::TemporalDelimiter,
            3 => Self::FrameHeader,
            4 => Self::TileGroup,
            5 => Self::Metadata,
            6 => Self::Frame,
            7 => Self::RedundantFrameHeader,
            8 => Self::TileList,
            15 => Self::Padding,
            _ => Self::Reserved(code),
        }
    }
}

/// `obu_header()` with the `obu_size` behind it (5.3.1, 5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObuHeader {
    /// `obu_type`.
    pub kind: ObuKind,
    /// `obu_extension_flag`: it says which layers it is of.
    pub has_extension: bool,
    /// `temporal_id`, 0..=7; 0 without an extension header.
    pub temporal_id: u8,
    /// `spatial_id`, 0..=3; 0 without an extension header.
    pub spatial_id: u8,
    /// `obu_size`: bytes of the payload; `None` without a size field.
    pub size: Option<u32>,
    /// Bytes of the header, its extension and the size field: 1 to [`ObuHeader::MAX_LEN`].
    pub len: u8,
}

impl ObuHeader {
    /// Header, extension and a size of eight bytes.
    pub const MAX_LEN: usize = 10;

    /// Reads the header at the start of `bytes`, which may end anywhere behind it. Offsets of errors count from there.
    ///
    /// Errors are a header that is cut off, `obu_forbidden_bit`, and a size that breaks 4.10.5. A size may be coded in
    /// more bytes than it needs.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let &first = bytes.first().ok_or_else(|| Error::truncated("obu_header", "AV1 5.3.2").at(0))?;
        if first & 0x80 != 0 {
            return Err(Error::out_of_range("obu_forbidden_bit", 1, "0", "AV1 6.2.2").at(0));
        }
        let mut header = Self {
            kind: ObuKind::from_code(first >> 3 & 15),
            has_extension: first & 4 != 0,
            temporal_id: 0,
            spatial_id: 0,
            size: None,
            len: 1,
        };
        if header.has_extension {
            let extension = bytes.get(1);
            let &extension =
                extension.ok_or_else(|| Error::truncated("obu_extension_header", "AV1 5.3.3").at(1))?;
            (header.temporal_id, header.spatial_id) = (extension >> 5, extension >> 3 & 3);
            header.len = 2;
        }
        if first & 2 != 0 {
            let at = u64::from(header.len);
            let (size, len) = read_leb128(&bytes[usize::from(header.len)..], "obu_size")
                .map_err(|error| error.shift(at))?;
            header.size = Some(size);
            header.len += len;
        }
        Ok(header)
    }

    /// Bytes of the whole unit; `None` without a size field: it ends where its packet does.
    pub fn whole_len(&self) -> Option<u64> {
        self.size.map(|size| u64::from(size) + u64::from(self.len))
    }
}

/// `leb128()` that fits 32 bits (4.10.5), and how many bytes it takes: up to eight, also where fewer would do.
///
/// # Errors
/// Where it is cut off ([`ErrorKind::Truncated`](crate::ErrorKind::Truncated)), has more bytes or a larger value.
pub(crate) fn read_leb128(bytes: &[u8], element: &'static str) -> Result<(u32, u8)> {
    let mut value = 0u64;
    for index in 0..8u8 {
        let byte = bytes.get(usize::from(index));
        let &byte = byte.ok_or_else(|| Error::truncated(element, "AV1 4.10.5").at(u64::from(index)))?;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let size = u32::try_from(value);
            return size
                .map(|size| (size, index + 1))
                .map_err(|_| Error::out_of_range(element, value, "0..=4294967295", "AV1 4.10.5").at(0));
        }
    }
    let what = format!("{element} goes on behind its eighth byte");
    Err(Error::malformed(what, "AV1 4.10.5", "the stream is damaged here").at(0))
}

/// `value` as `leb128()` in as few bytes as it takes (4.10.5).
pub(crate) fn write_size(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The header of an OBU that has no size field, as it is written with one: `obu_has_size_field` 1, and behind it `obu_size` in as
/// few bytes as it takes, which is how encoders write it. Takes two bytes of memory, in an `Option` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SizedHeader(NonZeroU16);

impl SizedHeader {
    const HAS_SIZE_FIELD: u8 = 2;

    /// For the OBU that begins with `bytes`: its header, and extension where it has one.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let first = bytes.first()? | Self::HAS_SIZE_FIELD;
        let extension = if first & 4 != 0 { *bytes.get(1)? } else { 0 };
        NonZeroU16::new(u16::from_be_bytes([first, extension])).map(Self)
    }

    /// Bytes of the header in the source, without a size field: 1 or 2.
    pub fn unsized_len(self) -> u32 {
        let [first, _] = self.0.get().to_be_bytes();
        1 + u32::from(first >> 2 & 1)
    }

    /// Bytes that [`write`](Self::write) appends in front of a payload of `size` bytes: 2 to 7.
    pub fn len(self, size: u32) -> u32 {
        let digits = 32 - (size | 1).leading_zeros();
        self.unsized_len() + digits.div_ceil(7)
    }

    /// Appends the header of a payload of `size` bytes.
    pub fn write(self, size: u32, out: &mut Vec<u8>) {
        let [first, extension] = self.0.get().to_be_bytes();
        out.push(first);
        if self.unsized_len() == 2 {
            out.push(extension);
        }
        write_size(out, size);
    }
}

/// One unit of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obu {
    /// Its header.
    pub header: ObuHeader,
    /// All of it, from its header on.
    pub whole: Range<usize>,
    /// What stands behind header and size.
    pub payload: Range<usize>,
}

impl Obu {
    /// Reads the unit at the start of `bytes`. One without a size field takes them all; whether it may is for the
    /// caller to say. Offsets of errors count from its header.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let header = ObuHeader::read(bytes)?;
        let start = usize::from(header.len);
        let end = match header.size {
            None => bytes.len(),
            Some(size) => {
                let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
                end.filter(|&end| end <= bytes.len())
                    .ok_or_else(|| cut_off(size, (bytes.len() - start) as u64).at(0))?
            }
        };
        Ok(Self { header, whole: 0..end, payload: start..end })
    }

    fn shift(self, base: usize) -> Self {
        let move_up = |range: Range<usize>| range.start + base..range.end + base;
        Self { whole: move_up(self.whole), payload: move_up(self.payload), ..self }
    }
}

/// A unit whose size field asks for more than there is.
pub(crate) fn cut_off(size: u32, remaining: u64) -> Error {
    Error::malformed(
        format!("obu_size is {size}, but only {remaining} bytes follow"),
        "AV1 5.3.1",
        "the stream is cut off or damaged here",
    )
}

/// A unit of a stream that has no size field.
pub(crate) fn without_size() -> Error {
    Error::malformed(
        "an OBU has no size field (obu_has_size_field 0)",
        "AV1 5.2",
        "write the stream in the low-overhead format, where every OBU has one, or in that of Annex B",
    )
}

/// The units of a buffer, in order. Ends behind the first error.
#[derive(Clone, Debug)]
pub struct Obus<'a> {
    bytes: &'a [u8],
    at: usize,
    last_may_lack_size: bool,
}

impl<'a> Obus<'a> {
    /// Units of a stream, each of which has a size field (5.2).
    pub fn of_stream(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, last_may_lack_size: false }
    }

    /// Units of one packet or sample, whose last one may lack the size field (AV1-ISOBMFF 2.4): it ends with the packet.
    pub fn of_packet(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, last_may_lack_size: true }
    }
}

impl Iterator for Obus<'_> {
    type Item = Result<Obu>;

    fn next(&mut self) -> Option<Self::Item> {
        let (at, rest) = (self.at, self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?);
        let read = Obu::read(rest).and_then(|obu| match obu.header.size {
            None if !self.last_may_lack_size => Err(without_size().at(0)),
            _ => Ok(obu),
        });
        self.at = read.as_ref().map_or(self.bytes.len(), |obu| at + obu.whole.end);
        Some(read.map(|obu| obu.shift(at)).map_err(|error| error.shift(at as u64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn header_is_type_layers_and_size() {
        // temporal delimiter; frame with temporal_id 5, spatial_id 2 and 300 bytes; padding without a size
        let plain = ObuHeader::read(&[0x12, 0]).unwrap();
        assert_eq!((plain.kind, plain.size, plain.len), (ObuKind::TemporalDelimiter, Some(0), 2));
        let layered = ObuHeader::read(&[0x36, 5 << 5 | 2 << 3, 0xac, 0x02]).unwrap();
        assert_eq!((layered.kind, layered.temporal_id, layered.spatial_id), (ObuKind::Frame, 5, 2));
        assert_eq!((layered.size, layered.len, layered.whole_len()), (Some(300), 4, Some(304)));
        let bare = ObuHeader::read(&[0x78, 0xff]).unwrap();
        assert_eq!((bare.kind, bare.size, bare.whole_len()), (ObuKind::Padding, None, None));
    }

    #[test]
    fn every_type_has_its_name() {
        let reserved: Vec<u8> =
            (0..16).filter(|&code| ObuKind::from_code(code) == ObuKind::Reserved(code)).collect();
        assert_eq!(reserved, [0, 9, 10, 11, 12, 13, 14]);
        assert_eq!(ObuHeader::read(&[9 << 3 | 2, 0]).unwrap().kind, ObuKind::Reserved(9));
    }

    #[test]
    fn sizes_may_be_longer_than_they_need_but_not_than_eight_bytes_or_32_bits() {
        let size = |bytes: &[u8]| read_leb128(bytes, "obu_size");
        assert_eq!(size(&[0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]).unwrap(), (5, 8));
        assert_eq!(size(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unwrap(), (u32::MAX, 5));
        assert!(size(&[0xff, 0xff, 0xff, 0xff, 0x1f]).unwrap_err().to_string().contains("8589934591"));
        assert!(size(&[0x80; 9]).unwrap_err().to_string().contains("eighth"));
        assert!(size(&[0x80, 0x80]).unwrap_err().to_string().contains("obu_size runs past"));
    }

    #[test]
    fn the_forbidden_bit_is_refused() {
        let error = ObuHeader::read(&[0x92, 0]).unwrap_err();
        assert!(error.to_string().contains("obu_forbidden_bit is 1"), "{error}");
    }

    #[test]
    fn only_the_last_unit_of_a_packet_may_lack_its_size() {
        let bytes = [0x12, 0, 0x0a, 2, 7, 7, 0x30, 1, 2, 3];
        let units: Vec<Obu> = Obus::of_packet(&bytes).map(Result::unwrap).collect();
        let payloads: Vec<_> = units.iter().map(|obu| obu.payload.clone()).collect();
        assert_eq!(payloads, [2..2, 4..6, 7..10]);
        assert_eq!(units[2].whole, 6..10);
        let error = Obus::of_stream(&bytes).last().unwrap().unwrap_err();
        assert_eq!(error.offset(), Some(6));
        assert!(error.to_string().contains("obu_has_size_field 0"), "{error}");
    }

    #[test]
    fn a_unit_that_is_cut_off_is_the_last_thing_read() {
        let mut units = Obus::of_packet(&[0x12, 0, 0x32, 5, 1, 2]);
        assert!(units.next().unwrap().is_ok());
        let error = units.next().unwrap().unwrap_err();
        assert!(error.to_string().contains("obu_size is 5, but only 2 bytes follow"), "{error}");
        assert_eq!(error.offset(), Some(2));
        assert!(units.next().is_none());
    }

    #[test]
    fn a_header_without_a_size_is_written_with_the_shortest() {
        let write = |head: &[u8], size| {
            let header = SizedHeader::new(head).unwrap();
            let mut out = Vec::new();
            header.write(size, &mut out);
            assert_eq!(out.len() as u32, header.len(size), "{head:02x?} {size}");
            out
        };
        assert_eq!(write(&[0x30], 0), [0x32, 0]);
        assert_eq!(write(&[0x30, 0xff], 127), [0x32, 0x7f]);
        assert_eq!(write(&[0x34, 0x28], 128), [0x36, 0x28, 0x80, 1]);
        assert_eq!(write(&[0x34, 0x28], u32::MAX), [0x36, 0x28, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        // obu_reserved_1bit stays.
        assert_eq!(write(&[0x31], 5), [0x33, 5]);
        assert_eq!(SizedHeader::new(&[0x34]), None);
        assert_eq!(SizedHeader::new(&[]), None);
        assert_eq!(size_of::<Option<SizedHeader>>(), 2);
    }

    proptest! {
        #[test]
        fn a_written_header_is_read_again(kind in 0_u8..16, extension: Option<u8>, size: u32) {
            let first = kind << 3 | u8::from(extension.is_some()) << 2;
            let header = SizedHeader::new(&[first, extension.unwrap_or(0)]).unwrap();
            let mut bytes = Vec::new();
            header.write(size, &mut bytes);
            let read = ObuHeader::read(&bytes).unwrap();
            prop_assert_eq!((read.kind, read.size), (ObuKind::from_code(kind), Some(size)));
            prop_assert_eq!(u32::from(read.len), header.len(size));
            let layers = extension.map_or((0, 0), |byte| (byte >> 5, byte >> 3 & 3));
            prop_assert_eq!((read.temporal_id, read.spatial_id), layers);
        }

        #[test]
        fn a_written_size_is_read_again(value: u32) {
            let mut bytes = Vec::new();
            write_size(&mut bytes, value);
            prop_assert_eq!(read_leb128(&bytes, "value").unwrap(), (value, bytes.len() as u8));
        }
    }
}
