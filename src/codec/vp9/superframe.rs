//! The index at the end of a superframe (VP9 Annex B): the sizes of its frames between two equal marker bytes.

use std::ops::Range;

use crate::error::{Error, Result};

const CLAUSE: &str = "VP9 Annex B";
const REMEDY: &str = "the stream is damaged here: encode or extract it again";

/// Most frames in a superframe.
pub const MAX_FRAMES: usize = 8;

/// Bytes that an index has at most: what [`SuperframeIndex::read`] has to see of a packet's end.
pub const TAIL_LEN: usize = 2 + 4 * MAX_FRAMES;

/// `superframe_marker` 0b110 in the upper bits.
const MARKER: u8 = 0b110 << 5;

/// The sizes of the frames of a superframe, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuperframeIndex {
    sizes: [u32; MAX_FRAMES],
    count: u8,
    /// Bytes of the index.
    len: u8,
}

impl SuperframeIndex {
    /// Reads the index of a packet of `packet_len` bytes; `tail` is its end: [`TAIL_LEN`] bytes, or the whole packet if that is
    /// shorter. `None` where it has none, and is one frame.
    ///
    /// A last byte that looks like a marker is one only if its twin stands where the index would begin: encoders keep frames
    /// from ending in such a byte, but decoders take the others for frames.
    ///
    /// # Errors
    /// For an index that is longer than the packet, names a frame of no bytes, or whose frames do not fill the packet. The offset
    /// counts from the start of the packet.
    pub fn read(tail: &[u8], packet_len: u64) -> Result<Option<Self>> {
        debug_assert!(tail.len() as u64 == packet_len || tail.len() == TAIL_LEN, "the end of the packet");
        let Some(&marker) = tail.last().filter(|&last| last & 0b1110_0000 == MARKER) else { return Ok(None) };
        let bytes_each = usize::from(marker >> 3 & 3) + 1;
        let count = usize::from(marker & 7) + 1;
        let len = 2 + bytes_each * count;
        let Some(start) = tail.len().checked_sub(len) else {
            let what = format!("the superframe index has {len} bytes, the packet {packet_len}");
            return Err(Error::malformed(what, CLAUSE, REMEDY).at(packet_len - 1));
        };
        let index = &tail[start..];
        if index[0] != marker {
            return Ok(None);
        }
        let at = packet_len - len as u64;
        let mut sizes = [0; MAX_FRAMES];
        for (size, bytes) in sizes.iter_mut().zip(index[1..len - 1].chunks_exact(bytes_each)) {
            *size = bytes.iter().rev().fold(0, |size, &byte| size << 8 | u32::from(byte));
            if *size == 0 {
                return Err(Error::malformed("a frame of the superframe has no bytes", CLAUSE, REMEDY).at(at));
            }
        }
        let frames: u64 = sizes.iter().map(|&size| u64::from(size)).sum();
        if frames != at {
            let what = format!(
                "the frames of the superframe have {frames} bytes by its index, {at} stand in front of it"
            );
            return Err(Error::malformed(what, CLAUSE, REMEDY).at(at));
        }
        // Both are small by their fields.
        Ok(Some(Self { sizes, count: count as u8, len: len as u8 }))
    }

    /// The index of frames of these sizes, each above 0, in as few bytes as hold the largest.
    ///
    /// # Panics
    /// When there are none, or more than [`MAX_FRAMES`].
    pub fn of(frames: &[u32]) -> Self {
        assert!((1..=MAX_FRAMES).contains(&frames.len()), "a superframe of {} frames", frames.len());
        let mut sizes = [0; MAX_FRAMES];
        sizes[..frames.len()].copy_from_slice(frames);
        let largest = frames.iter().copied().max().unwrap_or(0);
        let bytes_each = (4 - largest.leading_zeros() / 8).max(1) as usize;
        Self { sizes, count: frames.len() as u8, len: (2 + bytes_each * frames.len()) as u8 }
    }

    /// The sizes of the frames in bytes.
    pub fn sizes(&self) -> &[u32] {
        &self.sizes[..usize::from(self.count)]
    }

    /// Bytes of the index itself.
    pub fn byte_len(&self) -> u32 {
        u32::from(self.len)
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let bytes_each = (usize::from(self.len) - 2) / usize::from(self.count);
        let marker = MARKER | (bytes_each as u8 - 1) << 3 | (self.count - 1);
        out.push(marker);
        for size in self.sizes() {
            out.extend_from_slice(&size.to_le_bytes()[..bytes_each]);
        }
        out.push(marker);
    }
}

/// Where the frames of a packet of `packet_len` bytes stand in it, by the index that it has, if any.
pub fn frames_of(index: Option<&SuperframeIndex>, packet_len: u32) -> impl Iterator<Item = Range<u32>> {
    let sizes = index.map_or_else(|| vec![packet_len], |index| index.sizes().to_vec());
    let mut end = 0;
    sizes.into_iter().map(move |size| {
        let start = end;
        end += size;
        start..end
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(packet: &[u8]) -> Result<Option<SuperframeIndex>> {
        SuperframeIndex::read(&packet[packet.len().saturating_sub(TAIL_LEN)..], packet.len() as u64)
    }

    #[test]
    fn the_index_of_libvpx_is_read_and_written() {
        // The end of the first superframe that libvpx 1.12 wrote by way of FFmpeg 5.1 (`-c:v libvpx-vp9 -auto-alt-ref 1 -lag-in-frames
        // 16`): an alternate reference of 0x3ba bytes, a frame of 0xa1.
        let bytes = [0xc9, 0xba, 0x03, 0xa1, 0x00, 0xc9];
        let packet = [&[0x82; 0x3ba + 0xa1][..], &bytes].concat();
        let index = read(&packet).unwrap().unwrap();
        assert_eq!((index.sizes(), index.byte_len()), (&[0x3ba, 0xa1][..], 6));
        let mut written = Vec::new();
        SuperframeIndex::of(index.sizes()).write(&mut written);
        assert_eq!(written, bytes);
        assert!(frames_of(Some(&index), packet.len() as u32).eq([0..0x3ba, 0x3ba..0x45b]));
        assert!(frames_of(None, 7).eq(std::iter::once(0..7)));
    }

    #[test]
    fn a_frame_that_ends_like_an_index_is_a_frame() {
        assert_eq!(read(&[0x82, 1, 2, 3, 0xc0]).unwrap(), None);
        assert_eq!(read(&[0x82, 1, 2, 3]).unwrap(), None);
    }

    #[test]
    fn indexes_that_do_not_fit_are_refused_with_their_place() {
        for (packet, offset, part) in [
            (&[0x82, 0xc1][..], 1, "has 4 bytes, the packet 2"),
            (&[0x82, 1, 0xc0, 0, 0xc0], 2, "no bytes"),
            (&[0x82, 1, 0xc0, 1, 0xc0], 2, "have 1 bytes by its index, 2 stand"),
            (&[0x82, 1, 0xc0, 3, 0xc0], 2, "have 3 bytes"),
        ] {
            let error = read(packet).unwrap_err();
            assert_eq!(error.offset(), Some(offset), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sizes in prop::collection::vec(prop_oneof![1..0x1ff_u32, 1..0x2_ffff_u32], 1..9)) {
            let index = SuperframeIndex::of(&sizes);
            let mut packet = vec![0; sizes.iter().sum::<u32>() as usize];
            index.write(&mut packet);
            prop_assert_eq!(packet.len() as u32, sizes.iter().sum::<u32>() + index.byte_len());
            prop_assert_eq!(read(&packet).unwrap(), Some(index));
        }
    }
}
