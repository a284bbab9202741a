//! Clocks: the frame rate of each input, the timescale of its switching set, and with them the time of every sample.

use std::num::NonZeroU32;
use std::ops::Range;

use super::frame_rate::{Stated, frame_rate};
use super::ingest::{SourceKind, SourceTrack};
use super::report::Notice;
use super::{InputRequest, Request};
use crate::codec::PictureOrder;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::RenditionTimes;
use crate::presentation::Media;
use crate::time::{FrameRate, Ticks, Timescale};
use crate::track::header::{BitRate, SampleEntry, TrackHeader};
use crate::track::{Samples, timeline};

/// A track whose samples have their times.
#[derive(Debug)]
pub struct TimedTrack<'a> {
    /// What was asked for.
    pub input: &'a InputRequest,
    /// The track, timed.
    pub source: SourceTrack,
    /// Rate of the pictures; `None` for audio.
    pub frame_rate: Option<FrameRate>,
    /// Of all its times.
    pub timescale: Timescale,
    /// Bit rates of its samples, without boxes.
    pub bit_rate: BitRate,
}

/// Times all tracks, video first, both in the request's order.
pub fn time_tracks<'a>(
    request: &'a Request,
    sources: Vec<SourceTrack>,
    notices: &mut Vec<Notice>,
) -> Result<Vec<TimedTrack<'a>>> {
    let mut video = Vec::new();
    let mut audio = Vec::new();
    for (input, mut source) in request.inputs.iter().zip(sources) {
        notices.append(&mut source.notices);
        match &source.kind {
            SourceKind::Avc { configuration, .. } => {
                let stated = Stated {
                    bitstream: configuration.bitstream_rate(),
                    promise: "fixed_frame_rate_flag",
                    place: "no timing in its VUI parameters",
                    timestamps: None,
                };
                let rate = frame_rate(request, input, stated, notices)?;
                video.push((input, source, rate));
            }
            SourceKind::Av1 { configuration, timestamps } => {
                let stated = Stated {
                    bitstream: configuration.bitstream_rate(),
                    promise: "equal_picture_interval",
                    place: "no equal_picture_interval in its sequence header",
                    timestamps: *timestamps,
                };
                let rate = frame_rate(request, input, stated, notices)?;
                video.push((input, source, rate));
            }
            SourceKind::Aac(config) => {
                if config.may_have_implicit_sbr() {
                    notices.push(Notice::about(
                        &input.path,
                        format!(
                            "AAC LC at {} Hz may hide HE-AAC, which ADTS cannot tell: it is declared as LC, and players that do not \
                             look for SBR play it at half its bandwidth",
                            config.sample_rate()
                        ),
                    ));
                }
                let rate = NonZeroU32::new(config.sample_rate()).expect("the table of rates has no 0");
                let timescale = Timescale::new(rate);
                let bit_rate = BitRate::of(&source.samples.samples, timescale);
                audio.push(TimedTrack { input, source, frame_rate: None, timescale, bit_rate });
            }
        }
    }
    let mut tracks = Vec::with_capacity(video.len() + audio.len());
    if let Some((first, ..)) = video.first() {
        let timescale =
            Timescale::for_frame_rates(video.iter().map(|&(_, _, rate)| rate)).ok_or_else(|| {
                Error::unsupported(
                    "no 32-bit timescale counts the frames of all renditions in whole ticks",
                    "give renditions of one switching set the same frame rate, or rates with common factors",
                )
                .in_file(&first.path)
            })?;
        for (input, mut source, rate) in video {
            // The order has done its work then: it is not kept.
            let orders = source.kind.take_orders();
            tracks.push(time_pictures(input, source, &orders, rate, timescale)?);
        }
    }
    tracks.extend(audio);
    Ok(tracks)
}

/// Gives pictures their durations and composition offsets.
fn time_pictures<'a>(
    input: &'a InputRequest,
    mut source: SourceTrack,
    orders: &[PictureOrder],
    rate: FrameRate,
    timescale: Timescale,
) -> Result<TimedTrack<'a>> {
    let duration = rate.frame_duration(timescale).and_then(NonZeroU32::new).ok_or_else(|| {
        // The timescale is a multiple of the numerator, so it is a whole number that does not fit.
        let ticks = u64::from(timescale.get()) * u64::from(rate.denominator()) / u64::from(rate.numerator());
        Error::new(ErrorKind::TooLarge {
            what: format!("the duration of a picture at {rate} per second in ticks of 1/{timescale} s")
                .into(),
            value: ticks,
            limit: u64::from(u32::MAX),
            clause: "ISO/IEC 14496-12 8.8.8",
            remedy: "check the frame rate".into(),
        })
        .in_file(&input.path)
    })?;
    let Samples { samples, ranges, .. } = &mut source.samples;
    let units = |index: usize| {
        let Range { start, end } = samples[index].ranges;
        &ranges[start as usize..end as usize]
    };
    // The first unit of the picture's own: parameter sets that were repeated in front of it lie further up.
    let place = |index: usize| {
        let before =
            index.checked_sub(1).and_then(|before| units(before).last()).map_or(0, |unit| unit.end());
        units(index).iter().find(|unit| unit.offset >= before).map_or(before, |unit| unit.offset)
    };
    let offsets =
        timeline::composition_offsets(orders, duration, place).map_err(|e| e.in_file(&input.path))?;
    for sample in samples.iter_mut() {
        sample.duration = duration.get();
    }
    // None where samples are presented in the order of decoding.
    for (sample, offset) in samples.iter_mut().zip(offsets) {
        sample.composition_offset = offset;
    }
    let bit_rate = BitRate::of(&source.samples.samples, timescale);
    Ok(TimedTrack { input, source, frame_rate: Some(rate), timescale, bit_rate })
}

impl TimedTrack<'_> {
    /// Whether it is video.
    pub fn is_video(&self) -> bool {
        matches!(self.source.kind, SourceKind::Avc { .. } | SourceKind::Av1 { .. })
    }

    /// Lines of a picture after cropping; 0 for audio.
    pub fn height(&self) -> u16 {
        match &self.source.kind {
            SourceKind::Avc { configuration, .. } => configuration.video_format().height,
            SourceKind::Av1 { configuration, .. } => configuration.video_format().height,
            SourceKind::Aac(_) => 0,
        }
    }

    /// Sum of the samples' durations.
    pub fn duration(&self) -> Ticks {
        Ticks(self.source.samples.samples.iter().map(|sample| u64::from(sample.duration)).sum())
    }

    /// Decode times of the sync samples. A sync sample starts an epoch, whose earliest presentation time is its first decode
    /// time; the sync sample may be presented later, behind pictures that follow it (SAP type 2).
    pub fn sync_times(&self) -> Vec<Ticks> {
        let mut time = 0;
        let mut times = Vec::new();
        for sample in &self.source.samples.samples {
            if sample.flags.is_sync() {
                times.push(Ticks(time));
            }
            time += u64::from(sample.duration);
        }
        times
    }

    /// What cutting needs to know of a video track with these [`TimedTrack::sync_times`].
    pub fn rendition_times<'t>(&self, name: &'t str, sync_times: &'t [Ticks]) -> RenditionTimes<'t> {
        let frame = self.source.samples.samples.first().map_or(0, |sample| sample.duration);
        RenditionTimes { name, sync_times, frame_duration: Ticks(u64::from(frame)), end: self.duration() }
    }

    /// RFC 6381 codec string.
    pub fn codec_string(&self) -> String {
        match &self.source.kind {
            SourceKind::Avc { configuration, .. } => configuration.codec_string(),
            SourceKind::Av1 { configuration, .. } => configuration.codec_string(),
            SourceKind::Aac(config) => config.codec_string(),
        }
    }

    /// What playlists say of it.
    pub fn media(&self) -> Media {
        Media::of(&self.entry())
    }

    fn entry(&self) -> SampleEntry {
        match &self.source.kind {
            SourceKind::Avc { configuration, .. } => {
                SampleEntry::avc(configuration, configuration.video_format(), self.frame_rate)
            }
            SourceKind::Av1 { configuration, .. } => {
                SampleEntry::av1(configuration, configuration.video_format(), self.frame_rate)
            }
            SourceKind::Aac(config) => SampleEntry::aac(config),
        }
    }

    /// What its init segment says.
    pub fn header(&self) -> TrackHeader {
        TrackHeader {
            timescale: self.timescale,
            entry: self.entry(),
            language: self.input.language.clone(),
            role: self.input.role.clone(),
            duration: Some(self.duration()),
            bit_rate: Some(self.bit_rate),
        }
    }
}
