//! Opus: the identification header of a stream (`OpusHead`, RFC 7845 5.1) ► what its sample entry says (`dOps`), and the first
//! bytes of a packet ► how long it lasts (RFC 6716 3.1, 3.2). No audio is decoded.
//!
//! `dOps` is that of "Encapsulation of Opus in ISO Base Media File Format", version 0.8.1, which is called *Opus in ISOBMFF* here.
//! The RFCs were not opened as a whole: clauses and limits are as readers of the format and explanations of it quote them.
//!
//! Mapping families 2 and 3 (ambisonics, RFC 8486) are refused: `dOps` as it stands there has no place for their matrix.

use std::fmt;
use std::num::NonZeroI16;

use super::{AudioCodec, AudioConfiguration};
use crate::error::{Error, Result};

/// Samples a second and channel of all times: Opus counts at this rate whatever was encoded (RFC 7845 4).
pub const SAMPLE_RATE: u32 = 48_000;

/// First bytes of an identification header.
pub const HEAD_MAGIC: &[u8; 8] = b"OpusHead";

/// Samples that a decoder needs in front of a place to be right there: 80 ms (RFC 7845 4.6, Opus in ISOBMFF 4.3.6.2).
const PRE_ROLL: u32 = 3840;
/// Most samples in a packet: 120 ms (RFC 6716 3.2.5).
const LONGEST_PACKET: u32 = 5760;
/// Fewest, and what all packets are whole multiples of: 2.5 ms.
pub(crate) const SHORTEST_PACKET: u32 = 120;
/// Channel of a mapping that is silent.
const SILENT: u8 = 255;

const HEAD_CLAUSE: &str = "RFC 7845 5.1";
const MAPPING_CLAUSE: &str = "RFC 7845 5.1.1";
const REWRITE: &str = "the header is damaged or breaks the standard: encode the audio again";

/// What a decoder has to know before the first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusConfig {
    channels: u8,
    pre_skip: u16,
    input_sample_rate: u32,
    output_gain: i16,
    mapping: Mapping,
    /// Samples in the shortest packet.
    shortest_packet: u32,
}

/// What output channels are made of, and what they mean (RFC 7845 5.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mapping {
    /// Family 0: mono or stereo, one stream.
    Plain,
    /// The others, with their table.
    Table { family: u8, stream_count: u8, coupled_count: u8, channel_mapping: Vec<u8> },
}

impl OpusConfig {
    /// Mono or stereo, in packets of 20 ms: `channels` 1 or 2, the first `pre_skip` samples at 48 kHz not to be heard
    /// (libopus tells them as `OPUS_GET_LOOKAHEAD`). More channels take an [`OpusConfig::read_head`].
    ///
    /// # Errors
    /// For another number of channels.
    pub fn new(channels: u8, pre_skip: u16) -> Result<Self> {
        if !matches!(channels, 1 | 2) {
            return Err(Error::out_of_range(
                "Output Channel Count of mapping family 0",
                channels,
                "1 or 2",
                "RFC 7845 5.1.1.1",
            ));
        }
        let (input_sample_rate, output_gain) = (SAMPLE_RATE, 0);
        let (mapping, shortest_packet) = (Mapping::Plain, 960);
        Ok(Self { channels, pre_skip, input_sample_rate, output_gain, mapping, shortest_packet })
    }

    /// Reads an identification header, whole, magic signature included: the first packet of an Ogg stream, `CodecPrivate` of
    /// Matroska. Packets are taken to last 20 ms until [`OpusConfig::with_shortest_packet`] says otherwise.
    ///
    /// # Errors
    /// For a header that is cut off, too long for its version, or breaks a rule, and for one of a later major version or
    /// another mapping family than 0, 1 and 255. Offsets count from the first byte.
    pub fn read_head(head: &[u8]) -> Result<Self> {
        let Some(b) = head.first_chunk::<19>() else {
            let error = match head.starts_with(HEAD_MAGIC) || HEAD_MAGIC.starts_with(head) {
                true => Error::truncated("OpusHead", HEAD_CLAUSE),
                false => no_head(),
            };
            return Err(error.at(0));
        };
        if !b.starts_with(HEAD_MAGIC) {
            return Err(no_head().at(0));
        }
        let version = b[8];
        if version >> 4 != 0 {
            let what = format!("an OpusHead of version {version}");
            return Err(Error::unsupported(what, "encode the audio again with an encoder of RFC 7845").at(8));
        }
        let (channels, family) = (b[9], b[18]);
        let (mapping, read) = Mapping::read(family, channels, &head[19..])?;
        // A later minor version may have more (RFC 7845 5.1).
        if version <= 1 && head.len() > 19 + read {
            let what = format!("the header goes on for {} bytes behind its fields", head.len() - 19 - read);
            return Err(Error::malformed(what, HEAD_CLAUSE, REWRITE).at(19 + read as u64));
        }
        Ok(Self {
            channels,
            pre_skip: u16::from_le_bytes([b[10], b[11]]),
            input_sample_rate: u32::from_le_bytes([b[12], b[13], b[14], b[15]]),
            output_gain: i16::from_le_bytes([b[16], b[17]]),
            mapping,
            shortest_packet: 960,
        })
    }

    /// The same with packets of so many samples, or more where they differ: the roll distance follows from it.
    ///
    /// # Errors
    /// For what is no multiple of 120 (2.5 ms) up to 5760 (120 ms).
    pub fn with_shortest_packet(self, samples: u32) -> Result<Self> {
        if samples == 0 || samples > LONGEST_PACKET || !samples.is_multiple_of(SHORTEST_PACKET) {
            let allowed = "a multiple of 120 up to 5760";
            return Err(Error::out_of_range("the samples in a packet", samples, allowed, "RFC 6716 3.1"));
        }
        Ok(Self { shortest_packet: samples, ..self })
    }

    /// Output channels, 1..=255.
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// Samples at 48 kHz at the start that are decoded and not heard.
    pub fn pre_skip(&self) -> u16 {
        self.pre_skip
    }

    /// Channel mapping family: 0, 1 or 255.
    pub fn mapping_family(&self) -> u8 {
        match self.mapping {
            Mapping::Plain => 0,
            Mapping::Table { family, .. } => family,
        }
    }

    /// Samples in the shortest packet.
    pub fn shortest_packet(&self) -> u32 {
        self.shortest_packet
    }

    /// `OpusDecoderConfigurationRecord`: what `dOps` contains (Opus in ISOBMFF 4.3.2). Big-endian, where `OpusHead` is little-endian.
    pub fn record(&self) -> Vec<u8> {
        let mut record = vec![0, self.channels]; // Version, OutputChannelCount
        record.extend(self.pre_skip.to_be_bytes()); // PreSkip
        record.extend(self.input_sample_rate.to_be_bytes()); // InputSampleRate
        record.extend(self.output_gain.to_be_bytes()); // OutputGain
        record.push(self.mapping_family()); // ChannelMappingFamily
        if let Mapping::Table { stream_count, coupled_count, channel_mapping, .. } = &self.mapping {
            record.extend([*stream_count, *coupled_count]); // StreamCount, CoupledCount
            record.extend(channel_mapping); // ChannelMapping
        }
        record
    }

    /// `roll_distance`: the packets that make 80 ms, negative. Where packets differ it is counted in the shortest, since it holds
    /// for each of them.
    pub fn roll_distance(&self) -> NonZeroI16 {
        // 1 to 32.
        let packets = PRE_ROLL.div_ceil(self.shortest_packet) as i16;
        NonZeroI16::new(-packets).expect("3840 samples take a packet at least")
    }

    /// What is said of a track. The codec string is `opus`, though RFC 6381 asks for the type of the sample entry: it is the one that
    /// Chromium and Firefox took alone for years (hls.js issue 4527), and dash.js still does (its issue 4444). Safari takes `Opus` alone (Shaka
    /// Player's pull request 6607); hls.js and Shaka Player turn either into what the browser takes.
    pub fn configuration(&self) -> AudioConfiguration {
        AudioConfiguration {
            codec: AudioCodec::Opus,
            codec_string: "opus".to_owned(),
            channels: self.channels.into(),
            sample_rate: SAMPLE_RATE,
            entry_sample_rate: SAMPLE_RATE,
            sample_size: 16,
            configuration_record: self.record(),
            priming: self.pre_skip.into(),
            roll_distance: Some(self.roll_distance()),
            dolby: None,
        }
    }
}

impl fmt::Display for OpusConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opus, {} channel{}", self.channels, if self.channels == 1 { "" } else { "s" })
    }
}

fn no_head() -> Error {
    Error::malformed(
        "the header does not begin with OpusHead",
        HEAD_CLAUSE,
        "give the header of an Opus stream",
    )
}

impl Mapping {
    /// The mapping table of `family` at the start of `table`, and its bytes.
    fn read(family: u8, channels: u8, table: &[u8]) -> Result<(Self, usize)> {
        let allowed = match family {
            0 => 1..=2,
            1 => 1..=8,
            255 => 1..=255,
            _ => {
                let what = format!("Opus with channel mapping family {family}");
                let remedy = "encode the audio again with family 0, 1 or 255, such as ffmpeg -c:a libopus -mapping_family 255";
                return Err(Error::unsupported(what, remedy).at(18));
            }
        };
        if !allowed.contains(&channels) {
            let what = format!(
                "mapping family {family} has {channels} channels, must have {} to {}",
                allowed.start(),
                allowed.end()
            );
            return Err(Error::malformed(what, MAPPING_CLAUSE, REWRITE).at(9));
        }
        if family == 0 {
            return Ok((Self::Plain, 0));
        }
        let truncated = || Error::truncated("Channel Mapping", MAPPING_CLAUSE).at(19 + table.len() as u64);
        let (&[stream_count, coupled_count], rest) = table.split_first_chunk::<2>().ok_or_else(truncated)?;
        let channel_mapping = rest.get(..usize::from(channels)).ok_or_else(truncated)?;
        let refuse = |what: String, at| Err(Error::malformed(what, MAPPING_CLAUSE, REWRITE).at(at));
        if stream_count == 0 {
            return refuse("Stream Count is 0".into(), 19);
        }
        let decoded = u16::from(stream_count) + u16::from(coupled_count);
        if coupled_count > stream_count || decoded > 255 {
            return refuse(format!("{coupled_count} of {stream_count} streams are said to be coupled"), 20);
        }
        let is_mapped = |&channel: &u8| channel == SILENT || u16::from(channel) < decoded;
        if let Some(at) = channel_mapping.iter().position(|channel| !is_mapped(channel)) {
            let what = format!("channel {at} is mapped to {} of {decoded} decoded ones", channel_mapping[at]);
            return refuse(what, 21 + at as u64);
        }
        let channel_mapping = channel_mapping.to_vec();
        let read = 2 + channel_mapping.len();
        Ok((Self::Table { family, stream_count, coupled_count, channel_mapping }, read))
    }
}

/// Samples at 48 kHz in a packet, by its first two bytes (or its one): 120..=5760. Of several streams in a packet the first one
/// tells, since all last equally long (RFC 7845 3). What is behind is the decoder's business.
///
/// # Errors
/// For a packet of no bytes, one of code 3 without a frame count, and one of no frames or of more than 120 ms.
pub fn packet_duration(head: &[u8]) -> Result<u32> {
    let &toc = head.first().ok_or_else(|| {
        Error::malformed(
            "a packet of no bytes",
            "RFC 6716 3.4",
            "the stream is damaged there: encode the audio again",
        )
    })?;
    let frame = frame_duration(toc);
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => {
            let &count =
                head.get(1).ok_or_else(|| Error::truncated("the frame count byte", "RFC 6716 3.2.5"))?;
            u32::from(count & 0x3f)
        }
    };
    let samples = frame * frames;
    if (SHORTEST_PACKET..=LONGEST_PACKET).contains(&samples) {
        return Ok(samples);
    }
    Err(Error::malformed(
        format!("a packet of {frames} frames of {} ms, must be 1 frame to 120 ms", f64::from(frame) / 48.0),
        "RFC 6716 3.2.5",
        "the stream is damaged there, or no Opus",
    ))
}

/// Samples at 48 kHz in each frame of a packet with this TOC byte (RFC 6716 3.1, Table 2, as posts and sources that explain the byte
/// quote it).
fn frame_duration(toc: u8) -> u32 {
    let size = usize::from(toc >> 3 & 3);
    match toc >> 3 {
        0..=11 => [480, 960, 1920, 2880][size], // SILK
        12..=15 => [480, 960][size & 1],        // hybrid
        _ => [120, 240, 480, 960][size],        // CELT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Headers of FFmpeg 5.1 with libopus 1.3.1: `ffmpeg -f lavfi -i aevalsrc=…:c=LAYOUT -c:a libopus [-mapping_family 255] x.opus`.
    const STEREO: &[u8] = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
    const SURROUND_5_1: &[u8] = b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";
    const UNNAMED_6: &[u8] = b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\xff\x06\0\0\x01\x02\x03\x04\x05";

    #[test]
    fn the_record_equals_the_one_that_ffmpeg_writes() {
        // The same streams in MP4, `-c copy -f mp4`: `dOps` without its header.
        for (head, record) in [
            (STEREO, &b"\0\x02\x01\x38\0\0\xbb\x80\0\0\0"[..]),
            (SURROUND_5_1, b"\0\x06\x01\x38\0\0\xbb\x80\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05"),
            (UNNAMED_6, b"\0\x06\x01\x38\0\0\xbb\x80\0\0\xff\x06\0\0\x01\x02\x03\x04\x05"),
            (
                b"OpusHead\x01\x08\x38\x01\x80\xbb\0\0\0\0\x01\x05\x03\0\x06\x01\x02\x03\x04\x05\x07",
                b"\0\x08\x01\x38\0\0\xbb\x80\0\0\x01\x05\x03\0\x06\x01\x02\x03\x04\x05\x07",
            ),
        ] {
            let config = OpusConfig::read_head(head).unwrap();
            assert_eq!(config.record(), record);
            let track = config.configuration();
            assert_eq!((track.channels, track.priming, track.sample_rate), (head[9].into(), 312, 48_000));
            assert_eq!((track.codec_string.as_str(), track.roll_distance), ("opus", NonZeroI16::new(-4)));
        }
        assert_eq!(OpusConfig::read_head(STEREO).unwrap(), OpusConfig::new(2, 312).unwrap());
    }

    #[test]
    fn gain_and_input_rate_are_kept_with_their_bytes_turned_round() {
        let head = b"OpusHead\x01\x01\x34\x12\x44\xac\0\0\x80\xfe\0";
        let record = OpusConfig::read_head(head).unwrap().record();
        assert_eq!(record, b"\0\x01\x12\x34\0\0\xac\x44\xfe\x80\0");
    }

    #[test]
    fn a_later_minor_version_may_have_more_behind_its_fields() {
        let mut head = STEREO.to_vec();
        head.push(7);
        assert_eq!(OpusConfig::read_head(&head).unwrap_err().offset(), Some(19));
        head[8] = 2;
        assert!(OpusConfig::read_head(&head).is_ok());
        head[8] = 16;
        assert!(OpusConfig::read_head(&head).unwrap_err().to_string().contains("version 16"));
    }

    #[test]
    fn headers_that_break_a_rule_are_refused_at_the_byte_that_does() {
        let changed = |head: &[u8], at: usize, byte| {
            let mut head = head.to_vec();
            head[at] = byte;
            let error = OpusConfig::read_head(&head).unwrap_err();
            (error.offset(), error.to_string())
        };
        for (head, at, byte, offset, words) in [
            (STEREO, 0, b'X', 0, "does not begin with OpusHead"),
            (STEREO, 9, 0, 9, "0 channels"),
            (STEREO, 9, 3, 9, "3 channels"),
            (STEREO, 18, 3, 18, "family 3"),
            (SURROUND_5_1, 9, 9, 9, "9 channels"),
            (SURROUND_5_1, 19, 0, 19, "Stream Count is 0"),
            (SURROUND_5_1, 20, 5, 20, "5 of 4 streams"),
            (SURROUND_5_1, 23, 6, 23, "channel 2 is mapped to 6 of 6"),
        ] {
            let (found, line) = changed(head, at, byte);
            assert!(found == Some(offset) && line.contains(words), "{line}");
        }
        for len in 0..STEREO.len() {
            assert!(OpusConfig::read_head(&STEREO[..len]).is_err());
        }
        for len in 0..SURROUND_5_1.len() {
            assert!(OpusConfig::read_head(&SURROUND_5_1[..len]).is_err());
        }
        // A silent channel.
        let silent = [&SURROUND_5_1[..26], &[255]].concat();
        assert!(OpusConfig::read_head(&silent).is_ok());
    }

    #[test]
    fn the_roll_distance_is_80_ms_of_packets() {
        let distance = |samples| {
            OpusConfig::new(2, 312).unwrap().with_shortest_packet(samples).unwrap().roll_distance().get()
        };
        // 2.5, 5, 10, 20, 40, 60, 80, 100 and 120 ms.
        let packets = [120, 240, 480, 960, 1920, 2880, 3840, 4800, 5760].map(distance);
        assert_eq!(packets, [-32, -16, -8, -4, -2, -2, -1, -1, -1]);
        for samples in [0, 100, 5880] {
            assert!(OpusConfig::new(2, 312).unwrap().with_shortest_packet(samples).is_err());
        }
    }

    #[test]
    fn a_packet_lasts_as_its_toc_says() {
        // First bytes of FFmpeg's packets by -frame_duration, and rows of Table 2 of RFC 6716 by hand.
        for (head, samples) in [
            (&[0xfc, 0][..], 960), // CELT, fullband, 20 ms, stereo, one frame
            (&[0xe4], 120),        // 2.5 ms
            (&[0x0b, 0x02], 1920), // SILK, narrowband, 20 ms, code 3, two frames
            (&[0x18, 0], 2880),    // SILK, narrowband, 60 ms
            (&[0x19, 0], 5760),    // two of these
            (&[0x7a, 0], 1920),    // hybrid, fullband, 20 ms, code 2
            (&[0xff, 0x06], 5760), // six frames of 20 ms
            (&[0xe3, 0x30], 5760), // 48 of 2.5 ms
            (&[0xe3, 0xc1], 120),  // the upper bits of the count are flags
        ] {
            assert_eq!(packet_duration(head).unwrap(), samples, "{head:02x?}");
        }
        for (head, words) in [
            (&[][..], "no bytes"),
            (&[0x03], "frame count"),
            (&[0xff, 0x00], "0 frames"),
            (&[0xff, 0x07], "7 frames of 20 ms"),
            (&[0xe3, 0x31], "49 frames of 2.5 ms"),
            (&b"Op"[..], "48 frames"),
        ] {
            let line = packet_duration(head).unwrap_err().to_string();
            assert!(line.contains(words), "{line}");
        }
    }
}
