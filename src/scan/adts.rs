//! ADTS stream ► AAC frames (ISO/IEC 14496-3 1.A.2.2, ISO/IEC 13818-7 6.2): where each payload lies, and the one
//! configuration of the stream. Pure; the driver is [`crate::io::windows::read_adts`].
//!
//! Headers and CRC are framing and not part of a sample. ID3 tags may stand in front, between and behind frames. Anything
//! else that is not a frame is an error: there is no search for the next syncword, since what it would skip is lost.
//!
//! The clause of 14496-3 is as other projects quote it; the text was not opened, that of 13818-7 (2004) was.

use super::{Count, SourceRange};
use crate::codec::aac::{AacConfig, AudioObjectType};
use crate::error::{Error, Result};

/// Bytes that are enough to tell what stands at a place: an ADTS header or the header of an ID3 tag.
pub(crate) const UNIT_HEAD_LEN: usize = 16;

/// `adts_fixed_header` and `adts_variable_header`.
const HEADER_LEN: usize = 7;
/// `crc_check`, where `protection_absent` is 0.
const CRC_LEN: usize = 2;
const CLAUSE: &str = "ISO/IEC 14496-3 1.A.2.2";

/// The fields of one frame's header that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdtsHeader {
    /// `ID`: 1 is MPEG-2 AAC (ISO/IEC 13818-7), 0 MPEG-4.
    pub mpeg2: bool,
    /// `protection_absent` is 0: two bytes of CRC follow the header.
    pub has_crc: bool,
    /// `profile_ObjectType`: the audio object type minus 1, 0..=3.
    pub profile: u8,
    /// `sampling_frequency_index`, 0..=15 as it stands there.
    pub sampling_frequency_index: u8,
    /// `channel_configuration`, 0..=7.
    pub channel_configuration: u8,
    /// `aac_frame_length`: bytes of the whole frame, header included, up to 8191.
    pub frame_length: u16,
    /// `number_of_raw_data_blocks_in_frame` plus 1.
    pub raw_data_blocks: u8,
}

impl AdtsHeader {
    /// Reads the fields at the start of `bytes`. `None` where there is no syncword with layer 0, or fewer than 7 bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let b = bytes.first_chunk::<HEADER_LEN>()?;
        if !is_syncword(b) {
            return None;
        }
        Some(Self {
            mpeg2: b[1] & 0x08 != 0,
            has_crc: b[1] & 0x01 == 0,
            profile: b[2] >> 6,
            sampling_frequency_index: b[2] >> 2 & 0x0f,
            channel_configuration: (b[2] & 1) << 2 | b[3] >> 6,
            frame_length: u16::from(b[3] & 3) << 11 | u16::from(b[4]) << 3 | u16::from(b[5] >> 5),
            raw_data_blocks: (b[6] & 3) + 1,
        })
    }

    /// Bytes in front of the payload.
    pub fn framing_len(&self) -> u16 {
        (HEADER_LEN + if self.has_crc { CRC_LEN } else { 0 }) as u16
    }

    /// What a decoder has to know.
    ///
    /// # Errors
    /// For reserved values, channels that are described in band, and several raw data blocks in a frame.
    pub fn config(&self) -> Result<AacConfig> {
        if self.raw_data_blocks != 1 {
            return Err(Error::unsupported(
                format!(
                    "{} raw data blocks in one ADTS frame (where one ends is known only by decoding it)",
                    self.raw_data_blocks
                ),
                "encode the audio again with one block a frame, as encoders do by default",
            ));
        }
        let object_type = match (self.profile, self.mpeg2) {
            (0, _) => AudioObjectType::Main,
            (1, _) => AudioObjectType::LowComplexity,
            (2, _) => AudioObjectType::ScalableSamplingRate,
            (3, false) => AudioObjectType::LongTermPrediction,
            (other, _) => {
                return Err(Error::out_of_range(
                    "profile",
                    other,
                    "0..=2 in MPEG-2 AAC",
                    "ISO/IEC 13818-7 6.2",
                ));
            }
        };
        AacConfig::new(object_type, self.sampling_frequency_index, self.channel_configuration)
    }
}

/// Whether `bytes`, as far as they go, begin with the syncword 0xFFF and layer 0. MP3 has the syncword, but another layer.
fn is_syncword(bytes: &[u8]) -> bool {
    match bytes {
        [] => false,
        [first] => *first == 0xff,
        [first, second, ..] => *first == 0xff && second & 0xf6 == 0xf0,
    }
}

/// Bytes of the ID3 tag at the start of `bytes`, of which `left` are left in the source: ID3v2 (header, body, footer) or
/// ID3v1 (`TAG`, 128 bytes, as far as it is all there). `None` where there is none.
///
/// ID3v2.4 3.1 to 3.4; the size is the tag's word, and may pass the end of the source.
pub(crate) fn tag_len(bytes: &[u8], left: u64) -> Option<u64> {
    const ID3V1_LEN: u64 = 128;
    const ID3V2_HEADER_LEN: u64 = 10;
    if let [b'I', b'D', b'3', major, revision, flags, size @ ..] = bytes {
        let size = size.first_chunk::<4>().filter(|size| size.iter().all(|&b| b < 0x80))?;
        if *major == 0xff || *revision == 0xff {
            return None;
        }
        let body = size.iter().fold(0, |sum, &b| sum << 7 | u64::from(b));
        let footer = if flags & 0x10 != 0 { ID3V2_HEADER_LEN } else { 0 };
        return Some(ID3V2_HEADER_LEN + body + footer);
    }
    (bytes.starts_with(b"TAG") && left >= ID3V1_LEN).then_some(ID3V1_LEN)
}

/// Checks that a tag of `len` bytes is all there.
///
/// # Errors
/// Where fewer are left in the source.
pub(crate) fn check_tag(len: u64, left: u64) -> Result<()> {
    if len <= left {
        return Ok(());
    }
    let what = format!("an ID3 tag of {len} bytes has only {left}");
    Err(Error::malformed(what, "ID3v2.4 3.1", "the file is cut off: copy it again"))
}

/// What an ADTS stream consisted of. Payload, framing, tags and the incomplete frame add up to the length of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdtsReport {
    /// The configuration that every frame has.
    pub config: AacConfig,
    /// Frames, and the bytes of their payload.
    pub frames: Count,
    /// Bytes of headers and CRCs.
    pub framing_bytes: u64,
    /// ID3 tags, left out.
    pub id3_tags: Count,
    /// The incomplete last frame, left out; at most one.
    pub incomplete_frames: Count,
}

/// Steps through a stream from one frame or tag to the next.
#[derive(Debug)]
pub(crate) struct FrameWalk {
    drop_incomplete: bool,
    /// The first frame's configuration and offset.
    first: Option<(AacConfig, u64)>,
    frames: Count,
    framing_bytes: u64,
    id3_tags: Count,
    incomplete_frames: Count,
}

/// What stood at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The frame's payload; `None` for what is left out.
    pub payload: Option<SourceRange>,
    /// Where the next one stands.
    pub end: u64,
}

impl FrameWalk {
    pub(crate) fn new(drop_incomplete: bool) -> Self {
        Self {
            drop_incomplete,
            first: None,
            frames: Count::default(),
            framing_bytes: 0,
            id3_tags: Count::default(),
            incomplete_frames: Count::default(),
        }
    }

    /// Reads what stands at `offset` of a source of `source_len` bytes: `bytes` are those from there on,
    /// [`UNIT_HEAD_LEN`] or up to the end of the source.
    pub(crate) fn step(&mut self, offset: u64, source_len: u64, bytes: &[u8]) -> Result<Step> {
        let left = source_len - offset;
        if let Some(len) = tag_len(bytes, left) {
            check_tag(len, left).map_err(|error| error.at(offset))?;
            self.id3_tags.add(len);
            return Ok(Step { payload: None, end: offset + len });
        }
        let Some(header) = AdtsHeader::read(bytes) else {
            return if is_syncword(bytes) && left < HEADER_LEN as u64 {
                self.incomplete(offset, left, None)
            } else {
                Err(self.not_a_frame(offset, bytes))
            };
        };
        self.check_config(&header, offset)?;
        let (frame_length, framing) = (header.frame_length, header.framing_len());
        if frame_length <= framing {
            let what = format!("aac_frame_length is {frame_length}, of which {framing} bytes are header");
            return Err(Error::malformed(
                what,
                CLAUSE,
                "the stream is damaged there: encode or extract it again",
            )
            .at(offset));
        }
        if u64::from(frame_length) > left {
            return self.incomplete(offset, left, Some(frame_length));
        }
        let payload =
            SourceRange { offset: offset + u64::from(framing), len: u32::from(frame_length - framing) };
        self.frames.add(u64::from(payload.len));
        self.framing_bytes += u64::from(framing);
        Ok(Step { payload: Some(payload), end: payload.end() })
    }

    /// Ends the stream.
    pub(crate) fn finish(self) -> Result<AdtsReport> {
        match self.first {
            Some((config, _)) if self.frames.units > 0 => Ok(AdtsReport {
                config,
                frames: self.frames,
                framing_bytes: self.framing_bytes,
                id3_tags: self.id3_tags,
                incomplete_frames: self.incomplete_frames,
            }),
            _ => Err(Error::malformed(
                "the stream has no complete frame",
                CLAUSE,
                "give an ADTS stream with audio",
            )
            .at(0)),
        }
    }

    fn check_config(&mut self, header: &AdtsHeader, offset: u64) -> Result<()> {
        let config = header.config().map_err(|error| error.at(offset))?;
        let (first, first_offset) = *self.first.get_or_insert((config, offset));
        if config == first {
            return Ok(());
        }
        Err(Error::unsupported(
            format!("the audio changes from {first} (at {first_offset:#x}) to {config}"),
            format!("split the file at byte {offset}, or encode the audio again as one stream"),
        )
        .at(offset))
    }

    /// The last `left` bytes are the beginning of a frame.
    fn incomplete(&mut self, offset: u64, left: u64, frame_length: Option<u16>) -> Result<Step> {
        if self.drop_incomplete {
            self.incomplete_frames.add(left);
            return Ok(Step { payload: None, end: offset + left });
        }
        let what = match frame_length {
            Some(len) => format!("the last frame has only {left} of its {len} bytes"),
            None => format!("the last frame has only {left} of the {HEADER_LEN} bytes of its header"),
        };
        Err(Error::malformed(
            what,
            CLAUSE,
            "copy the file again, or drop the incomplete frame with --drop-incomplete",
        )
        .at(offset))
    }

    fn not_a_frame(&self, offset: u64, bytes: &[u8]) -> Error {
        let mut found = String::new();
        for byte in bytes.iter().take(4) {
            found.push_str(&format!(" {byte:02x}"));
        }
        let what = match self.frames.units {
            0 => format!("no ADTS syncword at the start of the audio, but{found}"),
            n => format!("no ADTS syncword behind frame {n}, but{found}"),
        };
        let remedy = match self.frames.units {
            0 => "give an ADTS stream; from MP4: ffmpeg -i in.mp4 -vn -c copy out.aac".into(),
            _ => format!("extract the stream again, or keep the audio up to there with head -c {offset}"),
        };
        Error::malformed(what, CLAUSE, remedy).at(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The first header of FFmpeg 5.1's `-f lavfi -i sine=r=44100 -ac 2 -c:a aac`: 347 bytes, variable rate.
    const FFMPEG: [u8; 7] = [0xff, 0xf1, 0x50, 0x80, 0x2b, 0x7f, 0xfc];

    /// A frame of two bytes, with a header of `FFMPEG`'s fields otherwise.
    const FRAME: [u8; 9] = [0xff, 0xf1, 0x50, 0x80, 0x01, 0x3f, 0xfc, 0x21, 0x10];

    /// Steps through `stream`: the payloads, and the report.
    fn walk(stream: &[u8], drop_incomplete: bool) -> Result<(Vec<SourceRange>, AdtsReport)> {
        let mut walk = FrameWalk::new(drop_incomplete);
        let (mut payloads, mut offset) = (Vec::new(), 0);
        while (offset as usize) < stream.len() {
            let head = &stream[offset as usize..];
            let step = walk.step(offset, stream.len() as u64, &head[..head.len().min(UNIT_HEAD_LEN)])?;
            payloads.extend(step.payload);
            offset = step.end;
        }
        Ok((payloads, walk.finish()?))
    }

    fn refusal(stream: &[u8]) -> (u64, String) {
        let error = walk(stream, false).unwrap_err();
        (error.offset().expect("every refusal has a place"), error.to_string())
    }

    fn changed(at: usize, value: u8) -> [u8; 9] {
        let mut frame = FRAME;
        frame[at] = value;
        frame
    }

    #[test]
    fn reads_the_fields_of_a_real_header() {
        let header = AdtsHeader::read(&FFMPEG).unwrap();
        let expected = AdtsHeader {
            mpeg2: false,
            has_crc: false,
            profile: 1,
            sampling_frequency_index: 4,
            channel_configuration: 2,
            frame_length: 347,
            raw_data_blocks: 1,
        };
        assert_eq!(header, expected);
        assert_eq!(header.config().unwrap().to_string(), "AAC LC, 44100 Hz, 2 channels");
    }

    #[test]
    fn payload_is_what_follows_header_and_crc() {
        // protection_absent 0, aac_frame_length 11: two bytes of CRC, two of payload. ID 1 in the last frame: MPEG-2.
        let crc = [0xff, 0xf0, 0x50, 0x80, 0x01, 0x7f, 0xfc, 0xaa, 0xbb, 0x21, 0x10];
        let stream = [&FRAME[..], &crc, &changed(1, 0xf9)].concat();
        let (payloads, report) = walk(&stream, false).unwrap();
        let at = |offset| SourceRange { offset, len: 2 };
        assert_eq!(payloads, [at(7), at(18), at(27)]);
        assert_eq!((report.frames, report.framing_bytes), (Count { units: 3, bytes: 6 }, 7 + 9 + 7));
    }

    #[test]
    fn tags_around_frames_are_left_out_and_counted() {
        let id3v2 = b"ID3\x04\0\0\0\0\0\x03abc";
        let id3v2_with_footer = b"ID3\x04\0\x10\0\0\0\x01x3DI\x04\0\x10\0\0\0\x01";
        let id3v1 = [&b"TAG"[..], &[0; 125]].concat();
        let stream = [&id3v2[..], &FRAME, id3v2_with_footer, &FRAME, &id3v1].concat();
        let (payloads, report) = walk(&stream, false).unwrap();
        assert_eq!(payloads.iter().map(|p| p.offset).collect::<Vec<_>>(), [20, 50]);
        assert_eq!(report.id3_tags, Count { units: 3, bytes: 13 + 21 + 128 });
        let (offset, line) = refusal(&[&FRAME[..], b"ID3\x04\0\0\0\0\x01\0abc"].concat());
        assert!(offset == 9 && line.contains("138 bytes has only 13"), "{line}");
    }

    #[test]
    fn an_incomplete_last_frame_is_an_error_or_dropped_and_counted() {
        for left in 1..FRAME.len() {
            let stream = [&FRAME[..], &FRAME[..left]].concat();
            let (offset, line) = refusal(&stream);
            assert!(offset == 9 && line.contains(&format!("only {left} of")), "{line}");
            let (payloads, report) = walk(&stream, true).unwrap();
            assert_eq!(payloads.len(), 1);
            assert_eq!(report.incomplete_frames, Count { units: 1, bytes: left as u64 });
        }
        assert!(walk(&FRAME[..8], true).unwrap_err().to_string().contains("no complete frame"));
    }

    #[test]
    fn bytes_that_are_no_frame_are_an_error_at_their_offset_even_when_incomplete_frames_are_dropped() {
        for garbage in
            [&[0][..], &[0; 50], &[0xff, 0xe1], &[0xff, 0xf3, 0x50, 0x80, 1, 0x3f, 0xfc, 0, 0], b"TAG"]
        {
            let stream = [&FRAME[..], garbage].concat();
            assert_eq!(refusal(&stream).0, 9, "{garbage:02x?}");
            assert_eq!(walk(&stream, true).unwrap_err().offset(), Some(9));
        }
        assert!(refusal(&[0x47; 20]).1.contains("at the start of the audio, but 47 47 47 47"));
    }

    #[test]
    fn a_change_of_rate_channels_or_profile_names_both_places() {
        // 48 kHz; mono; Main.
        for other in [changed(2, 0x4c), changed(3, 0x40), changed(2, 0x10)] {
            let (offset, line) = refusal(&[FRAME, FRAME, other].concat());
            assert!(offset == 18 && line.contains("from AAC LC, 44100 Hz, 2 channels (at 0x0) to"), "{line}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_represent_with_the_reason() {
        for (frame, reason) in [
            (changed(3, 0x00), "program config element"),
            (changed(6, 0xfd), "2 raw data blocks"),
            (changed(2, 0x74), "sampling_frequency_index is 13"),
            (changed(2, 0x7c), "sampling_frequency_index is 15"),
            // ID 1 with profile 3.
            ([0xff, 0xf9, 0xd0, 0x80, 1, 0x3f, 0xfc, 0, 0], "profile is 3"),
            // Lengths 6 and 7: shorter than the header, no payload.
            ([0xff, 0xf1, 0x50, 0x80, 0, 0xdf, 0xfc, 0, 0], "aac_frame_length is 6"),
            ([0xff, 0xf1, 0x50, 0x80, 0, 0xff, 0xfc, 0, 0], "aac_frame_length is 7"),
        ] {
            let (offset, line) = refusal(&[&b"ID3\x04\0\0\0\0\0\0"[..], &frame].concat());
            assert!(offset == 10 && line.contains(reason), "{line}");
        }
        assert!(refusal(b"").1.contains("no complete frame"));
    }
}
