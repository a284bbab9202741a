//! A whole init segment: `ftyp` and `moov`, and what of them stands outside of tracks (ISO/IEC 14496-12 4.3, 8.2, 8.8).

use super::check::{CLAUSE, Check, Children, Count::*, Table, ordered, unordered};
use super::entry::{self, Description};
use super::track::{self, Track};
use super::{
    Header, INIT_BOX_SIZE, INIT_BRAND, INIT_BRAND_VERSION, INIT_EDIT_LIST, INIT_FORMAT, INIT_LIMIT,
    INIT_MEDIA, INIT_PRIMING, INIT_TRACK_ENABLED, INIT_TRACKS, INIT_TREX, SampleDefaults,
};
use crate::boxes::FourCc;
use crate::boxes::reader::{BoxRef, Boxes};
use crate::error::Result;

/// Their order is told of `ftyp` alone.
const FILE: Table = unordered(&[(&[b"ftyp"], One), (&[b"moov"], One), (&[b"moof", b"mdat"], Any)]);
const MOOV: Table = ordered(&[(&[b"mvhd"], One), (&[b"trak"], Any), (&[b"mvex"], One), (&[b"pssh"], Any)]);
const MVEX: Table = ordered(&[(&[b"mehd"], AtMostOne), (&[b"trex"], Any)]);

/// The most tracks that are read: fewer than the boxes that are kept of one holder, so that more show.
const MOST_TRACKS: usize = 15;

/// What WebM and Matroska start with: the element EBML (RFC 8794 11.2.1).
const EBML: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];

/// A `trak` and its sample entry.
type TrackEntry<'a> = (Track<'a>, Description);

/// Reads the tracks of an init segment.
pub(super) fn read(check: &mut Check<'_>, bytes: &[u8]) -> Vec<Header> {
    if bytes.starts_with(&EBML) {
        check.add(&INIT_FORMAT, 0, "the init segment is WebM or Matroska, which is not checked");
        return Vec::new();
    }
    let file = check.children("the init segment", 0, Boxes::of_file(bytes), &FILE);
    let brands = file.first(b"ftyp").map(|ftyp| read_ftyp(check, ftyp)).unwrap_or_default();
    check_first(check, bytes, &file);
    for media in file.all(b"moof").chain(file.all(b"mdat")) {
        check.add(&INIT_MEDIA, media.offset, format!("box '{}' in an init segment", media.kind));
    }
    let Some(moov) = file.first(b"moov") else { return Vec::new() };
    let children = check.inner(moov, &MOOV);
    let movie_timescale = children.first(b"mvhd").and_then(|mvhd| track::read_mvhd(check, mvhd));
    let tracks = read_tracks(check, moov, &children);
    let (defaults, fragment_duration) = match children.first(b"mvex") {
        Some(mvex) if !tracks.is_empty() => read_mvex(check, mvex, &tracks),
        _ => (vec![SampleDefaults::default(); tracks.len()], None),
    };
    let ids: Vec<_> = tracks.iter().zip(&defaults).map(|((track, _), &found)| (track.id, found)).collect();
    let fragment_duration = fragment_duration.zip(movie_timescale.filter(|&timescale| timescale != 0));
    let mut headers = Vec::new();
    for (index, (track, description)) in tracks.into_iter().enumerate() {
        let Some(handler) = track.handler.or(description.handler) else { continue };
        check_edit_list(check, moov.offset, &track, handler, &brands);
        let timescale = track.timescale.filter(|&timescale| timescale != 0);
        let (Some(track_id), Some(timescale)) = (track.id, timescale) else { continue };
        check_priming(check, moov.offset, &track, &description, timescale);
        let others = ids.iter().enumerate().filter(|(other, _)| *other != index);
        headers.push(Header {
            handler,
            track_id,
            timescale,
            brands: brands.clone(),
            defaults: defaults[index],
            edit_media_time: track.edit_media_time,
            empty_edit: track.empty_edit.zip(movie_timescale.filter(|&timescale| timescale != 0)),
            fragment_duration,
            has_sync_table: track.has_sync_table,
            rolls: track.rolls,
            entry: description.entry,
            others: others.filter_map(|(_, &(id, found))| Some((id?, found))).collect(),
        });
    }
    headers
}

/// Which tracks of CMAF may have an edit list: audio, and video but for brand `cmf2`.
fn check_edit_list(
    check: &mut Check<'_>,
    offset: u64,
    track: &Track<'_>,
    handler: FourCc,
    brands: &[FourCc],
) {
    if !track.has_edit_list || !check.is_cmaf {
        return;
    }
    match &handler.0 {
        b"soun" => {}
        b"vide" if brands.contains(&FourCc(*b"cmf2")) => {
            check.add(&INIT_EDIT_LIST, offset, "video of brand cmf2 has an edit list");
        }
        b"vide" => {}
        _ => check.add(&INIT_EDIT_LIST, offset, format!("a track of '{handler}' has an edit list")),
    }
}

/// The edit list of Opus against `PreSkip`: players go by either. To have none is to leave it to them, which harms nobody.
fn check_priming(
    check: &mut Check<'_>,
    offset: u64,
    track: &Track<'_>,
    description: &Description,
    timescale: u32,
) {
    const RATE: u64 = 48_000;
    let Some(pre_skip) = description.entry.pre_skip.map(u64::from) else { return };
    match track.edit_media_time.map(i64::unsigned_abs) {
        // To within a tick, of either.
        Some(media_time) => {
            let (told, found) = (media_time.saturating_mul(RATE), pre_skip * u64::from(timescale));
            if told.abs_diff(found) >= RATE.max(timescale.into()) {
                let message = format!(
                    "the edit list takes {media_time} ticks of {timescale} a second off, PreSkip is {pre_skip} of {RATE}"
                );
                check.add(&INIT_PRIMING, offset, message);
            }
        }
        None if pre_skip > 0 && !track.has_edit_list => {
            let message = format!("there is no edit list that takes the {pre_skip} samples of PreSkip off");
            check.warn(&INIT_PRIMING, offset, message);
        }
        None => {}
    }
}

/// `ftyp` ► major and compatible brands. From here on it is known whether CMAF is claimed.
fn read_ftyp(check: &mut Check<'_>, ftyp: &BoxRef<'_>) -> Vec<FourCc> {
    /// Files of a few brands have been seen, not of thousands.
    const KEPT: usize = 1024;
    let mut body = ftyp.fields(CLAUSE);
    let mut read = || -> Result<_> { Ok((FourCc(body.array("major_brand")?), body.u32("minor_version")?)) };
    let read = read();
    let Some((major, minor_version)) = check.fields(&INIT_BOX_SIZE, ftyp, read) else {
        return Vec::new();
    };
    let (compatible, rest) = body.rest().as_chunks::<4>();
    if !rest.is_empty() {
        let message = format!("{} bytes behind the last brand", rest.len());
        check.add(&INIT_BOX_SIZE, ftyp.offset, message);
    }
    let mut brands = vec![major];
    brands.extend(compatible.iter().take(KEPT).map(|brand| FourCc(*brand)));
    let is_structural = |brand: &FourCc| matches!(&brand.0, b"cmfc" | b"cmf2");
    check.is_cmaf = brands.iter().any(is_structural);
    if is_structural(&major) && minor_version != 0 {
        let message = format!("minor_version is {minor_version} behind the major brand '{major}', not 0");
        check.add(&INIT_BRAND_VERSION, ftyp.offset, message);
    }
    if !check.is_cmaf && !brands.iter().any(is_iso6_or_higher) {
        let names: Vec<_> = brands.iter().take(16).map(FourCc::to_string).collect();
        let message = format!("none of the brands {} is iso6 or higher", names.join(" "));
        check.add(&INIT_BRAND_VERSION, ftyp.offset, message);
    }
    brands
}

/// `iso6` to `iso9`, `isoa` and so on.
fn is_iso6_or_higher(brand: &FourCc) -> bool {
    matches!(brand.0, [b'i', b's', b'o', b'6'..=b'9' | b'a'..=b'l'])
}

fn check_first(check: &mut Check<'_>, bytes: &[u8], file: &Children<'_>) {
    if let Some(ftyp) = file.first(b"ftyp")
        && let Ok(Some(first)) = Boxes::of_file(bytes).next()
        && first.kind.0 != *b"ftyp"
    {
        let message = format!("box '{}' stands in front of ftyp", first.kind);
        check.add(&INIT_BRAND, ftyp.offset, message);
    }
}

/// The tracks; none where there are more than are kept.
fn read_tracks<'a>(check: &mut Check<'_>, moov: &BoxRef<'a>, children: &Children<'a>) -> Vec<TrackEntry<'a>> {
    let boxes: Vec<_> = children.all(b"trak").collect();
    match boxes.as_slice() {
        [_] => {}
        [] => check.add(&INIT_TRACKS, moov.offset, "there is no track (trak)"),
        [_, second, ..] if check.is_cmaf => {
            check.add(&INIT_TRACKS, second.offset, "there is a second track (trak)");
        }
        _ => {}
    }
    if let Some(last) = boxes.get(MOST_TRACKS) {
        let message = format!("there are more than {MOST_TRACKS} tracks (trak), of which none is checked");
        check.add(&INIT_LIMIT, last.offset, message);
        return Vec::new();
    }
    let mut tracks: Vec<TrackEntry<'_>> = Vec::new();
    for trak in boxes {
        let track = track::read(check, trak);
        if let Some(id) = track.id
            && tracks.iter().any(|(other, _)| other.id == track.id)
        {
            check.add(&INIT_TRACKS, trak.offset, format!("track_ID {id} is that of two tracks"));
        }
        let description = entry::read(check, &track);
        tracks.push((track, description));
    }
    // One of several may be disabled: another choice of sound.
    let disabled: Option<Vec<_>> = tracks.iter().map(|(track, _)| track.disabled).collect();
    if let Some([first, ..]) = disabled.as_deref() {
        check.add(&INIT_TRACK_ENABLED, *first, "the track is disabled: its flags are even");
    }
    tracks
}

/// `mvex` ► the defaults of each track, and `fragment_duration`.
fn read_mvex(
    check: &mut Check<'_>,
    mvex: &BoxRef<'_>,
    tracks: &[TrackEntry<'_>],
) -> (Vec<SampleDefaults>, Option<u64>) {
    let children = check.inner(mvex, &MVEX);
    let fragment_duration = children.first(b"mehd").and_then(|mehd| read_mehd(check, mehd));
    let mut defaults = vec![None; tracks.len()];
    for trex in children.all(b"trex") {
        let Some((id, index, found)) = read_trex(check, trex) else {
            continue;
        };
        let Some(place) = tracks.iter().position(|(track, _)| track.id == Some(id)) else {
            if tracks.iter().all(|(track, _)| track.id.is_some()) {
                check.add(&INIT_TREX, trex.offset, format!("track_ID of trex is {id}, which no track has"));
            }
            continue;
        };
        if defaults[place].is_some() {
            check.add(&INIT_TREX, trex.offset, format!("there is a second trex of track_ID {id}"));
        }
        let entries = tracks[place].1.count;
        if entries > 0 && !(1..=entries).contains(&index) {
            let message =
                format!("default_sample_description_index is {index}, there are {entries} sample entries");
            check.add(&INIT_TREX, trex.offset, message);
        }
        defaults[place] = defaults[place].or(Some(found));
    }
    if children.first(b"trex").is_none() {
        check.add(&INIT_TREX, mvex.offset, "box 'mvex' has no box 'trex'");
    } else if let (Some(place), 2..) = (defaults.iter().position(Option::is_none), tracks.len())
        && let Some(id) = tracks[place].0.id
    {
        check.add(&INIT_TREX, mvex.offset, format!("box 'mvex' has no box 'trex' of track_ID {id}"));
    }
    (defaults.into_iter().map(Option::unwrap_or_default).collect(), fragment_duration)
}

fn read_mehd(check: &mut Check<'_>, mehd: &BoxRef<'_>) -> Option<u64> {
    let (version, _, mut body) = check.full(mehd, 1, 0)?;
    let read = if version == 1 {
        body.u64("fragment_duration")
    } else {
        body.u32("fragment_duration").map(u64::from)
    };
    let duration = check.fields(&INIT_BOX_SIZE, mehd, read)?;
    check.end(mehd, &body);
    Some(duration)
}

/// `track_ID`, `default_sample_description_index` and the other defaults.
fn read_trex(check: &mut Check<'_>, trex: &BoxRef<'_>) -> Option<(u32, u32, SampleDefaults)> {
    let (_, _, mut body) = check.full(trex, 0, 0)?;
    let mut read = || -> Result<_> {
        Ok((
            body.u32("track_ID")?,
            body.u32("default_sample_description_index")?,
            SampleDefaults {
                duration: body.u32("default_sample_duration")?,
                size: body.u32("default_sample_size")?,
                flags: body.u32("default_sample_flags")?,
            },
        ))
    };
    let read = read();
    let read = check.fields(&INIT_BOX_SIZE, trex, read)?;
    check.end(trex, &body);
    Some(read)
}
