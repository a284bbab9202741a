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

/// With which function the receipt tells what files hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// XXH3-128: damage and mix-ups are found, at memory speed.
    #[default]
    Xxh3,
    /// SHA-256: a forged file is found too, if the receipt can be trusted.
    Sha256,
}

impl HashAlgorithm {
    /// As receipts and the command line name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xxh3 => "xxh3-128",
            Self::Sha256 => "sha256",
        }
    }

    /// The hash of bytes in memory.
    pub fn of(self, bytes: &[u8]) -> String {
        let mut hasher = FileHasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The function of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Xxh3, Self::Sha256].into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// Hashes a file in parts that come in order, with the function that was chosen.
#[derive(Clone, Debug)]
pub struct FileHasher(Function);

#[derive(Clone, Debug)]
enum Function {
    Xxh3(Box<ContentHasher>),
    Sha256(sha2::Sha256),
}

impl FileHasher {
    /// Nothing taken yet.
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Self(match algorithm {
            HashAlgorithm::Xxh3 => Function::Xxh3(Box::default()),
            HashAlgorithm::Sha256 => Function::Sha256(sha2::Sha256::default()),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Function::Xxh3(hasher) => hasher.update(bytes),
            Function::Sha256(hasher) => sha2::Digest::update(hasher, bytes),
        }
    }

    /// The hash of all bytes taken, in hexadecimal digits as `xxh128sum` and `sha256sum` print it.
    pub fn finish(self) -> String {
        match self.0 {
            Function::Xxh3(hasher) => hasher.finish().to_string(),
            Function::Sha256(hasher) => {
                use std::fmt::Write as _;
                let mut text = String::with_capacity(64);
                for byte in sha2::Digest::finalize(hasher) {
                    write!(text, "{byte:02x}").expect("a string takes everything");
                }
                text
            }
        }
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

    #[test]
    fn hashes_of_files_are_as_the_usual_tools_print_them() {
        let hash = |algorithm| {
            let mut hasher = FileHasher::new(algorithm);
            hasher.update(b"a");
            hasher.update(b"bc");
            hasher.finish()
        };
        // FIPS 180-4, B.1 of its examples.
        assert_eq!(
            hash(HashAlgorithm::Sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(hash(HashAlgorithm::Xxh3), ContentHash::of(b"abc").to_string());
        for algorithm in [HashAlgorithm::Xxh3, HashAlgorithm::Sha256] {
            assert_eq!(HashAlgorithm::by_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(HashAlgorithm::by_name("md5"), None);
    }
}
