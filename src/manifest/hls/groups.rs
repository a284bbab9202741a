//! Audio tracks ► the groups of EXT-X-MEDIA, one of which each variant names.
//!
//! A group holds each choice ([`Presentation::audio_choices`]) once, in one encoding as far as it has that, so that a client
//! takes the variants whose group it can play. All groups have the same members with the same attributes but for URI and CHANNELS, as RFC 8216
//! 4.3.4.1.1 and 8216bis 4.4.6.1.1 demand: a choice that lacks an encoding stands in that group with another that it has,
//! and CODECS of the variants lists both. hls.js up to 1.4 at least plays no group of two codecs (its issue 5378), which is
//! why encodings are not simply members of one group.

use std::collections::HashSet;
use std::fmt::Write;

use super::{MEDIA_PLAYLIST, line, quoted, yes_no};
use crate::error::Result;
use crate::presentation::names::{codec_word, sound_word};
use crate::presentation::{DESCRIPTION, Encoding, Media, PackagedTrack, Presentation, encoding};

/// GROUP-ID where there is one group; what those of several start with.
const AUDIO_GROUP: &str = "audio";

/// All audio of a presentation; nothing where that is a ladder.
pub(super) struct Groups<'a> {
    choices: Vec<Vec<&'a PackagedTrack>>,
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

impl<'a> Groups<'a> {
    /// # Errors
    /// Those of [`Presentation::default_audio`].
    pub fn new(presentation: &'a Presentation) -> Result<Self> {
        if presentation.is_audio_ladder() {
            return Ok(Self { choices: Vec::new(), default: None, groups: Vec::new() });
        }
        let choices = presentation.audio_choices();
        let mut encodings: Vec<_> = Vec::new();
        for track in presentation.audio() {
            if !encodings.contains(&encoding(track)) {
                encodings.push(encoding(track));
            }
        }
        encodings.sort_by_key(|(codec, ..)| codec_word(codec) != "aac");
        let mut groups: Vec<Group<'_>> = Vec::new();
        for index in 0..encodings.len() {
            // A choice without this encoding takes part with the first of all that it has.
            let wanted = || encodings[index..=index].iter().chain(&encodings);
            let of_choice = |choice: &Vec<&'a PackagedTrack>| {
                wanted().find_map(|wanted| choice.iter().find(|track| encoding(track) == *wanted).copied())
            };
            let tracks: Vec<_> = choices.iter().filter_map(of_choice).collect();
            let is_same = |group: &Group<'_>| {
                group.tracks.iter().map(|t| t.directory()).eq(tracks.iter().map(|t| t.directory()))
            };
            // Choices that have one encoding each make the same group of every encoding.
            if !groups.iter().any(is_same) {
                groups.push(Group { id: group_id(&encodings, index), tracks });
            }
        }
        if let [group] = &mut groups[..] {
            group.id = AUDIO_GROUP.to_owned();
        }
        Ok(Self { default: presentation.default_audio()?, choices, groups })
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
        let default = self.default.map(|index| selector(self.choices[index][0]));
        let mut selectors: HashSet<_> = default.into_iter().collect();
        let mut names = HashSet::new();
        let mut members = Vec::with_capacity(self.choices.len());
        for (index, first) in self.choices.iter().map(|choice| choice[0]).enumerate() {
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
                if let Media::Audio { .. } = track.media() {
                    attribute(&mut attributes, "CHANNELS", &format!("\"{}\"", channels(track)));
                }
                attribute(&mut attributes, "URI", &format!("\"{}/{MEDIA_PLAYLIST}\"", track.directory()));
                line(text, format_args!("{attributes}"));
            }
        }
        Ok(())
    }
}

fn attribute(attributes: &mut String, name: &str, value: &str) {
    write!(attributes, ",{name}={value}").expect("writing to a string does not fail");
}

/// CHANNELS: their number, or that of the objects with the word for joint object coding (8216bis 4.4.6.1; Apple's authoring
/// specification has `16/JOC` for sixteen).
fn channels(track: &PackagedTrack) -> String {
    match encoding(track) {
        (_, _, Some(objects)) => format!("{objects}/JOC"),
        (_, channels, None) => channels.to_string(),
    }
}

/// `audio-aac`, with the channels where another encoding has the same word, and numbered where that is not enough.
fn group_id(encodings: &[Encoding<'_>], index: usize) -> String {
    let (codec, channels, objects) = encodings[index];
    let word = codec_word(codec);
    let alike = |&&(other, ..): &&Encoding<'_>| codec_word(other) == word;
    if encodings.iter().filter(alike).count() == 1 {
        return format!("{AUDIO_GROUP}-{word}");
    }
    let is_same = |&&(_, other, others): &&Encoding<'_>| (other, others) == (channels, objects);
    let before = encodings[..index].iter().filter(alike).filter(is_same).count();
    let number = if before == 0 { String::new() } else { format!("-{}", before + 1) };
    format!("{AUDIO_GROUP}-{word}-{}{number}", sound_word(channels, objects))
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
