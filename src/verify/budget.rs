//! How often the bytes of a file are read: manifests may name each of them very many times, by byte ranges that lie over each
//! other or by many init segments for one segment, so that a small package would take days.
//!
//! A sound package names a byte a few times: in HLS and in DASH, in segments and in the parts of them.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{FILE_REPEATED, Files};
use super::findings::Findings;
use super::listing::Resource;

/// How many times the bytes of a file are read.
const MOST: u64 = 16;

/// What may still be read of each file.
pub(super) struct Budget {
    /// Bytes of the file, and how many may still be read; of files that are named more than [`MOST`] times.
    files: BTreeMap<String, (u64, u64)>,
    told: BTreeSet<String>,
}

impl Budget {
    /// For all that is to be read.
    pub fn new<'r>(files: &dyn Files, resources: impl Iterator<Item = &'r Resource>) -> Self {
        let mut named: BTreeMap<&str, u64> = BTreeMap::new();
        for resource in resources {
            *named.entry(&resource.path).or_default() += 1;
        }
        let often = named.into_iter().filter(|&(_, times)| times > MOST);
        // What cannot be opened is told where it is read.
        let lengths = often.filter_map(|(path, _)| Some((path, files.open(path).ok()?.len())));
        let files = lengths.map(|(path, len)| (path.to_owned(), (len, len.saturating_mul(MOST)))).collect();
        Self { files, told: BTreeSet::new() }
    }

    /// Whether a resource may be read, which counts then; one finding for each file of which not all may.
    pub fn takes(&mut self, resource: &Resource, findings: &mut Findings) -> bool {
        let path = resource.path.as_str();
        let Some((len, left)) = self.files.get_mut(path) else { return true };
        let bytes = resource.range.map_or(*len, |(start, end)| end.saturating_sub(start).min(*len));
        if let Some(rest) = left.checked_sub(bytes) {
            *left = rest;
            return true;
        }
        if self.told.insert(path.to_owned()) {
            let message =
                format!("manifests name its {len} bytes more than {MOST} times over; not all is read");
            findings.add(&FILE_REPEATED, path, None, message);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::testing::Memory;

    fn range(path: &str, start: u64, end: u64) -> Resource {
        Resource { path: path.to_owned(), range: Some((start, end)) }
    }

    #[test]
    fn a_file_is_read_a_few_times_and_told_of_once() {
        let files = Memory([("a".to_owned(), vec![0; 100]), ("b".to_owned(), vec![0; 100])].into());
        let mut named: Vec<_> = (0..50).map(|index| range("a", index, 100 + index)).collect();
        named.extend((0..100).map(|index| range("b", index, index + 1)));
        named.push(Resource { path: "b".to_owned(), range: None });
        named.extend((0..20).map(|index| range("missing", index, u64::MAX)));
        let mut budget = Budget::new(&files, named.iter());
        let mut findings = Findings::default();
        let taken: Vec<_> = named.iter().filter(|resource| budget.takes(resource, &mut findings)).collect();
        let of = |path: &str| taken.iter().filter(|resource| resource.path == path).count() as u64;
        assert_eq!((of("a"), of("b"), of("missing")), (MOST, 101, 20));
        let told: Vec<_> = findings.as_slice().iter().map(|f| (f.rule.id, f.file.as_str())).collect();
        assert_eq!(told, [("file-repeated", "a")]);
    }
}
