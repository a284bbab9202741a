//! The bytes of a playlist ► its tags and URIs, each with its byte offset (RFC 8216 4.1). Comments and blank lines are passed
//! over; a line that is no UTF-8 is a finding and is passed over too.

use super::{HLS_SYNTAX, short};
use crate::verify::findings::Findings;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// The name of a tag without `#`, and what follows its colon; empty without one.
    Tag(&'a str, &'a str),
    /// A URI line.
    Uri(&'a str),
}

/// The tags and URIs of a playlist with the byte offsets of their lines.
pub(super) fn items(bytes: &[u8]) -> impl Iterator<Item = (u64, Item<'_>)> {
    raw_lines(bytes).filter_map(|(offset, line)| {
        let line = std::str::from_utf8(line).ok()?;
        Some((offset, item(line)?))
    })
}

fn item(line: &str) -> Option<Item<'_>> {
    let line = line.trim();
    if let Some(tag) = line.strip_prefix('#') {
        return tag.starts_with("EXT").then(|| {
            let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
            Item::Tag(name, value)
        });
    }
    (!line.is_empty()).then_some(Item::Uri(line))
}

/// Lines without their ends, with their offsets; a byte order mark is no part of the first.
fn raw_lines(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut at = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..len];
        let offset = at as u64;
        at += len + 1;
        Some((offset, line.strip_suffix(b"\r").unwrap_or(line)))
    })
}

/// Checks what holds of the text of any playlist. `false` if it is none at all.
pub(super) fn check(file: &str, bytes: &[u8], findings: &mut Findings) -> bool {
    let mut note = |offset, message: String| findings.add(&HLS_SYNTAX, file, Some(offset), message);
    if bytes.starts_with(BYTE_ORDER_MARK) {
        note(0, "it starts with a byte order mark".to_owned());
    }
    let first = raw_lines(bytes).next().map_or(&[][..], |(_, line)| line);
    let starts_well = first.trim_ascii_end() == b"#EXTM3U";
    if !starts_well {
        note(0, "the first line is not #EXTM3U".to_owned());
        if !items(bytes).any(|(_, item)| matches!(item, Item::Tag(..))) {
            return false;
        }
    }
    for (offset, line) in raw_lines(bytes) {
        let Ok(text) = std::str::from_utf8(line) else {
            note(offset, "the line is not UTF-8".to_owned());
            continue;
        };
        // Apple's tools end EXTINF with a tab, which is a control character too.
        if let Some(control) = text.chars().find(|&c| c.is_control() && c != '\t') {
            note(offset, format!("the line has the control character U+{:04X}", u32::from(control)));
        }
        let is_item = item(text).is_some() && !text.starts_with("#EXTINF");
        if is_item && text.trim() != text {
            note(offset, format!("the line starts or ends with white space: {}", short(text.trim())));
        }
    }
    true
}

/// Whether a playlist is a multivariant playlist, by its tags; a finding if it has tags of both kinds.
pub(super) fn is_multivariant(file: &str, bytes: &[u8], findings: &mut Findings) -> bool {
    let first = |names: &[&str]| {
        items(bytes).find_map(|(offset, item)| match item {
            Item::Tag(name, _) if names.contains(&name) => Some((offset, name)),
            _ => None,
        })
    };
    let multivariant = first(&[
        "EXT-X-STREAM-INF",
        "EXT-X-MEDIA",
        "EXT-X-I-FRAME-STREAM-INF",
        "EXT-X-SESSION-DATA",
        "EXT-X-SESSION-KEY",
    ]);
    let media =
        first(&["EXTINF", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-MAP", "EXT-X-BYTERANGE"]);
    if let (Some((_, one)), Some((offset, other))) = (multivariant, media) {
        let message = format!("it has {other} of media playlists and {one} of multivariant playlists");
        findings.add(&HLS_SYNTAX, file, Some(offset), message);
    }
    multivariant.is_some()
}
