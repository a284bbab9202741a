//! Ogg streams made by hand, and a slow reader of them: everything is copied, in three passes, by the words of the standards.

use crate::codec::opus;

/// The checksum by its definition: a bit at a time.
pub(crate) fn slow_checksum(bytes: &[u8]) -> u32 {
    let mut crc = 0u32;
    for byte in bytes {
        for bit in (0..8).rev() {
            let high = crc >> 31 ^ u32::from(byte >> bit & 1);
            crc = crc << 1 ^ if high == 1 { 0x04c1_1db7 } else { 0 };
        }
    }
    crc
}

/// Flags of a page.
pub(crate) const CONTINUED: u8 = 1;
pub(crate) const BEGINS: u8 = 2;
pub(crate) const ENDS: u8 = 4;

/// Pages one behind the other.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    pub(crate) bytes: Vec<u8>,
    pub(crate) serial: u32,
    pub(crate) sequence: u32,
}

impl Pages {
    /// `OpusHead` of stereo with a pre-skip of 312, and `OpusTags`.
    pub(crate) fn new() -> Self {
        let mut pages = Self { bytes: Vec::new(), serial: 7, sequence: 0 };
        pages.page(BEGINS, 0, &[19], b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0");
        pages.page(0, 0, &[16], b"OpusTags\0\0\0\0\0\0\0\0");
        pages
    }

    /// Appends a page, and gives where it begins.
    pub(crate) fn page(&mut self, flags: u8, granule: i64, lacing: &[u8], body: &[u8]) -> u64 {
        let offset = self.bytes.len();
        self.bytes.extend(b"OggS\0");
        self.bytes.push(flags);
        self.bytes.extend(granule.to_le_bytes());
        self.bytes.extend(self.serial.to_le_bytes());
        self.bytes.extend(self.sequence.to_le_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.push(lacing.len() as u8);
        self.bytes.extend(lacing);
        self.bytes.extend(body);
        self.sequence += 1;
        repair(&mut self.bytes[offset..]);
        offset as u64
    }

    /// Appends a page of packets of 20 ms that are all there, and gives where it begins.
    pub(crate) fn packets(&mut self, flags: u8, granule: i64, lens: &[u8]) -> u64 {
        let body: Vec<u8> = lens
            .iter()
            .zip(0u8..)
            .flat_map(|(&len, number)| {
                std::iter::once(0xfc).chain(std::iter::repeat_n(number, usize::from(len) - 1))
            })
            .collect();
        self.page(flags, granule, lens, &body)
    }
}

/// Bytes of the page at the start of `bytes`, as far as they are there.
fn page_len(bytes: &[u8]) -> Option<usize> {
    let segments = usize::from(*bytes.get(26)?);
    let body = bytes.get(27..27 + segments)?.iter().map(|&value| usize::from(value)).sum::<usize>();
    Some(27 + segments + body).filter(|&len| bytes.starts_with(b"OggS") && len <= bytes.len())
}

/// Gives the page at the start of `bytes`, and those behind it, the checksums that they need.
pub(crate) fn repair(mut bytes: &mut [u8]) {
    while let Some(len) = page_len(bytes) {
        let (page, rest) = std::mem::take(&mut bytes).split_at_mut(len);
        page[22..26].fill(0);
        let crc = slow_checksum(page);
        page[22..26].copy_from_slice(&crc.to_le_bytes());
        bytes = rest;
    }
}

/// What a reader gives: the packets with their durations, or that the stream is refused.
pub(crate) type Packets = Result<Vec<(Vec<u8>, u32)>, ()>;

struct SlowPage<'a> {
    flags: u8,
    granule: i64,
    serial: u32,
    sequence: u32,
    /// Lacing values, each with its bytes.
    segments: Vec<&'a [u8]>,
}

/// A packet, and the page that completes it, if one does.
struct SlowPacket {
    bytes: Vec<u8>,
    page: Option<usize>,
}

/// The packets of an Ogg Opus stream, or of its whole pages and packets where the rest may be dropped.
pub(crate) fn slow_twin(stream: &[u8], drop_incomplete: bool) -> Packets {
    let pages = slow_pages(stream, drop_incomplete)?;
    let packets = slow_packets(&pages)?;
    let Some((head, sound)) = packets.split_first() else { return Err(()) };
    let Some((comments, sound)) = sound.split_first() else { return Err(()) };
    let config = opus::OpusConfig::read_head(&head.bytes).map_err(|_| ())?;
    let tags_page = comments.page.ok_or(())?;
    let is_alone = head.page == Some(0)
        && pages[0].segments.iter().map(|part| part.len()).sum::<usize>() == head.bytes.len();
    // The page that ends the comments has nothing behind them.
    let ends_page = sound.first().is_none_or(|_| {
        let before = packets.iter().take(2).map(|packet| packet.bytes.len()).sum::<usize>();
        let up_to: usize =
            pages[..=tags_page].iter().flat_map(|page| &page.segments).map(|part| part.len()).sum();
        before == up_to && !sound.iter().any(|packet| packet.page == Some(tags_page))
    });
    if !is_alone || pages[0].flags & ENDS != 0 || !comments.bytes.starts_with(b"OpusTags") || !ends_page {
        return Err(());
    }
    if sound.iter().any(|packet| packet.page.is_none()) && !drop_incomplete {
        return Err(());
    }
    let timed = slow_times(&pages, sound)?;
    let heard: u64 = timed.iter().map(|(_, duration)| u64::from(*duration)).sum();
    if heard > u64::from(config.pre_skip()) { Ok(timed) } else { Err(()) }
}

/// All pages, in one stream, with nothing between them.
fn slow_pages(stream: &[u8], drop_incomplete: bool) -> Result<Vec<SlowPage<'_>>, ()> {
    let mut pages: Vec<SlowPage<'_>> = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        if !b"OggS".starts_with(&rest[..rest.len().min(4)]) {
            return Err(());
        }
        // A version that is not 0 is wrong where all of the header is there.
        if rest.len() >= 27 && rest[4] != 0 {
            return Err(());
        }
        let Some(len) = page_len(rest) else { if drop_incomplete { break } else { return Err(()) } };
        let (page, behind) = rest.split_at(len);
        let mut zeroed = page.to_vec();
        zeroed[22..26].fill(0);
        if slow_checksum(&zeroed).to_le_bytes() != page[22..26] {
            return Err(());
        }
        let mut body = &page[27 + usize::from(page[26])..];
        let mut segments = Vec::new();
        for &value in &page[27..27 + usize::from(page[26])] {
            let (segment, others) = body.split_at(usize::from(value));
            segments.push(segment);
            body = others;
        }
        let number = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().unwrap());
        let granule = i64::from_le_bytes(page[6..14].try_into().unwrap());
        let next = SlowPage { flags: page[5], granule, serial: number(14), sequence: number(18), segments };
        let follows = match pages.last() {
            None => next.flags & BEGINS != 0,
            Some(last) => {
                next.flags & BEGINS == 0
                    && last.flags & ENDS == 0
                    && next.serial == last.serial
                    && next.sequence == last.sequence.wrapping_add(1)
            }
        };
        if !follows {
            return Err(());
        }
        pages.push(next);
        rest = behind;
    }
    Ok(pages)
}

fn slow_packets(pages: &[SlowPage<'_>]) -> Result<Vec<SlowPacket>, ()> {
    let mut packets: Vec<SlowPacket> = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        let is_open = packets.last().is_some_and(|packet| packet.page.is_none());
        let continues = page.flags & CONTINUED != 0;
        // On the first page, where nothing can go on, the flag says nothing.
        if number > 0 && !page.segments.is_empty() && continues != is_open {
            return Err(());
        }
        for segment in &page.segments {
            if packets.last().is_none_or(|packet| packet.page.is_some()) {
                packets.push(SlowPacket { bytes: Vec::new(), page: None });
            }
            let packet = packets.last_mut().unwrap();
            packet.bytes.extend(*segment);
            packet.page = (segment.len() < 255).then_some(number);
        }
    }
    Ok(packets)
}

/// Durations, with those of the last page cut to its granule position.
fn slow_times(pages: &[SlowPage<'_>], sound: &[SlowPacket]) -> Packets {
    let mut timed = Vec::new();
    // Where packets say that they end, and where the last page says so.
    let (mut by_packets, mut by_pages): (Option<i128>, Option<i128>) = (None, None);
    for (number, page) in pages.iter().enumerate() {
        let ends = page.flags & ENDS != 0;
        let granule = i128::from(page.granule);
        let own: Vec<_> = sound.iter().filter(|packet| packet.page == Some(number)).collect();
        if own.is_empty() {
            if ends && granule >= 0 && by_pages.is_some_and(|last| granule < last) {
                return Err(());
            }
            continue;
        }
        let durations =
            own.iter().map(|packet| opus::packet_duration(&packet.bytes[..packet.bytes.len().min(8)]));
        let durations: Vec<u32> = durations.collect::<Result<_, _>>().map_err(|_| ())?;
        let sum: i128 = durations.iter().map(|&duration| i128::from(duration)).sum();
        if granule < 0 || (by_packets.is_none() && granule < sum && !ends) {
            return Err(());
        }
        let start = by_packets.unwrap_or((granule - sum).max(0));
        if granule < start && granule < by_pages.unwrap_or(0) {
            return Err(());
        }
        let mut left = sum;
        if ends && granule < start + sum {
            left = (granule - start).max(0);
        } else if (granule - start - sum).abs() >= 120 {
            return Err(());
        }
        for (packet, duration) in own.into_iter().zip(durations) {
            let kept = left.min(i128::from(duration));
            left -= kept;
            if kept > 0 {
                timed.push((packet.bytes.clone(), kept as u32));
            }
        }
        (by_packets, by_pages) = (Some(start + sum), Some(granule));
    }
    // Packets must end after they begin: one that no page completes says nothing.
    if by_packets.is_some() { Ok(timed) } else { Err(()) }
}
