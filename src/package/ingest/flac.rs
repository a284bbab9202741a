//! A native FLAC stream ► its samples, one for each frame, each as long as its block.

use super::SourceTrack;
use crate::error::Result;
use crate::io::input::Input;
use crate::io::windows::flac::{FlacOptions, read_flac};
use crate::package::report::Notice;
use crate::package::{Progress, Request};
use crate::scan::Dropped;
use crate::scan::flac::FlacReport;
use crate::track::{Framing, SampleFlags, Samples};

pub(super) fn read(request: &Request, input: Input, progress: Progress<'_>) -> Result<SourceTrack> {
    let options = FlacOptions {
        drop_incomplete: request.drop_incomplete,
        progress: Some(progress),
        ..FlacOptions::default()
    };
    let (samples, report) = read_flac(
        &input,
        &options,
        || Samples::new(Framing::Raw),
        |samples, frame| {
            samples
                .push(&[frame.range], SampleFlags::SYNC, frame.block_size)
                .map_err(|error| error.at(frame.range.offset))
        },
    )?;
    let dropped = Dropped {
        id3_tags: report.id3_tags,
        metadata_blocks: report.metadata_blocks,
        incomplete_frames: report.incomplete_frames,
        ..Dropped::default()
    };
    let notices = tell_what_is_missing(&input, &report);
    Ok(SourceTrack::of_sound(input, samples, report.config.configuration(), dropped, notices))
}

fn tell_what_is_missing(input: &Input, report: &FlacReport) -> Vec<Notice> {
    let seconds = |samples: u64| samples as f64 / f64::from(report.config.sample_rate());
    let mut told = Vec::new();
    if report.first_number > 0 {
        told.push(format!(
            "the stream starts with number {}, not 0: something in front of it is missing",
            report.first_number
        ));
    }
    if report.missing_samples > 0 {
        told.push(format!(
            "the last {:.3} s that STREAMINFO tells of are missing: the init segment tells neither their number nor an MD5",
            seconds(report.missing_samples)
        ));
    }
    told.into_iter().map(|message| Notice::about(input.path(), message)).collect()
}
