//! The rules of verification. Each stands as a constant in the module that checks it, and in that module's list; here they
//! come together.

use serde::Serialize;

/// How much a broken rule matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Players may do without: a recommendation, or something that nobody can tell the effect of.
    Warning,
    /// A requirement is broken: some player fails, or plays something else than was meant.
    Error,
}

/// Something that holds of a sound package.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Stable name: lower case, with hyphens.
    pub id: &'static str,
    /// How much it matters where it is broken.
    pub severity: Severity,
    /// Standard and clause; where the rule is fragmint's own, what it follows from.
    pub clause: &'static str,
    /// The clause, or the last of several, is as others quote it: the standard itself was not opened.
    pub unverified: bool,
    /// What has to hold, as one sentence without a full stop.
    pub text: &'static str,
}

/// What stands behind a citation, in the lists of rules, if the standard was not opened.
const NOT_OPENED: &[u8] = b" (not opened)";

/// Whether a citation ends in [`NOT_OPENED`].
pub(in crate::verify) const fn is_unverified(cited: &str) -> bool {
    let bytes = cited.as_bytes();
    let Some(start) = bytes.len().checked_sub(NOT_OPENED.len()) else { return false };
    let mut index = 0;
    while index < NOT_OPENED.len() {
        if bytes[start + index] != NOT_OPENED[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// A citation without [`NOT_OPENED`].
pub(in crate::verify) const fn clause(cited: &'static str) -> &'static str {
    if is_unverified(cited) { cited.split_at(cited.len() - NOT_OPENED.len()).0 } else { cited }
}

/// Declares the rules of a module as constants, and their list as `RULES`. A citation of what was not opened ends in
/// `(not opened)`; of several these stand last.
macro_rules! declare_rules {
    ($($name:ident: $severity:ident $id:literal, $clause:literal, $text:literal;)+) => {
        $(
            #[doc = $text]
            pub(crate) const $name: $crate::verify::rules::Rule = $crate::verify::rules::Rule {
                id: $id,
                severity: $crate::verify::rules::Severity::$severity,
                clause: $crate::verify::rules::clause($clause),
                unverified: $crate::verify::rules::is_unverified($clause),
                text: $text,
            };
        )+
        pub(in crate::verify) const RULES: &[&$crate::verify::rules::Rule] = &[$(&$name),+];
    };
}
pub(crate) use declare_rules;

/// Every rule, in the order of checking.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        super::files::RULES,
        super::hls::RULES,
        super::mpd::RULES,
        super::header::RULES,
        super::segment::RULES,
        super::payload::RULES,
        super::tracks::RULES,
        super::receipt::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_texts_are_there() {
        let mut ids = std::collections::HashSet::new();
        for rule in rules() {
            assert!(ids.insert(rule.id), "{} stands twice", rule.id);
            assert!(
                rule.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{}",
                rule.id
            );
            assert!(
                !rule.clause.is_empty() && !rule.text.is_empty() && !rule.text.ends_with('.'),
                "{}",
                rule.id
            );
            assert!(!rule.clause.contains("not opened"), "{}: it goes last", rule.id);
        }
    }

    #[test]
    fn what_was_not_opened_is_a_flag() {
        assert_eq!(
            (clause("X 1, Y 2 (not opened)"), is_unverified("X 1, Y 2 (not opened)")),
            ("X 1, Y 2", true)
        );
        assert_eq!((clause("X 1"), is_unverified("X 1")), ("X 1", false));
        assert_eq!((clause("(not opened)"), is_unverified("")), ("(not opened)", false));
        assert!(rules().any(|rule| rule.unverified) && rules().any(|rule| !rule.unverified));
    }
}
