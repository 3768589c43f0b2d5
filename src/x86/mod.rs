//! Steps over x86-64 code that Cranelift has written.
//!
//! Cranelift writes branches of 6 bytes and constants of 4, sets up a frame pointer before everything else, and aligns no
//! loop. In: a compiled function. Out: one that does the same in fewer and shorter instructions, with its loops where the
//! processor fetches them fastest.
//!
//! | what | file |
//! |---|---|
//! | the order of the steps | `pipeline.rs` |
//! | bytes to fragments: instructions, jump tables, constants | `code/read.rs`, `fragments.rs`, `effects.rs` |
//! | spills and reloads that are not needed | `steps/spills/`; their slots: `code/spill_slots.rs` |
//! | conditions as numbers in cleared registers | `steps/cleared_conditions.rs` |
//! | jump-table bounds checks by a branch | `steps/jump_table_bounds.rs` |
//! | loop rotation | `steps/loop_rotation.rs` |
//! | block placement | `steps/block_placement.rs`; blocks and edge weights: `code/blocks.rs`, by a profile: `code/measured.rs` |
//! | prologues and epilogues without a frame pointer, shrink wrapping | `steps/frame/` |
//! | short encodings of one instruction | `steps/short_encodings.rs` |
//! | loop alignment | `steps/loop_alignment.rs`, `code/alignment.rs` |
//! | branch relaxation, and where everything lies | `code/relaxation.rs` |
//! | fragments to bytes, and what refers to them | `code/write.rs` |
//! | whether the new code does the same | `check/` |
//!
//! The rule: what is code and what is data is known from Cranelift (`../codegen/extent.rs`), and each byte is one of them.
//! When code moves, what refers to it is changed: branches, addresses relative to the instruction, jump tables, relocations,
//! locations, entries, unwind information. An instruction that is not understood, or a reference into the middle of one,
//! leaves the function as it was. Instructions with relocations keep their bytes. The new code is read again and compared with
//! Cranelift's.
//!
//! Measured over 54 programs, each alone:
//!
//! | step | time | size of code |
//! |---|---|---:|
//! | jump-table bounds checks | 1.00; `vm` 0.84 | 1.00 |
//! | conditions in cleared registers | 1.00; `primecount` of Embench 0.56 | 1.00 |
//! | block placement | 0.98; `coremix` 0.58, `utf8` 0.75, `bfs` 0.8, `json` and `vm` 0.9, `lcs` 1.07 | 1.01 |
//! | prologues | 0.99; `ackermann` 0.63, `queens` 0.94 | 0.90 |
//! | loop rotation | 1.00; `fib` 0.80, `lz_decompress` 0.83, `sieve` 0.95 | 0.99 |
//! | short encodings | 1.00; `coremix`, whose branches then lie close together, 1.06, `json` and `lcs` 0.85 | 0.89 |
//!
//! Tried, and not kept: long branches where three would lie in 16 bytes (`fib` as before, `lcs` 1.3 times as long); the flags
//! of a computation in place of a `test` of its result (8 programs have such a `test`; no time changed); the spill slot that
//! is used most, in `%rbp` (`coremix` 0.96, `http` 1.06, 19 others as before; code 0.98).
//!
//! Time is linear in the size of the code, but for searches and maps, which are `log n` each.

mod check;
mod code;
mod pipeline;
mod steps;

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;

use crate::codegen::compiled::CompiledFunction;
use crate::config::Passes;
use crate::program::frequencies::FunctionFrequencies;
use crate::times::Times;
pub(crate) use code::blocks::Coldness;
pub(crate) use pipeline::STEPS;

/// What the steps are told.
#[derive(Clone, Copy, Default)]
pub(crate) struct Steps<'a> {
    /// Those that are on.
    pub(crate) passes: Passes,
    /// Where to count how long they take.
    pub(crate) times: Option<&'a Times>,
    /// How often the function's code ran, if that is known.
    pub(crate) frequencies: Option<&'a FunctionFrequencies>,
    /// What is known of its cold blocks, which `assemble` says.
    pub(crate) coldness: Coldness,
}

/// Runs the steps that are on over a function, whose instructions end at `end`. A function that does not pass the check
/// stays as it was; in debug builds that is a panic.
pub(crate) fn run(function: &mut CompiledFunction, end: CodeOffset, isa: &dyn TargetIsa, steps: Steps<'_>) {
    match pipeline::run(function, end, isa, steps) {
        Ok(made) => *function = made,
        Err(reason) => function.steps.given_up = Some(reason),
    }
}

#[cfg(all(test, feature = "compare"))]
mod tests;
