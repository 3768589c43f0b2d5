//! A progress bar on standard error, when that is a terminal and the work takes more than a second.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bpf2native::compare::report::Object;
use indicatif::{ProgressBar, ProgressStyle};

/// Work that takes less than this shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar that appears only if the work takes long.
pub struct Progress {
    start: Instant,
    objects: u64,
    done: AtomicU64,
    bar: OnceLock<ProgressBar>,
    is_terminal: bool,
}

impl Progress {
    /// For work on this many objects.
    pub fn new(objects: usize) -> Progress {
        let is_terminal = std::io::stderr().is_terminal();
        let (objects, done) = (objects as u64, AtomicU64::new(0));
        Progress { start: Instant::now(), objects, done, bar: OnceLock::new(), is_terminal }
    }

    /// One more object is done.
    pub fn step(&self, object: &Object) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.is_terminal || self.start.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_init(|| {
            let style = ProgressStyle::with_template("{pos}/{len} objects [{bar:30}] {eta} {msg}");
            let bar = ProgressBar::new(self.objects);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        bar.set_position(done);
        bar.set_message(object.name.clone());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}
