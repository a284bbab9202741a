//! Streams that the library's own tests build bit by bit.

#[path = "../../src/codec/testing.rs"]
mod testing;

pub mod h264;
