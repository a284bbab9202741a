//! A box with a codec's configuration ► whether it is well formed, and what it says: codec string (RFC 6381), picture
//! sizes, sound. Derived from its bytes alone.

pub(super) mod agree;
mod audio;
mod av1;
mod avc;
mod esds;
mod hevc;
#[cfg(test)]
mod tests;
mod vp9;

use super::check::Check;
use super::{Dolby, INIT_CONFIG, INIT_PROFILE};
use crate::boxes::FourCc;
use crate::boxes::reader::BoxRef;
use crate::error::Result;

/// What a configuration says. What is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub codec: Option<String>,
    /// Sizes of the pictures, of each parameter set; empty where not known.
    pub sizes: Vec<(u32, u32)>,
    /// Sampling of the pictures, of each parameter set.
    pub formats: Vec<Sampling>,
    pub channels: Option<u16>,
    pub sample_rate: Option<u32>,
    /// What the fields of the sample entry have to repeat.
    pub sound: Option<Sound>,
    /// Sampling rate of the sample entry alone, where its other fields tell nothing.
    pub entry_rate: Option<u32>,
    /// Samples at the start that are not to be heard, at 48 kHz.
    pub pre_skip: Option<u16>,
    /// What the channels of AC-3 and E-AC-3 are.
    pub dolby: Option<Dolby>,
    /// What is not known of the sound, the sample entry does not tell either.
    pub is_sound_unknown: bool,
}

/// How pictures are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sampling {
    /// `chroma_format_idc`.
    chroma_format: u32,
    /// `bit_depth_luma_minus8` and `bit_depth_chroma_minus8`.
    depths: [u32; 2],
}

impl Facts {
    /// Compares what a record says of the sampling with its parameter set, if it has one.
    fn check_sampling(&self, check: &mut Check<'_>, record: &BoxRef<'_>, told: [u8; 3]) {
        let [chroma, luma_depth, chroma_depth] = told;
        // Reserved bits in front.
        let told = Sampling {
            chroma_format: (chroma & 3).into(),
            depths: [luma_depth, chroma_depth].map(|depth| (depth & 7).into()),
        };
        if let [own] = *self.formats
            && own != told
        {
            let text = |of: Sampling| {
                let [luma, chroma] = of.depths.map(|depth| depth.saturating_add(8));
                format!("chroma format {} in {luma} and {chroma} bits", of.chroma_format)
            };
            let message = format!(
                "box '{}' tells {}, its sequence parameter set {}",
                record.kind,
                text(told),
                text(own)
            );
            check.add(&INIT_PROFILE, record.offset, message);
        }
    }
}

/// What the fields of an audio sample entry have to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    pub channels: u16,
    pub sample_rate: u32,
    pub bits: Option<u16>,
}

/// The box with the configuration of a format; `None` where there is none, or the format is not known.
pub(super) fn box_of(format: FourCc) -> Option<[u8; 4]> {
    Some(match &format.0 {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"dvav" | b"dva1" => *b"avcC",
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => *b"hvcC",
        b"av01" | b"dav1" => *b"av1C",
        b"vp08" | b"vp09" => *b"vpcC",
        b"mp4a" => *b"esds",
        b"Opus" => *b"dOps",
        b"fLaC" => *b"dfLa",
        b"ac-3" => *b"dac3",
        b"ec-3" => *b"dec3",
        _ => return None,
    })
}

/// Reads the box of a format as [`box_of`] tells it.
pub(super) fn read(check: &mut Check<'_>, record: &BoxRef<'_>, format: FourCc) -> Facts {
    let mut facts = Facts::default();
    let reader: fn(&mut Check<'_>, &BoxRef<'_>, FourCc, &mut Facts) -> Result<()> = match &record.kind.0 {
        b"avcC" => avc::read,
        b"hvcC" => hevc::read,
        b"av1C" => av1::read,
        b"vpcC" => vp9::read,
        b"esds" => esds::read,
        b"dOps" => audio::read_opus,
        b"dfLa" => audio::read_flac,
        b"dac3" => audio::read_ac3,
        b"dec3" => audio::read_eac3,
        _ => return facts,
    };
    let read = reader(check, record, format, &mut facts);
    check.fields(&INIT_CONFIG, record, read);
    facts
}

/// `size` without what is cropped on two sides, in units; `None` where nothing is left.
fn cropped(size: u32, unit: u32, first: u32, second: u32) -> Option<u32> {
    let off = first.checked_add(second)?.checked_mul(unit)?;
    size.checked_sub(off).filter(|&left| left > 0)
}
