//! Field pictures of H.264, packaged and segmented: a sample for each frame, at the times and with the size and flags that the
//! streams were made for, the same pictures to FFmpeg, and `interlaced` in manifests.

use std::path::Path;
use std::process::Command;

use fragmint::codec::ParameterSetPlacement::{InBand, SampleEntry};
use fragmint::plan::SegmentDuration;
use fragmint::presentation::{Promise, merge};
use fragmint::segmenter::{SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::FrameRate;
use serde_json::Value;

#[allow(dead_code, reason = "other tests need the rest of it")]
mod hand_made;
#[allow(dead_code, reason = "other tests need the rest of it")]
mod packaged;
#[allow(dead_code, reason = "other tests need the rest of it")]
#[path = "end_to_end/tools.rs"]
mod tools;

use hand_made::h264::field_streams::{FieldStream, Picture, streams};
use packaged::{
    Packaged, assert_same_files, avc, byte_stream, files_below, plain_config, segment, units, with_manifests,
};

/// FFmpeg decodes their unpaired fields and shows none.
const NOT_SHOWN: [&str; 2] = ["unpaired fields", "operation 5 in a first field"];
/// What is told by `pic_struct`.
const FILM: &str = "film in fields, told by pic_struct";

/// A stream with what must become of each of its frames.
struct Expected {
    name: &'static str,
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    /// Rank of the first frame whose fields have different `frame_num`.
    lost_to_ffmpeg: Option<usize>,
}

struct Frame {
    /// A packet with the whole of it.
    packet: Vec<u8>,
    /// Of its sample: every unit but the parameter sets behind a length of four bytes.
    size: usize,
    sync: bool,
    rank: usize,
    /// For how many fields it is shown.
    fields: u32,
}

/// For how many fields a picture is shown: by `pic_struct` as Table D-1 has it, or by what it is.
fn fields_of(picture: &Picture) -> u32 {
    match picture.pic_struct {
        Some(1 | 2) => 1,
        Some(0 | 3 | 4) => 2,
        Some(5 | 6) => 3,
        Some(other) => panic!("no stream has {other}"),
        None if picture.slices[0].field_pic == Some(true) => 1,
        None => 2,
    }
}

impl Expected {
    fn of(stream: &FieldStream) -> Self {
        let (bytes, coded) = stream.write();
        let mut pictures = stream.pictures.iter();
        let ends = coded.iter().skip(1).map(|frame| frame.offset).chain([bytes.len()]);
        let frames = coded.iter().zip(ends.collect::<Vec<_>>()).map(|(frame, end)| {
            let packet = bytes[frame.offset..end].to_vec();
            let own: Vec<_> = pictures.by_ref().take(frame.pictures).collect();
            let units = units(&packet);
            let kept = units.iter().filter(|unit| !matches!(unit[0] & 0x1f, 7 | 8));
            Frame {
                size: kept.map(|unit| 4 + unit.len()).sum(),
                sync: units.iter().any(|unit| unit[0] & 0x1f == 5),
                rank: frame.rank,
                fields: own.iter().map(|picture| fields_of(picture)).sum(),
                packet,
            }
        });
        let frames = frames.collect();
        let is_reset = |pair: &[Picture]| {
            pair[1].second_field && pair[0].slices[0].frame_num != pair[1].slices[0].frame_num
        };
        let lost_to_ffmpeg = stream.pictures.windows(2).position(is_reset).map(|index| {
            let frame = stream.pictures[..index].iter().filter(|picture| !picture.second_field).count();
            coded[frame].rank
        });
        Self { name: stream.name, bytes, frames, lost_to_ffmpeg }
    }

    fn packets(&self) -> Vec<Vec<u8>> {
        self.frames.iter().map(|frame| frame.packet.clone()).collect()
    }
}

fn all() -> Vec<Expected> {
    let all: Vec<_> = streams().iter().map(Expected::of).collect();
    assert_eq!(all.len(), 11);
    all
}

/// Init segment and segments in one file.
fn whole(packaged: &Packaged) -> std::path::PathBuf {
    let track = packaged.track().directory();
    let path = packaged.root.path().join("whole.mp4");
    let mut bytes = packaged.files[&format!("{track}/init.mp4")].clone();
    let segments = packaged.files.iter().filter(|(name, _)| name.ends_with(".m4s"));
    segments.for_each(|(_, segment)| bytes.extend(segment));
    std::fs::write(&path, bytes).unwrap();
    path
}

fn ffprobe(words: &[&str], input: &Path) -> Value {
    let said =
        tools::run(Command::new("ffprobe").args(["-v", "error", "-of", "json"]).args(words).arg(input));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    serde_json::from_str(&said.stdout).unwrap()
}

/// Hashes of the pictures that FFmpeg shows, in the order of their times, and what it complains of.
fn shown(input: &Path) -> (Vec<String>, String) {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-nostdin", "-v", "error", "-i"]).arg(input);
    let said =
        tools::run(ffmpeg.args(["-vsync", "passthrough", "-enc_time_base", "-1", "-f", "framemd5", "-"]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let rows = said.stdout.lines().filter(|line| !line.starts_with('#'));
    (rows.map(|row| row.rsplit(", ").next().unwrap().to_owned()).collect(), said.stderr)
}

#[test]
fn each_frame_is_a_sample_with_the_bytes_the_flags_and_the_time_of_both_fields() {
    for expected in all() {
        let name = expected.name;
        let packaged = Packaged::new(&expected.bytes, 4);
        let probed = ffprobe(&["-show_packets", "-show_streams"], &whole(&packaged));
        let packets = probed["packets"].as_array().unwrap();
        assert_eq!(packets.len(), expected.frames.len(), "{name}");

        // 25 frames a second, 50 fields.
        let timescale: i64 = probed["streams"][0]["time_base"].as_str().unwrap()[2..].parse().unwrap();
        let has_half = expected.frames.iter().any(|frame| frame.fields != 2);
        assert_eq!(
            (timescale % 25, if has_half { timescale % 50 } else { 0 }),
            (0, 0),
            "{name}: {timescale}"
        );
        let ticks = |fields: u32| i64::from(fields) * timescale / 50;

        let mut decode_time = packets[0]["dts"].as_i64().unwrap();
        let mut shown: Vec<(i64, usize)> = Vec::new();
        for ((packet, frame), sample) in packets.iter().zip(&expected.frames).zip(packaged.samples().iter()) {
            let number = |field: &str| packet[field].as_i64().unwrap();
            assert_eq!(packet["size"].as_str().unwrap(), frame.size.to_string(), "{name}: {packet}");
            assert_eq!(packet["flags"].as_str().unwrap().starts_with('K'), frame.sync, "{name}: {packet}");
            assert_eq!(number("dts"), decode_time, "{name}");
            shown.push((number("pts"), frame.rank));
            decode_time += i64::from(sample.duration);
            if !has_half {
                assert_eq!(i64::from(sample.duration), ticks(2), "{name}");
            }
        }
        let total = decode_time - packets[0]["dts"].as_i64().unwrap();
        // Each is shown from where the one before ends, for as many fields as the stream says.
        shown.sort_unstable();
        let mut time = shown[0].0;
        for (rank, (pts, of)) in shown.into_iter().enumerate() {
            assert_eq!((of, pts), (rank, time), "{name}");
            time += ticks(expected.frames.iter().find(|frame| frame.rank == rank).unwrap().fields);
        }
        assert_eq!(total, ticks(expected.frames.iter().map(|frame| frame.fields).sum()), "{name}");
    }
}

#[test]
fn ffmpeg_shows_the_pictures_of_the_stream_in_their_order() {
    let mut lost = 0;
    for expected in all() {
        let name = expected.name;
        let packaged = Packaged::new(&expected.bytes, 4);
        let whole = whole(&packaged);
        let (hashes, complaint) = shown(&whole);
        let (of_stream, of_stream_complaint) = shown(&packaged.root.path().join("stream"));
        assert_eq!(of_stream_complaint, "", "{name}");
        if let Some(rank) = expected.lost_to_ffmpeg {
            // FFmpeg 5.1 wants one frame_num in a packet, and operation 5 in a first field makes it 0 for the second.
            assert!(complaint.contains("Frame num change"), "{name}: {complaint}");
            assert!(rank > 1 && hashes[..rank] == of_stream[..rank], "{name}: {rank}");
            lost += 1;
            continue;
        }
        assert_eq!((hashes.len(), complaint.as_str()), (of_stream.len(), ""), "{name}");
        assert_eq!(hashes, of_stream, "{name}");
        if NOT_SHOWN.contains(&name) {
            continue;
        }
        assert_eq!(hashes.len(), expected.frames.len(), "{name}");
        let frames = ffprobe(&["-show_frames"], &whole);
        let times: Vec<i64> =
            frames["frames"].as_array().unwrap().iter().map(|frame| frame["pts"].as_i64().unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{name}: {times:?}");
        assert_eq!(times.len(), expected.frames.len());
    }
    assert_eq!(lost, 3);
}

#[test]
fn manifests_call_the_track_interlaced_at_the_rate_of_frames() {
    for expected in all() {
        let packaged = Packaged::new(&expected.bytes, 4);
        let text = |name: &str| String::from_utf8(packaged.files[name].clone()).unwrap();
        assert!(text("master.m3u8").contains("FRAME-RATE=25.000"), "{}", text("master.m3u8"));
        let mpd = text("manifest.mpd");
        assert!(mpd.contains("scanType=\"interlaced\"") && mpd.contains("frameRate=\"25\""), "{mpd}");
        assert!(!text("manifest.mpd").contains("progressive"));
    }
}

#[test]
fn film_lasts_as_its_pic_struct_says_unless_the_frame_rate_is_given() {
    let expected = all().into_iter().find(|stream| stream.name == FILM).unwrap();
    let four = SegmentDuration::new(4, 1).unwrap();
    let fields: u32 = expected.frames.iter().map(|frame| frame.fields).sum();
    assert_eq!((fields, expected.frames.len()), (3 + 2 + 3 + 2 + 2, 5));
    let told = Packaged::try_new(&expected.bytes, four, None).unwrap();
    let given = Packaged::try_new(&expected.bytes, four, FrameRate::new(25, 1)).unwrap();
    let seconds = |packaged: &Packaged| {
        let track = packaged.track();
        track.duration().0 as f64 / f64::from(track.timescale().get())
    };
    assert_eq!((seconds(&told), seconds(&given)), (f64::from(fields) / 50.0, 5.0 / 25.0));
    let durations: Vec<_> = given.samples().iter().map(|sample| sample.duration).collect();
    assert!(durations.windows(2).all(|pair| pair[0] == pair[1]), "{durations:?}");
    let messages =
        |packaged: &Packaged| packaged.plan.notices.iter().map(|n| n.message.clone()).collect::<String>();
    assert!(messages(&given).contains("2 frames are to be shown longer"), "{}", messages(&given));
    assert!(!messages(&told).contains("longer"), "{}", messages(&told));

    // A field without the other one lasts half as long still.
    let unpaired = all().into_iter().find(|stream| stream.name == NOT_SHOWN[0]).unwrap();
    let given = Packaged::try_new(&unpaired.bytes, four, FrameRate::new(30, 1)).unwrap();
    let fields: u32 = unpaired.frames.iter().map(|frame| frame.fields).sum();
    assert_eq!(seconds(&given), f64::from(fields) / 60.0);
    assert!(fields.is_multiple_of(2) && fields < 2 * unpaired.frames.len() as u32);
}

#[test]
fn a_segmenter_writes_the_bytes_of_the_packager() {
    for expected in all() {
        // A cut at each IDR picture that is not the last frame or so.
        let frame = SegmentDuration::new(1, 25).unwrap();
        let packaged = Packaged::try_new(&expected.bytes, frame, None).unwrap();
        let cuts = packaged.cuts();
        assert_eq!(
            cuts.len() + 1,
            expected.frames.iter().filter(|frame| frame.sync).count(),
            "{}",
            expected.name
        );
        for placement in [SampleEntry, InBand] {
            let keep = tempfile::tempdir().unwrap();
            let config = packaged.config(keep.path(), avc(placement));
            let track = segment(config, &expected.packets(), &cuts, |index| packaged.timing(index));
            let mut files = with_manifests(keep.path(), track);
            if placement == InBand {
                assert!(files.values().all(|bytes| !bytes.windows(4).any(|name| name == b"avc1")));
                continue;
            }
            assert_same_files(&files, &packaged.files);
            // All of a segment in one packet is the same, where all last as long.
            if packaged.samples().iter().all(|sample| sample.duration == packaged.samples().duration_of(0)) {
                let keep = tempfile::tempdir().unwrap();
                let mut segmenter = Segmenter::new(packaged.config(keep.path(), avc(placement))).unwrap();
                let starts: Vec<_> = [0].iter().chain(&cuts).copied().collect();
                for (first, end) in starts.iter().zip(starts.iter().skip(1).chain([&expected.frames.len()])) {
                    let packet = expected.packets()[*first..*end].concat();
                    assert_eq!(segmenter.push(&packet, packaged.timing(0)).unwrap(), end - first);
                    segmenter.cut().unwrap().unwrap();
                }
                files = with_manifests(keep.path(), segmenter.finish().unwrap());
                assert_same_files(&files, &packaged.files);
            }
        }
    }
}

#[test]
fn the_second_field_comes_with_the_first_or_not_at_all() {
    for expected in all() {
        // A pair that is not the first of the stream; its fields have a slice each, or two.
        let is_pair = |frame: &&Frame| {
            units(&frame.packet).iter().filter(|unit| matches!(unit[0] & 0x1f, 1 | 5)).count() > 1
        };
        let Some(index) = expected.frames.iter().position(|frame| is_pair(&frame) && frame.rank > 0) else {
            continue;
        };
        let units = units(&expected.frames[index].packet);
        let (first, second) = units.split_at(units.len() / 2);
        let keep = tempfile::tempdir().unwrap();
        let mut segmenter = Segmenter::new(plain_config(keep.path(), avc(SampleEntry))).unwrap();
        for packet in &expected.packets()[..index] {
            segmenter.push(packet, SampleTiming::new(1000)).unwrap();
        }
        segmenter.push(&byte_stream(first.iter().copied()), SampleTiming::new(1000)).unwrap();
        let pending = segmenter.pending_duration();
        let files = files_below(keep.path()).len();
        for _ in 0..2 {
            let error =
                segmenter.push(&byte_stream(second.iter().copied()), SampleTiming::new(1000)).unwrap_err();
            let text = error.to_string();
            for part in [
                "the second field of a frame whose first field an earlier packet has",
                "both fields of a frame, in one packet",
            ] {
                assert!(text.contains(part) && error.offset().is_some(), "{}: {text}", expected.name);
            }
            assert_eq!((segmenter.pending_duration(), files_below(keep.path()).len()), (pending, files));
        }
        // What is discarded may come again, whole.
        segmenter.discard_pending();
        for packet in expected.packets() {
            assert_eq!(segmenter.push(&packet, SampleTiming::new(1000)).unwrap(), 1);
        }
        let track = segmenter.finish().unwrap();
        assert_eq!(track.duration().0, 1000 * expected.frames.len() as u64);
    }
}

/// Two groups: a frame alone, then a frame with field pairs behind it.
fn fields_in_the_second_group() -> Expected {
    let all = streams();
    let named = |name: &str| all.iter().find(|stream| stream.name == name).unwrap();
    let (pairs, frames) = (named("frames and field pairs"), named("operation 5 in frames"));
    let mut stream = pairs.clone();
    let second = pairs.pictures.iter().rposition(|picture| picture.epoch_start).unwrap();
    stream.pictures.drain(..second);
    stream.pictures.insert(0, frames.pictures[0].clone());
    Expected::of(&stream)
}

#[test]
fn fields_that_come_behind_the_init_segment_make_the_track_interlaced_too() {
    let expected = fields_in_the_second_group();
    let packaged = Packaged::try_new(&expected.bytes, SegmentDuration::new(1, 25).unwrap(), None).unwrap();
    assert_eq!(packaged.cuts(), [1]);
    assert!(String::from_utf8_lossy(&packaged.files["manifest.mpd"]).contains("interlaced"));
    let keep = tempfile::tempdir().unwrap();
    let config = packaged.config(keep.path(), avc(SampleEntry));
    let track = segment(config, &expected.packets(), &[1], |index| packaged.timing(index));
    assert_same_files(&with_manifests(keep.path(), track), &packaged.files);

    // What is discarded was never there.
    let keep = tempfile::tempdir().unwrap();
    let mut segmenter = Segmenter::new(packaged.config(keep.path(), avc(SampleEntry))).unwrap();
    segmenter.push(&expected.packets()[0], packaged.timing(0)).unwrap();
    segmenter.cut().unwrap().unwrap();
    segmenter.push(&expected.packets()[1..].concat(), packaged.timing(1)).unwrap();
    segmenter.discard_pending();
    let files = with_manifests(keep.path(), segmenter.finish().unwrap());
    assert!(!String::from_utf8_lossy(&files["manifest.mpd"]).contains("interlaced"));
}

#[test]
fn a_worker_that_meets_no_fields_works_on_the_same_track() {
    let expected = fields_in_the_second_group();
    let packaged = Packaged::try_new(&expected.bytes, SegmentDuration::new(1, 25).unwrap(), None).unwrap();
    let (packets, sets) = (expected.packets(), units(&expected.bytes)[..2].to_vec());
    let second = [byte_stream(sets), packets[1].clone()].concat();
    let rest = [&[second][..], &packets[2..]].concat();
    for fields_write_init in [false, true] {
        let keep = tempfile::tempdir().unwrap();
        let config = |first| SegmenterConfig {
            write_init: (first == 1) == fields_write_init,
            ..packaged.config_from(keep.path(), avc(SampleEntry), first)
        };
        let frames = segment(config(0), &packets[..1], &[], |index| packaged.timing(index));
        let fields = segment(config(1), &rest, &[], |index| packaged.timing(index + 1));
        let track = merge(vec![frames, fields], &Promise::default()).unwrap();
        assert_same_files(&with_manifests(keep.path(), track), &packaged.files);
    }
}
