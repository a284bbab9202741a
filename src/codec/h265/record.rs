//! `HEVCDecoderConfigurationRecord` (the body of `hvcC`, ISO/IEC 14496-15 8.3.3.1, not opened; as others quote it) ► what
//! it says. Borrows the record; the NAL units in it are not looked into behind their headers.

use crate::bits::BitReader;
use crate::codec::record::{ConfigurationRecord, RecordReader, named_sets};
use crate::error::{Error, Result};

use super::{NalUnitType, PictureParameterSet, ProfileTierLevel, SequenceParameterSet, VideoParameterSet};

const CLAUSE: &str = "ISO/IEC 14496-15 8.3.3.1.2";

/// What a configuration record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HevcRecord<'a> {
    /// Profile, tier, level and flags.
    pub profile_tier_level: ProfileTierLevel,
    /// `min_spatial_segmentation_idc`, 0..=4095.
    pub min_spatial_segmentation_idc: u16,
    /// `parallelismType`: 0 mixed or unknown, 1 slices, 2 tiles, 3 wavefronts.
    pub parallelism: u8,
    /// `chromaFormat` and the bit depths of luma and chroma.
    pub chroma: [u8; 3],
    /// `avgFrameRate`, pictures in 256 seconds; 0 unknown.
    pub average_frame_rate: u16,
    /// `constantFrameRate`, 0..=3; 0 unknown.
    pub constant_frame_rate: u8,
    /// `numTemporalLayers`, 0..=7; 0 unknown.
    pub temporal_layers: u8,
    /// `temporalIdNested`.
    pub temporal_id_nested: bool,
    /// Bytes of the length in front of each NAL unit of a sample: 1, 2 or 4.
    pub length_size: u8,
    /// Whether the arrays of parameter sets all say that samples hold none (`array_completeness`).
    pub complete: bool,
    /// Video parameter sets, as NAL units.
    pub vps: Vec<&'a [u8]>,
    /// Sequence parameter sets, as NAL units.
    pub sps: Vec<&'a [u8]>,
    /// Picture parameter sets, as NAL units.
    pub pps: Vec<&'a [u8]>,
    /// SEI NAL units, prefix and suffix.
    pub sei: Vec<&'a [u8]>,
}

impl<'a> HevcRecord<'a> {
    /// Reads a whole record. Offsets of errors count from its first byte.
    ///
    /// # Errors
    /// When it is cut off, has a version or length size that the standard does not know, an array of another kind of NAL
    /// unit, a NAL unit that is empty or not of its array's kind, or bytes behind its end.
    pub fn read(record: &'a [u8]) -> Result<Self> {
        let mut r = RecordReader::new(record, CLAUSE)?;
        let profile = r.bytes(12, "general_profile_space")?;
        let mut bits = BitReader::without_emulation_prevention(profile, CLAUSE);
        let profile_tier_level = ProfileTierLevel::read(&mut bits, 0).map_err(|error| error.shift(1))?;
        let min_spatial_segmentation_idc = r.u16("min_spatial_segmentation_idc")? & 0xfff;
        let parallelism = r.u8("parallelismType")? & 3;
        let chroma = r.sample_format(["chromaFormat", "bitDepthLumaMinus8", "bitDepthChromaMinus8"])?;
        let average_frame_rate = r.u16("avgFrameRate")?;
        let layers = r.u8("constantFrameRate")?;
        let length_size = r.length_size(layers)?;
        let mut read = Self {
            profile_tier_level,
            min_spatial_segmentation_idc,
            parallelism,
            chroma,
            average_frame_rate,
            constant_frame_rate: layers >> 6,
            temporal_layers: layers >> 3 & 7,
            temporal_id_nested: layers & 4 != 0,
            length_size,
            complete: true,
            vps: Vec::new(),
            sps: Vec::new(),
            pps: Vec::new(),
            sei: Vec::new(),
        };
        for _ in 0..r.u8("numOfArrays")? {
            read.read_array(&mut r)?;
        }
        r.finish()?;
        Ok(read)
    }

    fn read_array(&mut self, r: &mut RecordReader<'a>) -> Result<()> {
        let start = r.at();
        let kind = r.u8("NAL_unit_type")?;
        let unit_type = NalUnitType::from_code(kind);
        let into = match unit_type {
            NalUnitType::VPS => &mut self.vps,
            NalUnitType::SPS => &mut self.sps,
            NalUnitType::PPS => &mut self.pps,
            NalUnitType::PREFIX_SEI | NalUnitType::SUFFIX_SEI => &mut self.sei,
            other => {
                return Err(r.damaged(
                    format!(
                        "an array of NAL units of nal_unit_type {}, which is not 32, 33, 34, 39 or 40",
                        other.code()
                    ),
                    start,
                ));
            }
        };
        if matches!(unit_type, NalUnitType::VPS | NalUnitType::SPS | NalUnitType::PPS) {
            self.complete &= kind & 0x80 != 0;
        }
        for _ in 0..r.u16("numNalus")? {
            let (start, nal) = r.nal("nalUnitLength", "nalUnit")?;
            if nal.len() < 2 || nal[0] & 0xfe != unit_type.code() << 1 {
                let code = unit_type.code();
                return Err(r.damaged(format!("a nalUnit holds no NAL unit of nal_unit_type {code}"), start));
            }
            into.push(nal);
        }
        Ok(())
    }
}

impl ConfigurationRecord for HevcRecord<'_> {
    fn length_size(&self) -> u8 {
        self.length_size
    }

    fn sample_format(&self) -> Option<[u8; 3]> {
        Some(self.chroma)
    }

    fn is_within(&self, other: &Self) -> bool {
        self.profile_tier_level.is_within(&other.profile_tier_level)
    }

    fn parameter_sets(&self) -> Vec<(&'static str, &[u8])> {
        let kinds = [
            ("video parameter set", &self.vps),
            ("sequence parameter set", &self.sps),
            ("picture parameter set", &self.pps),
        ];
        named_sets(kinds)
    }

    fn profile_and_level(&self) -> String {
        let ProfileTierLevel { profile_idc, level_idc, high_tier, .. } = self.profile_tier_level;
        let tier = if high_tier { "high" } else { "main" };
        format!("general_profile_idc {profile_idc} with general_level_idc {level_idc}, {tier} tier")
    }

    fn id_of(kind: &str, set: &[u8]) -> Option<u8> {
        match kind {
            "video parameter set" => VideoParameterSet::read(set).ok().map(|set| set.id),
            "sequence parameter set" => SequenceParameterSet::read(set).ok().map(|set| set.id),
            "picture parameter set" => PictureParameterSet::read(set).ok().map(|set| set.id),
            _ => None,
        }
    }
}

/// The `codecs` parameter that covers the records of all parts of an in-band track: the lowest profile that all conform
/// to, the flags that all set, the highest tier and level. `entry` is the type of the sample entry.
///
/// # Errors
/// When no one profile covers them, or there is no record.
pub fn covering_codec_string(entry: &str, records: &[HevcRecord<'_>]) -> Result<String> {
    let covering = ProfileTierLevel::covering(records.iter().map(|record| record.profile_tier_level))?;
    let covering = covering
        .ok_or_else(|| Error::conflict("no configuration record is given", "give that of each part"))?;
    Ok(covering.codec_string(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x265's record of a 322x182 clip, as FFmpeg 5.1.9 wrote it, and a prefix SEI array behind.
    const X265: &[u8] = b"\x01\x01\x60\x00\x00\x00\x90\x00\x00\x00\x00\x00\x3c\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f\x04\
        \xa0\x00\x01\x00\x18\
        \x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x3c\x95\x94\x09\
        \xa1\x00\x01\x00\x2c\
        \x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x3c\xa0\x0a\x88\x0c\x1c\x44\xd9\x65\x65\x4a\
        \x4c\x2f\x01\x68\x08\x00\x00\x03\x00\x08\x00\x00\x03\x00\xc8\x40\
        \xa2\x00\x01\x00\x06\x44\x01\xc0\x73\xc1\x89\
        \x27\x00\x01\x00\x04\x4e\x01\x89\x80";

    #[test]
    fn the_record_of_x265_is_read_whole() {
        let record = HevcRecord::read(X265).unwrap();
        assert_eq!(record.profile_tier_level.codec_string("hvc1"), "hvc1.1.6.L60.90");
        assert_eq!((record.length_size, record.sample_format(), record.complete), (4, Some([1, 8, 8]), true));
        assert_eq!((record.temporal_layers, record.temporal_id_nested), (1, true));
        assert_eq!((record.min_spatial_segmentation_idc, record.parallelism), (0, 0));
        let sets = record.parameter_sets();
        assert_eq!(
            sets,
            [
                ("video parameter set", &X265[28..52]),
                ("sequence parameter set", &X265[57..101]),
                ("picture parameter set", &X265[106..112]),
            ]
        );
        assert_eq!(record.sei, [&X265[117..]]);
    }

    #[test]
    fn every_field_stands_in_its_place() {
        let mut record = X265[..23].to_vec();
        record[13..23].copy_from_slice(&[0xfa, 0xbc, 0xfe, 0xff, 0xfa, 0xfc, 0x19, 0x00, 0b0110_1001, 0]);
        let read = HevcRecord::read(&record).unwrap();
        assert_eq!((read.min_spatial_segmentation_idc, read.parallelism), (0xabc, 2));
        assert_eq!(
            (read.chroma, read.average_frame_rate, read.constant_frame_rate),
            ([3, 10, 12], 0x1900, 1)
        );
        assert_eq!((read.temporal_layers, read.temporal_id_nested, read.length_size), (5, false, 2));
        let mut record = X265.to_vec();
        record[52] = 0x21;
        assert!(!HevcRecord::read(&record).unwrap().complete);
    }

    #[test]
    fn every_cut_is_refused() {
        for len in 0..X265.len() {
            let error = HevcRecord::read(&X265[..len]).unwrap_err();
            assert!(error.offset().is_some_and(|at| at <= len as u64), "{len}: {error}");
        }
    }

    #[test]
    fn what_the_standard_does_not_know_is_refused() {
        for (at, value, said) in [
            (0, 0, "configurationVersion is 0"),
            (21, 0x0e, "lengthSizeMinusOne is 2"),
            (23, 0xa3, "nal_unit_type 35, which is not 32, 33, 34, 39 or 40"),
            (28, 0x42, "no NAL unit of nal_unit_type 32"),
            (27, 0x01, "no NAL unit of nal_unit_type 32"),
            (22, 3, "9 bytes follow the end"),
        ] {
            let mut record = X265.to_vec();
            record[at] = value;
            let error = HevcRecord::read(&record).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(HevcRecord::read(&[X265, &[0]].concat()).is_err());
    }

    #[test]
    fn the_codec_string_of_parts_covers_all() {
        let with = |profile: u8, compatibility: u8, constraints: u8, level: u8| {
            let mut record = X265.to_vec();
            (record[1], record[2], record[6], record[12]) = (profile, compatibility, constraints, level);
            record
        };
        let codec = |parts: &[Vec<u8>]| {
            let records: Vec<_> = parts.iter().map(|part| HevcRecord::read(part).unwrap()).collect();
            covering_codec_string("hev1", &records)
        };
        let (main, main_10) = (with(1, 0x60, 0x90, 93), with(0x22, 0x20, 0xb0, 60));
        assert_eq!(codec(&[main.clone(), main_10.clone()]).unwrap(), "hev1.2.4.H93.90");
        assert_eq!(codec(std::slice::from_ref(&main)).unwrap(), "hev1.1.6.L93.90");
        assert!(codec(&[main.clone(), with(4, 0x08, 0x90, 93)]).is_err());
        assert!(codec(&[]).is_err());
        let read = |record| HevcRecord::read(record).unwrap();
        assert!(!read(&main).is_within(&read(&main_10)));
        assert!(read(&main).is_within(&read(&with(0x22, 0x20, 0xb0, 93))));
    }
}
