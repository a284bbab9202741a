//! The writer under every box: nesting in code is nesting in bytes, and a size is what was written, never what was
//! planned. A value that is known later gets a [`Slot`].

use std::marker::PhantomData;

use bytemuck::{Pod, Zeroable};

use super::FourCc;
use crate::bytes::{U24, U32};
use crate::error::{Error, ErrorKind, Result};

/// Appends boxes to a buffer.
///
/// ```
/// use fragmint::boxes::BoxWriter;
///
/// let mut out = Vec::new();
/// let mut w = BoxWriter::new(&mut out);
/// w.nest(b"moof", |w| {
///     w.full(b"mfhd", 0, 0, |w| w.u32(7));
/// });
/// w.finish()?;
/// assert_eq!(out, b"\0\0\0\x18moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x07");
/// # Ok::<(), fragmint::Error>(())
/// ```
#[derive(Debug)]
pub struct BoxWriter<'a> {
    out: &'a mut Vec<u8>,
    open_slots: usize,
    oversized: Option<FourCc>,
}

/// A place for a value that is known later; [`BoxWriter::fill`] takes it.
#[derive(Debug)]
#[must_use = "a slot must be filled before the writer is finished"]
pub struct Slot<T> {
    position: usize,
    value: PhantomData<T>,
}

/// `Box` header with a 32-bit size. ISO/IEC 14496-12 4.2.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct BoxHeader {
    size: U32,
    kind: FourCc,
}
const _: () = assert!(size_of::<BoxHeader>() == 8);

/// What a `FullBox` adds to the header. ISO/IEC 14496-12 4.2.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct FullBoxHeader {
    version: u8,
    flags: U24,
}
const _: () = assert!(size_of::<FullBoxHeader>() == 4);

impl<'a> BoxWriter<'a> {
    /// Writes behind what `out` holds already.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, open_slots: 0, oversized: None }
    }

    /// One box with what `body` writes in it.
    pub fn nest<R>(&mut self, kind: &[u8; 4], body: impl FnOnce(&mut Self) -> R) -> R {
        let size = self.slot::<U32>();
        let start = size.position;
        self.bytes(kind);
        let result = body(self);
        let written = self.out.len() - start;
        let written = u32::try_from(written).unwrap_or_else(|_| self.too_large(kind));
        self.fill(size, U32::new(written));
        result
    }

    /// One `FullBox`; `flags` has 24 bits.
    pub fn full<R>(
        &mut self,
        kind: &[u8; 4],
        version: u8,
        flags: u32,
        body: impl FnOnce(&mut Self) -> R,
    ) -> R {
        self.nest(kind, |w| {
            w.pod(&FullBoxHeader { version, flags: U24::new(flags) });
            body(w)
        })
    }

    /// The header of a box whose body of `body_len` bytes stands behind what is written here: eight bytes, or sixteen
    /// with a `largesize` where the size passes 32 bits.
    pub fn header_only(&mut self, kind: &[u8; 4], body_len: u64) {
        let short = size_of::<BoxHeader>() as u64;
        match u32::try_from(body_len.saturating_add(short)) {
            Ok(size) => self.pod(&BoxHeader { size: U32::new(size), kind: FourCc(*kind) }),
            Err(_) => {
                // 14496-12 4.2: size 1 says that largesize follows the type.
                self.pod(&BoxHeader { size: U32::new(1), kind: FourCc(*kind) });
                self.u64(body_len.saturating_add(2 * short));
            }
        }
    }

    /// A fixed layout.
    pub fn pod(&mut self, layout: &impl Pod) {
        self.bytes(bytemuck::bytes_of(layout));
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// `unsigned int(8)`.
    pub fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    /// `unsigned int(32)`.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// `signed int(32)`.
    pub fn i32(&mut self, value: i32) {
        self.bytes(&value.to_be_bytes());
    }

    /// `unsigned int(64)`.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// `utf8string`: `text` and the zero that ends it. A zero inside `text` would end it early; the caller has none.
    pub fn utf8string(&mut self, text: &str) {
        debug_assert!(!text.contains('\0'), "a zero ends the string");
        self.bytes(text.as_bytes());
        self.u8(0);
    }

    /// Leaves room for a `T` that is known later; zero until then.
    pub fn slot<T: Pod>(&mut self) -> Slot<T> {
        let position = self.position();
        self.pod(&T::zeroed());
        self.open_slots += 1;
        Slot { position, value: PhantomData }
    }

    /// Puts `value` in its place.
    ///
    /// # Panics
    /// When the slot comes from a writer on another buffer that is longer than this one.
    pub fn fill<T: Pod>(&mut self, slot: Slot<T>, value: T) {
        let place = &mut self.out[slot.position..slot.position + size_of::<T>()];
        place.copy_from_slice(bytemuck::bytes_of(&value));
        self.open_slots -= 1;
    }

    /// Length of the buffer: where the next byte goes.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// When a box is larger than its size field can say; what was written is then no use.
    pub fn finish(self) -> Result<()> {
        debug_assert_eq!(self.open_slots, 0, "every slot is filled");
        match self.oversized {
            None => Ok(()),
            Some(kind) => Err(Error::new(ErrorKind::TooLarge {
                what: format!("the size of box '{kind}'").into(),
                value: self.out.len() as u64,
                limit: u64::from(u32::MAX),
                clause: "ISO/IEC 14496-12 4.2",
                remedy: "use shorter segments, or smaller codec configuration".into(),
            })),
        }
    }

    /// Notes that a size does not fit, for [`BoxWriter::finish`] to report, and gives a size to write meanwhile.
    pub(super) fn too_large(&mut self, kind: &[u8; 4]) -> u32 {
        self.oversized.get_or_insert(FourCc(*kind));
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::testing::written;
    use crate::bytes::I32;

    #[test]
    fn sizes_count_what_is_nested() {
        let bytes = written(|w| {
            w.nest(b"aaaa", |w| {
                w.nest(b"bbbb", |w| w.u8(0xff));
                w.full(b"cccc", 1, 0x02_0304, |_| ());
            });
        });
        #[rustfmt::skip]
        let expected = [
            0, 0, 0, 0x1d, b'a', b'a', b'a', b'a',
                0, 0, 0, 0x09, b'b', b'b', b'b', b'b', 0xff,
                0, 0, 0, 0x0c, b'c', b'c', b'c', b'c', 0x01, 0x02, 0x03, 0x04,
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_slot_is_filled_in_place() {
        let bytes = written(|w| {
            w.u8(9);
            let slot = w.slot::<I32>();
            w.u8(9);
            w.fill(slot, I32::new(-2));
        });
        assert_eq!(bytes, [9, 0xff, 0xff, 0xff, 0xfe, 9]);
    }

    #[test]
    #[should_panic(expected = "every slot is filled")]
    #[cfg(debug_assertions)]
    fn an_open_slot_does_not_pass() {
        written(|w| drop(w.slot::<I32>()));
    }

    #[test]
    fn a_body_past_32_bits_has_a_largesize() {
        // The largest size of 32 bits holds a body of 2^32 - 9 bytes.
        let limit = u64::from(u32::MAX) - 8;
        assert_eq!(written(|w| w.header_only(b"mdat", limit)), b"\xff\xff\xff\xffmdat");
        assert_eq!(
            written(|w| w.header_only(b"mdat", limit + 1)),
            b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\x08",
            "2^32 - 8 bytes of body and 16 of header"
        );
    }

    #[test]
    fn a_size_that_does_not_fit_is_an_error_that_names_the_box() {
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        w.too_large(b"avcC");
        let error = w.finish().unwrap_err().to_string();
        assert!(error.contains("'avcC'"), "{error}");
    }
}
