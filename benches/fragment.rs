//! Samples ► the piece list of a segment: `styp`, `moof` and the head of `mdat`, and where the payload lies. No payload is touched:
//! throughput is samples and bytes of the payload that is described. `headers_…` counts the bytes of the header that are written.

use std::hint::black_box;
use std::num::NonZeroU32;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fragmint::fragment::{Fragment, Header, PieceList};
use fragmint::scan::SourceRange;
use fragmint::time::{CompositionOffset, DecodeTime};
use fragmint::track::{Framing, SampleFlags, Samples};

/// `len` samples of `ranges` source ranges each, `size` bytes and a few more a range; `flags` are those of all but the first.
fn samples_of(len: u32, ranges: u32, size: u32, framing: Framing, flags: SampleFlags) -> Samples {
    let between = 4;
    let range = |index: u32| SourceRange {
        offset: u64::from(index) * u64::from(size + 1000 + between) + u64::from(between),
        len: size + index % 900,
    };
    let mut samples = Samples::new(framing);
    for index in 0..len {
        let own: Vec<_> = (index * ranges..(index + 1) * ranges).map(range).collect();
        let flags = if index == 0 { SampleFlags::SYNC } else { flags };
        samples.push(&own, flags, 1000).expect("small samples");
    }
    samples
}

fn sound(frames: u32) -> Samples {
    samples_of(frames, 1, 350, Framing::Raw, SampleFlags::SYNC)
}

/// Pictures as x264 makes them: one sync sample, then a P picture and two B pictures each.
fn pictures(len: u32, slices: u32, size: u32) -> Samples {
    let mut samples = samples_of(len, slices, size, Framing::LengthPrefixed, SampleFlags::INTER);
    let later = [1000, 0, -1000].into_iter().cycle().take(len as usize - 1);
    samples.set_composition_offsets([0].into_iter().chain(later).map(CompositionOffset).collect());
    samples
}

fn fragment_of(samples: &Samples) -> Fragment<'_> {
    Fragment::new(NonZeroU32::MIN, DecodeTime(0), samples.iter()).expect("a sound segment")
}

fn fragment(c: &mut Criterion) {
    let segments = [
        ("241 pictures of 1 slice", pictures(241, 1, 4000)),
        ("241 pictures of 4 slices", pictures(241, 4, 1000)),
        ("188 frames of sound", sound(188)),
        ("20000 pictures of 1 slice", pictures(20_000, 1, 4000)),
    ];
    let mut group = c.benchmark_group("fragment");
    for (name, segment) in &segments {
        let elements = segment.len() as u64;
        group.throughput(Throughput::ElementsAndBytes { elements, bytes: segment.iter().size() });
        group.bench_function(BenchmarkId::new("laid_out_for_nanoseconds_a_sample", name), |b| {
            let mut list = PieceList::default();
            b.iter(|| {
                fragment_of(black_box(segment)).piece_list_into(&mut list).expect("a sound segment");
                black_box(list.len())
            });
        });
    }
    for (name, segment) in &segments {
        let mut out = Vec::new();
        let mut write = || {
            out.clear();
            let header = Header::new(NonZeroU32::MIN, DecodeTime(0), black_box(segment).iter());
            header.and_then(|header| header.write(&mut out)).expect("a sound segment");
            out.len() as u64
        };
        group.throughput(Throughput::Bytes(write()));
        group.bench_function(BenchmarkId::new("headers_are_written_at_a_gigabyte_a_second", name), |b| {
            b.iter(&mut write);
        });
    }
    group.finish();
}

criterion_group!(benches, fragment);
criterion_main!(benches);
