//! Players in headless Chromium play the ladder, and do not play damaged copies of it without a complaint.

use std::sync::{Mutex, PoisonError};

use crate::checks::{Problems, twice};
use crate::damage::{self, Damage};
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
