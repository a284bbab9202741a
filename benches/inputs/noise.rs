//! Noise in the place of coded pictures, for the benchmarks and for perf/scan.rs.

/// Bytes like those of compressed pictures (xorshift), without start codes and without zeros next to each other.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    for i in 1..len {
        if bytes[i] == 0 && bytes[i - 1] == 0 {
            bytes[i] = 0x80;
        }
    }
    bytes
}
