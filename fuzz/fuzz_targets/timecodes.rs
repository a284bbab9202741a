//! Timecode files, in any bytes: as many times as pictures, rising, without drift.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::package::fuzz_timecodes(data));
