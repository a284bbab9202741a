//! SEI NAL unit ► its messages, and what they say of high dynamic range: H.264 7.3.2.3 and H.265 7.3.2.4 with the
//! payloads of Annex D, which have the same bytes in both. Writes the messages back as the NAL units that `hvcC` holds.
//!
//! SEI never stops packaging: decoders need none of it to decode (H.264 7.4.2.3, H.265 7.4.2.4), and real streams have
//! messages that are cut off, or no trailing bits. A broken unit gives one error behind the messages that were whole. A
//! caller keeps what came before it and may tell of it; the bytes of the unit go into the samples as they are.
//!
//! Annex D was not opened: ranges are as FFmpeg checks them (`h2645_sei.c`), clause numbers as other readers quote them.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::{ContentLight, MasteringDisplay};
use crate::error::{Error, Result};

const MESSAGE: &str = "H.264 7.3.2.3.1, H.265 7.3.5";

/// `payloadType` of `pic_timing` (H.264 D.2.3, H.265 D.3.3).
pub const PICTURE_TIMING: u32 = 1;
/// `payloadType` of `mastering_display_colour_volume` (H.264 D.2.29, H.265 D.3.28).
const MASTERING_DISPLAY_COLOUR_VOLUME: u32 = 137;
/// `payloadType` of `content_light_level_info` (H.265 D.3.35).
const CONTENT_LIGHT_LEVEL_INFO: u32 = 144;
/// `payloadType` of `alternative_transfer_characteristics` (H.265 D.3.38).
const ALTERNATIVE_TRANSFER_CHARACTERISTICS: u32 = 147;

/// One `sei_message()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// `payloadType`.
    pub payload_type: u32,
    /// `payloadSize` bytes, without emulation prevention bytes. Copied only where it has some.
    pub payload: Cow<'a, [u8]>,
    /// Where the payload starts in the NAL unit, emulation prevention bytes counted.
    pub offset: u64,
}

/// The messages of an SEI NAL unit in order; a broken one gives one `Err` and is the last.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    nal: &'a [u8],
    /// Index in `nal` of the next byte, emulation prevention bytes stepped over.
    at: usize,
    /// Zero bytes in a row just before `at`, 2 at most.
    zeros: u8,
    /// Index in `nal` behind the last byte that is not 0, emulation prevention bytes aside.
    content_end: usize,
    ended: bool,
}

/// The messages of `nal`, a whole SEI NAL unit with a header of `header_len` bytes: 1 in H.264, 2 in H.265.
///
/// # Errors
/// Of the iterator, once and last: a type, size or payload that runs past the end of the unit. The offset is that of
/// the message in the unit.
pub fn messages(nal: &[u8], header_len: usize) -> Messages<'_> {
    let body = nal.get(header_len..).unwrap_or_default();
    Messages { nal, at: header_len, zeros: 0, content_end: header_len + content_len(body), ended: false }
}

/// Bytes of `body` up to the last that is not 0: without the zeros behind, and the `cabac_zero_words` among them (H.264
/// 7.3.2.10). Found once: a search at each message would take the square of the unit's length.
fn content_len(body: &[u8]) -> usize {
    let mut len = body.len();
    loop {
        len = body[..len].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        match body[..len] {
            [.., 0, 0, 3] => len -= 1,
            _ => return len,
        }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || !self.has_more() {
            return None;
        }
        let start = self.at as u64;
        let message = self.message();
        self.ended = message.is_err();
        Some(message.map_err(|error| error.at(start)))
    }
}

impl<'a> Messages<'a> {
    /// `more_rbsp_data()`, forgiving: no message starts where nothing but a trailing bit and zeros stand, or zeros alone.
    fn has_more(&mut self) -> bool {
        self.skip_emulation_prevention();
        let only_trailing_bits = self.at + 1 == self.content_end && self.nal[self.at] == 0x80;
        self.at < self.content_end && !only_trailing_bits
    }

    fn message(&mut self) -> Result<Message<'a>> {
        let payload_type = self.ff_coded("payload_type_byte")?;
        let size = self.ff_coded("payload_size_byte")?;
        self.skip_emulation_prevention();
        let first = self.at;
        let payload = self.payload(size)?;
        Ok(Message { payload_type, payload, offset: first as u64 })
    }

    /// `ff_byte`s of 255 each, then a byte below.
    fn ff_coded(&mut self, element: &'static str) -> Result<u32> {
        let mut value = 0u32;
        loop {
            let byte = self.byte().ok_or_else(|| Error::truncated(element, MESSAGE))?;
            value = value.checked_add(u32::from(byte)).ok_or_else(|| {
                Error::malformed(
                    format!("{element}s add up to over 32 bits"),
                    MESSAGE,
                    "the SEI NAL unit is damaged here",
                )
            })?;
            if byte != 0xff {
                return Ok(value);
            }
        }
    }

    fn payload(&mut self, size: u32) -> Result<Cow<'a, [u8]>> {
        let truncated = || Error::truncated("sei_payload", MESSAGE);
        let size = usize::try_from(size).ok();
        // An upper bound before anything is copied.
        let size = size.filter(|&size| size <= self.nal.len() - self.at).ok_or_else(truncated)?;
        let first = self.at;
        let mut copied: Option<Vec<u8>> = None;
        for taken in 0..size {
            let expected = self.at;
            let byte = self.byte().ok_or_else(truncated)?;
            if self.at != expected + 1 && copied.is_none() {
                // The first emulation prevention byte: what came before it lies as it is.
                copied = Some(self.nal[first..first + taken].to_vec());
            }
            if let Some(copied) = &mut copied {
                copied.push(byte);
            }
        }
        Ok(copied.map_or_else(|| Cow::Borrowed(&self.nal[first..first + size]), Cow::Owned))
    }

    /// The next byte of the payload, an emulation prevention byte in front of it skipped.
    fn byte(&mut self) -> Option<u8> {
        self.skip_emulation_prevention();
        let &byte = self.nal.get(self.at)?;
        self.at += 1;
        self.zeros = if byte == 0 { (self.zeros + 1).min(2) } else { 0 };
        Some(byte)
    }

    /// Steps over an `emulation_prevention_three_byte` (H.264 7.3.1, H.265 7.3.1.1).
    fn skip_emulation_prevention(&mut self) {
        if self.zeros == 2 && self.nal.get(self.at) == Some(&3) {
            self.at += 1;
            self.zeros = 0;
        }
    }
}

/// What SEI says of high dynamic range: the first valid message of each type, as a sample entry holds one for the whole
/// track and messages of one coded video sequence have the same content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HdrMetadata {
    /// Colour volume of the mastering display.
    pub mastering_display: Option<MasteringDisplay>,
    /// Content light levels.
    pub content_light: Option<ContentLight>,
    /// `preferred_transfer_characteristics`, as ITU-T H.273 defines it.
    pub preferred_transfer: Option<u8>,
}

impl HdrMetadata {
    /// Takes in `message` where it is about high dynamic range, and says whether it is. A message whose values mean
    /// "unspecified" is one, but leaves nothing.
    ///
    /// # Errors
    /// When its payload is shorter than its syntax; nothing is taken in then.
    pub fn read(&mut self, message: &Message<'_>) -> Result<bool> {
        let mut r = Fields { payload: &message.payload, offset: message.offset };
        match message.payload_type {
            MASTERING_DISPLAY_COLOUR_VOLUME => {
                let display = mastering_display(&mut r)?;
                self.mastering_display = self.mastering_display.or(display);
            }
            CONTENT_LIGHT_LEVEL_INFO => {
                let light = content_light(&mut r)?;
                self.content_light = self.content_light.or(light);
            }
            ALTERNATIVE_TRANSFER_CHARACTERISTICS => {
                let [transfer] = r.take("preferred_transfer_characteristics", ALTERNATIVE_TRANSFER)?;
                // H.273 Table 3: 0, 3 and those from 19 on are reserved, 2 is unspecified.
                let known = matches!(transfer, 1 | 4..=18);
                self.preferred_transfer = self.preferred_transfer.or(known.then_some(transfer));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes in what is not known yet of `said`. Gives whether it says nothing else than is known.
    #[must_use]
    pub fn take_in(&mut self, said: &Self) -> bool {
        fn settle<T: Copy + PartialEq>(known: &mut Option<T>, said: Option<T>) -> bool {
            said.is_none_or(|said| *known.get_or_insert(said) == said)
        }
        let display = settle(&mut self.mastering_display, said.mastering_display);
        let light = settle(&mut self.content_light, said.content_light);
        display & light & settle(&mut self.preferred_transfer, said.preferred_transfer)
    }

    /// Whether no message said anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

const MASTERING_DISPLAY: &str = "H.264 D.2.29, H.265 D.3.28";
const CONTENT_LIGHT: &str = "H.265 D.3.35";
const ALTERNATIVE_TRANSFER: &str = "H.265 D.3.38";

/// Fields of a payload.
struct Fields<'p> {
    payload: &'p [u8],
    /// Of the payload in the NAL unit, for errors.
    offset: u64,
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self, element: &'static str, clause: &'static str) -> Result<[u8; N]> {
        let (field, rest) = self
            .payload
            .split_first_chunk()
            .ok_or_else(|| Error::truncated(element, clause).at(self.offset))?;
        self.payload = rest;
        Ok(*field)
    }

    fn u16(&mut self, element: &'static str, clause: &'static str) -> Result<u16> {
        self.take(element, clause).map(u16::from_be_bytes)
    }

    fn u32(&mut self, element: &'static str, clause: &'static str) -> Result<u32> {
        self.take(element, clause).map(u32::from_be_bytes)
    }
}

/// `mastering_display_colour_volume()`; `None` where a value is outside what the clause gives a meaning.
///
/// The order of primaries stays: the clause suggests green, blue, red without asking for it, and `mdcv` is these fields.
fn mastering_display(r: &mut Fields<'_>) -> Result<Option<MasteringDisplay>> {
    let mut point = |x, y| Ok::<_, Error>((r.u16(x, MASTERING_DISPLAY)?, r.u16(y, MASTERING_DISPLAY)?));
    let mut primaries = [(0, 0); 3];
    for primary in &mut primaries {
        *primary = point("display_primaries_x", "display_primaries_y")?;
    }
    let white_point = point("white_point_x", "white_point_y")?;
    let max_luminance = r.u32("max_display_mastering_luminance", MASTERING_DISPLAY)?;
    let min_luminance = r.u32("min_display_mastering_luminance", MASTERING_DISPLAY)?;

    let display = MasteringDisplay { primaries, white_point, max_luminance, min_luminance };
    Ok(Some(display).filter(is_specified))
}

/// Whether all its values are in the ranges that the clause gives a meaning.
pub(crate) fn is_specified(display: &MasteringDisplay) -> bool {
    let &MasteringDisplay { primaries, white_point, max_luminance, min_luminance } = display;
    let is_chromaticity = |&(x, y): &(u16, u16)| (5..=37_000).contains(&x) && (5..=42_000).contains(&y);
    let is_luminance = (50_000..=100_000_000).contains(&max_luminance)
        // The clause starts at 1, but releases have 0 for a display that is black (FFmpeg takes it for the same reason).
        && min_luminance <= 50_000
        && min_luminance < max_luminance;
    primaries.iter().all(is_chromaticity) && is_chromaticity(&white_point) && is_luminance
}

/// `content_light_level_info()`; `None` where both levels are 0, which says nothing of either.
fn content_light(r: &mut Fields<'_>) -> Result<Option<ContentLight>> {
    let max_content = r.u16("max_content_light_level", CONTENT_LIGHT)?;
    let max_picture_average = r.u16("max_pic_average_light_level", CONTENT_LIGHT)?;
    let known = max_content > 0 || max_picture_average > 0;
    Ok(known.then_some(ContentLight { max_content, max_picture_average }))
}

/// SEI NAL units that say what `hdr` says of the mastering display and of content light, in this order, one message
/// each: what the SEI array of `hvcC` holds (ISO/IEC 14496-15 8.3.3.1.2). Each starts with `nal_header`, such as
/// `[0x4e, 0x01]` for a prefix SEI NAL unit of H.265. None without either.
///
/// They are built from the values, so two streams that say the same have the same bytes.
pub fn hdr_sei_units(nal_header: &[u8], hdr: &HdrMetadata) -> Vec<Vec<u8>> {
    let display = hdr.mastering_display.map(|display| {
        let points = display.primaries.into_iter().chain([display.white_point]);
        let points = points.flat_map(|(x, y)| [x.to_be_bytes(), y.to_be_bytes()]).flatten();
        let luminances = [display.max_luminance, display.min_luminance];
        let payload = points.chain(luminances.into_iter().flat_map(u32::to_be_bytes)).collect::<Vec<_>>();
        sei_unit(nal_header, MASTERING_DISPLAY_COLOUR_VOLUME, &payload)
    });
    let light = hdr.content_light.map(|light| {
        let payload = [light.max_content.to_be_bytes(), light.max_picture_average.to_be_bytes()].concat();
        sei_unit(nal_header, CONTENT_LIGHT_LEVEL_INFO, &payload)
    });
    display.into_iter().chain(light).collect()
}

/// An SEI NAL unit of one message.
fn sei_unit(nal_header: &[u8], payload_type: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("a payload that is built here has a few bytes");
    let ff_coded = |value: u32| {
        let ones = std::iter::repeat_n(0xff, (value / 255) as usize);
        ones.chain([(value % 255) as u8])
    };
    let trailing_bits = 0x80;
    let rbsp =
        ff_coded(payload_type).chain(ff_coded(size)).chain(payload.iter().copied()).chain([trailing_bits]);
    let mut nal = nal_header.to_vec();
    let mut zeros = 0;
    for byte in rbsp {
        if zeros == 2 && byte <= 3 {
            nal.push(3); // emulation_prevention_three_byte
            zeros = 0;
        }
        nal.push(byte);
        zeros = if byte == 0 { zeros + 1 } else { 0 };
    }
    nal
}

/// What fuzzing asserts of SEI on any bytes: the first byte picks the header's length. Messages lie in order in the unit and
/// have its bytes, an error is the last and has an offset in it; a twin that takes emulation prevention out first finds
/// the same; what is read is written and read back.
#[doc(hidden)]
pub fn fuzz_sei(data: &[u8]) {
    let Some((&choice, nal)) = data.split_first() else { return };
    let header_len = 1 + usize::from(choice & 1);
    let (mut hdr, mut end, mut failed) = (HdrMetadata::default(), header_len as u64, false);
    let mut found = Vec::new();
    for message in messages(nal, header_len) {
        assert!(!failed, "nothing comes behind an error");
        match message {
            Ok(message) => {
                assert!(message.offset >= end + 2, "type and size take a byte each");
                end = message.offset + message.payload.len() as u64;
                assert!(end <= nal.len() as u64);
                match hdr.read(&message) {
                    Ok(known) => assert_eq!(known, matches!(message.payload_type, 137 | 144 | 147)),
                    Err(error) => assert_eq!(error.offset(), Some(message.offset)),
                }
                found.push((message.payload_type, message.payload.into_owned()));
            }
            Err(error) => {
                assert!(error.offset().is_some_and(|at| at < nal.len() as u64));
                failed = true;
            }
        }
    }
    assert_eq!((found, failed), slow_messages(nal.get(header_len..).unwrap_or_default()));
    let mut again = HdrMetadata { preferred_transfer: hdr.preferred_transfer, ..Default::default() };
    let header = [0x4e, 0x01];
    for unit in hdr_sei_units(&header, &hdr) {
        assert!(!unit.windows(3).any(|bytes| bytes[..2] == [0, 0] && bytes[2] < 3), "no start code inside");
        for message in messages(&unit, header.len()) {
            assert!(again.read(&message.expect("it is whole")).expect("it is whole"));
        }
    }
    assert_eq!(again, hdr);
}

/// The slow twin of [`messages`]: the RBSP as a copy, then the table of 7.3.2.3.1 on it. Types and payloads, and whether it
/// ended with an error.
fn slow_messages(body: &[u8]) -> (Vec<(u32, Vec<u8>)>, bool) {
    let mut rbsp = Vec::new();
    let mut zeros = 0;
    for &byte in body {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        rbsp.push(byte);
    }
    let mut found = Vec::new();
    let mut rest = rbsp.as_slice();
    loop {
        let behind = rest.strip_prefix(&[0x80]).unwrap_or(rest);
        if behind.iter().all(|&byte| byte == 0) {
            return (found, false);
        }
        let mut ff_coded = || {
            let ones = rest.iter().take_while(|&&byte| byte == 0xff).count();
            let last = *rest.get(ones)?;
            rest = &rest[ones + 1..];
            Some(255 * ones + usize::from(last))
        };
        let (Some(payload_type), Some(size)) = (ff_coded(), ff_coded()) else { return (found, true) };
        let Some((payload, behind)) = rest.split_at_checked(size) else { return (found, true) };
        found.push((u32::try_from(payload_type).expect("fuzzed units are short"), payload.to_vec()));
        rest = behind;
    }
}
