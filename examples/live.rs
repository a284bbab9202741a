//! A live encoder: each segment is shipped as soon as it is cut, in a thread of its own, so that the encoder never waits for
//! the network. Here shipping is a copy to another directory, read back and compared by its hash.
//!
//! ```text
//! cargo run --example live -- examples/ladder OUT
//! ```
//!
//! writes to `OUT/encoder` and ships to `OUT/origin`.

use std::error::Error;
use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use fragmint::codec::aac;
use fragmint::hash::ContentHash;
use fragmint::presentation::Segment;
use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::Timescale;

use stand_in::Encoder;

mod stand_in;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Pictures of a segment, two seconds: the encoder is told to make a key frame so often.
const PICTURES_PER_SEGMENT: u32 = 50;
const PICTURES_PER_SECOND: u32 = 25;
/// How much faster than life this runs, so that nobody has to wait for it.
const SPEED: u32 = 8;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ladder, output] = arguments.as_slice() else {
        return Err("usage: live LADDER_DIR OUTPUT_DIR".into());
    };
    let start = Instant::now();
    // As a camera would: a picture is there when its time has come.
    run(Path::new(ladder), Path::new(output), |picture| {
        let due = Duration::from_secs(picture.into()) / (PICTURES_PER_SECOND * SPEED);
        thread::sleep(due.saturating_sub(start.elapsed()));
    })
}

/// Encodes pictures and sound, each picture when `wait_for` returns, and ships every segment when it is cut.
pub fn run(ladder: &Path, output: &Path, wait_for: impl FnMut(u32)) -> Result<()> {
    let (shipper, segments) = mpsc::channel();
    thread::scope(|scope| {
        let shipping =
            scope.spawn(move || segments.into_iter().try_for_each(|segment| ship(&segment, output)));
        let encoded = encode(ladder, &output.join("encoder"), wait_for, shipper);
        // What stopped the shipping stopped the encoder too, and says more.
        shipping.join().expect("the shipper does not panic").and(encoded)
    })
}

fn encode(
    ladder: &Path,
    output: &Path,
    mut wait_for: impl FnMut(u32),
    shipper: Sender<Segment>,
) -> Result<()> {
    let timescale = Timescale::new(NonZeroU32::new(25_000).ok_or("ticks in a second")?);
    let config = SegmenterConfig::new(output, "video/360p", CodecConfig::avc(), timescale);
    let mut video = Track {
        encoder: Encoder::of_pictures(&ladder.join("360p.h264"))?,
        segmenter: Segmenter::new(config)?,
        timing: SampleTiming::new(1000),
        shipper: shipper.clone(),
    };
    let (encoder, format) = Encoder::of_sound(&ladder.join("en.aac"))?;
    let timescale = Timescale::new(NonZeroU32::new(format.sample_rate()).ok_or("sound without a rate")?);
    let config = SegmenterConfig::new(output, "audio/en", CodecConfig::Aac(format), timescale);
    let (segmenter, timing) = (Segmenter::new(config)?, SampleTiming::new(aac::SAMPLES_PER_FRAME));
    let mut audio = Track { encoder, segmenter, timing, shipper };

    let mut sound_ticks = 0;
    for picture in 0.. {
        if video.encoder.left() == 0 {
            break;
        }
        wait_for(picture);
        if picture % PICTURES_PER_SEGMENT == 0 {
            video.cut()?;
            audio.cut()?;
        }
        video.encode()?;
        let end = u64::from(picture + 1) * u64::from(timescale.get());
        while sound_ticks * u64::from(PICTURES_PER_SECOND) < end && audio.encode()? {
            sound_ticks += u64::from(audio.timing.duration);
        }
    }
    while audio.encode()? {}
    video.cut()?;
    audio.cut()
}

struct Track {
    encoder: Encoder,
    segmenter: Segmenter,
    timing: SampleTiming,
    shipper: Sender<Segment>,
}

impl Track {
    /// Takes a packet out of the encoder's own buffer; `false` at the end.
    fn encode(&mut self) -> Result<bool> {
        let Some(packet) = self.encoder.encode() else { return Ok(false) };
        self.segmenter.push(packet, self.timing)?;
        Ok(true)
    }

    /// Sends what is pending on its way: the file is whole then, and will not change.
    fn cut(&mut self) -> Result<()> {
        let Some(segment) = self.segmenter.cut()? else { return Ok(()) };
        Ok(self.shipper.send(segment).map_err(|_| "shipping has stopped")?)
    }
}

/// Copies a segment, and in front of the first one the init segment, to where players look.
fn ship(segment: &Segment, output: &Path) -> Result<()> {
    let file = segment.path.strip_prefix(output.join("encoder"))?;
    let shipped = output.join("origin").join(file);
    let init = shipped.with_file_name("init.mp4");
    if !init.exists() {
        fs::create_dir_all(shipped.parent().ok_or("a file without a directory")?)?;
        fs::copy(segment.path.with_file_name("init.mp4"), init)?;
    }
    // Under another name until it is known to be whole.
    let part = shipped.with_extension("part");
    fs::copy(&segment.path, &part)?;
    let hash = ContentHash::of(&fs::read(&part)?);
    if segment.content_hash != Some(hash) {
        return Err(format!("{}: not what the segmenter wrote", part.display()).into());
    }
    fs::rename(part, &shipped)?;
    let (number, bytes, ticks) = (segment.number, segment.bytes, segment.duration.0);
    writeln!(io::stdout(), "{}: number {number}, {bytes} bytes, {ticks} ticks, {hash}", file.display())?;
    Ok(())
}
