//! Players in headless Chromium play the ladder, and do not play damaged copies of it without a complaint.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::checks::{Problems, twice};
use crate::damage::{self, Damage};
use crate::ladders::{AV1_AND_OPUS, H265_AND_AC3, Ladder, VP9_AND_FLAC};
use crate::package::{FRAMES, Package};
use crate::tools;

/// What a player found wrong. One browser at a time: each decodes four times as fast as it plays.
fn play(player: &str, package: &Package) -> Problems {
    static BROWSER: Mutex<()> = Mutex::new(());
    let _alone = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let (directory, frames) = (package.root.to_string_lossy(), FRAMES.to_string());
    tools::problems(&tools::node("play.mjs", &[&directory, "--player", player, "--frames", &frames]))
}

fn is_noticed(player: &str, damage: Damage) {
    let (_directory, package) = Package::good().copy();
    damage(&package);
    assert_ne!(play(player, &package), Problems::new(), "the player noticed nothing");
}

/// For each player: it plays the ladder to the end with switches, seeks, every frame and every language, and notices each damage.
macro_rules! plays_and_notices {
    ($($player:ident: $($damage:ident),+;)*) => {
        $(mod $player {
            use super::*;

            #[test]
            fn plays_the_ladder() {
                // Of twelve segments: dash.js may change the quality one segment later than it is told to.
                assert_eq!(twice(|| play(stringify!($player), Package::short())), Problems::new());
            }

            mod notices {
                use super::*;
                $(#[test] fn $damage() {
                    is_noticed(stringify!($player), damage::$damage);
                })+
            }
        })*
    };
}

plays_and_notices! {
    hls: segment_missing, tfdt_one_second_late, picture_garbled, last_sample_dropped, extinf_of_all_longer, segments_swapped;
    dash: segment_missing, tfdt_one_second_late, picture_garbled, mpd_timeline_longer;
    shaka: segment_missing, tfdt_one_second_late, picture_garbled, mpd_timeline_longer;
}

/// Each of the three players plays a ladder of other codecs to its end, with switches, seeks and every frame.
fn all_play(ladder: &Ladder) {
    let package = ladder.package();
    for player in ["hls", "dash", "shaka"] {
        assert_eq!(twice(|| play(player, &package)), Problems::new(), "{player}");
    }
}

#[test]
fn av1_and_opus_play() {
    all_play(&AV1_AND_OPUS);
}

#[test]
fn vp9_and_flac_play() {
    all_play(&VP9_AND_FLAC);
}

/// Browsers do not decode these: FFmpeg plays each manifest, and gives as many pictures, and as much sound, as the streams have.
#[test]
fn h265_and_ac3_play_in_ffmpeg() {
    let package = H265_AND_AC3.package();
    for manifest in ["master.m3u8", "manifest.mpd"] {
        for (stream, read) in [("v:0", "600"), ("a:0", "750")] {
            let said = tools::run(
                Command::new("ffprobe")
                    .args(["-v", "error", "-count_frames", "-select_streams", stream])
                    .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
                    .arg(package.root.join(manifest)),
            );
            let lines = said.stdout.lines().map(|line| line.trim_end_matches(','));
            let counts: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
            assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{manifest} {stream}");
            assert!(
                !counts.is_empty() && counts.iter().all(|count| *count == read),
                "{manifest} {stream}: {counts:?}"
            );
        }
    }
}
