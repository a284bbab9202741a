//! Samples ► the piece list of a media segment: `styp moof{mfhd, traf{tfhd, tfdt, trun}} mdat` as an ordered list of
//! header bytes, NAL unit lengths and ranges of the source. Pure: nothing is read and no payload is touched.
//!
//! [`Header`] makes the bytes in front of the payload out of the samples alone, [`Fragment`] adds where the payload
//! lies and makes the [`PieceList`]. Whatever fills, checks or compares a segment interprets that list, so equal
//! lists give equal files. One segment is one fragment and one chunk.
//!
//! Clauses of ISO/IEC 23000-19 are as DASH-IF's conformance checklist quotes them; the text was not opened.

use std::num::NonZeroU32;

use crate::boxes::moof::{self, Chunk, Row};
use crate::boxes::{BoxWriter, brand};
use crate::error::{Error, ErrorKind, Result};
use crate::time::{DecodeTime, Ticks};
use crate::track::{Framing, Sample, SampleRun};

mod piece_list;

pub use piece_list::{Piece, PieceList};

/// The bytes in front of a segment's payload: `styp`, `moof` and the header of `mdat`. Walks `samples` several times.
#[derive(Clone, Debug)]
pub struct Header<S> {
    sequence_number: NonZeroU32,
    base_decode_time: DecodeTime,
    samples: S,
    duration: Ticks,
    in_roll_group: bool,
}

impl<S: ExactSizeIterator<Item = Sample> + Clone> Header<S> {
    /// The header of the segment `sequence_number` (1-based) of `samples`, the first of which is decoded at
    /// `base_decode_time`.
    ///
    /// # Errors
    /// When there is no sample, the first one is no sync sample, a duration is 0, times pass 64 bits, or the earliest
    /// composition time is not the decode time of the first sample.
    pub fn new(sequence_number: NonZeroU32, base_decode_time: DecodeTime, samples: S) -> Result<Self> {
        let Some(first) = samples.clone().next() else {
            return Err(Error::conflict(
                format!("segment {sequence_number} would have no sample"),
                "cut after at least one",
            ));
        };
        if !first.flags.is_sync() {
            return Err(Error::malformed(
                format!(
                    "segment {sequence_number} of {} samples would not start with a sync sample",
                    samples.len()
                ),
                "ISO/IEC 23000-19 7.3.2.4",
                "cut in front of a sync sample",
            ));
        }
        let duration = check_times(sequence_number, samples.clone())?;
        if base_decode_time.checked_add(duration).is_none() {
            return Err(Error::new(ErrorKind::TooLarge {
                what: format!("the decode time at the end of segment {sequence_number}").into(),
                value: base_decode_time.0,
                limit: u64::MAX - duration.0,
                clause: "ISO/IEC 14496-12 8.8.12",
                remedy: "start the track earlier".into(),
            }));
        }
        Ok(Self { sequence_number, base_decode_time, samples, duration, in_roll_group: false })
    }

    /// The same of samples that are in the track's roll group, or are not.
    #[must_use]
    pub fn in_roll_group(self, in_roll_group: bool) -> Self {
        Self { in_roll_group, ..self }
    }

    /// The sum of the samples' durations.
    pub fn duration(&self) -> Ticks {
        self.duration
    }

    /// Decode time of the first sample.
    pub fn base_decode_time(&self) -> DecodeTime {
        self.base_decode_time
    }

    /// Appends the header to `out`. Its last byte is followed by the first byte of the first sample.
    ///
    /// # Errors
    /// When there are more samples than one header can tell of; `out` is as it was.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        self.write_boxes(out).inspect_err(|_| out.truncate(start))
    }

    fn write_boxes(&self, out: &mut Vec<u8>) -> Result<()> {
        let chunk = Chunk {
            sequence_number: self.sequence_number,
            base_media_decode_time: self.base_decode_time,
            in_roll_group: self.in_roll_group,
        };
        let rows = self.samples.clone().map(|sample| Row {
            duration: sample.duration,
            size: sample.size,
            sample_flags: sample.flags.bits(),
            composition_offset: sample.composition_offset.0,
        });
        let mut w = BoxWriter::new(out);
        brand::write_styp(&mut w);
        moof::write_chunk_header(&mut w, &chunk, rows)?;
        w.finish()
    }
}

/// The sum of durations, all of them above 0, with the earliest composition time at the start.
fn check_times(sequence_number: NonZeroU32, samples: impl Iterator<Item = Sample>) -> Result<Ticks> {
    let mut decode_time = 0_u64;
    let mut earliest = i128::MAX;
    for (index, sample) in samples.enumerate() {
        if sample.duration == 0 {
            return Err(Error::conflict(
                format!("sample {} of segment {sequence_number} lasts 0 ticks", index + 1),
                "give every sample a duration",
            ));
        }
        earliest = earliest.min(i128::from(decode_time) + i128::from(sample.composition_offset.0));
        decode_time = decode_time.checked_add(u64::from(sample.duration)).ok_or_else(|| {
            Error::conflict(format!("segment {sequence_number} lasts 2^64 ticks or more"), "cut it earlier")
        })?;
    }
    if earliest != 0 {
        return Err(Error::malformed(
            format!(
                "the earliest composition time of segment {sequence_number} is {earliest:+} ticks \
                 from its first decode time"
            ),
            "ISO/IEC 23000-19 7.5.17: they are equal where trun has version 1",
            "shift the composition offsets, or cut where the group of pictures is closed",
        ));
    }
    Ok(Ticks(decode_time))
}

/// A segment of one track: its samples, and where their payload lies in the source.
#[derive(Clone, Debug)]
pub struct Fragment<'a> {
    header: Header<SampleRun<'a>>,
}

impl<'a> Fragment<'a> {
    /// The segment `sequence_number` (1-based) of these samples, the first of which is decoded at `base_decode_time`.
    ///
    /// # Errors
    /// Those of [`Header::new`].
    pub fn new(
        sequence_number: NonZeroU32,
        base_decode_time: DecodeTime,
        samples: SampleRun<'a>,
    ) -> Result<Self> {
        let in_roll_group = samples.is_in_roll_group();
        let header = Header::new(sequence_number, base_decode_time, samples)?;
        Ok(Self { header: header.in_roll_group(in_roll_group) })
    }

    /// The header alone, with the segment's times.
    pub fn header(&self) -> &Header<SampleRun<'a>> {
        &self.header
    }

    /// Bytes of the whole segment. `scratch` is memory for the header, used again from call to call.
    ///
    /// # Errors
    /// Those of [`Header::write`].
    pub fn byte_len(&self, scratch: &mut Vec<u8>) -> Result<u64> {
        scratch.clear();
        self.header.write(scratch)?;
        Ok(scratch.len() as u64 + self.header.samples.size())
    }

    /// The whole segment.
    ///
    /// # Errors
    /// Those of [`Header::write`].
    pub fn piece_list(&self) -> Result<PieceList> {
        let mut list = PieceList::default();
        self.piece_list_into(&mut list)?;
        Ok(list)
    }

    /// The whole segment in place of what `list` holds, whose memory is used again.
    ///
    /// # Errors
    /// Those of [`Header::write`]; `list` is then empty.
    pub fn piece_list_into(&self, list: &mut PieceList) -> Result<()> {
        list.clear();
        list.push_literal_with(|literals| self.header.write(literals))?;

        let ranges = self.header.samples.source_ranges();
        let framing = self.header.samples.framing();
        let headers = self.header.samples.written_headers();
        let each = match framing {
            Framing::LengthPrefixed => 2,
            Framing::Raw => 1,
        };
        list.reserve(each * ranges.len() + headers.len());
        let mut suffixes = self.header.samples.suffixes().peekable();
        if headers.is_empty() && suffixes.peek().is_none() {
            // Of most streams, nothing but ranges and their lengths.
            for range in ranges {
                if framing == Framing::LengthPrefixed {
                    list.push_length(range.len);
                }
                list.push_source(range);
            }
            return Ok(());
        }
        let mut headers = headers.iter();
        for (index, range) in ranges.enumerate() {
            if framing == Framing::LengthPrefixed {
                list.push_length(range.len);
            }
            if let Some(Some(header)) = headers.next() {
                list.push_obu_header(*header, range.len);
            }
            // The payload of an OBU may be nothing.
            if range.len > 0 {
                list.push_source(range);
            }
            if let Some((_, suffix)) = suffixes.next_if(|&(ranges, _)| ranges == index + 1) {
                list.push_literal(suffix);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mp4_atom::Decode;
    use proptest::prelude::*;

    use super::*;
    use crate::scan::SourceRange;
    use crate::time::CompositionOffset;
    use crate::track::{SampleFlags, Samples};

    /// A segment as a reader that knows nothing of the writer finds it.
    #[derive(Debug, PartialEq)]
    struct Read<'a> {
        sequence_number: u32,
        base_decode_time: u64,
        /// Duration, composition offset, flags and bytes.
        samples: Vec<(u32, i32, u32, &'a [u8])>,
    }

    /// Bytes that are taken from the front.
    struct Cursor<'a>(&'a [u8]);

    impl<'a> Cursor<'a> {
        fn take(&mut self, len: usize) -> &'a [u8] {
            let (taken, rest) = self.0.split_at(len);
            self.0 = rest;
            taken
        }

        fn u32(&mut self) -> u32 {
            u32::from_be_bytes(self.take(4).try_into().unwrap())
        }

        /// Size and body of the next box, which must be this one.
        fn next(&mut self, kind: &[u8; 4]) -> (usize, Cursor<'a>) {
            let size = self.u32() as usize;
            assert_eq!(self.take(4), kind);
            (size, Cursor(self.take(size - 8)))
        }
    }

    /// Reads a segment by the syntax tables of 14496-12 8.8; small ones only, since it wants no largesize.
    fn read(segment: &[u8]) -> Read<'_> {
        let mut file = Cursor(segment);
        file.next(b"styp");
        let moof_start = segment.len() - file.0.len();
        let (_, mut moof) = file.next(b"moof");
        let payload_start = segment.len() - file.0.len() + 8;
        let (_, payload) = file.next(b"mdat");
        assert!(file.0.is_empty(), "mdat is last");

        let (_, mut mfhd) = moof.next(b"mfhd");
        assert_eq!(mfhd.u32(), 0);
        let sequence_number = mfhd.u32();
        let (_, mut traf) = moof.next(b"traf");
        assert!(moof.0.is_empty(), "one traf");

        let (_, mut tfhd) = traf.next(b"tfhd");
        let flags = tfhd.u32();
        assert_eq!(flags & 0x03_0001, 0x02_0000, "default-base-is-moof, no base-data-offset");
        assert_eq!(tfhd.u32(), 1, "track_ID");
        let mut default = |present: bool| present.then(|| tfhd.u32());
        assert_eq!(default(flags & 0x02 != 0), Some(1), "sample_description_index");
        let (duration, size, sample_flags) =
            (default(flags & 0x08 != 0), default(flags & 0x10 != 0), default(flags & 0x20 != 0));
        assert!(tfhd.0.is_empty());

        let (_, mut tfdt) = traf.next(b"tfdt");
        assert_eq!(tfdt.u32(), 0x0100_0000, "version 1");
        let base_decode_time = u64::from(tfdt.u32()) << 32 | u64::from(tfdt.u32());

        let (_, mut trun) = traf.next(b"trun");
        assert!(traf.0.is_empty());
        let version_flags = trun.u32();
        assert_eq!(version_flags & 0xff00_0001, 0x0100_0001, "version 1, data offset");
        let count = trun.u32();
        assert_eq!(
            moof_start + trun.u32() as usize,
            payload_start,
            "data_offset is at the first byte of payload"
        );
        let mut first_flags = (version_flags & 0x04 != 0).then(|| trun.u32());
        assert!(
            first_flags.is_none() || version_flags & 0x400 == 0,
            "first flags or flags of each (8.8.8.1)"
        );
        let mut bytes = payload;
        let mut samples = Vec::new();
        for _ in 0..count {
            let mut column = |flag: u32| (version_flags & flag != 0).then(|| trun.u32());
            let duration = column(0x100).or(duration).expect("nothing is left to trex");
            let size = column(0x200).or(size).expect("nothing is left to trex");
            let flags =
                column(0x400).or(first_flags.take()).or(sample_flags).expect("nothing is left to trex");
            let offset = column(0x800).unwrap_or(0).cast_signed();
            samples.push((duration, offset, flags, bytes.take(size as usize)));
        }
        assert!(trun.0.is_empty() && bytes.0.is_empty(), "nothing is left over");
        Read { sequence_number, base_decode_time, samples }
    }

    fn nonzero(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    const SOURCE_LEN: u32 = 4096;

    fn source() -> Vec<u8> {
        (0..SOURCE_LEN).map(|n| (n * 7 + n / 256) as u8).collect()
    }

    /// Samples of few different values each, so that equal columns are common.
    fn samples() -> impl Strategy<Value = Samples> {
        let flags = prop_oneof![
            Just(SampleFlags::SYNC),
            Just(SampleFlags::INTER),
            Just(SampleFlags::INTER.disposable()),
            Just(SampleFlags::INTRA),
        ];
        let range = (0..SOURCE_LEN - 40, prop_oneof![Just(20_u32), 1..40_u32]);
        let range = range.prop_map(|(offset, len)| SourceRange { offset: u64::from(offset), len });
        let sample = (
            prop_oneof![3 => Just(512_u32), 1 => 1..2000_u32],
            prop_oneof![3 => Just(0), 1 => -600..600_i32],
            flags,
            prop::collection::vec(range, 1..4),
        );
        let framing = prop_oneof![Just(Framing::LengthPrefixed), Just(Framing::Raw)];
        (framing, prop::collection::vec(sample, 1..12), any::<bool>()).prop_map(
            |(framing, drawn, in_order)| {
                let mut samples = Samples::new(framing);
                let mut offsets = Vec::new();
                for (duration, offset, flags, ranges) in drawn {
                    let flags = if samples.is_empty() { SampleFlags::SYNC } else { flags };
                    samples.push(&ranges, flags, duration).unwrap();
                    offsets.push(if in_order { 0 } else { offset });
                }
                shift_to_zero(&samples, &mut offsets);
                samples.set_composition_offsets(offsets.into_iter().map(CompositionOffset).collect());
                samples
            },
        )
    }

    /// Moves all composition times so that the earliest is 0.
    fn shift_to_zero(samples: &Samples, offsets: &mut [i32]) {
        let mut decode_time = 0;
        let earliest = samples.iter().zip(&*offsets).map(|(sample, &offset)| {
            let time = decode_time + i64::from(offset);
            decode_time += i64::from(sample.duration);
            time
        });
        let earliest = earliest.min().unwrap() as i32;
        offsets.iter_mut().for_each(|offset| *offset -= earliest);
    }

    proptest! {
        #[test]
        fn a_segment_reads_back_as_its_samples(track in samples(), number in 1..u32::MAX, start in 0..u64::MAX / 2) {
            let source = source();
            let fragment = Fragment::new(nonzero(number), DecodeTime(start), track.iter()).unwrap();
            let list = fragment.piece_list().unwrap();
            let mut segment = b"before".to_vec();
            list.write_to(&source, &mut segment).unwrap();
            let segment = &segment[6..];
            prop_assert_eq!(segment.len() as u64, list.len());

            let payload: Vec<Vec<u8>> = (0..track.len()).map(|index| payload_of(index, &track, &source)).collect();
            let expected = Read {
                sequence_number: number,
                base_decode_time: start,
                samples: track.iter().zip(&payload).map(|(sample, payload)| {
                    (sample.duration, sample.composition_offset.0, sample.flags.bits(), payload.as_slice())
                }).collect(),
            };
            prop_assert_eq!(read(segment), expected);
            let total: u64 = track.iter().map(|sample| u64::from(sample.duration)).sum();
            prop_assert_eq!(fragment.header().duration(), Ticks(total));
        }

        #[test]
        fn a_list_that_is_used_again_equals_a_new_one(first in samples(), second in samples()) {
            let fragment = |track: &Samples, list: &mut PieceList| {
                Fragment::new(nonzero(1), DecodeTime(0), track.iter())
                    .unwrap()
                    .piece_list_into(list)
                    .unwrap();
            };
            let (mut used, mut new) = (PieceList::default(), PieceList::default());
            fragment(&first, &mut used);
            fragment(&second, &mut used);
            fragment(&second, &mut new);
            prop_assert_eq!(used, new);
        }
    }

    fn payload_of(index: usize, track: &Samples, source: &[u8]) -> Vec<u8> {
        let mut payload = Vec::new();
        for SourceRange { offset, len } in track.run(index..index + 1).source_ranges() {
            if track.framing() == Framing::LengthPrefixed {
                payload.extend(len.to_be_bytes());
            }
            payload.extend(&source[offset as usize..][..len as usize]);
        }
        payload
    }

    const OFFSETS: [i32; 3] = [0, 1000, -1000];

    /// Three pictures of a NAL unit of ten bytes each.
    fn pictures() -> Samples {
        timed_pictures(SampleFlags::SYNC, [1000; 3], OFFSETS)
    }

    fn timed_pictures(first: SampleFlags, durations: [u32; 3], offsets: [i32; 3]) -> Samples {
        let mut samples = Samples::new(Framing::LengthPrefixed);
        let flags = [first, SampleFlags::INTER, SampleFlags::INTER.disposable()];
        for ((flags, duration), number) in flags.into_iter().zip(durations).zip(0..) {
            samples.push(&[SourceRange { offset: 100 * number, len: 10 }], flags, duration).unwrap();
        }
        samples.set_composition_offsets(offsets.map(CompositionOffset).to_vec());
        samples
    }

    fn error_of(track: &Samples) -> String {
        Fragment::new(nonzero(7), DecodeTime(0), track.iter()).unwrap_err().to_string()
    }

    #[test]
    fn an_independent_reader_finds_the_samples() {
        let track = pictures();
        let fragment = Fragment::new(nonzero(7), DecodeTime(6000), track.iter()).unwrap();
        let mut segment = Vec::new();
        fragment.piece_list().unwrap().write_to(&source(), &mut segment).unwrap();

        let mut buf = segment.as_slice();
        let styp = mp4_atom::Styp::decode(&mut buf).unwrap();
        let brands: Vec<String> = styp.compatible_brands.iter().map(ToString::to_string).collect();
        assert_eq!(
            (styp.major_brand.to_string().as_str(), brands.join(" ").as_str()),
            ("cmfs", "cmfs cmff cmfl msdh")
        );
        let moof_start = segment.len() - buf.len();
        let moof = mp4_atom::Moof::decode(&mut buf).unwrap();
        assert_eq!(moof.mfhd.sequence_number, 7);
        let [traf] = moof.traf.as_slice() else { panic!("one traf") };
        assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, 6000);
        assert_eq!(
            (traf.tfhd.default_sample_duration, traf.tfhd.default_sample_size),
            (Some(1000), Some(14))
        );
        let [trun] = traf.trun.as_slice() else { panic!("one trun") };
        assert_eq!(moof_start as i32 + trun.data_offset.unwrap(), segment.len() as i32 - 42);
        let rows: Vec<_> = trun.samples.iter().map(|entry| (entry.flags, entry.cts)).collect();
        assert_eq!(
            rows,
            [(Some(0x0200_0000), Some(0)), (Some(0x0101_0000), Some(1000)), (Some(0x0181_0000), Some(-1000)),]
        );
        let mdat = mp4_atom::Mdat::decode(&mut buf).unwrap();
        assert_eq!(mdat.data[..5], [0, 0, 0, 10, source()[0]]);
        assert!(buf.is_empty());
    }

    #[test]
    fn a_segment_starts_with_a_sync_sample_and_has_one() {
        let track = timed_pictures(SampleFlags::INTRA, [1000; 3], OFFSETS);
        assert!(error_of(&track).contains("segment 7 of 3 samples would not start with a sync sample"));
        assert!(error_of(&Samples::new(Framing::Raw)).contains("segment 7 would have no sample"));
    }

    #[test]
    fn times_that_no_reader_could_follow_are_refused() {
        let timed = |durations, offsets| timed_pictures(SampleFlags::SYNC, durations, offsets);
        let error = error_of(&timed([1000, 0, 1000], OFFSETS));
        assert!(error.contains("sample 2 of segment 7 lasts 0 ticks"));
        let error = error_of(&timed([1000; 3], [500, 1000, -1000]));
        assert!(error.contains("is +500 ticks from its first decode time"));
        let error = error_of(&timed([1000; 3], [0, 1000, -2500]));
        assert!(error.contains("is -500 ticks from its first decode time"));
        let track = pictures();
        let end = Header::new(nonzero(1), DecodeTime(u64::MAX - 2999), track.iter());
        assert!(end.unwrap_err().to_string().contains("the decode time at the end of segment 1"));
    }

    #[test]
    fn a_nal_unit_takes_two_small_pieces() {
        assert!(size_of::<Piece>() <= 24);
        let track = pictures();
        let fragment = Fragment::new(nonzero(1), DecodeTime(0), track.iter()).unwrap();
        assert_eq!(fragment.piece_list().unwrap().pieces().len(), 1 + 2 * 3);
    }
}
