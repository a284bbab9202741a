//! Timed tracks ► the names of their directories.

use super::InputRequest;
use super::ingest::SourceKind;
use super::timing::TimedTrack;
use crate::error::{Error, Result};
use crate::presentation::names::{
    SameName, TrackName, audio_name, codec_word, kilobits, sound_word, unique_names, video_name,
};

/// The directory of each track. Video and audio have parents of their own, so a name may stand in both.
pub(super) fn name_tracks(tracks: &[TimedTrack<'_>]) -> Result<Vec<String>> {
    let mut directories = Vec::with_capacity(tracks.len());
    // Tracks of a kind stand together.
    for group in tracks.chunk_by(|a, b| a.is_video() == b.is_video()) {
        let kind = if group[0].is_video() { "video" } else { "audio" };
        let names: Vec<_> = group.iter().map(|track| track_name(track, group)).collect();
        let names = unique_names(&names)
            .map_err(|SameName { first, second }| same_name(kind, &group[first], &group[second]))?;
        directories.extend(names.iter().map(|name| format!("{kind}/{name}")));
    }
    Ok(directories)
}

fn codec_word_of(track: &TimedTrack<'_>) -> String {
    codec_word(&track.codec_string())
}

/// Codec, channels and objects, no channels for video: what two tracks of one content may differ in.
fn encoding(track: &TimedTrack<'_>) -> (String, u16, Option<u8>) {
    let (channels, objects) = match &track.source.kind {
        SourceKind::Video { .. } => (0, None),
        SourceKind::Audio(audio) => (audio.channels, audio.dolby.and_then(|dolby| dolby.joc_complexity)),
    };
    (codec_word_of(track), channels, objects)
}

/// Whether two inputs are one choice for the viewer, in two encodings.
pub(super) fn is_same_choice(one: &TimedTrack<'_>, other: &TimedTrack<'_>) -> bool {
    labels(one) == labels(other) && encoding(one) != encoding(other)
}

/// What a person said the track is.
fn labels<'a>(track: &TimedTrack<'a>) -> [&'a Option<String>; 3] {
    let InputRequest { language, name, role, .. } = track.input;
    [language, name, role]
}

fn same_name(kind: &str, first: &TimedTrack<'_>, second: &TimedTrack<'_>) -> Error {
    let named = |track: &TimedTrack<'_>| {
        format!("{} (name={})", track.input.path.display(), track.input.name.as_deref().unwrap_or_default())
    };
    Error::usage(
        format!("{} and {} get the same name below {kind}/", named(first), named(second)),
        "give each input a name of its own",
    )
}

/// What the track may be called beside the others of its `group`. A generated name has the codec at its end where several
/// codecs are packaged; a given one where another codec has it too, with the channels where the codec does not tell.
fn track_name(track: &TimedTrack<'_>, group: &[TimedTrack<'_>]) -> TrackName {
    let bit_rate = u64::from(track.bit_rate.average);
    let mut generated = if track.is_video() {
        video_name(u32::from(track.height()), bit_rate)
    } else {
        audio_name(track.input.language.as_deref(), bit_rate)
    };
    let (word, channels, objects) = encoding(track);
    let mut has_other_channels = false;
    let mut has_other_codecs = false;
    for (other_word, other_channels, others) in group.iter().map(encoding) {
        has_other_codecs |= other_word != word;
        has_other_channels |= other_word == word && (other_channels, others) != (channels, objects);
    }
    if has_other_codecs {
        generated += &format!("-{word}");
    }
    // One sound at several bit rates has nothing else to tell it apart. A name alone may stand twice by mistake.
    let same_sound =
        |other: &&TimedTrack<'_>| labels(other) == labels(track) && encoding(other) == encoding(track);
    let encoding =
        if !track.is_video() && track.input.language.is_some() && group.iter().filter(same_sound).count() > 1
        {
            format!("{}k", kilobits(bit_rate))
        } else if has_other_channels {
            format!("{word}-{}", sound_word(channels, objects))
        } else {
            word
        };
    TrackName { given: track.input.name.clone(), generated, encoding }
}
