//! `stsd` ► the sample entry: format, size, sound, and the box with its configuration (ISO/IEC 14496-12 8.5.2, 12.1.3,
//! 12.2.3, 8.12), against what the configuration, `tkhd` and the handler say.

use super::check::{CLAUSE, Check, Children, Count::*, Table, ordered, unordered};
use super::codec::{self, Facts};
use super::track::Track;
use super::{
    Entry, INIT_CHANNELS, INIT_CONFIG, INIT_DATA_REFERENCE, INIT_DISPLAY_SIZE, INIT_ENCRYPTION, INIT_ENTRY,
    INIT_HANDLER, INIT_SIZE,
};
use crate::boxes::FourCc;
use crate::boxes::reader::{Body, BoxRef};
use crate::error::Result;

/// In a sample entry. Order is free.
const ENTRY: Table = unordered(&[
    (
        &[b"avcC", b"hvcC", b"av1C", b"vpcC", b"esds", b"dOps", b"dfLa", b"dac3", b"dec3", b"vvcC", b"alac"],
        Any,
    ),
    (&[b"sinf"], Any),
    (&[b"pasp"], AtMostOne),
    (&[b"clap"], AtMostOne),
    (&[b"colr"], Any),
]);
const SINF: Table = ordered(&[(&[b"frma"], One), (&[b"schm"], AtMostOne), (&[b"schi"], AtMostOne)]);

/// What `stsd` says.
pub(super) struct Description {
    pub entry: Entry,
    /// The handler that goes with the format, where that is known.
    pub handler: Option<FourCc>,
    /// How many entries there are.
    pub count: u32,
}

impl Description {
    fn unknown() -> Self {
        let entry = Entry {
            format: FourCc([0; 4]),
            configuration: None,
            codec: None,
            size: None,
            channels: None,
            sample_rate: None,
            colour: None,
            pre_skip: None,
            dolby: None,
            is_encrypted: false,
        };
        Self { entry, handler: None, count: 0 }
    }
}

/// What a format is a kind of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Visual,
    Audio,
    Subtitle,
    Text,
}

impl Kind {
    /// Of a format; `None` where it is not known.
    fn of(format: FourCc) -> Option<Self> {
        Some(match &format.0 {
            b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" | b"dvav"
            | b"dva1" | b"dav1" | b"vvc1" | b"vvi1" | b"av01" | b"vp08" | b"vp09" | b"mp4v" | b"encv" => {
                Self::Visual
            }
            b"mp4a" | b"Opus" | b"fLaC" | b"ac-3" | b"ec-3" | b"ac-4" | b"alac" | b"mha1" | b"mha2"
            | b"mhm1" | b"mhm2" | b"dtsc" | b"dtsh" | b"dtsl" | b"dtse" | b"dtsx" | b"dtsy" | b"iamf"
            | b".mp3" | b"enca" => Self::Audio,
            b"stpp" => Self::Subtitle,
            b"wvtt" => Self::Text,
            _ => return None,
        })
    }

    fn handler(self) -> FourCc {
        FourCc(match self {
            Self::Visual => *b"vide",
            Self::Audio => *b"soun",
            Self::Subtitle => *b"subt",
            Self::Text => *b"text",
        })
    }
}

/// The fixed fields of a sample entry.
#[derive(Default)]
struct Fields {
    data_reference_index: u16,
    size: Option<(u16, u16)>,
    /// `channelcount`, `samplesize`, `samplerate` as a whole number.
    sound: Option<(u16, u16, u16)>,
}

/// Reads `stsd` of a track. Of several entries the first is taken; where their formats or configurations differ, neither is.
pub(super) fn read(check: &mut Check<'_>, track: &Track<'_>) -> Description {
    let mut description = Description::unknown();
    let Some(stsd) = &track.stsd else {
        return description;
    };
    let Some((_, _, mut body)) = check.full(stsd, 1, 0) else {
        return description;
    };
    let Some(count) = check.fields(&INIT_ENTRY, stsd, body.u32("entry_count")) else {
        return description;
    };
    let mut entries = body.boxes();
    let mut found = 0u32;
    loop {
        let next = entries.next();
        let Some(Some(entry)) = check.fields(&INIT_ENTRY, stsd, next) else {
            break;
        };
        found = found.saturating_add(1);
        if found > MOST_ENTRIES {
            continue;
        }
        let (read, kind) = read_entry(check, &entry, track);
        if found == 1 {
            description.entry = read;
            description.handler = kind.map(Kind::handler);
        } else {
            merge(&mut description.entry, read);
        }
    }
    description.count = found;
    if found != count || count == 0 {
        let message = format!("entry_count of stsd is {count}, it has {found} sample entries");
        check.add(&INIT_ENTRY, stsd.offset, message);
    }
    description
}

/// More sample entries of one track are not looked at.
const MOST_ENTRIES: u32 = 16;

/// Two entries of one track: encrypted and clear with one configuration, or what nothing is to be said about.
fn merge(first: &mut Entry, other: Entry) {
    first.is_encrypted |= other.is_encrypted;
    if (first.format, &first.configuration) != (other.format, &other.configuration) {
        first.configuration = None;
        first.codec = None;
        first.size = None;
        first.channels = None;
        first.sample_rate = None;
        first.pre_skip = None;
        first.dolby = None;
    }
    if first.colour != other.colour {
        first.colour = None;
    }
}

fn read_entry(check: &mut Check<'_>, entry: &BoxRef<'_>, track: &Track<'_>) -> (Entry, Option<Kind>) {
    let is_encrypted = matches!(&entry.kind.0, b"encv" | b"enca" | b"enct" | b"encs" | b"encm");
    let kind = Kind::of(entry.kind).or_else(|| match track.handler.map(|handler| handler.0) {
        Some([b'v', b'i', b'd', b'e']) => Some(Kind::Visual),
        Some([b's', b'o', b'u', b'n']) => Some(Kind::Audio),
        _ => None,
    });
    check_handler(check, entry, track);
    let mut read = Description::unknown().entry;
    (read.format, read.is_encrypted) = (entry.kind, is_encrypted);
    let mut body = entry.fields(CLAUSE);
    let fields = read_fields(&mut body, kind);
    let Some(fields) = check.fields(&INIT_ENTRY, entry, fields) else {
        return (read, kind);
    };
    check_reference(check, entry, fields.data_reference_index, track);
    read.size = fields.size;
    if !matches!(kind, Some(Kind::Visual | Kind::Audio)) {
        // Strings stand in front of the boxes of text.
        read.codec = text_codec(read.format);
        return (read, kind);
    }
    let name = format!("sample entry '{}'", entry.kind);
    let children = check.children(&name, body.offset(), without_terminator(body).boxes(), &ENTRY);
    if is_encrypted {
        match read_original_format(check, entry, &children) {
            Some(format) => read.format = format,
            None => return (read, kind),
        }
    }
    let facts = read_configuration(check, entry, &children, &mut read);
    check_facts(check, entry, &fields, &facts, &children);
    if let (Some(size), true) = (fields.size, kind == Some(Kind::Visual)) {
        check_display_size(check, entry, size, track, &children);
    }
    let sound = fields.sound.filter(|_| kind == Some(Kind::Audio));
    read.codec = facts.codec;
    (read.pre_skip, read.dolby) = (facts.pre_skip, facts.dolby);
    // Of other formats channelcount is often 2 whatever there is.
    let sound = sound.filter(|_| !facts.is_sound_unknown && tells_sound(read.format));
    read.channels = facts.channels.or(sound.map(|sound| sound.0));
    let rate = sound.map(|sound| u32::from(sound.2)).filter(|&rate| rate != 0);
    read.sample_rate = facts.sample_rate.or(rate);
    read.colour = children.all(b"colr").find_map(colour);
    (read, kind)
}

/// Formats whose sample entry says what the sound is.
fn tells_sound(format: FourCc) -> bool {
    matches!(&format.0, b"Opus" | b"fLaC" | b"alac" | b"ipcm" | b"fpcm")
}

/// QuickTime and what descends from it ends a list of boxes by zeros that are no box.
fn without_terminator(body: Body<'_>) -> Body<'_> {
    let rest = body.rest();
    let mut at = 0usize;
    while let Some(size) = rest.get(at..at.saturating_add(8)) {
        let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
        if size < 8 || size > rest.len() - at {
            return body;
        }
        at += size;
    }
    let mut whole = body.clone();
    match whole.take(at, "boxes") {
        Ok(boxes) if rest[at..].iter().all(|byte| *byte == 0) => boxes,
        _ => body,
    }
}

/// The handler against the format.
fn check_handler(check: &mut Check<'_>, entry: &BoxRef<'_>, track: &Track<'_>) {
    if let (Some(kind), Some(handler)) = (Kind::of(entry.kind), track.handler)
        && kind.handler() != handler
        && !(kind == Kind::Text && matches!(&handler.0, b"subt" | b"sbtl"))
    {
        let message = format!("the handler is '{handler}', the sample entry '{}'", entry.kind);
        check.add(&INIT_HANDLER, entry.offset, message);
    }
}

fn check_reference(check: &mut Check<'_>, entry: &BoxRef<'_>, index: u16, track: &Track<'_>) {
    let reference = usize::from(index).checked_sub(1).map(|at| track.references.get(at));
    let message = match reference {
        _ if track.references.is_empty() => return,
        Some(Some(Some(false))) => format!("entry {index} of dref says that the media is in another file"),
        Some(Some(_)) => return,
        _ => format!("data_reference_index is {index}, dref has {} entries", track.references.len()),
    };
    check.add(&INIT_DATA_REFERENCE, entry.offset, message);
}

fn read_fields(body: &mut Body<'_>, kind: Option<Kind>) -> Result<Fields> {
    body.take(6, "reserved")?;
    let mut fields = Fields { data_reference_index: body.u16("data_reference_index")?, ..Fields::default() };
    match kind {
        Some(Kind::Visual) => {
            body.take(16, "pre_defined")?;
            fields.size = Some((body.u16("width")?, body.u16("height")?));
            body.take(50, "horizresolution to pre_defined")?;
        }
        Some(Kind::Audio) => {
            let version = body.u16("entry_version")?;
            body.take(6, "reserved")?;
            let (channels, bits) = (body.u16("channelcount")?, body.u16("samplesize")?);
            body.u32("pre_defined")?;
            let rate = body.u16("samplerate")?;
            body.u16("samplerate")?;
            fields.sound = Some((channels, bits, rate));
            if version == 1 && body.rest().get(4..8).is_some_and(|kind| !is_box_type(kind)) {
                body.take(16, "fields of QuickTime")?;
            }
        }
        _ => {}
    }
    Ok(fields)
}

fn is_box_type(kind: &[u8]) -> bool {
    kind.iter().all(|byte| (b' '..=b'~').contains(byte))
}

fn text_codec(format: FourCc) -> Option<String> {
    matches!(&format.0, b"stpp" | b"wvtt").then(|| format.to_string())
}

/// The format that an encrypted entry had before.
fn read_original_format(
    check: &mut Check<'_>,
    entry: &BoxRef<'_>,
    children: &Children<'_>,
) -> Option<FourCc> {
    let Some(sinf) = children.first(b"sinf") else {
        check.add(&INIT_ENCRYPTION, entry.offset, format!("sample entry '{}' has no box 'sinf'", entry.kind));
        return None;
    };
    let frma = check.inner(sinf, &SINF).first(b"frma")?.clone();
    let format = frma.fields(CLAUSE).array("data_format");
    let format = check.fields(&INIT_ENCRYPTION, &frma, format).map(FourCc)?;
    if Kind::of(format).is_some() && Kind::of(format) != Kind::of(entry.kind) {
        let message = format!("sample entry '{}' says that it was '{format}'", entry.kind);
        check.add(&INIT_ENCRYPTION, frma.offset, message);
    }
    Some(format)
}

fn read_configuration(
    check: &mut Check<'_>,
    entry: &BoxRef<'_>,
    children: &Children<'_>,
    read: &mut Entry,
) -> Facts {
    let Some(kind) = codec::box_of(read.format) else {
        return Facts { codec: text_codec(read.format), ..Facts::default() };
    };
    let mut records = children.all(&kind);
    let Some(record) = records.next() else {
        let message = format!("sample entry '{}' has no box '{}'", entry.kind, FourCc(kind));
        check.add(&INIT_CONFIG, entry.offset, message);
        return Facts::default();
    };
    if let Some(second) = records.next() {
        check.config(second, "there is a second one");
    }
    read.configuration = Some((record.kind, record.body.rest().to_vec()));
    codec::read(check, record, read.format)
}

/// The fixed fields against the configuration.
fn check_facts(
    check: &mut Check<'_>,
    entry: &BoxRef<'_>,
    fields: &Fields,
    facts: &Facts,
    children: &Children<'_>,
) {
    if let Some((width, height)) = fields.size
        && !facts.sizes.is_empty()
        && !facts.sizes.contains(&(width.into(), height.into()))
        && children.first(b"clap").is_none()
    {
        let (found_width, found_height) = facts.sizes[0];
        let message = format!(
            "the sample entry says {width}x{height}, its configuration pictures of {found_width}x{found_height}"
        );
        check.add(&INIT_SIZE, entry.offset, message);
    }
    let Some((channels, bits, rate)) = fields.sound else { return };
    if let Some(found) = facts.entry_rate.filter(|&found| !is_rate_of(rate, found)) {
        let message = format!("the sample entry says {rate} Hz, its configuration {found} Hz");
        check.add(&INIT_CHANNELS, entry.offset, message);
    }
    let Some(sound) = &facts.sound else { return };
    let rate_agrees = is_rate_of(rate, sound.sample_rate);
    let bits_agree = sound.bits.is_none_or(|found| found == bits);
    if channels != sound.channels || !rate_agrees || !bits_agree {
        let bits_of = sound.bits.map_or(String::new(), |bits| format!(", {bits} bits"));
        let message = format!(
            "the sample entry says {channels} channels, {rate} Hz, {bits} bits, its configuration {} channels, {} Hz{bits_of}",
            sound.channels, sound.sample_rate
        );
        check.add(&INIT_CHANNELS, entry.offset, message);
    }
}

/// Whether `samplerate` may stand for a rate: beyond 16 bits a division of it, or the largest number where there is none (RFC 9639
/// 10.3).
fn is_rate_of(field: u16, rate: u32) -> bool {
    match u16::try_from(rate) {
        Ok(rate) => rate == field,
        Err(_) => field == u16::MAX || rate.checked_rem(field.into()) == Some(0),
    }
}

/// `tkhd` has the shape of the pictures: of the entry's size with its sample aspect ratio, within one in each direction.
fn check_display_size(
    check: &mut Check<'_>,
    entry: &BoxRef<'_>,
    (width, height): (u16, u16),
    track: &Track<'_>,
    children: &Children<'_>,
) {
    let Some((shown_width, shown_height)) = track.size else {
        return;
    };
    if children.first(b"clap").is_some() || width == 0 || height == 0 {
        return;
    }
    let (h_spacing, v_spacing) = match children.first(b"pasp").map(spacing) {
        None => (1, 1),
        Some(Some(spacing)) => spacing,
        Some(None) => return,
    };
    let wide = u128::from(width) * u128::from(h_spacing);
    let high = u128::from(height) * u128::from(v_spacing);
    // Width : height in 16.16, each one more or less.
    let (least, most) =
        (|value: u32| value.saturating_sub(1 << 16), |value: u32| value.saturating_add(1 << 16));
    let fits = u128::from(least(shown_width)) * high <= u128::from(most(shown_height)) * wide
        && u128::from(most(shown_width)) * high >= u128::from(least(shown_height)) * wide;
    if !fits || shown_width == 0 || shown_height == 0 {
        let message = format!(
            "tkhd says {}x{}, the sample entry {width}x{height} with samples of {h_spacing}:{v_spacing}",
            f64::from(shown_width) / 65536.0,
            f64::from(shown_height) / 65536.0
        );
        check.add(&INIT_DISPLAY_SIZE, entry.offset, message);
    }
}

/// `hSpacing` and `vSpacing` of `pasp`; `None` where they make no shape.
fn spacing(pasp: &BoxRef<'_>) -> Option<(u32, u32)> {
    let mut body = pasp.fields(CLAUSE);
    let spacing = (body.u32("hSpacing").ok()?, body.u32("vSpacing").ok()?);
    (spacing.0 != 0 && spacing.1 != 0).then_some(spacing)
}

/// `colour_primaries`, `transfer_characteristics` and `matrix_coefficients` of a `colr` of type `nclx`.
fn colour(colr: &BoxRef<'_>) -> Option<[u16; 3]> {
    let mut body = colr.fields(CLAUSE);
    if body.array("colour_type").ok()? != *b"nclx" {
        return None;
    }
    let mut colour = [0; 3];
    for (value, name) in
        colour.iter_mut().zip(["colour_primaries", "transfer_characteristics", "matrix_coefficients"])
    {
        *value = body.u16(name).ok()?;
    }
    Some(colour)
}
