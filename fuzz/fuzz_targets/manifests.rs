//! Playlists and MPDs of tracks made of any bytes: refused, or read back the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::manifest::fuzz_manifests(data));
