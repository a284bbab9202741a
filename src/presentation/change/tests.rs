use super::super::testing::{refused, segment, timescale};
use super::super::{AlignmentOptions, Promise, check_alignment, merge};
use super::*;
use crate::codec::VideoFormat;

/// Video in thousandths of a second, segments of two seconds.
fn video(directory: &str, height: u16) -> PackagedTrack {
    let media = media(height);
    let segments = (1..=4).map(|number| segment(number, 2000, 2000 * u64::from(number - 1))).collect();
    PackagedTrack::new(directory, "avc1.4D400B", media, timescale(1000), segments).unwrap()
}

fn media(height: u16) -> Media {
    Media::Video { format: VideoFormat::of_size(height * 16 / 9, height), frame_rate: None, scan: None }
}

fn change(first: usize, init: &str, height: u16) -> Change {
    Change {
        first,
        init: init.to_owned(),
        init_path: init.into(),
        codec: "avc1.64000A".to_owned(),
        media: media(height),
        sample_entry: None,
    }
}

/// Sound cut beside it: segments start 5 ms late at most.
fn sound(starts: &[u64], end: u64) -> PackagedTrack {
    let ends = starts.iter().skip(1).copied().chain([end]);
    let segments = starts.iter().zip(ends).zip(1..);
    let segments = segments.map(|((&start, end), number)| segment(number, end - start, start)).collect();
    let media = Media::Audio { channels: 2, sample_rate: 48_000 };
    PackagedTrack::new("audio/en", "mp4a.40.2", media, timescale(1000), segments).unwrap()
}

#[test]
fn periods_are_parts_with_what_holds_in_each() {
    let track = video("v", 90);
    let track = track.with_changes(vec![change(1, "init-2.mp4", 72), change(3, "init-3.mp4", 180)]).unwrap();
    let periods = track.periods();
    let said = periods.iter().map(|part| (part.init(), part.codec(), part.media(), part.segments().len()));
    let expected = [
        ("init.mp4", "avc1.4D400B", &media(90), 1),
        ("init-2.mp4", "avc1.64000A", &media(72), 2),
        ("init-3.mp4", "avc1.64000A", &media(180), 1),
    ];
    assert!(said.eq(expected));
    let sums = periods.iter().map(|part| (part.total_bytes(), part.duration().0));
    assert!(sums.eq([(1000, 2000), (2000, 4000), (1000, 2000)]));
    assert!(periods.iter().all(|part| part.changes().is_empty()));
    assert_eq!(track.codecs(), ["avc1.4D400B", "avc1.64000A"]);
    assert_eq!((track.change_at(3).unwrap().first, track.change_at(2)), (3, None));
}

#[test]
fn discontinuities_stand_between_segments_in_order() {
    let with = |firsts: &[usize]| {
        let changes = firsts.iter().map(|&first| change(first, "init-2.mp4", 90)).collect();
        video("v", 90).with_changes(changes)
    };
    assert!(with(&[1, 2, 3]).is_ok());
    refused(with(&[0]), "a discontinuity at segment 0 of 4");
    refused(with(&[4]), "a discontinuity at segment 4 of 4");
    refused(with(&[2, 2]), "a discontinuity at segment 2");
    let odd = |odd: Change| video("v", 90).with_changes(vec![odd]);
    refused(odd(Change { init: "../init.mp4".to_owned(), ..change(1, "", 90) }), "relative path");
    refused(odd(Change { codec: "a,b".to_owned(), ..change(1, "init-2.mp4", 90) }), "codec string");
    let sound = Media::Audio { channels: 1, sample_rate: 8000 };
    refused(odd(Change { media: sound, ..change(1, "init-2.mp4", 90) }), "video sound");
}

#[test]
fn sound_breaks_at_its_first_segment_behind() {
    let picture =
        video("v", 90).with_changes(vec![change(1, "init-2.mp4", 72), change(3, "init-3.mp4", 90)]).unwrap();
    let cut = sound(&[0, 2005, 4003, 6000], 8000);
    let firsts = |track: PackagedTrack| -> Vec<usize> {
        track.with_discontinuities_of(&picture).unwrap().changes().iter().map(|change| change.first).collect()
    };
    assert_eq!(firsts(cut.clone()), [1, 3]);
    assert_eq!(firsts(sound(&[0, 2005, 4003], 5990)), [1], "it ends before the second");
    refused(sound(&[0, 4003], 8000).with_discontinuities_of(&picture), "no segment starts at 2.000 s");
    refused(sound(&[0, 2005, 4003], 8000).with_discontinuities_of(&picture), "no segment starts at 6.000 s");

    let whole = |audio: PackagedTrack| Presentation::new(vec![picture.clone()], vec![audio]);
    let periods = whole(cut.clone().with_discontinuities_of(&picture).unwrap()).unwrap().periods();
    let starts: Vec<_> = periods.iter().map(|period| period.start.map(|start| start.ticks.0)).collect();
    assert_eq!(starts, [None, Some(2000), Some(6000)]);
    let segments: Vec<Vec<u32>> = periods
        .iter()
        .map(|period| period.presentation.tracks().map(|track| track.segments()[0].number.get()).collect())
        .collect();
    assert_eq!(segments, [[1, 1], [2, 2], [4, 4]]);

    refused(whole(cut.clone()), "no discontinuity at 2.000000 s");
    refused(whole(cut.with_discontinuities([1, 2]).unwrap()), "no discontinuity at 6.000000 s");
    let ended = sound(&[0, 2005, 4003], 5990).with_discontinuities([1]).unwrap();
    let periods = whole(ended).unwrap().periods();
    let tracks: Vec<_> = periods.iter().map(|period| period.presentation.tracks().count()).collect();
    assert_eq!(tracks, [2, 2, 1]);
}

#[test]
fn video_breaks_together() {
    let one = video("a", 90).with_changes(vec![change(1, "init-2.mp4", 72)]).unwrap();
    let of = |other: PackagedTrack| Presentation::new(vec![one.clone(), other], vec![]);
    assert!(of(video("b", 180).with_discontinuities([1]).unwrap()).is_ok());
    refused(of(video("b", 180)), "b: 0 discontinuities, 1 in a");
    refused(of(video("b", 180).with_discontinuities([2]).unwrap()), "no discontinuity at");
}

#[test]
fn renditions_are_aligned_with_their_discontinuities() {
    let one = video("a", 90).with_changes(vec![change(1, "init-2.mp4", 72)]).unwrap();
    let check =
        |other: PackagedTrack| check_alignment(&[&one, &other], &[], &AlignmentOptions::default()).map(drop);
    assert!(check(video("b", 180).with_discontinuities([1]).unwrap()).is_ok());
    refused(check(video("b", 180)), "b has its discontinuity 1 nowhere, a at segment 2");
    refused(
        check(video("b", 180).with_discontinuities([2]).unwrap()),
        "b has its discontinuity 1 at segment 3",
    );
    refused(
        check(video("b", 180).with_discontinuities([1, 2]).unwrap()),
        "b has its discontinuity 2 at segment 3, a nowhere",
    );
}

#[test]
fn parts_that_changed_are_not_merged() {
    let changed = video("a", 90).with_changes(vec![change(1, "init-2.mp4", 72)]).unwrap();
    refused(merge(vec![changed], &Promise::default()), "has several init segments");
}

#[test]
fn init_segments_are_numbered_from_the_second_on() {
    assert_eq!([1, 2, 10].map(init_name), ["init.mp4", "init-2.mp4", "init-10.mp4"]);
}
