//! Format, size and rates of a track ► `VPCodecConfigurationRecord` (the body of `vpcC`), codec string and picture format
//! (VP9-ISOBMFF, "VP Codec Configuration Box" and "Codecs Parameter String").

use std::fmt;

use crate::codec::{Colour, SampleAspectRatio, VideoFormat};
use crate::error::{Error, Result};
use crate::time::FrameRate;

use super::{ColorConfig, FrameSize, LevelFacts, level};

/// What the sample entry says of a VP9 track.
#[derive(Clone, Debug, PartialEq)]
pub struct Vp9Configuration {
    profile: u8,
    color: ColorConfig,
    /// Highest width and height of any frame, each 1 to 65535.
    size: (u16, u16),
    /// The frame of most samples.
    largest: FrameSize,
    facts: LevelFacts,
    /// The caller's word on colour.
    colour: Option<Colour>,
}

impl Vp9Configuration {
    /// The configuration of a track in this profile and format, whose frames are at most of this `size`; `largest` is the one of
    /// most samples. `decoded` as in [`LevelFacts`].
    pub fn new(
        profile: u8,
        color: ColorConfig,
        size: (u16, u16),
        largest: FrameSize,
        decoded: Option<(u64, u64)>,
    ) -> Self {
        let facts = LevelFacts {
            picture_size: u64::from(largest.width) * u64::from(largest.height),
            breadth: size.0.max(size.1).into(),
            frame_rate: None,
            decoded,
            bit_rate: None,
        };
        Self { profile, color, size, largest, facts, colour: None }
    }

    /// The same with the rates that its level depends on: pictures shown per second, and the average bit rate.
    #[must_use]
    pub fn with_rates(mut self, frame_rate: Option<FrameRate>, bit_rate: Option<u32>) -> Self {
        self.facts = LevelFacts { frame_rate, bit_rate, ..self.facts };
        self
    }

    /// The same with the colour of `format`, which may come from elsewhere: the bitstream tells little of it.
    #[must_use]
    pub fn with_format(self, format: &VideoFormat) -> Self {
        Self { colour: format.colour, ..self }
    }

    /// The same with the colour that the bitstream says, if it says any.
    #[must_use]
    pub(crate) fn with_coded_colour(self) -> Self {
        Self { colour: None, ..self }
    }

    /// The same with a level that does not depend on hidden frames, of which there may be more to come.
    #[must_use]
    pub(crate) fn without_hidden_frames(mut self) -> Self {
        self.facts.decoded = None;
        self
    }

    /// Ten times the level: [`level`].
    pub fn level(&self) -> u8 {
        level(&self.facts)
    }

    /// `Profile`, 0..=3.
    pub fn profile(&self) -> u8 {
        self.profile
    }

    /// The `VPCodecConfigurationRecord`.
    pub fn record(&self) -> Vec<u8> {
        self.fields().write()
    }

    /// The `codecs` parameter: `vp09.PP.LL.DD`, and the five optional fields where one of them is not its default.
    pub fn codec_string(&self) -> String {
        const DEFAULTS: &str = ".01.01.01.01.00";
        let Vp9Record { profile, level, bit_depth, chroma_subsampling, colour } = self.fields();
        let Colour { primaries, transfer, matrix, full_range } = colour;
        let optional = format!(
            ".{chroma_subsampling:02}.{primaries:02}.{transfer:02}.{matrix:02}.{:02}",
            u8::from(full_range)
        );
        let optional = if optional == DEFAULTS { "" } else { &optional };
        format!("vp09.{profile:02}.{level:02}.{bit_depth:02}{optional}")
    }

    /// Size, sample shape and colour of the pictures. The size is the highest width and height; the sample shape stretches the
    /// largest frame to that which it is to be rendered at: `None` where that changes no proportion.
    pub fn video_format(&self) -> VideoFormat {
        let (width, height) = self.size;
        VideoFormat {
            sample_aspect_ratio: sample_aspect_ratio(&self.largest),
            colour: self.colour.or_else(|| colour(&self.color)),
            ..VideoFormat::of_size(width, height)
        }
    }

    fn fields(&self) -> Vp9Record {
        let unknown = Colour { primaries: 2, transfer: 2, matrix: 2, full_range: self.color.full_range };
        Vp9Record {
            profile: self.profile,
            level: self.level(),
            bit_depth: self.color.bit_depth,
            chroma_subsampling: match (self.color.subsampling_x, self.color.subsampling_y) {
                // Where chroma lies is told nowhere; "colocated with luma" is what the field is by default.
                (true, true) => 1,
                (true, false) => 2,
                // 4:4:0, which has no value, is refused when its frames are read.
                (false, _) => 3,
            },
            colour: self.colour.or_else(|| colour(&self.color)).unwrap_or(unknown),
        }
    }
}

/// What `color_space` says of the colour in the code points of ITU-T H.273; `None` where it says nothing.
///
/// It names a recommendation, which gives primaries, transfer and matrix as far as it has one of each: BT.601 has the primaries
/// of two systems, BT.2020 is used with PQ and HLG too. What is open is 2, "unspecified". The matrices are those that FFmpeg's
/// decoder takes, the non-constant luminance of BT.2020 among them.
fn colour(color: &ColorConfig) -> Option<Colour> {
    let (primaries, transfer, matrix) = match color.color_space {
        1 => (2, 6, 5),
        2 => (1, 1, 1),
        3 => (6, 6, 6),
        4 => (7, 7, 7),
        5 => (9, 2, 9),
        ColorConfig::RGB => (1, 13, 0),
        // The range is told all the same.
        _ if color.full_range => (2, 2, 2),
        _ => return None,
    };
    Some(Colour { primaries, transfer, matrix, full_range: color.full_range })
}

/// `render width × height : width × render height`, reduced; where a number passes 16 bits both lose their last bits.
fn sample_aspect_ratio(frame: &FrameSize) -> Option<SampleAspectRatio> {
    SampleAspectRatio::of_render_size((frame.width, frame.height), (frame.render_width, frame.render_height))
}

/// The fields of a `VPCodecConfigurationRecord`, whose `codecInitializationData` is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp9Record {
    /// `profile`, 0..=3.
    pub profile: u8,
    /// `level`: ten times the level.
    pub level: u8,
    /// `bitDepth`: 8, 10 or 12.
    pub bit_depth: u8,
    /// `chromaSubsampling`: 0 and 1 are 4:2:0, 2 is 4:2:2, 3 is 4:4:4.
    pub chroma_subsampling: u8,
    /// `colourPrimaries`, `transferCharacteristics`, `matrixCoefficients` and `videoFullRangeFlag`.
    pub colour: Colour,
}

impl Vp9Record {
    const LEN: usize = 8;

    /// Reads a record, whole. Offsets of errors count from its first byte.
    ///
    /// # Errors
    /// When it has not as many bytes as its fields, or `codecInitializationData`.
    pub fn read(record: &[u8]) -> Result<Self> {
        const CLAUSE: &str = "VP9-ISOBMFF, VP Codec Configuration Box";
        let &[profile, level, depths, primaries, transfer, matrix, 0, 0] = record else {
            let what = match record.get(6..Self::LEN) {
                Some([0, 0]) => "a configuration record of VP9 has bytes behind its last field",
                Some(_) => "codecInitializationDataSize is not 0",
                None => return Err(Error::truncated("codecInitializationDataSize", CLAUSE)),
            };
            return Err(Error::malformed(what, CLAUSE, "the file is damaged").at(6));
        };
        let colour = Colour { primaries, transfer, matrix, full_range: depths & 1 == 1 };
        Ok(Self { profile, level, bit_depth: depths >> 4, chroma_subsampling: depths >> 1 & 7, colour })
    }

    fn write(&self) -> Vec<u8> {
        let Colour { primaries, transfer, matrix, full_range } = self.colour;
        let depths = self.bit_depth << 4 | self.chroma_subsampling << 1 | u8::from(full_range);
        // codecInitializationDataSize is 0.
        vec![self.profile, self.level, depths, primaries, transfer, matrix, 0, 0]
    }
}

impl fmt::Display for Vp9Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, level, bit_depth, chroma_subsampling, colour } = self;
        let Colour { primaries, transfer, matrix, full_range } = colour;
        write!(
            f,
            "profile {profile}, level {level}, {bit_depth} bits, chromaSubsampling {chroma_subsampling}, colour \
             {primaries}/{transfer}/{matrix}, videoFullRangeFlag {}",
            u8::from(*full_range)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: FrameSize = FrameSize { width: 64, height: 48, render_width: 64, render_height: 48 };

    fn configuration(profile: u8, bit_depth: u8, (x, y): (bool, bool), color_space: u8) -> Vp9Configuration {
        let color = ColorConfig {
            bit_depth,
            color_space,
            full_range: color_space == ColorConfig::RGB,
            subsampling_x: x,
            subsampling_y: y,
        };
        Vp9Configuration::new(profile, color, (64, 48), SIZE, None).with_rates(FrameRate::new(25, 1), None)
    }

    #[test]
    fn records_equal_those_of_ffmpeg() {
        // Bodies of `vpcC` behind version and flags as FFmpeg 5.1 wrote them for `-f lavfi -i testsrc2=size=64x48:rate=25 -pix_fmt FORMAT
        // -c:v libvpx-vp9 -f ivf`, then `-c copy -f mp4`: yuv420p, yuv422p, yuv420p10le, yuv444p10le, yuv422p12le.
        const FULL: (bool, bool) = (false, false);
        const HALF: (bool, bool) = (true, false);
        for (profile, depth, subsampling, ffmpeg, codec) in [
            (0, 8, (true, true), "000a820202020000", "vp09.00.10.08.01.02.02.02.00"),
            (1, 8, HALF, "010a840202020000", "vp09.01.10.08.02.02.02.02.00"),
            (2, 10, (true, true), "020aa20202020000", "vp09.02.10.10.01.02.02.02.00"),
            (3, 10, FULL, "030aa60202020000", "vp09.03.10.10.03.02.02.02.00"),
            (3, 12, HALF, "030ac40202020000", "vp09.03.10.12.02.02.02.02.00"),
        ] {
            let configuration = configuration(profile, depth, subsampling, 0);
            let record = configuration.record();
            let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, ffmpeg);
            assert_eq!(configuration.codec_string(), codec);
            assert_eq!(Vp9Record::read(&record).unwrap().write(), record);
            assert_eq!(configuration.video_format(), VideoFormat::of_size(64, 48));
        }
        // gbrp: FFmpeg leaves primaries and transfer open, which `color_space` 7 tells, being of IEC 61966-2-1.
        let rgb = configuration(1, 8, FULL, ColorConfig::RGB);
        assert_eq!(rgb.record(), [1, 10, 0x87, 1, 13, 0, 0, 0]);
        assert_eq!(rgb.codec_string(), "vp09.01.10.08.03.01.13.00.01");
    }

    #[test]
    fn codec_strings_are_those_of_the_binding() {
        // Its two examples, and the string that Chromium documents for profile 0 at level 1.
        let colour = Colour { primaries: 9, transfer: 16, matrix: 9, full_range: true };
        let format = VideoFormat { colour: Some(colour), ..VideoFormat::of_size(64, 48) };
        let hdr = configuration(2, 10, (true, true), 5).with_format(&format);
        assert_eq!(hdr.codec_string(), "vp09.02.10.10.01.09.16.09.01");
        assert_eq!(hdr.video_format().colour, Some(colour));
        let plain = |size: FrameSize, rate| {
            let color = ColorConfig {
                bit_depth: 8,
                color_space: 2,
                full_range: false,
                subsampling_x: true,
                subsampling_y: true,
            };
            let most = (size.width as u16, size.height as u16);
            Vp9Configuration::new(0, color, most, size, None).with_rates(FrameRate::new(rate, 1), None)
        };
        let full_hd = FrameSize { width: 1920, height: 1080, render_width: 1920, render_height: 1080 };
        assert_eq!(plain(full_hd, 60).codec_string(), "vp09.00.41.08");
        assert_eq!(plain(SIZE, 25).codec_string(), "vp09.00.10.08");
    }

    #[test]
    fn colour_is_what_color_space_tells_and_no_more() {
        let of = |space| configuration(1, 8, (true, false), space).video_format().colour;
        let told =
            |primaries, transfer, matrix| Some(Colour { primaries, transfer, matrix, full_range: false });
        assert_eq!([of(0), of(1), of(2)], [None, told(2, 6, 5), told(1, 1, 1)]);
        assert_eq!([of(3), of(4), of(5)], [told(6, 6, 6), told(7, 7, 7), told(9, 2, 9)]);
    }

    #[test]
    fn render_sizes_give_the_sample_aspect_ratio() {
        let ratio = |width, height, render_width, render_height| {
            let frame = FrameSize { width, height, render_width, render_height };
            sample_aspect_ratio(&frame).map(|ratio| (ratio.horizontal, ratio.vertical))
        };
        assert_eq!(ratio(1440, 1080, 1920, 1080), Some((4, 3)));
        assert_eq!(ratio(960, 540, 1920, 1080), None);
        let (horizontal, vertical) = ratio(65_519, 65_521, 65_521, 65_520).unwrap();
        assert!(horizontal >= vertical && vertical > 32_000);
    }

    #[test]
    fn records_that_do_not_hold_are_refused() {
        for (record, part) in [
            (&[0, 10, 0x82, 2, 2, 2, 0][..], "codecInitializationDataSize"),
            (&[0, 10, 0x82, 2, 2, 2, 0, 1, 7], "is not 0"),
            (&[0, 10, 0x82, 2, 2, 2, 0, 0, 7], "behind its last field"),
        ] {
            let error = Vp9Record::read(record).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
