//! Slice segment header (H.265 7.3.6.1), from its start through `slice_pic_order_cnt_lsb`: which picture a slice segment
//! belongs to, where that picture stands in order, whether it needs others.

use crate::bits::BitReader;
use crate::error::{Error, Result};

use super::{
    HEADER_LEN, NalHeader, NalUnitType, ParameterSets, PictureParameterSet, SequenceParameterSet, bits_for,
    payload, u_u8, ue_u8,
};

/// `slice_type` (Table 7-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceType {
    /// Predicted from two pictures at a time.
    B,
    /// Predicted from one.
    P,
    /// Predicted from no other picture.
    I,
}

/// What a slice segment header says of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceHeader {
    /// `nal_unit_type`: what kind of picture.
    pub unit_type: NalUnitType,
    /// `TemporalId`.
    pub temporal_id: u8,
    /// `first_slice_segment_in_pic_flag`.
    pub first_slice_segment_in_pic: bool,
    /// `no_output_of_prior_pics_flag`; false outside IRAP pictures.
    pub no_output_of_prior_pics: bool,
    /// `slice_pic_parameter_set_id`, 0..=63.
    pub pps_id: u8,
    /// `dependent_slice_segment_flag`: the rest of the header is that of the slice segment before.
    pub dependent: bool,
    /// `slice_segment_address`: its first coding tree block; 0 in the first slice segment alone.
    pub segment_address: u32,
    /// `tiles_enabled_flag`: addresses need not grow from one slice segment to the next. False where it was read without
    /// parameter sets.
    pub tiles: bool,
    /// `None` of a dependent slice segment, and where it was read without parameter sets.
    pub slice_type: Option<SliceType>,
    /// `colour_plane_id`, 0..=2; 0 where planes are not coded separately.
    pub colour_plane_id: u8,
    /// `slice_pic_order_cnt_lsb`; 0 where not present.
    pub pic_order_cnt_lsb: u32,
}

const CLAUSE: &str = "H.265 7.4.7.1";

impl SliceHeader {
    /// Reads the header of the slice segment in `nal`, which begins with the NAL unit's header and holds at least what
    /// is read, with the parameter sets that have come so far. Offsets of errors count from the first header byte.
    ///
    /// # Errors
    /// When `nal` is no slice segment of the base layer, is cut off, refers to a set that has not come, or has a value
    /// that the standard forbids.
    pub fn read(nal: &[u8], sets: &ParameterSets) -> Result<Self> {
        let (mut header, mut r) = Self::start(nal)?;
        let (pps, sps) = sets.for_slice(header.pps_id).map_err(|error| error.at(0))?;
        header.read_rest(&mut r, pps, sps).map_err(|error| error.shift(HEADER_LEN as u64))?;
        Ok(header)
    }

    /// What can be told of a slice segment whose parameter sets have not come: `first_slice_segment_in_pic`,
    /// `no_output_of_prior_pics` and `pps_id`.
    pub fn read_without_parameter_sets(nal: &[u8]) -> Result<Self> {
        Ok(Self::start(nal)?.0)
    }

    /// Whether this slice segment starts a picture (7.4.2.4.5), whatever the one before it was.
    pub fn starts_new_picture(&self, _before: &SliceHeader) -> bool {
        self.first_slice_segment_in_pic
    }

    /// The header through `slice_pic_parameter_set_id`, and the reader behind that.
    fn start(nal: &[u8]) -> Result<(Self, BitReader<'_>)> {
        let NalHeader { unit_type, layer_id, temporal_id } = NalHeader::read(nal)?;
        if !unit_type.is_slice() || layer_id != 0 {
            return Err(Error::malformed(
                "this NAL unit holds no slice segment of the base layer",
                "H.265 Table 7-1",
                "pass nal_unit_type 0..=9 or 16..=21 with nuh_layer_id 0",
            )
            .at(0));
        }
        let mut r = payload(nal, CLAUSE);
        let mut read = || {
            let first_slice_segment_in_pic = r.flag("first_slice_segment_in_pic_flag")?;
            let no_output_of_prior_pics = unit_type.is_irap() && r.flag("no_output_of_prior_pics_flag")?;
            let pps_id = ue_u8(&mut r, 63, "slice_pic_parameter_set_id", "0..=63")?;
            Ok((first_slice_segment_in_pic, no_output_of_prior_pics, pps_id))
        };
        let (first_slice_segment_in_pic, no_output_of_prior_pics, pps_id) =
            read().map_err(|error: Error| error.shift(HEADER_LEN as u64))?;
        let header = Self {
            unit_type,
            temporal_id,
            first_slice_segment_in_pic,
            no_output_of_prior_pics,
            pps_id,
            dependent: false,
            segment_address: 0,
            tiles: false,
            slice_type: None,
            colour_plane_id: 0,
            pic_order_cnt_lsb: 0,
        };
        Ok((header, r))
    }

    fn read_rest(
        &mut self,
        r: &mut BitReader<'_>,
        pps: &PictureParameterSet,
        sps: &SequenceParameterSet,
    ) -> Result<()> {
        self.tiles = pps.parallelism.tiles;
        if !self.first_slice_segment_in_pic {
            self.dependent =
                pps.dependent_slice_segments_enabled && r.flag("dependent_slice_segment_flag")?;
            self.segment_address = read_address(r, sps.coding_tree_blocks())?;
        }
        if self.dependent {
            return Ok(());
        }
        r.u(pps.num_extra_slice_header_bits, "slice_reserved_flag")?;
        self.slice_type = Some(self.read_slice_type(r, pps)?);
        if pps.output_flag_present {
            r.flag("pic_output_flag")?;
        }
        if sps.chroma.separate_colour_planes {
            let at = r.byte_offset();
            self.colour_plane_id = u_u8(r, 2, "colour_plane_id")?;
            if self.colour_plane_id > 2 {
                return Err(Error::out_of_range("colour_plane_id", 3, "0..=2", CLAUSE).at(at));
            }
        }
        if !self.unit_type.is_idr() {
            self.pic_order_cnt_lsb = r.u(sps.log2_max_lsb, "slice_pic_order_cnt_lsb")?;
        }
        Ok(())
    }

    fn read_slice_type(&self, r: &mut BitReader<'_>, pps: &PictureParameterSet) -> Result<SliceType> {
        let at = r.byte_offset();
        let code = r.ue_max(2, "slice_type", "0..=2")?;
        if self.unit_type.is_irap() && code != 2 && !pps.may_refer_to_itself() {
            return Err(Error::out_of_range("slice_type of an IRAP picture", code, "2", CLAUSE).at(at));
        }
        Ok(match code {
            0 => SliceType::B,
            1 => SliceType::P,
            _ => SliceType::I,
        })
    }
}

/// `slice_segment_address` of a slice segment that is not the first of its picture.
fn read_address(r: &mut BitReader<'_>, blocks: u32) -> Result<u32> {
    let at = r.byte_offset();
    let address = r.u(bits_for(blocks), "slice_segment_address")?;
    if address == 0 || address >= blocks {
        let what = format!(
            "slice_segment_address is {address} behind the first slice segment of a picture whose coding tree blocks \
             end at {}",
            blocks - 1
        );
        return Err(Error::malformed(what, CLAUSE, "the stream is damaged here").at(at));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Pps, Slice, Sps};
    use super::*;
    use crate::codec::ParameterSetStore;

    fn read(slice: &Slice, sps: &Sps, pps: &Pps) -> Result<SliceHeader> {
        let mut sets = ParameterSets::default();
        sets.insert(&sps.nal(), 0).unwrap();
        sets.insert(&pps.nal(), 100).unwrap();
        SliceHeader::read(&slice.nal(), &sets)
    }

    fn read_default(slice: &Slice) -> Result<SliceHeader> {
        read(slice, &Sps::default(), &Pps::default())
    }

    #[test]
    fn slice_of_an_idr_picture_has_no_order_count() {
        let slice = Slice { no_output_of_prior_pics: true, ..Slice::idr() };
        let expected = SliceHeader {
            unit_type: NalUnitType::IDR_W_RADL,
            temporal_id: 0,
            first_slice_segment_in_pic: true,
            no_output_of_prior_pics: true,
            pps_id: 0,
            dependent: false,
            segment_address: 0,
            tiles: false,
            slice_type: Some(SliceType::I),
            colour_plane_id: 0,
            pic_order_cnt_lsb: 0,
        };
        assert_eq!(read_default(&slice).unwrap(), expected);
        let alone = SliceHeader::read_without_parameter_sets(&slice.nal()).unwrap();
        assert_eq!(alone, SliceHeader { slice_type: None, ..expected });
    }

    #[test]
    fn every_element_in_front_of_the_order_count_is_read_past() {
        let sps = Sps {
            id: 9,
            chroma: (3, 8, 8),
            separate_colour_planes: true,
            log2_max_lsb: 16,
            ..Default::default()
        };
        let pps = Pps {
            id: 63,
            sps_id: 9,
            dependent_slice_segments: true,
            output_flag_present: true,
            extra_slice_header_bits: 5,
            ..Default::default()
        };
        let slice = Slice {
            temporal_id: 2,
            address: Some((11, 4)),
            pps_id: 63,
            dependent: Some(false),
            extra_bits: 5,
            output: Some(false),
            colour_plane_id: Some(2),
            lsb: (0xfedc, 16),
            ..Slice::b(0, 0)
        };
        let header = read(&slice, &sps, &pps).unwrap();
        assert_eq!((header.temporal_id, header.segment_address, header.colour_plane_id), (2, 11, 2));
        assert_eq!((header.slice_type, header.pic_order_cnt_lsb), (Some(SliceType::B), 0xfedc));
        let broken = Slice { colour_plane_id: Some(3), ..slice };
        let error = read(&broken, &sps, &pps).unwrap_err().to_string();
        assert!(error.contains("colour_plane_id is 3"), "{error}");
    }

    #[test]
    fn dependent_slice_segment_ends_with_its_address() {
        let pps = Pps { dependent_slice_segments: true, ..Default::default() };
        let slice = Slice { dependent: Some(true), ..Slice::p(9).next_segment(5) };
        let header = read(&slice, &Sps::default(), &pps).unwrap();
        assert!(header.dependent && !header.first_slice_segment_in_pic);
        assert_eq!((header.segment_address, header.slice_type, header.pic_order_cnt_lsb), (5, None, 0));
    }

    #[test]
    fn addresses_lie_within_the_picture_and_only_the_first_is_zero() {
        // 4 by 3 coding tree blocks.
        assert_eq!(read_default(&Slice::p(9).next_segment(11)).unwrap().segment_address, 11);
        for address in [0, 12, 15] {
            let error = read_default(&Slice::p(9).next_segment(address)).unwrap_err();
            let message = format!("slice_segment_address is {address} behind the first");
            assert!(error.to_string().contains(&message), "{error}");
            assert_eq!(error.offset(), Some(2));
        }
        // A picture of one block has no address to give.
        let sps = Sps { size: (64, 64), log2_blocks: (3, 6), ..Default::default() };
        let slice = Slice { address: Some((0, 0)), ..Slice::default() };
        assert!(read(&slice, &sps, &Pps::default()).unwrap_err().to_string().contains("end at 0"));
    }

    #[test]
    fn slice_types_are_those_of_the_table_and_intra_where_decoding_can_start() {
        for (code, slice_type) in [(0, SliceType::B), (1, SliceType::P), (2, SliceType::I)] {
            let slice = Slice { slice_type: code, ..Slice::default() };
            assert_eq!(read_default(&slice).unwrap().slice_type, Some(slice_type));
        }
        let error = read_default(&Slice { slice_type: 3, ..Slice::default() }).unwrap_err().to_string();
        assert!(error.contains("slice_type is 3, must be 0..=2"), "{error}");
        let slice = Slice { slice_type: 1, ..Slice::cra(0) };
        let error = read_default(&slice).unwrap_err().to_string();
        assert!(error.contains("slice_type of an IRAP picture is 1, must be 2"), "{error}");
        // Screen content may refer to the picture itself.
        let pps = Pps { extension_flags: Some(0x10), ..Default::default() };
        assert!(read(&slice, &Sps::default(), &pps).is_ok());
    }

    #[test]
    fn what_is_no_slice_segment_of_the_base_layer_is_refused() {
        let other_layer = {
            let mut nal = Slice::default().nal();
            nal[1] |= 1 << 3;
            nal
        };
        for nal in [Pps::default().nal(), Slice { unit_type: 22, ..Slice::idr() }.nal(), other_layer] {
            let error = SliceHeader::read_without_parameter_sets(&nal).unwrap_err().to_string();
            assert!(error.contains("no slice segment of the base layer"), "{error}");
        }
    }

    #[test]
    fn slice_whose_sets_have_not_come_is_refused() {
        let error = read_default(&Slice { pps_id: 3, ..Slice::default() }).unwrap_err();
        assert!(error.to_string().contains("picture parameter set 3, which has not come"), "{error}");
        assert_eq!(error.offset(), Some(0));
        let error = read_default(&Slice { pps_id: 64, ..Slice::default() }).unwrap_err();
        assert!(error.to_string().contains("slice_pic_parameter_set_id is 64, must be 0..=63"), "{error}");
    }

    #[test]
    fn header_cut_off_anywhere_is_an_error_at_its_end() {
        let sps = Sps { log2_max_lsb: 16, ..Default::default() };
        let nal = Slice { lsb: (0xabcd, 16), ..Slice::default() }.nal();
        let mut sets = ParameterSets::default();
        sets.insert(&sps.nal(), 0).unwrap();
        sets.insert(&Pps::default().nal(), 100).unwrap();
        // Sixteen bits of data and the trailing bits follow the header.
        for len in 2..nal.len() - 3 {
            let error = SliceHeader::read(&nal[..len], &sets).unwrap_err();
            assert!(error.to_string().contains("runs past the end"), "{len}: {error}");
            assert_eq!(error.offset(), Some(len as u64));
        }
    }

    #[test]
    fn a_picture_starts_with_its_first_slice_segment() {
        let first = read_default(&Slice::p(9)).unwrap();
        let next = read_default(&Slice::p(9).next_segment(4)).unwrap();
        assert!(first.starts_new_picture(&first) && !next.starts_new_picture(&first));
    }
}
