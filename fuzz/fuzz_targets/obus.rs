//! OBUs of any bytes: their headers, and the temporal units that they make.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fragmint::codec::av1::fuzz_obus(data);
    fragmint::scan::av1::fuzz_temporal_units(data);
});
