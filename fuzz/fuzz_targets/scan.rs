//! NAL units in any bytes: the windowed scan finds what its slow twin finds, and each search for start codes likewise.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fragmint::scan::simd::fuzz_start_codes(data);
    fragmint::io::windows::fuzz_scan(data);
});
