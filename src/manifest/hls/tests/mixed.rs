//! Several codecs of video, several encodings and languages of audio.

use super::*;
use crate::codec::eac3::{Eac3Config, IndependentSubstream};
use crate::track::header::SampleEntry;

/// AC-3 in 5.1 at 384 kbit/s; segments of 4 s (125 frames of 1536).
fn ac3(directory: &str) -> PackagedTrack {
    let media = Media::Audio { channels: 6, sample_rate: 48_000 };
    track(directory, "ac-3", media, 48_000, &[(192_000, 192_000), (192_000, 192_000)])
}

fn described(track: PackagedTrack) -> PackagedTrack {
    track.with_role(Some("description".to_owned()))
}

fn hevc(directory: &str, sizes: &[(u64, u64)]) -> PackagedTrack {
    let colour = Some(Colour { primaries: 9, transfer: 14, matrix: 9, full_range: false });
    let format = VideoFormat { colour, preferred_transfer: Some(18), ..VideoFormat::of_size(1280, 720) };
    let media = Media::Video { format, frame_rate: FrameRate::new(60_000, 1001), scan: None };
    track(directory, "hvc1.2.4.L93.B0", media, 30_000, sizes)
}

/// Two sizes of H.264 and one of H.265, which stands first; AC-3 in front of AAC; the description is AAC alone.
fn mixed() -> Presentation {
    let low: Vec<_> = SIZES.iter().map(|&(bytes, ticks)| (bytes / 2, ticks)).collect();
    Presentation::new(
        vec![
            hevc("video/720p-696k-h265", &low),
            video("video/720p-1392k-h264", 720, &SIZES),
            video("video/360p-696k-h264", 360, &low),
        ],
        vec![
            described(labelled(audio("audio/en-ad", &[64_171, 64_171]), "en", "English (described)")),
            labelled(ac3("audio/English-ac-3"), "en", "English"),
            labelled(audio("audio/Deutsch-aac", &[80_213, 80_214]), "de", "Deutsch"),
            labelled(audio("audio/English-aac", &[64_171, 64_171]), "en", "English"),
            labelled(ac3("audio/Deutsch-ac-3"), "de", "Deutsch"),
        ],
    )
    .unwrap()
}

/// Worked by hand, from what `multivariant_playlist_of_a_ladder` has of video and AAC. AC-3 is 384,000 bit/s on the point,
/// more than the description beside it: peaks are 1,000,000 + 384,000 and 2,000,000 + 384,000, averages 700,000 + 384,000 and
/// 1,400,000 + 384,000. H.265 has the bytes of 360p.
#[test]
fn multivariant_playlist_of_two_video_codecs_and_two_encodings_of_audio() {
    let text = write_master(&mixed()).unwrap();
    let expected = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-aac",LANGUAGE="en",NAME="English (described)",DEFAULT=NO,AUTOSELECT=YES,CHARACTERISTICS="public.accessibility.describes-video",CHANNELS="2",URI="audio/en-ad/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-aac",LANGUAGE="en",NAME="English",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/English-aac/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-aac",LANGUAGE="de",NAME="Deutsch",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio/Deutsch-aac/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-ac-3",LANGUAGE="en",NAME="English (described)",DEFAULT=NO,AUTOSELECT=YES,CHARACTERISTICS="public.accessibility.describes-video",CHANNELS="2",URI="audio/en-ad/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-ac-3",LANGUAGE="en",NAME="English",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="6",URI="audio/English-ac-3/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-ac-3",LANGUAGE="de",NAME="Deutsch",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="6",URI="audio/Deutsch-ac-3/playlist.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1160002,AVERAGE-BANDWIDTH=860001,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970,VIDEO-RANGE=SDR,AUDIO="audio-aac"
video/360p-696k-h264/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2160002,AVERAGE-BANDWIDTH=1560001,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,VIDEO-RANGE=SDR,AUDIO="audio-aac"
video/720p-1392k-h264/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1384000,AVERAGE-BANDWIDTH=1084000,CODECS="avc1.64001f,mp4a.40.2,ac-3",RESOLUTION=640x360,FRAME-RATE=29.970,VIDEO-RANGE=SDR,AUDIO="audio-ac-3"
video/360p-696k-h264/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2384000,AVERAGE-BANDWIDTH=1784000,CODECS="avc1.64001f,mp4a.40.2,ac-3",RESOLUTION=1280x720,FRAME-RATE=29.970,VIDEO-RANGE=SDR,AUDIO="audio-ac-3"
video/720p-1392k-h264/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1160002,AVERAGE-BANDWIDTH=860001,CODECS="hvc1.2.4.L93.B0,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=59.940,VIDEO-RANGE=HLG,AUDIO="audio-aac"
video/720p-696k-h265/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1384000,AVERAGE-BANDWIDTH=1084000,CODECS="hvc1.2.4.L93.B0,mp4a.40.2,ac-3",RESOLUTION=1280x720,FRAME-RATE=59.940,VIDEO-RANGE=HLG,AUDIO="audio-ac-3"
video/720p-696k-h265/playlist.m3u8
"#;
    assert_eq!(text, expected);
}

#[test]
fn every_group_has_the_same_members_and_every_variant_lists_its_codecs() {
    let presentation = mixed();
    let playlist = parsed_master(&write_master(&presentation).unwrap());
    let members = |id: &str| {
        let of_group = playlist.alternatives.iter().filter(move |a| a.group_id == id);
        of_group.map(|a| (a.name.clone(), a.language.clone(), a.default, a.autoselect)).collect::<Vec<_>>()
    };
    assert_eq!(members("audio-aac"), members("audio-ac-3"));
    assert_eq!(members("audio-aac").iter().filter(|(_, _, default, _)| *default).count(), 1);
    for variant in &playlist.variants {
        let codecs: Vec<_> = variant.codecs.as_deref().unwrap().split(',').collect();
        let group = variant.audio.as_deref().unwrap();
        let uris =
            playlist.alternatives.iter().filter(|a| a.group_id == group).filter_map(|a| a.uri.as_ref());
        for uri in uris.chain([&variant.uri]) {
            let track = presentation.tracks().find(|t| format!("{}/playlist.m3u8", t.directory()) == *uri);
            assert!(codecs.contains(&track.unwrap().codec()), "{uri}: {codecs:?}");
        }
    }
    assert_eq!(playlist.variants.len(), 6);
}

type Pairs = Vec<(String, String)>;

/// GROUP-ID and URI of each member, and AUDIO and CODECS of each variant.
fn grouped(audio: Vec<PackagedTrack>) -> (Pairs, Pairs) {
    let playlist = parsed_master(&master_of(vec![video("video/a", 720, &SIZES)], audio));
    let directory = |uri: String| uri.trim_end_matches("/playlist.m3u8").to_owned();
    let members = playlist.alternatives.into_iter().map(|a| (a.group_id, directory(a.uri.unwrap())));
    let variants = playlist.variants.into_iter().map(|v| (v.audio.unwrap(), v.codecs.unwrap()));
    (members.collect(), variants.collect())
}

fn owned(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect()
}

#[test]
fn a_choice_that_lacks_an_encoding_stands_in_its_group_with_another() {
    let (members, variants) = grouped(vec![
        labelled(audio("en", &[1]), "en", "English"),
        labelled(audio("de", &[1]), "de", "Deutsch"),
        labelled(ac3("en-ac3"), "EN", "English"),
    ]);
    let expected = [("audio-aac", "en"), ("audio-aac", "de"), ("audio-ac-3", "en-ac3"), ("audio-ac-3", "de")];
    assert_eq!(members, owned(&expected));
    let expected = [("audio-aac", "avc1.64001f,mp4a.40.2"), ("audio-ac-3", "avc1.64001f,ac-3,mp4a.40.2")];
    assert_eq!(variants, owned(&expected));
}

#[test]
fn choices_of_one_encoding_each_are_one_group_with_the_union_of_codecs() {
    let (members, variants) =
        grouped(vec![labelled(ac3("en"), "en", "English"), labelled(audio("de", &[1]), "de", "Deutsch")]);
    assert_eq!(members, owned(&[("audio", "en"), ("audio", "de")]));
    assert_eq!(variants, owned(&[("audio", "avc1.64001f,ac-3,mp4a.40.2")]));
}

#[test]
fn groups_of_one_codec_are_told_apart_by_channels() {
    let surround = |directory: &str| {
        let media = Media::Audio { channels: 6, sample_rate: 48_000 };
        track(directory, "mp4a.40.2", media, 48_000, &[(1, 192_512)])
    };
    let (members, _) = grouped(vec![surround("six"), audio("two", &[1]), audio("other", &[1])]);
    // Nobody said what they are, so six channels and two are taken for one sound, and `other` for another.
    let expected = [
        ("audio-aac-6ch", "six"),
        ("audio-aac-6ch", "other"),
        ("audio-aac-2ch", "two"),
        ("audio-aac-2ch", "other"),
    ];
    assert_eq!(members, owned(&expected));
    let two_object_types = |codec: &str| {
        track(codec, codec, Media::Audio { channels: 2, sample_rate: 48_000 }, 48_000, &[(1, 192_512)])
    };
    let (members, _) = grouped(vec![two_object_types("mp4a.40.2"), two_object_types("mp4a.40.1")]);
    assert_eq!(members, owned(&[("audio-aac-2ch", "mp4a.40.2"), ("audio-aac-2ch-2", "mp4a.40.1")]));
}

#[test]
fn audio_alone_in_two_encodings_is_a_variant_for_each_group() {
    let de = |track| labelled(track, "de", "Deutsch").with_default(true);
    let playlist = parsed_master(&master_of(
        vec![],
        vec![
            labelled(audio("en", &[64_171]), "en", "English"),
            labelled(ac3("en-ac3"), "en", "English"),
            de(audio("de", &[80_214])),
            de(ac3("de-ac3")),
        ],
    ));
    let variants: Vec<_> = playlist.variants.iter().map(|v| (v.uri.as_str(), v.bandwidth)).collect();
    assert_eq!(variants, [("de/playlist.m3u8", 160_002), ("de-ac3/playlist.m3u8", 384_000)]);
    let defaults: Vec<_> =
        playlist.alternatives.iter().filter(|a| a.default).map(|a| a.name.as_str()).collect();
    assert_eq!(defaults, ["Deutsch", "Deutsch"], "one in each group");
}

#[test]
fn a_description_or_commentary_is_not_the_default_unless_asked_for() {
    let member = |directory: &str, role: Option<&str>| {
        labelled(audio(directory, &[1]), "en", directory).with_role(role.map(str::to_owned))
    };
    let default = |audio: Vec<PackagedTrack>| {
        let text = master_of(vec![video("video/a", 720, &SIZES)], audio);
        parsed_master(&text).alternatives.into_iter().find(|a| a.default).map(|a| a.name)
    };
    let (description, commentary) = (member("ad", Some("description")), member("talk", Some("commentary")));
    let (plain, main, dub) =
        (member("plain", None), member("main", Some("main")), member("dub", Some("dub")));
    assert_eq!(default(vec![description.clone(), plain.clone()]).as_deref(), Some("plain"));
    assert_eq!(default(vec![commentary.clone(), dub.clone(), plain.clone()]).as_deref(), Some("plain"));
    assert_eq!(default(vec![plain.clone(), main]).as_deref(), Some("main"));
    assert_eq!(default(vec![commentary.clone(), dub]).as_deref(), Some("dub"));
    assert_eq!(default(vec![description.clone(), commentary.clone()]), None);
    assert_eq!(default(vec![plain, commentary.with_default(true)]).as_deref(), Some("talk"));
    let asked = Presentation::new(vec![], vec![description.with_default(true)]).unwrap();
    let error = write_master(&asked).unwrap_err().to_string();
    assert!(error.contains("ad is a description and the default audio"), "{error}");
}

#[test]
fn mixed_video_without_audio_names_none() {
    let presentation = Presentation::new(vec![hevc("b", &SIZES), video("a", 720, &SIZES)], vec![]).unwrap();
    let playlist = parsed_master(&write_master(&presentation).unwrap());
    let codecs: Vec<_> = playlist.variants.iter().map(|v| (v.codecs.as_deref().unwrap(), &v.audio)).collect();
    assert_eq!(codecs, [("avc1.64001f", &None), ("hvc1.2.4.L93.B0", &None)]);
}

/// E-AC-3 of 5.1, with so many objects.
fn eac3(directory: &str, objects: Option<u8>) -> PackagedTrack {
    let substream = IndependentSubstream {
        fscod: 0,
        sample_rate: 48_000,
        bsid: 16,
        bsmod: None,
        acmod: 7,
        lfeon: true,
        dependents: 0,
        dependent_map: 0,
    };
    let audio = Eac3Config::new(448, vec![substream], objects).unwrap().configuration();
    let media = Media::Audio { channels: 6, sample_rate: 48_000 };
    track(directory, "ec-3", media, 48_000, &[(1, 192_000)]).with_sample_entry(SampleEntry::Audio(audio))
}

#[test]
fn objects_are_another_encoding_and_stand_in_channels() {
    let en = |track| labelled(track, "en", "English");
    let (plain, objects) = (en(eac3("en-6ch", None)), en(eac3("en-16joc", Some(16))));
    let playlist = parsed_master(&master_of(vec![video("v", 360, &SIZES)], vec![plain, objects]));
    let channels: Vec<_> = playlist
        .alternatives
        .iter()
        .map(|media| (media.group_id.as_str(), media.channels.as_deref().unwrap()))
        .collect();
    assert_eq!(channels, [("audio-ec-3-6ch", "6"), ("audio-ec-3-16joc", "16/JOC")]);
    assert_eq!(playlist.variants.len(), 2);
}
