//! Samples of `av01`: the OBUs of one temporal unit each (AV1-ISOBMFF 2.4).

use super::{Look, OBU_SIZES, Placed, SAMPLE_IN_BAND, SAMPLE_PICTURE, SAMPLE_SYNC, Stop};
use crate::codec::av1::{FrameHeader, FrameType, ObuHeader, ObuKind, SequenceHeader};

/// Bytes of a sequence or frame header that are read.
const HEAD: u64 = 1024;

/// Looks into each sample; `record` is the body of `av1C`.
pub(super) fn check(record: &[u8], look: &mut Look<'_>) {
    let mut frames = Frames { sequence: sequence_of(record), head: Vec::new(), told: Vec::new() };
    for placed in look.samples() {
        if frames.sample(&placed, look).is_err() {
            return;
        }
    }
}

/// The sequence header in `configOBUs`, which stand behind four bytes.
fn sequence_of(record: &[u8]) -> Option<SequenceHeader> {
    let obus = record.get(4..)?;
    let header = ObuHeader::read(obus).ok().filter(|header| header.kind == ObuKind::SequenceHeader)?;
    let end = header.whole_len().map_or(obus.len(), |len| usize::try_from(len).unwrap_or(usize::MAX));
    SequenceHeader::read(obus.get(usize::from(header.len)..end)?).ok()
}

struct Frames {
    sequence: Option<SequenceHeader>,
    head: Vec<u8>,
    /// Kinds that do not belong into samples and were met: one finding says all of a kind.
    told: Vec<&'static str>,
}

/// What a sample turned out to hold.
#[derive(Default)]
struct Seen {
    /// A sequence header, in front of any frame.
    sequence: bool,
    /// The first frame: a key frame that is shown.
    key: Option<bool>,
    shown: bool,
    /// Some frame header could not be read.
    unknown: bool,
}

impl Frames {
    fn sample(&mut self, placed: &Placed, look: &mut Look<'_>) -> Result<(), Stop> {
        let (mut at, end) = (placed.place.start, placed.place.end);
        let mut seen = Seen::default();
        while at < end {
            look.read(at, (end - at).min(HEAD) as usize, &mut self.head)?;
            let header = match ObuHeader::read(&self.head) {
                Ok(header) => header,
                Err(error) => {
                    let message = format!("sample {}: {}", placed.index, error.kind());
                    look.add(&OBU_SIZES, at, message);
                    return Ok(());
                }
            };
            let len = header.whole_len().unwrap_or(end - at);
            if len > end - at {
                let message = format!(
                    "an OBU of sample {} has {len} bytes, and {} are left of the sample",
                    placed.index,
                    end - at
                );
                look.add(&OBU_SIZES, at, message);
                return Ok(());
            }
            self.obu(&header, at, len, &mut seen, look)?;
            at += len;
        }
        judge(placed, &seen, look);
        Ok(())
    }

    /// An OBU of `len` bytes at `offset`, whose first bytes are in `head`.
    fn obu(
        &mut self,
        header: &ObuHeader,
        offset: u64,
        len: u64,
        seen: &mut Seen,
        look: &mut Look<'_>,
    ) -> Result<(), Stop> {
        let end = self.head.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        let payload = self.head.get(usize::from(header.len)..end).unwrap_or_default();
        let at = offset + u64::from(header.len);
        match header.kind {
            ObuKind::SequenceHeader => match SequenceHeader::read(payload) {
                Ok(sequence) => {
                    seen.sequence |= seen.key.is_none();
                    self.sequence = Some(sequence);
                }
                Err(error) => look.fault(&error, at)?,
            },
            ObuKind::Frame | ObuKind::FrameHeader => {
                let Some(sequence) = &self.sequence else {
                    seen.unknown = true;
                    return Ok(());
                };
                match FrameHeader::read(payload, header, sequence) {
                    Ok(FrameHeader::ShowExisting { .. }) => {
                        seen.key.get_or_insert(false);
                        seen.shown = true;
                    }
                    Ok(FrameHeader::Coded(frame)) => {
                        seen.key.get_or_insert(frame.frame_type == FrameType::Key && frame.show_frame);
                        seen.shown |= frame.show_frame;
                    }
                    Err(error) => {
                        seen.unknown = true;
                        look.fault(&error, at)?;
                    }
                }
            }
            ObuKind::TemporalDelimiter => self.tell("a temporal delimiter", false, offset, look),
            ObuKind::Padding => self.tell("padding", false, offset, look),
            ObuKind::RedundantFrameHeader => self.tell("a redundant frame header", false, offset, look),
            ObuKind::TileList => self.tell("a tile list", true, offset, look),
            _ => {}
        }
        Ok(())
    }

    /// An OBU that should not be in samples, or must not (`is_forbidden`).
    fn tell(&mut self, what: &'static str, is_forbidden: bool, offset: u64, look: &mut Look<'_>) {
        if !self.told.contains(&what) {
            self.told.push(what);
            look.add_as(is_forbidden, &SAMPLE_IN_BAND, offset, format!("a sample has {what}"));
        }
    }
}

/// What the frames of a sample say against its flags.
fn judge(placed: &Placed, seen: &Seen, look: &mut Look<'_>) {
    if seen.unknown {
        return;
    }
    let (index, offset) = (placed.index, placed.place.start);
    if !seen.shown {
        look.add(&SAMPLE_PICTURE, offset, format!("sample {index} shows no frame"));
    }
    let starts = seen.sequence && seen.key == Some(true);
    let message = match (placed.sample.is_sync(), starts) {
        (true, false) => format!(
            "sample {index} is marked as a sync sample, and does not start with a sequence header and a key frame that is shown"
        ),
        (false, true) => {
            format!(
                "sample {index} starts with a sequence header and a key frame, and is not marked as a sync sample"
            )
        }
        _ => return,
    };
    look.add_as(look.cmaf || !starts, &SAMPLE_SYNC, offset, message);
}
