//! Any bytes as calls on a segmenter: the answers and files of its model.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::segmenter::fuzz_calls(data));
