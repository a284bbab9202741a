//! A plan ► files. Payload is moved here and nowhere else, once, and every file is read back before a manifest names it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use super::plan::{Plan, RenditionPlan, SegmentPlan, check_manifests};
use super::receipt::Receipt;
use super::report::{IoReport, Notice, Report};
use super::verification::Verification;
use super::{IoChoice, Progress, Request, ingest};
use crate::error::{ErrorKind, Result};
use crate::io::input::Identity;
use crate::io::publish::{Claim, Kept, ReadBack, Run, Settings};
use crate::io::way::{FileSystem, Way};
use crate::manifest::hls;

/// Reads the inputs of `request` and settles the package, without writing anything. `progress` is told of bytes read.
///
/// # Errors
/// What is wrong with an input or with the settings; see [`Plan::new`].
pub fn plan(request: &Request, progress: Progress<'_>) -> Result<Plan> {
    check_manifests(request)?;
    Plan::new(request, ingest::read_inputs(request, progress)?)
}

/// What [`write()`] would report, without writing anything; with a notice if it would refuse the output directory as it
/// is now.
pub fn preview(request: &Request, plan: &Plan) -> Report {
    let (_, io) = choose_way(request.io, FileSystem::for_output(&request.output));
    let receipt_bytes = plan.receipt_to_be(request).to_json().len() as u64;
    let mut report = plan.report(request, io, receipt_bytes, false);
    if let Err(error) = Run::check_claim(&claim(request, plan, &inputs(plan))) {
        let message = format!("a real run would be refused: {}", error.kind());
        report.notices.push(Notice::about(error.path().unwrap_or(&request.output), message));
    }
    report
}

fn inputs(plan: &Plan) -> Vec<Identity> {
    plan.renditions.iter().map(|rendition| rendition.source.input.identity()).collect()
}

fn claim<'a>(request: &'a Request, plan: &Plan, inputs: &'a [Identity]) -> Claim<'a> {
    Claim {
        path: &request.output,
        existing: request.existing,
        files: plan.files(),
        settings: settings(request, plan),
        inputs,
        durable: request.durable,
    }
}

/// What an interrupted run has to have in common with the one that goes on: what the receipt tells of inputs and options, and
/// the files themselves.
fn settings(request: &Request, plan: &Plan) -> Settings {
    // Its files are compared by the claim.
    let receipt = Receipt::new(request, plan, Vec::new());
    let mut settings = Settings::from([("fragmint".to_owned(), receipt.fragmint.to_owned())]);
    let mut add = |of: &str, values: serde_json::Result<serde_json::Value>| {
        let values = values.expect("strings and numbers always serialise");
        for (name, value) in values.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            settings.insert(format!("{of} {}", name.replace('_', " ")), value);
        }
    };
    add("option", serde_json::to_value(&receipt.options));
    for (number, input) in (1..).zip(&receipt.inputs) {
        add(&format!("input {number}"), serde_json::to_value(input));
    }
    for rendition in &plan.renditions {
        let fingerprint = rendition.source.input.fingerprint();
        settings.insert(format!("input {} file", rendition.input + 1), fingerprint);
    }
    settings
}

/// Writes the package into the output directory of `request`. `progress` is told of bytes written.
///
/// Segments are written and read back on all threads of the current rayon pool; manifests follow when everything they
/// name is there and checked, the receipt comes last. On an error, what this run created is removed.
///
/// # Errors
/// When the directory may not be used, the system refuses, an input has changed since it was read, or a file read back
/// differs from the plan.
pub fn write(request: &Request, plan: &Plan, progress: Progress<'_>) -> Result<Report> {
    write_until(request, plan, progress, &AtomicBool::new(false))
}

/// [`write()`] that ends before its time when `stop` is set: between two segments, with every file whole. They stay, with the
/// journal, for a run with [`Existing::Resume`](super::Existing).
///
/// # Errors
/// As [`write()`]; [`ErrorKind::Interrupted`] when it was stopped.
pub fn write_until(
    request: &Request,
    plan: &Plan,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Result<Report> {
    let run = Run::claim(claim(request, plan, &inputs(plan)))?;
    let (way, io) = choose_way(request.io, run.file_system());
    let writer = Writer {
        request,
        plan,
        run: &run,
        way,
        verification: request.verify.then(Verification::default),
        other_way: AtomicBool::new(false),
        kept: AtomicU64::new(0),
        stop,
    };
    let written = writer.write_all(progress);
    let Writer { verification, other_way, kept, .. } = writer;
    let hashes = match written {
        Ok(hashes) => hashes,
        Err(error) => {
            if matches!(error.kind(), ErrorKind::Interrupted) {
                run.suspend();
            }
            return Err(error);
        }
    };
    let receipt = plan.receipt(request, hashes).to_json();
    let io = if other_way.into_inner() {
        let reason = format!("{way} cannot be done safely on {}", run.file_system());
        IoReport { way: Way::Gather.to_string(), reason }
    } else {
        io
    };
    run.finish(&receipt)?;
    let report = plan.report(request, io, receipt.len() as u64, true);
    let verification = verification.map(|verification| verification.report());
    Ok(Report { verification, kept: kept.into_inner(), ..report })
}

/// Writes the files of one plan.
struct Writer<'a> {
    request: &'a Request,
    plan: &'a Plan,
    run: &'a Run,
    way: Way,
    /// `None` where it was left out.
    verification: Option<Verification>,
    /// A segment was filled in another way than was chosen.
    other_way: AtomicBool,
    /// Files that were there.
    kept: AtomicU64,
    stop: &'a AtomicBool,
}

impl Writer<'_> {
    /// Everything but the receipt. Gives the hashes of the media segments, in the order of renditions and segments.
    fn write_all(&self, progress: Progress<'_>) -> Result<Vec<Option<String>>> {
        let init = |rendition: &RenditionPlan| {
            rendition.inits().try_for_each(|init| {
                self.publish(&init.path, init.bytes)?;
                let check = |verification: &Verification| {
                    verification.check_init(self.run, &init, rendition.packaged.timescale())
                };
                self.verification.as_ref().map_or(Ok(()), check)
            })
        };
        // Each is tried, and the first error in order told: none depends on which thread was faster.
        let inits: Vec<_> = self.plan.renditions.par_iter().with_max_len(1).map(init).collect();
        inits.into_iter().collect::<Result<()>>()?;
        let segments: Vec<_> = self
            .plan
            .renditions
            .iter()
            .flat_map(|rendition| rendition.segments.iter().map(move |segment| (rendition, segment)))
            .collect();
        let write = |(rendition, segment): (&RenditionPlan, &SegmentPlan)| {
            self.segment(rendition, segment, &rendition.segment_path(segment), progress)
        };
        // One by one: rayon keeps several together otherwise, and a thread that has no more looks on while another writes them.
        let hashes: Vec<_> = segments.into_par_iter().with_max_len(1).map(write).collect::<Result<_>>()?;
        for rendition in &self.plan.renditions {
            rendition.source.input.check_unchanged()?;
        }
        self.publish_manifests()?;
        Ok(hashes)
    }

    fn publish_manifests(&self) -> Result<()> {
        let publish = |(path, manifest): &(String, String)| self.publish(path, manifest.as_bytes());
        let manifests = &self.plan.manifests;
        let count = manifests.partition_point(|(path, _)| path.ends_with(hls::MEDIA_PLAYLIST));
        let (media_playlists, opened) = manifests.split_at(count);
        // With the first all segments are looked at again, once. The others name nothing but segments, so they need no order.
        if let [first, others @ ..] = media_playlists {
            publish(first)?;
            let others: Vec<_> = others.par_iter().with_max_len(1).map(publish).collect();
            others.into_iter().collect::<Result<()>>()?;
        }
        opened.iter().try_for_each(publish)
    }

    /// Keeps or writes a segment; gives its hash, if hashes are wanted.
    fn segment(
        &self,
        rendition: &RenditionPlan,
        segment: &SegmentPlan,
        path: &str,
        progress: Progress<'_>,
    ) -> Result<Option<String>> {
        self.go_on()?;
        let list = segment.fragment(&rendition.source.samples)?.piece_list()?;
        let input = &rendition.source.input;
        let how = ReadBack { compare: self.verification.is_some(), hash: self.request.hash };
        let kept = self.run.keep(path, &list, input, how)?;
        if kept != Kept::Missing {
            self.kept.fetch_add(1, Ordering::Relaxed);
        } else if self.run.write_segment(path, &list, input, self.way)?.way != self.way {
            self.other_way.store(true, Ordering::Relaxed);
        }
        let read_back = || match kept {
            // It was read to see whether it could stay.
            Kept::Whole(hash) => Ok(hash),
            Kept::Missing => self.run.read_back(path, &list, input, how),
        };
        let hash = match &self.verification {
            None => read_back()?,
            Some(verification) => verification.check_segment(self.run, rendition, segment, read_back)?,
        };
        progress(list.len());
        Ok(hash)
    }

    /// Keeps or publishes a small file, and reads it back.
    fn publish(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.go_on()?;
        match self.run.keep_bytes(path, bytes)? {
            Kept::Whole(_) => {
                self.kept.fetch_add(1, Ordering::Relaxed);
                if let Some(verification) = &self.verification {
                    verification.count(bytes.len() as u64);
                }
                Ok(())
            }
            Kept::Missing => {
                self.run.publish_bytes(path, bytes)?;
                match &self.verification {
                    None => Ok(()),
                    Some(verification) => verification.check_small(self.run, path, bytes),
                }
            }
        }
    }

    fn go_on(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

/// The way that was asked for, or that the file system's record recommends, and why.
fn choose_way(choice: IoChoice, file_system: FileSystem) -> (Way, IoReport) {
    let (way, reason) = match choice {
        IoChoice::Mapped => (Way::Mapped, "asked for".to_owned()),
        IoChoice::Gather => (Way::Gather, "asked for".to_owned()),
        IoChoice::Auto => (file_system.auto_way(), format!("the record of {file_system}")),
    };
    (way, IoReport { way: way.to_string(), reason })
}
