//! What fuzzing asserts of parameter sets, slice segment headers and configuration records, on any bytes.

use crate::codec::ParameterSetStore;
use crate::codec::record::ConfigurationRecord;

use super::{
    HevcConfiguration, HevcRecord, OrderCounter, ParameterSets, PictureParameterSet, SequenceParameterSet,
    SliceHeader, VideoParameterSet,
};

/// Reads `data` as a video, a sequence and a picture parameter set and a slice segment: three bytes of lengths, then each
/// NAL unit behind its header; and as a configuration record. Reading twice gives the same; a set may be sent again; the
/// record holds what was put in.
#[doc(hidden)]
pub fn fuzz_parameter_sets(data: &[u8]) {
    check_record(data);
    let Some((&[vps_len, sps_len, pps_len], rest)) = data.split_first_chunk() else { return };
    let (vps, rest) = rest.split_at(rest.len().min(usize::from(vps_len)));
    let (sps, rest) = rest.split_at(rest.len().min(usize::from(sps_len)));
    let (pps, slice) = rest.split_at(rest.len().min(usize::from(pps_len)));
    let nal = |unit_type: u8, payload: &[u8]| [&[unit_type << 1, 1], payload].concat();
    let (vps, sps, pps) = (nal(32, vps), nal(33, sps), nal(34, pps));

    assert_eq!(VideoParameterSet::read(&vps).ok(), VideoParameterSet::read(&vps).ok());
    assert_eq!(SequenceParameterSet::read(&sps).ok(), SequenceParameterSet::read(&sps).ok());
    assert_eq!(PictureParameterSet::read(&pps).ok(), PictureParameterSet::read(&pps).ok());
    let mut sets = ParameterSets::default();
    for (set, offset) in [(&vps, 10), (&sps, 20), (&pps, 30)] {
        match sets.insert(set, offset) {
            Ok(()) => {
                sets.insert(set, offset + 100).expect("the same set may be sent again");
                assert!(sets.is_repetition(set) && sets.sent_at(offset + 100).is_some());
            }
            Err(error) => assert!(error.offset().is_some_and(|at| at >= offset && at <= offset + 300)),
        }
    }
    let Ok(set) = PictureParameterSet::read(&pps) else { return };
    if sets.activate(set.id, true, 0).is_ok() {
        assert!(sets.is_active(set.id) && sets.in_force().count() == 3);
        let (_, set) = sets.for_slice(set.id).expect("it is active");
        match sets.configuration() {
            Ok(configuration) => check_configuration(&configuration, [&vps, &sps, &pps]),
            Err(error) => assert_eq!(set.chroma.luma_bits.max(set.chroma.chroma_bits), 16, "{error}"),
        }
    }
    // A trailing picture, RASL, IDR, CRA.
    for unit_type in [1, 8, 19, 21] {
        check_slice(&nal(unit_type, slice), &sets);
    }
}

fn check_slice(slice: &[u8], sets: &ParameterSets) {
    let Ok(first) = SliceHeader::read(slice, sets) else { return };
    assert_eq!(SliceHeader::read(slice, sets).ok(), Some(first));
    assert_eq!(first.first_slice_segment_in_pic, first.segment_address == 0);
    let alone = SliceHeader::read_without_parameter_sets(slice).expect("its beginning was read with them");
    assert_eq!((alone.pps_id, alone.unit_type), (first.pps_id, first.unit_type));
    let (_, sps) = sets.for_slice(first.pps_id).expect("the slice segment was read with them");
    let mut counter = OrderCounter::default();
    for _ in 0..3 {
        let (before, starts) = (counter, counter.starts_sequence(&first));
        match counter.next(&first, sps) {
            Ok(order) => assert_eq!(order.epoch_start, starts),
            Err(_) => assert_eq!(counter, before),
        }
    }
}

fn check_configuration(configuration: &HevcConfiguration, sets: [&[u8]; 3]) {
    let format = configuration.video_format();
    assert!(format.width > 0 && format.height > 0);
    if let Ok(Some(rate)) = configuration.bitstream_rate() {
        assert!(rate.rate.hertz() <= 300.0);
    }
    let bytes = configuration.clone().with_sei(vec![vec![0x4e, 1, 0x89, 0], vec![0x4e]]).record();
    let record = HevcRecord::read(&bytes).expect("what was written is read");
    let trimmed = |nal: &[u8]| nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let sets = sets.map(|nal| &nal[..trimmed(nal)]);
    assert!(record.parameter_sets().into_iter().map(|(_, set)| set).eq(sets), "{bytes:02x?}");
    assert_eq!(record.sei, [&[0x4e, 1, 0x89][..]]);
    assert_eq!(record.profile_tier_level, configuration.profile_tier_level());
    assert!(record.is_within(&record) && record.complete && record.length_size == 4);
    let covering = super::covering_codec_string("hvc1", &[record.clone(), record]);
    assert_eq!(covering.expect("a record covers itself"), configuration.codec_string());
}

fn check_record(data: &[u8]) {
    let Ok(record) = HevcRecord::read(data) else { return };
    assert!([1, 2, 4].contains(&record.length_size));
    let nals = record
        .parameter_sets()
        .into_iter()
        .map(|(_, set)| set.len())
        .chain(record.sei.iter().map(|nal| nal.len()));
    assert!(23 + nals.sum::<usize>() <= data.len());
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Pps, Slice, Sps, Vps};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz_parameter_sets(&data);
        }

        #[test]
        fn damaged_sets_and_slices_are_read_or_refused(
            byte in 0usize..90, value in any::<u8>(), sub_layers in 1u32..7,
        ) {
            let vps = Vps { timing: Some((1, 25)), max_sub_layers: sub_layers, ..Default::default() }.nal();
            let sps = Sps { max_sub_layers: sub_layers, ..Default::default() }.nal();
            let (pps, slice) = (Pps::default().nal(), Slice::p(5).nal());
            let mut data: Vec<u8> = [&vps, &sps, &pps].map(|set| (set.len() - 2) as u8).into();
            for nal in [&vps, &sps, &pps, &slice] {
                data.extend(&nal[2..]);
            }
            fuzz_parameter_sets(&data);
            if let Some(at) = data.get_mut(byte) {
                *at = value;
            }
            fuzz_parameter_sets(&data);
        }

        #[test]
        fn damaged_records_are_read_or_refused(at in 0usize..120, value: u8) {
            let mut sets = ParameterSets::default();
            for (nal, offset) in [Vps::default().nal(), Sps::default().nal(), Pps::default().nal()].iter().zip(0..) {
                sets.insert(nal, offset).unwrap();
            }
            let mut record = sets.configuration().unwrap().record();
            if let Some(byte) = record.get_mut(at) {
                *byte = value;
            }
            fuzz_parameter_sets(&record);
        }
    }
}
