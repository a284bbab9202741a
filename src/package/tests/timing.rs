//! Variable frame rates, and colours that the caller says, from a request to the plan.

use std::sync::Arc;

use super::super::{InputRequest, Plan, Request, Timecodes, run, testing};
use super::*;
use crate::codec::{Colour, ContentLight, MasteringDisplay};
use crate::error::{Error, ErrorKind, Result};

/// Streams with what is said of them, in a directory of their own.
struct Scene {
    _directory: tempfile::TempDir,
    request: Request,
}

impl Scene {
    fn new(streams: &[Vec<u8>]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let inputs = streams.iter().enumerate().map(|(number, bytes)| {
            let path = directory.path().join(number.to_string());
            fs::write(&path, bytes).unwrap();
            InputRequest::new(path)
        });
        let mut request = Request::new(inputs.collect(), directory.path().join("out"));
        request.segment_duration = SegmentDuration::new(1, 1).unwrap();
        Self { _directory: directory, request }
    }

    /// The same with timecodes of version 2 for an input.
    fn timed(mut self, input: usize, milliseconds: &[i64]) -> Self {
        let lines: String = milliseconds.iter().map(|time| format!("{time}\n")).collect();
        self.request.inputs[input].timecodes = Some(timecodes(&format!("# timecode format v2\n{lines}")));
        self
    }

    fn plan(&self) -> Result<Plan> {
        run::plan(&self.request, &|_| ())
    }

    fn error(&self) -> Error {
        self.plan().unwrap_err()
    }

    fn notices(&self) -> Vec<String> {
        self.plan().unwrap().notices.into_iter().map(|notice| notice.message).collect()
    }
}

fn timecodes(text: &str) -> Arc<Timecodes> {
    Arc::new(Timecodes::read("t.txt", text.as_bytes()).unwrap())
}

/// Decode and presentation times of a rendition, in ticks.
fn times(plan: &Plan, rendition: usize) -> (Vec<i64>, Vec<i64>) {
    let mut time = 0;
    let samples = plan.renditions[rendition].source.samples.iter();
    samples
        .map(|sample| {
            let decoded = time;
            time += i64::from(sample.duration);
            (decoded, decoded + i64::from(sample.composition_offset.0))
        })
        .unzip()
}

fn timescale(plan: &Plan, rendition: usize) -> u32 {
    plan.renditions[rendition].packaged.timescale().get()
}

fn manifest<'a>(plan: &'a Plan, path: &str) -> &'a str {
    &plan.manifests.iter().find(|(other, _)| other == path).unwrap().1
}

/// Presentation order of the four pictures of each group of `testing::avc`: I P B P by counts 0, 4, 2, 6.
const RANKS: [usize; 4] = [0, 2, 1, 3];

const UNEVEN: [i64; 12] = [0, 40, 140, 200, 1000, 1050, 1100, 1800, 2000, 2001, 2500, 2540];

#[test]
fn pictures_are_presented_at_their_times_and_decoded_at_sorted_ones() {
    let plan = Scene::new(&[testing::avc()]).timed(0, &UNEVEN).plan().unwrap();
    let ticks = UNEVEN.map(|time| time * 90);
    assert_eq!(timescale(&plan, 0), 90_000);
    let (decoded, presented) = times(&plan, 0);
    assert_eq!(decoded, ticks);
    let expected: Vec<_> = (0..12).map(|index| ticks[index / 4 * 4 + RANKS[index % 4]]).collect();
    assert_eq!(presented, expected);
    // Cut at key frames, which are pictures 4 and 8; the last picture lasts as long as the one before.
    let starts: Vec<_> =
        plan.renditions[0].segments.iter().map(|segment| segment.base_decode_time.0).collect();
    assert_eq!(starts, [0, 90_000, 180_000]);
    assert_eq!(plan.renditions[0].packaged.duration().0, 2580 * 90);
}

#[test]
fn playlists_have_the_highest_rate_and_the_mpd_the_average() {
    let steps = [0, 40, 120, 160, 1000, 1040, 1120, 1160, 2000, 2040, 2120, 2160, 2240];
    let plan = Scene::new(&[testing::avc()]).timed(0, &steps).plan().unwrap();
    assert!(manifest(&plan, "master.m3u8").contains("FRAME-RATE=25.000"));
    // 12 pictures in 2.24 s.
    assert!(manifest(&plan, "manifest.mpd").contains("frameRate=\"75/14\""));
    // One is shown for a millisecond: above 300 a second there is no rate to tell.
    let plan = Scene::new(&[testing::avc()]).timed(0, &UNEVEN).plan().unwrap();
    assert!(!manifest(&plan, "master.m3u8").contains("FRAME-RATE"));
}

#[test]
fn renditions_with_the_same_times_are_cut_together_whatever_says_them() {
    // 4 a second, said by the stream, by version 1 and by version 2.
    let scene = Scene::new(&[testing::avc(), testing::avc(), testing::avc(), testing::hevc()]);
    let quarters: Vec<i64> = (0..12).map(|picture| picture * 250).collect();
    let mut scene = scene.timed(2, &quarters).timed(3, &quarters);
    scene.request.inputs[1].timecodes = Some(timecodes("# timecode format v1\nAssume 24000/1001\n0,11,4\n"));
    for (input, name) in scene.request.inputs.iter_mut().zip(["a", "b", "c", "d"]) {
        input.name = Some(name.to_owned());
    }
    let plan = scene.plan().unwrap();
    // The least common multiple of 40000 and 90000; the other codec is a set of its own.
    assert_eq!(
        [0, 1, 2, 3].map(|rendition| timescale(&plan, rendition)),
        [360_000, 360_000, 360_000, 90_000]
    );
    assert_eq!(times(&plan, 0), times(&plan, 1));
    assert_eq!(times(&plan, 0), times(&plan, 2));
    assert!(plan.renditions.iter().all(|rendition| rendition.segments.len() == 3));
}

#[test]
fn key_frames_at_different_times_are_refused_with_the_frame_s_number() {
    let mut scene = Scene::new(&[testing::avc(), testing::avc()]).timed(0, &UNEVEN);
    let moved = UNEVEN.map(|time| if time == 0 { 0 } else { time + 7 });
    scene = scene.timed(1, &moved);
    scene.request.inputs[1].name = Some("other".to_owned());
    let error = scene.error();
    assert!(matches!(error.kind(), ErrorKind::NotAligned { .. }), "{error}");
    assert!(error.to_string().contains("at frame 4 (1.000 s)"), "{error}");
    assert!(error.to_string().contains("nearest is frame 4 (1.007 s)"), "{error}");
}

#[test]
fn a_first_time_other_than_zero_is_told_and_must_be_the_same_for_all() {
    let late = UNEVEN.map(|time| time + 80);
    let scene = Scene::new(&[testing::avc(), testing::avc()]).timed(0, &late);
    let mut scene = scene.timed(1, &late);
    scene.request.inputs[1].name = Some("other".to_owned());
    let [first, second] = &scene.notices()[..] else { panic!("{:?}", scene.notices()) };
    assert!(
        first.contains("presented at 0.080000 s by its times, and at 0 here: cut 0.080000 s off"),
        "{first}"
    );
    assert_eq!(first, second);
    assert_eq!(times(&scene.plan().unwrap(), 0).0, UNEVEN.map(|time| time * 90));

    let error = scene.timed(1, &UNEVEN).error();
    assert!(matches!(error.kind(), ErrorKind::NotAligned { .. }), "{error}");
    assert!(
        error.to_string().contains("is presented at 0.080 s") && error.to_string().contains("at 0.000 s"),
        "{error}"
    );
}

#[test]
fn timecodes_that_do_not_fit_the_request_are_refused() {
    let scene = Scene::new(&[testing::avc()]).timed(0, &UNEVEN[..11]);
    // 12 pictures: 11 lines are neither of the pictures nor with an end.
    let error = scene.error();
    assert!(
        error.to_string().starts_with("t.txt: it has 11 times, but the stream has 12 pictures"),
        "{error}"
    );
    let mut both = Scene::new(&[testing::avc()]).timed(0, &UNEVEN);
    both.request.inputs[0].frame_rate = crate::time::FrameRate::new(25, 1);
    assert!(both.error().to_string().contains("fps= and timecodes= stand at one input"));
    let audio = Scene::new(&[testing::avc(), testing::aac()]).timed(1, &UNEVEN);
    assert!(audio.error().to_string().contains("timecodes= stands at audio"));
    // A rate for all inputs is for those without timecodes.
    let mut all = Scene::new(&[testing::avc()]).timed(0, &UNEVEN);
    all.request.frame_rate = crate::time::FrameRate::new(25, 1);
    assert_eq!(times(&all.plan().unwrap(), 0).0, UNEVEN.map(|time| time * 90));
}

#[test]
fn pictures_that_are_dropped_in_front_have_times_of_their_own() {
    let front = (0..2).map(|n| Slice { data: 7000 + n, ..Slice::p(n % 16, 2 * n % 16) }.nal());
    let nals: Vec<_> = [sps(30), pps(0)].into_iter().chain(front).chain(group(0, &[])).collect();
    let mut scene = Scene::new(&[stream(&nals)]).timed(0, &(0..27).map(|n| 40 * n * n).collect::<Vec<_>>());
    scene.request.drop_leading = true;
    let plan = scene.plan().unwrap();
    let expected: Vec<_> = (2..27).map(|n| (40 * n * n - 160) * 90).collect();
    assert_eq!(times(&plan, 0).0, expected);
    let notices = scene.notices();
    assert!(
        notices.iter().any(|told| told.contains("in front of the first key frame: 2 pictures (0.160 s)")),
        "{notices:?}"
    );
}

/// AV1 in IVF with these timestamps, in units of a quarter of a second.
fn ivf(timestamps: &[u64]) -> Vec<u8> {
    let mut file = testing::av1();
    let mut offset = 32;
    for timestamp in timestamps {
        let len = u32::from_le_bytes(file[offset..offset + 4].try_into().unwrap());
        file[offset + 4..offset + 12].copy_from_slice(&timestamp.to_le_bytes());
        offset += 12 + len as usize;
    }
    assert_eq!(offset, file.len());
    file
}

#[test]
fn ivf_timestamps_are_the_times_where_they_are_not_constant() {
    let stamps = [3, 4, 5, 9, 10, 11, 12, 13, 14, 16, 17, 18];
    let scene = Scene::new(&[ivf(&stamps)]);
    let plan = scene.plan().unwrap();
    assert_eq!(timescale(&plan, 0), 40_000);
    assert_eq!(times(&plan, 0).0, stamps.map(|stamp| (stamp as i64 - 3) * 10_000));
    let notices = scene.notices();
    assert!(notices[0].contains("by the timestamps of the IVF file, as they are"), "{notices:?}");
    assert!(notices[1].contains("presented at 0.750000 s by its times"), "{notices:?}");
    // Constant ones make a rate, and the caller's comes first.
    let even = Scene::new(&[testing::av1()]).plan().unwrap();
    assert_eq!(even.renditions[0].frame_rate, crate::time::FrameRate::new(4, 1));
    let mut given = Scene::new(&[ivf(&stamps)]);
    given.request.frame_rate = crate::time::FrameRate::new(25, 1);
    assert_eq!(given.plan().unwrap().renditions[0].packaged.duration().0, 12_000);
}

#[test]
fn ivf_timestamps_that_do_not_rise_are_refused_where_they_stand() {
    let error = Scene::new(&[ivf(&[0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11])]).error();
    assert!(
        error.to_string().contains("the timestamp 4 is not behind that of the picture before, 4"),
        "{error}"
    );
    assert!(error.offset().is_some());
}

const PQ: Colour = Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false };

#[test]
fn colour_that_the_caller_says_is_that_of_the_track() {
    let mut scene = Scene::new(&[testing::hevc()]);
    let input = &mut scene.request.inputs[0];
    input.colour = Some(PQ);
    input.mastering_display = Some(
        MasteringDisplay::parse("G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)")
            .unwrap(),
    );
    input.content_light = Some(ContentLight { max_content: 1000, max_picture_average: 400 });
    let plan = scene.plan().unwrap();
    assert!(manifest(&plan, "master.m3u8").contains("VIDEO-RANGE=PQ"));
    assert!(manifest(&plan, "manifest.mpd").contains("urn:mpeg:mpegB:cicp:TransferCharacteristics"));
    let init = &plan.renditions[0].init;
    let holds = |bytes: &[u8]| init.windows(bytes.len()).any(|window| window == bytes);
    // `colr` as FFmpeg 5.1's mp4 muxer writes it with `-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc`. The bodies of
    // `mdcv` and `clli` are the payloads of the SEI messages that x265 writes with these words as `master-display` and `max-cll`.
    assert!(holds(b"\0\0\0\x13colrnclx\0\x09\0\x10\0\x09\0"));
    assert!(holds(b"\0\0\0\x20mdcv\x33\xc2\x86\xc4\x1d\x4c\x0b\xb8\x84\xd0\x3e\x80\x3d\x13\x40\x42\0\x98\x96\x80\0\0\0\x01"));
    assert!(holds(b"\0\0\0\x0cclli\x03\xe8\x01\x90"));
    // The stream says nothing that it contradicts.
    assert!(plan.notices.iter().all(|notice| !notice.message.contains("is used; the stream says")));
}

#[test]
fn a_range_that_the_caller_says_makes_another_switching_set() {
    let mut scene = Scene::new(&[testing::avc(), testing::avc()]);
    scene.request.inputs[1].colour = Some(Colour { transfer: 18, ..PQ });
    let plan = scene.plan().unwrap();
    assert_eq!(plan.switching_sets, [[0], [1]]);
    let master = manifest(&plan, "master.m3u8");
    assert!(master.contains("VIDEO-RANGE=SDR") && master.contains("VIDEO-RANGE=HLG"), "{master}");
    scene.request.inputs[0].colour = Some(Colour { transfer: 18, ..PQ });
    scene.request.inputs[1].name = Some("other".to_owned());
    assert_eq!(scene.plan().unwrap().switching_sets, [[0, 1]]);
}

#[test]
fn colour_that_contradicts_the_stream_is_told_and_at_sound_refused() {
    let mut vui = crate::codec::h264::testing::BitWriter::default();
    // No aspect ratio, no overscan; video signal: format 5, limited range, BT.709; no chroma location; 4 pictures a second.
    vui.flag(false).flag(false).flag(true).u(5, 3).flag(false).flag(true).u(1, 8).u(1, 8).u(1, 8).flag(false);
    vui.flag(true).u(1, 32).u(8, 32).flag(true).flag(false).flag(false).flag(false).flag(false);
    let set = Sps { vui: Some(vui), ..Default::default() }.nal();
    let nals = [set, pps(0), Slice::idr().nal()];
    let mut scene = Scene::new(&[stream(&nals)]);
    scene.request.inputs[0].colour = Some(PQ);
    let notices = scene.notices();
    let told = "the colour given, 9/16/9 in limited range, is used; the stream says 1/1/1 in limited range, which stays in it";
    assert!(notices.iter().any(|notice| notice == told), "{notices:?}");
    scene.request.inputs[0].colour = Some(Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false });
    assert!(scene.notices().iter().all(|notice| !notice.contains("is used; the stream says")));

    type Set = fn(&mut InputRequest);
    let settings: [(&str, Set); 3] = [
        ("colour=", |input| input.colour = Some(PQ)),
        ("mastering-display=", |input| {
            input.mastering_display = MasteringDisplay::parse("G(1,1)B(1,1)R(1,1)WP(1,1)L(1,0)").ok();
        }),
        ("content-light=", |input| input.content_light = ContentLight::parse("1,1").ok()),
    ];
    for (name, set) in settings {
        let mut scene = Scene::new(&[testing::avc(), testing::aac()]);
        set(&mut scene.request.inputs[1]);
        assert!(scene.error().to_string().contains(&format!("{name} stands at audio")));
    }
}

#[test]
fn colour_of_vp9_is_that_of_its_configuration_too() {
    let mut scene = Scene::new(&[include_bytes!("../../../tests/streams/54p-vp9.ivf").to_vec()]);
    let codec = |scene: &Scene| {
        let plan = scene.plan().unwrap();
        let init = &plan.renditions[0].init;
        let at = init.windows(4).position(|window| window == b"vpcC").unwrap();
        // Behind version, flags, profile, level: bit depth with chroma and range, then primaries, transfer, matrix.
        (plan.renditions[0].packaged.codec().to_owned(), init[at + 10..at + 14].to_vec())
    };
    assert_eq!(codec(&scene), ("vp09.00.10.08".to_owned(), vec![0x82, 1, 1, 1]));
    let text = |plan: &Plan| [manifest(plan, "manifest.mpd"), manifest(plan, "master.m3u8")].concat();
    // "vp09.<profile>.<level>.<bitDepth>.<chromaSubsampling>.<colourPrimaries>.…": as the WebM project writes its examples.
    for (full_range, string, bits) in
        [(false, "vp09.00.10.08.01.09.16.09.00", 0x82), (true, "vp09.00.10.08.01.09.16.09.01", 0x83)]
    {
        scene.request.inputs[0].colour = Some(Colour { full_range, ..PQ });
        assert_eq!(codec(&scene), (string.to_owned(), vec![bits, 9, 16, 9]));
        assert_eq!(text(&scene.plan().unwrap()).matches(string).count(), 2);
        let notices = scene.notices();
        assert!(
            notices.iter().any(|notice| notice.contains("is used; the stream says 1/1/1 in limited")),
            "{notices:?}"
        );
    }
}

#[test]
fn colour_that_contradicts_the_sequence_header_of_av1_is_refused() {
    let mut scene = Scene::new(&[include_bytes!("../../../tests/streams/90p.ivf").to_vec(), testing::av1()]);
    scene.request.inputs[1].name = Some("other".to_owned());
    scene.request.inputs[0].colour = Some(PQ);
    let error = scene.error().to_string();
    let said = [
        "9/16/9 in limited range",
        "1/1/1 in limited range",
        "av1_metadata=color_primaries=9:transfer_characteristics=16",
    ];
    assert!(said.iter().all(|said| error.contains(said)) && !error.contains('\n'), "{error}");
    scene.request.inputs[0].colour = Some(Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false });
    // The second says only that its range is limited.
    scene.request.inputs[1].colour = Some(Colour { full_range: true, ..PQ });
    let error = scene.error().to_string();
    assert!(
        error.contains("9/16/9 in full range, the sequence header says 9/16/9 in limited range"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_times_come_out_as_they_went_in(steps in proptest::collection::vec(12u64..3_000_000, 12), start in 0u64..10_000_000) {
        // In thousandths of a millisecond.
        let mut instants = vec![start];
        for step in steps {
            instants.push(instants[instants.len() - 1] + step);
        }
        let lines: String = instants.iter().map(|time| format!("{}.{:03}\n", time / 1000, time % 1000)).collect();
        let mut scene = Scene::new(&[testing::avc()]);
        scene.request.inputs[0].timecodes = Some(timecodes(&format!("# timestamp format v2\n{lines}")));
        let plan = scene.plan().unwrap();
        let ticks: Vec<i64> = instants.iter().map(|time| (((time - start) * 180 + 1000) / 2000) as i64).collect();
        let (decoded, presented) = times(&plan, 0);
        prop_assert_eq!(&decoded, &ticks[..12]);
        for (index, presented) in presented.iter().enumerate() {
            prop_assert_eq!(*presented, ticks[index / 4 * 4 + RANKS[index % 4]]);
        }
        prop_assert_eq!(plan.renditions[0].packaged.duration().0 as i64, ticks[12]);
    }
}
