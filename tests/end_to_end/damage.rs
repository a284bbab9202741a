//! Ways to damage a package. Each hits the third segment of every video rendition unless its name says otherwise.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use crate::package::{Kind, Package};
use crate::wire;

/// Damages the package in place.
pub type Damage = fn(&Package);

// ------------------------------------------------------------------------------------------------------ whole files

pub fn segment_missing(package: &Package) {
    for file in third_segments(package, Kind::Video) {
        fs::remove_file(file).expect("it can be removed");
    }
}

pub fn segments_swapped(package: &Package) {
    for file in third_segments(package, Kind::Video) {
        let next = file.with_file_name("seg-00004.m4s");
        let (third, fourth) = (read(&file), read(&next));
        write(&file, &fourth);
        write(&next, &third);
    }
}

pub fn segment_cut_short(package: &Package) {
    edit_thirds(package, Kind::Video, |bytes| bytes.truncate(bytes.len() * 2 / 3));
}

pub fn init_of_another_rendition(package: &Package) {
    let tracks: Vec<_> = package.of_kind(Kind::Video).collect();
    let first = read(&package.init(tracks[0]));
    for track in &tracks[1..] {
        write(&package.init(track), &first);
    }
}

pub fn playlist_missing(package: &Package) {
    let track = package.of_kind(Kind::Video).next().expect("a video");
    fs::remove_file(package.playlist(track)).expect("it can be removed");
}

// ------------------------------------------------------------------------------------------------------------ boxes

pub fn init_without_sync_table(package: &Package) {
    for track in package.of_kind(Kind::Video) {
        let path = package.init(track);
        let mut bytes = read(&path);
        let stss = find(&bytes, &["moov", "trak", "mdia", "minf", "stbl", "stss"]);
        bytes[stss.start - 4..stss.start].copy_from_slice(b"free");
        write(&path, &bytes);
    }
}

pub fn language_wrong(package: &Package) {
    for track in package.of_kind(Kind::Audio) {
        edit(&package.init(track), |bytes| {
            let elng = find(bytes, &["moov", "trak", "mdia", "elng"]);
            bytes[elng.start + 4] = b'x';
        });
    }
}

pub fn wrong_sequence_number(package: &Package) {
    edit_thirds(package, Kind::Video, |bytes| {
        let mfhd = find(bytes, &["moof", "mfhd"]);
        add_u32(bytes, mfhd.start + 4, 1);
    });
}

pub fn moof_type_unknown(package: &Package) {
    edit_thirds(package, Kind::Video, |bytes| {
        let moof = find(bytes, &["moof"]);
        bytes[moof.start - 4..moof.start].copy_from_slice(b"mooX");
    });
}

pub fn data_offset_late(package: &Package) {
    edit_thirds(package, Kind::Video, |bytes| {
        let trun = find(bytes, &["moof", "traf", "trun"]);
        add_u32(bytes, trun.start + 8, 8);
    });
}

// ------------------------------------------------------------------------------------------------------------- time

pub fn tfdt_one_second_late(package: &Package) {
    edit_thirds(package, Kind::Video, |bytes| add_to_tfdt(bytes, 25_000));
}

pub fn tfdt_one_tick_late(package: &Package) {
    edit_thirds(package, Kind::Video, |bytes| add_to_tfdt(bytes, 1));
}

pub fn audio_tfdt_drifts(package: &Package) {
    for track in package.of_kind(Kind::Audio) {
        for (path, late) in package.segments(track).into_iter().zip((0..).step_by(12_000)) {
            edit(&path, |bytes| add_to_tfdt(bytes, late));
        }
    }
}

pub fn last_sample_dropped(package: &Package) {
    // The row stays behind in the box; readers go by the count.
    edit_thirds(package, Kind::Video, |bytes| {
        let trun = find(bytes, &["moof", "traf", "trun"]);
        add_u32(bytes, trun.start + 4, u32::MAX);
    });
}

pub fn composition_offsets_zero(package: &Package) {
    edit_thirds(package, Kind::Video, |bytes| {
        for row in Rows::of(bytes).column(COMPOSITION_OFFSET) {
            bytes[row].fill(0);
        }
    });
}

pub fn first_sample_not_sync(package: &Package) {
    edit_thirds(package, Kind::Video, |bytes| {
        let rows = Rows::of(bytes);
        let per_sample = rows.column(SAMPLE_FLAGS).into_iter().next();
        let flags = rows.first_sample_flags.or(per_sample).expect("video carries flags in its trun");
        bytes[flags].copy_from_slice(&0x0101_0000_u32.to_be_bytes());
    });
}

// ---------------------------------------------------------------------------------------------------------- payload

pub fn picture_garbled(package: &Package) {
    edit_thirds(package, Kind::Video, |bytes| {
        let mdat = find(bytes, &["mdat"]);
        // Long enough to hit the lengths of NAL units: within one, a decoder may conceal the loss and say nothing.
        garble(bytes, mdat.start + mdat.len() / 3, mdat.len() / 10);
    });
}

pub fn sound_garbled(package: &Package) {
    edit_thirds(package, Kind::Audio, |bytes| {
        let mdat = find(bytes, &["mdat"]);
        garble(bytes, mdat.start + mdat.len() / 3, 400);
    });
}

/// A byte that no decoder looks at: in the encoder's SEI message of the first segment.
pub fn one_byte_of_sei(package: &Package) {
    for track in package.of_kind(Kind::Video) {
        edit(&package.segments(track)[0], |bytes| {
            let text = bytes.windows(4).position(|window| window == b"x264").expect("the encoder's SEI");
            garble(bytes, text, 1);
        });
    }
}

// -------------------------------------------------------------------------------------------------------- playlists

pub fn extinf_of_all_longer(package: &Package) {
    edit_playlists(package, |line| {
        let seconds: f64 = line.strip_prefix("#EXTINF:")?.trim_end_matches(',').parse().ok()?;
        Some(format!("#EXTINF:{:.6},", seconds * 1.25))
    });
}

pub fn extinf_of_one_two_microseconds_longer(package: &Package) {
    let mut done = false;
    edit_playlists(package, |line| {
        let seconds: f64 = line.strip_prefix("#EXTINF:")?.trim_end_matches(',').parse().ok()?;
        (!std::mem::replace(&mut done, true)).then(|| format!("#EXTINF:{:.6},", seconds + 2e-6))
    });
}

pub fn target_duration_too_short(package: &Package) {
    edit_playlists(package, |line| {
        line.starts_with("#EXT-X-TARGETDURATION").then(|| "#EXT-X-TARGETDURATION:3".into())
    });
}

pub fn endlist_missing(package: &Package) {
    edit_playlists(package, |line| (line == "#EXT-X-ENDLIST").then(String::new));
}

pub fn codec_string_wrong(package: &Package) {
    edit_master(package, |text| text.replace("avc1.64", "avc1.42"));
}

pub fn bandwidth_too_low(package: &Package) {
    edit_master(package, |text| text.replace(":BANDWIDTH=", ":BANDWIDTH=1"));
}

pub fn attribute_unquoted(package: &Package) {
    edit_master(package, |text| text.replace("TYPE=AUDIO", "TYPE=\"AUDIO\""));
}

// -------------------------------------------------------------------------------------------------------------- MPD

pub fn mpd_missing(package: &Package) {
    fs::remove_file(mpd(package)).expect("it can be removed");
}

pub fn mpd_cut_short(package: &Package) {
    edit_mpd(package, |text| text[..text.len() - 20].to_owned());
}

pub fn mpd_without_a_representation(package: &Package) {
    edit_mpd(package, |text| {
        let (start, end) = ("<Representation", "</Representation>");
        let (before, rest) = text.split_once(start).expect("a representation");
        let (_, behind) = rest.split_once(end).expect("the end of it");
        format!("{before}{behind}")
    });
}

/// Every segment a quarter longer.
pub fn mpd_timeline_longer(package: &Package) {
    edit_mpd(package, |text| edit_numbers(text, " d=\"", usize::MAX, |ticks| ticks / 4 * 5));
}

pub fn mpd_first_duration_one_tick_longer(package: &Package) {
    edit_mpd(package, |text| edit_numbers(text, " d=\"", 1, |ticks| ticks + 1));
}

pub fn mpd_one_segment_less(package: &Package) {
    edit_mpd(package, |text| {
        // The last entry stands for one segment, or for one more than it says.
        let (before, entry) = text.rsplit_once("<S ").expect("a segment");
        let (entry, behind) = entry.split_once("/>").expect("the end of it");
        if entry.contains(" r=\"") {
            format!("{before}<S {}/>{behind}", edit_numbers(entry, " r=\"", 1, |count| count - 1))
        } else {
            format!("{before}{behind}")
        }
    });
}

pub fn mpd_presentation_longer(package: &Package) {
    edit_mpd(package, |text| set_attribute(text, "mediaPresentationDuration", "PT24.0214S"));
}

pub fn mpd_names_other_files(package: &Package) {
    edit_mpd(package, |text| text.replace("/seg-", "/sgm-"));
}

pub fn mpd_numbers_from_two(package: &Package) {
    edit_mpd(package, |text| {
        text.replace(" startNumber=\"1\"", "")
            .replace("<SegmentTemplate", "<SegmentTemplate startNumber=\"2\"")
    });
}

pub fn mpd_codec_wrong(package: &Package) {
    edit_mpd(package, |text| text.replace("avc1.64", "avc1.42"));
}

pub fn mpd_language_wrong(package: &Package) {
    edit_mpd(package, |text| text.replace("lang=\"de\"", "lang=\"fr\""));
}

pub fn mpd_size_wrong(package: &Package) {
    edit_mpd(package, |text| edit_numbers(text, " width=\"", 1, |width| width + 2));
}

pub fn mpd_bandwidth_too_low(package: &Package) {
    edit_mpd(package, |text| edit_numbers(text, " bandwidth=\"", 1, |rate| rate * 2 / 3));
}

pub fn mpd_is_dynamic(package: &Package) {
    edit_mpd(package, |text| text.replace("type=\"static\"", "type=\"dynamic\""));
}

// ------------------------------------------------------------------------------------------------------------ tools

fn third_segments(package: &Package, kind: Kind) -> Vec<PathBuf> {
    package.of_kind(kind).map(|track| package.root.join(&track.name).join("seg-00003.m4s")).collect()
}

fn read(path: &PathBuf) -> Vec<u8> {
    fs::read(path).expect("it can be read")
}

fn write(path: &PathBuf, bytes: &[u8]) {
    fs::write(path, bytes).expect("it can be written");
}

/// Changes a file. Damage that changes nothing would show nothing, so that is a mistake of the test.
fn edit(path: &PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    let before = read(path);
    let mut bytes = before.clone();
    change(&mut bytes);
    write(path, &bytes);
}

fn edit_thirds(package: &Package, kind: Kind, change: impl Fn(&mut Vec<u8>)) {
    for path in third_segments(package, kind) {
        let before = read(&path);
        edit(&path, &change);
        assert_ne!(before, read(&path), "the damage changed nothing in {}", path.display());
    }
}

/// Replaces lines in the media playlists of the videos; `None` keeps the line.
fn edit_playlists(package: &Package, mut replace: impl FnMut(&str) -> Option<String>) {
    for track in package.of_kind(Kind::Video) {
        let path = package.playlist(track);
        let text = fs::read_to_string(&path).expect("it can be read");
        let lines: Vec<_> =
            text.lines().map(|line| replace(line).unwrap_or_else(|| line.to_owned())).collect();
        fs::write(&path, lines.join("\n") + "\n").expect("it can be written");
    }
}

fn edit_master(package: &Package, change: impl FnOnce(String) -> String) {
    let path = package.root.join("master.m3u8");
    let before = fs::read_to_string(&path).expect("it can be read");
    let after = change(before.clone());
    assert_ne!(before, after, "the damage changed nothing in the master playlist");
    fs::write(&path, after).expect("it can be written");
}

fn mpd(package: &Package) -> PathBuf {
    package.root.join("manifest.mpd")
}

fn edit_mpd(package: &Package, change: impl FnOnce(&str) -> String) {
    let before = fs::read_to_string(mpd(package)).expect("it can be read");
    let after = change(&before);
    assert_ne!(before, after, "the damage changed nothing in manifest.mpd");
    fs::write(mpd(package), after).expect("it can be written");
}

/// Changes the number that follows `prefix`, in its first `count` places.
fn edit_numbers(text: &str, prefix: &str, count: usize, change: impl Fn(u64) -> u64) -> String {
    let mut parts = text.split(prefix);
    let mut edited = parts.next().unwrap_or_default().to_owned();
    for (i, part) in parts.enumerate() {
        let (number, behind) = part.split_once('"').expect("the end of an attribute");
        let number: u64 = number.parse().expect("a number");
        let number = if i < count { change(number) } else { number };
        edited += &format!("{prefix}{number}\"{behind}");
    }
    edited
}

fn set_attribute(text: &str, name: &str, value: &str) -> String {
    let (before, rest) = text.split_once(&format!("{name}=\"")).expect("the attribute");
    let (_, behind) = rest.split_once('"').expect("the end of the attribute");
    format!("{before}{name}=\"{value}\"{behind}")
}

fn garble(bytes: &mut [u8], start: usize, count: usize) {
    bytes[start..].iter_mut().take(count).for_each(|byte| *byte ^= 0xa5);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    wire::u32_at(bytes, at).expect("four bytes")
}

fn add_u32(bytes: &mut [u8], at: usize, difference: u32) {
    let value = u32_at(bytes, at).wrapping_add(difference);
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Adds ticks to a `tfdt` of version 1.
fn add_to_tfdt(bytes: &mut [u8], difference: u32) {
    let tfdt = find(bytes, &["moof", "traf", "tfdt"]);
    assert_eq!(bytes[tfdt.start], 1, "tfdt version");
    add_u32(bytes, tfdt.start + 8, difference);
}

fn find(bytes: &[u8], path: &[&str]) -> Range<usize> {
    wire::find(bytes, path).unwrap_or_else(|| panic!("no {path:?}"))
}

const FIRST_SAMPLE_FLAGS: u32 = 0x4;
const SAMPLE_FLAGS: u32 = 0x400;
const COMPOSITION_OFFSET: u32 = 0x800;
const COLUMNS: [u32; 4] = [0x100, 0x200, SAMPLE_FLAGS, COMPOSITION_OFFSET];

/// Where the columns of the `trun` lie (ISO/IEC 14496-12 8.8.8).
struct Rows {
    flags: u32,
    first_sample_flags: Option<Range<usize>>,
    start: usize,
    count: usize,
}

impl Rows {
    fn of(bytes: &[u8]) -> Self {
        let trun = find(bytes, &["moof", "traf", "trun"]);
        let flags = u32_at(bytes, trun.start) & 0x00ff_ffff;
        // Version and flags, sample count, data offset.
        let mut start = trun.start + 12;
        let first_sample_flags = (flags & FIRST_SAMPLE_FLAGS != 0).then(|| start..start + 4);
        start += if first_sample_flags.is_some() { 4 } else { 0 };
        Self { flags, first_sample_flags, start, count: u32_at(bytes, trun.start + 4) as usize }
    }

    /// The four bytes of one column in each row; none if the column is absent.
    fn column(&self, column: u32) -> Vec<Range<usize>> {
        let width = 4 * COLUMNS.iter().filter(|&flag| self.flags & flag != 0).count();
        let before = 4 * COLUMNS.iter().filter(|&&flag| flag < column && self.flags & flag != 0).count();
        let rows = if self.flags & column == 0 { 0 } else { self.count };
        (0..rows).map(|i| self.start + i * width + before).map(|at| at..at + 4).collect()
    }
}
