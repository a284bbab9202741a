//! What `--dry-run` prints: what would be written, in words. Plain values in, text out.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::table::{RowFormat, align};

/// Everything a run would write.
#[derive(Clone, Debug)]
pub struct PlanView {
    /// The output directory.
    pub output: PathBuf,
    /// The switching sets, video before audio.
    pub sets: Vec<SetView>,
    /// Files in the output, playlists and receipt included.
    pub files: u64,
    /// Bytes of all init and media segments.
    pub bytes: u64,
    /// What the user should know: a frame rate taken from an uncertain place, pictures that are dropped …
    pub notices: Vec<String>,
}

/// One switching set: tracks that a player may switch between, all cut at the same times.
#[derive(Clone, Debug)]
pub struct SetView {
    /// What it is: `video, H.264`.
    pub title: String,
    /// Its tracks.
    pub tracks: Vec<TrackView>,
    /// Where each segment starts, and where the last one ends, in seconds as text.
    pub cuts: Vec<String>,
}

/// One track.
#[derive(Clone, Debug)]
pub struct TrackView {
    /// The input file.
    pub input: PathBuf,
    /// Its directory below the output, `video/1080p`.
    pub directory: String,
    /// Codec string.
    pub codec: String,
    /// What kind of picture or sound.
    pub format: RowFormat,
    /// Samples: pictures or audio frames.
    pub samples: u64,
    /// Length in seconds, as text.
    pub duration: String,
    /// Bytes of its init and media segments.
    pub bytes: u64,
}

/// Characters to a line of cuts.
const WIDTH: usize = 80;
/// Cuts shown before and after the gap in a long list.
const CUTS_SHOWN: (usize, usize) = (12, 3);

impl PlanView {
    /// The plan as text, each line ended.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for set in &self.sets {
            set.render(&mut text);
            text.push('\n');
        }
        for notice in &self.notices {
            text.extend(["notice: ", notice, "\n"]);
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} in {} would be written to {}. Nothing is: this is a dry run.",
            bytes(self.bytes),
            counted(self.files, "file"),
            self.output.display()
        );
        text
    }
}

impl SetView {
    fn render(&self, text: &mut String) {
        let segments = self.cuts.len().saturating_sub(1) as u64;
        let tracks = counted(self.tracks.len() as u64, "rendition");
        let _ = writeln!(text, "{}: {tracks}, {} each", self.title, counted(segments, "segment"));
        let lines: Vec<[String; 7]> = self.tracks.iter().map(TrackView::cells).collect();
        for line in align(&lines, 4).lines() {
            text.extend(["  ", line, "\n"]);
        }
        push_cuts(text, &self.cuts);
    }
}

impl TrackView {
    fn cells(&self) -> [String; 7] {
        let unit = match self.format {
            RowFormat::Video { .. } => "picture",
            RowFormat::Audio { .. } => "frame",
        };
        let rate = match self.format.rate_text() {
            rate if rate.is_empty() => rate,
            rate => format!(" {rate} fps"),
        };
        [
            self.directory.clone(),
            format!("from {}", self.input.display()),
            self.codec.clone(),
            format!("{}{rate}", self.format.size_text()),
            counted(self.samples, unit),
            format!("{} s", self.duration),
            bytes(self.bytes),
        ]
    }
}

/// `  cuts at 0, 4.004, 8.008 … s`, wrapped, long lists shortened in the middle.
fn push_cuts(text: &mut String, cuts: &[String]) {
    let (head, tail) = CUTS_SHOWN;
    let shortened = cuts.len() > head + tail + 1;
    let shown = cuts.iter().enumerate().filter_map(|(index, cut)| match index {
        _ if !shortened || index < head || index >= cuts.len() - tail => Some(cut.as_str()),
        _ if index == head => Some("…"),
        _ => None,
    });
    let mut line = String::from("  cuts at");
    let mut words = shown.peekable();
    while let Some(word) = words.next() {
        let end = match words.peek() {
            None => " s",
            Some(&"…") => "",
            Some(_) if word == "…" => "",
            Some(_) => ",",
        };
        if line.chars().count() + word.chars().count() + end.len() >= WIDTH {
            text.extend([line.as_str(), "\n"]);
            line = String::from("         ");
        }
        line.extend([" ", word, end]);
    }
    text.extend([line.as_str(), "\n"]);
}

/// `1 file`, `3 files`.
pub fn counted(count: u64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Bytes in decimal units, rounded for reading.
pub fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, "B");
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        // From here on it would print as 1000.
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" || value >= 99.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fragmint::time::FrameRate;

    fn video(name: &str, size: (u32, u32), bytes: u64) -> TrackView {
        TrackView {
            input: PathBuf::from(format!("{name}.h264")),
            directory: format!("video/{name}"),
            codec: "avc1.640028".to_owned(),
            format: RowFormat::Video { size, frame_rate: FrameRate::new(30_000, 1001) },
            samples: 360,
            duration: "12.012".to_owned(),
            bytes,
        }
    }

    #[test]
    fn a_plan_reads_as_text() {
        let audio = TrackView {
            input: PathBuf::from("en.aac"),
            directory: "audio/English".to_owned(),
            codec: "mp4a.40.2".to_owned(),
            format: RowFormat::Audio { channels: 2, sample_rate: 48_000 },
            samples: 564,
            duration: "12.032".to_owned(),
            bytes: 193_402,
        };
        let strings = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let plan = PlanView {
            output: PathBuf::from("out"),
            sets: vec![
                SetView {
                    title: "video, H.264".to_owned(),
                    tracks: vec![video("1080p", (1920, 1080), 7_480_231), video("360p", (640, 360), 920_004)],
                    cuts: strings(&["0", "4.004", "8.008", "12.012"]),
                },
                SetView {
                    title: "audio, AAC".to_owned(),
                    tracks: vec![audio],
                    cuts: strings(&["0", "12.032"]),
                },
            ],
            files: 17,
            bytes: 8_593_637,
            notices: vec!["en.aac: something to know".to_owned()],
        };
        let expected = "\
video, H.264: 2 renditions, 3 segments each
  video/1080p  from 1080p.h264  avc1.640028  1920×1080 29.97 fps  360 pictures  12.012 s  7.5 MB
  video/360p   from 360p.h264   avc1.640028  640×360 29.97 fps    360 pictures  12.012 s  920 kB
  cuts at 0, 4.004, 8.008, 12.012 s

audio, AAC: 1 rendition, 1 segment each
  audio/English  from en.aac  mp4a.40.2  2ch 48kHz  564 frames  12.032 s  193 kB
  cuts at 0, 12.032 s

notice: en.aac: something to know
8.6 MB in 17 files would be written to out. Nothing is: this is a dry run.
";
        assert_eq!(plan.render(), expected);
    }

    #[test]
    fn a_long_list_of_cuts_keeps_its_ends_and_wraps() {
        let cuts: Vec<String> = (0..1351).map(|index| format!("{}.000", index * 4)).collect();
        let mut text = String::new();
        push_cuts(&mut text, &cuts);
        let expected = [
            "  cuts at 0.000, 4.000, 8.000, 12.000, 16.000, 20.000, 24.000, 28.000, 32.000,",
            "          36.000, 40.000, 44.000 … 5392.000, 5396.000, 5400.000 s",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn sizes_are_rounded_for_reading() {
        let of = [0, 999, 1000, 999_499, 999_500, 99_949_999, 99_950_000, u64::MAX].map(bytes);
        assert_eq!(of, ["0 B", "999 B", "1.0 kB", "999 kB", "1.0 MB", "99.9 MB", "100 MB", "18.4 EB"]);
    }
}
