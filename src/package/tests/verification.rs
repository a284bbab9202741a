//! What is read back before it is published, and what a run that goes on looks at again.

use std::sync::atomic::AtomicBool;

use super::super::verification::{Verification, difference};
use super::*;
use crate::error::ErrorKind;
use crate::io::publish::{Claim, Run, Settings};
use crate::package::plan::RenditionPlan;
use crate::package::{Existing, Plan};
use crate::verify::findings::Findings;
use crate::verify::{header, segment};

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let nals = [group(0, &[sps(30), pps(0)]), group(1, &[]), group(2, &[])].concat();
        fs::write(directory.path().join("0.h264"), stream(&nals)).unwrap();
        Self { directory }
    }

    fn request(&self, existing: Existing) -> Request {
        let (input, output) = (self.directory.path().join("0.h264"), self.directory.path().join("out"));
        Request {
            segment_duration: SegmentDuration::new(1, 1).unwrap(),
            existing,
            ..Request::new(vec![InputRequest::new(input)], output)
        }
    }

    /// Runs until the first segment is there.
    fn interrupt(&self) {
        let (request, stop) = (self.request(Existing::Refuse), AtomicBool::new(false));
        let plan = run::plan(&request, &|_| ()).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let progress = |_| stop.store(true, Ordering::Relaxed);
        let ended = pool.install(|| run::write_until(&request, &plan, &progress, &stop));
        assert!(matches!(ended.unwrap_err().kind(), ErrorKind::Interrupted));
    }

    fn package(&self, existing: Existing) -> crate::Result<Report> {
        let request = self.request(existing);
        let plan = run::plan(&request, &|_| ())?;
        run::write(&request, &plan, &|_| ())
    }

    fn receipt(&self) -> Vec<u8> {
        fs::read(self.directory.path().join("out/fragmint.json")).unwrap()
    }
}

#[test]
fn a_run_that_goes_on_verifies_the_files_that_it_keeps_and_gives_the_same_receipt() {
    let place = Place::new();
    place.interrupt();
    let resumed = place.package(Existing::Resume).unwrap();
    let receipt = place.receipt();
    assert_eq!(resumed.kept, 2, "init segment and one segment");
    let whole = place.package(Existing::Replace).unwrap();
    assert_eq!((whole.kept, place.receipt() == receipt), (0, true));
    let [whole, resumed] = [whole, resumed].map(|report| report.verification.unwrap());
    assert_eq!((resumed.files, resumed.bytes), (whole.files, whole.bytes));
    assert_eq!(place.package(Existing::Resume).unwrap().kept, whole.files);
}

#[test]
fn a_run_goes_on_with_unchanged_inputs_alone() {
    let place = Place::new();
    place.interrupt();
    let input = place.directory.path().join("0.h264");
    fs::write(&input, fs::read(&input).unwrap()).unwrap();
    let error = place.package(Existing::Resume).unwrap_err().to_string();
    assert!(error.contains("the interrupted run was another one: input 1 file was"), "{error}");
}

#[test]
fn no_manifest_comes_when_an_input_was_written_to_meanwhile() {
    let place = Place::new();
    let request = place.request(Existing::Refuse);
    let plan = run::plan(&request, &|_| ()).unwrap();
    let input = fs::File::options().write(true).open(&request.inputs[0].path).unwrap();
    let written = AtomicU64::new(0);
    // Behind the last segment, each of which looks for itself.
    let touch = |bytes| {
        if written.fetch_add(bytes, Ordering::Relaxed) + bytes == plan.segment_bytes() {
            input.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
    };
    let error = run::write(&request, &plan, &touch).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    assert!(!request.output.exists());
}

/// The bytes of the second media segment of a plan.
fn segment_of(rendition: &RenditionPlan) -> Vec<u8> {
    let list = rendition.segments[1].fragment(&rendition.source.samples).unwrap().piece_list().unwrap();
    let mut bytes = Vec::new();
    list.write_to(&fs::read(rendition.source.input.path()).unwrap(), &mut bytes).unwrap();
    bytes
}

/// The same as `verify` reads it.
fn read_segment(plan: &Plan) -> segment::Segment {
    let rendition = &plan.renditions[0];
    let mut findings = Findings::default();
    let header = header::read("init", &rendition.init, &mut findings).unwrap();
    let bytes = segment_of(rendition);
    let read = segment::read("segment", &&bytes[..], 0..bytes.len() as u64, &header, &mut findings);
    assert!(findings.as_slice().is_empty());
    read.unwrap()
}

#[test]
fn whatever_differs_from_the_plan_is_told() {
    let place = Place::new();
    let plan = run::plan(&place.request(Existing::Refuse), &|_| ()).unwrap();
    let planned = &plan.renditions[0].segments[1];
    let samples = &plan.renditions[0].source.samples;
    let told = |damage: fn(&mut segment::Segment)| {
        let mut read = read_segment(&plan);
        damage(&mut read);
        difference(&read, planned, samples.run(planned.samples.clone()))
    };
    assert_eq!(told(|_| ()), None);
    type Damage = fn(&mut segment::Segment);
    let damages: [(&str, Damage); 10] = [
        ("it has 2 chunks", |read| read.chunks.push(read.chunks[0].clone())),
        ("it is number 3", |read| read.chunks[0].sequence_number += 1),
        ("decode time 25001", |read| read.chunks[0].base_decode_time += 1),
        ("it has 24 samples", |read| read.samples.truncate(24)),
        ("its sample 1 is", |read| read.samples[0].flags ^= 0x0001_0000),
        ("its sample 2 is", |read| read.samples[1].size += 1),
        ("its sample 3 is", |read| read.samples[2].duration += 1),
        ("its sample 4 is", |read| read.samples[3].composition_offset -= 1),
        ("its sample 5 is", |read| read.samples[4].offset += 1),
        ("its payload ends at", |read| read.chunks[0].payload.end += 1),
    ];
    for (words, damage) in damages {
        let difference = told(damage).unwrap_or_default();
        assert!(difference.contains(words), "{words}: {difference:?}");
    }
}

/// Of an init segment, and of a media segment.
type Damage = fn(&mut Vec<u8>, &mut Vec<u8>);

/// What verification says of the init segment and the second media segment of a plan, as `damage` leaves them.
fn verify(damage: Damage) -> Result<(), String> {
    let place = Place::new();
    let request = place.request(Existing::Refuse);
    let plan = run::plan(&request, &|_| ()).unwrap();
    let (path, settings) = (&*request.output, Settings::new());
    let claim = Claim {
        path,
        existing: Existing::Refuse,
        files: plan.files(),
        settings,
        inputs: &[],
        durable: false,
    };
    let run = Run::claim(claim).unwrap();
    let rendition = &plan.renditions[0];
    let (mut init, mut media) = (rendition.init.clone(), segment_of(rendition));
    damage(&mut init, &mut media);
    let verification = Verification::default();
    run.publish_bytes(&rendition.init_path(), &init).unwrap();
    let (first, timescale) = (rendition.inits().next().unwrap(), rendition.packaged.timescale());
    verification.check_init(&run, &first, timescale).map_err(|error| error.to_string())?;
    let planned = &rendition.segments[1];
    run.publish_bytes(&rendition.segment_path(planned), &media).unwrap();
    let checked = verification.check_segment(&run, rendition, planned, || Ok(None));
    checked.map(drop).map_err(|error| error.to_string())
}

#[test]
fn what_a_rule_or_the_plan_forbids_is_an_error_before_it_is_named() {
    assert_eq!(verify(|_, _| ()), Ok(()));
    let damages: [(&str, Damage); 4] = [
        ("init-track-enabled", |init, _| {
            let tkhd = init.windows(4).position(|kind| kind == b"tkhd").unwrap();
            init[tkhd + 7] ^= 1;
        }),
        ("it says timescale", |init, _| {
            let mdhd = init.windows(4).position(|kind| kind == b"mdhd").unwrap();
            let offset = if init[mdhd + 4] == 0 { 16 } else { 24 };
            init[mdhd + offset + 3] ^= 1;
        }),
        ("segment-box-size", |_, media| media.extend([0; 3])),
        ("planned are 2", |_, media| {
            let mfhd = media.windows(4).position(|kind| kind == b"mfhd").unwrap();
            media[mfhd + 11] = 9;
        }),
    ];
    for (words, damage) in damages {
        let error = verify(damage).expect_err(words);
        assert!(error.contains(words) && error.contains("cannot verify the published file"), "{error}");
    }
}

#[test]
fn the_receipt_does_not_depend_on_verification_and_lists_files_in_path_order() {
    let (place, verified) = (Place::new(), Place::new());
    verified.package(Existing::Refuse).unwrap();
    let request = Request { verify: false, ..place.request(Existing::Refuse) };
    let plan = run::plan(&request, &|_| ()).unwrap();
    assert_eq!(run::write(&request, &plan, &|_| ()).unwrap().verification, None);
    assert_eq!(place.receipt(), verified.receipt());
    let receipt: serde_json::Value = serde_json::from_slice(&place.receipt()).unwrap();
    let paths = receipt["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap());
    assert!(paths.is_sorted());
}
