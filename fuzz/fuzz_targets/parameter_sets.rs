//! H.264 parameter sets and slice headers of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::codec::h264::fuzz_parameter_sets(data));
