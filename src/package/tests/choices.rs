//! Audio that is one choice for the viewer in two encodings, and which manifests are written.

use std::fs;
use std::path::PathBuf;

use super::super::{InputRequest, Plan, Request, run};
use crate::error::Result;

/// ADTS frames of AAC LC at 48 kHz with so many channels, each of 20 bytes.
fn audio(channels: u8) -> Vec<u8> {
    let frame = |n: u8| {
        let mut frame = vec![0xff, 0xf1, 0x4c, channels << 6, 20 >> 3, (20 & 7) << 5 | 0x1f, 0xfc];
        frame.resize(20, n);
        frame
    };
    (0..200).flat_map(frame).collect()
}

struct Scene {
    directory: tempfile::TempDir,
    request: Request,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let request = Request::new(Vec::new(), directory.path().join("out"));
        Self { directory, request }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Stereo and mono of one name, the default as told.
    fn two_encodings(defaults: [bool; 2], languages: [&str; 2]) -> Self {
        let mut scene = Self::new();
        for (channels, (default, language)) in [2, 1].into_iter().zip(defaults.into_iter().zip(languages)) {
            let path = scene.path(&format!("{channels}.aac"));
            fs::write(&path, audio(channels)).unwrap();
            let [language, name] = [language, "Sound"].map(|text| Some(text.to_owned()));
            scene.request.inputs.push(InputRequest { language, name, default, ..InputRequest::new(path) });
        }
        scene
    }

    fn plan(&self) -> Result<Plan> {
        run::plan(&self.request, &|_| ())
    }
}

fn paths(plan: &Plan) -> Vec<&str> {
    plan.manifests.iter().map(|(path, _)| path.as_str()).collect()
}

#[test]
fn priming_is_presented_by_neither_manifest_nor_player_and_told_by_the_receipt() {
    let scene = |priming| {
        let mut scene = Scene::new();
        let path = scene.path("a.aac");
        fs::write(&path, audio(2)).unwrap();
        scene.request.inputs.push(InputRequest { priming, ..InputRequest::new(path) });
        scene
    };
    let (plain, primed) = (scene(None).plan().unwrap(), scene(Some(2112)).plan().unwrap());
    // 200 frames of 1024 in one segment.
    let mpd = |plan: &Plan| plan.manifests.iter().find(|(path, _)| path.ends_with(".mpd")).unwrap().1.clone();
    assert!(mpd(&plain).contains(r#"<S t="0" d="204800"/>"#), "{}", mpd(&plain));
    let text = mpd(&primed);
    assert!(text.contains(r#"<S t="0" d="202688"/>"#) && text.contains("PT4.222667S"), "{text}");
    let track = &primed.renditions[0].packaged;
    assert_eq!(
        (track.duration().0, track.presented_duration().0, track.priming().0),
        (204_800, 202_688, 2112)
    );
    let init = &primed.renditions[0].init;
    let mehd = memchr::memmem::find(init, b"mehd").unwrap();
    assert_eq!(init[mehd + 8..mehd + 12], 202_688u32.to_be_bytes());
    let refused = scene(Some(204_800)).plan().unwrap_err().to_string();
    assert!(refused.contains("the stream has only 204800 samples"), "{refused}");
}

#[test]
fn priming_stands_at_aac_alone() {
    let mut scene = Scene::new();
    let path = scene.path("a.flac");
    fs::copy(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/streams/fixed.flac"), &path).unwrap();
    scene.request.inputs.push(InputRequest { priming: Some(0), ..InputRequest::new(path) });
    let refused = scene.plan().unwrap_err().to_string();
    assert!(refused.contains("priming= stands at what is not AAC"), "{refused}");
}

#[test]
fn one_name_in_two_encodings_is_one_choice() {
    let plan = Scene::two_encodings([true, true], ["en", "en"]).plan().unwrap();
    let expected = [
        "audio/Sound-aac-2ch/playlist.m3u8",
        "audio/Sound-aac-1ch/playlist.m3u8",
        "manifest.mpd",
        "master.m3u8",
    ];
    assert_eq!(paths(&plan), expected);
    let (_, master) = plan.manifests.last().unwrap();
    let members = r#"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-aac-2ch",LANGUAGE="en",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/Sound-aac-2ch/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-aac-1ch",LANGUAGE="en",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="1",URI="audio/Sound-aac-1ch/playlist.m3u8"
"#;
    assert!(master.contains(members), "{master}");
    assert_eq!(plan.switching_sets, [[0], [1]]);
}

#[test]
fn two_choices_are_not_both_the_default() {
    let error = Scene::two_encodings([true, true], ["en", "de"]).plan().unwrap_err().to_string();
    assert!(error.contains("2.aac") && error.contains("set it at one audio input"), "{error}");
    assert!(Scene::two_encodings([false, true], ["en", "de"]).plan().is_ok());
}

#[test]
fn manifests_are_those_that_are_wanted_and_one_has_to_be() {
    let mut scene = Scene::two_encodings([false; 2], ["en", "de"]);
    scene.request.hls = false;
    assert!(paths(&scene.plan().unwrap()).iter().all(|path| !path.ends_with(".m3u8")));
    scene.request.dash = false;
    // Told before the first input is opened.
    scene.request.inputs[0].path = scene.path("missing");
    let error = scene.plan().unwrap_err();
    assert!(
        matches!(error.kind(), crate::ErrorKind::Usage { .. })
            && error.to_string().contains("neither HLS playlists nor"),
        "{error}"
    );
    scene.request.hls = true;
    scene.request.inputs[0].path = scene.path("2.aac");
    assert_eq!(paths(&scene.plan().unwrap()).last(), Some(&"master.m3u8"));
}
