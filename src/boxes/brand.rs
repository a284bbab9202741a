//! Brands: what a file claims about itself in `ftyp` and `styp` (ISO/IEC 14496-12 4.3, 8.16.2). A brand is a promise to
//! players, so a media profile brand is written only when the values that define it are known and within its limits.
//!
//! The registry of brands is MP4RA's `brands.csv`. Limits are those of ISO/IEC 23000-19:2020 Table A.1 (AVC), Table B.1
//! (HEVC) and 10.4 (AAC core), as the DASH-IF conformance software checks them (`VideoMediaProfile.php`,
//! `AudioMediaProfile.php`); the standard itself was not opened. What proves which brand is told in
//! `docs/media-profiles.md`.

mod hevc;

use super::sample_entry::Nclx;
use super::{BoxWriter, FourCc};
use crate::time::FrameRate;

pub use hevc::HevcFacts;

/// Major brand of the init segment, also first of the compatible ones: default-base-is-moof, `tfdt` and signed
/// composition offsets are features up to `iso6`, and HLS asks for it or a later one (rfc8216bis 3.1.2).
const ISO6: FourCc = FourCc(*b"iso6");

/// What kind of track a file holds, with the facts that prove a media profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TrackKind {
    /// H.264 video in an `avc1` or `avc3` sample entry.
    Avc(AvcFacts),
    /// H.265 video in an `hvc1` or `hev1` sample entry.
    Hevc(HevcFacts),
    /// AV1 in an `av01` sample entry.
    Av1,
    /// VP9 in a `vp09` sample entry.
    Vp9,
    /// AAC in an `mp4a` sample entry.
    Aac(AacFacts),
    /// Sound of another codec, for which no media profile is proven.
    OtherAudio,
}

/// What sequence parameter sets say of an H.264 track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvcFacts {
    /// `profile_idc`.
    pub profile_idc: u8,
    /// The byte of `constraint_set0_flag` (most significant bit) to `constraint_set5_flag` and two zero bits.
    pub constraint_set_flags: u8,
    /// `level_idc`.
    pub level_idc: u8,
    /// Whether every picture is a frame of frame macroblocks (`frame_mbs_only_flag` 1).
    pub progressive: bool,
    /// Luma samples a line, after cropping.
    pub width: u16,
    /// Lines, after cropping.
    pub height: u16,
    /// Pictures per second; `None` when it varies or is not known.
    pub frame_rate: Option<FrameRate>,
    /// Colour; `None` when the bitstream does not say.
    pub colour: Option<Nclx>,
}

/// What the configuration says of an AAC track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AacFacts {
    /// `audioObjectType` (ISO/IEC 14496-3 1.5.1.1): 2 is AAC LC.
    pub audio_object_type: u8,
    /// Number of channels.
    pub channels: u16,
    /// Samples per second.
    pub sample_rate: u32,
}

/// `ftyp` of an init segment. `minor_version` 0: ISO/IEC 23000-19 7.2 asks for it where a structural brand is major,
/// and `iso6` defines none (14496-12 Annex E).
pub fn write_ftyp(w: &mut BoxWriter<'_>, kind: &TrackKind) {
    write_type_box(w, b"ftyp", ISO6, &compatible_brands(kind));
}

/// `styp` of a media segment: one list for all, so that segments of several workers are equal. Every segment is one
/// chunk, so it is all of these at once.
pub fn write_styp(w: &mut BoxWriter<'_>) {
    const SEGMENT: [FourCc; 4] = [
        FourCc(*b"cmfs"), // CMAF segment: complete fragments that follow each other (23000-19 7.3.3.1)
        FourCc(*b"cmff"), // CMAF fragment: decodes on its own, so it starts with a sync sample (7.3.2.4)
        FourCc(*b"cmfl"), // CMAF chunk: one moof and the mdat behind it (7.3.2.3)
        FourCc(*b"msdh"), // DASH media segment: whole movie fragments, a tfdt in each (23009-1 6.3.4.2)
    ];
    write_type_box(w, b"styp", SEGMENT[0], &SEGMENT);
}

fn write_type_box(w: &mut BoxWriter<'_>, kind: &[u8; 4], major_brand: FourCc, compatible_brands: &[FourCc]) {
    w.nest(kind, |w| {
        w.pod(&major_brand);
        w.u32(0); // minor_version
        compatible_brands.iter().for_each(|brand| w.pod(brand));
    });
}

/// Every brand that an init segment may claim, in the order they are written.
pub fn compatible_brands(kind: &TrackKind) -> Vec<FourCc> {
    let mut brands = vec![ISO6, FourCc(*b"mp42"), FourCc(*b"cmfc")];
    match kind {
        TrackKind::Avc(avc) => {
            // `avc3` is a CMAF track like `avc1`: 23000-19 9.4.1.2 takes both, and the conformance streams of CTA WAVE for
            // `cfhd` have `avc3` with parameter sets in the header too, in a switching set whose tracks have a header each
            // (cta-wave/Test-Content-Generation, Instructions/cfhd.md). Shaka Packager leaves `cmfc` out with `avc3`,
            // as if it took the one header for all tracks of 7.3.4.2, which in-band sets allow and do not ask for.
            //
            // No edit list, trun version 1, nothing inherited from trex (23000-19 7.7).
            brands.push(FourCc(*b"cmf2"));
            brands.extend(avc_profiles(avc));
        }
        TrackKind::Hevc(hevc) => {
            // `hev1` is a CMAF track as `avc3` is, and may have `cmf2` too: CTA WAVE's streams for `chh1` have it with either
            // brand (cta-wave/Test-Content-Generation, profiles/chh1.mezzanine_v4.csv).
            brands.push(FourCc(*b"cmf2"));
            brands.extend(hevc::profiles(hevc));
        }
        TrackKind::Av1 => {
            // `av01` is a file brand and the CMAF media profile in one (AV1-ISOBMFF 2.1, 3). It asks for nothing of profile,
            // level or size.
            brands.extend([FourCc(*b"cmf2"), FourCc(*b"av01")]);
        }
        // MP4RA's registry has no brand of VP9. `cmf2` asks for nothing of the codec: no edit list, trun version 1, nothing inherited
        // from trex (23000-19 7.7).
        TrackKind::Vp9 => brands.push(FourCc(*b"cmf2")),
        TrackKind::Aac(aac) => {
            // Not in MP4RA's registry; some tools look for it in CMAF audio.
            brands.push(FourCc(*b"cmfa"));
            brands.extend(is_aac_core(aac).then_some(FourCc(*b"caac")));
        }
        TrackKind::OtherAudio => brands.push(FourCc(*b"cmfa")),
    }
    brands
}

/// What the pictures of a media profile may be at most.
#[derive(Clone, Copy)]
struct PictureLimits {
    level_idc: u8,
    width: u16,
    height: u16,
    colour_primaries: &'static [u16],
    transfer_characteristics: &'static [u16],
    matrix_coefficients: &'static [u16],
}

/// BT.709.
const HD_COLOUR: PictureLimits = PictureLimits {
    level_idc: 0,
    width: 0,
    height: 0,
    colour_primaries: &[1],
    transfer_characteristics: &[1],
    matrix_coefficients: &[1],
};

/// What is known of the pictures of a track.
#[derive(Clone, Copy)]
struct Pictures {
    level_idc: u8,
    progressive: bool,
    width: u16,
    height: u16,
    frame_rate: Option<FrameRate>,
    colour: Option<Nclx>,
}

/// The same in all profiles of Tables A.1 and B.1 that are proven here.
const MAX_FRAME_RATE: u64 = 60;

impl PictureLimits {
    /// Whether `pictures` are known to be within.
    fn hold(&self, pictures: &Pictures) -> bool {
        let rate_fits = pictures.frame_rate.is_some_and(|rate| {
            u64::from(rate.numerator()) <= MAX_FRAME_RATE * u64::from(rate.denominator())
        });
        // A bitstream that names no colour proves none, though decoders take BT.709 for it. Limited range alone is
        // proven: the tables' checks know no other.
        let colour_fits = pictures.colour.is_some_and(|colour| {
            self.colour_primaries.contains(&colour.colour_primaries.get())
                && self.transfer_characteristics.contains(&colour.transfer_characteristics.get())
                && self.matrix_coefficients.contains(&colour.matrix_coefficients.get())
                && colour.full_range_flag == 0
        });
        pictures.progressive
            && pictures.level_idc <= self.level_idc
            && pictures.width <= self.width
            && pictures.height <= self.height
            && rate_fits
            && colour_fits
    }
}

/// ISO/IEC 23000-19:2020 Table A.1. All are High profile at most.
const AVC_PROFILES: [(FourCc, PictureLimits); 3] = [
    (
        FourCc(*b"cfsd"),
        PictureLimits {
            level_idc: 31,
            width: 864,
            height: 576,
            colour_primaries: &[1, 5, 6],
            transfer_characteristics: &[1, 6],
            matrix_coefficients: &[1, 5, 6],
        },
    ),
    (FourCc(*b"cfhd"), PictureLimits { level_idc: 40, width: 1920, height: 1080, ..HD_COLOUR }),
    (FourCc(*b"chdf"), PictureLimits { level_idc: 42, width: 1920, height: 1080, ..HD_COLOUR }),
];

/// The AVC media profiles that the track is within, smallest first. All of them are listed: the limits are upper
/// ones, and a switching set needs a profile that its small pictures share with its large ones.
fn avc_profiles(avc: &AvcFacts) -> impl Iterator<Item = FourCc> {
    let &AvcFacts { level_idc, progressive, width, height, frame_rate, colour, .. } = avc;
    let pictures = Pictures { level_idc, progressive, width, height, frame_rate, colour };
    // H.264 A.2: Main (77) and Baseline streams without its extras (66 with constraint_set1_flag) use tools of High
    // only. "Shall not exceed the profile" of the table takes them in.
    let constraint_set1_flag = avc.constraint_set_flags & 0x40 != 0;
    let up_to_high = matches!(avc.profile_idc, 77 | 100) || avc.profile_idc == 66 && constraint_set1_flag;
    let within = AVC_PROFILES.iter().filter(move |(_, limits)| up_to_high && limits.hold(&pictures));
    within.map(|&(brand, _)| brand)
}

/// AAC core: AAC LC, two channels and 48 kHz at most (ISO/IEC 23000-19 10.4). The HE variants belong to it too, but
/// only at a level that an AudioSpecificConfig does not state; so does multichannel audio (`camc`). Adaptive audio
/// (`caaa`) is a promise about how the encoder coded frames at the edges of fragments.
fn is_aac_core(aac: &AacFacts) -> bool {
    const AAC_LC: u8 = 2;
    aac.audio_object_type == AAC_LC && (1..=2).contains(&aac.channels) && aac.sample_rate <= 48_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1080p25 High at level 4.0, BT.709 limited.
    const HD: AvcFacts = AvcFacts {
        profile_idc: 100,
        constraint_set_flags: 0,
        level_idc: 40,
        progressive: true,
        width: 1920,
        height: 1080,
        frame_rate: None,
        colour: Some(Nclx::new(1, 1, 1, false)),
    };

    fn brands(kind: TrackKind) -> String {
        compatible_brands(&kind).iter().map(FourCc::to_string).collect::<Vec<_>>().join(" ")
    }

    fn profiles(change: impl FnOnce(&mut AvcFacts)) -> String {
        let mut avc = HD;
        avc.frame_rate = FrameRate::new(25, 1);
        change(&mut avc);
        brands(TrackKind::Avc(avc)).strip_prefix("iso6 mp42 cmfc cmf2").unwrap().trim().to_owned()
    }

    #[test]
    fn every_avc_profile_within_limits_is_listed() {
        assert_eq!(profiles(|_| ()), "cfhd chdf");
        assert_eq!(profiles(|avc| avc.level_idc = 42), "chdf");
        assert_eq!(profiles(|avc| (avc.width, avc.height, avc.level_idc) = (864, 576, 31)), "cfsd cfhd chdf");
        assert_eq!(profiles(|avc| (avc.width, avc.height, avc.level_idc) = (866, 576, 31)), "cfhd chdf");
    }

    #[test]
    fn what_is_past_a_limit_or_unknown_has_no_media_profile() {
        let none = |change: fn(&mut AvcFacts)| assert_eq!(profiles(change), "");
        none(|avc| avc.level_idc = 50);
        none(|avc| avc.width = 1922);
        none(|avc| avc.height = 1082);
        none(|avc| avc.profile_idc = 110);
        none(|avc| avc.progressive = false);
        none(|avc| avc.frame_rate = None);
        none(|avc| avc.frame_rate = FrameRate::new(61, 1));
        none(|avc| avc.colour = None);
        none(|avc| avc.colour = Some(Nclx::new(9, 16, 9, false)));
        none(|avc| avc.colour = Some(Nclx::new(1, 1, 1, true)));
        assert_eq!(profiles(|avc| avc.frame_rate = FrameRate::new(60_000, 1001)), "cfhd chdf");
    }

    #[test]
    fn main_and_constrained_baseline_are_within_high() {
        assert_eq!(profiles(|avc| avc.profile_idc = 77), "cfhd chdf");
        assert_eq!(profiles(|avc| (avc.profile_idc, avc.constraint_set_flags) = (66, 0xc0)), "cfhd chdf");
        assert_eq!(profiles(|avc| (avc.profile_idc, avc.constraint_set_flags) = (66, 0x80)), "");
    }

    #[test]
    fn standard_definition_colour_is_proven_for_cfsd_alone() {
        let colour = Some(Nclx::new(6, 6, 6, false));
        let sd = |avc: &mut AvcFacts| {
            *avc = AvcFacts { width: 720, height: 576, level_idc: 30, colour, ..*avc };
        };
        assert_eq!(profiles(sd), "cfsd");
    }

    #[test]
    fn av1_needs_no_proof() {
        assert_eq!(brands(TrackKind::Av1), "iso6 mp42 cmfc cmf2 av01");
        assert_eq!(brands(TrackKind::Vp9), "iso6 mp42 cmfc cmf2");
    }

    #[test]
    fn aac_core_is_lc_stereo_at_48_khz_at_most() {
        let of = |audio_object_type, channels, sample_rate| {
            brands(TrackKind::Aac(AacFacts { audio_object_type, channels, sample_rate }))
        };
        assert_eq!(of(2, 2, 48_000), "iso6 mp42 cmfc cmfa caac");
        assert_eq!(of(2, 1, 44_100), "iso6 mp42 cmfc cmfa caac");
        for (object_type, channels, rate) in [(2, 6, 48_000), (2, 2, 96_000), (5, 2, 48_000), (1, 2, 48_000)]
        {
            assert_eq!(of(object_type, channels, rate), "iso6 mp42 cmfc cmfa");
        }
    }

    #[test]
    fn styp_is_laid_out_as_in_a_foreign_segment() {
        // mp4ff, mp4/testdata/hvc1_seg_1.m4s: CMAF segment by another packager.
        let foreign = b"\0\0\0\x18styp\
            cmfs\0\0\0\0\
            dashmsdh";
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        write_styp(&mut w);
        w.finish().unwrap();
        // Ours lists the major brand again, fragment and chunk; and not 'dash', which MP4RA has for whole
        // files with a segment index.
        assert_eq!(out, b"\0\0\0\x20stypcmfs\0\0\0\0cmfscmffcmflmsdh");
        assert_eq!(out[4..16], foreign[4..16]);
    }

    #[test]
    fn ftyp_is_laid_out_as_ffmpeg_writes_it() {
        // FFmpeg 5.1, -movflags +cmaf: its minor_version is 0x200 and it lists iso6, cmfc, mp41.
        let foreign = b"\0\0\0\x1cftypiso6\0\0\x02\0iso6cmfcmp41";
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        write_ftyp(&mut w, &TrackKind::Avc(HD));
        w.finish().unwrap();
        assert_eq!(out, b"\0\0\0\x20ftypiso6\0\0\0\0iso6mp42cmfccmf2");
        assert_eq!(out[4..12], foreign[4..12]);
    }
}
