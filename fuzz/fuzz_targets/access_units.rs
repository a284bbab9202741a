//! Access units in any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::scan::h264::fuzz_access_units(data));
