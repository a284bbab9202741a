//! The samples of a segment against the coded pictures and frames in them.
//!
//! Headers are read: lengths and sizes are walked by position, in windows of a few kilobytes; of sound that has checksums all of
//! it. Each segment is looked at by itself, with the configuration of its init segment. What the readers of bitstreams do not
//! know is no finding.

use std::ops::Range;

use super::files::FILE_UNREADABLE;
use super::findings::Findings;
use super::header::Header;
use super::rules::{Rule, Severity, declare_rules};
use super::segment::{Sample, Segment, Window, is_cmaf};
use crate::codec::h264::AvcRecord;
use crate::codec::h265::HevcRecord;
use crate::error::{Error, ErrorKind};
use crate::io::ReadAt;
use crate::scan::h264::H264;
use crate::scan::h265::H265;

mod aac;
mod ac3;
mod av1;
#[cfg(test)]
pub(in crate::verify) mod broken;
mod crc;
mod flac;
mod nal;
mod opus;
mod sound;
#[cfg(test)]
mod tests;
mod vp9;

declare_rules! {
    NAL_LENGTHS: Error "nal-lengths", "ISO/IEC 14496-15 4.3.3 (not opened)",
        "the lengths in a sample lead from NAL unit to NAL unit up to its end";
    OBU_SIZES: Error "obu-sizes", "AV1-ISOBMFF 2.4",
        "the sizes in a sample lead from OBU to OBU up to its end";
    SAMPLE_SYNTAX: Error "sample-syntax", "ISO/IEC 14496-12 8.6.1 (not opened)",
        "headers of NAL units, slices, OBUs, frames and packets in a sample can be read";
    SAMPLE_PICTURE: Error "sample-picture", "ISO/IEC 14496-15 5.2.2, AV1-ISOBMFF 2.4",
        "a sample has one picture, or the fields of one; of AV1 it shows a frame, of VP9 one frame";
    SAMPLE_SYNC: Error "sample-sync", "ISO/IEC 23000-19 7.5.17 (not opened)",
        "a sync sample is one that decoding can start at, and such a sample is marked as one";
    SAMPLE_ORDER: Error "sample-order", "H.264 8.2.1, H.265 8.3.1",
        "composition times put the pictures in the order that their order counts tell";
    SAMPLE_PARAMETER_SETS: Error "sample-parameter-sets", "H.264 7.4.1.2.1, H.265 7.4.2.4.2",
        "the parameter sets that a slice refers to are in the init segment or in front of it";
    SAMPLE_IN_BAND: Warning "sample-in-band", "AV1-ISOBMFF 2.4, ISO/IEC 14496-15 5.3.3.1 (not opened)",
        "samples of avc1 and hvc1 bring no parameter sets that the init segment lacks, samples of av01 no temporal delimiter, padding, redundant frame header or tile list";
    SAMPLE_FRAMES: Error "sample-frames", "RFC 6716 appendix B, VP9 bitstream specification Annex B, ETSI TS 102 366 F.3, F.5 (not opened)",
        "what is in a sample fills it: frames of VP9, a packet for each stream of Opus, a frame of FLAC that is no larger than STREAMINFO says, syncframes of AC-3 and E-AC-3 with six blocks";
    SAMPLE_DURATION: Error "sample-duration", "Encapsulation of Opus in ISO BMFF 4.3.4, of FLAC 3.3.4, ETSI TS 102 366 F.3, F.5 (not opened)",
        "a sample lasts as long as what is in it decodes to, but for the last one of a track, which may be cut short";
    SAMPLE_CONFIGURATION: Error "sample-configuration", "RFC 9639 9.1, ETSI TS 102 366 F.4, F.6, VP codec ISO media file format binding (not opened)",
        "what is in a sample is of the configuration in its sample entry: rate, channels, depth, profile, size of key frames";
    SAMPLE_CHECKSUM: Error "sample-checksum", "RFC 9639 9.1.8, 9.3, ETSI TS 102 366 4.4.5 (not opened)",
        "the checksums of frames of FLAC, AC-3 and E-AC-3 hold";
}

/// What a look into the samples of a segment came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// Why they were not looked into.
    pub not_checked: Option<&'static str>,
    /// The last sample lasts less than what is in it, as that of a track may.
    pub is_cut_short: bool,
    /// Samples of Opus are in no roll group of 80 ms.
    pub lacks_pre_roll: bool,
}

/// Looks into the samples of a segment; says so where it cannot, and why.
pub(super) fn check(
    file: &str,
    source: &dyn ReadAt,
    header: &Header,
    segment: &Segment,
    findings: &mut Findings,
) -> Looked {
    if header.entry.is_encrypted {
        let not_checked = Some("encrypted samples were not looked into");
        return Looked { not_checked, ..Looked::default() };
    }
    let end = source.len();
    let cmaf = header.brands.iter().chain(&segment.brands).any(is_cmaf);
    let window = Window::new(source, end);
    let mut look = Look { file, findings, segment, cmaf, window, end, looked: Looked::default() };
    let not_checked = check_samples(header, &mut look);
    Looked { not_checked, ..look.looked }
}

/// By codec. Why the samples were not looked into, if so.
fn check_samples(header: &Header, look: &mut Look<'_>) -> Option<&'static str> {
    const UNREADABLE: Option<&str> =
        Some("samples were not looked into whose decoder configuration cannot be read");
    let entry = &header.entry;
    let configuration = entry.configuration.as_ref().map(|(kind, body)| (&kind.0, body.as_slice()));
    let is_readable = match (&entry.format.0, configuration) {
        (format @ (b"avc1" | b"avc3"), Some((b"avcC", record))) => match AvcRecord::read(record) {
            Ok(record) => return nal::check::<H264>(&record, format == b"avc3", |_| true, look),
            Err(_) => false,
        },
        (format @ (b"hvc1" | b"hev1"), Some((b"hvcC", record))) => match HevcRecord::read(record) {
            Ok(record) => return nal::check::<H265>(&record, format == b"hev1", nal::is_idr_of_h265, look),
            Err(_) => false,
        },
        (b"av01", Some((b"av1C", record))) => {
            av1::check(record, look);
            true
        }
        (b"vp09", Some((b"vpcC", record))) => vp9::check(record, header, look),
        (b"mp4a", _) => {
            aac::check(look);
            true
        }
        (b"Opus", Some((b"dOps", record))) => opus::check(record, header, look),
        (b"fLaC", Some((b"dfLa", record))) => flac::check(record, header, look),
        (b"ac-3", Some((b"dac3", record))) => ac3::check(record, false, header, look),
        (b"ec-3", Some((b"dec3", record))) => ac3::check(record, true, header, look),
        (b"avc1" | b"avc3" | b"hvc1" | b"hev1" | b"av01" | b"vp09", _)
        | (b"Opus" | b"fLaC" | b"ac-3" | b"ec-3", _) => false,
        _ => return Some("samples were not looked into whose codec is not known here"),
    };
    if is_readable { None } else { UNREADABLE }
}

/// A segment that is looked into.
struct Look<'a> {
    file: &'a str,
    findings: &'a mut Findings,
    segment: &'a Segment,
    /// CMAF is claimed by a brand.
    cmaf: bool,
    window: Window<'a>,
    /// Bytes of the file.
    end: u64,
    looked: Looked,
}

/// Nothing more can be told of the segment.
struct Stop;

impl Look<'_> {
    fn add(&mut self, rule: &Rule, offset: u64, message: impl Into<String>) {
        self.findings.add(rule, self.file, Some(offset), message);
    }

    /// A finding that is a warning unless `is_error`.
    fn add_as(&mut self, is_error: bool, rule: &Rule, offset: u64, message: impl Into<String>) {
        let severity = if is_error { Severity::Error } else { Severity::Warning };
        let &Rule { id, clause, unverified, text, .. } = rule;
        self.add(&Rule { id, severity, clause, unverified, text }, offset, message);
    }

    /// What a reader of headers says of bytes that start at `offset`: a finding, or nothing more can be told.
    fn fault(&mut self, error: &Error, offset: u64) -> Result<(), Stop> {
        match error.kind() {
            ErrorKind::Truncated { .. } | ErrorKind::OutOfRange { .. } | ErrorKind::Malformed { .. } => {
                self.add(&SAMPLE_SYNTAX, offset, error.kind().to_string());
                Ok(())
            }
            _ => Err(Stop),
        }
    }

    /// Reads `len` bytes at `offset` of the file into `buffer`.
    fn read(&mut self, offset: u64, len: usize, buffer: &mut Vec<u8>) -> Result<(), Stop> {
        buffer.clear();
        match self.window.bytes(offset, len) {
            Ok(bytes) => buffer.extend_from_slice(bytes),
            Err(error) => {
                let message = error.kind().to_string();
                self.findings.add(&FILE_UNREADABLE, self.file, error.offset(), message);
                return Err(Stop);
            }
        }
        Ok(())
    }

    /// The samples that have bytes, one behind the other. Of a chunk with samples outside of its payload none is given, for
    /// their places are wrong; nor are those that lie over others, so that every byte is looked at once.
    fn samples(&self) -> Vec<Placed> {
        let mut placed = Vec::with_capacity(self.segment.samples.len());
        for chunk in &self.segment.chunks {
            let samples = self.segment.samples.get(chunk.samples.clone()).unwrap_or_default();
            let (first, end) = (chunk.payload.start, chunk.payload.end.min(self.end));
            let is_inside = |sample: &Sample| {
                let sample_end = sample.offset.checked_add(u64::from(sample.size));
                first <= sample.offset && sample_end.is_some_and(|sample_end| sample_end <= end)
            };
            if !samples.iter().all(is_inside) {
                continue;
            }
            let (mut filled, mut decode_time) = (first, i128::from(chunk.base_decode_time));
            for (index, sample) in chunk.samples.clone().zip(samples) {
                let composition_time = decode_time + i128::from(sample.composition_offset);
                decode_time += i128::from(sample.duration);
                let place = sample.offset..sample.offset + u64::from(sample.size);
                if place.start >= filled && sample.size > 0 {
                    filled = place.end;
                    placed.push(Placed { index, sample: *sample, place, composition_time });
                }
            }
        }
        placed
    }
}

/// A sample whose bytes are there.
struct Placed {
    index: usize,
    sample: Sample,
    place: Range<u64>,
    /// In ticks.
    composition_time: i128,
}
