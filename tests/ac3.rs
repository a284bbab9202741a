//! The AC-3 and E-AC-3 streams of `tests/streams`, packaged by the command beside video and alone, and judged by FFmpeg: through either
//! manifest they are decoded to the same sound as from the files.

#[allow(dead_code)]
#[path = "end_to_end/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name, sampling rate, channels, access units.
const STREAMS: [(&str, u32, u16, usize); 4] = [
    ("stereo.ac3", 44_100, 2, 10),
    ("surround.ac3", 48_000, 6, 10),
    ("mono.eac3", 32_000, 1, 7),
    ("surround.eac3", 48_000, 6, 10),
];

fn stream(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams").join(name)
}

/// Packages these streams; the directory of the package.
fn package(inputs: &[String], options: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    command.arg("package").args(inputs).args(options).arg("-o").arg(root.path().join("out"));
    let said = tools::run(&mut command);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    root
}

/// Hash of the sound that FFmpeg decodes, of each audio track in the file or manifest.
fn decoded(input: &str, track: usize) -> String {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-i", input, "-map", &format!("0:a:{track}")]);
    let said = tools::run(command.args(["-c:a", "pcm_s16le", "-f", "md5", "-"]));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{input}");
    said.stdout
}

#[test]
fn through_either_manifest_the_sound_is_that_of_the_file() {
    let named = |(name, ..): &(&str, u32, u16, usize)| {
        format!("{},lang=en,name={}", stream(name).display(), name.replace('.', "-"))
    };
    let mut inputs = vec![stream("180p.ivf").display().to_string()];
    inputs.extend(STREAMS.iter().map(named));
    let root = package(&inputs, &[]);
    let out = root.path().join("out");
    let master = fs::read(out.join("master.m3u8")).unwrap();
    let (_, master) = m3u8_rs::parse_master_playlist(&master).unwrap();
    let mpd = fs::read_to_string(out.join("manifest.mpd")).unwrap();
    for (track, &(name, rate, channels, _)) in STREAMS.iter().enumerate() {
        let directory = format!("audio/{}", name.replace('.', "-"));
        let expected = decoded(&stream(name).display().to_string(), 0);
        let playlist = out.join(&directory).join("playlist.m3u8");
        assert_eq!(decoded(&playlist.display().to_string(), 0), expected, "{name} by HLS");
        assert_eq!(
            decoded(&out.join("manifest.mpd").display().to_string(), track),
            expected,
            "{name} by DASH"
        );

        let uri = format!("{directory}/playlist.m3u8");
        let media = master.alternatives.iter().find(|media| media.uri.as_deref() == Some(&uri)).unwrap();
        assert_eq!(media.channels, Some(channels.to_string()), "{name}");
        let codec = if name.ends_with(".eac3") { "ec-3" } else { "ac-3" };
        let representation = mpd.split("<Representation ").find(|part| part.contains(&directory)).unwrap();
        assert!(representation.contains(&format!(r#"codecs="{codec}""#)), "{representation}");
        assert!(representation.contains(&format!(r#"audioSamplingRate="{rate}""#)), "{representation}");
        let channels = format!(r#"cicp:ChannelConfiguration" value="{channels}""#);
        assert!(representation.contains(&channels), "{representation}");
    }
    let verified = tools::run(Command::new(env!("CARGO_BIN_EXE_fragmint")).arg("verify").arg(&out));
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn segments_hold_the_syncframes_byte_by_byte() {
    for (name, rate, _, units) in STREAMS {
        let root = package(&[stream(name).display().to_string()], &["--segment-duration", "0.1"]);
        let audio = fs::read_dir(root.path().join("out/audio")).unwrap().next().unwrap().unwrap().path();
        let mut payload = Vec::new();
        let mut segments = 0;
        let segment = |number| audio.join(format!("seg-{number:05}.m4s"));
        for path in (1..).map(segment).take_while(|path| path.is_file()) {
            segments += 1;
            let bytes = fs::read(path).unwrap();
            let mdat = bytes.windows(4).position(|name| name == b"mdat").unwrap();
            payload.extend_from_slice(&bytes[mdat + 4..]);
        }
        assert!(payload == fs::read(stream(name)).unwrap(), "{name}");
        assert!(segments > 2, "{name}: {segments} segments");
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-show_entries", "packet=duration", "-of", "csv=p=0"]);
        let said = tools::run(command.arg(audio.join("playlist.m3u8")));
        let durations: Vec<&str> = said.stdout.split_whitespace().collect();
        assert_eq!(durations.len(), units, "{name} at {rate} Hz: {}", said.stderr);
        assert!(durations.iter().all(|duration| duration.trim_end_matches(',') == "1536"), "{durations:?}");
    }
}
