use std::sync::Arc;

use proptest::prelude::*;

use super::super::testing::{segment, timescale};
use super::*;
use crate::codec::h264::testing::{Pps, Sps};
use crate::codec::{ParameterSetStore, ScanType, VideoFormat};
use crate::manifest::hls;
use crate::presentation::Presentation;

/// Pictures of 320x180 at so many a second.
fn media(rate: Option<u64>) -> Media {
    let frame_rate = rate.and_then(|rate| FrameRate::new(rate, 1));
    Media::Video { format: VideoFormat::of_size(320, 180), frame_rate, scan: None }
}

/// Sample entry of pictures of 320x180 with these sets of profile 77.
fn entry(parameter_sets: ParameterSetPlacement, level: u8, sets: &[(Sps, Pps)]) -> SampleEntry {
    let with_len = |nal: Vec<u8>| [&(nal.len() as u16).to_be_bytes()[..], &nal].concat();
    let count = sets.len() as u8;
    let record = [
        vec![1, 77, 0, level, 0xff, 0xe0 | count],
        sets.iter().flat_map(|(sps, _)| with_len(sps.nal())).collect(),
        vec![count],
        sets.iter().flat_map(|(_, pps)| with_len(pps.nal())).collect(),
    ];
    SampleEntry::Avc {
        parameter_sets,
        format: VideoFormat::of_size(320, 180),
        frame_rate: FrameRate::new(25, 1),
        scan: Some(ScanType::Progressive),
        configuration_record: record.concat(),
    }
}

fn sets(id: u32) -> (Sps, Pps) {
    (Sps { id, ..Default::default() }, Pps { id, sps_id: id, ..Default::default() })
}

fn with_sets(ids: &[u32]) -> SampleEntry {
    entry(ParameterSetPlacement::SampleEntry, 30, &ids.iter().map(|&id| sets(id)).collect::<Vec<_>>())
}

fn part(segments: &[Segment]) -> PackagedTrack {
    PackagedTrack::new("video/180p", "avc1.4D001E", media(Some(25)), timescale(25_000), segments.to_vec())
        .unwrap()
        .with_sample_entry(with_sets(&[0]))
}

/// Segments of these durations, from a number and a time on.
fn row(first: u32, start: u64, durations: &[u64]) -> Vec<Segment> {
    let mut time = start;
    let of = |(&ticks, number)| {
        time += ticks;
        Segment { bytes: 100 * u64::from(number), ..segment(number, ticks, time - ticks) }
    };
    durations.iter().zip(first..).map(of).collect()
}

/// Six segments in parts of two, the first with the init segment.
fn parts() -> [PackagedTrack; 3] {
    let all = row(1, 0, &[50_000; 6]);
    [part(&all[..2]), part(&all[2..4]).without_init(), part(&all[4..]).without_init()]
}

#[track_caller]
fn refused(tracks: Vec<PackagedTrack>, promise: &Promise, said: &[&str]) {
    let error = merge(tracks, promise).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Conflict { .. }), "{error:?}");
    let text = error.to_string();
    assert!(!text.contains('\n') && said.iter().all(|part| text.contains(part)), "{text}");
}

/// Refused with the second part changed so.
#[track_caller]
fn refused_with(change: impl FnOnce(&mut PackagedTrack), said: &[&str]) {
    let [a, mut b, c] = parts();
    change(&mut b);
    refused(vec![a, b, c], &Promise::default(), said);
}

fn again(part: &PackagedTrack, segments: Vec<Segment>) -> PackagedTrack {
    PackagedTrack { segments: segments.into(), ..part.clone() }
}

#[test]
fn parts_in_any_order_are_the_whole() {
    let [a, b, c] = parts();
    let whole = part(&row(1, 0, &[50_000; 6]));
    let promise = Promise { segments: Some(6), duration: Some(Ticks(300_000)), ..Promise::default() };
    for order in [[&a, &b, &c], [&c, &b, &a], [&b, &c, &a]] {
        assert_eq!(merge(order.into_iter().cloned().collect(), &promise).unwrap(), whole);
    }
}

#[test]
fn labels_and_path_are_those_of_the_part_with_the_init_segment() {
    let [a, b, c] = parts();
    let a = a.with_name(Some("Tiny".into())).with_init_path("/out/video/180p/init.mp4").with_default(true);
    let b = b.with_name(Some("Other".into()));
    let merged = merge(vec![c, b, a], &Promise::default()).unwrap();
    assert_eq!((merged.name(), merged.is_default(), merged.wrote_init()), (Some("Tiny"), true, true));
    assert_eq!(merged.init_path().to_str(), Some("/out/video/180p/init.mp4"));
}

#[test]
fn a_part_without_segments_need_not_know_what_it_would_have_made() {
    let [a, b, c] = parts();
    let media = Media::Video { format: VideoFormat::of_size(1, 1), frame_rate: None, scan: None };
    let idle = PackagedTrack::new("video/180p", "avc3.640028", media, timescale(25_000), vec![]).unwrap();
    let idle = idle.without_init().with_sample_entry(with_sets(&[1]));
    let merged = merge(vec![idle.clone(), c, b, a], &Promise::default()).unwrap();
    assert_eq!(merged, part(&row(1, 0, &[50_000; 6])));
    let elsewhere = PackagedTrack { directory: "video/720p".into(), ..idle };
    refused(vec![part(&[]), elsewhere], &Promise::default(), &["a part without segments", "video/720p"]);
    let nothing = merge(vec![part(&[])], &Promise { segments: Some(0), ..Promise::default() }).unwrap();
    assert!(nothing.segments().is_empty());
}

#[test]
fn exactly_one_part_writes_the_init_segment() {
    let [a, b, c] = parts();
    refused(vec![], &Promise::default(), &["0 parts"]);
    let none = vec![a.clone().without_init(), b.clone(), c.clone()];
    refused(none, &Promise::default(), &["video/180p", "none of 3 parts"]);
    let two = vec![a, PackagedTrack { wrote_init: true, ..b }, c];
    refused(two, &Promise::default(), &["2 of 3 parts", "segments 1 to 2", "segments 3 to 4"]);
}

#[test]
fn parts_of_other_tracks_are_refused() {
    refused_with(|b| b.directory = "video/360p".into(), &["segments 3 to 4", "video/360p", "video/180p"]);
    refused_with(|b| b.timescale = timescale(30_000), &["timescale 30000", "25000"]);
    refused_with(|b| b.init = "header.mp4".into(), &["header.mp4", "init.mp4"]);
    refused_with(
        |b| b.media = Media::Video { format: VideoFormat::of_size(640, 360), frame_rate: None, scan: None },
        &["segments 3 to 4", "640x360", "320x180"],
    );
    refused_with(|b| b.media = media(Some(50)), &["320x180 at 50 pictures", "at 25 pictures"]);
    refused_with(
        |b| b.media = Media::Audio { channels: 2, sample_rate: 48_000 },
        &["48000 Hz, channels: 2", "320x180"],
    );
}

#[test]
fn a_frame_rate_is_known_where_all_know_it_in_any_order() {
    let (unknown, other) = (media(None), media(Some(50)));
    let [a, b, c] = parts();
    let b = PackagedTrack { media: unknown, ..b };
    let merged = merge(vec![a.clone(), b.clone(), c.clone()], &Promise::default()).unwrap();
    assert_eq!(merged.media(), &unknown);
    let c = PackagedTrack { media: other, ..c };
    refused(vec![a.clone(), b.clone(), c.clone()], &Promise::default(), &["at 50 pictures"]);
    refused(vec![c, b, a], &Promise::default(), &["at 50 pictures"]);
}

#[test]
fn a_field_in_one_part_makes_the_whole_interlaced_unless_another_is_proven_progressive() {
    let in_scan = |part: PackagedTrack, scan| {
        let Media::Video { format, frame_rate, .. } = part.media else { unreachable!("pictures") };
        PackagedTrack { media: Media::Video { format, frame_rate, scan }, ..part }
    };
    let (fields, frames) = (Some(ScanType::Interlaced), Some(ScanType::Progressive));
    for scans in [[fields, None, None], [None, fields, None], [None, None, fields], [fields, fields, None]] {
        let [a, b, c] = parts();
        let parts = vec![in_scan(a, scans[0]), in_scan(b, scans[1]), in_scan(c, scans[2])];
        let Media::Video { scan, .. } = *merge(parts, &Promise::default()).unwrap().media() else { panic!() };
        assert_eq!(scan, fields);
    }
    for scans in
        [[fields, frames, None], [frames, None, fields], [None, frames, None], [frames, None, frames]]
    {
        let [a, b, c] = parts();
        let parts = vec![in_scan(a, scans[0]), in_scan(b, scans[1]), in_scan(c, scans[2])];
        refused(parts, &Promise::default(), &["320x180"]);
    }
}

#[test]
fn without_a_sample_entry_the_codec_string_decides() {
    refused_with(
        |b| (b.codec, b.sample_entry) = ("avc1.64001F".into(), None),
        &["segments 3 to 4 is avc1.64001F", "avc1.4D001E"],
    );
    let [a, b, c] = parts();
    let b = PackagedTrack { sample_entry: None, ..b };
    assert!(merge(vec![a, b, c], &Promise::default()).is_ok());
}

#[test]
fn out_of_band_sets_must_be_in_the_init_segment() {
    refused_with(
        |b| b.sample_entry = Some(with_sets(&[0, 3])),
        &["segments 3 to 4", "sequence parameter set 3 of", "none like it among its 1"],
    );
    let changed = (Sps { level_idc: 21, ..sets(0).0 }, sets(0).1);
    refused_with(
        |b| b.sample_entry = Some(entry(ParameterSetPlacement::SampleEntry, 30, &[changed])),
        &["sequence parameter set 0 of", "differs from byte 3 on"],
    );
    // The init segment may hold more than a part needs.
    let [a, b, c] = parts();
    let a = a.with_sample_entry(with_sets(&[0, 3]));
    assert!(merge(vec![a, b, c.with_sample_entry(with_sets(&[3]))], &Promise::default()).is_ok());
}

#[test]
fn in_band_sets_may_differ_and_the_codec_string_covers_them() {
    let in_band = |id, level| entry(ParameterSetPlacement::InBand, level, &[sets(id)]);
    let [a, b, c] = parts().map(|part| PackagedTrack { codec: "avc3.4D001E".into(), ..part });
    let (a, c) = (a.with_sample_entry(in_band(0, 30)), c.with_sample_entry(in_band(0, 30)));
    let b = PackagedTrack { codec: "avc3.4D0028".into(), ..b }.with_sample_entry(in_band(3, 40));
    for order in [[&a, &b, &c], [&c, &a, &b]] {
        let merged = merge(order.into_iter().cloned().collect(), &Promise::default()).unwrap();
        assert_eq!(merged.codec(), "avc3.4D0028");
    }
    let b = b.with_sample_entry(with_sets(&[0]));
    refused(vec![a, b, c], &Promise::default(), &["avc1 (320x180)", "avc3 (320x180)"]);
}

/// Sample entry of pictures of 320x180 in H.265, Main profile, with the sets of this id at this level.
fn hevc(parameter_sets: ParameterSetPlacement, id: u32, level_idc: u32) -> SampleEntry {
    use crate::codec::h265::testing::{Pps, Profile, Sps, Vps};
    let profile = Profile { level_idc, ..Default::default() };
    let mut sets = h265::ParameterSets::new(parameter_sets);
    let nals = [
        Vps { id, profile, ..Default::default() }.nal(),
        Sps { id, vps_id: id, profile, ..Default::default() }.nal(),
        Pps { id, sps_id: id, ..Default::default() }.nal(),
    ];
    nals.iter().zip(0..).for_each(|(nal, place)| sets.insert(nal, place).unwrap());
    sets.activate(id as u8, true, 3).unwrap();
    SampleEntry::Hevc {
        parameter_sets,
        format: VideoFormat::of_size(320, 180),
        frame_rate: FrameRate::new(25, 1),
        scan: Some(ScanType::Progressive),
        configuration_record: sets.configuration().unwrap().record(),
    }
}

#[test]
fn the_same_holds_for_h265() {
    let of = |part: PackagedTrack, codec: &str, entry: SampleEntry| {
        PackagedTrack { codec: codec.into(), ..part }.with_sample_entry(entry)
    };
    let (in_band, out_of_band) = (ParameterSetPlacement::InBand, ParameterSetPlacement::SampleEntry);
    let [a, b, c] = parts();
    let hev1 = [
        of(a, "hev1.1.6.L90.90", hevc(in_band, 0, 90)),
        of(b, "hev1.1.6.L120.90", hevc(in_band, 3, 120)),
        of(c, "hev1.1.6.L90.90", hevc(in_band, 0, 90)),
    ];
    for order in [[0, 1, 2], [1, 2, 0]] {
        let merged = merge(order.map(|part| hev1[part].clone()).into(), &Promise::default()).unwrap();
        assert_eq!(merged.codec(), "hev1.1.6.L120.90");
    }
    let [a, b, c] = parts();
    let hvc1 = |part, id, level| of(part, "hvc1.1.6.L90.90", hevc(out_of_band, id, level));
    let (a, c) = (hvc1(a, 0, 90), hvc1(c, 0, 90));
    let all = vec![a.clone(), hvc1(b.clone(), 0, 90), c.clone()];
    assert_eq!(merge(all, &Promise::default()).unwrap().codec(), "hvc1.1.6.L90.90");
    let [first, _, last] = hev1.clone();
    for (part, said) in [
        (hvc1(b.clone(), 3, 90), ["video parameter set 3 of", "none like it among its 1"]),
        (hvc1(b.clone(), 0, 120), ["general_level_idc 120", "general_level_idc 90"]),
        (of(b.clone(), "hev1.1.6.L90.90", hevc(in_band, 0, 90)), ["hev1 (320x180)", "hvc1 (320x180)"]),
    ] {
        refused(vec![a.clone(), part, c.clone()], &Promise::default(), &said);
    }
    let avc3 = of(b, "avc3.4D001E", entry(in_band, 30, &[sets(0)]));
    refused(vec![first, avc3, last], &Promise::default(), &["avc3 (320x180)", "hev1 (320x180)"]);
}

#[test]
fn numbers_have_neither_gap_nor_duplicate() {
    let [a, b, c] = parts();
    let all = Promise::default();
    refused(vec![a.clone(), c.clone()], &all, &["segments 3 to 4 are missing in front of segment 5"]);
    refused(vec![PackagedTrack { wrote_init: true, ..b.clone() }], &all, &["segments 1 to 2 are missing"]);
    let late = again(&b, b.segments[1..].to_vec());
    refused(vec![a.clone(), late, c.clone()], &all, &["segment 3 is missing in front of segment 4"]);
    let twice = vec![a.clone(), b.clone(), again(&b, b.segments[1..].to_vec()), c.clone()];
    refused(twice, &all, &["segment 4 comes twice", "at 150000 ticks", "segments 3 to 4", "segments 4 to 4"]);
    let from_2 = Promise { first_segment_index: NonZeroU32::new(2).unwrap(), ..all };
    refused(vec![a.clone()], &from_2, &["segment 1 comes before the first one promised, 2"]);
    let mut same_file = b.clone();
    Arc::make_mut(&mut same_file.segments)[0].uri = "seg-00002.m4s".into();
    refused(vec![a, same_file, c], &all, &["segments 2 and 3 are both in seg-00002.m4s"]);
}

#[test]
fn times_meet_and_start_as_promised() {
    let [a, b, _] = parts();
    let shifted = again(&b, row(3, 100_001, &[50_000; 2]));
    refused(
        vec![a.clone(), shifted],
        &Promise::default(),
        &["segment 3 starts at 100001 ticks", "segment 2 starts at 50000 and lasts 50000"],
    );
    let later = Promise { first_base_decode_time: DecodeTime(7), ..Promise::default() };
    refused(vec![a], &later, &["segment 1 starts at 0 ticks, but was promised at 7"]);
}

#[test]
fn count_and_duration_are_as_promised() {
    let [a, b, c] = parts();
    let seven = Promise { segments: Some(7), ..Promise::default() };
    refused(vec![a.clone(), b.clone(), c.clone()], &seven, &["6 segments", "last 6", "7 were promised"]);
    let longer = Promise { duration: Some(Ticks(300_001)), ..Promise::default() };
    refused(vec![a, b, c], &longer, &["last 300000 ticks, from 0 to 300000", "300001 were promised"]);
    let some = Promise { segments: Some(1), ..Promise::default() };
    refused(vec![part(&[])], &some, &["0 segments", "last none", "1 were promised"]);
}

/// A whole track from any number and time on, and where to split it; each part with a rank to sort by.
fn split_rows() -> impl Strategy<Value = (u32, u64, Vec<(u64, bool)>, Vec<u32>)> {
    let durations = prop::collection::vec((1u64..100_000, any::<bool>()), 1..20);
    (1u32..100_000, 0u64..1 << 40, durations, prop::collection::vec(any::<u32>(), 21))
}

/// The parts of `all`, cut in front of every segment that says so, in the order of `ranks`.
fn split(all: &[Segment], cuts: &[(u64, bool)], ranks: &[u32]) -> Vec<PackagedTrack> {
    let mut rows: Vec<Vec<Segment>> = vec![vec![]];
    for (segment, &(_, cut)) in all.iter().zip(cuts) {
        if cut {
            rows.push(vec![]);
        }
        rows.last_mut().unwrap().push(segment.clone());
    }
    let keeper = ranks[20] as usize % rows.len();
    let wrote =
        |(index, row): (usize, &Vec<Segment>)| PackagedTrack { wrote_init: index == keeper, ..part(row) };
    let mut ranked: Vec<_> = rows.iter().enumerate().map(wrote).zip(ranks).collect();
    ranked.sort_by_key(|(_, rank)| **rank);
    ranked.into_iter().map(|(part, _)| part).collect()
}

proptest! {
    #[test]
    fn any_split_in_any_order_merges_to_the_whole((first, start, cuts, ranks) in split_rows()) {
        let durations: Vec<_> = cuts.iter().map(|cut| cut.0).collect();
        let whole = part(&row(first, start, &durations));
        let promise = Promise {
            first_segment_index: NonZeroU32::new(first).unwrap(),
            first_base_decode_time: DecodeTime(start),
            segments: Some(durations.len() as u64),
            duration: Some(Ticks(durations.iter().sum())),
        };
        let merged = merge(split(whole.segments(), &cuts, &ranks), &promise).unwrap();
        prop_assert_eq!(&merged, &whole);
        let playlists = |track: PackagedTrack| {
            let presentation = Presentation::new(vec![track.clone()], vec![]).unwrap();
            let target = hls::target_duration(&presentation);
            (hls::write_master(&presentation).unwrap(), hls::write_media(&track, target).unwrap())
        };
        prop_assert_eq!(playlists(merged), playlists(whole));
    }

    #[test]
    fn every_single_change_of_a_segment_is_refused(
        (first, start, cuts, ranks) in split_rows(),
        at: prop::sample::Index,
        kind in 0..5,
        by in 1u32..5,
    ) {
        let durations: Vec<_> = cuts.iter().map(|cut| cut.0).collect();
        let all = row(first, start, &durations);
        let promise = Promise {
            first_segment_index: NonZeroU32::new(first).unwrap(),
            first_base_decode_time: DecodeTime(start),
            segments: Some(durations.len() as u64),
            duration: Some(Ticks(durations.iter().sum())),
        };
        let mut parts = split(&all, &cuts, &ranks);
        let at = at.index(all.len());
        let number = all[at].number;
        let holds = |part: &PackagedTrack| part.segments.iter().any(|segment| segment.number == number);
        let index = parts.iter().position(holds).unwrap();
        let segments = Arc::make_mut(&mut parts[index].segments);
        let place = segments.iter().position(|segment| segment.number == number).unwrap();
        match kind {
            0 => segments[place].number = number.checked_add(by).unwrap(),
            1 => segments[place].base_decode_time.0 += u64::from(by),
            2 => segments[place].duration.0 += u64::from(by),
            3 => drop(segments.remove(place)),
            _ => segments.insert(place, all[at].clone()),
        }
        let error = merge(parts, &promise).unwrap_err().to_string().replace("video/180p: ", "");

        // The message names the segment or its neighbour, where it is not about the totals.
        let near = (number.get().saturating_sub(1)..=number.get() + 5).map(|number| number.to_string());
        let total = error.contains("were promised");
        prop_assert!(total || near.into_iter().any(|number| error.contains(&number)), "{}", error);
    }
}
