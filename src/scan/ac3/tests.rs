use super::*;
use crate::codec::eac3::testing::Frame;

/// AC-3 of two channels, 48 kHz, 32 kbit/s: 128 bytes.
fn ac3() -> Vec<u8> {
    let mut frame = vec![0x0b, 0x77, 0, 0, 0, 0x40, 0x40, 0x00];
    frame.resize(128, 0x55);
    frame
}

fn changed(at: usize, value: u8) -> Vec<u8> {
    let mut frame = ac3();
    frame[at] = value;
    frame
}

fn frames(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

/// Steps through `stream`: the access units, and the report.
fn walk(stream: &[u8], drop_incomplete: bool) -> Result<(Vec<Vec<SourceRange>>, Ac3Report)> {
    let mut walk = SyncframeWalk::new(drop_incomplete);
    let (mut units, mut offset) = (Vec::new(), 0);
    while (offset as usize) < stream.len() {
        let head = &stream[offset as usize..];
        let head = &head[..head.len().min(UNIT_HEAD_LEN)];
        let (next, unit) = walk.step(offset, stream.len() as u64, head)?;
        units.extend(unit.map(<[_]>::to_vec));
        offset = next;
    }
    let (last, report) = walk.finish()?;
    units.extend((!last.is_empty()).then_some(last));
    Ok((units, report))
}

fn refusal(stream: &[u8]) -> (u64, String) {
    let error = walk(stream, false).unwrap_err();
    (error.offset().expect("every refusal has a place"), error.to_string())
}

fn sizes(units: &[Vec<SourceRange>]) -> Vec<u64> {
    units.iter().map(|unit| len_of(unit)).collect()
}

fn eac3_of(report: &Ac3Report) -> &Eac3Config {
    match &report.config {
        Configuration::Eac3(config) => config,
        Configuration::Ac3(config) => panic!("{config}"),
    }
}

#[test]
fn a_syncframe_of_ac3_is_an_access_unit() {
    // The second at 40 kbit/s: the box tells the highest rate.
    let longer = [&changed(4, 2)[..], &[0x55; 32]].concat();
    let (units, report) = walk(&[ac3(), longer, ac3()].concat(), false).unwrap();
    assert_eq!(sizes(&units), [128, 160, 128]);
    assert_eq!((report.access_units, report.syncframes), (Count { units: 3, bytes: 416 }, 3));
    match &report.config {
        Configuration::Ac3(config) => assert_eq!((config.bit_rate(), config.channels()), (40, 2)),
        Configuration::Eac3(config) => panic!("{config}"),
    }
}

#[test]
fn syncframes_with_fewer_blocks_are_gathered() {
    for (code, count) in [(0, 6), (1, 3), (2, 2), (3, 1)] {
        let stream = frames(&vec![Frame::PLAIN.blocks(code); 2 * count]);
        let (units, report) = walk(&stream, false).unwrap();
        assert_eq!(sizes(&units), [64 * count as u64; 2], "{count} syncframes");
        assert!(units.iter().all(|unit| unit.len() == 1), "they touch");
        // 64 bytes in 1536 samples at 48 kHz are 16 kbit/s.
        assert_eq!(eac3_of(&report).data_rate(), 16 * count as u16);
    }
    // `dec3` of FFmpeg 5.1's mp4 muxer that copies syncframes of three blocks, and of one.
    for (code, count, record) in
        [(2, 2, [0x01, 0x00, 0x20, 0x0f, 0x00]), (0, 6, [0x03, 0x00, 0x20, 0x0f, 0x00])]
    {
        let (_, report) = walk(&frames(&vec![Frame::PLAIN.blocks(code); count]), false).unwrap();
        assert_eq!(eac3_of(&report).record(), record);
    }
    // One, two and three blocks.
    let mixed = [0, 1, 2].map(|code| Frame::PLAIN.blocks(code));
    assert_eq!(sizes(&walk(&frames(&mixed), false).unwrap().0), [192]);
}

#[test]
fn dependent_substreams_and_further_programmes_are_in_the_sample() {
    let rear = Frame { bsmod: Some(1), ..Frame::REAR };
    let second = Frame { substreamid: 1, acmod: 2, lfeon: false, ..Frame::PLAIN };
    let halves = [Frame::PLAIN, rear, second].map(|frame| frame.blocks(2));
    let unit = [halves, halves].concat();
    let (units, report) = walk(&frames(&[unit.clone(), unit].concat()), false).unwrap();
    assert_eq!(sizes(&units), [384; 2]);
    let config = eac3_of(&report);
    assert_eq!((config.substreams().len(), config.channels(), report.syncframes), (2, 8, 12));
    assert_eq!((config.substreams()[0].dependents, config.substreams()[1].dependents), (1, 0));
}

#[test]
fn ac3_with_dependent_substreams_is_e_ac3() {
    let stream = [ac3(), Frame::REAR.bytes(), ac3(), Frame::REAR.bytes()].concat();
    let (units, report) = walk(&stream, false).unwrap();
    assert_eq!(sizes(&units), [192; 2]);
    let config = eac3_of(&report);
    assert_eq!((config.substreams()[0].bsid, config.channels()), (8, 4));
    assert!(matches!(walk(&ac3(), false).unwrap().1.config, Configuration::Ac3(_)));
}

#[test]
fn the_most_objects_and_the_first_service_that_is_told_count() {
    let joc = Frame { addbsi: Frame::JOC, ..Frame::PLAIN };
    let fewer = Frame { addbsi: &[1, 11], bsmod: Some(1), ..Frame::PLAIN };
    let (_, report) = walk(&frames(&[fewer, joc, Frame::PLAIN]), false).unwrap();
    assert_eq!(eac3_of(&report).joc_complexity(), Some(16));
    assert_eq!(eac3_of(&report).substreams()[0].bsmod, Some(1));
    let late = frames(&[Frame::PLAIN, Frame { bsmod: Some(4), ..Frame::PLAIN }]);
    assert_eq!(eac3_of(&walk(&late, false).unwrap().1).substreams()[0].bsmod, Some(4));
}

#[test]
fn a_change_names_both_places() {
    let plain = Frame::PLAIN;
    for (other, words) in [
        (Frame { fscod: 1, ..plain }, "to E-AC-3, 44100 Hz"),
        (Frame { acmod: 2, ..plain }, "acmod 2"),
        (Frame { lfeon: false, ..plain }, "lfeon 0"),
        (Frame { bsid: 15, ..plain }, "bsid 15"),
        (Frame { bsmod: Some(5), ..plain }, "bsmod 5"),
    ] {
        let first = Frame { bsmod: Some(0), ..plain };
        let (offset, line) = refusal(&frames(&[first, plain, other]));
        assert!(offset == 128 && line.contains("(at 0x0) to E-AC-3") && line.contains(words), "{line}");
    }
    let wide = Frame { chanmap: Some(0x0400), ..Frame::REAR };
    let (offset, line) = refusal(&frames(&[plain, Frame::REAR, plain, wide]));
    assert!(offset == 192 && line.contains("dependent substream 0 of 0 changes from"), "{line}");
    assert!(line.contains("channels 0200, bsid 16, bsmod 0 (at 0x40)"), "{line}");
    let (offset, line) = refusal(&[ac3(), changed(6, 0x20)].concat());
    assert!(offset == 128 && line.contains("from AC-3, 48000 Hz, acmod 2"), "{line}");
    assert_eq!(refusal(&[ac3(), plain.bytes()].concat()).0, 128);
}

#[test]
fn substreams_stay_the_same() {
    let plain = Frame::PLAIN;
    let (offset, line) = refusal(&frames(&[plain, plain, Frame::REAR]));
    assert!(offset == 128 && line.contains("comes in, which the access unit at 0x0 does not have"), "{line}");
    let (offset, line) = refusal(&frames(&[plain, Frame::REAR, plain, plain, Frame::REAR]));
    assert!(offset == 128 && line.contains("dependent substream 0 of 0 has 0 blocks"), "{line}");
    // Four blocks and four; two of six.
    let (offset, line) = refusal(&frames(&[plain.blocks(2), plain]));
    assert!(offset == 64 && line.contains("has 9 blocks in the access unit at 0x0"), "{line}");
    let (offset, line) = refusal(&frames(&[plain, Frame::REAR.blocks(1), plain]));
    assert!(offset == 0 && line.contains("has 2 blocks"), "{line}");
    let (offset, line) = refusal(&frames(&[plain, Frame { substreamid: 1, fscod: 2, ..plain }]));
    assert!(offset == 64 && line.contains("substream 1 has 32000 Hz, independent substream 0 has"), "{line}");
}

#[test]
fn substreams_are_in_order() {
    let plain = Frame::PLAIN;
    let of = |substreamid| Frame { substreamid, ..Frame::REAR };
    for (stream, words) in [
        (vec![Frame::REAR, plain], "begins with dependent substream 0"),
        (vec![Frame { substreamid: 1, ..plain }], "begins with independent substream 1"),
        (vec![plain, of(1)], "dependent substream 1 of 0 stands behind independent substream 0"),
        (vec![plain, of(0), of(0)], "stands behind dependent substream 0 of 0"),
        (vec![plain, Frame { substreamid: 2, ..plain }], "independent substream 2 stands behind"),
    ] {
        let at = 64 * (stream.len() as u64 - 1);
        let (offset, line) = refusal(&frames(&stream));
        assert!(line.contains(words), "{line}");
        assert!(offset == at || offset == 0 && words.contains("begins"), "{line}");
    }
}

#[test]
fn an_incomplete_end_is_an_error_or_dropped_and_counted() {
    // Access units of two syncframes of three blocks and their dependent ones.
    let unit = frames(&[Frame::PLAIN.blocks(2), Frame::REAR.blocks(2)].repeat(2));
    for left in 1..unit.len() {
        let stream = [&unit[..], &unit, &unit[..left]].concat();
        let (offset, line) = refusal(&stream);
        let (place, words) = if left % 64 > 0 { (left / 64 * 64, "has only") } else { (0, "blocks in") };
        assert!(offset == (2 * unit.len() + place) as u64 && line.contains(words), "{left}: {line}");
        assert!(line.contains("--drop-incomplete"), "{line}");
        let (units, report) = walk(&stream, true).unwrap();
        assert_eq!((sizes(&units), report.syncframes), (vec![256; 2], 8));
        assert_eq!(report.incomplete_frames, Count { units: 1, bytes: left as u64 });
    }
    // What is known of the next frame shows whether it is of the first access unit.
    for (left, complete) in [(5, false), (6, true), (127, true)] {
        let cut = [&ac3()[..], &ac3()[..left]].concat();
        assert_eq!(walk(&cut, true).is_ok(), complete, "{left}");
    }
    let cut = [&frames(&[Frame::PLAIN])[..], &Frame::REAR.bytes()[..20]].concat();
    assert!(walk(&cut, true).unwrap_err().to_string().contains("no complete access unit"));
    assert!(walk(&ac3()[..8], true).is_err() && walk(&[], true).is_err() && walk(&[], false).is_err());
}

#[test]
fn tags_around_syncframes_are_left_out_and_counted() {
    let tag = b"ID3\x04\0\0\0\0\0\x03abc";
    let id3v1 = [&b"TAG"[..], &[0; 125]].concat();
    let half = Frame::PLAIN.blocks(2).bytes();
    let stream = [&tag[..], &half, tag, &half, &half, &half, &id3v1].concat();
    let (units, report) = walk(&stream, false).unwrap();
    let at = |offset, len| SourceRange { offset, len };
    assert_eq!(units, [vec![at(13, 64), at(90, 64)], vec![at(154, 128)]]);
    assert_eq!(report.id3_tags, Count { units: 3, bytes: 13 + 13 + 128 });
    let (offset, line) = refusal(&[&ac3()[..], b"ID3\x04\0\0\0\0\x01\0abc"].concat());
    assert!(offset == 128 && line.contains("138 bytes has only 13"), "{line}");
}

#[test]
fn what_is_no_syncframe_is_an_error_at_its_offset_even_when_incomplete_ends_are_dropped() {
    for garbage in [&[0][..], &[0; 50], &[0x0b, 0x78], b"TAG"] {
        let stream = [&ac3()[..], garbage].concat();
        assert_eq!(refusal(&stream).0, 128, "{garbage:02x?}");
        assert!(walk(&stream, true).is_err(), "{garbage:02x?}");
    }
    let (offset, line) = refusal(&[ac3(), changed(4, 0xc0)].concat());
    assert!(offset == 132 && line.contains("fscod is 3"), "{line}");
    assert!(refusal(&[0x47; 200]).1.contains("at the start of the audio, but 47 47 47 47"));
    let (offset, line) = refusal(&[&ac3()[..], &[0x77, 0x0b, 0, 0, 0x40, 0]].concat());
    assert!(offset == 128 && line.contains("dd conv=swab"), "{line}");
}

#[test]
fn a_packet_is_one_access_unit() {
    let unit = frames(&[Frame::PLAIN.blocks(2), Frame::REAR.blocks(2)].repeat(2));
    assert!(matches!(read_access_unit(&unit), Ok(Configuration::Eac3(config)) if config.channels() == 8));
    assert!(matches!(read_access_unit(&ac3()), Ok(Configuration::Ac3(_))));
    for (packet, at, words) in [
        (vec![], 0, "the packet is empty"),
        ([&unit[..], &unit].concat(), 256, "more than one access unit"),
        (unit[..192].to_vec(), 0, "has 3 blocks"),
        (unit[..200].to_vec(), 192, "syncframe has only 8 of its 64"),
        ([&ac3()[..], b"x"].concat(), 128, "no syncword"),
    ] {
        let error = read_access_unit(&packet).unwrap_err();
        assert!(error.offset() == Some(at) && error.to_string().contains(words), "{error}");
    }
}
