//! Presentation ► HLS playlists: a multivariant playlist and one media playlist for each track, as RFC 8216
//! and its second edition (draft-pantos-hls-rfc8216bis-22, here 8216bis) define them. Lines end with LF;
//! equal input gives equal bytes. On demand only: complete lists that do not change.

mod groups;

use std::fmt::Write;

use self::groups::{Group, Groups};
use crate::codec::{VideoFormat, VideoRange};
use crate::error::{Error, Result};
use crate::presentation::{BitRate, Media, PackagedTrack, Presentation};
use crate::time::FrameRate;

/// File name of a media playlist, beside its track's segments.
pub const MEDIA_PLAYLIST: &str = "playlist.m3u8";

/// File name of the multivariant playlist, at the top.
pub const MASTER_PLAYLIST: &str = "master.m3u8";

/// EXT-X-VERSION: a media playlist with EXT-X-MAP that does not list I-frames alone needs 6 (8216bis section 8). The
/// multivariant playlist needs less by itself, but a client that cannot play its media playlists had better know.
const VERSION: u32 = 6;

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
    for (index, (segment, duration)) in track.segments().iter().zip(track.rounded_durations()).enumerate() {
        if let Some(change) = track.change_at(index) {
            line(&mut text, format_args!("#EXT-X-DISCONTINUITY"));
            line(&mut text, format_args!("#EXT-X-MAP:URI=\"{}\"", change.init));
        }
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

/// The multivariant playlist. Each video rendition is a variant with each group of audio; audio alone is a ladder of
/// variants where [`Presentation::is_audio_ladder`] says so, otherwise one variant for each group.
///
/// There is one group for each audio codec and count of channels that choices have in common, `audio` where it is one. A
/// player takes variants by their CODECS and stays among those of its codecs, so variants stand in blocks of one video codec
/// and one group, each by rising BANDWIDTH. H.264 and AAC come first: what starts with the first variant, whatever its CODECS
/// say, starts with what is played everywhere. hls.js (since 1.5), Shaka Player and AVPlayer choose by CODECS.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when two choices of audio are the default, or a description is, and
/// when a name or language has a character that no playlist can hold (quotation marks, control characters).
pub fn write_master(presentation: &Presentation) -> Result<String> {
    let target_duration = target_duration(presentation);
    let mut text = header();
    // Every segment starts with a sync sample. It holds for the media playlists, which should not say so again
    // (draft-pantos-hls-rfc8216bis-22 4.4.2.1).
    line(&mut text, format_args!("#EXT-X-INDEPENDENT-SEGMENTS"));
    let groups = Groups::new(presentation)?;
    groups.write(&mut text)?;
    for block in blocks(presentation, &groups) {
        let Block { tracks, group } = block;
        let mut variants: Vec<_> =
            tracks.into_iter().map(|track| Variant::new(track, group, target_duration)).collect();
        variants.sort_by_key(|variant| (variant.bandwidth, variant.track.directory()));
        variants.iter().for_each(|variant| variant.write(&mut text));
    }
    Ok(text)
}

fn is_standard_range(track: &PackagedTrack) -> bool {
    !matches!(track.media(), Media::Video { format, .. } if format.video_range() != VideoRange::Sdr)
}

/// Variants among which a player switches.
struct Block<'a> {
    tracks: Vec<&'a PackagedTrack>,
    group: Option<&'a Group<'a>>,
}

fn blocks<'a>(presentation: &'a Presentation, groups: &'a Groups<'a>) -> Vec<Block<'a>> {
    let mut sets = presentation.switching_sets();
    sets.retain(|set| set[0].media().is_video());
    sets.sort_by_key(|set| (set[0].codec_family() != "avc", !is_standard_range(set[0])));
    match (sets.is_empty(), groups.groups.is_empty()) {
        (true, true) => vec![Block { tracks: presentation.audio().iter().collect(), group: None }],
        (true, false) => {
            let alone = |group| Block { tracks: vec![groups.default_track(group)], group: Some(group) };
            groups.groups.iter().map(alone).collect()
        }
        (false, true) => sets.into_iter().map(|tracks| Block { tracks, group: None }).collect(),
        (false, false) => sets
            .iter()
            .flat_map(|set| {
                groups.groups.iter().map(|group| Block { tracks: set.clone(), group: Some(group) })
            })
            .collect(),
    }
}

/// What both kinds of playlist start with.
fn header() -> String {
    format!("#EXTM3U\n#EXT-X-VERSION:{VERSION}\n")
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    text.write_fmt(content).expect("writing to a string does not fail");
    text.push('\n');
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
    group: Option<&'a str>,
}

impl<'a> Variant<'a> {
    /// BANDWIDTH and AVERAGE-BANDWIDTH are those of the most demanding combination that can be played: `track` with one
    /// member of `group`, or a member alone where `track` is audio itself.
    fn new(track: &'a PackagedTrack, group: Option<&'a Group<'a>>, target_duration: u64) -> Self {
        let is_member = !track.media().is_video();
        let members = || group.iter().flat_map(|group| group.tracks.iter().copied());
        let bandwidth = |rate: &dyn Fn(&PackagedTrack) -> BitRate| {
            let of_group = members().map(rate).max().unwrap_or(BitRate::ZERO);
            if is_member { rate(track).max(of_group).ceil() } else { rate(track).ceil_of_sum(of_group) }
        };
        // Those of every period (RFC 8216 4.3.4.2: every media sample type of any rendition).
        let mut codecs = Vec::new();
        for codec in std::iter::once(track).chain(members()).flat_map(PackagedTrack::codecs) {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        Self {
            track,
            bandwidth: bandwidth(&|track| track.peak_bit_rate(target_duration)),
            average_bandwidth: bandwidth(&PackagedTrack::average_bit_rate),
            codecs: codecs.join(","),
            group: group.map(|group| group.id.as_str()),
        }
    }

    fn write(&self, text: &mut String) {
        let mut attributes = format!(
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"",
            self.bandwidth, self.average_bandwidth, self.codecs
        );
        if let Some((format, frame_rate)) = most(self.track) {
            let (width, height) = format.display_size();
            attributes += &format!(",RESOLUTION={width}x{height}");
            if let Some(rate) = frame_rate.and_then(three_decimals) {
                attributes += &format!(",FRAME-RATE={rate}");
            }
            attributes += &format!(",VIDEO-RANGE={}", format.video_range());
        }
        if let Some(group) = self.group {
            attributes += &format!(",AUDIO=\"{group}\"");
        }
        line(text, format_args!("{attributes}\n{}/{MEDIA_PLAYLIST}", self.track.directory()));
    }
}

/// What a variant says of its pictures: the format of the period with the largest, and the highest rate of any, for RESOLUTION is
/// what all video of it is best displayed at and FRAME-RATE its maximum (8216bis 4.4.6.2). `None` for audio.
fn most(track: &PackagedTrack) -> Option<(&VideoFormat, Option<FrameRate>)> {
    let video = |media| match media {
        &Media::Video { ref format, frame_rate, .. } => Some((format, frame_rate)),
        Media::Audio { .. } => None,
    };
    let area = |format: &VideoFormat| {
        let (width, height) = format.display_size();
        u64::from(width) * u64::from(height)
    };
    track.all_media().filter_map(video).reduce(|(format, rate), (other, other_rate)| {
        let larger = if area(other) > area(format) { other } else { format };
        let rates = [rate, other_rate].into_iter().flatten();
        (larger, rates.max_by_key(|rate| ordered(*rate)))
    })
}

/// A rate, to be compared: the fraction in parts of 2^-64, of which no two reduced ones of 32 bits share a part.
fn ordered(rate: FrameRate) -> u128 {
    (u128::from(rate.numerator()) << 64) / u128::from(rate.denominator())
}

/// Pictures per second, rounded to three decimals, half up; `None` where that is 0, which would say that nothing moves.
fn three_decimals(rate: FrameRate) -> Option<String> {
    let (numerator, denominator) = (u64::from(rate.numerator()), u64::from(rate.denominator()));
    let thousandths = (2000 * numerator + denominator) / (2 * denominator);
    (thousandths > 0).then(|| format!("{}.{:03}", thousandths / 1000, thousandths % 1000))
}

#[cfg(test)]
mod tests;
