//! Header of a chunk: `moof{mfhd, traf{tfhd, tfdt, trun}}` and the header of the `mdat` behind it. Which columns `trun`
//! has, and what `tfhd` says once for all, follows from the samples alone, so equal samples give equal bytes.

use std::num::NonZeroU32;

use bytemuck::{Pod, Zeroable};

use super::{BoxWriter, FourCc, TRACK_ID};
use crate::bytes::{I32, U32, U64};
use crate::error::{Error, ErrorKind, Result};
use crate::time::DecodeTime;

/// What a chunk's header says beside its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// `mfhd.sequence_number`. One chunk a segment: it is the segment's number.
    pub sequence_number: NonZeroU32,
    /// Decode time of the first sample.
    pub base_media_decode_time: DecodeTime,
    /// Every sample is in the roll group of the init segment, which `sbgp` says.
    pub in_roll_group: bool,
}

/// One sample as `trun` sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// `sample_duration`, ticks.
    pub duration: u32,
    /// `sample_size`, bytes.
    pub size: u32,
    /// `sample_flags` (ISO/IEC 14496-12 8.8.3.1), not to be taken for the flags of a box.
    pub sample_flags: u32,
    /// `sample_composition_time_offset`, ticks.
    pub composition_offset: i32,
}

/// MovieFragmentHeaderBox body. ISO/IEC 14496-12 8.8.5.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Mfhd {
    sequence_number: U32,
}
const _: () = assert!(size_of::<Mfhd>() == 4);

/// TrackFragmentBaseMediaDecodeTimeBox body, version 1. ISO/IEC 14496-12 8.8.12.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct TfdtV1 {
    base_media_decode_time: U64,
}
const _: () = assert!(size_of::<TfdtV1>() == 8);

/// Writes `moof` and the header of its `mdat`; the samples' bytes belong right behind. `rows` is walked three times.
///
/// # Errors
/// When the samples are so many that their count does not fit 32 bits or the header does not fit `data_offset`.
pub fn write_chunk_header<I>(w: &mut BoxWriter<'_>, chunk: &Chunk, rows: I) -> Result<()>
where
    I: ExactSizeIterator<Item = Row> + Clone,
{
    let sample_count = u32::try_from(rows.len()).map_err(|_| too_many(rows.len()))?;
    let columns = Columns::of(rows.clone());
    let payload_len = rows.clone().map(|row| u64::from(row.size)).sum();

    // 14496-12 8.8.7, 8.8.8: with default-base-is-moof, data_offset counts from the first byte of moof.
    let moof = w.position();
    let data_offset = w.nest(b"moof", |w| {
        w.full(b"mfhd", 0, 0, |w| w.pod(&Mfhd { sequence_number: chunk.sequence_number.get().into() }));
        w.nest(b"traf", |w| {
            write_tfhd(w, &columns);
            let base_media_decode_time = U64::new(chunk.base_media_decode_time.0);
            w.full(b"tfdt", 1, 0, |w| w.pod(&TfdtV1 { base_media_decode_time }));
            let data_offset = write_trun(w, &columns, sample_count, rows);
            if chunk.in_roll_group {
                write_roll_sbgp(w, sample_count);
            }
            data_offset
        })
    });
    w.header_only(b"mdat", payload_len);
    let offset = i32::try_from(w.position() - moof).map_err(|_| too_many(sample_count as usize))?;
    w.fill(data_offset, I32::new(offset));
    Ok(())
}

fn too_many(samples: usize) -> Error {
    Error::new(ErrorKind::TooLarge {
        what: "the number of samples in one segment".into(),
        value: samples as u64,
        // A row has up to four fields, and data_offset is signed. The exact limit depends on the columns.
        limit: i32::MAX as u64 / 16,
        clause: "ISO/IEC 14496-12 8.8.8",
        remedy: "use shorter segments".into(),
    })
}

/// Where a field of the samples is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// Once in `tfhd`, for all samples.
    Default(u32),
    /// Once in `tfhd` for all samples but the first, whose value stands in `trun`.
    DefaultButFirst { first: u32, rest: u32 },
    /// For each sample in `trun`.
    EachSample,
}

/// Where every field of the samples is written. Nothing is left to `trex`: 23000-19 7.7.3 wants it so for `cmf2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    duration: Field,
    size: Field,
    flags: Field,
    /// Whether there is a column of composition offsets; without one all are 0.
    composition_offsets: bool,
}

impl Columns {
    fn of(rows: impl Iterator<Item = Row> + Clone) -> Self {
        let duration = Field::of(rows.clone().map(|row| row.duration));
        let size = Field::of(rows.clone().map(|row| row.size));
        Self {
            // trun has a special place for the first sample's flags only.
            duration: duration.without_first(),
            size: size.without_first(),
            flags: Field::of(rows.clone().map(|row| row.sample_flags)),
            composition_offsets: rows.map(|row| row.composition_offset).any(|offset| offset != 0),
        }
    }
}

impl Field {
    fn of(mut values: impl Iterator<Item = u32>) -> Self {
        let first = values.next().unwrap_or(0);
        let Some(rest) = values.next() else { return Self::Default(first) };
        match values.all(|value| value == rest) {
            true if first == rest => Self::Default(first),
            true => Self::DefaultButFirst { first, rest },
            false => Self::EachSample,
        }
    }

    fn without_first(self) -> Self {
        match self {
            Self::DefaultButFirst { .. } => Self::EachSample,
            other => other,
        }
    }

    /// The value in `tfhd`.
    fn default(self) -> Option<u32> {
        match self {
            Self::Default(value) | Self::DefaultButFirst { rest: value, .. } => Some(value),
            Self::EachSample => None,
        }
    }
}

/// TrackFragmentHeaderBox. ISO/IEC 14496-12 8.8.7.
fn write_tfhd(w: &mut BoxWriter<'_>, columns: &Columns) {
    const SAMPLE_DESCRIPTION_INDEX_PRESENT: u32 = 0x00_0002;
    const DEFAULT_SAMPLE_DURATION_PRESENT: u32 = 0x00_0008;
    const DEFAULT_SAMPLE_SIZE_PRESENT: u32 = 0x00_0010;
    const DEFAULT_SAMPLE_FLAGS_PRESENT: u32 = 0x00_0020;
    const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;

    let defaults = [
        (DEFAULT_SAMPLE_DURATION_PRESENT, columns.duration.default()),
        (DEFAULT_SAMPLE_SIZE_PRESENT, columns.size.default()),
        (DEFAULT_SAMPLE_FLAGS_PRESENT, columns.flags.default()),
    ];
    let present =
        defaults.iter().filter(|(_, value)| value.is_some()).fold(0, |flags, (flag, _)| flags | flag);
    let flags = DEFAULT_BASE_IS_MOOF | SAMPLE_DESCRIPTION_INDEX_PRESENT | present;
    w.full(b"tfhd", 0, flags, |w| {
        w.u32(TRACK_ID); // track_ID
        w.u32(1); // sample_description_index
        defaults.iter().filter_map(|(_, value)| *value).for_each(|value| w.u32(value));
    });
}

/// SampleToGroupBox that has all samples in the first roll group of the init segment (`sgpd`). ISO/IEC 14496-12 8.9.2.
fn write_roll_sbgp(w: &mut BoxWriter<'_>, sample_count: u32) {
    w.full(b"sbgp", 0, 0, |w| {
        w.pod(&FourCc(*b"roll")); // grouping_type
        w.u32(1); // entry_count
        w.u32(sample_count);
        w.u32(1); // group_description_index
    });
}

/// TrackRunBox, version 1. ISO/IEC 14496-12 8.8.8. Gives the place of `data_offset`.
fn write_trun(
    w: &mut BoxWriter<'_>,
    columns: &Columns,
    sample_count: u32,
    rows: impl Iterator<Item = Row>,
) -> super::Slot<I32> {
    const DATA_OFFSET_PRESENT: u32 = 0x00_0001;
    const FIRST_SAMPLE_FLAGS_PRESENT: u32 = 0x00_0004;
    const SAMPLE_DURATION_PRESENT: u32 = 0x00_0100;
    const SAMPLE_SIZE_PRESENT: u32 = 0x00_0200;
    const SAMPLE_FLAGS_PRESENT: u32 = 0x00_0400;
    const SAMPLE_COMPOSITION_TIME_OFFSETS_PRESENT: u32 = 0x00_0800;

    let durations = columns.duration == Field::EachSample;
    let sizes = columns.size == Field::EachSample;
    let sample_flags = columns.flags == Field::EachSample;
    let first_sample_flags = match columns.flags {
        Field::DefaultButFirst { first, .. } => Some(first),
        _ => None,
    };
    let flag = |present: bool, flag: u32| if present { flag } else { 0 };
    let flags = DATA_OFFSET_PRESENT
        | flag(first_sample_flags.is_some(), FIRST_SAMPLE_FLAGS_PRESENT)
        | flag(durations, SAMPLE_DURATION_PRESENT)
        | flag(sizes, SAMPLE_SIZE_PRESENT)
        | flag(sample_flags, SAMPLE_FLAGS_PRESENT)
        | flag(columns.composition_offsets, SAMPLE_COMPOSITION_TIME_OFFSETS_PRESENT);
    w.full(b"trun", 1, flags, |w| {
        w.u32(sample_count);
        let data_offset = w.slot();
        if let Some(flags) = first_sample_flags {
            w.u32(flags);
        }
        for row in rows {
            if durations {
                w.u32(row.duration);
            }
            if sizes {
                w.u32(row.size);
            }
            if sample_flags {
                w.u32(row.sample_flags);
            }
            if columns.composition_offsets {
                w.i32(row.composition_offset);
            }
        }
        data_offset
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: u32 = 0x0200_0000;
    const INTER: u32 = 0x0101_0000;

    fn row(duration: u32, size: u32, sample_flags: u32, composition_offset: i32) -> Row {
        Row { duration, size, sample_flags, composition_offset }
    }

    fn header(sequence_number: u32, base_media_decode_time: u64, rows: &[Row]) -> Vec<u8> {
        let chunk = Chunk {
            sequence_number: NonZeroU32::new(sequence_number).unwrap(),
            base_media_decode_time: DecodeTime(base_media_decode_time),
            in_roll_group: false,
        };
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        write_chunk_header(&mut w, &chunk, rows.iter().copied()).unwrap();
        w.finish().unwrap();
        out
    }

    #[test]
    #[rustfmt::skip]
    fn video_header_as_ffmpeg_but_for_the_default_size() {
        // FFmpeg 5.1: `ffmpeg -f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264 -bf 2 -g 5 -pix_fmt yuv420p
        // -movflags +cmaf+delay_moov+negative_cts_offsets+frag_keyframe -f mp4`, first fragment.
        let ffmpeg = [
            b"\0\0\0\x94moof".as_slice(),
            b"\0\0\0\x10mfhd\0\0\0\0\0\0\0\x01",                         // sequence_number 1
            b"\0\0\0\x7ctraf",
            b"\0\0\0\x20tfhd\0\x02\0\x3a",                               // base is moof; index, duration, size, flags
            b"\0\0\0\x01\0\0\0\x01\0\0\x02\0",                           // track_ID 1, entry 1, duration 512
            b"\0\0\x10\x66",                                             // size 4198
            b"\x01\x01\0\0",                                             // flags: inter
            b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\x40trun\x01\0\x0a\x05",                             // version 1; offset, first flags, size, cts
            b"\0\0\0\x05\0\0\0\x9c\x02\0\0\0",                           // 5 samples, data_offset, first is sync
            b"\0\0\x10\x66\0\0\0\0",     b"\0\0\x05\xf8\0\0\x04\0",        // size, cts: 0, +1024
            b"\0\0\x03\xe0\xff\xff\xfe\0", b"\0\0\x03\x11\xff\xff\xfe\0",    // -512, -512
            b"\0\0\x03\xb6\0\0\0\0",                                     // 0
            b"\0\0\x21\x0dmdat",
        ].concat();
        // Every sample has its size in trun, so a default says nothing: ours has none, and four bytes less up to trun.
        let mut expected = ffmpeg;
        expected.drain(56..60);
        for (at, value) in [(3, 0x90), (27, 0x78), (35, 0x1c), (43, 0x2a), (99, 0x98)] {
            expected[at] = value; // moof, traf and tfhd sizes, tfhd flags, data_offset
        }
        let rows = [
            row(512, 0x1066, SYNC, 0), row(512, 0x5f8, INTER, 1024), row(512, 0x3e0, INTER, -512),
            row(512, 0x311, INTER, -512), row(512, 0x3b6, INTER, 0),
        ];
        assert_eq!(header(1, 0, &rows), expected);
    }

    #[test]
    #[rustfmt::skip]
    fn audio_header_as_ffmpeg() {
        // FFmpeg 5.1 as in `moov`'s tests, last fragment of the sound, which is one sample.
        let ffmpeg = [
            b"\0\0\0\x68moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x03\0\0\0\x50traf".as_slice(),
            b"\0\0\0\x20tfhd\0\x02\0\x3a\0\0\0\x01\0\0\0\x01\0\0\x03\0\0\0\x01\x45\x02\0\0\0", // 768 ticks, 325 bytes
            b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\x01\x78\0",
            b"\0\0\0\x14trun\x01\0\0\x01\0\0\0\x01\0\0\0\x70",
            b"\0\0\x01\x4dmdat",
        ].concat();
        assert_eq!(header(3, 0x17800, &[row(768, 325, SYNC, 0)]), ffmpeg);
    }

    #[test]
    fn roll_group_as_ffmpeg() {
        // FFmpeg 5.1: `ffmpeg -f lavfi -i sine=r=48000:d=1 -ac 2 -c:a aac -f mp4`, 48 samples; in `stbl` there, in `traf` here.
        let ffmpeg = b"\0\0\0\x1csbgp\0\0\0\0roll\0\0\0\x01\0\0\0\x30\0\0\0\x01";
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        write_roll_sbgp(&mut w, 48);
        w.finish().unwrap();
        assert_eq!(out, ffmpeg);
        // Of Opus FFmpeg leaves those in front of the fifth sample out, which have no four before them. As the encapsulation of
        // Opus has every sample need its pre-roll, all are in here: its box with the second of its two entries alone.
        let opus = b"\0\0\0\x24sbgp\0\0\0\0roll\0\0\0\x02\0\0\0\x04\0\0\0\0\0\0\0\x99\0\0\0\x01";
        assert_eq!((&out[4..16], &out[24..]), (&opus[4..16], &opus[32..]));
    }

    #[test]
    fn the_roll_group_stands_behind_the_run_and_counts_in_the_data_offset() {
        let chunk = Chunk {
            sequence_number: NonZeroU32::MIN,
            base_media_decode_time: DecodeTime(0),
            in_roll_group: true,
        };
        let rows = [row(960, 3, SYNC, 0), row(456, 4, SYNC, 0)];
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        write_chunk_header(&mut w, &chunk, rows.into_iter()).unwrap();
        w.finish().unwrap();
        let at = |kind: &[u8; 4]| out.windows(4).position(|window| window == kind).unwrap();
        assert!(at(b"tfdt") < at(b"trun") && at(b"trun") < at(b"sbgp") && at(b"sbgp") < at(b"mdat"));
        assert_eq!(fields(&out, b"sbgp").1, [u32::from_be_bytes(*b"roll"), 1, 2, 1]);
        assert_eq!(fields(&out, b"trun").1[1], offset(&out));
    }

    #[test]
    fn nothing_varies_but_the_first_sample() {
        let rows = [row(512, 700, SYNC, 0), row(512, 700, INTER, 0), row(512, 700, INTER, 0)];
        let bytes = header(1, 0, &rows);
        assert_eq!(fields(&bytes, b"tfhd"), (0x00_02_00_3a, [1, 1, 512, 700, INTER].to_vec()));
        assert_eq!(fields(&bytes, b"trun"), (0x01_00_00_05, [3, offset(&bytes), SYNC].to_vec()));
    }

    #[test]
    fn second_sync_sample_keeps_its_flags() {
        let flags = [SYNC, INTER, SYNC, INTER];
        let rows = flags.map(|flags| row(512, 700, flags, 0));
        let bytes = header(1, 0, &rows);
        assert_eq!(fields(&bytes, b"tfhd"), (0x00_02_00_1a, [1, 1, 512, 700].to_vec()));
        let expected = [&[4, offset(&bytes)], flags.as_slice()].concat();
        assert_eq!(fields(&bytes, b"trun"), (0x01_00_04_01, expected));
    }

    #[test]
    fn a_different_first_duration_or_size_makes_a_column() {
        let rows = [row(513, 701, SYNC, 0), row(512, 700, SYNC, 0), row(512, 700, SYNC, 0)];
        let bytes = header(1, 0, &rows);
        assert_eq!(fields(&bytes, b"tfhd"), (0x00_02_00_22, [1, 1, SYNC].to_vec()));
        let expected = [3, offset(&bytes), 513, 701, 512, 700, 512, 700].to_vec();
        assert_eq!(fields(&bytes, b"trun"), (0x01_00_03_01, expected));
    }

    #[test]
    fn one_sample_is_all_defaults() {
        let bytes = header(7, 1 << 40, &[row(1024, 300, SYNC, 0)]);
        assert_eq!(fields(&bytes, b"mfhd"), (0, [7].to_vec()));
        assert_eq!(fields(&bytes, b"tfhd"), (0x00_02_00_3a, [1, 1, 1024, 300, SYNC].to_vec()));
        assert_eq!(fields(&bytes, b"tfdt"), (0x01_00_00_00, [0x100, 0].to_vec()));
        assert_eq!(fields(&bytes, b"trun"), (0x01_00_00_01, [1, offset(&bytes)].to_vec()));
    }

    #[test]
    fn a_payload_past_32_bits_has_a_largesize_that_data_offset_counts() {
        let bytes = header(1, 0, &[row(1, u32::MAX, SYNC, 0), row(1, 2, SYNC, 0)]);
        let (mdat, moof_len) = (bytes.len() - 16, bytes.len() as u32 - 16);
        assert_eq!(&bytes[mdat..], b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\x11");
        assert_eq!(fields(&bytes, b"trun").1[1], moof_len + 16);
    }

    /// Length of the header: what `data_offset` has to be.
    fn offset(bytes: &[u8]) -> u32 {
        u32::try_from(bytes.len()).unwrap()
    }

    /// Version and flags of the first full box of this type, and what follows as 32-bit words.
    fn fields(bytes: &[u8], kind: &[u8; 4]) -> (u32, Vec<u32>) {
        let start = bytes.windows(4).position(|window| window == kind).unwrap() - 4;
        let words: Vec<u32> =
            bytes[start..].chunks_exact(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
        let len = words[0] as usize / 4;
        (words[2], words[3..len].to_vec())
    }
}
