//! Packages of `examples/ladder`, and of the AV1 in `tests/streams` with the ladder's sound: made by the command, and copies of
//! them to damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{source, tools};

/// Frames in each video stream of the ladder, and of all video per second.
pub const FRAMES: usize = 600;
pub const FRAME_RATE: u64 = 25;

/// The videos of a package, the largest first, named by height; the sound is always the ladder's.
#[derive(Clone, Debug)]
pub struct Videos {
    files: Vec<PathBuf>,
    frames: usize,
}

impl Videos {
    /// H.264, 24 s.
    pub fn ladder() -> Self {
        let files = ["720p.h264", "360p.h264", "234p.h264"].map(|file| ladder().join(file));
        Self { files: files.into(), frames: FRAMES }
    }

    /// AV1 in IVF, 8 s.
    pub fn av1() -> Self {
        let streams = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams");
        Self { files: ["180p.ivf", "90p.ivf"].map(|file| streams.join(file)).into(), frames: 200 }
    }

    /// The same AV1 as low-overhead streams of OBUs.
    pub fn av1_as_obus() -> Self {
        let Self { files, frames } = Self::av1();
        let write = |ivf: PathBuf| {
            let name = ivf.with_extension("obu");
            let obu = scratch().join(name.file_name().expect("a stream has a name"));
            fs::write(&obu, source::ivf_payload(&ivf)).expect("the target directory can be written");
            obu
        };
        Self { files: files.into_iter().map(write).collect(), frames }
    }
}

/// What a track is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Video,
    Audio,
}

/// One track of a package and the stream it was made of.
#[derive(Clone, Debug)]
pub struct Track {
    pub kind: Kind,
    /// Directory in the package, as its playlist's URI has it: `video/720p`.
    pub name: String,
    pub source: PathBuf,
    /// Pictures of a video; 0 for audio.
    pub frames: usize,
}

/// A directory with a package.
#[derive(Clone, Debug)]
pub struct Package {
    pub root: PathBuf,
    pub tracks: Vec<Track>,
}

impl Package {
    /// The ladder packaged with no options, made once.
    pub fn good() -> &'static Self {
        static GOOD: OnceLock<Package> = OnceLock::new();
        GOOD.get_or_init(|| Self::make("default", &[]))
    }

    /// The ladder in segments of two seconds, one for each group of pictures, made once.
    pub fn short() -> &'static Self {
        static SHORT: OnceLock<Package> = OnceLock::new();
        SHORT.get_or_init(|| Self::make("two-seconds", &["--segment-duration", "2"]))
    }

    /// The AV1 streams packaged with no options but segments of two seconds, made once.
    pub fn av1() -> &'static Self {
        static AV1: OnceLock<Package> = OnceLock::new();
        AV1.get_or_init(|| Self::make_of(&Videos::av1(), "av1", &["--segment-duration", "2"]))
    }

    /// Packages the ladder with `options` into a directory of its own below the target directory.
    pub fn make(name: &str, options: &[&str]) -> Self {
        Self::make_of(&Videos::ladder(), name, options)
    }

    /// Packages `videos` and the ladder's sound.
    pub fn make_of(videos: &Videos, name: &str, options: &[&str]) -> Self {
        let root = scratch().join(name);
        if root.exists() {
            fs::remove_dir_all(&root).expect("the last run's package can be removed");
        }
        let ladder = ladder();
        let audio = |file: &str, words: &str| format!("{},{words}", ladder.join(file).display());
        let said = tools::run(
            Command::new(env!("CARGO_BIN_EXE_fragmint"))
                .arg("package")
                .args(&videos.files)
                .arg(audio("en.aac", "lang=en,name=English,default=yes"))
                .arg(audio("de.aac", "lang=de,name=Deutsch"))
                .args(options)
                .arg("-o")
                .arg(&root),
        );
        assert_eq!(said.code, Some(0), "fragmint package {options:?}: {}", said.stderr);
        let tracks = tracks(&root, videos);
        Self { root, tracks }
    }

    /// The files of a track's directory in segment order, without the init segment: `seg-00001.m4s` first.
    pub fn segments(&self, track: &Track) -> Vec<PathBuf> {
        let directory = fs::read_dir(self.root.join(&track.name)).expect("a track has a directory");
        let mut files: Vec<_> = directory.map(|entry| entry.expect("it can be listed").path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "m4s"));
        files.sort();
        files
    }

    pub fn init(&self, track: &Track) -> PathBuf {
        self.root.join(&track.name).join("init.mp4")
    }

    pub fn playlist(&self, track: &Track) -> PathBuf {
        self.root.join(&track.name).join("playlist.m3u8")
    }

    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(move |track| track.kind == kind)
    }

    /// A copy to damage, gone when the directory is dropped.
    pub fn copy(&self) -> (tempfile::TempDir, Self) {
        let directory = tempfile::tempdir_in(scratch()).expect("a temporary directory");
        let copy = Self { root: directory.path().to_owned(), tracks: self.tracks.clone() };
        for file in self.files() {
            let target = copy.root.join(&file);
            fs::create_dir_all(target.parent().expect("a file has a directory")).expect("it can be made");
            fs::copy(self.root.join(&file), target).expect("a file can be copied");
        }
        (directory, copy)
    }

    /// Every file below the root, relative to it, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut left = vec![self.root.clone()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).expect("it can be listed") {
                let path = entry.expect("it can be listed").path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.push(path.strip_prefix(&self.root).expect("below the root").to_owned());
                }
            }
        }
        found.sort();
        found
    }
}

/// The ladder's directory.
pub fn ladder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder")
}

/// Where packages are made, below the target directory.
pub fn scratch() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("end_to_end");
    fs::create_dir_all(&directory).expect("the target directory can be written");
    directory
}

/// Which stream each track of a package was made of: files are named by height and by language.
fn tracks(root: &Path, videos: &Videos) -> Vec<Track> {
    let text = fs::read(root.join("master.m3u8")).expect("a package has a master playlist");
    let (_, master) = m3u8_rs::parse_master_playlist(&text).expect("the master playlist parses");
    let name = |uri: &str| uri.strip_suffix("/playlist.m3u8").expect("a track's playlist.m3u8").to_owned();
    let video = master.variants.iter().map(|variant| {
        let height = variant.resolution.expect("a variant has a RESOLUTION").height;
        let stem = format!("{height}p");
        let source = videos.files.iter().find(|file| file.file_stem().is_some_and(|found| *found == *stem));
        Track {
            kind: Kind::Video,
            name: name(&variant.uri),
            source: source.expect("a variant has the height of a video").clone(),
            frames: videos.frames,
        }
    });
    let audio = master.alternatives.iter().map(|media| {
        let language = media.language.as_deref().expect("a rendition has a LANGUAGE");
        let uri = media.uri.as_deref().expect("a rendition has a URI");
        let source = ladder().join(format!("{language}.aac"));
        Track { kind: Kind::Audio, name: name(uri), source, frames: 0 }
    });
    video.chain(audio).collect()
}
