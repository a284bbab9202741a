//! How many threads a run has: as many as were asked for, else one for each processor that it may use. The processors that it is
//! bound to and the CPU quota of its control group are real here. What this machine does not allow is told as `NOT CHECKED`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Threads of a dry run with these words behind it, started by the words in front.
fn threads(front: &[&str], words: &[&str]) -> u64 {
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder/en.aac");
    let output = tempfile::tempdir().expect("a directory for files");
    let mut command = Command::new(front.first().unwrap_or(&env!("CARGO_BIN_EXE_fragmint")));
    if let [_, rest @ ..] = front {
        command.args(rest).arg(env!("CARGO_BIN_EXE_fragmint"));
    }
    command
        .args(["package", "--json", "--dry-run", "-o"])
        .arg(output.path().join("out"))
        .arg(input)
        .args(words);
    // rayon would take the number from there.
    command.env_remove("RAYON_NUM_THREADS").stdin(Stdio::null());
    let done = command.output().expect("the command starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: Value = serde_json::from_slice(&done.stdout).expect("a report");
    report["threads"].as_u64().expect("it tells the threads")
}

/// The processors that this process, and what it starts, may run on.
fn processors() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let list =
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("proc_pid_status(5)");
    let number = |text: &str| text.trim().parse::<usize>().expect("numbers");
    list.split(',')
        .flat_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            number(first)..=number(last)
        })
        .collect()
}

fn not_checked(what: &str, why: &str) {
    eprintln!("NOT CHECKED: {what}: {why}");
}

#[test]
fn threads_are_those_that_were_asked_for() {
    for asked in [1, 2, 7, 256] {
        assert_eq!(threads(&[], &["--threads", &asked.to_string()]), asked);
    }
}

#[test]
fn without_a_word_there_is_one_for_each_processor() {
    let available = std::thread::available_parallelism().expect("Linux tells").get();
    assert_eq!(threads(&[], &[]), available as u64);
}

#[test]
fn processors_that_are_not_allowed_get_no_thread() {
    let allowed = processors();
    if Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_err() {
        return not_checked("bound to fewer processors", "taskset is not installed");
    }
    let first = allowed[0].to_string();
    assert_eq!(threads(&["taskset", "-c", &first], &[]), 1);
    // Whoever asks for more gets more.
    assert_eq!(threads(&["taskset", "-c", &first], &["--threads", "3"]), 3);
    match allowed[..] {
        [first, second, ..] => {
            assert_eq!(threads(&["taskset", "-c", &format!("{first},{second}")], &[]), 2);
        }
        _ => not_checked("bound to two processors", "this process may use one alone"),
    }
}

#[test]
fn a_quota_limits_threads_unless_more_are_asked_for() {
    let group = match ControlGroup::new() {
        Ok(group) => group,
        Err(why) => return not_checked("the CPU quota of a control group", &why),
    };
    let allowed = processors().len() as u64;
    let enter = format!("echo $$ > '{}/cgroup.procs' && exec \"$@\"", group.path.display());
    let inside = ["sh", "-c", &enter, "sh"];
    // Hundredths of a processor. Less than one is one, and a part of one counts for nothing.
    for (quota, expected) in [(100, 1), (50, 1), (199, 1), (250, allowed.min(2))] {
        group.set_quota(quota);
        assert_eq!(threads(&inside, &[]), expected, "a quota of {quota} %");
    }
    group.set_quota(100);
    assert_eq!(threads(&inside, &["--threads", "2"]), 2);
}

/// A control group within the one of this process, whose CPU time can be limited.
struct ControlGroup {
    path: PathBuf,
    /// Version 2 keeps quota and period in one file.
    unified: bool,
}

impl ControlGroup {
    fn new() -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
        // cgroups(7): hierarchy, controllers, path; version 2 has number 0 and no controllers.
        let find = |wanted: &dyn Fn(&str, &str) -> bool| {
            let of = |line: &str| {
                let [hierarchy, controllers, path] = *line.splitn(3, ':').collect::<Vec<_>>() else {
                    return None;
                };
                wanted(hierarchy, controllers).then(|| path.to_owned())
            };
            own.lines().find_map(of)
        };
        let first = find(&|_, controllers| controllers.split(',').any(|controller| controller == "cpu"));
        let (unified, path) = match first {
            Some(path) => (false, path),
            None => (true, find(&|hierarchy, _| hierarchy == "0").ok_or("there are none")?),
        };
        let mount = mount_of(&mounts, unified).ok_or("they are not mounted")?;
        let path = Path::new(&mount).join(path.trim_start_matches('/'));
        let path = path.join(format!("fragmint-threads-{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("one cannot be made: {error}"))?;
        let group = Self { path, unified };
        if !group.quota_file().exists() {
            return Err("the cpu controller is not given on to new ones".to_owned());
        }
        Ok(group)
    }

    fn quota_file(&self) -> PathBuf {
        self.path.join(if self.unified { "cpu.max" } else { "cpu.cfs_quota_us" })
    }

    /// Limits CPU time to some hundredths of a processor.
    fn set_quota(&self, percent: u64) {
        let (quota, period) = (percent * 1000, 100_000);
        if self.unified {
            fs::write(self.quota_file(), format!("{quota} {period}")).expect("the group is ours");
        } else {
            fs::write(self.path.join("cpu.cfs_period_us"), period.to_string()).expect("the group is ours");
            fs::write(self.quota_file(), quota.to_string()).expect("the group is ours");
        }
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // What ran in it was waited for.
        if let Err(error) = fs::remove_dir(&self.path) {
            eprintln!("{} is left: {error}", self.path.display());
        }
    }
}

/// Where the hierarchy of control groups is mounted that limits CPU time.
fn mount_of(mounts: &str, unified: bool) -> Option<String> {
    mounts.lines().find_map(|line| {
        // proc_pid_mountinfo(5): the mount point is field 5; behind the hyphen stand type, source and options.
        let (front, behind) = line.split_once(" - ")?;
        let point = front.split(' ').nth(4)?.to_owned();
        let mut behind = behind.split(' ');
        let (kind, options) = (behind.next()?, behind.nth(1)?);
        let has_cpu = options.split(',').any(|option| option == "cpu");
        (if unified { kind == "cgroup2" } else { kind == "cgroup" && has_cpu }).then_some(point)
    })
}
