//! Inputs that are no regular files: standard input, pipes such as `<(…)`, devices. Each is read to its end into a file without
//! a name before anything else is read, all at the same time: a program that writes two of them may wait for us on either.
//!
//! The file lies in `$TMPDIR` where that is set, else on the file system of the output directory, which has to have room for as
//! much again, while `/tmp` is often small and memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{IsTerminal as _, Seek as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use fragmint::io::input::Input;
use fragmint::io::publish::{Claim, Run, Settings};
use fragmint::{Error, Result};

use super::args::PackageArgs;
use super::input_arg::InputArg;
use super::progress::Progress;

/// What messages and reports call `-`.
pub const STANDARD_INPUT: &str = "standard input";

/// What is read once, in order.
enum Stream {
    /// Standard input.
    Open(File),
    /// A pipe or a device, not opened yet: that may wait for a writer.
    At(PathBuf),
}

/// What a reading thread tells.
enum Told {
    Bytes(u64),
    Done(usize, Result<Input>),
}

/// Reads the streams among the inputs to their end. `None` stands for a path that the library is to open.
///
/// # Errors
/// `Usage` for a stream that is given twice or is a terminal; of other inputs that they cannot be opened, and of the output
/// directory that it would be refused, since a stream that was read in vain is gone; the first of a stream.
pub fn spool(args: &PackageArgs, progress: &Progress) -> Result<Vec<Option<Arc<Input>>>> {
    let mut inputs = vec![None; args.inputs.len()];
    let (mut streams, mut paths) = (Vec::new(), Vec::new());
    for (index, input) in args.inputs.iter().enumerate() {
        match find(input)? {
            Found::Path => paths.push(&input.path),
            Found::File(file) => inputs[index] = Some(Arc::new(Input::from_file(file, &name(input))?)),
            Found::Stream(stream) => streams.push((index, stream)),
        }
    }
    check_distinct(args, &streams)?;
    if streams.is_empty() {
        return Ok(inputs);
    }
    for path in paths {
        Input::open(path)?;
    }
    if !args.dry_run {
        let (existing, settings) = (args.existing(), Settings::new());
        let files = Vec::new();
        Run::check_claim(&Claim {
            path: &args.output,
            existing,
            files,
            settings,
            inputs: &[],
            durable: false,
        })?;
    }
    let directory = directory(std::env::var_os("TMPDIR").map(PathBuf::from), &args.output)?;
    progress.phase_without_end("spool");
    read_all(args, streams, &directory, progress, &mut inputs)?;
    Ok(inputs)
}

/// Reads the streams, each on a thread of its own, and puts them in their places among the inputs.
fn read_all(
    args: &PackageArgs,
    streams: Vec<(usize, Stream)>,
    directory: &Path,
    progress: &Progress,
    inputs: &mut [Option<Arc<Input>>],
) -> Result<()> {
    let (sender, told) = sync_channel(64);
    let mut left = streams.len();
    for (index, stream) in streams {
        let (name, directory, sender) = (name(&args.inputs[index]), directory.to_path_buf(), sender.clone());
        let thread = std::thread::Builder::new().name("spool".to_owned());
        let work = move || {
            let input = read(stream, &name, &directory, &sender);
            // Nobody listens any more once another stream has failed, and the process is about to end.
            let _ = sender.send(Told::Done(index, input));
        };
        thread.spawn(work).map_err(|error| Error::io("start a thread", error))?;
    }
    while left > 0 {
        match told.recv().expect("this function holds a sender too") {
            Told::Bytes(bytes) => progress.add(bytes),
            // The first error ends the run: another stream may never end.
            Told::Done(index, input) => {
                inputs[index] = Some(Arc::new(input?));
                left -= 1;
            }
        }
    }
    Ok(())
}

/// What messages and reports call an input.
pub fn name(input: &InputArg) -> PathBuf {
    if input.is_standard_input() { PathBuf::from(STANDARD_INPUT) } else { input.path.clone() }
}

/// What stands behind an input.
enum Found {
    /// What the library opens, or refuses: a file, a directory, nothing.
    Path,
    /// Standard input is a regular file and stands at its start: it needs no copy.
    File(File),
    Stream(Stream),
}

fn find(input: &InputArg) -> Result<Found> {
    if !input.is_standard_input() {
        let Ok(kind) = std::fs::metadata(&input.path).map(|metadata| metadata.file_type()) else {
            return Ok(Found::Path);
        };
        let is_stream = kind.is_fifo() || kind.is_char_device() || kind.is_block_device();
        let stream = || Found::Stream(Stream::At(input.path.clone()));
        return Ok(if is_stream { stream() } else { Found::Path });
    }
    let failed = |error| Error::io("use standard input", error);
    let mut file = File::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    refuse_terminal(&file, Path::new(STANDARD_INPUT))?;
    let kind = file.metadata().map_err(failed)?.file_type();
    // A directory is refused in the words of any other.
    let as_it_is = kind.is_dir() || (kind.is_file() && file.stream_position().map_err(failed)? == 0);
    Ok(if as_it_is { Found::File(file) } else { Found::Stream(Stream::Open(file)) })
}

fn refuse_terminal(file: &File, name: &Path) -> Result<()> {
    if !file.is_terminal() {
        return Ok(());
    }
    let remedy = "pipe a stream into it, as in 'encoder | fragmint package - -o out', or name a file";
    Err(Error::usage("it is a terminal, which has no stream to package", remedy).in_file(name))
}

/// A stream can be read once, whatever the settings and by whatever name.
fn check_distinct(args: &PackageArgs, streams: &[(usize, Stream)]) -> Result<()> {
    let of_standard_input = |input: &&InputArg| input.is_standard_input();
    if args.inputs.iter().filter(of_standard_input).count() > 1 {
        let remedy = "it can be read once; give '-' once, or write the stream to a file first";
        return Err(Error::usage("standard input is given twice", remedy));
    }
    let mut seen = HashMap::new();
    for (index, stream) in streams {
        let metadata = match stream {
            Stream::Open(file) => file.metadata(),
            Stream::At(path) => std::fs::metadata(path),
        };
        let Ok(metadata) = metadata else { continue };
        let this = name(&args.inputs[*index]);
        if let Some(first) = seen.insert((metadata.dev(), metadata.ino()), this.clone()) {
            let what = format!("{} and {} are the same stream", first.display(), this.display());
            return Err(Error::usage(what, "it can be read once; write it to a file first"));
        }
    }
    Ok(())
}

/// Where streams are kept: `temporary`, if that is set, or the nearest directory above the output that is there.
fn directory(temporary: Option<PathBuf>, output: &Path) -> Result<PathBuf> {
    if let Some(directory) = temporary.filter(|directory| !directory.as_os_str().is_empty()) {
        return Ok(directory);
    }
    let absolute = std::path::absolute(output)
        .map_err(|error| Error::io("find the output directory", error).in_file(output))?;
    let existing = absolute.ancestors().find(|path| path.is_dir());
    Ok(existing.map_or_else(|| PathBuf::from("/"), Path::to_path_buf))
}

/// Reads one stream to its end.
fn read(stream: Stream, name: &Path, directory: &Path, sender: &SyncSender<Told>) -> Result<Input> {
    let file = match stream {
        Stream::Open(file) => file,
        Stream::At(path) => {
            // A terminal must not become the one that controls this process.
            let flags = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
            let opened = File::options().read(true).custom_flags(flags).open(&path);
            let file = opened.map_err(|error| Error::io("open the input", error).in_file(name))?;
            refuse_terminal(&file, name)?;
            file
        }
    };
    let progress = |bytes| {
        let _ = sender.send(Told::Bytes(bytes));
    };
    Input::spool(file, name, directory, &progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_kept_where_tmpdir_says_or_beside_the_output() {
        let top = tempfile::tempdir().unwrap();
        let of = |temporary: Option<&str>, output: &str| {
            directory(temporary.map(PathBuf::from), &top.path().join(output)).unwrap()
        };
        assert_eq!(of(None, "a/b/out"), top.path());
        std::fs::create_dir(top.path().join("a")).unwrap();
        assert_eq!(of(None, "a/b/out"), top.path().join("a"));
        assert_eq!(of(None, "a"), top.path().join("a"));
        assert_eq!(of(Some("/big"), "a"), Path::new("/big"));
        assert_eq!(of(Some(""), "a"), top.path().join("a"));
    }
}
