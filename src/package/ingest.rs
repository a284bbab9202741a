//! One input file ► a source track: its samples without payload, and what the bitstream says of itself.
//!
//! Each input is read through bounded windows, once, or twice when it turns out that its parameter sets change. Nothing of
//! the payload is kept, so memory grows with the number of coded units only.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::report::Notice;
use super::{InputRequest, Progress, Request};
use crate::codec::PictureOrder;
use crate::codec::aac::{self, AacConfig};
use crate::codec::h264::{AvcConfiguration, ParameterSetPlacement};
use crate::error::{Error, ErrorKind, Result};
use crate::io::input::Input;
use crate::io::windows::{self, AdtsOptions, ScanOptions};
use crate::scan::h264::{AccessUnit, AccessUnitBuilder, AccessUnitOptions};
use crate::scan::{Count, Dropped, ElementaryFormat, SourceRange};
use crate::time::CompositionOffset;
use crate::track::{Framing, Sample, SampleFlags, Samples};

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
        Ok(ElementaryFormat::H264AnnexB) => read_h264(request, input, progress),
        Ok(ElementaryFormat::AdtsAac) => read_aac(request, input, progress),
        Err(error) => Err(error),
    };
    read.map_err(|error| error.in_file(&settings.path))
}

/// Reads a stream as `avc1`, or a second time as `avc3` when a parameter set changes: that shows only where it happens,
/// and by then the sets of the pictures before it are gone from their samples.
fn read_h264(request: &Request, input: Input, progress: Progress<'_>) -> Result<SourceTrack> {
    let told = AtomicU64::new(0);
    let count = |bytes| {
        told.fetch_add(bytes, Ordering::Relaxed);
        progress(bytes);
    };
    let error = match scan_h264(request, &input, ParameterSetPlacement::SampleEntry, &count) {
        Ok(scan) => return Ok(scan.into_track(input, Vec::new())),
        Err(error) => error,
    };
    let &ErrorKind::ParameterSetChanged { kind, id, first, second } = error.kind() else {
        return Err(explain_leading_pictures(request, &input, error));
    };

    // Bytes that were read already are not told again.
    let tell_rest = |bytes: u64| {
        let subtract = |told: u64| Some(told.saturating_sub(bytes));
        let again = told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract).unwrap_or(0);
        progress(bytes.saturating_sub(again));
    };
    let scan = scan_h264(request, &input, ParameterSetPlacement::InBand, &tell_rest)?;
    let message = format!(
        "{kind} {id} at {second:#x} differs from the one at {first:#x}: the track is avc3, with its parameter sets in the \
         segments, which some players do not take"
    );
    let notice = Notice::about(input.path(), message);
    Ok(scan.into_track(input, vec![notice]))
}

/// A stream that does not start with an IDR picture has one later, or has none: which it is, and how many pictures
/// come before it, is worth a second reading to the person who has to act on it.
fn explain_leading_pictures(request: &Request, input: &Input, error: Error) -> Error {
    let (ErrorKind::LeadingPictures { .. }, Some(offset)) = (error.kind(), error.offset()) else {
        return error;
    };
    let request = Request { drop_leading: true, ..request.clone() };
    match scan_h264(&request, input, ParameterSetPlacement::InBand, &|_| {}) {
        Ok(scan) => {
            let pictures = Some(scan.dropped.leading_pictures.units);
            Error::new(ErrorKind::LeadingPictures { pictures }).at(offset)
        }
        // What stands in the way of the remedy comes first.
        Err(other) => other,
    }
}

/// What one reading of an H.264 stream gives.
struct H264Scan {
    samples: Samples,
    configuration: AvcConfiguration,
    orders: Vec<PictureOrder>,
    parts: u64,
    dropped: Dropped,
    repeated: Count,
    /// Slices of the last picture, and of every other, where it has fewer.
    short_last_picture: Option<(u64, u64)>,
}

impl H264Scan {
    fn into_track(self, input: Input, mut notices: Vec<Notice>) -> SourceTrack {
        if let Some((last, others)) = self.short_last_picture {
            let slices = if last == 1 { "slice" } else { "slices" };
            let message = format!(
                "the last picture has {last} {slices} where every other has {others}: the stream may be cut off"
            );
            notices.push(Notice::about(input.path(), message));
        }
        SourceTrack {
            input,
            samples: self.samples,
            kind: SourceKind::Avc { configuration: self.configuration, orders: self.orders },
            scan_parts: self.parts,
            dropped: self.dropped,
            repeated_parameter_sets: self.repeated,
            notices,
        }
    }
}

/// Reads a stream whose parameter sets go there.
fn scan_h264(
    request: &Request,
    input: &Input,
    parameter_sets: ParameterSetPlacement,
    progress: Progress<'_>,
) -> Result<H264Scan> {
    let mut track = TrackBuilder::new(Framing::LengthPrefixed);
    let mut orders = Vec::new();
    let mut builder =
        AccessUnitBuilder::new(AccessUnitOptions { drop_leading: request.drop_leading, parameter_sets });
    let options = ScanOptions { progress: Some(progress), ..ScanOptions::default() };
    let mut take = |track: &mut TrackBuilder, unit: AccessUnit<'_>| {
        orders.push(unit.order);
        track.push(unit.units, picture_flags(&unit), 0).map_err(|error| error.at(unit.offset))
    };
    let scan = windows::scan_nal_units(input, &options, |nal| match builder.push(nal)? {
        Some(unit) => take(&mut track, unit),
        None => Ok(()),
    })?;
    if let Some(unit) = builder.finish()? {
        take(&mut track, unit)?;
    }
    let configuration = builder.parameter_sets().configuration()?;
    let dropped = Dropped { zero_bytes: scan.zero_bytes, ..*builder.dropped() };
    Ok(H264Scan {
        samples: track.samples,
        configuration,
        orders,
        parts: scan.parts,
        dropped,
        repeated: builder.repeated(),
        short_last_picture: builder.short_last_picture(),
    })
}

/// `sample_flags` of a picture, by what its slices prove.
fn picture_flags(unit: &AccessUnit<'_>) -> SampleFlags {
    let flags = match (unit.idr, unit.intra) {
        (true, _) => SampleFlags::SYNC,
        (false, true) => SampleFlags::INTRA,
        (false, false) => SampleFlags::INTER,
    };
    if unit.reference { flags } else { flags.disposable() }
}

fn read_aac(request: &Request, input: Input, progress: Progress<'_>) -> Result<SourceTrack> {
    let mut track = TrackBuilder::new(Framing::Raw);
    let options = AdtsOptions {
        drop_incomplete: request.drop_incomplete,
        progress: Some(progress),
        ..AdtsOptions::default()
    };
    let report = windows::read_adts(&input, &options, |payload| {
        track
            .push(&[payload], SampleFlags::SYNC, aac::SAMPLES_PER_FRAME)
            .map_err(|error| error.at(payload.offset))
    })?;
    let dropped = Dropped {
        id3_tags: report.id3_tags,
        incomplete_frames: report.incomplete_frames,
        ..Dropped::default()
    };
    Ok(SourceTrack {
        input,
        samples: track.samples,
        kind: SourceKind::Aac(report.config),
        scan_parts: 1,
        dropped,
        repeated_parameter_sets: Count::default(),
        notices: Vec::new(),
    })
}

/// Collects samples.
struct TrackBuilder {
    samples: Samples,
}

impl TrackBuilder {
    fn new(framing: Framing) -> Self {
        Self { samples: Samples { framing, samples: Vec::new(), ranges: Vec::new() } }
    }

    /// Appends a sample made of `ranges`; a sample over 32 bits is refused (`trun.sample_size`).
    fn push(&mut self, ranges: &[SourceRange], flags: SampleFlags, duration: u32) -> Result<()> {
        let prefix = u64::from(self.samples.framing.prefix_len());
        let size: u64 = ranges.iter().map(|range| u64::from(range.len) + prefix).sum();
        let too_large = |what: &'static str, value: u64| {
            Error::new(ErrorKind::TooLarge {
                what: what.into(),
                value,
                limit: u64::from(u32::MAX),
                clause: "ISO/IEC 14496-12 8.8.8",
                remedy: "split the stream".into(),
            })
        };
        let index =
            |len: usize| u32::try_from(len).map_err(|_| too_large("the number of coded units", len as u64));
        let start = index(self.samples.ranges.len())?;
        let end = index(self.samples.ranges.len() + ranges.len())?;
        self.samples.ranges.extend_from_slice(ranges);
        self.samples.samples.push(Sample {
            duration,
            composition_offset: CompositionOffset(0),
            flags,
            size: u32::try_from(size).map_err(|_| too_large("the size of a sample in bytes", size))?,
            ranges: start..end,
        });
        Ok(())
    }
}
