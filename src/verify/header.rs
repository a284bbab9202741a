//! An init segment ► its facts, and what is wrong with it (ISO/IEC 14496-12, 23000-19 7.3 to 7.5).

use super::findings::Findings;
use super::rules::declare_rules;
use crate::boxes::FourCc;

declare_rules! {
    INIT_BOX_MISSING: Error "init-box-missing", "ISO/IEC 23000-19 7.3.1 (not opened)",
        "an init segment has each box that CMAF requires";
}

/// What an init segment says of its one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Type of the handler: `vide`, `soun` …
    pub handler: FourCc,
    /// `track_ID`.
    pub track_id: u32,
    /// `timescale` of `mdhd`, not 0.
    pub timescale: u32,
    /// Major brand and compatible brands of `ftyp`.
    pub brands: Vec<FourCc>,
    /// `default_sample_duration`, `_size` and `_flags` of `trex`; zeros without one.
    pub defaults: SampleDefaults,
    /// `media_time` of the one edit, where there is an edit list with one.
    pub edit_media_time: Option<i64>,
    /// `fragment_duration` of `mehd` in the movie timescale, and that timescale.
    pub fragment_duration: Option<(u64, u32)>,
    /// There is a sync sample table, so that not every sample of the movie is one.
    pub has_sync_table: bool,
    /// The sample entry.
    pub entry: Entry,
}

/// `trex`, or what `tfhd` says in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleDefaults {
    /// `default_sample_duration`.
    pub duration: u32,
    /// `default_sample_size`.
    pub size: u32,
    /// `default_sample_flags`.
    pub flags: u32,
}

/// A sample entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Type: `avc1`, `mp4a` …; of an encrypted one the original format.
    pub format: FourCc,
    /// Type and body of the box with the configuration record (`avcC`, `hvcC`, `av1C`, `esds` …).
    pub configuration: Option<(FourCc, Vec<u8>)>,
    /// RFC 6381 codec string that the configuration makes; `None` where that is not known.
    pub codec: Option<String>,
    /// `width` and `height` of a visual one.
    pub size: Option<(u16, u16)>,
    /// Channels: of an audio one what the configuration says, else `channelcount`.
    pub channels: Option<u16>,
    /// Sampling rate, in the same way.
    pub sample_rate: Option<u32>,
    /// `transfer_characteristics` of `colr` nclx.
    pub transfer: Option<u16>,
    /// The samples are encrypted (`encv`, `enca`): payload is not looked into.
    pub is_encrypted: bool,
}

/// Reads an init segment; `None` if it is so broken that segments cannot be read with it, which is in `findings` then.
pub fn read(file: &str, bytes: &[u8], findings: &mut Findings) -> Option<Header> {
    let _ = (file, bytes, findings);
    None
}
