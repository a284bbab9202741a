//! Where inputs change ► where periods start, in every track, and the init segments of those in which a track has another.

use std::path::Path;

use super::ingest::SourcePeriod;
use super::plan::InitPlan;
use super::timing::TimedTrack;
use crate::error::{Error, Result};
use crate::presentation::{Change, Media, PackagedTrack, Segment, init_name};
use crate::time::{ExactTime, FrameRate, Ticks};
use crate::track::header::{BitRate, TrackHeader, write_init_segment};

/// The instants at which a track changes, ascending, each once.
pub fn boundaries(tracks: &[TimedTrack<'_>]) -> Vec<ExactTime> {
    let mut all: Vec<_> = tracks.iter().flat_map(starts).collect();
    all.sort_by(|a, b| (b.is_before(*a)).cmp(&a.is_before(*b)));
    all.dedup_by(|a, b| a.is_at(*b));
    all
}

/// When the periods of one track start that it has behind the first, by its own changes.
fn starts(track: &TimedTrack<'_>) -> Vec<ExactTime> {
    let mut starts = Vec::with_capacity(track.periods.len());
    let (mut time, mut index) = (0, 0);
    for period in &track.periods {
        time += track.source.samples.run(index..period.first).duration();
        index = period.first;
        starts.push(ExactTime::new(Ticks(time), track.timescale));
    }
    starts
}

/// What the init segment of one of its periods says, by its own changes, from 0, with the sample entry of the first: an init segment
/// and the segments that are read with it are a CMAF track, whose duration and bit rates it tells.
pub fn header(track: &TimedTrack<'_>, period: usize) -> TrackHeader {
    let all = &track.source.samples;
    if track.periods.is_empty() {
        return track.header();
    }
    let first = |index: usize| track.periods[index].first;
    let start = period.checked_sub(1).map_or(0, first);
    let end = if period < track.periods.len() { first(period) } else { all.len() };
    let samples = all.run(start..end);
    TrackHeader {
        duration: Some(Ticks(samples.duration())),
        bit_rate: Some(BitRate::of(samples, track.timescale)),
        ..track.header()
    }
}

/// Checks that no period states another rate than `rate`, which is that of the first: one rate times the whole track.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) with both rates.
pub fn check_rates(periods: &[SourcePeriod], rate: FrameRate) -> Result<()> {
    for SourcePeriod { configuration, change, .. } in periods {
        let in_period = |error: Error| error.at(change.second);
        if let Some(told) =
            configuration.bitstream_rate().map_err(in_period)?.filter(|told| told.rate != rate)
        {
            return Err(in_period(Error::conflict(
                format!("the stream says {} frames per second from here on, and {rate} before", told.rate),
                "give the rate that holds for all of it (fps=25 behind a comma, --fps 25), or package the parts separately",
            )));
        }
    }
    Ok(())
}

/// `packaged` with a discontinuity at each of `boundaries`, and the init segments of its own periods. `directory` is its own.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a period in which no segment of the track can start.
pub fn with_periods(
    track: &TimedTrack<'_>,
    packaged: PackagedTrack,
    boundaries: &[ExactTime],
    directory: &Path,
) -> Result<(PackagedTrack, Vec<InitPlan>)> {
    let own_starts = starts(track);
    let mut own = own_starts.iter().zip(&track.periods).peekable();
    let (mut changes, mut inits) = (Vec::<Change>::new(), Vec::new());
    for boundary in boundaries {
        let start =
            |segment: &Segment| ExactTime::new(Ticks(packaged.presented(segment).start), track.timescale);
        let segments = packaged.segments();
        let first = segments.partition_point(|segment| start(segment).is_before(*boundary));
        if first == segments.len() {
            // It has ended.
            break;
        }
        if first <= changes.last().map_or(0, |change| change.first) {
            return Err(too_short(*boundary));
        }
        let mut change = match changes.last() {
            Some(last) => Change { first, ..last.clone() },
            None => Change {
                first,
                init: packaged.init().to_owned(),
                init_path: packaged.init_path().to_owned(),
                codec: packaged.codec().to_owned(),
                media: *packaged.media(),
                sample_entry: packaged.sample_entry().cloned(),
            },
        };
        if let Some((_, period)) = own.next_if(|(start, _)| start.is_at(*boundary)) {
            let entry = track.entry_of(period);
            let bytes =
                write_init_segment(&TrackHeader { entry: entry.clone(), ..header(track, inits.len() + 1) })?;
            let (uri, codec) = (init_name(inits.len() + 2), period.configuration.codec_string());
            change = Change {
                first,
                init: uri.clone(),
                init_path: directory.join(&uri),
                codec: codec.clone(),
                media: Media::of(&entry),
                sample_entry: Some(entry),
            };
            inits.push(InitPlan { uri, codec, bytes });
        }
        changes.push(change);
    }
    Ok((packaged.with_changes(changes)?, inits))
}

fn too_short(boundary: ExactTime) -> Error {
    let seconds = boundary.timescale.seconds(boundary.ticks);
    Error::unsupported(
        format!(
            "the period that ends at {seconds:.3} s is so short that no sample of this track starts in it"
        ),
        "keep parameter sets in band (--parameter-sets in-band), or encode with fewer changes",
    )
}
