//! Big-endian integers as they lie on the wire, for `#[repr(C)]` layouts that are written and read as bytes.
//!
//! Each is an array of bytes, so it has no alignment and a struct of them no padding: the struct is the layout.

use bytemuck::{Pod, Zeroable};

macro_rules! wire_integer {
    ($($(#[$doc:meta])* $name:ident: $native:ty, $size:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
        #[repr(transparent)]
        pub struct $name([u8; $size]);

        impl $name {
            /// The wire form of `value`.
            pub const fn new(value: $native) -> Self {
                Self(value.to_be_bytes())
            }

            /// The value on the wire.
            pub const fn get(self) -> $native {
                <$native>::from_be_bytes(self.0)
            }
        }

        impl From<$native> for $name {
            fn from(value: $native) -> Self {
                Self::new(value)
            }
        }
    )*};
}

wire_integer! {
    /// `unsigned int(16)`.
    U16: u16, 2;
    /// `signed int(16)`.
    I16: i16, 2;
    /// `unsigned int(32)`.
    U32: u32, 4;
    /// `signed int(32)`.
    I32: i32, 4;
    /// `unsigned int(64)`.
    U64: u64, 8;
}

/// `unsigned int(24)`, such as the flags of a FullBox (ISO/IEC 14496-12 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct U24([u8; 3]);

impl U24 {
    /// The wire form of the low 24 bits of `value`; the rest must be zero.
    pub const fn new(value: u32) -> Self {
        debug_assert!(value < 1 << 24, "the value has 24 bits");
        let [_, a, b, c] = value.to_be_bytes();
        Self([a, b, c])
    }

    /// The value on the wire, 0..=2^24 - 1.
    pub const fn get(self) -> u32 {
        u32::from_be_bytes([0, self.0[0], self.0[1], self.0[2]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lies_big_endian() {
        assert_eq!(bytemuck::bytes_of(&U16::new(0x0102)), [1, 2]);
        assert_eq!(bytemuck::bytes_of(&U24::new(0x0001_0203)), [1, 2, 3]);
        assert_eq!(bytemuck::bytes_of(&U32::new(0x0102_0304)), [1, 2, 3, 4]);
        assert_eq!(bytemuck::bytes_of(&I32::new(-2)), [0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(bytemuck::bytes_of(&I16::new(-2)), [0xff, 0xfe]);
        assert_eq!(bytemuck::bytes_of(&U64::new(0x0102_0304_0506_0708)), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((U24::new(0x0f_0203).get(), I32::new(-2).get()), (0x0f_0203, -2));
    }
}
