//! `profile_tier_level()` (H.265 7.3.3) ► what a stream asks of decoders: the first bytes of `hvcC`, and the codec
//! string (ISO/IEC 14496-15 Annex E, not opened; as Shaka Packager quotes it). What covers several sets follows ISO/IEC
//! 14496-15 8.3.3.1.2, not opened either.

use crate::bits::BitReader;
use crate::codec::ScanType;
use crate::error::{Error, Result};

use super::u_u8;

/// General profile, tier and level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileTierLevel {
    /// `general_profile_space`, 0..=3; only 0 is defined.
    pub profile_space: u8,
    /// `general_tier_flag`: High tier rather than Main.
    pub high_tier: bool,
    /// `general_profile_idc`, 0..=31 (A.3): 1 Main, 2 Main 10, 3 Main Still Picture, 4 format range extensions …
    pub profile_idc: u8,
    /// `general_profile_compatibility_flag`: that of profile 0 is the highest bit.
    pub compatibility_flags: u32,
    /// The 48 bits from `general_progressive_source_flag`, which is the highest of them, to `general_level_idc`.
    pub constraint_flags: u64,
    /// `general_level_idc`: thirty times the level.
    pub level_idc: u8,
}

/// Bits of [`ProfileTierLevel::constraint_flags`].
const CONSTRAINT_BITS: u32 = 48;

/// The flags from `general_max_12bit_constraint_flag` through `general_max_14bit_constraint_flag`, which tell apart the
/// profiles that share `general_profile_idc` 4 and more (A.3.5). Those in front of them are about the source.
const FORMAT_CONSTRAINTS: u64 = 0x0ffc_0000_0000;

/// The lowest `general_profile_idc` that stands for many profiles, told apart by [`FORMAT_CONSTRAINTS`].
const FORMAT_RANGE_EXTENSIONS: u8 = 4;

impl ProfileTierLevel {
    /// `profile_tier_level( 1, max_sub_layers_minus1 )`; what it says of sub-layers is read past.
    pub(super) fn read(r: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<Self> {
        let profile_space = u_u8(r, 2, "general_profile_space")?;
        let high_tier = r.flag("general_tier_flag")?;
        let profile_idc = u_u8(r, 5, "general_profile_idc")?;
        let compatibility_flags = r.u(32, "general_profile_compatibility_flag")?;
        let constraints = u64::from(r.u(32, "general_progressive_source_flag")?) << 16;
        let constraint_flags = constraints | u64::from(r.u(16, "general_reserved_zero_43bits")?);
        let level_idc = u_u8(r, 8, "general_level_idc")?;
        skip_sub_layers(r, max_sub_layers_minus1)?;
        Ok(Self { profile_space, high_tier, profile_idc, compatibility_flags, constraint_flags, level_idc })
    }

    /// `general_progressive_source_flag` and `general_interlaced_source_flag` (7.4.4): `None` where they leave it to
    /// each picture, or say nothing.
    pub fn source_scan(&self) -> Option<ScanType> {
        match (self.constraint_flag(0), self.constraint_flag(1)) {
            (true, false) => Some(ScanType::Progressive),
            (false, true) => Some(ScanType::Interlaced),
            _ => None,
        }
    }

    /// The flag at this place, 0..=47, behind `general_profile_compatibility_flag`: 0 `general_progressive_source_flag`,
    /// 1 `general_interlaced_source_flag`, 2 `general_non_packed_constraint_flag`, 3
    /// `general_frame_only_constraint_flag`, 4 `general_max_12bit_constraint_flag` …
    pub const fn constraint_flag(&self, at: u32) -> bool {
        at < CONSTRAINT_BITS && self.constraint_flags >> (CONSTRAINT_BITS - 1 - at) & 1 == 1
    }

    /// `general_profile_compatibility_flag` of `profile_idc`, 0..=31.
    pub const fn is_compatible_with(&self, profile_idc: u8) -> bool {
        profile_idc < 32 && self.compatibility_flags >> (31 - profile_idc) & 1 == 1
    }

    /// The first twelve bytes of `profile_tier_level()`, as in the configuration record.
    pub(super) fn bytes(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[0] = self.profile_space << 6 | u8::from(self.high_tier) << 5 | self.profile_idc;
        bytes[1..5].copy_from_slice(&self.compatibility_flags.to_be_bytes());
        bytes[5..11].copy_from_slice(&self.constraint_flags.to_be_bytes()[2..]);
        bytes[11] = self.level_idc;
        bytes
    }

    /// The `codecs` parameter with a sample entry of type `entry`: profile space as a letter (none for 0) and profile,
    /// compatibility flags in reverse bit order, tier and level, then the bytes of the constraint flags without the zero
    /// ones at their end.
    pub(super) fn codec_string(&self, entry: &str) -> String {
        let space = ["", "A", "B", "C"][usize::from(self.profile_space & 3)];
        let compatibility = self.compatibility_flags.reverse_bits();
        let tier = if self.high_tier { 'H' } else { 'L' };
        let mut text =
            format!("{entry}.{space}{}.{compatibility:X}.{tier}{}", self.profile_idc, self.level_idc);
        let constraints = &self.constraint_flags.to_be_bytes()[2..];
        let kept = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        for byte in &constraints[..kept] {
            text += &format!(".{byte:X}");
        }
        text
    }

    /// What decoders of all of `sets` are asked: a profile that each conforms to, the flags that all set, the highest
    /// tier and level. `None` of an empty list.
    ///
    /// # Errors
    /// When no one profile covers them.
    pub(super) fn covering(sets: impl IntoIterator<Item = Self>) -> Result<Option<Self>> {
        let mut sets = sets.into_iter();
        let Some(first) = sets.next() else { return Ok(None) };
        // Profiles that every set conforms to.
        let mut profiles = first.conforms_to();
        let mut all = first;
        for set in sets {
            profiles &= set.conforms_to();
            if set.profile_space != all.profile_space || profiles == 0 {
                return Err(Error::unsupported(
                    format!(
                        "sequence parameter sets with general_profile_idc {} and {}, which no one profile covers",
                        all.profile_idc, set.profile_idc
                    ),
                    "package the parts of the stream separately, or encode them in one profile",
                ));
            }
            if set.profile_idc != all.profile_idc {
                // The lowest one has the highest bit.
                all.profile_idc = (profiles.leading_zeros() & 31) as u8;
            }
            all.high_tier |= set.high_tier;
            all.compatibility_flags &= set.compatibility_flags;
            all.constraint_flags &= set.constraint_flags;
            all.level_idc = all.level_idc.max(set.level_idc);
        }
        Ok(Some(all))
    }

    /// Whether decoders of `other` must decode what asks for this one.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let profile = self.profile_idc == other.profile_idc || self.is_compatible_with(other.profile_idc);
        let constrained = other.profile_idc < FORMAT_RANGE_EXTENSIONS
            || other.constraint_flags & FORMAT_CONSTRAINTS & !self.constraint_flags == 0;
        self.profile_space == other.profile_space
            && profile
            && constrained
            && self.high_tier <= other.high_tier
            && self.level_idc <= other.level_idc
    }

    /// The profiles that a stream conforms to, in the bits of the compatibility flags: its own is among them.
    fn conforms_to(&self) -> u32 {
        self.compatibility_flags | 0x8000_0000 >> self.profile_idc
    }
}

/// What `profile_tier_level()` says of sub-layers.
fn skip_sub_layers(r: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<()> {
    let mut present = [(false, false); 8];
    let present = &mut present[..usize::from(max_sub_layers_minus1.min(7))];
    for (profile, level) in present.iter_mut() {
        *profile = r.flag("sub_layer_profile_present_flag")?;
        *level = r.flag("sub_layer_level_present_flag")?;
    }
    if max_sub_layers_minus1 > 0 {
        for _ in max_sub_layers_minus1..8 {
            r.u(2, "reserved_zero_2bits")?;
        }
    }
    for &(profile, level) in present.iter() {
        if profile {
            r.u(8, "sub_layer_profile_idc")?;
            r.u(32, "sub_layer_profile_compatibility_flag")?;
            r.u(32, "sub_layer_progressive_source_flag")?;
            r.u(16, "sub_layer_reserved_zero_43bits")?;
        }
        if level {
            r.u(8, "sub_layer_level_idc")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{BitWriter, Profile};
    use super::*;

    fn read(profile: Profile, sub_layers: u32) -> ProfileTierLevel {
        let mut w = BitWriter::default();
        profile.write(&mut w, sub_layers);
        w.u(0xabcd, 16);
        let bytes = w.finish();
        let mut r = BitReader::new(&bytes, "H.265 7.4.4");
        let read = ProfileTierLevel::read(&mut r, (sub_layers - 1) as u8).unwrap();
        assert_eq!(r.u(16, "behind").unwrap(), 0xabcd, "{sub_layers} sub-layers");
        read
    }

    #[test]
    fn sub_layers_are_read_past_however_many() {
        for sub_layers in 1..=7 {
            let read = read(Profile::default(), sub_layers);
            assert_eq!((read.profile_idc, read.compatibility_flags, read.level_idc), (1, 0x6000_0000, 90));
            assert_eq!(read.bytes(), [1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 90]);
        }
    }

    #[test]
    fn codec_strings_are_those_that_other_packagers_write() {
        let codec = |profile: Profile| read(profile, 1).codec_string("hvc1");
        // Worked by hand; Shaka Packager and mp4ff drop leading zeros of each number and zero bytes at the end likewise.
        let main = Profile { level_idc: 93, constraints: 0xb000_0000_0000, ..Profile::default() };
        assert_eq!(codec(main), "hvc1.1.6.L93.B0");
        let main_10 = Profile { idc: 2, compatibility: 0x2000_0000, level_idc: 150, ..main };
        assert_eq!(codec(main_10), "hvc1.2.4.L150.B0");
        let space = Profile { space: 1, idc: 4, compatibility: 0x8200_0000, ..main_10 };
        assert_eq!(codec(space), "hvc1.A4.41.L150.B0");
        let high = Profile { high_tier: true, constraints: 0x9d08_0000_0000, ..main };
        assert_eq!(codec(high), "hvc1.1.6.H93.9D.8");
        assert_eq!(codec(Profile { constraints: 0x9000_0000_0001, ..main }), "hvc1.1.6.L93.90.0.0.0.0.1");
        assert_eq!(codec(Profile { space: 3, compatibility: 0, constraints: 0, ..main }), "hvc1.C1.0.L93");
    }

    #[test]
    fn source_flags_tell_the_scan_where_they_agree() {
        let scan = |constraints: u64| {
            read(Profile { constraints: constraints << 44, ..Profile::default() }, 1).source_scan()
        };
        assert_eq!(scan(0b1001), Some(ScanType::Progressive));
        assert_eq!(scan(0b0100), Some(ScanType::Interlaced));
        assert_eq!(scan(0b1100), None);
        assert_eq!(scan(0b0000), None);
        let flags = read(Profile { constraints: 1u64 << 43 | 1 << 34 | 1, ..Profile::default() }, 1);
        let set: Vec<_> = (0..50).filter(|&at| flags.constraint_flag(at)).collect();
        assert_eq!(set, [4, 13, 47]);
    }

    fn covering(profiles: &[Profile]) -> Result<ProfileTierLevel> {
        ProfileTierLevel::covering(profiles.iter().map(|&profile| read(profile, 1))).map(Option::unwrap)
    }

    #[test]
    fn several_sets_are_covered_by_the_lowest_profile_of_all_and_the_highest_tier_and_level() {
        let main = Profile::default();
        let main_10 = Profile { idc: 2, compatibility: 0x2000_0000, level_idc: 60, ..main };
        let high = Profile { high_tier: true, level_idc: 75, constraints: 0xb000_0000_0000, ..main };
        let all = covering(&[main, main_10, high]).unwrap();
        assert_eq!(all.codec_string("hvc1"), "hvc1.2.4.H90.90");
        assert_eq!(covering(&[main_10, main]).unwrap().codec_string("hvc1"), "hvc1.2.4.L90.90");
        assert_eq!(covering(&[main, high]).unwrap().codec_string("hev1"), "hev1.1.6.H90.90");
        // A set that leaves its own compatibility flag out still conforms to its profile.
        let bare = Profile { compatibility: 0, ..main };
        assert_eq!(covering(&[main, bare]).unwrap().codec_string("hvc1"), "hvc1.1.0.L90.90");
        assert_eq!(ProfileTierLevel::covering([]).unwrap(), None);
        let range = Profile { idc: 4, compatibility: 0x0800_0000, ..main };
        for other in [range, Profile { space: 1, ..main }] {
            let error = covering(&[main, other]).unwrap_err().to_string();
            assert!(error.contains(&format!("general_profile_idc 1 and {}", other.idc)), "{error}");
        }
    }

    #[test]
    fn decoders_of_a_profile_take_what_is_compatible_and_asks_for_no_more() {
        let main = Profile::default();
        let main_10 = Profile { idc: 2, compatibility: 0x2000_0000, ..main };
        let (narrow, wide) = (
            Profile { idc: 4, compatibility: 0x0800_0000, constraints: 0x9d08_0000_0000, ..main },
            Profile { idc: 4, compatibility: 0x0800_0000, constraints: 0x9808_0000_0000, ..main },
        );
        let within = |a: Profile, b: Profile| read(a, 1).is_within(&read(b, 1));
        assert!(within(main, main) && within(main, main_10) && within(narrow, wide));
        assert!(!within(main_10, main) && !within(wide, narrow) && !within(main, wide));
        let higher = Profile { level_idc: 93, ..main };
        assert!(within(main, higher) && !within(higher, main));
        let high = Profile { high_tier: true, ..main };
        assert!(within(main, high) && !within(high, main));
        assert!(!within(main, Profile { space: 2, ..main }));
        // Interlaced is nothing that decoders are asked for.
        assert!(within(Profile { constraints: 0x4000_0000_0000, ..main }, main));
    }
}
