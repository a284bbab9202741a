use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::codec::eac3::testing::Frame;

/// AC-3 of two channels, 48 kHz, 32 kbit/s: 128 bytes.
fn ac3() -> Vec<u8> {
    let mut frame = vec![0x0b, 0x77, 0, 0, 0, 0x40, 0x40, 0x00];
    frame.resize(128, 0x55);
    frame
}

#[test]
fn progress_adds_up_and_the_callers_error_ends_it() {
    let stream = ac3().repeat(20_000);
    let done = AtomicU64::new(0);
    let progress = |bytes| {
        done.fetch_add(bytes, Ordering::Relaxed);
    };
    let mut units = 0;
    let options = Ac3Options { progress: Some(&progress), ..Ac3Options::default() };
    let report = read_ac3(&stream[..], &options, |unit| {
        units += unit.len();
        Ok(())
    });
    assert_eq!((units, report.unwrap().access_units.units), (20_000, 20_000));
    assert_eq!(done.into_inner(), stream.len() as u64);
    let error = read_ac3(&stream[..], &Ac3Options::default(), |unit| {
        Err(crate::Error::unsupported("it", "stop").at(unit[0].offset))
    });
    assert_eq!(error.unwrap_err().offset(), Some(0));
}

proptest! {
    #[test]
    fn access_units_do_not_depend_on_the_window(
        choice: u8,
        with_core: bool,
        code in 0u32..4,
        substreams in prop::collection::vec((any::<bool>(), 0u32..4, 0u32..8, 0u32..30), 0..4),
        units in 1usize..6,
        tag in 0usize..40,
        cut in 0usize..90,
    ) {
        // Dependent substreams and further programmes, numbered in order.
        let mut layout = vec![Frame::PLAIN];
        let (mut independent, mut dependent) = (0, 0);
        for (is_dependent, mixdef, acmod, more) in substreams {
            let drawn = Frame { mixdef: Some(mixdef), acmod, size: 64 + 2 * more, ..Frame::PLAIN };
            if is_dependent {
                layout.push(Frame { strmtyp: 1, substreamid: dependent, chanmap: Some(acmod << 4), ..drawn });
                dependent += 1;
            } else {
                (independent, dependent) = (independent + 1, 0);
                layout.push(Frame { substreamid: independent, bsmod: Some(acmod), ..drawn });
            }
        }
        let code = if with_core { 3 } else { code };
        let mut data = vec![choice];
        let mut frames = 0;
        for _ in 0..units * [6, 3, 2, 1][code as usize] {
            for (index, frame) in layout.iter().enumerate() {
                if frames == tag {
                    data.extend(b"ID3\x04\0\0\0\0\x01\x02");
                    data.resize(data.len() + 130, 0xff);
                }
                frames += 1;
                data.extend(if with_core && index == 0 { ac3() } else { frame.blocks(code).bytes() });
            }
        }
        let whole = read_ac3(&data[1..], &Ac3Options::default(), |_| Ok(()));
        prop_assert_eq!(whole.unwrap().access_units.units, units as u64);
        fuzz_ac3(&data);
        data.truncate(data.len().saturating_sub(cut).max(1));
        fuzz_ac3(&data);
        // Damage in the middle: refused or read, but never a panic, and the same for every window.
        for place in [data.len() / 2, data.len() / 3] {
            data[place] ^= choice;
            fuzz_ac3(&data);
        }
        let _ = crate::scan::detect(&data[1..]);
    }
}
