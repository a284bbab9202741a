//! Sends packets into segments and prints a line of raw numbers for each round and way: what `perf/record` keeps.
//!
//! `segmenter_ways KIND DIRECTORY ROUNDS SEGMENTS WAY...`: KIND is `pictures`, `pictures3` (three-byte start codes) or
//! `sound`, a WAY one of `benches/segmenter/mod.rs`. The ways take turns within a round, so that what disturbs the machine
//! disturbs all of them. Making a track, its first segment and removing the files are not timed.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use ways::{AnyResult, Source, Way};

#[path = "../benches/segmenter/mod.rs"]
mod ways;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [kind, directory, rounds, segments, ways @ ..] = arguments.as_slice() else {
        eprintln!("usage: segmenter_ways pictures|pictures3|sound DIRECTORY ROUNDS SEGMENTS WAY...");
        return ExitCode::from(2);
    };
    match measure(kind, Path::new(directory), rounds, segments, ways) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(kind: &str, directory: &Path, rounds: &str, segments: &str, ways: &[String]) -> AnyResult<()> {
    let source = match kind {
        "pictures" => Source::pictures(&[0, 0, 0, 1]),
        "pictures3" => Source::pictures(&[0, 0, 1]),
        "sound" => Source::sound()?,
        _ => return Err(format!("{kind}: neither pictures nor sound").into()),
    };
    let (rounds, segments): (u32, u32) = (rounds.parse()?, segments.parse()?);
    let packets = u64::from(segments) * source.packets.len() as u64;
    let bytes = u64::from(segments) * source.bytes();
    println!("kind\tround\tway\tpackets\tbytes\twall_s\tcpu_s\tfaults\tcopied\tmoved\tslid");
    for round in 1..=rounds {
        for name in ways {
            let directory = directory.join(name);
            fs::create_dir(&directory)?;
            let mut way = Way::new(name, &source, &directory)?;
            segment(&mut way, &source)?;
            let (faults, cpu, start) = (page_faults()?, cpu_seconds()?, Instant::now());
            for _ in 0..segments {
                segment(&mut way, &source)?;
            }
            let wall = start.elapsed().as_secs_f64();
            let (cpu, faults) = (cpu_seconds()? - cpu, page_faults()? - faults);
            let effort = way
                .effort()
                .map_or("-\t-\t-".to_owned(), |[copied, moved, slid]| format!("{copied}\t{moved}\t{slid}"));
            println!("{kind}\t{round}\t{name}\t{packets}\t{bytes}\t{wall:.5}\t{cpu:.5}\t{faults}\t{effort}");
            drop(way);
            fs::remove_dir_all(&directory)?;
        }
    }
    Ok(())
}

fn segment(way: &mut Way, source: &Source) -> AnyResult<()> {
    way.take_all(source)?;
    way.cut().map(drop)
}

/// User and system time of the process's one thread.
fn cpu_seconds() -> AnyResult<f64> {
    // sched_yield(2) makes the scheduler add up what the thread has used, which it does at its ticks alone otherwise.
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: u64 = text.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(nanoseconds as f64 / 1e9)
}

/// Page faults without input or output, what getrusage(2) calls `ru_minflt`.
fn page_faults() -> AnyResult<u64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    // proc_pid_stat(5): minflt is field 10, the state behind the name is field 3.
    Ok(fields.split_whitespace().nth(7).unwrap_or_default().parse()?)
}
