//! Which pictures decoding may start at, and which cannot be decoded.

use super::*;
use RandomAccess::{No, Rasl, Sync, UnlessRaslFollows};

/// Access, count and start of an epoch of every picture of these slices, with default sets in front.
fn accesses(slices: &[Slice]) -> Vec<(RandomAccess, i32, bool)> {
    facts(&Stream::with_sets(slices.iter().map(Slice::nal)).run(false).unwrap().0)
}

fn facts(seen: &[Seen]) -> Vec<(RandomAccess, i32, bool)> {
    seen.iter().map(|seen| (seen.access, seen.count, seen.epoch_start)).collect()
}

#[test]
fn idr_picture_starts_with_and_without_decodable_leading_pictures() {
    let slices =
        [Slice::idr(), Slice::b(6, 14), Slice::b(7, 15), Slice::p(4), Slice::irap(20, 0), Slice::p(1)];
    // Leading pictures count down from 0.
    let expected =
        [(Sync, 0, true), (No, -2, false), (No, -1, false), (No, 4, false), (Sync, 0, true), (No, 1, false)];
    assert_eq!(accesses(&slices), expected);
}

#[test]
fn bla_picture_starts_a_sequence_whose_rasl_pictures_cannot_be_decoded() {
    for unit_type in [16, 17, 18] {
        let slices = [Slice::idr(), Slice::p(7), Slice::irap(unit_type, 5), Slice::b(6, 4), Slice::p(8)];
        let expected = [(Sync, 0, true), (No, 7, false), (Sync, 5, true), (No, 4, false), (No, 8, false)];
        assert_eq!(accesses(&slices), expected, "{unit_type}");

        let slices = [
            Slice::idr(),
            Slice::p(7),
            Slice::irap(unit_type, 5),
            Slice::b(8, 3),
            Slice::b(9, 2),
            Slice::p(8),
        ];
        let stream = Stream::with_sets(slices.iter().map(Slice::nal));
        let error = stream.error(false);
        assert!(error.to_string().contains("--drop-leading"), "{error}");
        assert_eq!(error.offset(), Some(stream.offsets[6]));
        let (seen, dropped) = stream.run(true).unwrap();
        assert_eq!(facts(&seen), [(Sync, 0, true), (No, 7, false), (Sync, 5, true), (No, 8, false)]);
        assert_eq!(
            (dropped.skipped_pictures.units, dropped.skipped_pictures.bytes),
            (2, stream.bytes(&[6, 7]))
        );
        assert_eq!(dropped.leading_pictures, Count::default());
    }
}

#[test]
fn cra_picture_within_a_sequence_goes_on_counting_and_keeps_its_rasl_pictures() {
    let slices = [
        Slice::idr(),
        Slice::p(7),
        Slice::cra(12),
        Slice::b(8, 9),
        Slice::b(6, 11),
        Slice::p(2),
        Slice::cra(6),
        Slice::p(8),
    ];
    let expected = [
        (Sync, 0, true),
        (No, 7, false),
        (UnlessRaslFollows, 12, false),
        (Rasl, 9, false),
        (No, 11, false),
        (No, 18, false),
        (UnlessRaslFollows, 22, false),
        (No, 24, false),
    ];
    assert_eq!(accesses(&slices), expected);
}

#[test]
fn opening_cra_picture_is_a_sync_sample_whose_rasl_pictures_are_refused_or_dropped_whole_and_counted() {
    let nals = [
        SEI,
        &Slice::cra(8).nal(),
        SEI,
        &Slice::b(8, 5).nal(),
        &Slice::b(8, 5).next_segment(6).nal(),
        SUFFIX_SEI,
        &Slice::b(7, 7).nal(),
        &Slice::p(12).nal(),
        // Its pictures in front have come by now.
        &Slice::cra(2).nal(),
        &Slice::b(9, 15).nal(),
    ];
    let stream = Stream::with_sets(nals);
    let error = stream.error(false);
    assert!(
        error.to_string().contains("a RASL picture whose CRA or BLA picture starts the stream"),
        "{error}"
    );
    assert_eq!(error.offset(), Some(stream.offsets[6]));
    let (seen, dropped) = stream.run(true).unwrap();
    let expected =
        [(Sync, 8, true), (No, 7, false), (No, 12, false), (UnlessRaslFollows, 18, false), (Rasl, 15, false)];
    assert_eq!(facts(&seen), expected);
    assert_eq!(seen[0].units, [3, 4]);
    assert_eq!(seen[1].units, [9]);
    assert_eq!(
        (dropped.skipped_pictures.units, dropped.skipped_pictures.bytes),
        (1, stream.bytes(&[5, 6, 7, 8]))
    );
}

#[test]
fn cra_picture_behind_an_end_of_sequence_starts_anew() {
    let nals = [
        &Slice::idr().nal(),
        &Slice::p(7).nal(),
        END_OF_SEQUENCE,
        &Slice::cra(4).nal(),
        &Slice::b(8, 2).nal(),
        &Slice::p(6).nal(),
    ];
    let stream = Stream::with_sets(nals);
    assert_eq!(stream.error(false).offset(), Some(stream.offsets[7]));
    let (seen, dropped) = stream.run(true).unwrap();
    assert_eq!(facts(&seen), [(Sync, 0, true), (No, 7, false), (Sync, 4, true), (No, 6, false)]);
    assert_eq!(seen[1].units, [4, 5]);
    assert_eq!(dropped.skipped_pictures.units, 1);
    // An end of the bitstream says the same; that of another layer does not.
    let between = |unit: &[u8]| {
        let nals =
            [&Slice::idr().nal(), &Slice::p(7).nal(), unit, &Slice::cra(12).nal(), &Slice::b(8, 9).nal()];
        Stream::with_sets(nals).run(true).unwrap().0.len()
    };
    assert_eq!((between(END_OF_BITSTREAM), between(&unit(36, 1)), between(&unit(37, 1))), (3, 4, 4));
}

#[test]
fn picture_before_its_cra_picture_is_a_leading_one_whatever_it_is_called() {
    let layered = |slice: Slice| Slice { temporal_id: 1, ..slice };
    let sets = [
        Vps { max_sub_layers: 2, ..Default::default() }.nal(),
        Sps { max_sub_layers: 2, ..Default::default() }.nal(),
        Pps::default().nal(),
    ];
    let slices = [
        Slice::idr(),
        Slice::cra(8),
        layered(Slice::b(2, 5)),
        Slice::b(6, 7),
        layered(Slice::b(4, 9)),
        Slice::p(12),
        // It stands behind the CRA picture, though before the picture in front.
        Slice::b(0, 10),
        Slice::idr(),
        Slice::b(0, 15),
    ];
    let stream = |from: usize| Stream::new(sets.iter().cloned().chain(slices[from..].iter().map(Slice::nal)));
    let expected = [
        (Sync, 0, true),
        (UnlessRaslFollows, 8, false),
        (Rasl, 5, false),
        (No, 7, false),
        (No, 9, false),
        (No, 12, false),
        (No, 10, false),
        (Sync, 0, true),
        (No, -1, false),
    ];
    assert_eq!(facts(&stream(0).run(false).unwrap().0), expected);
    // Where the CRA picture starts the stream it cannot be decoded.
    let opening = stream(1);
    assert_eq!(opening.error(false).offset(), Some(opening.offsets[4]));
    let (seen, dropped) = opening.run(true).unwrap();
    assert_eq!(seen.len(), 7);
    assert_eq!((dropped.skipped_pictures.units, dropped.skipped_pictures.bytes), (1, opening.bytes(&[4])));
}

#[test]
fn pictures_in_front_of_the_first_irap_picture_are_refused_or_dropped_whole_and_counted() {
    for irap in [Slice::idr(), Slice::cra(3), Slice::irap(17, 3)] {
        let nals = [
            SEI,
            &Slice::p(6).nal(),
            SUFFIX_SEI,
            &Slice::p(6).next_segment(6).nal(),
            &Slice::b(8, 4).nal(),
            SEI,
            &irap.nal(),
            &Slice::p(4).nal(),
        ];
        let stream = Stream::with_sets(nals);
        let error = stream.error(false);
        assert!(error.to_string().contains("an IRAP picture (IDR, BLA or CRA; H.265 7.4.2.2)"), "{error}");
        assert_eq!(error.offset(), Some(stream.offsets[4]));
        let (seen, dropped) = stream.run(true).unwrap();
        assert_eq!(seen.iter().map(|seen| seen.units.clone()).collect::<Vec<_>>(), [vec![8, 9], vec![10]]);
        assert_eq!(seen[0].access, Sync);
        let expected = (2, stream.bytes(&[3, 4, 5, 6, 7]));
        assert_eq!((dropped.leading_pictures.units, dropped.leading_pictures.bytes), expected);
        assert_eq!(dropped.skipped_pictures, Count::default());
    }
}

#[test]
fn pictures_in_front_of_the_first_irap_picture_may_lack_their_parameter_sets() {
    let [vps, sps, pps] = default_sets();
    let nals: [&[u8]; 7] = [
        &Slice::p(3).next_segment(6).nal(), // the rest of a picture
        &Slice::p(6).nal(),
        &Slice::p(6).next_segment(6).nal(),
        &vps,
        &sps,
        &pps,
        &Slice::cra(7).nal(),
    ];
    let stream = Stream::new(nals);
    let (seen, dropped) = stream.run(true).unwrap();
    assert_eq!(seen.iter().map(|seen| seen.units.clone()).collect::<Vec<_>>(), [vec![6]]);
    let expected = (1, stream.bytes(&[0, 1, 2]));
    assert_eq!((dropped.leading_pictures.units, dropped.leading_pictures.bytes), expected);
}

#[test]
fn stream_without_an_irap_picture_has_no_sync_sample() {
    let intra = Slice { slice_type: 2, ..Slice::p(0) };
    let stream = Stream::with_sets([intra.nal(), Slice::p(4).nal()]);
    let error = stream.error(true).to_string();
    assert!(error.contains("no sync sample: none of its 2 pictures is an IRAP picture"), "{error}");
}
