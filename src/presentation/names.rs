//! Names of tracks: what a person gave, or height and bit rate, made safe as a file name on Linux, macOS and Windows
//! and in a URL without escaping, and different from each other where case does not count. And names of codecs, for
//! people and as a part of the former.

use std::collections::{HashMap, HashSet};

/// The longest name made here, in bytes.
pub const MAX_NAME_LEN: usize = 64;

/// What a track may be named after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackName {
    /// What a person chose: kept as far as it is safe. It names the directory if there is an ASCII letter or digit in it; a
    /// name in another script has none to keep. Tracks of different encodings may share it, being the same choice for a
    /// viewer: their directories get the encoding at the end. Otherwise it is never altered to make it differ.
    pub given: Option<String>,
    /// Made from what the track is ([`video_name`], [`audio_name`]): gets `-2`, `-3` … where it is taken.
    pub generated: String,
    /// How it is encoded, such as `h264` or `aac-6ch`: of letters, digits and `-`.
    pub encoding: String,
}

impl TrackName {
    /// The given name as a directory's, if it can be one.
    fn given_directory(&self) -> Option<String> {
        self.given.as_deref().filter(|name| name.contains(|c: char| c.is_ascii_alphanumeric())).map(safe_name)
    }

    /// The same with the encoding at its end, where one of `names` has the same in another encoding.
    fn directory_among(&self, names: &[Self]) -> Option<String> {
        let directory = self.given_directory()?;
        let is_shared = |other: &Self| {
            other.encoding != self.encoding
                && other.given_directory().is_some_and(|other| other.eq_ignore_ascii_case(&directory))
        };
        if !names.iter().any(is_shared) {
            return Some(directory);
        }
        Some(with_suffix(&directory, &format!("-{}", self.encoding)))
    }
}

/// What people call the codec of a codec string (RFC 6381), such as `H.264` for `avc1.64001f`; the type of its sample
/// entry where there is no such name here.
pub fn codec_name(codec: &str) -> &str {
    known_codec(codec).map_or_else(|| entry_type(codec), |(_, name)| name)
}

/// The same as a part of the name of a file or group: `h264`, `aac`, `ac-3`.
pub fn codec_word(codec: &str) -> String {
    known_codec(codec)
        .map_or_else(|| safe_name(&entry_type(codec).to_ascii_lowercase()), |(word, _)| word.into())
}

/// Channels, or objects where there are some, as a part of the name of a file or group: `6ch`, `16joc`.
pub(crate) fn sound_word(channels: u16, objects: Option<u8>) -> String {
    objects.map_or_else(|| format!("{channels}ch"), |objects| format!("{objects}joc"))
}

fn entry_type(codec: &str) -> &str {
    codec.split('.').next().unwrap_or(codec)
}

/// Word and name. The object types of AAC: ISO/IEC 14496-3 1.5.1.1 (not opened; as RFC 6381 and its users have them).
fn known_codec(codec: &str) -> Option<(&'static str, &'static str)> {
    Some(match entry_type(codec) {
        "avc1" | "avc3" => ("h264", "H.264"),
        "hvc1" | "hev1" => ("h265", "H.265"),
        "av01" => ("av1", "AV1"),
        "vp09" => ("vp9", "VP9"),
        "ac-3" => ("ac-3", "AC-3"),
        "ec-3" => ("ec-3", "E-AC-3"),
        "ac-4" => ("ac-4", "AC-4"),
        "Opus" | "opus" => ("opus", "Opus"),
        "fLaC" | "flac" => ("flac", "FLAC"),
        "mp4a" => match codec {
            "mp4a.40.5" => ("he-aac", "HE-AAC"),
            "mp4a.40.29" => ("he-aac-v2", "HE-AAC v2"),
            "mp4a.40.42" => ("xhe-aac", "xHE-AAC"),
            _ if codec.starts_with("mp4a.40") => ("aac", "AAC"),
            _ => return None,
        },
        _ => return None,
    })
}

/// Two tracks whose given names are the same, or become the same directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameName {
    /// Index of the first track.
    pub first: usize,
    /// Index of the second track.
    pub second: usize,
}

/// `1080p-5987k`: height as coded and average bit rate in kilobits per second, to nearest.
pub fn video_name(height: u32, bits_per_second: u64) -> String {
    format!("{height}p-{}k", kilobits(bits_per_second))
}

/// `en-128k`, or `audio-128k` where the language is not known.
pub fn audio_name(language: Option<&str>, bits_per_second: u64) -> String {
    format!("{}-{}k", safe_name(language.unwrap_or("audio")), kilobits(bits_per_second))
}

/// To nearest, at least 1.
pub(crate) fn kilobits(bits_per_second: u64) -> u64 {
    (bits_per_second / 1000 + u64::from(bits_per_second % 1000 >= 500)).max(1)
}

/// `name` with letters, digits, `.`, `_` and `-` alone: each run of anything else becomes one `-`, marks at the ends
/// are dropped (`_` in front may stay), names that Windows reserves get a `_` in front, and at most
/// [`MAX_NAME_LEN`] bytes are kept. `track` where nothing is left.
pub fn safe_name(name: &str) -> String {
    let mut safe = String::new();
    for c in name.chars().take(4 * MAX_NAME_LEN) {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-' => safe.push(c),
            _ if safe.ends_with('-') => {}
            _ => safe.push('-'),
        }
    }
    let safe = safe.trim_matches(['.', '-']);
    if safe.is_empty() {
        return "track".to_owned();
    }
    shorten(if is_reserved(safe) { format!("_{safe}") } else { safe.to_owned() }, MAX_NAME_LEN)
}

/// Device names, which Windows finds in every directory, with any extension and in any case.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let numbered =
        |device| stem.strip_prefix(device).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit());
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

/// At most `len` bytes of an ASCII name, with no mark at its end.
fn shorten(mut name: String, len: usize) -> String {
    name.truncate(len);
    name.truncate(name.trim_end_matches(['.', '-']).len());
    name
}

/// `base` and `suffix`, shortened within the base.
fn with_suffix(base: &str, suffix: &str) -> String {
    shorten(base.to_owned(), MAX_NAME_LEN.saturating_sub(suffix.len())) + suffix
}

/// Safe names for tracks that share a directory, in the order of `names`, no two equal where case does not count.
/// What a person gave comes first; a generated name that is taken gets the smallest free number from 2 on.
///
/// # Errors
/// The first two given names of one encoding that are the same, or any that come out the same.
pub fn unique_names(names: &[TrackName]) -> Result<Vec<String>, SameName> {
    let directories: Vec<_> = names.iter().map(|name| name.directory_among(names)).collect();
    let mut owners = HashMap::new();
    for (second, (name, directory)) in names.iter().zip(&directories).enumerate() {
        // Where the directory is generated, the name alone may be shared across encodings.
        let key = match (directory, &name.given) {
            (Some(directory), _) => (directory.to_lowercase(), ""),
            (None, Some(given)) => (given.to_lowercase(), name.encoding.as_str()),
            (None, None) => continue,
        };
        if let Some(first) = owners.insert(key, second) {
            return Err(SameName { first, second });
        }
    }
    let mut taken = directories.iter().flatten().map(|name| name.to_ascii_lowercase()).collect();
    let unique = |(name, directory): (&TrackName, Option<String>)| {
        directory.unwrap_or_else(|| free_name(&safe_name(&name.generated), &mut taken))
    };
    Ok(names.iter().zip(directories).map(unique).collect())
}

fn free_name(base: &str, taken: &mut HashSet<String>) -> String {
    let numbered = (2u64..).map(|n| with_suffix(base, &format!("-{n}")));
    std::iter::once(base.to_owned())
        .chain(numbered)
        .find(|name| taken.insert(name.to_ascii_lowercase()))
        .expect("one of endless numbers is free")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn generated_names_say_what_the_track_is() {
        assert_eq!(video_name(1080, 5_986_501), "1080p-5987k");
        assert_eq!(video_name(360, 499), "360p-1k");
        assert_eq!(video_name(1, u64::MAX), "1p-18446744073709552k");
        assert_eq!(audio_name(Some("en"), 128_499), "en-128k");
        assert_eq!(audio_name(Some("zh-Hant"), 96_500), "zh-Hant-97k");
        assert_eq!(audio_name(None, 64_000), "audio-64k");
    }

    #[test]
    fn names_become_safe() {
        for (name, safe) in [
            ("English", "English"),
            ("Director's cut", "Director-s-cut"),
            ("a/b\\c", "a-b-c"),
            ("../../etc", "etc"),
            (".hidden", "hidden"),
            ("-rf", "rf"),
            ("trailing. ", "trailing"),
            ("_private", "_private"),
            ("a  \t b", "a-b"),
            ("Français", "Fran-ais"),
            ("日本語", "track"),
            ("", "track"),
            ("...", "track"),
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("Com7", "_Com7"),
            ("com77", "com77"),
            ("lpt", "lpt"),
            ("console", "console"),
            ("100%", "100"),
        ] {
            assert_eq!(safe_name(name), safe, "{name}");
        }
        assert_eq!(safe_name(&"x".repeat(1000)).len(), MAX_NAME_LEN);
    }

    fn given(name: &str) -> TrackName {
        TrackName { given: Some(name.to_owned()), ..generated("generated") }
    }

    fn generated(name: &str) -> TrackName {
        TrackName { given: None, generated: name.to_owned(), encoding: "aac".to_owned() }
    }

    #[test]
    fn generated_names_give_way_in_order() {
        let names = [generated("en-128k"), generated("EN-128k"), given("en-128k-2"), generated("en-128k")];
        assert_eq!(unique_names(&names).unwrap(), ["en-128k", "EN-128k-3", "en-128k-2", "en-128k-4"]);
        // A given name is never altered, wherever it stands.
        assert_eq!(unique_names(&[generated("a"), given("A")]).unwrap(), ["a-2", "A"]);
        let long = "x".repeat(MAX_NAME_LEN);
        let names = unique_names(&[generated(&long), generated(&long)]).unwrap();
        assert_eq!(names[1], "x".repeat(MAX_NAME_LEN - 2) + "-2");
    }

    #[test]
    fn a_given_name_without_an_ascii_letter_or_digit_leaves_the_directory_to_the_generated_one() {
        let names = [given("日本語"), given("中文"), given("__"), given("日本 2")];
        assert_eq!(unique_names(&names).unwrap(), ["generated", "generated-2", "generated-3", "2"]);
    }

    #[test]
    fn the_same_given_name_twice_is_an_error() {
        for [first, second] in [["a", "a"], ["a", "A"], ["a b", "a/b"], ["日", "日"], ["Я", "я"]] {
            let names = [given(first), generated("a"), given(second)];
            assert_eq!(unique_names(&names), Err(SameName { first: 0, second: 2 }), "{first} {second}");
        }
        assert!(unique_names(&[given("v1.1"), given("v1-1")]).is_ok());
    }

    #[test]
    fn encodings_may_share_a_given_name_and_have_it_at_the_end_of_their_directories() {
        let of = |name: &str, encoding: &str| TrackName { encoding: encoding.to_owned(), ..given(name) };
        let unique = |names: &[TrackName]| unique_names(names);
        let names =
            [of("English", "aac"), of("english", "ac-3"), of("Deutsch", "aac"), of("English", "aac-6ch")];
        let expected = ["English-aac", "english-ac-3", "Deutsch", "English-aac-6ch"];
        assert_eq!(unique(&names).unwrap(), expected);
        assert_eq!(unique(&[of("日", "aac"), of("日", "ac-3")]).unwrap(), ["generated", "generated-2"]);
        let same = Err(SameName { first: 0, second: 2 });
        assert_eq!(unique(&[of("a", "aac"), of("a", "ac-3"), of("A", "aac")]), same);
        assert_eq!(unique(&[of("a-aac", "aac"), of("b", "aac"), of("a", "aac"), of("a", "ac-3")]), same);
        let long = "x".repeat(MAX_NAME_LEN);
        let names = unique(&[of(&long, "aac"), of(&long, "ac-3")]).unwrap();
        assert_eq!(names[1], "x".repeat(MAX_NAME_LEN - 5) + "-ac-3");
    }

    #[test]
    fn codecs_have_words_and_names() {
        for (codec, word, name) in [
            ("avc1.64001f", "h264", "H.264"),
            ("avc3.64001f", "h264", "H.264"),
            ("hvc1.1.6.L93.B0", "h265", "H.265"),
            ("hev1.1.6.L93.B0", "h265", "H.265"),
            ("av01.0.00M.08", "av1", "AV1"),
            ("mp4a.40.2", "aac", "AAC"),
            ("mp4a.40.29", "he-aac-v2", "HE-AAC v2"),
            ("mp4a.6B", "mp4a", "mp4a"),
            ("ac-3", "ac-3", "AC-3"),
            ("Opus", "opus", "Opus"),
            ("iamf.000.000.Opus", "iamf", "iamf"),
            ("vvc1.1.L51", "vvc1", "vvc1"),
        ] {
            assert_eq!((codec_word(codec).as_str(), codec_name(codec)), (word, name), "{codec}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_safe_and_stays_as_it_is(name in "\\PC{0,80}|[a-z.-]{0,80}|(con|nul|com1)[.-]{0,3}.{0,70}") {
            let safe = safe_name(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= MAX_NAME_LEN);
            prop_assert!(safe.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
            prop_assert!(!safe.starts_with(['.', '-']) && !safe.ends_with(['.', '-']) && !is_reserved(&safe));
            prop_assert_eq!(safe_name(&safe), safe);
        }

        #[test]
        fn unique_names_differ_without_regard_to_case(names in prop::collection::vec("[aA]{1,2}(-2)?", 1..12)) {
            let names: Vec<_> = names.iter().map(|name| generated(name)).collect();
            let unique = unique_names(&names).unwrap();
            let distinct: HashSet<_> = unique.iter().map(|name| name.to_ascii_lowercase()).collect();
            prop_assert_eq!(distinct.len(), names.len());
        }
    }
}
