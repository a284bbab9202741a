//! Opus from file to file, packaged and judged by FFmpeg: the same packets, the same sound from its first sample on, and the end
//! that the Ogg file tells; and the same through a segmenter. Streams that are not committed are made by FFmpeg here.

#[allow(dead_code)]
#[path = "packaged/mod.rs"]
mod packaged;

use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;

use fragmint::codec::opus::OpusConfig;
use fragmint::io::windows::ogg::{OggOptions, read_ogg_opus};
use fragmint::package::{InputRequest, Request, run};
use fragmint::plan::SegmentDuration;
use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::{Ticks, Timescale};
use packaged::{Packaged, assert_same_files, files_below, stream};

const STREAM: &str = "opus.opus";

/// What a tool prints; it must not complain.
fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{command:?}: {said}");
    output.stdout
}

fn ffmpeg() -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-nostdin", "-v", "error"]);
    ffmpeg
}

/// 1.7 s of sines in a layout of so many channels, as FFmpeg's libopus encodes and its Ogg muxer writes them.
fn encoded(channels: usize, layout: &str, options: &[&str]) -> Vec<u8> {
    let sines: Vec<_> = (1..=channels).map(|n| format!("0.3*sin({}*PI*t)", 440 * n)).collect();
    let source = format!("aevalsrc={}:s=48000:d=1.7:c={layout}", sines.join("|"));
    let mut ffmpeg = ffmpeg();
    ffmpeg.args(["-bitexact", "-f", "lavfi", "-i", &source, "-c:a", "libopus"]).args(options);
    output(ffmpeg.args(["-f", "ogg", "-"]))
}

/// Sound as FFmpeg decodes it, 16 bits a sample. FFmpeg's own decoder is the same code for both sides.
fn decoded(input: &Path) -> Vec<u8> {
    output(ffmpeg().arg("-i").arg(input).args(["-f", "s16le", "-"]))
}

/// An MD5 and a duration, in samples, for each packet.
fn packets(input: &Path) -> Vec<(String, u64)> {
    let text =
        output(ffmpeg().arg("-i").arg(input).args(["-c", "copy", "-f", "framehash", "-hash", "md5", "-"]));
    let rows = String::from_utf8(text).unwrap();
    let row = |line: &str| {
        let fields: Vec<_> = line.split(',').map(str::trim).collect();
        (fields[5].to_owned(), fields[3].parse().unwrap())
    };
    rows.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

/// Packages a stream, and compares all that FFmpeg finds in the package with what it finds in the stream.
fn assert_same_sound(ogg: &[u8], channels: u64, packet: u64) {
    let package = Packaged::new(ogg, 1);
    let playlist = package.root.path().join("out").join(package.track().directory()).join("playlist.m3u8");
    let input = package.root.path().join("stream");

    let (ours, theirs) = (packets(&playlist), packets(&input));
    let hashes =
        |packets: &[(String, u64)]| packets.iter().map(|packet| packet.0.clone()).collect::<Vec<_>>();
    assert!(!theirs.is_empty());
    assert_eq!(hashes(&ours), hashes(&theirs));

    // FFmpeg's HLS demuxer takes the priming away by the edit list, but decodes the last packet whole.
    let (heard, expected) = (decoded(&playlist), decoded(&input));
    assert_eq!(expected.len() as u64, 81_600 * channels * 2, "1.7 s");
    assert!(heard.starts_with(&expected), "the same sound from the first sample on");
    let last = package.samples().duration_of(package.samples().len() - 1);
    let padding = (heard.len() - expected.len()) as u64 / (channels * 2);
    assert_eq!(padding, packet - u64::from(last), "what the last sample's duration leaves out");
    assert_eq!(package.samples().duration(), 81_600 + 312);
}

#[test]
fn packets_of_any_duration_keep_their_sound() {
    for (duration, packet) in [("2.5", 120), ("20", 960), ("60", 2880), ("120", 5760)] {
        let options = ["-b:a", "48k", "-frame_duration", duration];
        // Of 2.5 ms the encoder needs less priming.
        let ogg = encoded(2, "stereo", &options);
        if duration == "2.5" {
            let package = Packaged::new(&ogg, 1);
            let audio = package.track().audio_configuration().unwrap();
            assert_eq!(audio.roll_distance.unwrap().get(), -32);
            assert_eq!(package.samples().duration(), 81_600 + u64::from(audio.priming));
        } else {
            assert_same_sound(&ogg, 2, packet);
        }
    }
}

#[test]
fn channels_of_any_mapping_keep_their_sound() {
    assert_same_sound(&encoded(1, "mono", &["-b:a", "24k"]), 1, 960);
    assert_same_sound(&encoded(6, "5.1", &["-b:a", "200k"]), 6, 960);
    assert_same_sound(&encoded(8, "7.1", &["-b:a", "200k"]), 8, 960);
    let of_no_layout = encoded(2, "stereo", &["-b:a", "48k", "-mapping_family", "255"]);
    assert_same_sound(&of_no_layout, 2, 960);
    let package = Packaged::new(&of_no_layout, 1);
    let mpd = String::from_utf8(package.files["manifest.mpd"].clone()).unwrap();
    assert!(mpd.contains("codecs=\"opus\"") && !mpd.contains("AudioChannelConfiguration"), "{mpd}");
}

#[test]
fn every_segment_has_its_roll_group_and_the_init_segment_an_edit_list() {
    let package = Packaged::new(&stream(STREAM), 1);
    let directory = package.track().directory();
    let has = |name: &str, kind: &[u8; 4]| {
        package.files[&format!("{directory}/{name}")].windows(4).any(|window| window == kind)
    };
    assert!([b"elst", b"sgpd", b"dOps"].into_iter().all(|kind| has("init.mp4", kind)));
    assert!(package.track().segments().iter().all(|segment| has(&segment.uri, b"sbgp")));
    let samples = package.samples();
    assert_eq!((samples.len(), samples.duration_of(156), samples.duration()), (157, 456, 149_904 + 312));
}

#[test]
fn sound_is_cut_where_a_sample_is_heard_at_or_behind_the_pictures_cut() {
    let root = tempfile::tempdir().unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inputs = ["examples/ladder/234p.h264", "tests/streams/opus.opus"];
    let inputs = inputs.map(|name| InputRequest::new(repository.join(name)));
    let mut request = Request::new(inputs.to_vec(), root.path().join("out"));
    request.segment_duration = SegmentDuration::new(2, 1).unwrap();
    let plan = run::plan(&request, &|_| {}).unwrap();
    let ends = |index: usize| {
        let track = &plan.renditions[index].packaged;
        let first = &track.segments()[0];
        (first.duration.0, u64::from(track.timescale().get()))
    };
    let (video, audio) = (ends(0), ends(1));
    assert_eq!(video.0, 2 * video.1);
    // The first of 960 samples that begins 2 s behind the 312 samples of priming, or later: the 101st from 0.
    assert_eq!(audio, (101 * 960, 48_000));
}

/// The packets of an Ogg file, and its configuration.
fn packets_of(ogg: &[u8]) -> (Vec<Vec<u8>>, OpusConfig) {
    let mut packets = Vec::new();
    let report = read_ogg_opus(ogg, &OggOptions::default(), |packet| {
        let bytes = packet.ranges.iter().map(|range| &ogg[range.offset as usize..range.end() as usize]);
        packets.push(bytes.collect::<Vec<_>>().concat());
        Ok(())
    });
    (packets, report.unwrap().config)
}

#[test]
fn a_segmenter_and_workers_write_what_the_packager_writes() {
    let ogg = stream(STREAM);
    let package = Packaged::new(&ogg, 1);
    let (packets, config) = packets_of(&ogg);
    let cuts = package.cuts();
    assert_eq!(cuts.len(), 2);
    for parts in [vec![0], vec![0, cuts[0]], vec![0, cuts[1]], vec![0, cuts[0], cuts[1]]] {
        let root = tempfile::tempdir().unwrap();
        for (part, &first) in parts.iter().enumerate() {
            let end = parts.get(part + 1).copied().unwrap_or(packets.len());
            let mut config = package.config_from(root.path(), CodecConfig::Opus(config.clone()), first);
            // The priming is not presented.
            config.duration = Some(Ticks(149_904));
            let mut segmenter = Segmenter::new(config).unwrap();
            for (index, packet) in packets.iter().enumerate().take(end).skip(first) {
                if index > first && cuts.contains(&index) {
                    segmenter.cut().unwrap();
                }
                segmenter.push(packet, package.timing(index)).unwrap();
            }
            assert_eq!(segmenter.finish().unwrap().codec(), "opus");
        }
        let media = |name: &String| name.ends_with(".mp4") || name.ends_with(".m4s");
        let mut expected = package.files.clone();
        expected.retain(|name, _| media(name));
        assert_same_files(&files_below(root.path()), &expected);
    }
}

#[test]
fn packets_that_are_given_another_duration_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let timescale = Timescale::new(NonZeroU32::new(48_000).unwrap());
    let of = |config: OpusConfig| {
        let config = SegmenterConfig::new(root.path(), "audio", CodecConfig::Opus(config), timescale);
        Segmenter::new(config).unwrap()
    };
    let stereo = OpusConfig::new(2, 312).unwrap();
    let mut segmenter = of(stereo.clone());
    let packet = [0xfc, 0xff, 0xfe];
    let refused = |segmenter: &mut Segmenter, packet: &[u8], ticks, words: &str| {
        let error = segmenter.push(packet, SampleTiming::new(ticks)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&mut segmenter, &packet, 961, "given 961 ticks, the packet lasts 960");
    refused(&mut segmenter, &packet, 0, "lasts 0 ticks");
    refused(&mut segmenter, b"", 960, "the packet is empty");
    refused(&mut segmenter, b"OpusHead\x01\x02", 960, "a header of Ogg Opus");
    refused(&mut segmenter, &[0xe4, 1], 120, "120 samples, the configuration says 960 at least");
    refused(&mut segmenter, &[0xff, 0x3f], 960, "63 frames of 20 ms");
    segmenter.push(&packet, SampleTiming::new(960)).unwrap();
    segmenter.cut().unwrap().unwrap();
    // The end is within this one, unless it is taken back.
    segmenter.push(&packet, SampleTiming::new(456)).unwrap();
    refused(&mut segmenter, &packet, 960, "follows the one at 0x3, which was given less than it lasts");
    assert_eq!(segmenter.discard_pending(), 1);
    segmenter.push(&packet, SampleTiming::new(960)).unwrap();
    segmenter.push(&packet, SampleTiming::new(1)).unwrap();
    assert_eq!(segmenter.finish().unwrap().segments()[1].duration, Ticks(961));

    let root = tempfile::tempdir().unwrap();
    let rate = Timescale::new(NonZeroU32::new(44_100).unwrap());
    let config = SegmenterConfig::new(root.path(), "audio", CodecConfig::Opus(stereo), rate);
    assert!(Segmenter::new(config).unwrap_err().to_string().contains("the sampling rate 48000"));
}
