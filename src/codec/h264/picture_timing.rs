//! Picture timing SEI message (H.264 D.1.3, D.2.3) ► `pic_struct`: how a picture is shown, and for how many fields' time.
//! The clock timestamps behind it are not read. A hint for players that show every field; what decodes the picture does
//! not need it.
//!
//! D.2.3 with Table D-1, and Table E-6, were read in a transcription of the 08/2021 edition; D.1.3 was not opened: the order
//! of the elements is FFmpeg's (`trace_headers`).

use crate::bits::BitReader;
use crate::error::Result;

use super::{SequenceParameterSet, u_u8};

/// `pic_struct` (Table D-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PicStruct {
    /// 0: a progressive frame.
    Frame,
    /// 1: a top field.
    TopField,
    /// 2: a bottom field.
    BottomField,
    /// 3: top field, bottom field.
    TopBottom,
    /// 4: bottom field, top field.
    BottomTop,
    /// 5: top field, bottom field, top field again.
    TopBottomTop,
    /// 6: bottom field, top field, bottom field again.
    BottomTopBottom,
    /// 7: a frame twice.
    FrameDoubling,
    /// 8: a frame three times.
    FrameTripling,
}

impl PicStruct {
    /// The meaning of `code`, 0..=15; `None` for those from 9 on, which are reserved.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Frame,
            1 => Self::TopField,
            2 => Self::BottomField,
            3 => Self::TopBottom,
            4 => Self::BottomTop,
            5 => Self::TopBottomTop,
            6 => Self::BottomTopBottom,
            7 => Self::FrameDoubling,
            8 => Self::FrameTripling,
            _ => return None,
        })
    }

    /// `DeltaTfiDivisor` (Table E-6): how many ticks of [`Timing`](super::Timing) the picture is shown, each as long as a
    /// field; 1..=6.
    pub const fn field_count(self) -> u8 {
        match self {
            Self::TopField | Self::BottomField => 1,
            Self::Frame | Self::TopBottom | Self::BottomTop => 2,
            Self::TopBottomTop | Self::BottomTopBottom => 3,
            Self::FrameDoubling => 4,
            Self::FrameTripling => 6,
        }
    }
}

/// Reads `payload`, an `sei_payload()` of type 1 without emulation prevention bytes, whose picture uses `sps`. Offsets of
/// errors count from its first byte.
///
/// `None` where the sequence has no `pic_struct`, and for 9 to 15, which are reserved (Table D-1): they say nothing yet.
///
/// # Errors
/// A payload that ends before or within `pic_struct`.
pub fn read_pic_struct(payload: &[u8], sps: &SequenceParameterSet) -> Result<Option<PicStruct>> {
    if !sps.vui.pic_struct_present {
        return Ok(None);
    }
    let mut r = BitReader::without_emulation_prevention(payload, "H.264 D.1.3");
    if let Some(lengths) = sps.vui.cpb_dpb_delays {
        r.u(lengths.cpb_removal_delay, "cpb_removal_delay")?;
        r.u(lengths.dpb_output_delay, "dpb_output_delay")?;
    }
    Ok(PicStruct::from_code(u_u8(&mut r, 4, "pic_struct")?))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{BitWriter, Sps};
    use super::*;

    /// A set whose VUI has `pic_struct_present_flag`, and HRD parameters with delays of so many bits.
    fn sps(delays: Option<(u32, u32)>, pic_struct: bool) -> SequenceParameterSet {
        let mut vui = BitWriter::default();
        vui.u(0, 5).flag(delays.is_some());
        if let Some((removal, output)) = delays {
            vui.ue(0).u(0, 8).ue(9).ue(9).flag(false).u(23, 5).u(removal - 1, 5).u(output - 1, 5).u(24, 5);
        }
        vui.flag(false);
        if delays.is_some() {
            vui.flag(false);
        }
        vui.flag(pic_struct).flag(false);
        SequenceParameterSet::read(&Sps { vui: Some(vui), ..Default::default() }.nal()).unwrap()
    }

    #[test]
    fn codes_and_ticks_follow_the_tables() {
        // Table D-1 for the codes, Table E-6 for the ticks.
        let table = [
            (PicStruct::Frame, 2),
            (PicStruct::TopField, 1),
            (PicStruct::BottomField, 1),
            (PicStruct::TopBottom, 2),
            (PicStruct::BottomTop, 2),
            (PicStruct::TopBottomTop, 3),
            (PicStruct::BottomTopBottom, 3),
            (PicStruct::FrameDoubling, 4),
            (PicStruct::FrameTripling, 6),
        ];
        for ((expected, ticks), code) in table.into_iter().zip(0..) {
            let read = read_pic_struct(&[code << 4 | 0b1000], &sps(None, true)).unwrap();
            assert_eq!(read, Some(expected));
            assert_eq!(expected.field_count(), ticks);
        }
        for code in 9..=15 {
            assert_eq!(read_pic_struct(&[code << 4 | 0b1000], &sps(None, true)).unwrap(), None);
        }
    }

    #[test]
    fn message_of_a_real_encoder_reads_as_ffmpeg_reads_it() {
        // libx264 core 164 r3095 in FFmpeg 5.1.9: `testsrc2=s=64x64:r=25`, `bff=1:pic-struct=1:nal-hrd=vbr`. FFmpeg's
        // `trace_headers`: 13 bits of cpb_removal_delay, 7 of dpb_output_delay, pic_struct 4.
        let set = [
            0x67, 0x64, 0x00, 0x15, 0xac, 0xd9, 0x44, 0x4d, 0x80, 0x88, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00,
            0x00, 0x03, 0x01, 0x93, 0x01, 0x00, 0x0f, 0x42, 0x00, 0x03, 0xd0, 0x94, 0x98, 0x60, 0x1f, 0x14,
            0x29, 0x96,
        ];
        let set = SequenceParameterSet::read(&set).unwrap();
        for payload in [[0x00, 0x00, 0x44, 0x20], [0x00, 0x10, 0xa4, 0x20]] {
            assert_eq!(read_pic_struct(&payload, &set).unwrap(), Some(PicStruct::BottomTop));
        }
    }

    #[test]
    fn it_stands_behind_delays_of_the_lengths_that_the_set_gives() {
        let payload = [0xff, 0xfe, 0x51];
        // 15 bits, then 0101.
        assert_eq!(
            read_pic_struct(&payload, &sps(Some((13, 2)), true)).unwrap(),
            PicStruct::from_code(0b0010)
        );
        assert_eq!(
            read_pic_struct(&payload, &sps(Some((1, 15)), true)).unwrap(),
            Some(PicStruct::TopBottomTop)
        );
        assert_eq!(read_pic_struct(&payload, &sps(Some((1, 15)), false)).unwrap(), None);
        // Zeros and a 3 are no emulation prevention here.
        let payload = [0, 0, 3, 0, 0, 0, 3, 0, 0x60];
        assert_eq!(
            read_pic_struct(&payload, &sps(Some((32, 32)), true)).unwrap(),
            Some(PicStruct::BottomTopBottom)
        );
    }

    #[test]
    fn payload_that_ends_early_is_an_error_at_its_end() {
        let set = sps(Some((13, 7)), true);
        for len in 0..3 {
            let error = read_pic_struct(&[0x11; 3][..len], &set).unwrap_err();
            assert_eq!(error.offset(), Some(len as u64));
            assert!(error.to_string().contains("D.1.3"), "{error}");
        }
        assert!(read_pic_struct(&[0x11; 3], &set).is_ok());
        assert_eq!(read_pic_struct(&[], &sps(None, false)).unwrap(), None);
    }
}
