//! A multivariant playlist ► variants with their claims, and each media playlist that it names ► a track (RFC 8216 4.3.4).

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::{Attributes, Value, integer, resolution, thousandths};
use super::lines::{Item, items};
use super::version::Version;
use super::{
    HLS_BANDWIDTH_MISSING, HLS_CODECS_MISSING, HLS_EMPTY, HLS_GROUP, HLS_SYNTAX, HLS_VARIABLES, short,
};
use crate::verify::Files;
use crate::verify::files::FILE_ELSEWHERE;
use crate::verify::findings::Findings;
use crate::verify::listing::{Claims, ListedFrameRate, Listing, Variant};
use crate::verify::uri::{Target, resolve};

/// How many members of groups are given to variants in all: more is an attack on the memory.
const MAX_MEMBERS: usize = 1 << 20;
const TOO_MANY: &str = "HLS variants behind a million members of groups";

/// Reads the multivariant playlist `file`, which is `bytes`, and what it names.
pub(super) fn read(files: &dyn Files, file: &str, bytes: &[u8], findings: &mut Findings) -> Listing {
    let tags = Tags::read(file, bytes, findings);
    let mut tracks = Tracks {
        files,
        file,
        listing: Listing { file: file.to_owned(), ..Listing::default() },
        by_path: BTreeMap::new(),
        independent: BTreeSet::new(),
        not_checked: BTreeSet::new(),
        elsewhere: false,
        variables: tags.variables,
    };
    let of_variants: Vec<_> =
        tags.variants.iter().map(|variant| tracks.track(variant.uri?, variant.offset(), findings)).collect();
    let groups = Groups::read(file, &tags.renditions, &mut tracks, findings);
    groups.check(file, &tags.variants, findings);
    for stream in &tags.i_frames {
        let Some(track) = tracks.track(stream.uri.unwrap_or_default(), stream.offset(), findings) else {
            continue;
        };
        tracks.listing.tracks[track].claims = stream.claims.clone();
    }
    let mut members = 0;
    for (stream, track) in tags.variants.iter().zip(of_variants) {
        let Some(track) = track else { continue };
        let audio = groups.tracks("AUDIO", stream.group("AUDIO"));
        let subtitles = groups.tracks("SUBTITLES", stream.group("SUBTITLES"));
        members += audio.len() + subtitles.len();
        if members > MAX_MEMBERS {
            tracks.not_checked.insert(TOO_MANY);
            break;
        }
        let mut claims = stream.claims.clone();
        claims.aligned = tags.independent || tracks.independent.contains(&track);
        let (audio, subtitles) = (audio.to_vec(), subtitles.to_vec());
        tracks.listing.variants.push(Variant { claims, track, audio, subtitles });
    }
    let mut listing = tracks.listing;
    listing.switching_sets = switching_sets(&listing.variants);
    listing.not_checked = tracks.not_checked.into_iter().collect();
    listing
}

/// A variant or an I-frame stream.
struct Stream<'a> {
    attributes: Attributes<'a>,
    claims: Claims,
    uri: Option<&'a str>,
}

impl<'a> Stream<'a> {
    fn offset(&self) -> u64 {
        self.attributes.offset
    }

    /// The group of a type that the variant names.
    fn group(&self, kind: &str) -> Option<&'a str> {
        match self.attributes.value(kind)? {
            Value::Quoted(group) => Some(group),
            Value::Bare(_) => None,
        }
    }
}

/// The tags that matter, as they stand.
#[derive(Default)]
struct Tags<'a> {
    variants: Vec<Stream<'a>>,
    i_frames: Vec<Stream<'a>>,
    renditions: Vec<Attributes<'a>>,
    independent: bool,
    variables: bool,
}

impl<'a> Tags<'a> {
    fn read(file: &'a str, bytes: &'a [u8], findings: &mut Findings) -> Self {
        let mut version = Version::read(file, bytes, findings);
        let define = items(bytes).find(|(_, item)| matches!(item, Item::Tag("EXT-X-DEFINE", _)));
        if let Some((offset, _)) = define {
            let message = "EXT-X-DEFINE: variables are not followed here";
            findings.add(&HLS_VARIABLES, file, Some(offset), message);
            version.needs(8, "EXT-X-DEFINE", offset, findings);
        }
        let mut tags = Self { variables: define.is_some(), ..Self::default() };
        let mut open: Option<Stream<'_>> = None;
        for (offset, item) in items(bytes) {
            let (name, value) = match item {
                Item::Tag(name, value) => (name, value),
                Item::Uri(uri) => {
                    match open.take() {
                        Some(stream) => tags.variants.push(Stream { uri: Some(uri), ..stream }),
                        None => {
                            let message = format!("no EXT-X-STREAM-INF is in front of {}", short(uri));
                            findings.add(&HLS_SYNTAX, file, Some(offset), message);
                        }
                    }
                    continue;
                }
            };
            let mut attributes = || Attributes::read(file, (offset, name, value), define.is_some(), findings);
            match name {
                "EXT-X-STREAM-INF" => {
                    let stream = stream(attributes(), findings);
                    tags.close(file, open.replace(stream), findings);
                }
                "EXT-X-I-FRAME-STREAM-INF" => {
                    let mut stream = stream(attributes(), findings);
                    stream.uri = stream.attributes.required("URI", findings);
                    tags.i_frames.extend(stream.uri.is_some().then_some(stream));
                }
                "EXT-X-MEDIA" => tags.renditions.push(attributes()),
                "EXT-X-INDEPENDENT-SEGMENTS" => tags.independent = true,
                _ => {}
            }
        }
        tags.close(file, open, findings);
        tags.check(file, &mut version, findings);
        tags
    }

    /// A variant whose URI did not come.
    fn close(&mut self, file: &str, open: Option<Stream<'a>>, findings: &mut Findings) {
        if let Some(stream) = open {
            let message = "no URI follows EXT-X-STREAM-INF";
            findings.add(&HLS_SYNTAX, file, Some(stream.offset()), message);
            self.variants.push(stream);
        }
    }

    fn check(&self, file: &str, version: &mut Version<'_>, findings: &mut Findings) {
        if self.variants.is_empty() {
            findings.add(&HLS_EMPTY, file, None, "there is no variant");
        }
        for stream in &self.variants {
            if !stream.attributes.has("CODECS") {
                let message = "the variant has no CODECS: players cannot tell whether they can play it";
                findings.add(&HLS_CODECS_MISSING, file, Some(stream.offset()), message);
            }
        }
        let streams = self.variants.iter().chain(&self.i_frames).map(|stream| &stream.attributes);
        for attributes in streams.clone() {
            if !attributes.has("BANDWIDTH") {
                let message = "there is no BANDWIDTH";
                findings.add(&HLS_BANDWIDTH_MISSING, file, Some(attributes.offset), message);
            }
        }
        for attributes in streams.chain(&self.renditions) {
            if attributes.has_prefix("REQ-") {
                version.needs(12, "an attribute of REQ-", attributes.offset, findings);
            }
            let instream = attributes.value("INSTREAM-ID");
            if matches!(instream, Some(Value::Quoted(id)) if id.starts_with("SERVICE")) {
                version.needs(7, "SERVICE of INSTREAM-ID", attributes.offset, findings);
            }
        }
    }
}

/// What `EXT-X-STREAM-INF` or `EXT-X-I-FRAME-STREAM-INF` claims.
fn stream<'a>(attributes: Attributes<'a>, findings: &mut Findings) -> Stream<'a> {
    let a = &attributes;
    let codecs = a.quoted("CODECS", findings).unwrap_or_default();
    let codecs = codecs.split(',').map(str::trim).filter(|codec| !codec.is_empty());
    let frame_rate = a.parsed("FRAME-RATE", "a decimal number", thousandths, findings);
    let claims = Claims {
        offset: Some(a.offset),
        codecs: codecs.map(str::to_owned).collect(),
        bandwidth: a.integer("BANDWIDTH", findings),
        average_bandwidth: a.integer("AVERAGE-BANDWIDTH", findings),
        size: a.parsed("RESOLUTION", "a width x a height", resolution, findings),
        frame_rate: frame_rate.map(ListedFrameRate::Thousandths),
        video_range: a.bare("VIDEO-RANGE", findings).map(str::to_owned),
        ..Claims::default()
    };
    Stream { attributes, claims, uri: None }
}

/// The tracks of the listing, each media playlist once.
struct Tracks<'f> {
    files: &'f dyn Files,
    file: &'f str,
    listing: Listing,
    by_path: BTreeMap<String, usize>,
    /// The tracks whose media playlist has `EXT-X-INDEPENDENT-SEGMENTS`.
    independent: BTreeSet<usize>,
    not_checked: BTreeSet<&'static str>,
    elsewhere: bool,
    variables: bool,
}

impl Tracks<'_> {
    /// The track of the media playlist that `uri` names, which is read the first time. `None` if it is no file of the
    /// package.
    fn track(&mut self, uri: &str, offset: u64, findings: &mut Findings) -> Option<usize> {
        // A variable, of which a finding says that it is not followed, has no file.
        if self.variables && uri.contains("{$") {
            return None;
        }
        let Target::File(path) = resolve(self.file, uri) else {
            if !std::mem::replace(&mut self.elsewhere, true) {
                let message =
                    format!("{} is no name relative to the playlist; it was not opened", short(uri));
                findings.add(&FILE_ELSEWHERE, self.file, Some(offset), message);
            }
            return None;
        };
        if let Some(&index) = self.by_path.get(&path) {
            return Some(index);
        }
        let media = super::read_media(self.files, &path, findings);
        let index = self.listing.tracks.len();
        self.not_checked.extend(media.not_checked);
        self.independent.extend(media.independent.then_some(index));
        self.listing.tracks.push(media.track);
        self.by_path.insert(path, index);
        Some(index)
    }
}

/// The groups of `EXT-X-MEDIA`, by type and id.
#[derive(Default)]
struct Groups<'a> {
    groups: BTreeMap<(&'a str, &'a str), Group<'a>>,
}

#[derive(Default)]
struct Group<'a> {
    names: BTreeSet<&'a str>,
    has_default: bool,
    tracks: Vec<usize>,
}

impl<'a> Groups<'a> {
    fn read(
        file: &str,
        renditions: &[Attributes<'a>],
        tracks: &mut Tracks<'_>,
        findings: &mut Findings,
    ) -> Self {
        let mut groups = Self::default();
        for rendition in renditions {
            let mut problems: Vec<String> = ["TYPE", "GROUP-ID", "NAME"]
                .into_iter()
                .filter(|&name| !rendition.has(name))
                .map(|name| format!("EXT-X-MEDIA has no {name}"))
                .collect();
            let kind = rendition.parsed("TYPE", "a type of media", kind, findings);
            let uri = rendition.quoted("URI", findings);
            problems.extend(kind.and_then(|kind| kind_needs(kind, rendition)));
            let is_default = rendition.is_yes("DEFAULT", findings);
            if is_default && rendition.has("AUTOSELECT") && !rendition.is_yes("AUTOSELECT", findings) {
                problems.push("DEFAULT is YES, and AUTOSELECT is not".to_owned());
            }
            let track = uri.and_then(|uri| tracks.track(uri, rendition.offset, findings));
            if let (Some(track), Some(told)) = (track, channels(rendition, findings)) {
                let claims = &mut tracks.listing.tracks[track].claims;
                claims.offset = Some(rendition.offset);
                match told {
                    Channels::Count(count) => claims.channels = Some(count),
                    Channels::Objects(count) => claims.joc = Some(count),
                }
            }
            let (name, id) = (rendition.quoted("NAME", findings), rendition.quoted("GROUP-ID", findings));
            if let (Some(kind), Some(id)) = (kind, id) {
                let group = groups.groups.entry((kind, id)).or_default();
                if name.is_some_and(|name| !group.names.insert(name)) {
                    problems.push(format!("group {} has two members of that NAME", short(id)));
                }
                if is_default && std::mem::replace(&mut group.has_default, true) {
                    problems.push(format!("group {} has two members with DEFAULT=YES", short(id)));
                }
                group.tracks.extend(track);
            }
            for problem in problems {
                findings.add(&HLS_GROUP, file, Some(rendition.offset), problem);
            }
        }
        groups
    }

    /// Whether the groups that variants name exist, and whether all have captions or none.
    fn check(&self, file: &str, variants: &[Stream<'_>], findings: &mut Findings) {
        let none =
            |stream: &Stream<'_>| stream.attributes.value("CLOSED-CAPTIONS") == Some(Value::Bare("NONE"));
        let some_has_none = variants.iter().any(none);
        for stream in variants {
            let mut note = |message| findings.add(&HLS_GROUP, file, Some(stream.offset()), message);
            for kind in KINDS {
                match stream.attributes.value(kind) {
                    Some(Value::Quoted(id)) if !self.groups.contains_key(&(kind, id)) => {
                        note(format!("there is no group {} of type {kind}", short(id)));
                    }
                    Some(Value::Bare(id)) if (kind, id) != ("CLOSED-CAPTIONS", "NONE") => {
                        note(format!("{kind} is {}, not a quoted group", short(id)));
                    }
                    _ => {}
                }
            }
            if some_has_none && !none(stream) {
                note("CLOSED-CAPTIONS is NONE of another variant, and not of this".to_owned());
            }
        }
    }

    fn tracks(&self, kind: &'a str, id: Option<&'a str>) -> &[usize] {
        id.and_then(|id| self.groups.get(&(kind, id))).map_or(&[], |group| &group.tracks)
    }
}

/// Values of `TYPE`, and names of the attributes of variants for groups of it.
const KINDS: [&str; 4] = ["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"];

fn kind(text: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|&kind| kind == text)
}

/// What a rendition of a type lacks, or has and must not have.
fn kind_needs(kind: &str, rendition: &Attributes<'_>) -> Option<String> {
    let problem = match kind {
        "CLOSED-CAPTIONS" if !rendition.has("INSTREAM-ID") => "has no INSTREAM-ID",
        "CLOSED-CAPTIONS" if rendition.has("URI") => "has a URI",
        "SUBTITLES" if !rendition.has("URI") => "has no URI",
        _ => return None,
    };
    Some(format!("EXT-X-MEDIA of type {kind} {problem}"))
}

/// What `CHANNELS` states.
enum Channels {
    Count(u64),
    /// Of joint object coding: `16/JOC`.
    Objects(u64),
}

/// What `CHANNELS` states; `None` where it stands for something else that is not known.
fn channels(rendition: &Attributes<'_>, findings: &mut Findings) -> Option<Channels> {
    let text = rendition.quoted("CHANNELS", findings)?;
    let (count, coding) = text.split_once('/').unwrap_or((text, ""));
    let count = integer(count);
    if count.is_none() {
        rendition.note(findings, format!("CHANNELS is {}, which starts with no count", short(text)));
    }
    match coding.split('/').next().unwrap_or_default() {
        "" | "-" => count.map(Channels::Count),
        "JOC" => count.map(Channels::Objects),
        _ => None,
    }
}

/// The tracks of variants with the same codec and dynamic range of video, each set in the order of the tracks.
fn switching_sets(variants: &[Variant]) -> Vec<Vec<usize>> {
    let mut sets: BTreeMap<_, BTreeSet<usize>> = BTreeMap::new();
    for variant in variants {
        let Some(family) = variant.claims.codecs.iter().find_map(|codec| video_family(codec)) else {
            continue;
        };
        let range = variant.claims.video_range.as_deref().unwrap_or("SDR");
        sets.entry((family, range)).or_default().insert(variant.track);
    }
    sets.into_values().map(|set| set.into_iter().collect()).collect()
}

/// The family of a codec string of video; `None` for others.
fn video_family(codec: &str) -> Option<&'static str> {
    Some(match codec.split('.').next()? {
        "avc1" | "avc3" => "avc",
        "hvc1" | "hev1" => "hevc",
        "vvc1" | "vvi1" => "vvc",
        "dvh1" | "dvhe" => "dolby vision",
        "av01" => "av1",
        "vp08" => "vp8",
        "vp09" => "vp9",
        _ => return None,
    })
}
