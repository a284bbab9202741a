//! Streams that come in packets of whole access units.

use super::*;

/// What one packet gave: its access units, units that join the last one before it, and units that wait.
type Packet = (Vec<Vec<usize>>, Vec<usize>, Vec<usize>);

/// Pushes the stream in packets that end in front of each of `ends`.
fn packets(stream: &Stream, builder: &mut AccessUnitBuilder, ends: &[usize]) -> Result<Vec<Packet>> {
    let mut start = 0;
    let mut packets = Vec::new();
    for &end in ends {
        builder.start_packet();
        let mut pictures = Vec::new();
        for index in start..end {
            pictures.extend(builder.push(stream.nal(index))?.map(|unit| stream.seen(unit).units));
        }
        pictures.extend(builder.end_packet().map(|unit| stream.seen(unit).units));
        let joined = builder.joined().iter().map(|&unit| stream.index(unit)).collect();
        let held = builder.held().map(|unit| stream.index(unit)).collect();
        packets.push((pictures, joined, held));
        start = end;
    }
    assert_eq!(start, stream.nals.len());
    Ok(packets)
}

fn in_packets(stream: &Stream, ends: &[usize]) -> Result<Vec<Packet>> {
    packets(stream, &mut AccessUnitBuilder::new(AccessUnitOptions::default()), ends)
}

#[test]
fn units_wait_for_their_picture_or_join_the_one_that_was_given_out() {
    let nals = [
        &Slice::idr().nal(), // 3
        SUFFIX_SEI,          // 4: a packet of its own
        &unit(63, 0),
        &unit(33, 1),
        SEI,
        &Slice::p(4).nal(), // 8
        END_OF_SEQUENCE,
        END_OF_BITSTREAM,
        SEI,
        &Slice::cra(4).nal(), // 12
    ];
    let stream = Stream::with_sets(nals);
    let expected = [
        (vec![], vec![], vec![]),
        (vec![vec![3]], vec![], vec![]),
        (vec![], vec![4, 5, 6], vec![7]),
        (vec![vec![7, 8]], vec![], vec![]),
        (vec![], vec![9, 10], vec![11]),
        (vec![vec![11, 12]], vec![], vec![]),
    ];
    assert_eq!(in_packets(&stream, &[3, 4, 8, 9, 12, 13]).unwrap(), expected);
}

#[test]
fn several_access_units_in_a_packet_are_given_one_after_the_other() {
    let nals = [&Slice::idr().nal(), SUFFIX_SEI, SEI, &Slice::p(4).nal(), &Slice::p(5).nal(), SEI];
    let expected = [(vec![vec![3, 4], vec![5, 6], vec![7]], vec![], vec![8])];
    assert_eq!(in_packets(&Stream::with_sets(nals), &[9]).unwrap(), expected);
}

#[test]
fn slice_segment_of_a_picture_that_an_earlier_packet_began_is_refused() {
    let p = Slice::p(4);
    let stream = Stream::with_sets([
        Slice::idr().nal(),
        Slice::idr().next_segment(6).nal(),
        p.nal(),
        p.next_segment(6).nal(),
    ]);
    let error = in_packets(&stream, &[4, 7]).unwrap_err();
    assert!(error.to_string().contains("a slice of an IRAP picture that an earlier packet began"), "{error}");
    assert_eq!(error.offset(), Some(stream.offsets[4]));
    let error = in_packets(&stream, &[6, 7]).unwrap_err();
    assert!(error.to_string().contains("a slice of a picture that an earlier packet began"), "{error}");
    // Its first slice segment in the next packet starts another one, though nothing else tells them apart.
    let stream = Stream::with_sets([Slice::idr().nal(), Slice::idr().nal()]);
    let expected = [(vec![vec![3]], vec![], vec![]), (vec![vec![4]], vec![], vec![])];
    assert_eq!(in_packets(&stream, &[4, 5]).unwrap(), expected);
}

#[test]
fn end_of_sequence_in_a_packet_of_its_own_counts() {
    let nals = [
        &Slice::idr().nal(),
        &Slice::p(7).nal(),
        END_OF_SEQUENCE,
        &Slice::cra(4).nal(),
        &Slice::b(8, 2).nal(),
    ];
    let stream = Stream::with_sets(nals);
    let error = in_packets(&stream, &[5, 6, 7, 8]).unwrap_err();
    assert_eq!(error.offset(), Some(stream.offsets[7]), "{error}");
}

#[test]
fn what_waits_can_be_discarded() {
    let [vps, sps, pps] = default_sets();
    let stream =
        Stream::new([&vps[..], &sps, &pps, &Slice::idr().nal(), AUD, SEI, &pps, &Slice::cra(4).nal()]);
    for placement in [ParameterSetPlacement::SampleEntry, ParameterSetPlacement::InBand] {
        let options = AccessUnitOptions { parameter_sets: placement, ..AccessUnitOptions::default() };
        let mut builder = AccessUnitBuilder::new(options);
        for index in 0..4 {
            builder.push(stream.nal(index)).unwrap();
        }
        builder.end_packet().unwrap();
        assert_eq!(builder.waiting(), None);
        builder.start_packet();
        for index in 4..7 {
            builder.push(stream.nal(index)).unwrap();
            assert_eq!(builder.waiting(), Some(stream.offsets[4]));
        }
        assert!(builder.end_packet().is_none());
        builder.discard_waiting();
        assert_eq!((builder.waiting(), builder.held().len()), (None, 0));
        builder.start_packet();
        builder.push(stream.nal(7)).unwrap();
        let unit = stream.seen(builder.end_packet().unwrap()).units;
        // A set that was discarded still holds, and is given from where it was sent.
        let expected: &[usize] =
            if placement == ParameterSetPlacement::InBand { &[0, 1, 6, 7] } else { &[7] };
        assert_eq!(unit, expected);
        let given = builder.given_set(stream.offsets[6]);
        assert_eq!(given.is_some(), placement == ParameterSetPlacement::InBand);
        assert!(given.is_none_or(|set| set == pps));
    }
}

#[test]
fn sets_that_were_given_are_those_that_held_then() {
    let [vps, sps, pps] = default_sets();
    let changed = Pps { qp: 1, ..Default::default() }.nal();
    let stream = Stream::new([
        &vps,
        &sps,
        &pps,
        &Slice::idr().nal(),
        &Slice::idr().nal(),
        &changed,
        &Slice::idr().nal(),
    ]);
    let options =
        AccessUnitOptions { parameter_sets: ParameterSetPlacement::InBand, ..AccessUnitOptions::default() };
    let mut builder = AccessUnitBuilder::new(options);
    for index in 0..6 {
        builder.push(stream.nal(index)).unwrap();
    }
    // The second IDR picture comes out when the third starts, in front of which the set has changed.
    let unit = stream.seen(builder.push(stream.nal(6)).unwrap().unwrap()).units;
    assert_eq!(unit, [0, 1, 2, 4]);
    assert_eq!(builder.given_units().len(), 4);
    assert_eq!(builder.given_set(stream.offsets[2]), Some(&pps[..]));
    assert_eq!(builder.given_set(stream.offsets[5]), None);
    assert_eq!(stream.seen(builder.end_packet().unwrap()).units, [0, 1, 5, 6]);
}
