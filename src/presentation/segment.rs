//! A media segment as it lies in its file: what manifests and merges need to know of it, and nothing of its samples.

use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::hash::ContentHash;
use crate::time::{DecodeTime, Ticks};

/// One media segment that has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number in the track, from 1.
    pub number: NonZeroU32,
    /// Where it is, relative to its media playlist.
    pub uri: String,
    /// Where its file is, for whoever opens it; [`Segment::new`] knows no more than `uri`.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// The sum of its samples' durations, in ticks of the track's timescale; above 0.
    pub duration: Ticks,
    /// Decode time of its first sample, in ticks.
    pub base_decode_time: DecodeTime,
    /// Hash of the file; `None` where it was not made.
    pub content_hash: Option<ContentHash>,
}

impl Segment {
    /// A segment in the file that its number names: `seg-00001.m4s`, with more digits past 99999.
    pub fn new(number: NonZeroU32, bytes: u64, duration: Ticks, base_decode_time: DecodeTime) -> Self {
        let uri = Self::file_name(number);
        let path = PathBuf::from(&uri);
        Self { number, uri, path, bytes, duration, base_decode_time, content_hash: None }
    }

    /// Name of the file of the segment with this number.
    pub(crate) fn file_name(number: NonZeroU32) -> String {
        format!("seg-{number:05}.m4s")
    }
}
