//! What runs the cases: one trait, so that every engine is held to the same table.
//!
//! In: cases. Out: for each what it left behind, or why it did not run. The rule: an engine never judges; the test
//! compares, and prints what an engine could not run.

pub mod aot;
pub mod cross;
pub mod interpreter;
pub mod jit;
#[cfg(target_os = "linux")]
pub mod kernel;
pub mod rbpf;

use super::cases::Case;

/// What a run leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The result.
    pub r0: u64,
    /// The memory argument.
    pub memory: Vec<u8>,
}

/// Why there is no outcome.
#[derive(Clone, Debug)]
pub enum Problem {
    /// The engine does not do this; the reason.
    Unsupported(String),
    /// The engine should have done this; the error.
    Failed(String),
}

/// Runs programs.
pub trait Engine {
    /// Its name in messages.
    fn name(&self) -> &str;

    /// Runs all `cases`, in order; an error when there is no such engine on this machine.
    fn run(&self, cases: &[Case]) -> Result<Vec<Result<Outcome, Problem>>, String>;
}

/// r1 to r5 to r0.
pub type Helper = fn(u64, u64, u64, u64, u64) -> u64;

/// The helpers that the cases call: 5 returns its first argument, 6 mixes all five.
pub const HELPERS: [(u32, Helper); 2] = [(5, first), (6, mix)];

fn first(a: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    a
}

fn mix(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    [e, d, c, b].iter().fold(0, |sum: u64, value| sum.wrapping_add(*value) << 4).wrapping_add(a)
}

/// The slots of `code`, without the second halves of 64-bit immediates.
pub fn slots(code: &[u8]) -> impl Iterator<Item = [u8; 8]> {
    let mut second = false;
    code.chunks_exact(8).filter_map(move |slot| {
        let first = !second;
        second = first && slot[0] == 0x18;
        first.then(|| slot.try_into().expect("a slot has 8 bytes"))
    })
}
