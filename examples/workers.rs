//! Several workers on one rendition: each encodes a run of its segments into the same directory, all at the same time, and
//! their tracks are merged into one. The files are those that one worker alone would have written.
//!
//! ```text
//! cargo run --example workers -- examples/ladder OUT
//! ```

use std::error::Error;
use std::fs;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};

use fragmint::codec::ParameterSetPlacement;
use fragmint::manifest::hls;
use fragmint::presentation::{PackagedTrack, Presentation, Promise, merge};
use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig, VideoConfig};
use fragmint::time::{DecodeTime, FrameRate, Ticks, Timescale};

use stand_in::Encoder;

mod stand_in;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Ticks of a picture, of which there are 25 in a second.
const PICTURE_TICKS: u32 = 1000;
/// Pictures of a segment. The first is a key frame, and none needs a picture of another segment.
const PICTURES_PER_SEGMENT: u32 = 50;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ladder, output] = arguments.as_slice() else {
        return Err("usage: workers LADDER_DIR OUTPUT_DIR".into());
    };
    encode(Path::new(ladder), Path::new(output), 4)
}

/// Encodes one rendition with so many workers, and writes the playlists.
pub fn encode(ladder: &Path, output: &Path, workers: u32) -> Result<()> {
    let encoder = Encoder::of_pictures(&ladder.join("720p.h264"))?;
    let pictures = u32::try_from(encoder.left())?;
    let segments = pictures.div_ceil(PICTURES_PER_SEGMENT);
    let share = segments.div_ceil(workers).max(1);
    let parts = thread::scope(|scope| {
        let mut threads = Vec::new();
        for first in (0..segments).step_by(share as usize) {
            let run = first * PICTURES_PER_SEGMENT..pictures.min((first + share) * PICTURES_PER_SEGMENT);
            let encoder = encoder.clone().only(run.start as usize..run.end as usize);
            threads.push(scope.spawn(move || encode_run(encoder, run, output)));
        }
        let join = |worker: ScopedJoinHandle<_>| worker.join().expect("a worker does not panic");
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    // Before a playlist names it: all of it is there, in order, and one init segment serves every part.
    let promise = Promise {
        segments: Some(u64::from(segments)),
        duration: Some(Ticks(u64::from(pictures) * u64::from(PICTURE_TICKS))),
        ..Promise::default()
    };
    write_playlists(output, &Presentation::new(vec![merge(parts, &promise)?], Vec::new())?)
}

/// What one worker does: the pictures `run`, counted from the start of the track, become its segments.
fn encode_run(mut encoder: Encoder, run: Range<u32>, output: &Path) -> Result<PackagedTrack> {
    let codec = CodecConfig::Avc {
        parameter_sets: ParameterSetPlacement::SampleEntry,
        known_parameter_sets: Vec::new(),
        video: VideoConfig { frame_rate: FrameRate::new(25, 1), ..VideoConfig::default() },
    };
    let timescale = Timescale::new(NonZeroU32::new(25 * PICTURE_TICKS).ok_or("ticks in a second")?);
    let mut config = SegmenterConfig::new(output, "video/720p", codec, timescale);
    let first = run.start / PICTURES_PER_SEGMENT;
    config.first_segment_index = NonZeroU32::MIN.saturating_add(first);
    config.first_base_decode_time = DecodeTime(u64::from(run.start) * u64::from(PICTURE_TICKS));
    // One worker writes the init segment; the merge sees to it that it serves all.
    config.write_init = first == 0;
    config.expected_samples = PICTURES_PER_SEGMENT;
    let mut segmenter = Segmenter::new(config)?;
    for picture in run {
        if picture % PICTURES_PER_SEGMENT == 0 {
            // Nothing is pending at the first picture: nothing is cut there.
            segmenter.cut()?;
        }
        let mut room = segmenter.reserve(encoder.largest_packet())?;
        let used = encoder.encode_into(&mut room).ok_or("the encoder has come to its end")?;
        room.commit(used, SampleTiming::new(PICTURE_TICKS))?;
    }
    Ok(segmenter.finish()?)
}

fn write_playlists(output: &Path, presentation: &Presentation) -> Result<()> {
    let target_duration = hls::target_duration(presentation);
    for track in presentation.tracks() {
        let playlist = output.join(track.directory()).join(hls::MEDIA_PLAYLIST);
        fs::write(playlist, hls::write_media(track, target_duration)?)?;
    }
    Ok(fs::write(output.join("master.m3u8"), hls::write_master(presentation)?)?)
}
