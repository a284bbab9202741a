//! Names of tracks: what a person gave, or height and bit rate, made safe as a file name on Linux, macOS and Windows
//! and in a URL without escaping, and different from each other where case does not count.

use std::collections::{HashMap, HashSet};

/// The longest name made here, in bytes.
pub const MAX_NAME_LEN: usize = 64;

/// What a track may be named after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackName {
    /// What a person chose: kept as far as it is safe, and never altered to make it differ. It names the directory if
    /// there is an ASCII letter or digit in it; a name in another script has none to keep.
    pub given: Option<String>,
    /// Made from what the track is ([`video_name`], [`audio_name`]): gets `-2`, `-3` … where it is taken.
    pub generated: String,
}

impl TrackName {
    /// The given name as a directory's, if it can be one.
    fn given_directory(&self) -> Option<String> {
        self.given.as_deref().filter(|name| name.contains(|c: char| c.is_ascii_alphanumeric())).map(safe_name)
    }
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

fn kilobits(bits_per_second: u64) -> u64 {
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

/// Safe names for tracks that share a directory, in the order of `names`, no two equal where case does not count.
/// What a person gave comes first; a generated name that is taken gets the smallest free number from 2 on.
///
/// # Errors
/// The first two given names that are the same, or come out the same.
pub fn unique_names(names: &[TrackName]) -> Result<Vec<String>, SameName> {
    let directories: Vec<_> = names.iter().map(TrackName::given_directory).collect();
    let mut owners = HashMap::new();
    for (second, (name, directory)) in names.iter().zip(&directories).enumerate() {
        let Some(key) = directory.as_ref().or(name.given.as_ref()) else { continue };
        if let Some(first) = owners.insert(key.to_lowercase(), second) {
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
    let numbered = (2u64..).map(|n| {
        let suffix = format!("-{n}");
        shorten(base.to_owned(), MAX_NAME_LEN - suffix.len()) + &suffix
    });
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
        TrackName { given: None, generated: name.to_owned() }
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
