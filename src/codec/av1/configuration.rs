//! Sequence header ► `AV1CodecConfigurationRecord` (the body of `av1C`, AV1-ISOBMFF 2.3), codec string (AV1-ISOBMFF 5),
//! picture format, frame rate.

use std::sync::Arc;

use crate::codec::colour_text::code_points;
use crate::codec::sei::HdrMetadata;
use crate::codec::{BitstreamRate, Colour, SampleAspectRatio, VideoFormat};
use crate::error::{Error, Result};

use super::obu::write_size;
use super::{ColorConfig, FrameSize, ObuKind, Obus, OperatingPoint, SequenceHeader};

/// What the sample entry says of an AV1 track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Av1Configuration {
    sequence: Arc<SequenceHeader>,
    /// Payload of the sequence header OBU.
    payload: Arc<[u8]>,
    /// Size of the frame that the track starts with.
    first_frame: Option<FrameSize>,
    hdr: HdrMetadata,
    /// The metadata OBUs that say it, with their sizes.
    metadata: Arc<[u8]>,
}

impl Av1Configuration {
    /// The configuration of a track whose one sequence header has this payload, and that starts with a frame of this
    /// size where it is known.
    pub fn read(payload: &[u8], first_frame: Option<FrameSize>) -> Result<Self> {
        let sequence = SequenceHeader::read(payload)?;
        Ok(Self::new(Arc::new(sequence), payload.into(), first_frame))
    }

    pub(crate) fn new(
        sequence: Arc<SequenceHeader>,
        payload: Arc<[u8]>,
        first_frame: Option<FrameSize>,
    ) -> Self {
        Self { sequence, payload, first_frame, hdr: HdrMetadata::default(), metadata: Arc::new([]) }
    }

    /// The same with what the metadata OBUs `metadata`, each with its size, say of high dynamic range.
    pub(crate) fn with_hdr(self, hdr: HdrMetadata, metadata: Arc<[u8]>) -> Self {
        Self { hdr, metadata, ..self }
    }

    /// The `AV1CodecConfigurationRecord`; its `configOBUs` are the sequence header, and behind it the metadata of high dynamic
    /// range that the track starts with, each with a size field: metadata that holds for all samples should be there too
    /// (AV1-ISOBMFF 2.4).
    ///
    /// `initial_presentation_delay_present` is 0: the delay counts samples and follows from a decoder model of the whole
    /// track (AV1-ISOBMFF 2.3.4), which `initial_display_delay_minus_1` of the sequence header does not tell.
    pub fn record(&self) -> Vec<u8> {
        let (color, point) = (self.color(), self.operating_point());
        let mut record = vec![
            1 << 7 | 1,                                   // marker, version
            self.sequence.profile << 5 | point.level_idx, // seq_profile, seq_level_idx_0
            u8::from(point.high_tier) << 7                   // seq_tier_0
                | u8::from(color.bit_depth > 8) << 6         // high_bitdepth
                | u8::from(color.bit_depth == 12) << 5       // twelve_bit
                | u8::from(color.mono_chrome) << 4           // monochrome
                | u8::from(color.subsampling_x) << 3         // chroma_subsampling_x
                | u8::from(color.subsampling_y) << 2         // chroma_subsampling_y
                | color.chroma_sample_position, // chroma_sample_position
            0, // reserved, initial_presentation_delay_present, reserved
        ];
        const SEQUENCE_HEADER_WITH_SIZE: u8 = 1 << 3 | 1 << 1;
        record.push(SEQUENCE_HEADER_WITH_SIZE);
        let size = u32::try_from(self.payload.len())
            .expect("the header was read whole, from an OBU of a 32-bit size");
        write_size(&mut record, size);
        record.extend(&self.payload[..]);
        record.extend(&self.metadata[..]);
        record
    }

    /// The `codecs` parameter: `av01.P.LLT.DD`, and `.M.CCC.cp.tc.mc.F` where that part is not its default
    /// `.0.110.01.01.01.0`. Colour that the sequence header does not describe is given as the default.
    pub fn codec_string(&self) -> String {
        const DEFAULTS: &str = ".0.110.01.01.01.0";
        let (color, point) = (self.color(), self.operating_point());
        let tier = if point.high_tier { 'H' } else { 'M' };
        let (primaries, transfer, matrix) =
            color.description.map_or((1, 1, 1), |c| (c.primaries, c.transfer, c.matrix));
        let optional = format!(
            ".{}.{}{}{}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
            u8::from(color.mono_chrome),
            u8::from(color.subsampling_x),
            u8::from(color.subsampling_y),
            color.chroma_sample_position,
            u8::from(color.full_range),
        );
        let optional = if optional == DEFAULTS { "" } else { &optional };
        let (profile, level, depth) = (self.sequence.profile, point.level_idx, color.bit_depth);
        format!("av01.{profile}.{level:02}{tier}.{depth:02}{optional}")
    }

    /// Size, sample shape and colour of the pictures. The size is that of the largest frame that the sequence header
    /// allows, and the sample shape stretches it to that which the first frame is to be rendered at (AV1-ISOBMFF 2.2.4):
    /// `None` where that changes no proportion.
    pub fn video_format(&self) -> VideoFormat {
        let (width, height) = (self.sequence.max_frame_width, self.sequence.max_frame_height);
        let format = VideoFormat {
            sample_aspect_ratio: self
                .first_frame
                .and_then(|frame| sample_aspect_ratio((width, height), frame)),
            colour: self.color().description,
            ..VideoFormat::of_size(width, height)
        };
        format.with_hdr(&self.hdr)
    }

    /// Whether a sample entry may say `given` of the pictures: "the values of colour_primaries, transfer_characteristics, and
    /// matrix_coefficients SHALL match the values given in the Sequence Header OBU", where that has them, and the range
    /// always (AV1-ISOBMFF 2.2.4, as its repository has it). So the codec string, which has them too, is the bitstream's.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) where they differ.
    pub(crate) fn check_colour(&self, given: Colour) -> Result<()> {
        let color = self.color();
        let said = color.description.unwrap_or(Colour { full_range: color.full_range, ..given });
        if said == given {
            return Ok(());
        }
        let Colour { primaries, transfer, matrix, full_range } = given;
        Err(Error::conflict(
            format!(
                "the colour given is {}, the sequence header says {}, and AV1 lets a sample entry say no other",
                code_points(given),
                code_points(said)
            ),
            format!(
                "leave it out, or write it into the stream: ffmpeg -i FILE -c copy -bsf:v av1_metadata=color_primaries={primaries}:\
                 transfer_characteristics={transfer}:matrix_coefficients={matrix}:color_range={} OUT",
                if full_range { "pc" } else { "tv" }
            ),
        ))
    }

    /// The frame rate that the timing info gives for pictures at equal intervals; `None` where it gives none. One that
    /// cannot be is an error: the caller has to say.
    pub fn bitstream_rate(&self) -> Result<Option<BitstreamRate>> {
        self.sequence.bitstream_rate()
    }

    /// The sequence header.
    pub fn sequence(&self) -> &SequenceHeader {
        &self.sequence
    }

    fn color(&self) -> &ColorConfig {
        &self.sequence.color
    }

    /// The preferred operating point: there is at least one.
    fn operating_point(&self) -> OperatingPoint {
        self.sequence.operating_points[0]
    }
}

/// A configuration record as far as decoders are set up by it: without the metadata that may stand behind the sequence header.
pub(crate) fn without_metadata(record: &[u8]) -> &[u8] {
    let first = record.get(4..).and_then(|obus| Obus::of_stream(obus).next()?.ok());
    match first.filter(|obu| obu.header.kind == ObuKind::SequenceHeader) {
        Some(header) => &record[..4 + header.whole.end],
        None => record,
    }
}

/// `RenderWidth × max height : max width × RenderHeight`, reduced; where a number passes 16 bits both lose their last
/// bits.
fn sample_aspect_ratio((width, height): (u16, u16), frame: FrameSize) -> Option<SampleAspectRatio> {
    SampleAspectRatio::of_render_size(
        (width.into(), height.into()),
        (frame.render_width, frame.render_height),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::Sequence;
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    fn configuration(sequence: &Sequence) -> Av1Configuration {
        Av1Configuration::read(&sequence.payload(), None).unwrap()
    }

    #[test]
    fn records_equal_those_of_ffmpeg() {
        // Bodies of `av1C` as FFmpeg 5.1.9 wrote them (`-i x.ivf -c copy x.mp4`) for its testsrc2 at 128x72: SVT-AV1 1.4.1 in
        // 8 and, with BT.2020 PQ, 10 bits; libaom 3.6.0 in 8 bits, 8 with BT.709 full range, grey, 10, 12, 4:4:4, sRGB,
        // 4:2:2 10, 4:4:4 12 bits. The codec strings follow from AV1-ISOBMFF 5 and FFprobe's formats.
        for (text, codec) in [
            ("81000c000a0a0000000337f8e7dfc802", "av01.0.00M.08"),
            ("81004c000a0d0000000337f8e7dfca84880482", "av01.0.00M.10.0.110.09.16.09.0"),
            ("81000c000a0a0000000337f8e6d7c802", "av01.0.00M.08"),
            ("81000c000a0d0000000337f8e6d7c8808080c2", "av01.0.00M.08.0.110.01.01.01.1"),
            ("81001c000a0a0000000337f8e6d7c950", "av01.0.00M.08.1.110.01.01.01.1"),
            ("81004c000a0a0000000337f8e6d7ca02", "av01.0.00M.10"),
            ("81406c000a0b4000000337f8e6d7cb1840", "av01.2.00M.12"),
            ("812000000a0a2000000337f8e6d7c810", "av01.1.00M.08.0.000.01.01.01.0"),
            ("812000000a0d2000000337f8e6d7c9010d0020", "av01.1.00M.08.0.000.01.13.00.1"),
            ("814048000a0a4000000337f8e6d7ca04", "av01.2.00M.10.0.100.01.01.01.0"),
            ("814060000a0a4000000337f8e6d7cb02", "av01.2.00M.12.0.000.01.01.01.0"),
        ] {
            let record = hex(text);
            // Marker to reserved, header and size of the one OBU, its payload.
            let configuration = Av1Configuration::read(&record[6..], None).unwrap();
            assert_eq!(configuration.record(), record);
            assert_eq!(configuration.codec_string(), codec);
            let format = configuration.video_format();
            assert_eq!((format.width, format.height), (128, 72));
            assert_eq!(configuration.bitstream_rate().unwrap(), None);
        }
    }

    #[test]
    fn the_record_has_the_metadata_as_ffmpeg_writes_it() {
        // `av1C` by FFmpeg 5.1.9 (`-i hdr.ivf -c copy hdr.mp4`) of a stream by SVT-AV1 1.4.1 with its options mastering-display= and
        // content-light=, BT.2020 PQ: the sequence header, light levels, the mastering display.
        let record = hex(concat!(
            "81004c000a0d0000000337f8e7dfca84880482",
            "2a060103e8019080",
            "2a1a02ae1451ec43d7b0a426660f5c500d54390003e8000000000280",
        ));
        let (header, metadata) = record[6..].split_at(13);
        let configuration = Av1Configuration::read(header, None).unwrap();
        let hdr = HdrMetadata {
            content_light: Some(crate::codec::ContentLight { max_content: 1000, max_picture_average: 400 }),
            ..HdrMetadata::default()
        };
        let configuration = configuration.with_hdr(hdr, metadata.into());
        assert_eq!(configuration.record(), record);
        assert_eq!(without_metadata(&record), &record[..19]);
        for alone in
            [&record[..19], &record[..4], &record[..3], &record[..18], &[0x81, 0, 0, 0, 0x2a, 1, 0x80]]
        {
            assert_eq!(without_metadata(alone), alone);
        }
        assert_eq!(configuration.video_format().content_light, hdr.content_light);
        assert_eq!(configuration.codec_string(), "av01.0.00M.10.0.110.09.16.09.0");
    }

    #[test]
    fn codec_strings_are_those_of_the_binding() {
        // AV1-ISOBMFF 5, its two examples.
        let hdr = Sequence {
            depth: (true, false),
            colour: Some((9, 16, 9)),
            chroma_sample_position: 2,
            ..Sequence::default()
        };
        assert_eq!(configuration(&hdr).codec_string(), "av01.0.04M.10.0.112.09.16.09.0");
        let plain = Sequence { points: vec![(0, 1, false, None)], ..Sequence::default() };
        assert_eq!(configuration(&plain).codec_string(), "av01.0.01M.08");
        let high = Sequence { points: vec![(0, 13, true, None)], ..Sequence::default() };
        assert_eq!(configuration(&high).codec_string(), "av01.0.13H.08");
        assert_eq!(configuration(&high).record()[1..3], [13, 0x8c]);
    }

    #[test]
    fn a_long_sequence_header_keeps_its_size() {
        let points = (0..32).map(|point| (0x101 + point, 5, false, Some(9))).collect();
        let sequence = Sequence { points, ..Sequence::default() };
        let record = configuration(&sequence).record();
        let payload = sequence.payload();
        assert!(payload.len() > 0x7f - 60, "{}", payload.len());
        assert_eq!(record[record.len() - payload.len()..], payload);
    }

    #[test]
    fn render_sizes_give_the_sample_aspect_ratio() {
        let ratio = |size, render_width, render_height| {
            let frame = FrameSize { width: 1, height: 1, render_width, render_height };
            sample_aspect_ratio(size, frame).map(|ratio| (ratio.horizontal, ratio.vertical))
        };
        assert_eq!(ratio((1440, 1080), 1920, 1080), Some((4, 3)));
        assert_eq!(ratio((1920, 1080), 1920, 1080), None);
        assert_eq!(ratio((1920, 1080), 960, 540), None);
        assert_eq!(ratio((720, 576), 1024, 576), Some((64, 45)));
        // 65521 and 65519 are prime: 65521² : 65519 × 65520 has no smaller form.
        let (horizontal, vertical) = ratio((65_519, 65_521), 65_521, 65_520).unwrap();
        assert!(horizontal >= vertical && vertical > 32_000);
    }

    #[test]
    fn pictures_at_equal_intervals_give_a_rate() {
        let rate = |timing| {
            let rate =
                configuration(&Sequence { timing: Some(timing), ..Sequence::default() }).bitstream_rate();
            rate.map(|rate| rate.map(|BitstreamRate { rate, fixed }| (rate.to_string(), fixed)))
        };
        assert_eq!(rate((1001, 30_000, Some(0))).unwrap(), Some(("30000/1001".into(), true)));
        assert_eq!(rate((1, 50, Some(1))).unwrap(), Some(("25".into(), true)));
        assert_eq!(rate((1, 50, None)).unwrap(), None);
        for timing in
            [(0, 50, Some(0)), (1, 0, Some(0)), (1, 301, Some(0)), (u32::MAX, 1, Some(u32::MAX - 1))]
        {
            assert!(rate(timing).unwrap_err().to_string().contains("fps="));
        }
    }
}
