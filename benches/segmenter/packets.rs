//! Packets as encoders give them, for measuring: the headers are real, what decoders would decode is noise.

use std::path::Path;

use fragmint::scan::annexb::NalUnits;
use fragmint::scan::h264::{AccessUnit, AccessUnitBuilder, AccessUnitOptions};

/// A group of 50 pictures: those of the example ladder's smallest stream, each filled up to `size` bytes, every NAL unit
/// behind `start_code`. It may follow itself.
pub fn pictures(size: usize, start_code: &[u8]) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder/234p.h264");
    let stream = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    let mut ends = Vec::new();
    let mut add = |unit: AccessUnit<'_>| ends.extend(unit.units.last().map(|nal| nal.end()));
    let nals: Vec<_> =
        NalUnits::new(&stream).and_then(|nals| nals.collect()).expect("the ladder is a byte stream");
    for nal in &nals {
        builder.push(*nal).expect("the ladder is sound").map(&mut add);
    }
    let mut start = 0;
    ends.truncate(50);
    ends.into_iter()
        .map(|end| {
            let mut packet = Vec::new();
            for nal in nals.iter().filter(|nal| (start..end).contains(&nal.offset)) {
                packet.extend_from_slice(start_code);
                packet.extend_from_slice(nal.head);
            }
            start = end;
            let missing = size.saturating_sub(packet.len());
            packet.extend(noise().take(missing));
            packet
        })
        .collect()
}

/// Two seconds of audio frames at 48 kHz of `size` bytes.
pub fn sound(size: usize) -> Vec<Vec<u8>> {
    vec![noise().take(size).collect(); 94]
}

/// Bytes without a zero, so that no start code comes of them.
fn noise() -> impl Iterator<Item = u8> {
    let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    std::iter::successors(Some(1_u64), next).map(|state| (state >> 56) as u8 | 1)
}
