//! `--time`: how long each phase takes, to standard error.

use std::time::Instant;

use bpf2native::internals::pipeline;
use bpf2native::times::{Phase, Times};

/// A stopwatch, if times are wanted.
pub struct Timing {
    times: Option<Times>,
    start: Instant,
}

impl Timing {
    pub fn new(enabled: bool) -> Timing {
        Timing { times: enabled.then(Times::default), start: Instant::now() }
    }

    /// Where the library counts.
    pub fn times(&self) -> Option<Times> {
        self.times.clone()
    }

    /// Does the work of a phase, and counts how long it takes.
    pub fn phase<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        match &self.times {
            Some(times) => times.time(phase, work),
            None => work(),
        }
    }

    /// Prints the phases that took any time, in the order that they run, each with its passes; and all the time since
    /// the start.
    pub fn print(&self) {
        let Some(times) = &self.times else { return };
        let taken = Phase::ALL.iter().map(|&phase| (phase, times.of(phase))).filter(|(_, time)| !time.is_zero());
        let rows = pipeline::rows();
        for (phase, time) in taken {
            let note = if phase.is_parallel() { "  all threads together" } else { "" };
            eprintln!("{:>10} {:10.4} ms{note}", phase.name(), time.as_secs_f64() * 1e3);
            for row in rows.iter().filter(|row| row.phase() == Some(phase)) {
                let time = times.of_pass(row.passes[0].0);
                if !time.is_zero() {
                    eprintln!("{:>10} {:10.4} ms    {}", "", time.as_secs_f64() * 1e3, row.name);
                }
            }
        }
        eprintln!("{:>10} {:10.4} ms", "total", self.start.elapsed().as_secs_f64() * 1e3);
    }
}
