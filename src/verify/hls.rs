//! Playlists ► listings (RFC 8216, draft-pantos-hls-rfc8216bis).

use super::Files;
use super::findings::Findings;
use super::listing::Listing;
use super::rules::declare_rules;

declare_rules! {
    HLS_SYNTAX: Error "hls-syntax", "RFC 8216 4.1",
        "a playlist is UTF-8 text that starts with EXTM3U and has tags as they are defined";
}

/// Reads the playlist `path`, multivariant or media, with those that it names. `None` if it is none.
pub(super) fn read(files: &dyn Files, path: &str, findings: &mut Findings) -> Option<Listing> {
    let _ = (files, path, findings);
    None
}
