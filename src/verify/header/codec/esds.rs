//! `esds`: the descriptors (ISO/IEC 14496-1 7.2.6, 14496-14 5.6) and the AudioSpecificConfig in them (14496-3 1.6.2.1), with the
//! codec string that they make (RFC 6381 3.3).

use super::super::check::Check;
use super::Facts;
use crate::bits::BitReader;
use crate::boxes::FourCc;
use crate::boxes::reader::{Body, BoxRef};
use crate::error::{Error, Result};

const CLAUSE: &str = "ISO/IEC 14496-1 7.2.6";
const ASC_CLAUSE: &str = "ISO/IEC 14496-3 1.6.2.1";

/// Class tags.
const ES_DESCR: u8 = 3;
const DECODER_CONFIG_DESCR: u8 = 4;
const DEC_SPECIFIC_INFO: u8 = 5;
const SL_CONFIG_DESCR: u8 = 6;

/// `objectTypeIndication` of MPEG-4 audio.
const MPEG4_AUDIO: u8 = 0x40;

pub(super) fn read(check: &mut Check<'_>, record: &BoxRef<'_>, _: FourCc, facts: &mut Facts) -> Result<()> {
    let mut body = record.fields(CLAUSE);
    body.u32("version and flags")?;
    let Some(mut es) = find(&mut body, ES_DESCR)? else {
        check.config(record, "there is no ES_Descriptor");
        return Ok(());
    };
    es.u16("ES_ID")?;
    let flags = es.u8("streamDependenceFlag to streamPriority")?;
    if flags & 0x80 != 0 {
        es.u16("dependsOn_ES_ID")?;
    }
    if flags & 0x40 != 0 {
        let len = es.u8("URLlength")?;
        es.take(len.into(), "URLstring")?;
    }
    if flags & 0x20 != 0 {
        es.u16("OCR_ES_Id")?;
    }
    let Some(mut config) = find(&mut es, DECODER_CONFIG_DESCR)? else {
        check.config(record, "there is no DecoderConfigDescriptor");
        return Ok(());
    };
    // channelcount is 2 whatever there is (14496-14 5.6).
    facts.is_sound_unknown = true;
    let object_type = config.u8("objectTypeIndication")?;
    let stream_type = config.u8("streamType")? >> 2;
    if stream_type != 5 {
        check.config(record, format_args!("streamType is {stream_type}, that of sound is 5"));
    }
    config.take(11, "bufferSizeDB, maxBitrate, avgBitrate")?;
    if object_type == MPEG4_AUDIO {
        match find(&mut config, DEC_SPECIFIC_INFO)? {
            Some(info) => read_audio_specific_config(check, record, info.rest(), facts)?,
            None => {
                check.config(record, "there is no DecoderSpecificInfo, which has the AudioSpecificConfig")
            }
        }
    } else {
        facts.codec = Some(format!("mp4a.{object_type:02X}"));
    }
    if find(&mut es, SL_CONFIG_DESCR)?.is_none() {
        check.config(record, "there is no SLConfigDescriptor");
    }
    Ok(())
}

/// The next descriptor of class `tag`; others are passed over.
fn find<'a>(body: &mut Body<'a>, tag: u8) -> Result<Option<Body<'a>>> {
    while !body.rest().is_empty() {
        let found = body.u8("tag")?;
        let offset = body.offset();
        let mut len = 0usize;
        for index in 0.. {
            let byte = body.u8("sizeOfInstance")?;
            len = len << 7 | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                break;
            }
            if index == 3 {
                let what = "sizeOfInstance has more than 4 bytes";
                return Err(Error::malformed(what, CLAUSE, "the file is damaged").at(offset));
            }
        }
        let descriptor = body.take(len, "descriptor")?;
        if found == tag {
            return Ok(Some(descriptor));
        }
    }
    Ok(None)
}

/// `AudioObjectType` values.
const AAC_LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;

/// AudioSpecificConfig ► codec string, channels and sampling rate.
///
/// Where spectral band replication makes another rate, or parametric stereo two channels of one, manifests are written with
/// either: neither is taken as known. Nor is it where a decoder has to find out whether there is any (a low rate, nothing said).
fn read_audio_specific_config(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    bytes: &[u8],
    facts: &mut Facts,
) -> Result<()> {
    let mut r = BitReader::without_emulation_prevention(bytes, ASC_CLAUSE);
    let signalled = object_type(&mut r)?;
    facts.codec = Some(format!("mp4a.40.{signalled}"));
    let core_rate = sampling_frequency(check, record, &mut r)?;
    let mut rate = core_rate;
    let configuration = r.u(4, "channelConfiguration")?;
    let mut core = signalled;
    let mut is_told = false;
    let mut has_ps = signalled == PS;
    if signalled == SBR || signalled == PS {
        rate = sampling_frequency(check, record, &mut r)?;
        core = object_type(&mut r)?;
        is_told = true;
    }
    let mut channels = channels_of(configuration);
    if matches!(core, 1..=4 | 6 | 7 | 17 | 19..=23) {
        if let Some(count) = read_ga(&mut r, core, configuration)? {
            channels = Some(count);
        }
        if let Some(extension) = read_extension(check, record, &mut r) {
            is_told = true;
            rate = extension.rate.or(rate);
            has_ps |= extension.has_ps;
        }
    }
    let may_have_sbr = !is_told && core == AAC_LC && rate.is_some_and(|rate| rate <= 24_000);
    facts.channels = channels.filter(|&channels| channels != 1 || !(has_ps || may_have_sbr));
    facts.sample_rate = rate.filter(|&rate| Some(rate) == core_rate && !may_have_sbr);
    Ok(())
}

/// `GetAudioObjectType`.
fn object_type(r: &mut BitReader<'_>) -> Result<u32> {
    match r.u(5, "audioObjectType")? {
        31 => Ok(32 + r.u(6, "audioObjectTypeExt")?),
        object_type => Ok(object_type),
    }
}

fn sampling_frequency(
    check: &mut Check<'_>,
    record: &BoxRef<'_>,
    r: &mut BitReader<'_>,
) -> Result<Option<u32>> {
    const FREQUENCIES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
    ];
    Ok(match r.u(4, "samplingFrequencyIndex")? {
        15 => Some(r.u(24, "samplingFrequency")?),
        index => {
            let frequency = FREQUENCIES.get(index as usize).copied();
            if frequency.is_none() {
                check.config(record, format_args!("samplingFrequencyIndex is {index}, which is reserved"));
            }
            frequency
        }
    })
}

/// Channels by `channelConfiguration` (14496-3 Table 1.19); `None` for 0 and what is reserved.
fn channels_of(configuration: u32) -> Option<u16> {
    Some(match configuration {
        1..=6 => configuration as u16,
        7 | 12 | 14 => 8,
        11 => 7,
        13 => 24,
        _ => return None,
    })
}

/// `GASpecificConfig` ► channels where it tells them.
fn read_ga(r: &mut BitReader<'_>, object_type: u32, configuration: u32) -> Result<Option<u16>> {
    r.flag("frameLengthFlag")?;
    if r.flag("dependsOnCoreCoder")? {
        r.u(14, "coreCoderDelay")?;
    }
    let has_extension = r.flag("extensionFlag")?;
    let mut channels = None;
    if configuration == 0 {
        channels = Some(read_program_config(r)?);
    }
    if matches!(object_type, 6 | 20) {
        r.u(3, "layerNr")?;
    }
    if has_extension {
        match object_type {
            22 => drop(r.u(16, "numOfSubFrame and layer_length")?),
            17 | 19 | 20 | 23 => drop(r.u(3, "resilience flags")?),
            _ => {}
        }
        r.flag("extensionFlag3")?;
    }
    Ok(channels)
}

/// `program_config_element` ► channels.
fn read_program_config(r: &mut BitReader<'_>) -> Result<u16> {
    r.u(10, "element_instance_tag, object_type, sampling_frequency_index")?;
    let mut elements = 0;
    for name in ["num_front_channel_elements", "num_side_channel_elements", "num_back_channel_elements"] {
        elements += r.u(4, name)?;
    }
    let lfe = r.u(2, "num_lfe_channel_elements")?;
    let (data, coupling) = (r.u(3, "num_assoc_data_elements")?, r.u(4, "num_valid_cc_elements")?);
    for (name, bits) in [("mono_mixdown", 4), ("stereo_mixdown", 4), ("matrix_mixdown", 3)] {
        if r.flag(name)? {
            r.u(bits, name)?;
        }
    }
    let mut channels = lfe as u16;
    for _ in 0..elements {
        channels += 1 + u16::from(r.flag("element_is_cpe")?);
        r.u(4, "element_tag_select")?;
    }
    for _ in 0..lfe + data {
        r.u(4, "element_tag_select")?;
    }
    for _ in 0..coupling {
        r.u(5, "cc_element")?;
    }
    // byte_alignment, counted from the start of the AudioSpecificConfig, then a comment. Nothing behind it is read.
    Ok(channels)
}

/// The extension at the end of an AudioSpecificConfig.
struct Extension {
    rate: Option<u32>,
    has_ps: bool,
}

/// Backward compatible signalling of SBR and PS; `None` where it is not there.
fn read_extension(check: &mut Check<'_>, record: &BoxRef<'_>, r: &mut BitReader<'_>) -> Option<Extension> {
    if r.u(11, "syncExtensionType").ok()? != 0x2b7 || object_type(r).ok()? != SBR {
        return None;
    }
    let mut extension = Extension { rate: None, has_ps: false };
    if r.flag("sbrPresentFlag").ok()? {
        extension.rate = sampling_frequency(check, record, r).ok()?;
        let tells_ps = r.u(11, "syncExtensionType").is_ok_and(|kind| kind == 0x548);
        extension.has_ps = tells_ps && r.flag("psPresentFlag").unwrap_or(false);
    }
    Some(extension)
}
