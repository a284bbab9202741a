//! `hrd_parameters()` (H.265 E.2.2) ► how long a picture lasts, where that is fixed. The rest is read past, to reach
//! what stands behind.

use crate::bits::BitReader;
use crate::error::Result;

use super::{u_u8, ue_u8};

/// What the first `hrd_parameters()` of a video parameter set leaves for the next ones, which may lack it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Common {
    nal: bool,
    vcl: bool,
    sub_pictures: bool,
}

/// Reads `hrd_parameters( common_present, max_sub_layers_minus1 )`: ticks from one picture to the next, 1..=2048, where
/// that is fixed with all sub-layers.
pub(super) fn read_hrd(
    r: &mut BitReader<'_>,
    common: &mut Common,
    common_present: bool,
    max_sub_layers_minus1: u8,
) -> Result<Option<u16>> {
    if common_present {
        *common = read_common(r)?;
    }
    let mut ticks = None;
    for _ in 0..=max_sub_layers_minus1 {
        ticks = read_sub_layer(r, *common)?;
    }
    Ok(ticks)
}

fn read_common(r: &mut BitReader<'_>) -> Result<Common> {
    let nal = r.flag("nal_hrd_parameters_present_flag")?;
    let vcl = r.flag("vcl_hrd_parameters_present_flag")?;
    let mut sub_pictures = false;
    if nal || vcl {
        sub_pictures = r.flag("sub_pic_hrd_params_present_flag")?;
        if sub_pictures {
            r.u(8, "tick_divisor_minus2")?;
            r.u(5, "du_cpb_removal_delay_increment_length_minus1")?;
            r.flag("sub_pic_cpb_params_in_pic_timing_sei_flag")?;
            r.u(5, "dpb_output_delay_du_length_minus1")?;
        }
        r.u(4, "bit_rate_scale")?;
        r.u(4, "cpb_size_scale")?;
        if sub_pictures {
            r.u(4, "cpb_size_du_scale")?;
        }
        r.u(5, "initial_cpb_removal_delay_length_minus1")?;
        r.u(5, "au_cpb_removal_delay_length_minus1")?;
        u_u8(r, 5, "dpb_output_delay_length_minus1")?;
    }
    Ok(Common { nal, vcl, sub_pictures })
}

fn read_sub_layer(r: &mut BitReader<'_>, common: Common) -> Result<Option<u16>> {
    let fixed = r.flag("fixed_pic_rate_general_flag")? || r.flag("fixed_pic_rate_within_cvs_flag")?;
    let (mut ticks, mut low_delay) = (None, false);
    if fixed {
        let minus1 = r.ue_max(2047, "elemental_duration_in_tc_minus1", "0..=2047")?;
        ticks = Some(1 + u16::try_from(minus1).expect("ue_max keeps it within 2047"));
    } else {
        low_delay = r.flag("low_delay_hrd_flag")?;
    }
    let cpb_cnt_minus1 = if low_delay { 0 } else { ue_u8(r, 31, "cpb_cnt_minus1", "0..=31")? };
    for _ in 0..u8::from(common.nal) + u8::from(common.vcl) {
        for _ in 0..=cpb_cnt_minus1 {
            r.ue("bit_rate_value_minus1")?;
            r.ue("cpb_size_value_minus1")?;
            if common.sub_pictures {
                r.ue("cpb_size_du_value_minus1")?;
                r.ue("bit_rate_du_value_minus1")?;
            }
            r.flag("cbr_flag")?;
        }
    }
    Ok(ticks)
}
