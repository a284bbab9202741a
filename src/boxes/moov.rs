//! Boxes of an init segment outside `stsd`: `moov` and what stands in it, with the values that CMAF fixes (ISO/IEC
//! 23000-19 7.5) already in place. Functions without a number of their own write the whole box.

use std::num::NonZeroI16;

use bytemuck::{Pod, Zeroable};

use super::{BoxWriter, FourCc, TRACK_ID};
use crate::bytes::{I16, I32, U16, U32};
use crate::time::{Ticks, Timescale};

/// 1.0 in 16.16 and in 8.8 fixed point.
const ONE_16_16: i32 = 0x0001_0000;
const ONE_8_8: i16 = 0x0100;

/// `matrix` of an untransformed picture: u, v and w in 2.30, the rest in 16.16. ISO/IEC 14496-12 6.2.2.
const UNITY_MATRIX: [I32; 9] = {
    const O: I32 = I32::new(0);
    const I: I32 = I32::new(ONE_16_16);
    [I, O, O, O, I, O, O, O, I32::new(0x4000_0000)]
};

/// MovieHeaderBox body, version 0. ISO/IEC 14496-12 8.2.2.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct MvhdV0 {
    creation_time: U32,
    modification_time: U32,
    timescale: U32,
    duration: U32,
    rate: I32,
    volume: I16,
    reserved: U16,
    reserved_words: [U32; 2],
    matrix: [I32; 9],
    pre_defined: [U32; 6],
    next_track_id: U32,
}
const _: () = assert!(size_of::<MvhdV0>() == 96);

/// `mvhd`: no creation time, so that equal input gives equal bytes; default rate, volume and matrix
/// (23000-19 7.5.1); duration 0, since the samples are in fragments (rfc8216bis 3.1.2).
pub fn write_mvhd(w: &mut BoxWriter<'_>, timescale: Timescale) {
    let body = MvhdV0 {
        timescale: U32::new(timescale.get()),
        rate: I32::new(ONE_16_16),
        volume: I16::new(ONE_8_8),
        matrix: UNITY_MATRIX,
        next_track_id: U32::new(TRACK_ID + 1),
        ..Zeroable::zeroed()
    };
    w.full(b"mvhd", 0, 0, |w| w.pod(&body));
}

/// TrackHeaderBox body, version 0. ISO/IEC 14496-12 8.3.2.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct TkhdV0 {
    creation_time: U32,
    modification_time: U32,
    track_id: U32,
    reserved: U32,
    duration: U32,
    reserved_words: [U32; 2],
    layer: I16,
    alternate_group: I16,
    volume: I16,
    reserved_half: U16,
    matrix: [I32; 9],
    width: U32,
    height: U32,
}
const _: () = assert!(size_of::<TkhdV0>() == 80);

/// What `tkhd`, `hdlr` and the media header say of the kind of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Pictures, with the size they are shown at, in square pixels.
    Video {
        /// Width on display.
        width: u16,
        /// Height on display.
        height: u16,
    },
    /// Sound.
    Audio,
}

/// `tkhd`: enabled, in the movie; duration 0; width and height in 16.16, 0 for what cannot be seen (23000-19 7.5.4).
pub fn write_tkhd(w: &mut BoxWriter<'_>, media: Media) {
    const TRACK_ENABLED: u32 = 0x00_0001;
    const TRACK_IN_MOVIE: u32 = 0x00_0002;
    let (volume, width, height) = match media {
        Media::Video { width, height } => (0, u32::from(width) << 16, u32::from(height) << 16),
        Media::Audio => (ONE_8_8, 0, 0),
    };
    let body = TkhdV0 {
        track_id: U32::new(TRACK_ID),
        volume: I16::new(volume),
        matrix: UNITY_MATRIX,
        width: U32::new(width),
        height: U32::new(height),
        ..Zeroable::zeroed()
    };
    w.full(b"tkhd", 0, TRACK_ENABLED | TRACK_IN_MOVIE, |w| w.pod(&body));
}

/// MediaHeaderBox body, version 0. ISO/IEC 14496-12 8.4.2.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct MdhdV0 {
    creation_time: U32,
    modification_time: U32,
    timescale: U32,
    duration: U32,
    language: PackedLanguage,
    pre_defined: U16,
}
const _: () = assert!(size_of::<MdhdV0>() == 20);

/// An ISO 639-2/T code as `mdhd` packs it: a zero bit, then each letter minus 0x60 in five bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct PackedLanguage(U16);

impl PackedLanguage {
    /// `und`: the language is not known, or has no code of three letters.
    pub const UNDETERMINED: Self = Self(U16::new(0x55c4));

    /// Packs three letters `a` to `z`; `None` for anything else.
    pub fn new(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        let all_lower_case = letters.iter().all(u8::is_ascii_lowercase);
        all_lower_case.then(|| {
            Self(U16::new(letters.iter().fold(0, |packed, letter| packed << 5 | u16::from(letter - 0x60))))
        })
    }
}

/// `mdhd`.
pub fn write_mdhd(w: &mut BoxWriter<'_>, timescale: Timescale, language: PackedLanguage) {
    let body = MdhdV0 { timescale: U32::new(timescale.get()), language, ..Zeroable::zeroed() };
    w.full(b"mdhd", 0, 0, |w| w.pod(&body));
}

/// ExtendedLanguageBox. ISO/IEC 14496-12 8.4.6. `language` is a BCP-47 tag.
pub fn write_elng(w: &mut BoxWriter<'_>, language: &str) {
    w.full(b"elng", 0, 0, |w| w.utf8string(language));
}

/// HandlerBox body up to its name. ISO/IEC 14496-12 8.4.3.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Hdlr {
    pre_defined: U32,
    handler_type: FourCc,
    reserved: [U32; 3],
}
const _: () = assert!(size_of::<Hdlr>() == 20);

/// `hdlr`. The name is for people who look into the file; it is the one most writers use.
pub fn write_hdlr(w: &mut BoxWriter<'_>, media: Media) {
    let (handler_type, name) = match media {
        Media::Video { .. } => (*b"vide", "VideoHandler"),
        Media::Audio => (*b"soun", "SoundHandler"),
    };
    w.full(b"hdlr", 0, 0, |w| {
        w.pod(&Hdlr { handler_type: FourCc(handler_type), ..Zeroable::zeroed() });
        w.utf8string(name);
    });
}

/// VideoMediaHeaderBox body. ISO/IEC 14496-12 12.1.2.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Vmhd {
    graphicsmode: U16,
    opcolor: [U16; 3],
}
const _: () = assert!(size_of::<Vmhd>() == 8);

/// SoundMediaHeaderBox body. ISO/IEC 14496-12 12.2.2.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Smhd {
    balance: I16,
    reserved: U16,
}
const _: () = assert!(size_of::<Smhd>() == 4);

/// `vmhd`, whose flags are 1 by the standard, or `smhd`; all fields 0 (23000-19 7.5.6 with 9.2.2, 7.5.7).
pub fn write_media_header(w: &mut BoxWriter<'_>, media: Media) {
    match media {
        Media::Video { .. } => w.full(b"vmhd", 0, 1, |w| w.pod(&Vmhd::zeroed())),
        Media::Audio => w.full(b"smhd", 0, 0, |w| w.pod(&Smhd::zeroed())),
    }
}

/// `dinf{dref{url }}`: one entry that says the media is in this same file (23000-19 7.5.9).
pub fn write_dinf(w: &mut BoxWriter<'_>) {
    const SELF_CONTAINED: u32 = 0x00_0001;
    w.nest(b"dinf", |w| {
        w.full(b"dref", 0, 0, |w| {
            w.u32(1); // entry_count
            w.full(b"url ", 0, SELF_CONTAINED, |_| ());
        });
    });
}

/// `stts`, `stsc`, `stsz`, `stco` without entries: samples are in fragments (23000-19 7.5.12). Video also has an empty
/// `stss`, which says that not every sample is a sync sample (7.5.17); without one all would be.
pub fn write_empty_sample_tables(w: &mut BoxWriter<'_>, media: Media) {
    w.full(b"stts", 0, 0, |w| w.u32(0)); // entry_count
    w.full(b"stsc", 0, 0, |w| w.u32(0)); // entry_count
    w.full(b"stsz", 0, 0, |w| {
        w.u32(0); // sample_size
        w.u32(0); // sample_count
    });
    w.full(b"stco", 0, 0, |w| w.u32(0)); // entry_count
    if matches!(media, Media::Video { .. }) {
        w.full(b"stss", 0, 0, |w| w.u32(0)); // entry_count
    }
}

/// `edts` with an edit list that presents the media from `media_time` on, in the media's timescale: priming is decoded and not heard.
/// ISO/IEC 14496-12 8.6.5, 8.6.6; with the one entry of rate 1 and no duration that ISO/IEC 23000-19 7.5.13 (not opened) allows.
pub fn write_edts(w: &mut BoxWriter<'_>, media_time: u64) {
    w.nest(b"edts", |w| match i32::try_from(media_time) {
        Ok(media_time) => w.full(b"elst", 0, 0, |w| {
            w.u32(1); // entry_count
            w.u32(0); // segment_duration
            w.pod(&I32::new(media_time));
            w.u32(1 << 16); // media_rate_integer, media_rate_fraction
        }),
        Err(_) => w.full(b"elst", 1, 0, |w| {
            w.u32(1); // entry_count
            w.u64(0); // segment_duration
            w.u64(media_time);
            w.u32(1 << 16); // media_rate_integer, media_rate_fraction
        }),
    });
}

/// `sgpd` of the one roll group: AudioRollRecoveryEntry (`roll`) with `roll_distance` samples in front (negative). ISO/IEC 14496-12 8.9.3, 10.1.
pub fn write_roll_sgpd(w: &mut BoxWriter<'_>, roll_distance: NonZeroI16) {
    w.full(b"sgpd", 1, 0, |w| {
        w.pod(&FourCc(*b"roll")); // grouping_type
        w.u32(2); // default_length
        w.u32(1); // entry_count
        w.pod(&I16::new(roll_distance.get()));
    });
}

/// KindBox. ISO/IEC 14496-12 8.10.4.
pub fn write_kind(w: &mut BoxWriter<'_>, scheme_uri: &str, value: &str) {
    w.full(b"kind", 0, 0, |w| {
        w.utf8string(scheme_uri);
        w.utf8string(value);
    });
}

/// MovieExtendsHeaderBox. ISO/IEC 14496-12 8.8.2. `fragment_duration` is the whole track's, in the movie timescale.
pub fn write_mehd(w: &mut BoxWriter<'_>, fragment_duration: Ticks) {
    match u32::try_from(fragment_duration.0) {
        Ok(duration) => w.full(b"mehd", 0, 0, |w| w.u32(duration)),
        Err(_) => w.full(b"mehd", 1, 0, |w| w.u64(fragment_duration.0)),
    }
}

/// TrackExtendsBox body. ISO/IEC 14496-12 8.8.3.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Trex {
    track_id: U32,
    default_sample_description_index: U32,
    default_sample_duration: U32,
    default_sample_size: U32,
    default_sample_flags: U32,
}
const _: () = assert!(size_of::<Trex>() == 20);

/// `trex`. Its sample defaults are 0, since every fragment brings its own.
pub fn write_trex(w: &mut BoxWriter<'_>) {
    let body = Trex {
        track_id: U32::new(TRACK_ID),
        default_sample_description_index: U32::new(1),
        ..Zeroable::zeroed()
    };
    w.full(b"trex", 0, 0, |w| w.pod(&body));
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::boxes::testing::written;

    fn timescale(ticks: u32) -> Timescale {
        Timescale::new(NonZeroU32::new(ticks).unwrap())
    }

    const VIDEO: Media = Media::Video { width: 320, height: 180 };

    // The bytes of this module's goldens come from FFmpeg 5.1 unless a line says otherwise: `ffmpeg -i CLIP -c copy
    // -movflags +cmaf+delay_moov -frag_duration 1000000 -f mp4`, a clip of testsrc2 320x180 at 25/s and sine at 48 kHz.

    #[test]
    #[rustfmt::skip]
    fn mvhd_as_ffmpeg() {
        assert_eq!(written(|w| write_mvhd(w, timescale(1000))), [
            0, 0, 0, 0x6c, b'm', b'v', b'h', b'd', 0, 0, 0, 0, // size, version, flags
            0, 0, 0, 0, 0, 0, 0, 0,                            // creation_time, modification_time
            0, 0, 0x03, 0xe8, 0, 0, 0, 0,                      // timescale 1000, duration
            0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    // rate 1.0, volume 1.0, reserved
            0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                // matrix
            0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                // pre_defined
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 2,                                        // next_track_ID
        ]);
    }

    #[test]
    #[rustfmt::skip]
    fn tkhd_of_video_as_ffmpeg() {
        assert_eq!(written(|w| write_tkhd(w, VIDEO)), [
            0, 0, 0, 0x5c, b't', b'k', b'h', b'd', 0, 0, 0, 3, // flags: enabled, in movie
            0, 0, 0, 0, 0, 0, 0, 0,                            // creation_time, modification_time
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,                // track_ID, reserved, duration
            0, 0, 0, 0, 0, 0, 0, 0,                            // reserved
            0, 0, 0, 0, 0, 0, 0, 0,                            // layer, alternate_group, volume, reserved
            0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                // matrix
            0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0,
            0x01, 0x40, 0, 0, 0, 0xb4, 0, 0,                   // width 320.0, height 180.0
        ]);
    }

    #[test]
    #[rustfmt::skip]
    fn tkhd_of_audio_as_ffmpeg_without_its_alternate_group() {
        let mut ffmpeg = [
            0, 0, 0, 0x5c, b't', b'k', b'h', b'd', 0, 0, 0, 3,
            0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 1, 1, 0, 0, 0,                            // layer, alternate_group 1, volume 1.0, reserved
            0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0,
        ];
        // A group of one file's tracks; a CMAF file has one. The manifest tells what is an alternative.
        ffmpeg[43] = 0;
        assert_eq!(written(|w| write_tkhd(w, Media::Audio)), ffmpeg);
    }

    #[test]
    #[rustfmt::skip]
    fn mdhd_as_ffmpeg() {
        assert_eq!(written(|w| write_mdhd(w, timescale(48_000), PackedLanguage::new("eng").unwrap())), [
            0, 0, 0, 0x20, b'm', b'd', b'h', b'd', 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0,          // creation_time, modification_time
            0, 0, 0xbb, 0x80, 0, 0, 0, 0,    // timescale 48000, duration
            0x15, 0xc7, 0, 0,                // language "eng", pre_defined
        ]);
        // The video track, whose language is not known, has 55 c4.
        assert_eq!(PackedLanguage::new("und"), Some(PackedLanguage::UNDETERMINED));
    }

    #[test]
    fn a_language_of_other_than_three_lower_case_letters_is_refused() {
        for code in ["", "en", "engl", "ENG", "e1g", "ünd"] {
            assert_eq!(PackedLanguage::new(code), None, "{code}");
        }
    }

    #[test]
    fn elng_as_in_a_foreign_file() {
        // codem-isoboxer, test/fixtures/SRMP_AC4.mp4.
        assert_eq!(written(|w| write_elng(w, "en")), b"\0\0\0\x0felng\0\0\0\0en\0");
    }

    #[test]
    fn hdlr_as_ffmpeg() {
        assert_eq!(
            written(|w| write_hdlr(w, VIDEO)),
            b"\0\0\0\x2dhdlr\0\0\0\0\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0VideoHandler\0"
        );
        assert_eq!(
            written(|w| write_hdlr(w, Media::Audio)),
            b"\0\0\0\x2dhdlr\0\0\0\0\0\0\0\0soun\0\0\0\0\0\0\0\0\0\0\0\0SoundHandler\0"
        );
    }

    #[test]
    fn media_headers_as_ffmpeg() {
        assert_eq!(written(|w| write_media_header(w, VIDEO)), b"\0\0\0\x14vmhd\0\0\0\x01\0\0\0\0\0\0\0\0");
        assert_eq!(written(|w| write_media_header(w, Media::Audio)), b"\0\0\0\x10smhd\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn dinf_as_ffmpeg() {
        assert_eq!(
            written(write_dinf),
            b"\0\0\0\x24dinf\0\0\0\x1cdref\0\0\0\0\0\0\0\x01\0\0\0\x0curl \0\0\0\x01"
        );
    }

    #[test]
    fn sample_tables_as_ffmpeg_and_an_empty_stss_for_video() {
        let ffmpeg = b"\0\0\0\x10stts\0\0\0\0\0\0\0\0\
            \0\0\0\x10stsc\0\0\0\0\0\0\0\0\
            \0\0\0\x14stsz\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\x10stco\0\0\0\0\0\0\0\0";
        assert_eq!(written(|w| write_empty_sample_tables(w, Media::Audio)), ffmpeg);
        // FFmpeg's stss of the unfragmented clip, with its two entries, 1 and 26; ours is the same box with none.
        let stss = b"\0\0\0\x18stss\0\0\0\0\0\0\0\x02\0\0\0\x01\0\0\0\x1a";
        let video = written(|w| write_empty_sample_tables(w, VIDEO));
        assert_eq!(video[..ffmpeg.len()], *ffmpeg);
        let ours = &video[ffmpeg.len()..];
        assert_eq!(ours, b"\0\0\0\x10stss\0\0\0\0\0\0\0\0");
        assert_eq!(ours[4..12], stss[4..12]);
    }

    #[test]
    fn kind_as_ffmpeg() {
        // The same command with -disposition:a:0 default+dub.
        assert_eq!(
            written(|w| write_kind(w, "urn:mpeg:dash:role:2011", "dub")),
            b"\0\0\0\x28kind\0\0\0\0urn:mpeg:dash:role:2011\0dub\0"
        );
    }

    #[test]
    fn mehd_as_shaka_packager_and_with_64_bits_where_needed() {
        // shaka-packager, media/test/data/bear-640x360-non_square_pixel-with_pasp.mp4.
        assert_eq!(written(|w| write_mehd(w, Ticks(0x754d))), b"\0\0\0\x10mehd\0\0\0\0\0\0\x75\x4d");
        assert_eq!(
            written(|w| write_mehd(w, Ticks(1 << 32))),
            b"\0\0\0\x14mehd\x01\0\0\0\0\0\0\x01\0\0\0\0",
            "by the syntax of 14496-12 8.8.2"
        );
    }

    #[test]
    fn edts_as_ffmpeg_without_its_duration() {
        // FFmpeg 5.1: `ffmpeg -f lavfi -i sine=r=48000:d=3.123 -ac 2 -c:a libopus -f mp4`, whose pre-skip is 312.
        let mut ffmpeg = *b"\0\0\0\x24edts\0\0\0\x1celst\0\0\0\0\0\0\0\x01\0\0\x0c\x33\0\0\x01\x38\0\x01\0\0";
        // segment_duration, 3123 ms in FFmpeg's movie timescale: in fragments 0, whatever there is (23000-19 7.5.13).
        ffmpeg[24..28].fill(0);
        assert_eq!(written(|w| write_edts(w, 312)), ffmpeg);
        assert_eq!(
            written(|w| write_edts(w, 1 << 31)),
            b"\0\0\0\x2cedts\0\0\0\x24elst\x01\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0\x01\0\0",
            "version 1 by the syntax of 14496-12 8.6.6"
        );
    }

    #[test]
    fn the_roll_group_as_ffmpeg() {
        let sgpd = |distance| written(|w| write_roll_sgpd(w, NonZeroI16::new(distance).unwrap()));
        // FFmpeg 5.1: the Opus of the test above, in packets of 20 ms; and `-c:a aac`.
        assert_eq!(sgpd(-4), b"\0\0\0\x1asgpd\x01\0\0\0roll\0\0\0\x02\0\0\0\x01\xff\xfc");
        assert_eq!(sgpd(-1), b"\0\0\0\x1asgpd\x01\0\0\0roll\0\0\0\x02\0\0\0\x01\xff\xff");
    }

    #[test]
    fn trex_as_ffmpeg() {
        assert_eq!(
            written(write_trex),
            b"\0\0\0\x20trex\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0"
        );
    }
}
