//! A progress bar on stderr for work that takes longer than half a second. Counts bytes from any thread; shows nothing
//! where stderr is no terminal or the user asked for silence.

use std::io::IsTerminal;
use std::sync::Once;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that ends sooner shows no bar: one that flashes by only disturbs.
const DELAY: Duration = Duration::from_millis(500);

/// Progress of one run, through phases such as `scan` and `write`.
pub struct Progress {
    bar: ProgressBar,
    /// When the bar may appear and where; `None` for never.
    show: Option<Show>,
    shown: Once,
}

struct Show {
    at: Instant,
    target: fn() -> ProgressDrawTarget,
}

impl Progress {
    /// A bar on stderr if that is a terminal and `wanted` (neither `--quiet` nor `--json`).
    pub fn new(wanted: bool) -> Self {
        let show = Show { at: Instant::now() + DELAY, target: ProgressDrawTarget::stderr };
        Self::with((wanted && std::io::stderr().is_terminal()).then_some(show))
    }

    fn with(show: Option<Show>) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden()).with_style(style());
        Self { bar, show, shown: Once::new() }
    }

    /// Starts the next phase: `bytes` are ahead.
    pub fn phase(&self, name: &'static str, bytes: u64) {
        self.bar.set_style(style());
        self.bar.set_length(bytes);
        self.start(name);
    }

    /// Starts the next phase, of which nobody knows how many bytes are ahead.
    pub fn phase_without_end(&self, name: &'static str) {
        self.bar.set_style(style_without_end());
        self.bar.unset_length();
        self.start(name);
    }

    fn start(&self, name: &'static str) {
        self.bar.set_message(name);
        self.bar.set_position(0);
        self.bar.reset_eta();
        self.appear_when_due();
    }

    /// `bytes` more are done. Call it a few times a megabyte at most.
    pub fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        self.appear_when_due();
    }

    /// Takes the bar away. Call it before the result or an error is printed; dropping does the same.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn appear_when_due(&self) {
        if let Some(show) = &self.show
            && !self.shown.is_completed()
            && Instant::now() >= show.at
        {
            self.shown.call_once(|| self.bar.set_draw_target((show.target)()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn style() -> ProgressStyle {
    let template = "{msg:>6} [{bar:30}] {percent:>3}%  {decimal_bytes:>9} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left";
    ProgressStyle::with_template(template).expect("the template is a constant").progress_chars("=> ")
}

fn style_without_end() -> ProgressStyle {
    let template = "{msg:>6} {decimal_bytes:>9}  {decimal_bytes_per_sec}";
    ProgressStyle::with_template(template).expect("the template is a constant")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(at: Instant) -> Progress {
        Progress::with(Some(Show { at, target: ProgressDrawTarget::hidden }))
    }

    #[test]
    fn bytes_of_all_threads_add_up() {
        let progress = due(Instant::now() + DELAY);
        progress.phase("write", 4000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| progress.add(1)));
            }
        });
        assert_eq!((progress.bar.position(), progress.bar.length()), (4000, Some(4000)));
        progress.phase("verify", 7);
        assert_eq!((progress.bar.position(), progress.bar.length()), (0, Some(7)));
    }

    #[test]
    fn a_phase_without_end_counts_and_the_next_one_has_an_end_again() {
        let progress = due(Instant::now() + DELAY);
        progress.phase_without_end("spool");
        progress.add(5);
        assert_eq!((progress.bar.position(), progress.bar.length()), (5, None));
        progress.phase("scan", 7);
        assert_eq!((progress.bar.position(), progress.bar.length()), (0, Some(7)));
    }

    #[test]
    fn the_bar_appears_when_the_delay_is_over_and_not_before() {
        let early = due(Instant::now() + Duration::from_secs(3600));
        early.phase("scan", 10);
        early.add(1);
        assert!(!early.shown.is_completed());

        let late = due(Instant::now());
        assert!(!late.shown.is_completed());
        late.add(1);
        assert!(late.shown.is_completed());
    }

    #[test]
    fn silence_stays_silent() {
        let silent = Progress::with(None);
        silent.phase("scan", 10);
        silent.add(10);
        assert!(!silent.shown.is_completed());
    }
}
