//! A stream of every encoder that FFmpeg has for what is taken ([`streams/matrix.sh`](streams/matrix.sh)) is packaged, and what FFmpeg
//! decodes of the package is what it decodes of the stream: every picture and every sample of sound, no more and no less, priming and
//! trimmed ends taken off. Each package is sound for `fragmint verify` too, and its codec string is what FFmpeg's DASH muxer tells.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A stream, further words for `fragmint package`, and the codec strings of its periods, in order.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const NEW_PERIOD: &[&str] = &["--on-change", "new-period"];

const MATRIX: &[Row] = &[
    ("h264-pyramid.h264", &[], &["avc1.64000A"]),
    ("h264-slices.h264", &[], &["avc1.640009"]),
    ("h264-interlaced.h264", &[], &["avc1.640015"]),
    ("h264-baseline.h264", &[], &["avc1.42C00A"]),
    ("h264-high10.h264", &[], &["avc1.6E000A"]),
    ("h264-sets.h264", &[], &["avc3.64000A"]),
    ("h264-sets.h264", NEW_PERIOD, &["avc1.64000A", "avc1.4D400A", "avc1.64000A"]),
    ("h264-sizes.h264", NEW_PERIOD, &["avc1.64000A", "avc1.64000B"]),
    ("h265-pyramid.h265", &[], &["hvc1.1.6.L30.90"]),
    ("h265-main10.h265", &[], &["hvc1.2.4.L30.90"]),
    ("h265-sets.h265", &[], &["hev1.1.6.L30.90"]),
    ("h265-sets.h265", NEW_PERIOD, &["hvc1.1.6.L30.90", "hvc1.1.6.L30.90", "hvc1.1.6.L30.90"]),
    ("h265-sizes.h265", NEW_PERIOD, &["hvc1.1.6.L30.90", "hvc1.1.6.L30.90"]),
    ("av1-aom.ivf", &[], &["av01.0.00M.08"]),
    ("av1-aom.obu", &["--fps", "25"], &["av01.0.00M.08"]),
    ("av1-aom-10bit.ivf", &[], &["av01.0.00M.10"]),
    ("av1-aom-444.ivf", &[], &["av01.1.00M.08.0.000.01.01.01.0"]),
    ("av1-svt.ivf", &[], &["av01.0.00M.08"]),
    ("vp9-altref.ivf", &[], &["vp09.00.10.08.01.02.02.02.00"]),
    ("vp9-realtime.ivf", &[], &["vp09.00.10.08.01.02.02.02.00"]),
    ("vp9-profile1.ivf", &[], &["vp09.01.10.08.03.02.02.02.00"]),
    ("vp9-profile2.ivf", &[], &["vp09.02.10.10.01.02.02.02.00"]),
    ("vp9-profile3.ivf", &[], &["vp09.03.10.12.02.02.02.02.00"]),
    ("aac.aac", &[], &["mp4a.40.2"]),
    ("aac-51.aac", &[], &["mp4a.40.2"]),
    ("ac3.ac3", &[], &["ac-3"]),
    ("ac3-51.ac3", &[], &["ac-3"]),
    ("ac3-fixed.ac3", &[], &["ac-3"]),
    ("eac3.eac3", &[], &["ec-3"]),
    ("eac3-mono.eac3", &[], &["ec-3"]),
    ("flac.flac", &[], &["fLaC"]),
    ("flac-24.flac", &[], &["fLaC"]),
    ("opus.ogg", &[], &["opus"]),
    ("opus-51.ogg", &[], &["opus"]),
    ("opus-short.ogg", &[], &["opus"]),
    ("opus-long.ogg", &[], &["opus"]),
    ("opus-native.ogg", &[], &["opus"]),
];

#[test]
fn what_every_encoder_made_comes_out_as_it_was() {
    let streams = Path::new(env!("CARGO_TARGET_TMPDIR")).join("matrix");
    if streams.exists() {
        fs::remove_dir_all(&streams).expect("the last run's streams can be removed");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams/matrix.sh");
    run(Command::new(script).arg(&streams));
    let mut made: Vec<String> = fs::read_dir(&streams)
        .expect("the streams can be listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    made.retain(|name| !MATRIX.iter().any(|(file, ..)| file == name));
    assert_eq!(made, Vec::<String>::new(), "streams that no row names");

    let mut wrong = Vec::new();
    for (index, row) in MATRIX.iter().enumerate() {
        let output = streams.join(format!("package-{index}"));
        wrong.extend(problems(&streams, &output, row).into_iter().map(|text| format!("{row:?}: {text}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the package of one stream.
fn problems(streams: &Path, output: &Path, &(file, options, codecs): &Row) -> Vec<String> {
    let stream = streams.join(file);
    let is_video = ["h264", "h265", "ivf", "obu"].iter().any(|end| file.ends_with(end));
    run(fragmint(&["package", "--segment-duration", "1", "--quiet"])
        .args(options)
        .args(is_raw(file).then_some("--fps=25"))
        .arg(&stream)
        .arg("-o")
        .arg(output));
    let mut problems = Vec::new();
    let verified = fragmint(&["verify", "--strict"]).arg(output).output().expect("it starts");
    if !verified.status.success() {
        problems.push(format!("verify: {}", String::from_utf8_lossy(&verified.stdout)));
    }
    let periods = periods(&playlist(output));
    let joined: Vec<PathBuf> =
        (0..).zip(&periods).map(|(n, files)| join(files, &output.join(format!("{n}.mp4")))).collect();
    let decoded: Vec<Vec<u8>> = joined.iter().map(|file| decode(file, is_video)).collect();
    problems.extend(difference(&decode(&stream, is_video), &decoded.concat(), file.starts_with("opus")));
    let told: Vec<_> = joined.iter().map(|file| codec_of_ffmpeg(file, output)).collect();
    let of_master = master_codecs(output);
    for (codec, told) in codecs.iter().zip(&told) {
        // It tells nothing of some, and of others the first words.
        if !told.as_deref().is_none_or(|told| codec.to_lowercase().starts_with(&told.to_lowercase())) {
            problems.push(format!("{codec} is {told:?} for FFmpeg"));
        }
        if !of_master.iter().any(|listed| listed == codec) {
            problems.push(format!("{codec} is not among {of_master:?}"));
        }
    }
    if told.len() != codecs.len() {
        problems.push(format!("{} periods, wanted {}", told.len(), codecs.len()));
    }
    problems
}

/// Whether a stream does not tell its frame rate.
fn is_raw(file: &str) -> bool {
    file.ends_with("h264") || file.ends_with("h265")
}

fn fragmint(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    command.args(words).stdin(Stdio::null());
    command
}

/// Runs it to its end, which must be a good one; gives its standard output.
#[track_caller]
fn run(command: &mut Command) -> Vec<u8> {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!(
            "cannot start {program}: {error}; run scripts/setup-tests.sh, which installs what the tests need"
        )
    });
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The media playlist of a package of one track.
fn playlist(output: &Path) -> PathBuf {
    let master = fs::read_to_string(output.join("master.m3u8")).expect("a multivariant playlist");
    let uri = master.lines().find(|line| line.ends_with("/playlist.m3u8") && !line.starts_with('#'));
    let quoted = || master.split('"').find(|part| part.ends_with("/playlist.m3u8"));
    output.join(uri.or_else(quoted).expect("it names a media playlist"))
}

fn master_codecs(output: &Path) -> Vec<String> {
    let master = fs::read_to_string(output.join("master.m3u8")).expect("a multivariant playlist");
    let codecs = master.split("CODECS=\"").nth(1).and_then(|rest| rest.split('"').next());
    codecs.expect("CODECS").split(',').map(str::to_owned).collect()
}

/// The init segment and the media segments behind it, of each period.
fn periods(playlist: &Path) -> Vec<Vec<PathBuf>> {
    let directory = playlist.parent().expect("it is in a directory");
    let text = fs::read_to_string(playlist).expect("a media playlist");
    let mut periods: Vec<Vec<PathBuf>> = Vec::new();
    for line in text.lines() {
        if let Some(init) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
            periods.push(vec![directory.join(init.trim_end_matches('"'))]);
        } else if !line.starts_with('#') && !line.is_empty() {
            periods.last_mut().expect("a map in front").push(directory.join(line));
        }
    }
    periods
}

fn join(files: &[PathBuf], target: &Path) -> PathBuf {
    let bytes: Vec<u8> =
        files.iter().flat_map(|file| fs::read(file).expect("a file of the package")).collect();
    fs::write(target, bytes).expect("it can be written");
    target.to_owned()
}

/// What is decoded of a stream against what is decoded of its package. Of Opus, FFmpeg takes the edit list off a fragmented file, but
/// not the end of the sound within the last packet, which its duration tells: it gives more there, and less than a packet.
fn difference(of_stream: &[u8], of_package: &[u8], is_opus: bool) -> Option<String> {
    const LONGEST_PACKET: usize = 5760;
    const BYTES_A_SAMPLE: usize = 6 * size_of::<u32>();
    let more = of_package.len().saturating_sub(of_stream.len());
    let may_be_more = if is_opus { LONGEST_PACKET * BYTES_A_SAMPLE } else { 1 };
    if of_package.starts_with(of_stream) && more < may_be_more {
        return None;
    }
    let at = of_stream.iter().zip(of_package).take_while(|(a, b)| a == b).count();
    Some(format!("decoded, {} bytes and {}, differ from {at} on", of_stream.len(), of_package.len()))
}

/// A line with a hash for each picture, or the samples of sound.
fn decode(file: &Path, is_video: bool) -> Vec<u8> {
    let words: &[&str] = match is_video {
        true => &[
            "-map",
            "0:v:0",
            "-vsync",
            "passthrough",
            "-autoscale",
            "0",
            "-f",
            "framehash",
            "-hash",
            "md5",
            "-",
        ],
        false => &["-map", "0:a:0", "-c:a", "pcm_s32le", "-f", "s32le", "-"],
    };
    let output = run(Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-i"]).arg(file).args(words));
    if !is_video {
        assert!(!output.is_empty(), "{}: no sound", file.display());
        return output;
    }
    let text = String::from_utf8(output).expect("text");
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(!lines.is_empty(), "{}: no pictures", file.display());
    lines
        .iter()
        .flat_map(|line| format!("{}\n", line.rsplit(',').next().unwrap_or(line).trim()).into_bytes())
        .collect()
}

/// The codec string that FFmpeg's DASH muxer writes for a file; `None` where it knows none.
fn codec_of_ffmpeg(file: &Path, directory: &Path) -> Option<String> {
    let mpd = directory.join("ffmpeg").with_extension("mpd");
    let told = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-strict", "-2", "-i"])
        .arg(file)
        .args(["-c", "copy", "-f", "dash", "-single_file", "1"])
        .arg(&mpd)
        .stdin(Stdio::null())
        .output()
        .expect("FFmpeg starts");
    let text = told.status.success().then(|| fs::read_to_string(&mpd).ok()).flatten()?;
    Some(text.split("codecs=\"").nth(1)?.split('"').next()?.to_owned())
}
