//! Fills segment files in each way and prints a line of raw numbers for each round: what `perf/record` keeps.
//!
//! `segment_ways SOURCE DIRECTORY ROUNDS THREADS` makes SOURCE (512 MiB, once) and writes 3 MiB segments below DIRECTORY. The
//! ways take turns within a round, so that what disturbs the machine disturbs all of them. Removing the files is not timed.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fragmint::fragment::PieceList;
use fragmint::io::check::{ReadBack, read_back};
use fragmint::io::directory::Directory;
use fragmint::io::input::Input;
use fragmint::io::segment_file::SegmentFile;
use fragmint::io::way::{FileSystem, Way};
use fragmint::scan::SourceRange;
use rayon::prelude::*;

type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

const SOURCE_BYTES: u64 = 512 << 20;
const SEGMENT_BYTES: u64 = 3 << 20;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [source, directory, rounds, threads] = arguments.as_slice() else {
        eprintln!("usage: segment_ways SOURCE DIRECTORY ROUNDS THREADS");
        return ExitCode::from(2);
    };
    match measure(Path::new(source), Path::new(directory), rounds, threads) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(source: &Path, directory: &Path, rounds: &str, threads: &str) -> AnyResult<()> {
    if fs::metadata(source).map_or(0, |metadata| metadata.len()) < SOURCE_BYTES {
        make_source(source)?;
    }
    let input = Input::open(source)?;
    let segments = plan();
    let out = Directory::open(directory)?;
    let file_system = FileSystem::of(fs::File::open(directory)?);
    println!("file_system\tthreads\tround\twhat\twall_s\tcpu_s\tfaults\tpeak_rss_kib");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
    for round in 0..=rounds.parse::<u32>()? {
        let line = |what: &str, cost: Cost| {
            // The first warms the page cache and the threads.
            if round > 0 {
                let (wall, cpu) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
                let Cost { faults, peak, .. } = cost;
                println!("{file_system}\t{threads}\t{round}\t{what}\t{wall:.4}\t{cpu:.4}\t{faults}\t{peak}");
            }
        };
        line("copy", Cost::of(&pool, || copy(&segments, source, directory))?);
        remove(directory)?;
        for way in [Way::Gather, Way::Mapped] {
            line(&way.to_string(), Cost::of(&pool, || fill(&segments, &input, &out, way))?);
            if way == Way::Mapped {
                line("verify", Cost::of(&pool, || verify(&segments, &input, &out))?);
            }
            remove(directory)?;
        }
    }
    Ok(())
}

/// Segments of NAL units of about 5 KiB, each fourth behind a start code of four bytes, the others of three.
fn plan() -> Vec<(String, PieceList)> {
    let mut segments = Vec::new();
    let mut position = 0;
    while position < SOURCE_BYTES {
        let mut list = PieceList::default();
        list.push_literal(&[0; 2000]);
        let end = (position + SEGMENT_BYTES).min(SOURCE_BYTES);
        for i in 0_u64.. {
            let start = position + if i % 4 == 0 { 4 } else { 3 };
            let len = (2000 + (position ^ (position >> 7)) % 6000).min(end.saturating_sub(start));
            position = start + len;
            if len > 0 {
                list.push_length(len as u32);
                list.push_source(SourceRange { offset: start, len: len as u32 });
            }
            if position >= end {
                break;
            }
        }
        segments.push((format!("seg-{:05}.m4s", segments.len() + 1), list));
    }
    segments
}

fn make_source(path: &Path) -> AnyResult<()> {
    use std::io::Write as _;
    // In large writes, as a copied file comes to be, for large folios in the page cache.
    let mut file = std::io::BufWriter::with_capacity(4 << 20, fs::File::create(path)?);
    let mut state = 1_u64;
    for _ in 0..SOURCE_BYTES / 8 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        file.write_all(&state.to_be_bytes())?;
    }
    Ok(file.flush()?)
}

/// The floor: the same number of bytes in files of the same size, copied inside the kernel.
fn copy(segments: &[(String, PieceList)], source: &Path, directory: &Path) -> AnyResult<()> {
    use std::io::{Read as _, Seek as _};
    let copied = segments.par_iter().enumerate().try_for_each(|(i, (name, list))| {
        let mut from = fs::File::open(source)?;
        from.seek(std::io::SeekFrom::Start(i as u64 * SEGMENT_BYTES))?;
        let mut to = fs::File::create(directory.join(name))?;
        std::io::copy(&mut from.take(list.len()), &mut to).map(drop)
    });
    Ok(copied?)
}

fn fill(segments: &[(String, PieceList)], input: &Input, out: &Directory, way: Way) -> AnyResult<()> {
    let filled = segments.par_iter().try_for_each(|(name, list)| {
        let mut file = SegmentFile::create(out, name)?;
        file.fill(list, input, way)?;
        file.publish().map(drop)
    });
    Ok(filled?)
}

fn verify(segments: &[(String, PieceList)], input: &Input, out: &Directory) -> AnyResult<()> {
    let how = ReadBack { compare: true, hash: None };
    Ok(segments.par_iter().try_for_each(|(name, list)| read_back(out, name, list, input, how)?.map(drop))?)
}

fn remove(directory: &Path) -> AnyResult<()> {
    for entry in fs::read_dir(directory)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

struct Cost {
    wall: Duration,
    cpu: Duration,
    faults: u64,
    /// KiB, since the start of the program.
    peak: u64,
}

impl Cost {
    fn of(pool: &rayon::ThreadPool, work: impl FnOnce() -> AnyResult<()> + Send) -> AnyResult<Self> {
        let (cpu, faults, start) = (cpu_time()?, page_faults()?, Instant::now());
        // As text, since the error has to come back from another thread.
        pool.install(|| work().map_err(|e| e.to_string()))?;
        let wall = start.elapsed();
        Ok(Self { wall, cpu: cpu_time()? - cpu, faults: page_faults()? - faults, peak: peak_rss()? })
    }
}

/// Of all threads that are alive, as the pool's are.
fn cpu_time() -> AnyResult<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += text.split_whitespace().next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn page_faults() -> AnyResult<u64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    // proc_pid_stat(5): minflt is field 10, the state behind the name is field 3.
    Ok(fields.split_whitespace().nth(7).unwrap_or_default().parse()?)
}

fn peak_rss() -> AnyResult<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
