//! `fragmint verify`: from the arguments to the library's call, and from its report to what is printed and the exit code.
//!
//! Findings are the answer and go to stdout; on stderr is what kept the command from one.

mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use fragmint::io::package_files::PackageFiles;
use fragmint::verify::{self, Files as _, Report, Severity};
use fragmint::{Error, Result};

use super::args::VerifyArgs;
use super::progress::Progress;

/// Verifies `args.package`, or prints the rules.
pub fn run(args: &VerifyArgs) -> Result<ExitCode> {
    // Without a package the rules were asked for: the arguments' declaration sees to it.
    let Some(package) = &args.package else {
        print_rules(args)?;
        return Ok(ExitCode::SUCCESS);
    };
    let package = Package::find(package)?;
    let report = super::pool(args.threads)?.install(|| verify(args, &package))?;
    print_report(args, &package, &report)?;
    let warnings = if args.strict { report.count(Severity::Warning) } else { 0 };
    // Who asks whether a package is sound must not hear yes where nobody could look.
    let is_refused = report.count(Severity::Error) + warnings > 0 || text::segments(&report) == 0;
    Ok(if is_refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What to verify.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    /// As it was given.
    given: String,
    /// The directory.
    root: PathBuf,
    /// The one manifest in it to go by.
    manifest: Option<String>,
}

const REMEDY: &str = "name the directory of a package, or a playlist or MPD in it";

impl Package {
    fn find(path: &Path) -> Result<Self> {
        let found =
            std::fs::metadata(path).map_err(|error| Error::io("open the package", error).in_file(path))?;
        let given = path.display().to_string();
        if found.is_dir() {
            return Ok(Self { given, root: path.to_path_buf(), manifest: None });
        }
        if !found.is_file() {
            return Err(Error::conflict("it is neither a directory nor a file", REMEDY).in_file(path));
        }
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::conflict("the file's name is not UTF-8", "rename it").in_file(path));
        };
        let root = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let root = root.unwrap_or(Path::new(".")).to_path_buf();
        Ok(Self { given, root, manifest: Some(name.to_owned()) })
    }
}

fn verify(args: &VerifyArgs, package: &Package) -> Result<Report> {
    let progress = Progress::new(!args.quiet && !args.json);
    let files = PackageFiles::open(&package.root)?;
    match &package.manifest {
        // Which of the files it names is known when they are read.
        Some(_) => progress.phase_without_end("verify"),
        None => progress.phase("verify", media_bytes(&files)),
    }
    let add = |bytes| progress.add(bytes);
    let in_package = |error: Error| if error.path().is_none() { error.in_file(&package.root) } else { error };
    verify::verify(&files, &package.given, package.manifest.as_deref(), &add).map_err(in_package)
}

/// About how many bytes of segments there are, for the length of the bar. A directory that cannot be listed is told of by the
/// verification.
fn media_bytes(files: &PackageFiles) -> u64 {
    let is_text = |path: &str| [".m3u8", ".mpd", ".json"].iter().any(|extension| path.ends_with(extension));
    let entries = files.list().unwrap_or_default();
    entries.iter().filter(|entry| !is_text(&entry.path)).map(|entry| entry.bytes).fold(0, u64::saturating_add)
}

/// The report as JSON, or text for people; with `--quiet` of the text only what is wrong.
fn print_report(args: &VerifyArgs, package: &Package, report: &Report) -> Result<()> {
    if args.json {
        return print(&super::json(report)?);
    }
    let colour = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
    let mut printed = text::findings(&report.findings, colour);
    if !args.quiet {
        if !printed.is_empty() {
            printed.push('\n');
        }
        printed += &text::tracks(&report.tracks);
        printed += &text::not_checked(report, package.manifest.is_some(), colour);
        printed += &text::summary(report);
    }
    print(&printed)
}

fn print_rules(args: &VerifyArgs) -> Result<()> {
    let rules: Vec<_> = verify::rules().collect();
    if args.json {
        return print(&super::json(&rules)?);
    }
    print(&text::rules(&rules))
}

/// Prints to stdout. A reader that went away has seen enough.
fn print(text: &str) -> Result<()> {
    super::print(text.as_bytes(), "print the report")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_verified_whole_and_a_file_by_itself() {
        let top = tempfile::tempdir().unwrap();
        let find = |name: &str| Package::find(&top.path().join(name));
        std::fs::create_dir(top.path().join("video")).unwrap();
        std::fs::write(top.path().join("video/playlist.m3u8"), "").unwrap();
        let directory = find("video").unwrap();
        assert_eq!((directory.root, directory.manifest), (top.path().join("video"), None));
        let file = find("video/playlist.m3u8").unwrap();
        assert_eq!(file.root, top.path().join("video"));
        assert_eq!(file.manifest.as_deref(), Some("playlist.m3u8"));
        assert!(find("audio").unwrap_err().to_string().contains("cannot open the package"));
        let device = Package::find(Path::new("/dev/null")).unwrap_err();
        assert!(device.to_string().contains("neither a directory nor a file"), "{device}");
    }
}
