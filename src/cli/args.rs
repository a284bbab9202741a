//! The words on the command line as values: subcommands, options, their help, and the checks that need no file.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use fragmint::package::Existing;
use fragmint::plan::SegmentDuration;
use fragmint::time::FrameRate;
use fragmint::{Error, Result};

use super::input_arg::{InputArg, STANDARD_INPUT};

/// Turns encoded H.264, H.265, AV1, VP9, AAC, Opus, AC-3, E-AC-3 and FLAC streams into CMAF with HLS playlists and a DASH manifest
#[derive(Debug, Parser)]
#[command(name = "fragmint", version, arg_required_else_help = true, after_help = TOP_NOTES)]
#[command(
    subcommand_help_heading = "Commands",
    subcommand_value_name = "COMMAND",
    disable_help_subcommand = true,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Package streams into a directory
    Package(PackageArgs),
    /// Watch a packaged directory in the browser
    Play(PlayArgs),
    /// Say what is wrong with a package, of any packager
    Verify(VerifyArgs),
    /// Print what a shell needs to complete the command
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

const TOP_NOTES: &str = "\
Nothing is encoded again: every frame comes out as it went in, with its exact
time. What cannot be represented is an error, never a guess.

Examples:
  fragmint package 1080p.h264 720p.h264 en.aac,lang=en,name=English -o out
  fragmint play out
  fragmint verify out

'fragmint package --help' explains inputs and options.";

/// What `fragmint package` is asked to do.
#[derive(Clone, Debug, Args)]
#[command(after_help = PACKAGE_NOTES, override_usage = "fragmint package [OPTIONS] -o DIR INPUT[,KEY=VALUE…]…")]
pub struct PackageArgs {
    /// Stream to package, with settings of its own after commas
    #[arg(value_name = "INPUT", required = true, value_hint = ValueHint::FilePath)]
    #[arg(value_parser = OsStringValueParser::new().try_map(|text| InputArg::parse(&text)))]
    pub inputs: Vec<InputArg>,

    /// Directory to write; created if absent, refused if not empty
    #[arg(short, long, value_name = "DIR", value_parser = OsStringValueParser::new().try_map(directory))]
    #[arg(value_hint = ValueHint::DirPath)]
    pub output: PathBuf,

    /// Length of a segment, aimed at; cuts fall on key frames
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = SegmentDuration::from_str)]
    #[arg(help_heading = "Packaging", allow_negative_numbers = true)]
    pub segment_duration: SegmentDuration,

    /// Frame rate of every video input that has no fps= of its own
    #[arg(long, value_name = "RATE", value_parser = FrameRate::parse)]
    #[arg(help_heading = "Packaging", allow_negative_numbers = true)]
    pub fps: Option<FrameRate>,

    /// Drop pictures before the first key frame instead of refusing the stream
    #[arg(long, help_heading = "Packaging")]
    pub drop_leading: bool,

    /// Drop what is incomplete at the end of audio, AV1 or VP9 instead of refusing the stream
    #[arg(long, help_heading = "Packaging")]
    pub drop_incomplete: bool,

    /// Where the parameter sets of H.264 and H.265 go: auto, sample-entry or in-band
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = ParameterSets::Auto)]
    #[arg(hide_possible_values = true, help_heading = "Packaging")]
    pub parameter_sets: ParameterSets,

    /// Where sets or the format of the pictures change: error, or new-period for a discontinuity
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnChangeChoice::Error)]
    #[arg(hide_possible_values = true, help_heading = "Packaging")]
    pub on_change: OnChangeChoice,

    /// Write no HLS playlists
    #[arg(long, help_heading = "Packaging", conflicts_with = "no_dash")]
    pub no_hls: bool,

    /// Write no DASH manifest
    #[arg(long, help_heading = "Packaging")]
    pub no_dash: bool,

    /// Replace what an earlier run wrote to the directory, and nothing else
    #[arg(long, help_heading = "Packaging", conflicts_with = "resume")]
    pub force: bool,

    /// Go on with a run that was interrupted; whole files stay as they are
    #[arg(long, help_heading = "Packaging")]
    pub resume: bool,

    /// Do not read files back and compare them before manifests name them
    #[arg(long, help_heading = "Safety")]
    pub no_verify: bool,

    /// Hash of each file in the receipt: xxh3-128, sha256 or none
    #[arg(long, value_name = "HASH", value_enum, default_value_t = HashChoice::Xxh3)]
    #[arg(hide_possible_values = true, help_heading = "Safety")]
    pub hash: HashChoice,

    /// Put everything on the disk before manifests name it, for when the power fails
    #[arg(long, help_heading = "Safety")]
    pub durable: bool,

    /// Show what would be written, and write nothing
    #[arg(long, help_heading = "Reporting")]
    pub dry_run: bool,

    /// Print a report for programs on stdout instead of the table
    #[arg(long, help_heading = "Reporting")]
    pub json: bool,

    /// Print errors only; --json still prints its report
    #[arg(short, long, help_heading = "Reporting")]
    pub quiet: bool,

    /// Threads to use, up to 256 [default: one for each processor it may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    #[arg(help_heading = "Speed", allow_negative_numbers = true)]
    pub threads: Option<u16>,

    /// How segment files are filled, to the same bytes: auto, mapped or gather
    #[arg(long, value_name = "WAY", value_enum, default_value_t = IoWay::Auto)]
    #[arg(hide_possible_values = true, help_heading = "Speed")]
    pub io: IoWay,
}

impl PackageArgs {
    /// What to do with what is in the output directory.
    pub fn existing(&self) -> Existing {
        match (self.force, self.resume) {
            (true, _) => Existing::Replace,
            (false, true) => Existing::Resume,
            (false, false) => Existing::Refuse,
        }
    }
}

// At most 78 columns, so that a common terminal does not wrap what is to be copied.
const PACKAGE_NOTES: &str = r"Inputs:
  Any number of streams, recognised by what is in them:
    H.264, H.265     byte streams (Annex B)
    AV1              IVF, OBUs one behind the other, or length-delimited
                     (its own Annex B)
    VP9              IVF
    AAC              ADTS
    Opus             Ogg
    AC-3, E-AC-3     syncframes
    FLAC             native FLAC

  Video inputs of one codec become renditions that a player switches between;
  they need key frames at the same times. Audio inputs are choices for the
  viewer; those of one lang=, name= and role= in several codecs are one.

  '-' is standard input. It, pipes such as <(…) and devices are read to their
  end first, into a file without a name: in $TMPDIR if that is set, else on
  the disk of the output.

  Settings of an input:
    fps=30000/1001   frame rate, if the stream does not tell
    timecodes=FILE   time of each picture, if the frame rate varies: versions
                     1 and 2, as x264 and MKVToolNix write them
    lang=en          language (BCP 47)
    name=English     name in playlists, and of the directory
    role=main        role (DASH): main, alternate, commentary, dub …
    default=yes      the one to play when the viewer has no preference
    colour=bt709     what the stream does not say of its colour, or says
                     wrong: bt601-625, bt601-525, bt2020, bt2020-pq,
                     bt2020-hlg, or
                     primaries/transfer/matrix (H.273), and /full if it is
    mastering-display=G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)
                     likewise of the mastering display, as x265 takes it
    content-light=1000,400
                     likewise of MaxCLL and MaxFALL, in cd/m²
    priming=1024     samples at the start of AAC that its encoder made up,
                     1024 of FFmpeg's, 2112 of Apple's: decoded and not heard

  A comma in a path or a value is written '\,', as in 'a\,b=c.aac'.

Output:
  DIR/master.m3u8 (HLS) and DIR/manifest.mpd (DASH), a directory for each
  rendition below DIR/video and DIR/audio, and DIR/fragmint.json, which lists
  what was written with hashes.

  Every file is read back and compared with its source before a manifest names
  it. A run that fails leaves nothing; one that is interrupted (Ctrl-C, kill)
  leaves whole files, with which the same command and --resume goes on.

Threads:
  One for each processor that may be used: what taskset and cpusets allow, and
  no more than the CPU quota of a container, rounded down. --threads is taken
  as it is. No byte of the output depends on it.

Examples:
  Two sizes and English sound:
    fragmint package 1080p.h264 720p.h264 en.aac,lang=en,name=English -o out

  Two languages, segments of 6 seconds:
    fragmint package v.h264 en.aac,lang=en,default=yes de.aac,lang=de \
      --segment-duration 6 -o out

  H.265 and AV1 for those who can, H.264 for all others:
    fragmint package 720p.h264 360p.h264 720p.h265 720p.ivf en.aac -o out

  One sound in two codecs, one choice for the viewer:
    fragmint package v.ivf en.opus,lang=en en.aac,lang=en,priming=1024 -o out

  A stream that does not tell its frame rate, and one whose rate varies:
    fragmint package v.h264 --fps 30000/1001 -o out
    fragmint package v.h264,timecodes=v.txt -o out

  Out of an encoder:
    ffmpeg … -f h264 - | fragmint package -,fps=25 en.aac -o out

  Only look:
    fragmint package v.h264 en.aac -o out --dry-run";

/// Function of the hashes in the receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HashChoice {
    /// Finds damage and mix-ups, at memory speed
    #[value(name = "xxh3-128")]
    Xxh3,
    /// Finds forged files too, if the receipt can be trusted
    Sha256,
    /// No hashes
    None,
}

/// Where parameter sets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ParameterSets {
    /// In the sample entry (avc1, hvc1); in band too where one changes and no period may start
    Auto,
    /// In the sample entry alone (avc1, hvc1)
    SampleEntry,
    /// In the segments too (avc3, hev1), which some players do not take
    InBand,
}

/// What to do where a stream changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnChangeChoice {
    /// Refuse the stream
    Error,
    /// Start a new period in every track: another init segment, a discontinuity in HLS, a Period in DASH
    NewPeriod,
}

/// How segment files are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IoWay {
    /// What measured fastest for this kind of file system
    Auto,
    /// Through a memory mapping of the segment file
    Mapped,
    /// Gathered writes out of the input
    Gather,
}

/// What `fragmint play` is asked to do.
#[derive(Clone, Debug, Args)]
#[command(after_help = PLAY_NOTES)]
pub struct PlayArgs {
    /// Directory that 'fragmint package' wrote, or the manifest in it to begin with
    #[arg(value_name = "DIR", value_parser = OsStringValueParser::new().try_map(directory))]
    #[arg(value_hint = ValueHint::AnyPath)]
    pub package: PathBuf,

    /// Port to listen on, 0 for any free one [default: 8080, or a free one if taken]
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,

    /// Use this copy of hls.min.js, so that no network is needed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub hls_js: Option<PathBuf>,

    /// Use this copy of dash.mediaplayer.min.js, so that no network is needed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub dash_js: Option<PathBuf>,
}

const PLAY_NOTES: &str = "\
Serves the directory to this machine only, with a page that plays it: HLS by
master.m3u8, DASH by manifest.mpd, whichever is there. Browsers that play HLS
themselves need nothing else for it. Otherwise the page loads hls.js or
dash.js from a public CDN, checked by its hash, or uses the file of --hls-js
or --dash-js.

Examples:
  fragmint play out
  fragmint play out/manifest.mpd
  fragmint play out --port 9000 --hls-js node_modules/hls.js/dist/hls.min.js";

/// What `fragmint verify` is asked to do.
#[derive(Clone, Debug, Args)]
#[command(after_help = VERIFY_NOTES)]
pub struct VerifyArgs {
    /// Directory of a package, or the playlist (.m3u8) or MPD (.mpd) in it to go by
    #[arg(value_name = "PACKAGE", required_unless_present = "rules")]
    #[arg(value_parser = OsStringValueParser::new().try_map(directory), value_hint = ValueHint::AnyPath)]
    pub package: Option<PathBuf>,

    /// Print what is checked, and check nothing
    #[arg(long, conflicts_with_all = ["package", "strict", "quiet", "threads"])]
    pub rules: bool,

    /// Exit with 1 for warnings too
    #[arg(long)]
    pub strict: bool,

    /// Print a report for programs instead of text; with --rules the rules
    #[arg(long)]
    pub json: bool,

    /// Print findings only; --json still prints its report
    #[arg(short, long)]
    pub quiet: bool,

    /// Threads to use, up to 256 [default: one for each processor it may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    #[arg(allow_negative_numbers = true)]
    pub threads: Option<u16>,
}

const VERIFY_NOTES: &str = "\
Reads a package of fragmint or of any other packager, HLS, DASH or both, and
says what is wrong with it. Sources are not needed, and nothing is changed.
Of a directory every manifest in it is read, and the receipt (fragmint.json)
if there is one: it alone shows that payload is what was packaged.

Exit codes: 0 nothing is wrong or there are warnings alone, 1 something is
wrong or nothing can be read, 2 the command line is wrong.

Examples:
  fragmint verify out
  fragmint verify out/manifest.mpd --strict
  fragmint verify out --json | jq '.findings[].message'
  fragmint verify --rules";

/// What `fragmint completions` is asked to do.
#[derive(Clone, Debug, Args)]
#[command(after_help = COMPLETIONS_NOTES)]
pub struct CompletionsArgs {
    /// Shell to complete in
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

const COMPLETIONS_NOTES: &str = "\
Examples:
  fragmint completions bash \\
    > ~/.local/share/bash-completion/completions/fragmint
  fragmint completions zsh > ~/.zfunc/_fragmint
  fragmint completions fish > ~/.config/fish/completions/fragmint.fish";

/// What `fragmint man` is asked to do.
#[derive(Clone, Debug, Args)]
#[command(after_help = MAN_NOTES)]
pub struct ManArgs {
    /// Command to print the page of, such as package [default: one page of all]
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

const MAN_NOTES: &str = "\
Examples:
  fragmint man | man -l -
  fragmint man > /usr/local/share/man/man1/fragmint.1
  fragmint man package > /usr/local/share/man/man1/fragmint-package.1";

/// A directory's name, which the shell may have made empty (`-o "$UNSET"`).
fn directory(text: OsString) -> Result<PathBuf> {
    if text.is_empty() {
        return Err(Error::conflict("the directory's name is empty", "name one, such as out"));
    }
    Ok(PathBuf::from(text))
}

/// Reads the command line, program name first. An `Err` is also the answer to `--help` and `--version`: it knows its
/// text, its stream and its exit code.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    Ok(Cli::try_parse_from(words.into_iter().map(with_plain_standard_input))?.command)
}

/// `-,fps=25` by the other name of standard input: clap takes a word that starts with a hyphen for options, unless it is
/// all of the word.
fn with_plain_standard_input(word: OsString) -> OsString {
    match word.as_bytes().strip_prefix(b"-,") {
        Some(settings) => OsString::from_vec([STANDARD_INPUT, b",", settings].concat()),
        None => word,
    }
}

/// The definition of the whole command line, from which completions and manual pages are made.
pub fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Command, clap::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn package(line: &str) -> PackageArgs {
        match words(line) {
            Ok(Command::Package(args)) => args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_declaration_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn notes_fit_a_common_terminal() {
        for line in [TOP_NOTES, PACKAGE_NOTES, PLAY_NOTES, VERIFY_NOTES, COMPLETIONS_NOTES, MAN_NOTES]
            .iter()
            .flat_map(|notes| notes.lines())
        {
            assert!(line.chars().count() <= 78, "{line}");
        }
    }

    #[test]
    fn defaults_are_what_the_help_says() {
        let args = package("fragmint package a.h264 -o out");
        assert_eq!(args.inputs.len(), 1);
        assert_eq!(args.output, PathBuf::from("out"));
        assert_eq!((args.segment_duration.numerator(), args.segment_duration.denominator()), (4, 1));
        assert_eq!((args.fps, args.threads, args.io), (None, None, IoWay::Auto));
        assert!(![args.dry_run, args.json, args.quiet, args.force].contains(&true));
        assert!(!args.no_hls && !args.no_dash);
        assert!(!args.drop_leading && !args.drop_incomplete);
        assert_eq!((args.parameter_sets, args.on_change), (ParameterSets::Auto, OnChangeChoice::Error));
        assert!(!args.resume && !args.no_verify && !args.durable);
        assert_eq!(args.hash, HashChoice::Xxh3);
    }

    #[test]
    fn every_option_reaches_its_field() {
        let args = package(
            "fragmint package a.h264 b.aac -o o --segment-duration 2.002 --fps 30000/1001 --threads 3 --io gather \
             --dry-run --json --quiet --force --drop-leading --drop-incomplete --parameter-sets in-band --on-change new-period",
        );
        assert_eq!(args.inputs.len(), 2);
        assert_eq!(args.segment_duration.to_string(), "1001/500");
        assert_eq!(args.fps, FrameRate::new(30_000, 1001));
        assert_eq!((args.threads, args.io), (Some(3), IoWay::Gather));
        assert!(args.dry_run && args.json && args.quiet && args.force && args.drop_leading);
        assert!(args.drop_incomplete);
        assert_eq!((args.parameter_sets, args.on_change), (ParameterSets::InBand, OnChangeChoice::NewPeriod));
        assert!(package("fragmint package a.h264 -o o --no-hls").no_hls);
        assert!(package("fragmint package a.h264 -o o --no-dash").no_dash);
        let args = package("fragmint package a.h264 -o o --resume --no-verify --durable --hash sha256");
        assert!(args.resume && args.no_verify && args.durable);
        assert_eq!(args.hash, HashChoice::Sha256);
        for (word, hash) in [("xxh3-128", HashChoice::Xxh3), ("none", HashChoice::None)] {
            assert_eq!(package(&format!("fragmint package a.h264 -o o --hash {word}")).hash, hash);
        }
    }

    #[test]
    fn what_to_verify_is_named_unless_rules_are_asked_for() {
        let verify = |line| match words(line) {
            Ok(Command::Verify(args)) => args,
            other => panic!("{line}: {other:?}"),
        };
        let args = verify("fragmint verify out");
        assert_eq!((args.package, args.threads), (Some(PathBuf::from("out")), None));
        assert!(![args.rules, args.strict, args.json, args.quiet].contains(&true));
        let args = verify("fragmint verify out/manifest.mpd --strict --json --quiet --threads 2");
        assert!(args.strict && args.json && args.quiet && args.threads == Some(2));
        let args = verify("fragmint verify --rules --json");
        assert!(args.rules && args.json && args.package.is_none());
    }

    #[test]
    fn standard_input_may_have_settings() {
        let args = package("fragmint package -,fps=25 a.aac - -o out");
        assert!(args.inputs[0].is_standard_input() && args.inputs[2].is_standard_input());
        assert_eq!((args.inputs[0].fps, args.inputs[2].fps), (FrameRate::new(25, 1), None));
    }

    #[test]
    fn wrong_words_are_usage_errors() {
        for line in [
            "fragmint package",
            "fragmint package a.h264",
            "fragmint package -o out",
            "fragmint package a.h264 -o out --segment-duration 0",
            "fragmint package a.h264 -o out --segment-duration -1",
            "fragmint package a.h264 -o out --fps 29.97",
            "fragmint package a.h264 -o out --threads 0",
            "fragmint package a.h264 -o out --threads 257",
            "fragmint package a.h264 -o out --io fast",
            "fragmint package a.h264 -o out --no-hls --no-dash",
            "fragmint package a.h264 -o out --force --resume",
            "fragmint package a.h264 -o out --hash md5",
            "fragmint package a.h264,langg=en -o out",
            "fragmint play",
            "fragmint play out --port 65536",
            "fragmint verify",
            "fragmint verify a b",
            "fragmint verify out --rules",
            "fragmint verify --rules --strict",
            "fragmint verify out --threads 0",
            "fragmint completions",
            "fragmint completions tcsh",
            "fragmint man package play",
            "fragmint pack a.h264 -o out",
        ] {
            let error = words(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        let empty = ["fragmint", "package", "a.h264", "-o", ""].map(OsString::from);
        assert_eq!(parse(empty).expect_err("an empty directory name").exit_code(), 2);
    }
}
