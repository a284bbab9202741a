//! Picture parameter set (H.264 7.3.2.2), as far as slice headers depend on it: through
//! `redundant_pic_cnt_present_flag`. It is read without its sequence parameter set, which may come later; the transform
//! elements behind, whose syntax depends on that, are not read.

use crate::bits::BitReader;
use crate::error::{Error, Result};

use super::{u_u8, ue_u8};

/// What slice headers need of a picture parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureParameterSet {
    /// `pic_parameter_set_id`.
    pub id: u8,
    /// `seq_parameter_set_id`, 0..=31: the set it builds on.
    pub sps_id: u8,
    /// `bottom_field_pic_order_in_frame_present_flag`.
    pub bottom_field_pic_order_in_frame_present: bool,
    /// `num_ref_idx_l0_default_active_minus1` and the same of list 1, 0..=31.
    pub num_ref_idx_default_minus1: [u8; 2],
    /// `weighted_pred_flag`.
    pub weighted_pred: bool,
    /// `weighted_bipred_idc`, 0..=2.
    pub weighted_bipred_idc: u8,
    /// `redundant_pic_cnt_present_flag`.
    pub redundant_pic_cnt_present: bool,
}

impl PictureParameterSet {
    /// Reads the set in `nal`, a whole NAL unit. Offsets of errors count from its header byte.
    pub fn read(nal: &[u8]) -> Result<Self> {
        let payload = nal.get(1..).unwrap_or_default();
        let mut r = BitReader::new(payload, "H.264 7.4.2.2");
        Self::read_data(&mut r).map_err(|error| error.shift(1))
    }

    fn read_data(r: &mut BitReader<'_>) -> Result<Self> {
        let id = ue_u8(r, 255, "pic_parameter_set_id", "0..=255")?;
        let sps_id = ue_u8(r, 31, "seq_parameter_set_id", "0..=31")?;
        r.flag("entropy_coding_mode_flag")?;
        let bottom_field_pic_order_in_frame_present =
            r.flag("bottom_field_pic_order_in_frame_present_flag")?;
        let num_slice_groups_minus1 = ue_u8(r, 7, "num_slice_groups_minus1", "0..=7")?;
        if num_slice_groups_minus1 > 0 {
            skip_slice_groups(r, num_slice_groups_minus1)?;
        }
        let num_ref_idx_default_minus1 = [
            ue_u8(r, 31, "num_ref_idx_l0_default_active_minus1", "0..=31")?,
            ue_u8(r, 31, "num_ref_idx_l1_default_active_minus1", "0..=31")?,
        ];
        let weighted_pred = r.flag("weighted_pred_flag")?;
        let bipred_at = r.byte_offset();
        let weighted_bipred_idc = u_u8(r, 2, "weighted_bipred_idc")?;
        if weighted_bipred_idc > 2 {
            let clause = r.clause();
            return Err(Error::out_of_range("weighted_bipred_idc", weighted_bipred_idc, "0..=2", clause)
                .at(bipred_at));
        }
        r.se("pic_init_qp_minus26")?;
        r.se("pic_init_qs_minus26")?;
        r.se("chroma_qp_index_offset")?;
        r.flag("deblocking_filter_control_present_flag")?;
        r.flag("constrained_intra_pred_flag")?;
        let redundant_pic_cnt_present = r.flag("redundant_pic_cnt_present_flag")?;
        Ok(Self {
            id,
            sps_id,
            bottom_field_pic_order_in_frame_present,
            num_ref_idx_default_minus1,
            weighted_pred,
            weighted_bipred_idc,
            redundant_pic_cnt_present,
        })
    }
}

fn skip_slice_groups(r: &mut BitReader<'_>, num_slice_groups_minus1: u8) -> Result<()> {
    match r.ue_max(6, "slice_group_map_type", "0..=6")? {
        0 => {
            for _ in 0..=num_slice_groups_minus1 {
                r.ue("run_length_minus1")?;
            }
        }
        2 => {
            for _ in 0..num_slice_groups_minus1 {
                r.ue("top_left")?;
                r.ue("bottom_right")?;
            }
        }
        3..=5 => {
            r.flag("slice_group_change_direction_flag")?;
            r.ue("slice_group_change_rate_minus1")?;
        }
        6 => {
            // Ceil(Log2(number of groups)) bits each; there are at least two groups, so the data bounds the loop.
            let bits = match num_slice_groups_minus1 {
                1 => 1,
                2 | 3 => 2,
                _ => 3,
            };
            for _ in 0..=r.ue("pic_size_in_map_units_minus1")? {
                r.u(bits, "slice_group_id")?;
            }
        }
        _ => {} // 1, dispersed, has no elements
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, BitWriter};
    use super::*;

    #[test]
    fn set_of_a_real_encoder_reads_as_ffmpeg_reads_it() {
        // libx264 core 164 r3095 in FFmpeg 5.1.9, High profile with B pictures; values from `trace_headers`.
        let pps = PictureParameterSet::read(&[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0]).unwrap();
        let expected = PictureParameterSet {
            id: 0,
            sps_id: 0,
            bottom_field_pic_order_in_frame_present: false,
            num_ref_idx_default_minus1: [2, 0],
            weighted_pred: true,
            weighted_bipred_idc: 2,
            redundant_pic_cnt_present: false,
        };
        assert_eq!(pps, expected);
    }

    #[test]
    fn slice_groups_of_every_type_are_read_past() {
        // num_slice_groups_minus1, slice_group_map_type and its values, then raw bits.
        let groups: [(&[u32], u32, u8); 8] = [
            (&[2, 0, 5, 6, 7], 0, 0),
            (&[1, 1], 0, 0),
            (&[3, 2, 0, 1, 2, 3, 4, 5], 0, 0),
            (&[1, 3, 0, 3], 0, 0), // the flag is the code of 0
            (&[1, 5, 0, 0], 0, 0),
            (&[1, 6, 11], 0xabc, 12),
            (&[3, 6, 11], 0xab_cdef, 24),
            (&[7, 6, 3], 0o1234, 12),
        ];
        for (values, bits, len) in groups {
            let mut w = BitWriter::default();
            for &value in values {
                w.ue(value);
            }
            w.u(bits, len);
            let nal = testing::Pps {
                id: 255,
                sps_id: 31,
                slice_groups: Some(w),
                num_ref_idx_minus1: (31, 30),
                redundant_pic_cnt: true,
                ..Default::default()
            }
            .nal();
            let pps = PictureParameterSet::read(&nal).unwrap();
            assert_eq!((pps.id, pps.sps_id, pps.num_ref_idx_default_minus1), (255, 31, [31, 30]));
            assert!(pps.redundant_pic_cnt_present);
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let mut groups = BitWriter::default();
        groups.ue(8);
        let broken = [
            (testing::Pps { id: 256, ..Default::default() }, "pic_parameter_set_id is 256, must be 0..=255"),
            (testing::Pps { sps_id: 32, ..Default::default() }, "seq_parameter_set_id is 32"),
            (
                testing::Pps { slice_groups: Some(groups), ..Default::default() },
                "num_slice_groups_minus1 is 8",
            ),
            (testing::Pps { weighted_bipred_idc: 3, ..Default::default() }, "weighted_bipred_idc is 3"),
        ];
        for (pps, message) in broken {
            let error = PictureParameterSet::read(&pps.nal()).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn set_with_more_slice_group_ids_than_data_is_refused_at_once() {
        let mut groups = BitWriter::default();
        groups.ue(1).ue(6).ue(u32::MAX - 1);
        let nal = testing::Pps { slice_groups: Some(groups), ..Default::default() }.nal();
        let error = PictureParameterSet::read(&nal).unwrap_err();
        assert!(error.to_string().contains("slice_group_id"), "{error}");
    }
}
