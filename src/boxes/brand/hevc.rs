//! Facts about an H.265 track ► the HEVC media profiles that they prove: ISO/IEC 23000-19:2020 Table B.1, which was not
//! opened. Tier, profiles, levels, sizes and rates are as the CMAF module of the DASH-IF conformance software checks them
//! (`VideoMediaProfile.php`), the colours of UHD10, HDR10 and HLG10 as its CTA WAVE module does (`VideoProfile.php`, after
//! CTA-5001, not opened); the CMAF module that it had before quotes Table B.1 with the same values.
//!
//! The profiles of high frame rates (`cud9`, `cud2`, `chd2`, `clg2`) and the interlaced one (`cint`) are registered, but no
//! source that could be opened gives their limits, so none is claimed.

use super::super::FourCc;
use super::super::sample_entry::Nclx;
use super::{HD_COLOUR, PictureLimits, Pictures};
use crate::time::FrameRate;

/// What sequence parameter sets, and SEI, say of an H.265 track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HevcFacts {
    /// `general_profile_space`: anything but 0 gives the next two another meaning.
    pub general_profile_space: u8,
    /// `general_profile_idc`.
    pub general_profile_idc: u8,
    /// `general_profile_compatibility_flag`, that of profile 0 in the most significant bit, as `hvcC` has them.
    pub general_profile_compatibility_flags: u32,
    /// `general_tier_flag`: the High tier.
    pub general_tier_flag: bool,
    /// `general_level_idc`: 30 times the level.
    pub general_level_idc: u8,
    /// `chroma_format_idc`: 1 is 4:2:0.
    pub chroma_format_idc: u8,
    /// `bit_depth_luma_minus8` + 8.
    pub bit_depth_luma: u8,
    /// `bit_depth_chroma_minus8` + 8.
    pub bit_depth_chroma: u8,
    /// Whether every picture is known to be a frame taken at one instant.
    pub progressive: bool,
    /// Luma samples a line, inside the conformance window.
    pub width: u16,
    /// Lines, inside the conformance window.
    pub height: u16,
    /// Pictures per second; `None` when it varies or is not known.
    pub frame_rate: Option<FrameRate>,
    /// Colour; `None` when the bitstream does not say.
    pub colour: Option<Nclx>,
    /// `preferred_transfer_characteristics` of SEI; `None` without it.
    pub preferred_transfer: Option<u8>,
}

/// Code points of ITU-T H.273 Table 3.
const HLG: u16 = 18;

/// Limits of an HEVC media profile. All are of the Main tier, and 4:2:0.
struct Profile {
    brand: FourCc,
    coding: Coding,
    /// Transfer that the pictures are meant for, whatever their parameter sets say for old players; `None` for that one.
    meant_for: Option<u16>,
    pictures: PictureLimits,
}

/// The profile of H.265, and bits of a sample.
#[derive(Clone, Copy, PartialEq)]
enum Coding {
    /// Main: 8 bits.
    Main,
    /// Main 10 at most: 8 to 10 bits.
    UpToMain10,
    /// Main 10 with 10 bits, without which there is no HDR10 or HLG10.
    TenBits,
}

const LEVEL_4_1: u8 = 123;
const LEVEL_5: u8 = 150;
const LEVEL_5_1: u8 = 153;

const HD: PictureLimits = PictureLimits { level_idc: LEVEL_4_1, width: 1920, height: 1080, ..HD_COLOUR };
const UHD: PictureLimits = PictureLimits { level_idc: LEVEL_5_1, width: 3840, height: 2160, ..HD_COLOUR };

/// ISO/IEC 23000-19:2020 Table B.1, smallest first.
const PROFILES: [Profile; 6] = [
    Profile { brand: FourCc(*b"chhd"), coding: Coding::Main, meant_for: None, pictures: HD },
    Profile { brand: FourCc(*b"chh1"), coding: Coding::UpToMain10, meant_for: None, pictures: HD },
    Profile {
        brand: FourCc(*b"cud8"),
        coding: Coding::Main,
        meant_for: None,
        pictures: PictureLimits { level_idc: LEVEL_5, ..UHD },
    },
    Profile {
        brand: FourCc(*b"cud1"),
        coding: Coding::UpToMain10,
        meant_for: None,
        pictures: PictureLimits {
            colour_primaries: &[1, 9],
            transfer_characteristics: &[1, 14, 15],
            matrix_coefficients: &[1, 9, 10],
            ..UHD
        },
    },
    Profile {
        brand: FourCc(*b"chd1"),
        coding: Coding::TenBits,
        meant_for: None,
        pictures: PictureLimits {
            colour_primaries: &[9],
            transfer_characteristics: &[16],
            matrix_coefficients: &[9, 10],
            ..UHD
        },
    },
    Profile {
        brand: FourCc(*b"clg1"),
        coding: Coding::TenBits,
        meant_for: Some(HLG),
        pictures: PictureLimits {
            colour_primaries: &[9],
            transfer_characteristics: &[14, HLG],
            matrix_coefficients: &[9],
            ..UHD
        },
    },
];

/// The HEVC media profiles that the track is within, smallest first; all of them, as with AVC.
pub(super) fn profiles(hevc: &HevcFacts) -> impl Iterator<Item = FourCc> {
    PROFILES.iter().filter(|profile| is_within(hevc, profile)).map(|profile| profile.brand)
}

fn is_within(hevc: &HevcFacts, profile: &Profile) -> bool {
    let &HevcFacts { general_level_idc, progressive, width, height, frame_rate, colour, .. } = hevc;
    let pictures = Pictures { level_idc: general_level_idc, progressive, width, height, frame_rate, colour };
    // HLG pictures that say BT.2020 to old players (14) say HLG in SEI. Without it 14 is standard range: `cud1`.
    let transfer = colour.map(|colour| colour.transfer_characteristics.get());
    let preferred = hevc.preferred_transfer.map(u16::from);
    let transfer_fits = preferred.or(transfer) == profile.meant_for.or(transfer);
    !hevc.general_tier_flag
        && codes_as(hevc, profile.coding)
        && transfer_fits
        && profile.pictures.hold(&pictures)
}

/// Whether decoders of a profile take the stream, by what it says and by what it has.
fn codes_as(hevc: &HevcFacts, coding: Coding) -> bool {
    let compatible = |profile: u8| hevc.general_profile_compatibility_flags & 1 << (31 - profile) != 0;
    let of_profile = |profile: u8| hevc.general_profile_idc == profile || compatible(profile);
    let depths = [hevc.bit_depth_luma, hevc.bit_depth_chroma];
    // H.265 A.3.3: a decoder of Main 10 (2) takes streams of Main (1) too.
    let (profile_fits, bits) = match coding {
        Coding::Main => (of_profile(1), 8..=8),
        Coding::UpToMain10 => (of_profile(1) || of_profile(2), 8..=10),
        Coding::TenBits => (of_profile(2), 10..=10),
    };
    hevc.general_profile_space == 0
        && hevc.chroma_format_idc == 1
        && profile_fits
        && depths.iter().all(|depth| bits.contains(depth))
}

#[cfg(test)]
mod tests {
    use super::super::{TrackKind, compatible_brands};
    use super::*;

    /// Main, 1080p50 at level 4.1, BT.709 limited, as x265 writes its profile.
    fn hd8() -> HevcFacts {
        HevcFacts {
            general_profile_space: 0,
            general_profile_idc: 1,
            general_profile_compatibility_flags: 0x6000_0000,
            general_tier_flag: false,
            general_level_idc: 123,
            chroma_format_idc: 1,
            bit_depth_luma: 8,
            bit_depth_chroma: 8,
            progressive: true,
            width: 1920,
            height: 1080,
            frame_rate: FrameRate::new(50, 1),
            colour: Some(Nclx::new(1, 1, 1, false)),
            preferred_transfer: None,
        }
    }

    /// Main 10, 2160p60 at level 5.1, in this colour.
    fn uhd10(primaries: u8, transfer: u8, matrix: u8) -> HevcFacts {
        HevcFacts {
            general_profile_idc: 2,
            general_profile_compatibility_flags: 0x2000_0000,
            general_level_idc: 153,
            bit_depth_luma: 10,
            bit_depth_chroma: 10,
            width: 3840,
            height: 2160,
            frame_rate: FrameRate::new(60, 1),
            colour: Some(Nclx::new(primaries, transfer, matrix, false)),
            ..hd8()
        }
    }

    fn proven(facts: HevcFacts) -> String {
        let brands = compatible_brands(&TrackKind::Hevc(facts));
        let brands = brands.iter().map(FourCc::to_string).collect::<Vec<_>>().join(" ");
        brands.strip_prefix("iso6 mp42 cmfc cmf2").unwrap().trim().to_owned()
    }

    fn changed(mut facts: HevcFacts, change: impl FnOnce(&mut HevcFacts)) -> String {
        change(&mut facts);
        proven(facts)
    }

    #[test]
    fn every_profile_within_limits_is_listed() {
        assert_eq!(proven(hd8()), "chhd chh1 cud8 cud1");
        let hd10 = HevcFacts { general_level_idc: 123, width: 1920, height: 1080, ..uhd10(1, 1, 1) };
        assert_eq!(proven(hd10), "chh1 cud1");
        assert_eq!(changed(hd8(), |hevc| (hevc.width, hevc.height) = (3840, 2160)), "cud8 cud1");
        assert_eq!(changed(hd8(), |hevc| hevc.general_level_idc = 150), "cud8 cud1");
        assert_eq!(changed(hd8(), |hevc| hevc.general_level_idc = 153), "cud1");
        assert_eq!(proven(uhd10(1, 1, 1)), "cud1");
        assert_eq!(proven(uhd10(9, 14, 9)), "cud1");
        assert_eq!(proven(uhd10(9, 15, 10)), "cud1");
        assert_eq!(proven(uhd10(9, 16, 9)), "chd1");
        assert_eq!(proven(uhd10(9, 16, 10)), "chd1");
        assert_eq!(proven(uhd10(9, 18, 9)), "clg1");
    }

    #[test]
    fn each_limit_broken_alone_removes_the_brand() {
        type Change = fn(&mut HevcFacts);
        const ALWAYS: [Change; 15] = [
            |hevc| hevc.general_profile_space = 1,
            // Format range extensions, and no compatibility with what the stream is not.
            |hevc| (hevc.general_profile_idc, hevc.general_profile_compatibility_flags) = (4, 0x0800_0000),
            |hevc| hevc.general_tier_flag = true,
            |hevc| hevc.general_level_idc = 156,
            |hevc| hevc.chroma_format_idc = 2,
            |hevc| hevc.chroma_format_idc = 0,
            |hevc| hevc.bit_depth_luma = 12,
            |hevc| hevc.bit_depth_chroma = 12,
            |hevc| hevc.progressive = false,
            |hevc| hevc.width = 3842,
            |hevc| hevc.height = 2162,
            |hevc| hevc.frame_rate = None,
            |hevc| hevc.frame_rate = FrameRate::new(6001, 100),
            |hevc| hevc.colour = None,
            |hevc| hevc.colour.as_mut().unwrap().full_range_flag = 0x80,
        ];
        let all = [hd8(), uhd10(1, 1, 1), uhd10(9, 14, 9), uhd10(9, 16, 9), uhd10(9, 18, 9)];
        for facts in all {
            assert_ne!(proven(facts), "");
            for (index, change) in ALWAYS.into_iter().enumerate() {
                assert_eq!(changed(facts, change), "", "change {index} of {facts:?}");
            }
        }
    }

    #[test]
    fn the_limits_of_the_small_profiles_are_their_own() {
        let small = |change: fn(&mut HevcFacts)| changed(hd8(), change);
        assert_eq!(small(|hevc| hevc.width = 1922), "cud8 cud1");
        assert_eq!(small(|hevc| hevc.height = 1082), "cud8 cud1");
        assert_eq!(small(|hevc| hevc.general_level_idc = 126), "cud8 cud1");
        // One component of 10 bits is not Main, whatever its flags say.
        assert_eq!(small(|hevc| hevc.bit_depth_luma = 10), "chh1 cud1");
        assert_eq!(small(|hevc| hevc.bit_depth_chroma = 10), "chh1 cud1");
        assert_eq!(small(|hevc| hevc.frame_rate = FrameRate::new(60_000, 1001)), "chhd chh1 cud8 cud1");
    }

    #[test]
    fn profiles_are_taken_by_idc_or_compatibility() {
        let of = |idc, flags| {
            changed(hd8(), |hevc| {
                (hevc.general_profile_idc, hevc.general_profile_compatibility_flags) = (idc, flags);
            })
        };
        for (idc, flags) in [(1, 0), (4, 0x4000_0000), (3, 0x7000_0000)] {
            assert_eq!(of(idc, flags), "chhd chh1 cud8 cud1", "{idc} {flags:#x}");
        }
        assert_eq!(of(2, 0), "chh1 cud1");
        assert_eq!(of(0, 0x2000_0000), "chh1 cud1");
        assert_eq!(of(0, 0x8000_0000), "");
    }

    #[test]
    fn high_dynamic_range_has_ten_bits_and_its_own_colours() {
        for (transfer, brand) in [(16, "chd1"), (18, "clg1")] {
            assert_eq!(proven(uhd10(9, transfer, 9)), brand);
            for (primaries, matrix) in [(1, 9), (12, 9), (9, 1), (9, 14)] {
                assert_eq!(proven(uhd10(primaries, transfer, matrix)), "", "{primaries} {transfer} {matrix}");
            }
            assert_eq!(changed(uhd10(9, transfer, 9), |hevc| hevc.bit_depth_luma = 8), "");
            assert_eq!(changed(uhd10(9, transfer, 9), |hevc| hevc.bit_depth_chroma = 8), "");
        }
        assert_eq!(proven(uhd10(9, 18, 10)), "", "constant luminance is PQ's alone");
        for (primaries, transfer, matrix) in [(2, 1, 1), (1, 2, 1), (1, 1, 2), (9, 17, 9)] {
            assert_eq!(proven(uhd10(primaries, transfer, matrix)), "");
        }
    }

    #[test]
    fn hlg_for_old_players_is_proven_by_sei() {
        let preferring = |transfer, preferred| {
            changed(uhd10(9, transfer, 9), |hevc| hevc.preferred_transfer = Some(preferred))
        };
        assert_eq!(preferring(14, 18), "clg1");
        assert_eq!(preferring(18, 18), "clg1");
        assert_eq!(preferring(14, 14), "cud1");
        assert_eq!(preferring(16, 16), "chd1");
        // What is meant for another transfer than it says is no profile's.
        for (transfer, preferred) in [(1, 18), (15, 18), (16, 18), (18, 16), (14, 16), (18, 14)] {
            assert_eq!(preferring(transfer, preferred), "", "{transfer} {preferred}");
        }
    }
}
