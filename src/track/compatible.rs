//! Whether segments made with one sample entry play with the init segment of another: what the workers of one rendition,
//! and an encoder that joins a published track, have to agree on.
//!
//! In band (`avc3`, `hev1`) every segment brings its parameter sets, so only what a decoder is set up for must agree: size, sample
//! format, length prefixes. Out of band (`avc1`, `hvc1`) every set must be in the published record too, byte for byte but for zeros
//! at its end, and profile and level within its; that record may hold more. Of AV1 all but metadata must be the same bytes: an encoder
//! may write it once. Of VP9 all but the level must be the same, and that within its. Any other codec configuration must be the
//! same bytes; sound must have the same priming, and a roll distance within the published one.

use std::fmt;
use std::num::NonZeroI16;

use crate::boxes::FourCc;
use crate::codec::AudioCodec;
use crate::codec::aac;
use crate::codec::av1::without_metadata;
use crate::codec::h264::AvcRecord;
use crate::codec::h265::HevcRecord;
use crate::codec::record::ConfigurationRecord;
use crate::codec::vp9::Vp9Record;
use crate::error::{Error, Result};
use crate::track::header::SampleEntry;

/// What a sample entry says of its codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodecDescription {
    /// Type of the sample entry.
    pub entry_type: FourCc,
    /// What the codec's own box holds: a record, or `AudioSpecificConfig`.
    pub configuration: Vec<u8>,
    pub shape: Shape,
}

/// What a sample entry says whatever its codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Size in luma samples.
    Pictures { width: u16, height: u16 },
    /// `objectTypeIndication` of `mp4a`, channels, samples per second where the entry can hold that many, and what stands beside the
    /// entry: the distance of the roll group, and where the edit list begins.
    Sound {
        object_type_indication: Option<u8>,
        channels: u16,
        sample_rate: Option<u16>,
        roll_distance: Option<i16>,
        priming: u64,
    },
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pictures { width, height } => write!(f, "{width}x{height}"),
            Self::Sound { object_type_indication, channels, sample_rate, .. } => {
                if let Some(indication) = object_type_indication {
                    write!(f, "object type {indication:#04x}, ")?;
                }
                write!(f, "channels: {channels}")?;
                sample_rate.map_or(Ok(()), |rate| write!(f, ", {rate} Hz"))
            }
        }
    }
}

impl SampleEntry {
    /// Checks that a segment made with this sample entry plays with an init segment made with `published`.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) that names what differs, on both sides; for H.264 and H.265 also when a
    /// configuration record does not parse.
    pub fn check_fits(&self, published: &Self) -> Result<()> {
        self.description().check_fits(&published.description())
    }

    pub(super) fn description(&self) -> CodecDescription {
        match self {
            Self::Avc { parameter_sets, format, configuration_record, .. } => CodecDescription {
                entry_type: FourCc(*parameter_sets.avc_entry_type()),
                configuration: configuration_record.clone(),
                shape: Shape::Pictures { width: format.width, height: format.height },
            },
            Self::Hevc { parameter_sets, format, configuration_record, .. } => CodecDescription {
                entry_type: FourCc(*parameter_sets.hevc_entry_type()),
                configuration: configuration_record.clone(),
                shape: Shape::Pictures { width: format.width, height: format.height },
            },
            Self::Av1 { format, configuration_record, .. } => CodecDescription {
                entry_type: FourCc(*b"av01"),
                configuration: configuration_record.clone(),
                shape: Shape::Pictures { width: format.width, height: format.height },
            },
            Self::Vp9 { format, configuration_record, .. } => CodecDescription {
                entry_type: FourCc(*b"vp09"),
                configuration: configuration_record.clone(),
                shape: Shape::Pictures { width: format.width, height: format.height },
            },
            Self::Audio(audio) => CodecDescription {
                entry_type: FourCc(*audio.codec.entry_type()),
                configuration: audio.configuration_record.clone(),
                shape: Shape::Sound {
                    object_type_indication: (audio.codec == AudioCodec::Aac)
                        .then_some(aac::OBJECT_TYPE_INDICATION),
                    channels: audio.channels,
                    sample_rate: u16::try_from(audio.entry_sample_rate).ok(),
                    roll_distance: audio.roll_distance.map(NonZeroI16::get),
                    priming: audio.priming.into(),
                },
            },
        }
    }
}

impl CodecDescription {
    /// Whether `self`, of a worker, fits `published`, of the init segment.
    pub fn check_fits(&self, published: &Self) -> Result<()> {
        let same_shape = match (self.shape, published.shape) {
            // Channels and rate are in the configuration; FFmpeg 5.1 writes 2 channels in the entry of mono.
            (
                Shape::Sound { object_type_indication: own, .. },
                Shape::Sound { object_type_indication: other, .. },
            ) => own == other,
            (own, other) => own == other,
        };
        if self.entry_type != published.entry_type || !same_shape {
            return Err(differs(self.to_string(), published.to_string()));
        }
        check_start(self.shape, published.shape)?;
        match &self.entry_type.0 {
            b"avc1" | b"avc3" => {
                let own = AvcRecord::read(&self.configuration)?;
                check_records(&own, &AvcRecord::read(&published.configuration)?, &self.entry_type)
            }
            b"hvc1" | b"hev1" => {
                let own = HevcRecord::read(&self.configuration)?;
                check_records(&own, &HevcRecord::read(&published.configuration)?, &self.entry_type)
            }
            b"vp09" => {
                let (own, theirs) =
                    (Vp9Record::read(&self.configuration)?, Vp9Record::read(&published.configuration)?);
                // The level is an upper bound, which depends on rates that not every worker knows.
                if own.level <= theirs.level && (Vp9Record { level: theirs.level, ..own }) == theirs {
                    return Ok(());
                }
                Err(differs(own.to_string(), theirs.to_string()))
            }
            b"av01"
                if without_metadata(&self.configuration) == without_metadata(&published.configuration) =>
            {
                Ok(())
            }
            _ if self.configuration == published.configuration => Ok(()),
            _ => {
                let with_bytes = |description: &Self| {
                    let shown = description.configuration.iter().take(32);
                    let hex: String = shown.map(|byte| format!("{byte:02x}")).collect();
                    let (len, more) = (description.configuration.len(), description.configuration.len() > 32);
                    format!("{description}, {len} bytes {hex}{}", if more { "…" } else { "" })
                };
                Err(differs(with_bytes(self), with_bytes(published)))
            }
        }
    }
}

impl fmt::Display for CodecDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.entry_type, self.shape)
    }
}

/// Whether samples of sound may be in the roll group of the init segment, and begin where its edit list does.
fn check_start(own: Shape, published: Shape) -> Result<()> {
    let (
        Shape::Sound { roll_distance: own_distance, priming: own_priming, .. },
        Shape::Sound { roll_distance, priming, .. },
    ) = (own, published)
    else {
        return Ok(());
    };
    if own_priming != priming {
        return Err(Error::conflict(
            format!("this one has {own_priming} samples that prime the decoder, the init segment {priming}"),
            "give every worker of a rendition the same priming",
        ));
    }
    // Distances are negative. One that is longer than it has to be is no harm; segments in a group that the init segment
    // does not describe are against ISO/IEC 14496-12 8.9.2.
    let is_within = own_distance.is_none_or(|own| roll_distance.is_some_and(|distance| distance <= own));
    if is_within {
        return Ok(());
    }
    let say = |distance: Option<i16>| distance.map_or("none".to_owned(), |distance| distance.to_string());
    let (own, published) = (say(own_distance), say(roll_distance));
    Err(Error::conflict(
        format!("the roll distance of this one is {own}, of the init segment {published}"),
        "configure every worker of a rendition alike, with the shortest packet of all (OpusConfig::with_shortest_packet)",
    ))
}

fn differs(own: String, published: String) -> Error {
    Error::conflict(
        format!("the codec configuration differs: this one has {own}, the init segment {published}"),
        "encode every part of a rendition with the same settings",
    )
}

/// Whether what needs the record `own` plays where `published` was given.
fn check_records<R: ConfigurationRecord>(own: &R, published: &R, entry_type: &FourCc) -> Result<()> {
    if own.length_size() != published.length_size() {
        let say = |record: &R| format!("lengths of {} bytes", record.length_size());
        return Err(differs(say(own), say(published)));
    }
    if let (Some(a), Some(b)) = (own.sample_format(), published.sample_format())
        && a != b
    {
        let say = |[chroma, luma_bits, chroma_bits]: [u8; 3]| {
            format!("chroma format {chroma} in {luma_bits} and {chroma_bits} bits")
        };
        return Err(differs(say(a), say(b)));
    }
    if matches!(&entry_type.0, b"avc3" | b"hev1") {
        return Ok(());
    }
    if !own.is_within(published) {
        return Err(differs(own.profile_and_level(), published.profile_and_level()));
    }
    let known = published.parameter_sets();
    own.parameter_sets().into_iter().find(|set| !known.contains(set)).map_or(Ok(()), |(kind, set)| {
        let (own, published) = (describe_set::<R>(kind, set), same_id::<R>(kind, set, &known));
        Err(Error::conflict(
            format!("the parameter sets differ: this one has {own}, the init segment {published}"),
            "encode every part with the same settings, give all sets to the writer of the init segment, or keep them in \
             band (avc3, hev1)",
        ))
    })
}

fn describe_set<R: ConfigurationRecord>(kind: &str, set: &[u8]) -> String {
    let id = R::id_of(kind, set).map_or(String::new(), |id| format!(" {id}"));
    format!("{kind}{id} of {} bytes", set.len())
}

/// What `known` has in place of `set`, which it lacks: the set with the same id, and where that differs first.
fn same_id<R: ConfigurationRecord>(kind: &str, set: &[u8], known: &[(&str, &[u8])]) -> String {
    let id = R::id_of(kind, set);
    let twin =
        known.iter().find(|(other, bytes)| *other == kind && id.is_some() && R::id_of(kind, bytes) == id);
    match twin {
        Some((_, twin)) => {
            let at = set.iter().zip(*twin).take_while(|(a, b)| a == b).count();
            format!("one of {} bytes that differs from byte {at} on", twin.len())
        }
        None => {
            let sets = known.iter().filter(|(other, _)| *other == kind).count();
            format!("none like it among its {sets}")
        }
    }
}
