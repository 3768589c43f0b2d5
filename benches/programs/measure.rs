//! Measures a program on all engines, one after the other, again and again.
//!
//! In: a program and engines. Out: nanoseconds for its work, for each engine: for each placement in memory the least
//! thread CPU time of all rounds, and of these the geometric mean. The rule: the first engine's result is what all
//! must get, and its buffer too; another result of our own is an error, and one of a peer's is a reason to leave it out.

use std::path::Path;

use super::engines::{self, Engine, Loaded, TRIAL};
use super::memory::Memory;
use super::peers::{Compiler, Peers};
use super::suite::Program;

/// How to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often each is run, at each placement.
    pub rounds: usize,
    /// Places in memory.
    pub placements: usize,
    /// About how long a run takes natively, in nanoseconds.
    pub run: f64,
}

/// What came out for one program.
pub struct Measured {
    /// The program.
    pub program: Program,
    /// For each engine, nanoseconds for doing the work once; or why there are none.
    pub times: Vec<Result<f64, String>>,
    /// For each engine that is a peer, the level of its object.
    pub levels: Vec<Option<&'static str>>,
}

/// Thread CPU time in nanoseconds.
pub fn now() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The geometric mean.
pub fn geomean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value.ln(), count + 1.0));
    f64::exp(sum / count)
}

/// Runs on a fresh buffer: the nanoseconds that it took.
fn timed(loaded: &Loaded, memory: &mut Memory, length: usize, iterations: u64) -> f64 {
    memory.fill(length);
    let start = now();
    std::hint::black_box(loaded.run(memory, iterations));
    now() - start
}

/// Measures one program.
///
/// # Errors
///
/// What cannot be built or translated, and results of ours that differ from the first engine's.
pub fn measure(
    program: &Program,
    engines: &[Engine],
    effort: Effort,
    peers: Option<&Peers>,
    memory: &mut Memory,
    folder: &Path,
) -> Result<Measured, String> {
    let length = program.buffer;
    let mut loaded: Vec<Result<Vec<Loaded>, String>> = Vec::new();
    let mut expected: Option<(u64, Vec<u8>)> = None;
    let mut levels = Vec::new();
    for engine in engines {
        let (mut engine, mut level) = (engine.clone(), None);
        let mut run = |memory: &mut Memory| {
            if let (Engine::Peer(compiler, object), Some((result, _))) = (&mut engine, &expected) {
                *object = level_for(*compiler, program, *result)?;
                level = Some(*object);
            }
            let loaded = engines::load(program, &engine, effort.placements, peers, memory, folder)?;
            for one in &loaded {
                memory.fill(length);
                let result = one.run(memory, TRIAL);
                let after = memory.buffer(length).to_vec();
                match &expected {
                    None => expected = Some((result, after)),
                    Some((first, _)) if *first != result => {
                        return Err(format!("the result is {result:#x} and not {first:#x}"));
                    }
                    // Pointers in it are the same for all, as the buffer is.
                    Some((_, first)) if *first != after => return Err("the buffer differs".to_owned()),
                    Some(_) => {}
                }
            }
            Ok(loaded)
        };
        let outcome = run(memory);
        levels.push(level);
        match (engine, outcome) {
            (Engine::Peer(..), outcome) => loaded.push(outcome),
            (_, Ok(placed)) => loaded.push(Ok(placed)),
            (engine, Err(error)) => return Err(format!("{}: {engine:?}: {error}", program.name)),
        }
    }
    let first = loaded[0].as_ref().map_err(Clone::clone)?;
    let mut iterations = 1;
    while timed(&first[0], memory, length, iterations) < effort.run && iterations < 1 << 40 {
        iterations *= 2;
    }
    let mut best: Vec<Vec<f64>> =
        loaded.iter().map(|placed| vec![f64::INFINITY; placed.as_ref().map_or(0, Vec::len)]).collect();
    for _ in 0..effort.rounds {
        for placement in 0..effort.placements {
            for (placed, best) in loaded.iter().zip(&mut best) {
                let Some(one) = placed.as_ref().ok().and_then(|placed| placed.get(placement)) else { continue };
                best[placement] = best[placement].min(timed(one, memory, length, iterations));
            }
        }
    }
    let times = loaded.into_iter().zip(best);
    let times = times.map(|(placed, best)| placed.map(|_| geomean(best) / iterations as f64)).collect();
    Ok(Measured { program: program.clone(), times, levels })
}

/// The newest level of the instruction set of which a peer runs a program's object rightly; or what is wrong with the newest.
fn level_for(compiler: Compiler, program: &Program, expected: u64) -> Result<&'static str, String> {
    let check = |level| compiler.check(program, level, TRIAL, expected);
    let first = check(engines::LEVELS[0]);
    let rest = || engines::LEVELS[1..].iter().copied().find(|&level| check(level).is_ok());
    match first {
        Ok(()) => Ok(engines::LEVELS[0]),
        Err(error) => rest().ok_or(error),
    }
}
