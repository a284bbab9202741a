//! Playlists ► listings (RFC 8216, draft-pantos-hls-rfc8216bis), with the rules of playlists that need no media.
//!
//! | module | idea |
//! |---|---|
//! | `lines` | bytes ► tags and URIs |
//! | `attributes` | an attribute list ► values of the types of RFC 8216 4.2 |
//! | `version` | what a playlist uses against the version that it says |
//! | `media` | a media playlist ► a track |
//! | `multivariant` | a multivariant playlist ► variants, and what it names ► tracks |
//!
//! What breaks a rule is read on as players do, where it can be told what was meant.

use super::Files;
use super::findings::Findings;
use super::listing::{ListedTrack, Listing, Resource};
use super::rules::declare_rules;

mod attributes;
#[cfg(test)]
pub(in crate::verify) mod broken;
mod lines;
mod media;
mod multivariant;
#[cfg(test)]
mod tests;
mod version;

declare_rules! {
    HLS_SYNTAX: Error "hls-syntax", "RFC 8216 4.1 (not opened)",
        "a playlist is UTF-8 text that starts with EXTM3U, is either multivariant or of media, and has a URI where a tag needs one";
    HLS_VERSION: Error "hls-version", "RFC 8216 4.3.1.2, 7",
        "EXT-X-VERSION stands at most once and is as high as what the playlist uses needs";
    HLS_ATTRIBUTE: Error "hls-attribute", "RFC 8216 4.2",
        "an attribute list has well-formed values of the right types, each name once, and the attributes that its tag requires";
    HLS_VARIABLES: Warning "hls-variables", "draft-pantos-hls-rfc8216bis 4.4.2.3 (not opened)",
        "no variables: they are not substituted here, and what uses them is not checked";
    HLS_TARGET_DURATION: Error "hls-target-duration", "RFC 8216 4.3.3.1",
        "EXT-X-TARGETDURATION stands once, and no EXTINF rounded to the nearest integer is more";
    HLS_EXTINF: Error "hls-extinf", "RFC 8216 4.3.2.1",
        "each segment has one EXTINF with a comma behind a duration in decimal seconds, which is above 0 unless it is rounded";
    HLS_BYTE_RANGE: Error "hls-byte-range", "RFC 8216 4.3.2.2",
        "a byte range has a length, and an offset unless the segment before it is a range of the same file";
    HLS_MAP: Error "hls-map", "RFC 8216 3.3",
        "each segment of fragmented MP4 has an EXT-X-MAP";
    HLS_MEDIA_SEQUENCE: Error "hls-media-sequence", "RFC 8216 4.3.3.2, 4.3.3.3",
        "EXT-X-MEDIA-SEQUENCE and EXT-X-DISCONTINUITY-SEQUENCE are integers that stand once, before the first segment";
    HLS_PLAYLIST_TYPE: Warning "hls-playlist-type", "RFC 8216 4.3.3.5",
        "EXT-X-PLAYLIST-TYPE stands at most once and is VOD or EVENT";
    HLS_END: Warning "hls-end", "RFC 8216 4.3.3.4",
        "a playlist that is finished has EXT-X-ENDLIST";
    HLS_EMPTY: Error "hls-empty", "RFC 8216 4.1 (not opened)",
        "a media playlist has segments, a multivariant playlist variants";
    HLS_GROUP: Error "hls-group", "RFC 8216 4.3.4.1, 4.3.4.2",
        "the groups that variants name exist, and their members have what they need, names of their own and one default at most";
    HLS_BANDWIDTH_MISSING: Error "hls-bandwidth-missing", "RFC 8216 4.3.4.2",
        "each variant has BANDWIDTH";
    HLS_CODECS_MISSING: Warning "hls-codecs-missing", "RFC 8216 4.3.4.2",
        "each variant has CODECS";
}

/// Reads the playlist `path`, multivariant or media, with those that it names. `None` if it is none.
pub(super) fn read(files: &dyn Files, path: &str, findings: &mut Findings) -> Option<Listing> {
    let bytes = bytes_of(files, path, findings)?;
    if !lines::check(path, &bytes, findings) {
        return None;
    }
    if lines::is_multivariant(path, &bytes, findings) {
        return Some(multivariant::read(files, path, &bytes, findings));
    }
    let mut listing = Listing { file: path.to_owned(), ..Listing::default() };
    let media = media::read(files, path, &bytes, findings);
    listing.not_checked = media.not_checked.into_iter().collect();
    listing.tracks.push(media.track);
    Some(listing)
}

/// Reads the media playlist `path` that a multivariant playlist names. A track without segments if it cannot be read.
fn read_media(files: &dyn Files, path: &str, findings: &mut Findings) -> media::Media {
    let unread = || {
        media::Media::of(ListedTrack {
            name: path.to_owned(),
            file: path.to_owned(),
            is_live: false,
            ..ListedTrack::default()
        })
    };
    let Some(bytes) = bytes_of(files, path, findings) else { return unread() };
    if !lines::check(path, &bytes, findings) {
        return unread();
    }
    if lines::is_multivariant(path, &bytes, findings) {
        findings.add(&HLS_SYNTAX, path, None, "a multivariant playlist stands where another names media");
        return unread();
    }
    media::read(files, path, &bytes, findings)
}

fn bytes_of(files: &dyn Files, path: &str, findings: &mut Findings) -> Option<Vec<u8>> {
    let source = super::open(files, path, findings)?;
    let whole = Resource { path: path.to_owned(), range: None };
    super::read_small(path, &*source, &whole, findings)
}

/// The start of a text, for messages.
fn short(text: &str) -> String {
    const KEPT: usize = 60;
    match text.char_indices().nth(KEPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
