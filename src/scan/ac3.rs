//! Stream of AC-3 or E-AC-3 syncframes ► access units (ETSI TS 102 366 4.2, E.1.2, F.5): where each lies, and the one configuration of
//! the stream. Pure; the driver is [`crate::io::windows::ac3::read_ac3`].
//!
//! TS 102 366 was not opened: what is a unit, and what stands in which order, is as FFmpeg, L-SMASH, Shaka Packager and GPAC have it.
//!
//! A syncframe of AC-3 is an access unit. One of E-AC-3 has six blocks of each substream: syncframes with fewer blocks are gathered,
//! and dependent substreams and further programmes stand in the same one. Syncframes are samples as they are, header and CRC
//! included. CRCs are not checked: a damaged frame is carried on. ID3 tags may stand around frames. Anything else is an error: there
//! is no search for the next syncword, since what it would skip is lost.

mod units;

use std::fmt;

use super::adts::{check_tag, tag_len};
use super::{Count, ElementaryFormat, SourceRange};
use crate::codec::AudioConfiguration;
use crate::codec::ac3::{Ac3Config, HEADER_LEN, SIZE_LEN, Syncframe};
use crate::codec::eac3::Eac3Config;
use crate::error::{Error, Result};

use units::UnitBuilder;

/// Bytes that are enough to tell what stands at a place: the header of a syncframe or of an ID3 tag.
pub(crate) const UNIT_HEAD_LEN: usize = HEADER_LEN;

pub(super) const CLAUSE: &str = "ETSI TS 102 366 4.2";

/// What a stream is, as its headers tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// AC-3.
    Ac3(Ac3Config),
    /// E-AC-3, or AC-3 with dependent substreams of E-AC-3.
    Eac3(Eac3Config),
}

impl Configuration {
    /// Samples per second and channel.
    pub fn sample_rate(&self) -> u32 {
        match self {
            Self::Ac3(config) => config.sample_rate(),
            Self::Eac3(config) => config.sample_rate(),
        }
    }

    /// What is said of a track of it.
    pub fn configuration(&self) -> AudioConfiguration {
        match self {
            Self::Ac3(config) => config.configuration(),
            Self::Eac3(config) => config.configuration(),
        }
    }

    /// Whether it also describes access units that say `other`: all is the same, but for bit rates and for how many objects there
    /// are, which may be fewer.
    pub fn describes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ac3(own), Self::Ac3(other)) => own.describes(other),
            (Self::Eac3(own), Self::Eac3(other)) => own.describes(other),
            _ => false,
        }
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ac3(config) => config.fmt(f),
            Self::Eac3(config) => config.fmt(f),
        }
    }
}

/// What a stream consisted of. Access units, tags and incomplete frames add up to the length of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ac3Report {
    /// The configuration of the whole stream, with its highest bit rate.
    pub config: Configuration,
    /// Access units, and their bytes.
    pub access_units: Count,
    /// Syncframes in them.
    pub syncframes: u64,
    /// ID3 tags, left out.
    pub id3_tags: Count,
    /// The incomplete last access unit, left out; at most one.
    pub incomplete_frames: Count,
}

/// Steps through a stream from one syncframe or tag to the next.
#[derive(Debug)]
pub(crate) struct SyncframeWalk {
    drop_incomplete: bool,
    units: UnitBuilder,
    access_units: Count,
    syncframes: u64,
    id3_tags: Count,
    incomplete_frames: Count,
}

impl SyncframeWalk {
    pub(crate) fn new(drop_incomplete: bool) -> Self {
        Self {
            drop_incomplete,
            units: UnitBuilder::default(),
            access_units: Count::default(),
            syncframes: 0,
            id3_tags: Count::default(),
            incomplete_frames: Count::default(),
        }
    }

    /// Reads what stands at `offset` of a source of `source_len` bytes: `bytes` are those from there on, [`UNIT_HEAD_LEN`] or up
    /// to the end of the source. Returns where the next one stands, and the access unit in front of `offset`, if it turns out to
    /// end there.
    pub(crate) fn step(
        &mut self,
        offset: u64,
        source_len: u64,
        bytes: &[u8],
    ) -> Result<(u64, Option<&[SourceRange]>)> {
        let left = source_len - offset;
        if let Some(len) = tag_len(bytes, left) {
            check_tag(len, left).map_err(|error| error.at(offset))?;
            self.id3_tags.add(len);
            return Ok((offset + len, None));
        }
        let size = match Syncframe::read_size(bytes).map_err(|error| error.shift(offset))? {
            Some(size) => u64::from(size),
            None if left < SIZE_LEN as u64 && is_syncword(bytes) => {
                let what =
                    format!("the last syncframe has only {left} of the {SIZE_LEN} bytes of its header");
                return self.incomplete(offset, left, what, false);
            }
            None => return Err(self.not_a_frame(offset, bytes)),
        };
        if size > left {
            let what = format!("the last syncframe has only {left} of its {size} bytes");
            // Of what it is the start shows in its first bytes, which are there.
            let next_unit = match bytes {
                [_, _, b2, _, _, b5, ..] => b5 >> 3 <= 10 || b2 & 0xc0 != 0x40 && b2 & 0x38 == 0,
                _ => false,
            };
            return self.incomplete(offset, left, what, next_unit);
        }
        let frame = Syncframe::read(bytes).map_err(|error| error.shift(offset))?;
        self.syncframes += 1;
        // Sizes are up to 4096.
        let done = self.units.push(&frame, SourceRange { offset, len: size as u32 })?;
        if let Some(unit) = done {
            self.access_units.add(len_of(unit));
        }
        Ok((offset + size, done))
    }

    /// Ends the stream: its last access unit, if one is left, and the report.
    pub(crate) fn finish(mut self) -> Result<(Vec<SourceRange>, Ac3Report)> {
        let (mut unit, mut left_frames) = (Vec::new(), 0);
        let is_cut = self.incomplete_frames.units > 0;
        match self.units.finish() {
            Ok(last) => unit = last,
            Err(_) if is_cut || self.drop_incomplete => {
                let (ranges, frames) = self.units.take_pending();
                self.incomplete_frames.bytes += len_of(&ranges);
                self.incomplete_frames.units = 1;
                left_frames = frames;
            }
            Err(error) => return Err(error),
        }
        if !unit.is_empty() {
            self.access_units.add(len_of(&unit));
        }
        let Some(config) = self.units.configuration().transpose()?.filter(|_| self.access_units.units > 0)
        else {
            return Err(Error::malformed(
                "the stream has no complete access unit",
                CLAUSE,
                "give a stream of AC-3 or E-AC-3 with audio",
            )
            .at(0));
        };
        let report = Ac3Report {
            config,
            access_units: self.access_units,
            syncframes: self.syncframes - left_frames,
            id3_tags: self.id3_tags,
            incomplete_frames: self.incomplete_frames,
        };
        Ok((unit, report))
    }

    /// The last `left` bytes are the beginning of a syncframe; `next_unit`: they are known to be of an access unit behind all
    /// that is gathered.
    fn incomplete(
        &mut self,
        offset: u64,
        left: u64,
        what: String,
        next_unit: bool,
    ) -> Result<(u64, Option<&[SourceRange]>)> {
        if !self.drop_incomplete {
            let remedy = "copy the file again, or drop the incomplete frame with --drop-incomplete";
            return Err(Error::malformed(what, CLAUSE, remedy).at(offset));
        }
        self.incomplete_frames.add(left);
        if !next_unit {
            self.units.may_miss_a_substream();
        }
        Ok((offset + left, None))
    }

    fn not_a_frame(&self, offset: u64, bytes: &[u8]) -> Error {
        let mut found = String::new();
        for byte in bytes.iter().take(4) {
            found.push_str(&format!(" {byte:02x}"));
        }
        if bytes.starts_with(&[0x77, 0x0b]) {
            return swapped().at(offset);
        }
        let (what, remedy) = match self.syncframes {
            0 => (
                format!("no syncword of AC-3 (0b 77) at the start of the audio, but{found}"),
                "give a stream of AC-3 or E-AC-3; from MP4: ffmpeg -i in.mp4 -vn -c copy out.ac3 (or .eac3)"
                    .into(),
            ),
            n => (
                format!("no syncword of AC-3 (0b 77) behind syncframe {n}, but{found}"),
                format!("extract the stream again, or keep the audio up to there with head -c {offset}"),
            ),
        };
        Error::malformed(what, "ETSI TS 102 366 4.3.1", remedy).at(offset)
    }
}

fn len_of(unit: &[SourceRange]) -> u64 {
    unit.iter().map(|range| u64::from(range.len)).sum()
}

/// Whether `bytes`, as far as they go, begin with the syncword.
fn is_syncword(bytes: &[u8]) -> bool {
    [0x0b, 0x77].iter().zip(bytes).all(|(own, byte)| own == byte)
}

/// The words of a stream stand the other way round.
fn swapped() -> Error {
    Error::unsupported(
        "AC-3 in little-endian words (its syncword is 77 0b)",
        "swap the bytes first: dd conv=swab if=FILE of=FILE.ac3",
    )
}

/// What `packet` says, which is one access unit: its syncframes one behind the other, and nothing else.
///
/// # Errors
/// Where it is anything else, with the offset in it.
pub fn read_access_unit(packet: &[u8]) -> Result<Configuration> {
    let mut units = UnitBuilder::default();
    let mut offset = 0;
    while offset < packet.len() {
        let place = offset as u64;
        let bytes = &packet[offset..];
        let size = Syncframe::read_size(bytes).map_err(|error| error.shift(place))?;
        let size = size.map_or(0, usize::from);
        if size > bytes.len() {
            let what = format!("the syncframe has only {} of its {size} bytes", bytes.len());
            return Err(Error::malformed(what, CLAUSE, "push whole syncframes").at(place));
        }
        let frame = Syncframe::read(bytes).map_err(|error| error.shift(place))?;
        if units.push(&frame, SourceRange { offset: place, len: size as u32 })?.is_some() {
            return Err(Error::conflict(
                "the packet has more than one access unit",
                "push one access unit a packet: six blocks of each substream",
            )
            .at(place));
        }
        offset += size;
    }
    units.finish()?;
    units.configuration().unwrap_or_else(|| {
        Err(Error::conflict("the packet is empty", "push one access unit a packet, or nothing").at(0))
    })
}

/// Tells whether `bytes` begin a stream of AC-3 or E-AC-3: a syncframe, and behind it another, a tag, or the end of what there is.
///
/// # Errors
/// For a stream of little-endian words, and for a syncframe that cannot be read with another behind it.
pub(super) fn detect(bytes: &[u8]) -> Result<Option<ElementaryFormat>> {
    if bytes.starts_with(&[0x77, 0x0b]) && bytes.get(4).is_some_and(|bsid| bsid >> 3 <= 16) {
        return Err(swapped());
    }
    if !bytes.starts_with(&[0x0b, 0x77]) {
        return Ok(None);
    }
    let Some(size) = Syncframe::read_size(bytes)? else { return Ok(None) };
    let next = bytes.get(usize::from(size)..).unwrap_or_default();
    if !is_syncword(next) && tag_len(next, next.len() as u64).is_none() {
        return Ok(None);
    }
    let is_enhanced = |frame: &[u8]| frame.get(5).is_some_and(|byte| byte >> 3 > 10);
    // AC-3 may be the independent substream of E-AC-3, whose dependent one is then behind it.
    let is_dependent = next.get(2).is_some_and(|byte| byte >> 6 == 1) && is_enhanced(next);
    Ok(Some(if is_enhanced(bytes) || is_dependent { ElementaryFormat::Eac3 } else { ElementaryFormat::Ac3 }))
}

#[cfg(any(test, fuzzing))]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
