//! The sample package, broken once for each rule.

use crate::verify::testing::{Break, LARGE, Memory, SMALL, SOUND};

const MASTER: &str = "master.m3u8";
const MPD: &str = "manifest.mpd";

/// Sets the decode time of a segment.
fn set_decode_time(files: &mut Memory, directory: &str, number: u32, ticks: u64) {
    let path = format!("{directory}/seg-{number:05}.m4s");
    files.patch(&path, &[b"moof", b"traf", b"tfdt"], 12, &ticks.to_be_bytes());
}

/// Takes the structural brands of CMAF from an init segment.
fn take_brands(files: &mut Memory, directory: &str) {
    let bytes = files.bytes(&format!("{directory}/init.mp4"));
    for at in 0..bytes.len() - 4 {
        if matches!(&bytes[at..at + 4], b"cmfc" | b"cmf2") {
            bytes[at..at + 4].copy_from_slice(b"isox");
        }
    }
}

fn take_last_segment(files: &mut Memory) {
    files.replace(&format!("{SMALL}/playlist.m3u8"), "#EXTINF:2.000000,\nseg-00012.m4s\n", "");
}

/// What breaks each rule of this module. One second is 25,000 ticks of video, 48,000 of sound.
pub(in crate::verify) const BROKEN: &[Break] = &[
    ("tfdt-continuity", |files| set_decode_time(files, LARGE, 3, 100_001)),
    ("sequence-order", |files| {
        files.patch(&format!("{LARGE}/seg-00003.m4s"), &[b"moof", b"mfhd"], 12, &[0, 0, 0, 2]);
    }),
    ("hls-discontinuities", |files| {
        files.replace(
            &format!("{LARGE}/playlist.m3u8"),
            "#EXTINF:2.000000,\nseg-00005",
            "#EXT-X-DISCONTINUITY\n#EXTINF:2.000000,\nseg-00005",
        );
    }),
    ("hls-map-change", |files| {
        let map = "#EXT-X-MAP:URI=\"../small/init.mp4\"\n#EXTINF:2.000000,\nseg-00005";
        files.replace(&format!("{LARGE}/playlist.m3u8"), "#EXTINF:2.000000,\nseg-00005", map);
    }),
    ("mpd-period-bounds", |files| {
        // The period ends before its tracks do, and comes once more behind it.
        files.replace(MPD, " duration=\"PT24.021334S\"", " duration=\"PT20S\"");
        let mpd = String::from_utf8(files.bytes(MPD).clone()).unwrap();
        let (start, end) = (mpd.find("<Period").unwrap(), mpd.find("</MPD>").unwrap());
        let second = mpd[start..end].replacen("id=\"0\" start=\"PT0S\"", "id=\"1\" start=\"PT20S\"", 1);
        assert_ne!(second, mpd[start..end]);
        *files.bytes(MPD) = format!("{}{second}{}", &mpd[..end], &mpd[end..]).into_bytes();
    }),
    ("track-duration", |files| {
        files.patch(&format!("{LARGE}/init.mp4"), &[b"moov", b"mvex", b"mehd"], 12, &[0, 0, 0, 9]);
    }),
    ("hls-extinf-duration", |files| {
        files.replace(&format!("{LARGE}/playlist.m3u8"), "#EXTINF:2.000000,", "#EXTINF:2.400000,");
    }),
    ("mpd-segment-duration", |files| files.replace(MPD, "d=\"50000\"", "d=\"62500\"")),
    ("mpd-segment-start", |files| files.replace(MPD, "<S t=\"0\"", "<S t=\"25000\"")),
    ("mpd-nominal-duration", |files| {
        let timeline = "          <SegmentTimeline>\n            <S t=\"0\" d=\"50000\" r=\"11\"/>\n          \
                        </SegmentTimeline>\n";
        files.replace(MPD, timeline, "");
        files.replace(MPD, "timescale=\"25000\"", "timescale=\"25000\" duration=\"20000\"");
    }),
    ("hls-time-zero", |files| set_decode_time(files, SOUND, 1, 480_000)),
    ("presentation-duration", |files| {
        files.replace(MPD, "PT24.021334S", "PT23S");
    }),
    ("presentation-too-long", |files| {
        files.replace(MPD, "PT24.021334S", "PT40S");
    }),
    ("presentation-start", |files| set_decode_time(files, SOUND, 1, 4800)),
    ("presentation-end", |files| set_decode_time(files, SOUND, 12, 4_800_000)),
    ("set-media", |files| files.replace(MPD, "video/small/", "audio/sound/")),
    ("set-codec", |files| files.replace(MPD, "video/small/", "video/hevc/")),
    ("set-timescale", |files| {
        let timescale = 25_001u32.to_be_bytes();
        files.patch(&format!("{SMALL}/init.mp4"), &[b"moov", b"trak", b"mdia", b"mdhd"], 20, &timescale);
    }),
    ("set-start", |files| set_decode_time(files, SMALL, 1, 1000)),
    ("set-segments", take_last_segment),
    ("set-aligned", |files| set_decode_time(files, SMALL, 3, 100_001)),
    ("set-unaligned", |files| {
        take_brands(files, LARGE);
        take_brands(files, SMALL);
        set_decode_time(files, SMALL, 3, 100_001);
    }),
    ("codecs", |files| files.replace(MASTER, "avc1.64", "avc9.64")),
    ("resolution", |files| files.replace(MASTER, "RESOLUTION=640x360", "RESOLUTION=416x234")),
    ("frame-rate", |files| files.replace(MASTER, "FRAME-RATE=25.000", "FRAME-RATE=50.000")),
    ("video-range", |files| files.replace(MASTER, "VIDEO-RANGE=SDR", "VIDEO-RANGE=PQ")),
    ("channels", |files| files.replace(MASTER, "CHANNELS=\"2\"", "CHANNELS=\"6\"")),
    ("channel-locations", |files| {
        // AC-3 of one channel, with what esds has behind that; in the MPD left and right.
        let init = format!("{SOUND}/init.mp4");
        let entry: &[&[u8; 4]] = &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a"];
        files.patch(&init, &[entry, &[b"esds"]].concat(), 4, b"dac3\x10\x08\0");
        files.patch(&init, entry, 4, b"ac-3");
        let mpd = String::from_utf8(files.bytes(MPD).clone()).unwrap();
        let (_, told) = mpd.split_once("<AudioChannelConfiguration ").unwrap();
        let (told, _) = told.split_once("/>").unwrap();
        let dolby = "schemeIdUri=\"tag:dolby.com,2014:dash:audio_channel_configuration:2011\" value=\"A000\"";
        files.replace(MPD, told, dolby);
    }),
    ("sample-rate", |files| files.replace(MPD, "audioSamplingRate=\"48000\"", "audioSamplingRate=\"44100\"")),
    ("content-type", |files| {
        files.replace(
            MPD,
            "contentType=\"audio\" mimeType=\"audio/mp4\"",
            "contentType=\"video\" mimeType=\"video/mp4\"",
        );
    }),
    ("start-with-sap", |files| {
        // The flags of the first sample stand behind the offset of the data and its size.
        let flags = 0x0101_0000u32.to_be_bytes();
        files.patch(&format!("{LARGE}/seg-00002.m4s"), &[b"moof", b"traf", b"trun"], 24, &flags);
    }),
    ("hls-bandwidth", |files| files.replace(MASTER, "INF:BANDWIDTH=", "INF:BANDWIDTH=1,X-BEFORE=")),
    ("hls-bandwidth-high", |files| files.replace(MASTER, "INF:BANDWIDTH=", "INF:BANDWIDTH=9")),
    ("hls-average-bandwidth", |files| {
        files.replace(MASTER, ",AVERAGE-BANDWIDTH=", ",AVERAGE-BANDWIDTH=1,X-BEFORE=");
    }),
    ("mpd-bandwidth", |files| {
        for bandwidth in ["bandwidth=\"119885\"", "bandwidth=\"259321\""] {
            files.replace(MPD, bandwidth, "bandwidth=\"1000\"");
        }
    }),
    ("manifests-differ", take_last_segment),
];

#[test]
fn each_rule_has_a_break_that_changes_the_package() {
    let package = crate::verify::testing::package();
    let ids: Vec<_> = super::RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(BROKEN.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    for (id, edit) in BROKEN {
        let mut broken = package.clone();
        edit(&mut broken);
        assert!(broken != package, "{id}");
    }
}
