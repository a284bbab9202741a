use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::io::fault::{self, Operation};

/// A directory `package` with a `secret` beside it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(place.package().join("video/a")).unwrap();
        std::fs::create_dir(place.0.path().join("package-of-another")).unwrap();
        std::fs::write(place.0.path().join("secret"), b"secret").unwrap();
        std::fs::write(place.0.path().join("package-of-another/x"), b"secret").unwrap();
        std::fs::write(place.package().join("master.m3u8"), b"master").unwrap();
        std::fs::write(place.package().join("video/a/init.mp4"), b"init").unwrap();
        place
    }

    fn package(&self) -> PathBuf {
        self.0.path().join("package")
    }

    fn link(&self, name: &str, target: impl AsRef<Path>) {
        symlink(target, self.package().join(name)).unwrap();
    }

    /// The directory by both ways of resolving.
    fn files(&self) -> [PackageFiles; 2] {
        let open = || PackageFiles::open(&self.package()).unwrap();
        [open(), PackageFiles { asks_kernel: false, ..open() }]
    }

    /// What a path is, which both ways have to agree in.
    fn answer(&self, path: &str) -> String {
        let [by_kernel, by_walk] = self.files().map(|files| answer(&files, path));
        assert_eq!(by_kernel, by_walk, "{path:?}");
        by_kernel
    }
}

fn answer(files: &PackageFiles, path: &str) -> String {
    match files.open(path) {
        Ok(file) => {
            let mut bytes = vec![0; usize::try_from(file.len()).unwrap()];
            file.read_at(0, &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        }
        Err(OpenError::Missing) => "missing".to_owned(),
        Err(OpenError::Outside) => "outside".to_owned(),
        Err(OpenError::NotRegular) => "not regular".to_owned(),
        Err(OpenError::Failed(error)) => error.to_string(),
    }
}

#[test]
fn plain_names_are_opened_and_nothing_else_is_a_file() {
    let place = Place::new();
    for (path, expected) in [
        ("master.m3u8", "master"),
        ("video/a/init.mp4", "init"),
        ("./video//a/./init.mp4", "init"),
        ("video/a/../../master.m3u8", "master"),
        ("", "missing"),
        ("missing", "missing"),
        ("missing/x", "missing"),
        ("missing/../master.m3u8", "missing"),
        ("master.m3u8/", "missing"),
        ("master.m3u8/x", "missing"),
        ("master.m3u8/../master.m3u8", "missing"),
        ("master.m3u8\0", "missing"),
        ("video\0/a/init.mp4", "missing"),
        ("video", "not regular"),
        ("video/a/", "not regular"),
        (".", "not regular"),
        ("video/..", "not regular"),
        ("..", "outside"),
        ("../secret", "outside"),
        ("../package/master.m3u8", "outside"),
        ("../package-of-another/x", "outside"),
        ("video/../../secret", "outside"),
        ("/", "outside"),
        ("/etc/passwd", "outside"),
        ("//etc/passwd", "outside"),
    ] {
        assert_eq!(place.answer(path), expected, "{path:?}");
    }
    let absolute = place.package().join("master.m3u8");
    assert_eq!(place.answer(absolute.to_str().unwrap()), "outside");
    assert_eq!(place.answer(&"x".repeat(256)), "missing");
    assert_eq!(place.answer(&"x/".repeat(10_000)), "missing");
    assert_eq!(place.answer(&format!("{}master.m3u8", "./".repeat(10_000))), "master");
    assert_eq!(place.answer(&format!("{}master.m3u8", "./".repeat(100_000))), "missing");
}

#[test]
fn links_lead_to_places_in_the_directory_alone() {
    let place = Place::new();
    for (name, target, expected) in [
        ("file", "master.m3u8", "master"),
        ("video/up", "../master.m3u8", "master"),
        ("video/over", "../video/a/init.mp4", "init"),
        ("twice", "file", "master"),
        ("out", "../secret", "outside"),
        ("video/out", "../../secret", "outside"),
        ("back", "../package/master.m3u8", "outside"),
        ("root", "/etc/passwd", "outside"),
        ("to-out", "out", "outside"),
        ("dangling", "nowhere", "missing"),
        ("self", "self", "outside"),
        ("ping", "pong", "outside"),
        ("pong", "ping", "outside"),
        ("directory", "video", "not regular"),
        ("slash", "master.m3u8/", "missing"),
        ("magic", "/proc/self/cwd/Cargo.toml", "outside"),
    ] {
        place.link(name, target);
        if name != "ping" {
            assert_eq!(place.answer(name), expected, "{name} -> {target}");
        }
    }
    place.link("absolute", place.package().join("master.m3u8"));
    place.link("here", ".");
    place.link("above", "..");
    for (path, expected) in [
        ("absolute", "outside"),
        ("directory/a/init.mp4", "init"),
        ("directory/../master.m3u8", "master"),
        ("here/here/here/master.m3u8", "master"),
        ("above/secret", "outside"),
        ("above/package/master.m3u8", "outside"),
        ("video/../above/secret", "outside"),
        ("root/x", "outside"),
        ("self/x", "outside"),
        ("dangling/x", "missing"),
    ] {
        assert_eq!(place.answer(path), expected, "{path}");
    }
    assert_eq!(place.answer(&format!("{}master.m3u8", "here/".repeat(40))), "master");
    assert_eq!(place.answer(&format!("{}master.m3u8", "here/".repeat(41))), "outside");
}

#[test]
fn pipes_sockets_and_what_may_not_be_read_neither_block_nor_are_files() {
    let place = Place::new();
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, place.package().join("pipe"), mode).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.package().join("socket")).unwrap();
    place.link("to-pipe", "pipe");
    for name in ["pipe", "socket", "to-pipe"] {
        assert_eq!(place.answer(name), "not regular", "{name}");
    }
    for files in place.files() {
        let listed: Vec<_> = files.list().unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(listed, ["master.m3u8", "video/a/init.mp4"]);
    }
}

#[test]
fn a_file_that_shrinks_is_an_error() {
    let place = Place::new();
    let [files, _] = place.files();
    let file = files.open("video/a/init.mp4").unwrap();
    assert_eq!((file.len(), file.is_empty()), (4, false));
    std::fs::write(place.package().join("video/a/init.mp4"), b"i").unwrap();
    let error = file.read_at(0, &mut [0; 4]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Changed { .. }), "{error}");
    assert_eq!(error.offset(), Some(1));
    fault::fail_at(Operation::Read, 0);
    let error = file.read_at(0, &mut [0; 1]).unwrap_err();
    fault::reset();
    assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
}

#[test]
fn all_files_are_listed_in_the_order_of_their_paths() {
    let place = Place::new();
    std::fs::write(place.package().join("video/a.txt"), b"12345").unwrap();
    std::fs::write(place.package().join("video/.hidden"), b"").unwrap();
    std::fs::create_dir(place.package().join("empty")).unwrap();
    place.link("inside", "video/a/init.mp4");
    place.link("outside", "../secret");
    place.link("directory", "video");
    place.link("video/loop", ".");
    place.link("dangling", "nowhere");
    let expected = [
        ("inside", 4),
        ("master.m3u8", 6),
        ("video/.hidden", 0),
        ("video/a.txt", 5),
        ("video/a/init.mp4", 4),
    ];
    for files in place.files() {
        let listed = files.list().unwrap();
        let listed: Vec<_> = listed.iter().map(|entry| (entry.path.as_str(), entry.bytes)).collect();
        assert_eq!(listed, expected);
    }
}

#[test]
fn what_cannot_be_listed_is_an_error_that_names_it() {
    let place = Place::new();
    let [files, _] = place.files();
    // `master.m3u8`, `video`, `video/a` and the file in it.
    let [few, enough] =
        [3, 4].map(|max_entries| PackageFiles { max_entries, ..place.files().into_iter().next().unwrap() });
    assert_eq!(enough.list().unwrap().len(), 2);
    let error = few.list().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge { value: 4, limit: 3, .. }), "{error}");

    let deepest = place.package().join("d/".repeat(MAX_DEPTH));
    std::fs::create_dir_all(&deepest).unwrap();
    std::fs::write(deepest.join("file"), b"deep").unwrap();
    assert_eq!(files.list().unwrap()[0].path, "d/".repeat(MAX_DEPTH) + "file");
    assert_eq!(place.answer(&("d/".repeat(MAX_DEPTH) + "file")), "deep");
    std::fs::create_dir(deepest.join("d")).unwrap();
    let error = files.list().unwrap_err().to_string();
    assert!(error.contains("the number of directories in each other is 65, the limit is 64"), "{error}");
    std::fs::remove_dir_all(place.package().join("d")).unwrap();

    std::fs::write(place.package().join("video").join(OsStr::from_bytes(b"a\xff\nb")), b"").unwrap();
    let error = files.list().unwrap_err().to_string();
    assert!(error.contains("video: the name \"a\\xff\\nb\" is not UTF-8"), "{error}");
}

#[test]
fn a_directory_that_is_missing_or_a_file_is_an_error() {
    let place = Place::new();
    for name in ["missing", "master.m3u8"] {
        assert!(PackageFiles::open(&place.package().join(name)).is_err(), "{name}");
    }
    place.link("itself", ".");
    assert!(PackageFiles::open(&place.package().join("itself")).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Names and links of few parts, so that they meet: both ways answer the same, and never with the secret.
    #[test]
    fn both_ways_answer_the_same_and_never_lead_out(
        links in prop::collection::vec("(/|\\.\\./)?(\\.|\\.\\.|l0|l1|l2|video|a)(/(\\.\\.|l0|l1|l2|secret|init\\.mp4|package)){0,2}/?", 3),
        paths in prop::collection::vec("(\\.\\.|l0|l1|l2|video|a)(/(\\.|\\.\\.|l0|l1|l2|a|secret|init\\.mp4|package)){0,4}/?", 1..16),
    ) {
        let place = Place::new();
        for (index, target) in links.iter().enumerate() {
            place.link(&format!("l{index}"), target);
        }
        for path in &paths {
            prop_assert_ne!(place.answer(path), "secret");
        }
    }
}
