//! `@bandwidth` (ISO/IEC 23009-1 5.3.5.2, not opened): the rate of a channel over which a player never runs dry that
//! starts at any segment and plays once `@minBufferTime` × `@bandwidth` bits are there.
//!
//! How bytes lie within a segment is not known here, so a segment counts as needed whole when its first sample is presented. For
//! a start at segment `i`, playing from `minBufferTime` after the first bit, segment `j` is needed at
//! `minBufferTime + start(j) - start(i)`. So a rate is enough if, for each `i <= j`,
//!
//! ```text
//! bits(i) + … + bits(j)  <=  rate × (minBufferTime + start(j) - start(i))
//! ```
//!
//! which is a bucket that holds `rate × minBufferTime` bits, takes each segment at its start and leaks at `rate`: it must not
//! overflow. `@bandwidth` is the least whole rate for which it does not, and not less than the average. `@minBufferTime` is the longest segment of the
//! presentation: with less, a constant bit rate would need a `@bandwidth` above itself. Init segments do not count.

use super::timing::{self, Microseconds};
use crate::error::{Error, Result};
use crate::presentation::PackagedTrack;

/// The least `@bandwidth` of a track in bits per second, at least its average rate and 1.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when it is more than the `xs:unsignedInt` of the schema.
pub(super) fn bandwidth(track: &PackagedTrack, min_buffer_time: Microseconds) -> Result<u32> {
    if !is_enough(track, u32::MAX, min_buffer_time) {
        return Err(Error::conflict(
            format!(
                "{}: needs more than {} bit/s, the most that an MPD can say",
                track.directory(),
                u32::MAX
            ),
            "encode it with a lower bit rate",
        ));
    }
    // A rate above one that is enough is enough. Behind a long segment of another track the bucket is so deep that the least rate
    // would be below the track's own, which nobody who compares it with a throughput could play for long.
    let average = u32::try_from(track.average_bit_rate().ceil()).unwrap_or(u32::MAX);
    let (mut least, mut enough) = (average.max(1), u32::MAX);
    while least < enough {
        let middle = least + (enough - least) / 2;
        if is_enough(track, middle, min_buffer_time) {
            enough = middle;
        } else {
            least = middle + 1;
        }
    }
    Ok(enough)
}

/// Whether the bucket does not overflow. It is filled in bits times ticks a second: 64 + 3 + 32 binary digits at most, and
/// 20 more with microseconds.
fn is_enough(track: &PackagedTrack, rate: u32, min_buffer_time: Microseconds) -> bool {
    let (rate, timescale) = (u128::from(rate), u128::from(track.timescale().get()));
    // Where that passes 128 bits it is more than the bucket is ever filled with.
    let size = min_buffer_time.0.saturating_mul(rate).saturating_mul(timescale);
    let mut filled = 0u128;
    track.segments().iter().all(|segment| {
        filled += u128::from(segment.bytes) * 8 * timescale;
        let holds = filled * 1_000_000 <= size;
        filled = filled.saturating_sub(rate * u128::from(timing::presented_duration(track, segment)));
        holds
    })
}
