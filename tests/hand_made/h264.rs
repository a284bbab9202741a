//! Field pictures of H.264.

pub use fragmint::codec::h264::OrderCountType;

#[path = "../../src/codec/h264/field_streams.rs"]
pub mod field_streams;
#[path = "../../src/codec/h264/testing.rs"]
pub mod testing;
