//! Levels: the least whose limits hold for a track, by the table of the WebM project (webmproject.org/vp9/levels; not opened: the
//! numbers are those of libvpx, `vp9_level_defs`, and of libwebm, which agree).

use crate::time::FrameRate;

/// What the level of a track depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelFacts {
    /// Luma samples of the largest frame.
    pub picture_size: u64,
    /// The longer side of the largest frame.
    pub breadth: u32,
    /// Pictures shown per second, where that is known.
    pub frame_rate: Option<FrameRate>,
    /// Luma samples that are decoded for all the pictures shown, hidden frames included, and how many pictures these are. Where
    /// it is not known each is taken to be of the largest size, without hidden frames.
    pub decoded: Option<(u64, u64)>,
    /// Average of the track, bits per second, where that is known.
    pub bit_rate: Option<u32>,
}

struct Limits {
    level: u8,
    luma_sample_rate: u64,
    luma_picture_size: u64,
    breadth: u32,
    /// In kilobits per second.
    average_bit_rate: u64,
}

const fn limits(
    level: u8,
    luma_sample_rate: u64,
    luma_picture_size: u64,
    breadth: u32,
    average_bit_rate: u64,
) -> Limits {
    Limits { level, luma_sample_rate, luma_picture_size, breadth, average_bit_rate }
}

const LEVELS: [Limits; 14] = [
    limits(10, 829_440, 36_864, 512, 200),
    limits(11, 2_764_800, 73_728, 768, 800),
    limits(20, 4_608_000, 122_880, 960, 1800),
    limits(21, 9_216_000, 245_760, 1344, 3600),
    limits(30, 20_736_000, 552_960, 2048, 7200),
    limits(31, 36_864_000, 983_040, 2752, 12_000),
    limits(40, 83_558_400, 2_228_224, 4160, 18_000),
    limits(41, 160_432_128, 2_228_224, 4160, 30_000),
    limits(50, 311_951_360, 8_912_896, 8384, 60_000),
    limits(51, 588_251_136, 8_912_896, 8384, 120_000),
    limits(52, 1_176_502_272, 8_912_896, 8384, 180_000),
    limits(60, 1_176_502_272, 35_651_584, 16_832, 180_000),
    limits(61, 2_353_004_544, 35_651_584, 16_832, 240_000),
    limits(62, 4_706_009_088, 35_651_584, 16_832, 480_000),
];

/// Ten times the level, 10 to 62. A rate that is not known limits nothing. What passes every level is said to be of the highest,
/// since a configuration record has to name one.
pub fn level(facts: &LevelFacts) -> u8 {
    // Samples a second times the rate's denominator and the pictures counted.
    let (samples, pictures) =
        facts.decoded.filter(|decoded| decoded.1 > 0).unwrap_or((facts.picture_size, 1));
    let is_slow = |most: u64| {
        facts.frame_rate.is_none_or(|rate| {
            let decoded = u128::from(samples) * u128::from(rate.numerator());
            decoded <= u128::from(most) * u128::from(rate.denominator()) * u128::from(pictures)
        })
    };
    let fits = |limits: &&Limits| {
        facts.picture_size <= limits.luma_picture_size
            && facts.breadth <= limits.breadth
            && is_slow(limits.luma_sample_rate)
            && facts.bit_rate.is_none_or(|rate| u64::from(rate) <= limits.average_bit_rate * 1000)
    };
    LEVELS.iter().find(fits).unwrap_or(&LEVELS[LEVELS.len() - 1]).level
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(width: u32, height: u32, rate: Option<u64>) -> LevelFacts {
        LevelFacts {
            picture_size: u64::from(width) * u64::from(height),
            breadth: width.max(height),
            frame_rate: rate.and_then(|rate| FrameRate::new(rate, 1)),
            decoded: None,
            bit_rate: None,
        }
    }

    #[test]
    fn sizes_and_rates_give_the_levels_that_ffmpeg_gives() {
        // vpcC as FFmpeg 5.1 writes it for `color=size=WxH:rate=R`, encoded by libvpx-vp9 (byte 1 of the record).
        for (width, height, rate, expected) in [
            (192, 108, 25, 10),
            (256, 144, 30, 11),
            (640, 360, 30, 21),
            (854, 480, 30, 30),
            (1280, 720, 30, 31),
            (1920, 1080, 30, 40),
            (3840, 2160, 30, 50),
        ] {
            assert_eq!(level(&of(width, height, Some(rate))), expected, "{width}x{height} {rate}");
        }
        // At 60 pictures FFmpeg 5.1 says the same as at 30: here the table decides.
        for (width, height, expected) in [(1280, 720, 40), (1920, 1080, 41), (3840, 2160, 51)] {
            assert_eq!(level(&of(width, height, Some(60))), expected, "{width}x{height}");
        }
    }

    #[test]
    fn hidden_frames_and_bit_rate_count() {
        let facts = of(1920, 1080, Some(40));
        let size = facts.picture_size;
        assert_eq!(level(&facts), 40);
        assert_eq!(level(&LevelFacts { decoded: Some((size * 11, 10)), ..facts }), 41);
        assert_eq!(level(&LevelFacts { decoded: Some((size * 9, 10)), ..facts }), 40);
        assert_eq!(level(&LevelFacts { bit_rate: Some(18_000_000), ..facts }), 40);
        assert_eq!(level(&LevelFacts { bit_rate: Some(18_000_001), ..facts }), 41);
        // Long and narrow.
        assert_eq!(level(&of(1000, 8, Some(10))), 21);
        // Nothing but the size, and what no level allows.
        assert_eq!(level(&of(1920, 1080, None)), 40);
        assert_eq!(level(&of(65_536, 65_536, Some(120))), 62);
    }
}
