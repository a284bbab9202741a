//! What a packet costs on its way into a segment, from the encoder's own writing on: pushed, written into a reservation, or
//! collected in vectors for a `BufWriter` (`segmenter/collector.rs`).
//!
//! `…/packets` is the time until the last packet of a segment is taken, `…/segment` that until its file is there; both count
//! packets and their bytes. `FRAGMINT_BENCH_DIR` names the file system to measure on.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

use ways::{Source, Way};

#[path = "segmenter/mod.rs"]
mod ways;

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, source: &Source, mut way: Way) {
    // The first segment brings the init segment, and shows how long the header gets.
    way.take_all(source).expect("sound packets");
    way.cut().expect("space");
    for (part, whole) in [("packets", false), ("segment", true)] {
        group.bench_function(format!("{name}/{part}"), |b| {
            b.iter_custom(|segments| {
                let mut taken = Duration::ZERO;
                for _ in 0..segments {
                    let start = Instant::now();
                    way.take_all(source).expect("sound packets");
                    let packets = start.elapsed();
                    let path = way.cut().expect("space");
                    taken += if whole { start.elapsed() } else { packets };
                    path.map_or(Ok(()), std::fs::remove_file).expect("the segment");
                }
                taken
            });
        });
    }
}

fn segmenter(c: &mut Criterion) {
    let base = std::env::var_os("FRAGMINT_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    for (kind, source) in [
        ("pictures_of_20_kb_behind_4_byte_start_codes", Source::pictures(&[0, 0, 0, 1])),
        ("pictures_of_20_kb_behind_3_byte_start_codes", Source::pictures(&[0, 0, 1])),
        ("sound_frames_of_350_bytes", Source::sound().expect("48 kHz and two channels")),
    ] {
        let mut group = c.benchmark_group(kind);
        let elements = source.packets.len() as u64;
        group.throughput(Throughput::ElementsAndBytes { elements, bytes: source.bytes() });
        for name in ["bufwriter", "push", "reserve", "hashed", "buffered"] {
            let directory = tempfile::tempdir_in(&base).expect("a directory that can be written");
            let way = Way::new(name, &source, directory.path()).expect("a directory that can be written");
            measure(&mut group, name, &source, way);
        }
        group.finish();
    }
}

criterion_group!(benches, segmenter);
criterion_main!(benches);
