//! What manifests claim of tracks and variants, against their init segments and samples.

use std::collections::BTreeSet;

use super::{
    CHANNEL_LOCATIONS, CHANNELS, CODECS, CONTENT_TYPE, FRAME_RATE, RESOLUTION, SAMPLE_RATE, START_WITH_SAP,
    Track, VIDEO_RANGE, sets::family,
};
use crate::verify::findings::Findings;
use crate::verify::header::{Header, codecs_agree};
use crate::verify::listing::{Claims, ListedFrameRate, Listing, Variant};

/// More codec strings than one track or variant has.
const MAX_CODECS: usize = 64;

pub(super) fn check(listing: &Listing, tracks: &[Track], findings: &mut Findings) {
    check_codecs_of(listing, &[tracks.to_vec()], findings);
    check_others(listing, tracks, findings);
}

/// Codec strings of tracks and variants: those of all parts of the presentation together.
pub(super) fn check_codecs_of(listing: &Listing, parts: &[Vec<Track>], findings: &mut Findings) {
    let file = &listing.file;
    for (index, listed) in listing.tracks.iter().enumerate() {
        let headers = parts.iter().filter_map(|tracks| tracks.get(index)).flat_map(|track| track.headers());
        check_codecs(file, &listed.claims, headers, findings);
    }
    for variant in &listing.variants {
        let headers =
            parts.iter().filter_map(|tracks| Some(played(variant, *tracks.get(variant.track)?, tracks)));
        check_codecs(file, &variant.claims, headers.flatten(), findings);
    }
}

/// What else is claimed.
pub(super) fn check_others(listing: &Listing, tracks: &[Track], findings: &mut Findings) {
    let file = &listing.file;
    for &track in tracks {
        let claims = &track.listed.claims;
        check_picture(file, claims, track, findings);
        let mut sounds = track.multiplexed().filter(|track| track.is_audio());
        if let (Some(sound), None) = (sounds.next(), sounds.next()) {
            check_sound(file, claims, sound, findings);
        }
        check_content_type(file, claims, track, findings);
        check_sap(claims, track, findings);
    }
    for variant in &listing.variants {
        let Some(&track) = tracks.get(variant.track) else { continue };
        check_picture(file, &variant.claims, track, findings);
        check_range(file, &variant.claims, track, findings);
    }
}

/// The headers of the tracks that the codec strings of a variant are of.
fn played<'a>(
    variant: &Variant,
    track: Track<'a>,
    tracks: &[Track<'a>],
) -> impl Iterator<Item = Option<&'a Header>> {
    let others = variant.audio.iter().chain(&variant.subtitles).filter_map(|&index| tracks.get(index));
    std::iter::once(track).chain(others.copied()).flat_map(Track::headers)
}

fn check_codecs<'a>(
    file: &str,
    claims: &Claims,
    headers: impl Iterator<Item = Option<&'a Header>>,
    findings: &mut Findings,
) {
    if claims.codecs.is_empty() {
        return;
    }
    let headers: Vec<_> = headers.collect();
    let codec = |header: &Header| header.entry.codec.clone();
    let found: BTreeSet<String> = headers.iter().copied().flatten().filter_map(codec).collect();
    // Subtitles need not be named (RFC 8216 3.5 has them as text files).
    let is_played = |header: &&Header| matches!(&header.handler.0, b"vide" | b"soun");
    let required: BTreeSet<String> =
        headers.iter().copied().flatten().filter(is_played).filter_map(codec).collect();
    let claimed: BTreeSet<&str> = claims.codecs.iter().take(MAX_CODECS).map(String::as_str).collect();
    // A string may be that of a track that could not be read, or whose codec is not known.
    let is_known = headers.iter().all(|header| header.is_some_and(|header| header.entry.codec.is_some()));
    check_unknown(file, claims, headers.iter().copied().flatten().filter(is_played), findings);
    let is_found = |claim: &str| found.iter().any(|found| codecs_agree(claim, found));
    let wrong = list(claimed.iter().copied().filter(|claim| is_known && !is_found(claim)));
    let is_claimed = |found: &str| claimed.iter().any(|claim| codecs_agree(claim, found));
    let missing = list(required.iter().map(String::as_str).filter(|found| !is_claimed(found)));
    // One wrong string is one that should not be there and one that is not there: said once.
    let message = match (wrong, missing) {
        (None, None) => return,
        (Some(wrong), Some(missing)) => {
            format!("the codecs have {wrong}, which no sample entry makes, and not {missing}, which one does")
        }
        (Some(wrong), None) => {
            let found = list(found.iter().map(String::as_str)).unwrap_or_default();
            format!("the codecs have {wrong}, the sample entries make {found} alone")
        }
        (None, Some(missing)) => {
            let claimed = list(claimed.iter().copied()).unwrap_or_default();
            format!("the sample entries make {missing}, which is not among the codecs {claimed}")
        }
    };
    findings.add(&CODECS, file, claims.offset, message);
}

/// Codec strings in quotes; `None` of none.
fn list<'a>(codecs: impl Iterator<Item = &'a str>) -> Option<String> {
    let quoted: Vec<_> = codecs.map(|codec| format!("{codec:?}")).collect();
    (!quoted.is_empty()).then(|| quoted.join(", "))
}

/// A codec that is not known has a string that begins with the type of its sample entry (RFC 6381 3.3).
fn check_unknown<'a>(
    file: &str,
    claims: &Claims,
    headers: impl Iterator<Item = &'a Header>,
    findings: &mut Findings,
) {
    let unknown = headers.map(|header| &header.entry).filter(|entry| entry.codec.is_none());
    for format in unknown.map(|entry| entry.format) {
        let is_named = |claim: &String| {
            claim.trim().get(..4).is_some_and(|kind| kind.eq_ignore_ascii_case(&format.to_string()))
        };
        if !claims.codecs.iter().take(MAX_CODECS).any(is_named) {
            let claimed = claims.codecs.iter().take(MAX_CODECS).cloned().collect::<Vec<_>>().join(", ");
            let message = format!("a sample entry is '{format}', which no codec of {claimed:?} begins with");
            findings.add(&CODECS, file, claims.offset, message);
        }
    }
}

fn check_picture(file: &str, claims: &Claims, track: Track, findings: &mut Findings) {
    let Some(header) = track.header().filter(|_| track.is_video()) else { return };
    if let (Some((width, height)), Some(found)) = (claims.size, header.entry.size) {
        let found = (u64::from(found.0), u64::from(found.1));
        if !is_size_of((width, height), found) {
            let message = format!(
                "{} is to be {width}x{height}, its sample entry has {}x{}",
                track.listed.name, found.0, found.1
            );
            findings.add(&RESOLUTION, file, claims.offset, message);
        }
    }
    check_rate(file, claims, track, header.timescale, findings);
}

fn check_rate(file: &str, claims: &Claims, track: Track, timescale: u32, findings: &mut Findings) {
    let (Some(rate), Some((shortest, longest))) = (claims.frame_rate, track.sample_durations) else {
        return;
    };
    // In H.265 a field may be a sample of its own.
    let has_fields = track.header().is_some_and(|header| family(&header.entry) == *b"hvc1");
    let is_pair_of_fields =
        || has_fields && is_rate_of(rate, timescale, shortest.saturating_mul(2), longest.saturating_mul(2));
    if !is_rate_of(rate, timescale, shortest, longest) && !is_pair_of_fields() {
        let message = format!(
            "{} is to have {} pictures a second, its samples make {:.3} to {:.3}",
            track.listed.name,
            rate_text(rate),
            f64::from(timescale) / f64::from(longest),
            f64::from(timescale) / f64::from(shortest)
        );
        findings.add(&FRAME_RATE, file, claims.offset, message);
    }
}

/// Whether a size is that of the pictures, or one to which pixels that are not square are scaled: in one direction, by any
/// factor.
fn is_size_of(claimed: (u64, u64), found: (u64, u64)) -> bool {
    claimed.0 == found.0 || claimed.1 == found.1
}

/// Whether a rate is between those of the longest and the shortest sample, to within 0.1 %, which is 24 for 24000/1001,
/// and to within half of the last digit.
fn is_rate_of(rate: ListedFrameRate, timescale: u32, shortest: u32, longest: u32) -> bool {
    let (numerator, denominator, slack) = match rate {
        ListedFrameRate::Exact(numerator, denominator) => (numerator, denominator.max(1), 0u8),
        ListedFrameRate::Thousandths(thousandths) => (thousandths, 1000, 1),
    };
    // Products of 64 bits, 32 bits and 11 bits.
    let limit = |duration: u32, per_mille: u128| {
        let claimed = (u128::from(numerator) * 2, u128::from(denominator) * 2);
        let slack = u128::from(slack);
        let lower = claimed.0.saturating_sub(slack) * u128::from(duration) * 1000;
        let upper = (claimed.0 + slack) * u128::from(duration) * 1000;
        let found = claimed.1 * u128::from(timescale) * per_mille;
        (lower, upper, found)
    };
    let (_, upper, slowest) = limit(longest, 999);
    let (lower, _, fastest) = limit(shortest, 1001);
    shortest == 0 || (upper >= slowest && lower <= fastest)
}

fn rate_text(rate: ListedFrameRate) -> String {
    match rate {
        ListedFrameRate::Exact(numerator, 1) => numerator.to_string(),
        ListedFrameRate::Exact(numerator, denominator) => format!("{numerator}/{denominator}"),
        ListedFrameRate::Thousandths(thousandths) => {
            format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
        }
    }
}

/// Only what is known to be wrong: a `colr` that says so. Pictures of SDR characteristics may be HLG by an SEI message
/// (H.265 D.2.38, not opened).
fn check_range(file: &str, claims: &Claims, track: Track, findings: &mut Findings) {
    let Some([_, transfer, _]) = track.header().and_then(|header| header.entry.colour) else { return };
    let found = match transfer {
        16 => "PQ",
        18 => "HLG",
        1 | 6 | 13..=15 => "SDR",
        _ => return,
    };
    let claimed = claims.video_range.as_deref();
    let is_sound = match claimed {
        None | Some("SDR") => found == "SDR",
        Some("PQ") => found == "PQ",
        Some("HLG") => found != "PQ",
        Some(_) => true,
    };
    if !is_sound {
        let message = format!(
            "transfer characteristics {transfer} of {} are {found}, VIDEO-RANGE is {}",
            track.listed.name,
            claimed.unwrap_or("missing: SDR")
        );
        findings.add(&VIDEO_RANGE, file, claims.offset, message);
    }
}

fn check_sound(file: &str, claims: &Claims, track: Track, findings: &mut Findings) {
    let Some(Header { entry, .. }) = track.header().filter(|_| track.is_audio()) else { return };
    if let (Some(claimed), Some(found)) = (claims.channels, entry.channels) {
        // Parametric stereo makes two channels of one, and joint object coding more of some.
        let is_extended = match &entry.format.0 {
            b"mp4a" => (claimed, found) == (2, 1),
            b"ec-3" => claimed > u64::from(found),
            // These entries leave the number to the bitstream.
            b"ac-4" | b"mhm1" | b"mha1" | b"iamf" => true,
            _ => false,
        };
        if claimed != u64::from(found) && found != 0 && !is_extended {
            let message =
                format!("{} is to have {claimed} channels, its sample entry has {found}", track.name());
            findings.add(&CHANNELS, file, claims.offset, message);
        }
    }
    if let Some(dolby) = entry.dolby {
        let of = |what: Option<u64>| what.map_or("none".to_owned(), |what| what.to_string());
        if let (Some(claimed), Some(found)) = (claims.locations, dolby.locations)
            && claimed != found
        {
            let message = format!(
                "{} is to have channels at {claimed:04X}, its configuration has {found:04X}",
                track.name()
            );
            findings.add(&CHANNEL_LOCATIONS, file, claims.offset, message);
        }
        let found = dolby.joc.map(u64::from);
        if claims.joc.is_some() && claims.joc != found {
            let (claimed, found) = (of(claims.joc), of(found));
            let message = format!(
                "{} is to have {claimed} objects of JOC, its configuration has {found}",
                track.name()
            );
            findings.add(&CHANNEL_LOCATIONS, file, claims.offset, message);
        }
    }
    if let (Some(claimed), Some(found)) = (claims.sample_rate, entry.sample_rate.map(u64::from)) {
        // Spectral band replication doubles the rate, and either of the two is told.
        let is_near = claimed == found || claimed == found * 2 || claimed.checked_mul(2) == Some(found);
        if found != 0 && !is_near {
            let message = format!("{} is to have {claimed} samples a second, it has {found}", track.name());
            findings.add(&SAMPLE_RATE, file, claims.offset, message);
        }
    }
}

fn check_content_type(file: &str, claims: &Claims, track: Track, findings: &mut Findings) {
    let Some(header) = track.header() else { return };
    let found = match &header.handler.0 {
        b"vide" => "video",
        b"soun" => "audio",
        b"text" | b"subt" | b"sbtl" => "text",
        _ => return,
    };
    // Both stand for one where they are alike.
    let claimed: BTreeSet<_> = claims.content_type.iter().chain(&claims.mime_type).collect();
    let is_other =
        |claim: &&&String| matches!(claim.as_str(), "video" | "audio" | "text") && **claim != found;
    for claim in claimed.iter().filter(is_other) {
        let message = format!("{} is to be {claim}, its handler is {}", track.listed.name, header.handler);
        findings.add(&CONTENT_TYPE, file, claims.offset, message);
    }
}

/// Types 1 and 2 start with a sync sample.
fn check_sap(claims: &Claims, track: Track, findings: &mut Findings) {
    if !matches!(claims.start_with_sap, Some(1 | 2)) {
        return;
    }
    let mut others = track.read().filter(|(_, facts)| !facts.starts_with_sync);
    if let Some((listed, facts)) = others.next() {
        let more = others.count();
        let message = format!(
            "its first sample is no sync sample, {} is to start each segment with one; {more} more do not",
            track.listed.name
        );
        findings.add(&START_WITH_SAP, &listed.resource.path, Some(facts.offset), message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::FourCc;
    use crate::verify::header::Dolby;
    use crate::verify::tracks::testing::*;

    #[test]
    fn each_codec_has_its_string() {
        let mut package = Package::hls([video(), audio()]);
        let mut with = |codecs: &[&str]| {
            let claims = &mut package.listing.variants[0].claims;
            claims.codecs = codecs.iter().map(|&codec| codec.to_owned()).collect();
            package.rules()
        };
        assert_eq!(with(&["mp4a.40.2", "avc1.64001F"]), [""; 0]);
        assert_eq!(with(&[]), [""; 0]);
        assert_eq!(with(&["avc9.64001F", "mp4a.40.2"]), ["codecs"], "one cause");
        assert_eq!(with(&["avc1.64001F"]), ["codecs"]);
        assert_eq!(with(&["avc1.64001F", "mp4a.40.2", "ac-3"]), ["codecs"]);
        package.header(1).entry.codec = None;
        assert_eq!(package.rules(), [""; 0], "it may be the one that is not known");
        package.header(1).entry.format = FourCc(*b"Opus");
        assert_eq!(package.rules(), ["codecs"], "no claim begins with its type");
        package.header(1).entry.format = FourCc(*b"AC-3");
        assert_eq!(package.rules(), [""; 0], "in any case");
        package.tracks[0].0.claims.codecs = vec!["hvc1.1.6.L93.B0".to_owned()];
        let found = package.check();
        assert_eq!(ids(&found), ["codecs"]);
        assert_eq!(
            found[0].message,
            "the codecs have \"hvc1.1.6.L93.B0\", which no sample entry makes, and not \"avc1.64001F\", which one does"
        );
    }

    #[test]
    fn a_size_may_be_scaled_in_one_direction() {
        assert!(is_size_of((1280, 720), (1280, 720)) && is_size_of((1024, 576), (720, 576)));
        assert!(is_size_of((352, 480), (352, 240)) && is_size_of((427, 144), (176, 144)));
        let mut package = Package::hls([video(), audio()]);
        package.listing.variants[0].claims.size = Some((640, 360));
        assert_eq!(package.rules(), ["resolution"]);
        package.listing.variants[0].claims.size = Some((u64::MAX, 0));
        assert_eq!(package.rules(), ["resolution"]);
    }

    #[test]
    fn frame_rates_lie_between_those_of_the_samples() {
        let exact = ListedFrameRate::Exact;
        let thousandths = ListedFrameRate::Thousandths;
        assert!(is_rate_of(exact(25, 1), 1000, 40, 40) && !is_rate_of(exact(30, 1), 1000, 40, 40));
        assert!(is_rate_of(thousandths(29_970), 30_000, 1001, 1001));
        assert!(
            is_rate_of(exact(30, 1), 30_000, 1001, 1001) && !is_rate_of(exact(31, 1), 30_000, 1001, 1001)
        );
        assert!(is_rate_of(thousandths(23_976), 90_000, 3753, 3754));
        assert!(is_rate_of(thousandths(30_000), 1000, 33, 34) && is_rate_of(exact(24, 1), 1000, 33, 50));
        assert!(!is_rate_of(exact(u64::MAX, u64::MAX), u32::MAX, 1, 1) && is_rate_of(exact(1, 0), 1, 0, 5));
        let mut package = Package::hls([video(), audio()]);
        package.listing.variants[0].claims.frame_rate = Some(thousandths(50_000));
        assert_eq!(package.rules(), ["frame-rate"]);
        package.listing.variants[0].claims.frame_rate = Some(thousandths(12_500));
        assert_eq!(package.rules(), ["frame-rate"]);
        package.header(0).entry.format = FourCc(*b"hev1");
        assert_eq!(package.rules(), [""; 0], "two fields a frame");
    }

    #[test]
    fn locations_and_objects_are_those_of_the_configuration() {
        let mut package = Package::hls([video(), audio()]);
        let mut with = |locations, joc, found| {
            let claims = &mut package.tracks[1].0.claims;
            (claims.locations, claims.joc) = (locations, joc);
            package.header(1).entry.dolby = found;
            package.rules()
        };
        let dolby = |locations, joc| Some(Dolby { locations, joc });
        assert_eq!(with(Some(0xf801), None, dolby(Some(0xf801), None)), [""; 0]);
        assert_eq!(with(Some(0xa000), None, dolby(Some(0xf801), None)), ["channel-locations"]);
        assert_eq!(with(Some(0xfa01), None, dolby(None, None)), [""; 0], "dependent substreams");
        assert_eq!(with(None, Some(16), dolby(Some(0xf801), Some(16))), [""; 0]);
        assert_eq!(with(None, Some(16), dolby(Some(0xf801), Some(12))), ["channel-locations"]);
        assert_eq!(with(None, Some(16), dolby(Some(0xf801), None)), ["channel-locations"]);
        assert_eq!(with(None, None, dolby(Some(0xf801), Some(16))), [""; 0]);
        assert_eq!(with(Some(0xf801), Some(16), None), [""; 0], "of another codec");
    }

    #[test]
    fn video_ranges_are_those_of_the_transfer_characteristics() {
        let mut package = Package::hls([video(), audio()]);
        let mut with = |transfer: Option<u16>, range: Option<&str>| {
            package.header(0).entry.colour = transfer.map(|transfer| [1, transfer, 1]);
            package.listing.variants[0].claims.video_range = range.map(str::to_owned);
            package.rules()
        };
        for (transfer, range) in [
            (Some(1), None),
            (Some(16), Some("PQ")),
            (Some(2), Some("HLG")),
            (Some(14), Some("HLG")),
            (None, Some("PQ")),
        ] {
            assert_eq!(with(transfer, range), [""; 0], "{transfer:?} {range:?}");
        }
        for (transfer, range) in
            [(Some(16), None), (Some(18), Some("PQ")), (Some(1), Some("PQ")), (Some(16), Some("HLG"))]
        {
            assert_eq!(with(transfer, range), ["video-range"], "{transfer:?} {range:?}");
        }
    }

    #[test]
    fn sound_is_as_it_is_claimed() {
        let mut package = Package::of([audio()]);
        let mut with = |format: &[u8; 4], channels, rate| {
            package.header(0).entry.format = FourCc(*format);
            package.tracks[0].0.claims.channels = Some(channels);
            package.tracks[0].0.claims.sample_rate = Some(rate);
            package.rules()
        };
        assert_eq!(with(b"mp4a", 2, 48_000), [""; 0]);
        assert_eq!(with(b"mp4a", 6, 24_000), ["channels"]);
        assert_eq!(with(b"ec-3", 16, 96_000), [""; 0]);
        assert_eq!(with(b"mp4a", 2, 44_100), ["sample-rate"]);
    }

    #[test]
    fn content_types_are_those_of_handlers() {
        let mut package = Package::of([video()]);
        let mut with = |content_type: &str| {
            package.tracks[0].0.claims.content_type = Some(content_type.to_owned());
            package.rules()
        };
        assert_eq!(with("video"), [""; 0]);
        assert_eq!(with("application"), [""; 0]);
        assert_eq!(with("audio"), ["content-type"]);
        assert_eq!(with("video"), [""; 0]);
        package.tracks[0].0.claims.mime_type = Some("audio".to_owned());
        assert_eq!(package.rules(), ["content-type"], "by @mimeType alone");
    }

    #[test]
    fn segments_start_with_sync_samples() {
        let mut package = Package::of([video()]);
        package.facts(0)[2].starts_with_sync = false;
        assert_eq!(package.rules(), [""; 0]);
        package.tracks[0].0.claims.start_with_sap = Some(1);
        assert_eq!(package.rules(), ["start-with-sap"]);
        package.tracks[0].0.claims.start_with_sap = Some(3);
        assert_eq!(package.rules(), [""; 0]);
    }
}
