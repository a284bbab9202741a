//! One input file ► a source track: its samples without payload, and what the bitstream says of itself.
//!
//! Each input is read through bounded windows, once, or twice when it turns out that its parameter sets change. Nothing of
//! the payload is kept, so memory grows with the number of coded units only.

mod aac;
mod h264;

use rayon::prelude::*;

use super::report::Notice;
use super::{InputRequest, Progress, Request};
use crate::codec::PictureOrder;
use crate::codec::aac::AacConfig;
use crate::codec::h264::AvcConfiguration;
use crate::error::Result;
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
    /// AAC.
    Aac(AacConfig),
}

impl SourceKind {
    /// The order of the pictures, which is not kept; empty for audio.
    pub(super) fn take_orders(&mut self) -> Vec<PictureOrder> {
        match self {
            Self::Avc { orders, .. } => std::mem::take(orders),
            Self::Aac(_) => Vec::new(),
        }
    }
}

/// Reads the inputs of `request`, on all threads of the current rayon pool.
pub fn read_inputs(request: &Request, progress: Progress<'_>) -> Result<Vec<SourceTrack>> {
    // All are opened before the first is read: a wrong name should not cost the time of the right ones.
    let inputs = request.inputs.iter().map(|input| Input::open(&input.path)).collect::<Result<Vec<_>>>()?;
    // Every input is read to its end or error, and the first error in input order is told, so that the message does
    // not depend on which thread was faster.
    let read: Vec<_> = inputs
        .into_par_iter()
        .zip(&request.inputs)
        .map(|(input, settings)| read_input(request, settings, input, progress))
        .collect();
    read.into_iter().collect()
}

fn read_input(
    request: &Request,
    settings: &InputRequest,
    input: Input,
    progress: Progress<'_>,
) -> Result<SourceTrack> {
    let read = match windows::detect_format(&input) {
        Ok(ElementaryFormat::H264AnnexB) => h264::read(request, input, progress),
        Ok(ElementaryFormat::AdtsAac) => aac::read(request, input, progress),
        Err(error) => Err(error),
    };
    read.map_err(|error| error.in_file(&settings.path))
}
