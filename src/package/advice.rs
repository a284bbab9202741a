//! What a person should know of the tracks although it stops nothing: what was dropped at their wish, and renditions that
//! do not look alike. And what dropping must not do: shift one rendition against another.

use super::report::Notice;
use super::timing::TimedTrack;
use crate::codec::Colour;
use crate::error::{Error, Result};
use crate::manifest::hls::video_range;
use crate::presentation::Media;
use crate::time::{FrameRate, Ticks};

/// Tells of leading pictures and incomplete frames that were dropped.
///
/// # Errors
/// [`ErrorKind::NotAligned`](crate::ErrorKind::NotAligned) for renditions that lost spans of different length: all start
/// at 0 then, so nothing later would show that they are apart.
pub fn tell_dropped(tracks: &[TimedTrack<'_>], notices: &mut Vec<Notice>) -> Result<()> {
    let leads: Vec<_> = tracks.iter().filter_map(Lead::of).collect();
    if let Some((first, others)) = leads.split_first()
        && let Some(other) = others.iter().find(|other| !other.lasts_as_long_as(first))
    {
        return Err(Error::not_aligned(
            format!("dropping what comes before the first key frame takes {first}, but {other}"),
            "cut the streams at the same picture",
        ));
    }
    notices.extend(leads.iter().filter_map(Lead::notice));
    notices.extend(tracks.iter().filter_map(incomplete_frame));
    for track in tracks.iter().filter(|track| !track.is_video()) {
        if let Some(lead) = leads.iter().find(|lead| lead.pictures > 0) {
            let message = format!(
                "the video now starts {:.3} s later than its stream did: cut the audio by as much to keep them together",
                lead.seconds()
            );
            notices.push(Notice::about(&track.input.path, message));
        }
    }
    Ok(())
}

/// What a video track lost at its start.
struct Lead<'t> {
    track: &'t TimedTrack<'t>,
    pictures: u64,
    rate: FrameRate,
}

impl<'t> Lead<'t> {
    fn of(track: &'t TimedTrack<'t>) -> Option<Self> {
        let pictures = track.source.dropped.leading_pictures.units;
        track.frame_rate.map(|rate| Self { track, pictures, rate })
    }

    /// Without rounding: pictures fit 63 bits, being bytes of a file at least, and rates 32 bits each.
    fn lasts_as_long_as(&self, other: &Self) -> bool {
        let span = |lead: &Self, against: &Self| {
            u128::from(lead.pictures)
                * u128::from(lead.rate.denominator())
                * u128::from(against.rate.numerator())
        };
        span(self, other) == span(other, self)
    }

    /// For printing.
    fn seconds(&self) -> f64 {
        self.pictures as f64 / self.rate.hertz()
    }

    fn span(&self) -> String {
        let pictures = if self.pictures == 1 { "picture" } else { "pictures" };
        format!("{} {pictures} ({:.3} s)", self.pictures, self.seconds())
    }

    fn notice(&self) -> Option<Notice> {
        let bytes = self.track.source.dropped.leading_pictures.bytes;
        (bytes > 0).then(|| {
            let message = format!("dropped in front of the first key frame: {}, {bytes} bytes", self.span());
            Notice::about(&self.track.input.path, message)
        })
    }
}

impl std::fmt::Display for Lead<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} from '{}'", self.span(), self.track.input.path.display())
    }
}

fn incomplete_frame(track: &TimedTrack<'_>) -> Option<Notice> {
    let bytes = track.source.dropped.incomplete_frames.bytes;
    let frame = track.source.samples.samples.first().map_or(0, |sample| sample.duration);
    (bytes > 0).then(|| {
        let message = format!(
            "dropped at the end: an incomplete frame ({:.3} s), {bytes} bytes",
            track.timescale.seconds(Ticks(u64::from(frame)))
        );
        Notice::about(&track.input.path, message)
    })
}

/// Tells of video renditions that do not look like the first: a player that switches to one shows the change.
pub fn tell_looks(tracks: &[TimedTrack<'_>], notices: &mut Vec<Notice>) {
    let mut video = tracks.iter().filter(|track| track.is_video());
    let Some(first) = video.next() else { return };
    for other in video {
        for difference in differences(&first.media(), &other.media()) {
            let message = format!(
                "{difference} in '{}', which shows when a player switches between them",
                first.input.path.display()
            );
            notices.push(Notice::about(&other.input.path, message));
        }
    }
}

/// How `other` looks, and how `first` does: half sentences that end in front of the place of `first`.
fn differences(first: &Media, other: &Media) -> Vec<String> {
    let (Media::Video { format, .. }, Media::Video { format: other_format, .. }) = (first, other) else {
        return Vec::new();
    };
    let mut differences = Vec::new();
    let (colour, other_colour) = (format.colour, other_format.colour);
    let ((width, height), (other_width, other_height)) = (format.display_size(), other_format.display_size());
    let (range, other_range) = (video_range(colour), video_range(other_colour));
    if range != other_range {
        differences.push(format!("its video range is {other_range}, but {range}"));
    } else if let (Some(colour), Some(other)) = (colour, other_colour)
        && colour != other
    {
        differences.push(format!("its colours are {}, but {}", code_points(other), code_points(colour)));
    }
    // Width to height, both over both heights.
    let shapes = [(width, other_height), (other_width, height)].map(|(a, b)| u64::from(a) * u64::from(b));
    if shapes[0].abs_diff(shapes[1]) * 50 > shapes[0].min(shapes[1]) {
        let shape = |width: u32, height: u32| f64::from(width) / f64::from(height.max(1));
        differences.push(format!(
            "its picture is {:.3} times as wide as high, but {:.3}",
            shape(other_width, other_height),
            shape(width, height)
        ));
    }
    differences
}

/// Primaries, transfer and matrix, as they are usually written.
fn code_points(colour: Colour) -> String {
    let range = if colour.full_range { "full range" } else { "limited range" };
    format!("{}/{}/{} in {range}", colour.primaries, colour.transfer, colour.matrix)
}
