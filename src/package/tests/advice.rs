//! What a person is told of streams that can be packaged, but not without a word.

use std::fs;

use super::super::{Existing, InputRequest, Report, Request, run};
use super::*;
use crate::codec::h264::testing::BitWriter;
use crate::error::{Error, ErrorKind, Result};

/// Streams by file name, in a directory of their own.
struct Scene {
    directory: tempfile::TempDir,
    request: Request,
}

impl Scene {
    fn new(streams: &[(&str, Vec<u8>)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let inputs = streams.iter().map(|(name, bytes)| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            InputRequest::new(path)
        });
        let mut request = Request::new(inputs.collect(), directory.path().join("out"));
        request.segment_duration = SegmentDuration::new(1, 1).unwrap();
        (request.drop_leading, request.drop_incomplete) = (true, true);
        Self { directory, request }
    }

    fn preview(&self) -> Result<Report> {
        Ok(run::preview(&self.request, &run::plan(&self.request, &|_| ())?))
    }

    /// File name and message of each notice.
    fn notices(&self) -> Vec<(String, String)> {
        let name = |about: &str| about.rsplit('/').next().unwrap().to_owned();
        let notices = self.preview().unwrap().notices;
        notices.into_iter().map(|notice| (name(&notice.about), notice.message)).collect()
    }

    fn error(&self) -> Error {
        self.preview().unwrap_err()
    }
}

fn told(about: &str, message: &str) -> (String, String) {
    (about.to_owned(), message.to_owned())
}

/// Two groups of 25 pictures behind `leading` pictures that decoding cannot start with.
fn video_behind(leading: u32) -> Vec<u8> {
    let front = (0..leading).map(|n| Slice { data: 7000 + n, ..Slice::p(n % 16, 2 * n % 16) }.nal());
    let nals = [sps(30), pps(0)].into_iter().chain(front).chain(group(0, &[])).chain(group(1, &[]));
    stream(&nals.collect::<Vec<_>>())
}

/// ADTS frames of AAC LC in stereo, each of 20 bytes; `rate_index` is 3 for 48 kHz, 4 for 44.1 kHz.
fn audio(rate_index: u8, frames: usize) -> Vec<u8> {
    let frame = |n: usize| {
        let mut frame = vec![0xff, 0xf1, 0x40 | rate_index << 2, 0x80, 20 >> 3, (20 & 7) << 5 | 0x1f, 0xfc];
        frame.resize(20, n as u8);
        frame
    };
    (0..frames).flat_map(frame).collect()
}

#[test]
fn renditions_that_lost_different_spans_are_refused() {
    let error = Scene::new(&[("a.h264", video_behind(3)), ("b.h264", video_behind(4))]).error();
    assert!(matches!(error.kind(), ErrorKind::NotAligned { .. }), "{error}");
    let text = error.to_string();
    for part in ["a.h264", "0.120 s", "b.h264", "0.160 s", "cut the streams at the same picture"] {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
    let error = Scene::new(&[("a.h264", video_behind(0)), ("b.h264", video_behind(1))]).error();
    assert!(error.to_string().contains("0.000 s"), "{error}");
}

#[test]
fn a_span_is_a_matter_of_seconds_not_of_pictures() {
    let mut scene = Scene::new(&[("a.h264", video_behind(3)), ("b.h264", video_behind(6))]);
    scene.request.inputs[1].frame_rate = crate::time::FrameRate::new(50, 1);
    // They part later, at their ends.
    assert!(scene.error().to_string().contains("more than one frame apart"));
}

#[test]
fn dropped_pictures_are_told_and_what_they_do_to_the_audio() {
    let scene =
        Scene::new(&[("v.h264", video_behind(49)), ("w.h264", video_behind(49)), ("a.aac", audio(3, 94))]);
    let message =
        |bytes| format!("dropped in front of the first key frame: 49 pictures (1.960 s), {bytes} bytes");
    let bytes = scene.preview().unwrap().renditions[0].input.dropped.leading_pictures.bytes;
    let expected = [
        told("v.h264", &message(bytes)),
        told("w.h264", &message(bytes)),
        told(
            "a.aac",
            "the video now starts 1.960 s later than its stream did: cut the audio by as much to keep them together",
        ),
    ];
    assert_eq!(scene.notices(), expected);
}

#[test]
fn an_incomplete_audio_frame_that_was_dropped_is_told() {
    let mut cut = audio(3, 95);
    cut.truncate(cut.len() - 8);
    let expected = [told("a.aac", "dropped at the end: an incomplete frame (0.021 s), 12 bytes")];
    assert_eq!(Scene::new(&[("a.aac", cut)]).notices(), expected);
    assert_eq!(Scene::new(&[("a.aac", audio(3, 95))]).notices(), []);
}

/// One group with a sample aspect ratio or colour description in its VUI.
fn video_that_says(aspect: Option<(u32, u32)>, colour: Option<[u32; 3]>) -> Vec<u8> {
    let mut vui = BitWriter::default();
    vui.flag(aspect.is_some());
    if let Some((width, height)) = aspect {
        vui.u(255, 8).u(width, 16).u(height, 16);
    }
    vui.flag(false).flag(colour.is_some());
    if let Some(codes) = colour {
        vui.u(5, 3).flag(false).flag(true);
        for code in codes {
            vui.u(code, 8);
        }
    }
    vui.flag(false).flag(true).u(1, 32).u(50, 32).flag(true).u(0, 4);
    let sps = Sps { vui: Some(vui), ..Default::default() }.nal();
    stream(&group(0, &[sps, pps(0)]))
}

#[test]
fn renditions_that_look_different_are_told() {
    let of = |one, other| Scene::new(&[("a.h264", one), ("b.h264", other)]).notices();
    let (sdr, pq) = (Some([1, 1, 1]), Some([9, 16, 9]));
    let [(about, message)] = &of(video_that_says(None, sdr), video_that_says(None, pq))[..] else {
        panic!("one notice")
    };
    assert_eq!(about, "b.h264");
    assert!(
        message.starts_with("its video range is PQ, but SDR in ") && message.contains("a.h264"),
        "{message}"
    );
    let [(_, message)] = &of(video_that_says(None, sdr), video_that_says(None, Some([6, 6, 6])))[..] else {
        panic!("one notice")
    };
    assert!(message.starts_with("its colours are 6/6/6"), "{message}");
    let [(_, message)] = &of(video_that_says(None, None), video_that_says(Some((4, 3)), None))[..] else {
        panic!("one notice")
    };
    assert!(message.contains("1.771") && message.contains("1.333"), "{message}");
    assert_eq!(of(video_that_says(None, sdr), video_that_says(Some((101, 100)), None)), []);
}
#[test]
fn a_plan_says_where_a_real_run_would_be_refused() {
    let mut scene = Scene::new(&[("v.h264", video_behind(0))]);
    assert_eq!(scene.notices(), []);
    fs::create_dir(&scene.request.output).unwrap();
    assert_eq!(scene.notices(), []);
    let plan = run::plan(&scene.request, &|_| ()).unwrap();
    run::write(&scene.request, &plan, &|_| ()).unwrap();
    let [(about, message)] = &scene.notices()[..] else { panic!("one notice") };
    assert_eq!(about, "out");
    assert!(message.starts_with("a real run would be refused: ") && message.contains("--force"), "{message}");
    scene.request.existing = Existing::Replace;
    assert_eq!(scene.notices(), []);
    assert!(scene.request.output.join("fragmint.json").exists(), "nothing is removed");
    scene.request.output = scene.directory.path().to_path_buf();
    let [(_, message)] = &scene.notices()[..] else { panic!("one notice") };
    assert!(message.contains("not empty"), "{message}");
}

#[test]
fn a_last_picture_with_fewer_slices_than_all_others_is_told() {
    let picture = |slice: Slice, slices: u32| {
        (0..slices).map(move |n| Slice { first_mb: 3 * n, ..slice.clone() }.nal())
    };
    let of = |counts: [u32; 3]| {
        let sets = [sps(30), pps(0)].into_iter();
        let pictures = [Slice::idr(), Slice::p(1, 2), Slice::p(2, 4)].into_iter().zip(counts);
        let nals: Vec<_> = sets.chain(pictures.flat_map(|(slice, count)| picture(slice, count))).collect();
        Scene::new(&[("v.h264", stream(&nals))]).notices()
    };
    let expected = "the last picture has 1 slice where every other has 4: the stream may be cut off";
    assert_eq!(of([4, 4, 1]), [told("v.h264", expected)]);
    assert_eq!(of([2, 4, 1]), []);
    assert_eq!(of([4, 4, 4]), []);
    assert_eq!(of([1, 1, 1]), []);
    assert_eq!(of([2, 2, 3]), []);
}

#[test]
fn audio_alone_is_a_switching_set_only_where_it_lines_up() {
    let sets = |one, other| {
        let report = Scene::new(&[("a.aac", one), ("b.aac", other)]).preview().unwrap();
        report.switching_sets
    };
    assert_eq!(sets(audio(3, 470), audio(3, 471)), [vec![0, 1]]);
    assert_eq!(sets(audio(3, 470), audio(3, 472)), [vec![0], vec![1]]);
    assert_eq!(sets(audio(3, 470), audio(4, 470)), [vec![0], vec![1]]);
}

#[test]
fn a_rate_so_low_that_a_picture_lasts_too_long_is_refused_by_its_duration() {
    let mut scene = Scene::new(&[("v.h264", video_behind(0))]);
    scene.request.frame_rate = crate::time::FrameRate::new(1, u64::from(u32::MAX));
    let text = scene.error().to_string();
    assert!(text.contains("the limit is 4294967295") && text.contains("frame rate"), "{text}");
}
