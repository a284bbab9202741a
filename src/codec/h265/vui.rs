//! Video usability information (H.265 E.2.1) ► sample aspect ratio, colour, fields, timing, segmentation. Everything
//! between and behind them is read past, so that a set cut off in its VUI is noticed.

use crate::bits::BitReader;
use crate::codec::h264::vui::read_appearance;
use crate::codec::{Colour, SampleAspectRatio};
use crate::error::Result;

use super::hrd::{Common, read_hrd};

/// What VUI says that a container repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vui {
    /// `None` when unspecified or reserved.
    pub sample_aspect_ratio: Option<SampleAspectRatio>,
    /// `None` when nothing is said that differs from what holds without VUI.
    pub colour: Option<Colour>,
    /// `field_seq_flag`: every picture is a field.
    pub field_seq: bool,
    /// `frame_field_info_present_flag`: picture timing SEI messages say how each picture is to be shown.
    pub frame_field_info_present: bool,
    /// Offsets of the default display window on the left, right, top and bottom, in chroma units. It is a hint to
    /// applications: the picture as shown is that of the conformance window.
    pub default_display_window: Option<[u32; 4]>,
    /// `None` without `vui_timing_info_present_flag`.
    pub timing: Option<Timing>,
    /// `min_spatial_segmentation_idc`, 0..=4095: 0 where nothing is said.
    pub min_spatial_segmentation_idc: u16,
}

/// Timing fields as they are in the stream (E.3.1, 7.4.3.1); zeros, though forbidden, are kept for whoever uses them to
/// judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timing {
    /// `num_units_in_tick`: time units a tick takes, in units of `1 / time_scale` seconds.
    pub num_units_in_tick: u32,
    /// Time units a second.
    pub time_scale: u32,
    /// Ticks from one picture to the next, 1..=2048, where HRD parameters say that this is fixed.
    pub fixed_ticks: Option<u16>,
}

impl Timing {
    /// `num_units_in_tick` through `num_ticks_poc_diff_one_minus1`, which VUI and video parameter set have alike.
    pub(super) fn read(r: &mut BitReader<'_>) -> Result<Self> {
        let timing = Self {
            num_units_in_tick: r.u(32, "num_units_in_tick")?,
            time_scale: r.u(32, "time_scale")?,
            fixed_ticks: None,
        };
        if r.flag("poc_proportional_to_timing_flag")? {
            r.ue("num_ticks_poc_diff_one_minus1")?;
        }
        Ok(timing)
    }
}

impl Vui {
    /// `vui_parameters()` (E.2.1).
    pub(super) fn read(r: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<Self> {
        let (sample_aspect_ratio, colour) = read_appearance(r)?;
        let mut vui = Self { sample_aspect_ratio, colour, ..Self::default() };
        r.flag("neutral_chroma_indication_flag")?;
        vui.field_seq = r.flag("field_seq_flag")?;
        vui.frame_field_info_present = r.flag("frame_field_info_present_flag")?;
        if r.flag("default_display_window_flag")? {
            vui.default_display_window = Some([
                r.ue("def_disp_win_left_offset")?,
                r.ue("def_disp_win_right_offset")?,
                r.ue("def_disp_win_top_offset")?,
                r.ue("def_disp_win_bottom_offset")?,
            ]);
        }
        if r.flag("vui_timing_info_present_flag")? {
            let mut timing = Timing::read(r)?;
            if r.flag("vui_hrd_parameters_present_flag")? {
                timing.fixed_ticks = read_hrd(r, &mut Common::default(), true, max_sub_layers_minus1)?;
            }
            vui.timing = Some(timing);
        }
        if r.flag("bitstream_restriction_flag")? {
            vui.min_spatial_segmentation_idc = read_restriction(r)?;
        }
        Ok(vui)
    }
}

fn read_restriction(r: &mut BitReader<'_>) -> Result<u16> {
    r.flag("tiles_fixed_structure_flag")?;
    r.flag("motion_vectors_over_pic_boundaries_flag")?;
    r.flag("restricted_ref_pic_lists_flag")?;
    let segmentation = r.ue_max(4095, "min_spatial_segmentation_idc", "0..=4095")?;
    r.ue("max_bytes_per_pic_denom")?;
    r.ue("max_bits_per_min_cu_denom")?;
    r.ue("log2_max_mv_length_horizontal")?;
    r.ue("log2_max_mv_length_vertical")?;
    Ok(u16::try_from(segmentation).expect("ue_max keeps it within 4095"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, BitWriter};
    use super::*;

    fn read(w: &mut BitWriter) -> Vui {
        w.u(0xabcd, 16);
        let bytes = w.finish();
        let mut r = BitReader::new(&bytes, "H.265 E.3.1");
        let vui = Vui::read(&mut r, 0).unwrap();
        assert_eq!(r.u(16, "behind").unwrap(), 0xabcd);
        vui
    }

    #[test]
    fn every_element_is_found_behind_those_in_front_of_it() {
        let mut w = BitWriter::default();
        w.flag(true).u(14, 8).flag(true).flag(true); // 4:3; overscan
        w.flag(true).u(5, 3).flag(false).flag(true).u(9, 8).u(16, 8).u(9, 8); // BT.2020, PQ
        w.flag(true).ue(2).ue(2); // chroma location
        w.flag(false).flag(true).flag(true); // fields
        w.flag(true).ue(1).ue(2).ue(3).ue(4); // default display window
        w.flag(true).u(1001, 32).u(60_000, 32).flag(true).ue(0).flag(true);
        w.flag(false).flag(false).flag(true).ue(0).ue(0); // HRD
        w.flag(true).u(7, 3).ue(4095).ue(0).ue(0).ue(15).ue(15);
        let expected = Vui {
            sample_aspect_ratio: Some(SampleAspectRatio { horizontal: 4, vertical: 3 }),
            colour: Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false }),
            field_seq: true,
            frame_field_info_present: true,
            default_display_window: Some([1, 2, 3, 4]),
            timing: Some(Timing { num_units_in_tick: 1001, time_scale: 60_000, fixed_ticks: Some(1) }),
            min_spatial_segmentation_idc: 4095,
        };
        assert_eq!(read(&mut w), expected);
    }

    #[test]
    fn each_part_may_stand_alone() {
        assert_eq!(read(BitWriter::default().u(0, 10)), Vui::default());
        let timing = Some(Timing { num_units_in_tick: 1, time_scale: 25, fixed_ticks: None });
        assert_eq!(read(&mut testing::vui_timing(1, 25)), Vui { timing, ..Vui::default() });
        let timing = Some(Timing { num_units_in_tick: 1, time_scale: 50, fixed_ticks: Some(2) });
        assert_eq!(read(&mut testing::vui_fixed_timing(1, 50, 2)), Vui { timing, ..Vui::default() });
        let fields = Vui { field_seq: true, frame_field_info_present: true, ..Vui::default() };
        assert_eq!(read(&mut testing::vui_fields()), fields);
        let segmentation = Vui { min_spatial_segmentation_idc: 48, ..Vui::default() };
        assert_eq!(read(&mut testing::vui_segmentation(48)), segmentation);
    }

    #[test]
    fn segmentation_that_the_record_cannot_hold_is_refused() {
        let bytes = testing::vui_segmentation(4096).finish();
        let error = Vui::read(&mut BitReader::new(&bytes, "H.265 E.3.1"), 0).unwrap_err().to_string();
        assert!(error.contains("min_spatial_segmentation_idc is 4096, must be 0..=4095"), "{error}");
    }
}
