//! An encoder loop: three sizes and two languages, encoded in step into CMAF segments, with the HLS playlists that name
//! them. The encoder itself writes each packet to its place in the segment file.
//!
//! The encoders here are stand-ins that hand out the access units of the example ladder; put yours in their place.
//!
//! ```text
//! cargo run --example encoder_loop -- examples/ladder OUT
//! ```

use std::error::Error;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use fragmint::codec::aac;
use fragmint::manifest::hls;
use fragmint::presentation::{AlignmentOptions, Presentation, check_alignment};
use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::Timescale;

use stand_in::Encoder;

mod stand_in;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const VIDEO: [&str; 3] = ["720p", "360p", "234p"];
const AUDIO: [(&str, &str); 2] = [("en", "English"), ("de", "Deutsch")];
const PICTURES_PER_SECOND: u32 = 25;
/// Pictures from one key frame to the next: what the encoders are told, so that the key frames of all sizes coincide.
const KEY_INTERVAL: u32 = 50;
/// Segments last four seconds, or longer where no key frame comes then.
const SECONDS_PER_SEGMENT: u32 = 4;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ladder, output] = arguments.as_slice() else {
        return Err("usage: encoder_loop LADDER_DIR OUTPUT_DIR".into());
    };
    encode(Path::new(ladder), Path::new(output), |_| {})
}

/// Encodes the ladder into `output`. `settle` may change the configuration of each track before it starts.
pub fn encode(ladder: &Path, output: &Path, settle: impl Fn(&mut SegmenterConfig)) -> Result<()> {
    let (mut video, mut audio) = (Vec::new(), Vec::new());
    for name in VIDEO {
        let encoder = Encoder::of_pictures(&ladder.join(format!("{name}.h264")))?;
        let timescale = Timescale::new(NonZeroU32::new(25_000).ok_or("ticks in a second")?);
        let mut config = SegmenterConfig::new(output, format!("video/{name}"), CodecConfig::avc(), timescale);
        settle(&mut config);
        video.push(Track::start(encoder, config, timescale.get() / PICTURES_PER_SECOND)?);
    }
    for (language, _) in AUDIO {
        let (encoder, format) = Encoder::of_sound(&ladder.join(format!("{language}.aac")))?;
        let timescale = Timescale::new(NonZeroU32::new(format.sample_rate()).ok_or("sound without a rate")?);
        let directory = format!("audio/{language}");
        let mut config = SegmenterConfig::new(output, directory, CodecConfig::Aac(format), timescale);
        config.language = Some(language.to_owned());
        settle(&mut config);
        audio.push(Track::start(encoder, config, aac::SAMPLES_PER_FRAME)?);
    }
    encode_in_step(&mut video, &mut audio)?;

    let finish = |track: Track| track.segmenter.finish();
    let named = |(track, (_, name)): (_, (_, &str))| Ok(finish(track)?.with_name(Some(name.to_owned())));
    let video = video.into_iter().map(finish).collect::<fragmint::Result<_>>()?;
    let audio = audio.into_iter().zip(AUDIO).map(named).collect::<fragmint::Result<_>>()?;
    let presentation = Presentation::new(video, audio)?;
    let (video, audio): (Vec<_>, Vec<_>) = presentation.tracks().partition(|track| track.media().is_video());
    check_alignment(&video, &audio, &AlignmentOptions::default())?;
    write_playlists(output, &presentation)
}

/// The loop: a picture of each size, and the sound that starts before the picture ends.
fn encode_in_step(video: &mut [Track], audio: &mut [Track]) -> Result<()> {
    for picture in 0.. {
        if video.iter().all(|track| track.encoder.left() == 0) {
            break;
        }
        let key = picture % KEY_INTERVAL == 0;
        if key && video[0].is_due() {
            // All at the same picture; the sound follows, since it has come as far as the pictures and no further.
            for track in video.iter_mut().chain(&mut *audio) {
                track.segmenter.cut()?;
            }
        }
        for track in &mut *video {
            track.encode(Some(key))?;
        }
        for track in &mut *audio {
            let end = u64::from(picture + 1) * u64::from(track.timescale.get());
            while track.encoder.left() > 0 && track.time * u64::from(PICTURES_PER_SECOND) < end {
                track.encode(None)?;
            }
        }
    }
    // The sound may last longer than the pictures.
    for track in audio {
        while track.encoder.left() > 0 {
            track.encode(None)?;
        }
    }
    Ok(())
}

/// One track with its encoder.
struct Track {
    encoder: Encoder,
    segmenter: Segmenter,
    timescale: Timescale,
    /// Duration of what a packet holds.
    sample_ticks: u32,
    /// Where the next packet starts.
    time: u64,
}

impl Track {
    fn start(encoder: Encoder, config: SegmenterConfig, sample_ticks: u32) -> Result<Self> {
        let timescale = config.timescale;
        Ok(Self { encoder, segmenter: Segmenter::new(config)?, timescale, sample_ticks, time: 0 })
    }

    fn is_due(&self) -> bool {
        let target = u64::from(SECONDS_PER_SEGMENT) * u64::from(self.timescale.get());
        self.segmenter.pending_duration().0 >= target
    }

    /// Lets the encoder write its next packet into the segment.
    fn encode(&mut self, key: Option<bool>) -> Result<()> {
        let mut room = self.segmenter.reserve(self.encoder.largest_packet())?;
        let used = self.encoder.encode_into(&mut room).ok_or("the encoder has come to its end")?;
        // What the encoder was told is checked against what it made: an error if this is no key frame where one is due.
        room.commit(used, SampleTiming { sync: key, ..SampleTiming::new(self.sample_ticks) })?;
        self.time += u64::from(self.sample_ticks);
        Ok(())
    }
}

/// Names what is there: the media playlists, then the one that a player opens.
fn write_playlists(output: &Path, presentation: &Presentation) -> Result<()> {
    let target_duration = hls::target_duration(presentation);
    for track in presentation.tracks() {
        let playlist = output.join(track.directory()).join(hls::MEDIA_PLAYLIST);
        fs::write(playlist, hls::write_media(track, target_duration)?)?;
    }
    Ok(fs::write(output.join("master.m3u8"), hls::write_master(presentation)?)?)
}
