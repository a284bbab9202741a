//! Sameness: two packages hold the same files with the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::Problems;
use crate::package::Package;

/// Files that only one package has, or that differ.
pub fn differences(one: &Package, other: &Package) -> Problems {
    let (a, b) = (hashes(one), hashes(other));
    let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| format!("{} differs", name.display()))
        .collect()
}

fn hashes(package: &Package) -> BTreeMap<PathBuf, [u8; 32]> {
    let hash =
        |name: &PathBuf| Sha256::digest(fs::read(package.root.join(name)).expect("it can be read")).into();
    package.files().into_iter().map(|name| (name.clone(), hash(&name))).collect()
}
