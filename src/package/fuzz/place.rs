//! A directory with two inputs, an output directory, and things of others beside it; what is in it, and what is put there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::error::ErrorKind;
use crate::io::publish::{JOURNAL, RECEIPT, WrittenFiles};
use crate::io::scratch::Scratch;
use crate::package::{InputRequest, Plan, Request, run, testing};
use crate::plan::SegmentDuration;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Directory {
        inode: u64,
    },
    File {
        inode: u64,
        bytes: Vec<u8>,
    },
    /// To what.
    Link(PathBuf),
    /// A pipe.
    Other,
}

/// Everything below a directory, by path.
pub(super) type Tree = BTreeMap<String, Entry>;

/// The directory, and the package that is to come into it.
pub(super) struct Place {
    scratch: Scratch,
    /// A request for the package, with all its options.
    pub(super) request: Request,
    pub(super) plan: Plan,
    /// The journal that a run of it leaves.
    pub(super) journal: Vec<u8>,
    /// The files that it has to make, and what is in them; the receipt is one.
    pub(super) expected: BTreeMap<String, Vec<u8>>,
    /// Inode of the first input.
    pub(super) input: u64,
}

impl Place {
    /// With the options that `set` sets in the request.
    pub(super) fn new(set: impl FnOnce(&mut Request)) -> Self {
        let scratch = Scratch::new();
        let base = &scratch.0;
        fs::create_dir_all(base.join("outside/empty")).expect("a directory of the fuzzer's own");
        fs::write(base.join("outside/notes"), "theirs").expect("it can be written");
        let streams = [("a.h264", testing::avc()), ("b.aac", testing::aac())];
        let inputs = streams.iter().map(|(name, bytes)| {
            fs::write(base.join(name), bytes).expect("it can be written");
            InputRequest { name: Some(name[..1].to_owned()), ..InputRequest::new(base.join(name)) }
        });
        let mut request = Request {
            segment_duration: SegmentDuration::new(1, 1).expect("a second"),
            ..Request::new(inputs.collect(), base.join("out"))
        };
        set(&mut request);
        let plan = run::plan(&request, &|_| ()).expect("streams that can be packaged");
        let expected = testing::files(&request, &plan, &streams.map(|(_, bytes)| bytes));
        let input = fs::metadata(base.join("a.h264")).expect("it is there").ino();
        let mut place = Self { scratch, request, plan, journal: Vec::new(), expected, input };
        place.interrupt(0);
        place.journal = fs::read(place.out().join(JOURNAL)).expect("an interrupted run leaves it");
        fs::remove_dir_all(place.out()).expect("it can be removed");
        place
    }

    pub(super) fn out(&self) -> PathBuf {
        self.scratch.0.join("out")
    }

    /// Leaves what a run leaves that is stopped when it has written so many bytes of segments, if it has so many.
    pub(super) fn interrupt(&self, bytes: u64) {
        let stop = AtomicBool::new(bytes == 0);
        let written = AtomicU64::new(0);
        let progress = |more| {
            if written.fetch_add(more, Ordering::SeqCst) + more >= bytes {
                stop.store(true, Ordering::SeqCst);
            }
        };
        match run::write_until(&self.request, &self.plan, &progress, &stop) {
            Ok(_) => assert!(!self.out().join(JOURNAL).exists()),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Interrupted), "{error}"),
        }
    }

    /// What is below `out`, or below everything else.
    pub(super) fn tree(&self, directory: &str) -> Tree {
        let mut tree = Tree::new();
        walk(&self.scratch.0.join(directory), "", &mut tree);
        tree
    }

    /// What is not in the output directory.
    pub(super) fn outside(&self) -> Tree {
        let mut tree = self.tree("");
        tree.retain(|path, _| path != "out" && !path.starts_with("out/"));
        tree
    }

    /// Puts something at `path` of the output directory in the place of what is there, if it has a directory to lie in.
    pub(super) fn put(&self, path: &str, what: u8, more: u8) {
        let theirs = b"theirs".to_vec();
        let mut content = self.expected.get(path).cloned().unwrap_or(theirs);
        if path == JOURNAL {
            content.clone_from(&self.journal);
        }
        let at = usize::from(more) * content.len() / 256;
        let full = self.out().join(path);
        self.clear(&full);
        // What fails here fails because of what was put in the way before.
        let _ = match what & 15 {
            0 => Ok(()),
            1 => fs::write(&full, &content[..at]),
            2 => {
                content[at] ^= 1 << (more & 7);
                fs::write(&full, &content)
            }
            3 => {
                content.resize(content.len() + 1 + usize::from(more), 0);
                fs::write(&full, &content)
            }
            4 => fs::create_dir(&full),
            5 => fs::create_dir(&full).and_then(|()| fs::write(full.join("notes"), "theirs")),
            6 => {
                let inside = ["master.m3u8", "video", "video/a/init.mp4", "."];
                symlink(self.out().join(inside[usize::from(more & 3)]), &full)
            }
            7 => {
                let outside = ["outside", "outside/notes", "a.h264", "none"];
                symlink(self.scratch.0.join(outside[usize::from(more & 3)]), &full)
            }
            8 => mknodat(CWD, &full, FileType::Fifo, Mode::from_raw_mode(0o600), 0).map_err(Into::into),
            9 => {
                let outside = ["a.h264", "outside/notes"];
                fs::hard_link(self.scratch.0.join(outside[usize::from(more & 1)]), &full)
            }
            10 => {
                let partial = self.out().join(super::check::partial(path));
                self.clear(&partial);
                fs::write(partial, &content[..at])
            }
            _ => fs::write(&full, &content),
        };
    }

    /// Removes what is at a path, and makes the directory that it lies in.
    fn clear(&self, full: &Path) {
        let _ = match fs::symlink_metadata(full) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(full),
            Ok(_) => fs::remove_file(full),
            Err(_) => full.parent().map_or(Ok(()), fs::create_dir_all),
        };
    }

    /// A list as it should be, or with something else in it.
    pub(super) fn put_list(&self, name: &str, what: u8, more: u8, raw: &[u8]) {
        let sound = if name == JOURNAL { &self.journal } else { &self.expected[RECEIPT] };
        let mut list: WrittenFiles = serde_json::from_slice(sound).expect("a list");
        let index = usize::from(more) % list.files.len();
        match what & 15 {
            0 => {
                list.settings.insert("option hash".to_owned(), "other".to_owned());
            }
            1 => {
                list.settings.pop_first();
            }
            2 => drop(list.files.remove(index)),
            3 => list.files.push(list.files[index].clone()),
            4 => list.files[index].bytes = Some(7),
            5 => list.files[index].path = self.hostile(more),
            6 | 7 => list.replaces.push(self.hostile(more)),
            8 => list.replaces.push(String::from_utf8_lossy(raw).into_owned()),
            _ => {}
        }
        let text = match what & 15 {
            0..=8 => serde_json::to_vec(&list).expect("strings and numbers"),
            9 => sound[..usize::from(more) * sound.len() / 256].to_vec(),
            10 => raw.to_vec(),
            _ => sound.clone(),
        };
        let full = self.out().join(name);
        self.clear(&full);
        let _ = fs::write(full, text);
    }

    /// A path for a list, of something that is to stay, mostly.
    fn hostile(&self, choice: u8) -> String {
        let outside = self.scratch.0.join("outside/notes").to_string_lossy().into_owned();
        let paths = [
            "../outside/notes",
            "video/../../outside/notes",
            "video/a/../notes",
            &outside,
            "",
            ".",
            "..",
            "video",
            "video/",
            "video//a",
            "video/a/a\0b",
            "notes",
            "video/notes",
            "video/a/notes",
            "deep/er/notes",
            "fragmint.json",
            "fragmint.journal",
            ".fragmint.json.part",
            "fragmint.json/notes",
            "master.m3u8/notes",
            "other.m3u8",
            "../a.h264",
        ];
        paths[usize::from(choice) % paths.len()].to_owned()
    }
}

fn walk(directory: &Path, prefix: &str, tree: &mut Tree) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let entry = entry.expect("it can be listed");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let metadata = entry.metadata().expect("nobody removes it meanwhile");
        let kind = metadata.file_type();
        let inode = metadata.ino();
        let found = if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), tree);
            Entry::Directory { inode }
        } else if kind.is_symlink() {
            Entry::Link(fs::read_link(entry.path()).expect("a link"))
        } else if kind.is_fifo() {
            Entry::Other
        } else {
            Entry::File { inode, bytes: fs::read(entry.path()).expect("it can be read") }
        };
        tree.insert(path, found);
    }
}
