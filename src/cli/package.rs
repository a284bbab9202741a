//! `fragmint package`: from the arguments to the library's request, and from its report to what is printed.

use std::path::PathBuf;
use std::sync::Arc;

use fragmint::Result;
use fragmint::hash::HashAlgorithm;
use fragmint::io::input::Input;
use fragmint::package::report::{MediaReport, RenditionReport, Report};
use fragmint::package::{self, InputRequest, IoChoice, OnChange, ParameterSetChoice, Request, Timecodes};
use fragmint::presentation::names::codec_name;
use fragmint::time::FrameRate;

use super::args::{HashChoice, IoWay, OnChangeChoice, PackageArgs, ParameterSets};
use super::input_arg::{self, InputArg};
use super::interruption::Interruption;
use super::plan::{PlanView, SetView, TrackView, bytes};
use super::print_notice;
use super::progress::Progress;
use super::streams;
use super::table::{self, RenditionRow, RowFormat};
use super::timecodes;

/// Packages `args.inputs` into `args.output`.
pub fn run(args: &PackageArgs) -> Result<()> {
    input_arg::check_distinct(&args.inputs)?;
    let report = super::pool(args.threads)?.install(|| package(args))?;
    print_report(args, &report)
}

fn package(args: &PackageArgs) -> Result<Report> {
    let interruption = Interruption::watch()?;
    let progress = Progress::new(!args.quiet && !args.json);
    let timecodes = args.inputs.iter().map(timecodes::read).collect::<Result<Vec<_>>>()?;
    let request = request(args, streams::spool(args, &progress)?, timecodes);
    let add = |bytes| progress.add(bytes);
    // Only for the length of the bar: an input that cannot be opened is told of by the run.
    let input_bytes = |input: &InputRequest| match &input.opened {
        Some(opened) => opened.identity().size,
        None => std::fs::metadata(&input.path).map_or(0, |file| file.len()),
    };
    progress.phase("scan", request.inputs.iter().map(input_bytes).sum());
    let plan = package::run::plan(&request, &add)?;
    if args.dry_run {
        return Ok(package::run::preview(&request, &plan));
    }
    progress.phase("write", plan.segment_bytes());
    package::run::write_until(&request, &plan, &add, interruption.stop_from_here_on())
}

fn request(
    args: &PackageArgs,
    opened: Vec<Option<Arc<Input>>>,
    timecodes: Vec<Option<Arc<Timecodes>>>,
) -> Request {
    type Given<'a> = ((&'a InputArg, Option<Arc<Input>>), Option<Arc<Timecodes>>);
    let input = |((input, opened), timecodes): Given<'_>| InputRequest {
        path: streams::name(input),
        opened,
        frame_rate: input.fps,
        language: input.language.clone(),
        name: input.name.clone(),
        role: input.role.clone(),
        default: input.default.unwrap_or(false),
        timecodes,
        colour: input.colour,
        mastering_display: input.mastering_display,
        content_light: input.content_light,
        priming: input.priming,
    };
    Request {
        segment_duration: args.segment_duration,
        frame_rate: args.fps,
        io: match args.io {
            IoWay::Auto => IoChoice::Auto,
            IoWay::Mapped => IoChoice::Mapped,
            IoWay::Gather => IoChoice::Gather,
        },
        hls: !args.no_hls,
        dash: !args.no_dash,
        existing: args.existing(),
        verify: !args.no_verify,
        hash: match args.hash {
            HashChoice::Xxh3 => Some(HashAlgorithm::Xxh3),
            HashChoice::Sha256 => Some(HashAlgorithm::Sha256),
            HashChoice::None => None,
        },
        durable: args.durable,
        drop_leading: args.drop_leading,
        drop_incomplete: args.drop_incomplete,
        parameter_sets: match args.parameter_sets {
            ParameterSets::Auto => ParameterSetChoice::Auto,
            ParameterSets::SampleEntry => ParameterSetChoice::SampleEntry,
            ParameterSets::InBand => ParameterSetChoice::InBand,
        },
        on_change: match args.on_change {
            OnChangeChoice::Error => OnChange::Error,
            OnChangeChoice::NewPeriod => OnChange::NewPeriod,
        },
        ..Request::new(args.inputs.iter().zip(opened).zip(timecodes).map(input).collect(), &args.output)
    }
}

/// The report as JSON, or notices, table and a last line for people; with `--quiet` nothing.
fn print_report(args: &PackageArgs, report: &Report) -> Result<()> {
    if args.json {
        return print(&super::json(report)?);
    }
    if args.quiet {
        return Ok(());
    }
    if args.dry_run {
        return print(&plan_view(report).render());
    }
    for notice in notices(report) {
        print_notice(&notice);
    }
    let rows: Vec<_> = report.renditions.iter().map(row).collect();
    let output = args.output.display();
    print(&format!(
        "{}\n{} in {} files in {output}{}. {} Watch it: fragmint play {output}\n",
        table::render(&rows),
        bytes(report.bytes),
        report.files,
        kept(report.kept),
        verified(report)
    ))
}

fn kept(files: u64) -> String {
    if files == 0 { String::new() } else { format!(", {files} of them there already") }
}

/// What verification was and what it cost.
fn verified(report: &Report) -> String {
    match &report.verification {
        None => "Not verified, as asked.".to_owned(),
        Some(verification) => {
            let seconds = verification.microseconds as f64 / 1e6;
            format!("Verified in {seconds:.2} s of all threads.")
        }
    }
}

/// The notices as lines, the same message about several inputs as one.
fn notices(report: &Report) -> Vec<String> {
    let mut grouped: Vec<(&str, Vec<&str>)> = Vec::new();
    for notice in &report.notices {
        match grouped.iter_mut().find(|(message, _)| *message == notice.message) {
            Some((_, about)) => about.push(&notice.about),
            None => grouped.push((&notice.message, vec![&notice.about])),
        }
    }
    grouped.into_iter().map(|(message, about)| format!("{}: {message}", about.join(", "))).collect()
}

/// Prints to stdout. A reader that went away has a complete package without it.
fn print(text: &str) -> Result<()> {
    super::print(text.as_bytes(), "print the report")
}

fn row(rendition: &RenditionReport) -> RenditionRow {
    RenditionRow {
        name: short_name(rendition).to_owned(),
        codec: rendition.codec.clone(),
        format: format(&rendition.media),
        duration: seconds(rendition.duration, rendition.timescale),
        segments: rendition.segments.len() as u64,
        average_bps: rendition.average_bit_rate,
        peak_bps: rendition.peak_bit_rate,
    }
}

/// The last part of a rendition's directory.
fn short_name(rendition: &RenditionReport) -> &str {
    rendition.directory.rsplit('/').next().unwrap_or(&rendition.directory)
}

fn format(media: &MediaReport) -> RowFormat {
    match media {
        MediaReport::Video { width, height, frame_rate, .. } => RowFormat::Video {
            size: (u32::from(*width), u32::from(*height)),
            frame_rate: frame_rate.as_deref().and_then(|rate| FrameRate::parse(rate).ok()),
        },
        MediaReport::Audio { channels, sample_rate } => {
            RowFormat::Audio { channels: u32::from(*channels), sample_rate: *sample_rate }
        }
    }
}

/// Ticks as seconds with three decimals, to nearest.
pub(super) fn seconds(ticks: u64, timescale: u32) -> String {
    let (ticks, timescale) = (u128::from(ticks), u128::from(timescale));
    let milliseconds = (ticks * 1000 + timescale / 2) / timescale;
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

fn plan_view(report: &Report) -> PlanView {
    let set = |indices: &Vec<usize>| {
        let renditions: Vec<_> = indices.iter().map(|&index| &report.renditions[index]).collect();
        let first = renditions[0];
        let (kind, range) = match &first.media {
            MediaReport::Video { video_range, .. } if video_range != "SDR" => {
                ("video", format!(" {video_range}"))
            }
            MediaReport::Video { .. } => ("video", String::new()),
            MediaReport::Audio { .. } => ("audio", String::new()),
        };
        let starts = first.segments.iter().map(|segment| seconds(segment.start, first.timescale));
        SetView {
            title: format!("{kind}, {}{range}", codec_name(&first.codec)),
            tracks: renditions.iter().map(|rendition| track_view(rendition)).collect(),
            cuts: starts.chain([seconds(first.duration, first.timescale)]).collect(),
        }
    };
    PlanView {
        output: PathBuf::from(&report.output),
        sets: report.switching_sets.iter().map(set).collect(),
        files: report.files,
        bytes: report.bytes,
        notices: report
            .notices
            .iter()
            .map(|notice| format!("{}: {}", notice.about, notice.message))
            .collect(),
    }
}

fn track_view(rendition: &RenditionReport) -> TrackView {
    TrackView {
        input: PathBuf::from(&rendition.input.path),
        directory: rendition.directory.clone(),
        codec: rendition.codec.clone(),
        format: format(&rendition.media),
        samples: rendition.samples,
        duration: seconds(rendition.duration, rendition.timescale),
        bytes: rendition.bytes,
    }
}
