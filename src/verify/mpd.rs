//! An MPD ► a listing (ISO/IEC 23009-1), and what is wrong with it that no media is needed for. Tolerant of what packagers
//! write: templates, timelines, lists, indexes and single files, inherited from sets and periods.
//!
//! | module | idea |
//! |---|---|
//! | `xml`, `value` | text ► elements; attributes ► numbers, durations, ranges |
//! | `report` | findings, each once, and how much is read |
//! | `presentation` | periods, adaptation sets, representations |
//! | `claims` | what a representation says of itself |
//! | `media` | its init segment and segments; `template`, `sequence`, `index`: their names, times and ranges |

#[cfg(test)]
pub(in crate::verify) mod broken;
mod claims;
mod index;
mod media;
mod presentation;
mod report;
mod sequence;
mod template;
#[cfg(test)]
mod tests;
mod value;
mod xml;

use super::Files;
use super::findings::Findings;
use super::listing::{Listing, Resource};
use super::rules::declare_rules;

declare_rules! {
    MPD_SYNTAX: Error "mpd-syntax", "ISO/IEC 23009-1 5.2 (not opened)",
        "an MPD is well-formed XML in UTF-8 with the root MPD";
    MPD_NAMESPACE: Warning "mpd-namespace", "schema DASH-MPD.xsd, ISO/IEC 23009-1 5.2 (not opened)",
        "the elements of an MPD are in the namespace urn:mpeg:dash:schema:mpd:2011";
    MPD_SIZE: Error "mpd-size", "fragmint: what is read of an MPD is bounded",
        "an MPD has no more elements, segments and names than can be read";
    MPD_REQUIRED: Error "mpd-required", "schema DASH-MPD.xsd, ISO/IEC 23009-1 5.3 (not opened)",
        "the attributes that have to be there are there: profiles, minBufferTime, id, bandwidth, mimeType";
    MPD_CODECS: Warning "mpd-codecs", "DASH-IF IOP, ISO/IEC 23009-1 5.3.7 (not opened)",
        "a representation of video or audio has codecs, by which players choose";
    MPD_ATTRIBUTE: Error "mpd-attribute", "schema DASH-MPD.xsd, ISO/IEC 23009-1 5.3 (not opened)",
        "numbers, fractions, booleans and byte ranges are written as the schema says";
    MPD_TYPE: Warning "mpd-type", "ISO/IEC 23009-1 5.3.1 (not opened)",
        "a finished package has a static MPD: a dynamic one may name what is gone or to come";
    MPD_DURATION: Error "mpd-duration", "ISO/IEC 23009-1 5.3.1, 5.3.2 (not opened)",
        "durations are well-formed, and a static MPD tells how long each period is";
    MPD_ID: Error "mpd-id", "ISO/IEC 23009-1 5.3.2, 5.3.3, 5.3.5 (not opened)",
        "no two periods, adaptation sets of a period or representations of a period have one id";
    MPD_TIMELINE: Error "mpd-timeline", "ISO/IEC 23009-1 5.3.9.6 (not opened)",
        "the segments of a timeline have durations and do not overlap";
    MPD_TIMELINE_GAP: Warning "mpd-timeline-gap", "ISO/IEC 23009-1 5.3.9.6 (not opened)",
        "each segment of a timeline starts where the one before it ends";
    MPD_TEMPLATE: Error "mpd-template", "ISO/IEC 23009-1 5.3.9.4 (not opened)",
        "templates have known identifiers, segments have names of their own, and times in one way";
    MPD_INDEX: Error "mpd-index", "ISO/IEC 14496-12 8.16.3, ISO/IEC 23009-1 5.3.9.2 (not opened)",
        "the index of a file is where the MPD says, and refers to bytes that are there";
    MPD_EMPTY: Error "mpd-empty", "ISO/IEC 23009-1 5.3.1, 5.3.9 (not opened)",
        "an MPD has a period, representations, and segments of each";
}

/// Reads the MPD `path`. `None` if it is none, which is in `findings` then.
pub(super) fn read(files: &dyn Files, path: &str, findings: &mut Findings) -> Option<Listing> {
    let source = super::open(files, path, findings)?;
    let whole = Resource { path: path.to_owned(), range: None };
    let bytes = super::read_small(path, &*source, &whole, findings)?;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) => {
            let offset = error.valid_up_to() as u64;
            findings.add(&MPD_SYNTAX, path, Some(offset), "the text is not UTF-8");
            return None;
        }
    };
    let root = match xml::parse(text) {
        Ok(root) => root,
        Err(broken) => {
            let rule = if broken.is_too_large { &MPD_SIZE } else { &MPD_SYNTAX };
            findings.add(rule, path, Some(broken.offset), broken.message);
            return None;
        }
    };
    if root.name != "MPD" {
        let name: String = root.name.chars().take(60).collect();
        findings.add(&MPD_SYNTAX, path, Some(root.offset), format!("the root element is {name}, not MPD"));
        return None;
    }
    Some(presentation::read(files, path, &root, findings))
}
