//! Audio tracks ► what a viewer chooses from. A choice is the tracks of one language, name and role, each in another
//! encoding: codec string, channels, objects.

use super::{DESCRIPTION, Media, PackagedTrack, Presentation};
use crate::error::{Error, Result};

/// How a track is encoded: codec string, channels, and objects where E-AC-3 has some; no channels for video.
pub(crate) type Encoding<'a> = (&'a str, u16, Option<u8>);

/// How `track` is encoded.
pub(crate) fn encoding(track: &PackagedTrack) -> Encoding<'_> {
    let channels = match *track.media() {
        Media::Audio { channels, .. } => channels,
        Media::Video { .. } => 0,
    };
    let dolby = track.audio_configuration().and_then(|audio| audio.dolby);
    (track.codec(), channels, dolby.and_then(|dolby| dolby.joc_complexity))
}

impl Presentation {
    /// The audio in choices, each of its tracks in another encoding; both in the order given. A track whose like is there in
    /// the same encoding is another choice.
    pub fn audio_choices(&self) -> Vec<Vec<&PackagedTrack>> {
        let mut choices: Vec<Vec<&PackagedTrack>> = Vec::new();
        for track in &self.audio {
            let lacks = |choice: &&mut Vec<&PackagedTrack>| {
                choice[0].labels() == track.labels()
                    && choice.iter().all(|other| encoding(other) != encoding(track))
            };
            match choices.iter_mut().find(lacks) {
                Some(choice) => choice.push(track),
                None => choices.push(vec![track]),
            }
        }
        choices
    }

    /// The one of [`Presentation::audio_choices`] that plays when nobody has chosen: what was said to be, else what is
    /// meant for everybody: a main role, else no role, else any but a description or commentary, the first of each. `None`
    /// where there is only that, or no audio.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when two choices were said to be the default, or a description was,
    /// which everybody would hear who chose nothing.
    pub fn default_audio(&self) -> Result<Option<usize>> {
        let choices = self.audio_choices();
        let asked_for = |choice: &[&PackagedTrack]| choice.iter().any(|track| track.is_default());
        let mut chosen = choices.iter().enumerate().filter(|(_, choice)| asked_for(choice));
        if let Some((index, choice)) = chosen.next() {
            let first = choice[0].directory();
            if let Some((_, second)) = chosen.next() {
                return Err(Error::conflict(
                    format!("both {first} and {} are the default audio", second[0].directory()),
                    "make one of them the default",
                ));
            }
            if choice[0].role() == Some(DESCRIPTION) {
                return Err(Error::conflict(
                    format!("{first} is a description and the default audio"),
                    "make the audio without description the default, or none",
                ));
            }
            return Ok(Some(index));
        }
        let rank = |choice: &[&PackagedTrack]| match choice[0].role() {
            Some("main") => Some(0),
            None => Some(1),
            Some(DESCRIPTION | "commentary") => None,
            Some(_) => Some(2),
        };
        let ranked = choices.iter().enumerate().filter_map(|(index, choice)| Some((rank(choice)?, index)));
        Ok(ranked.min().map(|(_, index)| index))
    }
}
