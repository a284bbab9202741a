//! Packages on disk, made by the command below the target directory, and copies to damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fragmint::scan::annexb::NalUnits;

use crate::tools;

/// A directory with a package.
pub struct Package {
    pub root: PathBuf,
    /// Removes a copy with its last use.
    _copy: Option<tempfile::TempDir>,
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A directory of these tests that is empty.
pub fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verify").join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("what the last run left can be removed");
    }
    fs::create_dir_all(&directory).expect("the target directory can be written");
    directory
}

/// The first groups of pictures of a stream of the ladder, of 2 s each, in a file of their own.
pub fn first_groups(name: &str, groups: usize, directory: &Path) -> PathBuf {
    let stream = fs::read(repository("examples/ladder").join(name)).expect("the ladder is there");
    let is_h265 = name.ends_with(".h265");
    let (mut kept, mut pictures) = (Vec::new(), 0);
    for unit in NalUnits::new(&stream).expect("a byte stream") {
        let unit = unit.expect("a sound stream");
        let bytes = &stream[usize::try_from(unit.offset).expect("in memory")..][..unit.len as usize];
        // The first bit behind the header: first_mb_in_slice is 0, or first_slice_segment_in_pic_flag.
        let starts_picture = match is_h265 {
            true => bytes[0] >> 1 & 0x3f < 32 && bytes[2] & 0x80 != 0,
            false => matches!(bytes[0] & 0x1f, 1 | 5) && bytes[1] & 0x80 != 0,
        };
        pictures += usize::from(starts_picture);
        if pictures > groups * 50 {
            break;
        }
        kept.extend([0, 0, 0, 1]);
        kept.extend(bytes);
    }
    let path = directory.join(name);
    fs::write(&path, kept).expect("room for a small file");
    path
}

impl Package {
    /// Packages inputs, files of the repository or of anywhere with their settings, into a directory of these tests.
    pub fn make(name: &str, inputs: &[String], options: &[&str]) -> Self {
        let root = scratch(name).join("out");
        let inputs = inputs.iter().map(|input| repository(input));
        let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
        command.arg("package").args(inputs).args(options).arg("-o").arg(&root);
        let said = tools::run(&mut command);
        assert_eq!(said.code, Some(0), "{name}: {}", said.stderr);
        Self { root, _copy: None }
    }

    /// The ladder with two languages, in segments of 4 s, made once.
    pub fn ladder() -> &'static Self {
        static LADDER: OnceLock<Package> = OnceLock::new();
        LADDER.get_or_init(|| {
            let ladder = |file: &str| format!("examples/ladder/{file}");
            let inputs = ["720p.h264", "360p.h264", "234p.h264", "en.aac,lang=en", "de.aac,lang=de"];
            Self::make("ladder", &inputs.map(ladder), &[])
        })
    }

    /// A copy, gone when it is dropped.
    pub fn copy(&self) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
        let root = directory.path().join("out");
        for file in self.files() {
            let target = root.join(&file);
            fs::create_dir_all(target.parent().expect("it is in a directory")).expect("it can be made");
            fs::copy(self.root.join(&file), target).expect("a file can be copied");
        }
        Self { root, _copy: Some(directory) }
    }

    /// A copy without the receipt, such as another packager would leave.
    pub fn copy_without_receipt(&self) -> Self {
        let copy = self.copy();
        fs::remove_file(copy.root.join("fragmint.json")).expect("a package has a receipt");
        copy
    }

    /// Every file, relative to the root, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        files_below(&self.root)
    }

    /// The directories of the tracks below `video` or `audio`, sorted.
    pub fn tracks(&self, kind: &str) -> Vec<PathBuf> {
        let inits = self.files().into_iter().filter(|file| file.ends_with("init.mp4"));
        let directories = inits.map(|init| init.parent().expect("it is in a directory").to_owned());
        directories.filter(|directory| directory.starts_with(kind)).map(|path| self.root.join(path)).collect()
    }
}

/// Every file below a directory, relative to it, sorted.
pub fn files_below(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.push(path.strip_prefix(root).expect("below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}
