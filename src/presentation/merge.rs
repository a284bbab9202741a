//! The parts of one rendition that several workers made ► the track that one worker would have made. Parts come in any
//! order; what is missing, double or out of place is an error that names its numbers.

use std::collections::HashMap;
use std::num::NonZeroU32;

use super::{Media, PackagedTrack, Segment};
use crate::codec::h264::{self, AvcRecord};
use crate::codec::h265::{self, HevcRecord};
use crate::codec::{ParameterSetPlacement, ScanType};
use crate::error::{Error, ErrorKind, Result};
use crate::time::{DecodeTime, FrameRate, Ticks};
use crate::track::header::SampleEntry;

/// What the parts together must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Number of the first segment.
    pub first_segment_index: NonZeroU32,
    /// Where the first segment starts.
    pub first_base_decode_time: DecodeTime,
    /// How many segments there are; `None` where nobody said.
    pub segments: Option<u64>,
    /// How long all segments last; `None` where nobody said.
    pub duration: Option<Ticks>,
}

impl Default for Promise {
    /// From segment 1 and time 0 on, however many there are.
    fn default() -> Self {
        Self {
            first_segment_index: NonZeroU32::MIN,
            first_base_decode_time: DecodeTime(0),
            segments: None,
            duration: None,
        }
    }
}

/// Joins the parts of one rendition. Language, name, role and default are those of the part that wrote the init segment.
///
/// A part without segments (its worker gave up its range) need only have directory and timescale in common with the others.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when there is no part, when parts differ in directory, timescale, media
/// or in a codec configuration that one init segment cannot serve ([`SampleEntry::check_fits`]; without sample entries, the
/// codec string), when not exactly one wrote the init segment, when a segment is there twice, is missing, does not start
/// where the one before ends, or shares its file, and when number, time, count or duration are not as promised.
pub fn merge(tracks: Vec<PackagedTrack>, promise: &Promise) -> Result<PackagedTrack> {
    let keeper = keeper(&tracks)?;
    let published = &tracks[keeper];
    for part in &tracks {
        check_place(part, published)?;
        if !part.changes.is_empty() {
            let what = format!("{} has several init segments", name_of(part));
            return Err(broken(
                published,
                what,
                "keep parameter sets in band (avc3, hev1) where several workers make a track",
            ));
        }
    }
    let media = common_media(&tracks, published)?;
    for part in tracks.iter().filter(|part| !part.segments.is_empty()) {
        check_codec(part, published)?;
    }
    let codec = common_codec(&tracks, published)?;
    let segments = in_order(&tracks, promise)?;
    check_totals(&segments, promise).map_err(|what| broken(published, what, "merge all parts of it"))?;

    let merged = PackagedTrack::new(&*published.directory, codec, media, published.timescale, segments)?;
    Ok(PackagedTrack {
        init: published.init.clone(),
        init_path: published.init_path.clone(),
        sample_entry: published.sample_entry.clone(),
        language: published.language.clone(),
        name: published.name.clone(),
        role: published.role.clone(),
        default: published.default,
        ..merged
    })
}

fn broken(track: &PackagedTrack, what: impl std::fmt::Display, remedy: &'static str) -> Error {
    Error::conflict(format!("{}: {what}", track.directory), remedy)
}

/// How an error calls a part.
fn name_of(part: &PackagedTrack) -> String {
    match (part.segments.first(), part.segments.last()) {
        (Some(first), Some(last)) => format!("the part with segments {} to {}", first.number, last.number),
        _ => "a part without segments".to_owned(),
    }
}

/// Index of the one part that wrote the init segment.
fn keeper(tracks: &[PackagedTrack]) -> Result<usize> {
    let Some(first) = tracks.first() else {
        return Err(Error::conflict("a rendition of 0 parts", "merge at least one"));
    };
    let mut writers = (0..tracks.len()).filter(|&index| tracks[index].wrote_init);
    let Some(keeper) = writers.next() else {
        let what = format!("none of {} parts wrote the init segment", tracks.len());
        return Err(broken(first, what, "let one of them write it (write_init)"));
    };
    match writers.next() {
        None => Ok(keeper),
        Some(other) => {
            let (one, other) = (name_of(&tracks[keeper]), name_of(&tracks[other]));
            let count = 2 + writers.count();
            let what = format!("{count} of {} parts wrote the init segment: {one}, {other}", tracks.len());
            Err(broken(first, what, "let one of them write it (write_init)"))
        }
    }
}

/// Directory, timescale and name of the init segment are the same.
fn check_place(part: &PackagedTrack, published: &PackagedTrack) -> Result<()> {
    let refuse = |field: &str, own: &dyn std::fmt::Display, other: &dyn std::fmt::Display| {
        let what = format!(
            "{} has the {field} {own}, but {}, which wrote the init segment, has {other}",
            name_of(part),
            name_of(published)
        );
        Err(broken(published, what, "merge the parts of one rendition alone"))
    };
    if part.directory != published.directory {
        return refuse("directory", &part.directory, &published.directory);
    }
    if part.timescale != published.timescale {
        return refuse("timescale", &part.timescale, &published.timescale);
    }
    if part.init != published.init {
        return refuse("init segment", &part.init, &published.init);
    }
    Ok(())
}

/// What the parts show or sound like. A frame rate is known where all parts know it. A field in one part makes the whole
/// interlaced, where no other part is proven to be progressive: those that have met none prove nothing.
fn common_media(tracks: &[PackagedTrack], published: &PackagedTrack) -> Result<Media> {
    let parts = || tracks.iter().filter(|part| !part.segments.is_empty() || part.wrote_init);
    let known = |part: &PackagedTrack| match part.media {
        Media::Video { frame_rate, scan, .. } => (frame_rate, scan),
        Media::Audio { .. } => (None, None),
    };
    let rate = |part: &PackagedTrack| known(part).0;
    let scan = |part: &PackagedTrack| known(part).1;
    let common = parts().find_map(rate);
    let fields = parts().map(scan).find(|scan| *scan == Some(ScanType::Interlaced)).flatten();
    for part in parts() {
        let own = told(part.media, rate(part).or(common), scan(part).or(fields));
        let expected = told(published.media, common, scan(published).or(fields));
        if own != expected {
            let what = format!("{} is {}, others are {}", name_of(part), describe(own), describe(expected));
            return Err(broken(published, what, "encode every part of a rendition with the same settings"));
        }
    }
    let all_know = parts().all(|part| rate(part).is_some());
    Ok(told(published.media, common.filter(|_| all_know), scan(published).or(fields)))
}

/// The same at another frame rate, in another scan.
fn told(media: Media, frame_rate: Option<FrameRate>, scan: Option<ScanType>) -> Media {
    match media {
        Media::Video { format, .. } => Media::Video { format, frame_rate, scan },
        audio @ Media::Audio { .. } => audio,
    }
}

fn describe(media: Media) -> String {
    match media {
        Media::Video { format, frame_rate, scan } => {
            let (width, height) = (format.width, format.height);
            let scan = if scan == Some(ScanType::Interlaced) { ", interlaced" } else { "" };
            let rate = frame_rate.map_or(String::new(), |rate| format!(" at {rate} pictures a second"));
            let colour = format.colour.map_or("unknown".to_owned(), |c| {
                let range = if c.full_range { ", full range" } else { "" };
                format!("{}/{}/{}{range}", c.primaries, c.transfer, c.matrix)
            });
            format!("{width}x{height}{scan}{rate}, colour {colour}")
        }
        Media::Audio { channels, sample_rate } => format!("{sample_rate} Hz, channels: {channels}"),
    }
}

fn check_codec(part: &PackagedTrack, published: &PackagedTrack) -> Result<()> {
    let context = format!("{}: {}", published.directory, name_of(part));
    match (&part.sample_entry, &published.sample_entry) {
        (Some(own), Some(init)) => own.check_fits(init).map_err(|error| match error.kind() {
            ErrorKind::Conflict { what, remedy } => {
                Error::conflict(format!("{context}: {what}"), remedy.clone())
            }
            _ => Error::conflict(
                format!("{context}: a configuration record cannot be read: {error}"),
                "give the record that the encoder made",
            ),
        }),
        _ if part.codec == published.codec => Ok(()),
        _ => Err(Error::conflict(
            format!("{context} is {}, but the init segment says {}", part.codec, published.codec),
            "encode every part of a rendition with the same settings",
        )),
    }
}

/// The codec string of the whole: that of the init segment, or in band the one that covers every part.
fn common_codec(tracks: &[PackagedTrack], published: &PackagedTrack) -> Result<String> {
    let in_band = |entry: &Option<SampleEntry>| match entry {
        Some(
            SampleEntry::Avc { parameter_sets: ParameterSetPlacement::InBand, configuration_record, .. }
            | SampleEntry::Hevc { parameter_sets: ParameterSetPlacement::InBand, configuration_record, .. },
        ) => Some(configuration_record.clone()),
        _ => None,
    };
    let Some(first) = in_band(&published.sample_entry) else { return Ok(published.codec.clone()) };
    let others = tracks.iter().filter(|part| !part.segments.is_empty() && part.codec != published.codec);
    let records: Vec<_> =
        std::iter::once(first).chain(others.filter_map(|part| in_band(&part.sample_entry))).collect();
    if records.len() == 1 {
        return Ok(published.codec.clone());
    }
    let covering = if matches!(published.sample_entry, Some(SampleEntry::Hevc { .. })) {
        let read: Vec<_> = records.iter().map(|record| HevcRecord::read(record)).collect::<Result<_>>()?;
        h265::covering_codec_string("hev1", &read)
    } else {
        let read: Vec<_> = records.iter().map(|record| AvcRecord::read(record)).collect::<Result<_>>()?;
        h264::covering_codec_string("avc3", &read)
    };
    covering.map_err(|error| broken(published, error, "encode every part of a rendition in one profile"))
}

/// A segment, and the part that it came in.
type Placed<'a> = (&'a Segment, &'a PackagedTrack);

/// All segments by number, none twice, none missing from the promised first on, each where the one before ends.
fn in_order(tracks: &[PackagedTrack], promise: &Promise) -> Result<Vec<Segment>> {
    let mut placed: Vec<Placed<'_>> =
        tracks.iter().flat_map(|part| part.segments.iter().map(move |segment| (segment, part))).collect();
    placed.sort_by_key(|(segment, _)| segment.number);
    let refuse = |(what, remedy)| broken(&tracks[0], what, remedy);
    let mut files = HashMap::new();
    let mut last = None;
    for next @ (segment, _) in &placed {
        let number = segment.number;
        check_number(last, next, promise).map_err(refuse)?;
        check_time(last, segment, promise).map_err(refuse)?;
        if let Some(other) = files.insert(segment.uri.as_str(), number) {
            let what = format!("segments {other} and {number} are both in {}", segment.uri);
            return Err(refuse((what, "name each file by the number of its segment")));
        }
        last = Some(next);
    }
    Ok(placed.into_iter().map(|(segment, _)| segment.clone()).collect())
}

/// What is wrong, and what to do.
type Refusal = (String, &'static str);

/// Whether `next` is the segment behind `last`, or the first one promised.
fn check_number(last: Option<&Placed<'_>>, next: &Placed<'_>, promise: &Promise) -> Result<(), Refusal> {
    let number = next.0.number;
    let due = match last {
        Some((before, part)) if before.number == number => {
            let what = format!(
                "segment {number} comes twice: at {} ticks in {}, at {} ticks in {}",
                before.base_decode_time.0,
                name_of(part),
                next.0.base_decode_time.0,
                name_of(next.1)
            );
            return Err((what, "give each worker a range of its own"));
        }
        Some((before, _)) => before.number.saturating_add(1),
        None => promise.first_segment_index,
    };
    if number < due {
        let what = format!("segment {number} comes before the first one promised, {due}");
        return Err((what, "promise what the workers were given"));
    }
    if number == due {
        return Ok(());
    }
    let missing = match number.get() - 1 {
        end if end == due.get() => format!("segment {due} is"),
        end => format!("segments {due} to {end} are"),
    };
    Err((format!("{missing} missing in front of segment {number}"), "merge all parts of it"))
}

/// Whether `segment` starts where `last` ends, or where the first one was promised.
fn check_time(last: Option<&Placed<'_>>, segment: &Segment, promise: &Promise) -> Result<(), Refusal> {
    let (number, start) = (segment.number, segment.base_decode_time.0);
    let what = match last.map(|(before, _)| before) {
        // PackagedTrack::new checked that the end is within 64 bits.
        Some(before) if start == before.base_decode_time.0 + before.duration.0 => return Ok(()),
        None if start == promise.first_base_decode_time.0 => return Ok(()),
        Some(before) => format!(
            "segment {number} starts at {start} ticks, but segment {} starts at {} and lasts {}",
            before.number, before.base_decode_time.0, before.duration.0
        ),
        None => format!(
            "segment {number} starts at {start} ticks, but was promised at {}",
            promise.first_base_decode_time.0
        ),
    };
    Err((what, "start each worker where the one before it ends"))
}

/// What is not as promised of all segments together.
fn check_totals(segments: &[Segment], promise: &Promise) -> Result<(), String> {
    let count = segments.len() as u64;
    let (first, start) = (promise.first_segment_index, promise.first_base_decode_time.0);
    let end = segments.last().map_or(start, |last| last.base_decode_time.0 + last.duration.0);
    if let Some(promised) = promise.segments
        && promised != count
    {
        let last = segments.last().map_or("none".to_owned(), |last| last.number.to_string());
        return Err(format!(
            "there are {count} segments, first {first}, last {last}, but {promised} were promised"
        ));
    }
    match promise.duration {
        Some(promised) if promised.0 != end - start => Err(format!(
            "the segments last {} ticks, from {start} to {end}, but {} were promised",
            end - start,
            promised.0
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
