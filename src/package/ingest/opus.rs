//! An Ogg Opus stream ► its samples, one for each packet.

use super::SourceTrack;
use crate::codec::opus::SAMPLE_RATE;
use crate::error::Result;
use crate::io::input::Input;
use crate::io::windows::ogg::{OggOptions, read_ogg_opus};
use crate::package::report::Notice;
use crate::package::{Progress, Request};
use crate::scan::Dropped;
use crate::scan::ogg::OggOpusReport;
use crate::track::{Framing, SampleFlags, Samples};

pub(super) fn read(request: &Request, input: Input, progress: Progress<'_>) -> Result<SourceTrack> {
    let mut samples = Samples::new(Framing::Raw);
    let options = OggOptions {
        drop_incomplete: request.drop_incomplete,
        progress: Some(progress),
        ..OggOptions::default()
    };
    let report = read_ogg_opus(&input, &options, |packet| {
        samples
            .push(packet.ranges, SampleFlags::SYNC, packet.duration)
            .map_err(|error| error.at(packet.ranges.first().map_or(0, |range| range.offset)))
    })?;
    let dropped = Dropped {
        comment_headers: report.comment_headers,
        trimmed_packets: report.trimmed_packets,
        incomplete_frames: report.incomplete_packets,
        ..Dropped::default()
    };
    let notices = notices(&report).into_iter().map(|message| Notice::about(input.path(), message)).collect();
    Ok(SourceTrack::of_sound(input, samples, report.config.configuration(), dropped, notices))
}

/// What a person should know of the file.
fn notices(report: &OggOpusReport) -> Vec<String> {
    let seconds = |samples: u64| samples as f64 / f64::from(SAMPLE_RATE);
    let mut notices = Vec::new();
    if report.start > 0 {
        notices.push(format!(
            "the sound begins at {:.4} s of the file's own clock, as where it is cut out of a longer one: it is packaged at 0",
            seconds(report.start)
        ));
    }
    if let Some((place, off)) = report.inexact_page {
        notices.push(format!(
            "granule positions are inexact, first of the page at {place:#x} by {off:+} samples: the packets' own durations count"
        ));
    }
    if !report.ended {
        notices.push(
            "no page says that it is the last, as where a file is cut off or was written live: the last packet is taken to \
             be heard whole"
                .to_owned(),
        );
    }
    if report.trimmed_packets.units > 0 {
        notices.push(format!(
            "dropped at the end: {} packets, {} bytes, that the last granule position says not to be heard",
            report.trimmed_packets.units, report.trimmed_packets.bytes
        ));
    }
    notices
}
