//! Filling, publishing and verifying one segment. `FRAGMINT_BENCH_DIR` names the file system to measure on.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fragmint::fragment::PieceList;
use fragmint::hash::HashAlgorithm;
use fragmint::io::check::{ReadBack, read_back};
use fragmint::io::directory::Directory;
use fragmint::io::input::Input;
use fragmint::io::segment_file::SegmentFile;
use fragmint::io::way::Way;
use fragmint::scan::SourceRange;

/// NAL units of `unit` bytes behind four-byte start codes, 3 MiB of them.
fn list_of(unit: u32) -> PieceList {
    let mut list = PieceList::default();
    list.push_literal(&[0; 2000]);
    for i in 0..u64::from((3 << 20) / unit) {
        list.push_length(unit);
        list.push_source(SourceRange { offset: i * u64::from(unit + 4) + 4, len: unit });
    }
    list
}

fn segment_file(c: &mut Criterion) {
    let base = std::env::var_os("FRAGMINT_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(base).expect("a directory that can be written");
    let source = directory.path().join("source");
    std::fs::write(&source, vec![0x65; 4 << 20]).expect("space for the source");
    let input = Input::open(&source).expect("a regular file");
    let out = Directory::open(directory.path()).expect("a directory");
    for (kind, unit) in [("ordinary_units", 5000), ("tiny_units", 60)] {
        let list = list_of(unit);
        let mut group = c.benchmark_group(format!("segment_of_{kind}"));
        group.throughput(Throughput::Bytes(list.len()));
        for way in [Way::Gather, Way::Mapped] {
            group.bench_function(way.to_string(), |b| {
                b.iter(|| {
                    let mut file = SegmentFile::create(&out, "segment").expect("space");
                    file.fill(black_box(&list), &input, way).expect("space");
                    black_box(file.publish().expect("a free name"));
                    std::fs::remove_file(directory.path().join("segment")).expect("the segment");
                });
            });
        }
        let mut file = SegmentFile::create(&out, "verified").expect("space");
        file.fill(&list, &input, Way::Gather).expect("space");
        file.publish().expect("a free name");
        for (name, compare, hash) in [
            ("verify", true, None),
            ("hash", false, Some(HashAlgorithm::Xxh3)),
            ("verify_and_hash", true, Some(HashAlgorithm::Xxh3)),
        ] {
            let read = || read_back(&out, "verified", black_box(&list), &input, ReadBack { compare, hash });
            group.bench_function(name, |b| b.iter(|| read().expect("readable").expect("the same bytes")));
        }
        group.finish();
        std::fs::remove_file(directory.path().join("verified")).expect("the segment");
    }
}

criterion_group!(benches, segment_file);
criterion_main!(benches);
