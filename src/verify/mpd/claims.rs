//! Attributes and descriptors of a representation and its adaptation set ► claims (ISO/IEC 23009-1 5.3.7, 5.8.5).

use super::report::Reporter;
use super::value;
use super::xml::Element;
use super::{MPD_CODECS, MPD_REQUIRED};
use crate::verify::listing::{Claims, ListedFrameRate};

const CHANNEL_COUNT: &str = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
const CHANNEL_CONFIGURATION: &str = "urn:mpeg:mpegb:cicp:channelconfiguration";
/// Of AC-3 and E-AC-3, the newer name and the older.
const DOLBY_LOCATIONS: [&str; 2] = [
    "tag:dolby.com,2014:dash:audio_channel_configuration:2011",
    "urn:dolby:dash:audio_channel_configuration:2011",
];
/// In lower case, as schemes are compared.
const DOLBY_OBJECTS: &str = "tag:dolby.com,2018:dash:ec3_extensioncomplexityindex:2018";
const TRANSFER: &str = "urn:mpeg:mpegb:cicp:transfercharacteristics";
const TRICK_MODE: &str = "http://dashif.org/guidelines/trickmode";

/// A representation and its adaptation set: what the one does not say, the other may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described<'e, 'a> {
    /// `AdaptationSet`.
    pub set: &'e Element<'a>,
    /// `Representation`.
    pub representation: &'e Element<'a>,
}

impl<'e, 'a> Described<'e, 'a> {
    /// The element that has an attribute: the representation, else the set.
    fn with(&self, name: &str) -> Option<&'e Element<'a>> {
        [self.representation, self.set].into_iter().find(|element| element.get(name).is_some())
    }

    /// An attribute.
    fn get(&self, name: &str) -> Option<&'e str> {
        self.with(name)?.get(name)
    }

    fn number(&self, report: &mut Reporter<'_>, name: &str, max: u64) -> Option<u64> {
        report.number(self.with(name)?, name, max)
    }

    /// Descriptors of the given names, those of the representation first: their schemes, lower case, and values.
    fn descriptors(&self, names: &'static [&'static str]) -> impl Iterator<Item = (String, &'e str)> {
        [self.representation, self.set]
            .into_iter()
            .flat_map(|element| &element.children)
            .filter(|child| names.contains(&child.name))
            .map(|child| {
                let scheme = child.get("schemeIdUri").unwrap_or_default().trim().to_ascii_lowercase();
                (scheme, child.get("value").unwrap_or_default().trim())
            })
    }

    /// `@mimeType` without its parameters.
    pub fn mime_type(&self) -> Option<&'e str> {
        Some(self.get("mimeType")?.split(';').next().unwrap_or_default().trim())
    }

    /// Whether its segments are ISO base media files, as far as its type says.
    pub fn is_base_media(&self) -> bool {
        self.mime_type().is_none_or(|mime| {
            let kind = mime.split_once('/').map_or("", |(_, kind)| kind);
            ["mp4", "iso.segment"].iter().any(|known| kind.eq_ignore_ascii_case(known))
        })
    }

    /// `@contentType`, else the first half of `@mimeType`.
    pub fn content_type(&self) -> Option<String> {
        let told = self.set.get("contentType").map(str::trim).filter(|told| !told.is_empty());
        let told = told.or_else(|| self.mime_type()?.split_once('/').map(|(kind, _)| kind));
        told.map(str::to_ascii_lowercase)
    }

    /// Whether a player may switch to it while it plays another of its set: video and audio, no trick mode, and not what adds to
    /// another representation.
    pub fn is_switched(&self) -> bool {
        let is_trick = self
            .descriptors(&["EssentialProperty", "SupplementalProperty"])
            .any(|(scheme, _)| scheme == TRICK_MODE);
        let is_media = self
            .content_type()
            .is_none_or(|content| !["text", "image", "application"].contains(&content.as_str()));
        is_media && !is_trick && self.get("dependencyId").is_none()
    }
}

/// What is claimed. `has_index`: its segments are subsegments of a file, for which a set has attributes of its own.
pub(super) fn read(report: &mut Reporter<'_>, described: Described<'_, '_>, has_index: bool) -> Claims {
    const UNSIGNED: u64 = u32::MAX as u64;
    require(report, described);
    let width = described.number(report, "width", UNSIGNED);
    let height = described.number(report, "height", UNSIGNED);
    let sap = described.number(report, "startWithSAP", 6).filter(|&sap| sap > 0);
    let subsegment_sap = report.number(described.set, "subsegmentStartsWithSAP", 6).filter(|&sap| sap > 0);
    let mut aligned = |name: &str| {
        let what = || "true, false or a whole number".to_owned();
        report.parsed(described.set, name, what, value::boolean).unwrap_or(false)
    };
    let (aligned, subsegments_aligned) = (aligned("segmentAlignment"), aligned("subsegmentAlignment"));
    Claims {
        offset: Some(described.representation.offset),
        codecs: codecs(described),
        bandwidth: report.number(described.representation, "bandwidth", UNSIGNED),
        average_bandwidth: None,
        size: width.zip(height),
        frame_rate: described.with("frameRate").and_then(|element| {
            let what = || "a whole number or a fraction of such".to_owned();
            let (numerator, denominator) = report.parsed(element, "frameRate", what, value::frame_rate)?;
            Some(ListedFrameRate::Exact(numerator, denominator))
        }),
        video_range: video_range(described),
        channels: channels(described),
        locations: locations(described),
        joc: joc(described),
        sample_rate: sample_rate(report, described),
        content_type: described.content_type(),
        mime_type: described.mime_type().and_then(|mime| Some(mime.split_once('/')?.0.to_ascii_lowercase())),
        start_with_sap: sap.or(subsegment_sap.filter(|_| has_index)),
        aligned: aligned || (has_index && subsegments_aligned),
    }
}

/// What has to be there.
fn require(report: &mut Reporter<'_>, described: Described<'_, '_>) {
    let Described { representation, .. } = described;
    for name in ["id", "bandwidth"] {
        if representation.get(name).is_none() {
            report.add(&MPD_REQUIRED, representation, format!("Representation has no @{name}"));
        }
    }
    if described.get("mimeType").is_none() {
        let message = "neither Representation nor its AdaptationSet has @mimeType".to_owned();
        report.add(&MPD_REQUIRED, representation, message);
    }
    let is_coded = described.mime_type().is_some_and(|mime| {
        let mime = mime.to_ascii_lowercase();
        mime.starts_with("video/") || mime.starts_with("audio/")
    });
    if is_coded && described.get("codecs").is_none() {
        let message = "neither Representation nor its AdaptationSet has @codecs".to_owned();
        report.add(&MPD_CODECS, representation, message);
    }
}

/// RFC 6381 names; of the form with a character set nothing.
fn codecs(described: Described<'_, '_>) -> Vec<String> {
    let told = described.get("codecs").filter(|told| !told.contains('\'')).unwrap_or_default();
    told.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// One number; two are the rates of a codec and of its extension.
fn sample_rate(report: &mut Reporter<'_>, described: Described<'_, '_>) -> Option<u64> {
    let what = || "one or two whole numbers".to_owned();
    let parse = |text: &str| {
        let rates: Option<Vec<_>> =
            text.split_whitespace().take(3).map(|rate| value::unsigned(rate, u64::from(u32::MAX))).collect();
        rates.filter(|rates| (1..=2).contains(&rates.len()))
    };
    let element = described.with("audioSamplingRate")?;
    match report.parsed(element, "audioSamplingRate", what, parse)?.as_slice() {
        [rate] => Some(*rate),
        _ => None,
    }
}

/// The count of channels where the scheme tells one.
fn channels(described: Described<'_, '_>) -> Option<u64> {
    described.descriptors(&["AudioChannelConfiguration"]).find_map(|(scheme, value)| {
        let value = value::unsigned(value, 64)?;
        match (scheme.as_str(), value) {
            // By its text the index of a configuration, in practice a count: 7 is either.
            (CHANNEL_COUNT, 1..=6 | 8) | (CHANNEL_CONFIGURATION, 1..=6) => Some(value),
            // ISO/IEC 23091-3: 7.1 in three ways, 2/1, 2/2, 6.1, 22.2.
            (CHANNEL_CONFIGURATION, 7 | 12 | 14) => Some(8),
            (CHANNEL_CONFIGURATION, 9) => Some(3),
            (CHANNEL_CONFIGURATION, 10) => Some(4),
            (CHANNEL_CONFIGURATION, 11) => Some(7),
            (CHANNEL_CONFIGURATION, 13) => Some(24),
            _ => None,
        }
    })
}

/// Locations of channels as four hexadecimal digits.
fn locations(described: Described<'_, '_>) -> Option<u16> {
    described.descriptors(&["AudioChannelConfiguration"]).find_map(|(scheme, value)| {
        let is_told = DOLBY_LOCATIONS.contains(&scheme.as_str()) && value.len() == 4;
        u16::from_str_radix(value, 16).ok().filter(|_| is_told)
    })
}

/// The number of objects of joint object coding.
fn joc(described: Described<'_, '_>) -> Option<u64> {
    let told = described.descriptors(&["EssentialProperty", "SupplementalProperty"]);
    told.filter(|(scheme, _)| scheme == DOLBY_OBJECTS).find_map(|(_, value)| value::unsigned(value, 255))
}

/// What the transfer characteristics make of it, if those are told; a supplemental property that tells of more than an essential
/// one is for those who know it.
fn video_range(described: Described<'_, '_>) -> Option<String> {
    let told = described.descriptors(&["EssentialProperty", "SupplementalProperty"]);
    let mut range = None;
    for (_, value) in told.filter(|(scheme, _)| scheme == TRANSFER) {
        match value {
            "16" => return Some("PQ".to_owned()),
            "18" => return Some("HLG".to_owned()),
            "1" | "6" | "13" | "14" | "15" => range = Some("SDR".to_owned()),
            _ => {}
        }
    }
    range
}
