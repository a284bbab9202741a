//! Video usability information (H.264 Annex E) ► sample aspect ratio, colour, timing, and how picture timing SEI messages
//! are coded. Everything between and behind them is read past, so that a set cut off in its VUI is noticed; none of it
//! changes how a stream is packaged.

use crate::bits::BitReader;
use crate::codec::{Colour, SampleAspectRatio};
use crate::error::Result;

use super::{u_u8, ue_u8};

/// What VUI says that a container repeats, or that SEI messages are read with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vui {
    /// `None` when unspecified or reserved.
    pub sample_aspect_ratio: Option<SampleAspectRatio>,
    /// `None` when nothing is said that differs from what holds without VUI.
    pub colour: Option<Colour>,
    /// `None` without `timing_info_present_flag`.
    pub timing: Option<Timing>,
    /// `None` where `CpbDpbDelaysPresentFlag` is 0: picture timing SEI messages have no delays.
    pub cpb_dpb_delays: Option<CpbDpbDelayLengths>,
    /// `pic_struct_present_flag`: picture timing SEI messages have `pic_struct`.
    pub pic_struct_present: bool,
}

/// Bits of the delays in picture timing SEI messages (E.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpbDpbDelayLengths {
    /// `cpb_removal_delay_length_minus1 + 1`, 1..=32.
    pub cpb_removal_delay: u8,
    /// `dpb_output_delay_length_minus1 + 1`, 1..=32.
    pub dpb_output_delay: u8,
}

/// Timing fields as they are in the stream (E.2.1); zeros, though forbidden, are kept for whoever uses them to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timing {
    /// Time units a field takes, in units of `1 / time_scale` seconds.
    pub num_units_in_tick: u32,
    /// Time units a second.
    pub time_scale: u32,
    /// Whether every picture lasts as long as the fields say.
    pub fixed_frame_rate: bool,
}

/// Table E-1, `aspect_ratio_idc` 1 to 16; that of H.265 is the same.
const SAMPLE_ASPECT_RATIOS: [(u16, u16); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// `aspect_ratio_idc` that is followed by the ratio itself (Table E-1).
const EXTENDED_SAR: u8 = 255;

impl Vui {
    /// `vui_parameters()` (E.1.1).
    pub(super) fn read(r: &mut BitReader<'_>) -> Result<Self> {
        let (sample_aspect_ratio, colour) = read_appearance(r)?;
        let mut vui = Self { sample_aspect_ratio, colour, ..Self::default() };
        if r.flag("timing_info_present_flag")? {
            vui.timing = Some(Timing {
                num_units_in_tick: r.u(32, "num_units_in_tick")?,
                time_scale: r.u(32, "time_scale")?,
                fixed_frame_rate: r.flag("fixed_frame_rate_flag")?,
            });
        }
        // Where both are present they have the same lengths (E.2.2).
        for element in ["nal_hrd_parameters_present_flag", "vcl_hrd_parameters_present_flag"] {
            if r.flag(element)? {
                vui.cpb_dpb_delays = Some(read_hrd_parameters(r)?);
            }
        }
        if vui.cpb_dpb_delays.is_some() {
            r.flag("low_delay_hrd_flag")?;
        }
        vui.pic_struct_present = r.flag("pic_struct_present_flag")?;
        if r.flag("bitstream_restriction_flag")? {
            r.flag("motion_vectors_over_pic_boundaries_flag")?;
            r.ue("max_bytes_per_pic_denom")?;
            r.ue("max_bits_per_mb_denom")?;
            r.ue("log2_max_mv_length_horizontal")?;
            r.ue("log2_max_mv_length_vertical")?;
            r.ue("max_num_reorder_frames")?;
            r.ue("max_dec_frame_buffering")?;
        }
        Ok(vui)
    }
}

/// `vui_parameters()` through the chroma sample location, which H.265 (E.2.1) starts with too: sample aspect ratio and
/// colour.
pub(in crate::codec) fn read_appearance(
    r: &mut BitReader<'_>,
) -> Result<(Option<SampleAspectRatio>, Option<Colour>)> {
    let (mut sample_aspect_ratio, mut colour) = (None, None);
    if r.flag("aspect_ratio_info_present_flag")? {
        sample_aspect_ratio = read_sample_aspect_ratio(r)?;
    }
    if r.flag("overscan_info_present_flag")? {
        r.flag("overscan_appropriate_flag")?;
    }
    if r.flag("video_signal_type_present_flag")? {
        colour = read_video_signal_type(r)?;
    }
    if r.flag("chroma_loc_info_present_flag")? {
        r.ue("chroma_sample_loc_type_top_field")?;
        r.ue("chroma_sample_loc_type_bottom_field")?;
    }
    Ok((sample_aspect_ratio, colour))
}

/// `aspect_ratio_idc` and what follows it.
fn read_sample_aspect_ratio(r: &mut BitReader<'_>) -> Result<Option<SampleAspectRatio>> {
    let idc = u_u8(r, 8, "aspect_ratio_idc")?;
    let (horizontal, vertical) = if idc == EXTENDED_SAR {
        (u_u16(r, "sar_width")?, u_u16(r, "sar_height")?)
    } else {
        let index = usize::from(idc).wrapping_sub(1);
        SAMPLE_ASPECT_RATIOS.get(index).copied().unwrap_or((0, 0))
    };
    // E.2.1: a ratio with a zero is unspecified.
    Ok((horizontal != 0 && vertical != 0).then_some(SampleAspectRatio { horizontal, vertical }))
}

/// `video_format` through the colour description.
fn read_video_signal_type(r: &mut BitReader<'_>) -> Result<Option<Colour>> {
    /// "Unspecified" of Tables E-3, E-4 and E-5, which holds where there is no colour description.
    const UNSPECIFIED: u8 = 2;
    r.u(3, "video_format")?;
    let mut colour = Colour {
        primaries: UNSPECIFIED,
        transfer: UNSPECIFIED,
        matrix: UNSPECIFIED,
        full_range: r.flag("video_full_range_flag")?,
    };
    let described = r.flag("colour_description_present_flag")?;
    if described {
        colour.primaries = u_u8(r, 8, "colour_primaries")?;
        colour.transfer = u_u8(r, 8, "transfer_characteristics")?;
        colour.matrix = u_u8(r, 8, "matrix_coefficients")?;
    }
    // Limited range alone is what holds without VUI too.
    Ok((described || colour.full_range).then_some(colour))
}

/// `hrd_parameters()` (E.1.2).
fn read_hrd_parameters(r: &mut BitReader<'_>) -> Result<CpbDpbDelayLengths> {
    let cpb_cnt_minus1 = ue_u8(r, 31, "cpb_cnt_minus1", "0..=31")?;
    r.u(4, "bit_rate_scale")?;
    r.u(4, "cpb_size_scale")?;
    for _ in 0..=cpb_cnt_minus1 {
        r.ue("bit_rate_value_minus1")?;
        r.ue("cpb_size_value_minus1")?;
        r.flag("cbr_flag")?;
    }
    r.u(5, "initial_cpb_removal_delay_length_minus1")?;
    let lengths = CpbDpbDelayLengths {
        cpb_removal_delay: 1 + u_u8(r, 5, "cpb_removal_delay_length_minus1")?,
        dpb_output_delay: 1 + u_u8(r, 5, "dpb_output_delay_length_minus1")?,
    };
    r.u(5, "time_offset_length")?;
    Ok(lengths)
}

fn u_u16(r: &mut BitReader<'_>, element: &'static str) -> Result<u16> {
    Ok((r.u(16, element)? & 0xffff) as u16)
}

#[cfg(test)]
mod tests {
    use super::super::testing::BitWriter;
    use super::*;

    fn read(write: impl FnOnce(&mut BitWriter)) -> Vui {
        let mut w = BitWriter::default();
        write(&mut w);
        let payload = w.finish();
        Vui::read(&mut BitReader::new(&payload, "H.264 E.1.1")).unwrap()
    }

    /// Everything behind the sample aspect ratio absent.
    const NO_MORE: (u32, u8) = (0, 8);

    #[test]
    fn aspect_ratio_indicators_follow_the_table() {
        let ratio = |idc: u32| {
            read(|w| {
                w.flag(true).u(idc, 8).u(NO_MORE.0, NO_MORE.1);
            })
            .sample_aspect_ratio
            .map(|s| (s.horizontal, s.vertical))
        };
        assert_eq!(ratio(0), None);
        assert_eq!(ratio(1), Some((1, 1)));
        assert_eq!(ratio(2), Some((12, 11)));
        assert_eq!(ratio(13), Some((160, 99)));
        assert_eq!(ratio(14), Some((4, 3)));
        assert_eq!(ratio(16), Some((2, 1)));
        assert_eq!(ratio(17), None);
        assert_eq!(ratio(254), None);
    }

    #[test]
    fn extended_aspect_ratio_is_taken_as_it_is_unless_a_side_is_zero() {
        let ratio = |width: u32, height: u32| {
            read(|w| {
                w.flag(true).u(255, 8).u(width, 16).u(height, 16).u(NO_MORE.0, NO_MORE.1);
            })
            .sample_aspect_ratio
            .map(|s| (s.horizontal, s.vertical))
        };
        assert_eq!(ratio(64, 45), Some((64, 45)));
        assert_eq!(ratio(65535, 1), Some((65535, 1)));
        assert_eq!(ratio(0, 1), None);
        assert_eq!(ratio(1, 0), None);
    }

    #[test]
    fn range_without_colour_description_counts_only_when_full() {
        let colour = |full: bool| {
            read(|w| {
                w.flag(false).flag(false).flag(true).u(5, 3).flag(full).flag(false).u(0, 6);
            })
            .colour
        };
        assert_eq!(colour(false), None);
        assert_eq!(colour(true), Some(Colour { primaries: 2, transfer: 2, matrix: 2, full_range: true }));
    }

    #[test]
    fn timing_is_found_behind_everything_that_may_stand_in_front_and_hrd_is_read_past() {
        let vui = read(|w| {
            w.flag(false).flag(true).flag(true); // aspect ratio no; overscan yes, appropriate
            w.flag(true).u(5, 3).flag(false).flag(true).u(9, 8).u(16, 8).u(9, 8); // BT.2020, PQ
            w.flag(true).ue(2).ue(2); // chroma location
            w.flag(true).u(1001, 32).u(120_000, 32).flag(true);
            for _ in 0..2 {
                w.flag(true).ue(1).u(0, 4).u(0, 4); // HRD with two CPBs
                w.ue(999).ue(1999).flag(false).ue(99).ue(199).flag(true).u(23, 5).u(16, 5).u(31, 5).u(24, 5);
            }
            w.flag(false).flag(true); // low delay, pic_struct
            w.flag(true).flag(true).ue(0).ue(0).ue(11).ue(11).ue(2).ue(4);
        });
        let lengths = CpbDpbDelayLengths { cpb_removal_delay: 17, dpb_output_delay: 32 };
        assert_eq!((vui.cpb_dpb_delays, vui.pic_struct_present), (Some(lengths), true));
        assert_eq!(
            vui.timing,
            Some(Timing { num_units_in_tick: 1001, time_scale: 120_000, fixed_frame_rate: true })
        );
        assert_eq!(vui.colour, Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false }));
    }

    #[test]
    fn delays_are_there_with_either_hrd_and_pic_struct_without_them() {
        let hrd = |w: &mut BitWriter, present: bool| {
            w.flag(present);
            if present {
                w.ue(0).u(0, 8).ue(999).ue(1999).flag(false).u(23, 5).u(0, 5).u(5, 5).u(24, 5);
            }
        };
        for (nal, vcl, pic_struct) in
            [(true, false, false), (false, true, true), (false, false, true), (false, false, false)]
        {
            let vui = read(|w| {
                w.u(0, 5);
                hrd(w, nal);
                hrd(w, vcl);
                if nal || vcl {
                    w.flag(true);
                }
                w.flag(pic_struct).flag(false);
            });
            let lengths = CpbDpbDelayLengths { cpb_removal_delay: 1, dpb_output_delay: 6 };
            assert_eq!(vui.cpb_dpb_delays, (nal || vcl).then_some(lengths));
            assert_eq!(vui.pic_struct_present, pic_struct);
        }
    }

    #[test]
    fn too_many_hrd_buffers_are_refused() {
        let mut w = BitWriter::default();
        w.u(0, 5).flag(true).ue(32).u(0, 32);
        let payload = w.finish();
        let error = Vui::read(&mut BitReader::new(&payload, "H.264 E.2.2")).unwrap_err();
        assert!(error.to_string().contains("cpb_cnt_minus1 is 32, must be 0..=31"), "{error}");
    }
}
