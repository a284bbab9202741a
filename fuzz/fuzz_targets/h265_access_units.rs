//! Access units of H.265 in any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::scan::h265::fuzz_access_units(data));
