//! Bytes ► where `00 00 01` begins in them, a bit for each byte: the search under [`StartCodes`](super::annexb::StartCodes).
//! Knows nothing of NAL units.
//!
//! A [`Kernel`] tells of up to [`CHUNK_LEN`] bytes at once. [`find`] is the fastest one that the machine has, chosen at
//! run time: [`Blocks`] walks any bytes by it. [`find_slowly`] says the same, one byte after the other, and is what the
//! others are compared with.
//!
//! All the unsafe code here is a load and a call, which AVX2 cannot be used without: `perf/record/epyc-2core` shows what
//! it gains.
#![allow(unsafe_code)]

use std::sync::LazyLock;

use memchr::memmem;

/// `start_code_prefix_one_3bytes` (H.264 B.1).
pub(super) const START_CODE: [u8; 3] = [0, 0, 1];
/// Bytes whose answers are one word.
const BLOCK_LEN: usize = u64::BITS as usize;
/// Bytes that a kernel tells of at once.
pub const CHUNK_LEN: usize = BLOCK_LEN * u64::BITS as usize;
/// Bytes behind a block that decide whether a start code begins at its last bytes.
const BEHIND: usize = START_CODE.len() - 1;

/// A word for each block of a chunk: bit `j` of word `i` is set where a start code begins at byte `64 * i + j`.
pub type Masks = [u64; CHUNK_LEN / BLOCK_LEN];

/// Tells which start codes begin in the first [`CHUNK_LEN`] of `bytes`; they may end behind these, but not behind `bytes`.
///
/// Bit `i` of the answer is set where the word `i` of the masks has a bit that is set. The other words mean nothing.
pub type Kernel = fn(bytes: &[u8], masks: &mut Masks) -> u64;

/// The fastest [`Kernel`] of this machine.
pub fn find(bytes: &[u8], masks: &mut Masks) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has AVX2, says the line above.
        return unsafe { avx2::find(bytes, masks) };
    }
    find_by_memchr(bytes, masks)
}

/// The [`Kernel`] for machines without one of their own.
pub fn find_by_memchr(bytes: &[u8], masks: &mut Masks) -> u64 {
    static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(&START_CODE));
    let mut words = 0;
    for at in FINDER.find_iter(&bytes[..bytes.len().min(CHUNK_LEN + BEHIND)]) {
        let (block, bit) = (at / BLOCK_LEN, at % BLOCK_LEN);
        if words & 1 << block == 0 {
            masks[block] = 0;
        }
        masks[block] |= 1 << bit;
        words |= 1 << block;
    }
    words
}

/// The scalar twin: a [`Kernel`] that reads like its contract.
pub fn find_slowly(bytes: &[u8], masks: &mut Masks) -> u64 {
    let mut words = 0;
    for (i, mask) in masks.iter_mut().enumerate().take(bytes.len().div_ceil(BLOCK_LEN)) {
        let begins = |at: usize| bytes.get(at..).is_some_and(|rest| rest.starts_with(&START_CODE));
        *mask = (0..BLOCK_LEN).fold(0, |mask, j| mask | u64::from(begins(i * BLOCK_LEN + j)) << j);
        words |= u64::from(*mask != 0) << i;
    }
    words
}

/// 64 bytes at a time are compared and their answers stored without a branch, because nothing predicts where the next start
/// code lies. Shares of a plain read pass, by minima of three runs on a busy EPYC (perf/record/epyc-2core/2026-11-23-scan), and
/// of `memchr` alone: a unit every 20 kB 97 to 102 % and 93 to 113 %, a start code every 100 bytes 85 to 93 % and 21 to 59 %,
/// at distances that nothing predicts 80 to 90 % and 6 to 27 %, near misses only 91 to 99 % and 15 to 24 %, start codes only
/// 16 to 29 % and 1 %.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{BEHIND, BLOCK_LEN, Masks};

    /// The [`Kernel`](super::Kernel) for CPUs with AVX2.
    #[target_feature(enable = "avx2")]
    pub(super) fn find(bytes: &[u8], masks: &mut Masks) -> u64 {
        let whole = (bytes.len().saturating_sub(BEHIND) / BLOCK_LEN).min(masks.len());
        let mut words = 0;
        for (i, mask) in masks[..whole].iter_mut().enumerate() {
            *mask = begins(bytes[i * BLOCK_LEN..].first_chunk().expect("`whole` counts them"));
            words |= u64::from(*mask != 0) << i;
        }
        let rest = &bytes[whole * BLOCK_LEN..];
        if whole < masks.len() && !rest.is_empty() {
            masks[whole] = begins(&padded(rest));
            words |= u64::from(masks[whole] != 0) << whole;
        }
        words
    }

    /// Bit `j`: whether a start code begins at byte `j`.
    #[target_feature(enable = "avx2")]
    fn begins(block: &[u8; BLOCK_LEN + BEHIND]) -> u64 {
        let [low, high] = [block.first_chunk(), block.last_chunk()]
            .map(|half| begins_in_half(half.expect("34 of 66 bytes")));
        u64::from(high) << 32 | u64::from(low)
    }

    #[target_feature(enable = "avx2")]
    fn begins_in_half(half: &[u8; BLOCK_LEN / 2 + BEHIND]) -> u32 {
        let from = |at: usize| {
            let bytes: &[u8; 32] = half[at..].first_chunk().expect("at is 0, 1 or 2");
            // SAFETY: 32 bytes are read, at any alignment, and `bytes` has as many.
            unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
        };
        let zeros = _mm256_or_si256(from(0), from(1));
        let one = _mm256_xor_si256(from(2), _mm256_set1_epi8(1));
        let differs = _mm256_or_si256(zeros, one);
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(differs, _mm256_setzero_si256())) as u32
    }

    /// The last bytes, fewer than a block and what decides behind it, with zeros behind them, which end no start code.
    fn padded(rest: &[u8]) -> [u8; BLOCK_LEN + BEHIND] {
        let mut block = [0; BLOCK_LEN + BEHIND];
        block[..rest.len()].copy_from_slice(rest);
        block
    }
}

/// 64 bytes in which a start code begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    at: usize,
    begins: u64,
}

impl Iterator for Block {
    type Item = usize;

    /// Takes the offset of the first start code that begins in the block.
    #[inline]
    fn next(&mut self) -> Option<usize> {
        let first = (self.begins != 0).then(|| self.at + self.begins.trailing_zeros() as usize);
        self.begins &= self.begins.wrapping_sub(1);
        first
    }
}

/// The blocks of some bytes in which start codes begin, in order.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    kernel: Kernel,
    bytes: &'a [u8],
    /// Where the next chunk begins.
    next: usize,
    /// Where the chunk begins that `words` and `masks` tell of.
    chunk: usize,
    /// Blocks of the chunk that have not been handed out.
    words: u64,
    masks: Masks,
}

impl<'a> Blocks<'a> {
    /// All of `bytes`, with the fastest kernel of this machine.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::with_kernel(bytes, find)
    }

    /// All of `bytes`, with that kernel.
    pub fn with_kernel(bytes: &'a [u8], kernel: Kernel) -> Self {
        Self { kernel, bytes, next: 0, chunk: 0, words: 0, masks: [0; CHUNK_LEN / BLOCK_LEN] }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    #[inline]
    fn next(&mut self) -> Option<Block> {
        while self.words == 0 {
            let rest = self.bytes.get(self.next..)?;
            self.words = (self.kernel)(rest, &mut self.masks);
            self.chunk = self.next;
            self.next += CHUNK_LEN;
        }
        let block = self.words.trailing_zeros() as usize;
        self.words &= self.words - 1;
        Some(Block { at: self.chunk + block * BLOCK_LEN, begins: self.masks[block] })
    }
}

/// Asserts that every kernel finds what the twin finds in `data`, in its first bytes up to any length and from any
/// alignment on, and that a walk finds what a search by `memchr` finds.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_start_codes(data: &[u8]) {
    for len in 0..=data.len().min(3 * BLOCK_LEN + BEHIND) {
        assert_kernels_agree(&data[..len]);
    }
    for at in 1..=data.len().min(BLOCK_LEN) {
        let rest = &data[at..];
        assert_kernels_agree(&rest[..rest.len().min(2 * BLOCK_LEN + BEHIND)]);
    }
    let expected: Vec<usize> = memmem::find_iter(data, &START_CODE).collect();
    for kernel in [find, find_by_memchr, find_slowly] {
        assert_eq!(Blocks::with_kernel(data, kernel).flatten().collect::<Vec<_>>(), expected);
    }
}

/// Looks at the first chunk.
#[cfg(any(test, fuzzing))]
fn assert_kernels_agree(bytes: &[u8]) {
    let [expected, others @ ..] = [find_slowly, find, find_by_memchr].map(|kernel: Kernel| {
        // Words that are not named may hold anything.
        let mut masks = [0xdead; CHUNK_LEN / BLOCK_LEN];
        let words = kernel(bytes, &mut masks);
        (0..u64::BITS).for_each(|i| masks[i as usize] *= words >> i & 1);
        (words, masks)
    });
    for other in others {
        assert_eq!(other, expected, "{bytes:02x?}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_start_code_is_found_wherever_it_lies() {
        // In and across blocks, in the last block, whole or not, and around the end of the chunk.
        let near_chunk_end = CHUNK_LEN - 70..CHUNK_LEN + 70;
        for len in (0..=200).chain(near_chunk_end.clone()) {
            let places = (0..200).chain(near_chunk_end.clone());
            for at in places.filter(|at| at + START_CODE.len() <= len && at + 200 > len) {
                let mut bytes = vec![0x65; len];
                bytes[at..at + START_CODE.len()].copy_from_slice(&START_CODE);
                for kernel in [find, find_by_memchr] {
                    assert!(Blocks::with_kernel(&bytes, kernel).flatten().eq([at]), "{at} of {len}");
                }
                // Zeros in front and behind make no other start code.
                bytes[..at].fill(0);
                bytes[at + START_CODE.len()..].fill(0);
                assert!(Blocks::new(&bytes).flatten().eq([at]), "{at} of {len}, among zeros");
            }
        }
    }

    #[test]
    fn near_misses_and_halves_of_start_codes_are_not_found() {
        for unit in
            [&[0, 0, 3, 1][..], &[0, 0, 2], &[0, 1], &[0, 0, 0x81], &[0x80, 0, 1], &[0, 0x80, 1], &[0], &[1]]
        {
            let bytes = unit.repeat(100);
            assert_eq!(Blocks::new(&bytes).next(), None, "{unit:02x?}");
            fuzz_start_codes(&bytes);
        }
    }

    #[test]
    fn start_codes_one_behind_the_other_are_all_found() {
        let bytes = START_CODE.repeat(3000);
        assert!(Blocks::new(&bytes).flatten().eq((0..3000).map(|i| i * START_CODE.len())));
        fuzz_start_codes(&bytes[..500]);
    }

    #[test]
    fn every_byte_in_the_place_of_each_of_the_three_is_told_apart() {
        for byte in 0..=u8::MAX {
            for place in 0..START_CODE.len() {
                let mut bytes = START_CODE;
                bytes[place] = byte;
                assert_eq!(Blocks::new(&bytes).count(), usize::from(bytes == START_CODE), "{bytes:02x?}");
                assert_kernels_agree(&bytes);
            }
        }
    }

    proptest! {
        #[test]
        fn every_kernel_equals_the_twin(
            bytes in prop::collection::vec(prop::sample::select(&[0u8, 0, 0, 1, 2, 3, 0x65, 0x80, 0x81][..]), 0..400),
        ) {
            fuzz_start_codes(&bytes);
        }

        #[test]
        fn every_kernel_equals_the_twin_where_start_codes_are_rare(
            mut bytes in prop::collection::vec(any::<u8>(), 0..3 * CHUNK_LEN),
            places in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
            zeros in 2usize..200,
        ) {
            for place in places {
                if bytes.len() > zeros {
                    let at = place.index(bytes.len() - zeros);
                    bytes[at..at + zeros].fill(0);
                    bytes[at + zeros] = 1;
                }
            }
            fuzz_start_codes(&bytes);
        }
    }
}
