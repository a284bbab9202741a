//! Pushes the example ladder's access units through the library by hand, one after the other as an encoder would, and
//! writes the segments that `fragmint package` writes: the same bytes.
//!
//! ```text
//! cargo run --example push -- examples/ladder OUT
//! ```

use std::error::Error;
use std::num::NonZeroU32;
use std::path::Path;

use fragmint::codec::aac;
use fragmint::fragment::Fragment;
use fragmint::plan::{AudioTimes, Cuts, RenditionTimes, SegmentDuration, plan_audio_cuts, plan_cuts};
use fragmint::scan::annexb::NalUnits;
use fragmint::scan::h264::{AccessUnit, AccessUnitBuilder, AccessUnitOptions};
use fragmint::time::{DecodeTime, Ticks, Timescale};
use fragmint::track::header::{BitRate, SampleEntry, TrackHeader, write_init_segment};
use fragmint::track::{Framing, Sample, SampleFlags, Samples, timeline};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The pictures of the ladder, and its languages.
const VIDEO: [&str; 3] = ["720p", "360p", "234p"];
const AUDIO: [&str; 2] = ["en", "de"];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ladder, output] = arguments.as_slice() else {
        return Err("usage: push LADDER_DIR OUTPUT_DIR".into());
    };
    push_ladder(Path::new(ladder), Path::new(output))
}

/// Packages the ladder in `ladder` into one directory a track below `output`: `720p/init.mp4`, `720p/seg-00001.m4s` …
pub fn push_ladder(ladder: &Path, output: &Path) -> Result<()> {
    let mut video = Vec::new();
    for name in VIDEO {
        video.push(read_video(std::fs::read(ladder.join(format!("{name}.h264")))?)?);
    }
    // Every rendition is cut where all of them have a sync sample.
    let cuts = common_cuts(&video)?;
    for (name, track) in VIDEO.iter().zip(&video) {
        let starts = cuts.starts.iter().map(|start| track.sample_at(*start)).collect::<Vec<_>>();
        track.write(&output.join(name), &starts)?;
    }
    for name in AUDIO {
        let track = read_audio(std::fs::read(ladder.join(format!("{name}.aac")))?)?;
        let times = AudioTimes {
            timescale: track.header.timescale,
            samples: track.samples.samples.len() as u64,
            sample_duration: NonZeroU32::new(aac::SAMPLES_PER_FRAME).ok_or("a frame lasts")?,
            priming: Ticks(0),
        };
        let starts = plan_audio_cuts(&times, Some(&cuts), SegmentDuration::DEFAULT)?;
        let starts = starts.into_iter().map(usize::try_from).collect::<std::result::Result<Vec<_>, _>>()?;
        track.write(&output.join(name), &starts)?;
    }
    Ok(())
}

/// A track in memory: what an encoder holds of a stream.
struct Track {
    source: Vec<u8>,
    samples: Samples,
    header: TrackHeader,
}

/// Splits a byte stream into access units and times them.
fn read_video(source: Vec<u8>) -> Result<Track> {
    let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
    let mut samples = Samples::new(Framing::LengthPrefixed);
    let mut orders = Vec::new();
    let mut push = |unit: AccessUnit<'_>| {
        orders.push(unit.order);
        samples.push(unit.units, SampleFlags::of_picture(unit.idr, unit.intra, unit.reference), 0)
    };
    for nal in NalUnits::new(&source)? {
        if let Some(unit) = builder.push(nal?)? {
            push(unit)?;
        }
    }
    if let Some(unit) = builder.finish()? {
        push(unit)?;
    }
    let configuration = builder.parameter_sets().configuration()?;
    let rate = configuration.bitstream_rate()?.ok_or("the ladder's streams tell their frame rate")?.rate;
    let timescale = Timescale::for_frame_rates([rate]).ok_or("a timescale of 32 bits")?;
    let duration = rate.frame_duration(timescale).and_then(NonZeroU32::new).ok_or("whole ticks")?;
    let offsets = timeline::composition_offsets(&orders, duration, |index| index as u64)?;
    for (sample, offset) in samples.samples.iter_mut().zip(offsets) {
        (sample.duration, sample.composition_offset) = (duration.get(), offset);
    }
    let entry = SampleEntry::Avc {
        parameter_sets: configuration.placement(),
        format: configuration.video_format(),
        frame_rate: Some(rate),
        progressive: configuration.progressive(),
        configuration_record: configuration.record(),
    };
    Ok(Track::new(source, samples, timescale, entry, None))
}

/// Takes the frames out of an ADTS stream.
fn read_audio(source: Vec<u8>) -> Result<Track> {
    let mut samples = Samples::new(Framing::Raw);
    let options = fragmint::io::windows::AdtsOptions::default();
    let report = fragmint::io::windows::read_adts(source.as_slice(), &options, |frame| {
        samples.push(&[frame], SampleFlags::SYNC, aac::SAMPLES_PER_FRAME)
    })?;
    let config = report.config;
    let timescale = Timescale::new(NonZeroU32::new(config.sample_rate()).ok_or("a sampling rate above 0")?);
    let entry = SampleEntry::Mp4a {
        audio_specific_config: config.audio_specific_config().to_vec(),
        object_type_indication: aac::OBJECT_TYPE_INDICATION,
        channels: config.channels(),
        sample_rate: config.sample_rate(),
    };
    Ok(Track::new(source, samples, timescale, entry, None))
}

fn common_cuts(tracks: &[Track]) -> Result<Cuts> {
    let sync_times: Vec<Vec<Ticks>> = tracks.iter().map(Track::sync_times).collect();
    let times: Vec<RenditionTimes<'_>> = tracks
        .iter()
        .zip(VIDEO)
        .zip(&sync_times)
        .map(|((track, name), sync_times)| RenditionTimes {
            name,
            sync_times,
            frame_duration: Ticks(u64::from(track.samples.samples[0].duration)),
            end: track.duration(),
        })
        .collect();
    Ok(plan_cuts(&times, tracks[0].header.timescale, SegmentDuration::DEFAULT)?)
}

impl Track {
    fn new(
        source: Vec<u8>,
        samples: Samples,
        timescale: Timescale,
        entry: SampleEntry,
        language: Option<String>,
    ) -> Self {
        let bit_rate = Some(BitRate::of(&samples.samples, timescale));
        let duration = samples.samples.iter().map(|sample| u64::from(sample.duration)).sum();
        let header =
            TrackHeader { timescale, entry, language, role: None, duration: Some(Ticks(duration)), bit_rate };
        Self { source, samples, header }
    }

    fn duration(&self) -> Ticks {
        Ticks(self.samples.samples.iter().map(|sample| u64::from(sample.duration)).sum())
    }

    /// Decode time of each sample, and the sample.
    fn timed(&self) -> impl Iterator<Item = (Ticks, &Sample)> {
        self.samples.samples.iter().scan(0, |time, sample| {
            let start = *time;
            *time += u64::from(sample.duration);
            Some((Ticks(start), sample))
        })
    }

    fn sync_times(&self) -> Vec<Ticks> {
        self.timed().filter(|(_, sample)| sample.flags.is_sync()).map(|(time, _)| time).collect()
    }

    fn sample_at(&self, start: Ticks) -> usize {
        self.timed().take_while(|&(time, _)| time < start).count()
    }

    /// Writes the init segment, and a media segment from each of `starts` to the next.
    fn write(&self, directory: &Path, starts: &[usize]) -> Result<()> {
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("init.mp4"), write_init_segment(&self.header)?)?;
        let samples = &self.samples.samples;
        let ends = starts.iter().skip(1).copied().chain([samples.len()]);
        let mut base_decode_time = DecodeTime(0);
        let mut bytes = Vec::new();
        for ((&start, end), number) in starts.iter().zip(ends).zip(1..) {
            let number = NonZeroU32::new(number).ok_or("segments count from 1")?;
            let fragment = Fragment::new(
                number,
                base_decode_time,
                &samples[start..end],
                &self.samples.ranges,
                self.samples.framing,
            )?;
            bytes.clear();
            fragment.piece_list()?.write_to(&self.source, &mut bytes)?;
            std::fs::write(directory.join(format!("seg-{number:05}.m4s")), &bytes)?;
            let end = base_decode_time.checked_add(fragment.header().duration());
            base_decode_time = end.ok_or("a track within 64 bits")?;
        }
        Ok(())
    }
}
