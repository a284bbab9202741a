//! Packages `examples/ladder`, and AV1 of `tests/streams`, with the command and has readers that nobody here wrote judge the
//! result: `mp4-atom`, `m3u8-rs`, npm's `hls-parser` and `mpd-parser`, FFmpeg, and hls.js, dash.js and Shaka Player in headless
//! Chromium. The page of `fragmint play` is watched there too.
//!
//! The same checks then run on copies that were damaged on purpose, and must notice. `scripts/setup-tests.sh` installs
//! what the tests need; without it they fail, they are never skipped.

mod checks;
mod damage;
mod ladders;
mod package;
mod page;
mod players;
mod segment;
mod source;
mod tools;
mod wire;

use checks::{Problems, boxes, bytes, decoded, mpd, payload, playlists, timing};
use damage::Damage;
use package::{Package, Videos};

type Check = fn(&Package) -> Problems;

/// A test for each line: the check finds nothing wrong with the ladder's package.
macro_rules! nothing_wrong {
    ($($name:ident: $check:path;)*) => {
        const CHECKS: &[Check] = &[$($check),*];
        mod nothing_is_wrong_with {
            use super::*;
            $(#[test] fn $name() {
                assert_eq!($check(Package::good()), Problems::new());
            })*
        }
    };
}

nothing_wrong! {
    boxes: boxes::check;
    timing: timing::check;
    payload: payload::check;
    pictures: decoded::pictures;
    sound: decoded::sound;
    segments_alone: decoded::alone;
    receipt: bytes::receipt;
    playlists_by_m3u8_rs: playlists::m3u8_rs;
    playlists_by_hls_parser: playlists::hls_parser;
    mpd_by_mpd_parser: mpd::mpd_parser;
    mpd_by_ffmpeg: mpd::ffmpeg;
}

/// A test for each line: after this damage each of these checks finds something wrong.
macro_rules! noticed {
    ($($damage:ident: $($check:path),+;)*) => {
        mod is_noticed {
            use super::*;
            $(#[test] fn $damage() {
                by_all(damage::$damage, &[$((stringify!($check), $check)),+]);
            })*
        }
    };
}

fn by_all(damage: Damage, checks: &[(&str, Check)]) {
    by_all_in(Package::good(), damage, checks);
}

fn by_all_in(package: &Package, damage: Damage, checks: &[(&str, Check)]) {
    let (_directory, package) = package.copy();
    damage(&package);
    let blind: Vec<_> =
        checks.iter().filter(|(_, check)| check(&package).is_empty()).map(|(name, _)| name).collect();
    assert!(blind.is_empty(), "not noticed by {blind:?}");
}

noticed! {
    segment_missing: boxes::check, timing::check, payload::check, decoded::pictures, playlists::m3u8_rs,
        playlists::hls_parser, mpd::mpd_parser, bytes::receipt;
    segments_swapped: boxes::check, timing::check, payload::check, decoded::pictures;
    segment_cut_short: boxes::check, timing::check, payload::check, decoded::pictures, decoded::alone,
        bytes::receipt;
    init_of_another_rendition: boxes::check, decoded::pictures, decoded::alone, mpd::mpd_parser;
    playlist_missing: playlists::m3u8_rs, playlists::hls_parser;
    init_without_sync_table: boxes::check;
    language_wrong: boxes::check;
    wrong_sequence_number: boxes::check;
    moof_type_unknown: boxes::check, timing::check, payload::check, decoded::pictures;
    data_offset_late: boxes::check, decoded::pictures;
    tfdt_one_second_late: timing::check, decoded::pictures;
    tfdt_one_tick_late: timing::check, decoded::pictures, mpd::mpd_parser;
    audio_tfdt_drifts: timing::check, decoded::sound;
    last_sample_dropped: boxes::check, timing::check, payload::check, decoded::pictures, playlists::m3u8_rs,
        playlists::hls_parser;
    composition_offsets_zero: decoded::pictures;
    first_sample_not_sync: timing::check;
    picture_garbled: payload::check, decoded::pictures, decoded::alone;
    sound_garbled: payload::check, decoded::sound;
    one_byte_of_sei: payload::check;
    extinf_of_all_longer: playlists::m3u8_rs, playlists::hls_parser;
    extinf_of_one_two_microseconds_longer: playlists::hls_parser;
    target_duration_too_short: playlists::m3u8_rs;
    endlist_missing: playlists::m3u8_rs;
    codec_string_wrong: playlists::m3u8_rs;
    bandwidth_too_low: playlists::m3u8_rs;
    attribute_unquoted: playlists::m3u8_rs;
    mpd_missing: mpd::mpd_parser, mpd::ffmpeg, bytes::receipt;
    mpd_cut_short: mpd::ffmpeg;
    mpd_without_a_representation: mpd::mpd_parser, mpd::ffmpeg;
    mpd_timeline_longer: mpd::mpd_parser;
    mpd_first_duration_one_tick_longer: mpd::mpd_parser;
    mpd_one_segment_less: mpd::mpd_parser;
    mpd_presentation_longer: mpd::mpd_parser;
    mpd_names_other_files: mpd::mpd_parser, mpd::ffmpeg;
    mpd_numbers_from_two: mpd::mpd_parser;
    mpd_codec_wrong: mpd::mpd_parser;
    mpd_language_wrong: mpd::mpd_parser;
    mpd_size_wrong: mpd::mpd_parser;
    mpd_bandwidth_too_low: mpd::mpd_parser;
    mpd_is_dynamic: mpd::mpd_parser;
}

#[test]
fn two_second_segments_pass_every_check() {
    let package = Package::short();
    assert_eq!(package.segments(&package.tracks[0]).len(), 12, "one segment for each group of pictures");
    for check in CHECKS {
        assert_eq!(check(package), Problems::new());
    }
}

#[test]
fn av1_passes_every_check() {
    assert_eq!(
        Package::av1().segments(&Package::av1().tracks[0]).len(),
        4,
        "one segment for each group of pictures"
    );
    for check in CHECKS {
        assert_eq!(check(Package::av1()), Problems::new());
    }
}

#[test]
fn damage_of_av1_is_noticed() {
    let damages: [(Damage, &[(&str, Check)]); 5] = [
        (damage::segments_swapped, &[("boxes", boxes::check), ("payload", payload::check)]),
        (damage::last_sample_dropped, &[("timing", timing::check), ("pictures", decoded::pictures)]),
        (damage::first_sample_not_sync, &[("timing", timing::check)]),
        (damage::picture_garbled, &[("payload", payload::check), ("pictures", decoded::pictures)]),
        (damage::init_of_another_rendition, &[("boxes", boxes::check)]),
    ];
    for (damage, checks) in damages {
        by_all_in(Package::av1(), damage, checks);
    }
}

#[test]
fn av1_in_ivf_and_as_obus_is_the_same_package() {
    let options = ["--segment-duration", "2", "--fps", "25"];
    let obus = Package::make_of(&Videos::av1_as_obus(), "av1-obus", &options);
    assert_eq!(bytes::differences_of_output(Package::av1(), &obus), Problems::new());
}

#[test]
fn threads_and_ways_to_write_do_not_change_a_byte() {
    let runs: [(&str, &[&str]); 5] = [
        ("again", &[]),
        ("one-thread", &["--threads", "1"]),
        ("four-threads", &["--threads", "4"]),
        ("mapped", &["--io", "mapped"]),
        ("gather", &["--io", "gather"]),
    ];
    for (name, options) in runs {
        let other = Package::make(name, options);
        assert_eq!(bytes::differences(Package::good(), &other), Problems::new(), "{options:?}");
    }
}

#[test]
fn one_different_byte_is_a_difference() {
    let (_directory, package) = Package::good().copy();
    damage::one_byte_of_sei(&package);
    assert_eq!(bytes::differences(Package::good(), &package).len(), 3, "the first segment of each video");
}
