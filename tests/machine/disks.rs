//! Real file systems that get full, are read-only or become so: tmpfs, and ext4, xfs and btrfs in a file, as small as they may
//! be. The space that is left is chosen so that each stage of a run meets the end of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Settings;
use crate::faulted::aftermath;
use crate::faulted::tree::Tree;
use crate::faulted::{Bench, Ended, Running, WAYS, has, is_root, repeated};
use crate::report::{Report, code, message};

/// A file system, what makes one, and the mebibytes that it needs at least.
const FILE_SYSTEMS: [(&str, &[&str], u64); 4] = [
    ("tmpfs", &[], 64),
    ("ext4", &["mkfs.ext4", "-q", "-F", "-m", "0"], 64),
    ("xfs", &["mkfs.xfs", "-q", "-f"], 300),
    ("btrfs", &["mkfs.btrfs", "-q", "-f", "--mixed"], 64),
];

/// How often a run is started again that had a file open when the mount was to become read-only.
const ATTEMPTS: usize = 20;

/// A mounted file system of our own.
struct Mount {
    place: PathBuf,
    /// Gone with the value.
    _image: tempfile::TempDir,
}

impl Mount {
    fn new(kind: &str, make: &[&str], mebibytes: u64) -> Result<Self, String> {
        let image = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (file, place) = (image.path().join("image"), image.path().join("mount"));
        std::fs::create_dir(&place).map_err(|error| error.to_string())?;
        if make.is_empty() {
            let size = format!("size={mebibytes}m");
            call(Command::new("mount").args(["-t", kind, "-o", &size, kind]).arg(&place))?;
        } else {
            let made = std::fs::File::create(&file).and_then(|file| file.set_len(mebibytes << 20));
            made.map_err(|error| error.to_string())?;
            call(Command::new(make[0]).args(&make[1..]).arg(&file))?;
            call(Command::new("mount").args(["-o", "loop"]).arg(&file).arg(&place))?;
        }
        Ok(Self { place, _image: image })
    }

    fn remount(&self, how: &str) -> Result<(), String> {
        call(Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.place))
    }

    /// Fills the file system but for `left` bytes, or as near as it comes to that.
    fn fill_but(&self, left: u64) -> Result<(), String> {
        let ballast = self.place.join("ballast");
        let _ = std::fs::remove_file(&ballast);
        let file = std::fs::File::create(&ballast).map_err(|error| error.to_string())?;
        let flags = rustix::fs::FallocateFlags::empty();
        let mut len = 0;
        let mut step = 64 << 20;
        while step >= 4096 {
            let fits =
                self.available()? >= left + step && rustix::fs::fallocate(&file, flags, len, step).is_ok();
            if fits {
                len += step;
            } else {
                step /= 2;
            }
        }
        Ok(())
    }

    fn available(&self) -> Result<u64, String> {
        let stat = rustix::fs::statvfs(&self.place).map_err(|error| error.to_string())?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(error) = call(Command::new("umount").arg(&self.place)) {
            eprintln!("left mounted: {error}");
        }
    }
}

/// Runs a program; what it said if it failed.
fn call(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("{}: {said}", command.get_program().to_string_lossy()))
        }
        Err(error) => Err(format!("{}: {error}", command.get_program().to_string_lossy())),
    }
}

pub fn run(settings: &Settings, report: &mut Report) {
    report.columns("fault\tfile system\tway\tstage\texit code\tmessage");
    if !is_root() {
        report.not_checked("disks that are full or read-only: only root may mount".to_owned());
        return;
    }
    let streams = [("360p.h264", repeated("360p.h264", 2)), ("en.aac", repeated("en.aac", 2))];
    let bench = Bench::new(&streams, &["--segment-duration", "2", "--quiet", "--threads", "1"]);
    for (kind, make, mebibytes) in FILE_SYSTEMS {
        if make.first().is_some_and(|program| !has(program)) {
            report.not_checked(format!("{kind}: {} is not here", make[0]));
            continue;
        }
        match Mount::new(kind, make, mebibytes) {
            Ok(mount) => {
                full(settings, report, &bench, kind, &mount);
                read_only(report, &bench, kind, &mount);
            }
            Err(reason) => report.not_checked(format!("{kind}: {reason}")),
        }
    }
}

/// Free bytes to try: none, few, and around what the files of each kind need.
fn sizes(bench: &Bench, quick: bool) -> Vec<u64> {
    let pages = |part: &str| -> u64 {
        let paths = bench.files_with(part);
        let sizes = paths.iter().filter_map(|path| bench.reference.file(path));
        sizes.map(|file| (file.bytes.len() as u64).next_multiple_of(4096)).sum()
    };
    let segments = pages(".m4s") + pages("init.mp4");
    // The journal has about as much as the receipt, which is not there yet then.
    let journal = pages("fragmint.json");
    let mut sizes =
        vec![0, 4 << 10, journal, journal + (8 << 10), segments / 2, segments, 16 << 20, 40 << 20];
    if !quick {
        let more =
            [8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, segments / 4, segments * 3 / 4];
        sizes.extend(more);
        sizes.extend((1..12).map(|page| segments + journal + page * 4096));
        sizes.extend([segments * 2, segments * 4]);
    }
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn full(settings: &Settings, report: &mut Report, bench: &Bench, kind: &str, mount: &Mount) {
    let output = mount.place.join("out");
    for way in WAYS {
        let mut met = std::collections::BTreeSet::new();
        for left in sizes(bench, settings.quick) {
            if let Err(reason) = mount.fill_but(left) {
                report.not_checked(format!("{kind} with {left} bytes left: {reason}"));
                continue;
            }
            let ended = Ended::of(bench.package(&output, &["--io", way]).output().expect("it starts"));
            let problems = if ended.succeeded() {
                met.insert("complete".to_owned());
                bench.complete(&output)
            } else {
                let mut problems = ended.problems(1, "No space left on device");
                problems.extend(ended.problems(1, "free some space"));
                problems.extend(bench.taken_back(&output, None));
                problems
            };
            let said = message(&ended, bench, &output);
            met.insert(stage(&said));
            report.row(&["full", kind, way, &format!("{left} bytes left"), &code(&ended), &said], problems);
            let _ = std::fs::remove_dir_all(&output);
        }
        let _ = std::fs::remove_file(mount.place.join("ballast"));
        report.note(format!("full {kind}, {way}: met {}", Vec::from_iter(met).join(", ")));
    }
}

/// The kind of file that the message names.
fn stage(said: &str) -> String {
    let kinds = ["fragmint.journal", "init.mp4", "seg-00001", "seg-", ".m3u8", ".mpd", "fragmint.json"];
    kinds.into_iter().find(|kind| said.contains(kind)).unwrap_or("another").to_owned()
}

fn read_only(report: &mut Report, bench: &Bench, kind: &str, mount: &Mount) {
    let output = mount.place.join("out");
    for way in WAYS {
        if let Err(reason) = mount.remount("ro") {
            report.not_checked(format!("{kind}, read-only: {reason}"));
            return;
        }
        let ended = Ended::of(bench.package(&output, &["--io", way]).output().expect("it starts"));
        let mut problems = ended.problems(1, "Read-only file system");
        problems.extend(bench.taken_back(&output, None));
        let said = message(&ended, bench, &output);
        report.row(&["read-only before", kind, way, "claim", &code(&ended), &said], problems);
        if let Err(reason) = mount.remount("rw") {
            report.not_checked(format!("{kind}, becoming read-only: {reason}"));
            return;
        }
        become_read_only(report, bench, kind, way, mount, &output);
    }
}

/// The mount becomes read-only in the middle of a run. Nothing can be taken back then: what is left is whole, and has a journal.
fn become_read_only(report: &mut Report, bench: &Bench, kind: &str, way: &str, mount: &Mount, output: &Path) {
    let segments = bench.published(".m4s");
    for _ in 0..ATTEMPTS {
        let _ = std::fs::remove_dir_all(output);
        let mut run = Running::start(bench.package(output, &["--io", way]));
        let stopped = run.stop_when(|| output.join(&segments[3]).exists());
        // Refused as long as the run has a file open to write.
        if !stopped || output.join(&segments[segments.len() - 1]).exists() || mount.remount("ro").is_err() {
            run.go_on();
            run.wait();
            continue;
        }
        run.go_on();
        let ended = run.wait();
        let mut problems = ended.problems(1, "Read-only file system");
        problems.extend(aftermath::problems(output, None, &bench.reference));
        let is_left = Tree::read(output).is_some_and(|tree| tree.has(crate::faulted::JOURNAL));
        problems.extend((!is_left).then(|| "no journal is left".to_owned()));
        let said = message(&ended, bench, output);
        report.row(&["read-only meanwhile", kind, way, "later segment", &code(&ended), &said], problems);
        if let Err(reason) = mount.remount("rw") {
            report.not_checked(format!("{kind}, {way}, a run with --force after it: {reason}"));
            return;
        }
        let again = Ended::of(bench.package(output, &["--io", way, "--force"]).output().expect("it starts"));
        let mut problems = bench.complete(output);
        problems.extend((!again.succeeded()).then(|| format!("{again:?}")));
        report.row(&["writable again", kind, way, "--force", &code(&again), "-"], problems);
        let _ = std::fs::remove_dir_all(output);
        return;
    }
    report.not_checked(format!("{kind}, {way}, becoming read-only: a file was open in {ATTEMPTS} runs"));
}
