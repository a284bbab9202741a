//! What a playlist uses, against the `EXT-X-VERSION` that it says (RFC 8216 7, rfc8216bis 8).

use super::lines::{Item, items};
use super::{HLS_VERSION, short};
use crate::verify::findings::Findings;

/// The version of a playlist, and what it was found to be too low for.
#[derive(Debug)]
pub(super) struct Version<'a> {
    file: &'a str,
    declared: u64,
    /// The highest version that something was found to need.
    reported: u64,
}

impl<'a> Version<'a> {
    /// What `EXT-X-VERSION` says; 1 without it. One that cannot be read counts as high enough for anything.
    pub(super) fn read(file: &'a str, bytes: &[u8], findings: &mut Findings) -> Self {
        let mut declared = None;
        for (offset, item) in items(bytes) {
            let Item::Tag("EXT-X-VERSION", value) = item else { continue };
            if declared.is_some() {
                findings.add(&HLS_VERSION, file, Some(offset), "EXT-X-VERSION stands once more");
                continue;
            }
            let version = super::attributes::integer(value).filter(|&version| version > 0);
            if version.is_none() {
                let message = format!("EXT-X-VERSION is {}, not a version", short(value));
                findings.add(&HLS_VERSION, file, Some(offset), message);
            }
            declared = Some(version.unwrap_or(u64::MAX));
        }
        Self { file, declared: declared.unwrap_or(1), reported: 0 }
    }

    /// Something at `offset` needs `version`. Said once for each version.
    pub(super) fn needs(&mut self, version: u64, what: &str, offset: u64, findings: &mut Findings) {
        if self.declared >= version || self.reported >= version {
            return;
        }
        self.reported = version;
        let message = format!("{what} needs version {version}, the playlist is of version {}", self.declared);
        findings.add(&HLS_VERSION, self.file, Some(offset), message);
    }
}
