use std::num::NonZeroU32;

use super::*;
use crate::codec::{Colour, SampleAspectRatio, ScanType, VideoFormat};
use crate::presentation::Segment;
use crate::time::{DecodeTime, Ticks, Timescale};

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

macro_rules! golden {
    ($name:literal, $mpd:expr) => {
        let text = $mpd.unwrap();
        assert_eq!(text, include_str!(concat!("tests/", $name, ".mpd")));
    };
}

/// Worked by hand. The audio is longest: 481,280 ticks, 10.026666… s. The longest segment of any track has 192,512 ticks of 48 kHz,
/// 4.010666… s, so `minBufferTime` is 4.010667 s.
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
