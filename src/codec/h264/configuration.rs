//! Parameter sets of a whole track ► `AVCDecoderConfigurationRecord` (the body of `avcC`, ISO/IEC 14496-15 5.3.3.1),
//! codec string, picture format, frame rate. Of ISO/IEC 14496-15 the 2010 edition was read, where the record is 5.2.4.1;
//! numbers of later editions are as others quote them.

use std::collections::BTreeSet;

use crate::codec::parameter_sets::none_came;
use crate::codec::picture_format::common_chroma;
use crate::codec::record::push_nal;
use crate::codec::sei::HdrMetadata;
use crate::codec::{
    BitstreamRate, ParameterSetPlacement, ParameterSetStore, ScanType, VideoFormat, timed_rate,
};
use crate::error::{Error, ErrorKind, Result};
use crate::time::FrameRate;

use super::parameter_sets::Demand;
use super::{ChromaFormat, ParameterSets, Timing};

/// What the sample entry says of an H.264 track.
///
/// Profile, constraint flags and level cover every sequence parameter set of the track: with several, the profile is the
/// lowest whose decoders must decode them all (A.2), a constraint flag is set where all set it, and the level is the
/// highest (ISO/IEC 14496-15:2010 5.2.4.1, 5.3.3.1 in later editions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcConfiguration {
    placement: ParameterSetPlacement,
    profile_idc: u8,
    constraint_flags: u8,
    level_idc: u8,
    scan: Option<ScanType>,
    chroma: ChromaFormat,
    sps: Vec<Vec<u8>>,
    pps: Vec<Vec<u8>>,
    sps_extensions: Vec<Vec<u8>>,
    format: VideoFormat,
    /// Timing of every sequence parameter set that pictures used.
    timings: Vec<Option<Timing>>,
}

/// Profiles from the lowest up, with those whose streams their decoders must take too (A.2.1 to A.2.7).
const PROFILES: [u8; 7] = [66, 77, 88, 100, 110, 122, 244];

/// `numOfSequenceParameterSets` has five bits, `numOfPictureParameterSets` eight (ISO/IEC 14496-15 5.3.3.1.2).
const MAX_SPS: usize = 31;
const MAX_PPS: usize = 255;

impl AvcConfiguration {
    pub(super) fn new(sets: &ParameterSets) -> Result<Self> {
        let missing = |kind| none_came(kind, "H.264 7.4.1.2.1");
        let unused = || sets.first_sps().next().map(|set| &set.value);
        let first = sets.first_used().or_else(unused).ok_or_else(|| missing("sequence"))?;
        if sets.first_pps().next().is_none() {
            return Err(missing("picture"));
        }
        let demands = sets.demands();
        let chroma = common_chroma(first, sets.first_sps().map(|set| &set.value))?;
        let configuration = Self {
            placement: sets.placement(),
            profile_idc: common_profile(demands)?,
            constraint_flags: demands.iter().fold(0xff, |all, demand| all & demand.constraint_flags),
            level_idc: demands
                .iter()
                .map(|demand| demand.level_idc)
                .max_by_key(|&level| level_rank(level))
                .unwrap_or(0),
            scan: scan_type(sets),
            chroma,
            sps: sets.first_sps().map(|set| set.bytes.to_vec()).collect(),
            pps: sets.first_pps().map(|set| set.bytes.to_vec()).collect(),
            sps_extensions: sets.first_sps_extensions().map(|set| set.bytes.to_vec()).collect(),
            format: first.video_format(),
            timings: sets.timings().copied().collect(),
        };
        configuration.check_record()?;
        Ok(configuration)
    }

    /// The same with what SEI messages say of the pictures.
    pub(crate) fn with_hdr(self, hdr: &HdrMetadata) -> Self {
        Self { format: self.format.with_hdr(hdr), ..self }
    }

    /// The `AVCDecoderConfigurationRecord`, for samples with four-byte lengths.
    pub fn record(&self) -> Vec<u8> {
        let mut record = vec![
            1, // configurationVersion
            self.profile_idc,
            self.constraint_flags,
            self.level_idc,
            0b1111_1100 | 3, // reserved, lengthSizeMinusOne
        ];
        push_sets(&mut record, 0b1110_0000, &self.sps);
        push_sets(&mut record, 0, &self.pps);
        if has_high_profile_tail(self.profile_idc) {
            record.push(0b1111_1100 | self.chroma.idc); // chroma_format
            record.push(0b1111_1000 | (self.chroma.luma_bits - 8)); // bit_depth_luma_minus8
            record.push(0b1111_1000 | (self.chroma.chroma_bits - 8)); // bit_depth_chroma_minus8
            push_sets(&mut record, 0, &self.sps_extensions);
        }
        record
    }

    /// The `codecs` parameter, `avc1.PPCCLL` (RFC 6381 3.3) or, in its likeness, `avc3.PPCCLL`: the three bytes of the
    /// record in hexadecimal.
    pub fn codec_string(&self) -> String {
        let entry = self.placement.avc_entry_type().escape_ascii();
        format!("{entry}.{:02X}{:02X}{:02X}", self.profile_idc, self.constraint_flags, self.level_idc)
    }

    /// Where the parameter sets are: `avc1` or `avc3`. With `avc3` the record holds each set as it first came.
    pub fn placement(&self) -> ParameterSetPlacement {
        self.placement
    }

    /// Size, sample shape and colour of the pictures.
    pub fn video_format(&self) -> VideoFormat {
        self.format
    }

    /// `AVCProfileIndication`.
    pub fn profile_idc(&self) -> u8 {
        self.profile_idc
    }

    /// `profile_compatibility`: `constraint_set0_flag` is the highest bit.
    pub fn constraint_flags(&self) -> u8 {
        self.constraint_flags
    }

    /// `AVCLevelIndication`: ten times the level; 9, or 11 with `constraint_set3_flag`, is level 1b.
    pub fn level_idc(&self) -> u8 {
        self.level_idc
    }

    /// Interlaced where a picture was coded as a field; progressive where no sequence parameter set allows fields or field
    /// macroblocks (`frame_mbs_only_flag` 1). A set that allows them proves none, nor do field macroblocks.
    pub fn scan(&self) -> Option<ScanType> {
        self.scan
    }

    /// Chroma sampling and bit depths.
    pub fn chroma(&self) -> ChromaFormat {
        self.chroma
    }

    /// The frame rate that the timing fields give, `time_scale / (2 × num_units_in_tick)` (E.2.1); `None` where no set in
    /// use has them.
    ///
    /// A rate of zero or above [`FrameRate::MAX`], and sets in use that disagree, are errors: the caller has to say.
    pub fn bitstream_rate(&self) -> Result<Option<BitstreamRate>> {
        BitstreamRate::agreed("sequence parameter sets", &self.timings, frame_rate, |timing| {
            timing.fixed_frame_rate
        })
    }

    fn check_record(&self) -> Result<()> {
        let counts = [("sequence", self.sps.len(), MAX_SPS), ("picture", self.pps.len(), MAX_PPS)];
        for (kind, count, limit) in counts {
            if count > limit {
                return Err(Error::new(ErrorKind::TooLarge {
                    what: format!("the number of {kind} parameter sets").into(),
                    value: count as u64,
                    limit: limit as u64,
                    clause: "ISO/IEC 14496-15 5.3.3.1.2",
                    remedy: "encode with fewer parameter sets".into(),
                }));
            }
        }
        if !self.sps_extensions.is_empty() && !has_high_profile_tail(self.profile_idc) {
            return Err(Error::unsupported(
                format!(
                    "sequence parameter set extensions with profile_idc {}, whose configuration record has no place \
                     for them",
                    self.profile_idc
                ),
                "encode without auxiliary pictures",
            ));
        }
        Ok(())
    }
}

fn scan_type(sets: &ParameterSets) -> Option<ScanType> {
    let progressive = || sets.demands().iter().all(|demand| demand.frame_mbs_only);
    if sets.has_field_pictures() {
        return Some(ScanType::Interlaced);
    }
    progressive().then_some(ScanType::Progressive)
}

/// Frames a second: `time_scale` counts fields (E.2.1).
fn frame_rate(timing: &Timing) -> Result<FrameRate> {
    let (time_scale, units) = (timing.time_scale, timing.num_units_in_tick);
    timed_rate(time_scale, 2 * u64::from(units), "H.264 E.2.1", || {
        format!("the timing fields give {time_scale}/(2 × {units}) frames")
    })
}

/// Whether the record of this profile ends in chroma format, bit depths and extensions.
pub(super) fn has_high_profile_tail(profile_idc: u8) -> bool {
    !matches!(profile_idc, 66 | 77 | 88)
}

/// A count, with `reserved` bits above it, and the sets with 16-bit lengths. Counts and lengths were checked to fit.
fn push_sets(record: &mut Vec<u8>, reserved: u8, sets: &[Vec<u8>]) {
    record.push(reserved | u8::try_from(sets.len()).expect("checked by check_record"));
    for set in sets {
        push_nal(record, set);
    }
}

/// The profile of all sets, or the lowest one whose decoders must decode them all.
pub(super) fn common_profile(demands: &BTreeSet<Demand>) -> Result<u8> {
    let first = demands.first().map_or(0, |demand| demand.profile_idc);
    let Some(other) = demands.iter().map(|demand| demand.profile_idc).find(|&profile| profile != first)
    else {
        return Ok(first);
    };
    let covering = PROFILES.into_iter().find(|&profile| demands.iter().all(|demand| covers(profile, demand)));
    covering.ok_or_else(|| {
        Error::unsupported(
            format!(
                "sequence parameter sets with profile_idc {first} and {other}, which no one profile covers"
            ),
            "package the parts of the stream separately, or encode them in one profile",
        )
    })
}

/// Whether decoders of `profile` must decode a stream that asks for this, level aside (A.2.1 to A.2.7).
pub(super) fn covers(profile: u8, demand: &Demand) -> bool {
    let set = |flag: u8| demand.constraint_flags & 0x80 >> flag != 0;
    let idc = demand.profile_idc;
    match profile {
        66 => idc == 66 || set(0),
        77 => idc == 77 || set(1),
        88 => idc == 88 || set(2) || idc == 66 || set(0),
        100 => idc == 77 || set(1) || idc == 100,
        110 => idc == 77 || set(1) || [100, 110].contains(&idc),
        122 => idc == 77 || set(1) || [100, 110, 122].contains(&idc),
        244 => idc == 77 || set(1) || [44, 100, 110, 122, 244].contains(&idc),
        _ => false,
    }
}

/// Levels in order: 9 is level 1b, between 1 and 1.1 (A.3.2).
pub(super) fn level_rank(level_idc: u8) -> u16 {
    if level_idc == 9 { 21 } else { 2 * u16::from(level_idc) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Pps, Sps, vui_timing};
    use super::*;

    fn sets(nals: &[Vec<u8>]) -> ParameterSets {
        let mut sets = ParameterSets::default();
        for (nal, offset) in nals.iter().zip((0..).step_by(100)) {
            sets.insert(nal, offset).unwrap();
        }
        sets.activate(0, true, 10_000).unwrap();
        sets
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn records_equal_those_of_ffmpeg() {
        // Bodies of `avcC` as FFmpeg 5.1.9 wrote them for streams of libx264 core 164: High 4:2:0, High 4:2:2 10 bits,
        // High 4:4:4 Predictive, High monochrome (FFmpeg's chroma_format is 0 there), Constrained Baseline.
        let records = [
            "01640014ffe1002767640014acd941519e226c39a808080a000007d20001d4c0c08001e848003d09498600f142996001000668ebe3\
             cb22c0fdf8f800",
            "017a000dffe1001c677a000db6cd941519e222f016c80000030008000003019078a14cb001000668ebe3cb22c0fefafa00",
            "01f4000dffe1001b67f4000d919b282a33c7c6e022000003000200000300641e28532c01000668ebe3c44844fff8f800",
            "0164000cffe100196764000cf36505067e37016c800000030080000019078a14cb01000668ebe3cb22c0fcf8f800",
            "0142c00cffe100196742c00cd901419f9f011000000300100000030328f142a48001000568cb83cb20",
        ];
        let codecs = ["avc1.640014", "avc1.7A000D", "avc1.F4000D", "avc1.64000C", "avc1.42C00C"];
        for (text, codec) in records.into_iter().zip(codecs) {
            let record = hex(text);
            let sps_len = usize::from(u16::from_be_bytes([record[6], record[7]]));
            let pps_at = 8 + sps_len + 3;
            let pps_len = usize::from(u16::from_be_bytes([record[pps_at - 2], record[pps_at - 1]]));
            let nals = [record[8..8 + sps_len].to_vec(), record[pps_at..pps_at + pps_len].to_vec()];
            let configuration = sets(&nals).configuration().unwrap();
            assert_eq!(configuration.record(), record);
            assert_eq!(configuration.codec_string(), codec);
        }
    }

    #[test]
    fn sets_stand_in_id_order_with_extensions_last() {
        let (sps, sps3) = (
            Sps { profile_idc: 100, ..Default::default() },
            Sps { profile_idc: 100, id: 3, ..Default::default() },
        );
        let (pps, pps7) = (Pps::default(), Pps { id: 7, sps_id: 3, ..Default::default() });
        let extension = vec![0x6d, 0b1101_0000]; // id 0, no auxiliary format
        let nals = [pps7.nal(), sps3.nal(), extension.clone(), pps.nal(), sps.nal()];
        let record = sets(&nals).configuration().unwrap().record();
        let with_len = |nal: &[u8]| [&(nal.len() as u16).to_be_bytes()[..], nal].concat();
        let expected = [
            &[1, 100, 0, 30, 0xff, 0xe0 | 2][..],
            &with_len(&sps.nal()),
            &with_len(&sps3.nal()),
            &[2],
            &with_len(&pps.nal()),
            &with_len(&pps7.nal()),
            &[0xfd, 0xf8, 0xf8, 1],
            &with_len(&extension),
        ]
        .concat();
        assert_eq!(record, expected);
    }

    #[test]
    fn three_profiles_have_no_tail() {
        for (profile_idc, tail) in [(66, 0), (77, 0), (88, 0), (100, 4), (110, 4), (244, 4)] {
            let sps = Sps { profile_idc, ..Default::default() }.nal();
            let pps = Pps::default().nal();
            let record = sets(&[sps.clone(), pps.clone()]).configuration().unwrap().record();
            assert_eq!(record.len(), 6 + 2 + sps.len() + 1 + 2 + pps.len() + tail, "{profile_idc}");
        }
    }

    #[test]
    fn extension_without_a_place_in_the_record_is_refused() {
        let error = sets(&[Sps::default().nal(), Pps::default().nal(), vec![0x6d, 0xd0]]).configuration();
        assert!(error.unwrap_err().to_string().contains("profile_idc 77"));
    }

    #[test]
    fn more_sets_than_the_record_can_count_are_refused() {
        let sps = |id| Sps { id, ..Default::default() }.nal();
        let pps = |id| Pps { id, ..Default::default() }.nal();
        let nals: Vec<_> = (0..31).map(sps).chain((0..255).map(pps)).collect();
        assert!(sets(&nals).configuration().is_ok());
        let error = sets(&[&nals[..], &[sps(31)]].concat()).configuration().unwrap_err();
        assert!(error.to_string().contains("the number of sequence parameter sets is 32, the limit is 31"));
        let error = sets(&[&nals[..], &[pps(255)]].concat()).configuration().unwrap_err();
        assert!(error.to_string().contains("the number of picture parameter sets is 256, the limit is 255"));
    }

    #[test]
    fn several_sets_give_the_profile_flags_and_level_that_cover_all() {
        let codec = |list: &[(u32, u32, u32)]| {
            let sps = list.iter().zip(0..).map(|(&(profile_idc, constraint_flags, level_idc), id)| {
                Sps { id, profile_idc, constraint_flags, level_idc, ..Default::default() }.nal()
            });
            let nals: Vec<_> = sps.chain([Pps::default().nal()]).collect();
            sets(&nals).configuration().map(|configuration| configuration.codec_string())
        };
        assert_eq!(codec(&[(77, 0x40, 30), (77, 0, 31)]).unwrap(), "avc1.4D001F");
        assert_eq!(codec(&[(66, 0xc0, 30), (77, 0x40, 21)]).unwrap(), "avc1.4D401E");
        assert_eq!(codec(&[(66, 0xc0, 30), (100, 0, 21)]).unwrap(), "avc1.64001E");
        assert_eq!(codec(&[(122, 0, 30), (110, 0, 21)]).unwrap(), "avc1.7A001E");
        assert_eq!(codec(&[(66, 0, 30), (88, 0, 21)]).unwrap(), "avc1.58001E");
        // Level 1b is above 1 and, with the flag that not all set, no longer below 1.1.
        assert_eq!(codec(&[(100, 0, 10), (100, 0, 9)]).unwrap(), "avc1.640009");
        assert_eq!(codec(&[(77, 0x10, 11), (77, 0, 10)]).unwrap(), "avc1.4D000B");
        let error = codec(&[(66, 0, 30), (100, 0, 30)]).unwrap_err().to_string();
        assert!(error.contains("profile_idc 66 and 100"), "{error}");
    }

    #[test]
    fn sample_formats_of_all_sets_must_agree() {
        let sps =
            |id, bits| Sps { id, profile_idc: 110, chroma: (1, bits, bits), ..Default::default() }.nal();
        let error = sets(&[sps(0, 10), sps(1, 8), Pps::default().nal()]).configuration().unwrap_err();
        assert!(error.to_string().contains("sequence parameter sets 0 and 1"), "{error}");
    }

    #[test]
    fn without_a_sequence_parameter_set_there_is_no_configuration() {
        let mut sets = ParameterSets::default();
        sets.insert(&Pps::default().nal(), 0).unwrap();
        assert!(sets.configuration().is_err());
        // One is enough, though no picture uses it yet.
        sets.insert(&Sps::default().nal(), 9).unwrap();
        assert_eq!(sets.configuration().unwrap().bitstream_rate().unwrap(), None);
    }

    /// The rate of a track whose pictures used sequence parameter sets with these timings.
    fn rate(timings: &[Option<(u32, u32, bool)>]) -> Result<Option<(String, bool)>> {
        let mut sets = ParameterSets::default();
        for (&timing, id) in timings.iter().zip(0..) {
            let vui = timing.map(|(units, scale, fixed)| vui_timing(units, scale, fixed));
            sets.insert(&Sps { id, vui, ..Default::default() }.nal(), 0).unwrap();
            sets.insert(&Pps { id, sps_id: id, ..Default::default() }.nal(), 0).unwrap();
            sets.activate(id as u8, true, 0).unwrap();
        }
        let rate = sets.configuration().unwrap().bitstream_rate()?;
        Ok(rate.map(|BitstreamRate { rate, fixed }| (rate.to_string(), fixed)))
    }

    #[test]
    fn field_pictures_make_a_track_interlaced_and_sets_that_allow_them_do_not() {
        let mut sets = ParameterSets::default();
        sets.insert(&Sps { frame_mbs_only: false, ..Default::default() }.nal(), 10).unwrap();
        sets.insert(&Pps::default().nal(), 30).unwrap();
        sets.activate(0, true, 50).unwrap();
        assert_eq!(sets.configuration().unwrap().scan(), None);
        sets.note_field_picture();
        assert_eq!(sets.configuration().unwrap().scan(), Some(ScanType::Interlaced));
        let mut sets = ParameterSets::default();
        sets.insert(&Sps::default().nal(), 10).unwrap();
        sets.insert(&Pps::default().nal(), 30).unwrap();
        assert_eq!(sets.configuration().unwrap().scan(), Some(ScanType::Progressive));
    }

    #[test]
    fn frame_rate_is_half_the_field_rate_of_the_timing_fields() {
        assert_eq!(rate(&[Some((1, 50, true))]).unwrap(), Some(("25".into(), true)));
        assert_eq!(rate(&[Some((1001, 60_000, false))]).unwrap(), Some(("30000/1001".into(), false)));
        assert_eq!(rate(&[None]).unwrap(), None);
        assert_eq!(rate(&[Some((1, 50, true)), Some((2, 100, false))]).unwrap(), Some(("25".into(), false)));
    }

    #[test]
    fn rates_that_cannot_be_or_disagree_are_refused() {
        for (units, scale) in [(0, 50), (1, 0), (0, 0), (1, 602), (u32::MAX, 1)] {
            let error = rate(&[Some((units, scale, true))]).unwrap_err().to_string();
            assert!(error.contains(&format!("{scale}/(2 × {units}) frames")), "{error}");
        }
        assert_eq!(rate(&[Some((1, 600, true))]).unwrap(), Some(("300".into(), true)));
        assert!(rate(&[Some((1, 50, true)), Some((0, 0, true))]).is_err());
        let error = rate(&[Some((1, 50, true)), Some((1, 60, true))]).unwrap_err().to_string();
        assert!(error.contains("one says 25, another 30"), "{error}");
        let error = rate(&[Some((1, 50, true)), None]).unwrap_err().to_string();
        assert!(error.contains("one says nothing, another 25"), "{error}");
    }
}
