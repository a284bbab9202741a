//! SIGINT and SIGTERM: as long as nothing is written the process ends at once; then the run ends between two files, so that what
//! is there is whole. A second signal ends it at once in any case, as a kill does.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use fragmint::{Error, Result};

use super::{print_error, print_to_person};

/// The signal that came; 0 before any.
static CAUGHT: AtomicI32 = AtomicI32::new(0);

/// Watches for signals from its making to the end of the process.
pub struct Interruption {
    stop: Arc<AtomicBool>,
    /// Files are being written: the run has to end by itself.
    writing: Arc<Mutex<bool>>,
}

impl Interruption {
    /// Starts to watch.
    ///
    /// # Errors
    /// `Io` if the system has no room for another thread or handler.
    pub fn watch() -> Result<Self> {
        let failed = |error| Error::io("watch for signals", error);
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
        let interruption = Self { stop: Arc::default(), writing: Arc::default() };
        let (stop, writing) = (Arc::clone(&interruption.stop), Arc::clone(&interruption.writing));
        let watch = move || {
            for signal in signals.forever() {
                let writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
                let again = CAUGHT.swap(signal, Ordering::SeqCst) != 0;
                stop.store(true, Ordering::SeqCst);
                if again || !*writing {
                    end(signal);
                }
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(watch).map_err(failed)?;
        Ok(interruption)
    }

    /// From here on a signal no longer ends the process: it sets this, and the run has to look.
    pub fn stop_from_here_on(&self) -> &AtomicBool {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = true;
        &self.stop
    }
}

/// Makes a write past the limit for the size of a file an error instead of a signal that ends the process: also one of an error
/// line to a file.
pub fn survive_file_size_limit() {
    // Any handler will do. Where none can be set, the writes that ask for the limit first are safe all the same.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Ends the process where nothing has to be cleared up, or nobody wants to wait for it.
fn end(signal: i32) -> ! {
    if std::io::stderr().is_terminal() {
        // A progress bar may stand on the line.
        print_to_person("");
    }
    print_error(&format_args!("interrupted by {}", name(signal)));
    std::process::exit(128 + signal)
}

fn name(signal: i32) -> &'static str {
    if signal == SIGTERM { "SIGTERM" } else { "SIGINT" }
}

/// Tells of a run that a signal has ended. The exit code is what shells tell of a process that the signal kills.
pub fn end_of_run() -> ExitCode {
    let signal = CAUGHT.load(Ordering::SeqCst);
    let remedy = "whole files stay: go on with --resume, or replace them with --force";
    print_error(&format_args!("interrupted by {}; {remedy}", name(signal)));
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
}
