use proptest::prelude::*;
use serde_json::{Value, json};

use super::broken::{BROKEN, edit, receipt};
use super::*;
use crate::io::package_files::PackageFiles;
use crate::verify::findings::Finding;
use crate::verify::testing::{LARGE, Memory, SOUND, package};

/// The files that the manifests of a sound package name: all but the receipt.
fn named(files: &Memory) -> Vec<String> {
    files.0.keys().filter(|path| *path != RECEIPT).cloned().collect()
}

fn found(files: &dyn Files, named: &[String]) -> (bool, Vec<Finding>) {
    let mut findings = Findings::default();
    let compared = check(files, named, &BTreeSet::new(), &mut findings);
    (compared != Compared::Nothing, findings.into_vec())
}

/// Rule and file of what is found in a package of which one thing was changed.
fn rules_of(files: &Memory) -> Vec<(&'static str, String)> {
    let (_, findings) = found(files, &named(&package()));
    findings.into_iter().map(|finding| (finding.rule.id, finding.file)).collect()
}

/// Four files and their receipt.
fn small() -> Memory {
    let mut files = Memory::default();
    for path in ["manifest.mpd", "video/a/init.mp4", "video/a/seg-00001.m4s", "video/a/seg-00002.m4s"] {
        files.0.insert(path.to_owned(), path.as_bytes().to_vec());
    }
    edit(&mut files, |_| {});
    files
}

#[test]
fn without_a_hash_of_each_file_sizes_alone_were_compared() {
    let compared = |change: fn(&mut Value)| {
        let mut files = small();
        edit(&mut files, change);
        check(&files, &named(&files), &BTreeSet::new(), &mut Findings::default())
    };
    assert_eq!(compared(|_| {}), Compared::Hashes);
    assert_eq!(compared(|receipt| receipt["options"]["hash"] = json!("none")), Compared::Sizes);
    assert_eq!(compared(|receipt| receipt["options"]["hash"] = json!("crc")), Compared::Sizes);
    assert_eq!(compared(|receipt| receipt["files"][1]["hash"] = Value::Null), Compared::Sizes);
    assert_eq!(check(&Memory::default(), &[], &BTreeSet::new(), &mut Findings::default()), Compared::Nothing);
}

fn messages_of(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut files = small();
    let named = named(&files);
    edit(&mut files, change);
    let (_, findings) = found(&files, &named);
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sound_package_has_no_findings_whatever_its_receipt_tells() {
    let sound = package();
    assert_eq!(found(&sound, &named(&sound)), (true, vec![]));
    for algorithm in [HashAlgorithm::Xxh3, HashAlgorithm::Sha256] {
        let mut files = sound.clone();
        let receipt = receipt(&sound, algorithm);
        files.0.insert(RECEIPT.to_owned(), receipt.to_string().into_bytes());
        assert_eq!(found(&files, &named(&sound)), (true, vec![]));
    }
    let mut files = sound.clone();
    edit(&mut files, |receipt| {
        receipt["options"]["hash"] = json!("none");
        for file in receipt["files"].as_array_mut().unwrap() {
            file.as_object_mut().unwrap().remove("hash");
        }
    });
    assert_eq!(found(&files, &named(&sound)), (true, vec![]));
    let before = r#"{ "fragmint": "0.1.0", "files": [{ "path": "a.mpd", "bytes": 2 }] }"#;
    let files = [("a.mpd", "ab"), (RECEIPT, before)];
    let files = Memory(files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).into());
    assert_eq!(found(&files, &["a.mpd".to_owned()]), (true, vec![]));
    let mut files = sound.clone();
    files.0.remove(RECEIPT);
    assert_eq!(found(&files, &named(&sound)), (false, vec![]));
}

#[test]
fn every_rule_is_broken_alone_by_its_break() {
    for rule in RULES {
        let breaks: Vec<_> = BROKEN.iter().filter(|(id, _)| *id == rule.id).collect();
        assert_eq!(breaks.len(), 1, "{}", rule.id);
        let mut files = package();
        breaks[0].1(&mut files);
        let found = rules_of(&files);
        // The file behind a path that is not looked at is a named one that the receipt does not list.
        let expected = if rule.id == "receipt-path" { &found[..1] } else { &found[..] };
        assert!(
            !expected.is_empty() && expected.iter().all(|(id, _)| *id == rule.id),
            "{}: {found:?}",
            rule.id
        );
        assert!(rule.id == "receipt-path" || found.len() == 1, "{}: {found:?}", rule.id);
    }
}

#[test]
fn a_changed_byte_in_a_file_of_any_kind_is_found() {
    let mut sound = package();
    edit(&mut sound, |_| {});
    let last_of_its_kind = ["manifest.mpd", "master.m3u8", "init.mp4", "seg-00002.m4s", "playlist.m3u8"]
        .map(|name| sound.0.keys().rfind(|path| path.ends_with(name)).unwrap().clone());
    for path in last_of_its_kind {
        let mut files = sound.clone();
        let bytes = files.bytes(&path);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x80;
        assert_eq!(rules_of(&files), [("receipt-hash", path)]);
    }
}

#[test]
fn many_damaged_files_are_found_in_path_order_on_any_number_of_threads() {
    let mut files = package();
    edit(&mut files, |_| {});
    for directory in [SOUND, LARGE] {
        for number in [3, 1] {
            files.bytes(&format!("{directory}/seg-0000{number}.m4s"))[100] ^= 1;
        }
    }
    let expected: Vec<_> = [(SOUND, 1), (SOUND, 3), (LARGE, 1), (LARGE, 3)]
        .map(|(directory, number)| ("receipt-hash", format!("{directory}/seg-0000{number}.m4s")))
        .into();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| rules_of(&files)), expected, "{threads}");
    }
}

#[test]
fn messages_say_what_is_there_and_what_should_be() {
    for (change, expected) in [
        (
            (|receipt| receipt["files"][1]["bytes"] = json!(u64::MAX)) as fn(&mut Value),
            "video/a/init.mp4: it has 16 bytes, the receipt says 18446744073709551615 (receipt-bytes, fragmint: docs/report.md)",
        ),
        (
            |receipt| receipt["tracks"][0]["segments"] = json!(7),
            "fragmint.json: \"video/a\" has 7 segments as a track, 2 are listed (receipt-track, fragmint: docs/report.md)",
        ),
        (
            |receipt| receipt["files"][2]["duration"] = json!(u64::MAX),
            "fragmint.json: \"video/a\" lasts 2000 ticks as a track, its segments 18446744073709552615 together (receipt-track, \
             fragmint: docs/report.md)",
        ),
        (
            |receipt| receipt["tracks"] = json!([]),
            "fragmint.json: 2 segments are listed in \"video/a\", which is no track (receipt-track, fragmint: docs/report.md)",
        ),
        (
            |receipt| receipt["files"][1]["hash"] = Value::Null,
            "fragmint.json: \"video/a/init.mp4\" has no hash, and others have (receipt-syntax, fragmint: docs/report.md)",
        ),
        (
            |receipt| drop(receipt.as_object_mut().unwrap().remove("options")),
            "fragmint.json: files have hashes, and options.hash does not say by which function: they were not compared \
             (receipt-hash-unknown, fragmint: docs/report.md)",
        ),
        (
            |receipt| {
                let file = receipt["files"][0].clone();
                receipt["files"].as_array_mut().unwrap().push(file);
            },
            "fragmint.json: \"manifest.mpd\" is listed twice (receipt-path, fragmint: docs/report.md)",
        ),
    ] {
        assert_eq!(messages_of(change), [expected]);
    }
}

#[test]
fn paths_that_lead_out_are_not_opened_and_quoted_briefly() {
    for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\0", "\u{1b}[31m/../x"] {
        let messages = messages_of(|receipt| receipt["files"][1]["path"] = json!(path));
        assert_eq!(messages.len(), 2, "{messages:?}");
        let expected = format!("fragmint.json: {path:?} is no path inside the directory; it was not opened");
        assert!(messages[0].starts_with(&expected), "{messages:?}");
        assert!(messages[1].contains("receipt-manifest"), "{messages:?}");
    }
    let long = messages_of(|receipt| receipt["files"][1]["path"] = json!("/x".repeat(100_000)));
    assert!(long[0].len() < 400, "{long:?}");
}

#[test]
fn a_receipt_that_is_none_is_one_finding_with_its_place() {
    for (text, offset, message) in [
        ("", Some(0), "EOF while parsing a value at line 1 column 0"),
        (
            "{\n \"fragmint\": 7 }",
            Some(15),
            "invalid type: integer `7`, expected a string at line 2 column 14",
        ),
        ("{}", Some(1), "missing field `fragmint` at line 1 column 2"),
    ] {
        let mut files = small();
        let named = named(&files);
        files.0.insert(RECEIPT.to_owned(), text.as_bytes().to_vec());
        let (receipt, findings) = found(&files, &named);
        assert_eq!((receipt, findings.len()), (false, 1), "{text}");
        assert_eq!((findings[0].rule.id, findings[0].message.as_str()), ("receipt-syntax", message));
        assert_eq!(findings[0].offset, offset, "{text}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(1_000_000));
    let long = format!("{{\"fragmint\":\"x\",\"files\":\"{}\"}}", "y".repeat(1_000_000));
    for text in [deep, long] {
        let mut files = small();
        files.0.insert(RECEIPT.to_owned(), text.into_bytes());
        let (_, findings) = found(&files, &[]);
        assert_eq!(findings[0].rule.id, "receipt-syntax");
        assert!(findings[0].message.len() < 400);
    }
}

#[test]
fn a_list_without_end_is_refused_and_many_findings_are_counted() {
    let list = |count: usize| {
        let entry = |index| format!("{{\"path\":\"{index}\",\"bytes\":0}}");
        let entries: Vec<_> = (0..count).map(entry).collect();
        let text = format!("{{\"fragmint\":\"\",\"files\":[{}]}}", entries.join(","));
        Memory([(RECEIPT.to_owned(), text.into_bytes())].into())
    };
    let (_, findings) = found(&list(5000), &[]);
    assert_eq!(findings.len(), MAX_PLACES + 8);
    let more: u64 = findings.iter().map(|finding| 1 + finding.more).sum();
    assert!(findings.iter().all(|finding| finding.rule.id == "receipt-file"));
    assert_eq!(more, 5000);
    let bytes =
        |count: usize| serde_json::from_str::<format::List<u8>>(&format!("[0{}]", ",0".repeat(count - 1)));
    assert_eq!(bytes(1_000_000).unwrap().0.len(), 1_000_000);
    assert!(bytes(1_000_001).unwrap_err().to_string().starts_with("a list has more than 1000000 entries"));
}

#[test]
fn many_names_for_one_file_through_links_are_not_all_read() {
    let directory = tempfile::tempdir().unwrap();
    let top = directory.path();
    std::fs::write(top.join("x.m4s"), vec![7; 1000]).unwrap();
    std::os::unix::fs::symlink(".", top.join("a")).unwrap();
    std::os::unix::fs::symlink("/etc", top.join("out")).unwrap();
    let mut hasher = FileHasher::new(HashAlgorithm::Sha256);
    hasher.update(&[7; 1000]);
    let hash = hasher.finish();
    let file = |path: &str| json!({ "path": path, "bytes": 1000, "hash": hash });
    let write = |paths: &[&str]| {
        let files: Vec<_> = paths.iter().map(|path| file(path)).collect();
        let receipt = json!({ "fragmint": "", "options": { "hash": "sha256" }, "files": files });
        std::fs::write(top.join(RECEIPT), receipt.to_string()).unwrap();
        let (_, findings) = found(&PackageFiles::open(top).unwrap(), &[]);
        findings.into_iter().map(|finding| (finding.rule.id, finding.file)).collect::<Vec<_>>()
    };
    assert_eq!(write(&["x.m4s", "a/x.m4s"]), []);
    let found = write(&["x.m4s", "a/x.m4s", "a/a/x.m4s", "a/a/a/x.m4s", "out/passwd"]);
    let through_links = [("receipt-path", "a/a/x.m4s".to_owned()), ("receipt-path", "out/passwd".to_owned())];
    for expected in through_links {
        assert!(found.contains(&expected), "{found:?}");
    }
    assert!(found.iter().all(|(id, _)| *id == "receipt-path"), "{found:?}");
}

#[test]
fn a_receipt_or_journal_that_is_no_regular_file_of_the_directory_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let package = directory.path().join("package");
    std::fs::create_dir(&package).unwrap();
    std::fs::write(directory.path().join("secret"), r#"{ "fragmint": "", "files": [] }"#).unwrap();
    std::os::unix::fs::symlink("../secret", package.join(RECEIPT)).unwrap();
    std::os::unix::fs::symlink("../secret", package.join(JOURNAL)).unwrap();
    let rules = || {
        let (receipt, findings) = found(&PackageFiles::open(&package).unwrap(), &[]);
        (receipt, findings.iter().map(|finding| finding.rule.id).collect::<Vec<_>>())
    };
    assert_eq!(rules(), (false, vec!["unfinished", "file-outside"]));
    std::fs::remove_file(package.join(RECEIPT)).unwrap();
    std::fs::create_dir(package.join(RECEIPT)).unwrap();
    assert_eq!(rules(), (false, vec!["unfinished", "file-unreadable"]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Any bytes, and a receipt with some of its bytes or numbers replaced: an answer, and the same one twice.
    #[test]
    fn any_bytes_are_answered(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        number in any::<u64>(),
    ) {
        let mut files = small();
        let named = named(&files);
        files.0.insert(RECEIPT.to_owned(), bytes);
        prop_assert!(!found(&files, &named).0);

        edit(&mut files, |receipt| {
            receipt["files"][3]["bytes"] = json!(number);
            receipt["files"][2]["duration"] = json!(number);
            receipt["tracks"][0]["segments"] = json!(number);
        });
        let text = files.bytes(RECEIPT);
        for (place, byte) in places {
            let at = place.index(text.len());
            text[at] = byte;
        }
        let (receipt, findings) = found(&files, &named);
        prop_assert!(!findings.is_empty());
        prop_assert_eq!((receipt, findings), found(&files, &named));
    }
}
