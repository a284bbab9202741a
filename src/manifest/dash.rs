//! Presentation ► static DASH MPD (ISO/IEC 23009-1): a Period for each part between discontinuities, an AdaptationSet for each switching set, and in each
//! Representation a SegmentTemplate with the exact SegmentTimeline of the segments that the HLS playlists name too. Only what the
//! tracks prove is written. Equal input gives equal bytes.
//!
//! ISO/IEC 23009-1 itself was not opened: names, types and order follow its schema (`DASH-MPD.xsd`), meanings follow what the
//! DASH-IF guidelines (IOP and restricted timing model) say of them. The length of the presentation and the zero of its time
//! line are in `timing`, `@bandwidth` and `@minBufferTime` in `bandwidth`.

use crate::error::{Error, Result};
use crate::presentation::{Media, PackagedTrack, Presentation, Segment};
use crate::time::{FrameRate, gcd};

use self::timing::{Microseconds, Timing};
use self::xml::{Element, checked};

mod bandwidth;
mod descriptors;
mod timing;
mod xml;

/// File name of the MPD, beside the multivariant playlist.
pub const MPD: &str = "manifest.mpd";

/// What the document keeps to: SegmentTemplate for on demand and live (ISO/IEC 23009-1 8.4), and CMAF (8.12).
const PROFILES: &str = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019";

/// Name of a segment by its number, as [`Segment::file_name`] makes it.
const SEGMENT_TEMPLATE: &str = "seg-$Number%05d$.m4s";

/// The MPD of a package, for [`MPD`] beside its directories.
///
/// Sets stand as [`Presentation::switching_sets`] has them, Representations by rising bandwidth. The audio that HLS makes the
/// default has the role `main` and, among several, the highest `@selectionPriority`; other audio has the role somebody gave it.
/// A player may not switch between sets.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when two audio tracks are the default; when a name or role has a character
/// that XML 1.0 has not (control characters), or a language or codec string is none; when a segment has another name
/// than its number gives it; and when a bit rate passes 32 bits.
pub fn write_mpd(presentation: &Presentation) -> Result<String> {
    let timing = Timing::new(presentation);
    let periods = presentation.periods();
    let starts: Vec<_> = periods.iter().map(|period| timing.start_of(period)).collect();
    let ends = starts.iter().skip(1).copied().chain([timing.duration]);
    let mut elements = Vec::with_capacity(periods.len());
    for ((id, period), (&start, end)) in periods.iter().enumerate().zip(starts.iter().zip(ends)) {
        let duration = Microseconds(end.0.saturating_sub(start.0));
        let element = Element::new("Period").with("id", id).with("start", start).with("duration", duration);
        elements.push(element.containing(adaptation_sets(&period.presentation, &timing.within(period))?));
    }
    let mpd = Element::new("MPD")
        .with("xmlns", "urn:mpeg:dash:schema:mpd:2011")
        .with("profiles", PROFILES)
        .with("type", "static")
        .with("mediaPresentationDuration", timing.duration)
        .with("minBufferTime", timing.longest_segment)
        .with("maxSegmentDuration", timing.longest_segment)
        .containing(elements);
    Ok(mpd.document())
}

/// The sets of one Period.
fn adaptation_sets(presentation: &Presentation, timing: &Timing) -> Result<Vec<Element>> {
    let default = match presentation.default_audio()? {
        Some(index) => presentation.audio_choices().swap_remove(index),
        None => Vec::new(),
    };
    let sets = presentation.switching_sets();
    let audio_sets = sets.iter().filter(|set| !set[0].media().is_video()).count();
    let element = |(tracks, id): (&Vec<&PackagedTrack>, u32)| {
        let is_default = tracks.iter().any(|track| default.contains(track));
        let set = AdaptationSet { id, tracks, is_default, is_preferred: is_default && audio_sets > 1 };
        set.element(timing)
    };
    sets.iter().zip(1u32..).map(element).collect()
}

/// Tracks that a player may switch between.
struct AdaptationSet<'a> {
    id: u32,
    tracks: &'a [&'a PackagedTrack],
    /// It holds the audio to play when the viewer has not chosen.
    is_default: bool,
    /// There is other audio to choose instead.
    is_preferred: bool,
}

impl AdaptationSet<'_> {
    fn element(&self, timing: &Timing) -> Result<Element> {
        let is_video = self.tracks[0].media().is_video();
        let mut representations = Vec::new();
        for track in self.tracks {
            let bandwidth = bandwidth::bandwidth(track, timing.longest_segment)?;
            representations.push(Representation { track, bandwidth, set: self });
        }
        representations.sort_by_key(|each| (each.bandwidth, each.track.directory()));
        let representations =
            representations.iter().map(|each| each.element(timing)).collect::<Result<Vec<_>>>()?;
        let attributes = Element::new("AdaptationSet")
            .with("id", self.id)
            .with("contentType", if is_video { "video" } else { "audio" })
            .with("mimeType", if is_video { "video/mp4" } else { "audio/mp4" })
            .with_known("lang", self.language()?);
        Ok(self
            .with_limits(attributes)
            // The structural brand of every CMAF header (ISO/IEC 23000-19 7.2).
            .with("containerProfiles", "cmfc")
            .with("segmentAlignment", timing::start_together(self.tracks))
            // Segments start with a SAP of at most this type. Cuts are at sync samples, of type 1 or, where pictures that are
            // presented before them are decodable, 2.
            .with("startWithSAP", if is_video { 2 } else { 1 })
            .with_known("selectionPriority", self.is_preferred.then_some(2))
            .containing(self.common_colour().unwrap_or_default())
            .containing(label(self.common_name())?)
            .containing(descriptors::accessibility(self.tracks))
            .containing(descriptors::roles(self.tracks, self.is_default)?)
            .containing(representations))
    }

    /// `@lang`: an `xs:language`, as every BCP 47 tag is.
    fn language(&self) -> Result<Option<&str>> {
        let language = common(self.tracks, |track| track.language()).flatten();
        let is_subtag =
            |part: &str| matches!(part.len(), 1..=8) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_tag = |tag: &str| {
            tag.split('-').all(is_subtag)
                && tag.bytes().take_while(|b| *b != b'-').all(|b| b.is_ascii_alphabetic())
        };
        match language.filter(|tag| !is_tag(tag)) {
            Some(bad) => Err(Error::conflict(
                format!("the language '{}' is not a BCP 47 tag", bad.escape_debug()),
                "give one such as en or pt-BR",
            )),
            None => Ok(language),
        }
    }

    /// The same with what no picture of the set exceeds, and the shape that all are shown in, where it is known.
    fn with_limits(&self, element: Element) -> Element {
        let sizes = self.tracks.iter().map(|track| size(track)).collect::<Option<Vec<_>>>();
        let rates = self.tracks.iter().map(|track| frame_rate(track)).collect::<Option<Vec<_>>>();
        let faster = |a: &FrameRate, b: &FrameRate| {
            let product = |n: u32, d: u32| u64::from(n) * u64::from(d);
            product(a.numerator(), b.denominator()).cmp(&product(b.numerator(), a.denominator()))
        };
        let largest =
            |side: fn(&(u16, u16)) -> u16| sizes.as_deref().and_then(|all| all.iter().map(side).max());
        element
            .with_known("par", common(self.tracks, picture_aspect_ratio).flatten())
            .with_known("maxWidth", largest(|size| size.0))
            .with_known("maxHeight", largest(|size| size.1))
            .with_known("maxFrameRate", rates.and_then(|all| all.into_iter().max_by(faster)))
    }

    /// The colour descriptors of the set; `None` where its tracks have each their own.
    fn common_colour(&self) -> Option<Vec<Element>> {
        common(self.tracks, descriptors::colour_of).map(descriptors::colour)
    }

    /// The name of all tracks; `None` where they have each their own.
    fn common_name(&self) -> Option<&str> {
        common(self.tracks, |track| track.name()).flatten()
    }
}

/// One track.
struct Representation<'a> {
    track: &'a PackagedTrack,
    bandwidth: u32,
    set: &'a AdaptationSet<'a>,
}

impl Representation<'_> {
    fn element(&self, timing: &Timing) -> Result<Element> {
        let track = self.track;
        let size = size(track);
        let own_name = if self.set.common_name().is_none() { track.name() } else { None };
        let own_colour = match self.set.common_colour() {
            Some(_) => Vec::new(),
            None => descriptors::colour(descriptors::colour_of(track)),
        };
        let sampling_rate = match *track.media() {
            Media::Audio { sample_rate, .. } => Some(sample_rate),
            Media::Video { .. } => None,
        };
        Ok(Element::new("Representation")
            // The directory is its own alone (`Presentation::new`), and has no white space.
            .with("id", track.directory())
            .with("codecs", codecs(track)?)
            .with("bandwidth", self.bandwidth)
            .with_known("width", size.map(|size| size.0))
            .with_known("height", size.map(|size| size.1))
            .with_known("sar", sample_aspect_ratio(track))
            .with_known("frameRate", frame_rate(track))
            .with_known("audioSamplingRate", sampling_rate)
            .with_known("scanType", descriptors::scan_type(track))
            .containing(descriptors::channel_configuration(track))
            .containing(descriptors::joint_object_coding(track))
            .containing(own_colour)
            .containing(label(own_name)?)
            .containing([segment_template(track, timing)?]))
    }
}

/// Addresses and times of all segments. Names are templates with the directory spelt out, for a player need not take a
/// slash in `$RepresentationID$`.
fn segment_template(track: &PackagedTrack, timing: &Timing) -> Result<Element> {
    let directory = track.directory();
    for segment in track.segments() {
        let name = Segment::file_name(segment.number);
        if segment.uri != name {
            return Err(Error::conflict(
                format!("{directory}: segment {} is in {}", segment.number, segment.uri),
                format!("name it {name}, as the template of the MPD does"),
            ));
        }
    }
    let offset = timing.offset(track);
    Ok(Element::new("SegmentTemplate")
        .with("timescale", track.timescale())
        .with_known("presentationTimeOffset", (offset > 0).then_some(offset))
        .with_known("startNumber", track.segments().first().map(|segment| segment.number))
        .with("initialization", format!("{directory}/{}", track.init()))
        .with("media", format!("{directory}/{SEGMENT_TEMPLATE}"))
        .containing([segment_timeline(track)?]))
}

/// An `S` for each run of segments that last as long; the first says when it starts, the others start where the one before ends.
///
/// # Errors
/// Where a segment is not presented at all, which `S` cannot say.
fn segment_timeline(track: &PackagedTrack) -> Result<Element> {
    let duration = |segment: &Segment| timing::presented_duration(track, segment);
    if let Some(silent) = track.segments().iter().find(|segment| duration(segment) == 0) {
        return Err(Error::conflict(
            format!(
                "{}: segment {} has nothing but priming ({} samples)",
                track.directory(),
                silent.number,
                track.priming().0
            ),
            "cut behind the priming",
        ));
    }
    let runs = track.segments().chunk_by(|a, b| duration(a) == duration(b));
    let s = runs.enumerate().map(|(index, run)| {
        let start = (index == 0).then(|| track.presented(&run[0]).start);
        let repeats = run.len() - 1;
        Element::new("S")
            .with_known("t", start)
            .with("d", duration(&run[0]))
            .with_known("r", (repeats > 0).then_some(repeats))
    });
    Ok(Element::new("SegmentTimeline").containing(s))
}

fn label(name: Option<&str>) -> Result<Option<Element>> {
    name.map(|name| Ok(Element::new("Label").saying(checked("name", name)?))).transpose()
}

/// `@codecs`: one name of RFC 6381, a token of RFC 2045 as the schema has it.
fn codecs(track: &PackagedTrack) -> Result<&str> {
    let codec = track.codec();
    let in_token = |b: u8| b.is_ascii_alphanumeric() || b"$-_.+^|'`%!*#\\~&".contains(&b);
    if codec.bytes().all(in_token) {
        return Ok(codec);
    }
    Err(Error::conflict(
        format!("{}: '{codec}' is not a codec string", track.directory()),
        "give one such as avc1.64001f or mp4a.40.2",
    ))
}

/// Width and height as coded, after cropping; `None` where they are not known.
fn size(track: &PackagedTrack) -> Option<(u16, u16)> {
    match track.media() {
        Media::Video { format, .. } if format.width > 0 && format.height > 0 => {
            Some((format.width, format.height))
        }
        _ => None,
    }
}

/// `@frameRate`: the average where it varies (ISO/IEC 23009-1 5.3.7.2, not opened).
fn frame_rate(track: &PackagedTrack) -> Option<FrameRate> {
    match track.media() {
        Media::Video { frame_rate, .. } => track.average_frame_rate().or(*frame_rate),
        Media::Audio { .. } => None,
    }
}

/// `@sar`, reduced; `None` where the bitstream does not say.
fn sample_aspect_ratio(track: &PackagedTrack) -> Option<String> {
    let Media::Video { format, .. } = track.media() else { return None };
    let ratio = format.sample_aspect_ratio?;
    Some(reduced(ratio.horizontal.into(), ratio.vertical.into()))
}

/// `@par`: the shape of the picture as shown; `None` where it is not known.
fn picture_aspect_ratio(track: &PackagedTrack) -> Option<String> {
    let Media::Video { format, .. } = track.media() else { return None };
    let ((width, height), ratio) = (size(track)?, format.sample_aspect_ratio?);
    let product = |a: u16, b: u16| u64::from(a) * u64::from(b);
    Some(reduced(product(width, ratio.horizontal), product(height, ratio.vertical)))
}

fn reduced(a: u64, b: u64) -> String {
    let divisor = gcd(a, b);
    format!("{}:{}", a / divisor, b / divisor)
}

/// What all tracks of a set have in common; `None` where they differ.
fn common<'a, T: PartialEq>(
    tracks: &[&'a PackagedTrack],
    value: impl Fn(&'a PackagedTrack) -> T,
) -> Option<T> {
    let (first, others) = tracks.split_first()?;
    let first = value(first);
    others.iter().all(|other| value(other) == first).then_some(first)
}

#[cfg(test)]
mod tests;
