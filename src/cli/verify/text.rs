//! What `fragmint verify` says to people: findings by file, tracks, what was not checked, and one line for all of it. Plain
//! values in, text out, each line ended. What comes out of files is escaped: it must neither break lines nor steer the terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use fragmint::verify::report::TrackReport;
use fragmint::verify::{Finding, Report, Rule, Severity};

use super::super::one_line;
use super::super::package::seconds;
use super::super::plan::{bytes, counted};
use super::super::table::align;

/// What a `*` behind a clause means.
const UNVERIFIED: &str = "\n* The clause, or the last of several, is as others quote it: the standard itself\n  \
                          was not opened.\n";

/// Characters to a line of a rule's text.
const WIDTH: usize = 80;

/// How many findings of one rule are printed: the same fault is in each segment of a track often enough.
const PRINTED: usize = 40;

/// Findings under the file they are in, files in the order of their first. Of rules with many the rest is counted below.
pub fn findings(findings: &[Finding], colour: bool) -> String {
    let mut of_rule = std::collections::BTreeMap::<_, (usize, u64)>::new();
    let mut printed = Vec::new();
    for finding in findings {
        let (count, more) = of_rule.entry(finding.rule.id).or_default();
        if *count < PRINTED {
            *count += 1;
            printed.push(finding);
        } else {
            *more = more.saturating_add(finding.more).saturating_add(1);
        }
    }
    let mut text = by_file(&printed, colour);
    for (rule, (_, more)) in of_rule.iter().filter(|(_, (_, more))| *more > 0) {
        let _ = writeln!(text, "and {more} more findings of {rule}, which --json lists");
    }
    text
}

fn by_file(findings: &[&Finding], colour: bool) -> String {
    let mut files: Vec<(&str, Vec<&Finding>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for &finding in findings {
        let place = *places.entry(finding.file.as_str()).or_insert(files.len());
        match files.get_mut(place) {
            Some((_, of_file)) => of_file.push(finding),
            None => files.push((&finding.file, vec![finding])),
        }
    }
    let mut text = String::new();
    for (file, of_file) in files {
        text.extend([&one_line(file), "\n"]);
        for finding in of_file {
            push_finding(&mut text, finding, colour);
        }
    }
    text
}

/// `  error    tfdt-continuity @ 0x1f0: what is there (clause), and 3 more`.
fn push_finding(text: &mut String, finding: &Finding, colour: bool) {
    let rule = &finding.rule;
    let padding = " ".repeat("warning".len() - severity(rule.severity).len());
    // Writing to a String cannot fail, here and below.
    let _ = write!(text, "  {}{padding}  {}", coloured(rule.severity, colour), rule.id);
    if let Some(offset) = finding.offset {
        let _ = write!(text, " @ {offset:#x}");
    }
    let _ = write!(text, ": {} ({})", one_line(&finding.message), rule.clause);
    if finding.more > 0 {
        let _ = write!(text, ", and {} more", finding.more);
    }
    text.push('\n');
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn coloured(of: Severity, colour: bool) -> String {
    let code = if of == Severity::Error { AnsiColor::Red } else { AnsiColor::Yellow };
    in_colour(severity(of), code, colour)
}

fn in_colour(word: &str, code: AnsiColor, colour: bool) -> String {
    let style = if colour { Style::new().bold().fg_color(Some(code.into())) } else { Style::new() };
    format!("{style}{word}{style:#}")
}

const HEADER: [&str; 6] = ["track", "codec", "segments", "samples", "seconds", "size"];
/// Columns of text, which stand at the left; numbers stand at the right.
const LEFT: usize = 2;

/// The table of tracks, and an empty line.
pub fn tracks(tracks: &[TrackReport]) -> String {
    let rows = tracks.iter().map(|track| {
        [
            one_line(&track.name),
            track.codec.as_deref().map_or_else(|| "unknown".to_owned(), one_line),
            track.segments.to_string(),
            track.samples.to_string(),
            // 0 ticks a second: there is no init segment to tell.
            if track.timescale == 0 { String::new() } else { seconds(track.duration, track.timescale) },
            bytes(track.bytes),
        ]
    });
    let lines: Vec<[String; 6]> = std::iter::once(HEADER.map(str::to_owned)).chain(rows).collect();
    align(&lines, LEFT) + "\n"
}

/// What nobody looked at, and why, a line each.
pub fn not_checked(report: &Report, is_one_manifest: bool, colour: bool) -> String {
    let receipt = match (report.receipt, is_one_manifest) {
        (true, _) => None,
        (false, true) => Some("it takes the receipt of a whole directory to tell"),
        (false, false) => Some("there is no receipt (fragmint.json) to tell"),
    };
    let receipt = receipt
        .map(|why| format!("whether payload is what was packaged: {why}, so its syntax alone was looked at"));
    let others = report.not_checked.iter().map(|reason| one_line(reason));
    let label = in_colour("not checked:", AnsiColor::Yellow, colour);
    receipt.into_iter().chain(others).map(|what| format!("{label} {what}\n")).collect()
}

/// Media segments that could be read.
pub fn segments(report: &Report) -> u64 {
    report.tracks.iter().map(|track| track.segments).fold(0, u64::saturating_add)
}

/// `sound: 4 tracks, 48 segments, 12.3 MB, nothing found`, or how much was.
pub fn summary(report: &Report) -> String {
    let segments = segments(report);
    let read =
        [counted(report.tracks.len() as u64, "track"), counted(segments, "segment"), bytes(report.bytes)]
            .join(", ");
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let is_all_checked = report.receipt && report.not_checked.is_empty();
    match (errors, warnings) {
        (0, 0) if segments == 0 => format!("nothing was checked: {read}\n"),
        (0, _) if segments == 0 => format!("nothing was checked, {}: {read}\n", counted(warnings, "warning")),
        (0, 0) if is_all_checked => format!("sound: {read}, nothing found\n"),
        (0, 0) => format!("sound as far as it was checked: {read}, nothing found\n"),
        (0, _) => format!("{}: {read}\n", counted(warnings, "warning")),
        (_, 0) => format!("{}: {read}\n", counted(errors, "error")),
        _ => format!("{}, {}: {read}\n", counted(errors, "error"), counted(warnings, "warning")),
    }
}

/// A line with id, severity and clause for each rule, its text below; at the end what a mark at clauses means.
pub fn rules(rules: &[&Rule]) -> String {
    let clause = |rule: &Rule| format!("{}{}", rule.clause, if rule.unverified { " *" } else { "" });
    let heads: Vec<_> = rules
        .iter()
        .map(|rule| [rule.id.to_owned(), severity(rule.severity).to_owned(), clause(rule)])
        .collect();
    let heads = align(&heads, 3);
    let mut text = String::new();
    for (head, rule) in heads.lines().zip(rules) {
        text.extend([head, "\n"]);
        push_wrapped(&mut text, rule.text, "    ");
    }
    if rules.iter().any(|rule| rule.unverified) {
        text.push_str(UNVERIFIED);
    }
    text
}

/// The words of `words` in lines that begin with `indent`.
fn push_wrapped(text: &mut String, words: &str, indent: &str) {
    let mut line = String::new();
    for word in words.split_whitespace() {
        let is_full = indent.len() + line.chars().count() + 1 + word.chars().count() > WIDTH;
        if is_full && !line.is_empty() {
            text.extend([indent, &line, "\n"]);
            line.clear();
        }
        line.extend([if line.is_empty() { "" } else { " " }, word]);
    }
    text.extend([indent, &line, "\n"]);
}

#[cfg(test)]
mod tests {
    use fragmint::verify::findings::RuleName;

    use super::*;

    fn finding(file: &str, severity: Severity, offset: Option<u64>, more: u64) -> Finding {
        let rule = RuleName { id: "some-rule", severity, clause: "ISO/IEC 14496-12 8.8.12" };
        Finding { rule, file: file.to_owned(), offset, message: "it is\n so".to_owned(), more }
    }

    fn report(findings: Vec<Finding>, receipt: bool, not_checked: &[&str]) -> Report {
        let track = |name: &str, codec: Option<&str>, timescale| TrackReport {
            name: name.to_owned(),
            codec: codec.map(str::to_owned),
            segments: 12,
            samples: 300,
            timescale,
            duration: 300_300,
            bytes: 1_234_567,
        };
        Report {
            fragmint: "1.2.3",
            target: "out".to_owned(),
            manifests: vec!["master.m3u8".to_owned()],
            tracks: vec![
                track("video/\u{1b}[31m.m3u8", Some("avc1.64001f"), 25_000),
                track("audio/a.m3u8", None, 0),
            ],
            receipt,
            files: 26,
            bytes: 2_469_134,
            not_checked: not_checked.iter().map(|&reason| reason.to_owned()).collect(),
            findings,
        }
    }

    #[test]
    fn findings_stand_below_their_files_one_line_each() {
        let found = [
            finding("b/\u{7}", Severity::Error, Some(0x1f0), 0),
            finding("a", Severity::Warning, None, 12),
            finding("b/\u{7}", Severity::Warning, None, 0),
        ];
        let expected = "\
b/\\u{7}
  error    some-rule @ 0x1f0: it is\\n so (ISO/IEC 14496-12 8.8.12)
  warning  some-rule: it is\\n so (ISO/IEC 14496-12 8.8.12)
a
  warning  some-rule: it is\\n so (ISO/IEC 14496-12 8.8.12), and 12 more
";
        assert_eq!(findings(&found, false), expected);
        let in_colour = findings(&found, true);
        assert_eq!(in_colour.matches('\u{1b}').count(), 2 * 3 + 3, "{in_colour:?}");
        assert_eq!(anstream::adapter::strip_str(&in_colour).to_string(), expected);
        assert_eq!(findings(&[], true), "");
    }

    #[test]
    fn of_a_rule_that_is_broken_everywhere_the_rest_is_counted() {
        let everywhere: Vec<_> = (0..1000)
            .map(|index| finding(&format!("{index}.m4s"), Severity::Warning, None, u64::from(index == 999)))
            .collect();
        let text = findings(&everywhere, false);
        assert_eq!(text.lines().count(), 2 * PRINTED + 1);
        assert!(text.ends_with("and 961 more findings of some-rule, which --json lists\n"), "{text}");
    }

    #[test]
    fn tracks_are_a_table_and_an_unknown_one_says_so() {
        let expected = "\
track                  codec        segments  samples  seconds    size
video/\\u{1b}[31m.m3u8  avc1.64001f        12      300   12.012  1.2 MB
audio/a.m3u8           unknown            12      300           1.2 MB

";
        assert_eq!(tracks(&report(Vec::new(), true, &[]).tracks), expected);
    }

    #[test]
    fn what_was_not_checked_is_told_with_the_reason() {
        let said = |receipt, one| not_checked(&report(Vec::new(), receipt, &["samples of xxxx"]), one, false);
        assert_eq!(said(true, false), "not checked: samples of xxxx\n");
        let without = said(false, false);
        assert!(without.contains("no receipt") && without.ends_with("not checked: samples of xxxx\n"));
        assert!(said(false, true).contains("whole directory"));
        assert_eq!(not_checked(&report(Vec::new(), true, &[]), false, true), "");
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        let said = |found: &[(Severity, u64)], receipt, not_checked: &[&str]| {
            let found = found.iter().map(|&(severity, more)| finding("a", severity, None, more));
            summary(&report(found.collect(), receipt, not_checked))
        };
        let (error, warning) = (Severity::Error, Severity::Warning);
        let read = "2 tracks, 24 segments, 2.5 MB";
        assert_eq!(said(&[], true, &[]), format!("sound: {read}, nothing found\n"));
        let partly = format!("sound as far as it was checked: {read}, nothing found\n");
        assert_eq!(said(&[], false, &[]), partly);
        assert_eq!(said(&[], true, &["x"]), partly);
        let empty = Report { tracks: Vec::new(), bytes: 0, ..report(Vec::new(), true, &[]) };
        assert_eq!(summary(&empty), "nothing was checked: 0 tracks, 0 segments, 0 B\n");
        let warned = Report { findings: vec![finding("a", warning, None, 0)], ..empty };
        assert_eq!(summary(&warned), "nothing was checked, 1 warning: 0 tracks, 0 segments, 0 B\n");
        assert_eq!(said(&[(warning, 0)], true, &[]), format!("1 warning: {read}\n"));
        assert_eq!(said(&[(error, 2)], true, &[]), format!("3 errors: {read}\n"));
        assert_eq!(said(&[(error, 0), (warning, 1)], true, &[]), format!("1 error, 2 warnings: {read}\n"));
    }

    #[test]
    fn rules_are_wrapped_below_a_line_that_names_them() {
        let long =
            "each of the words in a text that goes on for longer than a line of a terminal is in a line";
        let (first, second) = (
            Rule {
                id: "a-rule",
                severity: Severity::Warning,
                clause: "RFC 8216 3",
                unverified: true,
                text: long,
            },
            Rule {
                id: "another-rule",
                severity: Severity::Error,
                clause: "x",
                unverified: false,
                text: "short",
            },
        );
        let expected = "\
a-rule        warning  RFC 8216 3 *
    each of the words in a text that goes on for longer than a line of a
    terminal is in a line
another-rule  error    x
    short

* The clause, or the last of several, is as others quote it: the standard itself
  was not opened.
";
        assert_eq!(rules(&[&first, &second]), expected);
        assert!(!rules(&[&second]).contains('*'));
        assert!(expected.lines().all(|line| line.len() <= WIDTH));
    }
}
