//! A stream of AC-3 or E-AC-3 ► its samples, one for each access unit.

use super::SourceTrack;
use crate::codec::ac3::SAMPLES_PER_ACCESS_UNIT;
use crate::error::Result;
use crate::io::input::Input;
use crate::io::windows::ac3::{Ac3Options, read_ac3};
use crate::package::{Progress, Request};
use crate::scan::Dropped;
use crate::track::{Framing, SampleFlags, Samples};

pub(super) fn read(request: &Request, input: Input, progress: Progress<'_>) -> Result<SourceTrack> {
    let mut samples = Samples::new(Framing::Raw);
    let options = Ac3Options {
        drop_incomplete: request.drop_incomplete,
        progress: Some(progress),
        ..Ac3Options::default()
    };
    let report = read_ac3(&input, &options, |unit| {
        let pushed = samples.push(unit, SampleFlags::SYNC, SAMPLES_PER_ACCESS_UNIT);
        pushed.map_err(|error| error.at(unit[0].offset))
    })?;
    let dropped = Dropped {
        id3_tags: report.id3_tags,
        incomplete_frames: report.incomplete_frames,
        ..Dropped::default()
    };
    Ok(SourceTrack::of_sound(input, samples, report.config.configuration(), dropped, Vec::new()))
}
