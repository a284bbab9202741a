//! H.265 (ITU-T H.265, ISO/IEC 23008-2) as a packager needs it: parameter sets ► `hvcC`, codec string, picture format
//! and frame rate; slice segment headers ► picture boundaries, sync and order facts. Nothing behind
//! `slice_pic_order_cnt_lsb` of a slice segment header is read, and of several layers the base layer alone.
//!
//! [`ParameterSets`] keeps every set by id and knows which sequence parameter sets pictures used;
//! [`HevcConfiguration`] is what they say together. [`SliceHeader`] tells where a picture starts, [`OrderCounter`]
//! where it stands in presentation order. Elements that none of these depends on are read past without a range check.
//! The text of H.265 was not opened. The syntax of VPS, VUI, HRD parameters, reference picture sets and scaling lists was
//! compared with FFmpeg's tables of it (`cbs_h265`), and what is read with its `trace_headers`; clause numbers are those
//! commonly given since the edition of 2014.

mod configuration;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod hrd;
mod nal;
mod parameter_sets;
mod picture_timing;
mod poc;
mod pps;
mod profile;
mod record;
mod reference_sets;
mod slice;
mod sps;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing builds fewer streams than tests"))]
pub(crate) mod testing;
mod vps;
mod vui;

pub use super::picture_format::ChromaFormat;
pub use configuration::HevcConfiguration;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use fuzz::fuzz_parameter_sets;
pub use nal::{NalHeader, NalUnitType};
pub use parameter_sets::ParameterSets;
pub use picture_timing::ticks_shown;
pub use poc::OrderCounter;
pub use pps::{Parallelism, PictureParameterSet};
pub use profile::ProfileTierLevel;
pub use record::{HevcRecord, covering_codec_string};
pub use slice::{SliceHeader, SliceType};
pub use sps::SequenceParameterSet;
pub use vps::VideoParameterSet;
pub use vui::{Timing, Vui};

use crate::bits::BitReader;
use crate::codec::h264::{u_u8, ue_u8};
use crate::error::Result;

/// Bytes of the header of a NAL unit (7.3.1.2).
const HEADER_LEN: usize = 2;

/// A reader of what stands behind the header of `nal`. Its errors are [`HEADER_LEN`] further on in the NAL unit.
fn payload<'a>(nal: &'a [u8], clause: &'static str) -> BitReader<'a> {
    BitReader::new(nal.get(HEADER_LEN..).unwrap_or_default(), clause)
}

/// Bits that tell `values` values apart: `Ceil(Log2(values))`.
const fn bits_for(values: u32) -> u8 {
    (u32::BITS - values.saturating_sub(1).leading_zeros()) as u8
}

/// The elements of every sub-layer, or of the highest one alone, on picture buffers (7.3.2.1, 7.3.2.2.1).
fn skip_sub_layer_ordering(r: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<()> {
    let sub_layers = if r.flag("sub_layer_ordering_info_present_flag")? { max_sub_layers_minus1 } else { 0 };
    for _ in 0..=sub_layers {
        r.ue("max_dec_pic_buffering_minus1")?;
        r.ue("max_num_reorder_pics")?;
        r.ue("max_latency_increase_plus1")?;
    }
    Ok(())
}

/// `scaling_list_data()` (7.3.4).
fn skip_scaling_lists(r: &mut BitReader<'_>) -> Result<()> {
    for size_id in 0..4 {
        // Lists of the largest size are coded for every third matrix alone.
        for _ in (0..6).step_by(if size_id == 3 { 3 } else { 1 }) {
            if !r.flag("scaling_list_pred_mode_flag")? {
                r.ue("scaling_list_pred_matrix_id_delta")?;
                continue;
            }
            if size_id > 1 {
                r.se("scaling_list_dc_coef_minus8")?;
            }
            for _ in 0..64.min(1 << (4 + 2 * size_id)) {
                r.se("scaling_list_delta_coef")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_that_the_highest_value_needs() {
        let bits: Vec<_> = [1, 2, 3, 4, 5, 8, 9, 510, 512, 513].map(bits_for).into();
        assert_eq!(bits, [0, 1, 2, 2, 3, 3, 4, 9, 9, 10]);
    }
}
