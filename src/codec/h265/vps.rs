//! Video parameter set (H.265 7.3.2.1) ► its id and timing. The rest is read past as far as the extension, which is
//! about further layers.

use crate::bits::BitReader;
use crate::error::{Error, Result};

use super::hrd::{Common, read_hrd};
use super::{HEADER_LEN, ProfileTierLevel, Timing, payload, skip_sub_layer_ordering, u_u8};

/// A video parameter set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoParameterSet {
    /// `vps_video_parameter_set_id`, 0..=15.
    pub id: u8,
    /// `vps_max_sub_layers_minus1 + 1`, 1..=7.
    pub max_sub_layers: u8,
    /// `vps_temporal_id_nesting_flag`.
    pub temporal_id_nesting: bool,
    /// Profile, tier and level of the whole stream.
    pub profile_tier_level: ProfileTierLevel,
    /// `None` without `vps_timing_info_present_flag`.
    pub timing: Option<Timing>,
}

const CLAUSE: &str = "H.265 7.4.3.1";

impl VideoParameterSet {
    /// Reads the set in `nal`, a whole NAL unit. Offsets of errors count from its first header byte.
    pub fn read(nal: &[u8]) -> Result<Self> {
        Self::read_data(&mut payload(nal, CLAUSE)).map_err(|error| error.shift(HEADER_LEN as u64))
    }

    fn read_data(r: &mut BitReader<'_>) -> Result<Self> {
        let id = u_u8(r, 4, "vps_video_parameter_set_id")?;
        r.flag("vps_base_layer_internal_flag")?;
        r.flag("vps_base_layer_available_flag")?;
        r.u(6, "vps_max_layers_minus1")?;
        let max_sub_layers_minus1 = read_max_sub_layers_minus1(r, "vps_max_sub_layers_minus1")?;
        let temporal_id_nesting = r.flag("vps_temporal_id_nesting_flag")?;
        let reserved_at = r.byte_offset();
        let reserved = r.u(16, "vps_reserved_0xffff_16bits")?;
        if reserved != 0xffff {
            let element = "vps_reserved_0xffff_16bits";
            return Err(Error::out_of_range(element, reserved, "65535", CLAUSE).at(reserved_at));
        }
        let profile_tier_level = ProfileTierLevel::read(r, max_sub_layers_minus1)?;
        skip_sub_layer_ordering(r, max_sub_layers_minus1)?;
        let max_layer_id = r.u(6, "vps_max_layer_id")?;
        let layer_sets = 1 + r.ue_max(1023, "vps_num_layer_sets_minus1", "0..=1023")?;
        for _ in 1..layer_sets {
            for _ in 0..=max_layer_id {
                r.flag("layer_id_included_flag")?;
            }
        }
        let mut timing = None;
        if r.flag("vps_timing_info_present_flag")? {
            timing = Some(read_timing(r, layer_sets, max_sub_layers_minus1)?);
        }
        r.flag("vps_extension_flag")?;
        let max_sub_layers = max_sub_layers_minus1 + 1;
        Ok(Self { id, max_sub_layers, temporal_id_nesting, profile_tier_level, timing })
    }
}

/// `vps_max_sub_layers_minus1` or that of a sequence parameter set of the base layer.
pub(super) fn read_max_sub_layers_minus1(r: &mut BitReader<'_>, element: &'static str) -> Result<u8> {
    let at = r.byte_offset();
    let value = u_u8(r, 3, element)?;
    if value > 6 {
        return Err(Error::out_of_range(element, value, "0..=6", r.clause()).at(at));
    }
    Ok(value)
}

fn read_timing(r: &mut BitReader<'_>, layer_sets: u32, max_sub_layers_minus1: u8) -> Result<Timing> {
    let mut timing = Timing::read(r)?;
    let at = r.byte_offset();
    let count = r.ue("vps_num_hrd_parameters")?;
    if count > layer_sets {
        let allowed = "up to vps_num_layer_sets_minus1 + 1";
        return Err(Error::out_of_range("vps_num_hrd_parameters", count, allowed, CLAUSE).at(at));
    }
    let mut common = Common::default();
    for i in 0..count {
        // Layer set 0 is the base layer alone.
        let layer_set = r.ue_max(1023, "hrd_layer_set_idx", "0..=1023")?;
        let common_present = i == 0 || r.flag("cprms_present_flag")?;
        let ticks = read_hrd(r, &mut common, common_present, max_sub_layers_minus1)?;
        if layer_set == 0 {
            timing.fixed_ticks = ticks;
        }
    }
    Ok(timing)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, BitWriter};
    use super::*;

    #[test]
    fn set_of_a_real_encoder_reads_as_ffmpeg_reads_it() {
        // x265 3.5 (build 199) in FFmpeg 5.1.9: two temporal sub-layers; values from `trace_headers`.
        let nal = [
            0x40, 0x01, 0x0c, 0x02, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03,
            0x00, 0x00, 0x03, 0x00, 0x3c, 0x00, 0x00, 0x95, 0x98, 0xac, 0xc0, 0x48,
        ];
        let vps = VideoParameterSet::read(&nal).unwrap();
        assert_eq!((vps.id, vps.max_sub_layers, vps.temporal_id_nesting, vps.timing), (0, 2, false, None));
        assert_eq!(vps.profile_tier_level.codec_string("hvc1"), "hvc1.1.6.L60.90");
        for len in 2..nal.len() {
            let error = VideoParameterSet::read(&nal[..len]).unwrap_err();
            assert!(error.to_string().contains("runs past the end"), "{len}: {error}");
            assert_eq!(error.offset(), Some(len as u64));
        }
    }

    #[test]
    fn timing_is_read_with_the_ticks_of_the_base_layer_set() {
        let mut hrd = BitWriter::default();
        hrd.ue(1).ue(0).flag(false).flag(false);
        for _ in 0..3 {
            hrd.flag(true).ue(1).ue(0);
        }
        let vps = testing::Vps {
            id: 15,
            max_sub_layers: 3,
            timing: Some((1, 50)),
            hrd: Some(hrd),
            ..Default::default()
        };
        let vps = VideoParameterSet::read(&vps.nal()).unwrap();
        let timing = Timing { num_units_in_tick: 1, time_scale: 50, fixed_ticks: Some(2) };
        assert_eq!((vps.id, vps.max_sub_layers, vps.timing), (15, 3, Some(timing)));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let mut hrd = BitWriter::default();
        hrd.ue(2);
        let vps = testing::Vps { timing: Some((1, 50)), hrd: Some(hrd), ..Default::default() };
        let error = VideoParameterSet::read(&vps.nal()).unwrap_err().to_string();
        assert!(error.contains("vps_num_hrd_parameters is 2"), "{error}");
        let mut nal = testing::Vps::default().nal();
        nal[4] = 0xfe;
        let error = VideoParameterSet::read(&nal).unwrap_err();
        assert!(error.to_string().contains("vps_reserved_0xffff_16bits is 65279"), "{error}");
        assert_eq!(error.offset(), Some(4));
        let mut nal = testing::Vps::default().nal();
        nal[3] |= 0x0e;
        let error = VideoParameterSet::read(&nal).unwrap_err().to_string();
        assert!(error.contains("vps_max_sub_layers_minus1 is 7, must be 0..=6"), "{error}");
    }
}
