//! What breaks each rule of an MPD in the sample package.

use crate::verify::testing::{Break, LARGE, Memory};

const MPD: &str = "manifest.mpd";

/// Edits the MPD as text.
fn edit(files: &mut Memory, with: impl FnOnce(&str) -> String) {
    let bytes = files.bytes(MPD);
    let text = String::from_utf8(bytes.clone()).unwrap();
    let edited = with(&text);
    assert_ne!(edited, text);
    *bytes = edited.into_bytes();
}

/// Gives an attribute of the first element `name` another name, which nobody reads.
fn hide(files: &mut Memory, name: &str, attribute: &str) {
    edit(files, |text| {
        let start = text.find(&format!("<{name} ")).unwrap();
        let at = start + text[start..].find(&format!(" {attribute}=")).unwrap() + 1;
        format!("{}x-{}", &text[..at], &text[at..])
    });
}

/// One for each rule.
pub(in crate::verify) const BROKEN: &[Break] = &[
    ("mpd-syntax", |files| files.replace(MPD, "</MPD>", "</MPB>")),
    ("mpd-namespace", |files| files.replace(MPD, "schema:mpd:2011", "schema:mpd:1998")),
    ("mpd-size", |files| {
        edit(files, |text| {
            let (before, rest) = text.split_once("<S ").unwrap();
            let (_, after) = rest.split_once("/>").unwrap();
            format!("{before}<S t=\"0\" d=\"1\" r=\"4000000000\"/>{after}")
        });
    }),
    ("mpd-required", |files| hide(files, "Representation", "bandwidth")),
    ("mpd-codecs", |files| hide(files, "Representation", "codecs")),
    ("mpd-attribute", |files| files.replace(MPD, "frameRate=\"", "frameRate=\"x")),
    ("mpd-type", |files| files.replace(MPD, "type=\"static\"", "type=\"dynamic\"")),
    ("mpd-duration", |files| {
        files.replace(MPD, "mediaPresentationDuration=\"P", "mediaPresentationDuration=\"");
    }),
    ("mpd-id", |files| {
        edit(files, |text| {
            let id = |text: &str| text.split_once("id=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
            let mut representations = text.match_indices("<Representation ").map(|(at, _)| id(&text[at..]));
            let (first, second) = (representations.next().unwrap(), representations.next().unwrap());
            text.replacen(&format!("id=\"{second}\""), &format!("id=\"{first}\""), 1)
        });
    }),
    ("mpd-timeline", |files| edit(files, |text| text.replacen(" d=\"", " x-d=\"", 1))),
    ("mpd-timeline-gap", |files| {
        edit(files, |text| {
            text.replacen("</SegmentTimeline>", "<S t=\"99999999\" d=\"1\"/></SegmentTimeline>", 1)
        });
    }),
    ("mpd-template", |files| files.replace(MPD, "$Number", "$Nummer")),
    ("mpd-index", |files| {
        let base = format!("<BaseURL>{LARGE}/seg-00003.m4s</BaseURL><SegmentBase indexRange=\"0-99\"/>");
        edit(files, |text| {
            let (before, rest) = text.split_once("<SegmentTemplate ").unwrap();
            let (_, after) = rest.split_once("</SegmentTemplate>").unwrap();
            format!("{before}{base}{after}")
        });
    }),
    ("mpd-empty", |files| {
        edit(files, |text| {
            let (before, rest) = text.split_once("<Period").unwrap();
            format!("{before}{}", rest.split_once("</Period>").unwrap().1)
        });
    }),
];
