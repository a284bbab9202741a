//! Parameter sets of a whole track ► `HEVCDecoderConfigurationRecord` (the body of `hvcC`, ISO/IEC 14496-15 8.3.3.1),
//! codec string, picture format, frame rate. ISO/IEC 14496-15 was not opened: the record is as others quote it, and as
//! FFmpeg writes it.

use crate::codec::parameter_sets::{MAX_SET_LEN, none_came, trim_zeros};
use crate::codec::picture_format::common_chroma;
use crate::codec::record::push_nal;
use crate::codec::sei::HdrMetadata;
use crate::codec::{
    BitstreamRate, ParameterSetPlacement, ParameterSetStore, ScanType, VideoFormat, timed_rate,
};
use crate::error::{Error, Result};
use crate::time::FrameRate;

use super::{
    ChromaFormat, NalHeader, NalUnitType, ParameterSets, ProfileTierLevel, SequenceParameterSet, Timing,
};

/// What the sample entry says of an H.265 track.
///
/// Profile, tier, level and flags cover every sequence parameter set of the track: with several, the profile is the
/// lowest that all conform to, a flag is set where all set it, tier and level are the highest (ISO/IEC 14496-15 8.3.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HevcConfiguration {
    placement: ParameterSetPlacement,
    profile_tier_level: ProfileTierLevel,
    min_spatial_segmentation_idc: u16,
    /// `parallelismType`.
    parallelism: u8,
    chroma: ChromaFormat,
    /// `numTemporalLayers`, 1..=7.
    temporal_layers: u8,
    temporal_id_nested: bool,
    vps: Vec<Vec<u8>>,
    sps: Vec<Vec<u8>>,
    pps: Vec<Vec<u8>>,
    sei: Vec<Vec<u8>>,
    format: VideoFormat,
    scan: Option<ScanType>,
    field_coded: bool,
    /// Timing of every sequence parameter set that pictures used.
    timings: Vec<Option<Timing>>,
}

/// `bitDepthLumaMinus8` and `bitDepthChromaMinus8` have three bits (ISO/IEC 14496-15 8.3.3.1.2).
const MAX_RECORD_BITS: u8 = 15;

impl HevcConfiguration {
    pub(super) fn new(sets: &ParameterSets) -> Result<Self> {
        let missing = |kind| none_came(kind, "H.265 7.4.2.4.2");
        let unused = || sets.first_sps().next().map(|set| &set.value);
        let first = sets.first_used().or_else(unused).ok_or_else(|| missing("sequence"))?;
        if sets.first_vps().next().is_none() {
            return Err(missing("video"));
        }
        if sets.first_pps().next().is_none() {
            return Err(missing("picture"));
        }
        let chroma = record_chroma(sets, first)?;
        let demands = sets.demands();
        let profile_tier_level =
            ProfileTierLevel::covering(demands.iter().map(|demand| demand.profile_tier_level))?
                .unwrap_or(first.profile_tier_level);
        let segmentation = demands.iter().map(|demand| demand.min_spatial_segmentation_idc).min();
        let min_spatial_segmentation_idc = segmentation.unwrap_or(0);
        let scan = if demands.iter().all(|demand| demand.progressive) {
            Some(ScanType::Progressive)
        } else {
            demands.iter().all(|demand| demand.interlaced).then_some(ScanType::Interlaced)
        };
        Ok(Self {
            placement: sets.placement(),
            profile_tier_level,
            min_spatial_segmentation_idc,
            parallelism: parallelism_type(sets, min_spatial_segmentation_idc),
            chroma,
            temporal_layers: demands.iter().map(|demand| demand.max_sub_layers).max().unwrap_or(1),
            temporal_id_nested: demands.iter().all(|demand| demand.temporal_id_nesting),
            vps: sets.first_vps().map(|set| set.bytes.to_vec()).collect(),
            sps: sets.first_sps().map(|set| set.bytes.to_vec()).collect(),
            pps: sets.first_pps().map(|set| set.bytes.to_vec()).collect(),
            sei: Vec::new(),
            format: first.video_format(),
            scan,
            field_coded: first.vui.field_seq,
            timings: sets.timings().copied().collect(),
        })
    }

    /// The same with what SEI messages say of the pictures.
    pub(crate) fn with_hdr(self, hdr: &HdrMetadata) -> Self {
        Self { format: self.format.with_hdr(hdr), ..self }
    }

    /// The same with these prefix SEI NAL units in the record: such as hold for the whole track. Zeros behind them are
    /// dropped, and so is what is no prefix SEI NAL unit or does not fit the record's 16-bit lengths.
    #[must_use]
    pub fn with_sei(mut self, sei: Vec<Vec<u8>>) -> Self {
        let kept = |nal: &Vec<u8>| {
            let unit_type = NalHeader::read(nal).ok().map(|header| header.unit_type);
            unit_type == Some(NalUnitType::PREFIX_SEI) && nal.len() <= MAX_SET_LEN
        };
        let trimmed = sei.into_iter().map(|nal| trim_zeros(&nal).to_vec());
        self.sei = trimmed.filter(kept).take(usize::from(u16::MAX)).collect();
        self
    }

    /// The `HEVCDecoderConfigurationRecord`, for samples with four-byte lengths. With `hvc1` the arrays of parameter sets
    /// are complete; that of SEI NAL units never is.
    pub fn record(&self) -> Vec<u8> {
        let complete = self.placement == ParameterSetPlacement::SampleEntry;
        let mut record = vec![1]; // configurationVersion
        record.extend(self.profile_tier_level.bytes());
        record.extend((0xf000 | self.min_spatial_segmentation_idc).to_be_bytes());
        record.push(0b1111_1100 | self.parallelism); // parallelismType
        record.push(0b1111_1100 | self.chroma.idc); // chromaFormat
        record.push(0b1111_1000 | (self.chroma.luma_bits - 8)); // bitDepthLumaMinus8
        record.push(0b1111_1000 | (self.chroma.chroma_bits - 8)); // bitDepthChromaMinus8
        record.extend([0, 0]); // avgFrameRate: unspecified
        // constantFrameRate 0: unknown; numTemporalLayers; temporalIdNested; lengthSizeMinusOne
        record.push(self.temporal_layers << 3 | u8::from(self.temporal_id_nested) << 2 | 3);
        record.push(if self.sei.is_empty() { 3 } else { 4 }); // numOfArrays
        push_array(&mut record, complete, NalUnitType::VPS, &self.vps);
        push_array(&mut record, complete, NalUnitType::SPS, &self.sps);
        push_array(&mut record, complete, NalUnitType::PPS, &self.pps);
        if !self.sei.is_empty() {
            push_array(&mut record, false, NalUnitType::PREFIX_SEI, &self.sei);
        }
        record
    }

    /// The `codecs` parameter, such as `hvc1.2.4.L120.90` (ISO/IEC 14496-15 E.3).
    pub fn codec_string(&self) -> String {
        self.profile_tier_level.codec_string(&self.placement.hevc_entry_type().escape_ascii().to_string())
    }

    /// Where the parameter sets are: `hvc1` or `hev1`. With `hev1` the record holds each set as it first came.
    pub fn placement(&self) -> ParameterSetPlacement {
        self.placement
    }

    /// Size, sample shape and colour of the pictures.
    pub fn video_format(&self) -> VideoFormat {
        self.format
    }

    /// Profile, tier, level and constraint flags that cover the track.
    pub fn profile_tier_level(&self) -> ProfileTierLevel {
        self.profile_tier_level
    }

    /// Progressive or interlaced where every sequence parameter set says so (`general_progressive_source_flag`,
    /// `general_interlaced_source_flag`, `field_seq_flag`).
    pub fn scan(&self) -> Option<ScanType> {
        self.scan
    }

    /// Whether every picture is a field (`field_seq_flag`).
    pub fn is_field_coded(&self) -> bool {
        self.field_coded
    }

    /// Chroma sampling and bit depths.
    pub fn chroma(&self) -> ChromaFormat {
        self.chroma
    }

    /// `numTemporalLayers`, 1..=7.
    pub fn temporal_layers(&self) -> u8 {
        self.temporal_layers
    }

    /// The picture rate that the timing fields of VUI, or else of the video parameter set, give; `None` where no set in
    /// use has them. Where [`Self::is_field_coded`], it counts fields.
    ///
    /// It is `time_scale / num_units_in_tick` (E.3.1), divided by the ticks that a picture lasts where HRD parameters fix
    /// them. A rate of zero or above [`FrameRate::MAX`], and sets in use that disagree, are errors: the caller has to say.
    pub fn bitstream_rate(&self) -> Result<Option<BitstreamRate>> {
        BitstreamRate::agreed("parameter sets", &self.timings, picture_rate, |timing| {
            timing.fixed_ticks.is_some()
        })
    }
}

/// The sample format of every sequence parameter set, which the record must be able to say.
fn record_chroma(sets: &ParameterSets, first: &SequenceParameterSet) -> Result<ChromaFormat> {
    let chroma = common_chroma(first, sets.first_sps().map(|set| &set.value))?;
    if chroma.luma_bits.max(chroma.chroma_bits) > MAX_RECORD_BITS {
        return Err(Error::unsupported(
            "samples of 16 bits, whose depth the configuration record cannot say",
            "encode with up to 15 bits a sample",
        ));
    }
    Ok(chroma)
}

/// `parallelismType`: what every picture parameter set allows. It says how the segmentation comes about that
/// `min_spatial_segmentation_idc` promises, so it is unknown where that promises nothing.
fn parallelism_type(sets: &ParameterSets, min_spatial_segmentation_idc: u16) -> u8 {
    let mut types = sets.parallelism().iter().map(|parallelism| parallelism.code());
    match (types.next(), types.next()) {
        (Some(one), None) if min_spatial_segmentation_idc > 0 => one,
        _ => 0,
    }
}

/// Pictures a second.
fn picture_rate(timing: &Timing) -> Result<FrameRate> {
    let (time_scale, units) = (timing.time_scale, timing.num_units_in_tick);
    let ticks = timing.fixed_ticks.unwrap_or(1);
    timed_rate(time_scale, u64::from(units) * u64::from(ticks), "H.265 E.3.1", || {
        let divisor = if ticks == 1 { units.to_string() } else { format!("({units} × {ticks})") };
        format!("the timing fields give {time_scale}/{divisor} pictures")
    })
}

/// `array_completeness` and `NAL_unit_type`, a count, and the NAL units with 16-bit lengths. There are at most 64 sets of
/// a kind, and lengths were checked to fit.
fn push_array(record: &mut Vec<u8>, complete: bool, unit_type: NalUnitType, nals: &[Vec<u8>]) {
    let count = u16::try_from(nals.len()).expect("checked by with_sei");
    record.push(u8::from(complete) << 7 | unit_type.code());
    record.extend(count.to_be_bytes());
    for nal in nals {
        push_nal(record, nal);
    }
}

#[cfg(test)]
mod tests {
    use super::super::HevcRecord;
    use super::super::testing::{
        BitWriter, Pps, Profile, Sps, Vps, vui_fields, vui_fixed_timing, vui_segmentation, vui_timing,
    };
    use super::*;
    use crate::codec::record::ConfigurationRecord;

    fn sets(placement: ParameterSetPlacement, nals: &[Vec<u8>]) -> ParameterSets {
        let mut sets = ParameterSets::new(placement);
        for (nal, offset) in nals.iter().zip((0..).step_by(100)) {
            sets.insert(nal, offset).unwrap();
        }
        sets
    }

    fn configuration(nals: &[Vec<u8>]) -> HevcConfiguration {
        let mut sets = sets(ParameterSetPlacement::SampleEntry, nals);
        sets.activate(0, true, 10_000).unwrap();
        sets.configuration().unwrap()
    }

    fn with(sps: Sps) -> HevcConfiguration {
        configuration(&[Vps::default().nal(), sps.nal(), Pps::default().nal()])
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    /// Bodies of `hvcC` as FFmpeg 5.1.9 wrote them (`-c copy -tag:v hvc1`) for streams of x265 3.5 (build 199), and the
    /// codec string after ISO/IEC 14496-15 E.3.
    const FFMPEG: [(&str, &str); 8] = [
        // Main, 322x182
        (
            "0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c9594\
             09a10001002c42010101600000030090000003000003003ca00a880c1c44d965654a4c2f016808000003000800000300c840a2\
             000100064401c073c189",
            "hvc1.1.6.L60.90",
        ),
        // Main 10, BT.2020 and PQ
        (
            "0102200000009000000000003cf000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003003c9594\
             09a10001002e42010102200000030090000003000003003ca00a080c1f3b6595952930bc05a848804820000003002000000303\
             21a2000100064401c073c189",
            "hvc1.2.4.L60.90",
        ),
        // Two temporal sub-layers
        (
            "0101600000009000000000003cf000fcfdf8f800001303a00001001c40010c02ffff01600000030090000003000003003c0000\
             9598acc048a10001002d42010201600000030090000003000003003c0000a00a080b9f7965662b349265780b40400000030040\
             00000642a2000100074401c172b46240",
            "hvc1.1.6.L60.90",
        ),
        // 1920x1080, cropped, with HRD parameters
        (
            "01016000000090000000000078f000fcfdf8f800000f03a00001001840010c01ffff0160000003009000000300000300789594\
             09a100010035420101016000000300900000030000030078a003c0801107cb965654a4e1787340400000fa40001d4c1827259b\
             8003d090007a1220a2000100064401c073c189",
            "hvc1.1.6.L120.90",
        ),
        // Main 4:2:2 10
        (
            "0104080000009d08000000003cf000fcfefafa00000f03a00001001740010c01ffff0408000003009d0800000300003c959409\
             a10001002b4201010408000003009d0800000300003cb00a080c1f1ad965654a4c2f016808000003000800000300c840a20001\
             00064401c073c189",
            "hvc1.4.10.L60.9D.8",
        ),
        // Monochrome
        (
            "0104080000009fc8000000003cf000fcfcf8f800000f03a00001001740010c01ffff0408000003009fc800000300003c959409\
             a10001002a4201010408000003009fc800000300003cc02820307c6e595952930bc05b020000030002000003003210a2000100\
             064401c073c189",
            "hvc1.4.10.L60.9F.C8",
        ),
        // Main 4:4:4 12, High tier
        (
            "01240800000098080000000078f000fcfffcfc00000f03a00001001740010c01ffff2408000003009808000003000078959409\
             a10001002c42010124080000030098080000030000789001410183e34a52caca94985e02d01000000300100000030190\
             80a2000100084401c07318300890",
            "hvc1.4.10.H120.98.8",
        ),
        // Fields
        (
            "0101600000004000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030040000003000003003c9594\
             09a10001002b42010101600000030040000003000003003ca00a080c1f3e595952930bc05a1a0000030002000003003210a200\
             0100064401c073c189",
            "hvc1.1.6.L60.40",
        ),
    ];

    #[test]
    fn records_equal_those_of_ffmpeg() {
        for (text, codec) in FFMPEG {
            let record = hex(text);
            let read = HevcRecord::read(&record).unwrap();
            let nals: Vec<_> = read.parameter_sets().into_iter().map(|(_, set)| set.to_vec()).collect();
            let configuration = configuration(&nals);
            assert_eq!(configuration.record(), record);
            assert_eq!(configuration.codec_string(), codec);
        }
    }

    #[test]
    fn fields_of_a_real_encoder_are_told() {
        let record = hex(FFMPEG[7].0);
        let read = HevcRecord::read(&record).unwrap();
        let nals: Vec<_> = read.parameter_sets().into_iter().map(|(_, set)| set.to_vec()).collect();
        let configuration = configuration(&nals);
        assert_eq!(
            (configuration.scan(), configuration.is_field_coded()),
            (Some(ScanType::Interlaced), true)
        );
        let frames = with(Sps::default());
        assert_eq!((frames.scan(), frames.is_field_coded()), (Some(ScanType::Progressive), false));
    }

    #[test]
    fn sets_stand_in_id_order_with_sei_last() {
        let (vps, vps2) = (Vps::default().nal(), Vps { id: 2, ..Default::default() }.nal());
        let (sps, sps3) = (Sps::default().nal(), Sps { id: 3, vps_id: 2, ..Default::default() }.nal());
        let (pps, pps7) = (Pps::default().nal(), Pps { id: 7, sps_id: 3, ..Default::default() }.nal());
        let nals = [pps7.clone(), sps3.clone(), vps2.clone(), pps.clone(), vps.clone(), sps.clone()];
        let with_len = |nal: &[u8]| [&(nal.len() as u16).to_be_bytes()[..], nal].concat();
        for (placement, complete) in
            [(ParameterSetPlacement::SampleEntry, 0x80), (ParameterSetPlacement::InBand, 0)]
        {
            let sei = [0x4e, 0x01, 0x89, 0x00];
            let others = [vec![0x50, 0x01, 0x84], vec![0x4e], Vec::new()];
            let configuration = sets(placement, &nals).configuration().unwrap();
            let configuration = configuration.with_sei([&[sei.to_vec()][..], &others].concat());
            let expected = [
                &[
                    1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 90, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0,
                    0x0f, 4,
                ][..],
                &[complete | 32, 0, 2],
                &with_len(&vps),
                &with_len(&vps2),
                &[complete | 33, 0, 2],
                &with_len(&sps),
                &with_len(&sps3),
                &[complete | 34, 0, 2],
                &with_len(&pps),
                &with_len(&pps7),
                &[39, 0, 1],
                &with_len(&sei[..3]),
            ]
            .concat();
            assert_eq!(configuration.record(), expected);
        }
    }

    #[test]
    fn parallelism_is_known_where_segmentation_is_promised_and_all_sets_agree() {
        let record = |segmentation: u32, pps: &[Pps]| {
            let sps = Sps { vui: Some(vui_segmentation(segmentation)), ..Default::default() };
            let pps = pps.iter().zip(0..).map(|(pps, id)| Pps { id, ..pps.clone() }.nal());
            let nals: Vec<_> = [Vps::default().nal(), sps.nal()].into_iter().chain(pps).collect();
            let record = configuration(&nals).record();
            (u16::from_be_bytes([record[13], record[14]]), record[15])
        };
        let slices = Pps::default();
        let wavefronts = Pps { entropy_coding_sync: true, ..Default::default() };
        let tiles = Pps { tiles: Some((vec![1], vec![])), ..Default::default() };
        let both = Pps { entropy_coding_sync: true, ..tiles.clone() };
        assert_eq!(record(0, std::slice::from_ref(&tiles)), (0xf000, 0xfc));
        assert_eq!(record(12, &[slices.clone(), slices.clone()]), (0xf00c, 0xfd));
        assert_eq!(record(4095, std::slice::from_ref(&tiles)), (0xffff, 0xfe));
        assert_eq!(record(12, std::slice::from_ref(&wavefronts)), (0xf00c, 0xff));
        assert_eq!(record(12, &[both]), (0xf00c, 0xfc));
        assert_eq!(record(12, &[tiles, wavefronts]), (0xf00c, 0xfc));
    }

    #[test]
    fn several_sequence_sets_are_all_covered() {
        let main_10 = Profile { idc: 2, compatibility: 0x2000_0000, level_idc: 120, ..Profile::default() };
        let second = Sps {
            id: 1,
            profile: main_10,
            max_sub_layers: 3,
            temporal_id_nesting: false,
            vui: Some(vui_segmentation(9)),
            ..Default::default()
        };
        let nals = [Vps::default().nal(), Sps::default().nal(), second.nal(), Pps::default().nal()];
        let configuration = configuration(&nals);
        assert_eq!(configuration.codec_string(), "hvc1.2.4.L120.90");
        assert_eq!(configuration.temporal_layers(), 3);
        let record = configuration.record();
        assert_eq!((record[13], record[14], record[21]), (0xf0, 0, 3 << 3 | 3));
        let interlaced = Profile { constraints: 0x4000_0000_0000, ..Profile::default() };
        let second = Sps { id: 1, profile: interlaced, ..Default::default() };
        let nals = [Vps::default().nal(), Sps::default().nal(), second.nal(), Pps::default().nal()];
        assert_eq!(self::configuration(&nals).scan(), None);
    }

    #[test]
    fn sample_formats_of_all_sets_must_agree() {
        let sps = |id, bits| Sps { id, chroma: (1, bits, bits), ..Default::default() }.nal();
        let nals = [Vps::default().nal(), sps(0, 10), sps(1, 8), Pps::default().nal()];
        let error = sets(ParameterSetPlacement::SampleEntry, &nals).configuration().unwrap_err().to_string();
        assert!(error.contains("sequence parameter sets 0 and 1"), "{error}");
    }

    #[test]
    fn depths_that_the_record_cannot_say_are_refused() {
        let nals = |luma, chroma| {
            [
                Vps::default().nal(),
                Sps { chroma: (2, luma, chroma), ..Default::default() }.nal(),
                Pps::default().nal(),
            ]
        };
        assert_eq!(configuration(&nals(15, 8)).record()[16..19], [0xfe, 0xff, 0xf8]);
        for (luma, chroma) in [(16, 8), (8, 16)] {
            let sets = sets(ParameterSetPlacement::SampleEntry, &nals(luma, chroma));
            assert!(sets.configuration().unwrap_err().to_string().contains("samples of 16 bits"));
        }
    }

    #[test]
    fn every_kind_of_set_must_have_come() {
        let nals = [Vps::default().nal(), Sps::default().nal(), Pps::default().nal()];
        for (left_out, kind) in ["video", "sequence", "picture"].into_iter().enumerate() {
            let mut some = nals.to_vec();
            some.remove(left_out);
            let error =
                sets(ParameterSetPlacement::SampleEntry, &some).configuration().unwrap_err().to_string();
            assert!(error.contains(&format!("no {kind} parameter set has come")), "{error}");
        }
        // One of each is enough, though no picture uses it yet.
        let configuration = sets(ParameterSetPlacement::SampleEntry, &nals).configuration().unwrap();
        assert_eq!(configuration.bitstream_rate().unwrap(), None);
    }

    /// The rate of a track whose pictures used sequence parameter sets with these VUI, and a video parameter set with
    /// this timing.
    fn rate(vps: Option<(u32, u32)>, vui: Vec<Option<BitWriter>>) -> Result<Option<(String, bool)>> {
        let mut sets = ParameterSets::default();
        sets.insert(&Vps { timing: vps, ..Default::default() }.nal(), 0).unwrap();
        for (vui, id) in vui.into_iter().zip(0..) {
            sets.insert(&Sps { id, vui, ..Default::default() }.nal(), 0).unwrap();
            sets.insert(&Pps { id, sps_id: id, ..Default::default() }.nal(), 0).unwrap();
            sets.activate(id as u8, true, 0).unwrap();
        }
        let rate = sets.configuration().unwrap().bitstream_rate()?;
        Ok(rate.map(|BitstreamRate { rate, fixed }| (rate.to_string(), fixed)))
    }

    #[test]
    fn picture_rate_is_that_of_vui_or_else_of_the_video_parameter_set() {
        let said = |rate: &str, fixed| Some((rate.to_owned(), fixed));
        assert_eq!(rate(None, vec![Some(vui_timing(1, 25))]).unwrap(), said("25", false));
        assert_eq!(
            rate(Some((1, 50)), vec![Some(vui_timing(1001, 30_000))]).unwrap(),
            said("30000/1001", false)
        );
        assert_eq!(rate(Some((1, 50)), vec![None]).unwrap(), said("50", false));
        assert_eq!(rate(Some((1, 50)), vec![Some(vui_fields())]).unwrap(), said("50", false));
        assert_eq!(rate(None, vec![None]).unwrap(), None);
        // Where HRD parameters fix how many ticks a picture lasts, they count.
        assert_eq!(rate(None, vec![Some(vui_fixed_timing(1, 50, 1))]).unwrap(), said("50", true));
        assert_eq!(rate(None, vec![Some(vui_fixed_timing(1, 50, 2))]).unwrap(), said("25", true));
        let same = vec![Some(vui_fixed_timing(1, 50, 2)), Some(vui_timing(2, 50))];
        assert_eq!(rate(None, same).unwrap(), said("25", false));
    }

    #[test]
    fn rates_that_cannot_be_or_disagree_are_refused() {
        for (units, scale) in [(0, 50), (1, 0), (0, 0), (1, 301)] {
            let error = rate(None, vec![Some(vui_timing(units, scale))]).unwrap_err().to_string();
            assert!(error.contains(&format!("{scale}/{units} pictures")), "{error}");
        }
        assert_eq!(rate(None, vec![Some(vui_timing(1, 300))]).unwrap(), Some(("300".into(), false)));
        for (units, scale, ticks) in [(3, 9000, 5), (u32::MAX, 1, 2)] {
            let vui = vui_fixed_timing(units, scale, ticks);
            let error = rate(None, vec![Some(vui)]).unwrap_err().to_string();
            assert!(error.contains(&format!("{scale}/({units} × {ticks}) pictures")), "{error}");
        }
        let error =
            rate(None, vec![Some(vui_timing(1, 25)), Some(vui_timing(1, 30))]).unwrap_err().to_string();
        assert!(error.contains("one says 25, another 30"), "{error}");
        let error = rate(None, vec![Some(vui_timing(1, 25)), None]).unwrap_err().to_string();
        assert!(error.contains("one says nothing, another 25"), "{error}");
    }
}
