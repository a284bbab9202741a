//! Searches streams for start codes in each way, beside a plain read pass over the same bytes, and prints a line of raw
//! numbers for each round: what `perf/record` keeps.
//!
//! `scan_shares ROUNDS MIB [STREAM WAY]` makes streams of MIB mebibytes; the ways take turns within a round, and each has a
//! read pass directly before it, so that what disturbs the machine disturbs both. With the name of one stream and one way that is all it does, for callgrind.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use fragmint::io::ReadAt;
use fragmint::io::windows::{ScanOptions, scan_nal_units};
use fragmint::scan::annexb::{NalUnits, StartCodes};
use fragmint::scan::simd::{Blocks, find_by_memchr, find_slowly};
use memchr::memmem;
use streams::{STREAMS, stream};

#[path = "../benches/scan/streams.rs"]
mod streams;

type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

/// What is done with a stream, and how: gives a number that depends on all of it.
type Way = (&'static str, fn(&[u8]) -> u64);

/// What each of these means is told by perf/scan.sh's table.
const WAYS: [Way; 10] = [
    ("read", streams::read_pass),
    ("kernel", |bytes| StartCodes::new(bytes).map(|at| at as u64).sum()),
    ("memchr", |bytes| memmem::find_iter(bytes, &[0, 0, 1]).map(|at| at as u64).sum()),
    ("memchr_chunks", |bytes| Blocks::with_kernel(bytes, find_by_memchr).flatten().map(|at| at as u64).sum()),
    ("scalar_twin", |bytes| Blocks::with_kernel(bytes, find_slowly).flatten().map(|at| at as u64).sum()),
    ("naive", |bytes| {
        bytes.windows(3).enumerate().filter(|(_, three)| *three == [0, 0, 1]).map(|(at, _)| at as u64).sum()
    }),
    ("nal_units", |bytes| NalUnits::new(bytes).expect("it begins with a start code").count() as u64),
    ("copy", |bytes| {
        let mut part = vec![0; ScanOptions::default().part_size];
        for offset in (0..bytes.len()).step_by(part.len()) {
            let left = (bytes.len() - offset).min(part.len());
            bytes.read_at(offset as u64, &mut part[..left]).expect("the source is in memory");
            black_box(&part);
        }
        0
    }),
    ("scan_1_thread", |bytes| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
        pool.install(|| scan(bytes))
    }),
    ("scan_all_threads", scan),
];

fn scan(bytes: &[u8]) -> u64 {
    let report = scan_nal_units(bytes, &ScanOptions::default(), |_| Ok(()));
    report.expect("the stream is valid").units
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match measure(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\nusage: scan_shares ROUNDS MIB [STREAM WAY]");
            ExitCode::from(2)
        }
    }
}

fn measure(arguments: &[&str]) -> AnyResult<()> {
    let [rounds, mib, only @ ..] = arguments else { return Err("two or four arguments are needed".into()) };
    let (rounds, len) = (rounds.parse::<u32>()?, mib.parse::<usize>()? << 20);
    match only {
        [] => {
            println!("stream\tround\tway\twall_s\tread_s");
            STREAMS.iter().for_each(|(name, _)| in_turn(name, &stream(name, len), rounds));
        }
        [name, way] => {
            STREAMS.iter().find(|(known, _)| known == name).ok_or("no such stream")?;
            let (_, run) = WAYS.iter().find(|(known, _)| known == way).ok_or("no such way")?;
            let bytes = stream(name, len);
            for _ in 0..rounds {
                black_box(run(black_box(&bytes)));
            }
        }
        _ => return Err("a stream and a way go together".into()),
    }
    Ok(())
}

/// One stream in all ways, each with a read pass directly before it. Some take as long as a hundred others.
fn in_turn(name: &str, bytes: &[u8], rounds: u32) {
    let timed = |run: fn(&[u8]) -> u64| {
        let start = Instant::now();
        black_box(run(black_box(bytes)));
        start.elapsed().as_secs_f64()
    };
    for round in 0..=rounds {
        for (way, run) in WAYS {
            let slow = matches!(way, "memchr" | "memchr_chunks" | "scalar_twin" | "naive");
            if slow && round % 10 > 1 {
                continue;
            }
            let (read, wall) = (timed(streams::read_pass), timed(run));
            // The first warms caches, pages and threads.
            if round > 0 {
                println!("{name}\t{round}\t{way}\t{wall:.6}\t{read:.6}");
            }
        }
    }
}
