//! Room for one packet inside the segment file, lent to the encoder.

use std::ops::{Deref, DerefMut};

use super::{SampleTiming, Segmenter, Source};
use crate::error::Result;

/// Room for one packet at the place in the segment file where it belongs. Made by [`Segmenter::reserve`].
///
/// While it lives the segmenter can do nothing else: a cut, a push or a second reservation do not compile.
///
/// ```compile_fail
/// fn two(segmenter: &mut fragmint::segmenter::Segmenter) {
///     let first = segmenter.reserve(1000).unwrap();
///     let second = segmenter.reserve(1000).unwrap();
///     drop(first);
/// }
/// ```
///
/// ```compile_fail
/// fn cut(segmenter: &mut fragmint::segmenter::Segmenter) {
///     let packet = segmenter.reserve(1000).unwrap();
///     segmenter.cut().unwrap();
///     drop(packet);
/// }
/// ```
///
/// ```compile_fail
/// fn push(segmenter: &mut fragmint::segmenter::Segmenter, timing: fragmint::segmenter::SampleTiming) {
///     let packet = segmenter.reserve(1000).unwrap();
///     segmenter.push(&[1], timing).unwrap();
///     drop(packet);
/// }
/// ```
#[derive(Debug)]
pub struct Reservation<'a> {
    segmenter: &'a mut Segmenter,
}

impl<'a> Reservation<'a> {
    pub(super) fn new(segmenter: &'a mut Segmenter) -> Self {
        Self { segmenter }
    }

    /// Takes the first `used` bytes as a packet: what [`Segmenter::push`] does with one, but in place. A start code of four
    /// bytes becomes a length; one of three moves what is behind it by a byte, and so does what samples do not hold, unless the
    /// packets before had the same in front.
    ///
    /// # Errors
    /// Those of [`Segmenter::push`], and more bytes used than reserved. The packet is not taken then.
    pub fn commit(self, used: usize, timing: SampleTiming) -> Result<usize> {
        self.segmenter.take(Source::Reserved(used), timing)
    }
}

impl Deref for Reservation<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.segmenter.file.as_ref().map_or(&[], |file| file.reserved())
    }
}

impl DerefMut for Reservation<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.segmenter.file.as_mut().map_or(&mut [], |file| file.reserved_mut())
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(file) = &mut self.segmenter.file {
            file.abandon();
        }
    }
}
