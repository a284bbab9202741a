//! Samples of `mp4a`: raw frames, without the headers that a stream of them has (ISO/IEC 14496-3 1.A.3).

use super::{Look, SAMPLE_SYNTAX};

/// Looks at the first sample of the segment: a writer that leaves headers in does so everywhere.
pub(super) fn check(look: &mut Look<'_>) {
    let samples = look.samples();
    let Some(first) = samples.first() else { return };
    let mut head = Vec::new();
    if first.sample.size < 2 || look.read(first.place.start, 2, &mut head).is_err() {
        return;
    }
    // syncword and layer 0, which MPEG-1 audio never has; no raw frame starts with id_syn_ele 7, which ends it.
    if head[0] == 0xff && head[1] & 0xf6 == 0xf0 {
        look.add(&SAMPLE_SYNTAX, first.place.start, "the sample starts with an ADTS header");
    }
}
