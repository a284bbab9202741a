use super::*;
use crate::error::ErrorKind;
use proptest::prelude::*;

const P3_1000: MasteringDisplay = MasteringDisplay {
    primaries: [(13250, 34500), (7500, 3000), (34000, 16000)],
    white_point: (15635, 16450),
    max_luminance: 10_000_000,
    min_luminance: 1,
};
const LIGHT: ContentLight = ContentLight { max_content: 1000, max_picture_average: 400 };

/// x265 3.5 by FFmpeg 5.1, `hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)
/// L(10000000,1):max-cll=1000,400`: two prefix SEI NAL units. x264 164 writes the same behind a header byte of 6.
const X265_DISPLAY: &[u8] = b"\x4e\x01\x89\x18\
    \x33\xc2\x86\xc4\x1d\x4c\x0b\xb8\x84\xd0\x3e\x80\
    \x3d\x13\x40\x42\
    \x00\x98\x96\x80\x00\x00\x03\x00\x01\x80";
const X265_LIGHT: &[u8] = b"\x4e\x01\x90\x04\x03\xe8\x01\x90\x80";
/// x265, `atc-sei=18`; x264, `alternative-transfer=arib-std-b67`.
const X265_TRANSFER: &[u8] = b"\x4e\x01\x93\x01\x12\x80";
const X264_TRANSFER: &[u8] = b"\x06\x93\x01\x12\x80";

fn read(nal: &[u8], header_len: usize) -> Vec<Message<'_>> {
    messages(nal, header_len).collect::<Result<_>>().unwrap()
}

fn hdr_of<'n>(units: impl IntoIterator<Item = (&'n [u8], usize)>) -> HdrMetadata {
    let mut hdr = HdrMetadata::default();
    for (nal, header_len) in units {
        for message in read(nal, header_len) {
            assert!(hdr.read(&message).unwrap());
        }
    }
    hdr
}

#[test]
fn hdr10_of_x265_and_x264() {
    let x264 = [&[6], &X265_DISPLAY[2..]].concat();
    let expected = HdrMetadata {
        mastering_display: Some(P3_1000),
        content_light: Some(LIGHT),
        preferred_transfer: Some(18),
    };
    assert_eq!(hdr_of([(X265_LIGHT, 2), (X265_DISPLAY, 2), (X265_TRANSFER, 2)]), expected);
    assert_eq!(hdr_of([(&x264[..], 1), (&X265_LIGHT[1..], 1), (X264_TRANSFER, 1)]), expected);
}

#[test]
fn units_are_built_as_x265_writes_them() {
    let hdr = HdrMetadata {
        mastering_display: Some(P3_1000),
        content_light: Some(LIGHT),
        preferred_transfer: Some(18),
    };
    assert_eq!(hdr_sei_units(&[0x4e, 1], &hdr), [X265_DISPLAY, X265_LIGHT]);
    assert!(hdr_sei_units(&[0x4e, 1], &HdrMetadata::default()).is_empty());
}

#[test]
fn a_payload_lies_where_its_offset_says() {
    let [message] = &read(X265_DISPLAY, 2)[..] else { panic!("one message") };
    assert_eq!((message.payload_type, message.offset, message.payload.len()), (137, 4, 24));
    assert!(matches!(message.payload, Cow::Owned(_)), "it had an emulation prevention byte");
    let [message] = &read(X265_LIGHT, 2)[..] else { panic!("one message") };
    assert!(matches!(message.payload, Cow::Borrowed([3, 0xe8, 1, 0x90])));
    // The byte in front of the second message is one of emulation prevention; so is the first of its payload.
    let nal = [6, 5, 2, 0, 0, 3, 1, 3, 0, 0, 3, 1, 0x80];
    let found: Vec<_> =
        read(&nal, 1).into_iter().map(|m| (m.payload_type, m.payload.into_owned(), m.offset)).collect();
    assert_eq!(found, [(5, vec![0, 0], 3), (1, vec![0, 0, 1], 8)]);
}

#[test]
fn types_and_sizes_of_several_bytes_add_up() {
    let payload = vec![7; 300];
    let nal = [&[6, 0xff, 0xff, 1, 0xff, 45][..], &payload, &[0x80]].concat();
    let [message] = &read(&nal, 1)[..] else { panic!("one message") };
    assert_eq!((message.payload_type, message.offset), (511, 6));
    assert_eq!(*message.payload, payload);
}

#[test]
fn several_messages_of_a_unit_come_in_order() {
    // The first valid display stays; one whose primaries say nothing does not count.
    let unit = |white: u8| {
        let mut unit = X265_DISPLAY[2..].to_vec();
        unit[17] = white;
        unit.pop();
        unit
    };
    let mut nothing = unit(0x13);
    nothing[2..14].fill(0xff);
    let nal = [&[6][..], &nothing, &unit(0x14), &unit(0x15), &[0x80]].concat();
    let mut hdr = HdrMetadata::default();
    let all = read(&nal, 1);
    assert_eq!(all.len(), 3);
    assert!(hdr.read(&all[0]).unwrap() && hdr.is_empty());
    for message in &all[1..] {
        hdr.read(message).unwrap();
    }
    let white = (u16::from_be_bytes([0x3d, 0x13]), u16::from_be_bytes([0x40, 0x42]));
    let first = hdr.mastering_display.unwrap();
    assert_eq!(first.primaries, P3_1000.primaries);
    assert_eq!((first.white_point.0, first.white_point.1), (white.0, white.1 & 0xff00 | 0x14));
}

#[test]
fn values_out_of_range_are_not_known() {
    let with = |at: usize, bytes: &[u8]| {
        let mut payload = read(X265_DISPLAY, 2)[0].payload.to_vec();
        payload[at..at + bytes.len()].copy_from_slice(bytes);
        let mut hdr = HdrMetadata::default();
        let message = Message { payload_type: 137, payload: payload.into(), offset: 0 };
        assert!(hdr.read(&message).unwrap());
        hdr.mastering_display
    };
    for (at, limit) in [(0, 37_000u16), (2, 42_000), (8, 37_000), (10, 42_000), (12, 37_000), (14, 42_000)] {
        for known in [5, limit] {
            assert!(with(at, &known.to_be_bytes()).is_some(), "{known} at {at}");
        }
        for unknown in [0, 4, limit + 1, u16::MAX] {
            assert_eq!(with(at, &unknown.to_be_bytes()), None, "{unknown} at {at}");
        }
    }
    let max = |value: u32| with(16, &value.to_be_bytes()).is_some();
    assert!(max(50_000) && max(100_000_000) && !max(49_999) && !max(100_000_001));
    let min = |value: u32| with(20, &value.to_be_bytes()).is_some();
    assert!(min(0) && min(50_000) && !min(50_001));
    assert_eq!(with(16, &[50_000u32.to_be_bytes(), 50_000u32.to_be_bytes()].concat()), None);

    let read = |payload_type, payload: &[u8]| {
        let mut hdr = HdrMetadata::default();
        hdr.read(&Message { payload_type, payload: payload.into(), offset: 0 }).unwrap();
        hdr
    };
    assert!(read(144, &[0; 4]).is_empty() && !read(144, &[0, 0, 0, 1]).is_empty());
    for transfer in 0..=255 {
        let known = (1..=18).contains(&transfer) && transfer != 2 && transfer != 3;
        assert_eq!(read(147, &[transfer]).preferred_transfer, known.then_some(transfer));
    }
}

#[test]
fn a_short_payload_is_refused_and_a_long_one_read() {
    for (payload_type, size) in [(137, 24), (144, 4), (147, 1)] {
        let message = |size: usize| Message { payload_type, payload: vec![18; size].into(), offset: 9 };
        let mut hdr = HdrMetadata::default();
        for short in 0..size {
            let error = hdr.read(&message(short)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Truncated { .. }), "{error}");
            assert_eq!((error.offset(), hdr), (Some(9), HdrMetadata::default()));
        }
        assert!(hdr.read(&message(size)).unwrap());
        assert!(hdr.read(&message(size + 5)).unwrap());
    }
    assert!(
        !HdrMetadata::default()
            .read(&Message { payload_type: 5, payload: Cow::Borrowed(&[]), offset: 0 })
            .unwrap()
    );
}

#[test]
fn a_unit_that_is_cut_off_gives_what_is_whole_then_one_error() {
    let nal = [&X265_LIGHT[..8], &X265_DISPLAY[2..]].concat();
    let whole = read(&nal, 2).len();
    assert_eq!(whole, 2);
    // Without the trailing bits both are whole; one byte less cuts the second.
    assert_eq!(read(&nal[..nal.len() - 1], 2).len(), 2);
    for len in 9..nal.len() - 1 {
        let mut found = messages(&nal[..len], 2);
        assert_eq!(found.next().unwrap().unwrap().payload_type, 144, "{len}");
        let error = found.next().unwrap().unwrap_err();
        assert_eq!(error.offset(), Some(8), "{len}: {error}");
        assert!(error.to_string().contains("(H.264 7.3.2.3.1, H.265 7.3.5)"), "{error}");
        assert!(found.next().is_none());
    }
}

#[test]
fn nothing_but_trailing_bits_and_zeros_is_no_message() {
    for nal in [&[][..], &[6], &[6, 0x80], &[6, 0x80, 0, 0, 3, 0, 0, 3], &[6, 0, 0], &[6, 0, 0, 3]] {
        assert!(messages(nal, 1).next().is_none(), "{nal:?}");
    }
    assert!(messages(&[6], 2).next().is_none());
    // A type of 128 is no trailing bit where more stands behind it.
    assert_eq!(read(&[6, 0x80, 0, 0x80], 1)[0].payload_type, 128);
}

#[test]
fn many_empty_messages_take_time_by_their_length_alone() {
    let mut nal = vec![0; 1 + (4 << 20)];
    nal.push(0x80);
    assert_eq!(messages(&nal, 1).filter(Result::is_ok).count(), 2 << 20);
    let ones = vec![0xff; 1 << 20];
    assert!(messages(&ones, 1).next().unwrap().is_err());
}

fn point() -> impl Strategy<Value = (u16, u16)> {
    (5u16..=37_000, 5u16..=42_000)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        primaries in [point(), point(), point()], white_point in point(),
        max_luminance in 50_001u32..=100_000_000, min_luminance in 0u32..=50_000,
        max_content in 1u16.., max_picture_average: u16, header_len in 1usize..=2,
    ) {
        let hdr = HdrMetadata {
            mastering_display: Some(MasteringDisplay { primaries, white_point, max_luminance, min_luminance }),
            content_light: Some(ContentLight { max_content, max_picture_average }),
            preferred_transfer: None,
        };
        let units = hdr_sei_units(&[0x4e, 1][..header_len], &hdr);
        prop_assert_eq!(hdr_of(units.iter().map(|unit| (&unit[..], header_len))), hdr);
    }

    #[test]
    fn any_bytes_are_read_as_the_slow_twin_reads_them(
        data in proptest::collection::vec(prop_oneof![0u8..6, any::<u8>(), Just(0x80), Just(0xff), 137u8..148], 0..200),
    ) {
        fuzz_sei(&data);
    }

    #[test]
    fn damaged_units_are_read_or_refused(at in 0usize..60, value: u8, light_first: bool) {
        let mut parts = [&X265_DISPLAY[2..29], &X265_LIGHT[2..8], &X265_TRANSFER[2..]];
        if light_first {
            parts.swap(0, 1);
        }
        let mut data = [&[1, 0x4e, 1][..], &parts.concat()].concat();
        fuzz_sei(&data);
        if let Some(byte) = data.get_mut(at) {
            *byte = value;
        }
        fuzz_sei(&data);
        fuzz_sei(&data[..at.min(data.len())]);
    }
}
