//! The table that ends a run: one line a rendition. Plain text; numbers are rounded here, for reading only.

use fragmint::time::FrameRate;
use unicode_width::UnicodeWidthStr;

/// One rendition as the table shows it.
#[derive(Clone, Debug)]
pub struct RenditionRow {
    /// Name of the rendition, also of its directory.
    pub name: String,
    /// Codec string (RFC 6381).
    pub codec: String,
    /// What kind of picture or sound.
    pub format: RowFormat,
    /// Length in seconds, as text.
    pub duration: String,
    /// Media segments.
    pub segments: u64,
    /// Bits per second over the whole rendition.
    pub average_bps: u64,
    /// The highest bits per second that a playlist declares for it.
    pub peak_bps: u64,
}

/// The part of a row that differs between video and audio.
#[derive(Clone, Copy, Debug)]
pub enum RowFormat {
    /// Pictures.
    Video {
        /// Displayed width and height in pixels.
        size: (u32, u32),
        /// Pictures per second, if constant.
        frame_rate: Option<FrameRate>,
    },
    /// Sound.
    Audio {
        /// Channels.
        channels: u32,
        /// Samples per second.
        sample_rate: u32,
    },
}

impl RowFormat {
    /// `1920×1080` or `2ch 44.1kHz`.
    pub fn size_text(&self) -> String {
        match *self {
            Self::Video { size: (width, height), .. } => format!("{width}×{height}"),
            Self::Audio { channels, sample_rate } => {
                format!("{channels}ch {}kHz", decimals(f64::from(sample_rate) / 1000.0))
            }
        }
    }

    /// Pictures per second with up to three decimals, nothing for audio.
    pub fn rate_text(&self) -> String {
        match *self {
            Self::Video { frame_rate: Some(rate), .. } => decimals(rate.hertz()),
            Self::Video { frame_rate: None, .. } => "variable".to_owned(),
            Self::Audio { .. } => String::new(),
        }
    }
}

/// `number` with up to three decimals.
fn decimals(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

const HEADER: [&str; 8] = ["rendition", "codec", "size", "fps", "seconds", "segments", "kbit/s", "peak"];
/// Columns of text, which stand at the left; numbers stand at the right.
const LEFT: usize = 3;

/// The table with its header, each line ended. Rows keep their order.
pub fn render(rows: &[RenditionRow]) -> String {
    let body = rows.iter().map(|row| {
        [
            row.name.clone(),
            row.codec.clone(),
            row.format.size_text(),
            row.format.rate_text(),
            row.duration.clone(),
            row.segments.to_string(),
            kilobits(row.average_bps),
            kilobits(row.peak_bps),
        ]
    });
    let lines: Vec<[String; 8]> = std::iter::once(HEADER.map(str::to_owned)).chain(body).collect();
    align(&lines, LEFT)
}

/// Thousands of bits per second, rounded half up.
fn kilobits(bps: u64) -> String {
    (bps / 1000 + u64::from(bps % 1000 >= 500)).to_string()
}

/// `lines` in columns two spaces apart: the first `left` at the left, the others at the right. Width is counted as a
/// terminal shows it.
pub fn align<const N: usize>(lines: &[[String; N]], left: usize) -> String {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.width().max(*width);
        }
    }
    let mut text = String::new();
    for line in lines {
        let start = text.len();
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let padding = " ".repeat(width - cell.width());
            let (before, after) = if column < left { ("", padding.as_str()) } else { (padding.as_str(), "") };
            text.extend([gap, before, cell, after]);
        }
        text.truncate(start + text[start..].trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(name: &str, size: (u32, u32), rate: (u64, u64), bps: (u64, u64)) -> RenditionRow {
        RenditionRow {
            name: name.to_owned(),
            codec: "avc1.640028".to_owned(),
            format: RowFormat::Video { size, frame_rate: FrameRate::new(rate.0, rate.1) },
            duration: "5400.021".to_owned(),
            segments: 1350,
            average_bps: bps.0,
            peak_bps: bps.1,
        }
    }

    fn audio(name: &str, sample_rate: u32) -> RenditionRow {
        RenditionRow {
            name: name.to_owned(),
            codec: "mp4a.40.2".to_owned(),
            format: RowFormat::Audio { channels: 2, sample_rate },
            duration: "5400.043".to_owned(),
            segments: 1350,
            average_bps: 128_499,
            peak_bps: 131_500,
        }
    }

    #[test]
    fn a_ladder_fits_eighty_columns() {
        let rows = [
            video("1080p", (1920, 1080), (30_000, 1001), (4_982_100, 7_310_777)),
            video("360p", (640, 360), (25, 1), (612_900, 899_500)),
            audio("English", 48_000),
            audio("日本語", 44_100),
        ];
        let expected = "\
rendition  codec        size           fps   seconds  segments  kbit/s  peak
1080p      avc1.640028  1920×1080    29.97  5400.021      1350    4982  7311
360p       avc1.640028  640×360         25  5400.021      1350     613   900
English    mp4a.40.2    2ch 48kHz           5400.043      1350     128   132
日本語     mp4a.40.2    2ch 44.1kHz         5400.043      1350     128   132
";
        assert_eq!(render(&rows), expected);
        assert!(expected.lines().all(|line| line.width() <= 80));
    }

    #[test]
    fn no_rendition_leaves_the_header() {
        assert_eq!(render(&[]), "rendition  codec  size  fps  seconds  segments  kbit/s  peak\n");
    }
}
