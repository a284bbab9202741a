use crate::codec::h265::testing::{Pps, Slice, Sps, Vps};
use crate::error::Result;
use crate::segmenter::packets::{Packets, Parsed};
use crate::segmenter::pending::Pending;
use crate::segmenter::{CodecConfig, SampleTiming};
use crate::time::DecodeTime;

/// Composition offsets of pictures that last 1000 ticks each, in one packet or in one each.
fn offsets(slices: &[Slice], together: bool) -> Result<Vec<i32>> {
    let sets = [Vps::default().nal(), Sps::default().nal(), Pps::default().nal()];
    let unit = |nal: &Vec<u8>| [&[0, 0, 0, 1][..], nal].concat();
    let mut packets: Vec<Vec<u8>> = slices.iter().map(|slice| unit(&slice.nal())).collect();
    packets[0] = [sets.iter().flat_map(unit).collect(), packets[0].clone()].concat();
    if together {
        packets = vec![packets.concat()];
    }
    let mut reader = Packets::new(&CodecConfig::hevc(), false, None)?;
    let (mut parsed, mut pending) = (Parsed::default(), Pending::default());
    for packet in packets {
        reader.read(&packet, &mut parsed)?;
        pending.check(&parsed, SampleTiming::new(1000))?;
        pending.add(&parsed, SampleTiming::new(1000));
    }
    pending.settle(DecodeTime(0))?;
    Ok(pending.samples().iter().map(|sample| sample.composition_offset.0).collect())
}

#[test]
fn a_rasl_picture_may_be_shown_before_pictures_in_front_of_its_cra_picture() {
    // Shown as 0, 3, 6, 10.
    let slices = [Slice::idr(), Slice::p(6), Slice::cra(10), Slice::b(9, 3)];
    for together in [false, true] {
        assert_eq!(offsets(&slices, together).unwrap(), [0, 1000, 1000, -2000]);
    }
}

#[test]
fn a_cra_picture_without_rasl_pictures_is_shown_behind_all_in_front_of_it() {
    let sound = [Slice::idr(), Slice::p(6), Slice::cra(10), Slice::b(7, 8)];
    let damaged = [Slice::idr(), Slice::p(6), Slice::cra(4), Slice::p(7)];
    for together in [false, true] {
        assert_eq!(offsets(&sound, together).unwrap(), [0, 0, 1000, -1000]);
        let error = offsets(&damaged, together).unwrap_err().to_string();
        assert!(
            error.contains("has picture order count 4, not behind 6") && error.contains("7.4.2.2"),
            "{error}"
        );
        // One that RASL pictures follow, in front, makes no difference.
        let open = [Slice::cra(10), Slice::b(9, 3), Slice::p(14), Slice::cra(12)];
        let error = offsets(&[&sound[..2], &open].concat(), together).unwrap_err().to_string();
        assert!(error.contains("has picture order count 12, not behind 14"), "{error}");
    }
}
