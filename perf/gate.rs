//! The work that `perf/gate` counts: one workload, on one thread, over input that is the same on every machine.
//!
//! `gate WORKLOAD REPETITIONS DIRECTORY` does it so often, with what files it needs in an empty directory, and prints what the
//! process did, set-up included, as a line of JSON: payload bytes of all repetitions, minor page faults, bytes that were
//! moved. The difference of two runs is what repetitions cost. `gate` alone prints every workload with the repetitions that
//! are enough. Streams are the repository's, or made here; no repetition removes what it wrote, as that is no part of the work.

use std::fs;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fragmint::fragment::{Fragment, PieceList};
use fragmint::hash::HashAlgorithm;
use fragmint::io::check::{ReadBack, read_back};
use fragmint::io::directory::Directory;
use fragmint::io::input::Input;
use fragmint::io::package_files::PackageFiles;
use fragmint::io::segment_file::SegmentFile;
use fragmint::io::way::Way;
use fragmint::io::windows::obu::{ObuOptions, read_ivf};
use fragmint::io::windows::{AdtsOptions, ScanOptions, read_adts, scan_nal_units};
use fragmint::io::{Lent, ReadAt};
use fragmint::package::{InputRequest, IoChoice, Request, run};
use fragmint::scan::access_units::{AccessUnitBuilder, AccessUnitOptions, NalCodec};
use fragmint::scan::annexb::NalUnits;
use fragmint::scan::av1::{TemporalUnitBuilder, TemporalUnitOptions};
use fragmint::scan::{NalUnit, SourceRange, h264::H264, h265::H265};
use fragmint::time::{CompositionOffset, DecodeTime};
use fragmint::track::{Framing, SampleFlags, Samples};
use fragmint::verify::verify;
use segmenter::{AnyResult, Source};

#[allow(dead_code, reason = "one way of the benchmark is not counted here")]
#[path = "../benches/segmenter/mod.rs"]
mod segmenter;

/// One repetition, told its number from 1 on. It gives what it moved without a system call, where the library counts that.
type Work = Box<dyn FnMut(u32) -> AnyResult<u64>>;

/// What is ready to be repeated.
struct Job {
    /// Bytes of streams that a repetition works on.
    payload: u64,
    work: Work,
}

/// Name, repetitions that are enough, and set-up in a directory.
type Workload = (&'static str, u32, fn(&Path) -> AnyResult<Job>);

const WORKLOADS: &[Workload] = &[
    ("scan_ordinary", 2, |_| scan(units_of(20_000))),
    ("scan_dense", 1, |_| scan(units_of(100))),
    ("scan_near_misses", 1, |_| scan(near_misses())),
    ("scan_windows_ordinary", 2, |_| scan_windows(InMemory { bytes: units_of(20_000), lends: true })),
    ("scan_windows_dense", 1, |_| scan_windows(InMemory { bytes: units_of(100), lends: true })),
    ("scan_windows_read", 2, |_| scan_windows(InMemory { bytes: units_of(20_000), lends: false })),
    ("scan_adts", 10, |_| scan_adts()),
    ("access_units_h264", 10, |_| access_units::<H264>("examples/ladder/360p.h264")),
    ("access_units_h265", 10, |_| access_units::<H265>("examples/ladder/360p.h265")),
    ("temporal_units_av1", 20, |_| temporal_units()),
    ("fragment", 100, |_| fragment()),
    ("segment_gather", 5, |directory| segment_file(directory, Way::Gather)),
    ("segment_mapped", 5, |directory| segment_file(directory, Way::Mapped)),
    ("segment_read_back", 3, read_back_segment),
    ("segmenter_push", 5, |directory| packets(directory, "push", Source::pictures(&[0, 0, 0, 1]))),
    ("segmenter_reserve", 5, |directory| packets(directory, "reserve", Source::pictures(&[0, 0, 1]))),
    ("segmenter_sound", 100, |directory| packets(directory, "push", Source::sound()?)),
    ("package_gather", 4, |directory| package(directory, IoChoice::Gather, true)),
    ("package_mapped", 4, |directory| package(directory, IoChoice::Mapped, true)),
    ("package_gather_bare", 4, |directory| package(directory, IoChoice::Gather, false)),
    ("verify_package", 4, verify_package),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [] => {
            WORKLOADS.iter().for_each(|(name, repetitions, _)| println!("{name}\t{repetitions}"));
            Ok(())
        }
        [name, repetitions, directory] => count(name, repetitions, Path::new(directory)),
        _ => Err("usage: gate [WORKLOAD REPETITIONS DIRECTORY]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count(name: &str, repetitions: &str, directory: &Path) -> AnyResult<()> {
    // The pool's one thread is this one, so that no other waits, wakes or steals.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global()?;
    let (_, _, set_up) =
        WORKLOADS.iter().find(|workload| workload.0 == name).ok_or_else(|| format!("{name}: no workload"))?;
    let mut job = set_up(directory)?;
    let (mut payload, mut moved) = (0, 0);
    for repetition in 1..=repetitions.parse()? {
        moved += (job.work)(repetition)?;
        payload += job.payload;
    }
    moved += moved_by_system_calls()?;
    println!("{{\"payload\": {payload}, \"faults\": {}, \"moved\": {moved}}}", page_faults()?);
    Ok(())
}

/// Bytes that went through read(2), write(2) and their kin, of files, pipes and in-kernel copies.
fn moved_by_system_calls() -> AnyResult<u64> {
    let text = fs::read_to_string("/proc/self/io")?;
    let field = |name: &str| -> AnyResult<u64> {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Ok(value.ok_or_else(|| format!("/proc/self/io has no {name}"))?.parse()?)
    };
    Ok(field("rchar")? + field("wchar")?)
}

/// Page faults without input or output, what getrusage(2) calls `ru_minflt`.
fn page_faults() -> AnyResult<u64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    // proc_pid_stat(5): minflt is field 10, the state behind the name is field 3.
    Ok(fields.split_whitespace().nth(7).unwrap_or_default().parse()?)
}

// ---- Streams

/// A file of the repository.
fn stream(path: &str) -> AnyResult<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Bytes of the streams that are made here: some windows of a scan.
const LEN: usize = 4 << 20;

/// Bytes like those of compressed pictures, without a zero, with a start code and one byte of header every `unit` bytes.
fn units_of(unit: usize) -> Vec<u8> {
    let next = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    let mut bytes: Vec<u8> =
        std::iter::successors(Some(1), next).map(|state| (state >> 56) as u8 | 1).take(LEN).collect();
    for unit in bytes.chunks_exact_mut(unit) {
        unit[..5].copy_from_slice(&[0, 0, 0, 1, 0x41]);
    }
    bytes
}

/// One unit full of what looks like a start code up to its last byte.
fn near_misses() -> Vec<u8> {
    let mut bytes = [0, 0, 3, 1].repeat(LEN / 4);
    bytes[..4].copy_from_slice(&[0, 0, 1, 0x41]);
    bytes
}

// ---- Scanning

fn scan(stream: Vec<u8>) -> AnyResult<Job> {
    let payload = stream.len() as u64;
    let work = move |_| {
        for unit in NalUnits::new(black_box(&stream))? {
            black_box(unit?);
        }
        Ok(0)
    };
    Ok(Job { payload, work: Box::new(work) })
}

/// A source that lends its bytes, as a file under a lease does, or has to be read, as any other.
struct InMemory {
    bytes: Vec<u8>,
    lends: bool,
}

impl ReadAt for InMemory {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> fragmint::error::Result<()> {
        self.bytes[..].read_at(offset, buffer)
    }

    fn lend(&self, offset: u64, len: u64) -> Option<Lent<'_>> {
        if self.lends { self.bytes[..].lend(offset, len) } else { None }
    }
}

fn scan_windows(source: InMemory) -> AnyResult<Job> {
    let payload = source.len();
    let work = move |_| {
        scan_nal_units(black_box(&source), &ScanOptions::default(), |unit| {
            black_box(unit);
            Ok(())
        })?;
        Ok(0)
    };
    Ok(Job { payload, work: Box::new(work) })
}

fn scan_adts() -> AnyResult<Job> {
    let stream = stream("examples/ladder/en.aac")?;
    let payload = stream.len() as u64;
    let work = move |_| {
        read_adts(black_box(&stream[..]), &AdtsOptions::default(), |frame| {
            black_box(frame);
            Ok(())
        })?;
        Ok(0)
    };
    Ok(Job { payload, work: Box::new(work) })
}

// ---- Access units

/// Grouping alone: the units were found before.
fn access_units<C: NalCodec + 'static>(path: &str) -> AnyResult<Job> {
    // It lives as long as the process, and the units with it.
    let stream: &'static [u8] = stream(path)?.leak();
    let units: Vec<NalUnit<'static>> = NalUnits::new(stream)?.collect::<fragmint::Result<_>>()?;
    let work = move |_| {
        let mut builder = AccessUnitBuilder::<C>::new(AccessUnitOptions::default());
        for unit in black_box(&units) {
            black_box(builder.push(*unit)?);
        }
        black_box(builder.finish()?);
        Ok(0)
    };
    Ok(Job { payload: stream.len() as u64, work: Box::new(work) })
}

fn temporal_units() -> AnyResult<Job> {
    let stream = stream("tests/streams/180p.ivf")?;
    let payload = stream.len() as u64;
    let work = move |_| {
        let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions::default());
        read_ivf(black_box(&stream[..]), &ObuOptions::default(), |obu| {
            black_box(builder.push(obu)?);
            Ok(())
        })?;
        black_box(builder.finish()?);
        Ok(0)
    };
    Ok(Job { payload, work: Box::new(work) })
}

// ---- Segments

/// Pictures of a segment with B pictures, one unit a picture.
fn group_of_pictures(len: u32) -> AnyResult<Samples> {
    let mut samples = Samples::new(Framing::LengthPrefixed);
    for index in 0..len {
        let range = SourceRange { offset: u64::from(index) * 5000 + 4, len: 4000 + index % 900 };
        let flags = if index == 0 { SampleFlags::SYNC } else { SampleFlags::INTER };
        samples.push(&[range], flags, 1000)?;
    }
    let later = [1000, 0, -1000].into_iter().cycle().take(len as usize - 1);
    samples.set_composition_offsets([0].into_iter().chain(later).map(CompositionOffset).collect());
    Ok(samples)
}

fn fragment() -> AnyResult<Job> {
    let samples = group_of_pictures(241)?;
    let payload = samples.iter().source_ranges().map(|range| u64::from(range.len)).sum();
    let mut list = PieceList::default();
    let work = move |_| {
        Fragment::new(NonZeroU32::MIN, DecodeTime(0), black_box(&samples).iter())?
            .piece_list_into(&mut list)?;
        black_box(list.len());
        Ok(0)
    };
    Ok(Job { payload, work: Box::new(work) })
}

/// A segment of units of 5000 bytes, the file of 1 MiB that they come from, and the directory that they go to.
fn segment(directory: &Path) -> AnyResult<(PieceList, Input, Directory)> {
    const UNIT: u32 = 5000;
    let source = directory.join("source");
    fs::write(&source, vec![0x65; 1 << 20])?;
    let mut list = PieceList::default();
    list.push_literal(&[0; 2000]);
    for i in 0..u64::from((1 << 20) / (UNIT + 4)) {
        list.push_length(UNIT);
        list.push_source(SourceRange { offset: i * u64::from(UNIT + 4) + 4, len: UNIT });
    }
    Ok((list, Input::open(&source)?, Directory::open(directory)?))
}

fn segment_file(directory: &Path, way: Way) -> AnyResult<Job> {
    let (list, input, out) = segment(directory)?;
    let payload = list.len();
    let work = move |repetition| {
        let mut file = SegmentFile::create(&out, format!("segment-{repetition:03}"))?;
        file.fill(&list, &input, way)?;
        let published = file.publish()?;
        if published.way == way { Ok(0) } else { Err(format!("{way} is not done here").into()) }
    };
    Ok(Job { payload, work: Box::new(work) })
}

fn read_back_segment(directory: &Path) -> AnyResult<Job> {
    let mut job = segment_file(directory, Way::Gather)?;
    (job.work)(0)?;
    let (list, input, out) = segment(directory)?;
    job.work = Box::new(move |_| {
        let how = ReadBack { compare: true, hash: Some(HashAlgorithm::Xxh3) };
        black_box(read_back(&out, "segment-000", &list, &input, how)??);
        Ok(0)
    });
    Ok(job)
}

fn packets(directory: &Path, way: &str, source: Source) -> AnyResult<Job> {
    let mut way = segmenter::Way::new(way, &source, directory)?;
    let mut before = 0;
    let payload = source.bytes();
    let work = move |_| {
        way.take_all(&source)?;
        black_box(way.cut()?);
        let effort = way.effort().ok_or("the segmenter counts what it moves")?.iter().sum();
        Ok(effort - std::mem::replace(&mut before, effort))
    };
    Ok(Job { payload, work: Box::new(work) })
}

// ---- Packages

/// The streams of the packages, in `directory`, and their bytes.
fn inputs(directory: &Path) -> AnyResult<(Vec<InputRequest>, u64)> {
    let (mut inputs, mut bytes) = (Vec::new(), 0);
    for name in ["360p.h264", "234p.h264", "en.aac"] {
        let path: PathBuf = directory.join(name);
        let stream = stream(&format!("examples/ladder/{name}"))?;
        bytes += stream.len() as u64;
        fs::write(&path, stream)?;
        inputs.push(InputRequest::new(path));
    }
    Ok((inputs, bytes))
}

/// Reading, planning, writing and publishing; `checked` with verification and hashes, as by default.
fn package(directory: &Path, io: IoChoice, checked: bool) -> AnyResult<Job> {
    let (inputs, payload) = inputs(directory)?;
    let directory = directory.to_owned();
    let work = move |repetition| {
        let output = directory.join(format!("package-{repetition:03}"));
        let mut request = Request { io, verify: checked, ..Request::new(inputs.clone(), output) };
        request.hash = request.hash.filter(|_| checked);
        let plan = run::plan(&request, &|_| {})?;
        let report = run::write(&request, &plan, &|_| {})?;
        let asked = if io == IoChoice::Mapped { "mapped" } else { "gather" };
        if report.io.way == asked { Ok(0) } else { Err(report.io.reason.into()) }
    };
    Ok(Job { payload, work: Box::new(work) })
}

/// `fragmint verify` of a whole package, payload and hashes included.
fn verify_package(directory: &Path) -> AnyResult<Job> {
    let mut job = package(directory, IoChoice::Gather, true)?;
    (job.work)(0)?;
    let files = PackageFiles::open(&directory.join("package-000"))?;
    job.work = Box::new(move |_| {
        let report = verify(&files, "package", None, &|_| {})?;
        match report.findings.first() {
            None if report.receipt => Ok(0),
            None => Err("the package has no receipt".into()),
            Some(finding) => Err(format!("{finding:?}").into()),
        }
    });
    Ok(job)
}
