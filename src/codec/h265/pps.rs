//! Picture parameter set (H.265 7.3.2.3) ► what slice segment headers and the configuration record depend on. Its
//! extensions, whose flags are read, change none of that and are not read.

use crate::bits::BitReader;
use crate::error::Result;

use super::{HEADER_LEN, payload, skip_scaling_lists, u_u8, ue_u8};

/// What slice segment headers and the configuration record need of a picture parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureParameterSet {
    /// `pps_pic_parameter_set_id`, 0..=63.
    pub id: u8,
    /// `pps_seq_parameter_set_id`, 0..=15: the set it builds on.
    pub sps_id: u8,
    /// `dependent_slice_segments_enabled_flag`.
    pub dependent_slice_segments_enabled: bool,
    /// `output_flag_present_flag`.
    pub output_flag_present: bool,
    /// `num_extra_slice_header_bits`, 0..=7.
    pub num_extra_slice_header_bits: u8,
    /// How decoders may share the work on a picture.
    pub parallelism: Parallelism,
    /// The eight bits behind `pps_extension_present_flag`: `pps_range_extension_flag` is the highest; 0 without.
    pub extension_flags: u8,
}

/// How decoders may share the work on a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parallelism {
    /// `tiles_enabled_flag`.
    pub tiles: bool,
    /// `entropy_coding_sync_enabled_flag`: wavefronts.
    pub entropy_coding_sync: bool,
}

impl Parallelism {
    /// `parallelismType` of the configuration record (ISO/IEC 14496-15 8.3.3.1.2): 0 mixed, 1 slices, 2 tiles, 3
    /// wavefronts.
    pub const fn code(self) -> u8 {
        match (self.tiles, self.entropy_coding_sync) {
            (true, true) => 0,
            (false, false) => 1,
            (true, false) => 2,
            (false, true) => 3,
        }
    }
}

/// `pps_scc_extension_flag` among [`PictureParameterSet::extension_flags`].
const SCREEN_CONTENT: u8 = 0x10;

impl PictureParameterSet {
    /// Reads the set in `nal`, a whole NAL unit. Offsets of errors count from its first header byte.
    pub fn read(nal: &[u8]) -> Result<Self> {
        Self::read_data(&mut payload(nal, "H.265 7.4.3.3.1")).map_err(|error| error.shift(HEADER_LEN as u64))
    }

    /// Whether pictures may refer to themselves, so that a picture that needs no other one can have predicted slices:
    /// the screen content extension, where that is said, is there.
    pub const fn may_refer_to_itself(&self) -> bool {
        self.extension_flags & SCREEN_CONTENT != 0
    }

    fn read_data(r: &mut BitReader<'_>) -> Result<Self> {
        let id = ue_u8(r, 63, "pps_pic_parameter_set_id", "0..=63")?;
        let sps_id = ue_u8(r, 15, "pps_seq_parameter_set_id", "0..=15")?;
        let dependent_slice_segments_enabled = r.flag("dependent_slice_segments_enabled_flag")?;
        let output_flag_present = r.flag("output_flag_present_flag")?;
        let num_extra_slice_header_bits = u_u8(r, 3, "num_extra_slice_header_bits")?;
        r.flag("sign_data_hiding_enabled_flag")?;
        r.flag("cabac_init_present_flag")?;
        r.ue("num_ref_idx_l0_default_active_minus1")?;
        r.ue("num_ref_idx_l1_default_active_minus1")?;
        r.se("init_qp_minus26")?;
        r.flag("constrained_intra_pred_flag")?;
        r.flag("transform_skip_enabled_flag")?;
        if r.flag("cu_qp_delta_enabled_flag")? {
            r.ue("diff_cu_qp_delta_depth")?;
        }
        r.se("pps_cb_qp_offset")?;
        r.se("pps_cr_qp_offset")?;
        r.flag("pps_slice_chroma_qp_offsets_present_flag")?;
        r.flag("weighted_pred_flag")?;
        r.flag("weighted_bipred_flag")?;
        r.flag("transquant_bypass_enabled_flag")?;
        let parallelism = Parallelism {
            tiles: r.flag("tiles_enabled_flag")?,
            entropy_coding_sync: r.flag("entropy_coding_sync_enabled_flag")?,
        };
        if parallelism.tiles {
            skip_tiles(r)?;
        }
        r.flag("pps_loop_filter_across_slices_enabled_flag")?;
        if r.flag("deblocking_filter_control_present_flag")? {
            r.flag("deblocking_filter_override_enabled_flag")?;
            if !r.flag("pps_deblocking_filter_disabled_flag")? {
                r.se("pps_beta_offset_div2")?;
                r.se("pps_tc_offset_div2")?;
            }
        }
        if r.flag("pps_scaling_list_data_present_flag")? {
            skip_scaling_lists(r)?;
        }
        r.flag("lists_modification_present_flag")?;
        r.ue("log2_parallel_merge_level_minus2")?;
        r.flag("slice_segment_header_extension_present_flag")?;
        let extended = r.flag("pps_extension_present_flag")?;
        let extension_flags = if extended { u_u8(r, 8, "pps_range_extension_flag")? } else { 0 };
        Ok(Self {
            id,
            sps_id,
            dependent_slice_segments_enabled,
            output_flag_present,
            num_extra_slice_header_bits,
            parallelism,
            extension_flags,
        })
    }
}

fn skip_tiles(r: &mut BitReader<'_>) -> Result<()> {
    // A side of 65535 samples has 4096 coding tree blocks of the smallest size.
    let columns_minus1 = r.ue_max(4095, "num_tile_columns_minus1", "0..=4095")?;
    let rows_minus1 = r.ue_max(4095, "num_tile_rows_minus1", "0..=4095")?;
    if !r.flag("uniform_spacing_flag")? {
        for _ in 0..columns_minus1 {
            r.ue("column_width_minus1")?;
        }
        for _ in 0..rows_minus1 {
            r.ue("row_height_minus1")?;
        }
    }
    r.flag("loop_filter_across_tiles_enabled_flag")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, BitWriter};
    use super::*;

    #[test]
    fn set_of_a_real_encoder_reads_as_ffmpeg_reads_it() {
        // x265 3.5 (build 199) in FFmpeg 5.1.9, wavefronts; values from `trace_headers`.
        let nal = [0x44, 0x01, 0xc0, 0x73, 0xc1, 0x89];
        let pps = PictureParameterSet::read(&nal).unwrap();
        let expected = PictureParameterSet {
            id: 0,
            sps_id: 0,
            dependent_slice_segments_enabled: false,
            output_flag_present: false,
            num_extra_slice_header_bits: 0,
            parallelism: Parallelism { tiles: false, entropy_coding_sync: true },
            extension_flags: 0,
        };
        assert_eq!(pps, expected);
        for len in 2..nal.len() {
            let error = PictureParameterSet::read(&nal[..len]).unwrap_err();
            assert!(error.to_string().contains("runs past the end"), "{len}: {error}");
            assert_eq!(error.offset(), Some(len as u64));
        }
    }

    /// `scaling_list_data()` with predicted lists and coded ones of each size.
    fn scaling_lists() -> BitWriter {
        let mut w = BitWriter::default();
        for size_id in 0..4u32 {
            for matrix in 0..if size_id == 3 { 2 } else { 6 } {
                w.flag(matrix % 2 == 1);
                if matrix % 2 == 0 {
                    w.ue(matrix);
                    continue;
                }
                if size_id > 1 {
                    w.se(8);
                }
                for i in 0..if size_id == 0 { 16 } else { 64 } {
                    w.se(i % 3 - 1);
                }
            }
        }
        w
    }

    #[test]
    fn everything_in_front_of_the_extension_flags_is_read_past() {
        let pps = testing::Pps {
            id: 63,
            sps_id: 15,
            dependent_slice_segments: true,
            output_flag_present: true,
            extra_slice_header_bits: 7,
            qp: -26,
            qp_delta: true,
            tiles: Some((vec![3, 4, 5], vec![6])),
            entropy_coding_sync: true,
            deblocking: true,
            scaling_lists: Some(scaling_lists()),
            extension_flags: Some(0x90),
        };
        let read = PictureParameterSet::read(&pps.nal()).unwrap();
        let expected = PictureParameterSet {
            id: 63,
            sps_id: 15,
            dependent_slice_segments_enabled: true,
            output_flag_present: true,
            num_extra_slice_header_bits: 7,
            parallelism: Parallelism { tiles: true, entropy_coding_sync: true },
            extension_flags: 0x90,
        };
        assert_eq!(read, expected);
        assert!(read.may_refer_to_itself());
        assert!(!PictureParameterSet { extension_flags: 0xef, ..read }.may_refer_to_itself());
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let broken = [
            (testing::Pps { id: 64, ..Default::default() }, "pps_pic_parameter_set_id is 64, must be 0..=63"),
            (testing::Pps { sps_id: 16, ..Default::default() }, "pps_seq_parameter_set_id is 16"),
            (
                testing::Pps { tiles: Some((vec![0; 4096], Vec::new())), ..Default::default() },
                "num_tile_columns_minus1 is 4096",
            ),
        ];
        for (pps, message) in broken {
            let error = PictureParameterSet::read(&pps.nal()).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn kinds_of_parallelism_have_the_codes_of_the_record() {
        let code = |tiles, entropy_coding_sync| Parallelism { tiles, entropy_coding_sync }.code();
        assert_eq!(
            [code(true, true), code(false, false), code(true, false), code(false, true)],
            [0, 1, 2, 3]
        );
    }
}
