//! NAL units in any bytes: the windowed scan finds what its slow twin finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::io::windows::fuzz_scan(data));
