//! FLAC, and AAC with priming, packaged by the command and judged by FFmpeg: the same sound to the last bit, from time 0 on.

#[allow(dead_code)]
#[path = "end_to_end/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tools::Said;

struct Package {
    root: tempfile::TempDir,
}

impl Package {
    /// A package of one input, which succeeds, in segments of about a second.
    fn of(input: &str) -> Self {
        let (package, said) = Self::try_of(input, &[]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let verified = tools::run(fragmint().arg("verify").arg(package.out()));
        assert_eq!(verified.code, Some(0), "{}", verified.stdout);
        package
    }

    fn try_of(input: &str, words: &[&str]) -> (Self, Said) {
        let root = tempfile::tempdir().expect("a temporary directory");
        let package = Self { root };
        let mut command = fragmint();
        command.args(["package", "--segment-duration", "1", input, "-o"]).arg(package.out()).args(words);
        let said = tools::run(&mut command);
        (package, said)
    }

    fn out(&self) -> PathBuf {
        self.root.path().join("out")
    }

    /// The one media playlist.
    fn playlist(&self) -> PathBuf {
        let tracks = fs::read_dir(self.out().join("audio")).expect("a directory of audio");
        let track = tracks.last().expect("a track").expect("that can be read").path();
        track.join("playlist.m3u8")
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.playlist().with_file_name(name)).expect("it was written")
    }

    /// Init segment and segments in one file.
    fn whole(&self) -> PathBuf {
        let names = (1..).map(|number| self.playlist().with_file_name(format!("seg-{number:05}.m4s")));
        let segments =
            names.take_while(|path| path.is_file()).map(|path| fs::read(path).expect("it is there"));
        let path = self.root.path().join("whole.mp4");
        fs::write(&path, [self.file("init.mp4"), segments.collect::<Vec<_>>().concat()].concat())
            .expect("room");
        path
    }

    fn receipt(&self) -> Value {
        let json = fs::read(self.out().join("fragmint.json")).expect("a receipt");
        serde_json::from_slice(&json).expect("JSON")
    }
}

fn fragmint() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fragmint"))
}

fn stream(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams").join(name)
}

/// The sound of a file from time 0 on as FFmpeg decodes it, 16 bits a sample.
fn decoded(input: &Path) -> Vec<u8> {
    let mut ffmpeg = Command::new("ffmpeg");
    // Without `-copyts` it moves a file that starts below 0 to 0, and nothing is trimmed.
    ffmpeg.args(["-hide_banner", "-nostdin", "-v", "error", "-xerror", "-copyts", "-i"]).arg(input);
    let output = ffmpeg.args(["-af", "atrim=start=0", "-f", "s16le", "-"]).output().expect("FFmpeg is there");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// MD5 of it, by FFmpeg.
fn md5(input: &Path, format: &str) -> String {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-nostdin", "-v", "error", "-xerror", "-i"]).arg(input);
    let said = tools::run(ffmpeg.args(["-c:a", format, "-f", "md5", "-"]));
    assert!(said.code == Some(0) && said.stderr.is_empty(), "{}", said.stderr);
    said.stdout.trim().trim_start_matches("MD5=").to_owned()
}

#[test]
fn flac_is_the_same_sound_through_its_playlist() {
    for (name, format, segments) in [("fixed.flac", "pcm_s16le", 3), ("variable.flac", "pcm_s24le", 1)] {
        let input = stream(name);
        let package = Package::of(&input.display().to_string());
        // MD5 of the samples, which the encoder left at the end of STREAMINFO.
        let bytes = fs::read(&input).unwrap();
        let own: String = bytes[26..42].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(md5(&package.playlist(), format), own, "{name}");
        let receipt = package.receipt();
        assert_eq!(receipt["tracks"][0]["codec"], "fLaC", "{receipt}");
        let text = fs::read_to_string(package.playlist()).unwrap();
        assert_eq!(text.matches("#EXTINF").count(), segments, "{text}");
        // Frames lie in the segments as they do in the stream.
        let last = package.file(&format!("seg-{segments:05}.m4s"));
        assert_eq!(last[last.len() - 100..], bytes[bytes.len() - 100..]);
        // `dfLa` with the STREAMINFO of the stream, whose block is the last one there.
        let init = package.file("init.mp4");
        let at = init.windows(4).position(|window| window == b"dfLa").expect("a configuration");
        assert_eq!(init[at - 4..at], 50u32.to_be_bytes());
        assert_eq!(init[at + 4..at + 12], *b"\0\0\0\0\x80\0\0\x22");
        assert_eq!(init[at + 12..at + 46], bytes[8..42]);
    }
}

#[test]
fn flac_that_is_cut_off_is_taken_only_when_asked() {
    let whole = fs::read(stream("fixed.flac")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let input = scratch.path().join("cut.flac");
    fs::write(&input, &whole[..whole.len() - 50]).unwrap();
    let input = input.display().to_string();
    let (_, said) = Package::try_of(&input, &[]);
    assert!(said.code != Some(0) && said.stderr.contains("the last frame is cut off"), "{}", said.stderr);
    let (package, said) = Package::try_of(&input, &["--drop-incomplete"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    // 24,000 samples in blocks of 1024: 23 whole ones.
    let (sound, kept) = (decoded(&stream("fixed.flac")), 23 * 1024 * 4);
    assert_eq!(decoded(&package.whole()), sound[..kept]);
    assert!(
        said.stderr.contains("0.056 s that STREAMINFO tells of")
            || said.stdout.contains("STREAMINFO tells of")
    );
}

#[test]
fn what_primes_aac_is_not_heard() {
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder/en.aac");
    let whole = decoded(&input);
    let samples = |bytes: usize| bytes / 4;
    for priming in [0, 1024, 2112] {
        let package = Package::of(&format!("{},priming={priming}", input.display()));
        // FFmpeg gives what lies in front of the edit times below 0; of the playlist it decodes that too.
        let heard = decoded(&package.whole());
        assert_eq!(samples(whole.len()) - samples(heard.len()), priming, "samples that are left out");
        assert!(heard == whole[4 * priming..], "the others, bit by bit, with {priming} left out");
        let init = package.file("init.mp4");
        let edit = init.windows(4).position(|window| window == b"elst");
        // version and flags, entry_count, segment_duration, media_time, media_rate; as FFmpeg 5.1 writes it for 1024 samples in
        // front of fragments (`-c:a aac -movflags +frag_keyframe+empty_moov+delay_moov`).
        let golden =
            [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, (priming >> 8) as u8, priming as u8, 0, 1, 0, 0];
        match edit {
            Some(at) => assert_eq!(init[at + 4..at + 24], golden),
            None => assert_eq!(priming, 0),
        }
        let mpd = fs::read_to_string(package.out().join("manifest.mpd")).unwrap();
        assert!(mpd.contains("<S t=\"0\""), "{mpd}");
    }
}
