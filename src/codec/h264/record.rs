//! `AVCDecoderConfigurationRecord` (the body of `avcC`, ISO/IEC 14496-15 5.3.3.1) ► what it says. Borrows the record; the
//! parameter sets in it are not looked into. Of ISO/IEC 14496-15 the 2010 edition was read, where the record is 5.2.4.1.
//!
//! A record whose profile has a tail may end in front of it: some writers leave it out.

use crate::codec::record::{ConfigurationRecord, RecordReader, named_sets};
use crate::error::Result;

use super::configuration::{common_profile, covers, has_high_profile_tail, level_rank};
use super::parameter_sets::Demand;
use super::{PictureParameterSet, SequenceParameterSet};

const CLAUSE: &str = "ISO/IEC 14496-15 5.3.3.1.2";

/// What a configuration record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcRecord<'a> {
    /// `AVCProfileIndication`.
    pub profile_idc: u8,
    /// `profile_compatibility`: `constraint_set0_flag` is the highest bit.
    pub constraint_flags: u8,
    /// `AVCLevelIndication`.
    pub level_idc: u8,
    /// Bytes of the length in front of each NAL unit of a sample: 1, 2 or 4.
    pub length_size: u8,
    /// `chroma_format` and the bit depths of luma and chroma; `None` where the record does not say.
    pub chroma: Option<[u8; 3]>,
    /// Sequence parameter sets, as NAL units.
    pub sps: Vec<&'a [u8]>,
    /// Picture parameter sets, as NAL units.
    pub pps: Vec<&'a [u8]>,
    /// Sequence parameter set extensions, as NAL units.
    pub sps_extensions: Vec<&'a [u8]>,
}

impl<'a> AvcRecord<'a> {
    /// Reads a whole record. Offsets of errors count from its first byte.
    ///
    /// # Errors
    /// When it is cut off, has a version or length size that the standard does not know, a set that is empty or of
    /// another kind, or bytes behind its end.
    pub fn read(record: &'a [u8]) -> Result<Self> {
        let mut r = RecordReader::new(record, CLAUSE)?;
        let profile_idc = r.u8("AVCProfileIndication")?;
        let constraint_flags = r.u8("profile_compatibility")?;
        let level_idc = r.u8("AVCLevelIndication")?;
        let length_size = r.u8("lengthSizeMinusOne")?;
        let length_size = r.length_size(length_size)?;
        let sps_count = r.u8("numOfSequenceParameterSets")? & 31;
        let sps = read_sets(&mut r, sps_count, 7, "sequenceParameterSetNALUnit")?;
        let pps_count = r.u8("numOfPictureParameterSets")?;
        let pps = read_sets(&mut r, pps_count, 8, "pictureParameterSetNALUnit")?;
        let (mut chroma, mut sps_extensions) = (None, Vec::new());
        if has_high_profile_tail(profile_idc) && !r.is_at_end() {
            let elements = ["chroma_format", "bit_depth_luma_minus8", "bit_depth_chroma_minus8"];
            chroma = Some(r.sample_format(elements)?);
            let count = r.u8("numOfSequenceParameterSetExt")?;
            sps_extensions = read_sets(&mut r, count, 13, "sequenceParameterSetExtNALUnit")?;
        }
        r.finish()?;
        Ok(Self { profile_idc, constraint_flags, level_idc, length_size, chroma, sps, pps, sps_extensions })
    }

    /// What it asks of decoders. Nothing is known of fields.
    pub(super) fn demand(&self) -> Demand {
        Demand {
            profile_idc: self.profile_idc,
            constraint_flags: self.constraint_flags,
            level_idc: self.level_idc,
            frame_mbs_only: true,
        }
    }
}

impl ConfigurationRecord for AvcRecord<'_> {
    fn length_size(&self) -> u8 {
        self.length_size
    }

    /// Also where it follows from the profile: 4:2:0 in 8 bits without a tail.
    fn sample_format(&self) -> Option<[u8; 3]> {
        self.chroma.or((!has_high_profile_tail(self.profile_idc)).then_some([1, 8, 8]))
    }

    fn is_within(&self, other: &Self) -> bool {
        let covered = self.profile_idc == other.profile_idc || covers(other.profile_idc, &self.demand());
        covered && level_rank(self.level_idc) <= level_rank(other.level_idc)
    }

    fn parameter_sets(&self) -> Vec<(&'static str, &[u8])> {
        let kinds = [
            ("sequence parameter set", &self.sps),
            ("picture parameter set", &self.pps),
            ("sequence parameter set extension", &self.sps_extensions),
        ];
        named_sets(kinds)
    }

    fn profile_and_level(&self) -> String {
        format!("profile_idc {} with level_idc {}", self.profile_idc, self.level_idc)
    }

    fn id_of(kind: &str, set: &[u8]) -> Option<u8> {
        match kind {
            "sequence parameter set" => SequenceParameterSet::read(set).ok().map(|set| set.id),
            "picture parameter set" => PictureParameterSet::read(set).ok().map(|set| set.id),
            _ => None,
        }
    }
}

/// `count` NAL units of type `unit_type` with 16-bit lengths.
fn read_sets<'a>(
    r: &mut RecordReader<'a>,
    count: u8,
    unit_type: u8,
    element: &'static str,
) -> Result<Vec<&'a [u8]>> {
    let mut sets = Vec::new();
    for _ in 0..count {
        let (start, nal) = r.nal(element, element)?;
        if nal.first().is_none_or(|header| header & 0x9f != unit_type) {
            let what = format!("{element} holds no NAL unit of nal_unit_type {unit_type}");
            return Err(r.damaged(what, start));
        }
        sets.push(nal);
    }
    Ok(sets)
}

/// The `codecs` parameter that covers the records of all parts of an in-band track: the lowest profile whose decoders
/// must take them all, the flags that all set, the highest level. `entry` is the type of the sample entry.
///
/// # Errors
/// When no one profile covers them.
pub fn covering_codec_string(entry: &str, records: &[AvcRecord<'_>]) -> Result<String> {
    let demands = records.iter().map(AvcRecord::demand).collect();
    let profile = common_profile(&demands)?;
    let flags = demands.iter().fold(0xff, |all, demand| all & demand.constraint_flags);
    let level = demands.iter().map(|demand| demand.level_idc).max_by_key(|&level| level_rank(level));
    Ok(format!("{entry}.{profile:02X}{flags:02X}{:02X}", level.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// x264's record of a 320x180 clip, as FFmpeg 5.1 wrote it.
    const X264: &[u8] = b"\x01\x64\x00\x0c\xff\xe1\x00\x1c\
        \x67\x64\x00\x0c\xac\xd9\x41\x41\x9f\x9f\x0e\x6a\x02\x02\x02\x80\x00\x00\x03\x00\x80\x00\x00\x19\x07\x8a\x14\xcb\
        \x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\
        \xfd\xf8\xf8\x00";

    #[test]
    fn the_record_of_x264_is_read_whole() {
        let record = AvcRecord::read(X264).unwrap();
        assert_eq!((record.profile_idc, record.constraint_flags, record.level_idc), (100, 0, 12));
        assert_eq!((record.length_size, record.chroma), (4, Some([1, 8, 8])));
        assert_eq!(
            (record.sps.as_slice(), record.pps.as_slice()),
            (&[&X264[8..36]][..], &[&X264[39..45]][..])
        );
        assert!(record.sps_extensions.is_empty());
    }

    #[test]
    fn a_record_may_lack_its_tail() {
        let record = AvcRecord::read(&X264[..45]).unwrap();
        assert_eq!((record.chroma, record.pps.len()), (None, 1));
    }

    #[test]
    fn every_cut_but_the_one_in_front_of_the_tail_is_refused() {
        for len in (0..X264.len()).filter(|&len| len != 45) {
            let error = AvcRecord::read(&X264[..len]).unwrap_err();
            assert!(error.offset().is_some_and(|at| at <= len as u64), "{len}: {error}");
        }
    }

    #[test]
    fn what_the_standard_does_not_know_is_refused() {
        for (at, value, said) in [
            (0, 2, "configurationVersion is 2"),
            (4, 0xfe, "lengthSizeMinusOne is 2"),
            (8, 0x68, "nal_unit_type 7"),
            (39, 0xe8, "nal_unit_type 8"),
            (1, 77, "4 bytes follow the end"),
        ] {
            let mut record = X264.to_vec();
            record[at] = value;
            let error = AvcRecord::read(&record).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(AvcRecord::read(&[X264, &[0]].concat()).is_err());
    }

    #[test]
    fn the_codec_string_of_parts_covers_all() {
        let with = |profile: u8, flags: u8, level: u8| {
            let mut record = X264[..45].to_vec();
            record[1..4].copy_from_slice(&[profile, flags, level]);
            record
        };
        let codec = |parts: &[Vec<u8>]| {
            let records: Vec<_> = parts.iter().map(|part| AvcRecord::read(part).unwrap()).collect();
            covering_codec_string("avc3", &records)
        };
        assert_eq!(codec(&[with(100, 0, 31), with(77, 0x40, 40)]).unwrap(), "avc3.640028");
        assert_eq!(codec(&[with(77, 0x40, 9), with(77, 0x40, 10)]).unwrap(), "avc3.4D4009");
        assert!(codec(&[with(66, 0, 31), with(100, 0, 31)]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut record in prop::collection::vec(any::<u8>(), 0..200), at in 0..X264.len(), value: u8) {
            let _ = AvcRecord::read(&record);
            record.splice(.., X264.iter().copied());
            record[at] = value;
            if let Ok(read) = AvcRecord::read(&record) {
                prop_assert!(read.parameter_sets().len() <= 2);
            }
        }
    }
}
