//! Cutting audio: before the first sample that starts at or after each video boundary, always counted from the start of
//! the track, so that it stays within one sample of the video however long it runs.
//!
//! Past the end of the video, and in audio alone, boundaries follow each other by the target; a remainder of half a
//! target or less joins the segment before it. Audio that ends early has fewer segments, never empty ones.

use crate::error::{Error, Result};
use crate::plan::{Cuts, SegmentDuration};
use crate::time::{Ticks, Timescale};

/// The samples of an audio track.
#[derive(Clone, Copy, Debug)]
pub struct AudioTimes<I> {
    /// Of the durations here: the sampling rate.
    pub timescale: Timescale,
    /// Duration of each sample (access unit), in ticks. Walked twice.
    pub durations: I,
    /// Media time before the start of the presentation (encoder delay that an edit list skips); 0 where none is known.
    pub priming: Ticks,
}

/// Plans the segments of an audio track: the index of each segment's first sample, ascending, the first 0.
/// `video` is what it plays beside, `None` for audio alone; the presentation starts with the video's first picture.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) for a track without samples,
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for one of 2⁶² ticks or more, audio or video.
pub fn plan_audio_cuts<I: Iterator<Item = u32> + Clone>(
    audio: &AudioTimes<I>,
    video: Option<&Cuts>,
    target: SegmentDuration,
) -> Result<Vec<u64>> {
    if audio.durations.clone().next().is_none() {
        return Err(Error::conflict("an audio track without samples", "give one with at least one frame"));
    }
    let line = TimeLine::new(audio, video, target)?;
    let mut samples = Walk { durations: audio.durations.clone(), line: &line, index: 0, start: 0 };
    let mut cuts = vec![0];
    let mut cut_at = |sample: Option<u64>| {
        // Two boundaries within one sample are one cut: there are no empty segments.
        if let Some(sample) = sample
            && cuts.last().is_some_and(|&last| sample > last)
        {
            cuts.push(sample);
        }
    };
    let mut boundary = 0;
    if let Some(Cuts { starts, end, .. }) = video {
        let start = starts.first().copied().unwrap_or_default().0;
        let since_start = |time: Ticks| line.video(time.0.saturating_sub(start));
        starts.iter().skip(1).for_each(|&time| cut_at(samples.first_from(since_start(time))));
        boundary = since_start(*end);
    }
    // Behind the video a boundary stands wherever more than half a target follows it.
    while line.end > boundary && line.end - boundary > line.target / 2 {
        let sample = samples.first_from(boundary);
        if boundary > 0 {
            cut_at(sample);
        }
        // The next that is past the sample which this one cuts at: a target far below a sample's duration takes no more steps
        // than there are samples.
        let to_sample = samples.start.saturating_sub(boundary + line.priming);
        boundary += (to_sample / line.target + 1) * line.target;
    }
    Ok(cuts)
}

/// Audio, video and target on one time line, whose unit is a second divided by both timescales and the target's
/// denominator: everything is whole. Ticks below 2⁶² times two 32-bit factors stay below 2¹²⁶, sums below 2¹²⁷.
struct TimeLine {
    /// Units in a tick of video: audio timescale × denominator.
    video_tick: u128,
    /// Units in a tick of audio.
    audio_tick: u128,
    priming: u128,
    target: u128,
    /// Where the audio ends.
    end: u128,
}

impl TimeLine {
    fn new<I: Iterator<Item = u32> + Clone>(
        audio: &AudioTimes<I>,
        video: Option<&Cuts>,
        target: SegmentDuration,
    ) -> Result<Self> {
        let media = audio.durations.clone().map(u128::from).sum::<u128>();
        let longest = [u128::from(audio.priming.0), media, video.map_or(0, |cuts| u128::from(cuts.end.0))];
        if longest.iter().any(|&ticks| ticks >= 1 << 62) {
            return Err(Error::unsupported(
                format!("a track of {} ticks", longest.iter().max().unwrap_or(&0)),
                "give audio and video of fewer than 2^62 ticks",
            ));
        }
        let audio_timescale = u128::from(audio.timescale.get());
        let video_timescale = video.map_or(1, |cuts| u128::from(cuts.timescale.get()));
        let denominator = u128::from(target.denominator());
        let audio_tick = video_timescale * denominator;
        let priming = u128::from(audio.priming.0) * audio_tick;
        Ok(Self {
            video_tick: audio_timescale * denominator,
            audio_tick,
            priming,
            target: u128::from(target.numerator()) * audio_timescale * video_timescale,
            end: (media * audio_tick).saturating_sub(priming),
        })
    }

    fn video(&self, ticks: u64) -> u128 {
        u128::from(ticks) * self.video_tick
    }
}

/// A walk over the samples, forwards only.
struct Walk<'a, I> {
    durations: I,
    line: &'a TimeLine,
    /// The sample that it stands at.
    index: u64,
    /// Where that starts, counted from the first sample.
    start: u128,
}

impl<I: Iterator<Item = u32>> Walk<'_, I> {
    /// Index of the first sample that starts at or after `instant`, which no later call may be before; `None` behind the last.
    fn first_from(&mut self, instant: u128) -> Option<u64> {
        while self.start < instant + self.line.priming {
            let duration = self.durations.next()?;
            self.start += u128::from(duration) * self.line.audio_tick;
            self.index += 1;
        }
        (self.start < self.line.end + self.line.priming).then_some(self.index)
    }
}

#[cfg(test)]
mod tests;
