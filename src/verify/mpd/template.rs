//! `SegmentTemplate@media` and `@initialization` ► references: identifiers between dollar signs (ISO/IEC 23009-1 5.3.9.4.4).

use std::fmt::Write as _;

/// The longest reference that is made: longer than a path of any file system.
pub(super) const MAX_REFERENCE: usize = 4096;

/// The widest number: a file name of most file systems has no more characters.
const MAX_WIDTH: usize = 255;

/// A template, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template<'a> {
    parts: Vec<Part<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Id,
    Bandwidth(usize),
    Number(usize),
    Time(usize),
    SubNumber,
}

/// What is put in for the identifiers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Substitution<'a> {
    /// `$RepresentationID$`.
    pub id: &'a str,
    /// `$Bandwidth$`.
    pub bandwidth: u64,
    /// `$Number$`.
    pub number: u64,
    /// `$Time$`.
    pub time: u64,
}

impl<'a> Template<'a> {
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            if !before.is_empty() {
                parts.push(Part::Text(before));
            }
            let (identifier, after) =
                after.split_once('$').ok_or_else(|| format!("'{text}' has a '$' without a second one"))?;
            parts.push(identified(identifier)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest));
        }
        Ok(Self { parts })
    }

    /// Whether it has `$Number$`.
    pub fn has_number(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Number(_)))
    }

    /// Whether it has `$Time$`.
    pub fn has_time(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Time(_)))
    }

    /// Whether it has `$SubNumber$`, which names parts of segments.
    pub fn has_sub_number(&self) -> bool {
        self.parts.contains(&Part::SubNumber)
    }

    /// The reference; `None` if it is longer than [`MAX_REFERENCE`].
    pub fn expand(&self, with: &Substitution<'_>) -> Option<String> {
        let mut expanded = String::new();
        for part in &self.parts {
            let (value, width) = match *part {
                Part::Text(text) => {
                    expanded.push_str(text);
                    (None, 0)
                }
                Part::Id => {
                    expanded.push_str(with.id);
                    (None, 0)
                }
                Part::Bandwidth(width) => (Some(with.bandwidth), width),
                Part::Number(width) => (Some(with.number), width),
                Part::Time(width) => (Some(with.time), width),
                Part::SubNumber => (Some(1), 1),
            };
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _ = write!(expanded, "{value:0width$}");
            }
            if expanded.len() > MAX_REFERENCE {
                return None;
            }
        }
        Some(expanded)
    }
}

/// What stands between two dollar signs.
fn identified(identifier: &str) -> Result<Part<'static>, String> {
    let (name, format) = match identifier.split_once('%') {
        Some((name, format)) => (name, Some(format)),
        None => (identifier, None),
    };
    let width = match format {
        None => 1,
        Some(format) => format
            .strip_prefix('0')
            .and_then(|format| format.strip_suffix('d'))
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|&width: &usize| width <= MAX_WIDTH)
            .ok_or_else(|| {
                format!("'${identifier}$' has no format tag %0[width]d with a width up to {MAX_WIDTH}")
            })?,
    };
    match (name, format) {
        ("", None) => Ok(Part::Text("$")),
        ("RepresentationID", None) => Ok(Part::Id),
        ("RepresentationID", Some(_)) => Err(format!("'${identifier}$' has a format tag, which it cannot")),
        ("Bandwidth", _) => Ok(Part::Bandwidth(width)),
        ("Number", _) => Ok(Part::Number(width)),
        ("Time", _) => Ok(Part::Time(width)),
        ("SubNumber", _) => Ok(Part::SubNumber),
        _ => Err(format!("'${identifier}$' is no identifier")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH: Substitution<'_> = Substitution { id: "a b", bandwidth: 1000, number: 7, time: 90_000 };

    #[test]
    fn identifiers_are_replaced_with_their_widths() {
        for (template, expanded) in [
            ("plain.mp4", "plain.mp4"),
            ("$RepresentationID$/$Number%05d$.m4s", "a b/00007.m4s"),
            ("$Number$$Number%01d$-$Time$", "77-90000"),
            ("$$-$Bandwidth%06d$-$Time%03d$$$", "$-001000-90000$"),
            ("", ""),
        ] {
            assert_eq!(
                Template::parse(template).unwrap().expand(&WITH).as_deref(),
                Some(expanded),
                "{template}"
            );
        }
        let template = Template::parse("$Time$$Bandwidth$").unwrap();
        assert_eq!(
            (template.has_number(), template.has_time(), template.has_sub_number()),
            (false, true, false)
        );
    }

    #[test]
    fn malformed_templates_are_refused_and_long_ones_not_made() {
        for template in [
            "$Number",
            "a$",
            "$number$",
            "$Foo$",
            "$Number%5d$",
            "$Number%05x$",
            "$Number%0d$",
            "$Number%0999999999999999999999d$",
            "$Number%0256d$",
            "$RepresentationID%05d$",
            "$%05d$",
        ] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
        let long = "$RepresentationID$".repeat(MAX_REFERENCE);
        assert_eq!(Template::parse(&long).unwrap().expand(&WITH), None);
    }
}
