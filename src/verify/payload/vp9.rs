//! Samples of `vp09`: a frame, or a superframe of some of which one is shown (VP9 bitstream specification 6.1, 6.2, 7.2, Annex B; VP
//! codec ISO media file format binding).

use super::{
    Look, Placed, SAMPLE_CONFIGURATION, SAMPLE_FRAMES, SAMPLE_PICTURE, SAMPLE_SYNC, SAMPLE_SYNTAX, Stop,
};
use crate::bits::BitReader;
use crate::verify::header::Header;

/// More bytes than the fields that are read of a frame header take.
const HEAD: u64 = 20;
/// The longest superframe index: two marks around 8 sizes of 4 bytes.
const INDEX: u64 = 34;
const CLAUSE: &str = "VP9 bitstream specification 6.2";

/// What `vpcC` tells of each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    profile: u32,
    bit_depth: u32,
    /// Subsampling in width and height.
    subsampling: (bool, bool),
    is_full_range: bool,
}

impl Format {
    /// Of the fields behind version and flags.
    fn of(record: &[u8]) -> Option<Self> {
        let &[profile, _, depth] = record.get(4..)?.first_chunk()?;
        let subsampling = match depth >> 1 & 7 {
            0 | 1 => (true, true),
            2 => (true, false),
            3 => (false, false),
            _ => return None,
        };
        let (profile, bit_depth) = (profile.into(), (depth >> 4).into());
        Some(Self { profile, bit_depth, subsampling, is_full_range: depth & 1 == 1 })
    }

    /// What of it the profile tells: a profile of 4:2:0, 4:4:0 is written as none of the others.
    fn agrees(&self, found: &Self) -> bool {
        let is_440 = found.subsampling == (false, true);
        self.profile == found.profile
            && self.bit_depth == found.bit_depth
            && self.is_full_range == found.is_full_range
            && (is_440 || self.subsampling == found.subsampling)
    }
}

/// Looks into each sample; `record` is the body of `vpcC`. Whether that can be read.
pub(super) fn check(record: &[u8], header: &Header, look: &mut Look<'_>) -> bool {
    let Some(told) = Format::of(record) else { return false };
    let mut frames = Frames { told, size: header.entry.size, bytes: Vec::new(), differs: false };
    for placed in look.samples() {
        if frames.sample(&placed, look).is_err() {
            break;
        }
    }
    true
}

struct Frames {
    told: Format,
    /// Of the sample entry.
    size: Option<(u16, u16)>,
    bytes: Vec<u8>,
    /// Some frame was told to be of another format.
    differs: bool,
}

impl Frames {
    fn sample(&mut self, placed: &Placed, look: &mut Look<'_>) -> Result<(), Stop> {
        let (index, offset) = (placed.index, placed.place.start);
        let size = placed.place.end - offset;
        let tail = size.min(INDEX);
        look.read(placed.place.end - tail, tail as usize, &mut self.bytes)?;
        let sizes = match superframe(&self.bytes, size) {
            Ok(sizes) => sizes,
            Err(fault) => {
                look.add(&SAMPLE_FRAMES, offset, format!("sample {index}: {fault}"));
                return Ok(());
            }
        };
        let (mut at, mut shown, mut first) = (offset, 0, None);
        for len in sizes {
            look.read(at, len.min(HEAD) as usize, &mut self.bytes)?;
            let frame = match Frame::read(&self.bytes) {
                Ok(frame) => frame,
                Err(fault) => {
                    look.add(&SAMPLE_SYNTAX, at, format!("sample {index}: {fault}"));
                    return Ok(());
                }
            };
            shown += u32::from(frame.is_shown);
            first.get_or_insert(frame);
            self.compare(index, at, &frame, look);
            at += len;
        }
        if shown != 1 {
            // Of layers in space each may be marked as shown, and decoders give the last.
            let message = format!("sample {index} shows {shown} frames, not one");
            look.add_as(shown == 0, &SAMPLE_PICTURE, offset, message);
        }
        let is_key = first.is_some_and(|frame| frame.is_key);
        let message = match (placed.sample.is_sync(), is_key) {
            (true, false) => {
                format!("sample {index} is marked as a sync sample, and does not start with a key frame")
            }
            (false, true) => {
                format!("sample {index} starts with a key frame, and is not marked as a sync sample")
            }
            _ => return Ok(()),
        };
        look.add_as(look.cmaf || !is_key, &SAMPLE_SYNC, offset, message);
        Ok(())
    }

    /// A frame against the sample entry, which is told once of a segment.
    fn compare(&mut self, index: usize, at: u64, frame: &Frame, look: &mut Look<'_>) {
        let Some(format) = frame.format.filter(|_| !self.differs) else { return };
        if !self.told.agrees(&format) {
            let message =
                format!("a key frame of sample {index} says {format}, the configuration {}", self.told);
            self.differs = true;
            return look.add(&SAMPLE_CONFIGURATION, at, message);
        }
        if let (Some((width, height)), Some(found)) = (self.size, frame.size)
            && found != (width.into(), height.into())
        {
            let message = format!(
                "a key frame of sample {index} is {}x{}, the sample entry {width}x{height}",
                found.0, found.1
            );
            self.differs = true;
            look.add(&SAMPLE_CONFIGURATION, at, message);
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sampling = match self.subsampling {
            (true, true) => "4:2:0",
            (true, false) => "4:2:2",
            (false, true) => "4:4:0",
            (false, false) => "4:4:4",
        };
        let range = if self.is_full_range { "full" } else { "video" };
        write!(f, "profile {}, {} bits, {sampling}, {range} range", self.profile, self.bit_depth)
    }
}

/// The sizes of the frames of a sample of `size` bytes, of which `tail` are the last: one without an index (Annex B).
fn superframe(tail: &[u8], size: u64) -> Result<Vec<u64>, String> {
    let &mark = tail.last().ok_or("it has no bytes")?;
    if mark & 0xe0 != 0xc0 {
        return Ok(vec![size]);
    }
    let (width, count) = (usize::from(mark >> 3 & 3) + 1, usize::from(mark & 7) + 1);
    let len = 2 + width * count;
    let Some(index) =
        tail.len().checked_sub(len).map(|start| &tail[start..]).filter(|index| index[0] == mark)
    else {
        // By Annex B it is no index then.
        return Ok(vec![size]);
    };
    let sizes: Vec<u64> = index[1..len - 1]
        .chunks_exact(width)
        .map(|size| size.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
        .collect();
    let sum: u64 = sizes.iter().sum();
    if sum + len as u64 != size || sizes.contains(&0) {
        let sizes: Vec<_> = sizes.iter().map(u64::to_string).collect();
        return Err(format!(
            "its index of {len} bytes tells frames of {} bytes, and it has {size}",
            sizes.join(", ")
        ));
    }
    Ok(sizes)
}

/// What the uncompressed header of a frame tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Frame {
    is_key: bool,
    is_shown: bool,
    /// Of a key frame.
    format: Option<Format>,
    size: Option<(u32, u32)>,
}

impl Frame {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut r = BitReader::without_emulation_prevention(bytes, CLAUSE);
        Self::header(&mut r).map_err(|error| error.kind().to_string())?
    }

    /// `uncompressed_header` up to the size of a key frame (6.2).
    fn header(r: &mut BitReader<'_>) -> crate::Result<Result<Self, String>> {
        let marker = r.u(2, "frame_marker")?;
        if marker != 2 {
            return Ok(Err(format!("frame_marker is {marker}, not 2")));
        }
        let profile = r.u(1, "profile_low_bit")? | r.u(1, "profile_high_bit")? << 1;
        if profile == 3 && r.flag("reserved_zero")? {
            return Ok(Err("a reserved bit behind profile 3 is set".to_owned()));
        }
        if r.flag("show_existing_frame")? {
            return Ok(Ok(Self { is_shown: true, ..Self::default() }));
        }
        let is_key = !r.flag("frame_type")?;
        let is_shown = r.flag("show_frame")?;
        r.flag("error_resilient_mode")?;
        let mut frame = Self { is_key, is_shown, ..Self::default() };
        if !is_key {
            return Ok(Ok(frame));
        }
        let sync_code = r.u(24, "frame_sync_code")?;
        if sync_code != 0x49_83_42 {
            return Ok(Err(format!("frame_sync_code is {sync_code:#08x}, not 0x498342")));
        }
        match Self::color_config(r, profile)? {
            Ok(format) => frame.format = Some(format),
            Err(fault) => return Ok(Err(fault)),
        }
        frame.size = Some((r.u(16, "frame_width_minus_1")? + 1, r.u(16, "frame_height_minus_1")? + 1));
        Ok(Ok(frame))
    }

    /// `color_config` (6.2.2).
    fn color_config(r: &mut BitReader<'_>, profile: u32) -> crate::Result<Result<Format, String>> {
        const RGB: u32 = 7;
        let bit_depth = match profile {
            0 | 1 => 8,
            _ if r.flag("ten_or_twelve_bit")? => 12,
            _ => 10,
        };
        let (is_full_range, subsampling);
        if r.u(3, "color_space")? == RGB {
            if profile & 1 == 0 {
                return Ok(Err("a frame of 4:2:0 is RGB".to_owned()));
            }
            (is_full_range, subsampling) = (true, (false, false));
            r.flag("reserved_zero")?;
        } else {
            is_full_range = r.flag("color_range")?;
            subsampling = if profile & 1 == 0 {
                (true, true)
            } else {
                let sampling = (r.flag("subsampling_x")?, r.flag("subsampling_y")?);
                r.flag("reserved_zero")?;
                sampling
            };
        }
        Ok(Ok(Format { profile, bit_depth, subsampling, is_full_range }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of key frames of libvpx 1.12, 320x180: 8 bits, and 10 bits of profile 2, by FFmpeg 5.1.
    #[test]
    fn key_frames_of_libvpx_are_read() {
        let frame = Frame::read(&hex("824983420013f00b360638241c1842000d605fcd")).unwrap();
        assert!(frame.is_key && frame.is_shown);
        assert_eq!(frame.size, Some((320, 180)));
        assert!(Format::of(&[1, 0, 0, 0, 0, 11, 0x82]).unwrap().agrees(&frame.format.unwrap()));
        let frame = Frame::read(&hex("924983420009f8059b031c120e0c320005c86fbf")).unwrap();
        assert_eq!(frame.size, Some((320, 180)));
        assert!(Format::of(&[1, 0, 0, 0, 2, 11, 0xa2]).unwrap().agrees(&frame.format.unwrap()));
        assert!(!Format::of(&[1, 0, 0, 0, 0, 11, 0x82]).unwrap().agrees(&frame.format.unwrap()));
    }

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn headers_that_make_no_sense_are_refused() {
        for bytes in [&[][..], &[0x40], &[0xb8, 0], &[0x82, 0x49, 0x83, 0x43, 0, 0, 0, 0, 0], &[0x82, 0x49]] {
            assert!(Frame::read(bytes).is_err(), "{bytes:x?}");
        }
        assert!(Frame::read(&[0x88]).unwrap().is_shown, "an existing frame");
        assert_eq!(Frame::read(&[0x84]).unwrap(), Frame::default(), "a hidden one");
    }

    #[test]
    fn an_index_tells_the_frames_in_front() {
        assert_eq!(superframe(&[1, 2, 3], 3), Ok(vec![3]));
        assert_eq!(superframe(&[9, 9, 9, 0xc1, 1, 2, 0xc1], 7), Ok(vec![1, 2]));
        assert_eq!(superframe(&[9, 0xc8, 1, 0, 0xc8], 5), Ok(vec![1]));
        assert_eq!(superframe(&[9, 9, 9, 0xc2, 1, 2, 0xc1], 7), Ok(vec![7]), "no index");
        assert!(superframe(&[9, 9, 9, 0xc1, 1, 1, 0xc1], 7).is_err());
        assert!(superframe(&[9, 9, 9, 0xc1, 3, 0, 0xc1], 7).is_err());
        assert!(superframe(&[], 0).is_err());
    }
}
