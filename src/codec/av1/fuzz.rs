//! What fuzzing asserts of OBUs and the headers in them, on any bytes.

use super::{
    Av1Configuration, FrameHeader, Obu, ObuHeader, ObuKind, Obus, SequenceHeader, SizedHeader, read_hdr,
};

/// Walks `data` as a packet: units follow each other without a gap, and either reach the end or stop at an error within it.
/// Every sequence header is read and, where it holds, written into a record that has it; every frame header is read with
/// the last sequence header. A header written anew is read back. The same walk as a stream differs in an error at the last unit
/// alone.
#[doc(hidden)]
pub fn fuzz_obus(data: &[u8]) {
    let mut end = 0;
    let mut sequence = None;
    for obu in Obus::of_packet(data) {
        let obu = match obu {
            Ok(obu) => obu,
            Err(error) => {
                let at = error.offset().expect("errors say where");
                assert!(at >= end as u64 && at <= data.len() as u64);
                break;
            }
        };
        assert_eq!(obu.whole.start, end, "units follow each other");
        assert_eq!((obu.payload.end, obu.payload.start), (obu.whole.end, end + usize::from(obu.header.len)));
        assert!(obu.whole.end <= data.len());
        end = obu.whole.end;
        check_written(&data[obu.whole.clone()], &obu);
        check_headers(&data[obu.payload.clone()], &obu, &mut sequence);
    }
    let in_stream = Obus::of_stream(data).filter_map(Result::ok).last().map_or(0, |obu| obu.whole.end);
    assert!(in_stream <= end);
}

/// A header that is written with a size is the same but for that.
fn check_written(bytes: &[u8], obu: &Obu) {
    let header = SizedHeader::new(bytes).expect("the header is all there");
    let size = obu.payload.len() as u32;
    let mut written = Vec::new();
    header.write(size, &mut written);
    assert_eq!(written.len() as u32, header.len(size));
    let read = ObuHeader::read(&written).expect("a header");
    let len = written.len() as u8;
    assert_eq!(read, ObuHeader { size: Some(size), len, ..obu.header });
    assert!(written.len() <= usize::from(obu.header.len) || obu.header.size.is_none(), "none is shorter");
}

fn check_headers(payload: &[u8], obu: &Obu, sequence: &mut Option<SequenceHeader>) {
    match obu.header.kind {
        ObuKind::SequenceHeader => {
            let read = SequenceHeader::read(payload);
            assert_eq!(read.as_ref().ok(), SequenceHeader::read(payload).as_ref().ok());
            if let Err(error) = &read {
                assert!(error.offset().is_some_and(|at| at <= payload.len() as u64));
            }
            if let Ok(header) = read {
                check_configuration(payload);
                *sequence = Some(header);
            }
        }
        ObuKind::Frame | ObuKind::FrameHeader => {
            let Some(sequence) = sequence else { return };
            match FrameHeader::read(payload, &obu.header, sequence) {
                Ok(FrameHeader::ShowExisting { slot }) => assert!(slot < 8),
                Ok(FrameHeader::Coded(frame)) => {
                    assert_eq!(frame.size.is_some(), frame.frame_type.is_intra());
                    assert!(frame.size.is_none_or(|size| size.width <= u32::from(sequence.max_frame_width)));
                }
                Err(error) => assert!(error.offset().is_some_and(|at| at <= payload.len() as u64)),
            }
        }
        ObuKind::Metadata => {
            if let Some(display) = read_hdr(payload).ok().and_then(|hdr| hdr.mastering_display) {
                assert!(display.min_luminance < display.max_luminance);
            }
        }
        _ => {}
    }
}

fn check_configuration(payload: &[u8]) {
    let configuration = Av1Configuration::read(payload, None).expect("the sequence header was read");
    let record = configuration.record();
    assert_eq!(record[0], 0x81);
    let header = Obus::of_stream(&record[4..]).next().expect("one OBU").expect("a sequence header");
    assert_eq!(&record[4..][header.payload], payload);
    assert_eq!(header.whole.end, record.len() - 4, "it is the only one");
    let format = configuration.video_format();
    assert!(format.width > 0 && format.height > 0);
    assert!(configuration.codec_string().starts_with("av01."));
    if let Ok(Some(rate)) = configuration.bitstream_rate() {
        assert!(rate.rate.hertz() <= 300.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Frame, Sequence, obu};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz_obus(&data);
        }

        #[test]
        fn any_payload_is_read_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..60)) {
            fuzz_obus(&[obu(1, &payload), obu(6, &payload)].concat());
        }

        #[test]
        fn damaged_headers_are_read_or_refused(byte in 0usize..40, value: u8, end in 0usize..40) {
            let mut data = [Sequence::default().obu(), Frame::key().obu(), Frame::inter(1).obu()].concat();
            fuzz_obus(&data);
            if let Some(at) = data.get_mut(byte) {
                *at = value;
            }
            fuzz_obus(&data);
            fuzz_obus(&data[..end.min(data.len())]);
        }
    }
}
