use std::num::NonZeroU32;

use super::*;
use crate::codec::aac::{AacConfig, AudioObjectType};
use crate::codec::{Colour, SampleAspectRatio, ScanType, VideoFormat};
use crate::presentation::Segment;
use crate::time::{DecodeTime, Ticks, Timescale};
use crate::track::header::SampleEntry;

mod channels;
mod properties;

/// A track with segments given as bytes and ticks, from this number and time on.
fn track_from(
    (number, start): (u32, u64),
    (directory, codec): (&str, &str),
    media: Media,
    scale: u32,
    sizes: &[(u64, u64)],
) -> PackagedTrack {
    let mut start = start;
    let of = |(&(bytes, ticks), number)| {
        let segment = Segment::new(NonZeroU32::new(number).unwrap(), bytes, Ticks(ticks), DecodeTime(start));
        start += ticks;
        segment
    };
    let segments = sizes.iter().zip(number..).map(of).collect();
    let timescale = Timescale::new(NonZeroU32::new(scale).unwrap());
    PackagedTrack::new(directory, codec, media, timescale, segments).unwrap()
}

fn track(name: (&str, &str), media: Media, scale: u32, sizes: &[(u64, u64)]) -> PackagedTrack {
    track_from((1, 0), name, media, scale, sizes)
}

fn pictures(format: VideoFormat, (numerator, denominator): (u64, u64)) -> Media {
    let frame_rate = FrameRate::new(numerator, denominator);
    Media::Video { format, frame_rate, scan: Some(ScanType::Progressive) }
}

fn square(width: u16, height: u16) -> VideoFormat {
    let sample_aspect_ratio = Some(SampleAspectRatio { horizontal: 1, vertical: 1 });
    VideoFormat { sample_aspect_ratio, ..VideoFormat::of_size(width, height) }
}

const STEREO: Media = Media::Audio { channels: 2, sample_rate: 48_000 };

/// AAC at 48 kHz in segments of so many bytes and frames.
fn audio(directory: &str, sizes: &[(u64, u64)]) -> PackagedTrack {
    let sizes: Vec<_> = sizes.iter().map(|&(bytes, frames)| (bytes, frames * 1024)).collect();
    track((directory, "mp4a.40.2"), STEREO, 48_000, &sizes)
}

fn labelled(track: PackagedTrack, language: &str, name: &str) -> PackagedTrack {
    track.with_language(Some(language.to_owned())).with_name(Some(name.to_owned()))
}

fn mpd_of(video: Vec<PackagedTrack>, audio: Vec<PackagedTrack>) -> Result<String> {
    write_mpd(&Presentation::new(video, audio).unwrap())
}

fn refused(result: Result<String>, part: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), crate::ErrorKind::Conflict { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains(part) && !error.contains(char::is_control), "{error}");
}

/// 4.004 s (120 frames), 4.004 s, 2.002 s.
const SIZES: [(u64, u64); 3] = [(500_500, 120_120), (1_001_000, 120_120), (250_250, 60_060)];

/// 188, 188, 94 frames of AAC: 10.026667 s, a frame more than the video.
const FRAMES: [(u64, u64); 3] = [(64_171, 188), (64_171, 188), (32_086, 94)];

/// The same with so much priming.
fn primed(track: PackagedTrack, priming: u32) -> PackagedTrack {
    let aac = AacConfig::new(AudioObjectType::LowComplexity, 3, 2).unwrap();
    track.with_sample_entry(SampleEntry::Audio(aac.primed_configuration(priming)))
}

#[test]
fn times_are_those_of_the_presentation() {
    let mpd = mpd_of(Vec::new(), vec![primed(audio("audio/a", &FRAMES), 1024)]).unwrap();
    // 188 frames less one, 188, 94; the whole is 469 frames.
    let timeline = r#"<S t="0" d="191488"/><S d="192512"/><S d="96256"/>"#;
    let squeezed: String = mpd.lines().map(str::trim).collect();
    assert!(
        squeezed.contains(timeline) && mpd.contains(r#"mediaPresentationDuration="PT10.005334S""#),
        "{mpd}"
    );
    // 4.010667 s and 3.989334 s: the second segment is the longest that is presented.
    assert!(mpd.contains(r#"minBufferTime="PT4.010667S""#), "{mpd}");
    // A part of a track that starts at 4 s is presented as much earlier; the unit of the zero is a second.
    let sizes = [(1000, 48_000), (1000, 48_000)];
    let later = track_from((3, 4 * 48_000), ("audio/a", "mp4a.40.2"), STEREO, 48_000, &sizes);
    let mpd = mpd_of(Vec::new(), vec![primed(later, 1024)]).unwrap();
    let squeezed: String = mpd.lines().map(str::trim).collect();
    assert!(squeezed.contains(r#"<S t="190976" d="48000" r="1"/>"#), "{mpd}");
    assert!(mpd.contains(r#"presentationTimeOffset="190976""#) && mpd.contains(r#"="PT2S""#), "{mpd}");
}

#[test]
fn a_segment_of_priming_alone_is_refused() {
    let track = primed(audio("audio/a", &[(100, 2), (100, 2)]), 2048);
    refused(mpd_of(Vec::new(), vec![track]), "segment 1 has nothing but priming (2048 samples)");
    assert!(mpd_of(Vec::new(), vec![primed(audio("audio/a", &[(100, 2), (100, 2)]), 2047)]).is_ok());
}

macro_rules! golden {
    ($name:literal, $mpd:expr) => {
        let text = $mpd.unwrap();
        assert_eq!(text, include_str!(concat!("tests/", $name, ".mpd")));
    };
}

/// Worked by hand. The audio is longest: 481,280 ticks, 10.026666… s. The longest segment of any track has 192,512 ticks
/// of 48 kHz, 4.010666… s, so `minBufferTime` is 4.010667 s.
///
/// 720p: 500,500 bytes first, and 4.004 s later 1,001,000 more: 8,008,000 bits alone in 4.010667 s need 1,996,676; with the first,
/// 12,012,000 bits in 8.014667 s, less: 1,498,752. 360p half of it. German: 80,213 bytes twice are 641,704 bits in
/// 4.010667 s, 159,999.3; both 1,283,408 bits in 8.021333… s, 159,999.3 too.
#[test]
fn ladder_with_audio_in_two_languages_and_a_description() {
    let low: Vec<_> = SIZES.iter().map(|&(bytes, ticks)| (bytes / 2, ticks)).collect();
    let ntsc = |format| pictures(format, (30_000, 1001));
    let video = vec![
        track(("video/720p-1392k", "avc1.64001f"), ntsc(square(1280, 720)), 30_000, &SIZES),
        track(("video/360p-696k", "avc1.64001e"), ntsc(square(640, 360)), 30_000, &low),
    ];
    let german: Vec<_> = [80_213, 80_213, 40_106].into_iter().zip([188, 188, 94]).collect();
    let description = labelled(audio("audio/en-ad", &FRAMES), "en", "English (described)")
        .with_role(Some("description".to_owned()));
    let audio = vec![
        labelled(audio("audio/en-128k", &FRAMES), "en", "English"),
        labelled(audio("audio/de-160k", &german), "de", "Deutsch <\u{fc}bersetzt> & mehr")
            .with_role(Some("dub".to_owned())),
        description,
    ];
    golden!("ladder", mpd_of(video, audio));
}

/// 64,171 bytes in 188 frames need 128,000.3 bit/s, and 160,428 in 470 frames are 128,001.2 on average; 32,085 and 80,213 are half
/// as many: one set, for nobody told the tracks apart.
#[test]
fn audio_alone_at_two_bit_rates() {
    let low: Vec<_> = FRAMES.iter().map(|&(bytes, frames)| (bytes / 2, frames)).collect();
    golden!("audio", mpd_of(vec![], vec![audio("audio/a-128k", &FRAMES), audio("audio/a-64k", &low)]));
}

/// Neither shape nor rate of the pictures is known, and the segments of the second do not start with those of the first.
#[test]
fn video_alone_of_which_little_is_known() {
    let media = Media::Video { format: VideoFormat::of_size(640, 360), frame_rate: None, scan: None };
    let unknown = Media::Video { format: VideoFormat::of_size(0, 0), frame_rate: None, scan: None };
    let video = vec![
        track(("video/a", "avc1.64001e"), media, 90_000, &[(1000, 90_000), (2000, 180_000), (1500, 180_000)]),
        track(("video/b", "avc3.64001e"), unknown, 90_000, &[(900, 90_000), (900, 90_001), (900, 269_999)]),
    ];
    golden!("video", mpd_of(video, vec![]));
}

#[test]
fn video_of_two_codecs_is_two_sets() {
    let of = |name, format| {
        track(name, pictures(format, (25, 1)), 25_000, &[(500_000, 100_000), (400_000, 50_000)])
    };
    let video = vec![
        of(("video/720p-h264", "avc1.64001f"), square(1280, 720)),
        of(("video/720p-h265", "hvc1.1.6.L93.B0"), square(1280, 720)),
        of(("video/360p-h264", "avc1.64001e"), square(640, 360)),
    ];
    golden!("codecs", mpd_of(video, vec![audio("audio/a", &[(96_000, 282)])]));
}

#[test]
fn video_of_high_dynamic_range() {
    let colour = Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false });
    let format = VideoFormat { colour, ..square(3840, 2160) };
    let of = |name, format| track(name, pictures(format, (60_000, 1001)), 60_000, &[(9_000_000, 240_240)]);
    let video = vec![
        of(("video/2160p", "hvc1.2.4.L153.B0"), format),
        of(("video/1080p", "hvc1.2.4.L123.B0"), VideoFormat { colour, ..square(1920, 1080) }),
    ];
    golden!("pq", mpd_of(video, vec![]));
}

/// 720 × 64 to 576 × 45 and 352 × 128 to 288 × 117 are 16:9 and 176:117.
#[test]
fn anamorphic_fields_at_fractional_rates() {
    let of = |name, (width, height), (horizontal, vertical), rate| {
        let sample_aspect_ratio = Some(SampleAspectRatio { horizontal, vertical });
        let colour = Some(Colour { primaries: 5, transfer: 6, matrix: 6, full_range: true });
        let format = VideoFormat { sample_aspect_ratio, colour, ..VideoFormat::of_size(width, height) };
        let scan = Some(ScanType::Interlaced);
        let media = Media::Video { format, frame_rate: Some(rate), scan };
        track(name, media, 30_000, &[(375_000, 60_060)])
    };
    let rate = |numerator, denominator| FrameRate::new(numerator, denominator).unwrap();
    let one = of(("video/576i", "avc1.4D401E"), (720, 576), (64, 45), rate(30_000, 1001));
    let other = of(("video/288i", "avc1.4D400D"), (352, 288), (128, 117), rate(15_000, 1001));
    golden!("anamorphic", mpd_of(vec![one.clone(), other], vec![]));
    let alone = mpd_of(vec![one], vec![]).unwrap();
    assert!(alone.contains(r#"par="16:9""#) && alone.contains(r#"sar="64:45""#), "{alone}");
}

/// Video from 10 s on, sound from 480,512 ticks, 10.010666… s: the zero is 10 s in both, a multiple of 1/1000 s. The sound
/// ends at 480,512 + 193,536 ticks, 4.042666… s after it.
#[test]
fn tracks_that_start_at_another_number_and_time() {
    let media = pictures(square(1280, 720), (25, 1));
    let video = track_from(
        (6, 250_000),
        ("video/720p", "avc1.64001f"),
        media,
        25_000,
        &[(250_000, 50_000), (250_000, 50_000)],
    );
    let audio = track_from(
        (100_000, 480_512),
        ("audio/en", "mp4a.40.29"),
        Media::Audio { channels: 1, sample_rate: 24_000 },
        48_000,
        &[(12_096, 96_768), (12_096, 96_768)],
    );
    golden!("later", mpd_of(vec![video], vec![audio]));
}

/// Multiples of 1/300 s alone are whole ticks of both: 10.003333… s, the last one before the sound, not 10.0039 s.
#[test]
fn the_zero_is_an_instant_of_every_timescale_and_no_track_starts_before_it() {
    let media = pictures(square(640, 360), (30, 1));
    let video = track_from((1, 300_131), ("v", "avc1.64001e"), media, 30_000, &[(1000, 30_000)]);
    let audio = track_from((1, 441_172), ("a", "mp4a.40.2"), STEREO, 44_100, &[(1000, 44_032)]);
    let text = mpd_of(vec![video], vec![audio]).unwrap();
    assert!(text.contains(r#"timescale="30000" presentationTimeOffset="300100""#), "{text}");
    assert!(text.contains(r#"timescale="44100" presentationTimeOffset="441147""#), "{text}");
    // The video ends at 30,031 ticks of it, 1.001033… s; the sound at 44,057, 0.999024… s.
    assert!(text.contains(r#"mediaPresentationDuration="PT1.001034S""#), "{text}");
}

/// AC-3 of `acmod`; E-AC-3 of 5.1 with dependent channels at `map`, and objects.
#[test]
fn dolby_channels_are_a_code_point_or_else_a_map_of_locations() {
    use crate::codec::ac3::{Ac3Config, BLOCKS, StreamType, Syncframe};
    use crate::codec::eac3::{Eac3Config, IndependentSubstream};
    let frame = |acmod, lfeon| Syncframe {
        stream_type: StreamType::Ac3,
        substream_id: 0,
        size: 128,
        fscod: 0,
        sample_rate: 48_000,
        blocks: BLOCKS,
        bsid: 8,
        bsmod: Some(0),
        acmod,
        lfeon,
        bit_rate_code: Some(0),
        channel_map: 0,
        joc_complexity: None,
    };
    let ac3 = |acmod, lfeon| Ac3Config::of(&frame(acmod, lfeon)).unwrap().configuration();
    let eac3 = |dependent_map, objects| {
        let dependents = u8::from(dependent_map != 0);
        let substream =
            IndependentSubstream { dependents, dependent_map, ..IndependentSubstream::of(&frame(7, true)) };
        Eac3Config::new(640, vec![substream], objects).unwrap().configuration()
    };
    let mpeg = |value: &str| format!(r#"urn:mpeg:mpegB:cicp:ChannelConfiguration" value="{value}""#);
    let dolby =
        |value: &str| format!(r#"tag:dolby.com,2014:dash:audio_channel_configuration:2011" value="{value}""#);
    for (audio, told) in [
        (ac3(1, false), mpeg("1")),
        (ac3(2, false), mpeg("2")),
        (ac3(7, true), mpeg("6")),
        (ac3(4, false), mpeg("9")),
        (ac3(2, true), dolby("A001")),
        (eac3(0x0200, None), mpeg("12")),
        (eac3(0x0010, None), mpeg("14")),
        (eac3(0x0080, None), dolby("F881")),
    ] {
        let media = Media::Audio { channels: audio.channels, sample_rate: 48_000 };
        let sound = track(("a", &audio.codec_string), media, 48_000, &[(1, 48_000)]);
        let text = mpd_of(vec![], vec![sound.with_sample_entry(SampleEntry::Audio(audio))]).unwrap();
        let line = format!(r#"<AudioChannelConfiguration schemeIdUri="{told}/>"#);
        assert!(text.contains(&line) && !text.contains("SupplementalProperty"), "{told}: {text}");
    }
    let audio = eac3(0, Some(12));
    let sound =
        track(("a", "ec-3"), Media::Audio { channels: 6, sample_rate: 48_000 }, 48_000, &[(1, 48_000)]);
    let text = mpd_of(vec![], vec![sound.with_sample_entry(SampleEntry::Audio(audio))]).unwrap();
    for (name, value) in [("EC3_ExtensionType", "JOC"), ("EC3_ExtensionComplexityIndex", "12")] {
        let line = format!(
            r#"<SupplementalProperty schemeIdUri="tag:dolby.com,2018:dash:{name}:2018" value="{value}"/>"#
        );
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn spans_are_seconds_rounded_up_to_microseconds() {
    let timescale = |n| Timescale::new(NonZeroU32::new(n).unwrap());
    let of = |ticks, scale| Microseconds::ceil(ticks, timescale(scale)).to_string();
    assert_eq!([of(0, 1), of(10, 1), of(3_600_000, 1000)], ["PT0S", "PT10S", "PT3600S"]);
    assert_eq!([of(4004, 1000), of(120_120, 30_000), of(1, 2)], ["PT4.004S", "PT4.004S", "PT0.5S"]);
    assert_eq!([of(192_512, 48_000), of(1, 2_000_000)], ["PT4.010667S", "PT0.000001S"]);
    assert_eq!(of(u128::from(u64::MAX) * 2, 1), "PT36893488147419103230S");
}

#[test]
fn what_xml_or_the_schema_cannot_hold_is_refused() {
    let of = |track: PackagedTrack| mpd_of(vec![], vec![track]);
    let plain = || audio("a", &[(1, 1)]);
    for bad in ["a\u{0}b", "\u{b}", "\u{1f}", "a\u{fffe}", "\u{ffff}"] {
        let part = bad.escape_debug().to_string();
        refused(of(plain().with_name(Some(bad.to_owned()))), &format!("the name '{part}' cannot"));
        refused(of(plain().with_role(Some(bad.to_owned()))), &format!("the role '{part}' cannot"));
        refused(of(plain().with_language(Some(bad.to_owned()))), &format!("the language '{part}' is not"));
    }
    for bad in ["", "-", "en-", "en_US", "abcdefghi", "en-abcdefghi", "1a", "\u{e9}n", "a b"] {
        refused(of(plain().with_language(Some(bad.to_owned()))), "is not a BCP 47 tag");
    }
    for codec in ["mp4a/40", "mp4a<", "a@b", "a;b"] {
        refused(of(track(("a", codec), STEREO, 48_000, &[(1, 1)])), "is not a codec string");
    }
    let mut odd = Segment::new(NonZeroU32::MIN, 1, Ticks(1), DecodeTime(0));
    odd.uri = "1.m4s".to_owned();
    let timescale = Timescale::new(NonZeroU32::MIN);
    let odd = PackagedTrack::new("a", "mp4a.40.2", STEREO, timescale, vec![odd]).unwrap();
    refused(of(odd), "segment 1 is in 1.m4s; name it seg-00001.m4s");
    let default = |directory| audio(directory, &[(1, 1)]).with_default(true);
    refused(mpd_of(vec![], vec![default("a"), default("b")]), "both a and b are the default audio");
    refused(of(audio("a", &[(u64::MAX / 8, 1)])), "a: needs more than 4294967295 bit/s");
    // 4,294,967,295 bits in one second are the most there can be.
    let most = |bytes| track(("a", "mp4a.40.2"), STEREO, 8, &[(bytes, 64)]);
    assert!(of(most(4_294_967_295)).unwrap().contains(r#"bandwidth="4294967295""#));
    refused(of(most(4_294_967_296)), "needs more than");
}

#[test]
fn the_default_audio_is_main_and_goes_first_among_several() {
    let attributes = |audio: Vec<PackagedTrack>| {
        let text = mpd_of(vec![], audio).unwrap();
        let sets = text.split("<AdaptationSet ").skip(1);
        let roles = |set: &str| set.matches("urn:mpeg:dash:role:2011\" value=\"main\"").count();
        sets.map(|set| (set.contains("selectionPriority=\"2\""), roles(set))).collect::<Vec<_>>()
    };
    let named = |directory: &str| labelled(audio(directory, &[(1, 1)]), "en", directory);
    let (chosen, other) = ((true, 1), (false, 0));
    assert_eq!(attributes(vec![named("a"), named("b")]), [chosen, other]);
    assert_eq!(attributes(vec![named("a"), named("b").with_default(true)]), [other, chosen]);
    let role = |track: PackagedTrack, role: &str| track.with_role(Some(role.to_owned()));
    assert_eq!(attributes(vec![role(named("a"), "dub"), role(named("b"), "main")]), [other, chosen]);
    assert_eq!(attributes(vec![role(named("a"), "main"), named("b")]), [chosen, other]);
    assert_eq!(attributes(vec![named("a")]), [(false, 1)]);
}

/// Kind, parameter and value of each colour descriptor.
fn colour_of(values: Option<[u8; 3]>, full_range: bool, preferred: Option<u8>) -> String {
    let colour =
        values.map(|[primaries, transfer, matrix]| Colour { primaries, transfer, matrix, full_range });
    let format = VideoFormat { colour, preferred_transfer: preferred, ..square(16, 16) };
    let video = track(("v", "avc1.64001f"), pictures(format, (25, 1)), 25_000, &[(1, 1000)]);
    let text = mpd_of(vec![video], vec![]).unwrap();
    let lines =
        text.lines().filter_map(|line| line.trim().split_once("Property schemeIdUri=\"urn:mpeg:mpegB:cicp:"));
    let short = |(kind, rest): (&str, &str)| {
        let (parameter, value) = rest.split_once("\" value=\"").unwrap();
        format!("{}{}{}", &kind[1..2], &parameter[..1], value.trim_end_matches("\"/>"))
    };
    lines.map(short).collect::<Vec<_>>().join(" ")
}

#[test]
fn colour_is_essential_where_another_would_show_wrong() {
    assert_eq!(colour_of(None, false, None), "");
    assert_eq!(colour_of(Some([1, 1, 1]), false, None), "SC1 ST1 SM1");
    assert_eq!(colour_of(Some([5, 5, 5]), false, None), "SC5 ST5 SM5");
    assert_eq!(colour_of(Some([2, 2, 2]), false, None), "");
    assert_eq!(colour_of(Some([0, 3, 3]), false, Some(3)), "");
    assert_eq!(colour_of(Some([1, 2, 2]), true, None), "SC1 SV1");
    assert_eq!(colour_of(Some([9, 16, 9]), false, None), "EC9 ET16 EM9");
    assert_eq!(colour_of(Some([9, 18, 9]), false, None), "EC9 ET18 EM9");
    // HLG for players of standard range: the transfer characteristics that it is coded with, and those it prefers.
    assert_eq!(colour_of(Some([9, 14, 9]), false, Some(18)), "EC9 ET14 EM9 ST18");
    assert_eq!(colour_of(Some([2, 16, 0]), false, Some(2)), "ET16 EM0");
}

#[test]
fn what_tracks_of_a_set_have_each_their_own_stands_at_the_track() {
    let of = |directory, transfer| {
        let colour = Some(Colour { primaries: 1, transfer, matrix: 1, full_range: false });
        let format = VideoFormat { colour, ..square(640, 360) };
        track((directory, "avc1.64001e"), pictures(format, (25, 1)), 25_000, &[(1000, 50_000)])
            .with_name(Some(format!("transfer {transfer}")))
    };
    let text = mpd_of(vec![of("a", 1), of("b", 6)], vec![]).unwrap();
    let sets: Vec<_> = text.split("<Representation ").collect();
    assert_eq!(sets.len(), 3);
    assert!(!sets[0].contains("Property") && !sets[0].contains("Label"), "{text}");
    for (own, transfer) in sets[1..].iter().zip([1, 6]) {
        assert!(own.contains(&format!("TransferCharacteristics\" value=\"{transfer}\"")), "{text}");
        assert!(own.contains(&format!("<Label>transfer {transfer}</Label>")), "{text}");
    }
}
