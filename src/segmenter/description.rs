//! What the bitstream and the caller say together ► sample entry, codec string, and what a playlist says of the track.

use super::config::{CodecConfig, SegmenterConfig, VideoConfig};
use super::packets::Packets;
use crate::codec::{BitstreamRate, ParameterSetPlacement, VideoFormat};
use crate::error::{Error, Result};
use crate::presentation::Media;
use crate::time::{FrameRate, Ticks};
use crate::track::header::{SampleEntry, TrackHeader};
use crate::track::published::PublishedInit;

/// A track as its init segment and its playlist describe it.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) entry: SampleEntry,
    pub(super) codec: String,
}

impl Description {
    /// What is known of the track by now. A frame rate is what the configuration or the bitstream says: durations of the
    /// samples so far prove nothing of those to come, and differ from worker to worker.
    ///
    /// # Errors
    /// Where the bitstream has not told enough yet.
    pub(super) fn new(config: &SegmenterConfig, packets: &Packets) -> Result<Self> {
        let codec = &config.codec;
        match (config.audio(), codec.video()) {
            (Some(audio), _) => {
                let codec = audio.codec_string.clone();
                Ok(Self { entry: SampleEntry::Audio(audio), codec })
            }
            (None, video) => {
                let configuration = packets.video_configuration()?;
                let video = video.expect("all but audio is video");
                let format = with_settings(configuration.video_format(), video);
                let frame_rate = frame_rate(video, configuration.bitstream_rate());
                let bit_rate = config.bit_rate.map(|rate| rate.average);
                let configuration = configuration.described(&format, frame_rate, bit_rate);
                let entry = SampleEntry::video(&configuration, format, frame_rate);
                Ok(Self { entry, codec: configuration.codec_string() })
            }
        }
    }

    /// What the init segment says, but for what shows behind it and changes nothing in it: that pictures are fields, and
    /// parameter sets in band, which the codec string covers.
    pub(super) fn brought_up_to(mut self, now: Self) -> Self {
        if let (
            SampleEntry::Avc { parameter_sets, scan, configuration_record: record, .. }
            | SampleEntry::Hevc { parameter_sets, scan, configuration_record: record, .. },
            SampleEntry::Avc { scan: scan_now, configuration_record: record_now, .. }
            | SampleEntry::Hevc { scan: scan_now, configuration_record: record_now, .. },
        ) = (&mut self.entry, now.entry)
        {
            *scan = scan_now;
            if *parameter_sets == ParameterSetPlacement::InBand {
                (*record, self.codec) = (record_now, now.codec);
            }
        }
        self
    }

    /// For the init segment.
    pub(super) fn header(&self, config: &SegmenterConfig) -> TrackHeader {
        let priming = match &self.entry {
            SampleEntry::Audio(audio) => audio.priming.into(),
            _ => 0,
        };
        TrackHeader {
            timescale: config.timescale,
            entry: self.entry.clone(),
            language: config.language.clone(),
            role: config.role.clone(),
            duration: config.duration.map(|duration| Ticks(duration.0.saturating_add(priming))),
            bit_rate: config.bit_rate,
        }
    }
}

/// What a playlist would say of a track of which the bitstream has told nothing, and that has no segments.
pub(super) fn unknown(config: &SegmenterConfig) -> (String, Media) {
    let video = |video: &VideoConfig| {
        let format = VideoFormat::of_size(video.width.unwrap_or(0), video.height.unwrap_or(0));
        Media::Video { format: with_settings(format, video), frame_rate: video.frame_rate, scan: None }
    };
    let codec = &config.codec;
    match (config.audio(), codec.video()) {
        (Some(audio), _) => (audio.codec_string.clone(), Media::of(&SampleEntry::Audio(audio))),
        (None, known) => {
            let known = known.expect("all but audio is video");
            (codec.entry_type().escape_ascii().to_string(), video(known))
        }
    }
}

/// A rate in the bitstream that makes no sense is none: it is used for no times.
fn frame_rate(video: &VideoConfig, bitstream: Result<Option<BitstreamRate>>) -> Option<FrameRate> {
    let said = || bitstream.ok().flatten().map(|bitstream| bitstream.rate);
    video.frame_rate.or_else(said)
}

fn with_settings(format: VideoFormat, video: &VideoConfig) -> VideoFormat {
    VideoFormat {
        colour: video.colour.or(format.colour),
        mastering_display: video.mastering_display.or(format.mastering_display),
        content_light: video.content_light.or(format.content_light),
        ..format
    }
}

/// Checks what stands in the init segment and in playlists as text.
///
/// # Errors
/// For a language that is no BCP 47 tag by its characters, and a role that has others than the scheme's.
pub(super) fn check_texts(config: &SegmenterConfig) -> Result<()> {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let texts =
        [("language", &config.language, "a BCP 47 tag such as en or pt-BR"), ("role", &config.role, "main")];
    for (what, text, example) in texts {
        if let Some(text) = text.as_deref().filter(|text| !plain(text)) {
            return Err(Error::conflict(
                format!("the {what} is '{}'", text.escape_default()),
                format!("give letters, digits and '-', such as {example}, or none"),
            ));
        }
    }
    Ok(())
}

/// Checks as far as it is known by now that the track fits an init segment that is published.
///
/// # Errors
/// Where it does not.
pub(super) fn check_published(
    config: &SegmenterConfig,
    packets: &Packets,
    published: &PublishedInit,
) -> Result<()> {
    let own = config.codec.entry_type();
    let theirs = published.entry_type();
    if theirs.0 != *own {
        return Err(Error::conflict(
            format!("the track is {}, the published init segment {theirs}", own.escape_ascii()),
            "give the init segment of this track",
        ));
    }
    published.check_timescale(config.timescale)?;
    match Description::new(config, packets) {
        Ok(description) => published.check(&description.entry, config.timescale),
        // The bitstream tells later.
        Err(_) => Ok(()),
    }
}

/// Compares size and colour of the pictures with what the caller said of them.
///
/// # Errors
/// Where the size differs, and for a colour that the codec does not let a sample entry say beside its bitstream.
pub(super) fn check_pictures(codec: &CodecConfig, packets: &Packets) -> Result<()> {
    if let CodecConfig::Av1 { video: VideoConfig { colour: Some(colour), .. } } = codec
        && let Ok(configuration) = packets.video_configuration()
    {
        configuration.check_colour(*colour)?;
    }
    check_size(codec, packets)
}

fn check_size(codec: &CodecConfig, packets: &Packets) -> Result<()> {
    let Some(video) = codec.video() else { return Ok(()) };
    if (video.width, video.height) == (None, None) {
        return Ok(());
    }
    let Some((width, height)) = packets.picture_size() else { return Ok(()) };
    let (said_width, said_height) = (video.width.unwrap_or(width), video.height.unwrap_or(height));
    if (said_width, said_height) == (width, height) {
        return Ok(());
    }
    Err(Error::conflict(
        format!("the configuration says {said_width}x{said_height}, the bitstream says {width}x{height}"),
        "correct the configuration, or leave the size to the bitstream",
    ))
}
