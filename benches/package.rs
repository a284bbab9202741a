//! A whole package, from files to files: three renditions and sound, by each I/O way, with and without reading back what was written,
//! on one thread and on all; and what copying the inputs costs. Throughput is bytes of the inputs. `FRAGMINT_BENCH_DIR` names the file system to measure on.

use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fragmint::hash::HashAlgorithm;
use fragmint::io::way::{FileSystem, Way};
use fragmint::package::{Existing, InputRequest, IoChoice, Report, Request, run};
use rayon::{ThreadPool, ThreadPoolBuilder};

use inputs::Nals;

mod inputs;

/// How often the 24 s of the streams' headers come: tens of megabytes, so that bytes and not the number of files decide.
const REPEAT: usize = 3;

/// Writes the inputs into `directory`; gives them, and their bytes.
fn ladder(directory: &Path) -> (Vec<InputRequest>, u64) {
    let video = |template, slice| Nals { repeat: REPEAT, ..Nals::new(template, slice) };
    let streams = [
        ("720p.h264", video("examples/ladder/720p.h264", 15_000).make()),
        ("360p.h264", video("examples/ladder/360p.h264", 1200).make()),
        ("234p.h264", Nals { start_code: &[0, 0, 1], ..video("examples/ladder/234p.h264", 2000) }.make()),
        ("sound.aac", inputs::adts(350, 1125 * REPEAT)),
    ];
    let bytes = streams.iter().map(|(_, stream)| stream.len() as u64).sum();
    let write = |(name, stream): (&str, Vec<u8>)| {
        let path = directory.join(name);
        std::fs::write(&path, stream).expect("room for the streams");
        InputRequest::new(path)
    };
    (streams.map(write).into(), bytes)
}

fn run_all(request: &Request) -> Report {
    let plan = run::plan(request, &|_| {}).expect("the ladder can be packaged");
    run::write(request, &plan, &|_| {}).expect("the ladder can be written")
}

fn package(c: &mut Criterion) {
    let directory = inputs::directory();
    let (inputs, bytes) = ladder(directory.path());
    let request =
        Request { existing: Existing::Replace, ..Request::new(inputs, directory.path().join("out")) };
    let pools = [("1 thread", 1), ("all threads", 0)].map(|(name, threads)| {
        (name, ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads"))
    });
    println!("package: measured on {}", FileSystem::for_output(directory.path()));
    let mut group = c.benchmark_group("package");
    group.throughput(Throughput::Bytes(bytes)).sample_size(10);
    for (name, pool) in &pools {
        group.bench_function(BenchmarkId::new("planned_at_gigabytes_a_second", name), |b| {
            b.iter(|| pool.install(|| run::plan(&request, &|_| {}).expect("the ladder can be packaged")));
        });
    }
    let copy = directory.path().join("copy");
    group.bench_function("what_copying_the_inputs_costs", |b| {
        b.iter(|| {
            for input in &request.inputs {
                std::fs::copy(&input.path, &copy).expect("space");
                std::fs::remove_file(&copy).expect("the copy");
            }
        });
    });
    for (way, io) in [(Way::Gather, IoChoice::Gather), (Way::Mapped, IoChoice::Mapped)] {
        let taken = run_all(&Request { io, ..request.clone() }).io;
        if taken.way != way.to_string() {
            println!("package: NOT MEASURED: {way}: {}", taken.reason);
            continue;
        }
        for (checks, verify, hash) in
            [("unverified", false, None), ("verified and hashed", true, Some(HashAlgorithm::default()))]
        {
            let request = Request { io, verify, hash, ..request.clone() };
            written(&mut group, &format!("{way}, {checks}"), &request, &pools);
        }
    }
    group.finish();
}

fn written(
    group: &mut BenchmarkGroup<'_, WallTime>,
    how: &str,
    request: &Request,
    pools: &[(&str, ThreadPool)],
) {
    for (threads, pool) in pools {
        let id = BenchmarkId::new("a_package_costs_a_few_copies_of_its_inputs", format!("{how}, {threads}"));
        group.bench_function(id, |b| b.iter(|| pool.install(|| run_all(request))));
    }
}

criterion_group!(benches, package);
criterion_main!(benches);
