//! H.265 parameter sets, slice segment headers and configuration records of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::codec::h265::fuzz_parameter_sets(data));
