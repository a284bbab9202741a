//! One input on the command line: `PATH[,key=value…]`, for example `en.aac,lang=en,name=English`; `-` is standard input.
//!
//! The path ends at the first comma that is followed by letters (`-` among them) and `=`; other commas belong to it. `\,` is a comma of
//! the path or value wherever it stands, `\\` a backslash; any other backslash is itself. No file is looked at: the same
//! words always mean the same.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use fragmint::codec::{Colour, ContentLight, MasteringDisplay};
use fragmint::time::FrameRate;
use fragmint::{Error, Result};
use oxilangtag::LanguageTag;

/// An input file and the settings that came with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputArg {
    /// The file, byte for byte as the shell gave it; `-` for standard input.
    pub path: PathBuf,
    /// `fps=`: pictures per second.
    pub fps: Option<FrameRate>,
    /// `lang=`: a BCP 47 tag in canonical case, with the shortest code of its language.
    pub language: Option<String>,
    /// `name=`: what playlists call it. Without control characters and `"`, which a playlist cannot hold.
    pub name: Option<String>,
    /// `role=`: one of [`ROLES`].
    pub role: Option<String>,
    /// `default=`: whether a player should choose it where the viewer has no preference.
    pub default: Option<bool>,
    /// `timecodes=`: the file with the time of each picture.
    pub timecodes: Option<PathBuf>,
    /// `colour=`: what sample values mean.
    pub colour: Option<Colour>,
    /// `mastering-display=`: colour volume of the display that the content was mastered on.
    pub mastering_display: Option<MasteringDisplay>,
    /// `content-light=`: light levels of the content.
    pub content_light: Option<ContentLight>,
    /// `priming=`: samples at the start of AAC that are decoded and not heard.
    pub priming: Option<u32>,
}

/// Another name of `-`, which a word that goes on with settings can start with and be no option.
pub const STANDARD_INPUT: &[u8] = b"/dev/stdin";

const KEYS: [&str; 10] = [
    "fps",
    "timecodes",
    "lang",
    "name",
    "role",
    "default",
    "priming",
    "colour",
    "mastering-display",
    "content-light",
];

/// The settings whose values have commas, which need no backslash: what follows one and is no setting goes on with it.
const LISTS: [&[u8]; 2] = [b"mastering-display=", b"content-light="];

/// The setting whose value is a path, of any bytes.
const TIMECODES: &[u8] = b"timecodes=";

/// The values of the role scheme `urn:mpeg:dash:role:2011` (ISO/IEC 23009-1 5.8.5.5). The edition of 2012 has
/// seven of them; the others are in the lists that Shaka Packager and AWS MediaLive publish.
const ROLES: [&str; 15] = [
    "main",
    "alternate",
    "supplementary",
    "commentary",
    "dub",
    "description",
    "caption",
    "subtitle",
    "forced-subtitle",
    "sign",
    "metadata",
    "enhanced-audio-intelligibility",
    "emergency",
    "easyreader",
    "karaoke",
];

impl InputArg {
    /// Reads one argument. Errors name the key, the value and what would be right.
    pub fn parse(text: &OsStr) -> Result<Self> {
        let pieces = split(text.as_bytes());
        let is_setting = |piece: &Piece| starts_like_a_setting(&piece.text);
        let settings_start =
            pieces.iter().skip(1).position(is_setting).map_or(pieces.len(), |position| position + 1);
        let (path, settings) = pieces.split_at(settings_start);
        let path: Vec<&[u8]> = path.iter().map(|piece| piece.text.as_slice()).collect();
        let path = path.join(&b',');
        if path.is_empty() {
            return Err(Error::conflict("the input's path is empty", "name a file"));
        }
        // Two names of one thing become one, so that it is found when it is given twice.
        let path = if path == STANDARD_INPUT { b"-".to_vec() } else { path };
        let mut input =
            Self { path: PathBuf::from(std::ffi::OsString::from_vec(path)), ..Default::default() };
        let mut settings = settings.iter().peekable();
        while let Some(piece) = settings.next() {
            if let Some(path) = piece.text.strip_prefix(TIMECODES).filter(|path| !path.is_empty()) {
                let path = PathBuf::from(OsStr::from_bytes(path));
                once(&mut input.timecodes, "timecodes", path)?;
                continue;
            }
            let mut piece = Piece { text: piece.text.clone() };
            if LISTS.iter().any(|key| piece.text.starts_with(key)) {
                while let Some(next) = settings.next_if(|next| !is_setting(next)) {
                    piece.text.push(b',');
                    piece.text.extend(&next.text);
                }
            }
            let setting = std::str::from_utf8(&piece.text).map_err(|_| {
                Error::conflict(
                    format!("'{}' is not UTF-8", piece.text.escape_ascii()),
                    "settings are UTF-8 text; only paths may hold other bytes",
                )
            })?;
            input.set(setting)?;
        }
        Ok(input)
    }

    /// Whether it is standard input: `-`. A file of that name is `./-`.
    pub fn is_standard_input(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// Applies one `key=value`.
    fn set(&mut self, setting: &str) -> Result<()> {
        let Some((key, value)) = setting.split_once('=') else {
            let what = format!("'{setting}' is not KEY=VALUE");
            return Err(Error::conflict(what, "write a comma inside a value as '\\,'"));
        };
        if value.is_empty() {
            return Err(Error::conflict(format!("{key}= has no value"), "give one or leave the key out"));
        }
        match key {
            "fps" => once(&mut self.fps, key, FrameRate::parse(value)?),
            "lang" => once(&mut self.language, key, language(value)?),
            "name" => once(&mut self.name, key, name(value)?),
            "role" => once(&mut self.role, key, role(value)?),
            "default" => once(&mut self.default, key, yes_or_no(value)?),
            "priming" => once(&mut self.priming, key, priming(value)?),
            "colour" => once(&mut self.colour, key, Colour::parse(value)?),
            "mastering-display" => once(&mut self.mastering_display, key, MasteringDisplay::parse(value)?),
            "content-light" => once(&mut self.content_light, key, ContentLight::parse(value)?),
            _ => {
                let what = format!("'{key}' is not a setting of an input");
                let remedy = format!(
                    "the settings are {}; a comma that belongs to the path is written '\\,'",
                    KEYS.join(", ")
                );
                Err(Error::conflict(what, remedy))
            }
        }
    }
}

fn once<T>(slot: &mut Option<T>, key: &str, value: T) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::conflict(format!("{key}= is given twice for one input"), "keep one")),
    }
}

/// Text between two commas, with the escapes undone.
struct Piece {
    text: Vec<u8>,
}

/// Splits at commas that no backslash protects.
fn split(text: &[u8]) -> Vec<Piece> {
    let mut pieces = vec![Piece { text: Vec::new() }];
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b',' => {
                pieces.push(Piece { text: Vec::new() });
                continue;
            }
            b'\\' => bytes.next_if(|&next| next == b',' || next == b'\\').unwrap_or(b'\\'),
            other => other,
        };
        if let Some(piece) = pieces.last_mut() {
            piece.text.push(byte);
        }
    }
    pieces
}

/// Letters, with hyphens among them, and `=`: also a misspelt key, so that it is reported and not taken for a part of the path.
fn starts_like_a_setting(text: &[u8]) -> bool {
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-').count();
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.get(letters) == Some(&b'=')
}

/// The 20 languages with a code in ISO 639-2/B (bibliographic) that differs from the one in 639-2/T, which alone BCP 47
/// knows, with their codes in ISO 639-1.
const BIBLIOGRAPHIC: [(&str, &str); 20] = [
    ("alb", "sq"),
    ("arm", "hy"),
    ("baq", "eu"),
    ("bur", "my"),
    ("chi", "zh"),
    ("cze", "cs"),
    ("dut", "nl"),
    ("fre", "fr"),
    ("geo", "ka"),
    ("ger", "de"),
    ("gre", "el"),
    ("ice", "is"),
    ("mac", "mk"),
    ("mao", "mi"),
    ("may", "ms"),
    ("per", "fa"),
    ("rum", "ro"),
    ("slo", "sk"),
    ("tib", "bo"),
    ("wel", "cy"),
];

/// A BCP 47 tag in its canonical form. RFC 5646 2.1: a language is named by its shortest ISO 639 code, so
/// `eng` becomes `en`.
fn language(value: &str) -> Result<String> {
    let invalid = |why: &str| {
        let what = format!("lang={value} {why}");
        Error::conflict(what, "give a tag such as en, de, pt-BR or zh-Hant")
    };
    let no_tag = "is not a language tag (BCP 47)";
    let tag = LanguageTag::parse_and_normalize(value).map_err(|_| invalid(no_tag))?;
    let primary = tag.primary_language();
    let code = match primary.len() {
        2 | 3 => language_code(primary).ok_or_else(|| invalid("names no language of ISO 639"))?,
        // RFC 5646 2.1: four letters are reserved, five to eight are for languages that only the registry has, so
        // "english" is a slip.
        4..=8 if !primary.contains('-') => return Err(invalid(no_tag)),
        _ => primary,
    };
    Ok(format!("{code}{}", &tag.as_str()[primary.len()..]))
}

/// The shortest ISO 639 code of the language that a code of two or three letters names. `qaa` to `qtz` are for private use
/// (RFC 5646 2.2.1) and stay.
fn language_code(code: &str) -> Option<&str> {
    if let Some((_, short)) = BIBLIOGRAPHIC.iter().find(|(bibliographic, _)| *bibliographic == code) {
        return Some(short);
    }
    match *code.as_bytes() {
        [_, _] => isolang::Language::from_639_1(code).map(|_| code),
        [b'q', b'a'..=b't', b'a'..=b'z'] => Some(code),
        _ => isolang::Language::from_639_3(code).map(|language| language.to_639_1().unwrap_or(code)),
    }
}

/// RFC 8216 4.2: a quoted string holds no line feed, carriage return or double quote. Other control characters only harm
/// whoever prints the name. `{$` starts a variable reference.
fn name(value: &str) -> Result<String> {
    let found = match value.find(|c: char| c.is_control() || c == '"') {
        Some(at) => value[at..].chars().next().map(|c| format!("{c:?}")),
        None => value.contains("{$").then(|| "'{$'".to_owned()),
    };
    match found {
        None => Ok(value.to_owned()),
        Some(found) => Err(Error::conflict(
            format!("name= holds {found}, which a playlist cannot"),
            "use a name without quotation marks, control characters and {$",
        )),
    }
}

fn role(value: &str) -> Result<String> {
    if ROLES.contains(&value) {
        return Ok(value.to_owned());
    }
    let what = format!("role={value} is not a role of the DASH role scheme");
    Err(Error::conflict(what, format!("the roles are {}", ROLES.join(", "))))
}

fn yes_or_no(value: &str) -> Result<bool> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(Error::conflict(format!("default={value} is neither yes nor no"), "write default=yes")),
    }
}

fn priming(value: &str) -> Result<u32> {
    value.parse().map_err(|_| {
        Error::conflict(
            format!("priming={value} is not a number of samples"),
            "give what the encoder put in front of the sound, such as 1024 (FFmpeg) or 2112 (Apple)",
        )
    })
}

/// Refuses one path with the same settings twice. What settings may not share is for the library to say, which knows what
/// the inputs are.
pub fn check_distinct(inputs: &[InputArg]) -> Result<()> {
    for (index, input) in inputs.iter().enumerate() {
        if inputs[..index].contains(input) {
            let what = format!("{} is given twice", input.path.display());
            return Err(Error::usage(what, "give each input once"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<InputArg> {
        InputArg::parse(OsStr::new(text))
    }

    fn path(text: &str) -> String {
        parse(text).unwrap().path.into_os_string().into_string().unwrap()
    }

    fn error(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn settings_follow_the_path() {
        let input =
            parse("dir/en.aac,fps=30000/1001,lang=en-gb,name=English,role=main,default=yes,priming=2112")
                .unwrap();
        let expected = InputArg {
            path: PathBuf::from("dir/en.aac"),
            fps: FrameRate::new(30_000, 1001),
            language: Some("en-GB".to_owned()),
            name: Some("English".to_owned()),
            role: Some("main".to_owned()),
            default: Some(true),
            priming: Some(2112),
            ..InputArg::default()
        };
        assert_eq!(input, expected);
    }

    #[test]
    fn pictures_are_described_with_commas_that_need_no_backslash() {
        let display =
            "mastering-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)";
        let input =
            parse(&format!("v.h265,{display},content-light=1000,400,colour=bt2020-pq,name=HDR")).unwrap();
        assert_eq!(input.path, PathBuf::from("v.h265"));
        assert_eq!(input.colour, Colour::parse("9/16/9").ok());
        assert_eq!(input.mastering_display.map(|display| display.max_luminance), Some(10_000_000));
        assert_eq!(input.content_light, ContentLight::parse("1000,400").ok());
        assert_eq!(input.name.as_deref(), Some("HDR"));
        // The backslash may stand there all the same.
        assert_eq!(parse(r"v,content-light=1000\,400").unwrap().content_light, input.content_light);
        assert!(error("v,content-light=1000").contains("MaxCLL"));
        assert!(error("v,content-light=1,2,3").contains("MaxCLL"));
        assert!(error("v,content-light=1,2,content-light=1,2").contains("twice"));
        assert!(error("v,mastering-display=G(1,2)").contains("as x265 takes it"));
        assert!(error("v,colour=red").contains("bt2020-hlg"));
        assert!(error("v,mastering-displays=1").contains("not a setting"));
    }

    #[test]
    fn timecodes_are_a_path_of_any_bytes() {
        let input =
            InputArg::parse(OsStr::from_bytes(b"v.h264,timecodes=dir/a\\,b\xff.txt,lang=en")).unwrap();
        assert_eq!(input.timecodes.unwrap().as_os_str().as_bytes(), b"dir/a,b\xff.txt");
        assert_eq!(input.language.as_deref(), Some("en"));
        assert!(error("v,timecodes=a,timecodes=b").contains("twice"));
        assert!(error("v,timecodes=").contains("no value"));
    }

    #[test]
    fn commas_before_the_first_setting_belong_to_the_path() {
        assert_eq!(path("a,b.h264"), "a,b.h264");
        assert_eq!(path("a,b.h264,lang=en"), "a,b.h264");
        assert_eq!(path("a,1=2.h264"), "a,1=2.h264");
        assert_eq!(path("x=y.h264"), "x=y.h264");
        assert_eq!(path("a,"), "a,");
    }

    #[test]
    fn a_backslash_protects_a_comma() {
        assert_eq!(path(r"a\,lang=x.aac"), "a,lang=x.aac");
        assert_eq!(parse(r"a\,lang=x.aac").unwrap().language, None);
        assert_eq!(path(r"a\\,lang=en"), r"a\");
        assert_eq!(path(r"a\b.aac"), r"a\b.aac");
        assert_eq!(parse(r"a.aac,name=Hi\, you").unwrap().name.as_deref(), Some("Hi, you"));
    }

    #[test]
    fn what_is_wrong_with_a_setting_is_said_with_what_is_right() {
        assert!(
            error("a.aac,langg=en").contains("fps, timecodes, lang, name, role, default, priming, colour")
        );
        assert!(error("a.aac,lang=en,lang=de").contains("twice"));
        assert!(error("a.aac,name=Hello, you").contains(r"'\,'"));
        assert!(error("a.aac,name=").contains("no value"));
        assert!(error("a.aac,role=hero").contains("enhanced-audio-intelligibility"));
        assert!(error("a.aac,priming=1e3").contains("2112 (Apple)"));
        assert!(error("a.aac,priming=-1").contains("not a number of samples"));
        assert!(error("a.aac,default=true").contains("default=yes"));
        assert!(error("a.aac,fps=29.97").contains("30000/1001"));
        assert!(error("a.aac,name=a\"b").contains("quotation"));
        assert!(error("a.aac,name={$x}").contains("{$"));
        assert!(error("").contains("empty"));
        assert!(error(",lang=en").contains("empty"));
    }

    #[test]
    fn a_hyphen_is_standard_input_and_a_file_of_that_name_is_not() {
        for text in ["-", "-,fps=25", "/dev/stdin", "/dev/stdin,fps=25"] {
            assert!(parse(text).unwrap().is_standard_input(), "{text}");
        }
        assert_eq!(parse("-,fps=25").unwrap().fps, FrameRate::new(25, 1));
        for text in ["./-", "-/", "-,", "--"] {
            assert!(!parse(text).unwrap().is_standard_input(), "{text}");
        }
        assert_eq!(path("./-"), "./-");
    }

    #[test]
    fn language_tags_are_canonical_or_refused() {
        let of = |tag: &str| parse(&format!("a,lang={tag}")).ok().and_then(|input| input.language);
        assert_eq!(of("EN").as_deref(), Some("en"));
        assert_eq!(of("eng").as_deref(), Some("en"));
        assert_eq!(of("deu-ch").as_deref(), Some("de-CH"));
        assert_eq!(of("zh-hant-tw").as_deref(), Some("zh-Hant-TW"));
        assert_eq!(of("gsw").as_deref(), Some("gsw"));
        assert_eq!(of("und").as_deref(), Some("und"));
        assert_eq!(of("x-klingon").as_deref(), Some("x-klingon"));
        assert_eq!(of("ger").as_deref(), Some("de"));
        assert_eq!(of("FRE-ca").as_deref(), Some("fr-CA"));
        assert_eq!(of("qaa").as_deref(), Some("qaa"));
        assert_eq!(of("qtz-latn").as_deref(), Some("qtz-Latn"));
        assert_eq!(of("zh-cmn").as_deref(), Some("zh-cmn"));
        for bad in ["english", "e", "en_GB", "en-", "1", "deutsch", "xx", "xx-US", "qwx", "zzz"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn bibliographic_codes_are_no_other_code_and_become_two_letters() {
        for (code, short) in BIBLIOGRAPHIC {
            assert_eq!(isolang::Language::from_639_3(code), None, "{code}");
            assert_eq!(language(code).unwrap(), short);
            assert!(isolang::Language::from_639_1(short).is_some(), "{short}");
        }
    }

    #[test]
    fn a_path_keeps_bytes_that_are_not_utf_8() {
        let input = InputArg::parse(OsStr::from_bytes(b"\xff,\xfe.aac,lang=de")).unwrap();
        assert_eq!(input.path.as_os_str().as_bytes(), b"\xff,\xfe.aac");
        assert_eq!(input.language.as_deref(), Some("de"));
        let error = InputArg::parse(OsStr::from_bytes(b"a,name=\xff")).unwrap_err().to_string();
        assert!(error.contains("UTF-8"), "{error}");
    }

    #[test]
    fn one_path_twice_needs_settings_that_differ() {
        let check = |texts: &[&str]| {
            let inputs: Vec<InputArg> = texts.iter().map(|text| parse(text).unwrap()).collect();
            check_distinct(&inputs).err().map(|error| error.to_string())
        };
        assert_eq!(check(&["a.aac,lang=en", "a.aac,lang=de", "b.aac,lang=de"]), None);
        assert_eq!(check(&["a.h264,name=Main", "a.aac,name=Main"]), None);
        assert!(check(&["a.aac", "b.aac", "a.aac"]).unwrap().contains("a.aac is given twice"));
    }

    proptest! {
        #[test]
        fn any_path_survives_when_it_is_escaped(path in "[a-z,=\\\\./-]{2,12}") {
            let escaped = path.replace('\\', r"\\").replace(',', r"\,");
            let input = parse(&format!("{escaped},lang=en")).unwrap();
            prop_assert_eq!(input.path, PathBuf::from(path));
        }

        #[test]
        fn any_bytes_give_an_input_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = InputArg::parse(OsStr::from_bytes(&bytes));
        }
    }
}
