//! For fuzzing and tests: a directory of their own, in memory where there is such a file system, which goes with its handle.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// An empty directory that goes with it.
#[derive(Debug)]
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    /// Makes it, under a name of this process.
    ///
    /// # Panics
    /// Where no directory can be made.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("fragmint-fuzz-{}-{count}", std::process::id()));
        // What a killed run of the same number left.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a directory of the fuzzer's own");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
