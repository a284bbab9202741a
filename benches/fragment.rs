//! Samples ► the piece list of a segment: `styp`, `moof` and the head of `mdat`, and where the payload lies. No payload is touched:
//! throughput is samples and bytes of the payload that is described. `headers_…` counts the bytes of the header that are written.

use std::hint::black_box;
use std::num::NonZeroU32;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fragmint::fragment::{Fragment, Header, PieceList};
use fragmint::scan::SourceRange;
use fragmint::time::{CompositionOffset, DecodeTime};
use fragmint::track::{Framing, Sample, SampleFlags};

/// The samples of one segment.
struct Segment {
    samples: Vec<Sample>,
    ranges: Vec<SourceRange>,
    framing: Framing,
}

impl Segment {
    /// `len` samples of `ranges` source ranges each, `size` bytes and a few more a range.
    fn new(len: u32, ranges: u32, size: u32, framing: Framing) -> Self {
        let between = 4;
        let range = |index: u32| SourceRange {
            offset: u64::from(index) * u64::from(size + 1000 + between) + u64::from(between),
            len: size + index % 900,
        };
        let ranges_of = |index: u32| index * ranges..(index + 1) * ranges;
        let sample = |index: u32| Sample {
            duration: 1000,
            composition_offset: CompositionOffset(0),
            flags: SampleFlags::SYNC,
            size: ranges_of(index).map(|index| range(index).len + framing.prefix_len()).sum(),
            ranges: ranges_of(index),
        };
        Self {
            samples: (0..len).map(sample).collect(),
            ranges: (0..len * ranges).map(range).collect(),
            framing,
        }
    }

    /// Pictures as x264 makes them: one sync sample, then a P picture and two B pictures each.
    fn of_pictures(len: u32, slices: u32, size: u32) -> Self {
        let mut segment = Self::new(len, slices, size, Framing::LengthPrefixed);
        let inter = &mut segment.samples[1..];
        inter.iter_mut().for_each(|sample| sample.flags = SampleFlags::INTER);
        for group in inter.chunks_exact_mut(3) {
            for (sample, offset) in group.iter_mut().zip([1000, 0, -1000]) {
                sample.composition_offset = CompositionOffset(offset);
            }
        }
        segment
    }

    fn fragment(&self) -> Fragment<'_> {
        let fragment =
            Fragment::new(NonZeroU32::MIN, DecodeTime(0), &self.samples, &self.ranges, self.framing);
        fragment.expect("a sound segment")
    }

    fn throughput(&self) -> Throughput {
        let bytes = self.samples.iter().map(|sample| u64::from(sample.size)).sum();
        Throughput::ElementsAndBytes { elements: self.samples.len() as u64, bytes }
    }
}

fn fragment(c: &mut Criterion) {
    let segments = [
        ("241 pictures of 1 slice", Segment::of_pictures(241, 1, 4000)),
        ("241 pictures of 4 slices", Segment::of_pictures(241, 4, 1000)),
        ("188 frames of sound", Segment::new(188, 1, 350, Framing::Raw)),
        ("20000 pictures of 1 slice", Segment::of_pictures(20_000, 1, 4000)),
    ];
    let mut group = c.benchmark_group("fragment");
    for (name, segment) in &segments {
        group.throughput(segment.throughput());
        group.bench_function(BenchmarkId::new("laid_out_for_nanoseconds_a_sample", name), |b| {
            let mut list = PieceList::default();
            b.iter(|| {
                black_box(segment).fragment().piece_list_into(&mut list).expect("a sound segment");
                black_box(list.len())
            });
        });
    }
    for (name, segment) in &segments {
        let mut out = Vec::new();
        let mut write = || {
            out.clear();
            let header = Header::new(NonZeroU32::MIN, DecodeTime(0), black_box(&segment.samples));
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
