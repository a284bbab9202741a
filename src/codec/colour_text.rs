//! Colour and high dynamic range as people write them: names and code points, and the syntax of x265's command line.

use super::{Colour, ContentLight, MasteringDisplay};
use crate::error::{Error, Result};

/// Names of common code points: primaries, transfer, matrix (ITU-T H.273 Tables 2 to 4, not opened).
const NAMES: [(&str, [u8; 3]); 6] = [
    ("bt709", [1, 1, 1]),
    ("bt601-625", [5, 6, 5]),
    ("bt601-525", [6, 6, 6]),
    ("bt2020", [9, 14, 9]),
    ("bt2020-pq", [9, 16, 9]),
    ("bt2020-hlg", [9, 18, 9]),
];

impl Colour {
    /// Reads `bt709`, `bt601-625`, `bt601-525`, `bt2020`, `bt2020-pq`, `bt2020-hlg`, or primaries, transfer and matrix as code points:
    /// `9/16/9`. `/full` or `/limited` may stand behind; limited range is the default.
    ///
    /// # Errors
    /// For anything else, and code points that ITU-T H.273 reserves.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, full_range) = match text.rsplit_once('/') {
            Some((name, "full")) => (name, true),
            Some((name, "limited")) => (name, false),
            _ => (text, false),
        };
        let named = NAMES.iter().find(|(other, _)| *other == name).map(|(_, points)| *points);
        let [primaries, transfer, matrix] = named.or_else(|| code_points_of(name)).ok_or_else(|| {
            let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            Error::conflict(
                format!("'{text}' is not a colour"),
                format!(
                    "give {}, or primaries/transfer/matrix as in ITU-T H.273, such as 9/16/9, and /full behind it for full range",
                    names.join(", ")
                ),
            )
        })?;
        Ok(Self { primaries, transfer, matrix, full_range })
    }
}

fn code_points_of(text: &str) -> Option<[u8; 3]> {
    let mut numbers = text.split('/').map(number::<u8>);
    let points = [numbers.next()??, numbers.next()??, numbers.next()??];
    let [primaries, transfer, matrix] = points;
    // 0 (but of the matrix, where it is GBR), 3 and those behind are reserved.
    let known = matches!(primaries, 1 | 2 | 4..=12 | 22)
        && matches!(transfer, 1 | 2 | 4..=18)
        && matches!(matrix, 0..=2 | 4..=17);
    (known && numbers.next().is_none()).then_some(points)
}

impl MasteringDisplay {
    /// Reads `G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)` in the units of the fields, as x265's `--master-display` takes it.
    ///
    /// # Errors
    /// For anything else, coordinates above 50000, and a highest luminance that is not above the lowest.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text).ok_or_else(|| {
            Error::conflict(
                format!("'{text}' is not a mastering display"),
                "give it as x265 takes it, such as G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1): \
                 coordinates in steps of 0.00002 up to 50000, luminance in steps of 0.0001 cd/m²",
            )
        })
    }

    fn read(mut text: &str) -> Option<Self> {
        let mut pair = |name: &str| {
            let (inner, rest) = text.strip_prefix(name)?.strip_prefix('(')?.split_once(')')?;
            text = rest;
            let (first, second) = inner.split_once(',')?;
            Some((number::<u32>(first)?, number::<u32>(second)?))
        };
        let pairs = ["G", "B", "R", "WP", "L"].map(&mut pair);
        let [green, blue, red, white, (max_luminance, min_luminance)] =
            [pairs[0]?, pairs[1]?, pairs[2]?, pairs[3]?, pairs[4]?];
        let chromaticity = |(x, y): (u32, u32)| {
            let coordinate = |value| u16::try_from(value).ok().filter(|&value| value <= 50_000);
            Some((coordinate(x)?, coordinate(y)?))
        };
        let primaries = [chromaticity(green)?, chromaticity(blue)?, chromaticity(red)?];
        let white_point = chromaticity(white)?;
        let sound = text.is_empty() && max_luminance > min_luminance;
        sound.then_some(Self { primaries, white_point, max_luminance, min_luminance })
    }
}

impl ContentLight {
    /// Reads `MaxCLL,MaxFALL` in cd/m², as x265's `--max-cll` takes it.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let read = || {
            let (content, average) = text.split_once(',')?;
            Some(Self { max_content: number(content)?, max_picture_average: number(average)? })
        };
        read().ok_or_else(|| {
            Error::conflict(
                format!("'{text}' is not a content light level"),
                "give MaxCLL and MaxFALL in cd/m², up to 65535, such as 1000,400",
            )
        })
    }
}

/// Digits alone, which do not pass the type.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Primaries, transfer and matrix, as they are usually written.
pub(crate) fn code_points(colour: Colour) -> String {
    let range = if colour.full_range { "full range" } else { "limited range" };
    format!("{}/{}/{} in {range}", colour.primaries, colour.transfer, colour.matrix)
}

/// As x264 and x265 take it on their command lines.
pub(crate) fn colour_volume(display: &MasteringDisplay) -> String {
    let [(gx, gy), (bx, by), (rx, ry)] = display.primaries;
    let (wx, wy) = display.white_point;
    let (max, min) = (display.max_luminance, display.min_luminance);
    format!("G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({max},{min})")
}

/// Likewise: of the content, then of a picture.
pub(crate) fn light_levels(light: ContentLight) -> String {
    format!("{},{}", light.max_content, light.max_picture_average)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn colour(text: &str) -> Option<(u8, u8, u8, bool)> {
        let colour = Colour::parse(text).ok()?;
        Some((colour.primaries, colour.transfer, colour.matrix, colour.full_range))
    }

    #[test]
    fn colours_are_names_or_code_points_and_a_range() {
        assert_eq!(colour("bt709"), Some((1, 1, 1, false)));
        assert_eq!(colour("bt601-625/limited"), Some((5, 6, 5, false)));
        assert_eq!(colour("bt2020-hlg/full"), Some((9, 18, 9, true)));
        assert_eq!(colour("9/16/9"), Some((9, 16, 9, false)));
        assert_eq!(colour("22/2/0/full"), Some((22, 2, 0, true)));
        for bad in [
            "",
            "bt470",
            "BT709",
            "9/16",
            "9/16/9/9",
            "9/16/9/full/full",
            "3/1/1",
            "1/3/1",
            "1/1/3",
            "0/1/1",
            "1/19/1",
            "1/1/18",
            "256/1/1",
            "+9/16/9",
            "full",
            "/full",
        ] {
            assert_eq!(colour(bad), None, "{bad}");
        }
        assert!(Colour::parse("x").unwrap_err().to_string().contains("bt2020-hlg"));
    }

    // The example of x265's manual for `--master-display`, and its order: green, blue, red.
    const P3: &str = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)";

    #[test]
    fn a_mastering_display_is_in_the_syntax_of_x265() {
        let display = MasteringDisplay::parse(P3).unwrap();
        assert_eq!(display.primaries, [(13_250, 34_500), (7500, 3000), (34_000, 16_000)]);
        assert_eq!(
            (display.white_point, display.max_luminance, display.min_luminance),
            ((15_635, 16_450), 10_000_000, 1)
        );
        for (part, other) in [
            ("G(", "g("),
            ("13250", "50001"),
            ("13250", "-1"),
            (",1)", ",10000000)"),
            (",1)", ",1) "),
            (")L", ") L"),
            ("WP(15635,16450)", ""),
            ("7500,", ""),
            ("34500", ""),
            ("10000000", "4294967296"),
        ] {
            assert!(MasteringDisplay::parse(&P3.replacen(part, other, 1)).is_err(), "{part} {other}");
        }
    }

    #[test]
    fn light_levels_are_two_numbers() {
        let light = ContentLight::parse("1000,400").unwrap();
        assert_eq!((light.max_content, light.max_picture_average), (1000, 400));
        for bad in ["", "1000", "1000,", "1000,400,1", "65536,1", "1000, 400", "a,b"] {
            assert!(ContentLight::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            points in proptest::array::uniform8(0u16..=50_000), min in 0u32..1000, above in 1u32..100_000_000, light in any::<(u16, u16)>(),
        ) {
            let [gx, gy, bx, by, rx, ry, wx, wy] = points;
            let display = MasteringDisplay {
                primaries: [(gx, gy), (bx, by), (rx, ry)],
                white_point: (wx, wy),
                max_luminance: min + above,
                min_luminance: min,
            };
            prop_assert_eq!(MasteringDisplay::parse(&colour_volume(&display)).unwrap(), display);
            let light = ContentLight { max_content: light.0, max_picture_average: light.1 };
            prop_assert_eq!(ContentLight::parse(&light_levels(light)).unwrap(), light);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[GBRWPL(),0-9/a-z-]{0,40}") {
            let _ = (Colour::parse(&text), MasteringDisplay::parse(&text), ContentLight::parse(&text));
        }
    }
}
