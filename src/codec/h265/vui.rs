//! Video usability information (H.265 E.2.1) ► sample aspect ratio, colour, fields, timing, segmentation. Everything
//! between and behind them is read past, so that a set cut off in its VUI is noticed.

use crate::bits::BitReader;
use crate::codec::h264::vui::{read_sample_aspect_ratio, read_video_signal_type};
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
        let mut vui = Self::default();
        if r.flag("aspect_ratio_info_present_flag")? {
            vui.sample_aspect_ratio = read_sample_aspect_ratio(r)?;
        }
        if r.flag("overscan_info_present_flag")? {
            r.flag("overscan_appropriate_flag")?;
        }
        if r.flag("video_signal_type_present_flag")? {
            vui.colour = read_video_signal_type(r)?;
        }
        if r.flag("chroma_loc_info_present_flag")? {
            r.ue("chroma_sample_loc_type_top_field")?;
            r.ue("chroma_sample_loc_type_bottom_field")?;
        }
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
