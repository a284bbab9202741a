use proptest::prelude::*;

use super::*;
use crate::error::{Error, ErrorKind};
use crate::scan::Count;

/// A source that has `shown` bytes where `said` were announced.
struct Shrunk {
    said: u64,
    shown: Vec<u8>,
}

impl ReadAt for Shrunk {
    fn len(&self) -> u64 {
        self.said
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.shown.read_at(offset, buffer)
    }
}

fn with_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

/// Units of 3 to 60,000 bytes behind both kinds of start code, with zeros here and there.
fn stream(units: u32) -> Vec<u8> {
    let mut stream = vec![0; 5];
    for i in 0..units {
        stream.extend(if i % 3 == 0 { &[0, 0, 0, 1, 0x65][..] } else { &[0, 0, 1, 0x41] });
        let len = if i % 7 == 0 { 60_000 } else { 2 + i as usize * 37 % 500 };
        stream.extend((0..len).map(|j| (i as usize * 31 + j * 7) as u8 | 4));
        stream.extend(std::iter::repeat_n(0, (i % 5) as usize));
    }
    stream
}

#[test]
fn units_are_the_same_for_any_part_size_and_number_of_threads() {
    let stream = stream(40);
    let (expected, report) = kept_units(&stream, 1 << 20, 64 << 10);
    let report = report.unwrap();
    assert_eq!((expected.len(), report.units), (40, 40));
    for (threads, part_size) in [(1, 1000), (2, 777), (3, 64 << 10), (5, 4096), (2, 1 << 20)] {
        let (units, other) = with_threads(threads, || kept_units(&stream, part_size, 64 << 10));
        assert!(units == expected, "{threads} threads, parts of {part_size}");
        let other = other.unwrap();
        assert_eq!(other.parts, stream.len().div_ceil(part_size) as u64);
        assert_eq!(ScanReport { parts: 1, ..other }, ScanReport { parts: 1, ..report });
    }
}

#[test]
fn equals_the_twin_at_every_split_of_every_short_stream() {
    with_threads(2, || {
        for len in 0..=7u32 {
            for number in 0..3u32.pow(len) {
                let stream = (0..len).map(|i| [0, 1, 0x65][(number / 3u32.pow(i) % 3) as usize]);
                for part_size in 0..=3 {
                    let data: Vec<u8> = [part_size, 2].into_iter().chain(stream.clone()).collect();
                    fuzz_scan(&data);
                }
            }
        }
    });
}

proptest! {
    #[test]
    fn equals_the_twin_where_start_codes_are_dense(
        stream in prop::collection::vec(prop::sample::select(&[0u8, 0, 0, 1, 2, 3, 0x65][..]), 0..300),
        part_size in 0u8..40,
        head_size in 0u8..20,
    ) {
        let data: Vec<u8> = [part_size, head_size, 0, 0, 1, 0x65].into_iter().chain(stream).collect();
        fuzz_scan(&data);
    }

    #[test]
    fn adts_frames_do_not_depend_on_the_window(
        choice: u8,
        frames in prop::collection::vec((1u8..60, any::<bool>(), 0u8..4), 1..30),
        cut in 0usize..80,
    ) {
        let mut data = vec![choice];
        for (payload, crc, tag) in frames {
            if tag == 3 {
                data.extend(b"ID3\x04\0\0\0\0\x01\x02");
                data.resize(data.len() + 130, 0xff);
            }
            let len = u16::from(payload) + if crc { 9 } else { 7 };
            data.extend([0xff, 0xf1 ^ u8::from(crc), 0x50, 0x80, (len >> 3) as u8, (len << 5) as u8 | 0x1f, 0xfc]);
            data.resize(data.len() + usize::from(len) - 7, 0xff);
        }
        data.truncate(data.len().saturating_sub(cut).max(1));
        fuzz_adts(&data);
        // Damage in the middle: refused or read, but never a panic, and the same for every window.
        let middle = data.len() / 2;
        data[middle] ^= choice;
        fuzz_adts(&data);
        let _ = detect(&data[1..]);
    }
}

/// A source that counts the bytes that are read of it.
pub(super) struct Counting(pub(super) Vec<u8>, pub(super) AtomicU64);

impl ReadAt for Counting {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.1.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.0.read_at(offset, buffer)
    }
}

#[test]
fn every_byte_is_read_once_however_long_zeros_and_units_cross_parts() {
    let zeros = [&[0, 0, 1, 0x65][..], &vec![0; 1 << 14], &[0, 0, 1], &vec![0x41; 1 << 14]].concat();
    let source = Counting(zeros, AtomicU64::new(0));
    let mut units = Vec::new();
    let options = ScanOptions { part_size: 1, head_size: 2, progress: None };
    let report = scan_nal_units(&source, &options, |unit| {
        units.push((unit.offset, unit.len, unit.head.to_vec()));
        Ok(())
    });
    assert_eq!(units, [(3, 1, vec![0x65]), ((1 << 14) + 7, 1 << 14, vec![0x41, 0x41])]);
    assert_eq!(report.unwrap().zero_bytes, Count { units: 1, bytes: (1 << 14) - 1 });
    assert_eq!(source.1.into_inner(), source.0.len() as u64);
}

#[test]
fn a_file_of_another_kind_is_refused_before_it_is_read_to_its_end() {
    let source = Shrunk { said: 1 << 40, shown: vec![0x47; 64 << 10] };
    let options = ScanOptions { part_size: 512, ..Default::default() };
    let error = with_threads(2, || scan_nal_units(&source, &options, |_| Ok(()))).unwrap_err();
    assert_eq!(error.offset(), Some(0));
}

#[test]
fn a_source_that_shrinks_is_an_error() {
    let shown = stream(3);
    let source = Shrunk { said: shown.len() as u64 + 1, shown };
    let error = scan_nal_units(&source, &ScanOptions::default(), |_| Ok(())).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    let source = Shrunk { said: 1000, shown: vec![0xff; 16] };
    let error = read_adts(&source, &AdtsOptions::default(), |_| Ok(())).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
}

#[test]
fn the_callers_error_ends_the_scan() {
    let mut calls = 0;
    let error =
        scan_nal_units(&stream(9)[..], &ScanOptions { part_size: 64, ..Default::default() }, |unit| {
            calls += 1;
            if calls == 4 { Err(Error::unsupported("it", "stop").at(unit.offset)) } else { Ok(()) }
        });
    assert_eq!((calls, error.unwrap_err().kind().to_string().as_str()), (4, "it: not supported; stop"));
}

#[test]
fn a_tag_longer_than_the_head_does_not_hide_the_format() {
    let frame = [0xff, 0xf1, 0x50, 0x80, 0x01, 0x3f, 0xfc, 0x21, 0x10];
    let tag = [&b"ID3\x04\0\0\0\x08\0\0"[..], &vec![1; 128 << 10]].concat();
    let source = [&tag[..], &frame, &frame].concat();
    assert_eq!(detect_format(&source[..]).unwrap(), ElementaryFormat::AdtsAac);
    assert!(detect_format(&[][..]).unwrap_err().to_string().contains("empty"));
    assert!(detect_format(&tag[..]).is_err());
}
