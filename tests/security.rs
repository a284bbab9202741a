//! What hostile names, lists and links may not do: nothing outside of the output directory is created, changed or removed,
//! whatever an input is called, an old receipt names, or a link leads to. By the built command, as in SECURITY.md.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::json;

/// A temporary directory: `outside` with files of somebody else's, and room for `out`.
struct Scene(tempfile::TempDir);

/// Everything below a directory by path: kind and permissions, inode, time of change, target or bytes.
type Tree = BTreeMap<PathBuf, (u32, u64, (i64, i64), Vec<u8>)>;

impl Scene {
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(scene.outside().join("video/a")).unwrap();
        for path in ["kept", "master.m3u8", "video/a/init.mp4", "video/a/seg-00001.m4s"] {
            std::fs::write(scene.outside().join(path), b"theirs").unwrap();
        }
        let receipt = json!({ "fragmint": "0.1.0", "files": [{ "path": "kept", "bytes": 6 }] });
        for name in ["fragmint.json", "fragmint.journal"] {
            std::fs::write(scene.outside().join(name), receipt.to_string()).unwrap();
        }
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn out(&self) -> PathBuf {
        self.path("out")
    }

    fn outside(&self) -> PathBuf {
        self.path("outside")
    }

    /// Makes a link in the output directory.
    fn link(&self, name: &str, target: impl AsRef<Path>) {
        let link = self.out().join(name);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
    }

    /// Writes a file into the output directory.
    fn leave(&self, name: &str, text: &str) {
        let path = self.out().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Leaves a receipt or journal that names `paths`.
    fn leave_list(&self, name: &str, paths: &[&str]) {
        let files: Vec<_> = paths.iter().map(|path| json!({ "path": path, "bytes": 6 })).collect();
        self.leave(name, &json!({ "fragmint": "0.1.0", "files": files }).to_string());
    }

    /// Packages `input`, the words after the file's name included.
    fn package(&self, input: &str, options: &[&str]) -> Output {
        let mut word = OsString::from(env!("CARGO_MANIFEST_DIR"));
        word.push("/examples/ladder/");
        word.push(input);
        let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
        command.arg("package").arg(word).arg("-o").arg(self.out()).args(options).stdin(Stdio::null());
        command.current_dir(self.0.path()).output().expect("it starts")
    }

    /// With `--force`, a run has to refuse with one line that has `reason` in it, and touch nothing inside or outside.
    fn refuses(&self, reason: &str) {
        let before = tree(self.0.path());
        let run = self.package("234p.h264,name=a", &["--force"]);
        let text = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{text}");
        assert!(text.starts_with("error: ") && text.contains(reason), "{reason:?} is not in: {text}");
        assert!(text.trim_end().lines().count() == 1 && !text.contains('\u{1b}'), "{text:?}");
        assert_same(&before, &tree(self.0.path()));
    }

    /// With `options`, a run has to succeed and touch nothing outside.
    fn succeeds(&self, options: &[&str]) {
        let before = tree(&self.outside());
        let run = self.package("234p.h264,name=a", options);
        assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
        assert_same(&before, &tree(&self.outside()));
        assert!(
            self.out().join("video/a/seg-00001.m4s").is_file() && self.out().join("fragmint.json").is_file()
        );
    }
}

fn tree(top: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut open = vec![top.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let stat = std::fs::symlink_metadata(&path).unwrap();
            let content = if stat.is_symlink() {
                std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else if stat.is_file() {
                std::fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            if stat.is_dir() {
                open.push(path.clone());
            }
            tree.insert(path, (stat.mode(), stat.ino(), (stat.mtime(), stat.mtime_nsec()), content));
        }
    }
    tree
}

fn assert_same(before: &Tree, after: &Tree) {
    let paths = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(before), paths(after));
    for (path, entry) in before {
        assert!(after[path] == *entry, "{} was changed", path.display());
    }
}

// ------------------------------------------------------------------------------------------------ names of inputs

/// Names that would lead out, end a line, look like an option or a device, or collide with files of the package.
const NAMES: [&str; 34] = [
    "../x",
    "../../../../../../tmp/fragmint-x",
    "..",
    ".",
    "/",
    "//",
    "/etc/x",
    "/etc/passwd",
    "a/../../x",
    "a/b/c",
    "..\\x",
    "C:\\x",
    "\\\\host\\share",
    "a\nb",
    "a\r\nb",
    "\u{1b}[31mred",
    "\u{7}",
    "\u{7f}",
    "\u{85}\u{2028}x",
    "\u{202e}x",
    "a\u{ff0f}..\u{ff0f}b",
    "\u{2024}\u{2024}/x",
    "%2e%2e%2fx",
    "~root",
    "-rf",
    "$(touch x)",
    "`touch x`",
    ".hidden",
    "con",
    "NUL.mp4",
    "fragmint.json",
    "fragmint.journal",
    "master.m3u8",
    "init.mp4",
];

/// Runs with a name; every path that comes out has to be one of plain short names in the output directory.
fn check_name(input: &str, name: &str) {
    let scene = Scene::new();
    let before = tree(&scene.outside());
    let run = scene.package(&format!("{input},name={name}"), &[]);
    let text = String::from_utf8_lossy(&run.stderr);
    assert!(!text.trim_end().contains(|c: char| c.is_control()), "{name:?}: {text:?}");
    assert_same(&before, &tree(&scene.outside()));
    let beside: Vec<_> = std::fs::read_dir(scene.0.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    if run.status.code() != Some(0) {
        assert!(matches!(run.status.code(), Some(1 | 2)) && text.starts_with("error: "), "{name:?}: {text}");
        assert_eq!(beside, ["outside"], "{name:?}");
        return;
    }
    assert_eq!(beside.len(), 2, "{name:?}: {beside:?}");
    for path in tree(&scene.out()).keys() {
        let path = path.strip_prefix(scene.out()).unwrap().to_str().unwrap();
        let is_plain = |part: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            part.bytes().all(allowed) && part.len() <= 64 && !part.starts_with(['.', '-'])
        };
        assert!(path.split('/').all(is_plain) && path.split('/').count() <= 3, "{name:?}: {path:?}");
        let top = path.split('/').next().unwrap();
        assert!(
            ["video", "audio", "fragmint.json", "manifest.mpd", "master.m3u8"].contains(&top),
            "{name:?}: {path:?}"
        );
    }
    check_manifests(&scene, name);
}

/// A name must not become a line, a URI or an element of its own.
fn check_manifests(scene: &Scene, name: &str) {
    let playlist = std::fs::read_to_string(scene.out().join("master.m3u8")).unwrap();
    let is_own = |line: &str| {
        let own = line.starts_with("video/") || line.starts_with("audio/");
        line.is_empty() || line.starts_with("#EXT") || own && line.ends_with("/playlist.m3u8")
    };
    assert!(playlist.lines().all(is_own), "{name:?}: {playlist}");
    assert!(!playlist.contains(|c: char| c.is_control() && c != '\n'), "{name:?}: {playlist}");
    let mpd = std::fs::read_to_string(scene.out().join("manifest.mpd")).unwrap();
    let mpd = roxmltree::Document::parse(&mpd).unwrap();
    assert!(
        !mpd.descendants().any(|node| node.has_tag_name("BaseURL") || node.has_tag_name("Evil")),
        "{name:?}"
    );
}

#[test]
fn names_of_video_stay_in_the_directory() {
    for name in NAMES {
        check_name("234p.h264", name);
    }
    check_name("234p.h264", &"x".repeat(20_000));
    check_name("234p.h264", &"../".repeat(5_000));
}

#[test]
fn names_of_audio_stay_in_the_directory_and_in_their_attribute() {
    for name in NAMES {
        check_name("en.aac", name);
    }
    for name in [
        "x\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/etc/passwd",
        "x\",URI=\"/etc/passwd",
        "</Label><BaseURL>http://example.com/</BaseURL><Label>",
        "x\"/><Evil/>",
        "]]><Evil/>",
        "&evil;",
    ] {
        check_name("en.aac", name);
    }
}

#[test]
fn a_name_with_a_nul_by_the_library_stays_in_the_directory() {
    use fragmint::package::{InputRequest, Request, run};
    let scene = Scene::new();
    let before = tree(&scene.outside());
    for name in ["../x\0", "\0", "a\0b/../../x"] {
        let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder/234p.h264");
        let input = InputRequest { name: Some(name.to_owned()), ..InputRequest::new(input) };
        let request = Request::new(vec![input], scene.out());
        if let Ok(plan) = run::plan(&request, &|_| {}) {
            run::write(&request, &plan, &|_| {}).unwrap();
            assert!(tree(&scene.out()).keys().all(|path| !path.to_str().unwrap().contains("..")), "{name:?}");
            std::fs::remove_dir_all(scene.out()).unwrap();
        }
        assert_same(&before, &tree(&scene.outside()));
    }
}

// ------------------------------------------------------------------------------------- links in the output directory

#[test]
fn links_in_the_way_are_neither_followed_nor_replaced() {
    for (name, target) in [
        ("video", "../outside"),
        ("video", "../outside/video"),
        ("video", "../nowhere"),
        ("video/a", "../../outside/video/a"),
        ("video/a/init.mp4", "../../../outside/kept"),
        ("video/a/seg-00001.m4s", "../../../outside/nothing-yet"),
        ("video/a/playlist.m3u8", "/dev/null"),
        ("master.m3u8", "../outside/master.m3u8"),
        ("manifest.mpd", "../outside/kept"),
    ] {
        for list in ["fragmint.json", "fragmint.journal"] {
            let scene = Scene::new();
            scene.link(name, target);
            scene.leave_list(list, &[]);
            scene.refuses("is in the way");
        }
        let scene = Scene::new();
        scene.link(name, target);
        scene.refuses("not empty");
    }
}

#[test]
fn the_output_directory_itself_may_be_a_link() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("real")).unwrap();
    symlink("real", scene.out()).unwrap();
    scene.succeeds(&[]);
    scene.succeeds(&["--force"]);
    assert!(std::fs::symlink_metadata(scene.out()).unwrap().is_symlink());
    assert!(scene.path("real/master.m3u8").is_file());

    let scene = Scene::new();
    symlink("nowhere", scene.out()).unwrap();
    let before = tree(scene.0.path());
    assert_eq!(scene.package("234p.h264", &["--force"]).status.code(), Some(1));
    assert_same(&before, &tree(scene.0.path()));
}

// ------------------------------------------------------------------------------------------- lists of older runs

#[test]
fn lists_that_name_something_outside_remove_nothing() {
    let scene = Scene::new();
    let absolute = scene.outside().join("kept");
    let absolute = absolute.to_str().unwrap();
    scene.leave("kept", "theirs");
    scene.leave("b/kept", "theirs");
    scene.link("link", "../outside");
    scene.link("b/link", "../../outside/video");
    scene.link("file-link", "../outside/kept");
    scene.link("here", ".");
    for list in ["fragmint.json", "fragmint.journal"] {
        for path in [
            "../outside/kept",
            "b/../../outside/kept",
            "b/..",
            "..",
            ".",
            "",
            "/",
            absolute,
            "//outside/kept",
            "./kept",
            "b//kept",
            "b/",
            "kept\0",
            "\u{1b}[31m/../x",
        ] {
            scene.leave_list(list, &["kept", path, "b/kept"]);
            scene.refuses("no path inside the directory");
        }
        for path in ["link/kept", "b/link/a/init.mp4", "here/kept", "file-link/x", "kept/x"] {
            scene.leave_list(list, &["kept", path, "b/kept"]);
            scene.refuses("no directory, such as a link");
        }
        for path in ["link", "b/link", "file-link", "b"] {
            scene.leave_list(list, &["kept", path, "b/kept"]);
            scene.refuses("not a regular file");
        }
        std::fs::remove_file(scene.out().join(list)).unwrap();
    }
}

#[test]
fn a_list_that_is_a_link_or_no_file_is_not_read() {
    for list in ["fragmint.json", "fragmint.journal"] {
        for target in [format!("../outside/{list}"), "/dev/zero".to_owned(), "nowhere".to_owned()] {
            let scene = Scene::new();
            scene.leave("kept", "theirs");
            scene.link(list, target);
            scene.refuses("not a regular file");
        }
        let scene = Scene::new();
        scene.leave("kept", "theirs");
        let made = Command::new("mkfifo").arg(scene.out().join(list)).status().unwrap();
        assert!(made.success());
        scene.refuses("not a regular file");
    }
}

#[test]
fn a_file_of_an_old_package_that_became_a_link_keeps_force_from_all_of_it() {
    for name in ["video/a/seg-00001.m4s", "video/a/init.mp4", "master.m3u8"] {
        let scene = Scene::new();
        scene.succeeds(&[]);
        std::fs::remove_file(scene.out().join(name)).unwrap();
        scene.link(name, scene.outside().join("kept"));
        scene.refuses("not a regular file");
    }
    let scene = Scene::new();
    scene.succeeds(&[]);
    std::fs::rename(scene.out().join("video/a"), scene.path("moved")).unwrap();
    scene.link("video/a", "../../moved");
    scene.refuses("no directory, such as a link");
}

#[test]
fn hard_links_and_reserved_names_lose_their_name_alone() {
    let scene = Scene::new();
    scene.succeeds(&[]);
    let segment = scene.out().join("video/a/seg-00001.m4s");
    std::fs::remove_file(&segment).unwrap();
    std::fs::hard_link(scene.outside().join("kept"), &segment).unwrap();
    scene.link(".fragmint.json.part", "../outside/fragmint.json");
    scene.link(".fragmint.journal.part", "../outside/fragmint.journal");
    scene.succeeds(&["--force"]);
    assert_eq!(std::fs::read(scene.outside().join("kept")).unwrap(), b"theirs");
    assert!(std::fs::symlink_metadata(scene.out().join(".fragmint.json.part")).is_err());
}

#[test]
fn directories_that_turn_into_links_during_the_run_lead_nowhere() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let scene = Scene::new();
    std::fs::create_dir(scene.path("outside/empty")).unwrap();
    let before = tree(&scene.outside());
    let (video, journal) = (scene.out().join("video"), scene.out().join("fragmint.journal"));
    for _ in 0..20 {
        // An older package whose directory is there still.
        scene.leave_list("fragmint.json", &[]);
        std::fs::create_dir(&video).unwrap();
        let ended = AtomicBool::new(false);
        let run = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    // With the journal the run has looked at everything in its way, and goes on to its directories.
                    if journal.exists() && std::fs::rename(&video, scene.path("aside")).is_ok() {
                        let _ = symlink("../outside/empty", &video);
                    }
                }
            });
            let run = scene.package("234p.h264,name=a", &["--force"]);
            ended.store(true, Ordering::Relaxed);
            run
        });
        // It may succeed or be refused; it may not die.
        assert!(matches!(run.status.code(), Some(0 | 1)), "{:?}", run.status);
        assert_same(&before, &tree(&scene.outside()));
        std::fs::remove_dir_all(scene.out()).unwrap();
        let _ = std::fs::remove_dir_all(scene.path("aside"));
    }
}
