//! Playlists of the shapes that packagers write give listings and no finding; broken ones give their rule.

use proptest::prelude::*;

use super::broken::BROKEN;
use super::{RULES, read};
use crate::verify::findings::Findings;
use crate::verify::listing::{ListedDuration, ListedFrameRate, ListedSegment, Listing, Resource, Time};
use crate::verify::testing::{HEVC, LARGE, Memory, SMALL, SOUND, package};

/// The files of a package, playlists and others.
fn memory(files: &[(&str, &str)]) -> Memory {
    Memory(files.iter().map(|&(path, text)| (path.to_owned(), text.as_bytes().to_vec())).collect())
}

/// What the playlist `path` says, and the ids of the rules that were found broken, in their order.
fn read_of(files: &Memory, path: &str) -> (Option<Listing>, Vec<&'static str>) {
    let mut findings = Findings::default();
    let listing = read(files, path, &mut findings);
    (listing, findings.as_slice().iter().map(|finding| finding.rule.id).collect())
}

/// A media playlist alone that breaks nothing.
fn sound(text: &str) -> Listing {
    let (listing, broken) = read_of(&memory(&[("v/a.m3u8", text)]), "v/a.m3u8");
    assert_eq!(broken, [""; 0], "{text}");
    listing.unwrap()
}

fn resource(path: &str, range: Option<(u64, u64)>) -> Resource {
    Resource { path: path.to_owned(), range }
}

fn decimal(ticks: i128, timescale: u64) -> ListedDuration {
    ListedDuration::Rounded { time: Time::new(ticks, timescale), unit: Time::new(1, timescale) }
}

/// The resources of the segments of the first track.
fn resources(listing: &Listing) -> Vec<(&str, Option<(u64, u64)>)> {
    let segments = listing.tracks[0].segments.iter();
    segments.map(|segment| (segment.resource.path.as_str(), segment.resource.range)).collect()
}

const FILES: &str = "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:3
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI=\"init.mp4\"
#EXTINF:3.346641,
a0.m4s
#EXTINF:2,
../w/a%201.m4s?token=1
#EXT-X-ENDLIST
";

#[test]
fn files_are_segments() {
    let listing = sound(FILES);
    let track = &listing.tracks[0];
    assert_eq!((listing.file.as_str(), listing.tracks.len()), ("v/a.m3u8", 1));
    assert_eq!((track.name.as_str(), track.file.as_str()), ("v/a.m3u8", "v/a.m3u8"));
    assert_eq!((track.target_duration, track.is_live), (Some(3), false));
    assert_eq!(track.init, Some(resource("v/init.mp4", None)));
    let segment = |path, duration, uri: &str| ListedSegment {
        resource: resource(path, None),
        duration,
        start: None,
        offset: FILES.find(uri).unwrap() as u64,
        discontinuity: false,
        init: None,
    };
    assert_eq!(
        track.segments,
        [
            segment("v/a0.m4s", decimal(3_346_641, 1_000_000), "a0.m4s"),
            segment("w/a 1.m4s", decimal(2, 1), "../w"),
        ]
    );
    assert!(listing.variants.is_empty() && listing.switching_sets.is_empty());
}

#[test]
fn rounding_is_given_the_benefit_of_the_doubt() {
    // FFmpeg rounds half a second down to the even integer, and a short last segment to 0 if it writes integers.
    for (from, to) in
        [("3.346641", "3.5"), ("3.346641", "3.49999999999999999999"), ("EXTINF:2,", "EXTINF:0,")]
    {
        sound(&FILES.replace(from, to));
    }
}

#[test]
fn byte_ranges_follow_each_other() {
    let listing = sound(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"a.mp4\",BYTERANGE=\"794@0\"\n\
         #EXTINF:2.005,\n#EXT-X-BYTERANGE:100@982\na.mp4\n#EXTINF:2.005,\n#EXT-X-BYTERANGE:50\na.mp4\n\
         #EXT-X-BYTERANGE:7\n#EXTINF:2.005,\n./a.mp4\n#EXT-X-ENDLIST\n",
    );
    assert_eq!(listing.tracks[0].init, Some(resource("v/a.mp4", Some((0, 794)))));
    assert_eq!(
        resources(&listing),
        [("v/a.mp4", Some((982, 1082))), ("v/a.mp4", Some((1082, 1132))), ("v/a.mp4", Some((1132, 1139)))]
    );
}

#[test]
fn comments_line_ends_and_unknown_tags_mean_nothing() {
    let listing = sound(
        "#EXTM3U\r\n## written by hand\r\n\r\n#EXT-X-VERSION:9\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-FUTURE:a=b\r\n\
         #EXT-X-MAP:URI=\"i.mp4\"\r\n#EXT-X-PART-INF:PART-TARGET=0.5\r\n#EXT-X-PART:DURATION=0.5,URI=\"p.mp4\"\r\n\
         #EXTINF:4.00000,\t\r\n#EXT-X-BITRATE:3\r\n#EXT-X-PROGRAM-DATE-TIME:2020-01-01T00:00:00Z\r\n1.m4s\r\n\
         #EXT-X-DISCONTINUITY\r\n#EXT-X-MAP:URI=\"j.mp4\"\r\n#EXTINF:4.5,Title, with a comma\r\n2.m4s\r\n\
         #EXTINF:4,\r\n#EXT-X-GAP\r\n3.m4s\r\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"k\"\r\n\
         #EXT-X-MAP:URI=\"i.mp4\"\r\n#EXTINF:.5,\r\n4.m4s\r\n#EXT-X-ENDLIST",
    );
    let track = &listing.tracks[0];
    assert_eq!(resources(&listing), [("v/1.m4s", None), ("v/2.m4s", None), ("", None), ("v/4.m4s", None)]);
    let inits: Vec<_> = track.segments.iter().map(|segment| segment.init.clone()).collect();
    let second = Some(resource("v/j.mp4", None));
    assert_eq!(inits, [None, second.clone(), second, None]);
    let discontinuities: Vec<_> = track.segments.iter().map(|segment| segment.discontinuity).collect();
    assert_eq!(discontinuities, [false, true, false, false]);
    assert_eq!(track.segments[3].duration, decimal(5, 10));
    assert!(listing.not_checked.is_empty());
}

#[test]
fn durations_keep_their_digits() {
    for (text, duration) in [
        ("10", Some(decimal(10, 1))),
        ("000.040", Some(decimal(40, 1000))),
        ("9.", Some(decimal(9, 1))),
        ("1.1234567890123456", Some(decimal(1_123_456_789_012, 1_000_000_000_000))),
        ("999999999", Some(decimal(999_999_999, 1))),
        ("1000000000", None),
        ("", None),
        (".", None),
        ("-1", None),
        ("1e3", None),
        ("1.2.3", None),
    ] {
        assert_eq!(super::attributes::decimal(text), duration, "{text}");
    }
    for (text, rate) in [("23.976", 23976), ("29.97", 29970), ("30", 30000), ("59.94005", 59940)] {
        assert_eq!(super::attributes::thousandths(text), Some(rate), "{text}");
    }
}

const MULTIVARIANT: &str = "#EXTM3U
## Generated
#EXT-X-INDEPENDENT-SEGMENTS

#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a.m3u8\",GROUP-ID=\"audio\",NAME=\"English\",DEFAULT=NO,AUTOSELECT=YES,CHANNELS=\"2\"
#EXT-X-MEDIA:TYPE=AUDIO,URI=\"b.m3u8\",GROUP-ID=\"audio\",NAME=\"Atmos\",CHANNELS=\"16/JOC\"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"English\",URI=\"s.m3u8\"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"English\",INSTREAM-ID=\"CC1\"

#EXT-X-STREAM-INF:BANDWIDTH=416840,AVERAGE-BANDWIDTH=390951,CODECS=\"avc1.64001e, mp4a.40.2\",RESOLUTION=640x360,\
FRAME-RATE=29.970,VIDEO-RANGE=SDR,AUDIO=\"audio\",SUBTITLES=\"subs\",CLOSED-CAPTIONS=\"cc\"
v.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=249060,CODECS=\"avc3.64000d\"
w.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=249061,CODECS=\"hvc1.2.4.L90\",VIDEO-RANGE=PQ
x.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS=\"mp4a.40.2\"
a.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=416841,CODECS=\"avc1.64001e\",RESOLUTION=640x360
v.m3u8

#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=47573,CODECS=\"avc1.64001e\",RESOLUTION=640x360,URI=\"vi.m3u8\"
";

const I_FRAMES: &str = "#EXTM3U
#EXT-X-VERSION:5
#EXT-X-TARGETDURATION:4
#EXT-X-I-FRAMES-ONLY
#EXT-X-MAP:URI=\"a0.m4s\",BYTERANGE=\"2@0\"
#EXTINF:3.347,
#EXT-X-BYTERANGE:4@2
a0.m4s
#EXT-X-ENDLIST
";

fn multivariant() -> Memory {
    let mut files = memory(&[("m.m3u8", MULTIVARIANT), ("vi.m3u8", I_FRAMES), ("a0.m4s", "0123456789")]);
    for name in ["a", "b", "s", "v", "w", "x"] {
        files.0.insert(format!("{name}.m3u8"), FILES.as_bytes().to_vec());
    }
    files
}

#[test]
fn a_multivariant_playlist_has_tracks_variants_and_sets() {
    let (listing, broken) = read_of(&multivariant(), "m.m3u8");
    let listing = listing.unwrap();
    assert_eq!(broken, [""; 0]);
    let names: Vec<_> = listing.tracks.iter().map(|track| track.name.as_str()).collect();
    assert_eq!(names, ["v.m3u8", "w.m3u8", "x.m3u8", "a.m3u8", "b.m3u8", "s.m3u8", "vi.m3u8"]);
    assert_eq!(listing.switching_sets, [vec![0, 1], vec![2]]);
    let variants: Vec<_> =
        listing.variants.iter().map(|v| (v.track, &v.audio[..], &v.subtitles[..])).collect();
    let none: &[usize] = &[];
    assert_eq!(
        variants,
        [(0, &[3, 4][..], &[5][..]), (1, none, none), (2, none, none), (3, none, none), (0, none, none)]
    );
    let claims = &listing.variants[0].claims;
    assert_eq!(claims.offset, Some(MULTIVARIANT.find("#EXT-X-STREAM-INF").unwrap() as u64));
    assert_eq!(claims.codecs, ["avc1.64001e", "mp4a.40.2"]);
    assert_eq!((claims.bandwidth, claims.average_bandwidth), (Some(416_840), Some(390_951)));
    assert_eq!((claims.size, claims.video_range.as_deref()), (Some((640, 360)), Some("SDR")));
    assert_eq!(claims.frame_rate, Some(ListedFrameRate::Thousandths(29_970)));
    assert!(claims.aligned);
    let objects: Vec<_> = listing.tracks.iter().filter_map(|track| track.claims.joc).collect();
    assert_eq!(objects, [16]);
    let channels: Vec<_> = listing.tracks.iter().map(|track| track.claims.channels).collect();
    assert_eq!(channels, [None, None, None, Some(2), None, None, None]);
    assert_eq!(listing.tracks[6].claims.bandwidth, Some(47_573));
    assert_eq!(listing.tracks[6].segments[0].resource, Resource::default());
    assert_eq!(listing.not_checked, [super::media::I_FRAMES]);
}

#[test]
fn what_cannot_be_checked_keeps_its_place_and_is_said() {
    let with = |tags: &str, segment: &str| {
        let text =
            FILES.replace("VERSION:7", "VERSION:8").replace("#EXTINF:2,\n", &format!("{tags}#EXTINF:2,\n"));
        let text = text.replace("../w/a%201.m4s?token=1", segment);
        let (listing, broken) = read_of(&memory(&[("a.m3u8", &text), ("1.ts", "G1234567")]), "a.m3u8");
        let listing = listing.unwrap();
        let places: Vec<_> = resources(&listing).into_iter().map(|(path, _)| path.to_owned()).collect();
        (places, broken, listing.not_checked)
    };
    let left_out = ["a0.m4s".to_owned(), String::new()];
    let key = "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n";
    let define = "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n";
    for (tags, segment, broken, not_checked) in [
        (key, "1.ts", vec![], vec![super::media::ENCRYPTED]),
        (key, "2.ts", vec!["file-missing"], vec![super::media::ENCRYPTED]),
        ("", "https://example.com/1.m4s", vec!["file-elsewhere"], vec![]),
        ("", "data:video/mp4,x", vec!["file-elsewhere"], vec![]),
        (define, "{$a}.m4s", vec!["hls-variables"], vec![]),
        ("#EXT-X-GAP\n", "nothing.m4s", vec![], vec![]),
    ] {
        let expected = (left_out.to_vec(), broken, not_checked);
        assert_eq!(with(tags, segment), expected, "{tags}{segment}");
    }
    let (places, ..) = with(&format!("{key}#EXT-X-KEY:METHOD=NONE\n"), "1.ts");
    assert_eq!(places, ["a0.m4s", "1.ts"]);
    let no_map = FILES.replace("#EXT-X-MAP:URI=\"init.mp4\"\n", "").replace("a0.m4s", "1.ts");
    let files = memory(&[("a.m3u8", &no_map), ("1.ts", "G1234567"), ("../w/a 1.m4s", "G1234567")]);
    let (listing, broken) = read_of(&files, "a.m3u8");
    assert_eq!(broken, ["file-outside"]);
    assert_eq!(listing.unwrap().not_checked, [super::media::NO_MP4]);
}

/// Text of `FILES` that is replaced, and the rules that are broken then.
const BROKEN_MEDIA: &[(&str, &str, &[&str])] = &[
    ("#EXTM3U\n", "", &["hls-syntax"]),
    ("#EXTM3U\n", "\u{feff}#EXTM3U\n", &["hls-syntax"]),
    ("a0.m4s", "a0\u{1}.m4s", &["hls-syntax"]),
    ("a0.m4s", " a0.m4s", &["hls-syntax"]),
    ("VERSION:7", "VERSION:5", &["hls-version"]),
    ("VERSION:7", "VERSION:0", &["hls-version"]),
    ("VERSION:7", "VERSION:7\n#EXT-X-VERSION:7", &["hls-version"]),
    ("VERSION:7", "VERSION:7\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1", &["hls-version"]),
    ("#EXT-X-TARGETDURATION:3\n", "", &["hls-target-duration"]),
    ("DURATION:3", "DURATION:3.0", &["hls-target-duration"]),
    ("DURATION:3", "DURATION:2", &["hls-target-duration"]),
    ("DURATION:3", "DURATION:3\n#EXT-X-TARGETDURATION:3", &["hls-target-duration"]),
    ("SEQUENCE:0", "SEQUENCE:-1", &["hls-media-sequence"]),
    ("#EXTINF:2,", "#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXTINF:2,", &["hls-media-sequence"]),
    ("SEQUENCE:0", "SEQUENCE:0\n#EXT-X-MEDIA-SEQUENCE:0", &["hls-media-sequence"]),
    ("TYPE:VOD", "TYPE:", &["hls-playlist-type"]),
    ("TYPE:VOD", "TYPE:VOD\n#EXT-X-PLAYLIST-TYPE:VOD", &["hls-playlist-type"]),
    ("#EXT-X-ENDLIST\n", "", &["hls-end"]),
    ("URI=\"init", "BYTERANGE=\"0@0\",URI=\"init", &["hls-byte-range"]),
    ("URI=\"init.mp4\"", "URI=init.mp4", &["hls-attribute"]),
    ("URI=\"init.mp4\"", "URI=\"init.mp4", &["hls-attribute", "hls-attribute"]),
    ("URI=\"init.mp4\"", "URI=\"init.mp4\",URI=\"b\"", &["hls-attribute"]),
    ("URI=\"init.mp4\"", "URI=\"init.mp4\",", &["hls-attribute"]),
    ("URI=\"init.mp4\"", "URI=\"init.mp4\"x", &["hls-attribute"]),
    ("URI=\"init.mp4\"", "URI=\"init.mp4\", A=1", &["hls-attribute"]),
    ("URI=\"init.mp4\"", "URI=\"init.mp4\",a=1", &["hls-attribute"]),
    ("URI=\"init.mp4\"", "URI=\"init.mp4\",A=", &["hls-attribute"]),
    ("#EXTINF:2,", "#EXT-X-KEY:URI=\"k\"\n#EXTINF:2,", &["hls-attribute"]),
    ("#EXTINF:2,\n", "", &["hls-extinf"]),
    ("#EXTINF:2,", "#EXTINF:2", &["hls-extinf"]),
    ("#EXTINF:2,", "#EXTINF:0.000,", &["hls-extinf"]),
    ("#EXTINF:2,", "#EXTINF:two,", &["hls-extinf"]),
    ("#EXTINF:2,", "#EXTINF:2,\n#EXTINF:2,", &["hls-extinf"]),
    ("#EXT-X-ENDLIST", "#EXTINF:2,\n#EXT-X-ENDLIST", &["hls-extinf"]),
    ("#EXTINF:2,", "#EXTINF:2,\n#EXT-X-BYTERANGE:5", &["hls-byte-range"]),
    ("#EXTINF:2,", "#EXTINF:2,\n#EXT-X-BYTERANGE:5@", &["hls-byte-range"]),
    ("#EXTINF:2,", "#EXTINF:2,\n#EXT-X-BYTERANGE:5@18446744073709551615", &["hls-byte-range"]),
];

#[test]
fn each_fault_of_a_media_playlist_is_named() {
    for &(from, to, expected) in BROKEN_MEDIA {
        assert!(FILES.contains(from), "{from}");
        let text = FILES.replace(from, to);
        let files = [("v/a.m3u8", text.as_str()), ("v/a0.m4s", "0123styp"), ("w/a 1.m4s", "0123styp")];
        let (listing, broken) = read_of(&memory(&files), "v/a.m3u8");
        assert_eq!(broken, expected, "{from} ► {to}");
        assert!(!listing.unwrap().tracks[0].segments.is_empty());
    }
}

#[test]
fn a_range_follows_the_segment_before_it_alone() {
    for between in ["#EXTINF:1,\nb.mp4\n", "#EXTINF:1,\na.mp4\n", "#EXTINF:1,\n#EXT-X-BYTERANGE:1@0\nb.mp4\n"]
    {
        let text = format!(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"i.mp4\"\n\
             #EXTINF:1,\n#EXT-X-BYTERANGE:9@9\na.mp4\n{between}#EXTINF:1,\n#EXT-X-BYTERANGE:9\na.mp4\n#EXT-X-ENDLIST\n"
        );
        let (listing, broken) = read_of(&memory(&[("a.m3u8", &text)]), "a.m3u8");
        assert_eq!(broken, ["hls-byte-range"], "{between}");
        assert_eq!(resources(&listing.unwrap())[2], ("", None));
    }
}

#[test]
fn what_rounds_to_nothing_has_a_target_duration_of_0() {
    for (extinf, expected) in [("0.04", &[][..]), ("0.6", &["hls-target-duration"])] {
        let text = format!(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:0\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:{extinf},\na.mp4\n\
             #EXT-X-ENDLIST\n"
        );
        assert_eq!(read_of(&memory(&[("a.m3u8", &text)]), "a.m3u8").1, expected, "{extinf}");
    }
}

#[test]
fn fragmented_mp4_needs_a_map_whatever_its_name() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:1,\na\n#EXTINF:1,\nb\n#EXT-X-ENDLIST\n";
    let files = memory(&[("a.m3u8", text), ("a", "\0\0\0\u{8}styp"), ("b", "WEBVTT\n\n")]);
    let (listing, broken) = read_of(&files, "a.m3u8");
    assert_eq!(broken, ["hls-map"]);
    assert_eq!(listing.unwrap().not_checked, [super::media::NO_MP4]);
}

/// Text of `MULTIVARIANT` that is replaced, and the rules that are broken then.
const BROKEN_MULTIVARIANT: &[(&str, &str, &[&str])] = &[
    ("\nw.m3u8", "", &["hls-syntax"]),
    ("\nw.m3u8", "\nw.m3u8\nw.m3u8", &["hls-syntax"]),
    ("\nw.m3u8", "\nm.m3u8", &["hls-syntax"]),
    ("#EXT-X-INDEP", "#EXT-X-TARGETDURATION:1\n#EXT-X-INDEP", &["hls-syntax"]),
    ("\nw.m3u8", "\nno.m3u8", &["file-missing"]),
    ("\nw.m3u8", "\n../../w.m3u8", &["file-outside"]),
    ("\nw.m3u8", "\nhttp://localhost/w.m3u8", &["file-elsewhere"]),
    ("INSTREAM-ID=\"CC1\"", "INSTREAM-ID=\"SERVICE1\"", &["hls-version"]),
    ("BANDWIDTH=249060", "REQ-VIDEO-LAYOUT=\"CH-STEREO\",BANDWIDTH=249060", &["hls-version"]),
    ("#EXT-X-INDEP", "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n#EXT-X-INDEP", &["hls-variables", "hls-version"]),
    ("RESOLUTION=640x360,F", "RESOLUTION=640X360,F", &["hls-attribute"]),
    ("FRAME-RATE=29.970", "FRAME-RATE=30000/1001", &["hls-attribute"]),
    ("BANDWIDTH=249060", "BANDWIDTH=2e5", &["hls-attribute"]),
    ("DEFAULT=NO", "DEFAULT=no", &["hls-attribute"]),
    ("CHANNELS=\"2\"", "CHANNELS=\"stereo\"", &["hls-attribute"]),
    (",URI=\"vi.m3u8\"", "", &["hls-attribute"]),
    ("AUDIO=\"audio\"", "AUDIO=\"sound\"", &["hls-group"]),
    ("AUDIO=\"audio\"", "AUDIO=audio", &["hls-group"]),
    ("SUBTITLES=\"subs\"", "SUBTITLES=\"audio\"", &["hls-group"]),
    ("\"cc\"\nv.m3u8", "NONE\nv.m3u8", &["hls-group"; 4]),
    ("NAME=\"Atmos\"", "NAME=\"English\"", &["hls-group"]),
    (",NAME=\"Atmos\"", "", &["hls-group"]),
    (",INSTREAM-ID=\"CC1\"", "", &["hls-group"]),
    (",URI=\"s.m3u8\"", "", &["hls-group"]),
    ("DEFAULT=NO,AUTOSELECT=YES", "DEFAULT=YES,AUTOSELECT=NO", &["hls-group"]),
    ("BANDWIDTH=249060,", "", &["hls-bandwidth-missing"]),
    ("BANDWIDTH=47573,", "", &["hls-bandwidth-missing"]),
    (",CODECS=\"mp4a.40.2\"", "", &["hls-codecs-missing"]),
];

#[test]
fn each_fault_of_a_multivariant_playlist_is_named() {
    for &(from, to, expected) in BROKEN_MULTIVARIANT {
        let mut files = multivariant();
        files.replace("m.m3u8", from, to);
        let (listing, broken) = read_of(&files, "m.m3u8");
        assert_eq!(broken, expected, "{from} ► {to}");
        assert!(listing.unwrap().tracks.len() >= 6);
    }
    let mut files = multivariant();
    files.replace("m.m3u8", "DEFAULT=NO", "DEFAULT=YES");
    files.replace("m.m3u8", "NAME=\"Atmos\"", "NAME=\"Atmos\",DEFAULT=YES");
    assert_eq!(read_of(&files, "m.m3u8").1, ["hls-group"]);
    let nothing = memory(&[("m.m3u8", "#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"b\"\n")]);
    assert_eq!(read_of(&nothing, "m.m3u8").1, ["hls-empty"]);
}

#[test]
fn what_is_no_playlist_has_no_listing() {
    for text in ["", "hello", "\n\n", "<MPD/>", "# comment\nseg.m4s\n"] {
        let (listing, broken) = read_of(&memory(&[("a.m3u8", text)]), "a.m3u8");
        assert_eq!((listing, broken), (None, vec!["hls-syntax"]), "{text:?}");
    }
    assert_eq!(read_of(&memory(&[]), "a.m3u8"), (None, vec!["file-missing"]));
    let bytes = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n\xff\n#EXT-X-ENDLIST\n".to_vec();
    let (listing, broken) = read_of(&Memory([("a.m3u8".to_owned(), bytes)].into()), "a.m3u8");
    assert_eq!(broken, ["hls-syntax", "hls-extinf", "hls-empty"]);
    assert!(listing.is_some());
}

#[test]
fn the_sample_package_breaks_nothing() {
    let (listing, broken) = read_of(&package(), "master.m3u8");
    let listing = listing.unwrap();
    assert_eq!(broken, [""; 0]);
    let names: Vec<_> = listing.tracks.iter().map(|track| track.name.clone()).collect();
    assert_eq!(names, [SMALL, LARGE, HEVC, SOUND].map(|name| format!("{name}/playlist.m3u8")));
    assert!(listing.tracks.iter().all(|track| track.segments.len() == 12 && track.init.is_some()));
    assert_eq!((listing.variants.len(), listing.switching_sets), (3, vec![vec![0, 1], vec![2]]));
}

#[test]
fn each_rule_has_a_break_that_it_notices() {
    let listed: Vec<_> = BROKEN.iter().map(|(id, _)| *id).collect();
    assert_eq!(listed, RULES.iter().map(|rule| rule.id).collect::<Vec<_>>());
    for (id, edit) in BROKEN {
        let mut files = package();
        edit(&mut files);
        let (_, broken) = read_of(&files, "master.m3u8");
        assert!(broken.contains(id), "{id}: {broken:?}");
        assert!(broken.iter().all(|other| other == id), "{id}: {broken:?}");
    }
}

/// Pieces that playlists are made of, for lines that mean something.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            FILES.split('\n').chain(MULTIVARIANT.split('\n')).chain(I_FRAMES.split('\n')).collect::<Vec<_>>()
        )
        .prop_map(str::to_owned),
        "#EXT-X-(KEY|MAP|MEDIA|STREAM-INF|DEFINE):([A-Z-]{0,6}=\"?[a-z0-9@x{$}.]{0,6}\"?,?){0,4}",
        "#EXTINF:[0-9.]{0,24},?",
        "#EXT-X-BYTERANGE:[0-9]{0,21}@?[0-9]{0,21}",
        "\\PC{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn bytes_give_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), starts in any::<bool>()) {
        let head = if starts { &b"#EXTM3U\n"[..] } else { b"" };
        let files = Memory([("a.m3u8".to_owned(), [head, &bytes].concat())].into());
        read_of(&files, "a.m3u8");
    }

    #[test]
    fn lines_in_any_order_give_no_panic(lines in prop::collection::vec(piece(), 0..24)) {
        let text = format!("#EXTM3U\n{}", lines.join("\n"));
        let mut files = multivariant();
        files.0.insert("v.m3u8".to_owned(), text.clone().into_bytes());
        files.0.insert("z.m3u8".to_owned(), text.into_bytes());
        for path in ["m.m3u8", "z.m3u8"] {
            let (listing, _) = read_of(&files, path);
            let listing = listing.unwrap();
            let tracks = listing.tracks.len();
            for variant in &listing.variants {
                let mut named = variant.audio.iter().chain(&variant.subtitles).chain([&variant.track]);
                prop_assert!(named.all(|&track| track < tracks));
            }
            for resource in listing.tracks.iter().flat_map(|track| &track.segments).map(|s| &s.resource) {
                prop_assert!(resource.range.is_none_or(|(start, end)| start < end));
            }
        }
    }

    #[test]
    fn cuts_and_flips_give_no_panic(
        path in prop::sample::select(vec!["m.m3u8", "v.m3u8", "vi.m3u8"]),
        end in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut files = multivariant();
        let bytes = files.bytes(path);
        let len = bytes.len();
        bytes[at.index(len)] = byte;
        bytes.truncate(end.index(len) + 1);
        read_of(&files, "m.m3u8");
        read_of(&files, path);
    }
}
