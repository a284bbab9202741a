//! Any bytes as AV1 in the length-delimited format, and the same OBUs in the low-overhead one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::io::windows::obu::fuzz_length_delimited(data));
