//! Ways to damage a package. Each hits the third segment of every video track unless its name says otherwise.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::package::Package;
use crate::wire;

/// Damages the package in place.
pub type Damage = fn(&Package);

// ------------------------------------------------------------------------------------------------------------- times

pub fn a_second_late(package: &Package) {
    for track in package.tracks("video") {
        add_to_decode_time(&segment(&track, 3), timescale(&track));
    }
}

pub fn a_second_early(package: &Package) {
    for track in package.tracks("video") {
        add_to_decode_time(&segment(&track, 3), -timescale(&track));
    }
}

/// Each segment of sound is a quarter of a second later than the one before it was late.
pub fn sound_drifts(package: &Package) {
    for track in package.tracks("audio") {
        for number in 2..=segments(&track) {
            let late = (i64::from(number) - 1) * timescale(&track) / 4;
            add_to_decode_time(&segment(&track, number), late);
        }
    }
}

/// All segments of all tracks, so that they fit each other still.
pub fn all_ten_seconds_late(package: &Package) {
    for track in [package.tracks("video"), package.tracks("audio")].concat() {
        for number in 1..=segments(&track) {
            add_to_decode_time(&segment(&track, number), 10 * timescale(&track));
        }
    }
}

pub fn composition_offsets_zero(package: &Package) {
    edit_thirds(package, |bytes| {
        let rows = Rows::of(bytes);
        for row in rows.column(COMPOSITION_OFFSET) {
            bytes[row].fill(0);
        }
    });
}

// ------------------------------------------------------------------------------------------------------------- boxes

pub fn moof_of_unknown_type(package: &Package) {
    edit_thirds(package, |bytes| {
        let moof = find(bytes, &["moof"]);
        bytes[moof.start - 4..moof.start].copy_from_slice(b"mooX");
    });
}

pub fn moof_too_large(package: &Package) {
    edit_thirds(package, |bytes| {
        let moof = find(bytes, &["moof"]);
        add_u32(bytes, moof.start - 8, 7);
    });
}

pub fn data_offset_too_large(package: &Package) {
    edit_thirds(package, |bytes| {
        let trun = find(bytes, &["moof", "traf", "trun"]);
        add_u32(bytes, trun.start + 8, 8);
    });
}

/// The row of the sample stays behind in the box.
pub fn last_sample_not_counted(package: &Package) {
    edit_thirds(package, |bytes| {
        let trun = find(bytes, &["moof", "traf", "trun"]);
        add_u32(bytes, trun.start + 4, -1);
    });
}

pub fn init_without_configuration(package: &Package) {
    for track in package.tracks("video") {
        edit(&track.join("init.mp4"), |bytes| {
            let at = bytes.windows(4).position(|window| window == b"avcC").expect("a configuration record");
            bytes[at] = b'x';
        });
    }
}

// ------------------------------------------------------------------------------------------------------- whole files

pub fn segment_missing(package: &Package) {
    for track in package.tracks("video") {
        fs::remove_file(segment(&track, 3)).expect("it can be removed");
    }
}

pub fn segments_swapped(package: &Package) {
    for track in package.tracks("video") {
        let [third, fourth] = [3, 4].map(|number| segment(&track, number));
        let bytes = read(&third);
        fs::write(&third, read(&fourth)).expect("it can be written");
        fs::write(&fourth, bytes).expect("it can be written");
    }
}

pub fn segment_cut_off(package: &Package) {
    edit_thirds(package, |bytes| bytes.truncate(bytes.len() * 2 / 3));
}

/// All videos have the init segment of the first.
pub fn init_of_another_track(package: &Package) {
    let tracks = package.tracks("video");
    for track in &tracks[1..] {
        edit(&track.join("init.mp4"), |bytes| *bytes = read(&tracks[0].join("init.mp4")));
    }
}

pub fn payload_garbled(package: &Package) {
    edit_thirds(package, |bytes| {
        let mdat = find(bytes, &["mdat"]);
        let start = mdat.start + mdat.len() / 3;
        bytes[start..].iter_mut().take(400).for_each(|byte| *byte ^= 0xa5);
    });
}

/// One byte that no decoder looks at: in the encoder's SEI message, which the first segment has.
pub fn one_byte_of_a_message(package: &Package) {
    for track in package.tracks("video") {
        edit(&segment(&track, 1), |bytes| {
            let at = bytes.windows(4).position(|window| window == b"x264").expect("the encoder's SEI");
            bytes[at] = b'X';
        });
    }
}

// --------------------------------------------------------------------------------------------------------- manifests

/// In playlists of video and the MPD each duration is longer by a quarter.
pub fn durations_longer(package: &Package) {
    for track in package.tracks("video") {
        edit_text(&track.join("playlist.m3u8"), |text| {
            let longer = |seconds: &str| seconds.parse::<f64>().ok().map(|s| format!("{:.3}", s * 1.25));
            edit_values(text, "#EXTINF:", ',', longer)
        });
    }
    edit_text(&package.root.join("manifest.mpd"), |text| {
        let longer = |ticks: &str| ticks.parse::<u64>().ok().map(|ticks| (ticks / 4 * 5).to_string());
        edit_values(text, " d=\"", '"', longer)
    });
}

pub fn codec_strings_wrong(package: &Package) {
    for manifest in ["master.m3u8", "manifest.mpd"] {
        edit_text(&package.root.join(manifest), |text| text.replace("avc1.64", "avc9.64"));
    }
}

// ------------------------------------------------------------------------------------------------------------- tools

fn segment(track: &Path, number: u32) -> PathBuf {
    track.join(format!("seg-{number:05}.m4s"))
}

/// How many segments a track has.
fn segments(track: &Path) -> u32 {
    (1..).take_while(|&number| segment(track, number).exists()).last().expect("a segment")
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Changes a file. Damage that changes nothing would show nothing, so that is a mistake of the test.
fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let before = read(path);
    let mut bytes = before.clone();
    change(&mut bytes);
    assert_ne!(before, bytes, "nothing was changed in {}", path.display());
    fs::write(path, bytes).expect("it can be written");
}

pub fn edit_text(path: &Path, change: impl FnOnce(&str) -> String) {
    edit(path, |bytes| {
        let text = String::from_utf8(std::mem::take(bytes)).expect("text");
        *bytes = change(&text).into_bytes();
    });
}

fn edit_thirds(package: &Package, change: impl Fn(&mut Vec<u8>)) {
    for track in package.tracks("video") {
        edit(&segment(&track, 3), &change);
    }
}

/// Replaces each value that stands between `prefix` and `end`.
fn edit_values(text: &str, prefix: &str, end: char, change: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = text.split(prefix);
    let mut edited = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (value, behind) = part.split_once(end).expect("the end of a value");
        let value = change(value).expect("a number");
        edited.extend([prefix, &value, &end.to_string(), behind]);
    }
    edited
}

fn find(bytes: &[u8], path: &[&str]) -> Range<usize> {
    wire::find(bytes, path).unwrap_or_else(|| panic!("no {path:?}"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    wire::u32_at(bytes, at).expect("four bytes")
}

fn add_u32(bytes: &mut [u8], at: usize, difference: i32) {
    let value = u32_at(bytes, at).wrapping_add_signed(difference);
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Ticks per second of a track.
fn timescale(track: &Path) -> i64 {
    let bytes = read(&track.join("init.mp4"));
    let mdhd = find(&bytes, &["moov", "trak", "mdia", "mdhd"]);
    // Behind version, flags and two times, which are of 64 bits in version 1.
    u32_at(&bytes, mdhd.start + if bytes[mdhd.start] == 1 { 20 } else { 12 }).into()
}

/// Adds ticks to the `tfdt`, which has version 1.
fn add_to_decode_time(path: &Path, ticks: i64) {
    edit(path, |bytes| {
        let tfdt = find(bytes, &["moof", "traf", "tfdt"]);
        assert_eq!(bytes[tfdt.start], 1, "version of tfdt");
        let field = &mut bytes[tfdt.start + 4..tfdt.start + 12];
        let time = u64::from_be_bytes(field.try_into().expect("eight bytes"));
        field.copy_from_slice(&time.checked_add_signed(ticks).expect("a time").to_be_bytes());
    });
}

const FIRST_SAMPLE_FLAGS: u32 = 0x4;
const COMPOSITION_OFFSET: u32 = 0x800;
const COLUMNS: [u32; 4] = [0x100, 0x200, 0x400, COMPOSITION_OFFSET];

/// Where the columns of the `trun` lie (ISO/IEC 14496-12 8.8.8).
struct Rows {
    flags: u32,
    start: usize,
    count: usize,
}

impl Rows {
    fn of(bytes: &[u8]) -> Self {
        let trun = find(bytes, &["moof", "traf", "trun"]);
        let flags = u32_at(bytes, trun.start) & 0x00ff_ffff;
        // Version and flags, sample count, data offset.
        let start = trun.start + if flags & FIRST_SAMPLE_FLAGS == 0 { 12 } else { 16 };
        Self { flags, start, count: u32_at(bytes, trun.start + 4) as usize }
    }

    /// The four bytes of one column in each row; none if the column is absent.
    fn column(&self, column: u32) -> Vec<Range<usize>> {
        let width = 4 * COLUMNS.iter().filter(|&flag| self.flags & flag != 0).count();
        let before = 4 * COLUMNS.iter().filter(|&&flag| flag < column && self.flags & flag != 0).count();
        let rows = if self.flags & column == 0 { 0 } else { self.count };
        (0..rows).map(|row| self.start + row * width + before).map(|at| at..at + 4).collect()
    }
}
