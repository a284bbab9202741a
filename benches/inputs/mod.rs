//! Streams for measuring, the same at every run: headers are those of real encoders, what decoders would decode is noise, so
//! that pictures have the size that is asked for.
//!
//! H.264, H.265 and AV1 take their headers from the example ladder and the streams of the tests, which are a few hundred small
//! pictures each; ADTS is made from nothing.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::path::{Path, PathBuf};

use fragmint::codec::av1::{ObuKind, Obus};
use fragmint::io::windows::obu::{ObuOptions, read_ivf};
use fragmint::scan::NalUnit;
use fragmint::scan::annexb::NalUnits;

pub use noise::noise;

mod noise;

/// Where files are measured: on the file system that `FRAGMINT_BENCH_DIR` names, else on that of temporary files.
pub fn directory() -> tempfile::TempDir {
    let base = std::env::var_os("FRAGMINT_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::tempdir_in(base).expect("a directory that can be written")
}

/// Noise that never runs out.
struct Filler {
    noise: Vec<u8>,
    at: usize,
}

impl Filler {
    fn new() -> Self {
        Self { noise: noise(1 << 20), at: 0 }
    }

    /// Fills `unit` up to `size` bytes; one that is longer stays as it is. No start code comes of it, and no unit whose end
    /// could be taken for zeros behind it.
    fn fill(&mut self, unit: &mut Vec<u8>, size: usize) {
        let Some(missing) = size.checked_sub(unit.len() + 2) else { return };
        unit.push(0x80);
        if self.at + missing > self.noise.len() {
            self.at = 0;
        }
        unit.extend_from_slice(&self.noise[self.at..self.at + missing]);
        unit.push(0x80);
        self.at += missing;
    }
}

/// A file of the repository.
fn file(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The NAL units of a byte stream.
pub fn nal_units(stream: &[u8]) -> Vec<NalUnit<'_>> {
    NalUnits::new(stream).and_then(Iterator::collect).expect("a byte stream")
}

/// How a byte stream is made.
#[derive(Clone, Copy)]
pub struct Nals {
    /// The stream that gives the headers, H.264 or H.265 by its name; it may follow itself.
    pub template: &'static str,
    /// In front of every NAL unit.
    pub start_code: &'static [u8],
    /// Each slice of the template comes so often in a row: more slices for a picture. Grouping goes by what slices of a
    /// picture have in common (H.264 7.4.1.2.4), not by the macroblock that they begin with. Of H.264 only, since those of H.265 say
    /// which is the first.
    pub repeat_slices: usize,
    /// Bytes of a slice.
    pub slice: usize,
    /// The template comes so often.
    pub repeat: usize,
}

impl Nals {
    /// The template once, with slices of `slice` bytes behind four-byte start codes.
    pub fn new(template: &'static str, slice: usize) -> Self {
        Self { template, start_code: &[0, 0, 0, 1], repeat_slices: 1, slice, repeat: 1 }
    }

    /// The stream.
    pub fn make(self) -> Vec<u8> {
        let template = file(self.template);
        let is_slice = |nal: &NalUnit<'_>| match Path::new(self.template).extension() {
            Some(extension) if extension == "h264" => matches!(nal.head[0] & 0x1f, 1 | 5),
            _ => nal.head[0] >> 1 & 0x3f < 32,
        };
        let mut filler = Filler::new();
        let mut stream = Vec::new();
        for _ in 0..self.repeat {
            for nal in nal_units(&template) {
                let slice = is_slice(&nal);
                for _ in 0..if slice { self.repeat_slices } else { 1 } {
                    let mut unit = nal.head.to_vec();
                    filler.fill(&mut unit, if slice { self.slice } else { 0 });
                    stream.extend_from_slice(self.start_code);
                    stream.extend_from_slice(&unit);
                }
            }
        }
        stream
    }
}

/// A low-overhead stream of OBUs (AV1 5.2): those of an IVF file of the tests `repeat` times, each frame filled up to `frame`
/// bytes.
pub fn obus(template: &str, frame: usize, repeat: usize) -> Vec<u8> {
    let template = file(template);
    let mut filler = Filler::new();
    let mut stream = Vec::new();
    for _ in 0..repeat {
        let read = read_ivf(&template[..], &ObuOptions::default(), |obu| {
            let bytes = &obu.head[..obu.len as usize];
            let unit = Obus::of_stream(bytes).next().expect("an OBU")?;
            // Headers alone tell of a frame that is shown again, and end where they end.
            if matches!(unit.header.kind, ObuKind::Frame | ObuKind::TileGroup) {
                let mut payload = bytes[unit.payload].to_vec();
                filler.fill(&mut payload, frame);
                stream.push(bytes[0]);
                // With an extension header there would be a second byte.
                assert_eq!(bytes[0] & 4, 0, "the streams of the tests have no layers");
                leb128(payload.len(), &mut stream);
                stream.extend(payload);
            } else {
                stream.extend_from_slice(bytes);
            }
            Ok(())
        });
        read.expect("the streams of the tests are sound");
    }
    stream
}

/// `leb128()` (AV1 4.10.5).
fn leb128(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Frames of AAC LC, 48 kHz, two channels, of `frame` bytes with their ADTS headers.
pub fn adts(frame: usize, frames: usize) -> Vec<u8> {
    let [high, middle, low] = [frame >> 11, frame >> 3, frame << 5].map(|part| part as u8);
    let header = [0xff, 0xf1, 0x4c, 0x80 | high & 3, middle, low & 0xe0 | 0x1f, 0xfc];
    let payload = noise(frame - header.len());
    [&header[..], &payload].concat().repeat(frames)
}
