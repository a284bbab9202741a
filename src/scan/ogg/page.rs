//! One Ogg page (RFC 3533 6, not opened): its header, its body and the packets' portions in it; and which codec an Ogg file holds.

use crate::error::{Error, Result};
use crate::scan::ElementaryFormat;
use crate::scan::ivf::Unreadable;

use super::{COPY_AGAIN, PAGE_CLAUSE, REMUX};

/// Header up to its lacing values.
const HEADER_LEN: usize = 27;
/// The largest page: 255 lacing values of 255.
pub(crate) const MAX_PAGE_LEN: usize = HEADER_LEN + 255 + 255 * 255;
const CAPTURE_PATTERN: &[u8; 4] = b"OggS";

/// A page whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    /// Its first byte in the source.
    pub(super) offset: u64,
    /// It goes on with a packet of the page before.
    pub(super) is_continued: bool,
    pub(super) begins_stream: bool,
    pub(super) ends_stream: bool,
    /// -1 where it completes no packet.
    pub(super) granule_position: i64,
    pub(super) serial: u32,
    pub(super) sequence: u32,
    pub(super) lacing: &'a [u8],
    pub(super) body: &'a [u8],
}

/// A part of a packet, on one page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    pub(super) len: usize,
    pub(super) completes: bool,
}

impl<'a> Page<'a> {
    /// Reads the page at `offset`, of which `left` bytes are left in the source: `bytes` are those, or [`MAX_PAGE_LEN`].
    pub(super) fn read(offset: u64, left: u64, bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let broken = |error: Error| Unreadable::Broken(error.at(offset));
        if !bytes.starts_with(CAPTURE_PATTERN) && !CAPTURE_PATTERN.starts_with(bytes) {
            return Err(broken(not_a_page(offset, bytes)));
        }
        let incomplete = |needed: usize| {
            let what = format!("the last page has only {left} of its {needed} bytes");
            let remedy = "copy the file again, or drop the incomplete page with --drop-incomplete";
            Unreadable::Incomplete(Error::malformed(what, PAGE_CLAUSE, remedy).at(offset))
        };
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(incomplete(HEADER_LEN));
        };
        if header[4] != 0 {
            return Err(broken(Error::out_of_range("stream_structure_version", header[4], "0", PAGE_CLAUSE)));
        }
        let segments = usize::from(header[26]);
        let Some((lacing, rest)) = rest.split_at_checked(segments) else {
            return Err(incomplete(HEADER_LEN + segments));
        };
        let body_len = lacing.iter().map(|&value| usize::from(value)).sum();
        let Some(body) = rest.get(..body_len) else {
            return Err(incomplete(HEADER_LEN + segments + body_len));
        };
        let u32_at =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let low = u64::from(u32_at(6));
        let page = Self {
            offset,
            is_continued: header[5] & 1 != 0,
            begins_stream: header[5] & 2 != 0,
            ends_stream: header[5] & 4 != 0,
            granule_position: (u64::from(u32_at(10)) << 32 | low).cast_signed(),
            serial: u32_at(14),
            sequence: u32_at(18),
            lacing,
            body,
        };
        // The field itself counts as 0.
        let parts = [&header[..22], &[0; 4], &header[26..], lacing, body];
        let (told, found) = (u32_at(22), parts.into_iter().fold(0, checksum));
        if told != found {
            let what = format!("the page's checksum is {told:08x}, its bytes make {found:08x}");
            return Err(broken(Error::malformed(what, PAGE_CLAUSE, COPY_AGAIN)));
        }
        Ok(page)
    }

    /// Bytes of its header with the lacing values.
    pub(super) fn header_len(&self) -> u64 {
        (HEADER_LEN + self.lacing.len()) as u64
    }

    /// Where its body begins in the source.
    pub(super) fn body_offset(&self) -> u64 {
        self.offset + self.header_len()
    }

    /// Where the next page begins.
    pub(super) fn end(&self) -> u64 {
        self.body_offset() + self.body.len() as u64
    }

    /// The portions of packets in its body, in order: a lacing value below 255 ends one.
    pub(super) fn portions(&self) -> impl Iterator<Item = Portion> + 'a {
        let mut lacing = self.lacing;
        std::iter::from_fn(move || {
            if lacing.is_empty() {
                return None;
            }
            let end = lacing.iter().position(|&value| value < 255);
            let (own, rest) = lacing.split_at(end.map_or(lacing.len(), |end| end + 1));
            lacing = rest;
            Some(Portion { len: own.iter().map(|&value| usize::from(value)).sum(), completes: end.is_some() })
        })
    }
}

fn not_a_page(offset: u64, bytes: &[u8]) -> Error {
    let found: Vec<_> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let what = format!("no Ogg page (OggS) {}, but {}", place(offset), found.join(" "));
    Error::malformed(what, PAGE_CLAUSE, COPY_AGAIN)
}

fn place(offset: u64) -> &'static str {
    if offset == 0 { "at the start" } else { "behind the one before" }
}

/// Goes on with the CRC of a page: polynomial 0x04c11db7, most significant bit first, from 0 and as it comes out (RFC 3533 6). Eight
/// bytes at a time, each by a table of its own.
fn checksum(crc: u32, bytes: &[u8]) -> u32 {
    static TABLES: [[u32; 256]; 8] = tables();
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut crc = crc;
    for &[a, b, c, d, e, f, g, h] in chunks {
        let [a, b, c, d] = (crc ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
        let terms = [a, b, c, d, e, f, g, h];
        crc = terms
            .iter()
            .zip(TABLES.iter().rev())
            .fold(0, |sum, (&byte, table)| sum ^ table[usize::from(byte)]);
    }
    rest.iter().fold(crc, |crc, &byte| crc << 8 ^ TABLES[0][usize::from((crc >> 24) as u8 ^ byte)])
}

/// What a byte adds to the CRC when so many zero bytes follow it.
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut step = 0;
        while step < 64 {
            crc = if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04c1_1db7 };
            step += 1;
            if step % 8 == 0 {
                tables[step / 8 - 1][byte] = crc;
            }
        }
        byte += 1;
    }
    tables
}

/// The codec of the stream that a first packet begins.
fn codec_of(body: &[u8]) -> &'static str {
    const MAGICS: [(&[u8], &str); 9] = [
        (b"OpusHead", "Opus"),
        (b"\x01vorbis", "Vorbis"),
        (b"\x7fFLAC", "FLAC"),
        (b"Speex   ", "Speex"),
        (b"\x80theora", "Theora video"),
        (b"OVP80", "VP8 video"),
        (b"BBCD\0", "Dirac video"),
        (b"fishead\0", "Skeleton"),
        (b"CELT    ", "CELT"),
    ];
    MAGICS.iter().find(|(magic, _)| body.starts_with(magic)).map_or("an unknown codec", |(_, name)| name)
}

/// A stream beside the one of Opus, or in front of it.
pub(super) fn other_stream(page: &Page<'_>) -> Error {
    Error::unsupported(format!("an Ogg file with another stream, of {}", codec_of(page.body)), REMUX)
        .at(page.offset)
}

/// A stream that begins where another has ended.
pub(super) fn chained_stream(page: &Page<'_>) -> Error {
    Error::unsupported(
        format!("a chained Ogg file: behind the end of its stream begins another, of {}", codec_of(page.body)),
        format!(
            "split it at byte {} and package its parts separately, or encode it again as one stream: ffmpeg -i FILE -af \
             aresample=async=1 -c:a libopus out.opus",
            page.offset
        ),
    )
    .at(page.offset)
}

/// Which codec the Ogg file that begins with `head` holds: it is Opus if one of the streams that begin there is.
///
/// # Errors
/// For other codecs, with what to do.
pub(crate) fn detect(head: &[u8]) -> Result<ElementaryFormat> {
    let mut codecs = Vec::new();
    let mut bytes = head;
    // As damaged as it may be: the reading tells of that.
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() {
        let begins_stream = header.starts_with(CAPTURE_PATTERN) && header[5] & 2 != 0;
        let Some((lacing, body)) = rest.split_at_checked(usize::from(header[26])).filter(|_| begins_stream)
        else {
            break;
        };
        let name = codec_of(body);
        if name == "Opus" {
            return Ok(ElementaryFormat::OggOpus);
        }
        codecs.push(name);
        let len = lacing.iter().map(|&value| usize::from(value)).sum::<usize>();
        bytes = body.get(len..).unwrap_or_default();
    }
    let remedy = if codecs.contains(&"FLAC") {
        "take the stream out: ffmpeg -i FILE -map 0:a:0 -c copy out.flac"
    } else {
        "encode the audio as Opus: ffmpeg -i FILE -map 0:a:0 -c:a libopus out.opus"
    };
    let what = if codecs.is_empty() { "no stream's beginning".to_owned() } else { codecs.join(" and ") };
    Err(Error::unsupported(format!("the file looks like Ogg with {what}"), remedy))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::ogg::testing::slow_checksum;

    #[test]
    fn the_checksum_is_that_of_ffmpeg() {
        // The first page of the streams in `codec::opus`'s tests, stereo, with -bitexact.
        let page = b"OggS\0\x02\0\0\0\0\0\0\0\0\xa8\x0b\xe2\xe6\0\0\0\0\xa7\xdc\x2a\xe7\x01\x13\
            OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
        let read = Page::read(0, page.len() as u64, page).unwrap();
        assert!(read.begins_stream && !read.ends_stream && !read.is_continued);
        assert_eq!((read.granule_position, read.serial, read.sequence), (0, 0xe6e2_0ba8, 0));
        assert_eq!((read.body.len(), read.end()), (19, page.len() as u64));
        for at in 4..page.len() {
            let mut damaged = *page;
            damaged[at] ^= 0x10;
            assert!(Page::read(0, page.len() as u64, &damaged).is_err(), "byte {at}");
        }
    }

    #[test]
    fn files_of_other_codecs_are_named() {
        let page = |body: &[u8]| {
            [&b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01"[..], &[body.len() as u8], body]
                .concat()
        };
        let theora = page(b"\x80theora\x03\x02\x01");
        assert_eq!(detect(&page(b"OpusHead\x01")).unwrap(), ElementaryFormat::OggOpus);
        assert_eq!(detect(&[&theora[..], &page(b"OpusHead")].concat()).unwrap(), ElementaryFormat::OggOpus);
        for (head, words) in [
            (page(b"\x01vorbis\0"), "Ogg with Vorbis: not supported; encode"),
            ([&theora[..], &page(b"\x01vorbis")].concat(), "Theora video and Vorbis"),
            (page(b"\x7fFLAC\x01"), "out.flac"),
            (b"OggS\0\x02".to_vec(), "no stream's beginning"),
        ] {
            let line = detect(&head).unwrap_err().to_string();
            assert!(line.contains(words), "{line}");
        }
    }

    proptest! {
        #[test]
        fn checksums_equal_those_of_the_definition(bytes: Vec<u8>, split in 0usize..100) {
            let split = split.min(bytes.len());
            let halves = checksum(checksum(0, &bytes[..split]), &bytes[split..]);
            prop_assert_eq!(halves, slow_checksum(&bytes));
            prop_assert_eq!(checksum(0, &bytes), slow_checksum(&bytes));
        }
    }
}
