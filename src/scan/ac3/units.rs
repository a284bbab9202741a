//! Syncframes ► access units of six blocks of each substream (ETSI TS 102 366 E.1.2, F.5, not opened), by what their headers say. The substreams of
//! the first access unit are those of the stream: what changes behind it is an error.

use std::fmt;

use super::{CLAUSE, Configuration, SourceRange};
use crate::codec::ac3::{Ac3Config, BLOCKS, SAMPLES_PER_ACCESS_UNIT, StreamType, Syncframe};
use crate::codec::eac3::{Eac3Config, IndependentSubstream};
use crate::error::{Error, Result};

/// Which substream: the number of the independent one, and of the dependent one of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Id {
    independent: u8,
    dependent: Option<u8>,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dependent {
            Some(dependent) => write!(f, "dependent substream {dependent} of {}", self.independent),
            None => write!(f, "independent substream {}", self.independent),
        }
    }
}

/// A substream of the stream.
#[derive(Clone, Copy, Debug)]
struct Substream {
    id: Id,
    /// Its first syncframe, with `bsmod` of the first that tells it.
    frame: Syncframe,
    /// Where that stood.
    offset: u64,
    /// Blocks in the access unit so far.
    blocks: u8,
}

/// Gathers syncframes.
#[derive(Clone, Debug, Default)]
pub(super) struct UnitBuilder {
    /// At most 72, in the order of the first access unit.
    substreams: Vec<Substream>,
    /// The first access unit is complete.
    all_known: bool,
    /// The stream was cut where a frame of a substream may have stood that is not known yet.
    may_miss_one: bool,
    /// Of the last frame.
    last: Option<Id>,
    /// Of the access unit that is gathered, joined where they touch.
    pending: Vec<SourceRange>,
    pending_frames: u64,
    /// Of the one in front.
    done: Vec<SourceRange>,
    longest_unit: u64,
    config: Option<Ac3Config>,
    joc_complexity: Option<u8>,
}

impl UnitBuilder {
    /// Takes the next syncframe. Returns the ranges of the access unit in front of it where this one begins another.
    pub(super) fn push(&mut self, frame: &Syncframe, range: SourceRange) -> Result<Option<&[SourceRange]>> {
        let at = |error: Error| error.at(range.offset);
        let id = self.id_of(frame).map_err(at)?;
        let first = Id { independent: 0, dependent: None };
        let is_next = id == first && self.substreams.first().is_some_and(|first| first.blocks >= BLOCKS);
        if is_next {
            self.complete()?;
        }
        self.join(id, frame, range.offset).map_err(at)?;
        match self.pending.last_mut() {
            Some(last) if last.end() == range.offset => last.len += range.len,
            _ => self.pending.push(range),
        }
        self.pending_frames += 1;
        self.last = Some(id);
        Ok(is_next.then_some(&self.done))
    }

    /// Ends the stream. Returns the ranges of the last access unit; none where there is no frame.
    pub(super) fn finish(&mut self) -> Result<Vec<SourceRange>> {
        if self.pending.is_empty() {
            return Ok(Vec::new());
        }
        if self.may_miss_one && !self.all_known {
            return Err(self.short(&self.substreams[0]));
        }
        self.complete()?;
        Ok(std::mem::take(&mut self.done))
    }

    /// Gives up the access unit that is not complete: its ranges and number of frames.
    pub(super) fn take_pending(&mut self) -> (Vec<SourceRange>, u64) {
        (std::mem::take(&mut self.pending), std::mem::take(&mut self.pending_frames))
    }

    /// The stream ends in the middle of a frame that may belong to the access unit in front of it.
    pub(super) fn may_miss_a_substream(&mut self) {
        self.may_miss_one = true;
    }

    /// Which substream `frame` is of, in the order that they have to have: 0 with its dependent ones, 1 with its own, and so on;
    /// then the same with the next blocks.
    fn id_of(&self, frame: &Syncframe) -> Result<Id> {
        let number = frame.substream_id;
        let (id, in_order) = match (frame.stream_type, self.last) {
            (StreamType::Dependent, Some(Id { independent, dependent })) => {
                let next = dependent.map_or(0, |before| before + 1);
                (Id { independent, dependent: Some(number) }, number == next)
            }
            (StreamType::Dependent, None) => (Id { independent: 0, dependent: Some(number) }, false),
            (_, last) => {
                let next = last.map_or(0, |last| last.independent + 1);
                (Id { independent: number, dependent: None }, number == 0 || number == next)
            }
        };
        if in_order {
            return Ok(id);
        }
        let what = match self.last {
            Some(last) => format!("{id} stands behind {last}"),
            None => format!("the stream begins with {id}"),
        };
        Err(Error::malformed(
            what,
            "ETSI TS 102 366 E.1.3.1.2",
            "extract the stream again from where independent substream 0 begins",
        ))
    }

    fn join(&mut self, id: Id, frame: &Syncframe, offset: u64) -> Result<()> {
        let Some(known) = self.substreams.iter_mut().find(|known| known.id == id) else {
            if self.all_known {
                let first = self.substreams[0].offset;
                return Err(changed(format!(
                    "{id} comes in, which the access unit at {first:#x} does not have"
                )));
            }
            if let Some(first) =
                self.substreams.first().filter(|first| first.frame.sample_rate != frame.sample_rate)
            {
                let (rate, other) = (first.frame.sample_rate, frame.sample_rate);
                return Err(Error::unsupported(
                    format!("{id} has {other} Hz, {} has {rate} Hz", first.id),
                    "encode the audio again with one sampling rate",
                ));
            }
            let (frame, blocks) = (*frame, frame.blocks);
            self.substreams.push(Substream { id, frame, offset, blocks });
            return self.learn(&frame);
        };
        if !is_alike(&known.frame, frame) {
            let (before, now, first) = (describe(&known.frame), describe(frame), known.offset);
            return Err(changed(format!("{id} changes from {before} (at {first:#x}) to {now}")));
        }
        known.frame.bsmod = known.frame.bsmod.or(frame.bsmod);
        known.blocks += frame.blocks;
        if known.blocks > BLOCKS {
            let (blocks, start) = (known.blocks, self.pending.first().map_or(offset, |range| range.offset));
            let what = format!("{id} has {blocks} blocks in the access unit at {start:#x}, must be {BLOCKS}");
            return Err(Error::malformed(what, CLAUSE, "extract or encode the stream again"));
        }
        self.learn(frame)
    }

    /// What may differ from frame to frame: the highest counts.
    fn learn(&mut self, frame: &Syncframe) -> Result<()> {
        self.joc_complexity = self.joc_complexity.max(frame.joc_complexity);
        if frame.stream_type == StreamType::Ac3 {
            let config = Ac3Config::of(frame)?;
            self.config = Some(self.config.map_or(config, |before| before.with_bit_rate_of(&config)));
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        if let Some(short) = self.substreams.iter().find(|substream| substream.blocks != BLOCKS) {
            return Err(self.short(short));
        }
        self.substreams.iter_mut().for_each(|substream| substream.blocks = 0);
        let len = self.pending.iter().map(|range| u64::from(range.len)).sum();
        self.longest_unit = self.longest_unit.max(len);
        self.all_known = true;
        self.pending_frames = 0;
        self.done.clear();
        std::mem::swap(&mut self.done, &mut self.pending);
        Ok(())
    }

    fn short(&self, Substream { id, blocks, .. }: &Substream) -> Error {
        let what = format!("{id} has {blocks} blocks in the access unit, must be {BLOCKS}");
        let remedy = "extract the stream again; where its end is cut off, drop that with --drop-incomplete";
        Error::malformed(what, CLAUSE, remedy).at(self.pending.first().map_or(0, |range| range.offset))
    }

    /// What the access units so far say; `None` where there is none.
    pub(super) fn configuration(&self) -> Option<Result<Configuration>> {
        if !self.all_known {
            return None;
        }
        if let ([_], Some(config)) = (&self.substreams[..], self.config) {
            return Some(Ok(Configuration::Ac3(config)));
        }
        let mut programmes: Vec<IndependentSubstream> = Vec::new();
        for Substream { id, frame, .. } in &self.substreams {
            // Dependent ones stand behind their independent one, which is there.
            match (id.dependent, programmes.last_mut()) {
                (Some(_), Some(programme)) => {
                    programme.dependents += 1;
                    programme.dependent_map |= frame.channel_map;
                }
                _ => programmes.push(IndependentSubstream::of(frame)),
            }
        }
        // To nearest. Frames of one substream are up to 6.144 Mbit/s, and many of them do not fit the field.
        let rate = u64::from(programmes[0].sample_rate);
        let per_kilobit = u64::from(SAMPLES_PER_ACCESS_UNIT) * 1000;
        let data_rate = (self.longest_unit * 8 * rate + per_kilobit / 2) / per_kilobit;
        let data_rate = u16::try_from(data_rate).unwrap_or(u16::MAX).min(0x1fff);
        Some(Eac3Config::new(data_rate, programmes, self.joc_complexity).map(Configuration::Eac3))
    }
}

/// Whether frames are of one substream: `bsmod` need not be told in both.
fn is_alike(one: &Syncframe, other: &Syncframe) -> bool {
    let of = |frame: &Syncframe| {
        let Syncframe { stream_type, fscod, sample_rate, bsid, acmod, lfeon, channel_map, .. } = *frame;
        (stream_type, fscod, sample_rate, bsid, acmod, lfeon, channel_map)
    };
    of(one) == of(other) && (one.bsmod == other.bsmod || one.bsmod.is_none() || other.bsmod.is_none())
}

fn describe(frame: &Syncframe) -> String {
    let Syncframe { sample_rate, acmod, bsid, channel_map, .. } = *frame;
    let codec = if frame.stream_type == StreamType::Ac3 { "AC-3" } else { "E-AC-3" };
    let (lfe, bsmod) = (u8::from(frame.lfeon), frame.bsmod.unwrap_or(0));
    format!(
        "{codec}, {sample_rate} Hz, acmod {acmod}, lfeon {lfe}, channels {channel_map:04X}, bsid {bsid}, bsmod {bsmod}"
    )
}

fn changed(what: String) -> Error {
    Error::unsupported(what, "split the file there, or encode the audio again as one stream")
}
