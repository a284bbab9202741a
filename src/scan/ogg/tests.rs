//! Rules of Ogg and of Opus in it, one broken at a time.

use super::testing::{BEGINS, CONTINUED, ENDS, Pages};
use super::*;

/// A packet: its ranges and its duration.
type Packet = (Vec<SourceRange>, u32);

fn walk(stream: &[u8], drop_incomplete: bool) -> Result<(Vec<Packet>, OggOpusReport)> {
    let mut walk = OpusWalk::new(drop_incomplete);
    let (mut packets, mut offset, len) = (Vec::new(), 0, stream.len() as u64);
    while offset < len {
        let bytes = &stream[offset as usize..];
        offset = walk.step(offset, len, &bytes[..bytes.len().min(MAX_PAGE_LEN)], &mut |packet| {
            packets.push((packet.ranges.to_vec(), packet.duration));
            Ok(())
        })?;
    }
    walk.finish().map(|report| (packets, report))
}

fn durations(pages: &Pages) -> Vec<u32> {
    walk(&pages.bytes, false).unwrap().0.into_iter().map(|(_, duration)| duration).collect()
}

/// Refused with these words, at this place.
fn refused(pages: &Pages, offset: u64, words: &str) {
    let error = walk(&pages.bytes, false).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(error.offset(), Some(offset), "{error}");
}

fn end(pages: &Pages) -> u64 {
    pages.bytes.len() as u64
}

#[test]
fn packets_are_ranges_of_the_file_and_headers_are_none() {
    let mut pages = Pages::new();
    let first = pages.packets(0, 1920, &[3, 4]);
    let second = pages.packets(ENDS, 2880, &[5]);
    let (packets, report) = walk(&pages.bytes, false).unwrap();
    let range = |offset, len| vec![SourceRange { offset, len }];
    let expected = [(range(first + 29, 3), 960), (range(first + 32, 4), 960), (range(second + 28, 5), 960)];
    assert_eq!(packets, expected);
    assert_eq!((report.packets, report.duration), (Count { units: 3, bytes: 12 }, 2880));
    assert_eq!((report.pages.units, report.head_bytes), (4, 19));
    assert_eq!(report.comment_headers, Count { units: 1, bytes: 16 });
    assert_eq!((report.start, report.inexact_page, report.ended), (0, None, true));
    assert_eq!(report.config, OpusConfig::new(2, 312).unwrap());
}

#[test]
fn a_packet_lies_on_as_many_pages_as_it_takes() {
    let mut pages = Pages::new();
    let body = [0xfc; 255];
    let first = pages.page(0, -1, &[255], &body);
    // All of it, and the end on the page behind, with no byte of its own; then one of 255 bytes on one page.
    let second = pages.page(CONTINUED, -1, &[255], &body);
    let third = pages.page(CONTINUED | ENDS, 1920, &[0, 255, 0], &body);
    let (packets, report) = walk(&pages.bytes, false).unwrap();
    let range = |offset| SourceRange { offset: offset + 28, len: 255 };
    let last = SourceRange { offset: third + 30, len: 255 };
    assert_eq!(packets, [(vec![range(first), range(second)], 960), (vec![last], 960)]);
    assert_eq!(report.packets.bytes, 3 * 255);
}

#[test]
fn comments_may_take_several_pages() {
    let mut pages = Pages::new();
    pages.bytes.truncate(47);
    pages.sequence = 1;
    let tags = [&b"OpusTags"[..], &[0; 247]].concat();
    pages.page(0, 0, &[255], &tags);
    pages.page(CONTINUED, 0, &[9], &[0; 9]);
    pages.packets(ENDS, 960, &[2]);
    let (packets, report) = walk(&pages.bytes, false).unwrap();
    assert_eq!((packets.len(), report.comment_headers), (1, Count { units: 1, bytes: 264 }));
}

#[test]
fn the_last_granule_position_ends_the_sound_within_a_packet() {
    let ended = |granule, lens: &[u8]| {
        let mut pages = Pages::new();
        pages.packets(0, 1920, &[3, 3]);
        pages.packets(ENDS, granule, lens);
        pages
    };
    assert_eq!(durations(&ended(3840, &[3, 3])), [960, 960, 960, 960]);
    assert_eq!(durations(&ended(3839, &[3, 3])), [960, 960, 960, 959]);
    assert_eq!(durations(&ended(2881, &[3, 3])), [960, 960, 960, 1]);
    for (granule, kept, dropped) in [(2880, 3, 1), (2879, 3, 1), (1921, 3, 1), (1920, 2, 2)] {
        let (packets, report) = walk(&ended(granule, &[3, 3]).bytes, false).unwrap();
        assert_eq!(packets.len(), kept, "{granule}");
        assert_eq!(report.trimmed_packets, Count { units: dropped, bytes: 3 * dropped });
        assert_eq!(report.duration, granule as u64);
    }
    let offset = end(&ended(1919, &[])) - 27;
    refused(&ended(1919, &[3]), offset, "is before that of the pages in front");
    // A last page without packets says nothing new, but must not take away what was there.
    assert_eq!(durations(&ended(1920, &[])).len(), 2);
    assert_eq!(durations(&ended(-1, &[])).len(), 2);
    refused(&ended(1919, &[]), offset, "ends the stream at 1919, before 1920");
}

#[test]
fn a_stream_on_one_page_is_trimmed_from_0() {
    let one = |flags, granule| {
        let mut pages = Pages::new();
        pages.packets(flags, granule, &[3, 3]);
        pages
    };
    assert_eq!(durations(&one(ENDS, 1000)), [960, 40]);
    assert_eq!(durations(&one(ENDS, 313)), [313]);
    refused(&one(ENDS, 312), 0, "the stream has 312 samples, the first 312 of which are not to be heard");
    // RFC 7845 4.5: only where the stream ends.
    let offset = end(&one(0, 1000)) - 35;
    refused(&one(0, 1000), offset, "has 1920 samples, but ends at 1000");
}

#[test]
fn a_stream_that_was_cut_from_a_longer_one_starts_later() {
    let mut pages = Pages::new();
    pages.packets(0, 49_920, &[3, 3]);
    pages.packets(ENDS, 50_000, &[3]);
    let (packets, report) = walk(&pages.bytes, false).unwrap();
    assert_eq!((report.start, report.duration, packets[2].1), (48_000, 2000, 80));
}

#[test]
fn a_hole_is_refused_and_rounding_is_told() {
    let second = |granule| {
        let mut pages = Pages::new();
        pages.packets(0, 960, &[3]);
        let offset = pages.packets(0, granule, &[3]);
        pages.packets(ENDS, 2880, &[3]);
        (pages, offset)
    };
    for off in [-119, -1, 1, 119] {
        let (pages, offset) = second(1920 + off);
        let (packets, report) = walk(&pages.bytes, false).unwrap();
        assert_eq!((packets.len(), report.inexact_page), (3, Some((offset, off))));
        assert_eq!(report.duration, 2880, "packets count");
    }
    let (pages, offset) = second(1920 + 960);
    refused(&pages, offset, "is +960 samples (+0.0200 s) from the end of the packets, 1920: a hole");
    let (pages, offset) = second(1920 - 120);
    refused(&pages, offset, "-120 samples (-0.0025 s)");
    let (pages, offset) = second(-1);
    refused(&pages, offset, "has no granule position");
    let (pages, offset) = second(-2);
    refused(&pages, offset, "has granule position -2, must be 0 or more");
    let (pages, offset) = second(i64::MAX);
    refused(&pages, offset, "a hole");
}

#[test]
fn missing_and_damaged_pages_are_refused() {
    let mut pages = Pages::new();
    let first = pages.packets(0, 960, &[3]);
    pages.sequence += 1;
    let second = pages.packets(ENDS, 1920, &[3]);
    refused(&pages, second, "page 4 stands where page 3 must (RFC 3533 6); pages are missing or damaged");
    let mut recording = Pages::new();
    recording.sequence = 1000;
    let offset = recording.packets(ENDS, 96_000, &[3]);
    refused(&recording, offset, "page 1000 stands where page 2 must (RFC 3533 6); write it again: ffmpeg");
    let mut damaged = pages.clone();
    damaged.bytes[first as usize + 29] ^= 1;
    refused(&damaged, first, "checksum");
    let mut garbage = pages.clone();
    garbage.bytes.splice(second as usize..second as usize, *b"xyz");
    refused(&garbage, second, "no Ogg page (OggS) behind the one before, but 78 79 7a 4f");
    refused(&Pages { bytes: b"ID3\x04".to_vec(), ..pages }, 0, "no Ogg page (OggS) at the start");
}

#[test]
fn other_streams_are_refused_with_what_to_do() {
    let mut beside = Pages::new();
    beside.bytes.truncate(47);
    (beside.serial, beside.sequence) = (8, 0);
    beside.page(BEGINS, 0, &[7], b"\x80theora");
    refused(&beside, 47, "with another stream, of Theora video: not supported; write it again: ffmpeg");
    let mut first = Pages { bytes: Vec::new(), serial: 8, sequence: 0 };
    first.page(BEGINS, 0, &[7], b"\x80theora");
    refused(&first, 0, "of Theora video");

    let mut chained = Pages::new();
    chained.packets(ENDS, 960, &[3]);
    let offset = end(&chained);
    chained.bytes.extend(Pages::new().bytes);
    refused(&chained, offset, "a chained Ogg file: behind the end of its stream begins another, of Opus");

    let mut stray = Pages::new();
    stray.packets(0, 960, &[3]);
    stray.serial = 9;
    let offset = stray.packets(ENDS, 1920, &[3]);
    refused(&stray, offset, "a page of stream 0x9 in stream 0x7");
    let mut behind = Pages::new();
    behind.packets(ENDS, 960, &[3]);
    let offset = behind.packets(0, 1920, &[3]);
    refused(&behind, offset, "behind the last page");
}

#[test]
fn headers_that_are_not_as_they_must_be_are_refused() {
    let mut no_beginning = Pages { bytes: Vec::new(), serial: 7, sequence: 0 };
    no_beginning.packets(0, 960, &[3]);
    refused(&no_beginning, 0, "does not begin a stream");
    let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
    let first = |flags, lacing: &[u8], body: &[u8]| {
        let mut pages = Pages { bytes: Vec::new(), serial: 7, sequence: 0 };
        pages.page(flags, 0, lacing, body);
        pages
    };
    refused(&first(BEGINS, &[19, 2], &[&head[..], &[0xfc, 0]].concat()), 0, "not alone");
    refused(&first(BEGINS | ENDS, &[19], head), 0, "ends with its first page");
    let mut of_9 = *head;
    of_9[9] = 9;
    refused(&first(BEGINS, &[19], &of_9), 28 + 9, "9 channels");
    let second = |lacing: &[u8], body: &[u8]| {
        let mut pages = first(BEGINS, &[19], head);
        pages.page(0, 0, lacing, body);
        pages.packets(ENDS, 960, &[3]);
        pages
    };
    refused(&second(&[4], b"abcd"), 75, "the second packet is not OpusTags");
    refused(&second(&[8, 2], b"OpusTags\xfc\0"), 76, "does not end its page");
    refused(&Pages { bytes: Pages::new().bytes, serial: 7, sequence: 0 }, 0, "no complete packet");
    assert!(walk(b"", false).unwrap_err().to_string().contains("no complete packet"));
}

#[test]
fn packets_that_go_on_nowhere_and_come_from_nowhere_are_refused() {
    let mut nowhere = Pages::new();
    let open = nowhere.page(0, -1, &[255], &[0xfc; 255]);
    let offset = nowhere.packets(ENDS, 960, &[3]);
    refused(&nowhere, offset, &format!("the packet at {:#x} goes on", open + 28));
    let mut from_nowhere = Pages::new();
    let offset = from_nowhere.packets(CONTINUED | ENDS, 960, &[3]);
    refused(&from_nowhere, offset, "in the middle of a packet");
    let mut empty = Pages::new();
    let offset = empty.page(ENDS, 960, &[0], &[]);
    refused(&empty, offset + 28, "a packet of no bytes");
}

#[test]
fn what_is_cut_off_is_refused_or_dropped_and_counted() {
    let mut pages = Pages::new();
    let first = pages.packets(0, 960, &[3]);
    let second = pages.packets(0, 1920, &[3]);
    let third = pages.packets(ENDS, 2880, &[9]);
    for len in third + 1..end(&pages) {
        let cut = Pages { bytes: pages.bytes[..len as usize].to_vec(), ..pages };
        refused(&cut, third, &format!("the last page has only {} of its", len - third));
        let (packets, report) = walk(&cut.bytes, true).unwrap();
        assert_eq!((packets.len(), report.ended), (2, false));
        assert_eq!(report.incomplete_packets, Count { units: 1, bytes: len - third });
    }
    // Between two pages nothing shows it but the end that is not told.
    let (packets, report) = walk(&pages.bytes[..third as usize], false).unwrap();
    assert_eq!((packets.len(), report.ended), (2, false));
    assert!(walk(&pages.bytes[..second as usize + 5], true).is_ok());
    assert!(walk(&pages.bytes[..first as usize + 5], true).is_err(), "no sound");

    // A packet that goes on at the end, and one that goes on in a page that is cut off.
    let mut open = Pages::new();
    open.packets(0, 960, &[3]);
    let offset = open.page(0, -1, &[255], &[0xfc; 255]);
    refused(&open, offset + 28, "the last packet has only its first 255 bytes");
    let (_, report) = walk(&open.bytes, true).unwrap();
    assert_eq!(report.incomplete_packets, Count { units: 1, bytes: 255 });
    open.bytes.extend(b"OggS\0\x01");
    let (_, report) = walk(&open.bytes, true).unwrap();
    assert_eq!(report.incomplete_packets, Count { units: 1, bytes: 255 + 6 });
}

#[test]
fn the_shortest_packet_is_the_one_that_the_roll_distance_is_counted_in() {
    let mut pages = Pages::new();
    // 20 ms, 2.5 ms, and one of 60 ms of which 1 sample is kept.
    pages.page(0, 960 + 120, &[1, 1], &[0xfc, 0xe4]);
    pages.page(ENDS, 960 + 120 + 1, &[1], &[0x18]);
    let (packets, report) = walk(&pages.bytes, false).unwrap();
    assert_eq!(packets.iter().map(|packet| packet.1).collect::<Vec<_>>(), [960, 120, 1]);
    assert_eq!((report.config.shortest_packet(), report.config.roll_distance().get()), (120, -32));
}
