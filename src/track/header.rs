//! A track's description ► its init segment (ISO/IEC 23000-19 7.3.1: the CMAF header): `ftyp moov{mvhd, trak, mvex}`.
//!
//! Holds only what is known before the first sample is written, or what the caller gives: a duration or bit rates
//! that are measured over the track are given by a packager and left out by a live encoder.
//!
//! ISO/IEC 23000-19 and 14496-3 were not opened: their clauses are as other projects quote them. So are the
//! numbers of 14496-15, whose edition of 2010 was read: it has the record at 5.2.4.1, the sample entry at
//! 5.3.4.1.

use crate::boxes::brand::{self, AacFacts, AvcFacts, TrackKind};
use crate::boxes::moov::{self, Media, PackedLanguage};
use crate::boxes::sample_entry::{self, Btrt, Clli, DecoderConfig, Mdcv, Nclx};
use crate::boxes::{BoxWriter, FourCc};
use crate::bytes::{U16, U24, U32};
use crate::codec::h264::ParameterSetPlacement;
use crate::codec::{ContentLight, MasteringDisplay, SampleAspectRatio, VideoFormat};
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
    /// Duration of the whole track, for `mehd`. `None`: not known yet.
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
        /// Pictures per second; `None` when it varies. Only proves the media profile.
        frame_rate: Option<FrameRate>,
        /// Whether `frame_mbs_only_flag` is 1 in every sequence parameter set. Only proves the media profile.
        progressive: bool,
        /// `AVCDecoderConfigurationRecord`: what `avcC` contains. Its profile and level prove the media profile.
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
    /// MPEG-4 audio (ISO/IEC 14496-14).
    Mp4a {
        /// `AudioSpecificConfig` (ISO/IEC 14496-3 1.6.2.1).
        audio_specific_config: Vec<u8>,
        /// `objectTypeIndication`: 0x40 for MPEG-4 audio.
        object_type_indication: u8,
        /// Number of channels.
        channels: u16,
        /// Samples per second.
        sample_rate: u32,
    },
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
    let stsd = header.entry.sample_description(header.bit_rate)?;

    let mut out = Vec::with_capacity(1024);
    let mut w = BoxWriter::new(&mut out);
    brand::write_ftyp(&mut w, &kind);
    w.nest(b"moov", |w| {
        moov::write_mvhd(w, header.timescale);
        w.nest(b"trak", |w| {
            moov::write_tkhd(w, media);
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
                    });
                });
            });
            if let Some(role) = role {
                w.nest(b"udta", |w| moov::write_kind(w, "urn:mpeg:dash:role:2011", role));
            }
        });
        w.nest(b"mvex", |w| {
            if let Some(duration) = header.duration {
                moov::write_mehd(w, duration);
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
    fn media(&self) -> Result<Media> {
        match self {
            Self::Avc { format, .. } | Self::Av1 { format, .. } => picture_media(format),
            Self::Mp4a { .. } => Ok(Media::Audio),
        }
    }

    fn track_kind(&self) -> Result<TrackKind> {
        match self {
            Self::Avc { format, frame_rate, progressive, configuration_record, .. } => {
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
                    progressive: *progressive,
                    width: format.width,
                    height: format.height,
                    frame_rate: *frame_rate,
                    colour: nclx(format),
                }))
            }
            Self::Av1 { configuration_record, .. } => match configuration_record.as_slice() {
                [_, _, _, _, ..] => Ok(TrackKind::Av1),
                _ => Err(Error::truncated("initial_presentation_delay_present", "AV1-ISOBMFF 2.3.3")),
            },
            Self::Mp4a { audio_specific_config, channels, sample_rate, .. } => {
                let first = audio_specific_config.first();
                let first =
                    first.ok_or_else(|| Error::truncated("audioObjectType", "ISO/IEC 14496-3 1.6.2.1"))?;
                Ok(TrackKind::Aac(AacFacts {
                    // Five bits; 31 says that the type follows, which is none that a brand is proven for.
                    audio_object_type: first >> 3,
                    channels: *channels,
                    sample_rate: *sample_rate,
                }))
            }
        }
    }

    /// `stsd`, apart from the boxes around it: it is what may not fit.
    fn sample_description(&self, bit_rate: Option<BitRate>) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        match self {
            Self::Avc { parameter_sets, format, configuration_record, .. } => {
                sample_entry::write_stsd(&mut w, |w| {
                    let (entry, size) = (parameter_sets.sample_entry_type(), (format.width, format.height));
                    sample_entry::write_visual(w, entry, size, |w| {
                        w.nest(b"avcC", |w| w.bytes(configuration_record));
                        write_picture_boxes(w, format, bit_rate);
                    });
                });
            }
            Self::Av1 { format, configuration_record, .. } => {
                sample_entry::write_stsd(&mut w, |w| {
                    sample_entry::write_visual(w, b"av01", (format.width, format.height), |w| {
                        w.nest(b"av1C", |w| w.bytes(configuration_record));
                        write_picture_boxes(w, format, bit_rate);
                    });
                });
            }
            Self::Mp4a { audio_specific_config, object_type_indication, channels, sample_rate } => {
                let rate = bit_rate.unwrap_or_default();
                let config = DecoderConfig {
                    object_type_indication: *object_type_indication,
                    stream_type: DecoderConfig::AUDIO_STREAM,
                    buffer_size_db: decoding_buffer(rate.buffer_size)?,
                    max_bitrate: U32::new(rate.max),
                    avg_bitrate: U32::new(rate.average),
                };
                sample_entry::write_stsd(&mut w, |w| {
                    sample_entry::write_audio(w, b"mp4a", *channels, *sample_rate, |w| {
                        sample_entry::write_esds(w, &config, audio_specific_config);
                    });
                });
            }
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

/// What describes pictures whatever their codec: `colr` where the colour is known, `clli` and `mdcv` where light levels and
/// the mastering display are, `pasp` where samples are not square, `btrt` where bit rates are known. FFmpeg has this order.
fn write_picture_boxes(w: &mut BoxWriter<'_>, format: &VideoFormat, bit_rate: Option<BitRate>) {
    if let Some(colour) = nclx(format) {
        sample_entry::write_colr(w, &colour);
    }
    if let Some(ContentLight { max_content, max_picture_average }) = format.content_light {
        let light = Clli {
            max_content_light_level: U16::new(max_content),
            max_pic_average_light_level: U16::new(max_picture_average),
        };
        sample_entry::write_clli(w, &light);
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
        let (buffer_size_db, max_bitrate, avg_bitrate) =
            (U32::new(rate.buffer_size), U32::new(rate.max), U32::new(rate.average));
        sample_entry::write_btrt(w, &Btrt { buffer_size_db, max_bitrate, avg_bitrate });
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use mp4_atom::{Codec, Decode, DecodeMaybe};

    use super::*;
    use crate::codec::Colour;

    /// x264's record of a 320x180 clip.
    const AVCC: &[u8] = b"\x01\x64\x00\x0c\xff\xe1\x00\x1c\
        \x67\x64\x00\x0c\xac\xd9\x41\x41\x9f\x9f\x0e\x6a\x02\x02\x02\x80\x00\x00\x03\x00\x80\x00\x00\x19\x07\x8a\x14\xcb\
        \x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\
        \xfd\xf8\xf8\x00";

    const SQUARE_BT709: VideoFormat = VideoFormat {
        width: 320,
        height: 180,
        sample_aspect_ratio: None,
        colour: Some(Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false }),
        mastering_display: None,
        content_light: None,
    };

    fn video(format: VideoFormat) -> TrackHeader {
        TrackHeader {
            timescale: Timescale::new(NonZeroU32::new(25_000).unwrap()),
            entry: SampleEntry::Avc {
                parameter_sets: ParameterSetPlacement::SampleEntry,
                format,
                frame_rate: FrameRate::new(25, 1),
                progressive: true,
                configuration_record: AVCC.to_vec(),
            },
            language: None,
            role: None,
            duration: None,
            bit_rate: None,
        }
    }

    fn audio() -> TrackHeader {
        TrackHeader {
            timescale: Timescale::new(NonZeroU32::new(48_000).unwrap()),
            entry: SampleEntry::Mp4a {
                audio_specific_config: vec![0x11, 0x90],
                object_type_indication: 0x40,
                channels: 2,
                sample_rate: 48_000,
            },
            language: Some("de-CH".into()),
            role: Some("main".into()),
            duration: Some(Ticks(1 << 33)),
            bit_rate: Some(BitRate { buffer_size: 6144, max: 130_000, average: 128_000 }),
        }
    }

    /// `name(child child …)` of every box, by sizes alone.
    fn tree(mut bytes: &[u8]) -> String {
        const CONTAINERS: [&str; 9] =
            ["moov", "trak", "mdia", "minf", "dinf", "stbl", "mvex", "udta", "dref"];
        let mut names = Vec::new();
        while !bytes.is_empty() {
            let size = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            let name = str::from_utf8(&bytes[4..8]).unwrap();
            let body = match name {
                "dref" => &bytes[16..size],
                _ => &bytes[8..size],
            };
            names.push(match CONTAINERS.contains(&name) {
                true => format!("{name}({})", tree(body)),
                false => name.to_owned(),
            });
            bytes = &bytes[size..];
        }
        names.join(" ")
    }

    #[test]
    fn boxes_stand_in_the_order_of_cmaf() {
        // ISO/IEC 23000-19 7.3.1.
        assert_eq!(
            tree(&write_init_segment(&video(SQUARE_BT709)).unwrap()),
            "ftyp moov(mvhd trak(tkhd mdia(mdhd hdlr minf(vmhd dinf(dref(url )) stbl(stsd stts stsc stsz stco stss)))) \
             mvex(trex))"
        );
        assert_eq!(
            tree(&write_init_segment(&audio()).unwrap()),
            "ftyp moov(mvhd trak(tkhd mdia(mdhd hdlr elng minf(smhd dinf(dref(url )) stbl(stsd stts stsc stsz stco))) \
             udta(kind)) mvex(mehd trex))"
        );
    }

    /// `ftyp` and `moov` as an independent reader sees them.
    fn read_back(header: &TrackHeader) -> (mp4_atom::Ftyp, mp4_atom::Moov) {
        let init = write_init_segment(header).unwrap();
        let mut buf = init.as_slice();
        let read = (mp4_atom::Ftyp::decode(&mut buf).unwrap(), mp4_atom::Moov::decode(&mut buf).unwrap());
        assert!(mp4_atom::Any::decode_maybe(&mut buf).unwrap().is_none(), "nothing follows moov");
        read
    }

    #[test]
    fn an_independent_reader_finds_the_video_track() {
        let format = VideoFormat {
            sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 4, vertical: 3 }),
            ..SQUARE_BT709
        };
        let mut header = video(format);
        header.bit_rate = Some(BitRate { buffer_size: 1, max: 2, average: 3 });
        let (ftyp, moov) = read_back(&header);
        let brands: Vec<String> = ftyp.compatible_brands.iter().map(ToString::to_string).collect();
        assert_eq!(brands.join(" "), "iso6 mp42 cmfc cmf2 cfsd cfhd chdf");
        assert_eq!((moov.mvhd.timescale, moov.mvhd.duration, moov.mvhd.next_track_id), (25_000, 0, 2));
        let [trak] = moov.trak.as_slice() else { panic!("one track") };
        let shown = (trak.tkhd.width.integer(), trak.tkhd.height.integer());
        assert_eq!((trak.tkhd.track_id, shown, trak.tkhd.enabled), (1, (427, 180), true));
        assert_eq!((trak.mdia.mdhd.timescale, trak.mdia.mdhd.language.as_str()), (25_000, "und"));
        let stbl = &trak.mdia.minf.stbl;
        assert!(stbl.stss.as_ref().is_some_and(|stss| stss.entries.is_empty()));
        let [Codec::Avc1(avc1)] = stbl.stsd.codecs.as_slice() else { panic!("one avc1 entry") };
        assert_eq!((avc1.visual.width, avc1.visual.height), (320, 180));
        assert_eq!((avc1.avcc.avc_profile_indication, avc1.avcc.avc_level_indication), (100, 12));
        let pasp = avc1.pasp.as_ref().unwrap();
        assert_eq!((pasp.h_spacing, pasp.v_spacing), (4, 3));
        let btrt = avc1.btrt.as_ref().unwrap();
        assert_eq!((btrt.buffer_size_db, btrt.max_bitrate, btrt.avg_bitrate), (1, 2, 3));
        let nclx = mp4_atom::Colr::Nclx {
            colour_primaries: 1,
            transfer_characteristics: 1,
            matrix_coefficients: 1,
            full_range_flag: false,
        };
        assert_eq!(avc1.colr, Some(nclx));
        let mvex = moov.mvex.as_ref().unwrap();
        assert_eq!((mvex.mehd.is_none(), mvex.trex[0].default_sample_description_index), (true, 1));
    }

    /// Libaom's 8-bit stream: its record as in `codec::av1`.
    fn av1(format: VideoFormat) -> TrackHeader {
        let configuration_record =
            b"\x81\x00\x0c\x00\x0a\x0a\x00\x00\x00\x03\x37\xf8\xe6\xd7\xc8\x02".to_vec();
        let entry = SampleEntry::Av1 { format, frame_rate: FrameRate::new(25, 1), configuration_record };
        TrackHeader { entry, ..video(format) }
    }

    #[test]
    fn an_independent_reader_finds_the_av1_track() {
        let format = VideoFormat {
            width: 128,
            height: 72,
            sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 3, vertical: 2 }),
            ..SQUARE_BT709
        };
        let (ftyp, moov) = read_back(&av1(format));
        let brands: Vec<String> = ftyp.compatible_brands.iter().map(ToString::to_string).collect();
        assert_eq!(brands.join(" "), "iso6 mp42 cmfc cmf2 av01");
        let trak = &moov.trak[0];
        assert_eq!((trak.tkhd.width.integer(), trak.tkhd.height.integer()), (192, 72));
        let [Codec::Av01(av01)] = trak.mdia.minf.stbl.stsd.codecs.as_slice() else {
            panic!("one av01 entry")
        };
        assert_eq!((av01.visual.width, av01.visual.height), (128, 72));
        let record = &av01.av1c;
        assert_eq!((record.seq_profile, record.high_bitdepth, record.monochrome), (0, false, false));
        assert_eq!((record.chroma_subsampling_x, record.chroma_subsampling_y), (true, true));
        assert_eq!(record.initial_presentation_delay, None);
        assert_eq!(record.config_obus, b"\x0a\x0a\x00\x00\x00\x03\x37\xf8\xe6\xd7\xc8\x02");
        assert!(av01.colr.is_some());
        assert_eq!(av01.pasp.as_ref().map(|pasp| (pasp.h_spacing, pasp.v_spacing)), Some((3, 2)));
    }

    #[test]
    #[rustfmt::skip]
    fn hdr_metadata_is_written_as_ffmpeg_writes_it() {
        // FFmpeg 5.1.9, `-c copy` of an MP4 file whose values its ffprobe names: red 0.68 0.32, green 0.265 0.69, blue
        // 0.15 0.06, white 0.3127 0.329, 0.005 to 1000 cd/m²; MaxCLL 1000, MaxFALL 400.
        let ffmpeg = [
            b"\0\0\0\x13colrnclx\0\x09\0\x10\0\x09\0".as_slice(),
            b"\0\0\0\x0cclli\x03\xe8\x01\x90",
            b"\0\0\0\x20mdcv\x33\xc2\x86\xc4\x1d\x4c\x0b\xb8\x84\xd0\x3e\x80\x3d\x13\x40\x42",
            b"\0\x98\x96\x80\0\0\0\x32",
            b"\0\0\0\x10pasp\0\0\0\x04\0\0\0\x03",
        ].concat(); // FFmpeg's pasp is 1:1
        let format = VideoFormat {
            sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 4, vertical: 3 }),
            colour: Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false }),
            mastering_display: Some(MasteringDisplay {
                primaries: [(13_250, 34_500), (7500, 3000), (34_000, 16_000)],
                white_point: (15_635, 16_450),
                max_luminance: 10_000_000,
                min_luminance: 50,
            }),
            content_light: Some(ContentLight { max_content: 1000, max_picture_average: 400 }),
            ..SQUARE_BT709
        };
        for header in [video(format), av1(format)] {
            let init = write_init_segment(&header).unwrap();
            let at = init.windows(4).position(|name| name == b"colr").unwrap() - 4;
            assert_eq!(init[at..at + ffmpeg.len()], ffmpeg);
        }
    }

    #[test]
    fn avc3_differs_in_the_type_of_the_entry_alone() {
        let with = |parameter_sets| {
            let mut header = video(SQUARE_BT709);
            let SampleEntry::Avc { parameter_sets: place, .. } = &mut header.entry else { panic!() };
            *place = parameter_sets;
            header
        };
        let (_, moov) = read_back(&with(ParameterSetPlacement::InBand));
        let [Codec::Avc3(_)] = moov.trak[0].mdia.minf.stbl.stsd.codecs.as_slice() else { panic!() };
        let [avc1, avc3] = [ParameterSetPlacement::SampleEntry, ParameterSetPlacement::InBand]
            .map(|place| write_init_segment(&with(place)).unwrap());
        let differ: Vec<_> = avc1.iter().zip(&avc3).filter(|(a, b)| a != b).map(|(&a, &b)| (a, b)).collect();
        assert_eq!((differ, avc1.len()), (vec![(b'1', b'3')], avc3.len()));
    }

    #[test]
    fn an_independent_reader_finds_the_audio_track() {
        // The strict reader knows no `elng`.
        let (ftyp, moov) = read_back(&TrackHeader { language: None, ..audio() });
        let brands: Vec<String> = ftyp.compatible_brands.iter().map(ToString::to_string).collect();
        assert_eq!(brands.join(" "), "iso6 mp42 cmfc cmfa caac");
        let trak = &moov.trak[0];
        assert_eq!((trak.mdia.mdhd.timescale, trak.mdia.mdhd.language.as_str()), (48_000, "und"));
        let [Codec::Mp4a(mp4a)] = trak.mdia.minf.stbl.stsd.codecs.as_slice() else {
            panic!("one mp4a entry")
        };
        assert_eq!((mp4a.audio.channel_count, mp4a.audio.sample_rate.integer()), (2, 48_000));
        let es = &mp4a.esds.es_desc;
        assert_eq!(es.es_id, 0);
        let config = &es.dec_config;
        assert_eq!((config.object_type_indication, config.stream_type), (0x40, 5));
        assert_eq!((config.max_bitrate, config.avg_bitrate), (130_000, 128_000));
        assert_eq!(u32::from(config.buffer_size_db), 6144);
        let specific = config.dec_specific.as_ref().unwrap();
        assert_eq!((specific.profile, specific.freq_index, specific.chan_conf), (2, 3, 2));
        assert_eq!(moov.mvex.as_ref().unwrap().mehd.as_ref().unwrap().fragment_duration, 1 << 33);
    }

    #[test]
    fn square_samples_and_unknown_colour_have_no_box() {
        let format = VideoFormat {
            sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 3, vertical: 3 }),
            colour: None,
            ..SQUARE_BT709
        };
        let (_, moov) = read_back(&video(format));
        let [Codec::Avc1(avc1)] = moov.trak[0].mdia.minf.stbl.stsd.codecs.as_slice() else { panic!() };
        assert_eq!((avc1.pasp.is_none(), avc1.colr.is_none(), avc1.btrt.is_none()), (true, true, true));
    }

    #[test]
    fn the_language_of_mdhd_is_the_terminological_code() {
        let packed = |tag: &str| packed_language(Some(tag));
        for (tag, code) in [
            ("de", "deu"),
            ("fr-CA", "fra"),
            ("zh-Hant-TW", "zho"),
            ("EN", "eng"),
            ("nl", "nld"),
            ("haw", "haw"),
        ] {
            assert_eq!(packed(tag), PackedLanguage::new(code).unwrap(), "{tag}");
        }
        for tag in ["x-private", "i-klingon", "und", "q", ""] {
            assert_eq!(packed(tag), PackedLanguage::UNDETERMINED, "{tag}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |header: &TrackHeader, said: &str| {
            let error = write_init_segment(header).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        };
        let wide = Some(SampleAspectRatio { horizontal: 60_000, vertical: 1 });
        refused(&video(VideoFormat { sample_aspect_ratio: wide, ..SQUARE_BT709 }), "19200000 pixels wide");
        let narrow = Some(SampleAspectRatio { horizontal: 1, vertical: 60_000 });
        refused(&video(VideoFormat { sample_aspect_ratio: narrow, ..SQUARE_BT709 }), "0 pixels wide");
        let nothing = Some(SampleAspectRatio { horizontal: 1, vertical: 0 });
        refused(&video(VideoFormat { sample_aspect_ratio: nothing, ..SQUARE_BT709 }), "1:0");
        refused(&TrackHeader { language: Some("d\0".into()), ..audio() }, "language");
        refused(&TrackHeader { role: Some(String::new()), ..audio() }, "role");
        let bit_rate = Some(BitRate { buffer_size: 1 << 24, max: 0, average: 0 });
        refused(&TrackHeader { bit_rate, ..audio() }, "the limit is 16777215");
        let cut_off = SampleEntry::Avc {
            parameter_sets: ParameterSetPlacement::SampleEntry,
            format: SQUARE_BT709,
            frame_rate: None,
            progressive: true,
            configuration_record: vec![1, 100, 0],
        };
        refused(&TrackHeader { entry: cut_off, ..audio() }, "AVCLevelIndication");
        let mut cut_off = av1(SQUARE_BT709);
        let SampleEntry::Av1 { configuration_record, .. } = &mut cut_off.entry else { panic!() };
        configuration_record.truncate(3);
        refused(&cut_off, "initial_presentation_delay_present");
    }
}
