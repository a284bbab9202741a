//! A byte stream of H.264 or H.265 ► its samples, read once, or twice when it turns out that its parameter sets change.

use std::sync::atomic::{AtomicU64, Ordering};

use super::pictures::OpenCra;
use super::{Pictures, SourceKind, SourceTrack};
use crate::codec::{ParameterSetPlacement, PictureOrder, RandomAccess, VideoConfiguration};
use crate::error::{Error, ErrorKind, Result};
use crate::io::input::Input;
use crate::io::windows::{self, ScanOptions};
use crate::package::report::Notice;
use crate::package::{Progress, Request};
use crate::scan::access_units::{AccessUnit, AccessUnitBuilder, AccessUnitOptions, NalCodec};
use crate::scan::{Count, Dropped};
use crate::track::random_access::RandomAccessWatch;
use crate::track::{Framing, SampleFlags, Samples};

/// Reads a stream with its parameter sets in the sample entry, or a second time with them in band when one changes: that
/// shows only where it happens, and by then the sets of the pictures before it are gone from their samples.
pub(super) fn read<C: NalCodec>(
    request: &Request,
    input: Input,
    progress: Progress<'_>,
) -> Result<SourceTrack> {
    let told = AtomicU64::new(0);
    let count = |bytes| {
        told.fetch_add(bytes, Ordering::Relaxed);
        progress(bytes);
    };
    let error = match scan::<C>(request, &input, ParameterSetPlacement::SampleEntry, &count) {
        Ok(scan) => return Ok(scan.into_track(input, Vec::new())),
        Err(error) => error,
    };
    let &ErrorKind::ParameterSetChanged { kind, id, first, second } = error.kind() else {
        return Err(explain_leading_pictures::<C>(request, &input, error));
    };

    // Bytes that were read already are not told again.
    let tell_rest = |bytes: u64| {
        let subtract = |told: u64| Some(told.saturating_sub(bytes));
        let again = told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract).unwrap_or(0);
        progress(bytes.saturating_sub(again));
    };
    let scan = scan::<C>(request, &input, ParameterSetPlacement::InBand, &tell_rest)?;
    let message = format!(
        "{kind} {id} at {second:#x} differs from the one at {first:#x}: the track is {}, with its parameter sets in the \
         segments, which some players do not take",
        scan.configuration.entry_type()
    );
    let notice = Notice::about(input.path(), message);
    Ok(scan.into_track(input, vec![notice]))
}

/// A stream that starts in the middle has a picture later that decoding can start with, or has none: which it is, and how
/// many pictures come before it, is worth a second reading to the person who has to act on it.
fn explain_leading_pictures<C: NalCodec>(request: &Request, input: &Input, error: Error) -> Error {
    let (&ErrorKind::LeadingPictures { first, .. }, Some(offset)) = (error.kind(), error.offset()) else {
        return error;
    };
    let request = Request { drop_leading: true, ..request.clone() };
    match scan::<C>(&request, input, ParameterSetPlacement::InBand, &|_| {}) {
        Ok(scan) => {
            let pictures = Some(scan.dropped.leading_pictures.units);
            Error::new(ErrorKind::LeadingPictures { first, pictures }).at(offset)
        }
        // What stands in the way of the remedy comes first.
        Err(other) => other,
    }
}

/// What one reading of a stream gives.
struct Scan {
    samples: Samples,
    configuration: VideoConfiguration,
    pictures: Pictures,
    parts: u64,
    dropped: Dropped,
    repeated: Count,
    /// Slices of the last picture, and of every other, where it has fewer.
    short_last_picture: Option<(u64, u64)>,
    /// Where a mastering display or light levels differ from the first.
    hdr_changes: Option<u64>,
}

impl Scan {
    fn into_track(self, input: Input, mut notices: Vec<Notice>) -> SourceTrack {
        let mut tell = |message: String| notices.push(Notice::about(input.path(), message));
        if let Some((last, others)) = self.short_last_picture {
            let slices = if last == 1 { "slice" } else { "slices" };
            tell(format!(
                "the last picture has {last} {slices} where every other has {others}: the stream may be cut off"
            ));
        }
        if let Some(offset) = self.hdr_changes {
            tell(format!(
                "SEI messages tell another mastering display, light level or transfer from {offset:#x} on: the init segment \
                 has the first"
            ));
        }
        SourceTrack {
            input,
            samples: self.samples,
            kind: SourceKind::Video {
                configuration: Box::new(self.configuration),
                pictures: self.pictures,
                timestamps: None,
            },
            scan_parts: self.parts,
            dropped: self.dropped,
            repeated_parameter_sets: self.repeated,
            notices,
        }
    }
}

/// Reads a stream whose parameter sets go there.
fn scan<C: NalCodec>(
    request: &Request,
    input: &Input,
    parameter_sets: ParameterSetPlacement,
    progress: Progress<'_>,
) -> Result<Scan> {
    let mut collected = Collected::default();
    let mut samples = Samples::new(Framing::LengthPrefixed);
    let mut builder =
        AccessUnitBuilder::<C>::new(AccessUnitOptions { drop_leading: request.drop_leading, parameter_sets });
    let options = ScanOptions { progress: Some(progress), ..ScanOptions::default() };
    let scan = windows::scan_nal_units(input, &options, |nal| match builder.push(nal)? {
        Some(unit) => collected.take(&mut samples, unit),
        None => Ok(()),
    });
    // What looks like damage may be a file that somebody writes to: that comes first.
    let scan = scan.or_else(|error| input.check_unchanged().and(Err(error)))?;
    if let Some(unit) = builder.finish()? {
        collected.take(&mut samples, unit)?;
    }
    let configuration = builder.configuration()?.into();
    let dropped = Dropped { zero_bytes: scan.zero_bytes, ..*builder.dropped() };
    Ok(Scan {
        samples,
        configuration,
        pictures: collected.pictures,
        parts: scan.parts,
        dropped,
        repeated: builder.repeated(),
        short_last_picture: builder.short_last_picture(),
        hdr_changes: builder.hdr_changes(),
    })
}

/// What access units say beside their bytes.
#[derive(Default)]
struct Collected {
    pictures: Pictures,
    watch: RandomAccessWatch<(usize, u64)>,
}

impl Collected {
    fn take(&mut self, samples: &mut Samples, unit: AccessUnit<'_>) -> Result<()> {
        let index = samples.len();
        let flags = SampleFlags::of_picture(unit.random_access.may_start(), unit.intra, unit.reference);
        samples.push(unit.units, flags, 0).map_err(|error| error.at(unit.offset))?;
        let pictures = &mut self.pictures;
        let goes_on = unit.random_access == RandomAccess::UnlessRaslFollows;
        pictures.orders.push(PictureOrder { epoch_start: unit.order.epoch_start || goes_on, ..unit.order });
        pictures.note_fields(index, unit.fields);
        if goes_on {
            pictures.closed_cras.push(index);
        }
        if let Some((cra, offset)) = self.watch.note(unit.random_access, (index, unit.offset)) {
            samples.clear_sync(cra);
            pictures.orders.clear_epoch_start(cra);
            pictures.closed_cras.pop();
            pictures.open_cras.push(OpenCra { index: cra, offset, rasl: unit.offset });
        }
        Ok(())
    }
}
