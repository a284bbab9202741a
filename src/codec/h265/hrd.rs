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

#[cfg(test)]
mod tests {
    use super::super::testing::BitWriter;
    use super::*;

    /// What is read of these bits, and that all of them were.
    fn read(w: &mut BitWriter, common: &mut Common, present: bool, sub_layers: u8) -> Option<u16> {
        w.u(0xabcd, 16);
        let bytes = w.finish();
        let mut r = BitReader::new(&bytes, "H.265 E.3.2");
        let ticks = read_hrd(&mut r, common, present, sub_layers - 1).unwrap();
        assert_eq!(r.u(16, "behind").unwrap(), 0xabcd);
        ticks
    }

    #[test]
    fn every_element_is_read_past_and_the_highest_sub_layer_counts() {
        let mut w = BitWriter::default();
        w.flag(true).flag(true).flag(true).u(98, 8).u(3, 5).flag(true).u(4, 5); // sub-pictures
        w.u(1, 4).u(2, 4).u(3, 4).u(23, 5).u(22, 5).u(21, 5);
        w.flag(true).ue(7).ue(1); // fixed, two buffers
        for _ in 0..4 {
            w.ue(100).ue(200).ue(300).ue(400).flag(true);
        }
        w.flag(false).flag(true).ue(3).ue(0); // fixed within a sequence
        for _ in 0..2 {
            w.ue(100).ue(200).ue(300).ue(400).flag(false);
        }
        let mut common = Common::default();
        assert_eq!(read(&mut w, &mut common, true, 2), Some(4));
        // The next one may build on what is common, and be of low delay with one buffer.
        let mut w = BitWriter::default();
        w.flag(false).flag(false).flag(true);
        for _ in 0..2 {
            w.ue(100).ue(200).ue(300).ue(400).flag(false);
        }
        assert_eq!(read(&mut w, &mut common, false, 1), None);
        let mut w = BitWriter::default();
        w.flag(false).flag(false).flag(false).flag(false).flag(false).ue(31); // no HRD: no buffers either
        assert_eq!(read(&mut w, &mut common, true, 1), None);
    }

    #[test]
    fn too_many_buffers_and_too_long_pictures_are_refused() {
        let error = |w: &mut BitWriter| {
            let bytes = w.finish();
            let mut r = BitReader::new(&bytes, "H.265 E.3.2");
            read_hrd(&mut r, &mut Common::default(), true, 0).unwrap_err().to_string()
        };
        let text =
            error(BitWriter::default().flag(false).flag(false).flag(false).flag(false).flag(false).ue(32));
        assert!(text.contains("cpb_cnt_minus1 is 32, must be 0..=31"), "{text}");
        let text = error(BitWriter::default().flag(false).flag(false).flag(true).ue(2048));
        assert!(text.contains("elemental_duration_in_tc_minus1 is 2048"), "{text}");
    }
}
