//! What fuzzing asserts of manifests, of tracks with any words and times.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::{dash, hls};
use crate::codec::{Colour, SampleAspectRatio, ScanType, VideoFormat};
use crate::presentation::{Media, PackagedTrack, Presentation, Segment};
use crate::time::{DecodeTime, FrameRate, Ticks, Timescale};

/// Makes up to four tracks of `data` and writes their manifests: each is an error, or a second run gives the same, it is well
/// formed, and what it says is read back as it was put in: words, codec strings, and number, time and duration of every
/// segment.
#[doc(hidden)]
pub fn fuzz_manifests(data: &[u8]) {
    let mut source = Source(data);
    let tracks: Vec<_> = (0..=source.number(1) % 4).filter_map(|index| track(&mut source, index)).collect();
    let (video, audio) = tracks.into_iter().partition(|track| track.media().is_video());
    let Ok(presentation) = Presentation::new(video, audio) else { return };
    let target_duration = hls::target_duration(&presentation);
    for track in presentation.tracks() {
        let text =
            hls::write_media(track, target_duration).expect("the target duration of all holds for each");
        check_media_playlist(&text, track);
    }
    if let Ok(text) = hls::write_master(&presentation) {
        assert_eq!(text, hls::write_master(&presentation).expect("as before"));
        check_master_playlist(&text, &presentation);
    }
    if let Ok(text) = dash::write_mpd(&presentation) {
        assert_eq!(text, dash::write_mpd(&presentation).expect("as before"));
        check_mpd(&text, &presentation);
    }
}

/// Bytes, and zeros behind them.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    /// A number of so many bytes.
    fn number(&mut self, bytes: usize) -> u64 {
        let (head, rest) = self.0.split_at(self.0.len().min(bytes));
        self.0 = rest;
        head.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn small(&mut self) -> u16 {
        self.number(2).try_into().expect("two bytes")
    }

    fn byte(&mut self) -> u8 {
        self.number(1).try_into().expect("one byte")
    }

    /// Up to 31 bytes as text, in one of eight cases none.
    fn words(&mut self) -> Option<String> {
        let length = self.number(1) as usize;
        let (head, rest) = self.0.split_at(self.0.len().min(length % 32));
        self.0 = rest;
        (length < 224).then(|| String::from_utf8_lossy(head).into_owned())
    }

    fn nonzero(&mut self, bytes: usize) -> NonZeroU32 {
        u32::try_from(self.number(bytes)).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }
}

fn track(source: &mut Source, index: u64) -> Option<PackagedTrack> {
    let kind = source.byte();
    let codec = if kind & 1 == 0 { "avc1.64001f" } else { "mp4a.40.2" };
    let codec = if kind & 2 == 0 { codec.to_owned() } else { source.words()? };
    let media = if kind & 1 == 0 {
        let mut format = VideoFormat::of_size(source.small(), source.small());
        let [horizontal, vertical] = [source.small().max(1), source.small().max(1)];
        format.sample_aspect_ratio = (kind & 4 != 0).then_some(SampleAspectRatio { horizontal, vertical });
        let [primaries, transfer, matrix] = [(); 3].map(|()| source.byte());
        format.colour =
            (kind & 8 != 0).then_some(Colour { primaries, transfer, matrix, full_range: kind & 16 != 0 });
        format.preferred_transfer = (kind & 32 != 0).then_some(primaries);
        let scan = (kind & 64 != 0).then_some(ScanType::Interlaced);
        Media::Video { format, frame_rate: FrameRate::new(source.number(4), source.number(4)), scan }
    } else {
        Media::Audio { channels: source.small(), sample_rate: source.nonzero(4).get() }
    };
    let timescale = Timescale::new(source.nonzero(4));
    let [mut number, mut start] = [source.number(4), source.number(8)];
    let mut segments = Vec::new();
    for _ in 0..=source.number(1) % 16 {
        let (bytes, ticks) = (source.number(4), source.number(3));
        let Some(this) = u32::try_from(number).ok().and_then(NonZeroU32::new) else { break };
        segments.push(Segment::new(this, bytes, Ticks(ticks), DecodeTime(start)));
        (number, start) = (number + 1, start.checked_add(ticks)?);
    }
    let track = PackagedTrack::new(format!("t/{index}"), codec, media, timescale, segments).ok()?;
    Some(
        track
            .with_language(source.words())
            .with_name(source.words())
            .with_role(source.words())
            .with_default(kind & 128 != 0),
    )
}

/// The lines of a playlist, of which none has a control character.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    assert!(text.starts_with("#EXTM3U\n") && text.ends_with('\n'));
    text[..text.len() - 1].split('\n').inspect(|line| assert!(!line.contains(char::is_control), "{line}"))
}

fn check_media_playlist(text: &str, track: &PackagedTrack) {
    let mut durations = Vec::new();
    let mut uris = Vec::new();
    for line in lines(text) {
        if let Some(duration) = line.strip_prefix("#EXTINF:") {
            let (whole, fraction) = duration.trim_end_matches(',').split_once('.').expect("six decimals");
            assert_eq!(fraction.len(), 6);
            durations.push(format!("{whole}{fraction}").parse::<u64>().expect("a number"));
        } else if !line.starts_with('#') {
            uris.push(line);
        }
    }
    assert!(durations.into_iter().eq(track.rounded_durations()));
    assert!(uris.into_iter().eq(track.segments().iter().map(|segment| segment.uri.as_str())));
}

fn check_master_playlist(text: &str, presentation: &Presentation) {
    let find = |uri: &str| {
        let directory = uri.strip_suffix("/playlist.m3u8").expect("a media playlist");
        presentation.tracks().find(|track| track.directory() == directory).expect("of a track")
    };
    let mut lines = lines(text);
    let mut names = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(list) = line.strip_prefix("#EXT-X-MEDIA:") {
            let attributes = attribute_list(list);
            let track = find(&attributes["URI"]);
            // Of a choice that is in several groups, as the first has it: upper and lower case say the same (BCP 47 2.1.1).
            let language = attributes.get("LANGUAGE").map(|language| language.to_ascii_lowercase());
            assert_eq!(language, track.language().map(str::to_ascii_lowercase));
            let name = &attributes["NAME"];
            assert!(track.name().is_none_or(|given| name.starts_with(given)), "{name}");
            // A choice has the same name in every group (8216bis 4.4.6.1.1).
            let member = (attributes["GROUP-ID"].clone(), name.clone());
            assert!(!names.contains(&member), "{name}");
            names.push(member);
        } else if let Some(list) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            let attributes = attribute_list(list);
            let track = find(lines.next().expect("the URI behind it"));
            assert!(attributes["CODECS"].split(',').any(|codec| codec == track.codec()));
        } else {
            assert!(line.starts_with("#EXT"), "{line}");
        }
    }
}

/// An attribute list (RFC 8216 4.2), by the letter: names differ, quoted strings have no quotation mark, other values no comma.
fn attribute_list(mut rest: &str) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    loop {
        let (name, value) = rest.split_once('=').expect("a name and a value");
        assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'), "{name}");
        let end;
        let value = if let Some(quoted) = value.strip_prefix('"') {
            let (value, behind) = quoted.split_once('"').expect("a closing quotation mark");
            end = behind;
            value
        } else {
            let length = value.find(',').unwrap_or(value.len());
            end = &value[length..];
            assert!(!value[..length].contains(['"', ' ']), "{value}");
            &value[..length]
        };
        assert_eq!(attributes.insert(name.to_owned(), value.to_owned()), None, "{name} twice");
        match end.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                assert_eq!(end, "");
                return attributes;
            }
        }
    }
}

/// What an MPD says of one set of tracks.
#[derive(Default)]
struct Set {
    language: Option<String>,
    roles: Vec<String>,
    labels: Vec<String>,
    tracks: Vec<Told>,
}

/// What it says of one of them.
#[derive(Default)]
struct Told {
    directory: String,
    codec: String,
    timescale: String,
    offset: u64,
    next_number: u64,
    next_start: Option<u64>,
    segments: Vec<(u64, u64, u64)>,
}

fn check_mpd(text: &str, presentation: &Presentation) {
    let mut tracks = 0;
    for set in read_mpd(text) {
        let members: Vec<_> = set
            .tracks
            .iter()
            .map(|told| {
                presentation.tracks().find(|track| track.directory() == told.directory).expect("a track")
            })
            .collect();
        tracks += members.len();
        for (told, track) in set.tracks.iter().zip(&members) {
            assert_eq!(
                (told.codec.as_str(), &told.timescale),
                (track.codec(), &track.timescale().to_string())
            );
            let times = |segment: &Segment| {
                (u64::from(segment.number.get()), segment.base_decode_time.0, segment.duration.0)
            };
            assert!(told.segments.iter().copied().eq(track.segments().iter().map(times)));
            assert!(told.segments.first().is_some_and(|first| told.offset <= first.1));
            assert!(track.role().is_none_or(|role| set.roles.iter().any(|told| told == role)));
            assert!(track.name().is_none_or(|name| set.labels.iter().any(|told| told == name)));
        }
        let language = members[0].language();
        if members.iter().all(|track| track.language() == language) {
            assert_eq!(set.language.as_deref(), language);
        }
    }
    assert_eq!(tracks, presentation.tracks().count());
}

/// Reads an MPD with another part of quick-xml than writes it, and an own look at its escapes.
fn read_mpd(text: &str) -> Vec<Set> {
    let mut reader = Reader::from_str(text);
    let mut sets: Vec<Set> = Vec::new();
    let mut label: Option<String> = None;
    let mut depth = 0;
    loop {
        match reader.read_event().expect("well formed") {
            Event::Start(element) => {
                depth += 1;
                label = (element.name().0 == "Label").then(String::new);
                take(&element, &mut sets);
            }
            Event::Empty(element) => take(&element, &mut sets),
            Event::End(_) => {
                depth -= 1;
                if let (Some(label), Some(set)) = (label.take(), sets.last_mut()) {
                    set.labels.push(label);
                }
            }
            Event::Text(part) => match &mut label {
                Some(label) => label.push_str(&part.xml10_content()),
                None => assert!(part.trim_ascii().is_empty()),
            },
            Event::GeneralRef(part) => label.as_mut().expect("only there").push(character(&part)),
            Event::Decl(_) => assert_eq!(depth, 0),
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(depth, 0);
    sets
}

fn character(reference: &BytesRef) -> char {
    let named = || match reference.xml10_content().as_ref() {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        other => panic!("entity {other}"),
    };
    reference.resolve_char_ref().expect("a character").unwrap_or_else(named)
}

/// Attributes of an element by name, each once and escaped.
fn attributes(element: &BytesStart) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for attribute in element.attributes() {
        let attribute = attribute.expect("well formed, each once");
        let raw = attribute.value.as_ref();
        assert!(!raw.contains(['<', '"', '\t', '\n', '\r']), "{raw}");
        let value = raw.split('&').enumerate().map(|(index, part)| match (index, part.split_once(';')) {
            (0, _) => part.to_owned(),
            (_, Some((name, behind))) => format!("{}{behind}", character(&BytesRef::new(name))),
            (_, None) => panic!("an ampersand alone: {raw}"),
        });
        all.insert(attribute.key.0.to_owned(), value.collect());
    }
    all
}

fn take(element: &BytesStart, sets: &mut Vec<Set>) {
    let mut attributes = attributes(element);
    let mut take = |name: &str| attributes.remove(name);
    if element.name().0 == "AdaptationSet" {
        return sets.push(Set { language: take("lang"), ..Set::default() });
    }
    let Some(set) = sets.last_mut() else { return };
    let track = set.tracks.last_mut();
    let number = |text: String| text.parse::<u64>().expect("a number");
    match (element.name().0, track) {
        ("Role", _) => set.roles.extend(take("value")),
        ("Representation", _) => {
            let [directory, codec] = ["id", "codecs"].map(|name| take(name).expect("always there"));
            set.tracks.push(Told { directory, codec, ..Told::default() });
        }
        ("SegmentTemplate", Some(track)) => {
            track.timescale = take("timescale").expect("always there");
            track.offset = take("presentationTimeOffset").map_or(0, number);
            track.next_number = take("startNumber").map(number).expect("always there");
            let media = format!("{}/seg-$Number%05d$.m4s", track.directory);
            assert_eq!(take("media"), Some(media));
            assert_eq!(take("initialization"), Some(format!("{}/init.mp4", track.directory)));
        }
        ("S", Some(track)) => {
            let duration = take("d").map(number).expect("always there");
            for _ in 0..=take("r").map_or(0, number) {
                let start = take("t").map(number).or(track.next_start).expect("the first has t");
                track.segments.push((track.next_number, start, duration));
                track.next_number += 1;
                track.next_start = Some(start + duration);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Bytes that make tracks more often than not: words between lengths, then times.
        #[test]
        fn any_bytes_give_an_error_or_manifests_that_read_the_same(
            tracks in prop::collection::vec(
                (
                    any::<u8>(),
                    prop::collection::vec(any::<u8>(), 12..28),
                    prop::collection::vec((0u8..3, any::<[u8; 4]>(), 1u8..9), 1..16),
                    prop::collection::vec("[ -~]{0,12}|[a-z]{2}|\\PC{0,7}|[<>&\"'\t\n\r\u{1}\u{fffe}]{0,4}", 3),
                ),
                1..5,
            ),
        ) {
            let mut data = vec![tracks.len() as u8 - 1];
            for (kind, head, segments, words) in tracks {
                let kind = kind & !2;
                data.push(kind);
                let format = if kind & 1 == 0 { 19 } else { 6 };
                data.extend(head.iter().cycle().take(format));
                data.extend([0, 0, 0xbb, 0x80, 0, 0, 1, head[0], 0, 0, 0, head[1], 0, 0, 0, head[2]]);
                data.push(segments.len() as u8 - 1);
                for (high, [_, bytes @ ..], ticks) in segments {
                    data.extend([&[0][..], &bytes, &[high, 0, ticks]].concat());
                }
                for word in words {
                    data.push(word.len() as u8);
                    data.extend(word.bytes());
                }
            }
            fuzz_manifests(&data);
        }

        #[test]
        fn any_bytes_at_all(data in prop::collection::vec(any::<u8>(), 0..400)) {
            fuzz_manifests(&data);
        }
    }
}
