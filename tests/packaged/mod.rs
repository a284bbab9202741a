//! A byte stream packaged by the library, and the same pictures through a segmenter, whose files must be the same.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

use fragmint::codec::ParameterSetPlacement;
use fragmint::manifest::{dash, hls};
use fragmint::package::{InputRequest, Plan, Request, run};
use fragmint::plan::SegmentDuration;
use fragmint::presentation::{PackagedTrack, Presentation};
use fragmint::scan::annexb::NalUnits;
use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::{FrameRate, Ticks, Timescale};
use fragmint::track::Samples;
use fragmint::track::header::BitRate;
use tempfile::TempDir;

/// Every file of a presentation, by its path below the output.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A package of one video stream.
pub struct Packaged {
    pub plan: Plan,
    pub files: Files,
    pub root: TempDir,
}

/// A stream of `tests/streams`.
pub fn stream(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams").join(name)).unwrap()
}

impl Packaged {
    /// Of a stream that tells its frame rate, in segments of about so many seconds.
    pub fn new(stream: &[u8], seconds: u64) -> Self {
        Self::try_new(stream, SegmentDuration::new(seconds, 1).unwrap(), None).unwrap()
    }

    /// The same with the frame rate given, where it is, and segments of this duration.
    pub fn try_new(
        stream: &[u8],
        segments: SegmentDuration,
        rate: Option<FrameRate>,
    ) -> fragmint::Result<Self> {
        let root = tempfile::tempdir().unwrap();
        let input = root.path().join("stream");
        std::fs::write(&input, stream).unwrap();
        let mut request = Request::new(vec![InputRequest::new(input)], root.path().join("out"));
        request.segment_duration = segments;
        request.frame_rate = rate;
        let plan = run::plan(&request, &|_| {})?;
        run::write(&request, &plan, &|_| {})?;
        let mut files = files_below(&request.output);
        files.retain(|name, _| !name.ends_with(".json"));
        Ok(Self { plan, files, root })
    }

    pub fn track(&self) -> &PackagedTrack {
        &self.plan.renditions[0].packaged
    }

    /// Samples in decode order, as the plan has them.
    pub fn samples(&self) -> &Samples {
        &self.plan.renditions[0].source.samples
    }

    /// Index of the first sample of each segment, but the first.
    pub fn cuts(&self) -> Vec<usize> {
        self.plan.renditions[0].segments.iter().skip(1).map(|segment| segment.samples.start).collect()
    }

    /// For a segmenter that writes the same track below `output`: duration and bit rate are known to a packager.
    pub fn config(&self, output: &Path, codec: CodecConfig) -> SegmenterConfig {
        let track = self.track();
        let mut config = SegmenterConfig::new(output, track.directory(), codec, track.timescale());
        config.duration = Some(Ticks(self.samples().duration()));
        config.bit_rate = Some(BitRate::of(self.samples().iter(), track.timescale()));
        config
    }

    /// The same for the part from sample `first` on, which is the first of a segment.
    pub fn config_from(&self, output: &Path, codec: CodecConfig, first: usize) -> SegmenterConfig {
        let segments = &self.plan.renditions[0].segments;
        let segment = segments.iter().find(|segment| segment.samples.start == first).unwrap();
        SegmenterConfig {
            first_segment_index: segment.number,
            first_base_decode_time: segment.base_decode_time,
            write_init: first == 0,
            ..self.config(output, codec)
        }
    }

    pub fn timing(&self, sample: usize) -> SampleTiming {
        SampleTiming::new(self.samples().duration_of(sample))
    }
}

/// Names and bytes of all files below a directory.
pub fn files_below(root: &Path) -> Files {
    let mut files = Files::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

/// The files below `output`, where a finished track lies, with the manifests that a packager writes of it.
pub fn with_manifests(output: &Path, track: PackagedTrack) -> Files {
    let mut files = files_below(output);
    let presentation = Presentation::new(vec![track], Vec::new()).unwrap();
    let [track] = presentation.video() else { panic!("one track") };
    let media = hls::write_media(track, hls::target_duration(&presentation)).unwrap();
    files.insert(format!("{}/{}", track.directory(), hls::MEDIA_PLAYLIST), media.into());
    files.insert(hls::MASTER_PLAYLIST.to_owned(), hls::write_master(&presentation).unwrap().into());
    files.insert(dash::MPD.to_owned(), dash::write_mpd(&presentation).unwrap().into());
    files
}

#[track_caller]
pub fn assert_same_files(found: &Files, expected: &Files) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in found {
        let expected = &expected[name];
        let differs = bytes.iter().zip(expected).position(|(a, b)| a != b);
        let texts = || (String::from_utf8_lossy(bytes), String::from_utf8_lossy(expected));
        assert!(
            bytes == expected,
            "{name}: {} bytes, expected {}, differs at {differs:?} {:?}",
            bytes.len(),
            expected.len(),
            if name.ends_with("m4s") || name.ends_with("mp4") { Default::default() } else { texts() }
        );
    }
}

/// H.264 with nothing known but where its parameter sets go; likewise H.265.
pub fn avc(parameter_sets: ParameterSetPlacement) -> CodecConfig {
    CodecConfig::Avc { parameter_sets, known_parameter_sets: Vec::new(), video: Default::default() }
}

pub fn hevc(parameter_sets: ParameterSetPlacement) -> CodecConfig {
    CodecConfig::Hevc { parameter_sets, known_parameter_sets: Vec::new(), video: Default::default() }
}

/// The NAL units of a byte stream.
pub fn units(stream: &[u8]) -> Vec<&[u8]> {
    NalUnits::new(stream)
        .unwrap()
        .map(|unit| unit.unwrap())
        .map(|unit| &stream[unit.offset as usize..][..unit.len as usize])
        .collect()
}

/// A byte stream of units, with start codes of four bytes.
pub fn byte_stream<'a>(units: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    units.into_iter().flat_map(|unit| [&[0, 0, 0, 1], unit].concat()).collect()
}

/// Pushes a packet for each sample, cuts where `cuts` says, and gives the track.
pub fn segment(
    config: SegmenterConfig,
    packets: &[Vec<u8>],
    cuts: &[usize],
    timing: impl Fn(usize) -> SampleTiming,
) -> PackagedTrack {
    let mut segmenter = Segmenter::new(config).unwrap();
    for (index, packet) in packets.iter().enumerate() {
        if cuts.contains(&index) {
            segmenter.cut().unwrap().unwrap();
        }
        assert_eq!(segmenter.push(packet, timing(index)).unwrap(), 1, "packet {index}");
    }
    segmenter.finish().unwrap()
}

/// For tests that compare nothing with a package.
pub fn plain_config(output: &Path, codec: CodecConfig) -> SegmenterConfig {
    let timescale = Timescale::new(NonZeroU32::new(25_000).unwrap());
    SegmenterConfig::new(output, "video", codec, timescale)
}
