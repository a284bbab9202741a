//! One input file ► a source track: its samples without payload, and what the bitstream says of itself.
//!
//! Each input is read through bounded windows, once, or twice when it turns out that its parameter sets change. Nothing of
//! the payload is kept, so memory grows with the number of coded units only.

mod aac;
mod ac3;
mod av1;
mod flac;
mod nal;
mod opus;
mod pictures;
mod vp9;

pub use pictures::{OpenCra, Pictures, SourcePeriod};

use rayon::prelude::*;

use super::frame_rate::Timestamps;
use super::report::Notice;
use super::{InputRequest, Progress, Request};
use crate::codec::{AudioConfiguration, VideoConfiguration, VideoFormat};
use crate::error::Result;
use crate::io::input::Input;
use crate::io::windows;
use crate::presentation::video_set;
use crate::scan::h264::H264;
use crate::scan::h265::H265;
use crate::scan::{Count, Dropped, ElementaryFormat};
use crate::time::FrameRate;
use crate::track::Samples;

/// An input as it was read.
#[derive(Debug)]
pub struct SourceTrack {
    /// The open file.
    pub input: Input,
    /// Its samples. Those of video have neither duration nor composition offset yet: that takes the timescale of the
    /// whole switching set.
    pub samples: Samples,
    /// What is particular to its codec.
    pub kind: SourceKind,
    /// In how many parts it was scanned.
    pub scan_parts: u64,
    /// What the samples do not hold.
    pub dropped: Dropped,
    /// Parameter sets that the samples hold once more than the input.
    pub repeated_parameter_sets: Count,
    /// What a person should know of how it was read.
    pub notices: Vec<Notice>,
}

impl SourceTrack {
    /// Sound, whose samples are in a roll group where the configuration has one.
    fn of_sound(
        input: Input,
        samples: Samples,
        configuration: AudioConfiguration,
        dropped: Dropped,
        notices: Vec<Notice>,
    ) -> Self {
        Self {
            input,
            samples: samples.in_roll_group(configuration.roll_distance.is_some()),
            kind: SourceKind::Audio(configuration),
            scan_parts: 1,
            dropped,
            repeated_parameter_sets: Count::default(),
            notices,
        }
    }
}

/// What a bitstream says of itself, by codec.
#[derive(Debug)]
pub enum SourceKind {
    /// Pictures.
    Video {
        /// What its parameter sets, or its sequence header, say together.
        configuration: Box<VideoConfiguration>,
        /// What it says of each picture.
        pictures: Pictures,
        /// The timestamps of the file around it, where it has some.
        timestamps: Option<Timestamps>,
    },
    /// Sound.
    Audio(AudioConfiguration),
}

impl SourceKind {
    /// RFC 6381 codec string.
    pub(super) fn codec_string(&self) -> String {
        match self {
            Self::Video { configuration, .. } => configuration.codec_string(),
            Self::Audio(audio) => audio.codec_string.clone(),
        }
    }

    /// What video has in common with that of its switching set, with what `input` says of it; `None` for audio.
    pub(super) fn video_set(&self, input: &InputRequest) -> Option<String> {
        self.video_format(input).map(|format| video_set(&self.codec_string(), &format))
    }

    /// What pictures are like by the bitstream, and by what `input` says in its place; `None` for audio.
    pub(super) fn video_format(&self, input: &InputRequest) -> Option<VideoFormat> {
        self.video().map(|configuration| input.picture_format(configuration.video_format()))
    }

    /// What the bitstream says of each picture.
    pub(super) fn pictures(&self) -> Option<&Pictures> {
        match self {
            Self::Video { pictures, .. } => Some(pictures),
            Self::Audio(_) => None,
        }
    }

    /// The same, to be kept no longer.
    pub(super) fn take_pictures(&mut self) -> Pictures {
        match self {
            Self::Video { pictures, .. } => std::mem::take(pictures),
            Self::Audio(_) => Pictures::default(),
        }
    }

    /// Lets the configuration of video say what depends on rates, and what `input` says of its colour.
    pub(super) fn describe(
        &mut self,
        input: &InputRequest,
        frame_rate: Option<FrameRate>,
        average_bit_rate: u32,
    ) {
        if let Self::Video { configuration, .. } = self {
            let format = input.picture_format(configuration.video_format());
            **configuration =
                configuration.as_ref().clone().described(&format, frame_rate, Some(average_bit_rate));
        }
    }

    /// What a video bitstream says of itself; `None` for audio.
    pub fn video(&self) -> Option<&VideoConfiguration> {
        match self {
            Self::Video { configuration, .. } => Some(configuration),
            Self::Audio(_) => None,
        }
    }
}

/// Reads the inputs of `request`, on all threads of the current rayon pool.
pub fn read_inputs(request: &Request, progress: Progress<'_>) -> Result<Vec<SourceTrack>> {
    // All are opened and told apart before the first is read: a wrong one should not cost the time of the right ones.
    let open = |input: &InputRequest| match &input.opened {
        Some(opened) => opened.try_clone(),
        None => Input::open(&input.path),
    };
    let inputs = request.inputs.iter().map(open).collect::<Result<Vec<_>>>()?;
    let formats = inputs
        .iter()
        .zip(&request.inputs)
        .map(|(input, settings)| windows::detect_format(input).map_err(|e| e.in_file(&settings.path)))
        .collect::<Result<Vec<_>>>()?;
    // Every input is read to its end or error, and the first error in input order is told, so that the message does
    // not depend on which thread was faster.
    let read: Vec<_> = inputs
        .into_par_iter()
        .zip(formats)
        .zip(&request.inputs)
        // One by one: rayon keeps several together otherwise, and a thread that has no more looks on while another reads them.
        .with_max_len(1)
        .map(|((input, format), settings)| {
            let read = match format {
                ElementaryFormat::H264AnnexB => nal::read::<H264>(request, input, progress),
                ElementaryFormat::H265AnnexB => nal::read::<H265>(request, input, progress),
                ElementaryFormat::Av1Ivf => av1::read(request, av1::Form::Ivf, input, progress),
                ElementaryFormat::Av1Obu => av1::read(request, av1::Form::Obus, input, progress),
                ElementaryFormat::Av1AnnexB => {
                    av1::read(request, av1::Form::LengthDelimited, input, progress)
                }
                ElementaryFormat::Vp9Ivf => vp9::read(request, input, progress),
                ElementaryFormat::OggOpus => opus::read(request, input, progress),
                ElementaryFormat::Ac3 | ElementaryFormat::Eac3 => ac3::read(request, input, progress),
                ElementaryFormat::AdtsAac => aac::read(request, settings, input, progress),
                ElementaryFormat::Flac => flac::read(request, input, progress),
            };
            read.map_err(|error| error.in_file(&settings.path))
        })
        .collect();
    read.into_iter().collect()
}
