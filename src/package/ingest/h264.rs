//! An H.264 byte stream ► its samples, read once, or twice when it turns out that its parameter sets change.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{SourceKind, SourceTrack};
use crate::codec::h264::AvcConfiguration;
use crate::codec::{ParameterSetPlacement, PictureOrder};
use crate::error::{Error, ErrorKind, Result};
use crate::io::input::Input;
use crate::io::windows::{self, ScanOptions};
use crate::package::report::Notice;
use crate::package::{Progress, Request};
use crate::scan::h264::{AccessUnit, AccessUnitBuilder, AccessUnitOptions};
use crate::scan::{Count, Dropped};
use crate::track::{Framing, SampleFlags, Samples};

/// Reads a stream as `avc1`, or a second time as `avc3` when a parameter set changes: that shows only where it happens,
/// and by then the sets of the pictures before it are gone from their samples.
pub(super) fn read(request: &Request, input: Input, progress: Progress<'_>) -> Result<SourceTrack> {
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
    let (&ErrorKind::LeadingPictures { first, .. }, Some(offset)) = (error.kind(), error.offset()) else {
        return error;
    };
    let request = Request { drop_leading: true, ..request.clone() };
    match scan_h264(&request, input, ParameterSetPlacement::InBand, &|_| {}) {
        Ok(scan) => {
            let pictures = Some(scan.dropped.leading_pictures.units);
            Error::new(ErrorKind::LeadingPictures { first, pictures }).at(offset)
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
    let mut samples = Samples::new(Framing::LengthPrefixed);
    let mut orders = Vec::new();
    let mut builder =
        AccessUnitBuilder::new(AccessUnitOptions { drop_leading: request.drop_leading, parameter_sets });
    let options = ScanOptions { progress: Some(progress), ..ScanOptions::default() };
    let mut take = |samples: &mut Samples, unit: AccessUnit<'_>| {
        orders.push(unit.order);
        let flags = SampleFlags::of_picture(unit.idr, unit.intra, unit.reference);
        samples.push(unit.units, flags, 0).map_err(|error| error.at(unit.offset))
    };
    let scan = windows::scan_nal_units(input, &options, |nal| match builder.push(nal)? {
        Some(unit) => take(&mut samples, unit),
        None => Ok(()),
    })?;
    if let Some(unit) = builder.finish()? {
        take(&mut samples, unit)?;
    }
    let configuration = builder.parameter_sets().configuration()?;
    let dropped = Dropped { zero_bytes: scan.zero_bytes, ..*builder.dropped() };
    Ok(H264Scan {
        samples,
        configuration,
        orders,
        parts: scan.parts,
        dropped,
        repeated: builder.repeated(),
        short_last_picture: builder.short_last_picture(),
    })
}
