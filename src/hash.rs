//! Bytes ► content hash: XXH3-128, which runs at memory speed. It shows damage and mix-ups, and is no proof against
//! somebody who forges a file.

use std::fmt;

use twox_hash::XxHash3_128;

/// XXH3-128 with seed 0 of a whole file, as `xxh128sum` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub u128);

impl ContentHash {
    /// The hash of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(XxHash3_128::oneshot(bytes))
    }
}

impl fmt::Display for ContentHash {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Hashes a file in parts that come in order.
#[derive(Clone, Default)]
pub struct ContentHasher(XxHash3_128);

impl ContentHasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The hash of all bytes taken.
    pub fn finish(&self) -> ContentHash {
        ContentHash(self.0.finish_128())
    }
}

impl fmt::Debug for ContentHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ContentHasher").field(&self.finish()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_published_vector_and_does_not_depend_on_parts() {
        // XXH128 of the empty input with seed 0: `xxh128sum /dev/null` of xxHash 0.8.
        assert_eq!(ContentHash::of(b"").to_string(), "99aa06d3014798d86001c324468d497f");
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i * 31 % 251) as u8).collect();
        let mut hasher = ContentHasher::default();
        for part in bytes.chunks(77) {
            hasher.update(part);
        }
        assert_eq!(hasher.finish(), ContentHash::of(&bytes));
    }
}
