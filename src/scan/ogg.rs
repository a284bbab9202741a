//! Ogg pages with one Opus stream (RFC 3533 6, RFC 7845) ► its packets as ranges of the source, each with its duration, and what the
//! headers say. Pure; the driver is [`crate::io::windows::ogg::read_ogg_opus`].
//!
//! The RFCs were not opened as a whole: clauses are as other readers of the format quote them.
//!
//! A reader of our own, since those that there are give copies of packets and not their places. It is strict: every checksum and
//! sequence number is checked, nothing is searched for behind damage, and a hole in the granule positions is an error. Several
//! streams in one file, beside each other or one behind the other, are refused.

mod page;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing makes no pages of its own"))]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use page::{MAX_PAGE_LEN, detect};

use std::ops::Range;

use super::ivf::Unreadable;
use super::{Count, SourceRange};
use crate::codec::opus::{self, OpusConfig, SHORTEST_PACKET};
use crate::error::{Error, Result};
use page::Page;

const CLAUSE: &str = "RFC 7845 3";
const GRANULE_CLAUSE: &str = "RFC 7845 4";
const PAGE_CLAUSE: &str = "RFC 3533 6";
const COPY_AGAIN: &str = "pages are missing or damaged: copy the file again";
const REMUX: &str = "write it again: ffmpeg -i FILE -map 0:a:0 -c copy out.opus";
const REPAIR: &str = "close it by encoding the audio again: ffmpeg -i FILE -map 0:a:0 -af aresample=async=1 -c:a libopus out.opus";

/// One packet of an Ogg Opus stream: a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusPacket<'a> {
    /// Where its bytes are: one range for each page that it lies on.
    pub ranges: &'a [SourceRange],
    /// Samples at 48 kHz, above 0: fewer than decoding gives where the end of the stream is within the packet.
    pub duration: u32,
}

/// What an Ogg Opus stream consisted of. Framing, headers, packets and what is left out add up to the length of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OggOpusReport {
    /// What `OpusHead` says, and the shortest packet.
    pub config: OpusConfig,
    /// Packets handed out.
    pub packets: Count,
    /// Samples at 48 kHz in them, those included that the decoder is primed with.
    pub duration: u64,
    /// Pages, and the bytes of their headers.
    pub pages: Count,
    /// Bytes of `OpusHead`.
    pub head_bytes: u64,
    /// `OpusTags`, left out.
    pub comment_headers: Count,
    /// Packets behind the end that the last granule position tells, left out.
    pub trimmed_packets: Count,
    /// What is incomplete at the end of the source, left out; at most one.
    pub incomplete_packets: Count,
    /// Granule position in front of the first packet: above 0 where the file was cut from a longer one.
    pub start: u64,
    /// The first page whose granule position is not what its packets make, by less than the shortest packet there is, and the
    /// difference in samples: packets count.
    pub inexact_page: Option<(u64, i64)>,
    /// Whether the last page says that it is the last. Without it nothing is known of where the sound ends in the last packet.
    pub ended: bool,
}

/// Steps through a stream from page to page.
#[derive(Debug)]
pub(crate) struct OpusWalk {
    drop_incomplete: bool,
    stream: Option<Stream>,
    /// Ranges of the packets that are not handed out yet.
    ranges: Vec<SourceRange>,
    /// Those of them that the page completes, by index in `ranges`.
    completed: Vec<Completed>,
    /// The packet that no page has completed yet.
    open: Option<Open>,
    packets: Count,
    duration: u64,
    shortest: u32,
    pages: Count,
    head_bytes: u64,
    comment_headers: Count,
    trimmed_packets: Count,
    incomplete_packets: Count,
    inexact_page: Option<(u64, i64)>,
}

/// What is known from the first page on.
#[derive(Debug)]
struct Stream {
    config: OpusConfig,
    serial: u32,
    /// Of the page before.
    sequence: u32,
    /// The comment header is complete.
    has_comments: bool,
    /// Granule positions in front of the first packet, and behind the last one by their durations; `None` before it.
    time: Option<Time>,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Time {
    start: u64,
    position: u64,
    /// The granule position that the last page had.
    told: u64,
}

#[derive(Debug)]
struct Completed {
    ranges: Range<usize>,
    bytes: u64,
    duration: u32,
}

/// A packet that goes on.
#[derive(Debug)]
struct Open {
    /// Its first byte.
    offset: u64,
    /// Index of its first range.
    first_range: usize,
    bytes: u64,
    /// Its first bytes, which lie on its first page: what is not complete there has 255 at least.
    head: [u8; 8],
    head_len: usize,
}

impl OpusWalk {
    pub(crate) fn new(drop_incomplete: bool) -> Self {
        Self {
            drop_incomplete,
            stream: None,
            ranges: Vec::new(),
            completed: Vec::new(),
            open: None,
            packets: Count::default(),
            duration: 0,
            shortest: u32::MAX,
            pages: Count::default(),
            head_bytes: 0,
            comment_headers: Count::default(),
            trimmed_packets: Count::default(),
            incomplete_packets: Count::default(),
            inexact_page: None,
        }
    }

    /// Reads the page at `offset` of a source of `source_len` bytes, and calls `each` with the packets that it completes. `bytes` are
    /// those from there on, [`MAX_PAGE_LEN`] or up to the end of the source. Gives where the next page stands.
    pub(crate) fn step(
        &mut self,
        offset: u64,
        source_len: u64,
        bytes: &[u8],
        each: &mut impl FnMut(OpusPacket<'_>) -> Result<()>,
    ) -> Result<u64> {
        let page = match Page::read(offset, source_len - offset, bytes) {
            Ok(page) => page,
            Err(Unreadable::Incomplete(_)) if self.drop_incomplete => {
                let open = self.open.take().map_or(0, |open| open.bytes);
                self.incomplete_packets.add(open + source_len - offset);
                return Ok(source_len);
            }
            Err(Unreadable::Incomplete(error) | Unreadable::Broken(error)) => return Err(error),
        };
        self.pages.add(page.header_len());
        match &self.stream {
            None => self.begin(&page)?,
            Some(stream) => {
                stream.check_next(&page)?;
                self.read_packets(&page)?;
                self.hand_out(&page, each)?;
            }
        }
        Ok(page.end())
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self) -> Result<OggOpusReport> {
        if let Some(open) = self.open.take() {
            if !self.drop_incomplete {
                let what = format!("the last packet has only its first {} bytes", open.bytes);
                let remedy = "copy the file again, or drop the incomplete packet with --drop-incomplete";
                return Err(Error::malformed(what, CLAUSE, remedy).at(open.offset));
            }
            self.incomplete_packets.add(open.bytes);
        }
        let Some(Stream { config, time: Some(time), ended, .. }) = self.stream else {
            let what = "the stream has no complete packet of sound";
            return Err(Error::malformed(what, CLAUSE, "give an Ogg Opus file with audio").at(0));
        };
        if self.duration <= u64::from(config.pre_skip()) {
            let what = format!(
                "the stream has {} samples, the first {} of which are not to be heard (pre-skip)",
                self.duration,
                config.pre_skip()
            );
            return Err(Error::malformed(what, GRANULE_CLAUSE, "give a stream with audio to be heard").at(0));
        }
        Ok(OggOpusReport {
            config: config.with_shortest_packet(self.shortest)?,
            packets: self.packets,
            duration: self.duration,
            pages: self.pages,
            head_bytes: self.head_bytes,
            comment_headers: self.comment_headers,
            trimmed_packets: self.trimmed_packets,
            incomplete_packets: self.incomplete_packets,
            start: time.start,
            inexact_page: self.inexact_page,
            ended,
        })
    }

    /// The first page: `OpusHead` alone (RFC 7845 3).
    fn begin(&mut self, page: &Page<'_>) -> Result<()> {
        let refuse = |what: &'static str| Err(Error::malformed(what, CLAUSE, REMUX).at(page.offset));
        if !page.begins_stream {
            return refuse("the first page does not begin a stream");
        }
        if !page.body.starts_with(opus::HEAD_MAGIC) {
            return Err(page::other_stream(page));
        }
        let lacing = page.lacing.split_last();
        if !lacing.is_some_and(|(&last, before)| last < 255 && before.iter().all(|&value| value == 255)) {
            return refuse("OpusHead is not alone on the first page");
        }
        if page.ends_stream {
            return refuse("the stream ends with its first page");
        }
        let config = OpusConfig::read_head(page.body).map_err(|error| error.shift(page.body_offset()))?;
        self.head_bytes = page.body.len() as u64;
        self.stream = Some(Stream {
            config,
            serial: page.serial,
            sequence: page.sequence,
            has_comments: false,
            time: None,
            ended: false,
        });
        Ok(())
    }

    /// Joins the lacing values of a page to packets: those that it completes, and the one that goes on.
    fn read_packets(&mut self, page: &Page<'_>) -> Result<()> {
        self.check_continued(page)?;
        let mut at = 0;
        let mut portions = page.portions().peekable();
        while let Some(portion) = portions.next() {
            let body = &page.body[at..at + portion.len];
            let offset = page.body_offset() + at as u64;
            at += portion.len;
            let mut open = self.open.take().unwrap_or_else(|| Open::new(offset, self.ranges.len(), body));
            // A packet may end with its last page's 255 bytes, and then has none on the next.
            if portion.len > 0 {
                self.ranges.push(SourceRange { offset, len: portion.len as u32 });
                open.bytes += portion.len as u64;
            }
            if !portion.completes {
                self.open = Some(open);
            } else if self.stream.as_ref().is_some_and(|stream| stream.has_comments) {
                let head = &open.head[..open.head_len];
                let duration = opus::packet_duration(head).map_err(|error| error.shift(open.offset))?;
                let ranges = open.first_range..self.ranges.len();
                self.completed.push(Completed { ranges, bytes: open.bytes, duration });
            } else {
                let is_last = portions.peek().is_none();
                self.end_comments(&open, is_last)?;
            }
        }
        Ok(())
    }

    fn check_continued(&self, page: &Page<'_>) -> Result<()> {
        if page.lacing.is_empty() || page.is_continued == self.open.is_some() {
            return Ok(());
        }
        let what = match &self.open {
            Some(open) => {
                format!("the packet at {:#x} goes on, but the next page begins with another", open.offset)
            }
            None => "the page begins in the middle of a packet whose beginning is not there".to_owned(),
        };
        Err(Error::malformed(what, CLAUSE, REMUX).at(page.offset))
    }

    fn end_comments(&mut self, comments: &Open, is_last: bool) -> Result<()> {
        let refuse = |what: &'static str| Err(Error::malformed(what, CLAUSE, REMUX).at(comments.offset));
        if comments.head[..comments.head_len] != *b"OpusTags" {
            return refuse("the second packet is not OpusTags");
        }
        if !is_last {
            return refuse("OpusTags does not end its page");
        }
        self.ranges.clear();
        self.comment_headers.add(comments.bytes);
        self.stream.as_mut().expect("its first page is read").has_comments = true;
        Ok(())
    }

    /// Times the packets that the page completes, and hands them out.
    fn hand_out(
        &mut self,
        page: &Page<'_>,
        each: &mut impl FnMut(OpusPacket<'_>) -> Result<()>,
    ) -> Result<()> {
        let stream = self.stream.as_mut().expect("its first page is read");
        stream.sequence = page.sequence;
        stream.ended = page.ends_stream;
        let coded = self.completed.iter().map(|packet| u64::from(packet.duration)).sum();
        let (mut left, inexact) = stream.keep(page, !self.completed.is_empty(), coded)?;
        self.inexact_page = self.inexact_page.or(inexact);
        for Completed { ranges, bytes, duration } in &self.completed {
            let kept = left.min(u64::from(*duration));
            left -= kept;
            if kept == 0 {
                self.trimmed_packets.add(*bytes);
                continue;
            }
            self.shortest = self.shortest.min(*duration);
            self.packets.add(*bytes);
            self.duration += kept;
            // At most the duration, which is 32 bits.
            each(OpusPacket { ranges: &self.ranges[ranges.clone()], duration: kept as u32 })?;
        }
        let done = self.completed.last().map_or(0, |packet| packet.ranges.end);
        self.ranges.drain(..done);
        self.completed.clear();
        if let Some(open) = &mut self.open {
            open.first_range = open.first_range.saturating_sub(done);
        }
        Ok(())
    }
}

impl Open {
    fn new(offset: u64, first_range: usize, body: &[u8]) -> Self {
        let mut head = [0; 8];
        let head_len = body.len().min(head.len());
        head[..head_len].copy_from_slice(&body[..head_len]);
        Self { offset, first_range, bytes: 0, head, head_len }
    }
}

impl Stream {
    /// Whether a page is the next one of the stream.
    fn check_next(&self, page: &Page<'_>) -> Result<()> {
        let malformed =
            |what: String, remedy| Err(Error::malformed(what, PAGE_CLAUSE, remedy).at(page.offset));
        if page.begins_stream {
            return Err(if self.ended { page::chained_stream(page) } else { page::other_stream(page) });
        }
        if page.serial != self.serial {
            let what = format!("a page of stream {:#x} in stream {:#x}", page.serial, self.serial);
            return malformed(what, REMUX);
        }
        if self.ended {
            return malformed("a page behind the last page of the stream".into(), REMUX);
        }
        let expected = self.sequence.wrapping_add(1);
        if page.sequence != expected {
            // Behind the headers a recording may go on in the middle of what was sent.
            let remedy = if self.time.is_none() { REMUX } else { COPY_AGAIN };
            return malformed(format!("page {} stands where page {expected} must", page.sequence), remedy);
        }
        Ok(())
    }

    /// How many samples to keep of the `coded` ones that a page completes, and by how much its granule position is inexact.
    fn keep(&mut self, page: &Page<'_>, completes: bool, coded: u64) -> Result<(u64, Option<(u64, i64)>)> {
        let malformed =
            |what: String, remedy| Err(Error::malformed(what, GRANULE_CLAUSE, remedy).at(page.offset));
        let granule = u64::try_from(page.granule_position).ok();
        if !completes {
            // Pages that hold nothing else tell nothing, but for the end of the stream.
            return match (granule, self.time) {
                (Some(granule), Some(time)) if page.ends_stream && granule < time.told => malformed(
                    format!(
                        "the last page has no packet and ends the stream at {granule}, before {}",
                        time.told
                    ),
                    REMUX,
                ),
                _ => Ok((0, None)),
            };
        }
        let Some(granule) = granule else {
            // -1 alone says that there is none (RFC 3533 6).
            let what = match page.granule_position {
                -1 => "the page completes a packet, but has no granule position".to_owned(),
                told => format!("the page has granule position {told}, must be 0 or more"),
            };
            return malformed(what, REMUX);
        };
        let start = match self.time {
            Some(time) => time.start,
            // RFC 7845 4.5: only on the last page there may be fewer samples than in its packets.
            None if granule < coded && page.ends_stream => 0,
            None if granule < coded => {
                let what = format!("the first page of sound has {coded} samples, but ends at {granule}");
                return malformed(what, REMUX);
            }
            None => granule - coded,
        };
        let position = self.time.map_or(start, |time| time.position);
        if granule < position.min(self.time.map_or(0, |time| time.told)) {
            let what = format!("granule position {granule} is before that of the pages in front, {position}");
            return malformed(what, REMUX);
        }
        let end = position + coded;
        self.time = Some(Time { start, position: end, told: granule });
        if page.ends_stream && granule < end {
            return Ok((granule.saturating_sub(position), None));
        }
        // Within what writers round: their own clocks tick in milliseconds, for example.
        let off = i64::try_from(i128::from(granule) - i128::from(end)).unwrap_or(i64::MAX);
        if off.unsigned_abs() < u64::from(SHORTEST_PACKET) {
            return Ok((coded, (off != 0).then_some((page.offset, off))));
        }
        let what = format!(
            "granule position {granule} is {off:+} samples ({:+.4} s) from the end of the packets, {end}: {}",
            off as f64 / 48_000.0,
            if off > 0 { "a hole" } else { "sound that lies upon other sound" }
        );
        malformed(what, REPAIR)
    }
}
