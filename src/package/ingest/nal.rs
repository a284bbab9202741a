//! A byte stream of H.264 or H.265 ► its samples, read once, or twice when it turns out that its parameter sets change.

use std::sync::atomic::{AtomicU64, Ordering};

use super::pictures::{OpenCra, SourcePeriod};
use super::{Pictures, SourceKind, SourceTrack};
use crate::codec::{ParameterSetPlacement, PictureOrder, RandomAccess, VideoConfiguration};
use crate::error::{Error, ErrorKind, Result};
use crate::io::input::Input;
use crate::io::windows::{self, ScanOptions};
use crate::package::report::Notice;
use crate::package::{OnChange, ParameterSetChoice, Progress, Request};
use crate::scan::access_units::{
    AccessUnit, AccessUnitBuilder, AccessUnitOptions, Change, Event, NalCodec, Splitter,
};
use crate::scan::{Count, Dropped};
use crate::track::random_access::RandomAccessWatch;
use crate::track::{Framing, SampleFlags, Samples};

/// Periods that a track may have: each takes an init segment, and a Period in the MPD.
const MAX_PERIODS: usize = 1000;

/// Changes that are told each by itself; of more the number is told.
const TOLD_CHANGES: usize = 20;

/// Reads a stream with its parameter sets where the request wants them. Where it leaves that open, they are in the sample entry,
/// or, read a second time, in band when one changes and no period may start: that
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
    let placement = match request.parameter_sets {
        ParameterSetChoice::InBand => ParameterSetPlacement::InBand,
        ParameterSetChoice::Auto | ParameterSetChoice::SampleEntry => ParameterSetPlacement::SampleEntry,
    };
    let error = match scan::<C>(request, &input, placement, &count) {
        Ok(scan) => return Ok(scan.into_track(input, Vec::new())),
        Err(error) => error,
    };
    let (
        ParameterSetChoice::Auto,
        OnChange::Error,
        &ErrorKind::ParameterSetChanged { kind, id, first, second },
    ) = (request.parameter_sets, request.on_change, error.kind())
    else {
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
        for SourcePeriod { first, change: Change { what, first: held, second }, .. } in
            self.pictures.periods.iter().take(TOLD_CHANGES)
        {
            tell(format!(
                "{what} at {second:#x}, from what holds since {held:#x}: a new period starts with picture {}, counted from 0",
                first
            ));
        }
        if let untold @ 1.. = self.pictures.periods.len().saturating_sub(TOLD_CHANGES) {
            tell(format!("{untold} more periods start behind these"));
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
    // What looks like damage may be a file that somebody writes to: that comes first.
    let checked = |scan: Result<_>| scan.or_else(|error| input.check_unchanged().and(Err(error)));
    let scan = if request.on_change == OnChange::NewPeriod {
        let mut splitter = Splitter::new(builder);
        let mut take = |event: Event<'_, C>| match event {
            Event::Unit(unit) => collected.take(&mut samples, unit),
            Event::Ended(ended, change) => {
                let in_period = |error: Error| error.at(change.second);
                let configuration = ended.configuration().map_err(in_period)?.into();
                collected.start_period(configuration, change, samples.len())
            }
        };
        let scan = windows::scan_nal_units(input, &options, |nal| splitter.push(nal, &mut take));
        let scan = checked(scan)?;
        builder = splitter.finish(&mut take)?;
        scan
    } else {
        let scan = windows::scan_nal_units(input, &options, |nal| match builder.push(nal)? {
            Some(unit) => collected.take(&mut samples, unit),
            None => Ok(()),
        });
        let scan = checked(scan)?;
        if let Some(unit) = builder.finish()? {
            collected.take(&mut samples, unit)?;
        }
        scan
    };
    let configuration = collected.end_period(builder.configuration()?.into())?;
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
    /// Configuration of the first period, once it has ended, …
    first: Option<VideoConfiguration>,
    /// … and where the one starts that is open behind it.
    open: Option<(usize, Change)>,
    watch: RandomAccessWatch<(usize, u64)>,
}

impl Collected {
    /// Ends a period with what its parameter sets say; gives the configuration of the first.
    fn end_period(&mut self, configuration: VideoConfiguration) -> Result<VideoConfiguration> {
        let Some(first_configuration) = self.first.clone() else { return Ok(configuration) };
        if let Some((first, change)) = self.open.take() {
            check_period(&first_configuration, &configuration, &change)?;
            self.pictures.periods.push(SourcePeriod { first, configuration, change });
        }
        Ok(first_configuration)
    }

    /// Ends a period and starts another with the sample of this index.
    fn start_period(&mut self, ended: VideoConfiguration, change: Change, first: usize) -> Result<()> {
        if self.pictures.periods.len() + 2 > MAX_PERIODS {
            let what =
                format!("parameter sets or the format of the pictures change more than {MAX_PERIODS} times");
            let remedy = "keep parameter sets in band (--parameter-sets in-band), or package parts of the stream separately";
            return Err(Error::unsupported(what, remedy).at(change.second));
        }
        self.first = Some(self.end_period(ended)?);
        self.open = Some((first, change));
        Ok(())
    }

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

/// Checks what stays the same over all periods of a track, since players switch to it by that, or count its time by it.
fn check_period(first: &VideoConfiguration, next: &VideoConfiguration, change: &Change) -> Result<()> {
    let refuse = |what: String| {
        let remedy = "cut the stream here, and package the parts separately";
        Err(Error::unsupported(what, remedy).at(change.second))
    };
    let [range, next_range] = [first, next].map(|part| part.video_format().video_range());
    if range != next_range {
        return refuse(format!("the dynamic range changes from {range} to {next_range} within the stream"));
    }
    if first.is_field_coded() != next.is_field_coded() {
        return refuse("the coding changes between frames and fields within the stream".to_owned());
    }
    Ok(())
}
