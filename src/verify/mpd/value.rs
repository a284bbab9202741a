//! Text of attributes ► numbers, durations, ranges and fractions (XML Schema part 2, the schema of the MPD).

/// A nanosecond is the unit of durations.
pub(super) const NANOS: u64 = 1_000_000_000;

/// The longest duration that is read, in seconds: more than a thousand years.
const MAX_SECONDS: u128 = 1 << 36;

/// `xs:unsignedInt` or `xs:unsignedLong`, at most `max`.
pub(super) fn unsigned(text: &str, max: u64) -> Option<u64> {
    let number = text.trim();
    let digits = number.strip_prefix('+').unwrap_or(number);
    // A second sign would be read as one.
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|&value| is_number && value <= max)
}

/// `xs:boolean`, or a number as earlier editions have it for alignment: 0 is false.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "true" => Some(true),
        "false" => Some(false),
        number => unsigned(number, u64::from(u32::MAX)).map(|number| number != 0),
    }
}

/// `xs:duration` in nanoseconds, of no negative sign; what is below a nanosecond is cut off. A year counts as 365 days and a
/// month as 30: nobody writes them but as 0.
pub(super) fn duration(text: &str) -> Option<i128> {
    let rest = text.trim().strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None if rest.is_empty() => return None,
        None => (rest, ""),
    };
    const DAY: u128 = 86_400;
    let date = fields(date, &[('Y', 365 * DAY), ('M', 30 * DAY), ('D', DAY)])?;
    let time = fields(time, &[('H', 3600), ('M', 60), ('S', 1)])?;
    let nanos = date.checked_add(time)?;
    (nanos <= MAX_SECONDS * u128::from(NANOS)).then(|| i128::try_from(nanos).ok())?
}

/// Numbers with their designators, each at most once and in order, in nanoseconds. Only seconds have a fraction.
fn fields(mut text: &str, designators: &[(char, u128)]) -> Option<u128> {
    let mut sum = 0u128;
    for &(designator, seconds) in designators {
        let Some((number, rest)) = text.split_once(designator) else { continue };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if designator == 'S' && !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (number, ""),
        };
        let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let whole: u128 = whole.parse().ok().filter(|&whole| whole <= MAX_SECONDS)?;
        let fraction = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
        let nanos = fraction.fold(0u128, |nanos, digit| nanos * 10 + u128::from(digit - b'0'));
        sum = sum.checked_add(whole * seconds * u128::from(NANOS))?.checked_add(nanos)?;
        text = rest;
    }
    text.is_empty().then_some(sum)
}

/// A range of bytes, both ends included, as `start..end` with the end behind it. Empty ones and those without both ends are
/// refused.
pub(super) fn byte_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.trim().split_once('-')?;
    let (first, last) = (unsigned(first, u64::MAX)?, unsigned(last, u64::MAX - 1)?);
    (first <= last).then_some((first, last + 1))
}

/// `FrameRateType`: a whole number or a fraction, neither half 0.
pub(super) fn frame_rate(text: &str) -> Option<(u64, u64)> {
    let (numerator, denominator) = text.trim().split_once('/').unwrap_or((text.trim(), "1"));
    let half = |text: &str| unsigned(text, u64::from(u32::MAX)).filter(|&value| value > 0);
    Some((half(numerator)?, half(denominator)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact_nanoseconds() {
        let seconds = |value: f64| Some((value * 1e9).round() as i128);
        for (text, expected) in [
            ("PT9.0S", seconds(9.0)),
            ("PT0H1M0.3S", seconds(60.3)),
            ("P0Y0M0DT0H3M16S", seconds(196.0)),
            ("P1DT1S", seconds(86401.0)),
            ("PT1H", seconds(3600.0)),
            ("PT0.1234567899S", Some(123_456_789)),
            ("PT634.566S", seconds(634.566)),
            ("P1D", seconds(86400.0)),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "9",
            "9S",
            "PT9",
            "PT-9S",
            "-PT9S",
            "PT9.S",
            "PT.5S",
            "PT1.5M",
            "PT1S1M",
            "P1S",
            "PT9.0Sx",
            "PT99999999999999999999S",
            "PT1e3S",
            "PTS",
            "P1DT",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_ranges_and_rates_are_what_the_schema_says() {
        assert_eq!(unsigned(" 12 ", 20), Some(12));
        assert_eq!(unsigned("+12", 20), Some(12));
        for text in ["", "-1", "21", "1.0", "x", "+", "++1", "1 2"] {
            assert_eq!(unsigned(text, 20), None, "{text}");
        }
        assert_eq!(
            [boolean("true"), boolean("0"), boolean("2"), boolean("yes")],
            [Some(true), Some(false), Some(true), None]
        );
        assert_eq!(byte_range("0-834"), Some((0, 835)));
        assert_eq!(byte_range("5-5"), Some((5, 6)));
        for text in ["", "5", "5-", "-5", "6-5", "a-b", "0-18446744073709551615"] {
            assert_eq!(byte_range(text), None, "{text}");
        }
        assert_eq!(frame_rate("30000/1001"), Some((30000, 1001)));
        assert_eq!(frame_rate("25"), Some((25, 1)));
        for text in ["", "0", "25/0", "23.976", "25/", "/1"] {
            assert_eq!(frame_rate(text), None, "{text}");
        }
    }
}
