//! From frame to frame, in two ways: by checksums, which is as fast as reading, and by the bits of each frame.

use memchr::memmem;

use super::{FlacFrame, FlacReport};
use crate::codec::flac::{Crc16, FlacConfig, FrameHeader, NoHeader, NoLength, frame_len};
use crate::error::{Error, Result};
use crate::scan::{Count, SourceRange};

const CLAUSE: &str = "RFC 9639 9";

/// Bytes of an ID3v1 tag, which some programs append.
const ID3V1_LEN: u64 = 128;

/// How the end of a frame is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Where the CRC-16 agrees and the next frame, or nothing, follows. Sound wherever it gets to the end of the stream, and refuses
    /// ([`Event::Doubt`]) what is not as it should be, whatever it is.
    Checksums,
    /// Where its subframes end.
    Bits,
}

/// What the walk comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Frame(FlacFrame),
    /// More bytes are needed behind those that there are.
    More,
    /// The end of the source.
    End,
    /// Checksums alone do not tell what it is: it is to be walked again by bits.
    Doubt,
}

/// Steps from frame to frame.
#[derive(Debug)]
pub(crate) struct FrameWalk {
    way: Way,
    config: FlacConfig,
    source_len: u64,
    drop_incomplete: bool,
    /// Block size of the first frame: where it is fixed, all but the last have it.
    block_size: u32,
    first_number: u64,
    /// The next frame; `None` at the end.
    current: Option<Search>,
    end: u64,
    frames: Count,
    samples: u64,
    id3_tags: Count,
    incomplete_frames: Count,
}

/// A frame whose end is looked for.
#[derive(Clone, Copy, Debug)]
struct Search {
    start: u64,
    header: FrameHeader,
    /// Of the bytes from `start` to `summed`.
    crc: Crc16,
    summed: u64,
    /// Where it goes on.
    looked: u64,
}

/// Some bytes of the source.
#[derive(Clone, Copy)]
struct Window<'a> {
    start: u64,
    bytes: &'a [u8],
    source_len: u64,
}

impl<'a> Window<'a> {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn is_at_end(&self) -> bool {
        self.end() == self.source_len
    }

    /// The bytes of a range that begins in the window or at its end, as far as there are any.
    fn slice(&self, from: u64, to: u64) -> &'a [u8] {
        let to = to.min(self.end());
        // Both inside the window.
        &self.bytes[(from - self.start) as usize..(to.max(from) - self.start) as usize]
    }

    fn head(&self, from: u64) -> &'a [u8] {
        self.slice(from, from + FrameHeader::MAX_LEN as u64)
    }

    /// Nothing but a tag is behind `offset`.
    fn is_tag(&self, offset: u64) -> bool {
        self.source_len - offset == ID3V1_LEN && self.slice(offset, offset + 3) == b"TAG"
    }
}

/// What is behind a frame.
#[derive(Clone, Copy)]
enum Behind {
    Frame(FrameHeader),
    /// The end of the source, or a tag that ends there.
    End,
}

impl FrameWalk {
    /// A walk over the frames from `start` on. `head` are the bytes there, [`FrameHeader::MAX_LEN`] or up to the end of the source.
    pub(crate) fn new(
        way: Way,
        config: FlacConfig,
        start: u64,
        head: &[u8],
        source_len: u64,
        drop_incomplete: bool,
    ) -> Result<Self> {
        let broken = |what: String| Error::malformed(what, CLAUSE, "encode the audio again").at(start);
        let header = match FrameHeader::read(head, &config) {
            Ok(header) => header,
            Err(NoHeader::CutOff) => return Err(no_frame(start)),
            Err(NoHeader::NotOne) => return Err(broken("no frame header behind the metadata".into())),
        };
        if !header.has_format_of(&config) {
            return Err(broken(format!("STREAMINFO says {config}, but the first frame {header}")));
        }
        if header.block_size > config.max_block_size().into() {
            return Err(broken(too_many_samples(&header, &config)));
        }
        Ok(Self {
            way,
            config,
            source_len,
            drop_incomplete,
            block_size: header.block_size,
            first_number: header.number,
            current: Some(Search::new(start, header)),
            end: start,
            frames: Count::default(),
            samples: 0,
            id3_tags: Count::default(),
            incomplete_frames: Count::default(),
        })
    }

    /// Where the bytes begin that [`FrameWalk::next`] needs.
    pub(crate) fn position(&self) -> u64 {
        self.current.map_or(self.end, |current| current.start)
    }

    /// Goes on. `bytes` are those of the source from `start` on, which is at or in front of [`FrameWalk::position`].
    pub(crate) fn next(&mut self, start: u64, bytes: &[u8]) -> Result<Event> {
        let window = Window { start, bytes, source_len: self.source_len };
        let Some(mut current) = self.current else { return Ok(Event::End) };
        let event = match self.way {
            Way::Checksums => self.by_checksums(&mut current, &window),
            Way::Bits => self.by_bits(&current, &window)?,
        };
        if let (Event::More, Some(kept)) = (event, &mut self.current) {
            *kept = current;
        }
        Ok(event)
    }

    /// Ends the stream; `None` where checksums alone do not tell what it is.
    pub(crate) fn finish(self, metadata_blocks: Count, mut id3_tags: Count) -> Result<Option<FlacReport>> {
        id3_tags.units += self.id3_tags.units;
        id3_tags.bytes += self.id3_tags.bytes;
        let total = self.config.total_samples();
        if self.way == Way::Checksums && total != self.samples {
            return Ok(None);
        }
        if self.frames.units == 0 {
            return Err(no_frame(self.end));
        }
        let missing_samples = total.saturating_sub(self.samples);
        if total > 0 && total != self.samples && (missing_samples == 0 || !self.drop_incomplete) {
            let what = format!("STREAMINFO says {total} samples, but the frames have {}", self.samples);
            let remedy = match missing_samples {
                0 => "encode the audio again, or write STREAMINFO again: ffmpeg -i FILE -c copy out.flac",
                _ => "the file is cut off: copy it again, or take what is there with --drop-incomplete",
            };
            return Err(Error::malformed(what, "RFC 9639 8.2", remedy).at(self.source_len));
        }
        let is_whole = missing_samples == 0 && self.incomplete_frames.units == 0;
        Ok(Some(FlacReport {
            config: if is_whole { self.config } else { self.config.cut_off() },
            frames: self.frames,
            samples: self.samples,
            missing_samples,
            first_number: self.first_number,
            metadata_blocks,
            id3_tags,
            incomplete_frames: self.incomplete_frames,
        }))
    }

    /// A frame with a CRC-16 behind it leaves the sum at 0, so it agrees behind every frame of a row of them, and a header
    /// there that is not the next one can only be doubted. That is what keeps payload made to look like a frame from being
    /// taken for one: behind its own frame the real next one has a number that does not follow.
    fn by_checksums(&mut self, current: &mut Search, window: &Window<'_>) -> Event {
        let most = current.start.saturating_add(self.config.max_frame_len());
        // A header has to be seen whole, unless the source ends.
        let margin = if window.is_at_end() { 0 } else { FrameHeader::MAX_LEN as u64 };
        let until = window.end().saturating_sub(margin).min(most);
        let sync = [0xff, if current.header.has_variable_blocks { 0xf9 } else { 0xf8 }];
        let finder = memmem::Finder::new(&sync);
        while current.looked < until {
            // One byte more, where the sync code's second may be.
            let Some(at) = finder.find(window.slice(current.looked, until + 1)) else { break };
            let offset = current.looked + at as u64;
            current.looked = offset + 1;
            let Ok(header) = FrameHeader::read(window.head(offset), &self.config) else { continue };
            if !current.crc_up_to(window, offset).agrees() {
                continue;
            }
            return match self.does_not_follow(current, &header, offset) {
                Some(_) => Event::Doubt,
                None => self.take(current, offset, Behind::Frame(header)),
            };
        }
        current.looked = current.looked.max(until);
        if !window.is_at_end() {
            return if current.looked < most { Event::More } else { Event::Doubt };
        }
        let end = window.source_len;
        let is_agreeing = most >= end && current.crc_up_to(window, end).agrees();
        if is_agreeing { self.take(current, end, Behind::End) } else { Event::Doubt }
    }

    fn by_bits(&mut self, current: &Search, window: &Window<'_>) -> Result<Event> {
        let start = current.start;
        let most = start.saturating_add(self.config.max_frame_len());
        let bytes = window.slice(start, most);
        let end = match frame_len(bytes, &current.header) {
            Ok(len) => start + len as u64,
            Err(NoLength::CutOff) if window.end() >= most => {
                let most = self.config.max_frame_len();
                let what =
                    format!("a frame of more than {most} bytes, twice what its samples take uncompressed");
                return Err(Error::malformed(what, CLAUSE, damaged(start)).at(start));
            }
            Err(NoLength::CutOff) if window.is_at_end() => {
                return match self.next_header(current, window) {
                    Some(next) => Err(no_checksum(start, next)),
                    None => self.incomplete(start),
                };
            }
            Err(NoLength::CutOff) => return Ok(Event::More),
            Err(NoLength::Damaged(what)) => {
                let what = format!("{what} has a value that is reserved");
                return Err(Error::malformed(what, "RFC 9639 9.2", damaged(start)).at(start));
            }
        };
        let mut crc = Crc16::default();
        crc.add(window.slice(start, end));
        if !crc.agrees() {
            return Err(no_checksum(start, end));
        }
        if end + FrameHeader::MAX_LEN as u64 > window.end() && !window.is_at_end() {
            return Ok(Event::More);
        }
        if end == window.source_len || window.is_tag(end) {
            return Ok(self.take(current, end, Behind::End));
        }
        match FrameHeader::read(window.head(end), &self.config) {
            Ok(header) => match self.does_not_follow(current, &header, end) {
                Some(error) => Err(error),
                None => Ok(self.take(current, end, Behind::Frame(header))),
            },
            Err(NoHeader::CutOff) => {
                let event = self.take(current, end, Behind::End);
                self.incomplete(end)?;
                Ok(event)
            }
            Err(NoHeader::NotOne) => {
                let what = format!("no frame header behind the frame at {start:#x}");
                let remedy = format!(
                    "copy the file again, or keep the audio up to there with head -c {end} and --drop-incomplete"
                );
                Err(Error::malformed(what, "RFC 9639 9.1", remedy).at(end))
            }
        }
    }

    /// The first place behind a frame that has no end where the next one's header is: the frame is damaged then, not cut off.
    fn next_header(&self, current: &Search, window: &Window<'_>) -> Option<u64> {
        let sync = [0xff, if current.header.has_variable_blocks { 0xf9 } else { 0xf8 }];
        let is_next = |offset: &u64| {
            let header = FrameHeader::read(window.head(*offset), &self.config);
            header.is_ok_and(|header| self.does_not_follow(current, &header, *offset).is_none())
        };
        let offsets = memmem::find_iter(window.slice(current.looked, window.end()), &sync);
        offsets.map(|at| current.looked + at as u64).find(is_next)
    }

    /// Why a header is not that of the frame behind this one.
    fn does_not_follow(&self, current: &Search, header: &FrameHeader, offset: u64) -> Option<Error> {
        let (own, config) = (&current.header, &self.config);
        if !header.has_format_of(config) {
            return Some(
                Error::unsupported(
                    format!("the audio changes from {config} (at {:#x}) to {header}", current.start),
                    format!("split the file at byte {offset}, or encode the audio again as one stream"),
                )
                .at(offset),
            );
        }
        let what = if header.has_variable_blocks != own.has_variable_blocks {
            format!("the blocking strategy is another than that of the frame at {:#x}", current.start)
        } else if header.number != own.next_number() {
            let unit = if header.has_variable_blocks { "sample" } else { "frame" };
            format!(
                "{unit} {} follows the frame at {:#x}, must be {}",
                header.number,
                current.start,
                own.next_number()
            )
        } else if header.has_variable_blocks && header.block_size > config.max_block_size().into() {
            too_many_samples(header, config)
        } else if !header.has_variable_blocks
            && (own.block_size, header.block_size.max(own.block_size)) != (self.block_size, self.block_size)
        {
            format!(
                "a frame of {} samples behind one of {} (at {:#x}), where block sizes are fixed",
                header.block_size, own.block_size, current.start
            )
        } else {
            return None;
        };
        let remedy =
            "part of the stream is missing or was joined: copy it again, or decode and encode it again";
        Some(Error::malformed(what, "RFC 9639 9.1", remedy).at(offset))
    }

    fn take(&mut self, current: &Search, end: u64, behind: Behind) -> Event {
        // Twice what samples take uncompressed is less than 5 MiB.
        let range = SourceRange { offset: current.start, len: (end - current.start) as u32 };
        let block_size = current.header.block_size;
        self.frames.add(range.len.into());
        self.samples += u64::from(block_size);
        self.end = end;
        self.current = match behind {
            Behind::Frame(header) => Some(Search::new(end, header)),
            Behind::End => None,
        };
        if self.current.is_none() && self.source_len - end == ID3V1_LEN {
            self.id3_tags.add(ID3V1_LEN);
        }
        Event::Frame(FlacFrame { range, block_size })
    }

    /// From `offset` on there is the beginning of a frame.
    fn incomplete(&mut self, offset: u64) -> Result<Event> {
        let left = self.source_len - offset;
        if self.drop_incomplete {
            self.incomplete_frames.add(left);
            (self.current, self.end) = (None, self.source_len);
            return Ok(Event::End);
        }
        let what = format!("the last frame is cut off: it has only {left} bytes");
        let remedy = "copy the file again, or drop the incomplete frame with --drop-incomplete";
        Err(Error::malformed(what, CLAUSE, remedy).at(offset))
    }
}

impl Search {
    fn new(start: u64, header: FrameHeader) -> Self {
        let looked = start + u64::from(header.len);
        Self { start, header, crc: Crc16::default(), summed: start, looked }
    }

    /// The CRC-16 up to `offset`, which is not in front of where it was taken last.
    fn crc_up_to(&mut self, window: &Window<'_>, offset: u64) -> Crc16 {
        self.crc.add(window.slice(self.summed, offset));
        self.summed = offset;
        self.crc
    }
}

fn no_frame(offset: u64) -> Error {
    Error::malformed("the stream has no complete frame", CLAUSE, "give a FLAC stream with audio").at(offset)
}

fn too_many_samples(header: &FrameHeader, config: &FlacConfig) -> String {
    format!(
        "a frame of {} samples, more than STREAMINFO allows ({})",
        header.block_size,
        config.max_block_size()
    )
}

fn no_checksum(start: u64, end: u64) -> Error {
    let what = format!("the CRC-16 of a frame does not agree with its bytes up to {end:#x}");
    Error::malformed(what, "RFC 9639 9.3", damaged(start)).at(start)
}

fn damaged(offset: u64) -> String {
    format!(
        "the stream is damaged there: copy it again, or keep the audio up to there with head -c {offset} and --drop-incomplete"
    )
}
