//! An attribute list ► values of the types of RFC 8216 4.2.

use std::collections::BTreeMap;

use super::{HLS_ATTRIBUTE, short};
use crate::verify::findings::Findings;
use crate::verify::listing::{ListedDuration, Time};

/// A value as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Without its quotation marks.
    Quoted(&'a str),
    /// A number, a resolution or an enumerated string.
    Bare(&'a str),
}

impl<'a> Value<'a> {
    fn text(self) -> &'a str {
        let (Self::Quoted(text) | Self::Bare(text)) = self;
        text
    }
}

/// The attributes of one tag. What is malformed is said where it is read, and taken for what it seems to mean.
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    file: &'a str,
    tag: &'a str,
    /// Byte offset of the tag's line.
    pub(super) offset: u64,
    list: BTreeMap<&'a str, Value<'a>>,
    /// The playlist defines variables: what uses one has no value here.
    variables: bool,
}

impl<'a> Attributes<'a> {
    /// The attributes in `text` of the tag at `offset`.
    pub(super) fn read(
        file: &'a str,
        (offset, tag, text): (u64, &'a str, &'a str),
        variables: bool,
        findings: &mut Findings,
    ) -> Self {
        let mut attributes = Self { file, tag, offset, list: BTreeMap::new(), variables };
        let mut rest = text.trim_end();
        while let Some((name, after)) = rest.split_once('=') {
            let Some((value, tail)) = value(after) else {
                attributes.note(findings, format!("{} has no closing quotation mark", short(name)));
                return attributes;
            };
            attributes.add(name, value, findings);
            let Some(comma) = tail.find(',') else {
                if !tail.is_empty() {
                    attributes.note(findings, format!("there is {} after a value", short(tail)));
                }
                return attributes;
            };
            if comma > 0 {
                attributes.note(findings, format!("there is {} after a value", short(&tail[..comma])));
            }
            rest = &tail[comma + 1..];
        }
        attributes.note(findings, format!("{:?} stands where an attribute should", short(rest)));
        attributes
    }

    fn add(&mut self, name: &'a str, value: Value<'a>, findings: &mut Findings) {
        let trimmed = name.trim();
        let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        if name != trimmed {
            self.note(findings, format!("there is white space around the name {}", short(trimmed)));
        } else if name.is_empty() || !name.bytes().all(is_name) {
            self.note(findings, format!("{:?} is no name of an attribute", short(name)));
        }
        if let Value::Bare(text) = value
            && (text.is_empty() || text.contains(|c: char| c == '"' || c.is_whitespace()))
        {
            self.note(
                findings,
                format!("{} is {:?}, which is no value without quotation marks", short(trimmed), short(text)),
            );
        }
        if self.list.contains_key(trimmed) {
            self.note(findings, format!("{} stands once more", short(trimmed)));
            return;
        }
        self.list.insert(trimmed, value);
    }

    /// A finding of the rule for attributes at this tag.
    pub(super) fn note(&self, findings: &mut Findings, message: String) {
        let message = format!("{}: {message}", self.tag);
        findings.add(&HLS_ATTRIBUTE, self.file, Some(self.offset), message);
    }

    /// Whether the attribute is there, whatever it says.
    pub(super) fn has(&self, name: &str) -> bool {
        self.list.contains_key(name)
    }

    /// Whether any name starts so.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        self.list.range(prefix..).next().is_some_and(|(name, _)| name.starts_with(prefix))
    }

    /// As it stands; `None` if it uses a variable.
    pub(super) fn value(&self, name: &str) -> Option<Value<'a>> {
        let value = *self.list.get(name)?;
        (!self.variables || !value.text().contains("{$")).then_some(value)
    }

    /// A quoted string.
    pub(super) fn quoted(&self, name: &str, findings: &mut Findings) -> Option<&'a str> {
        let value = self.value(name)?;
        if let Value::Bare(text) = value {
            self.note(findings, format!("{name} is {}, without quotation marks", short(text)));
        }
        Some(value.text())
    }

    /// A quoted string that the tag requires.
    pub(super) fn required(&self, name: &str, findings: &mut Findings) -> Option<&'a str> {
        if !self.has(name) {
            self.note(findings, format!("{name} is missing"));
        }
        self.quoted(name, findings)
    }

    /// Anything without quotation marks.
    pub(super) fn bare(&self, name: &str, findings: &mut Findings) -> Option<&'a str> {
        let value = self.value(name)?;
        if let Value::Quoted(text) = value {
            self.note(findings, format!("{name} is \"{}\", with quotation marks", short(text)));
        }
        Some(value.text())
    }

    /// An unquoted value that `read` understands.
    pub(super) fn parsed<T>(
        &self,
        name: &str,
        kind: &str,
        read: impl FnOnce(&str) -> Option<T>,
        findings: &mut Findings,
    ) -> Option<T> {
        let text = self.bare(name, findings)?;
        let value = read(text);
        if value.is_none() {
            self.note(findings, format!("{name} is {}, not {kind}", short(text)));
        }
        value
    }

    /// A decimal-integer.
    pub(super) fn integer(&self, name: &str, findings: &mut Findings) -> Option<u64> {
        self.parsed(name, "an integer", integer, findings)
    }

    /// `YES`; everything else is no, which a finding says unless it is `NO`.
    pub(super) fn is_yes(&self, name: &str, findings: &mut Findings) -> bool {
        let read = |text: &str| ["NO", "YES"].iter().position(|&word| word == text);
        self.parsed(name, "YES or NO", read, findings) == Some(1)
    }
}

/// The value at the start of a text, and what is behind it. `None` if it is quoted and does not end.
fn value(text: &str) -> Option<(Value<'_>, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, tail) = quoted.split_once('"')?;
        return Some((Value::Quoted(value), tail));
    }
    let (value, tail) = text.split_at(text.find(',').unwrap_or(text.len()));
    Some((Value::Bare(value), tail))
}

/// A decimal-integer: digits that fit 64 bits.
pub(super) fn integer(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A decimal-resolution.
pub(super) fn resolution(text: &str) -> Option<(u64, u64)> {
    let (width, height) = text.split_once('x')?;
    Some((integer(width)?, integer(height)?))
}

/// A decimal-floating-point or decimal-integer, kept to its digits: at most 9 before the point, and of those behind it 12.
pub(super) fn decimal(text: &str) -> Option<ListedDuration> {
    const BEFORE: usize = 9;
    const BEHIND: usize = 12;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > BEFORE {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(BEHIND)];
    let ticks = whole
        .bytes()
        .chain(fraction.bytes())
        .fold(0, |ticks: i128, digit| ticks * 10 + i128::from(digit - b'0'));
    let timescale = fraction.bytes().fold(1, |timescale: u64, _| timescale * 10);
    Some(ListedDuration::Rounded { time: Time::new(ticks, timescale), unit: Time::new(1, timescale) })
}

/// A decimal rounded to thousandths.
pub(super) fn thousandths(text: &str) -> Option<u64> {
    let ListedDuration::Rounded { time, .. } = decimal(text)? else { return None };
    let scale = i128::from(time.timescale);
    u64::try_from((time.ticks * 1000 + scale / 2) / scale).ok()
}
