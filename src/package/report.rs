//! What a run did, or a plan would do, for people and programs: `fragmint package --json` prints it.
//!
//! The JSON schema is in `docs/report.md`. A report is a function of inputs and settings but for what verification cost and the
//! number of threads: it holds no time of day, and nothing else depends on how many threads there are.

use std::path::Path;

use serde::Serialize;

use crate::presentation::{Media, PackagedTrack};
use crate::scan::{Count, Dropped};

/// The report of one package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of the program.
    pub fragmint: String,
    /// The output directory, as it was given.
    pub output: String,
    /// Whether files were written; false for a plan.
    pub written: bool,
    /// How segment files are filled.
    pub io: IoReport,
    /// Threads that shared the work: those of the current rayon pool.
    pub threads: u64,
    /// What verification looked at, and what it cost; `None` where it was left out, or nothing was written.
    pub verification: Option<VerificationReport>,
    /// Files that were there from a run that was interrupted, and stayed.
    pub kept: u64,
    /// `EXT-X-TARGETDURATION` of every playlist, in seconds.
    pub target_duration: u64,
    /// The renditions, video first, in input order.
    pub renditions: Vec<RenditionReport>,
    /// Groups of renditions that a player may switch between, by index into `renditions`.
    pub switching_sets: Vec<Vec<usize>>,
    /// What a person should know although it stopped nothing.
    pub notices: Vec<Notice>,
    /// Files of the package, the receipt included.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How segment files are filled, and why so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IoReport {
    /// `mapped` or `gather`.
    pub way: String,
    /// Why this way.
    pub reason: String,
}

/// What verification before publication did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerificationReport {
    /// Files that were read back: init segments, media segments and manifests.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Time that it took, of all threads together, in microseconds: the one figure that differs from run to run. Hashing is
    /// in it, which is done on the way.
    pub microseconds: u64,
}

/// One rendition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RenditionReport {
    /// The input it came from.
    pub input: InputReport,
    /// Name for people, where one was given.
    pub name: Option<String>,
    /// Its directory below the output directory.
    pub directory: String,
    /// RFC 6381 codec string.
    pub codec: String,
    /// What it holds.
    #[serde(flatten)]
    pub media: MediaReport,
    /// Language tag, where one was given.
    pub language: Option<String>,
    /// Ticks per second of every time below.
    pub timescale: u32,
    /// Duration in ticks.
    pub duration: u64,
    /// Number of samples: pictures, or audio frames.
    pub samples: u64,
    /// Bytes of the init segment and all media segments.
    pub bytes: u64,
    /// Average bit rate of the media segments in bit/s, rounded up.
    pub average_bit_rate: u64,
    /// Peak bit rate in bit/s by the rule for `BANDWIDTH` (RFC 8216 4.3.4.2).
    pub peak_bit_rate: u64,
    /// What lies between its discontinuities; one where it has none.
    pub periods: Vec<PeriodReport>,
    /// The media segments in order.
    pub segments: Vec<SegmentReport>,
}

/// A part of a rendition: from a discontinuity to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeriodReport {
    /// Number of its first segment.
    pub first_segment: u32,
    /// Its init segment, relative to the rendition's directory; several periods may have the same.
    pub init: String,
    /// RFC 6381 codec string.
    pub codec: String,
    /// Coded width and height after cropping, of video.
    #[serde(flatten)]
    pub size: Option<SizeReport>,
}

/// Size of a coded picture after cropping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SizeReport {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl RenditionReport {
    /// The periods of a track.
    pub(super) fn periods_of(track: &PackagedTrack) -> Vec<PeriodReport> {
        let period = |part: PackagedTrack| {
            let size = match *part.media() {
                Media::Video { format, .. } => {
                    Some(SizeReport { width: format.width, height: format.height })
                }
                Media::Audio { .. } => None,
            };
            PeriodReport {
                first_segment: part.segments().first().map_or(1, |first| first.number.get()),
                init: part.init().to_owned(),
                codec: part.codec().to_owned(),
                size,
            }
        };
        track.periods().into_iter().map(period).collect()
    }
}

/// What kind of media, with the figures of that kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "media", rename_all = "lowercase")]
pub enum MediaReport {
    /// Pictures.
    Video {
        /// Coded width after cropping.
        width: u16,
        /// Coded height after cropping.
        height: u16,
        /// Frames per second, as a fraction.
        frame_rate: Option<String>,
        /// Dynamic range: `SDR`, `HLG` or `PQ`.
        video_range: String,
    },
    /// Sound.
    Audio {
        /// Number of channels.
        channels: u16,
        /// Samples per second.
        sample_rate: u32,
    },
}

/// How an input was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputReport {
    /// Its path, as it was given.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// In how many parts it was scanned; threads share the parts.
    pub scan_parts: u64,
    /// What the samples do not hold: the whole list.
    pub dropped: Dropped,
    /// Parameter sets that the samples hold once more than the input: every IDR picture has all (`avc3`).
    pub repeated_parameter_sets: Count,
}

/// One media segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SegmentReport {
    /// Its number, from 1.
    pub number: u32,
    /// Decode time of its first sample in ticks.
    pub start: u64,
    /// Duration in ticks.
    pub duration: u64,
    /// Size in bytes.
    pub bytes: u64,
}

/// Something a person should know although it stopped nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The input or rendition that it is about.
    pub about: String,
    /// What was noticed, and what was done.
    pub message: String,
}

impl Notice {
    /// A notice about an input.
    pub fn about(input: &Path, message: impl Into<String>) -> Self {
        Self { about: input.display().to_string(), message: message.into() }
    }
}
