//! What fuzzing asserts of parameter sets and slice headers, on any bytes.

use crate::codec::ParameterSetStore;

use super::{
    AvcConfiguration, OrderCounter, ParameterSets, PictureParameterSet, SequenceParameterSet, SliceHeader,
    read_pic_struct,
};

/// Reads `data` as a sequence parameter set, a picture parameter set, and a slice: two bytes of lengths, then each NAL
/// unit behind its header. Reading twice gives the same; a set may be sent again; the record holds what was put in.
#[doc(hidden)]
pub fn fuzz_parameter_sets(data: &[u8]) {
    let Some((&[sps_len, pps_len], rest)) = data.split_first_chunk() else { return };
    let (sps, rest) = rest.split_at(rest.len().min(usize::from(sps_len)));
    let (pps, slice) = rest.split_at(rest.len().min(usize::from(pps_len)));
    let nal = |header: u8, payload: &[u8]| [&[header], payload].concat();
    let (sps, pps) = (nal(0x67, sps), nal(0x68, pps));

    assert_eq!(SequenceParameterSet::read(&sps).ok(), SequenceParameterSet::read(&sps).ok());
    assert_eq!(PictureParameterSet::read(&pps).ok(), PictureParameterSet::read(&pps).ok());
    let mut sets = ParameterSets::default();
    for (set, offset) in [(&sps, 10), (&pps, 20)] {
        match sets.insert(set, offset) {
            Ok(()) => sets.insert(set, offset + 100).expect("the same set may be sent again"),
            Err(error) => assert!(error.offset().is_some_and(|at| at >= offset && at <= offset + 300)),
        }
    }
    let Ok(set) = PictureParameterSet::read(&pps) else { return };
    if sets.activate(set.id, true, 0).is_ok() {
        let configuration = sets.configuration().expect("one set of each kind fits the record");
        check_configuration(&configuration, &sps, &pps);
    }
    for header in [0x65, 0x41, 0x01] {
        let slice = nal(header, slice);
        let Ok(first) = SliceHeader::read(&slice, &sets) else { continue };
        assert_eq!(SliceHeader::read(&slice, &sets).ok(), Some(first));
        assert!(first.starts_new_picture(&first), "the same slice twice is two pictures");
        assert!(!first.is_second_field_of(&first), "a field has one parity");
        let (_, sps) = sets.for_slice(first.start.pps_id).expect("the slice was read with them");
        if let Err(error) = read_pic_struct(&slice, sps) {
            assert_eq!(error.offset(), Some(slice.len() as u64), "it only can be cut off");
        }
        let mut counter = OrderCounter::default();
        for _ in 0..3 {
            let before = counter;
            match counter.next(&first, sps) {
                Ok(order) => assert_eq!(order.epoch_start, first.idr || first.resets_order),
                Err(_) => assert_eq!(counter, before),
            }
        }
    }
}

fn check_configuration(configuration: &AvcConfiguration, sps: &[u8], pps: &[u8]) {
    let format = configuration.video_format();
    assert!(format.width > 0 && format.height > 0);
    let record = configuration.record();
    let trimmed = |nal: &[u8]| nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let (sps, pps) = (&sps[..trimmed(sps)], &pps[..trimmed(pps)]);
    assert_eq!(&record[8..8 + sps.len()], sps);
    let pps_at = 8 + sps.len() + 3;
    assert_eq!(&record[pps_at..pps_at + pps.len()], pps);
    let tail = if matches!(configuration.profile_idc(), 66 | 77 | 88) { 0 } else { 4 };
    assert_eq!(record.len(), pps_at + pps.len() + tail);
    assert_eq!(configuration.codec_string().len(), "avc1.PPCCLL".len());
    if let Ok(Some(rate)) = configuration.bitstream_rate() {
        assert!(rate.rate.hertz() <= 300.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Pps, Slice, Sps};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz_parameter_sets(&data);
        }

        #[test]
        fn damaged_sets_and_slices_are_read_or_refused(
            byte in 0usize..60, value in any::<u8>(), profile in prop::sample::select(vec![66u32, 77, 100, 244]),
            field in any::<Option<bool>>(),
        ) {
            let frame_mbs_only = field.is_none();
            let sps = Sps { profile_idc: profile, frame_mbs_only, ..Default::default() }.nal();
            let slice = Slice::p(3, 5);
            let slice = field.map_or(slice.clone(), |bottom| slice.field(bottom)).nal();
            let pps = Pps::default().nal();
            let mut data = vec![(sps.len() - 1) as u8, (pps.len() - 1) as u8];
            for nal in [&sps, &pps, &slice] {
                data.extend(&nal[1..]);
            }
            fuzz_parameter_sets(&data);
            if let Some(at) = data.get_mut(byte) {
                *at = value;
            }
            fuzz_parameter_sets(&data);
        }
    }
}
