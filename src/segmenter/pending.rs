//! Samples that are not cut yet, and their times: durations as they come, composition offsets at the cut, when all
//! pictures of the segment are there.

use std::ops::Range;

use super::config::{Composition, SampleTiming};
use super::packets::{Parsed, ParsedSample};
use crate::codec::{PictureOrder, RandomAccess};
use crate::error::{Error, ErrorKind, Result};
use crate::time::{CompositionOffset, DecodeTime, Ticks};
use crate::track::random_access::RandomAccessWatch;
use crate::track::timeline::{self, Orders};
use crate::track::{Sample, sample_too_large};

/// How the track's presentation times are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Order,
    Time,
    Offset,
}

impl Told {
    fn by(composition: Composition) -> Self {
        match composition {
            Composition::BitstreamOrder => Self::Order,
            Composition::PresentationTime(_) => Self::Time,
            Composition::Offset(_) => Self::Offset,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Order => "the bitstream's order",
            Self::Time => "presentation times",
            Self::Offset => "composition offsets",
        }
    }
}

/// The samples of the segment that is being filled.
#[derive(Debug, Default)]
pub(super) struct Pending {
    samples: Vec<Sample>,
    /// Place of each in the stream, for messages.
    places: Vec<u64>,
    /// Of each sample, where samples are not presented in decode order.
    orders: Orders,
    /// CRA pictures that no RASL picture has followed, by index.
    closed_cras: Vec<usize>,
    /// Of each sample where the caller tells the time.
    presentation_times: Vec<i64>,
    duration: u64,
    told: Option<Told>,
    /// Presentation time of the caller's minus that of the track, once a segment has fixed it.
    bias: Option<i128>,
    /// CRA pictures that RASL pictures may still follow.
    watch: RandomAccessWatch<OpenCra>,
    /// The same as it was when the segment began.
    watch_at_cut: RandomAccessWatch<OpenCra>,
    /// Place of a sample that was given less than it lasts: the end of the track.
    shortened: Option<u64>,
    /// The same as it was when the segment began.
    shortened_at_cut: Option<u64>,
}

/// A CRA picture that counts as a sync sample until a RASL picture follows.
#[derive(Clone, Copy, Debug)]
struct OpenCra {
    /// Its sample; `None` in a segment that is published, with that sample as a sync sample.
    index: Option<usize>,
    place: u64,
    /// The caller said that it is a sync sample.
    hinted: bool,
}

impl Pending {
    pub(super) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The sum of the samples' durations.
    pub(super) fn duration(&self) -> Ticks {
        Ticks(self.duration)
    }

    pub(super) fn starts_with_sync(&self) -> bool {
        self.samples.first().is_some_and(|sample| sample.flags.is_sync())
    }

    /// Whether `parsed` can follow, timed so.
    ///
    /// # Errors
    /// Where it cannot; nothing is changed either way.
    pub(super) fn check(&self, parsed: &Parsed, timing: SampleTiming) -> Result<()> {
        self.check_joined(parsed)?;
        let [first, others @ ..] = parsed.samples.as_slice() else { return Ok(()) };
        if timing.duration == 0 {
            return Err(Error::conflict("the sample lasts 0 ticks", "give it a duration").at(first.place));
        }
        let duration = u64::from(timing.duration).checked_mul(parsed.samples.len() as u64);
        if duration.and_then(|duration| self.duration.checked_add(duration)).is_none() {
            return Err(
                Error::conflict("pending samples last 2^64 ticks or more", "cut earlier").at(first.place)
            );
        }
        if timing.composition != Composition::BitstreamOrder && !others.is_empty() {
            let pictures = parsed.samples.len();
            return Err(Error::conflict(
                format!("one presentation time is given for a packet of {pictures} pictures"),
                "push each picture in a packet of its own, or leave the time to the bitstream's order",
            )
            .at(first.place));
        }
        self.check_coded_duration(first, parsed.coded_duration, timing.duration)?;
        self.check_told(first, timing.composition)?;
        self.check_rasl(first, others, timing.sync == Some(true))?;
        // Whether a CRA picture is one shows later.
        let known = first.random_access != RandomAccess::UnlessRaslFollows;
        if let Some(sync) = timing.sync.filter(|&sync| sync != first.flags.is_sync() && (sync || known)) {
            let named = |sync| if sync { "a sync sample" } else { "no sync sample" };
            return Err(Error::conflict(
                format!("the caller says {}, the bitstream says {}", named(sync), named(!sync)),
                "correct the hint, or give none: the bitstream decides",
            )
            .at(first.place));
        }
        match parsed.samples.iter().find(|sample| sample.size > u64::from(u32::MAX)) {
            Some(sample) => Err(sample_too_large(sample.size).at(sample.place)),
            None => Ok(()),
        }
    }

    /// Whether a sample lasts as its bitstream says, where that says it; the last one of the track may be given less.
    fn check_coded_duration(&self, sample: &ParsedSample, coded: Option<u32>, duration: u32) -> Result<()> {
        let Some(coded) = coded else { return Ok(()) };
        if let Some(place) = self.shortened {
            return Err(Error::conflict(
                format!("a sample follows the one at {place:#x}, which was given less than it lasts"),
                "give each sample the duration in its packet, but for the last of the track",
            )
            .at(sample.place));
        }
        if duration > coded {
            return Err(Error::conflict(
                format!("the sample is given {duration} ticks, the packet lasts {coded}"),
                "give it the duration that its packet says: what is missing has to be encoded",
            )
            .at(sample.place));
        }
        Ok(())
    }

    /// Whether a RASL picture in a packet comes too late to say that its CRA picture is no sync sample, or says so of one that
    /// the caller called one (`hinted`, of the first).
    fn check_rasl(&self, first: &ParsedSample, others: &[ParsedSample], hinted: bool) -> Result<()> {
        let own = self.cra_of(first, hinted);
        let cra = own.or(self.watch.open().copied());
        let mut behind = own.is_none().then_some(first).into_iter().chain(others);
        let next = behind.find(|sample| sample.random_access != RandomAccess::No);
        let rasl = next.filter(|sample| sample.random_access == RandomAccess::Rasl);
        let (Some(rasl), Some(cra)) = (rasl, cra) else { return Ok(()) };
        let (what, remedy) = match cra {
            OpenCra { index: None, place, .. } => (
                format!("a RASL picture of the CRA picture at {place:#x}, which is cut as a sync sample"),
                "cut behind the pictures that follow a CRA picture and are shown before it, or encode closed groups of pictures",
            ),
            OpenCra { hinted: true, place, .. } => (
                format!(
                    "a RASL picture of the CRA picture at {place:#x}, which the caller called a sync sample and which is none then"
                ),
                "correct the hint, or give none: the bitstream decides",
            ),
            _ => return Ok(()),
        };
        Err(Error::malformed(what, "H.265 7.4.2.2", remedy).at(rasl.place))
    }

    /// The next sample, if it is a CRA picture that RASL pictures may follow.
    fn cra_of(&self, sample: &ParsedSample, hinted: bool) -> Option<OpenCra> {
        let is_open = sample.random_access == RandomAccess::UnlessRaslFollows;
        is_open.then_some(OpenCra { index: Some(self.samples.len()), place: sample.place, hinted })
    }

    fn check_joined(&self, parsed: &Parsed) -> Result<()> {
        let Some((place, clause)) = parsed.joined_from.filter(|_| parsed.joined > 0) else { return Ok(()) };
        let last = self.samples.last().ok_or_else(|| {
            Error::malformed(
                "the packet begins with units that belong to a picture of a segment that is cut, or discarded",
                clause,
                "push them with their picture, or before the cut",
            )
            .at(place)
        })?;
        match u64::from(last.size) + parsed.joined {
            size if size > u64::from(u32::MAX) => Err(sample_too_large(size).at(place)),
            _ => Ok(()),
        }
    }

    fn check_told(&self, sample: &ParsedSample, composition: Composition) -> Result<()> {
        let told = Told::by(composition);
        if let Some(before) = self.told.filter(|&before| before != told) {
            return Err(Error::conflict(
                format!(
                    "the time of the sample is told by {}, that of those before by {}",
                    told.name(),
                    before.name()
                ),
                "tell all samples of a track in one way",
            )
            .at(sample.place));
        }
        match composition {
            Composition::Offset(offset) if offset.0 != 0 && sample.order.is_none() => Err(Error::conflict(
                format!("a composition offset of {} ticks for a codec that has none", offset.0),
                "give 0, or none",
            )
            .at(sample.place)),
            _ => Ok(()),
        }
    }

    /// Takes what [`Self::check`] let pass.
    pub(super) fn add(&mut self, parsed: &Parsed, timing: SampleTiming) {
        if let Some(last) = self.samples.last_mut() {
            // Within 32 bits: checked.
            last.size += parsed.joined as u32;
        }
        if let (Some(sample), Some(coded)) = (parsed.samples.last(), parsed.coded_duration)
            && timing.duration < coded
        {
            self.shortened = Some(sample.place);
        }
        for (number, sample) in parsed.samples.iter().enumerate() {
            self.note_random_access(sample, number == 0 && timing.sync == Some(true));
            let composition_offset = match timing.composition {
                Composition::Offset(offset) => offset,
                _ => CompositionOffset(0),
            };
            self.samples.push(Sample {
                duration: timing.duration,
                composition_offset,
                flags: sample.flags,
                size: sample.size as u32,
            });
            self.places.push(sample.place);
            self.duration += u64::from(timing.duration);
            self.told = Some(Told::by(timing.composition));
            let goes_on = sample.random_access == RandomAccess::UnlessRaslFollows;
            let epoch_start = |order: PictureOrder| order.epoch_start || goes_on;
            let order = sample.order.map(|order| PictureOrder { epoch_start: epoch_start(order), ..order });
            order.into_iter().for_each(|order| self.orders.push(order));
            if let Composition::PresentationTime(time) = timing.composition {
                self.presentation_times.push(time);
            }
        }
    }

    /// Notes how decoding may start at the next sample; what that tells of one before it is mended there.
    fn note_random_access(&mut self, sample: &ParsedSample, hinted: bool) {
        let cra = OpenCra { index: Some(self.samples.len()), place: sample.place, hinted };
        self.closed_cras.extend(self.cra_of(sample, hinted).and_then(|cra| cra.index));
        if let Some(OpenCra { index: Some(index), .. }) = self.watch.note(sample.random_access, cra) {
            self.closed_cras.pop();
            self.samples[index].flags = self.samples[index].flags.without_sync();
            self.orders.clear_epoch_start(index);
        }
    }

    /// Settles the composition offsets of a segment that starts at `base`. May be called again, also when more has come.
    /// Gives the bias that holds once the segment is published.
    ///
    /// # Errors
    /// Where order or times contradict themselves.
    pub(super) fn settle(&mut self, base: DecodeTime) -> Result<Option<i128>> {
        timeline::check_epochs(&self.orders, &self.closed_cras, |index| self.places[index])?;
        match self.told {
            Some(Told::Order) if !self.orders.is_empty() => self.settle_by_order().map(|()| None),
            Some(Told::Time) => {
                let bias = self.settle_by_time(base)?;
                self.check_order()?;
                Ok(Some(bias))
            }
            Some(Told::Offset) => self.check_order().map(|()| None),
            _ => Ok(None),
        }
    }

    /// Whether the times that the caller told are in the order that the bitstream tells, no two being equal.
    fn check_order(&self) -> Result<()> {
        let decode_times = decode_times(&self.samples);
        let time_of = |index: usize| {
            i128::from(decode_times[index]) + i128::from(self.samples[index].composition_offset.0)
        };
        if self.orders.is_empty() {
            let moved = self.samples.iter().position(|sample| sample.composition_offset.0 != 0);
            return moved.map_or(Ok(()), |index| {
                let ticks = self.samples[index].composition_offset.0;
                Err(Error::conflict(
                    format!("the sample is presented {ticks:+} ticks from when it is decoded, in a codec without reordering"),
                    "presentation times must rise by the durations",
                )
                .at(self.places[index]))
            });
        }
        let of_epoch = |(number, epoch): (usize, Range<usize>)| {
            self.orders.counts(epoch).map(move |(count, index)| (number, count, index))
        };
        let mut by_order: Vec<_> = self.orders.epochs().enumerate().flat_map(of_epoch).collect();
        by_order.sort_unstable();
        match by_order.windows(2).find(|pair| time_of(pair[0].2) >= time_of(pair[1].2)) {
            None => Ok(()),
            Some(pair) => {
                let (first, second) = (pair[0].2, pair[1].2);
                Err(Error::conflict(
                    format!(
                        "the picture is presented {:+} ticks from the one at {:#x}, which the bitstream puts before it",
                        time_of(second) - time_of(first),
                        self.places[first]
                    ),
                    "correct the presentation times, or leave them to the bitstream's order",
                )
                .at(self.places[second]))
            }
        }
    }

    fn settle_by_order(&mut self) -> Result<()> {
        let duration_of = |index: usize| self.samples[index].duration;
        // More may come before the cut succeeds.
        let orders = self.orders.clone();
        let offsets = timeline::composition_offsets(orders, duration_of, |index| self.places[index])?;
        for (sample, offset) in self.samples.iter_mut().zip(offsets) {
            sample.composition_offset = offset;
        }
        Ok(())
    }

    fn settle_by_time(&mut self, base: DecodeTime) -> Result<i128> {
        let earliest = self.presentation_times.iter().copied().min().unwrap_or(0);
        let own = i128::from(earliest) - i128::from(base.0);
        let bias = self.bias.unwrap_or(own);
        if own != bias {
            return Err(Error::malformed(
                format!(
                    "the earliest presentation time of the segment, {earliest}, is {:+} ticks from its decode time {} \
                     and the bias of the segments before",
                    own - bias,
                    base.0
                ),
                "ISO/IEC 23000-19 7.5.17",
                "cut where the group of pictures is closed; durations and presentation times must agree",
            )
            .at(self.places.first().copied().unwrap_or(0)));
        }
        let decode_times = decode_times(&self.samples);
        for (index, (&time, &decode_time)) in self.presentation_times.iter().zip(&decode_times).enumerate() {
            let offset = i128::from(time) - bias - i128::from(base.0) - i128::from(decode_time);
            self.samples[index].composition_offset = self.offset(index, offset)?;
        }
        Ok(bias)
    }

    fn offset(&self, index: usize, ticks: i128) -> Result<CompositionOffset> {
        i32::try_from(ticks).map(CompositionOffset).map_err(|_| {
            Error::new(ErrorKind::TooLarge {
                what: "the distance between decoding and presentation in ticks".into(),
                value: u64::try_from(ticks.unsigned_abs()).unwrap_or(u64::MAX),
                limit: i32::MAX as u64,
                clause: "ISO/IEC 14496-12 8.8.8",
                remedy: "correct the presentation time".into(),
            })
            .at(self.places[index])
        })
    }

    /// Forgets the samples, which are in a published segment now, and keeps its `bias`.
    pub(super) fn published(&mut self, bias: Option<i128>) {
        self.bias = bias.or(self.bias);
        if let Some(cra) = self.watch.open_mut() {
            cra.index = None;
        }
        self.watch_at_cut = self.watch;
        self.shortened_at_cut = self.shortened;
        self.clear();
    }

    /// Forgets the samples. The way that times are told stays if a segment has it.
    pub(super) fn discard(&mut self, any_published: bool) {
        self.watch = self.watch_at_cut;
        self.shortened = self.shortened_at_cut;
        self.clear();
        if !any_published {
            self.told = None;
        }
    }

    fn clear(&mut self) {
        self.samples.clear();
        self.places.clear();
        self.orders.clear();
        self.closed_cras.clear();
        self.presentation_times.clear();
        self.duration = 0;
    }
}

/// Decode time of each sample, from the first.
fn decode_times(samples: &[Sample]) -> Vec<u64> {
    let next = |time: &mut u64, sample: &Sample| {
        let start = *time;
        *time += u64::from(sample.duration);
        Some(start)
    };
    samples.iter().scan(0, next).collect()
}

#[cfg(test)]
mod tests;
