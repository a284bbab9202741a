//! A timecode file ► when each picture is presented. Pure: reading the file is the caller's.
//!
//! Version 1 has a frame rate and ranges of frames with another one; version 2 has an instant in milliseconds on each line, in the
//! order of presentation. That is how MKVToolNix (`--timestamps`, whose `timestamp_factory.cpp` was read for the first line) and
//! x264 (`--tcfile-in`, `--tcfile-out`) have them; there is no standard. Versions 3 (gaps) and 4 (instants in decoding order) are refused.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use super::presentation_times::{NotRising, PresentationTimes, VARIABLE};
use crate::error::{Error, Result};
use crate::hash::HashAlgorithm;
use crate::time::{FrameRate, Timescale};

const CLAUSE: &str = "timecode file (mkvmerge --timestamps)";

/// Units of [`Kind::Instants`] in a millisecond, and digits behind the point that they hold.
const PER_MILLISECOND: i64 = 1_000_000_000;
const DIGITS: usize = 9;

/// What a timecode file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timecodes {
    path: PathBuf,
    hash: String,
    kind: Kind,
    notices: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Version 1.
    Rates { default: FrameRate, ranges: Vec<RateRange> },
    /// Version 2, in picoseconds, rising.
    Instants(Vec<i64>),
}

/// Frames that have a rate of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RateRange {
    first: u64,
    last: u64,
    rate: FrameRate,
    line: usize,
}

/// A line that says something.
#[derive(Clone, Copy)]
struct Line<'a> {
    /// From 1.
    number: usize,
    offset: u64,
    text: &'a str,
}

impl Line<'_> {
    fn refuse(self, what: impl fmt::Display, remedy: &'static str) -> Error {
        Error::malformed(format!("line {}: {what}", self.number), CLAUSE, remedy).at(self.offset)
    }
}

impl Timecodes {
    /// Reads the bytes of the file at `path`, which is only for messages.
    ///
    /// # Errors
    /// For a first line that names no version or one but 1 and 2, and for whatever else is not as the version has it, with number
    /// and offset of the line: no number, ranges that overlap, instants that do not rise by 1/90000 s at least.
    pub fn read(path: impl Into<PathBuf>, bytes: &[u8]) -> Result<Self> {
        let path = path.into();
        let read = || {
            let (version, lines) = open(bytes)?;
            let mut notices = Vec::new();
            let kind = match version {
                1 => read_rates(lines, &mut notices)?,
                _ => read_instants(lines)?,
            };
            Ok((kind, notices))
        };
        let (kind, notices) = read().map_err(|error: Error| error.in_file(&path))?;
        Ok(Self { path, hash: HashAlgorithm::Xxh3.of(bytes), kind, notices })
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// XXH3-128 of its bytes, as the receipt has it.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What a person should know of how it was read.
    pub(super) fn notices(&self) -> &[String] {
        &self.notices
    }

    /// When `pictures` pictures are presented, of which the first `lead` were left out.
    ///
    /// # Errors
    /// Where it is of another number of pictures; names both numbers.
    pub(super) fn times(&self, pictures: usize, lead: usize) -> Result<PresentationTimes> {
        match &self.kind {
            Kind::Rates { default, ranges } => rate_times(*default, ranges, pictures),
            Kind::Instants(instants) => instant_times(instants, pictures),
        }
        .map(|times| times.without_lead(lead))
        .map_err(|error| error.in_file(&self.path))
    }
}

/// The version that the first line names, and what stands behind it but comments and empty lines.
fn open(bytes: &[u8]) -> Result<(u32, impl Iterator<Item = Line<'_>>)> {
    let bom: &[u8] = b"\xef\xbb\xbf";
    let start = if bytes.starts_with(bom) { bom.len() } else { 0 };
    let text = std::str::from_utf8(&bytes[start..]).map_err(|error| {
        let what = "a timecode file is text, and this is none";
        Error::malformed(what, CLAUSE, "give the timecode file").at((start + error.valid_up_to()) as u64)
    })?;
    let mut offset = start as u64;
    let mut lines = text.split_inclusive('\n').zip(1..).map(move |(line, number)| {
        let this = Line { number, offset, text: line.trim() };
        offset += line.len() as u64;
        this
    });
    let first = lines.next().unwrap_or(Line { number: 1, offset: 0, text: "" });
    let version = version(first.text).ok_or_else(|| {
        first.refuse("no '# timecode format v2'", "write the version there, or give the timecode file")
    })?;
    if !matches!(version, 1 | 2) {
        let what = format!("line 1: version {version} of timecode files");
        return Err(Error::unsupported(what, "write it as version 1 or 2").at(first.offset));
    }
    Ok((version, lines.filter(|line| !line.text.is_empty() && !line.text.starts_with('#'))))
}

/// `# timecode format v2`, `# timestamp format v2`: spaces as one likes, and anything behind.
fn version(line: &str) -> Option<u32> {
    let words: String = line.split_ascii_whitespace().collect::<String>().to_ascii_lowercase();
    let rest = words.strip_prefix("#timecodeformatv").or_else(|| words.strip_prefix("#timestampformatv"))?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    u32::from_str(&rest[..digits]).ok()
}

/// `Assume 25` and lines `first,last,rate`.
fn read_rates<'a>(mut lines: impl Iterator<Item = Line<'a>>, notices: &mut Vec<String>) -> Result<Kind> {
    const ASSUME: &str = "write 'Assume' and the frame rate behind the first line";
    let nothing = || Error::malformed("no line 'Assume' with a frame rate", CLAUSE, ASSUME);
    let line = lines.next().ok_or_else(nothing)?;
    let (word, value) = line.text.split_once([' ', '\t']).unwrap_or((line.text, ""));
    if !word.eq_ignore_ascii_case("assume") {
        return Err(line.refuse(format!("'{}' is not 'Assume'", shown(line.text)), ASSUME));
    }
    let default = rate(value.trim(), line, notices)?;
    let mut ranges: Vec<RateRange> = Vec::new();
    for line in lines {
        const RANGE: &str = "write first frame, last frame and rate: 100,199,23.976";
        let wrong = || line.refuse(format!("'{}' is not a range of frames", shown(line.text)), RANGE);
        let mut fields = line.text.split(',').map(str::trim);
        let mut field = || fields.next().ok_or_else(wrong);
        let frame = |text: &str| {
            if is_digits(text) { text.parse::<u64>().map_err(|_| wrong()) } else { Err(wrong()) }
        };
        let (first, last) = (frame(field()?)?, frame(field()?)?);
        let rate = rate(field()?, line, notices)?;
        if fields.next().is_some() || last < first {
            return Err(wrong());
        }
        if let Some(before) = ranges.last().filter(|before| before.last >= first) {
            let what = format!("frame {first} is not behind {} of line {}", before.last, before.line);
            return Err(line.refuse(what, "write ranges in order, each behind the one before"));
        }
        ranges.push(RateRange { first, last, rate, line: line.number });
    }
    Ok(Kind::Rates { default, ranges })
}

/// A frame rate: a fraction, or a decimal number, by which alone other programs know it. One that is an NTSC rate rounded is that
/// rate, and told: by the letter it would drift.
fn rate(text: &str, line: Line<'_>, notices: &mut Vec<String>) -> Result<FrameRate> {
    const RATE: &str = "give a number or a fraction above 0 and up to 300, such as 25 or 30000/1001";
    let wrong = || line.refuse(format!("'{}' is not a frame rate", shown(text)), RATE);
    if let Some((numerator, denominator)) = text.split_once('/') {
        let number = |text: &str| is_digits(text).then(|| text.parse().ok()).flatten();
        let (Some(numerator), Some(denominator)) = (number(numerator), number(denominator)) else {
            return Err(wrong());
        };
        return FrameRate::new(numerator, denominator).ok_or_else(wrong);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !is_digits(whole) || !(fraction.is_empty() || is_digits(fraction)) {
        return Err(wrong());
    }
    let fraction = fraction.trim_end_matches('0');
    let places = u32::try_from(fraction.len()).ok().filter(|&places| places <= 9).ok_or_else(|| {
        line.refuse(format!("'{}' has more than 9 digits behind the point", shown(text)), RATE)
    })?;
    let unit = 10u64.pow(places);
    let digits = format!("{whole}{fraction}").parse::<u64>().map_err(|_| wrong())?;
    if digits / unit > u64::from(FrameRate::MAX) {
        return Err(wrong());
    }
    // n × 1000/1001, rounded to as many places, of which two say enough.
    let nearest = (2 * digits / unit).div_ceil(2);
    let rounded = (2 * nearest * 1000 * unit + 1001) / (2 * 1001);
    match FrameRate::new(nearest * 1000, 1001).filter(|_| places >= 2 && rounded == digits) {
        None => FrameRate::new(digits, unit).ok_or_else(wrong),
        Some(ntsc) => {
            let line = line.number;
            notices.push(format!(
                "line {line} of the timecodes: {text} is taken for {ntsc}; write {digits}/{unit} for the number itself"
            ));
            Ok(ntsc)
        }
    }
}

/// An instant on each line.
fn read_instants<'a>(lines: impl Iterator<Item = Line<'a>>) -> Result<Kind> {
    let mut instants: Vec<i64> = Vec::new();
    let mut before: Option<Line<'_>> = None;
    for line in lines {
        let instant = instant(line)?;
        if let (Some(&last), Some(before)) = (instants.last(), before) {
            let step = i128::from(instant) - i128::from(last);
            let ticks = step * i128::from(VARIABLE);
            if step <= 0 {
                let what =
                    format!("{} ms is not behind {} ms of line {}", line.text, before.text, before.number);
                let remedy = "the times of pictures rise, in the order of presentation";
                return Err(line.refuse(what, remedy));
            }
            if ticks < i128::from(PER_MILLISECOND) * 1000 {
                let what =
                    format!("{} ms is less than 1/{VARIABLE} s behind line {}", line.text, before.number);
                return Err(line.refuse(what, "no picture is shown for so short a time: correct it"));
            }
        }
        instants.push(instant);
        before = Some(line);
    }
    Ok(Kind::Instants(instants))
}

/// Milliseconds with any number of digits behind the point, of which those from the tenth on are rounded to the ninth.
fn instant(line: Line<'_>) -> Result<i64> {
    let wrong = || {
        line.refuse(
            format!("'{}' is no time in milliseconds", shown(line.text)),
            "write one such as 33.366667",
        )
    };
    let (negative, digits) = match line.text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, line.text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !is_digits(whole) || !(fraction.is_empty() || is_digits(fraction)) {
        return Err(wrong());
    }
    let too_large =
        || line.refuse(format!("{} ms is too long a time", shown(line.text)), "106 days is the most");
    let whole = whole.parse::<i64>().map_err(|_| too_large())?;
    let (kept, rest) = fraction.split_at(fraction.len().min(DIGITS));
    let kept: i64 = format!("{kept:0<DIGITS$}").parse().map_err(|_| wrong())?;
    let kept = kept + i64::from(rest.starts_with(['5', '6', '7', '8', '9']));
    let instant =
        whole.checked_mul(PER_MILLISECOND).and_then(|whole| whole.checked_add(kept)).ok_or_else(too_large)?;
    Ok(if negative { -instant } else { instant })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What an error shows of a line: it may be no text that a person wrote.
fn shown(text: &str) -> String {
    text.chars().take(40).collect::<String>().escape_debug().to_string()
}

/// Times by rates: each range starts where the one before ends, to the tick.
fn rate_times(default: FrameRate, ranges: &[RateRange], pictures: usize) -> Result<PresentationTimes> {
    if let Some(range) = ranges.last().filter(|range| range.last >= pictures as u64) {
        let what = format!(
            "line {}: the range goes on to frame {}, counted from 0, but the stream has {pictures} pictures",
            range.line, range.last
        );
        return Err(Error::conflict(what, "give the timecodes of this stream"));
    }
    let rates = || ranges.iter().map(|range| range.rate);
    // All frames may be in ranges: a default that no frame has is often an average.
    let in_ranges: u64 = ranges.iter().map(|range| range.last - range.first + 1).sum();
    let others = (in_ranges < pictures as u64).then_some(default);
    let exact = Timescale::for_frame_rates(rates().chain(others));
    // Where no 32 bits count them all: picoseconds, rounded once a range.
    let units = exact.map_or(PER_MILLISECOND as u64 * 1000, |timescale| u64::from(timescale.get()));
    let too_long = || Error::conflict("the times pass 64 bits", "check the frame rates");
    let mut instants = Vec::new();
    let mut ranges = ranges.iter().peekable();
    let (mut start, mut first, mut current) = (0i64, 0u64, None);
    for frame in 0..=pictures as u64 {
        while ranges.next_if(|range| range.last < frame).is_some() {}
        let rate = ranges.peek().filter(|range| range.first <= frame).map_or(default, |range| range.rate);
        let before = *current.get_or_insert(rate);
        let elapsed = u128::from(frame - first) * u128::from(before.denominator()) * u128::from(units);
        let numerator = u128::from(before.numerator());
        let elapsed = i64::try_from((2 * elapsed + numerator) / (2 * numerator)).map_err(|_| too_long())?;
        let instant = start.checked_add(elapsed).ok_or_else(too_long)?;
        instants.push(instant);
        if rate != before {
            (start, first, current) = (instant, frame, Some(rate));
        }
    }
    to_times((units, 1), &instants)
}

/// Times as they stand there: of the pictures, and of the end, if there is one more; otherwise the last picture lasts as long as the
/// one before.
fn instant_times(instants: &[i64], pictures: usize) -> Result<PresentationTimes> {
    const UNITS: (u64, u64) = (PER_MILLISECOND as u64 * 1000, 1);
    if instants.len() == pictures + 1 {
        return to_times(UNITS, instants);
    }
    if instants.len() != pictures {
        let what = format!("it has {} times, but the stream has {pictures} pictures", instants.len());
        return Err(Error::conflict(
            what,
            "give one time for each picture, and one more for the end if you like",
        ));
    }
    let [.., before, last] = *instants else {
        return Err(Error::conflict(
            "one time does not say how long the only picture is presented",
            "add a line with the time at which it ends",
        ));
    };
    let end = last
        .checked_add(last - before)
        .ok_or_else(|| Error::conflict("the end passes 64 bits", "check the times"))?;
    to_times(UNITS, &[instants, &[end]].concat())
}

fn to_times(units: (u64, u64), instants: &[i64]) -> Result<PresentationTimes> {
    if instants.len() < 2 {
        return Err(Error::conflict("there are no pictures", "give a stream with pictures"));
    }
    PresentationTimes::new(units, instants).map_err(|NotRising(index)| {
        let what = format!(
            "pictures {} and {index} in the order of presentation are less than a tick apart",
            index - 1
        );
        Error::conflict(what, "check the times")
    })
}

/// Asserts that what is read has as many times as there are pictures, rising from 0 on without drift, and that the two versions
/// agree. The first byte is the number of pictures.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub fn fuzz_timecodes(data: &[u8]) {
    let [pictures, text @ ..] = data else { return };
    let pictures = usize::from(*pictures);
    let Ok(timecodes) = Timecodes::read("fuzz", text) else { return };
    assert_eq!(timecodes, Timecodes::read("fuzz", text).expect("it was read before"));
    let Ok(times) = timecodes.times(pictures, 0) else { return };
    assert_eq!(times.len(), pictures);
    let Ok(durations) = times.durations(times.timescale()) else { return };
    assert_eq!(durations.len(), pictures);
    assert!(durations.iter().all(|&duration| duration > 0));
    // Written as version 2 in picoseconds' digits, it says the same to within the rounding.
    let mut again = String::from("# timestamp format v2\n");
    let ticks_per_second = u128::from(times.timescale().get());
    let mut sum = 0u128;
    for duration in std::iter::once(0).chain(durations.iter().copied()) {
        sum += u128::from(duration);
        let picoseconds = sum * 1_000_000_000_000 / ticks_per_second;
        let (whole, rest) = (picoseconds / 1_000_000_000, picoseconds % 1_000_000_000);
        again += &format!("{whole}.{rest:09}\n");
    }
    // Refused where pictures are closer than it knows, or last for months.
    let Ok(again) = Timecodes::read("fuzz", again.as_bytes()) else { return };
    let scale = again.times(pictures, 0).expect("it has a line for each picture and one more");
    let Ok(others) = scale.durations(scale.timescale()) else { return };
    let (mut one, mut other) = (0i128, 0i128);
    for (a, b) in durations.iter().zip(&others) {
        (one, other) = (one + i128::from(*a), other + i128::from(*b));
        let apart = (one * i128::from(VARIABLE) - other * ticks_per_second as i128).abs();
        assert!(apart <= ticks_per_second as i128, "{one} of {ticks_per_second}, {other} of {VARIABLE}");
    }
}

#[cfg(test)]
mod tests;
