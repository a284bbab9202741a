//! Anything a track may be ► an MPD that another parser reads the same from.

use proptest::prelude::*;
use roxmltree::{Document, Node};

use super::*;

/// What one segment is: number, start and duration in ticks of its track.
type Times = (u64, u64, u64);

/// Segments of a SegmentTemplate by the letter of the standard: `S` elements one after the other, `r` repeats each, a start
/// where there is one.
fn expanded(template: Node) -> Vec<Times> {
    let number = |node: &Node, name: &str| node.attribute(name).map(|text| text.parse::<u64>().unwrap());
    let mut all = Vec::new();
    let mut next = (number(&template, "startNumber").unwrap(), None);
    for s in template.descendants().filter(|node| node.has_tag_name("S")) {
        let duration = number(&s, "d").unwrap();
        let mut start = number(&s, "t").or(next.1).expect("the first S says when it starts");
        for _ in 0..=number(&s, "r").unwrap_or(0) {
            all.push((next.0, start, duration));
            start += duration;
            next = (next.0 + 1, Some(start));
        }
    }
    all
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.tag_name().name() == name)
}

/// A template with its one number put in, as `printf` does.
fn with_number(template: &str, number: u64) -> String {
    template.replace("$Number%05d$", &format!("{number:05}"))
}

/// Words of a person: any characters, those that mean something in XML more often.
fn words() -> impl Strategy<Value = Option<String>> {
    prop::option::of("([<>&\"' \t\n\r\\]a]|\\PC|[\u{0}\u{1f}\u{7f}\u{85}\u{fffe}]){0,12}")
}

fn language() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-z]{2,3}(-[A-Z0-9]{2,8}){0,2}|[a-z0-9_ -]{0,5}")
}

prop_compose! {
    fn any_track(is_video: bool)(
        labels in (language(), words(), words()),
        scale in prop::sample::select(vec![1u32, 24_000, 25_000, 30_000, 44_100, 48_000, 90_000]),
        first in (1u32..200_000, prop_oneof![Just(0), 0u64..1 << 40]),
        runs in prop::collection::vec((0u64..10_000_000, 1u64..1_000_000, 1usize..4), 1..6),
    ) -> PackagedTrack {
        let sizes: Vec<_> =
            runs.iter().flat_map(|&(bytes, ticks, n)| std::iter::repeat_n((bytes, ticks), n)).collect();
        let (name, media) = if is_video {
            (("video/x_~.1", "avc1.64001f"), pictures(square(640, 360), (25, 1)))
        } else {
            (("a", "mp4a.40.2"), STEREO)
        };
        let (language, label, role) = labels;
        track_from(first, name, media, scale, &sizes)
            .with_language(language)
            .with_name(label)
            .with_role(role)
    }
}

proptest! {
    #[test]
    fn another_parser_reads_the_same(video in any_track(true), audio in any_track(false)) {
        let tracks = [video.clone(), audio.clone()];
        let text = match mpd_of(vec![video], vec![audio]) {
            Ok(text) => text,
            Err(error) => {
                let sound = |track: &PackagedTrack| {
                    let is_char = |c: char| c == '\t' || c == '\n' || c == '\r' || c >= ' ' && c != '\u{fffe}';
                    let words = [track.name(), track.role()].into_iter().flatten();
                    let tag = track.language().is_none_or(|tag| {
                        tag.split('-').enumerate().all(|(index, part)| {
                            (1..=8).contains(&part.len())
                                && part.chars().all(|c| c.is_ascii_alphabetic() || index > 0 && c.is_ascii_digit())
                        })
                    });
                    tag && words.flat_map(str::chars).all(is_char)
                };
                let is_fast = error.to_string().contains("bit/s");
                prop_assert!(is_fast || !tracks.iter().all(sound), "{error}");
                return Ok(());
            }
        };
        let document = Document::parse(&text).unwrap();
        let mpd = document.root_element();
        prop_assert_eq!(mpd.tag_name().namespace(), Some("urn:mpeg:dash:schema:mpd:2011"));
        let sets: Vec<_> = mpd.descendants().filter(|node| node.has_tag_name("AdaptationSet")).collect();
        prop_assert_eq!(sets.len(), 2);
        let mut zeros = Vec::new();
        for (set, track) in sets.into_iter().zip(&tracks) {
            prop_assert_eq!(set.attribute("lang"), track.language());
            let label = child(set, "Label");
            prop_assert_eq!(label.map(|label| label.text().unwrap_or("")), track.name());
            let roles: Vec<_> = set.children().filter(|node| node.has_tag_name("Role")).collect();
            if let Some(role) = track.role() {
                prop_assert!(roles.iter().any(|node| node.attribute("value") == Some(role)));
            }
            let representation = child(set, "Representation").unwrap();
            prop_assert_eq!(representation.attribute("id"), Some(track.directory()));
            let template = child(representation, "SegmentTemplate").unwrap();
            prop_assert_eq!(template.attribute("timescale").unwrap(), track.timescale().to_string());
            let segments = expanded(template);
            let own: Vec<Times> = track
                .segments()
                .iter()
                .map(|segment| (segment.number.get().into(), segment.base_decode_time.0, segment.duration.0))
                .collect();
            prop_assert_eq!(&segments, &own);
            for (segment, (number, ..)) in track.segments().iter().zip(segments) {
                let url = with_number(template.attribute("media").unwrap(), number);
                prop_assert_eq!(url, format!("{}/{}", track.directory(), segment.uri));
            }
            let offset: u64 = template.attribute("presentationTimeOffset").map_or(0, |n| n.parse().unwrap());
            prop_assert!(offset <= own[0].1);
            zeros.push((u128::from(offset), u128::from(track.timescale().get())));
            // The Period ends at the end of the track or behind it, and less than a microsecond behind the last.
            let end = own.last().map(|(_, start, duration)| start + duration - offset).unwrap();
            let end = u128::from(end) * 1_000_000;
            let duration = microseconds(mpd.attribute("mediaPresentationDuration").unwrap());
            prop_assert!(duration * u128::from(track.timescale().get()) >= end);
        }
        prop_assert_eq!(zeros[0].0 * zeros[1].1, zeros[1].0 * zeros[0].1, "one instant in both timescales");
        let ends_there = tracks.iter().zip(&zeros).any(|(track, (offset, timescale))| {
            let last = track.segments().last().unwrap();
            let end = u128::from(last.base_decode_time.0 + last.duration.0) - offset;
            let duration = microseconds(mpd.attribute("mediaPresentationDuration").unwrap());
            (duration - 1) * timescale < end * 1_000_000
        });
        prop_assert!(ends_there);
    }

    /// The definition by the letter: every start and every segment behind it; and no less than the average.
    #[test]
    fn bandwidth_is_the_least_that_never_runs_dry(
        sizes in prop::collection::vec((0u64..2_000_000, 1u64..400_000), 1..12),
    ) {
        let track = track(("v", "avc1.64001f"), STEREO, 30_000, &sizes);
        let longest = sizes.iter().map(|size| size.1).max().unwrap();
        let buffer = Microseconds::ceil(longest.into(), track.timescale());
        let mut least = 1;
        for first in 0..sizes.len() {
            let (mut bits, mut time) = (0, buffer.0 * 30_000);
            for (bytes, ticks) in &sizes[first..] {
                bits += u128::from(*bytes) * 8;
                least = least.max((bits * 30_000 * 1_000_000).div_ceil(time));
                time += u128::from(*ticks) * 1_000_000;
            }
        }
        let sum = |of: fn(&(u64, u64)) -> u64| sizes.iter().map(|size| u128::from(of(size))).sum::<u128>();
        let average = (sum(|size| size.0) * 8 * 30_000).div_ceil(sum(|size| size.1));
        let least = u32::try_from(least.max(average)).ok();
        prop_assert_eq!(bandwidth::bandwidth(&track, buffer).ok(), least);
    }
}

/// An `xs:duration` of seconds alone.
fn microseconds(text: &str) -> u128 {
    let seconds = text.strip_prefix("PT").and_then(|text| text.strip_suffix('S')).unwrap();
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    format!("{whole}{fraction:0<6}").parse().unwrap()
}
