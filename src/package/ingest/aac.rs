//! An ADTS stream ► its samples, one for each frame.

use super::{SourceKind, SourceTrack};
use crate::codec::aac;
use crate::error::Result;
use crate::io::input::Input;
use crate::io::windows::{self, AdtsOptions};
use crate::package::{Progress, Request};
use crate::scan::{Count, Dropped};
use crate::track::{Framing, SampleFlags, Samples};

pub(super) fn read(request: &Request, input: Input, progress: Progress<'_>) -> Result<SourceTrack> {
    let mut samples = Samples::new(Framing::Raw);
    let options = AdtsOptions {
        drop_incomplete: request.drop_incomplete,
        progress: Some(progress),
        ..AdtsOptions::default()
    };
    let report = windows::read_adts(&input, &options, |payload| {
        samples
            .push(&[payload], SampleFlags::SYNC, aac::SAMPLES_PER_FRAME)
            .map_err(|error| error.at(payload.offset))
    })?;
    let dropped = Dropped {
        id3_tags: report.id3_tags,
        incomplete_frames: report.incomplete_frames,
        ..Dropped::default()
    };
    Ok(SourceTrack {
        input,
        samples,
        kind: SourceKind::Aac(report.config),
        scan_parts: 1,
        dropped,
        repeated_parameter_sets: Count::default(),
        notices: Vec::new(),
    })
}
