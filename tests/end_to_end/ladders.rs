//! Ladders of other codecs than the repository's streams have, encoded by FFmpeg from synthetic sources when a test asks for one:
//! players need 24 s of three sizes, which would be bulk in the repository.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::package::{FRAMES, Package, scratch};
use crate::tools;

/// How a ladder is encoded.
pub struct Ladder {
    pub name: &'static str,
    /// Name extension of the video streams, and FFmpeg's words for their encoder.
    pub video: (&'static str, &'static [&'static str]),
    /// The same of the sound.
    pub audio: (&'static str, &'static [&'static str]),
    /// Further words for `fragmint package`.
    pub options: &'static [&'static str],
}

/// Rate of the pictures, and their number from one key frame to the next.
const RATE: &str = "25";
const GROUP: &str = "50";

pub const AV1_AND_OPUS: Ladder = Ladder {
    name: "av1-opus",
    video: (
        "ivf",
        &["-c:v", "libsvtav1", "-preset", "10", "-svtav1-params", "lp=1:irefresh-type=2:scd=0", "-crf", "50"],
    ),
    audio: ("ogg", &["-c:a", "libopus", "-b:a", "64k"]),
    options: &[],
};

pub const VP9_AND_FLAC: Ladder = Ladder {
    name: "vp9-flac",
    video: (
        "ivf",
        &[
            "-c:v",
            "libvpx-vp9",
            "-deadline",
            "good",
            "-cpu-used",
            "5",
            "-auto-alt-ref",
            "1",
            "-lag-in-frames",
            "16",
            "-crf",
            "40",
            "-b:v",
            "0",
            "-keyint_min",
            GROUP,
        ],
    ),
    audio: ("flac", &["-c:a", "flac"]),
    options: &[],
};

pub const H265_AND_AC3: Ladder = Ladder {
    name: "h265-ac3",
    video: (
        "h265",
        &[
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-x265-params",
            "log-level=error:open-gop=0:scenecut=0:keyint=50",
        ],
    ),
    audio: ("ac3", &["-c:a", "ac3", "-b:a", "128k"]),
    options: &["--fps", RATE],
};

impl Ladder {
    /// Encodes it, and packages it in segments of two seconds.
    pub fn package(&self) -> Package {
        let directory = scratch().join(self.name);
        if directory.exists() {
            fs::remove_dir_all(&directory).expect("the last run's streams can be removed");
        }
        fs::create_dir_all(&directory).expect("the target directory can be written");
        let seconds = (FRAMES / 25).to_string();
        let streams: Vec<PathBuf> = [(480, 270), (320, 180), (160, 90)]
            .into_iter()
            .map(|(width, height)| {
                let picture = format!("testsrc2=size={width}x{height}:rate={RATE}:duration={seconds}");
                let words = ["-pix_fmt", "yuv420p", "-g", GROUP];
                let file = directory.join(format!("{height}p.{}", self.video.0));
                encode(&picture, &[&words, self.video.1].concat(), file)
            })
            .collect();
        let sound = directory.join(format!("en.{}", self.audio.0));
        let sound = encode(
            &format!("sine=frequency=440:sample_rate=48000:duration={seconds}"),
            &[&["-ac", "2"], self.audio.1].concat(),
            sound,
        );
        let root = directory.join("package");
        let said = tools::run(
            Command::new(env!("CARGO_BIN_EXE_fragmint"))
                .arg("package")
                .args(&streams)
                .arg(format!("{},lang=en,name=English", sound.display()))
                .args(["--segment-duration", "2"])
                .args(self.options)
                .arg("-o")
                .arg(&root),
        );
        assert_eq!(said.code, Some(0), "fragmint package of {}: {}", self.name, said.stderr);
        Package { root, tracks: Vec::new() }
    }
}

/// What FFmpeg makes of a synthetic source, without a word of who made it.
fn encode(source: &str, words: &[&str], file: PathBuf) -> PathBuf {
    let said = tools::run(
        Command::new("ffmpeg")
            .args([
                "-hide_banner",
                "-loglevel",
                "error",
                "-nostdin",
                "-y",
                "-bitexact",
                "-f",
                "lavfi",
                "-i",
                source,
            ])
            .args(words)
            .arg(&file),
    );
    assert_eq!(said.code, Some(0), "ffmpeg {words:?}: {}", said.stderr);
    file
}
