//! A receipt as it is read: what is compared, and nothing else. Fields that are not known are passed over, so that receipts
//! of later versions can be read; older ones have `fragmint` and `files` alone.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

/// The most entries of a list: some weeks of segments.
const MAX_ENTRIES: usize = 1_000_000;

/// What a run wrote.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Receipt {
    /// Version of the program.
    pub fragmint: String,
    #[serde(default)]
    pub options: Option<Options>,
    #[serde(default)]
    pub tracks: List<Track>,
    pub files: List<ListedFile>,
}

/// How it was asked to.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Options {
    /// By which function files are hashed; `none` where they are not.
    #[serde(default)]
    pub hash: Option<String>,
}

/// A track in sum.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Track {
    /// Where its segments are.
    pub directory: String,
    /// Ticks of its timescale.
    pub duration: u64,
    /// Count of its media segments.
    pub segments: u64,
}

/// One file.
#[derive(Debug, serde::Deserialize)]
pub(super) struct ListedFile {
    /// Relative to the directory of the receipt, with `/` between the names.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Media segments alone: ticks of the timescale of the track.
    #[serde(default)]
    pub duration: Option<u64>,
    /// Hexadecimal digits.
    #[serde(default)]
    pub hash: Option<String>,
}

/// A list of at most [`MAX_ENTRIES`].
#[derive(Debug)]
pub(super) struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX_ENTRIES} entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<List<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = sequence.next_element()? {
            if entries.len() == MAX_ENTRIES {
                return Err(A::Error::custom(format_args!("a list has more than {MAX_ENTRIES} entries")));
            }
            entries.push(entry);
        }
        Ok(List(entries))
    }
}
