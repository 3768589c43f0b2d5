//! `--time`: how long each phase takes, to standard error.

use std::time::{Duration, Instant};

/// A stopwatch that prints when it is asked to.
pub struct Timing {
    phases: Option<Vec<(&'static str, Duration)>>,
}

impl Timing {
    pub fn new(enabled: bool) -> Timing {
        Timing { phases: enabled.then(Vec::new) }
    }

    /// Does the work of a phase and notes how long it took.
    pub fn phase<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        if let Some(phases) = &mut self.phases {
            phases.push((name, start.elapsed()));
        }
        done
    }

    /// Prints what was noted.
    pub fn print(&self) {
        for (name, time) in self.phases.iter().flatten() {
            eprintln!("{name:>10} {:9.3} ms", time.as_secs_f64() * 1e3);
        }
    }
}
