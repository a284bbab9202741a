//! Metadata OBU (AV1 5.8) ► what it says of high dynamic range, in the units of `mdcv` and `clli`.
//!
//! Metadata never stops packaging, as decoders need none of it: an error says that it cannot be read, and a caller keeps the
//! OBU as it is. Everything but light levels and the mastering display is left alone.

use crate::bits::BitReader;
use crate::codec::sei::{HdrMetadata, is_specified};
use crate::codec::{ContentLight, MasteringDisplay};
use crate::error::{Error, Result};

use super::read_leb128;

const METADATA_TYPE_HDR_CLL: u32 = 1;
const METADATA_TYPE_HDR_MDCV: u32 = 2;

/// What the payload of a metadata OBU says of high dynamic range; nothing where it is of another type, or its values mean nothing:
/// light levels of 0, or a display outside the ranges that SEI messages have (H.265 D.3.28, not opened), whose fields `mdcv` has.
///
/// # Errors
/// Where the payload ends before its syntax does.
pub fn read_hdr(payload: &[u8]) -> Result<HdrMetadata> {
    let (metadata_type, len) = read_leb128(payload, "metadata_type")?;
    let fields = &payload[usize::from(len)..];
    let mut hdr = HdrMetadata::default();
    match metadata_type {
        METADATA_TYPE_HDR_CLL => hdr.content_light = read_content_light(fields)?,
        METADATA_TYPE_HDR_MDCV => hdr.mastering_display = read_mastering_display(fields)?,
        _ => {}
    }
    Ok(hdr)
}

/// `metadata_hdr_cll()` (5.8.3).
fn read_content_light(fields: &[u8]) -> Result<Option<ContentLight>> {
    let mut r = BitReader::without_emulation_prevention(fields, "AV1 5.8.3");
    let max_content = u16_of(r.u(16, "max_cll")?);
    let max_picture_average = u16_of(r.u(16, "max_fall")?);
    let known = max_content > 0 || max_picture_average > 0;
    Ok(known.then_some(ContentLight { max_content, max_picture_average }))
}

/// `metadata_hdr_mdcv()` (5.8.4): primaries are red, green and blue, chromaticities 0.16, the highest luminance 24.8 and the
/// lowest 18.14 fixed-point numbers (6.7.4).
fn read_mastering_display(fields: &[u8]) -> Result<Option<MasteringDisplay>> {
    let mut r = BitReader::without_emulation_prevention(fields, "AV1 5.8.4");
    let mut point = |x, y| Ok::<_, Error>((chromaticity(r.u(16, x)?), chromaticity(r.u(16, y)?)));
    let mut primary = || point("primary_chromaticity_x", "primary_chromaticity_y");
    let (red, green, blue) = (primary()?, primary()?, primary()?);
    let white_point = point("white_point_chromaticity_x", "white_point_chromaticity_y")?;
    let max_luminance = luminance(r.u(32, "luminance_max")?, 8);
    let min_luminance = luminance(r.u(32, "luminance_min")?, 14);
    let display = max_luminance.zip(min_luminance).map(|(max_luminance, min_luminance)| MasteringDisplay {
        primaries: [green, blue, red],
        white_point,
        max_luminance,
        min_luminance,
    });
    Ok(display.filter(is_specified))
}

/// From 1/65536 to steps of 0.00002, to the nearest, halves up: what an encoder was given in such steps comes back, since these
/// are the longer ones.
fn chromaticity(value: u32) -> u16 {
    u16_of(((u64::from(value) * 50_000 + (1 << 15)) >> 16) as u32)
}

/// From so many binary places to steps of 0.0001 cd/m², to the nearest, halves up; `None` beyond 32 bits.
fn luminance(value: u32, places: u32) -> Option<u32> {
    u32::try_from((u64::from(value) * 10_000 + (1 << (places - 1))) >> places).ok()
}

/// A field of 16 bits.
fn u16_of(value: u32) -> u16 {
    u16::try_from(value).expect("16 bits were read, and scaling to 50000 makes them no more")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The metadata OBUs behind the sequence header of a stream by SVT-AV1 1.4.1 (FFmpeg 5.1: `-c:v libsvtav1 -svtav1-params
    // mastering-display=G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000.0,0.0001):content-light=1000,400`), payloads only.
    const SVT_CLL: [u8; 6] = [0x01, 0x03, 0xe8, 0x01, 0x90, 0x80];
    const SVT_MDCV: [u8; 26] = [
        0x02, 0xae, 0x14, 0x51, 0xec, 0x43, 0xd7, 0xb0, 0xa4, 0x26, 0x66, 0x0f, 0x5c, 0x50, 0x0d, 0x54, 0x39,
        0x00, 0x03, 0xe8, 0x00, 0x00, 0x00, 0x00, 0x02, 0x80,
    ];

    #[test]
    fn values_of_an_encoder_come_back_in_the_units_of_mdcv() {
        let light = ContentLight { max_content: 1000, max_picture_average: 400 };
        assert_eq!(read_hdr(&SVT_CLL).unwrap().content_light, Some(light));
        // As given, in steps of 0.00002 and 0.0001; 2/16384 cd/m² is 1.22 steps.
        let display = MasteringDisplay {
            primaries: [(13_250, 34_500), (7500, 3000), (34_000, 16_000)],
            white_point: (15_635, 16_450),
            max_luminance: 10_000_000,
            min_luminance: 1,
        };
        assert_eq!(read_hdr(&SVT_MDCV).unwrap().mastering_display, Some(display));
    }

    #[test]
    fn fractions_go_to_the_nearest_step() {
        assert_eq!([0, 1, 65_535].map(chromaticity), [0, 1, 49_999]);
        // 19661/65536 is 15000.15 steps.
        assert_eq!(chromaticity(19_661), 15_000);
        assert_eq!(luminance(256, 8), Some(10_000));
        assert_eq!(luminance(1, 14), Some(1));
        assert_eq!(luminance(16_384, 14), Some(10_000));
        // 0.5 steps would be 8192/100000000 of 2^14, which is no number: the halves of 24.8 are 16 apart.
        assert_eq!(luminance(8, 8), Some(313));
        assert_eq!(luminance(u32::MAX, 8), None);
    }

    #[test]
    fn what_says_nothing_and_what_is_cut_off_leaves_nothing() {
        let nothing = HdrMetadata::default();
        assert_eq!(read_hdr(&[1, 0, 0, 0, 0, 0x80]).unwrap(), nothing);
        let mut black = SVT_MDCV;
        black[17..21].fill(0);
        assert_eq!(read_hdr(&black).unwrap(), nothing, "no luminance at all");
        let mut dim = SVT_MDCV;
        dim[21..25].copy_from_slice(&[0xff; 4]);
        assert_eq!(read_hdr(&dim).unwrap(), nothing, "darker than its darkest");
        // Scalability, a code and a time code, and types for users.
        for payload in [&[3, 0, 0x80][..], &[4, 0xb5, 0x80], &[5, 0x80], &[31, 1, 2, 0x80], &[0x80, 1, 0x80]]
        {
            assert_eq!(read_hdr(payload).unwrap(), nothing);
        }
        for whole in [&SVT_CLL[..], &SVT_MDCV] {
            for len in 0..whole.len() - 1 {
                assert!(read_hdr(&whole[..len]).is_err(), "{len}");
            }
            assert!(read_hdr(&whole[..whole.len() - 1]).is_ok(), "trailing bits are not looked at");
        }
    }

    proptest! {
        #[test]
        fn steps_survive_the_way_to_fixed_point_and_back(x in 0_u16..50_000, max in 0_u32..=100_000_000) {
            let fixed = (u32::from(x) * 65_536 + 25_000) / 50_000;
            prop_assert_eq!(chromaticity(fixed), x);
            let fixed = ((u64::from(max) * 256 + 5000) / 10_000) as u32;
            let steps = luminance(fixed, 8).unwrap();
            prop_assert!(steps.abs_diff(max) <= 20, "{} {}", steps, max);
        }
    }
}
