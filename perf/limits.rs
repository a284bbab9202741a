//! What this machine can do with some bytes, as raw numbers: passes that read them, in memory and out of the page cache, and
//! ways to fill segment files with them, from a copy inside the kernel to those of [`fragmint::io`].
//!
//! `limits DIRECTORY MEBIBYTES ROUNDS THREADS` makes `DIRECTORY/source` if it is not there and writes segments of 3 MiB to
//! `DIRECTORY/out`, which is removed, as `DIRECTORY/emptied` is. The works take turns within a round, so that what disturbs the machine disturbs all of them,
//! and each round begins with another. Removing files is not timed. `perf/limits` starts it and makes tables.

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use fragmint::fragment::PieceList;
use fragmint::io::check::{ReadBack, read_back};
use fragmint::io::directory::Directory;
use fragmint::io::input::Input;
use fragmint::io::segment_file::SegmentFile;
use fragmint::io::way::{FileSystem, Way};
use fragmint::scan::SourceRange;
use memmap2::{Advice, MmapMut, MmapOptions};
use rayon::prelude::*;

use cost::Cost;

mod cost;

type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

/// With an error that may go from thread to thread.
type StepResult = Result<(), String>;

const SEGMENT: u64 = 3 << 20;

/// Bytes that a thread takes at a time.
const SHARE: u64 = 16 << 20;

/// No byte of the source: whoever searches it reads all.
const ABSENT: u8 = 0x80;

/// Windows of `pread`, in bytes.
const WINDOWS: [usize; 4] = [128 << 10, 256 << 10, 1 << 20, 4 << 20];

/// The window that segments are written from.
const WRITE_WINDOW: usize = 1 << 20;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [directory, mebibytes, rounds, threads] = arguments.as_slice() else {
        eprintln!("usage: limits DIRECTORY MEBIBYTES ROUNDS THREADS");
        return ExitCode::from(2);
    };
    match measure(Path::new(directory), mebibytes, rounds, threads) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(directory: &Path, mebibytes: &str, rounds: &str, threads: &str) -> AnyResult<()> {
    let mut place = Place::new(directory, mebibytes.parse::<u64>()? << 20)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
    println!("file_system\tthreads\tround\twhat\tbytes\twall_s\tcpu_s\tfaults");
    let mut works = works();
    // The first warms the page cache and the threads.
    for round in 0..=rounds.parse::<u32>()? {
        for Work { name, before, work } in &works {
            before.iter().try_for_each(|before| pool.install(|| before(&place)))?;
            let cost = Cost::of(|| Ok(pool.install(|| work(&place))?))?;
            place.clear()?;
            if round > 0 {
                let (wall, cpu) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
                let Place { file_system, bytes, .. } = &place;
                let faults = cost.faults;
                println!("{file_system}\t{threads}\t{round}\t{name}\t{bytes}\t{wall:.5}\t{cpu:.5}\t{faults}");
            }
        }
        // What a work leaves behind, such as pages just freed, is not to meet the same one each time.
        works.rotate_left(1);
    }
    fs::remove_dir_all(&place.emptied)?;
    Ok(fs::remove_dir(place.directory)?)
}

/// Something that is measured.
struct Work {
    name: String,
    /// Done before, and not measured.
    before: Option<Step>,
    work: Step,
}

type Step = Box<dyn Fn(&Place) -> StepResult + Sync>;

fn works() -> Vec<Work> {
    let work = |name: &str, work: Step| Work { name: name.to_owned(), before: None, work };
    let mut works = vec![work("read memory", Box::new(read_memory))];
    for window in WINDOWS {
        let size = format!("{} KiB", window >> 10);
        works.push(work(&format!("pread {size}"), Box::new(move |place| pread(place, window, |_| {}))));
        works.push(work(&format!("pread+read {size}"), Box::new(move |place| pread(place, window, pass))));
    }
    works.push(work("copy_file_range", Box::new(copy)));
    works.push(work("write", Box::new(|place| write(place, false))));
    works.push(work("pread+write", Box::new(|place| write(place, true))));
    works.push(work("gather", Box::new(|place| fill(place, Way::Gather))));
    works.push(work("mapped", Box::new(|place| fill(place, Way::Mapped))));
    let before: Step = Box::new(|place| fill(place, Way::Gather));
    works.push(Work { before: Some(before), ..work("compare", Box::new(compare)) });
    works
}

/// What the works work on.
struct Place {
    bytes: u64,
    memory: MmapMut,
    source: PathBuf,
    file: File,
    input: Input,
    /// Names with what goes there.
    segments: Vec<(String, PieceList)>,
    directory: PathBuf,
    out: Directory,
    /// Where files of earlier works are, and how many.
    emptied: PathBuf,
    put_away: u64,
    file_system: FileSystem,
}

impl Place {
    fn new(base: &Path, bytes: u64) -> AnyResult<Self> {
        let (source, directory) = (base.join("source"), base.join("out"));
        if fs::metadata(&source).map_or(0, |metadata| metadata.len()) != bytes {
            make_source(&source, bytes)?;
        }
        let file = File::open(&source)?;
        let mut memory = MmapOptions::new().len(usize::try_from(bytes)?).map_anon()?;
        memory.advise(Advice::HugePage)?;
        file.read_exact_at(&mut memory, 0)?;
        let emptied = base.join("emptied");
        fs::create_dir(&directory)?;
        fs::create_dir(&emptied)?;
        Ok(Self {
            bytes,
            memory,
            input: Input::open(&source)?,
            source,
            file,
            segments: plan(bytes),
            out: Directory::open(&directory)?,
            file_system: FileSystem::of(File::open(&directory)?),
            directory,
            emptied,
            put_away: 0,
        })
    }

    /// Empties the files and puts them away. They are removed at the end: ext4 without a journal walks over every inode that was
    /// removed within the last minute when it makes a file, so each work would pay for those before it.
    fn clear(&mut self) -> AnyResult<()> {
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            File::options().write(true).open(&path)?.set_len(0)?;
            self.put_away += 1;
            fs::rename(path, self.emptied.join(self.put_away.to_string()))?;
        }
        Ok(())
    }
}

/// Segments of NAL units of about 5 KiB, each fourth behind a start code of four bytes, the others of three.
fn plan(bytes: u64) -> Vec<(String, PieceList)> {
    let mut segments = Vec::new();
    let mut position = 0;
    while position < bytes {
        let mut list = PieceList::default();
        list.push_literal(&[0; 2000]);
        let end = (position + SEGMENT).min(bytes);
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

/// Numbers without order, and without [`ABSENT`].
fn make_source(path: &Path, bytes: u64) -> AnyResult<()> {
    // In large writes, as a copied file comes to be, for large folios in the page cache.
    let mut file = BufWriter::with_capacity(4 << 20, File::create(path)?);
    let mut state = 1_u64;
    for _ in 0..bytes / 8 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        file.write_all(&(state & 0x7f7f_7f7f_7f7f_7f7f).to_be_bytes())?;
    }
    Ok(file.flush()?)
}

/// Reads all of `bytes`, and does nothing with them.
fn pass(bytes: &[u8]) {
    assert_eq!(memchr::memchr(ABSENT, bytes), None);
}

/// Has each thread work on shares of the source, one after the other, until there are none left. `start` is called once in each
/// thread.
fn in_shares<S>(
    place: &Place,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, u64, u64) -> std::io::Result<()> + Sync,
) -> StepResult {
    let next = AtomicU64::new(0);
    let thread = |_: rayon::BroadcastContext<'_>| {
        let mut state = start();
        loop {
            let from = next.fetch_add(SHARE, Ordering::Relaxed);
            if from >= place.bytes {
                return Ok(());
            }
            work(&mut state, from, (from + SHARE).min(place.bytes)).map_err(text)?;
        }
    };
    rayon::broadcast(thread).into_iter().collect()
}

fn read_memory(place: &Place) -> StepResult {
    let read = |_: &mut (), from: u64, to: u64| {
        pass(&place.memory[from as usize..to as usize]);
        Ok(())
    };
    in_shares(place, || (), read)
}

/// Reads the source into one window a thread, and gives each to `with`.
fn pread(place: &Place, window: usize, with: impl Fn(&[u8]) + Sync) -> StepResult {
    let read = |buffer: &mut Vec<u8>, from: u64, to: u64| {
        for at in (from..to).step_by(window) {
            let bytes = &mut buffer[..window.min((to - at) as usize)];
            place.file.read_exact_at(bytes, at)?;
            with(bytes);
        }
        Ok(())
    };
    in_shares(place, || vec![0; window], read)
}

/// The floor of all ways to fill files: as many bytes in files of the same size, copied inside the kernel.
fn copy(place: &Place) -> StepResult {
    let copy = |(index, (name, list)): (usize, &(String, PieceList))| {
        let mut from = File::open(&place.source).map_err(text)?;
        from.seek(SeekFrom::Start(index as u64 * SEGMENT)).map_err(text)?;
        let mut to = File::create(place.directory.join(name)).map_err(text)?;
        std::io::copy(&mut from.take(list.len()), &mut to).map(drop).map_err(text)
    };
    place.segments.par_iter().enumerate().try_for_each(copy)
}

/// As many bytes in files of the same size, written from a window that is filled from the source each time, or only once.
fn write(place: &Place, filled: bool) -> StepResult {
    let write = |window: &mut Vec<u8>, (index, (name, list)): (usize, &(String, PieceList))| {
        let to = File::create(place.directory.join(name)).map_err(text)?;
        let source = index as u64 * SEGMENT;
        let len = list.len().min(place.bytes - source);
        for at in (0..len).step_by(WRITE_WINDOW) {
            let bytes = &mut window[..WRITE_WINDOW.min((len - at) as usize)];
            if filled {
                place.file.read_exact_at(bytes, source + at).map_err(text)?;
            }
            to.write_all_at(bytes, at).map_err(text)?;
        }
        Ok(())
    };
    place.segments.par_iter().enumerate().try_for_each_init(|| vec![1; WRITE_WINDOW], write)
}

fn fill(place: &Place, way: Way) -> StepResult {
    place.segments.par_iter().try_for_each(|(name, list)| {
        let mut file = SegmentFile::create(&place.out, name).map_err(text)?;
        file.fill(list, &place.input, way).map_err(text)?;
        file.publish().map(drop).map_err(text)
    })
}

/// Reads segments back and compares them with the source.
fn compare(place: &Place) -> StepResult {
    let how = ReadBack { compare: true, hash: None };
    place.segments.par_iter().try_for_each(|(name, list)| {
        read_back(&place.out, name, list, &place.input, how).map(drop).map_err(text)
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
