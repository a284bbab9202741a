//! Presentation ► HLS playlists: a multivariant playlist and one media playlist for each track, as RFC 8216
//! and its second edition (draft-pantos-hls-rfc8216bis-22, here 8216bis) define them. Lines end with LF;
//! equal input gives equal bytes. On demand only: complete lists that do not change.

use std::collections::HashSet;
use std::fmt::Write;

use crate::codec::Colour;
use crate::error::{Error, Result};
use crate::presentation::{BitRate, Media, PackagedTrack, Presentation};
use crate::time::FrameRate;

/// File name of a media playlist, beside its track's segments.
pub const MEDIA_PLAYLIST: &str = "playlist.m3u8";

/// EXT-X-VERSION: a media playlist with EXT-X-MAP that does not list I-frames alone needs 6 (8216bis section 8). The
/// multivariant playlist needs less by itself, but a client that cannot play its media playlists had better know.
const VERSION: u32 = 6;

/// The one group of audio renditions.
const AUDIO_GROUP: &str = "audio";

const MICROSECONDS: u64 = 1_000_000;

/// EXT-X-TARGETDURATION for all media playlists of a presentation, in seconds: the largest EXTINF of any, rounded to
/// nearest, half up, and at least 1 (8216bis 4.4.3.1). One value for all, which BANDWIDTH is measured by too.
pub fn target_duration(presentation: &Presentation) -> u64 {
    let longest = presentation.tracks().flat_map(PackagedTrack::rounded_durations).max().unwrap_or(0);
    (longest / MICROSECONDS + u64::from(longest % MICROSECONDS >= MICROSECONDS / 2)).max(1)
}

/// The media playlist of one track, for [`MEDIA_PLAYLIST`] in its directory. `target_duration` in seconds is that of the
/// whole presentation ([`target_duration`]).
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) for a track without segments, or with one that is longer than
/// the target duration allows.
pub fn write_media(track: &PackagedTrack, target_duration: u64) -> Result<String> {
    let Some(first) = track.segments().first() else {
        return Err(Error::conflict(
            format!("{}: a track without segments", track.directory()),
            "leave it out",
        ));
    };
    let mut text = header();
    line(&mut text, format_args!("#EXT-X-TARGETDURATION:{target_duration}"));
    line(&mut text, format_args!("#EXT-X-MEDIA-SEQUENCE:{}", first.number));
    line(&mut text, format_args!("#EXT-X-PLAYLIST-TYPE:VOD"));
    line(&mut text, format_args!("#EXT-X-MAP:URI=\"{}\"", track.init()));
    for (segment, duration) in track.segments().iter().zip(track.rounded_durations()) {
        let (seconds, rest) = (duration / MICROSECONDS, duration % MICROSECONDS);
        if seconds + u64::from(rest >= MICROSECONDS / 2) > target_duration {
            return Err(Error::conflict(
                format!(
                    "{}: segment {} lasts {seconds}.{rest:06} s, more than the target duration of {target_duration} s",
                    track.directory(),
                    segment.number
                ),
                "take the target duration of the whole presentation",
            ));
        }
        line(&mut text, format_args!("#EXTINF:{seconds}.{rest:06},"));
        line(&mut text, format_args!("{}", segment.uri));
    }
    line(&mut text, format_args!("#EXT-X-ENDLIST"));
    Ok(text)
}

/// The multivariant playlist. Video renditions are its variants, by rising BANDWIDTH, and all audio is one group to
/// choose from. Audio alone is a ladder of variants where [`Presentation::is_audio_ladder`] says so; otherwise a group and
/// one variant.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when two audio tracks of a group are the default, and when a
/// name or language has a character that no playlist can hold (quotation marks, control characters).
pub fn write_master(presentation: &Presentation) -> Result<String> {
    let target_duration = target_duration(presentation);
    let mut text = header();
    // Every segment starts with a sync sample. It holds for the media playlists, which should not say so again
    // (draft-pantos-hls-rfc8216bis-22 4.4.2.1).
    line(&mut text, format_args!("#EXT-X-INDEPENDENT-SEGMENTS"));
    let audio = presentation.audio();
    let group = if presentation.is_audio_ladder() { &[] } else { audio };
    let default = default_of(group)?;
    write_group(&mut text, group, default)?;
    let carriers = match (presentation.video(), default) {
        ([], Some(default)) => std::slice::from_ref(&group[default]),
        ([], None) => audio,
        (video, _) => video,
    };
    let mut variants: Vec<_> =
        carriers.iter().map(|track| Variant::new(track, group, target_duration)).collect();
    variants.sort_by_key(|variant| (variant.bandwidth, variant.track.directory()));
    variants.iter().for_each(|variant| variant.write(&mut text));
    Ok(text)
}

/// What both kinds of playlist start with.
fn header() -> String {
    format!("#EXTM3U\n#EXT-X-VERSION:{VERSION}\n")
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    text.write_fmt(content).expect("writing to a string does not fail");
    text.push('\n');
}

/// Index of the one member that is DEFAULT=YES: the one that was said to be, else the first.
fn default_of(group: &[PackagedTrack]) -> Result<Option<usize>> {
    let mut chosen = group.iter().enumerate().filter(|(_, track)| track.is_default());
    match (chosen.next(), chosen.next()) {
        (Some((_, first)), Some((_, second))) => Err(Error::conflict(
            format!("both {} and {} are the default audio", first.directory(), second.directory()),
            "make one of them the default",
        )),
        (Some((index, _)), None) => Ok(Some(index)),
        (None, _) => Ok((!group.is_empty()).then_some(0)),
    }
}

/// EXT-X-MEDIA for each member, in order (8216bis 4.4.6.1). Members with AUTOSELECT=YES must be told apart by language
/// and characteristics (4.4.6.1.1): the default is YES, and of the others each that no YES before it equals.
fn write_group(text: &mut String, group: &[PackagedTrack], default: Option<usize>) -> Result<()> {
    let selector =
        |track: &PackagedTrack| (track.language().map(str::to_ascii_lowercase), characteristics(track));
    let mut selectors: HashSet<_> = default.map(|index| selector(&group[index])).into_iter().collect();
    let mut names = HashSet::new();
    for (index, track) in group.iter().enumerate() {
        let is_default = default == Some(index);
        let autoselect = is_default || selectors.insert(selector(track));
        let mut attributes = format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{AUDIO_GROUP}\"");
        let mut attribute = |name: &str, value: &str| {
            write!(attributes, ",{name}={value}").expect("writing to a string does not fail");
        };
        if let Some(language) = track.language() {
            attribute("LANGUAGE", &quoted("language", language)?);
        }
        attribute("NAME", &quoted("name", &unique_name(track, &mut names))?);
        attribute("DEFAULT", yes_no(is_default));
        attribute("AUTOSELECT", yes_no(autoselect));
        if let Some(characteristics) = characteristics(track) {
            attribute("CHARACTERISTICS", &format!("\"{characteristics}\""));
        }
        if let Media::Audio { channels, .. } = track.media() {
            attribute("CHANNELS", &format!("\"{channels}\""));
        }
        attribute("URI", &format!("\"{}/{MEDIA_PLAYLIST}\"", track.directory()));
        line(text, format_args!("{attributes}"));
    }
    Ok(())
}

/// The role that HLS has a word for (8216bis 4.4.6.1, CHARACTERISTICS).
fn characteristics(track: &PackagedTrack) -> Option<&'static str> {
    (track.role() == Some("description")).then_some("public.accessibility.describes-video")
}

/// NAME: what a person gave, else the language, else the last part of the directory; numbered where it is taken, since
/// names within a group must differ (8216bis 4.4.6.1.1).
fn unique_name(track: &PackagedTrack, taken: &mut HashSet<String>) -> String {
    let directory = track.directory();
    let last = directory.rsplit('/').next().unwrap_or(directory);
    let base = track.name().or(track.language()).unwrap_or(last);
    std::iter::once(base.to_owned())
        .chain((2u64..).map(|n| format!("{base} ({n})")))
        .find(|name| taken.insert(name.clone()))
        .expect("one of endless numbers is free")
}

/// A quoted string: not empty, no line feed, carriage return or quotation mark (8216bis 4.2), nor any other control
/// character, nor what starts a variable reference. There is no way to escape them, so they are refused.
fn quoted(what: &str, value: &str) -> Result<String> {
    let unfit = |c: char| c == '"' || c.is_control();
    if value.is_empty() || value.contains(unfit) || value.contains("{$") {
        return Err(Error::conflict(
            format!("the {what} '{}' cannot stand in a playlist", value.escape_debug()),
            "leave out quotation marks (\u{201c} and \u{201d} are fine), control characters and {$",
        ));
    }
    Ok(format!("\"{value}\""))
}

const fn yes_no(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}

/// One EXT-X-STREAM-INF (8216bis 4.4.6.2).
struct Variant<'a> {
    track: &'a PackagedTrack,
    bandwidth: u64,
    average_bandwidth: u64,
    codecs: String,
    has_group: bool,
}

impl<'a> Variant<'a> {
    /// BANDWIDTH and AVERAGE-BANDWIDTH are those of the most demanding combination that can be played: `track` with one
    /// member of `group`, or a member alone where `track` is audio itself.
    fn new(track: &'a PackagedTrack, group: &[PackagedTrack], target_duration: u64) -> Self {
        let is_member = !track.media().is_video();
        let bandwidth = |rate: &dyn Fn(&PackagedTrack) -> BitRate| {
            let of_group = group.iter().map(rate).max().unwrap_or(BitRate::ZERO);
            if is_member { rate(track).max(of_group).ceil() } else { rate(track).ceil_of_sum(of_group) }
        };
        let mut codecs = vec![track.codec()];
        for member in group {
            if !codecs.contains(&member.codec()) {
                codecs.push(member.codec());
            }
        }
        Self {
            track,
            bandwidth: bandwidth(&|track| track.peak_bit_rate(target_duration)),
            average_bandwidth: bandwidth(&PackagedTrack::average_bit_rate),
            codecs: codecs.join(","),
            has_group: !group.is_empty(),
        }
    }

    fn write(&self, text: &mut String) {
        let mut attributes = format!(
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"",
            self.bandwidth, self.average_bandwidth, self.codecs
        );
        if let Media::Video { format, frame_rate, .. } = self.track.media() {
            let (width, height) = format.display_size();
            attributes += &format!(",RESOLUTION={width}x{height}");
            if let Some(rate) = frame_rate.and_then(three_decimals) {
                attributes += &format!(",FRAME-RATE={rate}");
            }
            attributes += &format!(",VIDEO-RANGE={}", video_range(format.colour));
        }
        if self.has_group {
            attributes += &format!(",AUDIO=\"{AUDIO_GROUP}\"");
        }
        line(text, format_args!("{attributes}\n{}/{MEDIA_PLAYLIST}", self.track.directory()));
    }
}

/// Pictures per second, rounded to three decimals, half up; `None` where that is 0, which would say that nothing moves.
fn three_decimals(rate: FrameRate) -> Option<String> {
    let (numerator, denominator) = (u64::from(rate.numerator()), u64::from(rate.denominator()));
    let thousandths = (2000 * numerator + denominator) / (2 * denominator);
    (thousandths > 0).then(|| format!("{}.{:03}", thousandths / 1000, thousandths % 1000))
}

/// VIDEO-RANGE by `transfer_characteristics`: 16 is PQ, 18 HLG; anything else, and the unknown, is what a playlist without
/// the attribute means too.
pub(crate) fn video_range(colour: Option<Colour>) -> &'static str {
    match colour.map(|colour| colour.transfer) {
        Some(16) => "PQ",
        Some(18) => "HLG",
        _ => "SDR",
    }
}

#[cfg(test)]
mod tests;
