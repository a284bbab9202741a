//! Clocks: the frame rate of each input, the timescale of its switching set, and with them the time of every sample.

use std::num::NonZeroU32;

use super::frame_rate::{Stated, field_rate, frame_rate};
use super::ingest::{OpenCra, Pictures, SourceKind, SourceTrack};
use super::report::Notice;
use super::{InputRequest, Request};
use crate::codec::VideoConfiguration;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::RenditionTimes;
use crate::presentation::Media;
use crate::time::{FrameRate, Ticks, Timescale};
use crate::track::header::{BitRate, SampleEntry, TrackHeader};
use crate::track::timeline;

/// A track whose samples have their times.
#[derive(Debug)]
pub struct TimedTrack<'a> {
    /// What was asked for.
    pub input: &'a InputRequest,
    /// The track, timed.
    pub source: SourceTrack,
    /// Frames per second; `None` for audio.
    pub frame_rate: Option<FrameRate>,
    /// Pictures per second: twice as many where each field is one.
    pub picture_rate: Option<FrameRate>,
    /// Of all its times.
    pub timescale: Timescale,
    /// Bit rates of its samples, without boxes.
    pub bit_rate: BitRate,
    /// Its CRA pictures that no segment can start with.
    pub open_cras: Vec<OpenCra>,
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
        match &mut source.kind {
            SourceKind::Video { configuration, timestamps, pictures } => {
                let stated = Stated::of(configuration, *timestamps);
                let rate = frame_rate(request, input, stated, notices)?;
                let is_given = input.frame_rate.or(request.frame_rate).is_some();
                let (rate, said) = pictures.settle(rate, is_given);
                notices.extend(said.map(|message| Notice::about(&input.path, message)));
                video.push((input, source, rate));
            }
            SourceKind::Audio(configuration) => {
                let rate = NonZeroU32::new(configuration.sample_rate).expect("readers refuse a rate of 0");
                let timescale = Timescale::new(rate);
                let bit_rate = BitRate::of(source.samples.iter(), timescale);
                audio.push(TimedTrack {
                    input,
                    source,
                    frame_rate: None,
                    picture_rate: None,
                    timescale,
                    bit_rate,
                    open_cras: Vec::new(),
                });
            }
        }
    }
    let mut tracks = Vec::with_capacity(video.len() + audio.len());
    let timescales = timescales(&video)?;
    for ((input, mut source, rate), timescale) in video.into_iter().zip(timescales) {
        // It has done its work then, and is not kept.
        let pictures = source.kind.take_pictures();
        tracks.push(time_pictures(input, source, pictures, rate, timescale)?);
    }
    tracks.extend(audio);
    Ok(tracks)
}

/// The timescale of each video input: that of its switching set.
fn timescales(video: &[(&InputRequest, SourceTrack, FrameRate)]) -> Result<Vec<Timescale>> {
    let sets: Vec<_> = video.iter().map(|(_, source, _)| source.kind.video_set()).collect();
    let of_set = |name: &Option<String>| {
        let set = || video.iter().zip(&sets).filter(|(_, other)| *other == name).map(|(track, _)| track);
        // A field without the other one lasts half a frame.
        let ticking = set().map(|(input, source, rate)| {
            let has_fields = source.kind.pictures().is_some_and(|pictures| !pictures.fields.is_empty());
            if has_fields { field_rate(*rate) } else { picture_rate(source, *rate) }
                .map_err(|e| e.in_file(&input.path))
        });
        Timescale::for_frame_rates(ticking.collect::<Result<Vec<_>>>()?).ok_or_else(|| {
            let refused = Error::unsupported(
                "no 32-bit timescale counts the frames of all renditions in whole ticks",
                "give renditions of one switching set the same frame rate, or rates with common factors",
            );
            match set().next() {
                Some((first, ..)) => refused.in_file(&first.path),
                None => refused,
            }
        })
    };
    sets.iter().map(of_set).collect()
}

/// Gives pictures their durations and composition offsets.
fn time_pictures<'a>(
    input: &'a InputRequest,
    mut source: SourceTrack,
    pictures: Pictures,
    rate: FrameRate,
    timescale: Timescale,
) -> Result<TimedTrack<'a>> {
    let Pictures { orders, fields, closed_cras, open_cras } = pictures;
    let pictures_a_second = picture_rate(&source, rate).map_err(|error| error.in_file(&input.path))?;
    let samples = &mut source.samples;
    let in_file = |error: Error| error.in_file(&input.path);
    timeline::check_epochs(&orders, &closed_cras, |index| samples.source_offset(index)).map_err(in_file)?;
    if fields.is_empty() {
        samples.set_duration(picture_duration(pictures_a_second, timescale).map_err(in_file)?.get());
    } else {
        let field = field_rate(rate).and_then(|rate| picture_duration(rate, timescale)).map_err(in_file)?;
        let shown = |index: usize| field.get().saturating_mul(u32::from(fields[index]));
        samples.set_durations(timeline::decode_durations(&orders, shown));
        drop(fields);
    }
    // There are none where samples are presented in the order of decoding.
    if !orders.is_empty() {
        let (duration_of, place) = (|index| samples.duration_of(index), |index| samples.source_offset(index));
        let offsets = timeline::composition_offsets(orders, duration_of, place).map_err(in_file)?;
        samples.set_composition_offsets(offsets);
    }
    let bit_rate = BitRate::of(source.samples.iter(), timescale);
    source.kind.tell_rates(rate, bit_rate.average);
    let (frame_rate, picture_rate) = (Some(rate), Some(pictures_a_second));
    Ok(TimedTrack { input, source, frame_rate, picture_rate, timescale, bit_rate, open_cras })
}

/// Pictures per second at so many frames.
fn picture_rate(source: &SourceTrack, frames: FrameRate) -> Result<FrameRate> {
    let is_field_coded = source.kind.video().is_some_and(VideoConfiguration::is_field_coded);
    if is_field_coded { field_rate(frames) } else { Ok(frames) }
}

/// Duration of a picture at `rate`, in ticks of a timescale that was made for it.
fn picture_duration(rate: FrameRate, timescale: Timescale) -> Result<NonZeroU32> {
    rate.frame_duration(timescale).and_then(NonZeroU32::new).ok_or_else(|| {
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
    })
}

impl TimedTrack<'_> {
    /// Whether it is video.
    pub fn is_video(&self) -> bool {
        self.source.kind.video().is_some()
    }

    /// Lines of a picture after cropping; 0 for audio.
    pub fn height(&self) -> u16 {
        self.source.kind.video().map_or(0, |configuration| configuration.video_format().height)
    }

    /// Sum of the samples' durations.
    pub fn duration(&self) -> Ticks {
        Ticks(self.source.samples.duration())
    }

    /// What is decoded at its start and not presented; 0 for video.
    pub fn priming(&self) -> Ticks {
        match &self.source.kind {
            SourceKind::Audio(audio) => Ticks(audio.priming.into()),
            SourceKind::Video { .. } => Ticks(0),
        }
    }

    /// Decode times of the sync samples. A sync sample starts an epoch, whose earliest presentation time is its first decode
    /// time; the sync sample may be presented later, behind pictures that follow it (SAP type 2).
    pub fn sync_times(&self) -> Vec<Ticks> {
        let mut time = 0;
        let mut times = Vec::new();
        for sample in self.source.samples.iter() {
            if sample.flags.is_sync() {
                times.push(Ticks(time));
            }
            time += u64::from(sample.duration);
        }
        times
    }

    /// What cutting needs to know of a video track with these [`TimedTrack::sync_times`].
    pub fn rendition_times<'t>(&self, name: &'t str, sync_times: &'t [Ticks]) -> RenditionTimes<'t> {
        let frame = self.source.samples.iter().next().map_or(0, |sample| sample.duration);
        RenditionTimes { name, sync_times, frame_duration: Ticks(u64::from(frame)), end: self.duration() }
    }

    /// RFC 6381 codec string.
    pub fn codec_string(&self) -> String {
        self.source.kind.codec_string()
    }

    /// What video has in common with that of its switching set; `None` for audio.
    pub fn video_set(&self) -> Option<String> {
        self.source.kind.video_set()
    }

    /// What playlists say of it.
    pub fn media(&self) -> Media {
        Media::of(&self.entry())
    }

    fn entry(&self) -> SampleEntry {
        match &self.source.kind {
            SourceKind::Video { configuration, .. } => {
                SampleEntry::video(configuration, configuration.video_format(), self.frame_rate)
            }
            SourceKind::Audio(audio) => SampleEntry::Audio(audio.clone()),
        }
    }

    /// What its init segment says.
    pub fn header(&self) -> TrackHeader {
        TrackHeader {
            timescale: self.timescale,
            entry: self.entry(),
            language: self.input.language.clone(),
            role: self.input.role.clone(),
            // The edit list takes the priming from what is presented (ISO/IEC 14496-12 8.8.2, 8.6.6).
            duration: Some(Ticks(self.duration().0.saturating_sub(self.priming().0))),
            bit_rate: Some(self.bit_rate),
        }
    }
}
