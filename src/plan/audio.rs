//! Cutting audio: before the first sample that starts at or after each video boundary, always counted from the start of
//! the track, so that it stays within one sample of the video however long it runs.
//!
//! Past the end of the video, and in audio alone, boundaries follow each other by the target; a remainder of half a
//! target or less joins the segment before it. Audio that ends early has fewer segments, never empty ones.

use std::num::NonZeroU32;

use crate::error::{Error, Result};
use crate::plan::{Cuts, SegmentDuration};
use crate::time::{Ticks, Timescale};

/// The samples of an audio track, all of one duration, as its codec's frames are.
#[derive(Clone, Copy, Debug)]
pub struct AudioTimes {
    /// Of the durations here: the sampling rate.
    pub timescale: Timescale,
    /// Samples (access units) in the track.
    pub samples: u64,
    /// Duration of each.
    pub sample_duration: NonZeroU32,
    /// Media time before the start of the presentation (encoder delay that an edit list skips); 0 where none is known.
    pub priming: Ticks,
}

/// Plans the segments of an audio track: the index of each segment's first sample, ascending, the first 0.
/// `video` is what it plays beside, `None` for audio alone; the presentation starts with the video's first picture.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) for a track without samples,
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for one of 2⁶² ticks or more, audio or video.
pub fn plan_audio_cuts(
    audio: &AudioTimes,
    video: Option<&Cuts>,
    target: SegmentDuration,
) -> Result<Vec<u64>> {
    if audio.samples == 0 {
        return Err(Error::conflict("an audio track without samples", "give one with at least one frame"));
    }
    let line = TimeLine::new(audio, video, target)?;
    let mut cuts = vec![0];
    let mut cut_at = |sample: u64| {
        // Two boundaries within one sample are one cut: there are no empty segments.
        if sample < audio.samples && cuts.last().is_some_and(|&last| sample > last) {
            cuts.push(sample);
        }
    };
    let mut boundary = 0;
    if let Some(Cuts { starts, end, .. }) = video {
        let start = starts.first().copied().unwrap_or_default().0;
        let since_start = |time: Ticks| line.video(time.0.saturating_sub(start));
        starts.iter().skip(1).for_each(|&time| cut_at(line.first_sample_from(since_start(time))));
        boundary = since_start(*end);
    }
    // Behind the video a boundary stands wherever more than half a target follows it.
    while line.end > boundary && line.end - boundary > line.target / 2 {
        if boundary > 0 {
            cut_at(line.first_sample_from(boundary));
        }
        boundary = line.next_boundary(boundary);
    }
    Ok(cuts)
}

/// Audio, video and target on one time line, whose unit is a second divided by both timescales and the target's
/// denominator: everything is whole. Ticks below 2⁶² times two 32-bit factors stay below 2¹²⁶, sums below 2¹²⁷.
struct TimeLine {
    /// Units in a tick of video: audio timescale × denominator.
    video_tick: u128,
    sample_duration: u128,
    priming: u128,
    target: u128,
    /// Where the audio ends.
    end: u128,
}

impl TimeLine {
    fn new(audio: &AudioTimes, video: Option<&Cuts>, target: SegmentDuration) -> Result<Self> {
        let media = u128::from(audio.samples) * u128::from(audio.sample_duration.get());
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
            sample_duration: u128::from(audio.sample_duration.get()) * audio_tick,
            priming,
            target: u128::from(target.numerator()) * audio_timescale * video_timescale,
            end: (media * audio_tick).saturating_sub(priming),
        })
    }

    fn video(&self, ticks: u64) -> u128 {
        u128::from(ticks) * self.video_tick
    }

    /// Index of the first sample that starts at or after `instant`.
    fn first_sample_from(&self, instant: u128) -> u64 {
        u64::try_from((instant + self.priming).div_ceil(self.sample_duration)).unwrap_or(u64::MAX)
    }

    /// The first boundary, a whole number of targets after `boundary`, that is past the sample which `boundary` cuts at:
    /// a target far below a sample's duration takes no more steps than there are samples.
    fn next_boundary(&self, boundary: u128) -> u128 {
        let past = boundary + self.priming;
        let to_sample = past.div_ceil(self.sample_duration) * self.sample_duration - past;
        boundary + (to_sample / self.target + 1) * self.target
    }
}

#[cfg(test)]
mod tests;
