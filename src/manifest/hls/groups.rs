//! Audio tracks ► the groups of EXT-X-MEDIA, one of which each variant names.
//!
//! What a viewer chooses from is a choice: tracks of one language, name and role, however they are encoded. A group holds
//! each choice once, in one encoding (codec string and channels) as far as it is there, so that a client takes the variants
//! whose group it can play. All groups have the same members with the same attributes but for URI and CHANNELS, as RFC 8216
//! 4.3.4.1.1 and 8216bis 4.4.6.1.1 demand: a choice that lacks an encoding stands in that group with another that it has,
//! and CODECS of the variants lists both. hls.js up to 1.4 at least plays no group of two codecs (its issue 5378), which is
//! why encodings are not simply members of one group.

use std::collections::HashSet;
use std::fmt::Write;

use super::{MEDIA_PLAYLIST, line, quoted, yes_no};
use crate::error::{Error, Result};
use crate::presentation::names::codec_word;
use crate::presentation::{DESCRIPTION, Media, PackagedTrack};

/// GROUP-ID where there is one group; what those of several start with.
const AUDIO_GROUP: &str = "audio";

/// All audio of a presentation.
pub(super) struct Groups<'a> {
    choices: Vec<Choice<'a>>,
    /// Index of the choice that is DEFAULT=YES.
    default: Option<usize>,
    /// Those of AAC first, which every client plays; otherwise as their first tracks stand.
    pub groups: Vec<Group<'a>>,
}

/// One group.
pub(super) struct Group<'a> {
    /// GROUP-ID.
    pub id: String,
    /// A track for each choice.
    pub tracks: Vec<&'a PackagedTrack>,
}

/// One thing to choose, with its track in each encoding that it has.
struct Choice<'a> {
    encodings: Vec<Option<&'a PackagedTrack>>,
    first: &'a PackagedTrack,
}

impl<'a> Groups<'a> {
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when two choices are the default, or a description is.
    pub fn new(audio: &'a [PackagedTrack]) -> Result<Self> {
        let mut encodings: Vec<_> = Vec::new();
        for track in audio {
            if !encodings.contains(&encoding(track)) {
                encodings.push(encoding(track));
            }
        }
        encodings.sort_by_key(|(codec, _)| codec_word(codec) != "aac");
        let choices = choices(audio, &encodings);
        let default = default_of(&choices)?;
        let mut groups: Vec<Group<'_>> = Vec::new();
        for index in 0..encodings.len() {
            let tracks: Vec<_> = choices.iter().map(|choice| choice.track(index)).collect();
            let directories = |tracks: &[&PackagedTrack]| {
                tracks.iter().map(|t| t.directory().to_owned()).collect::<Vec<_>>()
            };
            // Choices that have one encoding each make the same group of every encoding.
            if !groups.iter().any(|group| directories(&group.tracks) == directories(&tracks)) {
                groups.push(Group { id: group_id(&encodings, index), tracks });
            }
        }
        if let [group] = &mut groups[..] {
            group.id = AUDIO_GROUP.to_owned();
        }
        Ok(Self { choices, default, groups })
    }

    /// The member of `group` that plays when nobody has chosen, the first where none is the default.
    pub fn default_track(&self, group: &Group<'a>) -> &'a PackagedTrack {
        group.tracks[self.default.unwrap_or(0)]
    }

    /// EXT-X-MEDIA for each member of each group, in order (8216bis 4.4.6.1). Members with AUTOSELECT=YES must be told apart
    /// by language and characteristics (4.4.6.1.1): the default is YES, and of the others each that no YES before it equals.
    pub fn write(&self, text: &mut String) -> Result<()> {
        let selector =
            |track: &PackagedTrack| (track.language().map(str::to_ascii_lowercase), characteristics(track));
        let default = self.default.map(|index| selector(self.choices[index].first));
        let mut selectors: HashSet<_> = default.into_iter().collect();
        let mut names = HashSet::new();
        let mut members = Vec::with_capacity(self.choices.len());
        for (index, Choice { first, .. }) in self.choices.iter().enumerate() {
            let is_default = self.default == Some(index);
            let autoselect = is_default || selectors.insert(selector(first));
            let mut attributes = String::new();
            if let Some(language) = first.language() {
                attribute(&mut attributes, "LANGUAGE", &quoted("language", language)?);
            }
            attribute(&mut attributes, "NAME", &quoted("name", &unique_name(first, &mut names))?);
            attribute(&mut attributes, "DEFAULT", yes_no(is_default));
            attribute(&mut attributes, "AUTOSELECT", yes_no(autoselect));
            if let Some(characteristics) = characteristics(first) {
                attribute(&mut attributes, "CHARACTERISTICS", &format!("\"{characteristics}\""));
            }
            members.push(attributes);
        }
        for group in &self.groups {
            for (track, common) in group.tracks.iter().zip(&members) {
                let mut attributes = format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{}\"{common}", group.id);
                if let Media::Audio { channels, .. } = track.media() {
                    attribute(&mut attributes, "CHANNELS", &format!("\"{channels}\""));
                }
                attribute(&mut attributes, "URI", &format!("\"{}/{MEDIA_PLAYLIST}\"", track.directory()));
                line(text, format_args!("{attributes}"));
            }
        }
        Ok(())
    }
}

impl<'a> Choice<'a> {
    /// The track in this encoding, else in the first that there is.
    fn track(&self, encoding: usize) -> &'a PackagedTrack {
        self.encodings[encoding].or(self.encodings.iter().flatten().next().copied()).unwrap_or(self.first)
    }
}

fn attribute(attributes: &mut String, name: &str, value: &str) {
    write!(attributes, ",{name}={value}").expect("writing to a string does not fail");
}

fn encoding(track: &PackagedTrack) -> (&str, u16) {
    let channels = match *track.media() {
        Media::Audio { channels, .. } => channels,
        Media::Video { .. } => 0,
    };
    (track.codec(), channels)
}

/// The choices in the order of their first tracks. A track whose like is there in the same encoding is another choice.
fn choices<'a>(audio: &'a [PackagedTrack], encodings: &[(&str, u16)]) -> Vec<Choice<'a>> {
    let labels = |track: &'a PackagedTrack| {
        (track.language().map(str::to_ascii_lowercase), track.name(), track.role())
    };
    let mut choices: Vec<Choice<'_>> = Vec::new();
    for track in audio {
        let index = encodings.iter().position(|&other| other == encoding(track)).unwrap_or(0);
        let lacks = |choice: &&mut Choice<'a>| {
            labels(choice.first) == labels(track) && choice.encodings[index].is_none()
        };
        if let Some(choice) = choices.iter_mut().find(lacks) {
            choice.encodings[index] = Some(track);
            continue;
        }
        let mut of_choice = vec![None; encodings.len()];
        of_choice[index] = Some(track);
        choices.push(Choice { encodings: of_choice, first: track });
    }
    choices
}

/// The one choice that is DEFAULT=YES: what was said to be, else what is there for everybody who chose nothing: a main
/// role, else no role, else any but a description or commentary, the first of each. None where there is only that.
fn default_of(choices: &[Choice<'_>]) -> Result<Option<usize>> {
    let asked_for = |choice: &Choice<'_>| choice.encodings.iter().flatten().any(|track| track.is_default());
    let mut chosen = choices.iter().enumerate().filter(|(_, choice)| asked_for(choice));
    if let Some((index, choice)) = chosen.next() {
        let first = choice.first.directory();
        if let Some((_, second)) = chosen.next() {
            return Err(Error::conflict(
                format!("both {first} and {} are the default audio", second.first.directory()),
                "make one of them the default",
            ));
        }
        if choice.first.role() == Some(DESCRIPTION) {
            return Err(Error::conflict(
                format!("{first} is a description and the default audio"),
                "make the audio without description the default, or none",
            ));
        }
        return Ok(Some(index));
    }
    let rank = |choice: &Choice<'_>| match choice.first.role() {
        Some("main") => Some(0),
        None => Some(1),
        Some(DESCRIPTION | "commentary") => None,
        Some(_) => Some(2),
    };
    let ranked = choices.iter().enumerate().filter_map(|(index, choice)| Some((rank(choice)?, index)));
    Ok(ranked.min().map(|(_, index)| index))
}

/// `audio-aac`, with the channels where another encoding has the same word, and numbered where that is not enough.
fn group_id(encodings: &[(&str, u16)], index: usize) -> String {
    let (codec, channels) = encodings[index];
    let word = codec_word(codec);
    let alike = |&&(other, _): &&(&str, u16)| codec_word(other) == word;
    if encodings.iter().filter(alike).count() == 1 {
        return format!("{AUDIO_GROUP}-{word}");
    }
    let before = encodings[..index].iter().filter(alike).filter(|&&(_, other)| other == channels).count();
    let number = if before == 0 { String::new() } else { format!("-{}", before + 1) };
    format!("{AUDIO_GROUP}-{word}-{channels}ch{number}")
}

/// The role that HLS has a word for (8216bis 4.4.6.1, CHARACTERISTICS).
fn characteristics(track: &PackagedTrack) -> Option<&'static str> {
    (track.role() == Some(DESCRIPTION)).then_some("public.accessibility.describes-video")
}

/// NAME: what a person gave, else the language, else the last part of the directory; numbered where it is taken, since
/// names within a group must differ (8216bis 4.4.6.1.1).
fn unique_name(track: &PackagedTrack, taken: &mut HashSet<String>) -> String {
    let directory = track.directory();
    let last = directory.rsplit('/').next().unwrap_or(directory);
    let base = track.name().or(track.language()).unwrap_or(last);
    std::iter::once(base.to_owned())
        .chain((2u64..).map(|n| format!("{base} ({n})")))
        .find(|name| taken.insert(name.clone()))
        .expect("one of endless numbers is free")
}
