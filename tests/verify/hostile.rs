//! Manifests that lead out of their directory, or to what is no file: nothing of it is read, whatever it is called by.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{Verdict, verify};
use crate::package::Package;

/// A package in the making, with a sound track beside it that must not be read.
struct Trap {
    directory: tempfile::TempDir,
}

impl Trap {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let track = &Package::ladder().tracks("audio")[0];
        for place in ["secret", "package/video"] {
            fs::create_dir_all(directory.path().join(place)).expect("it can be made");
        }
        for file in ["init.mp4", "seg-00001.m4s"] {
            fs::copy(track.join(file), directory.path().join("secret").join(file)).expect("it can be copied");
        }
        Self { directory }
    }

    fn secret(&self, file: &str) -> PathBuf {
        self.directory.path().join("secret").join(file)
    }

    fn package(&self) -> PathBuf {
        self.directory.path().join("package")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.package().join(name);
        fs::write(&path, text).expect("it can be written");
        path
    }

    /// What is said of a playlist with this init segment and this segment.
    fn playlist(&self, init: &str, segment: &str) -> Verdict {
        Verdict::of(&self.write("playlist.m3u8", &playlist(init, segment)))
    }

    /// Neither of the names was followed: each is an error of `file-outside`.
    fn assert_closed(&self, init: &str, segment: &str) {
        let verdict = self.playlist(init, segment);
        assert_eq!(verdict.code, Some(1), "{init}");
        assert!(verdict.rules().contains("file-outside"), "{init}: {:#?}", verdict.lines());
        assert_unread(&verdict, init);
    }
}

fn playlist(init: &str, segment: &str) -> String {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"{init}\"\n\
         #EXTINF:4.000,\n{segment}\n#EXT-X-ENDLIST\n"
    )
}

fn assert_unread(verdict: &Verdict, what: &str) {
    assert_eq!((verdict.sum("samples"), verdict.sum("timescale")), (0, 0), "{what}: {}", verdict.report);
    assert_eq!(verdict.report["bytes"], 0, "{what}: {}", verdict.report);
}

#[test]
fn the_trap_would_be_read_if_it_lay_inside() {
    let trap = Trap::new();
    fs::rename(trap.secret(""), trap.package().join("inside")).expect("it can be moved");
    let verdict = trap.playlist("inside/init.mp4", "inside/seg-00001.m4s");
    assert!(verdict.sum("samples") > 0, "{}", verdict.report);
    assert!(!verdict.rules().contains("file-outside"), "{:#?}", verdict.lines());
}

#[test]
fn names_that_lead_out_are_not_followed() {
    let trap = Trap::new();
    trap.assert_closed("../secret/init.mp4", "../secret/seg-00001.m4s");
    trap.assert_closed("video/../../secret/init.mp4", "video/../../secret/seg-00001.m4s");
    trap.assert_closed("%2e%2e/secret/init.mp4", "%2E%2E%2Fsecret/seg-00001.m4s");
    trap.assert_closed("../package/../secret/init.mp4", "../../../../../../../../etc/passwd");
    trap.assert_closed("../../etc/passwd", "/etc/passwd");
}

#[test]
fn links_that_lead_out_are_not_followed() {
    let trap = Trap::new();
    symlink("../secret", trap.package().join("directory")).expect("a link");
    trap.assert_closed("directory/init.mp4", "directory/seg-00001.m4s");
    symlink(trap.secret(""), trap.package().join("absolute")).expect("a link");
    trap.assert_closed("absolute/init.mp4", "absolute/seg-00001.m4s");
    for file in ["init.mp4", "seg-00001.m4s"] {
        symlink(trap.secret(file), trap.package().join(file)).expect("a link");
    }
    trap.assert_closed("init.mp4", "seg-00001.m4s");
}

/// A path that starts with `/` is one of whatever host serves the package.
#[test]
fn other_hosts_and_schemes_are_not_asked() {
    let trap = Trap::new();
    let url = |scheme: &str, file: &str| format!("{scheme}{}", trap.secret(file).display());
    for scheme in
        ["", "file://", "https://example.com", "http://127.0.0.1:9", "//example.com", "data:video/mp4,"]
    {
        let verdict = trap.playlist(&url(scheme, "init.mp4"), &url(scheme, "seg-00001.m4s"));
        assert!(!verdict.findings().is_empty(), "{scheme}");
        assert_unread(&verdict, scheme);
    }
}

#[test]
fn an_mpd_leads_nowhere_either() {
    let trap = Trap::new();
    let secret = trap.directory.path().join("secret");
    for base in ["../secret/", &format!("{}/", secret.display()), &format!("file://{}/", secret.display())] {
        let mpd = trap.write(
            "manifest.mpd",
            &format!(
                "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" minBufferTime=\"PT4S\" \
                 mediaPresentationDuration=\"PT4S\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\"><BaseURL>{base}\
                 </BaseURL><Period><AdaptationSet mimeType=\"audio/mp4\"><Representation id=\"1\" bandwidth=\"200000\" \
                 codecs=\"mp4a.40.2\"><SegmentTemplate timescale=\"1\" duration=\"4\" initialization=\"init.mp4\" \
                 media=\"seg-$Number%05d$.m4s\"/></Representation></AdaptationSet></Period></MPD>\n"
            ),
        );
        let verdict = Verdict::of(&mpd);
        assert!(!verdict.findings().is_empty(), "{base}");
        assert_unread(&verdict, base);
    }
}

#[test]
fn a_master_playlist_and_a_manifest_that_is_a_link_lead_nowhere() {
    let trap = Trap::new();
    fs::write(trap.secret("playlist.m3u8"), playlist("init.mp4", "seg-00001.m4s"))
        .expect("it can be written");
    let master =
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=200000,CODECS=\"mp4a.40.2\"\n../secret/playlist.m3u8\n";
    let verdict = Verdict::of(&trap.write("master.m3u8", master));
    assert!(verdict.rules().contains("file-outside"), "{:#?}", verdict.lines());
    assert_unread(&verdict, "a master playlist");
    symlink("../secret/playlist.m3u8", trap.package().join("link.m3u8")).expect("a link");
    assert_unread(&Verdict::of(&trap.package()), "a link");
}

#[test]
fn what_is_no_file_does_not_block() {
    let trap = Trap::new();
    let pipe = trap.package().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is here").success());
    symlink("/dev/zero", trap.package().join("zero")).expect("a link");
    for (init, segment) in [("pipe", "pipe"), ("video", "video"), ("zero", "zero")] {
        let verdict = trap.playlist(init, segment);
        assert_eq!(verdict.code, Some(1), "{init}");
        assert_unread(&verdict, init);
    }
    let pipe = trap.package().join("pipe.m3u8");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is here").success());
    assert_eq!(verify(&[&pipe]).code, Some(1));
    assert_unread(&Verdict::of(&trap.package()), "a directory with a pipe");
}

#[test]
fn names_from_files_do_not_steer_the_terminal() {
    let trap = Trap::new();
    let text = playlist("\u{1b}]0;owned\u{7}.mp4", "a\u{1b}[2Jb\u{9b}.m4s");
    let path = trap.write("playlist.m3u8", &text);
    let said = verify(&[&path]);
    assert_eq!(said.code, Some(1));
    let steering = |c: char| c.is_control() && c != '\n';
    assert!(!said.stdout.contains(steering) && !said.stderr.contains(steering), "{}", said.stdout);
}
