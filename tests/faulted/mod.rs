//! What tests of faults share: inputs that are large enough to be interrupted, a run of the built command as a process that
//! can be stopped at a stage, how it ended, and what it may leave (`aftermath`, `tree`).

pub mod aftermath;
pub mod tree;

use std::ffi::OsStr;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use self::tree::Tree;

/// The ways of `--io` that fill files.
pub const WAYS: [&str; 2] = ["mapped", "gather"];

/// The last file of a package, and the first.
pub const RECEIPT: &str = "fragmint.json";
pub const JOURNAL: &str = "fragmint.journal";

/// How long a process may take that should take a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command, or the one that the environment names in its place (as `scripts/determinism.sh` does).
pub fn binary() -> PathBuf {
    std::env::var_os("FRAGMINT").map_or_else(|| env!("CARGO_BIN_EXE_fragmint").into(), PathBuf::from)
}

/// A stream of the ladder, `times` in a row: each begins with an IDR picture, or is made of ADTS frames.
pub fn repeated(stream: &str, times: usize) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder").join(stream);
    std::fs::read(path).expect("the ladder is committed").repeat(times)
}

/// How a run ended, and what it said.
#[derive(Clone, Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), signal: output.status.signal(), stderr }
    }

    /// What is wrong with a failure that is to end with `code`, say one line, and say `part` in it.
    pub fn problems(&self, code: i32, part: &str) -> Vec<String> {
        let mut problems = Vec::new();
        if self.code != Some(code) {
            problems.push(format!("exit code {:?}, signal {:?} instead of {code}", self.code, self.signal));
        }
        let lines: Vec<_> = self.stderr.lines().collect();
        match lines[..] {
            [line] if line.starts_with("error: ") && line.contains(part) => {}
            [line] if line.starts_with("error: ") => problems.push(format!("{part:?} is not in: {line}")),
            _ => problems.push(format!("not one line of error: {:?}", self.stderr)),
        }
        problems
    }

    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

/// Inputs, and the package that they give when nothing disturbs the run.
pub struct Bench {
    pub directory: tempfile::TempDir,
    pub inputs: Vec<PathBuf>,
    /// Words behind the inputs and the output.
    pub options: Vec<String>,
    pub reference: Tree,
}

impl Bench {
    /// Writes the streams (a name and its bytes) and packages them once, with `options`.
    pub fn new(streams: &[(&str, Vec<u8>)], options: &[&str]) -> Self {
        // Hundreds of packages are written and removed: in memory, where the machine has such a directory.
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self::new_in(directory.expect("a temporary directory"), streams, options)
    }

    /// The same in a directory on another file system.
    pub fn new_in(directory: tempfile::TempDir, streams: &[(&str, Vec<u8>)], options: &[&str]) -> Self {
        let mut inputs = Vec::new();
        for (name, bytes) in streams {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).expect("the input can be written");
            inputs.push(path);
        }
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut bench = Self { directory, inputs, options, reference: Tree::default() };
        let output = bench.path("reference");
        let ended = Ended::of(bench.package(&output, &[]).output().expect("the command starts"));
        assert!(ended.succeeded(), "{ended:?}");
        bench.reference = Tree::read(&output).expect("a package is there");
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A directory for one run, which is not there.
    pub fn fresh(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    /// `fragmint package` of all inputs into `output`.
    pub fn package(&self, output: &Path, more: &[&str]) -> Command {
        self.package_behind(&[], output, more)
    }

    /// The same behind the words of another program, which runs it: `prlimit --nofile=8`.
    pub fn package_behind(&self, front: &[&str], output: &Path, more: &[&str]) -> Command {
        let mut words: Vec<&OsStr> = front.iter().map(OsStr::new).collect();
        let binary = binary();
        words.extend([binary.as_os_str(), OsStr::new("package")]);
        words.extend(self.inputs.iter().map(|input| input.as_os_str()));
        words.extend([OsStr::new("-o"), output.as_os_str()]);
        words.extend(self.options.iter().map(OsStr::new));
        words.extend(more.iter().map(OsStr::new));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.current_dir(self.directory.path()).env_remove("TMPDIR");
        command
    }

    /// What a run left that a disturbed one may not leave. `before` is what was in the directory.
    pub fn taken_back(&self, output: &Path, before: Option<&Tree>) -> Vec<String> {
        aftermath::taken_back(output, before, &self.reference)
    }

    /// What is wrong with a package that is to be complete.
    pub fn complete(&self, output: &Path) -> Vec<String> {
        aftermath::complete(output, &self.reference)
    }

    /// The paths of the reference's files whose names have `part`, in path order.
    pub fn files_with(&self, part: &str) -> Vec<String> {
        self.reference.files().map(|(path, _)| path.clone()).filter(|path| path.contains(part)).collect()
    }

    /// The same in the order in which one thread published them.
    pub fn published(&self, part: &str) -> Vec<String> {
        let mut paths = self.files_with(part);
        paths.sort_by_key(|path| self.reference.file(path).map(|file| file.modified));
        paths
    }
}

/// A run that goes on beside the test.
pub struct Running {
    child: Option<Child>,
    pid: Pid,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        // A group of its own, so that nothing that is sent to the test reaches it.
        let child = command.process_group(0).spawn().expect("the command starts");
        let pid = Pid::from_child(&child);
        Self { child: Some(child), pid }
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal. A process that has ended takes it, or is not there any more.
    pub fn send(&self, signal: Signal) {
        match kill_process(self.pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => panic!("it is a child of this test: {error}"),
        }
    }

    fn is_over(&mut self) -> bool {
        let child = self.child.as_mut().expect("it was not waited for");
        child.try_wait().expect("it is a child").is_some()
    }

    /// Stops the process as soon as `reached`; `false` if it ended before.
    pub fn stop_when(&mut self, reached: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        while !reached() {
            if self.is_over() {
                return false;
            }
            assert!(start.elapsed() < PATIENCE, "the run neither gets there nor ends");
            std::hint::spin_loop();
        }
        self.send(Signal::STOP);
        while !self.is_over() {
            if self.state() == Some('T') {
                return true;
            }
            assert!(start.elapsed() < PATIENCE, "the run does not stop");
            std::thread::yield_now();
        }
        false
    }

    pub fn go_on(&self) {
        self.send(Signal::CONT);
    }

    fn state(&self) -> Option<char> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero())).ok()?;
        text.rsplit_once(") ")?.1.chars().next()
    }

    pub fn wait(mut self) -> Ended {
        let child = self.child.take().expect("nobody waited before");
        Ended::of(child.wait_with_output().expect("it is a child"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Some of `duration`, all of it included.
    pub fn share(&mut self, duration: Duration) -> Duration {
        duration.mul_f64(self.below(1 << 20) as f64 / (1 << 20) as f64)
    }
}

/// Whether the test is root's, who is refused little.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a program of this machine can be started.
pub fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

/// A directory into which others may look too.
pub fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
}
