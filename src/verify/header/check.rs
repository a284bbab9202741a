//! What the readers of an init segment have in common: where findings go, the boxes in a box against a table of what is to be in
//! it, and `FullBox` fields read to their end. Nothing here stops at the first fault.

use super::super::findings::Findings;
use super::super::rules::{Rule, Severity};
use super::{
    INIT_BOX_DUPLICATE, INIT_BOX_FLAGS, INIT_BOX_MISSING, INIT_BOX_ORDER, INIT_BOX_SIZE, INIT_BOX_TRAILING,
    INIT_BOX_VERSION, INIT_CONFIG,
};
use crate::boxes::FourCc;
use crate::boxes::reader::{Body, BoxRef, Boxes};
use crate::error::{Error, ErrorKind, Result};

/// Clause of fields of boxes, for errors that the reader makes; findings name their rule's instead.
pub(super) const CLAUSE: &str = "ISO/IEC 14496-12";

/// How many boxes of one type are kept of one holder.
const KEPT: usize = 16;

/// How often a box may stand in its holder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    One,
    AtMostOne,
    Any,
}

/// A box that may stand in another, under any of these types, in the order of ISO/IEC 23000-19 7.3.1.
pub(super) type Child = (&'static [&'static [u8; 4]], Count);

/// What may stand in a box.
pub(super) struct Table {
    /// CMAF lists them in this order.
    pub is_ordered: bool,
    pub boxes: &'static [Child],
}

/// A table in the order of CMAF.
pub(super) const fn ordered(boxes: &'static [Child]) -> Table {
    Table { is_ordered: true, boxes }
}

/// A table without an order.
pub(super) const fn unordered(boxes: &'static [Child]) -> Table {
    Table { is_ordered: false, boxes }
}

/// Where findings of one init segment go.
pub(super) struct Check<'f> {
    pub file: &'f str,
    pub findings: &'f mut Findings,
    /// A structural brand of CMAF is claimed, so that what CMAF alone asks for holds.
    pub is_cmaf: bool,
}

/// The boxes of known types in a holder.
pub(super) struct Children<'a>(Vec<BoxRef<'a>>);

impl<'a> Children<'a> {
    /// The first of a type.
    pub fn first(&self, kind: &[u8; 4]) -> Option<&BoxRef<'a>> {
        self.all(kind).next()
    }

    /// All of a type.
    pub fn all(&self, kind: &[u8; 4]) -> impl Iterator<Item = &BoxRef<'a>> {
        let kind = FourCc(*kind);
        self.0.iter().filter(move |child| child.kind == kind)
    }
}

impl Check<'_> {
    pub fn add(&mut self, rule: &Rule, offset: u64, message: impl Into<String>) {
        self.findings.add(rule, self.file, Some(offset), message);
    }

    /// The same, as a warning.
    pub fn warn(&mut self, rule: &Rule, offset: u64, message: impl Into<String>) {
        let &Rule { id, clause, unverified, text, .. } = rule;
        self.add(&Rule { id, severity: Severity::Warning, clause, unverified, text }, offset, message);
    }

    /// What a reader could not read, as a finding of `rule`; `None` then.
    pub fn fields<T>(&mut self, rule: &Rule, holder: &BoxRef<'_>, read: Result<T>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                let message = format!("box '{}': {}", holder.kind, plain(&error));
                self.add(rule, error.offset().unwrap_or(holder.offset), message);
                None
            }
        }
    }

    /// Notes what is wrong with a configuration record.
    pub fn config(&mut self, holder: &BoxRef<'_>, message: impl std::fmt::Display) {
        self.add(&INIT_CONFIG, holder.offset, format!("box '{}': {message}", holder.kind));
    }

    /// The boxes in `boxes`, which start at `offset`, of the types of `table`; others are passed over. `name` says what
    /// holds them.
    pub fn children<'a>(
        &mut self,
        name: &str,
        offset: u64,
        mut boxes: Boxes<'a>,
        table: &Table,
    ) -> Children<'a> {
        let (is_ordered, table) = (table.is_ordered && self.is_cmaf, table.boxes);
        let mut kept: Vec<BoxRef<'a>> = Vec::new();
        let mut counts = vec![0; table.len()];
        let mut last = 0;
        let mut in_order = true;
        loop {
            let child = match boxes.next() {
                Ok(Some(child)) => child,
                Ok(None) => break,
                Err(error) => {
                    let message = format!("in {name}: {}", plain(&error));
                    self.add(&INIT_BOX_SIZE, error.offset().unwrap_or(offset), message);
                    break;
                }
            };
            let Some(place) = table.iter().position(|(kinds, _)| kinds.contains(&&child.kind.0)) else {
                continue;
            };
            counts[place] += 1;
            if place < last && in_order && is_ordered {
                let message =
                    format!("in {name} box '{}' stands behind '{}'", child.kind, kinds(table[last].0));
                self.add(&INIT_BOX_ORDER, child.offset, message);
                in_order = false;
            }
            last = last.max(place);
            if (2..=KEPT).contains(&counts[place]) && table[place].1 != Count::Any {
                let message = format!("{name} has a second box '{}'", child.kind);
                self.add(&INIT_BOX_DUPLICATE, child.offset, message);
            }
            if counts[place] <= KEPT {
                kept.push(child);
            }
        }
        for ((kinds_of, count), _) in table.iter().zip(&counts).filter(|(_, count)| **count == 0) {
            if *count == Count::One {
                let message = format!("{name} has no box '{}'", kinds(kinds_of));
                self.add(&INIT_BOX_MISSING, offset, message);
            }
        }
        Children(kept)
    }

    /// The boxes in a box without fields.
    pub fn inner<'a>(&mut self, holder: &BoxRef<'a>, table: &Table) -> Children<'a> {
        self.children(&format!("box '{}'", holder.kind), holder.offset, holder.boxes(), table)
    }

    /// Version and fields of a `FullBox` whose version is at most `max_version`; `None` where it is another. Flags other than
    /// those in `flags` are noted.
    pub fn full<'a>(
        &mut self,
        holder: &BoxRef<'a>,
        max_version: u8,
        flags: u32,
    ) -> Option<(u8, u32, Body<'a>)> {
        let mut body = holder.fields(CLAUSE);
        let word = self.fields(&INIT_BOX_SIZE, holder, body.u32("version and flags"))?;
        let (version, found) = ((word >> 24) as u8, word & 0x00ff_ffff);
        if version > max_version {
            let message = format!("version {version} of box '{}' is not known", holder.kind);
            self.add(&INIT_BOX_VERSION, holder.offset, message);
            return None;
        }
        if found & !flags != 0 {
            let message = format!("flags of box '{}' are {found:#08x}", holder.kind);
            self.add(&INIT_BOX_FLAGS, holder.offset, message);
        }
        Some((version, found, body))
    }

    /// Notes bytes behind the last field of a box.
    pub fn end(&mut self, holder: &BoxRef<'_>, body: &Body<'_>) {
        let rest = body.rest().len();
        if rest > 0 {
            let message = format!("{rest} bytes behind the last field of box '{}'", holder.kind);
            self.add(&INIT_BOX_TRAILING, body.offset(), message);
        }
    }
}

/// An error without its clause and remedy: the finding has a clause of its own.
fn plain(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Truncated { element, .. } => format!("{element} runs past the end"),
        ErrorKind::Malformed { what, .. } => what.to_string(),
        ErrorKind::OutOfRange { element, value, allowed, .. } => {
            format!("{element} is {value}, must be {allowed}")
        }
        other => other.to_string(),
    }
}

fn kinds(kinds: &[&[u8; 4]]) -> String {
    kinds.iter().map(|kind| FourCc(**kind).to_string()).collect::<Vec<_>>().join("|")
}
