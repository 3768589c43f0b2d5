//! Numbers of 128 bits, which BPF computes in words.
//!
//! | what | file |
//! |---|---|
//! | both words of a product by one multiplication | `products.rs` |
//! | sums and differences whose carry is added to another word | `carries.rs`, and what is a carry: `overflow.rs` |
//!
//! In: a function. Out: the same with pairs of words (`iconcat`, `isplit`) where the machine has instructions for them: `mul` of x86-64
//! writes both words of a product, `add; adc` passes a carry in the flags. Cranelift's optimiser does not move what a pair is taken apart
//! by, so nothing is paired that a loop does not change.

mod carries;
mod overflow;
mod products;

use cranelift_codegen::ir::{Block, Function, Value};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use super::ir::operands::defining_block;
use super::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    products::run(function, context);
    carries::run(function, context);
}

/// Whether a block is in a loop that defines none of some values, so that what is computed of them could be computed in front of it.
fn is_invariant(function: &Function, loops: &LoopAnalysis, block: Block, values: &[Value]) -> bool {
    let Some(around) = loops.innermost_loop(block) else { return false };
    values.iter().all(|&value| defining_block(function, value).is_none_or(|from| !loops.is_in_loop(from, around)))
}
