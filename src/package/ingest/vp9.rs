//! VP9 in IVF ► its samples, one for each superframe with a shown frame.

use super::{Pictures, SourceKind, SourceTrack};
use crate::codec::vp9::Vp9Configuration;
use crate::error::{Error, ErrorKind, Result};
use crate::io::input::Input;
use crate::io::windows::vp9::{self, Vp9Options};
use crate::package::frame_rate::Timestamps;
use crate::package::report::Notice;
use crate::package::{Progress, Request};
use crate::scan::vp9::{SizeChange, SuperframeBuilder, SuperframeOptions};
use crate::scan::{Count, Dropped};
use crate::track::{Framing, SampleFlags, Samples};

pub(super) fn read(request: &Request, input: Input, progress: Progress<'_>) -> Result<SourceTrack> {
    match scan(request, &input, progress) {
        Ok(scan) => Ok(scan.into_track(input)),
        Err(error) => Err(explain_leading_pictures(request, &input, error)),
    }
}

/// What one reading of a stream gives.
struct Scan {
    samples: Samples,
    configuration: Vp9Configuration,
    timestamps: Timestamps,
    size_change: Option<SizeChange>,
    dropped: Dropped,
}

impl Scan {
    fn into_track(self, input: Input) -> SourceTrack {
        let size = self.configuration.video_format();
        let size_change = self.size_change.map(|change| tell_size(&input, change, (size.width, size.height)));
        let hidden = Some(self.dropped.hidden_frames).filter(|hidden| hidden.units > 0);
        let hidden = hidden.map(|Count { units, bytes }| {
            let message =
                format!("dropped at the end: {units} frames, {bytes} bytes, that are not shown, nor is one behind them");
            Notice::about(input.path(), message)
        });
        SourceTrack {
            samples: self.samples,
            kind: SourceKind::Video {
                configuration: Box::new(self.configuration.into()),
                pictures: Pictures::default(),
                timestamps: Some(self.timestamps),
            },
            scan_parts: 1,
            dropped: self.dropped,
            repeated_parameter_sets: Count::default(),
            notices: size_change.into_iter().chain(hidden).collect(),
            input,
        }
    }
}

fn tell_size(input: &Input, SizeChange { offset, first, other }: SizeChange, most: (u16, u16)) -> Notice {
    let message = format!(
        "frames change their size, from {}x{} to {}x{} at {offset:#x} for the first time: the track is said to be {}x{}, and \
         players are left to scale the frames to that",
        first.0, first.1, other.0, other.1, most.0, most.1
    );
    Notice::about(input.path(), message)
}

fn scan(request: &Request, input: &Input, progress: Progress<'_>) -> Result<Scan> {
    let Request { drop_leading, drop_incomplete, .. } = *request;
    let options = Vp9Options { drop_incomplete, progress: Some(progress), ..Vp9Options::default() };
    let mut samples = Samples::new(Framing::Raw);
    let mut builder = SuperframeBuilder::new(SuperframeOptions { drop_leading, drop_incomplete });
    let report = vp9::read_ivf(input, &options, |packet| {
        let dropped = builder.dropped().leading_pictures.units;
        if let Some(superframe) = builder.push(packet)? {
            let flags = SampleFlags::of_picture(superframe.sync, superframe.intra, superframe.reference);
            samples
                .push_with_suffix(superframe.parts, superframe.index, flags, 0)
                .map_err(|error| error.at(superframe.offset))?;
            return Ok(true);
        }
        // A leading picture has a time too.
        Ok(builder.dropped().leading_pictures.units > dropped)
    })?;
    builder.finish()?;
    let timestamps = Timestamps { header: report.header, cadence: report.cadence };
    let dropped = Dropped { incomplete_frames: report.incomplete_frames, ..*builder.dropped() };
    let (configuration, size_change) = (builder.configuration()?, builder.size_change());
    Ok(Scan { samples, configuration, timestamps, size_change, dropped })
}

/// A stream that does not start with a sync sample has one later, or has none: which it is, and how many pictures come
/// before it, is worth a second reading to the person who has to act on it.
fn explain_leading_pictures(request: &Request, input: &Input, error: Error) -> Error {
    let (&ErrorKind::LeadingPictures { first, .. }, Some(offset)) = (error.kind(), error.offset()) else {
        return error;
    };
    let request = Request { drop_leading: true, ..request.clone() };
    match scan(&request, input, &|_| {}) {
        Ok(scan) => {
            let pictures = Some(scan.dropped.leading_pictures.units);
            Error::new(ErrorKind::LeadingPictures { first, pictures }).at(offset)
        }
        // What stands in the way of the remedy comes first.
        Err(other) => other,
    }
}
