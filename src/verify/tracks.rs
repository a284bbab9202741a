//! Segments after each other, tracks beside each other, and what manifests say of them.

use super::findings::Findings;
use super::header::Header;
use super::listing::Listing;
use super::rules::declare_rules;
use super::segment::Segment;

declare_rules! {
    TFDT_CONTINUITY: Error "tfdt-continuity", "ISO/IEC 23000-19 7.3.2.2 (not opened)",
        "each segment starts at the decode time where the one before it ends";
}

/// What is kept of a media segment when its samples are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentFacts {
    /// Bytes.
    pub bytes: u64,
    /// Offset of the first `moof` in the file.
    pub offset: u64,
    /// `sequence_number` of each chunk's `mfhd` rises; the first and the last.
    pub sequence_numbers: (u32, u32),
    /// Decode time of the first sample.
    pub decode_time: u64,
    /// Sum of the sample durations.
    pub duration: u64,
    /// The least composition time.
    pub earliest_presentation: i128,
    /// The largest composition time with the duration of that sample.
    pub presentation_end: i128,
    /// Count of samples.
    pub samples: u64,
    /// The first sample is a sync sample by its flags.
    pub starts_with_sync: bool,
    /// Durations of its samples: the shortest and the longest.
    pub sample_durations: (u32, u32),
}

impl SegmentFacts {
    /// What is kept of `segment`; `None` for one without samples.
    pub(super) fn of(segment: &Segment) -> Option<Self> {
        let _ = segment;
        None
    }
}

/// A track of a listing with what was read of it. `segments` has an entry for each listed segment, `None` where it could not
/// be read.
#[derive(Clone, Debug, Default)]
pub(super) struct TrackFacts {
    pub header: Option<Header>,
    pub segments: Vec<Option<SegmentFacts>>,
}

/// Checks a presentation: `facts` are those of the listing's tracks, in its order.
pub(super) fn check(listing: &Listing, facts: &[TrackFacts], findings: &mut Findings) {
    let _ = (listing, facts, findings);
}

/// Checks several manifests of one package against each other.
pub(super) fn check_together(listings: &[Listing], findings: &mut Findings) {
    let _ = (listings, findings);
}
