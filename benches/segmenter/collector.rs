//! The segmenter that [`fragmint::segmenter`] is measured against, as it is often written: each packet becomes a vector of its
//! own, and at a cut header and vectors go through a `BufWriter`.
//!
//! It finds NAL units with the same search. It does less: no picture order, no check, no hash, the name appears before the
//! file is whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fragmint::boxes::BoxWriter;
use fragmint::scan::annexb::NalUnits;

/// A track in a directory.
pub struct Collector {
    directory: PathBuf,
    annexb: bool,
    number: u32,
    time: u64,
    samples: Vec<Sample>,
}

struct Sample {
    bytes: Vec<u8>,
    duration: u32,
    sync: bool,
}

impl Collector {
    pub fn new(directory: &Path, annexb: bool) -> Self {
        Self { directory: directory.to_owned(), annexb, number: 0, time: 0, samples: Vec::new() }
    }

    pub fn push(&mut self, packet: &[u8], duration: u32) -> fragmint::Result<()> {
        let sample = if self.annexb { length_prefixed(packet, duration)? } else { raw(packet, duration) };
        self.samples.push(sample);
        Ok(())
    }

    pub fn cut(&mut self) -> io::Result<PathBuf> {
        self.number += 1;
        let path = self.directory.join(format!("seg-{:05}.m4s", self.number));
        let mut file = BufWriter::new(File::create(&path)?);
        file.write_all(&self.header()?)?;
        for sample in &self.samples {
            file.write_all(&sample.bytes)?;
        }
        file.flush()?;
        self.time += self.samples.iter().map(|sample| u64::from(sample.duration)).sum::<u64>();
        self.samples.clear();
        Ok(path)
    }

    /// `styp`, `moof` with durations, sizes and flags of all samples, and the head of `mdat`.
    fn header(&self) -> io::Result<Vec<u8>> {
        let samples = self.samples.len() as u32;
        let payload: usize = self.samples.iter().map(|sample| sample.bytes.len()).sum();
        let mut out = Vec::new();
        let mut w = BoxWriter::new(&mut out);
        w.nest(b"styp", |w| w.bytes(b"iso6\0\0\0\0iso6cmfs"));
        w.nest(b"moof", |w| {
            w.full(b"mfhd", 0, 0, |w| w.u32(self.number));
            w.nest(b"traf", |w| {
                w.full(b"tfhd", 0, 0x02_0000, |w| w.u32(1));
                w.full(b"tfdt", 1, 0, |w| w.u64(self.time));
                w.full(b"trun", 1, 0x0701, |w| {
                    w.u32(samples);
                    // Behind this moof and the head of mdat.
                    w.u32(96 + 12 * samples);
                    for sample in &self.samples {
                        w.u32(sample.duration);
                        w.u32(sample.bytes.len() as u32);
                        w.u32(if sample.sync { 0x0200_0000 } else { 0x0101_0000 });
                    }
                });
            });
        });
        w.header_only(b"mdat", payload as u64);
        w.finish().map_err(io::Error::other)?;
        debug_assert_eq!(out.len() as u32, 24 + 96 + 12 * samples);
        Ok(out)
    }
}

fn length_prefixed(packet: &[u8], duration: u32) -> fragmint::Result<Sample> {
    let mut sample = Sample { bytes: Vec::with_capacity(packet.len() + 16), duration, sync: false };
    for nal in NalUnits::new(packet)? {
        let nal = nal?;
        match nal.head[0] & 0x1f {
            // Parameter sets and delimiters: not in samples.
            7..=9 => continue,
            unit_type => sample.sync |= unit_type == 5,
        }
        sample.bytes.extend_from_slice(&nal.len.to_be_bytes());
        sample.bytes.extend_from_slice(nal.head);
    }
    Ok(sample)
}

fn raw(packet: &[u8], duration: u32) -> Sample {
    Sample { bytes: packet.to_vec(), duration, sync: true }
}
