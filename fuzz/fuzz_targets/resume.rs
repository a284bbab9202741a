//! Any state of the output directory in front of a run: the package is whole, or nothing of others is touched.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::package::fuzz_resume(data));
