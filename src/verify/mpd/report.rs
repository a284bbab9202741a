//! What is found in an MPD, each once however often an element is inherited, and how much of an MPD is read.

use std::collections::BTreeSet;

use super::value;
use super::xml::Element;
use super::{MPD_ATTRIBUTE, MPD_SIZE};
use crate::verify::findings::Findings;
use crate::verify::rules::Rule;

/// How many findings of one MPD are told or counted: reading goes on without them.
const MAX_TOLD: usize = 10_000;

/// How many segments of one MPD are listed.
pub(super) const MAX_SEGMENTS: u64 = 1_000_000;
/// How many bytes of references are resolved for one MPD.
const MAX_REFERENCE_BYTES: u64 = 128 << 20;

/// Findings of one MPD, and what may still be read.
pub(super) struct Reporter<'f> {
    file: &'f str,
    findings: &'f mut Findings,
    told: BTreeSet<(&'static str, u64, String)>,
    /// How many times something was found, repetitions included.
    pub found: u64,
    segments: u64,
    reference_bytes: u64,
}

impl<'f> Reporter<'f> {
    /// For the MPD `file`.
    pub fn new(file: &'f str, findings: &'f mut Findings) -> Self {
        let (told, segments, reference_bytes) = (BTreeSet::new(), MAX_SEGMENTS, MAX_REFERENCE_BYTES);
        Self { file, findings, told, found: 0, segments, reference_bytes }
    }

    /// Notes a finding at an element of the MPD.
    pub fn add(&mut self, rule: &Rule, at: &Element<'_>, message: String) {
        self.add_at(rule, at.offset, message);
    }

    /// Notes a finding at a byte of the MPD.
    pub fn add_at(&mut self, rule: &Rule, offset: u64, message: String) {
        self.found += 1;
        if self.told.len() < MAX_TOLD && self.told.insert((rule.id, offset, message.clone())) {
            self.findings.add(rule, self.file, Some(offset), message);
        }
    }

    /// Notes a finding in another file.
    pub fn add_in(&mut self, file: &str, rule: &Rule, offset: Option<u64>, message: String) {
        self.found += 1;
        if self.told.len() < MAX_TOLD
            && self.told.insert((rule.id, offset.unwrap_or(0), format!("{file}: {message}")))
        {
            self.findings.add(rule, file, offset, message);
        }
    }

    /// Notes that the findings got more by another way.
    pub fn by_others(&mut self, add: impl FnOnce(&mut Findings)) {
        self.found += 1;
        if self.told.len() < MAX_TOLD {
            add(self.findings);
        }
    }

    /// A number of at most `max` in an attribute; a finding if it is there and none.
    pub fn number(&mut self, element: &Element<'_>, name: &str, max: u64) -> Option<u64> {
        let what = || format!("a whole number up to {max}");
        self.parsed(element, name, what, |text| value::unsigned(text, max))
    }

    /// What `parse` makes of an attribute; a finding if it is there and is not what is called `what`.
    pub fn parsed<T>(
        &mut self,
        element: &Element<'_>,
        name: &str,
        what: impl FnOnce() -> String,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = element.get(name)?;
        let parsed = parse(text);
        if parsed.is_none() {
            self.add(&MPD_ATTRIBUTE, element, not_a(element, name, text, &what()));
        }
        parsed
    }

    /// Whether `count` more segments, or elements that tell of them, may be read; a finding once they may not.
    pub fn take_segments(&mut self, at: &Element<'_>, count: u64) -> bool {
        match self.segments.checked_sub(count) {
            Some(left) => {
                self.segments = left;
                true
            }
            None => {
                self.add(&MPD_SIZE, at, format!("more than {MAX_SEGMENTS} segments are not read"));
                false
            }
        }
    }

    /// Whether references of `bytes` bytes more may be resolved; a finding once they may not.
    pub fn take_bytes(&mut self, offset: u64, bytes: usize) -> bool {
        match self.reference_bytes.checked_sub(bytes as u64) {
            Some(left) => {
                self.reference_bytes = left;
                true
            }
            None => {
                let message = format!("references of more than {MAX_REFERENCE_BYTES} bytes are not read");
                self.add_at(&MPD_SIZE, offset, message);
                false
            }
        }
    }
}

/// `Period@start is 'x', must be …`, with a long text cut off.
pub(super) fn not_a(element: &Element<'_>, name: &str, text: &str, what: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    format!("{}@{name} is '{shown}', must be {what}", element.name)
}

#[cfg(test)]
mod tests {
    use super::super::xml::parse;
    use super::*;

    #[test]
    fn what_is_read_is_bounded_and_told_once() {
        let root = parse("<MPD/>").unwrap();
        let mut findings = Findings::default();
        let mut report = Reporter::new("m.mpd", &mut findings);
        assert!(report.take_segments(&root, MAX_SEGMENTS) && report.take_bytes(0, 128 << 20));
        for _ in 0..3 {
            assert!(!report.take_segments(&root, 1) && !report.take_bytes(0, 1));
        }
        assert_eq!(report.found, 6);
        assert_eq!(findings.len(), 2);
        let mut report = Reporter::new("m.mpd", &mut findings);
        for offset in 0..2 * MAX_TOLD as u64 {
            report.add_at(&MPD_SIZE, offset, String::new());
        }
        assert_eq!(report.told.len(), MAX_TOLD);
    }
}
