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
    /// What has to hold, as one sentence without a full stop.
    pub text: &'static str,
}

/// Declares the rules of a module as constants, and their list as `RULES`.
macro_rules! declare_rules {
    ($($name:ident: $severity:ident $id:literal, $clause:literal, $text:literal;)+) => {
        $(
            #[doc = $text]
            pub(crate) const $name: $crate::verify::rules::Rule = $crate::verify::rules::Rule {
                id: $id,
                severity: $crate::verify::rules::Severity::$severity,
                clause: $clause,
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
        }
    }
}
