//! AV1 in IVF, or as a stream of OBUs, low-overhead or length-delimited ► its samples, one for each temporal unit.

use super::{Pictures, SourceKind, SourceTrack};
use crate::codec::av1::Av1Configuration;
use crate::error::{Error, ErrorKind, Result};
use crate::io::input::Input;
use crate::io::windows::obu::{self, ObuOptions};
use crate::package::frame_rate::Timestamps;
use crate::package::report::Notice;
use crate::package::{Progress, Request};
use crate::scan::av1::{Obu, TemporalUnit, TemporalUnitBuilder, TemporalUnitOptions};
use crate::scan::{Count, Dropped};
use crate::track::{Framing, SampleFlags, Samples};

/// What the OBUs of an input stand in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// The frames of an IVF file.
    Ivf,
    /// Nothing: they follow each other.
    Obus,
    /// Lengths of temporal units, frame units and OBUs (AV1 Annex B).
    LengthDelimited,
}

pub(super) fn read(
    request: &Request,
    form: Form,
    input: Input,
    progress: Progress<'_>,
) -> Result<SourceTrack> {
    match scan(request, form, &input, progress) {
        Ok(scan) => Ok(scan.into_track(input)),
        Err(error) => Err(explain_leading_pictures(request, form, &input, error)),
    }
}

/// What one reading of a stream gives.
struct Scan {
    samples: Samples,
    configuration: Av1Configuration,
    timestamps: Option<Timestamps>,
    dropped: Dropped,
    /// Where metadata of high dynamic range differs from that of the first sample.
    hdr_changes: Option<u64>,
}

impl Scan {
    fn into_track(self, input: Input) -> SourceTrack {
        let hdr_changes = self.hdr_changes.map(|offset| {
            let message = format!(
                "metadata OBUs tell another mastering display or light level from {offset:#x} on: the init segment has the \
                 first"
            );
            Notice::about(input.path(), message)
        });
        SourceTrack {
            input,
            samples: self.samples,
            kind: SourceKind::Video {
                configuration: Box::new(self.configuration.into()),
                pictures: Pictures::default(),
                timestamps: self.timestamps,
            },
            scan_parts: 1,
            dropped: self.dropped,
            repeated_parameter_sets: Count::default(),
            notices: hdr_changes.into_iter().collect(),
        }
    }
}

fn scan(request: &Request, form: Form, input: &Input, progress: Progress<'_>) -> Result<Scan> {
    let options = ObuOptions {
        drop_incomplete: request.drop_incomplete,
        progress: Some(progress),
        ..ObuOptions::default()
    };
    let mut samples = Samples::new(Framing::Raw);
    let mut builder = TemporalUnitBuilder::new(TemporalUnitOptions { drop_leading: request.drop_leading });
    let push = |obu: Obu<'_>| match builder.push(obu)? {
        Some(unit) => add(&mut samples, unit),
        None => Ok(()),
    };
    let (timestamps, incomplete_frames) = match form {
        Form::Ivf => {
            let report = obu::read_ivf(input, &options, push)?;
            let timestamps = Timestamps { header: report.header, cadence: report.cadence };
            (Some(timestamps), report.incomplete_frames)
        }
        Form::Obus => (None, obu::read_obus(input, &options, push)?.incomplete_units),
        Form::LengthDelimited => (None, obu::read_length_delimited(input, &options, push)?.incomplete_units),
    };
    if let Some(unit) = builder.finish()? {
        add(&mut samples, unit)?;
    }
    let configuration = builder.configuration()?;
    let dropped = Dropped { incomplete_frames, ..*builder.dropped() };
    Ok(Scan { samples, configuration, timestamps, dropped, hdr_changes: builder.hdr_changes() })
}

fn add(samples: &mut Samples, unit: TemporalUnit<'_>) -> Result<()> {
    let flags = SampleFlags::of_picture(unit.sync, unit.intra, unit.reference);
    samples.push_obus(unit.units, flags, 0).map_err(|error| error.at(unit.offset))
}

/// A stream that does not start with a sync sample has one later, or has none: which it is, and how many pictures come
/// before it, is worth a second reading to the person who has to act on it.
fn explain_leading_pictures(request: &Request, form: Form, input: &Input, error: Error) -> Error {
    let (&ErrorKind::LeadingPictures { first, .. }, Some(offset)) = (error.kind(), error.offset()) else {
        return error;
    };
    let request = Request { drop_leading: true, ..request.clone() };
    match scan(&request, form, input, &|_| {}) {
        Ok(scan) => {
            let pictures = Some(scan.dropped.leading_pictures.units);
            Error::new(ErrorKind::LeadingPictures { first, pictures }).at(offset)
        }
        // What stands in the way of the remedy comes first.
        Err(other) => other,
    }
}
