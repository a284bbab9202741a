//! The VP9 stream of `tests/streams`, packaged by the command and by the segmenter, judged by FFmpeg: the same pictures, and the
//! same bytes whether hidden frames stand in superframes or alone.

#[allow(dead_code)]
#[path = "end_to_end/tools.rs"]
mod tools;

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;

use fragmint::segmenter::{CodecConfig, SampleTiming, Segmenter, SegmenterConfig};
use fragmint::time::Timescale;

/// Pictures a group, and all of them.
const GROUP: usize = 50;
const PICTURES: usize = 100;

fn stream() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams/54p-vp9.ivf")
}

/// The packets of an IVF file, and their timestamps.
fn packets(ivf: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let (mut packets, mut rest) = (Vec::new(), &ivf[32..]);
    while let Some((size, _)) = rest.split_first_chunk() {
        let end = 12 + u32::from_le_bytes(*size) as usize;
        let timestamp = i64::from_le_bytes(rest[4..12].try_into().unwrap());
        packets.push((timestamp, rest[12..end].to_vec()));
        rest = &rest[end..];
    }
    packets
}

/// The frames of a packet by its superframe index, which libvpx writes in two bytes for each size.
fn frames(packet: &[u8]) -> Vec<Vec<u8>> {
    let marker = packet[packet.len() - 1];
    let index = 2 + 2 * (usize::from(marker & 7) + 1);
    if marker & 0xf8 != 0xc8 || packet[packet.len() - index] != marker {
        return vec![packet.to_vec()];
    }
    let sizes = packet[packet.len() - index + 1..packet.len() - 1].chunks_exact(2);
    let mut rest = packet;
    let mut take = |size: &[u8]| {
        let (frame, behind) = rest.split_at(usize::from(u16::from_le_bytes([size[0], size[1]])));
        rest = behind;
        frame.to_vec()
    };
    sizes.map(&mut take).collect()
}

/// The same stream with a packet for each frame.
fn split(ivf: &[u8]) -> Vec<u8> {
    let mut file = ivf[..32].to_vec();
    for (timestamp, packet) in packets(ivf) {
        for frame in frames(&packet) {
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend(timestamp.to_le_bytes());
            file.extend(frame);
        }
    }
    file
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory")
}

/// The track's directory of a package of `input`, and what the command said.
fn package(input: &Path, root: &Path) -> (PathBuf, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    command.arg("package").arg(input).args(["--segment-duration", "2", "-o"]).arg(root.join("out"));
    let said = tools::run(&mut command);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let videos =
        fs::read_dir(root.join("out/video")).expect("a package of video").map(|entry| entry.unwrap().path());
    let [track] = &videos.collect::<Vec<_>>()[..] else { panic!("one video") };
    (track.clone(), fs::read_to_string(root.join("out/master.m3u8")).unwrap())
}

fn files(track: &Path) -> Vec<Vec<u8>> {
    ["init.mp4", "seg-00001.m4s", "seg-00002.m4s"].map(|name| fs::read(track.join(name)).expect(name)).into()
}

/// Hashes of the pictures that FFmpeg decodes.
fn pictures(input: &str) -> Vec<String> {
    let said = tools::run(Command::new("ffmpeg").args(["-v", "error", "-i", input, "-f", "framemd5", "-"]));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let hash = |line: &str| line.rsplit(',').next().map(|hash| hash.trim().to_owned());
    said.stdout.lines().filter(|line| !line.starts_with('#')).filter_map(hash).collect()
}

#[test]
fn every_segment_decodes_to_the_pictures_of_the_stream() {
    let root = scratch();
    let (track, master) = package(&stream(), root.path());
    assert!(master.contains("CODECS=\"vp09.00.10.08\""), "{master}");
    let expected = pictures(stream().to_str().unwrap());
    assert_eq!(expected.len(), PICTURES);
    for (number, group) in expected.chunks(GROUP).enumerate() {
        let (init, segment) = (track.join("init.mp4"), track.join(format!("seg-{:05}.m4s", number + 1)));
        assert_eq!(pictures(&format!("concat:{}|{}", init.display(), segment.display())), group);
    }
}

#[test]
fn hidden_frames_alone_and_in_superframes_give_the_same_files() {
    let root = scratch();
    let ivf = fs::read(stream()).unwrap();
    let apart = split(&ivf);
    assert!(packets(&apart).len() > packets(&ivf).len(), "the stream has hidden frames");
    let input = root.path().join("apart.ivf");
    fs::write(&input, apart).unwrap();
    let (whole, _) = package(&stream(), &root.path().join("1"));
    let (apart, _) = package(&input, &root.path().join("2"));
    assert_eq!(files(&whole), files(&apart));
}

#[test]
fn the_segmenter_gives_the_same_segments() {
    let root = scratch();
    let (whole, _) = package(&stream(), root.path());
    let ivf = split(&fs::read(stream()).unwrap());
    let timescale = Timescale::new(NonZeroU32::new(25_000).unwrap());
    let config = SegmenterConfig::new(root.path().join("live"), "video", CodecConfig::vp9(), timescale);
    let mut segmenter = Segmenter::new(config).unwrap();
    let mut pictures = 0;
    for (_, packet) in packets(&ivf) {
        if pictures == GROUP {
            segmenter.cut().unwrap();
            pictures = 0;
        }
        pictures += segmenter.push(&packet, SampleTiming::new(1000)).unwrap();
    }
    let track = segmenter.finish().unwrap();
    assert_eq!(track.codec(), "vp09.00.10.08");
    let live = files(&root.path().join("live/video"));
    assert_eq!(live[1..], files(&whole)[1..]);
}
