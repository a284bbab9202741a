//! IVF file ► its frames: where each payload lies, and its timestamp. Pure; the driver is
//! [`crate::io::windows::obu::read_ivf`].
//!
//! IVF has no standard. The layout is that of the page "Duck IVF" of MultimediaWiki and of the structures in Chromium's
//! `ivf_parser.h`: integers are little-endian, a header of 32 bytes, and each frame behind 12 bytes of its own. The number of
//! frames in the header is not read: writers that cannot go back leave it 0, and FFmpeg writes a duration there.

use std::sync::Arc;

use super::{Count, SourceRange};
use crate::error::{Error, Result};
use crate::time::FrameRate;

/// Bytes of the file header.
pub const HEADER_LEN: usize = 32;
/// Bytes in front of each frame's payload.
pub const FRAME_HEADER_LEN: usize = 12;

const HEADER_CLAUSE: &str = "IVF file header";
const FRAME_CLAUSE: &str = "IVF frame header";

/// The fields of the file header that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IvfHeader {
    /// Width that the writer tells; the bitstream's own counts.
    pub width: u16,
    /// Height that the writer tells; the bitstream's own counts.
    pub height: u16,
    /// Units of `scale` in a second: the time base is `scale / rate` seconds. 0 where the writer knew none.
    pub rate: u32,
    /// See `rate`.
    pub scale: u32,
}

impl IvfHeader {
    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    /// For a header that is cut off or of another version or length, and for any codec but AV1.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        Self::read_of(bytes, IvfCodec::Av1)
    }

    /// The same of the one `codec`.
    ///
    /// # Errors
    /// Those of [`Self::read_any`], and for any other codec.
    pub fn read_of(bytes: &[u8], codec: IvfCodec) -> Result<Self> {
        match Self::read_any(bytes)? {
            (found, header) if found == codec => Ok(header),
            (found, _) => {
                let what = format!("an IVF file of {}, where {} is expected", found.name(), codec.name());
                Err(Error::conflict(what, "give one of that codec").at(8))
            }
        }
    }

    /// The same of any codec that is known, with that.
    ///
    /// # Errors
    /// For a header that is cut off or of another version or length, and for a codec that is no [`IvfCodec`].
    pub fn read_any(bytes: &[u8]) -> Result<(IvfCodec, Self)> {
        let Some(b) = bytes.first_chunk::<HEADER_LEN>().filter(|b| b.starts_with(b"DKIF")) else {
            return Err(Error::malformed(
                format!("no IVF header of {HEADER_LEN} bytes that begins with DKIF"),
                HEADER_CLAUSE,
                "give a whole IVF file",
            )
            .at(0));
        };
        let u16_at = |at: usize| u16::from_le_bytes([b[at], b[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
        if u16_at(4) != 0 {
            return Err(Error::out_of_range("version", u16_at(4), "0", HEADER_CLAUSE).at(4));
        }
        if usize::from(u16_at(6)) != HEADER_LEN {
            return Err(Error::out_of_range("length of header", u16_at(6), "32", HEADER_CLAUSE).at(6));
        }
        let codec = IvfCodec::of([b[8], b[9], b[10], b[11]])?;
        let header = Self { width: u16_at(12), height: u16_at(14), rate: u32_at(16), scale: u32_at(20) };
        Ok((codec, header))
    }

    /// Frames a second when each lasts `step` units of the time base; `None` where that is no frame rate.
    pub fn frame_rate(&self, step: u64) -> Option<FrameRate> {
        FrameRate::new(u64::from(self.rate), u64::from(self.scale).checked_mul(step)?)
    }
}

/// A codec in IVF that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IvfCodec {
    /// `AV01`.
    Av1,
    /// `VP90`.
    Vp9,
}

impl IvfCodec {
    fn of(fourcc: [u8; 4]) -> Result<Self> {
        const REMEDY: &str = "give AV1 (AV01) or VP9 (VP90) in IVF, AV1 as OBUs, or H.264 as Annex B";
        let refuse = |what: String| Err(Error::unsupported(what, REMEDY).at(8));
        match &fourcc {
            b"AV01" => Ok(Self::Av1),
            b"VP90" => Ok(Self::Vp9),
            b"VP80" => refuse("VP8 in IVF".into()),
            _ => refuse(format!("IVF with the codec '{}'", fourcc.escape_ascii())),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Av1 => "AV1",
            Self::Vp9 => "VP9",
        }
    }
}

/// One frame of an IVF file: in AV1 as a rule one temporal unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IvfFrame {
    /// Its bytes, above 0.
    pub payload: SourceRange,
    /// Presentation time in units of the time base.
    pub timestamp: i64,
}

/// Reads what stands at `offset` of a source of `source_len` bytes: `bytes` are those from there on,
/// [`FRAME_HEADER_LEN`] or up to the end of the source.
///
/// # Errors
/// [`Unreadable::Incomplete`] for a frame that is not all there; an error for one without a payload.
pub fn read_frame(offset: u64, source_len: u64, bytes: &[u8]) -> Result<IvfFrame, Unreadable> {
    let left = source_len - offset;
    let Some(b) = bytes.first_chunk::<FRAME_HEADER_LEN>() else {
        let what = format!("the last frame has only {left} of the {FRAME_HEADER_LEN} bytes of its header");
        return Err(Unreadable::incomplete(what, offset));
    };
    let len = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let timestamp = i64::from_le_bytes([b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11]]);
    if len == 0 {
        let remedy = "the file is damaged there, or its encoder dropped a frame: write it again without";
        return Err(Unreadable::Broken(
            Error::malformed("the frame has no bytes", FRAME_CLAUSE, remedy).at(offset),
        ));
    }
    let payload = SourceRange { offset: offset + FRAME_HEADER_LEN as u64, len };
    let there = left - FRAME_HEADER_LEN as u64;
    if u64::from(len) > there {
        let what = format!("the last frame has only {there} of its {len} bytes");
        return Err(Unreadable::incomplete(what, offset));
    }
    Ok(IvfFrame { payload, timestamp })
}

/// Why there is no frame.
#[derive(Debug)]
pub enum Unreadable {
    /// The source ends within it: the error to give where it may not be dropped.
    Incomplete(Error),
    /// It breaks a rule.
    Broken(Error),
}

impl Unreadable {
    fn incomplete(what: String, offset: u64) -> Self {
        let remedy = "copy the file again, or drop the incomplete frame with --drop-incomplete";
        Self::Incomplete(Error::malformed(what, FRAME_CLAUSE, remedy).at(offset))
    }
}

/// What an IVF file consisted of. Its header, frame headers, payload and the incomplete frame add up to its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IvfReport {
    /// The file header.
    pub header: IvfHeader,
    /// Frames, and the bytes of their payload.
    pub frames: Count,
    /// The incomplete last frame, left out; at most one.
    pub incomplete_frames: Count,
    /// How timestamps go up from one temporal unit to the next.
    pub cadence: Cadence,
}

/// How timestamps go up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cadence {
    /// There were fewer than two.
    #[default]
    Unknown,
    /// Always by as much, above 0.
    Constant(u64),
    /// Once by something else, or not at all.
    Variable {
        /// Byte offset of the unit that comes too early or too late.
        offset: u64,
        /// Timestamp of the unit in front of it, …
        before: i64,
        /// … its own, …
        timestamp: i64,
        /// … and the step until there; 0 where it is the first.
        step: u64,
        /// Those of all units, in order.
        timestamps: Arc<[i64]>,
    },
}

/// Watches timestamps, and keeps them from the first on that comes too early or too late.
#[derive(Clone, Debug, Default)]
pub(crate) struct CadenceWatch {
    first: Option<i64>,
    last: Option<i64>,
    /// How many there were.
    count: u64,
    step: Option<u64>,
    variable: Option<Variable>,
}

/// See [`Cadence::Variable`].
#[derive(Clone, Debug)]
struct Variable {
    offset: u64,
    before: i64,
    timestamp: i64,
    step: u64,
    timestamps: Vec<i64>,
}

impl CadenceWatch {
    /// Takes the timestamp of the next temporal unit, which begins at `offset`.
    pub(crate) fn push(&mut self, timestamp: i64, offset: u64) {
        self.count += 1;
        if let Some(variable) = &mut self.variable {
            variable.timestamps.push(timestamp);
            return;
        }
        let first = *self.first.get_or_insert(timestamp);
        let Some(before) = self.last.replace(timestamp) else { return };
        let grown = timestamp.checked_sub(before).and_then(|step| u64::try_from(step).ok()).unwrap_or(0);
        match self.step {
            None if grown > 0 => self.step = Some(grown),
            Some(step) if step == grown => {}
            step => {
                let step = step.unwrap_or(0);
                // Constant until here, from the first on: steps that fitted 63 bits.
                let constant = (0..self.count - 1).map(|index| first.wrapping_add_unsigned(index * step));
                let timestamps = constant.chain([timestamp]).collect();
                self.variable = Some(Variable { offset, before, timestamp, step, timestamps });
            }
        }
    }

    pub(crate) fn cadence(self) -> Cadence {
        match (self.variable, self.step) {
            (Some(Variable { offset, before, timestamp, step, timestamps }), _) => {
                Cadence::Variable { offset, before, timestamp, step, timestamps: timestamps.into() }
            }
            (None, Some(step)) => Cadence::Constant(step),
            (None, None) => Cadence::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From FFmpeg 5.1's `-f lavfi -i testsrc2=size=64x48:rate=30000/1001 -c:v libaom-av1 -f ivf`, up to the first frame's
    // payload of 510 bytes.
    const FFMPEG: [u8; 44] = [
        0x44, 0x4b, 0x49, 0x46, 0x00, 0x00, 0x20, 0x00, 0x41, 0x56, 0x30, 0x31, 0x40, 0x00, 0x30, 0x00, 0x30,
        0x75, 0x00, 0x00, 0xe9, 0x03, 0x00, 0x00, 0x1e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfe, 0x01,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ];

    fn changed(at: usize, bytes: &[u8]) -> [u8; 44] {
        let mut file = FFMPEG;
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    }

    fn refusal(file: &[u8]) -> (Option<u64>, String) {
        let error = IvfHeader::read(file).unwrap_err();
        (error.offset(), error.to_string())
    }

    #[test]
    fn reads_a_real_header_whose_rate_is_units_a_second() {
        let header = IvfHeader::read(&FFMPEG).unwrap();
        assert_eq!(header, IvfHeader { width: 64, height: 48, rate: 30_000, scale: 1001 });
        assert_eq!(header.frame_rate(1), FrameRate::new(30_000, 1001));
        let header = IvfHeader { rate: 50, scale: 2, ..header };
        assert_eq!(header.frame_rate(1), FrameRate::new(25, 1));
        for (rate, scale, step) in [(0, 1, 1), (25, 0, 1), (25, 1, 0), (30_000, 1, 1), (1, 2, u64::MAX)] {
            assert_eq!(IvfHeader { rate, scale, ..header }.frame_rate(step), None);
        }
    }

    #[test]
    fn headers_that_are_not_understood_are_refused_with_their_place() {
        for (file, offset, part) in [
            (&FFMPEG[..31], 0, "no IVF header of 32 bytes"),
            (&changed(3, b"f")[..], 0, "no IVF header"),
            (&changed(4, &[1]), 4, "version is 1, must be 0"),
            (&changed(6, &[36]), 6, "length of header is 36, must be 32"),
            (&changed(8, b"VP90"), 8, "an IVF file of VP9, where AV1 is expected"),
            (&changed(8, b"VP80"), 8, "VP8 in IVF"),
            (&changed(8, b"H\xff\n4"), 8, "IVF with the codec 'H\\xff\\n4'"),
        ] {
            let (found, line) = refusal(file);
            assert_eq!(found, Some(offset), "{line}");
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn a_frame_is_its_payload_and_a_signed_timestamp() {
        let read = |file: &[u8]| read_frame(32, file.len() as u64, &file[32..44]);
        let whole = [&FFMPEG[..], &[0; 510]].concat();
        let payload = SourceRange { offset: 44, len: 510 };
        assert_eq!(read(&whole).unwrap(), IvfFrame { payload, timestamp: 0 });
        let negative = [&changed(36, &[0xff; 8])[..], &[0; 510]].concat();
        assert_eq!(read(&negative).unwrap().timestamp, -1);
    }

    #[test]
    fn frames_that_are_cut_off_or_empty_are_refused_with_their_place() {
        for (file, part) in [
            (&FFMPEG[..40], "only 8 of the 12 bytes of its header"),
            (&FFMPEG[..], "only 0 of its 510 bytes"),
            (&[&FFMPEG[..], &[0x12; 509]].concat(), "only 509 of its 510 bytes"),
        ] {
            let Unreadable::Incomplete(error) = read_frame(32, file.len() as u64, &file[32..]).unwrap_err()
            else {
                panic!("it is cut off")
            };
            assert_eq!(error.offset(), Some(32));
            assert!(error.to_string().contains(part), "{error}");
        }
        let empty = changed(32, &[0, 0]);
        let Unreadable::Broken(error) = read_frame(32, 44, &empty[32..]).unwrap_err() else {
            panic!("it is empty")
        };
        assert!(error.to_string().contains("no bytes"), "{error}");
    }

    #[test]
    fn timestamps_are_constant_when_every_step_is_the_first() {
        let watch = |timestamps: &[i64]| {
            let mut watch = CadenceWatch::default();
            for (&timestamp, offset) in timestamps.iter().zip((0..).step_by(100)) {
                watch.push(timestamp, offset);
            }
            watch.cadence()
        };
        let variable = |offset, before, timestamp, step, timestamps: &[i64]| Cadence::Variable {
            offset,
            before,
            timestamp,
            step,
            timestamps: timestamps.into(),
        };
        assert_eq!(watch(&[]), Cadence::Unknown);
        assert_eq!(watch(&[7]), Cadence::Unknown);
        assert_eq!(watch(&[7, 10, 13, 16]), Cadence::Constant(3));
        assert_eq!(watch(&[-3, 0, 3]), Cadence::Constant(3));
        assert_eq!(watch(&[0, 33, 67, 100]), variable(200, 33, 67, 33, &[0, 33, 67, 100]));
        assert_eq!(watch(&[0, 1, 2, 2, 3]), variable(300, 2, 2, 1, &[0, 1, 2, 2, 3]));
        assert_eq!(watch(&[5, 5, 6]), variable(100, 5, 5, 0, &[5, 5, 6]));
        assert_eq!(watch(&[5, 4, 3]), variable(100, 5, 4, 0, &[5, 4, 3]));
        assert_eq!(watch(&[i64::MIN, i64::MAX]), variable(100, i64::MIN, i64::MAX, 0, &[i64::MIN, i64::MAX]));
    }
}
