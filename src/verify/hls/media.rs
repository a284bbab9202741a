//! A media playlist ► a track: its segments with their byte ranges, durations and init segments (RFC 8216 4.3.2, 4.3.3).
//!
//! Segments that cannot be checked stay in the list with an empty path, so that what is beside them keeps its place.

use std::collections::BTreeSet;

use super::attributes::{Attributes, decimal, integer};
use super::lines::{Item, items};
use super::version::Version;
use super::{
    HLS_BYTE_RANGE, HLS_EMPTY, HLS_END, HLS_EXTINF, HLS_MAP, HLS_MEDIA_SEQUENCE, HLS_PLAYLIST_TYPE,
    HLS_TARGET_DURATION, HLS_VARIABLES, short,
};
use crate::verify::Files;
use crate::verify::files::FILE_ELSEWHERE;
use crate::verify::findings::Findings;
use crate::verify::listing::{ListedDuration, ListedSegment, ListedTrack, Resource, Time};
use crate::verify::uri::{Target, resolve};

pub(super) const ENCRYPTED: &str = "HLS segments that are encrypted as a whole (METHOD=AES-128)";
pub(super) const I_FRAMES: &str = "HLS I-frame playlists whose byte ranges end inside of segments";
pub(super) const NO_MP4: &str = "HLS segments that are no fragmented MP4";

/// What was read of a media playlist.
#[derive(Debug)]
pub(super) struct Media {
    /// The track.
    pub(super) track: ListedTrack,
    /// It has `EXT-X-INDEPENDENT-SEGMENTS`.
    pub(super) independent: bool,
    /// What was left out.
    pub(super) not_checked: BTreeSet<&'static str>,
}

impl Media {
    pub(super) fn of(track: ListedTrack) -> Self {
        Self { track, independent: false, not_checked: BTreeSet::new() }
    }
}

/// Reads the media playlist `file`, which is `bytes`.
pub(super) fn read(files: &dyn Files, file: &str, bytes: &[u8], findings: &mut Findings) -> Media {
    let version = Version::read(file, bytes, findings);
    let playlist = Playlist::read(file, bytes, findings);
    let mut media = Media::of(ListedTrack {
        name: file.to_owned(),
        file: file.to_owned(),
        offset: Some(0),
        target_duration: playlist.target_duration,
        is_live: !playlist.is_ended,
        ..ListedTrack::default()
    });
    media.independent = playlist.independent;
    let mut reader = Reader { files, file, playlist, version, media, findings, next: Next::default() };
    reader.read(bytes);
    reader.media
}

/// What is said once of the whole playlist.
#[derive(Debug, Default)]
struct Playlist {
    target_duration: Option<u64>,
    i_frames_only: bool,
    independent: bool,
    is_ended: bool,
    variables: bool,
}

impl Playlist {
    fn read(file: &str, bytes: &[u8], findings: &mut Findings) -> Self {
        let mut playlist = Self::default();
        let mut seen = BTreeSet::new();
        let mut has_segments = false;
        for (offset, item) in items(bytes) {
            let Item::Tag(name, value) = item else {
                has_segments = true;
                continue;
            };
            let mut note = |rule, message| findings.add(rule, file, Some(offset), message);
            match name {
                "EXT-X-TARGETDURATION" => {
                    playlist.target_duration = integer(value);
                    if playlist.target_duration.is_none() {
                        note(&HLS_TARGET_DURATION, format!("{} is no target duration", short(value)));
                    }
                    if !seen.insert(name) {
                        note(&HLS_TARGET_DURATION, format!("{name} stands once more"));
                    }
                }
                "EXT-X-MEDIA-SEQUENCE" | "EXT-X-DISCONTINUITY-SEQUENCE" => {
                    if integer(value).is_none() {
                        note(&HLS_MEDIA_SEQUENCE, format!("{name} is {}, not an integer", short(value)));
                    }
                    if has_segments {
                        note(&HLS_MEDIA_SEQUENCE, format!("{name} stands behind a segment"));
                    }
                    if !seen.insert(name) {
                        note(&HLS_MEDIA_SEQUENCE, format!("{name} stands once more"));
                    }
                }
                "EXT-X-PLAYLIST-TYPE" => {
                    if !matches!(value, "VOD" | "EVENT") {
                        let message = format!("the type is {}, neither VOD nor EVENT", short(value));
                        note(&HLS_PLAYLIST_TYPE, message);
                    }
                    if !seen.insert(name) {
                        note(&HLS_PLAYLIST_TYPE, format!("{name} stands once more"));
                    }
                }
                "EXT-X-I-FRAMES-ONLY" => playlist.i_frames_only = true,
                "EXT-X-INDEPENDENT-SEGMENTS" => playlist.independent = true,
                "EXT-X-ENDLIST" => playlist.is_ended = true,
                "EXT-X-DEFINE" => {
                    if !playlist.variables {
                        note(&HLS_VARIABLES, "EXT-X-DEFINE: variables are not followed here".to_owned());
                    }
                    playlist.variables = true;
                }
                _ => {}
            }
        }
        if !seen.contains("EXT-X-TARGETDURATION") {
            findings.add(&HLS_TARGET_DURATION, file, None, "there is no EXT-X-TARGETDURATION");
        }
        if !playlist.is_ended {
            findings.add(&HLS_END, file, None, "there is no EXT-X-ENDLIST: more segments may come");
        }
        playlist
    }
}

/// Where the next segment's bytes are as a tag says it: length, and offset where there is one.
type Range = (u64, Option<u64>);

/// What tags say of the segment whose URI comes next.
#[derive(Debug, Default)]
struct Next {
    /// Byte offset of `EXTINF`, and the duration unless it is malformed.
    extinf: Option<(u64, Option<ListedDuration>)>,
    /// `None` inside: malformed.
    byte_range: Option<Option<Range>>,
    discontinuity: bool,
    gap: bool,
}

struct Reader<'f, 'a, 'n> {
    files: &'f dyn Files,
    file: &'a str,
    playlist: Playlist,
    version: Version<'a>,
    media: Media,
    findings: &'n mut Findings,
    next: Next,
}

/// What holds from one segment to the next.
#[derive(Default)]
struct State<'a> {
    /// `EXT-X-MAP` was there; `None` inside where what it names cannot be read.
    map: Option<Option<Resource>>,
    /// The key formats whose key encrypts whole segments.
    encrypted: BTreeSet<&'a str>,
    /// The file of the byte range before, and its end.
    previous: Option<(String, u64)>,
    segments: u64,
    elsewhere: bool,
}

impl<'a> Reader<'_, 'a, '_> {
    fn note(&mut self, rule: &super::super::Rule, offset: u64, message: impl Into<String>) {
        self.findings.add(rule, self.file, Some(offset), message);
    }

    fn needs(&mut self, version: u64, what: &str, offset: u64) {
        self.version.needs(version, what, offset, self.findings);
    }

    fn read(&mut self, bytes: &'a [u8]) {
        let mut state = State::default();
        for (offset, item) in items(bytes) {
            match item {
                Item::Tag(name, value) => self.tag(&mut state, (offset, name, value)),
                Item::Uri(uri) => self.segment(&mut state, offset, uri),
            }
        }
        if let Some((offset, _)) = self.next.extinf {
            self.note(&HLS_EXTINF, offset, "no URI follows");
        }
        if state.segments == 0 {
            self.findings.add(&HLS_EMPTY, self.file, None, "there is no segment");
        }
    }

    fn tag(&mut self, state: &mut State<'a>, (offset, name, value): (u64, &'a str, &'a str)) {
        match name {
            "EXTINF" => {
                let duration = self.extinf(offset, value);
                if let Some((before, _)) = self.next.extinf.replace((offset, duration)) {
                    self.note(&HLS_EXTINF, before, "no URI follows before the next EXTINF");
                }
            }
            "EXT-X-BYTERANGE" => {
                self.needs(4, name, offset);
                let range = range(value);
                if range.is_none() {
                    self.note(&HLS_BYTE_RANGE, offset, format!("{} is no byte range", short(value)));
                }
                self.next.byte_range = Some(range);
            }
            "EXT-X-DISCONTINUITY" => self.next.discontinuity = true,
            "EXT-X-GAP" => self.next.gap = true,
            "EXT-X-I-FRAMES-ONLY" => self.needs(4, name, offset),
            "EXT-X-DEFINE" => self.needs(8, name, offset),
            "EXT-X-SKIP" => self.needs(9, name, offset),
            "EXT-X-KEY" => self.key(state, (offset, name, value)),
            "EXT-X-MAP" => self.map(state, (offset, name, value)),
            _ => {}
        }
    }

    /// RFC 8216 4.3.2.1.
    fn extinf(&mut self, offset: u64, value: &str) -> Option<ListedDuration> {
        let (seconds, _title) = value.split_once(',').unwrap_or_else(|| {
            self.note(&HLS_EXTINF, offset, format!("no comma follows {}", short(value)));
            (value, "")
        });
        let duration = decimal(seconds);
        match duration {
            Some(ListedDuration::Rounded { time, .. }) => {
                if seconds.contains('.') {
                    // A 0 without digits behind the point may be less than half a second, rounded.
                    if time.ticks == 0 {
                        self.note(&HLS_EXTINF, offset, "the duration is 0");
                    }
                    self.needs(3, "a duration that is no integer", offset);
                }
                // Half a second more rounds up or down, whoever does it: only what is above is more for sure.
                let limit = self.playlist.target_duration.map(|seconds| i128::from(seconds) * 2 + 1);
                if limit.is_some_and(|limit| time.compare(Time::new(limit, 2)).is_gt()) {
                    let target = self.playlist.target_duration.unwrap_or_default();
                    let message = format!("{seconds} s is more than the target duration, {target} s");
                    self.note(&HLS_TARGET_DURATION, offset, message);
                }
            }
            _ => self.note(&HLS_EXTINF, offset, format!("{} is no duration", short(seconds))),
        }
        duration
    }

    /// RFC 8216 4.3.2.4: which segments are encrypted as a whole from here on.
    fn key(&mut self, state: &mut State<'a>, tag: (u64, &'a str, &'a str)) {
        let offset = tag.0;
        let key = Attributes::read(self.file, tag, self.playlist.variables, self.findings);
        if key.has("IV") {
            self.needs(2, "IV of EXT-X-KEY", offset);
        }
        if key.has("KEYFORMAT") || key.has("KEYFORMATVERSIONS") {
            self.needs(5, "KEYFORMAT of EXT-X-KEY", offset);
        }
        if !key.has("METHOD") {
            key.note(self.findings, "METHOD is missing".to_owned());
            return;
        }
        let format = key.quoted("KEYFORMAT", self.findings).unwrap_or("identity");
        match key.bare("METHOD", self.findings) {
            Some("NONE") => state.encrypted.clear(),
            Some(method) if method.starts_with("SAMPLE-AES") => {
                state.encrypted.remove(format);
            }
            _ => {
                state.encrypted.insert(format);
            }
        }
    }

    /// RFC 8216 4.3.2.5.
    fn map(&mut self, state: &mut State<'a>, tag: (u64, &'a str, &'a str)) {
        let offset = tag.0;
        if self.playlist.i_frames_only {
            self.needs(5, "EXT-X-MAP", offset);
        } else {
            self.needs(6, "EXT-X-MAP outside of an I-frame playlist", offset);
        }
        let map = Attributes::read(self.file, tag, self.playlist.variables, self.findings);
        state.map = Some(None);
        let Some(uri) = map.required("URI", self.findings) else { return };
        let range = match map.quoted("BYTERANGE", self.findings) {
            None => None,
            Some(text) => {
                // Without an offset there is nothing that it could follow but the start of the file.
                let bounds = range(text).map(|(len, start)| (start.unwrap_or(0), len));
                let bounds = bounds.and_then(|(start, len)| Some((start, start.checked_add(len)?)));
                if bounds.is_none() {
                    self.note(&HLS_BYTE_RANGE, offset, format!("{} is no byte range", short(text)));
                    return;
                }
                bounds
            }
        };
        if !state.encrypted.is_empty() {
            self.media.not_checked.insert(ENCRYPTED);
            return;
        }
        if let Some(path) = self.path(state, offset, uri) {
            state.map = Some(Some(Resource { path, range }));
        }
    }

    /// The file that a URI names; `None` if it is none of the package.
    fn path(&mut self, state: &mut State<'a>, offset: u64, uri: &str) -> Option<String> {
        if self.playlist.variables && uri.contains("{$") {
            return None;
        }
        match resolve(self.file, uri) {
            Target::File(path) => Some(path),
            Target::Elsewhere => {
                if !std::mem::replace(&mut state.elsewhere, true) {
                    let message =
                        format!("{} is no name relative to the playlist; it was not opened", short(uri));
                    self.note(&FILE_ELSEWHERE, offset, message);
                }
                None
            }
        }
    }

    fn segment(&mut self, state: &mut State<'a>, offset: u64, uri: &str) {
        let next = std::mem::take(&mut self.next);
        state.segments += 1;
        let path = self.path(state, offset, uri);
        // A file elsewhere has ranges that follow each other too.
        let name = path.clone().unwrap_or_else(|| uri.to_owned());
        let range = match next.byte_range {
            None => Some(None),
            Some(range) => self.bounds(state, offset, &name, range).map(Some),
        };
        state.previous = range.flatten().map(|(_, end)| (name, end));
        let Some((_, duration)) = next.extinf else {
            self.note(&HLS_EXTINF, offset, format!("no EXTINF is in front of {}", short(uri)));
            return;
        };
        let Some(duration) = duration else { return };
        let resource = path.zip(range).map(|(path, range)| Resource { path, range });
        let resource = resource.filter(|resource| !next.gap && self.is_checked(state, offset, resource));
        let mut init = None;
        if let Some(Some(map)) = &state.map {
            match &self.media.track.init {
                None => self.media.track.init = Some(map.clone()),
                Some(first) => init = (map != first).then(|| map.clone()),
            }
        }
        self.media.track.segments.push(ListedSegment {
            resource: resource.unwrap_or_default(),
            duration,
            start: None,
            offset,
            discontinuity: next.discontinuity,
            init,
        });
    }

    /// Start and end of the byte range of a segment of the file `name`.
    fn bounds(
        &mut self,
        state: &State<'a>,
        offset: u64,
        name: &str,
        range: Option<Range>,
    ) -> Option<(u64, u64)> {
        let (len, start) = range?;
        let follows = || state.previous.as_ref().filter(|(file, _)| file == name).map(|(_, end)| *end);
        let Some(start) = start.or_else(follows) else {
            let message =
                "the byte range has no offset, and the segment before it is no range of the same file";
            self.note(&HLS_BYTE_RANGE, offset, message);
            return None;
        };
        let end = start.checked_add(len);
        if end.is_none() {
            self.note(&HLS_BYTE_RANGE, offset, format!("{len} bytes from {start} on are more than any file"));
        }
        Some((start, end?))
    }

    /// Whether a segment can be read as fragmented MP4. One that cannot is looked for all the same.
    fn is_checked(&mut self, state: &State<'a>, offset: u64, resource: &Resource) -> bool {
        let reason = if !state.encrypted.is_empty() {
            ENCRYPTED
        } else if self.playlist.i_frames_only && resource.range.is_some() {
            I_FRAMES
        } else {
            match state.map {
                Some(Some(_)) => return true,
                // Said where the map is.
                Some(None) => {
                    first_box(self.files, resource, self.findings);
                    return false;
                }
                None => NO_MP4,
            }
        };
        let first_box = first_box(self.files, resource, self.findings);
        if reason == NO_MP4 && first_box.is_some_and(|kind| FRAGMENTED_MP4.contains(&&kind)) {
            self.note(&HLS_MAP, offset, format!("{} has no EXT-X-MAP", short(&resource.path)));
        } else {
            self.media.not_checked.insert(reason);
        }
        false
    }
}

/// What a segment of fragmented MP4 may start with.
const FRAGMENTED_MP4: [&[u8; 4]; 6] = [b"styp", b"ftyp", b"sidx", b"prft", b"emsg", b"moof"];

/// The type of the first box of a file that has to be there, if that is long enough to have one.
fn first_box(files: &dyn Files, resource: &Resource, findings: &mut Findings) -> Option<[u8; 4]> {
    let source = super::super::open(files, &resource.path, findings)?;
    let Some(range) = resource.range_in(source.len()) else {
        super::super::cut_off(&resource.path, resource, source.len(), findings);
        return None;
    };
    let mut bytes = [0; 8];
    if range.end - range.start < 8 || source.read_at(range.start, &mut bytes).is_err() {
        return None;
    }
    let [_, _, _, _, kind @ ..] = bytes;
    Some(kind)
}

/// `n[@o]`, `n` above 0.
fn range(text: &str) -> Option<Range> {
    let (len, start) = match text.split_once('@') {
        Some((len, start)) => (len, Some(integer(start)?)),
        None => (text, None),
    };
    Some((integer(len).filter(|&len| len > 0)?, start))
}
