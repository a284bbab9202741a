//! Finding NAL units: how near it comes to reading the bytes at all, on streams with rare, common and pathological start
//! codes. The source is memory, so that "read" is the copy that a read from the page cache makes.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fragmint::io::ReadAt;
use fragmint::io::windows::{AdtsOptions, ScanOptions, read_adts, scan_nal_units};
use fragmint::scan::annexb::NalUnits;

/// Bytes of each stream: more than a last-level cache has.
const LEN: usize = 64 << 20;

/// Bytes like those of compressed pictures (xorshift), without start codes and without zeros next to each other.
fn payload(len: usize) -> Vec<u8> {
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

/// A stream with a unit of `unit` bytes behind each start code.
fn stream(unit: usize) -> Vec<u8> {
    let mut bytes = payload(LEN);
    for unit in bytes.chunks_exact_mut(unit + 4) {
        unit[..5].copy_from_slice(&[0, 0, 0, 1, 0x41]);
        // What follows must not make the next start code longer.
        unit[unit.len() - 1] = 0x80;
    }
    bytes
}

fn streams() -> [(&'static str, Vec<u8>); 4] {
    let mut near_misses = [0, 0, 3, 1].repeat(LEN / 4);
    near_misses[..4].copy_from_slice(&[0, 0, 1, 0x41]);
    [
        ("ordinary_20_kB_units_scan_near_read_speed", stream(20_000)),
        ("dense_100_B_units_scan_within_a_few_reads", stream(100)),
        ("near_misses_everywhere_stay_linear", near_misses),
        ("start_codes_only_stay_linear", [0, 0, 1, 0x41].repeat(LEN / 4)),
    ]
}

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("annexb");
    group.throughput(Throughput::Bytes(LEN as u64)).sample_size(10);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    for (claim, stream) in streams() {
        let stream = &stream[..];
        let count = || {
            let mut units = 0u64;
            let result = scan_nal_units(black_box(stream), &ScanOptions::default(), |unit| {
                units += u64::from(unit.len > 0);
                Ok(())
            });
            result.map(|_| units).expect("the stream is valid")
        };
        group.bench_function(BenchmarkId::new(claim, "all threads"), |b| b.iter(count));
        group.bench_function(BenchmarkId::new(claim, "1 thread"), |b| b.iter(|| one_thread.install(count)));
        group.bench_function(BenchmarkId::new(claim, "whole buffer"), |b| {
            b.iter(|| NalUnits::new(black_box(stream)).expect("the stream is valid").count())
        });
    }
    let source = payload(LEN);
    let mut part = vec![0; ScanOptions::default().part_size];
    group.bench_function("what_reading_alone_costs/1 thread", |b| {
        b.iter(|| {
            for offset in (0..LEN).step_by(part.len()) {
                source.read_at(offset as u64, &mut part).expect("the source is in memory");
                black_box(&part);
            }
        })
    });
    group.finish();
}

fn adts(c: &mut Criterion) {
    // 371 bytes a frame: 128 kbit/s at 44.1 kHz.
    let header = [0xff, 0xf1, 0x50, 0x80, 0x2e, 0x7f, 0xfc];
    let frame = [&header[..], &[0x21; 364]].concat();
    let stream = frame.repeat(LEN / frame.len());
    let mut group = c.benchmark_group("adts");
    group.throughput(Throughput::Bytes(stream.len() as u64)).sample_size(10);
    group.bench_function("128_kbps_frames_are_found_at_gigabytes_per_second", |b| {
        b.iter(|| {
            let mut bytes = 0;
            let result = read_adts(black_box(&stream[..]), &AdtsOptions::default(), |payload| {
                bytes += u64::from(payload.len);
                Ok(())
            });
            result.map(|_| bytes).expect("the stream is valid")
        })
    });
    group.finish();
}

criterion_group!(benches, scan, adts);
criterion_main!(benches);
