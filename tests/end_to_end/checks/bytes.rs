//! Files: two packages hold the same files with the same bytes, and the receipt names what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Problems;
use crate::package::Package;

/// Files that only one package has, or that differ.
pub fn differences(one: &Package, other: &Package) -> Problems {
    differing(&hashes(one), &hashes(other))
}

/// The same of packages of other inputs and options, which the receipts tell.
pub fn differences_of_output(one: &Package, other: &Package) -> Problems {
    let output_alone = |package: &Package| {
        let mut receipt = read_receipt(package);
        assert!(receipt["inputs"].take().is_array() && receipt["options"].take().is_object());
        let mut hashes = hashes(package);
        hashes.insert(PathBuf::from(RECEIPT), Sha256::digest(receipt.to_string()).into());
        hashes
    };
    differing(&output_alone(one), &output_alone(other))
}

type Hashes = BTreeMap<PathBuf, [u8; 32]>;

const RECEIPT: &str = "fragmint.json";

fn read_receipt(package: &Package) -> serde_json::Value {
    let text = fs::read_to_string(package.root.join(RECEIPT)).expect("a package has a receipt");
    serde_json::from_str(&text).expect("the receipt is JSON")
}

fn differing(a: &Hashes, b: &Hashes) -> Problems {
    let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| format!("{} differs", name.display()))
        .collect()
}

/// `fragmint.json` lists each other file of the package with its size.
pub fn receipt(package: &Package) -> Problems {
    let receipt = read_receipt(package);
    let listed = receipt["files"].as_array().expect("a list of files").iter();
    let listed: BTreeSet<_> = listed.map(|file| (file["path"].as_str(), file["bytes"].as_u64())).collect();
    let names: Vec<_> = package.files().into_iter().filter(|name| name != Path::new(RECEIPT)).collect();
    let size = |name: &PathBuf| fs::metadata(package.root.join(name)).expect("it is there").len();
    let there = names.iter().map(|name| (name.to_str(), Some(size(name)))).collect();
    listed
        .symmetric_difference(&there)
        .map(|entry| format!("{entry:?} is listed or there, not both"))
        .collect()
}

fn hashes(package: &Package) -> Hashes {
    let hash =
        |name: &PathBuf| Sha256::digest(fs::read(package.root.join(name)).expect("it can be read")).into();
    package.files().into_iter().map(|name| (name.clone(), hash(&name))).collect()
}
