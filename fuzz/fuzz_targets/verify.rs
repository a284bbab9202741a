//! Packages of any bytes: the report on them is the same whoever makes it, and a sound package has no finding.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::verify::fuzz_verify(data));
