//! An init segment that is published already ► what a worker must agree with before it adds segments to the track: its
//! timescale, and the codec and format of its one sample entry. Reads what this crate writes, and what others write for one
//! track; other boxes are passed over.
//!
//! Boxes are those of ISO/IEC 14496-12, descriptors those of 14496-1; the clauses are as in [`crate::boxes`], where they
//! are written; that of 23000-19 is as there. The AV1 sample entry is that of the AV1 ISOBMFF binding 2.2, which was not opened.

use std::num::NonZeroU32;

use super::compatible::{CodecDescription, Shape};
use crate::boxes::FourCc;
use crate::boxes::reader::{Body, BoxRef, Boxes};
use crate::codec::AudioCodec;
use crate::codec::h264::AvcRecord;
use crate::codec::h265::HevcRecord;
use crate::codec::record::ConfigurationRecord;
use crate::codec::vp9::Vp9Record;
use crate::error::{Error, Result};
use crate::time::Timescale;
use crate::track::header::SampleEntry;

/// What an init segment says of its track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedInit {
    timescale: Timescale,
    description: CodecDescription,
}

impl PublishedInit {
    /// Reads an init segment, whole.
    ///
    /// # Errors
    /// When a box or a field does not fit what holds it, a box is missing or there twice, the file has more than one track or
    /// sample entry, holds media, or its codec is none of `avc1`, `avc3`, `hvc1`, `hev1`, `av01`, `vp09`, `mp4a`.
    pub fn read(init: &[u8]) -> Result<Self> {
        let mut boxes = Boxes::of_file(init);
        while let Some(next) = boxes.next()? {
            if matches!(&next.kind.0, b"moof" | b"mdat") {
                let what = format!("an init segment has a box '{}', which holds media", next.kind);
                let clause = "ISO/IEC 23000-19 7.3.1";
                return Err(Error::malformed(what, clause, "give the init segment alone").at(next.offset));
            }
        }
        let moov = Boxes::of_file(init).one(b"moov", "ISO/IEC 14496-12 8.2.1")?;
        let trak = moov.boxes().one(b"trak", "ISO/IEC 14496-12 8.3.1")?;
        let mdia = trak.boxes().one(b"mdia", "ISO/IEC 14496-12 8.4.1")?;
        let timescale = read_timescale(&mdia.boxes().one(b"mdhd", "ISO/IEC 14496-12 8.4.2")?)?;
        let minf = mdia.boxes().one(b"minf", "ISO/IEC 14496-12 8.4.4")?;
        let stbl = minf.boxes().one(b"stbl", "ISO/IEC 14496-12 8.5.1")?;
        let mut description = read_stsd(&stbl.boxes().one(b"stsd", "ISO/IEC 14496-12 8.5.2")?)?;
        if let Shape::Sound { roll_distance, priming, .. } = &mut description.shape {
            (*roll_distance, *priming) = (read_roll_distance(stbl.boxes())?, read_priming(trak.boxes())?);
        }
        Ok(Self { timescale, description })
    }

    /// Of all times of the track.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    /// Type of the sample entry: `avc1`, `avc3`, `hvc1`, `hev1`, `av01`, `vp09` or `mp4a`.
    pub fn entry_type(&self) -> FourCc {
        self.description.entry_type
    }

    /// What `avcC`, `hvcC` or `av1C` contains, and `vpcC` behind its version and flags; of `esds`, the decoder specific info (`AudioSpecificConfig`).
    pub fn configuration(&self) -> &[u8] {
        &self.description.configuration
    }

    /// Width and height in luma samples; `None` for sound.
    pub fn size(&self) -> Option<(u16, u16)> {
        match self.description.shape {
            Shape::Pictures { width, height } => Some((width, height)),
            Shape::Sound { .. } => None,
        }
    }

    /// Number of channels as the sample entry says, which some writers leave at 2; `None` for pictures.
    pub fn channels(&self) -> Option<u16> {
        match self.description.shape {
            Shape::Sound { channels, .. } => Some(channels),
            Shape::Pictures { .. } => None,
        }
    }

    /// Samples per second; `None` for pictures, and where the sample entry cannot hold it (65536 Hz and more).
    pub fn sample_rate(&self) -> Option<u32> {
        match self.description.shape {
            Shape::Sound { sample_rate, .. } => sample_rate.map(u32::from),
            Shape::Pictures { .. } => None,
        }
    }

    /// The parameter sets of H.264 and H.265 in it; `None` for another codec.
    pub(crate) fn parameter_sets(&self) -> Option<Vec<Vec<u8>>> {
        let record = &self.description.configuration;
        let copied = |sets: Vec<(&str, &[u8])>| sets.into_iter().map(|(_, set)| set.to_vec()).collect();
        match &self.description.entry_type.0 {
            b"avc1" | b"avc3" => AvcRecord::read(record).ok().map(|record| copied(record.parameter_sets())),
            b"hvc1" | b"hev1" => HevcRecord::read(record).ok().map(|record| copied(record.parameter_sets())),
            _ => None,
        }
    }

    /// Checks that segments made with `entry` and `timescale` play with it ([`SampleEntry::check_fits`]).
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) that names what differs, on both sides.
    pub fn check(&self, entry: &SampleEntry, timescale: Timescale) -> Result<()> {
        self.check_timescale(timescale)?;
        entry.description().check_fits(&self.description)
    }

    /// The part of [`Self::check`] about time.
    pub(crate) fn check_timescale(&self, timescale: Timescale) -> Result<()> {
        if timescale == self.timescale {
            return Ok(());
        }
        Err(Error::conflict(
            format!("the timescale is {timescale}, but the init segment has {}", self.timescale),
            "give every worker of a rendition the same timescale",
        ))
    }
}

/// `timescale` of `mdhd`.
fn read_timescale(mdhd: &BoxRef<'_>) -> Result<Timescale> {
    const CLAUSE: &str = "ISO/IEC 14496-12 8.4.2";
    let (version, mut fields) = mdhd.full(1, CLAUSE)?;
    fields.take(if version == 1 { 16 } else { 8 }, "creation_time and modification_time")?;
    let at = fields.offset();
    let timescale = NonZeroU32::new(fields.u32("timescale")?);
    fields.take(if version == 1 { 12 } else { 8 }, "duration and language")?;
    timescale.map(Timescale::new).ok_or_else(|| Error::out_of_range("timescale", 0, "above 0", CLAUSE).at(at))
}

/// `roll_distance` of the first roll group that `sgpd` describes; `None` where it describes none.
fn read_roll_distance(mut boxes: Boxes<'_>) -> Result<Option<i16>> {
    const CLAUSE: &str = "ISO/IEC 14496-12 8.9.3";
    while let Some(next) = boxes.next()? {
        if next.kind.0 != *b"sgpd" {
            continue;
        }
        let (version, mut fields) = next.full(u8::MAX, CLAUSE)?;
        // Editions of the standard differ in what version 2 has here; nobody writes it for roll groups.
        if fields.array::<4>("grouping_type")? != *b"roll" || version > 1 {
            continue;
        }
        let lengths = if version == 1 { fields.u32("default_length")? } else { 2 };
        if fields.u32("entry_count")? == 0 {
            continue;
        }
        if lengths == 0 {
            fields.u32("description_length")?;
        }
        return Ok(Some(fields.u16("roll_distance")? as i16));
    }
    Ok(None)
}

/// Where the presentation begins in the media: `media_time` of the first edit that is none of nothing; 0 without an edit list.
fn read_priming(mut boxes: Boxes<'_>) -> Result<u64> {
    const CLAUSE: &str = "ISO/IEC 14496-12 8.6.6";
    while let Some(next) = boxes.next()? {
        if next.kind.0 != *b"edts" {
            continue;
        }
        let mut inner = next.boxes();
        while let Some(elst) = inner.next()?.filter(|inner| inner.kind.0 == *b"elst") {
            let (version, mut fields) = elst.full(1, CLAUSE)?;
            for _ in 0..fields.u32("entry_count")? {
                let media_time = if version == 1 {
                    fields.u64("edit_duration")?;
                    fields.u64("media_time")? as i64
                } else {
                    fields.u32("edit_duration")?;
                    i64::from(fields.u32("media_time")? as i32)
                };
                fields.u32("media_rate")?;
                // -1: an empty edit.
                if let Ok(media_time) = u64::try_from(media_time) {
                    return Ok(media_time);
                }
            }
        }
    }
    Ok(0)
}

fn read_stsd(stsd: &BoxRef<'_>) -> Result<CodecDescription> {
    const CLAUSE: &str = "ISO/IEC 14496-12 8.5.2";
    let (_, mut fields) = stsd.full(1, CLAUSE)?;
    let at = fields.offset();
    let count = fields.u32("entry_count")?;
    let mut entries = fields.boxes();
    let (Some(entry), None, 1) = (entries.next()?, entries.next()?, count) else {
        return Err(Error::unsupported(
            format!("an init segment with {count} sample entries, or another count of boxes in stsd"),
            "give one with a single sample entry",
        )
        .at(at));
    };
    match &entry.kind.0 {
        b"avc1" | b"avc3" => {
            let (shape, record) = read_visual(&entry, b"avcC", "ISO/IEC 14496-15 5.3.4.1")?;
            let offset = record.offset();
            AvcRecord::read(record.rest()).map_err(|error| error.shift(offset))?;
            Ok(CodecDescription { entry_type: entry.kind, configuration: record.rest().to_vec(), shape })
        }
        b"hvc1" | b"hev1" => {
            let (shape, record) = read_visual(&entry, b"hvcC", "ISO/IEC 14496-15 8.4.1")?;
            let offset = record.offset();
            HevcRecord::read(record.rest()).map_err(|error| error.shift(offset))?;
            Ok(CodecDescription { entry_type: entry.kind, configuration: record.rest().to_vec(), shape })
        }
        b"av01" => {
            let (shape, record) = read_visual(&entry, b"av1C", "AV1 ISOBMFF 2.3")?;
            // Marker and version, profile, level, bit depth and more.
            record.clone().take(4, "AV1CodecConfigurationRecord")?;
            Ok(CodecDescription { entry_type: entry.kind, configuration: record.rest().to_vec(), shape })
        }
        b"vp09" => {
            let clause = "VP9-ISOBMFF, VP Codec Configuration Box";
            let (shape, mut record) = read_visual(&entry, b"vpcC", clause)?;
            let at = record.offset();
            let version = record.take(4, "version and flags")?.u8("version")?;
            if version != 1 {
                return Err(Error::out_of_range("version", version, "1", clause).at(at));
            }
            let offset = record.offset();
            Vp9Record::read(record.rest()).map_err(|error| error.shift(offset))?;
            Ok(CodecDescription { entry_type: entry.kind, configuration: record.rest().to_vec(), shape })
        }
        kind => match AudioCodec::of_entry_type(kind) {
            Some(codec) => read_audio(&entry, codec),
            None => Err(Error::unsupported(
            format!("a published track with the sample entry '{}'", entry.kind),
            "give the init segment of an avc1, avc3, hvc1, hev1, av01, vp09, mp4a, Opus, ac-3, ec-3 or fLaC track",
        )
        .at(entry.offset)),
        },
    }
}

/// Size, and the body of the box that configures the codec.
fn read_visual<'a>(
    entry: &BoxRef<'a>,
    configuration: &[u8; 4],
    clause: &'static str,
) -> Result<(Shape, Body<'a>)> {
    let mut fields = entry.fields("ISO/IEC 14496-12 12.1.3");
    fields.take(24, "SampleEntry and pre_defined")?;
    let at = fields.offset();
    let (width, height) = (fields.u16("width")?, fields.u16("height")?);
    if width == 0 || height == 0 {
        let what = format!("pictures of {width}x{height}");
        return Err(Error::malformed(what, "ISO/IEC 14496-12 12.1.3", "the file is damaged").at(at));
    }
    fields.take(50, "VisualSampleEntry")?;
    let configuration = fields.boxes().one(configuration, clause)?;
    Ok((Shape::Pictures { width, height }, configuration.fields(clause)))
}

fn read_audio(entry: &BoxRef<'_>, codec: AudioCodec) -> Result<CodecDescription> {
    const CLAUSE: &str = "ISO/IEC 14496-12 12.2.3";
    let mut fields = entry.fields(CLAUSE);
    fields.take(8, "SampleEntry")?;
    let at = fields.offset();
    let version = fields.u16("entry_version")?;
    if version != 0 {
        return Err(Error::unsupported(
            format!("an audio sample entry of version {version}"),
            "write the init segment as MP4, not as QuickTime",
        )
        .at(at));
    }
    fields.take(6, "reserved")?;
    let channels = fields.u16("channelcount")?;
    fields.take(6, "samplesize and reserved")?;
    // 16.16 fixed point; 0 where the rate does not fit.
    let rate = fields.u16("samplerate")?;
    fields.take(2, "samplerate")?;
    let clause = match codec {
        AudioCodec::Aac => "ISO/IEC 14496-14 5.6",
        AudioCodec::Opus => "Opus in ISOBMFF 4.3.2",
        AudioCodec::Ac3 => "ETSI TS 102 366 F.4",
        AudioCodec::Eac3 => "ETSI TS 102 366 F.6",
        AudioCodec::Flac => "FLAC in ISOBMFF 3.3.2",
    };
    let found = fields.boxes().one(codec.configuration_box(), clause)?;
    let (object_type_indication, configuration) = match codec {
        AudioCodec::Aac => {
            let (indication, configuration) = read_esds(&found)?;
            (Some(indication), configuration)
        }
        _ if codec.has_full_box() => (None, found.full(0, clause)?.1.rest().to_vec()),
        _ => (None, found.fields(clause).rest().to_vec()),
    };
    let sample_rate = Some(rate).filter(|&rate| rate != 0);
    Ok(CodecDescription {
        entry_type: entry.kind,
        configuration,
        // These two stand elsewhere.
        shape: Shape::Sound {
            object_type_indication,
            channels,
            sample_rate,
            roll_distance: None,
            priming: 0,
        },
    })
}

/// `objectTypeIndication` and decoder specific info (ISO/IEC 14496-1 7.2.6.5 to 7.2.6.7).
fn read_esds(esds: &BoxRef<'_>) -> Result<(u8, Vec<u8>)> {
    const STREAM_DEPENDENCE_FLAG: u8 = 0x80;
    const URL_FLAG: u8 = 0x40;
    const OCR_STREAM_FLAG: u8 = 0x20;
    let (_, mut body) = esds.full(0, "ISO/IEC 14496-1 7.2.6.5")?;
    let mut es = descriptor(&mut body, 0x03, "ES_Descriptor")?;
    es.take(2, "ES_ID")?;
    let flags = es.u8("streamDependenceFlag")?;
    if flags & STREAM_DEPENDENCE_FLAG != 0 {
        es.take(2, "dependsOn_ES_ID")?;
    }
    if flags & URL_FLAG != 0 {
        let len = es.u8("URLlength")?;
        es.take(usize::from(len), "URLstring")?;
    }
    if flags & OCR_STREAM_FLAG != 0 {
        es.take(2, "OCR_ES_Id")?;
    }
    let mut config = descriptor(&mut es, 0x04, "DecoderConfigDescriptor")?;
    let object_type_indication = config.u8("objectTypeIndication")?;
    config.take(12, "DecoderConfigDescriptor")?;
    let info = descriptor(&mut config, 0x05, "DecoderSpecificInfo")?;
    Ok((object_type_indication, info.rest().to_vec()))
}

/// The body of the next descriptor, which must have this class tag. Its size has seven bits a byte, in at most four bytes
/// (ISO/IEC 14496-1 8.3.3).
fn descriptor<'a>(body: &mut Body<'a>, tag: u8, name: &'static str) -> Result<Body<'a>> {
    const CLAUSE: &str = "ISO/IEC 14496-1 8.3.3";
    let at = body.offset();
    let found = body.u8(name)?;
    if found != tag {
        let what = format!("the descriptor has tag {found:#04x}, must be {tag:#04x} ({name})");
        return Err(Error::malformed(what, CLAUSE, "the file is damaged").at(at));
    }
    let mut size = 0;
    for _ in 0..4 {
        let byte = body.u8("sizeOfInstance")?;
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return body.take(size, name);
        }
    }
    Err(Error::malformed(
        format!("the size of {name} has more than four bytes"),
        CLAUSE,
        "the file is damaged",
    )
    .at(at))
}

#[cfg(test)]
mod tests;
