//! SEI NAL units of any bytes: their messages, and what they say of high dynamic range.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::codec::sei::fuzz_sei(data));
