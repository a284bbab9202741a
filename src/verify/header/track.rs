//! `trak` ► what it says of its track, without the sample entry: `tkhd`, `edts`, `mdhd`, `hdlr`, the media header, data
//! references and sample tables (ISO/IEC 14496-12 8.3 to 8.7).

use super::check::{CLAUSE, Check, Children, Count::*, Table, ordered};
use super::roll;
use super::{
    INIT_BOX_MISSING, INIT_BOX_SIZE, INIT_DATA_REFERENCE, INIT_DURATION, INIT_EDIT_LIST, INIT_HANDLER,
    INIT_MATRIX, INIT_ROLL_GROUP, INIT_TABLES, INIT_TIMESCALE, INIT_TRACKS, RollGroups,
};
use crate::boxes::FourCc;
use crate::boxes::reader::{Body, BoxRef};
use crate::error::Result;

const TRAK: Table =
    ordered(&[(&[b"tkhd"], One), (&[b"edts"], AtMostOne), (&[b"mdia"], One), (&[b"udta"], AtMostOne)]);
const EDTS: Table = ordered(&[(&[b"elst"], AtMostOne)]);
const MDIA: Table =
    ordered(&[(&[b"mdhd"], One), (&[b"hdlr"], One), (&[b"elng"], AtMostOne), (&[b"minf"], One)]);
const MINF: Table = ordered(&[
    (&[b"vmhd", b"smhd", b"sthd", b"nmhd", b"hmhd", b"gmhd"], AtMostOne),
    (&[b"dinf"], One),
    (&[b"stbl"], One),
]);
const DINF: Table = ordered(&[(&[b"dref"], One)]);
const STBL: Table = ordered(&[
    (&[b"stsd"], One),
    (&[b"stts"], One),
    (&[b"stsc"], One),
    (&[b"stsz", b"stz2"], One),
    (&[b"stco", b"co64"], One),
    (&[b"sgpd"], Any),
    (&[b"stss"], AtMostOne),
]);

/// `matrix` without translation; u, v and w in 2.30, the rest in 16.16 (ISO/IEC 14496-12 6.2.2).
const UNITY: [i32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// What a track says, with the boxes that are read further elsewhere.
#[derive(Default)]
pub(super) struct Track<'a> {
    pub id: Option<u32>,
    /// Where `tkhd` says that it is disabled.
    pub disabled: Option<u64>,
    /// Width and height of `tkhd` in 16.16.
    pub size: Option<(u32, u32)>,
    pub has_edit_list: bool,
    pub edit_media_time: Option<i64>,
    /// `segment_duration` of an empty edit in front.
    pub empty_edit: Option<u64>,
    pub timescale: Option<u32>,
    pub handler: Option<FourCc>,
    pub has_sync_table: bool,
    pub rolls: RollGroups,
    /// For each entry of `dref`, whether it is in this file; `None` where that is not known.
    pub references: Vec<Option<bool>>,
    pub stsd: Option<BoxRef<'a>>,
}

/// Reads a `trak`.
pub(super) fn read<'a>(check: &mut Check<'_>, trak: &BoxRef<'a>) -> Track<'a> {
    let mut track = Track::default();
    let children = check.inner(trak, &TRAK);
    if let Some(tkhd) = children.first(b"tkhd") {
        read_tkhd(check, tkhd, &mut track);
    }
    for edts in children.all(b"edts") {
        if let Some(elst) = check.inner(edts, &EDTS).first(b"elst") {
            track.has_edit_list = true;
            (track.edit_media_time, track.empty_edit) = read_elst(check, elst).unwrap_or_default();
        }
    }
    if let Some(mdia) = children.first(b"mdia") {
        read_mdia(check, mdia, &mut track);
    }
    track
}

/// Creation and modification time, passed over, in both versions.
fn skip_times(body: &mut Body<'_>, version: u8) -> Result<()> {
    body.take(if version == 1 { 16 } else { 8 }, "creation_time and modification_time").map(drop)
}

/// A field of 64 bits in version 1, of 32 in version 0.
fn wide(body: &mut Body<'_>, version: u8, element: &'static str) -> Result<u64> {
    if version == 1 { body.u64(element) } else { body.u32(element).map(u64::from) }
}

fn matrix(body: &mut Body<'_>) -> Result<[i32; 9]> {
    let mut matrix = [0; 9];
    for value in &mut matrix {
        *value = body.array("matrix").map(i32::from_be_bytes)?;
    }
    Ok(matrix)
}

/// `mvhd` ► the movie timescale.
pub(super) fn read_mvhd(check: &mut Check<'_>, mvhd: &BoxRef<'_>) -> Option<u32> {
    let (version, _, mut body) = check.full(mvhd, 1, 0)?;
    let mut read = || -> Result<_> {
        skip_times(&mut body, version)?;
        let timescale = body.u32("timescale")?;
        let duration = wide(&mut body, version, "duration")?;
        let rate_and_volume = (body.u32("rate")?, body.u16("volume")?);
        body.take(10, "reserved")?;
        let matrix = matrix(&mut body)?;
        body.take(24, "pre_defined")?;
        body.u32("next_track_ID")?;
        Ok((timescale, duration, rate_and_volume, matrix))
    };
    let read = read();
    let (timescale, duration, rate_and_volume, matrix) = check.fields(&INIT_BOX_SIZE, mvhd, read)?;
    check.end(mvhd, &body);
    check_timescale(check, mvhd, timescale);
    check_duration(check, mvhd, duration);
    if rate_and_volume != (0x1_0000, 0x100) {
        let message = format!(
            "rate of mvhd is {:#010x} and volume {:#06x}, not 1.0",
            rate_and_volume.0, rate_and_volume.1
        );
        check.add(&INIT_MATRIX, mvhd.offset, message);
    }
    if matrix != UNITY {
        check.add(&INIT_MATRIX, mvhd.offset, format!("matrix of mvhd is {matrix:x?}"));
    }
    Some(timescale)
}

fn check_timescale(check: &mut Check<'_>, holder: &BoxRef<'_>, timescale: u32) {
    if timescale == 0 {
        check.add(&INIT_TIMESCALE, holder.offset, format!("timescale of box '{}' is 0", holder.kind));
    }
}

fn check_duration(check: &mut Check<'_>, holder: &BoxRef<'_>, duration: u64) {
    if duration != 0 {
        let message = format!("duration of box '{}' is {duration}", holder.kind);
        check.add(&INIT_DURATION, holder.offset, message);
    }
}

fn read_tkhd(check: &mut Check<'_>, tkhd: &BoxRef<'_>, track: &mut Track<'_>) -> Option<()> {
    const ENABLED: u32 = 1;
    // In the movie, in the preview, size is an aspect ratio.
    let (version, flags, mut body) = check.full(tkhd, 1, 0xf)?;
    let mut read = || -> Result<_> {
        skip_times(&mut body, version)?;
        let id = body.u32("track_ID")?;
        body.u32("reserved")?;
        let duration = wide(&mut body, version, "duration")?;
        body.take(8 + 8, "reserved, layer, alternate_group, volume")?;
        let matrix = matrix(&mut body)?;
        Ok((id, duration, matrix, (body.u32("width")?, body.u32("height")?)))
    };
    let read = read();
    let (id, duration, matrix, size) = check.fields(&INIT_BOX_SIZE, tkhd, read)?;
    check.end(tkhd, &body);
    check_duration(check, tkhd, duration);
    if id == 0 {
        check.add(&INIT_TRACKS, tkhd.offset, "track_ID is 0");
    }
    if !is_orientation(&matrix) {
        check.add(&INIT_MATRIX, tkhd.offset, format!("matrix of tkhd is {matrix:x?}"));
    }
    track.id = Some(id);
    track.disabled = (flags & ENABLED == 0).then_some(tkhd.offset);
    track.size = Some(size);
    Some(())
}

/// A turn by right angles, a mirror, or neither; moved in any way, as turning asks for.
fn is_orientation(matrix: &[i32; 9]) -> bool {
    let &[a, b, u, c, d, v, _, _, w] = matrix;
    let is_one = |value: i32| value.unsigned_abs() == 0x1_0000;
    let turns = is_one(a) && is_one(d) && b == 0 && c == 0 || is_one(b) && is_one(c) && a == 0 && d == 0;
    turns && u == 0 && v == 0 && w == UNITY[8]
}

/// `elst` ► `media_time` of its one edit, where that is not an empty one, and `segment_duration` of an empty one in front.
fn read_elst(check: &mut Check<'_>, elst: &BoxRef<'_>) -> Option<(Option<i64>, Option<u64>)> {
    // A later edition has a flag for repeating.
    let (version, _, mut body) = check.full(elst, 1, 1)?;
    let count = check.fields(&INIT_BOX_SIZE, elst, body.u32("entry_count"))?;
    let mut read = || -> Result<_> {
        let segment_duration = wide(&mut body, version, "segment_duration")?;
        let media_time = wide(&mut body, version, "media_time")?;
        let media_time = if version == 1 { media_time as i64 } else { i64::from(media_time as u32 as i32) };
        Ok((segment_duration, media_time, body.u32("media_rate")?))
    };
    let mut first = None;
    for _ in 0..count {
        let read = read();
        first = first.or(Some(check.fields(&INIT_BOX_SIZE, elst, read)?));
    }
    check.end(elst, &body);
    let wrong = match first {
        _ if !check.is_cmaf => None,
        Some((_, _, _)) if count != 1 => Some(format!("the edit list has {count} entries, not one")),
        None => Some("the edit list has no entry".to_owned()),
        Some((duration @ 1.., _, _)) => Some(format!("segment_duration of the edit is {duration}, not 0")),
        Some((_, _, rate)) if rate != 0x1_0000 => {
            Some(format!("media_rate of the edit is {rate:#010x}, not 1.0"))
        }
        Some((_, media_time, _)) if media_time < 0 => Some(format!("media_time of the edit is {media_time}")),
        Some(_) => None,
    };
    if let Some(wrong) = wrong {
        check.add(&INIT_EDIT_LIST, elst.offset, wrong);
    }
    let (duration, media_time, _) = first?;
    let empty = (media_time == -1).then_some(duration);
    Some(((count == 1 && media_time >= 0).then_some(media_time), empty))
}

fn read_mdia<'a>(check: &mut Check<'_>, mdia: &BoxRef<'a>, track: &mut Track<'a>) {
    let children = check.inner(mdia, &MDIA);
    track.timescale = children.first(b"mdhd").and_then(|mdhd| read_mdhd(check, mdhd));
    track.handler = children.first(b"hdlr").and_then(|hdlr| read_hdlr(check, hdlr));
    let Some(minf) = children.first(b"minf") else {
        return;
    };
    let children = check.inner(minf, &MINF);
    check_media_header(check, minf, &children, track.handler);
    if let Some(dinf) = children.first(b"dinf")
        && let Some(dref) = check.inner(dinf, &DINF).first(b"dref")
    {
        track.references = read_dref(check, dref);
    }
    if let Some(stbl) = children.first(b"stbl") {
        let tables = check.inner(stbl, &STBL);
        check_tables(check, &tables);
        track.has_sync_table = tables.first(b"stss").is_some();
        track.stsd = tables.first(b"stsd").cloned();
        for sgpd in tables.all(b"sgpd").filter(|sgpd| roll::is_roll(sgpd)) {
            match roll::read(sgpd) {
                Ok(rolls) => track.rolls = rolls,
                Err(fault) => check.add(&INIT_ROLL_GROUP, sgpd.offset, fault),
            }
        }
    }
}

fn read_mdhd(check: &mut Check<'_>, mdhd: &BoxRef<'_>) -> Option<u32> {
    let (version, _, mut body) = check.full(mdhd, 1, 0)?;
    let mut read = || -> Result<_> {
        skip_times(&mut body, version)?;
        let timescale = body.u32("timescale")?;
        wide(&mut body, version, "duration")?;
        body.u32("language and pre_defined")?;
        Ok(timescale)
    };
    let read = read();
    let timescale = check.fields(&INIT_BOX_SIZE, mdhd, read)?;
    check.end(mdhd, &body);
    check_timescale(check, mdhd, timescale);
    Some(timescale)
}

fn read_hdlr(check: &mut Check<'_>, hdlr: &BoxRef<'_>) -> Option<FourCc> {
    let (_, _, mut body) = check.full(hdlr, 0, 0)?;
    let mut read = || -> Result<_> {
        body.u32("pre_defined")?;
        let handler = FourCc(body.array("handler_type")?);
        body.take(12, "reserved")?;
        Ok(handler)
    };
    let read = read();
    check.fields(&INIT_BOX_SIZE, hdlr, read)
}

/// The media header against the handler.
fn check_media_header(
    check: &mut Check<'_>,
    minf: &BoxRef<'_>,
    children: &Children<'_>,
    handler: Option<FourCc>,
) {
    let wanted: Option<&[u8; 4]> = match handler.map(|handler| handler.0) {
        Some([b'v', b'i', b'd', b'e']) => Some(b"vmhd"),
        Some([b's', b'o', b'u', b'n']) => Some(b"smhd"),
        Some([b's', b'u', b'b', b't']) => Some(b"sthd"),
        _ => None,
    };
    let vmhd = children.first(b"vmhd");
    let smhd = children.first(b"smhd");
    if let Some(wanted) = wanted
        && children.first(wanted).is_none()
    {
        let others: [&[u8; 4]; 6] = [b"vmhd", b"smhd", b"sthd", b"nmhd", b"hmhd", b"gmhd"];
        let name = FourCc(*wanted);
        match others.iter().find_map(|kind| children.first(kind)) {
            Some(other) => {
                let handler = handler.unwrap_or(name);
                let message = format!("the handler is '{handler}', the media header '{}'", other.kind);
                check.add(&INIT_HANDLER, other.offset, message);
            }
            None => check.add(&INIT_BOX_MISSING, minf.offset, format!("box 'minf' has no box '{name}'")),
        }
    }
    let is_text = handler.is_some_and(|handler| matches!(&handler.0, b"text" | b"meta" | b"sbtl"));
    if let Some(other) = vmhd.or(smhd).filter(|_| is_text) {
        let message = format!("the handler is of text or metadata, the media header '{}'", other.kind);
        check.add(&INIT_HANDLER, other.offset, message);
    }
    for (header, flags, len) in [(vmhd, 1, 8), (smhd, 0, 4)] {
        if let Some(header) = header
            && let Some((_, _, mut body)) = check.full(header, 0, flags)
        {
            let read = body.take(len, "fields of the media header");
            if check.fields(&INIT_BOX_SIZE, header, read).is_some() {
                check.end(header, &body);
            }
        }
    }
}

/// For each entry of `dref`, whether it says that the media is in the same file.
fn read_dref(check: &mut Check<'_>, dref: &BoxRef<'_>) -> Vec<Option<bool>> {
    const KEPT: usize = 64;
    let Some((_, _, mut body)) = check.full(dref, 0, 0) else {
        return vec![None];
    };
    let Some(count) = check.fields(&INIT_BOX_SIZE, dref, body.u32("entry_count")) else {
        return vec![None];
    };
    let mut references = Vec::new();
    let mut entries = body.boxes();
    let mut found = 0u32;
    loop {
        let next = entries.next();
        let Some(Some(entry)) = check.fields(&INIT_BOX_SIZE, dref, next) else {
            break;
        };
        found = found.saturating_add(1);
        let flags = entry.fields(CLAUSE).u32("version and flags").map(|word| word & 1 == 1);
        if references.len() < KEPT {
            references.push(if matches!(&entry.kind.0, b"url " | b"urn ") { flags.ok() } else { None });
        }
    }
    if found != count || count == 0 {
        let message = format!("entry_count of dref is {count}, it has {found} entries");
        check.add(&INIT_DATA_REFERENCE, dref.offset, message);
    } else if check.is_cmaf && count != 1 {
        check.add(&INIT_DATA_REFERENCE, dref.offset, format!("dref has {count} entries, not one"));
    }
    references
}

/// Sample tables have no entries.
fn check_tables(check: &mut Check<'_>, tables: &Children<'_>) {
    // Bytes in front of the count.
    for (kind, skip) in
        [(b"stts", 0), (b"stsc", 0), (b"stsz", 4), (b"stz2", 4), (b"stco", 0), (b"co64", 0), (b"stss", 0)]
    {
        let Some(table) = tables.first(kind) else {
            continue;
        };
        let Some((_, _, mut body)) = check.full(table, 0, 0) else {
            continue;
        };
        let read = body.take(skip, "sample_size").and_then(|_| body.u32("entry_count"));
        match check.fields(&INIT_BOX_SIZE, table, read) {
            Some(0) => check.end(table, &body),
            Some(count) => {
                let message = format!("box '{}' has {count} entries, not 0", table.kind);
                check.add(&INIT_TABLES, table.offset, message);
            }
            None => {}
        }
    }
}
