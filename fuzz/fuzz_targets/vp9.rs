//! VP9: packets behind their lengths, grouped into superframes; IVF, the same whatever the window.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fragmint::scan::vp9::fuzz_superframes(data);
    fragmint::io::windows::vp9::fuzz_vp9_ivf(data);
});
