//! Colour and high dynamic range as the caller says them, in the place of what the bitstream says: the sample entry, manifests and
//! brands have what the caller said, the bitstream stays as it is. What contradicts it is told;
//! AV1 lets nothing contradict its sequence header.

use super::InputRequest;
use super::report::Notice;
use super::timing::TimedTrack;
use crate::codec::VideoFormat;
use crate::codec::colour_text::{code_points, colour_volume, light_levels};
use crate::error::{Error, Result};

impl InputRequest {
    /// What its pictures are like that are so by their bitstream.
    pub(super) fn picture_format(&self, format: VideoFormat) -> VideoFormat {
        let preferred_transfer = if self.colour.is_some() { None } else { format.preferred_transfer };
        VideoFormat {
            colour: self.colour.or(format.colour),
            mastering_display: self.mastering_display.or(format.mastering_display),
            content_light: self.content_light.or(format.content_light),
            preferred_transfer,
            ..format
        }
    }
}

/// Refuses settings of pictures at sound.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage), which names the setting.
pub(super) fn check(track: &TimedTrack<'_>) -> Result<()> {
    let input = track.input;
    let given = [
        ("timecodes=", input.timecodes.is_some()),
        ("colour=", input.colour.is_some()),
        ("mastering-display=", input.mastering_display.is_some()),
        ("content-light=", input.content_light.is_some()),
    ];
    match given.into_iter().find(|&(_, given)| given && !track.is_video()) {
        None => Ok(()),
        Some((key, _)) => {
            let what = format!("{key} stands at audio");
            Err(Error::usage(what, "set it at video, or leave it out").in_file(&input.path))
        }
    }
}

/// Tells where the caller says something else than the bitstream.
///
/// # Errors
/// Where the codec does not let a sample entry do so.
pub(super) fn tell_contradictions(tracks: &[TimedTrack<'_>], notices: &mut Vec<Notice>) -> Result<()> {
    for track in tracks {
        let (Some(configuration), input) = (track.source.kind.video(), track.input) else { continue };
        if let Some(colour) = input.colour {
            configuration.check_colour(colour).map_err(|error| error.in_file(&input.path))?;
        }
        let said = configuration.coded_format();
        let told = [
            contradiction("colour", input.colour, said.colour, code_points),
            input.colour.zip(said.preferred_transfer).and_then(|(colour, preferred)| {
                let differs = colour.transfer != preferred;
                differs.then(|| {
                    let transfer = colour.transfer;
                    format!("the transfer given, {transfer}, is used; SEI messages of the stream prefer {preferred}, and stay")
                })
            }),
            contradiction(
                "mastering display",
                input.mastering_display,
                said.mastering_display,
                |display| colour_volume(&display),
            ),
            contradiction("content light level", input.content_light, said.content_light, light_levels),
        ];
        notices.extend(told.into_iter().flatten().map(|message| Notice::about(&input.path, message)));
    }
    Ok(())
}

fn contradiction<T: Copy + PartialEq>(
    what: &str,
    given: Option<T>,
    said: Option<T>,
    text: impl Fn(T) -> String,
) -> Option<String> {
    let (given, said) = given.zip(said).filter(|(given, said)| given != said)?;
    let (given, said) = (text(given), text(said));
    Some(format!("the {what} given, {given}, is used; the stream says {said}, which stays in it"))
}
