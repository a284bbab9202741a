//! hls.js in headless Chromium plays the ladder, and does not play damaged copies of it without a complaint.

use std::sync::{Mutex, PoisonError};

use crate::checks::Problems;
use crate::damage::{self, Damage};
use crate::package::{FRAMES, Package};
use crate::tools;

/// What the player found wrong. One browser at a time: each decodes four times as fast as it plays.
fn play(package: &Package) -> Problems {
    static BROWSER: Mutex<()> = Mutex::new(());
    let _alone = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let frames = FRAMES.to_string();
    tools::problems(&tools::node("play.mjs", &[&package.root.to_string_lossy(), "--frames", &frames]))
}

#[test]
fn plays_to_the_end_with_switches_seeks_and_every_frame() {
    assert_eq!(play(Package::good()), Problems::new());
}

fn is_noticed(damage: Damage) {
    let (_directory, package) = Package::good().copy();
    damage(&package);
    assert_ne!(play(&package), Problems::new(), "the player noticed nothing");
}

#[test]
fn a_missing_segment_is_noticed() {
    is_noticed(damage::segment_missing);
}

#[test]
fn a_decode_time_one_second_late_is_noticed() {
    is_noticed(damage::tfdt_one_second_late);
}

#[test]
fn garbled_pictures_are_noticed() {
    is_noticed(damage::picture_garbled);
}

#[test]
fn a_dropped_sample_is_noticed() {
    is_noticed(damage::last_sample_dropped);
}

#[test]
fn wrong_segment_durations_are_noticed() {
    is_noticed(damage::extinf_of_all_longer);
}

#[test]
fn swapped_segments_are_noticed() {
    is_noticed(damage::segments_swapped);
}
