//! Open groups of pictures of H.265: a CRA picture that RASL pictures follow starts no segment, since they lean on pictures in
//! front of it. A stream that has closed points often enough is cut at those; one that has not is refused, with the pictures
//! that stand in the way.

use super::ingest::OpenCra;
use super::timing::TimedTrack;
use crate::error::{Error, Result};
use crate::plan::SegmentDuration;
use crate::time::Ticks;

/// Checks that no two sync samples of the track that follow each other are more than one and a half times `target` apart while
/// there is a CRA picture between them that could be cut at if no RASL picture followed it.
///
/// # Errors
/// [`ErrorKind::NotAligned`](crate::ErrorKind::NotAligned), which names the CRA picture and its first RASL picture.
pub fn check(track: &TimedTrack<'_>, target: SegmentDuration) -> Result<()> {
    if track.open_cras.is_empty() {
        return Ok(());
    }
    let mut open_cras = track.open_cras.iter().copied().peekable();
    let (mut start, mut first_open, mut time) = (0, None, 0);
    for (index, sample) in track.source.samples.iter().enumerate() {
        if sample.flags.is_sync() {
            check_span(track, [start, time], first_open, target)?;
            (start, first_open) = (time, None);
        } else if let Some(cra) = open_cras.next_if(|cra| cra.index == index) {
            first_open.get_or_insert((cra, time));
        }
        time += u64::from(sample.duration);
    }
    check_span(track, [start, time], first_open, target)
}

/// Checks what stands between two sync samples, or between the last one and the end.
fn check_span(
    track: &TimedTrack<'_>,
    [start, end]: [u64; 2],
    first_open: Option<(OpenCra, u64)>,
    target: SegmentDuration,
) -> Result<()> {
    let Some((OpenCra { offset, rasl, .. }, at)) =
        first_open.filter(|_| target.is_exceeded_by_half(Ticks(end - start), track.timescale))
    else {
        return Ok(());
    };
    let [start, end, at] = [start, end, at].map(|time| track.timescale.seconds(Ticks(time)));
    let what = format!(
        "no segment can start between {start:.3} s and {end:.3} s: RASL pictures follow the CRA picture at {at:.3} s, the first \
         at {rasl:#x}, which lean on pictures in front of it"
    );
    let remedy = "encode closed groups of pictures (x265: open-gop=0), or take a segment duration that the closed ones are \
                  enough for";
    Err(Error::not_aligned(what, remedy).at(offset).in_file(&track.input.path))
}
