//! Streams to be searched, with rare, common and pathological start codes; and what they are compared with, a plain read
//! pass. For benches/scan.rs and perf/scan.rs.

pub use noise::noise;

#[path = "../inputs/noise.rs"]
mod noise;

/// Their names, and what is claimed of a search through them: shares of a plain read pass, which stands beside it in a bench,
/// and which perf/scan.sh measures in turn with it.
pub const STREAMS: [(&str, &str); 5] = [
    ("ordinary", "a_start_code_every_20_kB_is_found_at_9_tenths_of_read_speed"),
    ("dense", "a_start_code_every_100_B_is_found_at_8_tenths_of_read_speed"),
    ("irregular", "start_codes_that_nothing_predicts_cost_little_more"),
    ("near_misses", "near_misses_everywhere_cost_nothing"),
    ("start_codes", "start_codes_only_are_found_at_a_tenth_of_read_speed"),
];

/// `len` bytes of the stream with that name.
pub fn stream(name: &str, len: usize) -> Vec<u8> {
    match name {
        "ordinary" => units(len, |_| (20_000, true)),
        "dense" => units(len, |_| (96, true)),
        "irregular" => units(len, |random| (46 + random % 100, random >> 32 & 1 == 1)),
        "near_misses" => {
            let mut bytes = [0, 0, 3, 1].repeat(len / 4);
            bytes[..4].copy_from_slice(&[0, 0, 1, 0x41]);
            bytes
        }
        _ => [0, 0, 1, 0x41].repeat(len / 4),
    }
}

/// Units whose length, and whether their start code has four bytes, `next` tells of a random number.
fn units(len: usize, next: impl Fn(usize) -> (usize, bool)) -> Vec<u8> {
    let mut bytes = noise(len);
    let mut random = 1_u64;
    let mut rest = &mut bytes[..];
    loop {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (unit, long) = next((random >> 16) as usize);
        let head = if long { &[0, 0, 0, 1, 0x41][..] } else { &[0, 0, 1, 0x41] };
        let Some((this, behind)) = rest.split_at_mut_checked(head.len() - 1 + unit) else { return bytes };
        this[..head.len()].copy_from_slice(head);
        // What follows must not make the next start code longer.
        this[this.len() - 1] = 0x80;
        rest = behind;
    }
}

/// The plain read pass: the sum of all words of eight bytes, in sixteen lanes that the compiler makes vectors of (SSE2 on
/// x86-64), so that a core does nothing but wait for memory.
pub fn read_pass(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    let mut sums = [0_u64; 16];
    for lanes in words.as_chunks::<16>().0 {
        for (sum, word) in sums.iter_mut().zip(lanes) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*word));
        }
    }
    sums.into_iter().fold(0, u64::wrapping_add)
}
