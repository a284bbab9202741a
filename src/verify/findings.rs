//! What was found: rule, file, place, and what is there. In the order of checking, so that the same package gives the same
//! list; bounded, so that a hostile one does not fill the memory.

use std::collections::HashSet;

use serde::Serialize;

use super::rules::{Rule, Severity};

/// How many findings of one rule in one file are kept; the rest is counted.
const KEPT: usize = 8;

/// One rule broken at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleName,
    /// Path of the file below the directory that is verified.
    pub file: String,
    /// Byte offset in it, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What is there, and what should be.
    pub message: String,
    /// How many more findings of the rule in the file are not listed; on the last that is.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// What a finding repeats of its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RuleName {
    /// [`Rule::id`].
    #[serde(rename = "rule")]
    pub id: &'static str,
    /// [`Rule::severity`].
    pub severity: Severity,
    /// [`Rule::clause`].
    pub clause: &'static str,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl std::fmt::Display for Finding {
    /// `video/720p/3.m4s @ 0x1f0: the message (tfdt-continuity, ISO/IEC …)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(offset) = self.offset {
            write!(f, " @ {offset:#x}")?;
        }
        write!(f, ": {} ({}, {})", self.message, self.rule.id, self.rule.clause)?;
        if self.more > 0 {
            write!(f, ", and {} more", self.more)?;
        }
        Ok(())
    }
}

/// Collects findings.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    found: Vec<Finding>,
}

impl Findings {
    /// Notes that `rule` is broken in `file`, at a byte offset where there is one.
    pub fn add(&mut self, rule: &Rule, file: &str, offset: Option<u64>, message: impl Into<String>) {
        let mut same = 0;
        let mut last = None;
        for (index, finding) in self.found.iter().enumerate().rev() {
            if finding.file != file {
                // Files are checked one after the other: what is further up is of an earlier check.
                break;
            }
            if finding.rule.id == rule.id {
                last = last.or(Some(index));
                same += 1;
            }
        }
        if let (KEPT.., Some(last)) = (same, last) {
            self.found[last].more += 1;
            return;
        }
        self.found.push(Finding {
            rule: RuleName { id: rule.id, severity: rule.severity, clause: rule.clause },
            file: file.to_owned(),
            offset,
            message: message.into(),
            more: 0,
        });
    }

    /// Appends what was found elsewhere.
    pub fn append(&mut self, mut others: Self) {
        self.found.append(&mut others.found);
    }

    /// Appends what another look at the last file found, but for what is there already, word for word.
    pub fn merge(&mut self, others: Self) {
        for other in others.found {
            let place = |finding: &Finding| (finding.rule.id, finding.file == other.file);
            let same =
                || self.found.iter().enumerate().filter(|(_, finding)| place(finding) == place(&other));
            if same().any(|(_, known)| (known.offset, &known.message) == (other.offset, &other.message)) {
                continue;
            }
            match (same().count(), same().next_back()) {
                (KEPT.., Some((last, _))) => self.found[last].more += 1 + other.more,
                _ => self.found.push(other),
            }
        }
    }

    /// Leaves what `others` have at the same places too.
    pub fn retain_common(&mut self, others: &Self) {
        let place = |finding: &Finding| (finding.rule.id, finding.file.clone(), finding.offset);
        let known: HashSet<_> = others.found.iter().map(place).collect();
        self.found.retain(|finding| known.contains(&place(finding)));
    }

    /// Leaves out what is there already, word for word: two manifests that name one file have the same to say of it.
    pub fn distinct(&mut self) {
        let mut seen = HashSet::new();
        self.found.retain(|finding| {
            let what = (finding.rule.id, finding.offset, finding.file.clone(), finding.message.clone());
            seen.insert(what)
        });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of finding.
    pub fn as_slice(&self) -> &[Finding] {
        &self.found
    }

    /// The list.
    pub fn into_vec(self) -> Vec<Finding> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::files::FILE_MISSING;

    #[test]
    fn what_is_said_twice_stands_once_in_the_place_of_the_first() {
        let mut findings = Findings::default();
        for (file, offset, message) in [
            ("a", Some(1), "x"),
            ("b", None, "x"),
            ("a", Some(1), "x"),
            ("a", Some(2), "x"),
            ("a", Some(1), "y"),
        ] {
            findings.add(&FILE_MISSING, file, offset, message);
        }
        findings.distinct();
        let left: Vec<_> =
            findings.as_slice().iter().map(|f| (f.file.as_str(), f.offset, f.message.as_str())).collect();
        assert_eq!(left, [("a", Some(1), "x"), ("b", None, "x"), ("a", Some(2), "x"), ("a", Some(1), "y")]);
    }

    #[test]
    fn another_look_adds_what_is_new_and_no_more_than_is_kept() {
        let of = |offsets: std::ops::Range<u64>| {
            let mut findings = Findings::default();
            offsets.for_each(|offset| findings.add(&FILE_MISSING, "a", Some(offset), "x"));
            findings
        };
        let mut findings = of(0..4);
        findings.merge(of(0..4));
        assert_eq!(findings.len(), 4);
        findings.merge(of(2..20));
        assert_eq!(findings.len(), KEPT);
        // 4 to 7 are new and kept, 8 and 9 are counted with the ten that follow them.
        assert_eq!(findings.as_slice()[KEPT - 1].more, 2 + 10);
    }

    #[test]
    fn many_of_one_rule_in_one_file_are_counted() {
        let mut findings = Findings::default();
        for index in 0..20 {
            findings.add(&FILE_MISSING, "a", Some(index), "x");
        }
        findings.add(&FILE_MISSING, "b", None, "y");
        assert_eq!(findings.len(), KEPT + 1);
        assert_eq!((findings.as_slice()[KEPT - 1].more, findings.as_slice()[KEPT].more), (12, 0));
        assert_eq!(
            findings.as_slice()[KEPT - 1].to_string(),
            "a @ 0x7: x (file-missing, RFC 8216 3, ISO/IEC 23009-1 5.3.9), and 12 more"
        );
    }
}
