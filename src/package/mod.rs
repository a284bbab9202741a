//! A whole package: [`Request`] ► [`Plan`] ► files ► [`Report`].
//!
//! [`ingest`] reads each input and keeps where its coded units lie; [`plan`] is pure and settles everything else:
//! names, timescales, cuts, init segments, sizes and manifests to the byte; [`run`] moves the payload, checks what it
//! wrote (`verification`), and publishes. A plan can therefore be shown without being run, and two runs of one plan write the same bytes.

mod advice;
mod colour;
mod cutting;
pub mod frame_rate;
#[cfg(any(test, fuzzing))]
mod fuzz;
pub mod ingest;
mod naming;
mod open_gop;
mod periods;
pub mod plan;
mod presentation_times;
pub mod receipt;
pub mod report;
pub mod run;
#[cfg(any(test, fuzzing))]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod timecodes;
mod timing;
mod verification;

use std::path::PathBuf;
use std::sync::Arc;

use crate::codec::{Colour, ContentLight, MasteringDisplay};
use crate::hash::HashAlgorithm;
use crate::io::input::Input;
use crate::plan::SegmentDuration;
use crate::time::FrameRate;

pub use crate::io::publish::Existing;
pub use crate::presentation::OnChange;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_resume;
pub use plan::Plan;
pub use report::Report;
pub use timecodes::Timecodes;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use timecodes::fuzz_timecodes;

/// What to package, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// Elementary streams, recognised by content. Their order is the order of the output.
    pub inputs: Vec<InputRequest>,
    /// Directory for the package. It must not exist, or be empty, or hold an older run and `existing` say what to do with it.
    pub output: PathBuf,
    /// Segments aim at this duration.
    pub segment_duration: SegmentDuration,
    /// Frame rate of every video input that gives none of its own.
    pub frame_rate: Option<FrameRate>,
    /// Write HLS playlists. One of this and `dash` has to be.
    pub hls: bool,
    /// Write a DASH manifest.
    pub dash: bool,
    /// How segment files are filled.
    pub io: IoChoice,
    /// What to do with the package, or the interrupted run, that is in `output`.
    pub existing: Existing,
    /// Read every file back and compare it with its source before a manifest names it.
    pub verify: bool,
    /// Function of the hashes in the receipt; `None` for a receipt without.
    pub hash: Option<HashAlgorithm>,
    /// Put files and directories on the medium before a manifest names them, so that a package survives the loss of power.
    pub durable: bool,
    /// Drop, and count, pictures in front of the first that decoding can start with.
    pub drop_leading: bool,
    /// Drop, and count, an incomplete frame at the end of an audio stream, an IVF file or a stream of OBUs.
    pub drop_incomplete: bool,
    /// Where the parameter sets of H.264 and H.265 go.
    pub parameter_sets: ParameterSetChoice,
    /// What to do where parameter sets in the sample entry, or the format of the pictures, change.
    pub on_change: OnChange,
}

/// Where the parameter sets of H.264 and H.265 go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParameterSetChoice {
    /// Into the sample entry (`avc1`, `hvc1`); in band too for a stream where one changes and no period may start.
    #[default]
    Auto,
    /// Into the sample entry alone (`avc1`, `hvc1`).
    SampleEntry,
    /// In band too (`avc3`, `hev1`).
    InBand,
}

/// One input, with the settings that the stream itself cannot tell.
#[derive(Clone, Debug, Default)]
pub struct InputRequest {
    /// A regular file; beside `opened`, the name of that.
    pub path: PathBuf,
    /// Read in the place of opening `path`: a stream that was spooled ([`Input::spool`]), a file that is open already.
    pub opened: Option<Arc<Input>>,
    /// Frame rate; wins over the request's and the bitstream's.
    pub frame_rate: Option<FrameRate>,
    /// BCP 47 language tag.
    pub language: Option<String>,
    /// Name for people, and for the directory where it has an ASCII letter or digit.
    pub name: Option<String>,
    /// Role in the DASH role scheme (`urn:mpeg:dash:role:2011`).
    pub role: Option<String>,
    /// The audio that plays when the viewer chose none.
    pub default: bool,
    /// When each picture is presented; wins over every frame rate. Not beside a frame rate of this input.
    pub timecodes: Option<Arc<Timecodes>>,
    /// Colour of the pictures, in the place of what the bitstream says, a preferred transfer in SEI messages included.
    pub colour: Option<Colour>,
    /// Colour volume of the mastering display, in the place of what the bitstream says.
    pub mastering_display: Option<MasteringDisplay>,
    /// Content light levels, in the place of what the bitstream says.
    pub content_light: Option<ContentLight>,
    /// Samples of one channel at the start of an AAC stream that prime the decoder and are not presented: what the encoder says,
    /// since ADTS cannot. Refused for what is not AAC.
    pub priming: Option<u32>,
}

impl InputRequest {
    /// `path` without settings.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }
}

impl Request {
    /// Packages `inputs` into `output` with every other setting at its default.
    pub fn new(inputs: Vec<InputRequest>, output: impl Into<PathBuf>) -> Self {
        Self {
            inputs,
            output: output.into(),
            segment_duration: SegmentDuration::default(),
            frame_rate: None,
            hls: true,
            dash: true,
            io: IoChoice::Auto,
            existing: Existing::Refuse,
            verify: true,
            hash: Some(HashAlgorithm::default()),
            durable: false,
            drop_leading: false,
            drop_incomplete: false,
            parameter_sets: ParameterSetChoice::Auto,
            on_change: OnChange::Error,
        }
    }
}

/// How segment files are filled. Every way gives the same bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IoChoice {
    /// What the record shows to be faster on the output's file system.
    #[default]
    Auto,
    /// Through a mapping of the segment file.
    Mapped,
    /// By gathering writes out of the input.
    Gather,
}

/// Receives how many more bytes of work are done, from any thread.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);
