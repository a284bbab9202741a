//! What samples of Opus, FLAC, AC-3 and E-AC-3 have in common: each decodes by itself, lasts as long as its frames do, and they
//! are of the configuration in the sample entry.

use super::{Look, Placed, SAMPLE_DURATION, SAMPLE_SYNC, Stop, crc::crc_16};
use crate::verify::header::Header;

/// Bytes that are read at once for a checksum.
const PART: u64 = 64 << 10;

/// What the frames of a sample decode to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// Samples of each channel.
    pub samples: u32,
    /// Of which there are so many a second.
    pub rate: u32,
}

/// A sample against what its frames say of its duration, and its flags. The last sample of a track may be cut short, which where
/// it stands tells: here it is kept that one was.
pub(super) fn judge(placed: &Placed, decoded: Decoded, is_last: bool, header: &Header, look: &mut Look<'_>) {
    let (index, offset) = (placed.index, placed.place.start);
    // Products of 32 bits, of which a tick is `rate`.
    let told = u64::from(placed.sample.duration) * u64::from(decoded.rate);
    let found = u64::from(decoded.samples) * u64::from(header.timescale);
    if told.abs_diff(found) >= u64::from(decoded.rate.max(1)) {
        if is_last && told < found {
            look.looked.is_cut_short = true;
        } else {
            let message = format!(
                "sample {index} lasts {} ticks of {} a second, what is in it {} samples of {} a second",
                placed.sample.duration, header.timescale, decoded.samples, decoded.rate
            );
            look.add(&SAMPLE_DURATION, offset, message);
        }
    }
    if !placed.sample.is_sync() {
        let message = format!("sample {index} can be decoded by itself, and is not marked as a sync sample");
        look.add_as(look.cmaf, &SAMPLE_SYNC, offset, message);
    }
}

/// The remainder of `len` bytes at `offset`, which is 0 where a checksum at their end holds.
pub(super) fn remainder(look: &mut Look<'_>, offset: u64, len: u64) -> Result<u16, Stop> {
    let mut part = Vec::new();
    let (mut at, end, mut rest) = (offset, offset + len, 0);
    while at < end {
        let len = PART.min(end - at);
        look.read(at, len as usize, &mut part)?;
        rest = crc_16(rest, &part);
        at += len;
    }
    Ok(rest)
}
