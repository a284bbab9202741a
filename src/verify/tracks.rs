//! Segments after each other, tracks beside each other, and what manifests say of them: everything that one file alone does
//! not tell. All of it is arithmetic on [`SegmentFacts`], [`Header`]s and [`Listing`]s; no file is opened.
//!
//! Where a manifest and the media may be read in more than one way (with the edit list or without it, by decode or by
//! presentation time), it is a finding only if no way fits. Tracks that do not call themselves CMAF are measured by ISO/IEC
//! 14496-12 and RFC 8216 alone.

mod bandwidth;
#[cfg(test)]
pub(in crate::verify) mod broken;
mod claims;
mod facts;
mod listed;
pub(in crate::verify) mod parts;
mod presentation;
mod sequence;
mod sets;
#[cfg(test)]
mod testing;
mod together;

pub(super) use facts::{SegmentFacts, Track, TrackFacts};
pub(super) use together::check_together;

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Findings;
use super::listing::{Listing, Resource, Time};
use super::rules::declare_rules;

declare_rules! {
    TFDT_CONTINUITY: Error "tfdt-continuity", "ISO/IEC 14496-12 8.8.12, ISO/IEC 23000-19 7.3.2.2 (not opened)",
        "each segment starts at the decode time where the one before it ends";
    SEQUENCE_ORDER: Warning "sequence-order", "ISO/IEC 14496-12 8.8.5",
        "the sequence numbers of movie fragments rise from segment to segment";
    HLS_DISCONTINUITIES: Error "hls-discontinuities", "draft-pantos-hls-rfc8216bis 6.2.4 (not opened)",
        "the media playlists of a presentation have discontinuities at the same times";
    HLS_MAP_CHANGE: Error "hls-map-change", "RFC 8216 4.3.2.3",
        "where an init segment follows that says another thing there is an EXT-X-DISCONTINUITY: of other tracks or timescales, and of other parameters";
    MPD_PERIOD_BOUNDS: Warning "mpd-period-bounds", "ISO/IEC 23009-1 5.3.2, 7.2.1 (not opened)",
        "of several periods each has tracks that start with it and end with it, to within a sample";
    TRACK_DURATION: Error "track-duration", "ISO/IEC 23000-19 7.3.2.1 (not opened)",
        "a movie extends header gives the duration of the whole track";
    HLS_EXTINF_DURATION: Error "hls-extinf-duration", "RFC 8216 4.3.2.1",
        "EXTINF is the duration of its segment, to within its rounding and one sample";
    MPD_SEGMENT_DURATION: Error "mpd-segment-duration", "ISO/IEC 23009-1 5.3.9.6 (not opened)",
        "S@d is the duration of its segment";
    MPD_SEGMENT_START: Error "mpd-segment-start", "ISO/IEC 23009-1 5.3.9.6 (not opened)",
        "S@t is the time on the media timeline at which its segment starts";
    MPD_NOMINAL_DURATION: Warning "mpd-nominal-duration", "ISO/IEC 23009-1 5.3.9.5 (not opened)",
        "segments that are listed by one duration differ from it, and start away from its multiples, by half of it at most";
    HLS_TIME_ZERO: Warning "hls-time-zero", "RFC 8216 6.2.4, ISO/IEC 23000-19 7.3.6 (not opened)",
        "the tracks of a presentation start together, and near time 0 if they are CMAF and not live";
    PRESENTATION_DURATION: Error "presentation-duration", "ISO/IEC 23009-1 5.3.1.2, ISO/IEC 23000-19 7.3.6 (not opened)",
        "mediaPresentationDuration reaches to the last sample of the longest track";
    PRESENTATION_TOO_LONG: Warning "presentation-too-long", "ISO/IEC 23009-1 5.3.1.2, ISO/IEC 23000-19 7.3.6 (not opened)",
        "mediaPresentationDuration ends with the longest track, to within a segment";
    PRESENTATION_START: Warning "presentation-start", "ISO/IEC 23000-19 7.3.6 (not opened)",
        "video and audio start together, to within one sample of either";
    PRESENTATION_END: Warning "presentation-end", "ISO/IEC 23000-19 7.3.6 (not opened)",
        "video and audio end together, to within one segment";
    SET_MEDIA: Error "set-media", "ISO/IEC 23000-19 7.3.4.1 (not opened)",
        "the tracks of a switching set are of one media type";
    SET_CODEC: Warning "set-codec", "ISO/IEC 23000-19 7.3.4.1 (not opened)",
        "the tracks of a switching set are of one codec family";
    SET_TIMESCALE: Warning "set-timescale", "ISO/IEC 23000-19 7.3.4 (not opened)",
        "the tracks of a switching set have one timescale";
    SET_START: Error "set-start", "RFC 8216 6.2.4, ISO/IEC 23000-19 7.3.4.1 (not opened)",
        "the tracks of a switching set start at one presentation time";
    SET_SEGMENTS: Error "set-segments", "ISO/IEC 23000-19 7.3.4.1, ISO/IEC 23009-1 5.3.3.2 (not opened)",
        "the tracks of a switching set that is CMAF or claims to be aligned have one number of segments";
    SET_ALIGNED: Error "set-aligned", "ISO/IEC 23000-19 7.3.4.1, ISO/IEC 23009-1 5.3.3.2 (not opened)",
        "the segments of a switching set that is CMAF or claims to be aligned have equal times and durations";
    SET_UNALIGNED: Warning "set-unaligned", "RFC 8216 6.2.4",
        "the segments of renditions that a player may switch between have equal times and durations";
    CODECS: Error "codecs", "RFC 8216 4.3.4.2, RFC 6381 3, ISO/IEC 23009-1 5.3.7.2 (not opened)",
        "codec strings and sample entries agree, each with one of the other";
    RESOLUTION: Error "resolution", "RFC 8216 4.3.4.2, ISO/IEC 23009-1 5.3.7.2 (not opened)",
        "width and height that a manifest gives are those of the sample entry, or those scaled in one direction";
    FRAME_RATE: Warning "frame-rate", "RFC 8216 4.3.4.2, ISO/IEC 23009-1 5.3.7.2 (not opened)",
        "a frame rate lies between those of the longest and of the shortest sample, or of pairs of fields";
    VIDEO_RANGE: Error "video-range", "draft-pantos-hls-rfc8216bis 4.4.6.2 (not opened)",
        "VIDEO-RANGE is that of the transfer characteristics, HLG also where SEI says so of others, and SDR where it is missing";
    CHANNELS: Warning "channels", "RFC 8216 4.3.4.1, ISO/IEC 23009-1 5.8.5.4 (not opened)",
        "the number of channels is that of the sample entry or its configuration";
    CHANNEL_LOCATIONS: Warning "channel-locations", "ETSI TS 102 366 E.1.3.1.8, ETSI TS 103 420, HLS authoring specification (not opened)",
        "locations of channels of AC-3 and E-AC-3, and the number of objects of JOC, are those of the configuration";
    SAMPLE_RATE: Warning "sample-rate", "ISO/IEC 23009-1 5.3.7.2 (not opened)",
        "the sampling rate is that of the sample entry or its configuration, or half or twice that";
    CONTENT_TYPE: Error "content-type", "ISO/IEC 23009-1 5.3.3.2 (not opened)",
        "the content type is that of the handler";
    START_WITH_SAP: Error "start-with-sap", "ISO/IEC 23009-1 5.3.7.2 (not opened)",
        "segments that claim to start with a stream access point start with a sync sample";
    HLS_BANDWIDTH: Error "hls-bandwidth", "RFC 8216 4.3.4.2",
        "BANDWIDTH is at least the largest sum of the peak segment bit rates of what plays together";
    HLS_BANDWIDTH_HIGH: Warning "hls-bandwidth-high", "RFC 8216 4.3.4.2",
        "BANDWIDTH of a finished playlist is at most twice that sum, or players leave out what they could play";
    HLS_AVERAGE_BANDWIDTH: Warning "hls-average-bandwidth", "RFC 8216 4.3.4.2",
        "AVERAGE-BANDWIDTH is at least the largest sum of the average bit rates of what plays together";
    MPD_BANDWIDTH: Warning "mpd-bandwidth", "ISO/IEC 23009-1 5.3.5.2 (not opened)",
        "a player that starts at any segment and has buffered for minBufferTime does not run dry at the bit rate of @bandwidth";
    MANIFESTS_DIFFER: Warning "manifests-differ", "fragmint: one package is one presentation",
        "the manifests of a package name the same segments for the same init segment";
}

/// Checks a presentation: `facts` are those of the listing's tracks, in its order; `parts` those of tracks whose init segment changes
/// on the way.
pub(super) fn check_all(
    listing: &Listing,
    facts: &[TrackFacts],
    parts: &[parts::Part],
    findings: &mut Findings,
) {
    let tracks: Vec<_> =
        listing.tracks.iter().zip(facts).map(|(listed, facts)| Track::new(listed, facts)).collect();
    parts::check_discontinuities(listing, &tracks, findings);
    if parts.is_empty() {
        return check(listing, &tracks, findings);
    }
    let of_parts: Vec<Vec<Track>> = parts.iter().map(parts::Part::tracks).collect();
    let all: Vec<_> = of_parts.iter().flatten().copied().collect();
    let shared = sequence::shared(&all);
    for (part, tracks) in parts.iter().zip(&of_parts) {
        check_with(&part.listing, tracks, &shared, findings);
    }
    for init in shared {
        // Other playlists may list other parts of what goes with it.
        let mut of_files = BTreeMap::<&str, Vec<Track>>::new();
        for track in all.iter().filter(|track| track.listed.init.as_ref() == Some(init)) {
            of_files.entry(&track.listed.file).or_default().push(*track);
        }
        of_files.values().for_each(|parts| sequence::check_shared_duration(parts, findings));
    }
    parts::check(listing, parts, findings);
}

/// Checks tracks with one init segment each.
fn check(listing: &Listing, tracks: &[Track], findings: &mut Findings) {
    check_with(listing, tracks, &sequence::shared(tracks), findings);
}

/// As [`check`], where the init segments `shared` have segments elsewhere too.
fn check_with(listing: &Listing, tracks: &[Track], shared: &BTreeSet<&Resource>, findings: &mut Findings) {
    let all: Vec<_> = tracks.iter().flat_map(|track| track.multiplexed()).collect();
    for track in &all {
        sequence::check(*track, findings);
    }
    for track in tracks {
        if track.listed.init.as_ref().is_none_or(|init| !shared.contains(init)) {
            sequence::check_duration(*track, findings);
        }
        listed::check(*track, findings);
    }
    sets::check(listing, tracks, findings);
    presentation::check(listing, &all, findings);
    claims::check(listing, tracks, findings);
    bandwidth::check(listing, tracks, findings);
}

/// `a` less `b`, exactly; `None` where that does not fit.
fn minus(a: Time, b: Time) -> Option<Time> {
    // Ticks of the least common multiple, so that sums of several figures fit.
    let (mut divisor, mut rest) = (a.timescale, b.timescale);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let (of_a, of_b) = (b.timescale / divisor, a.timescale / divisor);
    let ticks = a.ticks.checked_mul(of_a.into())?.checked_sub(b.ticks.checked_mul(of_b.into())?)?;
    Some(Time::new(ticks, a.timescale.checked_mul(of_a)?))
}

/// `a` and `b`, exactly; `None` where that does not fit.
fn plus(a: Time, b: Time) -> Option<Time> {
    minus(a, Time::new(b.ticks.checked_neg()?, b.timescale))
}

/// The later of two.
fn later(a: Time, b: Time) -> Time {
    if a.compare(b).is_lt() { b } else { a }
}

/// What two figures on different timescales may differ by: a tick of either; nothing on one.
fn rounding(a: u64, b: u64) -> Time {
    if a == b { Time::new(0, a) } else { Time::new(1, a.min(b)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact() {
        let (a, b) = (Time::new(24_021_334_000, 1_000_000_000), Time::new(1_153_024, 48_000));
        assert_eq!(minus(a, b), Some(Time::new(2000, 3_000_000_000)));
        assert_eq!(plus(minus(a, b).unwrap(), b), Some(Time::new(72_064_002_000, 3_000_000_000)));
        assert_eq!(minus(Time::new(1, u64::MAX), Time::new(1, u64::MAX - 1)), None);
        assert_eq!(minus(Time::new(i128::MIN, 1), Time::new(1, 1)), None);
    }
}
