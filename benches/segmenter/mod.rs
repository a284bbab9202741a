//! The ways of a packet into a segment that are measured against each other, and the packets.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use fragmint::codec::aac::{AacConfig, AudioObjectType};
use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::Timescale;

use anonymous::Anonymous;
use collector::Collector;

mod anonymous;
mod collector;
mod packets;

pub type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

/// The packets of one segment, which every segment repeats.
pub struct Source {
    pub packets: Vec<Vec<u8>>,
    codec: CodecConfig,
    ticks_per_second: u32,
    sample_ticks: u32,
    /// What an encoder asks for, since it knows the size of a packet only when that is written.
    room: usize,
}

impl Source {
    /// Two seconds of H.264, 20 kB a picture.
    pub fn pictures(start_code: &[u8]) -> Self {
        let packets = packets::pictures(20_000, start_code);
        Self {
            packets,
            codec: CodecConfig::avc(),
            ticks_per_second: 25_000,
            sample_ticks: 1000,
            room: 64 << 10,
        }
    }

    /// Two seconds of AAC, 350 bytes a frame.
    pub fn sound() -> AnyResult<Self> {
        let codec = CodecConfig::Aac(AacConfig::new(AudioObjectType::LowComplexity, 3, 2)?);
        let packets = packets::sound(350);
        Ok(Self { packets, codec, ticks_per_second: 48_000, sample_ticks: 1024, room: 2 << 10 })
    }

    /// Bytes of all packets.
    pub fn bytes(&self) -> u64 {
        self.packets.iter().map(|packet| packet.len() as u64).sum()
    }
}

/// A track that is written in one way.
pub struct Way {
    writer: Writer,
    timing: SampleTiming,
    room: usize,
    /// Where the encoder writes its packets when nobody lends it a place.
    own: Vec<u8>,
}

enum Writer {
    Push(Segmenter),
    Reserve(Segmenter),
    Collect(Collector),
    Anonymous(Anonymous),
}

impl Way {
    /// `push`, `reserve`, `hashed` (reserve, with a content hash), `buffered` (reserve, never mapped), `bufwriter`; or
    /// `anonymous` and `anonymous-fresh`, which make no file.
    pub fn new(name: &str, source: &Source, directory: &Path) -> AnyResult<Self> {
        let rate = NonZeroU32::new(source.ticks_per_second).ok_or("a second has ticks")?;
        let mut config = SegmenterConfig::new(directory, "track", source.codec.clone(), Timescale::new(rate));
        config.expected_samples = source.packets.len() as u32;
        config.content_hash = name == "hashed";
        config.buffered = name == "buffered";
        let writer = match name {
            "push" => Writer::Push(Segmenter::new(config)?),
            "reserve" | "hashed" | "buffered" => Writer::Reserve(Segmenter::new(config)?),
            "bufwriter" => {
                Writer::Collect(Collector::new(directory, matches!(source.codec, CodecConfig::Avc { .. })))
            }
            "anonymous" => Writer::Anonymous(Anonymous::new(source.bytes(), true)?),
            "anonymous-fresh" => Writer::Anonymous(Anonymous::new(source.bytes(), false)?),
            _ => return Err(format!("{name}: not a way").into()),
        };
        let timing = SampleTiming::new(source.sample_ticks);
        Ok(Self { writer, timing, room: source.room, own: vec![0; source.room] })
    }

    /// Takes all packets of a segment.
    pub fn take_all(&mut self, source: &Source) -> AnyResult<()> {
        source.packets.iter().try_for_each(|packet| self.take(packet))
    }

    /// The encoder writes `packet`, which is a copy here, to where this way wants it, and it is taken.
    #[inline(never)]
    pub fn take(&mut self, packet: &[u8]) -> AnyResult<()> {
        let Self { writer, timing, own, .. } = self;
        match writer {
            Writer::Reserve(segmenter) => {
                let mut room = segmenter.reserve(self.room)?;
                room[..packet.len()].copy_from_slice(packet);
                room.commit(packet.len(), *timing).map(drop)?;
            }
            Writer::Anonymous(anonymous) => anonymous.take(packet)?,
            Writer::Push(segmenter) => segmenter.push(written(own, packet), *timing).map(drop)?,
            Writer::Collect(collector) => collector.push(written(own, packet), timing.duration)?,
        }
        Ok(())
    }

    /// Ends the segment; gives its file, if this way makes one.
    #[inline(never)]
    pub fn cut(&mut self) -> AnyResult<Option<PathBuf>> {
        match &mut self.writer {
            Writer::Push(segmenter) | Writer::Reserve(segmenter) => {
                Ok(Some(segmenter.cut()?.ok_or("nothing was pending")?.path))
            }
            Writer::Collect(collector) => Ok(Some(collector.cut()?)),
            Writer::Anonymous(anonymous) => anonymous.cut().map(|()| None),
        }
    }

    /// Payload bytes copied, moved within packets, and slid at cuts; `None` where nobody counts.
    #[allow(dead_code, reason = "the benchmark does not print it")]
    pub fn effort(&self) -> Option<[u64; 3]> {
        match &self.writer {
            Writer::Push(segmenter) | Writer::Reserve(segmenter) => {
                let effort = segmenter.effort();
                Some([effort.copied_bytes, effort.moved_bytes, effort.slid_bytes])
            }
            Writer::Collect(_) | Writer::Anonymous(_) => None,
        }
    }
}

/// `packet` in the encoder's own memory.
fn written<'a>(own: &'a mut [u8], packet: &[u8]) -> &'a [u8] {
    let own = &mut own[..packet.len()];
    own.copy_from_slice(packet);
    own
}
