//! `stsd` and the sample entries in it: the fixed part of pictures and of sound (ISO/IEC 14496-12 12.1.3, 12.2.3), the
//! boxes that describe pictures, and the `esds` of MPEG-4 audio (ISO/IEC 14496-14, 14496-1 7.2.6). Codec configuration
//! comes as bytes; no codec is known here.

use bytemuck::{Pod, Zeroable};

use super::{BoxWriter, FourCc};
use crate::bytes::{I16, U16, U24, U32};

/// `stsd` with the one entry that `entry` writes.
pub fn write_stsd(w: &mut BoxWriter<'_>, entry: impl FnOnce(&mut BoxWriter<'_>)) {
    w.full(b"stsd", 0, 0, |w| {
        w.u32(1); // entry_count
        entry(w);
    });
}

/// SampleEntry and VisualSampleEntry fields. ISO/IEC 14496-12 8.5.2, 12.1.3.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct VisualSampleEntry {
    reserved: [u8; 6],
    data_reference_index: U16,
    pre_defined: U16,
    reserved_half: U16,
    pre_defined_words: [U32; 3],
    width: U16,
    height: U16,
    horizresolution: U32,
    vertresolution: U32,
    reserved_word: U32,
    frame_count: U16,
    compressorname: [u8; 32],
    depth: U16,
    pre_defined_last: I16,
}
const _: () = assert!(size_of::<VisualSampleEntry>() == 78);

/// A visual sample entry of type `format`, its size in luma samples after cropping; `boxes` writes what it contains.
/// `compressorname` is empty: it would tell who wrote the stream, which is not known here.
pub fn write_visual(
    w: &mut BoxWriter<'_>,
    format: &[u8; 4],
    (width, height): (u16, u16),
    boxes: impl FnOnce(&mut BoxWriter<'_>),
) {
    const DPI_72: u32 = 72 << 16;
    const COLOUR_WITHOUT_ALPHA: u16 = 0x0018;
    let fields = VisualSampleEntry {
        data_reference_index: U16::new(1),
        width: U16::new(width),
        height: U16::new(height),
        horizresolution: U32::new(DPI_72),
        vertresolution: U32::new(DPI_72),
        frame_count: U16::new(1),
        depth: U16::new(COLOUR_WITHOUT_ALPHA),
        pre_defined_last: I16::new(-1),
        ..Zeroable::zeroed()
    };
    w.nest(format, |w| {
        w.pod(&fields);
        boxes(w);
    });
}

/// ColourInformationBox body with `colour_type` `nclx`. ISO/IEC 14496-12 12.1.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Nclx {
    colour_type: FourCc,
    /// Code point of ITU-T H.273.
    pub colour_primaries: U16,
    /// Code point of ITU-T H.273.
    pub transfer_characteristics: U16,
    /// Code point of ITU-T H.273.
    pub matrix_coefficients: U16,
    /// The flag is the most significant bit, the rest is reserved.
    pub full_range_flag: u8,
}
const _: () = assert!(size_of::<Nclx>() == 11);

impl Nclx {
    /// Code points of ITU-T H.273.
    pub const fn new(primaries: u8, transfer: u8, matrix: u8, full_range: bool) -> Self {
        Self {
            colour_type: FourCc(*b"nclx"),
            colour_primaries: U16::new(primaries as u16),
            transfer_characteristics: U16::new(transfer as u16),
            matrix_coefficients: U16::new(matrix as u16),
            full_range_flag: (full_range as u8) << 7,
        }
    }
}

/// `colr`.
pub fn write_colr(w: &mut BoxWriter<'_>, colour: &Nclx) {
    w.nest(b"colr", |w| w.pod(colour));
}

/// PixelAspectRatioBox. ISO/IEC 14496-12 12.1.4.
pub fn write_pasp(w: &mut BoxWriter<'_>, h_spacing: u32, v_spacing: u32) {
    w.nest(b"pasp", |w| {
        w.u32(h_spacing);
        w.u32(v_spacing);
    });
}

/// ContentLightLevelBox body. ISO/IEC 14496-12 12.1.6, of an edition that was not opened: as FFmpeg writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Clli {
    /// Highest light level of a pixel, cd/m²; 0 when not known.
    pub max_content_light_level: U16,
    /// Highest average light level of a picture, cd/m²; 0 when not known.
    pub max_pic_average_light_level: U16,
}
const _: () = assert!(size_of::<Clli>() == 4);

/// `clli`.
pub fn write_clli(w: &mut BoxWriter<'_>, light: &Clli) {
    w.nest(b"clli", |w| w.pod(light));
}

/// MasteringDisplayColourVolumeBox body. ISO/IEC 14496-12 12.1.7, of an edition that was not opened: as FFmpeg writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Mdcv {
    /// x and y of green, blue and red, in steps of 0.00002.
    pub display_primaries: [[U16; 2]; 3],
    /// x and y of white, in steps of 0.00002.
    pub white_point: [U16; 2],
    /// In steps of 0.0001 cd/m².
    pub max_display_mastering_luminance: U32,
    /// In steps of 0.0001 cd/m².
    pub min_display_mastering_luminance: U32,
}
const _: () = assert!(size_of::<Mdcv>() == 24);

/// `mdcv`.
pub fn write_mdcv(w: &mut BoxWriter<'_>, display: &Mdcv) {
    w.nest(b"mdcv", |w| w.pod(display));
}

/// SMPTE2086MasteringDisplayMetadataBox body, behind version and flags. VP9-ISOBMFF, "Carriage of HDR Metadata".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SmDm {
    /// x and y of red, green and blue, 0.16 fixed point.
    pub primary_chromaticity: [[U16; 2]; 3],
    /// x and y of white, 0.16 fixed point.
    pub white_point_chromaticity: [U16; 2],
    /// cd/m², 24.8 fixed point.
    pub luminance_max: U32,
    /// cd/m², 18.14 fixed point.
    pub luminance_min: U32,
}
const _: () = assert!(size_of::<SmDm>() == 24);

/// `SmDm`: the mastering display of VP9.
pub fn write_smdm(w: &mut BoxWriter<'_>, display: &SmDm) {
    w.full(b"SmDm", 0, 0, |w| w.pod(display));
}

/// `CoLL` (VP9-ISOBMFF, Content Light Level Box), which holds what `clli` does.
pub fn write_coll(w: &mut BoxWriter<'_>, light: &Clli) {
    w.full(b"CoLL", 0, 0, |w| w.pod(light));
}

/// BitRateBox body. ISO/IEC 14496-12 8.5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Btrt {
    /// Size of the decoding buffer, bytes.
    pub buffer_size_db: U32,
    /// Highest rate over any second, bits per second.
    pub max_bitrate: U32,
    /// Average over the track, bits per second.
    pub avg_bitrate: U32,
}
const _: () = assert!(size_of::<Btrt>() == 12);

/// `btrt`.
pub fn write_btrt(w: &mut BoxWriter<'_>, bit_rate: &Btrt) {
    w.nest(b"btrt", |w| w.pod(bit_rate));
}

/// SampleEntry and AudioSampleEntry fields. ISO/IEC 14496-12 8.5.2, 12.2.3.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct AudioSampleEntry {
    reserved: [u8; 6],
    data_reference_index: U16,
    reserved_words: [U32; 2],
    channelcount: U16,
    samplesize: U16,
    pre_defined: U16,
    reserved_half: U16,
    samplerate: U32,
}
const _: () = assert!(size_of::<AudioSampleEntry>() == 28);

/// What an audio sample entry says whatever its codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFields {
    /// `channelcount`.
    pub channels: u16,
    /// `samplesize`, bits.
    pub sample_size: u16,
    /// `samplerate`, Hz.
    pub sample_rate: u32,
}

/// An audio sample entry of type `format`; `boxes` writes what it contains. `samplerate` is 16.16 fixed point: a rate
/// above 65535 Hz is written as 0, and the codec's configuration tells it.
pub fn write_audio(
    w: &mut BoxWriter<'_>,
    format: &[u8; 4],
    AudioFields { channels, sample_size, sample_rate }: AudioFields,
    boxes: impl FnOnce(&mut BoxWriter<'_>),
) {
    let samplerate = u16::try_from(sample_rate).map_or(0, |rate| u32::from(rate) << 16);
    let fields = AudioSampleEntry {
        data_reference_index: U16::new(1),
        channelcount: U16::new(channels),
        samplesize: U16::new(sample_size),
        samplerate: U32::new(samplerate),
        ..Zeroable::zeroed()
    };
    w.nest(format, |w| {
        w.pod(&fields);
        boxes(w);
    });
}

/// DecoderConfigDescriptor fields. ISO/IEC 14496-1 7.2.6.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct DecoderConfig {
    /// The codec, by MP4RA's list of object types; 0x40 is MPEG-4 audio.
    pub object_type_indication: u8,
    /// `streamType` (six bits), `upStream` and a reserved bit that is 1.
    pub stream_type: u8,
    /// Size of the decoding buffer, bytes; 0 when not known.
    pub buffer_size_db: U24,
    /// Highest rate over any second, bits per second; 0 when not known.
    pub max_bitrate: U32,
    /// Average over the track, bits per second; 0 when not known or variable.
    pub avg_bitrate: U32,
}
const _: () = assert!(size_of::<DecoderConfig>() == 13);

impl DecoderConfig {
    /// `stream_type` of sound that flows to the decoder: streamType 5.
    pub const AUDIO_STREAM: u8 = 5 << 2 | 1;
}

/// `esds` (ISO/IEC 14496-14 5.6). `ES_ID` is 0 (3.1.2; 23000-19 10.3.4.2.3), the SL configuration
/// predefined type 2 (3.1.2).
pub fn write_esds(w: &mut BoxWriter<'_>, config: &DecoderConfig, decoder_specific_info: &[u8]) {
    // Class tags of 14496-1 Table 1.
    const ES_DESCR_TAG: u8 = 0x03;
    const DECODER_CONFIG_DESCR_TAG: u8 = 0x04;
    const DEC_SPECIFIC_INFO_TAG: u8 = 0x05;
    const SL_CONFIG_DESCR_TAG: u8 = 0x06;
    const SL_PREDEFINED_MP4: u8 = 0x02;
    w.full(b"esds", 0, 0, |w| {
        descriptor(w, ES_DESCR_TAG, |w| {
            w.pod(&U16::new(0)); // ES_ID
            w.u8(0); // streamDependenceFlag, URL_Flag, OCRstreamFlag, streamPriority
            descriptor(w, DECODER_CONFIG_DESCR_TAG, |w| {
                w.pod(config);
                descriptor(w, DEC_SPECIFIC_INFO_TAG, |w| w.bytes(decoder_specific_info));
            });
            descriptor(w, SL_CONFIG_DESCR_TAG, |w| w.u8(SL_PREDEFINED_MP4));
        });
    });
}

/// A descriptor with the four-byte form of its size, seven bits a byte (14496-1 8.3.3): the form most files have, and
/// one that need not be known before the body is written.
fn descriptor(w: &mut BoxWriter<'_>, tag: u8, body: impl FnOnce(&mut BoxWriter<'_>)) {
    w.u8(tag);
    let size = w.slot::<[u8; 4]>();
    let start = w.position();
    body(w);
    let written = w.position() - start;
    let written = u32::try_from(written).ok().filter(|&size| size < 1 << 28);
    let written = written.unwrap_or_else(|| w.too_large(b"esds"));
    let septet = |shift: u32| (written >> shift & 0x7f) as u8;
    w.fill(size, [0x80 | septet(21), 0x80 | septet(14), 0x80 | septet(7), septet(0)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::testing::written;

    /// `avcC` of the clip, 0x39 bytes with its header.
    const AVCC: &[u8] = b"\0\0\0\x39avcC\
        \x01\x64\x00\x0c\xff\xe1\x00\x1c\
        \x67\x64\x00\x0c\xac\xd9\x41\x41\x9f\x9f\x0e\x6a\x02\x02\x02\x80\x00\x00\x03\x00\x80\x00\x00\x19\x07\x8a\x14\xcb\
        \x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\
        \xfd\xf8\xf8\x00";

    #[test]
    #[rustfmt::skip]
    fn stsd_of_avc1_as_ffmpeg_without_its_compressorname() {
        // FFmpeg 5.1 as in `moov`'s tests, and -movflags +write_colr.
        let mut ffmpeg = [
            b"\0\0\0\xd6stsd\0\0\0\0\0\0\0\x01".as_slice(),      // entry_count 1
            b"\0\0\0\xc6avc1\0\0\0\0\0\0\0\x01",                 // reserved, data_reference_index 1
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",                 // pre_defined, reserved
            b"\x01\x40\0\xb4\0\x48\0\0\0\x48\0\0\0\0\0\0\0\x01", // 320x180, 72 dpi twice, reserved, frame_count 1
            b"\x15Lavc59.37.100 libx264\0\0\0\0\0\0\0\0\0\0",    // compressorname
            b"\0\x18\xff\xff",                                   // depth, pre_defined -1
            AVCC,
            b"\0\0\0\x13colrnclx\0\x01\0\x01\0\x01\0",           // BT.709, limited range
            b"\0\0\0\x10pasp\0\0\0\x01\0\0\0\x01",
            b"\0\0\0\x14btrt\0\0\0\0\0\x03\xa3\x78\0\x03\xa3\x78",
        ].concat();
        ffmpeg[66..98].fill(0); // compressorname: x264 wrote the stream, but nothing here knows that
        let ours = written(|w| write_stsd(w, |w| write_visual(w, b"avc1", (320, 180), |w| {
            w.bytes(AVCC);
            write_colr(w, &Nclx::new(1, 1, 1, false));
            write_pasp(w, 1, 1);
            let rate = U32::new(0x3a378);
            write_btrt(w, &Btrt { buffer_size_db: U32::new(0), max_bitrate: rate, avg_bitrate: rate });
        })));
        assert_eq!(ours, ffmpeg);
    }

    #[test]
    fn colr_holds_its_flag_in_the_highest_bit() {
        // 14496-12 12.1.5: unsigned int(1) full_range_flag, unsigned int(7) reserved.
        assert_eq!(
            written(|w| write_colr(w, &Nclx::new(9, 16, 9, true))),
            b"\0\0\0\x13colrnclx\0\x09\0\x10\0\x09\x80"
        );
    }

    #[test]
    fn pasp_as_shaka_packager() {
        // shaka-packager, media/test/data/bear-640x360-non_square_pixel-with_pasp.mp4.
        assert_eq!(written(|w| write_pasp(w, 8, 9)), b"\0\0\0\x10pasp\0\0\0\x08\0\0\0\x09");
    }

    #[test]
    #[rustfmt::skip]
    fn stsd_of_mp4a_as_ffmpeg_but_for_es_id() {
        let mut ffmpeg = [
            b"\0\0\0\x6astsd\0\0\0\0\0\0\0\x01".as_slice(),
            b"\0\0\0\x5amp4a\0\0\0\0\0\0\0\x01",                 // reserved, data_reference_index 1
            b"\0\0\0\0\0\0\0\0\0\x02\0\x10\0\0\0\0\xbb\x80\0\0", // reserved, 2 channels, 16 bits, 48000.0
            b"\0\0\0\x36esds\0\0\0\0",
            b"\x03\x80\x80\x80\x25\0\x01\0",                     // ES_Descriptor: ES_ID 1, no flags
            b"\x04\x80\x80\x80\x17\x40\x15\0\0\0",               // MPEG-4 audio, streamType 5, bufferSizeDB
            b"\0\x01\xf3\xe6\0\x01\xf3\xe6",                     // 127974 bit/s at most and on average
            b"\x05\x80\x80\x80\x05\x11\x90\x56\xe5\0",           // AudioSpecificConfig
            b"\x06\x80\x80\x80\x01\x02",                         // SLConfigDescriptor
        ].concat();
        ffmpeg[70] = 0; // ES_ID; CMAF wants 0. FFmpeg's btrt behind esds, 20 bytes, is taken off in both sizes above.
        let config = DecoderConfig {
            object_type_indication: 0x40,
            stream_type: DecoderConfig::AUDIO_STREAM,
            buffer_size_db: U24::new(0),
            max_bitrate: U32::new(127_974),
            avg_bitrate: U32::new(127_974),
        };
        let ours = written(|w| write_stsd(w, |w| write_audio(w, b"mp4a", fields(48_000), |w| {
            write_esds(w, &config, &[0x11, 0x90, 0x56, 0xe5, 0]);
        })));
        assert_eq!(ours, ffmpeg);
    }

    fn fields(sample_rate: u32) -> AudioFields {
        AudioFields { channels: 2, sample_size: 16, sample_rate }
    }

    #[test]
    fn a_rate_that_does_not_fit_is_written_as_0() {
        let samplerate = |rate| written(|w| write_audio(w, b"mp4a", fields(rate), |_| ()))[32..36].to_vec();
        assert_eq!(samplerate(65_535), [0xff, 0xff, 0, 0]);
        assert_eq!(samplerate(88_200), [0, 0, 0, 0]);
    }

    #[test]
    fn a_descriptor_size_is_seven_bits_a_byte() {
        let bytes = written(|w| descriptor(w, 5, |w| w.bytes(&[0; 300])));
        assert_eq!(bytes[..5], [5, 0x80, 0x80, 0x82, 0x2c]);
    }
}
