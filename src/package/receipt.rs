//! The receipt (`fragmint.json`): inputs, options, tracks and files of a package, the files in path order. It is written last,
//! so a directory that has one is complete. A function of inputs and options: no time, no host, no directory, no thread count.
//! Described for users in `docs/report.md`.

use serde::Serialize;

use super::plan::Plan;
use super::{InputRequest, OnChange, ParameterSetChoice, Request};
use crate::codec::colour_text::{code_points, colour_volume, light_levels};
use crate::hash::HashAlgorithm;
use crate::io::publish::WrittenFile;

/// What a run made of what.
#[derive(Clone, Debug, Serialize)]
pub struct Receipt {
    /// Version of the program that wrote it.
    pub fragmint: &'static str,
    /// In the order they were given.
    pub inputs: Vec<ReceiptInput>,
    /// Those that the bytes of the package depend on.
    pub options: ReceiptOptions,
    /// In the order of the report: video first.
    pub tracks: Vec<ReceiptTrack>,
    /// Every file but the receipt itself, in path order. Paths are relative to the output directory.
    pub files: Vec<WrittenFile>,
}

/// An input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptInput {
    /// Name without directories; a stream has none that is the same every time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Size in bytes.
    pub bytes: u64,
    /// Frame rate that was given for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<String>,
    /// Language tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// It plays when the viewer chose nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// XXH3-128 of its timecode file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timecodes: Option<String>,
    /// Colour that was given for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// Mastering display that was given for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mastering_display: Option<String>,
    /// Content light levels that were given for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_light: Option<String>,
    /// Samples at its start that were given as priming.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priming: Option<u32>,
}

/// Options that decide what is in a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptOptions {
    /// Segment duration aimed at, in seconds, as a fraction.
    pub segment_duration: String,
    /// Frame rate of all video inputs without one.
    pub frame_rate: Option<String>,
    /// Playlists were asked for.
    pub hls: bool,
    /// An MPD was asked for.
    pub dash: bool,
    /// Pictures in front of the first key frame were to be dropped.
    pub drop_leading: bool,
    /// Incomplete frames were to be dropped.
    pub drop_incomplete: bool,
    /// Where parameter sets were to go, where somebody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_sets: Option<&'static str>,
    /// What was to be done where they change, where that is not to refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_change: Option<&'static str>,
    /// Function of the hashes, or `none`.
    pub hash: &'static str,
}

/// A track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptTrack {
    /// Its directory below the output directory.
    pub directory: String,
    /// The input it came from, by index.
    pub input: usize,
    /// RFC 6381 codec string.
    pub codec: String,
    /// Ticks per second.
    pub timescale: u32,
    /// In ticks.
    pub duration: u64,
    /// Pictures, or audio frames.
    pub samples: u64,
    /// Media segments.
    pub segments: u64,
}

impl Receipt {
    /// The receipt of a package whose files are `files`.
    pub fn new(request: &Request, plan: &Plan, mut files: Vec<WrittenFile>) -> Self {
        // No two have the same path.
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let sources = |index: usize| plan.renditions.iter().find(move |rendition| rendition.input == index);
        Self {
            fragmint: env!("CARGO_PKG_VERSION"),
            inputs: request
                .inputs
                .iter()
                .enumerate()
                .map(|(index, input)| {
                    let bytes = sources(index).map_or(0, |rendition| rendition.source.input.identity().size);
                    ReceiptInput::new(input, bytes)
                })
                .collect(),
            options: ReceiptOptions::new(request),
            tracks: plan
                .renditions
                .iter()
                .map(|rendition| ReceiptTrack {
                    directory: rendition.packaged.directory().to_owned(),
                    input: rendition.input,
                    codec: rendition.packaged.codec().to_owned(),
                    timescale: rendition.packaged.timescale().get(),
                    duration: rendition.packaged.duration().0,
                    samples: rendition.source.samples.len() as u64,
                    segments: rendition.segments.len() as u64,
                })
                .collect(),
            files,
        }
    }

    /// The file's bytes: indented JSON with a line feed at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("strings and numbers always serialise");
        json.push(b'\n');
        json
    }
}

impl ReceiptInput {
    fn new(input: &InputRequest, bytes: u64) -> Self {
        let name = input.path.file_name().filter(|_| input.opened.is_none());
        Self {
            name: name.map(|name| name.to_string_lossy().into_owned()),
            bytes,
            frame_rate: input.frame_rate.map(|rate| rate.to_string()),
            language: input.language.clone(),
            label: input.name.clone(),
            role: input.role.clone(),
            default: input.default,
            timecodes: input.timecodes.as_ref().map(|timecodes| timecodes.hash().to_owned()),
            colour: input.colour.map(code_points),
            mastering_display: input.mastering_display.as_ref().map(colour_volume),
            content_light: input.content_light.map(light_levels),
            priming: input.priming,
        }
    }
}

impl ReceiptOptions {
    fn new(request: &Request) -> Self {
        Self {
            segment_duration: request.segment_duration.to_string(),
            frame_rate: request.frame_rate.map(|rate| rate.to_string()),
            hls: request.hls,
            dash: request.dash,
            drop_leading: request.drop_leading,
            drop_incomplete: request.drop_incomplete,
            parameter_sets: match request.parameter_sets {
                ParameterSetChoice::Auto => None,
                ParameterSetChoice::SampleEntry => Some("sample-entry"),
                ParameterSetChoice::InBand => Some("in-band"),
            },
            on_change: (request.on_change == OnChange::NewPeriod).then_some("new-period"),
            hash: request.hash.map_or("none", HashAlgorithm::name),
        }
    }
}
