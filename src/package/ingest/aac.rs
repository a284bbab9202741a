//! An ADTS stream ► its samples, one for each frame.

use super::SourceTrack;
use crate::codec::aac::{self, AacConfig};
use crate::error::{Error, Result};
use crate::io::input::Input;
use crate::io::windows::{self, AdtsOptions};
use crate::package::report::Notice;
use crate::package::{InputRequest, Progress, Request};
use crate::scan::Dropped;
use crate::track::{Framing, SampleFlags, Samples};

pub(super) fn read(
    request: &Request,
    settings: &InputRequest,
    input: Input,
    progress: Progress<'_>,
) -> Result<SourceTrack> {
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
    let priming = settings.priming.unwrap_or(0);
    let presented = samples.duration().saturating_sub(priming.into());
    if presented == 0 {
        return Err(Error::usage(
            format!("priming={priming}, but the stream has only {} samples", samples.duration()),
            "give the number of samples that the encoder put in front of the sound, such as 1024 or 2112",
        ));
    }
    let notices = tell_implicit_sbr(&input, &report.config).into_iter().collect();
    let configuration = report.config.primed_configuration(priming);
    Ok(SourceTrack::of_sound(input, samples, configuration, dropped, notices))
}

fn tell_implicit_sbr(input: &Input, config: &AacConfig) -> Option<Notice> {
    config.may_have_implicit_sbr().then(|| {
        let message = format!(
            "AAC LC at {} Hz may hide HE-AAC, which ADTS cannot tell: it is declared as LC, and players that do not look for \
             SBR play it at half its bandwidth",
            config.sample_rate()
        );
        Notice::about(input.path(), message)
    })
}
