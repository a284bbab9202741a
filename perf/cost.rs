//! What a piece of work costs its process, for the programs in this directory.

use std::fs;
use std::time::{Duration, Instant};

use super::AnyResult;

/// What was used between two instants.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: Duration,
    /// User and system time of all threads that are alive.
    pub cpu: Duration,
    /// Page faults without input or output, what getrusage(2) calls `ru_minflt`.
    pub faults: u64,
}

impl Cost {
    /// Of `work`.
    pub fn of(work: impl FnOnce() -> AnyResult<()>) -> AnyResult<Self> {
        let (faults, cpu, start) = (page_faults()?, cpu_time()?, Instant::now());
        work()?;
        let wall = start.elapsed();
        Ok(Self { wall, cpu: cpu_time()? - cpu, faults: page_faults()? - faults })
    }
}

fn cpu_time() -> AnyResult<Duration> {
    // sched_yield(2) makes the scheduler add up what this thread has used, which it does at its ticks alone otherwise.
    std::thread::yield_now();
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += text.split_whitespace().next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn page_faults() -> AnyResult<u64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    // proc_pid_stat(5): minflt is field 10, the state behind the name is field 3.
    Ok(fields.split_whitespace().nth(7).unwrap_or_default().parse()?)
}
