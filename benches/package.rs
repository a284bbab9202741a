//! From units to files: what grouping units into access units, laying out fragments and running a whole package cost.
//! The source is the example ladder, repeated.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fragmint::fragment::{Fragment, PieceList};
use fragmint::package::{Existing, InputRequest, IoChoice, Request, run};
use fragmint::scan::annexb::NalUnits;
use fragmint::scan::h264::{AccessUnitBuilder, AccessUnitOptions};
use fragmint::scan::{NalUnit, SourceRange};
use fragmint::time::{CompositionOffset, DecodeTime};
use fragmint::track::{Framing, Sample, SampleFlags};

/// How often the ladder's streams are repeated: tens of megabytes, so that files and not their number decide.
const REPEAT: usize = 20;

fn ladder(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn access_units(c: &mut Criterion) {
    let stream = ladder("360p.h264").repeat(REPEAT);
    let nals: Vec<NalUnit<'_>> =
        NalUnits::new(&stream).and_then(|units| units.collect()).expect("the example is a byte stream");
    let mut group = c.benchmark_group("h264");
    group.throughput(Throughput::Elements(nals.len() as u64));
    group.bench_function("grouping_costs_a_fraction_of_a_microsecond_a_unit", |b| {
        b.iter(|| {
            let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
            let mut pictures = 0;
            for nal in &nals {
                pictures += usize::from(builder.push(*nal).expect("a sound stream").is_some());
            }
            black_box(pictures + usize::from(builder.finish().expect("a sound stream").is_some()))
        });
    });
    group.finish();
}

/// A group of pictures as x264 makes them: one sync sample, B pictures, one unit a picture.
fn group_of_pictures(len: u32) -> (Vec<Sample>, Vec<SourceRange>) {
    let range = |index: u32| SourceRange { offset: u64::from(index) * 5000 + 4, len: 4000 + index % 900 };
    let sample = |index: u32| Sample {
        duration: 1000,
        composition_offset: CompositionOffset(match index % 4 {
            0 if index > 0 => -1000,
            1 => 2000,
            2 => 0,
            _ => -1000,
        }),
        flags: if index == 0 { SampleFlags::SYNC } else { SampleFlags::INTER },
        size: range(index).len + 4,
        ranges: index..index + 1,
    };
    let mut samples: Vec<Sample> = (0..len).map(sample).collect();
    for group in samples[1..].chunks_exact_mut(3) {
        for (sample, offset) in group.iter_mut().zip([1000, 0, -1000]) {
            sample.composition_offset = CompositionOffset(offset);
        }
    }
    samples[0].composition_offset = CompositionOffset(0);
    (samples, (0..len).map(range).collect())
}

fn fragments(c: &mut Criterion) {
    let (samples, ranges) = group_of_pictures(241);
    let mut group = c.benchmark_group("fragment");
    group.throughput(Throughput::Elements(samples.len() as u64));
    group.bench_function("laying_out_a_segment_costs_nanoseconds_a_sample", |b| {
        let mut list = PieceList::default();
        b.iter(|| {
            let fragment = Fragment::new(
                NonZeroU32::MIN,
                DecodeTime(0),
                black_box(&samples),
                &ranges,
                Framing::LengthPrefixed,
            );
            fragment.and_then(|fragment| fragment.piece_list_into(&mut list)).expect("a sound segment");
            black_box(list.len())
        });
    });
    group.finish();
}

fn package(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let input = |name: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, ladder(name).repeat(REPEAT)).expect("room for the streams");
        InputRequest::new(path)
    };
    let inputs: Vec<InputRequest> = ["720p.h264", "360p.h264", "234p.h264", "en.aac"].map(input).into();
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
    let bytes: u64 = inputs.iter().map(|input| size(&input.path)).sum();
    let output = directory.path().join("out");
    let mut group = c.benchmark_group("package");
    group.throughput(Throughput::Bytes(bytes)).sample_size(10);
    for (claim, io) in [("ladder_gathered", IoChoice::Gather), ("ladder_mapped", IoChoice::Mapped)] {
        let request = Request { io, existing: Existing::Replace, ..Request::new(inputs.clone(), &output) };
        group.bench_function(claim, |b| {
            b.iter(|| {
                let plan = run::plan(&request, &|_| {}).expect("the ladder can be packaged");
                run::write(&request, &plan, &|_| {}).expect("the ladder can be written")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, access_units, fragments, package);
criterion_main!(benches);
