//! Boxes read: sizes and types of what stands in a buffer (ISO/IEC 14496-12 4.2), and the fields of a body one by one.
//! Borrows the buffer; every size is checked against what holds it. What a box means is the caller's to say.

use super::FourCc;
use crate::error::{Error, Result};

/// The boxes of a file or of a box's body, in order.
#[derive(Clone, Debug)]
pub(crate) struct Boxes<'a> {
    body: Body<'a>,
    top_level: bool,
}

/// A box.
#[derive(Clone, Debug)]
pub(crate) struct BoxRef<'a> {
    pub kind: FourCc,
    /// Where it starts in the file.
    pub offset: u64,
    /// What is in it.
    pub body: Body<'a>,
}

/// Bytes of a box's body that have not been read yet.
#[derive(Clone, Debug)]
pub(crate) struct Body<'a> {
    rest: &'a [u8],
    /// Of `rest` in the file.
    offset: u64,
    /// What is broken where it ends too soon.
    clause: &'static str,
}

/// Where sizes and types are told.
const CLAUSE: &str = "ISO/IEC 14496-12 4.2";

impl<'a> Boxes<'a> {
    /// Those of a whole file.
    pub fn of_file(bytes: &'a [u8]) -> Self {
        Self { body: Body { rest: bytes, offset: 0, clause: CLAUSE }, top_level: true }
    }

    /// The next one; `None` at the end.
    pub fn next(&mut self) -> Result<Option<BoxRef<'a>>> {
        if self.body.rest.is_empty() {
            return Ok(None);
        }
        let (offset, all) = (self.body.offset, self.body.rest);
        let size = self.body.u32("size")?;
        let kind = FourCc(self.body.array("type")?);
        let len = match size {
            // It goes on to the end of the file, which only the last box can.
            0 if self.top_level => all.len() as u64,
            0 => {
                let what = format!("box '{kind}' within another has size 0");
                return Err(Error::malformed(what, CLAUSE, "the file is damaged").at(offset));
            }
            1 => self.body.u64("largesize")?,
            size => u64::from(size),
        };
        let header = all.len() - self.body.rest.len();
        let body = usize::try_from(len).ok().and_then(|len| all.get(header..len)).ok_or_else(|| {
            let what = format!("box '{kind}' has size {len}, of {} bytes that there are", all.len());
            Error::malformed(what, CLAUSE, "the file is cut off or damaged").at(offset)
        })?;
        self.body.skip(body.len());
        let body = Body { rest: body, offset: offset + header as u64, clause: CLAUSE };
        Ok(Some(BoxRef { kind, offset, body }))
    }

    /// The one box of type `kind`; others are passed over.
    pub fn one(mut self, kind: &[u8; 4], clause: &'static str) -> Result<BoxRef<'a>> {
        let start = self.body.offset;
        let mut found: Option<BoxRef<'a>> = None;
        while let Some(next) = self.next()? {
            if next.kind.0 != *kind {
                continue;
            }
            if let Some(first) = &found {
                let what =
                    format!("there is a second box '{}', the first is at {:#x}", next.kind, first.offset);
                return Err(
                    Error::malformed(what, clause, "give an init segment of one track").at(next.offset)
                );
            }
            found = Some(next);
        }
        found.ok_or_else(|| {
            let what = format!("there is no box '{}' from here on", FourCc(*kind));
            Error::malformed(what, clause, "give a whole init segment").at(start)
        })
    }
}

impl<'a> BoxRef<'a> {
    /// The boxes in it.
    pub fn boxes(&self) -> Boxes<'a> {
        Boxes { body: self.body.clone(), top_level: false }
    }

    /// Its fields, where `clause` tells them.
    pub fn fields(&self, clause: &'static str) -> Body<'a> {
        Body { clause, ..self.body.clone() }
    }

    /// The fields of a `FullBox` behind version and flags, and its version, which is at most `max_version`.
    pub fn full(&self, max_version: u8, clause: &'static str) -> Result<(u8, Body<'a>)> {
        let mut body = self.fields(clause);
        let [version, ..]: [u8; 4] = body.array("version and flags")?;
        if version > max_version {
            let what = format!("version {version} of box '{}', which is not known", self.kind);
            return Err(
                Error::malformed(what, clause, "the file is damaged or of a later edition").at(self.offset)
            );
        }
        Ok((version, body))
    }
}

impl<'a> Body<'a> {
    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Where that is in the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The boxes in what has not been read yet.
    pub fn boxes(self) -> Boxes<'a> {
        Boxes { body: self, top_level: false }
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize, element: &'static str) -> Result<Body<'a>> {
        let taken = self.rest.get(..len);
        let rest = taken.ok_or_else(|| Error::truncated(element, self.clause).at(self.offset))?;
        let taken = Self { rest, ..self.clone() };
        self.skip(len);
        Ok(taken)
    }

    /// The next bytes, as many as the type says.
    pub fn array<const N: usize>(&mut self, element: &'static str) -> Result<[u8; N]> {
        Ok(self.take(N, element)?.rest.try_into().expect("take gives as many bytes as it is asked for"))
    }

    /// `unsigned int(8)`.
    pub fn u8(&mut self, element: &'static str) -> Result<u8> {
        self.array(element).map(|[byte]| byte)
    }

    /// `unsigned int(16)`.
    pub fn u16(&mut self, element: &'static str) -> Result<u16> {
        self.array(element).map(u16::from_be_bytes)
    }

    /// `unsigned int(32)`.
    pub fn u32(&mut self, element: &'static str) -> Result<u32> {
        self.array(element).map(u32::from_be_bytes)
    }

    /// `unsigned int(64)`.
    pub fn u64(&mut self, element: &'static str) -> Result<u64> {
        self.array(element).map(u64::from_be_bytes)
    }

    /// Goes on behind bytes that are there.
    fn skip(&mut self, len: usize) {
        self.rest = &self.rest[len..];
        self.offset += len as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types, offsets and body lengths of the boxes in `bytes`.
    fn listed(bytes: &[u8]) -> Result<Vec<(String, u64, usize)>> {
        let mut boxes = Boxes::of_file(bytes);
        let mut all = Vec::new();
        while let Some(next) = boxes.next()? {
            all.push((next.kind.to_string(), next.offset, next.body.rest().len()));
        }
        Ok(all)
    }

    #[test]
    fn sizes_have_32_or_64_bits_or_go_to_the_end() {
        let bytes = b"\0\0\0\x09aaaa.\0\0\0\x01bbbb\0\0\0\0\0\0\0\x12..\0\0\0\0cccc...";
        let expected = [("aaaa".into(), 0, 1), ("bbbb".into(), 9, 2), ("cccc".into(), 27, 3)];
        assert_eq!(listed(bytes).unwrap(), expected);
    }

    #[test]
    fn sizes_past_their_holder_or_below_their_header_are_refused() {
        for (bytes, said) in [
            (b"\0\0\0\x0aaaaa.".as_slice(), "box 'aaaa' has size 10, of 9 bytes"),
            (b"\0\0\0\x07aaaa.", "has size 7"),
            (b"\0\0\0\x01aaaa\0\0\0\0\0\0\0\x0f", "has size 15"),
            (b"\0\0\0\x01aaaa\xff\xff\xff\xff\xff\xff\xff\xff", "has size 18446744073709551615"),
            (b"\0\0\0\x01aaaa\0\0\0", "largesize runs past"),
            (b"\0\0\0\x09aa", "type runs past"),
            (b"\0\0", "size runs past"),
        ] {
            let error = listed(bytes).unwrap_err();
            assert!(error.to_string().contains(said) && error.offset().is_some(), "{error}");
        }
        let bytes = b"\0\0\0\x10aaaa\0\0\0\0bbbb";
        let error = Boxes::of_file(bytes).one(b"aaaa", CLAUSE).unwrap().boxes().next().unwrap_err();
        assert_eq!(error.offset(), Some(8));
    }

    #[test]
    fn one_is_neither_none_nor_two() {
        let two = b"\0\0\0\x08aaaa\0\0\0\x08bbbb\0\0\0\x08aaaa";
        let one = |kind| Boxes::of_file(two).one(kind, CLAUSE);
        assert_eq!(one(b"bbbb").unwrap().offset, 8);
        assert!(one(b"aaaa").unwrap_err().to_string().contains("@ 0x10: there is a second box 'aaaa'"));
        assert!(one(b"cccc").unwrap_err().to_string().contains("no box 'cccc'"));
    }
}
