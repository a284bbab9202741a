//! The samples of a track in columns, so that a sample takes no more memory than it has to say: 14 bytes for a picture, with 8
//! for each of its source ranges, and 2 more where OBUs are given sizes. A column that would say the same of every sample is one
//! value.

use std::ops::Range;

use super::source_ranges::{SourceRangeRun, SourceRanges};
use super::{Sample, SampleFlags, sample_too_large, too_large};
use crate::codec::av1::SizedHeader;
use crate::error::Result;
use crate::scan::SourceRange;
use crate::scan::av1::StoredObu;
use crate::time::CompositionOffset;

// What the columns of a sample of video take, and a source range ("14 bytes" above).
const _: () = assert!(size_of::<SampleFlags>() + 2 * size_of::<u32>() + size_of::<CompositionOffset>() == 14);

/// How the source ranges of a sample stand in the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Each range is one NAL unit and gets a four-byte length in front (ISO/IEC 14496-15, `lengthSizeMinusOne` 3).
    LengthPrefixed,
    /// The ranges follow each other as they are; of an OBU without a size field, its payload behind a header that has one.
    Raw,
}

impl Framing {
    /// Bytes in front of each range.
    pub const fn prefix_len(self) -> u32 {
        match self {
            Self::LengthPrefixed => 4,
            Self::Raw => 0,
        }
    }
}

/// The samples of a track in decode order, and the source ranges that hold their payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    framing: Framing,
    in_roll_group: bool,
    sizes: Vec<u32>,
    flags: Vec<SampleFlags>,
    durations: Durations,
    /// Empty where every sample is presented when it is decoded.
    composition_offsets: Vec<CompositionOffset>,
    /// Behind the last of each sample's source ranges, by index; its first is where the sample before ends.
    range_ends: Vec<u32>,
    ranges: SourceRanges,
    /// Of each range the header that is written in front of it, up to the last that has one.
    headers: Vec<Option<SizedHeader>>,
    suffixes: Suffixes,
}

/// Bytes behind the source ranges of the few samples that have some: they are not in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Suffixes {
    bytes: Vec<u8>,
    /// Ascending by sample; each begins where the one before ends.
    rows: Vec<Suffix>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Suffix {
    /// Number of source ranges up to the end of the sample.
    behind_ranges: u32,
    /// End of its bytes.
    end: u32,
}

/// The duration of each sample.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Durations {
    /// Of all of them.
    Same(u32),
    Each(Vec<u32>),
}

impl Durations {
    fn of(each: Vec<u32>) -> Self {
        let first = each.first().copied().unwrap_or(0);
        if each.iter().all(|&duration| duration == first) { Self::Same(first) } else { Self::Each(each) }
    }

    /// Notes the duration of the sample of this index, which is the next.
    fn push(&mut self, index: usize, duration: u32) {
        match self {
            Self::Same(of_all) if index == 0 => *of_all = duration,
            Self::Same(of_all) if *of_all == duration => {}
            Self::Same(of_all) => {
                let mut each = vec![*of_all; index];
                each.push(duration);
                *self = Self::Each(each);
            }
            Self::Each(each) => each.push(duration),
        }
    }
}

impl Samples {
    /// No samples yet.
    pub const fn new(framing: Framing) -> Self {
        Self {
            framing,
            in_roll_group: false,
            sizes: Vec::new(),
            flags: Vec::new(),
            durations: Durations::Same(0),
            composition_offsets: Vec::new(),
            range_ends: Vec::new(),
            ranges: SourceRanges::new(),
            headers: Vec::new(),
            suffixes: Suffixes { bytes: Vec::new(), rows: Vec::new() },
        }
    }

    /// Appends a sample made of `ranges`, presented when it is decoded. Its duration is in ticks of the track's timescale, 0 as
    /// long as it is not known.
    ///
    /// # Errors
    /// When its size (`trun.sample_size`), or the number of all ranges, is beyond 32 bits; nothing is appended then.
    pub fn push(&mut self, ranges: &[SourceRange], flags: SampleFlags, duration: u32) -> Result<()> {
        self.push_with_suffix(ranges, &[], flags, duration)
    }

    /// The same of a sample that ends in bytes which are not in the source, as the superframe index of VP9 packets that are put
    /// together. They are kept: a few for a few samples.
    ///
    /// # Errors
    /// Those of [`Self::push`], and when all such bytes of the track pass 4 GiB.
    pub fn push_with_suffix(
        &mut self,
        ranges: &[SourceRange],
        suffix: &[u8],
        flags: SampleFlags,
        duration: u32,
    ) -> Result<()> {
        let prefix = u64::from(self.framing.prefix_len());
        let payload: u64 = ranges.iter().map(|range| u64::from(range.len) + prefix).sum();
        let suffix_end = self.suffixes.bytes.len() + suffix.len();
        let suffix_end = u32::try_from(suffix_end)
            .map_err(|_| too_large("bytes written behind samples", suffix_end as u64))?;
        self.push_sized(ranges.iter().copied(), payload + suffix.len() as u64, flags, duration)?;
        if !suffix.is_empty() {
            self.suffixes.bytes.extend_from_slice(suffix);
            let behind_ranges = *self.range_ends.last().expect("a sample was just appended");
            self.suffixes.rows.push(Suffix { behind_ranges, end: suffix_end });
        }
        Ok(())
    }

    /// The same with a sample that is made of `obus`. Framing is to be [`Framing::Raw`].
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn push_obus(&mut self, obus: &[StoredObu], flags: SampleFlags, duration: u32) -> Result<()> {
        debug_assert!(self.framing == Framing::Raw, "OBUs say their sizes themselves");
        let first = self.ranges.len();
        let size = obus.iter().map(StoredObu::stored_len).sum();
        self.push_sized(obus.iter().map(|obu| obu.range), size, flags, duration)?;
        for (obu, index) in obus.iter().zip(first..).filter(|(obu, _)| obu.header.is_some()) {
            self.headers.resize(index, None);
            self.headers.push(obu.header);
        }
        Ok(())
    }

    fn push_sized(
        &mut self,
        ranges: impl ExactSizeIterator<Item = SourceRange>,
        size: u64,
        flags: SampleFlags,
        duration: u32,
    ) -> Result<()> {
        let size = u32::try_from(size).map_err(|_| sample_too_large(size))?;
        let end = self.ranges.len() + ranges.len();
        let end = u32::try_from(end).map_err(|_| too_large("the number of coded units", end as u64))?;
        ranges.for_each(|range| self.ranges.push(range));
        self.durations.push(self.sizes.len(), duration);
        if !self.composition_offsets.is_empty() {
            self.composition_offsets.push(CompositionOffset(0));
        }
        self.sizes.push(size);
        self.flags.push(flags);
        self.range_ends.push(end);
        Ok(())
    }

    /// The same with every sample in the track's roll group ([`AudioConfiguration::roll_distance`](crate::codec::AudioConfiguration::roll_distance)),
    /// which each segment then says.
    #[must_use]
    pub fn in_roll_group(self, in_roll_group: bool) -> Self {
        Self { in_roll_group, ..self }
    }

    /// How ranges stand in the segment.
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// The sample of an index.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn get(&self, index: usize) -> Sample {
        Sample {
            duration: self.duration_of(index),
            composition_offset: self.composition_offsets.get(index).copied().unwrap_or(CompositionOffset(0)),
            flags: self.flags[index],
            size: self.sizes[index],
        }
    }

    /// All samples in decode order.
    pub fn iter(&self) -> SampleRun<'_> {
        self.run(0..self.len())
    }

    /// The samples of these indices.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn run(&self, indices: Range<usize>) -> SampleRun<'_> {
        assert!(
            indices.start <= indices.end && indices.end <= self.len(),
            "samples {indices:?} of {}",
            self.len()
        );
        SampleRun { samples: self, indices }
    }

    /// Duration of the sample of an index, in ticks.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn duration_of(&self, index: usize) -> u32 {
        assert!(index < self.len(), "sample {index} of {}", self.len());
        match &self.durations {
            Durations::Same(of_all) => *of_all,
            Durations::Each(each) => each[index],
        }
    }

    /// Whether there are samples of different durations.
    pub const fn durations_vary(&self) -> bool {
        matches!(self.durations, Durations::Each(_))
    }

    /// Duration of the last sample; `None` without samples.
    pub fn last_duration(&self) -> Option<u32> {
        self.len().checked_sub(1).map(|last| self.duration_of(last))
    }

    /// The sum of all durations, in ticks.
    pub fn duration(&self) -> u64 {
        self.iter().duration()
    }

    /// Byte offset of the sample of an index in the source: that of its first range of its own, for parameter sets that were
    /// repeated in front of it lie further up.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn source_offset(&self, index: usize) -> u64 {
        let own = |index| self.run(index..index + 1).source_ranges();
        let before =
            index.checked_sub(1).and_then(|before| own(before).last()).map_or(0, |range| range.end());
        own(index).find(|range| range.offset >= before).map_or(before, |range| range.offset)
    }

    /// Takes it from the sample of an index that decoding can start there.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn clear_sync(&mut self, index: usize) {
        self.flags[index] = self.flags[index].without_sync();
    }

    /// Gives all samples this duration, in ticks.
    pub fn set_duration(&mut self, duration: u32) {
        self.durations = Durations::Same(duration);
    }

    /// Gives each sample its duration, in ticks.
    ///
    /// # Panics
    /// When there are more or fewer than samples.
    pub fn set_durations(&mut self, durations: Vec<u32>) {
        assert_eq!(durations.len(), self.len(), "one duration for each sample");
        self.durations = Durations::of(durations);
    }

    /// Gives each sample its composition offset, in ticks.
    ///
    /// # Panics
    /// When there are more or fewer than samples.
    pub fn set_composition_offsets(&mut self, offsets: Vec<CompositionOffset>) {
        assert_eq!(offsets.len(), self.len(), "one composition offset for each sample");
        let all_are_zero = offsets.iter().all(|offset| offset.0 == 0);
        self.composition_offsets = if all_are_zero { Vec::new() } else { offsets };
    }
}

/// Samples that follow each other.
#[derive(Clone, Debug)]
pub struct SampleRun<'a> {
    samples: &'a Samples,
    indices: Range<usize>,
}

impl<'a> SampleRun<'a> {
    /// Whether they are in the track's roll group.
    pub const fn is_in_roll_group(&self) -> bool {
        self.samples.in_roll_group
    }

    /// The sum of their durations, in ticks.
    pub fn duration(&self) -> u64 {
        match &self.samples.durations {
            // 32 bits times what fits into memory.
            Durations::Same(of_all) => u64::from(*of_all) * self.indices.len() as u64,
            Durations::Each(each) => {
                each[self.indices.clone()].iter().map(|&duration| u64::from(duration)).sum()
            }
        }
    }

    /// The sum of their sizes in bytes.
    pub fn size(&self) -> u64 {
        self.samples.sizes[self.indices.clone()].iter().map(|&size| u64::from(size)).sum()
    }

    /// How their source ranges stand in the segment.
    pub fn framing(&self) -> Framing {
        self.samples.framing
    }

    /// Where their payload is, in output order.
    pub fn source_ranges(&self) -> SourceRangeRun<'a> {
        let Range { start, end } = self.range_indices();
        self.samples.ranges.run(start..end)
    }

    /// The headers that are written in front of these ranges, where they are, each behind the one before; shorter where none follows.
    pub fn written_headers(&self) -> &'a [Option<SizedHeader>] {
        let Range { start, end } = self.range_indices();
        let headers = &self.samples.headers;
        let end = headers.len().min(end as usize);
        headers.get(start as usize..end).unwrap_or_default()
    }

    fn range_indices(&self) -> Range<u32> {
        let start_of =
            |index: usize| index.checked_sub(1).map_or(0, |before| self.samples.range_ends[before]);
        start_of(self.indices.start)..start_of(self.indices.end)
    }

    /// Bytes that follow the last source range of some samples: how many of [`Self::source_ranges`] stand in front of them, and
    /// what they are.
    pub fn suffixes(&self) -> impl Iterator<Item = (usize, &'a [u8])> + use<'a> {
        let Suffixes { bytes, rows } = &self.samples.suffixes;
        let ranges_before =
            |index: usize| index.checked_sub(1).map_or(0, |before| self.samples.range_ends[before]);
        let (first, last) = (ranges_before(self.indices.start), ranges_before(self.indices.end));
        // A sample has a range, so that suffixes of the samples in front stand at `first` or before.
        let start = rows.partition_point(|row| row.behind_ranges <= first);
        let end = rows.partition_point(|row| row.behind_ranges <= last);
        (start..end.max(start)).map(move |at| {
            let from = at.checked_sub(1).map_or(0, |before| rows[before].end);
            ((rows[at].behind_ranges - first) as usize, &bytes[from as usize..rows[at].end as usize])
        })
    }
}

impl Iterator for SampleRun<'_> {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        self.indices.next().map(|index| self.samples.get(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }
}

impl ExactSizeIterator for SampleRun<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_name_their_ranges_and_count_length_prefixes() {
        let ranges = [10, 20, 30].map(|len| SourceRange { offset: u64::from(len), len });
        for (framing, sizes) in [(Framing::LengthPrefixed, [38, 34]), (Framing::Raw, [30, 30])] {
            let mut samples = Samples::new(framing);
            samples.push(&ranges[..2], SampleFlags::SYNC, 5).unwrap();
            samples.push(&ranges[2..], SampleFlags::INTER, 6).unwrap();
            let told: Vec<_> = samples.iter().map(|sample| (sample.size, sample.duration)).collect();
            assert_eq!(told, [(sizes[0], 5), (sizes[1], 6)]);
            assert!(samples.run(0..1).source_ranges().eq(ranges[..2].iter().copied()));
            assert!(samples.run(1..2).source_ranges().eq(ranges[2..].iter().copied()));
            assert_eq!((samples.duration(), samples.run(1..2).size()), (11, sizes[1].into()));
        }
    }

    #[test]
    fn headers_are_a_column_up_to_the_last_obu_that_is_given_one() {
        let mut samples = Samples::new(Framing::Raw);
        let header = SizedHeader::new(&[0x34, 0x08]);
        let whole = |offset| StoredObu { range: SourceRange { offset, len: 10 }, header: None };
        let payload = |offset| StoredObu { header, ..whole(offset) };
        samples.push_obus(&[whole(0), whole(10)], SampleFlags::SYNC, 1).unwrap();
        assert!(samples.headers.is_empty() && samples.iter().written_headers().is_empty());
        samples.push_obus(&[payload(22), whole(32)], SampleFlags::INTER, 1).unwrap();
        samples.push_obus(&[whole(42)], SampleFlags::INTER, 1).unwrap();
        // Header, extension and a size of one byte.
        assert!(samples.iter().map(|sample| sample.size).eq([20, 23, 10]));
        assert_eq!(samples.iter().written_headers(), [None, None, header]);
        assert_eq!(samples.run(1..3).written_headers(), [header]);
        assert!(
            samples.run(0..1).written_headers() == [None, None]
                && samples.run(2..3).written_headers().is_empty()
        );
    }

    #[test]
    fn suffixes_stand_behind_the_ranges_of_their_sample() {
        let range = |offset| SourceRange { offset, len: 10 };
        let mut samples = Samples::new(Framing::Raw);
        samples.push(&[range(0)], SampleFlags::SYNC, 1).unwrap();
        samples.push_with_suffix(&[range(10), range(30)], b"abc", SampleFlags::INTER, 1).unwrap();
        samples.push(&[range(40)], SampleFlags::INTER, 1).unwrap();
        samples.push_with_suffix(&[range(50)], b"de", SampleFlags::INTER, 1).unwrap();
        assert!(samples.iter().map(|sample| sample.size).eq([10, 23, 10, 12]));
        let suffixes = |run: Range<usize>| samples.run(run).suffixes().collect::<Vec<_>>();
        assert_eq!(suffixes(0..4), [(3, &b"abc"[..]), (5, b"de")]);
        assert_eq!(suffixes(1..3), [(2, &b"abc"[..])]);
        assert_eq!(suffixes(2..4), [(2, &b"de"[..])]);
        assert_eq!((suffixes(0..1), suffixes(2..3), suffixes(4..4)), (vec![], vec![], vec![]));
    }

    #[test]
    fn a_sample_beyond_32_bits_is_refused_and_leaves_nothing() {
        let mut samples = Samples::new(Framing::LengthPrefixed);
        let largest = SourceRange { offset: 0, len: u32::MAX - 4 };
        samples.push(&[largest], SampleFlags::SYNC, 1).unwrap();
        let before = samples.clone();
        let error = samples.push(&[SourceRange { len: u32::MAX - 3, ..largest }], SampleFlags::SYNC, 1);
        assert!(error.unwrap_err().to_string().contains("is 4294967296, the limit is 4294967295"));
        assert_eq!(samples, before);
    }

    fn of_durations(durations: &[u32]) -> Samples {
        let mut samples = Samples::new(Framing::Raw);
        for &duration in durations {
            samples.push(&[SourceRange { offset: 0, len: 1 }], SampleFlags::SYNC, duration).unwrap();
        }
        samples
    }

    #[test]
    fn durations_are_a_column_once_they_differ() {
        for durations in [&[][..], &[7], &[7, 7, 7], &[7, 7, 8], &[7, 8, 7, 7]] {
            let samples = of_durations(durations);
            assert!(
                samples.iter().map(|sample| sample.duration).eq(durations.iter().copied()),
                "{durations:?}"
            );
            assert_eq!(
                samples.duration(),
                durations.iter().map(|&duration| u64::from(duration)).sum::<u64>()
            );
        }
        assert_eq!(of_durations(&[7, 7]).durations, Durations::Same(7));
        assert!(of_durations(&[7, 8]).durations_vary() && !of_durations(&[7, 7]).durations_vary());
        assert_eq!(
            (of_durations(&[7, 8]).last_duration(), of_durations(&[]).last_duration()),
            (Some(8), None)
        );
        let mut samples = of_durations(&[7, 7, 8]);
        samples.set_duration(9);
        assert_eq!(samples, of_durations(&[9, 9, 9]));
        for durations in [&[7, 7, 7][..], &[7, 7, 8], &[8, 7, 7]] {
            samples.set_durations(durations.to_vec());
            assert_eq!(samples, of_durations(durations));
        }
    }

    #[test]
    #[should_panic(expected = "sample 2 of 2")]
    fn the_duration_of_a_sample_that_is_not_there_is_not_that_of_the_others() {
        of_durations(&[7, 7]).duration_of(2);
    }

    #[test]
    fn composition_offsets_are_a_column_only_where_one_is_not_zero() {
        let mut samples = of_durations(&[5, 5]);
        samples.set_composition_offsets([0, 0].map(CompositionOffset).to_vec());
        assert!(samples.composition_offsets.is_empty());
        samples.set_composition_offsets([5, -5].map(CompositionOffset).to_vec());
        samples.push(&[SourceRange { offset: 0, len: 1 }], SampleFlags::INTER, 5).unwrap();
        assert!(samples.iter().map(|sample| sample.composition_offset.0).eq([5, -5, 0]));
    }

    #[test]
    fn a_sample_is_where_its_own_bytes_start() {
        let mut samples = Samples::new(Framing::LengthPrefixed);
        let range = |offset, len| SourceRange { offset, len };
        samples.push(&[range(4, 10), range(18, 100)], SampleFlags::SYNC, 1).unwrap();
        // Parameter sets from the head of the file in front of a picture.
        samples.push(&[range(4, 10), range(122, 50)], SampleFlags::SYNC, 1).unwrap();
        samples.push(&[range(4, 10)], SampleFlags::SYNC, 1).unwrap();
        assert_eq!([0, 1, 2].map(|index| samples.source_offset(index)), [4, 122, 172]);
    }
}
