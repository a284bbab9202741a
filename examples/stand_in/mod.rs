//! Stands in for an encoder in the examples: its packets are those of a finished stream, one after the other.
#![allow(dead_code, reason = "each example needs another part")]

use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::Path;

use fragmint::codec::aac::AacConfig;
use fragmint::io::windows::{AdtsOptions, read_adts};
use fragmint::scan::annexb::NalUnits;
use fragmint::scan::h264::{AccessUnit, AccessUnitBuilder, AccessUnitOptions};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What is left of a stream.
#[derive(Clone)]
pub struct Encoder {
    stream: Vec<u8>,
    packets: std::vec::IntoIter<Range<usize>>,
}

impl Encoder {
    /// The pictures of an H.264 byte stream: an access unit a packet, with all that stands in front of it.
    pub fn of_pictures(path: &Path) -> Result<Self> {
        let stream = fs::read(path)?;
        let mut builder = AccessUnitBuilder::new(AccessUnitOptions::default());
        let mut packets = Vec::new();
        let mut start = 0;
        let mut add = |unit: AccessUnit<'_>| {
            let end = unit.units.last().map_or(start, |nal| nal.end() as usize);
            packets.push(start..end);
            start = end;
        };
        for nal in NalUnits::new(&stream)? {
            builder.push(nal?)?.map(&mut add);
        }
        builder.finish()?.map(&mut add);
        Ok(Self { stream, packets: packets.into_iter() })
    }

    /// The frames of an ADTS stream without their headers, and what a decoder has to know of them.
    pub fn of_sound(path: &Path) -> Result<(Self, AacConfig)> {
        let stream = fs::read(path)?;
        let mut packets = Vec::new();
        let report = read_adts(stream.as_slice(), &AdtsOptions::default(), |frame| {
            packets.push(frame.offset as usize..frame.end() as usize);
            Ok(())
        })?;
        Ok((Self { stream, packets: packets.into_iter() }, report.config))
    }

    /// Leaves the packets `range` alone: what one of several encoders is told to encode.
    pub fn only(mut self, range: Range<usize>) -> Self {
        self.packets = self.packets.collect::<Vec<_>>()[range].to_vec().into_iter();
        self
    }

    /// Packets that are left.
    pub fn left(&self) -> usize {
        self.packets.len()
    }

    /// The room that any packet has in.
    pub fn largest_packet(&self) -> usize {
        self.packets.as_slice().iter().map(Range::len).max().unwrap_or(0)
    }

    /// Writes the next packet to the front of `room` and gives its length; `None` at the end.
    pub fn encode_into(&mut self, room: &mut [u8]) -> Option<usize> {
        let packet = &self.stream[self.packets.next()?];
        room[..packet.len()].copy_from_slice(packet);
        Some(packet.len())
    }

    /// The next packet in a buffer of the encoder's own; `None` at the end.
    pub fn encode(&mut self) -> Option<&[u8]> {
        Some(&self.stream[self.packets.next()?])
    }
}
