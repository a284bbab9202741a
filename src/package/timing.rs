//! Clocks: the frame rate of each input, the timescale of its switching set, and with them the time of every sample.

use std::num::NonZeroU32;

use super::frame_rate::{Clock, Counted, Stated, clock, field_rate};
use super::ingest::{OpenCra, Pictures, SourceKind, SourcePeriod, SourceTrack};
use super::presentation_times::{self, PresentationTimes};
use super::report::Notice;
use super::{InputRequest, Request, periods};
use crate::codec::{VideoConfiguration, VideoFormat};
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
    /// Frames per second, the highest where it varies; `None` for audio, and where that is above what a frame rate may be.
    pub frame_rate: Option<FrameRate>,
    /// Pictures per second: twice as many where each field is one.
    pub picture_rate: Option<FrameRate>,
    /// Frames per second on average, where each has a time of its own and they are not evenly apart.
    pub average_frame_rate: Option<FrameRate>,
    /// How long the pictures lasted that were dropped in front of the first.
    pub lead: Ticks,
    /// Of all its times.
    pub timescale: Timescale,
    /// Bit rates of its samples, without boxes.
    pub bit_rate: BitRate,
    /// Its CRA pictures that no segment can start with.
    pub open_cras: Vec<OpenCra>,
    /// Its periods behind the first.
    pub periods: Vec<SourcePeriod>,
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
            SourceKind::Video { .. } => {
                let clock = video_clock(request, input, &mut source, notices)?;
                video.push((input, source, clock));
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
                    average_frame_rate: None,
                    lead: Ticks(0),
                    timescale,
                    bit_rate,
                    open_cras: Vec::new(),
                    periods: Vec::new(),
                });
            }
        }
    }
    let mut tracks = Vec::with_capacity(video.len() + audio.len());
    check_starts(&video)?;
    let timescales = timescales(&video)?;
    for ((input, mut source, clock), timescale) in video.into_iter().zip(timescales) {
        // It has done its work then, and is not kept.
        let pictures = source.kind.take_pictures();
        tracks.push(time_pictures(input, source, pictures, clock, timescale)?);
    }
    tracks.extend(audio);
    Ok(tracks)
}

/// What makes the times of a video input, told.
fn video_clock(
    request: &Request,
    input: &InputRequest,
    source: &mut SourceTrack,
    notices: &mut Vec<Notice>,
) -> Result<Clock> {
    let (samples, dropped) = (&source.samples, &source.dropped);
    let SourceKind::Video { configuration, timestamps, pictures } = &mut source.kind else {
        unreachable!("the caller has looked")
    };
    // As many as there are bytes at most, so that they fit memory's width.
    let lead = usize::try_from(dropped.leading_pictures.units).unwrap_or(usize::MAX);
    let clock = if let Some(timecodes) = &input.timecodes {
        if input.frame_rate.is_some() {
            let what = "fps= and timecodes= stand at one input";
            return Err(Error::usage(what, "leave one of them out").in_file(&input.path));
        }
        if dropped.skipped_pictures.units > 0 {
            let what = format!(
                "{} RASL pictures were dropped, and which of the timecodes are theirs is not known",
                dropped.skipped_pictures.units
            );
            let remedy = "cut the stream so that none has to be dropped";
            return Err(Error::conflict(what, remedy).in_file(&input.path));
        }
        notices.extend(timecodes.notices().iter().map(|message| Notice::about(&input.path, message.clone())));
        Clock::Times(timecodes.times(samples.len().saturating_add(lead), lead)?)
    } else {
        let stated = Stated::of(configuration, timestamps.take());
        let offset_of = |index| samples.source_offset(index);
        let counted = Counted { pictures: samples.len(), lead, offset_of: &offset_of };
        clock(request, input, stated, &counted, notices)?
    };
    Ok(match clock {
        Clock::Rate(rate) => {
            let is_given = input.frame_rate.or(request.frame_rate).is_some();
            if !is_given {
                periods::check_rates(&pictures.periods, rate).map_err(|e| e.in_file(&input.path))?;
            }
            let (rate, said) = pictures.settle(rate, is_given);
            notices.extend(said.map(|message| Notice::about(&input.path, message)));
            Clock::Rate(rate)
        }
        Clock::Times(times) => {
            // They say for how long each is presented.
            pictures.fields = Vec::new();
            let start = times.start_nanoseconds();
            notices.extend((start != 0).then(|| Notice::about(&input.path, late_start(start))));
            Clock::Times(times)
        }
    })
}

/// What becomes of a first picture that is not presented at 0.
fn late_start(nanoseconds: i128) -> String {
    let seconds = nanoseconds as f64 / 1e9;
    let remedy = if nanoseconds > 0 {
        format!("cut {seconds:.6} s off the beginning of sound that starts at 0 by the same clock")
    } else {
        format!("put {:.6} s of silence in front of sound that starts at 0 by the same clock", -seconds)
    };
    format!("its first picture is presented at {seconds:.6} s by its times, and at 0 here: {remedy}")
}

/// Renditions whose pictures start at different instants would be moved against each other, since each starts at 0.
///
/// # Errors
/// Names two that are a millisecond apart or more.
fn check_starts(video: &[(&InputRequest, SourceTrack, Clock)]) -> Result<()> {
    let mut starts = video.iter().filter_map(|(input, _, clock)| match clock {
        Clock::Times(times) => Some((input, times.start_nanoseconds())),
        Clock::Rate(_) => None,
    });
    let Some((first, start)) = starts.next() else { return Ok(()) };
    match starts.find(|(_, other)| other.abs_diff(start) >= 1_000_000) {
        None => Ok(()),
        Some((other, later)) => Err(Error::not_aligned(
            format!(
                "the first picture of '{}' is presented at {:.3} s, that of '{}' at {:.3} s",
                first.path.display(),
                start as f64 / 1e9,
                other.path.display(),
                later as f64 / 1e9
            ),
            "cut the streams at the same picture, or count their times from the same instant",
        )),
    }
}

/// The timescale of each video input: that of its switching set.
fn timescales(video: &[(&InputRequest, SourceTrack, Clock)]) -> Result<Vec<Timescale>> {
    let sets: Vec<_> = video.iter().map(|(input, source, _)| source.kind.video_set(input)).collect();
    let of_set = |name: &Option<String>| {
        let set = || video.iter().zip(&sets).filter(|(_, other)| *other == name).map(|(track, _)| track);
        let ticking = set().map(|(input, source, clock)| match clock {
            Clock::Times(times) => Ok(times.timescale()),
            Clock::Rate(rate) => {
                // A field without the other one lasts half a frame.
                let has_fields = source.kind.pictures().is_some_and(|pictures| !pictures.fields.is_empty());
                let rate = if has_fields { field_rate(*rate) } else { picture_rate(source, *rate) };
                rate.map(FrameRate::ticking).map_err(|e| e.in_file(&input.path))
            }
        });
        Timescale::multiple_of(ticking.collect::<Result<Vec<_>>>()?).ok_or_else(|| {
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
    clock: Clock,
    timescale: Timescale,
) -> Result<TimedTrack<'a>> {
    let Pictures { orders, fields, closed_cras, open_cras, periods } = pictures;
    let samples = &mut source.samples;
    let in_file = |error: Error| error.in_file(&input.path);
    timeline::check_epochs(&orders, &closed_cras, |index| samples.source_offset(index)).map_err(in_file)?;
    let rates = match clock {
        Clock::Rate(rate) => set_durations(&mut source, &orders, &fields, rate, timescale),
        Clock::Times(times) => set_instants(&mut source, &times, timescale),
    };
    let Rates { frame_rate, picture_rate, average_frame_rate, lead } = rates.map_err(in_file)?;
    drop(fields);
    let samples = &mut source.samples;
    // There are none where samples are presented in the order of decoding.
    if !orders.is_empty() {
        let (duration_of, place) = (|index| samples.duration_of(index), |index| samples.source_offset(index));
        let offsets = timeline::composition_offsets(orders, duration_of, place).map_err(in_file)?;
        samples.set_composition_offsets(offsets);
    }
    let bit_rate = BitRate::of(source.samples.iter(), timescale);
    source.kind.describe(input, frame_rate, bit_rate.average);
    Ok(TimedTrack {
        input,
        source,
        frame_rate,
        picture_rate,
        average_frame_rate,
        lead,
        timescale,
        bit_rate,
        open_cras,
        periods,
    })
}

/// What durations say of a track.
struct Rates {
    frame_rate: Option<FrameRate>,
    picture_rate: Option<FrameRate>,
    average_frame_rate: Option<FrameRate>,
    lead: Ticks,
}

/// Frames of this rate last as long as each other, and pictures as long as their fields.
fn set_durations(
    source: &mut SourceTrack,
    orders: &timeline::Orders,
    fields: &[u8],
    rate: FrameRate,
    timescale: Timescale,
) -> Result<Rates> {
    let pictures_a_second = picture_rate(source, rate)?;
    let dropped = source.dropped.leading_pictures.units;
    let lead = if fields.is_empty() {
        let duration = picture_duration(pictures_a_second, timescale)?.get();
        source.samples.set_duration(duration);
        dropped.saturating_mul(u64::from(duration))
    } else {
        let field = picture_duration(field_rate(rate)?, timescale)?.get();
        let shown = |index: usize| field.saturating_mul(u32::from(fields[index]));
        source.samples.set_durations(timeline::decode_durations(orders, shown));
        // Frames, as far as is known of what was dropped.
        dropped.saturating_mul(2 * u64::from(field))
    };
    let (frame_rate, picture_rate) = (Some(rate), Some(pictures_a_second));
    Ok(Rates { frame_rate, picture_rate, average_frame_rate: None, lead: Ticks(lead) })
}

/// Pictures are presented at these instants. Decode times are presentation times in order, so the sample that is decoded in the
/// turn of a picture lasts as long as that is presented.
fn set_instants(source: &mut SourceTrack, times: &PresentationTimes, timescale: Timescale) -> Result<Rates> {
    let durations = times.durations(timescale)?;
    debug_assert_eq!(durations.len(), source.samples.len(), "the clock was made for these samples");
    let picture_rate = presentation_times::highest_rate(durations.iter().copied(), timescale);
    source.samples.set_durations(durations);
    let is_field_coded = source.kind.video().is_some_and(VideoConfiguration::is_field_coded);
    let of_frames =
        |rate: Option<FrameRate>| if is_field_coded { rate.and_then(FrameRate::halved) } else { rate };
    let samples = Some(&source.samples).filter(|samples| samples.durations_vary());
    let average = samples.and_then(|all| average_rate(all.len() as u64, all.duration(), timescale));
    Ok(Rates {
        frame_rate: of_frames(picture_rate),
        picture_rate,
        average_frame_rate: of_frames(average),
        lead: Ticks(times.lead(timescale)),
    })
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
        self.video_format().map_or(0, |format| format.height)
    }

    /// What its pictures are like, by the bitstream and what was asked for; `None` for audio.
    pub fn video_format(&self) -> Option<VideoFormat> {
        self.source.kind.video_format(self.input)
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

    /// The index of each sync sample where durations differ; empty where they do not, since times tell it then.
    pub fn sync_frames(&self) -> Vec<u64> {
        if !self.source.samples.durations_vary() {
            return Vec::new();
        }
        let is_sync = |(index, sample): (u64, crate::track::Sample)| sample.flags.is_sync().then_some(index);
        (0..).zip(self.source.samples.iter()).filter_map(is_sync).collect()
    }

    /// What cutting needs to know of a video track with these [`TimedTrack::sync_times`] and [`TimedTrack::sync_frames`].
    pub fn rendition_times<'t>(
        &self,
        name: &'t str,
        sync_times: &'t [Ticks],
        sync_frames: &'t [u64],
    ) -> RenditionTimes<'t> {
        // What another rendition lacks at its end is its last picture.
        let frame_duration = Ticks(u64::from(self.source.samples.last_duration().unwrap_or(0)));
        RenditionTimes { name, sync_times, sync_frames, frame_duration, end: self.duration() }
    }

    /// RFC 6381 codec string.
    pub fn codec_string(&self) -> String {
        self.source.kind.codec_string()
    }

    /// What video has in common with that of its switching set; `None` for audio.
    pub fn video_set(&self) -> Option<String> {
        self.source.kind.video_set(self.input)
    }

    /// What playlists say of it.
    pub fn media(&self) -> Media {
        Media::of(&self.entry())
    }

    /// The sample entry of one of its periods behind the first.
    pub(super) fn entry_of(&self, period: &SourcePeriod) -> SampleEntry {
        let configuration = &period.configuration;
        let format = self.input.picture_format(configuration.video_format());
        SampleEntry::video(configuration, format, self.frame_rate)
    }

    fn entry(&self) -> SampleEntry {
        match &self.source.kind {
            SourceKind::Video { configuration, .. } => {
                let format = self.input.picture_format(configuration.video_format());
                SampleEntry::video(configuration, format, self.frame_rate)
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
            duration: Some(self.duration()),
            bit_rate: Some(self.bit_rate),
        }
    }
}

fn average_rate(pictures: u64, duration: u64, timescale: Timescale) -> Option<FrameRate> {
    let (ticks, duration) = (u128::from(pictures) * u128::from(timescale.get()), u128::from(duration.max(1)));
    let exact =
        u64::try_from(ticks).ok().and_then(|ticks| FrameRate::new(ticks, u64::try_from(duration).ok()?));
    let thousandths = || u64::try_from((2000 * ticks + duration) / (2 * duration)).ok();
    exact.or_else(|| FrameRate::new(thousandths()?, 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_is_the_fraction_or_thousandths() {
        let of = |pictures, duration, ticks| {
            average_rate(pictures, duration, Timescale::new(NonZeroU32::new(ticks).unwrap()))
        };
        assert_eq!(of(4, 5005, 30_000), FrameRate::new(24_000, 1001));
        // 12345678901 / 90000 is no fraction of 32-bit numbers.
        assert_eq!(of(4_000_003, 12_345_678_901, 90_000), FrameRate::new(29_160, 1000));
        assert_eq!(of(1, 1, 90_000), None);
        assert_eq!(of(u64::MAX, u64::MAX, 25), FrameRate::new(25, 1));
    }

    #[test]
    fn a_late_start_is_told_with_what_to_do_about_the_sound() {
        assert!(
            late_start(40_000_000).contains("at 0.040000 s by its times, and at 0 here: cut 0.040000 s off")
        );
        assert!(late_start(-40_000_000).contains("put 0.040000 s of silence in front"));
    }
}
