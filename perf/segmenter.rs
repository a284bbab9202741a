//! Sends packets into segments and prints a line of raw numbers for each round and way: what `perf/record` keeps.
//!
//! `segmenter_ways KIND DIRECTORY ROUNDS SEGMENTS WAY...`: KIND is `pictures`, `pictures3` (three-byte start codes) or
//! `sound`, a WAY one of `benches/segmenter/mod.rs`. The ways take turns within a round, so that what disturbs the machine
//! disturbs all of them. Making a track, its first segment and removing the files are not timed.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use cost::Cost;
use ways::{AnyResult, Source, Way};

mod cost;
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
            let cost = Cost::of(|| (0..segments).try_for_each(|_| segment(&mut way, &source)))?;
            let (wall, cpu, faults) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64(), cost.faults);
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
