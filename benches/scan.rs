//! Finding NAL units: how near it comes to reading the bytes at all, on streams with rare, common and pathological start
//! codes. A source is memory here, so that reading it is the copy that a read from the page cache makes.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fragmint::io::ReadAt;
use fragmint::io::windows::{AdtsOptions, ScanOptions, read_adts, scan_nal_units};
use fragmint::scan::annexb::{NalUnits, StartCodes};
use fragmint::scan::simd::{Blocks, find_slowly};
use memchr::memmem;

#[path = "scan/streams.rs"]
mod streams;

/// Bytes of each stream: more than a last-level cache has.
const LEN: usize = 64 << 20;

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("annexb");
    group.throughput(Throughput::Bytes(LEN as u64)).sample_size(10);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    for (name, claim) in streams::STREAMS {
        let stream = &streams::stream(name, LEN)[..];
        let mut bench = |way: &str, run: &dyn Fn(&[u8]) -> u64| {
            group.bench_function(BenchmarkId::new(claim, way), |b| b.iter(|| run(black_box(stream))));
        };
        bench("plain read pass", &streams::read_pass);
        bench("kernel", &|bytes| StartCodes::new(bytes).count() as u64);
        bench("scalar twin", &|bytes| Blocks::with_kernel(bytes, find_slowly).flatten().count() as u64);
        bench("memchr", &|bytes| memmem::find_iter(bytes, &[0, 0, 1]).count() as u64);
        bench("naive", &|bytes| bytes.windows(3).filter(|three| *three == [0, 0, 1]).count() as u64);
        bench("NAL units of a buffer", &|bytes| {
            NalUnits::new(bytes).expect("the stream is valid").count() as u64
        });
        let units = |bytes: &[u8]| {
            let mut units = 0;
            let result = scan_nal_units(bytes, &ScanOptions::default(), |unit| {
                units += u64::from(unit.len > 0);
                Ok(())
            });
            result.map(|_| units).expect("the stream is valid")
        };
        bench("NAL units of a source, 1 thread", &|bytes| one_thread.install(|| units(bytes)));
        bench("NAL units of a source, all threads", &units);
    }
    let source = streams::noise(LEN);
    let mut part = vec![0; ScanOptions::default().part_size];
    group.bench_function("what_reading_a_source_alone_costs/1 thread", |b| {
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
