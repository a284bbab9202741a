//! One input file ► a source track: its samples without payload, and what the bitstream says of itself.
//!
//! Each input is read through bounded windows, once, or twice when it turns out that its parameter sets change. Nothing of
//! the payload is kept, so memory grows with the number of coded units only.

mod aac;
mod av1;
mod h264;

use rayon::prelude::*;

use super::frame_rate::Timestamps;
use super::report::Notice;
use super::{Progress, Request};
use crate::codec::PictureOrder;
use crate::codec::aac::AacConfig;
use crate::codec::av1::Av1Configuration;
use crate::codec::h264::AvcConfiguration;
use crate::error::{Error, Result};
use crate::io::input::Input;
use crate::io::windows;
use crate::scan::{Count, Dropped, ElementaryFormat};
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

/// What a bitstream says of itself, by codec.
#[derive(Debug)]
pub enum SourceKind {
    /// H.264.
    Avc {
        /// What its parameter sets say together.
        configuration: AvcConfiguration,
        /// Where each picture stands in presentation order, one for each sample.
        orders: Vec<PictureOrder>,
    },
    /// AV1.
    Av1 {
        /// What its sequence header says.
        configuration: Av1Configuration,
        /// The timestamps of the file around it, where it has some.
        timestamps: Option<Timestamps>,
    },
    /// AAC.
    Aac(AacConfig),
}

impl SourceKind {
    /// The order of the pictures, which is not kept; empty where samples are presented in the order of decoding.
    pub(super) fn take_orders(&mut self) -> Vec<PictureOrder> {
        match self {
            Self::Avc { orders, .. } => std::mem::take(orders),
            Self::Av1 { .. } | Self::Aac(_) => Vec::new(),
        }
    }
}

/// Reads the inputs of `request`, on all threads of the current rayon pool.
pub fn read_inputs(request: &Request, progress: Progress<'_>) -> Result<Vec<SourceTrack>> {
    // All are opened and told apart before the first is read: a wrong one should not cost the time of the right ones.
    let inputs = request.inputs.iter().map(|input| Input::open(&input.path)).collect::<Result<Vec<_>>>()?;
    let formats = inputs
        .iter()
        .zip(&request.inputs)
        .map(|(input, settings)| windows::detect_format(input).map_err(|e| e.in_file(&settings.path)))
        .collect::<Result<Vec<_>>>()?;
    check_one_video_codec(request, &formats)?;
    // Every input is read to its end or error, and the first error in input order is told, so that the message does
    // not depend on which thread was faster.
    let read: Vec<_> = inputs
        .into_par_iter()
        .zip(formats)
        .zip(&request.inputs)
        .map(|((input, format), settings)| {
            let read = match format {
                ElementaryFormat::H264AnnexB => h264::read(request, input, progress),
                ElementaryFormat::Av1Ivf => av1::read(request, av1::Form::Ivf, input, progress),
                ElementaryFormat::Av1Obu => av1::read(request, av1::Form::Obus, input, progress),
                ElementaryFormat::AdtsAac => aac::read(request, input, progress),
            };
            read.map_err(|error| error.in_file(&settings.path))
        })
        .collect();
    read.into_iter().collect()
}

/// All video is one switching set, and a player switches within a codec.
fn check_one_video_codec(request: &Request, formats: &[ElementaryFormat]) -> Result<()> {
    let codec = |format: ElementaryFormat| match format {
        ElementaryFormat::H264AnnexB => Some("H.264"),
        ElementaryFormat::Av1Ivf | ElementaryFormat::Av1Obu => Some("AV1"),
        ElementaryFormat::AdtsAac => None,
    };
    let mut videos = request
        .inputs
        .iter()
        .zip(formats)
        .filter_map(|(input, &format)| codec(format).map(|codec| (&input.path, codec)));
    let Some((first, of_first)) = videos.next() else { return Ok(()) };
    match videos.find(|&(_, codec)| codec != of_first) {
        Some((other, codec)) => Err(Error::unsupported(
            format!("{codec} beside {of_first} in '{}': video of two codecs in one package", first.display()),
            "package the video of each codec on its own, each with the same audio",
        )
        .in_file(other)),
        None => Ok(()),
    }
}
