//! NAL units and OBUs ► access units and temporal units: what headers are read for, and what that costs with few and with many
//! units a picture. Throughput is bytes of the stream and units in it.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fragmint::io::windows::obu::{ObuOptions, read_obus};
use fragmint::io::windows::{ScanOptions, scan_nal_units};
use fragmint::scan::access_units::{AccessUnitBuilder, AccessUnitOptions, NalCodec};
use fragmint::scan::av1::{Obu, TemporalUnitBuilder, TemporalUnitOptions};
use fragmint::scan::h264::H264;
use fragmint::scan::h265::H265;

use inputs::Nals;

mod inputs;

/// Bytes do not count here: units of 200 B and of 20 kB cost the same.
const BY_THE_UNIT: &str = "a_unit_costs_a_fraction_of_a_microsecond_whatever_its_size";
/// Both in one pass, as a package reads its inputs; of units that are not tiny, since those cost by the unit.
const WITH_SEARCH: &str = "found_and_grouped_at_gigabytes_a_second";
/// Bytes of a slice or frame that is tiny.
const TINY: usize = 200;

fn h264(c: &mut Criterion) {
    let one = Nals::new("examples/ladder/234p.h264", 20_000);
    let four = Nals::new("examples/ladder/360p.h264", 5000);
    let streams = [
        ("1 slice of 20 kB", one),
        ("1 slice of 200 B", Nals { slice: TINY, repeat: 10, ..one }),
        ("4 slices of 5 kB", four),
        ("32 slices of 600 B", Nals { slice: 600, repeat_slices: 8, ..four }),
    ];
    nal_units::<H264>(&mut c.benchmark_group("h264"), &streams);
}

fn h265(c: &mut Criterion) {
    let one = Nals::new("examples/ladder/234p.h265", 20_000);
    let four = Nals { repeat: 8, ..Nals::new("tests/streams/h265-slices.h265", 5000) };
    let streams = [
        ("1 slice of 20 kB", one),
        ("1 slice of 200 B", Nals { slice: TINY, repeat: 10, ..one }),
        ("4 slices of 5 kB", four),
    ];
    nal_units::<H265>(&mut c.benchmark_group("h265"), &streams);
}

fn nal_units<C: NalCodec>(group: &mut BenchmarkGroup<'_, WallTime>, streams: &[(&str, Nals)]) {
    for (name, nals) in streams {
        let (stream, tiny) = (nals.make(), nals.slice == TINY);
        let units = inputs::nal_units(&stream);
        throughput(group, units.len(), &stream);
        group.bench_function(BenchmarkId::new(BY_THE_UNIT, name), |b| {
            b.iter(|| {
                let mut builder = AccessUnitBuilder::<C>::new(AccessUnitOptions::default());
                let mut pictures = 0;
                for nal in black_box(&units) {
                    pictures += usize::from(builder.push(*nal).expect("a sound stream").is_some());
                }
                pictures + usize::from(builder.finish().expect("a sound stream").is_some())
            });
        });
        if tiny {
            continue;
        }
        group.bench_function(BenchmarkId::new(WITH_SEARCH, name), |b| {
            b.iter(|| {
                let mut builder = AccessUnitBuilder::<C>::new(AccessUnitOptions::default());
                let mut pictures = 0;
                let report = scan_nal_units(black_box(&stream[..]), &ScanOptions::default(), |nal| {
                    pictures += usize::from(builder.push(nal)?.is_some());
                    Ok(())
                });
                report.expect("a sound stream");
                pictures + usize::from(builder.finish().expect("a sound stream").is_some())
            });
        });
    }
}

fn av1(c: &mut Criterion) {
    let mut group = c.benchmark_group("av1");
    for (name, template, frame) in [
        ("20 kB, hidden frames", "tests/streams/180p.ivf", 20_000),
        ("20 kB, a pyramid", "tests/streams/90p.ivf", 20_000),
        ("200 B, a pyramid", "tests/streams/90p.ivf", TINY),
    ] {
        let stream = inputs::obus(template, frame, if frame == TINY { 20 } else { 3 });
        let units = obus(&stream);
        throughput(&mut group, units.len(), &stream);
        group.bench_function(BenchmarkId::new(BY_THE_UNIT, name), |b| {
            b.iter(|| {
                let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions::default());
                let mut samples = 0;
                for obu in black_box(&units) {
                    samples += usize::from(builder.push(*obu).expect("a sound stream").is_some());
                }
                samples + usize::from(builder.finish().expect("a sound stream").is_some())
            });
        });
        if frame == TINY {
            continue;
        }
        group.bench_function(BenchmarkId::new(WITH_SEARCH, name), |b| {
            b.iter(|| {
                let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions::default());
                let mut samples = 0;
                let report = read_obus(black_box(&stream[..]), &ObuOptions::default(), |obu| {
                    samples += usize::from(builder.push(obu)?.is_some());
                    Ok(())
                });
                report.expect("a sound stream");
                samples + usize::from(builder.finish().expect("a sound stream").is_some())
            });
        });
    }
    group.finish();
}

fn obus(stream: &[u8]) -> Vec<Obu<'_>> {
    let mut units = Vec::new();
    let read = read_obus(stream, &ObuOptions::default(), |obu| {
        let whole = obu.offset as usize..(obu.offset + obu.len) as usize;
        units.push(Obu { offset: obu.offset, len: obu.len, head: &stream[whole] });
        Ok(())
    });
    read.expect("a sound stream");
    units
}

fn throughput(group: &mut BenchmarkGroup<'_, WallTime>, units: usize, stream: &[u8]) {
    group.throughput(Throughput::ElementsAndBytes { elements: units as u64, bytes: stream.len() as u64 });
}

criterion_group!(benches, h264, h265, av1);
criterion_main!(benches);
