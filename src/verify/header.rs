//! An init segment ► its facts, and what is wrong with it (ISO/IEC 14496-12, 23000-19 7.3 to 7.5).

#[cfg(test)]
pub(in crate::verify) mod broken;
mod check;
mod codec;
mod entry;
mod movie;
pub(in crate::verify) mod roll;
#[cfg(test)]
mod tests;
mod track;

pub use codec::agree::codecs_agree;

use check::Check;

use super::findings::Findings;
use super::rules::declare_rules;
use crate::boxes::FourCc;

declare_rules! {
    INIT_FORMAT: Warning "init-format", "ISO/IEC 23000-19 7.3.1 (not opened)",
        "an init segment is of the ISO base media file format: others, as WebM, are not checked";
    INIT_BOX_SIZE: Error "init-box-size", "ISO/IEC 14496-12 4.2",
        "the boxes of an init segment fill it, and each is as long as its fields";
    INIT_BOX_MISSING: Error "init-box-missing", "ISO/IEC 23000-19 7.3.1 (not opened)",
        "an init segment has each box that CMAF requires";
    INIT_BOX_DUPLICATE: Error "init-box-duplicate", "ISO/IEC 23000-19 7.3.1 (not opened)",
        "a box that may stand once stands once";
    INIT_BOX_ORDER: Warning "init-box-order", "ISO/IEC 23000-19 7.3.1 (not opened)",
        "the boxes of a CMAF header stand in the order in which CMAF lists them";
    INIT_BOX_VERSION: Error "init-box-version", "ISO/IEC 14496-12 4.2",
        "a box has a version that is known, so that it can be read";
    INIT_BOX_FLAGS: Warning "init-box-flags", "ISO/IEC 14496-12 4.2",
        "flags that mean nothing in a box are 0";
    INIT_BOX_TRAILING: Error "init-box-trailing", "ISO/IEC 14496-12 4.2",
        "nothing stands behind the last field of a box";
    INIT_BRAND: Error "init-brand", "ISO/IEC 14496-12 4.3, ISO/IEC 23000-19 7.3.2.1 (not opened)",
        "an init segment starts with ftyp";
    INIT_BRAND_VERSION: Warning "init-brand-version", "draft-pantos-hls-rfc8216bis 3.1.2, ISO/IEC 23000-19 7.2 (not opened)",
        "a brand of iso6 or higher is claimed, and minor_version is 0 behind a structural brand of CMAF";
    INIT_MEDIA: Error "init-media", "ISO/IEC 23000-19 7.3.2.1 (not opened)",
        "an init segment has no media in it";
    INIT_TRACKS: Error "init-tracks", "ISO/IEC 14496-12 8.3.2, ISO/IEC 23000-19 7.3.2.1 (not opened)",
        "an init segment has tracks, each with a track_ID of its own that is not 0; one that claims CMAF has exactly one";
    INIT_LIMIT: Warning "init-limit", "fragmint: memory is bounded",
        "an init segment has at most 15 tracks: of more none is checked";
    INIT_TRACK_ENABLED: Warning "init-track-enabled", "ISO/IEC 14496-12 8.3.2",
        "a track is enabled";
    INIT_TABLES: Error "init-tables", "ISO/IEC 23000-19 7.5.12 (not opened)",
        "the sample tables are empty: samples are in fragments";
    INIT_TREX: Error "init-trex", "ISO/IEC 14496-12 8.8.3, ISO/IEC 23000-19 7.5.14 (not opened)",
        "mvex has a trex of each track, whose sample description is there";
    INIT_EDIT_LIST: Error "init-edit-list", "ISO/IEC 23000-19 7.5.13, 7.7.2 (not opened)",
        "an edit list of CMAF is of video or audio and has one edit of duration 0 and rate 1 that is not empty, and cmf2 video has none";
    INIT_PRIMING: Error "init-priming", "Encapsulation of Opus in ISO BMFF 4.4 (not opened)",
        "the edit list of Opus takes off what PreSkip says";
    INIT_ROLL_GROUP: Error "init-roll-group", "ISO/IEC 14496-12 8.9.3, 10.1 (not opened)",
        "sgpd of roll groups has a version and lengths that can be read, and as many distances as it counts, none of which is 0";
    INIT_DURATION: Warning "init-duration", "draft-pantos-hls-rfc8216bis 3.1.2",
        "duration of mvhd and tkhd is 0: samples are in fragments";
    INIT_MATRIX: Warning "init-matrix", "ISO/IEC 23000-19 7.5.1, 7.5.4 (not opened)",
        "rate, volume and matrix have their default, but for the orientation of a picture";
    INIT_TIMESCALE: Error "init-timescale", "ISO/IEC 14496-12 8.2.2, 8.4.2",
        "a timescale is not 0";
    INIT_HANDLER: Error "init-handler", "ISO/IEC 14496-12 8.4.3, 8.4.5",
        "media header and sample entry are of the kind that the handler says";
    INIT_DATA_REFERENCE: Error "init-data-reference", "ISO/IEC 14496-12 8.7.2, ISO/IEC 23000-19 7.5.9 (not opened)",
        "the sample entry refers to an entry of dref that says that the media is in the same file";
    INIT_ENTRY: Error "init-entry", "ISO/IEC 14496-12 8.5.2",
        "stsd has as many sample entries as it counts, and at least one";
    INIT_ENCRYPTION: Error "init-encryption", "ISO/IEC 14496-12 8.12, ISO/IEC 23000-19 7.5.10 (not opened)",
        "an encrypted sample entry tells its original format";
    INIT_CONFIG: Error "init-config", "ISO/IEC 14496-15 5, 8, ISO/IEC 14496-14 5.6, and the bindings of the other codecs",
        "the sample entry has the configuration of its codec, which is well formed and can be used";
    INIT_PROFILE: Warning "init-profile", "ISO/IEC 14496-15 5.3.3.1.2, 8.3.3.1.2 (not opened)",
        "avcC of avc1 and hvcC of hvc1 with one sequence parameter set repeat what is in it: of avcC profile and level, chroma format and bit depths";
    INIT_PARAMETER_SETS: Warning "init-parameter-sets", "ISO/IEC 14496-15 8.3.3 (not opened)",
        "hvcC of hvc1 says that its arrays of parameter sets are complete";
    INIT_SIZE: Error "init-size", "AV1-ISOBMFF 2.2.4, ISO/IEC 14496-15 5.3, 8.4 (not opened)",
        "width and height of the sample entry are those of the pictures";
    INIT_DISPLAY_SIZE: Warning "init-display-size", "ISO/IEC 14496-12 8.3.2, ISO/IEC 23000-19 7.5.4 (not opened)",
        "width and height of tkhd have the shape of the pictures, and are 0 of what cannot be seen";
    INIT_CHANNELS: Warning "init-channels", "RFC 9639 10.3, Encapsulation of Opus in ISO BMFF 4.3.1, ETSI TS 102 366 F.3 (not opened)",
        "channelcount, samplerate and samplesize of the sample entry are those of the configuration, of FLAC with a rate beyond 65,535 Hz a division of it";
}

/// What an init segment says of a track.
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
    /// `segment_duration` of an empty edit in front of the others, in the movie timescale, and that timescale.
    pub empty_edit: Option<(u64, u32)>,
    /// `fragment_duration` of `mehd` in the movie timescale, and that timescale.
    pub fragment_duration: Option<(u64, u32)>,
    /// There is a sync sample table, so that not every sample of the movie is one.
    pub has_sync_table: bool,
    /// The roll groups of `sgpd` in `stbl`.
    pub rolls: RollGroups,
    /// The sample entry.
    pub entry: Entry,
    /// `track_ID` and defaults of the other tracks in the init segment: their samples lie in the same segments. HLS and DASH allow
    /// that (draft-pantos-hls-rfc8216bis 3.1.2, ISO/IEC 23009-1 4.3), CMAF does not.
    pub others: Vec<(u32, SampleDefaults)>,
}

impl Header {
    /// The defaults of a track of the init segment; of one that is not in it, this one's.
    pub(in crate::verify) fn defaults_of(&self, track_id: u32) -> SampleDefaults {
        let other = || self.others.iter().find(|(id, _)| *id == track_id);
        if track_id == self.track_id { self.defaults } else { other().map_or(self.defaults, |other| other.1) }
    }
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

/// `sgpd` of grouping type `roll` (ISO/IEC 14496-12 8.9.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollGroups {
    /// `roll_distance` of each group: the first has index 1.
    pub distances: Vec<i16>,
    /// `default_group_description_index`: of samples that `sbgp` says nothing of. 0: none.
    pub default: u32,
}

/// What the channels of AC-3 and E-AC-3 are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dolby {
    /// Their locations, most significant bit first (`chanmap`, ETSI TS 102 366 E.1.3.1.8); `None` where dependent substreams or a
    /// second independent one add to them, or a surround channel stands alone.
    pub locations: Option<u16>,
    /// `complexity_index_type_a` of joint object coding (ETSI TS 103 420); `None` without objects.
    pub joc: Option<u8>,
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
    /// Channels: of an audio one what the configuration says, of lossless sound `channelcount`. `None` where manifests may
    /// differ: a fixed `channelcount`, parametric stereo, dependent substreams.
    pub channels: Option<u16>,
    /// Sampling rate, in the same way; `None` where spectral band replication may make another.
    pub sample_rate: Option<u32>,
    /// `colour_primaries`, `transfer_characteristics` and `matrix_coefficients` of `colr` nclx.
    pub colour: Option<[u16; 3]>,
    /// `PreSkip` of Opus: samples at the start that are not to be heard, at 48 kHz.
    pub pre_skip: Option<u16>,
    /// AC-3 and E-AC-3.
    pub dolby: Option<Dolby>,
    /// The samples are encrypted (`encv`, `enca`): payload is not looked into.
    pub is_encrypted: bool,
}

/// Reads an init segment of one track; `None` if it is so broken that segments cannot be read with it, which is in `findings`
/// then, or if it has several tracks. Offsets are those in `bytes`.
pub fn read(file: &str, bytes: &[u8], findings: &mut Findings) -> Option<Header> {
    <[Header; 1]>::try_from(read_tracks(file, bytes, findings)).ok().map(|[header]| header)
}

/// Reads each track of an init segment, video in front of others, those left out that are so broken that segments cannot be read
/// with them.
pub fn read_tracks(file: &str, bytes: &[u8], findings: &mut Findings) -> Vec<Header> {
    let mut headers = movie::read(&mut Check { file, findings, is_cmaf: false }, bytes);
    headers.sort_by_key(|header| header.handler.0 != *b"vide");
    headers
}
