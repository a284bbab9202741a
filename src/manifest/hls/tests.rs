use std::num::NonZeroU32;

use m3u8_rs::{AlternativeMediaType, MasterPlaylist, MediaPlaylist, MediaPlaylistType};
use proptest::prelude::*;

use super::*;
use crate::codec::{Colour, VideoFormat};
use crate::presentation::Segment;
use crate::time::{DecodeTime, Ticks, Timescale};

mod mixed;

/// A track with segments given as bytes and ticks.
fn track(directory: &str, codec: &str, media: Media, scale: u32, sizes: &[(u64, u64)]) -> PackagedTrack {
    let mut start = 0;
    let of = |(&(bytes, ticks), number)| {
        let segment = Segment::new(NonZeroU32::new(number).unwrap(), bytes, Ticks(ticks), DecodeTime(start));
        start += ticks;
        segment
    };
    let segments = sizes.iter().zip(1..).map(of).collect();
    let timescale = Timescale::new(NonZeroU32::new(scale).unwrap());
    PackagedTrack::new(directory, codec, media, timescale, segments).unwrap()
}

fn video(directory: &str, height: u16, sizes: &[(u64, u64)]) -> PackagedTrack {
    let frame_rate = FrameRate::new(30_000, 1001);
    let media =
        Media::Video { format: VideoFormat::of_size(height * 16 / 9, height), frame_rate, scan: None };
    track(directory, "avc1.64001f", media, 30_000, sizes)
}

/// AAC at 48 kHz; segments of 4.010667 s (188 frames).
fn audio(directory: &str, bytes: &[u64]) -> PackagedTrack {
    let sizes: Vec<_> = bytes.iter().map(|&bytes| (bytes, 188 * 1024)).collect();
    track(directory, "mp4a.40.2", Media::Audio { channels: 2, sample_rate: 48_000 }, 48_000, &sizes)
}

fn labelled(track: PackagedTrack, language: &str, name: &str) -> PackagedTrack {
    track.with_language(Some(language.to_owned())).with_name(Some(name.to_owned()))
}

fn master_of(video: Vec<PackagedTrack>, audio: Vec<PackagedTrack>) -> String {
    write_master(&Presentation::new(video, audio).unwrap()).unwrap()
}

fn parsed_master(text: &str) -> MasterPlaylist {
    let (rest, playlist) = m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap();
    assert!(rest.is_empty(), "{rest:?}");
    playlist
}

fn parsed_media(text: &str) -> MediaPlaylist {
    let (rest, playlist) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
    assert!(rest.is_empty(), "{rest:?}");
    playlist
}

/// 4.004 s (120 frames), 4.004 s, 2.002 s.
const SIZES: [(u64, u64); 3] = [(500_500, 120_120), (1_001_000, 120_120), (250_250, 60_060)];

fn ladder() -> Presentation {
    let low: Vec<_> = SIZES.iter().map(|&(bytes, ticks)| (bytes / 2, ticks)).collect();
    let description = labelled(audio("audio/en-ad", &[64_171, 64_171]), "en", "English (described)")
        .with_role(Some("description".to_owned()));
    Presentation::new(
        vec![video("video/720p-1392k", 720, &SIZES), video("video/360p-696k", 360, &low)],
        vec![
            labelled(audio("audio/en-128k", &[64_171, 64_171]), "en", "English"),
            labelled(audio("audio/de-160k", &[80_213, 80_214]), "de", "Deutsch"),
            description,
        ],
    )
    .unwrap()
}

/// Worked by hand. Target duration: 4.010667 s is the longest, 4. Segments of 2 to 6 s count alone; the last video
/// segment also with the one before it (6.006 s: too long), so peaks are single segments:
/// 720p 1,001,000 × 8 / 4.004 = 2,000,000; 360p half of it. Audio: de is the most, 80,214 × 8 / 4.010666… =
/// 160,001.33; together 2,160,001.33, rounded up. Averages: 1,751,750 × 8 / 10.01 = 1,400,000; 360p 700,000;
/// de 160,427 × 8 / 8.021333… = 160,000.33.
#[test]
fn multivariant_playlist_of_a_ladder() {
    let text = write_master(&ladder()).unwrap();
    let expected = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",LANGUAGE="en",NAME="English",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/en-128k/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",LANGUAGE="de",NAME="Deutsch",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio/de-160k/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",LANGUAGE="en",NAME="English (described)",DEFAULT=NO,AUTOSELECT=YES,CHARACTERISTICS="public.accessibility.describes-video",CHANNELS="2",URI="audio/en-ad/playlist.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1160002,AVERAGE-BANDWIDTH=860001,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970,VIDEO-RANGE=SDR,AUDIO="audio"
video/360p-696k/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2160002,AVERAGE-BANDWIDTH=1560001,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,VIDEO-RANGE=SDR,AUDIO="audio"
video/720p-1392k/playlist.m3u8
"#;
    assert_eq!(text, expected);

    let playlist = parsed_master(&text);
    assert_eq!((playlist.version, playlist.independent_segments), (Some(6), true));
    let variants: Vec<_> = playlist.variants.iter().map(|v| (v.bandwidth, v.average_bandwidth)).collect();
    assert_eq!(variants, [(1_160_002, Some(860_001)), (2_160_002, Some(1_560_001))]);
    assert!(playlist.variants.iter().all(|v| v.audio.as_deref() == Some("audio")));
    let names: Vec<_> =
        playlist.alternatives.iter().map(|a| (a.media_type.clone(), a.name.as_str())).collect();
    let audio = |name| (AlternativeMediaType::Audio, name);
    assert_eq!(names, [audio("English"), audio("Deutsch"), audio("English (described)")]);
}

#[test]
fn media_playlist_of_a_track() {
    let presentation = ladder();
    assert_eq!(target_duration(&presentation), 4);
    let text = write_media(&presentation.video()[0], 4).unwrap();
    let expected = "#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI=\"init.mp4\"
#EXTINF:4.004000,
seg-00001.m4s
#EXTINF:4.004000,
seg-00002.m4s
#EXTINF:2.002000,
seg-00003.m4s
#EXT-X-ENDLIST
";
    assert_eq!(text, expected);
    let playlist = parsed_media(&text);
    assert_eq!((playlist.target_duration, playlist.media_sequence, playlist.end_list), (4, 1, true));
    assert_eq!(playlist.playlist_type, Some(MediaPlaylistType::Vod));
    assert_eq!(playlist.segments.len(), 3);
    assert_eq!(playlist.segments[0].map.as_ref().unwrap().uri, "init.mp4");
}

#[test]
fn durations_are_differences_of_rounded_times() {
    // 188 frames of 1024 at 48 kHz: 4.010666… s, so every third one rounds the other way.
    let text = write_media(&audio("a", &[1; 3]), 4).unwrap();
    let durations: Vec<_> = text.lines().filter(|line| line.starts_with("#EXTINF")).collect();
    assert_eq!(durations, ["#EXTINF:4.010667,", "#EXTINF:4.010666,", "#EXTINF:4.010667,"]);
}

#[test]
fn target_duration_is_the_longest_extinf_rounded_to_nearest() {
    for (ticks, seconds) in [
        (1, 1),
        (400_000, 1),
        (1_499_999, 1),
        (1_500_000, 2),
        (4_499_999, 4),
        (4_500_000, 5),
        (10_000_000_000, 10_000),
    ] {
        let media = Media::Audio { channels: 1, sample_rate: 48_000 };
        let short = track("b", "mp4a.40.2", media, 1_000_000, &[(1, 1)]);
        let long = track("a", "mp4a.40.2", media, 1_000_000, &[(1, ticks), (1, 1)]);
        let presentation = Presentation::new(vec![], vec![short, long]).unwrap();
        assert_eq!(target_duration(&presentation), seconds, "{ticks}");
    }
}

#[test]
fn a_target_duration_below_a_segment_is_refused() {
    let error = write_media(&audio("audio/en", &[1]), 3).unwrap_err().to_string();
    assert!(error.contains("audio/en: segment 1 lasts 4.010667 s"), "{error}");
    assert!(write_media(&audio("audio/en", &[]), 3).is_err());
}

#[test]
fn bandwidth_of_a_combination_is_rounded_up_once() {
    // 8 bits in 3 s and 8 bits in 6 s are 2.67 and 1.33 bit/s: 4, not 3 + 2.
    let media = Media::Audio { channels: 1, sample_rate: 48_000 };
    let sound = track("audio/a", "mp4a.40.2", media, 1, &[(1, 6)]);
    let text = master_of(vec![video("video/a", 720, &[(1, 90_000)])], vec![sound]);
    assert!(text.contains(":BANDWIDTH=4,AVERAGE-BANDWIDTH=4,"), "{text}");
}

#[test]
fn video_alone_names_no_audio() {
    let text = master_of(vec![video("video/a", 720, &SIZES)], vec![]);
    assert!(!text.contains("AUDIO") && !text.contains("EXT-X-MEDIA"), "{text}");
    assert!(text.contains("BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1400000,CODECS=\"avc1.64001f\","), "{text}");
}

#[test]
fn audio_alone_that_nobody_labelled_is_a_ladder() {
    let text = master_of(vec![], vec![audio("audio/a-160k", &[80_214]), audio("audio/a-64k", &[32_085])]);
    let expected = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=64000,AVERAGE-BANDWIDTH=64000,CODECS="mp4a.40.2"
audio/a-64k/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=160002,AVERAGE-BANDWIDTH=160002,CODECS="mp4a.40.2"
audio/a-160k/playlist.m3u8
"#;
    assert_eq!(text, expected);
}

#[test]
fn audio_alone_that_does_not_line_up_is_a_group_to_choose_from() {
    let text = master_of(vec![], vec![audio("audio/a", &[1, 1]), audio("audio/b", &[1])]);
    let playlist = parsed_master(&text);
    assert_eq!((playlist.alternatives.len(), playlist.variants.len()), (2, 1), "{text}");
}

#[test]
fn audio_alone_with_labels_is_a_group_and_the_variant_of_its_default() {
    let german = audio("audio/de", &[80_214]).with_default(true);
    let english = labelled(audio("audio/en", &[96_256]), "en", "English");
    let text = master_of(vec![], vec![english, german]);
    let expected = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",LANGUAGE="en",NAME="English",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio/en/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/de/playlist.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=192000,AVERAGE-BANDWIDTH=192000,CODECS="mp4a.40.2",AUDIO="audio"
audio/de/playlist.m3u8
"#;
    assert_eq!(text, expected);
}

/// DEFAULT and AUTOSELECT of each member.
fn choices(audio: Vec<PackagedTrack>) -> Vec<(bool, bool)> {
    let text = master_of(vec![video("video/a", 720, &SIZES)], audio);
    parsed_master(&text).alternatives.iter().map(|member| (member.default, member.autoselect)).collect()
}

#[test]
fn one_member_is_the_default_and_equals_are_not_selected_automatically() {
    let member = |directory: &str, language: &str| labelled(audio(directory, &[1]), language, directory);
    let described = |directory: &str| member(directory, "en").with_role(Some("description".to_owned()));
    let default = |track: PackagedTrack| track.with_default(true);
    let (yes, auto, no) = ((true, true), (false, true), (false, false));
    assert_eq!(choices(vec![member("a", "en"), member("b", "de"), member("c", "EN")]), [yes, auto, no]);
    // A default further down takes the automatic choice from its equals in front.
    assert_eq!(
        choices(vec![member("a", "en"), member("b", "de"), default(member("c", "en"))]),
        [no, auto, yes]
    );
    assert_eq!(choices(vec![member("a", "en"), described("b"), described("c")]), [yes, auto, no]);
    assert_eq!(choices(vec![audio("a", &[1]), audio("b", &[1])]), [yes, no]);

    let two = vec![default(member("a", "en")), default(member("b", "de"))];
    let error = write_master(&Presentation::new(vec![], two).unwrap()).unwrap_err().to_string();
    assert!(error.contains("both a and b are the default audio"), "{error}");
}

#[test]
fn names_within_the_group_differ() {
    let members = ["a", "b", "c"].map(|directory| labelled(audio(directory, &[1]), "en", "English"));
    let text = master_of(vec![video("video/a", 720, &SIZES)], members.to_vec());
    let names: Vec<_> = parsed_master(&text).alternatives.into_iter().map(|member| member.name).collect();
    assert_eq!(names, ["English", "English (2)", "English (3)"]);
}

#[test]
fn what_no_quoted_string_can_hold_is_refused() {
    for bad in ["", "a\"b", "a\nb", "a\rb", "a\u{0}b", "a\u{85}b", "{$a}"] {
        let of = |track| write_master(&Presentation::new(vec![], vec![track]).unwrap());
        let error = of(labelled(audio("a", &[1]), "en", bad)).unwrap_err().to_string();
        assert!(error.contains("the name '") && !error.contains('\n'), "{error}");
        assert!(of(labelled(audio("a", &[1]), bad, "English")).is_err());
    }
    let text = master_of(vec![], vec![labelled(audio("a", &[1]), "fr", "Français, « été » = 50 %")]);
    assert_eq!(parsed_master(&text).alternatives[0].name, "Français, « été » = 50 %");
}

#[test]
fn codecs_are_the_union_over_the_group() {
    let media = Media::Audio { channels: 6, sample_rate: 48_000 };
    let surround = track("audio/he", "mp4a.40.5", media, 48_000, &[(1, 192_512)]);
    // Labels tell that it is not the same sound in another encoding, which would have a group of its own.
    let surround = labelled(surround, "fr", "Français");
    let audio = vec![audio("audio/a", &[1]), surround, audio("audio/b", &[1])];
    let text = master_of(vec![video("video/a", 720, &SIZES)], audio);
    assert!(text.contains(r#"CODECS="avc1.64001f,mp4a.40.2,mp4a.40.5""#), "{text}");
    assert!(text.contains(r#"CHANNELS="6""#), "{text}");
}

#[test]
fn variants_of_one_bandwidth_stand_by_name() {
    let text = master_of(vec![video("video/b", 720, &SIZES), video("video/a", 720, &SIZES)], vec![]);
    let uris: Vec<_> = parsed_master(&text).variants.into_iter().map(|variant| variant.uri).collect();
    assert_eq!(uris, ["video/a/playlist.m3u8", "video/b/playlist.m3u8"]);
}

#[test]
fn video_range_follows_the_transfer_characteristics() {
    let colour = |transfer| Some(Colour { primaries: 9, transfer, matrix: 9, full_range: false });
    let of = |colour, preferred_transfer| {
        VideoFormat { colour, preferred_transfer, ..VideoFormat::of_size(16, 16) }.video_range().to_string()
    };
    let ranges =
        [None, colour(1), colour(2), colour(14), colour(16), colour(18)].map(|colour| of(colour, None));
    assert_eq!(ranges, ["SDR", "SDR", "SDR", "SDR", "PQ", "HLG"]);
    // Alternative transfer characteristics say what the parameter sets leave out for older decoders.
    let ranges = [(14, 18), (1, 16), (18, 14), (18, 2), (14, 2)]
        .map(|(coded, preferred)| of(colour(coded), Some(preferred)));
    assert_eq!(ranges, ["HLG", "PQ", "SDR", "HLG", "SDR"]);
    assert_eq!(of(None, Some(18)), "HLG");
}

#[test]
fn a_frame_rate_that_rounds_to_zero_is_left_out() {
    let media = Media::Video {
        format: VideoFormat::of_size(64, 48),
        frame_rate: FrameRate::new(1, 3600),
        scan: None,
    };
    let text = master_of(vec![track("video/a", "avc1.4D001E", media, 10_000, &[(1, 36_000_000)])], vec![]);
    assert!(text.contains("RESOLUTION=64x48,VIDEO-RANGE=SDR"), "{text}");
}

#[test]
fn frame_rates_have_three_decimals() {
    let rounded = |n, d| three_decimals(FrameRate::new(n, d).unwrap());
    let of = |n, d| rounded(n, d).unwrap();
    assert_eq!((rounded(1, 2000).as_deref(), rounded(1, 2001)), (Some("0.001"), None));
    assert_eq!(
        [of(25, 1), of(30_000, 1001), of(24_000, 1001), of(60_000, 1001), of(25, 2), of(2, 3)],
        ["25.000", "29.970", "23.976", "59.940", "12.500", "0.667"]
    );
}

proptest! {
    /// What the playlist lists adds up to the rounded duration of the track, each entry within a microsecond of the
    /// exact one, and none rounds above the target duration.
    #[test]
    fn extinf_sums_to_the_rounded_duration(
        durations in prop::collection::vec(1u64..400_000, 1..60),
        scale in prop::sample::select(vec![24_000u32, 30_000, 44_100, 48_000, 90_000]),
        start in 0u64..1 << 40,
    ) {
        let mut time = start;
        let of = |(&ticks, number)| {
            let segment = Segment::new(NonZeroU32::new(number).unwrap(), 1, Ticks(ticks), DecodeTime(time));
            time += ticks;
            segment
        };
        let segments = durations.iter().zip(1..).map(of).collect();
        let timescale = Timescale::new(NonZeroU32::new(scale).unwrap());
        let media = Media::Audio { channels: 2, sample_rate: scale };
        let track = PackagedTrack::new("a", "mp4a.40.2", media, timescale, segments).unwrap();
        let presentation = Presentation::new(vec![], vec![track.clone()]).unwrap();
        let target = target_duration(&presentation);
        let text = write_media(&track, target).unwrap();
        let listed: Vec<u64> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#EXTINF:"))
            .map(|value| value.trim_end_matches(',').replace('.', "").parse().unwrap())
            .collect();
        prop_assert_eq!(listed.iter().sum::<u64>(), timescale.microseconds_nearest(track.duration()));
        for (&listed, &ticks) in listed.iter().zip(&durations) {
            let exact = u128::from(ticks) * 1_000_000;
            let scale = u128::from(scale);
            prop_assert!((u128::from(listed) * scale).abs_diff(exact) <= scale);
            prop_assert!((listed + 500_000) / 1_000_000 <= target);
        }
        prop_assert_eq!(parsed_media(&text).segments.len(), durations.len());
    }
}
