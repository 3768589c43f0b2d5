//! How the code of a function is laid out, once Cranelift has written it (x86-64).
//!
//! Cranelift writes branches of 6 bytes, constants of 4, sets up a frame pointer before all else, and aligns no loop. In: a
//! compiled function. Out: what does the same in fewer and shorter
//! instructions, its loops where the processor reads them fastest.
//!
//! | step | file |
//! |---|---|
//! | the code, read back: instructions, jump tables, constants | `read.rs`, `pieces.rs`, `effects.rs` |
//! | indices of jump tables, checked by a branch | `jump_table_bounds.rs` |
//! | loops that go back by their own test | `loop_rotation.rs` |
//! | the order of basic blocks | `blocks.rs`, `block_placement.rs` |
//! | prologues and epilogues without a frame pointer | `frame.rs` |
//! | prologues behind early exits | `shrink_wrapping.rs` |
//! | shorter encodings of one instruction | `short_encodings.rs` |
//! | bytes of `nop` before inner loops | `loop_alignment.rs` |
//! | where everything lies, and how long branches are | `relaxation.rs` |
//! | the bytes, and all that refers to them | `write.rs` |
//! | whether that is what was there | `mod.rs`, `walk.rs`, `side.rs`, `values.rs`, `same.rs`, `frames.rs` |
//!
//! The rule: what is code and what is data is known from Cranelift (`../extent.rs`), and each byte is one of them. What moves
//! is what refers to it: branches, addresses relative to the instruction, jump tables, relocations, locations, entries, unwind
//! information. An instruction that is not understood, or a reference into the middle of one, leaves the function as it was.
//! Instructions that relocations are in keep their bytes. What comes out is read again and compared with what went in.
//!
//! Measured over 54 programs, each alone:
//!
//! | step | time | size of code |
//! |---|---|---:|
//! | indices of tables, checked by a branch | 1.00; `vm` 0.84 | 1.00 |
//! | order of blocks | 0.98; `coremix` 0.58, `utf8` 0.75, `bfs` 0.8, `json` and `vm` 0.9, `lcs` 1.07 | 1.01 |
//! | prologues | 0.99; `ackermann` 0.63, `queens` 0.94 | 0.90 |
//! | loops back by their own test | 1.00; `fib` 0.80, `lz_decompress` 0.83, `sieve` 0.95 | 0.99 |
//! | short branches and constants | 1.00; `coremix`, whose branches lie close together then, 1.06, `json` and `lcs` 0.85 | 0.89 |
//!
//! Tried, and not kept: long branches where three would lie in 16 bytes (`fib` as before, `lcs` 1.3 times as long); the flags
//! of a computation in place of a `test` of its result (8 programs have one such, in time all are as before); the spill slot
//! that is used most, in `%rbp` (`coremix` 0.96, `http` 1.06, 19 others as before; code 0.98).
//!
//! Time is linear in the size of the code, but for searches and maps, which are `log n` each.

mod check;
mod code;
mod pipeline;
mod steps;

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;

use crate::codegen::CompiledFunction;
use crate::config::Passes;
use crate::times::Times;
pub(crate) use pipeline::STEPS;

/// Bytes in a line of the cache: what a function with inner loops is aligned to.
const LINE: u32 = 64;

/// What became of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The steps that changed something.
    pub changed: Passes,
    /// Why it stays as Cranelift made it; none if it does not, or nobody asked.
    pub kept: Option<Reason>,
}

/// Why a function stays as Cranelift made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// There are bytes that are no known instruction where there should be one.
    Instruction,
    /// There are bytes in the code that are neither instructions nor a jump table.
    Unaccounted,
    /// There are bytes behind the code that are neither constants nor padding.
    Constants,
    /// Something refers to where nothing starts.
    Reference,
    /// What unwinders are told has no form here.
    Unwind,
    /// What was made is not what was there.
    Check,
    /// The function is too entangled for that to be found out.
    Effort,
}

/// Lays out a function again, as the passes say that are on; its instructions end at `end`. What does not pass the check
/// stays as it was; where assertions are on, that is a panic.
pub(crate) fn run(
    function: &mut CompiledFunction,
    end: CodeOffset,
    isa: &dyn TargetIsa,
    passes: Passes,
    times: Option<&Times>,
) {
    match pipeline::run(function, end, isa, passes, times) {
        Ok(made) => *function = made,
        Err(reason) => function.layout.kept = Some(reason),
    }
}

#[cfg(test)]
mod tests;
