//! What was written, before a manifest names it: each file is read back, compared byte by byte with what it was made from
//! ([`crate::io::check`]), and read once more as a stranger would, by [`crate::verify`]'s readers, which share no code with the
//! writers. What they see has to be the plan: samples with their sizes, times and flags, and no finding of a rule.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::plan::{Init, RenditionPlan, SegmentPlan};
use super::report::VerificationReport;
use crate::error::{Error, Result};
use crate::io::ReadAt as _;
use crate::io::publish::Run;
use crate::time::Timescale;
use crate::track::SampleRun;
use crate::verify::findings::{Finding, Findings};
use crate::verify::header::{self, Header};
use crate::verify::segment;

/// Verifies the files of a run, from any thread, and counts what it costs.
#[derive(Debug, Default)]
pub(super) struct Verification {
    /// What the init segment of each rendition says, by its path, as it is needed to read media segments.
    headers: Mutex<BTreeMap<String, std::sync::Arc<Header>>>,
    files: AtomicU64,
    bytes: AtomicU64,
    microseconds: AtomicU64,
}

impl Verification {
    /// Reads an init segment that was published, and keeps what it says.
    pub(super) fn check_init(&self, run: &Run, init: &Init<'_>, timescale: Timescale) -> Result<()> {
        let path = &init.path;
        let in_file = |what: &str| not_as_planned(run, path, what);
        let mut findings = Findings::default();
        let read = self.timed(|| {
            let source = run.open(path)?;
            let mut bytes = vec![0; init.bytes.len()];
            source.read_at(0, &mut bytes)?;
            Ok(header::read(path, &bytes, &mut findings))
        })?;
        require_none(&findings, &in_file)?;
        let header = read.ok_or_else(|| in_file("it cannot be read as an init segment"))?;
        let timescale = timescale.get();
        if header.timescale != timescale || header.entry.codec.as_deref() != Some(init.codec) {
            let what = format!(
                "it says timescale {} and codec {:?}, planned are {timescale} and {}",
                header.timescale, header.entry.codec, init.codec
            );
            return Err(in_file(&what));
        }
        self.headers
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .insert(path.clone(), header.into());
        Ok(())
    }

    /// Compares a media segment that was published with the plan, once `read_back` has compared its bytes with the source.
    pub(super) fn check_segment(
        &self,
        run: &Run,
        rendition: &RenditionPlan,
        planned: &SegmentPlan,
        read_back: impl FnOnce() -> Result<Option<String>>,
    ) -> Result<Option<String>> {
        let path = rendition.segment_path(planned);
        let in_file = |what: &str| not_as_planned(run, &path, what);
        let bytes = rendition.packaged.segments()[planned.number.get() as usize - 1].bytes;
        self.count(bytes);
        self.timed(|| {
            let hash = read_back()?;
            let headers = self.headers.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let header = headers.get(&rendition.init_path_of(planned)).cloned();
            drop(headers);
            let header = header.ok_or_else(|| in_file("its init segment was not read"))?;
            let source = run.open(&path)?;
            let mut findings = Findings::default();
            let read = segment::read(&path, &source, 0..source.len(), &header, &mut findings);
            require_none(&findings, &in_file)?;
            let read = read.ok_or_else(|| in_file("it cannot be read as a media segment"))?;
            match difference(&read, planned, rendition.source.samples.run(planned.samples.clone())) {
                Some(what) => Err(in_file(&what)),
                None => Ok(hash),
            }
        })
    }

    /// Compares a small file that was published with what it has to be.
    pub(super) fn check_small(&self, run: &Run, path: &str, bytes: &[u8]) -> Result<()> {
        self.count(bytes.len() as u64);
        self.timed(|| run.verify_bytes(path, bytes))
    }

    pub(super) fn report(self) -> VerificationReport {
        VerificationReport {
            files: self.files.into_inner(),
            bytes: self.bytes.into_inner(),
            microseconds: self.microseconds.into_inner(),
        }
    }

    /// Counts a file that was compared.
    pub(super) fn count(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts the time that `work` takes.
    fn timed<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let done = work();
        let microseconds = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
        done
    }
}

/// What of a segment as it was read is not what was planned.
pub(super) fn difference(
    read: &segment::Segment,
    planned: &SegmentPlan,
    samples: SampleRun<'_>,
) -> Option<String> {
    let [chunk] = &read.chunks[..] else {
        return Some(format!("it has {} chunks, planned is 1", read.chunks.len()));
    };
    let (number, time) = (planned.number.get(), planned.base_decode_time.0);
    if (chunk.sequence_number, chunk.base_decode_time) != (number, time) {
        return Some(format!(
            "it is number {} at decode time {}, planned are {number} and {time}",
            chunk.sequence_number, chunk.base_decode_time
        ));
    }
    if read.samples.len() != samples.len() {
        return Some(format!("it has {} samples, planned are {}", read.samples.len(), samples.len()));
    }
    let mut offset = chunk.payload.start;
    for (index, (found, planned)) in read.samples.iter().zip(samples).enumerate() {
        let planned = segment::Sample {
            offset,
            size: planned.size,
            duration: planned.duration,
            composition_offset: i64::from(planned.composition_offset.0),
            flags: planned.flags.bits(),
        };
        if *found != planned {
            return Some(format!("its sample {} is {found:?}, planned is {planned:?}", index + 1));
        }
        offset += u64::from(planned.size);
    }
    (offset != chunk.payload.end)
        .then(|| format!("its payload ends at {}, its samples at {offset}", chunk.payload.end))
}

/// An error out of the first finding: of what fragmint writes not even a warning is expected.
fn require_none(findings: &Findings, in_file: &dyn Fn(&str) -> Error) -> Result<()> {
    // How evenly pictures are shown is the stream's: offsets are compared with the plan.
    let is_own = |finding: &&Finding| finding.rule.id != segment::SEGMENT_SPACING.id;
    let Some(finding) = findings.as_slice().iter().find(is_own) else { return Ok(()) };
    let error = in_file(&format!("{} ({}, {})", finding.message, finding.rule.id, finding.rule.clause));
    Err(match finding.offset {
        Some(offset) => error.at(offset),
        None => error,
    })
}

/// A file that was read back and is not what it has to be.
fn not_as_planned(run: &Run, path: &str, what: &str) -> Error {
    let what = format!("{what}; nothing was published: run again, and report it if it stays");
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    Error::io("verify the published file", source).in_file(&run.path_of(path))
}
