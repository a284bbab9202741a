use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Result<Timecodes> {
    Timecodes::read("t.txt", text.as_bytes())
}

fn refusal(text: &str) -> (Option<u64>, String) {
    let error = read(text).expect_err(text);
    assert_eq!(error.path(), Some(Path::new("t.txt")));
    (error.offset(), error.to_string())
}

/// Timescale and durations.
fn times(text: &str, pictures: usize) -> (u32, Vec<u32>) {
    let times = read(text).unwrap().times(pictures, 0).unwrap();
    (times.timescale().get(), times.durations(times.timescale()).unwrap())
}

#[test]
fn version_2_is_an_instant_for_each_picture() {
    // The last lasts as long as the one before, or to the line that is one more.
    let text = "# timecode format v2\n0\n40\n120\n";
    assert_eq!(times(text, 3), (90_000, vec![3600, 7200, 7200]));
    assert_eq!(times(text, 2), (90_000, vec![3600, 7200]));
}

// What `mkvextract tracks`, `x264 --tcfile-out` and Windows write.
#[test]
fn first_lines_of_other_programs_are_read() {
    for first in [
        "# timestamp format v2",
        "# timecode format v2",
        "#Timecode Format V2",
        "\u{feff}#  timecode format v2 of x",
    ] {
        let text = format!("{first}\r\n\r\n# comment\r\n0.000000\r\n 33.366667 \r\n");
        assert_eq!(times(&text, 2), (90_000, vec![3003, 3003]), "{first}");
    }
}

#[test]
fn ntsc_in_decimals_does_not_drift() {
    let mut text = String::from("# timecode format v2\n");
    for picture in 0..=100_000u64 {
        let nanoseconds = (picture * 1_001_000_000_000 + 15_000) / 30_000;
        text += &format!("{}.{:06}\n", nanoseconds / 1_000_000, nanoseconds % 1_000_000);
    }
    let (_, durations) = times(&text, 100_000);
    assert!(durations.iter().all(|&duration| duration == 3003));
}

#[test]
fn the_first_time_may_be_any() {
    let late = read("# timecode format v2\n-41.5\n0\n41.5").unwrap().times(3, 0).unwrap();
    assert_eq!(late.start_nanoseconds(), -41_500_000);
    assert_eq!(late.durations(late.timescale()).unwrap(), [3735; 3]);
}

#[test]
fn version_2_with_another_number_of_times_names_both() {
    let timecodes = read("# timecode format v2\n0\n40\n80\n").unwrap();
    for pictures in [1, 4, 0] {
        let error = timecodes.times(pictures, 0).unwrap_err();
        assert_eq!(error.path(), Some(Path::new("t.txt")));
        let error = error.to_string();
        assert!(
            error.contains(&format!("it has 3 times, but the stream has {pictures} pictures")),
            "{error}"
        );
    }
    let one = read("# timecode format v2\n0\n").unwrap();
    assert!(one.times(1, 0).unwrap_err().to_string().contains("does not say how long the only picture"));
    // With pictures left out in front, the file is that of all.
    let left = timecodes.times(3, 2).unwrap();
    assert_eq!((left.len(), left.lead(left.timescale())), (1, 7200));
}

#[test]
fn what_is_wrong_with_version_2_is_said_with_line_and_offset() {
    for (text, offset, part) in [
        ("", 0, "line 1: no '# timecode format v2'"),
        ("0\n40\n", 0, "line 1: no '# timecode format v2'"),
        ("# timecode format v\n", 0, "line 1: no"),
        ("# timecode format v4\n0\n", 0, "version 4 of timecode files"),
        ("# timecode format v3\n0\n", 0, "version 3"),
        ("# timecode format v2\n0\n# x\n40\n40.0\n", 30, "line 5: 40.0 ms is not behind 40 ms of line 4"),
        ("# timecode format v2\n0\n0.01111\n", 23, "line 3: 0.01111 ms is less than 1/90000 s behind line 2"),
        ("# timecode format v2\n0\n40ms\n", 23, "line 3: '40ms' is no time"),
        ("# timecode format v2\n1e3\n", 21, "line 2: '1e3' is no time"),
        ("# timecode format v2\n.5\n", 21, "is no time"),
        ("# timecode format v2\n+5\n", 21, "is no time"),
        ("# timecode format v2\n9223372036855\n", 21, "106 days"),
    ] {
        let (found, line) = refusal(text);
        assert!(line.contains(part), "{line}");
        assert_eq!(found, Some(offset), "{line}");
    }
    let binary = Timecodes::read("t.txt", b"\xef\xbb\xbf# timecode\xff").unwrap_err();
    assert_eq!(binary.offset(), Some(13));
}

#[test]
fn version_1_has_a_rate_and_ranges_of_others() {
    let text = "# timecode format v1\nAssume 30000/1001\n1,2,24000/1001\n4,4,60000/1001\n";
    // 1/30000 s would do for two of the rates: 120000 counts all.
    assert_eq!(times(text, 6), (120_000, vec![4004, 5005, 5005, 4004, 2002, 4004]));
    assert_eq!(times("# timecode format v1\nassume 25\n", 3), (25_000, vec![1000; 3]));
    // A default that no frame has does not count.
    assert_eq!(times("# timecode format v1\nassume 29.123457\n0,1,25\n", 2), (25_000, vec![1000; 2]));
}

#[test]
fn rates_without_a_timescale_in_common_are_rounded_by_the_range() {
    let text = "# timecode format v1\nassume 4294967291/99999999\n0,1,4294967279/99999999\n2,3,25\n";
    let (scale, durations) = times(text, 6);
    assert_eq!(scale, 90_000);
    assert_eq!(&durations[2..4], [3600, 3600]);
    let exact = 2.0 * 99_999_999.0 / 4_294_967_279.0 + 2.0 / 25.0 + 2.0 * 99_999_999.0 / 4_294_967_291.0;
    let sum: u32 = durations.iter().sum();
    assert!((f64::from(sum) - exact * 90_000.0).abs() < 0.6, "{durations:?}");
}

#[test]
fn ntsc_rates_in_decimals_are_the_fractions_and_told() {
    for (decimal, fraction) in [
        ("23.976", (24_000, 1001)),
        ("29.97", (30_000, 1001)),
        ("29.970030", (30_000, 1001)),
        ("59.94006", (60_000, 1001)),
        ("119.880120", (120_000, 1001)),
        ("23.976023976", (24_000, 1001)),
    ] {
        let timecodes = read(&format!("# timecode format v1\nAssume {decimal}\n")).unwrap();
        let rate = FrameRate::new(fraction.0, fraction.1).unwrap();
        assert_eq!(timecodes.kind, Kind::Rates { default: rate, ranges: vec![] }, "{decimal}");
        let [notice] = timecodes.notices() else { panic!("{:?}", timecodes.notices()) };
        assert!(
            notice.contains(&format!("line 2 of the timecodes: {decimal} is taken for {rate}; write ")),
            "{notice}"
        );
    }
    for letter in ["25", "12.5", "29.971", "30.0", "18", "23.97", "27.930"] {
        let timecodes = read(&format!("# timecode format v1\nAssume {letter}\n")).unwrap();
        assert!(timecodes.notices().is_empty(), "{letter}");
        assert_eq!(times(&format!("# timecode format v1\nAssume {letter}\n"), 1).1.len(), 1);
    }
}

#[test]
fn what_is_wrong_with_version_1_is_said_with_line_and_offset() {
    for (text, part) in [
        ("# timecode format v1\n", "no line 'Assume'"),
        ("# timecode format v1\n25\n", "line 2: '25' is not 'Assume'"),
        ("# timecode format v1\nassume\n", "line 2: '' is not a frame rate"),
        ("# timecode format v1\nassume 301\n", "line 2: '301' is not a frame rate"),
        ("# timecode format v1\nassume 10000000000\n", "is not a frame rate"),
        ("# timecode format v1\nassume 25.0000000001\n", "more than 9 digits"),
        ("# timecode format v1\nassume 25\n5,4,30\n", "line 3: '5,4,30' is not a range"),
        ("# timecode format v1\nassume 25\n5,6\n", "is not a range"),
        ("# timecode format v1\nassume 25\n5,6,7,8\n", "is not a range"),
        ("# timecode format v1\nassume 25\n5,6,0\n", "line 3: '0' is not a frame rate"),
        ("# timecode format v1\nassume 25\n0,6,30\n\n6,7,24\n", "line 5: frame 6 is not behind 6 of line 3"),
        ("# timecode format v1\nassume 25\n-1,6,30\n", "is not a range"),
    ] {
        let (_, line) = refusal(text);
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(refusal("# timecode format v1\nassume 25\n5,4,30\n").0, Some(31));
    let beyond = read("# timecode format v1\nassume 25\n5,9,30\n").unwrap();
    assert!(beyond.times(10, 0).is_ok());
    let error = beyond.times(9, 0).unwrap_err().to_string();
    assert!(
        error.contains("line 3: the range goes on to frame 9, counted from 0, but the stream has 9 pictures"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn version_1_gives_the_instants_that_adding_fractions_gives(
        default in 1u64..121, ranges in proptest::collection::vec((0u64..5, 1u64..6, 1u64..121, any::<bool>()), 0..6),
        behind in 0usize..10,
    ) {
        let mut text = format!("# timecode format v1\nAssume {default}\n");
        let mut rates: Vec<(u64, u64)> = Vec::new();
        for (gap, frames, rate, ntsc) in ranges {
            rates.resize(rates.len() + gap as usize, (default, 1));
            let first = rates.len() as u64;
            let rate = if ntsc { (rate * 1000, 1001) } else { (rate, 1) };
            rates.resize(rates.len() + frames as usize, rate);
            text += &format!("{first},{},{}/{}\n", first + frames - 1, rate.0, rate.1);
        }
        rates.resize(rates.len() + behind + 1, (default, 1));
        let times = read(&text).unwrap().times(rates.len(), 0).unwrap();
        let scale = times.timescale();
        let durations = times.durations(scale).unwrap();
        prop_assert_eq!(durations.len(), rates.len());
        // Exact where 32 bits are enough, else never a tick away, since each instant is rounded by itself.
        let mut sum = 0u64;
        let mut exact = 0.0;
        for (&duration, &(n, d)) in durations.iter().zip(&rates) {
            if times.is_exact() {
                prop_assert_eq!(u64::from(duration) * n, u64::from(scale.get()) * d);
            }
            sum += u64::from(duration);
            exact += d as f64 / n as f64;
            prop_assert!((sum as f64 - exact * f64::from(scale.get())).abs() < 0.6);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        fuzz_timecodes(&bytes);
    }

    #[test]
    fn any_lines_are_read_or_refused(
        pictures in 0u8..9, version in 1..3, lines in "(Assume |)([0-9]{1,6}[.,/]?\n?){0,12}",
    ) {
        let mut data = vec![pictures];
        data.extend(format!("# timecode format v{version}\n{lines}").bytes());
        fuzz_timecodes(&data);
    }
}
