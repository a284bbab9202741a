//! For tests and fuzzing: streams so small that a package of them is made in a millisecond, and what its files have to
//! hold. The streams are spelled by the builders of each codec, the files by the plainest reading of the plan: nothing here
//! goes the way of the code that writes.

use std::collections::BTreeMap;

use super::{Plan, Request};
use crate::codec::av1::testing::{DELIMITER, Frame, Sequence, obu};
use crate::codec::{h264, h265};

/// How long each stream of video is; the sound is a little longer.
const SECONDS: u32 = 3;

/// H.264, four pictures a second in a closed group for each second, with pictures that are shown in another order.
pub(crate) fn avc() -> Vec<u8> {
    use h264::testing::{Pps, Slice, Sps, vui_timing};
    let mut units =
        vec![Sps { vui: Some(vui_timing(1, 8, true)), ..Default::default() }.nal(), Pps::default().nal()];
    for group in 0..SECONDS {
        let slices =
            [Slice { idr_pic_id: group % 2, ..Slice::idr() }, Slice::p(1, 4), Slice::b(2, 2), Slice::p(2, 6)];
        units.extend((0..).zip(slices).map(|(n, slice)| Slice { data: 100 * group + n, ..slice }.nal()));
    }
    annex_b(&units)
}

/// H.265, four pictures a second, one IDR picture a second.
pub(crate) fn hevc() -> Vec<u8> {
    use h265::testing::{Pps, Slice, Sps, Vps, vui_timing};
    let sps = Sps { vui: Some(vui_timing(1, 4)), ..Default::default() };
    let mut units = vec![Vps::default().nal(), sps.nal(), Pps::default().nal()];
    for group in 0..SECONDS {
        let slices = [Slice::idr(), Slice::p(1), Slice::p(2), Slice::p(3)];
        units.extend((0..).zip(slices).map(|(n, slice)| Slice { data: 100 * group + n, ..slice }.nal()));
    }
    annex_b(&units)
}

/// AV1 in IVF, four frames a second, one key frame a second.
pub(crate) fn av1() -> Vec<u8> {
    // Header of 32 bytes, version 0; 64x48, a time base of 1/4 s.
    let mut file = b"DKIF\0\0\x20\0AV01\x40\0\x30\0\x04\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for number in 0..4 * SECONDS {
        let unit = if number % 4 == 0 {
            [DELIMITER, &obu(1, &Sequence::default().payload()), &Frame::key().obu()].concat()
        } else {
            [DELIMITER, &Frame::inter(1).obu()].concat()
        };
        file.extend_from_slice(&(unit.len() as u32).to_le_bytes());
        file.extend_from_slice(&u64::from(number).to_le_bytes());
        file.extend(unit);
    }
    file
}

/// ADTS frames of AAC LC at 8 kHz in stereo.
pub(crate) fn aac() -> Vec<u8> {
    let frame = |n: u8| {
        const LEN: u8 = 12;
        [0xff, 0xf1, 0x40 | 11 << 2, 0x80, LEN >> 3, (LEN & 7) << 5 | 0x1f, 0xfc, 0x21, 0x10, n, n, n]
    };
    (0..8 * SECONDS as u8).flat_map(frame).collect()
}

fn annex_b(units: &[Vec<u8>]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1], &unit[..]].concat()).collect()
}

/// Every file of a package by path, the receipt included; `inputs` are the bytes of the request's inputs.
pub(crate) fn files(request: &Request, plan: &Plan, inputs: &[Vec<u8>]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut hashes = Vec::new();
    for rendition in &plan.renditions {
        files.extend(rendition.inits().map(|init| (init.path, init.bytes.to_vec())));
        for segment in &rendition.segments {
            let fragment = segment.fragment(&rendition.source.samples).expect("a segment of the plan");
            let mut bytes = Vec::new();
            let list = fragment.piece_list().expect("it has a size already");
            list.write_to(&inputs[rendition.input], &mut bytes).expect("ranges of the input");
            hashes.push(request.hash.map(|algorithm| algorithm.of(&bytes)));
            files.insert(rendition.segment_path(segment), bytes);
        }
    }
    files.extend(plan.manifests.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())));
    files.insert(crate::io::publish::RECEIPT.to_owned(), plan.receipt(request, hashes).to_json());
    files
}
