//! What a person should know of the tracks although it stops nothing: what was dropped at their wish, and renditions that
//! do not look alike. And what dropping must not do: shift one rendition against another.

use std::path::Path;

use super::ingest::SourceKind;
use super::report::Notice;
use super::timing::TimedTrack;
use crate::codec::colour_text::{code_points, colour_volume, light_levels};
use crate::codec::{AudioCodec, ScanType, VideoFormat, VideoRange};
use crate::error::{Error, Result};
use crate::presentation::{Media, codec_family};
use crate::time::Ticks;

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
    notices.extend(tracks.iter().filter_map(skipped_pictures));
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
}

impl<'t> Lead<'t> {
    fn of(track: &'t TimedTrack<'t>) -> Option<Self> {
        let pictures = track.source.dropped.leading_pictures.units;
        track.is_video().then_some(Self { track, pictures })
    }

    /// Without rounding: ticks of 64 bits, timescales of 32.
    fn lasts_as_long_as(&self, other: &Self) -> bool {
        let span = |lead: &Self, against: &Self| {
            u128::from(lead.track.lead.0) * u128::from(against.track.timescale.get())
        };
        span(self, other) == span(other, self)
    }

    /// For printing.
    fn seconds(&self) -> f64 {
        self.track.timescale.seconds(self.track.lead)
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

fn skipped_pictures(track: &TimedTrack<'_>) -> Option<Notice> {
    let skipped = track.source.dropped.skipped_pictures;
    let seconds = skipped.units as f64 / track.picture_rate?.hertz();
    (skipped.units > 0).then(|| {
        let message = format!(
            "dropped: {} RASL pictures, {} bytes, that no decoder shows where they stand; what follows them is {seconds:.3} s \
             earlier than if they had been",
            skipped.units, skipped.bytes
        );
        Notice::about(&track.input.path, message)
    })
}

fn incomplete_frame(track: &TimedTrack<'_>) -> Option<Notice> {
    let bytes = track.source.dropped.incomplete_frames.bytes;
    let frame = track.source.samples.last_duration().unwrap_or(0);
    (bytes > 0).then(|| {
        let what = match &track.source.kind {
            // A page has many packets.
            SourceKind::Audio(audio) if audio.codec == AudioCodec::Opus => {
                "an incomplete page or packet".to_owned()
            }
            _ => format!("an incomplete frame ({:.3} s)", track.timescale.seconds(Ticks(u64::from(frame)))),
        };
        let message = format!("dropped at the end: {what}, {bytes} bytes");
        Notice::about(&track.input.path, message)
    })
}

/// Tells of video renditions that do not look like the first of their switching set: a player that switches to one shows
/// the change. It never switches to another codec, so H.264 of standard range beside H.265 of high range is no conflict.
pub fn tell_looks(tracks: &[TimedTrack<'_>], notices: &mut Vec<Notice>) {
    let video = tracks.iter().filter(|track| track.is_video());
    let looks: Vec<_> = video.map(Look::of).collect();
    notices.extend(conflicts(&looks));
}

/// What a video rendition looks like.
struct Look<'t> {
    path: &'t Path,
    codec: String,
    media: Media,
}

impl<'t> Look<'t> {
    fn of(track: &TimedTrack<'t>) -> Self {
        Self { path: &track.input.path, codec: track.codec_string(), media: track.media() }
    }

    fn family(&self) -> &str {
        codec_family(&self.codec)
    }

    fn range(&self) -> Option<VideoRange> {
        match &self.media {
            Media::Video { format, .. } => Some(format.video_range()),
            Media::Audio { .. } => None,
        }
    }
}

/// What is told of each rendition against the first that a player may switch from.
fn conflicts(looks: &[Look<'_>]) -> Vec<Notice> {
    let mut firsts: Vec<&Look<'_>> = Vec::new();
    let mut notices = Vec::new();
    for look in looks {
        let mut of_codec = firsts.iter().filter(|first| first.family() == look.family());
        let Some(first) = of_codec.clone().find(|first| first.range() == look.range()) else {
            let ranges = of_codec.next().and_then(|first| Some((first.path, first.range()?, look.range()?)));
            notices.extend(ranges.map(|(path, range, other)| {
                let place = path.display();
                let message = format!(
                    "its video range is {other}, but {range} in '{place}': they are two switching sets, and no player changes \
                     from one to the other"
                );
                Notice::about(look.path, message)
            }));
            firsts.push(look);
            continue;
        };
        let shows = |difference| {
            let place = first.path.display();
            format!("{difference} in '{place}', which shows when a player switches between them")
        };
        let told = differences(&first.media, &look.media).into_iter();
        notices.extend(told.map(|difference| Notice::about(look.path, shows(difference))));
    }
    notices
}

/// How `other` looks, and how `first` does: half sentences that end in front of the place of `first`.
fn differences(first: &Media, other: &Media) -> Vec<String> {
    let (
        Media::Video { format, frame_rate, scan },
        Media::Video { format: other_format, frame_rate: other_rate, scan: other_scan },
    ) = (first, other)
    else {
        return Vec::new();
    };
    let mut differences = light_differences(format, other_format);
    // Width to height, both over both heights.
    let ((width, height), (other_width, other_height)) = (format.display_size(), other_format.display_size());
    let shapes = [(width, other_height), (other_width, height)].map(|(a, b)| u64::from(a) * u64::from(b));
    if shapes[0].abs_diff(shapes[1]) * 50 > shapes[0].min(shapes[1]) {
        let shape = |width: u32, height: u32| f64::from(width) / f64::from(height.max(1));
        differences.push(format!(
            "its picture is {:.3} times as wide as high, but {:.3}",
            shape(other_width, other_height),
            shape(width, height)
        ));
    }
    if let (Some(rate), Some(other)) = (frame_rate, other_rate)
        && rate != other
    {
        differences.push(format!("its frame rate is {other}, but {rate}"));
    }
    if let (Some(scan), Some(other)) = (scan, other_scan)
        && scan != other
    {
        let name = |scan: &ScanType| match scan {
            ScanType::Progressive => "progressive",
            ScanType::Interlaced => "interlaced",
        };
        differences.push(format!("its pictures are {}, but {}", name(other), name(scan)));
    }
    differences
}

/// The same of what the sample values mean.
fn light_differences(first: &VideoFormat, other: &VideoFormat) -> Vec<String> {
    let mut differences = Vec::new();
    if let (Some(colour), Some(other)) = (first.colour, other.colour)
        && colour != other
    {
        differences.push(format!("its colours are {}, but {}", code_points(other), code_points(colour)));
    }
    let mut tell = |what: &str, [first, other]: [Option<String>; 2]| {
        if first != other {
            let [first, other] = [first, other].map(|value| value.unwrap_or_else(|| "not stated".to_owned()));
            differences.push(format!("its {what} is {other}, but {first}"));
        }
    };
    let formats = [first, other];
    tell("mastering display", formats.map(|format| format.mastering_display.as_ref().map(colour_volume)));
    tell("content light level", formats.map(|format| format.content_light.map(light_levels)));
    let transfer = |format: &VideoFormat| format.preferred_transfer.map(|transfer| transfer.to_string());
    tell("preferred transfer", formats.map(transfer));
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Colour, ContentLight, MasteringDisplay};
    use crate::time::FrameRate;

    const PQ: VideoFormat = VideoFormat {
        colour: Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false }),
        mastering_display: Some(MasteringDisplay {
            primaries: [(13_250, 34_500), (7500, 3000), (34_000, 16_000)],
            white_point: (15_635, 16_450),
            max_luminance: 10_000_000,
            min_luminance: 1,
        }),
        content_light: Some(ContentLight { max_content: 1000, max_picture_average: 400 }),
        ..VideoFormat::of_size(3840, 2160)
    };

    fn media(format: VideoFormat) -> Media {
        Media::Video { format, frame_rate: FrameRate::new(25, 1), scan: Some(ScanType::Progressive) }
    }

    /// What is told of `other` beside `first`, as `about: half sentence`.
    fn told(looks: &[(&str, &str, Media)]) -> Vec<String> {
        let looks: Vec<_> = looks
            .iter()
            .map(|&(path, codec, media)| Look { path: Path::new(path), codec: codec.to_owned(), media })
            .collect();
        let told = conflicts(&looks).into_iter().map(|notice| {
            let ends = [
                ", which shows when a player switches between them",
                ": they are two switching sets, and no player changes from one to the other",
            ];
            let message = ends.iter().find_map(|end| notice.message.strip_suffix(end));
            format!("{}: {}", notice.about, message.expect("one of the two ends"))
        });
        told.collect()
    }

    fn beside_pq(change: impl FnOnce(&mut VideoFormat)) -> Vec<String> {
        let mut format = PQ;
        change(&mut format);
        told(&[("a", "hvc1.2.4.L153.90", media(PQ)), ("b", "hvc1.2.4.L153.90", media(format))])
    }

    #[test]
    fn high_range_metadata_that_differs_is_told() {
        assert_eq!(beside_pq(|_| ()), [""; 0]);
        let p3 = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)";
        assert_eq!(
            beside_pq(|format| format.mastering_display.as_mut().unwrap().min_luminance = 50),
            [format!("b: its mastering display is {}, but {p3} in 'a'", p3.replace(",1)", ",50)"))]
        );
        assert_eq!(
            beside_pq(|format| format.mastering_display = None),
            [format!("b: its mastering display is not stated, but {p3} in 'a'")]
        );
        assert_eq!(
            beside_pq(|format| format.content_light.as_mut().unwrap().max_content = 999),
            ["b: its content light level is 999,400, but 1000,400 in 'a'"]
        );
        assert_eq!(
            beside_pq(|format| format.preferred_transfer = Some(16)),
            ["b: its preferred transfer is 16, but not stated in 'a'"]
        );
        assert_eq!(
            beside_pq(|format| format.preferred_transfer = Some(18)),
            ["b: its video range is HLG, but PQ in 'a'"]
        );
    }

    #[test]
    fn another_range_is_told_alone() {
        let sdr = VideoFormat {
            colour: Some(Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false }),
            ..VideoFormat::of_size(3840, 2160)
        };
        assert_eq!(beside_pq(|format| *format = sdr), ["b: its video range is SDR, but PQ in 'a'"]);
    }

    #[test]
    fn rates_and_fields_that_differ_are_told_where_both_are_known() {
        let of = |rate, scan| Media::Video { format: PQ, frame_rate: rate, scan };
        let (slow, fast) = (FrameRate::new(30_000, 1001), FrameRate::new(60, 1));
        let (frames, fields) = (Some(ScanType::Progressive), Some(ScanType::Interlaced));
        let beside = |one, other| told(&[("a", "avc1.640028", one), ("b", "avc3.640028", other)]);
        assert_eq!(
            beside(of(slow, frames), of(fast, frames)),
            ["b: its frame rate is 60, but 30000/1001 in 'a'"]
        );
        assert_eq!(
            beside(of(slow, frames), of(slow, fields)),
            ["b: its pictures are interlaced, but progressive in 'a'"]
        );
        assert_eq!(beside(of(slow, frames), of(None, None)), [""; 0]);
        assert_eq!(beside(of(None, None), of(fast, fields)), [""; 0]);
    }

    #[test]
    fn each_is_compared_with_the_first_of_its_own_set() {
        let sdr = media(VideoFormat::of_size(1920, 1080));
        let hlg = media(VideoFormat {
            colour: Some(Colour { primaries: 9, transfer: 18, matrix: 9, full_range: false }),
            ..VideoFormat::of_size(3840, 2160)
        });
        let looks = [
            ("a", "avc1.640028", sdr),
            ("b", "hvc1.2.4.L153.90", media(PQ)),
            ("c", "avc3.64001f", sdr),
            ("d", "hev1.2.4.L153.90", hlg),
            ("e", "av01.0.04M.08", hlg),
            ("f", "hvc1.2.4.L120.90", media(PQ)),
            ("g", "avc1.640028", hlg),
        ];
        assert_eq!(
            told(&looks),
            ["d: its video range is HLG, but PQ in 'b'", "g: its video range is HLG, but SDR in 'a'"]
        );
    }
}
