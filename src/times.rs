//! How long each phase takes: what `--time` prints.
//!
//! In: a [`crate::Config`] that holds [`Times`]. Out: for each [`Phase`], the wall-clock time that was spent in it; of those
//! that go over one function after the other, on all threads together. The rule: what is measured is not changed by it,
//! and nothing is measured unless it is asked for.
//!
//! What Cranelift does is told apart by its own passes, which it reports to a profiler of the thread (`Profiler`).

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cranelift_codegen::timing;

use crate::config::passes::Pass;

/// What time is spent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Reading objects.
    Parse,
    /// Decoding, and finding basic blocks.
    Graph,
    /// Choosing what is translated, and declaring it.
    Declare,
    /// Finding what makes code faster.
    Plan,
    /// Making CLIF.
    Lift,
    /// Our passes over CLIF.
    Opt,
    /// Cranelift's optimiser.
    Optimise,
    /// Cranelift's choice of machine instructions.
    Lower,
    /// Cranelift's register allocation.
    Registers,
    /// All else that Cranelift does: dominators, machine code, unwind information.
    Assemble,
    /// Placing code and data, relocating, writing an object.
    Emit,
    /// The system's linker.
    Link,
}

impl Phase {
    /// All, in the order that they run.
    pub const ALL: [Phase; 12] = [
        Phase::Parse,
        Phase::Graph,
        Phase::Declare,
        Phase::Plan,
        Phase::Lift,
        Phase::Opt,
        Phase::Optimise,
        Phase::Lower,
        Phase::Registers,
        Phase::Assemble,
        Phase::Emit,
        Phase::Link,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Parse => "parse",
            Phase::Graph => "graph",
            Phase::Declare => "declare",
            Phase::Plan => "plan",
            Phase::Lift => "lift",
            Phase::Opt => "opt",
            Phase::Optimise => "optimise",
            Phase::Lower => "lower",
            Phase::Registers => "registers",
            Phase::Assemble => "assemble",
            Phase::Emit => "emit",
            Phase::Link => "link",
        }
    }

    /// Whether its time is that of all threads together.
    pub const fn is_parallel(self) -> bool {
        !matches!(self, Phase::Parse | Phase::Graph | Phase::Declare | Phase::Emit | Phase::Link)
    }
}

/// The phases that Cranelift's compilation of a function contains beside [`Phase::Assemble`].
const PARTS: [Phase; 3] = [Phase::Optimise, Phase::Lower, Phase::Registers];

/// The times of the phases so far; a copy counts into the same.
#[derive(Clone, Debug, Default)]
pub struct Times(Arc<Counted>);

/// Nanoseconds.
#[derive(Debug)]
struct Counted {
    phases: [AtomicU64; Phase::ALL.len()],
    passes: [AtomicU64; Pass::ALL.len()],
}

impl Default for Counted {
    fn default() -> Counted {
        // Arrays of more than 32 elements have no default of their own.
        Counted { phases: Default::default(), passes: std::array::from_fn(|_| AtomicU64::default()) }
    }
}

impl Times {
    /// What was spent in a phase.
    pub fn of(&self, phase: Phase) -> Duration {
        let counted = |phase: Phase| Duration::from_nanos(self.0.phases[phase as usize].load(Ordering::Relaxed));
        match phase {
            // All of it is counted, and the parts are counted again.
            Phase::Assemble => PARTS.iter().fold(counted(phase), |rest, &part| rest.saturating_sub(counted(part))),
            _ => counted(phase),
        }
    }

    /// Does the work of a phase.
    pub fn time<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.add(phase, start.elapsed());
        done
    }

    /// What was spent in a pass of ours, which is part of a phase; passes that run as one count for the first of them.
    pub fn of_pass(&self, pass: Pass) -> Duration {
        Duration::from_nanos(self.0.passes[pass as usize].load(Ordering::Relaxed))
    }

    fn add(&self, phase: Phase, time: Duration) {
        // 2^64 nanoseconds are 584 years.
        self.0.phases[phase as usize].fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }
}

/// Does the work of a phase, and measures it if that is wanted.
pub(crate) fn time<T>(times: Option<&Times>, phase: Phase, work: impl FnOnce() -> T) -> T {
    match times {
        Some(times) => times.time(phase, work),
        None => work(),
    }
}

/// Does the work of a pass, and measures it if that is wanted.
pub(crate) fn time_pass<T>(times: Option<&Times>, pass: Pass, work: impl FnOnce() -> T) -> T {
    let Some(times) = times else { return work() };
    let start = Instant::now();
    let done = work();
    times.0.passes[pass as usize].fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    done
}

/// While it is there, what Cranelift does on this thread counts.
pub(crate) struct Profiled {
    others: Option<Box<dyn timing::Profiler>>,
}

impl Profiled {
    pub fn new(times: Option<&Times>) -> Profiled {
        let profiler = |times: &Times| timing::set_thread_profiler(Box::new(Profiler(times.clone())));
        Profiled { others: times.map(profiler) }
    }
}

impl Drop for Profiled {
    fn drop(&mut self) {
        if let Some(others) = self.others.take() {
            timing::set_thread_profiler(others);
        }
    }
}

struct Profiler(Times);

impl timing::Profiler for Profiler {
    fn start_pass(&self, pass: timing::Pass) -> Box<dyn Any> {
        let phase = match pass {
            timing::Pass::egraph => Phase::Optimise,
            timing::Pass::vcode_lower => Phase::Lower,
            timing::Pass::regalloc => Phase::Registers,
            // Parts of these, or of what is left.
            _ => return Box::new(()),
        };
        Box::new(Running { times: self.0.clone(), phase, start: Instant::now() })
    }
}

/// A pass of Cranelift's that is running.
struct Running {
    times: Times,
    phase: Phase,
    start: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.times.add(self.phase, self.start.elapsed());
    }
}
