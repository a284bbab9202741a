//! ADTS frames in any bytes: the same whatever the window.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::io::windows::fuzz_adts(data));
