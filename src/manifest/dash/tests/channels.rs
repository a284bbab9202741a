//! Channels of Opus and FLAC as a ChannelConfiguration of ISO/IEC 23091-3.

use super::*;
use crate::codec::opus::OpusConfig;
use crate::codec::{AudioCodec, AudioConfiguration};
use crate::track::header::SampleEntry;

/// `@value` in the MPD of a track with this sample entry.
fn told(configuration: AudioConfiguration) -> Option<u8> {
    let media = Media::Audio { channels: configuration.channels, sample_rate: 48_000 };
    let codec = configuration.codec_string.clone();
    let track = track(("audio", &codec), media, 48_000, &[(1000, 48_000)])
        .with_sample_entry(SampleEntry::Audio(configuration));
    let mpd = mpd_of(vec![], vec![track]).unwrap();
    let (_, behind) = mpd.split_once("urn:mpeg:mpegB:cicp:ChannelConfiguration\" value=\"")?;
    Some(behind.split_once('"').unwrap().0.parse().unwrap())
}

/// An identification header of so many channels, each a stream of its own.
fn opus(family: u8, channels: u8) -> AudioConfiguration {
    let mut head = b"OpusHead\x01\x00\x38\x01\x80\xbb\0\0\0\0\0".to_vec();
    (head[9], head[18]) = (channels, family);
    if family > 0 {
        head.extend([channels, 0]);
        head.extend(0..channels);
    }
    OpusConfig::read_head(&head).unwrap().configuration()
}

#[test]
fn opus_and_flac_have_the_layouts_of_vorbis() {
    let values = [1, 2, 3, 10, 5, 6, 11, 12];
    for (channels, value) in (1..).zip(values) {
        assert_eq!(told(opus(1, channels)), Some(value), "{channels} channels");
        let flac = AudioConfiguration {
            codec: AudioCodec::Flac,
            codec_string: "flac".to_owned(),
            ..opus(1, channels)
        };
        assert_eq!(told(flac), Some(value), "{channels} channels");
    }
    assert_eq!((told(opus(0, 1)), told(opus(0, 2))), (Some(1), Some(2)));
}

#[test]
fn channels_without_meaning_are_not_told() {
    for channels in [1, 2, 6, 8, 255] {
        assert_eq!(told(opus(255, channels)), None, "{channels} channels");
    }
}
