//! A track's description ► its init segment (ISO/IEC 23000-19 7.3.1: the CMAF header): `ftyp moov{mvhd, trak, mvex}`.
//!
//! Holds only what is known before the first sample is written, or what the caller gives: a duration or bit rates
//! that are measured over the track are given by a packager and left out by a live encoder.
//!
//! ISO/IEC 23000-19 and 14496-3 were not opened: their clauses are as other projects quote them. So are the
//! numbers of 14496-15, whose edition of 2010 was read: it has the record at 5.2.4.1, the sample entry at
//! 5.3.4.1.

#[cfg(test)]
mod tests;

use crate::boxes::brand::{self, AacFacts, AvcFacts, HevcFacts, TrackKind};
use crate::boxes::moov::{self, Media, PackedLanguage};
use crate::boxes::sample_entry::{self, AudioFields, Btrt, Clli, DecoderConfig, Mdcv, Nclx, SmDm};
use crate::boxes::{BoxWriter, FourCc};
use crate::bytes::{U16, U24, U32};
use crate::codec::aac;
use crate::codec::h265::HevcRecord;
use crate::codec::vp9::Vp9Record;
use crate::codec::{
    AudioCodec, AudioConfiguration, ContentLight, MasteringDisplay, ParameterSetPlacement, SampleAspectRatio,
    ScanType, VideoConfiguration, VideoFormat,
};
use crate::error::{Error, ErrorKind, Result};
use crate::time::{FrameRate, Ticks, Timescale};

/// What an init segment says of its track.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackHeader {
    /// Ticks a second, of the media and of the movie.
    pub timescale: Timescale,
    /// Codec and format.
    pub entry: SampleEntry,
    /// Language as a BCP-47 tag, for `elng` and, shortened, for `mdhd`. `None`: not known.
    pub language: Option<String>,
    /// What the track is for, as a value of the scheme `urn:mpeg:dash:role:2011` (ISO/IEC 23009-1 5.8.5.5).
    pub role: Option<String>,
    /// Duration of the whole track, priming included, for `mehd`, which tells it without. `None`: not known yet.
    pub duration: Option<Ticks>,
    /// Bit rates of the whole track, for `btrt` or `esds`. `None`: not known yet.
    pub bit_rate: Option<BitRate>,
}

/// Bit rates of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BitRate {
    /// Size of the decoding buffer, bytes; 0 where none is known. An `esds` holds 24 bits of it.
    pub buffer_size: u32,
    /// Highest rate over any second, bits per second.
    pub max: u32,
    /// Average, bits per second.
    pub average: u32,
}

/// Codec of a track with the format that its sample entry states.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SampleEntry {
    /// H.264 (ISO/IEC 14496-15 5.4.2).
    Avc {
        /// Where its parameter sets are: `avc1`, or `avc3`, whose samples hold them too.
        parameter_sets: ParameterSetPlacement,
        /// Size, sample shape and colour of the pictures.
        format: VideoFormat,
        /// Frames per second, two fields counting as one; `None` when it varies. Only proves the media profile.
        frame_rate: Option<FrameRate>,
        /// Progressive where `frame_mbs_only_flag` is 1 in every sequence parameter set, which proves the media profile.
        scan: Option<ScanType>,
        /// `AVCDecoderConfigurationRecord`: what `avcC` contains. Its profile and level prove the media profile.
        configuration_record: Vec<u8>,
    },
    /// H.265 (ISO/IEC 14496-15 8.4.1).
    Hevc {
        /// Where its parameter sets are: `hvc1`, or `hev1`, whose samples hold them too.
        parameter_sets: ParameterSetPlacement,
        /// Size, sample shape and colour of the pictures.
        format: VideoFormat,
        /// Frames per second, two fields counting as one; `None` when it varies. Only proves the media profile.
        frame_rate: Option<FrameRate>,
        /// Whether the stream says that its pictures are frames, or fields. Only proves the media profile.
        scan: Option<ScanType>,
        /// `HEVCDecoderConfigurationRecord`: what `hvcC` contains. Its profile, tier and level prove the media profile.
        configuration_record: Vec<u8>,
    },
    /// AV1 (AV1-ISOBMFF 2.2).
    Av1 {
        /// Largest size of a frame, sample shape and colour.
        format: VideoFormat,
        /// Pictures per second; `None` when it varies. No brand depends on it.
        frame_rate: Option<FrameRate>,
        /// `AV1CodecConfigurationRecord`: what `av1C` contains.
        configuration_record: Vec<u8>,
    },
    /// VP9 (VP9-ISOBMFF, "VP Codec Sample Entry Box").
    Vp9 {
        /// Highest width and height of a frame, sample shape and colour.
        format: VideoFormat,
        /// Pictures per second; `None` when it varies. No brand depends on it.
        frame_rate: Option<FrameRate>,
        /// `VPCodecConfigurationRecord`: what `vpcC` contains behind version and flags.
        configuration_record: Vec<u8>,
    },
    /// Sound (ISO/IEC 14496-12 12.2.3).
    Audio(AudioConfiguration),
}

/// The init segment of a track, whole.
///
/// # Errors
/// When a size, rate or text of the header does not fit its field.
pub fn write_init_segment(header: &TrackHeader) -> Result<Vec<u8>> {
    let language = text_of(header.language.as_deref(), "language")?;
    let role = text_of(header.role.as_deref(), "role")?;
    let media = header.entry.media()?;
    let kind = header.entry.track_kind()?;
    let audio = header.entry.audio();
    let stsd = header.entry.sample_description(header.bit_rate)?;

    let mut out = Vec::with_capacity(1024);
    let mut w = BoxWriter::new(&mut out);
    brand::write_ftyp(&mut w, &kind);
    w.nest(b"moov", |w| {
        moov::write_mvhd(w, header.timescale);
        w.nest(b"trak", |w| {
            moov::write_tkhd(w, media);
            if let Some(priming) = audio.map(|audio| audio.priming).filter(|&priming| priming > 0) {
                moov::write_edts(w, priming.into());
            }
            w.nest(b"mdia", |w| {
                moov::write_mdhd(w, header.timescale, packed_language(language));
                moov::write_hdlr(w, media);
                if let Some(language) = language {
                    moov::write_elng(w, language);
                }
                w.nest(b"minf", |w| {
                    moov::write_media_header(w, media);
                    moov::write_dinf(w);
                    w.nest(b"stbl", |w| {
                        w.bytes(&stsd);
                        moov::write_empty_sample_tables(w, media);
                        if let Some(distance) = audio.and_then(|audio| audio.roll_distance) {
                            moov::write_roll_sgpd(w, distance);
                        }
                    });
                });
            });
            if let Some(role) = role {
                w.nest(b"udta", |w| moov::write_kind(w, "urn:mpeg:dash:role:2011", role));
            }
        });
        w.nest(b"mvex", |w| {
            if let Some(duration) = header.duration {
                // "Length of the presentation of the whole movie including fragments" (14496-12 8.8.2, not opened, as JAAD quotes
                // it): what the edit list leaves.
                let priming = audio.map_or(0, |audio| audio.priming.into());
                moov::write_mehd(w, Ticks(duration.0.saturating_sub(priming)));
            }
            moov::write_trex(w);
        });
    });
    w.finish()?;
    Ok(out)
}

/// Every brand that the init segment of `entry` lists.
///
/// # Errors
/// When the codec configuration is cut off.
pub fn compatible_brands(entry: &SampleEntry) -> Result<Vec<FourCc>> {
    Ok(brand::compatible_brands(&entry.track_kind()?))
}

/// A text that stands in the file with a zero behind it.
fn text_of<'a>(text: Option<&'a str>, what: &str) -> Result<Option<&'a str>> {
    match text {
        Some(text) if text.is_empty() || text.contains('\0') => Err(Error::conflict(
            format!("the {what} {text:?} is empty or has a zero in it"),
            "give another or none",
        )),
        text => Ok(text),
    }
}

/// The ISO 639-2/T code for the language subtag of a BCP-47 tag, `und` where there is none. ISO 639-3, which tags
/// with three letters are of, has the same codes for the languages in both; for a language in ISO 639-3 alone its
/// code is written, as readers take it.
fn packed_language(tag: Option<&str>) -> PackedLanguage {
    let subtag = tag.and_then(|tag| tag.split('-').next()).unwrap_or_default().to_ascii_lowercase();
    let language = match subtag.len() {
        2 => isolang::Language::from_639_1(&subtag),
        3 => isolang::Language::from_639_3(&subtag),
        _ => None,
    };
    language
        .and_then(|language| PackedLanguage::new(language.to_639_3()))
        .unwrap_or(PackedLanguage::UNDETERMINED)
}

impl SampleEntry {
    /// Of pictures as `configuration` says, in this format, which may tell more than the bitstream does.
    pub fn video(
        configuration: &VideoConfiguration,
        format: VideoFormat,
        frame_rate: Option<FrameRate>,
    ) -> Self {
        let (parameter_sets, scan) = (configuration.placement(), configuration.scan());
        let configuration_record = configuration.record();
        match configuration {
            VideoConfiguration::Avc(_) => {
                Self::Avc { parameter_sets, format, frame_rate, scan, configuration_record }
            }
            VideoConfiguration::Hevc(_) => {
                Self::Hevc { parameter_sets, format, frame_rate, scan, configuration_record }
            }
            VideoConfiguration::Av1(_) => Self::Av1 { format, frame_rate, configuration_record },
            VideoConfiguration::Vp9(_) => Self::Vp9 { format, frame_rate, configuration_record },
        }
    }

    /// What is said of sound; `None` for pictures.
    pub const fn audio(&self) -> Option<&AudioConfiguration> {
        match self {
            Self::Audio(configuration) => Some(configuration),
            _ => None,
        }
    }

    fn media(&self) -> Result<Media> {
        match self {
            Self::Avc { format, .. }
            | Self::Hevc { format, .. }
            | Self::Av1 { format, .. }
            | Self::Vp9 { format, .. } => picture_media(format),
            Self::Audio(_) => Ok(Media::Audio),
        }
    }

    fn track_kind(&self) -> Result<TrackKind> {
        match self {
            Self::Avc { format, frame_rate, scan, configuration_record, .. } => {
                // 14496-15 5.3.3.1.2: configurationVersion, AVCProfileIndication, profile_compatibility,
                // AVCLevelIndication.
                let &[_, profile_idc, constraint_set_flags, level_idc, ..] = configuration_record.as_slice()
                else {
                    return Err(Error::truncated("AVCLevelIndication", "ISO/IEC 14496-15 5.3.3.1.2"));
                };
                Ok(TrackKind::Avc(AvcFacts {
                    profile_idc,
                    constraint_set_flags,
                    level_idc,
                    progressive: *scan == Some(ScanType::Progressive),
                    width: format.width,
                    height: format.height,
                    frame_rate: *frame_rate,
                    colour: nclx(format),
                }))
            }
            Self::Hevc { format, frame_rate, scan, configuration_record, .. } => {
                let record = HevcRecord::read(configuration_record)?;
                let (profile, [chroma_format_idc, bit_depth_luma, bit_depth_chroma]) =
                    (record.profile_tier_level, record.chroma);
                Ok(TrackKind::Hevc(HevcFacts {
                    general_profile_space: profile.profile_space,
                    general_profile_idc: profile.profile_idc,
                    general_profile_compatibility_flags: profile.compatibility_flags,
                    general_tier_flag: profile.high_tier,
                    general_level_idc: profile.level_idc,
                    chroma_format_idc,
                    bit_depth_luma,
                    bit_depth_chroma,
                    progressive: *scan == Some(ScanType::Progressive),
                    width: format.width,
                    height: format.height,
                    frame_rate: *frame_rate,
                    colour: nclx(format),
                    preferred_transfer: format.preferred_transfer,
                }))
            }
            Self::Av1 { configuration_record, .. } => match configuration_record.as_slice() {
                [_, _, _, _, ..] => Ok(TrackKind::Av1),
                _ => Err(Error::truncated("initial_presentation_delay_present", "AV1-ISOBMFF 2.3.3")),
            },
            Self::Vp9 { configuration_record, .. } => {
                Vp9Record::read(configuration_record).map(|_| TrackKind::Vp9)
            }
            Self::Audio(audio) if audio.codec == AudioCodec::Aac => {
                let first = audio.configuration_record.first();
                let first =
                    first.ok_or_else(|| Error::truncated("audioObjectType", "ISO/IEC 14496-3 1.6.2.1"))?;
                Ok(TrackKind::Aac(AacFacts {
                    // Five bits; 31 says that the type follows, which is none that a brand is proven for.
                    audio_object_type: first >> 3,
                    channels: audio.channels,
                    sample_rate: audio.sample_rate,
                }))
            }
            Self::Audio(_) => Ok(TrackKind::OtherAudio),
        }
    }

    /// `stsd`, apart from the boxes around it: it is what may not fit.
    fn sample_description(&self, bit_rate: Option<BitRate>) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        match self {
            Self::Avc { parameter_sets, format, configuration_record, .. } => {
                let (entry, record) = (parameter_sets.avc_entry_type(), (b"avcC", &**configuration_record));
                write_pictures(&mut w, entry, record, format, bit_rate);
            }
            Self::Hevc { parameter_sets, format, configuration_record, .. } => {
                let (entry, record) = (parameter_sets.hevc_entry_type(), (b"hvcC", &**configuration_record));
                write_pictures(&mut w, entry, record, format, bit_rate);
            }
            Self::Av1 { format, configuration_record, .. } => {
                write_pictures(&mut w, b"av01", (b"av1C", configuration_record), format, bit_rate);
            }
            Self::Vp9 { format, configuration_record, .. } => {
                write_vp9(&mut w, configuration_record, format, bit_rate);
            }
            Self::Audio(audio) => write_sound(&mut w, audio, bit_rate)?,
        }
        w.finish()?;
        Ok(out)
    }
}

/// Size to be shown of pictures, which must fit `tkhd`.
fn picture_media(format: &VideoFormat) -> Result<Media> {
    if let Some(ratio @ (SampleAspectRatio { horizontal: 0, .. } | SampleAspectRatio { vertical: 0, .. })) =
        format.sample_aspect_ratio
    {
        return Err(Error::conflict(
            format!("the sample aspect ratio is {}:{}", ratio.horizontal, ratio.vertical),
            "give one above 0, or none",
        ));
    }
    let (width, height) = format.display_size();
    let fits = |pixels| u16::try_from(pixels).ok().filter(|&pixels| pixels > 0);
    match (fits(width), fits(height)) {
        (Some(width), Some(height)) => Ok(Media::Video { width, height }),
        _ => Err(Error::unsupported(
            format!("pictures to be shown {width} pixels wide and {height} high"),
            "tkhd holds 1 to 65535 of each: correct the sample aspect ratio in the stream",
        )),
    }
}

fn decoding_buffer(bytes: u32) -> Result<U24> {
    const LIMIT: u32 = (1 << 24) - 1;
    if bytes > LIMIT {
        return Err(Error::new(ErrorKind::TooLarge {
            what: "the decoding buffer of the audio track".into(),
            value: u64::from(bytes),
            limit: u64::from(LIMIT),
            clause: "ISO/IEC 14496-1 7.2.6.6",
            remedy: "give 0, which says that it is not known".into(),
        }));
    }
    Ok(U24::new(bytes))
}

/// `stsd` with a visual sample entry, whose configuration record stands in the box named beside it.
fn write_pictures(
    w: &mut BoxWriter<'_>,
    entry: &[u8; 4],
    (configuration, record): (&[u8; 4], &[u8]),
    format: &VideoFormat,
    bit_rate: Option<BitRate>,
) {
    sample_entry::write_stsd(w, |w| {
        sample_entry::write_visual(w, entry, (format.width, format.height), |w| {
            w.nest(configuration, |w| w.bytes(record));
            write_picture_boxes(w, format, bit_rate);
        });
    });
}

/// `stsd` with a `vp09` sample entry: `vpcC` has version 1, and light levels and the mastering display have boxes of their own.
fn write_vp9(w: &mut BoxWriter<'_>, record: &[u8], format: &VideoFormat, bit_rate: Option<BitRate>) {
    sample_entry::write_stsd(w, |w| {
        sample_entry::write_visual(w, b"vp09", (format.width, format.height), |w| {
            w.full(b"vpcC", 1, 0, |w| w.bytes(record));
            if let Some(display) = &format.mastering_display {
                sample_entry::write_smdm(w, &smdm(display));
            }
            if let Some(light) = &format.content_light {
                sample_entry::write_coll(w, &clli(light));
            }
            let others = VideoFormat { mastering_display: None, content_light: None, ..*format };
            write_picture_boxes(w, &others, bit_rate);
        });
    });
}

/// `stsd` with an audio sample entry: bit rates stand in `esds` for AAC and in `btrt` for other codecs.
fn write_sound(w: &mut BoxWriter<'_>, audio: &AudioConfiguration, bit_rate: Option<BitRate>) -> Result<()> {
    let record = audio.configuration_record.as_slice();
    let fields = AudioFields {
        channels: audio.channels,
        sample_size: audio.sample_size,
        sample_rate: audio.entry_sample_rate,
    };
    let esds = match audio.codec {
        AudioCodec::Aac => {
            let rate = bit_rate.unwrap_or_default();
            Some(DecoderConfig {
                object_type_indication: aac::OBJECT_TYPE_INDICATION,
                stream_type: DecoderConfig::AUDIO_STREAM,
                buffer_size_db: decoding_buffer(rate.buffer_size)?,
                max_bitrate: U32::new(rate.max),
                avg_bitrate: U32::new(rate.average),
            })
        }
        _ => None,
    };
    sample_entry::write_stsd(w, |w| {
        sample_entry::write_audio(w, audio.codec.entry_type(), fields, |w| {
            let configuration_box = audio.codec.configuration_box();
            match &esds {
                Some(config) => sample_entry::write_esds(w, config, record),
                None if audio.codec.has_full_box() => w.full(configuration_box, 0, 0, |w| w.bytes(record)),
                None => w.nest(configuration_box, |w| w.bytes(record)),
            }
            if let (None, Some(rate)) = (&esds, bit_rate) {
                write_bit_rate(w, rate);
            }
        });
    });
    Ok(())
}

fn write_bit_rate(w: &mut BoxWriter<'_>, rate: BitRate) {
    let (buffer_size_db, max_bitrate, avg_bitrate) =
        (U32::new(rate.buffer_size), U32::new(rate.max), U32::new(rate.average));
    sample_entry::write_btrt(w, &Btrt { buffer_size_db, max_bitrate, avg_bitrate });
}

/// What describes pictures whatever their codec: `colr` where the colour is known, `clli` and `mdcv` where light levels and
/// the mastering display are, `pasp` where samples are not square, `btrt` where bit rates are known. FFmpeg has this order.
fn write_picture_boxes(w: &mut BoxWriter<'_>, format: &VideoFormat, bit_rate: Option<BitRate>) {
    if let Some(colour) = nclx(format) {
        sample_entry::write_colr(w, &colour);
    }
    if let Some(light) = &format.content_light {
        sample_entry::write_clli(w, &clli(light));
    }
    if let Some(display) = &format.mastering_display {
        sample_entry::write_mdcv(w, &mdcv(display));
    }
    if let Some(SampleAspectRatio { horizontal, vertical }) = format.sample_aspect_ratio
        && horizontal != vertical
    {
        sample_entry::write_pasp(w, u32::from(horizontal), u32::from(vertical));
    }
    if let Some(rate) = bit_rate {
        write_bit_rate(w, rate);
    }
}

fn clli(light: &ContentLight) -> Clli {
    Clli {
        max_content_light_level: U16::new(light.max_content),
        max_pic_average_light_level: U16::new(light.max_picture_average),
    }
}

/// Red comes first, and numbers are binary fractions: each is the nearest there is.
fn smdm(display: &MasteringDisplay) -> SmDm {
    let nearest = |value: u32, one: u64, steps: u64| (u64::from(value) * 2 * one + steps) / (2 * steps);
    // 1.0 itself has no 0.16.
    let coordinate =
        |value: u16| U16::new(u16::try_from(nearest(value.into(), 1 << 16, 50_000)).unwrap_or(u16::MAX));
    let point = |(x, y)| [coordinate(x), coordinate(y)];
    let luminance =
        |value: u32, one: u64| U32::new(u32::try_from(nearest(value, one, 10_000)).unwrap_or(u32::MAX));
    let [green, blue, red] = display.primaries;
    SmDm {
        primary_chromaticity: [red, green, blue].map(point),
        white_point_chromaticity: point(display.white_point),
        luminance_max: luminance(display.max_luminance, 1 << 8),
        luminance_min: luminance(display.min_luminance, 1 << 14),
    }
}

fn mdcv(display: &MasteringDisplay) -> Mdcv {
    let point = |(x, y)| [U16::new(x), U16::new(y)];
    Mdcv {
        display_primaries: display.primaries.map(point),
        white_point: point(display.white_point),
        max_display_mastering_luminance: U32::new(display.max_luminance),
        min_display_mastering_luminance: U32::new(display.min_luminance),
    }
}

fn nclx(format: &VideoFormat) -> Option<Nclx> {
    format.colour.map(|c| Nclx::new(c.primaries, c.transfer, c.matrix, c.full_range))
}
