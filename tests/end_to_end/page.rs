//! The page of `fragmint play` in headless Chromium: it plays HLS by hls.js and DASH by dash.js, takes the wishes of a person, and
//! draws the bit rates that the receipt tells.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::checks::{Problems, twice};
use crate::package::{Package, Videos};
use crate::tools;

/// A running `fragmint play` with copies of both players, ended when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(what: &Path) -> Self {
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/players/node_modules");
        let mut child = Command::new(env!("CARGO_BIN_EXE_fragmint"))
            .arg("play")
            .arg(what)
            .args(["--port", "0", "--hls-js"])
            .arg(modules.join("hls.js/dist/hls.min.js"))
            .arg("--dash-js")
            .arg(modules.join("dashjs/dist/modern/umd/dash.mediaplayer.min.js"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        let mut address = String::new();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        BufReader::new(stdout).read_line(&mut address).expect("it prints");
        assert!(
            address.starts_with("http://"),
            "it prints its address: scripts/setup-tests.sh installs the players"
        );
        Self { child, address: address.trim().to_owned() }
    }

    fn watch(&self, words: &[&str]) -> Problems {
        let words: Vec<_> = [self.address.as_str()].iter().chain(words).copied().collect();
        tools::problems(&tools::node("watch.mjs", &words))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A package as DASH by FFmpeg, without encoding: a manifest and segments beside it.
fn dash_by_ffmpeg(package: &Package, root: &Path) -> PathBuf {
    let manifest = root.join("manifest.mpd");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-y"]);
    for track in &package.tracks {
        ffmpeg.arg("-i").arg(package.root.join(&track.name).join("playlist.m3u8"));
    }
    ffmpeg.args(["-map", "0", "-map", "1", "-map", "2", "-map", "3", "-map", "4", "-c", "copy"]);
    ffmpeg.args(["-metadata:s:a:0", "language=en", "-metadata:s:a:1", "language=de"]);
    ffmpeg.args(["-f", "dash", "-seg_duration", "4"]);
    ffmpeg.args(["-adaptation_sets", "id=0,streams=0,1,2 id=1,streams=3 id=2,streams=4"]);
    let said = tools::run(ffmpeg.arg(&manifest));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    manifest
}

const TRACKS: [&str; 4] = ["--renditions", "3", "--audio", "2"];

#[test]
fn both_manifests_of_a_directory_play_and_the_address_remembers_which() {
    let package = Package::make_of(&Videos::ladder(), "page", &[]);
    if !package.root.join("manifest.mpd").exists() {
        dash_by_ffmpeg(&package, &package.root);
    }
    let server = Server::start(&package.root);
    assert_eq!(twice(|| server.watch(&[&TRACKS[..], &["hls", "dash"]].concat())), Problems::new());
}

#[test]
fn a_dash_manifest_of_ffmpeg_plays_without_a_receipt() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(&dash_by_ffmpeg(Package::good(), directory.path()));
    assert_eq!(twice(|| server.watch(&[&TRACKS[..], &["dash"]].concat())), Problems::new());
}

#[test]
fn what_is_not_there_is_noticed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let manifest = dash_by_ffmpeg(Package::good(), directory.path());
    let server = Server::start(&manifest);
    assert_ne!(server.watch(&["--renditions", "2", "--audio", "2", "dash"]), Problems::new());
    std::fs::write(&manifest, "<MPD/>").expect("the manifest can be written");
    let problems = server.watch(&[&TRACKS[..], &["dash"]].concat());
    assert!(problems.iter().any(|problem| problem.contains("has no Period")), "{problems:?}");
}
