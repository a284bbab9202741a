//! Opus in Ogg pages, in any bytes: the same as a slow reader finds, and whatever the window.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::io::windows::ogg::fuzz_ogg(data));
