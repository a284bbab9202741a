//! FLAC frames in any bytes: the same whatever the window, each with a checksum that agrees.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::io::windows::flac::fuzz_flac(data));
