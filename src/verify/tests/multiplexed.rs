//! Sound and pictures in one file, as HLS allows: two tracks of the sample package made one, and that broken.

use super::*;
use crate::verify::testing::{LARGE, SOUND};

const INIT: &str = "av/init.mp4";
const PLAYLIST: &str = "av/playlist.m3u8";
const MASTER: &str = "master.m3u8";

fn third() -> String {
    segment(3)
}

fn segment(number: usize) -> String {
    format!("av/seg-{number:05}.m4s")
}

/// A box.
fn boxed(kind: &[u8; 4], parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, &body].concat()
}

/// A box of a file of the sample package.
fn taken(directory: &str, name: &str, types: &[&[u8; 4]]) -> Vec<u8> {
    let (files, path) = (package(), format!("{directory}/{name}"));
    files.0[&path][files.find_box(&path, types)].to_vec()
}

/// Overwrites bytes of the first box of a type in `bytes`, counted from its start.
fn patch(bytes: &mut [u8], kind: &[u8; 4], at: usize, with: &[u8]) {
    let start = bytes.windows(4).position(|window| window == kind).unwrap() - 4 + at;
    bytes[start..start + with.len()].copy_from_slice(with);
}

/// The init segment: video is track 1, sound, which lasts longest, track 2.
fn init(brand: &[u8; 4]) -> Vec<u8> {
    let of = |directory: &str, types: &[&[u8; 4]]| taken(directory, "init.mp4", types);
    let mut sound = [of(SOUND, &[b"moov", b"trak"]), of(SOUND, &[b"moov", b"mvex", b"trex"])];
    patch(&mut sound[0], b"tkhd", 20, &2u32.to_be_bytes());
    patch(&mut sound[1], b"trex", 12, &2u32.to_be_bytes());
    let [sound, sound_trex] = sound;
    let mehd = of(SOUND, &[b"moov", b"mvex", b"mehd"]);
    let mvex = boxed(b"mvex", &[mehd, of(LARGE, &[b"moov", b"mvex", b"trex"]), sound_trex]);
    let moov = [of(SOUND, &[b"moov", b"mvhd"]), sound, of(LARGE, &[b"moov", b"trak"]), mvex];
    [boxed(b"ftyp", &[[*brand, [0; 4], *brand].concat()]), boxed(b"moov", &moov)].concat()
}

/// What a segment is made of.
struct Parts {
    mfhd: Vec<u8>,
    /// `traf` and payload of each track.
    tracks: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes that belong to no sample, behind the payload of each track.
    gap: usize,
}

impl Parts {
    fn new(number: usize) -> Self {
        let name = format!("seg-{number:05}.m4s");
        let mut tracks: Vec<_> = [LARGE, SOUND]
            .map(|directory| {
                let payload = taken(directory, &name, &[b"mdat"])[8..].to_vec();
                (taken(directory, &name, &[b"moof", b"traf"]), payload)
            })
            .into();
        patch(&mut tracks[1].0, b"tfhd", 12, &2u32.to_be_bytes());
        Self { mfhd: taken(LARGE, &name, &[b"moof", b"mfhd"]), tracks, gap: 0 }
    }

    fn bytes(mut self) -> Vec<u8> {
        let len = 8 + self.mfhd.len() + self.tracks.iter().map(|(traf, _)| traf.len()).sum::<usize>();
        let mut payload = Vec::new();
        for (traf, own) in &mut self.tracks {
            let data_offset = (len + 8 + payload.len()) as u32;
            patch(traf, b"trun", 16, &data_offset.to_be_bytes());
            payload.extend_from_slice(own);
            payload.resize(payload.len() + self.gap, 0);
        }
        let trafs = self.tracks.into_iter().map(|(traf, _)| traf);
        let moof = boxed(b"moof", &std::iter::once(self.mfhd).chain(trafs).collect::<Vec<_>>());
        [moof, boxed(b"mdat", &[payload])].concat()
    }
}

fn multiplexed() -> Memory {
    let sound = package();
    let mut files = Memory::default();
    files.0.insert(INIT.to_owned(), init(b"iso6"));
    for number in 1..=12 {
        files.0.insert(segment(number), Parts::new(number).bytes());
    }
    files.0.insert(PLAYLIST.to_owned(), sound.0[&format!("{LARGE}/playlist.m3u8")].clone());
    let codecs: Vec<_> = [LARGE, SOUND]
        .iter()
        .map(|directory| {
            let path = format!("{directory}/init.mp4");
            header::read(&path, &sound.0[&path], &mut Findings::default()).unwrap().entry.codec.unwrap()
        })
        .collect();
    let master = format!(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:BANDWIDTH=500000,CODECS=\"{}\",\
         RESOLUTION=640x360,FRAME-RATE=25.000\n{PLAYLIST}\n",
        codecs.join(",")
    );
    files.0.insert(MASTER.to_owned(), master.into_bytes());
    files
}

/// The ids of what is found, each once.
fn ids(report: &Report) -> Vec<&str> {
    let ids: BTreeSet<_> = report.findings.iter().map(|finding| finding.rule.id).collect();
    ids.into_iter().collect()
}

/// What is found where the third segment is made of other parts.
fn with_third(edit: impl FnOnce(&mut Parts)) -> Report {
    let (mut files, mut parts) = (multiplexed(), Parts::new(3));
    edit(&mut parts);
    files.0.insert(third(), parts.bytes());
    found(&files)
}

#[test]
fn each_track_of_a_sound_package_is_read() {
    let report = found(&multiplexed());
    assert_eq!(report.findings, []);
    assert_eq!(report.not_checked, [""; 0]);
    let alone = found(&package()).tracks;
    let of = |directory: &str| alone.iter().find(|track| track.name.starts_with(directory)).unwrap();
    let [track] = &report.tracks[..] else { panic!("{report:?}") };
    let (large, sound) = (of(LARGE), of(SOUND));
    let codecs = format!("{},{}", large.codec.as_ref().unwrap(), sound.codec.as_ref().unwrap());
    assert_eq!((track.codec.as_ref(), track.segments), (Some(&codecs), 12));
    assert_eq!(track.samples, large.samples + sound.samples);
    assert_eq!((track.timescale, track.duration), (large.timescale, large.duration));
    let bytes: usize = (1..=12).map(|number| Parts::new(number).bytes().len()).sum();
    assert_eq!((track.bytes, report.bytes), (bytes as u64, bytes as u64));
}

#[test]
fn decode_times_are_those_of_each_track() {
    for (track, ticks, by) in [(0, 100_000u64, 2000), (1, 192_512, 5000)] {
        let report = with_third(|parts| {
            let traf = &mut parts.tracks[track].0;
            let at = traf.windows(4).position(|window| window == b"tfdt").unwrap() + 8;
            assert_eq!(traf[at..at + 8], ticks.to_be_bytes());
            patch(traf, b"tfdt", 12, &(ticks + by).to_be_bytes());
        });
        assert_eq!(ids(&report), ["tfdt-continuity"], "{:#?}", report.findings);
        let files: Vec<_> = report.findings.iter().map(|finding| finding.file.clone()).collect();
        assert_eq!(files, [third(), segment(4)]);
        let message = &report.findings[0].message;
        assert!(
            message.starts_with(&format!("track {}: decode time {}", track + 1, ticks + by)),
            "{message}"
        );
    }
}

#[test]
fn the_samples_of_all_tracks_fill_the_payload() {
    let report = with_third(|parts| parts.gap = 5);
    assert_eq!(ids(&report), ["segment-payload"]);
    assert_eq!(report.findings.len(), 1, "once for both tracks: {:#?}", report.findings);
    let report = with_third(|parts| parts.tracks[1].1.truncate(100));
    assert_eq!(ids(&report), ["segment-data-offset"]);
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
}

#[test]
fn a_track_may_be_missing_in_a_segment() {
    let mut files = multiplexed();
    for (number, left) in [(6, 0), (12, 0), (12, 1)] {
        let mut parts = Parts::new(number);
        parts.tracks = vec![parts.tracks.swap_remove(left)];
        files.0.insert(segment(number), parts.bytes());
        let report = found(&files);
        assert_eq!(report.findings, []);
        assert_eq!(report.tracks[0].segments, 12);
    }
    let report = with_third(|parts| parts.tracks.clear());
    assert_eq!(ids(&report), ["segment-box-missing"]);
}

#[test]
fn tracks_are_those_of_the_init_segment() {
    let report = with_third(|parts| patch(&mut parts.tracks[1].0, b"tfhd", 12, &7u32.to_be_bytes()));
    assert_eq!(ids(&report), ["segment-track-id"]);
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    assert_eq!(report.findings[0].message, "track_ID is 7, the init segment has 1, 2");
    for (kind, at, id, rule) in [(b"trex", 12, 7u32, "init-trex"), (b"tkhd", 20, 1, "init-tracks")] {
        let mut files = multiplexed();
        // The first box of this kind is that of sound in moov, and that of video in mvex.
        patch(files.bytes(INIT), kind, at, &id.to_be_bytes());
        let report = found(&files);
        assert!(ids(&report).contains(&rule), "{:#?}", report.findings);
    }
}

#[test]
fn one_of_several_tracks_may_be_disabled() {
    let mut files = multiplexed();
    let disable = |files: &mut Memory, nth: usize| {
        let bytes = files.bytes(INIT);
        let mut places =
            bytes.windows(4).enumerate().filter(|(_, window)| window == b"tkhd").map(|(at, _)| at);
        let flags = places.nth(nth).unwrap() + 7;
        bytes[flags] &= !1;
    };
    disable(&mut files, 0);
    assert_eq!(found(&files).findings, []);
    disable(&mut files, 1);
    assert_eq!(ids(&found(&files)), ["init-track-enabled"]);
}

#[test]
fn representations_may_be_multiplexed() {
    let mut files = multiplexed();
    let master = String::from_utf8(files.0.remove(MASTER).unwrap()).unwrap();
    files.0.remove(PLAYLIST);
    let (_, codecs) = master.split_once("CODECS=\"").unwrap();
    let codecs = codecs.split('"').next().unwrap();
    let mpd = format!(
        r#"<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:full:2011" minBufferTime="PT2S"
    mediaPresentationDuration="PT24.021334S"><Period><AdaptationSet mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
<SegmentTemplate timescale="25000" initialization="{INIT}" media="av/seg-$Number%05d$.m4s">
<SegmentTimeline><S t="0" d="50000" r="11"/></SegmentTimeline></SegmentTemplate>
<Representation id="av" bandwidth="9000000" codecs="{codecs}" width="640" height="360" frameRate="25" audioSamplingRate="48000"/>
</AdaptationSet></Period></MPD>"#
    );
    files.0.insert("manifest.mpd".to_owned(), mpd.into_bytes());
    assert_eq!(found(&files).findings, []);
    for (from, to, rule) in [
        ("audioSamplingRate=\"48000\"", "audioSamplingRate=\"44100\"", "sample-rate"),
        (",mp4a.40.2", "", "codecs"),
        ("width=\"640\" height=\"360\"", "width=\"416\" height=\"234\"", "resolution"),
        ("d=\"50000\"", "d=\"50001\"", "mpd-segment-duration"),
    ] {
        let mut files = files.clone();
        files.replace("manifest.mpd", from, to);
        assert!(ids(&found(&files)).contains(&rule), "{from}: {:#?}", found(&files).findings);
    }
}

#[test]
fn payload_of_each_track_is_looked_into() {
    let report = with_third(|parts| parts.tracks[0].1[0] = 0xff);
    assert_eq!(ids(&report), ["nal-lengths"], "{:#?}", report.findings);
}

#[test]
fn claims_are_of_all_tracks() {
    for (path, from, to, rule) in [
        (MASTER, "mp4a.40.2", "ac-3", "codecs"),
        (MASTER, ",mp4a.40.2", "", "codecs"),
        (MASTER, "avc1.", "hvc1.", "codecs"),
        (MASTER, "640x360", "416x234", "resolution"),
        (MASTER, "25.000", "50.000", "frame-rate"),
        (MASTER, "500000", "90000", "hls-bandwidth"),
        (PLAYLIST, "#EXTINF:2.000000,\nseg-00004", "#EXTINF:2.400000,\nseg-00004", "hls-extinf-duration"),
    ] {
        let mut files = multiplexed();
        files.replace(path, from, to);
        assert_eq!(ids(&found(&files)), [rule], "{from}");
    }
}

#[test]
fn cmaf_allows_one_track() {
    let mut files = multiplexed();
    files.0.insert(INIT.to_owned(), init(b"cmfc"));
    let report = found(&files);
    let errors: BTreeSet<_> = report
        .findings
        .iter()
        .filter(|finding| finding.rule.severity == Severity::Error)
        .map(|finding| finding.rule.id)
        .collect();
    assert_eq!(errors, ["init-tracks", "segment-tracks"].into(), "{:#?}", report.findings);
}

#[test]
fn damage_neither_panics_nor_goes_by() {
    // Every 7th byte of the boxes, each by itself: what is read is bounded, and what segments are read by is missed.
    let sound = multiplexed();
    let len = sound.0[INIT].len();
    for at in (0..len).step_by(7) {
        let mut files = Memory::default();
        files.0.insert(INIT.to_owned(), sound.0[INIT].clone());
        files.bytes(INIT)[at] ^= 0xff;
        let mut findings = Findings::default();
        let headers = header::read_tracks(INIT, &files.0[INIT], &mut findings);
        assert!(headers.len() == 2 || !findings.is_empty(), "byte {at}");
        let (path, bytes) = (third(), &sound.0[&third()]);
        for header in &headers {
            segment::read(&path, &bytes.as_slice(), 0..bytes.len() as u64, header, &mut findings);
        }
    }
}
