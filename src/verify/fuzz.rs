//! What fuzzing asserts of verification: of any files at all, and of a sound package that was damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::Value;

use super::findings::Findings;
use super::testing::Memory;
use super::{Report, named, read_manifest, read_manifests, rules, verify};
use crate::error::{ErrorKind, Result};
use crate::io::input::Input;
use crate::io::publish::RECEIPT;
use crate::package::{InputRequest, Request, run, testing};
use crate::plan::SegmentDuration;

/// A file that is longer after an edit is cut off there: what is behind it finds no more, and takes its time.
const MOST_BYTES: usize = 256 << 10;

/// Edits that are made of one input.
const MOST_EDITS: usize = 64;

/// Verifies files made of `data`, on one thread and on several: the reports are equal and name known rules, files that are there
/// or that a manifest names, and places in them; and what is written as JSON can be read as such.
///
/// The first byte says whether the edits behind it begin with a sound package or with nothing, and which manifest is
/// verified. A sound package without edits has no finding.
#[doc(hidden)]
pub fn fuzz_verify(data: &[u8]) {
    let mut source = Source(data);
    let options = source.byte();
    let mut files = if options & 1 == 0 { sound().clone() } else { Memory::default() };
    let mut edits = 0;
    while !source.0.is_empty() && edits < MOST_EDITS {
        edit(&mut files, &mut source);
        edits += 1;
    }
    let only = match options >> 1 & 7 {
        0 => Some("master.m3u8"),
        1 => Some("manifest.mpd"),
        2 => Some("video/avc/playlist.m3u8"),
        _ => None,
    };
    let report = check(&files, only);
    if options & 1 == 0 && edits == 0 {
        let report = report.expect("the manifests are there");
        assert_eq!(report.findings, [], "of a sound package");
        assert!(!report.manifests.is_empty() || only == Some("manifest.mpd"), "{report:?}");
    }
}

/// The report, of which everything holds that has to hold of any.
fn check(files: &Memory, only: Option<&str>) -> Result<Report> {
    let [one, many] = pools();
    let make = || verify(files, "package", only, &|_| ());
    let (report, other) = (one.install(make), many.install(make));
    let (report, other) = match (report, other) {
        (Ok(report), Ok(other)) => (report, other),
        (Err(error), Err(_)) => {
            assert!(only.is_none() && matches!(error.kind(), ErrorKind::Conflict { .. }), "{error}");
            assert!(!files.0.keys().any(|path| path.ends_with(".m3u8") || path.ends_with(".mpd")));
            return Err(error);
        }
        (report, other) => panic!("{report:?} on one thread, {other:?} on several"),
    };
    assert_eq!(report, other, "on one thread, and on several");
    let known: BTreeMap<_, _> = rules().map(|rule| (rule.id, rule)).collect();
    let named = names(files, only);
    for finding in &report.findings {
        let rule = known.get(finding.rule.id).expect("a rule of the list");
        // The severity depends on more than the rule for some.
        assert_eq!(rule.clause, finding.rule.clause);
        assert!(!finding.message.is_empty(), "{finding:?}");
        match files.0.get(&finding.file) {
            Some(bytes) => {
                assert!(finding.offset.is_none_or(|offset| offset <= bytes.len() as u64), "{finding:?}");
            }
            None => {
                let name = finding.file.rsplit('/').next().unwrap_or_default();
                let is_named = named.contains(&finding.file) || text(files).contains(name);
                assert!(is_named, "{finding:?} is of no file");
            }
        }
    }
    let json = serde_json::to_vec(&report).expect("a report can be written");
    let json: Value = serde_json::from_slice(&json).expect("and read");
    assert_eq!(json["findings"].as_array().map(Vec::len), Some(report.findings.len()));
    Ok(report)
}

/// What is named from outside, by a manifest or by the receipt.
fn names(files: &Memory, only: Option<&str>) -> BTreeSet<String> {
    let mut findings = Findings::default();
    let listings = match only {
        Some(manifest) => read_manifest(files, manifest, &mut findings).into_iter().collect(),
        None => read_manifests(files, crate::verify::MAX_LISTED, &mut findings).expect("it was read before"),
    };
    let mut names: BTreeSet<_> = named(&listings).into_iter().collect();
    names.extend(only.map(str::to_owned));
    let receipt = files.0.get(RECEIPT).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let listed = receipt.as_ref().and_then(|receipt| receipt["files"].as_array()).into_iter().flatten();
    names.extend(listed.filter_map(|file| file["path"].as_str()).map(str::to_owned));
    names
}

/// All files as one text without percent-encoding: a playlist that is missing, and what is named in one that is no track, stands
/// in no listing.
fn text(files: &Memory) -> String {
    let mut text = Vec::new();
    for bytes in files.0.iter().filter(|(path, _)| !path.ends_with(".m4s")).map(|(_, bytes)| bytes) {
        let mut rest = bytes.as_slice();
        while let Some((&byte, behind)) = rest.split_first() {
            let code =
                behind.get(..2).filter(|_| byte == b'%').and_then(|code| std::str::from_utf8(code).ok());
            let decoded = code.and_then(|code| u8::from_str_radix(code, 16).ok());
            text.push(decoded.unwrap_or(byte));
            rest = if decoded.is_some() { &behind[2..] } else { behind };
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn pools() -> &'static [ThreadPool; 2] {
    static POOLS: OnceLock<[ThreadPool; 2]> = OnceLock::new();
    POOLS.get_or_init(|| {
        [1, 3].map(|threads| {
            ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started")
        })
    })
}

/// A sound package of 1 s segments: H.264, H.265, AV1 and sound, with HLS, DASH and receipt.
fn sound() -> &'static Memory {
    static SOUND: OnceLock<Memory> = OnceLock::new();
    SOUND.get_or_init(|| {
        let streams = [
            ("avc", testing::avc()),
            ("hevc", testing::hevc()),
            ("av1", testing::av1()),
            ("aac", testing::aac()),
        ];
        let inputs = streams.iter().map(|(name, bytes)| {
            let input = Input::spool(&bytes[..], Path::new(name), &std::env::temp_dir(), &|_| ());
            let opened = Some(Arc::new(input.expect("a temporary file")));
            InputRequest { opened, name: Some((*name).to_owned()), ..InputRequest::new(*name) }
        });
        let request = Request {
            segment_duration: SegmentDuration::new(1, 1).expect("a second"),
            ..Request::new(inputs.collect(), "out")
        };
        let plan = run::plan(&request, &|_| ()).expect("streams that can be packaged");
        Memory(testing::files(&request, &plan, &streams.map(|(_, bytes)| bytes)))
    })
}

/// Numbers at which something ends.
const NUMBERS: [u64; 12] = [
    0,
    1,
    2,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    u64::MAX,
    1_000_000,
    1_000_000_000,
    1 << 53,
];

/// Boxes that fields are overwritten in.
const BOXES: [&[u8; 4]; 22] = [
    b"sgpd", b"sbgp", b"ftyp", b"mvhd", b"tkhd", b"mdhd", b"hdlr", b"trex", b"stsd", b"avc1", b"avcC",
    b"hvcC", b"av1C", b"esds", b"elst", b"styp", b"moof", b"mfhd", b"tfhd", b"tfdt", b"trun", b"mdat",
];

/// What manifests may hold.
const WORDS: [&str; 32] = [
    "#EXTM3U\n",
    "#EXT-X-VERSION:7\n",
    "#EXT-X-TARGETDURATION:1\n",
    "#EXT-X-MEDIA-SEQUENCE:0\n",
    "#EXT-X-ENDLIST\n",
    "#EXT-X-DISCONTINUITY\n",
    "#EXT-X-GAP\n",
    "#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"20@0\"\n",
    "#EXT-X-BYTERANGE:1000\n",
    "#EXT-X-BYTERANGE:10@5\n",
    "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n",
    "#EXTINF:1.000000,\nseg-00001.m4s\n",
    "#EXTINF:1,\n../avc/seg-00002.m4s\n",
    "#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nvideo/avc/playlist.m3u8\n",
    "#EXT-X-STREAM-INF:BANDWIDTH=1\nmaster.m3u8\n",
    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"audio/aac/playlist.m3u8\"\n",
    "../",
    "%2e%2e%2F",
    "http://a/",
    "//",
    "<Period>",
    "</Period>",
    "<BaseURL>a/</BaseURL>",
    "<SegmentTimeline><S t=\"0\" d=\"1\" r=\"1000000000\"/></SegmentTimeline>",
    "<S d=\"1\" r=\"-1\"/>",
    "<SegmentTemplate timescale=\"1\" duration=\"1\" media=\"$Number%09d$.m4s\" initialization=\"i\"/>",
    "<SegmentList><SegmentURL media=\"seg-00001.m4s\" mediaRange=\"0-9\"/></SegmentList>",
    "<Representation id=\"x\" bandwidth=\"1\"/>",
    " type=\"dynamic\"",
    " mediaPresentationDuration=\"PT1000000000S\"",
    " duration=\"1\"",
    "$Number$",
];

/// Makes one edit.
fn edit(files: &mut Memory, source: &mut Source<'_>) {
    let (what, path) = (source.byte(), path(source));
    if what & 15 < 4 {
        return edit_files(files, source, what & 3, path);
    }
    let bytes = files.0.entry(path).or_default();
    let at = source.number(2) as usize % (bytes.len() + 1);
    match what & 15 {
        4 => {
            let with = source.bytes(31);
            let end = bytes.len().min(at + with.len());
            bytes.splice(at..end, with.iter().copied());
        }
        5 => drop(bytes.splice(at..at, source.bytes(31).iter().copied())),
        6 => {
            let end = bytes.len().min(at + source.byte() as usize);
            drop(bytes.drain(at..end));
        }
        7 => bytes.truncate(at),
        8 => {
            let word = WORDS[source.byte() as usize % WORDS.len()];
            drop(bytes.splice(at..at, word.bytes()));
        }
        9 | 10 => replace_number(bytes, source, at),
        11..14 => overwrite_field(bytes, source),
        _ => repeat(bytes, source, at),
    }
    bytes.truncate(MOST_BYTES);
}

/// Removes, fills, copies or swaps whole files.
fn edit_files(files: &mut Memory, source: &mut Source<'_>, what: u8, path: String) {
    match what {
        0 => drop(files.0.remove(&path)),
        1 => {
            let content = source.bytes(0xffff).to_vec();
            files.0.insert(path, content);
        }
        2 => {
            let bytes = files.0.get(&path).cloned().unwrap_or_default();
            files.0.insert(self::path(source), bytes);
        }
        _ => {
            let other = self::path(source);
            let (one, two) = (files.0.remove(&path), files.0.remove(&other));
            files.0.extend(one.map(|bytes| (other, bytes)));
            files.0.extend(two.map(|bytes| (path, bytes)));
        }
    }
}

/// A path of the sound package, or another one.
fn path(source: &mut Source<'_>) -> String {
    const OTHERS: [&str; 6] =
        ["a.m3u8", "b.mpd", "video/b.m3u8", "c.mp4", "video/avc/seg-00004.m4s", "%2e\u{1b}"];
    let index = source.byte() as usize % (sound().0.len() + OTHERS.len());
    match sound().0.keys().nth(index) {
        Some(path) => path.clone(),
        None => OTHERS[index - sound().0.len()].to_owned(),
    }
}

/// Puts another number in the place of the first decimal one from `at` on.
fn replace_number(bytes: &mut Vec<u8>, source: &mut Source<'_>, at: usize) {
    let Some(start) = (at..bytes.len()).find(|&at| bytes[at].is_ascii_digit()) else { return };
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(start..start + digits, source.value().to_string().into_bytes());
}

/// Overwrites 32 bits in a box of a known type: from its size on.
fn overwrite_field(bytes: &mut [u8], source: &mut Source<'_>) {
    let kind = BOXES[source.byte() as usize % BOXES.len()];
    let Some(at) = bytes.windows(4).position(|window| window == kind) else { return };
    let start = (at + source.byte() as usize % 64).saturating_sub(4);
    let value = (source.value() as u32).to_be_bytes();
    if let Some(field) = bytes.get_mut(start..start + 4) {
        field.copy_from_slice(&value);
    }
}

/// Puts a part of the file there many times.
fn repeat(bytes: &mut Vec<u8>, source: &mut Source<'_>, at: usize) {
    let end = bytes.len().min(at + source.number(2) as usize % 256);
    let part = bytes[at..end].to_vec();
    let times = (source.number(2) as usize).min(MOST_BYTES / part.len().max(1));
    bytes.splice(at..at, part.repeat(times));
}

/// Bytes, and zeros behind them.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    /// A number of so many bytes.
    fn number(&mut self, bytes: usize) -> u64 {
        let (head, rest) = self.0.split_at(self.0.len().min(bytes));
        self.0 = rest;
        head.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn byte(&mut self) -> u8 {
        self.number(1).to_le_bytes()[0]
    }

    /// One at which something ends, or nearly, or any.
    fn value(&mut self) -> u64 {
        let choice = self.byte();
        match NUMBERS.get(usize::from(choice & 15)) {
            Some(number) => number.wrapping_add_signed(i64::from(choice >> 4) - 8),
            None => self.number(usize::from(choice >> 4 & 7) + 1),
        }
    }

    /// At most so many bytes, as many as a number in front of them says.
    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let len = self.number(if most < 256 { 1 } else { 2 }) as usize % (most + 1);
        let (head, rest) = self.0.split_at(self.0.len().min(len));
        self.0 = rest;
        head
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_sound_package_has_no_finding() {
        for options in [0, 2, 4, 6] {
            fuzz_verify(&[options]);
        }
        let report = check(sound(), None).unwrap();
        assert!(report.receipt && report.not_checked.is_empty(), "{report:?}");
        let codecs: BTreeSet<_> = report.tracks.iter().filter_map(|track| track.codec.clone()).collect();
        assert_eq!(codecs.len(), 4, "{codecs:?}");
    }

    #[test]
    fn an_edit_is_found() {
        // One file is removed.
        for index in 0..sound().0.len() as u8 {
            let mut files = sound().clone();
            edit(&mut files, &mut Source(&[0, index]));
            assert_eq!(files.0.len() + 1, sound().0.len());
            let path = sound().0.keys().nth(usize::from(index)).unwrap();
            let report = check(&files, None).unwrap();
            let may_miss = path == "fragmint.json";
            assert!(may_miss || !report.findings.is_empty(), "{path}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn any_edits_give_a_report(
            options in any::<u8>(),
            edits in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 1..12)), 0..6),
        ) {
            let edits: Vec<_> = edits.into_iter().flat_map(|(what, rest)| [vec![what], rest].concat()).collect();
            fuzz_verify(&[&[options & !1][..], &edits].concat());
        }

        #[test]
        fn any_bytes_give_a_report(data in prop::collection::vec(any::<u8>(), 0..400)) {
            fuzz_verify(&data);
        }
    }
}
