//! Timed tracks ► which sample starts each segment: video by switching set, audio beside the first of them.

use super::Request;
use super::open_gop;
use super::report::Notice;
use super::timing::TimedTrack;
use crate::codec::VideoRange;
use crate::error::Result;
use crate::plan::{
    AudioTimes, Cuts, RenditionTimes, SegmentDuration, SelectionCuts, SwitchingSetTimes, plan_audio_cuts,
    plan_period_cuts,
};
use crate::presentation::names::codec_name;
use crate::time::{ExactTime, Ticks, Timescale};

/// The index of each segment's first sample, for each track. All are cut at `boundaries`, where periods start.
pub(super) fn cut(
    request: &Request,
    tracks: &[TimedTrack<'_>],
    boundaries: &[ExactTime],
    notices: &mut Vec<Notice>,
) -> Result<Vec<Vec<usize>>> {
    let target = request.segment_duration;
    tracks.iter().try_for_each(|track| open_gop::check(track, target))?;
    let video = cut_video(tracks, boundaries, target, notices)?;
    // All video of one package presents the same, and audio is cut beside the set of the first input.
    let followed = video.first().map(|(_, cuts)| cuts);
    tracks
        .iter()
        .map(|track| {
            let set = track.video_set();
            match video.iter().find(|(of_set, _)| Some(of_set) == set.as_ref()) {
                Some((_, cuts)) => Ok(video_starts(track, cuts)),
                None => {
                    let starts = plan_audio_cuts(&audio_times(track), followed, target)
                        .map_err(|error| error.in_file(&track.input.path))?;
                    notice_ends(track, followed, notices);
                    // Sample indices of a track in memory.
                    Ok(starts.into_iter().map(|start| start as usize).collect())
                }
            }
        })
        .collect()
}

/// A rendition as cutting names it.
struct VideoTimes {
    name: String,
    set: String,
    sync_times: Vec<Ticks>,
    sync_frames: Vec<u64>,
}

/// Cuts the switching sets of video in the order of their first tracks.
fn cut_video(
    tracks: &[TimedTrack<'_>],
    boundaries: &[ExactTime],
    target: SegmentDuration,
    notices: &mut Vec<Notice>,
) -> Result<Vec<(String, Cuts)>> {
    let video: Vec<_> = tracks
        .iter()
        .filter_map(|track| {
            let (set, name) = (track.video_set()?, track.input.path.display().to_string());
            let (sync_times, sync_frames) = (track.sync_times(), track.sync_frames());
            Some((track, VideoTimes { name, set, sync_times, sync_frames }))
        })
        .collect();
    let mut sets: Vec<(&TimedTrack<'_>, &str, Vec<RenditionTimes<'_>>)> = Vec::new();
    for (track, VideoTimes { name, set, sync_times, sync_frames }) in &video {
        let times = track.rendition_times(name, sync_times, sync_frames);
        match sets.iter_mut().find(|(_, of_set, _)| of_set == set) {
            Some((.., renditions)) => renditions.push(times),
            None => sets.push((track, set, vec![times])),
        }
    }
    let names: Vec<_> = sets.iter().map(|(first, ..)| set_name(first)).collect();
    let times: Vec<_> = sets
        .iter()
        .zip(&names)
        .map(|((first, _, renditions), name)| SwitchingSetTimes {
            name,
            timescale: first.timescale,
            renditions,
        })
        .collect();
    let SelectionCuts { sets: mut cuts, notices: of_all } = plan_period_cuts(&times, boundaries, target)?;
    for (cuts, set) in cuts.iter_mut().zip(&times) {
        let about = if times.len() == 1 { "video".to_owned() } else { format!("video, {}", set.name) };
        notices.extend(cuts.notices.drain(..).map(|message| Notice { about: about.clone(), message }));
    }
    notices.extend(of_all.into_iter().map(|message| Notice { about: "video".to_owned(), message }));
    Ok(sets.iter().map(|&(_, set, _)| set.to_owned()).zip(cuts).collect())
}

/// `H.265`, or `H.265 PQ` where the range is not standard.
fn set_name(track: &TimedTrack<'_>) -> String {
    let codec = codec_name(&track.codec_string()).to_owned();
    match track.video_format().map(|format| format.video_range()) {
        None | Some(VideoRange::Sdr) => codec,
        Some(range) => format!("{codec} {range}"),
    }
}

/// Which samples of a video track stand at the cuts. A cut is the decode time of a sync sample, which is the earliest
/// presentation time from there on, whether or not the sync sample itself is what is presented then.
fn video_starts(track: &TimedTrack<'_>, cuts: &Cuts) -> Vec<usize> {
    let mut starts = cuts.starts.iter().peekable();
    let mut time = 0;
    let mut found = Vec::with_capacity(cuts.starts.len());
    for (index, sample) in track.source.samples.iter().enumerate() {
        if starts.next_if(|start| start.0 <= time).is_some() {
            found.push(index);
        }
        time += u64::from(sample.duration);
    }
    found
}

fn audio_times<'t>(track: &'t TimedTrack<'_>) -> AudioTimes<impl Iterator<Item = u32> + Clone + 't> {
    AudioTimes {
        timescale: track.timescale,
        durations: track.source.samples.iter().map(|sample| sample.duration),
        priming: track.priming(),
    }
}

/// Says so where audio and video end more than half a second apart.
fn notice_ends(track: &TimedTrack<'_>, video: Option<&Cuts>, notices: &mut Vec<Notice>) {
    let Some(video) = video else { return };
    let scale = |ticks: Ticks, timescale: Timescale| u128::from(ticks.0) * u128::from(timescale.get());
    let audio_end = Ticks(track.duration().0.saturating_sub(track.priming().0));
    // Both ends in units of a second divided by both timescales.
    let apart = scale(audio_end, video.timescale).abs_diff(scale(video.end, track.timescale));
    if apart * 2 > u128::from(track.timescale.get()) * u128::from(video.timescale.get()) {
        notices.push(Notice::about(
            &track.input.path,
            format!(
                "the audio ends at {:.3} s, the video at {:.3} s",
                track.timescale.seconds(audio_end),
                video.timescale.seconds(video.end)
            ),
        ));
    }
}
