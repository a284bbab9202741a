//! Parameter sets of a whole track ► `HEVCDecoderConfigurationRecord` (the body of `hvcC`, ISO/IEC 14496-15 8.3.3.1),
//! codec string, picture format, frame rate. ISO/IEC 14496-15 was not opened: the record is as others quote it, and as
//! FFmpeg writes it.

use crate::codec::parameter_sets::{MAX_SET_LEN, trim_zeros};
use crate::codec::sei::HdrMetadata;
use crate::codec::{BitstreamRate, ParameterSetPlacement, ScanType, VideoFormat};
use crate::error::{Error, Result};
use crate::time::FrameRate;

use super::{ChromaFormat, NalHeader, NalUnitType, ParameterSets, ProfileTierLevel, Timing};

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

impl HevcConfiguration {
    pub(super) fn new(sets: &ParameterSets) -> Result<Self> {
        let missing = |kind: &str| {
            Error::malformed(
                format!("no {kind} parameter set has come"),
                "H.265 7.4.2.4.2",
                "give a stream with at least one coded picture, or its parameter sets",
            )
        };
        let unused = || sets.first_sps().next().map(|set| &set.value);
        let first = sets.first_used().or_else(unused).ok_or_else(|| missing("sequence"))?;
        if sets.first_vps().next().is_none() {
            return Err(missing("video"));
        }
        if sets.first_pps().next().is_none() {
            return Err(missing("picture"));
        }
        let chroma = first.chroma;
        if let Some(other) = sets.first_sps().map(|set| &set.value).find(|sps| sps.chroma != chroma) {
            return Err(Error::unsupported(
                format!(
                    "sequence parameter sets {} and {} have different sample formats, and one configuration record \
                     holds one",
                    first.id, other.id
                ),
                "remove the set that no picture uses",
            ));
        }
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
            vps: sets.first_vps().map(|set| set.bytes.clone()).collect(),
            sps: sets.first_sps().map(|set| set.bytes.clone()).collect(),
            pps: sets.first_pps().map(|set| set.bytes.clone()).collect(),
            sei: Vec::new(),
            format: first.video_format(),
            scan,
            field_coded: first.vui.field_seq,
            timings: sets.timings().iter().copied().collect(),
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
        // Depths of 16 bits, which are 8 more, do not fit; their lower bits are what FFmpeg keeps too.
        record.push(0b1111_1000 | (self.chroma.luma_bits - 8) & 7); // bitDepthLumaMinus8
        record.push(0b1111_1000 | (self.chroma.chroma_bits - 8) & 7); // bitDepthChromaMinus8
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
        let mut rates = self.timings.iter().map(|timing| timing.as_ref().map(picture_rate).transpose());
        let Some(first) = rates.next().transpose()? else { return Ok(None) };
        for other in rates {
            let other = other?;
            if other != first {
                let say =
                    |rate: Option<FrameRate>| rate.map_or("nothing".to_owned(), |rate| rate.to_string());
                return Err(Error::conflict(
                    format!(
                        "parameter sets disagree on the frame rate: one says {}, another {}",
                        say(first),
                        say(other)
                    ),
                    RATE_REMEDY,
                ));
            }
        }
        let fixed = self.timings.iter().flatten().all(|timing| timing.fixed_ticks.is_some());
        Ok(first.map(|rate| BitstreamRate { rate, fixed }))
    }
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

/// What to do about timing fields that give no rate.
const RATE_REMEDY: &str = "give the frame rate (fps=)";

/// Pictures a second.
fn picture_rate(timing: &Timing) -> Result<FrameRate> {
    let (time_scale, units) = (timing.time_scale, timing.num_units_in_tick);
    let ticks = timing.fixed_ticks.unwrap_or(1);
    FrameRate::new(u64::from(time_scale), u64::from(units) * u64::from(ticks)).ok_or_else(|| {
        let divisor = if ticks == 1 { units.to_string() } else { format!("({units} × {ticks})") };
        let what = format!(
            "the timing fields give {time_scale}/{divisor} pictures a second, which is not above 0 and up to {}",
            FrameRate::MAX
        );
        Error::malformed(what, "H.265 E.3.1", RATE_REMEDY)
    })
}

/// `array_completeness` and `NAL_unit_type`, a count, and the NAL units with 16-bit lengths. There are at most 64 sets of
/// a kind, and lengths were checked to fit.
fn push_array(record: &mut Vec<u8>, complete: bool, unit_type: NalUnitType, nals: &[Vec<u8>]) {
    let fits = |count: usize| u16::try_from(count).expect("checked by ParameterSets::insert and with_sei");
    record.push(u8::from(complete) << 7 | unit_type.code());
    record.extend(fits(nals.len()).to_be_bytes());
    for nal in nals {
        record.extend(fits(nal.len()).to_be_bytes());
        record.extend(nal);
    }
}
