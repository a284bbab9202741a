//! A plan ► files. Payload is moved here and nowhere else, once, and every file is read back before a manifest names it.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::plan::{Plan, check_manifests};
use super::report::{IoReport, Notice, Report};
use super::{IoChoice, Progress, Request, ingest};
use crate::error::{Error, Result};
use crate::io::input::Identity;
use crate::io::publish::Run;
use crate::io::way::{FileSystem, Way};

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
    let mut report = plan.report(request, io, false);
    if let Err(error) = Run::check_claim(&request.output, request.force, &plan.files(), &inputs(plan)) {
        let message = format!("a real run would be refused: {}", error.kind());
        report.notices.push(Notice::about(error.path().unwrap_or(&request.output), message));
    }
    report
}

fn inputs(plan: &Plan) -> Vec<Identity> {
    plan.renditions.iter().map(|rendition| rendition.source.input.identity()).collect()
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
    let run = Run::claim(&request.output, request.force, plan.files(), &inputs(plan))?;
    let file_system = run.file_system();
    let (way, mut io) = choose_way(request.io, file_system);

    for rendition in &plan.renditions {
        publish(&run, &rendition.init_path(), &rendition.init)?;
    }
    let segments: Vec<_> = plan
        .renditions
        .iter()
        .flat_map(|rendition| rendition.segments.iter().map(move |segment| (rendition, segment)))
        .collect();
    let other_way = AtomicBool::new(false);
    segments.into_par_iter().try_for_each(|(rendition, segment)| {
        let list = segment.fragment(&rendition.source.samples)?.piece_list()?;
        let path = rendition.segment_path(segment);
        let input = &rendition.source.input;
        if run.write_segment(&path, &list, input, way)?.way != way {
            other_way.store(true, Ordering::Relaxed);
        }
        run.verify(&path, &list, input)?;
        progress(list.len());
        Ok::<_, Error>(())
    })?;
    if other_way.into_inner() {
        let reason = format!("{way} cannot be done safely on {file_system}");
        io = IoReport { way: Way::Gather.to_string(), reason };
    }
    for rendition in &plan.renditions {
        rendition.source.input.check_unchanged()?;
    }
    for (path, manifest) in &plan.manifests {
        publish(&run, path, manifest.as_bytes())?;
    }
    run.finish(&plan.receipt())?;
    Ok(plan.report(request, io, true))
}

/// Publishes a small file and reads it back.
fn publish(run: &Run, path: &str, bytes: &[u8]) -> Result<()> {
    run.publish_bytes(path, bytes)?;
    run.verify_bytes(path, bytes)
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
