//! Filling, publishing and reading back one segment of 3 MiB. `FRAGMINT_BENCH_DIR` names the file system to measure on.
//!
//! Three ways to fill are compared: the library's two, and `buffered`, which is what a program does that thinks of nothing else: each
//! piece read into one buffer (kept from segment to segment), and that written at once. They differ in nothing else. `copied` is as
//! many bytes of the source, copied into a file by the kernel: the floor.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fragmint::fragment::{Piece, PieceList};
use fragmint::hash::HashAlgorithm;
use fragmint::io::ReadAt;
use fragmint::io::check::{ReadBack, read_back};
use fragmint::io::directory::Directory;
use fragmint::io::input::Input;
use fragmint::io::segment_file::SegmentFile;
use fragmint::io::way::{FileSystem, Way};
use fragmint::scan::SourceRange;

mod inputs;

/// Bytes of payload in a segment, to the unit.
const PAYLOAD: u32 = 3 << 20;

/// NAL units of `unit` bytes behind start codes of `start_code`.
fn list_of(unit: u32, start_code: u32) -> PieceList {
    let mut list = PieceList::default();
    list.push_literal(&[0; 2000]);
    for i in 0..u64::from(PAYLOAD / unit) {
        list.push_length(unit);
        let offset = i * u64::from(unit + start_code) + u64::from(start_code);
        list.push_source(SourceRange { offset, len: unit });
    }
    list
}

fn fill_buffered(list: &PieceList, input: &Input, buffer: &mut Vec<u8>) -> fragmint::Result<()> {
    buffer.clear();
    for piece in list.pieces() {
        match piece {
            Piece::Literal(range) => buffer.extend_from_slice(list.literal(range)),
            Piece::Length(length) => buffer.extend_from_slice(&length.to_be_bytes()),
            Piece::Source(range) => {
                let start = buffer.len();
                buffer.resize(start + range.len as usize, 0);
                input.read_at(range.offset, &mut buffer[start..])?;
            }
        }
    }
    Ok(())
}

/// A file of the three ways, published and removed again.
fn write(
    group: &mut BenchmarkGroup<'_, WallTime>,
    way: &str,
    out: &Directory,
    directory: &Path,
    mut fill: impl FnMut(&mut SegmentFile<&Directory, &str>) -> fragmint::Result<()>,
) {
    group.bench_function(BenchmarkId::new("filled_and_published", way), |b| {
        b.iter(|| {
            let mut file = SegmentFile::create(out, "segment").expect("space");
            fill(&mut file).expect("space");
            black_box(file.publish().expect("a free name"));
            std::fs::remove_file(directory.join("segment")).expect("the segment");
        });
    });
}

/// As many bytes as a segment has, copied and removed again.
fn copy(group: &mut BenchmarkGroup<'_, WallTime>, bytes: u64, source: &Path, directory: &Path) {
    let to = directory.join("copy");
    group.bench_function(BenchmarkId::new("filled_and_published", "copied"), |b| {
        b.iter(|| {
            let source = File::open(source).expect("the source");
            let mut copy = File::create(&to).expect("space");
            std::io::copy(&mut source.take(bytes), &mut copy).expect("space");
            std::fs::remove_file(&to).expect("the copy");
        });
    });
}

fn segment_file(c: &mut Criterion) {
    let directory = inputs::directory();
    let source = directory.path().join("source");
    // The tiniest units have most start codes: 4 bytes for each 60.
    std::fs::write(&source, inputs::noise(PAYLOAD as usize * 64 / 60)).expect("space for the source");
    let input = Input::open(&source).expect("a regular file");
    let out = Directory::open(directory.path()).expect("a directory");
    println!("segment_file: measured on {}", FileSystem::for_output(directory.path()));
    for (kind, unit, start_code) in [
        ("5_kB_units_behind_4_byte_start_codes_cost_about_a_copy", 5000, 4),
        ("5_kB_units_behind_3_byte_start_codes_cost_about_a_copy", 5000, 3),
        ("1_MiB_units_behind_4_byte_start_codes_cost_about_a_copy", 1 << 20, 4),
        ("60_B_units_behind_4_byte_start_codes_cost_less_than_a_call_each", 60, 4),
        ("60_B_units_behind_3_byte_start_codes_cost_less_than_a_call_each", 60, 3),
    ] {
        let list = list_of(unit, start_code);
        let mut group = c.benchmark_group(kind);
        group.throughput(Throughput::Bytes(list.len()));
        for way in [Way::Gather, Way::Mapped] {
            // Where a mapping may not be used it would be gather under another name.
            let mut taken = SegmentFile::create(&out, "tried").expect("space");
            taken.fill(&list, &input, way).expect("space");
            let taken = taken.publish().expect("a free name").way;
            std::fs::remove_file(directory.path().join("tried")).expect("the segment");
            if taken == way {
                let fill =
                    |file: &mut SegmentFile<&Directory, &str>| file.fill(black_box(&list), &input, way);
                write(&mut group, &way.to_string(), &out, directory.path(), fill);
            } else {
                println!("{kind}: NOT MEASURED: {way}, which is not safe on this file system");
            }
        }
        let mut buffer = Vec::new();
        write(&mut group, "buffered", &out, directory.path(), |file| {
            fill_buffered(black_box(&list), &input, &mut buffer)?;
            file.write_bytes(&buffer)
        });
        copy(&mut group, list.len(), &source, directory.path());
        read(&mut group, &list, &input, &out);
        group.finish();
        std::fs::remove_file(directory.path().join("verified")).expect("the segment");
    }
}

fn read(group: &mut BenchmarkGroup<'_, WallTime>, list: &PieceList, input: &Input, out: &Directory) {
    let mut file = SegmentFile::create(out, "verified").expect("space");
    file.fill(list, input, Way::Gather).expect("space");
    file.publish().expect("a free name");
    for (name, compare, hash) in [
        ("compared", true, None),
        ("hashed", false, Some(HashAlgorithm::Xxh3)),
        ("compared and hashed", true, Some(HashAlgorithm::Xxh3)),
    ] {
        let read = || read_back(out, "verified", black_box(list), input, ReadBack { compare, hash });
        group.bench_function(BenchmarkId::new("read_back", name), |b| {
            b.iter(|| read().expect("readable").expect("the same bytes"));
        });
    }
}

criterion_group!(benches, segment_file);
criterion_main!(benches);
