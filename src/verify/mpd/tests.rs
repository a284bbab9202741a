//! MPDs of each shape that packagers write, each rule broken, and bytes of any kind.

use proptest::prelude::*;

use super::broken::BROKEN;
use super::index::tests::sidx;
use super::*;
use crate::verify::findings::Finding;
use crate::verify::listing::{ListedDuration, ListedFrameRate, ListedTrack, Time};
use crate::verify::testing::{Memory, package};

/// A static MPD of 9 s around periods.
fn mpd(periods: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
         profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" minBufferTime=\"PT2S\" \
         mediaPresentationDuration=\"PT9S\">{periods}</MPD>"
    )
}

/// One with a representation of H.264 that has `inner` in it.
fn one(inner: &str) -> String {
    mpd(&format!(
        "<Period><AdaptationSet mimeType=\"video/mp4\" segmentAlignment=\"true\">\
         <Representation id=\"v\" bandwidth=\"1000\" codecs=\"avc1.640028\">{inner}</Representation></AdaptationSet></Period>"
    ))
}

fn template(attributes: &str, inner: &str) -> String {
    one(&format!(
        "<SegmentTemplate timescale=\"10\" initialization=\"$RepresentationID$/i.mp4\" {attributes}>{inner}</SegmentTemplate>"
    ))
}

fn timeline(entries: &str) -> String {
    template("media=\"$Number$.m4s\"", &format!("<SegmentTimeline>{entries}</SegmentTimeline>"))
}

fn read_in(mut files: Memory, text: &str) -> (Option<Listing>, Vec<Finding>) {
    files.0.insert("d/m.mpd".to_owned(), text.as_bytes().to_vec());
    let mut findings = Findings::default();
    let listing = read(&files, "d/m.mpd", &mut findings);
    (listing, findings.into_vec())
}

fn rules_of(text: &str) -> Vec<&'static str> {
    let mut ids: Vec<_> = read_in(Memory::default(), text).1.iter().map(|finding| finding.rule.id).collect();
    ids.dedup();
    ids
}

/// The listing of an MPD in which nothing is wrong.
fn sound_in(files: Memory, text: &str) -> Listing {
    let (listing, findings) = read_in(files, text);
    assert_eq!(findings, [], "{text}");
    listing.unwrap()
}

fn sound(text: &str) -> Listing {
    sound_in(Memory::default(), text)
}

/// Path, range, start and duration of each segment, in ticks.
type Row<'a> = (&'a str, Option<(u64, u64)>, i128, i128);

fn rows(track: &ListedTrack) -> Vec<Row<'_>> {
    let row = |segment: &'_ crate::verify::listing::ListedSegment| {
        let (ListedDuration::Exact(time) | ListedDuration::Nominal(time)) = segment.duration else {
            panic!("{segment:?}")
        };
        (segment.resource.range, segment.start.unwrap().ticks, time.ticks)
    };
    let segments = track.segments.iter();
    segments.map(|one| (one.resource.path.as_str(), row(one).0, row(one).1, row(one).2)).collect()
}

#[test]
fn a_timeline_tells_every_time() {
    let text = template(
        "media=\"$RepresentationID$-$Bandwidth$-$Number%03d$.m4s\" startNumber=\"7\" presentationTimeOffset=\"50\"",
        "<SegmentTimeline><S t=\"50\" d=\"20\" r=\"1\"/><S d=\"30\"/><S t=\"120\" d=\"20\"/></SegmentTimeline>",
    );
    let listing = sound(&text);
    let track = &listing.tracks[0];
    assert_eq!(track.init, Some(Resource { path: "d/v/i.mp4".to_owned(), range: None }));
    assert_eq!(
        rows(track),
        [
            ("d/v-1000-007.m4s", None, 50, 20),
            ("d/v-1000-008.m4s", None, 70, 20),
            ("d/v-1000-009.m4s", None, 90, 30),
            ("d/v-1000-010.m4s", None, 120, 20),
        ]
    );
    assert!(matches!(track.segments[0].duration, ListedDuration::Exact(_)));
    assert_eq!(&text[track.segments[1].offset as usize..][..9], "<S t=\"50\"");
    assert_eq!(&text[track.offset.unwrap() as usize..][..15], "<Representation");
    assert_eq!(track.presentation_time_offset, Some(Time::new(50, 10)));
    assert_eq!((listing.duration, track.is_live), (Some(Time::new(9_000_000_000, 1_000_000_000)), false));
}

#[test]
fn negative_repeats_go_on_to_the_next_or_the_end() {
    let listing = sound(&timeline("<S t=\"0\" d=\"20\" r=\"-1\"/><S t=\"50\" d=\"20\" r=\"-1\"/>"));
    let starts: Vec<_> = rows(&listing.tracks[0]).iter().map(|row| row.2).collect();
    assert_eq!(starts, [0, 20, 40, 50, 70]);
    let listing = sound(&template(
        "media=\"$Time$\" presentationTimeOffset=\"100\"",
        "<SegmentTimeline><S t=\"100\" d=\"40\" r=\"-1\"/></SegmentTimeline>",
    ));
    assert_eq!(listing.tracks[0].segments.len(), 3);
}

#[test]
fn numbers_go_on_to_the_end_of_the_period() {
    let text = template("media=\"$Number$.m4s\" duration=\"20\" startNumber=\"0\"", "");
    let listing = sound(&text);
    let expected: Vec<_> = (0..5).map(|index| (format!("d/{index}.m4s"), i128::from(index) * 20)).collect();
    let listed: Vec<_> = rows(&listing.tracks[0]).iter().map(|row| (row.0.to_owned(), row.2)).collect();
    assert_eq!(listed, expected);
    assert!(matches!(listing.tracks[0].segments[0].duration, ListedDuration::Nominal(_)));
    let listing = sound(&template("media=\"$Number$.m4s\" duration=\"20\" endNumber=\"3\"", ""));
    assert_eq!(listing.tracks[0].segments.len(), 3);
    // One segment for all of it.
    let listing = sound(&template("media=\"all.m4s\"", ""));
    assert_eq!(rows(&listing.tracks[0]), [("d/all.m4s", None, 0, 9_000_000_000)]);
}

#[test]
fn a_last_segment_that_hardly_is_in_the_period_need_not_be_there() {
    let text = template("media=\"$Number$.m4s\" duration=\"44\"", "");
    let count = |files: &Memory| sound_in(files.clone(), &text).tracks[0].segments.len();
    let mut files = Memory::default();
    assert_eq!(count(&files), 2);
    files.0.insert("d/3.m4s".to_owned(), Vec::new());
    assert_eq!(count(&files), 3);
    // Half of the last one is in it here.
    let text = template("media=\"$Number$.m4s\" duration=\"36\"", "");
    assert_eq!(sound(&text).tracks[0].segments.len(), 3);
}

#[test]
fn what_a_level_does_not_say_the_one_around_it_does() {
    let listing = sound(&mpd(
        "<BaseURL>p/</BaseURL><Period><BaseURL>q/</BaseURL><SegmentTemplate timescale=\"10\" media=\"$Number$.m4s\" initialization=\"o.mp4\"/>\
         <AdaptationSet contentType=\"video\" mimeType=\"video/mp4\" codecs=\"hvc1.1.6.L93.B0\" frameRate=\"30000/1001\">\
         <SegmentTemplate startNumber=\"4\"><SegmentTimeline><S d=\"90\"/></SegmentTimeline></SegmentTemplate>\
         <Representation id=\"1\" bandwidth=\"1\"><BaseURL>../r/</BaseURL></Representation>\
         <Representation id=\"2\" bandwidth=\"2\" codecs=\"hev1.1.6.L93.B0\"><SegmentTemplate initialization=\"i.mp4\"/>\
         </Representation></AdaptationSet></Period>",
    ));
    let [first, second] = listing.tracks.as_slice() else { panic!("{listing:?}") };
    assert_eq!(rows(first), [("d/p/r/4.m4s", None, 0, 90)]);
    assert_eq!(rows(second), [("d/p/q/4.m4s", None, 0, 90)]);
    let init = |track: &ListedTrack| track.init.as_ref().map(|init| init.path.clone());
    assert_eq!((init(first).as_deref(), init(second).as_deref()), (Some("d/p/r/o.mp4"), Some("d/p/q/i.mp4")));
    assert_eq!(first.claims.codecs, ["hvc1.1.6.L93.B0"]);
    assert_eq!(second.claims.codecs, ["hev1.1.6.L93.B0"]);
    assert_eq!(second.claims.frame_rate, Some(ListedFrameRate::Exact(30000, 1001)));
    assert_eq!(listing.switching_sets, [[0, 1]]);
}

#[test]
fn lists_name_files_and_parts_of_one() {
    let listing = sound(&one(
        "<BaseURL>a.mp4</BaseURL><SegmentList timescale=\"10\" duration=\"40\"><Initialization range=\"0-9\"/>\
         <SegmentURL mediaRange=\"10-19\" indexRange=\"10-12\"/><SegmentURL mediaRange=\"20-49\"/>\
         <SegmentURL media=\"b.m4s\"/></SegmentList>",
    ));
    let track = &listing.tracks[0];
    assert_eq!(track.init, Some(Resource { path: "d/a.mp4".to_owned(), range: Some((0, 10)) }));
    assert_eq!(
        rows(track),
        [("d/a.mp4", Some((10, 20)), 0, 40), ("d/a.mp4", Some((20, 50)), 40, 40), ("d/b.m4s", None, 80, 40),]
    );
}

/// `ftyp` and `moov` of 20 bytes, an index of 56, and two subsegments.
fn indexed_file() -> Memory {
    let mut file = b"\0\0\0\x08ftyp\0\0\0\x0cmoov....".to_vec();
    file.extend(sidx(1, 500, 0, &[(false, 30, 2000), (false, 10, 1000)]));
    file.extend([0; 40]);
    Memory([("d/a.mp4".to_owned(), file)].into())
}

#[test]
fn an_index_tells_of_the_parts_of_a_file() {
    let end = 20 + 32 + 8 + 24;
    let text = format!(
        "<BaseURL>a.mp4</BaseURL><SegmentBase indexRange=\"20-{}\" timescale=\"1000\">\
         <Initialization range=\"0-19\"/></SegmentBase>",
        end - 1
    );
    let text = one(&text);
    let listing = sound_in(indexed_file(), &text);
    let track = &listing.tracks[0];
    assert_eq!(track.init, Some(Resource { path: "d/a.mp4".to_owned(), range: Some((0, 20)) }));
    assert_eq!(
        rows(track),
        [("d/a.mp4", Some((end, end + 30)), 500, 2000), ("d/a.mp4", Some((end + 30, end + 40)), 2500, 1000)]
    );
    // Without the range of the init segment that is found.
    let without = text.replace("<Initialization range=\"0-19\"/>", "");
    assert_eq!(sound_in(indexed_file(), &without).tracks[0].init, track.init);
    // What is broken in the file is told of the file, what the MPD says wrong of that.
    let mut cut = indexed_file();
    cut.bytes("d/a.mp4").pop();
    let (_, findings) = read_in(cut, &text);
    let told: Vec<_> = findings.iter().map(|f| (f.rule.id, f.file.as_str(), f.offset)).collect();
    assert_eq!(told, [("mpd-index", "d/a.mp4", Some(20))]);
    let (_, findings) = read_in(indexed_file(), &text.replace("\"20-", "\"8-"));
    let told: Vec<_> = findings.iter().map(|f| (f.rule.id, f.file.as_str())).collect();
    assert_eq!(told, [], "a box before the index is passed over");
    let (_, findings) = read_in(indexed_file(), &text.replace("\"20-", "\"21-"));
    let told: Vec<_> = findings.iter().map(|f| (f.rule.id, f.file.as_str())).collect();
    assert_eq!(told, [("mpd-index", "d/m.mpd")]);
    // A file that is not there is told once, by whoever opens its init segment.
    let (listing, findings) = read_in(Memory::default(), &text);
    assert!(findings.is_empty() && listing.unwrap().tracks[0].init.is_some());
    let (_, findings) = read_in(Memory::default(), &without);
    assert_eq!(findings.iter().map(|f| f.rule.id).collect::<Vec<_>>(), ["file-missing"]);
}

#[test]
fn the_last_period_ends_with_the_presentation() {
    let period = |attributes: &str, before: &str| {
        let inner = "<SegmentTemplate timescale=\"10\" duration=\"30\" initialization=\"i.mp4\" media=\"$Number$.m4s\"/>";
        rules_of(&one(inner).replace("<Period>", &format!("{before}<Period {attributes}>")))
    };
    for sound in ["", "duration=\"PT9S\"", "start=\"PT5S\" duration=\"PT4S\"", "duration=\"PT9.1S\""] {
        assert_eq!(period(sound, ""), [""; 0], "{sound}");
    }
    for broken in ["duration=\"PT5S\"", "duration=\"PT15S\"", "start=\"PT5S\" duration=\"PT9S\""] {
        assert_eq!(period(broken, ""), ["mpd-duration"], "{broken}");
    }
}

#[test]
fn a_file_without_index_is_one_segment_behind_its_init_part() {
    let listing = sound_in(indexed_file(), &one("<BaseURL>a.mp4</BaseURL>"));
    let track = &listing.tracks[0];
    assert_eq!(track.init, Some(Resource { path: "d/a.mp4".to_owned(), range: Some((0, 20)) }));
    assert_eq!(rows(track), [("d/a.mp4", Some((20, 124)), 0, 9_000_000_000)]);
    // What is no ISO base media file has no init segment that could be read, and has to be there all the same.
    let text = one("<BaseURL>a.vtt</BaseURL>").replace("video/mp4", "text/vtt");
    let files = Memory([("d/a.vtt".to_owned(), Vec::from("WEBVTT"))].into());
    let (listing, findings) = read_in(files, &text);
    let listing = listing.unwrap();
    assert_eq!((listing.tracks[0].init.as_ref(), findings.len()), (None, 0));
    assert_eq!(rows(&listing.tracks[0])[0].0, "d/a.vtt");
    assert_eq!(listing.not_checked, [presentation::NO_MP4]);
    assert_eq!(rules_of(&text), ["file-missing"]);
}

#[test]
fn segments_without_an_init_segment_have_to_be_there() {
    let text = template("media=\"$Number$.m4s\" duration=\"50\"", "").replace(" initialization=", " x=");
    let mut files = Memory::default();
    files.0.insert("d/1.m4s".to_owned(), Vec::new());
    let (_, findings) = read_in(files.clone(), &text);
    let told: Vec<_> = findings.iter().map(|f| (f.rule.id, f.file.as_str())).collect();
    assert_eq!(told, [("file-missing", "d/2.m4s")]);
    files.0.insert("d/2.m4s".to_owned(), Vec::new());
    assert_eq!(sound_in(files, &text).tracks[0].init, None);
}

#[test]
fn periods_follow_each_other() {
    let period = |attributes: &str| {
        format!(
            "<Period {attributes}><AdaptationSet mimeType=\"video/mp4\"><SegmentTemplate initialization=\"i\" media=\"$Number$.m4s\" \
             duration=\"1\"/><Representation id=\"v\" bandwidth=\"1\" codecs=\"avc1.640028\"/></AdaptationSet></Period>"
        )
    };
    let counts = |periods: &[&str]| {
        let text = mpd(&periods.iter().map(|attributes| period(attributes)).collect::<String>());
        let listing = sound(&text);
        listing.tracks.iter().map(|track| track.segments.len()).collect::<Vec<_>>()
    };
    assert_eq!(counts(&["duration=\"PT3S\"", "",][..]), [3, 6]);
    assert_eq!(counts(&["", "start=\"PT4S\"", "start=\"PT8.5S\""]), [4, 5, 1]);
    let starts = |periods: &[&str]| {
        let text = mpd(&periods.iter().map(|attributes| period(attributes)).collect::<String>());
        let start = |track: &ListedTrack| Some((track.period, track.period_start?.seconds()));
        sound(&text).tracks.iter().map(start).collect::<Vec<_>>()
    };
    assert_eq!(starts(&["duration=\"PT3S\"", ""]), [Some((0, 0.0)), Some((1, 3.0))]);
    assert_eq!(starts(&["", "start=\"PT4.5S\""]), [Some((0, 0.0)), Some((1, 4.5))]);
    let listing = sound(&mpd(&(period("duration=\"PT3S\"") + &period(""))));
    let told: Vec<_> = listing
        .tracks
        .iter()
        .map(|track| (track.name.as_str(), track.segments.iter().filter(|one| one.discontinuity).count()))
        .collect();
    assert_eq!(told, [("Representation v", 0), ("Representation v of period 2", 1)]);
    assert!(listing.tracks[1].segments[0].discontinuity);
    assert_eq!(rules_of(&mpd(&(period("") + &period("")))), ["mpd-duration"]);
    assert_eq!(rules_of(&mpd(&(period("start=\"PT5S\"") + &period("start=\"PT4S\"")))), ["mpd-duration"]);
}

#[test]
fn what_another_host_serves_is_told_once() {
    let text = mpd(
        "<Period><AdaptationSet mimeType=\"video/mp4\" codecs=\"avc1.640028\"><Representation id=\"1\" bandwidth=\"1\">\
         <BaseURL>http://host/a/</BaseURL></Representation><Representation id=\"2\" bandwidth=\"1\">\
         <SegmentTemplate initialization=\"i\" duration=\"3\" media=\"https://host/$Number$.m4s\"/></Representation>\
         <Representation id=\"3\" bandwidth=\"1\"><BaseURL>http://host/a/</BaseURL><BaseURL>b/</BaseURL>\
         <SegmentTemplate initialization=\"i\" duration=\"9\" media=\"$Number$\"/></Representation></AdaptationSet></Period>",
    );
    assert_eq!(rules_of(&text), ["file-elsewhere"]);
    let (listing, _) = read_in(Memory::default(), &text);
    let counts: Vec<_> = listing.unwrap().tracks.iter().map(|track| track.segments.len()).collect();
    assert_eq!(counts, [0, 0, 1]);
}

#[test]
fn claims_are_what_is_written() {
    let set = |attributes: &str, inner: &str| {
        format!(
            "<Period><AdaptationSet {attributes}><SegmentTemplate initialization=\"i\" media=\"1.mp4\"/>{inner}<Representation id=\"1\" \
             bandwidth=\"5\" width=\"16\" height=\"9\" codecs=\"a, b\" audioSamplingRate=\"48000\"/></AdaptationSet></Period>"
        )
    };
    let claims = |attributes: &str, inner: &str| {
        sound(&mpd(&set(&format!("mimeType=\"audio/mp4\" {attributes}"), inner))).tracks[0].claims.clone()
    };
    let told = claims("segmentAlignment=\"true\" startWithSAP=\"1\" frameRate=\"25\"", "");
    assert_eq!((told.bandwidth, told.size, told.sample_rate), (Some(5), Some((16, 9)), Some(48000)));
    assert_eq!(
        (told.codecs.as_slice(), told.start_with_sap),
        (&["a".to_owned(), "b".to_owned()][..], Some(1))
    );
    assert_eq!((told.frame_rate, told.aligned), (Some(ListedFrameRate::Exact(25, 1)), true));
    assert_eq!((told.content_type.as_deref(), told.video_range, told.channels), (Some("audio"), None, None));
    assert_eq!(claims("contentType=\"video\"", "").content_type.as_deref(), Some("video"));
    let channels = |scheme: &str, value: &str| {
        let inner = format!("<AudioChannelConfiguration schemeIdUri=\"{scheme}\" value=\"{value}\"/>");
        claims("", &inner).channels
    };
    let count = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
    let configuration = "urn:mpeg:mpegB:cicp:ChannelConfiguration";
    assert_eq!(["2", "6", "8", "7"].map(|value| channels(count, value)), [Some(2), Some(6), Some(8), None]);
    assert_eq!(
        ["2", "7", "10", "15"].map(|value| channels(configuration, value)),
        [Some(2), Some(8), Some(4), None]
    );
    let dolby = "tag:dolby.com,2014:dash:audio_channel_configuration:2011";
    assert_eq!(channels(dolby, "F801"), None);
    let inner = format!(
        "<AudioChannelConfiguration schemeIdUri=\"{dolby}\" value=\"F801\"/><SupplementalProperty \
         schemeIdUri=\"tag:dolby.com,2018:dash:EC3_ExtensionComplexityIndex:2018\" value=\"16\"/>"
    );
    let told = claims("", &inner);
    assert_eq!((told.locations, told.joc), (Some(0xf801), Some(16)));
    let range = |values: &[(&str, &str)]| {
        let property = |(kind, value): &(&str, &str)| {
            format!(
                "<{kind}Property schemeIdUri=\"urn:mpeg:mpegB:cicp:TransferCharacteristics\" value=\"{value}\"/>"
            )
        };
        claims("", &values.iter().map(property).collect::<String>()).video_range
    };
    assert_eq!(range(&[("Essential", "16")]).as_deref(), Some("PQ"));
    assert_eq!(range(&[("Essential", "14"), ("Supplemental", "18")]).as_deref(), Some("HLG"));
    assert_eq!(range(&[("Supplemental", "1")]).as_deref(), Some("SDR"));
    assert_eq!(range(&[("Supplemental", "2")]), None);
}

#[test]
fn only_what_is_switched_is_a_switching_set() {
    let sets = |attributes: &str, inner: &str| {
        let pair = "<Representation id=\"1\" bandwidth=\"5\" codecs=\"a\"/><Representation id=\"2\" bandwidth=\"5\" codecs=\"a\"/>";
        let text = mpd(&format!(
            "<Period><AdaptationSet {attributes}><SegmentTemplate media=\"$RepresentationID$\"/>{inner}{pair}</AdaptationSet></Period>"
        ));
        let (listing, _) = read_in(Memory::default(), &text);
        listing.unwrap().switching_sets
    };
    assert_eq!(sets("mimeType=\"video/mp4\"", ""), [[0, 1]]);
    assert!(sets("mimeType=\"text/vtt\"", "").is_empty());
    assert!(sets("mimeType=\"image/jpeg\"", "").is_empty());
    assert!(sets("mimeType=\"application/mp4\" contentType=\"text\"", "").is_empty());
    let trick = "<EssentialProperty schemeIdUri=\"http://dashif.org/guidelines/trickmode\" value=\"1\"/>";
    assert!(sets("mimeType=\"video/mp4\"", trick).is_empty());
}

/// Rules, and an MPD that breaks exactly those.
fn broken_ones() -> Vec<(&'static [&'static str], String)> {
    let sound = template("media=\"$Number$.m4s\" duration=\"20\"", "");
    let with = |from: &str, to: &str| {
        assert!(sound.contains(from), "{from}");
        sound.replacen(from, to, 1)
    };
    let media = |attributes: &str| template(attributes, "");
    let set = |attributes: &str| {
        format!(
            "<AdaptationSet {attributes} mimeType=\"video/mp4\"><SegmentTemplate initialization=\"i\" media=\"$Bandwidth$-$Number$\" duration=\"3\"/>\
             <Representation id=\"1\" bandwidth=\"5\" codecs=\"a\"/><Representation id=\"2\" bandwidth=\"6\" codecs=\"a\"/></AdaptationSet>"
        )
    };
    vec![
        (&["mpd-syntax"], "<MPD>".to_owned()),
        (&["mpd-syntax"], with("MPD xmlns", "MPB xmlns").replace("</MPD>", "</MPB>")),
        (&["mpd-syntax"], with("<Period>", "<Period>&entity;")),
        (&["mpd-namespace"], with("mpd:2011", "mpd:2012")),
        (&["mpd-size"], timeline("<S d=\"1\" r=\"1000000\"/>")),
        (&["mpd-size"], media("media=\"$Number$\" duration=\"1\" endNumber=\"18446744073709551615\"")),
        (&["mpd-required"], with(" minBufferTime=\"PT2S\"", "")),
        (&["mpd-required"], with(" id=\"v\"", "").replace("$RepresentationID$/", "")),
        (&["mpd-required"], with(" bandwidth=\"1000\"", "")),
        (&["mpd-required"], with("mimeType=\"video/mp4\"", "")),
        (&["mpd-codecs"], with(" codecs=\"avc1.640028\"", "")),
        (&["mpd-attribute"], with("type=\"static\"", "type=\"steady\"")),
        (&["mpd-attribute"], with("bandwidth=\"1000\"", "bandwidth=\"1k\"")),
        (&["mpd-attribute"], with("timescale=\"10\"", "timescale=\"0\"")),
        (&["mpd-attribute"], with("id=\"v\"", "id=\"v\" frameRate=\"23.976\"")),
        (&["mpd-attribute"], with("id=\"v\"", "id=\"v\" width=\"-5\"")),
        (&["mpd-attribute"], with("id=\"v\"", "id=\"v\" startWithSAP=\"7\"")),
        (&["mpd-attribute"], with("segmentAlignment=\"true\"", "segmentAlignment=\"yes\"")),
        (&["mpd-attribute"], with("duration=\"20\"", "duration=\"0\"")),
        (&["mpd-attribute"], with("duration=\"20\"", "duration=\"20\" startNumber=\"5\" endNumber=\"4\"")),
        (&["mpd-type", "mpd-required"], with("static", "dynamic")),
        (&["mpd-duration"], with(" mediaPresentationDuration=\"PT9S\"", "")),
        (&["mpd-duration"], with("minBufferTime=\"PT2S\"", "minBufferTime=\"2s\"")),
        (&["mpd-id"], mpd(&format!("<Period>{}</Period>", set("").replace("id=\"2\"", "id=\"1\"")))),
        (&["mpd-id"], {
            let second =
                set("id=\"1\"").replace("id=\"1\" b", "id=\"3\" b").replace("id=\"2\" b", "id=\"4\" b");
            mpd(&format!("<Period>{}{second}</Period>", set("id=\"1\"")))
        }),
        (&["mpd-timeline"], timeline("<S t=\"0\"/>")),
        (&["mpd-timeline"], timeline("<S d=\"0\"/>")),
        (&["mpd-timeline"], timeline("<S d=\"20\"/><S t=\"19\" d=\"20\"/>")),
        (&["mpd-timeline"], timeline("<S d=\"20\" r=\"many\"/>")),
        (&["mpd-timeline"], timeline("<S d=\"20\" r=\"-1\"/><S d=\"20\"/>")),
        (&["mpd-timeline"], timeline("<S d=\"18446744073709551615\" r=\"1\"/>")),
        (&["mpd-timeline-gap"], timeline("<S d=\"20\"/><S t=\"21\" d=\"20\"/>")),
        (&["mpd-template"], media("media=\"$Nummer$\" duration=\"20\"")),
        (&["mpd-template"], media("media=\"$Number\" duration=\"20\"")),
        (&["mpd-template"], media("media=\"all.m4s\" duration=\"20\"")),
        (&["mpd-template"], media("media=\"$Time$$Number$\" duration=\"20\"")),
        (&["mpd-template"], media("duration=\"20\"")),
        // Segments without an init segment are looked for, and are not there.
        (&["mpd-template", "file-missing"], with("$RepresentationID$/i.mp4", "$Number$.mp4")),
        (&["mpd-template"], {
            template("media=\"$Number$\" duration=\"20\"", "<SegmentTimeline><S d=\"90\"/></SegmentTimeline>")
        }),
        (&["mpd-empty"], mpd("")),
        (&["mpd-empty"], mpd("<Period/>")),
        (&["mpd-empty"], timeline("")),
        (&["mpd-empty"], one("")),
    ]
}

#[test]
fn each_rule_is_named_where_it_is_broken() {
    let ones = broken_ones().into_iter().map(|(rules, text)| (rules.to_vec(), rules_of(&text), text));
    let wrong: Vec<_> = ones.filter(|(expected, found, _)| expected != found).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_inherited_is_told_once() {
    let representations: String =
        (0..50).map(|id| format!("<Representation id=\"{id}\" bandwidth=\"5\" codecs=\"a\"/>")).collect();
    let text = mpd(&format!(
        "<Period><AdaptationSet mimeType=\"video/mp4\"><SegmentTemplate initialization=\"i\" media=\"$RepresentationID$$Number$\"><SegmentTimeline>\
         <S d=\"0\"/><S d=\"9\"/></SegmentTimeline></SegmentTemplate>{representations}</AdaptationSet></Period>"
    ));
    let (listing, findings) = read_in(Memory::default(), &text);
    assert_eq!((findings.len(), findings[0].more, listing.unwrap().tracks.len()), (1, 0, 50));
}

#[test]
fn the_sample_package_is_sound_and_each_rule_is_broken_in_it() {
    let check = |files: &Memory| {
        let mut findings = Findings::default();
        let listing = read(files, "manifest.mpd", &mut findings);
        (listing, findings.into_vec())
    };
    let files = package();
    let (listing, findings) = check(&files);
    let listing = listing.unwrap();
    assert_eq!(findings, []);
    assert_eq!((listing.tracks.len(), listing.switching_sets.len()), (4, 1));
    for track in &listing.tracks {
        let resources = track.segments.iter().map(|segment| &segment.resource).chain(&track.init);
        assert!(track.segments.len() > 2 && track.init.is_some(), "{track:?}");
        for resource in resources {
            assert!(files.0.contains_key(&resource.path), "{resource:?}");
        }
    }
    let mut not_named = Vec::new();
    for (rule, break_it) in BROKEN {
        let mut files = package();
        break_it(&mut files);
        let (_, findings) = check(&files);
        if !findings.iter().any(|finding| finding.rule.id == *rule) {
            not_named.push((rule, findings));
        }
    }
    assert!(not_named.is_empty(), "{not_named:#?}");
    let mut broken: Vec<_> = BROKEN.iter().map(|(rule, _)| *rule).collect();
    broken.dedup();
    assert_eq!(broken, RULES.iter().map(|rule| rule.id).collect::<Vec<_>>());
}

#[test]
fn what_would_be_endless_ends() {
    let text = |inner: &str| {
        let representations: String = (0..2000)
            .map(|id| format!("<Representation id=\"{id}\" bandwidth=\"5\" codecs=\"a\"/>"))
            .collect();
        mpd(&format!(
            "<Period><AdaptationSet mimeType=\"video/mp4\">{inner}{representations}</AdaptationSet></Period>"
        ))
    };
    let timeline = |entry: &str, count: usize| {
        let entries = entry.repeat(count);
        text(&format!(
            "<SegmentTemplate media=\"$Number$\"><SegmentTimeline>{entries}</SegmentTimeline></SegmentTemplate>"
        ))
    };
    let list = "<SegmentURL media=\"a\"/>".repeat(5000);
    for text in [
        timeline("<S/>", 5000),
        timeline("<S d=\"1\" r=\"999999\"/>", 1),
        text(&format!("<SegmentList>{list}</SegmentList>")),
        text("<SegmentTemplate media=\"$Number$\" duration=\"1\" timescale=\"4294967295\"/>"),
    ] {
        let (listing, findings) = read_in(Memory::default(), &text);
        let segments: usize = listing.unwrap().tracks.iter().map(|track| track.segments.len()).sum();
        assert!(segments as u64 <= report::MAX_SEGMENTS, "{segments}");
        assert!(findings.iter().any(|finding| finding.rule.id == "mpd-size"), "{findings:?}");
    }
}

/// MPDs that are worth cutting up.
fn samples() -> Vec<String> {
    let package = String::from_utf8(package().bytes("manifest.mpd").clone()).unwrap();
    let index = one(
        "<BaseURL>a.mp4</BaseURL><SegmentBase indexRange=\"20-75\"><Initialization range=\"0-19\"/></SegmentBase>",
    );
    let mut all: Vec<_> = broken_ones().into_iter().map(|(_, text)| text).collect();
    all.extend([package, index, one("<BaseURL>a.mp4</BaseURL>"), timeline("<S t=\"0\" d=\"20\" r=\"-1\"/>")]);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..400), text in ".{0,200}") {
        for bytes in [bytes, text.into_bytes()] {
            let mut files = Memory::default();
            files.0.insert("m.mpd".to_owned(), bytes);
            let mut findings = Findings::default();
            let listing = read(&files, "m.mpd", &mut findings);
            prop_assert!(listing.is_none() && !findings.is_empty());
        }
    }

    #[test]
    fn mutated_mpds_and_indexes_are_read_to_an_end(
        pick in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[0-9\"<>/= $%a-z-]{0,3}"), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        patches in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut samples = samples();
        let mut text = samples.swap_remove(pick.index(samples.len()));
        for (at, with) in edits {
            let at = at.index(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                text.replace_range(at..at + 1, &with);
            }
        }
        if let Some(cut) = cut {
            text.truncate(cut.index(text.len() + 1));
        }
        let mut files = indexed_file();
        let file = files.bytes("d/a.mp4");
        for (at, with) in patches {
            let at = at.index(file.len());
            file[at] = with;
        }
        let first = read_in(files.clone(), &text);
        prop_assert_eq!(first, read_in(files, &text));
    }
}
