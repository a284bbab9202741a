//! What descriptors and words say of tracks: roles, accessibility, channels, colour.

use super::xml::{Element, checked};
use crate::codec::{Colour, DolbyChannels, ScanType};
use crate::error::Result;
use crate::presentation::{Media, PackagedTrack};

const ROLE: &str = "urn:mpeg:dash:role:2011";

/// The roles that tracks of a set were given, each once. Video that nobody gave one is `main`, and so is the audio to
/// play when the viewer has not chosen; other audio without a role says none, for whether it is a dub or an alternative is not known.
pub(super) fn roles(tracks: &[&PackagedTrack], is_default: bool) -> Result<Vec<Element>> {
    let mut roles: Vec<&str> = Vec::new();
    for role in tracks.iter().filter_map(|track| track.role()) {
        if !roles.contains(&role) {
            roles.push(checked("role", role)?);
        }
    }
    let is_main = is_default || (roles.is_empty() && tracks.iter().all(|track| track.media().is_video()));
    if is_main && !roles.contains(&"main") {
        roles.insert(0, "main");
    }
    Ok(roles.into_iter().map(|role| Element::descriptor("Role", ROLE, role)).collect())
}

/// Audio that describes the pictures: by the role scheme, as the DASH-IF IOP (version 5, audio adaptation sets) has it,
/// and by the TV-Anytime scheme of DVB (ETSI TS 103 285, not opened), in which 1 is for the visually impaired and which
/// Shaka Player looks for.
pub(super) fn accessibility(tracks: &[&PackagedTrack]) -> Vec<Element> {
    let describes = |track: &&PackagedTrack| !track.media().is_video() && track.role() == Some("description");
    if !tracks.iter().all(describes) {
        return Vec::new();
    }
    vec![
        Element::descriptor("Accessibility", ROLE, "description"),
        Element::descriptor("Accessibility", "urn:tva:metadata:cs:AudioPurposeCS:2007", 1),
    ]
}

/// AudioChannelConfiguration: a ChannelConfiguration of ISO/IEC 23091-3 (not opened: as Fraunhofer's decoders and ExoPlayer have its table).
pub(super) fn channel_configuration(track: &PackagedTrack) -> Option<Element> {
    let Media::Audio { channels, .. } = *track.media() else { return None };
    if let Some(dolby) = dolby_channels(track) {
        return Some(dolby_channel_configuration(dolby));
    }
    let configuration = match track.codec() {
        codec if codec.starts_with("mp4a.40.") => aac_channels(codec, channels),
        "opus" => opus_channels(track, channels),
        "flac" | "fLaC" => surround_channels(channels),
        _ => None,
    }?;
    let scheme = "urn:mpeg:mpegB:cicp:ChannelConfiguration";
    Some(Element::descriptor("AudioChannelConfiguration", scheme, configuration))
}

/// 1 to 7 are the `channelConfiguration` of AAC. Eight channels are 7 there, as in ADTS. Parametric stereo that the codec string
/// tells (`mp4a.40.29`) is told as heard.
fn aac_channels(codec: &str, channels: u16) -> Option<u16> {
    match channels {
        1 if codec == "mp4a.40.29" => Some(2),
        1..=6 => Some(channels),
        8 => Some(7),
        _ => None,
    }
}

/// Of mapping families 0 and 1 alone: the channels of others mean nothing (RFC 7845 5.1.1.3).
fn opus_channels(track: &PackagedTrack, channels: u16) -> Option<u16> {
    // dOps: Version, OutputChannelCount, PreSkip, InputSampleRate and OutputGain, 10 bytes, stand in front of it.
    let family = *track.audio_configuration()?.configuration_record.get(10)?;
    matches!(family, 0 | 1).then(|| surround_channels(channels))?
}

/// The layouts of Opus and Vorbis (RFC 7845 5.1.1.2), which are those of FLAC (RFC 9639 9.1.3) in another order: mono, stereo, with a
/// centre, quadraphonic, 5.0, 5.1, 6.1 with one rear centre, 7.1 with side and rear. Four channels in front and behind are 10, since 4
/// is three in front and one behind; 7 is 7.1 with five in front.
fn surround_channels(channels: u16) -> Option<u16> {
    Some(match channels {
        1 | 2 | 3 | 5 | 6 => channels,
        4 => 10,
        7 => 11,
        8 => 12,
        _ => return None,
    })
}

fn dolby_channels(track: &PackagedTrack) -> Option<DolbyChannels> {
    track.audio_configuration().and_then(|audio| audio.dolby)
}

/// AudioChannelConfiguration of AC-3 and E-AC-3: a ChannelConfiguration of ISO/IEC 23091-3 (not opened) where one has these channels, as
/// the DASH-IF IOP (part 8, not opened) and Shaka Packager prefer it, else Dolby's map of channel locations (ETSI TS 102 366 I.1.2.1,
/// not opened), which has all of them: four hexadecimal digits. Both schemes are known to Shaka Player, ExoPlayer and Kodi.
fn dolby_channel_configuration(DolbyChannels { channel_map, .. }: DolbyChannels) -> Element {
    const NAME: &str = "AudioChannelConfiguration";
    let configuration = match channel_map {
        0x4000 => 1,  // C
        0xa000 => 2,  // L R
        0xe000 => 3,  // L C R
        0xe100 => 4,  // L C R Cs
        0xf800 => 5,  // L C R Ls Rs
        0xf801 => 6,  // L C R Ls Rs LFE
        0xfc01 => 7,  // L C R Ls Rs Lc Rc LFE
        0xa100 => 9,  // L R Cs
        0xb800 => 10, // L R Ls Rs
        0xf901 => 11, // L C R Ls Rs Cs LFE
        0xfa01 => 12, // L C R Ls Rs Lrs Rrs LFE
        0xf811 => 14, // L C R Ls Rs LFE Lvh Rvh
        _ => {
            let scheme = "tag:dolby.com,2014:dash:audio_channel_configuration:2011";
            return Element::descriptor(NAME, scheme, format!("{channel_map:04X}"));
        }
    };
    Element::descriptor(NAME, "urn:mpeg:mpegB:cicp:ChannelConfiguration", configuration)
}

/// What says that E-AC-3 has objects, and how many (ETSI TS 103 420 D.2, not opened, as Shaka Packager and GPAC have it). A player that
/// does not know them plays the channels.
pub(super) fn joint_object_coding(track: &PackagedTrack) -> Vec<Element> {
    let Some(complexity) = dolby_channels(track).and_then(|dolby| dolby.joc_complexity) else {
        return Vec::new();
    };
    let property = |name: &str, value: &str| {
        let scheme = format!("tag:dolby.com,2018:dash:{name}:2018");
        Element::descriptor("SupplementalProperty", &scheme, value)
    };
    vec![
        property("EC3_ExtensionType", "JOC"),
        property("EC3_ExtensionComplexityIndex", &complexity.to_string()),
    ]
}

/// `@scanType`; `None` where it is not known.
pub(super) fn scan_type(track: &PackagedTrack) -> Option<&'static str> {
    match track.media() {
        Media::Video { scan: Some(ScanType::Progressive), .. } => Some("progressive"),
        Media::Video { scan: Some(ScanType::Interlaced), .. } => Some("interlaced"),
        _ => None,
    }
}

/// What pictures mean: colour and, where the bitstream has it, the preferred transfer characteristics.
pub(super) type ColourOf = (Option<Colour>, Option<u8>);

pub(super) fn colour_of(track: &PackagedTrack) -> ColourOf {
    match track.media() {
        Media::Video { format, .. } => (format.colour, format.preferred_transfer),
        Media::Audio { .. } => (None, None),
    }
}

/// Colour as code points of ITU-T H.273 (the `urn:mpeg:mpegB:cicp` schemes). 2, unspecified, and the reserved 0 and 3 are
/// left out.
///
/// Essential for BT.2020 and other wide primaries, PQ, HLG and BT.2020 matrices, which a player that takes all video for that of
/// BT.709 would show wrong (DVB-DASH, ETSI TS 103 285 5.2.6 and 5.2.7, not opened, as GPAC's issues 635 and 3075 quote
/// them; the DASH-IF IOP allows both kinds): dash.js 5.2.1 asks the browser for what is essential and refuses values it does not
/// know, so the other curves and primaries of standard range are supplemental. So are the preferred transfer
/// characteristics (DVB-DASH, as there): the pictures are coded for players that do not know them. And so is full range, which
/// dash.js would refuse as essential.
pub(super) fn colour((colour, preferred_transfer): ColourOf) -> Vec<Element> {
    let specified = |value: u8| !matches!(value, 0 | 2 | 3);
    let property = |kind, parameter: &str, value: u8| {
        Element::descriptor(kind, &format!("urn:mpeg:mpegB:cicp:{parameter}"), value)
    };
    let mut properties = Vec::new();
    if let Some(Colour { primaries, transfer, matrix, .. }) = colour {
        let is_wide =
            matches!(primaries, 9..=12) || matches!(transfer, 16..=18) || matches!(matrix, 9 | 10 | 14);
        let kind = if is_wide { "EssentialProperty" } else { "SupplementalProperty" };
        for (parameter, value) in [("ColourPrimaries", primaries), ("TransferCharacteristics", transfer)] {
            properties.extend(specified(value).then(|| property(kind, parameter, value)));
        }
        // 0 is a value there: no transform, as of RGB.
        properties.extend((!matches!(matrix, 2 | 3)).then(|| property(kind, "MatrixCoefficients", matrix)));
    }
    if colour.is_some_and(|colour| colour.full_range) {
        properties.push(property("SupplementalProperty", "VideoFullRangeFlag", 1));
    }
    let told = preferred_transfer.filter(|&value| colour.is_none_or(|colour| colour.transfer != value));
    if let Some(preferred) = told.filter(|value| specified(*value)) {
        properties.push(property("SupplementalProperty", "TransferCharacteristics", preferred));
    }
    properties
}
