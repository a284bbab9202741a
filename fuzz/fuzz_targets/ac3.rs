//! Syncframes of AC-3 and E-AC-3 in any bytes: the same access units whatever the window, and those of a slow reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::io::windows::ac3::fuzz_ac3(data));
