//! AV1 in IVF and as OBUs, in any bytes: the same whatever the window.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fragmint::io::windows::obu::fuzz_ivf(data));
