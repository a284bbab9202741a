//! What verification says: for people by the command, for programs as JSON (`fragmint verify --json`, docs/verify.md).

use serde::Serialize;

use super::findings::Finding;
use super::rules::Severity;

/// The answer about one package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of the program.
    pub fragmint: &'static str,
    /// What was verified, as it was given.
    pub target: String,
    /// The manifests that were read.
    pub manifests: Vec<String>,
    /// The tracks that they name, each once.
    pub tracks: Vec<TrackReport>,
    /// Whether there was a receipt to compare with: without one, payload is checked by its syntax alone.
    pub receipt: bool,
    /// Files that were read, and their bytes.
    pub files: u64,
    /// See `files`.
    pub bytes: u64,
    /// What could not be looked at, and why: codecs that are not known, encrypted samples.
    pub not_checked: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// One track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrackReport {
    /// What it is called in its manifest.
    pub name: String,
    /// Codec string of its sample entry; of several tracks in one file theirs, with commas between.
    pub codec: Option<String>,
    /// Segments that could be read.
    pub segments: u64,
    /// Their samples, of every track in them.
    pub samples: u64,
    /// Ticks per second of `duration`; 0 if the init segment could not be read.
    pub timescale: u32,
    /// Their duration; of several tracks in one file that of pictures, else of the first.
    pub duration: u64,
    /// Their bytes and those of the init segment.
    pub bytes: u64,
}

impl Report {
    /// How many findings of `severity` there are, those that are only counted included.
    pub fn count(&self, severity: Severity) -> u64 {
        let of = self.findings.iter().filter(|finding| finding.rule.severity == severity);
        of.map(|finding| 1 + finding.more).sum()
    }
}
