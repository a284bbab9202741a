//! H.264 and H.265: a packet holds whole access units in Annex B form, or units that wait for the next picture.
//!
//! The access units are those of [`AccessUnitBuilder`], over a stream that is all packets one behind the other. What a
//! packet leaves waiting is kept, since the packet is the caller's and goes.

use super::{Parsed, ParsedSample};
use crate::codec::{ParameterSetPlacement, PictureOrder, RandomAccess, VideoConfiguration};
use crate::error::{Error, Result};
use crate::scan::access_units::{AccessUnit, AccessUnitBuilder, Change, NalCodec, ParameterSetStore};
use crate::scan::annexb::{LONG_START_CODE_LEN, NalUnits};
use crate::scan::{Dropped, NalUnit, SourceRange};
use crate::track::{Framing, SampleFlags};

const PREFIX_LEN: u64 = Framing::LengthPrefixed.prefix_len() as u64;

#[derive(Clone, Debug)]
pub(in crate::segmenter) struct NalPackets<C: NalCodec> {
    builder: AccessUnitBuilder<C>,
    /// Bytes of the packets before, and of the parameter sets known in advance.
    position: u64,
    /// Units that wait for a picture, with their place in the stream.
    held: Vec<(SourceRange, Vec<u8>)>,
    /// Zero bytes around NAL units; the builder counts the rest.
    dropped: Dropped,
}

impl<C: NalCodec> NalPackets<C> {
    /// `published` are the sets of an init segment that is written already, which may not grow.
    pub(super) fn new(
        placement: ParameterSetPlacement,
        known: &[Vec<u8>],
        published: Option<&[Vec<u8>]>,
        drop_leading: bool,
    ) -> Result<Self> {
        let mut sets = C::Sets::new(placement);
        let mut position = 0;
        let mut insert = |sets: &mut C::Sets, set: &[u8]| {
            sets.insert(set, position)?;
            position += set.len() as u64;
            Ok::<_, Error>(())
        };
        if let Some(published) = published {
            published.iter().try_for_each(|set| insert(&mut sets, set))?;
            sets.close();
        }
        known.iter().try_for_each(|set| insert(&mut sets, set))?;
        let builder = AccessUnitBuilder::with_parameter_sets(drop_leading, sets);
        Ok(Self { builder, position, held: Vec::new(), dropped: Dropped::default() })
    }

    pub(super) fn read(&mut self, packet: &[u8], parsed: &mut Parsed) -> Result<()> {
        let base = self.position;
        if packet.is_empty() {
            return Err(super::empty("one access unit or more").at(base));
        }
        self.builder.start_packet();
        let mut end = 0;
        for unit in NalUnits::new(packet).map_err(|error| error.shift(base))? {
            let unit = unit.map_err(|error| error.shift(base))?;
            // Of the zeros in front, one may belong to the start code.
            self.count_zeros((unit.offset - end).saturating_sub(LONG_START_CODE_LEN));
            end = unit.offset + u64::from(unit.len);
            let given = self.builder.push(NalUnit { offset: base + unit.offset, ..unit })?;
            if let Some(facts) = given.map(Facts::of) {
                self.write_sample(facts, parsed);
            }
        }
        self.count_zeros(packet.len() as u64 - end);
        if let Some(facts) = self.builder.end_packet().map(Facts::of) {
            self.write_sample(facts, parsed);
        }
        self.write_joined(parsed);
        self.keep_held(packet);
        self.position = base + packet.len() as u64;
        Ok(())
    }

    fn count_zeros(&mut self, zeros: u64) {
        if zeros > 0 {
            self.dropped.zero_bytes.add(zeros);
        }
    }

    /// Writes the access unit that the builder has just given out.
    fn write_sample(&self, facts: Facts, parsed: &mut Parsed) {
        self.write_joined(parsed);
        let start = parsed.list.len();
        for &unit in self.builder.given_units() {
            self.write_unit(unit, parsed);
        }
        let size = parsed.list.len() - start;
        parsed.samples.push(ParsedSample {
            size,
            flags: facts.flags,
            order: Some(facts.order),
            random_access: facts.random_access,
            place: facts.place,
        });
    }

    /// Writes the units that join a sample of an earlier packet: they stand in front of the first sample of this one.
    fn write_joined(&self, parsed: &mut Parsed) {
        if parsed.list.is_empty() {
            for &unit in self.builder.joined() {
                self.write_unit(unit, parsed);
            }
            parsed.joined = parsed.list.len();
            parsed.joined_from = self.builder.joined().first().map(|unit| (unit.offset, C::RULES.unit_order));
        }
    }

    /// Writes a unit of this packet, one that was held, or a parameter set that the builder gives once more.
    fn write_unit(&self, unit: SourceRange, parsed: &mut Parsed) {
        parsed.list.push_length(unit.len);
        match unit.offset.checked_sub(self.position) {
            // Sources are in order. A set of this packet that is given once more comes from the builder.
            Some(offset) if offset >= parsed.source_end => {
                let range = SourceRange { offset, len: unit.len };
                parsed.source_end = range.end();
                parsed.list.push_source(range);
            }
            _ => {
                let held = find(&self.held, unit);
                let bytes = held.or_else(|| self.builder.given_set(unit.offset));
                parsed
                    .list
                    .push_literal(bytes.expect("units are of the packet, held, or parameter sets in force"));
            }
        }
    }

    /// Keeps the units that go on waiting, now that the packet goes.
    fn keep_held(&mut self, packet: &[u8]) {
        let before = std::mem::take(&mut self.held);
        let bytes_of = |range: SourceRange| match range.offset.checked_sub(self.position) {
            Some(start) => packet[start as usize..][..range.len as usize].to_vec(),
            None => find(&before, range).expect("what waits came with this packet or was kept").to_vec(),
        };
        self.held = self.builder.held().map(|range| (range, bytes_of(range))).collect();
    }

    /// From now on a period may start with any packet.
    pub(in crate::segmenter) fn allow_periods(&mut self) {
        self.builder.allow_parts();
    }

    /// Ends what the sample entry describes so far, in front of the next picture, and starts anew with what waits for that.
    pub(in crate::segmenter) fn start_period(&mut self, change: Change) {
        let _ended = self.builder.split(change);
    }

    pub(super) fn held_len(&self) -> u64 {
        self.held.iter().map(|(range, _)| PREFIX_LEN + u64::from(range.len)).sum()
    }

    pub(super) fn discard_waiting(&mut self) {
        self.held.clear();
        self.builder.discard_waiting();
    }

    pub(super) fn check_nothing_waits(&self) -> Result<()> {
        let Some(offset) = self.builder.waiting() else { return Ok(()) };
        Err(Error::malformed(
            "the units from here on belong to a picture that has not come",
            C::RULES.unit_order,
            "push the picture behind them, or discard them before the end (discard_pending)",
        )
        .at(offset))
    }

    pub(super) fn close_configuration(&mut self) {
        self.builder.close_parameter_sets();
    }

    pub(super) fn dropped(&self) -> Dropped {
        Dropped { zero_bytes: self.dropped.zero_bytes, ..*self.builder.dropped() }
    }

    /// What the parameter sets say that have come or were known.
    pub(super) fn configuration(&self) -> Result<VideoConfiguration> {
        self.builder.configuration().map(Into::into)
    }

    /// Size of the pictures after cropping; `None` as long as none has come.
    pub(super) fn picture_size(&self) -> Option<(u16, u16)> {
        self.builder.parameter_sets().picture_size()
    }
}

/// The bytes of `unit` among those that were kept, which are in the order of the stream.
fn find(kept: &[(SourceRange, Vec<u8>)], unit: SourceRange) -> Option<&[u8]> {
    let at = kept.binary_search_by_key(&unit.offset, |(range, _)| range.offset).ok()?;
    Some(&kept[at].1)
}

/// What an access unit says of its sample.
#[derive(Clone, Copy)]
struct Facts {
    flags: SampleFlags,
    order: PictureOrder,
    random_access: RandomAccess,
    place: u64,
}

impl Facts {
    fn of(unit: AccessUnit<'_>) -> Self {
        let starts = unit.random_access.may_start();
        let flags = SampleFlags::of_picture(starts, unit.intra, unit.reference);
        Self { flags, order: unit.order, random_access: unit.random_access, place: unit.offset }
    }
}
